# SPDX-License-Identifier: Apache-2.0
"""Organizations and their members."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import Field

from wharfinger.domain.accounts import AccountKind, AccountName, MemberRole
from wharfinger.domain.management import Target, Task
from wharfinger.domain.pages import page_of
from wharfinger.management_api.accounts import (
    Organization,
    OrganizationChange,
    change_of,
    find,
    require_named,
    show_organization,
)
from wharfinger.management_api.calls import Managing
from wharfinger.management_api.conditions import mark, matches
from wharfinger.management_api.fields import (
    After,
    Description,
    DisplayName,
    KnownName,
    Model,
    NewName,
    OrganizationPath,
    Shown,
    Size,
    UserPath,
    time_of,
)
from wharfinger.management_api.paging import PAGE, Page, page
from wharfinger.management_api.routing import Calling, Route
from wharfinger.management_api.users import Claim
from wharfinger.metadata.organizations import Member
from wharfinger.services.accounts import AccountChange

MemberRoleField = Annotated[MemberRole, Field(strict=False)]


class NewOrganization(Model):
    """An organization that is to be created."""

    name: NewName
    owner: KnownName
    """The user who is its first owner."""
    display_name: DisplayName | None = None
    description: Description | None = None
    claim: Claim = None
    """Where repositories begin with the name already: whether it takes them over. Must be said then."""


class ShownMember(Shown):
    """A member of an organization."""

    name: str
    role: MemberRole
    since: datetime


class Membership(Model):
    """What a member is."""

    role: MemberRoleField = MemberRole.MEMBER


async def list_organizations(call: Calling, size: Size = PAGE, last: After = None) -> Page[Organization]:
    """List the organizations, by name."""
    found = await call.services.accounts.list([AccountKind.ORGANIZATION], last, size)
    return page(call, found, key=lambda one: one.name, show=show_organization)


async def create_organization(call: Calling, new: NewOrganization) -> Organization:
    """Create an organization with its first owner."""
    await require_named(call, new.owner, "/owner")
    made = await call.services.accounts.create_organization(
        AccountName(new.name),
        call.by,
        owner=AccountName(new.owner),
        profile=AccountChange(display_name=new.display_name, description=new.description),
        claim=new.claim,
    )
    shown = show_organization(made)
    mark(call, shown)
    return shown


async def read_organization(call: Calling, organization: OrganizationPath) -> Organization:
    """Show an organization; every account may see it."""
    shown = show_organization(await find(call, organization, AccountKind.ORGANIZATION))
    mark(call, shown)
    return shown


async def change_organization(
    call: Calling, organization: OrganizationPath, change: OrganizationChange
) -> Organization:
    """Change an organization."""
    account = await find(call, organization, AccountKind.ORGANIZATION)
    seen = account if matches(call, show_organization(account)) else None
    changed = await call.services.accounts.change(account.name, change_of(change), call.by, seen=seen)
    shown = show_organization(changed)
    mark(call, shown)
    return shown


async def delete_organization(call: Calling, organization: OrganizationPath) -> None:
    """Delete an organization, with its teams and robots; repositories stay."""
    await call.services.accounts.delete(AccountName(organization), call.by, kind=AccountKind.ORGANIZATION)


async def suspend_organization(call: Calling, organization: OrganizationPath) -> None:
    """Stop an organization: what its members, teams and robots have through it counts no more."""
    await call.services.accounts.suspend(AccountName(organization), call.by, kind=AccountKind.ORGANIZATION)


async def resume_organization(call: Calling, organization: OrganizationPath) -> None:
    """Let a suspended organization go on as it was."""
    await call.services.accounts.resume(AccountName(organization), call.by, kind=AccountKind.ORGANIZATION)


async def list_members(
    call: Calling, organization: OrganizationPath, size: Size = PAGE, last: After = None
) -> Page[ShownMember]:
    """List the members of an organization, by name."""
    found = await call.services.organizations.members(AccountName(organization), last, size + 1)
    return page(call, page_of(found, size), key=lambda one: one.name, show=_show_member)


async def put_member(call: Calling, organization: OrganizationPath, user: UserPath, membership: Membership) -> None:
    """Make a user a member, or give a member another role.

    A user becomes a member at once, without being asked.
    """
    await call.services.organizations.put_member(AccountName(organization), AccountName(user), membership.role, call.by)


async def remove_member(call: Calling, organization: OrganizationPath, user: UserPath) -> None:
    """Take a member out of an organization and of its teams."""
    await call.services.organizations.remove_member(AccountName(organization), AccountName(user), call.by)


def _show_member(member: Member) -> ShownMember:
    return ShownMember(name=member.name, role=member.role, since=time_of(member.since))


_SEE: Final = Managing(Task.SEE, Target.ORGANIZATION)
_READ: Final = Managing(Task.READ, Target.ORGANIZATION)
_MANAGE: Final = Managing(Task.MANAGE, Target.ORGANIZATION)
_SUPERVISE: Final = Managing(Task.SUPERVISE, Target.ORGANIZATION)
_ONE: Final = "/organizations/{organization}"
_MEMBER: Final = "/organizations/{organization}/members/{user}"
ROUTES: Final = (
    Route("GET", "/organizations", Managing(Task.READ, Target.DEPLOYMENT), list_organizations),
    Route(
        "POST",
        "/organizations",
        Managing(Task.MANAGE, Target.DEPLOYMENT),
        create_organization,
        status=201,
        conflicts=True,
    ),
    Route("GET", _ONE, _SEE, read_organization),
    Route("PATCH", _ONE, _MANAGE, change_organization, conditional=True),
    Route("DELETE", _ONE, _MANAGE, delete_organization, status=204),
    Route("PUT", "/organizations/{organization}/suspension", _SUPERVISE, suspend_organization, status=204),
    Route("DELETE", "/organizations/{organization}/suspension", _SUPERVISE, resume_organization, status=204),
    Route("GET", "/organizations/{organization}/members", _READ, list_members),
    Route("PUT", _MEMBER, _MANAGE, put_member, status=204, conflicts=True),
    Route("DELETE", _MEMBER, _MANAGE, remove_member, status=204, conflicts=True),
)
