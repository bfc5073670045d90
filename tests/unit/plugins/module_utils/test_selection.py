# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A selection never chooses what it should not; every mistake is refused with the option's name."""

from __future__ import annotations

import fnmatch
import re
import typing as t
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.plivo.voice.plugins.module_utils._conference import Conference
from ansible_collections.plivo.voice.plugins.module_utils._errors import PlivoError
from ansible_collections.plivo.voice.plugins.module_utils._selection import (
    Bounds,
    Selection,
    check_text_for_list,
    looks_like_list,
    parse_selection,
)
from unit.plugins.support import failure_of, refusal_of, shown

NOTHING: dict[str, t.Any] = {
    "name": None,
    "names": None,
    "patterns": None,
    "excludes": None,
    "use_regex": False,
    "min_run_time": None,
    "max_run_time": None,
    "min_members": None,
    "max_members": None,
}

LIVE = ["Sales", "sales", "Sales, EMEA", "a/b", "[x]", "Support\n2", "."]


def select(**params: t.Any) -> Selection:
    return parse_selection({**NOTHING, **params})


# --- what makes a choice -----------------------------------------------------------------------------


@pytest.mark.parametrize("params", [{}, {"all": False}, {"all": None}, {"excludes": ["x"]}, {"min_members": 0}])
def test_no_choice_is_none(params: dict[str, t.Any]) -> None:
    selection = select(**params)
    assert not selection.is_made
    assert not selection.everything


@pytest.mark.parametrize(
    "params", [{"all": True}, {"name": "x"}, {"names": []}, {"names": ["x"]}, {"patterns": []}, {"patterns": ["x"]}]
)
def test_a_choice_is_one_even_if_of_nothing(params: dict[str, t.Any]) -> None:
    assert select(**params).is_made


CHOICES: dict[str, t.Any] = {"name": "x", "names": [], "patterns": [], "all": True}


@pytest.mark.parametrize(
    ("one", "other"),
    [(one, other) for one in CHOICES for other in CHOICES if list(CHOICES).index(one) < list(CHOICES).index(other)],
)
def test_two_choices_exclude_each_other(one: str, other: str) -> None:
    error = refusal_of(partial(select, **{one: CHOICES[one], other: CHOICES[other]}), f"{one} and {other}")
    assert "exclude each other" in error.msg


@pytest.mark.parametrize("one", CHOICES)
def test_a_choice_beside_nulls_is_fine(one: str) -> None:
    others = dict.fromkeys(CHOICES)
    assert select(**{**others, "all": False, one: CHOICES[one]}).is_made


# --- names -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", " ", "\n", ".", "..", "a/", "//", "../x"])
@pytest.mark.parametrize("option", ["name", "names"])
def test_a_name_that_cannot_be_addressed_is_refused(option: str, name: str) -> None:
    refusal_of(partial(select, **{option: name if option == "name" else ["fine", name]}), option)


def test_a_name_is_never_split_at_commas() -> None:
    assert select(name="Sales, EMEA").choose(LIVE) == ["Sales, EMEA"]


def test_names_keep_their_order_and_lose_their_doubles_and_need_not_be_live() -> None:
    assert select(names=["b", "Sales", "b", "a"]).choose(LIVE) == ["b", "Sales", "a"]


@pytest.mark.parametrize("params", [{"names": []}, {"patterns": []}])
def test_empty_lists_choose_nothing(params: dict[str, t.Any]) -> None:
    assert select(**params).choose(LIVE) == []


def test_no_option_or_all_choose_everything_in_the_order_of_the_api() -> None:
    assert select().choose([*LIVE, "Sales"]) == LIVE
    assert select(all=True).choose(LIVE) == LIVE


# --- patterns ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patterns", "use_regex", "chosen"),
    [
        (["*"], False, LIVE),
        ([".*"], True, ["Sales", "sales", "Sales, EMEA", "a/b", "[x]", "."]),
        (["(?s).*"], True, LIVE),
        (["S*"], False, ["Sales", "Sales, EMEA", "Support\n2"]),
        (["S.*"], True, ["Sales", "Sales, EMEA"]),
        (["Sales"], False, ["Sales"]),
        (["Sales"], True, ["Sales"]),
        (["ales"], True, []),
        (["Sale"], True, []),
        (["Sales|x"], True, ["Sales"]),
        (["[[]x]"], False, ["[x]"]),
        (["[x]"], False, []),
        (["?"], False, ["."]),
        (["."], True, ["."]),
        (["Support"], False, []),
        (["Support\n?"], False, ["Support\n2"]),
        (["nope", "a*"], False, ["a/b"]),
    ],
)
def test_patterns_match_whole_names_and_heed_case(patterns: list[str], use_regex: bool, chosen: list[str]) -> None:
    assert select(patterns=patterns, use_regex=use_regex).choose(LIVE) == chosen
    left = [name for name in LIVE if name not in chosen]
    assert select(all=True, excludes=patterns, use_regex=use_regex).choose(LIVE) == left


def test_excludes_take_from_names_as_well() -> None:
    assert select(names=["Sales", "x"], excludes=["S*"]).choose(LIVE) == ["x"]
    assert select(name="Sales", excludes=["Sales"]).choose(LIVE) == []


@pytest.mark.parametrize("option", ["patterns", "excludes"])
@pytest.mark.parametrize("use_regex", [False, True])
@pytest.mark.parametrize("entry", ["", " ", "\t\n"])
def test_a_blank_pattern_is_refused(option: str, use_regex: bool, entry: str) -> None:
    error = refusal_of(partial(select, **{option: ["x", entry]}, use_regex=use_regex), option)
    # The remedy does what it says.
    (every,) = re.findall("write '(.*)' for every name", error.msg)
    assert every == (".*" if use_regex else "*")


@pytest.mark.parametrize("option", ["patterns", "excludes"])
@pytest.mark.parametrize("entry", [".", ".."])
def test_a_glob_for_a_dot_segment_is_refused(option: str, entry: str) -> None:
    refusal_of(partial(select, **{option: [entry]}), option)


@pytest.mark.parametrize("option", ["patterns", "excludes"])
@pytest.mark.parametrize("entry", ["(", "[", "*", "a{99999999999}", "(?P<x", "\\", "(?<=a*)b", "(" * 5000], ids=shown)
def test_a_bad_expression_is_refused(option: str, entry: str) -> None:
    error = refusal_of(partial(select, **{option: [entry]}, use_regex=True), option)
    assert error.msg.startswith(f"{option}: {entry!r} is not a regular expression (")
    assert error.msg.endswith("; mend it, or set use_regex: false.")


@given(
    st.text(alphabet=st.sampled_from("[]!-*?^\\.a|()B]#&~"), max_size=12),
    st.text(alphabet="[]!-*?^\\.aB/\n", max_size=8),
)
def test_any_glob_means_what_the_shell_means(pattern: str, name: str) -> None:
    try:
        selection = select(patterns=[pattern])
    except PlivoError:
        if pattern.strip() not in ("", ".", ".."):
            # A range that runs backwards, where Python itself does not know what to make of it.
            with pytest.raises(re.error):
                fnmatch.fnmatchcase(name, pattern)
        return
    assert selection.choose([name]) == ([name] if fnmatch.fnmatchcase(name, pattern) else [])


def test_a_range_that_runs_backwards_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    # As the oldest Pythons that modules run under translate it.
    monkeypatch.setattr(fnmatch, "translate", lambda pattern: f"(?s:{pattern})\\Z")
    error = refusal_of(partial(select, patterns=["room-[9-0]"]), "patterns")
    assert error.msg.startswith("patterns: 'room-[9-0]' is not a pattern (bad character range 9-0")
    assert error.msg.endswith("; a range runs from the lower character to the higher.")


@pytest.mark.filterwarnings("ignore:Possible:FutureWarning")
@given(st.text(max_size=12) | st.text(alphabet="()[]{}*+?|\\^$.,0129:P<>=!abc", max_size=12), st.text(max_size=8))
def test_any_expression_matches_the_whole_name_or_is_refused(pattern: str, name: str) -> None:
    try:
        selection = select(patterns=[pattern], use_regex=True)
    except PlivoError as error:
        assert error.kind == "invalid_request"  # noqa: PT017
        return
    assert selection.choose([name]) == ([name] if re.fullmatch(pattern, name) else [])


# --- bounds ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["", "x", "-1", "1.5h"])
@pytest.mark.parametrize("option", ["min_run_time", "max_run_time"])
def test_a_bad_duration_is_refused(option: str, value: str) -> None:
    refusal_of(partial(select, **{option: value}), option)


@pytest.mark.parametrize("option", ["min_members", "max_members"])
def test_a_negative_number_of_members_is_refused(option: str) -> None:
    refusal_of(partial(select, **{option: -1}), option)


@pytest.mark.parametrize(
    "params", [{"min_run_time": "2h", "max_run_time": "119m"}, {"min_members": 3, "max_members": 2}]
)
def test_a_lower_bound_above_its_upper_one_is_refused(params: dict[str, t.Any]) -> None:
    lower, upper = params
    assert upper in refusal_of(partial(select, **params), lower).msg


@pytest.mark.parametrize(
    "params", [{"min_run_time": "1h", "max_run_time": "60m"}, {"min_members": 0, "max_members": 0}, {"max_members": 0}]
)
def test_bounds_may_meet(params: dict[str, t.Any]) -> None:
    assert select(**params).is_bounded


def test_zero_is_a_bound() -> None:
    selection = select(max_members=0)
    assert selection.is_bounded
    assert selection.is_narrowed
    assert not selection.accepts(Conference("x", 10, 1))
    assert selection.accepts(Conference("x", 10, 0))


def test_excludes_narrow_without_bounding() -> None:
    assert select(excludes=["x"]).is_narrowed
    assert not select(excludes=["x"]).is_bounded
    assert not select(excludes=[]).is_narrowed


@pytest.mark.parametrize(("run_time", "member_count"), [(None, None), (10, None), (None, 1)])
def test_what_is_not_known_is_not_within_bounds(run_time: int | None, member_count: int | None) -> None:
    conference = Conference("x", run_time, member_count)
    assert not select(min_members=0).accepts(conference)
    assert not select(max_run_time="1d").accepts(conference)
    assert select().accepts(conference)


NUMBER = st.integers(0, 50)
LIMIT = st.none() | NUMBER


@given(LIMIT, LIMIT, LIMIT, LIMIT, NUMBER, NUMBER)
def test_bounds_include_their_ends_and_nothing_beyond(
    min_run_time: int | None,
    max_run_time: int | None,
    min_members: int | None,
    max_members: int | None,
    run_time: int,
    members: int,
) -> None:
    def ordered(low: int | None, high: int | None) -> bool:
        return low is None or high is None or low <= high

    params: dict[str, t.Any] = {
        "min_run_time": None if min_run_time is None else f"{min_run_time}s",
        "max_run_time": None if max_run_time is None else f"{max_run_time}",
        "min_members": min_members,
        "max_members": max_members,
    }
    if not (ordered(min_run_time, max_run_time) and ordered(min_members, max_members)):
        assert failure_of(partial(select, **params)).kind == "invalid_request"
        return
    expected = (
        ordered(min_run_time, run_time)
        and ordered(run_time, max_run_time)
        and ordered(min_members, members)
        and ordered(members, max_members)
    )
    assert select(**params).accepts(Conference("x", run_time, members)) is expected


# --- the whole ---------------------------------------------------------------------------------------

NAME = st.sampled_from(["Sales", "Ops", "a/b", "x", "Sales, EMEA", "é", "007"])
PATTERN = st.sampled_from(["*", "S*", "?", "x", "[!x]", "*/*"])


@given(
    names=st.none() | st.lists(NAME, max_size=4),
    patterns=st.none() | st.lists(PATTERN, max_size=3),
    excludes=st.none() | st.lists(PATTERN, max_size=2),
    live=st.lists(NAME, max_size=7),
)
def test_nothing_is_chosen_that_was_not_meant(
    names: list[str] | None, patterns: list[str] | None, excludes: list[str] | None, live: list[str]
) -> None:
    if names is not None and patterns is not None:
        patterns = None
    chosen = select(names=names, patterns=patterns, excludes=excludes).choose(live)
    assert len(chosen) == len(set(chosen))

    def matches(name: str, globs: list[str] | None) -> bool:
        return any(fnmatch.fnmatchcase(name, glob) for glob in globs or ())

    for name in chosen:
        assert not matches(name, excludes)
        assert name in names if names is not None else name in live
        assert patterns is None or matches(name, patterns)
    # And nothing is forgotten.
    for name in live if names is None else names:
        assert name in chosen or matches(name, excludes) or (patterns is not None and not matches(name, patterns))


@pytest.mark.parametrize("name", ["['a']", "[]", ' ["a", "b"]\n', "[\n]"])
def test_a_list_made_text_is_recognised(name: str) -> None:
    assert looks_like_list(name)


@pytest.mark.parametrize("name", ["a", "[a", "a]", "x [1]", "[1] x", ""])
def test_an_ordinary_name_is_no_list(name: str) -> None:
    assert not looks_like_list(name)


@pytest.mark.parametrize(
    "text",
    [
        "['vip-*', 'board-*']",
        "['vip-*','board-*']",
        '["a"]',
        "[]",
        "[a,b]",
        "Sales, EMEA",
        "a ,b",
        " a",
        "a,b\n",
        "a,,\tb",
    ],
)
@pytest.mark.parametrize("option", ["names", "patterns", "excludes"])
def test_a_text_that_was_not_meant_to_be_split_is_refused(option: str, text: str) -> None:
    error = refusal_of(lambda: check_text_for_list(option, text), option)
    assert "write a YAML list" in error.msg


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[a]", "looks like a list that has become a text"),
        ("a, b", "would be split at its commas into entries that begin or end with a blank"),
    ],
)
def test_a_text_is_refused_with_its_reason(text: str, problem: str) -> None:
    error = refusal_of(lambda: check_text_for_list("names", text), "names")
    assert error.msg == f"names: {text!r} is a text that {problem}; write a YAML list, or JSON with -e or -a."


@pytest.mark.parametrize("text", ["", "a", "a,b", "sales-*,a b", "room-[0-9]", "[ab]*,x"])
def test_a_text_that_is_a_list_with_commas_is_taken(text: str) -> None:
    check_text_for_list("patterns", text)


@pytest.mark.parametrize("option", ["patterns", "excludes"])
@pytest.mark.parametrize("use_regex", [False, True])
@pytest.mark.parametrize("entry", ["['vip-*', 'board-*']", "['a']", ' [ "a", "b" ]', "['vip-*',\n'b']"])
def test_a_pattern_that_is_a_printed_list_is_refused(option: str, use_regex: bool, entry: str) -> None:
    """As a class of characters, it would match each of them, and not what it was meant to."""
    error = refusal_of(lambda: select(**{option: [entry], "use_regex": use_regex}), option)
    assert "looks like a list" in error.msg


@pytest.mark.parametrize("entry", ["[abc]", "['\"]", "['x]", "[[]a]", "a['b']"])
def test_a_class_of_characters_is_no_printed_list(entry: str) -> None:
    assert select(patterns=[entry]).patterns


def test_bounds_are_true_when_there_are_any() -> None:
    assert not Bounds()
    assert Bounds(least=0)
    assert Bounds(most=0)
