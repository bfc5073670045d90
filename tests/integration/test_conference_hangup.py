# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""conference_hangup as a playbook runs it: every case in check mode, for real, and for real again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import pytest

from integration.running import Ansible, Run, credentials
from plivo_simulator import Control, Simulator

TOKEN = "a-token-of-the-tests"


@dataclass(frozen=True)
class Case:
    """One way of hanging up, with an account of its own."""

    options: dict[str, Any]
    conferences: list[Any]
    #: What the module must return, in check mode and for real.
    hung_up: list[str]
    absent: list[str] = field(default_factory=list)
    #: Number of requests by method, for real and then again.
    first: dict[str, int] = field(default_factory=dict)
    again: dict[str, int] = field(default_factory=dict)

    @property
    def live(self) -> list[str]:
        return [each if isinstance(each, str) else each["name"] for each in self.conferences]


OLD = {"name": "old", "members": 1, "run_time": 7200}
FULL = {"name": "full", "members": 9, "run_time": 7200}
NEW = {"name": "new", "members": 1, "run_time": 3}

#: Put into a URL as they are, each of these would address something else.
DANGEROUS = ["#x", "?x", "a/b", "%2E", "*"]

CASES = {
    "one-by-name": Case(
        {"name": "Sales, EMEA"}, ["Sales, EMEA", "Sales"], ["Sales, EMEA"], [],
        {"GET": 1, "DELETE": 1}, {"GET": 2},
    ),
    "names-once-each-in-the-order-asked": Case(
        {"names": ["b", "gone", "a", "b"]}, ["a", "b", "c"], ["b", "a"], ["gone"],
        {"GET": 2, "DELETE": 2}, {"GET": 4},
    ),
    "names-that-would-be-everything": Case(
        {"names": DANGEROUS}, [*DANGEROUS, "x"], DANGEROUS, [],
        {"GET": 1, "DELETE": 5}, {"GET": 6},
    ),
    "a-name-that-the-list-lacks": Case(
        {"name": "late"}, [{"name": "late", "listed": False}, "other"], ["late"], [],
        {"GET": 2, "DELETE": 1}, {"GET": 2},
    ),
    "patterns": Case(
        {"patterns": ["room-*", "b?"]}, ["room-1", "Room-2", "b1", "b22"], ["room-1", "b1"], [],
        {"GET": 1, "DELETE": 2}, {"GET": 1},
    ),
    "expressions": Case(
        {"patterns": ["room-[0-9]+"], "use_regex": True}, ["room-12", "room-12b"], ["room-12"], [],
        {"GET": 1, "DELETE": 1}, {"GET": 1},
    ),
    "all": Case({"all": True}, ["a", "b", "."], ["a", "b", "."], [], {"GET": 1, "DELETE": 1}, {"GET": 1}),
    "all-with-none-live": Case({"all": True}, [], [], [], {"GET": 1}, {"GET": 1}),
    "all-but-some": Case(
        {"all": True, "excludes": ["keep*"]}, ["a", "keep-me", "b"], ["a", "b"], [],
        {"GET": 1, "DELETE": 2}, {"GET": 1},
    ),
    "all-within-the-guard": Case(
        {"all": True, "max_hangups": 2}, ["a", "b"], ["a", "b"], [], {"GET": 1, "DELETE": 2}, {"GET": 1}
    ),
    "old-and-nearly-empty": Case(
        {"all": True, "min_run_time": "2h", "max_members": 1}, [OLD, FULL, NEW], ["old"], [],
        {"GET": 4, "DELETE": 1}, {"GET": 3},
    ),
    "a-name-out-of-bounds": Case(
        {"names": ["new", "old"], "max_run_time": "15m"}, [OLD, NEW], ["new"], [],
        {"GET": 3, "DELETE": 1}, {"GET": 3},
    ),
    "for-the-record": Case(
        {"patterns": ["*"], "details": True, "members": False}, [OLD], ["old"], [],
        {"GET": 2, "DELETE": 1}, {"GET": 1},
    ),
    "until-gone": Case(
        {"patterns": ["*"], "wait": True}, ["a", "b"], ["a", "b"], [], {"GET": 2, "DELETE": 2}, {"GET": 1}
    ),
    "no-name-at-all": Case({"names": []}, ["a"], [], [], {"GET": 1}, {"GET": 1}),
    "null-is-not-given": Case(
        {"name": None, "names": None, "patterns": ["a"]}, ["a", "b"], ["a"], [], {"GET": 1, "DELETE": 1}, {"GET": 1}
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Runs:
    """What the same playbook came to three times: results by case, and the requests that each case's account saw."""

    check: dict[str, dict[str, Any]]
    real: dict[str, dict[str, Any]]
    again: dict[str, dict[str, Any]]
    check_requests: dict[str, dict[str, int]]
    real_requests: dict[str, dict[str, int]]
    again_requests: dict[str, dict[str, int]]
    violations: list[Any]
    left: dict[str, list[str]]


def account(case: str) -> str:
    return f"MA-{case}"


def results(run: Run) -> dict[str, dict[str, Any]]:
    assert run.rc == 0, run.output
    return {each.task: each.result for each in run.results(action="plivo.voice.conference_hangup")}


def requests(control: Control) -> dict[str, dict[str, int]]:
    """How many requests each case's account has seen, by method; forgets them."""
    counts: dict[str, dict[str, int]] = {case: {} for case in CASES}
    for entry in control.log():
        by_method = counts[entry["account"].removeprefix("MA-")]
        by_method[entry["method"]] = by_method.get(entry["method"], 0) + 1
    control.clear_log()
    return counts


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, collections: Any) -> Iterator[Runs]:
    """All cases in one playbook, run three times; the API takes no write during the first."""
    folder = tmp_path_factory.mktemp("hangup")
    ansible = Ansible(folder, collections)
    accounts = {account(name): {"auth_token": TOKEN, "conferences": case.conferences} for name, case in CASES.items()}
    with Simulator({"accounts": accounts, "settings": {"rate_limit": 0}}) as simulator:
        control = simulator.control
        play = {
            "hosts": "localhost",
            "gather_facts": False,
            "module_defaults": {
                "group/plivo.voice.conference": {"auth_token": TOKEN, "api_url": simulator.api_url},
            },
            "tasks": [
                {"name": name, "plivo.voice.conference_hangup": {"auth_id": account(name), **case.options}}
                for name, case in CASES.items()
            ],
        }
        playbook = folder / "cases.yml"
        playbook.write_text(json.dumps([play]), encoding="utf-8")

        control.settings(read_only=True)
        check = results(ansible.playbook(playbook, "--check", "--diff", timeout=120))
        check_requests = requests(control)
        violations = control.violations()
        control.settings(read_only=False)
        real = results(ansible.playbook(playbook, "--diff", timeout=120))
        real_requests = requests(control)
        left = {name: list(control.conferences(account(name))) for name in CASES}
        again = results(ansible.playbook(playbook, "--diff", timeout=120))
        yield Runs(check, real, again, check_requests, real_requests, requests(control), violations, left)


def test_check_mode_never_writes(runs: Runs) -> None:
    assert runs.violations == []
    assert all("DELETE" not in counts for counts in runs.check_requests.values())


@pytest.mark.parametrize("name", CASES)
def test_real_run_hangs_up_just_what_was_asked_for(runs: Runs, name: str) -> None:
    case, real = CASES[name], runs.real[name]
    assert (real["hung_up"], real["absent"]) == (case.hung_up, case.absent)
    assert real["changed"] == bool(case.hung_up)
    assert sorted(runs.left[name]) == sorted(set(case.live) - set(case.hung_up))
    assert runs.real_requests[name] == case.first


@pytest.mark.parametrize("name", CASES)
def test_check_mode_predicts_the_real_run(runs: Runs, name: str) -> None:
    check, real = runs.check[name], runs.real[name]
    for key in ("changed", "hung_up", "absent", "queued", "diff"):
        assert check[key] == real[key], key
    listed = set(CASES[name].live)
    assert real["diff"]["before"]["conferences"] == sorted(listed)
    assert real["diff"]["after"]["conferences"] == sorted(listed - set(real["hung_up"]))


@pytest.mark.parametrize("name", CASES)
def test_second_run_changes_nothing(runs: Runs, name: str) -> None:
    again = runs.again[name]
    assert (again["changed"], again["hung_up"]) == (False, [])
    assert again["diff"]["before"] == again["diff"]["after"]
    assert runs.again_requests[name] == CASES[name].again


def test_record_holds_what_was_known(runs: Runs) -> None:
    (old,) = runs.real["for-the-record"]["conferences"]
    assert old["conference_member_count"] == 1
    assert old["conference_run_time"] >= 7200
    assert "members" not in old


def test_failure_keeps_the_account_of_what_was_done(ansible: Ansible, simulator: Simulator, control: Control) -> None:
    control.add_conferences("a", "b", "c", ".")
    control.add_faults({"action": "answer", "method": "DELETE", "name": "b", "status": 403, "times": None})
    run = ansible.module("plivo.voice.conference_hangup", {"patterns": ["*"]}, "--diff", env=credentials(simulator))
    assert run.rc != 0
    result = run.result
    assert result["hung_up"] == ["a", "c"]
    assert result["changed"] is True
    assert [(each["conference_name"], each["kind"]) for each in result["errors"]] == [
        ("b", "forbidden"), (".", "invalid_request"),
    ]  # fmt: skip
    assert result["error"]["status"] == 403
    assert result["msg"].startswith("2 hung up. 2 conferences failed")
    assert result["diff"]["after"]["conferences"] == [".", "b"]
    assert sorted(control.conferences()) == [".", "b"]


def test_guard_refuses_in_check_mode_as_well(ansible: Ansible, simulator: Simulator, control: Control) -> None:
    control.add_conferences("a", "b", "c")
    for options in (("--check",), ()):
        run = ansible.module(
            "plivo.voice.conference_hangup",
            {"all": True, "max_hangups": 2},
            *options,
            env=credentials(simulator),
        )
        assert run.rc != 0
        assert run.result["error"]["kind"] == "guard"
        assert (run.result["hung_up"], run.result["changed"]) == ([], False)
    assert len(control.conferences()) == 3


def test_asynchronous_mode_queues(ansible: Ansible, simulator: Simulator, control: Control) -> None:
    control.add_conferences("a", "b")
    # Nothing listens there; what happens to the callback is another test's matter.
    callback = "http://127.0.0.1:9/answers?x=1&y=%20#ct=2000&rt=40000"
    options = {"all": True, "callback_url": callback, "callback_method": "GET"}
    environment = credentials(simulator)
    check = ansible.module("plivo.voice.conference_hangup", options, "--check", env=environment).result
    assert check["queued"] == [{"conference_name": None, "api_id": None}]
    real = ansible.module("plivo.voice.conference_hangup", options, env=environment).result
    assert (real["changed"], real["hung_up"]) == (True, [])
    (queued,) = real["queued"]
    assert queued["conference_name"] is None
    assert queued["api_id"]
    delete = control.log()[-1]
    assert delete["method"] == "DELETE"
    parameters = {"callback_url": callback, "callback_method": "GET"}
    assert dict(parse_qsl(delete["query"])) == parameters
    assert json.loads(delete["body"]) == parameters
