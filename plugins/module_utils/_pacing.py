# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the next request may start: a sliding window over all connections, and the retry schedule."""

from __future__ import annotations

import collections
import threading
import typing as t

#: The API counts requests in any 5 seconds (API document, "300 requests in 5 seconds").
#: The small surplus covers the coarseness of two machines' clocks.
WINDOW = 5.01

#: A longer ``Retry-After`` is not waited for: a task must not look dead for hours.
MAX_RETRY_AFTER = 60.0

#: With 4 retries the shortest possible schedule, 0.5 + 1 + 2 + 4 s, still outlasts the API's 5-second window.
FIRST_BACKOFF = 1.0
MAX_BACKOFF = 30.0


class SlidingWindow:
    """Admits at most ``limit`` requests in any 5 seconds *as the server counts them*.

    The server sees a request at some moment between its start and its end. A place is therefore given
    back 5 seconds after the request ended, not after it started: however long the network delays one
    request and hurries the next, the server never counts more than ``limit`` in its window.

    Where the server says 429 all the same, others use the account as well, and they may all wait for the same moment.
    So after a pause one request goes first, and each answer lets one more go at once (the slow start of TCP, RFC
    5681): a server that still refuses has refused one request then, and not one of every thread.

    Safe to use from several threads; how many is for ``safe_workers`` to say.

    :param limit: requests in any 5 seconds; 0 means no limit.
    :param clock: monotonic seconds.
    :param sleep: waits for so many seconds.
    """

    def __init__(self, limit: int, clock: t.Callable[[], float], sleep: t.Callable[[float], None]) -> None:
        self._limit = limit
        self._clock = clock
        self._sleep = sleep
        self._changed = threading.Condition()
        self._under_way = 0
        #: How many may be under way at once.
        self._at_once = float("inf")
        self._ended: collections.deque[float] = collections.deque()
        self._paused_until = float("-inf")
        #: How many places the current thread has.
        self._own = _Places()

    def enter(self, until: float | None = None) -> bool:
        """Wait for a place and take it.

        :param until: moment on the clock by which it must be had.
        :returns: false if it cannot be had by then; there is nothing to give back then.
        """
        while True:
            with self._changed:
                delay = self._delay()
                if delay == 0:
                    self._under_way += 1
                    self._own.number += 1
                    return True
                left = None if until is None else until - self._clock()
                if left is not None and left <= (delay or 0):
                    return False
                if delay is None:
                    self._changed.wait(left)
                    continue
            self._sleep(delay)

    def leave(self) -> None:
        """Give the place back: the request has ended."""
        with self._changed:
            self._under_way -= 1
            self._own.number -= 1
            now = self._clock()
            if now >= self._paused_until:
                self._at_once += 1
            if self._limit:
                self._ended.append(now)
            self._changed.notify_all()

    def pause(self, seconds: float) -> None:
        """Let nothing new start for so many seconds, on any connection: the server said 429 to one of them."""
        with self._changed:
            self._paused_until = max(self._paused_until, self._clock() + seconds)
            self._at_once = 1

    def _delay(self) -> float | None:
        """Seconds until a place may be free; none while that is for another request's end to decide."""
        now = self._clock()
        if now < self._paused_until:
            return self._paused_until - now
        # Who has a place and needs another one does not wait for others: they may be waiting for that one.
        if self._under_way >= self._at_once and not self._own.number:
            return None
        if not self._limit:
            return 0
        while self._ended and self._ended[0] + WINDOW <= now:
            self._ended.popleft()
        if self._under_way + len(self._ended) < self._limit:
            return 0
        return self._ended[0] + WINDOW - now if self._ended else None


class _Places(threading.local):
    number = 0


def safe_workers(max_connections: int, rate_limit: int, places: int = 1) -> int:
    """How many threads may use one window of ``rate_limit`` places.

    :param places: how many each needs at once. A conference chosen by bounds is looked at again while the place
        for its hangup is held already (see ``Client.send``), which makes two. With more threads than the window
        has room for, all places could be held by threads that wait for another one.
    """
    if not rate_limit:
        return max_connections
    return max(1, min(max_connections, rate_limit // places))


def backoff(attempt: int, random: float) -> float:
    """Seconds to wait after the failed attempt with this number (1 is the first).

    Exponential, and the upper half is random: clients that failed together don't come back together,
    and none comes back at once.

    :param attempt: 1, 2, 3, …
    :param random: from 0 up to 1.
    """
    # 2.0 ** 1024 overflows; beyond a few doublings the cap decides anyway.
    longest = min(MAX_BACKOFF, FIRST_BACKOFF * 2.0 ** min(attempt - 1, 16))
    return longest * (0.5 + random / 2)


def retry_delay(attempt: int, retry_after: float | None, random: float) -> float:
    """Seconds to wait before the next attempt, honouring what the server asked for.

    :param attempt: the number of the attempt that failed (1 is the first).
    :param retry_after: seconds the server asked for, if it did (see ``parse_retry_after``).
    :param random: from 0 up to 1.
    """
    delay = backoff(attempt, random)
    if retry_after is None or retry_after <= delay:
        return delay
    # Everybody who was turned away was told the same moment; a second of jitter spreads the return.
    return min(retry_after, MAX_RETRY_AFTER) + random


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Seconds from a ``Retry-After`` header (RFC 9110, 10.2.3): a number of seconds or a date.

    :param value: the header's value, if there is one.
    :param now: seconds since the epoch, to which a date is held.
    :returns: seconds, none for a header that is absent, malformed or in the past.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        # More digits than any sensible delay has: int() of thousands of digits is slow or refused.
        return float(int(text)) if len(text) <= 9 else MAX_RETRY_AFTER
    if not text[:1].isalpha():
        return None
    # Costs time to import and is hardly ever needed.
    from datetime import timezone
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(text)
        # The old form of a date has no zone, and is in UTC all the same (RFC 9110, 5.6.7).
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp() - now
    except (TypeError, ValueError, IndexError, OverflowError, OSError):
        return None
    return seconds if seconds > 0 else None
