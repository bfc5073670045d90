"""What the collection is meant to reach, and whether it does."""

from __future__ import annotations

from dataclasses import dataclass

from .arithmetic import spread
from .contenders import OURS, URI
from .results import Results
from .workloads import LIMIT, WINDOW, Job

TASK_TO_URI = 1.0
#: 250 conferences, for which the latency decides and not yet the limit, and the ratio to the floor.
UNDER_LATENCY, LATENCY_TO_FLOOR = 250, 1.3
LIMIT_TO_FLOOR = 1.05
MEBIBYTES = 150
WITHOUT_MEMBERS = 0.6
EXPONENT = 1.1


@dataclass(frozen=True)
class Target:
    what: str
    wanted: str
    measured: str
    met: bool


def targets(results: Results) -> list[Target]:
    """Every target, as far as it was measured. What counts is the figure as it is shown."""
    to_uri = spread(results.list_ratios(URI))
    found = [
        Target(
            "one list task ÷ one uri task, median of pairs (noise is about ±0.05)",
            f"≤ {TASK_TO_URI:.2f}",
            f"{to_uri.median:.2f} (quartiles {to_uri.low:.2f}–{to_uri.high:.2f})",
            round(to_uri.median, 2) <= TASK_TO_URI,
        )
    ]
    limited = results.workloads(*Job, limited=True)
    for workload in limited:
        if workload.conferences == UNDER_LATENCY:
            what = f"details of {workload.conferences} at {workload.latency * 1000:.0f} ms ÷ floor"
            found.append(_at_most(what, results.to_floor(workload), LATENCY_TO_FLOOR))
    paced: dict[int, list[float]] = {}
    for workload in limited:
        if workload.requests > LIMIT:
            paced.setdefault(workload.conferences, []).append(results.to_floor(workload))
    for conferences, ratios in paced.items():
        what = (
            f"{conferences:,} under the limit of {LIMIT} requests in {WINDOW:.0f} s ÷ floor, the worst of {len(ratios)}"
        )
        found.append(_at_most(what, max(ratios), LIMIT_TO_FLOOR))
    refused = results.refused(OURS)
    found.append(Target("429s met by plivo.voice, in all runs", "0", str(refused), refused == 0))
    whole, slim = results.peaks
    found += [
        Target(
            f"peak memory of the module, {whole.conferences:,} conferences",
            f"≤ {MEBIBYTES} MiB",
            f"{whole.mebibytes:.0f} MiB",
            round(whole.mebibytes) <= MEBIBYTES,
        ),
        _at_most("the same with `members: false` ÷ with members", slim.mebibytes / whole.mebibytes, WITHOUT_MEMBERS),
    ]
    exponents = [exponent for exponent, _each in results.growth().values() if exponent is not None]
    if exponents:
        what = "cost of details grows with conferences to the power of (1 is linear)"
        found.append(_at_most(what, max(exponents), EXPONENT))
    return found


def _at_most(what: str, ratio: float, wanted: float) -> Target:
    return Target(what, f"≤ {wanted:.2f}", f"{ratio:.2f}", round(ratio, 2) <= wanted)
