# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the plivo.voice contributors
"""The simulator as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

import plivo_simulator
from plivo_simulator import Control

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    processes = []

    def _start(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "plivo_simulator", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(plivo_simulator.__file__).parents[1])},
        )
        processes.append(process)
        return process

    yield _start
    for process in processes:
        process.kill()
        process.communicate()


def ready(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line: dict[str, Any] = json.loads(process.stdout.readline())
    return line


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_line_then_service_until_a_signal(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    scenario = tmp_path / "scenario.json"
    scenario.write_text('{"accounts": {"MA1": {"auth_token": "t", "conferences": ["a"]}}}', encoding="utf-8")
    ready_file = tmp_path / "ready.json"
    arguments = ("--port", "0", "--prefix", "/api/v1", "--scenario", str(scenario), "--ready-file", str(ready_file))
    process = start(*arguments)
    line = ready(process)
    assert sorted(line) == ["api_url", "control_url", "pid"]
    assert line["pid"] == process.pid
    assert line["api_url"].endswith("/api/v1")
    assert json.loads(ready_file.read_text(encoding="utf-8")) == line
    assert list(Control(line["control_url"]).conferences()) == ["a"]
    process.send_signal(number)
    assert process.communicate(timeout=5) == ("", "")
    assert process.returncode == 0


def test_it_ends_by_itself(start: Start) -> None:
    process = start("--lifetime", "0.05")
    ready(process)
    assert process.wait(timeout=5) == 0


def test_a_yaml_scenario(start: Start, tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    scenario = tmp_path / "scenario.yml"
    scenario.write_text("accounts:\n  MA1:\n    auth_token: t\n    conferences: [{name: a, run_time: 90}]\n")
    line = ready(start("--scenario", str(scenario)))
    assert Control(line["control_url"]).conferences()["a"]["conference_run_time"] == "90"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("[]", "an object is needed"), ("{", "Expecting"), ('{"accounts": {"MA1": {}}}', "auth_token is needed")],
)
def test_a_bad_scenario_is_told_in_one_line(start: Start, tmp_path: Path, text: str, complaint: str) -> None:
    scenario = tmp_path / "scenario.json"
    scenario.write_text(text, encoding="utf-8")
    process = start("--scenario", str(scenario))
    _stdout, stderr = process.communicate(timeout=5)
    assert process.returncode == 1
    assert stderr.startswith("plivo_simulator: ")
    assert complaint in stderr
    assert stderr.count("\n") == 1
