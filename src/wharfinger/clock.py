# SPDX-License-Identifier: Apache-2.0
"""The one source of time, so that tests can move it.

Every stored time is an integer of microseconds since 1970 in UTC: exact, the same on both databases, and ordered.
"""

import time
from datetime import UTC, datetime
from typing import Final, NewType

Instant = NewType("Instant", int)
"""Microseconds since 1970-01-01T00:00:00Z."""

SECOND: Final = 1_000_000
HOUR: Final = 3_600 * SECOND
DAY: Final = 24 * HOUR

TOLERANCE: Final = 60.0
"""Seconds by which clocks may disagree, because they are set right step by step."""


class Clock:
    """The machine's time."""

    def now(self) -> Instant:
        """Return the wall-clock time."""
        return Instant(time.time_ns() // 1_000)

    def monotonic(self) -> float:
        """Return seconds that never run backwards, for measuring spans; they go on while the machine sleeps."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)


class Watch:
    """Compares the wall clock with the one that nobody can set.

    If the wall clock jumps, whatever ends at a time seems to end earlier, or later, by as much. After waiting for as
    long as it jumped, everything has lasted at least as long as it should.

    Args:
        clock: both of them.
        longest: after this wait, in microseconds, nothing that ends at a time can be wrong any more.
    """

    def __init__(self, clock: Clock, longest: int) -> None:
        self._clock = clock
        self._longest = longest / SECOND
        self._wall, self._steady = clock.now(), clock.monotonic()
        self._jump = 0.0
        self._since: float | None = None

    def disagreement(self) -> tuple[float, float] | None:
        """Return by how many seconds the wall clock jumped, and after how many its word counts again.

        Asked often, or a jump is not seen.
        """
        wall, steady = self._clock.now(), self._clock.monotonic()
        jump = (wall - self._wall) / SECOND - (steady - self._steady)
        if abs(jump) > TOLERANCE:
            if self._since is None or abs(jump - self._jump) > TOLERANCE:
                self._since, self._jump = steady, jump
            left = min(abs(jump), self._longest) - (steady - self._since)
            if left > 0:
                return jump, left
        self._wall, self._steady, self._since = wall, steady, None
        return None


def after(instant: Instant, microseconds: int) -> Instant:
    """Return the instant that many microseconds later."""
    return Instant(instant + microseconds)


def in_words(microseconds: int) -> str:
    """Return a span for people: whole days, or whole hours where it is less than two days."""
    return f"{microseconds // DAY} days" if microseconds >= 2 * DAY else f"{microseconds // HOUR} hours"


def as_datetime(instant: Instant) -> datetime:
    """Return the instant as a datetime in UTC, for people and for wire formats."""
    return datetime.fromtimestamp(instant / SECOND, tz=UTC)
