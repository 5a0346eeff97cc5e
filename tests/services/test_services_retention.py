# SPDX-License-Identifier: Apache-2.0
"""A policy does what its preview says, and what goes comes back from the trash."""

import pytest
from sqlalchemy import or_, select

from tests.services.test_services_immutable_tags import keep
from tests.services.test_services_pulls import READER
from tests.services.world import ACTOR, NAME, OTHER, image, index, push_image, push_manifest
from wharfinger.clock import DAY
from wharfinger.domain.digests import digest_of
from wharfinger.domain.errors import (
    DeletionDisabled,
    ManifestUnknown,
    NamespaceUnknown,
    NameUnknown,
    PreconditionFailed,
    ReadOnly,
)
from wharfinger.domain.names import RepositoryName, TagName
from wharfinger.domain.policies.retention import make_policy, make_rule
from wharfinger.metadata.schema import events
from wharfinger.services import retention

NEWEST = make_policy([make_rule("newest", "v*", newest=2)])


@pytest.fixture
def give(node):
    async def set_policy(policy, name=NAME):
        await node.retention.set_for_repository(node.registry, name, policy, ACTOR)

    return set_policy


async def push_days(world, node, *tags, name=NAME):
    """Push one image a day."""
    for tag in tags:
        await push_image(node, tag.encode(), tags=(tag,), name=name)
        world.clock.move(DAY)


async def tags(node, name=NAME):
    return list((await node.tags.list(node.registry, name, None, 100)).items)


async def preview(node, name=NAME, policy=None):
    return await node.retention.preview(node.registry, name, policy)


async def run(node, name=NAME, **options):
    return await node.retention.run(node.registry, name, ACTOR, **options)


async def told(node):
    """Return action, tag and detail of what was deleted or changed by retention."""
    statement = select(events.c.action, events.c.tag, events.c.detail).where(
        or_(events.c.detail.startswith("retention"), events.c.action == "retention.changed")
    )
    return [tuple(row) for row in await node.database.read(lambda c: c.execute(statement.order_by(events.c.id)).all())]


async def test_a_run_does_what_the_preview_says_and_names_the_rule(world, node, give):
    await push_days(world, node, "v1", "v2", "v3", "dev")
    await give(NEWEST)
    plan = await preview(node)
    assert [(one.tag, one.kept, one.rule) for one in plan.verdicts] == [
        ("dev", True, None),
        ("v1", False, "newest"),
        ("v2", True, "newest"),
        ("v3", True, "newest"),
    ]
    assert await tags(node) == ["dev", "v1", "v2", "v3"]
    done = await run(node, expected=plan.fingerprint)
    assert done.going == plan.going
    assert await tags(node) == ["dev", "v2", "v3"]
    assert await told(node) == [
        ("retention.changed", None, "newest (v*): newest 2"),
        ("tag.deleted", "v1", "retention: newest keeps newest 2"),
    ]
    assert (await run(node)).going == []
    await world.assert_sound()


async def test_a_plan_that_is_not_the_one_agreed_to_does_nothing(world, node, give):
    await push_days(world, node, "v1", "v2", "v3")
    await give(NEWEST)
    agreed = (await preview(node)).fingerprint
    await push_days(world, node, "v4")
    with pytest.raises(PreconditionFailed, match="look at a new one"):
        await run(node, expected=agreed)
    assert await tags(node) == ["v1", "v2", "v3", "v4"]


async def test_what_went_comes_back(world, node, give):
    await push_days(world, node, "v1", "v2", "v3")
    await give(NEWEST)
    await run(node)
    restored = await node.tags.restore(node.registry, NAME, TagName("v1"), ACTOR)
    assert restored == digest_of(image(b"v1"))
    assert await tags(node) == ["v1", "v2", "v3"]


async def test_a_large_plan_is_done_in_parts_that_together_are_the_plan(world, node, give, monkeypatch):
    monkeypatch.setattr(retention, "_AT_ONCE", 3)
    await push_days(world, node, *(f"v{number}" for number in range(9)))
    await give(NEWEST)
    plan = await preview(node)
    assert len((await run(node, expected=plan.fingerprint)).going) == 7
    assert await tags(node) == ["v7", "v8"]


async def test_a_pull_keeps_a_tag(world, node, give):
    await push_days(world, node, "v1", "v2")
    await give(make_policy([make_rule("used", "*", pulled_within=30)]))
    found = await node.manifests.find(node.registry, NAME, "v1")
    node.pulls.note(READER, found.id, TagName("v1"), fetched=True)
    await node.pulls.flush()
    world.clock.move(29 * DAY)
    assert [one.tag for one in (await preview(node)).going] == ["v2"]
    world.clock.move(DAY)
    assert [one.tag for one in (await preview(node)).going] == ["v1", "v2"]


async def test_a_pull_by_digest_keeps_the_tags_that_name_it(world, node, give):
    """A client asks one node for the tag, and another one for the digest; a cluster runs what it pinned."""
    await push_days(world, node, "v1", "v2")
    await give(make_policy([make_rule("used", "*", pulled_within=30)]))
    found = await node.manifests.find(node.registry, NAME, "v1")
    node.pulls.note(READER, found.id, None, fetched=True)
    await node.pulls.flush()
    world.clock.move(29 * DAY)
    assert [one.tag for one in (await preview(node)).going] == ["v2"]
    world.clock.move(DAY)
    assert [one.tag for one in (await preview(node)).going] == ["v1", "v2"]


async def test_immutable_tags_stay_unless_they_may_be_deleted(world, node, give):
    await push_days(world, node, "v1", "v2", "v3")
    await give(NEWEST)
    await keep(node, "v*")
    assert (await run(node)).going == []
    await keep(node, "v*", deletable=True)
    assert [one.tag for one in (await run(node)).going] == ["v1"]


async def test_manifests_without_a_tag_go_after_their_time_unless_something_holds_them(world, node, give):
    await push_image(node, b"child", tags=())
    await push_manifest(node, index(image(b"child")), "both")
    await push_image(node, b"old", tags=("moving",))
    await push_image(node, b"new", tags=("moving",))
    subject = image(b"new")
    signature = image(config=b"{}", subject={"mediaType": "a/b", "digest": digest_of(subject), "size": len(subject)})
    await push_manifest(node, signature)
    await push_image(node, b"loose", tags=())
    await give(make_policy([], 30))
    world.clock.move(30 * DAY - 1)
    assert (await preview(node)).going == []
    world.clock.move(2)  # of two movements of a tag in one moment, the second is told a moment later
    found = await node.manifests.find(node.registry, NAME, digest_of(image(b"loose")))
    node.pulls.note(READER, found.id, None, fetched=True)
    await node.pulls.flush()
    plan = await run(node)
    assert [one.digest for one in plan.going] == [digest_of(image(b"old"))]
    with pytest.raises(ManifestUnknown):
        await node.manifests.find(node.registry, NAME, digest_of(image(b"old")))
    for kept in (image(b"child"), image(b"new"), image(b"loose"), signature):
        await node.manifests.find(node.registry, NAME, digest_of(kept))
    await node.manifests.restore(node.registry, NAME, digest_of(image(b"old")), ACTOR)
    await world.assert_sound()


async def test_the_policy_of_a_namespace_counts_where_a_repository_has_none(world, node, give):
    for name in (NAME, OTHER):
        await push_days(world, node, "v1", "v2", "v3", name=name)
    await node.retention.set_for_namespace(node.registry, "acme", NEWEST, ACTOR)
    assert (await node.retention.of_repository(node.registry, NAME)).namespace == "acme"
    await give(make_policy([make_rule("one", "*", newest=1)]))
    assert (await node.retention.of_repository(node.registry, NAME)).namespace is None
    assert await node.retention.run_some(10) == 2
    assert (await tags(node), await tags(node, OTHER)) == (["v3"], ["v2", "v3"])
    await give(None)
    assert (await node.retention.of_repository(node.registry, NAME)).policy == NEWEST
    await node.retention.set_for_namespace(node.registry, "acme", None, ACTOR)
    assert await node.retention.of_repository(node.registry, NAME) is None
    assert (await preview(node)).going == []


async def test_a_policy_can_be_tried_before_it_is_set(world, node):
    await push_days(world, node, "v1", "v2", "v3")
    assert [one.tag for one in (await preview(node, policy=NEWEST)).going] == ["v1"]
    assert await node.retention.of_repository(node.registry, NAME) is None


async def test_the_job_goes_through_all_in_turn_and_begins_again(world, node, give):
    for name in (NAME, OTHER, RepositoryName("solo")):
        await push_days(world, node, "v1", "v2", "v3", name=name)
        await give(NEWEST, name)
    assert [await node.retention.run_some(2) for _ in range(3)] == [2, 1, 2]
    assert await tags(node, RepositoryName("solo")) == ["v2", "v3"]


async def test_nothing_goes_while_deletion_is_off(world, node, give):
    await push_days(world, node, "v1", "v2", "v3")
    await give(NEWEST)
    off, read_only = world.node(deletion=False), world.node(read_only=True)
    for one, error in ((off, DeletionDisabled), (read_only, ReadOnly)):
        assert len((await preview(one)).going) == 1
        with pytest.raises(error):
            await run(one)
        assert await one.retention.run_some(10) == 0
    assert await tags(node) == ["v1", "v2", "v3"]


async def test_the_same_policy_again_is_not_told(node, give):
    await push_image(node, b"one")
    for policy in (NEWEST, NEWEST, None, None):
        await give(policy)
    assert [detail for _, _, detail in await told(node)] == ["newest (v*): newest 2", "no policy"]


async def test_what_is_not_there_has_no_policy(node, give):
    unknown = RepositoryName("no/such")
    for work in (give(NEWEST, unknown), preview(node, unknown), run(node, unknown)):
        with pytest.raises(NameUnknown):
            await work
    with pytest.raises(NamespaceUnknown):
        await node.retention.set_for_namespace(node.registry, "nothing", NEWEST, ACTOR)
