# SPDX-License-Identifier: Apache-2.0
"""Oneself: who is signed in, with what, and one's own profile and password."""

from typing import Annotated, Final

from pydantic import Field

from wharfinger.domain.accounts import AccountKind, AccountName, MemberRole
from wharfinger.domain.grants import DEPLOYMENT, word_of
from wharfinger.domain.identity import Scope
from wharfinger.domain.management import Target, Task
from wharfinger.management_api.accounts import ProfileChange, User, change_of, find, show_user
from wharfinger.management_api.calls import SIGNED_IN, Managing
from wharfinger.management_api.conditions import mark, matches
from wharfinger.management_api.fields import Model, Secret, Shown
from wharfinger.management_api.passwords import hashed, require_current
from wharfinger.management_api.routing import Calling, Route


class Me(Shown):
    """Who is signed in, and what with."""

    name: str
    kind: AccountKind
    credential_id: int | None
    """The token or key that was shown; nothing for a password."""
    scopes: list[Scope] | None
    """What it may be used for; nothing if it is not limited."""
    deployment_role: Annotated[str | None, Field(examples=["admin"])]
    """The role that the account itself was given on the deployment: `admin` is what is called manager."""


class PasswordChange(Model):
    """A new password of one's own."""

    current_password: Secret
    new_password: Secret


class OwnOrganization(Shown):
    """An organization that one belongs to."""

    name: str
    role: MemberRole


class OwnOrganizations(Shown):
    """All of them."""

    items: list[OwnOrganization]


async def read_me(call: Calling) -> Me:
    """Say who is signed in.

    Every account and every token may ask.
    """
    account = await call.services.accounts.find(AccountName(call.principal.name))
    grants = await call.services.grants.of_subject(account.name)
    scopes = call.principal.ceiling.scopes
    return Me(
        name=account.name,
        kind=account.kind,
        credential_id=call.principal.credential_id,
        scopes=None if scopes is None else sorted(scopes),
        deployment_role=next((word_of(one.role) for one in grants if one.place == DEPLOYMENT), None),
    )


async def read_my_profile(call: Calling) -> User:
    """Show one's own profile."""
    shown = show_user(await find(call, call.principal.name, AccountKind.USER))
    mark(call, shown)
    return shown


async def change_my_profile(call: Calling, change: ProfileChange) -> User:
    """Change one's own profile."""
    account = await find(call, call.principal.name, AccountKind.USER)
    seen = account if matches(call, show_user(account)) else None
    shown = show_user(await call.services.accounts.change(account.name, change_of(change), call.by, seen=seen))
    mark(call, shown)
    return shown


async def change_my_password(call: Calling, passwords: PasswordChange) -> None:
    """Change one's own password.

    Whatever credential is shown, the current password is needed: a token that was stolen does not become an account
    that was stolen. Whoever signed in with the old password has to sign in again.
    """
    name = AccountName(call.principal.name)
    await require_current(call, passwords.current_password)
    new = await hashed(name, passwords.new_password, "/new_password")
    await call.services.accounts.set_password(name, new, call.by)


async def list_my_organizations(call: Calling) -> OwnOrganizations:
    """List the organizations that one belongs to."""
    found = await call.services.organizations.organizations_of(AccountName(call.principal.name))
    return OwnOrganizations(items=[OwnOrganization(name=one.name, role=one.role) for one in found])


_READ: Final = Managing(Task.READ, Target.USER, own=True)
_MANAGE: Final = Managing(Task.MANAGE, Target.USER, own=True)
ROUTES: Final = (
    Route("GET", "/me", SIGNED_IN, read_me),
    Route("GET", "/me/profile", _READ, read_my_profile),
    Route("PATCH", "/me/profile", _MANAGE, change_my_profile, conditional=True),
    Route("PUT", "/me/password", _MANAGE, change_my_password, status=204),
    Route("GET", "/me/organizations", _READ, list_my_organizations),
)
