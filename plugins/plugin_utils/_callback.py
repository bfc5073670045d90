# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a callback of asynchronous mode says: an answer of the API, in one of the forms in which it may come.

The API document promises JSON in the field ``response``. How the fields are encoded is published nowhere; Plivo's other
callbacks are form fields on POST and the query on GET. Every function here raises ValueError with what is wrong.
"""

from __future__ import annotations

import json
import typing as t
from urllib.parse import parse_qsl

from ..module_utils._answers import error_text, parse_json
from ..module_utils._conference import Conference, parse_details, parse_listing
from ._signatures import Pairs

#: Plivo sends a handful.
MAX_FIELDS = 100
#: Of these only one is in a payload, so that a rule for one is never true of another.
_KINDS = ("message", "error", "conferences")
_READ = ("response", "api_id", "message", "error")
#: What the rule engine reads (Jackson) is bounded: 50,000 characters for a key, 1,000 digits for a number.
_MAX_KEY = 1000
_MAX_INTEGER = 10**18
#: Enough for a conference of some 10,000 members. While an answer is parsed, all other senders wait.
_MAX_MARKS = 100_000


def parse_pairs(encoded: str) -> list[tuple[str, str]]:
    """Names and values of a query or a form (application/x-www-form-urlencoded)."""
    try:
        return parse_qsl(encoded, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except UnicodeDecodeError:
        raise ValueError("its fields are not UTF-8") from None
    except ValueError:
        raise ValueError(f"it has more than {MAX_FIELDS} fields") from None


def payload_of_fields(pairs: Pairs) -> dict[str, t.Any]:
    """The answer in the field ``response``, or, when there is none, in ``message`` or ``error`` themselves."""
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in _READ and name in fields:
            # Which one counts would be a guess, and others may guess differently.
            raise ValueError(f"the field '{name}' is there twice")
        fields[name] = value
    if "response" in fields:
        return _payload_of_response(fields["response"], fields.get("api_id"))
    return _payload({name: fields[name] for name in _READ if name in fields}, None)


def payload_of_json(body: bytes) -> dict[str, t.Any]:
    """The answer as the whole body, or in its field ``response``."""
    data = _parse_object(body)
    if "response" in data:
        return _payload_of_response(data["response"], data.get("api_id"))
    return _payload(data, None)


def _payload_of_response(response: t.Any, api_id: t.Any) -> dict[str, t.Any]:
    if isinstance(response, dict):
        return _payload(response, api_id)
    if not isinstance(response, str):
        raise ValueError("'response' is neither a text nor an object")
    if api_id and not response.strip():
        # What it must be for a hangup, if the answer to that is the 204 without a body that was observed.
        return _payload({"message": ""}, api_id)
    return _payload(_parse_object(response.encode("utf-8")), api_id)


def _parse_object(text: bytes) -> dict[str, t.Any]:
    if sum(text.count(mark) for mark in (b"{", b"[", b",")) > _MAX_MARKS:
        raise ValueError("the answer has too many values")
    try:
        data = parse_json(text)
    except ValueError as error:
        raise ValueError(f"the answer is not JSON ({error})") from None
    if not isinstance(data, dict):
        raise ValueError("the answer is not an object")
    return data


def _payload(answer: t.Mapping[str, t.Any], api_id: t.Any) -> dict[str, t.Any]:
    """The answer as rules see it.

    :param api_id: the one beside the answer; the request was accepted with that.
    """
    _refuse_what_no_rulebook_takes(answer)
    for each in (api_id, answer.get("api_id")):
        if each is not None and not isinstance(each, str):
            raise ValueError("'api_id' is not a text")
    known = {"api_id": api_id or answer.get("api_id") or None}
    others = {key: answer[key] for key in answer if key not in _KINDS}
    # Not published with "error", but official clients are ready for it.
    if answer.get("error") is not None or answer.get("error_code") is not None:
        given = {key: answer[key] for key in ("error", "error_code") if key in answer}
        return {**others, **known, "error": error_text(answer) or json.dumps(given)}
    if "conference_name" in answer:
        return {**known, "conferences": [parse_details(answer).as_result()]}
    if "conferences" in answer:
        names = parse_listing(answer).names
        return {**others, **known, "conferences": [Conference(name).as_result() for name in names]}
    if isinstance(answer.get("message"), str):
        return {**others, **known, "message": answer["message"]}
    raise ValueError("there is neither a message, nor an error, nor a conference in it")


def _refuse_what_no_rulebook_takes(answer: t.Mapping[str, t.Any]) -> None:
    """An event must not be the last: ansible-rulebook 1.3 reads none any more after one with an empty key in it."""
    level: list[t.Any] = [answer]
    while level:
        inner: list[t.Any] = []
        for value in level:
            if isinstance(value, dict):
                if not all(0 < len(key) <= _MAX_KEY for key in value):
                    raise ValueError("a field's name in it is empty or far too long")
                inner += value.values()
            elif isinstance(value, list):
                inner += value
            elif isinstance(value, int) and abs(value) >= _MAX_INTEGER:
                raise ValueError("a number in it is far too large")
        level = inner
