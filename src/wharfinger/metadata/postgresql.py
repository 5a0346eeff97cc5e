# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL: for several nodes over one database.

Transactions run at READ COMMITTED and take the row locks they need, in the order registry, repository, blob id;
whoever changes what a repository shows locks the repository's row first. What still collides is run again.
"""

import asyncio
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from wharfinger.domain.errors import DatabaseUnavailable
from wharfinger.metadata.database import MAX_ATTEMPTS, Row, Statement, is_transient

T = TypeVar("T")

CONNECTIONS: Final = 10
"""For each worker process."""
CONNECT_SECONDS: Final = 5
STATEMENT_MILLISECONDS: Final = 30_000


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
            message = "The database is closed."
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


def open_engine(url: str) -> Engine:
    """Return an engine over psycopg; `postgres://` and `postgresql://` mean the same."""
    _, _, rest = url.partition("://")
    return create_engine(
        make_url(f"postgresql+psycopg://{rest}"),
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "options": f"-c statement_timeout={STATEMENT_MILLISECONDS} -c timezone=UTC",
            "application_name": "wharfinger",
        },
    )


def _touch(connection: Connection) -> None:
    connection.exec_driver_sql("UPDATE registries SET name = name WHERE id = 0")


def _unavailable(error: Exception) -> DatabaseUnavailable:
    unavailable = DatabaseUnavailable("The database cannot do this now; try again.")
    unavailable.__cause__ = error
    return unavailable
