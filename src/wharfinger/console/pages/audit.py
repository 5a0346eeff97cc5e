# SPDX-License-Identifier: Apache-2.0
"""The audit log: who did what and when, and what was refused; and taking it along as a file."""

from collections.abc import Sequence
from typing import Final

from wharfinger.console.calls import Call, Download, View
from wharfinger.console.forms import link
from wharfinger.console.languages import mark
from wharfinger.console.pages.administration import PATH, READ
from wharfinger.console.routing import Route
from wharfinger.domain.audit import WHOLE_LOG, AuditFilter, ExportFormat, parse_actions, parse_moment
from wharfinger.domain.errors import QueryInvalid, WharfingerError
from wharfinger.domain.events import EventAction, Result
from wharfinger.domain.names import parse_repository_name
from wharfinger.domain.sentences import Sentence
from wharfinger.web.access import parse_number

_SIZE: Final = 50
_LONGEST: Final = 300
_FIELDS: Final = ("who", "action", "repository", "target", "result", "since", "until")
RESULTS: Final = {Result.DONE: mark("done"), Result.REFUSED: mark("refused")}
_TYPES: Final = {ExportFormat.CSV: "text/csv; charset=utf-8", ExportFormat.JSON_LINES: "application/jsonl"}


async def show(call: Call) -> View:
    """Show the newest events that fulfil what was asked for."""
    asked = {name: call.query.get(name, "").strip()[:_LONGEST] for name in _FIELDS}
    try:
        wanted, wrong = _wanted(asked), None
    except WharfingerError as error:
        wanted, wrong = AuditFilter(), error.message
    before = parse_number(call.query["before"]) if call.query.get("before") else None
    found = None
    if wrong is None:
        found = await call.services.audit.list(wanted, WHOLE_LOG, before=before, limit=_SIZE)
    chosen = {name: text or None for name, text in asked.items()}
    return View(
        template="administration/audit.html",
        values={
            "tab": "audit",
            "asked": asked,
            "wrong": wrong,
            "events": () if found is None else found.items,
            "older": found.items[-1].id if found is not None and found.more else None,
            "first": before is None,
            "filtered": any(asked.values()),
            "actions": _actions(),
            "results": RESULTS,
            "exports": [(one.value, link({}, format=one.value, **chosen)) for one in ExportFormat],
        },
        status=200 if wrong is None else 400,
    )


async def export(call: Call) -> Download:
    """Give the events that fulfil what was asked for as a file, the oldest first."""
    try:
        kind = ExportFormat(call.query.get("format", ""))
    except ValueError:
        message = Sentence("`format` must be one of %(known)s.", known=", ".join(ExportFormat))
        raise QueryInvalid(message) from None
    wanted = _wanted({name: call.query.get(name, "").strip()[:_LONGEST] for name in _FIELDS})
    pieces = call.services.audit.export(wanted, WHOLE_LOG, kind)
    return Download(name=f"audit.{kind}", media_type=_TYPES[kind], pieces=pieces)


def _wanted(asked: dict[str, str]) -> AuditFilter:
    """Return what the form asks for.

    Raises:
        WharfingerError: a field cannot be that.
    """
    return AuditFilter(
        who=asked["who"] or None,
        actions=parse_actions(asked["action"]) if asked["action"] else (),
        repository=parse_repository_name(asked["repository"]) if asked["repository"] else None,
        target=asked["target"] or None,
        result=_result(asked["result"]),
        since=parse_moment(asked["since"]) if asked["since"] else None,
        until=parse_moment(asked["until"]) if asked["until"] else None,
    )


def _result(text: str) -> Result | None:
    if not text:
        return None
    try:
        return Result(text)
    except ValueError:
        message = Sentence("`result` must be one of %(known)s.", known=", ".join(Result))
        raise QueryInvalid(message) from None


def _actions() -> Sequence[str]:
    """Return the words of the form: each noun, and each thing that happens to it."""
    words: list[str] = []
    for one in EventAction:
        noun = one.value.partition(".")[0]
        words += [word for word in (noun, one.value) if word not in words]
    return sorted(words)


ROUTES: Final[Sequence[Route]] = (
    Route("GET", f"{PATH}/audit", READ, show),
    Route("GET", f"{PATH}/audit/export", READ, export),
)
