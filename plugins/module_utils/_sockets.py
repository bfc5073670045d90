# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets that obey one deadline for a whole attempt.

A timeout of requests (and of sockets) is for one read: a server that sends a byte every few seconds is
never too late for it. Here every operation on the wire gets just the time that is left for the attempt:
connecting, the proxy's answer, the TLS handshake, the headers, the body.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
import typing as t


class Attempt(threading.local):
    """What the current thread's attempt may do; a kept connection serves many threads, one after another."""

    def __init__(self) -> None:
        self._ends_at = float("inf")
        self._leave_by = float("inf")
        #: The request target (path and query) that is meant to be sent.
        self.target = ""
        #: Whether the request went on its way: from then on the server may act on it.
        self.sent = False

    def begin(self, seconds: float, target: str, leave_within: float | None = None) -> None:
        """Start the time of an attempt.

        :param seconds: how long it may take as a whole.
        :param target: the request target that it is allowed to send.
        :param leave_within: seconds after which it is not allowed to send it any more.
        """
        now = time.monotonic()
        self._ends_at = now + seconds
        self._leave_by = float("inf") if leave_within is None else now + leave_within
        self.target = target
        self.sent = False

    @property
    def expired(self) -> bool:
        return time.monotonic() >= self._ends_at

    @property
    def is_late(self) -> bool:
        """Whether it is too late to send the request."""
        return time.monotonic() > self._leave_by

    def remaining(self) -> float:
        """Seconds left; raises socket.timeout when there are none."""
        seconds = self._ends_at - time.monotonic()
        if seconds <= 0:
            raise socket.timeout("the attempt's time ran out")
        return seconds

    def resolve(self, host: str, port: int) -> list[t.Any]:
        """Addresses of a host; the time it takes is not the attempt's, since nothing can cut it short."""
        started = time.monotonic()
        try:
            return socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
        finally:
            self._ends_at += time.monotonic() - started


class BoundedSockets:
    """Makes the sockets of one client.

    :param attempt: holds the deadline of the thread that uses a socket.
    """

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt

        class Plain(socket.socket):
            def send(self, *args: t.Any) -> int:
                self.settimeout(attempt.remaining())
                return super().send(*args)

            def sendall(self, *args: t.Any) -> None:
                self.settimeout(attempt.remaining())
                super().sendall(*args)

            def recv(self, *args: t.Any) -> bytes:
                self.settimeout(attempt.remaining())
                return super().recv(*args)

            def recv_into(self, *args: t.Any) -> int:
                self.settimeout(attempt.remaining())
                return super().recv_into(*args)

        class Tls(ssl.SSLSocket):
            def do_handshake(self, block: bool = False) -> None:
                self.settimeout(attempt.remaining())
                super().do_handshake(block)

            # sendall(), recv() and recv_into() of ssl.SSLSocket come down to these two.
            def send(self, *args: t.Any) -> int:
                self.settimeout(attempt.remaining())
                return super().send(*args)

            def read(self, *args: t.Any) -> t.Any:
                self.settimeout(attempt.remaining())
                return super().read(*args)

        self._plain = Plain
        #: For ``ssl.SSLContext.sslsocket_class``.
        self.tls = Tls

    def connect(self, host: str, port: int, options: t.Iterable[tuple[int, int, t.Any]]) -> socket.socket:
        """Connect to the first address of a host that answers.

        An address that is silent must not eat the time of the next one, so each gets its share.

        :param options: as for ``socket.setsockopt``.
        :raises OSError: the last address's failure.
        """
        failure = OSError(f"{host} has no address")
        addresses = self._attempt.resolve(host, port)
        for index, (family, kind, proto, _name, address) in enumerate(addresses):
            sock = self._plain(family, kind, proto)
            try:
                for option in options:
                    sock.setsockopt(*option)
                sock.settimeout(self._attempt.remaining() / (len(addresses) - index))
                sock.connect(address)
                return sock
            except OSError as error:
                sock.close()
                failure = error
        raise failure
