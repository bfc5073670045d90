# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The window is never exceeded as the server counts, and no wait is longer than promised."""

from __future__ import annotations

import heapq
import threading
import time
import types
import typing as t
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.plivo.voice.plugins.module_utils._pacing import (
    MAX_RETRY_AFTER,
    WINDOW,
    SlidingWindow,
    backoff,
    parse_retry_after,
    retry_delay,
    safe_workers,
)
from unit.plugins.support import Clock, place

#: What the API counts in: "300 requests in 5 seconds".
SERVER_WINDOW = 5.0

UNIT = st.floats(0, 1, exclude_max=True)


def most_in_any_window(arrivals: t.Sequence[float]) -> int:
    times = sorted(arrivals)
    return max(sum(start <= time < start + SERVER_WINDOW for time in times) for start in times)


class SleptError(Exception):
    """Raised instead of sleeping, so that one thread can play many."""


class FakeWorkers:
    """Any number of workers on one window, in simulated time: what would wait is tried again later."""

    def __init__(self, limit: int, workers: int) -> None:
        self.now = 0.0
        self.window = SlidingWindow(limit, lambda: self.now, self._sleep)
        self.window._changed.wait = self._wait  # type: ignore[method-assign]
        # What each worker's thread would remember.
        self._own = [types.SimpleNamespace(number=0) for _number in range(workers)]

    def _sleep(self, seconds: float) -> None:
        assert seconds > 0, "a worker would spin"
        raise SleptError(seconds)

    def _wait(self, timeout: float | None = None) -> t.NoReturn:
        raise SleptError(0.01)

    def run(self, latencies: t.Sequence[tuple[float, float]], refuse: t.Container[int] = ()) -> list[float]:
        """Make the requests; each has a latency there and one back. Returns when each reached the server.

        :param refuse: numbers of those that the server answers with 429, so that all pause for a second.
        """
        todo = list(latencies)
        arrivals = []
        # Per worker: when it acts next, and which request it then ends, -1 if it has none.
        events: list[tuple[float, int, int]] = [(0.0, number, -1) for number in range(len(self._own))]
        heapq.heapify(events)
        while events:
            self.now, number, ended = heapq.heappop(events)
            self.window._own = t.cast(t.Any, self._own[number])
            if ended >= 0:
                self.window.leave()
            if ended in refuse:
                self.window.pause(1)
            if not todo:
                continue
            try:
                self.window.enter()
            except SleptError as slept:
                heapq.heappush(events, (self.now + slept.args[0], number, -1))
                continue
            there, back = todo.pop(0)
            arrivals.append(self.now + there)
            heapq.heappush(events, (self.now + there + back, number, len(arrivals) - 1))
        return arrivals


@given(
    limit=st.integers(1, 12),
    workers=st.integers(1, 8),
    latencies=st.lists(st.tuples(st.floats(0, 9), st.floats(0, 9)), min_size=1, max_size=60),
    refused=st.sets(st.integers(0, 60), max_size=10),
)
def test_the_server_never_counts_more_than_the_limit_whatever_the_latencies(
    limit: int, workers: int, latencies: list[tuple[float, float]], refused: set[int]
) -> None:
    arrivals = FakeWorkers(limit, workers).run(latencies, refused)
    assert len(arrivals) == len(latencies)
    assert most_in_any_window(arrivals) <= limit


def test_the_whole_limit_is_used_at_once() -> None:
    arrivals = FakeWorkers(200, 16).run([(0.0, 0.001)] * 200)
    assert max(arrivals) < 0.1


def test_a_place_is_free_again_one_window_after_its_request_ended() -> None:
    arrivals = FakeWorkers(1, 1).run([(0.0, 2.0)] * 3)
    assert arrivals == pytest.approx([0.0, 2.0 + WINDOW, 2 * (2.0 + WINDOW)])


def test_a_place_that_would_come_too_late_is_not_waited_for() -> None:
    clock = Clock()
    window = SlidingWindow(1, clock, clock.sleep)
    with place(window):
        pass
    assert not window.enter(clock.now + WINDOW)
    assert clock.slept == []
    assert window.enter(clock.now + WINDOW + 0.1)
    assert clock.now == pytest.approx(1000 + WINDOW)


@pytest.mark.parametrize("limit", [0, 1])
def test_a_pause_holds_everybody_back_also_without_a_limit(limit: int) -> None:
    clock = Clock()
    window = SlidingWindow(limit, clock, clock.sleep)
    window.pause(7)
    window.pause(3)  # A shorter one does not shorten it.
    with place(window):
        assert clock.now == pytest.approx(1007)


def test_after_a_pause_one_goes_first_and_each_answer_lets_one_more_go_at_once() -> None:
    """A server that still refuses must not refuse one request of every worker once more."""
    first = 8  # All workers' first requests are under way when one of them is refused.
    arrivals = FakeWorkers(0, 8).run([(0.0, 0.1)] * 40, refuse={0})
    after = [time for time in arrivals[first:] if time > 1]
    # While one is under way nothing else is; its end and each later one make room for two.
    assert [round(time, 2) for time in after[:7]] == [1.1, 1.2, 1.2, 1.3, 1.3, 1.3, 1.3]
    assert max(sum(abs(time - other) < 0.05 for other in after) for time in after) == 8


def test_who_has_a_place_gets_another_one_after_a_pause_too(clock: Clock) -> None:
    """A hangup waits for a look that is a request of its own; the look must not wait for the hangup."""
    window = SlidingWindow(0, clock, clock.sleep)
    with place(window):
        window.pause(1)
        with place(window):
            assert clock.now == 1001
        # Its end does not make it forget the first one.
        window.pause(1)
        assert window.enter(clock.now + 1.5)
        window.leave()
    assert window.enter()


def test_an_answer_at_the_very_end_of_a_pause_counts(clock: Clock) -> None:
    window = SlidingWindow(0, clock, clock.sleep)
    window.pause(1)
    with place(window):
        pass
    answers = []
    with place(window):
        thread = threading.Thread(target=lambda: answers.append(window.enter(clock.now)))
        thread.start()
        thread.join(5)
    assert answers == [True]


def test_one_who_may_wait_a_moment_waits_a_moment() -> None:
    window = SlidingWindow(0, time.monotonic, time.sleep)
    window.pause(0.01)
    answers = []
    with place(window):
        until = time.monotonic() + 0.9
        thread = threading.Thread(target=lambda: answers.append(window.enter(until)), daemon=True)
        thread.start()
        time.sleep(0.05)
    thread.join(5)
    assert answers == [True]


def test_one_who_waits_for_another_request_goes_on_when_that_has_ended(clock: Clock) -> None:
    window = SlidingWindow(0, clock, clock.sleep)
    entered = threading.Event()

    def work() -> None:
        with place(window):
            entered.set()

    window.pause(1)
    with place(window):
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        assert not entered.wait(0.05)
    assert entered.wait(5)
    thread.join()


def test_one_does_not_wait_for_another_request_longer_than_it_may() -> None:
    clock = time.monotonic
    window = SlidingWindow(1, clock, time.sleep)
    answers = []
    with place(window):
        thread = threading.Thread(target=lambda: answers.append(window.enter(clock() + 0.05)), daemon=True)
        thread.start()
        thread.join(5)
    assert answers == [False]


def test_the_end_of_a_pause_gives_nobody_a_place(clock: Clock) -> None:
    window = SlidingWindow(1, clock, clock.sleep)
    with place(window):
        window.pause(2)
    clock.now = 1002
    with place(window):
        assert clock.now == pytest.approx(1000 + WINDOW)


def test_no_limit_means_no_wait_and_no_memory() -> None:
    clock = Clock()
    window = SlidingWindow(0, clock, clock.sleep)
    for _number in range(1000):
        with place(window):
            pass
    assert clock.slept == []
    assert not window._ended


def test_a_place_comes_back_when_the_request_fails() -> None:
    clock = Clock()
    window = SlidingWindow(1, clock, clock.sleep)
    with pytest.raises(ZeroDivisionError), place(window):
        raise ZeroDivisionError
    with place(window):
        assert clock.now == pytest.approx(1000 + WINDOW)


def test_threads_never_share_a_place() -> None:
    clock = Clock()
    window = SlidingWindow(3, clock, clock.sleep)
    at_once, most = 0, 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal at_once, most
        for _number in range(50):
            with place(window):
                with lock:
                    at_once += 1
                    most = max(most, at_once)
                with lock:
                    at_once -= 1

    threads = [threading.Thread(target=work) for _number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= most <= 3


@given(max_connections=st.integers(1, 256), rate_limit=st.integers(2, 100_000))
def test_workers_that_need_two_places_each_never_hold_all_of_them(max_connections: int, rate_limit: int) -> None:
    workers = safe_workers(max_connections, rate_limit, places=2)
    assert 1 <= workers <= max_connections
    # All of them hold one place: there must still be one for somebody's second.
    assert workers < rate_limit


def test_workers_are_the_connections_where_nothing_limits_them() -> None:
    assert safe_workers(16, 0) == 16
    assert safe_workers(16, 200) == 16
    assert safe_workers(16, 3) == 3
    assert safe_workers(16, 1, places=2) == 1


@given(limit=st.integers(2, 9), max_connections=st.integers(1, 9))
def test_looking_again_while_holding_a_place_never_locks_up(limit: int, max_connections: int) -> None:
    """Every safe worker holds a place and asks for a second one; some second one must be had in bounded time."""
    now = 0.0

    def sleep(seconds: float) -> None:
        raise SleptError(seconds)

    window = SlidingWindow(limit, lambda: now, sleep)
    for _worker in range(safe_workers(max_connections, limit, places=2)):
        assert window.enter()
    assert window.enter()


# --- the retry schedule ------------------------------------------------------------------------------


@given(attempt=st.integers(1, 10_000), random=UNIT)
def test_backoff_stays_within_its_bounds(attempt: int, random: float) -> None:
    longest = min(30.0, 2.0 ** min(attempt - 1, 20))
    assert longest / 2 <= backoff(attempt, random) <= longest


def test_the_shortest_schedule_outlasts_the_window_of_the_api() -> None:
    assert sum(backoff(attempt, 0.0) for attempt in (1, 2, 3, 4)) > SERVER_WINDOW


@given(attempt=st.integers(1, 200), retry_after=st.none() | st.floats(0, 1e9), random=UNIT)
def test_a_delay_honours_the_server_up_to_a_minute(attempt: int, retry_after: float | None, random: float) -> None:
    delay = retry_delay(attempt, retry_after, random)
    assert 0.5 <= delay <= MAX_RETRY_AFTER + 1
    assert delay >= min(retry_after or 0, MAX_RETRY_AFTER)
    if retry_after is None:
        assert delay == backoff(attempt, random)


def test_those_who_were_told_the_same_moment_do_not_come_back_together() -> None:
    assert retry_delay(1, 10, 0.0) == 10
    assert retry_delay(1, 10, 0.5) > 10


def test_what_the_server_asks_for_is_in_the_backoff_already() -> None:
    assert retry_delay(1, 0.75, 0.5) == retry_delay(1, 0.1, 0.5) == retry_delay(1, None, 0.5) == 0.75


# --- Retry-After -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("-7", None),
        ("+7", None),
        ("7.5", None),
        ("1e3", None),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("\u0667", None),
        ("²", None),
        ("9" * 5000, 60),
        ("999999999", 999999999),
        ("9999999999", 60),
        ("Sun, 06 Nov 1994 08:49:37 GMT", None),  # long past
        ("Sun, 06 Nov 99999 08:49:37 GMT", None),
        ("Sun, 99 Nov 2094 99:99:99 GMT", None),
    ],
)
def test_retry_after_is_read_or_ignored(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, now=1_700_000_000.0) == seconds


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
@pytest.mark.parametrize(
    "text",
    ["Tue Nov 14 22:13:25 2023", "Tue, 14 Nov 2023 22:13:25 -0000", "Wed, 15 Nov 2023 00:13:25 +0200"],
)
def test_a_date_without_a_zone_is_in_utc(text: str, zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert parse_retry_after(text, now=1_700_000_000.0) == 5
    finally:
        monkeypatch.undo()
        time.tzset()


@given(st.integers(1, 1_000_000))
def test_a_date_is_held_to_the_time_of_day(seconds: int) -> None:
    now = 1_700_000_000
    assert parse_retry_after(formatdate(now + seconds, usegmt=True), float(now)) == seconds
    assert parse_retry_after(formatdate(now - seconds, usegmt=True), float(now)) is None
    assert parse_retry_after(formatdate(now, usegmt=True), float(now)) is None


DATELIKE = st.lists(
    st.sampled_from(["Sun", "Nov", "GMT", "+9999", "-", ",", ":", " ", "0", "99", "1994", "08:49", "é", "\t", "Z"])
).map("".join)


@given(st.text() | DATELIKE, st.floats(0, 4e9))
def test_no_retry_after_can_hurt(value: str, now: float) -> None:
    seconds = parse_retry_after(value, now)
    assert seconds is None or seconds >= 0
    assert 0.5 <= retry_delay(1, seconds, 0.0) < MAX_RETRY_AFTER + 1
