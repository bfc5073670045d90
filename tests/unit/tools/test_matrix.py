# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is promised about versions is one and the same everywhere, and the README's tables are those of the cells."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.matrix.cells import CELLS, CORES, LOWEST, PYTHONS, Kind, pythons_of
from tools.matrix.pythons import find
from tools.matrix.table import FAILED, NOT_RUN, PASSED, marks_in, tables, updated

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")
THIS = f"{sys.version_info.major}.{sys.version_info.minor}"


def read_yaml(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def test_the_readmes_tables_are_those_of_the_cells() -> None:
    marks = marks_in(README)
    assert set(marks.values()) <= {PASSED, NOT_RUN}
    assert tables(marks) in README


def test_the_promises_agree() -> None:
    assert read_yaml("meta/runtime.yml")["requires_ansible"] == f">={CORES[0]}.0"
    assert f"- ansible-core {CORES[0]} or newer." in README
    assert read_yaml("tests/config.yml")["modules"]["python_requires"] == f">={PYTHONS[0]}"
    assert f"Python {PYTHONS[0]} or newer" in README
    assert f"requests>={LOWEST}\n" in (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert f"requests=={LOWEST}\n" in (ROOT / "tests/requirements-lowest.txt").read_text(encoding="utf-8")


def test_every_core_is_there_with_all_its_pythons() -> None:
    names = [cell.name for cell in CELLS]
    assert len(set(names)) == len(names)
    for core in CORES:
        assert f"core-{core}-sanity" in names
        assert {f"core-{core}-python-{python}" for python in pythons_of(core)} <= set(names)
    assert pythons_of("2.16") == ["3.10", "3.11", "3.12"]
    assert {cell.column for cell in CELLS if cell.kind is Kind.TARGET} == set(PYTHONS)


def test_a_page_keeps_what_was_not_run_this_time() -> None:
    first, second = CELLS[0].name, CELLS[-1].name
    page = updated(README, {first: FAILED, second: PASSED})
    page = updated(page, {second: FAILED})
    assert marks_in(page) == {**marks_in(README), first: FAILED, second: FAILED}
    assert updated(page, marks_in(README)) == README


def run_report(folder: Path, sessions: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The report on sessions that ended so, with a copy of the README."""
    entries = [
        {"name": name, "result": result, "reason": "no Python here" if result == "skipped" else None, "duration": 2.0}
        for name, result in sessions.items()
    ]
    report = {"result": int("failed" not in sessions.values()), "sessions": entries}
    (folder / "report.json").write_text(json.dumps(report), encoding="utf-8")
    blank = updated(README, {cell.name: NOT_RUN for cell in CELLS})
    (folder / "README.md").write_text(blank, encoding="utf-8")
    command = [sys.executable, "-m", "tools.matrix", str(folder), str(folder / "README.md")]
    return subprocess.run(command, cwd=ROOT / "tests", capture_output=True, text=True, check=False)


def test_what_passed_goes_into_the_readme(tmp_path: Path) -> None:
    xml = '<testsuites><testsuite tests="5" skipped="1"/></testsuites>'
    (tmp_path / "core-2.16-python-3.10.all.xml").write_text(xml, encoding="utf-8")
    sessions = {"build": "success", "core-2.16-python-3.10": "success", "core-2.21-python-3.14": "skipped"}
    done = run_report(tmp_path, sessions)
    assert done.returncode == 0, done.stderr
    assert "✓ core-2.16-python-3.10                  2 s  4 tests" in done.stdout
    assert "○ core-2.21-python-3.14                  2 s  no Python here" in done.stdout
    assert done.stdout.endswith("1 passed, 0 failed, 1 skipped\n")
    marks = marks_in((tmp_path / "README.md").read_text(encoding="utf-8"))
    assert [name for name, mark in marks.items() if mark == PASSED] == ["core-2.16-python-3.10"]


def test_a_failure_is_one_and_shows_in_the_readme(tmp_path: Path) -> None:
    done = run_report(tmp_path, {"core-2.16-sanity": "failed", "core-2.18-sanity": "success"})
    assert done.returncode == 1
    marks = marks_in((tmp_path / "README.md").read_text(encoding="utf-8"))
    assert (marks["core-2.16-sanity"], marks["core-2.18-sanity"]) == (FAILED, PASSED)


def test_a_failure_of_what_the_cells_require_is_one(tmp_path: Path) -> None:
    assert run_report(tmp_path, {"build": "failed", "core-2.18-sanity": "success"}).returncode == 1


def test_a_run_of_nothing_is_a_failure(tmp_path: Path) -> None:
    assert run_report(tmp_path, {"build": "success", "core-2.21-python-3.14": "skipped"}).returncode == 1


# --- Pythons -----------------------------------------------------------------------------------------


def test_a_python_is_found_on_path(tmp_path: Path) -> None:
    (tmp_path / f"python{THIS}").symlink_to(sys.executable)
    assert find(THIS, {"PATH": f"/nowhere:{tmp_path}"}) == str(tmp_path / f"python{THIS}")


@pytest.mark.parametrize("says", ["2.7", ""])
def test_a_python_that_is_another_or_does_not_start_is_none(tmp_path: Path, says: str) -> None:
    shim = tmp_path / f"python{THIS}"
    shim.write_text(f"#!/bin/sh\necho '{says}'\nexit 127\n", encoding="utf-8")
    shim.chmod(0o700)
    assert find(THIS, {"PATH": str(tmp_path), "HOME": str(tmp_path)}) is None


@pytest.mark.parametrize(
    ("where", "environment"),
    [
        ("pyenv/versions/{}.10", {"PATH": "{}/pyenv/shims"}),
        ("pyenv/versions/{}.10", {"PYENV_ROOT": "{}/pyenv"}),
        (".pyenv/versions/{}.10", {"HOME": "{}"}),
        (".local/share/uv/python/cpython-{}.10-x", {"HOME": "{}"}),
        ("data/uv/python/cpython-{}.10-x", {"XDG_DATA_HOME": "{}/data"}),
        ("uv/cpython-{}.10-x", {"UV_PYTHON_INSTALL_DIR": "{}/uv"}),
    ],
)
def test_the_newest_of_a_version_manager_is_found(tmp_path: Path, where: str, environment: dict[str, str]) -> None:
    for folder in (where, where.replace(".10", ".9")):
        (tmp_path / folder.format(THIS) / "bin").mkdir(parents=True)
        (tmp_path / folder.format(THIS) / f"bin/python{THIS}").symlink_to(sys.executable)
    found = find(THIS, {name: value.format(tmp_path) for name, value in {"HOME": "{}/none", **environment}.items()})
    assert found == str(tmp_path / where.format(THIS) / f"bin/python{THIS}")
