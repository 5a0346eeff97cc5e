# SPDX-License-Identifier: Apache-2.0
"""An immutable tag does not move, whoever tries and by whichever way."""

import pytest
from sqlalchemy import text

from tests.services.test_services_undo import delete, names, restore_manifest, restore_tag, tags
from tests.services.world import ACTOR, NAME, OTHER, image, index, push_image, push_manifest
from wharfinger.domain.access import Action
from wharfinger.domain.digests import digest_of
from wharfinger.domain.errors import (
    ManifestUnknown,
    NameUnknown,
    PreconditionFailed,
    ReadOnly,
    RuleInvalid,
    StillReferenced,
    TagImmutable,
)
from wharfinger.domain.policies.immutability import MUTABLE, parse_immutability
from wharfinger.services.repositories import RepositoryChange

ONE, TWO = digest_of(image(b"one")), digest_of(image(b"two"))


async def keep(node, rules, *, deletable=False, name=NAME):
    change = RepositoryChange(immutable_tags=rules, immutable_deletable=deletable)
    await node.repositories.change(node.registry, name, change, ACTOR)


@pytest.fixture
def kept(node):
    """Return a function that makes a repository whose tag `v1` is immutable, and whose tag `latest` is not."""

    async def make(*, deletable=False):
        await push_image(node, b"one", tags=("v1", "latest"))
        await push_image(node, b"two", tags=("other",))
        await keep(node, "v*", deletable=deletable)

    return make


async def test_an_immutable_tag_stays_and_everything_of_the_push_is_undone(world, node, kept):
    await kept()
    three = image(annotations={"three": "3"})
    for tags_ in (("v1",), ("latest", "v1"), ("v2", "v1", "latest")):
        with pytest.raises(TagImmutable, match="rule 'v\\*'"):
            await push_manifest(node, three, *tags_)
    with pytest.raises(TagImmutable):
        await push_manifest(node, three, "v1", digest=digest_of(three))
    assert (await names(node), await names(node, "latest"), await tags(node)) == (ONE, ONE, ["latest", "other", "v1"])
    with pytest.raises(ManifestUnknown):
        await names(node, digest_of(three))
    await world.assert_sound()


async def test_the_same_content_again_a_new_tag_and_other_tags_are_pushed(world, node, kept):
    await kept()
    await push_image(node, b"one")
    await push_image(node, b"two", tags=("v2", "latest"))
    assert (await names(node), await names(node, "v2"), await names(node, "latest")) == (ONE, TWO, TWO)
    await world.assert_sound()


async def test_conditions_are_judged_before_the_rule(node, kept):
    await kept()
    with pytest.raises(PreconditionFailed):
        await push_manifest(node, image(b"two"), "v1", if_match=TWO)
    with pytest.raises(PreconditionFailed):
        await push_manifest(node, image(b"two"), "v1", if_absent=True)
    with pytest.raises(TagImmutable):
        await push_manifest(node, image(b"two"), "v1", if_match=ONE)
    await push_manifest(node, image(b"one"), "v1", if_match=ONE)


async def test_an_immutable_tag_is_deleted_neither_by_name_nor_with_its_manifest(world, node, kept):
    await kept()
    for reference in ("v1", ONE):
        with pytest.raises(TagImmutable, match="may not be deleted"):
            await delete(node, reference)
    assert (await names(node), await names(node, "latest"), await names(node, ONE)) == (ONE, ONE, ONE)
    await delete(node, "latest")
    await delete(node, TWO)
    assert await tags(node) == ["v1"]
    await world.assert_sound()


async def test_where_it_may_be_deleted_it_still_does_not_move(world, node, kept):
    await kept(deletable=True)
    with pytest.raises(TagImmutable):
        await push_manifest(node, image(b"two"), "v1")
    await delete(node, "v1")
    await restore_tag(node)
    assert await names(node) == ONE
    await delete(node, ONE)
    assert await tags(node) == ["other"]
    await restore_manifest(node, ONE)
    assert await tags(node) == ["latest", "other", "v1"]
    await world.assert_sound()


async def test_an_immutable_tag_is_not_restored_over_what_it_names(node):
    await push_image(node, b"one")
    await push_image(node, b"two")
    await keep(node, "all")
    for to in (None, ONE):
        with pytest.raises(TagImmutable):
            await restore_tag(node, to=to)
    assert await restore_tag(node, to=TWO) == TWO
    assert await names(node) == TWO


async def test_the_child_of_an_immutable_index_stays(node):
    await push_image(node, b"one", tags=())
    top = await push_manifest(node, index(image(b"one")), "v1")
    await keep(node, "all")
    for digest in (ONE, top):
        with pytest.raises(StillReferenced if digest == ONE else TagImmutable):
            await delete(node, digest)
    assert await names(node, ONE) == ONE


async def test_a_deleted_repository_takes_its_immutable_tags_along_and_brings_them_back(node, kept):
    await kept()
    await node.repositories.delete(node.registry, NAME, ACTOR)
    await push_image(node, b"two")
    await push_image(node, b"one")
    await node.repositories.delete(node.registry, NAME, ACTOR)
    (_, first) = (await node.trash.list(node.registry, None, None, 10)).items
    await node.repositories.restore(node.registry, NAME, ACTOR, number=first.number)
    assert await names(node) == ONE
    with pytest.raises(TagImmutable):
        await push_manifest(node, image(b"two"), "v1")


async def test_the_rules_are_a_repositorys_own_and_a_change_is_told_once(world, node, kept):
    await kept()
    await keep(node, "v*")
    await keep(node, "*, !latest", deletable=True)
    rules = (await node.repositories.find(node.registry, NAME)).immutability
    assert rules == parse_immutability("*, !latest", deletable=True)
    sql = text("SELECT repository, detail, principal FROM events WHERE action = 'repository.changed' ORDER BY id")
    assert await node.database.read(lambda c: [tuple(row) for row in c.execute(sql)]) == [
        (NAME, "immutable tags from none to v*", "somebody"),
        (
            NAME,
            "immutable tags from v* to *, !latest, deleting immutable tags from not allowed to allowed",
            "somebody",
        ),
    ]
    await push_image(node, b"one", name=OTHER)
    assert (await node.repositories.find(node.registry, OTHER)).immutability == MUTABLE
    await push_image(node, b"two", name=OTHER)
    with pytest.raises(NameUnknown):
        await keep(node, "all", name="acme/none")
    with pytest.raises(RuleInvalid):
        await keep(node, "!v1")
    with pytest.raises(ReadOnly):
        await keep(world.node(read_only=True), "all")
    assert RepositoryChange(immutable_tags="all").action is Action.ADMINISTER
