# SPDX-License-Identifier: Apache-2.0
"""What background jobs write down of themselves, and what somebody wants of them."""

import pytest

from tests.services.world import ACTOR
from wharfinger.clock import DAY, SECOND
from wharfinger.domain.errors import AccountUnknown, DatabaseUnavailable
from wharfinger.services.jobs import Jobs

INTERVALS = {"bury": 60 * SECOND, "verify default": 3_600 * SECOND}


async def named(node, name="bury"):
    (found,) = [one for one in await node.jobs.list() if one.name == name]
    return found


async def end(node, name="bury", started_at=None, **more):
    said = {"outcome": "ok", "done": 3, "reason": None, "pause": 60.0} | more
    await node.jobs.end(name, started_at=started_at or node.jobs.now(), **said)


async def test_a_job_is_listed_before_it_ran(node):
    await node.jobs.announce(INTERVALS)
    assert [(one.node, one.name, one.interval) for one in await node.jobs.list()] == [
        ("dock", "bury", 60 * SECOND),
        ("dock", "verify default", 3_600 * SECOND),
    ]
    assert (await named(node)).ended_at is None


async def test_a_run_is_told_of_while_it_goes_on_and_when_it_ended(world, node):
    await node.jobs.announce(INTERVALS)
    began = node.jobs.now()
    await node.jobs.begin("bury", began)
    assert (await named(node)).is_working
    world.clock.move(5 * SECOND)
    await end(node, started_at=began, outcome="failed", reason="the disk is gone")
    found = await named(node)
    assert (found.is_working, found.outcome, found.done, found.reason) == (False, "failed", 3, "the disk is gone")
    assert (found.started_at, found.ended_at) == (began, began + 5 * SECOND)
    assert found.next_at == found.ended_at + 60 * SECOND


async def test_a_process_that_died_at_work_is_not_at_work_after_the_next_start(node):
    await node.jobs.announce(INTERVALS)
    await end(node)
    await node.jobs.begin("bury", node.jobs.now() + SECOND)
    assert (await named(node)).is_working
    await node.jobs.announce(INTERVALS)
    assert not (await named(node)).is_working


async def test_a_job_that_is_wanted_is_wanted_until_it_began_after_that(world, node):
    await node.jobs.announce(INTERVALS)
    began = node.jobs.now()
    world.clock.move(SECOND)
    for _ in range(2):
        ordered = await node.jobs.order("bury", ACTOR)
    assert ordered.wanted_at == node.jobs.now()
    assert list(await node.jobs.wanted()) == ["bury"]
    await end(node, started_at=began)
    assert list(await node.jobs.wanted()) == ["bury"]
    world.clock.move(SECOND)
    await end(node)
    assert list(await node.jobs.wanted()) == []
    with pytest.raises(AccountUnknown, match="no job 'dig'"):
        await node.jobs.order("dig", ACTOR)


async def test_what_is_wanted_is_wanted_of_the_node_that_was_seen_last(world, node):
    await node.jobs.announce(INTERVALS)
    world.clock.move(SECOND)
    other = Jobs(node.database, world.clock, "quay")
    await other.announce(INTERVALS)
    assert (await node.jobs.order("bury", ACTOR)).node == "quay"
    assert (list(await node.jobs.wanted()), list(await other.wanted())) == ([], ["bury"])


async def test_a_node_that_says_nothing_more_is_not_asked_although_it_ran_the_job_last(world, node):
    """A job that runs once a day says nothing in between; others of its node do."""
    alive = Jobs(node.database, world.clock, "quay")
    for one in (node.jobs, alive):
        await one.announce(INTERVALS)
    world.clock.move(SECOND)
    await end(node, "verify default")
    world.clock.move(60 * SECOND)
    await alive.end("bury", started_at=alive.now(), outcome="ok", done=0, reason=None, pause=60.0)
    assert (await alive.order("verify default", ACTOR)).node == "quay"
    assert await alive.wanted() == ["verify default"]


async def test_a_node_that_is_gone_and_a_job_that_is_no_more_leave_the_list(world, node):
    await node.jobs.announce(INTERVALS)
    await Jobs(node.database, world.clock, "quay").announce(INTERVALS)
    world.clock.move(30 * DAY)
    await end(node)
    world.clock.move(SECOND)
    await node.jobs.announce({"bury": 1})
    assert [(one.node, one.name) for one in await node.jobs.list()] == [("dock", "bury")]


async def test_a_database_that_does_not_answer_holds_no_job_up(node, monkeypatch):
    async def fail(*_, **__):
        message = "gone"
        raise DatabaseUnavailable(message)

    monkeypatch.setattr(node.database, "write", fail)
    monkeypatch.setattr(node.database, "read", fail)
    await node.jobs.announce(INTERVALS)
    await end(node)
    assert list(await node.jobs.wanted()) == []
