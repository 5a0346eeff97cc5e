# SPDX-License-Identifier: Apache-2.0
"""Files of an operator that are read again when they change: users, keys, certificates."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

from wharfinger import telemetry
from wharfinger.clock import Clock

T = TypeVar("T")

LOOK_SECONDS: Final = 1.0
"""How often the file is looked at, at the most."""
_MOST_BYTES: Final = 16 * 1024 * 1024
_log = telemetry.logger("security")


class WatchedFile(Generic[T]):
    """What one file says now.

    The first reading must succeed. After that a file that is missing or cannot be read leaves what was read before in
    force, and the log says so: an editor that replaces a file takes it away for a moment, and must not lock anybody
    out, or let anybody in.

    Args:
        path: the file; links are followed, as orchestrators replace them.
        parse: turns its bytes into what they mean; it raises `ValueError` for what means nothing.
        clock: the time.
    """

    def __init__(self, path: Path, parse: Callable[[bytes], T], clock: Clock) -> None:
        self._path = path
        self._parse = parse
        self._clock = clock
        self._stamp = _stamp(path)
        self._value = self._read()
        self._looked = clock.monotonic()
        self._looking = asyncio.Lock()

    async def current(self) -> T:
        """Return what the file says, at most `LOOK_SECONDS` late."""
        if self._clock.monotonic() - self._looked >= LOOK_SECONDS:
            async with self._looking:
                if self._clock.monotonic() - self._looked >= LOOK_SECONDS:
                    await asyncio.to_thread(self._look)
                    self._looked = self._clock.monotonic()
        return self._value

    def _look(self) -> None:
        try:
            stamp = _stamp(self._path)
            if stamp == self._stamp:
                return
            value = self._read()
        except (OSError, ValueError) as error:
            _log.warning("a file cannot be read; what it said before stays in force", why=str(error))
            return
        self._stamp, self._value = stamp, value
        _log.info("a file was read again", path=str(self._path))

    def _read(self) -> T:
        with self._path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        try:
            if len(content) > _MOST_BYTES:
                message = f"it has more than {_MOST_BYTES} bytes"
                raise ValueError(message)  # noqa: TRY301 - said like everything else that is wrong with it
            return self._parse(content)
        except ValueError as error:
            message = f"{self._path}: {error}"
            raise ValueError(message) from error


def _stamp(path: Path) -> tuple[int, int, int, int]:
    """Return what changes when the file does: which file it is, how long, and when it was written."""
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
