# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook plivo.voice.awx_setup, with the real modules of awx.awx, and what it makes AWX do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration.awx_controller import KINDS, Controller
from integration.running import Ansible, Run, credentials
from plivo_simulator import Control, Simulator

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "examples/awx-project"
SETUP = "plivo.voice.awx_setup"

#: The nightly maintenance of many accounts.
MANY: dict[str, Any] = {
    "plivo_awx_project_url": "https://git.example.com/voice/awx-project.git",
    "plivo_awx_image": "registry.example.com/plivo-voice-ee:1.0.0",
    "plivo_awx_vault_password": "canary-of-the-vault",
    "plivo_awx_slices": 5,
    "plivo_awx_patterns": ["sales-*", "Support, EMEA"],
    "plivo_awx_excludes": ["always-on-*"],
    "plivo_awx_min_run_time": "4h",
    "plivo_awx_max_hangups": 20,
    "plivo_awx_schedule_timezone": "Europe/Berlin",
    "plivo_awx_notification_type": "webhook",
    "plivo_awx_notification_configuration": {
        "url": "https://chat.example.com/hook",
        "headers": {},
        "password": "canary-of-the-hook",
    },
}


@pytest.fixture(scope="module")
def awx_collection() -> Path:
    """The folder of collections that awx.awx is in."""
    path = ROOT / ".build/awx"
    assert (path / "ansible_collections/awx/awx").exists(), f"no awx.awx in {path}; run .venv/bin/nox -s awx-collection"
    return path


@pytest.fixture
def controller() -> Iterator[Controller]:
    """AWX after its installation, to which each project is the example."""
    with Controller([file.name for file in PROJECT.glob("*.yml")]) as running:
        yield running


class Setup:
    """Runs the playbook against that AWX."""

    def __init__(self, ansible: Ansible, collections: Path, awx_collection: Path, controller: Controller) -> None:
        self._ansible = ansible
        self.environment = {
            **controller.environment,
            "ANSIBLE_COLLECTIONS_PATH": f"{collections}{os.pathsep}{awx_collection}",
            "ANSIBLE_PIPELINING": "true",
        }

    def __call__(self, *options: str, env: dict[str, str] | None = None, **variables: Any) -> Run:
        return self._ansible.playbook(SETUP, *options, variables=variables, env={**self.environment, **(env or {})})


@pytest.fixture
def setup(ansible: Ansible, collections: Path, awx_collection: Path, controller: Controller) -> Setup:
    return Setup(ansible, collections, awx_collection, controller)


def changed(run: Run) -> int:
    assert run.rc == 0, run.output
    return run.stats["localhost"]["changed"]


def done(*runs: Run) -> set[str]:
    """The tasks of awx.awx that ran."""
    return {each.task for run in runs for each in run.tasks if each.outcome == "ok" and "awx.awx." in each.action}


def written() -> set[str]:
    """The tasks of awx.awx that there are."""
    found: set[str] = set()
    for file in ("awx_present", "awx_absent"):
        for task in yaml.load((ROOT / f"playbooks/tasks/{file}.yml").read_text("utf-8"), Loader=Tagged):  # noqa: S506
            tasks = task.get("block", [task])
            found.update(each["name"] for each in tasks if any(key.startswith("awx.awx.") for key in each))
    return found


class Tagged(yaml.SafeLoader):
    """Reads Ansible's own tags as the text that they mark."""


Tagged.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))


def test_make_again_and_remove(setup: Setup, controller: Controller) -> None:
    """Check mode before each, and each twice."""
    fresh = {collection: controller.names(collection) for collection in KINDS}

    check = setup("--check", **MANY)
    assert changed(check) == 2, check.output
    assert "Check mode: what has no id yet would be made" in check.output

    made = setup(**MANY)
    assert changed(made) >= 12
    assert all(canary not in made.output for canary in ("canary-of-the-vault", "canary-of-the-hook"))
    writes = list(controller.writes)
    again = setup(**{**MANY, "plivo_awx_vault_password": None})
    assert changed(again) == 0, again.output
    assert [each for each in controller.writes[len(writes) :] if not each.endswith("/update/")] == []

    writes = list(controller.writes)
    check = setup("--check", **{**MANY, "plivo_awx_slices": 7})
    assert [each.task for each in check.tasks if each.result.get("changed")] == [
        "Job template for reports",
        "Job template for maintenance",
    ]
    check = setup("--check", plivo_awx_state="absent")
    assert changed(check) == 11
    assert controller.writes == writes

    removed = setup(plivo_awx_state="absent")
    assert changed(removed) == 11
    assert {collection: controller.names(collection) for collection in KINDS} == fresh
    removed_again = setup(plivo_awx_state="absent")
    assert changed(removed_again) == 0, removed_again.output

    assert written() - done(made, removed) == {"Credential of the account", "No credential of the account"}
