# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client repeats what may pass, and remembers what may have worked."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
import typing as t
from email.utils import formatdate
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.plivo.voice.plugins.module_utils._client import Client
from ansible_collections.plivo.voice.plugins.module_utils._errors import REMEDIES, PlivoError
from ansible_collections.plivo.voice.plugins.module_utils._pacing import MAX_BACKOFF, MAX_RETRY_AFTER, SlidingWindow
from unit.plugins.support import API_ID, AUTH_ID, TOKEN, Clock, answer, failure_of, lost, place, scripted_client

OK = answer(200, {"api_id": API_ID})
LOGIN_PAGE = b"<!DOCTYPE html><html><body>Please log in</body></html>"

# --- one request -------------------------------------------------------------------------------------


def test_the_credentials_are_basic_and_nothing_else_tells_them(clock: Clock) -> None:
    client, transport = scripted_client(clock, OK)
    client.get("/x/")
    (sent,) = transport.sent
    login = base64.b64encode(f"{AUTH_ID}:{TOKEN}".encode()).decode()
    assert sent.headers["Authorization"] == f"Basic {login}"
    others = {name: value for name, value in sent.headers.items() if name != "Authorization"}
    assert TOKEN not in str(others) + sent.path + sent.query
    assert re.fullmatch(r"plivo\.voice/\d+\.\d+\.\d+.*", others["User-Agent"])
    assert others["Accept"] == "application/json"
    assert others["Accept-Encoding"] == "identity"
    assert sent.body is None
    assert "Content-Type" not in others


def test_a_reply_tells_when_it_came_and_after_how_many_attempts(clock: Clock) -> None:
    client, _transport = scripted_client(clock, answer(503), OK)
    reply = client.get("/x/")
    assert (reply.status, reply.api_id, reply.attempts, reply.received_at) == (200, API_ID, 2, 1000.5)


def test_parameters_go_into_the_query_and_on_delete_into_the_body_too(clock: Clock) -> None:
    params = {"callback_url": "https://a/ü?b=c d&e=1#f=%20", "callback_method": "POST"}
    client, transport = scripted_client(clock, OK, OK)
    client.get("/x/", params)
    client.delete("/x/", params)
    get, delete = transport.sent
    assert dict(parse_qsl(get.query)) == dict(parse_qsl(delete.query)) == params
    assert get.query.isascii()
    assert not set("#+ ") & set(get.query)
    assert get.body is None
    assert json.loads(delete.body or b"") == params
    assert delete.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("params", [None, {"callback_url": "https://a/"}])
def test_check_mode_writes_nothing_ever(clock: Clock, params: dict[str, str] | None) -> None:
    client, transport = scripted_client(clock, OK, read_only=True)
    looked: list[int] = []
    error = failure_of(lambda: client.delete("/x/", params, confirm=lambda previous: looked.append(1) or 0.0))
    assert (error.kind, error.method, error.attempts, error.doubtful) == ("invalid_request", "DELETE", 0, False)
    assert error.msg.startswith("DELETE https://api.example/v1/x/: refused, since nothing is written in check mode; ")
    for method in ("POST", "PUT", "PATCH", "delete", "get"):
        failure_of(lambda method=method: client.send(method, "/x/"))  # type: ignore[misc]
    assert transport.sent == looked == []
    client.get("/x/")


def test_a_failure_tells_what_was_tried_and_what_to_do(clock: Clock) -> None:
    client, _transport = scripted_client(clock, answer(401, {"error": "who?"}))
    error = failure_of(lambda: client.get("/x/", {"callback_url": "https://secret.example/"}))
    assert error.msg == "GET https://api.example/v1/x/: answered 401: who?; check auth_id and auth_token."
    assert str(error) == error.msg
    assert (error.method, error.url, error.attempts) == ("GET", "https://api.example/v1/x/", 1)


def test_the_login_is_as_secret_without_what_fills_it_up(clock: Clock) -> None:
    # MA:token is eight bytes, for which Base64 has an equals sign at the end; six bytes need none.
    for token, login in {"token": "TUE6dG9rZW4", "abW": "TUE6YWJX"}.items():
        client = Client(t.cast(t.Any, None), "MA", token, window=SlidingWindow(0, clock, clock.sleep), retries=0)
        assert client.secrets == (token, login)


@pytest.mark.parametrize("padding", range(120, 200, 7))
@pytest.mark.parametrize("status", [403, 200])
def test_a_server_that_repeats_what_it_was_sent_is_not_quoted(clock: Clock, status: int, padding: int) -> None:
    login = base64.b64encode(f"{AUTH_ID}:{TOKEN}".encode()).decode()
    for secret in (TOKEN, login, login.rstrip("=")):
        client, _transport = scripted_client(clock, answer(status, {"error": "." * padding + secret + "." * 90}))
        msg = failure_of(lambda client=client: client.get("/x/")).msg  # type: ignore[misc]
        assert secret[:4] not in msg


@pytest.mark.parametrize(
    "kind",
    [
        "authentication",
        "forbidden",
        "not_found",
        "rate_limited",
        "server",
        "timeout",
        "connection",
        "tls",
        "redirect",
        "protocol",
        "invalid_request",
    ],
)
@pytest.mark.parametrize("retryable", [True, False])
def test_every_kind_of_failure_has_a_remedy(clock: Clock, kind: str, retryable: bool) -> None:
    client, _transport = scripted_client(clock, lost(kind, retryable=retryable), retries=0)
    # Cut short is trouble on the way, not the wrong place.
    remedy = REMEDIES["connection" if kind == "protocol" and retryable else kind]
    assert failure_of(lambda: client.get("/x/")).msg == f"GET https://api.example/v1/x/: no luck ({kind}); {remedy}."


# --- again -------------------------------------------------------------------------------------------

PASSING = [lost("connection"), lost("timeout"), lost("protocol"), answer(408), answer(429), answer(500), answer(503)]
LASTING = [answer(400), answer(401), answer(403), answer(404), answer(302), answer(200, body=LOGIN_PAGE), answer(201)]


def step_id(step: t.Any) -> str:
    return step.kind if isinstance(step, PlivoError) else str(step.status)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("fault", PASSING, ids=step_id)
def test_what_may_pass_is_tried_again(clock: Clock, method: str, fault: t.Any) -> None:
    client, transport = scripted_client(clock, fault, fault, fault, fault, OK)
    assert client.send(method, "/x/").attempts == 5
    transport.assert_played()
    assert clock.slept == [0.5, 1.0, 2.0, 4.0]
    assert sum(client.retried.values()) == 4


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("fault", PASSING, ids=step_id)
@pytest.mark.parametrize("retries", [0, 1, 4])
def test_retries_are_as_many_as_allowed(clock: Clock, method: str, fault: t.Any, retries: int) -> None:
    client, transport = scripted_client(clock, *[fault] * (retries + 1), retries=retries)
    error = failure_of(lambda: client.send(method, "/x/"))
    transport.assert_played()
    assert error.attempts == retries + 1
    assert error.retryable
    assert (f"after {retries + 1} attempts" in error.msg) == (retries > 0)
    assert error.msg.count("https://") == 1


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("fault", LASTING, ids=step_id)
def test_what_will_not_pass_is_not_tried_again(clock: Clock, method: str, fault: t.Any) -> None:
    client, transport = scripted_client(clock, fault)
    error = failure_of(lambda: client.send(method, "/x/"))
    assert (error.attempts, error.retryable, clock.slept) == (1, False, [])
    transport.assert_played()


def test_retries_are_counted_by_reason(clock: Clock) -> None:
    client, _transport = scripted_client(clock, answer(429), lost("timeout"), answer(429), answer(503), OK)
    client.get("/x/")
    assert client.retried == {"429": 2, "timeout": 1, "503": 1}


def test_retries_of_many_threads_are_all_counted() -> None:
    clock = Clock()
    client, _transport = scripted_client(clock, *[lost("connection")] * 400, retries=9)

    def work() -> None:
        for _number in range(10):
            failure_of(lambda: client.get("/x/"))

    threads = [threading.Thread(target=work) for _number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.retried == {"connection": 360}


# --- how long ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "retry_after", "delay"),
    [
        (429, "7", 7),
        (503, "7", 7),
        (408, "7", 7),
        (429, "61", 60),
        (429, "999999999999", 60),
        (429, "-1", 0.5),
        (429, "0", 0.5),
        (429, "garbage", 0.5),
        (429, "Sun, 06 Nov 1994 08:49:37 GMT", 0.5),
    ],
)
def test_retry_after_is_honoured_up_to_a_minute(clock: Clock, status: int, retry_after: str, delay: float) -> None:
    client, transport = scripted_client(clock, answer(status, headers={"retry-after": retry_after}), OK)
    client.get("/x/")
    assert transport.sent[1].at - transport.sent[0].at == delay


def test_retry_after_may_be_a_date(clock: Clock) -> None:
    date = formatdate(time.time() + 30, usegmt=True)
    client, transport = scripted_client(clock, answer(503, headers={"Retry-After": date}), OK)
    client.get("/x/")
    assert 20 < transport.sent[1].at - transport.sent[0].at <= 30


def test_a_429_makes_everybody_pause(clock: Clock) -> None:
    client, transport = scripted_client(clock, answer(429, headers={"Retry-After": "20"}), OK, retries=0)
    failure_of(lambda: client.get("/x/"))
    # No retry followed, so nobody slept; whoever comes next is still held back by nothing.
    client.get("/y/")
    assert transport.sent[1].at == 1000

    client, transport = scripted_client(clock, answer(429, headers={"Retry-After": "20"}), OK, OK)
    now = clock.now
    others: list[float] = []
    sleep = clock.sleep

    def sleep_and_look(seconds: float) -> None:
        # Another thread's request in the meantime.
        client.sleep = sleep
        with place(client._window):
            others.append(clock.now)
        sleep(max(0.0, now + seconds - clock.now))

    client.sleep = sleep_and_look
    client.get("/x/")
    assert others == [now + 20]


@given(
    faults=st.lists(
        st.tuples(
            st.sampled_from([408, 429, 500, 503]), st.none() | st.text(max_size=3) | st.integers(0, 10**6).map(str)
        ),
        min_size=1,
        max_size=8,
    ),
    retries=st.integers(0, 6),
    random=st.floats(0, 1, exclude_max=True),
)
def test_the_schedule_stays_within_its_bounds(
    faults: list[tuple[int, str | None]], retries: int, random: float
) -> None:
    clock = Clock()
    script = [answer(status, headers={} if after is None else {"Retry-After": after}) for status, after in faults]
    client, transport = scripted_client(clock, *script, *[OK] * 9, retries=retries, random=random)
    try:
        client.get("/x/")
    except PlivoError as error:
        assert error.attempts == retries + 1  # noqa: PT017
    assert len(transport.sent) == min(len(faults), retries) + 1
    times = [sent.at for sent in transport.sent]
    for delay in (later - earlier for earlier, later in zip(times, times[1:])):
        assert 0.5 <= delay <= max(MAX_BACKOFF, MAX_RETRY_AFTER + 1)
    assert sum(clock.slept) <= retries * (MAX_RETRY_AFTER + 1) + 1e-6


# --- until -------------------------------------------------------------------------------------------


def test_an_attempt_gets_no_more_time_than_is_left(clock: Clock) -> None:
    client, transport = scripted_client(clock, OK, OK)
    client.get("/x/", until=1003.5)
    client.get("/x/")
    assert [sent.timeout for sent in transport.sent] == [3.5, None]


def test_nothing_starts_when_no_time_is_left(clock: Clock) -> None:
    client, transport = scripted_client(clock)
    error = failure_of(lambda: client.get("/x/", until=1000))
    assert (error.kind, error.retryable, error.doubtful) == ("timeout", True, False)
    assert error.msg.startswith("GET https://api.example/v1/x/: no time was left for it; ")
    assert transport.sent == clock.slept == []


def test_no_turn_is_waited_for_that_would_come_too_late(clock: Clock) -> None:
    client, transport = scripted_client(clock, answer(503))
    client._window.pause(10)
    error = failure_of(lambda: client.get("/x/", until=1010))
    assert (error.kind, error.attempts, error.retryable, error.doubtful) == ("timeout", 0, True, False)
    assert error.msg.startswith("GET https://api.example/v1/x/: not sent, since its turn would have come too late; ")
    assert transport.sent == clock.slept == []

    # What the attempt before came to says more.
    def pause(_previous: object) -> float:
        client._window.pause(10)
        return clock.now

    error = failure_of(lambda: client.send("GET", "/x/", until=1011, confirm=pause))
    assert (error.status, error.attempts) == (503, 1)
    assert clock.now == 1010.5


@pytest.mark.parametrize(("until", "attempts"), [(1000.4, 1), (1000.5, 1), (1000.6, 2), (1001, 2)])
def test_no_retry_is_waited_for_that_would_come_too_late(clock: Clock, until: float, attempts: int) -> None:
    client, transport = scripted_client(clock, *[answer(503)] * attempts)
    error = failure_of(lambda: client.get("/x/", until=until))
    assert (error.status, error.attempts, clock.slept) == (503, attempts, [0.5] * (attempts - 1))
    transport.assert_played()


# --- what may have worked ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "doubtful"),
    [
        ([answer(404)], False),
        ([answer(401)], False),
        ([lost("connection", sent=False)] * 5, False),
        ([answer(429)] * 5, False),
        ([lost("connection")] * 5, True),
        ([lost("timeout")] * 5, True),
        ([lost("timeout"), answer(404)], True),
        ([lost("protocol"), answer(404)], True),
        ([answer(500), answer(404)], True),
        ([answer(500), answer(401)], True),
        ([answer(500), answer(429), lost("connection", sent=False), answer(404)], True),
        ([answer(429), lost("connection", sent=False), answer(404)], False),
        ([answer(200, body=LOGIN_PAGE)], True),
        ([lost("timeout"), answer(302)], True),
    ],
)
def test_doubt_about_a_hangup_is_never_forgotten(clock: Clock, script: list[t.Any], doubtful: bool) -> None:
    client, transport = scripted_client(clock, *script)
    assert failure_of(lambda: client.delete("/x/")).doubtful is doubtful
    transport.assert_played()


def test_reading_is_never_doubtful(clock: Clock) -> None:
    client, _transport = scripted_client(clock, lost("timeout"), answer(500), answer(200, body=LOGIN_PAGE))
    assert not failure_of(lambda: client.get("/x/")).doubtful


# --- confirm -----------------------------------------------------------------------------------------


def test_every_attempt_is_confirmed_just_before_it_starts(clock: Clock) -> None:
    client, transport = scripted_client(clock, answer(503), answer(429, headers={"Retry-After": "9"}), OK)
    confirmed: list[float] = []
    client.delete("/x/", confirm=lambda previous: confirmed.append(clock.now) or clock.now + 3)
    assert confirmed == [sent.at for sent in transport.sent]
    assert [sent.leave_within for sent in transport.sent] == pytest.approx([3, 3, 3])


@pytest.mark.parametrize(("fault", "doubtful"), [(None, False), (answer(503), True), (answer(429), False)])
def test_a_request_that_is_called_off_is_not_sent(clock: Clock, fault: t.Any, doubtful: bool) -> None:
    client, transport = scripted_client(clock, *([fault] if fault else []))
    times = 0

    def confirm(previous: PlivoError | None) -> float:
        nonlocal times
        times += 1
        assert (previous is None) == (times == 1)
        if times == (2 if fault else 1):
            raise PlivoError("called_off", "no more")
        return clock.now

    error = failure_of(lambda: client.delete("/x/", confirm=confirm))
    assert (error.kind, error.doubtful) == ("called_off", doubtful)
    assert (error.previous is None) == (fault is None)
    transport.assert_played()
    # Its place in the window is free again.
    assert client._window._under_way == 0
