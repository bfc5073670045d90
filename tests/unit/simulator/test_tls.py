# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the plivo.voice contributors
"""HTTPS: the same service, control included, behind a certificate."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from plivo_simulator import AUTH_ID, AUTH_TOKEN, Simulator

trustme = pytest.importorskip("trustme")


def test_https(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    chain, bundle = tmp_path / "chain.pem", tmp_path / "ca.pem"
    certificate.private_key_and_cert_chain_pem.write_to_path(chain)
    authority.cert_pem.write_to_path(bundle)
    with Simulator(host="localhost", certfile=str(chain)) as sim, requests.Session() as session:
        session.trust_env = False
        session.auth = (AUTH_ID, AUTH_TOKEN)
        url = f"{sim.api_url}/Account/{AUTH_ID}/Conference/"
        assert url.startswith("https://localhost:")
        assert session.get(url, verify=str(bundle), timeout=5).json()["conferences"] == []
        sim.control.add_faults({"action": "reset"}, {"action": "cut_short", "reset": True})
        for _turn in range(2):
            with pytest.raises(requests.exceptions.RequestException, match=r"aborted|broken"):
                session.get(url, verify=str(bundle), timeout=5)
        with pytest.raises(requests.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
            session.get(url, timeout=5)
        assert [each["fault"] for each in sim.control.log()] == [None, "reset", "cut_short"]
