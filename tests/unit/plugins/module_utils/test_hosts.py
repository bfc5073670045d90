# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host is this machine is told from its name alone, and never wrongly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.plivo.voice.plugins.module_utils._hosts import is_address, is_loopback


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.255.255.254", "::1"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "localhost.",
        "localhost.example.com",
        "127.0.0.1.example.com",
        "127.1",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "2130706433",
        "128.0.0.1",
        "0.0.0.0",  # noqa: S104
        "::",
        "::2",
        "fe80::1",
        "127.0.0.1 ",
        "api.plivo.com",
    ],
)
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@given(st.ip_addresses())
def test_every_address_is_one(address: object) -> None:
    assert is_address(str(address))


@given(st.text())
def test_no_text_hurts(host: str) -> None:
    assert is_address(host) in (True, False)
    assert not is_loopback(host) or is_address(host) or host.lower() == "localhost"
