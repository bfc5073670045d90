"""What was measured, and what follows from it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .arithmetic import Spread, exponent, extrapolated, ratios, spread
from .contenders import OURS, PING, SDK, URI, Contender
from .measuring import Run
from .workloads import Job, Workload

#: Below this a task's own start weighs more than the conferences.
FIT_FROM = 100


@dataclass(frozen=True)
class Peak:
    """MiB that the module's process took at most."""

    title: str
    conferences: int
    mebibytes: float


@dataclass(frozen=True)
class Results:
    listing: Workload
    runs: Mapping[Workload, Mapping[Contender, Sequence[Run]]]
    #: Seconds of the first task of each kind in a playbook, which makes no request.
    first: Mapping[Contender, Sequence[float]]
    #: With members, and with `members: false`.
    peaks: tuple[Peak, Peak]

    def seconds(self, workload: Workload, contender: Contender) -> Spread | None:
        """How long it took; none where it was not measured."""
        runs = self.runs[workload].get(contender)
        return spread([run.seconds for run in runs]) if runs else None

    def workloads(self, *jobs: Job, limited: bool = False) -> list[Workload]:
        return [each for each in self.runs if each.job in jobs and each.limited is limited]

    def floor(self, workload: Workload) -> float:
        """Seconds in which no Ansible task can do it: what the API takes, and a task that does nothing."""
        return workload.floor() + self._median(self.listing, PING)

    def list_ratios(self, other: Contender) -> list[float]:
        """A list task by another task in the same round."""
        runs = self.runs[self.listing]
        return ratios([run.seconds for run in runs[OURS]], [run.seconds for run in runs[other]])

    def to_ours(self, workload: Workload, other: Contender) -> float:
        """How many times as long another contender takes: the median of the rounds in which both ran."""
        runs = self.runs[workload]
        rounds = min(len(runs[other]), len(runs[OURS]))
        theirs, ours = ([run.seconds for run in runs[who][:rounds]] for who in (other, OURS))
        return statistics.median(ratios(theirs, ours))

    def to_floor(self, workload: Workload) -> float:
        return self._median(workload, OURS) / self.floor(workload)

    def extrapolated(self, workload: Workload, contender: Contender) -> float | None:
        """How long one that makes one request after the other would take, by what it took for fewer conferences.

        The API's limit has no part in this: contenders that stay below it are not measured with it.
        """
        points = {0.0: self._list_at(workload.latency, contender)}
        for other in self.workloads(workload.job):
            if other.latency == workload.latency and self.runs[other].get(contender):
                points[other.conferences] = self._median(other, contender)
        if len(points) < 2:
            return None
        # Where the first points differ by little more than noise, more conferences must not take less time.
        return max(extrapolated(points, workload.conferences), *points.values())

    def growth(self) -> dict[float, tuple[float | None, float]]:
        """By latency, with which power of the number of conferences the time for their details grows, and seconds for
        each of them where there are most.
        """
        points: dict[float, dict[float, float]] = {}
        for workload in self.workloads(Job.DETAILS):
            if workload.conferences >= FIT_FROM and self.runs[workload].get(OURS):
                own = self._median(workload, OURS) - self._list_at(workload.latency, OURS)
                points.setdefault(workload.latency, {})[workload.conferences] = own
        return {latency: (exponent(own), own[max(own)] / max(own)) for latency, own in points.items()}

    def refused(self, contender: Contender) -> int:
        return sum(run.refused for runs in self.runs.values() for run in runs.get(contender, ()))

    def _list_at(self, latency: float, contender: Contender) -> float:
        """Seconds for one list at a latency: it was measured without any."""
        return self._median(self.listing, contender) + latency

    def _median(self, workload: Workload, contender: Contender) -> float:
        return statistics.median(run.seconds for run in self.runs[workload][contender])


#: Those that make one request after the other.
PEERS = (URI, SDK)
