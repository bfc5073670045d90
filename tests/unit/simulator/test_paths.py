# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the plivo.voice contributors
"""Which endpoint a raw path leads to, as on a real server: this is where the dangerous names are."""

from __future__ import annotations

import pytest

from plivo_simulator.api import Target, resolve


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("Conference/", Target("collection", "MA1")),
        ("Conference/a/", Target("conference", "MA1", "a")),
        ("Conference/My%20Conf%20Room/", Target("conference", "MA1", "My Conf Room")),
        ("Conference/a%2Fb/", Target("conference", "MA1", "a/b")),
        ("Conference/%C3%BC%23%3F/", Target("conference", "MA1", "ü#?")),
        # A plus sign is a blank in a query, never in a path.
        ("Conference/a+b/", Target("conference", "MA1", "a+b")),
        # Decoded once, not twice.
        ("Conference/%2520/", Target("conference", "MA1", "%20")),
        ("Conference/.../", Target("conference", "MA1", "...")),
        ("Conference/.a/", Target("conference", "MA1", ".a")),
        ("Conference/%2E%2Fx/", Target("conference", "MA1", "./x")),
        ("Conference/%FF/", Target("conference", "MA1", "\udcff")),
        # These reach something else than what was meant.
        ("Conference//", Target("collection", "MA1")),
        ("Conference/./", Target("collection", "MA1")),
        ("Conference/.", Target("collection", "MA1")),
        ("Conference/%2E/", Target("collection", "MA1")),
        ("Conference/%2e/", Target("collection", "MA1")),
        ("Conference/../", Target("account", "MA1")),
        ("Conference/%2e%2E/", Target("account", "MA1")),
        ("Conference/..", Target("account", "MA1")),
        ("Conference/a/../", Target("collection", "MA1")),
        ("Conference/a/../../../MA2/Conference/", Target("collection", "MA2")),
        ("Conference/a/b/", Target("unknown", "MA1")),
        ("Conference///", Target("unknown", "MA1")),
        ("Call/", Target("unknown", "MA1")),
        ("Conference", Target("collection", "MA1", slash=False)),
        ("Conference/a", Target("conference", "MA1", "a", slash=False)),
    ],
)
@pytest.mark.parametrize("prefix", ["/v1", "/api/v1", ""])
def test_resolve(path: str, target: Target, prefix: str) -> None:
    assert resolve(f"{prefix}/Account/MA1/{path}", prefix) == target


@pytest.mark.parametrize("path", ["/", "/v1/", "/v1/Account", "/v2/Account/MA1/Conference/", "/Account/MA1/Call/"])
def test_elsewhere(path: str) -> None:
    assert resolve(path, "/v1").kind == "unknown"


def test_no_account_at_all() -> None:
    assert resolve("/v1/Account/", "/v1") == Target("account", "", slash=False)


def test_dots_do_not_climb_above_the_root() -> None:
    assert resolve("/../../v1/Account/MA1/Conference/", "/v1") == Target("collection", "MA1")
