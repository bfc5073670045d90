# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's commands as a user runs them: a process of its own, unattended, with the installed collection."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plivo_simulator import AUTH_ID, AUTH_TOKEN, Simulator

TESTS = Path(__file__).parents[1]


@dataclass(frozen=True)
class TaskResult:
    """How one task ended on one host."""

    #: ok, failed, skipped or unreachable
    outcome: str
    host: str
    task: str
    action: str
    ignored: bool
    result: dict[str, Any]


@dataclass(frozen=True)
class Run:
    """What came of one command."""

    rc: int
    stdout: str
    stderr: str
    #: In the order in which they ended.
    tasks: list[TaskResult]
    #: By host: ok, failures, changed, skipped, rescued, ignored, unreachable.
    stats: dict[str, dict[str, int]]
    #: What set_stats has set.
    custom_stats: dict[str, Any]

    @property
    def output(self) -> str:
        return self.stdout + self.stderr

    def results(self, task: str | None = None, host: str | None = None, action: str | None = None) -> list[TaskResult]:
        """Results of those tasks whose name holds this text, that ran for this host, by this action."""
        return [
            each
            for each in self.tasks
            if (task is None or task in each.task) and host in (None, each.host) and action in (None, each.action)
        ]

    @property
    def result(self) -> dict[str, Any]:
        """The only task's result, as after an ad-hoc command on one host."""
        (only,) = self.tasks
        return only.result


class Ansible:
    """Runs ansible and ansible-playbook. Nothing of the caller's environment or HOME reaches them.

    :param folder: an empty folder for HOME and for what a run needs; also where the commands run.
    :param collections: where the collection is installed.
    """

    def __init__(self, folder: Path, collections: Path) -> None:
        self.folder = folder
        self._runs = 0
        (folder / "home").mkdir()
        self._no_hosts = folder / "no_hosts.yml"
        self._no_hosts.write_text("all: {}\n", encoding="utf-8")
        self.environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}",
            "HOME": str(folder / "home"),
            "LANG": "C.UTF-8",
            "ANSIBLE_CONFIG": str(TESTS / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(collections),
            "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).with_name("callback_plugins")),
            "ANSIBLE_LOAD_CALLBACK_PLUGINS": "true",
            # Another one in some cells of the support matrix.
            "ANSIBLE_PYTHON_INTERPRETER": os.environ.get("MODULES_PYTHON", sys.executable),
            "ANSIBLE_NOCOLOR": "true",
        }

    def playbook(
        self,
        playbook: str | Path,
        *options: str,
        variables: Mapping[str, Any] | None = None,
        inventory: Mapping[str, Mapping[str, Any]] | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 120,
    ) -> Run:
        """Run a playbook, by path or FQCN.

        :param variables: extra variables.
        :param inventory: each host's variables, by host. Only the implicit localhost if there is none.
        :param env: what the environment holds besides what every run has.
        """
        command = ["ansible-playbook", *self._inventory(inventory), *options, str(playbook)]
        if variables:
            command += ["--extra-vars", json.dumps(variables)]
        return self._run(command, env, timeout)

    def module(
        self,
        module: str,
        arguments: Mapping[str, Any] | str = "",
        *options: str,
        hosts: str = "localhost",
        inventory: Mapping[str, Mapping[str, Any]] | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 120,
    ) -> Run:
        """Run one module as an ad-hoc command.

        :param arguments: typed, or a text such as ``name="Sales, EMEA"``.
        """
        text = arguments if isinstance(arguments, str) else json.dumps(dict(arguments))
        command = ["ansible", *self._inventory(inventory), *options, hosts, "-m", module]
        return self._run([*command, "-a", text] if text else command, env, timeout)

    def _inventory(self, hosts: Mapping[str, Mapping[str, Any]] | None) -> list[str]:
        if hosts is None:
            return ["-i", str(self._no_hosts)]
        file = self.folder / f"inventory{self._runs}.json"
        file.write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
        return ["-i", str(file)]

    def _run(self, command: list[str], env: Mapping[str, str] | None, timeout: float) -> Run:
        self._runs += 1
        record = self.folder / f"record{self._runs}.jsonl"
        record.touch()
        done = subprocess.run(
            [str(Path(sys.executable).with_name(command[0])), *command[1:]],
            cwd=self.folder,
            env={**self.environment, "RECORDER_FILE": str(record), **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=timeout,
            check=False,
        )
        tasks: list[TaskResult] = []
        stats: dict[str, Any] = {"hosts": {}, "custom": {}}
        for line in record.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            if entry.pop("event") == "task":
                tasks.append(TaskResult(**entry))
            else:
                stats = entry
        return Run(done.returncode, done.stdout, done.stderr, tasks, stats["hosts"], stats["custom"])


def credentials(simulator: Simulator) -> dict[str, str]:
    """The environment of a user of the simulated API's own account."""
    return {"PLIVO_API_URL": simulator.api_url, "PLIVO_AUTH_ID": AUTH_ID, "PLIVO_AUTH_TOKEN": AUTH_TOKEN}
