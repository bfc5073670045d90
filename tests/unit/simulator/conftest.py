# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the plivo.voice contributors
"""A running simulator, and two ways of talking to it that hide nothing: http.client and bare sockets."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Callable, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import pytest

from plivo_simulator import AUTH_ID, AUTH_TOKEN, Simulator

COLLECTION = f"/v1/Account/{AUTH_ID}/Conference/"
AUTHORIZATION = "Basic " + base64.b64encode(f"{AUTH_ID}:{AUTH_TOKEN}".encode()).decode()


class Reply(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@pytest.fixture
def sim() -> Iterator[Simulator]:
    scenario = {
        "accounts": {
            AUTH_ID: {
                "auth_token": AUTH_TOKEN,
                "conferences": [{"name": "My Conf Room", "run_time": 590, "members": 2}, "Sales", "Support"],
            }
        }
    }
    with Simulator(scenario) as running:
        yield running


@pytest.fixture
def call(sim: Simulator) -> Callable[..., Reply]:
    """Make one request on a connection of its own; the path goes out exactly as given."""

    def _call(method: str, path: str = "", body: str | None = None, authorization: str = AUTHORIZATION) -> Reply:
        address = urlsplit(sim.api_url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=5)
        try:
            headers = {"Authorization": authorization} if authorization else {}
            connection.request(method, path if path.startswith("/") else COLLECTION + path, body, headers)
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    return _call


class Wire:
    """A bare connection, for answers that no HTTP client would show as they are."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self.socket = socket.create_connection((address.hostname, address.port or 80), timeout=5)

    def send(self, method: str = "GET", path: str = "") -> None:
        lines = [f"{method} {COLLECTION}{path} HTTP/1.1", "Host: simulated", f"Authorization: {AUTHORIZATION}", "", ""]
        self.socket.sendall("\r\n".join(lines).encode())

    def read_until_closed(self) -> bytes:
        received = b""
        while True:
            piece = self.socket.recv(65536)
            if not piece:
                return received
            received += piece

    def read_some(self, wanted: bytes) -> bytes:
        """Read until these bytes have come, and whatever came along with them."""
        received = b""
        while wanted not in received:
            piece = self.socket.recv(65536)
            assert piece, f"closed after {received!r}"
            received += piece
        return received


@pytest.fixture
def wire(sim: Simulator) -> Iterator[Callable[[], Wire]]:
    wires: list[Wire] = []

    def _wire() -> Wire:
        wires.append(Wire(sim.api_url))
        return wires[-1]

    yield _wire
    for each in wires:
        each.socket.close()


class Called(NamedTuple):
    """One request to the callback URL."""

    method: str
    path: str
    headers: Message
    body: str

    @property
    def fields(self) -> dict[str, str]:
        """The form fields of a POST; a GET has none."""
        return dict(parse_qsl(self.body))


class Receiver:
    """What stands behind a callback URL: records what comes, and answers with the statuses it was given."""

    def __init__(self) -> None:
        self.calls: list[Called] = []
        self.statuses: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
                receiver.calls.append(Called(self.command, self.path, self.headers, body))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                self.do_POST()

            def log_message(self, *_args: Any) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.url = self.base + "/cb/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.005,))
        self._thread.start()

    def close(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    running = Receiver()
    yield running
    running.close()


@pytest.fixture
def eventually() -> Callable[[Callable[[], Any]], Any]:
    """Wait until something holds that the server does in its own time; returns what it came to."""

    def _eventually(condition: Callable[[], Any]) -> Any:
        end = time.monotonic() + 5
        while time.monotonic() < end:
            found = condition()
            if found:
                return found
            time.sleep(0.002)
        raise AssertionError("still not so after 5 seconds")

    return _eventually
