"""Who does the work, and how: the tasks that its user would write, or a script."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .workloads import LIMIT, PATTERN, Job, Workload

#: A task of Ansible, as in a playbook.
Task = dict[str, Any]


@dataclass(frozen=True)
class Contender:
    title: str
    #: How it is used here, for the page.
    settings: str
    #: The tasks for a workload; none: it is the SDK's script. Names and other variables come from measuring.py.
    tasks: Callable[[Workload], list[Task]] | None = None


#: The name of a task that is not measured: what those before it returned is all that was asked for.
CHECK = "Check"


def _check(*conditions: str) -> Task:
    return {"name": CHECK, "ansible.builtin.assert": {"that": list(conditions), "quiet": True}}


def ours(workload: Workload, **options: Any) -> list[Task]:
    """This collection's tasks for a workload.

    :param options: further ones of the module.
    """
    job = workload.job
    module = "conference_info" if job in (Job.LIST, Job.DETAILS) else "conference_hangup"
    chosen: dict[Job, dict[str, Any]] = {
        Job.LIST: {},
        Job.DETAILS: {"details": True},
        Job.HANG_UP_ALL: {"all": True},
        Job.HANG_UP_PATTERN: {"patterns": [PATTERN]},
    }
    task = {
        "name": OURS.title,
        f"plivo.voice.{module}": {
            "api_url": "{{ api_url }}",
            "auth_id": "{{ auth_id }}",
            "auth_token": "{{ auth_token }}",
            "rate_limit": LIMIT if workload.limited else 0,
            **chosen[job],
            **options,
        },
        "register": "result",
    }
    returned = {Job.LIST: "conference_names", Job.DETAILS: "conferences"}.get(job, "hung_up")
    return [task, _check(f"result.{returned} | length == {workload.conferences}")]


def _uri(workload: Workload) -> list[Task]:
    def request(path: str, method: str, status: int) -> dict[str, Any]:
        return {
            "url": "{{ api_url }}/Account/{{ auth_id }}/Conference/" + path,
            "method": method,
            "url_username": "{{ auth_id }}",
            "url_password": "{{ auth_token }}",
            "force_basic_auth": True,
            "status_code": status,
        }

    def task(register: str, arguments: dict[str, Any], **keywords: Any) -> Task:
        return {"name": URI.title, "ansible.builtin.uri": arguments, "register": register, **keywords}

    if workload.job is Job.HANG_UP_ALL:
        return [task("result", request("", "DELETE", 204))]
    read = task("list", request("", "GET", 200))
    names = "list.json.conferences"
    if workload.job is Job.LIST:
        return [read, _check(f"{names} | length == {workload.conferences}")]
    if workload.job is Job.DETAILS:
        each = request("{{ item | urlencode }}/", "GET", 200)
        got = "result.results | map(attribute='json.conference_name') == " + names
    else:
        each = request("{{ item | urlencode }}/", "DELETE", 204)
        names += f" | select('match', '{PATTERN.removesuffix('*')}')"
        got = f"result.results | length == {workload.conferences}"
    return [read, task("result", each, loop="{{ " + names + " }}"), _check(got)]


def ping(_workload: Workload | None = None) -> list[Task]:
    return [{"name": PING.title, "ansible.builtin.ping": {}}]


OURS = Contender(
    "plivo.voice",
    "`plivo.voice.conference_info` and `plivo.voice.conference_hangup`, installed from the tarball, one task;"
    f" `rate_limit: 0`, or {LIMIT} where the API enforces its limit; all else as it is by default",
    ours,
)
URI = Contender(
    "uri",
    "`ansible.builtin.uri`: one task for the list, and one with a `loop` over the names (through `urlencode`); to hang"
    " up all, one task, which cannot tell what it hung up",
    _uri,
)
SDK = Contender(
    "SDK",
    "the official Python SDK in a script that makes one request after the other. Its time holds the start of the"
    " script, as in a cron job. Ansible's own start is in no time here",
)
PING = Contender("ping", "`ansible.builtin.ping`: what Ansible takes for a task that does nothing", ping)
