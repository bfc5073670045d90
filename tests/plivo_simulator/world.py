# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the plivo.voice contributors
"""What is true on the simulated platform: accounts, and conferences that start, age and end.

Nothing in here knows HTTP, sockets or sleeping. Time comes from a clock that is passed in, so a
test can place anything at any moment without waiting for it.
"""

from __future__ import annotations

import base64
import heapq
import itertools
import random
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Callable, TypeVar
from urllib.parse import quote

AUTH_ID = "MASIMULATEDACCOUNT00"
AUTH_TOKEN = "simulated-auth-token"

_T = TypeVar("_T")


class ScenarioError(ValueError):
    """A scenario, setting or rule that cannot be meant like this."""


def build(cls: type[_T], mapping: Any, what: str) -> _T:
    """Make a dataclass of a JSON object; a misspelt key must not pass as "not given"."""
    if not isinstance(mapping, Mapping):
        raise ScenarioError(f"{what}: an object is needed, not {mapping!r}")
    known = [each.name for each in fields(cls) if each.init]  # type: ignore[arg-type]
    unknown = sorted(set(mapping) - set(known))
    if unknown:
        raise ScenarioError(f"{what}: unknown {', '.join(unknown)}; there are {', '.join(known)}")
    try:
        return cls(**mapping)
    except TypeError as exc:
        raise ScenarioError(f"{what}: {exc}") from None


@dataclass(frozen=True)
class Settings:
    """How the platform behaves; one set for all accounts, which an account may override."""

    read_only: bool = False
    missing_slash: str = "not_found"
    delete_answer: str = "empty"
    hangup_all_empty_status: int = 204
    async_status: int = 202
    async_delay: float = 0.0
    delete_arguments: str = "either"
    callback_encoding: str = "form"
    rate_limit: int = 300
    rate_window: float = 5.0
    retry_after: int | float | str | None = None
    retry_after_as_date: bool = False
    latency: float = 0.0
    jitter: float = 0.0
    jitter_seed: int = 0
    list_lag: float = 0.0

    def __post_init__(self) -> None:
        allowed: dict[str, tuple[Any, ...]] = {
            "missing_slash": ("not_found", "redirect"),
            "delete_answer": ("empty", "body", "stray", "json", "accepted"),
            "hangup_all_empty_status": (204, 404),
            "async_status": (200, 201, 202),
            "delete_arguments": ("either", "query", "body"),
            "callback_encoding": ("form", "json", "json_whole"),
        }
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise ScenarioError(f"setting {name}: {getattr(self, name)!r} is none of {values}")
        for each in fields(self):
            value, number = getattr(self, each.name), isinstance(each.default, (int, float))
            if isinstance(each.default, bool) != isinstance(value, bool) or (number and not value >= 0):
                raise ScenarioError(f"setting {each.name}: {value!r} makes no sense")


@dataclass
class Plan:
    """One conference as a scenario describes it; see README.md for what each field does."""

    name: str
    members: int | list[dict[str, Any]] = 1
    run_time: float = 0.0
    starts_in: float | None = None
    ends_in: float | None = None
    restarts_in: float | None = None
    redial_in: float | None = None
    starts_after_requests: int | None = None
    ends_after_requests: int | None = None
    restarts_after_requests: int | None = None
    listed: bool = True
    findable: bool = True
    overrides: dict[str, Any] = field(default_factory=dict)


@dataclass
class _Member:
    shown: dict[str, Any]
    joined_at: float
    leaves_at: float


class Conference:
    """A conference that is live or may become so, again and again."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.started_at = 0.0
        # When the list took notice of it; lags behind the start where lists do.
        self.appeared_at = 0.0
        self._members: list[_Member] = []
        self._lives = 0

    def start(self, at: float, member_ids: Callable[[], int]) -> None:
        """Begin a life. Only the first may have begun in the past: people who redial start at 0."""
        first = self._lives == 0
        self._lives += 1
        age = float(self.plan.run_time) if first else 0.0
        self.started_at = at - age
        self.appeared_at = at
        given = self.plan.members
        described: list[dict[str, Any]] = [{} for _turn in range(given)] if isinstance(given, int) else given
        self._members = [
            self._member(number, each, at, age, first, member_ids) for number, each in enumerate(described, 1)
        ]

    @staticmethod
    def _member(
        number: int, given: dict[str, Any], at: float, age: float, first: bool, member_ids: Callable[[], int]
    ) -> _Member:
        script = dict(given)
        joins_in = script.pop("joins_in", None)
        leaves_in = float(script.pop("leaves_in", "inf"))
        waited = float(script.pop("join_time", age)) if first else 0.0
        shown = {
            "muted": False,
            "member_id": str(member_ids()),
            "deaf": False,
            "from": f"1456789{number:04d}",
            "to": "1677889900",
            "caller_name": f"Caller {number}",
            "direction": "inbound",
            "call_uuid": str(uuid.uuid4()),
            **script,
        }
        if isinstance(shown["caller_name"], str):
            shown["caller_name"] = quote(shown["caller_name"], safe="", errors="surrogatepass")
        joined_at = at - waited if joins_in is None else at + float(joins_in)
        return _Member(shown, joined_at, at + leaves_in)

    def details(self, now: float) -> dict[str, Any]:
        """The API's description, without api_id. Numbers are strings, as the API sends them."""
        members = [
            {**each.shown, "join_time": _whole(now - each.joined_at)}
            for each in self._members
            if each.joined_at <= now < each.leaves_at
        ]
        return {
            "conference_name": self.plan.name,
            "conference_run_time": _whole(now - self.started_at),
            "conference_member_count": str(len(members)),
            "members": members,
            **self.plan.overrides,
        }


def _whole(seconds: float) -> str:
    # A conference that was given 590 seconds has them at once, whatever the last bit of a float says.
    return str(int(seconds + 1e-6))


class Account:
    """One account: its credentials, what is live on it, and what its script still has to bring."""

    def __init__(self, auth_id: str, given: Mapping[str, Any], settings: Settings, now: float) -> None:
        unknown = sorted(set(given) - {"auth_token", "main_auth_token", "settings", "conferences"})
        if unknown:
            raise ScenarioError(f"account {auth_id}: unknown {', '.join(unknown)}")
        if not given.get("auth_token"):
            raise ScenarioError(f"account {auth_id}: auth_token is needed")
        self.auth_id = auth_id
        self.auth_token = str(given["auth_token"])
        # A subaccount's callbacks are signed twice: by its own token and by the main account's.
        self.main_auth_token = str(given.get("main_auth_token", self.auth_token))
        self.settings = change(settings, given.get("settings", {}))
        self.jitter = random.Random(self.settings.jitter_seed)
        self.live: dict[str, Conference] = {}
        self.requests = 0
        self._known: dict[str, Conference] = {}
        self._departed: deque[tuple[str, float, float]] = deque()
        # Things to come: by time, and by the number of requests the account has made.
        self._by_time: list[tuple[float, int, Conference, str]] = []
        self._by_count: list[tuple[int, int, Conference, str]] = []
        self._sequence = itertools.count()
        self._member_ids = itertools.count(17).__next__
        for each in given.get("conferences", []):
            self.add(each, now, already_listed=True)

    @property
    def credentials(self) -> str:
        """What stands after "Basic " in a request that may speak for this account."""
        return base64.b64encode(f"{self.auth_id}:{self.auth_token}".encode()).decode()

    # --- the script -----------------------------------------------------------------------------

    def add(self, given: str | Mapping[str, Any], now: float, already_listed: bool = False) -> None:
        """Put a conference on the account, live at once unless it says when it starts."""
        plan = build(Plan, {"name": given} if isinstance(given, str) else given, "conference")
        if plan.name in self._known:
            raise ScenarioError(f"conference {plan.name!r} is there already")
        conference = self._known[plan.name] = Conference(plan)
        if plan.starts_in is None and plan.starts_after_requests is None:
            self._start(conference, now)
            if already_listed:
                conference.appeared_at = float("-inf")
        for delay, action in ((plan.starts_in, "start"), (plan.ends_in, "end")):
            if delay is not None:
                self._at(now + delay, conference, action)
        for count, action in (
            (plan.starts_after_requests, "start"),
            (plan.ends_after_requests, "end"),
            (plan.restarts_after_requests, "start"),
        ):
            if count is not None:
                heapq.heappush(self._by_count, (self.requests + count, next(self._sequence), conference, action))

    def remove(self, name: str, now: float) -> bool:
        """Take a conference and its script away, as if it had ended by itself."""
        conference = self._known.pop(name, None)
        if conference is None:
            return False
        self._end(conference, now)
        self._by_time = [each for each in self._by_time if each[2] is not conference]
        self._by_count = [each for each in self._by_count if each[2] is not conference]
        heapq.heapify(self._by_time)
        heapq.heapify(self._by_count)
        return True

    def advance(self, now: float) -> None:
        """Bring about what is due. Cheap when nothing is, since every request does it."""
        while self._by_time and self._by_time[0][0] <= now:
            at, _sequence, conference, action = heapq.heappop(self._by_time)
            self._apply(conference, action, at)
        while self._by_count and self._by_count[0][0] <= self.requests:
            _count, _sequence, conference, action = heapq.heappop(self._by_count)
            self._apply(conference, action, now)
        # An end by count may have scheduled a restart that is due at once.
        if self._by_time and self._by_time[0][0] <= now:
            self.advance(now)

    def _at(self, when: float, conference: Conference, action: str) -> None:
        heapq.heappush(self._by_time, (when, next(self._sequence), conference, action))

    def _apply(self, conference: Conference, action: str, at: float) -> None:
        if action == "start":
            self._start(conference, at)
        elif self._end(conference, at) and conference.plan.restarts_in is not None:
            self._at(at + conference.plan.restarts_in, conference, "start")

    def _start(self, conference: Conference, at: float) -> None:
        if conference.plan.name not in self.live:
            conference.start(at, self._member_ids)
            self.live[conference.plan.name] = conference

    def _end(self, conference: Conference, at: float) -> bool:
        if self.live.pop(conference.plan.name, None) is None:
            return False
        if conference.plan.listed:
            self._departed.append((conference.plan.name, conference.appeared_at, at))
        return True

    # --- what the API asks of it ----------------------------------------------------------------

    def listing(self, now: float) -> list[str]:
        """The names the list shows: the truth of ``list_lag`` seconds ago."""
        then = now - self.settings.list_lag
        while self._departed and self._departed[0][2] <= then:
            self._departed.popleft()
        shown = [name for name, appeared, gone in self._departed if appeared <= then < gone]
        for name, conference in self.live.items():
            if conference.plan.listed and conference.appeared_at <= then:
                shown.append(name)
        # One that ended and began again within the lag would stand there twice.
        return list(dict.fromkeys(shown)) if self._departed else shown

    def find(self, name: str) -> Conference | None:
        """The live conference that answers under this name."""
        conference = self.live.get(name)
        return conference if conference is not None and conference.plan.findable else None

    def hang_up(self, conference: Conference, now: float) -> None:
        """End one by request; whoever redials is back later, or at once."""
        self._end(conference, now)
        if conference.plan.redial_in is not None:
            self._at(now + conference.plan.redial_in, conference, "start")
            self.advance(now)

    def hang_up_all(self, now: float) -> int:
        """End whatever is live, listed and findable or not; says how many that were."""
        conferences = list(self.live.values())
        for conference in conferences:
            self.hang_up(conference, now)
        return len(conferences)


def change(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """The settings with some of them changed."""
    known = [each.name for each in fields(Settings)]
    unknown = sorted(set(changes) - set(known))
    if unknown:
        raise ScenarioError(f"settings: unknown {', '.join(unknown)}; there are {', '.join(known)}")
    return replace(settings, **changes)


class World:
    """All accounts, their common settings and the clock they live by."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._skew = 0.0
        self.settings = Settings()
        self.accounts: dict[str, Account] = {}
        self.by_credentials: dict[str, Account] = {}

    def now(self) -> float:
        """The time on the platform, which a test may have moved ahead."""
        return self._clock() + self._skew

    def skip(self, seconds: float) -> None:
        """Let time pass for the conferences without anybody waiting for it."""
        if seconds < 0:
            raise ScenarioError("time goes forward only")
        self._skew += seconds

    def load(self, scenario: Mapping[str, Any]) -> None:
        """Replace everything by what the scenario says; on an error nothing is changed."""
        settings = change(Settings(), scenario.get("settings", {}))
        given = scenario.get("accounts", {AUTH_ID: {"auth_token": AUTH_TOKEN}})
        now = self.now()
        accounts = {auth_id: Account(auth_id, each, settings, now) for auth_id, each in given.items()}
        self.settings = settings
        self.accounts = accounts
        self.by_credentials = {account.credentials: account for account in accounts.values()}

    def account(self, auth_id: str | None) -> Account:
        """The account of that Auth ID, or the only one there is."""
        if auth_id is None and len(self.accounts) == 1:
            return next(iter(self.accounts.values()))
        if auth_id not in self.accounts:
            raise ScenarioError(f"account {auth_id!r} is none of {', '.join(self.accounts)}")
        return self.accounts[auth_id]

    def change_settings(self, changes: Mapping[str, Any], auth_id: str | None = None) -> None:
        """Change settings for one account, or for all of them and for requests that reach none."""
        if auth_id is None:
            self.settings = change(self.settings, changes)
            chosen = list(self.accounts.values())
        else:
            chosen = [self.account(auth_id)]
        for account in chosen:
            account.settings = change(account.settings, changes)
            if "jitter_seed" in changes:
                account.jitter = random.Random(account.settings.jitter_seed)
