# SPDX-License-Identifier: Apache-2.0
"""Labels: what images say of themselves is read in the background, and repositories are found by it."""

import json

import pytest

from tests.services.damage import damage, gone
from tests.services.world import ACTOR, NAME, OTHER, image, index, push_image, push_manifest
from wharfinger.domain.digests import digest_of
from wharfinger.domain.errors import StoreUnavailable
from wharfinger.metadata.standing import EVERYTHING
from wharfinger.services.labels import Labels
from wharfinger.services.registries import Registries
from wharfinger.services.search import Search

SHOP = json.dumps({"architecture": "amd64", "config": {"Labels": {"team": "Shop Front", "version": "1.2"}}}).encode()


@pytest.fixture
def labels(node):
    return Labels(node.database, Registries(node.registry), node.manifests, node.blobs)


async def found(labels, node, text):
    page = await Search(node.database, labels).find(node.registry, text, EVERYTHING, limit=10)
    return [one.name for one in page.repositories.items]


async def test_a_repository_is_found_by_labels_and_annotations_of_its_images(world, node, labels):
    await push_image(node, config=SHOP, annotations={"org.example.owner": "ann"})
    await push_image(node, name=OTHER)
    assert await found(labels, node, "label:team=shop") == []
    assert await labels.index(10) == 2
    assert await labels.index(10) == 0
    for text in (
        "label:version=1.2",
        "label:VERSION=1.*",
        "label:version",
        "label:org.example.owner=ann",
        "label:team=shop* label:version=1.2",
        "label:version=1.2 app",
        "front",
        "sho",
        "shop ann",
    ):
        assert await found(labels, node, text) == [NAME], text
    for text in ("label:version=1", "label:versio=1.2", "label:team=shop", "version", "label:version=1.2 web", "hop"):
        assert await found(labels, node, text) == [], text
    await world.assert_sound()


async def test_what_no_tag_names_any_more_is_not_found_and_comes_back(node, labels):
    digest = await push_image(node, config=SHOP)
    await labels.index(10)
    await push_image(node, b"newer")
    assert await found(labels, node, "label:version=1.2") == []
    await push_manifest(node, image(config=SHOP), "old")
    assert await found(labels, node, "label:version=1.2") == [NAME]
    await node.manifests.delete(node.registry, NAME, digest, ACTOR)
    assert await found(labels, node, "label:version=1.2") == []


async def test_the_images_of_an_index_count_and_what_is_attached_does_not(node, labels):
    digest = await push_image(node, config=SHOP, tags=())
    await push_manifest(node, index(image(config=SHOP)), "both")
    subject = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 1}
    await push_image(node, b"x", tags=("sig",), annotations={"says": "hello"}, subject=subject)
    await labels.index(10)
    assert await found(labels, node, "label:version=1.2") == [NAME]
    assert await found(labels, node, "label:says=hello") == []


async def test_what_cannot_be_read_has_no_labels_and_holds_nothing_up(node, labels):
    await push_image(node, config=b"no JSON", name="acme/odd")
    await push_image(node, config=SHOP + b" ", name="acme/lost")
    await damage(node, digest_of(SHOP + b" "), gone)
    await push_image(node, config=SHOP)
    assert await labels.index(10) == 3
    assert await found(labels, node, "label:version=1.2") == [NAME]


async def test_where_a_storage_does_not_answer_labels_are_read_later(node, labels, monkeypatch):
    await push_image(node, config=SHOP)

    async def fail(*_):
        message = "the store does not answer"
        raise StoreUnavailable(message)

    with monkeypatch.context() as patch:
        patch.setattr(node.blobs, "content", fail)
        assert await labels.index(10) == 0
    assert await labels.index(10) == 1
    assert await found(labels, node, "label:version=1.2") == [NAME]
