# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the plivo.voice contributors
"""Run the simulator as a process: ``python -m plivo_simulator --port 0``."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

from .server import Server
from .simulator import tls_context, urls
from .world import ScenarioError


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="plivo_simulator", description="A simulated Plivo Conference API.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    parser.add_argument("--prefix", default="/v1", help="path in front of /Account/ (default: %(default)s)")
    parser.add_argument("--scenario", type=Path, help="JSON file, or YAML where PyYAML is installed")
    parser.add_argument("--ready-file", type=Path, help="file that gets the same line as stdout")
    parser.add_argument("--lifetime", type=float, help="seconds after which it ends by itself")
    parser.add_argument("--certfile", help="PEM file with the certificate: serve HTTPS")
    parser.add_argument("--keyfile", help="PEM file with its key, where that is another file")
    return parser.parse_args()


def _scenario(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    document = importlib.import_module("yaml").safe_load(text) if path.suffix in (".yml", ".yaml") else json.loads(text)
    if not isinstance(document, dict):
        raise ScenarioError(f"{path}: an object is needed")
    return document


def _announce(line: str, ready_file: Path | None) -> None:
    # The file first: whoever reads the line may look for the file at once.
    if ready_file is not None:
        # Whoever waits for the file must never read half of it.
        unfinished = ready_file.with_name(ready_file.name + ".tmp")
        unfinished.write_text(line + "\n", encoding="utf-8")
        unfinished.replace(ready_file)
    print(line, flush=True)


async def _serve(arguments: argparse.Namespace, server: Server) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if arguments.lifetime is not None:
        loop.call_later(arguments.lifetime, stop.set)
    tls = tls_context(arguments.certfile, arguments.keyfile) if arguments.certfile else None
    api_url, control_url = urls(await server.start(arguments.host, arguments.port, tls), server)
    ready = {"api_url": api_url, "control_url": control_url, "pid": os.getpid()}
    _announce(json.dumps(ready), arguments.ready_file)
    await stop.wait()
    await server.stop()


def main() -> None:
    """Serve until told to stop."""
    arguments = _arguments()
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    server = Server(arguments.prefix)
    try:
        server.load(_scenario(arguments.scenario) if arguments.scenario else {})
        asyncio.run(_serve(arguments, server))
    except (OSError, ValueError, ImportError) as exc:
        sys.exit(f"plivo_simulator: {exc}")


if __name__ == "__main__":
    main()
