# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the plugins share: a clock of their own, and a transport that follows a script."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import threading
import typing as t

import pytest
from requests.structures import CaseInsensitiveDict

from ansible_collections.plivo.voice.plugins.module_utils._client import Client
from ansible_collections.plivo.voice.plugins.module_utils._errors import PlivoError
from ansible_collections.plivo.voice.plugins.module_utils._pacing import SlidingWindow
from ansible_collections.plivo.voice.plugins.module_utils._transport import Answer

AUTH_ID = "MAXXXXXXXXXXXXXXXXXX"
TOKEN = "s3cr3t-t0ken"
API_ID = "2867b6e2-58c3-11e1-86da-adf28403fe48"


class Clock:
    """Time that passes only when somebody sleeps; keeps an account of the sleeps."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self.slept: list[float] = []
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        assert len(self.slept) < 100_000, "nobody sleeps that often in earnest"
        with self._lock:
            self.slept.append(seconds)
            self.now += seconds


def answer(
    status: int = 200, data: t.Any = None, *, body: bytes | None = None, headers: t.Mapping[str, str] | None = None
) -> Answer:
    """An answer as the transport returns it; JSON unless a body is given."""
    if body is None:
        body = b"" if data is None else json.dumps(data).encode()
    return Answer(status, CaseInsensitiveDict(headers or {}), body)


def lost(kind: str, *, sent: bool = True, retryable: bool = True) -> PlivoError:
    """A failure as the transport raises it."""
    return PlivoError(kind, f"no luck ({kind})", retryable=retryable, doubtful=sent)


@dataclasses.dataclass(frozen=True)
class Sent:
    """One attempt as the transport was asked to make it."""

    method: str
    path: str
    query: str
    headers: t.Mapping[str, str]
    body: bytes | None
    timeout: float | None
    leave_within: float | None
    at: float


Step = t.Union[Answer, PlivoError, t.Callable[[], Answer]]


class ScriptedTransport:
    """Answers one attempt after another with what the script says; one more is the test's failure."""

    def __init__(self, clock: Clock, *script: Step) -> None:
        self._clock = clock
        self._script = list(script)
        self.sent: list[Sent] = []

    def url(self, path: str) -> str:
        return "https://api.example/v1" + path

    def send(
        self,
        method: str,
        path: str,
        query: str,
        headers: t.Mapping[str, str],
        body: bytes | None = None,
        timeout: float | None = None,
        leave_within: float | None = None,
    ) -> Answer:
        self.sent.append(Sent(method, path, query, dict(headers), body, timeout, leave_within, self._clock()))
        assert self._script, f"one attempt too many: {method} {path}"
        step = self._script.pop(0)
        if isinstance(step, PlivoError):
            # The client writes into what it catches; a step may stand in the script more than once.
            raise PlivoError(step.kind, step.msg, retryable=step.retryable, doubtful=step.doubtful)
        return step() if callable(step) else step

    def assert_played(self) -> None:
        assert not self._script, f"{len(self._script)} attempts were expected and not made"


@contextlib.contextmanager
def place(window: SlidingWindow) -> t.Iterator[None]:
    """A place in a window, as a request has it."""
    assert window.enter()
    try:
        yield
    finally:
        window.leave()


def scripted_client(
    clock: Clock, *script: Step, retries: int = 4, read_only: bool = False, random: float = 0.0
) -> tuple[Client, ScriptedTransport]:
    """A real client whose attempts follow a script and whose time is the clock's."""
    transport = ScriptedTransport(clock, *script)
    client = Client(
        t.cast(t.Any, transport),
        AUTH_ID,
        TOKEN,
        window=SlidingWindow(0, clock, clock.sleep),
        retries=retries,
        read_only=read_only,
        clock=clock,
        sleep=clock.sleep,
        random=lambda: random,
    )
    return client, transport


def shown(content: object) -> str:
    """The beginning of a parameter, to name its test. Without backslashes: pytest escapes them anew each time that it
    collects the tests, and whoever does so twice in one process (mutmut does) does not find the tests again.
    """
    return repr(content)[:26].replace("\\", "~")


def failure_of(call: t.Callable[[], object]) -> PlivoError:
    """The PlivoError that a call raises; anything else that it does fails the test."""
    with pytest.raises(PlivoError) as caught:
        call()
    return caught.value


def refusal_of(call: t.Callable[[], object], option: str) -> PlivoError:
    """The refusal that a call raises: of our own making, one line, naming the option first, and a whole sentence."""
    error = failure_of(call)
    assert error.kind == "invalid_request"
    assert error.msg.startswith(f"{option}: ")
    assert "\n" not in error.msg
    assert error.msg.endswith(".")
    assert (error.attempts, error.retryable, error.doubtful) == (0, False, False)
    return error


async def until(reached: t.Callable[[], bool]) -> None:
    """Let the event loop go on until something is so, within 5 seconds."""
    for _attempt in range(1000):
        if reached():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came to that")
