# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The canary: wherever Ansible writes something, the token and what is made from it are not in it."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from integration.running import Ansible
from plivo_simulator import AUTH_ID, Control, Simulator

HANGUP = "plivo.voice.conference_hangup"

#: With characters that look different when they are quoted for JSON, YAML, a shell or a URL.
TOKEN = "canary\"'\\ &<%+/=ß-9f8e7d6c5b4a"

FORBIDDEN = {"action": "answer", "method": "DELETE", "name": "b", "status": 403, "times": None}

#: As a proxy with a debug page does: it repeats what it was sent.
BASIC = base64.b64encode(f"{AUTH_ID}:{TOKEN}".encode()).decode()

SCENARIO = {
    "accounts": {AUTH_ID: {"auth_token": TOKEN, "conferences": ["a", "b", "c"]}},
    "settings": {"latency": 0.1},
    # A success, a failure whose text repeats what the client sent, and a retry.
    "faults": [
        {**FORBIDDEN, "json": {"error": f"no {TOKEN} in Authorization: Basic {BASIC}"}},
        {"action": "answer", "method": "DELETE", "name": "c", "status": 503},
    ],
}


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(SCENARIO) as running:
        yield running


def forms(token: str) -> list[str]:
    """All that tells the token: itself, as others quote it, and HTTP's Basic form."""
    return [
        token,
        json.dumps(token)[1:-1],
        json.dumps(token, ensure_ascii=False)[1:-1],
        quote(token),
        quote(token, safe=""),
        BASIC,
        # Its last, unmistakable part would be left by whatever cuts a token into pieces.
        token[-12:],
    ]


def leaks(text: str) -> list[str]:
    return [form for form in forms(TOKEN) if form in text]


@contextmanager
def process_lists() -> Iterator[set[str]]:
    """Every command line on this machine while the block runs."""
    seen: set[str] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.01):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
                except OSError:
                    continue  # It has ended.

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


def play(source: str, api_url: str) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """A play that hangs up with the token from there, and what its environment holds."""
    login = {"auth_id": AUTH_ID, "auth_token": TOKEN}
    options: dict[str, Any] = {"patterns": ["*"], "api_url": api_url, "max_connections": 1}
    tasks: list[dict[str, Any]] = [{"name": "Hang up", HANGUP: options, "ignore_errors": True}]
    result: dict[str, Any] = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
    environment = {}
    if source == "option":
        options.update(login)
    elif source == "module_defaults":
        result["module_defaults"] = {"group/plivo.voice.conference": login}
    elif source == "vault":
        options.update({"auth_id": AUTH_ID, "auth_token": "{{ plivo_auth_token }}"})
        result["vars_files"] = ["vault.yml"]
    else:
        environment = {"PLIVO_AUTH_ID": AUTH_ID, "PLIVO_AUTH_TOKEN": TOKEN}
    return [result], environment


def write_vault(folder: Path) -> Path:
    """A vault with the token; returns the file that holds its password."""
    from ansible.parsing.vault import VaultLib, VaultSecret

    password = folder / "password"
    password.write_text("a password", encoding="utf-8")
    plain = json.dumps({"plivo_auth_token": TOKEN})
    secret = VaultSecret(b"a password")
    (folder / "vault.yml").write_bytes(VaultLib([("default", secret)]).encrypt(plain, secret=secret))
    return password


@pytest.mark.parametrize("source", ["option", "module_defaults", "vault", "environment"])
def test_token_is_nowhere(ansible: Ansible, simulator: Simulator, control: Control, source: str) -> None:
    plays, environment = play(source, simulator.api_url)
    folder = ansible.folder
    password = write_vault(folder)
    playbook = folder / "play.yml"
    playbook.write_text(json.dumps(plays), encoding="utf-8")
    environment["ANSIBLE_LOG_PATH"] = str(folder / "ansible.log")
    options = ["-vvvv", "--diff", "--vault-password-file", str(password)]
    with process_lists() as commands:
        run = ansible.playbook(playbook, *options, env=environment)
    (task,) = run.tasks
    # It did what it should, failed where it should, and told both: the canary was really there.
    assert task.result["hung_up"] == ["a", "c"]
    assert task.result["error"]["kind"] == "forbidden"
    assert any("ansible-playbook" in command for command in commands)
    assert leaks(run.output) == []
    assert leaks((folder / "ansible.log").read_text(encoding="utf-8")) == []
    assert leaks("\n".join(commands)) == []
    # What every callback plugin is given.
    for record in folder.glob("record*.jsonl"):
        assert leaks(record.read_text(encoding="utf-8")) == []


def test_token_is_in_no_artifact_of_a_job(ansible: Ansible, simulator: Simulator) -> None:
    """ansible-runner is what AWX runs jobs with; what it leaves behind is what AWX stores and shows."""
    data = ansible.folder / "job"
    project = data / "project"
    project.mkdir(parents=True)
    plays, environment = play("environment", simulator.api_url)
    (project / "play.yml").write_text(json.dumps(plays), encoding="utf-8")
    runner = Path(sys.executable).with_name("ansible-runner")
    done = subprocess.run(
        [str(runner), "run", str(data), "--playbook", "play.yml", "--ident", "1", "-vvvv"],
        env={**ansible.environment, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    artifacts = [file for file in (data / "artifacts").rglob("*") if file.is_file()]
    texts = {file.name: file.read_text(encoding="utf-8", errors="replace") for file in artifacts}
    assert any('"hung_up"' in text for text in texts.values()), done.stdout + done.stderr
    # ansible-runner itself writes down the whole environment that it was given, here and nowhere else.
    command = json.loads(texts.pop("command"))
    assert command.pop("env")["PLIVO_AUTH_TOKEN"] == TOKEN
    texts["command"] = json.dumps(command)
    assert {name: leaks(text) for name, text in texts.items() if leaks(text)} == {}
    assert leaks(done.stdout + done.stderr) == []
