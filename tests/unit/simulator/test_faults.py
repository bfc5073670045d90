# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the plivo.voice contributors
"""Fault rules: whom they hit, whether the request took effect, and what the wire shows."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
import json
import socket
import time
from typing import Any

import pytest

from plivo_simulator import ControlError, Simulator
from plivo_simulator.api import Answer
from plivo_simulator.faults import FaultRule, play

ROOM = "My%20Conf%20Room/"


def live(sim: Simulator) -> set[str]:
    return set(sim.control.conferences())


# --- whom they hit -----------------------------------------------------------------------------


def test_rules_are_used_up_in_their_order(sim: Simulator, call: Any) -> None:
    sim.control.add_faults({"action": "answer", "status": 500, "times": 2}, {"action": "answer", "status": 429})
    assert [call("GET").status for _turn in range(4)] == [500, 500, 429, 200]
    assert [rule["played"] for rule in sim.control.faults()] == [2, 1]


def test_a_rule_for_ever_until_cleared(sim: Simulator, call: Any) -> None:
    sim.control.add_faults({"action": "answer", "status": 503, "times": None})
    assert {call("GET").status for _turn in range(5)} == {503}
    sim.control.clear_faults()
    assert call("GET").status == 200


def test_a_rule_lets_the_first_pass(sim: Simulator, call: Any) -> None:
    sim.control.add_faults({"action": "answer", "status": 503, "skip": 2})
    assert [call("GET").status for _turn in range(4)] == [200, 200, 503, 200]


@pytest.mark.parametrize(
    ("match", "hit"),
    [
        ({"method": "DELETE"}, ["DELETE Sales", "DELETE all"]),
        ({"name": "Sales"}, ["GET Sales", "DELETE Sales"]),
        ({"target": "collection"}, ["GET all", "DELETE all"]),
        ({"target": "conference", "method": "GET"}, ["GET Sales", "GET Support"]),
        ({"account": "MAOTHER"}, []),
        ({"account": "MASIMULATEDACCOUNT00", "name": "Support"}, ["GET Support"]),
    ],
)
def test_what_a_rule_matches(sim: Simulator, call: Any, match: dict[str, Any], hit: list[str]) -> None:
    sim.control.add_faults({"action": "answer", "status": 418, "times": None, **match})
    requests = ["GET all", "GET Sales", "GET Support", "DELETE Sales", "DELETE all"]

    def make(request: str) -> int:
        method, _space, name = request.partition(" ")
        status: int = call(method, "" if name == "all" else name + "/").status
        return status

    assert [each for each in requests if make(each) == 418] == hit


# --- whether the request took effect -----------------------------------------------------------


@pytest.mark.parametrize("action", ["answer", "close_after", "reset", "close", "cut_short", "stray"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_before_or_after_the_effect(sim: Simulator, call: Any, action: str, when: str) -> None:
    sim.control.add_faults({"action": action, "when": when, "status": 502})
    answered = action not in ("reset", "close", "cut_short")
    if answered:
        assert call("DELETE", "Sales/").status == 502
    else:
        with pytest.raises((OSError, http.client.HTTPException)):
            call("DELETE", "Sales/")
    assert ("Sales" in live(sim)) is (when == "before")
    entry = sim.control.log()[-1]
    assert (entry["fault"], entry["status"]) == (action, None if action in ("reset", "close") else 502)


@pytest.mark.parametrize(
    ("action", "effect"),
    [
        ("answer", False),
        ("reset", False),
        ("close", False),
        ("close_after", True),
        ("cut_short", True),
        ("stray", True),
    ],
)
def test_when_a_rule_does_not_say(sim: Simulator, call: Any, action: str, effect: bool) -> None:
    sim.control.add_faults({"action": action})
    with contextlib.suppress(OSError, http.client.HTTPException):
        call("DELETE", "Sales/")
    assert ("Sales" not in live(sim)) is effect


def test_a_request_that_was_not_executed_still_moves_the_script(sim: Simulator, call: Any) -> None:
    sim.control.add_conferences({"name": "brief", "ends_after_requests": 1})
    sim.control.add_faults({"action": "answer", "status": 503})
    call("GET")
    assert "brief" not in live(sim)


# --- answers -----------------------------------------------------------------------------------


def test_a_status_alone_looks_like_the_api(sim: Simulator, call: Any) -> None:
    sim.control.add_faults({"action": "answer", "status": 503, "headers": {"Retry-After": "7"}})
    answer = call("GET")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "7")
    assert sorted(answer.json) == ["api_id", "error"]


def test_a_rule_that_says_nothing_is_a_500(sim: Simulator, call: Any) -> None:
    sim.control.add_faults({"action": "answer"})
    assert call("GET").status == 500


def test_a_status_that_no_standard_knows(sim: Simulator, call: Any) -> None:
    sim.control.add_faults({"action": "answer", "status": 599})
    assert call("GET").status == 599


def test_a_redirect(sim: Simulator, call: Any) -> None:
    sim.control.add_faults({"action": "answer", "status": 302, "headers": {"Location": "http://other.example/"}})
    answer = call("DELETE", "Sales/")
    assert (answer.status, answer.headers["Location"]) == (302, "http://other.example/")
    assert "Sales" in live(sim)


@pytest.mark.parametrize(
    ("rule", "body"),
    [
        ({"body": "<html>"}, b"<html>"),
        ({"body": "\udcff"}, b"\xff"),
        ({"body_base64": base64.b64encode(b"\x00\xff").decode()}, b"\x00\xff"),
        ({"json": {"conferences": [None, 5]}}, b'{"conferences": [null, 5]}'),
        ({"json": []}, b"[]"),
        ({"body": ""}, b""),
    ],
)
def test_another_body(sim: Simulator, call: Any, rule: dict[str, Any], body: bytes) -> None:
    sim.control.add_faults({"action": "answer", "headers": {"content-type": "text/x"}, **rule})
    answer = call("GET")
    assert (answer.status, answer.body) == (200, body)
    assert answer.headers.get_all("Content-Type") == ["text/x"]


def test_another_body_under_the_true_status(sim: Simulator, call: Any) -> None:
    sim.control.add_faults({"action": "answer", "when": "after", "body": "{}"})
    answer = call("GET", "nobody/")
    assert (answer.status, answer.body) == (404, b"{}")


@pytest.mark.parametrize(("status", "true_body"), [(201, True), (502, False), (302, False)])
def test_another_status_after_the_effect(sim: Simulator, call: Any, status: int, true_body: bool) -> None:
    sim.control.add_faults({"action": "answer", "when": "after", "status": status})
    answer = call("GET")
    assert (answer.status, "conferences" in answer.json, "error" in answer.json) == (status, true_body, not true_body)


def test_headers_that_replace_and_repeat(sim: Simulator, wire: Any) -> None:
    headers = [["Content-Length", "3"], ["X-A", "1"], ["X-A", "2"]]
    sim.control.add_faults({"action": "answer", "body": "abc", "headers": headers})
    connection = wire()
    connection.send()
    head = connection.read_some(b"abc")
    assert head.count(b"Content-Length") == 1
    assert b"X-A: 1\r\nX-A: 2\r\n" in head


def test_a_204_without_a_body(sim: Simulator, wire: Any) -> None:
    sim.control.add_faults({"action": "answer", "status": 204})
    connection = wire()
    connection.send()
    assert connection.read_some(b"\r\n\r\n") == b"HTTP/1.1 204 No Content\r\n\r\n"


def test_a_delayed_answer_whose_effect_was_not(sim: Simulator, wire: Any, eventually: Any) -> None:
    sim.control.add_faults({"action": "answer", "when": "after", "delay": 0.1})
    begin = time.monotonic()
    connection = wire()
    connection.send("DELETE", "Sales/")
    eventually(lambda: "Sales" not in live(sim))
    assert time.monotonic() - begin < 0.09
    connection.read_some(b"204")
    assert time.monotonic() - begin >= 0.1


@pytest.mark.parametrize("framing", ["chunked", "close"])
def test_other_framings(sim: Simulator, call: Any, framing: str) -> None:
    sim.control.add_faults({"action": "answer", "when": "after", "framing": framing})
    answer = call("GET")
    assert answer.headers["Content-Length"] is None
    assert (answer.headers["Transfer-Encoding"] == "chunked") is (framing == "chunked")
    assert answer.json["conferences"] == ["My Conf Room", "Sales", "Support"]


# --- on the wire -------------------------------------------------------------------------------


def test_reset(sim: Simulator, wire: Any) -> None:
    sim.control.add_faults({"action": "reset"})
    connection = wire()
    connection.send()
    with pytest.raises(ConnectionResetError):
        connection.read_until_closed()


def test_close(sim: Simulator, wire: Any) -> None:
    sim.control.add_faults({"action": "close"})
    connection = wire()
    connection.send()
    assert connection.read_until_closed() == b""


def test_close_after_an_answer_that_did_not_say_so(sim: Simulator, wire: Any) -> None:
    sim.control.add_faults({"action": "close_after"})
    connection = wire()
    connection.send()
    received = connection.read_until_closed()
    assert received.startswith(b"HTTP/1.1 200")
    assert b"Connection: close" not in received


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("reset", [False, True])
def test_cut_short(sim: Simulator, wire: Any, framing: str, reset: bool) -> None:
    sim.control.add_faults({"action": "cut_short", "framing": framing, "reset": reset})
    connection = wire()
    connection.send("GET", ROOM)
    received = connection.read_some(b"conference_name")
    if reset:
        with pytest.raises(ConnectionResetError):
            connection.read_until_closed()
    else:
        received += connection.read_until_closed()
        head, _blank, body = received.partition(b"\r\n\r\n")
        assert b"200 OK" in head
        assert not body.endswith(b"}")
        assert not body.endswith(b"0\r\n\r\n")


def test_cut_short_where_the_rule_says(sim: Simulator, wire: Any) -> None:
    sim.control.add_faults({"action": "cut_short", "cut_at": 12})
    connection = wire()
    connection.send()
    assert connection.read_until_closed() == b"HTTP/1.1 200"


def test_an_answer_without_a_body_is_cut_in_its_head(sim: Simulator, wire: Any) -> None:
    sim.control.add_faults({"action": "cut_short"})
    connection = wire()
    connection.send("DELETE", "Sales/")
    received = connection.read_until_closed()
    assert received
    assert b"HTTP/1.1 204 No Content\r\n\r\n".startswith(received)
    assert b"\r\n\r\n" not in received


def test_silence_lasts_until_the_client_leaves(sim: Simulator, wire: Any, eventually: Any) -> None:
    sim.control.add_faults({"action": "silence"})
    connection = wire()
    connection.send()
    connection.socket.settimeout(0.1)
    with pytest.raises(socket.timeout):
        connection.socket.recv(1)
    assert sim.control.stats()["answers"] == {}
    connection.socket.close()
    eventually(lambda: sim.control.stats()["answers"] == {"GET": {"None": 1}})


def test_drip(sim: Simulator, wire: Any) -> None:
    sim.control.add_faults({"action": "drip", "interval": 0.001, "body": "[1]", "status": 200})
    connection = wire()
    connection.send()
    pieces: list[bytes] = []
    while b"[1]" not in b"".join(pieces):
        pieces.append(connection.socket.recv(65536))
    # Bytes may meet in the buffers of a busy machine, but never all of a head.
    assert len(pieces) > 20
    assert b"".join(pieces).startswith(b"HTTP/1.1 200 OK\r\n")
    connection.send()
    assert connection.read_some(b"}").startswith(b"HTTP/1.1 200 OK\r\n")


def test_drip_of_the_body_only(sim: Simulator, wire: Any) -> None:
    sim.control.add_faults({"action": "drip", "drip_from": "body", "interval": 0.2})
    connection = wire()
    connection.send()
    received = connection.read_some(b"\r\n\r\n")
    assert received.partition(b"\r\n\r\n")[2] in (b"", b"{")


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_flood_is_wrong_in_its_size_only(sim: Simulator, call: Any, framing: str, method: str) -> None:
    sim.control.add_faults({"action": "flood", "size": 3_000_000, "framing": framing})
    answer = call(method)
    assert (answer.status, len(answer.body)) == (200, 3_000_000)
    expected = ["My Conf Room", "Sales", "Support"] if method == "GET" else None
    assert json.loads(answer.body).get("conferences") == expected
    assert (answer.headers["Content-Length"] == "3000000") is (framing == "length")


def test_an_endless_flood_ends_with_the_client(sim: Simulator, wire: Any, eventually: Any) -> None:
    sim.control.add_faults({"action": "flood"})
    connection = wire()
    connection.send()
    received = 0
    while received < 20_000_000:
        received += len(connection.socket.recv(1 << 20))
    connection.socket.close()
    eventually(lambda: sim.control.stats()["answers"])


def test_a_flood_lets_others_through() -> None:
    """However fast the client reads, the server gets to serve somebody else after each piece."""

    class Bottomless(asyncio.Transport):
        written = 0

        def write(self, data: Any) -> None:
            self.written += len(data)

        def get_write_buffer_size(self) -> int:
            return 0

        def close(self) -> None:
            pass

    async def flood() -> tuple[int, int]:
        transport = Bottomless()
        rule = FaultRule("flood", size=10_000_000)
        task = asyncio.create_task(play(transport, Answer(200, b"{}"), True, rule))
        await asyncio.sleep(0)
        at_first = transport.written
        await task
        return at_first, transport.written

    at_first, in_the_end = asyncio.run(flood())
    assert 0 < at_first < 100_000
    assert in_the_end > 10_000_000


def test_a_flood_does_not_pile_up_for_a_client_that_does_not_read(sim: Simulator, wire: Any) -> None:
    sim.control.add_faults({"action": "flood"})
    connection = wire()
    connection.send()
    connection.read_some(b"\r\n\r\n")
    time.sleep(0.05)
    handlers = sim._server._http.connections
    waiting = [each.transport.get_write_buffer_size() for each in handlers if each.transport is not None]
    assert 0 < max(waiting) < 1_000_000


def test_stray_bytes(sim: Simulator, wire: Any) -> None:
    sim.control.add_faults({"action": "stray", "extra": "HTTP/1.1 204 No Content\r\n\r\n"})
    connection = wire()
    connection.send("GET", "Sales/")
    assert connection.read_some(b"204 No Content\r\n\r\n").startswith(b"HTTP/1.1 200 OK")
    connection.send("GET", "nobody/")
    assert connection.read_some(b"}").startswith(b"HTTP/1.1 404")


def test_raw_bytes(sim: Simulator, wire: Any) -> None:
    sim.control.add_faults({"action": "raw", "body": "SSH-2.0-OpenSSH\r\n"})
    connection = wire()
    connection.send()
    assert connection.read_until_closed() == b"SSH-2.0-OpenSSH\r\n"


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        ({}, "action"),
        ({"action": "explode"}, "action 'explode' is none of"),
        ({"action": "answer", "code": 503}, "unknown code"),
        ({"action": "answer", "when": "during"}, "when 'during' is none of"),
        ({"action": "answer", "body_base64": "?"}, "body_base64"),
        ({"action": "raw"}, "raw needs a body"),
        ({"action": "answer", "played": 5}, "unknown played"),
    ],
)
def test_mistakes_in_a_rule_are_told(sim: Simulator, rule: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ControlError, match=complaint):
        sim.control.add_faults({"action": "reset"}, rule)
    assert sim.control.faults() == []
