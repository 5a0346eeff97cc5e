# SPDX-License-Identifier: Apache-2.0
"""What a deletion would free, before it is done: the same bytes that then go."""

import pytest
from sqlalchemy import text

from tests.services.test_services_reviews import collect_after, delete, keep_untagged, signature
from tests.services.world import ACTOR, NAME, OTHER, WINDOW, image, index, push_blob, push_image, push_manifest
from wharfinger.clock import DAY, HOUR
from wharfinger.domain.errors import ManifestUnknown, NameUnknown
from wharfinger.domain.trash import parse_trashed
from wharfinger.services.blobs import LEASE

LAYER, SHARED, CONFIG = b"a layer of its own", b"a layer of many", b"{}"


async def plan(node, what):
    return await node.outlooks.plan(node.registry, parse_trashed(what))


async def stored(node):
    """Return the bytes of all blobs."""
    return await node.database.read(lambda c: c.execute(text("SELECT coalesce(sum(size), 0) FROM blobs")).scalar())


async def test_a_manifest_frees_what_only_it_needs(world, node):
    digest = await push_image(node, LAYER, SHARED)
    await push_image(node, SHARED, tags=("v2",))
    found = await plan(node, f"{NAME}@{digest}")
    assert (found.manifests, found.blobs, found.unique, found.kept) == (1, 1, len(LAYER), None)
    assert found.shared == len(SHARED) + len(CONFIG)
    assert found.at == world.clock.now() + WINDOW
    before = await stored(node)
    await delete(node, digest)
    await collect_after(world, WINDOW)
    assert before - await stored(node) == found.unique


async def test_what_another_repository_has_is_shared(node):
    digest = await push_image(node, LAYER)
    await push_blob(node, LAYER, OTHER)
    found = await plan(node, f"{NAME}@{digest}")
    assert (found.unique, found.shared) == (len(CONFIG), len(LAYER))


async def test_an_index_frees_its_images_and_what_is_attached(world, node):
    await push_image(node, LAYER, tags=())
    named = await push_image(node, b"named", tags=("v1",))
    whole = await push_manifest(node, index(image(LAYER), image(b"named")), "all")
    await push_manifest(node, signature(image(LAYER)))
    found = await plan(node, f"{NAME}@{whole}")
    assert (found.manifests, found.unique, found.shared) == (3, len(LAYER), len(CONFIG))
    before = await stored(node)
    await delete(node, whole)
    await collect_after(world, WINDOW)
    assert before - await stored(node) == found.unique
    assert await node.manifests.find(node.registry, NAME, named)


async def test_a_tag_frees_nothing_where_untagged_manifests_are_kept(node):
    await push_image(node, LAYER)
    found = await plan(node, f"{NAME}:v1")
    assert (found.kept, found.at) == (
        "this registry keeps manifests without a tag; delete the manifest by its digest",
        None,
    )
    assert found.unique == len(LAYER) + len(CONFIG)


async def test_a_tag_frees_what_it_named_where_untagged_manifests_are_collected(world, node):
    await keep_untagged(node, 60 * DAY)
    await push_image(node, LAYER)
    found = await plan(node, f"{NAME}:v1")
    assert (found.kept, found.at) == (None, world.clock.now() + 60 * DAY)
    await node.tags.delete(node.registry, NAME, "v1", ACTOR)
    await collect_after(world, 60 * DAY)
    assert await stored(node) == 0


async def test_what_else_holds_a_manifest_is_said(node):
    child = await push_image(node, LAYER, tags=("v1", "v2"))
    assert (await plan(node, f"{NAME}:v1")).kept == "the tag v2 names it too"
    whole = await push_manifest(node, index(image(LAYER)), "all")
    assert (await plan(node, f"{NAME}@{child}")).kept == f"{whole} lists it"


async def test_a_repository_frees_what_no_other_has(world, node):
    await push_image(node, LAYER, SHARED)
    await push_image(node, b"two", tags=("v2",))
    await push_image(node, SHARED, name=OTHER)
    found = await plan(node, NAME)
    assert (found.manifests, found.blobs, found.unique) == (2, 2, len(LAYER) + len(b"two"))
    assert found.shared == len(SHARED) + len(CONFIG)
    before = await stored(node)
    await node.repositories.delete(node.registry, NAME, ACTOR)
    await collect_after(world, WINDOW)
    assert before - await stored(node) == found.unique


async def test_what_is_not_there_cannot_be_planned(node):
    await push_image(node, LAYER)
    with pytest.raises(NameUnknown):
        await plan(node, "nothing")
    with pytest.raises(ManifestUnknown):
        await plan(node, f"{NAME}:v9")


async def test_the_outlook_says_what_frees_on_which_day_and_why(world, node):
    digest = await push_image(node, LAYER)
    await push_image(node, b"kept", tags=("v2",))
    await push_blob(node, b"left over")
    await delete(node, digest)
    today = world.clock.now() // DAY * DAY
    found = await node.outlooks.get()
    assert {(one.at - today) // DAY: (one.blobs, one.size) for one in found.upcoming} == {
        1: (1, len(b"left over")),
        30: (1, len(LAYER)),
    }
    assert {one.kind: (one.waiting, one.due) for one in found.waiting} == {
        "manifest": (1, 0),
        "blob": (4, 0),
        "burial": (1, 0),
    }
    reasons = [one.verdict.reason for one in found.newest]
    assert reasons[0] == "it was deleted on 2023-11-14 and can be restored until 2023-12-14"
    assert any(reason.endswith("refers to it") for reason in reasons)
    await collect_after(world, LEASE + HOUR)
    assert [one.size for one in (await node.outlooks.get()).upcoming] == [len(LAYER)]
    await collect_after(world, WINDOW)
    found = await node.outlooks.get()
    assert (found.upcoming, found.newest, found.repositories) == ([], [], 0)
