# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Some of the runs of `make faults`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.faults import running
from tools.faults.__main__ import run_all
from tools.faults.catalogue import FAULTS, NO_FAULT
from tools.faults.contenders import CONTENDERS, Contender
from tools.faults.verdict import Job, Verdict

OURS, URI, _UNTIL, SDK = CONTENDERS
BY_TITLE = {fault.title: fault for fault in FAULTS}


@pytest.mark.parametrize(
    ("contender", "job", "fault", "verdict"),
    [
        (OURS, Job.HANG_UP, "reset after it took effect", Verdict.SURVIVED),
        (URI, Job.LIST, "503", Verdict.FAILED),
        (SDK, Job.HANG_UP, "the conference is named `.`", Verdict.WRONG),
    ],
    ids=["plivo.voice", "uri", "SDK"],
)
def test_real_runs(contender: Contender, job: Job, fault: str, verdict: Verdict, collections: Path) -> None:
    each = running.run(contender, job, BY_TITLE[fault], str(collections))
    assert each.verdict is verdict, each.output


def test_runs_side_by_side(collections: Path) -> None:
    cells = [(SDK, Job.LIST, NO_FAULT), (SDK, Job.HANG_UP, BY_TITLE["wrong token (401)"])]
    runs = run_all(cells, str(collections), 2)
    assert {cell: each.verdict for cell, each in runs.items()} == {
        cells[0]: Verdict.SURVIVED,
        cells[1]: Verdict.FAILED,
    }
