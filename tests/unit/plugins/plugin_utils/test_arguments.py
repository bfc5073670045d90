# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments become settings, or a refusal that names the argument and the remedy, and never the token."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.plivo.voice.plugins.module_utils._errors import PlivoError
from ansible_collections.plivo.voice.plugins.plugin_utils._arguments import DEFAULTS, Settings, parse_arguments
from unit.plugins.support import TOKEN

URL = "https://example.com/cb"


def refused(args: dict[str, t.Any]) -> str:
    with pytest.raises(PlivoError) as caught:
        parse_arguments(args)
    assert TOKEN not in str(caught.value)
    return str(caught.value)


def test_the_defaults() -> None:
    settings = Settings("127.0.0.1", 5000, "/plivo", None, None, (), None, False, 1 << 20)
    assert parse_arguments({}) == settings
    assert parse_arguments({name: None for name in DEFAULTS if name != "auth_token"}) == settings


def test_all_of_them() -> None:
    args = {
        "host": "0.0.0.0",  # noqa: S104
        "port": 8443,
        "path": "/cb/%20;x",
        "certfile": "a.pem",
        "keyfile": "b.pem",
        "auth_token": TOKEN,
        "public_url": f"{URL}?job=1#rt=2000",
        "require_signature": True,
        "max_body": 2048,
    }
    settings = Settings("0.0.0.0", 8443, "/cb/%20;x", "a.pem", "b.pem", (TOKEN,), URL, True, 2048)  # noqa: S104
    assert parse_arguments(args) == settings
    # As templates give them.
    assert parse_arguments({**args, "port": "8443", "max_body": "2048", "require_signature": "True"}) == settings


def test_what_ansible_rulebook_adds() -> None:
    assert parse_arguments({"eda_feedback_queue": object()}) == parse_arguments({})


@pytest.mark.parametrize(
    ("args", "required"),
    [
        ({}, False),
        ({"auth_token": TOKEN}, True),
        ({"auth_token": TOKEN, "require_signature": None}, True),
        ({"auth_token": TOKEN, "require_signature": False}, False),
        ({"require_signature": False}, False),
        ({"auth_token": TOKEN, "host": "::"}, True),
        ({"require_signature": False, "host": "::"}, False),
    ],
)
def test_whether_signatures_are_required(args: dict[str, t.Any], required: bool) -> None:
    assert parse_arguments(args).required is required


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.8.9.1", "::1"])
def test_loopback_needs_no_token(host: str) -> None:
    assert parse_arguments({"host": host}).tokens == ()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com", "localhost.example.com", "127.1"])  # noqa: S104
@pytest.mark.parametrize("more", [{}, {"require_signature": None}])
def test_anything_else_does(host: str, more: dict[str, t.Any]) -> None:
    assert refused({"host": host, **more}) == (
        f"host: at {host!r} anybody in the network could send answers, and without auth_token none can be told from"
        " Plivo's; give auth_token, or listen at 127.0.0.1, or set require_signature to false if that is meant."
    )
    assert parse_arguments({"host": host, "auth_token": TOKEN}).host == host
    assert parse_arguments({"host": host, "require_signature": False}).host == host


@pytest.mark.parametrize(
    ("value", "tokens"), [(TOKEN, (TOKEN,)), ([TOKEN], (TOKEN,)), ([TOKEN, "another"], (TOKEN, "another"))]
)
def test_tokens(value: t.Any, tokens: tuple[str, ...]) -> None:
    assert parse_arguments({"auth_token": value}).tokens == tokens


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("", "auth_token: it is empty; give a token, or leave it out."),
        ("  ", "auth_token: it is empty; give a token, or leave it out."),
        ([TOKEN, ""], "auth_token: it is empty; give a token, or leave it out."),
        ([], "auth_token: the list is empty; give a token, or leave it out."),
        (None, "auth_token: it is null, as when a variable is not set; give a token, or leave it out."),
        ([TOKEN, None], "auth_token: it is null, as when a variable is not set; give a token, or leave it out."),
        (
            5,
            "auth_token: it is not a text; a template makes a number of one that looks like a number: give a list,"
            ' such as "{{ [token | string] }}".',
        ),
    ],
)
def test_a_token_that_is_none(value: t.Any, complaint: str) -> None:
    assert refused({"auth_token": value}) == complaint


@pytest.mark.parametrize("value", [f"{TOKEN}\n", f"{TOKEN}\x00", TOKEN + "\ud800", {"a": TOKEN}, [[TOKEN]], (TOKEN,)])
def test_a_token_that_cannot_be(value: t.Any) -> None:
    assert refused({"auth_token": value}).startswith("auth_token: it ")


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (
            {"token": TOKEN},
            "token: there is no such argument; there are host, port, path, certfile, keyfile, auth_token, public_url,"
            " require_signature, max_body.",
        ),
        ({"host": ""}, "host: it is empty; give a value, or leave it out."),
        ({"host": 5}, "host: 5 is not a text; put it into quotes."),
        ({"host": "a b"}, "host: 'a b' is neither an address nor a name; for all of them, give '0.0.0.0' or '::'."),
        ({"host": "*"}, "host: '*' is neither an address nor a name; for all of them, give '0.0.0.0' or '::'."),
        ({"port": "x"}, "port: 'x' is not a whole number from 1 to 65535."),
        ({"port": "8080 "}, "port: '8080 ' is not a whole number from 1 to 65535."),
        ({"port": 0}, "port: 0 is not a whole number from 1 to 65535."),
        ({"port": 65536}, "port: 65536 is not a whole number from 1 to 65535."),
        ({"port": True}, "port: True is not a whole number from 1 to 65535."),
        ({"port": 80.0}, "port: 80.0 is not a whole number from 1 to 65535."),
        ({"max_body": 1023}, "max_body: 1023 is not a whole number from 1024 to 67108864."),
        ({"max_body": "67108865"}, "max_body: 67108865 is not a whole number from 1024 to 67108864."),
        ({"certfile": ""}, "certfile: it is empty; give a value, or leave it out."),
        ({"certfile": "a", "keyfile": 1}, "keyfile: 1 is not a text; put it into quotes."),
        ({"keyfile": "a"}, "keyfile: it needs certfile: give that as well, or neither."),
        (
            {"require_signature": True},
            "require_signature: it needs auth_token, which the signatures are made with: give that as well.",
        ),
        ({"require_signature": "maybe"}, "require_signature: 'maybe' is neither true nor false."),
        ({"require_signature": 0}, "require_signature: 0 is neither true nor false."),
        (
            {"path": "/a b"},
            "path: '/a b' is not the path of a URL: it begins with a slash, has neither query nor fragment, and"
            " whatever is not ASCII is percent-encoded.",
        ),
        (
            {"public_url": "/cb", "auth_token": TOKEN},
            "public_url: '/cb' is not an absolute http or https URL; give what callback_url says.",
        ),
        ({"public_url": URL}, "public_url: it is for signatures and needs auth_token: give that as well, or neither."),
    ],
)
def test_refusals(args: dict[str, t.Any], complaint: str) -> None:
    assert refused(args) == complaint


@pytest.mark.parametrize("number", [1, 65535])
def test_the_ports_that_there_are(number: int) -> None:
    assert parse_arguments({"port": number}).port == number


@pytest.mark.parametrize("number", [1024, 64 << 20])
def test_the_sizes_that_there_are(number: int) -> None:
    assert parse_arguments({"max_body": number}).max_body == number


@pytest.mark.parametrize(
    ("word", "truth"),
    [
        (word, truth)
        for truth, words in (
            (True, ("true", "True", "yes", "ON", True)),
            (False, ("false", "FALSE", "no", "off", False)),
        )
        for word in words
    ],
)
def test_words_for_true_and_false(word: t.Any, truth: bool) -> None:
    assert parse_arguments({"auth_token": TOKEN, "require_signature": word}).required is truth


@pytest.mark.parametrize("path", ["plivo", "", " ", "/a b", "/a?b=1", "/a#b", "/é", "/a\n", 5, "http://example.com/"])
def test_a_path_that_is_none(path: t.Any) -> None:
    assert refused({"path": path}).startswith("path: ")


@pytest.mark.parametrize("path", ["/", "/a", "/a/b/", "/a%20b", "/~a.b-c_d!$&'()*+,;=:@"])
def test_a_path(path: str) -> None:
    assert parse_arguments({"path": path}).path == path


@pytest.mark.parametrize(
    ("url", "base"),
    [
        (URL, URL),
        ("https://example.com", "https://example.com"),
        ("http://localhost:5000/cb?x#y", "http://localhost:5000/cb"),
        ("https://[::1]/", "https://[::1]/"),
        ("https://example.com:1/", "https://example.com:1/"),
    ],
)
def test_public_urls(url: str, base: str) -> None:
    assert parse_arguments({"auth_token": TOKEN, "public_url": url}).public_base == base


@pytest.mark.parametrize(
    "url",
    ["", "example.com", "/cb", "ftp://example.com/", "https://", "https://a b/", "https://example.com:0/",
     "https://example.com:99999/", "https://[/", "https://exämple.com/", "https://example.com/é", 5, URL + "\n"],
)  # fmt: skip
def test_a_public_url_that_is_none(url: t.Any) -> None:
    assert refused({"auth_token": TOKEN, "public_url": url}).startswith("public_url: ")


def test_a_password_in_a_url_is_not_repeated() -> None:
    shown = refused({"auth_token": "x", "public_url": f"ftp://user:{TOKEN}@example.com/"})
    assert shown == "public_url: it is not an absolute http or https URL; give what callback_url says."


ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()) | st.binary()


@given(st.dictionaries(st.sampled_from([*DEFAULTS, "x"]), ANYTHING))
def test_anything_is_settings_or_a_refusal(args: dict[str, t.Any]) -> None:
    try:
        settings = parse_arguments(args)
    except PlivoError as error:
        name, colon, _rest = error.msg.partition(": ")
        assert colon
        assert set(name.split(", ")) <= {*DEFAULTS, "x"}
        return
    assert settings.required <= bool(settings.tokens)
