# SPDX-License-Identifier: Apache-2.0
"""Rows of what organizations demand of their members' sign-in, and of the credentials that they take nevertheless.

Whoever changes them has locked the organization's account, or the account of the credential, before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, bindparam, delete, exists, func, select, update

from wharfinger.clock import Instant
from wharfinger.domain.accounts import AccountName, CredentialKind, MemberRole
from wharfinger.metadata.account_tables import accounts, credentials, memberships
from wharfinger.metadata.database import Statement
from wharfinger.metadata.sign_in_tables import credential_authorizations, external_identities


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """An organization that demands single sign-on of an account that belongs to it."""

    organization_id: int
    organization: AccountName
    role: MemberRole
    provider: str


_organization: Final = accounts.alias("organization")
_OF: Final = (
    select(_organization.c.id, _organization.c.name, memberships.c.role, _organization.c.single_sign_on)
    .join(memberships, memberships.c.organization_id == _organization.c.id)
    .where(_organization.c.single_sign_on.is_not(None), _organization.c.deleted_at.is_(None))
)
FIRST: Final = Statement(
    _OF.where(memberships.c.user_id == bindparam("account_id")).order_by(_organization.c.name).limit(1)
)
"""Parameter `account_id`; the second column is the name of an organization that demands single sign-on of it."""
_AUTHORIZE: Final = Statement(
    lambda insert: (statement := insert(credential_authorizations)).on_conflict_do_update(
        index_elements=["credential_id", "organization_id"],
        set_={name: statement.excluded[name] for name in ("provider", "created_at", "created_by")},
    ),
    columns=("credential_id", "organization_id", "provider", "created_at", "created_by"),
)


def put(connection: Connection, organization_id: int, provider: str | None) -> None:
    """Have an organization demand single sign-on through a provider, or not at all."""
    connection.execute(update(accounts).where(accounts.c.id == organization_id).values(single_sign_on=provider))


def of(connection: Connection, organization_id: int) -> str | None:
    """Return the provider through which an organization demands that its members sign in."""
    found: str | None = connection.execute(
        select(accounts.c.single_sign_on).where(accounts.c.id == organization_id)
    ).scalar()
    return found


def made_of(connection: Connection, account_id: int) -> Sequence[Demand]:
    """Return what the organizations of an account demand of it, by their names."""
    statement = _OF.where(memberships.c.user_id == account_id).order_by(_organization.c.name)
    return [
        Demand(organization_id=number, organization=AccountName(name), role=MemberRole(role), provider=provider)
        for number, name, role, provider in connection.execute(statement)
    ]


def members_without_identity(connection: Connection, organization_id: int, provider: str) -> int:
    """Return how many members of an organization the provider does not vouch for yet."""
    linked = exists().where(
        external_identities.c.account_id == memberships.c.user_id, external_identities.c.provider == provider
    )
    statement = select(func.count()).select_from(memberships)
    return int(
        connection.execute(statement.where(memberships.c.organization_id == organization_id, ~linked)).scalar_one()
    )


def find_credential(connection: Connection, account_id: int, credential_id: int) -> str | None:
    """Return the name of a token or key of the account that has not been revoked."""
    statement = select(credentials.c.name).where(
        credentials.c.id == credential_id,
        credentials.c.account_id == account_id,
        credentials.c.kind != CredentialKind.REFRESH.value,
        credentials.c.revoked_at.is_(None),
    )
    found: str | None = connection.execute(statement).scalar()
    return found


def authorize(
    connection: Connection, credential_id: int, organization_id: int, provider: str, by: int | None, now: Instant
) -> None:
    """Have a credential count where the organization demands single sign-on through the provider."""
    _AUTHORIZE.count(
        connection,
        credential_id=credential_id,
        organization_id=organization_id,
        provider=provider,
        created_at=now,
        created_by=by,
    )


def withdraw(connection: Connection, credential_id: int, organization_id: int) -> bool:
    """Have a credential count no more; say whether it did."""
    there = (credential_authorizations.c.credential_id == credential_id) & (
        credential_authorizations.c.organization_id == organization_id
    )
    return connection.execute(delete(credential_authorizations).where(there)).rowcount > 0


def authorized(connection: Connection, account_id: int) -> frozenset[tuple[int, int]]:
    """Return the credentials of an account that count, each with the organization for which it does."""
    statement = (
        select(credential_authorizations.c.credential_id, credential_authorizations.c.organization_id)
        .join(credentials, credentials.c.id == credential_authorizations.c.credential_id)
        .join(_organization, _organization.c.id == credential_authorizations.c.organization_id)
        .where(
            credentials.c.account_id == account_id,
            credential_authorizations.c.provider == _organization.c.single_sign_on,
        )
    )
    return frozenset(
        (credential_id, organization_id) for credential_id, organization_id in connection.execute(statement)
    )
