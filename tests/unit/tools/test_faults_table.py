# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of `make faults`: whether its verdicts are right."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from plivo_simulator import AUTH_ID
from tools.faults import running
from tools.faults.__main__ import disappointments
from tools.faults.catalogue import FAULTS, NO_FAULT, Fault
from tools.faults.contenders import CONTENDERS, Contender
from tools.faults.table import as_markdown, as_text, details, page, totals
from tools.faults.verdict import Claim, Job, Truth, Verdict, judge

ROOT = Path(__file__).parents[3]
OURS, URI, _UNTIL, SDK = CONTENDERS
BY_TITLE = {fault.title: fault for fault in FAULTS}


@pytest.mark.parametrize(
    ("status", "after", "verdict"),
    [
        (0, ["b", "c"], Verdict.SURVIVED),
        (0, ["a", "b", "c"], Verdict.WRONG),
        (1, ["a", "b", "c"], Verdict.FAILED),
        (1, ["b", "c"], Verdict.FALSE_ALARM),
        (-9, ["a", "b", "c"], Verdict.FAILED),
        (None, ["a", "b", "c"], Verdict.HUNG),
        (None, ["b", "c"], Verdict.HUNG),
        # Others went with it, or instead of it: nothing that is said makes that good.
        (0, ["c"], Verdict.WRONG),
        (0, ["a", "b"], Verdict.WRONG),
        (1, [], Verdict.WRONG),
        (None, [], Verdict.WRONG),
    ],
)
def test_verdict_on_a_hangup(status: int | None, after: list[str], verdict: Verdict) -> None:
    assert judge(Job.HANG_UP, "a", Claim(status), Truth(["a", "b", "c"], after)) is verdict


def test_a_name_that_nobody_has_cannot_be_hung_up() -> None:
    assert judge(Job.HANG_UP, "", Claim(0), Truth(["a"], ["a"])) is Verdict.WRONG
    assert judge(Job.HANG_UP, "", Claim(1), Truth(["a"], ["a"])) is Verdict.FAILED


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        (Claim(0, ["a", "b"]), Verdict.SURVIVED),
        (Claim(0, ["a"]), Verdict.WRONG),
        (Claim(0, ["b", "a", "c"]), Verdict.WRONG),
        (Claim(0, "ab"), Verdict.WRONG),
        (Claim(0, None), Verdict.WRONG),
        (Claim(0, []), Verdict.WRONG),
        (Claim(1), Verdict.FAILED),
        (Claim(1, ["a", "b"]), Verdict.FAILED),
        (Claim(None), Verdict.HUNG),
    ],
)
def test_verdict_on_a_list(claim: Claim, verdict: Verdict) -> None:
    assert judge(Job.LIST, "a", claim, Truth(["a", "b"], ["a", "b"])) is verdict


def test_whoever_hangs_up_while_reading_is_wrong() -> None:
    assert judge(Job.LIST, "a", Claim(0, ["b"]), Truth(["a", "b"], ["b"])) is Verdict.WRONG


def a_client(code: str) -> Contender:
    """Somebody who does what these lines of Python say; `call` makes a request and returns its status and body."""
    helper = """
import base64, http.client, json, os, sys, urllib.parse
url = urllib.parse.urlsplit(os.environ["PLIVO_API_URL"])
login = os.environ["PLIVO_AUTH_ID"] + ":" + os.environ["PLIVO_AUTH_TOKEN"]
def call(method, name=""):
    connection = http.client.HTTPConnection(url.netloc)
    path = url.path + "/Account/" + os.environ["PLIVO_AUTH_ID"] + "/Conference/" + name
    headers = {"Authorization": "Basic " + base64.b64encode(login.encode()).decode()}
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read()
"""
    return Contender("somebody", lambda job, conference: [sys.executable, "-c", helper + code], "")


@pytest.mark.parametrize(
    ("code", "job", "fault", "verdict"),
    [
        ("print(json.dumps(json.loads(call('GET')[1])['conferences']))", Job.LIST, "no fault", Verdict.SURVIVED),
        ("call('GET'); print('[]')", Job.LIST, "no fault", Verdict.WRONG),
        ("call('GET'); sys.exit('no')", Job.LIST, "503", Verdict.FAILED),
        ("call('DELETE', 'Sales/')", Job.HANG_UP, "no fault", Verdict.SURVIVED),
        ("call('DELETE', 'Sales/')", Job.HANG_UP, "503", Verdict.WRONG),
        ("call('DELETE', 'Sales/'); call('DELETE', 'Sales/')", Job.HANG_UP, "503", Verdict.SURVIVED),
        ("call('DELETE', 'Sales/'); sys.exit('no')", Job.HANG_UP, "500, though it was done", Verdict.FALSE_ALARM),
        ("call('DELETE'); sys.exit('no')", Job.HANG_UP, "no fault", Verdict.WRONG),
        ("call('DELETE', 'Sales/'); import time; time.sleep(60)", Job.HANG_UP, "no fault", Verdict.HUNG),
    ],
)
def test_a_run_is_judged_by_what_happened(
    code: str, job: Job, fault: str, verdict: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    if verdict is Verdict.HUNG:
        monkeypatch.setattr(running, "LIMIT", 2)
    assert running.run(a_client(code), job, BY_TITLE.get(fault, NO_FAULT), "").verdict is verdict


@pytest.mark.parametrize(
    ("code", "fault"),
    [("call('GET'); sys.exit('not even tried')", BY_TITLE["503"]), ("pass", NO_FAULT)],
    ids=["another-request", "no-request"],
)
def test_a_fault_that_nobody_met_proves_nothing(code: str, fault: Fault) -> None:
    with pytest.raises(running.MissedFaultError):
        running.run(a_client(code), Job.HANG_UP, fault, "")


def test_passing_faults_strike_one_request_and_lasting_ones_all() -> None:
    for fault in FAULTS:
        for job in fault.jobs:
            times = {rule["times"] for rule in fault.rules_for(job)}
            assert times <= ({1} if fault.passing else {None}), fault.title
            if fault.passing:
                assert {rule["method"] for rule in fault.rules_for(job)} == {"GET" if job is Job.LIST else "DELETE"}


@pytest.mark.parametrize(
    ("contender", "fault", "verdict", "disappoints"),
    [
        (OURS, "503", Verdict.SURVIVED, False),
        (OURS, "503", Verdict.FAILED, True),
        (OURS, "503 every time", Verdict.FAILED, False),
        (OURS, "503 every time", Verdict.WRONG, True),
        (OURS, "503 every time", Verdict.HUNG, True),
        (OURS, "503 every time", Verdict.FALSE_ALARM, True),
        (SDK, "503", Verdict.WRONG, False),
        (SDK, "no fault", Verdict.FAILED, True),
    ],
)
def test_what_makes_it_fail(contender: Contender, fault: str, verdict: Verdict, disappoints: bool) -> None:
    runs = {(contender, Job.HANG_UP, BY_TITLE.get(fault, NO_FAULT)): running.Run(verdict, 1.0, "what it said")}
    assert bool(disappointments(runs)) is disappoints


def verdicts(of_the_sdk: Mapping[str, Verdict]) -> dict[tuple[str, Job, str], Verdict]:
    """Results in which all survived everything, but for these hangups of the SDK."""
    everything = {
        (contender.title, job, fault.title): Verdict.SURVIVED
        for contender in CONTENDERS
        for fault in (NO_FAULT, *FAULTS)
        for job in fault.jobs
    }
    return {**everything, **{(SDK.title, Job.HANG_UP, title): verdict for title, verdict in of_the_sdk.items()}}


def test_totals() -> None:
    passing = sum(len(fault.jobs) for fault in FAULTS if fault.passing)
    of_the_sdk = {
        "503": Verdict.WRONG,
        "408": Verdict.FALSE_ALARM,
        "reset after it took effect": Verdict.FALSE_ALARM,
        "silence every time": Verdict.HUNG,
        "503 every time": Verdict.FAILED,
    }
    rows = totals(verdicts(of_the_sdk)).rows
    assert [row[1:] for row in rows[1:]] == [
        [str(passing), str(passing), str(passing), str(passing - 3)],
        ["0", "0", "0", "1"],
        ["0", "0", "0", "2"],
        ["0", "0", "0", "1"],
    ]


def test_every_run_is_in_the_tables_once() -> None:
    tables = details(verdicts({"503": Verdict.WRONG}))
    runs = sum(len(table.rows) - 1 for table in tables)
    assert runs == sum(len(fault.jobs) for fault in (NO_FAULT, *FAULTS))
    for show, expected in ((as_text, "wrong success"), (as_markdown, "**wrong success**")):
        (line,) = [line for table in tables for line in show(table).splitlines() if "wrong success" in line]
        assert line.strip("| ").startswith("503")
        assert line.strip("| ").endswith(expected)


def test_the_page_shows_the_faults_that_there_are() -> None:
    """Else it is time for `make faults`."""
    written = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
    expected = page(verdicts({}), "")
    labels = [line.split(" | ")[0] for line in expected.splitlines() if line.startswith("| ")]
    assert [line.split(" | ")[0] for line in written.splitlines() if line.startswith("| ")] == labels
    assert AUTH_ID not in written


def test_the_readme_shows_what_the_page_says_in_short() -> None:
    written = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
    (in_short,) = [part for part in written.split("\n## ") if part.startswith("In short\n")]
    table = "\n".join(line for line in in_short.splitlines() if line.startswith("|"))
    assert table in (ROOT / "README.md").read_text(encoding="utf-8")
