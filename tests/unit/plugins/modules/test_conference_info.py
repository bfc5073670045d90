# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""conference_info tells the truth about what is live, with as few requests as promised, and never writes."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.plivo.voice.plugins.module_utils._errors import PlivoError
from ansible_collections.plivo.voice.plugins.module_utils._lookup import Found
from ansible_collections.plivo.voice.plugins.modules import conference_info
from plivo_simulator import AUTH_TOKEN

World = t.Any  # see conftest.py

CALLBACK = "http://127.0.0.1:9/done?x=1#ct=2000&rt=40000"
THREE = ["Sales", {"name": "Ops, EMEA", "members": 3, "run_time": 590}, {"name": "a/b", "members": 0, "run_time": 3}]


@pytest.fixture(autouse=True)
def three_conferences(world: World) -> None:
    world.load(*THREE)


def kinds(values: dict[str, t.Any]) -> dict[str | None, str]:
    return {entry["conference_name"]: entry["kind"] for entry in values.get("errors", [])}


# --- the list ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("check", [False, True])
def test_the_list_is_one_request_and_names_only(world: World, check: bool) -> None:
    values = world.info(check=check)
    assert world.requests == ["GET *"]
    assert values == {
        "changed": False,
        "conference_names": ["Sales", "Ops, EMEA", "a/b"],
        "conferences": [{"conference_name": "Sales"}, {"conference_name": "Ops, EMEA"}, {"conference_name": "a/b"}],
        "absent": [],
        "api_id": values["api_id"],
        "queued": [],
    }
    assert isinstance(values["api_id"], str)


def test_no_conference_is_an_empty_list(world: World) -> None:
    world.load()
    values = world.info(details=True)
    assert (values["conference_names"], values["conferences"], values["absent"]) == ([], [], [])
    assert world.requests == ["GET *"]


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"patterns": ["*a*"]}, ["Sales", "a/b"]),
        ({"patterns": ["S.*|O.*"], "use_regex": True, "excludes": ["S.*"]}, ["Ops, EMEA"]),
        ({"patterns": []}, []),
        ({"excludes": ["*"]}, []),
        ({"excludes": ["Sales"]}, ["Ops, EMEA", "a/b"]),
    ],
)
def test_patterns_and_excludes_need_the_list_only(world: World, params: dict[str, t.Any], names: list[str]) -> None:
    assert world.info(**params)["conference_names"] == names
    assert world.requests == ["GET *"]


# --- details -----------------------------------------------------------------------------------------


def test_details_of_all_are_one_request_each_beside_the_list(world: World) -> None:
    values = world.info(details=True)
    assert world.requests[0] == "GET *"
    assert sorted(world.requests[1:]) == sorted(["GET Sales", "GET Ops, EMEA", "GET a/b"])
    sales, ops, _ab = values["conferences"]
    assert sales["conference_name"] == "Sales"
    assert ops["conference_member_count"] == len(ops["members"]) == 3
    assert 590 <= ops["conference_run_time"] <= 591
    assert {type(member["muted"]) for member in ops["members"]} == {bool}
    assert {type(member["join_time"]) for member in ops["members"]} == {int}
    assert ops["members"][0]["caller_name"] == "Caller 1"


def test_members_may_be_left_out(world: World) -> None:
    for conference in world.info(details=True, members=False)["conferences"]:
        assert "members" not in conference
        assert "conference_member_count" in conference


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"min_members": 1}, ["Sales", "Ops, EMEA"]),
        ({"max_members": 0}, ["a/b"]),
        ({"min_run_time": "9m"}, ["Ops, EMEA"]),
        ({"max_run_time": "1m", "min_members": 1}, ["Sales"]),
        ({"max_run_time": "1m", "excludes": ["S*"]}, ["a/b"]),
    ],
)
def test_bounds_choose_by_details(world: World, params: dict[str, t.Any], names: list[str]) -> None:
    values = world.info(**params)
    assert values["conference_names"] == names
    assert all("conference_run_time" in conference for conference in values["conferences"])


def test_one_that_ends_before_its_details_is_left_out(world: World) -> None:
    world.load("Sales", {"name": "Ops", "ends_after_requests": 1})
    values = world.info(details=True)
    assert "failed" not in values
    assert (values["conference_names"], values["absent"]) == (["Sales"], [])
    assert world.requests.count("GET *") == 2


def test_one_that_is_listed_but_has_no_url_is_an_error(world: World) -> None:
    world.load("Sales", {"name": "Ops", "findable": False})
    values = world.info(details=True)
    assert values["conference_names"] == ["Sales"]
    assert kinds(values) == {"Ops": "not_found"}
    assert "listed, but not found under its URL" in values["msg"]


def test_one_that_cannot_be_addressed_does_not_stop_the_others(world: World) -> None:
    world.load("Sales", ".", "..", "Ops")
    assert world.info()["conference_names"] == ["Sales", ".", "..", "Ops"]
    values = world.info(details=True)
    assert values["conference_names"] == ["Sales", "Ops"]
    assert kinds(values) == {".": "invalid_request", "..": "invalid_request"}
    assert sorted(world.requests) == sorted(["GET *", "GET Sales", "GET Ops"])


# --- by name -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("check", [False, True])
def test_one_by_name_is_one_request(world: World, check: bool) -> None:
    values = world.info(check=check, name="Ops, EMEA")
    assert world.requests == ["GET Ops, EMEA"]
    assert values["conference_names"] == ["Ops, EMEA"]
    assert values["conferences"][0]["conference_member_count"] == 3
    assert values["api_id"] is None


def test_names_keep_their_order_and_what_is_not_live_is_absent(world: World) -> None:
    values = world.info(names=["none", "a/b", "Sales", "a/b", "gone"])
    assert "failed" not in values
    assert values["conference_names"] == ["a/b", "Sales"]
    assert values["absent"] == ["none", "gone"]
    assert sorted(world.requests) == sorted(["GET none", "GET a/b", "GET Sales", "GET gone", "GET *"])
    assert values["api_id"] is not None


def test_no_names_need_no_request(world: World) -> None:
    values = world.info(names=[])
    assert (values["conferences"], values["absent"], world.requests) == ([], [], [])


@pytest.mark.parametrize("name", ["#x", "?x", "a b", "%2E", "é/ü", "x" * 500, "['a']", "007", "a&b=c", "\x01\n"])
def test_odd_names_are_reached(world: World, name: str) -> None:
    world.load(name, "another")
    assert world.info(name=name)["conference_names"] == [name]
    assert world.requests == [f"GET {name}"]


def test_a_lagging_list_does_not_hide_one_by_name(world: World) -> None:
    world.load("Sales", {"name": "New", "listed": False})
    values = world.info(names=["New", "Sales"])
    assert (values["conference_names"], values["absent"]) == (["New", "Sales"], [])


def test_a_wrong_account_is_not_taken_for_absence(world: World) -> None:
    values = world.info(name="Sales", auth_id="MAWRONG")
    assert values["failed"]
    assert values["absent"] == []
    assert values["error"]["kind"] in ("not_found", "authentication")


def test_details_of_another_conference_are_refused(world: World) -> None:
    world.load({"name": "Sales", "overrides": {"conference_name": "Ops"}})
    values = world.info(name="Sales")
    assert values["error"]["kind"] == "protocol"
    assert values["conferences"] == []


@pytest.mark.parametrize(
    "overrides",
    [
        {"conference_run_time": "soon"},
        {"conference_member_count": None},
        {"members": {}},
        {"members": [1]},
        {"members": [{"muted": "maybe"}]},
        {"members": [{"join_time": []}]},
        {"members": [{"caller_name": 5}]},
        {"conference_name": 5},
        {"api_id": 5},
        {"error": "no"},
    ],
    ids=str,
)
def test_a_wrong_type_is_a_protocol_failure(world: World, overrides: dict[str, t.Any]) -> None:
    world.load({"name": "Sales", "overrides": overrides}, "Ops")
    if "api_id" in overrides:
        world.control.add_faults({"action": "answer", "name": "Sales", "json": {"api_id": 5}, "status": 200})
    values = world.info(names=["Sales", "Ops"])
    assert kinds(values) == {"Sales": "protocol"}
    assert values["conference_names"] == ["Ops"]


def test_unknown_fields_pass_through(world: World) -> None:
    world.load({"name": "Sales", "overrides": {"recording": {"url": "https://x/"}}})
    assert world.info(name="Sales")["conferences"][0]["recording"] == {"url": "https://x/"}


def test_what_is_found_is_added_to_what_is_known() -> None:
    known = PlivoError("server", "no luck")
    result = conference_info.InfoResult(absent=["a"], errors=[known])
    more = PlivoError("timeout", "no luck")
    result.take(Found({}, ["b"], {"c": more}, None))
    assert (result.absent, result.errors) == (["a", "b"], [known, more])


# --- asynchronous mode -------------------------------------------------------------------------------


def test_the_list_is_queued(world: World) -> None:
    values = world.info(callback_url=CALLBACK)
    assert world.requests == ["GET *"]
    (entry,) = values["queued"]
    assert entry == {"conference_name": None, "api_id": entry["api_id"]}
    assert isinstance(entry["api_id"], str)
    assert (values["conferences"], values["changed"]) == ([], False)
    assert "ct%3D2000" in world.log[0]["query"]


def test_names_are_queued(world: World) -> None:
    values = world.info(callback_url=CALLBACK, callback_method="GET", names=["Sales", "none"])
    assert values["queued"] == [
        {"conference_name": name, "api_id": entry["api_id"]} for name, entry in zip(["Sales", "none"], values["queued"])
    ]
    assert len({entry["api_id"] for entry in values["queued"]} - {None}) == 2
    assert sorted(world.requests) == ["GET Sales", "GET none"]


def test_a_404_is_explained_by_the_list_when_queued_too(world: World) -> None:
    world.control.add_faults({"action": "answer", "status": 404, "target": "conference", "times": None})
    values = world.info(callback_url=CALLBACK, names=["Sales", "none"])
    assert (values["queued"], values["absent"]) == ([], ["none"])
    assert kinds(values) == {"Sales": "not_found"}
    assert sorted(world.requests) == ["GET *", "GET Sales", "GET none"]


@pytest.mark.parametrize(
    "params",
    [
        {"patterns": ["*"]},
        {"patterns": []},
        {"excludes": ["x"]},
        {"min_members": 0},
        {"max_members": 0},
        {"min_run_time": "0"},
        {"max_run_time": "1h"},
        {"details": True},
        {"name": "x", "min_members": 1},
    ],
    ids=str,
)
def test_what_needs_the_answers_cannot_be_queued(world: World, params: dict[str, t.Any]) -> None:
    values = world.info(callback_url=CALLBACK, **params)
    assert values["error"]["kind"] == "invalid_request"
    assert world.requests == []
    assert values["msg"].startswith("callback_url: ")
    option = next((option for option in ("patterns", "excludes", "details") if option in params), "a bound on run time")
    assert f" but {option} " in values["msg"]
    assert values["msg"].endswith(" remove one of the two.")


# --- refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "params",
    [
        {"name": "Sales", "details": False},
        {"names": ["Sales"], "details": False},
        {"min_members": 0, "details": False},
        {"max_run_time": "1h", "details": False},
        {"name": "Sales", "names": ["Sales"]},
        {"names": [], "patterns": []},
        {"name": "."},
        {"names": ["Sales", ""]},
        {"patterns": [" "]},
        {"excludes": ["("], "use_regex": True},
        {"min_members": 3, "max_members": 2},
        {"min_run_time": "2h", "max_run_time": "1h"},
        {"min_run_time": "x"},
        {"min_members": -1},
        {"callback_method": "GET"},
        {"callback_url": "x"},
    ],
    ids=str,
)
def test_what_is_wrong_is_refused_before_any_request(world: World, params: dict[str, t.Any]) -> None:
    values = world.info(**params)
    assert values["failed"]
    assert (values["error"]["kind"], values["error"]["attempts"], values["error"]["url"]) == (
        "invalid_request",
        0,
        None,
    )
    assert values["msg"].split(":")[0].split(" ")[0] in [*params, "details"]
    assert values["msg"].endswith(" remove it." if params.get("details") is False else ".")
    assert world.requests == []


def test_a_wrong_token_is_one_request_and_a_clear_word(world: World) -> None:
    values = world.info(auth_token="wrong-t0ken", details=True)
    assert values["error"]["kind"] == "authentication"
    assert values["error"]["status"] == 401
    assert "auth_token" in values["msg"]
    assert "wrong-t0ken" not in str(values)
    assert world.requests == ["GET *"]


# --- faults ------------------------------------------------------------------------------------------

PASSING = {
    "429": {"action": "answer", "status": 429},
    "429 later": {"action": "answer", "status": 429, "headers": {"Retry-After": "7"}},
    "408": {"action": "answer", "status": 408},
    "500": {"action": "answer", "status": 500},
    "503 html": {"action": "answer", "status": 503, "body": "<html>busy</html>"},
    "reset": {"action": "reset"},
    "close": {"action": "close"},
    "silence": {"action": "silence"},
    "drip": {"action": "drip", "interval": 0.05},
    "cut head": {"action": "cut_short", "cut_at": 40},
    "cut body": {"action": "cut_short"},
    "cut body and reset": {"action": "cut_short", "reset": True},
    "cut chunks": {"action": "cut_short", "framing": "chunked"},
    "garbage": {"action": "raw", "body": "\x16\x03\x01 nonsense\r\n\r\n"},
}


@pytest.mark.parametrize("params", [{}, {"name": "Sales"}], ids=["list", "name"])
@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_a_passing_fault_is_survived(world: World, fault: dict[str, t.Any], params: dict[str, t.Any]) -> None:
    world.control.add_faults(fault)
    values = world.info(timeout=0.15 if fault["action"] in ("silence", "drip") else 5, **params)
    assert "failed" not in values, values["msg"]
    assert "Sales" in values["conference_names"]
    # On a busy machine the true answer may be late as well.
    assert len(world.requests) == len(world.slept) + 1 >= 2


LASTING = [
    ({"action": "answer", "status": 403}, "forbidden"),
    ({"action": "answer", "status": 400}, "invalid_request"),
    ({"action": "answer", "status": 302, "headers": {"Location": "/v1/"}}, "redirect"),
    ({"action": "answer", "status": 200, "body": "<html>login</html>"}, "protocol"),
    ({"action": "answer", "status": 200, "body": ""}, "protocol"),
    ({"action": "answer", "status": 200, "json": {"error": "no"}}, "protocol"),
    ({"action": "answer", "status": 200, "json": []}, "protocol"),
    ({"action": "flood", "size": 20_000_000}, "protocol"),
    ({"action": "answer", "status": 503}, "server"),
    ({"action": "answer", "status": 429}, "rate_limited"),
    ({"action": "reset"}, "connection"),
]


@pytest.mark.parametrize("params", [{}, {"name": "Sales"}], ids=["list", "name"])
@pytest.mark.parametrize(
    ("fault", "kind"), LASTING, ids=[f"{fault.get('status', fault['action'])}-{kind}" for fault, kind in LASTING]
)
def test_a_lasting_fault_is_told_once_and_clearly(
    world: World, fault: dict[str, t.Any], kind: str, params: dict[str, t.Any]
) -> None:
    world.control.add_faults({**fault, "times": None})
    values = world.info(**params)
    assert values["error"]["kind"] == kind
    assert values["error"]["attempts"] == len(world.requests) == (5 if values["error"]["retryable"] else 1)
    assert values["error"]["method"] == "GET"
    assert values["conferences"] == values["absent"] == []
    assert AUTH_TOKEN not in values["msg"]


def test_a_host_that_dies_ends_the_reading_early(world: World) -> None:
    world.load(*[f"c{number}" for number in range(30)])
    world.control.add_faults({"action": "reset", "times": None, "target": "conference", "skip": 5})
    values = world.info(details=True, max_connections=1, retries=0)
    assert len(values["conferences"]) == 5
    assert len(world.requests) == 1 + 5 + 3
    assert list(kinds(values).values()) == ["connection"] * 3 + ["not_tried"] * 22
    assert "22 of them not tried" in values["msg"]
