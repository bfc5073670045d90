# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook plivo.voice.maintenance_hangup, run by its name as a user would."""

from __future__ import annotations

import json
import re
from typing import Any

from integration.running import Ansible
from plivo_simulator import AUTH_ID, AUTH_TOKEN, Control, Simulator

MAINTENANCE = "plivo.voice.maintenance_hangup"
# What a configuration may ask of all plays, and what these must not follow.
CONFIGURED = {"ANSIBLE_STRATEGY": "free", "ANSIBLE_ANY_ERRORS_FATAL": "true"}


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


def test_each_account_gets_its_own_drain(ansible: Ansible, simulator: Simulator, control: Control) -> None:
    """What cannot be read takes nobody's time away, and no account waits for the drain of another."""
    accounts: dict[str, tuple[list[Any], str]] = {
        # Its third look finds nothing to wait for.
        "long": ([{"name": "ends", "ends_after_requests": 4}], "4m"),
        "short": (["stays"], "3s"),
        # A stranger has chosen a name that has no URL of its own.
        "partly": (["Sales", "team/"], "4s"),
        # Its first look fails, and it ends before the second.
        "flaky": ([{"name": "meanwhile", "ends_after_requests": 3}], "4m"),
        # Begins after the hangup has read the list.
        "late": (["A", "B", {"name": "New", "starts_after_requests": 5}], "0"),
    }
    inventory = {
        host: {
            "plivo_api_url": simulator.api_url,
            "plivo_auth_id": f"MA-{host}",
            "plivo_auth_token": f"token-of-{host}",
            "plivo_drain_timeout": timeout,
        }
        for host, (_conferences, timeout) in accounts.items()
    }
    control.load(
        {
            "accounts": {
                f"MA-{host}": {"auth_token": f"token-of-{host}", "conferences": conferences}
                for host, (conferences, _timeout) in accounts.items()
            },
            "faults": [
                {"action": "answer", "account": "MA-late", "method": "DELETE", "name": "B", "status": 403},
                {"action": "answer", "account": "MA-flaky", "target": "collection", "skip": 1, "status": 403},
            ],
        }
    )
    variables = {"plivo_hosts": "all", "plivo_patterns": ["*"]}
    run = ansible.playbook(MAINTENANCE, variables=variables, inventory=inventory, env=CONFIGURED)

    assert run.rc == 2, run.output
    assert "free strategy" not in run.output
    assert {host for host, each in run.stats.items() if each["failures"]} == {"partly", "late"}
    log = {host: [entry for entry in control.log() if entry["account"] == f"MA-{host}"] for host in accounts}
    results = {each["account"]: each for each in run.custom_stats.values()}

    def deleted(host: str) -> list[dict[str, Any]]:
        return [entry for entry in log[host] if entry["method"] == "DELETE"]

    (hangup,) = deleted("short")
    assert hangup["time"] - log["short"][0]["time"] > 2
    # Before the last look at one whose drain takes longer.
    assert hangup["n"] < log["long"][4]["n"]
    assert results["short"]["hung_up"] == ["stays"]
    # By itself, the rhythm of a drain of four minutes is six seconds.
    paused = [int(seconds) for seconds in re.findall("Pausing for ([0-9]+) seconds", run.output)]
    assert paused[0] <= 3

    (hangup,) = deleted("partly")
    assert hangup["time"] - log["partly"][0]["time"] > 3
    assert hangup["n"] < log["long"][-1]["n"]
    (told, *_more) = run.results("still live", host="partly")
    assert (
        "for 1 conference to end: Sales; there may be more, as the look failed in part: 'team/'" in told.result["msg"]
    )
    assert (results["partly"]["hung_up"], results["partly"]["still_live"]) == (["Sales"], [])

    assert len(run.results("Look again", host="flaky")) == 2
    told = run.results("still live", host="flaky")[1]
    assert "flaky: the look failed, trying again for up to " in told.result["msg"]
    for host, name in (("long", "ends"), ("flaky", "meanwhile")):
        assert (results[host]["ended"], results[host]["ok"]) == ([name], True)
        assert deleted(host) == []

    assert results["late"]["hung_up"] == ["A"]
    assert (results["late"]["still_live"], results["late"]["began"]) == (["B"], ["New"])
    assert results["late"]["durations"]["drain"] == 0


def test_hosts_are_not_taken_from_the_inventory(ansible: Ansible, simulator: Simulator, control: Control) -> None:
    """Ansible would run the play on localhost, with the account of the environment."""
    control.load(
        {
            "accounts": {
                AUTH_ID: {"auth_token": AUTH_TOKEN, "conferences": ["of the environment"]},
                "MA1": {"auth_token": "token", "conferences": ["meant"]},
                "MA2": {"auth_token": "token", "conferences": ["not within the limit"]},
            }
        }
    )
    choice = {"plivo_patterns": ["*"], "plivo_drain_timeout": 0}
    hosts = {
        "one": {"plivo_auth_id": "MA1", "plivo_auth_token": "token"},
        "two": {"plivo_auth_id": "MA2", "plivo_auth_token": "token"},
    }
    named = {"plivo_hosts": "accounts"}
    cases: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any], list[str]]] = [
        ({**named, **choice}, {}, {"localhost": {}}, hosts, ["--limit", "localhost"]),
        ({**named, **choice}, {}, {}, {"localhost": {}, **hosts}, []),
        (choice, named, {}, hosts, []),
    ]
    for number, (of_all, of_group, others, members, options) in enumerate(cases):
        inventory = ansible.folder / f"accounts{number}.json"
        groups = {"accounts": {"vars": of_group, "hosts": members}}
        content = {"all": {"vars": of_all, "hosts": others, "children": groups}}
        inventory.write_text(json.dumps(content), encoding="utf-8")
        run = ansible.playbook(MAINTENANCE, "-i", str(inventory), *options, env=local(simulator))
        assert run.rc == 2, run.output
        (refused,) = run.results("Fail when the play is not for the hosts of plivo_hosts")
        assert refused.result["msg"] == (
            'plivo_hosts: the inventory sets it to "accounts", but the hosts of a play are settled before that is read,'
            " so this run would be for localhost; give it with -e instead: -e plivo_hosts=accounts"
        )
        assert control.log() == []

    run = ansible.playbook(
        MAINTENANCE, "-i", str(inventory), "--limit", "one", variables={**named, **choice}, env=local(simulator)
    )
    assert run.rc == 0, run.output
    assert [(entry["account"], entry["name"]) for entry in control.log() if entry["method"] == "DELETE"] == [
        ("MA1", "meant")
    ]


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
        "misspelt": ({"plivo_names": ["a"], "plivo_exclude": ["b"]}, "plivo_exclude: there is no such variable"),
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
