# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both playbooks as jobs of AWX: what a job shows and hands on, in one piece and in slices."""

from __future__ import annotations

from pathlib import Path

import pytest

from integration.jobs import JobTemplate, merged, vaulted
from integration.running import credentials
from plivo_simulator import AUTH_TOKEN, Control, Simulator

REPORT = "conference_report.yml"
MAINTENANCE = "maintenance_hangup.yml"

VAULT_PASSWORD = "of the vault credential"
STRANGE = "{{ 1+1 }} {% raw %}"


@pytest.mark.parametrize(("number", "slices"), [(9, 3), pytest.param(50, 5, marks=pytest.mark.long)])
def test_many_accounts_in_slices(
    number: int, slices: int, tmp_path: Path, collections: Path, simulator: Simulator, control: Control
) -> None:
    """One has a wrong token, one is refused for a variable, one meets its rate limit; the others don't notice."""
    accounts = [f"acct{each:02}" for each in range(number)]
    # One in each of the first slices.
    refused, wrong, limited = accounts[slices], accounts[1], accounts[2]
    hosts = {
        account: {"plivo_auth_id": f"MA{account}", "plivo_auth_token": vaulted(f"token-of-{account}", VAULT_PASSWORD)}
        for account in accounts
    }
    hosts[wrong]["plivo_auth_token"] = vaulted("token-of-nobody", VAULT_PASSWORD)
    hosts[refused]["plivo_exclude"] = "a misspelt name"
    control.load(
        {
            "accounts": {
                f"MA{account}": {"auth_token": f"token-of-{account}", "conferences": [f"of {account}", "keep"]}
                for account in accounts
            }
        }
    )
    control.settings(account=f"MA{limited}", rate_limit=2, rate_window=1, retry_after=1)
    template = JobTemplate(
        tmp_path,
        collections,
        MAINTENANCE,
        hosts=hosts,
        extra_vars={
            "plivo_hosts": "all",
            "plivo_api_url": simulator.api_url,
            "plivo_all": True,
            "plivo_excludes": ["keep"],
            "plivo_max_hangups": 5,
            "plivo_drain_timeout": 0,
        },
        injected={},
        vault_password=VAULT_PASSWORD,
    )
    jobs = template.launch_sliced(slices)

    # What really happened
    assert {entry["account"] for entry in control.log()} == {
        f"MA{account}" for account in accounts if account != refused
    }
    left = {account: list(control.conferences(f"MA{account}")) for account in accounts}
    assert {account for account, names in left.items() if names != ["keep"]} == {wrong, refused}
    assert [entry["status"] for entry in control.log() if entry["account"] == f"MA{limited}"].count(429) > 0

    # The jobs that are red, and what each says last.
    assert [(job.status, job.rc, job.failed_hosts) for job in jobs] == [
        ("failed", 2, [refused]),
        ("failed", 2, [wrong]),
        *[("successful", 0, [])] * (slices - 2),
    ]
    size = number // slices
    assert [job.last_result["msg"][0] for job in jobs] == [
        f"{size} accounts: {size - 1} done, 1 failed: {refused} (invalid_request)",
        f"{size} accounts: {size - 1} done, 1 failed: {wrong} (authentication)",
        *[f"{size} accounts: {size} done"] * (slices - 2),
    ]
    for job in jobs:
        assert job.last_result["msg"][0] in job.stdout

    # No slice overwrites another's, and none hands on more than its accounts.
    results = merged(jobs)
    assert sorted(results) == [f"plivo_maintenance_{account}" for account in accounts]
    fields = set(results[f"plivo_maintenance_{accounts[0]}"])
    for account in accounts:
        result = results[f"plivo_maintenance_{account}"]
        assert set(result) == fields
        assert (result["account"], result["auth_id"]) == (account, f"MA{account}")
        assert result["ok"] is (account not in (wrong, refused))
        assert result["hung_up"] == ([f"of {account}"] if result["ok"] else [])
        assert {(error["step"], error["kind"]) for error in result["errors"]} == {
            wrong: {("snapshot", "authentication")},
            refused: {("variables", "invalid_request")},
        }.get(account, set())
    assert [job.files_with("token-of-") for job in jobs] == [[]] * slices


def test_a_credential_of_the_job(tmp_path: Path, collections: Path, simulator: Simulator, control: Control) -> None:
    """The account comes by the environment; large results are kept from events only; the next job can take them all."""
    names = [STRANGE, *(f"conference {number:02}" for number in range(30))]
    control.add_conferences(*names)
    injected = credentials(simulator)
    report = JobTemplate(
        tmp_path / "report",
        collections,
        REPORT,
        {},
        {"plivo_hosts": "localhost"},
        {**injected, "MAX_EVENT_RES": "1500"},
    )
    job = report.launch()
    assert job.status == "successful", job.stdout
    read, live = job.last_result["msg"]
    assert read == "1 account: 1 read"
    assert live.startswith("31 live conferences, 31 members, the longest running for ")
    (handed_on,) = job.artifacts.values()
    assert list(job.artifacts) == ["plivo_conferences_localhost"]
    assert [each["conference_name"] for each in handed_on["conferences"]] == names

    maintenance = JobTemplate(
        tmp_path / "maintenance",
        collections,
        MAINTENANCE,
        {},
        {"plivo_patterns": ["*"], "plivo_drain_timeout": 0},
        {**injected, "MAX_EVENT_RES": "1500"},
    )
    next_job = maintenance.launch(**job.artifacts)
    assert next_job.status == "successful", next_job.stdout
    assert next_job.artifacts["plivo_maintenance_localhost"]["hung_up"] == names
    for each in (job, next_job):
        results = [event["event_data"]["res"] for event in each.events if "res" in event["event_data"]]
        # What AWX has dropped is in no event, and yet it was handed on.
        assert {} in results
        # ansible-runner itself writes down the environment that it was given.
        assert each.files_with(AUTH_TOKEN) == ["command"]


def test_dry_runs_and_a_survey_without_answers(
    tmp_path: Path, collections: Path, simulator: Simulator, control: Control
) -> None:
    """Check mode and the survey's question do the same; nothing is hung up without a choice."""
    control.add_conferences("sales-1", "Support, EMEA")
    control.settings(read_only=True)
    answers = {"plivo_patterns_text": " Support, EMEA \r\n\r\n", "plivo_excludes_text": "", "plivo_min_run_time": ""}
    common = (collections, MAINTENANCE, {}, {"plivo_hosts": "localhost"}, credentials(simulator))
    check = JobTemplate(tmp_path / "check", *common, check=True).launch(**answers, plivo_dry_run="no")
    survey = JobTemplate(tmp_path / "survey", *common).launch(**answers, plivo_dry_run="yes")
    for job in (check, survey):
        assert job.status == "successful", job.stdout
        outcome = job.artifacts["plivo_maintenance_localhost"]
        assert (outcome["check_mode"], outcome["hung_up"]) == (True, ["Support, EMEA"])
        assert "1 conference would be hung up now" in job.last_result["msg"][1]
    nothing = {**answers, "plivo_patterns_text": "", "plivo_max_hangups": 50, "plivo_drain_timeout": "5m"}
    unanswered = JobTemplate(tmp_path / "unanswered", *common).launch(**nothing, plivo_dry_run="no")
    assert unanswered.status == "failed"
    assert "none is given, and nothing is hung up" in unanswered.stdout
    assert {entry["method"] for entry in control.log()} == {"GET"}
