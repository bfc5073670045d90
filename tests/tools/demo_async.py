"""Asynchronous mode, shown: a hangup that is accepted, the callback, and what a rulebook makes of it.

Started by `make demo-async`, with the collection installed from its tarball, and with ansible-rulebook. Leaves nothing
running.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import textwrap
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from integration.rulebooks import Chat, Rulebook, free_port, missing_java, wait_until  # noqa: E402
from plivo_simulator import AUTH_ID, AUTH_TOKEN, Simulator  # noqa: E402
from tools.showing import WIDTH, run, title  # noqa: E402

SCENARIO = {
    "accounts": {
        AUTH_ID: {
            "auth_token": AUTH_TOKEN,
            "settings": {"async_delay": 3},
            "conferences": [
                {"name": "Sales, EMEA", "members": 3, "run_time": 5 * 3600},
                {"name": "support-2", "members": 1, "run_time": 4 * 3600 + 1500},
                {"name": "Stand-up", "members": 4, "run_time": 600},
            ],
        }
    }
}


def say(text: str) -> None:
    print(textwrap.fill(text, WIDTH), flush=True)


def show(name: str, folder: Path) -> None:
    print(f"\n$ cat {name}")
    # A list of the answers is easier to read with a line for each.
    print((folder / name).read_text(encoding="utf-8").strip().replace("}, {", "},\n {") + "\n", flush=True)


def recipe() -> str:
    """The playbook of docs/async.md."""
    page = (ROOT / "docs/async.md").read_text(encoding="utf-8")
    return re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[1]


def show_callback(callback: dict[str, Any]) -> None:
    print(f"{callback['method']} {callback['url']}")
    for name in ("X-Plivo-Signature-V3", "X-Plivo-Signature-V3-Nonce"):
        print(f"{name}: {callback['headers'][name]}")
    for name, value in parse_qsl(callback["body"]):
        print(f"  {name} = {value}")
    print(f"answered with {callback['status']}\n", flush=True)


def forge(url: str) -> int:
    """Send an answer without knowing the token; the status that comes back."""
    response = json.dumps({"api_id": "0", "message": "all conferences hung up"})
    request = urllib.request.Request(url, urlencode({"api_id": "0", "response": response}).encode())  # noqa: S310
    request.add_header("X-Plivo-Signature-V3", "Zm9yZ2VkIGJ5IHNvbWVib2R5IHdpdGhvdXQgdGhlIHRva2Vu")
    request.add_header("X-Plivo-Signature-V3-Nonce", "12345")
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            status: int = answer.status
    except urllib.error.HTTPError as error:
        status = error.code
    return status


def plain(output: str) -> list[str]:
    """What ansible-rulebook has said, without colours and empty lines."""
    return [line for line in re.sub("\x1b\\[[0-9;]*m", "", output).splitlines() if line.strip()]


def events(output: str) -> Iterator[str]:
    """What --print-events has shown."""
    inside = False
    for line in plain(output):
        if inside and not line.startswith("*"):
            yield line
        inside = line == "Event:" or (inside and not line.startswith("*"))


def summaries(output: str) -> Iterator[str]:
    """The plays, and what their summaries have said."""
    inside = False
    for line in plain(output):
        if line.startswith(("PLAY [", "TASK [")):
            inside = line.startswith("TASK [Summary]")
        if line.startswith("PLAY [") or (inside and line.startswith("        ")):
            yield line.rstrip("* ")


def demonstrate(folder: Path, simulator: Simulator, chat: Chat) -> None:
    port = free_port()
    environment = {
        **os.environ,
        "PLIVO_API_URL": simulator.api_url,
        "PLIVO_AUTH_ID": AUTH_ID,
        "PLIVO_AUTH_TOKEN": AUTH_TOKEN,
        "ANSIBLE_LOCALHOST_WARNING": "false",
    }
    variables = {
        "plivo_callback_port": port,
        "plivo_callback_url": f"http://127.0.0.1:{port}/plivo",
        "plivo_queued_path": str(folder / "queued.json"),
        "plivo_summary_url": f"{chat.url}/hooks/example",
    }

    title("1. A rulebook waits for Plivo's answers")
    command = "ansible-rulebook --rulebook plivo.voice.hangup_answers --inventory inventory"
    print(f"$ {command} \\\n    --env-vars PLIVO_AUTH_TOKEN --vars variables.yml --print-events &", flush=True)
    with Rulebook(
        folder,
        "plivo.voice.hangup_answers",
        "--print-events",
        variables=variables,
        secrets={"PLIVO_AUTH_TOKEN": AUTH_TOKEN},
        env=environment,
    ) as rulebook:
        show("variables.yml", folder)
        rulebook.wait_until_listening(port)
        say(f"It listens at port {port}, with the event source plivo.voice.async_response.")

        title("2. The nightly hangup, asynchronously: Plivo accepts it at once")
        (folder / "nightly.yml").write_text(recipe(), encoding="utf-8")
        run("ansible-playbook nightly.yml -e @variables.yml", folder, environment)
        show("queued.json", folder)
        say(
            "Accepted, not done. And now, before Plivo gets to it, the last caller leaves support-2, so that this"
            " conference ends by itself."
        )
        simulator.control.remove_conference("support-2")

        title("3. A moment later Plivo is done, and calls back")
        for callback in simulator.control.wait_for_callbacks(2):
            show_callback(callback)
        say("The event source has made events of them, since the signatures fit:")
        wait_until(lambda: rulebook.output.count("'payload'") == 2, "two events", 20)
        print("\n".join(events(rulebook.output)), flush=True)

        title("4. Somebody else calls, and pretends to be Plivo")
        status = forge(variables["plivo_callback_url"])
        if status != 403:
            sys.exit(f"It is answered with {status}; this demonstration expects 403.")
        say("A callback with a forged signature is answered with 403, and becomes no event. The log says:")
        for line in plain(rulebook.output):
            if "WARNING" in line:
                say(line)

        title("5. What the rules make of the events")
        say("The answers of ten seconds are taken together. The playbooks and what they say in the end:")
        wait_until(lambda: rulebook.output.count("PLAY RECAP") == 3, "the report", 60)
        print("\n".join(summaries(rulebook.output)), flush=True)

        title("6. What stands in the chat now")
        print("\n\n".join(chat.messages), flush=True)


def main() -> None:
    started = time.monotonic()
    missing = missing_java(os.environ)
    if missing:
        sys.exit(missing)
    with Simulator(SCENARIO) as simulator, Chat() as chat, tempfile.TemporaryDirectory() as folder:
        say(
            f"A simulated Plivo API with three conferences on it is running at {simulator.api_url}, and a chat that"
            " takes messages. The lines with $ are what you would type; they are the recipe of docs/async.md."
        )
        demonstrate(Path(folder), simulator, chat)
    title("Done")
    print(f"All of it took {time.monotonic() - started:.0f} s. Nothing is left running.")


if __name__ == "__main__":
    main()
