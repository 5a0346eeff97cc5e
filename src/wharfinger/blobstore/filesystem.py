# SPDX-License-Identifier: Apache-2.0
"""Bytes in files of a local file system, or of a shared one that honours `fsync` and `rename`.

```text
<root>/3f/3f2a…          finished bytes
<root>/3f/3f2a….part     bytes on their way, in the same folder
<root>/.check-…          for the moment of a check
```

Everything else under the root is passed over and links are never followed. Keys end up in paths as they are, which is
safe because their grammar has no empty part, no dot at the beginning of one, and no more than ASCII.
"""

import secrets
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

from wharfinger.blobstore.base import KeyUnknown, Observer, Space, StoreKey, Writer, WriterState, checked_key
from wharfinger.blobstore.files import Files
from wharfinger.blobstore.filesystem_writer import PART, FilesystemWriter, Folders, Room, offset_in, part_of
from wharfinger.blobstore.threads import Pool
from wharfinger.domain.errors import StoreUnavailable
from wharfinger.domain.sentences import Sentence
from wharfinger.failpoints import failpoint

PIECE: Final = 1024 * 1024
_BATCH: Final = 512
_CANARY: Final = b"wharfinger was here\n"
_CHECK: Final = ".check-"
_LEFTOVER_SECONDS: Final = 3_600.0


class FilesystemBlobStore:
    """A `BlobStore` over one folder.

    Args:
        root: the folder, which belongs to this store alone; `check` and the first upload make it. A root that is
            missing later is a disk that is not there, so it is an error and never an empty store.
        reserve: free bytes below which no upload is taken.
        max_threads: how many calls may wait for the disk at once.
        files: the file system; tests give another.
    """

    def __init__(self, root: Path, *, reserve: int, max_threads: int, files: Files | None = None) -> None:
        self._root = root
        self._files = Files() if files is None else files
        self._folders = Folders(self._files, root)
        self._room = Room(self._files, root, reserve)
        self._pool = Pool(max_threads, "blobs")
        self._swept = False

    async def stat(self, key: StoreKey) -> int:
        """See `BlobStore.stat`."""
        return await self._pool.run(partial(self._stat, key))

    def open(self, key: StoreKey, start: int, stop: int) -> AsyncGenerator[bytes]:
        """See `BlobStore.open`."""
        return self._read(key, self._path(key), start, stop)

    def open_unfinished(self, key: StoreKey, state: WriterState) -> AsyncGenerator[bytes]:
        """See `BlobStore.open_unfinished`."""
        return self._read(key, part_of(self._path(key)), 0, offset_in(state))

    async def begin(self, key: StoreKey, observer: Observer | None = None) -> Writer:
        """See `BlobStore.begin`. A leftover of the same key that was never checkpointed is overwritten."""
        writer = self._writer(key, observer)
        await writer.begin()
        return writer

    async def resume(self, key: StoreKey, state: WriterState, observer: Observer | None = None) -> Writer:
        """See `BlobStore.resume`. While another writer has the bytes open, this raises `StoreUnavailable`."""
        writer = self._writer(key, observer)
        await writer.resume(key, state)
        return writer

    async def delete(self, key: StoreKey) -> None:
        """See `BlobStore.delete`."""
        await self._pool.run(partial(self._delete, key))
        failpoint("store.delete.unlinked")

    async def settle(self, keys: Sequence[StoreKey]) -> None:
        """See `BlobStore.settle`. Many keys share a folder, and its names are synced together."""
        for folder in sorted({self._path(key).parent for key in keys}):
            await self._pool.run(partial(self._settle, folder))

    def keys(self, prefix: str = "") -> AsyncGenerator[StoreKey]:
        """See `BlobStore.keys`. A folder that cannot be read is an error: a partial list is not a list."""
        return self._list(self._walk(prefix, _as_key))

    def unfinished(self, prefix: str = "") -> AsyncGenerator[StoreKey]:
        """See `BlobStore.unfinished`."""
        return self._list(self._walk(prefix, _as_unfinished_key))

    async def presign(self, key: StoreKey, ttl: float) -> str | None:  # noqa: ARG002 - the seam's signature
        """See `BlobStore.presign`: files have no URL."""
        return None

    def path(self, key: StoreKey) -> Path | None:
        """See `BlobStore.path`. Does not touch the disk, so it does not say that the bytes are there."""
        return self._path(key)

    async def space(self) -> Space:
        """See `BlobStore.space`."""
        return await self._pool.run(self._room.measure)

    async def check(self) -> None:
        """See `BlobStore.check`. Makes the root if it is missing."""
        await self._pool.run(self._check)

    async def aclose(self) -> None:
        """See `BlobStore.aclose`."""
        await self._pool.aclose()

    async def _list(self, found: Generator[StoreKey]) -> AsyncGenerator[StoreKey]:
        lane = self._pool.lane()
        try:
            while batch := await lane.run(lambda: list(islice(found, _BATCH))):
                for key in batch:
                    yield key
        finally:
            lane.submit(found.close)

    def _path(self, key: StoreKey) -> Path:
        if key.endswith(PART):
            message = f"the end {PART} is for unfinished bytes: {key}"
            raise ValueError(message)
        return self._root / key

    def _writer(self, key: StoreKey, observer: Observer | None) -> FilesystemWriter:
        return FilesystemWriter(self._files, self._folders, self._room, self._pool.lane(), self._path(key), observer)

    def _stat(self, key: StoreKey) -> int:
        try:
            return self._files.size(self._path(key))
        except (FileNotFoundError, NotADirectoryError) as error:
            self._folders.require_root()
            raise KeyUnknown(key) from error

    async def _read(self, key: StoreKey, path: Path, start: int, stop: int) -> AsyncGenerator[bytes]:
        lane = self._pool.lane()
        source = _Source(self._files, self._folders, key, path)
        try:
            while True:
                piece = await lane.run(partial(source.read, min(PIECE, stop - start), start))
                start += len(piece)
                if piece:
                    yield piece
                if start >= stop:
                    return
                if not piece:
                    message = Sentence("The registry's storage has fewer bytes of this content than it should.")
                    raise StoreUnavailable(message)
        finally:
            # Not waited for: whoever gives up on a stalled disk is not held up by it once more.
            lane.submit(source.close)

    def _delete(self, key: StoreKey) -> None:
        # The folder is synced by `settle`, for many keys at once.
        path = self._path(key)
        missing = 0
        for name in (part_of(path), path):
            try:
                self._files.unlink(name)
            except (FileNotFoundError, NotADirectoryError):
                missing += 1
        if missing == 2:  # noqa: PLR2004 - both names
            self._folders.require_root()

    def _settle(self, folder: Path) -> None:
        try:
            self._files.sync_folder(folder)
        except (FileNotFoundError, NotADirectoryError):
            self._folders.require_root()  # a key of which there was never a byte may have no folder either

    def _walk(self, prefix: str, as_key: Callable[[str], StoreKey | None]) -> Generator[StoreKey]:
        folders = [""]
        while folders:
            folder = folders.pop()
            for name, is_folder in self._files.entries(self._root / folder):
                below = f"{folder}{name}"
                if not is_folder:
                    if below.startswith(prefix) and (key := as_key(below)) is not None:
                        yield key
                elif not name.startswith(".") and _may_hold(f"{below}/", prefix):
                    folders.append(f"{below}/")

    def _check(self) -> None:
        self._folders.ensure(self._root)
        self._room.check()
        path = self._root / f"{_CHECK}{secrets.token_hex(8)}"
        source = _Source(self._files, self._folders, StoreKey(path.name), path)
        descriptor = self._files.open_part(path, create=True)
        try:
            self._files.write(descriptor, [_CANARY], 0)
            self._files.sync(descriptor)
            self._files.sync_folder(self._root)
            if source.read(len(_CANARY), 0) != _CANARY:
                message = Sentence("The registry's storage gives back other bytes than were written.")
                raise StoreUnavailable(message)
            if not self._swept:
                self._sweep(self._files.modified(path))
                self._swept = True
        finally:
            source.close()
            self._files.close(descriptor)
            self._files.unlink(path)

    def _sweep(self, now: float) -> None:
        """Remove what checks left behind that a crash cut short; the young ones may be another process's."""
        for name, is_folder in self._files.entries(self._root):
            path = self._root / name
            if not is_folder and name.startswith(_CHECK):
                with suppress(OSError):  # another process swept it, or it belongs to somebody else
                    if now - self._files.modified(path) > _LEFTOVER_SECONDS:
                        self._files.unlink(path)


class _Source:
    """A file that is read a piece at a time; its methods run in one lane."""

    def __init__(self, files: Files, folders: Folders, key: StoreKey, path: Path) -> None:
        self._files = files
        self._folders = folders
        self._key = key
        self._path = path
        self._descriptor: int | None = None

    def read(self, length: int, offset: int) -> bytes:
        """Read a piece; the first one opens the file."""
        if self._descriptor is None:
            self._descriptor = self._open()
        return self._files.read(self._descriptor, length, offset)

    def close(self) -> None:
        """Give the descriptor back, if there is one."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            self._files.close(descriptor)

    def _open(self) -> int:
        try:
            return self._files.open_to_read(self._path)
        except (FileNotFoundError, NotADirectoryError) as error:
            self._folders.require_root()
            raise KeyUnknown(self._key) from error


def _may_hold(folder: str, prefix: str) -> bool:
    return folder.startswith(prefix) or prefix.startswith(folder)


def _as_unfinished_key(path: str) -> StoreKey | None:
    """Return the key of a file that holds unfinished bytes."""
    return _as_key(path.removesuffix(PART)) if path.endswith(PART) else None


def _as_key(path: str) -> StoreKey | None:
    """Return the key of a file's path below the root, unless the file is a stranger or unfinished."""
    if path.endswith(PART):
        return None
    try:
        return checked_key(path)
    except ValueError:
        return None
