# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The account of what was hung up is true, no stale look ends a call, and no wait goes on for ever."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.plivo.voice.plugins.module_utils._conference import Conference, Listing
from ansible_collections.plivo.voice.plugins.module_utils._crew import Crew
from ansible_collections.plivo.voice.plugins.module_utils._errors import PlivoError
from ansible_collections.plivo.voice.plugins.module_utils._hangup import (
    FRESH_FOR,
    LOOK_AGAIN_AFTER,
    CalledOffError,
    Wait,
    confirmation,
    settle,
    wait_until_gone,
)
from ansible_collections.plivo.voice.plugins.module_utils._pacing import WINDOW
from unit.plugins.support import API_ID, Clock, failure_of


def fail(kind: str, doubtful: bool = False, name: str | None = None) -> PlivoError:
    return PlivoError(
        kind,
        f"no luck ({kind})",
        method="DELETE",
        url="https://x/",
        attempts=1,
        doubtful=doubtful,
        conference_name=name,
    )


class FakeConferences:
    """A world that tells what is listed and since when each conference is live; every look takes some time."""

    def __init__(self, clock: Clock, looks_take: float = 0.0) -> None:
        self._clock = clock
        self._looks_take = looks_take
        #: By name, when it began.
        self.live: dict[str, float] = {}
        self.hidden: set[str] = set()
        self.unlisted: set[str] = set()
        self.list_failures: list[PlivoError | None] = []
        self.detail_failures: dict[str, PlivoError] = {}
        self.ends: list[tuple[float, str]] = []
        self.looks: list[str] = []
        #: Of each look, when it began and when it had to be over.
        self.times: list[tuple[float, float | None]] = []

    def _look(self, what: str, until: float | None) -> None:
        self.looks.append(what)
        self.times.append((self._clock(), until))
        if until is not None and self._clock() >= until:
            raise fail("timeout")
        self._clock.now += self._looks_take
        for moment, name in self.ends:
            if self._clock() >= moment:
                self.live.pop(name, None)

    def list(self, *, until: float | None = None) -> Listing:
        self._look("*", until)
        for failure in self.list_failures[:1]:
            del self.list_failures[0]
            if failure is not None:
                raise failure
        return Listing(tuple(name for name in self.live if name not in self.unlisted), API_ID)

    def details(self, name: str, *, until: float | None = None) -> Conference:
        asked_at = self._clock()
        self._look(name, until)
        if name in self.detail_failures:
            raise self.detail_failures[name]
        if name not in self.live or name in self.hidden:
            raise fail("not_found")
        now = self._clock()
        return Conference(name, int(now - self.live[name]), 1, {}, asked_at, now)


def typed(conferences: object) -> t.Any:
    return conferences


# --- settle ------------------------------------------------------------------------------------------

LISTED = "listed"
GONE = "gone"


@pytest.mark.parametrize(
    ("outcome", "name", "queued", "where"),
    [
        (None, LISTED, False, "done"),
        (None, GONE, False, "done"),
        (None, GONE, True, "done"),
        (fail("server"), GONE, False, "errors"),
        (fail("authentication"), LISTED, False, "errors"),
        (fail("not_found"), GONE, False, "ended"),
        (fail("not_found"), LISTED, False, "errors"),
        (fail("not_found", doubtful=True), GONE, False, "done"),
        (fail("not_found", doubtful=True), LISTED, False, "errors"),
        (fail("timeout", doubtful=True), GONE, False, "done"),
        (fail("timeout", doubtful=True), LISTED, False, "errors"),
        (fail("server", doubtful=True), GONE, False, "done"),
        (fail("server", doubtful=True), LISTED, False, "errors"),
        (fail("authentication", doubtful=True), GONE, False, "done"),
        (fail("not_tried"), GONE, False, "errors"),
        # Queued: the list cannot tell what was taken.
        (fail("timeout", doubtful=True), GONE, True, "unknown errors"),
        (fail("timeout", doubtful=True), LISTED, True, "unknown errors"),
        (fail("connection"), LISTED, True, "errors"),
        (fail("not_found", doubtful=True), GONE, True, "unknown errors"),
        (fail("not_found"), GONE, True, "ended"),
        (fail("not_found"), LISTED, True, "errors"),
        (CalledOffError(restarted=False), LISTED, False, "skipped"),
        (CalledOffError(restarted=True), LISTED, False, "skipped"),
    ],
)
def test_each_outcome_is_accounted_for(
    clock: Clock, outcome: PlivoError | None, name: str, queued: bool, where: str
) -> None:
    conferences = FakeConferences(clock)
    conferences.live = {LISTED: 0.0}
    settled = settle(typed(conferences), Crew(1), {name: outcome}, queued)
    found = [room for room in ("done", "ended", "skipped", "unknown", "errors") if name in getattr(settled, room)]
    assert found == where.split()
    for error in settled.errors.values():
        assert ("listed, but not found" in error.msg) is (error.kind == "not_found" and name == LISTED)


@pytest.mark.parametrize("failure", [fail("timeout", doubtful=True), fail("not_found")])
@pytest.mark.parametrize(
    ("truth", "where"),
    [("live", ["errors"]), ("gone", None), ("unreadable", ["unknown", "errors"]), ("listed now", ["errors"])],
)
def test_one_that_was_never_listed_is_asked_for_by_its_name(
    clock: Clock, failure: PlivoError, truth: str, where: list[str] | None
) -> None:
    conferences = FakeConferences(clock)
    conferences.live = {"other": 0.0} if truth == "gone" else {"x": 0.0}
    conferences.unlisted = set() if truth == "listed now" else {"x"}
    if truth == "unreadable":
        conferences.detail_failures = {"x": fail("server")}
    settled = settle(typed(conferences), Crew(1), {"x": failure, "y": None}, False, {"x"})
    rooms = [room for room in ("done", "ended", "skipped", "unknown", "errors") if "x" in getattr(settled, room)]
    assert rooms == (where or (["done"] if failure.doubtful else ["ended"]))
    assert conferences.looks == (["*"] if truth == "listed now" else ["*", "x"])
    # It is not told of one that never was in the list.
    assert all("in the list" not in error.msg for error in settled.errors.values())


def doubtful_call_off(restarted: bool | None) -> CalledOffError:
    error = CalledOffError(restarted)
    error.doubtful = True
    error.previous = fail("timeout", doubtful=True)
    return error


def test_a_redial_after_a_lost_answer_is_a_hangup(clock: Clock) -> None:
    settled = settle(typed(FakeConferences(clock)), Crew(1), {"x": doubtful_call_off(restarted=True)}, queued=False)
    assert (settled.done, settled.skipped, settled.errors) == (["x"], [], {})


def test_a_doubtful_attempt_that_was_not_repeated_is_never_passed_over(clock: Clock) -> None:
    conferences = FakeConferences(clock)
    conferences.live = {"x": 0.0}
    settled = settle(typed(conferences), Crew(1), {"x": doubtful_call_off(restarted=False)}, queued=False)
    assert settled.done == settled.skipped == []
    assert settled.errors["x"].kind == "timeout"
    assert settled.errors["x"].conference_name == "x"


def test_what_cannot_be_told_from_a_redial_is_unknown(clock: Clock) -> None:
    settled = settle(typed(FakeConferences(clock)), Crew(1), {"x": doubtful_call_off(restarted=None)}, queued=False)
    assert (settled.done, settled.skipped, settled.unknown) == ([], [], ["x"])
    assert settled.errors["x"].kind == "timeout"


def test_without_the_list_what_is_doubtful_is_unknown(clock: Clock) -> None:
    conferences = FakeConferences(clock)
    conferences.list_failures = [fail("server")]
    outcomes = {"a": None, "b": fail("timeout", doubtful=True), "c": fail("not_found"), "d": fail("server")}
    settled = settle(typed(conferences), Crew(1), outcomes, queued=False)
    assert settled.done == ["a"]
    assert settled.ended == []
    assert settled.unknown == ["b", "c"]
    assert {name: error.kind for name, error in settled.errors.items()} == {
        "b": "timeout",
        "c": "not_found",
        "d": "server",
    }


def test_the_list_is_read_once_and_only_if_it_is_needed(clock: Clock) -> None:
    conferences = FakeConferences(clock)
    settle(typed(conferences), Crew(1), {"a": None, "b": fail("server"), "c": CalledOffError(False)}, queued=False)
    assert conferences.looks == []
    settle(typed(conferences), Crew(1), {"a": fail("not_found"), "b": fail("timeout", doubtful=True)}, queued=False)
    assert conferences.looks == ["*"]


def test_one_failure_shared_by_many_is_told_of_each(clock: Clock) -> None:
    conferences = FakeConferences(clock)
    conferences.live = {"a": 0.0, "b": 0.0}
    shared = fail("not_found")
    settled = settle(typed(conferences), Crew(1), {name: shared.about(name) for name in "abc"}, queued=False)
    assert settled.ended == ["c"]
    assert [error.conference_name for error in settled.errors.values()] == ["a", "b"]
    assert all("listed, but not found" in error.msg for error in settled.errors.values())


OUTCOME = st.sampled_from(
    ["ok", "not_found", "not_found?", "timeout?", "server", "tls", "not_tried", "off", "off?", "off!?", "off+?"]
)


@given(
    kinds=st.dictionaries(st.sampled_from("abcdef"), OUTCOME),
    listed=st.none() | st.sets(st.sampled_from("abcdef")),
    queued=st.booleans(),
)
def test_every_conference_comes_to_one_end(kinds: dict[str, str], listed: set[str] | None, queued: bool) -> None:
    def outcome(kind: str) -> PlivoError | None:
        if kind == "ok":
            return None
        restarted = None if "+" in kind else "!" in kind
        error = CalledOffError(restarted) if kind.startswith("off") else fail(kind.rstrip("?"))
        error.doubtful = kind.endswith("?")
        error.previous = fail("timeout", doubtful=True) if error.doubtful else None
        return error

    conferences = FakeConferences(Clock())
    conferences.live = dict.fromkeys(listed or (), 0.0)
    conferences.list_failures = [fail("server")] if listed is None else []
    settled = settle(typed(conferences), Crew(1), {name: outcome(kind) for name, kind in kinds.items()}, queued)
    once = [*settled.done, *settled.ended, *settled.skipped, *settled.errors]
    assert sorted(once) == sorted(kinds)
    assert set(settled.unknown) <= set(settled.errors)
    for name in settled.done:
        # Only an answer, or doubt together with a list that lacks it (or a younger namesake), says so.
        assert kinds[name] in ("ok", "off!?") or (kinds[name].endswith("?") and name not in (listed or ()))
    for name in settled.ended:
        assert kinds[name] == "not_found"
    for name, kind in kinds.items():
        assert kind != "ok" or name in settled.done


# --- confirmation ------------------------------------------------------------------------------------


def seen(clock: Clock, run_time: int, ago: float = 0.0) -> Conference:
    return Conference("x", run_time, 1, {}, clock.now - ago, clock.now - ago)


@pytest.mark.parametrize(("ago", "looks"), [(0, 0), (3.9, 0), (LOOK_AGAIN_AFTER, 0), (4.1, 1), (60, 1)])
def test_a_look_older_than_five_seconds_is_repeated(clock: Clock, ago: float, looks: int) -> None:
    assert FRESH_FOR == 5
    conferences = FakeConferences(clock)
    conferences.live = {"x": clock.now - 100}
    confirm = confirmation(typed(conferences), seen(clock, 100, ago), lambda conference: True, clock)
    good_until = confirm(None)
    assert len(conferences.looks) == looks
    assert good_until == clock.now + FRESH_FOR - (0 if looks else ago)


def test_a_repeated_look_is_fresh_itself_and_ages_again(clock: Clock) -> None:
    conferences = FakeConferences(clock)
    conferences.live = {"x": clock.now - 100}
    confirm = confirmation(typed(conferences), seen(clock, 100, 10), lambda conference: True, clock)
    for passed, looks in ((0, 1), (3, 1), (2, 2), (4, 2), (1, 3)):
        clock.now += passed
        good_until = confirm(None)
        assert len(conferences.looks) == looks
        assert clock.now <= good_until <= clock.now + FRESH_FOR


def test_what_does_not_match_any_more_is_called_off(clock: Clock) -> None:
    conferences = FakeConferences(clock)
    conferences.live = {"x": clock.now - 100}
    confirm = confirmation(typed(conferences), seen(clock, 90, 10), lambda conference: False, clock)
    error = failure_of(lambda: confirm(None))
    assert isinstance(error, CalledOffError)
    assert not error.restarted
    assert error.kind == "called_off"
    assert error.msg.startswith("it does not match the bounds")


@pytest.mark.parametrize(
    ("age_when_seen", "seen_ago", "age_now", "restarted"),
    [
        (100, 10, 110, False),
        (100, 10, 109, False),  # whole seconds, and the moments of the two looks
        (100, 10, 100, False),  # a server whose run times stand still
        (100, 10, 105, False),  # or are those of a moment ago
        (100, 10, 104, True),
        (100, 10, 99, True),
        (100, 10, 5, True),
        (100, 5, 5, True),
        (7, 10, 10, True),  # somebody redialled at once
        (2, 10, 5, True),  # older than the other one was, yet another one: it has begun since
        (0, 10, 8, True),
        (0, 10, 9, False),
        (0, 6, 6, False),
        # It stands still, or the other one has been redialled just then.
        (0, 6, 0, None),
        (3, 6, 3, None),
        (5, 6, 5, False),
        (3, 6, 4, True),
    ],
)
def test_another_conference_under_the_same_name_is_recognised_by_its_age(
    clock: Clock, age_when_seen: int, seen_ago: float, age_now: float, restarted: bool | None
) -> None:
    conferences = FakeConferences(clock)
    conferences.live = {"x": clock.now - age_now}
    confirm = confirmation(typed(conferences), seen(clock, age_when_seen, seen_ago), lambda conference: False, clock)
    error = failure_of(lambda: confirm(None))
    assert isinstance(error, CalledOffError)
    assert error.restarted is restarted


@pytest.mark.parametrize(("doubtful", "called_off"), [(True, True), (False, False)])
def test_where_run_times_stand_still_a_lost_hangup_is_not_repeated(
    clock: Clock, doubtful: bool, called_off: bool
) -> None:
    """It may be the same conference or another one; whoever it is, it is not said to have been hung up."""
    conferences = FakeConferences(clock)
    conferences.live = {"x": clock.now}
    confirm = confirmation(typed(conferences), seen(clock, 0, ago=6), lambda conference: True, clock)
    previous = fail("connection", doubtful)
    if called_off:
        error = failure_of(lambda: confirm(previous))
        assert isinstance(error, CalledOffError)
        assert error.restarted is None
    else:
        assert confirm(previous) == clock.now + FRESH_FOR


@pytest.mark.parametrize(
    ("doubtful", "age_now", "called_off"), [(True, 5, True), (True, 110, False), (False, 5, False), (False, 110, False)]
)
def test_after_an_attempt_it_is_looked_at_again_however_fresh(
    clock: Clock, doubtful: bool, age_now: float, called_off: bool
) -> None:
    """The attempt may have ended the one that was meant: then another one under its name is nobody's to hang up."""
    conferences = FakeConferences(clock)
    conferences.live = {"x": clock.now - age_now}
    confirm = confirmation(typed(conferences), seen(clock, 110), lambda conference: True, clock)
    previous = fail("connection", doubtful)
    if called_off:
        error = failure_of(lambda: confirm(previous))
        assert isinstance(error, CalledOffError)
        assert error.restarted
    else:
        assert confirm(previous) == clock.now + FRESH_FOR
    assert conferences.looks == ["x"]


def test_one_that_has_just_begun_is_another_one(clock: Clock) -> None:
    conferences = FakeConferences(clock)
    conferences.live = {"x": clock.now - 0.2}
    confirm = confirmation(typed(conferences), seen(clock, 0, ago=1.5), lambda conference: True, clock)
    assert isinstance(failure_of(lambda: confirm(fail("connection", doubtful=True))), CalledOffError)


def test_one_that_is_gone_meanwhile_is_not_found(clock: Clock) -> None:
    confirm = confirmation(typed(FakeConferences(clock)), seen(clock, 100, 10), lambda conference: True, clock)
    assert failure_of(lambda: confirm(None)).kind == "not_found"


# --- wait --------------------------------------------------------------------------------------------


def wait(
    conferences: FakeConferences, clock: Clock, hung_up_at: t.Mapping[str, float], timeout: float = 60.0
) -> tuple[list[str], dict[str, PlivoError]]:
    state = Wait(list(hung_up_at))
    still_live = wait_until_gone(typed(conferences), Crew(2), hung_up_at, timeout, clock, clock.sleep, state)
    assert state.waiting_for == list(still_live)
    return state.restarted, still_live


def test_what_is_gone_at_once_takes_one_look(clock: Clock) -> None:
    conferences = FakeConferences(clock)
    conferences.live = {"other": 0.0}
    assert wait(conferences, clock, {"a": clock.now, "b": clock.now}) == ([], {})
    assert conferences.looks == ["*"]
    assert clock.slept == []


def test_one_that_was_never_listed_is_waited_for_all_the_same(clock: Clock) -> None:
    conferences = FakeConferences(clock)
    conferences.live = {"a": clock.now - 2, "b": clock.now - 50}
    conferences.unlisted = {"a"}
    conferences.ends = [(clock.now + 8, "a")]
    state = Wait(["a", "b"])
    at = dict.fromkeys("ab", clock.now)
    conferences.ends += [(clock.now + 2, "b")]
    assert wait_until_gone(typed(conferences), Crew(1), at, 60, clock, clock.sleep, state, {"a"}) == {}
    assert state.restarted == []
    assert 1008 <= clock.now <= 1011


def test_what_ends_later_is_waited_for(clock: Clock) -> None:
    conferences = FakeConferences(clock)
    conferences.live = {"a": clock.now - 50, "b": clock.now - 50}
    conferences.ends = [(clock.now + 8, "a"), (clock.now + 20, "b")]
    assert wait(conferences, clock, {"a": clock.now, "b": clock.now}) == ([], {})
    assert 1020 <= clock.now <= 1024
    # Looks become rarer, but never rarer than every three seconds.
    assert clock.slept[:5] == [0.25, 0.5, 1, 2, 3]
    assert set(clock.slept[5:]) == {3}
    assert conferences.looks.count("*") == len(clock.slept) + 1


@pytest.mark.parametrize("timeout", [0.0, 0.1, 5.0, 60.0])
@pytest.mark.parametrize("looks_take", [0.0, 0.4])
def test_what_stays_is_an_error_when_the_time_is_over(clock: Clock, timeout: float, looks_take: float) -> None:
    conferences = FakeConferences(clock, looks_take)
    conferences.live = {"a": clock.now - 50, "b": clock.now - 50}
    restarted, still_live = wait(conferences, clock, {"a": clock.now, "b": clock.now}, timeout)
    assert restarted == []
    assert list(still_live) == ["a", "b"]
    for name, error in still_live.items():
        assert (error.kind, error.conference_name, error.retryable) == ("wait_timeout", name, True)
        assert error.msg.startswith(f"'{name}' was hung up but is still live after {timeout:g} s; raise wait_timeout,")
        assert error.msg.endswith(" conference_info.")
    assert 1000 + timeout <= clock.now <= 1000 + timeout + 4


def test_a_redial_counts_as_gone(clock: Clock) -> None:
    conferences = FakeConferences(clock)
    conferences.live = {"a": clock.now + 0.2, "b": clock.now - 50}
    conferences.ends = [(clock.now + 2, "b")]
    assert wait(conferences, clock, {"a": clock.now, "b": clock.now}) == (["a"], {})


def test_the_same_conference_is_never_taken_for_a_redial(clock: Clock) -> None:
    conferences = FakeConferences(clock)
    conferences.live = {"a": clock.now - 1}
    restarted, still_live = wait(conferences, clock, {"a": clock.now}, 30)
    assert (restarted, list(still_live)) == ([], ["a"])


@pytest.mark.parametrize(
    ("ago", "age", "restarted"),
    [
        # One that began before the hangup was answered may be the one that was hung up.
        (5, 6, False),
        (5, 5, False),
        (5, 4.9, True),
        (1, 0.9, True),
        # Run times are whole seconds: they tell nothing yet.
        (0.9, 0.1, False),
    ],
)
def test_a_redial_is_told_by_its_age(clock: Clock, ago: float, age: float, restarted: bool) -> None:
    conferences = FakeConferences(clock)
    conferences.live = {"a": clock.now - age}
    names, still_live = wait(conferences, clock, {"a": clock.now - ago}, 0)
    assert (names, list(still_live)) == ((["a"], []) if restarted else ([], ["a"]))


def test_details_are_not_asked_for_before_they_can_tell_anything(clock: Clock) -> None:
    conferences = FakeConferences(clock)
    conferences.live = {"a": 0.0}
    wait(conferences, clock, {"a": clock.now}, 0.9)
    assert set(conferences.looks) == {"*"}


def test_every_look_has_until_the_end_or_two_seconds(clock: Clock) -> None:
    conferences = FakeConferences(clock, looks_take=0.4)
    conferences.live = {"a": 0.0, "b": 0.0}
    wait(conferences, clock, dict.fromkeys("ab", clock.now - 9), 6)
    assert {"*", "a", "b"} == set(conferences.looks)
    # The details belong to the look at the list, and have what it left them.
    begun = 0.0
    for what, (now, until) in zip(conferences.looks, conferences.times):
        begun = now if what == "*" else begun
        # The first look at all waits for its turn, which a full window puts off by its length.
        assert until == max(1006, begun + 2 + (WINDOW if begun == 1000 else 0))
    assert begun > 1004


def test_no_time_for_all_the_details_is_a_wait_that_ran_out(clock: Clock) -> None:
    conferences = FakeConferences(clock, looks_take=0.5)
    conferences.live = {str(number): 0.0 for number in range(30)}
    _restarted, still_live = wait(conferences, clock, dict.fromkeys(conferences.live, clock.now), 4)
    assert {error.kind for error in still_live.values()} == {"wait_timeout"}
    assert list(still_live) == list(conferences.live)


def test_a_list_that_fails_at_the_end_does_not_hide_who_is_live(clock: Clock) -> None:
    conferences = FakeConferences(clock)
    conferences.live = {"a": 0.0}
    conferences.list_failures = [None] * 5

    def last_look(seconds: float) -> None:
        clock.sleep(seconds)
        if clock.now >= 1010:
            conferences.list_failures = [fail("timeout")]

    state = Wait(["a"])
    still_live = wait_until_gone(typed(conferences), Crew(2), {"a": 1000.0}, 10, clock, last_look, state)
    assert list(still_live) == ["a"]


@pytest.mark.parametrize("kind", ["server", "authentication", "protocol"])
@pytest.mark.parametrize("looks", [0, 1])
@pytest.mark.parametrize("timeout", [0.0, 60.0])
def test_a_list_that_cannot_be_read_ends_the_wait(clock: Clock, kind: str, looks: int, timeout: float) -> None:
    conferences = FakeConferences(clock)
    conferences.live = {"a": 0.0}
    conferences.list_failures = [*[None] * looks, fail(kind)]
    if looks and not timeout:
        # There is no second look.
        assert list(wait(conferences, clock, {"a": clock.now}, timeout)[1]) == ["a"]
    else:
        assert failure_of(lambda: wait(conferences, clock, {"a": clock.now}, timeout)).kind == kind


@pytest.mark.parametrize("kind", ["server", "invalid_request", "protocol"])
def test_one_whose_details_cannot_be_read_is_watched_in_the_list(clock: Clock, kind: str) -> None:
    conferences = FakeConferences(clock)
    conferences.live = {"a": 0.0, "b": clock.now + 0.2}
    conferences.ends = [(clock.now + 9, "a")]
    conferences.detail_failures = {"a": fail(kind)}
    assert wait(conferences, clock, {"a": clock.now, "b": clock.now}) == (["b"], {})


def test_a_wait_that_fails_keeps_what_it_knows(clock: Clock) -> None:
    conferences = FakeConferences(clock)
    conferences.live = {"a": 0.0, "b": clock.now + 0.2, "c": clock.now}
    conferences.ends = [(clock.now, "c")]
    conferences.list_failures = [*[None] * 5, fail("server")]
    state = Wait(["a", "b", "c"])
    hung_up_at = dict.fromkeys("abc", clock.now)
    error = failure_of(lambda: wait_until_gone(typed(conferences), Crew(2), hung_up_at, 60, clock, clock.sleep, state))
    assert error.kind == "server"
    assert (state.seen, state.waiting_for, state.restarted) == (True, ["a"], ["b"])


def test_details_that_cannot_be_read_at_the_end_leave_it_live(clock: Clock) -> None:
    conferences = FakeConferences(clock)
    conferences.live = {"a": 0.0}
    conferences.detail_failures = {"a": fail("server")}
    restarted, still_live = wait(conferences, clock, {"a": clock.now - 9}, 0)
    assert (restarted, [error.kind for error in still_live.values()]) == ([], ["wait_timeout"])


def test_one_that_is_listed_but_has_no_details_is_waited_for(clock: Clock) -> None:
    conferences = FakeConferences(clock)
    conferences.live = {"a": 0.0}
    conferences.hidden = {"a"}
    conferences.ends = [(clock.now + 9, "a")]
    assert wait(conferences, clock, {"a": clock.now}) == ([], {})


@given(
    plans=st.dictionaries(
        st.sampled_from("abcd"), st.tuples(st.sampled_from(["end", "stay", "redial"]), st.floats(0, 40)), min_size=1
    ),
    timeout=st.floats(0, 30),
    looks_take=st.floats(0, 2),
)
def test_the_wait_ends_in_time_and_tells_the_truth(
    plans: dict[str, tuple[str, float]], timeout: float, looks_take: float
) -> None:
    clock = Clock()
    conferences = FakeConferences(clock, looks_take)
    for name, (plan, when) in plans.items():
        conferences.live[name] = clock.now + (0.3 if plan == "redial" else -100)
        if plan == "end":
            conferences.ends.append((clock.now + when, name))
    restarted, still_live = wait(conferences, clock, dict.fromkeys(plans, clock.now), timeout)
    assert clock.now <= 1000 + timeout + 2 + 5 * looks_take + 0.01
    for name in restarted:
        assert plans[name][0] == "redial"
    for name in still_live:
        assert name in conferences.live or plans[name][0] == "end"
    for name, (plan, _when) in plans.items():
        assert plan != "stay" or name in still_live
        assert not (name in restarted and name in still_live)
