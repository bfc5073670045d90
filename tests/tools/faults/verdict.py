"""What a run came to, judged by what the simulated API says, never by what the contender says."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class Job(enum.Enum):
    LIST = "list the conferences"
    HANG_UP = "hang up one conference"


class Verdict(enum.Enum):
    SURVIVED = "survived"
    FAILED = "failed clearly"
    FALSE_ALARM = "false alarm"
    WRONG = "wrong success"
    HUNG = "hung"


@dataclass(frozen=True)
class Claim:
    """What a contender says about its run."""

    #: None: it was not back within the limit.
    status: int | None
    #: The names that it shows, when it was asked for them.
    names: Any = None


@dataclass(frozen=True)
class Truth:
    """The names of the conferences that really were live, before the run and after it, in the order of the API."""

    before: Sequence[str]
    after: Sequence[str]


def judge(job: Job, conference: str, claim: Claim, truth: Truth) -> Verdict:
    """The verdict on one run.

    :param conference: the one to be hung up, where that is the job.
    """
    ended = set(truth.before) - set(truth.after)
    meant = {conference} if job is Job.HANG_UP else set()
    if ended - meant:
        # Whatever it says, and even if it was not back in time.
        return Verdict.WRONG
    if claim.status is None:
        return Verdict.HUNG
    done = bool(ended) if job is Job.HANG_UP else claim.names == list(truth.after)
    if claim.status == 0:
        return Verdict.SURVIVED if done else Verdict.WRONG
    # A list that was read and not shown is no list.
    return Verdict.FALSE_ALARM if job is Job.HANG_UP and done else Verdict.FAILED
