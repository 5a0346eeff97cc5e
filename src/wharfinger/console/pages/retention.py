# SPDX-License-Identifier: Apache-2.0
"""Which tags of a repository stay: its rules, what they would do, and doing exactly that.

The preview is the plan of `services.retention` itself. Its fingerprint goes with the form that has it done: if
something else would go by then, nothing does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.clock import DAY
from wharfinger.console.calls import Call, Leave, View
from wharfinger.console.flashes import Flash
from wharfinger.console.forms import Form
from wharfinger.console.languages import mark
from wharfinger.console.pages.repository import frame
from wharfinger.console.routing import Route
from wharfinger.domain.access import Action
from wharfinger.domain.errors import DeletionDisabled, PreconditionFailed, ReadOnly, RuleInvalid
from wharfinger.domain.policies.retention import (
    MAX_DAYS,
    MAX_NEWEST,
    MAX_RULES,
    Policy,
    Rule,
    Verdict,
    make_policy,
    make_rule,
)
from wharfinger.domain.sentences import Sentence
from wharfinger.services.retention import Plan
from wharfinger.web.access import OnRepository

VERDICTS_SHOWN: Final = 200
_EMPTY_ROWS: Final = 2
_FIELDS: Final = ("name", "tags", "newest", "moved", "pulled")
_LONGEST_FORM: Final = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRow:
    """A rule as the form writes it: texts, also those that are wrong."""

    name: str = ""
    tags: str = ""
    newest: str = ""
    moved: str = ""
    pulled: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A plan as the page shows it: what goes, and what stays, each only so far as anybody reads.

    Args:
        plan: the whole.
        going, staying: its begin.
    """

    plan: Plan
    going: Sequence[Verdict]
    staying: Sequence[Verdict]
    stays: int


async def show(call: Call) -> View:
    """Show the rules that count, and what they would do now."""
    found = await call.services.retention.of_repository(call.registry, call.name)
    plan = None if found is None else await call.services.retention.preview(call.registry, call.name)
    rows = () if found is None else [_row(rule) for rule in found.policy.rules]
    untagged = "" if found is None else _days(found.policy.untagged_after)
    return await _page(call, rows, untagged, plan=plan, is_set=found is not None)


async def change(call: Call) -> View | Leave:
    """Show what other rules would do, or keep them."""
    rows, untagged = _read(call.form), call.form.text("untagged")
    try:
        policy = _policy(rows, untagged)
    except RuleInvalid as error:
        return await _page(call, rows, untagged, error=error.message)
    retention = call.services.retention
    if call.form.get("do") == "preview":
        return await _page(call, rows, untagged, plan=await retention.preview(call.registry, call.name, policy))
    await retention.set_for_repository(call.registry, call.name, policy, call.by)
    return Leave(to=_back(call), flash=Flash(text=mark("The rules were saved. They run by themselves from now on.")))


async def follow(call: Call) -> Leave:
    """Take the repository's own rules away: it follows its namespace's then."""
    await call.services.retention.set_for_repository(call.registry, call.name, None, call.by)
    return Leave(to=_back(call), flash=Flash(text=mark("This repository has no rules of its own any more.")))


async def run(call: Call) -> Leave:
    """Do what the plan said that the visitor saw."""
    expected = call.form.get("expected", "")[:100]
    try:
        plan = await call.services.retention.run(call.registry, call.name, call.by, expected=expected)
    except (PreconditionFailed, DeletionDisabled, ReadOnly) as error:
        return Leave(to=_back(call), flash=Flash(text=mark("Nothing was deleted."), said=error.message, failed=True))
    text = mark("Tags and manifests deleted: %(count)s. “Activity” brings tags back.")
    return Leave(to=_back(call), flash=Flash(text=text, values={"count": len(plan.going)}))


async def _page(
    call: Call,
    rows: Sequence[RuleRow],
    untagged: str,
    *,
    plan: Plan | None = None,
    is_set: bool = False,
    error: str | None = None,
) -> View:
    governing = await call.services.retention.of_repository(call.registry, call.name)
    empty = [RuleRow()] * min(_EMPTY_ROWS, MAX_RULES - len(rows))
    return View(
        template="repositories/retention.html",
        values={
            **await frame(call, "settings"),
            "governing": governing,
            "has_own": governing is not None and governing.namespace is None,
            "rules": [*rows, *empty],
            "untagged": untagged,
            "shown": None if plan is None else _shown(plan),
            "is_set": is_set,
            "error": error,
            "most": {"days": MAX_DAYS, "newest": MAX_NEWEST},
            "why_nothing_goes": call.services.repositories.why_nothing_goes(),
        },
        status=200 if error is None else 400,
    )


def _shown(plan: Plan) -> Shown:
    staying = [one for one in plan.verdicts if one.kept]
    return Shown(plan=plan, going=plan.going[:VERDICTS_SHOWN], staying=staying[:VERDICTS_SHOWN], stays=len(staying))


def _read(form: Form) -> Sequence[RuleRow]:
    """Return the rows in which anything was written, in their order."""
    found = []
    for index in range(MAX_RULES + _EMPTY_ROWS):
        row = RuleRow(**{field: form.text(f"{field}-{index}") for field in _FIELDS})
        if row != RuleRow():
            found.append(row)
    return found


def _policy(rows: Sequence[RuleRow], untagged: str) -> Policy:
    rules = [
        make_rule(
            row.name,
            row.tags,
            newest=_number(row.newest),
            moved_within=_number(row.moved),
            pulled_within=_number(row.pulled),
        )
        for row in rows
    ]
    return make_policy(rules, _number(untagged))


def _number(text: str) -> int | None:
    """Return a number of the form; nothing where none is written.

    Raises:
        RuleInvalid: it is none.
    """
    if not text:
        return None
    if text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_NEWEST)):
        return int(text)
    message = Sentence("%(text)r is not a number: write a whole one, such as 10.", text=text[:20])
    raise RuleInvalid(message)


def _row(rule: Rule) -> RuleRow:
    return RuleRow(
        name=rule.name,
        tags=str(rule.tags),
        newest="" if rule.newest is None else str(rule.newest),
        moved=_days(rule.moved_within),
        pulled=_days(rule.pulled_within),
    )


def _days(span: int | None) -> str:
    return "" if span is None else str(span // DAY)


def _back(call: Call) -> str:
    return call.repository_path("settings/retention")


_RETENTION: Final = "/repositories/{name}/-/settings/retention"
_ADMINISTER: Final = OnRepository(Action.ADMINISTER)
ROUTES: Final = (
    Route("GET", _RETENTION, _ADMINISTER, show),
    Route("POST", _RETENTION, _ADMINISTER, change, longest_form=_LONGEST_FORM),
    Route("POST", _RETENTION + "/follow", _ADMINISTER, follow),
    Route("POST", _RETENTION + "/run", _ADMINISTER, run),
)
