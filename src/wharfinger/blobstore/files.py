# SPDX-License-Identifier: Apache-2.0
"""The file system as the blob store sees it: one blocking call a method, and nothing clever.

The driver reaches the disk through these methods only. A test puts a double in their place that records the calls,
makes one fail, or works out what a power failure after any of them would leave behind.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

IOV_MAX: Final = os.sysconf("SC_IOV_MAX")
"""How many buffers one `write` takes."""

# O_NONBLOCK means nothing for a regular file; without it, opening a stray named pipe would wait for ever.
_TO_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_TO_WRITE: Final = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FILE_MODE: Final = 0o640
_FOLDER_MODE: Final = 0o750
_NO_LOCKS_HERE: Final = frozenset({errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK})


class Files:
    """The real file system. Everything raises `OSError`; what is no regular file counts as not there."""

    def make_folder(self, folder: Path) -> None:
        """Create one folder; its name is durable after `sync_folder` of its parent."""
        folder.mkdir(mode=_FOLDER_MODE)

    def open_part(self, path: Path, *, create: bool) -> int:
        """Open a file for writing, with what it holds, and return the descriptor.

        The open file is locked against a second writer: a thread that hangs in a stalled disk may come back to life
        long after its request lost the upload, and must not write into bytes that another request continues.

        Raises:
            BlockingIOError: another open descriptor, in this process or another one, writes to it.
        """
        create_flag = os.O_CREAT if create else 0
        descriptor = os.open(path, _TO_WRITE | create_flag, _FILE_MODE)
        try:
            self._lock(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def write(self, descriptor: int, buffers: Sequence[bytes | memoryview], offset: int) -> int:
        """Write up to `IOV_MAX` buffers at the offset and return how many bytes went; may be fewer than given."""
        return os.pwritev(descriptor, buffers, offset)

    def truncate(self, descriptor: int, size: int) -> None:
        """Drop everything after `size` bytes."""
        os.ftruncate(descriptor, size)

    def sync_data(self, descriptor: int) -> None:
        """Make the bytes and the length durable."""
        os.fdatasync(descriptor)

    def sync(self, descriptor: int) -> None:
        """Make the bytes and everything about the file but its name durable."""
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        """Give the descriptor back. It is gone even if this raises."""
        os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        """Give the file its other name at one stroke; durable after `sync_folder`."""
        source.rename(target)

    def sync_folder(self, folder: Path) -> None:
        """Make the names in the folder durable."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def unlink(self, path: Path) -> None:
        """Remove the name; descriptors that are open keep the bytes."""
        path.unlink()

    def open_to_read(self, path: Path) -> int:
        """Open a regular file for reading and return the descriptor; a link is not followed."""
        try:
            descriptor = os.open(path, _TO_READ)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise _not_regular(path) from error
            raise
        try:
            self._require_regular(os.fstat(descriptor), path)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def read(self, descriptor: int, length: int, offset: int) -> bytes:
        """Read up to `length` bytes at the offset; nothing means the end."""
        return os.pread(descriptor, length, offset)

    def size(self, path: Path) -> int:
        """Return the length of a regular file, having opened it: one that cannot be opened cannot be sent either."""
        descriptor = self.open_to_read(path)
        try:
            return os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)

    def length(self, descriptor: int) -> int:
        """Return the length of an open file."""
        return os.fstat(descriptor).st_size

    def modified(self, path: Path) -> float:
        """Return when a file was last written to, in seconds of the file system's own clock."""
        return path.lstat().st_mtime

    def exists(self, path: Path) -> bool:
        """Say whether anything has this name."""
        return os.path.lexists(path)

    def entries(self, folder: Path) -> Iterator[tuple[str, bool]]:
        """Yield the names of regular files and folders, and whether each is a folder; links are neither."""
        with os.scandir(folder) as found:
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    yield entry.name, True
                elif entry.is_file(follow_symlinks=False):
                    yield entry.name, False

    def free(self, folder: Path) -> int:
        """Return how many bytes a process without privileges may still add."""
        found = os.statvfs(folder)
        return found.f_bavail * found.f_frsize

    def total(self, folder: Path) -> int:
        """Return how many bytes a process without privileges may use of the whole file system."""
        found = os.statvfs(folder)
        return (found.f_blocks - found.f_bfree + found.f_bavail) * found.f_frsize

    @staticmethod
    def _lock(descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _NO_LOCKS_HERE:  # without locks, the claim on the upload alone keeps writers apart
                raise

    @staticmethod
    def _require_regular(found: os.stat_result, path: Path) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise _not_regular(path)


def _not_regular(path: Path) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, "not a regular file", str(path))
