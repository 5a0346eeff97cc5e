# SPDX-License-Identifier: Apache-2.0
"""SQLite's wal-index: it tells whether anybody committed since one last looked, for the price of reading 48 bytes.

In WAL mode all processes share a small file beside the database (`-shm`). Its header names the last commit, and SQLite
itself takes an unchanged header to mean that the pages it has in memory are current. The header is part of the
documented format (https://www.sqlite.org/walformat.html). So what was read under a header may be used again as long as
the header is the same: it is what a new transaction would read (ADR 0021).

The file must not be closed while a connection of this process is open: closing any descriptor of a file drops all
locks that the process holds on it, SQLite's own among them. Databases that share a file therefore share the
descriptor, and the last to close closes it.
"""

import mmap
import os
import struct
import threading
from pathlib import Path
from typing import Final

_HEADER_BYTES: Final = 48
_FORMAT: Final = 3_007_000
"""The only version of the format that there has been."""
_PAGE: Final = 4096


class WalIndex:
    """The header of one database's wal-index.

    Args:
        path: of the database.
    """

    _shared: Final[dict[str, "WalIndex"]] = {}
    _guard: Final = threading.Lock()
    _map: mmap.mmap

    def __init__(self, path: Path) -> None:
        self._path = path
        self._users = 0
        self._descriptor: int | None = None
        self._is_open = False

    def open(self) -> None:
        """Open the file, unless another user of it has.

        The database is in WAL mode, and a connection to it has read something and stays open. After a failure, too,
        the index is to be released: not before that connection is closed.

        Raises:
            OSError: there is no such file, or it cannot be mapped.
            ValueError: the file has a format that this reader does not know.
        """
        with self._guard:
            if self._is_open:
                return
            if self._descriptor is None:
                self._descriptor = os.open(f"{self._path}-shm", os.O_RDONLY | os.O_CLOEXEC)
            opened = mmap.mmap(self._descriptor, _PAGE, mmap.MAP_SHARED, mmap.PROT_READ)
            (found,) = struct.unpack_from("=I", opened)
            if found != _FORMAT:
                opened.close()
                message = f"The wal-index has format {found}, not {_FORMAT}."
                raise ValueError(message)
            self._map, self._is_open = opened, True

    @classmethod
    def of(cls, path: Path) -> "WalIndex":
        """Return the index of a database, to be opened; `release` it when every connection of the caller is closed."""
        key = str(path.resolve())
        with cls._guard:
            index = cls._shared.get(key)
            if index is None:
                index = cls._shared[key] = cls(path)
            index._users += 1
        return index

    def stamp(self) -> bytes:
        """Return what changes with every commit, of any process."""
        return self._map[:_HEADER_BYTES]

    def release(self) -> None:
        """Say that the caller needs it no more."""
        with self._guard:
            self._users -= 1
            if self._users == 0:
                for key in [key for key, index in self._shared.items() if index is self]:
                    del self._shared[key]
                if self._is_open:
                    self._map.close()
                if self._descriptor is not None:
                    os.close(self._descriptor)
