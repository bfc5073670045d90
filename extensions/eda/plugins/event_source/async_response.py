# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
short_description: Receive what comes of Plivo API requests in asynchronous mode
version_added: 1.0.0
description:
  - In asynchronous mode the API answers a request at once, with an C(api_id) only, and sends the real answer to
    C(callback_url) later. This source is an HTTP or HTTPS server that takes these answers and makes events of them.
  - It takes POST with form fields or JSON, and GET with a query. The answer is JSON in the field C(response), or the
    whole of the body.
  - With O(auth_token) it takes only what is signed with that token, by Plivo's signatures of version 3.
author:
  - The plivo.voice contributors (@plivo-voice)
requirements:
  - aiohttp 3.9 or newer, which ansible-rulebook needs itself
options:
  host:
    description:
      - The address or name to listen at. V(0.0.0.0) stands for all IPv4 addresses, V(::) for all IPv6 addresses.
      - Without O(auth_token) it must be V(localhost), an address in 127.0.0.0/8 or V(::1), unless O(require_signature)
        is set to V(false).
    type: str
    default: 127.0.0.1
  port:
    description:
      - The TCP port to listen at.
    type: int
    default: 5000
  path:
    description:
      - The path that is called, as it stands in the request, percent-encoded where needed. All others are answered
        with 404.
    type: str
    default: /plivo
  certfile:
    description:
      - File with the certificate, in PEM format, followed by those of the authorities in between. Makes it HTTPS.
      - It is read at the start. Start the rulebook anew when the certificate was renewed.
    type: path
  keyfile:
    description:
      - File with the certificate's private key, in PEM format and not encrypted, if it is not in O(certfile).
    type: path
  auth_token:
    description:
      - The Auth Token of the account, which its callbacks are signed with. A list for several accounts, or for an
        account and its subaccounts.
      - Take it from a vault or from the environment. In a template give a list, such as
        V("{{ [plivo_auth_token | string] }}"), since a rulebook makes a number of a text that looks like one.
    type: list
    elements: str
  public_url:
    description:
      - What C(callback_url) says, if a proxy stands between, which changes the scheme, the host or the path. The
        signature is about the URL that Plivo called.
      - Its query and its fragment have no effect. The query is taken from the request, the fragment is never signed.
      - Without it, the URL is what the request says, with the field C(Host) and O(path), so that what Plivo has signed
        for the same path on another host of yours would be taken, too. Headers such as C(X-Forwarded-Host) are not
        trusted.
    type: str
  require_signature:
    description:
      - Whether to refuse everything without a signature. A signature that is wrong is refused in any case.
      - The default is V(true) with O(auth_token), and otherwise V(false).
    type: bool
  max_body:
    description:
      - How many bytes the body of a request may have. A query may have 64 KiB. All requests together may take eight
        times as much memory and 4 MiB, before they become events.
      - From V(1024) to V(67108864).
    type: int
    default: 1048576
notes:
  - An event has C(payload) and C(meta). C(payload.api_id) is what the task returned in
    RV(plivo.voice.conference_hangup#module:queued), or null if the callback does not say it. Further there is
    C(payload.message) of a hangup that was done, C(payload.error) of a request that failed, or C(payload.conferences)
    of a list or of details, with the same types as RV(plivo.voice.conference_info#module:conferences). Always just one
    of the three is there. Other fields of the answer are passed on.
  - C(meta.endpoint) is O(path), C(meta.received_at) the time in UTC, and C(meta.signed) says whether the answer was
    signed with O(auth_token).
  - A signature covers the URL and the fields of a form or a query, but not a body of JSON. That is refused while
    signatures are required, and otherwise never counts as signed.
  - A signature is good for one event. Its nonce is remembered for a day, or until 100,000 others have come, but not
    beyond a restart. Signatures have no date. So whoever could read a request that was signed can send it again after
    that time; use HTTPS.
  - Whether a callback that Plivo sends again has a new nonce is published nowhere. So the same answer may become two
    events. Let rules bear that, for example with C(throttle) by C(event.payload.api_id).
  - An event waits up to 35 seconds while the rulebook is busy, then the request is answered with 503. By itself Plivo
    does not send it again then. It does so with a fragment of C(callback_url) such as C(#rc=5&rp=ct,rt,5xx).
  - A request that is refused gets a status 4xx, and a line in the log with the reason. More than 20 of these lines in a
    minute are left out.
  - Names of conferences and callers come from strangers. What a rulebook hands over to a playbook or a module is a
    template to Ansible, so a name may run code there; C(docs/async.md) of the collection shows how to hand it over.
seealso:
  - module: plivo.voice.conference_hangup
  - module: plivo.voice.conference_info
  - name: Validation
    description: The vendor's documentation of the signatures.
    link: https://docs.plivo.com/docs/voice/xml/request/validation
  - name: Callback Configurations
    description: The vendor's documentation of the fragment, which says how long to wait and when to try again.
    link: https://www.plivo.com/docs/voice/concepts/callback-configurations/
"""

EXAMPLES = r"""
# Behind a proxy that ends TLS and passes https://example.com/plivo on to this machine. The tasks have
# callback_url: https://example.com/plivo
- plivo.voice.async_response:
    port: 5000
    public_url: https://example.com/plivo
    auth_token: "{{ [PLIVO_AUTH_TOKEN | string] }}" # ansible-rulebook --env-vars PLIVO_AUTH_TOKEN

# Without a proxy, for an account and its subaccount
- plivo.voice.async_response:
    host: 0.0.0.0
    port: 8443
    certfile: /etc/plivo/fullchain.pem
    keyfile: /etc/plivo/privkey.pem
    auth_token: "{{ [plivo_auth_token | string, plivo_subaccount_auth_token | string] }}"

# A rulebook
- name: Answers of Plivo
  hosts: localhost
  sources:
    - plivo.voice.async_response:
        public_url: https://example.com/plivo
        auth_token: "{{ [PLIVO_AUTH_TOKEN | string] }}"
  rules:
    - name: A hangup has failed
      condition: event.payload.error is defined
      action:
        print_event:
    - name: Somebody is on
      condition: event.payload.conferences is selectattr("conference_member_count", ">", 0)
      action:
        print_event:
"""

import asyncio
import datetime
import functools
import http
import importlib
import logging
import re
import ssl
import sys
import time
import types
import typing as t
from pathlib import Path

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

if t.TYPE_CHECKING:
    from ansible_collections.plivo.voice.plugins.module_utils import _answers, _errors
    from ansible_collections.plivo.voice.plugins.plugin_utils import (
        _arguments,
        _callback,
        _limited_log,
        _listener,
        _signatures,
    )
else:
    # ansible-rulebook runs this file by its path and knows nothing of packages. So plugins/ of the very collection that
    # this file belongs to becomes one, under a name that nothing else has; sys.path stays as it is.
    _PLUGINS = Path(__file__).resolve().parents[4] / "plugins"
    _PACKAGE = f"plugins of {_PLUGINS.parent}".replace(".", "_")
    if _PACKAGE not in sys.modules:
        sys.modules[_PACKAGE] = types.ModuleType(_PACKAGE)
        sys.modules[_PACKAGE].__path__ = [str(_PLUGINS)]
    _answers = importlib.import_module(f"{_PACKAGE}.module_utils._answers")
    _errors = importlib.import_module(f"{_PACKAGE}.module_utils._errors")
    _arguments = importlib.import_module(f"{_PACKAGE}.plugin_utils._arguments")
    _callback = importlib.import_module(f"{_PACKAGE}.plugin_utils._callback")
    _limited_log = importlib.import_module(f"{_PACKAGE}.plugin_utils._limited_log")
    _listener = importlib.import_module(f"{_PACKAGE}.plugin_utils._listener")
    _signatures = importlib.import_module(f"{_PACKAGE}.plugin_utils._signatures")

logger = logging.getLogger("plivo.voice.async_response")

#: Plivo waits 40 seconds for an answer, and 55 with all it does to get one (documentation of callback configurations).
WAIT_SECONDS = 35.0
#: What an answer of 503 asks for; nobody has published whether Plivo heeds it.
RETRY_AFTER = "5"
KIBIBYTE = 1 << 10
#: For the first line of a request, which holds the answer in a query.
QUERY_BYTES = 64 * KIBIBYTE
#: For what comes beside the body: the first line, other headers, and whatever the last read from the socket brought.
EXTRA_BYTES = 512 * KIBIBYTE
NONCE_SECONDS = 86_400.0
NONCES = 100_000
#: Nobody has published how long a nonce is; all that were seen have 20 digits.
NONCE_LENGTH = 256
LOG_LINES, LOG_SECONDS = 20, 60.0
#: For a sender that is told to stop and does not.
LINGER_SECONDS = 2.0

SIGNATURES = ("X-Plivo-Signature-V3", "X-Plivo-Signature-Ma-V3")
NONCE = "X-Plivo-Signature-V3-Nonce"
OLD_SIGNATURES = ("X-Plivo-Signature-V2", "X-Plivo-Signature-Ma-V2")

_HOST_FIELD = re.compile(r"[A-Za-z0-9._:\[\]-]+")


class RefusedError(Exception):
    """A request that becomes no event.

    :param status: what it is answered with.
    :param reason: for the log; the sender learns the status only.
    """

    def __init__(self, status: int, reason: str, headers: t.Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = headers or {}


class Source:
    """The server: takes requests, and puts events into the rulebook's queue.

    :param settings: see ``_arguments``.
    :param queue: takes events; may be full.
    :param limits: what strangers may take; the default follows from ``max_body``.
    :param wait_seconds: how long an event waits for the queue.
    :param clock: monotonic seconds.
    :param now: the time of day.
    """

    def __init__(
        self,
        settings: _arguments.Settings,
        queue: asyncio.Queue[t.Any],
        *,
        limits: _listener.Limits | None = None,
        wait_seconds: float = WAIT_SECONDS,
        clock: t.Callable[[], float] = time.monotonic,
        now: t.Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.timezone.utc),
    ) -> None:
        self._settings = settings
        self._queue = queue
        self._wait_seconds = wait_seconds
        self._now = now
        self._nonces = _signatures.Nonces(NONCE_SECONDS, NONCES, clock)
        self._log = _limited_log.LimitedLog(logger, LOG_LINES, LOG_SECONDS, clock)
        self._listener = _listener.Listener(
            limits or default_limits(settings.max_body), self._protocol, self._log.write
        )
        self._answering: set[asyncio.Task[t.Any]] = set()
        # aiohttp's own words about what is not HTTP: with a traceback, or, where nothing of it is HTTP, at level DEBUG.
        self._http_logger = logging.Logger(logger.name, logging.DEBUG)
        self._http_logger.addHandler(_Passing(self._log))

    async def run(self) -> None:
        """Serve until cancelled.

        :raises PlivoError: it cannot listen there, or not with this certificate.
        """
        settings = self._settings
        tls = tls_context(settings.certfile, settings.keyfile) if settings.certfile else None
        try:
            sockets = _listener.listen(settings.host, settings.port)
        except OSError as error:
            raise _errors.refusal(
                f"host, port: cannot listen at {settings.host}, port {settings.port}: {error.strerror}; give an address"
                " of this machine and a port that is free."
            ) from None
        logger.info(
            "Listening at %s, port %d, path %s, %s signatures", settings.host, settings.port, settings.path,
            "only with" if settings.required else "also without",
        )  # fmt: skip
        try:
            await self._listener.run(sockets, tls)
        finally:
            for task in self._answering:
                task.cancel()
            await asyncio.gather(*self._answering, return_exceptions=True)

    def _protocol(self, connection: _listener.Connection) -> asyncio.Protocol:
        server = web.Server(
            functools.partial(self._answer, connection),
            access_log=None,
            logger=self._http_logger,
            # A small body can unpack to a huge one.
            auto_decompress=False,
            lingering_time=LINGER_SECONDS,
            max_line_size=QUERY_BYTES,
        )
        return server()

    async def _answer(self, connection: _listener.Connection, request: web.BaseRequest) -> web.StreamResponse:
        task = t.cast("asyncio.Task[t.Any]", asyncio.current_task())
        self._answering.add(task)
        try:
            await self._take(connection, request)
            response = web.Response(text="OK\n")
        except RefusedError as refused:
            self._log.write(connection.peer, f"{refused.status}: {refused.reason}")
            phrase = http.HTTPStatus(refused.status).phrase
            response = web.Response(status=refused.status, text=f"{phrase}\n", headers=refused.headers)
        except Exception as error:
            self._log.write(connection.peer, f"500: {error!r}", error)
            response = web.Response(status=500)
        finally:
            self._answering.discard(task)
            connection.leave()
        # What else this sender has to say costs it a connection of its own, with bounds of its own.
        response.force_close()
        return response

    async def _take(self, connection: _listener.Connection, request: web.BaseRequest) -> None:
        """Make an event of a request."""
        settings = self._settings
        path, _mark, query_text = request.raw_path.partition("?")
        if path != settings.path:
            raise RefusedError(404, f"its path is {path!r:.100}, and not {settings.path}")
        if request.method not in ("GET", "POST"):
            raise RefusedError(405, f"its method is {request.method!r:.20}", {"Allow": "GET, POST"})
        if not query_text.isascii():
            raise RefusedError(400, "its query is not ASCII")
        signatures = [value for name in SIGNATURES for value in request.headers.getall(name, ())]
        if settings.required and not signatures:
            old = any(name in request.headers for name in OLD_SIGNATURES)
            raise RefusedError(403, "it is signed by version 2, which covers no answer" if old else "it is not signed")

        is_json = request.method == "POST" and self._is_json(request)
        body = await self._read(request) if request.method == "POST" else b""
        nonce = None
        try:
            if is_json:
                payload = _callback.payload_of_json(body)
            else:
                query = _callback.parse_pairs(query_text)
                form = _callback.parse_pairs(body.decode("utf-8"))
                if signatures and settings.tokens:
                    nonce = self._verified_nonce(request, signatures, query, form)
                payload = _callback.payload_of_fields([*query, *form])
        except UnicodeDecodeError:
            raise RefusedError(400, "its body is not UTF-8") from None
        except ValueError as error:
            raise RefusedError(400, str(error)) from None

        received_at = self._now().isoformat().replace("+00:00", "Z")
        meta = {"endpoint": settings.path, "received_at": received_at, "signed": nonce is not None}
        await self._put(connection, {"payload": payload, "meta": meta}, nonce)

    def _is_json(self, request: web.BaseRequest) -> bool:
        """Whether the body is JSON rather than a form; refuses anything else before it is read."""
        encoding = request.headers.get("Content-Encoding", "identity")
        if encoding.lower() != "identity":
            raise RefusedError(415, f"its body is encoded ({encoding})")
        if (request.charset or "utf-8").lower() not in ("utf-8", "utf8", "us-ascii"):
            raise RefusedError(415, f"its charset is {request.charset}, and not UTF-8")
        kind = request.content_type
        if kind == "application/x-www-form-urlencoded" or not request.can_read_body:
            return False
        if kind != "application/json":
            raise RefusedError(415, f"its body is neither a form nor JSON ({kind})")
        if self._settings.required:
            raise RefusedError(
                415,
                "its body is JSON, which no signature covers; if Plivo sends it so, set callback_method to GET, or"
                " require_signature to false",
            )
        return True

    async def _read(self, request: web.BaseRequest) -> bytes:
        most = self._settings.max_body
        too_large = f"its body is larger than max_body ({most})"
        if (request.content_length or 0) > most:
            raise RefusedError(413, too_large)
        if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = bytearray()
        try:
            async for part in request.content.iter_any():
                body += part
                if len(body) > most:
                    raise RefusedError(413, too_large)
        except (OSError, web.RequestPayloadError, HttpProcessingError) as error:
            # aiohttp keeps the error, whose traceback would keep the body.
            error.__traceback__ = None
            raise RefusedError(400, f"its body broke off ({error})") from None
        return bytes(body)

    def _verified_nonce(
        self,
        request: web.BaseRequest,
        signatures: t.Iterable[str],
        query: _signatures.Pairs,
        form: _signatures.Pairs,
    ) -> str:
        """The nonce of a request whose signature fits."""
        nonces = request.headers.getall(NONCE, ())
        if len(nonces) != 1 or not 0 < len(nonces[0]) <= NONCE_LENGTH:
            raise RefusedError(403, f"it is signed without a proper {NONCE}")
        base = self._settings.public_base or self._requested_base(request)
        text = _signatures.text_to_sign(base, query, form, nonces[0])
        if not _signatures.any_fits(self._settings.tokens, signatures, text):
            raise RefusedError(
                403,
                "its signature does not fit; if it is Plivo's, check auth_token, and public_url if a proxy stands"
                f" between ({request.method} {base})",
            )
        return nonces[0]

    def _requested_base(self, request: web.BaseRequest) -> str:
        hosts = request.headers.getall("Host", ())
        scheme = "https" if self._settings.certfile else "http"
        try:
            if len(hosts) == 1 and _HOST_FIELD.fullmatch(hosts[0]):
                return _signatures.base_of(f"{scheme}://{hosts[0]}{self._settings.path}")
        except ValueError:
            # Brackets that hold no address.
            pass
        raise RefusedError(400, "it does not say which host it is for")

    async def _put(self, connection: _listener.Connection, event: dict[str, t.Any], nonce: str | None) -> None:
        """Queue an event within a bounded time, or not at all; only then its nonce is used."""
        busy = {"Retry-After": RETRY_AFTER}
        if nonce is not None:
            state = self._nonces.claim(nonce)
            if state == _signatures.USED:
                raise RefusedError(409, "its nonce was used before")
            if state == _signatures.PENDING:
                # What becomes of the first is not known yet. Should it fail, this one must be able to come again.
                raise RefusedError(503, "the same request is waiting already", busy)
        queued = False
        try:
            if not connection.wait():
                raise RefusedError(503, "too many requests are waiting; the rulebook is busy", busy)
            try:
                await asyncio.wait_for(self._queue.put(event), self._wait_seconds)
            except asyncio.TimeoutError:
                raise RefusedError(503, f"the rulebook was busy for {self._wait_seconds:g} s", busy) from None
            queued = True
        finally:
            if nonce is not None:
                self._nonces.settle(nonce, used=queued)


class _Passing(logging.Handler):
    """Passes on what aiohttp complains of, in our form."""

    def __init__(self, log: _limited_log.LimitedLog) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            self._log.write("a connection", f"400: it is not HTTP ({error.message})")
        elif record.levelno >= logging.ERROR:
            self._log.write("a connection", record.getMessage(), error)


def default_limits(max_body: int) -> _listener.Limits:
    """What strangers may take."""
    request_bytes = max_body + EXTRA_BYTES
    return _listener.Limits(
        connections=256,
        waiting=192,
        request_bytes=request_bytes,
        request_lines=10_000,
        held_bytes=8 * request_bytes,
        read_seconds=10.0,
        close_seconds=5.0,
    )


def tls_context(certfile: str, keyfile: str | None) -> ssl.SSLContext:
    """A server's TLS, with its certificate.

    :raises PlivoError: it cannot be used.
    """
    for name, path in (("certfile", certfile), ("keyfile", keyfile)):
        try:
            if path is not None:
                with open(path, "rb"):
                    pass
        except OSError as error:
            raise _errors.refusal(f"{name}: cannot read {path!r}: {error.strerror}; give a PEM file.") from None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certfile, keyfile, _no_password)
    except ssl.SSLError as error:
        raise _errors.refusal(
            f"certfile, keyfile: no certificate with its key in {certfile!r} and {keyfile or certfile!r} ({error});"
            " give both in PEM format."
        ) from None
    return context


def _no_password() -> t.NoReturn:
    # OpenSSL would ask at the terminal, and wait for ever where nobody sits.
    raise _errors.refusal("keyfile: the key is encrypted; give one that is not, in a file that nobody else can read.")


async def main(queue: asyncio.Queue[t.Any], args: dict[str, t.Any]) -> None:
    """What ansible-rulebook calls."""
    await Source(_arguments.parse_arguments(args), queue).run()
