# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the plivo.voice contributors
"""A simulated Plivo Conference API, for tests and demos. See README.md in this folder."""

from __future__ import annotations

from .client import Control, ControlError
from .simulator import Simulator
from .world import AUTH_ID, AUTH_TOKEN

__all__ = ["AUTH_ID", "AUTH_TOKEN", "Control", "ControlError", "Simulator"]
