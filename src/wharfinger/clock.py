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


class Clock:
    """The machine's time."""

    def now(self) -> Instant:
        """Return the wall-clock time."""
        return Instant(time.time_ns() // 1_000)

    def monotonic(self) -> float:
        """Return seconds that never run backwards, for measuring spans."""
        return time.monotonic()


def after(instant: Instant, microseconds: int) -> Instant:
    """Return the instant that many microseconds later."""
    return Instant(instant + microseconds)


def in_words(microseconds: int) -> str:
    """Return a span for people: whole days, or whole hours where it is less than two days."""
    return f"{microseconds // DAY} days" if microseconds >= 2 * DAY else f"{microseconds // HOUR} hours"


def as_datetime(instant: Instant) -> datetime:
    """Return the instant as a datetime in UTC, for people and for wire formats."""
    return datetime.fromtimestamp(instant / SECOND, tz=UTC)
