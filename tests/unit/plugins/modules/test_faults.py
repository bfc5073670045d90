# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fault at every request of both modules, in check mode and in earnest; what the server did is the judge."""

from __future__ import annotations

import contextlib
import datetime
import email.utils
import gc
import itertools
import json
import socket
import ssl
import time
import typing as t
from pathlib import Path

import pytest
import trustme
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ansible_collections.plivo.voice.plugins.module_utils import _transport
from ansible_collections.plivo.voice.plugins.module_utils._conference import address_problem
from ansible_collections.plivo.voice.plugins.module_utils._errors import REMEDIES
from plivo_simulator import AUTH_ID, AUTH_TOKEN, Simulator
from plivo_simulator.world import Account
from plivo_simulator.world import Conference as Live
from unit.plugins.raw_server import RawServer, http, serve, tunnel_to

World = t.Any  # see conftest.py
Values = dict[str, t.Any]

CALLBACK = "http://127.0.0.1:9/done"
MODES = pytest.mark.parametrize("check", [False, True], ids=["real", "check"])

#: How much longer than its attempts a task may take, on a busy machine.
TOLERANCE = 10.0
#: Seconds for an attempt at what is silent or drips.
SHORT = 0.1

# --- the jobs ----------------------------------------------------------------------------------------

OLD = 7200
WORLD: tuple[str | Values, ...] = (
    {"name": "Sales", "run_time": OLD},
    {"name": "Ops", "run_time": OLD},
    # Too young for the bounds, and asked for by nobody.
    "Board",
    # Live already, and not in the list yet.
    {"name": "New", "listed": False},
)
NAMES = ["Sales", "Ops", "Board", "New"]
LISTED = NAMES[:3]
BOTH = NAMES[:2]


class Job(t.NamedTuple):
    """One way to use a module."""

    module: str
    params: Values
    #: Those that it is about, in the order of the result.
    meant: t.Sequence[str]
    #: Of a real run that meets no fault, over one connection. Check mode makes the reads, but for the looks of a wait.
    requests: t.Sequence[str]

    @property
    def is_queued(self) -> bool:
        return "callback_url" in self.params

    @property
    def is_whole(self) -> bool:
        return "all" in self.params

    @property
    def waits(self) -> bool:
        return "wait" in self.params

    def requests_of(self, check: bool) -> list[str]:
        if not check or self.module == "info":
            return list(self.requests)
        return [request for request in self.requests[: -1 if self.waits else None] if "GET" in request]


QUEUED = {"names": BOTH, "callback_url": CALLBACK}
JOBS = {
    "list": Job("info", {}, LISTED, ["GET *"]),
    "info by name": Job("info", {"names": BOTH}, BOTH, ["GET Sales", "GET Ops"]),
    "details": Job("info", {"patterns": ["[SO]*"], "details": True}, BOTH, ["GET *", "GET Sales", "GET Ops"]),
    "queued reads": Job("info", QUEUED, BOTH, ["GET Sales", "GET Ops"]),
    "hangup by name": Job("hangup", {"names": BOTH}, BOTH, ["GET *", "DELETE Sales", "DELETE Ops"]),
    "hangup of one unlisted": Job("hangup", {"name": "New"}, ["New"], ["GET *", "GET New", "DELETE New"]),
    "hangup of all": Job("hangup", {"all": True}, LISTED, ["GET *", "DELETE *"]),
    "hangup by bounds": Job(
        "hangup",
        {"patterns": ["*"], "min_run_time": "1h"},
        BOTH,
        ["GET *", "GET Sales", "GET Ops", "GET Board", "DELETE Sales", "DELETE Ops"],
    ),
    "hangup and wait": Job(
        "hangup", {"names": BOTH, "wait": True}, BOTH, ["GET *", "DELETE Sales", "DELETE Ops", "GET *"]
    ),
    "queued hangups": Job("hangup", QUEUED, BOTH, ["GET *", "DELETE Sales", "DELETE Ops"]),
}
ALL_JOBS = pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
#: What both modules come down to, where every job would be too many.
MAIN_JOBS = [JOBS[name] for name in ("list", "info by name", "hangup by name", "hangup of all", "hangup by bounds")]


def load(
    world: World, *rules: Values, check: bool = False, conferences: t.Sequence[str | Values] = WORLD, **more: t.Any
) -> None:
    """Begin anew, with these fault rules. Under check the server itself forbids every write."""
    account = {"auth_token": AUTH_TOKEN, "conferences": list(conferences)}
    own = {"rate_limit": 0, "async_delay": 3600, "read_only": check, **more}
    world.control.load({"accounts": {AUTH_ID: account}, "settings": own, "faults": list(rules)})


def run(world: World, job: Job, check: bool, *, timeout: float = 5.0, **more: t.Any) -> Values:
    """Do the job, in bounded time."""
    # One connection makes the order of the requests certain.
    params = {"max_connections": 1, **job.params, **more}
    world.slept.clear()
    started = time.monotonic()
    values: Values = getattr(world, job.module)(check=check, timeout=timeout, **params)
    assert time.monotonic() - started < len(world.log) * timeout + TOLERANCE
    return values


# --- what is true ------------------------------------------------------------------------------------


class Deeds:
    """What the server did, as it knows itself: its log does not tell which of the lost requests it carried out."""

    def __init__(self) -> None:
        self.hung_up: list[str] = []
        #: By request or by themselves.
        self.ended: list[str] = []

    def forget(self) -> None:
        self.hung_up.clear()
        self.ended.clear()


@pytest.fixture
def make_world(world: World) -> t.Callable[[Simulator], World]:
    """Another one of the same kind, for another simulator."""
    return t.cast(t.Callable[[Simulator], World], type(world))


@pytest.fixture
def deeds(monkeypatch: pytest.MonkeyPatch) -> Deeds:
    done = Deeds()
    hang_up, end = Account.hang_up, Account._end

    def hanging_up(account: Account, conference: Live, now: float) -> None:
        done.hung_up.append(conference.plan.name)
        hang_up(account, conference, now)

    def ending(account: Account, conference: Live, at: float) -> bool:
        was_live = end(account, conference, at)
        if was_live:
            done.ended.append(conference.plan.name)
        return was_live

    monkeypatch.setattr(Account, "hang_up", hanging_up)
    monkeypatch.setattr(Account, "_end", ending)
    return done


def kinds(values: Values) -> dict[str | None, str]:
    return {entry["conference_name"]: entry["kind"] for entry in values.get("errors", [])}


def told_by(values: Values) -> list[str]:
    """Those of which a task says that it has done its work."""
    if values["queued"]:
        return [entry["conference_name"] for entry in values["queued"]]
    return list(values["hung_up"] if "hung_up" in values else values["conference_names"])


ERROR = {"kind", "method", "url", "status", "api_id", "attempts", "retryable"}
#: What to do: every message ends with one of these.
LAST_WORDS = (
    *(f"; {remedy}." for remedy in REMEDIES.values()),
    ": name a PEM file or a hashed directory.",
    "; raise wait_timeout, or look at it with conference_info.",
    ": mend HTTPS_PROXY, or add the API's host to NO_PROXY.",
    "; run it again, and if it stays so, ask Plivo's support with the api_id.",
    "; remove it.",
)


def assert_clear_words(values: Values) -> None:
    """A failure is told on one line that ends with a remedy, in fields that can be relied on, and never as a bug."""
    assert "Traceback" not in json.dumps(values)
    assert "exception" not in values
    if "failed" not in values:
        assert "errors" not in values
        return
    first, *_others = values["errors"]
    assert {name: first[name] for name in ERROR} == values["error"]
    assert values["msg"].endswith(first["msg"])
    for entry in values["errors"]:
        assert set(entry) == ERROR | {"conference_name", "msg"}
        assert entry["kind"] != "internal"
        assert "?" not in (entry["url"] or "")
        if entry["url"]:
            assert f"{entry['method']} {entry['url']}: " in entry["msg"]
        if entry["status"]:
            assert f"answered {entry['status']}" in entry["msg"] or entry["kind"] == "protocol"
    for msg in (values["msg"], *(entry["msg"] for entry in values["errors"])):
        assert msg.isprintable()
        assert len(msg) < 1000
        assert msg.endswith(LAST_WORDS)


def assert_true_account(world: World, job: Job, check: bool, values: Values, deeds: Deeds) -> None:
    """What a task returned agrees with what the server did, whatever the fault, unless it makes the server lie."""
    assert_clear_words(values)
    errors, live, told = kinds(values), world.live, told_by(values)
    if check or job.module == "info":
        assert not any(entry["violation"] for entry in world.log)
        assert world.writes == deeds.hung_up == []
        assert live == NAMES
    assert values["absent"] == []
    assert bool(values["queued"]) is (job.is_queued and bool(told))
    if job.waits and world.writes:
        # Whoever looks for the end may fail when everything has been done.
        errors.pop(None, None)
    if None in errors:
        # One failure ended the task before anything was done.
        assert list(errors) == [None]
        assert told == world.writes == []
    else:
        # Each conference comes to one end.
        assert told == [name for name in job.meant if name not in errors]
    if job.module == "info":
        assert values["changed"] is False
        return
    unknown = values["unknown"]
    assert values["changed"] is bool(told)
    assert set(unknown) <= set(errors)
    if check or job.is_queued:
        return
    assert live == [name for name in NAMES if name not in deeds.hung_up]
    assert set(told) <= set(deeds.hung_up)
    # A hangup of all reaches those, too, that the list does not show.
    assert set(deeds.hung_up) <= {*told, *unknown, *(["New"] if job.is_whole else [])}
    before, after = (values["diff"][each]["conferences"] for each in ("before", "after"))
    if None not in errors:
        assert {*LISTED, *told} <= set(before) <= {*LISTED, *job.meant}
    assert after == sorted(set(before).difference(told))


@MODES
@ALL_JOBS
def test_without_a_fault_each_job_is_done(world: World, deeds: Deeds, job: Job, check: bool) -> None:
    load(world, check=check)
    values = run(world, job, check)
    assert "failed" not in values
    assert world.requests == job.requests_of(check)
    assert_true_account(world, job, check, values, deeds)


# --- every fault at every request --------------------------------------------------------------------


class Fault(t.NamedTuple):
    """A fault of the simulator, and what it is to the user."""

    rule: Values
    #: Two where it depends on what comes first: the end of the connection, or its reset.
    kind: str
    #: Whether another attempt may do better.
    passes: bool = False
    #: Whether another one is like it, and is tried at more requests of more jobs.
    is_twin: bool = False

    @property
    def is_slow(self) -> bool:
        return self.rule["action"] in ("silence", "drip")

    @property
    def is_deep(self) -> bool:
        return str(self.rule.get("body")).startswith("[[")

    @property
    def is_done(self) -> bool:
        """Whether the request takes effect all the same."""
        return self.rule.get("when") == "after" or self.rule["action"] in ("flood", "cut_short", "drip")


def answers(code: int, kind: str, passes: bool = False, twin: bool = False, **more: t.Any) -> Fault:
    return Fault({"action": "answer", "status": code, **more}, kind, passes, twin)


def breaks(action: str, kind: str, twin: bool = False, **more: t.Any) -> Fault:
    return Fault({"action": action, **more}, kind, True, twin)


COLLECTION = f"/v1/Account/{AUTH_ID}/Conference/"
LOGIN_PAGE = "<!DOCTYPE html><html><body><form>Please log in</form></body></html>"
GARBAGE = "\x16\x03\x01 nonsense\r\n\r\n"
ANSWER: Values = {"status": 200, "body": '{"message": "conference hung up"}'}
FAULTS = {
    "400": answers(400, "invalid_request", twin=True),
    "401": answers(401, "authentication"),
    "403": answers(403, "forbidden"),
    "404": answers(404, "not_found"),
    "405": answers(405, "invalid_request", twin=True),
    "407": answers(407, "connection", twin=True),
    "408": answers(408, "timeout", True, twin=True),
    "409": answers(409, "invalid_request", twin=True),
    "422": answers(422, "invalid_request", twin=True),
    "429": answers(429, "rate_limited", True),
    "500": answers(500, "server", True, twin=True),
    "502": answers(502, "server", True, twin=True, body=LOGIN_PAGE),
    "503": answers(503, "server", True, headers={"Retry-After": "3"}),
    "504": answers(504, "server", True, twin=True, body=""),
    "599": answers(599, "server", True, twin=True),
    "999": answers(999, "protocol", twin=True),
    "503, done": answers(503, "server", True, when="after"),
    "408, done": answers(408, "timeout", True, twin=True, when="after"),
    "302": answers(302, "redirect", twin=True, headers={"Location": COLLECTION}),
    "304": answers(304, "redirect", twin=True),
    "login page": answers(200, "protocol", body=LOGIN_PAGE),
    "login page, done": answers(200, "protocol", body=LOGIN_PAGE, when="after"),
    "no object": answers(200, "protocol", twin=True, body="[]"),
    "deep": answers(200, "protocol", twin=True, body="[" * 100_000),
    "not UTF-8": answers(200, "protocol", twin=True, body_base64="/w=="),
    "reset": breaks("reset", "connection"),
    "reset, done": breaks("reset", "connection", when="after"),
    "close": breaks("close", "connection", twin=True),
    "close, done": breaks("close", "connection", twin=True, when="after"),
    "silence": breaks("silence", "timeout"),
    "drip": breaks("drip", "timeout", interval=0.05),
    "garbage": breaks("raw", "connection", twin=True, body=GARBAGE),
    "garbage, done": breaks("raw", "connection", twin=True, body=GARBAGE, when="after"),
    "cut in its first line": breaks("cut_short", "connection", twin=True, cut_at=8),
    "cut in its head": breaks("cut_short", "protocol", twin=True, cut_at=30, **ANSWER),
    "cut in its body": breaks("cut_short", "protocol", **ANSWER),
    "cut in a chunk": breaks("cut_short", "protocol", twin=True, framing="chunked", **ANSWER),
    "cut by a reset": breaks("cut_short", "protocol or connection", twin=True, reset=True, **ANSWER),
    "flood": Fault({"action": "flood"}, "protocol"),
    "flood of chunks": Fault({"action": "flood", "framing": "chunked"}, "protocol", is_twin=True),
    "flood without a length": Fault({"action": "flood", "framing": "close"}, "protocol", is_twin=True),
}


def strikes(fault: Fault, job: Job, check: bool) -> list[tuple[int, bool]]:
    """At which requests a fault strikes, and whether it stays from there on."""
    requests = job.requests_of(check)
    if fault.rule.get("status") == 404:
        # A lie that nobody could tell from the truth, where the list does not show the conference.
        requests = [request for request in requests if not request.endswith(" New")]
    # The list, the details, the hangups, a look afterwards.
    turns = itertools.groupby(range(len(requests)), lambda place: requests[place][:6].rstrip("SON"))
    groups = [list(group) for _kind, group in turns]
    if check and job not in MAIN_JOBS:
        # Reading is the same in check mode, so some of it will do.
        return []
    if fault.is_twin or fault.is_slow:
        first = {requests[group[0]].split()[0]: group[0] for group in reversed(groups)}
        is_known = fault.is_twin and (check or job not in MAIN_JOBS)
        return [] if is_known else [(place, True) for place in first.values()]
    return [strike for group in groups for strike in ((group[0], False), (group[-1], True))[1 if check else 0 :]]


CASES = [
    pytest.param(fault, job, check, id=f"{title}-{name}{'-check' if check else ''}")
    for (title, fault), (name, job), check in itertools.product(FAULTS.items(), JOBS.items(), (False, True))
    if strikes(fault, job, check)
]


@pytest.mark.parametrize(("fault", "job", "check"), CASES)
def test_a_fault_at_any_request(
    world: World,
    deeds: Deeds,
    fault: Fault,
    job: Job,
    check: bool,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.setattr(_transport, "MAX_BODY", 256 * 1024)
    if fault.is_deep:
        # At the bottom of a recursion, finalizers of other tests' garbage would find no room.
        request.addfinalizer(gc.enable)
        gc.disable()
    retries, timeout, connections = (0, SHORT, 3) if fault.is_slow else (2, 5.0, 1)
    for place, lasts in strikes(fault, job, check):
        load(world, {**fault.rule, "skip": place, "times": None if lasts else 1}, check=check)
        deeds.forget()
        values = run(world, job, check, timeout=timeout, retries=retries, max_connections=connections)
        request = job.requests[place]
        where = f"{request}, {'and on' if lasts else 'once'}"
        assert_true_account(world, job, check, values, deeds)
        # A list may explain what was not found, and another one what became of the hangups.
        assert len(world.log) <= (retries + 1) * (len(job.requests) + 2), where
        done = fault.is_done and "DELETE" in request and not job.is_queued
        if not lasts and (fault.passes or done):
            assert "failed" not in values, f"{where}: {values['msg']}"
            continue
        assert "failed" in values, where
        assert set(kinds(values).values()) <= {*fault.kind.split(" or "), "not_tried"}, where
        error = values["error"]
        assert error["kind"] != "not_tried"
        assert (error["retryable"], error["attempts"]) == (fault.passes, retries + 1 if fault.passes else 1)
        if fault.rule["action"] == "answer":
            assert error["status"] == fault.rule["status"]


@MODES
@ALL_JOBS
@pytest.mark.parametrize("lasts", [False, True], ids=["once", "always"])
def test_a_listed_conference_that_cannot_be_found(
    world: World, deeds: Deeds, job: Job, check: bool, lasts: bool
) -> None:
    conferences = [{"name": "Sales", "run_time": OLD, "findable": False}, *WORLD[1:]]
    load(world, check=check, conferences=conferences if lasts else WORLD)
    if not lasts:
        world.control.add_faults({"action": "answer", "status": 404, "name": "Sales"})
    values = run(world, job, check)
    # Neither the list nor a hangup of all asks for it by its URL, and what is only accepted is not looked for.
    asked = any(request.endswith(" Sales") for request in job.requests_of(check))
    asked = asked and not (lasts and job.is_queued)
    assert kinds(values) == ({"Sales": "not_found"} if asked else {})
    assert values.get("msg", "").count("but the conference is in the list") == asked
    assert_true_account(world, job, check, values, deeds)


# --- when to try again -------------------------------------------------------------------------------


def http_date(seconds: float) -> str:
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


RETRY_AFTER: dict[str, tuple[str | t.Callable[[], str] | None, float, float]] = {
    "none": (None, 0.5, 0.5),
    "seconds": ("7", 7, 7),
    "zero": ("0", 0.5, 0.5),
    "negative": ("-7", 0.5, 0.5),
    "a fraction": ("7.5", 0.5, 0.5),
    "words": ("soon", 0.5, 0.5),
    "blank": (" ", 0.5, 0.5),
    "a day": ("86400", 60, 60),
    "absurd": ("9" * 5000, 60, 60),
    "a date": (lambda: http_date(20), 18, 20),
    "a date in the past": (lambda: http_date(-20), 0.5, 0.5),
    "an absurd date": ("Fri, 31 Dec 9999 23:59:59 GMT", 60, 60),
    "no date at all": ("Fri, 99 Dec 9999 99:99:99 GMT", 0.5, 0.5),
}


@MODES
@pytest.mark.parametrize("job", [JOBS["list"], JOBS["hangup by name"]], ids=["list", "hangup by name"])
@pytest.mark.parametrize(("header", "least", "most"), RETRY_AFTER.values(), ids=RETRY_AFTER)
def test_a_429_is_waited_for_as_long_as_is_sensible(
    world: World, deeds: Deeds, header: t.Any, least: float, most: float, job: Job, check: bool
) -> None:
    requests = job.requests_of(check)
    value = header() if callable(header) else header
    rule = {"action": "answer", "status": 429, "headers": {} if value is None else {"Retry-After": value}}
    load(world, {**rule, "skip": len(requests) - 1}, check=check)
    values = run(world, job, check)
    assert "failed" not in values
    assert_true_account(world, job, check, values, deeds)
    assert world.requests == [*requests, requests[-1]]
    (slept,) = world.slept
    assert least <= slept <= most


@MODES
@pytest.mark.parametrize("value", ["86400", "9" * 5000], ids=["a day", "absurd"])
def test_whoever_says_429_for_ever_is_given_up_after_minutes(world: World, value: str, check: bool) -> None:
    load(world, {"action": "answer", "status": 429, "headers": {"Retry-After": value}, "times": None})
    values = run(world, JOBS["hangup of all"], check)
    assert (values["error"]["kind"], values["error"]["attempts"]) == ("rate_limited", 5)
    assert sum(world.slept) <= 4 * 61
    assert_clear_words(values)


@MODES
@pytest.mark.parametrize("module", ["info", "hangup"])
def test_an_account_whose_budget_stays_spent_ends_it_early(world: World, module: str, check: bool) -> None:
    """Each 429 makes all connections pause; a thousand conferences, tried to the last, would take hours or days."""
    names = [f"c{number:02}" for number in range(40)]
    rule = {"action": "answer", "status": 429, "headers": {"Retry-After": "60"}, "target": "conference", "times": None}
    load(world, rule, conferences=names, check=check)
    params = {"patterns": ["*"], "min_members": 0} if check else {"patterns": ["*"]}
    details = {"details": True} if module == "info" else {}
    values = run(world, Job(module, {**params, **details}, [], []), check, retries=1, max_connections=2)
    assert_clear_words(values)
    assert values["error"]["kind"] == "rate_limited"
    assert told_by(values) == []
    assert world.live == names
    assert len(world.log) <= 1 + (2 + 2) * 2


# --- what comes in between ---------------------------------------------------------------------------


class Event(t.NamedTuple):
    """Something that happens between two requests, without anybody's request."""

    script: t.Callable[[int], Values]
    #: Whether the conference is live at one request, if it happens just before another, and nobody hangs it up.
    is_live: t.Callable[[int, int], bool]


EVENTS = {
    "it ends": Event(lambda turn: {"ends_after_requests": turn}, lambda turn, now: now < turn),
    "it begins": Event(lambda turn: {"starts_after_requests": turn}, lambda turn, now: now >= turn),
    "people redial": Event(
        lambda turn: {"ends_after_requests": turn, "restarts_after_requests": turn}, lambda turn, now: True
    ),
    "people redial later": Event(
        lambda turn: {"ends_after_requests": turn, "restarts_after_requests": turn + 1}, lambda turn, now: now != turn
    ),
}


@MODES
@ALL_JOBS
@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_conferences_come_and_go_between_any_two_requests(
    world: World, deeds: Deeds, event: Event, job: Job, check: bool
) -> None:
    about, others = job.meant[0], list(job.meant[1:])
    for turn in range(1, len(job.requests_of(check)) + 2):
        moving = [{"name": name, "listed": name != "New", "run_time": OLD} for name in [*BOTH, "New"]]
        scripted = [{**each, **event.script(turn)} if each["name"] == about else each for each in moving]
        load(world, check=check, conferences=[*scripted, "Board"])
        deeds.forget()
        values = run(world, job, check)
        assert_clear_words(values)
        told, errors = told_by(values), kinds(values)
        was_live = [event.is_live(turn, now) for now in range(len(world.log))]
        where = f"before request {turn} of {world.requests}"
        # Nobody else is touched by it, and nothing but a redial at the wrong moment looks like a failure.
        assert [name for name in told if name != about] == others, where
        assert errors in ({}, {about: "not_found"}), where
        assert (about in told) + (about in values["absent"]) + (about in errors) <= 1
        if about in told:
            # What is accepted need not be live; the callback will tell.
            assert any(was_live) or job.is_queued, where
        else:
            # Who has just redialled does not match the bounds.
            assert not all(was_live) or "min_run_time" in job.params, where
            assert values["absent"] == ([about] if "name" in str(job.params) and not errors else []), where
        if errors:
            assert any(was_live), where
        if check or job.module == "info":
            assert world.writes == deeds.hung_up == []
        elif job.is_whole:
            # The API does not say whom it hung up, so the list before it is the account.
            assert (about in told) is was_live[0], where
        elif not job.is_queued:
            assert sorted(told) == sorted(deeds.hung_up), where
        if job.module == "hangup" and not (check or job.is_queued) and event is EVENTS["it ends"]:
            assert run(world, job, check)["changed"] is False
            assert world.writes == []


@MODES
@ALL_JOBS
def test_people_may_redial_at_once(world: World, deeds: Deeds, job: Job, check: bool) -> None:
    about = job.meant[0]
    redialling = [
        {**(each if isinstance(each, dict) else {"name": each}), "redial_in": 0 if name == about else None}
        for each, name in zip(WORLD, NAMES)
    ]
    load(world, check=check, conferences=redialling)
    values = run(world, job, check)
    assert "failed" not in values
    assert told_by(values) == list(job.meant)
    assert about in world.live
    done = not check and job.module == "hangup" and not job.is_queued
    assert (about in deeds.hung_up) is done
    assert values.get("restarted", []) == ([about] if done and job.waits else [])


@pytest.mark.parametrize("rule", [FAULTS["503"].rule, FAULTS["login page"].rule, FAULTS["reset"].rule], ids=str)
def test_what_the_list_never_showed_is_not_gone_because_the_list_lacks_it(
    world: World, deeds: Deeds, rule: Values
) -> None:
    """Lists may lag (api-facts.md): one that has just begun is live and not listed, before a hangup and after it."""
    load(world, {**rule, "method": "DELETE", "times": None})
    values = run(world, JOBS["hangup of one unlisted"], check=False, retries=1)
    assert "New" in world.live
    assert deeds.hung_up == []
    assert values["hung_up"] == []
    assert values["changed"] is False
    assert set(kinds(values)) == {"New"}


@pytest.mark.parametrize("done", [True, False], ids=["done", "not done"])
def test_a_wait_looks_for_what_the_list_never_showed(world: World, done: bool) -> None:
    lie: Values = {"action": "answer", "status": 204, "method": "DELETE"}
    # Who has only just begun cannot be told from who has redialled.
    load(world, *([] if done else [lie]), conferences=[*LISTED, {"name": "New", "listed": False, "run_time": OLD}])
    values = world.hangup(name="New", wait=True, wait_timeout=5.0)
    assert_clear_words(values)
    assert ("New" in world.live) is not done
    assert kinds(values) == ({} if done else {"New": "wait_timeout"})
    assert (values["hung_up"], values["still_live"]) == (["New"], [] if done else ["New"])


# --- what an error may look like ---------------------------------------------------------------------

#: Body, the text in it that the user must see, and its api_id. See "Errors" in api-facts.md.
SHAPES: dict[str, tuple[str, str, str | None]] = {
    "published": ('{"api_id": "an-id", "error": "the reason"}', "the reason", "an-id"),
    "error in error": ('{"api_id": "an-id", "error": {"error": "the reason"}}', "the reason", "an-id"),
    "message in error": ('{"error": {"message": "the reason", "code": 7}}', "the reason", None),
    "message": ('{"message": "the reason"}', "the reason", None),
    "code": ('{"error_code": 7, "message": "the reason", "api_id": "an-id"}', "the reason", "an-id"),
    "empty object": ("{}", "", None),
    "plain": ("the\nreason\n", "the reason", None),
    "HTML": (LOGIN_PAGE, "", None),
    "empty": ("", "", None),
    "wrong types": ('{"error": 7, "message": [], "api_id": {}}', "", None),
    "long": ('{"error": "' + "y" * 100_000 + '"}', "y" * 200 + "…", None),
}
STATUSES = {
    400: "invalid_request",
    403: "forbidden",
    404: "not_found",
    405: "invalid_request",
    409: "invalid_request",
    422: "invalid_request",
    429: "rate_limited",
    500: "server",
    503: "server",
    # Last, since it ends everything.
    401: "authentication",
}


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize(("text", "reason", "api_id"), SHAPES.values(), ids=SHAPES)
def test_every_shape_of_error_is_told_with_its_reason(
    world: World, deeds: Deeds, text: str, reason: str, api_id: str | None, method: str
) -> None:
    names = [f"c{code}" for code in STATUSES]
    rules = [
        {"action": "answer", "status": code, "body": text, "name": f"c{code}", "method": method, "times": None}
        for code in STATUSES
    ]
    load(world, *rules, conferences=names)
    module = "info" if method == "GET" else "hangup"
    values = run(world, Job(module, {"names": names}, names, []), check=False, retries=0)
    assert_clear_words(values)
    assert (told_by(values), deeds.hung_up, world.live) == ([], [], names)
    assert kinds(values) == {f"c{code}": kind for code, kind in STATUSES.items()}
    for entry in values["errors"]:
        assert entry["status"] == int(entry["conference_name"][1:])
        assert entry["api_id"] == api_id
        # What the list says of a 404 says more.
        assert entry["status"] == 404 or f"answered {entry['status']}{': ' if reason else ''}{reason};" in entry["msg"]


@pytest.mark.parametrize(("text", "reason", "api_id"), SHAPES.values(), ids=SHAPES)
def test_every_shape_of_error_to_the_list(
    world: World, deeds: Deeds, text: str, reason: str, api_id: str | None
) -> None:
    ways = itertools.product([MAIN_JOBS[0], *MAIN_JOBS[2:]], (False, True))
    for (code, kind), (job, check) in zip(STATUSES.items(), itertools.cycle(ways)):
        load(world, {"action": "answer", "status": code, "body": text, "times": None}, check=check)
        values = run(world, job, check, retries=0)
        assert_true_account(world, job, check, values, deeds)
        assert kinds(values) == {None: kind}
        assert (values["error"]["status"], values["error"]["api_id"]) == (code, api_id)
        assert f"answered {code}{': ' if reason else ''}{reason};" in values["msg"]


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
@pytest.mark.parametrize(
    "error", ["the reason", None, {}, [], False, {"error": "the reason"}, {"message": "the reason"}], ids=str
)
def test_an_error_in_a_success_is_none(world: World, deeds: Deeds, error: t.Any, job: Job) -> None:
    """For reading, the key alone is enough; a hangup that was not carried out stays an error, too."""
    whole = {"api_id": "an-id", "error": error, "conferences": BOTH, "conference_name": "Sales", "members": []}
    place = len(job.requests) - (2 if job.waits else 1)
    rule = {"action": "answer", "status": 200, "body": json.dumps(whole), "skip": place}
    load(world, rule)
    values = run(world, job, check=False)
    if job.meant != ["New"] or "DELETE" not in job.requests[place]:
        assert_true_account(world, job, False, values, deeds)
    assert "failed" in values
    assert values["error"]["kind"] == "protocol"
    assert (values["error"]["status"], values["error"]["api_id"]) == (200, "an-id")
    assert ("the reason" in values["msg"]) is ("the reason" in str(error))


# --- wrong types at every place ----------------------------------------------------------------------

MEMBER: Values = {
    "muted": False,
    "member_id": "17",
    "deaf": True,
    "from": "1456789903",
    "to": "1677889900",
    "caller_name": "Joe%20Doe",
    "direction": "inbound",
    "call_uuid": "acfbf0b5-12e0-4d74-85f7-fce15f8f07ec",
    "join_time": "590",
}
DETAILS: Values = {
    "conference_name": "?",
    "conference_run_time": "590",
    "conference_member_count": "1",
    "members": [MEMBER],
    "api_id": "an-id",
}
#: At least one of every type of JSON.
VALUES: list[t.Any] = [None, True, -1, 1.5, 10**18, "x", "", [], {}, ["x"], [1], {"x": 1}]
GONE = "gone"
#: What may stand there; everything may where nothing is said.
ALLOWED: dict[str, list[t.Any]] = {
    "": [],
    "conference_name": [],
    "conference_run_time": [],
    "conference_member_count": [],
    "members": [[]],
    "members.0": [{}, {"x": 1}, GONE],
    "members.0.muted": [True, GONE],
    "members.0.deaf": [True, GONE],
    "members.0.caller_name": ["x", "", GONE],
    "members.0.join_time": [GONE],
    "api_id": [None, "x", "", GONE],
}


def is_same(one: t.Any, other: t.Any) -> bool:
    """Whether two values are one and the same JSON: for Python, True is 1."""
    return json.dumps(one) == json.dumps(other)


def places_in(document: t.Any, place: str = "") -> t.Iterator[str]:
    yield place
    items = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in items:
        yield from places_in(value, f"{place}.{key}".lstrip("."))


def spoiled(document: t.Any, place: str, value: t.Any) -> t.Any:
    """The document with another value at one place, or with nothing there."""
    if not place:
        return value
    copy = json.loads(json.dumps(document))
    *way, last = (int(key) if key.isdigit() else key for key in place.split("."))
    inner = copy
    for key in way:
        inner = inner[key]
    if is_same(value, GONE):
        del inner[last]
    else:
        inner[last] = value
    return copy


class Spoiled(t.NamedTuple):
    place: str
    value: t.Any
    document: t.Any
    is_allowed: bool


def all_spoiled(document: Values, allowed: t.Mapping[str, list[t.Any]]) -> list[Spoiled]:
    """The document with every value at every place, and with each place left out."""
    found = []
    for place in places_in(document):
        for value in [*VALUES, GONE] if place else VALUES:
            fine = place not in allowed or any(is_same(value, each) for each in allowed[place])
            found.append(Spoiled(place, value, spoiled(document, place, value), fine))
    return found


def is_exactly(value: object, kind: type) -> bool:
    """A boolean is no number here."""
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def assert_details_are_typed(conference: Values) -> None:
    for field in ("conference_run_time", "conference_member_count"):
        assert is_exactly(conference[field], int)
    for member in conference["members"]:
        for field, kind in {"join_time": int, "muted": bool, "deaf": bool, "caller_name": str}.items():
            assert is_exactly(member.get(field, kind()), kind)


@pytest.mark.parametrize("mode", ["info", "hangup", "hangup in check mode"])
def test_wrong_types_at_every_place_of_the_details(world: World, deeds: Deeds, mode: str) -> None:
    """Each of many conferences has something wrong at one place; the others must not suffer."""
    check = "check" in mode
    cases = {f"c{number:03}": case for number, case in enumerate(all_spoiled(DETAILS, ALLOWED))}
    assert len(cases) > 150
    rules = [
        {
            "action": "answer",
            "status": 200,
            "body": json.dumps(case.document).replace('"?"', f'"{name}"'),
            "name": name,
            "method": "GET",
            "times": None,
        }
        for name, case in cases.items()
    ]
    load(world, *rules, conferences=list(cases), check=check)
    fine = [name for name, case in cases.items() if case.is_allowed]
    wrong = [name for name in cases if name not in fine]
    bounds = {"patterns": ["*"], "min_members": 0}
    values = run(world, Job(mode.split()[0], bounds, [], []), check, max_connections=2)
    assert_clear_words(values)
    errors = {str(name): kind for name, kind in kinds(values).items()}
    assert set(errors) == set(wrong), [cases[name][:2] for name in set(errors) ^ set(wrong)]
    assert set(errors.values()) == {"protocol"}
    assert sorted(told_by(values)) == fine
    assert [each["conference_name"] for each in values["conferences"]] == fine
    for conference in values["conferences"]:
        assert_details_are_typed(conference)
    assert sorted(deeds.hung_up) == (fine if mode == "hangup" else [])
    assert sorted(world.live) == (wrong if mode == "hangup" else list(cases))


LIST: Values = {"api_id": "an-id", "conferences": BOTH}
ALLOWED_IN_LIST: dict[str, list[t.Any]] = {
    "": [],
    "api_id": [None, "x", "", GONE],
    "conferences": [[], ["x"]],
    "conferences.0": ["x", "", GONE],
    "conferences.1": ["x", "", GONE],
}


@pytest.mark.parametrize("name", ["list", "hangup by name", "hangup of all"])
def test_wrong_types_at_every_place_of_the_list(world: World, deeds: Deeds, name: str) -> None:
    job = JOBS[name]
    for number, case in enumerate(all_spoiled(LIST, ALLOWED_IN_LIST)):
        check = bool(number % 2)
        rule = {"action": "answer", "status": 200, "body": json.dumps(case.document), "target": "collection"}
        load(world, rule, check=check)
        if not case.is_allowed:
            values = run(world, job, check)
            assert kinds(values) == {None: "protocol"}, case
            assert_true_account(world, job, check, values, deeds)
        elif name == "list":
            values = run(world, job, check)
            assert values["conference_names"] == case.document["conferences"]
            assert values["api_id"] == case.document.get("api_id")


HUNG_UP: Values = {"api_id": "an-id", "message": "conference hung up"}


@pytest.mark.parametrize("status", [200, 202])
@pytest.mark.parametrize("done", [True, False], ids=["done", "not done"])
def test_wrong_types_at_every_place_of_a_hangups_answer(world: World, deeds: Deeds, status: int, done: bool) -> None:
    """Its answer needs no JSON; but what says that something is wrong is believed, and then the list decides."""
    allowed = {"": [{}, {"x": 1}], "api_id": ALLOWED["api_id"]}
    cases = {f"c{number:03}": case for number, case in enumerate(all_spoiled(HUNG_UP, allowed))}
    if not done:
        # Whoever says so in good words, and did nothing, lies.
        cases = {name: case for name, case in cases.items() if not case.is_allowed}
    rules = [
        {
            "action": "answer",
            "status": status,
            "body": json.dumps(case.document),
            "name": name,
            "method": "DELETE",
            "when": "after" if done else "before",
            "times": None,
        }
        for name, case in cases.items()
    ]
    load(world, *rules, conferences=list(cases))
    values = run(world, Job("hangup", {"patterns": ["*"]}, [], []), check=False, max_connections=2)
    assert_clear_words(values)
    assert values["hung_up"] == (list(cases) if done else [])
    assert kinds(values) == ({} if done else dict.fromkeys(cases, "protocol"))
    assert values["unknown"] == []
    assert sorted(deeds.hung_up) == sorted(values["hung_up"])
    assert world.requests.count("GET *") == 2
    assert len(world.writes) == len(cases)


ACCEPTED: Values = {"api_id": "an-id", "message": "async api spawned"}


@pytest.mark.parametrize("module", ["info", "hangup"])
def test_wrong_types_at_every_place_of_an_acceptance(world: World, module: str) -> None:
    method = "GET" if module == "info" else "DELETE"
    cases = {f"c{number:03}": case for number, case in enumerate(all_spoiled(ACCEPTED, {"": [], "api_id": ["x", ""]}))}
    rules = [
        {"action": "answer", "status": 202, "body": json.dumps(case.document), "name": name, "method": method}
        for name, case in cases.items()
    ]
    load(world, *rules, conferences=list(cases))
    params = {"names": list(cases), "callback_url": CALLBACK}
    values = run(world, Job(module, params, [], []), check=False, max_connections=2)
    assert_clear_words(values)
    fine = [name for name, case in cases.items() if case.is_allowed]
    assert told_by(values) == fine
    assert kinds(values) == {name: "protocol" for name in cases if name not in fine}
    assert values.get("unknown", []) == ([] if module == "info" else list(kinds(values)))


def test_a_stranger_that_answers_with_a_huge_name_does_not_fill_the_screen(world: World) -> None:
    huge = {**DETAILS, "conference_name": "y" * 1_000_000}
    load(world, {"action": "answer", "status": 200, "body": json.dumps(huge), "name": "Sales"})
    values = run(world, JOBS["info by name"], check=False)
    assert kinds(values) == {"Sales": "protocol"}
    assert len(values["msg"]) < 1000


# --- what is left in a connection --------------------------------------------------------------------

#: Whoever takes these bytes for an answer believes in a hangup that never was, and then in an empty list.
FORGED = (
    'HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 36\r\n\r\n{"conferences": [], "api_id": "odd"}'
)


@ALL_JOBS
@pytest.mark.parametrize("extra", [FORGED, LOGIN_PAGE, "\n"], ids=["answers", "page", "line"])
def test_bytes_left_behind_every_answer_are_never_read(world: World, deeds: Deeds, job: Job, extra: str) -> None:
    load(world, {"action": "stray", "extra": extra, "times": None})
    values = run(world, job, check=False)
    assert "failed" not in values, values["msg"]
    assert world.requests == job.requests
    assert_true_account(world, job, False, values, deeds)


@pytest.mark.parametrize("answer", ["empty", "body", "stray", "json", "accepted"])
@pytest.mark.parametrize("fault", [FAULTS["403"], FAULTS["reset"], FAULTS["503"]], ids=["403", "reset", "503"])
def test_what_a_204_leaves_behind_is_not_the_next_hangups_answer(
    world: World, deeds: Deeds, answer: str, fault: Fault
) -> None:
    names = [f"c{number}" for number in range(6)]
    load(
        world, {**fault.rule, "name": "c3", "method": "DELETE", "times": None}, conferences=names, delete_answer=answer
    )
    values = run(world, Job("hangup", {"patterns": ["*"]}, [], []), check=False, retries=1)
    assert kinds(values) == {"c3": fault.kind}
    assert values["hung_up"] == deeds.hung_up == [name for name in names if name != "c3"]
    assert world.live == ["c3"]


@ALL_JOBS
def test_a_connection_that_is_closed_behind_an_answer_is_replaced(world: World, deeds: Deeds, job: Job) -> None:
    for place in range(len(job.requests)):
        load(world, {"action": "close_after", "skip": place})
        deeds.forget()
        values = run(world, job, check=False)
        assert "failed" not in values, values["msg"]
        assert_true_account(world, job, False, values, deeds)


# --- redirects ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("where", ["same place", "list", "another path", "another host"])
def test_a_redirect_is_never_followed(world: World, deeds: Deeds, code: int, where: str) -> None:
    """A 303 turns a DELETE into a GET, whose 200 looks like success; another host would get the token."""
    with serve(http(200, b'{"conferences": []}'), again=True) as stranger:
        location = {
            "same place": "./",
            "list": COLLECTION,
            "another path": "/login",
            "another host": f"http://127.0.0.1:{stranger.port}/v1/",
        }[where]
        for job, check in [*((job, False) for job in MAIN_JOBS), (JOBS["hangup by bounds"], True)]:
            requests = job.requests_of(check)
            rule = {"action": "answer", "status": code, "headers": {"Location": location}, "skip": len(requests) - 1}
            load(world, rule, check=check)
            deeds.forget()
            values = run(world, job, check)
            assert_true_account(world, job, check, values, deeds)
            assert set(kinds(values).values()) <= {"redirect", "not_tried"}
            error = values["error"]
            assert (error["kind"], error["status"], error["attempts"]) == ("redirect", code, 1)
            assert f"redirect to {location}" not in values["msg"]
            assert world.requests == requests
    assert stranger.heads == []


# --- the way to the host -----------------------------------------------------------------------------


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Files: two CAs, certificates with their keys, and one that is none of these."""
    folder = tmp_path_factory.mktemp("tls")
    ca, other = trustme.CA(), trustme.CA()
    past = datetime.datetime(2001, 1, 1, tzinfo=datetime.timezone.utc)
    hosts = ("localhost", "127.0.0.1")
    content = {
        "ca": ca.cert_pem.bytes(),
        "other ca": other.cert_pem.bytes(),
        "self-signed": ca.private_key_pem.bytes() + ca.cert_pem.bytes(),
        "good": ca.issue_cert(*hosts).private_key_and_cert_chain_pem.bytes(),
        "wrong host": ca.issue_cert("other.example").private_key_and_cert_chain_pem.bytes(),
        "expired": ca.issue_cert(*hosts, not_before=past, not_after=past).private_key_and_cert_chain_pem.bytes(),
        "none": b"no certificate",
    }
    for name, text in content.items():
        (folder / name).write_bytes(text)
    return {name: str(folder / name) for name in content}


def server_side(certificate: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


class Way(t.NamedTuple):
    """A way that does not lead to the API."""

    kind: str
    #: What the user must see of it.
    words: str
    passes: bool = False
    #: Of the server; without one it speaks plain HTTP.
    certificate: str | None = None
    ca_path: str | None = None
    #: {server}, {proxy} and {nobody} are ports.
    api_url: str = "https://localhost:{server}/v1"
    #: Of the environment: a bundle, or the URL of a proxy.
    bundle: str | None = None
    proxy_url: str | None = None
    #: What the proxy answers.
    proxy: bytes = b""


#: Its password must not be seen.
PROXY = "http://someone:pr0xy-pw@127.0.0.1:{proxy}"
LOGIN = http("407 Proxy Authentication Required", b"")
WAYS = {
    "nothing listens": Way("connection", "Connection refused", True, api_url="http://127.0.0.1:{nobody}/v1"),
    "no such host": Way("connection", "cannot be resolved", True, api_url="https://api.invalid/v1"),
    "self-signed": Way("tls", "TLS: self", certificate="self-signed"),
    "another CA": Way("tls", "TLS: ", certificate="good", ca_path="other ca"),
    "another CA by the environment": Way("tls", "TLS: ", certificate="good", bundle="other ca"),
    "another CA, though the environment knows": Way(
        "tls", "TLS: ", certificate="good", ca_path="other ca", bundle="ca"
    ),
    "wrong host": Way("tls", "localhost", certificate="wrong host", ca_path="ca"),
    "wrong address": Way(
        "tls", "127.0.0.1", certificate="wrong host", ca_path="ca", api_url="https://127.0.0.1:{server}/v1"
    ),
    "expired": Way("tls", "expired", certificate="expired", ca_path="ca"),
    "no bundle": Way("invalid_request", "ca_path: ", certificate="good", ca_path="none"),
    "no bundle in the environment": Way("invalid_request", "REQUESTS_CA_BUNDLE: ", certificate="good", bundle="none"),
    "no TLS": Way("tls", "TLS: ", ca_path="ca"),
    "a proxy that refuses": Way("connection", "proxy", True, proxy_url="http://someone:pr0xy-pw@127.0.0.1:{nobody}"),
    "a proxy that demands a login": Way("connection", "407", proxy_url=PROXY, proxy=LOGIN),
    "a proxy that demands a login of plain requests": Way(
        "connection", "407", proxy_url=PROXY, proxy=LOGIN, api_url="http://localhost:1/v1"
    ),
    "a proxy that lets nobody through": Way("connection", "503", True, proxy_url=PROXY, proxy=http(503, b"")),
    "a proxy that is none": Way("connection", "proxy", True, proxy_url=PROXY, proxy=b"SSH-2.0-x\r\n\r\n"),
    "a proxy of another kind": Way("connection", "socks5", proxy_url="socks5://someone:pr0xy-pw@127.0.0.1:1"),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_way_that_does_not_lead_there(
    world: World, deeds: Deeds, way: Way, pem: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = socket.getaddrinfo

    def resolve_all_but_one(host: str, *args: t.Any, **more: t.Any) -> t.Any:
        if host == "api.invalid":
            raise socket.gaierror(-2, "Name or service not known")
        return resolve(host, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_all_but_one)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", pem[way.bundle] if way.bundle else "")
    context = server_side(pem[way.certificate]) if way.certificate else None
    # Whoever speaks no TLS does not wait for the end of a handshake.
    speaks = serve(http(), again=True, tls=context) if context else RawServer(lambda peer: peer.send(http(400)))
    with speaks as server, serve(way.proxy, again=True) as proxy:
        ports = {"server": server.port, "proxy": proxy.port, "nobody": free_port()}
        if way.proxy_url:
            for variable in ("HTTP_PROXY", "HTTPS_PROXY"):
                monkeypatch.setenv(variable, way.proxy_url.format(**ports))
        for job, check in [*((job, False) for job in MAIN_JOBS), (JOBS["hangup by name"], True)]:
            load(world, check=check)
            values = run(
                world,
                job,
                check,
                retries=1,
                api_url=way.api_url.format(**ports),
                ca_path=pem[way.ca_path] if way.ca_path else None,
            )
            assert_true_account(world, job, check, values, deeds)
            assert set(kinds(values).values()) <= {way.kind, "not_tried"}
            error = values["error"]
            assert (error["kind"], error["retryable"]) == (way.kind, way.passes)
            assert way.words in values["msg"]
            assert "pr0xy-pw" not in json.dumps(values)
            assert error["attempts"] == (2 if way.passes else 0 if error["url"] is None else 1)
            assert world.requests == []
        if way.certificate:
            assert server.heads == []


@pytest.fixture(scope="module")
def encrypted(pem: dict[str, str]) -> t.Iterator[Simulator]:
    with Simulator(certfile=pem["good"]) as sim:
        yield sim


@pytest.fixture(scope="module")
def encrypted_for_another(pem: dict[str, str]) -> t.Iterator[Simulator]:
    with Simulator(certfile=pem["wrong host"]) as sim:
        yield sim


@pytest.mark.parametrize("job", MAIN_JOBS, ids=lambda job: next(name for name in JOBS if JOBS[name] is job))
@pytest.mark.parametrize(
    "way",
    ["ca_path", "bundle", "ca_path and a bundle", "unchecked", "unchecked and a bundle", "proxy", "tunnel", "netrc"],
)
def test_a_way_that_leads_there(
    running_simulator: Simulator,
    encrypted: Simulator,
    encrypted_for_another: Simulator,
    way: str,
    job: Job,
    deeds: Deeds,
    pem: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_world: t.Callable[[Simulator], World],
) -> None:
    sim = {"proxy": running_simulator, "netrc": running_simulator}.get(way, encrypted)
    params: Values = {}
    if way.startswith("ca_path"):
        params["ca_path"] = pem["ca"]
    if "unchecked" in way:
        sim, params["validate_certs"] = encrypted_for_another, False
    if "bundle" in way:
        # A bundle from the environment that does not know the server is no match for either option.
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", pem["ca" if way == "bundle" else "other ca"])
    if way == "netrc":
        (tmp_path / ".netrc").write_text("default login other password other\nmachine 127.0.0.1 login x password x\n")
        (tmp_path / ".netrc").chmod(0o600)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    world = make_world(sim)
    load(world)
    with contextlib.ExitStack() as stack:
        if way == "proxy":
            # The simulator takes a proxy's requests as well; where they are said to go nobody listens.
            monkeypatch.setenv("HTTP_PROXY", sim.api_url.rpartition("/")[0])
            params["api_url"] = f"http://localhost:{free_port()}/v1"
        if way == "tunnel":
            proxy = stack.enter_context(serve(tunnel_to(int(sim.api_url.split(":")[2].split("/")[0])), again=True))
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
            params.update(api_url=sim.api_url.replace("127.0.0.1", "localhost"), ca_path=pem["ca"])
        values = run(world, job, check=False, **params)
    assert "failed" not in values, values["msg"]
    assert world.requests == job.requests
    assert all(entry["authorized"] for entry in world.log)
    assert_true_account(world, job, False, values, deeds)
    if way == "tunnel":
        assert {head.split(b" ")[0] for head in proxy.heads} == {b"CONNECT"}


# --- properties --------------------------------------------------------------------------------------

PROPERTY = settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])


@settings(PROPERTY)
@given(
    name=st.text(max_size=12) | st.text(alphabet="./\\%2Ee#?;&+ \u00e9\x00\r\n", max_size=8).filter(lambda name: name),
    check=st.booleans(),
)
@example(".", False)
@example("..", False)
@example("#x", False)
@example("?x", False)
@example("", False)
@example("a/../b", False)
@example("%2e%2e", False)
def test_any_name_hangs_up_exactly_that_conference_or_is_refused(world: World, name: str, check: bool) -> None:
    others = ["Sales", "x", "b"]
    is_refused = bool(address_problem(name))
    conferences = others if is_refused or name in others else [*others, name]
    load(world, conferences=conferences, check=check)
    values = world.hangup(check=check, name=name)
    assert_clear_words(values)
    if is_refused:
        assert (values["error"]["kind"], values["error"]["attempts"], world.requests) == ("invalid_request", 0, [])
        assert world.info(name=name)["error"]["kind"] == "invalid_request"
        return
    assert values["hung_up"] == [name]
    assert world.live == (conferences if check else [each for each in conferences if each != name])
    assert [entry["name"] for entry in world.log] == ([None] if check else [None, name])
    assert told_by(world.info(name=name)) == ([name] if check else [])
    assert world.log[0]["name"] == name


ANSWER_PART = st.sampled_from(
    [
        b"HTTP/1.1 ",
        b"HTTP/1.0 ",
        b"200",
        b"204",
        b"103",
        b"302",
        b"502",
        b" OK",
        b"\r\n",
        b"\r\n\r\n",
        b"Content-Length: ",
        b"5",
        b"-1",
        b"99999999999999999999",
        b"{}",
        b"[]",
        b'{"error": "x"}',
        b'{"conferences": 1}',
        b"Transfer-Encoding: chunked",
        b"0\r\n\r\n",
        b"5\r\n",
        b": ",
        b"\x00",
        b"\xff",
        b"a",
        b"Content-Encoding: gzip",
        b"Location: /",
        b"Retry-After: 9",
        b"Connection: keep-alive",
    ]
)


@settings(PROPERTY, max_examples=80)
@given(
    content=st.binary(max_size=40) | st.lists(ANSWER_PART, max_size=14).map(b"".join),
    job=st.sampled_from(list(JOBS.values())),
    place=st.integers(0, 9),
    lasts=st.booleans(),
)
def test_any_bytes_are_an_answer_or_a_failure_and_the_account_is_true(
    world: World, deeds: Deeds, content: bytes, job: Job, place: int, lasts: bool
) -> None:
    place %= len(job.requests)
    rule = {"action": "raw", "body": content.decode("utf-8", "surrogateescape"), "when": "after"}
    load(world, {**rule, "skip": place, "times": None if lasts else 1})
    deeds.forget()
    values = run(world, job, check=False, retries=1)
    assert_true_account(world, job, False, values, deeds)
    assert set(kinds(values).values()) <= {"protocol", "connection", "redirect", "server", "not_tried"}


TRUE_FAULTS = [fault.rule for title, fault in FAULTS.items() if not fault.is_slow and "flood" not in title]
RULE = st.builds(
    lambda rule, method, name, skip, times: {
        **rule,
        "method": method,
        "skip": skip,
        "times": times,
        **({"target": "collection"} if name is None else {"name": name}),
    },
    st.sampled_from(TRUE_FAULTS),
    st.sampled_from(["GET", "DELETE", "DELETE"]),
    st.sampled_from([*LISTED, None]),
    st.integers(0, 1),
    st.integers(1, 4),
)
SCRIPT = st.fixed_dictionaries(
    {},
    optional={
        "redial_in": st.sampled_from([0, 3]),
        "ends_after_requests": st.integers(1, 6),
        "restarts_after_requests": st.integers(1, 8),
        "restarts_in": st.sampled_from([0, 2]),
    },
)
CHOICE = st.sampled_from(
    [
        {"names": [*BOTH, "x"]},
        {"patterns": ["[SO]*"]},
        {"all": True},
        {"all": True, "excludes": ["Board"]},
        {"patterns": ["*"], "min_run_time": "1h"},
        {"names": BOTH, "max_run_time": "3h", "min_members": 1},
    ]
)


@settings(PROPERTY, max_examples=100)
@given(
    rules=st.lists(RULE, max_size=6),
    scripts=st.tuples(SCRIPT, SCRIPT),
    choice=CHOICE,
    retries=st.integers(0, 3),
    connections=st.sampled_from([1, 3]),
)
def test_any_faults_and_any_redials_leave_the_account_true(
    world: World,
    deeds: Deeds,
    rules: list[Values],
    scripts: tuple[Values, Values],
    choice: Values,
    retries: int,
    connections: int,
) -> None:
    conferences = [{"name": name, "run_time": OLD, **script} for name, script in zip(BOTH, scripts)]
    load(world, *rules, conferences=[*conferences, "Board"])
    deeds.forget()
    values = world.hangup(retries=retries, max_connections=connections, **choice)
    assert_clear_words(values)
    errors, live, done, unknown = kinds(values), world.live, set(deeds.hung_up), set(values["unknown"])
    told, absent = set(values["hung_up"]), set(values["absent"])
    doubted = {entry["name"] for entry in world.log if entry["method"] == "DELETE" and entry["fault"]}
    is_whole = choice == {"all": True}
    # Nothing was hit that was not meant.
    assert is_whole or "Board" not in done
    assert values["changed"] is bool(told)
    assert unknown <= set(errors)
    assert not told & set(errors)
    assert not told & absent
    for name in told - done:
        # It ended by itself, or so it must seem, while one of its hangups was under way.
        assert name in deeds.ended
        assert is_whole or name in doubted
    for name in done - told - unknown:
        if is_whole and name not in values["diff"]["before"]["conferences"]:
            continue  # It began after the list was made.
        # People redialled, and the list cannot tell them from those who were hung up.
        assert name in errors
        assert name in live
    for name in absent:
        assert name == "x" or name in deeds.ended
    if "x" in choice.get("names", ()) and None not in errors:
        assert ("x" in absent) is ("x" not in errors)
