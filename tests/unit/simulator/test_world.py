# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the plivo.voice contributors
"""The platform's state, with a clock in the test's hand."""

from __future__ import annotations

from typing import Any

import pytest

from plivo_simulator.world import Account, ScenarioError, World


class Clock:
    time = 1000.0

    def __call__(self) -> float:
        return self.time


class Bench:
    """One account whose time and request count the test moves."""

    def __init__(self, *conferences: Any, **settings: Any) -> None:
        self.clock = Clock()
        self.world = World(self.clock)
        account = {"auth_token": "t", "settings": settings, "conferences": list(conferences)}
        self.world.load({"accounts": {"MA1": account}})

    @property
    def account(self) -> Account:
        self.world.accounts["MA1"].advance(self.world.now())
        return self.world.accounts["MA1"]

    def wait(self, seconds: float) -> None:
        self.clock.time += seconds

    def request(self, count: int = 1) -> None:
        self.account.requests += count

    def live(self) -> list[str]:
        return list(self.account.live)

    def listed(self) -> list[str]:
        return self.account.listing(self.world.now())

    def details(self, name: str = "a") -> dict[str, Any]:
        return self.account.live[name].details(self.world.now())

    def hang_up(self, name: str = "a") -> None:
        self.account.hang_up(self.account.live[name], self.world.now())


def test_numbers_are_strings_and_grow() -> None:
    bench = Bench({"name": "a", "members": 2, "run_time": 590})
    first = bench.details()
    assert (first["conference_run_time"], first["conference_member_count"]) == ("590", "2")
    assert [each["join_time"] for each in first["members"]] == ["590", "590"]
    bench.wait(10.5)
    later = bench.details()
    assert later["conference_run_time"] == "600"
    assert [each["join_time"] for each in later["members"]] == ["600", "600"]


def test_members_have_the_documented_fields_and_their_own_ids() -> None:
    first, second = Bench({"name": "a", "members": 2}).details()["members"]
    documented = "muted member_id deaf from to caller_name direction call_uuid join_time"
    assert list(first) == documented.split()
    assert first["muted"] is False
    assert first["deaf"] is False
    assert first["caller_name"] == "Caller%201"
    assert first["member_id"] != second["member_id"]
    assert first["call_uuid"] != second["call_uuid"]


def test_a_name_alone_is_a_conference_of_one_that_just_began() -> None:
    details = Bench("a").details()
    assert (details["conference_member_count"], details["conference_run_time"]) == ("1", "0")


def test_described_members() -> None:
    members = [{"caller_name": "Joe Doe/ü", "muted": True, "join_time": 30, "vip": "yes"}, {"caller_name": None}]
    joe, nameless = Bench({"name": "a", "run_time": 100, "members": members}).details()["members"]
    assert joe["caller_name"] == "Joe%20Doe%2F%C3%BC"
    assert (joe["muted"], joe["join_time"], joe["vip"]) == (True, "30", "yes")
    assert nameless["caller_name"] is None
    assert nameless["join_time"] == "100"


def test_members_join_and_leave() -> None:
    members = [{"caller_name": "early", "leaves_in": 10}, {"caller_name": "late", "joins_in": 5}]
    bench = Bench({"name": "a", "run_time": 100, "members": members})

    def present() -> dict[str, str]:
        return {each["caller_name"]: each["join_time"] for each in bench.details()["members"]}

    assert present() == {"early": "100"}
    bench.wait(7)
    assert present() == {"early": "107", "late": "2"}
    assert bench.details()["conference_member_count"] == "2"
    bench.wait(3)
    assert present() == {"late": "5"}


def test_starts_and_ends_by_time() -> None:
    bench = Bench({"name": "a", "starts_in": 5, "ends_in": 10})
    assert bench.live() == []
    bench.wait(5)
    assert bench.live() == ["a"]
    bench.wait(4.9)
    assert bench.details()["conference_run_time"] == "4"
    bench.wait(0.1)
    assert bench.live() == []


def test_run_time_counts_from_the_start_even_when_nobody_looked() -> None:
    bench = Bench({"name": "a", "starts_in": 5})
    bench.wait(60)
    assert bench.details()["conference_run_time"] == "55"


def test_restarts_begin_anew() -> None:
    bench = Bench({"name": "a", "run_time": 590, "ends_in": 10, "restarts_in": 5, "members": [{"join_time": 300}]})
    bench.wait(12)
    assert bench.live() == []
    bench.wait(4)
    assert bench.details()["conference_run_time"] == "1"
    assert bench.details()["members"][0]["join_time"] == "1"


def test_ends_between_two_requests() -> None:
    bench = Bench({"name": "a", "ends_after_requests": 2}, {"name": "b", "starts_after_requests": 1})
    assert bench.live() == ["a"]
    bench.request()
    assert bench.live() == ["a", "b"]
    bench.request()
    assert bench.live() == ["b"]


def test_ends_and_restarts_between_two_requests() -> None:
    bench = Bench({"name": "a", "run_time": 590, "ends_after_requests": 1, "restarts_in": 0})
    assert bench.details()["conference_run_time"] == "590"
    bench.request()
    assert bench.details()["conference_run_time"] == "0"


def test_restarts_after_requests() -> None:
    bench = Bench({"name": "a", "ends_after_requests": 1, "restarts_after_requests": 3})
    seen = []
    for _turn in range(4):
        seen.append(bench.live())
        bench.request()
    assert seen == [["a"], [], [], ["a"]]


def test_what_is_live_does_not_start_again() -> None:
    bench = Bench({"name": "a", "run_time": 590, "restarts_after_requests": 1})
    bench.request()
    assert bench.details()["conference_run_time"] == "590"


def test_requests_count_from_when_a_conference_was_added() -> None:
    bench = Bench()
    bench.request(7)
    bench.account.add({"name": "a", "ends_after_requests": 1}, bench.world.now())
    assert bench.live() == ["a"]
    bench.request()
    assert bench.live() == []


@pytest.mark.parametrize("pause", [0, 3])
def test_people_redial(pause: float) -> None:
    bench = Bench({"name": "a", "run_time": 590, "redial_in": pause})
    for _turn in range(2):
        bench.hang_up()
        assert bench.live() == (["a"] if pause == 0 else [])
        bench.wait(pause)
        assert bench.details()["conference_run_time"] == "0"


def test_redialling_is_for_hangups_only() -> None:
    bench = Bench({"name": "a", "ends_in": 1, "redial_in": 0})
    bench.wait(2)
    assert bench.live() == []


def test_hang_up_all_takes_the_hidden_ones_too() -> None:
    bench = Bench("a", {"name": "b", "listed": False}, {"name": "c", "findable": False}, {"name": "d", "redial_in": 0})
    assert bench.account.hang_up_all(bench.world.now()) == 4
    assert bench.live() == ["d"]


def test_listed_and_findable_are_independent() -> None:
    bench = Bench("a", {"name": "b", "listed": False}, {"name": "c", "findable": False})
    assert bench.listed() == ["a", "c"]
    assert [name for name in "abc" if bench.account.find(name)] == ["a", "b"]


def test_lists_lag() -> None:
    bench = Bench("a", {"name": "b", "starts_in": 10}, list_lag=3)
    assert bench.listed() == ["a"]
    bench.hang_up("a")
    assert bench.listed() == ["a"]
    bench.wait(2.9)
    assert bench.listed() == ["a"]
    bench.wait(0.1)
    assert bench.listed() == []
    bench.wait(9)
    assert bench.live() == ["b"]
    assert bench.listed() == []
    bench.wait(1)
    assert bench.listed() == ["b"]


def test_one_that_restarted_within_the_lag_is_listed_once() -> None:
    bench = Bench({"name": "a", "redial_in": 1}, list_lag=3)
    bench.hang_up()
    bench.wait(2)
    assert bench.listed() == ["a"]
    bench.wait(1.5)
    # The list sees the pause between the hangup and the redial, when it is over in truth.
    assert (bench.listed(), bench.live()) == ([], ["a"])
    bench.wait(0.5)
    assert bench.listed() == ["a"]


def test_a_removed_conference_does_not_come_back() -> None:
    bench = Bench({"name": "a", "ends_in": 1, "restarts_in": 1, "starts_after_requests": 1})
    assert bench.account.remove("a", bench.world.now())
    bench.request()
    bench.wait(5)
    assert bench.live() == []
    assert not bench.account.remove("a", bench.world.now())


def test_overrides_win() -> None:
    bench = Bench({"name": "a", "overrides": {"conference_run_time": 5, "region": "eu"}})
    assert (bench.details()["conference_run_time"], bench.details()["region"]) == (5, "eu")


def test_time_can_be_moved() -> None:
    bench = Bench("a")
    bench.world.skip(90)
    assert bench.details()["conference_run_time"] == "90"
    with pytest.raises(ScenarioError, match="forward"):
        bench.world.skip(-1)


def test_settings_of_one_and_of_all() -> None:
    world = World(Clock())
    accounts = {"MA1": {"auth_token": "1", "settings": {"rate_limit": 5}}, "MA2": {"auth_token": "2"}}
    world.load({"settings": {"list_lag": 2}, "accounts": accounts})
    one, two = world.accounts["MA1"], world.accounts["MA2"]
    assert (one.settings.rate_limit, one.settings.list_lag) == (5, 2)
    assert (two.settings.rate_limit, two.settings.list_lag) == (300, 2)
    world.change_settings({"read_only": True}, "MA2")
    assert (one.settings.read_only, two.settings.read_only) == (False, True)
    world.change_settings({"latency": 0.5})
    assert (one.settings.latency, two.settings.latency, one.settings.rate_limit) == (0.5, 0.5, 5)


def test_jitter_is_the_same_each_time() -> None:
    drawn = []
    for _turn in range(2):
        world = World(Clock())
        world.load({"settings": {"jitter_seed": 7}})
        (account,) = world.accounts.values()
        drawn.append(account.jitter.random())
    world.change_settings({"jitter_seed": 7})
    drawn.append(account.jitter.random())
    world.change_settings({"jitter_seed": 8})
    assert drawn == [drawn[0]] * 3
    assert account.jitter.random() != drawn[0]


@pytest.mark.parametrize(
    ("account", "complaint"),
    [
        ({"conferences": []}, "auth_token is needed"),
        ({"auth_token": "t", "conference": []}, "unknown conference"),
        ({"auth_token": "t", "conferences": [{"name": "a", "runtime": 5}]}, "unknown runtime"),
        ({"auth_token": "t", "conferences": [{}]}, "name"),
        ({"auth_token": "t", "conferences": ["a", "a"]}, "'a' is there already"),
        ({"auth_token": "t", "conferences": [7]}, "an object is needed"),
        ({"auth_token": "t", "settings": {"readonly": True}}, "unknown readonly"),
        ({"auth_token": "t", "settings": {"delete_answer": "nothing"}}, "delete_answer: 'nothing' is none of"),
        ({"auth_token": "t", "settings": {"latency": -1}}, "latency: -1 makes no sense"),
        ({"auth_token": "t", "settings": {"read_only": "no"}}, "read_only: 'no' makes no sense"),
    ],
)
def test_mistakes_in_a_scenario_are_told_and_change_nothing(account: Any, complaint: str) -> None:
    bench = Bench("a")
    with pytest.raises(ScenarioError, match=complaint):
        bench.world.load({"accounts": {"MA1": account}})
    assert bench.live() == ["a"]
