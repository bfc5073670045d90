# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of AWX's API as the modules of awx.awx need to make things, find them again, and remove them: no jobs.

Where it refuses something, fills in a default or hides a secret, it does so as AWX 24.6 does: awx/api/serializers.py,
awx/api/views and awx/main/fields.py. What is left out is refused, too, rather than ignored.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Collection
from copy import deepcopy
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

Item = dict[str, Any]

TOKEN = "a-token-of-awx"
HIDDEN = "$encrypted$"


@dataclass(frozen=True)
class Kind:
    """What AWX knows of one kind of things."""

    type: str
    #: Fields and their defaults, whose types they must have. None: the id of another thing, or nothing.
    fields: Item
    #: Lists of other things that it refers to: the field's name, and where they are.
    links: dict[str, str]


def kind(type_: str, fields: Item, **links: str) -> Kind:
    return Kind(type_, {"name": "", "description": "", **fields}, links)


NOTIFIES = {"notification_templates_error": "notification_templates"}
OF_ORGANIZATION = {"organization": None}
SURVEY = {"extra_vars": "", "survey_enabled": False, "ask_limit_on_launch": False, "limit": ""}
KINDS = {
    "organizations": kind("organization", {}, galaxy_credentials="credentials"),
    "teams": kind("team", OF_ORGANIZATION),
    "users": kind("user", {}),
    "credential_types": kind("credential_type", {"kind": "", "managed": False, "inputs": {}, "injectors": {}}),
    "credentials": kind("credential", {**OF_ORGANIZATION, "credential_type": None, "inputs": {}}),
    "execution_environments": kind(
        "execution_environment", {**OF_ORGANIZATION, "image": "", "pull": "", "credential": None}
    ),
    "notification_templates": kind(
        "notification_template", {**OF_ORGANIZATION, "notification_type": "", "notification_configuration": {}}
    ),
    "projects": kind(
        "project",
        {**OF_ORGANIZATION, "scm_type": "", "scm_url": "", "scm_branch": "", "credential": None, "timeout": 0},
    ),
    "inventories": kind("inventory", {**OF_ORGANIZATION, "kind": "", "host_filter": None, "pending_deletion": False}),
    "inventory_sources": kind(
        "inventory_source",
        {
            "inventory": None,
            "source": "",
            "source_project": None,
            "source_path": "",
            "overwrite": False,
            "overwrite_vars": False,
            "update_on_launch": False,
        },
    ),
    "job_templates": kind(
        "job_template",
        {
            **OF_ORGANIZATION,
            **SURVEY,
            "project": None,
            "playbook": "",
            "inventory": None,
            "execution_environment": None,
            "job_type": "run",
            "ask_job_type_on_launch": False,
            "job_slice_count": 1,
            "forks": 0,
        },
        credentials="credentials",
        **NOTIFIES,
    ),
    "workflow_job_templates": kind("workflow_job_template", {**OF_ORGANIZATION, **SURVEY}, **NOTIFIES),
    "workflow_job_template_nodes": kind(
        "workflow_job_template_node",
        {"workflow_job_template": None, "unified_job_template": None, "identifier": ""},
        success_nodes="workflow_job_template_nodes",
        failure_nodes="workflow_job_template_nodes",
        always_nodes="workflow_job_template_nodes",
    ),
    "schedules": kind("schedule", {"unified_job_template": None, "rrule": "", "extra_data": {}, "enabled": True}),
}
#: Of these, no two have one id: AWX keeps them in one table.
UNIFIED = ("projects", "inventory_sources", "job_templates", "workflow_job_templates")
#: What goes with what: by the field that refers to it.
CASCADE = {
    "organizations": {"credentials", "execution_environments", "notification_templates", "teams"},
    "inventories": {"inventory_sources"},
    "workflow_job_templates": {"workflow_job_template_nodes", "schedules"},
}
WEBHOOK = {"http_method": "POST", "disable_ssl_verification": False, "username": "", "password": ""}


class RefusedError(Exception):
    """An answer of AWX other than success."""

    def __init__(self, status: int, **body: Any) -> None:
        super().__init__(body)
        self.status = status
        self.body = body


class Controller:
    """A controller on loopback, as AWX is after its installation.

    :param playbooks: what AWX finds in any project.
    """

    def __init__(self, playbooks: Collection[str]) -> None:
        self.playbooks = playbooks
        self.store: dict[str, dict[int, Item]] = {name: {} for name in KINDS}
        self.surveys: dict[int, Item] = {}
        #: Method and path of each request that was to change something.
        self.writes: list[str] = []
        self._ids = iter(range(1, 10_000))
        default = self.add("organizations", name="Default")
        self.add("credential_types", name="Vault", managed=True, inputs={"fields": [field("vault_password", True)]})
        galaxy = self.add("credential_types", name="Ansible Galaxy/Automation Hub API Token", managed=True)
        self.add("credentials", name="Ansible Galaxy", credential_type=galaxy)
        self.add("inventories", name="Demo Inventory", organization=default)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"controller": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def environment(self) -> dict[str, str]:
        """What leads awx.awx here."""
        port = self._server.server_address[1]
        return {"CONTROLLER_HOST": f"http://127.0.0.1:{port}", "CONTROLLER_OAUTH_TOKEN": TOKEN}

    def __enter__(self) -> Controller:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def add(self, collection: str, **fields: Any) -> int:
        """Something that is there already; returns its id."""
        id_ = next(self._ids)
        self.store[collection][id_] = {**deepcopy(KINDS[collection].fields), "id": id_, "links": {}, **fields}
        return id_

    def names(self, collection: str) -> list[str]:
        return [str(item["name"]) for item in self.store[collection].values()]

    def one(self, collection: str, name: str) -> Item:
        """What AWX keeps of the thing with this name, secrets included, and names instead of ids in its links."""
        (item,) = (each for each in self.store[collection].values() if name in (each["name"], each.get("identifier")))
        links = {
            name: [other.get("identifier") or other["name"] for other in self._linked(collection, item, name)]
            for name in KINDS[collection].links
        }
        return {**item, "links": links, "survey": self.surveys.get(item["id"])}

    def handle(self, method: str, path: str, query: dict[str, str], body: Item) -> tuple[int, Item]:
        if method != "GET":
            self.writes.append(f"{method} {path}")
        collection, *rest = path.removeprefix("/api/v2/").strip("/").split("/")
        if collection == "unified_job_templates":
            return 200, self._list(UNIFIED, query)
        if collection in ("project_updates", "inventory_updates"):
            done = {"status": "successful", "finished": "2026-01-01T00:00:00Z", "failed": False}
            return 200, {"id": 1, "event_processing_finished": True, "scm_revision": "1f00", **done}
        if collection in KINDS and (method, rest) == ("GET", []):
            return 200, self._list([collection], query)
        if collection in KINDS and (method, rest) == ("POST", []):
            id_ = self.add(collection)
            try:
                self._change(collection, id_, body, created=True)
            except RefusedError:
                del self.store[collection][id_]
                raise
            return 201, self._shown(collection, self.store[collection][id_])
        if collection in KINDS and int(rest[0]) in self.store[collection]:
            return self._handle_item((method, *rest[1:]), collection, self.store[collection][int(rest[0])], query, body)
        raise RefusedError(404, detail="Not found.")

    def _handle_item(
        self, request: tuple[str, ...], collection: str, item: Item, query: dict[str, str], body: Item
    ) -> tuple[int, Item]:
        if request == ("GET",):
            return 200, self._shown(collection, item)
        if request == ("PATCH",):
            self._change(collection, item["id"], body)
            return 200, self._shown(collection, item)
        if request == ("DELETE",):
            self._delete(collection, item["id"])
            return (202 if collection == "inventories" else 204), {}
        if request == ("GET", "survey_spec"):
            return 200, self.surveys.get(item["id"], {})
        if request == ("POST", "survey_spec"):
            check_survey(body)
            self.surveys[item["id"]] = body
            return 200, {}
        if request == ("POST", "update"):
            updates = {"projects": "project_updates", "inventory_sources": "inventory_updates"}[collection]
            return 202, {"id": 1, "url": f"/api/v2/{updates}/1/", "status": "pending"}
        name = request[-1]
        if request == ("GET", name) and name in KINDS[collection].links:
            return 200, paged(
                [self._shown(KINDS[collection].links[name], each) for each in self._linked(collection, item, name)]
            )
        if request == ("POST", name) and name in KINDS[collection].links:
            there = item["links"].setdefault(name, [])
            if body.pop("disassociate", False):
                there.remove(body["id"])
            else:
                there.append(body["id"])
            return 204, {}
        if request == ("GET", name) and name in KINDS:
            return 200, self._list([name], {**query, KINDS[collection].type: str(item["id"])})
        raise RefusedError(405, detail=f"{request} of {collection}")

    def _linked(self, collection: str, item: Item, name: str) -> list[Item]:
        others = self.store[KINDS[collection].links[name]]
        return [others[id_] for id_ in item["links"].get(name, []) if id_ in others]

    def _list(self, collections: Collection[str], query: dict[str, str]) -> Item:
        def matches(collection: str, item: Item) -> bool:
            known = {"organization": None, **item, "type": KINDS[collection].type}
            wanted = [(name, value) for name, value in query.items() if name not in ("page_size", "order_by")]
            either = [(name[4:], value) for name, value in wanted if name.startswith("or__")]
            each = [(name, value) for name, value in wanted if not name.startswith("or__")]
            # AWX refuses to filter by a field that is not there.
            if any(name not in known for name, _value in either + each):
                raise RefusedError(400, detail=f"{collection} has no such field: {sorted(query)}")
            return all(str(known[name]) == value for name, value in each) and (
                not either or any(str(known[name]) == value for name, value in either)
            )

        return paged(
            [
                self._shown(collection, item)
                for collection in collections
                for item in self.store[collection].values()
                if matches(collection, item)
            ]
        )

    def _shown(self, collection: str, item: Item) -> Item:
        """A thing as AWX shows it."""
        url = f"/api/v2/{collection}/{item['id']}/"
        shown = {name: deepcopy(value) for name, value in item.items() if name != "links"}
        if collection == "credentials":
            secret = [each["id"] for each in self._type(item).get("fields", []) if each.get("secret")]
            shown["inputs"].update({name: HIDDEN for name in secret if shown["inputs"].get(name)})
        if shown.get("notification_configuration", {}).get("password"):
            shown["notification_configuration"]["password"] = HIDDEN
        if collection == "users":
            shown["username"] = shown.pop("name")
        if collection == "projects":
            shown["scm_revision"] = "1f00"
        related = {name: f"{url}{name}/" for name in (*KINDS[collection].links, "survey_spec", "update")}
        return {**shown, "type": KINDS[collection].type, "url": url, "related": related, "summary_fields": {}}

    def _type(self, credential: Item) -> Item:
        inputs: Item = self.store["credential_types"][credential["credential_type"]]["inputs"]
        return inputs

    def _change(self, collection: str, id_: int, body: Item, created: bool = False) -> None:
        of_kind = KINDS[collection].fields
        if unknown := sorted(set(body) - set(of_kind)):
            raise RefusedError(400, detail=f"this controller knows no {unknown} of {collection}")
        item = deepcopy(self.store[collection][id_])
        item.update({name: converted(name, value, of_kind[name]) for name, value in body.items()})
        for name, value in item.items():
            if of_kind.get(name, "") is None and isinstance(value, int) and not self._refers(name, value):
                raise RefusedError(400, **{name: [f'Invalid pk "{value}" - object does not exist.']})
        key = "identifier" if "identifier" in item else "name"
        scope = {"workflow_job_template_nodes": "workflow_job_template", "execution_environments": ""}
        within = scope.get(collection, "organization")
        same = [each for each in self.store[collection].values() if each[key] == item[key] and each["id"] != id_]
        if not item[key] or any(each.get(within) == item.get(within) for each in same):
            raise RefusedError(400, __all__=[f"{collection} with this {key} already exists: {item[key]!r}"])
        if check := getattr(self, f"_check_{collection}", None):
            check(item, self.store[collection][id_], created)
        self.store[collection][id_].update(item)

    def _refers(self, name: str, id_: int) -> bool:
        if name == "unified_job_template":
            return any(id_ in self.store[collection] for collection in UNIFIED)
        plural = {"inventory": "inventories", "source_project": "projects"}.get(name, f"{name}s")
        return id_ in self.store[plural]

    def _check_credential_types(self, item: Item, old: Item, created: bool) -> None:
        for each in item["inputs"].get("fields", []):
            each.setdefault("type", "string")
        used = any(each["credential_type"] == item["id"] for each in self.store["credentials"].values())
        if used and item["inputs"] != old["inputs"]:
            raise RefusedError(403, detail="Modifications to inputs are not allowed for credential types in use")
        if item["kind"] not in ("cloud", "net"):
            raise RefusedError(400, kind=[f"Must be 'cloud' or 'net', not {item['kind']}"])
        fields = {each["id"] for each in item["inputs"].get("fields", [])}
        templates = [text for part in item["injectors"].values() for text in part.values()]
        if used := {name for text in templates for name in re.findall(r"{{ *(\w+)", text)} - fields:
            raise RefusedError(400, injectors=[f"undefined fields {used}"])

    def _check_credentials(self, item: Item, old: Item, created: bool) -> None:
        of_type = self._type(item)
        known = {each["id"]: each.get("secret", False) for each in of_type.get("fields", [])}
        for name, value in item["inputs"].items():
            if name not in known:
                raise RefusedError(400, inputs=[f"Additional properties are not allowed ({name!r} was unexpected)"])
            if value == HIDDEN and known[name]:
                if created:
                    raise RefusedError(
                        400, inputs=[f"$encrypted$ is a reserved keyword, and cannot be used for {name}."]
                    )
                item["inputs"][name] = old["inputs"].get(name, "")
        if missing := [name for name in of_type.get("required", []) if not item["inputs"].get(name)]:
            raise RefusedError(400, inputs=[f"required for {missing}"])

    def _check_notification_templates(self, item: Item, old: Item, created: bool) -> None:
        assert item["notification_type"] == "webhook", "this controller knows no other"
        item["notification_configuration"] = {**WEBHOOK, **item["notification_configuration"]}
        if missing := {"url", "headers"} - set(item["notification_configuration"]):
            raise RefusedError(400, __all__=[f"Missing required fields for Notification Configuration: {missing}."])

    def _check_job_templates(self, item: Item, old: Item, created: bool) -> None:
        if item["project"] is None or item["inventory"] is None:
            raise RefusedError(400, project=["This field is required."])
        if item["playbook"] not in self.playbooks:
            raise RefusedError(400, playbook=["Playbook not found for project."])
        # AWX takes it from the project, whatever was sent.
        item["organization"] = self.store["projects"][item["project"]]["organization"]

    def _check_schedules(self, item: Item, old: Item, created: bool) -> None:
        found = re.fullmatch(r"DTSTART;TZID=([^:]+):[0-9]{8}T[0-9]{6} RRULE:(\S+)", item["rrule"])
        if not found or "FREQ=" not in found[2] or "INTERVAL=" not in found[2]:
            raise RefusedError(400, rrule=[f"rrule parsing failed validation: {item['rrule']}"])
        ZoneInfo(found[1])
        asked = {
            each["variable"]: each for each in self.surveys.get(item["unified_job_template"], {"spec": []})["spec"]
        }
        for name, value in item["extra_data"].items():
            if name not in asked:
                raise RefusedError(400, extra_data=[f"Variables {name} are not allowed on launch."])
            if isinstance(value, int) != (asked[name]["type"] == "integer"):
                raise RefusedError(400, variables_needed_to_start=[f"Value {value!r} for {name!r}: wrong type"])

    def _delete(self, collection: str, id_: int) -> None:
        field_name = KINDS[collection].type
        if self.store[collection][id_].get("managed"):
            raise RefusedError(403, detail="managed")
        if collection == "credential_types" and any(
            each["credential_type"] == id_ for each in self.store["credentials"].values()
        ):
            raise RefusedError(403, detail="Credential types that are in use cannot be deleted")
        for other, items in self.store.items():
            for item in list(items.values()):
                name = "unified_job_template" if other == "schedules" else field_name
                if item.get(name) == id_ and (other in CASCADE.get(collection, ())):
                    self._delete(other, item["id"])
                elif item.get(name) == id_:
                    item[name] = None
        del self.store[collection][id_]


def field(name: str, secret: bool) -> Item:
    return {"id": name, "type": "string", "label": name, "secret": secret}


def paged(results: list[Item]) -> Item:
    return {"count": len(results), "next": None, "previous": None, "results": results}


def converted(name: str, value: Any, default: Any) -> Any:
    """A value in the type of its field, as the REST framework converts it."""
    if value is None or default is None:
        return "" if isinstance(default, str) else value
    if isinstance(default, bool):
        return value if isinstance(value, bool) else str(value).lower() in ("true", "yes", "1")
    if isinstance(value, dict) != isinstance(default, dict):
        raise RefusedError(400, **{name: [f"{value!r} is of a wrong type"]})
    return type(default)(value)


def check_survey(spec: Item) -> None:
    """As in JobTemplateSurveySpec._validate_spec_data."""
    types: dict[str, type] = {"text": str, "textarea": str, "integer": int, "multiplechoice": str}
    problems = [name for name in ("name", "description") if not isinstance(spec.get(name), str)]
    for question in spec["spec"]:
        required = {"type": str, "question_name": str, "variable": str, "required": bool}
        problems += [name for name, type_ in required.items() if not isinstance(question.get(name), type_)]
        problems += [name for name in ("min", "max") if not isinstance(question.get(name, 0), int)]
        if not isinstance(question.get("default", types[question["type"]]()), types[question["type"]]):
            problems.append(f"default of {question['variable']}")
        if question["type"] == "multiplechoice" and question["default"] not in question["choices"]:
            problems.append(f"choices of {question['variable']}")
    if problems:
        raise RefusedError(400, error=f"survey spec: {problems}")


class Handler(BaseHTTPRequestHandler):
    controller: Controller
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        url = urlsplit(self.path)
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            if self.headers["Authorization"] != f"Bearer {TOKEN}":
                raise RefusedError(401, detail="Authentication credentials were not provided.")
            query = dict(parse_qsl(url.query, keep_blank_values=True))
            status, body = self.controller.handle(self.command, url.path, query, json.loads(text or "{}"))
        except RefusedError as refused:
            status, body = refused.status, refused.body
        self.send_response(status)
        content = b"" if status == 204 else json.dumps(body).encode()
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(content)),
            "X-API-Product-Name": "AWX",
            "X-API-Product-Version": "24.6.1",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing on the tests' output."""
