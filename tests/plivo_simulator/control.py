# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the plivo.voice contributors
"""The control door: JSON over HTTP under /_control, for tests and demos. README.md lists it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Union

from aiohttp import web

if TYPE_CHECKING:
    from .server import Server

CONTROL = "/_control"

_JSON = Union[dict[str, Any], list[Any]]


async def handle(server: Server, request: web.BaseRequest) -> web.StreamResponse:
    """Answer one control request; mistakes in it come back as 400 with a sentence."""
    # Not request.read(), which stops at 1 MiB: a scenario may have ten thousand conferences.
    body = await request.content.read()
    try:
        given = json.loads(body) if body else {}
        status, document = _act(server, request.method, request.path[len(CONTROL) + 1 :], dict(request.query), given)
    except (ValueError, TypeError) as exc:
        status, document = 400, {"error": str(exc)}
    except KeyError as exc:
        status, document = 400, {"error": f"{exc} is missing"}
    return web.json_response(document, status=status)


def _act(server: Server, method: str, route: str, query: dict[str, str], given: Any) -> tuple[int, _JSON]:
    world = server.world
    auth_id = query.get("account")
    act = f"{method} {route}"
    if act == "PUT state":
        server.load(given)
    elif act == "PATCH settings":
        world.change_settings(given, auth_id)
    elif act == "POST clock":
        world.skip(float(given["advance"]))
    elif act == "GET conferences":
        return 200, _live(server)
    elif act == "POST conferences":
        account = world.account(auth_id)
        for each in given:
            account.add(each, world.now())
    elif act == "DELETE conferences":
        if not world.account(auth_id).remove(query["name"], world.now()):
            return 404, {"error": f"there is no conference {query['name']!r}"}
    elif act == "GET faults":
        return 200, server.faults.describe()
    elif act == "POST faults":
        server.faults.add(given)
    elif act == "DELETE faults":
        server.faults.rules = []
    elif act == "GET log":
        since = int(query.get("since", "0"))
        return 200, [entry.as_dict() for entry in server.log.entries if entry.n > since]
    elif act == "DELETE log":
        server.log.clear()
        server.callbacks.delivered.clear()
    elif act == "GET violations":
        return 200, [entry.as_dict() for entry in server.log.violations]
    elif act == "GET callbacks":
        return 200, list(server.callbacks.delivered)
    elif act == "GET stats":
        return 200, server.log.stats()
    else:
        return 404, {"error": f"there is no {act}; README.md lists what there is"}
    return 200, {}


def _live(server: Server) -> dict[str, list[dict[str, Any]]]:
    """What is really live now, whatever the API's list shows of it."""
    now = server.world.now()
    for account in server.world.accounts.values():
        account.advance(now)
    return {
        auth_id: [
            {**conference.details(now), "listed": conference.plan.listed, "findable": conference.plan.findable}
            for conference in account.live.values()
        ]
        for auth_id, account in server.world.accounts.items()
    }
