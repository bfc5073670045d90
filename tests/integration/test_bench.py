# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark of `make bench`: one small run of everybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.bench.__main__ import measure
from tools.bench.contenders import PING, Contender, Task
from tools.bench.measuring import UnfinishedError, run, site
from tools.bench.targets import targets
from tools.bench.workloads import LIST, Cell, Job, Plan, Workload


@pytest.mark.long
def test_work_that_was_not_done_is_no_result(collections: Path) -> None:
    def nothing(_workload: Workload) -> list[Task]:
        return [{"name": "idle", "ansible.builtin.ping": {}}]

    with site(str(collections)) as here, pytest.raises(UnfinishedError, match="idle"):
        run(here, Contender("idle", "", nothing), Workload(Job.HANG_UP_ALL, 3))


@pytest.mark.long
def test_a_small_run_of_everybody(collections: Path) -> None:
    cells = (Cell(Workload(Job.HANG_UP_PATTERN, 3), 1, 1, 1),)
    plan = Plan(LIST, pairs=1, playbooks=1, sdk_runs=1, cells=cells, large=3)
    measured = measure(plan, str(collections))
    for workload, runs in measured.runs.items():
        for contender, (only,) in runs.items():
            assert only.seconds > 0
            assert only.done == workload.conferences
            assert (only.requests, only.refused) == (0 if contender is PING else workload.requests, 0)
    assert all(10 < peak.mebibytes < 200 for peak in measured.peaks)
    assert len(targets(measured)) == 4
