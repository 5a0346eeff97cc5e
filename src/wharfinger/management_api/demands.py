# SPDX-License-Identifier: Apache-2.0
"""Organizations that demand single sign-on of their members, and the tokens and keys that they take (ADR 0026)."""

from typing import Final

from wharfinger.domain.accounts import AccountName
from wharfinger.domain.management import Target, Task
from wharfinger.management_api.accounts import require_other
from wharfinger.management_api.calls import Managing
from wharfinger.management_api.fields import (
    AccountPath,
    CredentialPath,
    Model,
    OrganizationPath,
    ProviderName,
    Shown,
)
from wharfinger.management_api.routing import Calling, Route


class ShownDemand(Shown):
    """Whether an organization demands single sign-on."""

    provider: str | None
    """Through which its members must sign in; nothing if it demands none."""
    members_without_identity: int
    """How many members that provider does not vouch for yet."""


class NewDemand(Model):
    """What an organization is to demand."""

    provider: ProviderName


class DemandOfAccount(Shown):
    """What an organization demands of an account, and which of its tokens and keys count there."""

    organization: str
    provider: str
    credentials: list[int]
    """The numbers of those that are authorized."""


class DemandsOfAccount(Shown):
    """All that is demanded of an account."""

    items: list[DemandOfAccount]


async def read_demand(call: Calling, organization: OrganizationPath) -> ShownDemand:
    """Show whether an organization demands single sign-on of its members."""
    provider, unable = await call.services.people.demands.of(AccountName(organization))
    return ShownDemand(provider=provider, members_without_identity=unable)


async def demand_sign_on(call: Calling, organization: OrganizationPath, new: NewDemand) -> ShownDemand:
    """Demand single sign-on of the members of an organization.

    From the next request on, what a member has through the organization counts only for who proves it, the caller too.
    """
    unable = await call.services.people.demands.make(AccountName(organization), new.provider, call.by)
    return ShownDemand(provider=new.provider, members_without_identity=unable)


async def lift_demand(call: Calling, organization: OrganizationPath) -> None:
    """Demand single sign-on no more; which tokens and keys were authorized is remembered."""
    await call.services.people.demands.lift(AccountName(organization), call.by)


async def list_demands(call: Calling, account: AccountPath) -> DemandsOfAccount:
    """List the organizations that demand single sign-on of an account, and which of its tokens and keys they take."""
    found = await call.services.accounts.find(AccountName(account))
    demanded = await call.services.people.demands.every(found.id)
    return DemandsOfAccount(
        items=[
            DemandOfAccount(
                organization=one.organization,
                provider=one.provider,
                credentials=sorted(number for number, of in demanded.authorized if of == one.organization_id),
            )
            for one in demanded.demands
        ]
    )


async def authorize_credential(
    call: Calling, account: AccountPath, credential: CredentialPath, organization: OrganizationPath
) -> None:
    """Have a token or key of somebody else count for an organization that demands single sign-on.

    One's own are authorized in the console, after a sign-in through the provider: that is the proof.
    """
    require_other(call, account, "authorize a credential of")
    await call.services.people.demands.authorize(AccountName(account), credential, AccountName(organization), call.by)


async def withdraw_credential(
    call: Calling, account: AccountPath, credential: CredentialPath, organization: OrganizationPath
) -> None:
    """Have a token or key count no more for an organization that demands single sign-on."""
    await call.services.people.demands.withdraw(AccountName(account), credential, AccountName(organization), call.by)


_READ: Final = Managing(Task.READ, Target.ORGANIZATION)
_MANAGE: Final = Managing(Task.MANAGE, Target.ORGANIZATION)
_DEMAND: Final = "/organizations/{organization}/single-sign-on"
_ONE: Final = "/accounts/{account}/credentials/{credential}/authorizations/{organization}"
ROUTES: Final = (
    Route("GET", _DEMAND, _READ, read_demand),
    Route("PUT", _DEMAND, _MANAGE, demand_sign_on),
    Route("DELETE", _DEMAND, _MANAGE, lift_demand, status=204),
    Route("GET", "/accounts/{account}/single-sign-on", Managing(Task.READ), list_demands),
    Route("PUT", _ONE, Managing(Task.SUPERVISE), authorize_credential, status=204, conflicts=True),
    Route("DELETE", _ONE, Managing(Task.MANAGE), withdraw_credential, status=204),
)
