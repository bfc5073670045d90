# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the plivo.voice contributors
"""The hand for the control door: what tests use to set up a simulator and to ask what it saw."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlencode, urlsplit


class ControlError(RuntimeError):
    """The simulator did not understand what it was told."""


class Control:
    """One method per control route. Accounts may be left out where there is only one."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)

    def _call(self, method: str, route: str, given: Any = None, query: Mapping[str, str | None] | None = None) -> Any:
        # http.client, since it knows nothing of proxies, netrc and CA bundles in the environment,
        # which tests change on purpose.
        host, port = self._url.hostname or "", self._url.port
        connection: http.client.HTTPConnection
        if self._url.scheme == "https":
            # The certificate may be broken on purpose.
            unchecked = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            unchecked.check_hostname = False
            unchecked.verify_mode = ssl.CERT_NONE
            connection = http.client.HTTPSConnection(host, port, timeout=30, context=unchecked)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=30)
        asked = urlencode({name: value for name, value in (query or {}).items() if value is not None})
        try:
            body = None if given is None else json.dumps(given).encode()
            connection.request(method, f"{self._url.path}/{route}" + (f"?{asked}" if asked else ""), body)
            answer = connection.getresponse()
            document = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status != 200:
            raise ControlError(document["error"])
        return document

    def load(self, scenario: Mapping[str, Any]) -> None:
        """Begin anew: replace accounts, settings and faults, forget everything seen."""
        self._call("PUT", "state", dict(scenario))

    def settings(self, account: str | None = None, **changes: Any) -> None:
        """Change settings of all accounts, or of one."""
        self._call("PATCH", "settings", changes, {"account": account})

    def advance_clock(self, seconds: float) -> None:
        """Let time pass for the conferences without waiting for it."""
        self._call("POST", "clock", {"advance": seconds})

    def conferences(self, account: str | None = None) -> dict[str, dict[str, Any]]:
        """What is really live now, by name: details plus ``listed`` and ``findable``."""
        by_account = cast(dict[str, list[dict[str, Any]]], self._call("GET", "conferences"))
        if account is None:
            (account,) = by_account
        return {each["conference_name"]: each for each in by_account[account]}

    def add_conferences(self, *conferences: str | Mapping[str, Any], account: str | None = None) -> None:
        """Start conferences, or have them start later, as a scenario would."""
        self._call("POST", "conferences", list(conferences), {"account": account})

    def remove_conference(self, name: str, account: str | None = None) -> None:
        """End a conference as if by itself, and forget its script."""
        self._call("DELETE", "conferences", query={"account": account, "name": name})

    def add_faults(self, *rules: Mapping[str, Any]) -> None:
        """Add fault rules behind those in force."""
        self._call("POST", "faults", list(rules))

    def faults(self) -> list[dict[str, Any]]:
        """The rules in force, with how often each has struck (``played``)."""
        return cast(list[dict[str, Any]], self._call("GET", "faults"))

    def clear_faults(self) -> None:
        self._call("DELETE", "faults")

    def log(self, since: int = 0) -> list[dict[str, Any]]:
        """The requests seen, oldest first, those after number ``since``."""
        return cast(list[dict[str, Any]], self._call("GET", "log", query={"since": str(since)}))

    def clear_log(self) -> None:
        """Forget requests, violations, statistics and deliveries."""
        self._call("DELETE", "log")

    def violations(self) -> list[dict[str, Any]]:
        """The writes that came while the simulator was read-only."""
        return cast(list[dict[str, Any]], self._call("GET", "violations"))

    def stats(self) -> dict[str, Any]:
        return cast(dict[str, Any], self._call("GET", "stats"))

    def callbacks(self) -> list[dict[str, Any]]:
        """The callbacks that were delivered, or given up, so far."""
        return cast(list[dict[str, Any]], self._call("GET", "callbacks"))

    def wait_for_callbacks(self, count: int, timeout: float = 10.0) -> list[dict[str, Any]]:
        """Wait until so many callbacks were delivered or given up."""
        end = time.monotonic() + timeout
        while True:
            delivered = self.callbacks()
            if len(delivered) >= count:
                return delivered
            if time.monotonic() > end:
                raise TimeoutError(f"{len(delivered)} of {count} callbacks after {timeout} s")
            time.sleep(0.005)
