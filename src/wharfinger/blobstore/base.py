# SPDX-License-Identifier: Apache-2.0
"""The seam behind which bytes are kept: what every blob store driver does, and what callers may rely on.

```text
key        <first two characters of the upload id>/<upload id>         chosen when an upload starts (ADR 0003)
           docker/registry/v2/blobs/sha256/ab/abcd…/data                a key in an adopted distribution tree

a key's life   (nothing) ──begin──▶ unfinished ──commit──▶ finished ──delete──▶ (nothing, for ever)
                                      │    ▲
                             checkpoint    resume (in any process)
```

A caller never joins or takes apart a key. Everything raises `StoreUnavailable` when the store fails and `StoreFull`
when it has no room; "there is no such key" is an error of its own, so that nobody mistakes the one for the other.
"""

import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NewType, Protocol

StoreKey = NewType("StoreKey", str)
WriterState = Mapping[str, object]
"""What `resume` needs to go on after a checkpoint; JSON-able, at most a few KiB, opaque to callers."""
Observer = Callable[[bytes], None]
"""Sees every piece in the order of writing, in the thread that writes it: a running hash costs no extra hop."""

_KEY: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*", re.ASCII)
_MAX_KEY_LENGTH: Final = 512


class KeyUnknown(Exception):
    """There are no finished bytes under this key: a fact, not a failure of the store."""

    def __init__(self, key: StoreKey) -> None:
        super().__init__(f"no bytes under {key}")
        self.key = key


class KeyTaken(ValueError):
    """There are finished bytes under this key already, and a key is written once."""

    def __init__(self, key: str) -> None:
        super().__init__(f"there are bytes under this key already: {key}")


def ingest_key(upload_id: str) -> StoreKey:
    """Return the key for the bytes of an upload; the first two characters spread keys over folders."""
    return checked_key(f"{upload_id[:2]}/{upload_id}")


def checked_key(text: str) -> StoreKey:
    """Return the text as a key.

    Raises:
        ValueError: it is outside the grammar (no empty part, no part that begins with a dot), which is a fault in
            the program: keys never come from a client.
    """
    if len(text) > _MAX_KEY_LENGTH or not _KEY.fullmatch(text):
        message = f"not a store key: {text[:80]!r}"
        raise ValueError(message)
    return StoreKey(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """How much a store has room for, in bytes.

    Args:
        free: what may still be added.
        total: what it could hold in all, with whatever else lies there.
        reserve: below so much, no upload is taken.
    """

    free: int
    total: int
    reserve: int


class Writer(Protocol):
    """Bytes on their way to one key. One task at a time uses it."""

    offset: int
    """How many bytes this key has been given, checkpointed or not."""

    async def write(self, pieces: Sequence[bytes]) -> None:
        """Append the pieces in order. After an error the writer can only be aborted or closed."""
        ...

    async def checkpoint(self) -> WriterState:
        """Make all that was written durable, and say how to go on from here; the writer stays open.

        Bytes up to here survive a power failure; what is written later without a checkpoint may vanish.
        """
        ...

    async def commit(self) -> None:
        """Make all bytes durable and readable under the key; closes the writer."""
        ...

    async def abort(self) -> None:
        """Throw the unfinished bytes away and close. Idempotent, and allowed after `commit`, where it does nothing."""
        ...

    async def close(self) -> None:
        """Release the writer without finishing: what was checkpointed can be resumed. Idempotent."""
        ...


class BlobStore(Protocol):
    """What a driver does. Safe for use by many tasks at once; keys of different processes never meet."""

    async def stat(self, key: StoreKey) -> int:
        """Return the size in bytes.

        Raises:
            KeyUnknown: no finished bytes under this key.
        """
        ...

    def open(self, key: StoreKey, start: int, stop: int) -> AsyncIterator[bytes]:
        """Yield the bytes from `start` up to but not including `stop`, in pieces of at most 1 MiB.

        The source is opened at the first piece, so `KeyUnknown` is raised there. If the source ends before `stop`,
        `StoreUnavailable` is raised after the last piece: a caller never takes a short read for the end. The source is
        released when the iterator ends or is closed; an open read outlives a `delete`.
        """
        ...

    async def begin(self, key: StoreKey, observer: Observer | None = None) -> Writer:
        """Start the bytes of a new key.

        Raises:
            KeyTaken: its bytes are finished.
            StoreFull: the space kept for metadata and deletion would be touched.
        """
        ...

    async def resume(self, key: StoreKey, state: WriterState, observer: Observer | None = None) -> Writer:
        """Go on from a checkpoint; bytes written after it are dropped.

        Raises:
            KeyUnknown: the unfinished bytes are gone, or fewer than the checkpoint says.
            StoreFull: as `begin`.
        """
        ...

    def open_unfinished(self, key: StoreKey, state: WriterState) -> AsyncIterator[bytes]:
        """Yield the bytes of an unfinished key up to its checkpoint, to hash what another process received."""
        ...

    async def delete(self, key: StoreKey) -> None:
        """Remove the bytes, finished or not. Deleting what is not there succeeds.

        Until `settle`, a power failure may bring them back.
        """
        ...

    async def settle(self, keys: Sequence[StoreKey]) -> None:
        """Make it durable that these keys were deleted: only then may the last note of them go.

        Covers every `delete` of them that ended before this began, in any process.
        """
        ...

    def keys(self, prefix: str = "") -> AsyncIterator[StoreKey]:
        """Yield the finished keys that begin with `prefix`, in no order; other files in the store are passed over."""
        ...

    def unfinished(self, prefix: str = "") -> AsyncIterator[StoreKey]:
        """Yield the keys that begin with `prefix` and have unfinished bytes, in no order."""
        ...

    async def presign(self, key: StoreKey, ttl: float) -> str | None:
        """Return a URL that reads the key without credentials for `ttl` seconds, or nothing if the store has none."""
        ...

    def path(self, key: StoreKey) -> Path | None:
        """Return the local file that holds the finished bytes, for the server's zero-copy send, or nothing."""
        ...

    async def space(self) -> Space | None:
        """Return how much room there is; nothing where the store has no end that it knows of."""
        ...

    async def check(self) -> None:
        """Write, read back and delete a few bytes; raises `StoreUnavailable` or `StoreFull` with the reason."""
        ...

    async def aclose(self) -> None:
        """Release threads and connections; idempotent."""
        ...
