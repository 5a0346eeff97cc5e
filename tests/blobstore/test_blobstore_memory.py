# SPDX-License-Identifier: Apache-2.0
import pytest

from tests.blobstore.stores import new_key, put, read
from wharfinger.blobstore.memory import MemoryBlobStore
from wharfinger.domain.errors import StoreFull, StoreUnavailable


async def test_capacity_counts_finished_and_unfinished_bytes():
    store = MemoryBlobStore(capacity=10)
    key = await put(store, b"12345")
    writer = await store.begin(new_key())
    await writer.write([b"123"])
    with pytest.raises(StoreFull):
        await writer.write([b"456"])
    with pytest.raises(StoreFull):
        await writer.commit()
    await writer.abort()
    await put(store, b"12345")
    assert await read(store, key) == b"12345"


async def test_writer_that_lost_its_upload_writes_into_nothing():
    store, key = MemoryBlobStore(), new_key()
    lost = await store.begin(key)
    await lost.write([b"kept"])
    held = await store.resume(key, await lost.checkpoint())
    await lost.write([b"lost"])
    with pytest.raises(StoreUnavailable):
        await lost.commit()
    await lost.abort()
    await held.commit()
    assert await read(store, key) == b"kept"


async def test_memory_has_neither_file_nor_url():
    store = MemoryBlobStore()
    assert store.path(new_key()) is None
    assert await store.presign(new_key(), 60) is None
