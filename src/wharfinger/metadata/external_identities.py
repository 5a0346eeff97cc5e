# SPDX-License-Identifier: Apache-2.0
"""Rows of external identities: whom a provider's subject is here. Found by subject only; an e-mail proves nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, select

from wharfinger.clock import Instant
from wharfinger.metadata.database import Statement
from wharfinger.metadata.sign_in_tables import external_identities


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalIdentity:
    """What a provider calls an account."""

    provider: str
    subject: str
    created_at: Instant


_LINK: Final = Statement(
    lambda insert: insert(external_identities).on_conflict_do_nothing().returning(external_identities.c.account_id),
    columns=("provider", "subject", "account_id", "created_at", "created_by"),
)


def find(connection: Connection, provider: str, subject: str) -> int | None:
    """Return the id of the account that the subject is."""
    found: int | None = connection.execute(
        select(external_identities.c.account_id).where(
            external_identities.c.provider == provider, external_identities.c.subject == subject
        )
    ).scalar()
    return found


def link(connection: Connection, provider: str, subject: str, account_id: int, by: int | None, now: Instant) -> bool:
    """Have the subject be the account; say whether it was nobody before."""
    made = _LINK.first(
        connection, provider=provider, subject=subject, account_id=account_id, created_at=now, created_by=by
    )
    return made is not None


def unlink(connection: Connection, account_id: int, provider: str) -> int:
    """Have no subject of the provider be the account; return how many were."""
    there = (external_identities.c.account_id == account_id) & (external_identities.c.provider == provider)
    return connection.execute(delete(external_identities).where(there)).rowcount


def of_account(connection: Connection, account_id: int) -> Sequence[ExternalIdentity]:
    """Return what providers call an account, by their names."""
    statement = (
        select(external_identities.c.provider, external_identities.c.subject, external_identities.c.created_at)
        .where(external_identities.c.account_id == account_id)
        .order_by(external_identities.c.provider, external_identities.c.subject)
    )
    return [
        ExternalIdentity(provider=provider, subject=subject, created_at=Instant(created_at))
        for provider, subject, created_at in connection.execute(statement)
    ]
