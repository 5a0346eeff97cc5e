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
import sqlite3
from collections.abc import Callable, Hashable, Mapping, MutableMapping, Sequence
from typing import Any, Protocol, TypeVar

from sqlalchemy import ClauseElement, Connection, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.exc import DBAPIError

__all__ = ["Connection", "Database", "InsertInto", "Row", "Statement", "is_transient"]

T = TypeVar("T")
Row = Sequence[Any]
"""A raw row: its columns are what the statement says, and callers know which."""
InsertInto = Callable[[Table], Any]
"""A dialect's `insert`, which knows `ON CONFLICT`; the two are written the same way and share no type."""

MAX_ATTEMPTS = 5
"""How often a transaction is tried before the caller hears that the database is not available."""


class Statement:
    """One statement, built and compiled once and run many times.

    On SQLite it goes straight to the driver: what the toolkit does for one execution costs ten times what SQLite's own
    work does, and a push runs forty of them (ADR 0019).

    Args:
        build: the statement, whose parameters are `bindparam`s with names; or, where the dialects differ, a function
            that makes it with the dialect's own `insert`.
        columns: of an `INSERT`, the columns that parameters of the same names fill.
    """

    def __init__(
        self, build: ClauseElement | Callable[[InsertInto], ClauseElement], *, columns: Sequence[str] = ()
    ) -> None:
        self._build = build
        self._columns = columns or None

    @functools.cached_property
    def for_sqlite(self) -> tuple[str, tuple[str, ...], Mapping[str, object]]:
        """The SQL with `?` for each parameter, the parameters' names in that order, and the values of constants."""
        dialect = SQLiteDialect_pysqlite(paramstyle="qmark")
        compiled: Any = self._for(sqlite.insert).compile(dialect=dialect, column_keys=self._columns)
        constants = {name: value for name, value in compiled.params.items() if value is not None}
        return str(compiled), tuple(compiled.positiontup or ()), constants

    @functools.cached_property
    def for_postgresql(self) -> Any:
        """The statement, for the toolkit to compile and cache."""
        return self._for(postgresql.insert)

    def rows(self, connection: Connection, **parameters: object) -> Sequence[Row]:
        """Run it and return what it returns."""
        if connection.dialect.name == "postgresql":
            return connection.execute(self.for_postgresql, parameters).all()
        found: Sequence[Row] = self._run(connection, parameters).fetchall()
        return found

    def first(self, connection: Connection, **parameters: object) -> Row | None:
        """Run it and return its first row, or nothing."""
        rows = self.rows(connection, **parameters)
        return rows[0] if rows else None

    def count(self, connection: Connection, **parameters: object) -> int:
        """Run it and return how many rows it touched."""
        if connection.dialect.name == "postgresql":
            return connection.execute(self.for_postgresql, parameters).rowcount
        return self._run(connection, parameters).rowcount

    def many(self, connection: Connection, every: Sequence[Mapping[str, object]]) -> None:
        """Run it once for each set of parameters."""
        if connection.dialect.name == "postgresql":
            connection.execute(self.for_postgresql, every)
            return
        for parameters in every:
            self._run(connection, parameters)

    def _for(self, insert: InsertInto) -> ClauseElement:
        return self._build if isinstance(self._build, ClauseElement) else self._build(insert)

    def _run(self, connection: Connection, parameters: Mapping[str, object]) -> sqlite3.Cursor:
        sql, names, constants = self.for_sqlite
        values = {**constants, **parameters}
        driver = connection.connection.driver_connection
        try:
            cursor: sqlite3.Cursor = driver.execute(sql, [values[name] for name in names])  # type: ignore[union-attr]  # it is open
        except sqlite3.Error as error:
            raise DBAPIError.instance(sql, None, error, sqlite3.Error) from error
        return cursor


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

    async def export(self, work: Callable[[Connection], T]) -> T:
        """Run the work over one snapshot, exactly once; unlike that of `read`, it may hand on what it reads.

        For a backup, whose rows do not fit into memory.
        """
        ...

    async def find(self, lookup: Statement, **parameters: object) -> Row | None:
        """Return the first row of a look-up by key, or nothing.

        The row is small: SQLite remembers it until the database changes (ADR 0021).
        """
        ...

    def memory(self) -> MutableMapping[Hashable, Any] | None:
        """Return what may be remembered of look-ups beside their rows, or nothing where nothing is (ADR 0021).

        It holds what follows from look-ups and from nothing else, above all not from the time. Take it before the first
        of those look-ups: whoever commits meanwhile makes it one that nobody else is given any more.
        """
        ...

    async def check(self) -> None:
        """Ask the database for an answer; raises `DatabaseUnavailable`."""
        ...

    async def aclose(self) -> None:
        """Finish what is under way and close every connection; idempotent."""
        ...


def is_transient(error: DBAPIError) -> bool:
    """Say whether the same transaction may succeed, or find out more, when it is tried again.

    On PostgreSQL a foreign key that does not hold is among it: what the transaction saw was deleted before it could
    hold on to it. So is a unique key that does not: what it did not see was made meanwhile. Looking again, it finds
    that out and can say so. SQLite's one writer never sees such a thing.
    """
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return state in {"23503", "23505", "40001", "40P01", "55P03"}
    return "locked" in str(error.orig) or "busy" in str(error.orig)
