# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One attempt over real sockets: bounded in time and size, to exactly the URL meant, and honest about what was sent."""

from __future__ import annotations

import contextlib
import datetime
import gzip
import itertools
import json
import os
import re
import socket
import ssl
import threading
import time
import typing as t
from http.client import BadStatusLine, IncompleteRead, RemoteDisconnected
from pathlib import Path
from urllib.parse import unquote

import pytest
import requests
import trustme
import urllib3
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ansible_collections.plivo.voice.plugins.module_utils import _transport
from ansible_collections.plivo.voice.plugins.module_utils._client import Client
from ansible_collections.plivo.voice.plugins.module_utils._conference import Conferences, address_problem
from ansible_collections.plivo.voice.plugins.module_utils._connections import tls_context
from ansible_collections.plivo.voice.plugins.module_utils._errors import PlivoError
from ansible_collections.plivo.voice.plugins.module_utils._pacing import SlidingWindow
from ansible_collections.plivo.voice.plugins.module_utils._sockets import Attempt, BoundedSockets
from ansible_collections.plivo.voice.plugins.module_utils._transport import Answer, Transport
from unit.plugins.raw_server import Peer, RawServer, http, serve, tunnel_to
from unit.plugins.support import AUTH_ID, TOKEN, failure_of, shown

#: How much later than its deadline an attempt may end, on a busy machine.
TOLERANCE = 0.5
SHORT = 0.15


def transport_to(server: RawServer | str, *, timeout: float = 5.0, **options: t.Any) -> Transport:
    base = server if isinstance(server, str) else f"http://127.0.0.1:{server.port}/v1"
    return Transport(base, timeout=timeout, connections=4, **options)


def send(transport: Transport, method: str = "GET", path: str = "/x/", query: str = "", **more: t.Any) -> Answer:
    return transport.send(method, path, query, {"Accept": "application/json"}, **more)


def timed_failure(call: t.Callable[[], object], within: float) -> PlivoError:
    started = time.monotonic()
    error = failure_of(call)
    assert time.monotonic() - started < within + TOLERANCE
    return error


# --- what is sent ------------------------------------------------------------------------------------


def test_a_request_goes_out_as_it_was_meant() -> None:
    with serve(http(200, b"[1]", "X-Y: z")) as server:
        answer = transport_to(server).send(
            "DELETE", "/a%2Fb/%23/", "u=https%3A%2F%2Fx%2F%23y", {"Authorization": "Basic eA=="}, b'{"u": 1}'
        )
    assert (answer.status, answer.headers["x-y"], answer.body) == (200, "z", b"[1]")
    assert server.heads[0].startswith(b"DELETE /v1/a%2Fb/%23/?u=https%3A%2F%2Fx%2F%23y HTTP/1.1\r\n")
    headers = server.headers()
    assert headers["authorization"] == "Basic eA=="
    assert headers["content-length"] == "8"
    assert headers["host"] == f"127.0.0.1:{server.port}"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize(
    "path",
    ["/%2E%2E/", "/%2e/", "/a/%2E%2E/b/", "/../", "/./", "/a%7Eb/", "/%41/", "/a b/", "/é/", "/a//../b/", "/a%/"],
)
def test_a_path_that_would_be_changed_on_the_way_never_leaves(method: str, path: str) -> None:
    with serve(http()) as server:
        error = failure_of(lambda: send(transport_to(server), method, path))
    assert server.heads == []
    assert (error.kind, error.retryable, error.doubtful) == ("invalid_request", False, False)
    assert error.msg.startswith("not sent, since it would have gone to '/")
    assert error.msg.endswith(f" and not to '/v1{path}': this cannot be addressed.")


def test_netrc_never_replaces_the_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login other password other\nmachine 127.0.0.1 login other password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    with serve(http(), http()) as server:
        transport = transport_to(server)
        transport.send("GET", "/x/", "", {"Authorization": "Basic eA=="})
        transport.send("GET", "/x/", "", {})
    assert server.headers(0)["authorization"] == "Basic eA=="
    assert "authorization" not in server.headers(1)


def test_no_cookie_is_kept() -> None:
    with serve(http(200, b"", "Set-Cookie: a=b; Path=/"), http()) as server:
        transport = transport_to(server)
        send(transport)
        send(transport)
    assert "cookie" not in server.headers()


class Recorder(t.NamedTuple):
    server: RawServer
    conferences: Conferences


@pytest.fixture(scope="module")
def recorder() -> t.Iterator[Recorder]:
    """A server that answers every request with the details of whatever was asked for; a client for it."""

    def answer_for_ever(peer: Peer) -> None:
        while True:
            head = peer.read_head()
            if not head:
                return
            server.heads.append(head)
            peer.send(b"HTTP/1.1 204 X\r\n\r\n")

    server = RawServer(answer_for_ever)
    with server, pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
            patch.delenv(name)
        client = Client(
            transport_to(server), AUTH_ID, TOKEN, window=SlidingWindow(0, time.monotonic, time.sleep), retries=0
        )
        yield Recorder(server, Conferences(client, AUTH_ID))


NAME = (
    st.text(max_size=20)
    | st.text(alphabet="./\\%2EeF#?;&=+ :@~\u00e9\u2024\uff0e\uff0f\x00\r\n\ud800", max_size=10)
    | st.lists(st.sampled_from([".", "..", "%2e", "%2E%2E", "/", "\\", "a", "?", "#", " "]), max_size=5).map("".join)
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(NAME)
@example(".")
@example("..")
@example("%2E")
@example("%2e%2e")
@example("#x")
@example("?x")
@example("a/b")
@example("a/../b")
@example("")
@example("x" * 8000)
def test_any_name_reaches_exactly_that_conference_or_is_refused(recorder: Recorder, name: str) -> None:
    recorder.server.heads.clear()
    try:
        recorder.conferences.hang_up(name)
    except PlivoError as error:
        assert error.kind == "invalid_request"  # noqa: PT017
        assert address_problem(name)
        assert recorder.server.heads == []
        return
    (target,) = recorder.server.targets
    assert recorder.server.heads[0].startswith(b"DELETE ")
    head, segment, rest = target.rpartition("/")[0].rpartition("/")[0], target.split("/")[-2], target.split("/")[-1]
    assert head == f"/v1/Account/{AUTH_ID}/Conference"
    assert rest == ""
    assert not set("?#") & set(target)
    assert unquote(segment, errors="strict") == name
    # A server that decodes, and only then looks at the segments, must not find another place, either.
    assert not {"", ".", ".."} & set(name.replace("\\", "/").split("/"))


# --- what comes back ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "body"),
    [
        (http(200, b'{"a": 1}'), b'{"a": 1}'),
        (http(200, b""), b""),
        (b'HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{"a\r\n5;x=y\r\n": 1}\r\n0\r\n\r\n', b'{"a": 1}'),
        (b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nTrailer: x\r\n\r\n", b""),
        (b'HTTP/1.1 200 X\r\nConnection: close\r\n\r\n{"a": 1}', b'{"a": 1}'),
        (b'HTTP/1.0 200 X\r\n\r\n{"a": 1}', b'{"a": 1}'),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + http(200, b"[]"), b"[]"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 200 X\nContent-Length: 2\n\n[]", b"[]"),
    ],
)
def test_every_framing_of_http(content: bytes, body: bytes) -> None:
    with serve(content) as server:
        assert send(transport_to(server)).body == body


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308, 399])
@pytest.mark.parametrize("location", ["/v1/Account/X/Conference/", "http://127.0.0.1:1/", "https://example.com/", ""])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_redirect_is_an_answer_and_never_followed(method: str, status: int, location: str) -> None:
    with serve(http(status, b"", f"Location: {location}"), http(), again=True) as server:
        assert send(transport_to(server), method).status == status
    assert len(server.heads) == 1


def test_a_connection_is_kept() -> None:
    with serve(http(200, b"1"), http(404, b"2"), http(500, b"3"), b"HTTP/1.1 204 X\r\n\r\n", http(200, b"5")) as server:
        transport = transport_to(server)
        assert [send(transport).body for _number in range(5)] == [b"1", b"2", b"3", b"", b"5"]
    assert server.connections == 1


def test_as_many_connections_are_kept_as_may_be_open_at_once() -> None:
    number = 12  # More than urllib3 keeps by default.
    all_there = threading.Barrier(number)

    def play(peer: Peer) -> None:
        for _time in range(2):
            peer.read_head()
            all_there.wait(5)
            peer.send(http())

    with RawServer(play) as server:
        transport = Transport(f"http://127.0.0.1:{server.port}/v1", timeout=5, connections=number)
        for _time in range(2):
            threads = [threading.Thread(target=send, args=(transport,)) for _number in range(number)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    assert server.connections == number


def test_small_requests_leave_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Head and body are two small packets; without TCP_NODELAY the second would wait for the first one's receipt."""
    options: list[t.Any] = []
    connect = BoundedSockets.connect

    def spy(self: BoundedSockets, host: str, port: int, given: t.Any) -> socket.socket:
        options.extend(given)
        return connect(self, host, port, given)

    monkeypatch.setattr(BoundedSockets, "connect", spy)
    with serve(http()) as server:
        send(transport_to(server))
    assert (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1) in options


def test_a_kept_connection_that_was_closed_meanwhile_is_replaced() -> None:
    closed = threading.Event()

    def close(peer: Peer) -> None:
        peer.send(http(200, b"1"))
        peer.socket.shutdown(socket.SHUT_RDWR)
        closed.set()

    with serve(close, again=True) as server:
        transport = transport_to(server)
        for _number in range(3):
            closed.clear()
            assert send(transport, "DELETE").body == b"1"
            assert closed.wait(5)
            time.sleep(0.01)
    assert server.connections == 3


SECOND = http(200, b"second")


@pytest.mark.parametrize(
    "first",
    [
        b'HTTP/1.1 204 X\r\n\r\n{"message": "conference hung up"}',
        b'HTTP/1.1 204 X\r\nContent-Length: 33\r\n\r\n{"message": "conference hung up"}',
        b"HTTP/1.1 204 X\r\nContent-Length: 33\r\n\r\n",
        b"HTTP/1.1 204 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 204 X\r\n\r\n" + http(200, b"not yours"),
        b"HTTP/1.1 204 X\r\nContent-Length: 0\r\n\r\n" + http(200, b"not yours"),
        http(200, b"{}") + http(200, b"not yours"),
        b"HTTP/1.1 304 X\r\nContent-Length: 9\r\n\r\n" + http(200, b"not yours"),
        b"HTTP/1.1 103 Early Hints\r\n\r\n" + http(200, b"not yours"),
    ],
)
def test_bytes_left_in_a_connection_are_never_the_next_answer(first: bytes) -> None:
    server = RawServer()
    server._plays = (server.answering(first, SECOND), server.answering(SECOND))
    with server:
        transport = transport_to(server)
        assert b"message" not in send(transport, "DELETE").body
        assert send(transport).body == b"second"


@pytest.mark.parametrize(
    ("early", "late"),
    [
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", http(200, b"late")),
        (b"HTTP/1.1 102 Processing\r\n\r\n", http(200, b"late")),
        (b"HTTP/1.1 304 X\r\nContent-Length: 4\r\n\r\n", b"late"),
        (b"HTTP/1.1 204 X\r\nContent-Length: 4\r\n\r\n", b"late"),
    ],
)
def test_what_comes_late_is_never_the_next_answer(early: bytes, late: bytes) -> None:
    """The rest of one answer may come when the connection seems to be free again."""
    asked_again = threading.Event()

    def first(peer: Peer) -> None:
        peer.send(early)
        # Until the client uses the connection again, or has closed it.
        peer.socket.settimeout(0.2)
        with contextlib.suppress(OSError):
            if peer.socket.recv(1):
                asked_again.set()
        peer.send(late)

    server = RawServer()
    server._plays = (server.answering(first), server.answering(SECOND))
    with server:
        transport = transport_to(server)
        answer = send(transport, "DELETE")
        # An interim answer may be skipped, if the final one is then taken for what it is.
        if answer.body != b"late":
            assert send(transport).body == b"second"
            assert not asked_again.is_set()


# --- too late ----------------------------------------------------------------------------------------

ENDLESS_HEADERS = b"HTTP/1.1 200 X\r\n" + b"X-Y: z\r\n" * 50


@pytest.mark.parametrize(
    "play",
    [
        Peer.wait_until_gone,
        lambda peer: peer.drip(http(200, b"x" * 99), 0.01),
        lambda peer: peer.drip(b"HTTP/1.1 100 Continue\r\n\r\n" * 99, 0.002),
        lambda peer: [peer.send(http(200, b"", length=99)), peer.drip(b"x" * 99, 0.01)],
        lambda peer: [
            peer.send(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n"),
            peer.drip(b"1\r\nx\r\n" * 99, 0.005),
        ],
        lambda peer: [peer.send(b"HTTP/1.1 200 X\r\n\r\n"), peer.drip(b" " * 99, 0.01)],
        lambda peer: [peer.send(http(200, b"", length=99)), peer.wait_until_gone()],
        lambda peer: [peer.send(ENDLESS_HEADERS), peer.wait_until_gone()],
        lambda peer: [
            peer.send(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"),
            peer.drip(b"A: b\r\n" * 99, 0.005),
        ],
    ],
    ids=["silence", "drip", "interim", "body", "chunks", "unframed", "half", "headers", "trailers"],
)
def test_an_attempt_ends_when_its_time_is_over(play: t.Callable[[Peer], t.Any]) -> None:
    with serve(play) as server:
        transport = transport_to(server, timeout=SHORT)
        error = timed_failure(lambda: send(transport, "DELETE"), SHORT)
    assert (error.kind, error.retryable, error.doubtful) == ("timeout", True, True)
    assert "0.15 s" in error.msg


def test_less_time_may_be_left_than_usual() -> None:
    with serve(Peer.wait_until_gone) as server:
        assert timed_failure(lambda: send(transport_to(server), timeout=0.05), 0.05).kind == "timeout"


@pytest.mark.parametrize("leave_within", [0.0, -1.0, 0.05])
def test_what_must_leave_soon_leaves_soon_or_not_at_all(
    good: ssl.SSLContext, bundle: str, leave_within: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = socket.getaddrinfo

    def slowly(*args: t.Any, **more: t.Any) -> t.Any:
        time.sleep(0.1)
        return resolve(*args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    with serve(http(), http(), http(), again=True, tls=good) as server:
        transport = transport_to(https(server), ca_path=bundle)
        error = failure_of(lambda: send(transport, "DELETE", leave_within=leave_within))
        assert (error.kind, error.retryable, error.doubtful) == ("timeout", True, False)
        assert error.msg == "not sent, since connecting took so long that its reason was out of date"
        assert server.heads == []
        # Nothing of it is left for the next one.
        for soon in (5.0, None, 5.0):
            assert send(transport, "DELETE", leave_within=soon).status == 200


def test_the_time_of_each_attempt_is_its_own() -> None:
    with serve(*[lambda peer: (time.sleep(0.15), peer.send(http()))[1]] * 3) as server:
        transport = transport_to(server, timeout=0.4)
        for _number in range(3):
            assert send(transport).status == 200
    assert server.connections == 1


def test_a_slow_answer_within_the_time_is_fine() -> None:
    with serve(lambda peer: peer.drip(http(200, b"{}"), 0.001)) as server:
        assert send(transport_to(server)).body == b"{}"


# --- cut short, broken, too large --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "connection"),
        (b"HTTP/1.1 2", "connection"),
        (http(200, b"half", length=8), "protocol"),
        (http(500, b"half", length=8), "protocol"),
        (b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nhalf", "protocol"),
        (b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", "protocol"),
        (b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n", "protocol"),
    ],
)
@pytest.mark.parametrize("reset", [False, True])
def test_an_answer_cut_short_is_no_answer(content: bytes, kind: str, reset: bool) -> None:
    def cut(peer: Peer) -> None:
        peer.send(content)
        if reset:
            time.sleep(0.02)  # What was sent is to arrive before the reset, which would overtake it.
            peer.reset()

    with serve(cut) as server:
        error = failure_of(lambda: send(transport_to(server), "DELETE"))
    assert error.kind in ({kind, "connection"} if reset else {kind})
    assert (error.retryable, error.doubtful) == (True, True)
    assert (error.msg == "the answer was cut short") is (error.kind == "protocol")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize(
    "head", ["HTTP/1.1 200 X", "HTTP/1.1 200 X\r\n", "HTTP/1.1 200 X\r\nX-Y", "HTTP/1.1 200 X\r\nX: y\r\n"]
)
def test_headers_cut_short_are_no_answer(method: str, head: str) -> None:
    """Python's parser takes the end of the stream for the end of the headers; then nothing announces a body."""
    with serve(head.encode()) as server:
        error = failure_of(lambda: send(transport_to(server), method))
    assert error.kind in ("protocol", "connection")
    assert (error.retryable, error.doubtful) == (True, True)


def test_a_reset_before_the_request_was_read_is_doubtful_all_the_same() -> None:
    with RawServer(Peer.reset) as server:
        error = failure_of(lambda: send(transport_to(server), "DELETE"))
    assert (error.kind, error.retryable) == ("connection", True)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\x01\x02",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"<html></html>",
        b"220 mail.example ESMTP\r\n",
        b"HTTP/1.1 abc X\r\n\r\n",
        b"HTTP/1.1 99 X\r\n\r\n",
        b"HTTP/1.1 1000 X\r\n\r\n",
        b"HTTP/1.1 -1 X\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"\r\n\r\n",
        b"x" * 100_000,
        b"HTTP/1.1 200 X\r\n" + b"X" * 100_000,
        b"HTTP/1.1 200 X\r\n" + b"A: b\r\n" * 1000 + b"\r\n",
        b"HTTP/1.1 200 X\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}}",
        b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n{}\r\n0\r\n\r\n",
    ],
    ids=shown,
)
def test_what_is_not_http_is_a_failure_of_a_fitting_kind(garbage: bytes) -> None:
    def play(peer: Peer) -> None:
        peer.send(garbage)
        peer.socket.shutdown(socket.SHUT_WR)

    with serve(play) as server:
        error = failure_of(lambda: send(transport_to(server), "DELETE"))
    assert error.kind in ("connection", "protocol")
    assert error.doubtful
    assert "\n" not in error.msg
    assert len(error.msg) < 300


@pytest.mark.parametrize(
    "announcement",
    [
        "Content-Length: 2000000",
        "Transfer-Encoding: chunked",
        "Connection: close",
        "Content-Length: " + "9" * 30,
        "Content-Length: " + "9" * 5000,
    ],
    ids=["announced", "chunked", "unframed", "absurd", "longer than a number"],
)
def test_a_flood_is_cut_off(monkeypatch: pytest.MonkeyPatch, announcement: str) -> None:
    monkeypatch.setattr(_transport, "MAX_BODY", 1024 * 1024)
    sent = 0

    def flood(peer: Peer) -> None:
        nonlocal sent
        peer.send(f"HTTP/1.1 200 X\r\n{announcement}\r\n\r\n".encode())
        piece = b" " * 65536
        if "chunked" in announcement:
            piece = b"%x\r\n%b\r\n" % (len(piece), piece)
        # Ends some time, so that a client without a limit fails, and does not eat all memory.
        while sent < 64 * 1024 * 1024:
            peer.send(piece)
            sent += len(piece)

    with serve(flood) as server:
        error = failure_of(lambda: send(transport_to(server), "DELETE"))
    assert (error.kind, error.retryable, error.doubtful) == ("protocol", False, True)
    # The rest is what fits into the buffers of two sockets.
    assert sent < 12 * 1024 * 1024


def test_sixteen_mib_are_the_limit() -> None:
    assert _transport.MAX_BODY == 16 * 1024 * 1024
    with serve(http(200, b"{}", length=_transport.MAX_BODY + 1)) as server:
        error = failure_of(lambda: send(transport_to(server)))
    assert "larger than 16 MiB" in error.msg


def test_the_largest_allowed_is_taken_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_transport, "MAX_BODY", 100_000)
    with serve(http(200, b"x" * 100_000), http(200, b"x" * 100_001)) as server:
        transport = transport_to(server)
        assert len(send(transport).body) == 100_000
        assert "larger" in failure_of(lambda: send(transport)).msg


def test_a_compressed_answer_is_never_unpacked() -> None:
    """A small one can become a huge one; nobody asked for it."""
    packed = gzip.compress(b" " * 100_000)
    with serve(http(200, packed, "Content-Encoding: gzip")) as server:
        assert send(transport_to(server)).body == packed


ANSWER_PART = st.sampled_from(
    [
        b"HTTP/1.1 ",
        b"HTTP/1.0 ",
        b"200",
        b"204",
        b"103",
        b" OK",
        b"\r\n",
        b"\n",
        b"Content-Length: ",
        b"5",
        b"-1",
        b"{}",
        b"Transfer-Encoding: chunked",
        b"0\r\n\r\n",
        b"\r\n\r\n",
        b'{"conferences": []}',
        b": ",
        b"\x00",
        b"\xff",
        b"a",
        b"Content-Encoding: gzip",
        b"Location: /",
        b"Connection: keep-alive",
    ]
)


@settings(max_examples=150)
@given(st.binary(max_size=50) | st.lists(ANSWER_PART, max_size=14).map(b"".join))
def test_any_bytes_are_an_answer_or_a_failure(content: bytes) -> None:
    def play(peer: Peer) -> None:
        peer.send(content)
        peer.socket.shutdown(socket.SHUT_WR)

    with serve(play) as server:
        client = Client(
            transport_to(server, timeout=2),
            AUTH_ID,
            TOKEN,
            window=SlidingWindow(0, time.monotonic, time.sleep),
            retries=0,
        )
        try:
            listing = Conferences(client, AUTH_ID).list()
        except PlivoError as error:
            assert error.kind in ("protocol", "connection", "redirect", "server", "invalid_request")  # noqa: PT017
            assert TOKEN not in error.msg  # noqa: PT017
        else:
            assert listing.names == ()
            assert b'{"conferences": []}' in content


# --- nobody there ------------------------------------------------------------------------------------


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_nothing_listening_is_a_connection_failure_and_nothing_was_sent() -> None:
    error = failure_of(lambda: send(transport_to(f"http://127.0.0.1:{closed_port()}"), "DELETE"))
    assert (error.kind, error.retryable, error.doubtful) == ("connection", True, False)
    assert error.msg == "the connection failed: Connection refused"


def test_a_name_that_cannot_be_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: t.Any, **_more: t.Any) -> t.Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    error = failure_of(lambda: send(transport_to("https://api.invalid/v1"), "DELETE"))
    assert (error.kind, error.retryable, error.doubtful) == ("connection", True, False)
    assert error.msg == "the host's name cannot be resolved: Name or service not known"


def resolving_to(monkeypatch: pytest.MonkeyPatch, *ports: int, takes: float = 0.0) -> None:
    def resolve(host: str, _port: int, *_args: t.Any, **_more: t.Any) -> t.Any:
        time.sleep(takes)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in ports]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def test_resolving_a_name_is_not_the_attempts_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(http()) as server:
        resolving_to(monkeypatch, server.port, takes=0.3)
        assert send(transport_to("http://localhost:1/v1", timeout=0.25)).status == 200


def test_the_next_address_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(http()) as server:
        resolving_to(monkeypatch, closed_port(), server.port)
        assert send(transport_to("http://localhost:1/v1")).status == 200


def test_a_host_without_addresses_is_a_connection_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving_to(monkeypatch)
    error = failure_of(lambda: send(transport_to("http://localhost:1/v1"), "DELETE"))
    assert (error.kind, error.retryable, error.doubtful) == ("connection", True, False)
    assert error.msg == "the connection failed: localhost has no address"


def test_a_handshake_may_take_all_the_time_that_is_left(
    good: ssl.SSLContext, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only connecting shares its time with the host's other addresses."""

    def slow(peer: Peer) -> None:
        time.sleep(0.25)
        with good.wrap_socket(peer.socket, server_side=True) as encrypted:
            peer = Peer(encrypted, threading.Event())
            peer.read_head()
            peer.send(http())

    with RawServer(slow) as server:
        resolving_to(monkeypatch, server.port, server.port)
        assert send(transport_to("https://localhost:1/v1", ca_path=bundle, timeout=0.45)).status == 200


def test_a_name_without_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving_to(monkeypatch)
    assert failure_of(lambda: send(transport_to("http://localhost:1/v1"))).kind == "connection"


# --- TLS ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def bundle(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture(scope="module")
def foreign_bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("foreign") / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    return str(path)


def server_context(ca: trustme.CA, *names: str, **options: t.Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*names, **options).configure_cert(context)
    return context


@pytest.fixture(scope="module")
def good(ca: trustme.CA) -> ssl.SSLContext:
    return server_context(ca, "localhost", "127.0.0.1")


def https(server: RawServer, host: str = "127.0.0.1") -> str:
    return f"https://{host}:{server.port}/v1"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_ones_own_ca(good: ssl.SSLContext, bundle: str, host: str) -> None:
    with serve(http(200, b"1"), http(200, b"2"), tls=good) as server:
        transport = transport_to(https(server, host), ca_path=bundle)
        assert [send(transport).body for _number in range(2)] == [b"1", b"2"]
    assert server.connections == 1


def assert_not_trusted(error: PlivoError, server: RawServer) -> None:
    assert (error.kind, error.retryable, error.doubtful) == ("tls", False, False)
    assert server.heads == []
    assert error.msg.startswith("TLS: ")
    assert "\n" not in error.msg
    # OpenSSL's words on the certificate, without the libraries' own.
    assert "Max retries" not in error.msg
    assert "_ssl.c" not in error.msg


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_an_unknown_ca_is_not_trusted(good: ssl.SSLContext, foreign_bundle: str, host: str) -> None:
    for options in ({}, {"ca_path": foreign_bundle}):
        with serve(http(), tls=good) as server:
            transport = transport_to(https(server, host), **options)
            assert_not_trusted(failure_of(lambda transport=transport: send(transport)), server)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("names", [["api.example.com"], ["127.0.0.2"], ["*.localhost"]])
def test_a_certificate_for_another_host_is_not_trusted(
    ca: trustme.CA, bundle: str, names: list[str], host: str
) -> None:
    with serve(http(), tls=server_context(ca, *names)) as server:
        assert_not_trusted(failure_of(lambda: send(transport_to(https(server, host), ca_path=bundle))), server)


def test_an_expired_certificate_is_not_trusted(ca: trustme.CA, bundle: str) -> None:
    past = datetime.datetime(2001, 1, 1, tzinfo=datetime.timezone.utc)
    with serve(http(), tls=server_context(ca, "127.0.0.1", not_before=past, not_after=past)) as server:
        error = failure_of(lambda: send(transport_to(https(server), ca_path=bundle)))
        assert_not_trusted(error, server)
    assert "expired" in error.msg


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_environment_names_a_ca_bundle(
    good: ssl.SSLContext, bundle: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, bundle)
    with serve(http(), tls=good) as server:
        assert send(transport_to(https(server))).status == 200


def test_ca_path_wins_over_the_environment(
    good: ssl.SSLContext, bundle: str, foreign_bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", foreign_bundle)
    with serve(http(), tls=good) as server:
        assert send(transport_to(https(server), ca_path=bundle)).status == 200
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    with serve(http(), tls=good) as server:
        transport = transport_to(https(server), ca_path=foreign_bundle)
        assert_not_trusted(failure_of(lambda: send(transport)), server)


@pytest.mark.parametrize("in_environment", [None, "own", "foreign", "missing"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_unchecked_means_unchecked_whatever_the_environment_says(
    ca: trustme.CA,
    foreign_bundle: str,
    bundle: str,
    host: str,
    in_environment: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if in_environment:
        path = {"own": bundle, "foreign": foreign_bundle, "missing": "/nowhere/ca.pem"}[in_environment]
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", path)
    with serve(http(), tls=server_context(ca, "other.example")) as server:
        assert send(transport_to(https(server, host), validate_certs=False)).status == 200


@pytest.mark.parametrize("content", [None, b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nx\n"])
@pytest.mark.parametrize("by_option", [True, False])
def test_a_bundle_that_is_none_is_refused_by_name(
    content: bytes | None, by_option: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/another/ca.pem" if by_option else str(path))
    error = failure_of(lambda: transport_to("https://x.example", ca_path=str(path) if by_option else None))
    assert error.kind == "invalid_request"
    named = "ca_path" if by_option else "the environment variable REQUESTS_CA_BUNDLE"
    assert error.msg.startswith(f"{named}: {str(path)!r} is not a readable CA bundle (")
    assert error.msg.endswith("): name a PEM file or a hashed directory.")


@pytest.mark.parametrize("host", ["localhost", "api.plivo.com", "127.0.0.1", "::1"])
def test_the_handshake_itself_compares_a_hosts_name(host: str) -> None:
    """An address is compared by urllib3, after the handshake."""
    context = tls_context(host, True, None)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname is (host[-1] != "1")
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    context = tls_context(host, False, None)
    assert context.verify_mode is ssl.CERT_NONE
    assert context.check_hostname is False


def test_a_folder_of_certificates_is_taken_for_what_it_holds(good: ssl.SSLContext, tmp_path: Path) -> None:
    with serve(http(), tls=good) as server:
        assert_not_trusted(failure_of(lambda: send(transport_to(https(server), ca_path=str(tmp_path)))), server)


def test_the_usual_bundle_is_named_when_it_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("requests.utils.DEFAULT_CA_BUNDLE_PATH", "/nowhere/ca.pem")
    error = failure_of(lambda: transport_to("https://x.example"))
    assert error.msg.startswith("'/nowhere/ca.pem' is not a readable CA bundle (")
    assert error.msg.endswith(": name a PEM file or a hashed directory.")


def test_a_bundle_is_not_even_read_where_nothing_is_encrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    with serve(http()) as server:
        assert send(transport_to(server)).status == 200


def test_plain_http_where_tls_is_expected(bundle: str) -> None:
    with RawServer(lambda peer: peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server:
        error = failure_of(lambda: send(transport_to(https(server), ca_path=bundle)))
    assert (error.kind, error.doubtful) == ("tls", False)


def test_a_handshake_that_is_broken_off(bundle: str) -> None:
    with RawServer(Peer.reset) as server:
        error = failure_of(lambda: send(transport_to(https(server), ca_path=bundle)))
    assert (error.kind, error.retryable, error.doubtful) == ("connection", True, False)
    with RawServer(lambda peer: peer.socket.shutdown(socket.SHUT_WR)) as server:
        error = failure_of(lambda: send(transport_to(https(server), ca_path=bundle)))
    assert (error.kind, error.retryable, error.doubtful) == ("connection", True, False)


@pytest.mark.parametrize(
    "play", [Peer.wait_until_gone, lambda peer: peer.drip(b"\x16\x03\x03\x40\x00" + b"x" * 99, 0.01)]
)
def test_a_handshake_obeys_the_deadline(bundle: str, play: t.Callable[[Peer], t.Any]) -> None:
    with RawServer(play) as server:
        transport = transport_to(https(server), ca_path=bundle, timeout=SHORT)
        error = timed_failure(lambda: send(transport, "DELETE"), SHORT)
    assert (error.kind, error.doubtful) == ("timeout", False)


@pytest.mark.parametrize(
    "play",
    [
        Peer.wait_until_gone,
        lambda peer: peer.drip(http(200, b"x" * 99), 0.01),
        lambda peer: [peer.send(http(200, b"", length=99)), peer.drip(b"x" * 99, 0.01)],
    ],
    ids=["silence", "drip", "body"],
)
def test_an_encrypted_answer_obeys_the_deadline(
    good: ssl.SSLContext, bundle: str, play: t.Callable[[Peer], t.Any]
) -> None:
    with serve(play, tls=good) as server:
        transport = transport_to(https(server), ca_path=bundle, timeout=0.3)
        error = timed_failure(lambda: send(transport, "DELETE"), 0.3)
    assert (error.kind, error.doubtful) == ("timeout", True)


@pytest.mark.parametrize("content", [b"", http(200, b"half", length=8)])
def test_an_encrypted_answer_cut_short(good: ssl.SSLContext, bundle: str, content: bytes) -> None:
    with serve(content, tls=good) as server:
        error = failure_of(lambda: send(transport_to(https(server), ca_path=bundle), "DELETE"))
    assert error.kind in ("connection", "protocol")
    assert (error.retryable, error.doubtful) == (True, True)


# --- in its own words --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(5, "Input/output error"), "Input/output error"),
        (ValueError("two\n lines."), "two lines"),
        (ValueError("...X."), "...X"),
        (ValueError(""), "ValueError"),
        (ValueError("."), "ValueError"),
    ],
    ids=["errno", "lines", "dots", "nothing", "a dot"],
)
def test_an_exception_is_told_in_its_own_words_on_one_line(error: Exception, words: str) -> None:
    assert _transport._innermost(error) == words


NO_TUNNEL = "Tunnel connection failed: 407 Login"
EXPLAINED: list[tuple[Exception, str, str, bool]] = [
    (socket.timeout("timed out"), "timeout", "no complete answer within 2.5 s", True),
    (requests.exceptions.ReadTimeout("x"), "timeout", "no complete answer within 2.5 s", True),
    (ssl.SSLEOFError(8, "EOF occurred"), "connection", "the server closed the TLS connection", True),
    (ssl.SSLZeroReturnError(6, "closed"), "connection", "the server closed the TLS connection", True),
    (ssl.SSLError(1, "wrong version"), "tls", "TLS: wrong version", False),
    (requests.exceptions.SSLError("another host"), "tls", "TLS: another host", False),
    (requests.exceptions.ProxyError(NO_TUNNEL), "connection", f"the proxy from the environment: {NO_TUNNEL}", False),
    (urllib3.exceptions.ProxyError("a", OSError("b")), "connection", "the proxy from the environment: b", True),
    (socket.gaierror(-2, "Not known"), "connection", "the host's name cannot be resolved: Not known", True),
    (IncompleteRead(b"x"), "protocol", "the answer was cut short", True),
    (urllib3.exceptions.IncompleteRead(1, 2), "protocol", "the answer was cut short", True),
    (RemoteDisconnected("x"), "connection", "the connection was closed without an answer", True),
    (BadStatusLine("x"), "connection", "what came back is not HTTP", True),
    (requests.exceptions.InvalidURL("no host"), "invalid_request", "the URL cannot be used: no host", False),
    (ConnectionResetError(104, "Reset by peer"), "connection", "the connection failed: Reset by peer", True),
    (requests.exceptions.ContentDecodingError("odd"), "protocol", "the answer cannot be read as HTTP: odd", False),
    (ValueError("odd"), "protocol", "the answer cannot be read as HTTP: odd", False),
]


@pytest.mark.parametrize("sent", [True, False])
@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize(
    ("cause", "kind", "msg", "retryable"), EXPLAINED, ids=[type(cause).__qualname__ for cause, *_more in EXPLAINED]
)
def test_every_exception_on_the_way_has_its_kind_and_words(
    cause: Exception, kind: str, msg: str, retryable: bool, wrapped: bool, sent: bool
) -> None:
    attempt = Attempt()
    attempt.begin(60, "/x/")
    attempt.sent = sent
    error = _transport._explain(requests.exceptions.ConnectionError(cause) if wrapped else cause, attempt, 2.5)
    assert (error.kind, error.msg, error.retryable, error.doubtful) == (kind, msg, retryable, sent)


def test_whatever_happens_after_the_deadline_is_a_timeout() -> None:
    attempt = Attempt()
    attempt.begin(0, "/x/")
    assert _transport._explain(ValueError("odd"), attempt, 0.5).msg == "no complete answer within 0.5 s"


def test_causes_are_found_wherever_they_hide_and_once() -> None:
    outer, argument, reason, cause, context = (Exception(name) for name in ("o", "a", "r", "c", "x"))
    outer.args = (argument, "no exception")
    outer.reason = reason  # type: ignore[attr-defined]
    outer.__cause__, outer.__context__, context.__context__ = cause, context, outer
    found = list(itertools.islice(_transport._causes(outer), 9))
    assert found == [outer, argument, reason, cause, context]


# --- proxies -----------------------------------------------------------------------------------------


def use_proxy(monkeypatch: pytest.MonkeyPatch, proxy: RawServer | str) -> None:
    url = proxy if isinstance(proxy, str) else f"http://someone:pr0xy-pw@127.0.0.1:{proxy.port}"
    monkeypatch.setenv("HTTP_PROXY", url)
    monkeypatch.setenv("HTTPS_PROXY", url)


def test_a_proxy_on_this_machine_takes_plain_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(http(200, b"1"), http(200, b"2")) as proxy:
        use_proxy(monkeypatch, proxy)
        transport = transport_to("http://localhost:1/v1")
        assert [send(transport, path="/a%2Fb/").body for _number in range(2)] == [b"1", b"2"]
        assert failure_of(lambda: send(transport, path="/%2E%2E/")).kind == "invalid_request"
    assert proxy.targets == ["http://localhost:1/v1/a%2Fb/"] * 2


def test_a_proxy_may_be_spoken_to_in_tls(good: ssl.SSLContext, bundle: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(http(200, b"1"), tls=good) as proxy:
        use_proxy(monkeypatch, f"https://127.0.0.1:{proxy.port}")
        assert send(transport_to("http://localhost:1/v1", ca_path=bundle)).body == b"1"
    assert proxy.targets == ["http://localhost:1/v1/x/"]


def test_a_proxys_certificate_is_checked(
    good: ssl.SSLContext, foreign_bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(http(), tls=good) as proxy:
        use_proxy(monkeypatch, f"https://127.0.0.1:{proxy.port}")
        error = failure_of(lambda: send(transport_to("http://localhost:1/v1", ca_path=foreign_bundle)))
    assert error.kind in ("tls", "connection")
    assert proxy.heads == []


def test_plain_requests_cross_no_network_to_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    use_proxy(monkeypatch, "http://proxy.example.com:3128")
    with serve(http()) as server:
        assert send(transport_to(server)).status == 200


def test_no_proxy_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(http()) as server, serve(http()) as proxy:
        use_proxy(monkeypatch, proxy)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        send(transport_to(server))
    assert proxy.heads == []


def test_an_encrypted_request_goes_through_the_proxys_tunnel(
    good: ssl.SSLContext, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(http(200, b"1"), tls=good) as server, serve(tunnel_to(server.port)) as proxy:
        use_proxy(monkeypatch, proxy)
        transport = transport_to(https(server, "localhost"), ca_path=bundle)
        assert transport.send("GET", "/a%2Fb/", "", {"Authorization": "Basic czNjcjN0"}).body == b"1"
    assert proxy.heads[0].startswith(f"CONNECT localhost:{server.port} HTTP/1.".encode())
    assert server.targets == ["/v1/a%2Fb/"]
    # Each gets its own credentials, and nobody the other's.
    assert "proxy-authorization" not in server.headers()
    assert server.headers()["authorization"] == "Basic czNjcjN0"
    assert "authorization" not in proxy.headers()
    assert b"czNjcjN0" not in proxy.heads[0]


def test_a_certificate_is_checked_through_a_tunnel_too(
    ca: trustme.CA, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = server_context(ca, "other.example")
    with serve(http(), tls=context) as server, serve(tunnel_to(server.port)) as proxy:
        use_proxy(monkeypatch, proxy)
        error = failure_of(lambda: send(transport_to(https(server, "localhost"), ca_path=bundle)))
        assert_not_trusted(error, server)


@pytest.mark.parametrize(
    ("play", "retryable"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", None),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", True),
        (b"garbage\r\n\r\n", None),
        (b"", True),
        (Peer.reset, True),
    ],
    ids=["407", "403", "502", "garbage", "close", "reset"],
)
def test_a_proxy_that_does_not_let_us_through_is_a_connection_failure(
    play: t.Any, retryable: bool | None, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(play) as proxy:
        use_proxy(monkeypatch, proxy)
        error = failure_of(lambda: send(transport_to("https://api.example/v1", ca_path=bundle), "DELETE"))
    assert (error.kind, error.doubtful) == ("connection", False)
    assert retryable is None or error.retryable is retryable
    assert "pr0xy-pw" not in error.msg


def test_a_proxy_that_refuses_connections(bundle: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use_proxy(monkeypatch, f"http://someone:pr0xy-pw@127.0.0.1:{closed_port()}")
    for base in ("https://api.example/v1", "http://127.0.0.1:1/v1"):
        transport = transport_to(base, ca_path=bundle)
        error = failure_of(lambda transport=transport: send(transport, "DELETE"))
        assert (error.kind, error.retryable, error.doubtful) == ("connection", True, False)
        assert "pr0xy-pw" not in error.msg
        assert "proxy" in error.msg


@pytest.mark.parametrize(
    "play",
    [Peer.wait_until_gone, lambda peer: peer.drip(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 99, 0.01)],
    ids=["silence", "drip"],
)
def test_a_proxy_obeys_the_deadline(play: t.Any, bundle: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(play) as proxy:
        use_proxy(monkeypatch, proxy)
        transport = transport_to("https://api.example/v1", ca_path=bundle, timeout=SHORT)
        error = timed_failure(lambda: send(transport, "DELETE"), SHORT)
    assert (error.kind, error.doubtful) == ("timeout", False)


@pytest.mark.parametrize(
    "proxy",
    [
        "socks5://someone:pr0xy-pw@127.0.0.1:1",
        "socks5h://127.0.0.1:1",
        "socks4://127.0.0.1:1",
        "ftp://127.0.0.1:1",
        "http://someone:pr0xy-pw@[bad",
        "http://[::1",
        "http://someone:pr0xy-pw@",
        "someone:pr0xy-pw@",
        "http://",
        "http://someone:pr0xy-pw@host:notaport",
        "http://someone:pr0xy-pw@127.0.0.1:99999",
        "http://.:1",
        "http://a..b:1",
        "http://someone:pr0xy-pw@127.0.0.1:0",
        "http://ho st:1",
        "http://someone:pr0xy-pw@ho℀st",
    ],
)
def test_a_proxy_that_cannot_be_used_is_a_connection_failure(
    proxy: str, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_proxy(monkeypatch, proxy)
    error = failure_of(lambda: send(transport_to("https://api.example/v1", ca_path=bundle)))
    assert (error.kind, error.doubtful) == ("connection", False)
    assert re.match(
        "the environment asks for a (socks.*|ftp) proxy,|the proxy from the environment (is not a URL|has no )",
        error.msg,
    )
    assert error.msg.endswith(": mend HTTPS_PROXY, or add the API's host to NO_PROXY.")
    assert "pr0xy-pw" not in error.msg
    assert "\n" not in error.msg


# --- many threads ------------------------------------------------------------------------------------


def test_each_thread_has_its_own_deadline_and_target(recorder: Recorder) -> None:
    def echo(peer: Peer) -> None:
        while head := peer.read_head():
            target = head.split(b" ")[1].decode()
            if "slow" in target:
                return peer.wait_until_gone()
            peer.send(http(200, json.dumps(target).encode()))
        return None

    outcomes: dict[str, str] = {}
    with RawServer(echo) as server:
        transport = transport_to(server, timeout=0.5)

        def work(number: int) -> None:
            for turn in range(8):
                path = f"/{'slow' if (number, turn) == (0, 3) else 'x'}-{number}-{turn}/"
                try:
                    outcomes[path] = json.loads(send(transport, path=path).body)
                except PlivoError as error:
                    outcomes[path] = error.kind

        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(outcomes) == 48
    for path, outcome in outcomes.items():
        assert outcome == ("timeout" if "slow" in path else "/v1" + path)
