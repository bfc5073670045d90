"""What is to be done, and how often each contender does it: the plan of a run."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

#: The API's own limit (API document): requests of an account in any so many seconds.
LIMIT = 300
WINDOW = 5.0
#: How many requests this collection has under way at once: the default of max_connections.
CONNECTIONS = 16

#: The conferences that a pattern is to match, and those that must survive it.
PATTERN = "room-*"
OTHERS = tuple(f"other-{number}" for number in range(10))
MEMBERS = 3


class Job(enum.Enum):
    LIST = "list the conferences"
    DETAILS = "details of all"
    HANG_UP_ALL = "hang up all"
    HANG_UP_PATTERN = "hang up by pattern"


@dataclass(frozen=True)
class Workload:
    job: Job
    #: How many conferences it is about.
    conferences: int
    #: Seconds until the API answers.
    latency: float = 0.0
    #: Whether the API enforces its limit.
    limited: bool = False

    @property
    def requests(self) -> int:
        """How many the job takes: the list, and then one for each conference, or one for all of them."""
        return 1 + {Job.LIST: 0, Job.HANG_UP_ALL: 1}.get(self.job, self.conferences)

    def floor(self) -> float:
        """Seconds in which nobody can do it over so many connections, however fast the client is.

        At most ``LIMIT`` requests go into each window. So behind every window that is over, what is still left has to
        be done, and each request takes as long as the latency.
        """
        last = (self.requests - 1) // LIMIT if self.limited else 0
        return max(
            # The list is alone: it tells what to do next.
            self.latency + self._in_turns(self.requests - 1),
            *(window * WINDOW + self._in_turns(self.requests - window * LIMIT) for window in range(last + 1)),
        )

    def _in_turns(self, requests: int) -> float:
        return math.ceil(requests / CONNECTIONS) * self.latency

    def names(self) -> list[str]:
        return [f"room-{number:05}" for number in range(self.conferences)]


@dataclass(frozen=True)
class Cell:
    """A workload, and how often each contender does it, in turns."""

    workload: Workload
    ours: int
    uri: int = 0
    sdk: int = 0


@dataclass(frozen=True)
class Plan:
    #: Of the list: tasks in pairs within one playbook, playbooks, and runs of the SDK's script with each of them.
    listing: Workload
    pairs: int
    playbooks: int
    sdk_runs: int
    cells: tuple[Cell, ...]
    #: How many conferences the module has in its memory at once.
    large: int


def _details(conferences: int, latency: float, *rounds: int, limited: bool = False) -> Cell:
    return Cell(Workload(Job.DETAILS, conferences, latency, limited), *rounds)


LIST = Workload(Job.LIST, 10)

#: Under a quarter of an hour on two processors. A loop of uri takes longer than all else, and grows so steadily that
#: it need not be waited for at every latency.
FULL = Plan(
    LIST,
    pairs=12,
    playbooks=5,
    sdk_runs=2,
    cells=(
        *(_details(10, latency, 3, 1, 3) for latency in (0, 0.02, 0.05, 0.2)),
        _details(100, 0, 3, 1, 3),
        _details(100, 0.02, 3, 0, 2),
        _details(100, 0.05, 3, 1, 2),
        _details(100, 0.2, 3, 0, 1),
        *(_details(1000, latency, 3) for latency in (0, 0.02, 0.05)),
        _details(1000, 0.2, 1),
        *(_details(10_000, latency, 1) for latency in (0, 0.02, 0.05, 0.2)),
        Cell(Workload(Job.HANG_UP_ALL, 1000, 0.05), 3, 3, 3),
        Cell(Workload(Job.HANG_UP_PATTERN, 100, 0.05), 3, 1, 2),
        Cell(Workload(Job.HANG_UP_PATTERN, 1000, 0.05), 3),
        _details(250, 0.05, 5, limited=True),
        _details(1000, 0, 2, 0, 2, limited=True),
        _details(1000, 0.05, 2, limited=True),
        Cell(Workload(Job.HANG_UP_ALL, 1000, 0.05, limited=True), 3, 3, 3),
        Cell(Workload(Job.HANG_UP_PATTERN, 1000, 0.05, limited=True), 2),
    ),
    large=10_000,
)

#: To see in less than two minutes whether it works; the figures mean little.
QUICK = Plan(
    LIST,
    pairs=6,
    playbooks=1,
    sdk_runs=1,
    cells=(
        _details(10, 0.05, 1, 1, 1),
        _details(100, 0.05, 1, 0, 1),
        _details(1000, 0.05, 1),
        Cell(Workload(Job.HANG_UP_ALL, 100, 0.05), 1, 1, 1),
        Cell(Workload(Job.HANG_UP_PATTERN, 10, 0.05), 1, 1, 1),
        _details(250, 0.05, 1, limited=True),
        _details(1000, 0, 1, 0, 1, limited=True),
    ),
    large=10_000,
)
