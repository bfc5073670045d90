# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""conference_info as a playbook runs it, and how many requests each way of asking takes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from integration.running import Ansible, credentials
from plivo_simulator import Control, Simulator

CONFERENCES = [
    {"name": "Sales, EMEA", "members": 3, "run_time": 7200},
    {"name": "support-1", "members": 1, "run_time": 640},
    {"name": "support-2", "members": 2, "run_time": 7200},
    {"name": "007", "members": 0, "run_time": 1},
]
NAMES = [str(each["name"]) for each in CONFERENCES]


@dataclass(frozen=True)
class Case:
    """One way of asking."""

    options: dict[str, Any]
    names: list[str]
    requests: int
    detailed: bool
    absent: list[str] = field(default_factory=list)


CASES = {
    "list": Case({}, NAMES, 1, False),
    "one by name": Case({"name": "Sales, EMEA"}, ["Sales, EMEA"], 1, True),
    "one that is not live": Case({"name": "nobody"}, [], 2, True, ["nobody"]),
    "names in the order asked": Case(
        {"names": ["007", "x", "support-1", "y"]}, ["007", "support-1"], 5, True, ["x", "y"]
    ),
    "details of all": Case({"details": True}, NAMES, 5, True),
    "patterns": Case({"patterns": ["support-*"], "excludes": ["*-2"]}, ["support-1"], 1, False),
    "expressions": Case({"patterns": ["support-\\d", "0+7"], "use_regex": True}, NAMES[1:], 1, False),
    "bounds": Case({"min_run_time": "2h", "max_members": 2}, ["support-2"], 5, True),
    "nothing": Case({"patterns": []}, [], 1, False),
    "no names": Case({"names": []}, [], 0, False),
}


@pytest.fixture
def play() -> list[dict[str, Any]]:
    tasks = [{"name": name, "plivo.voice.conference_info": case.options} for name, case in CASES.items()]
    return [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]


def test_every_way_of_asking(
    ansible: Ansible, simulator: Simulator, control: Control, play: list[dict[str, Any]]
) -> None:
    control.add_conferences(*CONFERENCES)
    control.settings(read_only=True)
    playbook = ansible.folder / "cases.yml"
    playbook.write_text(json.dumps(play), encoding="utf-8")
    run = ansible.playbook(playbook, "--check", env=credentials(simulator), timeout=120)
    assert run.rc == 0, run.output
    assert control.violations() == []
    for name, case in CASES.items():
        (each,) = run.results(task=name)
        result = each.result
        assert result["changed"] is False, name
        assert result["conference_names"] == case.names, name
        assert [c["conference_name"] for c in result["conferences"]] == case.names, name
        assert result["absent"] == case.absent, name
        assert all(("members" in c) == case.detailed for c in result["conferences"]), name
    assert len(control.log()) == sum(case.requests for case in CASES.values())


def test_details_are_typed_and_decoded(ansible: Ansible, simulator: Simulator, control: Control) -> None:
    control.add_conferences(
        {
            "name": "Board",
            "run_time": 590,
            "members": [{"caller_name": "Jos\u00e9 Doe", "muted": True, "join_time": 12}],
        }
    )
    result = ansible.module("plivo.voice.conference_info", 'name="Board"', env=credentials(simulator)).result
    (board,) = result["conferences"]
    assert board["conference_run_time"] >= 590
    assert board["conference_member_count"] == 1
    (member,) = board["members"]
    assert (member["caller_name"], member["muted"], member["deaf"]) == ("Jos\u00e9 Doe", True, False)
    assert member["join_time"] >= 12


def test_asynchronous_mode_queues(ansible: Ansible, simulator: Simulator, control: Control) -> None:
    control.add_conferences("a")
    options = {"names": ["a", "b"], "callback_url": "https://127.0.0.1:9/#rc=0"}
    result = ansible.module("plivo.voice.conference_info", options, env=credentials(simulator)).result
    assert [each["conference_name"] for each in result["queued"]] == ["a", "b"]
    assert all(each["api_id"] for each in result["queued"])
    assert (result["conferences"], result["absent"]) == ([], [])
    assert {entry["method"] for entry in control.log()} == {"GET"}


def test_failure_keeps_what_was_read(ansible: Ansible, simulator: Simulator, control: Control) -> None:
    control.add_conferences("a", "b")
    control.add_faults({"action": "answer", "name": "a", "status": 200, "body": "<html>Login</html>", "times": None})
    run = ansible.module("plivo.voice.conference_info", {"names": ["a", "b"]}, env=credentials(simulator))
    assert run.rc != 0
    assert run.result["conference_names"] == ["b"]
    assert run.result["error"]["kind"] == "protocol"
    assert "HTML" in run.result["msg"]
    assert "Traceback" not in run.output


def test_retries_are_told_once(ansible: Ansible, simulator: Simulator, control: Control) -> None:
    control.add_conferences("a")
    control.add_faults({"action": "answer", "status": 503}, {"action": "reset"})
    run = ansible.module("plivo.voice.conference_info", env=credentials(simulator))
    assert run.rc == 0
    assert run.result["conference_names"] == ["a"]
    assert run.output.count("2 retries: 1 × 503, 1 × connection") == 1
