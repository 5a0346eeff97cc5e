# SPDX-License-Identifier: Apache-2.0
"""What every registry holds, day by day, and which repositories are the largest."""

import pytest
from sqlalchemy import delete

from tests.services.damage import damage, gone
from tests.services.world import ACTOR, NAME, OTHER, push_blob, push_image
from wharfinger.clock import DAY
from wharfinger.domain.digests import digest_of
from wharfinger.domain.pulls import Reader
from wharfinger.domain.verification import Scope
from wharfinger.metadata.retention_tables import pulls
from wharfinger.services.figures import KEPT_DAYS

BIG, SMALL = b"x" * 1_000, b"y" * 10
CONFIG = len(b"{}")


async def days(node, many=30):
    """Return the figures of each day without its number."""
    return [(one.bytes, one.blobs, one.repositories) for one in await node.figures.by_day(node.registry, many)]


async def pull(node, name=NAME):
    found = await node.manifests.find(node.registry, name, "v1")
    node.pulls.note(Reader(("192.0.2.1", None)), found.id, "v1", fetched=True)
    await node.pulls.flush()


async def test_what_two_repositories_share_counts_once(node):
    await push_image(node, BIG)
    await push_image(node, BIG, SMALL, name=OTHER)
    assert await node.figures.take() == 1
    assert await days(node) == [(1_000 + 10 + CONFIG, 3, 2)]


async def test_a_day_has_one_row_that_follows_what_happens_on_it(world, node):
    await node.figures.take()
    await push_image(node, BIG)
    await node.figures.take()
    world.clock.move(DAY)
    await push_image(node, SMALL, name=OTHER)
    await node.figures.take()
    assert await days(node) == [(1_000 + CONFIG, 2, 1), (1_010 + CONFIG, 3, 2)]
    assert await days(node, 1) == [(1_010 + CONFIG, 3, 2)]


async def test_a_deleted_repository_is_none_and_its_bytes_are_there(node):
    await push_image(node, BIG)
    await node.repositories.delete(node.registry, NAME, ACTOR)
    await node.figures.take()
    assert await days(node) == [(1_000 + CONFIG, 2, 0)]
    assert (await node.figures.largest(node.registry, None, 10)).items == []


async def test_bytes_that_are_missing_are_not_held(node):
    await push_image(node, BIG)
    await damage(node, digest_of(BIG), gone)
    await node.verification.run(node.registry, Scope(), ACTOR)
    await node.figures.take()
    assert await days(node) == [(CONFIG, 1, 1)]


async def test_pulls_of_a_day_are_whole_when_it_is_over(world, node):
    await push_image(node, BIG)
    await pull(node)
    await node.figures.take()
    world.clock.move(60_000_001)
    await pull(node)
    world.clock.move(DAY)
    await node.figures.take()
    assert [one.pulls for one in await node.figures.by_day(node.registry, 2)] == [2, 0]


async def test_days_are_forgotten_after_five_years(world, node):
    await node.figures.take()
    world.clock.move(KEPT_DAYS * DAY)
    await node.figures.take()
    assert len(await node.figures.by_day(node.registry, 10_000)) == 2
    world.clock.move(DAY)
    await node.figures.take()
    assert len(await node.figures.by_day(node.registry, 10_000)) == 2


async def test_the_largest_come_first_in_pages(node, monkeypatch):
    monkeypatch.setattr("wharfinger.services.figures._AT_ONCE", 2)
    for number, size in enumerate((5, 30, 20, 30, 1)):
        await push_blob(node, bytes([number]) * size, f"acme/{number}")
    await node.figures.take()
    first = await node.figures.largest(node.registry, None, 3)
    assert [(one.name, one.bytes, one.blobs) for one in first.items] == [
        ("acme/3", 30, 1),
        ("acme/1", 30, 1),
        ("acme/2", 20, 1),
    ]
    assert first.more
    last = first.items[-1]
    rest = await node.figures.largest(node.registry, (last.bytes, last.repository_id), 3)
    assert ([one.name for one in rest.items], rest.more) == (["acme/0", "acme/4"], False)
    await push_blob(node, b"z" * 100, "acme/4")
    await node.figures.take()
    assert (await node.figures.largest(node.registry, None, 1)).items[0].name == "acme/4"


async def test_what_a_registry_holds_now_is_what_was_counted_last(node):
    assert (await node.figures.holdings(node.registry)).figure is None
    await push_image(node, BIG)
    await node.figures.take()
    held = await node.figures.holdings(node.registry)
    assert (held.figure.bytes, held.doomed) == (1_000 + CONFIG, 0)
    if held.space is not None:
        assert 0 < held.space.free <= held.space.total


@pytest.mark.parametrize("collected", [True, False])
async def test_pulls_of_what_is_gone_are_gone(node, collected):
    await push_image(node, BIG)
    await pull(node)
    if collected:
        await node.database.write(lambda c: c.execute(delete(pulls)) and None)
    await node.figures.take()
    assert [one.pulls for one in await node.figures.by_day(node.registry, 1)] == [0 if collected else 1]
