# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the plivo.voice contributors
"""Asynchronous mode: what is accepted, what is executed, and what reaches the callback URL."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import pytest

from plivo_simulator import AUTH_ID, AUTH_TOKEN, Simulator
from plivo_simulator.callbacks import sign_v2, sign_v3, text_to_sign_v3

VECTORS = json.loads((Path(__file__).parent / "data" / "signature_vectors.json").read_text(encoding="utf-8"))


def asking(url: str, method: str | None = None) -> str:
    return "?" + urlencode({"callback_url": url, **({"callback_method": method} if method else {})})


# --- signatures --------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", VECTORS["v3"])
def test_v3_vectors(vector: dict[str, Any]) -> None:
    args = (vector["method"], vector["uri"], vector["params"])
    assert text_to_sign_v3(*args, vector["nonce"]) == vector["string_to_sign"]
    assert sign_v3(*args, vector["auth_token"], vector["nonce"]) == vector["x_plivo_signature_v3"]


@pytest.mark.parametrize("vector", VECTORS["v2"])
def test_v2_vectors(vector: dict[str, Any]) -> None:
    assert sign_v2(vector["uri"], vector["auth_token"], vector["nonce"]) == vector["x_plivo_signature_v2"]


# --- what the client gets at once --------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202])
def test_accepted(sim: Simulator, call: Any, receiver: Any, status: int) -> None:
    sim.control.settings(async_status=status)
    answer = call("GET", asking(receiver.url))
    assert answer.status == status
    assert sorted(answer.json) == ["api_id", "message"]
    assert answer.json["message"] == "async api spawned"
    (delivery,) = sim.control.wait_for_callbacks(1)
    assert delivery["api_id"] == answer.json["api_id"]


def test_accepted_is_not_done(sim: Simulator, call: Any, receiver: Any) -> None:
    sim.control.settings(async_delay=0.05)
    call("DELETE", "Sales/" + asking(receiver.url))
    assert "Sales" in sim.control.conferences()
    assert sim.control.callbacks() == []
    sim.control.wait_for_callbacks(1)
    assert "Sales" not in sim.control.conferences()


@pytest.mark.parametrize(
    ("arguments", "query", "body", "asynchronous"),
    [
        ("either", True, False, True),
        ("either", False, True, True),
        ("query", True, False, True),
        ("query", False, True, False),
        ("body", True, False, False),
        ("body", False, True, True),
    ],
)
def test_where_a_delete_may_ask_for_it(
    sim: Simulator, call: Any, receiver: Any, arguments: str, query: bool, body: bool, asynchronous: bool
) -> None:
    sim.control.settings(delete_arguments=arguments)
    path = "Sales/" + (asking(receiver.url) if query else "")
    answer = call("DELETE", path, body=json.dumps({"callback_url": receiver.url}) if body else None)
    assert answer.status == (202 if asynchronous else 204)


def test_a_get_asks_in_its_query_only(sim: Simulator, call: Any, receiver: Any) -> None:
    sim.control.settings(delete_arguments="body")
    assert call("GET", asking(receiver.url)).status == 202
    assert call("GET", body=json.dumps({"callback_url": receiver.url})).status == 200


@pytest.mark.parametrize("body", ["", "no json", "[]", '{"other": 1}'])
def test_a_body_that_asks_for_nothing(call: Any, body: str) -> None:
    assert call("DELETE", "Sales/", body=body).status == 204


@pytest.mark.parametrize(
    "query",
    [
        "?callback_url=",
        "?callback_url=ftp://a/",
        "?callback_url=http://[/",
        "?callback_url=http://a/&callback_method=PUT",
    ],
)
def test_a_callback_that_cannot_be(sim: Simulator, call: Any, query: str) -> None:
    answer = call("DELETE", "Sales/" + query)
    assert answer.status == 400
    assert answer.json["error"].startswith("callback_")
    assert "Sales" in sim.control.conferences()


def test_refusals_are_synchronous(sim: Simulator, call: Any, receiver: Any) -> None:
    assert call("GET", asking(receiver.url), authorization="").status == 401
    sim.control.settings(read_only=True)
    assert call("DELETE", asking(receiver.url)).status == 403
    sim.control.settings(rate_limit=1)
    assert [call("GET", asking(receiver.url)).status for _turn in range(2)] == [202, 429]


# --- what is delivered -------------------------------------------------------------------------


@pytest.mark.parametrize("callback_method", [None, "POST", "GET", "get"])
@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "", {"conferences": ["My Conf Room", "Sales", "Support"]}),
        ("GET", "Sales/", {"conference_name": "Sales"}),
        ("DELETE", "Sales/", {"message": "conference hung up"}),
        ("DELETE", "", {"message": "all conferences hung up"}),
        ("DELETE", "nobody/", {"error": "conference not found"}),
    ],
)
def test_the_real_answer(
    sim: Simulator,
    call: Any,
    receiver: Any,
    callback_method: str | None,
    method: str,
    path: str,
    expected: dict[str, Any],
) -> None:
    accepted = call(method, path + asking(receiver.url, callback_method)).json
    sim.control.wait_for_callbacks(1)
    (called,) = receiver.calls
    if (callback_method or "POST").upper() == "GET":
        assert (called.method, called.body) == ("GET", "")
        fields = dict(parse_qsl(called.path.partition("?")[2]))
    else:
        assert (called.method, called.path) == ("POST", "/cb/")
        assert called.headers["Content-Type"] == "application/x-www-form-urlencoded"
        fields = called.fields
    assert sorted(fields) == ["api_id", "response"]
    response = json.loads(fields["response"])
    assert fields["api_id"] == accepted["api_id"] == response["api_id"]
    assert {key: response[key] for key in expected} == expected


@pytest.mark.parametrize("encoding", ["json", "json_whole"])
def test_json_callbacks(sim: Simulator, call: Any, receiver: Any, encoding: str) -> None:
    sim.control.settings(callback_encoding=encoding)
    accepted = call("DELETE", "Sales/" + asking(receiver.url)).json
    sim.control.wait_for_callbacks(1)
    (called,) = receiver.calls
    assert called.headers["Content-Type"] == "application/json"
    document = json.loads(called.body)
    whole = {"message": "conference hung up", "api_id": accepted["api_id"]}
    if encoding == "json":
        assert json.loads(document.pop("response")) == whole
        assert document == {"api_id": accepted["api_id"]}
    else:
        assert document == whole
    # V3 knows nothing of JSON bodies: it signs the URL alone.
    nonce = called.headers["X-Plivo-Signature-V3-Nonce"]
    assert called.headers["X-Plivo-Signature-V3"] == sign_v3("POST", receiver.url, {}, AUTH_TOKEN, nonce)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_url_is_called_as_given_and_its_fragment_is_not_sent(
    sim: Simulator, call: Any, receiver: Any, method: str
) -> None:
    url = receiver.url + "a%2Fb/%7e?b=%20x&a=1&a=0#rt=2000&rc=0"
    call("GET", "?callback_url=" + quote(url, safe="") + "&callback_method=" + method)
    sim.control.wait_for_callbacks(1)
    (called,) = receiver.calls
    assert called.path.startswith("/cb/a%2Fb/%7e?b=%20x&a=1&a=0")
    assert "#" not in called.path
    nonce = called.headers["X-Plivo-Signature-V3-Nonce"]
    signature = sign_v3(method, receiver.base + called.path, called.fields, AUTH_TOKEN, nonce)
    assert called.headers["X-Plivo-Signature-V3"] == signature


def test_both_tokens_sign(sim: Simulator, call: Any, receiver: Any) -> None:
    sim.control.load({"accounts": {AUTH_ID: {"auth_token": AUTH_TOKEN, "main_auth_token": "main"}}})
    for _turn in range(2):
        call("GET", asking(receiver.url))
    sim.control.wait_for_callbacks(2)
    nonces = set()
    for called in receiver.calls:
        v2, v3 = (called.headers[f"X-Plivo-Signature-{version}-Nonce"] for version in ("V2", "V3"))
        for name, token in (("", AUTH_TOKEN), ("Ma-", "main")):
            expected = sign_v3("POST", receiver.url, called.fields, token, v3)
            assert called.headers[f"X-Plivo-Signature-{name}V3"] == expected
            assert called.headers[f"X-Plivo-Signature-{name}V2"] == sign_v2(receiver.url, token, v2)
        nonces.add(v3)
    assert len(nonces) == 2


@pytest.mark.parametrize(
    ("fragment", "statuses", "attempts", "last"),
    [
        ("", [500], 1, 500),
        ("#rp=5xx", [500], 2, 200),
        ("#rp=5xx&rc=3", [500, 503, 500], 4, 200),
        ("#rp=5xx&rc=0", [500], 1, 500),
        ("#rp=5xx", [404], 1, 404),
        ("#rp=all", [404], 2, 200),
        ("#rp=4xx,ct", [404, 404], 2, 404),
    ],
)
def test_the_fragment_tunes_the_retries(
    sim: Simulator, call: Any, receiver: Any, fragment: str, statuses: list[int], attempts: int, last: int
) -> None:
    receiver.statuses = list(statuses)
    call("GET", asking(receiver.url + fragment))
    (delivery,) = sim.control.wait_for_callbacks(1)
    assert (delivery["attempts"], delivery["status"], delivery["error"]) == (attempts, last, None)
    assert len(receiver.calls) == attempts


def test_nobody_listens(sim: Simulator, call: Any, receiver: Any) -> None:
    receiver.close()
    call("DELETE", "Sales/" + asking(receiver.url))
    (delivery,) = sim.control.wait_for_callbacks(1)
    assert (delivery["attempts"], delivery["status"]) == (2, None)
    assert delivery["error"]
    assert "Sales" not in sim.control.conferences()


def test_the_fragment_tunes_the_patience(sim: Simulator, call: Any, wire: Any) -> None:
    # The simulator itself is the receiver that never answers.
    sim.control.add_faults({"action": "silence", "name": "slow", "times": None})
    begin = time.monotonic()
    call("GET", asking(f"{sim.api_url}/Account/{AUTH_ID}/Conference/slow/#rt=50&rc=1"))
    (delivery,) = sim.control.wait_for_callbacks(1)
    assert (delivery["attempts"], delivery["status"]) == (2, None)
    assert 0.1 <= time.monotonic() - begin < 0.5


def test_the_last_outcome_counts(sim: Simulator, call: Any) -> None:
    sim.control.add_faults({"action": "answer", "name": "cb", "status": 500}, {"action": "reset", "name": "cb"})
    call("GET", asking(f"{sim.api_url}/Account/{AUTH_ID}/Conference/cb/#rp=5xx"))
    (delivery,) = sim.control.wait_for_callbacks(1)
    assert (delivery["attempts"], delivery["status"]) == (2, None)
    assert delivery["error"]


def test_what_is_recorded(sim: Simulator, call: Any, receiver: Any) -> None:
    accepted = call("DELETE", "Sales/" + asking(receiver.url + "?x=1")).json
    (delivery,) = sim.control.wait_for_callbacks(1)
    assert (delivery["account"], delivery["method"], delivery["url"]) == (AUTH_ID, "POST", receiver.url + "?x=1")
    assert delivery["response"] == {"message": "conference hung up", "api_id": accepted["api_id"]}
    assert delivery["body"] == receiver.calls[0].body
    assert delivery["headers"]["X-Plivo-Signature-V3"] == receiver.calls[0].headers["X-Plivo-Signature-V3"]
    assert (delivery["status"], delivery["attempts"]) == (200, 1)
    sim.control.clear_log()
    assert sim.control.callbacks() == []


def test_nothing_of_one_scenario_reaches_the_next(sim: Simulator, call: Any, receiver: Any) -> None:
    sim.control.settings(async_delay=0.03)
    call("DELETE", asking(receiver.url))
    sim.control.load({"accounts": {AUTH_ID: {"auth_token": AUTH_TOKEN, "conferences": ["a"]}}})
    time.sleep(0.06)
    assert receiver.calls == []
    assert list(sim.control.conferences()) == ["a"]


def test_waiting_for_callbacks_that_do_not_come(sim: Simulator) -> None:
    with pytest.raises(TimeoutError, match="0 of 1 callbacks"):
        sim.control.wait_for_callbacks(1, timeout=0.01)
