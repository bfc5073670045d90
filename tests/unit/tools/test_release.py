# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release has a version that may be, and all files say the same one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tools.release import PLACES, ROOT, RefusedError, check, version_in, write_version


@pytest.mark.parametrize(
    ("version", "released"),
    [("1.0.0", []), ("1.0.1", ["1.0.0"]), ("1.10.0", ["1.0.0", "1.9.0"]), ("1.0.0", ["0.9.0", "1.0.0-rc.1"])],
)
def test_a_higher_version_is_prepared(version: str, released: list[str]) -> None:
    assert check(version, released, tags=released, changed=[]) is True


def test_what_is_prepared_is_only_tested_again() -> None:
    assert check("1.1.0", ["1.0.0", "1.1.0"], tags=["1.0.0"], changed=["galaxy.yml"]) is False


@pytest.mark.parametrize(
    ("version", "released", "tags", "changed", "words"),
    [
        ("", [], [], [], ["no semantic version", "VERSION=1.2.3"]),
        ("1.0", [], [], [], ["VERSION=1.0: ", "no semantic version"]),
        ("v1.0.0", [], [], [], ["no semantic version"]),
        ("1.0.1", ["1.0.0", "1.1.0", "2.0.0"], [], [], ["1.1.0, 2.0.0 is in the changelog", "a higher version"]),
        ("1.0.0-rc.1", ["1.0.0"], [], [], ["1.0.0 is in the changelog"]),
        ("1.1.0", ["1.0.0", "1.1.0"], ["1.1.0"], [], ["the tag 1.1.0", "a higher version"]),
        ("1.1.0", ["1.0.0"], [], ["README.md"], ["README.md", "commit or stash"]),
    ],
)
def test_what_cannot_be_released_is_refused(
    version: str, released: list[str], tags: list[str], changed: list[str], words: list[str]
) -> None:
    with pytest.raises(RefusedError) as refused:
        check(version, released, tags, changed)
    for word in words:
        assert word in str(refused.value)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The files in which the version stands."""
    for name in PLACES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    return tmp_path


def test_the_version_is_written_wherever_it_stands(copy: Path) -> None:
    old = version_in(ROOT)
    write_version(copy, "12.3.4")
    assert version_in(copy) == "12.3.4"
    for name in PLACES:
        content = (copy / name).read_text(encoding="utf-8")
        assert "12.3.4" in content or ">=12.0.0,<13.0.0" in content
        assert f"plivo-voice-{old}" not in content
    write_version(copy, old)
    assert all((copy / name).read_bytes() == (ROOT / name).read_bytes() for name in PLACES)


def test_a_place_that_has_gone_is_told_before_anything_is_written(copy: Path) -> None:
    (copy / "docs/awx.md").write_text("no image here\n", encoding="utf-8")
    with pytest.raises(RefusedError, match=r"docs/awx\.md has no plivo-voice-ee:"):
        write_version(copy, "12.3.4")
    assert version_in(copy) == version_in(ROOT)


def test_the_version_stands_nowhere_else() -> None:
    version = version_in(ROOT).replace(".", r"\.")
    written = rf"plivo-voice(-|-ee:|-de:){version}"
    listed = subprocess.run(["git", "grep", "-lE", written], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(listed.stdout.split()) <= {*PLACES}
