# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The event source at work, and those who talk to it, byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import itertools
import runpy
import socket
import ssl
import types
import typing as t
from pathlib import Path
from urllib.parse import urlencode

from plivo.utils import signature_v3

ROOT = Path(__file__).resolve().parents[3]
FILE = ROOT / "extensions/eda/plugins/event_source/async_response.py"
#: As ansible-rulebook loads it.
source = types.SimpleNamespace(**runpy.run_path(str(FILE)))

TOKEN = "s3cr3t-t0ken"
API_ID = "2867b6e2-58c3-11e1-86da-adf28403fe48"
URL = "https://example.com/plivo"
ANSWER = '{"message": "conference hung up", "api_id": "of the answer"}'
FIELDS = {"api_id": API_ID, "response": ANSWER}
NOW = datetime.datetime(2026, 11, 22, 12, 30, tzinfo=datetime.timezone.utc)

_nonces = (f"{number:020d}" for number in itertools.count(5429567804466091622))


class Reply(t.NamedTuple):
    """An answer to a request; status 0 is a connection that was closed without one."""

    status: int
    headers: dict[str, str]
    body: str


class Scene:
    """The event source, on a port of its own."""

    def __init__(self, args: dict[str, t.Any] | None = None, **options: t.Any) -> None:
        self.queue: asyncio.Queue[t.Any] = options.pop("queue", None) or asyncio.Queue()
        settings = source._arguments.parse_arguments({"port": free_port((args or {}).get("host")), **(args or {})})
        self.source = source.Source(settings, self.queue, now=lambda: NOW, **options)
        self.host, self.port = settings.host, settings.port

    async def __aenter__(self) -> Scene:
        self.task = asyncio.create_task(self.source.run())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_args: object) -> None:
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task
        for _round in range(5):
            await asyncio.sleep(0.001)

    @property
    def connections(self) -> dict[t.Any, None]:
        return self.source._listener.connections

    async def open(
        self, data: bytes = b"", tls: ssl.SSLContext | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(self.host, self.port, ssl=tls)
        writer.write(data)
        return reader, writer

    async def ask(self, request: bytes, tls: ssl.SSLContext | None = None) -> Reply:
        reader, writer = await self.open(request, tls)
        try:
            return await reply_of(reader)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def reply_of(reader: asyncio.StreamReader) -> Reply:
    data = b""
    with contextlib.suppress(ConnectionError):
        while part := await asyncio.wait_for(reader.read(65536), 10):
            data += part
    if not data:
        return Reply(0, {}, "")
    head, _blank, body = data.decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    headers = {name.lower(): value for name, _colon, value in (line.partition(": ") for line in lines)}
    return Reply(int(first.split()[1]), headers, body)


def free_port(host: str | None = None) -> int:
    family = socket.AF_INET6 if host and ":" in host else socket.AF_INET
    with socket.create_server((host or "127.0.0.1", 0), family=family) as free:
        return int(free.getsockname()[1])


def request(
    method: str = "POST",
    target: str = "/plivo",
    body: bytes = b"",
    headers: t.Mapping[str, str] | t.Sequence[tuple[str, str]] = (),
) -> bytes:
    pairs = list(headers.items()) if isinstance(headers, t.Mapping) else list(headers)
    names = {name.lower() for name, _value in pairs}
    if "host" not in names:
        pairs.append(("Host", "example.com"))
    if body and not names & {"content-length", "transfer-encoding"}:
        pairs.append(("Content-Length", str(len(body))))
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in pairs)]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body


def form(fields: t.Any, headers: t.Mapping[str, str] | None = None, target: str = "/plivo") -> bytes:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return request("POST", target, urlencode(fields).encode(), {**kind, **(headers or {})})


def query(fields: t.Any, headers: t.Mapping[str, str] | None = None) -> bytes:
    return request("GET", f"/plivo?{urlencode(fields)}", headers=headers or {})


def signature(
    fields: t.Mapping[str, str],
    *,
    method: str = "POST",
    url: str = URL,
    token: str = TOKEN,
    nonce: str | None = None,
    name: str = "X-Plivo-Signature-V3",
) -> dict[str, str]:
    """The headers by which Plivo's own library takes a request for Plivo's."""
    nonce = nonce or next(_nonces)
    construct = signature_v3.construct_get_url if method == "GET" else signature_v3.construct_post_url
    text = construct(url, dict(fields)).decode()
    signed = signature_v3.get_signature_v3(token.encode(), text, nonce).decode()
    return {name: signed, "X-Plivo-Signature-V3-Nonce": nonce}
