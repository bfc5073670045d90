# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to a JSON API: paced, retried, and their answers judged. Knows HTTP and nothing of conferences."""

from __future__ import annotations

import base64
import collections
import dataclasses
import json
import math
import platform
import random as random_module
import re
import threading
import time
import typing as t
from urllib.parse import quote, urlencode

from ._errors import (
    AUTHENTICATION,
    CONNECTION,
    FORBIDDEN,
    INVALID_REQUEST,
    NOT_FOUND,
    PROTOCOL,
    RATE_LIMITED,
    REDIRECT,
    SERVER,
    TIMEOUT,
    TLS,
    PlivoError,
)
from ._pacing import SlidingWindow, parse_retry_after, retry_delay
from ._transport import Answer, Transport
from ._version import VERSION

_REMEDIES = {
    AUTHENTICATION: "check auth_id and auth_token",
    FORBIDDEN: "check what these credentials may do",
    NOT_FOUND: "check api_url and auth_id",
    RATE_LIMITED: "lower rate_limit, or run it when less else uses the account",
    SERVER: "run it again later",
    TIMEOUT: "run it again later, or raise timeout",
    CONNECTION: "check api_url, the network and the proxy variables of the environment",
    TLS: "check api_url, or name the right CA bundle with ca_path",
    REDIRECT: "check api_url: redirects are never followed",
    PROTOCOL: "check that api_url is the API itself and not a proxy or a login page",
    INVALID_REQUEST: "check the options of the task",
}

_KINDS = {
    401: AUTHENTICATION,
    403: FORBIDDEN,
    404: NOT_FOUND,
    # The proxy that a plain-http request went through wants a login.
    407: CONNECTION,
    408: TIMEOUT,
    429: RATE_LIMITED,
}

#: Beside 5xx.
_RETRYABLE = (408, 429)

_SUCCESS = {
    "GET": (200,),
    # Documented is 204; clones answer 200, and 202 where they only begin with it.
    "DELETE": (200, 202, 204),
}
#: "async api spawned": 200, 201 and 202 are in published samples.
_ACCEPTED = (200, 201, 202)

_MAX_DETAIL = 200
#: Ansible's own serializer ends with a traceback at some 500 levels, when everything has been done already.
_MAX_DEPTH = 50
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclasses.dataclass(frozen=True)
class Reply:
    """An answer that the API promises.

    :ivar status: the HTTP status.
    :ivar data: the JSON object, empty for an answer without a body.
    :ivar api_id: Plivo's identifier of the request.
    :ivar received_at: when it came, on the client's clock.
    :ivar attempts: how many attempts it took.
    """

    status: int
    data: dict[str, t.Any]
    api_id: str | None
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
        # Not requests' own Basic authentication: that needs Latin-1, and ~/.netrc could replace it.
        login = base64.b64encode(f"{auth_id}:{auth_token}".encode()).decode("ascii")
        self._headers = {
            "Authorization": "Basic " + login,
            "Accept": "application/json",
            # A small compressed answer can unpack to a huge one; plain, its size is known as it comes.
            "Accept-Encoding": "identity",
            "User-Agent": f"plivo.voice/{VERSION} (Ansible collection; Python {platform.python_version()})",
        }

    def get(self, path: str, params: t.Mapping[str, str] | None = None, *, until: float | None = None) -> Reply:
        """Read something; see ``send``."""
        return self.send("GET", path, params, until=until)

    def delete(
        self, path: str, params: t.Mapping[str, str] | None = None, *, confirm: t.Callable[[], float] | None = None
    ) -> Reply:
        """End something; see ``send``."""
        return self.send("DELETE", path, params, confirm=confirm)

    def send(
        self,
        method: str,
        path: str,
        params: t.Mapping[str, str] | None = None,
        *,
        until: float | None = None,
        confirm: t.Callable[[], float] | None = None,
    ) -> Reply:
        """Make a request, again when that may help, until the API has answered as it promises.

        :param method: ``GET`` or ``DELETE``. Both are idempotent (RFC 9110, 9.2.2), so both may be repeated.
        :param path: below the base URL, percent-encoded.
        :param params: parameters of asynchronous mode. They go into the query, where the API document
            has them, and for DELETE also into a JSON body, where the official SDK has them.
        :param until: moment on ``clock`` after which no attempt starts and none goes on.
        :param confirm: called before every attempt, when its turn has come; raises PlivoError to call it off,
            or returns the moment on ``clock`` until which the request may leave.
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
            with self._window:
                leave_by = None if confirm is None else _call(confirm, failure)
                try:
                    return self._attempt(method, path, params or {}, attempt, until, leave_by)
                except PlivoError as error:
                    doubtful = (error.doubtful and method != "GET") or (failure is not None and failure.doubtful)
                    failure = error
                    failure.doubtful = doubtful
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
        try:
            now = self.clock()
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
            data = judge(method, answer, accepted=bool(params))
        except PlivoError as error:
            if answer is not None:
                error.retry_after = parse_retry_after(answer.headers.get("Retry-After"), time.time())
            self.describe(error, method, path, attempt)
            raise
        return Reply(answer.status, data, data.get("api_id"), self.clock(), attempt)

    def describe(self, error: PlivoError, method: str, path: str, attempts: int) -> PlivoError:
        """Add to an error what was tried and what to do."""
        error.method, error.url, error.attempts = method, self._transport.url(path), attempts
        times = f" after {attempts} attempts" if attempts > 1 else ""
        # Cut short is trouble on the way, not the wrong place.
        remedy = _REMEDIES[CONNECTION if error.kind == PROTOCOL and error.retryable else error.kind]
        error.msg = f"{method} {error.url}: {error.msg}{times}; {remedy}."
        error.args = (error.msg,)
        return error


def _call(confirm: t.Callable[[], float], previous: PlivoError | None) -> float:
    """Ask whether the request is still wanted; what earlier attempts may have done stays known if it is not."""
    try:
        return confirm()
    except PlivoError as error:
        error.previous = previous
        error.doubtful = previous is not None and previous.doubtful
        raise


def judge(method: str, answer: Answer, accepted: bool) -> dict[str, t.Any]:
    """The JSON object of an answer that the API promises.

    :param accepted: asynchronous mode was asked for, so the answer only says that the request was taken.
    :returns: the object; empty where a DELETE was answered without a body.
    :raises PlivoError: any other answer; its ``doubtful`` says whether a write may have been carried out.
    """
    status = answer.status
    if 300 <= status < 400:
        target = " to another place" if answer.headers.get("Location") else ""
        raise PlivoError(REDIRECT, f"answered {status}, a redirect{target}", status=status)
    if status >= 400:
        kind = _KINDS.get(status) or (INVALID_REQUEST if status < 500 else SERVER if status < 600 else PROTOCOL)
        detail, api_id = error_detail(answer.body)
        raise PlivoError(
            kind,
            f"answered {status}{detail}",
            status=status,
            api_id=api_id,
            retryable=kind == SERVER or status in _RETRYABLE,
            doubtful=status >= 500,
        )
    if status not in (_ACCEPTED if accepted else _SUCCESS[method]):
        raise _unpromised(status, f"answered {status}, which the API never does here")
    if method == "DELETE" and not accepted and (status == 204 or not answer.body.strip()):
        return {}
    try:
        data = parse_json(answer.body)
    except ValueError as error:
        raise _unpromised(status, f"answered {status} with something that is not JSON ({error})") from error
    if not isinstance(data, dict):
        raise _unpromised(status, f"answered {status} with JSON that is not an object")
    api_id = data.get("api_id")
    if "error" in data:
        detail, known_id = error_detail(answer.body)
        raise _unpromised(status, f"answered {status} with an error in it{detail}", known_id)
    if not isinstance(api_id, str) and (accepted or api_id is not None):
        raise _unpromised(status, f"answered {status} without a proper api_id")
    return data


def _unpromised(status: int, msg: str, api_id: str | None = None) -> PlivoError:
    return PlivoError(PROTOCOL, msg, status=status, api_id=api_id, doubtful=True)


def parse_json(body: bytes) -> t.Any:
    """Strict JSON (RFC 8259): UTF-8, no NaN, and nothing that Ansible could not print: neither half characters nor
    values in values without end.

    :raises ValueError: it is something else; the text says what.
    """
    try:
        text = body.decode("utf-8")
        data = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError as error:
        if not text.strip():
            raise ValueError("nothing") from None
        kind = "HTML" if text.lstrip()[:1] == "<" else str(error)
        raise ValueError(kind) from None
    if _is_deeper(data, _MAX_DEPTH):
        raise ValueError("nested too deeply")
    # Only an escape can smuggle one in: the text itself was UTF-8.
    if "\\u" in text and _LONE_SURROGATE.search(json.dumps(data, ensure_ascii=False)):
        raise ValueError("half a character")
    return data


def _is_deeper(data: t.Any, limit: int) -> bool:
    """Whether lists and objects hold one another to more than so many levels; recursion could not tell."""
    level = [data]
    for _depth in range(limit):
        containers = [value for value in level if isinstance(value, (list, dict))]
        level = [inner for each in containers for inner in (each.values() if isinstance(each, dict) else each)]
        if not level:
            return False
    return True


def _finite(text: str) -> float:
    """A number too large for a float would come out as infinity, which is not a JSON value."""
    number = float(text)
    return number if math.isfinite(number) else _refuse_constant(text)


def _refuse_constant(name: str) -> t.NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def error_detail(body: bytes) -> tuple[str, str | None]:
    """What an error's body says, in any of the forms that were seen.

    ``{"error": "…"}`` is the only published one. The others come from proxies and clones, and from what
    official clients defend against.

    :returns: a text to append to a message (empty when the body says nothing), and the ``api_id``.
    """
    try:
        data = parse_json(body)
    except ValueError:
        plain = body.decode("utf-8", "replace")
        return _quoted("" if plain.lstrip()[:1] == "<" else plain), None
    if not isinstance(data, dict):
        return _quoted(data if isinstance(data, str) else ""), None
    error = data.get("error")
    if isinstance(error, dict):
        error = error.get("error") or error.get("message")
    text = error or data.get("message")
    api_id = data.get("api_id")
    return _quoted(text if isinstance(text, str) else ""), api_id if isinstance(api_id, str) else None


def _quoted(text: str) -> str:
    """A stranger's text for a message: on one line, of bounded length, without control characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * _MAX_DETAIL]).split())
    if len(line) > _MAX_DETAIL:
        line = line[:_MAX_DETAIL] + "…"
    return f": {line}" if line else ""
