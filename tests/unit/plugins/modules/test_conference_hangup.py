# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""conference_hangup ends what was meant and nothing else, predicts itself in check mode, and its account is true."""

from __future__ import annotations

import fnmatch
import types
import typing as t

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.plivo.voice.plugins.module_utils._errors import PlivoError
from ansible_collections.plivo.voice.plugins.modules import conference_hangup
from plivo_simulator import AUTH_TOKEN
from unit.plugins.support import Clock

World = t.Any  # see conftest.py
Values = dict[str, t.Any]

CALLBACK = "http://127.0.0.1:9/done?x=1#ct=2000&rt=40000"
FOUR = [
    "Sales",
    {"name": "Ops, EMEA", "members": 3, "run_time": 590},
    {"name": "a/b", "members": 0, "run_time": 3},
    {"name": "Support", "members": 2, "run_time": 7200},
]
NAMES = ["Sales", "Ops, EMEA", "a/b", "Support"]


@pytest.fixture(autouse=True)
def four_conferences(world: World) -> None:
    world.load(*FOUR)


def kinds(values: Values) -> dict[str | None, str]:
    return {entry["conference_name"]: entry["kind"] for entry in values.get("errors", [])}


def prediction(values: Values) -> Values:
    """What check mode promises."""
    promised = {key: values[key] for key in ("changed", "hung_up", "absent", "diff")}
    promised["queued"] = [entry["conference_name"] for entry in values["queued"]]
    promised["conferences"] = [conference["conference_name"] for conference in values["conferences"]]
    promised["errors"] = kinds(values)
    return promised


# --- check, real, real again -------------------------------------------------------------------------


class Case(t.NamedTuple):
    params: Values
    hung_up: list[str]
    #: Of the real run; check mode makes the same without the DELETEs.
    requests: list[str]
    absent: t.Sequence[str] = ()
    conferences: t.Sequence[str | dict[str, t.Any]] = FOUR
    errors: t.Mapping[str, str] = types.MappingProxyType({})
    #: Requests of the second real run.
    again: t.Sequence[str] = ("GET *",)


DETAILS = [f"GET {name}" for name in NAMES]

CASES = {
    "one": Case({"name": "Sales"}, ["Sales"], ["GET *", "DELETE Sales"], again=["GET *", "GET Sales"]),
    "comma": Case(
        {"name": "Ops, EMEA"}, ["Ops, EMEA"], ["GET *", "DELETE Ops, EMEA"], again=["GET *", "GET Ops, EMEA"]
    ),
    "slash": Case({"name": "a/b"}, ["a/b"], ["GET *", "DELETE a/b"], again=["GET *", "GET a/b"]),
    "absent": Case({"name": "x"}, [], ["GET *", "GET x"], ["x"], again=["GET *", "GET x"]),
    "names": Case(
        {"names": ["x", "Support", "Sales", "Support", "y"]},
        ["Support", "Sales"],
        ["GET *", "GET x", "GET y", "DELETE Support", "DELETE Sales"],
        ["x", "y"],
        again=["GET *", "GET x", "GET Support", "GET Sales", "GET y"],
    ),
    "no names": Case({"names": []}, [], ["GET *"]),
    "names but": Case(
        {"names": ["Sales", "Support", "x"], "excludes": ["Su*", "x"]},
        ["Sales"],
        ["GET *", "DELETE Sales"],
        again=["GET *", "GET Sales"],
    ),
    "patterns": Case({"patterns": ["S*"]}, ["Sales", "Support"], ["GET *", "DELETE Sales", "DELETE Support"]),
    "no match": Case({"patterns": ["s*"]}, [], ["GET *"]),
    "no patterns": Case({"patterns": []}, [], ["GET *"]),
    "regex": Case({"patterns": ["S.*s"], "use_regex": True}, ["Sales"], ["GET *", "DELETE Sales"]),
    "every": Case({"patterns": ["*"]}, NAMES, ["GET *", *(f"DELETE {name}" for name in NAMES)]),
    "all": Case({"all": True}, NAMES, ["GET *", "DELETE *"]),
    "all of none": Case({"all": True}, [], ["GET *"], conferences=[]),
    "all of one": Case({"all": True}, ["Sales"], ["GET *", "DELETE *"], conferences=["Sales"]),
    "all with details": Case({"all": True, "details": True}, NAMES, ["GET *", *DETAILS, "DELETE *"]),
    "all but": Case(
        {"all": True, "excludes": ["S*"]}, ["Ops, EMEA", "a/b"], ["GET *", "DELETE Ops, EMEA", "DELETE a/b"]
    ),
    "all but none": Case({"all": True, "excludes": ["x"]}, NAMES, ["GET *", *(f"DELETE {name}" for name in NAMES)]),
    "all, no excludes": Case({"all": True, "excludes": []}, NAMES, ["GET *", "DELETE *"]),
    "all, guarded": Case({"all": True, "max_hangups": 4}, NAMES, ["GET *", *(f"DELETE {name}" for name in NAMES)]),
    "all, empty ones": Case(
        {"all": True, "max_members": 0},
        ["a/b"],
        ["GET *", *DETAILS, "DELETE a/b"],
        again=["GET *", "GET Sales", "GET Ops, EMEA", "GET Support"],
    ),
    "all, any bound": Case(
        {"all": True, "min_members": 0}, NAMES, ["GET *", *DETAILS, *(f"DELETE {name}" for name in NAMES)]
    ),
    "old": Case(
        {"patterns": ["*"], "min_run_time": "1h"},
        ["Support"],
        ["GET *", *DETAILS, "DELETE Support"],
        again=["GET *", "GET Sales", "GET Ops, EMEA", "GET a/b"],
    ),
    "young": Case(
        {"names": ["Support", "Sales", "x"], "max_run_time": "1h"},
        ["Sales"],
        ["GET *", "GET Support", "GET Sales", "GET x", "DELETE Sales"],
        ["x"],
        again=["GET *", "GET Support", "GET Sales", "GET x"],
    ),
    "any bound, with details": Case(
        {"all": True, "min_members": 0, "details": True},
        NAMES,
        ["GET *", *DETAILS, *(f"DELETE {name}" for name in NAMES)],
    ),
    "details": Case(
        {"patterns": ["S*"], "details": True, "members": False},
        ["Sales", "Support"],
        ["GET *", "GET Sales", "GET Support", "DELETE Sales", "DELETE Support"],
    ),
    "guarded": Case(
        {"name": "Sales", "max_hangups": 1}, ["Sales"], ["GET *", "DELETE Sales"], again=["GET *", "GET Sales"]
    ),
    "unlisted": Case(
        {"name": "New"},
        ["New"],
        ["GET *", "GET New", "DELETE New"],
        conferences=[{"name": "New", "listed": False}, "Sales"],
        again=["GET *", "GET New"],
    ),
    "dots": Case(
        {"patterns": ["*"]},
        ["Sales"],
        ["GET *", "DELETE Sales"],
        conferences=[".", "Sales", ".."],
        errors={".": "invalid_request", "..": "invalid_request"},
    ),
    "all dots": Case({"all": True}, [".", "Sales", ".."], ["GET *", "DELETE *"], conferences=[".", "Sales", ".."]),
    "bounded dots": Case(
        {"patterns": ["*"], "min_members": 1},
        ["Sales"],
        ["GET *", "GET Sales", "DELETE Sales"],
        conferences=[".", "Sales"],
        errors={".": "invalid_request"},
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_check_real_and_real_again(world: World, case: Case) -> None:
    world.load(*case.conferences, read_only=True)
    before = world.live

    check = world.hangup(check=True, **case.params)
    assert world.control.violations() == []
    assert world.writes == []
    assert sorted(world.requests) == sorted(request for request in case.requests if request.startswith("GET "))
    assert world.live == before

    world.control.settings(read_only=False)
    real = world.hangup(**case.params)
    assert sorted(world.requests) == sorted(case.requests)
    assert world.requests[0] == "GET *"
    assert prediction(check) == prediction(real)
    assert real["hung_up"] == case.hung_up
    assert real["absent"] == list(case.absent)
    assert real["changed"] is bool(case.hung_up)
    assert kinds(real) == case.errors
    assert (real["queued"], real["restarted"], real["still_live"], real["unknown"]) == ([], [], [], [])
    assert world.live == [name for name in before if name not in case.hung_up]
    assert real["diff"] == {"before": {"conferences": sorted(before)}, "after": {"conferences": sorted(world.live)}}

    left = world.live
    again = world.hangup(**case.params)
    assert (again["changed"], again["hung_up"]) == (False, [])
    assert again["diff"]["before"] == again["diff"]["after"]
    assert world.live == left
    if not case.errors:
        assert sorted(world.requests) == sorted(case.again)


def test_details_are_those_of_the_decision(world: World) -> None:
    ops = world.hangup(name="Ops, EMEA", details=True)["conferences"][0]
    assert 590 <= ops["conference_run_time"] <= 591
    assert len(ops["members"]) == ops["conference_member_count"] == 3
    world.load(*FOUR)
    assert "members" not in world.hangup(name="Ops, EMEA", details=True, members=False)["conferences"][0]
    world.load(*FOUR)
    assert world.hangup(name="Ops, EMEA")["conferences"] == [{"conference_name": "Ops, EMEA"}]


CONFERENCE = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["Sales", "sales", "Ops", "a/b", "x, y", ".", "é", "007"]),
        "members": st.integers(0, 3),
        "run_time": st.sampled_from([0, 59, 61, 3590, 7200]),
        "listed": st.sampled_from([True, True, True, False]),
    }
)
GLOB = st.sampled_from(["*", "S*", "[!s]*", "x", "?", "*/*"])
OPTIONS = st.fixed_dictionaries(
    {"choice": st.sampled_from(["name", "names", "patterns", "all"])},
    optional={
        "excludes": st.lists(GLOB.filter(lambda glob: glob != "*"), max_size=2),
        "min_run_time": st.sampled_from(["0", "1m"]),
        "max_run_time": st.sampled_from(["30m", "1d"]),
        "min_members": st.integers(0, 1),
        "max_members": st.integers(1, 3),
        "max_hangups": st.integers(0, 4),
        "details": st.booleans(),
        "wait": st.booleans(),
        "callback_url": st.just(CALLBACK),
    },
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    conferences=st.lists(CONFERENCE, max_size=5, unique_by=lambda each: each["name"]),
    options=OPTIONS,
    names=st.lists(st.sampled_from(["Sales", "Ops", "a/b", "none", "x, y"]), min_size=1, max_size=4),
    globs=st.lists(GLOB, max_size=2),
)
def test_check_mode_predicts_the_real_run(
    world: World, conferences: list[Values], options: Values, names: list[str], globs: list[str]
) -> None:
    options = dict(options)
    choice = options.pop("choice")
    options[choice] = {"name": names[0], "names": names, "patterns": globs, "all": True}[choice]
    if options.get("callback_url"):
        options["wait"] = False
    world.load(*conferences, read_only=True)
    check = world.hangup(check=True, **options)
    assert world.control.violations() == []
    reads = sorted(world.requests)
    world.control.settings(read_only=False)
    before = world.control.conferences()
    real = world.hangup(**options)
    assert prediction(check) == prediction(real)
    if not options.get("wait"):
        assert sorted(request for request in world.requests if request.startswith("GET ")) == reads
    if options.get("callback_url"):
        assert real["hung_up"] == []
        return
    # The account is true to what the server did, and nothing was hit that was not meant.
    after = world.live
    ended = [name for name in before if name not in after]
    is_whole = "DELETE *" in world.requests
    assert sorted(real["hung_up"]) == sorted(ended) or is_whole
    for name in ended:
        if choice in ("name", "names"):
            assert name in names
        if choice == "patterns":
            assert any(fnmatch.fnmatchcase(name, glob) for glob in globs)
        assert not any(fnmatch.fnmatchcase(name, glob) for glob in options.get("excludes", []))
        assert int(before[name]["conference_member_count"]) <= options.get("max_members", 3)
        assert int(before[name]["conference_member_count"]) >= options.get("min_members", 0)
    assert len(ended) <= options.get("max_hangups", 99)
    if is_whole:
        assert choice == "all"
        assert not {"min_run_time", "max_run_time", "min_members", "max_members", "max_hangups"} & set(options)
        assert not options.get("excludes")
    if "failed" not in real:
        assert world.hangup(**{**options, "wait": False})["changed"] is False


# --- a guard -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("params", "reads"),
    [
        ({"all": True, "max_hangups": 3}, 1),
        ({"all": True, "max_hangups": 0}, 1),
        ({"patterns": ["S*"], "max_hangups": 1}, 1),
        ({"name": "Sales", "max_hangups": 0}, 1),
        ({"patterns": ["*"], "min_members": 2, "max_hangups": 1}, 5),
    ],
    ids=str,
)
def test_a_guard_refuses_before_the_first_hangup(world: World, check: bool, params: Values, reads: int) -> None:
    values = world.hangup(check=check, **params)
    assert values["error"]["kind"] == "guard"
    assert values["msg"].startswith(f"max_hangups: {params['max_hangups']} allows fewer than the ")
    assert f" {len(values['conferences'])} live conferences " in values["msg"]
    assert values["msg"].endswith(" so none was hung up; narrow the choice, or raise max_hangups.")
    assert (values["changed"], values["hung_up"]) == (False, [])
    assert values["diff"]["before"] == values["diff"]["after"] == {"conferences": sorted(NAMES)}
    assert len(values["conferences"]) > params["max_hangups"]
    assert (len(world.requests), world.writes) == (reads, [])
    assert world.live == NAMES


def test_a_guard_counts_live_conferences_only(world: World) -> None:
    values = world.hangup(names=["x", "y", "Sales"], max_hangups=1)
    assert (values["hung_up"], values["absent"]) == (["Sales"], ["x", "y"])
    assert world.hangup(names=["x", "Sales"], max_hangups=0)["changed"] is False


# --- in a few words ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("done", "words"),
    [
        ({}, ""),
        ({"hung_up": ["a", "b", "c"]}, "3 hung up."),
        ({"hung_up": ["a"], "is_prediction": True}, "1 would be hung up."),
        ({"queued": [{}, {}]}, "2 queued."),
        ({"queued": [{}], "is_prediction": True}, "1 would be queued."),
        ({"hung_up": ["a"], "unknown": ["b", "c"]}, "1 hung up, 2 unknown."),
    ],
    ids=str,
)
def test_what_was_done_in_a_few_words(done: Values, words: str) -> None:
    assert conference_hangup.HangupResult(**done).summary() == words


# --- refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"all": False},
        {"excludes": ["x"]},
        {"min_members": 1},
        {"all": True, "name": "x"},
        {"all": True, "names": []},
        {"all": True, "patterns": []},
        {"name": "x", "patterns": ["x"]},
        {"name": ""},
        {"name": "."},
        {"names": ["Sales", ".."]},
        {"patterns": [""]},
        {"all": True, "excludes": [" "]},
        {"all": True, "excludes": ["["], "use_regex": True},
        {"all": True, "max_hangups": -1},
        {"all": True, "wait_timeout": float("nan")},
        {"all": True, "wait_timeout": -1.0},
        {"all": True, "wait": True, "callback_url": CALLBACK},
        {"all": True, "callback_url": "x"},
        {"all": True, "callback_method": "POST"},
        {"all": True, "min_run_time": "2h", "max_run_time": "1h"},
    ],
    ids=str,
)
def test_what_is_wrong_is_refused_before_any_request(world: World, check: bool, params: Values) -> None:
    values = world.hangup(check=check, **params)
    assert (values["error"]["kind"], values["error"]["attempts"]) == ("invalid_request", 0)
    assert (values["changed"], values["hung_up"], world.requests) == (False, [], [])
    assert world.live == NAMES


@pytest.mark.parametrize(
    ("params", "problem", "remedy"),
    [
        ({}, "nothing is hung up without a choice; ", "give one of name, names, patterns and all: true."),
        (
            {"all": True, "wait": True, "callback_url": CALLBACK},
            "wait: true contradicts callback_url,",
            "; remove one.",
        ),
        ({"all": True, "min_members": 1, "rate_limit": 1}, "rate_limit: 1 leaves no", " members; set it to 2 or more."),
    ],
    ids=["no choice", "wait", "rate_limit"],
)
def test_a_contradiction_is_told_with_its_remedy(world: World, params: Values, problem: str, remedy: str) -> None:
    msg = world.hangup(**params)["msg"]
    assert msg.startswith(problem)
    assert msg.endswith(remedy)


# --- conferences that come and go --------------------------------------------------------------------


@pytest.mark.parametrize("params", [{"name": "Sales"}, {"patterns": ["Sales"]}], ids=str)
def test_one_that_ends_by_itself_is_not_hung_up(world: World, params: Values) -> None:
    world.load({"name": "Sales", "ends_after_requests": 1}, "Ops")
    values = world.hangup(**params)
    assert world.requests == ["GET *", "DELETE Sales", "GET *"]
    assert (values["changed"], values["hung_up"]) == (False, [])
    assert values["absent"] == (["Sales"] if "name" in params else [])
    assert "failed" not in values
    assert values["diff"]["after"] == {"conferences": ["Ops"]}


def test_one_that_is_listed_and_has_no_url_is_an_error(world: World) -> None:
    world.load({"name": "Sales", "findable": False}, "Ops")
    values = world.hangup(names=["Sales", "Ops"])
    assert values["hung_up"] == ["Ops"]
    assert kinds(values) == {"Sales": "not_found"}
    assert "1 hung up" in values["msg"]
    assert "listed, but not found" in values["msg"]
    assert values["changed"]


@pytest.mark.parametrize(
    "params",
    [
        {"patterns": ["*"]},
        {"all": True, "excludes": ["x"]},
        {"all": True, "max_hangups": 9},
        {"all": True, "min_members": 1},
        {"names": ["Sales", "Ops"]},
    ],
    ids=str,
)
def test_one_that_begins_meanwhile_is_never_hit(world: World, params: Values) -> None:
    world.load("Sales", "Ops", {"name": "Late", "starts_after_requests": 1})
    values = world.hangup(**params)
    assert values["hung_up"] == ["Sales", "Ops"]
    assert "DELETE *" not in world.requests
    assert world.live == ["Late"]


def test_a_lagging_list_hides_nothing_that_is_asked_for_by_name(world: World) -> None:
    world.load("Sales", list_lag=10)
    world.control.add_conferences("New")
    values = world.hangup(names=["New", "Sales"])
    assert values["hung_up"] == ["New", "Sales"]
    assert world.requests.count("GET New") == 1
    # The list still shows both; a second run learns better from the hangups' 404.
    again = world.hangup(patterns=["*"])
    assert again["hung_up"] == []
    assert kinds(again) == {"Sales": "not_found"}


def test_one_that_ends_before_its_details_is_not_hung_up(world: World) -> None:
    world.load({"name": "Sales", "ends_after_requests": 1}, "Ops")
    values = world.hangup(patterns=["S*"], min_members=0)
    assert world.requests == ["GET *", "GET Sales", "GET *"]
    assert (values["changed"], values["absent"], "failed" in values) == (False, [], False)
    assert values["diff"]["before"] == {"conferences": ["Ops"]}


def test_one_that_is_listed_but_has_no_url_is_an_error_and_left_alone(world: World) -> None:
    world.load("Sales", {"name": "Ops", "findable": False})
    for check in (True, False):
        values = world.hangup(check=check, all=True, min_members=0)
        assert (values["hung_up"], kinds(values)) == (["Sales"], {"Ops": "not_found"})
        assert values["msg"].startswith(f"1 {'would be ' if check else ''}hung up. GET ")
    assert world.live == ["Ops"]


def test_all_that_ended_meanwhile_is_no_change(world: World) -> None:
    world.load({"name": "Sales", "ends_after_requests": 1}, hangup_all_empty_status=404)
    values = world.hangup(all=True)
    assert world.requests == ["GET *", "DELETE *", "GET *"]
    assert (values["changed"], values["hung_up"], "failed" in values) == (False, [], False)


def test_an_account_that_cannot_be_found_is_an_error_and_no_absence(world: World) -> None:
    values = world.hangup(name="Sales", auth_id="MAWRONG")
    assert values["error"]["kind"] in ("not_found", "authentication")
    assert values["absent"] == []
    assert world.writes == []


# --- bounds are fresh --------------------------------------------------------------------------------

#: Puts ten seconds between the decision and the hangup.
LATER = {"action": "answer", "status": 429, "headers": {"Retry-After": "10"}, "method": "DELETE"}


@pytest.mark.parametrize("callback", [{}, {"callback_url": CALLBACK}], ids=["now", "queued"])
def test_a_decision_by_bounds_is_renewed_after_five_seconds(world: World, callback: Values) -> None:
    world.control.settings(async_delay=3600)
    world.control.add_faults(LATER)
    values = world.hangup(name="Support", min_members=2, **callback)
    assert [*values["hung_up"], *(entry["conference_name"] for entry in values["queued"])] == ["Support"]
    assert world.requests == ["GET *", "GET Support", "DELETE Support", "GET Support", "DELETE Support"]


def test_without_bounds_nothing_is_looked_at_again(world: World) -> None:
    world.control.add_faults(LATER)
    assert world.hangup(name="Support", details=True)["hung_up"] == ["Support"]
    assert world.requests == ["GET *", "GET Support", "DELETE Support", "DELETE Support"]


@pytest.mark.parametrize("params", [{"max_members": 1}, {"max_run_time": "9"}], ids=str)
def test_one_that_does_not_match_any_more_is_left_alone(world: World, params: Values) -> None:
    world.load({"name": "Sales", "members": [{}, {"joins_in": 3}]}, "Ops")
    world.control.add_faults({**LATER, "name": "Sales"})
    values = world.hangup(names=["Sales", "Ops"], max_connections=2, **params)
    assert "Sales" in world.live
    assert "Sales" not in values["hung_up"]
    assert world.requests.count("DELETE Sales") == 1
    assert "failed" not in values
    assert "Sales" not in [conference["conference_name"] for conference in values["conferences"]]
    assert "Sales" in values["diff"]["after"]["conferences"]


def test_one_that_the_list_never_showed_is_not_gone_because_it_lacks_it(world: World) -> None:
    world.load({"name": "New", "listed": False})
    world.control.add_faults({"action": "answer", "status": 500, "method": "DELETE", "times": None})
    values = world.hangup(name="New", retries=1)
    assert world.live == ["New"]
    assert (values["hung_up"], [error["conference_name"] for error in values["errors"]]) == ([], ["New"])


def test_one_that_the_list_never_showed_is_waited_for(world: World) -> None:
    world.load({"name": "New", "listed": False, "run_time": 100})
    # It says so, and does nothing.
    world.control.add_faults({"action": "answer", "status": 204, "body": "", "method": "DELETE"})
    values = world.hangup(name="New", wait=True, wait_timeout=5)
    assert (values["still_live"], values["error"]["kind"]) == (["New"], "wait_timeout")


def test_another_one_under_the_same_name_is_left_alone(world: World) -> None:
    world.load({"name": "Sales", "run_time": 4000, "ends_in": 3, "restarts_in": 1})
    world.control.add_faults(LATER)
    values = world.hangup(name="Sales", min_run_time="1h")
    assert world.live == ["Sales"]
    assert (values["hung_up"], values["changed"]) == ([], False)


def test_a_redial_after_a_lost_answer_does_not_hide_the_hangup(world: World) -> None:
    """The first attempt works but its answer is lost; who redials does not match; the account must tell."""
    world.load({"name": "Sales", "run_time": 7, "members": [{"leaves_in": 8}], "redial_in": 0})
    lost = {"action": "answer", "status": 503, "when": "after", "headers": {"Retry-After": "10"}, "method": "DELETE"}
    world.control.add_faults(lost)
    values = world.hangup(name="Sales", min_members=1, max_run_time="11")
    assert world.writes == ["DELETE Sales"]
    assert values["hung_up"] == ["Sales"]


@pytest.mark.parametrize("bounds", [{"min_run_time": "1h"}, {"min_members": 1}])
def test_a_retry_never_hits_who_redialled_after_a_lost_answer(world: World, bounds: Values) -> None:
    """The first attempt works but its answer is lost; a moment later other people are on under the same name."""
    world.load({"name": "Sales", "run_time": 20000, "redial_in": 0})
    world.control.add_faults({"action": "reset", "when": "after", "method": "DELETE"})
    values = world.hangup(name="Sales", **bounds)
    assert world.writes == ["DELETE Sales"]
    assert world.live == ["Sales"]
    assert (values["hung_up"], values["changed"]) == (["Sales"], True)


def test_a_gateways_408_after_the_hangup_is_no_failure(world: World) -> None:
    world.load("Sales")
    world.control.add_faults({"action": "answer", "status": 408, "when": "after", "method": "DELETE"})
    values = world.hangup(name="Sales")
    assert (values["hung_up"], values["absent"]) == (["Sales"], [])


def test_one_that_ended_while_its_hangup_waited_is_absent(world: World) -> None:
    world.load({"name": "Sales", "ends_in": 3}, "Ops")
    world.control.add_faults(LATER)
    values = world.hangup(name="Sales", min_members=1)
    assert (values["hung_up"], values["absent"]) == ([], ["Sales"])
    assert "failed" not in values


def test_bounds_and_a_limit_of_two_do_not_lock_up(world: World) -> None:
    values = world.hangup(patterns=["*"], min_members=0, rate_limit=2)
    assert values["hung_up"] == NAMES


# --- wait --------------------------------------------------------------------------------------------


def test_wait_ends_at_once_when_all_are_gone(world: World) -> None:
    values = world.hangup(patterns=["S*"], wait=True)
    assert values["hung_up"] == ["Sales", "Support"]
    assert (values["restarted"], values["still_live"]) == ([], [])
    assert world.requests[-1] == "GET *"
    assert world.requests.count("GET *") == 2
    assert world.slept == []


def test_wait_without_a_hangup_looks_at_nothing(world: World) -> None:
    world.hangup(names=["x"], wait=True)
    assert world.requests == ["GET *", "GET x"]


def test_wait_outlasts_a_lagging_list(world: World) -> None:
    world.load("Sales", list_lag=8)
    values = world.hangup(name="Sales", wait=True)
    assert "failed" not in values
    assert 7 <= sum(world.slept) <= 12


def test_wait_can_do_without_the_details_of_what_has_no_url(world: World) -> None:
    """All at once hangs up "." as well; a lagging list shows it for a while, and nobody can ask for its details."""
    world.load(".", "Sales", list_lag=8)
    values = world.hangup(all=True, wait=True)
    assert values["hung_up"] == [".", "Sales"]
    assert "failed" not in values, values["msg"]
    assert 7 <= sum(world.slept) <= 12


def test_wait_tells_who_redialled(world: World) -> None:
    world.load({"name": "Sales", "run_time": 100, "redial_in": 0}, "Ops")
    values = world.hangup(names=["Sales", "Ops"], wait=True)
    assert "failed" not in values
    assert (values["hung_up"], values["restarted"], values["still_live"]) == (["Sales", "Ops"], ["Sales"], [])
    assert values["diff"]["after"] == {"conferences": ["Sales"]}


def test_wait_runs_out_when_a_hangup_did_nothing(world: World) -> None:
    world.control.add_faults(
        {"action": "answer", "status": 204, "when": "before", "name": "Support", "method": "DELETE"}
    )
    values = world.hangup(names=["Sales", "Support"], wait=True, wait_timeout=5.0)
    assert values["error"]["kind"] == "wait_timeout"
    assert values["still_live"] == ["Support"]
    assert values["hung_up"] == ["Sales", "Support"]
    assert values["changed"]
    assert values["diff"]["after"]["conferences"] == sorted(world.live)
    assert 4.5 <= sum(world.slept) <= 6


def test_who_is_live_is_not_said_when_the_wait_saw_nothing(world: World) -> None:
    world.control.add_faults({"action": "answer", "status": 503, "target": "collection", "skip": 1, "times": None})
    values = world.hangup(name="Sales", wait=True, retries=0)
    assert values["error"]["kind"] == "server"
    assert (values["hung_up"], values["restarted"], values["still_live"]) == (["Sales"], [], [])
    assert values["diff"]["after"]["conferences"] == sorted(world.live)


def test_check_mode_never_waits(world: World) -> None:
    values = world.hangup(check=True, all=True, wait=True)
    assert world.requests == ["GET *"]
    assert world.slept == []
    assert values["hung_up"] == NAMES


def test_a_wait_counts_from_each_answer_or_from_now(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[tuple[dict[str, float], float]] = []

    def wait_until_gone(
        _conferences: t.Any, _crew: t.Any, hung_up_at: dict[str, float], timeout: float, *_more: t.Any
    ) -> t.Any:
        begun.append((hung_up_at, timeout))
        return {}

    monkeypatch.setattr(conference_hangup, "wait_until_gone", wait_until_gone)
    outcomes = {
        "answered": conference_hangup.Hangup(990.0, None),
        "lost": PlivoError("connection", "no luck", doubtful=True),
        "failed": PlivoError("server", "no luck"),
    }
    result = conference_hangup.HangupResult(hung_up=["answered", "lost"])
    clock = Clock()
    everything: t.Any = types.SimpleNamespace(clock=clock, sleep=clock.sleep, wait_timeout=7.0)
    conference_hangup.wait(everything, outcomes, everything, everything, everything, result)
    assert begun == [({"answered": 990.0, "lost": 1000.0}, 7.0)]


# --- asynchronous mode -------------------------------------------------------------------------------


@pytest.mark.parametrize("check", [True, False])
def test_hangups_are_queued(world: World, check: bool) -> None:
    world.control.settings(async_delay=3600)
    values = world.hangup(check=check, names=["Sales", "Support", "x"], callback_url=CALLBACK, callback_method="GET")
    assert [set(entry) for entry in values["queued"]] == [{"conference_name", "api_id"}] * 2
    assert [entry["conference_name"] for entry in values["queued"]] == ["Sales", "Support"]
    assert [entry["api_id"] is None for entry in values["queued"]] == [check, check]
    assert (values["hung_up"], values["absent"], values["changed"]) == ([], ["x"], True)
    assert sorted(world.writes) == ([] if check else ["DELETE Sales", "DELETE Support"])
    for entry in world.log:
        if entry["method"] == "DELETE":
            assert "%23ct%3D2000%26rt%3D40000" in entry["query"]
            assert "callback_method=GET" in entry["query"]
            assert "#ct=2000&rt=40000" in entry["body"]
            assert entry["content_type"] == "application/json"
        else:
            assert entry["query"] == ""


@pytest.mark.parametrize("check", [True, False])
def test_all_at_once_are_queued_as_one(world: World, check: bool) -> None:
    world.control.settings(async_delay=3600)
    values = world.hangup(check=check, all=True, callback_url=CALLBACK)
    (entry,) = values["queued"]
    assert set(entry) == {"conference_name", "api_id"}
    assert entry["conference_name"] is None
    assert (entry["api_id"] is None) == check
    assert world.requests == (["GET *"] if check else ["GET *", "DELETE *"])
    assert values["diff"] == {"before": {"conferences": sorted(NAMES)}, "after": {"conferences": []}}


def test_all_at_once_of_one_is_queued_as_all(world: World) -> None:
    world.load("Sales", async_delay=3600)
    (entry,) = world.hangup(all=True, callback_url=CALLBACK)["queued"]
    assert entry == {"conference_name": None, "api_id": entry["api_id"]}
    assert entry["api_id"]
    assert world.requests == ["GET *", "DELETE *"]


def test_a_lost_acceptance_is_unknown(world: World) -> None:
    world.control.settings(async_delay=3600)
    world.control.add_faults({"action": "close", "when": "after", "name": "Sales", "method": "DELETE", "times": None})
    values = world.hangup(names=["Sales", "Support"], callback_url=CALLBACK)
    assert [entry["conference_name"] for entry in values["queued"]] == ["Support"]
    assert values["unknown"] == ["Sales"]
    assert kinds(values) == {"Sales": "connection"}


# --- faults ------------------------------------------------------------------------------------------

PASSING: dict[str, Values] = {
    "429": {"action": "answer", "status": 429},
    "429 later": {"action": "answer", "status": 429, "headers": {"Retry-After": "7"}},
    "408": {"action": "answer", "status": 408},
    "500": {"action": "answer", "status": 500},
    "503 done": {"action": "answer", "status": 503, "when": "after"},
    "reset": {"action": "reset"},
    "reset done": {"action": "reset", "when": "after"},
    "close": {"action": "close"},
    "close done": {"action": "close", "when": "after"},
    "silence": {"action": "silence"},
    "silence done": {"action": "silence", "when": "after"},
    "drip": {"action": "drip", "interval": 0.05},
    "cut line": {"action": "cut_short", "cut_at": 8},
    "cut head": {"action": "cut_short", "cut_at": 20, "status": 200},
    "cut body": {"action": "cut_short", "body": '{"message": "conference hung up"}', "status": 200},
    "cut body and reset": {"action": "cut_short", "reset": True, "body": '{"message": "x"}', "status": 200},
    "garbage": {"action": "raw", "body": "\x16\x03\x01 nonsense\r\n\r\n"},
    "garbage done": {"action": "raw", "body": "\x16\x03\x01 nonsense\r\n\r\n", "when": "after"},
}


@pytest.mark.parametrize("params", [{"name": "Sales"}, {"all": True}], ids=str)
@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_a_passing_fault_on_a_hangup_is_survived(world: World, fault: Values, params: Values) -> None:
    world.load("Sales", hangup_all_empty_status=404)
    world.control.add_faults({**fault, "method": "DELETE"})
    values = world.hangup(timeout=0.15 if fault["action"] in ("silence", "drip") else 5, **params)
    assert "failed" not in values, values["msg"]
    assert (values["hung_up"], values["changed"], values["absent"]) == (["Sales"], True, [])
    assert world.live == []


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_a_passing_fault_on_reading_is_survived(world: World, fault: Values) -> None:
    if fault["action"] == "cut_short" and "body" in fault:
        fault = {"action": "cut_short", "reset": fault.get("reset", False)}
    for times in range(2):
        world.load({"name": "Sales", "listed": False})
        world.control.add_faults({**fault, "method": "GET", "skip": times})
        values = world.hangup(name="Sales", timeout=0.15 if fault["action"] in ("silence", "drip") else 5)
        assert "failed" not in values, values["msg"]
        assert values["hung_up"] == ["Sales"]


LASTING = {
    "403": ({"action": "answer", "status": 403}, "forbidden", False),
    "400": ({"action": "answer", "status": 400}, "invalid_request", False),
    "404": ({"action": "answer", "status": 404}, "not_found", False),
    "503": ({"action": "answer", "status": 503}, "server", False),
    "429": ({"action": "answer", "status": 429}, "rate_limited", False),
    "reset": ({"action": "reset"}, "connection", False),
    "login page": ({"action": "answer", "status": 200, "body": "<html>login</html>"}, "protocol", False),
    "error in 200": ({"action": "answer", "status": 200, "json": {"error": "no"}}, "protocol", False),
    "201": ({"action": "answer", "status": 201, "json": {"message": "x"}}, "protocol", False),
    # Done, and said badly: the list knows.
    "503 done": ({"action": "answer", "status": 503, "when": "after"}, None, True),
    "login page, done": ({"action": "answer", "status": 200, "body": "<html>", "when": "after"}, None, True),
    "reset done": ({"action": "reset", "when": "after"}, None, True),
    "flood": ({"action": "flood", "size": 20_000_000}, None, True),
}


@pytest.mark.parametrize(("fault", "kind", "gone"), LASTING.values(), ids=LASTING)
def test_a_lasting_fault_is_accounted_for_truly(world: World, fault: Values, kind: str | None, gone: bool) -> None:
    world.control.add_faults({**fault, "method": "DELETE", "name": "Sales", "times": None})
    values = world.hangup(names=["Sales", "Support"])
    assert ("Sales" not in world.live) is gone
    assert values["hung_up"] == (["Sales", "Support"] if gone else ["Support"])
    assert kinds(values) == ({} if kind is None else {"Sales": kind})
    assert values["changed"]
    assert values["unknown"] == values["absent"] == []
    assert values["diff"]["after"]["conferences"] == sorted(world.live)


@pytest.mark.parametrize("done", [True, False])
def test_an_outcome_that_nobody_tells_is_unknown(world: World, done: bool) -> None:
    world.control.add_faults(
        {"action": "close", "when": "after" if done else "before", "name": "Sales", "method": "DELETE", "times": None},
        {"action": "answer", "status": 503, "target": "collection", "skip": 1, "times": None},
    )
    values = world.hangup(names=["Sales", "Support"])
    assert values["hung_up"] == ["Support"]
    assert values["unknown"] == ["Sales"]
    assert kinds(values) == {"Sales": "connection"}
    assert "1 unknown" in values["msg"]


def test_nothing_is_hung_up_when_the_list_cannot_be_read(world: World) -> None:
    world.control.add_faults({"action": "answer", "status": 503, "target": "collection", "times": None})
    values = world.hangup(names=["Sales"])
    assert values["error"]["kind"] == "server"
    assert (values["changed"], world.writes) == (False, [])


def test_one_that_is_neither_listed_nor_answered_for_is_left_alone(world: World) -> None:
    world.load({"name": "New", "listed": False}, "Sales")
    world.control.add_faults({"action": "answer", "status": 403, "method": "GET", "name": "New", "times": None})
    values = world.hangup(names=["New", "Sales"])
    assert values["hung_up"] == ["Sales"]
    assert values["absent"] == []
    assert kinds(values) == {"New": "forbidden"}
    assert world.writes == ["DELETE Sales"]


def test_details_for_the_record_do_not_keep_a_listed_one_alive(world: World) -> None:
    world.control.add_faults({"action": "answer", "status": 403, "method": "GET", "name": "Sales", "times": None})
    values = world.hangup(names=["Support", "Sales"], details=True)
    assert values["hung_up"] == ["Support", "Sales"]
    assert kinds(values) == {"Sales": "forbidden"}


@pytest.mark.parametrize("choice", [{"all": True}, {"patterns": ["*"]}, {"names": [*NAMES]}], ids=str)
@pytest.mark.parametrize("status", [503, 401])
def test_no_number_of_missing_records_keeps_anything_alive(world: World, choice: Values, status: int) -> None:
    world.control.add_faults(
        {"action": "answer", "status": status, "method": "GET", "target": "conference", "times": None}
    )
    values = world.hangup(**choice, details=True, retries=0)
    assert values["hung_up"] == NAMES
    assert world.live == []
    # And what was the matter is still told.
    assert values["error"]["status"] == status
    assert {"server", "authentication"} & set(kinds(values).values())


def test_one_that_ends_before_its_record_is_read_is_gone(world: World) -> None:
    world.load({"name": "Sales", "ends_after_requests": 1}, "Ops")
    values = world.hangup(patterns=["*"], details=True, max_connections=1)
    assert (values["hung_up"], values["diff"]["before"]["conferences"]) == (["Ops"], ["Ops"])
    assert world.requests == ["GET *", "GET Sales", "GET Ops", "GET *", "DELETE Ops"]
    assert "failed" not in values


def test_the_latest_failure_is_told_but_never_that_it_was_not_tried() -> None:
    result = conference_hangup.HangupResult()
    first, later = (PlivoError(kind, kind, conference_name="a") for kind in ("forbidden", "server"))
    result.note_errors({"a": first})
    result.note_errors({"a": later})
    result.note_errors({name: PlivoError("not_tried", "", conference_name=name) for name in "ab"})
    assert [(error.conference_name, error.kind) for error in result.errors] == [("a", "server"), ("b", "not_tried")]


def test_what_was_the_matter_is_told_rather_than_what_was_not_tried(world: World) -> None:
    world.control.add_faults({"action": "answer", "status": 503, "times": None, "skip": 1})
    values = world.hangup(patterns=["*"], details=True, retries=0, max_connections=1)
    assert values["hung_up"] == []
    assert values["error"]["kind"] == "server"
    assert sorted(world.live) == sorted(NAMES)


@pytest.mark.parametrize("wait_timeout", [0, 3])
def test_a_window_full_of_hangups_leaves_time_for_the_first_look(world: World, wait_timeout: float) -> None:
    world.load(*"abcde")
    values = world.hangup(patterns=["*"], wait=True, wait_timeout=wait_timeout, rate_limit=6)
    assert "failed" not in values
    assert (values["hung_up"], values["still_live"]) == ([*"abcde"], [])


def test_nothing_is_decided_without_the_details_that_decide(world: World) -> None:
    world.control.add_faults({"action": "answer", "status": 403, "method": "GET", "name": "Sales", "times": None})
    values = world.hangup(patterns=["S*"], min_members=0)
    assert values["hung_up"] == ["Support"]
    assert kinds(values) == {"Sales": "forbidden"}
    assert "Sales" in world.live


@pytest.mark.parametrize(
    ("fault", "kind", "tried"),
    [
        ({"action": "answer", "status": 401}, "authentication", 1),
        ({"action": "answer", "status": 302, "headers": {"Location": "/"}}, "redirect", 1),
        ({"action": "reset"}, "connection", 3),
        ({"action": "answer", "status": 408}, "timeout", 3),
        ({"action": "answer", "status": 503}, "server", 3),
        ({"action": "answer", "status": 500}, "server", 30),
    ],
)
def test_a_host_that_dies_ends_the_hangups_early(world: World, fault: Values, kind: str, tried: int) -> None:
    names = [f"c{number:02}" for number in range(40)]
    world.load(*names)
    world.control.add_faults({**fault, "method": "DELETE", "skip": 10, "times": None})
    values = world.hangup(patterns=["*"], max_connections=1, retries=0)
    assert values["hung_up"] == names[:10]
    assert len(world.writes) == 10 + tried
    untried = 30 - tried
    assert list(kinds(values).values()) == [kind] * tried + ["not_tried"] * untried
    assert sorted(world.live) == names[10:]
    assert values["error"]["kind"] == kind
    assert values["changed"]


def test_all_at_once_failing_is_told_of_each(world: World) -> None:
    world.control.add_faults({"action": "answer", "status": 403, "method": "DELETE"})
    values = world.hangup(all=True)
    assert kinds(values) == dict.fromkeys(NAMES, "forbidden")
    assert (values["changed"], values["hung_up"]) == (False, [])


def test_all_at_once_half_done_is_told_by_the_list(world: World) -> None:
    world.load("Sales", {"name": "Ops", "redial_in": 0})
    world.control.add_faults({"action": "close", "when": "after", "method": "DELETE", "times": None})
    values = world.hangup(all=True)
    # Who redialled is in the list again: that hangup cannot be told from one that failed.
    assert values["hung_up"] == ["Sales"]
    assert kinds(values) == {"Ops": "connection"}


FAULT = st.sampled_from(
    [
        {"action": "answer", "status": 429},
        {"action": "answer", "status": 408},
        {"action": "answer", "status": 503},
        {"action": "answer", "status": 503, "when": "after"},
        {"action": "answer", "status": 403},
        {"action": "answer", "status": 404},
        {"action": "answer", "status": 401},
        {"action": "answer", "status": 302},
        {"action": "answer", "status": 200, "body": "<html>"},
        {"action": "answer", "status": 200, "body": "<html>", "when": "after"},
        {"action": "reset"},
        {"action": "reset", "when": "after"},
        {"action": "close"},
        {"action": "close", "when": "after"},
        {"action": "cut_short", "cut_at": 5},
        {"action": "cut_short", "body": '{"message": "x"}', "status": 200},
        {"action": "stray"},
    ]
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    faults=st.lists(st.tuples(st.sampled_from(["A", "B", "C", None]), FAULT), max_size=10),
    retries=st.integers(0, 3),
    params=st.sampled_from(
        [{"names": ["A", "B", "C"]}, {"patterns": ["*"]}, {"all": True}, {"all": True, "min_members": 0}]
    ),
    workers=st.sampled_from([1, 3]),
    list_fails=st.booleans(),
)
def test_the_account_agrees_with_what_the_server_did(
    world: World, faults: list[tuple[str | None, Values]], retries: int, params: Values, workers: int, list_fails: bool
) -> None:
    world.load("A", "B", "C", hangup_all_empty_status=404)
    world.control.add_faults(*({**fault, "name": name, "method": "DELETE"} for name, fault in faults))
    if list_fails:
        world.control.add_faults(
            {"action": "answer", "status": 500, "target": "collection", "method": "GET", "skip": 1}
        )
    values = world.hangup(retries=0 if list_fails else retries, max_connections=workers, **params)
    live = world.live
    unknown = values["unknown"]
    assert values["absent"] == []
    assert set(unknown) <= set(kinds(values))
    for name in "ABC":
        assert (name in values["hung_up"]) + (name in kinds(values)) == 1
        if name in values["hung_up"]:
            assert name not in live
        elif name not in unknown:
            assert name in live
    assert values["changed"] is bool(values["hung_up"])
    assert values["diff"]["before"] == {"conferences": ["A", "B", "C"]}
    if not unknown:
        assert values["diff"]["after"] == {"conferences": sorted(live)}
    assert AUTH_TOKEN not in str(values)
    world.control.clear_faults()
    world.hangup(**params)
    assert world.live == []
    assert world.hangup(**params)["changed"] is False
