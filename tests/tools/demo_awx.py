"""The nightly maintenance as AWX runs it, shown: two slices of one job over several accounts, against a simulated API.

Started by `make demo-awx`, with the collection installed from its tarball. Leaves nothing running.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from integration.jobs import Job, JobTemplate, merged, vaulted  # noqa: E402
from plivo_simulator import Simulator  # noqa: E402
from tools.showing import title  # noqa: E402

VAULT_PASSWORD = "of the vault credential"

#: What is live on each account.
ACCOUNTS: dict[str, list[dict[str, Any]]] = {
    "emea-sales": [
        {"name": "Sales, EMEA", "members": 3, "run_time": 2700},
        {"name": "Pipeline", "members": 4, "run_time": 900, "ends_in": 5},
    ],
    "emea-support": [
        {"name": "support-1", "run_time": 9300},
        {"name": "support-2", "members": 2, "run_time": 640, "redial_in": 0},
    ],
    "us-sales": [{"name": "Q3 review", "members": 9, "run_time": 5400}, {"name": "always-on-bridge", "members": 2}],
    "us-support": [],
    "apac-sales": [{"name": "Stand-up", "members": 5, "run_time": 300}],
    "apac-support": [{"name": f"support-{number}", "run_time": 60 * number} for number in range(1, 8)],
}
#: Its token has been changed, and nobody has told the inventory.
WRONG = "apac-sales"

#: The artifact that is shown as it is.
SHOWN = "plivo_maintenance_emea_sales"

EXTRA_VARS = {
    "plivo_hosts": "accounts",
    "plivo_all": True,
    "plivo_excludes": ["always-on-*"],
    "plivo_max_hangups": 20,
    "plivo_drain_timeout": "8s",
}


def auth_id(account: str) -> str:
    return f"MA{account.upper().replace('-', '')}"


def show_job(job: Job) -> None:
    """What a person sees of it in AWX: its status, the summaries, and the end of its output."""
    for result in job.results("Summary"):
        first, *others = result["msg"]
        print(f"  {first}")
        for line in others:
            print(f"      {line}")
    print("  at the end:")
    for line in job.results("All accounts")[0]["msg"]:
        print(f"      {line}")


def show_artifacts(artifacts: dict[str, Any]) -> None:
    columns = ("before", "hung_up", "ended", "restarted", "still_live", "errors")
    print(f"{'':34}" + "".join(f"{name:>11}" for name in columns))
    for name, outcome in sorted(artifacts.items()):
        counts = "".join(f"{len(outcome[column]):>11}" for column in columns)
        print(f"{name:34}{counts}{'' if outcome['ok'] else '  not ok'}")


def main() -> None:
    started = time.monotonic()
    scenario = {
        "accounts": {
            auth_id(account): {"auth_token": f"token-of-{account}", "conferences": conferences}
            for account, conferences in ACCOUNTS.items()
        }
    }
    hosts = {
        account: {
            "plivo_auth_id": auth_id(account),
            "plivo_auth_token": vaulted(
                "changed-meanwhile" if account == WRONG else f"token-of-{account}", VAULT_PASSWORD
            ),
        }
        for account in ACCOUNTS
    }
    collections = Path(os.environ.get("ANSIBLE_COLLECTIONS_PATH", ROOT / ".build/installed"))
    with Simulator(scenario) as simulator, tempfile.TemporaryDirectory() as folder:
        print(f"A simulated Plivo API with {len(ACCOUNTS)} accounts is running at {simulator.api_url}.")
        print("What AWX would do with a job template is done by ansible-runner, which is what AWX runs jobs with:")
        print()
        print("  project      examples/awx-project; its maintenance_hangup.yml imports plivo.voice.maintenance_hangup")
        print("  inventory    a host for each account, with its plivo_auth_id and, vaulted, its plivo_auth_token")
        print("  credential   of type Vault")
        print("  extra vars   " + ", ".join(f"{name}: {value}" for name, value in EXTRA_VARS.items()))
        print("  job slicing  2", flush=True)
        template = JobTemplate(
            folder=Path(folder),
            collections=collections,
            playbook="maintenance_hangup.yml",
            hosts=hosts,
            extra_vars={**EXTRA_VARS, "plivo_api_url": simulator.api_url},
            injected={},
            vault_password=VAULT_PASSWORD,
        )
        jobs = template.launch_sliced(2)
        for number, job in enumerate(jobs, 1):
            title(f"Slice {number} of {len(jobs)}: {job.status}")
            show_job(job)
        title("What both hand on to the next job of a workflow, as AWX merges it: how many of each")
        artifacts = merged(jobs)
        show_artifacts(artifacts)
        title("One of these artifacts")
        print(json.dumps({SHOWN: artifacts[SHOWN]}, indent=2))
        answers = simulator.control.stats()["answers"]
        seen = [file for job in jobs for file in job.files_with("token-of-")]
    title("Done")
    if seen:
        sys.exit(f"A token is in what the jobs left behind: {', '.join(seen)}. It must not be.")
    reads, hangups = (sum(answers.get(method, {}).values()) for method in ("GET", "DELETE"))
    print(f"In {time.monotonic() - started:.0f} s the API saw {reads} reads and {hangups} hangups. It is stopped now.")


if __name__ == "__main__":
    main()
