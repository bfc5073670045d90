"""The main job, shown: a simulated API with conferences on it, and the commands that a user would type.

Started by `make demo`, with the collection installed from its tarball. Leaves nothing running.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from plivo_simulator import AUTH_ID, AUTH_TOKEN, Simulator  # noqa: E402
from tools.showing import run, title  # noqa: E402

REPORT = ".build/demo/report.html"


def people(*names: str) -> list[dict[str, object]]:
    """Members of a conference; every third of them is muted."""
    return [
        {"caller_name": name, "from": f"4930555{100 + number}", "muted": number % 3 == 2}
        for number, name in enumerate(names)
    ]


SCENARIO = {
    "accounts": {
        AUTH_ID: {
            "auth_token": AUTH_TOKEN,
            "conferences": [
                {"name": "Sales, EMEA", "members": people("Ana Silva", "José Ruiz", "Mia Berg"), "run_time": 2700},
                {"name": "Board meeting", "members": 7, "run_time": 5400},
                {"name": "support-1", "members": people("Joe Doe"), "run_time": 9300},
                {"name": "support-2", "members": 2, "run_time": 640},
            ],
        }
    }
}


def main() -> None:
    (ROOT / REPORT).parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()

    with Simulator(SCENARIO) as simulator:
        environment = {
            **os.environ,
            "PLIVO_API_URL": simulator.api_url,
            "PLIVO_AUTH_ID": AUTH_ID,
            "PLIVO_AUTH_TOKEN": AUTH_TOKEN,
        }
        if sys.stdout.isatty():
            environment["ANSIBLE_FORCE_COLOR"] = "1"
        print(f"A simulated Plivo API with four conferences on it is running at {simulator.api_url}.")
        print("PLIVO_API_URL, PLIVO_AUTH_ID and PLIVO_AUTH_TOKEN are set in the environment, and Ansible finds the")
        print("collection where it was installed from its tarball. The lines with $ are what you would type.")

        title("1. Which conferences are live?")
        run("ansible localhost -m plivo.voice.conference_info", ROOT, environment)

        title("2. Who is in them, and for how long? A report to look at")
        run(f"ansible-playbook plivo.voice.conference_report -e plivo_report_path={REPORT}", ROOT, environment)

        hangup = "ansible localhost -m plivo.voice.conference_hangup -a 'name=\"Sales, EMEA\"'"
        title("3. What would a hangup do? (check mode: nothing is hung up)")
        run(f"{hangup} --check --diff", ROOT, environment)
        title("4. Hang up")
        run(hangup, ROOT, environment)
        title("5. The same again: nothing to do, nothing changed")
        run(hangup, ROOT, environment)

        title("6. Maintenance: let conferences end by themselves for a while, then hang up the rest")
        print("Meanwhile a fifth conference has begun, Stand-up. It will end by itself in a few seconds.\n")
        simulator.control.add_conferences({"name": "Stand-up", "members": 3, "run_time": 840, "ends_in": 3})
        run(
            "ansible-playbook plivo.voice.maintenance_hangup"
            " -e plivo_all=true -e plivo_max_hangups=10 -e plivo_drain_timeout=6",
            ROOT,
            environment,
        )
        answers = simulator.control.stats()["answers"]

    title("Done")
    reads, hangups = (sum(answers.get(method, {}).values()) for method in ("GET", "DELETE"))
    print(f"In {time.monotonic() - started:.0f} s the API saw {reads} reads and {hangups} hangups. It is stopped now.")
    print(f"The report, to open in a browser: {ROOT / REPORT}")


if __name__ == "__main__":
    main()
