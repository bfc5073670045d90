# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user types and sees: ad-hoc commands, bad input, a missing library, the documentation."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible import release

from integration.running import Ansible, credentials
from plivo_simulator import Control, Simulator

INFO = "plivo.voice.conference_info"
HANGUP = "plivo.voice.conference_hangup"

#: Module, options, and what the message must name.
BAD_INPUT: list[tuple[str, dict[str, Any], list[str]]] = [
    (INFO, {"nmae": "a"}, ["nmae"]),
    (INFO, {"retries": "many"}, ["retries"]),
    # Ansible's own words in 2.16; what newer ones make of it is for the module to explain.
    (INFO, {"retries": "inf"}, ["retries"] if release.__version__.startswith("2.16.") else ["retries: inf", "finite"]),
    (HANGUP, {}, ["name", "names", "patterns", "all: true"]),
    (HANGUP, {"all": False}, ["all: true"]),
    (HANGUP, {"name": "."}, ["name: '.'"]),
    (HANGUP, {"names": ["a", ".."]}, ["names: '..'"]),
    (HANGUP, {"name": ""}, ["name: ''"]),
    (HANGUP, {"names": ["a", "  "]}, ["names: '  '"]),
    (HANGUP, {"name": "a/.."}, ["name: 'a/..'"]),
    (HANGUP, {"patterns": [""]}, ["patterns"]),
    (HANGUP, {"all": True, "excludes": [" "]}, ["excludes"]),
    (HANGUP, {"name": "a", "patterns": ["b"]}, ["name and patterns"]),
    (HANGUP, {"names": ["a"], "all": True}, ["names and all"]),
    (HANGUP, {"patterns": ["("], "use_regex": True}, ["patterns: '('", "regular expression"]),
    (HANGUP, {"all": True, "min_run_time": "2 hours"}, ["min_run_time: '2 hours'", "15m"]),
    (HANGUP, {"all": True, "min_run_time": "2h", "max_run_time": "90m"}, ["min_run_time: 2h", "max_run_time: 90m"]),
    (HANGUP, {"all": True, "min_members": 3, "max_members": 2}, ["min_members: 3", "max_members: 2"]),
    (HANGUP, {"all": True, "max_members": -1}, ["max_members: -1"]),
    (HANGUP, {"all": True, "max_hangups": -1}, ["max_hangups: -1"]),
    (HANGUP, {"all": True, "wait": True, "wait_timeout": "nan"}, ["wait_timeout: nan"]),
    (HANGUP, {"all": True, "wait": True, "callback_url": "https://example.com/"}, ["wait", "callback_url"]),
    (HANGUP, {"all": True, "min_members": 1, "rate_limit": 1}, ["rate_limit: 1"]),
    (INFO, {"timeout": 0}, ["timeout: 0"]),
    (INFO, {"timeout": "inf"}, ["timeout: inf"]),
    (INFO, {"retries": -1}, ["retries: -1"]),
    (INFO, {"max_connections": 0}, ["max_connections: 0"]),
    (INFO, {"auth_id": "a/../b"}, ["auth_id: 'a/../b'", "PLIVO_AUTH_ID"]),
    (INFO, {"auth_token": "", "auth_id": "x"}, ["auth_token", "PLIVO_AUTH_TOKEN"]),
    (INFO, {"api_url": "http://example.com/v1"}, ["api_url: 'http://example.com/v1'", "in clear"]),
    (INFO, {"api_url": "https://me:secret@example.com"}, ["api_url", "user information"]),
    (INFO, {"ca_path": "/does/not/exist", "api_url": "https://localhost"}, ["ca_path: '/does/not/exist'"]),
    (INFO, {"callback_method": "GET"}, ["callback_method: GET", "callback_url"]),
    (INFO, {"callback_url": "example.com"}, ["callback_url: 'example.com'"]),
    (INFO, {"callback_url": "https://example.com/", "patterns": ["a"]}, ["callback_url", "patterns"]),
    (INFO, {"name": "a", "details": False}, ["details: false", "name"]),
]


def test_bad_input_is_refused_before_any_request(ansible: Ansible, simulator: Simulator, control: Control) -> None:
    control.add_conferences("a", "b")
    tasks = [
        {"name": str(number), module: options, "ignore_errors": True}
        for number, (module, options, _words) in enumerate(BAD_INPUT)
    ]
    playbook = ansible.folder / "bad.yml"
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]), encoding="utf-8")
    run = ansible.playbook(playbook, env=credentials(simulator), timeout=180)
    assert len(run.tasks) == len(BAD_INPUT), run.output
    for each, (_module, options, words) in zip(run.tasks, BAD_INPUT):
        assert each.outcome == "failed", options
        message = each.result["msg"]
        assert all(word in message for word in words), f"{options}: {message}"
        assert "\n" not in message
        assert each.result["error"]["kind"] == "invalid_request"
        assert each.result["changed"] is False
    assert "Traceback" not in run.output
    assert "secret" not in run.output
    assert control.log() == []


def test_missing_credentials_name_the_remedy(ansible: Ansible) -> None:
    run = ansible.module(HANGUP, "all=true")
    assert run.result["msg"].startswith(
        "missing required arguments: auth_id, auth_token; set auth_id and auth_token, or"
    )
    assert "PLIVO_AUTH_ID and PLIVO_AUTH_TOKEN" in run.result["msg"]
    assert (run.result["hung_up"], run.result["changed"]) == ([], False)
    assert run.result["error"]["kind"] == "invalid_request"


def test_ad_hoc_commands_of_the_readme(ansible: Ansible, simulator: Simulator, control: Control) -> None:
    control.add_conferences("Sales", "Sales, EMEA")
    environment = credentials(simulator)
    assert ansible.module(INFO, env=environment).result["conference_names"] == ["Sales", "Sales, EMEA"]
    hangup = 'name="Sales, EMEA"'
    predicted = ansible.module(HANGUP, hangup, "--check", "--diff", env=environment)
    assert "Sales, EMEA" in control.conferences()
    assert ansible.module(HANGUP, hangup, env=environment).result["hung_up"] == ["Sales, EMEA"]
    assert predicted.result["hung_up"] == ["Sales, EMEA"]
    assert list(control.conferences()) == ["Sales"]
    assert ansible.module(HANGUP, hangup, env=environment).result["absent"] == ["Sales, EMEA"]


def test_a_list_that_became_a_text_is_warned_about(ansible: Ansible, simulator: Simulator) -> None:
    run = ansible.module(HANGUP, {"name": "['a', 'b']"}, env=credentials(simulator))
    assert run.result["absent"] == ["['a', 'b']"]
    assert "looks like a list" in run.output


def test_a_text_that_was_not_meant_to_be_split_spares_nobody_by_mistake(
    ansible: Ansible, simulator: Simulator, control: Control
) -> None:
    control.add_conferences("vip-1", "board-1", "Sales", "Sales, EMEA", "a")
    control.settings(read_only=True)
    for arguments in (
        "all=true excludes='vip-*, board-*'",
        {"all": True, "excludes": "['vip-*','board-*']"},
        {"all": True, "excludes": ["['vip-*', 'board-*']"]},
        {"patterns": "['sales-*']"},
        "names='Sales, EMEA'",
    ):
        run = ansible.module(HANGUP, arguments, env=credentials(simulator))
        assert run.rc != 0
        assert run.result["error"]["kind"] == "invalid_request"
        assert "write a YAML list" in run.result["msg"]
    assert control.log() == []
    run = ansible.module(INFO, "patterns=vip-*,board-*", env=credentials(simulator))
    assert run.result["conference_names"] == ["vip-1", "board-1"]


def test_a_token_that_is_not_utf_8_is_refused_like_any_other(ansible: Ansible, simulator: Simulator) -> None:
    run = ansible.module(INFO, "", env={**credentials(simulator), "PLIVO_AUTH_TOKEN": "x\udcffy"})
    assert run.result["error"]["kind"] == "invalid_request"
    assert run.result["msg"].startswith("auth_token: ")


def test_missing_requests_is_told_as_ansible_does(ansible: Ansible, simulator: Simulator) -> None:
    bare = ansible.folder / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    python = bare / "bin/python"
    run = ansible.module(INFO, "", "-e", f"ansible_python_interpreter={python}", env=credentials(simulator))
    assert run.rc != 0
    assert "Failed to import the required Python library (requests)" in run.result["msg"]
    assert str(python) in run.result["msg"]


@pytest.mark.parametrize("module", [INFO, HANGUP])
def test_documentation_is_whole(ansible: Ansible, collections: Path, module: str) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-doc")), "--json", module],
        env=ansible.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    documentation = json.loads(done.stdout)[module]
    assert all(option.get("description") for option in documentation["doc"]["options"].values())
    assert {"check_mode", "diff_mode", "idempotent", "action_group"} <= set(documentation["doc"]["attributes"])
    assert {"conferences", "absent", "queued", "error", "errors"} <= set(documentation["return"])
