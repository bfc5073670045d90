"""Runs: a contender, a workload, and a simulated API in a process of its own, begun anew for each."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plivo_simulator import AUTH_ID, AUTH_TOKEN, Control

from .contenders import CHECK, OURS, PING, SDK, URI, Contender, Task, ours, ping
from .workloads import LIMIT, MEMBERS, OTHERS, PATTERN, Cell, Job, Plan, Workload

HERE = Path(__file__).parent
TESTS = HERE.parents[1]
BIN = Path(sys.executable).parent
#: Seconds until a command counts as hung.
HUNG = 600
#: In the names of tasks that are not measured, but make the rest of a playbook alike.
FIRST = "First "
#: What takes turns within one playbook.
IN_PAIRS = (URI, OURS, PING)


class UnfinishedError(Exception):
    """The work was not done, so that its time means nothing."""


@dataclass(frozen=True)
class Run:
    seconds: float
    #: For how many conferences the job was done, as the API saw it.
    done: int
    #: How many requests were made, and how many of them were answered 429.
    requests: int
    refused: int


@dataclass(frozen=True)
class Site:
    """Where contenders run: an empty folder, the installed collection, and a simulated API of their own."""

    folder: Path
    collections: str
    api_url: str
    control: Control

    def begin(self, workload: Workload) -> None:
        """Let the API know nothing but this workload's conferences, with none of its limit used up."""
        live = [{"name": name, "members": MEMBERS} for name in workload.names()]
        others = OTHERS if workload.job is Job.HANG_UP_PATTERN else ()
        self.control.load(
            {
                "settings": {"latency": workload.latency, "rate_limit": LIMIT if workload.limited else 0},
                "accounts": {AUTH_ID: {"auth_token": AUTH_TOKEN, "conferences": [*live, *others]}},
            }
        )

    def done(self, workload: Workload) -> int:
        """For how many conferences the job has been done since."""
        if workload.job in (Job.LIST, Job.DETAILS):
            read = self.control.stats()["answers"].get("GET", {}).get("200", 0)
            return (workload.conferences if read else 0) if workload.job is Job.LIST else max(0, read - 1)
        live = self.control.conferences()
        if workload.job is Job.HANG_UP_PATTERN and not set(OTHERS) <= live.keys():
            raise UnfinishedError("Others were hung up.")
        return workload.conferences - len(live.keys() & set(workload.names()))

    def execute(self, command: Sequence[str], variables: Mapping[str, str]) -> tuple[int, str]:
        """Run a command, for which nothing of the caller's settings, proxies or HOME has a say.

        :returns: its status and what it said.
        """
        environment = {
            "PATH": f"{BIN}{os.pathsep}{os.defpath}",
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "ANSIBLE_CONFIG": str(TESTS / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": self.collections,
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback_plugins"),
            "ANSIBLE_NOCOLOR": "true",
            **variables,
        }
        said = self.folder / "output.txt"
        with said.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                status = process.wait(HUNG)
            except subprocess.TimeoutExpired:
                raise UnfinishedError(f"{shlex.join(command)} was not back after {HUNG} s.") from None
            finally:
                # Also when the benchmark is interrupted.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return status, said.read_text(encoding="utf-8", errors="replace")

    def play(self, tasks: Sequence[Task], *options: str, **variables: str) -> tuple[int, str, dict[str, list[float]]]:
        """Run tasks in a playbook.

        :param options: of ansible-playbook.
        :param variables: of the environment.
        :returns: its status, what it said, and by their names how long the tasks took.
        """
        playbook, times = self.folder / "playbook.json", self.folder / "times.jsonl"
        account = {"api_url": self.api_url, "auth_id": AUTH_ID, "auth_token": AUTH_TOKEN}
        interpreter = {"ansible_python_interpreter": sys.executable}
        play = {
            "hosts": "localhost",
            "gather_facts": False,
            "vars": {**interpreter, **account},
            "tasks": [*_first(tasks), *tasks],
        }
        playbook.write_text(json.dumps([play]), encoding="utf-8")
        times.write_text("", encoding="utf-8")
        command = [str(BIN / "ansible-playbook"), *options, str(playbook)]
        status, said = self.execute(command, {"STOPWATCH_FILE": str(times), **variables})
        seconds: dict[str, list[float]] = {}
        for line in times.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            seconds.setdefault(entry["task"], []).append(entry["seconds"])
        return status, said, seconds

    def script(self, workload: Workload) -> tuple[int, str, float]:
        """Run the SDK's script; returns its status, what it said, and how long it took."""
        account = {"PLIVO_API_URL": self.api_url, "PLIVO_AUTH_ID": AUTH_ID, "PLIVO_AUTH_TOKEN": AUTH_TOKEN}
        command = [sys.executable, str(HERE / "sdk_script.py"), workload.job.name, PATTERN]
        started = time.perf_counter()
        status, said = self.execute(command, account)
        return status, said, time.perf_counter() - started


def _first(tasks: Sequence[Task]) -> list[Task]:
    """What goes before the tasks, so that Ansible has packed each of their modules already when it is measured.

    Without any option they make no request: those that need some fail.
    """
    first: dict[str, Task] = {}
    for task in [*ping(), *tasks]:
        (module,) = [key for key in task if "." in key]
        if task["name"] != CHECK:
            first[task["name"]] = {"name": FIRST + task["name"], module: {}, "ignore_errors": True}
    return list(first.values())


@contextlib.contextmanager
def site(collections: str) -> Iterator[Site]:
    """A site, for as long as it is needed.

    :param collections: where plivo.voice is installed.
    """
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as after:
        # In a process of its own: it must not compete with the measuring for one interpreter.
        api = subprocess.Popen(
            [sys.executable, "-m", "plivo_simulator", "--lifetime", str(2 * HUNG)],
            env={"PATH": os.defpath, "PYTHONPATH": str(TESTS)},
            stdout=subprocess.PIPE,
            text=True,
        )
        after.enter_context(api)
        after.callback(api.terminate)
        assert api.stdout is not None
        ready = json.loads(api.stdout.readline())
        yield Site(Path(folder), collections, ready["api_url"], Control(ready["control_url"]))


def run(here: Site, contender: Contender, workload: Workload) -> Run:
    """Let a contender do the work, and see whether it did."""
    here.begin(workload)
    if contender.tasks is None:
        status, said, seconds = here.script(workload)
    else:
        status, said, times = here.play(contender.tasks(workload))
        seconds = sum(times.get(contender.title, []))
    result = Run(seconds, here.done(workload), *_requests(here))
    # Others may break off when they are refused. The table says so.
    broke_off = status and result.refused and contender is not OURS
    if (status or result.done != workload.conferences) and not broke_off:
        raise UnfinishedError(f"{contender.title}, {workload}: {result}, status {status}\n{said}")
    return result


def _requests(here: Site) -> tuple[int, int]:
    """How many requests were made, and how many of them were answered 429."""
    stats = here.control.stats()
    return stats["requests"], stats["rate_limited"]


def run_cell(cell: Cell, collections: str) -> dict[Contender, list[Run]]:
    """Let the contenders do the work in turns; who goes first changes."""
    rounds = {OURS: cell.ours, URI: cell.uri, SDK: cell.sdk}
    runs: dict[Contender, list[Run]] = {contender: [] for contender, number in rounds.items() if number}
    with site(collections) as here:
        for number in range(max(rounds.values())):
            for contender in rotated(list(runs), number):
                if number < rounds[contender]:
                    runs[contender].append(run(here, contender, cell.workload))
    return runs


def run_list(plan: Plan, collections: str) -> tuple[dict[Contender, list[Run]], dict[Contender, list[float]]]:
    """Read the list again and again: tasks side by side in one playbook, then the SDK's script, and so on.

    :returns: the runs, and how long the first task of each kind took, which makes no request.
    """
    workload = plan.listing
    runs: dict[Contender, list[Run]] = {contender: [] for contender in (OURS, URI, PING, SDK)}
    first: dict[Contender, list[float]] = {OURS: [], URI: []}
    with site(collections) as here:
        for _number in range(plan.playbooks):
            times = list_in_pairs(here, workload, plan.pairs)
            for contender in IN_PAIRS:
                asked = contender is not PING
                runs[contender] += [Run(each, workload.conferences, int(asked), 0) for each in times[contender.title]]
            for contender, seconds in first.items():
                seconds += times[FIRST + contender.title]
            runs[SDK] += [run(here, SDK, workload) for _run in range(plan.sdk_runs)]
    return runs, first


def list_in_pairs(here: Site, workload: Workload, pairs: int) -> dict[str, list[float]]:
    """Seconds of each task by its name, one of each kind in every round."""
    orders = itertools.cycle(itertools.permutations(IN_PAIRS))
    tasks: list[Task] = []
    for order in itertools.islice(orders, pairs):
        for contender in order:
            assert contender.tasks is not None
            tasks += contender.tasks(workload)
    here.begin(workload)
    status, said, times = here.play(tasks)
    if status or _requests(here) != (2 * pairs, 0):
        raise UnfinishedError(f"{workload}: status {status}, requests and refusals {_requests(here)}\n{said}")
    return times


def rotated(contenders: Sequence[Contender], number: int) -> Sequence[Contender]:
    first = number % len(contenders)
    return [*contenders[first:], *contenders[:first]]


def peak_memory(workload: Workload, collections: str, **options: Any) -> float:
    """MiB that the module's process took at most.

    :param options: of the module.
    """
    with site(collections) as here:
        here.begin(workload)
        python, peaks = here.folder / "python", here.folder / "peaks.txt"
        command = shlex.join([sys.executable, str(HERE / "peak_memory.py")])
        python.write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
        python.chmod(0o700)
        status, said, _times = here.play(
            ours(workload, **options), "-e", f"ansible_python_interpreter={python}", PEAK_FILE=str(peaks)
        )
        if status or here.done(workload) != workload.conferences:
            raise UnfinishedError(f"{workload}, {options}: status {status}\n{said}")
        return max(map(int, peaks.read_text(encoding="utf-8").split())) / 1024
