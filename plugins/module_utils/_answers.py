# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an answer comes to: data that the API promises, or an error that says what is wrong with it."""

from __future__ import annotations

import json
import math
import re
import typing as t

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
    PlivoError,
)
from ._transport import Answer

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
#: Each takes some forty times as much memory as text. A list of conferences is one, and so is each member of one.
_MAX_CONTAINERS = 250_000
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")


def judge(method: str, answer: Answer, accepted: bool, secrets: t.Sequence[str] = ()) -> dict[str, t.Any]:
    """The JSON object of an answer that the API promises.

    :param accepted: asynchronous mode was asked for, so the answer only says that the request was taken.
    :param secrets: what must not be told of an error, should a server repeat what it was sent.
    :returns: the object; empty where a DELETE was answered without a body.
    :raises PlivoError: any other answer; its ``doubtful`` says whether a write may have been carried out.
    """
    status = answer.status
    if 300 <= status < 400:
        target = " to another place" if answer.headers.get("Location") else ""
        raise PlivoError(REDIRECT, f"answered {status}, a redirect{target}", status=status)
    if status >= 400:
        kind = _KINDS.get(status) or (INVALID_REQUEST if status < 500 else SERVER if status < 600 else PROTOCOL)
        detail, api_id = error_detail(answer.body, secrets)
        raise PlivoError(
            kind,
            f"answered {status}{detail}",
            status=status,
            api_id=api_id,
            retryable=kind == SERVER or status in _RETRYABLE,
            # A gateway says 408 or 5xx also when it has handed the request on.
            doubtful=status >= 500 or status == 408,
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
        detail, known_id = error_detail(answer.body, secrets)
        raise _unpromised(status, f"answered {status} with an error in it{detail}", known_id)
    if not isinstance(api_id, str) and (accepted or api_id is not None):
        raise _unpromised(status, f"answered {status} without a proper api_id")
    return data


def _unpromised(status: int, msg: str, api_id: str | None = None) -> PlivoError:
    return PlivoError(PROTOCOL, msg, status=status, api_id=api_id, doubtful=True)


def parse_json(body: bytes) -> t.Any:
    """Strict JSON (RFC 8259): UTF-8, no NaN, and nothing that Ansible could not print: neither half characters nor
    values in values without end, nor more of them than fit into memory.

    :raises ValueError: it is something else; the text says what.
    """
    if body.count(b"{") + body.count(b"[") > _MAX_CONTAINERS:
        raise ValueError("too many objects and lists")
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


def error_detail(body: bytes, secrets: t.Sequence[str] = ()) -> tuple[str, str | None]:
    """What an error's body says, in any of the forms that were seen.

    ``{"error": "…"}`` is the only published one. The others come from proxies and clones, and from what
    official clients defend against.

    :param secrets: texts that become asterisks. Ansible could do that only for one that is whole, and a long text is
        shortened here.
    :returns: a text to append to a message (empty when the body says nothing), and the ``api_id``.
    """
    try:
        data = parse_json(body)
    except ValueError:
        plain = body.decode("utf-8", "replace")
        return _quoted("" if plain.lstrip()[:1] == "<" else plain, secrets), None
    if not isinstance(data, dict):
        return _quoted(data if isinstance(data, str) else "", secrets), None
    api_id = data.get("api_id")
    return _quoted(error_text(data), secrets), api_id if isinstance(api_id, str) else None


def error_text(data: t.Mapping[str, t.Any]) -> str:
    """What an error's object says, in any of the forms that were seen; empty when it says nothing."""
    error = data.get("error")
    if isinstance(error, dict):
        error = error.get("error") or error.get("message")
    text = error or data.get("message")
    return text if isinstance(text, str) else ""


def _quoted(text: str, secrets: t.Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "********")
    line = one_line(text)
    return f": {line}" if line else ""


def one_line(text: str) -> str:
    """A stranger's text for a message: on one line, of bounded length, without control characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * _MAX_DETAIL]).split())
    return line if len(line) <= _MAX_DETAIL else line[:_MAX_DETAIL] + "…"
