# SPDX-License-Identifier: Apache-2.0
"""What the guard adds to a driver: key grammar, deadlines, measurements, meanings of errors."""

import asyncio
import errno

import pytest

from tests.blobstore.stores import drained, listed, new_key, put, read
from wharfinger.blobstore.base import KeyUnknown
from wharfinger.blobstore.guarded import GuardedBlobStore
from wharfinger.blobstore.memory import MemoryBlobStore
from wharfinger.domain.errors import StoreFull, StoreUnavailable

BAD_KEYS = ["", "/a", "a/", "a//b", "../a", "a/../b", "a/.part", ".a", "a\n", "a b", "ä", "a" * 513]


class Troubled(MemoryBlobStore):
    """Does to every call what it is told; `hang` waits for ever."""

    def __init__(self, trouble=None):
        super().__init__()
        self.trouble = trouble
        self.released = False

    async def _suffer(self):
        if self.trouble == "hang":
            await asyncio.Event().wait()
        if self.trouble is not None:
            raise self.trouble

    async def stat(self, key):
        await self._suffer()
        return await super().stat(key)

    async def check(self):
        await self._suffer()

    async def open(self, _key, _start, _stop):
        try:
            yield b"first"
            await self._suffer()
            yield b"second"
        finally:
            self.released = True


def guarded(trouble=None, timeout=30.0):
    seen = []
    inner = Troubled(trouble)
    return GuardedBlobStore(inner, timeout=timeout, observe=lambda *what: seen.append(what)), inner, seen


@pytest.mark.parametrize("key", BAD_KEYS)
async def test_key_outside_the_grammar_never_reaches_the_driver(key):
    store, _, seen = guarded()
    for call in (store.stat, store.begin, store.delete, lambda key: store.resume(key, {"offset": 0})):
        with pytest.raises(ValueError, match="not a store key"):
            await call(key)
    for call in (store.path, lambda key: store.open(key, 0, 1), lambda key: store.open_unfinished(key, {"offset": 0})):
        with pytest.raises(ValueError, match="not a store key"):
            call(key)
    with pytest.raises(ValueError, match="not a store key"):
        await store.presign(key, 1)
    assert seen == []


@pytest.mark.parametrize(
    ("trouble", "raised", "outcome"),
    [
        (OSError(errno.EIO, "bad", "/secret/path"), StoreUnavailable, "unavailable"),
        (OSError(errno.ENOSPC, "full", "/secret/path"), StoreFull, "full"),
        (TimeoutError(), StoreUnavailable, "unavailable"),
        (ConnectionResetError(), StoreUnavailable, "unavailable"),
        (StoreUnavailable("as it is"), StoreUnavailable, "unavailable"),
        (StoreFull("as it is"), StoreFull, "full"),
        (KeyUnknown("ab/cd"), KeyUnknown, "unknown"),
        (ZeroDivisionError(), ZeroDivisionError, "unavailable"),
    ],
    ids=repr,
)
async def test_error_gets_its_meaning_and_is_reported(trouble, raised, outcome):
    store, _, seen = guarded(trouble)
    with pytest.raises(raised) as caught:
        await store.stat(new_key())
    assert caught.value is trouble or caught.value.__cause__ is trouble
    assert "secret" not in str(caught.value)
    assert [(name, what) for name, _, what in seen] == [("stat", outcome)]


async def test_call_that_hangs_meets_its_deadline():
    store, _, seen = guarded("hang", timeout=0.02)
    with pytest.raises(StoreUnavailable, match="in time"):
        await store.stat(new_key())
    name, seconds, outcome = seen[0]
    assert (name, outcome) == ("stat", "unavailable")
    assert 0.02 <= seconds < 5


async def test_cancelled_call_is_reported_and_stays_cancelled():
    store, _, seen = guarded("hang")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(store.check(), 0.01)
    assert [(name, outcome) for name, _, outcome in seen] == [("check", "cancelled")]


async def test_every_operation_is_reported_by_name():
    store, _, seen = guarded()
    key = await put(store, b"firstsecond")
    await store.stat(key)
    assert await read(store, key, 0, 11) == b"firstsecond"
    other = new_key()
    writer = await store.begin(other)
    state = await writer.checkpoint()
    await writer.close()
    await writer.abort()
    assert [piece async for piece in store.open_unfinished(other, state)] == []
    assert await listed(store) == [key]
    assert store.path(key) is None
    assert await store.presign(key, 1) is None
    await store.delete(key)
    await store.check()
    await store.aclose()
    assert [name for name, _, _ in seen] == [
        *("begin", "write", "commit", "stat", "open"),
        *("begin", "checkpoint", "close", "abort", "open_unfinished"),
        *("keys", "presign", "delete", "check", "aclose"),
    ]
    assert {outcome for _, _, outcome in seen} == {"ok"}
    assert all(seconds >= 0 for _, seconds, _ in seen)


async def test_stream_that_hangs_meets_the_deadline_of_its_piece_and_is_released():
    store, inner, seen = guarded("hang", timeout=0.02)
    received, error = await drained(store.open(new_key(), 0, 11))
    assert received == [b"first"]
    assert error is not None
    assert inner.released
    assert [(name, outcome) for name, _, outcome in seen] == [("open", "unavailable")]


async def test_slow_consumer_meets_no_deadline_and_is_not_measured():
    store, _, seen = guarded(timeout=0.5)
    async for _ in store.open(new_key(), 0, 11):
        await asyncio.sleep(0.6)
    name, seconds, outcome = seen[0]
    assert (name, outcome) == ("open", "ok")
    assert seconds < 0.5


async def test_consumer_that_has_seen_enough_releases_the_source():
    store, inner, seen = guarded()
    pieces = store.open(new_key(), 0, 11)
    await anext(pieces)
    await pieces.aclose()
    assert inner.released
    assert [(name, outcome) for name, _, outcome in seen] == [("open", "ok")]


async def test_guard_works_without_an_observer():
    store = GuardedBlobStore(MemoryBlobStore(), timeout=1, observe=None)
    assert await read(store, await put(store, b"unseen")) == b"unseen"


async def test_writer_shows_the_offset_of_the_driver():
    store, _, _ = guarded()
    writer = await store.begin(new_key())
    await writer.write([b"abc"])
    assert writer.offset == 3
