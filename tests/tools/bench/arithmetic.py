"""Medians, ratios in pairs, straight lines and growth."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: Of fewer figures the spread is the smallest and the largest; of so many it is the quartiles.
ENOUGH_FOR_QUARTILES = 8


@dataclass(frozen=True)
class Spread:
    median: float
    low: float
    high: float


def spread(figures: Sequence[float]) -> Spread:
    """The median and what lies around it: the quartiles, or all of it where there are few."""
    if len(figures) < ENOUGH_FOR_QUARTILES:
        return Spread(statistics.median(figures), min(figures), max(figures))
    low, median, high = statistics.quantiles(figures, n=4, method="inclusive")
    return Spread(median, low, high)


def ratios(figures: Sequence[float], others: Sequence[float]) -> list[float]:
    """Each figure by the other one of its round, so that what slows a whole round down slows both."""
    return [figure / other for figure, other in zip(figures, others, strict=True)]


def extrapolated(points: Mapping[float, float], x: float) -> float:
    """What a straight line through the points comes to at x."""
    line = statistics.linear_regression(list(points), list(points.values()))
    return line.intercept + line.slope * x


def exponent(points: Mapping[float, float]) -> float | None:
    """The k of y = c · xᵏ, by least squares of the logarithms; none where fewer than two points are above zero."""
    logarithms = {math.log(x): math.log(y) for x, y in points.items() if y > 0}
    if len(logarithms) < 2:
        return None
    return statistics.linear_regression(list(logarithms), list(logarithms.values())).slope
