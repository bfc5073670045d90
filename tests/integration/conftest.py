# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as a user has it, Ansible's commands, and a simulated API for them to talk to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.running import Ansible
from plivo_simulator import Control, Simulator

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def collections() -> Path:
    """The folder of collections in which plivo.voice is installed from its tarball."""
    path = Path(os.environ.get("ANSIBLE_COLLECTIONS_PATH", ROOT / ".build/installed"))
    assert (path / "ansible_collections/plivo/voice/MANIFEST.json").exists(), f"no collection in {path}; run make build"
    return path


@pytest.fixture
def ansible(tmp_path: Path, collections: Path) -> Ansible:
    """Ansible's commands, in an empty folder."""
    folder = tmp_path / "ansible"
    folder.mkdir()
    return Ansible(folder, collections)


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A simulated API of its own for each test, with one account that has no conferences."""
    with Simulator() as running:
        yield running


@pytest.fixture
def control(simulator: Simulator) -> Control:
    """The hand on the simulated API."""
    return simulator.control
