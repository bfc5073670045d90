# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook plivo.voice.maintenance_hangup, run by its name as a user would."""

from __future__ import annotations

from typing import Any

from integration.running import Ansible
from plivo_simulator import AUTH_ID, AUTH_TOKEN, Control, Simulator

MAINTENANCE = "plivo.voice.maintenance_hangup"


def local(simulator: Simulator) -> dict[str, str]:
    return {"PLIVO_AUTH_ID": AUTH_ID, "PLIVO_AUTH_TOKEN": AUTH_TOKEN, "PLIVO_API_URL": simulator.api_url}


def names(conferences: list[dict[str, Any]]) -> list[str]:
    return [each["conference_name"] for each in conferences]


def test_many_accounts(ansible: Ansible, simulator: Simulator, control: Control) -> None:
    """All in one run: draining, strangers' names, people who redial, the guard, a wrong token, a broken conference."""
    accounts: dict[str, tuple[list[Any], dict[str, Any]]] = {
        # Ends after the two requests of the snapshot, so the first look finds nothing to wait for.
        "drains": ([{"name": "ends", "ends_after_requests": 2}], {"plivo_drain_timeout": "2m"}),
        "hangs-up": (
            ["keep", "a{{ 1+1 }}", "a{% raw %}", {"name": "aback", "redial_in": 0}],
            {"plivo_patterns": ["a*"], "plivo_drain_timeout": 0, "plivo_members": True},
        ),
        "guard": (["one", "two"], {"plivo_all": True, "plivo_patterns": None, "plivo_max_hangups": 1}),
        "wrong": (["x"], {"plivo_auth_token": "not-it"}),
        "partly": (["good", "bad"], {}),
        "named": (["here", "there"], {"plivo_names": ["here", "nowhere"], "plivo_patterns": None}),
    }
    inventory = {
        host: {
            "ansible_connection": "ssh",
            "plivo_api_url": simulator.api_url,
            "plivo_auth_id": f"MA-{host}",
            "plivo_auth_token": f"token-of-{host}",
            "plivo_patterns": ["*"],
            "plivo_drain_timeout": 0,
            **variables,
        }
        for host, (_conferences, variables) in accounts.items()
    }
    control.load(
        {
            "accounts": {
                f"MA-{host}": {"auth_token": f"token-of-{host}", "conferences": conferences}
                for host, (conferences, _variables) in accounts.items()
            },
            "faults": [{"action": "answer", "account": "MA-partly", "method": "DELETE", "name": "bad", "status": 403}],
        }
    )
    run = ansible.playbook(MAINTENANCE, variables={"plivo_hosts": "all"}, inventory=inventory)

    assert run.rc == 2, run.output
    assert {host for host, each in run.stats.items() if each["failures"]} == {"guard", "wrong", "partly"}
    assert "token-of-" not in run.output
    deleted = [(entry["account"], entry["name"]) for entry in control.log() if entry["method"] == "DELETE"]
    assert len(deleted) == 6
    assert set(deleted) == {
        ("MA-hangs-up", "a{% raw %}"),
        ("MA-hangs-up", "aback"),
        ("MA-hangs-up", "a{{ 1+1 }}"),
        ("MA-named", "here"),
        ("MA-partly", "bad"),
        ("MA-partly", "good"),
    }
    assert list(control.conferences("MA-hangs-up")) == ["keep", "aback"]

    results = {each["account"]: each for each in run.custom_stats.values()}
    assert sorted(run.custom_stats) == [
        f"plivo_maintenance_{host}" for host in ("drains", "guard", "hangs_up", "named", "partly", "wrong")
    ]
    for each in results.values():
        assert sorted(each) == sorted(results["drains"])
        assert each["check_mode"] is False
        assert sorted(each["durations"]) == ["drain", "hangup", "total"]
    assert {host for host, each in results.items() if each["ok"]} == {"drains", "hangs-up", "named"}
    assert {host for host, each in results.items() if not each["verified"]} == {"wrong"}

    each = results["drains"]
    assert names(each["before"]) == each["ended"] == ["ends"]
    assert each["hung_up"] == []
    assert 1 <= each["durations"]["drain"] < 60
    (told,) = run.results("still live", host="drains")
    assert told.result["msg"].endswith(" for 1 conference to end: ends")

    each = results["hangs-up"]
    assert names(each["before"]) == each["hung_up"] == ["a{{ 1+1 }}", "a{% raw %}", "aback"]
    assert sorted(each["before"][0]) == [
        "conference_member_count",
        "conference_name",
        "conference_run_time",
        "members",
    ]
    assert each["restarted"] == ["aback"]
    assert each["still_live"] == []

    each = results["guard"]
    assert (each["hung_up"], each["still_live"]) == ([], ["one", "two"])
    assert [error["kind"] for error in each["errors"]] == ["guard"]

    (error,) = results["wrong"]["errors"]
    assert (error["step"], error["status"], error["conference_name"]) == ("snapshot", 401, None)
    assert sum(entry["account"] == "MA-wrong" for entry in control.log()) <= 1

    each = results["partly"]
    assert (each["hung_up"], each["still_live"]) == (["good"], ["bad"])
    (error,) = each["errors"]
    assert (error["step"], error["kind"], error["conference_name"]) == ("hangup", "forbidden", "bad")

    each = results["named"]
    assert (each["hung_up"], each["absent"], each["ended"]) == (["here"], ["nowhere"], [])

    summary = {each.host: each for each in run.results("Summary")}
    assert summary["wrong"].result["msg"][0] == "wrong failed, nothing was hung up"
    assert "Live again, people have redialled: aback" in summary["hangs-up"].result["msg"]
    assert summary["partly"].outcome == "failed"


def test_check_then_real_then_again(ansible: Ansible, simulator: Simulator, control: Control) -> None:
    control.add_conferences({"name": "old", "run_time": 7300}, {"name": "{{ 1+1 }}", "run_time": 7200}, "young")
    control.settings(read_only=True)
    # A list by file or AWX has types; what comes as "-e name=value" is text.
    variables = {"plivo_all": "true", "plivo_max_hangups": "2", "plivo_min_run_time": "2h", "plivo_drain_timeout": "0"}

    check = ansible.playbook(
        MAINTENANCE,
        "--check",
        "--diff",
        variables={**variables, "plivo_drain_timeout": "1d"},
        env=local(simulator),
    )
    assert check.rc == 0, check.output
    assert not control.violations()
    assert not check.results("Look again")
    assert [each.outcome for each in check.results("Make sure that they are gone")] == ["skipped"]
    predicted = check.custom_stats["plivo_maintenance_localhost"]
    assert (predicted["check_mode"], predicted["auth_id"]) == (True, AUTH_ID)
    assert predicted["hung_up"] == ["old", "{{ 1+1 }}"]
    assert (predicted["ended"], predicted["still_live"]) == ([], [])

    control.settings(read_only=False)
    real = ansible.playbook(MAINTENANCE, variables=variables, env=local(simulator))
    assert real.rc == 0, real.output
    assert real.custom_stats["plivo_maintenance_localhost"]["hung_up"] == predicted["hung_up"]
    assert real.stats["localhost"]["changed"] == check.stats["localhost"]["changed"] == 1
    assert list(control.conferences()) == ["young"]

    control.settings(read_only=True)
    again = ansible.playbook(MAINTENANCE, variables=variables, env=local(simulator))
    assert again.rc == 0, again.output
    assert again.stats["localhost"]["changed"] == 0
    assert not control.violations()


def test_refused_before_any_request(ansible: Ansible, simulator: Simulator, control: Control) -> None:
    """Each host makes a mistake of its own, so that one run shows them all."""
    mistakes: dict[str, tuple[dict[str, Any], str]] = {
        "nothing": ({}, "plivo_all, plivo_names or plivo_patterns: none is given"),
        "not_all": ({"plivo_all": False}, "plivo_all, plivo_names or plivo_patterns: none is given"),
        "unlimited": ({"plivo_all": True}, "plivo_max_hangups: it is needed together with plivo_all"),
        "two": ({"plivo_all": "yes", "plivo_names": ["a"], "plivo_max_hangups": 1}, "plivo_all: it excludes"),
        "limit": ({"plivo_names": ["a"], "plivo_max_hangups": "many"}, 'plivo_max_hangups: "many" is not a whole'),
        "drain": ({"plivo_names": ["a"], "plivo_drain_timeout": 1.5}, "plivo_drain_timeout: 1.5 is not a duration"),
        "longer": ({"plivo_names": ["a"], "plivo_drain_timeout": "25h"}, "plivo_drain_timeout: 25h is more than a day"),
        "same-key": ({"plivo_names": ["a"]}, "plivo_hosts: the results of same-key and same_key would have one"),
        "same_key": ({"plivo_names": ["a"]}, "plivo_hosts: the results of same_key and same-key would have one"),
        "typo": ({"plivo_names": ["a"], "plivo_excludes": "{{ spared }}"}, "plivo_excludes: it refers to a variable"),
        # Whether it is the list or its entry differs between versions of Ansible.
        "nested": ({"plivo_names": ["a"], "plivo_excludes": ["{{ spared }}"]}, "plivo_excludes: "),
        "tokenless": (
            {"plivo_names": ["a"], "plivo_auth_token": None},
            "plivo_auth_token: it is not given for tokenless",
        ),
    }
    inventory = {
        host: {"plivo_auth_id": f"MA{host}", "plivo_auth_token": "s3cret", **variables}
        for host, (variables, _message) in mistakes.items()
    }
    run = ansible.playbook(MAINTENANCE, variables={"plivo_hosts": "all"}, inventory=inventory, env=local(simulator))
    assert run.rc == 2
    found = {each.host: each.result["msg"] for each in run.results("Fail when a variable is wrong")}
    for host, (_variables, message) in mistakes.items():
        assert len(found[host]) == 1, found[host]
        assert found[host][0].startswith(message), found[host]
    assert control.log() == []
