# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signatures are those that Plivo's own library makes, and a nonce is good once."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plivo.utils import signature_v3, validate_v3_signature

from ansible_collections.plivo.voice.plugins.plugin_utils._signatures import (
    FRESH,
    PENDING,
    USED,
    Nonces,
    any_fits,
    base_of,
    sign,
    text_to_sign,
)
from unit.plugins.support import TOKEN, Clock

#: The file's note says how they were computed.
VECTORS = json.loads((Path(__file__).parents[2] / "simulator/data/signature_vectors.json").read_text(encoding="utf-8"))
Fields = list[tuple[str, str]]

UNICODE = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=8)
ASCII = st.text(alphabet=st.characters(max_codepoint=126, min_codepoint=32), max_size=8)
NONCES = st.text(alphabet="0123456789", min_size=1, max_size=20)
#: Names and values whose boundaries could be mistaken are more likely than chance would have it.
TRICKY = st.sampled_from(["", "a", "b", "ab", "a=b", "a&b", "a.b", "?", "é", "a+b", "%41", " "])


def pairs(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[Fields]:
    return st.lists(st.tuples(strategy, strategy), max_size=6)


def flat(params: dict[str, t.Any]) -> Fields:
    return [(key, each) for key, value in params.items() for each in (value if isinstance(value, list) else [value])]


def as_the_library_wants(fields: Fields) -> dict[str, t.Any]:
    collected: dict[str, list[str]] = {}
    for name, value in fields:
        collected.setdefault(name, []).append(value)
    return {name: values if len(values) > 1 else values[0] for name, values in collected.items()}


def query_of(url: str) -> Fields:
    return parse_qsl(urlsplit(url).query, keep_blank_values=True)


# --- what is signed ----------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", VECTORS["v3"], ids=lambda vector: vector["string_to_sign"][:60])
def test_vectors(vector: dict[str, t.Any]) -> None:
    url, params, nonce = vector["uri"], flat(vector["params"]), vector["nonce"]
    is_get = vector["method"] == "GET"
    query = query_of(url) + (params if is_get else [])
    text = text_to_sign(base_of(url), query, [] if is_get else params, nonce)
    assert text.decode() == vector["string_to_sign"]
    assert sign(vector["auth_token"], text) == vector["x_plivo_signature_v3"]


@pytest.mark.parametrize("vector", VECTORS["v2"], ids=lambda vector: vector["nonce"])
def test_a_signature_of_version_2_never_fits(vector: dict[str, t.Any]) -> None:
    url = vector["uri"]
    text = text_to_sign(base_of(url), query_of(url), [], vector["nonce"])
    assert not any_fits([vector["auth_token"]], [vector["x_plivo_signature_v2"]], text)


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://example.com", "https://example.com"),
        ("https://example.com/", "https://example.com/"),
        ("https://example.com/cb?a=1#rt=2000", "https://example.com/cb"),
        ("https://example.com/cb;v=1?a=1", "https://example.com/cb"),
        ("HTTPS://Example.com:443/a%20b/", "https://Example.com:443/a%20b/"),
        ("http://[::1]:5000/cb", "http://[::1]:5000/cb"),
    ],
)
def test_what_of_a_url_is_signed_as_it_stands(url: str, base: str) -> None:
    assert base_of(url) == base
    assert signature_v3.construct_get_url(url.partition("?")[0], {}).decode() == base


@given(pairs(ASCII | TRICKY.filter(str.isascii)), pairs(UNICODE | TRICKY), NONCES)
def test_a_post_is_signed_as_the_library_does(query: Fields, form: Fields, nonce: str) -> None:
    # The library fails for what is not ASCII in the query of a POST.
    url = "https://example.com/cb" + ("?" + urlencode(query) if query else "")
    text = text_to_sign(base_of(url), query, form, nonce)
    assert text == signature_v3.construct_post_url(url, as_the_library_wants(form)) + f".{nonce}".encode()
    assert validate_v3_signature("POST", url, nonce, TOKEN, sign(TOKEN, text), as_the_library_wants(form))


@given(pairs(UNICODE | TRICKY), NONCES)
def test_a_get_is_signed_as_the_library_does(query: Fields, nonce: str) -> None:
    url = "https://example.com/cb"
    text = text_to_sign(url, query, [], nonce)
    assert text == signature_v3.construct_get_url(url, as_the_library_wants(query)) + f".{nonce}".encode()
    assert validate_v3_signature("GET", url, nonce, TOKEN, sign(TOKEN, text), as_the_library_wants(query))


# --- whether one fits --------------------------------------------------------------------------------

TEXT = text_to_sign("https://example.com/cb", [], [("api_id", "x")], "05429567804466091622")
GOOD = sign(TOKEN, TEXT)


@pytest.mark.parametrize(
    "headers",
    [
        [GOOD],
        [f"x,{GOOD}"],
        [f"{GOOD},x"],
        [f"x, {GOOD} ,y"],
        ["x", GOOD],
        [GOOD, "x"],
        [f"\udcff,é,{GOOD}"],
    ],
)
def test_one_signature_that_fits_is_enough(headers: list[str]) -> None:
    assert any_fits([TOKEN], headers, TEXT)
    assert any_fits(["another", TOKEN], headers, TEXT)
    assert any_fits([TOKEN, "another"], headers, TEXT)
    assert not any_fits(["another"], headers, TEXT)
    assert not any_fits([], headers, TEXT)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [""],
        [","],
        [GOOD[:-1]],
        [GOOD + "="],
        [GOOD.lower()],
        [GOOD[:20] + "," + GOOD[20:]],
        [GOOD[:20], GOOD[20:]],
        ["\udcff"],
        ["é" * 44],
        [GOOD[:-1] + "\uff1d"],
    ],
)
def test_what_does_not_fit(headers: list[str]) -> None:
    assert not any_fits([TOKEN], headers, TEXT)


@given(st.binary(max_size=60))
def test_any_bytes_in_a_header_can_be_compared(raw: bytes) -> None:
    assert not any_fits([TOKEN, "é"], [raw.decode("utf-8", "surrogateescape")], TEXT)


def test_a_nonce_of_any_bytes_can_be_signed() -> None:
    assert text_to_sign("https://example.com/cb", [], [], "\udcff").endswith(b"cb.\xff")


def test_nothing_of_a_request_can_be_changed() -> None:
    for base, query, form, nonce in [
        ("http://example.com/cb", [], [("api_id", "x")], "05429567804466091622"),
        ("https://example.com/cb/", [], [("api_id", "x")], "05429567804466091622"),
        ("https://example.com/cb", [("a", "")], [("api_id", "x")], "05429567804466091622"),
        ("https://example.com/cb", [], [("api_id", "y")], "05429567804466091622"),
        ("https://example.com/cb", [], [("api_id", "x"), ("b", "")], "05429567804466091622"),
        ("https://example.com/cb", [], [], "05429567804466091622"),
        ("https://example.com/cb", [], [("api_id", "x")], "05429567804466091623"),
    ]:
        assert not any_fits([TOKEN], [GOOD], text_to_sign(base, query, form, nonce))


# --- nonces ------------------------------------------------------------------------------------------


def test_a_nonce_is_good_once(clock: Clock) -> None:
    nonces = Nonces(60, 10, clock)
    assert nonces.claim("a") == FRESH
    assert nonces.claim("a") == PENDING
    assert nonces.claim("b") == FRESH
    nonces.settle("a", used=True)
    assert nonces.claim("a") == USED
    assert nonces.claim("b") == PENDING


def test_a_nonce_that_brought_no_event_may_come_again(clock: Clock) -> None:
    nonces = Nonces(60, 10, clock)
    assert nonces.claim("a") == FRESH
    nonces.settle("a", used=False)
    assert nonces.claim("a") == FRESH
    assert nonces.claim("a") == PENDING


def test_a_nonce_is_remembered_for_its_time_from_its_use_on(clock: Clock) -> None:
    nonces = Nonces(60, 10, clock)
    nonces.claim("a")
    clock.now += 30
    nonces.settle("a", used=True)
    clock.now += 59.9
    assert nonces.claim("a") == USED
    clock.now += 0.1
    assert nonces.claim("a") == FRESH


def test_a_full_memory_forgets_the_oldest(clock: Clock) -> None:
    nonces = Nonces(60, 3, clock)
    for name in "abcd":
        clock.now += 1
        assert nonces.claim(name) == FRESH
        nonces.settle(name, used=True)
    assert [nonces.claim(name) for name in "dcba"] == [USED, USED, USED, FRESH]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(0, 5)), max_size=40))
def test_no_nonce_is_used_twice_within_its_time(steps: list[tuple[str, bool, int]]) -> None:
    clock = Clock()
    nonces = Nonces(10, 3, clock)
    used: dict[str, float] = {}
    for nonce, settles, passes in steps:
        clock.now += passes
        state = nonces.claim(nonce)
        assert (state == USED) == (nonce in used and clock.now - used[nonce] < 10)
        if state == FRESH:
            nonces.settle(nonce, used=settles)
            if settles:
                used[nonce] = clock.now
