# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where options become a client and a result becomes the task's end: one line, all fields, no token, no traceback."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.plivo.voice.plugins.module_utils._errors import PlivoError, refusal
from ansible_collections.plivo.voice.plugins.module_utils._module import (
    CONNECTION_OPTIONS,
    SELECTION_OPTIONS,
    failure,
    make_client,
    retry_warning,
)
from unit.plugins.support import AUTH_ID, TOKEN, failure_of, refusal_of

# --- a failure's return values -----------------------------------------------------------------------


def error(kind: str, name: str | None, msg: str = "no luck") -> PlivoError:
    return PlivoError(kind, msg, method="DELETE", url="https://x/", status=503, attempts=5, conference_name=name)


def test_one_failure_is_told_in_its_own_words() -> None:
    values = failure([error("server", "Sales")], "")
    assert values["msg"] == "no luck"
    assert values["error"] == {
        "kind": "server",
        "method": "DELETE",
        "url": "https://x/",
        "status": 503,
        "api_id": None,
        "attempts": 5,
        "retryable": False,
    }
    assert values["errors"] == [{"conference_name": "Sales", "msg": "no luck", **values["error"]}]


def test_what_was_done_comes_first() -> None:
    assert failure([error("server", "Sales")], "3 hung up.")["msg"] == "3 hung up. no luck"


def test_many_failures_are_counted_and_the_first_is_told() -> None:
    values = failure([error("server", "a", "A failed"), error("timeout", "b", "B failed")], "1 hung up.")
    assert values["msg"] == "1 hung up. 2 conferences failed, the first with: A failed"
    assert [entry["conference_name"] for entry in values["errors"]] == ["a", "b"]


def test_a_cause_comes_before_what_was_not_tried_because_of_it() -> None:
    errors = [error("not_tried", "a"), error("not_tried", "b"), error("tls", "c", "TLS failed"), error("server", "d")]
    values = failure(errors, "")
    assert values["error"]["kind"] == "tls"
    assert [entry["conference_name"] for entry in values["errors"]] == ["c", "d", "a", "b"]
    assert "2 of them not tried" in values["msg"]
    assert "TLS failed" in values["msg"]
    # "error is then the first of them", so that both can be read alike.
    assert values["errors"][0] == {"conference_name": "c", "msg": "TLS failed", **values["error"]}


def test_a_failure_of_the_whole_task_is_not_counted_as_a_conference() -> None:
    refused = PlivoError("guard", "max_hangups: 1 allows fewer")
    assert failure([refused], "")["msg"] == "max_hangups: 1 allows fewer"
    one = failure([refused, error("server", "a")], "")
    assert one["msg"] == "1 conference failed, and then: max_hangups: 1 allows fewer"
    assert one["error"]["kind"] == "guard"
    more = failure([refused, error("server", "a"), error("not_tried", "b")], "")
    assert more["msg"] == "2 conferences failed (1 of them not tried), and then: max_hangups: 1 allows fewer"


# --- retries -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("retried", "warning"),
    [
        ({}, None),
        ({"429": 0}, None),
        ({"429": 1}, "1 retry: 1 × 429"),
        ({"timeout": 3, "429": 9}, "12 retries: 9 × 429, 3 × timeout"),
    ],
)
def test_retries_are_told_in_one_sentence(retried: dict[str, int], warning: str | None) -> None:
    assert retry_warning(retried) == warning


# --- the client --------------------------------------------------------------------------------------


def connection(**params: t.Any) -> dict[str, t.Any]:
    defaults = {option: spec.get("default") for option, spec in CONNECTION_OPTIONS.items()}
    return {**defaults, "auth_id": AUTH_ID, "auth_token": TOKEN, **params}


def test_the_defaults_are_those_of_the_interface() -> None:
    assert {option: spec["default"] for option, spec in CONNECTION_OPTIONS.items() if "default" in spec} == {
        "api_url": "https://api.plivo.com/v1",
        "validate_certs": True,
        "timeout": 10,
        "retries": 4,
        "max_connections": 16,
        "rate_limit": 200,
    }
    assert {option: spec["default"] for option, spec in SELECTION_OPTIONS.items() if "default" in spec} == {
        "use_regex": False,
        "members": True,
    }
    assert CONNECTION_OPTIONS["auth_token"]["no_log"] is True
    assert [option for option, spec in CONNECTION_OPTIONS.items() if spec.get("required")] == ["auth_id", "auth_token"]


def test_a_client_comes_of_the_options() -> None:
    client = make_client(connection(retries=7, rate_limit=3, timeout=2.5, api_url="https://h/p/"), read_only=True)
    assert client._retries == 7
    assert client._read_only
    assert client._window._limit == 3
    assert client._transport.url("/x/") == "https://h/p/x/"
    assert client._transport._timeout == 2.5


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("auth_id", "../x"),
        ("auth_token", "x\n"),
        ("auth_token", ""),
        ("auth_token", "\udcff"),
        ("api_url", "http://example.com"),
        ("timeout", 0.0),
        ("timeout", float("nan")),
        ("timeout", float("inf")),
        ("retries", -1),
        ("retries", 10**400),
        ("max_connections", 0),
        ("rate_limit", -1),
        ("ca_path", "/nowhere/ca.pem"),
        ("ca_path", "a\0b"),
    ],
)
def test_a_bad_connection_option_is_refused_by_name(option: str, value: t.Any) -> None:
    refusal_of(lambda: make_client(connection(**{option: value}), read_only=False), option)


def test_the_token_is_in_no_refusal() -> None:
    params = connection(auth_token=TOKEN + "\n", api_url=f"https://{AUTH_ID}:{TOKEN}@host")
    assert TOKEN not in str(vars(failure_of(lambda: make_client(params, read_only=False))))
    params = connection(api_url=f"https://{AUTH_ID}:{TOKEN}@host")
    assert TOKEN not in str(vars(failure_of(lambda: make_client(params, read_only=False))))


def test_a_refusal_becomes_a_failure_with_all_fields() -> None:
    values = failure([refusal("name: no")], "")
    assert values["error"]["kind"] == "invalid_request"
    assert values["errors"][0]["conference_name"] is None
