# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds of both modules: they take the options that they document, and no more threads than may work."""

from __future__ import annotations

import types
import typing as t

import pytest
import yaml

from ansible_collections.plivo.voice.plugins.module_utils._crew import Crew
from ansible_collections.plivo.voice.plugins.module_utils._module import SELECTION_OPTIONS
from ansible_collections.plivo.voice.plugins.modules import conference_hangup, conference_info

World = t.Any  # see conftest.py

MODULES = pytest.mark.parametrize("module", [conference_hangup, conference_info], ids=["hangup", "info"])


@MODULES
def test_the_options_are_those_of_the_documentation(module: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[t.Any, ...]] = []
    monkeypatch.setattr(module, "run_module", lambda *args: calls.append(args))
    module.main()
    ((options, run, result),) = calls
    facts = ("type", "default", "choices", "elements", "required")
    documentation = yaml.safe_load(module.DOCUMENTATION)
    chooses = "plivo.voice.selection" in documentation["extends_documentation_fragment"]
    assert options == (SELECTION_OPTIONS if chooses else {}) | {
        option: {fact: described[fact] for fact in facts if fact in described}
        for option, described in documentation["options"].items()
    }
    assert run is module.run
    assert result.as_values(diff=False)["changed"] is False


@pytest.mark.parametrize(
    ("module", "params", "workers"),
    [
        ("info", {"name": "x"}, 7),
        ("info", {"name": "x", "rate_limit": 3}, 3),
        ("info", {"name": "x", "rate_limit": 9}, 7),
        ("hangup", {"name": "x"}, 7),
        ("hangup", {"name": "x", "rate_limit": 3}, 3),
        # A look comes before each hangup of what is chosen by bounds, while the hangup's place is held.
        ("hangup", {"name": "x", "min_members": 0, "rate_limit": 7}, 3),
        ("hangup", {"name": "x", "min_members": 0, "rate_limit": 99}, 7),
    ],
    ids=str,
)
def test_no_more_threads_than_may_work_at_once(
    world: World, module: str, params: dict[str, t.Any], workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    hired: list[int] = []

    class Recorded(Crew):
        def __init__(self, workers: int) -> None:
            hired.append(workers)
            super().__init__(workers)

    for each in (conference_hangup, conference_info):
        monkeypatch.setattr(each, "Crew", Recorded)
    world.load()
    assert getattr(world, module)(max_connections=7, **params)["absent"] == ["x"]
    assert hired == [workers]
