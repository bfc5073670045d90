# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a callback says becomes one payload, in whatever form it comes, or a clear complaint."""

from __future__ import annotations

import json
import typing as t
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.plivo.voice.plugins.plugin_utils._callback import (
    MAX_FIELDS,
    parse_pairs,
    payload_of_fields,
    payload_of_json,
)
from unit.plugins.support import API_ID

MEMBER = {"member_id": "17", "muted": "true", "deaf": False, "join_time": "590", "caller_name": "Joe%20Doe"}
DETAILS = {
    "conference_name": "My Conf Room",
    "conference_run_time": "590",
    "conference_member_count": "1",
    "members": [MEMBER],
    "api_id": "of the details",
    "region": "eu",
}
TYPED = {
    **DETAILS,
    "conference_run_time": 590,
    "conference_member_count": 1,
    "members": [{**MEMBER, "muted": True, "join_time": 590, "caller_name": "Joe Doe"}],
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
#: An answer, and what it is to rules, but for its api_id.
ANSWERS: list[tuple[dict[str, t.Any], dict[str, t.Any]]] = [
    ({"message": "conference hung up"}, {"message": "conference hung up"}),
    ({"message": "done", "request_uuid": "1"}, {"message": "done", "request_uuid": "1"}),
    ({"error": "not found"}, {"error": "not found"}),
    ({"error": {"error": "not found"}}, {"error": "not found"}),
    ({"error": {"message": "not found"}}, {"error": "not found"}),
    ({"error": "not found", "message": "x"}, {"error": "not found"}),
    ({"error": "", "message": "x"}, {"error": "x"}),
    ({"error": None, "message": "x"}, {"message": "x"}),
    ({"error": ["x"]}, {"error": '{"error": ["x"]}'}),
    ({"error": {}}, {"error": '{"error": {}}'}),
    ({"error_code": 5, "message": "x"}, {"error": "x", "error_code": 5}),
    ({"error_code": 5}, {"error": '{"error_code": 5}', "error_code": 5}),
    ({"error_code": None, "message": "x"}, {"message": "x", "error_code": None}),
    ({"error": "no", "conferences": ["a"]}, {"error": "no"}),
    ({"conferences": []}, {"conferences": []}),
    (
        {"conferences": ["b", "a", "b"], "message": "x", "next": 1},
        {"conferences": [{"conference_name": "b"}, {"conference_name": "a"}], "next": 1},
    ),
]


# --- the forms in which it comes ---------------------------------------------------------------------


@pytest.mark.parametrize(("answer", "payload"), ANSWERS)
def test_every_answer_in_every_form(answer: dict[str, t.Any], payload: dict[str, t.Any]) -> None:
    text = json.dumps({**answer, "api_id": API_ID})
    outside = json.dumps(answer)
    expected = {"api_id": API_ID, **payload}
    assert payload_of_fields([("response", text)]) == expected
    assert payload_of_fields([("api_id", API_ID), ("response", outside)]) == expected
    assert payload_of_json(text.encode()) == expected
    assert payload_of_json(json.dumps({"api_id": API_ID, "response": outside}).encode()) == expected
    assert payload_of_json(json.dumps({"api_id": API_ID, "response": answer}).encode()) == expected
    assert payload_of_json(json.dumps({"response": text}).encode()) == expected
    assert payload_of_json(outside.encode()) == {**expected, "api_id": None}
    assert payload_of_fields([("response", outside)]) == {**expected, "api_id": None}


def test_details_are_those_of_the_module() -> None:
    payload = payload_of_fields([("api_id", API_ID), ("response", json.dumps(DETAILS))])
    assert payload == {"api_id": API_ID, "conferences": [TYPED]}


def test_the_api_id_beside_the_answer_is_the_one_of_the_request() -> None:
    assert payload_of_fields([("response", json.dumps(DETAILS))])["api_id"] == "of the details"
    assert payload_of_fields([("api_id", ""), ("response", json.dumps(DETAILS))])["api_id"] == "of the details"
    assert payload_of_json(json.dumps(DETAILS).encode())["api_id"] == "of the details"


def test_fields_that_are_the_answer_themselves() -> None:
    assert payload_of_fields([("api_id", API_ID), ("message", "done"), ("x", "1"), ("x", "2")]) == {
        "api_id": API_ID,
        "message": "done",
    }
    assert payload_of_fields([("error", "no")]) == {"api_id": None, "error": "no"}


@pytest.mark.parametrize("blank", ["", " \n"])
def test_an_answer_without_a_body_is_an_empty_message(blank: str) -> None:
    assert payload_of_fields([("api_id", API_ID), ("response", blank)]) == {"api_id": API_ID, "message": ""}
    body = json.dumps({"api_id": API_ID, "response": blank}).encode()
    assert payload_of_json(body) == {"api_id": API_ID, "message": ""}
    with pytest.raises(ValueError, match=r"^the answer is not JSON \(nothing\)$"):
        payload_of_fields([("response", blank)])


# --- what it cannot be -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("response", "complaint"),
    [
        ("x", "the answer is not JSON (Expecting value: line 1 column 1 (char 0))"),
        ("<html>", "the answer is not JSON (HTML)"),
        ("NaN", "the answer is not JSON (NaN is not a JSON value)"),
        ("[" * 60 + "]" * 60, "the answer is not JSON (nested too deeply)"),
        ("[" * 50_000, "the answer is not JSON (nested too deeply)"),
        ('{"message": "\\ud800"}', "the answer is not JSON (half a character)"),
        ("[]", "the answer is not an object"),
        ('"text"', "the answer is not an object"),
        ("null", "the answer is not an object"),
        ("{}", "there is neither a message, nor an error, nor a conference in it"),
        ('{"api_id": "x"}', "there is neither a message, nor an error, nor a conference in it"),
        ('{"message": 1}', "there is neither a message, nor an error, nor a conference in it"),
        ('{"message": "x", "api_id": 1}', "'api_id' is not a text"),
        ('{"conferences": "a"}', "'conferences' is not a list of names"),
        ('{"conferences": [1]}', "'conferences' is not a list of names"),
        ('{"conference_name": "a"}', "'members' is not a list of members"),
        ('{"conference_name": 1, "members": []}', "'conference_name' is not a text"),
    ],
)
def test_an_answer_that_is_none(response: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        payload_of_fields([("api_id", API_ID), ("response", response)])
    assert str(caught.value) == complaint
    with pytest.raises(ValueError, match=r".") as caught:
        payload_of_json(json.dumps({"response": response}).encode())
    assert str(caught.value) == complaint


@pytest.mark.parametrize("name", ["response", "api_id", "message", "error"])
def test_a_field_that_is_there_twice(name: str) -> None:
    fields = [("response", '{"message": "x"}'), ("api_id", "x"), ("message", "y"), ("error", "z")]
    with pytest.raises(ValueError, match=f"^the field '{name}' is there twice$"):
        payload_of_fields([*fields, (name, "")])


@pytest.mark.parametrize("value", [1, None, True, [], 1.5])
def test_a_response_of_another_type(value: t.Any) -> None:
    with pytest.raises(ValueError, match=r"^'response' is neither a text nor an object$"):
        payload_of_json(json.dumps({"api_id": "x", "response": value}).encode())


@pytest.mark.parametrize("value", [1, True, [], {}])
def test_an_api_id_of_another_type(value: t.Any) -> None:
    with pytest.raises(ValueError, match=r"^'api_id' is not a text$"):
        payload_of_json(json.dumps({"api_id": value, "response": {"message": "x"}}).encode())


def inside(value: t.Any) -> list[dict[str, t.Any]]:
    return [
        {"message": "x", **(value if isinstance(value, dict) else {"y": value})},
        {"error": "x", "y": [[{"z": value}]]},
        {"conferences": [], "y": {"z": [value]}},
        {**DETAILS, "members": [{"y": value}]},
    ]


@pytest.mark.parametrize("value", [{"": 1}, {"k" * 1001: 1}])
def test_a_key_that_would_be_the_rulebooks_last(value: dict[str, t.Any]) -> None:
    for answer in inside(value):
        with pytest.raises(ValueError, match=r"^a field's name in it is empty or far too long$"):
            payload_of_json(json.dumps(answer).encode())


@pytest.mark.parametrize("crowd", [[[]] * 49_999, [1] * 99_999, [{}] * 49_999, {str(key): 1 for key in range(99_998)}])
def test_a_crowd_of_values(crowd: t.Any) -> None:
    few = crowd[1:] if isinstance(crowd, list) else {key: 1 for key in crowd if key != "0"}
    assert payload_of_json(json.dumps({"message": "x", "y": few}).encode())["y"] == few
    more = [*crowd, 1, 1] if isinstance(crowd, list) else {**crowd, "a": 1, "b": 1}
    for body in (
        json.dumps({"message": "x", "y": more}).encode(),
        json.dumps({"response": json.dumps({"message": "x", "y": more})}).encode(),
    ):
        with pytest.raises(ValueError, match=r"^the answer has too many values$"):
            payload_of_json(body)


@pytest.mark.parametrize("value", [10**18, -(10**18), 10**4000])
def test_a_number_that_would_be_lost(value: int) -> None:
    for answer in inside(value):
        with pytest.raises(ValueError, match=r"^a number in it is far too large$"):
            payload_of_json(json.dumps(answer).encode())


@pytest.mark.parametrize(
    "value", [{"k" * 1000: 1}, {".": 1, "a/b": 2, "\0": 3}, 10**18 - 1, -(10**18) + 1, True, 1e308]
)
def test_what_is_unusual_but_does_no_harm(value: t.Any) -> None:
    for answer in inside(value):
        assert payload_of_json(json.dumps(answer).encode())


def test_no_fields_are_no_answer() -> None:
    with pytest.raises(ValueError, match=r"^there is neither"):
        payload_of_fields([])


def test_a_body_that_is_not_utf_8() -> None:
    with pytest.raises(ValueError, match=r"^the answer is not JSON \(not UTF-8\)$"):
        payload_of_json(b'{"message": "\xff"}')


# --- fields ------------------------------------------------------------------------------------------


def test_pairs() -> None:
    assert parse_pairs("a=1&b=&c&a=2&=x&d=%C3%A9+%2B&e=1=2") == [
        ("a", "1"), ("b", ""), ("c", ""), ("a", "2"), ("", "x"), ("d", "é +"), ("e", "1=2"),
    ]  # fmt: skip
    assert parse_pairs("") == []


@given(st.lists(st.tuples(st.text(), st.text()), max_size=8))
def test_pairs_come_back(pairs: list[tuple[str, str]]) -> None:
    pairs = [
        (name.encode("utf-8", "ignore").decode(), value.encode("utf-8", "ignore").decode()) for name, value in pairs
    ]
    assert parse_pairs(urlencode(pairs)) == pairs


def test_bytes_that_are_not_utf_8() -> None:
    with pytest.raises(ValueError, match=r"^its fields are not UTF-8$"):
        parse_pairs("a=%FF")
    with pytest.raises(ValueError, match=r"^its fields are not UTF-8$"):
        parse_pairs("%FF=a")


def test_too_many_fields() -> None:
    assert len(parse_pairs("&".join(["a=1"] * MAX_FIELDS))) == MAX_FIELDS
    with pytest.raises(ValueError, match=r"^it has more than 100 fields$"):
        parse_pairs("&".join(["a=1"] * (MAX_FIELDS + 1)))


# --- anything ----------------------------------------------------------------------------------------


@given(
    st.dictionaries(
        st.sampled_from(
            ["api_id", "response", "message", "error", "error_code", "conferences", "conference_name", "members"]
        ),
        JSON | st.sampled_from(["", "{}", '{"message": "x"}', [DETAILS], DETAILS]),
    )
)
def test_anything_is_one_of_three_or_a_complaint(data: dict[str, t.Any]) -> None:
    try:
        payload = payload_of_json(json.dumps(data).encode())
    except ValueError as error:
        assert str(error)  # noqa: PT017
        return
    assert payload["api_id"] is None or isinstance(payload["api_id"], str)
    assert len({"message", "error", "conferences"} & set(payload)) == 1
    for kind in ("message", "error"):
        assert isinstance(payload.get(kind, ""), str)
    for conference in payload.get("conferences", []):
        assert isinstance(conference["conference_name"], str)
    # The rulebook gets it as JSON.
    assert json.loads(json.dumps(payload)) == payload
