# SPDX-License-Identifier: Apache-2.0
"""Use cases over real rows and real bytes: each database with another store, and where it matters both with both."""

import pytest_asyncio

from tests.metadata.conftest import templates
from tests.services.world import World

__all__ = ["templates"]

PAIRS = ("sqlite-filesystem", "postgresql-memory")
EVERY_PAIR = (*PAIRS, "sqlite-memory", "postgresql-filesystem")


@pytest_asyncio.fixture(params=PAIRS)
async def world(request, templates, tmp_path):
    """Return an empty deployment."""
    database, _, store = request.param.partition("-")
    place = templates.migrated(database, tmp_path)
    made = World(place, tmp_path / "blobs" if store == "filesystem" else None)
    await made.first.store.check()
    yield made
    await made.aclose()
    await place.aclose()
    templates.drop(place)


@pytest_asyncio.fixture
async def node(world):
    """Return the services of its first node."""
    return world.first
