# SPDX-License-Identifier: Apache-2.0
"""Two transactions that meet, in an order that a test chooses.

The first one runs up to its commit and is held there. The second one is started, by another node, and runs until it
must wait for the first. Then both are let go. No sleep decides anything: the first one says that it stands before its
commit, and the database says that the second one waits.
"""

import asyncio
import contextlib
import threading
from unittest import mock

from sqlalchemy import text

from tests.services.world import PATIENCE, Paused
from wharfinger.metadata import sqlite

WAITS = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


class Later(Paused):
    """A database that holds one of its transactions before the commit, after letting some pass.

    Args:
        inner: the database.
        skip: how many pass.
    """

    def __init__(self, inner, skip):
        super().__init__(inner)
        self._skip = skip

    async def write(self, work, *, durable=True):
        if self._skip > 0:
            self._skip -= 1
            return await self._inner.write(work, durable=durable)
        return await super().write(work, durable=durable)


class Meeting:
    """Forces an order.

    Args:
        world: the deployment.
    """

    def __init__(self, world):
        self._world = world
        self._held = None

    def first(self, *, skip=0):
        """Return the node whose transaction comes first: the one after `skip` others."""
        self._held = Later(self._world.place.open(), skip)
        return self._world.node(database=self._held)

    async def of(self, first, second):
        """Run both and return what each came to: a result or an exception."""
        earlier = asyncio.ensure_future(first)
        await self._held.at_the_end()
        with _noticed() as refused:
            later = asyncio.ensure_future(second)
            await self._until_it_waits(later, refused)
        self._held.let_go.set()
        return await asyncio.gather(earlier, later, return_exceptions=True)

    async def _until_it_waits(self, later, refused):
        """Wait until the second transaction waits for the first, or is through without having to."""
        engine = None if self._world.place.kind == "sqlite" else self._world.place.engine()
        async with asyncio.timeout(PATIENCE):
            while not (later.done() or (refused.is_set() if engine is None else await _asked(engine))):  # noqa: ASYNC110 - the database tells nobody
                await asyncio.sleep(0.002)


@contextlib.contextmanager
def _noticed():
    """Give what is set once SQLite has refused a transaction its lock, because another one has it."""
    refused, is_busy = threading.Event(), sqlite._is_busy

    def noted(error):
        found = is_busy(error)
        if found:
            refused.set()
        return found

    with mock.patch.object(sqlite, "_is_busy", noted):
        yield refused


async def _asked(engine):
    return await asyncio.to_thread(_waiting, engine)


def _waiting(engine):
    with engine.connect() as connection:
        return connection.execute(WAITS).scalar() > 0
