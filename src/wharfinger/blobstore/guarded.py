# SPDX-License-Identifier: Apache-2.0
"""What every driver gets for nothing: key grammar, deadlines, measurements, and errors that are a store's errors.

A stream has no deadline as a whole, each piece of it has: a slow client is not a store that hangs.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Literal, TypeVar

from wharfinger.blobstore.base import (
    BlobStore,
    KeyUnknown,
    Observer,
    Space,
    StoreKey,
    Writer,
    WriterState,
    checked_key,
)
from wharfinger.blobstore.failures import translated
from wharfinger.domain.errors import StoreFull

T = TypeVar("T")
Outcome = Literal["ok", "unknown", "full", "unavailable", "cancelled"]
Observe = Callable[[str, float, str], None]
"""Called with the operation's name, the seconds that the store took, and an `Outcome`."""


class GuardedBlobStore:
    """A `BlobStore` around another one.

    Args:
        inner: the driver.
        timeout: seconds that one call, or one piece of a stream, may take.
        observe: what to do with measurements.
    """

    def __init__(self, inner: BlobStore, *, timeout: float, observe: Observe | None) -> None:
        self._inner = inner
        self._guard = _Guard(timeout, observe)

    async def stat(self, key: StoreKey) -> int:
        """See `BlobStore.stat`."""
        return await self._guard.call("stat", self._inner.stat(checked_key(key)))

    def open(self, key: StoreKey, start: int, stop: int) -> AsyncGenerator[bytes]:
        """See `BlobStore.open`."""
        return self._guard.stream("open", self._inner.open(checked_key(key), start, stop))

    def open_unfinished(self, key: StoreKey, state: WriterState) -> AsyncGenerator[bytes]:
        """See `BlobStore.open_unfinished`."""
        return self._guard.stream("open_unfinished", self._inner.open_unfinished(checked_key(key), state))

    async def begin(self, key: StoreKey, observer: Observer | None = None) -> Writer:
        """See `BlobStore.begin`."""
        writer = await self._guard.call("begin", self._inner.begin(checked_key(key), observer))
        return _GuardedWriter(writer, self._guard)

    async def resume(self, key: StoreKey, state: WriterState, observer: Observer | None = None) -> Writer:
        """See `BlobStore.resume`."""
        writer = await self._guard.call("resume", self._inner.resume(checked_key(key), state, observer))
        return _GuardedWriter(writer, self._guard)

    async def delete(self, key: StoreKey) -> None:
        """See `BlobStore.delete`."""
        await self._guard.call("delete", self._inner.delete(checked_key(key)))

    async def settle(self, keys: Sequence[StoreKey]) -> None:
        """See `BlobStore.settle`."""
        await self._guard.call("settle", self._inner.settle([checked_key(key) for key in keys]))

    def keys(self, prefix: str = "") -> AsyncGenerator[StoreKey]:
        """See `BlobStore.keys`."""
        return self._guard.stream("keys", self._inner.keys(prefix))

    def unfinished(self, prefix: str = "") -> AsyncGenerator[StoreKey]:
        """See `BlobStore.unfinished`."""
        return self._guard.stream("unfinished", self._inner.unfinished(prefix))

    async def presign(self, key: StoreKey, ttl: float) -> str | None:
        """See `BlobStore.presign`."""
        return await self._guard.call("presign", self._inner.presign(checked_key(key), ttl))

    def path(self, key: StoreKey) -> Path | None:
        """See `BlobStore.path`."""
        return self._inner.path(checked_key(key))

    async def space(self) -> Space | None:
        """See `BlobStore.space`."""
        return await self._guard.call("space", self._inner.space())

    async def check(self) -> None:
        """See `BlobStore.check`."""
        await self._guard.call("check", self._inner.check())

    async def aclose(self) -> None:
        """See `BlobStore.aclose`."""
        await self._guard.call("aclose", self._inner.aclose())


class _GuardedWriter:
    def __init__(self, inner: Writer, guard: "_Guard") -> None:
        self._inner = inner
        self._guard = guard

    @property
    def offset(self) -> int:
        return self._inner.offset

    @offset.setter
    def offset(self, offset: int) -> None:
        self._inner.offset = offset

    async def write(self, pieces: Sequence[bytes]) -> None:
        await self._guard.call("write", self._inner.write(pieces))

    async def checkpoint(self) -> WriterState:
        return await self._guard.call("checkpoint", self._inner.checkpoint())

    async def commit(self) -> None:
        await self._guard.call("commit", self._inner.commit())

    async def abort(self) -> None:
        await self._guard.call("abort", self._inner.abort())

    async def close(self) -> None:
        await self._guard.call("close", self._inner.close())


class _Guard:
    """Runs one call of the driver, or one stream, under a deadline, and measures it."""

    def __init__(self, timeout: float, observe: Observe | None) -> None:
        self._timeout = timeout
        self._observe = observe

    async def call(self, name: str, operation: Awaitable[T]) -> T:
        started = perf_counter()
        outcome: Outcome = "unavailable"
        try:
            with translated():
                async with asyncio.timeout(self._timeout):
                    result = await operation
        except BaseException as error:
            outcome = _outcome(error)
            raise
        else:
            outcome = "ok"
            return result
        finally:
            self._report(name, perf_counter() - started, outcome)

    async def stream(self, name: str, source: AsyncIterator[T]) -> AsyncGenerator[T]:
        """Hand on the pieces; what is measured is the time spent waiting for them, not the consumer's."""
        seconds = 0.0
        outcome: Outcome = "ok"  # also when the consumer has seen enough
        try:
            while True:
                started = perf_counter()
                try:
                    with translated():
                        async with asyncio.timeout(self._timeout):
                            piece = await anext(source)
                except StopAsyncIteration:
                    return
                except BaseException as error:
                    outcome = _outcome(error)
                    raise
                finally:
                    seconds += perf_counter() - started
                yield piece
        finally:
            if isinstance(source, AsyncGenerator):
                await source.aclose()
            self._report(name, seconds, outcome)

    def _report(self, name: str, seconds: float, outcome: Outcome) -> None:
        if self._observe is not None:
            self._observe(name, seconds, outcome)


def _outcome(error: BaseException) -> Outcome:
    match error:
        case KeyUnknown():
            return "unknown"
        case StoreFull():
            return "full"
        case asyncio.CancelledError():
            return "cancelled"
        case _:
            return "unavailable"
