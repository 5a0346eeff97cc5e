# SPDX-License-Identifier: Apache-2.0
"""External identities: as whom a provider vouches for a user, so that it can sign in through it."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import Field

from wharfinger.domain.accounts import AccountName
from wharfinger.domain.management import Target, Task
from wharfinger.management_api.accounts import require_other
from wharfinger.management_api.calls import Managing
from wharfinger.management_api.fields import Model, OneLine, ProviderName, ProviderPath, Shown, UserPath, time_of
from wharfinger.management_api.routing import Calling, Route
from wharfinger.metadata.external_identities import ExternalIdentity


class ShownIdentity(Shown):
    """What a provider calls a user."""

    provider: str
    subject: str
    created_at: datetime


class Identities(Shown):
    """The identities of a user: they are few."""

    items: list[ShownIdentity]


class NewIdentity(Model):
    """An identity that is to be linked."""

    provider: ProviderName
    subject: Annotated[OneLine, Field(min_length=1, max_length=255, examples=["0f9c6f6e-3d2c-4b8e-9a57-0d7b6a0c2f11"])]
    """The `sub` of the provider's ID tokens: never a name or an e-mail."""


async def list_identities(call: Calling, user: UserPath) -> Identities:
    """List what providers call a user."""
    return Identities(items=[_show(one) for one in await call.services.people.external_identities.list(_name(user))])


async def link_identity(call: Calling, user: UserPath, new: NewIdentity) -> Identities:
    """Let somebody sign in as the user through a provider.

    The answer lists all identities of the user. Nobody links one to its own account here: whoever stole a token would
    keep the account.
    """
    require_other(call, user, "link an identity to")
    identities = call.services.people.external_identities
    await identities.link(_name(user), new.provider, new.subject, call.by)
    return Identities(items=[_show(one) for one in await identities.list(_name(user))])


async def unlink_identities(call: Calling, user: UserPath, provider: ProviderPath) -> None:
    """Have a provider vouch for a user no more; the user's sessions in the console end."""
    await call.services.people.external_identities.unlink(_name(user), provider, call.by)


def _name(user: str) -> AccountName:
    return AccountName(user)


def _show(one: ExternalIdentity) -> ShownIdentity:
    return ShownIdentity(provider=one.provider, subject=one.subject, created_at=time_of(one.created_at))


_SUPERVISE: Final = Managing(Task.SUPERVISE, Target.USER)
ROUTES: Final = (
    Route("GET", "/users/{user}/identities", Managing(Task.READ, Target.USER), list_identities),
    Route("POST", "/users/{user}/identities", _SUPERVISE, link_identity, status=201, conflicts=True),
    Route("DELETE", "/users/{user}/identities/{provider}", _SUPERVISE, unlink_identities, status=204),
)
