# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one family of errors: what went wrong, with which request, and what to do about it."""

from __future__ import annotations

import typing as t

AUTHENTICATION = "authentication"
FORBIDDEN = "forbidden"
NOT_FOUND = "not_found"
RATE_LIMITED = "rate_limited"
INVALID_REQUEST = "invalid_request"
SERVER = "server"
TIMEOUT = "timeout"
CONNECTION = "connection"
TLS = "tls"
REDIRECT = "redirect"
PROTOCOL = "protocol"
GUARD = "guard"
WAIT_TIMEOUT = "wait_timeout"
NOT_TRIED = "not_tried"
INTERNAL = "internal"

#: What to do about a request that failed, in the words of the modules' options.
REMEDIES = {
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


class PlivoError(Exception):
    """A failure with a kind that playbooks can branch on.

    Raised where the cause is known; becomes a part of the task's result in one place, the adapter.

    :param kind: one of the constants above.
    :param msg: one line: what was tried, what came back, what to do.
    :param method: HTTP method of the request that failed, if there was one.
    :param url: its URL without the query.
    :param status: HTTP status, if an answer came.
    :param api_id: Plivo's identifier of the request, if the answer held one.
    :param attempts: how many times the request was sent or tried.
    :param retryable: whether the same task may succeed when it is run again, unchanged.
    :param doubtful: whether one of the attempts may have taken effect all the same.
    :ivar retry_after: seconds that the server asked to wait before another attempt, if it did.
    :ivar previous: the failure of the attempt before, if another one was called off.
    :param conference_name: the conference it is about, if it is about one.
    """

    def __init__(
        self,
        kind: str,
        msg: str,
        *,
        method: str | None = None,
        url: str | None = None,
        status: int | None = None,
        api_id: str | None = None,
        attempts: int = 0,
        retryable: bool = False,
        doubtful: bool = False,
        conference_name: str | None = None,
    ) -> None:
        super().__init__(msg)
        self.kind = kind
        self.msg = msg
        self.method = method
        self.url = url
        self.status = status
        self.api_id = api_id
        self.attempts = attempts
        self.retryable = retryable
        self.doubtful = doubtful
        self.retry_after: float | None = None
        self.previous: PlivoError | None = None
        self.conference_name = conference_name

    def about(self, conference_name: str) -> PlivoError:
        """The same error, said of one conference; one failed request may concern many."""
        twin = PlivoError(self.kind, self.msg)
        twin.__dict__.update(self.__dict__)
        twin.conference_name = conference_name
        return twin

    def without_origin(self) -> PlivoError:
        """The same error for keeping: a traceback holds whatever its frames hold, such as an answer of many MiB."""
        self.__traceback__ = self.__cause__ = self.__context__ = None
        return self

    def as_error(self) -> dict[str, t.Any]:
        """The fields of the return value C(error)."""
        return {
            "kind": self.kind,
            "method": self.method,
            "url": self.url,
            "status": self.status,
            "api_id": self.api_id,
            "attempts": self.attempts,
            "retryable": self.retryable,
        }

    def as_entry(self) -> dict[str, t.Any]:
        """The fields of one entry of the return value C(errors)."""
        return {"conference_name": self.conference_name, "msg": self.msg, **self.as_error()}


def refusal(msg: str) -> PlivoError:
    """Something that is refused before any request was made: the user has to change an option."""
    return PlivoError(INVALID_REQUEST, msg)
