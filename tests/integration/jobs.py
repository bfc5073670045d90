# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs as AWX runs them: by ansible-runner, from the folder that AWX makes for a job, read back as AWX does.

What AWX would add is a container around it. Its model here is awx/main/tasks/jobs.py of AWX 24.6.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: The example of a project, which the documentation of AWX begins with.
PROJECT = Path(__file__).parents[2] / "examples/awx-project"

#: What each host of an inventory brings.
Hosts = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Job:
    """What AWX keeps of a job."""

    rc: int
    #: successful or failed
    status: str
    stdout: str
    #: In their order; what the API of AWX calls job events.
    events: list[dict[str, Any]]
    #: Of this job alone.
    folder: Path

    @property
    def artifacts(self) -> dict[str, Any]:
        """What set_stats has handed on, which AWX takes from the last event."""
        found: dict[str, Any] = {}
        for event in self.events:
            found = event["event_data"].get("artifact_data") or found
        return found

    @property
    def failed_hosts(self) -> list[str]:
        (stats,) = (event["event_data"] for event in self.events if event["event"] == "playbook_on_stats")
        return sorted(stats["failures"])

    def results(self, task: str) -> list[dict[str, Any]]:
        """The results of the task of this name, for each of its hosts that did not skip it."""
        return [event["event_data"]["res"] for event in self._ended() if event["event_data"]["task"] == task]

    @property
    def last_result(self) -> dict[str, Any]:
        """What the last task has said, in AWX the last thing in the job's output."""
        result: dict[str, Any] = self._ended()[-1]["event_data"]["res"]
        return result

    def files_with(self, text: str) -> list[str]:
        """The files in which this text stands, among all that ansible-runner has left behind."""
        files = [file for file in (self.folder / "artifacts").rglob("*") if file.is_file()]
        return [file.name for file in files if text in file.read_text(encoding="utf-8", errors="replace")]

    def _ended(self) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] in ("runner_on_ok", "runner_on_failed")]


def merged(jobs: Iterable[Job]) -> dict[str, Any]:
    """The artifacts of a sliced job, as AWX gives them to the next job of a workflow."""
    result: dict[str, Any] = {}
    for job in jobs:
        result.update(job.artifacts)
    return result


def vaulted(text: str, password: str) -> dict[str, str]:
    """A variable of ansible-vault as AWX keeps it in an inventory that it has synchronised."""
    from ansible.parsing.vault import VaultLib, VaultSecret

    secret = VaultSecret(password.encode())
    return {"__ansible_vault": VaultLib([("default", secret)]).encrypt(text, secret=secret).decode()}


def _unsafe(value: Any) -> str:
    """A value as YAML in which no text is a template."""
    if isinstance(value, str):
        return f"!unsafe {json.dumps(value)}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_unsafe(name)}: {_unsafe(of_it)}" for name, of_it in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_unsafe, value)) + "]"
    return json.dumps(value)


@dataclass(frozen=True)
class JobTemplate:
    """A job template of AWX, and all that a job of it is given.

    :param folder: where the folders of its jobs go.
    :param collections: where the collections of the project's requirements are installed.
    :param playbook: of the project.
    :param hosts: the inventory, in its group "accounts".
    :param injected: the environment variables that the injectors of its credentials set.
    :param vault_password: of its vault credential.
    """

    folder: Path
    collections: Path
    playbook: str
    hosts: Hosts
    extra_vars: Mapping[str, Any]
    injected: Mapping[str, str]
    vault_password: str | None = None
    check: bool = False
    forks: int = 0

    def launch(self, hosts: Hosts | None = None, number: int = 1, **extra_vars: Any) -> Job:
        """Run a job to its end.

        :param hosts: if not the whole inventory.
        :param extra_vars: those that come with the launch, as from the jobs before it in a workflow.
        """
        folder = self.folder / f"awx_{number}"
        self._write(folder, self.hosts if hosts is None else hosts, number, extra_vars)
        environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}",
            "HOME": str(folder / "home"),
            "LANG": "C.UTF-8",
        }
        subprocess.run(
            ["ansible-runner", "run", str(folder), "--playbook", self.playbook, "--ident", str(number), "--quiet"],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=300,
            check=False,
        )
        artifacts = folder / "artifacts" / str(number)
        events = [json.loads(file.read_text(encoding="utf-8")) for file in (artifacts / "job_events").glob("*.json")]
        # Lines between the tasks are events, too, which have no data.
        events = [{"event_data": {}, **event} for event in events]
        return Job(
            rc=int((artifacts / "rc").read_text(encoding="utf-8")),
            status=(artifacts / "status").read_text(encoding="utf-8"),
            # AWX shows colours; here they are in the way.
            stdout=re.sub("\x1b\\[[0-9;]*m", "", (artifacts / "stdout").read_text(encoding="utf-8")),
            events=sorted(events, key=lambda event: int(event["counter"])),
            folder=folder,
        )

    def launch_sliced(self, count: int) -> list[Job]:
        """Run a job for each slice of the inventory: every count-th host by name. They run at the same time."""
        names = sorted(self.hosts)
        slices = [{name: self.hosts[name] for name in names[first::count]} for first in range(count)]
        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(self.launch, slices, range(1, count + 1)))

    def _write(self, folder: Path, hosts: Hosts, number: int, extra_vars: Mapping[str, Any]) -> None:
        for name in ("env", "home", "inventory"):
            (folder / name).mkdir(parents=True)
        (folder / "requirements_collections").symlink_to(self.collections)
        shutil.copytree(PROJECT, folder / "project")
        # AWX gives the inventory as a program that prints it.
        content = {"accounts": {"hosts": list(hosts)}, "_meta": {"hostvars": hosts}}
        inventory = folder / "inventory/hosts"
        inventory.write_text(f"#!{sys.executable}\nprint({json.dumps(content)!r})\n", encoding="utf-8")
        inventory.chmod(0o700)
        # As set by AWX for each job.
        settings = {
            "ANSIBLE_COLLECTIONS_PATH": str(folder / "requirements_collections"),
            "ANSIBLE_FORCE_COLOR": "True",
            "ANSIBLE_HOST_KEY_CHECKING": "False",
            "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
            "ANSIBLE_PARAMIKO_RECORD_HOST_KEYS": "False",
            "ANSIBLE_RETRY_FILES_ENABLED": "False",
            "JOB_ID": str(number),
            "MAX_EVENT_RES": "700000",
        }
        options = ["-u", "root"]
        options += ["--check"] if self.check else []
        options += ["--ask-vault-pass"] if self.vault_password else []
        options += [f"--forks={self.forks}"] if self.forks else []
        passwords = {"Vault password:\\s*?$": self.vault_password} if self.vault_password else {}
        for name, value in {
            "envvars": {**settings, **self.injected},
            "passwords": passwords,
            "settings": {"idle_timeout": 0, "suppress_ansible_output": True},
        }.items():
            (folder / "env" / name).write_text(json.dumps(value), encoding="utf-8")
        (folder / "env/cmdline").write_text(" ".join(options), encoding="utf-8")
        # Nothing in what comes with a launch is a template to AWX; what the job template sets may be one.
        variables = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in self.extra_vars.items()]
        variables += [f"{json.dumps(name)}: {_unsafe(value)}" for name, value in extra_vars.items()]
        (folder / "env/extravars").write_text("{" + ",\n".join(variables) + "}\n", encoding="utf-8")
