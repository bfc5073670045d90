# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to a JSON API: paced, read-only if need be, and repeated. Knows HTTP and nothing of conferences."""

from __future__ import annotations

import base64
import collections
import json
import platform
import random as random_module
import threading
import time
import typing as t
from urllib.parse import quote, urlencode

from ._answers import judge
from ._errors import (
    CONNECTION,
    INVALID_REQUEST,
    PROTOCOL,
    RATE_LIMITED,
    REMEDIES,
    TIMEOUT,
    PlivoError,
)
from ._pacing import SlidingWindow, parse_retry_after, retry_delay
from ._transport import Transport
from ._version import VERSION

#: See ``Client.send``.
Confirm = t.Callable[[t.Optional[PlivoError]], float]


class Reply(t.NamedTuple):
    """An answer that the API promises.

    :ivar status: the HTTP status.
    :ivar data: the JSON object, empty for an answer without a body.
    :ivar api_id: Plivo's identifier of the request.
    :ivar asked_at: when the attempt that it answers began, on the client's clock.
    :ivar received_at: when it came.
    :ivar attempts: how many attempts it took.
    """

    status: int
    data: dict[str, t.Any]
    api_id: str | None
    asked_at: float
    received_at: float
    attempts: int


class Client:
    """Makes requests for one account; may be used by several threads.

    :param transport: makes single attempts.
    :param auth_id: user name of HTTP Basic authentication.
    :param auth_token: its password.
    :param window: paces the attempts of all threads.
    :param retries: how many further attempts may follow a failed one.
    :param read_only: refuse every method but GET; this is what makes check mode safe.
    :param clock: monotonic seconds.
    :param sleep: waits for so many seconds.
    :param random: a number from 0 up to 1.
    """

    def __init__(
        self,
        transport: Transport,
        auth_id: str,
        auth_token: str,
        *,
        window: SlidingWindow,
        retries: int,
        read_only: bool = False,
        clock: t.Callable[[], float] = time.monotonic,
        sleep: t.Callable[[float], None] = time.sleep,
        random: t.Callable[[], float] = random_module.random,
    ) -> None:
        self._transport = transport
        self._window = window
        self._retries = retries
        self._read_only = read_only
        self._random = random
        self.clock = clock
        self.sleep = sleep
        self._lock = threading.Lock()
        #: Why attempts were repeated, and how often.
        self.retried: collections.Counter[str] = collections.Counter()
        login = basic_login(auth_id, auth_token)
        #: What must not be told. The login says as much without the signs that fill it up.
        self.secrets = (auth_token, login.rstrip("="))
        self._headers = {
            # Not requests' own Basic authentication: that needs Latin-1, and ~/.netrc could replace it.
            "Authorization": "Basic " + login,
            "Accept": "application/json",
            # A small compressed answer can unpack to a huge one; plain, its size is known as it comes.
            "Accept-Encoding": "identity",
            "User-Agent": f"plivo.voice/{VERSION} (Ansible collection; Python {platform.python_version()})",
        }

    def get(self, path: str, params: t.Mapping[str, str] | None = None, *, until: float | None = None) -> Reply:
        """Read something; see ``send``."""
        return self.send("GET", path, params, until=until)

    def delete(self, path: str, params: t.Mapping[str, str] | None = None, *, confirm: Confirm | None = None) -> Reply:
        """End something; see ``send``."""
        return self.send("DELETE", path, params, confirm=confirm)

    def send(
        self,
        method: str,
        path: str,
        params: t.Mapping[str, str] | None = None,
        *,
        until: float | None = None,
        confirm: Confirm | None = None,
    ) -> Reply:
        """Make a request, again when that may help, until the API has answered as it promises.

        :param method: ``GET`` or ``DELETE``. Both are idempotent (RFC 9110, 9.2.2), so both may be repeated.
        :param path: below the base URL, percent-encoded.
        :param params: parameters of asynchronous mode. They go into the query, where the API document
            has them, and for DELETE also into a JSON body, where the official SDK has them.
        :param until: moment on ``clock`` after which no attempt starts and none goes on.
        :param confirm: called before every attempt, when its turn has come, with the failure of the one before (none
            at first); raises PlivoError to call it off, or returns the moment on ``clock`` until which the request
            may leave.
        :raises PlivoError: the last attempt's failure. Its ``doubtful`` says whether any of the attempts
            may have taken effect.
        """
        if self._read_only and method != "GET":
            problem = PlivoError(INVALID_REQUEST, "refused, since nothing is written in check mode")
            raise self.describe(problem, method, path, attempts=0)
        failure: PlivoError | None = None
        attempt = 0
        while True:
            attempt += 1
            if not self._window.enter(until):
                late = PlivoError(TIMEOUT, "not sent, since its turn would have come too late", retryable=True)
                raise failure or self.describe(late, method, path, attempts=0)
            try:
                leave_by = None if confirm is None else _call(confirm, failure)
                try:
                    return self._attempt(method, path, params or {}, attempt, until, leave_by)
                except PlivoError as error:
                    doubtful = (error.doubtful and method != "GET") or (failure is not None and failure.doubtful)
                    failure = error.without_origin()
                    failure.doubtful = doubtful
            finally:
                self._window.leave()
            delay = retry_delay(attempt, failure.retry_after, self._random())
            too_late = until is not None and self.clock() + delay >= until
            if not failure.retryable or attempt > self._retries or too_late:
                raise failure
            with self._lock:
                self.retried[str(failure.status or failure.kind)] += 1
            if failure.kind == RATE_LIMITED:
                # The account's budget is spent, whichever connection learned of it first.
                self._window.pause(delay)
            self.sleep(delay)

    def _attempt(
        self,
        method: str,
        path: str,
        params: t.Mapping[str, str],
        attempt: int,
        until: float | None,
        leave_by: float | None,
    ) -> Reply:
        """Send the request once and judge the answer."""
        headers, body = self._headers, None
        if params and method == "DELETE":
            body = json.dumps(dict(params)).encode("utf-8")
            headers = {**headers, "Content-Type": "application/json"}
        query = urlencode(params, safe="", quote_via=quote)
        answer = None
        now = self.clock()
        try:
            if until is not None and until <= now:
                raise PlivoError(TIMEOUT, "no time was left for it", retryable=True)
            answer = self._transport.send(
                method,
                path,
                query,
                headers,
                body,
                timeout=None if until is None else until - now,
                leave_within=None if leave_by is None else leave_by - now,
            )
            data = judge(method, answer, bool(params), self.secrets)
        except PlivoError as error:
            if answer is not None:
                error.retry_after = parse_retry_after(answer.headers.get("Retry-After"), time.time())
            self.describe(error, method, path, attempt)
            raise
        return Reply(answer.status, data, data.get("api_id"), now, self.clock(), attempt)

    def describe(self, error: PlivoError, method: str, path: str, attempts: int) -> PlivoError:
        """Add to an error what was tried and what to do."""
        error.method, error.url, error.attempts = method, self._transport.url(path), attempts
        times = f", after {attempts} attempts" if attempts > 1 else ""
        # Cut short is trouble on the way, not the wrong place.
        remedy = REMEDIES[CONNECTION if error.kind == PROTOCOL and error.retryable else error.kind]
        error.msg = f"{method} {error.url}: {error.msg}{times}; {remedy}."
        error.args = (error.msg,)
        return error


def basic_login(auth_id: str, auth_token: str) -> str:
    """The credentials as HTTP Basic authentication sends them (RFC 7617); as secret as the token itself."""
    return base64.b64encode(f"{auth_id}:{auth_token}".encode()).decode("ascii")


def _call(confirm: Confirm, previous: PlivoError | None) -> float:
    """Ask whether the request is still wanted; what earlier attempts may have done stays known if it is not."""
    try:
        return confirm(previous)
    except PlivoError as error:
        error.previous = previous and previous.without_origin()
        error.doubtful = previous is not None and previous.doubtful
        raise
