"""Tells how `make matrix` ended: a line for each cell and the tables, which it keeps in the README."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from .cells import CELLS, Cell
from .table import FAILED, NOT_RUN, PASSED, tables, updated

MARKS = {"success": PASSED, "skipped": NOT_RUN}


def tests_of(cell: Cell, junit: Path) -> int:
    """How many tests ran in a cell, in all of its reports."""
    suites = [
        suite
        for report in junit.glob(f"{cell.name}.*.xml")
        for suite in ElementTree.parse(report).iter("testsuite")  # noqa: S314 - pytest wrote it just now
    ]
    return sum(int(suite.get("tests", 0)) - int(suite.get("skipped", 0)) for suite in suites)


def line(cell: Cell, session: dict[str, Any], junit: Path) -> str:
    count = tests_of(cell, junit)
    what = session["reason"] or (f"{count} tests" if count else cell.column)
    return f"{MARKS.get(session['result'], FAILED)} {cell.name:<35} {session['duration']:4.0f} s  {what}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="matrix", description=__doc__)
    parser.add_argument("folder", type=Path, help="nox's report.json and the reports of the tests")
    parser.add_argument("readme", type=Path)
    arguments = parser.parse_args()
    report = json.loads((arguments.folder / "report.json").read_text(encoding="utf-8"))
    sessions = {session["name"]: session for session in report["sessions"]}
    cells = [cell for cell in CELLS if cell.name in sessions]
    print()
    for cell in cells:
        print(line(cell, sessions[cell.name], arguments.folder))
    marks = {cell.name: MARKS.get(sessions[cell.name]["result"], FAILED) for cell in cells}
    print(f"\n{tables({**{cell.name: NOT_RUN for cell in CELLS}, **marks})}")
    counts = [list(marks.values()).count(mark) for mark in (PASSED, FAILED, NOT_RUN)]
    print("{} passed, {} failed, {} skipped".format(*counts))
    # A cell that this machine cannot run keeps what an earlier run has said of it.
    ran = {name: mark for name, mark in marks.items() if mark != NOT_RUN}
    readme = arguments.readme.read_text(encoding="utf-8")
    arguments.readme.write_text(updated(readme, ran), encoding="utf-8")
    # A run of nothing proves nothing: a cell that was asked for by its name, and is not here.
    return 0 if PASSED in marks.values() and report["result"] else 1


if __name__ == "__main__":
    sys.exit(main())
