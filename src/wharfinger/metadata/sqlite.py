# SPDX-License-Identifier: Apache-2.0
"""SQLite: one writer thread that commits what waits together, and readers that never wait for it.

`synchronous=FULL` makes a commit durable with one sync of the write-ahead log. The writer thread takes every
transaction that has queued up meanwhile, gives each a savepoint of its own and commits them with one sync, so many
pushes share its cost. Several processes may use one file: SQLite's own lock orders their writers.
"""

import asyncio
import contextlib
import os
import queue
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Hashable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool, QueuePool

from wharfinger.domain.errors import DatabaseUnavailable
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata.database import MAX_ATTEMPTS, Row, Statement, is_transient
from wharfinger.metadata.wal_index import WalIndex

T = TypeVar("T")

BUSY_MILLISECONDS: Final = 5_000
LOCKED_SECONDS: Final = 8.0
"""After this long behind another process's lock, those who wait hear that the database is not available."""
BATCH: Final = 64
"""How many transactions share one commit at the most: bounds how long the first of them waits."""
LOOK_SECONDS: Final = 0.001
"""How often to look whether another process let go of the lock: SQLite itself would sleep for up to 100 ms."""
READERS: Final = 4
WAITING: Final = 10_000
"""How many transactions may queue up; more are refused rather than kept waiting for minutes."""
REMEMBERED: Final = 10_000
"""How many look-ups are remembered; a row of a look-up is small."""
_FOLDER_MODE: Final = 0o750
_FILE_MODE: Final = 0o640
EXPECTED_PRAGMAS: Final = {"foreign_keys": 1, "journal_mode": "wal", "synchronous": 2}


class _Job:
    """One transaction that waits, and where its outcome goes."""

    __slots__ = ("durable", "error", "future", "loop", "result", "work")

    def __init__(self, work: Callable[[Connection], Any], *, durable: bool) -> None:
        self.work = work
        self.durable = durable
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.result: object = None
        self.error: BaseException | None = None

    def deliver(self) -> None:
        """Hand the outcome to the task that waits, if it still does; called from the writer thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody waits any more
            self.loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class SqliteDatabase:
    """The embedded database: one file, and its write-ahead log beside it."""

    def __init__(self, path: Path) -> None:
        self._engine = open_engine(path, pooled=False)
        self._snapshots = open_engine(path)
        event.listen(self._snapshots, "connect", _forbid_writes)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="sqlite-read")
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_loop, name="sqlite-write", daemon=True)
        self._index = WalIndex.of(path)
        with contextlib.ExitStack() as files:  # closed from the last to the first, also if one cannot be opened
            files.callback(self._index.release)
            try:
                self._connection = files.enter_context(self._engine.connect())
                _driver_of(self._connection).execute("PRAGMA busy_timeout = 0")  # see `_begin`
                files.callback(self._snapshots.dispose)
                self._lookups = files.enter_context(contextlib.closing(_open_lookups(path)))
                self._index.open()
            except (SQLAlchemyError, sqlite3.Error, OSError, ValueError) as error:
                raise _unavailable(error) from error
            self._files = files.pop_all()
        self._found: dict[Hashable, Any] = {}
        self._stamp = b""
        self._closed = False
        self._writer.start()

    async def write(self, work: Callable[[Connection], T], *, durable: bool = True) -> T:
        """See `Database.write`. If the waiting task is cancelled, the transaction happens all the same."""
        if self._closed:
            message = Sentence("The database is closed.")
            raise DatabaseUnavailable(message)
        if self._queue.qsize() >= WAITING:
            message = Sentence("The database has too much to do; try again.")
            raise DatabaseUnavailable(message)
        job = _Job(work, durable=durable)
        self._queue.put(job)
        result: T = await job.future
        return result

    async def read(self, work: Callable[[Connection], T]) -> T:
        """See `Database.read`."""
        self._require_open()
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    async def export(self, work: Callable[[Connection], T]) -> T:
        """See `Database.export`. Meanwhile the write-ahead log grows: it cannot be emptied before its reader ends."""
        return await self.read(work)

    async def find(self, lookup: Statement, **parameters: object) -> Row | None:
        """See `Database.find`. Runs on the loop: a look-up by key costs less than a thread (ADR 0006).

        What was found is used again until anybody commits anything (ADR 0021).
        """
        found = self.memory()
        sql, names, constants = lookup.for_sqlite
        key = (lookup, *map(parameters.get, names))
        try:
            known: Row | None = found[key]
        except KeyError:
            pass
        else:
            return known
        values = {**constants, **parameters}
        try:
            rows: list[Row] = self._lookups.execute(sql, [values[name] for name in names]).fetchmany(1)
        except sqlite3.Error as error:
            raise _unavailable(error) from error
        row = found[key] = rows[0] if rows else None
        return row

    def memory(self) -> MutableMapping[Hashable, Any]:
        """See `Database.memory`."""
        self._require_open()
        stamp = self._index.stamp()
        if stamp != self._stamp or len(self._found) >= REMEMBERED:
            self._found = {}  # not emptied: who still writes into the old one writes what is no longer so
            self._stamp = stamp
        return self._found

    async def check(self) -> None:
        """See `Database.check`. Writes and rolls back, so that a full or read-only disk shows."""
        await self.write(_touch, durable=False)

    async def aclose(self) -> None:
        """See `Database.aclose`."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        await asyncio.to_thread(self._writer.join)
        self._readers.shutdown(wait=True)
        # The writer's connection is closed last: a connection that only reads leaves the log and its index behind.
        await asyncio.to_thread(self._files.close)

    def _require_open(self) -> None:
        if self._closed:
            message = Sentence("The database is closed.")
            raise DatabaseUnavailable(message)

    def _read(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._snapshots.connect() as connection:
                connection.exec_driver_sql("BEGIN DEFERRED")
                return work(connection)
        except SQLAlchemyError as error:
            raise _unavailable(error) from error

    def _write_loop(self) -> None:
        durable = True
        while (first := self._queue.get()) is not None:
            batch, more = self._batch(first)
            wanted = any(job.durable for job in batch)
            if wanted is not durable:
                _set_durable(self._connection, wanted=wanted)
                durable = wanted
            _commit_together(self._connection, batch)
            for job in batch:
                job.deliver()
            if not more:
                return

    def _batch(self, first: _Job) -> tuple[list[_Job], bool]:
        """Return the waiting transactions, and whether more may come."""
        batch = [first]
        while len(batch) < BATCH:
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                break
            if job is None:
                return batch, False
            batch.append(job)
        return batch, True


def make_place(path: Path) -> None:
    """Make the folder and the file of a new database, for this account and its group alone.

    SQLite would let everybody read the file; what it makes beside it gets the file's mode. A file that is there already
    is not opened: closing it would drop every lock that this process has on it.
    """
    path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE_MODE))


def open_engine(path: Path, *, pooled: bool = True) -> Engine:
    """Return an engine whose every connection has the pragmas that correctness rests on."""
    engine = create_engine(
        f"sqlite:///{path}",
        connect_args={"isolation_level": None, "check_same_thread": False, "timeout": BUSY_MILLISECONDS / 1000},
        **({"poolclass": QueuePool, "pool_size": READERS + 1} if pooled else {"poolclass": NullPool}),
    )
    event.listen(engine, "connect", _prepare)
    return engine


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    with _closed_on_failure(connection):
        _set_pragmas(connection)


@contextlib.contextmanager
def _closed_on_failure(connection: sqlite3.Connection) -> Iterator[None]:
    """Close a connection that cannot be used: nobody gets it who could."""
    try:
        yield
    except BaseException:
        connection.close()
        raise


def _set_pragmas(connection: sqlite3.Connection) -> None:
    for name, value in EXPECTED_PRAGMAS.items():
        _set(connection, f"PRAGMA {name} = {value}")
        (found,) = connection.execute(f"PRAGMA {name}").fetchone()
        if found != value:
            message = Sentence(
                "SQLite keeps %(name)s at %(found)r where %(value)r is needed; is the file on a network disk?",
                name=name,
                found=str(found),
                value=str(value),
            )
            raise DatabaseUnavailable(message)
    # Each connection has pages of its own; the system keeps the file in memory once for all of them.
    connection.execute("PRAGMA cache_size = -4096")
    connection.execute("PRAGMA journal_size_limit = 67108864")


def _set(connection: sqlite3.Connection, pragma: str) -> None:
    """Run a pragma, also while others open the same new file: SQLite itself does not wait to change the journal."""
    until = time.monotonic() + BUSY_MILLISECONDS / 1000
    while True:
        try:
            connection.execute(pragma)
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic() > until:
                raise
        else:
            return
        time.sleep(random.uniform(0.001, 0.01))  # noqa: S311 - spreads retries, keeps no secret


def _forbid_writes(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA query_only = 1")


def _open_lookups(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{path}?mode=ro", uri=True, isolation_level=None, check_same_thread=False, cached_statements=64
    )
    with _closed_on_failure(connection):
        connection.execute("PRAGMA query_only = 1")
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS // 10}")
        connection.execute(
            "SELECT count(*) FROM sqlite_schema"
        ).fetchall()  # opens the files: SQLite does it at first use
    return connection


def _set_durable(connection: Connection, *, wanted: bool) -> None:
    connection.exec_driver_sql(f"PRAGMA synchronous = {2 if wanted else 1}")
    connection.rollback()


def _commit_together(connection: Connection, batch: list[_Job]) -> None:
    patience = time.monotonic() + LOCKED_SECONDS
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            with _transaction(connection, patience):
                for job in batch:
                    _run(connection, job)
        except (SQLAlchemyError, sqlite3.Error) as error:
            again = attempt < MAX_ATTEMPTS and time.monotonic() < patience
            if again and isinstance(error, DBAPIError) and is_transient(error):
                time.sleep(random.uniform(0, 0.05) * attempt)  # noqa: S311 - spreads retries, keeps no secret
                continue
            for job in batch:
                job.error = _unavailable(error)
        return


@contextlib.contextmanager
def _transaction(connection: Connection, until: float) -> Iterator[None]:
    """Take the write lock at once: a transaction that reads first and writes later could not be retried in part."""
    driver = _driver_of(connection)
    try:
        _begin(driver, until)
        yield
        connection.exec_driver_sql("COMMIT")  # a statement: after a failure of its own `commit` the toolkit cannot undo
    except BaseException:
        driver.rollback()
        connection.rollback()
        raise
    connection.commit()


def _begin(driver: sqlite3.Connection, until: float) -> None:
    """Take the write lock as soon as whoever has it lets go of it, or fail at `until`, a time of `time.monotonic`."""
    while True:
        try:
            driver.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic() > until:
                raise
        else:
            return
        time.sleep(LOOK_SECONDS)


def _is_busy(error: sqlite3.OperationalError) -> bool:
    """Say whether somebody else has the lock, for whatever reason: SQLite keeps that in the code's upper bits."""
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


def _driver_of(connection: Connection) -> sqlite3.Connection:
    driver: sqlite3.Connection = connection.connection.dbapi_connection  # type: ignore[assignment]  # it is open
    return driver


def _run(connection: Connection, job: _Job) -> None:
    """Run one transaction in a savepoint, so that its failure leaves its neighbours alone."""
    job.error = job.result = None
    driver = _driver_of(connection)
    driver.execute("SAVEPOINT job")
    try:
        job.result = job.work(connection)
    except DBAPIError as error:
        # When the disk is full or fails, SQLite undoes the whole transaction: the neighbours' writes and the savepoint.
        if is_transient(error) or not driver.in_transaction:
            raise
        job.error = _unavailable(error)
    except Exception as error:  # noqa: BLE001 - whatever the work raises is its caller's
        job.error = error
    if job.error is not None:
        driver.execute("ROLLBACK TO job")
    driver.execute("RELEASE job")


def _touch(connection: Connection) -> None:
    connection.exec_driver_sql("UPDATE registries SET name = name WHERE id = 0")


def _unavailable(error: Exception) -> DatabaseUnavailable:
    unavailable = DatabaseUnavailable(Sentence("The database cannot do this now; try again."))
    unavailable.__cause__ = error
    return unavailable
