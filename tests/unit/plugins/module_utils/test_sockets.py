# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An attempt's time, to the moment; what sockets make of it is tested with the transport."""

from __future__ import annotations

import socket
import time
import types
import typing as t

import pytest

from ansible_collections.plivo.voice.plugins.module_utils import _sockets
from ansible_collections.plivo.voice.plugins.module_utils._sockets import Attempt, BoundedSockets
from unit.plugins.support import Clock

simulated_time = pytest.mark.usefixtures("own_time")


@pytest.fixture
def own_time(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sockets, "time", types.SimpleNamespace(monotonic=clock))


@simulated_time
def test_before_it_begins_nothing_is_late_and_nothing_may_be_sent() -> None:
    attempt = Attempt()
    assert attempt.remaining() == float("inf")
    assert (attempt.expired, attempt.is_late, attempt.sent, attempt.target) == (False, False, False, "")


@simulated_time
def test_the_time_is_over_at_its_end(clock: Clock) -> None:
    attempt = Attempt()
    attempt.begin(5, "/x/")
    clock.now += 4
    assert (attempt.remaining(), attempt.expired) == (1, False)
    for late in (1, 1):
        clock.now += late
        assert attempt.expired
        with pytest.raises(socket.timeout):
            attempt.remaining()


@simulated_time
def test_it_is_late_after_the_moment_to_leave_by(clock: Clock) -> None:
    attempt = Attempt()
    attempt.begin(60, "/x/", 5)
    clock.now += 5
    assert not attempt.is_late
    clock.now += 0.001
    assert attempt.is_late
    attempt.begin(60, "/x/")
    assert not attempt.is_late


@simulated_time
def test_every_attempt_begins_anew() -> None:
    attempt = Attempt()
    attempt.begin(5, "/x/")
    attempt.sent = True
    attempt.begin(5, "/y/")
    assert (attempt.target, attempt.sent) == ("/y/", False)


@simulated_time
def test_a_name_is_resolved_as_it_is_in_a_time_of_its_own(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[t.Any] = []

    def resolve(*args: t.Any) -> list[t.Any]:
        asked.append(args)
        clock.now += 7
        return ["an address"]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    attempt = Attempt()
    attempt.begin(5, "/x/")
    assert attempt.resolve("api.example", 443) == ["an address"]
    assert asked == [("api.example", 443, 0, socket.SOCK_STREAM)]
    assert attempt.remaining() == 5


class FakeSocket:
    """Tells what was done to it; refuses connections to odd ports."""

    made: t.ClassVar[list[FakeSocket]] = []

    def __init__(self, *kind: t.Any) -> None:
        self.kind = kind
        self.done: list[t.Any] = []
        self.made.append(self)

    def setsockopt(self, *option: t.Any) -> None:
        self.done.append(option)

    def settimeout(self, seconds: float) -> None:
        self.done.append(seconds)

    def connect(self, address: tuple[str, int]) -> None:
        self.done.append(address)
        if address[1] % 2:
            raise OSError(f"no luck with {address[1]}")

    def close(self) -> None:
        self.done.append("closed")


def connect(clock: Clock, monkeypatch: pytest.MonkeyPatch, *ports: int) -> t.Any:
    addresses = [(family, 1, 6, "", ("::1", port)) for family, port in enumerate(ports)]
    monkeypatch.setattr(FakeSocket, "made", [])
    attempt = Attempt()
    attempt.begin(6, "/x/")
    monkeypatch.setattr(attempt, "resolve", lambda host, port: addresses if (host, port) == ("h", 443) else None)
    sockets = BoundedSockets(attempt)
    monkeypatch.setattr(sockets, "_plain", FakeSocket)
    return sockets.connect("h", 443, [(6, 1, 1)])


@simulated_time
def test_each_address_gets_its_share_of_the_time(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    sock = connect(clock, monkeypatch, 1, 3, 4)
    assert sock is FakeSocket.made[2]
    assert [each.kind for each in FakeSocket.made] == [(0, 1, 6), (1, 1, 6), (2, 1, 6)]
    assert [each.done for each in FakeSocket.made] == [
        [(6, 1, 1), 2, ("::1", 1), "closed"],
        [(6, 1, 1), 3, ("::1", 3), "closed"],
        [(6, 1, 1), 6, ("::1", 4)],
    ]


@simulated_time
def test_the_last_failure_is_told(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match="no luck with 3"):
        connect(clock, monkeypatch, 1, 3)
    with pytest.raises(OSError, match=r"^h has no address$"):
        connect(clock, monkeypatch)


def test_no_operation_takes_longer_than_the_attempt() -> None:
    attempt = Attempt()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        attempt.begin(5, "/x/")
        with BoundedSockets(attempt).connect("127.0.0.1", listener.getsockname()[1], []) as sock:
            operations: list[t.Callable[[], object]] = [
                lambda: sock.recv(1),
                lambda: sock.recv_into(bytearray(1)),
                # Until the buffers of a peer that reads nothing are full.
                lambda: [sock.send(bytes(1 << 20)) for _number in range(99)],
                lambda: sock.sendall(bytes(1 << 27)),
            ]
            for operation in operations:
                attempt.begin(0.05, "/x/")
                started = time.monotonic()
                with pytest.raises(socket.timeout):
                    operation()
                assert time.monotonic() - started < 1
