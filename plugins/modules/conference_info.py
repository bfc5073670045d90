#!/usr/bin/python
# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: conference_info
short_description: Find out which voice conferences are live on a Plivo account
version_added: 1.0.0
description:
  - Lists the live conferences of a Plivo account or, for those that are chosen, returns who is in them and how long
    they have been running.
  - Without any option that chooses, it is one request which returns the names of all live conferences.
  - A conference that is asked for by name and is not live is no failure. It is returned in RV(absent).
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
    details: The module only reads, so check mode is the same as a real run.
  diff_mode:
    support: N/A
    details: The module changes nothing.
  idempotent:
    support: full
  platform:
    platforms: all
    support: full
options:
  details:
    description:
      - Whether to fetch the details of every chosen conference, one request for each.
      - Conferences chosen by O(name), O(names) or a bound on run time or members always come with details, and V(false)
        is an error then. Otherwise the default is V(false).
    type: bool
notes:
  - A 404 alone does not prove that a conference is gone, since a wrong URL gives one, too. After a 404 the list is read
    once. A conference that is in it is an error of kind V(not_found), one that is not is absent.
  - In asynchronous mode the list and names can be read, and nothing is returned but RV(queued). O(patterns),
    O(excludes), bounds and O(details) are errors then.
seealso:
  - module: plivo.voice.conference_hangup
  - name: Plivo Conference API
    description: The vendor's documentation of the API.
    link: https://www.plivo.com/docs/voice/api/conference/
"""

EXAMPLES = r"""
---
- name: Which conferences are live?
  plivo.voice.conference_info:
    auth_id: "{{ plivo_auth_id }}"
    auth_token: "{{ plivo_auth_token }}" # from a vault
  register: live

- name: Show their names
  ansible.builtin.debug:
    var: live.conference_names

- name: The same with PLIVO_AUTH_ID and PLIVO_AUTH_TOKEN from the environment
  plivo.voice.conference_info:

- name: Credentials for all tasks of a block
  module_defaults:
    group/plivo.voice.conference:
      auth_id: "{{ plivo_auth_id }}"
      auth_token: "{{ plivo_auth_token }}"
  block:
    - name: Who is in one conference, and for how long? The comma is a part of its name
      plivo.voice.conference_info:
        name: "Sales, EMEA"
      register: sales

    - name: Tell it
      ansible.builtin.debug:
        msg: >-
          {{ sales.conferences[0].conference_member_count ~ ' on for '
             ~ sales.conferences[0].conference_run_time ~ ' s' if sales.conferences else 'nobody is on' }}

    - name: Several by name; those that are not live are in absent
      plivo.voice.conference_info:
        names:
          - "007"
          - "Sales, EMEA"

    - name: Everything that starts with support-, with details, but without callers' names and numbers
      plivo.voice.conference_info:
        patterns:
          - "support-*"
        details: true
        members: false

    - name: Running for more than two hours with hardly anybody in it
      plivo.voice.conference_info:
        min_run_time: 2h
        max_members: 1

    - name: Names that are a team and a number, but not the test team's
      plivo.voice.conference_info:
        patterns:
          - "[a-z]+-[0-9]+"
        excludes:
          - "test-.*"
        use_regex: true

- name: Is anybody on? Wait for up to ten minutes until a conference has ended by itself
  plivo.voice.conference_info:
    name: "Board meeting"
  register: board
  until: board is not failed and board.conferences == []
  retries: 20
  delay: 30

- name: Asynchronous mode; the list is sent to a URL
  plivo.voice.conference_info:
    callback_url: https://example.com/plivo/answers
    callback_method: GET

- name: Branch on the kind of a failure
  block:
    - name: Read
      plivo.voice.conference_info:
  rescue:
    - name: Go on if the API is only busy
      ansible.builtin.assert:
        that: ansible_failed_result.error.retryable | default(false)
        fail_msg: "{{ ansible_failed_result.msg }}"
"""

RETURN = r"""
---
conference_names:
  description: Names of the conferences in RV(conferences), in the same order.
  returned: always
  type: list
  elements: str
  sample: [My Conf Room, Sales Meeting, Support Call]
conferences:
  description:
    - The chosen live conferences, in the order asked, else in the order of the API.
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
absent:
  description: Names that were asked for and are not live.
  returned: always
  type: list
  elements: str
  sample: [Support Call]
api_id:
  description: Plivo's identifier of the request for the list, if one was made.
  returned: always
  type: str
  sample: 2867b6e2-58c3-11e1-86da-adf28403fe48
queued:
  description: Requests that the API accepted in asynchronous mode.
  returned: always
  type: list
  elements: dict
  contains:
    conference_name:
      description: The conference. Null for the list.
      type: str
      returned: always
      sample: My Conf Room
    api_id:
      description: Plivo's identifier of the request, which comes again with the answer to O(callback_url).
      type: str
      returned: always
      sample: 63f0761a-e0ed-11e1-8ea7-12313924e3a6
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
        - V(guard) means that O(plivo.voice.conference_hangup#module:max_hangups) forbade it.
        - V(wait_timeout) means that O(plivo.voice.conference_hangup#module:wait_timeout) ran out.
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
from ..module_utils._conference import Conference, Conferences
from ..module_utils._crew import Crew
from ..module_utils._errors import PlivoError, refusal
from ..module_utils._lookup import Found, look_up
from ..module_utils._module import SELECTION_OPTIONS, run_module
from ..module_utils._options import check_callback
from ..module_utils._pacing import safe_workers
from ..module_utils._selection import Selection, parse_selection


@dataclasses.dataclass
class InfoResult:
    """What the module returns; see RETURN."""

    conferences: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    absent: list[str] = dataclasses.field(default_factory=list)
    api_id: str | None = None
    queued: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    errors: list[PlivoError] = dataclasses.field(default_factory=list)

    def as_values(self, diff: bool) -> dict[str, t.Any]:
        return {
            "changed": False,
            "conference_names": [conference["conference_name"] for conference in self.conferences],
            "conferences": self.conferences,
            "absent": self.absent,
            "api_id": self.api_id,
            "queued": self.queued,
        }

    def summary(self) -> str:
        return ""

    def take(self, found: Found[t.Any]) -> None:
        """Note what requests for names have brought, but for their values."""
        self.absent += found.gone
        self.errors += found.errors.values()
        self.api_id = found.listing.api_id if found.listing else None


def run(params: t.Mapping[str, t.Any], client: Client, check_mode: bool, result: InfoResult) -> None:
    """Find out which conferences are live; the same in check mode, since nothing is written."""
    selection = parse_selection(params)
    callback = check_callback(params["callback_url"], params["callback_method"])
    check_details(params, selection, asynchronous=bool(callback))
    conferences = Conferences(client, params["auth_id"])
    crew = Crew(safe_workers(params["max_connections"], params["rate_limit"]))
    read = functools.partial(conferences.details, members=params["members"])

    if selection.names is not None:
        names = selection.choose(())
        if callback:
            queued = look_up(conferences, crew, names, lambda name: conferences.queue_details(name, callback))
            result.take(queued)
            result.queued = [{"conference_name": name, "api_id": api_id} for name, api_id in queued.values.items()]
            return
        found = look_up(conferences, crew, names, read)
        result.take(found)
        chosen = found.values
    elif callback:
        result.queued = [{"conference_name": None, "api_id": conferences.queue_list(callback)}]
        return
    else:
        listing = conferences.list()
        result.api_id = listing.api_id
        names = selection.choose(listing.names)
        if not (params["details"] or selection.is_bounded):
            chosen = {name: Conference(name) for name in names}
        else:
            found = look_up(conferences, crew, names, read)
            # Those that are gone were not asked for by name: they have ended since the list was made.
            result.errors += found.errors.values()
            chosen = found.values
    result.conferences = [conference.as_result() for conference in chosen.values() if selection.accepts(conference)]


def check_details(params: t.Mapping[str, t.Any], selection: Selection, asynchronous: bool) -> None:
    """Refuse what contradicts the way in which the task reads."""
    if params["details"] is False and (selection.names is not None or selection.is_bounded):
        raise refusal(
            "details: false contradicts name, names and every bound on run time or members, which need the details;"
            " remove it."
        )
    needing_answers = {
        "patterns": selection.patterns is not None,
        "excludes": bool(selection.excludes),
        "a bound on run time or members": selection.is_bounded,
        "details": bool(params["details"]),
    }
    for option, given in needing_answers.items():
        if asynchronous and given:
            raise refusal(
                f"callback_url: asynchronous mode reads the list or names, but {option} needs the answers right here;"
                " remove one of the two."
            )


def main() -> None:
    run_module({**SELECTION_OPTIONS, "details": {"type": "bool"}}, run, InfoResult())


if __name__ == "__main__":
    main()
