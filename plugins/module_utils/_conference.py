# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resource of the Conference API: its four requests, and what their answers must look like."""

from __future__ import annotations

import re
import types
import typing as t
from urllib.parse import quote, unquote

from ._client import Client, Confirm, Reply
from ._errors import INVALID_REQUEST, PROTOCOL, PlivoError

T = t.TypeVar("T")

_SEPARATOR = re.compile(r"[/\\]")
#: More digits than a number of seconds or members ever has; int() of thousands of them is refused by Python.
_INTEGER = re.compile(r"[0-9]{1,18}")


class Conference(t.NamedTuple):
    """A live conference, with or without its details.

    :ivar name: exactly as the API knows it.
    :ivar run_time: seconds, once details are known.
    :ivar member_count: once details are known.
    :ivar fields: all fields for the user, typed and decoded; those that this code does not know pass through.
    :ivar asked_at: when the details were asked for, on the client's clock.
    :ivar seen_at: when they came.
    """

    name: str
    run_time: int | None = None
    member_count: int | None = None
    fields: t.Mapping[str, t.Any] = types.MappingProxyType({})
    asked_at: float = 0.0
    seen_at: float = 0.0

    def as_result(self) -> dict[str, t.Any]:
        """The conference as a task returns it."""
        return {"conference_name": self.name, **self.fields}


class Listing(t.NamedTuple):
    """The live conferences at one moment, in the API's order, without doubles."""

    names: tuple[str, ...]
    api_id: str | None


class Conferences:
    """The conferences of one account.

    :param client: makes the requests.
    :param auth_id: the account, checked (see ``_options.check_auth_id``).
    """

    def __init__(self, client: Client, auth_id: str) -> None:
        self._client = client
        self._collection = f"/Account/{auth_id}/Conference/"

    def list(self, *, until: float | None = None) -> Listing:
        """Which conferences are live.

        :param until: moment on the client's clock to be back at.
        """
        reply = self._client.get(self._collection, until=until)
        return self._checked(reply, self._collection, parse_listing)

    def details(self, name: str, *, members: bool = True, until: float | None = None) -> Conference:
        """One conference with its members; a ``not_found`` error may also mean a wrong URL.

        :param members: false forgets the members: they are most of the memory that many conferences take.
        """
        path = self.path(name)
        reply = self._client.get(path, until=until)
        details = self._checked(reply, path, parse_details)
        if details.name != name:
            raise self._unpromised(reply, path, f"the details are those of another conference, {details.name!r:.200}")
        fields = details.fields if members else {key: details.fields[key] for key in details.fields if key != "members"}
        return details._replace(fields=fields, asked_at=reply.asked_at, seen_at=reply.received_at)

    def hang_up(self, name: str, confirm: Confirm | None = None) -> None:
        """End one conference.

        :param confirm: see ``Client.send``.
        """
        self._client.delete(self.path(name), confirm=confirm)

    def hang_up_all(self) -> None:
        """End every conference, also those that began after the last look at the list."""
        self._client.delete(self._collection)

    def queue_list(self, callback: t.Mapping[str, str]) -> str:
        """Have the list sent to a URL; this and the other ``queue_`` methods return the request's ``api_id``.

        :param callback: the parameters of asynchronous mode (see ``_options.check_callback``).
        """
        return _api_id(self._client.get(self._collection, callback))

    def queue_details(self, name: str, callback: t.Mapping[str, str]) -> str:
        """Have one conference's details sent to a URL."""
        return _api_id(self._client.get(self.path(name), callback))

    def queue_hangup(self, name: str, callback: t.Mapping[str, str], confirm: Confirm | None = None) -> str:
        """Have one conference ended later, and the outcome sent to a URL."""
        return _api_id(self._client.delete(self.path(name), callback, confirm=confirm))

    def queue_hangup_all(self, callback: t.Mapping[str, str]) -> str:
        """Have all conferences ended later, and the outcome sent to a URL."""
        return _api_id(self._client.delete(self._collection, callback))

    def path(self, name: str) -> str:
        """Where one conference is, below the base URL; raises PlivoError if that cannot be said."""
        problem = address_problem(name)
        if problem:
            raise PlivoError(
                INVALID_REQUEST, f"{name!r} cannot be addressed: {problem}. Only a hangup of all conferences ends it."
            )
        return f"{self._collection}{quote(name, safe='')}/"

    def _checked(self, reply: Reply, path: str, parse: t.Callable[[t.Mapping[str, t.Any]], T]) -> T:
        try:
            return parse(reply.data)
        except ValueError as error:
            raise self._unpromised(reply, path, str(error)) from error

    def _unpromised(self, reply: Reply, path: str, problem: str) -> PlivoError:
        error = PlivoError(PROTOCOL, problem, status=reply.status, api_id=reply.api_id)
        return self._client.describe(error, "GET", path, reply.attempts)


def address_problem(name: str) -> str | None:
    """Why a name has no URL of its own that would surely reach it and nothing else; none if it has.

    A dot segment is removed on the way (RFC 3986, 5.2.4), percent-encoded or not, and an empty segment is
    the collection: both would hang up everything. A slash within a name is encoded, but there are servers
    and proxies that decode it before they look at the segments, so the pieces must be harmless as well.
    """
    pieces = _SEPARATOR.split(name)
    if any(piece in (".", "..") for piece in pieces):
        return "'.' and '..' are path segments with a meaning of their own in every URL"
    if not name.strip():
        return "an empty or blank name is the URL of all conferences"
    if any(not piece.strip() for piece in pieces):
        return "a slash at its beginning or end, or two in a row, may lead to another conference's URL"
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return "it is not valid Unicode"
    return None


def parse_listing(data: t.Mapping[str, t.Any]) -> Listing:
    """The list's answer.

    :raises ValueError: it is not what the API document promises.
    """
    names = data.get("conferences")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("'conferences' is not a list of names")
    return Listing(tuple(dict.fromkeys(names)), data.get("api_id"))


def parse_details(data: t.Mapping[str, t.Any]) -> Conference:
    """The details' answer, with numbers as integers and caller names decoded.

    :raises ValueError: it is not what the API document promises.
    """
    name = data.get("conference_name")
    if not isinstance(name, str):
        raise ValueError("'conference_name' is not a text")
    members = data.get("members")
    if not isinstance(members, list) or not all(isinstance(member, dict) for member in members):
        raise ValueError("'members' is not a list of members")
    run_time = _integer(data, "conference_run_time")
    member_count = _integer(data, "conference_member_count")
    fields = {
        **data,
        "conference_run_time": run_time,
        "conference_member_count": member_count,
        "members": [_member(member) for member in members],
    }
    return Conference(name, run_time, member_count, fields)


def _member(data: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    member = dict(data)
    # What is not there is left out; a person's call must not stay up because of a missing flag.
    if "join_time" in member:
        member["join_time"] = _integer(member, "join_time")
    for flag in ("muted", "deaf"):
        if flag in member:
            member[flag] = _boolean(member, flag)
    if "caller_name" in member:
        member["caller_name"] = _decoded(member["caller_name"])
    return member


def _integer(data: t.Mapping[str, t.Any], field: str) -> int:
    """Documented as a text that holds an integer; a plain integer is as good."""
    value = data.get(field)
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**18:
        return value
    raise ValueError(f"'{field}' is not a whole number")


def _boolean(data: t.Mapping[str, t.Any], field: str) -> bool:
    """Observed as a boolean; a mock of the API sends texts."""
    value = data[field]
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise ValueError(f"'{field}' is neither true nor false")


def _decoded(value: t.Any) -> str:
    """A caller name comes percent-encoded, plain or empty; what does not decode is plain."""
    if not isinstance(value, str):
        raise ValueError("'caller_name' is not a text")
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        return value


def _api_id(reply: Reply) -> str:
    # The client takes no answer in asynchronous mode without one.
    return t.cast(str, reply.api_id)
