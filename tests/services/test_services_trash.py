# SPDX-License-Identifier: Apache-2.0
"""What the trash shows, and how its time ends."""

import pytest
from sqlalchemy import text

from tests.services.test_services_undo import delete, delete_repository, restore_manifest, restore_repository, tags
from tests.services.world import ACTOR, NAME, OTHER, WINDOW, image, push_blob, push_image
from wharfinger.clock import HOUR
from wharfinger.domain.digests import digest_of
from wharfinger.domain.errors import (
    BlobUnknown,
    ContentGone,
    DeletionDisabled,
    DigestInvalid,
    NameInvalid,
    NameUnknown,
    RuleInvalid,
    TagInvalid,
)
from wharfinger.domain.trash import Trashed, parse_trashed
from wharfinger.metadata.trash_lists import position_of

ONE = digest_of(image(b"one"))
LAYER = digest_of(b"layer")


async def shown(node, repository=None):
    page = await node.trash.list(node.registry, repository, None, 100)
    assert not page.more
    return [(entry.kind, str(entry), entry.by, entry.size) for entry in page.items]


async def purge(node, what, **more):
    await node.trash.purge(node.registry, parse_trashed(what), ACTOR, **more)


@pytest.fixture
def full(world, node):
    """Return a function that deletes one of each kind, an hour apart; a fixture of the test's own deployment."""

    async def fill():
        await push_image(node, b"one", tags=("v1", "v2"))
        await push_blob(node, b"layer")
        await delete(node, "v1")
        world.clock.move(HOUR)
        await delete(node, ONE)
        world.clock.move(HOUR)
        await node.blobs.delete(node.registry, NAME, LAYER)
        world.clock.move(HOUR)
        await push_image(node, b"one", name=OTHER)
        await delete_repository(node, OTHER)

    return fill


async def test_the_trash_shows_what_was_deleted_by_whom_and_how_much_it_holds(node, full):
    await full()
    size = len(image(b"one")) + len(b"one") + len(b"{}")
    assert await shown(node) == [
        ("repository", OTHER, "somebody", size),
        ("blob", f"{NAME}@{LAYER}", None, 5),
        ("tag", f"{NAME}:v2", "somebody", None),
        ("manifest", f"{NAME}@{ONE}", "somebody", size),
        ("tag", f"{NAME}:v1", "somebody", None),
    ]
    assert await shown(node, NAME) == (await shown(node))[1:]
    with pytest.raises(NameUnknown):
        await shown(node, OTHER)


@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_pages_show_everything_once(node, full, limit):
    await full()
    everything = (await node.trash.list(node.registry, None, None, 100)).items
    found, last = [], None
    while True:
        page = await node.trash.list(node.registry, None, last, limit)
        found += page.items
        if not page.more:
            break
        last = position_of(page.items[-1])
    assert found == list(everything)


async def test_what_comes_back_or_is_made_anew_leaves_the_trash(node, full):
    await full()
    await restore_manifest(node, ONE)
    await restore_repository(node, OTHER)
    await node.blobs.restore(node.registry, NAME, LAYER, ACTOR)
    assert [kind for kind, *_ in await shown(node)] == ["tag"]
    await push_image(node, b"two")
    assert await shown(node) == []


async def test_what_lies_in_a_deleted_repository_is_shown_as_that_repository_alone(node, full):
    await full()
    await delete_repository(node)
    assert {name for _, name, *_ in await shown(node)} == {NAME, OTHER}


async def test_the_trash_shows_what_comes_back_for_certain_and_no_longer(world, node, full):
    await full()
    (last, *_) = (await node.trash.list(node.registry, None, None, 100)).items
    assert node.trash.until(last) == world.clock.now() + WINDOW
    world.clock.move(WINDOW)
    assert [kind for kind, *_ in await shown(node)] == ["repository"]
    world.clock.move(1)
    assert await shown(node) == []
    await restore_repository(node, OTHER)  # nobody took anything of it yet
    assert await tags(node, OTHER) == ["v1"]


async def test_what_is_purged_does_not_come_back_and_is_looked_at_at_once(world, node, full):
    await full()
    for what in (f"{NAME}@{ONE}", f"{NAME}@{LAYER}", OTHER):
        await purge(node, what)
    assert await shown(node) == []
    for restoring in (
        restore_manifest(node, ONE),
        restore_repository(node, OTHER),
        node.blobs.restore(node.registry, NAME, LAYER, ACTOR),
        node.tags.restore(node.registry, NAME, "v1", ACTOR),
    ):
        with pytest.raises(ContentGone):
            await restoring
    due = text(
        "SELECT (SELECT count(*) FROM manifest_reviews WHERE due_at <= :now AND reason = 'purged'),"
        " (SELECT count(*) FROM blob_reviews WHERE due_at <= :now AND reason = 'purged')"
    ).bindparams(now=world.clock.now())
    assert await node.database.read(lambda c: tuple(c.execute(due).one())) == (1, 1)
    events = text("SELECT repository, digest FROM events WHERE action = 'trash.purged' ORDER BY id")
    assert await node.database.read(lambda c: [tuple(row) for row in c.execute(events)]) == [
        (NAME, ONE),
        (NAME, LAYER),
        (OTHER, None),
    ]
    await world.assert_sound()


async def test_a_push_of_what_was_purged_is_a_push_like_any_other(world, node, full):
    await full()
    await purge(node, f"{NAME}@{ONE}")
    await purge(node, f"{NAME}@{LAYER}")
    await push_image(node, b"one", b"layer", tags=("v3",))
    await push_image(node, b"one", tags=("v3",))
    await delete(node, ONE)
    await restore_manifest(node, ONE)
    assert await tags(node) == ["v3"]
    await world.assert_sound()


async def test_only_what_is_in_the_trash_is_purged_and_only_once(world, node, full):
    await push_image(node, b"two")
    with pytest.raises(BlobUnknown, match="Neither"):
        await purge(node, f"{NAME}@{digest_of(image(b'two'))}")
    with pytest.raises(NameUnknown, match="trash"):
        await purge(node, NAME)
    await full()
    with pytest.raises(RuleInvalid, match="holds no content"):
        await purge(node, f"{NAME}:v1")
    for what, error in ((f"{NAME}@{ONE}", BlobUnknown), (f"{NAME}@{LAYER}", BlobUnknown), (OTHER, NameUnknown)):
        with pytest.raises(DeletionDisabled):
            await purge(world.node(deletion=False), what)
        await purge(node, what)
        with pytest.raises(error):
            await purge(node, what)


async def test_a_repository_that_comes_back_is_found_before_one_that_was_purged(world, node):
    await push_image(node, b"one")
    await delete_repository(node)
    world.clock.move(HOUR)
    await push_image(node, b"two")
    await delete_repository(node)
    await purge(node, NAME)
    await restore_repository(node)
    assert (await node.manifests.find(node.registry, NAME, "v1")).digest == ONE


def test_names_of_what_is_in_the_trash():
    assert parse_trashed("acme/app") == Trashed(repository=NAME)
    assert parse_trashed("acme/app:v1") == Trashed(repository=NAME, tag="v1")
    assert parse_trashed(f"acme/app@{ONE}") == Trashed(repository=NAME, digest=ONE)
    for text_, error in (
        ("Acme", NameInvalid),
        ("acme/app:", TagInvalid),
        ("acme/app@v1", DigestInvalid),
        (f"acme/app:{ONE}", TagInvalid),
    ):
        with pytest.raises(error):
            parse_trashed(text_)
