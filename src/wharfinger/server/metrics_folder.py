# SPDX-License-Identifier: Apache-2.0
"""The folder in which the processes of a node count, for their metrics to be summed.

They count in files that are mapped into memory, most of them holes. If a hole cannot be filled because the disk is
full, the kernel ends the process with SIGBUS: a full disk would take the whole node with it. So the folder is in
`/dev/shm`, which no image fills, and only without it among the temporary files.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - the folder itself is made by mkdtemp, for us alone
_PREFIX: Final = "wharfinger-metrics-"
_ROOM: Final = 16 * 1024 * 1024
_YOUNG_SECONDS: Final = 60.0


@contextmanager
def counting_folder() -> Iterator[str]:
    """Make the folder, and remove it in the end; those of nodes that were killed are removed as well.

    The lock on a folder says that its node lives: process numbers mean nothing to another container.
    """
    place = _SHARED_MEMORY if _has_room(_SHARED_MEMORY) else Path(tempfile.gettempdir())
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=place) as folder:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _sweep(Path(folder))
            yield folder
        finally:
            os.close(descriptor)


def _has_room(folder: Path) -> bool:
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK) and found.f_bavail * found.f_frsize >= _ROOM


def _sweep(ours: Path) -> None:
    now = ours.stat().st_mtime
    for folder in ours.parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # somebody else's, or swept by another node that starts just now
            if folder != ours and now - folder.lstat().st_mtime > _YOUNG_SECONDS and not _is_locked(folder):
                shutil.rmtree(folder)


def _is_locked(folder: Path) -> bool:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
