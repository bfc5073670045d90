# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plivo's signatures, version 3: what they are about, whether one fits, and whether it was seen before.

Version 2 is none of our business: it covers neither query nor fields, so whoever has seen one signed request could send
any answer with it.
"""

from __future__ import annotations

import base64
import collections
import hashlib
import hmac
import typing as t
from urllib.parse import urlparse, urlunparse

#: Names and values as they came, decoded.
Pairs = t.Sequence[tuple[str, str]]

FRESH = "fresh"
PENDING = "pending"
USED = "used"


def base_of(url: str) -> str:
    """What of a URL is signed as it stands: everything before parameters of the path, query and fragment.

    The fragment of a ``callback_url`` is never sent and not signed.
    """
    parts = urlparse(url)
    return urlunparse((parts.scheme, parts.netloc, parts.path, "", "", ""))


def text_to_sign(base: str, query: Pairs, form: Pairs, nonce: str) -> bytes:
    """What Plivo's version 3 signs; GET is a request without a form.

    :param base: see ``base_of``.
    """
    text = base
    if query or form:
        text += "?" + "&".join(f"{name}={value}" for name, value in sorted(query))
    if query and form:
        text += "."
    text += "".join(name + value for name, value in sorted(form))
    # A header's bytes that are not UTF-8 become half characters; they must fail to fit, not raise.
    return f"{text}.{nonce}".encode("utf-8", "surrogateescape")


def sign(token: str, text: bytes) -> str:
    """The signature as it stands in a header."""
    return base64.b64encode(hmac.new(token.encode(), text, hashlib.sha256).digest()).decode()


def any_fits(tokens: t.Iterable[str], headers: t.Iterable[str], text: bytes) -> bool:
    """Whether one of the signatures was made with one of the tokens.

    :param headers: values of the signature headers; each may hold several signatures, separated by commas.
    """
    candidates = [each.strip().encode("utf-8", "surrogateescape") for value in headers for each in value.split(",")]
    fits = False
    for token in tokens:
        expected = sign(token, text).encode()
        for candidate in candidates:
            # All are compared, each in constant time: how long it takes tells nothing.
            fits |= hmac.compare_digest(candidate, expected)
    return fits


class Nonces:
    """The nonces of accepted requests: each is good for one event.

    Only a nonce with a signature that fits gets here. So no stranger can fill it; when it is full, the oldest may go.

    :param seconds: how long a nonce is remembered.
    :param capacity: how many are.
    :param clock: monotonic seconds.
    """

    def __init__(self, seconds: float, capacity: int, clock: t.Callable[[], float]) -> None:
        self._seconds = seconds
        self._capacity = capacity
        self._clock = clock
        self._pending: set[str] = set()
        #: When each was used, the oldest first.
        self._used: collections.OrderedDict[str, float] = collections.OrderedDict()

    def claim(self, nonce: str) -> str:
        """Whether it is ``FRESH``; then it is ``PENDING`` for everybody else, until it is settled."""
        now = self._clock()
        while self._used and now - next(iter(self._used.values())) >= self._seconds:
            self._used.popitem(last=False)
        if nonce in self._used:
            return USED
        if nonce in self._pending:
            return PENDING
        self._pending.add(nonce)
        return FRESH

    def settle(self, nonce: str, used: bool) -> None:
        """Say what became of a claim: without an event, the same request may come again."""
        self._pending.remove(nonce)
        if used:
            self._used[nonce] = self._clock()
            if len(self._used) > self._capacity:
                self._used.popitem(last=False)
