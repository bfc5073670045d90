# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of hangups: their outcomes settled by the list, and the wait until the conferences are gone."""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from ._client import Confirm
from ._conference import Conference, Conferences
from ._crew import Crew
from ._errors import NOT_FOUND, WAIT_TIMEOUT, PlivoError
from ._lookup import listed_but_not_found, look_up
from ._pacing import WINDOW

#: A conference chosen by bounds is hung up only if it was seen to match them so recently (seconds).
FRESH_FOR = 5.0
#: A look that is older is made again, so that some of its time is left for connecting.
LOOK_AGAIN_AFTER = 4.0
#: How much less than the time that passed one and the same conference may have aged (seconds): not every answer need
#: be equally fresh.
_LAG = 5.0

#: Pauses between two looks while waiting (seconds): soon at first, since most are gone at once.
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 3.0
#: What is left for the last look at least (seconds).
_LAST_LOOK = 2.0


class CalledOffError(PlivoError):
    """Called off: when its turn came, the conference did not match any more, or may have been another one."""

    def __init__(self, restarted: bool | None) -> None:
        super().__init__("called_off", "it does not match the bounds any more")
        #: Whether it is another one than was chosen: its run time began anew. None: that cannot be told.
        self.restarted = restarted


@dataclasses.dataclass
class Settled:
    """What became of every conference that was to be hung up; each list in the order of the hangups.

    :ivar done: hung up or, in asynchronous mode, queued.
    :ivar ended: ended by themselves.
    :ivar skipped: left alone, since they did not match any more.
    :ivar unknown: may have been hung up or not.
    :ivar errors: failures, with those that are unknown among them.
    """

    done: list[str] = dataclasses.field(default_factory=list)
    ended: list[str] = dataclasses.field(default_factory=list)
    skipped: list[str] = dataclasses.field(default_factory=list)
    unknown: list[str] = dataclasses.field(default_factory=list)
    errors: dict[str, PlivoError] = dataclasses.field(default_factory=dict)


def settle(
    conferences: Conferences,
    crew: Crew,
    outcomes: t.Mapping[str, t.Any],
    queued: bool,
    unlisted: t.Container[str] = (),
) -> Settled:
    """Decide what each hangup came to; where its answer does not tell, the list does.

    :param outcomes: by name, the failure of its hangup, or anything else for a success.
    :param queued: asynchronous mode: the list cannot tell yet what became of a lost request.
    :param unlisted: names that were live and yet not in the list.
    """
    settled = Settled()
    unclear = [name for name, outcome in outcomes.items() if isinstance(outcome, PlivoError) and _is_unclear(outcome)]
    live, unread = _look(conferences, crew, unclear, unlisted)
    for name, outcome in outcomes.items():
        if not isinstance(outcome, PlivoError):
            settled.done.append(name)
        elif isinstance(outcome, CalledOffError):
            if not outcome.doubtful:
                settled.skipped.append(name)
            elif outcome.restarted:
                # An earlier attempt may have ended the one that was meant, and people have redialled.
                settled.done.append(name)
            else:
                if outcome.restarted is None:
                    settled.unknown.append(name)
                settled.errors[name] = (outcome.previous or outcome).about(name)
        elif not _is_unclear(outcome):
            settled.errors[name] = outcome
        elif name in unread or (queued and outcome.doubtful):
            settled.unknown.append(name)
            settled.errors[name] = outcome
        elif name in live:
            listed = outcome.kind == NOT_FOUND and name not in unlisted
            settled.errors[name] = listed_but_not_found(outcome) if listed else outcome
        else:
            (settled.done if outcome.doubtful else settled.ended).append(name)
    return settled


def _is_unclear(error: PlivoError) -> bool:
    return error.doubtful or error.kind == NOT_FOUND


def _look(
    conferences: Conferences, crew: Crew, names: t.Sequence[str], unlisted: t.Container[str]
) -> tuple[set[str], set[str]]:
    """Which of the conferences are live, and of which it cannot be read."""
    if not names:
        return set(), set()
    try:
        listed = set(conferences.list().names)
    except PlivoError:
        # Each conference's own failure says more than that the list failed, too.
        return set(), set(names)
    # Of one that was live and not listed it means nothing that it is not listed now.
    asked = [name for name in names if name in unlisted and name not in listed]
    found = look_up(conferences, crew, asked, conferences.details, asked)
    return listed.union(found.values), set(found.errors)


def confirmation(
    conferences: Conferences,
    seen: Conference,
    accepts: t.Callable[[Conference], bool],
    clock: t.Callable[[], float],
) -> Confirm:
    """A look, just before a hangup, whether a conference chosen by bounds still matches them.

    :param seen: what was known of it when it was chosen.
    :param accepts: whether it matches.
    :param clock: the client's clock.
    :returns: a function for ``Client.send``: it raises CalledOffError if it does not match, and else returns the
        moment on the clock until which the look is good. It runs while the hangup's place in the window is held
        already, so that no wait comes between the look and the hangup.
    """
    latest = seen

    def confirm(previous: PlivoError | None) -> float:
        nonlocal latest
        # An attempt before this one may have ended the conference that was looked at, and people have redialled.
        if previous is not None or clock() - latest.seen_at > LOOK_AGAIN_AFTER:
            latest = conferences.details(seen.name)
            restarted = _is_another(latest, seen)
            may_have_ended = restarted is not False and previous is not None and previous.doubtful
            if may_have_ended or not accepts(latest):
                raise CalledOffError(restarted)
        return latest.seen_at + FRESH_FOR

    return confirm


def _is_another(latest: Conference, seen: Conference) -> bool | None:
    """Whether a conference is another one than was seen under its name before.

    :returns: none where that cannot be told: it has been running for less time than has passed, and just as long as the
        one before. So is one that people have redialled at the right moment, and so is the same one, of a server that
        does not keep its run times up to date. A hangup that failed must not look like one that worked.
    """
    run_time, run_time_then = latest.run_time or 0, seen.run_time or 0
    passed = latest.asked_at - seen.seen_at
    # Run times are whole seconds.
    began_since = run_time + 1 < passed
    if run_time == run_time_then:
        return None if began_since else False
    is_too_young = run_time + _LAG < run_time_then + passed
    return began_since or is_too_young


@dataclasses.dataclass
class Wait:
    """What is known while waiting until conferences are gone; holds also when the wait fails.

    :ivar waiting_for: those that are not known to be gone.
    :ivar restarted: those under whose names people have redialled.
    :ivar seen: whether the list has been seen at all, so that ``waiting_for`` are known to be live.
    """

    waiting_for: list[str]
    restarted: list[str] = dataclasses.field(default_factory=list)
    seen: bool = False


def wait_until_gone(
    conferences: Conferences,
    crew: Crew,
    hung_up_at: t.Mapping[str, float],
    timeout: float,
    clock: t.Callable[[], float],
    sleep: t.Callable[[float], None],
    wait: Wait,
    unlisted: t.Container[str] = (),
) -> dict[str, PlivoError]:
    """Look at the list until the conferences that were hung up are gone from it.

    One that is listed but has been running for less time than has passed since its hangup is another one
    under the same name: people have redialled. That counts as gone.

    :param hung_up_at: by name, when its hangup was answered, on the clock.
    :param timeout: seconds to wait.
    :param wait: is kept up to date.
    :param unlisted: names that were live and yet not in the list; they are gone when they are not found.
    :returns: for each that is still live an error.
    :raises PlivoError: the list cannot be read.
    """
    deadline = clock() + timeout
    pause = _FIRST_PAUSE
    while True:
        # Even the last look gets a moment for its answers; and the first its turn, since nothing is known before it.
        until = max(deadline, clock() + _LAST_LOOK + (0 if wait.seen else WINDOW))
        try:
            listed = set(conferences.list(until=until).names)
        except PlivoError:
            if wait.seen and clock() >= deadline:
                break  # What the look before this one saw is the last that is known.
            raise
        wait.seen = True
        wait.waiting_for = [name for name in wait.waiting_for if name in listed or name in unlisted]
        # Run times are whole seconds, so there is nothing to learn from them before a second has passed.
        suspects = [name for name in wait.waiting_for if clock() - hung_up_at[name] >= 1 or name not in listed]
        look = functools.partial(conferences.details, until=until)
        for name, details in crew.each(suspects, look).items():
            # One whose details cannot be read is watched in the list alone: it may be ending right now, or have no URL.
            if isinstance(details, PlivoError):
                if details.kind == NOT_FOUND and name not in listed:
                    wait.waiting_for.remove(name)
            elif (details.run_time or 0) < details.asked_at - hung_up_at[name] >= 1:
                wait.restarted.append(name)
                wait.waiting_for.remove(name)
        left = deadline - clock()
        if not wait.waiting_for or left <= 0:
            break
        sleep(min(pause, left))
        pause = min(pause * 2, _LONGEST_PAUSE)
    return {name: _still_live(name, timeout) for name in wait.waiting_for}


def _still_live(name: str, timeout: float) -> PlivoError:
    return PlivoError(
        WAIT_TIMEOUT,
        f"{name!r} was hung up but is still live after {timeout:g} s; raise wait_timeout, or look at it with"
        " conference_info.",
        retryable=True,
        conference_name=name,
    )
