# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The README is read on Galaxy, too, where nothing is beside it: a link to a file begins at the repository."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_links_to_files_begin_at_the_repository_and_lead_to_one() -> None:
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
    links = set(re.findall(r"\]\(([^)]+)\)", README))
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
    files = f"{galaxy['repository']}/blob/main/"
    names = {link.removeprefix(files).split("#")[0] for link in links if link.startswith(files)}
    assert "docs/async.md" in names
    assert [name for name in sorted(names) if not (ROOT / name).is_file()] == []
