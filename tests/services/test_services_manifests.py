# SPDX-License-Identifier: Apache-2.0
import json

import pytest
from sqlalchemy import text

from tests.services.world import ACTOR, NAME, OTHER, descriptor, image, index, push_blob, push_image, push_manifest
from wharfinger.domain.digests import Algorithm, digest_of
from wharfinger.domain.errors import (
    DeletionDisabled,
    DigestMismatch,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestUnknown,
    NameUnknown,
    PreconditionFailed,
    ReadOnly,
    StillReferenced,
)
from wharfinger.domain.manifests import OCI_MANIFEST, ManifestRules
from wharfinger.services.manifests import ManifestPush

MEBIBYTE = 1024 * 1024


def find(node, reference="v1", name=NAME):
    return node.manifests.find(node.registry, name, reference)


async def pull(node, reference="v1", name=NAME):
    return await node.manifests.content(await find(node, reference, name))


async def told(node, action):
    sql = text("SELECT tag, digest FROM events WHERE action = :action ORDER BY id").bindparams(action=action)
    return await node.database.read(lambda c: [tuple(row) for row in c.execute(sql)])


async def referrers(node, subject, *, kinds=(), last=None, name=NAME):
    return await node.manifests.referrers(node.registry, name, subject, kinds, last)


async def test_a_manifest_is_pulled_byte_for_byte_as_it_was_pushed(world, node):
    """Blanks, the order of keys, and how strings are escaped are kept."""
    await push_blob(node, b"{}")
    content = (
        b' {"layers": [ ],\r\n\t"schemaVersion" :2, "annotations":{"\\u0061":"\xc3\xa9"},"config":'
        + json.dumps(descriptor(b"{}")).encode()
        + b"}\n\n"
    )
    digest = await push_manifest(node, content, "v1", content_type=OCI_MANIFEST)
    assert digest == digest_of(content)
    for one in (node, world.node()):
        assert await pull(one) == await pull(one, digest) == content
    found = await find(node)
    assert (found.digest, found.media_type, found.size) == (digest, OCI_MANIFEST, len(content))
    await world.assert_sound()


async def test_a_manifest_can_be_pushed_under_a_digest_of_either_algorithm(node):
    await push_blob(node, b"{}")
    digest = digest_of(image(), Algorithm.SHA512)
    assert await push_manifest(node, image(), digest=digest) == digest
    assert await pull(node, digest) == image()
    with pytest.raises(DigestMismatch):
        await push_manifest(node, image(), digest=digest_of(b"other"))


async def test_one_push_moves_every_tag_or_none(world, node):
    await push_image(node, b"one", tags=("a", "b"))
    await push_blob(node, b"two")
    with pytest.raises(PreconditionFailed):
        await push_manifest(node, image(b"two"), "a", "new", if_match=digest_of(image(b"one")))
    assert (await find(node, "a")).digest == digest_of(image(b"one"))
    with pytest.raises(ManifestUnknown):
        await find(node, "new")
    await push_manifest(node, image(b"two"), "a", "b", if_match=digest_of(image(b"one")))
    assert {(await find(node, tag)).digest for tag in ("a", "b")} == {digest_of(image(b"two"))}
    await world.assert_sound()


async def test_a_condition_that_does_not_hold_leaves_no_trace(world, node):
    await push_image(node, b"one")
    await push_blob(node, b"two")
    for condition in ({"if_absent": True}, {"if_match": digest_of(b"other")}):
        with pytest.raises(PreconditionFailed) as raised:
            await push_manifest(node, image(b"two"), "v1", **condition)
        assert raised.value.detail == {"tag": "v1", "digest": digest_of(image(b"one"))}
    with pytest.raises(ManifestUnknown):
        await find(node, digest_of(image(b"two")))
    assert len(await told(node, "manifest.pushed")) == 1
    await world.assert_sound()


async def test_conditions_that_hold_are_met(node):
    first = await push_image(node, b"one")
    await push_blob(node, b"two")
    await push_manifest(node, image(b"two"), "v1", if_match=first)
    await push_manifest(node, image(b"two"), "v2", if_absent=True)
    with pytest.raises(PreconditionFailed):
        await push_manifest(node, image(b"one"), "v3", if_match=first)


async def test_every_missing_digest_is_named_once_and_in_order(node):
    await push_blob(node, b"{}")
    with pytest.raises(ManifestBlobUnknown) as raised:
        await push_manifest(node, image(b"b", b"a", b"b"), "v1")
    assert raised.value.missing == (digest_of(b"b"), digest_of(b"a"))
    with pytest.raises(NameUnknown):
        await node.repositories.require(node.registry, NAME)


async def test_foreign_layers_need_not_be_here_and_neither_do_children(world, node):
    await push_blob(node, b"{}")
    foreign = descriptor(b"far away", "application/vnd.oci.image.layer.nondistributable.v1.tar", urls=["https://x/y"])
    document = json.loads(image())
    document["layers"] = [foreign]
    await push_manifest(node, json.dumps(document).encode(), "foreign")
    await push_manifest(node, index(b"not here"), "index")
    await world.assert_sound()


async def test_what_the_operator_requires_of_an_index_must_be_here(world):
    node = world.node(rules=ManifestRules(children_required=True))
    with pytest.raises(ManifestBlobUnknown):
        await push_manifest(node, index(image(b"one")), "all")
    await push_image(node, b"one", tags=())
    await push_manifest(node, index(image(b"one")), "all")
    await world.assert_sound()


async def test_a_size_that_is_not_the_contents_is_refused(world, node):
    await push_blob(node, b"{}")
    await push_blob(node, b"layer")
    document = json.loads(image(b"layer"))
    document["layers"][0]["size"] = 6
    with pytest.raises(ManifestInvalid, match="it has 5"):
        await push_manifest(node, json.dumps(document).encode(), "v1")
    await world.assert_sound()


@pytest.mark.parametrize("kind", ["index before image", "image before layer"])
async def test_content_that_arrives_later_closes_the_gap(world, kind):
    node = world.node(rules=ManifestRules(layers_required=False))
    if kind == "index before image":
        await push_manifest(node, index(image(b"one")), "all")
        await push_image(node, b"one", tags=())
        with pytest.raises(StillReferenced):
            await node.manifests.delete(node.registry, NAME, digest_of(image(b"one")), ACTOR)
    else:
        await push_manifest(node, image(b"one"), "v1")
        await push_blob(node, b"one")
        with pytest.raises(StillReferenced):
            await node.blobs.delete(node.registry, NAME, digest_of(b"one"))
    await world.assert_sound()


async def damage(node):
    await node.database.write(lambda c: c.execute(text("UPDATE manifests SET content = :it"), {"it": b"{}"}) and None)


async def test_a_manifest_that_was_damaged_is_never_served(world, node, capfd):
    await push_image(node, b"one")
    await damage(node)
    assert await pull(node) == image(b"one")  # from memory, where it was verified
    with pytest.raises(ManifestUnknown, match="damaged; push it again"):
        await pull(world.node())
    said = "".join(capfd.readouterr())
    assert "error" in said
    assert digest_of(image(b"one")) in said


@pytest.mark.parametrize("deleted", [False, True])
async def test_pushing_a_damaged_manifest_again_repairs_it(world, node, deleted):
    await push_image(node, b"one")
    await damage(node)
    if deleted:
        await node.manifests.delete(node.registry, NAME, digest_of(image(b"one")), ACTOR)
    await push_manifest(world.node(), image(b"one"), "v1")
    assert await pull(world.node()) == image(b"one")
    await world.assert_sound()


async def test_a_tag_is_never_remembered_only_what_it_names(world, node):
    other = world.node()
    await push_image(node, b"one")
    assert await pull(other) == image(b"one")
    await push_image(node, b"two")
    assert await pull(other) == image(b"two")


async def test_pushing_again_changes_nothing(world, node):
    digest = await push_image(node, b"one")
    assert await push_manifest(node, image(b"one"), "v1") == digest
    assert len(await told(node, "manifest.pushed")) == 1
    assert await told(node, "tag.moved") == [("v1", digest)]
    await world.assert_sound()


async def test_a_deleted_manifest_takes_its_tags_along(world, node):
    digest = await push_image(node, b"one", tags=("v1", "v2"))
    await push_image(node, b"two", tags=("v3",))
    await node.manifests.delete(node.registry, NAME, digest, ACTOR)
    for reference in ("v1", "v2", digest):
        with pytest.raises(ManifestUnknown):
            await find(node, reference)
    assert await pull(node, "v3") == image(b"two")
    assert {tag for tag, _ in await told(node, "tag.deleted")} == {"v1", "v2"}
    assert await told(node, "manifest.deleted") == [(None, digest)]
    with pytest.raises(ManifestUnknown):
        await node.manifests.delete(node.registry, NAME, digest, ACTOR)
    await world.assert_sound()


async def test_a_deleted_manifest_is_revived_by_a_push(world, node):
    digest = await push_image(node, b"one")
    await node.manifests.delete(node.registry, NAME, digest, ACTOR)
    await push_manifest(node, image(b"one"), "again")
    assert await pull(node, "again") == image(b"one")
    assert len(await told(node, "manifest.pushed")) == 2
    with pytest.raises(StillReferenced):
        await node.blobs.delete(node.registry, NAME, digest_of(b"one"))
    await world.assert_sound()


async def test_a_manifest_that_an_index_lists_is_not_deleted_before_it(world, node):
    child = await push_image(node, b"one", tags=())
    parent = await push_manifest(node, index(image(b"one")), "all")
    with pytest.raises(StillReferenced) as raised:
        await node.manifests.delete(node.registry, NAME, child, ACTOR)
    assert raised.value.detail == {"indexes": [parent]}
    await node.manifests.delete(node.registry, NAME, parent, ACTOR)
    await node.manifests.delete(node.registry, NAME, child, ACTOR)
    await world.assert_sound()


async def test_what_the_operator_switched_off_is_not_done(world, node):
    digest = await push_image(node, b"one")
    with pytest.raises(DeletionDisabled):
        await world.node(deletion=False).manifests.delete(node.registry, NAME, digest, ACTOR)
    with pytest.raises(ReadOnly):
        await push_manifest(world.node(read_only=True), image(b"one"), "v1")


async def test_an_unknown_name_and_an_unknown_manifest_are_told_apart(node):
    await push_image(node, b"one")
    with pytest.raises(NameUnknown):
        await find(node, "v1", OTHER)
    with pytest.raises(NameUnknown):
        await node.manifests.delete(node.registry, OTHER, digest_of(b"x"), ACTOR)
    for reference in ("v2", digest_of(b"x")):
        with pytest.raises(ManifestUnknown):
            await find(node, reference)


async def test_a_manifest_of_another_repository_is_not_here(node):
    digest = await push_image(node, b"one", name=OTHER)
    await push_image(node, b"two")
    with pytest.raises(ManifestUnknown):
        await find(node, digest)


async def test_referrers_are_those_that_name_the_subject(world, node):
    subject = await push_image(node, b"one")
    named = {"mediaType": OCI_MANIFEST, "digest": subject, "size": len(image(b"one"))}
    signature = await push_manifest(node, image(subject=named, artifactType="a/sig", annotations={"k": "v"}), "s")
    sbom = await push_manifest(node, image(subject=named, artifactType="a/sbom"))
    page = await referrers(node, subject)
    assert [digest for digest, _ in page.items] == sorted([signature, sbom])
    assert not page.more
    shown = {json.loads(one)["digest"]: json.loads(one) for _, one in page.items}
    assert shown[signature]["artifactType"] == "a/sig"
    assert shown[signature]["annotations"] == {"k": "v"}
    assert [digest for digest, _ in (await referrers(node, subject, kinds=["a/sbom"])).items] == [sbom]
    await node.manifests.delete(node.registry, NAME, sbom, ACTOR)
    assert [digest for digest, _ in (await referrers(node, subject)).items] == [signature]
    await world.assert_sound()


async def test_a_subject_may_arrive_after_its_referrers(node):
    await push_blob(node, b"{}")
    named = {"mediaType": OCI_MANIFEST, "digest": digest_of(b"later"), "size": 5}
    pushed = await node.manifests.put(
        node.registry,
        NAME,
        ManifestPush(content=image(subject=named), content_type=None, digest=None, tags=()),
        ACTOR,
    )
    assert pushed.subject == digest_of(b"later")
    assert len((await referrers(node, digest_of(b"later"))).items) == 1


async def test_nobody_refers_to_what_is_unknown(node):
    assert (await referrers(node, digest_of(b"x"))).items == ()
    await push_image(node, b"one")
    assert list((await referrers(node, digest_of(b"x"))).items) == []


async def test_a_page_of_referrers_stays_within_what_a_client_reads(world, node):
    """Seven descriptors of a good mebibyte: three on each page, and each page within four."""
    await push_blob(node, b"{}")
    named = {"mediaType": OCI_MANIFEST, "digest": digest_of(b"subject"), "size": 7}
    pushed = [
        await push_manifest(node, image(subject=named, annotations={"n": str(n), "x": "y" * (MEBIBYTE + 10)}))
        for n in range(7)
    ]
    found, last, pages = [], None, 0
    while True:
        page = await referrers(node, digest_of(b"subject"), last=last)
        assert sum(len(one) + 1 for _, one in page.items) < 4 * MEBIBYTE
        found += [digest for digest, _ in page.items]
        pages += 1
        if not page.more:
            break
        last = found[-1]
    assert (found, pages) == (sorted(pushed), 3)
    await world.assert_sound()


async def test_one_referrer_is_shown_however_large_it_is(node):
    """Characters that the descriptor spells longer than the manifest did can make it outgrow a page."""
    await push_blob(node, b"{}")
    named = {"mediaType": OCI_MANIFEST, "digest": digest_of(b"subject"), "size": 7}
    large = image(subject=named, annotations={"x": "y" * (4 * MEBIBYTE - 1_000)})
    digests = sorted([await push_manifest(node, large), await push_manifest(node, image(subject=named))])
    first = await referrers(node, digest_of(b"subject"))
    assert [digest for digest, _ in first.items] == digests[:1]
    assert first.more
    second = await referrers(node, digest_of(b"subject"), last=digests[0])
    assert ([digest for digest, _ in second.items], second.more) == (digests[1:], False)
