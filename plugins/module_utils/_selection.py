# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which conferences a task means: by name, by pattern, by how long they run and how many are in them."""

from __future__ import annotations

import fnmatch
import re
import typing as t

from ._conference import Conference, address_problem
from ._errors import refusal
from ._options import check_number, parse_duration

#: Each of these chooses, so only one of them may be given.
_CHOICES = ("name", "names", "patterns", "all")

_LISTLIKE = re.compile(r"\s*\[.*\]\s*", re.DOTALL)
#: To a pattern this would be a class of characters, one of which is the quote at both ends.
_PRINTED_LIST = re.compile(r"\s*\[\s*(['\"]).*\1\s*\]\s*", re.DOTALL)


class Bounds(t.NamedTuple):
    """Limits, both ends included; none where it is open."""

    least: int | None = None
    most: int | None = None

    def __bool__(self) -> bool:
        return self.least is not None or self.most is not None

    def contain(self, value: int) -> bool:
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


class Selection(t.NamedTuple):
    """The choice of one task.

    :ivar names: those asked for by name, in this order and without doubles; none if it goes otherwise.
    :ivar patterns: those whose name matches any of these; none if it goes otherwise.
    :ivar everything: whether all were asked for in so many words.
    :ivar excludes: minus those whose name matches any of these.
    :ivar run_time: seconds that a conference has been running.
    :ivar members: how many are in it.
    """

    names: tuple[str, ...] | None = None
    patterns: tuple[re.Pattern[str], ...] | None = None
    everything: bool = False
    excludes: tuple[re.Pattern[str], ...] = ()
    run_time: Bounds = Bounds()
    members: Bounds = Bounds()

    @property
    def is_made(self) -> bool:
        """Whether anything chooses at all."""
        return self.everything or self.names is not None or self.patterns is not None

    @property
    def is_bounded(self) -> bool:
        """Whether a conference's details are needed to decide on it."""
        return bool(self.run_time) or bool(self.members)

    @property
    def is_narrowed(self) -> bool:
        """Whether some of what was chosen may be left out again."""
        return self.is_bounded or bool(self.excludes)

    def choose(self, live: t.Iterable[str]) -> list[str]:
        """Names that are meant, as far as names decide it, in the order asked or else as listed, without doubles.

        :param live: names of the live conferences. Names that were asked for are chosen even if not in it.
        """
        names: t.Iterable[str] = live if self.names is None else self.names
        return [
            name
            for name in dict.fromkeys(names)
            if (self.patterns is None or _any_match(self.patterns, name)) and not _any_match(self.excludes, name)
        ]

    def accepts(self, conference: Conference) -> bool:
        """Whether a conference's details lie within the bounds."""
        if not self.is_bounded:
            return True
        # Bounds were given, so the caller has fetched details; without them nothing may be chosen.
        if conference.run_time is None or conference.member_count is None:
            return False
        return self.run_time.contain(conference.run_time) and self.members.contain(conference.member_count)


def parse_selection(params: t.Mapping[str, t.Any]) -> Selection:
    """Check the options that choose conferences.

    :param params: the task's options; null and ``all: false`` count as not given.
    :raises PlivoError: one of them is wrong, or they contradict each other.
    """
    given = [option for option in _CHOICES if params.get(option) not in (None, False)]
    if len(given) > 1:
        raise refusal(f"{' and '.join(given)}: these exclude each other; give one of them.")
    names = params["names"] if params["name"] is None else [params["name"]]
    for option in ("name", "names"):
        for entry in _entries(params, option):
            problem = address_problem(entry)
            if problem:
                raise refusal(f"{option}: {entry!r} cannot be addressed: {problem}; remove it.")
    patterns = _compiled("patterns", params)
    run_time = Bounds(_duration("min_run_time", params), _duration("max_run_time", params))
    _check_bounds("min_run_time", "max_run_time", params, run_time)
    for option in ("min_members", "max_members"):
        check_number(option, params[option])
    members = Bounds(params["min_members"], params["max_members"])
    _check_bounds("min_members", "max_members", params, members)
    return Selection(
        names=None if names is None else tuple(dict.fromkeys(names)),
        patterns=patterns,
        everything=bool(params.get("all")),
        excludes=_compiled("excludes", params) or (),
        run_time=run_time,
        members=members,
    )


def looks_like_list(name: str) -> bool:
    """Whether a name is probably a list that a template turned into text."""
    return bool(_LISTLIKE.fullmatch(name))


def check_text_for_list(option: str, text: str) -> None:
    """Refuse a text for a list that was hardly meant to be split at its commas, which is what Ansible does with it.

    Somebody would be hung up who was not meant: excludes would spare nobody, and C(Sales, EMEA) would be C(Sales).

    :raises PlivoError: it is the printed form of a list, or has blanks beside a comma.
    """
    if looks_like_list(text):
        problem = "looks like a list that has become a text"
    elif any(entry != entry.strip() for entry in text.split(",")):
        problem = "would be split at its commas into entries that begin or end with a blank"
    else:
        return
    raise refusal(f"{option}: {text!r:.200} is a text that {problem}; write a YAML list, or JSON with -e or -a.")


def _entries(params: t.Mapping[str, t.Any], option: str) -> list[str]:
    value = params[option]
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


def _compiled(option: str, params: t.Mapping[str, t.Any]) -> tuple[re.Pattern[str], ...] | None:
    if params[option] is None:
        return None
    return tuple(_pattern(option, entry, params["use_regex"]) for entry in params[option])


def _pattern(option: str, entry: str, use_regex: bool) -> re.Pattern[str]:
    """One expression for the whole name, from a shell glob or a regular expression."""
    if not entry.strip():
        every = ".*" if use_regex else "*"
        raise refusal(f"{option}: an entry is empty or blank; remove it, or write '{every}' for every name.")
    if _PRINTED_LIST.fullmatch(entry):
        raise refusal(f"{option}: {entry!r:.200} looks like a list that has become a text; write a YAML list.")
    if not use_regex and entry in (".", ".."):
        raise refusal(f"{option}: {entry!r} matches only a name that cannot be addressed; remove it.")
    try:
        return re.compile(entry if use_regex else fnmatch.translate(entry))
    except (re.error, RecursionError, OverflowError) as error:
        if use_regex:
            problem = f"{entry!r} is not a regular expression ({error}); mend it, or set use_regex: false."
        else:
            # What Python 3.9 makes of a range that runs backwards. Newer ones match nothing with it.
            problem = f"{entry!r} is not a pattern ({error}); a range runs from the lower character to the higher."
        raise refusal(f"{option}: {problem}") from error


def _any_match(patterns: t.Iterable[re.Pattern[str]], name: str) -> bool:
    return any(pattern.fullmatch(name) for pattern in patterns)


def _duration(option: str, params: t.Mapping[str, t.Any]) -> int | None:
    return None if params[option] is None else parse_duration(option, params[option])


def _check_bounds(lower: str, upper: str, params: t.Mapping[str, t.Any], bounds: Bounds) -> None:
    if bounds.least is not None and bounds.most is not None and bounds.least > bounds.most:
        raise refusal(
            f"{lower}: {params[lower]} is above {upper}: {params[upper]}, so nothing could match; swap or mend them."
        )
