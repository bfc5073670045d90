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
from ansible_collections.plivo.voice.plugins.module_utils._errors import PlivoError, refusal
from ansible_collections.plivo.voice.plugins.module_utils._lookup import Found, look_up
from ansible_collections.plivo.voice.plugins.module_utils._module import SELECTION_OPTIONS, run_module
from ansible_collections.plivo.voice.plugins.module_utils._options import check_callback
from ansible_collections.plivo.voice.plugins.module_utils._pacing import safe_workers
from ansible_collections.plivo.voice.plugins.module_utils._selection import Selection, parse_selection


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


def run(params: t.Mapping[str, t.Any], client: Client, check_mode: bool, result: InfoResult) -> None:
    """Find out which conferences are live; the same in check mode, since nothing is written."""
    selection = parse_selection(params)
    callback = check_callback(params["callback_url"], params["callback_method"])
    check_details(params, selection, asynchronous=bool(callback))
    conferences = Conferences(client, params["auth_id"])
    crew = Crew(safe_workers(params["max_connections"], params["rate_limit"]))

    if selection.names is not None:
        names = selection.choose(())
        if callback:
            queued = look_up(conferences, crew, names, lambda name: conferences.queue_details(name, callback))
            result.take(queued)
            result.queued = [{"conference_name": name, "api_id": api_id} for name, api_id in queued.values.items()]
            return
        found = look_up(conferences, crew, names, conferences.details)
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
            found = look_up(conferences, crew, names, conferences.details)
            # Those that are gone were not asked for by name: they have ended since the list was made.
            result.errors += found.errors.values()
            chosen = found.values
    result.conferences = [
        conference.as_result(params["members"]) for conference in chosen.values() if selection.accepts(conference)
    ]


def check_details(params: t.Mapping[str, t.Any], selection: Selection, asynchronous: bool) -> None:
    """Refuse what contradicts the way in which the task reads."""
    if params["details"] is False and (selection.names is not None or selection.is_bounded):
        raise refusal(
            "details: false contradicts name, names and every bound on run time or members, which need the details;"
            " remove it."
        )
    if asynchronous:
        for option in ("patterns", *SELECTION_OPTIONS, "details"):
            if option not in ("name", "names", "use_regex") and params[option] not in (None, False):
                raise refusal(
                    f"callback_url: asynchronous mode reads the list or names; {option} needs the answers right here;"
                    " remove one of the two."
                )


def main() -> None:
    run_module({"details": {"type": "bool"}}, run, InfoResult())


if __name__ == "__main__":
    main()
