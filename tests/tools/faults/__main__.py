"""Runs every contender against every fault and shows the verdicts. Started by `make faults`.

It fails if this collection does not survive a passing fault or claims anything that is not true.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from importlib.metadata import version
from pathlib import Path

from tools.installed import version_of

from .catalogue import FAULTS, NO_FAULT, Fault
from .contenders import CONTENDERS, Contender
from .running import MissedFaultError, Run, run
from .table import as_text, details, notes, page, totals
from .verdict import Job, Verdict

ROOT = Path(__file__).parents[3]

#: (contender, job, fault)
Cell = tuple[Contender, Job, Fault]


def run_all(cells: list[Cell], collections: str, workers: int) -> dict[Cell, Run]:
    """Run the cells side by side, each in a process of its own; those that mostly wait go first."""
    runs: dict[Cell, Run] = {}
    with ProcessPoolExecutor(workers) as pool:
        futures: dict[Future[Run], Cell] = {}
        for cell in sorted(cells, key=lambda cell: not cell[2].slow):
            futures[pool.submit(run, *cell, collections)] = cell
        try:
            for future in as_completed(futures):
                runs[futures[future]] = future.result()
                if sys.stderr.isatty():
                    print(f"\r{len(runs)} of {len(cells)}", end="", file=sys.stderr, flush=True)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    if sys.stderr.isatty():
        print("\r", end="", file=sys.stderr)
    return runs


def disappointments(runs: dict[Cell, Run]) -> list[str]:
    """What must not be: of this collection, and of anybody where there is no fault."""
    found = []
    for (contender, job, fault), each in runs.items():
        ours = contender is CONTENDERS[0]
        if fault is NO_FAULT or (ours and fault.passing):
            good = [Verdict.SURVIVED]
        else:
            good = [Verdict.SURVIVED, Verdict.FAILED] if ours else list(Verdict)
        if each.verdict not in good:
            found.append(
                f"{contender.title}, {job.value}, {fault.title}: {each.verdict.value} after {each.seconds:.0f} s\n"
                f"{each.output}"
            )
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the results as a Markdown page, too")
    parser.add_argument(
        "--collections",
        default=os.environ.get("ANSIBLE_COLLECTIONS_PATH", str(ROOT / ".build/installed")),
        help="where plivo.voice is installed",
    )
    # They wait more than they compute.
    parser.add_argument("--workers", type=int, default=3 * (os.cpu_count() or 1), help="runs at a time")
    arguments = parser.parse_args()
    started = time.monotonic()

    python = ".".join(platform.python_version_tuple()[:2])
    ours, ansible_core, sdk = version_of(arguments.collections), version("ansible-core"), version("plivo")
    versions = f"Versions: plivo.voice {ours}, ansible-core {ansible_core}, plivo (SDK) {sdk}, Python {python}"

    cells = [
        (contender, job, fault)
        for fault in (NO_FAULT, *FAULTS)
        for job in fault.jobs
        for contender in CONTENDERS
    ]  # fmt: skip
    try:
        runs = run_all(cells, arguments.collections, arguments.workers)
    except MissedFaultError as error:
        print(error, file=sys.stderr)
        return 1
    results = {(contender.title, job, fault.title): each.verdict for (contender, job, fault), each in runs.items()}
    for table in (*details(results), totals(results)):
        print(as_text(table), end="\n\n")
    print("\n".join(notes(versions)))
    print(f"{len(runs)} runs in {time.monotonic() - started:.0f} s.")
    if arguments.write:
        arguments.write.parent.mkdir(parents=True, exist_ok=True)
        arguments.write.write_text(page(results, versions), encoding="utf-8")
        print(f"Written to {arguments.write}.")
    disappointing = disappointments(runs)
    print(*disappointing, sep="\n", end="\n" if disappointing else "", file=sys.stderr)
    return 1 if disappointing else 0


if __name__ == "__main__":
    sys.exit(main())
