# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same work for many conferences, some at a time, until it becomes clear that there is no point in it."""

from __future__ import annotations

import threading
import typing as t

from ._errors import (
    AUTHENTICATION,
    CONNECTION,
    INTERNAL,
    NOT_TRIED,
    RATE_LIMITED,
    REDIRECT,
    TIMEOUT,
    TLS,
    PlivoError,
)

T = t.TypeVar("T")

#: After one of these nothing else can succeed: it is the account, the way to it, or this program.
_HOPELESS = (AUTHENTICATION, TLS, REDIRECT, INTERNAL)
#: No answer, or "too many requests" to every attempt: the retries of a thousand conferences would take hours.
_SILENT = (CONNECTION, TIMEOUT, RATE_LIMITED)
#: With these, a gateway says the same of the host behind it.
_SILENT_STATUSES = (502, 503, 504)
#: So many of these one after another, each after all its retries, mean that the host is gone.
_SILENT_LIMIT = 3


class Breaker:
    """Remembers, for a whole run, whether starting anything new still makes sense (a circuit breaker)."""

    def __init__(self) -> None:
        self._silent = 0
        #: The failure that ended it all, if there was one.
        self.cause: PlivoError | None = None

    def record(self, error: PlivoError | None) -> None:
        """Take note of how the work for one conference ended.

        :param error: its failure, if it failed.
        """
        if error is not None and not error.attempts and error.kind != INTERNAL:
            return  # No request was made, so nothing was learned.
        silent = error is not None and (error.kind in _SILENT or error.status in _SILENT_STATUSES)
        self._silent = self._silent + 1 if silent else 0
        hopeless = error is not None and error.kind in _HOPELESS
        if self.cause is None and (hopeless or self._silent >= _SILENT_LIMIT):
            self.cause = error


class Crew:
    """Works for many conferences at once.

    :param workers: how many at once, at most.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._lock = threading.Lock()
        self.breaker = Breaker()

    def apart(self) -> Crew:
        """As many workers for work that nothing depends on: its failures do not keep this crew from its own."""
        return Crew(self._workers)

    def each(self, names: t.Sequence[str], work: t.Callable[[str], T]) -> dict[str, T | PlivoError]:
        """Do the work for every name, in this order as far as the workers allow.

        :param names: no doubles.
        :param work: may raise PlivoError, which becomes its name's outcome; called from several threads.
        :returns: every name's outcome, in the order of the names. Names that were not started any more,
            because the breaker had tripped, have an error of kind ``not_tried``.
        """
        outcomes: dict[str, T | PlivoError] = {}
        queue = iter(names)

        def next_name() -> str | None:
            with self._lock:
                return None if self.breaker.cause else next(queue, None)

        def labour() -> None:
            while True:
                name = next_name()
                if name is None:
                    return
                error = None
                try:
                    outcomes[name] = work(name)
                except PlivoError as failure:
                    failure.conference_name = name
                    error = outcomes[name] = failure.without_origin()
                except Exception as bug:  # pylint: disable=broad-exception-caught
                    # It must not take along the account of what was done for the others.
                    error = outcomes[name] = internal_error(bug, name)
                with self._lock:
                    self.breaker.record(error)

        helpers = min(self._workers, len(names)) - 1
        # Daemons, so that an interrupted task does not hang on requests that nobody waits for.
        threads = []
        for _number in range(helpers):
            thread = threading.Thread(target=labour, daemon=True)
            try:
                thread.start()
            except RuntimeError:
                break  # The system has no more of them; those that there are do the work.
            threads.append(thread)
        labour()
        for thread in threads:
            thread.join()
        return {name: outcomes[name] if name in outcomes else self._not_tried(name) for name in names}

    def _not_tried(self, name: str) -> PlivoError:
        cause = self.breaker.cause
        reason = f"after {cause.msg}" if cause else "after a failure"
        retryable = bool(cause and cause.retryable)
        return PlivoError(NOT_TRIED, f"not tried, {reason}", retryable=retryable, conference_name=name)


def internal_error(bug: Exception, name: str | None = None) -> PlivoError:
    """A mistake of this collection, told like any other failure."""
    msg = f"internal error: {type(bug).__name__}: {bug}; please report it, with the output at -vvv."
    # Where it came from is not known, so a request may have been on its way.
    return PlivoError(INTERNAL, " ".join(msg.split()), doubtful=True, conference_name=name)
