# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the plivo.voice contributors
"""The API's endpoints over HTTP, without faults."""

from __future__ import annotations

import base64
import email.utils
import http.client
import random
import time
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from plivo_simulator import AUTH_ID, AUTH_TOKEN, Simulator

COLLECTION = f"/v1/Account/{AUTH_ID}/Conference/"
ROOM = "My%20Conf%20Room/"


def test_list(call: Any) -> None:
    first, second = call("GET"), call("GET")
    assert (first.status, first.headers["Content-Type"]) == (200, "application/json")
    assert first.json["conferences"] == ["My Conf Room", "Sales", "Support"]
    assert sorted(first.json) == ["api_id", "conferences"]
    assert first.json["api_id"] != second.json["api_id"]


def test_details(call: Any) -> None:
    answer = call("GET", ROOM)
    assert answer.status == 200
    documented = "conference_name conference_run_time conference_member_count members api_id"
    assert list(answer.json) == documented.split()
    assert (answer.json["conference_name"], answer.json["conference_run_time"]) == ("My Conf Room", "590")


def test_not_live(call: Any) -> None:
    for method in ("GET", "DELETE"):
        answer = call(method, "nobody/")
        assert answer.status == 404
        assert sorted(answer.json) == ["api_id", "error"]


@pytest.mark.parametrize("name", ["ü#?/%", "a b", "...", "\N{SNOWMAN}" * 500, "%2E", "\x00", "a\udcff"])
def test_any_name_that_can_be_addressed(sim: Simulator, call: Any, name: str) -> None:
    sim.control.add_conferences(name)
    path = quote(name, safe="", errors="surrogateescape") + "/"
    assert call("GET", path).json["conference_name"] == name
    assert call("DELETE", path).status == 204
    assert sorted(sim.control.conferences()) == ["My Conf Room", "Sales", "Support"]
    assert [each["name"] for each in sim.control.log()] == [name, name]
    assert sim.control.log()[0]["path"] == COLLECTION + path


@pytest.mark.parametrize("path", [".", "./", "%2E/", "/", "a/../"])
def test_a_careless_client_hangs_up_everything(sim: Simulator, call: Any, path: str) -> None:
    assert call("DELETE", COLLECTION + path).status == 204
    assert sim.control.conferences() == {}
    (entry,) = sim.control.log()
    assert (entry["path"], entry["target"], entry["name"]) == (COLLECTION + path, "collection", None)


def test_two_dots_reach_the_account(sim: Simulator, call: Any) -> None:
    assert call("GET", "../").json["auth_id"] == AUTH_ID
    assert call("DELETE", "../").status == 405
    assert [each["target"] for each in sim.control.log()] == ["account", "account"]
    assert len(sim.control.conferences()) == 3


@pytest.mark.parametrize(
    ("setting", "status", "answers_json"),
    [("empty", 204, False), ("json", 200, True), ("accepted", 202, True)],
)
def test_forms_of_a_successful_delete(sim: Simulator, call: Any, setting: str, status: int, answers_json: bool) -> None:
    sim.control.settings(delete_answer=setting)
    one, everything = call("DELETE", "Sales/"), call("DELETE")
    assert (one.status, everything.status) == (status, status)
    assert sim.control.conferences() == {}
    if answers_json:
        assert one.json["message"] == "conference hung up"
        assert everything.json["message"] == "all conferences hung up"
    else:
        assert (one.body, everything.body) == (b"", b"")
        assert one.headers["Content-Length"] is None


@pytest.mark.parametrize(("setting", "announced"), [("body", True), ("stray", False)])
def test_a_204_that_leaves_bytes_in_the_connection(sim: Simulator, wire: Any, setting: str, announced: bool) -> None:
    sim.control.settings(delete_answer=setting)
    connection = wire()
    connection.send("DELETE", "Sales/")
    head, _blank, left = connection.read_some(b"}").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 204 No Content")
    assert (b"Content-Length: %d" % len(left) in head) is announced
    assert b"conference hung up" in left
    connection.send("GET", "Sales/")
    assert connection.read_some(b"}").startswith(b"HTTP/1.1 404")
    assert [each["connection"] for each in sim.control.log()] == [1, 1]


@pytest.mark.parametrize("status", [204, 404])
def test_hang_up_all_with_none_live(sim: Simulator, call: Any, status: int) -> None:
    sim.control.settings(hangup_all_empty_status=status)
    assert call("DELETE").status == 204
    assert call("DELETE").status == status


def test_credentials(sim: Simulator, call: Any) -> None:
    def basic(user: str, password: str) -> str:
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    other = "MAOTHER"
    accounts = {AUTH_ID: {"auth_token": AUTH_TOKEN}, other: {"auth_token": "t", "conferences": ["x"]}}
    sim.control.load({"accounts": accounts})
    tried = [
        ("", 401, False),
        (basic(AUTH_ID, "wrong"), 401, False),
        (basic("MAUNKNOWN", AUTH_TOKEN), 401, False),
        ("Bearer " + basic(AUTH_ID, AUTH_TOKEN).split()[1], 401, False),
        (basic(other, "t"), 404, False),
        (basic(AUTH_ID, AUTH_TOKEN), 200, True),
        (basic(AUTH_ID, AUTH_TOKEN).replace("Basic", "basic"), 200, True),
    ]
    for authorization, status, authorized in tried:
        answer = call("GET", authorization=authorization)
        entry = sim.control.log()[-1]
        assert (answer.status, entry["authorized"]) == (status, authorized), authorization
        assert entry["authorization"] is bool(authorization)
        assert status == 200 or sorted(answer.json) == ["api_id", "error"]
    assert call("GET", f"/v1/Account/{other}/Conference/", authorization=basic(other, "t")).json["conferences"] == ["x"]


def test_the_token_is_nowhere_in_the_log(sim: Simulator, call: Any) -> None:
    call("GET")
    shown = repr(sim.control.log())
    assert AUTH_TOKEN not in shown
    assert base64.b64encode(f"{AUTH_ID}:{AUTH_TOKEN}".encode()).decode() not in shown


def test_unknown_paths_and_methods(call: Any) -> None:
    assert call("GET", f"/v2/Account/{AUTH_ID}/Conference/").status == 404
    assert call("GET", f"/v1/Account/{AUTH_ID}/Call/").status == 404
    answer = call("POST", "Sales/")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, DELETE")
    assert call("PUT").status == 405
    assert call("HEAD").body == b""


def test_a_missing_slash(sim: Simulator, call: Any) -> None:
    assert call("DELETE", "Sales").status == 404
    sim.control.settings(missing_slash="redirect")
    answer = call("DELETE", "Sales?x=1")
    assert (answer.status, answer.headers["Location"]) == (301, COLLECTION + "Sales/?x=1")
    assert "Sales" in sim.control.conferences()


def test_absolute_form_as_sent_to_a_proxy(sim: Simulator, call: Any) -> None:
    assert call("GET", COLLECTION, authorization="").status == 401
    address = urlsplit(sim.api_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=5)
    connection.putrequest("GET", f"{sim.api_url}/Account/{AUTH_ID}/Conference/?x=1", skip_host=True)
    connection.putheader("Host", "simulated")
    connection.endheaders()
    assert connection.getresponse().status == 401
    connection.close()
    assert sim.control.log()[-1]["path"] == COLLECTION


def test_rate_limit(sim: Simulator, call: Any) -> None:
    sim.control.settings(rate_limit=3, rate_window=0.15)
    assert [call("GET").status for _turn in range(5)] == [200, 200, 200, 429, 429]
    answer = call("GET")
    assert (answer.status, answer.headers["Retry-After"]) == (429, None)
    assert "rate limit" in answer.json["error"]
    time.sleep(0.15)
    assert call("GET").status == 200
    stats = sim.control.stats()
    assert stats["rate_limited"] == 3
    assert stats["answers"] == {"GET": {"200": 4, "429": 3}}
    assert stats["peak_in_window"] == {AUTH_ID: 6}


@pytest.mark.parametrize(("given", "header"), [(2, "2"), (0.5, "0.5"), ("-1", "-1"), ("soon", "soon")])
def test_retry_after(sim: Simulator, call: Any, given: Any, header: str) -> None:
    sim.control.settings(rate_limit=1, retry_after=given)
    call("GET")
    assert call("GET").headers["Retry-After"] == header


def test_retry_after_as_date(sim: Simulator, call: Any) -> None:
    sim.control.settings(rate_limit=1, retry_after=90, retry_after_as_date=True)
    call("GET")
    date = call("GET").headers["Retry-After"]
    assert date.endswith(" GMT")
    assert 85 < email.utils.parsedate_to_datetime(date).timestamp() - time.time() < 95


def test_rate_limit_of_one_account_only(sim: Simulator, call: Any) -> None:
    accounts = {AUTH_ID: {"auth_token": AUTH_TOKEN}, "MA2": {"auth_token": "t", "settings": {"rate_limit": 1}}}
    sim.control.load({"accounts": accounts})
    second = "Basic " + base64.b64encode(b"MA2:t").decode()
    statuses = [call("GET", "/v1/Account/MA2/Conference/", authorization=second).status for _turn in range(2)]
    assert statuses == [200, 429]
    assert [call("GET").status for _turn in range(3)] == [200, 200, 200]


def test_latency_delays_nobody_else(sim: Simulator, wire: Any) -> None:
    sim.control.settings(latency=0.1, jitter=0.02)
    begin = time.monotonic()
    connections = [wire() for _turn in range(5)]
    for each in connections:
        each.send()
    for each in connections:
        each.read_some(b"}")
    assert 0.1 <= time.monotonic() - begin < 0.3
    assert sim.control.stats()["peak_under_way"] == 5


def test_jitter_delays_too(sim: Simulator, call: Any) -> None:
    sim.control.settings(jitter=0.1, jitter_seed=7)
    begin = time.monotonic()
    call("GET")
    assert time.monotonic() - begin >= random.Random(7).uniform(0, 0.1) > 0.01


@pytest.mark.parametrize(("header", "kept"), [("keep-alive", True), ("close", False)])
def test_a_client_may_ask_to_close(sim: Simulator, wire: Any, header: str, kept: bool) -> None:
    connection = wire()
    connection.socket.sendall(f"GET / HTTP/1.1\r\nHost: x\r\nConnection: {header}\r\n\r\n".encode())
    assert (b"Connection: close" not in connection.read_some(b"}")) is kept
    if not kept:
        assert connection.read_until_closed() == b""


def test_read_only(sim: Simulator, call: Any) -> None:
    sim.control.settings(read_only=True)
    assert call("GET", "Sales/").status == 200
    assert sim.control.violations() == []
    assert call("DELETE", "Sales/").status == 403
    assert call("DELETE").status == 403
    assert call("DELETE", authorization="").status == 401
    assert call("DELETE", "/v1/Account/MAUNKNOWN/Conference/").status == 404
    # Not even a fault that swallows the request keeps it from being seen.
    sim.control.add_faults({"action": "answer", "status": 503})
    assert call("DELETE").status == 503
    assert [(each["method"], each["name"]) for each in sim.control.violations()] == [
        ("DELETE", "Sales"),
        ("DELETE", None),
        ("DELETE", None),
        ("DELETE", None),
        ("DELETE", None),
    ]
    assert len(sim.control.conferences()) == 3


def test_what_the_log_holds(sim: Simulator, call: Any) -> None:
    before = time.monotonic()
    call("DELETE", "Sales/?a=1", body='{"x": 2}')
    (entry,) = sim.control.log()
    assert before < entry.pop("time") < time.monotonic()
    assert entry == {
        "n": 1,
        "connection": 1,
        "account": AUTH_ID,
        "method": "DELETE",
        "path": COLLECTION + "Sales/",
        "query": "a=1",
        "body": '{"x": 2}',
        "user_agent": "",
        "content_type": "",
        "authorization": True,
        "authorized": True,
        "target": "conference",
        "name": "Sales",
        "status": 204,
        "fault": None,
        "violation": False,
    }


def test_a_client_that_gives_up_is_logged_as_unanswered(sim: Simulator, wire: Any, eventually: Any) -> None:
    sim.control.settings(latency=30)
    connection = wire()
    connection.send("DELETE", "Sales/")
    eventually(sim.control.log)
    connection.socket.close()
    assert eventually(lambda: sim.control.stats()["answers"]) == {"DELETE": {"None": 1}}
    assert "Sales" not in sim.control.conferences()
