# SPDX-License-Identifier: Apache-2.0
"""Bytes in memory, for tests and demonstrations: the contract of a store without its durability."""

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Final

from wharfinger.blobstore.base import KeyTaken, KeyUnknown, Observer, Space, StoreKey, Writer, WriterState
from wharfinger.domain.errors import StoreFull, StoreUnavailable, Unavailable
from wharfinger.domain.sentences import Sentence

PIECE: Final = 1024 * 1024


class MemoryBlobStore:
    """A `BlobStore` that forgets everything with its process.

    Args:
        capacity: how many bytes it takes in all, finished and unfinished; nothing for as many as there are.
    """

    def __init__(self, *, capacity: int | None = None) -> None:
        self._capacity = capacity
        self._finished: dict[StoreKey, bytes] = {}
        self._unfinished: dict[StoreKey, bytearray] = {}

    async def stat(self, key: StoreKey) -> int:
        """See `BlobStore.stat`."""
        return len(self._content(key))

    async def open(self, key: StoreKey, start: int, stop: int) -> AsyncGenerator[bytes]:
        """See `BlobStore.open`."""
        async for piece in _pieces(self._content(key), start, stop):
            yield piece

    async def open_unfinished(self, key: StoreKey, state: WriterState) -> AsyncGenerator[bytes]:
        """See `BlobStore.open_unfinished`."""
        stop = _offset_in(state)
        async for piece in _pieces(bytes(self._partial(key)[:stop]), 0, stop):
            yield piece

    async def begin(self, key: StoreKey, observer: Observer | None = None) -> Writer:
        """See `BlobStore.begin`."""
        self.require_room(0)
        self.require_unwritten(key)
        return self._writer(key, bytearray(), observer)

    async def resume(self, key: StoreKey, state: WriterState, observer: Observer | None = None) -> Writer:
        """See `BlobStore.resume`."""
        self.require_room(0)
        offset, content = _offset_in(state), self._partial(key)
        if len(content) < offset:
            raise KeyUnknown(key)
        # A copy: a writer that lost its upload goes on in bytes that nobody will see.
        return self._writer(key, content[:offset], observer)

    async def delete(self, key: StoreKey) -> None:
        """See `BlobStore.delete`."""
        self._unfinished.pop(key, None)
        self._finished.pop(key, None)

    async def settle(self, keys: Sequence[StoreKey]) -> None:
        """See `BlobStore.settle`: nothing here survives its process, nor comes back."""

    async def keys(self, prefix: str = "") -> AsyncGenerator[StoreKey]:
        """See `BlobStore.keys`."""
        for key in list(self._finished):
            if key.startswith(prefix):
                yield key

    async def unfinished(self, prefix: str = "") -> AsyncGenerator[StoreKey]:
        """See `BlobStore.unfinished`."""
        for key in list(self._unfinished):
            if key.startswith(prefix):
                yield key

    async def presign(self, key: StoreKey, ttl: float) -> str | None:  # noqa: ARG002 - the seam's signature
        """See `BlobStore.presign`: memory has no URL."""
        return None

    def path(self, key: StoreKey) -> Path | None:  # noqa: ARG002 - the seam's signature
        """See `BlobStore.path`: memory has no files."""
        return None

    async def space(self) -> Space | None:
        """See `BlobStore.space`."""
        if self._capacity is None:
            return None
        return Space(free=self._capacity - self._used(), total=self._capacity, reserve=0)

    async def check(self) -> None:
        """See `BlobStore.check`."""
        self.require_room(0)

    async def aclose(self) -> None:
        """See `BlobStore.aclose`."""

    def finish(self, key: StoreKey, content: bytearray) -> None:
        """Make the bytes readable, if they are still those of the key."""
        self.require_unwritten(key)
        if not self.holds(key, content):
            message = Sentence("The unfinished bytes were removed.")
            raise StoreUnavailable(message)
        self._finished[key] = bytes(self._unfinished.pop(key))

    def drop(self, key: StoreKey, content: bytearray) -> None:
        """Forget the bytes, if they are still those of the key."""
        if self.holds(key, content):
            del self._unfinished[key]

    def holds(self, key: StoreKey, content: bytearray) -> bool:
        """Say whether these are the key's unfinished bytes."""
        return self._unfinished.get(key) is content

    def require_room(self, more: int) -> None:
        """Raise `StoreFull` if so many more bytes do not fit."""
        if self._capacity is None:
            return
        if self._used() + more > self._capacity:
            message = Sentence("The registry's storage is full.")
            raise StoreFull(message)

    def _used(self) -> int:
        return sum(map(len, self._finished.values())) + sum(map(len, self._unfinished.values()))

    def require_unwritten(self, key: StoreKey) -> None:
        """Raise `KeyTaken` if the key is finished: it is written once."""
        if key in self._finished:
            raise KeyTaken(key)

    def _content(self, key: StoreKey) -> bytes:
        try:
            return self._finished[key]
        except KeyError:
            raise KeyUnknown(key) from None

    def _partial(self, key: StoreKey) -> bytearray:
        try:
            return self._unfinished[key]
        except KeyError:
            raise KeyUnknown(key) from None

    def _writer(self, key: StoreKey, content: bytearray, observer: Observer | None) -> Writer:
        self._unfinished[key] = content
        return _MemoryWriter(self, key, content, observer)


class _MemoryWriter:
    def __init__(self, store: MemoryBlobStore, key: StoreKey, content: bytearray, observer: Observer | None) -> None:
        self.offset = len(content)
        self._store = store
        self._key = key
        self._content = content
        self._observer = observer
        self._open = True
        self._failure: Unavailable | None = None

    async def write(self, pieces: Sequence[bytes]) -> None:
        self._require_sound()
        self._failure = StoreUnavailable(Sentence("Bytes of this upload could not be stored; resume where it stands."))
        try:
            self._store.require_room(sum(map(len, pieces)))
        except StoreFull as error:
            self._failure = error
            raise
        for piece in pieces:
            if self._observer is not None:
                self._observer(piece)
            self._content += piece
        self.offset = len(self._content)
        self._failure = None

    async def checkpoint(self) -> WriterState:
        self._require_sound()
        return {"offset": self.offset}

    async def commit(self) -> None:
        self._require_sound()
        self._store.finish(self._key, self._content)
        self._open = False

    async def abort(self) -> None:
        if self._open:
            self._open = False
            self._store.drop(self._key, self._content)

    async def close(self) -> None:
        self._open = False

    def _require_sound(self) -> None:
        if not self._open:
            message = "the writer is closed"
            raise ValueError(message)
        if self._failure is not None:
            raise type(self._failure)(self._failure.message)


def _offset_in(state: WriterState) -> int:
    offset = state.get("offset")
    if not isinstance(offset, int) or offset < 0:
        message = "not a checkpoint of this store"
        raise ValueError(message)
    return offset


async def _pieces(content: bytes, start: int, stop: int) -> AsyncGenerator[bytes]:
    for at in range(start, min(stop, len(content)), PIECE):
        yield content[at : min(at + PIECE, stop)]
    if stop > len(content):
        message = Sentence("The registry's storage has fewer bytes of this content than it should.")
        raise StoreUnavailable(message)
