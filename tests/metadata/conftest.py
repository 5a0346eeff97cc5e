# SPDX-License-Identifier: Apache-2.0
"""Every test of rows runs over both databases."""

import pytest
import pytest_asyncio

from tests.metadata.databases import KINDS, Templates


@pytest.fixture(scope="session")
def templates(tmp_path_factory, postgres):
    return Templates(tmp_path_factory.mktemp("templates"), postgres)


@pytest_asyncio.fixture(params=KINDS)
async def empty_place(request, templates, tmp_path):
    """Return a database without a schema."""
    found = templates.empty(request.param, tmp_path)
    yield found
    await found.aclose()
    templates.drop(found)


@pytest_asyncio.fixture(params=KINDS)
async def place(request, templates, tmp_path):
    """Return a migrated database that a test opens itself."""
    found = templates.migrated(request.param, tmp_path)
    yield found
    await found.aclose()
    templates.drop(found)


@pytest_asyncio.fixture
async def sqlite_place(templates, tmp_path):
    """Return a migrated SQLite file, for what only SQLite does."""
    found = templates.migrated("sqlite", tmp_path)
    yield found
    await found.aclose()


@pytest_asyncio.fixture
async def postgresql_place(templates, tmp_path):
    """Return a migrated PostgreSQL database, for what only PostgreSQL does."""
    found = templates.migrated("postgresql", tmp_path)
    yield found
    await found.aclose()
    templates.drop(found)


@pytest.fixture
def database(place):
    """Return one instance over a migrated database."""
    return place.open()


@pytest.fixture
def connection(place):
    """Return an open transaction, for tests of rows that need no second one."""
    with place.engine().begin() as one:
        yield one
