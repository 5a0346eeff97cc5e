# SPDX-License-Identifier: Apache-2.0
"""Marks of storages, where several processes of a node begin at the same moment."""

import asyncio

import pytest

from wharfinger.blobstore.filesystem import FilesystemBlobStore
from wharfinger.domain.errors import StoreUnavailable
from wharfinger.services import storages
from wharfinger.services.storages import MARK, Storage, Storages


@pytest.fixture
async def store(tmp_path):
    made = FilesystemBlobStore(tmp_path / "store", reserve=0, max_threads=2)
    await made.check()
    yield made
    await made.aclose()


async def test_a_storage_that_another_process_marks_at_this_moment_answers(store):
    writer = await store.begin(MARK)  # as another process has it
    checked = asyncio.create_task(
        Storages([Storage(name="one", place="", store=store)]).check_mark("one", "ours", has_blobs=False)
    )
    await asyncio.sleep(0.01)
    assert not checked.done()
    await writer.write([b"ours\n"])
    await writer.commit()
    assert await checked


async def test_a_storage_that_stays_out_of_reach_is_told_of(store, monkeypatch):
    monkeypatch.setattr(storages, "_PAUSES", (0.0, 0.0))
    writer = await store.begin(MARK)
    with pytest.raises(StoreUnavailable):
        await Storages([Storage(name="one", place="", store=store)]).check_mark("one", "ours", has_blobs=False)
    await writer.abort()
