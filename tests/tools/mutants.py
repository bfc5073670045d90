"""What `make mutants` needs beside mutmut. It is started where the copy for mutmut lies.

mutants.py check TESTS         fails if mutmut would not find the tests again, and take that for a killed mutant
mutants.py report LIST REPORT  tells what became of the mutants: a table, and the survivors that are not in the list
                               of explained ones; fails if there are such, or if the tests notice too few
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import io
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

PACKAGE = "ansible_collections.plivo.voice.plugins."
#: Percent of the mutants that the tests must notice.
GOAL = 90

#: What mutmut calls the ends of a mutant, and what they come to. Tests that were broken off from within have noticed
#: it; those that the kernel ended had used up their time.
ENDS = {
    "killed": "killed",
    "check was interrupted by user": "killed",
    "timeout": "timeout",
    "segfault": "timeout",
    "not checked": None,
}

#: One entry in a block of the list: where, and which lines became which.
WHERE = re.compile(r"@@ (?P<file>\S+): (?P<function>\S+) @@")


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A change of the code; its number in mutmut is left out, since it moves when the code around it does."""

    file: str
    function: str
    change: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([f"@@ {self.file}: {self.function} @@", *self.change])


def mutmut(*args: str) -> str:
    return subprocess.run(["mutmut", *args], check=True, capture_output=True, text=True).stdout


def place(name: str) -> tuple[str, str]:
    """File and function from a name such as ``….module_utils._client.xǁClientǁsend__mutmut_7``."""
    module, _dot, mangled = name.removeprefix(PACKAGE).rpartition(".")
    function = mangled.partition("__mutmut_")[0].removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")
    return module.replace(".", "/") + ".py", function


def survivor(name: str) -> Mutant:
    lines = mutmut("show", name).splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("@@"))
    return Mutant(*place(name), tuple(line.rstrip() for line in lines[start:] if line.startswith(("-", "+"))))


def explained(text: str) -> collections.Counter[Mutant]:
    found: collections.Counter[Mutant] = collections.Counter()
    for block in re.findall(r"^```diff\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        for entry in re.split(r"^(?=@@ )", block, flags=re.MULTILINE)[1:]:
            head, *change = entry.splitlines()
            match = WHERE.fullmatch(head)
            if not match:
                raise SystemExit(f"tests/mutants.md: not a place: {head}")
            found[Mutant(match["file"], match["function"], tuple(line.rstrip() for line in change if line))] += 1
    return found


def table(ends: dict[str, collections.Counter[str]]) -> list[str]:
    total: collections.Counter[str] = sum(ends.values(), collections.Counter())
    lines = ["| file | mutants | killed | timeout | survived | noticed |", "|---|--:|--:|--:|--:|--:|"]
    for file, count in [*sorted(ends.items()), ("**all**", total)]:
        figures = [count.total(), count["killed"], count["timeout"], count["survived"], f"{score(count):.1f} %"]
        lines.append(f"| {file} | {' | '.join(map(str, figures))} |")
    return lines


def score(count: collections.Counter[str]) -> float:
    """A mutant that makes the tests hang is noticed as well as one that makes them fail."""
    return 100 * (count["killed"] + count["timeout"]) / (count.total() or 1)


def check(tests: str) -> int:
    """Collect the tests twice in one process, as mutmut does, and compare their names."""
    names: list[list[str]] = []
    plugin = SimpleNamespace(
        pytest_collection_modifyitems=lambda items: names.append([item.nodeid for item in items]),
    )
    for _time in range(2):
        with contextlib.redirect_stdout(io.StringIO()) as output:
            status = pytest.main(["--collect-only", "--quiet", tests], plugins=[plugin])
        if status:
            print(output.getvalue())
            return status
    changed = sorted(set(names[0]) - set(names[1]))
    for name in changed:
        print(f"{name} is called otherwise when it is collected again; is there a backslash in its ids?")
    return 1 if changed else 0


def report(list_path: str, report_path: str) -> int:
    ends: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    survivors: collections.Counter[Mutant] = collections.Counter()
    for line in mutmut("results", "--all", "true").splitlines():
        name, _colon, status = line.strip().rpartition(": ")
        end = ENDS.get(status, "survived")
        if end is None:
            continue
        ends[place(name)[0]][end] += 1
        if end == "survived":
            survivors[survivor(name)] += 1
    known = explained(Path(list_path).read_text(encoding="utf-8"))
    new, gone = survivors - known, known - survivors
    lines = [*table(ends), "", f"{survivors.total()} survived, {new.total()} of them not explained."]
    if new:
        lines += ["", "Not explained:", "", "```diff", *map(str, new.elements()), "```"]
    if gone:
        lines += ["", "Explained, but killed or not there:", "", "```diff", *map(str, gone.elements()), "```"]
    Path(report_path).write_text("\n".join(["# Mutants", "", *lines, ""]), encoding="utf-8")
    print("\n".join(lines))
    total: collections.Counter[str] = sum(ends.values(), collections.Counter())
    return 1 if new or score(total) < GOAL else 0


if __name__ == "__main__":
    sys.exit({"check": check, "report": report}[sys.argv[1]](*sys.argv[2:]))
