# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the plivo.voice contributors
"""The control door, as tests and demos use it."""

from __future__ import annotations

import http.client
import socket
import threading
from typing import Any

import pytest

from plivo_simulator import AUTH_ID, AUTH_TOKEN, Control, ControlError, Simulator


def test_loading_a_scenario_begins_anew(sim: Simulator, call: Any) -> None:
    sim.control.settings(rate_limit=2)
    sim.control.add_faults({"action": "reset", "times": None, "method": "PUT"})
    call("GET")
    call("GET")
    assert call("GET").status == 429
    sim.control.load({"accounts": {AUTH_ID: {"auth_token": AUTH_TOKEN, "conferences": ["only"]}}})
    assert (sim.control.log(), sim.control.faults(), sim.control.callbacks()) == ([], [], [])
    assert sim.control.stats() == {
        "requests": 0,
        "answers": {},
        "rate_limited": 0,
        "violations": 0,
        "connections_opened": 0,
        "peak_under_way": 0,
        "peak_in_window": {},
    }
    assert [call("GET").json["conferences"] for _turn in range(3)] == [["only"]] * 3


def test_a_scenario_with_everything_in_it(call: Any, sim: Simulator) -> None:
    sim.control.load(
        {
            "settings": {"delete_answer": "json"},
            "accounts": {AUTH_ID: {"auth_token": AUTH_TOKEN, "conferences": ["a"]}},
            "faults": [{"action": "answer", "status": 503}],
        }
    )
    assert [call("DELETE", "a/").status for _turn in range(2)] == [503, 200]


def test_a_mistake_changes_nothing(sim: Simulator) -> None:
    for scenario, complaint in (
        ({"account": {}}, "unknown account"),
        ({"accounts": {"MA1": {}}, "faults": []}, "auth_token is needed"),
        ({"accounts": {}, "faults": [{"action": "?"}]}, "is none of"),
    ):
        with pytest.raises(ControlError, match=complaint):
            sim.control.load(scenario)
    assert len(sim.control.conferences()) == 3


def test_conferences_come_and_go(sim: Simulator) -> None:
    sim.control.add_conferences("a", {"name": "b", "members": 4, "starts_in": 60})
    sim.control.remove_conference("Sales")
    assert list(sim.control.conferences()) == ["My Conf Room", "Support", "a"]
    sim.control.advance_clock(60)
    room = sim.control.conferences()["b"]
    assert (room["conference_member_count"], room["listed"], room["findable"]) == ("4", True, True)
    with pytest.raises(ControlError, match="there is no conference 'Sales'"):
        sim.control.remove_conference("Sales")
    with pytest.raises(ControlError, match="'a' is there already"):
        sim.control.add_conferences("a")


def test_several_accounts(sim: Simulator) -> None:
    sim.control.load({"accounts": {"MA1": {"auth_token": "1"}, "MA2": {"auth_token": "2", "conferences": ["x"]}}})
    sim.control.add_conferences("y", account="MA2")
    assert (list(sim.control.conferences("MA1")), list(sim.control.conferences("MA2"))) == ([], ["x", "y"])
    sim.control.remove_conference("x", account="MA2")
    assert list(sim.control.conferences("MA2")) == ["y"]
    with pytest.raises(ControlError, match="account None is none of MA1, MA2"):
        sim.control.add_conferences("z")
    with pytest.raises(ControlError, match="account 'MA3' is none of MA1, MA2"):
        sim.control.settings(account="MA3", read_only=True)


def test_the_log_can_be_read_in_parts_and_cleared(sim: Simulator, call: Any) -> None:
    for name in ("a", "b", "c"):
        call("GET", name + "/")
    assert [each["name"] for each in sim.control.log(since=1)] == ["b", "c"]
    sim.control.clear_log()
    assert sim.control.stats()["requests"] == 0
    assert sim.control.stats()["peak_in_window"] == {AUTH_ID: 0}
    call("GET", "d/")
    assert [(each["n"], each["name"]) for each in sim.control.log()] == [(1, "d")]
    assert sim.control.stats()["peak_in_window"] == {AUTH_ID: 1}


def test_clearing_the_log_gives_no_rate_limit_back(sim: Simulator, call: Any) -> None:
    sim.control.settings(rate_limit=1)
    assert call("GET").status == 200
    sim.control.clear_log()
    assert call("GET").status == 429


def test_kept_connections_are_told_apart(sim: Simulator, wire: Any) -> None:
    first, second = wire(), wire()
    for connection in (first, second, first):
        connection.send()
        connection.read_some(b"}")
    assert [each["connection"] for each in sim.control.log()] == [1, 2, 1]
    assert sim.control.stats()["connections_opened"] == 2
    assert sim.control.stats()["peak_under_way"] == 1


def test_what_is_not_there(sim: Simulator) -> None:
    for method, route in (("GET", "nothing"), ("POST", "log")):
        with pytest.raises(ControlError, match=f"there is no {method} {route}"):
            sim.control._call(method, route)
    with pytest.raises(ControlError, match="'advance' is missing"):
        sim.control._call("POST", "clock", {})


def test_control_is_not_part_of_what_is_seen(sim: Simulator) -> None:
    sim.control.settings(read_only=True, latency=10)
    sim.control.add_conferences("a")
    sim.control.add_faults({"action": "silence", "times": None})
    assert (sim.control.log(), sim.control.violations(), sim.control.stats()["connections_opened"]) == ([], [], 0)


@pytest.mark.parametrize(("prefix", "path"), [("api/v1/", "/api/v1"), ("/", ""), ("", "")])
def test_another_prefix(prefix: str, path: str) -> None:
    with Simulator(prefix=prefix) as sim:
        address = sim.api_url.removesuffix(path).removeprefix("http://")
        connection = http.client.HTTPConnection(address, timeout=5)
        connection.request("GET", f"{path}/Account/{AUTH_ID}/Conference/")
        assert connection.getresponse().status == 401
        connection.close()
        assert sim.control.log()[0]["target"] == "collection"


def test_a_large_scenario(sim: Simulator) -> None:
    conferences = [{"name": "x" * 300 + str(number)} for number in range(5000)]
    sim.control.load({"accounts": {AUTH_ID: {"auth_token": AUTH_TOKEN, "conferences": conferences}}})
    assert len(sim.control.conferences()) == 5000


def test_stopping_breaks_what_is_under_way_and_leaves_nothing() -> None:
    threads = threading.active_count()
    sim = Simulator({"faults": [{"action": "silence"}]}).start()
    host, port = sim.api_url.split("/")[2].split(":")
    connection = socket.create_connection((host, int(port)), timeout=5)
    connection.sendall(b"GET /v1/ HTTP/1.1\r\nHost: x\r\n\r\n")
    while not sim.control.log():
        pass
    sim.stop()
    with connection:
        assert connection.recv(1) == b""
    assert threading.active_count() == threads
    with pytest.raises(OSError, match="refused"):
        Control(sim.control._url.geturl()).stats()


def test_a_port_that_is_taken() -> None:
    with Simulator() as sim, pytest.raises(OSError, match="in use"):
        Simulator(port=int(sim.api_url.split(":")[2].split("/")[0])).start()


def test_localhost_by_name() -> None:
    with Simulator(host="localhost") as sim:
        assert sim.api_url.startswith("http://localhost:")
        assert sim.control.stats()["requests"] == 0
