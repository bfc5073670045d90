# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing is taken for success that is none, and whatever an error says reaches the user on one line."""

from __future__ import annotations

import json
import re
import typing as t

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.plivo.voice.plugins.module_utils._answers import error_detail, judge, parse_json
from ansible_collections.plivo.voice.plugins.module_utils._errors import PlivoError
from unit.plugins.support import API_ID, answer, failure_of, shown

OK = answer(200, {"api_id": API_ID})
LOGIN_PAGE = b"<!DOCTYPE html><html><body>Please log in</body></html>"

# --- judging one answer ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind", "retryable", "doubtful"),
    [
        (300, "redirect", False, False),
        (302, "redirect", False, False),
        (304, "redirect", False, False),
        (399, "redirect", False, False),
        (400, "invalid_request", False, False),
        (401, "authentication", False, False),
        (403, "forbidden", False, False),
        (404, "not_found", False, False),
        (405, "invalid_request", False, False),
        (407, "connection", False, False),
        (408, "timeout", True, True),
        (409, "invalid_request", False, False),
        (422, "invalid_request", False, False),
        (429, "rate_limited", True, False),
        (500, "server", True, True),
        (502, "server", True, True),
        (599, "server", True, True),
        (600, "protocol", False, True),
        (999, "protocol", False, True),
    ],
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_failing_status_has_its_kind(method: str, status: int, kind: str, retryable: bool, doubtful: bool) -> None:
    error = failure_of(lambda: judge(method, answer(status, {"error": "why", "api_id": API_ID}), accepted=False))
    assert (error.kind, error.status, error.retryable, error.doubtful) == (kind, status, retryable, doubtful)
    assert str(status) in error.msg
    if kind != "redirect":
        assert "why" in error.msg
        assert error.api_id == API_ID


@pytest.mark.parametrize("accepted", [False, True])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_only_the_promised_statuses_are_success(method: str, accepted: bool) -> None:
    taken = []
    for status in range(100, 1000):
        try:
            judge(method, answer(status, {"api_id": API_ID}), accepted)
        except PlivoError as error:
            assert error.status == status  # noqa: PT017
            assert error.msg.startswith(f"answered {status}")  # noqa: PT017
        else:
            taken.append(status)
    promised = {("GET", False): [200], ("DELETE", False): [200, 202, 204]}
    assert taken == promised.get((method, accepted), [200, 201, 202])


@pytest.mark.parametrize("location", ["https://elsewhere.example/?token=x", "../"])
def test_a_redirect_does_not_repeat_where_to(location: str) -> None:
    error = failure_of(lambda: judge("GET", answer(302, headers={"Location": location}), accepted=False))
    assert error.msg == "answered 302, a redirect to another place"
    assert failure_of(lambda: judge("GET", answer(302), accepted=False)).msg == "answered 302, a redirect"


@pytest.mark.parametrize("body", [b"", b" \r\n", b'{"message": "conference hung up", "api_id": "x"}'])
@pytest.mark.parametrize("status", [200, 202])
def test_a_hangup_needs_no_body(status: int, body: bytes) -> None:
    judge("DELETE", answer(status, body=body), accepted=False)


@pytest.mark.parametrize("body", [b"", b"{", LOGIN_PAGE, b'{"error": "no"}', b"\xff"])
def test_a_204_has_no_body_to_look_at(body: bytes) -> None:
    assert judge("DELETE", answer(204, body=body), accepted=False) == {}


@pytest.mark.parametrize(
    "body",
    [
        LOGIN_PAGE,
        b"\xef\xbb\xbf{}",
        b"ok",
        b"{",
        b"[]",
        b'"x"',
        b"1",
        b"null",
        b"true",
        b"NaN",
        b'{"a": NaN}',
        b"\xff",
        b'{"error": "x"}',
        b'{"error": null}',
        b'{"error": {}}',
        b'{"api_id": 1}',
        b'{"api_id": ["x"]}',
        b"{}{}",
        b'{"a": 1e999}',
        b'{"a": "\\ud800"}',
        b'{"\\udfff": 1}',
        b"[" * 100000,
        b'{"a":' * 100000,
        b"\x00",
    ],
    ids=shown,
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_200_that_is_no_success_is_none(method: str, body: bytes) -> None:
    error = failure_of(lambda: judge(method, answer(200, body=body), accepted=False))
    assert (error.kind, error.status, error.retryable, error.doubtful) == ("protocol", 200, False, True)
    assert error.msg.startswith("answered 200 with")
    assert "\n" not in error.msg


@pytest.mark.parametrize("body", [b"", b" "])
def test_a_read_needs_a_body(body: bytes) -> None:
    assert failure_of(lambda: judge("GET", answer(200, body=body), accepted=False)).kind == "protocol"


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"api_id": null}', b'{"api_id": 1}', b'{"message": "async api spawned"}']
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_accepted_without_an_api_id_is_no_acceptance(method: str, body: bytes) -> None:
    assert failure_of(lambda: judge(method, answer(202, body=body), accepted=True)).kind == "protocol"


def test_an_api_id_may_be_missing_where_it_is_not_needed() -> None:
    assert judge("GET", answer(200, {"conferences": []}), accepted=False) == {"conferences": []}
    assert judge("GET", answer(200, {"api_id": None}), accepted=False) == {"api_id": None}


def test_an_error_in_a_success_says_what_it_said() -> None:
    error = failure_of(lambda: judge("GET", answer(200, {"error": "no such thing", "api_id": "i"}), accepted=False))
    assert "no such thing" in error.msg
    assert error.api_id == "i"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["error", "message", "api_id", "x"]), inner)
    ),
    max_leaves=6,
)
BODY = st.binary() | JSON.map(lambda data: json.dumps(data).encode())


@given(
    method=st.sampled_from(["GET", "DELETE"]),
    status=st.integers(100, 999) | st.sampled_from([200, 202, 204, 404]),
    body=BODY,
    headers=st.dictionaries(st.sampled_from(["Location", "Retry-After", "Content-Type"]), st.text()),
    accepted=st.booleans(),
)
def test_any_bytes_are_a_value_or_a_failure(
    method: str, status: int, body: bytes, headers: dict[str, str], accepted: bool
) -> None:
    try:
        data = judge(method, answer(status, body=body, headers=headers), accepted)
    except PlivoError as error:
        assert error.status == status  # noqa: PT017
        assert error.kind == "protocol" or status >= 300  # noqa: PT017
        assert len(error.msg) < 400  # noqa: PT017
        assert error.msg.isprintable()  # noqa: PT017
    else:
        assert status < 300
        assert "error" not in data
        # Whatever was taken can be returned to Ansible.
        json.dumps(data, allow_nan=False).encode()


# --- JSON --------------------------------------------------------------------------------------------


@given(JSON)
def test_json_comes_back(data: t.Any) -> None:
    assert parse_json(json.dumps(data).encode()) == data
    printable = "".join(c for c in json.dumps(data, ensure_ascii=False))
    if not re.search("[\ud800-\udfff]", printable):
        assert parse_json(printable.encode()) == data


@given(st.binary() | st.text(alphabet='{}[]",:\\ud8001e9-.NaInfty tru').map(str.encode))
@example(b'"\\ud83d\\ude00"')
@example(b"9" * 5000)
def test_any_bytes_are_json_or_a_value_error(body: bytes) -> None:
    try:
        data = parse_json(body)
    except ValueError as error:
        assert str(error)  # noqa: PT017
    else:
        json.dumps(data, ensure_ascii=False, allow_nan=False).encode()


@pytest.mark.parametrize("body", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"[1e400]"])
def test_numbers_that_are_none_are_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=re.escape(f"{body.decode().strip('[]')} is not a JSON value")):
        parse_json(body)


@pytest.mark.parametrize("core", [b'"\\u0041"', b"1"])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
@pytest.mark.parametrize(
    ("depth", "taken"),
    [(20, True), (200, False), (600, False), *((n, False) for n in range(970, 1010, 5)), (10**5, False)],
)
def test_what_is_nested_too_deeply_to_be_returned_is_refused(
    depth: int, taken: bool, opening: bytes, closing: bytes, core: bytes
) -> None:
    """Ansible's own serializer needs several frames for each level, and a result that it cannot print is lost."""
    body = opening * depth + core + closing * depth
    if taken:
        json.dumps(parse_json(body))
    else:
        with pytest.raises(ValueError, match="nested"):
            parse_json(body)


def test_many_brackets_are_not_deep() -> None:
    assert len(parse_json(b"[" + b",".join([b"[[]]"] * 1000) + b"]")) == 1000
    assert parse_json(json.dumps("[" * 1000).encode()) == "[" * 1000


@pytest.mark.parametrize("container", [b"[]", b"{}"])
def test_more_objects_and_lists_than_fit_into_memory_are_refused(container: bytes) -> None:
    assert len(parse_json(b"[" + b",".join([container] * 249_999) + b"]")) == 249_999
    with pytest.raises(ValueError, match=r"^too many objects and lists$"):
        parse_json(b"[" + b",".join([container] * 250_000) + b"]")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (LOGIN_PAGE, "HTML"),
        (b"\r\n  <html>\n", "HTML"),
        (b"", "nothing"),
        (b"  ", "nothing"),
        (b"\xff", "not UTF-8"),
        (b"[" * 100 + b"]" * 100, "nested too deeply"),
        (b"[" * 10**5, "nested too deeply"),
        (b'["\\udead"]', "half a character"),
    ],
)
def test_what_is_no_json_is_called_by_its_name(body: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}$"):
        parse_json(body)


# --- what an error's body says -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "detail", "api_id"),
    [
        (b'{"api_id": "i", "error": "text"}', ": text", "i"),
        (b'{"error": {"error": "inner"}}', ": inner", None),
        (b'{"error": {"message": "inner"}}', ": inner", None),
        (b'{"error": {"code": 1}}', "", None),
        (b'{"error": {"code": 1}, "message": "outer"}', ": outer", None),
        (b'{"message": "text"}', ": text", None),
        (b'{"error_code": 7, "message": "text"}', ": text", None),
        (b"{}", "", None),
        (b"plain text", ": plain text", None),
        (LOGIN_PAGE, "", None),
        (b"  <html>", "", None),
        (b"", "", None),
        (b"[]", "", None),
        (b'"a string"', ": a string", None),
        (b'{"error": 1}', "", None),
        (b'{"error": "x", "api_id": 7}', ": x", None),
        (b'{"error": "two\\nlines\\u0000 and\\ttabs"}', ": two lines and tabs", None),
        (b"\xff\xfe plain", None, None),
    ],
)
def test_every_form_of_error_that_was_seen(body: bytes, detail: str | None, api_id: str | None) -> None:
    found, found_id = error_detail(body)
    assert found_id == api_id
    assert detail is None or found == detail


@given(BODY)
def test_no_body_hurts_a_message(body: bytes) -> None:
    detail, api_id = error_detail(body)
    assert detail == "" or detail.startswith(": ")
    assert detail.isprintable()
    assert len(detail) < 250
    assert api_id is None or isinstance(api_id, str)


@pytest.mark.parametrize("before", [0, 150, 190, 199, 790, 799])
def test_no_cut_leaves_a_part_of_a_secret(before: int) -> None:
    text = "x" * before + "secret" + "y" * 900
    for body in (text.encode(), json.dumps({"error": text}).encode()):
        assert "s" not in error_detail(body, ("secret",))[0]


def test_a_secret_becomes_asterisks() -> None:
    assert error_detail(b"you sent one and two", ("one", "two"))[0] == ": you sent ******** and ********"


@pytest.mark.parametrize(("size", "shown"), [(200, "x" * 200), (201, "x" * 200 + "…"), (10**6, "x" * 200 + "…")])
def test_a_huge_error_is_cut(size: int, shown: str) -> None:
    assert error_detail(b"x" * size)[0] == f": {shown}"
