# SPDX-License-Identifier: Apache-2.0
"""People of a repository: who reaches it and why, giving and taking roles, and whether its namespace's roles count."""

from collections.abc import Mapping
from typing import Final

from wharfinger.console.calls import Call, Leave, View
from wharfinger.console.flashes import Flash
from wharfinger.console.languages import mark
from wharfinger.console.pages.repository import frame
from wharfinger.console.routing import Route
from wharfinger.domain.access import Action, Role
from wharfinger.domain.accounts import parse_subject
from wharfinger.domain.errors import AccountInvalid, AccountUnknown, NameInvalid
from wharfinger.domain.grants import Place, parse_role
from wharfinger.services.reach import Way
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


async def _page(call: Call, *, subject: str = "", role: str = "read", error: str | None = None) -> View:
    return View(
        template="repositories/people.html",
        values={
            **await frame(call, "people"),
            "reach": await call.services.reaches.of_repository(call.registry, call.name),
            "roles": ROLES,
            "ways": WAYS,
            "subject": subject,
            "role": role,
            "error": error,
        },
        status=200 if error is None else 400,
    )


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
