# SPDX-License-Identifier: Apache-2.0
"""Everything that the database holds as lines of JSON, the same from SQLite and PostgreSQL, and back into either.

```text
{"format":1,"revision":"0001"}                                what the database was
{"table":"blobs","columns":["id",…],"binary":[]}              then its rows, each a list in the order of the columns
[1,1,"sha256:…",5,"ab/ab…","live",…]
{"sequences":{"blobs":17}}                                    the last id that each table gave out: none is given twice
{"end":{"blobs":12}}                                          how many rows there were; without this line it is a half
```

Bytes are base64. Tables come in an order in which every row finds what it refers to.
"""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

import orjson
from sqlalchemy import Connection, Engine, LargeBinary, Table, delete, inspect, select, text, tuple_, update

from wharfinger.domain.verification import State
from wharfinger.metadata.schema import LEFT_OUT, blobs, metadata, registries

FORMAT: Final = 1
Sink = Callable[[bytes], None]
"""Takes a line with its end."""
_ROWS: Final = 500
_LARGE_ROWS: Final = 8
"""How many rows are in memory at once of a table with bytes, which may be 4 MiB each."""
_IN_LIMIT: Final = 500


class DumpUnfit(Exception):
    """The lines are no whole dump, or one that this version cannot read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A blob that a dump names, and where its bytes were."""

    registry_id: int
    digest: str
    size: int
    store_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What was dumped."""

    revision: str
    rows: Mapping[str, int]


def write(connection: Connection, lines: Sink, contents: Sink) -> Summary:
    """Write every row, and the list of live blobs in the order of their digests; one snapshot for both."""
    revision = str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())
    lines(_line({"format": FORMAT, "revision": revision}))
    counts = {str(table.name): _write_table(connection, table, lines) for table in _tables()}
    lines(_line({"sequences": _sequences(connection)}))
    lines(_line({"end": counts}))
    statement = (
        select(blobs.c.registry_id, blobs.c.digest, blobs.c.size, blobs.c.store_key)
        .join(registries, registries.c.id == blobs.c.registry_id)
        .where(blobs.c.state == State.LIVE.value, registries.c.deleted_at.is_(None))
        .order_by(blobs.c.digest, blobs.c.registry_id)
    )
    for row in connection.execute(statement, execution_options={"yield_per": _ROWS}):
        contents(_line([row.registry_id, row.digest, row.size, row.store_key]))
    return Summary(revision=revision, rows=counts)


def read_content(line: bytes) -> Content:
    """Return what a line of the list of blobs says."""
    registry_id, digest, size, store_key = orjson.loads(line)
    return Content(registry_id=registry_id, digest=digest, size=size, store_key=store_key)


def is_empty(connection: Connection) -> bool:
    """Say whether nobody has put anything into the database yet: a new one has its first registry and no more."""
    return not any(
        connection.execute(select(metadata.tables[name]).limit(1)).first()
        for name in ("repositories", "blobs", "accounts", "uploads", "events")
    )


@dataclass(slots=True)
class TableReader:
    """Picks the rows of one table out of the lines of a dump, as they come.

    Args:
        table: its name.
        rows: those that came until now, by column.
        is_over: whether no more of them will come.
    """

    table: str
    rows: list[Mapping[str, Any]] = field(default_factory=list)
    is_over: bool = False
    _columns: tuple[str, ...] = ()

    def take(self, lines: Sequence[bytes]) -> None:
        """Look through the next lines."""
        for entry in map(orjson.loads, lines):
            if isinstance(entry, dict):
                self.is_over = self.is_over or bool(self._columns)
                self._columns = tuple(entry["columns"]) if entry.get("table") == self.table else ()
            elif self._columns:
                self.rows.append(dict(zip(self._columns, entry, strict=True)))


@dataclass(slots=True)
class Loader:
    """Puts the lines of a dump into a migrated database, in one transaction; used by one thread at a time.

    Args:
        engine: of the database.
        revision: what the database's schema is at.
    """

    engine: Engine
    revision: str
    _connection: Connection = field(init=False)
    _insert: str = ""
    _table: str = ""
    _binary: tuple[str, ...] = ()
    _columns: tuple[str, ...] = ()
    _counts: dict[str, int] = field(default_factory=dict)
    _ended: bool = False

    def __enter__(self) -> Self:
        self._connection = self.engine.connect()
        if self._connection.dialect.name == "sqlite":
            self._connection.exec_driver_sql("BEGIN IMMEDIATE")
            self._connection.exec_driver_sql("PRAGMA defer_foreign_keys = 1")
        there = set(inspect(self._connection).get_table_names())  # an older schema has not all of them
        for table in reversed(metadata.sorted_tables):
            if table.name in there:
                self._connection.execute(delete(table))
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self._commit()
            else:
                self._connection.rollback()
        finally:
            self._connection.close()

    def take(self, lines: Sequence[bytes]) -> None:
        """Put the next lines in.

        Raises:
            DumpUnfit: they are of another format, of another revision, or no lines of a dump.
        """
        rows: list[dict[str, object]] = []
        for line in lines:
            try:
                entry = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                message = "a line of the metadata is no JSON"
                raise DumpUnfit(message) from error
            if isinstance(entry, list):
                rows.append(self._row(entry))
            else:
                self._put(rows)
                rows = []
                self._follow(entry)
        self._put(rows)

    def set_lost(self, lost: Sequence[tuple[int, str]]) -> None:
        """Have the rows of blobs say that there are no bytes: pairs of registry and digest."""
        for start in range(0, len(lost), _IN_LIMIT):
            some = lost[start : start + _IN_LIMIT]
            self._connection.execute(
                update(blobs)
                .where(tuple_(blobs.c.registry_id, blobs.c.digest).in_(some))
                .values(state=State.MISSING.value)
            )

    def set_moved(self, moved: Mapping[tuple[int, str], str]) -> None:
        """Have the rows of blobs name other keys: of registry and old key, the new one."""
        for (registry_id, old), new in moved.items():
            self._connection.execute(
                update(blobs).where(blobs.c.registry_id == registry_id, blobs.c.store_key == old).values(store_key=new)
            )

    def _follow(self, entry: Mapping[str, Any]) -> None:
        if "table" in entry:
            self._table, self._binary = entry["table"], tuple(entry["binary"])
            self._columns = tuple(entry["columns"])
            if self._table not in metadata.tables:
                message = f"this version has no table {self._table}"
                raise DumpUnfit(message)
            columns = ", ".join(f'"{name}"' for name in self._columns)
            values = ", ".join(f":{name}" for name in self._columns)
            self._insert = f'INSERT INTO "{self._table}" ({columns}) VALUES ({values})'  # noqa: S608 - names of tables and columns, checked
            self._counts[self._table] = 0
        elif "sequences" in entry:
            _set_sequences(self._connection, entry["sequences"])
        elif "end" in entry:
            if entry["end"] != self._counts:
                message = "the metadata has not the rows that it says it has"
                raise DumpUnfit(message)
            self._ended = True
        elif entry.get("format") != FORMAT or entry.get("revision") != self.revision:
            message = f"the metadata has format {entry.get('format')} and revision {entry.get('revision')}"
            raise DumpUnfit(message)

    def _row(self, entry: Sequence[object]) -> dict[str, object]:
        if not self._insert or len(entry) != len(self._columns):
            message = "a row of the metadata does not fit its table"
            raise DumpUnfit(message)
        row = dict(zip(self._columns, entry, strict=True))
        for name in self._binary:
            if row[name] is not None:
                row[name] = base64.b64decode(str(row[name]))
        return row

    def _put(self, rows: Sequence[Mapping[str, object]]) -> None:
        if rows:
            self._connection.execute(text(self._insert), rows)
            self._counts[self._table] += len(rows)

    def _commit(self) -> None:
        if not self._ended:
            self._connection.rollback()
            message = "the metadata ends before its end"
            raise DumpUnfit(message)
        if self._connection.dialect.name == "sqlite":
            self._connection.exec_driver_sql("COMMIT")
        self._connection.commit()


def _tables() -> Iterator[Table]:
    return (table for table in metadata.sorted_tables if table.name not in LEFT_OUT)


def _write_table(connection: Connection, table: Table, lines: Sink) -> int:
    names = [column.name for column in table.columns]
    binary = [index for index, column in enumerate(table.columns) if isinstance(column.type, LargeBinary)]
    lines(_line({"table": table.name, "columns": names, "binary": [names[index] for index in binary]}))
    count = 0
    options = {"yield_per": _LARGE_ROWS if binary else _ROWS}
    for row in connection.execute(select(table).order_by(*table.primary_key), execution_options=options):
        values = list(row)
        for index in binary:
            if values[index] is not None:
                values[index] = base64.b64encode(bytes(values[index])).decode()
        lines(_line(values))
        count += 1
    return count


def _sequences(connection: Connection) -> dict[str, int]:
    if connection.dialect.name == "sqlite":
        return {str(row[0]): row[1] for row in connection.exec_driver_sql("SELECT name, seq FROM sqlite_sequence")}
    found: dict[str, int] = {}
    for table in _numbered():
        name = _sequence_of(connection, table)
        last, is_called = connection.exec_driver_sql(f"SELECT last_value, is_called FROM {name}").one()  # noqa: S608 - as the database names it
        found[str(table.name)] = last if is_called else 0
    return found


def _set_sequences(connection: Connection, last: Mapping[str, int]) -> None:
    for table in _numbered():
        value = last.get(table.name, 0)
        if connection.dialect.name == "sqlite":
            parameters = {"name": table.name, "value": value}
            connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), parameters)
            connection.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :value)"), parameters)
        elif value:
            parameters = {"name": _sequence_of(connection, table), "value": value}
            connection.execute(text("SELECT setval(:name, :value)"), parameters)


def _numbered() -> Iterator[Table]:
    return (table for table in metadata.sorted_tables if "id" in table.c and table.c.id.identity is not None)


def _sequence_of(connection: Connection, table: Table) -> str:
    found: str = connection.execute(
        text("SELECT pg_get_serial_sequence(:name, 'id')"), {"name": f'"{table.name}"'}
    ).scalar_one()
    return found


def _line(entry: object) -> bytes:
    return orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)
