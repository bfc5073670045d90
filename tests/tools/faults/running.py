"""One run: a contender, a job, a fault, and a simulated API of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plivo_simulator import AUTH_ID, AUTH_TOKEN, Simulator

from .catalogue import OTHERS, Fault
from .contenders import Contender
from .verdict import Claim, Job, Truth, Verdict, judge

TESTS = Path(__file__).parents[2]
#: Seconds until a run counts as hung. The slowest that ends by itself makes five attempts of TIMEOUT seconds, pausing
#: between them for at most 15 s in all.
LIMIT = 60
#: MiB that a process may take, so that an answer without end does not take the whole machine.
MEMORY = 256


class MissedFaultError(Exception):
    """The fault never struck: such a run would prove nothing."""


@dataclass(frozen=True)
class Run:
    verdict: Verdict
    seconds: float
    #: What the contender said.
    output: str


def run(contender: Contender, job: Job, fault: Fault, collections: str) -> Run:
    """Let a contender do a job while the fault is in force, and judge it.

    :param collections: where plivo.voice is installed.
    """
    conferences = [*OTHERS, fault.conference] if fault.conference else list(OTHERS)
    scenario = {
        "accounts": {AUTH_ID: {"auth_token": AUTH_TOKEN, "conferences": conferences}},
        "faults": fault.rules_for(job),
    }
    with tempfile.TemporaryDirectory() as folder, Simulator(scenario) as simulator:
        before = list(simulator.control.conferences())
        api_url = simulator.api_url.removesuffix("/v1") + (fault.prefix or "/v1")
        account = {
            "PLIVO_API_URL": api_url,
            "PLIVO_AUTH_ID": AUTH_ID,
            "PLIVO_AUTH_TOKEN": fault.auth_token or AUTH_TOKEN,
        }
        environment = {**_environment(Path(folder), collections), **account}
        claim, seconds, output = _execute(contender, job, fault.conference, Path(folder), environment)
        control = simulator.control
        log, played = control.log(), sum(rule["played"] for rule in control.faults())
        truth = Truth(before, list(control.conferences()))
    # A name may be refused before any request. Every other fault must have been met.
    if not (played if fault.rules else log or claim.status):
        raise MissedFaultError(f"{contender.title}, {job.value}, {fault.title}: not met\n{output}")
    return Run(judge(job, fault.conference, claim, truth), seconds, output)


def _environment(folder: Path, collections: str) -> dict[str, str]:
    """Nothing of the caller's settings, proxies or HOME has a say."""
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "ANSIBLE_CONFIG": str(TESTS / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": collections,
        "ANSIBLE_CALLBACK_PLUGINS": str(TESTS / "integration/callback_plugins"),
        "ANSIBLE_LOAD_CALLBACK_PLUGINS": "true",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "ANSIBLE_NOCOLOR": "true",
        "RECORDER_FILE": str(folder / "record.jsonl"),
    }


def _execute(
    contender: Contender, job: Job, conference: str, folder: Path, environment: Mapping[str, str]
) -> tuple[Claim, float, str]:
    said = folder / "output.txt"
    started = time.monotonic()
    # A file for its output, not a pipe: what it leaves behind when it is killed would keep a pipe open.
    with said.open("wb") as output:
        process = subprocess.Popen(
            ["sh", "-c", f'ulimit -d {MEMORY * 1024}; exec "$@"', "sh", *contender.command(job, conference)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status: int | None = process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            # Ansible's workers are in sessions of their own. They end when the simulated API does.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    text = said.read_text(encoding="utf-8", errors="replace")
    names = _names(contender, text, folder / "record.jsonl") if job is Job.LIST and status == 0 else None
    return Claim(status, names), time.monotonic() - started, text


def _names(contender: Contender, text: str, record: Path) -> Any:
    """The names that a contender shows."""
    if contender.names_in is None:
        return json.loads(text.splitlines()[-1])
    entries = map(json.loads, record.read_text(encoding="utf-8").splitlines())
    results = [entry["result"] for entry in entries if entry["event"] == "task"]
    return results[-1].get(contender.names_in)
