# SPDX-License-Identifier: Apache-2.0
"""Charts: numbers by day in, shapes out."""

import pytest

from wharfinger.clock import DAY
from wharfinger.console.charts import HEIGHT, WIDTH, chart

TODAY = 20_000


def test_every_day_has_its_place_and_what_was_not_counted_has_none():
    drawn = chart({TODAY: 40, TODAY - 2: 20}, TODAY, 4)
    assert [one.value for one in drawn.points] == [None, 20, None, 40]
    assert [one.at for one in drawn.points] == [day * DAY for day in range(TODAY - 3, TODAY + 1)]
    assert [one.x for one in drawn.points] == [WIDTH / 8, WIDTH * 3 / 8, WIDTH * 5 / 8, WIDTH * 7 / 8]
    low, high = drawn.known
    assert high.y < low.y < HEIGHT
    assert drawn.line == f"M{low.x} {low.y} L{high.x} {high.y}"
    assert drawn.area.endswith(f"L{high.x} {HEIGHT} L{low.x} {HEIGHT} Z")
    assert (drawn.highest, drawn.total) == (40, 60)


def test_what_did_not_happen_is_zero():
    drawn = chart({TODAY: 3}, TODAY, 3, missing=0)
    assert [(one.value, one.height) for one in drawn.points[:2]] == [(0, 0), (0, 0)]
    assert drawn.points[0].y == HEIGHT


@pytest.mark.parametrize(
    ("highest", "top"), [(0, 1), (1, 1), (3, 3), (7, 8), (10, 10), (11, 20), (999, 1000), (4_500_000, 5_000_000)]
)
def test_the_upper_edge_is_a_number_that_is_easily_read(highest, top):
    drawn = chart({TODAY: highest}, TODAY, 7)
    assert drawn.top == top
    assert all(0 <= one.y <= HEIGHT for one in drawn.points)
    assert [value for value, _ in drawn.marks] == ([top, top // 2] if top > 1 else [top])


def test_one_day_is_a_point_and_no_line():
    drawn = chart({TODAY: 5}, TODAY, 30)
    assert (drawn.line, drawn.area, len(drawn.known)) == ("", "", 1)
    assert chart({}, TODAY, 30).known == []
