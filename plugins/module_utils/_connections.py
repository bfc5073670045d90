# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to the API: proxy, certificates, and connections that are bounded and send nothing but what was meant."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import typing as t
from urllib.parse import urlsplit

from ._errors import CONNECTION, INVALID_REQUEST, TIMEOUT, PlivoError, refusal
from ._hosts import is_address, is_host, is_loopback
from ._sockets import Attempt, BoundedSockets

#: Environment variables that name a CA bundle, as in requests; the option ca_path wins over them.
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def find_proxies(base_url: str) -> dict[str, str]:
    """The proxy from the environment for this URL, as requests takes it.

    :raises PlivoError: it cannot be used. The message does not repeat it, since there may be a password in it.
    """
    from requests.utils import get_environ_proxies, select_proxy

    remedy = "mend HTTPS_PROXY, or add the API's host to NO_PROXY."
    try:
        proxy = select_proxy(base_url, get_environ_proxies(base_url, no_proxy=None))
        if not proxy:
            return {}
        # It may be written without a scheme.
        parts = urlsplit(proxy if "://" in proxy else "http://" + proxy)
        scheme, host, port = parts.scheme.lower(), parts.hostname or "", parts.port
    except ValueError:
        raise PlivoError(CONNECTION, f"the proxy from the environment is not a URL: {remedy}") from None
    if base_url.startswith("http:") and not is_loopback(host):
        # Plain http is allowed to this machine only, so that the token never crosses a network in clear.
        return {}
    if scheme not in ("http", "https"):
        raise PlivoError(CONNECTION, f"the environment asks for a {scheme} proxy, which is not supported: {remedy}")
    if not is_host(host) or port == 0:
        raise PlivoError(CONNECTION, f"the proxy from the environment has no valid host and port: {remedy}")
    return {urlsplit(base_url).scheme: proxy}


def tls_context(host: str, validate_certs: bool, ca_path: str | None) -> ssl.SSLContext:
    """The client's side of TLS, with the certificates read once for all connections."""
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Old urllib3 does not hand an address to the handshake, where it would be required. It compares the
    # certificate with the address itself when the context does not.
    context.check_hostname = validate_certs and not is_address(host)
    if not validate_certs:
        context.verify_mode = ssl.CERT_NONE
        return context
    named, bundle = "", DEFAULT_CA_BUNDLE_PATH
    if ca_path:
        named, bundle = f"ca_path: {ca_path!r}", ca_path
    else:
        for variable in _CA_VARIABLES:
            if os.environ.get(variable):
                bundle = os.environ[variable]
                named = f"the environment variable {variable}: {bundle!r}"
                break
    try:
        if os.path.isdir(bundle):
            context.load_verify_locations(capath=bundle)
        else:
            context.load_verify_locations(cafile=bundle)
    except (OSError, ValueError) as error:
        raise refusal(
            f"{named or repr(bundle)} is not a readable CA bundle ({error}): name a PEM file or a hashed directory."
        ) from error
    return context


class _Head:
    """Reads the head of an answer from a file, and remembers its latest line."""

    def __init__(self, file: t.Any) -> None:
        self.file = file
        self.line = b""

    def readline(self, *args: t.Any) -> bytes:
        self.line = self.file.readline(*args)
        return self.line

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self.file, name)


class _WholeHead(http.client.HTTPResponse):
    """An answer whose head ends with a blank line.

    For http.client the end of the stream ends a head as well: ``HTTP/1.1 204``, cut short right there, would be the
    success of a hangup.
    """

    def begin(self) -> None:
        head = _Head(self.fp)
        self.fp = t.cast(t.Any, head)
        try:
            super().begin()
        finally:
            self.fp = head.file
        if head.line not in (b"\r\n", b"\n"):
            raise http.client.IncompleteRead(head.line)


def bounded_adapter(
    attempt: Attempt, sockets: BoundedSockets, context: ssl.SSLContext | None, connections: int
) -> t.Any:
    """An adapter of requests whose connections are bounded and send nothing but what was meant."""
    import urllib3
    from requests.adapters import HTTPAdapter
    from urllib3.connection import HTTPConnection, HTTPSConnection

    # The user has decided on validate_certs: false; the warning would only reach the module's stderr.
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

    class Bounded:
        """What both kinds of connection have in common; mixed into urllib3's classes."""

        def _new_conn(self: t.Any) -> socket.socket:
            return sockets.connect(self._dns_host.strip("[]"), self.port, self.socket_options or ())

        def putrequest(self: t.Any, method: str, url: str, *args: t.Any, **kwargs: t.Any) -> t.Any:
            # requests and urllib3 decode and normalise paths on their way here: %2E becomes a dot, and a
            # dot segment is removed, which turns one conference into all of them. This is the last gate.
            target = url if url.startswith("/") else "/" + url.split("/", 3)[-1]
            if target != attempt.target:
                raise PlivoError(
                    INVALID_REQUEST,
                    f"not sent, since it would have gone to {target!r} and not to {attempt.target!r}: this cannot be"
                    " addressed.",
                )
            return super().putrequest(method, url, *args, **kwargs)  # type: ignore[misc]

        def endheaders(self: t.Any, *args: t.Any, **kwargs: t.Any) -> None:
            if self.sock is None:
                self.connect()
            if attempt.is_late:
                raise PlivoError(
                    TIMEOUT, "not sent, since connecting took so long that its reason was out of date", retryable=True
                )
            attempt.sent = True
            super().endheaders(*args, **kwargs)  # type: ignore[misc]

        def getresponse(self: t.Any, *args: t.Any, **kwargs: t.Any) -> t.Any:
            if self.sock is None:
                # urllib3 goes on after a reset while it was sending, in case there is an answer, and stumbles.
                raise http.client.RemoteDisconnected("the connection was reset while the request was sent")
            return super().getresponse(*args, **kwargs)  # type: ignore[misc]

    class BoundedHTTPConnection(Bounded, HTTPConnection):
        response_class = _WholeHead

    class BoundedHTTPSConnection(Bounded, HTTPSConnection):
        response_class = _WholeHead

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = BoundedHTTPConnection

    class TlsPool(urllib3.HTTPSConnectionPool):
        ConnectionCls = BoundedHTTPSConnection

    pools = {"http": PlainPool, "https": TlsPool}

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *args: t.Any, **kwargs: t.Any) -> None:
            super().init_poolmanager(*args, ssl_context=context, **kwargs)
            self.poolmanager.pool_classes_by_scheme = pools

        def proxy_manager_for(self, proxy: str, **kwargs: t.Any) -> t.Any:
            manager = super().proxy_manager_for(proxy, ssl_context=context, proxy_ssl_context=context, **kwargs)
            manager.pool_classes_by_scheme = pools
            return manager

        def cert_verify(self, conn: t.Any, url: str, verify: t.Any, cert: t.Any) -> None:
            # The context holds the certificates already. requests would load its own bundle into it, once
            # more for every connection, and so trust it beside the one that the user named.
            conn.cert_reqs = "CERT_REQUIRED" if verify else "CERT_NONE"

    return Adapter(pool_connections=1, pool_maxsize=connections)
