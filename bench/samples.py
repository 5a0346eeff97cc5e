# SPDX-License-Identifier: Apache-2.0
"""The numbers: what can be measured of a server, and how such a number is written."""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum


def write_duration(seconds: float) -> str:
    """Write a duration in the unit that suits it."""
    if not seconds:
        return "0 s"
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{_short(seconds / size)} {unit}"
    return f"{_short(seconds * 1e6)} µs"


def write_rate(rate: float) -> str:
    return f"{rate:,.0f}/s" if rate >= 100 else f"{_short(rate)}/s"


def write_size(size: float) -> str:
    return f"{size / 2**20:.0f} MiB"


def write_share(share: float) -> str:
    return f"{share:.0%}"


def write_count(count: float) -> str:
    return f"{count:,.0f}"


def write_factor(factor: float) -> str:
    return f"{_short(factor)}x"


class Metric(Enum):
    """What was measured: its column's title, and how it is written.

    `CPU` is user and system time for one operation, of the whole process tree. `IDLE` is the share of the time
    in which the server's core had nothing to do: the load or the disk was the limit then. `GROWTH` is what the last
    page costs over what the first one costs. `OTHERS` is the share in which that core worked for other programs.
    """

    RATE = ("rate", write_rate)
    P50 = ("p50", write_duration)
    P99 = ("p99", write_duration)
    CPU = ("CPU per operation", write_duration)
    GROWTH = ("last page / first page", write_factor)
    PULLS = ("slowest pulls, with collection / without", write_factor)
    PUSHES = ("slowest pushes, with collection / without", write_factor)
    AMONG = ("among many / among few", write_factor)
    STOPPED = ("registry stopped", write_duration)
    FRESH = ("first start", write_duration)
    AGAIN = ("later start", write_duration)
    BEFORE = ("largest process before", write_size)
    MEMORY = ("largest process", write_size)
    BLOBS = ("blobs", write_count)
    IDLE = ("core idle", write_share)
    OTHERS = ("core for others", write_share)

    def __init__(self, title: str, write: Callable[[float], str]) -> None:
        self.title = title
        self.write = write


Sample = Mapping[Metric, float]
"""What one round measured of one server."""

Rounds = Mapping[str, Sequence[Sample]]
"""The samples of a scenario by server; those with the same number were taken one after the other."""


def _short(number: float) -> str:
    """Write three digits that mean something, and no more than are there."""
    if number >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 10 else f"{number:.2f}"
