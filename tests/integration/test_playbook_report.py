# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook plivo.voice.conference_report, run by its name as a user would."""

from __future__ import annotations

import csv
import json
import stat
from html.parser import HTMLParser
from typing import Any

import pytest

from integration.running import Ansible, Run
from plivo_simulator import AUTH_ID, AUTH_TOKEN, Control, Simulator

REPORT = "plivo.voice.conference_report"
HOSTILE = ["{{ 1+1 }}", "{% raw %}", "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', '=1+1,"x"\n@y']
# What an inventory of machines may say, and what must have no meaning for accounts.
OF_MACHINES = {"ansible_connection": "ssh", "ansible_become": True, "ansible_python_interpreter": "/nowhere/python"}


def conference(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "run_time": 600, **more}


@pytest.fixture
def inventory(simulator: Simulator, control: Control) -> dict[str, dict[str, Any]]:
    """Five accounts: one with names of strangers, one without conferences, and three on which something fails."""
    control.load(
        {
            "accounts": {
                "MAACME": {
                    "auth_token": "token-of-acme",
                    "conferences": [
                        conference("Sales, EMEA", run_time=7260, members=3),
                        *(conference(name, members=[{"caller_name": name, "from": "+1456"}]) for name in HOSTILE),
                    ],
                },
                "MAQUIET": {"auth_token": "token-of-quiet"},
                "MAPARTLY": {"auth_token": "token-of-partly", "conferences": ["good", "bad"]},
                "MAWRONG": {"auth_token": "another", "conferences": ["x"]},
            },
            "faults": [{"action": "answer", "account": "MAPARTLY", "name": "bad", "status": 403, "times": None}],
        }
    )
    hosts = {
        name: {"plivo_auth_id": f"MA{name.upper()}", "plivo_auth_token": f"token-of-{name}"}
        for name in ("acme", "quiet", "partly", "wrong")
    }
    hosts["tokenless"] = {"plivo_auth_id": "MATOKENLESS"}
    return {name: {**OF_MACHINES, "plivo_api_url": simulator.api_url, **each} for name, each in hosts.items()}


def local(simulator: Simulator) -> dict[str, str]:
    return {"PLIVO_AUTH_ID": AUTH_ID, "PLIVO_AUTH_TOKEN": AUTH_TOKEN, "PLIVO_API_URL": simulator.api_url}


def test_many_accounts_and_all_forms(ansible: Ansible, control: Control, inventory: dict[str, dict[str, Any]]) -> None:
    def report(path: str, *options: str, **variables: Any) -> Run:
        # The environment's credentials must not serve any of several hosts.
        env = {"PLIVO_AUTH_ID": "MAACME", "PLIVO_AUTH_TOKEN": "token-of-acme"}
        variables = {"plivo_hosts": "all", "plivo_report_path": path, **variables}
        return ansible.playbook(REPORT, *options, variables=variables, inventory=inventory, env=env)

    run = report("report.json", "-vvv")
    assert run.rc == 2, run.output
    assert {host for host, each in run.stats.items() if each["failures"]} == {"partly", "wrong", "tokenless"}
    assert "token-of-" not in run.output
    seen = control.log()
    assert {entry["method"] for entry in seen} == {"GET"}
    assert {name: sum(entry["account"] == name for entry in seen) for name in ("MAACME", "MAQUIET", "MAPARTLY")} == {
        "MAACME": 7,
        "MAQUIET": 1,
        "MAPARTLY": 3,
    }
    path = ansible.folder / "report.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    document = json.loads(path.read_text(encoding="utf-8"))
    check_document(document)
    (lines,) = [each.result["msg"] for each in run.results("Summary", host="acme")]
    assert lines[:2] == ["acme: 6 live conferences", lines[1]]
    # Who they are is in the file, for its owner only.
    assert lines[1] == "Sales, EMEA: running for 2 h 1 min, 3 members"
    assert "{{ 1+1 }}: running for 10 min, 1 member" in lines

    run = report("report.HTML")
    assert run.rc == 2, run.output
    check_html((ansible.folder / "report.HTML").read_text(encoding="utf-8"))

    # A path of the user's HOME, and what narrows the choice.
    run = report("~/report.csv", plivo_excludes=["good"], plivo_max_run_time="1h", plivo_use_regex="yes")
    assert run.rc == 2, run.output
    check_csv((ansible.folder / "home/report.csv").read_bytes())

    # No file system has such names. The accounts are summed up all the same.
    run = report(f"{'x' * 300}.json", "--limit", "quiet,wrong")
    assert run.rc == 2
    assert [each.result["msg"] for each in run.results("Summary", host="quiet")] == [["quiet: no live conferences"]]
    assert [each.outcome for each in run.results("Summary", host="wrong")] == ["failed"]
    assert not run.results("Say where the report is")[0].result.get("msg")
    assert run.tasks[-1].result["msg"].startswith("plivo_report_path: the report could not be written to /")


def check_document(document: dict[str, Any]) -> None:
    assert sorted(document) == ["accounts", "made_at", "selection", "totals"]
    assert document["selection"] == {}
    assert document["totals"]["longest_run_time"] >= 7260
    assert {**document["totals"], "longest_run_time": 0} == {
        "accounts": 5,
        "failed_accounts": 3,
        "conferences": 7,
        "members": 9,
        "longest_run_time": 0,
    }
    accounts = {each["account"]: each for each in document["accounts"]}
    assert list(accounts) == ["acme", "quiet", "partly", "wrong", "tokenless"]
    acme = accounts["acme"]
    assert acme["auth_id"] == "MAACME"
    assert [each["conference_name"] for each in acme["conferences"]] == ["Sales, EMEA", *HOSTILE]
    assert [each["members"][0]["caller_name"] for each in acme["conferences"][1:]] == HOSTILE
    assert acme["error"] is None
    assert accounts["quiet"]["conferences"] == []
    assert [each["conference_name"] for each in accounts["partly"]["conferences"]] == ["good"]
    assert accounts["partly"]["error"]["kind"] == "forbidden"
    assert [each["conference_name"] for each in accounts["partly"]["errors"]] == ["bad"]
    assert accounts["wrong"]["error"]["status"] == 401
    assert accounts["tokenless"]["error"]["kind"] == "invalid_request"
    assert "plivo_auth_token: it is not given for tokenless" in accounts["tokenless"]["error"]["msg"]


class Page(HTMLParser):
    """Notes the tags and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def check_html(text: str) -> None:
    page = Page(text)
    tags = {tag for tag, _attributes in page.tags}
    assert not tags & {"script", "img", "link", "iframe", "b"}
    assert not [attributes for _tag, attributes in page.tags if any(name.startswith("on") for name in attributes)]
    assert "http://" not in text.replace("GET http://127.0.0.1", "")
    assert dict(page.tags)["html"] == {"lang": "en"}
    assert [attributes["scope"] for tag, attributes in page.tags if tag == "th"].count("row") == 7
    for name in HOSTILE:
        assert page.text.count(name) >= 2, name
    for words in ("3 accounts failed", "could not be read", "only in part", "Nobody is in a conference right now on"):
        assert words in page.text
    assert "answered 401" in page.text


def check_csv(content: bytes) -> None:
    text = content.decode("utf-8")
    assert content.count(b"\r\n") == 1 + 5 + 3
    lines = list(csv.DictReader(text.splitlines(keepends=True)))
    assert {line["status"] for line in lines} == {"live", "failed"}
    acme = [line for line in lines if line["account"] == "acme"]
    # The one that runs for two hours is not in it.
    assert [line["conference_name"] for line in acme] == [*HOSTILE[:4], "'" + HOSTILE[4]]
    assert [line["caller_name"] for line in acme] == [*HOSTILE[:4], "'" + HOSTILE[4]]
    assert {line["from"] for line in acme} == {"'+1456"}
    failed = {line["account"]: line for line in lines if line["status"] == "failed"}
    assert list(failed) == ["partly", "wrong", "tokenless"]
    assert failed["partly"]["conference_name"] == "bad"
    assert "401" in failed["wrong"]["error"]


def test_localhost_alone(ansible: Ansible, simulator: Simulator, control: Control) -> None:
    control.add_conferences(conference("large", members=5), conference("small"), conference("{{ 2+2 }}", members=9))
    env = local(simulator)
    run = ansible.playbook(REPORT, variables={"plivo_min_members": "2", "plivo_members": "no"}, env=env)
    assert run.rc == 0, run.output
    assert run.results("Summary")[0].result["msg"] == [
        "localhost: 2 live conferences",
        "large: running for 10 min, 5 members",
        "{{ 2+2 }}: running for 10 min, 9 members",
    ]
    assert "Caller" not in run.output

    # Without a file the output says who is on, in their own words.
    control.add_conferences({"name": "own", "run_time": 600, "members": [{"caller_name": "{{ 3+3 }}\nBob"}]})
    run = ansible.playbook(REPORT, variables={"plivo_names": ["own"]}, env=env)
    assert run.results("Summary")[0].result["msg"][-1] == "own: running for 10 min, 1 member ({{ 3+3 }} Bob)"

    control.settings(read_only=True)
    variables = {"plivo_names": ["small", "gone"], "plivo_report_path": str(ansible.folder / "report.html")}
    run = ansible.playbook(REPORT, "--check", "--diff", variables=variables, env=env)
    assert run.rc == 0, run.output
    assert run.results("Summary")[0].result["msg"][-1] == "gone: not live"
    assert not (ansible.folder / "report.html").exists()
    assert not control.violations()

    # Nobody is there, nothing was asked for.
    control.load({})
    variables = {"plivo_names": None, "plivo_report_path": "report.html"}
    run = ansible.playbook(REPORT, variables=variables, env=env)
    assert run.rc == 0, run.output
    assert "Nobody is in a conference right now" in (ansible.folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("options", [("--diff",), ("--diff", "-v"), ("--check", "--diff")], ids=" ".join)
def test_who_is_on_is_said_only_in_the_file(
    options: tuple[str, ...], ansible: Ansible, simulator: Simulator, control: Control
) -> None:
    """Neither by a failure, which prints what was read, nor by the file's diff."""
    someone = {"caller_name": "Alice Secret", "from": "+15551234567"}
    control.add_conferences({"name": "a", "members": [someone]}, {"name": "b", "findable": False})
    run = ansible.playbook(
        REPORT, *options, variables={"plivo_report_path": str(ansible.folder / "r.json")}, env=local(simulator)
    )
    assert run.rc == 2
    assert "listed, but not found under its URL" in run.output
    assert "Alice" not in run.output
    assert "15551234567" not in run.output
    if "--check" not in options:
        assert "Alice Secret" in (ansible.folder / "r.json").read_text(encoding="utf-8")


def test_refused_before_any_request(ansible: Ansible, simulator: Simulator, control: Control) -> None:
    """Each host makes a mistake of its own, so that one run shows them all."""
    mistakes: dict[str, tuple[dict[str, Any], str]] = {
        "ending": ({"plivo_report_path": "report.pdf"}, 'plivo_report_path: "report.pdf" does not end in'),
        "folder": ({"plivo_report_path": "nowhere/report.csv"}, "plivo_report_path: there is no folder"),
        "string": ({"plivo_names": "Sales, EMEA"}, 'plivo_names: "Sales, EMEA" is not a list'),
        "entry": ({"plivo_patterns": [7]}, "plivo_patterns: the entry 7 is not a text"),
        "blank": ({"plivo_excludes": [" "]}, "plivo_excludes: an entry is empty or blank"),
        "both": ({"plivo_names": [], "plivo_patterns": []}, "plivo_names and plivo_patterns: they exclude each other"),
        "bool": ({"plivo_use_regex": "maybe"}, 'plivo_use_regex: "maybe" is neither true nor false'),
        "members": ({"plivo_members": 2}, "plivo_members: 2 is neither"),
        "duration": ({"plivo_min_run_time": "2 hours"}, 'plivo_min_run_time: "2 hours" is not a duration'),
        "number": ({"plivo_max_members": -1}, "plivo_max_members: -1 is not a whole number"),
        "empty": ({"plivo_min_members": ""}, 'plivo_min_members: "" is not a whole number'),
        "times": ({"plivo_min_run_time": "2h", "plivo_max_run_time": 60}, "plivo_min_run_time: 2h is above"),
        "counts": ({"plivo_min_members": 10, "plivo_max_members": "9"}, "plivo_min_members: 10 is above"),
        "auth_id": ({"plivo_auth_id": "a/b"}, 'plivo_auth_id: "a/b" is not an Auth ID'),
        "token": ({"plivo_auth_token": " "}, "plivo_auth_token: it is empty for token"),
        "unset": ({"plivo_auth_id": None}, "plivo_auth_id: it is not given for unset"),
        "typo": ({"plivo_auth_token": "{{ vault_tokn }}"}, "plivo_auth_token: it refers to a variable that is not"),
        "twin": ({"plivo_auth_id": "MATWIN"}, "plivo_auth_id: twin and other have the same, MATWIN"),
        "other": ({"plivo_auth_id": "MATWIN"}, "plivo_auth_id: other and twin have the same, MATWIN"),
    }
    inventory = {
        host: {"plivo_auth_id": f"MA{host}", "plivo_auth_token": "s3cret", **variables}
        for host, (variables, _message) in mistakes.items()
    }
    # With this strategy in the configuration, each host would compare the accounts before it knows the others.
    env = {**local(simulator), "ANSIBLE_STRATEGY": "free"}
    run = ansible.playbook(REPORT, variables={"plivo_hosts": "all"}, inventory=inventory, env=env)
    assert run.rc == 2
    assert "free strategy" not in run.output
    found = {each.host: each.result["msg"] for each in run.results("Fail when a variable is wrong")}
    for host, (_variables, message) in mistakes.items():
        assert len(found[host]) == 1, found[host]
        assert found[host][0].startswith(message), found[host]
    assert "s3cret" not in run.output
    assert control.log() == []


def test_nowhere_to_look(ansible: Ansible, simulator: Simulator) -> None:
    run = ansible.playbook(REPORT, variables={"plivo_hosts": "acounts"}, inventory={"acme": {}}, env=local(simulator))
    assert run.rc == 2
    assert "plivo_hosts: the inventory has no host for 'acounts'" in run.output

    run = ansible.playbook(REPORT)
    assert run.rc == 2
    assert (
        "plivo_auth_id: it is not given for localhost; set it, or the environment variable PLIVO_AUTH_ID" in run.output
    )
