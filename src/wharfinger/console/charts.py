# SPDX-License-Identifier: Apache-2.0
"""Charts as inline SVG: numbers by day in, shapes out. `charts.html` draws them, with a table for who cannot see them.

A chart is one drawing in units of its own, which the page stretches: nothing is measured, so nothing needs a script.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.clock import DAY, Instant

WIDTH: Final = 720
HEIGHT: Final = 160
_TOP: Final = 8
"""Above the highest value, so that a line is drawn whole."""
_STEPS: Final = (1, 2, 3, 4, 5, 6, 8, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One day.

    Args:
        at: when the day begins.
        value: its number; nothing where nobody counted.
        x, y: where it stands.
        height: from there down to zero.
    """

    at: Instant
    value: int | None
    x: float
    y: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What is drawn.

    Args:
        points: the days, the oldest first.
        line: the path of a line through the values that are known.
        area: the path of what is below it.
        step: how wide one day is.
        top: the number at the upper edge.
        marks: numbers worth a line, with their height.
    """

    points: Sequence[Point]
    line: str
    area: str
    step: float
    top: int
    marks: Sequence[tuple[int, float]]

    @property
    def known(self) -> Sequence[Point]:
        """The days that were counted."""
        return [one for one in self.points if one.value is not None]

    @property
    def highest(self) -> int:
        """The highest value; 0 if none is known."""
        return max((one.value or 0 for one in self.points), default=0)

    @property
    def total(self) -> int:
        """All values together."""
        return sum(one.value or 0 for one in self.points)


def chart(values: Mapping[int, int], last: int, days: int, *, missing: int | None = None) -> Chart:
    """Return the chart of some days.

    Args:
        values: by day, counted from 1970.
        last: the last day that is shown.
        days: how many days are shown.
        missing: what a day has that is not among the values: 0 where what is not there did not happen, and nothing
            where nobody counted.
    """
    found = [(day, values.get(day, missing)) for day in range(last - days + 1, last + 1)]
    top = _round_up(max((value or 0 for _, value in found), default=0))
    step = WIDTH / days
    points = [
        Point(
            at=Instant(day * DAY),
            value=value,
            x=round(index * step + step / 2, 1),
            y=round(HEIGHT - (height := _height(value or 0, top)), 1),
            height=round(height, 1),
        )
        for index, (day, value) in enumerate(found)
    ]
    known = [one for one in points if one.value is not None]
    line = " ".join(f"{'L' if index else 'M'}{one.x} {one.y}" for index, one in enumerate(known))
    area = f"{line} L{known[-1].x} {HEIGHT} L{known[0].x} {HEIGHT} Z" if known else ""
    marks = [(top, round(HEIGHT - _height(top, top), 1)), (top // 2, round(HEIGHT - _height(top // 2, top), 1))]
    return Chart(
        points=points,
        line=line if len(known) > 1 else "",
        area=area if len(known) > 1 else "",
        step=round(step, 1),
        top=top,
        marks=marks if top > 1 else marks[:1],
    )


def _height(value: int, top: int) -> float:
    return (HEIGHT - _TOP) * value / top


def _round_up(value: int) -> int:
    """Return a number of one figure that is not less: what the upper edge of a chart says."""
    unit = int(10 ** (len(str(value)) - 1))
    return max(next(step * unit for step in _STEPS if step * unit >= value), 1)
