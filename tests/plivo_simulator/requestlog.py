# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the plivo.voice contributors
"""What the server has seen: every request, how fast they came, and the writes it forbade."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

# Enough for any benchmark, little enough (some 100 MB) to leave a demo machine alone.
LIMIT = 200_000
LONGEST_BODY = 4096


_FIELDS = (
    "n",
    "time",
    "connection",
    "account",
    "method",
    "path",
    "query",
    "body",
    "user_agent",
    "content_type",
    "authorization",
    "authorized",
    "target",
    "name",
    "status",
    "fault",
    "violation",
)


class Entry:
    """One request. The token is never kept, only whether credentials came and whether they were right."""

    __slots__ = _FIELDS

    n: int
    time: float
    connection: int
    account: str | None
    method: str
    path: str
    query: str
    body: str
    user_agent: str
    content_type: str
    authorization: bool
    authorized: bool
    target: str
    name: str | None
    status: int | None
    fault: str | None
    violation: bool

    def as_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _FIELDS}


class Window:
    """How many requests an account made in any stretch of so many seconds."""

    def __init__(self) -> None:
        self.peak = 0
        self._arrivals: deque[float] = deque()
        self._admitted: deque[float] = deque()

    def arrive(self, now: float, seconds: float) -> None:
        """Count a request, refused or not, for the peak."""
        self._arrivals.append(now)
        _drop(self._arrivals, now - seconds)
        self.peak = max(self.peak, len(self._arrivals))

    def forget_peak(self) -> None:
        self.peak = 0
        self._arrivals.clear()

    def admit(self, now: float, seconds: float, limit: int) -> bool:
        """Whether one more fits the limit. Refused requests do not count against it."""
        _drop(self._admitted, now - seconds)
        if limit and len(self._admitted) >= limit:
            return False
        self._admitted.append(now)
        return True


def _drop(times: deque[float], until: float) -> None:
    while times and times[0] <= until:
        times.popleft()


class RequestLog:
    """The requests since the scenario was loaded or the log was cleared."""

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque(maxlen=LIMIT)
        self.violations: deque[Entry] = deque(maxlen=LIMIT)
        self._windows: dict[str, Window] = {}
        self._under_way = 0
        self.clear()

    def clear(self) -> None:
        """Forget what was seen. What an account has used of its rate limit stays used."""
        self.entries.clear()
        self.violations.clear()
        self.connections_opened = 0
        self._total = 0
        self._answers: Counter[tuple[str, int | None]] = Counter()
        self._peak_under_way = self._under_way
        for window in self._windows.values():
            window.forget_peak()

    def reset(self) -> None:
        """Begin anew with another scenario."""
        self.clear()
        self._windows.clear()

    def window(self, auth_id: str) -> Window:
        found = self._windows.get(auth_id)
        if found is None:
            found = self._windows[auth_id] = Window()
        return found

    def begin(self, entry: Entry) -> None:
        self._total += 1
        entry.n = self._total
        self.entries.append(entry)
        if entry.violation:
            self.violations.append(entry)
        self._under_way += 1
        self._peak_under_way = max(self._peak_under_way, self._under_way)

    def end(self, entry: Entry) -> None:
        self._under_way -= 1
        self._answers[(entry.method, entry.status)] += 1

    def stats(self) -> dict[str, Any]:
        by_method: dict[str, dict[str, int]] = {}
        for (method, status), count in self._answers.items():
            by_method.setdefault(method, {})[str(status)] = count
        return {
            "requests": self._total,
            "answers": by_method,
            "rate_limited": sum(count for (_method, status), count in self._answers.items() if status == 429),
            "violations": len(self.violations),
            "connections_opened": self.connections_opened,
            "peak_under_way": self._peak_under_way,
            "peak_in_window": {auth_id: window.peak for auth_id, window in self._windows.items()},
        }
