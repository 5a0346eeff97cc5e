# SPDX-License-Identifier: Apache-2.0
"""Rows of places: networks from which an account signed in with its password, each with its own wrong ones."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import ClauseElement, Connection, bindparam, delete, select, tuple_, update

from wharfinger.clock import Instant
from wharfinger.metadata.account_tables import places
from wharfinger.metadata.database import InsertInto, Row, Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An account in a network."""

    succeeded_at: Instant
    failures: int
    locked_until: Instant | None


PLACE: Final = Statement(
    select(places.c.succeeded_at, places.c.failures, places.c.locked_until).where(
        places.c.account_id == bindparam("account_id"), places.c.network == bindparam("network")
    )
)
"""Parameters `account_id`, `network`; `place_of` reads the columns."""


def _build_succeed(insert: InsertInto) -> ClauseElement:
    statement = insert(places)
    upsert: ClauseElement = statement.on_conflict_do_update(
        index_elements=["account_id", "network"],
        set_={name: statement.excluded[name] for name in ("succeeded_at", "failures", "locked_until")},
    )
    return upsert


_SUCCEED: Final = Statement(_build_succeed, columns=tuple(places.c.keys()))


def place_of(row: Row) -> Place:
    """Return what a row of `PLACE` says."""
    succeeded_at, failures, locked = row
    return Place(
        succeeded_at=Instant(succeeded_at),
        failures=failures,
        locked_until=None if locked is None else Instant(locked),
    )


def succeed(connection: Connection, account_id: int, network: str, now: Instant) -> None:
    """Note that the account signed in from the network; wrong passwords from there are forgotten."""
    _SUCCEED.count(connection, account_id=account_id, network=network, succeeded_at=now, failures=0, locked_until=None)


def count_failure(connection: Connection, account_id: int, network: str) -> int:
    """Count one more wrong password at a place that is known; return how many there were in a row."""
    statement = (
        update(places)
        .where(places.c.account_id == account_id, places.c.network == network)
        .values(failures=places.c.failures + 1)
        .returning(places.c.failures)
    )
    return int(connection.execute(statement).scalar() or 0)


def set_lock(connection: Connection, account_id: int, network: str, until: Instant | None) -> None:
    """Set until when no password is taken at a place."""
    statement = update(places).where(places.c.account_id == account_id, places.c.network == network)
    connection.execute(statement.values(locked_until=until))


def forget(connection: Connection, before: Instant, limit: int) -> int:
    """Delete places from which nobody has signed in since; return how many."""
    old = select(places.c.account_id, places.c.network).where(places.c.succeeded_at < before).limit(limit)
    found = [tuple(row) for row in connection.execute(old)]
    if found:
        connection.execute(delete(places).where(tuple_(places.c.account_id, places.c.network).in_(found)))
    return len(found)
