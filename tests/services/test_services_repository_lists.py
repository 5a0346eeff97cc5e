# SPDX-License-Identifier: Apache-2.0
"""Lists of repositories as people read them: what is counted of each, and lists that are sorted by it."""

from sqlalchemy import event

from tests.services.people import acting, users
from tests.services.world import ACTOR, NAME, push_image
from wharfinger.domain.pulls import Reader
from wharfinger.domain.repository_lists import RepositoryOrder
from wharfinger.metadata import repository_lists
from wharfinger.metadata.standing import EVERYTHING
from wharfinger.services.repositories import RepositorySearch


async def test_a_list_is_sorted_by_what_is_counted_page_by_page_both_ways(node):
    for name, size in (("b", 30), ("a", 10), ("c", 10), ("d", 50)):
        await push_image(node, b"x" * size, name=name)
    for name, times in (("a", 2), ("c", 3), ("d", 2)):
        found = await node.manifests.find(node.registry, name, "v1")
        for number in range(times):
            node.pulls.note(Reader((f"192.0.2.{number}", None)), found.id, "v1", fetched=True)
    await node.pulls.flush()
    for one in await users(node, "ann", "bob"):
        await node.stars.put(node.registry, "b", acting(one))
        if one.name == "ann":
            await node.stars.put(node.registry, "c", acting(one))
    await node.figures.take()

    async def browse(order, limit=10, **place):
        wanted = RepositorySearch(order=order, **place)
        return (await node.repositories.browse(node.registry, wanted, limit, EVERYTHING)).items

    for order, names, shown in (
        (RepositoryOrder.PULLS, "cadb", [3, 2, 2, 0]),
        (RepositoryOrder.STARS, "bcad", [2, 1, 0, 0]),
        (RepositoryOrder.SIZE, "dbac", [52, 32, 12, 12]),
    ):
        lines = await browse(order)
        assert "".join(one.name for one in lines) == names
        assert [getattr(one.figures, order.value) for one in lines] == shown
        places = [one.position for one in lines]
        for cut in range(4):
            assert [one.name for one in await browse(order, after=places[cut])] == list(names[cut + 1 :])
            before = await browse(order, limit=2, before=places[cut])
            assert [one.name for one in before] == list(names[:cut][-2:])


async def test_a_star_that_goes_with_its_account_counts_no_more(node):
    await push_image(node, b"one")
    (ann,) = await users(node, "ann")
    await node.stars.put(node.registry, NAME, acting(ann))
    (line,) = (await node.repositories.browse(node.registry, RepositorySearch(), 10, EVERYTHING)).items
    assert line.figures.stars == 1
    await node.accounts.delete(ann.name, ACTOR)
    (line,) = (await node.repositories.browse(node.registry, RepositorySearch(), 10, EVERYTHING)).items
    assert line.figures.stars == 0


async def test_what_a_repository_holds_is_told_before_it_is_measured_and_not_beyond_what_a_page_has_time_for(
    node, monkeypatch
):
    monkeypatch.setattr(repository_lists, "MOST_MEASURED", 5)
    for name in ("a", "b", "c"):
        await push_image(node, b"x" * 10, name=name)

    async def sizes():
        page = await node.repositories.browse(node.registry, RepositorySearch(order="name"), 10, EVERYTHING)
        return [one.figures.size for one in page.items]

    assert await sizes() == [12, 12, None]
    await node.figures.take()
    assert await sizes() == [12, 12, 12]


async def test_a_list_takes_as_many_statements_for_many_repositories_as_for_one(node):
    await push_image(node, b"one", name="a")

    async def statements():
        counted = []
        await node.database.read(lambda c: _browse(c, node.registry.id, counted))
        return len(counted)

    one = await statements()
    for number in range(20):
        await push_image(node, b"one", name=f"many/{number}")
    assert await statements() == one


def _browse(connection, registry_id, counted):
    @event.listens_for(connection, "before_cursor_execute")
    def count(_connection, _cursor, statement, *_):
        counted.append(statement)

    try:
        repository_lists.browse(connection, registry_id, RepositorySearch(), 40, EVERYTHING)
    finally:
        event.remove(connection, "before_cursor_execute", count)
