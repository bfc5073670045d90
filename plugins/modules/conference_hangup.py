#!/usr/bin/python
# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
"""

EXAMPLES = r"""
"""

RETURN = r"""
"""

import dataclasses
import typing as t

from ansible_collections.plivo.voice.plugins.module_utils._client import Client
from ansible_collections.plivo.voice.plugins.module_utils._conference import Conference, Conferences
from ansible_collections.plivo.voice.plugins.module_utils._crew import Crew
from ansible_collections.plivo.voice.plugins.module_utils._errors import GUARD, PlivoError, refusal
from ansible_collections.plivo.voice.plugins.module_utils._hangup import confirmation, settle, wait_until_gone
from ansible_collections.plivo.voice.plugins.module_utils._lookup import look_up
from ansible_collections.plivo.voice.plugins.module_utils._module import run_module
from ansible_collections.plivo.voice.plugins.module_utils._options import check_callback, check_number
from ansible_collections.plivo.voice.plugins.module_utils._pacing import safe_workers
from ansible_collections.plivo.voice.plugins.module_utils._selection import Selection, parse_selection


@dataclasses.dataclass
class HangupResult:
    """What the module returns; see RETURN."""

    hung_up: list[str] = dataclasses.field(default_factory=list)
    absent: list[str] = dataclasses.field(default_factory=list)
    conferences: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    queued: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    restarted: list[str] = dataclasses.field(default_factory=list)
    still_live: list[str] = dataclasses.field(default_factory=list)
    unknown: list[str] = dataclasses.field(default_factory=list)
    #: Names that were live before, and those that are live after, as far as this task knows.
    before: set[str] = dataclasses.field(default_factory=set)
    after: set[str] = dataclasses.field(default_factory=set)
    errors: list[PlivoError] = dataclasses.field(default_factory=list)
    is_prediction: bool = False

    def as_values(self, diff: bool) -> dict[str, t.Any]:
        values: dict[str, t.Any] = {
            "changed": bool(self.hung_up or self.queued),
            "hung_up": self.hung_up,
            "absent": self.absent,
            "conferences": self.conferences,
            "queued": self.queued,
            "restarted": self.restarted,
            "still_live": self.still_live,
            "unknown": self.unknown,
        }
        if diff:
            values["diff"] = {
                "before": {"conferences": sorted(self.before)},
                "after": {"conferences": sorted(self.after)},
            }
        return values

    def note_errors(self, errors: t.Mapping[str, PlivoError]) -> None:
        """Add failures by name; one conference has one failure, the latest."""
        self.errors = [error for error in self.errors if error.conference_name not in errors]
        self.errors += errors.values()

    def summary(self) -> str:
        parts = []
        would_be = "would be " if self.is_prediction else ""
        if self.hung_up:
            parts.append(f"{len(self.hung_up)} {would_be}hung up")
        if self.queued:
            parts.append(f"{len(self.queued)} {would_be}queued")
        if self.unknown:
            parts.append(f"{len(self.unknown)} unknown")
        return f"{', '.join(parts)}." if parts else ""


@dataclasses.dataclass(frozen=True)
class Task:
    """What the options ask for, checked."""

    selection: Selection
    callback: dict[str, str]
    max_hangups: int | None
    details: bool
    members: bool
    wait: bool
    wait_timeout: float

    @property
    def is_whole_collection(self) -> bool:
        """Whether the API's hangup of all conferences does exactly what was asked for.

        The options decide, never what they happened to choose: a conference that began meanwhile and was
        not meant must not be hit.
        """
        return self.selection.everything and not self.selection.is_narrowed and self.max_hangups is None


class Hangup(t.NamedTuple):
    """A hangup that succeeded: when it was answered on the client's clock and, if it was queued, its api_id."""

    answered_at: float
    api_id: str | None


def run(params: t.Mapping[str, t.Any], client: Client, check_mode: bool, result: HangupResult) -> None:
    """Choose among the live conferences, hang up what was chosen, and find out what became of it."""
    task = parse_task(params)
    conferences = Conferences(client, params["auth_id"])
    crew = Crew(safe_workers(params["max_connections"], params["rate_limit"]))

    chosen = choose(task, conferences, crew, result)
    check_guard(task, chosen)
    result.is_prediction = check_mode
    if check_mode:
        outcomes = pretend(task, chosen, conferences, crew)
    else:
        outcomes = hang_up(task, chosen, conferences, crew, client)
    report(task, outcomes, conferences, result)
    if task.wait and result.hung_up and not check_mode and not crew.breaker.cause:
        wait(task, outcomes, conferences, crew, client, result)


def parse_task(params: t.Mapping[str, t.Any]) -> Task:
    """Check all options; raises PlivoError."""
    selection = parse_selection(params)
    if not selection.is_made:
        raise refusal("one of name, names, patterns or all: true is required: nothing is hung up without a choice.")
    callback = check_callback(params["callback_url"], params["callback_method"])
    for option in ("max_hangups", "wait_timeout"):
        check_number(option, params[option])
    if callback and params["wait"]:
        raise refusal("wait: true contradicts callback_url, which returns before anything is hung up; remove one.")
    if selection.is_bounded and params["rate_limit"] == 1:
        raise refusal(
            "rate_limit: 1 leaves no room for the look that precedes each hangup of a conference chosen by run time or"
            " members; set it to 2 or more."
        )
    return Task(
        selection=selection,
        callback=callback,
        max_hangups=params["max_hangups"],
        details=params["details"],
        members=params["members"],
        wait=params["wait"],
        wait_timeout=params["wait_timeout"],
    )


def choose(task: Task, conferences: Conferences, crew: Crew, result: HangupResult) -> dict[str, Conference]:
    """Read, the same in check mode: what is live and meant, in the order asked or else as listed."""
    selection = task.selection
    listed = conferences.list().names
    names = selection.choose(listed)
    # Lists may lag, so a name that is asked for and missing gets a request of its own.
    unlisted = set(names).difference(listed)
    needed = names if task.details or selection.is_bounded else [name for name in names if name in unlisted]
    found = look_up(conferences, crew, needed, conferences.details, unlisted)

    result.before = result.after = set(listed).union(found.values).difference(found.gone)
    result.note_errors(found.errors)
    if selection.names is not None:
        result.absent = found.gone
    chosen = {}
    for name in names:
        # Without its details a conference is hung up only where they are nothing but a record.
        undecided = name in found.errors and (selection.is_bounded or name in unlisted)
        conference = found.values.get(name, Conference(name))
        if name not in found.gone and not undecided and selection.accepts(conference):
            chosen[name] = conference
    result.conferences = [conference.as_result(task.members) for conference in chosen.values()]
    return chosen


def check_guard(task: Task, chosen: t.Sized) -> None:
    """Refuse before the first hangup when it would be more than the user expects."""
    if task.max_hangups is not None and len(chosen) > task.max_hangups:
        raise PlivoError(
            GUARD,
            f"max_hangups: {task.max_hangups} allows fewer than the {len(chosen)} live conferences that were chosen, so"
            " none was hung up; narrow the choice, or raise max_hangups.",
        )


def pretend(
    task: Task, chosen: t.Mapping[str, Conference], conferences: Conferences, crew: Crew
) -> dict[str, Hangup | PlivoError]:
    """What the hangups would come to if each request succeeded; nothing is sent."""

    def pretend_one(name: str) -> Hangup:
        if not task.is_whole_collection:
            conferences.path(name)  # A conference that has no URL cannot be hung up in earnest, either.
        return Hangup(0.0, None)

    return crew.each(list(chosen), pretend_one)


def hang_up(
    task: Task, chosen: t.Mapping[str, Conference], conferences: Conferences, crew: Crew, client: Client
) -> dict[str, Hangup | PlivoError]:
    """Hang up what was chosen; returns by name what came of it."""

    def hang_up_one(name: str) -> Hangup:
        confirm = None
        if task.selection.is_bounded:
            confirm = confirmation(conferences, chosen[name], task.selection.accepts, client.clock)
        api_id = None
        if task.callback:
            api_id = conferences.queue_hangup(name, task.callback, confirm)
        else:
            conferences.hang_up(name, confirm)
        return Hangup(client.clock(), api_id)

    def hang_up_all(_name: str) -> Hangup:
        api_id = None
        if task.callback:
            api_id = conferences.queue_hangup_all(task.callback)
        else:
            conferences.hang_up_all()
        return Hangup(client.clock(), api_id)

    if not (task.is_whole_collection and chosen):
        return crew.each(list(chosen), hang_up_one)
    # One request for all of them, so all of them share what came of it.
    (outcome,) = crew.each(["*"], hang_up_all).values()
    return {name: outcome.about(name) if isinstance(outcome, PlivoError) else outcome for name in chosen}


def report(
    task: Task, outcomes: t.Mapping[str, Hangup | PlivoError], conferences: Conferences, result: HangupResult
) -> None:
    """Turn the outcomes into the task's result."""
    settled = settle(conferences, outcomes, queued=bool(task.callback))
    if not task.callback:
        result.hung_up = settled.done
    else:
        api_ids = {name: outcome.api_id for name, outcome in outcomes.items()}
        names: list[str | None] = list(settled.done)
        if task.is_whole_collection:
            names = [None] if names else []
            api_ids = {None: next(iter(api_ids.values()), None)}
        result.queued = [{"conference_name": name, "api_id": api_ids[name]} for name in names]
    if task.selection.names is not None:
        missing = {*result.absent, *settled.ended}
        result.absent = [name for name in task.selection.names if name in missing]
    result.unknown = settled.unknown
    result.after = result.before.difference(settled.done, settled.ended)
    result.conferences = [c for c in result.conferences if c["conference_name"] not in settled.skipped]
    result.note_errors(settled.errors)


def wait(
    task: Task,
    outcomes: t.Mapping[str, Hangup | PlivoError],
    conferences: Conferences,
    crew: Crew,
    client: Client,
    result: HangupResult,
) -> None:
    """Return only when what was hung up is gone, or when the time for that is over."""
    now = client.clock()
    hung_up_at = {}
    for name in result.hung_up:
        outcome = outcomes[name]
        hung_up_at[name] = outcome.answered_at if isinstance(outcome, Hangup) else now
    result.restarted, still_live = wait_until_gone(
        conferences, crew, hung_up_at, task.wait_timeout, client.clock, client.sleep
    )
    result.still_live = list(still_live)
    result.after = result.after.union(result.restarted, still_live)
    result.note_errors(still_live)


def main() -> None:
    options = {
        "all": {"type": "bool", "default": False},
        "max_hangups": {"type": "int"},
        "details": {"type": "bool", "default": False},
        "wait": {"type": "bool", "default": False},
        "wait_timeout": {"type": "float", "default": 60},
    }
    run_module(options, run, HangupResult())


if __name__ == "__main__":
    main()
