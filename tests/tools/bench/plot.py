"""The results as a plot: an SVG that is the same for the same results, and can be read on white and on black."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from .contenders import OURS, SDK, URI, Contender
from .results import PEERS, Results
from .workloads import Job

#: Each is at least three times as bright as black, and white three times as bright as it.
GREY = "#777777"
COLOURS: Mapping[Contender, str] = {OURS: "#2a7de1", URI: "#d4651f", SDK: "#a95fc4"}
MARKERS: Mapping[Contender, str] = {OURS: "o", URI: "s", SDK: "^"}
#: Seconds at which all are compared.
LATENCY = 0.05

STYLE: dict[Any, Any] = {
    "svg.hashsalt": "plivo.voice",
    # The letters as they were laid out, whatever fonts there are.
    "svg.fonttype": "path",
    "font.size": 13,
    "axes.titlesize": 14,
    "text.color": GREY,
    "axes.edgecolor": GREY,
    "axes.labelcolor": GREY,
    "axes.titlecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "grid.color": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "legend.frameon": False,
    "lines.linewidth": 2,
    "lines.markersize": 6,
}


def svg(results: Results) -> str:
    """How long the details of more and more conferences take: compared at one latency, and ours at each."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.2, 8.0), layout=ConstrainedLayoutEngine(h_pad=0.12))
        FigureCanvasSVG(figure)
        compared, ours = figure.subplots(2, 1, sharex=True)
        _compare(compared, results)
        _every_latency(ours, results)
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def _compare(axes: Axes, results: Results) -> None:
    workloads = [each for each in results.workloads(Job.DETAILS) if each.latency == LATENCY]
    for contender in (URI, SDK, OURS):
        measured = {
            each.conferences: spread.median for each in workloads if (spread := results.seconds(each, contender))
        }
        if contender in PEERS:
            beyond = {each.conferences: results.extrapolated(each, contender) for each in workloads}
            further = {x: y for x, y in beyond.items() if y is not None and x >= max(measured)}
            line = {max(measured): measured[max(measured)], **further}
            axes.plot(list(line), list(line.values()), color=COLOURS[contender], linestyle=":")
        axes.plot(
            list(measured),
            list(measured.values()),
            color=COLOURS[contender],
            marker=MARKERS[contender],
            label=contender.title,
        )
    floors = {each.conferences: results.floor(each) for each in workloads}
    axes.plot(list(floors), list(floors.values()), color=GREY, linestyle="--", label="floor")
    _dress(axes, f"Details of all, at {LATENCY * 1000:.0f} ms (dotted: extrapolated)", list(floors))
    axes.legend(loc="upper left")


def _every_latency(axes: Axes, results: Results) -> None:
    workloads = results.workloads(Job.DETAILS)
    for latency in sorted({each.latency for each in workloads}):
        chosen = [each for each in workloads if each.latency == latency]
        took = {each.conferences: spread.median for each in chosen if (spread := results.seconds(each, OURS))}
        axes.plot(list(took), list(took.values()), color=COLOURS[OURS], marker=MARKERS[OURS])
        end = max(took)
        axes.annotate(
            f"{latency * 1000:.0f} ms",
            (end, took[end]),
            (7, 0),
            textcoords="offset points",
            # The first two may end close to each other.
            va="bottom" if latency else "top",
            annotation_clip=False,
        )
        # Without latency it would be a straight line, the same for any number.
        if latency:
            floors = {each.conferences: results.floor(each) for each in chosen}
            axes.plot(list(floors), list(floors.values()), color=GREY, linestyle="--")
    _dress(axes, "plivo.voice at each latency (dashed: floor)", sorted({each.conferences for each in workloads}))
    axes.set_xlabel("conferences")


def _dress(axes: Axes, title: str, conferences: list[int]) -> None:
    axes.set_title(title, loc="left")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(FixedLocator(conferences))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _position: f"{x:,.0f}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _position: f"{y:,g} s"))
    axes.tick_params(labelbottom=True)
