"""Who meets the faults, and how each does the two jobs: the commands that its user would type."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .verdict import Job

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent

#: Told to all that can be told: seconds for one attempt, and further attempts.
TIMEOUT = 3
RETRIES = 4
DELAY = 2


@dataclass(frozen=True)
class Contender:
    title: str
    #: The command for a job, and the conference to be hung up.
    command: Callable[[Job, str], list[str]]
    #: How it is used here, for the page.
    settings: str
    #: Where the names are in the result of Ansible's last task; none: the command prints them as JSON.
    names_in: str | None = None


def _ours(job: Job, conference: str) -> list[str]:
    if job is Job.LIST:
        module, options = "conference_info", {}
    else:
        module, options = "conference_hangup", {"name": conference}
    arguments = json.dumps({"timeout": TIMEOUT, "retries": RETRIES, **options})
    return [str(BIN / "ansible"), "localhost", "-m", f"plivo.voice.{module}", "-a", arguments]


def _playbook(kind: str, job: Job, conference: str) -> list[str]:
    verb = "list" if job is Job.LIST else "hang_up"
    variables = {"conference": conference, "wait_seconds": TIMEOUT, "further_tries": RETRIES, "pause": DELAY}
    return [
        str(BIN / "ansible-playbook"), str(HERE / f"playbooks/{kind}_{verb}.yml"), "-e", json.dumps(variables)
    ]  # fmt: skip


def _sdk(job: Job, conference: str) -> list[str]:
    return [sys.executable, str(HERE / "sdk_script.py"), *([] if job is Job.LIST else [conference])]


CONTENDERS = (
    Contender(
        "plivo.voice",
        _ours,
        f"`ansible localhost -m plivo.voice.conference_info` and `… conference_hangup`, installed from the tarball;"
        f" `timeout: {TIMEOUT}`, `retries: {RETRIES}` (the default)",
        names_in="conference_names",
    ),
    Contender(
        "uri",
        functools.partial(_playbook, "uri_plain"),
        f"`ansible.builtin.uri` in a playbook; `timeout: {TIMEOUT}`; the name through `urlencode`, 204 expected",
        names_in="msg",
    ),
    Contender(
        "uri + until",
        functools.partial(_playbook, "uri_until"),
        f"the same with `until`, `retries: {RETRIES}`, `delay: {DELAY}` and `follow_redirects: none`; to a hangup, 404"
        " is a success, or none whose answer was lost could be retried",
        names_in="msg",
    ),
    Contender(
        "SDK",
        _sdk,
        "the official Python SDK in a script of a few lines; its own time limit (5 s)",
    ),
)
