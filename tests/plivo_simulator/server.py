# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the plivo.voice contributors
"""The HTTP server: reads a request as it came, logs it, has it answered, plays the faults."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from aiohttp import web

from . import api, callbacks, control, faults
from .callbacks import Callbacks
from .control import CONTROL
from .faults import FaultBook, FaultRule
from .requestlog import LONGEST_BODY, Entry, RequestLog
from .world import Account, ScenarioError, World


class _Answered(web.StreamResponse):
    """Tells aiohttp that the answer has been written already, byte for byte, by ourselves."""

    def __init__(self, keep_alive: bool) -> None:
        super().__init__()
        self._reusable = keep_alive

    @property
    def keep_alive(self) -> bool | None:
        return self._reusable

    async def prepare(self, request: web.BaseRequest) -> None:
        """Nothing is left to be sent."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to be sent."""


@dataclass
class _Request:
    """A request as the server understood it."""

    entry: Entry
    target: api.Target
    body: bytes
    account: Account | None
    speaker: Account | None


class Server:
    """One simulated platform behind one listening socket."""

    # Both from start() on.
    _http: web.Server
    _listener: asyncio.AbstractServer

    def __init__(self, prefix: str = "/v1") -> None:
        self.prefix = "/" + prefix.strip("/") if prefix.strip("/") else ""
        self.world = World(time.monotonic)
        self.faults = FaultBook()
        self.log = RequestLog()
        self.callbacks = Callbacks()
        # A test wants to know which requests came over the same connection.
        self._connections: WeakKeyDictionary[asyncio.Transport, int] = WeakKeyDictionary()
        self._last_connection = 0

    # --- life -----------------------------------------------------------------------------------

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> str:
        """Listen; returns the base URL without any path."""
        self._http = web.Server(
            self._handle,
            access_log=None,
            # Ends a silence, a drip or a latency as soon as the client has gone away.
            handler_cancellation=True,
            # Any text may be a name, and percent-encoding makes nine characters of one.
            max_line_size=1 << 16,
        )
        # One socket, also for a name that stands for two addresses: with port 0 they would get two ports.
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.create_server((host, port), family=family, backlog=1024)
        self._listener = await asyncio.get_running_loop().create_server(self._http, sock=sock, ssl=tls)
        shown = f"[{host}]" if ":" in host else host
        return f"{'https' if tls else 'http'}://{shown}:{sock.getsockname()[1]}"

    async def stop(self) -> None:
        """Stop at once: whoever waits for an answer gets none."""
        self._listener.close()
        await self.callbacks.close()
        for handler in list(self._http.connections):
            if handler.transport is not None:
                handler.transport.abort()
        # Let the event loop tell the handlers that their connections are gone.
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    def load(self, scenario: dict[str, Any]) -> None:
        """Begin anew with a scenario; on an error everything stays as it was."""
        unknown = sorted(set(scenario) - {"accounts", "settings", "faults"})
        if unknown:
            raise ScenarioError(f"scenario: unknown {', '.join(unknown)}; there are accounts, faults, settings")
        rules = FaultBook()
        rules.add(scenario.get("faults", []))
        self.world.load(scenario)
        self.faults.rules = rules.rules
        self.callbacks.forget()
        self.log.reset()

    # --- one request ----------------------------------------------------------------------------

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        target = request.raw_path
        if not target.startswith("/"):
            # Absolute form, as sent to proxies; a server has to take it too.
            target = "/" + target.partition("://")[2].partition("/")[2]
        if target.startswith(CONTROL + "/"):
            return await control.handle(self, request)
        path, _mark, query = target.partition("?")
        body = await request.read() if request.body_exists else b""
        transport = request.transport
        if transport is None:
            raise ConnectionResetError
        asked = self._log(request, self._number(transport), path, query, body)
        entry, account = asked.entry, asked.account
        try:
            rule = self.faults.choose(entry.account, entry.method, asked.target)
            answer: api.Answer | None = None
            if rule is None or rule.when == "after":
                answer = self._answer(asked)
            if account is not None:
                account.requests += 1
            if rule is not None:
                answer = rule.spoil(answer)
            assert answer is not None
            await self._wait(account, rule)
            keep_alive = request.keep_alive
            if rule is None:
                entry.status = answer.status
                body = b"" if entry.method == "HEAD" else answer.body
                transport.write(answer.head(keep_alive) + body + answer.stray)
            else:
                entry.fault = rule.action
                entry.status = None if rule.action in faults.UNANSWERED else answer.status
                keep_alive = await faults.play(transport, answer, keep_alive, rule)
        finally:
            self.log.end(entry)
        return _Answered(keep_alive)

    def _log(self, request: web.BaseRequest, connection: int, path: str, query: str, body: bytes) -> _Request:
        target = api.resolve(path, self.prefix)
        account = self.world.accounts.get(target.auth_id) if target.auth_id is not None else None
        settings = account.settings if account is not None else self.world.settings
        headers = request.headers
        scheme, _space, credentials = headers.get("Authorization", "").partition(" ")
        speaker = self.world.by_credentials.get(credentials) if scheme.lower() == "basic" else None
        entry = Entry()
        entry.time = time.monotonic()
        entry.connection = connection
        entry.account = target.auth_id
        entry.method = request.method
        entry.path = path
        entry.query = query
        entry.body = body[:LONGEST_BODY].decode("utf-8", "backslashreplace")
        entry.user_agent = headers.get("User-Agent", "")
        entry.content_type = headers.get("Content-Type", "")
        entry.authorization = "Authorization" in headers
        entry.authorized = speaker is not None and speaker is account
        entry.target = target.kind
        entry.name = target.name
        entry.status = None
        entry.fault = None
        entry.violation = settings.read_only and request.method not in ("GET", "HEAD", "OPTIONS")
        self.log.begin(entry)
        if account is not None:
            self.log.window(account.auth_id).arrive(entry.time, settings.rate_window)
        return _Request(entry, target, body, account, speaker)

    def _number(self, transport: asyncio.Transport) -> int:
        number = self._connections.get(transport)
        if number is None:
            number = self._connections[transport] = self._last_connection = self._last_connection + 1
            self.log.connections_opened += 1
        return number

    def _answer(self, asked: _Request) -> api.Answer:
        """Execute the request, without waiting for anything."""
        entry, target, account = asked.entry, asked.target, asked.account
        refused = api.refusal(self.world, account, asked.speaker, target, entry.method, entry.path, entry.query)
        if refused is not None:
            return refused
        assert account is not None
        settings, method = account.settings, entry.method
        if not self.log.window(account.auth_id).admit(entry.time, settings.rate_window, settings.rate_limit):
            return api.too_many(settings, time.time())
        api_id = api.new_api_id()
        wanted = callbacks.wanted(method, entry.query, asked.body, settings.delete_arguments)
        if wanted is None:
            status, document = self._perform(account, method, target, api_id)
            return api.shape(status, document, settings.delete_answer)
        complaint = callbacks.complaint(*wanted)
        if complaint is not None:
            return api.error(400, complaint)
        self.callbacks.accept(account, *wanted, api_id, lambda: self._perform(account, method, target, api_id)[1])
        return api.json_answer(settings.async_status, {"message": "async api spawned", "api_id": api_id})

    def _perform(self, account: Account, method: str, target: api.Target, api_id: str) -> tuple[int, dict[str, Any]]:
        now = self.world.now()
        account.advance(now)
        return api.perform(account, method, target, now, api_id)

    async def _wait(self, account: Account | None, rule: FaultRule | None) -> None:
        delay = rule.delay if rule is not None else 0.0
        if account is not None:
            delay += account.settings.latency
            if account.settings.jitter:
                delay += account.jitter.uniform(0, account.settings.jitter)
        if delay > 0:
            await asyncio.sleep(delay)
