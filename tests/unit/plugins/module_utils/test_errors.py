# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An error carries what playbooks branch on, and one failure can be told of many conferences."""

from __future__ import annotations

import pytest

from ansible_collections.plivo.voice.plugins.module_utils import _errors
from ansible_collections.plivo.voice.plugins.module_utils._errors import PlivoError, refusal


def full_error() -> PlivoError:
    return PlivoError(
        "server",
        "DELETE https://x/y/: answered 503",
        method="DELETE",
        url="https://x/y/",
        status=503,
        api_id="id-1",
        attempts=5,
        retryable=True,
        doubtful=True,
        conference_name="Sales",
    )


def test_the_fields_of_error_are_those_of_the_interface() -> None:
    assert full_error().as_error() == {
        "kind": "server",
        "method": "DELETE",
        "url": "https://x/y/",
        "status": 503,
        "api_id": "id-1",
        "attempts": 5,
        "retryable": True,
    }


def test_an_entry_of_errors_says_of_which_conference_and_what() -> None:
    error = full_error()
    assert error.as_entry() == {**error.as_error(), "conference_name": "Sales", "msg": str(error)}


def test_one_failure_said_of_many_conferences() -> None:
    error = full_error()
    error.retry_after = 3.0
    twins = [error.about(name) for name in ("a", "b")]
    assert [twin.conference_name for twin in twins] == ["a", "b"]
    assert error.conference_name == "Sales"
    for twin in twins:
        assert twin is not error
        assert twin.as_error() == error.as_error()
        assert (twin.msg, twin.doubtful, twin.retry_after) == (error.msg, True, 3.0)
        assert str(twin) == error.msg
    twins[0].msg = "changed"
    assert twins[1].msg == error.msg


def test_a_refusal_was_no_request() -> None:
    error = refusal("name: no")
    assert error.as_error() == {
        "kind": "invalid_request",
        "method": None,
        "url": None,
        "status": None,
        "api_id": None,
        "attempts": 0,
        "retryable": False,
    }
    assert not error.doubtful


@pytest.mark.parametrize(
    "kind",
    [
        "authentication",
        "forbidden",
        "not_found",
        "rate_limited",
        "invalid_request",
        "server",
        "timeout",
        "connection",
        "tls",
        "redirect",
        "protocol",
        "guard",
        "wait_timeout",
        "not_tried",
    ],
)
def test_every_kind_of_the_interface_has_its_constant(kind: str) -> None:
    assert getattr(_errors, kind.upper()) == kind
