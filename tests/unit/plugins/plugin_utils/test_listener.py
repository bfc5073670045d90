# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections are bounded in number, time and memory, and the slowest makes room for the others."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
import struct
import typing as t

import pytest
import trustme

from ansible_collections.plivo.voice.plugins.plugin_utils import _listener
from ansible_collections.plivo.voice.plugins.plugin_utils._listener import Connection, Limits, Listener, listen
from unit.plugins.support import until

PLENTY = Limits(
    connections=5,
    waiting=3,
    request_bytes=1000,
    request_lines=10,
    held_bytes=2000,
    read_seconds=5,
    close_seconds=5,
)


class Inner(asyncio.Protocol):
    """Keeps what it gets, and says at which moments it is paused."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.got = b""
        self.events: list[str] = []
        self.keeps_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = t.cast(asyncio.Transport, transport)
        self.events.append("made")

    def data_received(self, data: bytes) -> None:
        self.got += data

    def eof_received(self) -> bool | None:
        self.events.append("eof")
        return self.keeps_open

    def connection_lost(self, exc: Exception | None) -> None:
        self.events.append("lost")
        self.lost_by = exc

    def pause_writing(self) -> None:
        self.events.append("pause")

    def resume_writing(self) -> None:
        self.events.append("resume")


class Scene:
    """A listener at work, and those who talk to it."""

    def __init__(self, limits: Limits, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.inners: list[Inner] = []
        self.told: list[tuple[str, str]] = []
        self.listener = Listener(limits, self._inner, lambda who, what: self.told.append((who, what)))
        self.sockets = listen(host, 0)
        self.address = self.sockets[0].getsockname()[:2]
        self._tls = tls
        self._stack = contextlib.AsyncExitStack()

    def _inner(self, connection: Connection) -> Inner:
        self.inners.append(Inner(connection))
        return self.inners[-1]

    async def __aenter__(self) -> Scene:
        self.task = asyncio.create_task(self.listener.run(self.sockets, self._tls))
        self._stack.push_async_callback(self.end)
        return self

    async def __aexit__(self, *_args: object) -> None:
        await self._stack.aclose()

    async def end(self) -> None:
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError, KeyError):
            await self.task
        await settle()

    async def call(self, data: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter, Inner]:
        """Connect, and say something."""
        before = len(self.inners)
        reader, writer = await asyncio.open_connection(*self.address)
        # Forgotten, it would hang up.
        self._stack.callback(writer.close)
        writer.write(data)
        await until(lambda: len(self.inners) > before)
        inner = self.inners[before]
        if data:
            await until(lambda: inner.got.endswith(data) or "lost" in inner.events)
        else:
            await until(lambda: "made" in inner.events)
        return reader, writer, inner

    @property
    def reasons(self) -> list[str]:
        return [what for _who, what in self.told]


async def settle() -> None:
    for _round in range(5):
        await asyncio.sleep(0.001)


async def is_closed(reader: asyncio.StreamReader) -> bool:
    try:
        return await asyncio.wait_for(reader.read(), 5) == b""
    except ConnectionError:
        return True


CROWDED = "dropped: too many others want in, and this one has kept us waiting longest"

# --- one request -------------------------------------------------------------------------------------


def test_a_request_passes_through_and_its_sender_is_known() -> None:
    async def run() -> None:
        async with Scene(PLENTY) as scene:
            reader, writer, inner = await scene.call(b"hello")
            assert inner.connection.peer == f"127.0.0.1:{writer.get_extra_info('sockname')[1]}"
            inner.transport.write(b"answer")
            assert await reader.readexactly(6) == b"answer"
            inner.keeps_open = True
            writer.write_eof()
            await until(lambda: "eof" in inner.events)
            inner.connection.pause_writing()
            inner.connection.resume_writing()
            assert inner.events == ["made", "eof", "pause", "resume"]
            inner.transport.close()
            assert await is_closed(reader)
            await until(lambda: not scene.listener.connections)
            assert inner.events[-1] == "lost"
            assert (scene.listener.held, scene.told) == (0, [])

    asyncio.run(run())


def test_a_connection_that_breaks() -> None:
    async def run() -> None:
        async with Scene(PLENTY) as scene:
            _reader, writer, inner = await scene.call(b"x")
            # Closed with this, a socket says that it broke.
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
            await until(lambda: not scene.listener.connections)
            assert inner.events == ["made", "lost"]
            assert isinstance(inner.lost_by, ConnectionResetError)

    asyncio.run(run())


def test_what_comes_after_a_whole_request_is_ignored() -> None:
    async def run() -> None:
        async with Scene(PLENTY) as scene:
            _reader, writer, inner = await scene.call(b"one")
            assert inner.connection.wait()
            writer.write(b"two" * 1000)
            await settle()
            inner.connection.leave()
            writer.write(b"three" * 1000)
            await settle()
            assert (inner.got, scene.listener.held) == (b"one", 0)

    asyncio.run(run())


def test_what_comes_after_an_early_answer_is_read_and_costs_nothing() -> None:
    async def run() -> None:
        async with Scene(PLENTY) as scene:
            _reader, writer, inner = await scene.call(b"x" * 900)
            assert scene.listener.held == 900
            inner.connection.leave()
            assert scene.listener.held == 0
            writer.write(b"y" * 5000)
            await until(lambda: len(inner.got) == 5900)
            assert scene.listener.held == 0

    asyncio.run(run())


# --- too much, too long ------------------------------------------------------------------------------


def test_a_request_that_is_too_large() -> None:
    async def run() -> None:
        async with Scene(PLENTY) as scene:
            reader, writer, inner = await scene.call(b"x" * 1000)
            assert scene.listener.held == 1000
            writer.write(b"x")
            assert await is_closed(reader)
            assert len(inner.got) == 1000
            assert scene.told == [(inner.connection.peer, "dropped: its request is too large")]
            assert (scene.listener.held, list(scene.listener.connections)) == (0, [])

    asyncio.run(run())


@pytest.mark.parametrize("is_early", [True, False])
def test_a_request_in_too_many_pieces(is_early: bool) -> None:
    async def run() -> None:
        async with Scene(PLENTY) as scene:
            reader, writer, inner = await scene.call(b"x\r\n" * 6)
            if is_early:
                inner.connection.leave()
            writer.write(b"\n" * 4)
            await until(lambda: len(inner.got) == 22)
            writer.write(b"y\n")
            assert await is_closed(reader)
            assert len(inner.got) == 22
            assert scene.reasons == ["dropped: its request has too many lines or pieces"]
            assert (scene.listener.held, scene.listener.connections) == (0, {})

    asyncio.run(run())


@pytest.mark.parametrize("drip", [b"", b"x"])
def test_a_request_that_takes_too_long(drip: bytes) -> None:
    async def run() -> None:
        async with Scene(PLENTY._replace(read_seconds=0.2)) as scene:
            reader, writer, inner = await scene.call()
            began = asyncio.get_running_loop().time()
            while not reader.at_eof() and reader.exception() is None:
                writer.write(drip)
                await asyncio.sleep(0.02)
            assert 0.1 < asyncio.get_running_loop().time() - began < 2
            assert scene.reasons == ["dropped: it took longer than 0.2 s to send its request"]
            assert inner.events == ["made", "lost"]

    asyncio.run(run())


def test_a_request_that_waits_has_all_the_time_there_is() -> None:
    async def run() -> None:
        async with Scene(PLENTY._replace(read_seconds=0.1, close_seconds=0.1)) as scene:
            reader, _writer, inner = await scene.call(b"x")
            assert inner.connection.wait()
            await asyncio.sleep(0.3)
            assert not reader.at_eof()
            inner.connection.leave()
            # The answer is not taken.
            assert await is_closed(reader)
            assert scene.told == []
            assert inner.events == ["made", "lost"]

    asyncio.run(run())


# --- too many ----------------------------------------------------------------------------------------


def test_the_slowest_makes_room() -> None:
    async def run() -> None:
        async with Scene(PLENTY) as scene:
            calls = [await scene.call(b"x") for _number in range(5)]
            assert calls[0][2].connection.wait()
            assert scene.told == []
            await scene.call(b"x")
            await scene.call(b"x")
            assert await is_closed(calls[1][0])
            assert await is_closed(calls[2][0])
            assert scene.told == [(calls[number][2].connection.peer, CROWDED) for number in (1, 2)]
            assert [inner for inner in scene.inners if "lost" in inner.events] == scene.inners[1:3]
            assert len(scene.listener.connections) == 5
            assert scene.listener.held == 5

    asyncio.run(run())


def test_those_who_hold_too_much_together() -> None:
    async def run() -> None:
        async with Scene(PLENTY) as scene:
            first = await scene.call(b"x" * 800)
            second = await scene.call(b"x" * 800)
            third = await scene.call(b"x" * 400)
            assert scene.listener.held == 2000
            third[1].write(b"x")
            assert await is_closed(first[0])
            assert scene.listener.held == 1201
            assert scene.reasons == [CROWDED]
            assert "lost" not in second[2].events + third[2].events

    asyncio.run(run())


def test_one_that_brings_the_last_straw_may_be_the_one() -> None:
    async def run() -> None:
        async with Scene(PLENTY._replace(request_bytes=5000)) as scene:
            waiting = await scene.call(b"x" * 1000)
            assert waiting[2].connection.wait()
            reader, writer, inner = await scene.call(b"x" * 1000)
            writer.write(b"x")
            assert await is_closed(reader)
            assert len(inner.got) == 1000
            assert scene.listener.held == 1000
            assert list(scene.listener.connections) == [waiting[2].connection]

    asyncio.run(run())


def test_so_many_may_wait() -> None:
    async def run() -> None:
        async with Scene(PLENTY) as scene:
            calls = [await scene.call(b"x") for _number in range(4)]
            assert [inner.connection.wait() for _reader, _writer, inner in calls] == [True, True, True, False]
            calls[0][2].connection.leave()
            assert calls[3][2].connection.wait()

    asyncio.run(run())


def test_those_who_wait_hold_half_of_it() -> None:
    async def run() -> None:
        async with Scene(PLENTY) as scene:
            calls = [await scene.call(b"x" * size) for size in (600, 401, 400)]
            assert [inner.connection.wait() for _reader, _writer, inner in calls] == [True, False, True]

    asyncio.run(run())


def test_hanging_up_does_not_give_up_the_place_of_a_request_that_waits() -> None:
    async def run() -> None:
        async with Scene(PLENTY) as scene:
            inners = []
            for _number in range(3):
                _reader, writer, inner = await scene.call(b"x")
                assert inner.connection.wait()
                writer.transport.abort()
                await until(lambda inner=inner: "lost" in inner.events)
                inners.append(inner)
            assert len(scene.listener.connections) == 3
            assert scene.listener.held == 3
            _reader, _writer, late = await scene.call(b"x")
            assert not late.connection.wait()
            inners[0].connection.leave()
            assert scene.listener.held == 3
            assert late.connection.wait()
            for inner in (*inners[1:], late):
                inner.connection.leave()
            assert list(scene.listener.connections) == [late.connection]
            assert scene.listener.held == 0

    asyncio.run(run())


# --- handshakes --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_after_a_handshake_it_is_the_same(authority: trustme.CA, server_tls: ssl.SSLContext) -> None:
    async def run() -> None:
        async with Scene(PLENTY, server_tls) as scene:
            client = ssl.create_default_context()
            authority.configure_trust(client)
            reader, writer = await asyncio.open_connection(*scene.address, ssl=client)
            writer.write(b"hello")
            await until(lambda: scene.inners[0].got == b"hello")
            scene.inners[0].transport.write(b"answer")
            assert await reader.readexactly(6) == b"answer"
            scene.inners[0].connection.leave()
            scene.inners[0].transport.close()
            assert await reader.read() == b""
            writer.close()

    asyncio.run(run())


def test_a_handshake_that_takes_too_long(server_tls: ssl.SSLContext) -> None:
    async def run() -> None:
        async with Scene(PLENTY._replace(read_seconds=0.2), server_tls) as scene:
            reader, writer = await asyncio.open_connection(*scene.address)
            writer.write(b"\x16\x03\x01")
            assert await is_closed(reader)
            assert scene.listener.connections == {}
            assert "longer than 0.2 s" in scene.reasons[0]
            assert scene.inners[0].events == []
            writer.close()

    asyncio.run(run())


def test_a_handshake_that_is_none(server_tls: ssl.SSLContext) -> None:
    async def run() -> None:
        async with Scene(PLENTY, server_tls) as scene:
            reader, writer = await asyncio.open_connection(*scene.address)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            await is_closed(reader)
            ((who, reason),) = scene.told
            assert who == f"127.0.0.1:{writer.get_extra_info('sockname')[1]}"
            assert reason.startswith("no connection: [SSL")
            assert scene.listener.connections == {}
            writer.close()

    asyncio.run(run())


def test_handshakes_that_never_end_make_room(authority: trustme.CA, server_tls: ssl.SSLContext) -> None:
    async def run() -> None:
        async with Scene(PLENTY, server_tls) as scene:
            idle = [await asyncio.open_connection(*scene.address) for _number in range(20)]
            client = ssl.create_default_context()
            authority.configure_trust(client)
            _reader, writer = await asyncio.open_connection(*scene.address, ssl=client)
            writer.write(b"hello")
            await until(lambda: scene.inners[-1].got == b"hello")
            assert len(scene.listener.connections) == 5
            assert scene.reasons == [CROWDED] * 16
            assert [await is_closed(reader) for reader, _writer in idle[:16]] == [True] * 16
            for each in [writer, *(idler for _idle_reader, idler in idle)]:
                each.transport.abort()

    asyncio.run(run())


# --- the end, and the beginning ----------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["reading", "waiting", "leaving"])
def test_cancelled_it_closes_everything_at_once(stage: str) -> None:
    async def run() -> None:
        async with Scene(PLENTY) as scene:
            reader, _writer, inner = await scene.call(b"x")
            if stage == "waiting":
                assert inner.connection.wait()
            if stage == "leaving":
                inner.connection.leave()
            await scene.end()
            assert scene.task.cancelled()
            assert await is_closed(reader)
            if stage == "waiting":
                inner.connection.leave()
            assert (scene.listener.connections, scene.listener.held) == ({}, 0)
            assert inner.events == ["made", "lost"]
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(*scene.address)

    asyncio.run(run())


def test_cancelled_it_ends_handshakes_too(server_tls: ssl.SSLContext) -> None:
    async def run() -> None:
        async with Scene(PLENTY, server_tls) as scene:
            reader, writer = await asyncio.open_connection(*scene.address)
            await until(lambda: bool(scene.inners))
            await scene.end()
            assert await is_closed(reader)
            writer.close()
            await settle()
            assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


def test_accepting_goes_on_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_listener, "_PAUSE", 0.01)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        accept, failures = loop.sock_accept, [OSError(errno.EMFILE, "Too many open files")]

        async def failing(sock: socket.socket) -> t.Any:
            if failures:
                raise failures.pop()
            return await accept(sock)

        monkeypatch.setattr(loop, "sock_accept", failing)
        async with Scene(PLENTY) as scene:
            _reader, _writer, inner = await scene.call(b"x")
            assert inner.got == b"x"
            assert scene.told == [("a connection", "not accepted: [Errno 24] Too many open files")]

    asyncio.run(run())


def test_a_mistake_of_ours_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async def mistaken(_sock: socket.socket) -> t.NoReturn:
            raise KeyError("x")

        monkeypatch.setattr(asyncio.get_running_loop(), "sock_accept", mistaken)
        async with Scene(PLENTY) as scene:
            with pytest.raises(KeyError):
                await scene.task
            assert scene.sockets[0].fileno() == -1

    asyncio.run(run())


# --- addresses ---------------------------------------------------------------------------------------


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_ipv6() -> None:
    async def run() -> None:
        async with Scene(PLENTY, host="::1") as scene:
            _reader, writer, inner = await scene.call(b"x")
            assert inner.connection.peer == f"[::1]:{writer.get_extra_info('sockname')[1]}"

    asyncio.run(run())


def with_addresses(monkeypatch: pytest.MonkeyPatch, *hosts: str) -> None:
    found = [
        (socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, 0)) for host in hosts
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: found)


def test_every_address_of_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with_addresses(monkeypatch, "127.0.0.1", "127.0.0.2", "127.0.0.1")
    sockets = listen("localhost", 0)
    assert [each.getsockname()[0] for each in sockets] == ["127.0.0.1", "127.0.0.2"]
    assert [each.getblocking() for each in sockets] == [False, False]
    for each in sockets:
        each.close()


def test_an_address_that_this_machine_has_not_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with_addresses(monkeypatch, "192.0.2.1", "127.0.0.1")
    (only,) = listen("localhost", 0)
    assert only.getsockname()[0] == "127.0.0.1"
    only.close()
    with_addresses(monkeypatch, "192.0.2.1")
    with pytest.raises(OSError, match="requested address") as caught:
        listen("localhost", 0)
    assert caught.value.errno == errno.EADDRNOTAVAIL


def test_a_port_that_is_taken_leaves_no_socket_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[socket.socket] = []
    create = socket.create_server

    def keeping(address: t.Any, **options: t.Any) -> socket.socket:
        made.append(create(address, **options))
        return made[-1]

    taken = create(("127.0.0.2", 0))
    monkeypatch.setattr(socket, "create_server", keeping)
    port = taken.getsockname()[1]
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in ("127.0.0.1", "127.0.0.2")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: found)
    with pytest.raises(OSError, match="in use"):
        listen("localhost", port)
    assert [each.fileno() for each in made] == [-1]
    taken.close()


def test_the_port_that_was_asked_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = free.getsockname()
    (only,) = listen(*address)
    assert only.getsockname() == address
    only.close()


def test_a_name_that_there_is_not() -> None:
    with pytest.raises(socket.gaierror):
        listen("nobody.invalid", 0)
