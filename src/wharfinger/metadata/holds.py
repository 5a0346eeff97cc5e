# SPDX-License-Identifier: Apache-2.0
"""Rows of holds: while one stands, no bytes are buried, and it ends by itself unless it is renewed."""

from typing import Final

from sqlalchemy import ClauseElement, Connection, delete, update

from wharfinger.clock import Instant
from wharfinger.metadata.database import InsertInto, Statement
from wharfinger.metadata.upkeep_tables import holds


def _take(insert: InsertInto) -> ClauseElement:
    statement = insert(holds)
    upsert: ClauseElement = statement.on_conflict_do_update(
        index_elements=["name"],
        set_={
            "token": statement.excluded.token,
            "since": statement.excluded.since,
            "until": statement.excluded.until,
        },
        where=holds.c.until <= statement.excluded.since,
    ).returning(holds.c.name)
    return upsert


_TAKE: Final = Statement(_take, columns=("name", "token", "since", "until"))


def take(connection: Connection, name: str, token: str, now: Instant, until: Instant) -> bool:
    """Begin a hold, unless another one of that name stands; returns whether it is the caller's."""
    return _TAKE.first(connection, name=name, token=token, since=now, until=until) is not None


def renew(connection: Connection, name: str, token: str, now: Instant, until: Instant) -> bool:
    """Let the hold stand longer; returns whether it still stood. One that has ended protects nothing any more."""
    statement = (
        update(holds).where(holds.c.name == name, holds.c.token == token, holds.c.until > now).values(until=until)
    )
    return connection.execute(statement).rowcount > 0


def end(connection: Connection, name: str, token: str) -> None:
    """End the hold."""
    connection.execute(delete(holds).where(holds.c.name == name, holds.c.token == token))
