# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bad host can cost at most, in time that really passes and in memory that is really taken."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import socket
import threading
import time
import tracemalloc
import typing as t

import pytest

from ansible_collections.plivo.voice.plugins.module_utils import _transport
from ansible_collections.plivo.voice.plugins.module_utils._client import Client
from ansible_collections.plivo.voice.plugins.module_utils._errors import PlivoError
from ansible_collections.plivo.voice.plugins.module_utils._module import CONNECTION_OPTIONS, SELECTION_OPTIONS
from ansible_collections.plivo.voice.plugins.module_utils._pacing import SlidingWindow
from ansible_collections.plivo.voice.plugins.module_utils._sockets import BoundedSockets
from ansible_collections.plivo.voice.plugins.module_utils._transport import Transport
from ansible_collections.plivo.voice.plugins.modules import conference_hangup, conference_info
from unit.plugins.raw_server import Peer, RawServer, http
from unit.plugins.support import AUTH_ID, TOKEN

MIB = 1024 * 1024
CONNECTIONS = 16

Result = t.Union[conference_hangup.HangupResult, conference_info.InfoResult]


def run(
    port: int,
    module: str,
    *,
    timeout: float,
    check: bool = False,
    retries: int = 0,
    sleep: t.Callable[[float], None] = time.sleep,
    **given: t.Any,
) -> Result:
    """A task as the adapter runs it, at a host on this machine, with real time."""
    own = {
        "all": False,
        "max_hangups": None,
        "details": None,
        "wait": False,
        "wait_timeout": 60.0,
        "callback_url": None,
    }
    specs = {**CONNECTION_OPTIONS, **SELECTION_OPTIONS}
    params = {**{option: spec.get("default") for option, spec in specs.items()}, **own, "auth_id": AUTH_ID, **given}
    client = Client(
        Transport(f"http://127.0.0.1:{port}", timeout=timeout, connections=params["max_connections"]),
        AUTH_ID,
        TOKEN,
        window=SlidingWindow(0, time.monotonic, sleep),
        retries=retries,
        read_only=check,
        sleep=sleep,
        random=lambda: 0.0,
    )
    result: Result = conference_info.InfoResult() if module == "info" else conference_hangup.HangupResult()
    try:
        if isinstance(result, conference_info.InfoResult):
            conference_info.run(params, client, check, result)
        else:
            conference_hangup.run(params, client, check, result)
    except PlivoError as error:
        result.errors.insert(0, error)
    return result


# --- a host that dies --------------------------------------------------------------------------------

ALL = [f"c{number:03}" for number in range(1000)]
HALF = 500


class MortalHost:
    """An API of a thousand conferences that serves so many requests for single ones, and then dies.

    :param death: ``silence``: takes connections and says nothing; ``no way``: not even that, as behind a firewall that
        drops everything; ``refusal``: its connections are reset, and nobody listens.
    :param lost: so many of its last deeds are done, and never answered.
    :param dying: called at that moment.
    """

    def __init__(self, death: str, lost: int, dying: t.Callable[[], None]) -> None:
        self._death = death
        self._lost = lost
        self._dying = dying
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=0 if death == "no way" else 128)
        self.port: int = self._listener.getsockname()[1]
        self._peers: list[Peer] = []
        self._fillers: list[socket.socket] = []
        self._ended = threading.Event()
        self.served = 0
        self.hung_up: set[str] = set()
        self.late_requests = 0
        self.died_at: float | None = None

    def __enter__(self) -> MortalHost:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        for sock in [self._listener, *self._fillers, *(peer.socket for peer in self._peers)]:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _address = self._listener.accept()
                if self._death == "no way" and self.died_at is not None:
                    # Nobody takes another one, so that the queue stays full.
                    self._fillers.append(sock)
                    return
                peer = Peer(sock, self._ended)
                self._peers.append(peer)
                threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: Peer) -> None:
        with contextlib.suppress(OSError):
            while head := peer.read_head():
                method, target, _version = head.split(b"\r\n")[0].decode().split(" ")
                name = target.split("/")[-2]
                with self._lock:
                    if self.died_at is not None:
                        self.late_requests += 1
                    elif name == "Conference":
                        peer.send(http(200, json.dumps({"conferences": ALL}).encode()))
                    else:
                        self.served += 1
                        answer = self._do(method, name)
                        if self.served <= HALF - self._lost:
                            peer.send(answer)
                        if self.served == HALF:
                            self._die()

    def _do(self, method: str, name: str) -> bytes:
        if method == "DELETE":
            self.hung_up.add(name)
            return b"HTTP/1.1 204 No Content\r\n\r\n"
        details = {
            "conference_name": name,
            "conference_run_time": "1",
            "conference_member_count": "0",
            "members": [],
        }
        return http(200, json.dumps(details).encode())

    def _die(self) -> None:
        self.died_at = time.monotonic()
        self._dying()
        if self._death == "refusal":
            # Wakes accept(), which would keep the socket open.
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            for peer in self._peers:
                peer.reset()
        elif self._death == "no way":
            for _number in range(4):
                filler = socket.socket()
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.1", self.port))
                self._fillers.append(filler)


class Death(t.NamedTuple):
    """How a host dies under which task."""

    death: str
    lost: int
    retries: int
    module: str
    params: dict[str, t.Any]
    check: bool = False


PATTERNS = {"patterns": ["*"]}
DEATHS = [
    Death("silence", 4, 0, "hangup", PATTERNS),
    Death("refusal", 0, 1, "hangup", PATTERNS),
    Death("no way", 0, 0, "hangup", {"all": True, "max_hangups": 1000}),
    Death("silence", 0, 0, "info", {**PATTERNS, "details": True}),
    Death("refusal", 0, 1, "hangup", {**PATTERNS, "min_members": 0}, True),
]
TIMEOUT = 0.6
PAUSE = 0.5
#: The conferences under way, those that are begun before the third of them has failed, and the list at the end; where
#: it is tried again, no attempt takes any time.
LONGEST = 3 * max(TIMEOUT, PAUSE)
TOLERANCE = 5.0


class Dead(t.NamedTuple):
    """What is left when the host is dead and the task is over."""

    host: MortalHost
    result: t.Any
    seconds: float
    connections: int


def die_all() -> list[Dead]:
    """What comes of every death. They live one after another, and are dead together, since that is spent waiting."""
    alive = threading.Lock()
    tried: dict[int, list[float]] = {}
    connect = BoundedSockets.connect

    def counted(self: BoundedSockets, host: str, port: int, options: t.Any) -> socket.socket:
        tried.setdefault(port, []).append(time.monotonic())
        return connect(self, host, port, options)

    def suffer(death: Death) -> Dead:
        alive.acquire()
        with MortalHost(death.death, death.lost, alive.release) as host:
            result = run(
                host.port,
                death.module,
                timeout=5.0 if death.death == "refusal" else TIMEOUT,
                check=death.check,
                retries=death.retries,
                **death.params,
            )
            ended_at = time.monotonic()
            if host.died_at is None:
                alive.release()
                raise AssertionError("the task gave up before the host did")
            return Dead(
                host, result, ended_at - host.died_at, sum(moment > host.died_at for moment in tried[host.port])
            )

    with pytest.MonkeyPatch.context() as patch, concurrent.futures.ThreadPoolExecutor(len(DEATHS)) as crew:
        patch.setattr(BoundedSockets, "connect", counted)
        return list(crew.map(suffer, DEATHS))


def test_a_host_that_dies_half_way_through_a_thousand_ends_it_early() -> None:
    for death, dead in zip(DEATHS, die_all()):
        assert_early_end(death, dead)


def assert_early_end(death: Death, dead: Dead) -> None:
    host, result = dead.host, dead.result
    assert dead.seconds < LONGEST + TOLERANCE
    # The list is read at most once more. Without a breaker it would be five hundred.
    requests = (CONNECTIONS + 2 + 1) * (death.retries + 1)
    assert dead.connections <= requests
    assert host.late_requests <= requests
    values = result.as_values(True)
    kinds = {error.conference_name: error.kind for error in result.errors}
    assert all(error.retryable for error in result.errors)
    tried = {name for name, kind in kinds.items() if kind != "not_tried"}
    assert {kinds[name] for name in tried} <= {"timeout", "connection"}
    # On a busy machine an answer may have come too late before it died.
    assert 3 <= len(tried) < HALF // 4
    if death.module == "info":
        assert sorted([*values["conference_names"], *kinds]) == ALL
        assert len(values["conferences"]) > HALF - len(tried)
        return
    # Each of the thousand comes to one end, and it is the true one.
    hung_up, unknown = set(values["hung_up"]), set(values["unknown"])
    assert sorted([*hung_up, *kinds]) == ALL
    assert hung_up <= host.hung_up <= hung_up | unknown
    assert unknown <= tried
    assert values["diff"]["after"]["conferences"] == sorted(set(ALL) - hung_up)
    if death.check:
        assert host.hung_up == hung_up == unknown == set()
    elif death.death == "refusal":
        assert hung_up == host.hung_up
        assert len(hung_up) == HALF
    else:
        assert len(hung_up) >= HALF - len(tried)


# --- memory ------------------------------------------------------------------------------------------


def peak_of(call: t.Callable[[], Result]) -> tuple[t.Any, float]:
    """What a task returns, and how many MiB it took at most, beside what there was; what it returns included."""
    tracemalloc.start()
    try:
        before, _peak = tracemalloc.get_traced_memory()
        result = call()
        return result, (tracemalloc.get_traced_memory()[1] - before) / MIB
    finally:
        tracemalloc.stop()


def for_ever(peer: Peer, start: bytes, piece: bytes) -> None:
    peer.read_head()
    peer.send(start)
    sent = 0
    # It ends some time, so that a client without a limit fails, and does not eat all memory.
    while sent < 64 * MIB:
        peer.send(piece)
        sent += len(piece)


HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
LONG_HEADER = b"X: " + b"x" * 60_000 + b"\r\n"
#: What comes first, what comes again and again, and the MiB that it may fill.
FLOODS: dict[str, tuple[bytes, bytes, int]] = {
    "announced": (HEAD + b"Content-Length: 999999999999\r\n\r\n", b" " * 65536, 4),
    "without a length": (HEAD + b"\r\n", b" " * 65536, 24),
    "chunks": (CHUNKED, b"10000\r\n" + b" " * 65536 + b"\r\n", 24),
    "small chunks": (CHUNKED, b"10\r\n                \r\n" * 1000, 24),
    "one header": (HEAD + b"X: ", b"x" * 65536, 4),
    "headers": (HEAD, b"X: y\r\n" * 1000, 4),
    # 100 headers of 64 KiB are what http.client takes.
    "long headers": (HEAD, LONG_HEADER, 12),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n" + LONG_HEADER + b"\r\n", 4),
    "one size of a chunk": (CHUNKED, b"0" * 65536, 4),
    "trailers": (CHUNKED + b"0\r\n", LONG_HEADER, 4),
}


@pytest.mark.parametrize(("start", "piece", "limit"), FLOODS.values(), ids=FLOODS)
def test_a_flood_fills_little_memory(start: bytes, piece: bytes, limit: int) -> None:
    with RawServer(lambda peer: for_ever(peer, start, piece)) as server:
        result, peak = peak_of(lambda: run(server.port, "info", timeout=0.4))
    (error,) = result.errors
    # It ends before the time does, where it is fast.
    assert error.kind in ("protocol", "timeout", "connection")
    assert peak < limit


def answers_of_size(size: int, start: t.Callable[[str], bytes], end: bytes = b"", status: int = 200) -> RawServer:
    """A host whose answers have this size; it makes them as it sends them, so that its own memory does not count."""
    filler = b" " * 65536

    def play(peer: Peer) -> None:
        while head := peer.read_head():
            begin = start(head.split(b" ")[1].decode().split("/")[-2])
            peer.send(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, size) + begin)
            left = size - len(begin) - len(end)
            while left > 0:
                peer.send(filler[:left])
                left -= len(filler)
            peer.send(end)

    return RawServer(play)


def details_of(name: str) -> bytes:
    known = {"conference_name": name, "conference_run_time": "1", "conference_member_count": "0", "members": []}
    return json.dumps(known).encode()


@pytest.mark.parametrize("connections", [1, CONNECTIONS])
def test_many_large_answers_fill_as_much_as_the_connections_hold(
    connections: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it is read and while it is parsed, an answer is there twice: in pieces and whole, as bytes and as text."""
    size = 4 * MIB
    monkeypatch.setattr(_transport, "MAX_BODY", size)
    with answers_of_size(size, details_of) as server:
        result, peak = peak_of(
            lambda: run(server.port, "info", timeout=30, names=ALL[:CONNECTIONS], max_connections=connections)
        )
    assert result.errors == []
    assert len(result.conferences) == CONNECTIONS
    assert peak < connections * 2.5 * size / MIB


PAGES = 96
PAGE = MIB // 2
#: MiB that the answers of two connections may fill, twice each, with what else a task needs. All would fill 48.
FEW_PAGES = 8


@pytest.mark.parametrize(
    ("status", "start", "end", "kind"),
    [
        (500, lambda name: b"out of order", b"", "server"),
        (403, lambda name: b"not for you", b"", "forbidden"),
        (200, lambda name: b"<html>", b"", "protocol"),
        (200, lambda name: b'{"conference_name": 5, "x": "', b'"}', "protocol"),
    ],
    ids=["500", "403", "HTML", "wrong type"],
)
def test_what_failed_leaves_its_answer_behind(
    status: int, start: t.Callable[[str], bytes], end: bytes, kind: str
) -> None:
    """A failure is kept until the end of the task, and an exception keeps whatever the frames hold that it passed."""
    with answers_of_size(PAGE, start, end, status) as server:
        result, peak = peak_of(lambda: run(server.port, "info", timeout=10, names=ALL[:PAGES], max_connections=2))
    assert [error.kind for error in result.errors] == [kind] * PAGES
    assert peak < FEW_PAGES


def test_what_failed_and_was_tried_again_leaves_its_answer_behind() -> None:
    """An exception that a frame keeps, while its traceback keeps the frame, waits for the garbage collector."""
    asked: set[bytes] = set()

    def play(peer: Peer) -> None:
        while head := peer.read_head():
            if head in asked:
                peer.send(http(200, details_of(head.split(b" ")[1].decode().split("/")[-2])))
            else:
                asked.add(head)
                peer.send(http(500, bytes(PAGE)))

    def at_once(_seconds: float) -> None:
        pass

    given: dict[str, t.Any] = {"names": ALL[:PAGES], "max_connections": 2, "retries": 1, "sleep": at_once}
    with RawServer(play) as server:
        result, peak = peak_of(lambda: run(server.port, "info", timeout=10, **given))
    assert (len(result.conferences), result.errors) == (PAGES, [])
    assert peak < FEW_PAGES


@pytest.mark.parametrize(
    ("unit", "factor", "kinds"),
    [(b'{"":{}},', 4, ["protocol"]), (b"[[]],", 4, ["protocol"]), (b'"ab",', 16, [])],
    ids=["objects", "lists", "texts"],
)
def test_what_json_becomes_is_in_proportion_to_its_size(unit: bytes, factor: int, kinds: list[str]) -> None:
    """Small objects would take forty times the memory of their text."""
    size = 4 * MIB
    start = details_of("Sales")[:-1] + b', "x": ['
    body = start + unit * ((size - len(start) - 4) // len(unit)) + b"0]}"

    def play(peer: Peer) -> None:
        peer.read_head()
        peer.send(http(200, body))

    with RawServer(play) as server:
        result, peak = peak_of(lambda: run(server.port, "info", timeout=10, name="Sales"))
    assert [error.kind for error in result.errors] == kinds
    assert peak < factor * size / MIB
