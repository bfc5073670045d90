#!/usr/bin/python
# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: conference_hangup
short_description: Hang up voice conferences on a Plivo account
version_added: 1.0.0
description:
  - Ends live conferences of a Plivo account, one, several or all of them, and with them all calls in them.
  - A conference that is not live needs no hangup. So a second run changes nothing.
  - Nothing is hung up that was not asked for. Everything is checked before the first request, a name that cannot be
    addressed is refused, and only O(all=true) alone uses the API's hangup of all conferences.
author:
  - The plivo.voice contributors (@plivo-voice)
extends_documentation_fragment:
  - plivo.voice.attributes
  - plivo.voice.attributes.actiongroup_conference
  - plivo.voice.connection
  - plivo.voice.selection
attributes:
  check_mode:
    support: full
    details:
      - Reads what a real run reads, and predicts RV(ignore:changed), RV(hung_up), RV(absent), RV(queued) and the diff,
        given that nothing else changes meanwhile and that the hangups succeed.
      - Fails where the options, what is read or O(max_hangups) would make a real run fail.
      - Never waits. Never writes, since the client itself refuses every method but GET.
  diff_mode:
    support: full
    details: Shows the sorted names of the live conferences before and after.
  idempotent:
    support: partial
    details:
      - Full without O(callback_url).
      - In asynchronous mode the API may still list what has been queued, and a second run queues it again.
  platform:
    platforms: all
    support: full
options:
  all:
    description:
      - Choose every live conference.
      - Without O(excludes), a bound and O(max_hangups) it is the API's hangup of all conferences, two requests for any
        number of them. That one also hits conferences that began after the list was read. With any of them, each
        conference is hung up by its own request, and none that was not in the list.
      - Excludes O(name), O(names) and O(patterns). V(false) is the same as not given.
      - One of O(name), O(names), O(patterns) and O(all=true) is required.
    type: bool
    default: false
  max_hangups:
    description:
      - Refuse to hang up anything when more live conferences than this were chosen. V(0) allows none, V(1000000000) is
        the most.
      - A guard for unattended runs.
    type: int
  details:
    description:
      - Whether to fetch the details of what will be hung up, for the record in RV(conferences). When they cannot be
        read, the conference is hung up all the same, and the task fails at its end.
      - With a bound on run time or members they are fetched in any case.
    type: bool
    default: false
  wait:
    description:
      - Whether to return only when what was hung up is gone from the list.
      - A conference that is listed again, but has been running for less time than has passed since its hangup, is
        another one under the same name, since people redial. It counts as gone and is returned in RV(restarted).
      - Cannot be used with O(callback_url). Check mode never waits.
    type: bool
    default: false
  wait_timeout:
    description:
      - How long O(wait=true) waits, in seconds. Past it the task fails.
      - The first look may take up to 7 seconds more, when the hangups have used up O(rate_limit).
      - From V(0) to V(86400).
    type: float
    default: 60
notes:
  - It reads the list once, and then makes one request for each name that was asked for and is not in it, because lists
    may lag. Where bounds or O(details) need it, it reads the details of each conference. Each hangup is one request.
  - A conference chosen by bounds is hung up only while an answer no older than 5 seconds says that it still matches.
    When more time has passed, its details are read again first.
  - When the answer to a hangup is lost or the API does not find the conference, the list is read once more, and
    decides. One that the list lacked from the beginning is asked for by its name instead. What is gone after a hangup
    that may have worked counts as hung up. What ended by itself does not.
  - When some hangups fail the others are still made, and the task fails at the end. After a failure of the account or
    of the way to it (status 401, TLS, a redirect, or three conferences in a row with connection failures, timeouts,
    status 429 to every attempt, or a gateway's status 502, 503 or 504) nothing new is begun.
  - With O(rate_limit) at its default of 200, about 40 conferences are hung up in a second, or 20 when bounds need a
    second look. A module cannot show progress while it runs.
seealso:
  - module: plivo.voice.conference_info
  - name: Plivo Conference API
    description: The vendor's documentation of the API.
    link: https://www.plivo.com/docs/voice/api/conference/
"""

EXAMPLES = r"""
---
- name: Hang up one conference; the comma is a part of its name
  plivo.voice.conference_hangup:
    auth_id: "{{ plivo_auth_id }}"
    auth_token: "{{ plivo_auth_token }}" # from a vault
    name: "Sales, EMEA"

- name: Several by name, and be sure that they are gone
  plivo.voice.conference_hangup:
    names:
      - "Sales, EMEA"
      - "007"
    wait: true

- name: Credentials for all tasks of a block
  module_defaults:
    group/plivo.voice.conference:
      auth_id: "{{ plivo_auth_id }}"
      auth_token: "{{ plivo_auth_token }}"
  block:
    - name: What would be hung up? (the same as ansible-playbook --check --diff)
      plivo.voice.conference_hangup:
        all: true
      check_mode: true
      diff: true

    - name: Nightly clean-up; end what has been running for more than four hours, unless it is on the list
      plivo.voice.conference_hangup:
        all: true
        excludes:
          - "always-on-*"
        min_run_time: 4h
        max_hangups: 50

    - name: End conferences in which somebody was left alone
      plivo.voice.conference_hangup:
        patterns:
          - "support-*"
        min_run_time: 30m
        max_members: 1
        members: false

    - name: Emergency stop
      plivo.voice.conference_hangup:
        all: true

    - name: Asynchronous mode; the outcome is sent to a URL
      plivo.voice.conference_hangup:
        name: "Sales, EMEA"
        callback_url: https://example.com/plivo/answers

- name: Keep what was done, also when some of it failed
  block:
    - name: Hang up
      plivo.voice.conference_hangup:
        patterns:
          - "room-*"
  rescue:
    - name: Tell what was hung up and what was not
      ansible.builtin.debug:
        msg:
          hung_up: "{{ ansible_failed_result.hung_up | default([]) }}"
          failed: "{{ ansible_failed_result.errors | default([]) | map(attribute='conference_name') | list }}"
          unknown: "{{ ansible_failed_result.unknown | default([]) }}"
"""

RETURN = r"""
---
hung_up:
  description:
    - Names of the conferences that were hung up. In check mode those that would be.
    - Empty in asynchronous mode.
  returned: always
  type: list
  elements: str
  sample: ["Sales, EMEA"]
absent:
  description: Names that were asked for and are not live, or ended by themselves.
  returned: always
  type: list
  elements: str
  sample: ["007"]
conferences:
  description:
    - What was known of each chosen conference when it was decided on.
    - Fields that are not described here are passed on as the API sends them.
  returned: always
  type: list
  elements: dict
  contains:
    conference_name:
      description: Name of the conference.
      type: str
      returned: always
      sample: My Conf Room
    conference_run_time:
      description: How long it has been running, in seconds.
      type: int
      returned: with details
      sample: 590
    conference_member_count:
      description: How many members are in it.
      type: int
      returned: with details
      sample: 1
    members:
      description:
        - Who is in it. Fields that are not described here are passed on as the API sends them.
      type: list
      elements: dict
      returned: with details, unless O(members=false)
      contains:
        member_id:
          description: Identifier of the member within the conference.
          type: str
          returned: when the API sends it
          sample: "17"
        caller_name:
          description: Name of the caller, decoded. May be empty.
          type: str
          returned: when the API sends it
          sample: Joe Doe
        from:
          description: Number or endpoint that called.
          type: str
          returned: when the API sends it
          sample: "1456789903"
        to:
          description: Number or endpoint that was called.
          type: str
          returned: when the API sends it
          sample: "1677889900"
        direction:
          description: Direction of the call.
          type: str
          returned: when the API sends it
          sample: inbound
        call_uuid:
          description: Identifier of the call.
          type: str
          returned: when the API sends it
          sample: acfbf0b5-12e0-4d74-85f7-fce15f8f07ec
        join_time:
          description: How long the member has been in the conference, in seconds.
          type: int
          returned: when the API sends it
          sample: 590
        muted:
          description: Whether the others cannot hear the member.
          type: bool
          returned: when the API sends it
          sample: false
        deaf:
          description: Whether the member cannot hear the others.
          type: bool
          returned: when the API sends it
          sample: false
    api_id:
      description: Plivo's identifier of the request for the details.
      type: str
      returned: with details
      sample: 816e903e-58c4-11e1-86da-adf28403fe48
queued:
  description: Hangups that the API accepted in asynchronous mode. In check mode those that would be.
  returned: always
  type: list
  elements: dict
  contains:
    conference_name:
      description: The conference. Null for the hangup of all at once.
      type: str
      returned: always
      sample: "Sales, EMEA"
    api_id:
      description: >-
        Plivo's identifier of the request, which comes again with the answer to O(callback_url). Null in check mode.
      type: str
      returned: always
      sample: 63f0761a-e0ed-11e1-8ea7-12313924e3a6
restarted:
  description: Names under which people redialled after the hangup. Only with O(wait=true).
  returned: always
  type: list
  elements: str
  sample: []
still_live:
  description: Names that were hung up but were still live when O(wait_timeout) ran out. The task has failed then.
  returned: always
  type: list
  elements: str
  sample: []
unknown:
  description: >-
    Names of which it is not known whether they were hung up, since the answer to their hangup was lost and the list
    cannot be read, or cannot tell. The task has failed then.
  returned: always
  type: list
  elements: str
  sample: []
diff:
  description: The live conferences before and after, as far as the task knows. What is queued counts as ended.
  returned: in diff mode
  type: dict
  contains:
    before:
      description: Before the task.
      type: dict
      returned: always
      sample: {conferences: ["007", "Sales, EMEA"]}
    after:
      description: After the task.
      type: dict
      returned: always
      sample: {conferences: ["007"]}
error:
  description: What went wrong. With several failures it is the first of RV(errors).
  returned: failure
  type: dict
  contains:
    kind:
      description:
        - What kind of failure it is, for playbooks to branch on.
        - V(authentication), V(forbidden), V(not_found) and V(rate_limited) are the statuses 401, 403, 404 and 429.
        - V(invalid_request) is an option that was refused before any request, or any other status 4xx.
        - V(server) is a status 5xx.
        - V(timeout) means that the time of an attempt ran out, or a status 408.
        - V(connection) is a name that cannot be resolved, a connection refused or broken, or trouble with the proxy.
        - V(tls) is trouble with the certificate or the handshake.
        - V(redirect) is any status 3xx.
        - V(protocol) is an answer that the API does not promise, or one that stayed cut short after all retries.
        - V(guard) means that O(max_hangups) forbade it.
        - V(wait_timeout) means that O(wait_timeout) ran out.
        - V(not_tried) means that it was not begun after another failure had shown that there is no point in it.
        - V(internal) is a mistake of this collection. Please report it.
      type: str
      returned: always
      sample: rate_limited
    method:
      description: HTTP method of the request that failed, if there was one.
      type: str
      returned: always
      sample: GET
    url:
      description: URL of the request that failed, without its query, if there was one.
      type: str
      returned: always
      sample: https://api.plivo.com/v1/Account/MAXXXXXXXXXXXXXXXXXX/Conference/
    status:
      description: HTTP status of the answer, if there was one.
      type: int
      returned: always
      sample: 429
    api_id:
      description: Plivo's identifier of the request, if the answer held one. Plivo's support asks for it.
      type: str
      returned: always
      sample: 97ceeb52-58b6-11e1-86da-77300b68f8bb
    attempts:
      description: How many times the request was tried.
      type: int
      returned: always
      sample: 5
    retryable:
      description: Whether the same task, run again unchanged, may succeed.
      type: bool
      returned: always
      sample: true
errors:
  description: All failures, one for each conference. The causes come first, those not tried because of them last.
  returned: failure
  type: list
  elements: dict
  contains:
    conference_name:
      description: The conference. Null when the failure is not about one.
      type: str
      returned: always
      sample: Sales
    msg:
      description: What was tried, what came back, and what to do.
      type: str
      returned: always
      sample: >-
        GET https://api.plivo.com/v1/Account/MAXXXXXXXXXXXXXXXXXX/Conference/: answered 429, after 5 attempts;
        lower rate_limit, or run it when less else uses the account.
    kind:
      description: As in RV(error.kind). The other fields of RV(error) follow, too.
      type: str
      returned: always
      sample: rate_limited
"""

import dataclasses
import functools
import typing as t

from ..module_utils._client import Client
from ..module_utils._conference import Conference, Conferences, address_problem
from ..module_utils._crew import Crew
from ..module_utils._errors import GUARD, NOT_TRIED, PlivoError, refusal
from ..module_utils._hangup import Wait, confirmation, settle, wait_until_gone
from ..module_utils._lookup import look_up
from ..module_utils._module import SELECTION_OPTIONS, run_module
from ..module_utils._options import check_callback, check_number
from ..module_utils._pacing import safe_workers
from ..module_utils._selection import Selection, parse_selection


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
    #: Names asked for that the list lacks: it may lag.
    unlisted: set[str] = dataclasses.field(default_factory=set)
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
        """Add failures by name; one conference has one failure: the latest, but the cause rather than "not tried"."""
        known = {error.conference_name for error in self.errors}
        new = {name: error for name, error in errors.items() if error.kind != NOT_TRIED or name not in known}
        self.errors = [error for error in self.errors if error.conference_name not in new]
        self.errors += new.values()

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


class Task(t.NamedTuple):
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
    places = 2 if task.selection.is_bounded else 1
    crew = Crew(safe_workers(params["max_connections"], params["rate_limit"], places))

    chosen = choose(task, conferences, crew, result)
    check_guard(task, chosen)
    result.is_prediction = check_mode
    if check_mode:
        outcomes = pretend(task, chosen, conferences, crew)
    else:
        outcomes = hang_up(task, chosen, conferences, crew, client)
    report(task, outcomes, conferences, crew, result)
    if task.wait and result.hung_up and not check_mode and not crew.breaker.cause:
        wait(task, outcomes, conferences, crew, client, result)


def parse_task(params: t.Mapping[str, t.Any]) -> Task:
    """Check all options; raises PlivoError."""
    selection = parse_selection(params)
    if not selection.is_made:
        raise refusal("nothing is hung up without a choice; give one of name, names, patterns and all: true.")
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
    unlisted = result.unlisted = set(names).difference(listed)
    read = functools.partial(conferences.details, members=task.members)
    deciding = names if selection.is_bounded else [name for name in names if name in unlisted]
    found = look_up(conferences, crew, deciding, read, unlisted)
    # The details of the others are nothing but a record: that it cannot be had keeps nothing from being hung up.
    is_record = task.details and not selection.is_bounded
    others = [name for name in names if name not in unlisted] if is_record else []
    if task.is_whole_collection:
        # What has no URL goes with all the others; there is only no record of it.
        others = [name for name in others if not address_problem(name)]
    recorded = look_up(conferences, crew.apart(), others, read)

    known = {**found.values, **recorded.values}
    gone = {*found.gone, *recorded.gone}
    result.before = result.after = set(listed).union(known).difference(gone)
    result.note_errors({**found.errors, **recorded.errors})
    if selection.names is not None:
        result.absent = [name for name in names if name in gone]
    chosen = {}
    for name in names:
        conference = known.get(name, Conference(name))
        if name not in gone and name not in found.errors and selection.accepts(conference):
            chosen[name] = conference
    result.conferences = [conference.as_result() for conference in chosen.values()]
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
    task: Task,
    outcomes: t.Mapping[str, Hangup | PlivoError],
    conferences: Conferences,
    crew: Crew,
    result: HangupResult,
) -> None:
    """Turn the outcomes into the task's result."""
    settled = settle(conferences, crew, outcomes, bool(task.callback), result.unlisted)
    if task.callback:
        result.queued = queued_entries(task, settled.done, outcomes)
    else:
        result.hung_up = settled.done
    if task.selection.names is not None:
        missing = {*result.absent, *settled.ended}
        result.absent = [name for name in task.selection.names if name in missing]
    result.unknown = settled.unknown
    result.after = result.before.difference(settled.done, settled.ended)
    result.conferences = [c for c in result.conferences if c["conference_name"] not in settled.skipped]
    result.note_errors(settled.errors)


def queued_entries(
    task: Task, names: t.Sequence[str], outcomes: t.Mapping[str, Hangup | PlivoError]
) -> list[dict[str, t.Any]]:
    """The return value RV(queued): one entry for each request that was accepted."""
    entries = [{"conference_name": name, "api_id": outcomes[name].api_id} for name in names]
    if task.is_whole_collection and entries:
        # One request for all of them, and all of them share what came of it.
        return [{**entries[0], "conference_name": None}]
    return entries


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
    state = Wait(waiting_for=list(result.hung_up))
    timeout = task.wait_timeout
    try:
        result.note_errors(
            wait_until_gone(conferences, crew, hung_up_at, timeout, client.clock, client.sleep, state, result.unlisted)
        )
    finally:
        result.restarted = state.restarted
        result.still_live = state.waiting_for if state.seen else []
        result.after = result.after.union(result.restarted, result.still_live)


def main() -> None:
    options = {
        **SELECTION_OPTIONS,
        "all": {"type": "bool", "default": False},
        "max_hangups": {"type": "int"},
        "details": {"type": "bool", "default": False},
        "wait": {"type": "bool", "default": False},
        "wait_timeout": {"type": "float", "default": 60},
    }
    run_module(options, run, HangupResult())


if __name__ == "__main__":
    main()
