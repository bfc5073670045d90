# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The event source takes what Plivo sends, in every form, and nothing else."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import logging
import shutil
import ssl
import subprocess
import sys
import tracemalloc
import typing as t
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
import trustme
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from unit.extensions.support import (
    ANSWER,
    API_ID,
    FIELDS,
    FILE,
    NOW,
    ROOT,
    TOKEN,
    URL,
    Reply,
    Scene,
    form,
    free_port,
    query,
    reply_of,
    request,
    signature,
    source,
)
from unit.plugins.support import until

SIGNED = {"auth_token": TOKEN, "public_url": URL}
HUNG_UP = {"api_id": API_ID, "message": "conference hung up"}
JSON = {"Content-Type": "application/json"}


def event(payload: dict[str, t.Any], *, signed: bool, endpoint: str = "/plivo") -> dict[str, t.Any]:
    return {"payload": payload, "meta": {"endpoint": endpoint, "received_at": "2026-11-22T12:30:00Z", "signed": signed}}


def tell(*requests: bytes, args: dict[str, t.Any] | None = None, **options: t.Any) -> tuple[list[Reply], list[t.Any]]:
    """The answers to some requests, one after the other, and the events that became of them."""

    async def run() -> tuple[list[Reply], list[t.Any]]:
        async with Scene(args, **options) as scene:
            replies = [await scene.ask(each) for each in requests]
            return replies, [scene.queue.get_nowait() for _number in range(scene.queue.qsize())]

    return asyncio.run(run())


def refused(raw: bytes, args: dict[str, t.Any] | None = None) -> Reply:
    (reply,), events = tell(raw, args=args)
    assert events == []
    return reply


# --- what it takes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        form(FIELDS),
        form(FIELDS, {"Content-Type": "Application/X-WWW-Form-urlencoded; Charset=UTF-8"}),
        form(FIELDS, {"Content-Encoding": "Identity"}),
        form(FIELDS, {"Connection": "keep-alive"}),
        form({"response": ANSWER}, target=f"/plivo?api_id={API_ID}"),
        query(FIELDS),
        request("POST", f"/plivo?{urlencode(FIELDS)}"),
        form({"api_id": API_ID, "message": "conference hung up"}),
        request(body=json.dumps(FIELDS).encode(), headers=JSON),
        request(body=json.dumps({"api_id": API_ID, "response": json.loads(ANSWER)}).encode(), headers=JSON),
        request(body=json.dumps(HUNG_UP).encode(), headers={"Content-Type": "application/json; charset=utf-8"}),
        request(
            body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(urlencode(FIELDS)), urlencode(FIELDS).encode()),
            headers={"Content-Type": "application/x-www-form-urlencoded", "Transfer-Encoding": "chunked"},
        ),
    ],
    ids=lambda raw: raw[:80].decode().replace("\r\n", " "),
)
def test_every_form_of_an_answer(raw: bytes) -> None:
    (reply,), events = tell(raw)
    assert events == [event(HUNG_UP, signed=False)]
    assert (reply.status, reply.body) == (200, "OK\n")
    assert reply.headers["connection"] == "close"


def test_what_plivo_signs() -> None:
    requests = [
        form(FIELDS, signature(FIELDS)),
        query(FIELDS, signature(FIELDS, method="GET")),
        form(FIELDS, signature(FIELDS, name="X-Plivo-Signature-Ma-V3")),
        form(FIELDS, {**signature(FIELDS), "X-Plivo-Signature-Ma-V3": "of another account"}),
        form(FIELDS, {**(good := signature(FIELDS)), "X-Plivo-Signature-V3": f"x,{good['X-Plivo-Signature-V3']}"}),
        form(FIELDS, signature(FIELDS, url=f"{URL}?a=%20&b="), target="/plivo?a=%20&b="),
        form(FIELDS, signature(FIELDS, token="of the subaccount")),
    ]
    args = {**SIGNED, "auth_token": [TOKEN, "of the subaccount"]}
    replies, events = tell(*requests, args=args)
    assert [reply.status for reply in replies] == [200] * len(requests)
    assert events == [event(HUNG_UP, signed=True)] * len(requests)


@pytest.mark.parametrize("name", ["Café", "日本", "😀", 'a"&=+%?#', "a\u0000b"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_names_of_all_kinds_are_signed(name: str, method: str) -> None:
    for is_ascii in (True, False):
        fields = {"api_id": API_ID, "response": json.dumps({"conferences": [name]}, ensure_ascii=is_ascii)}
        send = query if method == "GET" else form
        (reply,), events = tell(send(fields, signature(fields, method=method)), args=SIGNED)
        assert reply.status == 200
        assert events == [event({"api_id": API_ID, "conferences": [{"conference_name": name}]}, signed=True)]


@pytest.mark.parametrize("host", ["example.com", "example.com:8080", "[::1]:5000", "localhost"])
def test_without_a_public_url_it_is_the_url_of_the_request(host: str) -> None:
    headers = {**signature(FIELDS, url=f"http://{host}/plivo"), "Host": host}
    (reply,), events = tell(form(FIELDS, headers), args={"auth_token": TOKEN})
    assert (reply.status, len(events)) == (200, 1)
    headers = {**headers, "Host": "other.example.com", "X-Forwarded-Host": host, "Forwarded": f"host={host}"}
    assert refused(form(FIELDS, headers), {"auth_token": TOKEN}).status == 403


def test_the_path_and_the_size_are_those_that_were_asked_for() -> None:
    args = {"path": "/a%20b/", "max_body": 1024}
    fields = {"message": "x" * (1024 - len("message="))}
    raws = [form(fields, target=target) for target in ("/a%20b/", "/a b/", "/a%20b", "/a%20b/?x=1", "/a%20b//")]
    replies, events = tell(*raws, form({"message": "x" * 1025}, target="/a%20b/"), args=args)
    assert [reply.status for reply in replies] == [200, 400, 404, 200, 404, 413]
    assert events == [event({"api_id": None, **fields}, signed=False, endpoint="/a%20b/")] * 2


def test_a_sender_that_asks_first() -> None:
    async def run() -> None:
        async with Scene() as scene:
            head, blank, body = form(FIELDS, {"Expect": "100-continue"}).partition(b"\r\n\r\n")
            reader, writer = await scene.open(head + blank)
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(body)
            assert (await reply_of(reader)).status == 200
            writer.close()

    asyncio.run(run())


# --- what it refuses ---------------------------------------------------------------------------------

NO_ANSWER = "there is neither a message, nor an error, nor a conference in it"


@pytest.mark.parametrize(
    ("raw", "status", "reason"),
    [
        (form(FIELDS, target="/"), 404, "its path is '/', and not /plivo"),
        (form(FIELDS, target="/plivo/"), 404, "its path is '/plivo/', and not /plivo"),
        (form(FIELDS, target="/PLIVO"), 404, "its path is '/PLIVO', and not /plivo"),
        (form(FIELDS, target="/x/../plivo"), 404, "its path is '/x/../plivo', and not /plivo"),
        (
            form(FIELDS, target="http://example.com/plivo"),
            404,
            "its path is 'http://example.com/plivo', and not /plivo",
        ),
        (request("PUT"), 405, "its method is 'PUT'"),
        (request("HEAD"), 405, "its method is 'HEAD'"),
        (request("OPTIONS"), 405, "its method is 'OPTIONS'"),
        (request("DELETE"), 405, "its method is 'DELETE'"),
        (request("GET"), 400, NO_ANSWER),
        (request("POST"), 400, NO_ANSWER),
        (form({"x": "1"}), 400, NO_ANSWER),
        (query([("response", ANSWER), ("response", ANSWER)]), 400, "the field 'response' is there twice"),
        (form(FIELDS, target=f"/plivo?response={quote(ANSWER)}"), 400, "the field 'response' is there twice"),
        (form([("a", "")] * 101), 400, "it has more than 100 fields"),
        (query({"response": "x" * 10}), 400, "the answer is not JSON (Expecting value: line 1 column 1 (char 0))"),
        (request("GET", "/plivo?message=%FF"), 400, "its fields are not UTF-8"),
        (
            request(body=b"message=\xff", headers={"Content-Type": "application/x-www-form-urlencoded"}),
            400,
            "its body is not UTF-8",
        ),
        (request(body=b"[]", headers=JSON), 400, "the answer is not an object"),
        (
            request(body=b"x", headers={"Content-Type": "text/plain"}),
            415,
            "its body is neither a form nor JSON (text/plain)",
        ),
        (request(body=b"x"), 415, "its body is neither a form nor JSON (application/octet-stream)"),
        (
            request(body=b"--x\r\n", headers={"Content-Type": "multipart/form-data; boundary=x"}),
            415,
            "its body is neither a form nor JSON (multipart/form-data)",
        ),
        (
            form(FIELDS, {"Content-Type": "application/x-www-form-urlencoded; charset=latin-1"}),
            415,
            "its charset is latin-1, and not UTF-8",
        ),
        (form(FIELDS, {"Content-Encoding": "gzip"}), 415, "its body is encoded (gzip)"),
        (
            request(body=gzip.compress(b"x" * 1_000_000), headers={**JSON, "Content-Encoding": "gzip"}),
            415,
            "its body is encoded (gzip)",
        ),
        (form(FIELDS, {"Content-Length": "1048577"}), 413, "its body is larger than max_body (1048576)"),
    ],
    ids=lambda value: value[:60].decode().replace("\r\n", " ") if isinstance(value, bytes) else None,
)
def test_refusals(raw: bytes, status: int, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    reply = refused(raw)
    assert reply.status == status
    assert reply.headers["connection"] == "close"
    assert reply.headers.get("allow") == ("GET, POST" if status == 405 else None)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    _peer, _blank, line = record.getMessage().partition(" ")
    assert line == f"{status}: {reason}"


@pytest.mark.parametrize(
    "raw",
    [
        b"hello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /plivo HTTP/9.9\r\n\r\n",
        request(headers={"a b": "c"}),
        request(headers={"Content-Length": "-1"}),
        request(headers=[("Content-Length", "1"), ("Content-Length", "2")], body=b"xy"),
        request(headers=[("Content-Length", "1"), ("Transfer-Encoding", "chunked")], body=b"xy"),
        request(headers={"x": "y" * 10_000}),
        request("GET", "/plivo?x=" + "y" * 70_000),
        request(headers={"Transfer-Encoding": "gzip"}, body=b"x"),
    ],
    ids=lambda raw: repr(raw[:60]),
)
def test_what_is_not_http(raw: bytes, caplog: pytest.LogCaptureFixture) -> None:
    assert refused(raw).status == 400
    (record,) = caplog.records
    assert record.getMessage().startswith("a connection: 400: it is not HTTP (")
    assert record.exc_info is None
    assert record.getMessage().isprintable()


def test_a_body_that_breaks_off(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async with Scene() as scene:
            _reader, writer = await scene.open(form(FIELDS, {"Content-Length": "999"}))
            await until(lambda: bool(scene.source._answering))
            writer.close()
            await until(lambda: not scene.connections)
            assert scene.queue.empty()

    asyncio.run(run())
    assert [message.partition(" ")[2].partition(" (")[0] for message in caplog.messages] == ["400: its body broke off"]


def test_a_query_may_be_long() -> None:
    fields = {"response": json.dumps({"conferences": ["x" * 30_000]})}
    (reply,), events = tell(query(fields))
    assert (reply.status, len(events)) == (200, 1)


def test_a_stranger_forges_no_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    tell(
        request("GET", "/%0aWARNING\x1b[2J" + "x" * 500),
        request(headers={"Content-Encoding": "\u2028" + "y" * 3000}, body=b"x"),
        request(headers={"Content-Type": "a/\x85b\u202e"}, body=b"x"),
        request("GET", "/plivo?response=%7B%22a%22:%0a"),
        request("A" * 500),
    )
    assert len(caplog.messages) == 5
    for message in caplog.messages:
        assert message.isprintable()
        assert len(message) < 260


# --- signatures --------------------------------------------------------------------------------------


def v2_only() -> dict[str, str]:
    return {"X-Plivo-Signature-V2": "NFeWzxjM0qmwd+NE8gG00H4BHUBF6uXaPLWAzXHumcA=", "X-Plivo-Signature-V2-Nonce": "5"}


NOT_SIGNED = "403: it is not signed"
NO_FIT = (
    "403: its signature does not fit; if it is Plivo's, check auth_token, and public_url if a proxy stands between"
    f" (POST {URL})"
)
NO_NONCE = "403: it is signed without a proper X-Plivo-Signature-V3-Nonce"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (form(FIELDS), NOT_SIGNED),
        (query(FIELDS), NOT_SIGNED),
        (form(FIELDS, {"X-Plivo-Signature-V3-Nonce": "5"}), NOT_SIGNED),
        (form(FIELDS, v2_only()), "403: it is signed by version 2, which covers no answer"),
        (form(FIELDS, {"X-Plivo-Signature-V3": "", "X-Plivo-Signature-V3-Nonce": "5"}), NO_FIT),
        (form(FIELDS, {**signature(FIELDS), "X-Plivo-Signature-V3": "é"}), NO_FIT),
        (form(FIELDS, {**signature(FIELDS), "X-Plivo-Signature-V3": "\udcff"}), NO_FIT),
        (form(FIELDS, {**signature(FIELDS), "X-Plivo-Signature-V3-Nonce": "\udcff"}), NO_FIT),
        (form(FIELDS, signature(FIELDS, token="another")), NO_FIT),
        (form(FIELDS, signature(FIELDS, url="http://example.com/plivo")), NO_FIT),
        (form(FIELDS, signature(FIELDS, url="https://example.com/plivo/")), NO_FIT),
        (form(FIELDS, signature({**FIELDS, "api_id": "another"})), NO_FIT),
        (form({**FIELDS, "response": '{"message": "x"}'}, signature(FIELDS)), NO_FIT),
        (form({**FIELDS, "x": ""}, signature(FIELDS)), NO_FIT),
        (form(FIELDS, signature(FIELDS), target="/plivo?x=1"), NO_FIT),
        (form(FIELDS, {**signature(FIELDS), "X-Plivo-Signature-V3-Nonce": ""}), NO_NONCE),
        (form(FIELDS, signature(FIELDS, nonce="5" * 257)), NO_NONCE),
        (form(FIELDS, {"X-Plivo-Signature-V3": signature(FIELDS)["X-Plivo-Signature-V3"]}), NO_NONCE),
        (
            request(body=json.dumps(FIELDS).encode(), headers={**JSON, **signature({})}),
            "415: its body is JSON, which no signature covers; if Plivo sends it so, set callback_method to GET, or"
            " require_signature to false",
        ),
        (request(body=json.dumps(FIELDS).encode(), headers=JSON), NOT_SIGNED),
    ],
)
def test_fail_closed(raw: bytes, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    reply = refused(raw, SIGNED)
    assert reply.status == int(reason[:3])
    assert TOKEN not in caplog.text
    (message,) = caplog.messages
    assert message.partition(" ")[2] == source._answers.one_line(reason)


def test_two_nonces(caplog: pytest.LogCaptureFixture) -> None:
    good = signature(FIELDS)
    headers = [
        *good.items(),
        ("X-Plivo-Signature-V3-Nonce", "5"),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ]
    assert refused(request(body=urlencode(FIELDS).encode(), headers=headers), SIGNED).status == 403
    assert NO_NONCE in caplog.text


@pytest.mark.parametrize("hosts", [[], ["example.com", "example.com"], ["[x"], ["a/b"], ["a@b"], [""], ["é"]])
def test_without_a_public_url_one_host_must_be_said(hosts: list[str]) -> None:
    headers = {**signature(FIELDS), "Content-Type": "application/x-www-form-urlencoded"}
    raw = request(body=urlencode(FIELDS).encode(), headers=[*headers.items(), *(("Host", host) for host in hosts)])
    if not hosts:
        raw = raw.replace(b"Host: example.com\r\n", b"")
    assert refused(raw, {"auth_token": TOKEN}).status == 400


def test_without_signatures_required_a_wrong_one_is_refused_all_the_same() -> None:
    args = {**SIGNED, "require_signature": False}
    plain_json = json.dumps(FIELDS).encode()
    raws = [
        form(FIELDS),
        form(FIELDS, signature(FIELDS)),
        form(FIELDS, signature(FIELDS, token="another")),
        form(FIELDS, v2_only()),
        request(body=plain_json, headers=JSON),
        # It covers the URL only, so the answer is not signed by it, be it right or wrong.
        request(body=plain_json, headers={**JSON, **signature({})}),
        request(body=plain_json, headers={**JSON, **signature({}, token="another")}),
    ]
    replies, events = tell(*raws, args=args)
    assert [reply.status for reply in replies] == [200, 200, 403, 200, 200, 200, 200]
    assert [each["meta"]["signed"] for each in events] == [False, True, False, False, False, False]


def test_without_a_token_nothing_counts_as_signed() -> None:
    (reply,), events = tell(form(FIELDS, signature(FIELDS)))
    assert reply.status == 200
    assert events == [event(HUNG_UP, signed=False)]


# --- replays -----------------------------------------------------------------------------------------


def test_a_replay_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    raw = form(FIELDS, signature(FIELDS, nonce="1"))
    other = form({"message": "x"}, signature({"message": "x"}, nonce="1"))
    another_day = form(FIELDS, signature(FIELDS, nonce="2"))
    replies, events = tell(raw, raw, other, another_day, args=SIGNED)
    assert [reply.status for reply in replies] == [200, 409, 409, 200]
    assert events == [event(HUNG_UP, signed=True)] * 2
    assert [message.partition(" ")[2] for message in caplog.messages] == ["409: its nonce was used before"] * 2


def test_a_nonce_is_remembered_for_a_day() -> None:
    now = [0.0]

    async def run() -> None:
        async with Scene(SIGNED, clock=lambda: now[0]) as scene:
            raw = form(FIELDS, signature(FIELDS))
            statuses = []
            for moment in (0.0, 86_399.0, 86_400.0):
                now[0] = moment
                statuses.append((await scene.ask(raw)).status)
            assert statuses == [200, 409, 200]

    asyncio.run(run())


def test_a_request_that_was_refused_has_not_used_its_nonce() -> None:
    nonce = "7"
    wrong = form(FIELDS, signature(FIELDS, nonce=nonce, token="another"))
    no_answer = form({"x": "1"}, signature({"x": "1"}, nonce=nonce))
    replies, events = tell(wrong, no_answer, form(FIELDS, signature(FIELDS, nonce=nonce)), args=SIGNED)
    assert [reply.status for reply in replies] == [403, 400, 200]
    assert len(events) == 1


def test_the_same_request_many_times_at_once_is_one_event() -> None:
    async def run() -> None:
        async with Scene(SIGNED, queue=asyncio.Queue(1)) as scene:
            scene.queue.put_nowait("in the way")
            raw = form(FIELDS, signature(FIELDS))
            tasks = [asyncio.create_task(scene.ask(raw)) for _number in range(20)]
            await until(lambda: sum(task.done() for task in tasks) == 19)
            assert scene.queue.get_nowait() == "in the way"
            replies = await asyncio.gather(*tasks)
            assert sorted(reply.status for reply in replies) == [200] + [503] * 19
            assert {reply.headers.get("retry-after") for reply in replies} == {None, "5"}
            assert scene.queue.get_nowait() == event(HUNG_UP, signed=True)
            assert (await scene.ask(raw)).status == 409
            assert scene.queue.empty()

    asyncio.run(run())


# --- a busy rulebook ---------------------------------------------------------------------------------


def test_an_event_that_nobody_takes_in_time_may_come_again(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async with Scene(SIGNED, queue=asyncio.Queue(1), wait_seconds=0.1) as scene:
            scene.queue.put_nowait("in the way")
            raw = form(FIELDS, signature(FIELDS))
            reply = await scene.ask(raw)
            assert (reply.status, reply.headers["retry-after"]) == (503, "5")
            assert scene.queue.get_nowait() == "in the way"
            await asyncio.sleep(0.05)
            assert scene.queue.empty()
            assert (await scene.ask(raw)).status == 200
            assert scene.queue.qsize() == 1

    asyncio.run(run())
    assert caplog.messages[0].endswith("503: the rulebook was busy for 0.1 s")


def test_a_sender_that_hangs_up_while_it_waits_loses_nothing_and_doubles_nothing() -> None:
    async def run() -> None:
        async with Scene(SIGNED, queue=asyncio.Queue(1)) as scene:
            scene.queue.put_nowait("in the way")
            raw = form(FIELDS, signature(FIELDS))
            _reader, writer = await scene.open(raw)
            await until(lambda: any(each.waiting_bytes for each in scene.connections))
            writer.transport.abort()
            await asyncio.sleep(0.05)
            assert scene.queue.get_nowait() == "in the way"
            await until(lambda: not scene.queue.empty())
            assert (await scene.ask(raw)).status == 409
            assert scene.queue.qsize() == 1
            assert scene.connections == {}

    asyncio.run(run())


def test_back_pressure_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    limits = source.default_limits(1024)._replace(waiting=3, connections=10)

    async def run() -> None:
        async with Scene(queue=asyncio.Queue(1), limits=limits) as scene:
            scene.queue.put_nowait("in the way")
            waiting = [asyncio.create_task(scene.ask(form(FIELDS))) for _number in range(3)]
            await until(lambda: sum(each.waiting_bytes is not None for each in scene.connections) == 3)
            replies = await asyncio.gather(*(scene.ask(form(FIELDS)) for _number in range(20)))
            assert {reply.status for reply in replies} == {503}
            assert {reply.headers["retry-after"] for reply in replies} == {"5"}
            for _number in range(4):
                await asyncio.wait_for(scene.queue.get(), 5)
            assert [reply.status for reply in await asyncio.gather(*waiting)] == [200] * 3

    asyncio.run(run())
    assert caplog.messages[0].endswith("503: too many requests are waiting; the rulebook is busy")


def test_events_come_in_the_order_of_their_requests() -> None:
    async def run() -> None:
        async with Scene(queue=asyncio.Queue(1)) as scene:
            tasks = []
            for number in range(30):
                tasks.append(asyncio.create_task(scene.ask(form({"message": str(number)}))))
                await until(lambda number=number: sum(bool(each.waiting_bytes) for each in scene.connections) == number)
            events = [await asyncio.wait_for(scene.queue.get(), 5) for _number in range(30)]
            assert [each["payload"]["message"] for each in events] == [str(number) for number in range(30)]
            await asyncio.gather(*tasks)

    asyncio.run(run())


def test_a_mistake_in_the_rulebooks_filters_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Filtered(asyncio.Queue[t.Any]):
        async def put(self, item: t.Any) -> None:
            if item["payload"]["api_id"] is None:
                raise KeyError("a filter's mistake")
            await super().put(item)

    replies, events = tell(form({"message": "x"}), form(FIELDS), queue=Filtered())
    assert [reply.status for reply in replies] == [500, 200]
    assert events == [event(HUNG_UP, signed=False)]
    (record,) = caplog.records
    assert record.exc_info is not None
    assert '500: KeyError("a filter\'s mistake")' in record.getMessage()


# --- slow, huge and many -----------------------------------------------------------------------------

HASTY = source.default_limits(1024)._replace(read_seconds=0.8)


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        (b"", b""),
        (b"POST /pli", b"y"),
        (request()[:-2] + b"x: ", b"y"),
        (form(FIELDS, {"Content-Length": "999"}), b"y"),
    ],
    ids=["nothing", "first line", "headers", "body"],
)
def test_a_slow_sender_is_dropped_and_holds_up_nobody(
    start: bytes, drop: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        async with Scene(limits=HASTY) as scene:
            reader, writer = await scene.open(start)

            async def drip() -> None:
                while True:
                    writer.write(drop)
                    await asyncio.sleep(0.02)

            dripping = asyncio.create_task(drip())
            assert (await scene.ask(form(FIELDS))).status == 200
            assert len(scene.connections) == 1
            assert (await reply_of(reader)).status == 0
            dripping.cancel()
            writer.close()
            assert scene.queue.qsize() == 1
            await until(lambda: not scene.connections)

    asyncio.run(run())
    assert caplog.messages[0].endswith(": dropped: it took longer than 0.8 s to send its request")


def test_a_chunk_that_is_none_does_not_hang() -> None:
    async def run() -> None:
        async with Scene(limits=HASTY) as scene:
            kind = {"Content-Type": "application/x-www-form-urlencoded", "Transfer-Encoding": "chunked"}
            reader, writer = await scene.open(request(headers=kind, body=b"5\r\nhello\r\n"))
            await until(lambda: bool(scene.source._answering))
            writer.write(b"zz\r\n")
            # aiohttp's parser keeps it to itself, so it takes as long as a slow sender may.
            assert (await reply_of(reader)).status in (0, 400)
            writer.close()
            await until(lambda: not scene.connections)
            assert scene.queue.empty()

    asyncio.run(run())


@pytest.mark.parametrize("chunked", [True, False])
def test_a_huge_body_is_refused_while_it_comes(chunked: bool) -> None:
    async def run() -> None:
        async with Scene({"max_body": 1024}) as scene:
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            length = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(10**12)}
            reader, writer = await scene.open(request(headers={**kind, **length}))
            most = 0

            async def flood() -> None:
                nonlocal most
                while True:
                    writer.write(b"fff\r\n" + b"x" * 0xFFF + b"\r\n" if chunked else b"x" * 4096)
                    await writer.drain()
                    most = max(most, scene.source._listener.held)
                    await asyncio.sleep(0)

            flooding = asyncio.create_task(flood())
            try:
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            finally:
                flooding.cancel()
            assert head.startswith(b"HTTP/1.1 413 ")
            assert (await scene.ask(form(FIELDS))).status == 200
            assert most < 1024 + source.EXTRA_BYTES
            writer.close()

    asyncio.run(run())


def test_a_huge_sender_that_does_not_stop_is_cut_off() -> None:
    limits = source.default_limits(1024)._replace(close_seconds=0.3)

    async def run() -> None:
        async with Scene({"max_body": 1024}, limits=limits) as scene:
            kind = {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(10**12)}
            _reader, writer = await scene.open(request(headers=kind))

            async def flood() -> None:
                while True:
                    writer.write(b"x" * 4096)
                    await writer.drain()

            with pytest.raises(ConnectionError):
                await asyncio.wait_for(flood(), 5)
            assert scene.connections == {}

    asyncio.run(run())


def test_many_slow_senders_neither_fill_memory_nor_keep_others_out() -> None:
    limits = source.default_limits(1 << 20)._replace(connections=20, held_bytes=3 << 20)

    async def run() -> None:
        async with Scene(limits=limits) as scene:
            held = []
            for _number in range(60):
                kind = {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(1 << 20)}
                _reader, writer = await scene.open(request(headers=kind) + b"x" * 500_000)
                held.append(writer)
                await asyncio.sleep(0.005)
                assert scene.source._listener.held <= 3 << 20
                assert len(scene.connections) <= 20
            assert scene.source._listener.held > 1 << 20
            for _number in range(5):
                assert (await scene.ask(form(FIELDS))).status == 200
            for writer in held:
                writer.transport.abort()

    asyncio.run(run())


def test_a_body_in_tiny_pieces_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    kind = {"Content-Type": "application/x-www-form-urlencoded", "Transfer-Encoding": "chunked"}
    fields = urlencode({"message": "x" * 992}).encode()
    (reply,), events = tell(
        request(headers=kind, body=b"".join(b"1\r\n%c\r\n" % byte for byte in fields) + b"0\r\n\r\n")
    )
    assert (reply.status, len(events)) == (200, 1)
    (reply,), events = tell(request(headers=kind, body=b"1\r\nx\r\n" * 100_000))
    assert (reply.status, events) == (0, [])
    assert caplog.messages[0].endswith(" dropped: its request has too many lines or pieces")


def test_a_body_that_was_dropped_leaves_nothing_in_memory() -> None:
    limits = source.default_limits(1 << 20)._replace(connections=2)

    async def run() -> None:
        tracemalloc.start()
        async with Scene(limits=limits) as scene:
            for _number in range(30):
                head = form({"x": "y"}, {"Content-Length": str(1 << 20)})
                _reader, writer = await scene.open(head + b"x" * 1_000_000)
                await until(lambda: scene.source._listener.held > 900_000)
                writer.transport.abort()
                await until(lambda: not scene.connections)
        assert tracemalloc.get_traced_memory()[1] < 15_000_000
        tracemalloc.stop()

    gc.collect()
    gc.disable()
    try:
        asyncio.run(run())
    finally:
        gc.enable()


def test_many_requests_in_one_go_are_one() -> None:
    (reply,), events = tell(form(FIELDS) * 1000)
    assert reply.status == 200
    assert reply.body == "OK\n"
    assert events == [event(HUNG_UP, signed=False)]


def test_an_upgrade_is_not_made() -> None:
    (reply,), events = tell(query(FIELDS, {"Connection": "Upgrade", "Upgrade": "websocket"}))
    assert (reply.status, len(events)) == (200, 1)


def test_refusals_fill_no_log(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]

    async def run() -> None:
        async with Scene(clock=lambda: now[0]) as scene:
            for _number in range(30):
                await scene.ask(b"x\r\n\r\n")
                await scene.ask(request("PUT"))
            now[0] = 60.0
            await scene.ask(request("PUT"))

    asyncio.run(run())
    assert len(caplog.messages) == 22
    assert caplog.messages[20] == "40 more warnings were left out"


# --- anything ----------------------------------------------------------------------------------------


PARTS = [
    b"POST /plivo HTTP/1.1\r\n",
    b"GET /plivo?response=%7B%7D HTTP/1.1\r\n",
    b"PRI * HTTP/2.0\r\n\r\n",
    b"Host: x\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Type: application/json\r\n",
    b"Content-Type: application/x-www-form-urlencoded; charset=\r\n",
    b"Content-Type: ;;=\xff\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Encoding: br\r\n",
    b"Expect: 100-continue\r\n",
    b"Upgrade: h2c\r\n",
    b"X-Plivo-Signature-V3: \xff,,\r\n",
    b"X-Plivo-Signature-V3-Nonce: 5\r\n",
    b"\r\n",
    b"5\r\nhello\r\n",
    b"0\r\n\r\n",
    b"{}",
    b"a=%zz&=&&",
    b"\x00",
]


@settings(deadline=None, max_examples=150)
@given(st.lists(st.sampled_from(PARTS) | st.binary(max_size=30), max_size=10), st.booleans())
def test_whatever_comes_the_source_goes_on(parts: list[bytes], with_token: bool) -> None:
    async def run() -> None:
        args = {"auth_token": TOKEN, "require_signature": False} if with_token else {}
        async with Scene(args) as scene:
            reader, writer = await scene.open(b"".join(parts))
            writer.write_eof()
            reply = await reply_of(reader)
            writer.close()
            assert reply.status in (0, 100) or 400 <= reply.status < 500
            assert scene.queue.empty()
            assert (await scene.ask(form(FIELDS))).status == 200
            await until(lambda: not scene.connections)
            assert scene.source._listener.held == 0

    asyncio.run(run())


# --- TLS and addresses -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


class Pems(t.NamedTuple):
    certfile: str
    keyfile: str
    both: str
    client: ssl.SSLContext


@pytest.fixture
def pems(authority: trustme.CA, tmp_path: Path) -> Pems:
    issued = authority.issue_cert("127.0.0.1", "::1")
    paths = [str(tmp_path / name) for name in ("cert.pem", "key.pem", "both.pem")]
    issued.cert_chain_pems[0].write_to_path(paths[0])
    issued.private_key_pem.write_to_path(paths[1])
    issued.private_key_and_cert_chain_pem.write_to_path(paths[2])
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return Pems(*paths, client)


@pytest.mark.parametrize("in_one", [True, False])
def test_https(pems: Pems, in_one: bool) -> None:
    files = {"certfile": pems.both} if in_one else {"certfile": pems.certfile, "keyfile": pems.keyfile}

    async def run() -> None:
        async with Scene({**files, "auth_token": TOKEN}) as scene:
            host = f"127.0.0.1:{scene.port}"
            headers = {**signature(FIELDS, url=f"https://{host}/plivo"), "Host": host}
            assert (await scene.ask(form(FIELDS, headers), pems.client)).status == 200
            assert scene.queue.get_nowait() == event(HUNG_UP, signed=True)
            headers = {**signature(FIELDS, url=f"http://{host}/plivo"), "Host": host}
            assert (await scene.ask(form(FIELDS, headers), pems.client)).status == 403
            assert (await scene.ask(form(FIELDS, headers))).status == 0

    asyncio.run(run())


def test_old_tls_is_refused(pems: Pems) -> None:
    context = source.tls_context(pems.both, None)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_ipv6() -> None:
    async def run() -> None:
        async with Scene({"host": "::1"}) as scene:
            assert (await scene.ask(form(FIELDS))).status == 200

    try:
        free_port("::1")
    except OSError:
        pytest.skip("this machine has no IPv6")
    asyncio.run(run())


# --- the beginning, and the end ----------------------------------------------------------------------


def failure_at_start(args: dict[str, t.Any]) -> str:
    with pytest.raises(source._errors.PlivoError) as caught:
        asyncio.run(asyncio.wait_for(source.main(asyncio.Queue(), args), 5))
    return str(caught.value)


def test_a_wrong_argument_ends_it() -> None:
    assert failure_at_start({"port": "x"}) == "port: 'x' is not a whole number from 1 to 65535."


def test_a_port_in_use_ends_it() -> None:
    async def run() -> str:
        async with Scene() as scene:
            with pytest.raises(source._errors.PlivoError) as caught:
                await source.main(asyncio.Queue(), {"port": scene.port})
            return str(caught.value)

    text = asyncio.run(run())
    assert text.startswith("host, port: cannot listen at 127.0.0.1, port ")
    assert "Address already in use" in text


def test_a_name_that_there_is_not_ends_it() -> None:
    text = failure_at_start({"host": "nobody.invalid", "auth_token": TOKEN})
    assert text.startswith("host, port: cannot listen at nobody.invalid, port 5000: ")


def test_a_certificate_that_cannot_be_used_ends_it(pems: Pems, tmp_path: Path) -> None:
    absent = str(tmp_path / "absent.pem")
    assert failure_at_start({"certfile": absent}) == (
        f"certfile: cannot read {absent!r}: No such file or directory; give a PEM file."
    )
    assert failure_at_start({"certfile": pems.certfile, "keyfile": absent}).startswith(
        f"keyfile: cannot read {absent!r}"
    )
    assert failure_at_start({"certfile": str(tmp_path)}).startswith("certfile: cannot read ")
    assert failure_at_start({"certfile": pems.certfile}).startswith(
        "certfile, keyfile: no certificate with its key in "
    )
    other = trustme.CA().issue_cert("127.0.0.1").private_key_pem
    other.write_to_path(str(tmp_path / "other.pem"))
    assert "no certificate with its key" in failure_at_start(
        {"certfile": pems.certfile, "keyfile": str(tmp_path / "other.pem")}
    )


def test_an_encrypted_key_ends_it_rather_than_ask(pems: Pems, tmp_path: Path) -> None:
    encrypted = tmp_path / "encrypted.pem"
    encrypted.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    assert failure_at_start({"certfile": pems.certfile, "keyfile": str(encrypted)}) == (
        "keyfile: the key is encrypted; give one that is not, in a file that nobody else can read."
    )


def test_cancelled_it_ends_promptly(pems: Pems) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        for tls in (False, True):
            queue: asyncio.Queue[t.Any] = asyncio.Queue(1)
            queue.put_nowait("in the way")
            async with Scene({"certfile": pems.both} if tls else {}, queue=queue) as scene:
                client = pems.client if tls else None
                opened = [
                    await scene.open(data, client) for data in (b"", b"POST ", form(FIELDS, {"Content-Length": "999"}))
                ]
                opened.append(await scene.open(form(FIELDS), client))
                # Without a handshake.
                opened.append(await scene.open())
                await until(lambda scene=scene: any(each.waiting_bytes for each in scene.connections))
                began = loop.time()
                scene.task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await scene.task
                assert loop.time() - began < 0.5
                assert [(await reply_of(reader)).status for reader, _writer in opened] == [0] * 5
                for _reader, writer in opened:
                    writer.transport.abort()
                await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})
                assert scene.connections == {}
                assert queue.qsize() == 1
                # The port is free again.
                async with Scene({"port": scene.port}) as next_one:
                    assert (await next_one.ask(form(FIELDS))).status == 200

    asyncio.run(run())


def test_it_says_where_it_listens(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    tell(args={**SIGNED, "port": 5999})
    tell(args={"port": 5999, "path": "/x"})
    assert caplog.messages == [
        "Listening at 127.0.0.1, port 5999, path /plivo, only with signatures",
        "Listening at 127.0.0.1, port 5999, path /x, also without signatures",
    ]
    assert TOKEN not in caplog.text


def test_the_time_of_day_is_the_real_one() -> None:
    async def run() -> None:
        port = free_port()
        queue: asyncio.Queue[t.Any] = asyncio.Queue()
        task = asyncio.create_task(source.main(queue, {"port": port}))
        await asyncio.sleep(0)
        _reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(form(FIELDS))
        received_at = (await queue.get())["meta"]["received_at"]
        moment = NOW.fromisoformat(received_at.replace("Z", "+00:00"))
        assert abs((NOW.now(NOW.tzinfo) - moment).total_seconds()) < 60
        writer.close()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())


# --- the file ----------------------------------------------------------------------------------------

LOAD = """
import runpy, sys
before = list(sys.path)
for file in sys.argv[1:]:
    module = runpy.run_path(file)
    assert module["main"].__code__.co_filename == file
    assert module["_callback"].__file__.startswith(file.partition("extensions")[0]), module["_callback"]
assert sys.path == before
assert not {"requests", "urllib3", "ansible", "ansible_collections"} & set(sys.modules)
"""


def test_it_needs_nothing_but_aiohttp_and_its_own_collection(tmp_path: Path) -> None:
    files = [str(FILE)]
    for version in ("1.0.0", "1.0.1"):
        collection = tmp_path / version / "ansible_collections/plivo/voice"
        for folder in ("plugins", "extensions"):
            shutil.copytree(ROOT / folder, collection / folder, ignore=shutil.ignore_patterns("__pycache__"))
        files.append(str(collection / "extensions/eda/plugins/event_source/async_response.py"))
    subprocess.run([sys.executable, "-W", "error", "-c", LOAD, *files], check=True, cwd=tmp_path)


def test_the_documentation_says_what_there_is() -> None:
    documentation = yaml.safe_load(source.DOCUMENTATION)
    defaults = source._arguments.DEFAULTS
    assert list(documentation["options"]) == list(defaults)
    assert {name: each.get("default") for name, each in documentation["options"].items()} == defaults
    notes = " ".join(documentation["notes"])
    assert f"up to {source.WAIT_SECONDS:.0f} seconds" in notes
    assert f"until {source.NONCES:,} others" in notes
    assert f"More than {source.LOG_LINES} " in notes


def test_the_examples_are_right() -> None:
    *arguments, rulebook = yaml.safe_load(source.EXAMPLES)
    for each in [*arguments, *rulebook["sources"]]:
        args = {
            name: [str(entry) for entry in value] if isinstance(value, list) else value
            for name, value in each["plivo.voice.async_response"].items()
        }
        assert source._arguments.parse_arguments(args).required
