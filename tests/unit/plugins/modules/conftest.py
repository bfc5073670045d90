# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module's ``run()`` against the simulated API, as the adapter does, and tells what the server saw."""

from __future__ import annotations

import json
import threading
import time
import types
import typing as t

import pytest

from ansible_collections.plivo.voice.plugins.module_utils._client import Client
from ansible_collections.plivo.voice.plugins.module_utils._errors import PlivoError
from ansible_collections.plivo.voice.plugins.module_utils._module import CONNECTION_OPTIONS, failure
from ansible_collections.plivo.voice.plugins.module_utils._pacing import SlidingWindow
from ansible_collections.plivo.voice.plugins.module_utils._transport import Transport
from ansible_collections.plivo.voice.plugins.modules import conference_hangup, conference_info
from plivo_simulator import AUTH_ID, AUTH_TOKEN, Simulator

Values = dict[str, t.Any]

#: Nobody listens there: the simulator's callbacks go nowhere, and nobody waits for them.
CALLBACK = "http://127.0.0.1:9/done?x=1#ct=2000&rt=40000"


class Handed(t.NamedTuple):
    """What a module hands to the adapter: its options as they are when none is given, and the kind of its result."""

    defaults: Values
    result: type[t.Any]


def handed_by(module: types.ModuleType) -> Handed:
    calls: list[tuple[t.Any, ...]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "run_module", lambda *args: calls.append(args))
        module.main()
    ((options, _run, result),) = calls
    specs = {**CONNECTION_OPTIONS, **options}
    return Handed({option: spec.get("default") for option, spec in specs.items()}, type(result))


MODULES = {module: handed_by(module) for module in (conference_hangup, conference_info)}


class World:
    """The simulated platform, and tasks run on it in a time of their own: who sleeps makes the server's clock go on."""

    def __init__(self, sim: Simulator) -> None:
        self.sim = sim
        self.control = sim.control
        self._ahead = 0.0
        self._lock = threading.Lock()
        self.slept: list[float] = []
        #: What the server saw of the last task: "GET *" is the list, "DELETE Sales" a hangup.
        self.requests: list[str] = []
        self.log: list[dict[str, t.Any]] = []

    def load(self, *conferences: str | t.Mapping[str, t.Any], **settings: t.Any) -> None:
        """Begin anew with these conferences."""
        account = {"auth_token": AUTH_TOKEN, "conferences": list(conferences)}
        self.control.load({"accounts": {AUTH_ID: account}, "settings": {"rate_limit": 0, **settings}})

    @property
    def live(self) -> list[str]:
        return list(self.control.conferences())

    def clock(self) -> float:
        return time.monotonic() + self._ahead

    def sleep(self, seconds: float) -> None:
        assert len(self.slept) < 10_000, "nobody sleeps that often in earnest"
        self.slept.append(seconds)
        with self._lock:
            # The server's clock goes on first: for another thread's request in between, a conference must not look
            # younger than it is.
            self.control.advance_clock(seconds)
            self._ahead += seconds

    def _client(self, params: Values, timeout: float, check: bool) -> Client:
        return Client(
            Transport(
                params["api_url"],
                timeout=timeout,
                connections=params["max_connections"],
                validate_certs=params["validate_certs"],
                ca_path=params["ca_path"],
            ),
            params["auth_id"],
            params["auth_token"],
            window=SlidingWindow(params["rate_limit"], self.clock, self.sleep),
            retries=params["retries"],
            read_only=check,
            clock=self.clock,
            sleep=self.sleep,
            random=lambda: 0.0,
        )

    def _run(self, module: types.ModuleType, check: bool, timeout: float, given: Values) -> Values:
        own: Values = {"auth_id": AUTH_ID, "auth_token": AUTH_TOKEN, "api_url": self.sim.api_url, "rate_limit": 0}
        params = {**MODULES[module].defaults, **own, **given}
        result = MODULES[module].result()
        self.control.clear_log()
        try:
            module.run(params, self._client(params, timeout, check), check, result)
        except PlivoError as error:
            result.errors.insert(0, error)
        values: Values = result.as_values(True)
        if result.errors:
            values = {**failure(result.errors, result.summary()), **values, "failed": True}
        self.log = self.control.log()
        self.requests = [f"{entry['method']} {entry['name'] or '*'}" for entry in self.log]
        text = json.dumps(values, allow_nan=False)
        assert AUTH_TOKEN not in text
        assert "\n" not in values.get("msg", "")
        return values

    def info(self, *, check: bool = False, timeout: float = 5.0, **params: t.Any) -> Values:
        return self._run(conference_info, check, timeout, params)

    def hangup(self, *, check: bool = False, timeout: float = 5.0, **params: t.Any) -> Values:
        return self._run(conference_hangup, check, timeout, params)

    @property
    def writes(self) -> list[str]:
        return [request for request in self.requests if not request.startswith("GET ")]


@pytest.fixture(scope="module")
def running_simulator() -> t.Iterator[Simulator]:
    with Simulator() as sim:
        yield sim


@pytest.fixture
def world(running_simulator: Simulator) -> World:
    return World(running_simulator)
