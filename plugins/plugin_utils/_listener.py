# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections from strangers, bounded in number, time and memory. Knows asyncio and nothing of HTTP.

asyncio and aiohttp bound none of these: a sender may take its time for a TLS handshake or for a header, and there may
be as many as there are file descriptors. Here each connection brings one request, and has so many seconds for it. When
there are too many, or when they hold too much, the one that has kept us waiting longest makes room: a sender in earnest
needs a moment only, so it is rarely that one.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import typing as t

#: Where a connection is on its way. Only the second is never the one to make room: its request is here as a whole.
_READING, _WAITING, _LEAVING = range(3)

#: localhost is often listed with an IPv6 address on machines that have none.
_ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
#: How long to leave accept() alone when the system has no file descriptor left.
_PAUSE = 0.1


class Limits(t.NamedTuple):
    """What strangers may take.

    :ivar connections: how many at once.
    :ivar waiting: how many of them may wait with a whole request.
    :ivar request_bytes: for one request, headers included.
    :ivar request_lines: ends of lines in it; each costs a parser some work, be it a header's, a chunk's or a request's.
    :ivar held_bytes: for all requests together; those that wait get no more than half of it.
    :ivar read_seconds: from the beginning of a connection to the end of its request.
    :ivar close_seconds: for taking the answer.
    """

    connections: int
    waiting: int
    request_bytes: int
    request_lines: int
    held_bytes: int
    read_seconds: float
    close_seconds: float


class Connection(asyncio.Protocol):
    """One connection, around the protocol that understands what comes.

    :ivar peer: who it is, for the log.
    """

    def __init__(self, listener: Listener, peer: str) -> None:
        self.peer = peer
        self._listener = listener
        self._inner = listener.make_protocol(self)
        self._stage = _READING
        self._held = 0
        self._lines = 0
        self._is_whole = False
        self._is_lost = False
        self._transport: asyncio.Transport | None = None
        self._handshake: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    # --- for whoever answers -------------------------------------------------------------------------

    def wait(self) -> bool:
        """The request is here as a whole and has to wait; false if too many do that already."""
        if not self._listener.may_wait(self._held):
            return False
        self._stop_timer()
        self._stage, self._is_whole = _WAITING, True
        return True

    def leave(self) -> None:
        """The answer is known: nothing but sending it is left to do."""
        self._stage = _LEAVING
        if self._is_lost:
            self._forget()
        else:
            self._release()
            self._start_timer(self._listener.limits.close_seconds, self.close)

    # --- for the listener ----------------------------------------------------------------------------

    @property
    def waiting_bytes(self) -> int | None:
        """How much it holds while it waits; none if it does not wait."""
        return self._held if self._stage == _WAITING else None

    def start(self, sock: socket.socket, tls: ssl.SSLContext | None) -> None:
        """Begin to read, after the handshake."""
        seconds = self._listener.limits.read_seconds
        self._start_timer(seconds, lambda: self.drop(f"it took longer than {seconds:g} s to send its request"))
        self._handshake = asyncio.get_running_loop().create_task(self._shake_hands(sock, tls))

    async def _shake_hands(self, sock: socket.socket, tls: ssl.SSLContext | None) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: self, sock, ssl=tls)
        except OSError as error:
            # ssl.SSLError is one, too.
            self._listener.tell(self.peer, f"no connection: {error}")
            self._forget()

    def drop(self, reason: str) -> None:
        """End it without an answer."""
        self._listener.tell(self.peer, f"dropped: {reason}")
        self.close()

    def close(self) -> None:
        """End it at once."""
        if self._stage != _WAITING:
            self._forget()
        if self._transport is not None:
            self._transport.abort()
        elif self._handshake is not None:
            self._handshake.cancel()

    def _release(self) -> None:
        self._listener.held -= self._held
        self._held = 0

    def _forget(self) -> None:
        self._stop_timer()
        self._release()
        self._listener.connections.pop(self, None)

    def _start_timer(self, seconds: float, then: t.Callable[[], None]) -> None:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, then)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # --- for asyncio ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = t.cast(asyncio.Transport, transport)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._is_whole or self not in self._listener.connections:
            # Another request on the same connection, which is told that it closes; or what was under way when it ended.
            return
        self._lines += data.count(b"\n")
        if self._lines > self._listener.limits.request_lines:
            self.drop("its request has too many lines or pieces")
            return
        if self._stage == _READING:
            self._held += len(data)
            self._listener.held += len(data)
            if self._held > self._listener.limits.request_bytes:
                self.drop("its request is too large")
                return
            self._listener.make_room()
            if self not in self._listener.connections:
                return
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = True
        if self._stage != _WAITING:
            # A request that waits still takes its place: nobody shall have more of them by hanging up on us.
            self._forget()
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()


class Listener:
    """Accepts connections at all addresses of a host.

    :param limits: see there.
    :param make_protocol: what understands the bytes of a connection.
    :param tell: takes who and what, about a connection that ends without an answer.
    """

    def __init__(
        self,
        limits: Limits,
        make_protocol: t.Callable[[Connection], asyncio.Protocol],
        tell: t.Callable[[str, str], None],
    ) -> None:
        self.limits = limits
        self.make_protocol = make_protocol
        self.tell = tell
        #: The oldest first.
        self.connections: dict[Connection, None] = {}
        #: Bytes of requests that are not answered yet.
        self.held = 0

    async def run(self, sockets: t.Sequence[socket.socket], tls: ssl.SSLContext | None) -> None:
        """Accept until cancelled; then everything is closed at once."""
        tasks = [asyncio.ensure_future(self._accept(each, tls)) for each in sockets]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            for connection in list(self.connections):
                connection.close()
            for each in sockets:
                each.close()

    async def _accept(self, listening: socket.socket, tls: ssl.SSLContext | None) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, address = await loop.sock_accept(listening)
            except OSError as error:
                # Gone before it was accepted, or no file descriptor left for it.
                self.tell("a connection", f"not accepted: {error}")
                await asyncio.sleep(_PAUSE)
                continue
            connection = Connection(self, _shown(address))
            self.connections[connection] = None
            connection.start(sock, tls)
            # Let it take the socket over before anything may end it.
            await asyncio.sleep(0)
            self.make_room()

    def may_wait(self, more: int) -> bool:
        """Whether there is place for one more request of so many bytes to wait."""
        waiting = [each.waiting_bytes for each in self.connections if each.waiting_bytes is not None]
        return len(waiting) < self.limits.waiting and 2 * (sum(waiting) + more) <= self.limits.held_bytes

    def make_room(self) -> None:
        """Drop those that have kept us waiting longest, while there is too much of something."""
        if not self._is_crowded():
            return
        for each in [each for each in self.connections if each.waiting_bytes is None]:
            each.drop("too many others want in, and this one has kept us waiting longest")
            if not self._is_crowded():
                return

    def _is_crowded(self) -> bool:
        return len(self.connections) > self.limits.connections or self.held > self.limits.held_bytes


def listen(host: str, port: int) -> list[socket.socket]:
    """Sockets at all addresses of a host.

    :raises OSError: there is no such host, the port is taken, or it is not ours to take.
    """
    sockets: list[socket.socket] = []
    absent: OSError | None = None
    # Each address comes once for every kind of socket, and again if the machine's table of hosts has it twice.
    for family, address in dict.fromkeys((each[0], each[4]) for each in socket.getaddrinfo(host, port)):
        try:
            listening = socket.create_server(t.cast(t.Any, address), family=family)
        except OSError as error:
            if error.errno in _ABSENT:
                absent = error
                continue
            for each in sockets:
                each.close()
            raise
        listening.setblocking(False)
        sockets.append(listening)
    if absent is not None and not sockets:
        raise absent
    return sockets


def _shown(address: t.Any) -> str:
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
