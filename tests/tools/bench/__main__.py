"""Measures what this collection costs, beside its alternatives. Started by `make bench`.

It fails if a target is missed. Nothing else should run on the machine meanwhile.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from .machine import machine, versions
from .measuring import UnfinishedError, peak_memory, run_cell, run_list
from .plot import svg
from .results import Peak, Results
from .table import as_text, notes, page, reach, tables
from .targets import targets
from .workloads import FULL, MEMBERS, QUICK, Job, Plan, Workload

ROOT = Path(__file__).parents[3]


def measure(plan: Plan, collections: str) -> Results:
    """Run the whole plan, one thing at a time: they must not slow each other down."""
    steps = len(plan.cells) + 3
    progress(0, steps)
    in_pairs, first = run_list(plan, collections)
    runs = {plan.listing: in_pairs}
    for number, cell in enumerate(plan.cells, 1):
        progress(number, steps)
        runs[cell.workload] = run_cell(cell, collections)
    peaks = []
    for number, members in enumerate((True, False), len(plan.cells) + 1):
        progress(number, steps)
        workload = Workload(Job.DETAILS, plan.large)
        title = (
            f"details of {plan.large:,} conferences with {MEMBERS} members" if members else "the same, `members: false`"
        )
        peaks.append(Peak(title, plan.large, peak_memory(workload, collections, members=members)))
    progress(steps, steps)
    return Results(plan.listing, runs, first, (peaks[0], peaks[1]))


def progress(number: int, steps: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{number} of {steps}", end="" if number < steps else "\r", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="write a Markdown page, too, and a plot beside it")
    parser.add_argument("--quick", action="store_true", help="a look in less than two minutes: few and small runs")
    parser.add_argument(
        "--collections",
        default=os.environ.get("ANSIBLE_COLLECTIONS_PATH", str(ROOT / ".build/installed")),
        help="where plivo.voice is installed",
    )
    arguments = parser.parse_args()
    # Leaves no simulated API behind when it is told to end.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    used = ", ".join(f"{name} {version}" for name, version in versions(arguments.collections).items())
    started = time.monotonic()
    try:
        results = measure(QUICK if arguments.quick else FULL, arguments.collections)
    except UnfinishedError as error:
        print(error, file=sys.stderr)
        return 1
    found = targets(results)
    about = {**machine(), "versions": used, "the whole run": f"{(time.monotonic() - started) / 60:.1f} minutes"}
    for table in (reach(found), *tables(results)):
        print(as_text(table), end="\n\n")
    print(*notes(), *(f"{what}: {value}." for what, value in about.items()), sep="\n")
    if arguments.write:
        arguments.write.parent.mkdir(parents=True, exist_ok=True)
        plot = arguments.write.with_suffix(".svg")
        plot.write_text(svg(results), encoding="utf-8")
        arguments.write.write_text(page(results, about, plot.name, arguments.quick), encoding="utf-8")
        print(f"Written to {arguments.write} and {plot}.")
    missed = [each for each in found if not each.met]
    for each in missed:
        print(f"Missed: {each.what}: {each.measured}, wanted {each.wanted}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
