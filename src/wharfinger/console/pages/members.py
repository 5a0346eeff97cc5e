# SPDX-License-Identifier: Apache-2.0
"""Members of an organization: who belongs to it, and who owns it."""

from collections.abc import Awaitable, Callable
from typing import Final

from wharfinger.console.accounts import ROWS, frame, known, tried
from wharfinger.console.calls import Call, Leave, View
from wharfinger.console.confirmations import Asked, ask
from wharfinger.console.flashes import Flash
from wharfinger.console.languages import mark
from wharfinger.console.routing import Route
from wharfinger.domain.accounts import AccountName, MemberRole, parse_account_name
from wharfinger.domain.management import Target, Task
from wharfinger.domain.pages import page_of
from wharfinger.web.access import Managing

_ALL: Final = "/accounts/{organization}/-/members"
_ONE: Final = "/accounts/{organization}/-/members/{user}"
_REFUSED: Final = mark("The members of %(organization)s stay as they are.")


async def show(call: Call) -> View:
    """Show the members, by name."""
    organization = _organization(call)
    found = page_of(
        await call.services.organizations.members(organization, call.query.get("last") or None, ROWS + 1), ROWS
    )
    manages = await call.can(Task.MANAGE, Target.ORGANIZATION, organization)
    owners = [one.name for one in found.items if one.role is MemberRole.OWNER]
    is_whole = not found.more and "last" not in call.query
    return View(
        template="accounts/members.html",
        values={
            **await frame(call, organization, "members"),
            "members": found.items,
            "next": found.items[-1].name if found.more else None,
            "is_first": "last" not in call.query,
            "manages": manages,
            "last_owner": owners[0] if is_whole and len(owners) == 1 else None,
            "known": await known(call) if manages else (),
            "roles": list(MemberRole),
        },
    )


async def add(call: Call) -> Leave:
    """Make a user a member, in the role that the form says."""
    organization, name = _organization(call), call.form.text("name")
    role = MemberRole.OWNER if call.form.text("role") == MemberRole.OWNER else MemberRole.MEMBER

    async def work() -> None:
        await call.services.organizations.put_member(organization, parse_account_name(name), role, call.by)

    said = mark("%(name)s is an owner of %(organization)s now.")
    if role is MemberRole.MEMBER:
        said = mark("%(name)s is a member of %(organization)s now.")
    return await _done(call, work, said, name)


async def ask_to_remove(call: Call) -> View:
    """Ask whether a member is to go."""
    organization, user = _organization(call), call.parameters["user"]
    here = _path(call)
    return ask(
        Asked(
            title=mark("Remove %(name)s from %(organization)s?"),
            texts=(mark("Whoever goes leaves the teams of the organization too, and has at once what is left."),),
            values={"name": user, "organization": organization},
            to=f"{here}/{user}/removal",
            back=here,
            button=mark("Remove"),
        )
    )


async def remove(call: Call) -> Leave:
    """Take a member out of the organization."""
    organization, user = _organization(call), AccountName(call.parameters["user"])

    async def work() -> None:
        await call.services.organizations.remove_member(organization, user, call.by)

    return await _done(call, work, mark("%(name)s is no member of %(organization)s any more."), user)


async def _done(call: Call, work: Callable[[], Awaitable[None]], said: str, name: str) -> Leave:
    flash = Flash(text=said, values={"name": name, "organization": _organization(call)})
    return await tried(work(), _path(call), flash, _REFUSED)


def _organization(call: Call) -> AccountName:
    return AccountName(call.parameters["organization"])


def _path(call: Call) -> str:
    return call.within(f"/accounts/{_organization(call)}/-/members")


_MANAGE: Final = Managing(Task.MANAGE, Target.ORGANIZATION)
ROUTES: Final = (
    Route("GET", _ALL, Managing(Task.READ, Target.ORGANIZATION), show),
    Route("POST", _ALL, _MANAGE, add),
    Route("GET", _ONE + "/removal", _MANAGE, ask_to_remove),
    Route("POST", _ONE + "/removal", _MANAGE, remove),
)
