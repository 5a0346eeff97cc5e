# SPDX-License-Identifier: Apache-2.0
"""Stars: who marked what, how many did, and nothing that somebody may not see any more."""

import pytest
from sqlalchemy import text

from tests.services.people import acting, users
from tests.services.world import ACTOR, NAME, OTHER, push_image
from wharfinger.domain.access import Visibility
from wharfinger.domain.errors import AccountInvalid, NameUnknown, ReadOnly
from wharfinger.domain.identity import ANONYMOUS
from wharfinger.domain.names import RepositoryName
from wharfinger.metadata.standing import EVERYTHING, sight_of
from wharfinger.services.repositories import RepositoryChange
from wharfinger.services.stars import StarCount


async def public(node, *names):
    for name in names:
        await push_image(node, name=name)
        await node.repositories.change(node.registry, name, RepositoryChange(visibility=Visibility.PUBLIC), ACTOR)


async def marked(node, account, last=None, limit=10):
    """Return the names of what an account marked, as far as it sees it, and whether there are more."""
    who = acting(account).principal
    page = await node.stars.of_account(node.registry, who, last, limit, sight_of(who))
    return [one.repository for one in page.items], page.more


async def test_a_star_counts_once_for_each_account_and_is_found_again(world, node):
    ann, bob = await users(node, "ann", "bob")
    await public(node, NAME, OTHER)
    for who in (ann, bob, ann):
        await node.stars.put(node.registry, NAME, acting(who))
    assert await node.stars.of_repository(node.registry, NAME, acting(ann).principal) == StarCount(
        stars=2, is_mine=True
    )
    assert await node.stars.of_repository(node.registry, OTHER, acting(ann).principal) == StarCount(
        stars=0, is_mine=False
    )
    assert await marked(node, ann) == ([NAME], False)
    await node.stars.remove(node.registry, NAME, acting(ann))
    await node.stars.remove(node.registry, NAME, acting(ann))
    assert await node.stars.of_repository(node.registry, NAME, acting(ann).principal) == StarCount(
        stars=1, is_mine=False
    )
    assert await node.stars.of_repository(node.registry, NAME, ANONYMOUS) == StarCount(stars=1, is_mine=False)
    assert await marked(node, ann) == ([], False)
    await world.assert_sound()


async def test_a_star_tells_nobody(node):
    (ann,) = await users(node, "ann")
    await public(node, NAME)
    count = text("SELECT count(*) FROM events")
    before = await node.database.read(lambda c: c.execute(count).scalar())
    await node.stars.put(node.registry, NAME, acting(ann))
    await node.stars.remove(node.registry, NAME, acting(ann))
    assert await node.database.read(lambda c: c.execute(count).scalar()) == before


async def test_what_became_private_or_was_deleted_is_not_listed_and_comes_back(node):
    (ann,) = await users(node, "ann")
    await public(node, NAME, OTHER)
    for name in (NAME, OTHER):
        await node.stars.put(node.registry, name, acting(ann))
    await node.repositories.change(node.registry, NAME, RepositoryChange(visibility=Visibility.PRIVATE), ACTOR)
    await node.repositories.delete(node.registry, OTHER, ACTOR)
    assert await marked(node, ann) == ([], False)
    page = await node.stars.of_account(node.registry, acting(ann).principal, None, 10, EVERYTHING)
    assert [one.repository for one in page.items] == [NAME]
    await node.repositories.restore(node.registry, OTHER, ACTOR)
    assert await marked(node, ann) == ([OTHER], False)


async def test_the_list_comes_in_pages_by_name(node):
    (ann,) = await users(node, "ann")
    names = [RepositoryName(f"acme/{letter}") for letter in "abc"]
    await public(node, *names)
    for name in reversed(names):
        await node.stars.put(node.registry, name, acting(ann))
    assert await marked(node, ann, limit=2) == (names[:2], True)
    assert await marked(node, ann, last=names[1], limit=2) == (names[2:], False)


async def test_a_deleted_account_takes_its_stars_along(node):
    ann, bob = await users(node, "ann", "bob")
    await public(node, NAME)
    await node.stars.put(node.registry, NAME, acting(ann))
    await node.accounts.delete("ann", ACTOR)
    assert (await node.stars.of_repository(node.registry, NAME, acting(bob).principal)).stars == 0


async def test_who_has_no_account_marks_nothing(world, node):
    (ann,) = await users(node, "ann")
    await public(node, NAME)
    with pytest.raises(AccountInvalid, match="sign in"):
        await node.stars.put(node.registry, NAME, ACTOR)
    with pytest.raises(NameUnknown):
        await node.stars.put(node.registry, OTHER, acting(ann))
    with pytest.raises(NameUnknown):
        await node.stars.of_repository(node.registry, OTHER, acting(ann).principal)
    with pytest.raises(ReadOnly):
        await world.node(read_only=True).stars.put(node.registry, NAME, acting(ann))
