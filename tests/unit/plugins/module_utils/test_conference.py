# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API answers becomes typed values or a clear complaint; what a name's URL would hit is known beforehand."""

from __future__ import annotations

import json
import re
import typing as t
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.plivo.voice.plugins.module_utils._conference import (
    Conference,
    Conferences,
    address_problem,
    parse_details,
    parse_listing,
)
from unit.plugins.support import API_ID, AUTH_ID, Clock, answer, failure_of, lost, scripted_client

MEMBER: dict[str, t.Any] = {
    "muted": False,
    "member_id": "17",
    "deaf": True,
    "from": "1456789903",
    "to": "1677889900",
    "caller_name": "Joe%20Doe",
    "direction": "inbound",
    "call_uuid": "acfbf0b5-12e0-4d74-85f7-fce15f8f07ec",
    "join_time": "590",
}
DETAILS: dict[str, t.Any] = {
    "conference_name": "My Conf Room",
    "conference_run_time": "590",
    "conference_member_count": "1",
    "members": [MEMBER],
    "api_id": API_ID,
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


# --- names -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "My Conf Room",
        "a/b",
        "#x",
        "?x",
        "a?b#c",
        "%2E%2E",
        "%2F",
        "...",
        ".a",
        "a.",
        "a..b",
        "..a/b",
        "Sales, EMEA",
        "🎉",
        "é",
        "e\u0301",
        "\x00",
        "\r\n x",
        "+",
        "a%",
        " a ",
        "['a']",
        "*",
        "x" * 5000,
        "a\\b",
        ";",
        "&callback_url=x",
        "007",
    ],
)
def test_names_that_have_a_url_of_their_own(name: str) -> None:
    assert address_problem(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "\t\n",
        "\u2003",
        ".",
        "..",
        "/",
        "//",
        "a/",
        "/a",
        "a//b",
        "./a",
        "a/..",
        "../x",
        "a/./b",
        "a\\..",
        "..\\a",
        "\\",
        "a/ /b",
        "\ud800",
        "a\udcff",
    ],
)
def test_names_whose_url_might_hit_something_else(name: str) -> None:
    assert address_problem(name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "an empty or blank name .* URL of all conferences"),
        (" ", "an empty or blank name .* URL of all conferences"),
        ("..", "'.' and '..' are path segments .* every URL"),
        ("a/", "a slash at its beginning or end, .* another conference's URL"),
        ("\ud800", "it is not valid Unicode"),
    ],
)
def test_a_refused_name_is_told_why(name: str, reason: str) -> None:
    assert re.fullmatch(reason, address_problem(name) or "")


@given(st.text() | st.text(alphabet="./\\%2EeF ", max_size=8))
def test_a_name_becomes_one_segment_that_means_it_and_nothing_else(name: str) -> None:
    client, _transport = scripted_client(Clock())
    conferences = Conferences(client, AUTH_ID)
    if address_problem(name):
        error = failure_of(lambda: conferences.path(name))
        assert (error.kind, error.attempts) == ("invalid_request", 0)
        return
    path = conferences.path(name)
    assert path.startswith(f"/Account/{AUTH_ID}/Conference/")
    assert path.endswith("/")
    segment = path[len(f"/Account/{AUTH_ID}/Conference/") : -1]
    assert segment not in ("", ".", "..")
    assert not set("/?#\\ ") & set(segment)
    assert segment.isascii()
    assert unquote(segment, errors="strict") == name


# --- answers -----------------------------------------------------------------------------------------


def test_a_listing_keeps_the_order_and_drops_doubles() -> None:
    listing = parse_listing({"api_id": API_ID, "conferences": ["b", "a", "b", "", "."]})
    assert listing.names == ("b", "a", "", ".")
    assert listing.api_id == API_ID


@pytest.mark.parametrize("value", [None, {}, "a", 1, True, ["a", 1], ["a", None], [["a"]], [{"name": "a"}]])
def test_a_listing_of_another_type_is_refused(value: t.Any) -> None:
    with pytest.raises(ValueError, match=r"^'conferences' is not"):
        parse_listing({"conferences": value})
    with pytest.raises(ValueError, match=r"^'conferences' is not"):
        parse_listing({})


def test_details_are_typed_and_decoded() -> None:
    conference = parse_details({**DETAILS, "new_field": {"x": [1]}})
    assert (conference.name, conference.run_time, conference.member_count) == ("My Conf Room", 590, 1)
    assert conference.as_result() == {
        "conference_name": "My Conf Room",
        "conference_run_time": 590,
        "conference_member_count": 1,
        "members": [{**MEMBER, "join_time": 590, "caller_name": "Joe Doe"}],
        "api_id": API_ID,
        "new_field": {"x": [1]},
    }


def test_a_name_alone_is_a_result_too() -> None:
    assert Conference("x").as_result() == {"conference_name": "x"}


@pytest.mark.parametrize(
    ("value", "number"), [("0", 0), ("590", 590), (0, 0), (7, 7), (10**18 - 1, 10**18 - 1), ("007", 7)]
)
@pytest.mark.parametrize("field", ["conference_run_time", "conference_member_count", "join_time"])
def test_whole_numbers_as_text_or_number(field: str, value: t.Any, number: int) -> None:
    data = {**DETAILS, field: value} if field in DETAILS else {**DETAILS, "members": [{**MEMBER, field: value}]}
    result = parse_details(data).as_result()
    found = result[field] if field in DETAILS else result["members"][0][field]
    assert found == number
    assert isinstance(found, int)


WRONG = {
    "conference_name": [None, 1, True, [], {}],
    "conference_run_time": [None, "", "-1", "1.5", 1.5, -1, True, [], {}, "9" * 19, 10**18, " 1", "1\n", "٣", "²"],
    "conference_member_count": [None, "", "x", -1, False, [], {}],
    "members": [None, {}, "x", 1, [1], [None], ["x"], [[]]],
}
WRONG_IN_MEMBER = {
    "join_time": [None, "", "x", -1, True, 1.5, [], {}],
    "muted": [None, 0, 1, "True", "yes", "", [], {}],
    "deaf": [None, 0, "FALSE", []],
    "caller_name": [None, 1, True, [], {}],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in WRONG.items() for value in values])
def test_a_wrong_type_in_details_is_refused_by_name(field: str, value: t.Any) -> None:
    with pytest.raises(ValueError, match=rf"^'{field}' is not a [a-z ]+$"):
        parse_details({**DETAILS, field: value})


@pytest.mark.parametrize("field", WRONG)
def test_a_missing_field_of_details_is_refused_by_name(field: str) -> None:
    with pytest.raises(ValueError, match=rf"^'{field}' is not a [a-z ]+$"):
        parse_details({key: value for key, value in DETAILS.items() if key != field})


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in WRONG_IN_MEMBER.items() for value in values]
)
def test_a_wrong_type_in_a_member_is_refused_by_name(field: str, value: t.Any) -> None:
    with pytest.raises(ValueError, match=rf"^'{field}' is (not a [a-z ]+|neither true nor false)$"):
        parse_details({**DETAILS, "members": [MEMBER, {**MEMBER, field: value}]})


def test_a_member_may_lack_what_it_likes() -> None:
    assert parse_details({**DETAILS, "members": [{}]}).fields["members"] == [{}]


@pytest.mark.parametrize(("value", "flag"), [(True, True), (False, False), ("true", True), ("false", False)])
def test_flags_as_boolean_or_text(value: t.Any, flag: bool) -> None:
    (member,) = parse_details({**DETAILS, "members": [{"muted": value, "deaf": value}]}).fields["members"]
    assert member == {"muted": flag, "deaf": flag}
    assert isinstance(member["muted"], bool)


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("Joe%20Doe", "Joe Doe"),
        ("Joe Doe", "Joe Doe"),
        ("", ""),
        ("100%", "100%"),
        ("%FF", "%FF"),
        ("%C3%A9", "é"),
        ("a+b", "a+b"),
        ("%zz", "%zz"),
    ],
)
def test_caller_names_are_decoded_where_they_are_encoded(sent: str, shown: str) -> None:
    (member,) = parse_details({**DETAILS, "members": [{"caller_name": sent}]}).fields["members"]
    assert member["caller_name"] == shown


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_an_encoded_caller_name_comes_back(name: str) -> None:
    (member,) = parse_details({**DETAILS, "members": [{"caller_name": quote(name)}]}).fields["members"]
    assert member["caller_name"] == name


@given(st.text())
def test_any_caller_name_can_be_shown(name: str) -> None:
    name = json.loads(json.dumps(name)).encode("utf-8", "ignore").decode()
    (member,) = parse_details({**DETAILS, "members": [{"caller_name": name}]}).fields["members"]
    member["caller_name"].encode()


@given(st.dictionaries(st.sampled_from([*DETAILS, "x"]), JSON | st.sampled_from(list(DETAILS.values())), max_size=6))
def test_any_object_is_a_conference_or_a_complaint(data: dict[str, t.Any]) -> None:
    for parse in (parse_details, parse_listing):
        try:
            parse(data)
        except ValueError as error:
            assert str(error)  # noqa: PT017


# --- requests ----------------------------------------------------------------------------------------

COLLECTION = f"/Account/{AUTH_ID}/Conference/"


def test_the_four_requests_of_the_api(clock: Clock) -> None:
    client, transport = scripted_client(
        clock,
        answer(200, {"api_id": API_ID, "conferences": ["My Conf Room"]}),
        answer(200, DETAILS),
        answer(204),
        answer(204),
    )
    conferences = Conferences(client, AUTH_ID)
    assert conferences.list().names == ("My Conf Room",)
    assert conferences.details("My Conf Room").run_time == 590
    conferences.hang_up("My Conf Room")
    conferences.hang_up_all()
    assert [(sent.method, sent.path, sent.query, sent.body) for sent in transport.sent] == [
        ("GET", COLLECTION, "", None),
        ("GET", COLLECTION + "My%20Conf%20Room/", "", None),
        ("DELETE", COLLECTION + "My%20Conf%20Room/", "", None),
        ("DELETE", COLLECTION, "", None),
    ]


def test_members_can_be_forgotten(clock: Clock) -> None:
    client, _transport = scripted_client(clock, *[answer(200, DETAILS)] * 2)
    conferences = Conferences(client, AUTH_ID)
    whole = conferences.details("My Conf Room")
    lean = conferences.details("My Conf Room", members=False)
    assert (lean.run_time, lean.member_count) == (590, 1)
    assert {**lean.fields, "members": whole.fields["members"]} == whole.fields
    assert "members" not in lean.fields


def test_a_look_may_have_to_be_over_at_some_moment(clock: Clock) -> None:
    client, transport = scripted_client(clock, answer(200, {"conferences": []}), answer(200, DETAILS))
    conferences = Conferences(client, AUTH_ID)
    conferences.list(until=1003.5)
    conferences.details("My Conf Room", until=1002.5)
    assert [sent.timeout for sent in transport.sent] == [3.5, 2.5]


def test_asynchronous_requests_return_the_api_id(clock: Clock) -> None:
    callback = {"callback_url": "https://a/b?c=d&e#f=g", "callback_method": "GET"}
    accepted = answer(202, {"message": "async api spawned", "api_id": API_ID})
    client, transport = scripted_client(clock, *[accepted] * 4)
    conferences = Conferences(client, AUTH_ID)
    queued = [
        conferences.queue_list(callback),
        conferences.queue_details("x", callback),
        conferences.queue_hangup("x", callback),
        conferences.queue_hangup_all(callback),
    ]
    assert queued == [API_ID] * 4
    query = "callback_url=https%3A%2F%2Fa%2Fb%3Fc%3Dd%26e%23f%3Dg&callback_method=GET"
    assert {sent.query for sent in transport.sent} == {query}
    assert [sent.body and json.loads(sent.body) for sent in transport.sent] == [None, None, callback, callback]


def test_details_know_when_they_were_asked_for_and_seen(clock: Clock) -> None:
    def slow() -> t.Any:
        clock.now += 3
        return answer(200, DETAILS)

    client, _transport = scripted_client(clock, slow)
    conference = Conferences(client, AUTH_ID).details("My Conf Room")
    assert (conference.asked_at, conference.seen_at) == (1000, 1003)


@pytest.mark.parametrize("callback", [None, {"callback_url": "https://a/"}])
def test_a_hangup_is_confirmed(clock: Clock, callback: dict[str, str] | None) -> None:
    client, transport = scripted_client(clock, answer(200, {"api_id": API_ID}))
    conferences = Conferences(client, AUTH_ID)
    times: list[float] = []

    def confirm(*_previous: object) -> float:
        times.append(clock.now)
        return clock.now + 3

    if callback:
        conferences.queue_hangup("x", callback, confirm)
    else:
        conferences.hang_up("x", confirm)
    assert times == [1000]
    assert [sent.leave_within for sent in transport.sent] == [3]


@pytest.mark.parametrize("other", ["my conf room", "My Conf Room ", "", "My%20Conf%20Room"])
def test_details_of_another_conference_are_never_taken(clock: Clock, other: str) -> None:
    client, _transport = scripted_client(clock, answer(200, {**DETAILS, "conference_name": other}))
    error = failure_of(lambda: Conferences(client, AUTH_ID).details("My Conf Room"))
    assert (error.kind, error.status, error.api_id, error.attempts) == ("protocol", 200, API_ID, 1)
    assert "another conference" in error.msg


@pytest.mark.parametrize("act", [lambda c: c.list(), lambda c: c.details("x")], ids=["list", "details"])
def test_a_wrong_type_is_a_protocol_failure_with_all_its_facts(
    clock: Clock, act: t.Callable[[Conferences], object]
) -> None:
    client, _transport = scripted_client(clock, lost("timeout"), answer(200, {"api_id": API_ID, "conferences": 1}))
    error = failure_of(lambda: act(Conferences(client, AUTH_ID)))
    assert error.kind == "protocol"
    assert " is not a " in error.msg
    assert (error.method, error.status, error.api_id, error.attempts) == ("GET", 200, API_ID, 2)
    assert error.url is not None
    assert error.url.startswith("https://api.example/v1/Account/")


@pytest.mark.parametrize("name", [".", "..", "", "a/../b"])
@pytest.mark.parametrize("method", ["details", "hang_up", "queue_details", "queue_hangup"])
def test_what_cannot_be_addressed_is_never_sent(clock: Clock, name: str, method: str) -> None:
    client, transport = scripted_client(clock)
    arguments = [{"callback_url": "https://a/"}] if method.startswith("queue") else []
    error = failure_of(lambda: getattr(Conferences(client, AUTH_ID), method)(name, *arguments))
    assert error.kind == "invalid_request"
    assert transport.sent == []
