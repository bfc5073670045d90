"""The results as tables: for the terminal, and as a page for the documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .catalogue import FAULTS, NO_FAULT, Fault
from .contenders import CONTENDERS, TIMEOUT
from .running import LIMIT, MEMORY
from .verdict import Job, Verdict

#: By contender's title, job and fault's title.
Results = Mapping[tuple[str, Job, str], Verdict]

MEANINGS = {
    Verdict.SURVIVED: "the job was done, and it said so",
    Verdict.FAILED: "it said that it failed, and that is true",
    Verdict.FALSE_ALARM: "it said that it failed, but the conference was hung up",
    Verdict.WRONG: "it said that it succeeded, but the conference is live, or the names it shows are not those that are"
    " live; or it hung up another conference than it was asked to",
    Verdict.HUNG: f"it was not back after {LIMIT} seconds",
}


@dataclass(frozen=True)
class Table:
    title: str
    rows: Sequence[Sequence[str]]


def totals(results: Results) -> Table:
    """What each contender comes to over all faults."""
    faults = [(fault, job) for fault in FAULTS for job in fault.jobs]
    passing = [(fault, job) for fault, job in faults if fault.passing]

    def counts(label: str, verdict: Verdict, chosen: Sequence[tuple[Fault, Job]]) -> list[str]:
        numbers = [
            sum(results[contender.title, job, fault.title] is verdict for fault, job in chosen)
            for contender in CONTENDERS
        ]
        return [label, *map(str, numbers)]

    return Table(
        "In short",
        [
            ["", *(contender.title for contender in CONTENDERS)],
            counts(f"passing faults survived, of {len(passing)}", Verdict.SURVIVED, passing),
            counts(f"wrong successes, in {len(faults)} runs", Verdict.WRONG, faults),
            counts("false alarms", Verdict.FALSE_ALARM, faults),
            counts("hung", Verdict.HUNG, faults),
        ],
    )


def details(results: Results) -> list[Table]:
    """Every verdict: the passing faults and then the lasting ones, for each job."""
    tables = []
    for passing in (True, False):
        for job in Job:
            faults = [fault for fault in FAULTS if fault.passing is passing and job in fault.jobs]
            if passing:
                faults.insert(0, NO_FAULT)
            kind = "Passing faults: one request meets it" if passing else "Lasting faults: every request meets it"
            rows = [["", *(contender.title for contender in CONTENDERS)]]
            rows += [
                [fault.title, *(results[contender.title, job, fault.title].value for contender in CONTENDERS)]
                for fault in faults
            ]
            tables.append(Table(f"{kind}. Job: {job.value}", rows))
    return tables


def as_text(table: Table) -> str:
    widths = [max(map(len, column)) for column in zip(*table.rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in table.rows]
    lines.insert(1, "─" * (sum(widths) + 2 * len(widths) - 2))
    return "\n".join([table.title, *(line.rstrip() for line in lines)])


def as_markdown(table: Table) -> str:
    loud = {Verdict.WRONG.value: f"**{Verdict.WRONG.value}**", Verdict.HUNG.value: f"**{Verdict.HUNG.value}**"}
    rows = [[label, *(loud.get(cell, cell) for cell in cells)] for label, *cells in table.rows]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    lines.insert(1, "| --- " * len(table.rows[0]) + "|")
    return "\n".join([f"## {table.title}", "", *lines])


def notes(versions: str) -> list[str]:
    """What stands under the tables: how it was done, and what each verdict means."""
    return [
        *(f"{contender.title}: {contender.settings}." for contender in CONTENDERS),
        f"One attempt may take {TIMEOUT} s where that can be set, and a process {MEMORY} MiB of memory. {versions}.",
        *(f"{verdict.value}: {meaning}." for verdict, meaning in MEANINGS.items()),
    ]


def page(results: Results, versions: str) -> str:
    """The Markdown page."""
    contenders = "\n".join(f"- **{contender.title}**: {contender.settings}." for contender in CONTENDERS)
    verdicts = "\n".join(f"| {verdict.value} | {meaning} |" for verdict, meaning in MEANINGS.items())
    return f"""<!-- Written by "make faults"; changes made here are lost. -->

# The same faults, met four ways

`make faults` lets four clients do two jobs, *list the conferences* and *hang up one conference*, against a simulated
Plivo API (`tests/plivo_simulator`) with three conferences on it. Every run has an API of its own and meets exactly one
fault. What really happened is read from the simulated API's state and request log, never from what the client says.

{contenders}

One attempt may take {TIMEOUT} seconds where that can be set, and a process {MEMORY} MiB of memory. {versions}.
The faults and the clients are in `tests/tools/faults` of the repository.

| verdict | meaning |
| --- | --- |
{verdicts}

A passing fault strikes one request, the one that does the job, and then all is well: a client should survive it. A
lasting one strikes every request, or is in the configuration, or in the conference's name. There a clear failure is a
good result, unless the job can be done all the same. *Though it was done* means that the API had hung up before the
fault struck.

{as_markdown(totals(results))}

{chr(10).join(as_markdown(table) + chr(10) for table in details(results)).rstrip()}
"""
