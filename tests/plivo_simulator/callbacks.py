# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the plivo.voice contributors
"""Asynchronous mode: execute later, then call back, signed as Plivo signs."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Callable
from urllib.parse import parse_qs, parse_qsl, urlencode, urlparse, urlsplit, urlunparse

import aiohttp
from yarl import URL

from .world import Account

LIMIT = 10_000


# --- signatures ------------------------------------------------------------------------------------


def _hmac(token: str, text: str) -> str:
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha256).digest()).decode()


def _bare(url: str) -> str:
    """Scheme, host and path: what is left of a URL without parameters, query and fragment."""
    parsed = urlparse(url)
    return urlunparse((parsed.scheme, parsed.netloc, parsed.path, "", "", ""))


def _pairs(params: Mapping[str, Any]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for key in sorted(params):
        value = params[key]
        values = sorted(map(str, value)) if isinstance(value, list) else [str(value)]
        pairs.extend((key, each) for each in values)
    return pairs


def text_to_sign_v3(method: str, url: str, params: Mapping[str, Any], nonce: str) -> str:
    """What V3 signs: the URL with its query sorted, and the fields that were sent, sorted too."""
    query: dict[str, Any] = dict(parse_qs(urlsplit(url).query, keep_blank_values=True))
    if method == "GET":
        query = {**params, **query}
        fields = ""
    else:
        fields = "".join(key + value for key, value in _pairs(params))
    text = _bare(url)
    merged = "&".join(f"{key}={value}" for key, value in _pairs(query))
    if merged or fields:
        text += "?" + merged
    if merged and fields:
        text += "."
    return f"{text}{fields}.{nonce}"


def sign_v3(method: str, url: str, params: Mapping[str, Any], token: str, nonce: str) -> str:
    return _hmac(token, text_to_sign_v3(method, url, params, nonce))


def sign_v2(url: str, token: str, nonce: str) -> str:
    """The older scheme, which covers neither query nor fields."""
    return _hmac(token, _bare(url) + nonce)


def signature_headers(account: Account, method: str, url: str, params: Mapping[str, Any]) -> dict[str, str]:
    nonce = f"{secrets.randbelow(10**20):020d}"
    own, main = account.auth_token, account.main_auth_token
    return {
        "X-Plivo-Signature-V2": sign_v2(url, own, nonce),
        "X-Plivo-Signature-Ma-V2": sign_v2(url, main, nonce),
        "X-Plivo-Signature-V2-Nonce": nonce,
        "X-Plivo-Signature-V3": sign_v3(method, url, params, own, nonce),
        "X-Plivo-Signature-Ma-V3": sign_v3(method, url, params, main, nonce),
        "X-Plivo-Signature-V3-Nonce": nonce,
    }


# --- asynchronous requests -------------------------------------------------------------------------


def wanted(method: str, query: str, body: bytes, arguments: str) -> tuple[str, str] | None:
    """The callback a request asks for, as (URL, method); None in the synchronous mode.

    On DELETE nobody has published whether Plivo reads the query or the JSON body, so that is a
    setting; a client that sends both is right either way.
    """
    given: dict[str, Any] = {}
    if method == "DELETE" and body and arguments != "query":
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        if isinstance(document, dict):
            given = document
    if query and (method == "GET" or arguments != "body"):
        given = {**given, **dict(parse_qsl(query, keep_blank_values=True))}
    if "callback_url" not in given:
        return None
    return str(given["callback_url"]), str(given.get("callback_method", "POST")).upper()


def complaint(url: str, method: str) -> str | None:
    """What is wrong with a callback that a request asks for."""
    try:
        parsed = urlsplit(url)
        valid = parsed.scheme in ("http", "https") and bool(parsed.hostname)
    except ValueError:
        valid = False
    if not valid:
        return "callback_url is not a valid URL"
    if method not in ("GET", "POST"):
        return "callback_method is neither GET nor POST"
    return None


class Retries:
    """The fragment of a callback URL: how long to wait for the receiver, and when to try again.

    Names and defaults from Plivo's documentation of callback configurations.
    """

    def __init__(self, fragment: str) -> None:
        given = dict(parse_qsl(fragment))
        self.timeout = aiohttp.ClientTimeout(
            total=None,
            sock_connect=_number(given.get("ct"), 2000) / 1000,
            sock_read=_number(given.get("rt"), 40000) / 1000,
        )
        self.attempts = 1 + _number(given.get("rc"), 1)
        policy = given.get("rp", "ct,rt").split(",")
        self._policy = ("4xx", "5xx", "ct", "rt") if "all" in policy else tuple(policy)

    def again(self, outcome: str) -> bool:
        return outcome in self._policy


def _number(text: str | None, default: int) -> int:
    return int(text) if text is not None and text.isdigit() else default


class Callbacks:
    """Runs what was accepted, delivers its answer, and keeps a record of every delivery."""

    def __init__(self) -> None:
        self.delivered: deque[dict[str, Any]] = deque(maxlen=LIMIT)
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None

    def accept(
        self, account: Account, url: str, method: str, api_id: str, execute: Callable[[], dict[str, Any]]
    ) -> None:
        task = asyncio.get_running_loop().create_task(self._run(account, url, method, api_id, execute))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def forget(self) -> None:
        """Drop what is under way, so that nothing of one test reaches the next."""
        for task in list(self._tasks):
            task.cancel()
        self.delivered.clear()

    async def close(self) -> None:
        self.forget()
        if self._session is not None:
            await self._session.close()

    async def _run(
        self, account: Account, url: str, method: str, api_id: str, execute: Callable[[], dict[str, Any]]
    ) -> None:
        settings = account.settings
        await asyncio.sleep(settings.async_delay)
        document = execute()
        fields = {"api_id": api_id, "response": json.dumps(document)}
        target, _hash, fragment = url.partition("#")
        form = method == "POST" and settings.callback_encoding == "form"
        signed = fields if form or method == "GET" else {}
        headers = signature_headers(account, method, target, signed)
        body = b""
        if method == "GET":
            target += ("&" if urlsplit(target).query else "?") + urlencode(fields)
        elif form:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = urlencode(fields).encode()
        else:
            headers["Content-Type"] = "application/json"
            whole = settings.callback_encoding == "json_whole"
            body = json.dumps(document if whole else fields).encode()
        record: dict[str, Any] = {
            "time": time.monotonic(),
            "account": account.auth_id,
            "api_id": api_id,
            "method": method,
            "url": target,
            "body": body.decode(),
            "headers": headers,
            "response": document,
        }
        record.update(await self._deliver(method, target, body, headers, Retries(fragment)))
        self.delivered.append(record)

    async def _deliver(
        self, method: str, url: str, body: bytes, headers: dict[str, str], retries: Retries
    ) -> dict[str, Any]:
        """Send it, and again where the retry policy says so; the last outcome counts."""
        if self._session is None:
            # Certificates are not checked: receivers under test have self-signed ones. Connections are
            # not kept: the next receiver may listen at the same port.
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False, force_close=True))
        status: int | None = None
        failure: str | None = None
        attempt = 0
        while attempt < retries.attempts:
            attempt += 1
            status = failure = None
            try:
                async with self._session.request(
                    method,
                    URL(url, encoded=True),  # as it was given: it is what was signed
                    data=body or None,
                    headers=headers,
                    timeout=retries.timeout,
                    allow_redirects=False,
                ) as answer:
                    await answer.read()
                    status = answer.status
                    outcome = f"{status // 100}xx"
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as exc:
                outcome, failure = "ct", str(exc)
            except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError) as exc:
                outcome, failure = "rt", str(exc) or type(exc).__name__
            if not retries.again(outcome):
                break
        return {"status": status, "error": failure, "attempts": attempt}
