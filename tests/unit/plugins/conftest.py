# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No test may know the developer's proxies, certificates or account."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from unit.plugins.support import Clock

# A slow machine is no bug.
settings.register_profile("plivo.voice", deadline=None)
settings.load_profile("plivo.voice")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith(("_proxy", "_ca_bundle")) or name.startswith("PLIVO_"):
            monkeypatch.delenv(name)


@pytest.fixture
def clock() -> Clock:
    return Clock()
