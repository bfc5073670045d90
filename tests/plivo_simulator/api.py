# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the plivo.voice contributors
"""The API's endpoints: which one a request means, and what is to be answered. No sockets here."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_to_bytes

from .world import Account, Settings, World


@dataclass
class Answer:
    """An HTTP answer before it becomes bytes."""

    status: int
    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list)
    # Bytes that follow the answer without belonging to it; they stay in the kept connection.
    stray: bytes = b""

    def head(self, keep_alive: bool, framing: str = "length") -> bytes:
        """The status line and headers, announcing the body as the framing says."""
        try:
            reason = HTTPStatus(self.status).phrase
        except ValueError:
            reason = "Unknown"
        lines = [f"HTTP/1.1 {self.status} {reason}"]
        named = {name.lower() for name, _value in self.headers} if self.headers else ()
        if self.body and "content-type" not in named:
            lines.append("Content-Type: application/json")
        if framing == "chunked":
            lines.append("Transfer-Encoding: chunked")
        elif framing == "length" and "content-length" not in named and (self.body or self.status != 204):
            lines.append(f"Content-Length: {len(self.body)}")
        if not keep_alive and "connection" not in named:
            lines.append("Connection: close")
        lines.extend(f"{name}: {value}" for name, value in self.headers)
        return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


def new_api_id() -> str:
    return str(uuid.uuid4())


def json_answer(status: int, document: dict[str, Any], *headers: tuple[str, str]) -> Answer:
    return Answer(status, json.dumps(document).encode(), list(headers))


def error(status: int, text: str, *headers: tuple[str, str]) -> Answer:
    return json_answer(status, {"api_id": new_api_id(), "error": text}, *headers)


# --- from a request target to an endpoint ----------------------------------------------------------


@dataclass(frozen=True)
class Target:
    """What a path means. ``kind`` is collection, conference, account or unknown."""

    kind: str
    auth_id: str | None = None
    name: str | None = None
    slash: bool = True


def _decode(segment: str) -> str:
    if "%" not in segment:
        return segment
    return unquote_to_bytes(segment.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def remove_dot_segments(segments: list[str]) -> list[str]:
    """RFC 3986, 5.2.4, with 6.2.2.2 before it: an encoded dot is a dot.

    Servers and proxies do this before they route, which is why a conference named ``.`` cannot be
    addressed: its path *is* the collection's.
    """
    kept: list[str] = []
    last = len(segments) - 1
    for index, segment in enumerate(segments):
        plain = segment.replace("%2E", ".").replace("%2e", ".")
        if plain == ".." and len(kept) > 1:
            kept.pop()
        if plain in (".", ".."):
            if index == last:
                kept.append("")
        else:
            kept.append(segment)
    return kept


def resolve(path: str, prefix: str) -> Target:
    """The endpoint of a raw path (no query), by what a real server would make of it."""
    segments = path.split("/")
    if "." in path or "%2" in path:
        segments = remove_dot_segments(segments)
    head = [*prefix.split("/"), "Account"]
    if segments[: len(head)] != head or len(segments) == len(head):
        return Target("unknown")
    rest = segments[len(head) :]
    slash = rest[-1] == "" and len(rest) > 1
    if slash:
        rest.pop()
    auth_id = _decode(rest[0])
    if len(rest) == 1:
        return Target("account", auth_id, slash=slash)
    if rest[1] != "Conference" or len(rest) > 3:
        return Target("unknown", auth_id)
    # An empty name is what one SDK sends on purpose to hang up everything: same endpoint.
    if len(rest) == 2 or not rest[2]:
        return Target("collection", auth_id, slash=slash)
    return Target("conference", auth_id, _decode(rest[2]), slash)


# --- from an endpoint to an answer -----------------------------------------------------------------


def refusal(
    world: World,
    account: Account | None,
    speaker: Account | None,
    target: Target,
    method: str,
    path: str,
    query: str,
) -> Answer | None:
    """Why a request is not even considered, or None. Rate limiting comes after this.

    ``account`` is the one the path names, ``speaker`` the one whose credentials came.
    """
    settings = account.settings if account is not None else world.settings
    if target.kind == "unknown":
        return error(404, "not found")
    if not target.slash:
        if settings.missing_slash == "redirect":
            return Answer(301, headers=[("Location", path + "/" + ("?" + query if query else ""))])
        return error(404, "not found")
    if speaker is None:
        return error(
            401,
            "could not verify your access level for that URL",
            ("WWW-Authenticate", 'Basic realm="Plivo"'),
        )
    if speaker is not account:
        return error(404, "not found")
    if settings.read_only and method != "GET":
        return error(403, "read-only: this request would have changed something")
    allowed = ("GET",) if target.kind == "account" else ("GET", "DELETE")
    if method not in allowed:
        return error(405, f"method {method} is not allowed", ("Allow", ", ".join(allowed)))
    return None


def too_many(settings: Settings, now: float) -> Answer:
    """The 429, with the Retry-After that the settings ask for. ``now`` is the time of day."""
    value = settings.retry_after
    if value is None:
        return error(429, "rate limit exceeded")
    if settings.retry_after_as_date:
        value = formatdate(now + float(value), usegmt=True)
    return error(429, "rate limit exceeded", ("Retry-After", str(value)))


def perform(account: Account, method: str, target: Target, now: float, api_id: str) -> tuple[int, dict[str, Any]]:
    """Do what the request asks: status and document, the same for both modes."""
    if target.kind == "account":
        return 200, {"auth_id": account.auth_id, "api_id": api_id}
    if target.kind == "collection":
        if method == "GET":
            return 200, {"api_id": api_id, "conferences": account.listing(now)}
        if not account.hang_up_all(now) and account.settings.hangup_all_empty_status == 404:
            return 404, {"api_id": api_id, "error": "no conferences found"}
        return 204, {"message": "all conferences hung up", "api_id": api_id}
    conference = account.find(target.name or "")
    if conference is None:
        return 404, {"api_id": api_id, "error": "conference not found"}
    if method == "GET":
        return 200, {**conference.details(now), "api_id": api_id}
    account.hang_up(conference, now)
    return 204, {"message": "conference hung up", "api_id": api_id}


def shape(status: int, document: dict[str, Any], delete_answer: str) -> Answer:
    """The answer of the synchronous mode. What a successful DELETE looks like is a setting."""
    if status != 204:
        return json_answer(status, document)
    body = json.dumps(document).encode()
    if delete_answer == "empty":
        return Answer(204)
    if delete_answer == "stray":
        return Answer(204, stray=body)
    return Answer({"body": 204, "json": 200, "accepted": 202}[delete_answer], body)
