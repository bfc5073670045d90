# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the plivo.voice contributors
"""Fault rules: which request they hit, and how a spoiled answer is played on the socket."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import socket
import struct
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from .api import Answer, Target, error
from .world import ScenarioError, build

# Whether the request has taken effect when the fault strikes, unless the rule says so itself.
DEFAULT_WHEN = {
    "answer": "before",
    "close_after": "after",
    "reset": "before",
    "close": "before",
    "silence": "before",
    "cut_short": "after",
    "drip": "after",
    "flood": "after",
    "stray": "after",
    "raw": "before",
}
UNANSWERED = frozenset(("reset", "close", "silence"))

_PIECE = 64 * 1024
# Announced by a flood that never ends: more than any client should be willing to take.
_ENDLESS = 1 << 40


@dataclass
class FaultRule:
    """One rule; README.md describes every field."""

    action: str
    # Which requests.
    account: str | None = None
    method: str | None = None
    name: str | None = None
    target: str | None = None
    skip: int = 0
    times: int | None = 1
    # What becomes of them.
    when: str | None = None
    delay: float = 0.0
    status: int | None = None
    headers: Mapping[str, Any] | list[list[str]] = field(default_factory=dict)
    body: str | None = None
    body_base64: str | None = None
    json: Any = None
    framing: str = "length"
    # How the answer is played.
    cut_at: int | None = None
    reset: bool = False
    interval: float = 0.1
    drip_from: str = "head"
    size: int | None = None
    extra: str = '{"message": "left in the connection"}'
    # How often the rule has struck.
    played: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        allowed: dict[str, tuple[str | None, ...]] = {
            "action": tuple(DEFAULT_WHEN),
            "when": (None, "before", "after"),
            "target": (None, "collection", "conference"),
            "framing": ("length", "chunked", "close"),
            "drip_from": ("head", "body"),
        }
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise ScenarioError(f"fault: {name} {getattr(self, name)!r} is none of {values}")
        self.when = self.when or DEFAULT_WHEN[self.action]
        try:
            self._body = self._given_body()
        except binascii.Error as exc:
            raise ScenarioError(f"fault: body_base64: {exc}") from None
        if self.action == "raw" and self._body is None:
            raise ScenarioError("fault: raw needs a body: the bytes to send")
        self._skipped = 0

    def _given_body(self) -> bytes | None:
        if self.body_base64 is not None:
            return base64.b64decode(self.body_base64, validate=True)
        if self.json is not None:
            return json.dumps(self.json).encode()
        return None if self.body is None else self.body.encode("utf-8", "surrogateescape")

    def hits(self, auth_id: str | None, method: str, target: Target) -> bool:
        """Whether this request is the rule's; counts those it lets pass first."""
        if self.times is not None and self.played >= self.times:
            return False
        if self.account not in (None, auth_id) or self.method not in (None, method):
            return False
        if self.target not in (None, target.kind) or self.name not in (None, target.name):
            return False
        if self._skipped < self.skip:
            self._skipped += 1
            return False
        self.played += 1
        return True

    def spoil(self, true_answer: Answer | None) -> Answer:
        """The answer to play: the true one where there is one, with what the rule replaces."""
        if self._body is not None:
            status = 200 if true_answer is None else true_answer.status
            answer = Answer(self.status or status, self._body, true_answer.headers if true_answer else [])
        elif self.status is None:
            answer = true_answer or error(500, "simulated fault")
        elif self.status in (204, 304):
            answer = Answer(self.status)
        elif true_answer is not None and self.status < 300:
            answer = replace(true_answer, status=self.status)
        else:
            answer = error(self.status, "simulated fault")
        if self.headers:
            given = self.headers.items() if isinstance(self.headers, Mapping) else self.headers
            pairs = [(str(name), str(value)) for name, value in given]
            replaced = {name.lower() for name, _value in pairs}
            kept = [each for each in answer.headers if each[0].lower() not in replaced]
            answer = replace(answer, headers=kept + pairs)
        return answer


class FaultBook:
    """The rules in force, in the order they were given; the first that fits strikes."""

    def __init__(self) -> None:
        self.rules: list[FaultRule] = []

    def add(self, given: Any) -> None:
        """Add one rule or a list of them."""
        self.rules.extend([build(FaultRule, each, "fault") for each in (given if isinstance(given, list) else [given])])

    def choose(self, auth_id: str | None, method: str, target: Target) -> FaultRule | None:
        for rule in self.rules:
            if rule.hits(auth_id, method, target):
                return rule
        return None

    def describe(self) -> list[dict[str, Any]]:
        return [asdict(rule) for rule in self.rules]


# --- on the socket ---------------------------------------------------------------------------------
#
# Nothing here asks whether the client is still there: when it has gone, the server cancels us.


async def play(transport: asyncio.Transport, answer: Answer, keep_alive: bool, rule: FaultRule) -> bool:
    """Play a spoiled answer; says whether the connection may serve another request."""
    if rule.action == "silence":
        await asyncio.Event().wait()
    if rule.action == "reset":
        _reset(transport)
        return False
    if rule.action == "close":
        transport.close()
        return False
    if rule.action == "flood":
        await _flood(transport, answer, rule)
        return False
    keep_alive = keep_alive and rule.framing != "close"
    head = answer.head(keep_alive, rule.framing)
    body = _chunked(answer.body) if rule.framing == "chunked" else answer.body
    if rule.action == "raw":
        transport.write(answer.body)
        transport.close()
        return False
    if rule.action == "cut_short":
        at = rule.cut_at
        if at is None:
            at = len(head) + len(body) // 2 if body else len(head) // 2
        transport.write((head + body)[:at])
        if rule.reset:
            await _drained(transport)
            _reset(transport)
        else:
            transport.close()
        return False
    if rule.action == "drip":
        if rule.drip_from == "body":
            transport.write(head)
            await _drip(transport, body, rule.interval)
        else:
            await _drip(transport, head + body, rule.interval)
        return keep_alive
    transport.write(head + body + answer.stray + (rule.extra.encode() if rule.action == "stray" else b""))
    if rule.action == "close_after":
        # The answer did not say so: the client believes in a kept connection.
        transport.close()
        return False
    return keep_alive


def _reset(transport: asyncio.Transport) -> None:
    """Close with RST instead of FIN, and drop what was not sent yet."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def _drained(transport: asyncio.Transport) -> None:
    """Wait until the kernel has taken what was written; the transport offers no event for it."""
    await asyncio.sleep(0)
    while transport.get_write_buffer_size():
        await asyncio.sleep(0.001)


async def _drip(transport: asyncio.Transport, content: bytes, interval: float) -> None:
    for index in range(len(content)):
        transport.write(content[index : index + 1])
        await asyncio.sleep(interval)


def _chunked(body: bytes) -> bytes:
    last = b"0\r\n\r\n"
    return b"%x\r\n%b\r\n" % (len(body), body) + last if body else last


async def _flood(transport: asyncio.Transport, answer: Answer, rule: FaultRule) -> None:
    """The answer, then blanks up to the size: still valid JSON, so that only its size is wrong."""
    status = 200 if answer.status == 204 else answer.status  # a 204 has no room for a flood
    size = _ENDLESS if rule.size is None else rule.size
    headers = list(answer.headers)
    if rule.framing == "length":
        headers.append(("Content-Length", str(size)))
    flooding = Answer(status, answer.body or b"{}", headers)
    transport.write(flooding.head(False, rule.framing))
    for piece in _blanks_after(flooding.body, size):
        transport.write(b"%x\r\n%b\r\n" % (len(piece), piece) if rule.framing == "chunked" else piece)
        await _drained(transport)
    if rule.framing == "chunked":
        transport.write(b"0\r\n\r\n")
    transport.close()


def _blanks_after(body: bytes, size: int) -> Iterator[bytes]:
    yield body[:size]
    left = size - len(body)
    blanks = b" " * _PIECE
    while left > 0:
        yield blanks[:left]
        left -= _PIECE
