# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A log that strangers cause, and can neither fill nor forge."""

from __future__ import annotations

import logging
import typing as t

from ..module_utils._answers import one_line


class LimitedLog:
    """Warnings, of which so many in a time are written, each on one line of bounded length.

    :param logger: where they go.
    :param lines: how many are written in a time.
    :param seconds: that time.
    :param clock: monotonic seconds.
    """

    def __init__(self, logger: logging.Logger, lines: int, seconds: float, clock: t.Callable[[], float]) -> None:
        self._logger = logger
        self._lines = lines
        self._seconds = seconds
        self._clock = clock
        self._until = clock() + seconds
        self._written = 0
        self._left_out = 0

    def write(self, who: str, what: str, error: BaseException | None = None) -> None:
        """Warn of something.

        :param error: a mistake of our own, whose traceback is wanted.
        """
        now = self._clock()
        if now >= self._until:
            if self._left_out:
                self._logger.warning("%d more warnings were left out", self._left_out)
            self._until = now + self._seconds
            self._written = self._left_out = 0
        if self._written >= self._lines:
            self._left_out += 1
            return
        self._written += 1
        self._logger.warning("%s: %s", who, one_line(what), exc_info=error)
