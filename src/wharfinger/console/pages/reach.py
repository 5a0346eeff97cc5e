# SPDX-License-Identifier: Apache-2.0
"""People of a repository: who reaches it and why, giving and taking roles, and whether its namespace's roles count."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.console.calls import Call, Leave, View
from wharfinger.console.flashes import Flash
from wharfinger.console.languages import mark
from wharfinger.console.pages.repository import frame
from wharfinger.console.pages.trust import KINDS
from wharfinger.console.routing import Route
from wharfinger.console.workflows import kind_of
from wharfinger.domain.access import Action, Role
from wharfinger.domain.accounts import parse_subject
from wharfinger.domain.errors import AccountInvalid, AccountUnknown, NameInvalid, QueryInvalid
from wharfinger.domain.grants import Place, parse_role
from wharfinger.domain.management import Target, Task
from wharfinger.domain.names import namespace_of
from wharfinger.domain.sentences import Sentence
from wharfinger.services.reach import Trusted, Way
from wharfinger.services.repositories import RepositoryChange
from wharfinger.web.access import OnRepository

ROLES: Final[Mapping[Role, str]] = {Role.READ: mark("read"), Role.WRITE: mark("write"), Role.ADMIN: mark("admin")}
WAYS: Final[Mapping[Way, str]] = {
    Way.REPOSITORY: mark("a role on this repository"),
    Way.OWNER: mark("owner of the namespace"),
    Way.NAMESPACE: mark("a role on the namespace"),
    Way.MEMBER: mark("member of the organization"),
    Way.REGISTRY: mark("a role on the registry"),
    Way.DEPLOYMENT: mark("a role on the deployment"),
}


ROWS: Final = 50
"""People on one page."""
MOST_RULES: Final = 50
_MOST_FIGURES: Final = 6
PLACES: Final[Mapping[Way, str]] = {
    Way.REPOSITORY: mark("on this repository"),
    Way.NAMESPACE: mark("on the namespace"),
    Way.REGISTRY: mark("on the registry"),
}
"""Where a trust rule is."""


async def show(call: Call) -> View:
    """Show who reaches the repository."""
    return await _page(call)


async def give(call: Call) -> View | Leave:
    """Give somebody a role, instead of the one before."""
    text, word = call.form.text("subject"), call.form.get("role", "")
    place = _place(call)
    try:
        subject = parse_subject(text)
        await call.services.grants.give(subject, place, parse_role(word, place), call.by)
    except (AccountInvalid, AccountUnknown, NameInvalid) as error:
        return await _page(call, subject=text, role=word, error=error.message)
    values = {"subject": str(subject), "name": call.name}
    texts = {
        "read": mark("%(subject)s may pull from %(name)s now."),
        "write": mark("%(subject)s may pull from and push to %(name)s now."),
        "admin": mark("%(subject)s may do everything to %(name)s now."),
    }
    return Leave(to=_back(call), flash=Flash(text=texts[word], values=values))


async def take(call: Call) -> Leave:
    """Take away what somebody was given on the repository."""
    try:
        subject = parse_subject(call.form.get("subject", ""))
        await call.services.grants.take(subject, _place(call), call.by)
    except (AccountInvalid, AccountUnknown, NameInvalid) as error:
        return Leave(to=_back(call), flash=Flash(text=mark("Nothing was changed."), said=error.message, failed=True))
    text = mark("%(subject)s has no role on %(name)s itself any more.")
    return Leave(to=_back(call), flash=Flash(text=text, values={"subject": str(subject), "name": call.name}))


async def inherit(call: Call) -> Leave:
    """Switch on or off whether what the namespace gives counts here."""
    inherits = call.form.get("inherits") == "on"
    await call.services.repositories.change(call.registry, call.name, RepositoryChange(inherits=inherits), call.by)
    text = mark("What the namespace gives counts here now.")
    if not inherits:
        text = mark("What the namespace gives does not count here any more.")
    return Leave(to=_back(call), flash=Flash(text=text))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustRow:
    """A trust rule as the page shows it.

    Args:
        trusted: what it is, and where.
        kind: for whom it is.
        path: of its page, below the site's prefix; nothing for who may not see that.
    """

    trusted: Trusted
    kind: str
    path: str | None


async def _page(call: Call, *, subject: str = "", role: str = "read", error: str | None = None) -> View:
    reach = await call.services.reaches.of_repository(call.registry, call.name)
    start = _start(call)
    return View(
        template="repositories/people.html",
        values={
            **await frame(call, "people"),
            "reach": reach,
            "people": reach.people[start : start + ROWS],
            "start": start,
            "next": start + ROWS if len(reach.people) > start + ROWS else None,
            "trusted": await _trusted(call, reach.trusted),
            "roles": ROLES,
            "ways": WAYS,
            "places": PLACES,
            "more_rules": len(reach.trusted) > MOST_RULES,
            "subject": subject,
            "role": role,
            "error": error,
        },
        status=200 if error is None else 400,
    )


def _start(call: Call) -> int:
    """Return how many people stand on the pages before this one."""
    text = call.query.get("from", "0")
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_FIGURES):
        message = Sentence("`from` is the number of people on the pages before; begin at the first page.")
        raise QueryInvalid(message)
    return int(text)


async def _trusted(call: Call, found: Sequence[Trusted]) -> Sequence[TrustRow]:
    """Return the trust rules, each with the page at which it is changed, if the visitor has it."""
    namespace = namespace_of(call.name)
    paths: dict[Way, str] = {Way.REPOSITORY: call.repository_path("trust")}
    if namespace is not None and await call.can(Task.MANAGE, Target.NAMESPACE, namespace):
        paths[Way.NAMESPACE] = call.within(f"/accounts/{namespace}/-/trust")
    if await call.can(Task.READ, Target.REGISTRY, call.registry.name):
        paths[Way.REGISTRY] = f"/registries/{call.registry.name}/-/trust"
    return [
        TrustRow(
            trusted=one,
            kind=KINDS[kind_of(one.rule)][0],
            path=f"{paths[one.way]}/{one.rule.id}" if one.way in paths else None,
        )
        for one in found[:MOST_RULES]
    ]


def _place(call: Call) -> Place:
    return Place(registry_id=call.registry.id, repository=call.name)


def _back(call: Call) -> str:
    return call.repository_path("people")


_PEOPLE: Final = "/repositories/{name}/-/people"
_ADMINISTER: Final = OnRepository(Action.ADMINISTER)
ROUTES: Final = (
    Route("GET", _PEOPLE, _ADMINISTER, show, for_accounts=True),
    Route("POST", _PEOPLE, _ADMINISTER, give, for_accounts=True),
    Route("POST", _PEOPLE + "/take", _ADMINISTER, take, for_accounts=True),
    Route("POST", _PEOPLE + "/inheritance", _ADMINISTER, inherit, for_accounts=True),
)
