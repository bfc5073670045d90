# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook plivo.voice.awx_setup, with the real modules of awx.awx, and what it makes AWX do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Template

from integration.awx_controller import KINDS, Controller
from integration.jobs import PROJECT, Job, JobTemplate, merged
from integration.running import Ansible, Run
from plivo_simulator import AUTH_ID, AUTH_TOKEN, Control, Simulator

ROOT = Path(__file__).parents[2]
SETUP = "plivo.voice.awx_setup"

#: The nightly maintenance of many accounts.
MANY: dict[str, Any] = {
    "plivo_awx_project_url": "https://git.example.com/voice/awx-project.git",
    "plivo_awx_image": "registry.example.com/plivo-voice-ee:mine",
    "plivo_awx_vault_password": "canary-of-the-vault",
    "plivo_awx_slices": 5,
    "plivo_awx_patterns": ["sales-*", "Support, EMEA"],
    "plivo_awx_excludes": ["always-on-*"],
    "plivo_awx_min_run_time": "4h",
    "plivo_awx_max_hangups": 20,
    "plivo_awx_schedule_timezone": "Europe/Berlin",
    "plivo_awx_notification_type": "webhook",
    "plivo_awx_notification_configuration": {
        "url": "https://chat.example.com/hook",
        "headers": {},
        "password": "canary-of-the-hook",
    },
}


@pytest.fixture(scope="module")
def awx_collection() -> Path:
    """The folder of collections that awx.awx is in."""
    path = ROOT / ".build/awx"
    assert (path / "ansible_collections/awx/awx").exists(), f"no awx.awx in {path}; run .venv/bin/nox -s awx-collection"
    return path


@pytest.fixture
def controller() -> Iterator[Controller]:
    """AWX after its installation, to which each project is the example."""
    with Controller([file.name for file in PROJECT.glob("*.yml")]) as running:
        yield running


class Setup:
    """Runs the playbook against that AWX."""

    def __init__(self, ansible: Ansible, collections: Path, awx_collection: Path, controller: Controller) -> None:
        self._ansible = ansible
        self.environment = {
            **controller.environment,
            "ANSIBLE_COLLECTIONS_PATH": f"{collections}{os.pathsep}{awx_collection}",
            "ANSIBLE_PIPELINING": "true",
        }

    def __call__(self, *options: str, env: dict[str, str] | None = None, **variables: Any) -> Run:
        return self._ansible.playbook(SETUP, *options, variables=variables, env={**self.environment, **(env or {})})


@pytest.fixture
def setup(ansible: Ansible, collections: Path, awx_collection: Path, controller: Controller) -> Setup:
    return Setup(ansible, collections, awx_collection, controller)


def changed(run: Run) -> int:
    assert run.rc == 0, run.output
    return run.stats["localhost"]["changed"]


def done(*runs: Run) -> set[str]:
    """The tasks of awx.awx that ran."""
    return {each.task for run in runs for each in run.tasks if each.outcome == "ok" and "awx.awx." in each.action}


def written() -> set[str]:
    """The tasks of awx.awx that there are."""
    found: set[str] = set()
    for file in ("awx_present", "awx_absent"):
        for task in yaml.load((ROOT / f"playbooks/tasks/{file}.yml").read_text("utf-8"), Loader=Tagged):  # noqa: S506
            tasks = task.get("block", [task])
            found.update(each["name"] for each in tasks if any(key.startswith("awx.awx.") for key in each))
    return found


class Tagged(yaml.SafeLoader):
    """Reads Ansible's own tags as the text that they mark."""


Tagged.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))


@pytest.mark.long
def test_make_again_and_remove(setup: Setup, controller: Controller) -> None:
    """Check mode before each, and each twice."""
    fresh = {collection: controller.names(collection) for collection in KINDS}

    check = setup("--check", **MANY)
    assert changed(check) == 2, check.output
    assert "Check mode: what has no id yet would be made" in check.output

    made = setup(**MANY)
    assert changed(made) >= 12
    assert all(canary not in made.output for canary in ("canary-of-the-vault", "canary-of-the-hook"))
    check_what_is_made(controller)
    writes = list(controller.writes)
    again = setup(**{**MANY, "plivo_awx_vault_password": None})
    assert changed(again) == 0, again.output
    assert [each for each in controller.writes[len(writes) :] if not each.endswith("/update/")] == []

    writes = list(controller.writes)
    check = setup("--check", **{**MANY, "plivo_awx_slices": 7})
    assert [each.task for each in check.tasks if each.result.get("changed")] == [
        "Job template for reports",
        "Job template for maintenance",
    ]
    check = setup("--check", plivo_awx_state="absent")
    assert changed(check) == 11
    assert controller.writes == writes

    removed = setup(plivo_awx_state="absent")
    assert changed(removed) == 11
    assert {collection: controller.names(collection) for collection in KINDS} == fresh
    removed_again = setup(plivo_awx_state="absent")
    assert changed(removed_again) == 0, removed_again.output

    assert written() - done(made, removed) == {"Credential of the account", "No credential of the account"}


def check_what_is_made(controller: Controller) -> None:
    """Whether AWX has what the nightly maintenance of many accounts takes."""
    maintenance = controller.one("job_templates", "Plivo maintenance")
    assert maintenance["links"] == {
        "credentials": ["Plivo vault"],
        "notification_templates_error": ["Plivo failures"],
    }
    assert (maintenance["job_slice_count"], maintenance["forks"], maintenance["ask_job_type_on_launch"]) == (
        5,
        10,
        True,
    )
    assert yaml.safe_load(maintenance["extra_vars"]) == {"plivo_hosts": "all"}
    workflow = controller.one("workflow_job_templates", "Plivo report, maintenance, report")
    assert workflow["survey"] == maintenance["survey"]
    assert [question["variable"] for question in workflow["survey"]["spec"]] == [
        "plivo_patterns_text",
        "plivo_excludes_text",
        "plivo_min_run_time",
        "plivo_max_hangups",
        "plivo_drain_timeout",
        "plivo_dry_run",
    ]
    assert workflow["links"]["notification_templates_error"] == ["Plivo failures"]
    assert controller.one("workflow_job_template_nodes", "before")["links"]["always_nodes"] == ["maintenance"]
    assert controller.one("workflow_job_template_nodes", "maintenance")["links"]["success_nodes"] == ["after"]
    schedule = controller.one("schedules", "Plivo nightly")
    assert schedule["rrule"] == "DTSTART;TZID=Europe/Berlin:20260101T040000 RRULE:FREQ=DAILY;INTERVAL=1"
    assert schedule["enabled"] is True
    assert schedule["extra_data"] == {
        "plivo_patterns_text": "sales-*\nSupport, EMEA",
        "plivo_excludes_text": "always-on-*",
        "plivo_min_run_time": "4h",
        "plivo_max_hangups": 20,
        "plivo_drain_timeout": "5m",
    }
    source = controller.one("inventory_sources", "Plivo accounts of the project")
    assert source["source_path"] == "inventory/accounts.yml"
    assert (PROJECT / source["source_path"]).exists()
    assert controller.one("credentials", "Plivo vault")["inputs"] == {"vault_password": "canary-of-the-vault"}


def test_what_is_made_runs(
    tmp_path: Path, setup: Setup, controller: Controller, collections: Path, simulator: Simulator, control: Control
) -> None:
    """A single account, in an organisation that was there: made, its night run by ansible-runner, and removed."""
    organization = controller.add("organizations", name="Voice", description="All about telephones")
    variables = {
        "plivo_awx_organization": "Voice",
        "plivo_awx_project_url": "https://git.example.com/voice/awx-project.git",
        "plivo_awx_auth_id": AUTH_ID,
        "plivo_awx_api_url": simulator.api_url,
        "plivo_awx_patterns": ["sales-*", "Support, EMEA"],
        "plivo_awx_excludes": ["sales-always-on"],
        "plivo_awx_drain_timeout": "0",
    }
    refused = setup(**variables)
    assert refused.rc == 2
    assert "plivo_awx_auth_token: it is not given, and AWX has no credential Plivo account yet" in refused.output

    made = setup(**variables, env={"PLIVO_AUTH_TOKEN": AUTH_TOKEN})
    assert changed(made) >= 6
    assert AUTH_TOKEN not in made.output
    assert controller.one("organizations", "Voice")["description"] == "All about telephones"
    renewed = setup(**variables, plivo_awx_auth_token="a new one", plivo_awx_update_secrets=True)
    assert [each.task for each in renewed.tasks if each.result.get("changed")] == ["Credential of the account"]
    credential = controller.one("credentials", "Plivo account")
    assert credential["inputs"] == {
        "auth_id": AUTH_ID,
        "auth_token": "a new one",
        "api_url": simulator.api_url,
    }

    # The night, with what AWX has now.
    control.add_conferences("sales-1", "sales-always-on", "Support, EMEA", "Support", "EMEA")
    credential["inputs"]["auth_token"] = AUTH_TOKEN
    report, maintenance, report_again = launch_workflow(controller, tmp_path, collections, credential["inputs"])
    assert [job.status for job in (report, maintenance, report_again)] == ["successful"] * 3, maintenance.stdout
    assert maintenance.artifacts["plivo_maintenance_localhost"]["hung_up"] == ["sales-1", "Support, EMEA"]
    assert list(control.conferences()) == ["sales-always-on", "Support", "EMEA"]
    live = report_again.artifacts["plivo_conferences_localhost"]["conferences"]
    assert sorted(each["conference_name"] for each in live) == ["EMEA", "Support", "sales-always-on"]
    for job in (report, maintenance, report_again):
        # ansible-runner itself writes down the environment that it was given.
        assert job.files_with(AUTH_TOKEN) == ["command"]

    # What others have made is kept.
    other = controller.add(
        "credentials",
        name="Theirs",
        organization=organization,
        credential_type=credential["credential_type"],
        inputs={"auth_id": "MA", "auth_token": "x"},
    )
    removed = setup(plivo_awx_organization="Voice", plivo_awx_state="absent")
    assert "there are other credentials of it: Theirs" in removed.output
    assert "Kept: the organisation Voice, as it was not made here." in removed.output
    assert controller.names("credential_types")[-1] == "Plivo API"
    assert controller.names("credentials") == ["Ansible Galaxy", "Theirs"]
    assert other in controller.store["credentials"]
    assert not any(controller.names(kind) for kind in ("job_templates", "workflow_job_templates", "schedules"))
    # With these, the tests have run every task of awx.awx.
    assert {"Credential of the account", "No credential of the account"} < done(made, removed)


def launch_workflow(controller: Controller, folder: Path, collections: Path, inputs: dict[str, str]) -> list[Job]:
    """Do what AWX does when the schedule's time has come: one job after the other, each with what was handed on."""
    schedule = controller.one("schedules", "Plivo nightly")
    injectors = controller.one("credential_types", "Plivo API")["injectors"]
    injected = {
        kind: {name: Template(text).render(inputs) for name, text in injector.items()}
        for kind, injector in injectors.items()
    }
    assert "auth_token" not in str(injectors["extra_vars"])
    jobs: list[Job] = []
    node: str | None = "before"
    while node:
        found = controller.one("workflow_job_template_nodes", node)
        template = controller.store["job_templates"][found["unified_job_template"]]
        job = JobTemplate(
            folder / node,
            collections,
            template["playbook"],
            hosts={},
            extra_vars={**yaml.safe_load(template["extra_vars"]), **injected["extra_vars"]},
            injected=injected["env"],
            forks=template["forks"],
        )
        answers = {**schedule["extra_data"]} if template["survey_enabled"] else {}
        jobs.append(job.launch(**answers, **merged(jobs)))
        links = found["links"]
        followers = (
            links["always_nodes"] + links["success_nodes" if jobs[-1].status == "successful" else "failure_nodes"]
        )
        node = followers[0] if followers else None
    return jobs


def test_variables_are_checked_before_anything_else(setup: Setup, controller: Controller) -> None:
    """All mistakes at once, each with its remedy; secrets are not repeated."""
    run = setup(
        plivo_awx_pattern=["sales-*"],
        plivo_awx_excludes="always-on-*",
        plivo_awx_slices=0,
        plivo_awx_forks="many",
        plivo_awx_members="perhaps",
        plivo_awx_min_run_time="4 hours",
        plivo_awx_drain_timeout="2d",
        plivo_awx_schedule_time="4:00",
        plivo_awx_schedule_timezone="Europe/Berlin;",
        plivo_awx_schedule_rule="FREQ=DAILY",
        plivo_awx_vault_password=["canary"],
        plivo_awx_auth_id="MA/../x",
        plivo_awx_api_url="{{ nobody_knows }}",
        plivo_awx_notification_type="email",
    )
    assert run.rc == 2
    (refusals,) = (each.result["msg"] for each in run.results("Fail when a variable is wrong"))
    assert {refusal.split(":")[0] for refusal in refusals} == {
        "plivo_awx_pattern",
        "plivo_awx_excludes",
        "plivo_awx_slices",
        "plivo_awx_forks",
        "plivo_awx_members",
        "plivo_awx_min_run_time",
        "plivo_awx_drain_timeout",
        "plivo_awx_schedule_time",
        "plivo_awx_schedule_timezone",
        "plivo_awx_schedule_rule",
        "plivo_awx_vault_password",
        "plivo_awx_auth_id",
        "plivo_awx_api_url",
        "plivo_awx_notification_configuration",
        "plivo_awx_project_url",
    }
    assert "canary" not in run.output
    assert controller.writes == []


@pytest.mark.parametrize(
    ("environment", "remedy"),
    [
        ({"ANSIBLE_COLLECTIONS_PATH": ""}, "ansible-galaxy collection install awx.awx"),
        ({"CONTROLLER_HOST": "http://127.0.0.1:9"}, "set CONTROLLER_HOST to its address"),
        ({"CONTROLLER_OAUTH_TOKEN": "of-another-awx"}, "CONTROLLER_OAUTH_TOKEN, or CONTROLLER_USERNAME"),
    ],
    ids=["no awx.awx", "no AWX", "wrong token"],
)
def test_what_is_missing_is_told(
    environment: dict[str, str], remedy: str, setup: Setup, collections: Path, controller: Controller
) -> None:
    environment = {name: value or str(collections) for name, value in environment.items()}
    run = setup(plivo_awx_project_url="https://git.example.com/x.git", env=environment)
    assert run.rc == 2
    assert remedy in run.results("Say how to")[0].result["msg"]
    assert controller.writes == []


@pytest.mark.parametrize("definition", ["decision-environment.yml", "execution-environment.yml"])
def test_environment(definition: str, tmp_path: Path) -> None:
    """ansible-builder takes it, and it has the versions of the tests and of the collection."""
    source = yaml.safe_load((ROOT / definition).read_text("utf-8"))
    pinned = set((ROOT / "tests/requirements.txt").read_text("utf-8").replace(" ; ", "\n").splitlines())
    dependencies = source["dependencies"]
    packages = {dependencies[name]["package_pip"] for name in ("ansible_core", "ansible_runner")}
    assert packages | {*dependencies.get("python", [])} < pinned
    version = yaml.safe_load((ROOT / "galaxy.yml").read_text("utf-8"))["version"]
    tarball = f"plivo-voice-{version}.tar.gz"
    assert [each["src"] for each in source["additional_build_files"]] == [f".build/{tarball}"]

    builder = Path(sys.executable).with_name("ansible-builder")
    command = [
        str(builder),
        "create",
        "--output-filename=Containerfile",
        "--file",
        str(ROOT / definition),
    ]
    subprocess.run([*command, "--context", str(tmp_path)], cwd=ROOT, check=True, capture_output=True, timeout=60)
    assert (tmp_path / f"_build/collections/{tarball}").read_bytes() == (ROOT / f".build/{tarball}").read_bytes()
    galaxy = yaml.safe_load((tmp_path / "_build/requirements.yml").read_text("utf-8"))
    assert galaxy["collections"] == [{"name": f"collections/{tarball}", "type": "file"}]
    assert "ansible-galaxy collection install" in (tmp_path / "Containerfile").read_text("utf-8")
