# SPDX-License-Identifier: Apache-2.0
"""Callers that go away, and disks that hang: no descriptor is closed beneath a thread, none stays open."""

import asyncio
import threading

import pytest

from tests.blobstore.stores import (
    PATIENCE,
    StallingFiles,
    descriptors,
    eventually,
    filesystem,
    listed,
    new_key,
    put,
    read,
)
from wharfinger.blobstore.base import KeyUnknown
from wharfinger.blobstore.guarded import GuardedBlobStore
from wharfinger.domain.errors import StoreUnavailable


async def cancelled_in(files, coroutine):
    """Cancel the call while its thread hangs in the disk."""
    files.stalls = True
    task = asyncio.get_running_loop().create_task(coroutine)
    await asyncio.to_thread(files.reached.wait, PATIENCE)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    files.stalls = False


async def test_cancelled_write_returns_at_once_and_close_waits_for_its_thread(make, root):
    files = StallingFiles("write")
    store, key = await make(files=files), new_key()
    writer = await store.begin(key)
    await cancelled_in(files, writer.write([b"x" * 100]))
    closing = asyncio.get_running_loop().create_task(writer.close())
    await asyncio.sleep(0.02)
    assert not closing.done()
    assert len(descriptors(root)) == 1
    files.let_go.set()
    await closing
    assert descriptors(root) == []


async def test_checkpoint_after_a_cancelled_write_covers_what_it_was_given(make):
    files, seen = StallingFiles("write"), []
    store, key = await make(files=files), new_key()
    writer = await store.begin(key, seen.append)
    await cancelled_in(files, writer.write([b"all ", b"of it"]))
    files.let_go.set()
    state = await writer.checkpoint()
    assert state == {"offset": 9}
    assert writer.offset == 9
    assert seen == [b"all ", b"of it"]
    await writer.close()
    assert b"".join([piece async for piece in store.open_unfinished(key, state)]) == b"all of it"


async def test_abort_after_a_cancelled_write_removes_the_bytes(make, root):
    files = StallingFiles("write")
    store = await make(files=files)
    writer = await store.begin("ab/cd")
    await cancelled_in(files, writer.write([b"x"]))
    files.let_go.set()
    await writer.abort()
    assert list((root / "ab").iterdir()) == []
    assert descriptors(root) == []


async def test_cancelled_close_closes_all_the_same(make, root):
    files = StallingFiles("write")
    store = await make(files=files)
    writer = await store.begin(new_key())
    await cancelled_in(files, writer.write([b"x"]))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(writer.close(), 0.01)
    files.let_go.set()
    await eventually(lambda: descriptors(root) == [])


async def test_cancelled_begin_leaves_nothing(make, root):
    files = StallingFiles("open_part")
    store = await make(files=files)
    await cancelled_in(files, store.begin("ab/cd"))
    files.let_go.set()
    await eventually(lambda: not list((root / "ab").iterdir()) and descriptors(root) == [])


async def once_free(work):
    """Return the outcome of the work as soon as nobody else holds what it needs."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await work()
            except StoreUnavailable:
                await asyncio.sleep(0.001)


async def test_cancelled_resume_keeps_the_bytes_and_closes_them(make, root):
    files = StallingFiles("open_part")
    store, key = await make(files=files), new_key()
    writer = await store.begin(key)
    await writer.write([b"kept"])
    state = await writer.checkpoint()
    await writer.close()
    await cancelled_in(files, store.resume(key, state))
    files.let_go.set()
    resumed = await once_free(lambda: store.resume(key, state))  # the cancelled one lets go of the file it opened
    await resumed.commit()
    assert await read(store, key) == b"kept"
    await eventually(lambda: descriptors(root) == [])


async def test_cancelled_commit_happens_or_not_but_never_by_halves(make):
    files = StallingFiles("sync")
    store, key = await make(files=files), new_key()
    writer = await store.begin(key)
    await writer.write([b"whole"])
    await cancelled_in(files, writer.commit())
    with pytest.raises(KeyUnknown):
        await store.stat(key)
    files.let_go.set()
    await writer.abort()
    assert await read(store, key) == b"whole"


async def test_cancelled_read_closes_the_file_after_its_thread(make, root):
    files = StallingFiles("read")
    store = await make(files=files)
    key = await put(store)
    await cancelled_in(files, anext(store.open(key, 0, 7)))
    assert len(descriptors(root)) == 1
    files.let_go.set()
    await eventually(lambda: descriptors(root) == [])


async def test_writer_that_hangs_keeps_others_from_its_bytes(make):
    files = StallingFiles("write")
    hung, healthy, key = await make(files=files), await make(), new_key()
    writer = await hung.begin(key)
    await writer.write([b"kept"])
    state = await writer.checkpoint()
    await cancelled_in(files, writer.write([b"late"]))
    with pytest.raises(StoreUnavailable, match="still writing"):
        await healthy.resume(key, state)
    files.let_go.set()
    await writer.close()
    resumed = await healthy.resume(key, state)
    await resumed.write([b", new"])
    await resumed.commit()
    assert await read(healthy, key) == b"kept, new"


async def test_disk_that_hangs_holds_up_its_own_threads_only(make, tmp_path):
    files = StallingFiles("size")
    driver = await make(files=files, max_threads=2)
    key = await put(driver)
    hung = GuardedBlobStore(driver, timeout=0.05, observe=None)
    files.stalls = True
    answers = await asyncio.gather(*(hung.stat(key) for _ in range(20)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {StoreUnavailable}
    assert sum(thread.name.startswith("blobs_") for thread in threading.enumerate()) == 2
    healthy = filesystem(tmp_path / "other")
    assert await read(healthy, await put(healthy, b"served")) == b"served"
    await healthy.aclose()
    files.let_go.set()
    files.stalls = False
    assert await eventually_stat(hung, key) == 7


async def eventually_stat(store, key):
    """Ask until the threads are back."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await store.stat(key)
            except StoreUnavailable:
                await asyncio.sleep(0.01)


async def test_write_that_hangs_meets_the_deadline_of_the_guard_and_can_be_aborted(make, root):
    files = StallingFiles("write")
    store = GuardedBlobStore(await make(files=files), timeout=0.5, observe=None)
    writer = await store.begin(new_key())
    files.stalls = True
    for call in (lambda: writer.write([b"x"]), writer.checkpoint, writer.abort):
        with pytest.raises(StoreUnavailable, match="in time"):
            await call()
    files.stalls = False
    files.let_go.set()
    await eventually(lambda: descriptors(root) == [])
    assert await listed(store) == []


async def test_writer_that_outlives_its_store_still_gives_its_descriptor_back(make, root):
    store = await make()
    writer = await store.begin(new_key())
    await store.aclose()
    await writer.close()
    assert descriptors(root) == []
