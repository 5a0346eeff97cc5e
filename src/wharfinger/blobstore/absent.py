# SPDX-License-Identifier: Apache-2.0
"""A store that cannot be used now: of a registry whose storage is not declared, or belongs to another one."""

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import NoReturn, TypeVar

from wharfinger.blobstore.base import Observer, Space, StoreKey, Writer, WriterState
from wharfinger.domain.errors import StoreUnavailable
from wharfinger.domain.sentences import Sentence

T = TypeVar("T")


class AbsentBlobStore:
    """A `BlobStore` that answers everything with the same sentence.

    Args:
        reason: the sentence, which clients see: it names no path.
    """

    def __init__(self, reason: Sentence) -> None:
        self.reason = reason

    async def stat(self, key: StoreKey) -> int:  # noqa: ARG002 - the seam's signature, here and below
        """See `BlobStore.stat`."""
        self._refuse()

    def open(self, key: StoreKey, start: int, stop: int) -> AsyncGenerator[bytes]:  # noqa: ARG002
        """See `BlobStore.open`."""
        return self._refuse_first([b""])

    def open_unfinished(self, key: StoreKey, state: WriterState) -> AsyncGenerator[bytes]:  # noqa: ARG002
        """See `BlobStore.open_unfinished`."""
        return self._refuse_first([b""])

    async def begin(self, key: StoreKey, observer: Observer | None = None) -> Writer:  # noqa: ARG002
        """See `BlobStore.begin`."""
        self._refuse()

    async def resume(self, key: StoreKey, state: WriterState, observer: Observer | None = None) -> Writer:  # noqa: ARG002
        """See `BlobStore.resume`."""
        self._refuse()

    async def delete(self, key: StoreKey) -> None:  # noqa: ARG002
        """See `BlobStore.delete`."""
        self._refuse()

    async def settle(self, keys: Sequence[StoreKey]) -> None:  # noqa: ARG002
        """See `BlobStore.settle`."""
        self._refuse()

    def keys(self, prefix: str = "") -> AsyncGenerator[StoreKey]:
        """See `BlobStore.keys`."""
        return self._refuse_first([StoreKey(prefix)])

    def unfinished(self, prefix: str = "") -> AsyncGenerator[StoreKey]:
        """See `BlobStore.unfinished`."""
        return self._refuse_first([StoreKey(prefix)])

    async def presign(self, key: StoreKey, ttl: float) -> str | None:  # noqa: ARG002
        """See `BlobStore.presign`."""
        return None

    def path(self, key: StoreKey) -> Path | None:  # noqa: ARG002
        """See `BlobStore.path`."""
        return None

    async def space(self) -> Space | None:
        """See `BlobStore.space`."""
        self._refuse()

    async def check(self) -> None:
        """See `BlobStore.check`."""
        self._refuse()

    async def aclose(self) -> None:
        """See `BlobStore.aclose`."""

    def _refuse(self) -> NoReturn:
        raise StoreUnavailable(self.reason)

    async def _refuse_first(self, never: Sequence[T]) -> AsyncGenerator[T]:
        """Raise where the first piece would come."""
        for one in never:
            await self.check()
            yield one
