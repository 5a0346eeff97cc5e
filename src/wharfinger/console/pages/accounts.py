# SPDX-License-Identifier: Apache-2.0
"""The page of a user, an organization or a namespace: who that is, and what the visitor may see of it."""

from collections.abc import Mapping, Sequence
from typing import Final

from wharfinger.console import commands
from wharfinger.console.accounts import frame, kind_of
from wharfinger.console.calls import Call, View
from wharfinger.console.commands import Command
from wharfinger.console.listing import Listing, listing
from wharfinger.console.routing import Route
from wharfinger.domain.access import Action, Mode
from wharfinger.domain.accounts import AccountKind, AccountName
from wharfinger.domain.errors import NamespaceUnknown
from wharfinger.domain.management import Target, Task
from wharfinger.domain.names import RepositoryName
from wharfinger.services.accounts import unknown
from wharfinger.services.repositories import RepositorySearch
from wharfinger.web.access import OnRepository

PATH: Final = "/accounts/{owner}"
_TARGETS: Final[Mapping[AccountKind | None, Target]] = {
    AccountKind.USER: Target.USER,
    AccountKind.ORGANIZATION: Target.ORGANIZATION,
}
_ORGANIZATIONS: Final = 50


async def show(call: Call) -> View:
    """Show whom a namespace belongs to, and the repositories in it.

    Raises:
        AccountUnknown: there is no such account or namespace, or the visitor may not know of it.
    """
    name = call.parameters["owner"]
    found = await listing(call, name)
    sees_account = await _sees_account(call, name)
    sees_something = bool(found.rows) or await _sees_something(call, name)
    if "/" in name or not (sees_account or sees_something):
        raise unknown(name)
    around = await frame(call, name, "")
    if not (sees_account or await _is_owner(call, name)):
        around["account"] = None  # what lies in the namespace may be seen, and tells nothing of its namesake
    return View(
        template="accounts/one.html",
        values={
            **around,
            "listing": found,
            "push": await _push(call, name, found),
            "organizations": await _organizations(call, name),
        },
    )


async def _sees_account(call: Call, name: str) -> bool:
    if call.mode is not Mode.ACCOUNTS:
        return False
    kind = await kind_of(call, name)
    return kind in _TARGETS and await call.can(Task.SEE, _TARGETS[kind], name)


async def _sees_something(call: Call, name: str) -> bool:
    """Say whether there is a repository that the visitor sees, also if none fits what it looks for."""
    anything = RepositorySearch(namespace=name)
    return bool((await call.services.repositories.browse(call.registry, anything, 1, await call.sight())).items)


async def _is_owner(call: Call, name: str) -> bool:
    try:
        return (await call.services.namespaces.find(call.registry, name)).owner == name
    except NamespaceUnknown:
        return False


async def _push(call: Call, name: str, found: Listing) -> Sequence[Command]:
    """Return how the visitor pushes here, if it may: what an empty page teaches."""
    place = RepositoryName(f"{name}/hello")
    if found.is_empty and await call.may(Action.PUSH, place):
        return commands.push(call.address, place, image="hello")
    return ()


async def _organizations(call: Call, name: str) -> Sequence[str]:
    """Return the organizations of who looks at their own page."""
    if call.guest.session is None or call.guest.session.name != name:
        return ()
    page = await call.services.organizations.organizations_of(AccountName(name), limit=_ORGANIZATIONS)
    return [one.name for one in page]


ROUTES: Final = (Route("GET", PATH, OnRepository(Action.LIST), show),)
