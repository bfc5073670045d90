# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the plivo.voice contributors
"""The vendor's own client against the simulator, so that this is not only our idea of the API."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import pytest

from plivo_simulator import AUTH_ID, AUTH_TOKEN, Simulator

with warnings.catch_warnings():
    # The SDK's own affair, and no reason to fail.
    warnings.simplefilter("ignore")
    plivo = pytest.importorskip("plivo")
    plivo_client = pytest.importorskip("plivo.rest.client")
    plivo_utils = pytest.importorskip("plivo.utils")

COLLECTION = f"/v1/Account/{AUTH_ID}/Conference/"
ROOM = "My Conf Room"
ROOM_PATH = COLLECTION + "My%20Conf%20Room/"


def make_client(sim: Simulator, monkeypatch: pytest.MonkeyPatch, auth_token: str = AUTH_TOKEN) -> Any:
    # The SDK has no option for its base URL; these constants are read at every request.
    for constant in (
        "PLIVO_API_BASE_URI",
        "API_VOICE_BASE_URI",
        "API_VOICE_BASE_URI_FALLBACK_1",
        "API_VOICE_BASE_URI_FALLBACK_2",
    ):
        monkeypatch.setattr(plivo_client, constant, sim.api_url + "/Account")
    client = plivo.RestClient(AUTH_ID, auth_token)
    client.session.trust_env = False
    return client


@pytest.fixture
def sdk(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with make_client(sim, monkeypatch) as client:
        yield client


def seen(sim: Simulator) -> list[tuple[Any, ...]]:
    return [(each["method"], each["path"], each["target"], each["name"], each["status"]) for each in sim.control.log()]


def test_list(sim: Simulator, sdk: Any) -> None:
    answer = sdk.conferences.list()
    assert answer.conferences == [ROOM, "Sales", "Support"]
    assert len(answer.api_id) == 36
    assert seen(sim) == [("GET", COLLECTION, "collection", None, 200)]
    assert sim.control.log()[0]["authorized"]
    assert sim.control.log()[0]["user_agent"].startswith("plivo-python/")


def test_get(sim: Simulator, sdk: Any) -> None:
    answer = sdk.conferences.get(ROOM)
    assert (answer.conference_name, answer.conference_run_time, answer.conference_member_count) == (ROOM, "590", "2")
    member = answer.members[0]
    assert (member.muted, member.deaf, member.caller_name, member.join_time) == (False, False, "Caller%201", "590")
    assert seen(sim) == [("GET", ROOM_PATH, "conference", ROOM, 200)]


@pytest.mark.parametrize("delete_answer", ["empty", "body", "json", "accepted"])
def test_delete_one(sim: Simulator, sdk: Any, delete_answer: str) -> None:
    sim.control.settings(delete_answer=delete_answer)
    answer = sdk.conferences.delete(ROOM)
    if delete_answer in ("json", "accepted"):
        assert answer.message == "conference hung up"
    else:
        assert answer is None  # a 204 has no body, whatever its Content-Length says
    assert ROOM not in sim.control.conferences()
    (entry,) = seen(sim)
    assert entry[:4] == ("DELETE", ROOM_PATH, "conference", ROOM)


def test_delete_all(sim: Simulator, sdk: Any) -> None:
    assert sdk.conferences.delete_all() is None
    assert sdk.conferences.list().conferences == []
    assert sdk.conferences.delete_all() is None
    assert [each[:3] + each[4:] for each in seen(sim)] == [
        ("DELETE", COLLECTION, "collection", 204),
        ("GET", COLLECTION, "collection", 200),
        ("DELETE", COLLECTION, "collection", 204),
    ]


def test_a_conference_that_is_not_live(sim: Simulator, sdk: Any) -> None:
    for request in (sdk.conferences.get, sdk.conferences.delete):
        with pytest.raises(plivo.exceptions.ResourceNotFoundError, match="conference not found"):
            request("nobody")
    assert [each[4] for each in seen(sim)] == [404, 404]


def test_wrong_credentials(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        make_client(sim, monkeypatch, "wrong") as sdk,
        pytest.raises(plivo.exceptions.AuthenticationError, match="could not verify"),
    ):
        sdk.conferences.list()
    assert [(each["authorization"], each["authorized"], each["status"]) for each in sim.control.log()] == [
        (True, False, 401)
    ]


def test_read_only(sim: Simulator, sdk: Any) -> None:
    sim.control.settings(read_only=True)
    with pytest.raises(plivo.exceptions.ForbiddenError, match="read-only"):
        sdk.conferences.delete("Sales")
    assert len(sim.control.violations()) == 1


@pytest.mark.parametrize("callback_method", [None, "POST", "GET"])
@pytest.mark.parametrize(
    ("request_name", "arguments", "response"),
    [
        ("list", (), {"conferences": [ROOM, "Sales", "Support"]}),
        ("get", (ROOM,), {"conference_name": ROOM, "conference_run_time": "590"}),
        ("delete", (ROOM,), {"message": "conference hung up"}),
        ("delete", ("nobody",), {"error": "conference not found"}),
        ("delete_all", (), {"message": "all conferences hung up"}),
    ],
)
def test_asynchronous_mode(
    sim: Simulator,
    sdk: Any,
    receiver: Any,
    request_name: str,
    arguments: tuple[str, ...],
    response: dict[str, Any],
    callback_method: str | None,
) -> None:
    url = receiver.url + "?b=2&a=1&blank="
    accepted = getattr(sdk.conferences, request_name)(*arguments, callback_url=url, callback_method=callback_method)
    assert accepted.message == "async api spawned"
    sim.control.wait_for_callbacks(1)

    (entry,) = sim.control.log()
    given = dict(parse_qsl(entry["query"])) if entry["method"] == "GET" else json.loads(entry["body"])
    assert (given["callback_url"], given.get("callback_method")) == (url, callback_method)
    assert entry["status"] == 202

    (called,) = receiver.calls
    assert called.method == (callback_method or "POST")
    whole = called.fields or dict(parse_qsl(called.path.partition("?")[2]))
    real = json.loads(whole["response"])
    assert whole["api_id"] == accepted.api_id == real["api_id"]
    assert {key: real[key] for key in response} == response

    called_url = receiver.base + called.path
    nonce = called.headers["X-Plivo-Signature-V3-Nonce"]
    for name in ("X-Plivo-Signature-V3", "X-Plivo-Signature-Ma-V3"):
        signed = (called.method, called_url, nonce, AUTH_TOKEN, called.headers[name])
        assert plivo_utils.validate_v3_signature(*signed, called.fields)
        assert not plivo_utils.validate_v3_signature(*signed, {**called.fields, "forged": "yes"})
    nonce = called.headers["X-Plivo-Signature-V2-Nonce"]
    assert plivo_utils.validate_signature(called_url, nonce, called.headers["X-Plivo-Signature-V2"], AUTH_TOKEN)


@pytest.mark.parametrize("name", [".", "#x", "?x", ""])
def test_the_danger_is_real(sim: Simulator, sdk: Any, name: str) -> None:
    """The SDK does not encode names: asked for one conference, it hangs up all of them."""
    sdk.conferences.delete(name)
    assert sim.control.conferences() == {}
    (entry,) = sim.control.log()
    assert (entry["method"], entry["target"]) == ("DELETE", "collection")


def test_a_302_looks_like_success_to_it(sim: Simulator, sdk: Any) -> None:
    sim.control.add_faults({"action": "answer", "status": 302, "headers": {"Location": COLLECTION}})
    assert sdk.conferences.delete(ROOM).conferences == [ROOM, "Sales", "Support"]
    assert [each[0] for each in seen(sim)] == ["DELETE", "GET"]
