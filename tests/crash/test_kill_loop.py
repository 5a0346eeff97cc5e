# SPDX-License-Identifier: Apache-2.0
"""The loop of `make crash`, for a few seconds: all that can be killed is killed once under mixed traffic."""

import pytest

from tests.crash.leftovers import leftovers
from tests.crash.loop import Loop
from tests.metadata.databases import KINDS

SECONDS = 12


@pytest.mark.parametrize("database", KINDS)
async def test_nothing_acknowledged_is_lost_whatever_is_killed(tmp_path, database):
    said = []
    loop = Loop(tmp_path, seed="test", database=database, say=said.append)
    try:
        assert loop.run(SECONDS), "\n".join(said)
        assert await leftovers(loop.server.data, loop.url) == [], "\n".join(said)
    finally:
        loop.close()
    assert all(one.acknowledged for one in loop.rounds), "\n".join(said)
    assert {one.what for one in loop.rounds} >= {"kill -9 of all processes", "kill -9 of one worker"}
