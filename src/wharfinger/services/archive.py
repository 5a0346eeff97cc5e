# SPDX-License-Identifier: Apache-2.0
"""A place where backups are: a blob store of its own, whose keys are drawn in `domain.backups`."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from typing import Final

from wharfinger.blobstore.base import BlobStore, KeyUnknown, StoreKey, Writer, checked_key
from wharfinger.domain.backups import Backup, BackupUnfit, Piece, id_of, page_key, parse_backup, piece_key
from wharfinger.domain.digests import Algorithm, Hasher, digest_of
from wharfinger.services.pace import Pay

_FLUSH: Final = 1024 * 1024
_MOST_PAGE: Final = 1024 * 1024
_AT_ONCE: Final = 4 * 1024 * 1024
"""How much is decompressed at once."""
_LONGEST_LINE: Final = 64 * 1024 * 1024
"""No line is longer: the longest ones have a manifest in base64."""
_GZIP: Final = 31
"""zlib's number for a stream with the header of gzip, which every system can read."""


class LineWriter:
    """Compresses lines into one piece of a backup; `add` is called in another thread than the loop's.

    Args:
        writer: of the piece.
        hasher: sees every compressed byte.
        loop: on which the writer is used.
    """

    def __init__(self, writer: Writer, hasher: Hasher, loop: asyncio.AbstractEventLoop) -> None:
        self._writer = writer
        self._hasher = hasher
        self._loop = loop
        self._compressor = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
        self._waiting = bytearray()

    def add(self, line: bytes) -> None:
        """Take one line; waits while the store is slower than whoever gives them."""
        self._waiting += self._compressor.compress(line)
        if len(self._waiting) >= _FLUSH:
            chunk, self._waiting = bytes(self._waiting), bytearray()
            asyncio.run_coroutine_threadsafe(self._writer.write([chunk]), self._loop).result()

    async def finish(self) -> Piece:
        """Make the piece durable, and say what it is."""
        await self._writer.write([bytes(self._waiting) + self._compressor.flush()])
        await self._writer.commit()
        return Piece(size=self._hasher.size, digest=self._hasher.digest())


class Archive:
    """Backups in one store."""

    def __init__(self, store: BlobStore) -> None:
        self.store = store

    async def begin_lines(self, backup_id: str, name: str) -> tuple[LineWriter, Writer]:
        """Begin a piece of compressed lines; the writer is to be aborted if it comes to nothing."""
        hasher = Hasher(Algorithm.SHA256)
        writer = await self.store.begin(checked_key(piece_key(backup_id, name)), hasher.update)
        return LineWriter(writer, hasher, asyncio.get_running_loop()), writer

    async def put(self, key: str, content: bytes) -> Piece:
        """Store something small, whole or not at all."""
        writer = await self.store.begin(checked_key(key))
        try:
            await writer.write([content])
            await writer.commit()
        except BaseException:
            await writer.abort()
            raise
        return Piece(size=len(content), digest=digest_of(content))

    async def get(self, key: str, most: int = _MOST_PAGE) -> bytes:
        """Return something small.

        Raises:
            BackupUnfit: it is not there, or larger than it could be.
        """
        try:
            size = await self.store.stat(checked_key(key))
            if size > most:
                message = f"{key} has {size} bytes, which no backup of ours has"
                raise BackupUnfit(message)
            return b"".join([piece async for piece in self.store.open(checked_key(key), 0, size)])
        except KeyUnknown as error:
            message = f"{key} is not there"
            raise BackupUnfit(message) from error

    async def lines(self, backup_id: str, name: str) -> AsyncIterator[list[bytes]]:
        """Yield the lines of a piece, as many at a time as come together.

        Raises:
            BackupUnfit: it is not there, or cannot be read to its end.
        """
        async for lines in lines_of(self.store, checked_key(piece_key(backup_id, name))):
            yield lines

    async def ids(self) -> tuple[list[str], list[str]]:
        """Return the ids of whole backups, the oldest first, and those of halves."""
        seen: dict[str, bool] = {}
        for listing, finished in ((self.store.keys("backups/"), True), (self.store.unfinished("backups/"), False)):
            async for key in listing:
                found = id_of(key)
                if found is not None:
                    seen[found[0]] = seen.get(found[0], False) or (found[1] and finished)
        return sorted(one for one in seen if seen[one]), sorted(one for one in seen if not seen[one])

    async def find(self, backup_id: str | None) -> Backup:
        """Return a backup, or the newest one.

        Raises:
            BackupUnfit: there is none, or its page cannot be read.
        """
        whole, halves = await self.ids()
        if backup_id is None and whole:
            backup_id = whole[-1]
        if backup_id not in whole:
            known = ", ".join(whole) or ("none is whole" if halves else "there are none")
            message = f"no such backup here: {known}" if backup_id else f"no backup here: {known}"
            raise BackupUnfit(message)
        return parse_backup(await self.get(page_key(backup_id)))

    async def remove(self, backup_id: str) -> None:
        """Remove a backup without its blobs; its page first, so that what is left of it is no backup."""
        await self.store.delete(checked_key(page_key(backup_id)))
        prefix = piece_key(backup_id, "")
        for listing in (self.store.keys(prefix), self.store.unfinished(prefix)):
            for key in [key async for key in listing]:
                await self.store.delete(key)

    async def hash(self, key: StoreKey, algorithm: Algorithm, pay: Pay) -> Piece | None:
        """Return size and digest of what is stored, or nothing."""
        hasher = Hasher(algorithm)
        try:
            size = await self.store.stat(key)
            async for piece in self.store.open(key, 0, size):
                await pay(len(piece))
                await asyncio.to_thread(hasher.update, piece)
        except KeyUnknown:
            return None
        return Piece(size=hasher.size, digest=hasher.digest())


async def lines_of(store: BlobStore, key: StoreKey, hasher: Hasher | None = None) -> AsyncIterator[list[bytes]]:
    """Yield the lines that a `LineWriter` wrote, as many at a time as come together.

    However well they are compressed, only some of them are in memory at once.

    Args:
        store: where they are.
        key: under which.
        hasher: sees every compressed byte.

    Raises:
        BackupUnfit: they are not there, one is longer than any of ours, or they cannot be read to their end.
    """
    decompressor, rest = zlib.decompressobj(_GZIP), b""
    try:
        size = await store.stat(key)
        async for piece in store.open(key, 0, size):
            if hasher is not None:
                await asyncio.to_thread(hasher.update, piece)
            waiting = piece
            while waiting:
                text = await asyncio.to_thread(decompressor.decompress, waiting, _AT_ONCE)
                waiting = decompressor.unconsumed_tail
                *lines, rest = (rest + text).split(b"\n")
                if lines:
                    yield lines
                if len(rest) > _LONGEST_LINE:
                    message = f"{key} has a line that is longer than any of ours"
                    raise BackupUnfit(message)
    except (KeyUnknown, zlib.error) as error:
        message = f"{key} cannot be read to its end"
        raise BackupUnfit(message) from error
    if rest or not decompressor.eof:
        message = f"{key} ends before its end"
        raise BackupUnfit(message)
