# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the module to the rule's action: a simulated API, real signed callbacks, real ansible-rulebook.

ansible-rulebook ends with status 0 whatever became of its actions. So these tests look at what the actions leave.
"""

from __future__ import annotations

import ast
import json
import re
import ssl
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import trustme
import yaml
from ansible_rulebook.util import substitute_variables

from integration.rulebooks import Chat, Proxy, Rulebook, environment, free_port, missing_java, wait_until
from integration.running import Ansible, credentials
from integration.test_secrets import TOKEN, leaks, process_lists
from plivo_simulator import AUTH_ID, Simulator
from plivo_simulator.callbacks import sign_v3

ROOT = Path(__file__).parents[2]
INFO = "plivo.voice.conference_info"
HANGUP = "plivo.voice.conference_hangup"
SUMMARY = "plivo.voice.hangup_summary"

#: What must never be run, wherever a stranger puts it. It makes a file.
ATTACK = "{{ lookup('ansible.builtin.pipe', 'touch %s') }}"


def need_java(ansible: Ansible) -> dict[str, str]:
    """The environment of ansible-rulebook; without Java the test is skipped."""
    result = environment(ansible.environment)
    missing = missing_java(result)
    if missing:
        pytest.skip(missing)
    return result


def answers_of(document: Any) -> str:
    """Answers as the rulebook hands them to the playbook."""
    return quote(json.dumps(document), safe="")


def deliver(
    url: str,
    response: Mapping[str, Any],
    token: str | None,
    public_url: str | None = None,
) -> int:
    """Send an answer as Plivo does, signed with this token; the status that came back."""
    fields = {"api_id": str(response["api_id"]), "response": json.dumps(response)}
    request = urllib.request.Request(url, urlencode(fields).encode())  # noqa: S310 - its own test's
    if token is not None:
        nonce = uuid.uuid4().hex
        request.add_header("X-Plivo-Signature-V3-Nonce", nonce)
        request.add_header("X-Plivo-Signature-V3", sign_v3("POST", public_url or url, fields, token, nonce))
    unchecked = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unchecked.check_hostname = False
    unchecked.verify_mode = ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=unchecked), urllib.request.ProxyHandler({})
    )
    try:
        with opener.open(request, timeout=10) as answer:
            status: int = answer.status
    except urllib.error.HTTPError as error:
        status = error.code
    return status


# --- everything that can be answered -----------------------------------------------------------------------------

#: One account each, since a hangup of all leaves nothing for the next.
FORM, BY_GET, JSON, WHOLE, ENDED, SUB = (f"MA{name}" for name in ("FORM", "BYGET", "JSON", "WHOLE", "ENDED", "SUB"))

OPS = {
    "name": 'Ops, EMEA & "co"',
    "run_time": 590,
    "members": [{"caller_name": "José Ruiz", "join_time": 30}, {"muted": True}],
}

ACCOUNTS: dict[str, Any] = {
    FORM: {"auth_token": "token of form", "conferences": [OPS, "b", "c"]},
    BY_GET: {"auth_token": "token of get", "conferences": [OPS, "b", "c"]},
    JSON: {"auth_token": "token of json", "conferences": ["b"], "settings": {"callback_encoding": "json"}},
    WHOLE: {"auth_token": "token of whole", "conferences": ["b"], "settings": {"callback_encoding": "json_whole"}},
    # Listed for the module, and gone when the hangup that was accepted is to be done.
    ENDED: {"auth_token": "token of ended", "conferences": [{"name": "b", "ends_after_requests": 2}]},
    # A subaccount, of whose tokens the rulebook knows only the main account's.
    SUB: {"auth_token": "token of sub", "main_auth_token": "token of form", "conferences": ["b"]},
}

#: Account, module, its options, and what the answers must hold besides the api_id.
CASES: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    (FORM, INFO, {}, {"conferences": [OPS["name"], "b", "c"]}),
    (FORM, INFO, {"name": OPS["name"]}, {"conferences": [OPS["name"]]}),
    (FORM, INFO, {"name": "nobody"}, {"error": "conference not found"}),
    (FORM, INFO, {"names": ["b", "c"]}, {"conferences": None}),
    (FORM, HANGUP, {"name": "b"}, {"message": "conference hung up"}),
    (FORM, HANGUP, {"all": True}, {"message": "all conferences hung up"}),
    (BY_GET, INFO, {}, {"conferences": [OPS["name"], "b", "c"]}),
    (BY_GET, INFO, {"name": OPS["name"]}, {"conferences": [OPS["name"]]}),
    (BY_GET, INFO, {"name": "nobody"}, {"error": "conference not found"}),
    (BY_GET, HANGUP, {"name": "b"}, {"message": "conference hung up"}),
    (BY_GET, HANGUP, {"all": True}, {"message": "all conferences hung up"}),
    (JSON, INFO, {}, {"conferences": ["b"]}),
    (JSON, HANGUP, {"name": "b"}, {"message": "conference hung up"}),
    (WHOLE, INFO, {"name": "b"}, {"conferences": ["b"]}),
    (WHOLE, HANGUP, {"all": True}, {"message": "all conferences hung up"}),
    (ENDED, HANGUP, {"name": "b"}, {"error": "conference not found"}),
    (SUB, HANGUP, {"name": "b"}, {"message": "conference hung up"}),
]

#: It writes down every event, and one that is awaited by its api_id.
RECORDING_RULEBOOK = """
- name: Everything
  hosts: localhost
  sources:
    - plivo.voice.async_response:
        host: 127.0.0.1
        port: "{{ port }}"
        path: /plivo/answers
        certfile: "{{ certificate }}"
        keyfile: "{{ certificate }}"
        auth_token: "{{ tokens }}"
    # No signature covers a body of JSON, so it is taken only where none is asked for.
    - plivo.voice.async_response:
        host: 127.0.0.1
        port: "{{ unsigned_port }}"
        path: /plivo/answers
  rules:
    - name: The awaited answer
      condition: event.payload.api_id == vars.awaited
      action:
        run_playbook: &record
          name: "{{ folder }}/record.yml"
          copy_files: false
          extra_vars:
            events: "{{ [event] | tojson | urlencode }}"
            folder: "{{ folder }}/awaited"
    - name: Another answer
      condition: event.payload.api_id is defined
      throttle:
        once_after: 4 seconds
        group_by_attributes: [event.payload.api_id]
      action:
        run_playbook:
          <<: *record
          extra_vars:
            events: "{{ (events | default({'only': event})).values() | list | tojson | urlencode }}"
            folder: "{{ folder }}/events"
"""

RECORDING_PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  connection: local
  tasks:
    - ansible.builtin.copy:
        content: "{{ events | urldecode }}"
        dest: "{{ folder }}/{{ now(fmt='%H%M%S%f') }}.json"
        mode: "0600"
"""


def recorded(folder: Path) -> dict[str, dict[str, Any]]:
    """What the playbook has written, by api_id."""
    events = [event for file in folder.glob("*.json") for event in json.loads(file.read_text(encoding="utf-8"))]
    return {event["payload"]["api_id"]: event for event in events}


def timeless(value: Any) -> Any:
    """A conference without its numbers and its request, but with their types."""
    if isinstance(value, dict):
        return {name: "" if name == "api_id" else timeless(of_it) for name, of_it in value.items()}
    if isinstance(value, list):
        return [timeless(each) for each in value]
    return type(value) if isinstance(value, int) and not isinstance(value, bool) else value


def test_every_answer_becomes_an_event(ansible: Ansible, tmp_path: Path) -> None:
    env = need_java(ansible)
    folder = tmp_path / "rulebook"
    port, unsigned_port = free_port(), free_port()
    for name in ("events", "awaited"):
        (folder / name).mkdir(parents=True)
    certificate = tmp_path / "certificate.pem"
    trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(certificate))
    (folder / "rulebook.yml").write_text(RECORDING_RULEBOOK, encoding="utf-8")
    (folder / "record.yml").write_text(RECORDING_PLAYBOOK, encoding="utf-8")
    awaited, forged, unsigned = (str(uuid.uuid4()) for _each in range(3))
    variables = {
        "port": port,
        "unsigned_port": unsigned_port,
        "certificate": str(certificate),
        "folder": str(folder),
        "awaited": awaited,
        # A token that YAML and Jinja would take for a number is one all the same.
        "tokens": [ACCOUNTS[name]["auth_token"] for name in (FORM, BY_GET, ENDED)] + ["0123456789"],
    }
    url = f"https://127.0.0.1:{port}/plivo/answers"
    callback_urls = dict.fromkeys(ACCOUNTS, url) | {
        # The fragment is for Plivo, the query is a part of what is called.
        BY_GET: f"{url}?site=a%20b#rc=2",
        JSON: f"http://127.0.0.1:{unsigned_port}/plivo/answers",
        WHOLE: f"http://127.0.0.1:{unsigned_port}/plivo/answers",
    }
    with (
        Simulator({"accounts": ACCOUNTS}) as simulator,
        Rulebook(folder, folder / "rulebook.yml", variables=variables, secrets={}, env=env) as rulebook,
    ):
        tasks: list[dict[str, Any]] = [
            {
                "name": str(number),
                module: {
                    **options,
                    "api_url": simulator.api_url,
                    "auth_id": account,
                    "auth_token": ACCOUNTS[account]["auth_token"],
                    "callback_url": callback_urls[account],
                    **({"callback_method": "GET"} if account == BY_GET else {}),
                },
            }
            for number, (account, module, options, _holds) in enumerate(CASES)
        ]
        login = {"api_url": simulator.api_url, "auth_id": FORM, "auth_token": ACCOUNTS[FORM]["auth_token"]}
        # What the module itself gives, before it is hung up.
        tasks.insert(0, {"name": "list", INFO: login})
        tasks.insert(0, {"name": "details", INFO: {**login, "name": OPS["name"]}})
        play = ansible.folder / "play.yml"
        play.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]), encoding="utf-8")
        rulebook.wait_until_listening(port)
        rulebook.wait_until_listening(unsigned_port)
        run = ansible.playbook(play)
        assert run.rc == 0, run.output
        details, listing, *results = [each.result for each in run.tasks]
        queued = [[entry["api_id"] for entry in result["queued"]] for result in results]
        assert all(queued), results

        # Neither of these may become an event; the last one does.
        message = {"message": "conference hung up"}
        refusals = [
            deliver(url, {"api_id": forged, **message}, "another token"),
            deliver(url, {"api_id": unsigned, **message}, None),
        ]
        assert deliver(url, {"api_id": awaited, "error": ATTACK % (folder / "attacked")}, "0123456789") == 200
        expected = {api_id for each in queued for api_id in each} | {awaited}
        try:
            wait_until(lambda: recorded(folder / "events").keys() >= expected, "all events", 60)
            wait_until(lambda: recorded(folder / "awaited"), "the awaited event", 10)
        except TimeoutError:
            raise AssertionError(rulebook.output + json.dumps(simulator.control.callbacks(), indent=1)) from None
    events = recorded(folder / "events")
    assert refusals == [403, 403]
    assert events.keys() == expected
    assert recorded(folder / "awaited")[awaited]["payload"]["error"] == ATTACK % (folder / "attacked")
    assert not (folder / "attacked").exists()

    for (account, module, options, holds), api_ids in zip(CASES, queued):
        for api_id in api_ids:
            payload, meta = events[api_id]["payload"], events[api_id]["meta"]
            case = f"{account} {module} {options}: {payload}"
            assert (meta["endpoint"], meta["signed"]) == ("/plivo/answers", account not in (JSON, WHOLE)), case
            assert meta["received_at"], case
            assert {"message", "error", "conferences"} & payload.keys() == holds.keys(), case
            for name, value in holds.items():
                if name != "conferences":
                    assert payload[name] == value, case
                elif value is not None:
                    assert [each["conference_name"] for each in payload[name]] == value, case
    # The same as the module gives, but for what changes with time, and for the request.
    (ops,) = events[queued[1][0]]["payload"]["conferences"]
    (same,) = details["conferences"]
    assert timeless(ops) == timeless(same)
    assert ops["members"][0]["caller_name"] == "José Ruiz"
    assert events[queued[0][0]]["payload"]["conferences"] == listing["conferences"]


# --- the documentation ------------------------------------------------------------------------------------------


def test_page_shows_the_arguments_of_the_source() -> None:
    """ansible-doc knows no event sources, so the page says it all."""
    source = ROOT / "extensions/eda/plugins/event_source/async_response.py"
    texts = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(source.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper()
        if isinstance(node.value, ast.Constant)
    }
    options = yaml.safe_load(texts["DOCUMENTATION"])["options"]
    expected = {}
    for name, option in options.items():
        of = f" of {option['elements']}" if "elements" in option else ""
        default = f", `{option['default']}`" if "default" in option else ""
        expected[name] = f"{option['type']}{of}{default}"
    page = (ROOT / "docs/async.md").read_text(encoding="utf-8")
    table = page.partition("| argument |")[2].partition("\n\n")[0]
    shown = {}
    for line in table.splitlines()[2:]:
        names, kind = line.split(" | ")[:2]
        shown.update(dict.fromkeys(re.findall("`(.+?)`", names), kind))
    assert shown == expected


def blocks(page: str, language: str) -> list[str]:
    """The blocks of this language on a page of the documentation."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_recipe_of_the_documentation(ansible: Ansible, tmp_path: Path) -> None:
    """Word for word, with a proxy in front, a chat behind, names made by strangers, and a canary for a token."""
    env = need_java(ansible)
    folder, keep = tmp_path / "rulebook", tmp_path / "keep"
    keep.mkdir()
    attacked = tmp_path / "attacked"
    attack = ATTACK % attacked
    names = {"done": f"a {attack}", "markup": "```<!channel> @all", "failed": f"[1] {attack}"}
    old = {"run_time": 5 * 3600}
    scenario = {
        "accounts": {
            AUTH_ID: {
                "auth_token": TOKEN,
                "conferences": [
                    {"name": names["done"], **old},
                    {"name": names["markup"], **old},
                    # Live for the list, the details of all four and three DELETEs, and gone when these are done.
                    {"name": names["failed"], **old, "ends_after_requests": 8},
                    {"name": "Late shift", "run_time": 60, "members": [{"caller_name": attack}]},
                ],
                "settings": {"async_delay": 1},
            }
        }
    }
    port = free_port()
    with (
        Simulator(scenario) as simulator,
        Chat() as chat,
        Proxy(port) as proxy,
        process_lists() as commands,
    ):
        variables_text, nightly = (blocks("async.md", "yaml"))[:2]
        for word, here in {
            "https://hooks.example.com": proxy.url,
            "https://chat.example.com": chat.url,
            "/var/lib/plivo": str(keep),
        }.items():
            assert word in variables_text
            variables_text = variables_text.replace(word, here)
        variables = yaml.safe_load(variables_text)
        callback_url = variables["plivo_callback_url"]
        login = credentials(simulator) | {"PLIVO_AUTH_TOKEN": TOKEN}
        (ansible.folder / "nightly.yml").write_text(nightly, encoding="utf-8")
        (ansible.folder / "variables.yml").write_text(variables_text, encoding="utf-8")
        # The rulebook's port is the only thing that the recipe does not say.
        with Rulebook(
            folder,
            "plivo.voice.hangup_answers",
            "-vv",
            variables={**variables, "plivo_callback_port": port},
            secrets={"PLIVO_AUTH_TOKEN": TOKEN},
            env={**env, **login},
        ) as rulebook:
            rulebook.wait_until_listening(port)
            run = ansible.playbook("nightly.yml", "-e", "@variables.yml", env=login)
            assert run.rc == 0, run.output
            (hangup,) = run.results(action=HANGUP)
            assert sorted(entry["conference_name"] for entry in hangup.result["queued"]) == sorted(names.values())
            # As if Plivo's own error text were an attack, and a forged one.
            hostile, forged = str(uuid.uuid4()), str(uuid.uuid4())
            assert deliver(callback_url, {"api_id": hostile, "error": f"{attack} <b>"}, TOKEN) == 200
            assert deliver(callback_url, {"api_id": forged, "error": "forged"}, "another token") == 403
            report = Path(variables["plivo_report_path"])
            try:
                wait_until(lambda: len(chat.messages) == 2 and report.exists(), "summaries and the report", 60)
            except TimeoutError:
                raise AssertionError(rulebook.output[-20000:]) from None
            # Until the report's playbook has ended, too.
            wait_until(lambda: not list((folder / "tmp").glob("eda*")), "an end of the playbooks", 20)
        output = rulebook.output

    done, failed = sorted(chat.messages, key=lambda text: "0 failed" not in text)
    assert done.splitlines()[0] == "2 hangups done, 0 failed"
    assert sorted(done.splitlines()[2:-1]) == [
        "'''&lt;!channel&gt; @all: conference hung up",
        f"{names['done']}: conference hung up",
    ]
    assert failed.splitlines()[0] == "0 hangups done, 2 failed"
    assert sorted(failed.splitlines()[2:-1]) == [
        f"{names['failed']}: FAILED: conference not found",
        f"request {hostile}: FAILED: {attack} &lt;b&gt;",
    ]
    # Nothing of them is markup.
    for message in chat.messages:
        assert (message.splitlines()[1], message.splitlines()[-1], message.count("```")) == ("```", "```", 2)
    page = report.read_text(encoding="utf-8")
    assert "Late shift" in page
    assert names["failed"] not in page
    assert not attacked.exists()
    assert forged not in output + "".join(chat.messages)

    # Where the token, and the chat's URL, which is a secret, too, could have been written.
    assert "hangup_answers.yml" in output
    for text in (output, page, *chat.messages, run.output, "\n".join(commands)):
        assert leaks(text) == []
        assert variables["plivo_summary_url"] not in text
    left = [file for place in (folder, ansible.folder, keep) for file in place.rglob("*") if file.is_file()]
    assert [file for file in left if leaks(file.read_text(encoding="utf-8", errors="replace"))] == []


@pytest.mark.parametrize(
    ("variables", "tokens"),
    [
        # Texts that look like numbers are still texts.
        ({"PLIVO_AUTH_TOKEN": "0123"}, ["0123"]),
        ({"PLIVO_AUTH_TOKEN": "123"}, ["123"]),
        ({"PLIVO_AUTH_TOKEN": "123", "plivo_auth_token": "['a']"}, ["['a']"]),
        ({"plivo_auth_tokens": ["123", "None"]}, ["123", "None"]),
    ],
)
def test_tokens_reach_the_source_as_they_are(variables: dict[str, Any], tokens: list[str]) -> None:
    file = ROOT / "extensions/eda/rulebooks/hangup_answers.yml"
    (ruleset,) = yaml.safe_load(file.read_text(encoding="utf-8"))
    arguments = ruleset["sources"][0]["plivo.voice.async_response"]
    assert substitute_variables(arguments["auth_token"], variables) == tokens


def test_rulebook_asks_for_the_token(ansible: Ansible, tmp_path: Path) -> None:
    env = need_java(ansible)
    variables = {"plivo_callback_port": free_port()}
    with Rulebook(
        tmp_path / "rulebook", "plivo.voice.hangup_answers", variables=variables, secrets={}, env=env
    ) as rulebook:
        assert rulebook.wait(60) != 0
        assert "'PLIVO_AUTH_TOKEN' is undefined" in rulebook.output


# --- the summary -------------------------------------------------------------------------------------------------


def lines(run: Any) -> list[str]:
    (summary,) = run.results("Summary")
    message: list[str] = summary.result["msg"]
    return message


def test_summary_names_what_is_known(ansible: Ansible) -> None:
    queued = [
        {"conference_name": "Sales, EMEA", "api_id": "1"},
        {"conference_name": None, "api_id": "2"},
    ]
    file = ansible.folder / "queued.json"
    file.write_text(json.dumps(queued), encoding="utf-8")
    answers = [
        {"api_id": "1", "message": "conference hung up"},
        {"api_id": "2", "message": "all conferences hung up"},
        {"api_id": "3", "message": "line\nbreak \x1b[31m"},
        {"api_id": "4", "error": "x" * 1000},
    ]
    variables = {"plivo_answers": answers_of(answers), "plivo_queued_path": str(file), "plivo_summary_url": ""}
    run = ansible.playbook(SUMMARY, variables=variables)
    assert lines(run) == [
        "3 hangups done, 1 failed",
        f"request 4: FAILED: {'x' * 197}...",
        "Sales, EMEA: conference hung up",
        "all conferences: all conferences hung up",
        "request 3: line break  [31m",
    ]
    assert run.rc == 0


def test_summary_is_not_endless(ansible: Ansible) -> None:
    answers = [{"api_id": str(number), "message": "conference hung up"} for number in range(60)]
    variables = {"plivo_answers": answers_of(answers), "plivo_queued_path": "/does/not/exist"}
    run = ansible.playbook(SUMMARY, variables=variables)
    assert (lines(run)[0], len(lines(run)), lines(run)[-1]) == ("60 hangups done, 0 failed", 52, "... and 10 more")
    assert "/does/not/exist" in run.stderr


@pytest.mark.parametrize("answers", [None, "", 5, '[{"api_id": "1"}]', [{"api_id": "1"}], answers_of({"api_id": "1"})])
def test_summary_refuses_what_is_not_encoded(ansible: Ansible, answers: Any) -> None:
    run = ansible.playbook(SUMMARY, variables={"plivo_answers": answers})
    (refused,) = run.tasks
    assert refused.outcome == "failed"
    assert refused.result["msg"].startswith("plivo_answers: this is not a percent-encoded JSON list")


def test_summary_that_cannot_be_posted_fails_without_telling_the_url(ansible: Ansible) -> None:
    variables = {
        "plivo_answers": answers_of([{"api_id": "1", "message": "conference hung up"}]),
        "plivo_summary_url": f"http://127.0.0.1:{free_port()}/secret-path",
    }
    run = ansible.playbook(SUMMARY, "-vvv", variables=variables)
    assert run.rc != 0
    assert run.tasks[-1].result["msg"].startswith("plivo_summary_url: the summary was not posted (no answer);")
    assert "1 hangup done, 0 failed" in lines(run)
    assert "secret-path" not in "".join(json.dumps(each.result) for each in run.tasks)
    assert "secret-path" not in run.output
