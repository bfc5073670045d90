# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bare 404 proves nothing: the list decides between gone, hidden and a wrong URL."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.plivo.voice.plugins.module_utils._conference import Listing
from ansible_collections.plivo.voice.plugins.module_utils._crew import Crew
from ansible_collections.plivo.voice.plugins.module_utils._errors import PlivoError
from ansible_collections.plivo.voice.plugins.module_utils._lookup import Found, look_up
from unit.plugins.support import API_ID


class FakeConferences:
    """Counts how often the list is read."""

    def __init__(self, *listed: str, failure: PlivoError | None = None) -> None:
        self._listed = listed
        self._failure = failure
        self.reads = 0

    def list(self) -> Listing:
        self.reads += 1
        if self._failure:
            raise self._failure
        return Listing(self._listed, API_ID)


def fail(kind: str) -> PlivoError:
    return PlivoError(kind, f"no luck ({kind})", method="GET", url="https://x/", attempts=1, api_id="i")


def look(
    conferences: FakeConferences, outcomes: t.Mapping[str, str | PlivoError], unlisted: t.Container[str] = ()
) -> Found[str]:
    def read(name: str) -> str:
        outcome = outcomes[name]
        if isinstance(outcome, PlivoError):
            raise outcome
        return outcome

    return look_up(t.cast(t.Any, conferences), Crew(1), list(outcomes), read, unlisted)


def test_no_404_needs_no_list() -> None:
    conferences = FakeConferences()
    found = look(conferences, {"a": "A", "b": fail("server"), "c": "C"})
    assert found.values == {"a": "A", "c": "C"}
    assert found.gone == []
    assert [(name, error.kind) for name, error in found.errors.items()] == [("b", "server")]
    assert conferences.reads == 0
    assert found.listing is None


def test_the_list_is_read_once_for_all_404s() -> None:
    conferences = FakeConferences("hidden", "z")
    found = look(conferences, {"x": fail("not_found"), "hidden": fail("not_found"), "a": "A", "y": fail("not_found")})
    assert conferences.reads == 1
    assert found.gone == ["x", "y"]
    assert list(found.values) == ["a"]
    (error,) = found.errors.values()
    assert (error.kind, error.conference_name, error.api_id) == ("not_found", "hidden", "i")
    assert "listed, but not found under " in error.msg
    assert error.msg.endswith(" ask Plivo's support with the api_id.")
    assert found.listing == Listing(("hidden", "z"), API_ID)


def test_what_a_list_was_just_seen_without_needs_no_other_list() -> None:
    conferences = FakeConferences("x")
    found = look(conferences, {"x": fail("not_found"), "y": "Y"}, unlisted={"x", "y"})
    assert (found.gone, conferences.reads) == (["x"], 0)


def test_one_that_was_listed_is_still_asked_about() -> None:
    conferences = FakeConferences("listed")
    found = look(conferences, {"new": fail("not_found"), "listed": fail("not_found")}, unlisted={"new"})
    assert conferences.reads == 1
    assert found.gone == ["new"]
    assert list(found.errors) == ["listed"]


@pytest.mark.parametrize("kind", ["not_found", "server", "authentication"])
def test_without_a_list_nothing_is_said_to_be_absent(kind: str) -> None:
    conferences = FakeConferences(failure=fail(kind))
    found = look(conferences, {"a": "A", "x": fail("not_found"), "y": fail("not_found")})
    assert found.gone == []
    assert found.values == {"a": "A"}
    assert {name: (error.kind, error.conference_name) for name, error in found.errors.items()} == {
        "x": (kind, "x"),
        "y": (kind, "y"),
    }


KIND = st.sampled_from(["ok", "not_found", "server", "invalid_request", "timeout", "tls"])


@given(
    kinds=st.dictionaries(st.sampled_from("abcdef"), KIND),
    listed=st.sets(st.sampled_from("abcdef")),
    unlisted=st.booleans(),
)
def test_every_name_comes_to_one_end(kinds: dict[str, str], listed: set[str], unlisted: bool) -> None:
    outcomes = {name: "value" if kind == "ok" else fail(kind) for name, kind in kinds.items()}
    without = set("abcdef") - listed if unlisted else set()
    found = look(FakeConferences(*listed), outcomes, without)
    assert sorted([*found.values, *found.gone, *found.errors]) == sorted(kinds)
    order = list(kinds)
    for names in (list(found.values), found.gone, list(found.errors)):
        assert names == sorted(names, key=order.index)
    for name in found.gone:
        assert kinds[name] == "not_found"
        assert name not in listed
