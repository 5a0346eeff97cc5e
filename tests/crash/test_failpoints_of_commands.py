# SPDX-License-Identifier: Apache-2.0
"""A command of the operator is ended at each named point; and a server with PostgreSQL, at one point of each kind."""

import pytest

from tests.crash.acts import MEETINGS_WITH_A_SERVER, OF_COMMANDS, end_at, named


@pytest.fixture
def new_url(postgres):
    """The URL of a new PostgreSQL database."""
    url = postgres.database()
    yield url
    postgres.drop(url)


@pytest.mark.parametrize(("act", "visit", "point"), OF_COMMANDS, ids=named)
async def test_a_command_that_ends_at_the_point_loses_nothing_and_leaves_nothing(tmp_path, act, visit, point):
    await end_at(tmp_path, None, act, visit, point)


@pytest.mark.parametrize(("act", "visit", "point"), MEETINGS_WITH_A_SERVER, ids=named)
async def test_nor_does_one_that_works_with_postgresql(tmp_path, new_url, act, visit, point):
    await end_at(tmp_path, new_url, act, visit, point)
