# SPDX-License-Identifier: Apache-2.0
"""The drivers that the contract is held against: a new driver adds one line here."""

from collections.abc import Callable
from pathlib import Path

import pytest
import pytest_asyncio

from tests.blobstore.stores import filesystem
from wharfinger.blobstore.base import BlobStore
from wharfinger.blobstore.guarded import GuardedBlobStore
from wharfinger.blobstore.memory import MemoryBlobStore


def _one_memory(_root: Path) -> Callable[[], BlobStore]:
    store = MemoryBlobStore()  # no other process sees it: every door leads to the same store
    return lambda: store


DRIVERS = {
    "memory": _one_memory,
    "filesystem": lambda root: lambda: filesystem(root),
    "guarded": lambda root: lambda: GuardedBlobStore(filesystem(root), timeout=30, observe=None),
}
"""By name: from a folder to a maker of stores, each as another process would open it over the same bytes."""


@pytest_asyncio.fixture(params=DRIVERS)
async def open_store(request, tmp_path):
    """Open a store over the same bytes as those opened before, as another process would."""
    make, opened = DRIVERS[request.param](tmp_path / "blobs"), []

    def open_another():
        opened.append(make())
        return opened[-1]

    yield open_another
    for store in opened:
        await store.aclose()


@pytest_asyncio.fixture
async def store(open_store):
    """Return a store that is ready, as it is after the server's start."""
    found = open_store()
    await found.check()
    return found


@pytest.fixture
def root(tmp_path):
    """Return the folder of a filesystem store."""
    return tmp_path / "blobs"


@pytest_asyncio.fixture
async def make(root):
    """Make filesystem stores over `root`, ready for use; `make(files=…)` gives one another file system."""
    opened = []

    async def _make(**options):
        opened.append(filesystem(root, **options))
        await opened[-1].check()
        return opened[-1]

    yield _make
    for store in opened:
        await store.aclose()
