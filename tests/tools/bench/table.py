"""The results as tables: for the terminal, and as a page for the documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .arithmetic import ENOUGH_FOR_QUARTILES, Spread, spread
from .contenders import OURS, PING, SDK, URI, Contender
from .results import FIT_FROM, PEERS, Results
from .targets import Target, targets
from .workloads import CONNECTIONS, LIMIT, MEMBERS, WINDOW, Job, Workload

#: Behind a figure that was not measured.
MARK = "*"
NOTHING = "–"
MISSED = "missed"


@dataclass(frozen=True)
class Table:
    title: str
    #: The heads of the columns first.
    rows: Sequence[Sequence[str]]
    #: What the figures mean, where the heads don't say it.
    note: str = ""


def seconds(figure: float) -> str:
    """With as many digits as mean something."""
    if figure >= 7200:
        return f"{figure / 3600:.1f} h"
    if figure >= 600:
        return f"{figure / 60:.0f} min"
    return f"{figure:.{2 if figure < 10 else 1 if figure < 100 else 0}f} s"


def reach(found: Sequence[Target]) -> Table:
    rows = [[each.what, each.wanted, each.measured, "met" if each.met else MISSED] for each in found]
    return Table("Reach", [["", "wanted", "measured", ""], *rows])


def lists(results: Results) -> Table:
    rows = [["", "one list", "÷ uri, in pairs", "runs", "first, without a request"]]
    for contender in (OURS, URI, PING, SDK):
        runs = results.runs[results.listing][contender]
        took = results.seconds(results.listing, contender)
        assert took is not None
        ratio = spread(results.list_ratios(URI)) if contender is OURS else None
        first = results.first.get(contender)
        rows.append(
            [
                contender.title,
                _spread(took),
                _ratio(ratio) if ratio else NOTHING,
                str(len(runs)),
                _spread(spread(first)) if first else NOTHING,
            ]
        )
    note = (
        f"A list of {results.listing.conferences} conferences at 0 ms. The first task of a kind in a playbook takes"
        " longer: Ansible packs its module then. It is in no other figure on this page."
    )
    return Table("One list", rows, note)


def times(results: Results, title: str, workloads: Sequence[Workload], note: str = "") -> Table:
    """Who takes how long, and by how much that is more than the least or than ours."""
    head = ["", "floor", "plivo.voice", "÷ floor", "uri", "SDK", "uri ÷ ours", "SDK ÷ ours"]
    rows = [head]
    for workload in workloads:
        took = results.seconds(workload, OURS)
        assert took is not None
        peers = [_peer(results, workload, contender, took.median) for contender in PEERS]
        rows.append(
            [
                f"{_what(workload)}, {workload.latency * 1000:.0f} ms",
                seconds(results.floor(workload)),
                _spread(took),
                # Without latency and limit nothing but the machine decides.
                f"{results.to_floor(workload):.2f}" if workload.floor() else NOTHING,
                *(figure for figure, _ratio in peers),
                *(ratio for _figure, ratio in peers),
            ]
        )
    return Table(title, rows, note)


def _what(workload: Workload) -> str:
    if workload.job is Job.DETAILS:
        return f"{workload.conferences:,}"
    return f"{workload.job.value}, {workload.conferences:,}"


def _peer(results: Results, workload: Workload, contender: Contender, ours: float) -> tuple[str, str]:
    """How long another contender takes, and the ratio of that to ours.

    :param ours: the median.
    """
    took = results.seconds(workload, contender)
    if took is None:
        guess = results.extrapolated(workload, contender)
        return (f"{seconds(guess)}{MARK}", f"{guess / ours:.1f}{MARK}") if guess is not None else (NOTHING, NOTHING)
    runs = results.runs[workload][contender]
    least = min(run.done for run in runs)
    if least < workload.conferences:
        return f"broke off after {least:,} ({seconds(took.median)})", NOTHING
    return _spread(took), f"{results.to_ours(workload, contender):.1f}"


def requests(results: Results) -> Table:
    """How many requests each made, and how many 429s it met, in one run."""
    rows = [["", "plivo.voice", "uri", "SDK", "429s: plivo.voice", "uri", "SDK"]]
    for workload, runs in results.runs.items():
        made, refused = [], []
        for contender in (OURS, URI, SDK):
            numbers = runs.get(contender)
            made.append(_range([run.requests for run in numbers]) if numbers else NOTHING)
            refused.append(_range([run.refused for run in numbers]) if numbers else NOTHING)
        limit = ", with the limit" if workload.limited else ""
        label = f"{workload.job.value}, {workload.conferences:,}, {workload.latency * 1000:.0f} ms{limit}"
        rows.append([label, *made, *refused])
    return Table("Requests made, and 429s met", rows)


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,}–{high:,}"


def growth(results: Results) -> Table:
    rows = [["latency", "exponent", "for each conference"]]
    for latency, (exponent, each) in results.growth().items():
        shown = NOTHING if exponent is None else f"{exponent:.2f}"
        rows.append([f"{latency * 1000:.0f} ms", shown, f"{each * 1000:.2f} ms"])
    note = (
        f"Time of plivo.voice for the details, less that of one list: c · Nᵏ fitted from N = {FIT_FROM} on (least"
        " squares of the logarithms). 1 is linear."
    )
    return Table("Growth with the number of conferences N", rows, note)


def memory(results: Results) -> Table:
    rows = [["", "peak"], *([peak.title, f"{peak.mebibytes:.0f} MiB"] for peak in results.peaks)]
    return Table("Memory of the module's process", rows)


def _spread(figure: Spread) -> str:
    # All that was measured is told in seconds: what takes longer counts as hung.
    low, high = (seconds(each).removesuffix(" s") for each in (figure.low, figure.high))
    return f"{seconds(figure.median)} ({low}–{high})" if low != high else seconds(figure.median)


def _ratio(figure: Spread) -> str:
    return f"{figure.median:.2f} ({figure.low:.2f}–{figure.high:.2f})"


def tables(results: Results) -> list[Table]:
    """Everything that was measured."""
    hangups = (Job.HANG_UP_ALL, Job.HANG_UP_PATTERN)
    return [
        lists(results),
        times(results, "Details of N conferences, without the limit", results.workloads(Job.DETAILS)),
        times(results, "Hangups, without the limit", results.workloads(*hangups)),
        times(
            results,
            f"With the limit of {LIMIT} requests in {WINDOW:.0f} s enforced",
            results.workloads(Job.DETAILS, *hangups, limited=True),
        ),
        requests(results),
        growth(results),
        memory(results),
    ]


def notes() -> list[str]:
    """What the words and figures in the tables mean."""
    return [
        *(f"{contender.title}: {contender.settings}." for contender in (OURS, URI, SDK, PING)),
        f"Floor: what nobody can beat over {CONNECTIONS} connections, and one {PING.title} task. The list, and then one"
        f" request for each conference, {CONNECTIONS} at once, each of which takes the latency; where the limit is"
        f" enforced, no more than {LIMIT} of them in any {WINDOW:.0f} s.",
        f"Times are medians, with the smallest and the largest in brackets, or from {ENOUGH_FOR_QUARTILES} runs on the"
        " quartiles; nothing in brackets: all the same, or one run. Contenders ran in turns, and ratios are medians of"
        " the rounds in which both ran.",
        f"{MARK} not measured, so that the whole run takes a quarter of an hour at most, but extrapolated: a straight"
        " line through one list and all that was measured at that latency. uri and SDK make one request after the"
        " other.",
    ]


def as_text(table: Table) -> str:
    widths = [max(map(len, column)) for column in zip(*table.rows, strict=True)]
    lines = [
        "  ".join(cell.rjust(width) if number else cell.ljust(width) for number, (cell, width) in enumerate(cells))
        for cells in (list(zip(row, widths, strict=True)) for row in table.rows)
    ]
    lines.insert(1, "─" * (sum(widths) + 2 * len(widths) - 2))
    return "\n".join([table.title, *(line.rstrip() for line in lines), *([table.note] if table.note else [])])


def as_markdown(table: Table) -> str:
    lines = [f"| {' | '.join(row)} |".replace(MARK, f"\\{MARK}") for row in table.rows]
    lines = [line.replace(MISSED, f"**{MISSED}**") for line in lines]
    lines.insert(1, "| --- |" + " ---: |" * (len(table.rows[0]) - 1))
    return "\n".join([f"## {table.title}", "", *([table.note, ""] if table.note else []), *lines])


def page(results: Results, machine: Mapping[str, str], plot: str, quick: bool) -> str:
    """The Markdown page.

    :param machine: what it was measured on and with.
    :param plot: where the plot is, seen from the page.
    :param quick: whether it was only a look.
    """
    warning = "\n**This was a quick look (`--quick`), with few and small runs.**\n" if quick else ""
    measured = "\n".join(f"| {what} | {value} |" for what, value in machine.items())
    explained = "\n".join(f"- {note}".replace(MARK, f"\\{MARK}") for note in notes())
    rest = "\n\n".join(map(as_markdown, tables(results)))
    return f"""<!-- Written by "make bench"; changes made here are lost. -->

# What it costs, side by side

`make bench` lets this collection, a loop of `uri` and the official SDK do the same work, on one machine, in turns. The
Plivo API is simulated (`tests/plivo_simulator`, a process of its own on the same machine): its latency and its limit
are what each table says, and each conference has {MEMBERS} members. After every run the simulated API's state and
request log tell whether the work was done. How many seconds something takes depends on the machine, so the targets are
ratios.
{warning}
{as_markdown(reach(targets(results)))}

| measured on | |
| --- | --- |
{measured}

![Seconds for the details of all conferences, by their number, of uri, SDK, plivo.voice and the floor]({plot})

{explained}

{rest}
"""
