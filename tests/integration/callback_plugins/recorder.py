# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what Ansible tells its callbacks into the file RECORDER_FILE, one JSON document per line.

The JSON callback that others use for this is not a part of ansible-core, and knows no ad-hoc commands.
"""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.plugins.callback import CallbackBase


def _field(result: Any, name: str) -> Any:
    """A field of a result, which have lost their underscores with ansible-core 2.19."""
    return getattr(result, name) if hasattr(result, name) else getattr(result, f"_{name}")


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "recorder"

    def _record(self, event: str, **fields: Any) -> None:
        with open(os.environ["RECORDER_FILE"], "a", encoding="utf-8") as file:
            file.write(json.dumps({"event": event, **fields}, default=str) + "\n")

    def _record_task(self, outcome: str, result: Any, ignored: bool = False) -> None:
        task = _field(result, "task")
        self._record(
            "task",
            outcome=outcome,
            host=_field(result, "host").get_name(),
            task=task.name,
            action=task.action,
            ignored=ignored,
            result=dict(_field(result, "result")),
        )

    def v2_runner_on_ok(self, result: Any) -> None:
        self._record_task("ok", result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._record_task("failed", result, ignored=bool(ignore_errors))

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._record_task("skipped", result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._record_task("unreachable", result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._record(
            "stats",
            hosts={host: stats.summarize(host) for host in stats.processed},
            custom=stats.custom.get("_run", {}),
        )
