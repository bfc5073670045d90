# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One attempt at one HTTP request: bounded in time and size, to exactly the URL that was meant.

Only this file and _connections know requests. They import it when a transport is made, not before: so a task that
is refused for its options does not pay for it, and where it is missing the adapter can say so.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import typing as t
from urllib.parse import urlsplit

from ._connections import bounded_adapter, find_proxies, tls_context
from ._errors import CONNECTION, INVALID_REQUEST, PROTOCOL, TIMEOUT, TLS, PlivoError
from ._sockets import Attempt, BoundedSockets

if t.TYPE_CHECKING:
    import requests

#: A list of 100,000 conferences has a few MiB; more than this is not an answer but a flood.
MAX_BODY = 16 * 1024 * 1024

_CHUNK = 64 * 1024


class Answer(t.NamedTuple):
    """What came back, whole."""

    status: int
    headers: t.Mapping[str, str]
    body: bytes


class Transport:
    """Sends single requests over kept connections; may be used by several threads.

    :param base_url: scheme, host and path prefix, checked (see ``_options.check_api_url``).
    :param timeout: seconds for one attempt as a whole, name resolution apart.
    :param connections: how many connections to keep.
    :param validate_certs: whether to check the server's certificate.
    :param ca_path: a CA bundle (file or directory) to check it with.
    :raises ImportError: requests is not installed.
    :raises PlivoError: a CA bundle or a proxy that cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout: float,
        connections: int,
        validate_certs: bool = True,
        ca_path: str | None = None,
    ) -> None:
        import requests

        self._base_url = base_url
        self._base_path = urlsplit(base_url).path
        self._timeout = timeout
        self._verify = validate_certs
        self._attempt = Attempt()
        self._proxies = find_proxies(base_url)
        sockets = BoundedSockets(self._attempt)
        context = None
        encrypted = [url for url in (base_url, *self._proxies.values()) if url.startswith("https:")]
        # Reading a CA bundle takes longer than a request to a server nearby.
        if encrypted:
            context = tls_context(urlsplit(encrypted[0]).hostname or "", validate_certs, ca_path)
            context.sslsocket_class = sockets.tls
        self._adapter = bounded_adapter(self._attempt, sockets, context, connections)
        self._new_request = requests.Request

    def url(self, path: str) -> str:
        """The URL of a path below the base, without a query."""
        return self._base_url + path

    def send(
        self,
        method: str,
        path: str,
        query: str,
        headers: t.Mapping[str, str],
        body: bytes | None = None,
        timeout: float | None = None,
        leave_within: float | None = None,
    ) -> Answer:
        """Make one attempt.

        :param path: below the base URL, percent-encoded; goes out exactly so.
        :param query: encoded, without the question mark; may be empty.
        :param timeout: seconds, where less than the usual time is left.
        :param leave_within: seconds in which a connection must be there, or the request is not sent.
        :raises PlivoError: ``timeout``, ``connection``, ``tls``, ``protocol`` (too large, cut short) or
            ``invalid_request`` (it would have gone to another URL). Its ``doubtful`` says whether the
            request was on its way, so that the server may have acted on it.
        """
        suffix = path + ("?" + query if query else "")
        seconds = min(self._timeout, timeout) if timeout is not None else self._timeout
        self._attempt.begin(seconds, self._base_path + suffix, leave_within)
        try:
            request = self._new_request(method, self._base_url + suffix, headers=dict(headers), data=body).prepare()
            response = self._adapter.send(request, timeout=seconds, verify=self._verify, proxies=self._proxies)
            try:
                return Answer(response.status_code, response.headers, _read(response))
            finally:
                # Keeps the connection if the answer was read to its end, closes it otherwise.
                response.close()
        except PlivoError as error:
            error.doubtful = self._attempt.sent
            raise
        except Exception as error:
            raise _explain(error, self._attempt, seconds) from error


def _read(response: requests.Response) -> bytes:
    """The whole body, no larger than allowed and no shorter than announced."""
    announced = response.headers.get("Content-Length", "")
    chunked = "Transfer-Encoding" in response.headers
    status = response.status_code
    if status < 200 or status == 304 or (status == 204 and (announced not in ("", "0") or chunked)):
        # These have no body (RFC 9110, 6.4.1), so nobody reads what they announce all the same; and an interim answer
        # is followed by the final one. In a kept connection either would be taken for the next request's answer.
        # An answer that is left unread has its connection closed.
        return b""
    expected = int(announced) if announced.isascii() and announced.isdigit() else None
    chunks: list[bytes] = []
    size = 0
    while expected is None or expected <= MAX_BODY:
        chunk = response.raw.read(_CHUNK, decode_content=False)
        if not chunk:
            break
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_BODY:
            break
    if size > MAX_BODY or (expected is not None and expected > MAX_BODY):
        raise PlivoError(PROTOCOL, f"the answer is larger than {MAX_BODY // (1024 * 1024)} MiB")
    # urllib3 before 2.0 takes a short body for a whole one.
    if expected is not None and size < expected and not chunked:
        raise _cut_short()
    return b"".join(chunks)


def _cut_short() -> PlivoError:
    return PlivoError(PROTOCOL, "the answer was cut short", retryable=True)


def _causes(error: BaseException) -> t.Iterator[BaseException]:
    """An exception and all that it was made from, outermost first: three libraries wrap each other's."""
    seen: list[BaseException] = []
    queue: list[t.Any] = [error]
    while queue:
        current = queue.pop(0)
        if not isinstance(current, BaseException) or any(current is known for known in seen):
            continue
        seen.append(current)
        yield current
        queue += [*current.args, getattr(current, "reason", None), current.__cause__, current.__context__]


def _explain(error: Exception, attempt: Attempt, seconds: float) -> PlivoError:
    """What an exception of requests, urllib3, http.client, ssl or socket means for the user."""
    import requests
    import urllib3

    causes = list(_causes(error))

    def caused_by(*types: type[BaseException]) -> BaseException | None:
        return next((cause for cause in causes if isinstance(cause, types)), None)

    def failure(kind: str, msg: str, retryable: bool = True) -> PlivoError:
        return PlivoError(kind, msg, retryable=retryable, doubtful=attempt.sent)

    if attempt.expired or caused_by(socket.timeout, requests.exceptions.Timeout):
        return failure(TIMEOUT, f"no complete answer within {seconds:g} s")
    if caused_by(ssl.SSLEOFError, ssl.SSLZeroReturnError):
        return failure(CONNECTION, "the server closed the TLS connection")
    tls = caused_by(ssl.SSLError)
    if tls or caused_by(requests.exceptions.SSLError):
        return failure(TLS, f"TLS: {_innermost(tls or causes[-1])}", retryable=False)
    proxy = caused_by(requests.exceptions.ProxyError, urllib3.exceptions.ProxyError)
    if proxy:
        reason = _innermost(causes[-1])
        # A proxy that wants a login will want it the next time, too.
        return failure(CONNECTION, f"the proxy from the environment: {reason}", retryable="407" not in reason)
    resolution = caused_by(socket.gaierror)
    if resolution:
        return failure(CONNECTION, f"the host's name cannot be resolved: {_innermost(resolution)}")
    if caused_by(http.client.IncompleteRead):
        short = _cut_short()
        short.doubtful = attempt.sent
        return short
    if caused_by(http.client.RemoteDisconnected):
        return failure(CONNECTION, "the connection was closed without an answer")
    if caused_by(http.client.BadStatusLine):
        # Retried, since a kept connection may hold what another server-side fault has left in it.
        return failure(CONNECTION, "what came back is not HTTP")
    if caused_by(requests.exceptions.InvalidURL):
        return failure(INVALID_REQUEST, f"the URL cannot be used: {_innermost(causes[-1])}", retryable=False)
    # Every exception of requests is an OSError as well; only the system's own means a broken connection.
    broken = [c for c in causes if isinstance(c, OSError) and not isinstance(c, requests.exceptions.RequestException)]
    if broken:
        return failure(CONNECTION, f"the connection failed: {_innermost(broken[-1])}")
    return failure(PROTOCOL, f"the answer cannot be read as HTTP: {_innermost(causes[-1])}", retryable=False)


def _innermost(error: BaseException) -> str:
    """An exception's own words on one line: without errno, addresses in memory or the wrappers' names."""
    text = getattr(error, "verify_message", None) or getattr(error, "strerror", None) or str(error)
    return " ".join(str(text).split()).rstrip(".") or type(error).__name__
