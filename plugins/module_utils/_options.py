# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of single options, all made before the first request; each refusal names the option and the remedy."""

from __future__ import annotations

import os
import re
import typing as t
from urllib.parse import urlsplit

from ._errors import refusal
from ._hosts import is_host, is_loopback

_AUTH_ID = re.compile(r"[A-Za-z0-9_-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_API_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")
_DURATION = re.compile(r"([0-9]{1,12})([smhd]?)")

_UNIT_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}

#: Least and most that each number may be.
_RANGES: dict[str, tuple[float, int]] = {
    "timeout": (0.001, 3600),
    "retries": (0, 100),
    "max_connections": (1, 256),
    "rate_limit": (0, 100_000),
    "max_hangups": (0, 1_000_000_000),
    "wait_timeout": (0, 86_400),
    "min_members": (0, 1_000_000_000),
    "max_members": (0, 1_000_000_000),
}


def check_number(option: str, value: float | None) -> None:
    """Refuse a number that is not finite or out of its range; an option not given is fine."""
    if value is None:
        return
    least, most = _RANGES[option]
    # NaN compares false with everything, so the test must be for being inside.
    if not least <= value <= most:
        raise refusal(f"{option}: {value!r:.20} is out of range: give a number from {least} to {most}.")


def check_auth_id(auth_id: str) -> str:
    """The Auth ID becomes a part of every URL and is not quoted there."""
    if not _AUTH_ID.fullmatch(auth_id):
        raise refusal(
            f"auth_id: {auth_id!r} is not an Auth ID: letters, digits, '-' and '_' only; set auth_id or the"
            " environment variable PLIVO_AUTH_ID (the Plivo console shows it)."
        )
    return auth_id


def check_auth_token(auth_token: str) -> str:
    """The token goes into a header: a line break in it (a file read with its end of line) would split the header."""
    if not auth_token.strip():
        raise refusal("auth_token: it is empty; set auth_token or the environment variable PLIVO_AUTH_TOKEN.")
    if _CONTROL.search(auth_token) or not _is_unicode(auth_token):
        raise refusal(
            "auth_token: it holds a character that no token has, such as a line break at its end; when it comes from a"
            " file or a lookup, add '| trim'."
        )
    return auth_token


def check_api_url(api_url: str) -> str:
    """The base URL without a slash at its end.

    :raises PlivoError: not an absolute http(s) URL, or one that would send the token in clear over a network.
    """

    def refuse(problem: str) -> t.NoReturn:
        raise refusal(f"api_url: {problem}; give a URL such as https://api.plivo.com/v1.")

    shown = "it" if "@" in api_url else repr(api_url)
    if _CONTROL.search(api_url) or " " in api_url or "\\" in api_url:
        refuse(f"{shown} holds a blank, a backslash or a control character")
    try:
        parts = urlsplit(api_url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        refuse(f"{shown} is not a URL")
    scheme = parts.scheme.lower()
    if scheme not in ("http", "https") or not host:
        refuse(f"{shown} is not an absolute http or https URL")
    if "@" in parts.netloc:
        # Never repeated in the message: what stands there is likely to be a password.
        refuse("it holds user information; credentials belong into auth_id and auth_token")
    if "?" in api_url or "#" in api_url:
        refuse(f"{shown} has a query or a fragment")
    is_ipv6 = ":" in host
    if not is_host(host) or is_ipv6 != ("[" in parts.netloc):
        refuse(f"{shown} has no valid host")
    path = parts.path.rstrip("/")
    if not _API_PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
        refuse(f"{shown} has a path that cannot be kept as it is")
    if scheme == "http" and not is_loopback(host):
        refuse(f"{shown} would send the token in clear: plain http is for localhost, 127.0.0.0/8 and ::1 only")
    authority = f"[{host}]" if is_ipv6 else host
    return f"{scheme}://{authority}{'' if port is None else f':{port}'}{path}"


def check_ca_path(ca_path: str | None) -> None:
    """A CA bundle that is not there is a mistake, also where the URL needs none."""
    if ca_path is not None and not os.path.exists(ca_path):
        raise refusal(f"ca_path: {ca_path!r} does not exist; name a PEM file or a hashed directory.")


def check_callback(callback_url: str | None, callback_method: str | None) -> dict[str, str]:
    """The parameters of asynchronous mode; none when it is not asked for.

    :returns: ``callback_url`` untouched (its fragment tunes the callback), ``callback_method`` when given.
    """
    if callback_url is None:
        if callback_method is not None:
            raise refusal(f"callback_method: {callback_method} needs callback_url: set that as well, or neither.")
        return {}
    try:
        parts = urlsplit(callback_url)
        valid = parts.scheme.lower() in ("http", "https") and bool(parts.hostname)
        # Reading the port is what checks it.
        valid = valid and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid or _CONTROL.search(callback_url) or " " in callback_url or not _is_unicode(callback_url):
        raise refusal(f"callback_url: {callback_url!r} is not an absolute http or https URL; mend it, or remove it.")
    return {"callback_url": callback_url, **({"callback_method": callback_method} if callback_method else {})}


def parse_duration(option: str, text: str) -> int:
    """Seconds from a number of seconds or a number with a unit: ``90``, ``90s``, ``15m``, ``2h``, ``1d``."""
    match = _DURATION.fullmatch(text)
    if not match:
        raise refusal(f"{option}: {text!r} is not a duration: give seconds, or a whole number with s, m, h or d (15m).")
    return int(match.group(1)) * _UNIT_SECONDS[match.group(2)]


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
