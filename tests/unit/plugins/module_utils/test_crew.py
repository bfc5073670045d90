# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many conferences are worked on at once, none twice, and none any more once it is clear that it is no use."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.plivo.voice.plugins.module_utils._crew import Breaker, Crew
from ansible_collections.plivo.voice.plugins.module_utils._errors import PlivoError


def error(kind: str, *, attempts: int = 1, retryable: bool = False) -> PlivoError:
    return PlivoError(kind, f"no luck ({kind})", attempts=attempts, retryable=retryable)


HOPELESS = ["authentication", "tls", "redirect"]
SILENT = ["connection", "timeout", "rate_limited"]
HARMLESS = ["forbidden", "not_found", "invalid_request", "server", "protocol", "called_off"]

# --- the breaker -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", HOPELESS)
def test_a_failure_of_the_account_or_the_way_to_it_ends_it_all_at_once(kind: str) -> None:
    breaker = Breaker()
    cause = error(kind)
    breaker.record(cause)
    assert breaker.cause is cause


@pytest.mark.parametrize("kinds", [["connection"] * 3, ["timeout"] * 3, ["timeout", "connection", "timeout"]])
def test_three_silent_ones_running_end_it_all(kinds: list[str]) -> None:
    breaker = Breaker()
    for kind in kinds[:2]:
        breaker.record(error(kind))
        assert breaker.cause is None
    breaker.record(error(kinds[2]))
    assert breaker.cause is not None


@pytest.mark.parametrize("between", [None, *(error(kind) for kind in HARMLESS)], ids=str)
def test_an_answer_in_between_starts_the_count_anew(between: PlivoError | None) -> None:
    breaker = Breaker()
    for outcome in [error("timeout"), error("timeout"), between, error("timeout"), error("timeout")]:
        breaker.record(outcome)
    assert breaker.cause is None


def test_what_was_never_sent_tells_nothing() -> None:
    breaker = Breaker()
    for outcome in [error("timeout"), error("timeout"), error("invalid_request", attempts=0), error("timeout")]:
        breaker.record(outcome)
    assert breaker.cause is not None
    breaker = Breaker()
    breaker.record(error("authentication", attempts=0))
    assert breaker.cause is None


def test_the_first_cause_stays() -> None:
    breaker = Breaker()
    first = error("tls")
    for outcome in (first, error("authentication"), None):
        breaker.record(outcome)
    assert breaker.cause is first


# --- the crew ----------------------------------------------------------------------------------------


@given(
    workers=st.integers(1, 6),
    kinds=st.lists(st.sampled_from([None, *HARMLESS, *HOPELESS, *SILENT]), max_size=25),
)
def test_every_name_has_one_outcome_and_is_tried_at_most_once(workers: int, kinds: list[str | None]) -> None:
    names = [str(number) for number in range(len(kinds))]
    tried: list[str] = []

    def work(name: str) -> str:
        tried.append(name)
        kind = kinds[int(name)]
        if kind:
            raise error(kind)
        return "done " + name

    crew = Crew(workers)
    outcomes = crew.each(names, work)
    assert list(outcomes) == names
    assert len(tried) == len(set(tried))
    for name, outcome in outcomes.items():
        if name not in tried:
            assert isinstance(outcome, PlivoError)
            assert (outcome.kind, outcome.attempts, outcome.conference_name) == ("not_tried", 0, name)
            assert crew.breaker.cause is not None
            assert crew.breaker.cause.msg in outcome.msg
        elif kinds[int(name)]:
            assert isinstance(outcome, PlivoError)
            assert (outcome.kind, outcome.conference_name) == (kinds[int(name)], name)
        else:
            assert outcome == "done " + name
    assert crew.breaker.cause is not None or len(tried) == len(names)
    # Those under way may finish; nothing new begins.
    first_hopeless = next((number for number, kind in enumerate(kinds) if kind in HOPELESS), len(kinds))
    assert len(tried) <= first_hopeless + workers


def test_one_worker_keeps_the_order_and_stops_at_once() -> None:
    tried: list[str] = []

    def work(name: str) -> None:
        tried.append(name)
        if name in "cde":
            raise error("connection", retryable=True)

    outcomes = Crew(1).each(list("abcdefg"), work)
    assert tried == list("abcde")
    for name in "fg":
        outcome = outcomes[name]
        assert isinstance(outcome, PlivoError)
        assert (outcome.kind, outcome.retryable) == ("not_tried", True)


@pytest.mark.parametrize(("kind", "retryable"), [("authentication", False), ("internal", True)])
def test_what_was_not_tried_may_succeed_later_if_its_cause_may(kind: str, retryable: bool) -> None:
    def work(name: str) -> None:
        raise error(kind, retryable=retryable)

    outcome = Crew(1).each(["a", "b"], work)["b"]
    assert isinstance(outcome, PlivoError)
    assert (outcome.kind, outcome.retryable) == ("not_tried", retryable)
    assert outcome.msg.startswith(f"not tried, after no luck ({kind})")


def test_a_tripped_breaker_keeps_the_next_work_from_starting_too() -> None:
    crew = Crew(4)

    def refuse(_name: str) -> None:
        raise error("authentication")

    crew.each(["a"], refuse)
    tried: list[str] = []
    outcomes = crew.each(["b", "c"], tried.append)
    assert tried == []
    assert [outcome.kind for outcome in outcomes.values() if isinstance(outcome, PlivoError)] == ["not_tried"] * 2


@pytest.mark.parametrize(("workers", "names"), [(1, 8), (3, 8), (8, 3), (16, 16)])
def test_as_many_at_once_as_allowed_and_no_more(workers: int, names: int) -> None:
    expected = min(workers, names)
    gate = threading.Barrier(expected)
    at_once, most = 0, 0
    lock = threading.Lock()

    def work(name: str) -> None:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        if int(name) < expected:
            gate.wait(5)  # Passes only if so many are here together.
        with lock:
            at_once -= 1

    outcomes = Crew(workers).each([str(number) for number in range(names)], work)
    assert list(outcomes.values()) == [None] * names
    assert most == expected


def test_nobody_waits_for_the_helpers_of_an_interrupted_task() -> None:
    together = threading.Barrier(3)

    def work(_name: str) -> bool:
        together.wait(5)
        return threading.current_thread().daemon

    assert sorted(Crew(3).each(["a", "b", "c"], work).values()) == [False, True, True]


def test_no_names_need_no_threads() -> None:
    before = threading.active_count()
    assert Crew(16).each([], lambda name: name) == {}
    assert Crew(16).each(["a"], lambda name: threading.active_count()) == {"a": before}


@pytest.mark.parametrize("workers", [1, 4])
def test_a_bug_stops_the_rest_and_keeps_the_account_of_what_was_done(workers: int) -> None:
    def work(name: str) -> str:
        if int(name) < 10:
            return "done"
        raise ZeroDivisionError("a\nbug")

    outcomes = Crew(workers).each([str(number) for number in range(100)], work)
    assert list(outcomes.values())[:10] == ["done"] * 10
    failures = [outcome for outcome in outcomes.values() if isinstance(outcome, PlivoError)]
    bugs = [error for error in failures if error.kind == "internal"]
    assert 1 <= len(bugs) <= workers
    assert bugs[0].msg.startswith("internal error: ZeroDivisionError: a bug; please report it")
    # Where it came from is not known, so the request may have been on its way.
    assert bugs[0].doubtful
    assert all(outcomes[error.conference_name or ""] is error for error in failures)
    assert {error.kind for error in failures} == {"internal", "not_tried"}


def test_an_interrupt_is_not_swallowed() -> None:
    def work(name: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Crew(1).each(["a", "b"], work)


def test_threads_that_the_system_does_not_give_are_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    start = threading.Thread.start

    def start_three(thread: threading.Thread) -> None:
        if len(started) == 3:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_three)
    names = [str(number) for number in range(50)]
    assert Crew(16).each(names, str) == {name: name for name in names}
    assert len(started) == 3
