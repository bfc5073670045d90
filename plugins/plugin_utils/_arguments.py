# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of the event source, checked before it listens; each refusal names the argument and the remedy.

A rulebook's arguments have no types: a template makes a number of a text that looks like one, or the other way round.
"""

from __future__ import annotations

import re
import typing as t
from urllib.parse import urlsplit

from ..module_utils._errors import refusal
from ..module_utils._hosts import is_host, is_loopback
from ..module_utils._options import check_auth_token
from ._signatures import base_of

_DIGITS = re.compile(r"[0-9]{1,12}")
#: As it stands in a request: what is not in here comes percent-encoded.
_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")
_VISIBLE = re.compile(r"[!-~]+")
_TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}

MEBIBYTE = 1 << 20


class Settings(t.NamedTuple):
    """What the event source does.

    :ivar tokens: make the signatures that count; none when nothing can be verified.
    :ivar public_base: the URL as Plivo calls it, up to its query; none when the request itself says it.
    :ivar required: take nothing without a signature.
    """

    host: str
    port: int
    path: str
    certfile: str | None
    keyfile: str | None
    tokens: tuple[str, ...]
    public_base: str | None
    required: bool
    max_body: int


#: With their defaults.
DEFAULTS: dict[str, t.Any] = {
    "host": "127.0.0.1",
    "port": 5000,
    "path": "/plivo",
    "certfile": None,
    "keyfile": None,
    "auth_token": None,
    "public_url": None,
    "require_signature": None,
    "max_body": MEBIBYTE,
}
#: ansible-rulebook itself adds it to what the rulebook gives.
_FEEDBACK_QUEUE = "eda_feedback_queue"


def parse_arguments(args: t.Mapping[str, t.Any]) -> Settings:
    """The arguments of a rulebook as settings; null is the same as not given.

    :raises PlivoError: one that is unknown or wrong, or a combination that would let strangers in unasked.
    """
    unknown = sorted(str(name) for name in args if name not in (*DEFAULTS, _FEEDBACK_QUEUE))
    if unknown:
        raise refusal(f"{unknown[0]}: there is no such argument; there are {', '.join(DEFAULTS)}.")
    values = {name: default if args.get(name) is None else args[name] for name, default in DEFAULTS.items()}

    host = _text("host", values["host"])
    if not is_host(host):
        raise refusal(f"host: {host!r:.200} is neither an address nor a name; for all of them, give '0.0.0.0' or '::'.")
    certfile = None if values["certfile"] is None else _text("certfile", values["certfile"])
    keyfile = None if values["keyfile"] is None else _text("keyfile", values["keyfile"])
    if keyfile is not None and certfile is None:
        raise refusal("keyfile: it needs certfile: give that as well, or neither.")
    # Not from values: an argument that is there and null is most likely a secret that was not found.
    tokens = _tokens(args["auth_token"]) if "auth_token" in args else ()
    required = None if values["require_signature"] is None else _truth("require_signature", values["require_signature"])
    if required and not tokens:
        raise refusal("require_signature: it needs auth_token, which the signatures are made with: give that as well.")
    if required is None and not tokens and not is_loopback(host):
        raise refusal(
            f"host: at {host!r} anybody in the network could send answers, and without auth_token none can be told from"
            " Plivo's; give auth_token, or listen at 127.0.0.1, or set require_signature to false if that is meant."
        )
    public_url = values["public_url"]
    if public_url is not None and not tokens:
        raise refusal("public_url: it is for signatures and needs auth_token: give that as well, or neither.")
    return Settings(
        host=host,
        port=_number("port", values["port"], 1, 65535),
        path=_path(_text("path", values["path"])),
        certfile=certfile,
        keyfile=keyfile,
        tokens=tokens,
        public_base=None if public_url is None else _public_base(_text("public_url", public_url)),
        required=bool(tokens) if required is None else required,
        max_body=_number("max_body", values["max_body"], 1024, 64 * MEBIBYTE),
    )


def _text(name: str, value: t.Any) -> str:
    if not isinstance(value, str):
        raise refusal(f"{name}: {value!r:.100} is not a text; put it into quotes.")
    if not value.strip():
        raise refusal(f"{name}: it is empty; give a value, or leave it out.")
    return value


def _number(name: str, value: t.Any, least: int, most: int) -> int:
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise refusal(f"{name}: {value!r:.100} is not a whole number from {least} to {most}.")
    return value


def _truth(name: str, value: t.Any) -> bool:
    if isinstance(value, str):
        value = _TRUTH.get(value.lower(), value)
    if not isinstance(value, bool):
        raise refusal(f"{name}: {value!r:.100} is neither true nor false.")
    return value


def _tokens(value: t.Any) -> tuple[str, ...]:
    # Not one word of the value in any message.
    tokens = value if isinstance(value, list) else [value]
    if not tokens:
        raise refusal("auth_token: the list is empty; give a token, or leave it out.")
    for token in tokens:
        if token is None:
            raise refusal("auth_token: it is null, as when a variable is not set; give a token, or leave it out.")
        if not isinstance(token, str):
            raise refusal(
                "auth_token: it is not a text; a template makes a number of one that looks like a number: give a list,"
                ' such as "{{ [token | string] }}".'
            )
        if not token.strip():
            raise refusal("auth_token: it is empty; give a token, or leave it out.")
        check_auth_token(token)
    return tuple(tokens)


def _path(path: str) -> str:
    if not _PATH.fullmatch(path):
        raise refusal(
            f"path: {path!r:.200} is not the path of a URL: it begins with a slash, has neither query nor fragment, and"
            " whatever is not ASCII is percent-encoded."
        )
    return path


def _public_base(url: str) -> str:
    try:
        parts = urlsplit(url)
        valid = parts.scheme.lower() in ("http", "https") and is_host(parts.hostname or "")
        # Reading the port is what checks it.
        valid = valid and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid or not _VISIBLE.fullmatch(url):
        shown = "it" if "@" in url else f"{url!r:.200}"
        raise refusal(f"public_url: {shown} is not an absolute http or https URL; give what callback_url says.")
    return base_of(url)
