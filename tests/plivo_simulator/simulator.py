# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the plivo.voice contributors
"""The simulator inside a test process: a background thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from .client import Control
from .control import CONTROL
from .server import Server


def tls_context(certfile: str, keyfile: str | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certfile, keyfile)
    return context


class Simulator:
    """A simulated Plivo that runs while the ``with`` block does.

    Everything goes through HTTP, control included, so a test does not care whether it talks to a
    thread or to a process of its own.
    """

    # All from start() on.
    api_url: str
    control: Control
    _loop: asyncio.AbstractEventLoop
    _stop: asyncio.Event

    def __init__(
        self,
        scenario: Mapping[str, Any] | None = None,
        *,
        prefix: str = "/v1",
        host: str = "127.0.0.1",
        port: int = 0,
        certfile: str | None = None,
        keyfile: str | None = None,
    ) -> None:
        self._server = Server(prefix)
        self._server.load(dict(scenario or {}))
        self._address = (host, port)
        self._tls = tls_context(certfile, keyfile) if certfile else None
        self._listening = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="plivo-simulator", daemon=True)

    def start(self) -> Simulator:
        self._thread.start()
        self._listening.wait()
        if self._failure is not None:
            raise self._failure
        return self

    def stop(self) -> None:
        """Stop and wait until it has; connections break."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def __enter__(self) -> Simulator:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as exc:  # raised again by start(), in the thread that can handle it
            self._failure = exc
        finally:
            self._listening.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        base = await self._server.start(*self._address, self._tls)
        self.api_url, control_url = urls(base, self._server)
        self.control = Control(control_url)
        self._listening.set()
        await self._stop.wait()
        await self._server.stop()


def urls(base: str, server: Server) -> tuple[str, str]:
    """Where the API and the control door are."""
    return base + server.prefix, base + CONTROL
