"""The faults. Each run meets exactly one of them; passing ones strike one request, lasting ones all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plivo_simulator import AUTH_ID

from .verdict import Job

COLLECTION = f"/v1/Account/{AUTH_ID}/Conference/"
LOGIN_PAGE = "<!DOCTYPE html><html><body><form>Please log in: <input name='password'></form></body></html>"
HTML = {"headers": {"Content-Type": "text/html"}, "body": LOGIN_PAGE}
#: More than any contender waits for, at a byte a second.
LONG_HEAD = {"Server": "gateway", "X-Padding": "-" * 600}

#: The one to be hung up, and two that must survive.
CONFERENCE = "Sales"
OTHERS = ("Board meeting", "Support")

Rule = Mapping[str, Any]


# Two faults are never the same; rules could not be hashed anyway.
@dataclass(frozen=True, eq=False)
class Fault:
    title: str
    #: Fault rules of the simulator; its README describes them.
    rules: tuple[Rule, ...] = ()
    passing: bool = False
    jobs: tuple[Job, ...] = tuple(Job)
    conference: str = CONFERENCE
    #: Instead of the right one.
    auth_token: str | None = None
    #: Instead of the right one, /v1.
    prefix: str | None = None
    #: Takes long for those that wait; begun first.
    slow: bool = False

    def rules_for(self, job: Job) -> list[dict[str, Any]]:
        if self.passing:
            # The request that matters. Contenders make different requests on their way to it.
            method = "GET" if job is Job.LIST else "DELETE"
            return [{"method": method, "times": 1, **rule} for rule in self.rules]
        return [{"times": None, **rule} for rule in self.rules]


def once(title: str, *jobs: Job, **rule: Any) -> Fault:
    return Fault(title, (rule,), passing=True, jobs=jobs or tuple(Job), slow=rule["action"] == "silence")


def always(title: str, *rules: Rule, jobs: tuple[Job, ...] = tuple(Job), slow: bool = False) -> Fault:
    return Fault(title, rules, jobs=jobs, slow=slow)


def named(conference: str, shown: str) -> Fault:
    return Fault(f"the conference is named {shown}", jobs=(Job.HANG_UP,), conference=conference)


def answer(status: int, **fields: Any) -> Rule:
    return {"action": "answer", "status": status, **fields}


NO_FAULT = Fault("no fault, for comparison")

FAULTS = (
    once("429 without Retry-After", action="answer", status=429),
    once("429 with Retry-After: 2", action="answer", status=429, headers={"Retry-After": "2"}),
    once("503", action="answer", status=503),
    once("500", action="answer", status=500),
    once("500, though it was done", Job.HANG_UP, action="answer", status=500, when="after"),
    once("408", action="answer", status=408),
    once("reset before it took effect", action="reset"),
    once("reset after it took effect", Job.HANG_UP, action="reset", when="after"),
    once("closed without an answer", action="close"),
    once("closed without an answer, though it was done", Job.HANG_UP, action="close", when="after"),
    once("silence", action="silence"),
    once("silence, though it was done", Job.HANG_UP, action="silence", when="after"),
    once("answer cut short in its body", Job.LIST, action="cut_short"),
    once("answer cut short in its head", action="cut_short", cut_at=40, headers={"Server": "gateway"}),
    always("503 every time", answer(503)),
    always("login page (HTML) with 200", answer(200, **HTML)),
    always(
        "redirect (302) to a login page",
        answer(302, target="collection", headers={"Location": "/login"}),
        answer(302, target="conference", headers={"Location": "/login"}),
        answer(200, **HTML),
    ),
    always(
        "redirect (303) to the list, which makes a GET of the DELETE",
        answer(303, method="DELETE", headers={"Location": COLLECTION}),
        jobs=(Job.HANG_UP,),
    ),
    always(
        "the answer to every hangup is lost",
        {"action": "reset", "when": "after", "method": "DELETE"},
        jobs=(Job.HANG_UP,),
    ),
    always("200 with an error in it", answer(200, json={"api_id": "x", "error": "internal error"})),
    always("{} instead of the list", answer(200, json={}), jobs=(Job.LIST,)),
    always("a text instead of the list", answer(200, json={"api_id": "x", "conferences": "Sales"}), jobs=(Job.LIST,)),
    always("numbers instead of names", answer(200, json={"api_id": "x", "conferences": [1, None]}), jobs=(Job.LIST,)),
    always("bytes left in the connection behind the answer", {"action": "stray"}),
    always("one byte a second", {"action": "drip", "interval": 1, "headers": LONG_HEAD}, slow=True),
    always("an answer without end", {"action": "flood", "framing": "chunked"}, slow=True),
    always("silence every time", {"action": "silence"}, slow=True),
    Fault("wrong token (401)", auth_token="wrong"),
    Fault("wrong base URL (404)", prefix="/v2"),
    named(".", "`.`"),
    named("#x", "`#x`"),
    named("?x", "`?x`"),
    named("a/b", "`a/b`"),
    named("", "nothing (an empty name)"),
)
