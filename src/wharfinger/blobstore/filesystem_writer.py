# SPDX-License-Identifier: Apache-2.0
"""Bytes on their way into a file, and the order that makes them survive a power failure.

```text
begin        open <key>.part
write        append
checkpoint   sync the data; the first time also the folder, or the name would be lost
commit       sync the data ─▶ rename to <key> ─▶ sync the folder ─▶ close
```

Law: after a sync that failed nothing in the file is trusted and it is removed. The kernel reports lost pages once
and then calls them clean, so a second sync would succeed over bytes that are not there.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

from wharfinger.blobstore.base import KeyTaken, KeyUnknown, Observer, Space, StoreKey, WriterState
from wharfinger.blobstore.failures import store_error
from wharfinger.blobstore.files import IOV_MAX, Files
from wharfinger.blobstore.threads import Lane
from wharfinger.domain.errors import StoreFull, StoreUnavailable, Unavailable
from wharfinger.domain.sentences import Sentence
from wharfinger.failpoints import failpoint

PART: Final = ".part"
SYNC_EVERY: Final = 64 * 1024 * 1024
"""Unsynced bytes after which `write` syncs by itself: the last sync, for which a client waits, is never a long one."""
_ROOM_SECONDS: Final = 1.0
_MAX_KNOWN_FOLDERS: Final = 4_096


class Folders:
    """Makes folders, durably, and remembers which are: after the first key in a folder this costs nothing."""

    def __init__(self, files: Files, root: Path) -> None:
        self._files = files
        self._root = root
        self._known: set[Path] = set()

    def ensure(self, folder: Path) -> None:
        """Make the folder and those above it, where they are missing, and their names durable."""
        if folder in self._known:
            return
        try:
            self._make(folder)
        except FileNotFoundError:
            self.ensure(folder.parent)
            self._make(folder)
        # Also when the folder was there: another process may have made it and died before this.
        try:
            self._files.sync_folder(folder.parent)
        except PermissionError:
            if folder.parent.is_relative_to(self._root):
                raise
            # The root stands in a folder that is not ours to open: whoever made the root answers for its name.
        if len(self._known) >= _MAX_KNOWN_FOLDERS:
            self._known.clear()
        self._known.add(folder)

    def require_root(self) -> None:
        """Raise `FileNotFoundError` without a root: a disk that is gone is a failure, not a store without keys."""
        self._files.free(self._root)

    def forget(self) -> None:
        """Look again: something that was there is gone."""
        self._known.clear()

    def _make(self, folder: Path) -> None:
        with suppress(FileExistsError):
            self._files.make_folder(folder)


class Room:
    """Keeps the last space for metadata and deletion; asks the file system at most once a second."""

    def __init__(self, files: Files, root: Path, reserve: int) -> None:
        self._files = files
        self._root = root
        self._reserve = reserve
        self._free = 0
        self._until = 0.0

    def check(self) -> None:
        """Raise `StoreFull` if the reserve is touched."""
        now = time.monotonic()
        if now >= self._until:
            self._free = self._files.free(self._root)
            self._until = now + _ROOM_SECONDS
        if self._free < self._reserve:
            message = Sentence("The registry's storage is almost full: it takes no uploads until space is freed.")
            raise StoreFull(message)

    def measure(self) -> Space:
        """Ask the file system now."""
        free, total = self._files.free(self._root), self._files.total(self._root)
        return Space(free=free, total=total, reserve=self._reserve)


class FilesystemWriter:
    """A `Writer` over one file. What begins with an underscore and says nothing of `async` runs in the lane.

    A call that is cancelled is completed all the same, and the next one waits for it: after a cancelled `write` a
    checkpoint covers what that call was given.
    """

    def __init__(
        self, files: Files, folders: Folders, room: Room, lane: Lane, path: Path, observer: Observer | None
    ) -> None:
        self.offset = 0
        self._files = files
        self._folders = folders
        self._room = room
        self._lane = lane
        self._path = path
        self._part = part_of(path)
        self._observer = observer
        self._descriptor: int | None = None
        self._durable = 0
        self._dirty = True
        self._since_sync = 0
        self._named = False
        self._removed = False
        self._failure: Unavailable | None = None

    async def begin(self) -> None:
        """Open the file, empty; on failure nothing is left of it."""
        try:
            await self._lane.run(self._begin)
        except asyncio.CancelledError:
            self._lane.submit(self._abort)
            raise

    async def resume(self, key: StoreKey, state: WriterState) -> None:
        """Open the file and drop what came after the checkpoint."""
        try:
            await self._lane.run(partial(self._resume, key, offset_in(state)))
        except asyncio.CancelledError:
            self._lane.submit(self._close)
            raise

    async def write(self, pieces: Sequence[bytes]) -> None:
        """See `Writer.write`."""
        await self._lane.run(partial(self._write, pieces))

    async def checkpoint(self) -> WriterState:
        """See `Writer.checkpoint`."""
        return await self._lane.run(self._checkpoint)

    async def commit(self) -> None:
        """See `Writer.commit`."""
        await self._lane.run(self._commit)

    async def abort(self) -> None:
        """See `Writer.abort`. After `close` it does nothing: the bytes may be in another writer's hands."""
        await self._lane.run(self._abort)

    async def close(self) -> None:
        """See `Writer.close`."""
        await self._lane.run(self._close)

    def _begin(self) -> None:
        self._folders.ensure(self._part.parent)
        self._room.check()
        try:
            descriptor = self._files.open_part(self._part, create=True)
        except FileNotFoundError:
            self._folders.forget()
            self._folders.ensure(self._part.parent)
            descriptor = self._files.open_part(self._part, create=True)
        self._descriptor = descriptor
        with _or_else(self._abort):
            self._require_unwritten()
            # A process may have died between `begin` and its first checkpoint; nobody was promised those bytes.
            self._files.truncate(descriptor, 0)

    def _resume(self, key: StoreKey, offset: int) -> None:
        self._room.check()
        try:
            self._descriptor = self._files.open_part(self._part, create=False)
        except (FileNotFoundError, NotADirectoryError) as error:
            self._folders.require_root()
            raise KeyUnknown(key) from error
        with _or_else(self._close):
            size = self._files.length(self._descriptor)
            if size < offset:
                raise KeyUnknown(key)
            if size > offset:
                self._files.truncate(self._descriptor, offset)
        self.offset = self._durable = offset
        self._dirty, self._named = False, True

    def _write(self, pieces: Sequence[bytes]) -> None:
        with self._sound() as descriptor:
            self._room.check()
            if self._observer is not None:
                for piece in pieces:
                    self._observer(piece)
            self._dirty = True
            try:
                self.offset += self._put(descriptor, pieces)
            except OSError:
                # On a full disk, what nobody was promised gives way at once.
                with suppress(OSError):
                    self._files.truncate(descriptor, self._durable)
                raise
            if self._since_sync >= SYNC_EVERY:
                self._sync_data(descriptor)

    def _put(self, descriptor: int, pieces: Sequence[bytes]) -> int:
        """Write all the pieces, however few the system takes at a time, and return their length."""
        waiting: list[bytes | memoryview] = [piece for piece in pieces if piece]
        first = total = 0
        while first < len(waiting):
            written = self._files.write(descriptor, waiting[first : first + IOV_MAX], self.offset + total)
            total += written
            while first < len(waiting) and written >= len(waiting[first]):
                written -= len(waiting[first])
                first += 1
            if written:
                waiting[first] = memoryview(waiting[first])[written:]
        self._since_sync += total
        return total

    def _checkpoint(self) -> WriterState:
        with self._sound() as descriptor:
            if self._dirty:
                self._sync_data(descriptor)
            failpoint("store.checkpoint.synced")
            if not self._named:
                with self._distrust():
                    self._files.sync_folder(self._part.parent)
                self._named = True
            self._durable = self.offset
        return {"offset": self._durable}

    def _commit(self) -> None:
        with self._sound() as descriptor:
            self._require_unwritten()
            with self._distrust():
                if self._dirty:
                    self._files.sync(descriptor)
                failpoint("store.commit.synced")
                # Between the look and the rename nobody can commit the same key: that needs the lock on the part,
                # which this descriptor holds, and keys are never shared between uploads anyway.
                self._files.rename(self._part, self._path)
                failpoint("store.commit.renamed")
                self._files.sync_folder(self._path.parent)
                failpoint("store.commit.named")
                self._descriptor = None
                self._files.close(descriptor)

    def _abort(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        try:
            if not self._removed:
                with suppress(FileNotFoundError):
                    self._files.unlink(self._part)
        finally:
            self._files.close(descriptor)

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            self._files.close(descriptor)

    def _sync_data(self, descriptor: int) -> None:
        with self._distrust():
            self._files.sync_data(descriptor)
        self._dirty, self._since_sync = False, 0

    @contextmanager
    def _sound(self) -> Iterator[int]:
        """Give the descriptor of a writer that can go on; whatever fails inside, it cannot afterwards."""
        if self._descriptor is None:
            message = "the writer is closed"
            raise ValueError(message)
        if self._failure is not None:
            raise type(self._failure)(self._failure.message)
        try:
            yield self._descriptor
        except OSError as error:
            self._failure = store_error(error)
            raise self._failure from error
        except Unavailable as error:
            self._failure = error
            raise
        except BaseException:
            self._failure = StoreUnavailable(
                Sentence("Bytes of this upload could not be stored; resume where it stands.")
            )
            raise

    @contextmanager
    def _distrust(self) -> Iterator[None]:
        """Remove the file, under either name, when making it durable fails."""
        try:
            yield
        except OSError:
            self._removed = True
            for path in (self._part, self._path):
                with suppress(OSError):
                    self._files.unlink(path)
            raise

    def _require_unwritten(self) -> None:
        if self._files.exists(self._path):
            raise KeyTaken(self._path.name)


@contextmanager
def _or_else(undo: Callable[[], None]) -> Iterator[None]:
    """Undo what went before if what is inside fails."""
    try:
        yield
    except BaseException:
        with suppress(OSError):
            undo()
        raise


def part_of(path: Path) -> Path:
    """Return the name of the unfinished bytes, in the same folder: finishing is one rename and one folder to sync."""
    return path.with_name(path.name + PART)


def offset_in(state: WriterState) -> int:
    """Return the offset of a checkpoint.

    Raises:
        ValueError: this driver never gave out such a state.
    """
    offset = state.get("offset")
    if not isinstance(offset, int) or offset < 0:
        message = "not a checkpoint of this store"
        raise ValueError(message)
    return offset
