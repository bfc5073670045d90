# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that choose conferences, and what is told of them; the modules' side is in module_utils/_selection.py."""

from __future__ import annotations


class ModuleDocFragment:
    """Used by modules about several conferences."""

    DOCUMENTATION = r"""
options:
  name:
    description:
      - Exactly the conference with this name. Commas in it are a part of the name.
      - A name that is empty, blank, C(.) or C(..) is refused, and so is one that has such a piece before, between or
        after slashes. No URL surely reaches it and nothing else.
      - Excludes O(names) and O(patterns). Null counts as not given.
    type: str
  names:
    description:
      - Exactly the conferences with these names. One that is given twice counts once. An empty list chooses nothing.
      - The same names are refused as for O(name).
      - Ansible splits a text given for a list at its commas. So a text with blanks beside its commas is refused, and so
        is one that looks like a list that was printed. O(patterns) and O(excludes) are no different.
      - Excludes O(name) and O(patterns). Null counts as not given.
    type: list
    elements: str
  patterns:
    description:
      - Conferences whose name matches any of these shell globs, case-sensitive. V(*) stands for any text, V(?) for one
        character, V([ab]) for one of these.
      - With O(use_regex=true) they are regular expressions. An empty list chooses nothing.
      - Excludes O(name) and O(names). Null counts as not given.
    type: list
    elements: str
  excludes:
    description:
      - Leaves out conferences whose name matches any of these, whichever way they were chosen.
      - Shell globs or, with O(use_regex=true), regular expressions.
    type: list
    elements: str
  use_regex:
    description:
      - Whether O(patterns) and O(excludes) hold regular expressions of Python. Each must match the whole name.
      - Some expressions, such as V((a+\)+b), take for ever on an unlucky name. Nothing can cut that short.
    type: bool
    default: false
  min_run_time:
    description:
      - Only conferences that have been running for at least this long.
      - Seconds, or a whole number with V(s), V(m), V(h) or V(d), such as V(90), V(90s), V(15m), V(2h) or V(1d).
    type: str
  max_run_time:
    description:
      - Only conferences that have been running for at most this long. Written like O(min_run_time).
    type: str
  min_members:
    description:
      - Only conferences with at least so many members, from V(0) to V(1000000000).
    type: int
  max_members:
    description:
      - Only conferences with at most so many members, from V(0) to V(1000000000).
    type: int
  members:
    description:
      - Whether conferences with details are returned with their RV(conferences[].members).
      - V(false) keeps callers' numbers and names out of results and logs, and makes large results much smaller.
    type: bool
    default: true
notes:
  - YAML turns an unquoted C(007), C(yes) or C(1e3) into another value before a module sees it. Put names of
    conferences into quotes.
  - Ansible splits a text given to a list option at its commas. Write O(names), O(patterns) and O(excludes) as YAML
    lists, and use O(name) for one conference, which is never split.
"""
