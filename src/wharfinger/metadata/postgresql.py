# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL: for several nodes over one database.

Transactions run at READ COMMITTED and take the row locks they need, in the order registry, repository, blob id;
whoever changes what a repository shows locks the repository's row first. What still collides is run again.
"""

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from wharfinger.clock import SECOND, Clock, Instant
from wharfinger.domain.errors import DatabaseUnavailable
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata.database import MAX_ATTEMPTS, Row, Statement, is_transient

T = TypeVar("T")

CONNECTIONS: Final = 10
"""For each worker process."""
CONNECT_SECONDS: Final = 5
STATEMENT_MILLISECONDS: Final = 30_000
_NOW: Final = text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")


class PostgresDatabase:
    """A shared database."""

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url)
        self._lookups = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._snapshots = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="postgresql")
        self._closed = False

    async def write(self, work: Callable[[Connection], T], *, durable: bool = True) -> T:
        """See `Database.write`."""
        return await self._run(lambda: self._write(work, durable=durable))

    async def read(self, work: Callable[[Connection], T]) -> T:
        """See `Database.read`."""
        return await self._run(lambda: self._read(work))

    async def export(self, work: Callable[[Connection], T]) -> T:
        """See `Database.export`."""
        return await self.read(work)

    async def find(self, lookup: Statement, **parameters: object) -> Row | None:
        """See `Database.find`."""
        return await self._run(lambda: self._find(lookup, parameters))

    def memory(self) -> None:
        """See `Database.memory`. Nothing tells that another node has committed."""

    async def check(self) -> None:
        """See `Database.check`. A replica that takes no writes counts as unavailable."""
        await self.write(_touch, durable=False)

    async def aclose(self) -> None:
        """See `Database.aclose`."""
        if not self._closed:
            self._closed = True
            await asyncio.to_thread(self._threads.shutdown)
            self._engine.dispose()

    async def _run(self, work: Callable[[], T]) -> T:
        if self._closed:
            message = Sentence("The database is closed.")
            raise DatabaseUnavailable(message)
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _write(self, work: Callable[[Connection], T], *, durable: bool) -> T:
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                with self._engine.begin() as connection:
                    if not durable:
                        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
                    return work(connection)
            except SQLAlchemyError as error:
                if attempt == MAX_ATTEMPTS or not (isinstance(error, DBAPIError) and is_transient(error)):
                    raise _unavailable(error) from error
                time.sleep(random.uniform(0, 0.05) * attempt)  # noqa: S311 - spreads retries, keeps no secret
        raise AssertionError

    def _read(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._snapshots.connect() as connection:
                return work(connection)
        except SQLAlchemyError as error:
            raise _unavailable(error) from error

    def _find(self, lookup: Statement, parameters: dict[str, object]) -> Row | None:
        try:
            with self._lookups.connect() as connection:
                return connection.execute(lookup.for_postgresql, parameters).first()
        except SQLAlchemyError as error:
            raise _unavailable(error) from error


class DatabaseClock(Clock):
    """The database's time, so that nodes whose own clocks differ agree on it.

    Between two looks, and while the database does not answer, it goes on by the clock that nobody can set.

    Args:
        url: of the database.
        interval: seconds between two looks.
    """

    def __init__(self, url: str, interval: float = 60.0) -> None:
        self._engine = open_engine(url, pooled=False)
        self._interval = interval
        self._offset = self._measure()
        threading.Thread(target=self._follow, name="database-clock", daemon=True).start()

    def now(self) -> Instant:
        """See `Clock.now`."""
        return Instant(int(self.monotonic() * SECOND) + self._offset)

    def _follow(self) -> None:
        while True:
            time.sleep(self._interval)
            with contextlib.suppress(SQLAlchemyError):
                self._offset = self._measure()

    def _measure(self) -> int:
        """Return the microseconds from this node's steady clock to the database's time."""
        with self._engine.connect() as connection:
            before = self.monotonic()
            found: int = connection.execute(_NOW).scalar_one()
            return found - int((before + self.monotonic()) / 2 * SECOND)


def open_engine(url: str, *, pooled: bool = True) -> Engine:
    """Return an engine over psycopg; `postgres://` and `postgresql://` mean the same."""
    _, _, rest = url.partition("://")
    return create_engine(
        make_url(f"postgresql+psycopg://{rest}"),
        **({"pool_size": CONNECTIONS, "max_overflow": 0, "pool_pre_ping": True} if pooled else {"poolclass": NullPool}),
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "options": f"-c statement_timeout={STATEMENT_MILLISECONDS} -c timezone=UTC",
            "application_name": "wharfinger",
        },
    )


def _touch(connection: Connection) -> None:
    connection.exec_driver_sql("UPDATE registries SET name = name WHERE id = 0")


def _unavailable(error: Exception) -> DatabaseUnavailable:
    unavailable = DatabaseUnavailable(Sentence("The database cannot do this now; try again."))
    unavailable.__cause__ = error
    return unavailable
