# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tarball holds what users run and read, all of it and nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

from integration.conftest import ROOT

#: What Galaxy makes or asks for.
METADATA = {"CHANGELOG.md", "FILES.json", "LICENSE", "MANIFEST.json", "README.md", "requirements.txt"}
#: As they are in the repository.
WHOLE = ("extensions", "examples", "meta", "playbooks", "plugins")


def test_users_get_what_they_need(collections: Path) -> None:
    installed = collections / "ansible_collections/plivo/voice"
    files = {str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_file()}
    # Ansible may have compiled some on the way.
    files = {name for name in files if not name.endswith(".pyc")}
    others = {name for name in files - METADATA if name.split("/")[0] not in (*WHOLE, "docs")}
    assert others == {"changelogs/changelog.yaml"}
    tracked = subprocess.run(["git", "ls-files", *WHOLE], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert set(tracked.split()) <= files
