# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-rulebook as a user runs it, and what stands around it: a proxy in front, a chat behind."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

COMMAND = str(Path(sys.executable).with_name("ansible-rulebook"))

#: What ansible-rulebook says when there is no Java, or one that is too old; it looks before it does anything.
_WITHOUT_JAVA = ("JAVA_HOME environment variable not found", "minimum supported Java version", "Java error")


def missing_java(environment: Mapping[str, str]) -> str | None:
    """Why ansible-rulebook cannot run here, if that is for want of Java."""
    done = subprocess.run([COMMAND, "--version"], env=environment, capture_output=True, text=True, check=False)
    if any(text in done.stdout + done.stderr for text in _WITHOUT_JAVA):
        return "Java 17 or newer is missing, which ansible-rulebook needs: apt-get install openjdk-17-jre-headless"
    assert done.returncode == 0, done.stdout + done.stderr
    return None


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


def wait_until(true: Callable[[], Any], what: str, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.05)


class Rulebook:
    """A process of ansible-rulebook, for as long as the ``with`` block lasts.

    :param folder: an empty folder for all that it writes: its output, its playbooks' folders, HOME.
    :param rulebook: of a collection, by name, or a file.
    :param variables: what its file of variables holds.
    :param secrets: environment variables that it imports.
    :param env: the rest of its environment.
    """

    def __init__(
        self,
        folder: Path,
        rulebook: str | Path,
        *options: str,
        variables: Mapping[str, Any],
        secrets: Mapping[str, str],
        env: Mapping[str, str],
    ) -> None:
        self.folder = folder
        (folder / "tmp").mkdir(parents=True)
        inventory, variables_file = folder / "inventory", folder / "variables.yml"
        inventory.write_text("localhost\n", encoding="utf-8")
        variables_file.write_text(yaml.safe_dump(dict(variables)), encoding="utf-8")
        self._output = folder / "output.log"
        command = [COMMAND, "--rulebook", str(rulebook), "--inventory", str(inventory), "--vars", str(variables_file)]
        command += ["--env-vars", ",".join(secrets)] if secrets else []
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [*command, *options],
                cwd=folder,
                env={**env, **secrets, "TMPDIR": str(folder / "tmp")},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        return self._output.read_text(encoding="utf-8", errors="replace")

    def wait_until_listening(self, port: int, seconds: float = 60) -> None:
        def listens() -> bool:
            if self._process.poll() is not None:
                raise RuntimeError(f"ansible-rulebook ended with {self._process.returncode}:\n{self.output}")
            with socket.socket() as one:
                return one.connect_ex(("127.0.0.1", port)) == 0

        wait_until(listens, f"ansible-rulebook at port {port}", seconds)

    def wait(self, seconds: float) -> int:
        """Wait until it has ended by itself; its exit status."""
        return self._process.wait(seconds)

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def __enter__(self) -> Rulebook:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


class _Server:
    """An HTTP server in a thread, for as long as the ``with`` block lasts."""

    handler: type[BaseHTTPRequestHandler]

    def __enter__(self) -> Any:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
        """Say nothing."""


class Chat(_Server):
    """Takes messages as the incoming webhook of a chat does."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        chat = self

        class Handler(_Handler):
            def do_POST(self) -> None:
                chat.messages.append(json.loads(self.body())["text"])
                self.answer(200, b"ok")

        self.handler = Handler


class Proxy(_Server):
    """Hands requests on to another port, under another name and path, as what ends TLS for a service does.

    :param path: in front of what is handed on.
    """

    def __init__(self, port: int, path: str = "") -> None:
        class Handler(_Handler):
            def hand_on(self) -> None:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                connection.request(self.command, path + self.path, self.body() or None, headers)
                answer = connection.getresponse()
                self.answer(answer.status, answer.read())
                connection.close()

            do_GET = do_POST = hand_on  # noqa: N815 - as the base class calls them

        self.handler = Handler


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """That of Ansible's commands, less what records them, and with the Java that is named to us."""
    result = {name: value for name, value in base.items() if "CALLBACK_PLUGINS" not in name}
    return {**result, **({"JAVA_HOME": os.environ["JAVA_HOME"]} if "JAVA_HOME" in os.environ else {})}
