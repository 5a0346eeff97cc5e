# SPDX-License-Identifier: Apache-2.0
"""Rows of the keys that sign registry tokens; a row is never changed."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, text

from wharfinger.clock import Instant
from wharfinger.metadata.account_tables import signing_keys


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKeyRow:
    """One key.

    Args:
        kid: its id, which belongs to its public half.
        private_key: sealed.
        signs_from: when it begins to sign.
    """

    kid: str
    private_key: str
    signs_from: Instant


def every(connection: Connection) -> Sequence[SigningKeyRow]:
    """Return all keys in the order in which they sign."""
    statement = select(signing_keys.c.kid, signing_keys.c.private_key, signing_keys.c.signs_from)
    rows = connection.execute(statement.order_by(signing_keys.c.signs_from, signing_keys.c.kid))
    return [SigningKeyRow(kid=kid, private_key=sealed, signs_from=Instant(begins)) for kid, sealed, begins in rows]


def lock(connection: Connection) -> None:
    """Let one transaction at a time decide whether a key is to be added; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE"))


def add(connection: Connection, row: SigningKeyRow, now: Instant) -> None:
    """Publish a key."""
    values = {"kid": row.kid, "private_key": row.private_key, "signs_from": row.signs_from, "created_at": now}
    connection.execute(insert(signing_keys).values(values))


def remove(connection: Connection, kids: Sequence[str]) -> None:
    """Forget keys that verify nothing any more."""
    connection.execute(delete(signing_keys).where(signing_keys.c.kid.in_(kids)))
