# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark of `make bench`: its arithmetic and its tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.bench.arithmetic import Spread, exponent, extrapolated, ratios, spread
from tools.bench.contenders import OURS, PING, SDK, URI, Contender
from tools.bench.measuring import Run, rotated
from tools.bench.plot import svg
from tools.bench.results import Peak, Results
from tools.bench.table import Table, as_markdown, as_text, page, seconds, tables
from tools.bench.targets import targets
from tools.bench.workloads import FULL, LIST, QUICK, Cell, Job, Plan, Workload

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ([3.0], Spread(3, 3, 3)),
        ([5.0, 1.0, 2.0], Spread(2, 1, 5)),
        ([1.0, 4.0], Spread(2.5, 1, 4)),
        # From eight on a single stray one is no part of the spread.
        ([*map(float, range(1, 9)), 1000.0], Spread(5, 3, 7)),
    ],
)
def test_spread(figures: list[float], expected: Spread) -> None:
    assert spread(figures) == expected


def test_ratios_are_those_of_pairs() -> None:
    assert ratios([2.0, 30.0], [1.0, 10.0]) == [2.0, 3.0]
    with pytest.raises(ValueError, match="zip"):
        ratios([1.0], [1.0, 2.0])


def test_a_straight_line_goes_on() -> None:
    assert extrapolated({0: 1.0, 10: 6.0, 100: 51.0}, 10_000) == pytest.approx(5001)
    assert extrapolated({0: 1.0, 10: 6.0}, 100) == pytest.approx(51)


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_exponent_of_growth(power: float) -> None:
    assert exponent({n: 0.003 * n**power for n in (100, 1000, 10_000)}) == pytest.approx(power)


def test_no_exponent_without_two_points() -> None:
    assert exponent({100: 1.0}) is None
    assert exponent({100: -0.1, 1000: 2.0}) is None


@pytest.mark.parametrize(
    ("workload", "requests", "floor"),
    [
        (Workload(Job.LIST, 10, 0.05), 1, 0.05),
        (Workload(Job.DETAILS, 10), 11, 0),
        # The list, and one turn of 16 at once.
        (Workload(Job.DETAILS, 10, 0.05), 11, 0.1),
        (Workload(Job.DETAILS, 250, 0.05), 251, 0.85),
        (Workload(Job.DETAILS, 250, 0.05, limited=True), 251, 0.85),
        (Workload(Job.HANG_UP_ALL, 1000, 0.05, limited=True), 2, 0.1),
        # 300 requests are within the limit, and the 301st has to wait.
        (Workload(Job.DETAILS, 299, limited=True), 300, 0),
        (Workload(Job.DETAILS, 300, limited=True), 301, 5),
        (Workload(Job.DETAILS, 1000, limited=True), 1001, 15),
        (Workload(Job.HANG_UP_PATTERN, 1000, limited=True), 1001, 15),
        # Behind the third window, 101 requests in seven turns are left.
        (Workload(Job.DETAILS, 1000, 0.05, limited=True), 1001, 15.35),
        # The latency alone takes longer than the limit asks for.
        (Workload(Job.DETAILS, 1000, 0.5, limited=True), 1001, 0.5 + 63 * 0.5),
    ],
)
def test_floor(workload: Workload, requests: int, floor: float) -> None:
    assert workload.requests == requests
    assert workload.floor() == pytest.approx(floor)


def test_everybody_goes_first_in_turn() -> None:
    order = [rotated((URI, OURS, PING), number) for number in range(4)]
    assert [first for first, *_others in order] == [URI, OURS, PING, URI]
    assert all(set(each) == {URI, OURS, PING} for each in order)


def figure(contender: Contender, workload: Workload) -> float:
    """How long it would take on a machine without noise."""
    start = {OURS: 0.35, URI: 0.4, PING: 0.2, SDK: 0.3}[contender]
    each = workload.requests - 1
    if contender in (OURS, PING):
        return start + each * 0.0002 + workload.floor()
    return start + workload.latency + each * (workload.latency + (0.4 if contender is URI else 0.003))


def results(
    plan: Plan, change: Callable[[Contender, Workload, Run], Run] = lambda _contender, _workload, run: run
) -> Results:
    """What would be measured on a machine without noise."""
    listing = Cell(plan.listing, 3, 3, 3)
    runs = {
        cell.workload: {
            contender: [
                change(
                    contender,
                    cell.workload,
                    Run(figure(contender, cell.workload), cell.workload.conferences, cell.workload.requests, 0),
                )
            ]
            * number
            for contender, number in ((OURS, cell.ours), (URI, cell.uri), (SDK, cell.sdk))
            if number
        }
        for cell in (listing, *plan.cells)
    }
    runs[plan.listing][PING] = [Run(figure(PING, plan.listing), plan.listing.conferences, 0, 0)] * 3
    return Results(
        plan.listing,
        runs,
        {OURS: [0.7], URI: [0.6]},
        (Peak("large", plan.large, 100.0), Peak("slim", plan.large, 45.0)),
    )


def test_targets_that_are_met() -> None:
    for plan in (FULL, QUICK):
        found = targets(results(plan))
        assert len(found) == 7
        assert [each.what for each in found if not each.met] == []


def slower(contender: Contender, factor: float, **fields: object) -> Callable[[Contender, Workload, Run], Run]:
    """Results in which one contender takes longer than it should for a workload with these fields."""

    def change(who: Contender, workload: Workload, measured: Run) -> Run:
        hit = who is contender and all(getattr(workload, name) == value for name, value in fields.items())
        return dataclasses.replace(measured, seconds=measured.seconds * factor) if hit else measured

    return change


@pytest.mark.parametrize(
    ("change", "missed"),
    [
        (slower(URI, 0.8, job=Job.LIST), "one list task"),
        (slower(OURS, 1.5, conferences=250), "details of 250 at 50 ms"),
        (slower(OURS, 1.1, job=Job.HANG_UP_PATTERN, limited=True), "1,000 under the limit"),
        (slower(OURS, 2, conferences=10_000, latency=0), "cost of details grows"),
    ],
)
def test_a_target_that_is_missed(change: Callable[[Contender, Workload, Run], Run], missed: str) -> None:
    (only,) = [each for each in targets(results(FULL, change)) if not each.met]
    assert only.what.startswith(missed)


def test_one_429_is_too_many() -> None:
    def change(_contender: Contender, workload: Workload, measured: Run) -> Run:
        return dataclasses.replace(measured, refused=int(workload.limited and workload.conferences == 250))

    (only,) = [each for each in targets(results(FULL, change)) if not each.met]
    assert (only.what.split()[0], only.measured) == ("429s", "5")


def test_memory_that_is_too_much() -> None:
    whole, slim = results(FULL).peaks
    for peaks in (
        (dataclasses.replace(whole, mebibytes=151), dataclasses.replace(slim, mebibytes=50)),
        (whole, dataclasses.replace(slim, mebibytes=61)),
    ):
        found = targets(dataclasses.replace(results(FULL), peaks=peaks))
        assert sum(not each.met for each in found) == 1


def test_peers_are_extrapolated_and_marked() -> None:
    measured = results(FULL)
    workload = Workload(Job.DETAILS, 10_000, 0.05)
    assert measured.extrapolated(workload, URI) == pytest.approx(figure(URI, workload), rel=0.01)
    (table,) = [each for each in tables(measured) if each.title.startswith("Details of N")]
    rows = {row[0]: row for row in table.rows}
    # floor, plivo.voice, ÷ floor, uri, SDK, uri ÷ ours, SDK ÷ ours
    assert rows["10,000, 50 ms"][1:] == ["31.5 s", "33.6 s", "1.07", "75 min*", "530 s*", "133.7*", "15.8*"]
    assert rows["100, 50 ms"][4:] == ["45.5 s", "5.65 s", "59.0", "7.3"]
    # One list and ten conferences are a line, too.
    assert rows["100, 200 ms"][4:6] == ["60.6 s*", "20.8 s"]
    assert rows["10, 0 ms"][3] == "–"


def test_peers_are_held_to_the_run_beside_them() -> None:
    workload = Workload(Job.DETAILS, 100, 0.05)
    ours, others = ([Run(each, 100, 101, 0) for each in figures] for figures in ((1.0, 2.0, 9.0), (3.0, 20.0)))
    measured = results(FULL)
    runs = {**measured.runs, workload: {OURS: ours, SDK: others}}
    assert dataclasses.replace(measured, runs=runs).to_ours(workload, SDK) == 6.5


def test_noise_makes_no_extrapolation_shrink() -> None:
    noisy = results(QUICK, slower(SDK, 10, job=Job.LIST))
    few, many = Workload(Job.HANG_UP_PATTERN, 10, 0.05), Workload(Job.HANG_UP_PATTERN, 100, 0.05)
    assert noisy.extrapolated(many, SDK) == 10 * figure(SDK, LIST) + 0.05 > figure(SDK, few)


def test_nothing_is_made_up_where_nothing_was_measured() -> None:
    measured = results(QUICK)
    assert measured.extrapolated(Workload(Job.DETAILS, 1000, 0, limited=True), URI) is None


def test_who_breaks_off_is_no_faster() -> None:
    def change(contender: Contender, workload: Workload, measured: Run) -> Run:
        early = contender is SDK and workload.limited and workload.job is Job.DETAILS
        return dataclasses.replace(measured, seconds=0.5, done=299, requests=301, refused=1) if early else measured

    text = "\n".join(map(as_text, tables(results(FULL, change))))
    (line,) = [line for line in text.splitlines() if "broke off" in line]
    assert line.split()[0] == "1,000,"
    assert "broke off after 299 (0.50 s)" in line
    assert line.endswith("–")


@pytest.mark.parametrize(
    ("figure", "text"),
    [(0.123, "0.12 s"), (9.99, "9.99 s"), (12.34, "12.3 s"), (123.4, "123 s"), (4000, "67 min"), (36000, "10.0 h")],
)
def test_seconds(figure: float, text: str) -> None:
    assert seconds(figure) == text


def test_tables_as_text_and_markdown() -> None:
    table = Table("Title", [["", "head"], ["a", "1.0*"], ["bcd", "–"]], "A note.")
    assert as_text(table) == "Title\n     head\n─────────\na    1.0*\nbcd     –\nA note."
    assert as_markdown(table) == ("## Title\n\nA note.\n\n|  | head |\n| --- | ---: |\n| a | 1.0\\* |\n| bcd | – |")


def test_the_page_shows_every_workload_and_the_machine() -> None:
    text = page(results(FULL), {"processors": "2 × some"}, "benchmark.svg", quick=False)
    assert "| processors | 2 × some |" in text
    assert "](benchmark.svg)" in text
    assert "--quick" not in text
    assert "--quick" in page(results(QUICK), {}, "benchmark.svg", quick=True)
    (requests,) = [each for each in tables(results(FULL)) if each.title.startswith("Requests")]
    assert len(requests.rows) == 2 + len(FULL.cells)
    # Every line of a table has as many columns as its head.
    for table in tables(results(FULL)):
        assert {len(row) for row in table.rows} == {len(table.rows[0])}


def test_the_plot_is_the_same_for_the_same_results() -> None:
    text = svg(results(FULL))
    assert text == svg(results(FULL))
    assert "</svg>" in text
    assert "dc:date" not in text
    svg(results(QUICK))


def test_the_readme_shows_what_the_page_says_in_short() -> None:
    written = (ROOT / "docs/benchmark.md").read_text(encoding="utf-8")
    in_short = written.split("## Reach\n\n")[1].split("\n\n")[0]
    assert in_short in (ROOT / "README.md").read_text(encoding="utf-8")
