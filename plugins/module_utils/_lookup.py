# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading about many conferences: one request each, and what it means that some are not found."""

from __future__ import annotations

import dataclasses
import typing as t

from ._conference import Conferences, Listing
from ._crew import Crew
from ._errors import NOT_FOUND, PlivoError

T = t.TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Found(t.Generic[T]):
    """What one request for each of many conferences brought; everything in the order asked.

    :ivar values: what was read of those that are live.
    :ivar gone: those that are not.
    :ivar errors: those of which it is not known.
    :ivar listing: the list, if it was read to explain what is not found.
    """

    values: dict[str, T]
    gone: list[str]
    errors: dict[str, PlivoError]
    listing: Listing | None


def look_up(
    conferences: Conferences,
    crew: Crew,
    names: t.Sequence[str],
    read: t.Callable[[str], T],
    unlisted: t.Container[str] = (),
) -> Found[T]:
    """Read about each conference, and let the list explain what is not found.

    :param read: makes the request for one name.
    :param unlisted: names that a list has just been seen without, so that a 404 is explained already.
    """
    outcomes = crew.each(names, read)
    values = {name: outcome for name, outcome in outcomes.items() if not isinstance(outcome, PlivoError)}
    errors = {name: outcome for name, outcome in outcomes.items() if isinstance(outcome, PlivoError)}
    missing = {name: error for name, error in errors.items() if error.kind == NOT_FOUND}
    listing, failed = _explain(conferences, {name: error for name, error in missing.items() if name not in unlisted})
    gone = [name for name in missing if name not in failed]
    left = {name: failed.get(name, error) for name, error in errors.items() if name in failed or name not in missing}
    return Found(values, gone, left, listing)


def _explain(
    conferences: Conferences, missing: t.Mapping[str, PlivoError]
) -> tuple[Listing | None, dict[str, PlivoError]]:
    """Read the list, if anything was not found, and say what is not gone all the same, or not known to be.

    A wrong URL gives 404 as well (API document), so a bare one does not prove that a conference is gone.
    """
    if not missing:
        return None, {}
    try:
        listing = conferences.list()
    except PlivoError as failure:
        return None, {name: failure.about(name) for name in missing}
    listed = set(listing.names)
    return listing, {name: listed_but_not_found(error) for name, error in missing.items() if name in listed}


def listed_but_not_found(error: PlivoError) -> PlivoError:
    """A 404 for a conference that the list holds: neither gone nor there."""
    error.msg = (
        f"{error.method} {error.url}: answered 404, but the conference is in the list: listed, but not found under its"
        " URL; run it again, and if it stays so, ask Plivo's support with the api_id."
    )
    return error
