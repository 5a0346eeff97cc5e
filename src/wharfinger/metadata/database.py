# SPDX-License-Identifier: Apache-2.0
"""Transactions: three ways to the database, the same on SQLite and PostgreSQL.

- `write(fn)` runs a plain function over a connection in one transaction. The function has no effects besides SQL, so it
  is run again, whole, when the database asks for it (a deadlock, a serialization conflict, a busy file).
- `read(fn)` runs a plain function over one consistent snapshot.
- `find(lookup, …)` runs one compiled `SELECT` and returns one raw row: the look-ups of a pull, where every
  microsecond counts (ADR 0006).

The functions run in database threads and are not `async`: I/O other than SQL inside a transaction cannot be written.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from sqlalchemy import Connection, Select, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.exc import DBAPIError

__all__ = ["Connection", "Database", "Lookup", "Row", "insert", "is_transient"]

T = TypeVar("T")
Row = Sequence[object]

MAX_ATTEMPTS = 5
"""How often a transaction is tried before the caller hears that the database is not available."""


class Lookup:
    """One `SELECT`, compiled once; its parameters are named `bindparam`s."""

    def __init__(self, statement: Select[*tuple[object, ...]]) -> None:
        self.statement = statement

    @functools.cached_property
    def for_sqlite(self) -> tuple[str, tuple[str, ...], Mapping[str, object]]:
        """The SQL with `?` for each parameter, the parameters' names in that order, and the values of constants."""
        compiled = self.statement.compile(dialect=SQLiteDialect_pysqlite(paramstyle="qmark"))
        constants = {name: value for name, value in compiled.params.items() if value is not None}
        return str(compiled), tuple(compiled.positiontup or ()), constants


class Database(Protocol):
    """What services see of a database. All methods raise `DatabaseUnavailable` when it does not answer."""

    async def write(self, work: Callable[[Connection], T], *, durable: bool = True) -> T:
        """Run the work in a transaction and return its result once it is committed.

        Args:
            work: SQL and nothing else; may run several times.
            durable: whether the commit must survive a power failure before this returns. A later durable commit makes
                earlier ones durable too. Leave it on for everything that is acknowledged to a client.
        """
        ...

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run the work over one snapshot and return its result."""
        ...

    async def find(self, lookup: Lookup, **parameters: object) -> Row | None:
        """Return the first row of a look-up, or nothing."""
        ...

    async def check(self) -> None:
        """Ask the database for an answer; raises `DatabaseUnavailable`."""
        ...

    async def aclose(self) -> None:
        """Finish what is under way and close every connection; idempotent."""
        ...


def insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Return the dialect's `INSERT`, which knows `ON CONFLICT`; the two are written the same way."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def is_transient(error: DBAPIError) -> bool:
    """Say whether the same transaction may succeed, or find out more, when it is tried again.

    On PostgreSQL a foreign key that does not hold is among it: what the transaction saw was deleted before it could
    hold on to it. Looking again, it finds that missing and can say so. SQLite's one writer never sees such a thing.
    """
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return state in {"23503", "40001", "40P01", "55P03"}
    return "locked" in str(error.orig) or "busy" in str(error.orig)
