# SPDX-License-Identifier: Apache-2.0
"""A limit on how fast bytes are read in the background, so that clients keep the disk to themselves."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from wharfinger.clock import Clock

Stop = Callable[[], bool]
"""Says whether whoever runs the work wants it to end soon."""
Pay = Callable[[int], Awaitable[None]]
"""Called when so many bytes were read; waits until more may be, and raises to break off."""
_NAP: Final = 0.5


class Pace:
    """Lets through so many bytes a second on the average; what was not used is not saved up.

    Args:
        rate: bytes a second; nothing for no limit.
        clock: the time.
        sleep: waits so many seconds.
    """

    def __init__(
        self, rate: int | None, clock: Clock, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._due = clock.monotonic()

    async def pay(
        self, size: int, stop: Stop = lambda: False, meanwhile: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Wait until so many more bytes fit; returns early when told to stop.

        Args:
            size: how many were read.
            stop: asked twice a second.
            meanwhile: called as often, for what must not wait as long as a slow pace lasts.
        """
        if self._rate is None:
            return
        self._due = max(self._due, self._clock.monotonic()) + size / self._rate
        while (left := self._due - self._clock.monotonic()) > 0 and not stop():
            await self._sleep(min(left, _NAP))
            if meanwhile is not None:
                await meanwhile()
