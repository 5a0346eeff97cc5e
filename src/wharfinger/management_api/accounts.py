# SPDX-License-Identifier: Apache-2.0
"""What is shown of accounts, and how a change of one is read: the same for users, organizations and robots."""

from datetime import datetime
from typing import Annotated, TypedDict

from pydantic import Field

from wharfinger.domain.accounts import AccessType, AccountKind, AccountName
from wharfinger.domain.errors import AccountConflict, AccountUnknown
from wharfinger.domain.sentences import Sentence
from wharfinger.management_api.calls import Call
from wharfinger.management_api.fields import Description, DisplayName, EMail, Model, Shown, moment, time_of
from wharfinger.management_api.problems import BadRequest, FieldError
from wharfinger.metadata.accounts import Account
from wharfinger.services.accounts import AccountChange, unknown

AccessTypeField = Annotated[AccessType, Field(strict=False)]


class _Shared(TypedDict):
    """The fields of `ShownAccount`."""

    name: str
    display_name: str | None
    description: str | None
    created_at: datetime
    suspended_at: datetime | None


class ShownAccount(Shown):
    """What every account has."""

    name: str
    display_name: str | None
    description: str | None
    created_at: datetime
    suspended_at: datetime | None
    """Since when it is let in nowhere; nothing if it is."""


class User(ShownAccount):
    """A person."""

    email: str | None
    access_type: AccessType
    """Where it may sign in: `console`, `keys` (with tokens and access keys), or `both`."""


class Organization(ShownAccount):
    """An organization."""

    anonymous_pull: bool
    """Whether public repositories in its namespaces may be pulled without signing in."""


class Robot(ShownAccount):
    """An account for a machine."""


class ProfileChange(Model):
    """What one changes of oneself. A field that is left out stays as it is; null removes it."""

    display_name: DisplayName | None = None
    email: EMail | None = None
    description: Description | None = None


class UserChange(ProfileChange):
    """What a manager changes of a user. A field that is left out stays as it is; null removes it."""

    access_type: AccessTypeField = AccessType.BOTH


class OrganizationChange(Model):
    """What is to change of an organization. A field that is left out stays as it is; null removes it."""

    display_name: DisplayName | None = None
    description: Description | None = None
    anonymous_pull: bool = True


class RobotChange(Model):
    """What is to change of a robot. A field that is left out stays as it is; null removes it."""

    display_name: DisplayName | None = None
    description: Description | None = None


def change_of(body: ProfileChange | OrganizationChange | RobotChange) -> AccountChange:
    """Return the change that a body asks for: only fields that it has, and null as what removes."""
    said = body.model_fields_set
    email = body.email if isinstance(body, ProfileChange) else None
    return AccountChange(
        display_name=(body.display_name or "") if "display_name" in said else None,
        email=(email or "") if "email" in said else None,
        description=(body.description or "") if "description" in said else None,
        access_type=body.access_type if isinstance(body, UserChange) and "access_type" in said else None,
        anonymous_pull=body.anonymous_pull
        if isinstance(body, OrganizationChange) and "anonymous_pull" in said
        else None,
    )


def show_user(account: Account) -> User:
    """Return a user as it is shown to who may read it."""
    return User(**_shared(account), email=account.email, access_type=account.access_type)


def show_organization(account: Account) -> Organization:
    """Return an organization as it is shown."""
    return Organization(**_shared(account), anonymous_pull=account.anonymous_pull)


def show_robot(account: Account) -> Robot:
    """Return a robot as it is shown."""
    return Robot(**_shared(account))


def _shared(account: Account) -> _Shared:
    return _Shared(
        name=account.name,
        display_name=account.display_name,
        description=account.description,
        created_at=time_of(account.created_at),
        suspended_at=moment(account.suspended_at),
    )


async def find(call: Call, name: str, kind: AccountKind) -> Account:
    """Return the account of that name and kind.

    Raises:
        AccountUnknown: there is none.
    """
    account = await call.services.accounts.find(AccountName(name))
    if account.kind is not kind:
        raise unknown(name)
    return account


def require_other(call: Call, name: str, what: str) -> None:
    """Return unless the caller would shut itself out.

    Raises:
        AccountConflict: it would.
    """
    if name == call.principal.name:
        message = Sentence("You cannot %(what)s your own account; another manager of the deployment can.", what=what)
        raise AccountConflict(message)


async def require_named(call: Call, name: str, pointer: str) -> None:
    """Return if there is an account that a field of the body names.

    Raises:
        BadRequest: there is none; the field is named, because the path was right.
    """
    try:
        await call.services.accounts.find(AccountName(name))
    except AccountUnknown as error:
        field = FieldError(error.message, pointer=pointer)
        raise BadRequest(422, "fields-invalid", "Fields of the body cannot be taken.", [field]) from None
