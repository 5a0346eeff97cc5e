# SPDX-License-Identifier: Apache-2.0
"""With PostgreSQL the time is the database's, whatever the clock of a node says."""

import time

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from wharfinger.clock import HOUR, SECOND, Clock
from wharfinger.metadata import postgresql


@pytest.fixture
def shifted(monkeypatch):
    """Have the database's clock go an hour ahead of this machine's."""
    sql = f"SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + {HOUR}"
    monkeypatch.setattr(postgresql, "_NOW", text(sql))


async def test_it_is_the_time_of_the_database(postgresql_place):
    clock = postgresql.DatabaseClock(postgresql_place.where)
    assert abs(clock.now() - Clock().now()) < 5 * SECOND


@pytest.mark.usefixtures("shifted")
async def test_the_clock_of_the_node_does_not_matter(postgresql_place, monkeypatch):
    clock = postgresql.DatabaseClock(postgresql_place.where)
    ahead = clock.now()
    assert abs(ahead - HOUR - Clock().now()) < 5 * SECOND
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    assert 0 <= clock.now() - ahead < 5 * SECOND


@pytest.mark.usefixtures("shifted")
async def test_it_is_asked_again_and_goes_on_while_there_is_no_answer(postgresql_place):
    clock = postgresql.DatabaseClock(postgresql_place.where, interval=0.01)
    wrong = clock._offset = 0
    until = time.monotonic() + 20
    while clock._offset == wrong and time.monotonic() < until:
        time.sleep(0.01)  # noqa: ASYNC251 - another thread looks
    assert abs(clock.now() - HOUR - Clock().now()) < 5 * SECOND

    def measure():
        statement = "SELECT"
        raise OperationalError(statement, None, ValueError("no answer"))

    clock._measure = measure
    before = clock.now()
    time.sleep(0.05)  # noqa: ASYNC251 - as above
    assert 0 < clock.now() - before < 5 * SECOND
