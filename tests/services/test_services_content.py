# SPDX-License-Identifier: Apache-2.0
"""Kinds of content that are switched off are not pushed; what is there and what belongs to it go on."""

import asyncio
import json

import pytest

from tests.services.test_services_undo import names, restore_manifest, restore_tag
from tests.services.world import ACTOR, NAME, OTHER, descriptor, image, index, push_blob, push_image, push_manifest
from wharfinger.domain.content import ContentKind
from wharfinger.domain.digests import digest_of
from wharfinger.domain.errors import KindSwitchedOff
from wharfinger.domain.manifests import OCI_MANIFEST
from wharfinger.services.namespaces import NamespaceChange

IMAGE, CHART, ARTIFACT = ContentKind.IMAGE, ContentKind.CHART, ContentKind.ARTIFACT
HELM = "application/vnd.cncf.helm.config.v1+json"
COSIGN = "application/vnd.dev.cosign.simplesigning.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
ONE_PART = "standalone"


async def switch(node, *off):
    return await node.content.change({kind: kind not in off for kind in ContentKind}, ACTOR)


async def switch_in(node, *off, namespace="acme"):
    change = NamespaceChange(taken={kind: kind not in off for kind in ContentKind})
    return await node.namespaces.change(node.registry, namespace, change, ACTOR)


def artifact(*layers, config=EMPTY, config_bytes=b"{}", layer_type="application/x", **more):
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(config_bytes, config),
        "layers": [descriptor(layer, layer_type) for layer in layers],
        **more,
    }
    return json.dumps(document).encode()


async def push(node, content, *tags, blobs=(b"{}", b"data"), name=NAME, **more):
    for blob in blobs:
        await push_blob(node, blob, name)
    return await push_manifest(node, content, *tags, name=name, **more)


CHART_MANIFEST = artifact(b"data", config=HELM)
MODEL = artifact(b"data", artifactType="application/x-model")


def attached(subject, *, media_type=OCI_MANIFEST, artifact_type="application/x-signature"):
    return artifact(b"data", artifactType=artifact_type, subject=descriptor(subject, media_type))


async def told(node):
    def work(connection):
        rows = connection.exec_driver_sql("SELECT action, target, detail FROM events ORDER BY id")
        return [tuple(row) for row in rows if row.action in {"deployment.changed", "namespace.changed"}]

    return await node.database.read(work)


async def test_each_kind_is_refused_where_it_is_off_and_the_others_are_taken(world, node):
    for off in ContentKind:
        await switch(node, off)
        for kind, work in (
            (IMAGE, lambda: push_image(node, b"data")),
            (CHART, lambda: push(node, CHART_MANIFEST, "chart")),
            (ARTIFACT, lambda: push(node, MODEL, "model")),
        ):
            if kind is off:
                with pytest.raises(KindSwitchedOff, match="in this deployment"):
                    await work()
            else:
                await work()
    await world.assert_sound()


async def test_a_namespace_takes_less_and_others_are_not_bound(node):
    await switch_in(node, IMAGE)
    with pytest.raises(KindSwitchedOff, match="in the namespace 'acme'"):
        await push_image(node, b"one")
    await push(node, CHART_MANIFEST, "v1")
    await push_image(node, b"one", name="elsewhere/app")
    await push_image(node, b"one", name=ONE_PART)
    await switch_in(node)
    await push_image(node, b"one")


async def test_a_namespace_switches_nothing_on_that_is_off_everywhere(node):
    await switch(node, CHART)
    await switch_in(node)
    with pytest.raises(KindSwitchedOff, match="in this deployment"):
        await push(node, CHART_MANIFEST, "v1")
    with pytest.raises(KindSwitchedOff):
        await push(node, CHART_MANIFEST, "v1", name=ONE_PART)


async def test_what_is_refused_leaves_nothing(world, node):
    await push_image(node, b"one")
    await switch(node, IMAGE)
    with pytest.raises(KindSwitchedOff):
        await push_image(node, b"two", tags=("v1", "v2"))
    assert await names(node) == digest_of(image(b"one"))
    with pytest.raises(KindSwitchedOff):
        await push_image(node, b"one", name=OTHER)
    assert not (await node.repositories.list(node.registry, None, 10, None)).items[1:]
    await world.assert_sound()


async def test_what_is_there_is_pulled_deleted_and_restored_as_before(node):
    digest = await push_image(node, b"one")
    await switch(node, *ContentKind)
    found = await node.manifests.find(node.registry, NAME, "v1")
    assert await node.manifests.content(found) == image(b"one")
    await node.tags.delete(node.registry, NAME, "v1", ACTOR)
    await restore_tag(node)
    await node.manifests.delete(node.registry, NAME, digest, ACTOR)
    await restore_manifest(node, digest)
    assert await names(node) == digest


async def test_pushing_again_what_is_there_is_a_push(node):
    await push_image(node, b"one")
    await switch(node, IMAGE)
    with pytest.raises(KindSwitchedOff):
        await push_manifest(node, image(b"one"), "v2")


async def test_what_is_attached_to_content_that_is_taken_is_taken(node):
    await push_image(node, b"one")
    await switch(node, ARTIFACT)
    await push(node, attached(image(b"one")))
    with pytest.raises(KindSwitchedOff):
        await push(node, MODEL, "v1")


async def test_what_is_attached_to_what_is_attached_is_taken_too(node):
    await push_image(node, b"one")
    await switch(node, ARTIFACT, CHART)
    sbom = attached(image(b"one"), artifact_type="application/spdx+json")
    await push(node, sbom)
    await push(node, attached(sbom))


async def test_what_is_attached_to_content_that_is_off_counts_as_what_it_is(node):
    await push_image(node, b"one")
    await switch(node, IMAGE)
    await push(node, attached(image(b"one")))
    await switch(node, IMAGE, ARTIFACT)
    with pytest.raises(KindSwitchedOff, match="other than images and Helm charts"):
        await push(node, attached(image(b"one"), artifact_type="application/x-other"))


async def test_what_is_attached_to_nothing_that_is_here_counts_as_what_it_is(node):
    digest = await push_image(node, b"one")
    await switch(node, ARTIFACT)
    with pytest.raises(KindSwitchedOff):
        await push(node, attached(b"nowhere"))
    with pytest.raises(KindSwitchedOff):
        await push(node, attached(image(b"one")), name=OTHER)
    await node.manifests.delete(node.registry, NAME, digest, ACTOR)
    with pytest.raises(KindSwitchedOff):
        await push(node, attached(image(b"one")))


async def test_an_image_or_a_chart_is_not_taken_for_being_attached_to_something(node):
    await push(node, MODEL, "v1")
    await switch(node, IMAGE, CHART)
    subject = descriptor(MODEL, OCI_MANIFEST)
    with pytest.raises(KindSwitchedOff, match="container images"):
        await push_image(node, b"one", subject=subject)
    with pytest.raises(KindSwitchedOff, match="Helm charts"):
        await push(node, artifact(b"data", config=HELM, subject=subject), "v1")


async def test_signatures_by_tag_follow_what_the_tag_names(node):
    digest = await push(node, CHART_MANIFEST, "v1")
    tag = digest.replace(":", "-")
    signature = artifact(b"data", config="application/vnd.oci.image.config.v1+json", layer_type=COSIGN)
    await switch(node, IMAGE, ARTIFACT)
    await push(node, signature, f"{tag}.sig")
    with pytest.raises(KindSwitchedOff):
        await push(node, signature, "v2")
    with pytest.raises(KindSwitchedOff):
        await push(node, signature, f"sha256-{'0' * 64}.sig")
    with pytest.raises(KindSwitchedOff):
        await push_image(node, b"one", tags=(f"{tag}.sig",))


async def test_builders_push_images_with_their_statements_where_artifacts_are_off(node):
    await switch(node, ARTIFACT, CHART)
    built = image(b"one")
    statement = artifact(
        b"data", config="application/vnd.oci.image.config.v1+json", layer_type="application/vnd.in-toto+json"
    )
    await push_image(node, b"one", tags=())
    await push(node, statement)
    await push_manifest(node, index(built, statement), "v1")
    assert await names(node) == digest_of(index(built, statement))


async def test_an_index_is_an_image_unless_it_says_what_else(node):
    await switch(node, IMAGE)
    with pytest.raises(KindSwitchedOff):
        await push_manifest(node, index(), "v1")
    await push_manifest(node, index(artifactType="application/x-models"), "v1")


async def test_each_change_is_told_once_and_no_change_is_told(node):
    await push_image(node, b"one")
    await switch(node, CHART, ARTIFACT)
    await switch(node, CHART, ARTIFACT)
    await node.content.change({ARTIFACT: True}, ACTOR)
    found = await switch_in(node, IMAGE)
    assert found.kinds_off == {IMAGE}
    await switch_in(node, IMAGE)
    assert await node.content.off() == {CHART}
    assert await told(node) == [
        ("deployment.changed", None, "kinds switched off from none to artifact, chart"),
        ("deployment.changed", None, "kinds switched off from artifact, chart to chart"),
        ("namespace.changed", "acme", "kinds switched off from none to image"),
    ]


async def test_two_who_switch_at_the_same_time_both_have_their_way(node):
    await asyncio.gather(*(node.content.change({kind: False}, ACTOR) for kind in ContentKind))
    assert await node.content.off() == set(ContentKind)


async def test_a_namespace_can_be_prepared_before_its_first_push(node):
    await switch_in(node, IMAGE, namespace="later")
    with pytest.raises(KindSwitchedOff):
        await push_image(node, b"one", name="later/app")
