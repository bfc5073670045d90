# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every option is checked before the first request, and each refusal names the option."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.plivo.voice.plugins.module_utils._errors import PlivoError
from ansible_collections.plivo.voice.plugins.module_utils._options import (
    check_api_url,
    check_auth_id,
    check_auth_token,
    check_ca_path,
    check_callback,
    check_number,
    parse_duration,
)
from unit.plugins.support import refusal_of

CONTROL = "\x00\t\n\r\x1f\x7f\x85\x9f"

# --- numbers -----------------------------------------------------------------------------------------

NUMBERS = {
    "timeout": (0.001, 3600),
    "retries": (0, 100),
    "max_connections": (1, 256),
    "rate_limit": (0, 100_000),
    "max_hangups": (0, 10**9),
    "wait_timeout": (0, 86_400),
    "min_members": (0, 10**9),
    "max_members": (0, 10**9),
}


@pytest.mark.parametrize("option", NUMBERS)
def test_numbers_in_range_are_taken(option: str) -> None:
    least, most = NUMBERS[option]
    for value in (None, least, most, (least + most) // 2 or most):
        check_number(option, value)


@pytest.mark.parametrize("option", NUMBERS)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), -1, -0.0001, 10**10, 10**400, -(10**400)])
def test_numbers_out_of_range_are_refused(option: str, value: float) -> None:
    error = refusal_of(lambda: check_number(option, value), option)
    assert len(error.msg) < 300


@pytest.mark.parametrize(("option", "value"), [("timeout", 0), ("timeout", 3600.1), ("max_connections", 0)])
def test_limits_are_exact(option: str, value: float) -> None:
    refusal_of(lambda: check_number(option, value), option)


# --- durations ---------------------------------------------------------------------------------------

UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("90", 90), ("90s", 90), ("15m", 900), ("2h", 7200), ("1d", 86400), ("007", 7)]
)
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration("min_run_time", text) == seconds


@given(count=st.integers(0, 10**12 - 1), unit=st.sampled_from(sorted(UNITS)))
def test_a_whole_number_with_a_unit_is_what_it_says(count: int, unit: str) -> None:
    assert parse_duration("min_run_time", f"{count}{unit}") == count * UNITS[unit]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "h",
        "1.5h",
        "-1",
        "+1",
        "1 h",
        " 1h",
        "1h ",
        "1h\n",
        "1H",
        "1h30m",
        "1w",
        "1e3",
        "٣",
        "²",
        "0x10",
        "1" * 13,
        "nan",
        "inf",
        "None",
        "15min",
    ],
)
def test_bad_durations_are_refused(text: str) -> None:
    refusal_of(lambda: parse_duration("max_run_time", text), "max_run_time")


@given(st.text())
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    try:
        seconds = parse_duration("min_run_time", text)
    except PlivoError:
        assert not re.fullmatch("[0-9]{1,12}[smhd]?", text)
    else:
        assert isinstance(seconds, int)
        assert seconds >= 0


# --- credentials -------------------------------------------------------------------------------------


@pytest.mark.parametrize("auth_id", ["MAXXXXXXXXXXXXXXXXXX", "SA1", "a-b_c", "0"])
def test_auth_ids(auth_id: str) -> None:
    assert check_auth_id(auth_id) == auth_id


@pytest.mark.parametrize("auth_id", ["", " ", "MA/..", "..", "MA%2F", "MA X", "MA\n", "MÄ", "a?b", "a#b", "٣", "a:b"])
def test_an_auth_id_that_would_change_the_url_is_refused(auth_id: str) -> None:
    error = refusal_of(lambda: check_auth_id(auth_id), "auth_id")
    assert repr(auth_id) in error.msg
    assert "set auth_id or the environment variable PLIVO_AUTH_ID (" in error.msg


@pytest.mark.parametrize("token", ["x", "a b", "ü", "日本", ":", " x "])
def test_tokens(token: str) -> None:
    assert check_auth_token(token) == token


@pytest.mark.parametrize("token", ["", " ", "\u00a0", *(f"t0p-s3cret{c}" for c in CONTROL), "t0p-s3cret\udcff"])
def test_a_token_that_is_none_is_refused_and_not_repeated(token: str) -> None:
    error = refusal_of(lambda: check_auth_token(token), "auth_token")
    assert "t0p" not in error.msg
    assert "\udcff" not in error.msg
    assert error.msg.endswith(" add '| trim'." if token.strip() else " PLIVO_AUTH_TOKEN.")


@given(st.text())
def test_a_token_is_taken_as_it_is_or_refused(token: str) -> None:
    try:
        assert check_auth_token(token) == token
    except PlivoError as error:
        assert error.kind == "invalid_request"  # noqa: PT017
    else:
        assert not re.search("[\x00-\x1f\x7f-\x9f]", token)
        token.encode()


# --- ca_path -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ca.pem", "my ca.pem", "certs"])
def test_a_ca_path_that_is_there_is_taken(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("") if "." in name else path.mkdir()
    check_ca_path(str(path))
    check_ca_path(None)


@pytest.mark.parametrize("path", ["", "/nowhere/ca.pem", "/nowhere/my ca.pem", "/nowhere/\0"])
def test_a_ca_path_that_is_not_there_is_refused(path: str) -> None:
    assert repr(path) in refusal_of(lambda: check_ca_path(path), "ca_path").msg


# --- api_url -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_url", "url"),
    [
        ("https://api.plivo.com/v1", "https://api.plivo.com/v1"),
        ("https://api.plivo.com/v1/", "https://api.plivo.com/v1"),
        ("https://api.plivo.com/v1///", "https://api.plivo.com/v1"),
        ("https://api.plivo.com/vX/", "https://api.plivo.com/vX"),
        ("HTTPS://API.plivo.com:8443/api/v1", "https://api.plivo.com:8443/api/v1"),
        ("https://clone.example", "https://clone.example"),
        ("https://clone.example/", "https://clone.example"),
        ("https://192.0.2.7/v1", "https://192.0.2.7/v1"),
        ("https://[2001:db8::7]:8443/v1", "https://[2001:db8::7]:8443/v1"),
        ("http://localhost:8080/v1", "http://localhost:8080/v1"),
        ("http://127.3.2.1/v1", "http://127.3.2.1/v1"),
        ("http://[::1]:8080/v1", "http://[::1]:8080/v1"),
    ],
)
def test_api_urls(given_url: str, url: str) -> None:
    assert check_api_url(given_url) == url


@pytest.mark.parametrize(
    "api_url",
    [
        "",
        " ",
        "api.plivo.com/v1",
        "//api.plivo.com/v1",
        "ftp://api.plivo.com",
        "file:///etc/passwd",
        "https://",
        "https:///v1",
        "https://api.plivo.com/v1?",
        "https://api.plivo.com/v1?x=1",
        "https://api.plivo.com/v1#",
        "https://api.plivo.com/v1#x",
        "https://api.plivo.com/../v1",
        "https://api.plivo.com/./v1",
        "https://api.plivo.com/v1/%2e%2e",
        "https://api.plivo.com//v1",
        "https://api.plivo.com/v1;x",
        "https://api.plivo.com\\v1",
        "https://api.plivo.com/v1\n",
        " https://api.plivo.com/v1",
        "https://api.plivo .com/v1",
        "https://api.plivo.com:x/v1",
        "https://api.plivo.com:99999/v1",
        "https://api.plivo.com:-1/v1",
        "https://ümlaut.example/v1",
        "https://a..b/v1",
        "https://.a/v1",
        f"https://{'a' * 64}.example/v1",
        "https://[::1/v1",
        "https://[v1.x]/v1",
        "https://[example.com]/v1",
    ],
)
def test_what_is_no_base_url_is_refused(api_url: str) -> None:
    error = refusal_of(lambda: check_api_url(api_url), "api_url")
    assert error.msg.startswith(f"api_url: {api_url!r} ")
    assert error.msg.endswith("; give a URL such as https://api.plivo.com/v1.")


@pytest.mark.parametrize(
    ("api_url", "problem"),
    [
        ("https://api.plivo .com", "blank"),
        ("https://api.plivo.com\\v1", "backslash"),
        ("https://api.plivo.com/v1\n", "control character"),
        ("https://[::1/v1", "not a URL"),
        ("ftp://api.plivo.com", "absolute http or https URL"),
        ("https://api.plivo.com?x", "query"),
        ("https://api.plivo.com#x", "fragment"),
        ("https://a..b", "host"),
        ("https://api.plivo.com/v1/%2e%2e", "path"),
        ("https://me@api.plivo.com", "it holds user information; credentials belong into auth_id and auth_token;"),
    ],
)
def test_a_refused_url_is_told_why(api_url: str, problem: str) -> None:
    assert problem in refusal_of(lambda: check_api_url(api_url), "api_url").msg


@pytest.mark.parametrize(
    "host",
    [
        "api.plivo.com",
        "127.0.0.1.example.com",
        "localhost.example.com",
        "localhost.",
        "127.1",
        "0.0.0.0",  # noqa: S104
        "[::2]",
        "[::ffff:192.0.2.1]",
        "192.0.2.1",
        "169.254.169.254",
    ],
)
def test_plain_http_leaves_this_machine_never(host: str) -> None:
    assert "clear" in refusal_of(lambda: check_api_url(f"http://{host}/v1"), "api_url").msg


@pytest.mark.parametrize(
    "api_url",
    [
        "https://MAXX:pa55word@api.plivo.com/v1",
        "https://pa55word@api.plivo.com/v1",
        "http://MAXX:pa55word@localhost/v1",
        "https://MAXX:pa55word@api.plivo.com/v1?x#y",
        "https://MAXX:pa55word@api .plivo.com/v1",
        "https://MAXX:pa55word@ho\u2100st/v1",
        "https://MAXX:pa55word/x@host/v1",
        "https://MAXX:pa55word@[::1/v1",
        "ftp://MAXX:pa55word@host",
    ],
)
def test_user_information_is_refused_and_never_repeated(api_url: str) -> None:
    error = refusal_of(lambda: check_api_url(api_url), "api_url")
    assert error.msg.startswith("api_url: it ")
    assert "pa55" not in error.msg


@given(st.text() | st.text(alphabet="htps:/.@[]%?#\\1a\x00\n ٣é℀").map("https://{}".format))
@example("https://[::1%25lo]/v1")
def test_any_text_is_a_safe_base_url_or_refused(api_url: str) -> None:
    try:
        url = check_api_url(api_url)
    except PlivoError as error:
        assert error.kind == "invalid_request"  # noqa: PT017
        return
    parts = urlsplit(url)
    assert parts.scheme == "https" or parts.hostname in ("localhost", "::1") or parts.hostname.startswith("127.")
    assert not url.endswith("/")
    assert not set("?#@\\ \n\x00") & set(url)
    assert check_api_url(url) == url
    # Nothing of the host is changed on the way, but for its case.
    assert (parts.hostname or "") in api_url.lower()


# --- asynchronous mode -------------------------------------------------------------------------------

CALLBACK = "https://example.com/done?x=1&y=%20#ct=2000&rt=40000&rc=1"


def test_a_callback_url_goes_through_untouched() -> None:
    assert check_callback(CALLBACK, None) == {"callback_url": CALLBACK}
    assert check_callback(CALLBACK, "GET") == {"callback_url": CALLBACK, "callback_method": "GET"}
    assert check_callback("http://a:1", None) == {"callback_url": "http://a:1"}
    assert check_callback(None, None) == {}


def test_a_callback_method_alone_is_refused() -> None:
    assert "callback_url" in refusal_of(lambda: check_callback(None, "GET"), "callback_method").msg


@pytest.mark.parametrize(
    "callback_url",
    [
        "",
        " ",
        "example.com",
        "/done",
        "//example.com/",
        "ftp://example.com",
        "https://",
        "https:///x",
        "https://a b/",
        "https://a/\n",
        "https://a/\x00",
        "https://a:x/",
        "https://a:0/",
        "https://[::1",
        "https://a/\ud800",
        "mailto:a@b",
    ],
)
def test_what_is_no_callback_url_is_refused(callback_url: str) -> None:
    refusal_of(lambda: check_callback(callback_url, None), "callback_url")


@given(st.text() | st.text().map("https://a/{}".format))
def test_any_text_is_sent_untouched_as_callback_url_or_refused(callback_url: str) -> None:
    try:
        assert check_callback(callback_url, None) == {"callback_url": callback_url}
    except PlivoError as error:
        assert error.kind == "invalid_request"  # noqa: PT017
    else:
        callback_url.encode()
