# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both playbooks on a bad network and with an API that misbehaves: what passes is survived, what lasts is told.

Hosts are accounts, so each run meets all of its faults at once, one on each account, and their retries wait side by
side. Each account is a subtest rather than a test, as pytest-xdist would repeat the run on each of its workers.
"""

from __future__ import annotations

import base64
import json
import re
import socket
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import trustme

from integration.running import Ansible, Run
from plivo_simulator import Control, Simulator

REPORT = "plivo.voice.conference_report"
MAINTENANCE = "plivo.voice.maintenance_hangup"

#: What is live on an account, and what of it the maintenance chooses by the pattern S*.
LIVE = ("Sales", "Support", "Board")
CHOSEN = ("Sales", "Support")
SPARED = ("Board",)
CROWD = tuple(f"S{number}" for number in range(20))

#: The first of them, and the modules' 4 retries.
ATTEMPTS = 5
#: No retry comes sooner (seconds).
FIRST_PAUSE = 0.5
#: What a run may take on a machine that is busy with others (seconds). One that waits for ever takes longer.
LIMIT = 180

Rule = Mapping[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What the maintenance must hand on about an account, and what must be live there in the end."""

    hung_up: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    still_live: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    began: tuple[str, ...] = ()
    #: Step and kind of each failure.
    errors: frozenset[tuple[str, str]] = frozenset()
    verified: bool = True
    left: tuple[str, ...] = SPARED


@dataclass(frozen=True)
class Account:
    """An account, the fault that it meets, and what must be told of it."""

    #: Fault rules of the simulator; its README describes them.
    rules: tuple[Rule, ...] = ()
    conferences: tuple[Any, ...] = LIVE
    #: Of its host, beside those that all have.
    variables: Mapping[str, Any] = field(default_factory=dict)
    #: Where its host takes the API to be; see the fixture.
    door: str = "api"
    #: Why the account fails, and words that must say so. One that does not fail survives.
    kind: str | None = None
    says: str = ""
    #: Names that the report can read.
    read: tuple[str, ...] = LIVE
    outcome: Outcome = Outcome(hung_up=CHOSEN)
    #: Requests after which the account is left alone, if its failure is one that ends all.
    requests: int | None = None
    #: Seconds at least from the first request, which fails, to the next.
    pause: float = 0
    #: Its retries take many seconds.
    slow: bool = False


def answer(status: int, **fields: Any) -> Rule:
    return {"action": "answer", "status": status, **fields}


def on_list(rule: Rule, skip: int, times: int | None = 1) -> Rule:
    """Only when the list is read again: by the drain, by the hangup, by its wait, by the verification."""
    return {"method": "GET", "target": "collection", "skip": skip, "times": times, **rule}


def on_hangup(rule: Rule, name: str = "Sales", times: int | None = None) -> Rule:
    return {"method": "DELETE", "name": name, "times": times, **rule}


def passing(rule: Rule, pause: float = FIRST_PAUSE) -> Account:
    """Strikes the list, one conference's details and its hangup, once each."""
    details = {"method": "GET", "name": "Sales", **rule}
    return Account((on_list(rule, skip=0), details, on_hangup(rule, times=1)), pause=pause)


def lasting(kind: str, says: str, *rules: Rule, retried: bool = False, **more: Any) -> Account:
    """Nothing can be read, so nothing is tried any more."""
    return Account(
        tuple({"times": None, **rule} for rule in rules),
        kind=kind,
        says=says,
        read=(),
        outcome=Outcome(errors=frozenset({("snapshot", kind)}), verified=False, left=LIVE),
        requests=ATTEMPTS if retried else 1,
        slow=retried,
        **more,
    )


def failing_hangup(kind: str, says: str, rule: Rule, **more: Any) -> Account:
    """Only one of the conferences cannot be hung up."""
    return Account(
        (on_hangup(rule),),
        kind=kind,
        says=says,
        outcome=Outcome(
            hung_up=("Support",),
            still_live=("Sales",),
            errors=frozenset({("hangup", kind)}),
            left=("Sales", *SPARED),
        ),
        **more,
    )


RESET = {"action": "reset"}
LOGIN_PAGE = answer(200, headers={"Content-Type": "text/html"}, body="<!DOCTYPE html><title>Please log in</title>")
WRONG_TOKEN = {"plivo_auth_token": "token-of-nobody"}

PASSING = {
    "limited-once": passing(answer(429)),
    "limited-for-2-s": passing(answer(429, headers={"Retry-After": "2"}), pause=2),
    "unavailable-once": passing(answer(503)),
    "failing-though-done": passing(answer(500, when="after")),
    "late-once": passing(answer(408)),
    "reset-before": passing(RESET),
    "reset-after": passing({**RESET, "when": "after"}),
    "cut-short": passing({"action": "cut_short"}),
    # Each takes the 10 s of the timeout, so the details are left out. The server may have noticed the request late.
    "silent-once": Account(
        (on_list({"action": "silence"}, skip=0), on_hangup({"action": "silence", "when": "after"}, times=1)),
        pause=9,
        slow=True,
    ),
}

#: Of these, where others do the same to a hangup.
JUST_READ = ("limited-once", "late-once")

LASTING = {
    "failing": lasting("server", "answered 500", answer(500), retried=True),
    "limited": lasting("rate_limited", "answered 429", answer(429), retried=True),
    # A timeout that takes none of its time; silence would take five times 10 s.
    "late": lasting("timeout", "answered 408", answer(408), retried=True),
    "nobody-listens": lasting("connection", "Connection refused", door="nobody", retried=True),
    "wrong-token": lasting("authentication", "answered 401", variables=WRONG_TOKEN),
    # What a server says is not to be evaluated, and it may repeat what it was sent.
    "forbidden": lasting("forbidden", "answered 403: {{ 1+1 }}", answer(403, json={"error": "{{ 1+1 }}"})),
    "no-such-account": lasting(
        "not_found", "answered 404", answer(404, json={"error": "no account has token-of-no-such-account"})
    ),
    "login-page": lasting("protocol", "not JSON (HTML)", LOGIN_PAGE),
    "wrong-types": lasting("protocol", "not a list of names", answer(200, json={"conferences": [1, None]})),
    "flood": lasting("protocol", "larger than 16 MiB", {"action": "flood", "framing": "chunked"}),
    "redirected": lasting(
        "redirect", "a redirect", answer(302, headers={"Location": "/v1/Account/MA-trap/Conference/"})
    ),
    "untrusted": lasting("tls", "TLS: ", door="untrusted"),
}

#: What lasts, but for one conference.
PARTIAL = {
    "wrong-details": Account(
        conferences=({"name": "Sales", "overrides": {"conference_run_time": "soon"}}, "Support", "Board"),
        kind="protocol",
        says="'conference_run_time' is not a whole number",
        read=("Support", "Board"),
        # What is chosen by its name alone can be hung up all the same.
        outcome=Outcome(hung_up=CHOSEN, errors=frozenset({("snapshot", "protocol")})),
    ),
    "listed-but-not-found": Account(
        conferences=({"name": "Sales", "findable": False}, "Support", "Board"),
        kind="not_found",
        says="listed, but not found under its URL",
        read=("Support", "Board"),
        # Neither gone nor there: it is among the errors only.
        outcome=Outcome(
            hung_up=("Support",),
            errors=frozenset((step, "not_found") for step in ("snapshot", "hangup", "verification")),
            verified=False,
            left=("Sales", *SPARED),
        ),
    ),
}

# A drain of one second has one look. The snapshot makes one request for the list and one for each that is chosen, the
# look and the hangup begin with one for the list: that is what numbers of requests below are about.
DRAIN = {"plivo_drain_timeout": 1}
ALL = {"plivo_patterns": None, "plivo_all": True, "plivo_excludes": ["Board"], "plivo_max_hangups": 2}

#: What only the maintenance meets.
MAINTAINED = {
    # In the snapshot. There is nothing to wait for, neither where the list was not what was asked for first.
    "wrong-token-by-name": Account(
        variables={**DRAIN, **WRONG_TOKEN, "plivo_patterns": None, "plivo_names": ["Sales"]},
        kind="authentication",
        says="answered 401",
        outcome=Outcome(errors=frozenset({("snapshot", "authentication")}), verified=False, left=LIVE),
        requests=1,
    ),
    # In the drain
    "drain-reset-and-an-end": Account(
        (on_list(RESET, skip=1),),
        conferences=({"name": "Sales", "ends_after_requests": 3}, "Support", "Board"),
        variables=DRAIN,
        outcome=Outcome(hung_up=("Support",), ended=("Sales",)),
    ),
    "drain-login-page-and-a-beginning": Account(
        (on_list(LOGIN_PAGE, skip=1),),
        conferences=(*LIVE, {"name": "Sudden", "starts_after_requests": 4}),
        variables=DRAIN,
        outcome=Outcome(hung_up=(*CHOSEN, "Sudden")),
    ),
    "drain-begins-one-too-many": Account(
        conferences=(*LIVE, {"name": "Sudden", "starts_after_requests": 4}),
        variables={**DRAIN, **ALL},
        kind="guard",
        says="max_hangups: 2 allows fewer than the 3",
        outcome=Outcome(
            still_live=(*CHOSEN, "Sudden"), errors=frozenset({("hangup", "guard")}), left=(*LIVE, "Sudden")
        ),
    ),
    # In the hangup
    "asked-by-name": Account(
        ({"method": "GET", "name": "Gone", **RESET}, on_list(RESET, skip=0), on_list(RESET, skip=1)),
        variables={"plivo_patterns": None, "plivo_names": ["Gone", *CHOSEN]},
        outcome=Outcome(hung_up=CHOSEN, absent=("Gone",)),
    ),
    "ends-by-itself": Account(
        conferences=({"name": "Sales", "ends_after_requests": 4}, "Support", "Board"),
        outcome=Outcome(hung_up=("Support",), ended=("Sales",)),
    ),
    # Its hangup is refused once. Meanwhile it ends, and others who are not meant meet under its name.
    "redialled-meanwhile": Account(
        (on_hangup(answer(429), times=1),),
        conferences=(
            {"name": "Sales", "run_time": 7200, "ends_after_requests": 5, "restarts_after_requests": 5},
            "Board",
        ),
        variables={"plivo_min_run_time": "1h"},
        outcome=Outcome(ended=("Sales",), left=("Sales", *SPARED)),
    ),
    "every-answer-is-lost": Account((on_hangup({**RESET, "when": "after"}),), variables=ALL, slow=True),
    "hangup-unavailable": failing_hangup("server", "answered 503", answer(503), slow=True),
    "hangup-login-page": failing_hangup("protocol", "not JSON (HTML)", LOGIN_PAGE),
    # Who follows it with the same method hangs up everything.
    "hangup-redirected": Account(
        (on_hangup(answer(308, headers={"Location": "/v1/Account/MA-hangup-redirected/Conference/"})),),
        conferences=("Sales", "Board"),
        kind="redirect",
        says="a redirect",
        outcome=Outcome(still_live=("Sales",), errors=frozenset({("hangup", "redirect")}), left=("Sales", *SPARED)),
    ),
    "token-revoked": Account(
        ({"method": "DELETE", "times": None, **answer(401)},),
        conferences=(*CROWD, "Board"),
        kind="authentication",
        says="answered 401",
        outcome=Outcome(
            still_live=CROWD,
            errors=frozenset({("hangup", "authentication"), ("hangup", "not_tried")}),
            left=(*CROWD, *SPARED),
        ),
    ),
    # Only its first hangup comes through, and then the gateway before it has a page to show. Connections that break
    # for ever would say no more, and take half a minute longer.
    "dies-behind-a-gateway": Account(
        (*(on_hangup(RESET, name) for name in CROWD[1:4]), on_list(LOGIN_PAGE, skip=2, times=None)),
        conferences=(*CROWD[:4], "Board"),
        kind="connection",
        says="Connection reset by peer, after 5 attempts",
        outcome=Outcome(
            hung_up=CROWD[:1],
            unknown=CROWD[1:4],
            errors=frozenset({("hangup", "connection"), ("verification", "protocol")}),
            verified=False,
            left=(*CROWD[1:4], *SPARED),
        ),
        slow=True,
    ),
    # After the hangup
    "wait-login-page": Account(
        (on_list(LOGIN_PAGE, skip=2),),
        kind="protocol",
        says="not JSON (HTML)",
        outcome=Outcome(hung_up=CHOSEN, errors=frozenset({("hangup", "protocol")})),
    ),
    "redialled-and-a-beginning": Account(
        conferences=(
            {"name": "Sales", "redial_in": 0},
            "Support",
            "Board",
            {"name": "Sudden", "starts_after_requests": 7},
        ),
        outcome=Outcome(hung_up=CHOSEN, restarted=("Sales",), began=("Sudden",), left=("Sales", *SPARED, "Sudden")),
    ),
    "verification-forbidden": Account(
        (on_list(answer(403), skip=3, times=None),),
        kind="forbidden",
        says="answered 403",
        outcome=Outcome(hung_up=CHOSEN, errors=frozenset({("verification", "forbidden")}), verified=False),
    ),
}


@dataclass(frozen=True)
class Played:
    """What came of a run; by host, but for the first."""

    run: Run
    log: dict[str, list[dict[str, Any]]]
    rules: dict[str, list[dict[str, Any]]]
    left: dict[str, list[str]]


class Stage:
    """Where the playbooks run.

    :param doors: base URLs by what is behind them.
    """

    def __init__(self, ansible: Ansible, control: Control, doors: Mapping[str, str]) -> None:
        self._ansible = ansible
        self._control = control
        self._doors = doors

    def play(
        self, playbook: str, accounts: Mapping[str, Account], *options: str, read_only: bool = False, **variables: Any
    ) -> Played:
        """Run a playbook for these accounts, and see to what must hold for all of them together."""
        # Those that wait come first: there is work to do for the others meanwhile.
        hosts = {host: accounts[host] for host in sorted(accounts, key=lambda host: not accounts[host].slow)}
        inventory = {
            host: {
                "plivo_auth_id": f"MA-{host}",
                "plivo_auth_token": f"token-of-{host}",
                "plivo_api_url": self._doors[account.door],
                **account.variables,
            }
            for host, account in hosts.items()
        }
        self._control.load(
            {
                "settings": {"read_only": read_only},
                "accounts": {
                    f"MA-{host}": {"auth_token": f"token-of-{host}", "conferences": account.conferences}
                    for host, account in hosts.items()
                },
                "faults": [
                    {"account": f"MA-{host}", **rule} for host, account in hosts.items() for rule in account.rules
                ],
            }
        )
        run = self._ansible.playbook(
            playbook,
            "-vvv",
            f"--forks={len(hosts)}",
            *options,
            variables={"plivo_hosts": "all", **variables},
            inventory=inventory,
            timeout=LIMIT,
        )
        assert run.rc == 2, run.output
        said = run.output + json.dumps([[each.result for each in run.tasks], run.custom_stats])
        assert "Traceback" not in said
        assert "token-of-" not in said
        for host, of_host in inventory.items():
            assert base64.b64encode(f"MA-{host}:{of_host['plivo_auth_token']}".encode()).decode() not in said

        log, rules = self._control.log(), self._control.faults()
        # Nobody has followed a redirect.
        assert {entry["account"] for entry in log} == {
            f"MA-{host}" for host, account in hosts.items() if account.door == "api"
        }
        return Played(
            run,
            {host: [entry for entry in log if entry["account"] == f"MA-{host}"] for host in hosts},
            {host: [rule for rule in rules if rule["account"] == f"MA-{host}"] for host in hosts},
            {host: list(self._control.conferences(f"MA-{host}")) for host in hosts},
        )


@pytest.fixture
def stage(ansible: Ansible, simulator: Simulator, control: Control, tmp_path: Path) -> Iterator[Stage]:
    certificate = tmp_path / "certificate.pem"
    trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(certificate))
    # Bound, so that nobody else gets the port; but it never listens.
    with Simulator(certfile=str(certificate)) as untrusted, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        doors = {
            "api": simulator.api_url,
            "untrusted": untrusted.api_url,
            "nobody": f"http://127.0.0.1:{nobody.getsockname()[1]}/v1",
        }
        yield Stage(ansible, control, doors)


def check_fault_was_met(account: Account, rules: list[dict[str, Any]], log: list[dict[str, Any]], writes: bool) -> None:
    """One that nobody has met proves nothing; and it must not have been met too often."""
    for rule in rules:
        if rule["method"] == "DELETE" and not writes:
            assert not rule["played"]
        elif rule["times"] is None:
            assert rule["played"]
        else:
            assert rule["played"] == rule["times"]
    if account.requests is not None and account.door == "api":
        assert len(log) == account.requests
    if account.pause:
        assert log[1]["time"] - log[0]["time"] >= account.pause
    deleted = Counter(entry["name"] for entry in log if entry["method"] == "DELETE")
    assert not deleted or (writes and max(deleted.values()) <= ATTEMPTS)
    # The collection is everything, and has no name.
    assert not {None, *SPARED} & set(deleted)


def check_told(host: str, account: Account, run: Run) -> None:
    """The output says in one line that the account has failed, and says it of no other."""
    assert (run.stats[host]["failures"], run.stats[host]["unreachable"]) == (int(bool(account.kind)), 0)
    (summary,) = run.results("Summary", host=host)
    assert summary.outcome == ("failed" if account.kind else "ok")
    lines = summary.result["msg"]
    assert lines[0].startswith(f"{host} failed" if account.kind else f"{host}: ")
    assert [line for line in lines if line.startswith(f"{host} failed")] == lines[: bool(account.kind)]
    assert bool(re.search(f"""["']{host} failed""", run.stdout)) is bool(account.kind)
    assert any(account.says in line for line in lines)
    assert "\n" not in "".join(lines)


def check_handed_on(host: str, account: Account, expected: Outcome, played: Played, check_mode: bool) -> None:
    """What the maintenance hands on is what it should be, and what the server knows to be true."""
    found = played.run.custom_stats[f"plivo_maintenance_{host.replace('-', '_')}"]
    assert (found["account"], found["check_mode"], found["ok"]) == (host, check_mode, account.kind is None)
    names = ("hung_up", "ended", "absent", "still_live", "unknown", "restarted", "began")
    assert {name: found[name] for name in names} == {name: list(getattr(expected, name)) for name in names}
    assert {(each["step"], each["kind"]) for each in found["errors"]} == expected.errors
    assert found["verified"] is expected.verified
    assert sorted(played.left[host]) == sorted(expected.left)
    if not check_mode:
        deletes = [entry for entry in played.log[host] if entry["method"] == "DELETE"]
        done = {entry["name"] for entry in deletes if entry["status"] == 204 and not entry["fault"]}
        assert done <= set(found["hung_up"]) <= {entry["name"] for entry in deletes}
        assert set(found["hung_up"]) & set(played.left[host]) == set(found["restarted"])


def test_report(stage: Stage, ansible: Ansible, subtests: pytest.Subtests) -> None:
    accounts = {**PASSING, **LASTING, **PARTIAL}
    played = stage.play(REPORT, accounts, plivo_report_path="report.json")
    text = (ansible.folder / "report.json").read_text(encoding="utf-8")
    assert "token-of-" not in text
    document = json.loads(text)
    assert document["totals"]["failed_accounts"] == len(LASTING) + len(PARTIAL)
    reported = {each["account"]: each for each in document["accounts"]}
    assert reported.keys() == accounts.keys()
    for host, account in accounts.items():
        with subtests.test(host):
            check_fault_was_met(account, played.rules[host], played.log[host], writes=False)
            check_told(host, account, played.run)
            each = reported[host]
            assert [conference["conference_name"] for conference in each["conferences"]] == list(account.read)
            assert (each["error"] or {}).get("kind") == account.kind
            assert account.says in (each["error"] or {}).get("msg", "")
            unread = [name for name in LIVE if account.read and name not in account.read]
            assert [(error["conference_name"], error["kind"]) for error in each["errors"]] == [
                (name, account.kind) for name in unread
            ]


def test_maintenance(stage: Stage, subtests: pytest.Subtests) -> None:
    # What is over with the snapshot is the same in check mode; the test below has the rest of it.
    accounts = {
        **{host: account for host, account in PASSING.items() if host not in JUST_READ},
        **{host: account for host, account in LASTING.items() if account.slow},
        **PARTIAL,
        **MAINTAINED,
    }
    usual = {"plivo_patterns": ["S*"], "plivo_drain_timeout": 0}
    accounts = {host: replace(account, variables={**usual, **account.variables}) for host, account in accounts.items()}
    played = stage.play(MAINTENANCE, accounts)
    for host, account in accounts.items():
        with subtests.test(host):
            check_fault_was_met(account, played.rules[host], played.log[host], writes=True)
            check_told(host, account, played.run)
            check_handed_on(host, account, account.outcome, played, check_mode=False)


def test_maintenance_in_check_mode(stage: Stage, control: Control, subtests: pytest.Subtests) -> None:
    accounts = {
        **{host: PASSING[host] for host in JUST_READ},
        **{host: account for host, account in LASTING.items() if not account.slow},
        **PARTIAL,
    }
    # Nothing is waited for.
    variables = {"plivo_patterns": ["S*"], "plivo_drain_timeout": "1d"}
    played = stage.play(MAINTENANCE, accounts, "--check", "--diff", read_only=True, **variables)
    assert control.violations() == []
    for host, account in accounts.items():
        with subtests.test(host):
            check_fault_was_met(account, played.rules[host], played.log[host], writes=False)
            check_told(host, account, played.run)
            predicted = Outcome(
                hung_up=CHOSEN if account.read else (),
                errors=frozenset(each for each in account.outcome.errors if each[0] == "snapshot"),
                verified=False,
                left=LIVE,
            )
            check_handed_on(host, account, predicted, played, check_mode=True)
