# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between Ansible and the rest: the options that modules share, the client made from them, the task's end."""

from __future__ import annotations

import gc
import time
import traceback
import typing as t

from ansible.module_utils.basic import AnsibleModule, env_fallback, missing_required_lib

from ._client import Client
from ._crew import internal_error
from ._errors import NOT_TRIED, PlivoError, refusal
from ._options import (
    check_api_url,
    check_auth_id,
    check_auth_token,
    check_ca_path,
    check_number,
)
from ._pacing import SlidingWindow
from ._selection import check_text_for_list, looks_like_list
from ._transport import Transport

#: Every module has these. The doc fragment plivo.voice.connection describes them.
CONNECTION_OPTIONS: dict[str, dict[str, t.Any]] = {
    "auth_id": {"type": "str", "required": True, "fallback": (env_fallback, ["PLIVO_AUTH_ID"])},
    "auth_token": {
        "type": "str",
        "required": True,
        "no_log": True,
        "fallback": (env_fallback, ["PLIVO_AUTH_TOKEN"]),
    },
    "api_url": {
        "type": "str",
        "default": "https://api.plivo.com/v1",
        "fallback": (env_fallback, ["PLIVO_API_URL"]),
    },
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "timeout": {"type": "float", "default": 10},
    "retries": {"type": "int", "default": 4},
    "max_connections": {"type": "int", "default": 16},
    "rate_limit": {"type": "int", "default": 200},
    "callback_url": {"type": "str"},
    "callback_method": {"type": "str", "choices": ["POST", "GET"]},
}

#: For modules about several conferences. The doc fragment plivo.voice.selection describes them.
SELECTION_OPTIONS: dict[str, dict[str, t.Any]] = {
    "name": {"type": "str"},
    "names": {"type": "list", "elements": "str"},
    "patterns": {"type": "list", "elements": "str"},
    "excludes": {"type": "list", "elements": "str"},
    "use_regex": {"type": "bool", "default": False},
    "min_run_time": {"type": "str"},
    "max_run_time": {"type": "str"},
    "min_members": {"type": "int"},
    "max_members": {"type": "int"},
    "members": {"type": "bool", "default": True},
}


class Result(t.Protocol):
    """What a task returns; filled step by step, so that a failure can report what was done before it."""

    absent: list[str]
    errors: list[PlivoError]

    def as_values(self, diff: bool) -> dict[str, t.Any]:
        """The return values, but for those that say what failed.

        :param diff: whether C(--diff) was asked for.
        """

    def summary(self) -> str:
        """What was done, in a few words, for the message of a failure."""


R = t.TypeVar("R", bound=Result)


class PlivoModule(AnsibleModule):  # type: ignore[misc]
    """A module whose failures all have the same shape, also those that Ansible finds itself.

    :param options: the argument spec.
    :param values: the return values of a task that has done nothing.
    """

    def __init__(self, options: t.Mapping[str, t.Any], values: t.Mapping[str, t.Any]) -> None:
        self._values = values
        #: What was given as text, as it was given.
        self.texts: dict[str, str] = {}
        super().__init__(argument_spec=options, supports_check_mode=True)

    def _load_params(self) -> None:
        super()._load_params()
        # Before Ansible makes a list of a text that was given for one.
        self.texts = {name: value for name, value in self.params.items() if isinstance(value, str)}

    def fail_json(self, msg: str, **values: t.Any) -> t.NoReturn:
        if "error" not in values:
            if msg.startswith("missing required arguments"):
                msg += "; set auth_id and auth_token, or PLIVO_AUTH_ID and PLIVO_AUTH_TOKEN in the environment."
            values = {**self._values, **failure([refusal(msg)], ""), **values}
            del values["msg"]
        super().fail_json(msg, **values)
        raise AssertionError("fail_json does not return")


def run_module(
    options: t.Mapping[str, t.Any],
    run: t.Callable[[t.Mapping[str, t.Any], Client, bool, R], None],
    result: R,
) -> None:
    """Be the module: take the options, run, and end the task in the one place where results are made.

    :param options: the module's options, but for those that every module has.
    :param run: gets the options, a client, whether it is check mode, and the result to fill in.
    :param result: empty.
    """
    spec = {**CONNECTION_OPTIONS, **options}
    nothing_done = result.as_values(diff=False)
    try:
        module = PlivoModule(spec, nothing_done)
    except OverflowError:
        # What Ansible makes of "inf" for a whole number: not even a message, and in some versions a traceback.
        unchecked = {option: {"type": "raw", "no_log": option == "auth_token"} for option in spec}
        module = PlivoModule(unchecked, nothing_done)
        whole = [option for option in spec if spec[option]["type"] == "int" and "inf" in str(module.params[option])]
        module.fail_json(f"{', '.join(whole)}: inf is out of range: give a finite number.")
    client: Client | None = None
    traceback_of_bug = None
    try:
        for option in spec:
            if spec[option]["type"] == "list" and option in module.texts:
                check_text_for_list(option, module.texts[option])
        client = connect(module)
        # Ansible hides the token wherever it appears; a server that repeats a request's headers shows it as a login.
        module.no_log_values.update(client.secrets)
        run(module.params, client, module.check_mode, result)
    except PlivoError as error:
        # It ended the whole task, so it is told before the failures of single conferences.
        result.errors.insert(0, error)
    except Exception as bug:  # pylint: disable=broad-exception-caught
        # It must not take along the account of what was done.
        result.errors.insert(0, internal_error(bug))
        traceback_of_bug = traceback.format_exc()
    _warn(module, client, result)
    # All that there is stays until the process ends, very soon. Else Python would look through it for garbage once more
    # at its end, which takes longer than a request.
    gc.freeze()
    values = result.as_values(module._diff)  # pylint: disable=protected-access
    if result.errors:
        if traceback_of_bug:
            values["exception"] = traceback_of_bug
        module.fail_json(**failure(result.errors, result.summary()), **values)
    module.exit_json(**values)


def connect(module: PlivoModule) -> Client:
    """A client for the task, or the usual message about a missing library."""
    try:
        return make_client(module.params, read_only=module.check_mode)
    except ImportError:
        module.fail_json(missing_required_lib("requests"), exception=traceback.format_exc())


def make_client(params: t.Mapping[str, t.Any], read_only: bool) -> Client:
    """A client for the connection options.

    :raises ImportError: requests is missing.
    :raises PlivoError: one of the options is wrong.
    """
    for option in ("timeout", "retries", "max_connections", "rate_limit"):
        check_number(option, params[option])
    auth_id = check_auth_id(params["auth_id"])
    auth_token = check_auth_token(params["auth_token"])
    check_ca_path(params["ca_path"])
    transport = Transport(
        check_api_url(params["api_url"]),
        timeout=params["timeout"],
        connections=params["max_connections"],
        validate_certs=params["validate_certs"],
        ca_path=params["ca_path"],
    )
    window = SlidingWindow(params["rate_limit"], time.monotonic, time.sleep)
    return Client(transport, auth_id, auth_token, window=window, retries=params["retries"], read_only=read_only)


def failure(errors: t.Sequence[PlivoError], summary: str) -> dict[str, t.Any]:
    """The return values that say what failed.

    :param errors: at least one. Causes come before those that were not tried because of them.
    :param summary: what was done all the same; may be empty.
    """
    ordered = sorted(errors, key=lambda error: error.kind == NOT_TRIED)
    first = ordered[0]
    msg = first.msg
    of_single = [error for error in ordered if error.conference_name is not None]
    skipped = sum(error.kind == NOT_TRIED for error in of_single)
    untried = f" ({skipped} of them not tried)" if skipped else ""
    failed = f"{len(of_single)} {'conference' if len(of_single) == 1 else 'conferences'} failed{untried}"
    if first.conference_name is None and of_single:
        # It is about the whole task, and came after them.
        msg = f"{failed}, and then: {msg}"
    elif len(of_single) > 1:
        msg = f"{failed}, the first with: {msg}"
    return {
        "msg": f"{summary} {msg}" if summary else msg,
        "error": first.as_error(),
        "errors": [error.as_entry() for error in ordered],
    }


def retry_warning(retried: t.Mapping[str, int]) -> str | None:
    """One sentence on all retries of a task; none if there were none."""
    total = sum(retried.values())
    if not total:
        return None
    reasons = ", ".join(f"{count} × {reason}" for reason, count in sorted(retried.items(), key=lambda item: -item[1]))
    return f"{total} {'retry' if total == 1 else 'retries'}: {reasons}"


def _warn(module: AnsibleModule, client: Client | None, result: Result) -> None:
    warning = retry_warning(client.retried) if client else None
    if warning:
        module.warn(warning)
    for name in result.absent:
        if looks_like_list(name):
            module.warn(f"{name!r} is not live and looks like a list; give a list to names, and write it in YAML.")
