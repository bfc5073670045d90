# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server on a bare socket that does exactly what a test says, byte by byte."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import types
import typing as t


class Peer:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket, stopped: threading.Event) -> None:
        self.socket = sock
        self._stopped = stopped
        self._buffer = b""

    def read_head(self) -> bytes:
        """The next request's line and headers; empty when the client has gone."""
        while b"\r\n\r\n" not in self._buffer:
            piece = self.socket.recv(65536)
            if not piece:
                return b""
            self._buffer += piece
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        return head

    def read_body(self, size: int) -> bytes:
        while len(self._buffer) < size:
            piece = self.socket.recv(65536)
            if not piece:
                break
            self._buffer += piece
        body, self._buffer = self._buffer[:size], self._buffer[size:]
        return body

    def send(self, content: bytes) -> None:
        self.socket.sendall(content)

    def drip(self, content: bytes, interval: float) -> None:
        for index in range(len(content)):
            self.send(content[index : index + 1])
            if self._stopped.wait(interval):
                return

    def wait_until_gone(self) -> None:
        """Say nothing until the client has had enough."""
        while self.socket.recv(65536):
            pass

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


Play = t.Callable[[Peer], None]


class RawServer:
    """Plays one after another for each connection that comes in; the last one again for all that follow."""

    def __init__(self, *plays: Play, tls: ssl.SSLContext | None = None) -> None:
        self._plays = plays
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        #: Heads of the requests, as ``answering`` saw them.
        self.heads: list[bytes] = []
        self.connections = 0

    @property
    def targets(self) -> list[str]:
        return [head.split(b" ", 2)[1].decode("latin-1") for head in self.heads]

    def headers(self, index: int = -1) -> dict[str, str]:
        lines = self.heads[index].decode("latin-1").split("\r\n")[1:]
        return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}

    def __enter__(self) -> RawServer:
        thread = threading.Thread(target=self._accept, daemon=True)
        self._threads.append(thread)
        thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: types.TracebackType | None
    ) -> None:
        self._stopped.set()
        # Wakes accept() and whoever still reads.
        for sock in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                sock, _address = self._listener.accept()
            except OSError:
                return
            play = self._plays[min(self.connections, len(self._plays) - 1)]
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(sock, play), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket, play: Play) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.callback(sock.close)
            self._open.append(sock)
            if self._tls is not None:
                sock = stack.enter_context(self._tls.wrap_socket(sock, server_side=True))
                self._open.append(sock)
            play(Peer(sock, self._stopped))

    def answering(self, *answers: bytes | t.Callable[[Peer], None]) -> Play:
        """Read a request and answer it, as often as there are answers; then close."""

        def play(peer: Peer) -> None:
            for content in answers:
                head = peer.read_head()
                if not head:
                    return
                self.heads.append(head)
                size = next(
                    (line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0"
                )
                peer.read_body(int(size.split(b":")[1]))
                if callable(content):
                    content(peer)
                else:
                    peer.send(content)

        return play


def http(status: int | str = 200, body: bytes = b"{}", *headers: str, length: int | None = None) -> bytes:
    """An answer with its length announced."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body) if length is None else length}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def serve(
    *answers: bytes | t.Callable[[Peer], None], again: bool = False, tls: ssl.SSLContext | None = None
) -> RawServer:
    """A server whose first connection gets these answers, one to a request.

    :param again: each further connection gets them as well; else none is expected and it is closed at once.
    """
    server = RawServer(tls=tls)
    server._plays = (server.answering(*answers), *(() if again else (Peer.reset,)))
    return server


def tunnel_to(port: int) -> t.Callable[[Peer], None]:
    """What a proxy does after CONNECT: pass on what comes, in both directions."""

    def pass_on(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)

    def play(peer: Peer) -> None:
        with socket.create_connection(("127.0.0.1", port)) as target:
            peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=pass_on, args=(target, peer.socket), daemon=True)
            back.start()
            pass_on(peer.socket, target)
            back.join(5)

    return play
