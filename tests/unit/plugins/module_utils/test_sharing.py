# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks that know nothing of each other and share an account: together they are too fast, and still all get done."""

from __future__ import annotations

import threading
import time

from ansible_collections.plivo.voice.plugins.module_utils._client import Client
from ansible_collections.plivo.voice.plugins.module_utils._conference import Conferences
from ansible_collections.plivo.voice.plugins.module_utils._crew import Crew
from ansible_collections.plivo.voice.plugins.module_utils._errors import PlivoError
from ansible_collections.plivo.voice.plugins.module_utils._pacing import SlidingWindow
from ansible_collections.plivo.voice.plugins.module_utils._transport import Transport
from plivo_simulator import AUTH_ID, AUTH_TOKEN, Simulator

TASKS = 6
HANGUPS = 30
WORKERS = 16


def test_parallel_tasks_on_one_account_do_not_add_up_to_a_storm() -> None:
    """In real time, as backing off together is about moments; this account's budget is renewed each second."""
    names = [[f"{task}-{number}" for number in range(HANGUPS)] for task in range(TASKS)]
    account = {"auth_token": AUTH_TOKEN, "conferences": [name for mine in names for name in mine]}
    settings = {"rate_limit": 60, "rate_window": 1}
    failed: list[PlivoError] = []

    def work(mine: list[str], api_url: str) -> None:
        window = SlidingWindow(0, time.monotonic, time.sleep)
        transport = Transport(api_url, timeout=10, connections=WORKERS)
        conferences = Conferences(Client(transport, AUTH_ID, AUTH_TOKEN, window=window, retries=8), AUTH_ID)
        outcomes = Crew(WORKERS).each(mine, conferences.hang_up)
        failed.extend(outcome for outcome in outcomes.values() if isinstance(outcome, PlivoError))

    with Simulator({"settings": settings, "accounts": {AUTH_ID: account}}) as sim:
        threads = [threading.Thread(target=work, args=(mine, sim.api_url)) for mine in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stats = sim.control.stats()
        assert failed == []
        assert list(sim.control.conferences()) == []
    # It was too much at once; and yet fewer were refused than there was to do.
    assert 0 < stats["rate_limited"] < TASKS * HANGUPS
