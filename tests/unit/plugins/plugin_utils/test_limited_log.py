# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strangers can cause warnings, but neither many nor false ones."""

from __future__ import annotations

import logging

import pytest

from ansible_collections.plivo.voice.plugins.plugin_utils._limited_log import LimitedLog
from unit.plugins.support import Clock


def test_so_many_in_a_time(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    log = LimitedLog(logging.getLogger("test"), 2, 60, clock)
    for number in range(5):
        log.write("x", f"n {number}")
    clock.now += 59.9
    log.write("x", "n 5")
    assert caplog.messages == ["x: n 0", "x: n 1"]
    clock.now += 0.1
    for number in range(6, 9):
        log.write("x", f"n {number}")
    assert caplog.messages[2:] == ["4 more warnings were left out", "x: n 6", "x: n 7"]
    clock.now += 60
    log.write("x", "n 9")
    clock.now += 60
    log.write("x", "n 10")
    assert caplog.messages[5:] == ["1 more warnings were left out", "x: n 9", "x: n 10"]
    assert {record.levelname for record in caplog.records} == {"WARNING"}


def test_the_first_time_begins_at_the_beginning(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    log = LimitedLog(logging.getLogger("test"), 1, 60, clock)
    clock.now += 59.9
    log.write("x", "n 0")
    log.write("x", "n 1")
    clock.now += 0.1
    log.write("x", "n 2")
    assert caplog.messages == ["x: n 0", "1 more warnings were left out", "x: n 2"]


def test_a_line_stays_one_line_of_bounded_length(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    LimitedLog(logging.getLogger("test"), 2, 60, clock).write("x", "a\r\nWARNING: b\x1b[31m\u2028c" + "d" * 10_000)
    (message,) = caplog.messages
    assert message.startswith("x: a WARNING: b [31m cddd")
    assert message.isprintable()
    assert len(message) < 250


def test_a_mistake_of_ours_comes_with_its_traceback(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    error = KeyError("x")
    LimitedLog(logging.getLogger("test"), 2, 60, clock).write("x", "y", error)
    (record,) = caplog.records
    assert record.exc_info == (KeyError, error, None)
