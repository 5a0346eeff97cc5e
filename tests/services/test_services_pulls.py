# SPDX-License-Identifier: Apache-2.0
"""Pulls are noted at once, and counted and written later."""

import asyncio

import pytest

from tests.services.world import ACTOR, NAME, image, index, push_image, push_manifest
from wharfinger.clock import DAY, SECOND
from wharfinger.domain.digests import digest_of
from wharfinger.domain.errors import DatabaseUnavailable, NameUnknown
from wharfinger.domain.names import RepositoryName, TagName
from wharfinger.services import pulls
from wharfinger.services.pulls import KEPT_DAYS

READER = ("192.0.2.1", None)
ONE = digest_of(image(b"one"))


async def ask(node, reference, *, fetched=True, reader=READER):
    """Do what a request for a manifest does."""
    found = await node.manifests.find(node.registry, NAME, reference)
    tag = None if ":" in reference else TagName(reference)
    node.pulls.note(reader, found.id, tag, fetched=fetched)


async def counts(node):
    """Return the pulls of the repository, and of what is in it."""
    await node.pulls.flush()
    summary = await node.pulls.summary(node.registry, NAME)
    return (0 if summary.whole is None else summary.whole.pulls), {
        what: count.pulls for what, count in summary.by_what.items()
    }


async def test_a_pull_is_counted_for_the_repository_the_tag_and_the_manifest(world, node):
    await push_image(node, b"one")
    assert await counts(node) == (0, {})
    await ask(node, "v1")
    assert await counts(node) == (1, {"v1": 1, ONE: 1})
    world.clock.move(120 * SECOND)
    await ask(node, ONE)
    assert await counts(node) == (2, {"v1": 1, ONE: 2})
    await world.assert_sound()


async def test_the_steps_of_one_client_are_one_pull_also_when_they_are_written_apart(world, node):
    await push_image(node, b"one", tags=())
    both = index(image(b"one"))
    await push_manifest(node, both, "v1")
    await ask(node, "v1", fetched=False)
    assert await counts(node) == (0, {})
    world.clock.move(20 * SECOND)
    await ask(node, digest_of(both))
    assert await counts(node) == (1, {"v1": 1, digest_of(both): 1})
    world.clock.move(20 * SECOND)
    await ask(node, ONE)
    assert await counts(node) == (1, {"v1": 1, digest_of(both): 1, ONE: 1})


async def test_days_are_told_apart_and_those_long_ago_are_one_sum(world, node):
    await push_image(node, b"one")
    for _ in range(3):
        await ask(node, "v1")
        await node.pulls.flush()
        world.clock.move(DAY)
    found = await node.pulls.by_day(node.registry, NAME, 10)
    assert [count for _, count in found] == [1, 1, 1]
    assert [count for _, count in await node.pulls.by_day(node.registry, NAME, 10, "v1")] == [1, 1, 1]
    assert len(await node.pulls.by_day(node.registry, NAME, 3)) == 2
    world.clock.move((KEPT_DAYS - 1) * DAY)
    assert await node.pulls.fold(4) == 4
    assert await node.pulls.fold(4) == 2
    assert await node.pulls.fold(4) == 0
    assert [day for day, _ in await node.pulls.by_day(node.registry, NAME, 10_000)] == [found[-1][0]]
    assert await counts(node) == (3, {"v1": 3, ONE: 3})


async def test_the_last_pull_is_what_the_collector_and_the_rules_see(world, node):
    await push_image(node, b"one")
    world.clock.move(DAY)
    await ask(node, "v1")
    await node.pulls.flush()
    summary = await node.pulls.summary(node.registry, NAME)
    assert summary.by_what["v1"].last_at == world.clock.now()
    (row,) = await node.database.read(
        lambda c: c.exec_driver_sql("SELECT pulled_at FROM manifests WHERE pulled_at IS NOT NULL").all()
    )
    assert row[0] == world.clock.now()


async def test_what_is_asked_again_before_it_is_written_is_noted_once(node):
    await push_image(node, b"one")
    for _ in range(5):
        await ask(node, "v1")
    assert len(node.pulls._noted) == 1


async def test_it_is_written_by_itself_after_a_while(node, monkeypatch):
    monkeypatch.setattr(pulls, "_PAUSE", 0.01)
    await push_image(node, b"one")
    await ask(node, "v1")
    async with asyncio.timeout(20):
        while (await node.pulls.summary(node.registry, NAME)).whole is None:  # noqa: ASYNC110 - nothing says when
            await asyncio.sleep(0.01)
    await node.pulls.aclose()


async def test_closing_writes_what_was_noted(node):
    await push_image(node, b"one")
    await ask(node, "v1")
    await node.pulls.aclose()
    assert (await node.pulls.summary(node.registry, NAME)).whole.pulls == 1


async def test_nothing_is_lost_while_the_database_does_not_answer(node, monkeypatch):
    await push_image(node, b"one")
    message = "The database does not answer."

    async def fail(*_args, **_options):
        raise DatabaseUnavailable(message)

    for method in ("read", "write"):
        await ask(node, "v1", reader=(method, None))
        with monkeypatch.context() as patch:
            patch.setattr(node.database, method, fail)
            await node.pulls.flush()
    assert await counts(node) == (2, {"v1": 2, ONE: 2})


async def test_what_is_noted_between_two_writes_is_bounded(node, monkeypatch):
    monkeypatch.setattr(pulls, "MOST_NOTED", 3)
    await push_image(node, b"one")
    for number in range(9):
        await ask(node, "v1", reader=(f"192.0.2.{number}", None))
    assert await counts(node) == (3, {"v1": 3, ONE: 3})


async def test_two_processes_add_up(world, node):
    await push_image(node, b"one")
    other = world.node()
    for one in (node, other):
        await ask(one, "v1")
    await asyncio.gather(node.pulls.flush(), other.pulls.flush())
    assert await counts(node) == (2, {"v1": 2, ONE: 2})


async def test_what_was_collected_meanwhile_is_passed_over(node):
    await push_image(node, b"one")
    node.pulls.note(READER, 4711, TagName("v1"), fetched=True)
    await ask(node, "v1")
    assert await counts(node) == (1, {"v1": 1, ONE: 1})


async def test_a_repository_in_the_trash_and_one_that_never_was_have_no_pulls(node):
    await push_image(node, b"one")
    await ask(node, "v1")
    await node.repositories.delete(node.registry, NAME, ACTOR)
    await node.pulls.flush()
    for name in (NAME, RepositoryName("no/such")):
        with pytest.raises(NameUnknown):
            await node.pulls.summary(node.registry, name)
