# SPDX-License-Identifier: Apache-2.0
"""Looking inside what was pushed: platforms, layers, configs, what is attached, and how two differ."""

import json

import pytest

from tests.services.damage import key_of, put_bytes
from tests.services.world import (
    ACTOR,
    NAME,
    OTHER,
    descriptor,
    image,
    push_blob,
    push_image,
    push_manifest,
)
from wharfinger.domain.artifacts import Nature
from wharfinger.domain.comparison import parse_side
from wharfinger.domain.digests import digest_of
from wharfinger.domain.errors import ManifestUnknown, NameUnknown, QueryInvalid
from wharfinger.domain.manifests import OCI_INDEX, OCI_MANIFEST
from wharfinger.services import inspection

IMAGE_CONFIG = "application/vnd.oci.image.config.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
HELM = "application/vnd.cncf.helm.config.v1+json"
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
NOTATION = "application/vnd.cncf.notary.signature"


def config(system="linux", architecture="amd64", **more):
    return json.dumps({"os": system, "architecture": architecture, **more}).encode()


async def look(node, reference="v1", name=NAME, **more):
    return await node.inspections.look(node.registry, name, reference, **more)


async def attached(node, digest):
    return await node.inspections.attached(node.registry, NAME, digest)


async def compare(node, before, after, **more):
    sides = parse_side(before, NAME), parse_side(after, NAME)
    return await node.inspections.compare(node.registry, *sides, **more)


async def push_artifact(node, *layers, artifact_type=None, config_type=EMPTY, tags=(), **more):
    """Push a manifest that is no image; each layer is a pair of media type and bytes."""
    for content in (b"{}", *(layer for _, layer in layers)):
        await push_blob(node, content)
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(b"{}", config_type),
        "layers": [descriptor(content, media_type) for media_type, content in layers],
        **({} if artifact_type is None else {"artifactType": artifact_type}),
        **more,
    }
    return await push_manifest(node, json.dumps(document).encode(), *tags)


def subject(digest, content):
    return {"mediaType": OCI_MANIFEST, "digest": digest, "size": len(content)}


async def push_platforms(node, *platforms, tag="v1", extra=()):
    """Push an image for each platform, and an index of them; return their digests, the index's last."""
    listed, digests = list(extra), []
    for platform in platforms:
        system, _, architecture = platform.partition("/")
        content = config(system, architecture)
        layer = platform.encode()
        digest = await push_image(node, layer, config=content, tags=())
        digests.append(digest)
        words = {"os": system, "architecture": architecture}
        listed.append(descriptor(image(layer, config=content), OCI_MANIFEST, platform=words))
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed}
    return [*digests, await push_manifest(node, json.dumps(document).encode(), tag)]


async def test_an_image_shows_its_layers_with_their_commands(node):
    steps = [{"created_by": "ADD rootfs"}, {"created_by": "ENV A=1", "empty_layer": True}, {"created_by": "RUN x"}]
    content = config(history=steps, config={"Env": ["A=1"]}, rootfs={"diff_ids": ["sha256:1", "sha256:2"]})
    digest = await push_image(node, b"one", b"second", config=content, tags=("v1", "latest"))
    found = await look(node)
    assert (found.digest, found.tags, found.artifact.nature) == (digest, ("latest", "v1"), Nature.IMAGE)
    assert found.image.config.environment == (("A", "1"),)
    assert [(layer.step.created_by, layer.piece.size, layer.is_here) for layer in found.image.layers] == [
        ("ADD rootfs", 3, True),
        ("RUN x", 6, True),
    ]
    assert found.image.document.size == 3 + 6 + len(content)


async def test_an_index_shows_its_platforms_and_opens_one(node):
    amd, arm, whole = await push_platforms(node, "linux/amd64", "linux/arm64")
    found = await look(node)
    assert (found.digest, found.artifact.nature) == (whole, Nature.INDEX)
    assert [(one.name, one.is_here) for one in found.variants] == [("linux/amd64", True), ("linux/arm64", True)]
    assert (found.chosen.piece.digest, found.image.digest) == (amd, amd)
    chosen = await look(node, variant="linux/arm64")
    assert (chosen.image.digest, chosen.image.config.architecture) == (arm, "arm64")
    assert chosen.variants[0].size == len(image(b"linux/amd64", config=config())) + len(b"linux/amd64") + len(config())
    assert (await look(node, arm)).parents == (whole,)
    with pytest.raises(QueryInvalid, match="linux/amd64, linux/arm64"):
        await look(node, variant="linux/s390x")


async def test_a_sparse_index_says_what_is_not_here(node):
    elsewhere = descriptor(b"elsewhere", OCI_MANIFEST, platform={"os": "linux", "architecture": "amd64"})
    arm, _ = await push_platforms(node, "linux/arm64", extra=[elsewhere])
    found = await look(node)
    assert [(one.name, one.is_here, one.size is None) for one in found.variants] == [
        ("linux/amd64", False, True),
        ("linux/arm64", True, False),
    ]
    assert found.chosen.piece.digest == arm
    absent = await look(node, variant="linux/amd64")
    assert (absent.chosen.is_here, absent.image) == (False, None)


async def test_an_index_within_an_index_is_opened(node):
    _, inner = await push_platforms(node, "linux/amd64", tag="inner")
    content = await node.manifests.content(await node.manifests.find(node.registry, NAME, inner))
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [descriptor(content, OCI_INDEX)]}
    await push_manifest(node, json.dumps(document).encode(), "v1")
    found = await look(node)
    assert [(one.name, one.within) for one in found.variants] == [("linux/amd64", inner)]
    assert found.image.config.architecture == "amd64"


async def test_an_index_shows_as_many_entries_as_a_page_can_bear(node, monkeypatch):
    monkeypatch.setattr(inspection, "MOST_VARIANTS", 2)
    await push_platforms(node, "linux/a", "linux/b", "linux/c")
    found = await look(node)
    assert ([one.name for one in found.variants], found.more_variants) == (["linux/a", "linux/b"], True)


async def test_a_chain_of_indexes_is_followed_for_some_floors(node):
    _, digest = await push_platforms(node, "linux/amd64", tag="v0")
    for _ in range(inspection.MOST_FLOORS):
        content = await node.manifests.content(await node.manifests.find(node.registry, NAME, digest))
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [descriptor(content, OCI_INDEX)]}
        digest = await push_manifest(node, json.dumps(document).encode(), "v1")
    found = await look(node)
    assert (found.variants, found.more_variants, found.image) == ((), True, None)


async def test_a_chart_says_what_it_is(node):
    chart = json.dumps({"name": "shop", "version": "1.2.3"}).encode()
    await push_blob(node, chart)
    await push_blob(node, b"tgz")
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(chart, HELM),
        "layers": [descriptor(b"tgz", "application/vnd.cncf.helm.chart.content.v1.tar+gzip")],
    }
    await push_manifest(node, json.dumps(document).encode(), "1.2.3")
    found = await look(node, "1.2.3")
    assert (found.artifact.nature, found.image.chart.name, found.image.config) == (Nature.CHART, "shop", None)


@pytest.mark.parametrize("content", [b"\xff", b"[]", b"[" * 100_000], ids=["bytes", "list", "deep"])
async def test_a_config_that_cannot_be_read_says_why_and_hides_nothing_else(node, content):
    await push_image(node, b"layer", config=content)
    found = (await look(node)).image
    assert found.config is None
    assert found.trouble.startswith("It is n")
    assert [layer.piece.size for layer in found.layers] == [5]


async def test_a_config_too_large_to_be_one_is_not_read(node, monkeypatch):
    monkeypatch.setattr(inspection, "MOST_CONFIG", 10)
    await push_image(node, config=config())
    assert "at most 10 are read" in (await look(node)).image.trouble


async def test_a_large_config_is_verified_and_read(node):
    content = config(author="a" * 100_000)
    await push_image(node, config=content)
    assert len((await look(node)).image.config.author) == 100_000


async def test_a_config_whose_bytes_are_damaged_is_not_shown(node):
    content = config(author="ann" * 1_000)
    await push_image(node, config=content)
    put_bytes(node.store, await key_of(node, digest_of(content)), content[:-1] + b"]")
    found = (await look(node)).image
    assert found.config is None
    assert "pushing the image again repairs it" in found.trouble


async def test_what_is_attached_is_a_tree(node):
    content = image(b"layer")
    digest = await push_image(node, b"layer")
    signature = await push_artifact(
        node, ("application/jose+json", b"jose"), artifact_type=NOTATION, subject=subject(digest, content)
    )
    bill = await push_artifact(
        node, ("application/spdx+json", b"{ }"), artifact_type="application/spdx+json", subject=subject(digest, content)
    )
    on_bill = await push_artifact(
        node, ("application/jose+json", b"jose2"), artifact_type=NOTATION, subject=subject(bill, b"?")
    )
    found = await attached(node, digest)
    by_digest = {one.digest: one for one in found.referrers}
    assert set(by_digest) == {signature, bill}
    assert (by_digest[signature].artifact.nature, by_digest[signature].artifact.forms) == (
        Nature.SIGNATURE,
        ("Notation",),
    )
    assert [one.digest for one in by_digest[bill].referrers] == [on_bill]
    assert (found.count(), found.more) == (3, False)


async def test_signatures_by_the_tags_of_cosign_are_found(node):
    digest = await push_image(node, b"layer")
    signed = await push_artifact(
        node, (SIMPLE_SIGNING, b"sig"), config_type=IMAGE_CONFIG, tags=(digest.replace(":", "-") + ".sig",)
    )
    (found,) = (await attached(node, digest)).referrers
    assert (found.digest, found.by, found.artifact.nature, found.artifact.forms) == (
        signed,
        "tag",
        Nature.SIGNATURE,
        ("cosign",),
    )


async def test_an_attestation_beside_an_image_in_its_index_is_attached_to_it(node):
    layer, content = b"linux/amd64", config()
    digest = digest_of(image(layer, config=content))
    statement = b"statement"
    await push_blob(node, statement)
    await push_blob(node, b"{}")
    inside = descriptor(
        statement,
        "application/vnd.in-toto+json",
        annotations={"in-toto.io/predicate-type": "https://slsa.dev/provenance/v1"},
    )
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(b"{}", IMAGE_CONFIG),
        "layers": [inside],
    }
    attestation = json.dumps(document).encode()
    await push_manifest(node, attestation)
    words = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": digest}
    listed = descriptor(
        attestation, OCI_MANIFEST, annotations=words, platform={"os": "unknown", "architecture": "unknown"}
    )
    await push_platforms(node, "linux/amd64", extra=[listed])
    (found,) = (await attached(node, digest)).referrers
    assert (found.by, found.artifact.nature, found.artifact.forms) == (
        "index",
        Nature.ATTESTATION,
        ("SLSA provenance",),
    )
    shown = await look(node)
    assert [one.is_runnable for one in shown.variants] == [False, True]
    assert shown.chosen.name == "linux/amd64"


async def test_a_tag_that_makes_a_circle_ends(node):
    digest = await push_image(node, b"layer")
    other = await push_artifact(node, ("x/y", b"z"), subject=subject(digest, image(b"layer")), tags=("a",))
    await push_manifest(node, image(b"layer"), other.replace(":", "-") + ".sig", digest.replace(":", "-") + ".sig")
    found = await attached(node, digest)
    assert [(one.digest, one.referrers) for one in found.referrers] == [(other, ())]


async def test_many_attachments_are_cut_and_it_is_said(node, monkeypatch):
    monkeypatch.setattr(inspection, "MOST_ATTACHED", 2)
    digest = await push_image(node, b"layer")
    for number in range(3):
        await push_artifact(node, ("x/y", b"%d" % number), subject=subject(digest, image(b"layer")))
    found = await attached(node, digest)
    assert (len(found.referrers), found.more) == (2, True)


async def test_what_was_deleted_is_not_attached(node):
    digest = await push_image(node, b"layer")
    gone = await push_artifact(node, ("x/y", b"z"), subject=subject(digest, image(b"layer")))
    await node.manifests.delete(node.registry, NAME, gone, ACTOR)
    assert (await attached(node, digest)).referrers == ()


async def test_two_tags_are_compared_on_a_platform_that_both_have(node):
    await push_platforms(node, "linux/amd64", "linux/arm64", tag="old")
    await push_platforms(node, "linux/arm64", tag="new")
    found = await compare(node, "old", "new")
    assert (found.before.image.config.architecture, found.after.image.config.architecture) == ("arm64", "arm64")
    assert [change.name for change in found.sections[0].changes] == ["linux/amd64"]
    assert (len(found.common), found.added, found.removed) == (1, (), ())


async def test_an_index_is_compared_with_an_image_on_the_image_s_platform(node):
    await push_platforms(node, "linux/amd64", "linux/arm64", tag="old")
    await push_image(node, b"linux/arm64", config=config(architecture="arm64"), tags=("new",))
    for sides in (("old", "new"), ("new", "old")):
        found = await compare(node, *sides)
        assert (found.added, found.removed, len(found.common)) == ((), (), 1)
        other = await compare(node, *sides, variant="linux/amd64")
        assert (len(other.added), len(other.removed), other.common) == (1, 1, ())


async def test_images_of_two_repositories_are_compared(node):
    await push_image(node, b"base", b"one")
    await push_image(node, b"base", b"two", name=OTHER)
    found = await compare(node, "v1", f"{OTHER}:v1")
    assert ([one.piece.size for one in found.common], found.download) == ([4], 3)


async def test_what_is_not_here_is_not_looked_into(node):
    await push_image(node, b"layer")
    with pytest.raises(ManifestUnknown):
        await look(node, "v2")
    with pytest.raises(NameUnknown):
        await look(node, "v1", OTHER)
    with pytest.raises(ManifestUnknown):
        await attached(node, digest_of(b"nothing"))
    with pytest.raises(NameUnknown):
        await compare(node, "v1", f"{OTHER}:v1")


async def test_four_mebibytes_of_annotations_are_read(node):
    words = {f"key-{number}": "<script>" * 400 for number in range(1_000)}
    await push_image(node, b"layer", annotations=words)
    assert len((await look(node)).document.annotations) == 1_000
