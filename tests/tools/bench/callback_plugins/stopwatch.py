# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes how long each task took into the file STOPWATCH_FILE, one JSON document per line.

From when its process is about to be started until its result, all turns of its loop included, has come back.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "stopwatch"

    def __init__(self) -> None:
        super().__init__()
        self._started: dict[str, float] = {}

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        self._started[task._uuid] = time.perf_counter()

    def v2_runner_on_ok(self, result: Any) -> None:
        now = time.perf_counter()
        # Results have lost their underscores with ansible-core 2.19.
        task = result.task if hasattr(result, "task") else result._task
        with open(os.environ["STOPWATCH_FILE"], "a", encoding="utf-8") as file:
            file.write(json.dumps({"task": task.name, "seconds": now - self._started[task._uuid]}) + "\n")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self.v2_runner_on_ok(result)
