# SPDX-License-Identifier: Apache-2.0
"""Deleting by hand: tags, manifests and blobs, what stays, and what the switch forbids.

Of the official conformance suite this covers: deletion of tags, manifests and blobs with an immediate 404, and of what
is not there.
"""

import pytest

from tests.protocol.client import refused
from tests.protocol.content import FOREIGN_LAYER, descriptor, image, index, manifest_descriptor
from tests.support.images import OCI_CONFIG, OCI_LAYER, as_json, digest_of


def test_deleting_by_hand_keeps_working_step_by_step(repository, material):
    """Delete a manifest, find its layers there, delete one of them, push everything again."""
    document = material.image(repository, layers=2)
    digest = repository.push(document, "v1")
    content, layer = material.bytes("image/layer0"), document["layers"][0]["digest"]

    response = repository.manifest("DELETE", digest)
    assert response.status_code == 202
    for method in ("GET", "HEAD", "DELETE"):
        assert repository.manifest(method, digest).status_code == 404
        assert repository.manifest(method, "v1").status_code == 404
    assert repository.tags() == []
    for entry in (document["config"], *document["layers"]):
        assert repository.blob("HEAD", entry["digest"]).status_code == 200

    assert repository.blob("DELETE", layer).status_code == 202
    assert repository.blob("HEAD", layer).status_code == 404
    refused(repository.blob("GET", layer), 404, "BLOB_UNKNOWN")
    refused(repository.blob("DELETE", layer), 404, "BLOB_UNKNOWN")
    refused(repository.put("v1", document), 404, "MANIFEST_BLOB_UNKNOWN")

    response = repository.start()
    assert response.status_code == 202
    assert repository.finish(response.headers["Location"], layer, content).status_code == 201
    assert repository.blob("GET", layer).content == content
    assert repository.put("v1", document).status_code == 201
    assert repository.manifest("GET", "v1").content == as_json(document)


def test_deleting_a_tag_keeps_the_manifest_and_its_other_tags(repository, material):
    document = material.image(repository)
    digest = repository.push(document, "v1", "v2")
    assert repository.manifest("DELETE", "v1").status_code == 202
    for method in ("GET", "HEAD", "DELETE"):
        assert repository.manifest(method, "v1").status_code == 404
    assert repository.tags() == ["v2"]
    for reference in ("v2", digest):
        assert repository.manifest("GET", reference).content == as_json(document)


def test_deleting_the_last_tag_keeps_the_manifest(repository, material):
    document = material.image(repository)
    digest = repository.push(document, "v1")
    assert repository.manifest("DELETE", "v1").status_code == 202
    assert repository.tags() == []
    assert repository.manifest("GET", digest).content == as_json(document)


def test_deleting_a_manifest_takes_every_tag_on_it_and_no_other(repository, material):
    digest = repository.push(material.image(repository, "gone"), "v1", "v2", "v3")
    kept = repository.push(material.image(repository, "kept"), "latest")
    assert repository.manifest("DELETE", digest).status_code == 202
    assert repository.tags() == ["latest"]
    assert repository.manifest("HEAD", kept).status_code == 200


def test_deleted_manifest_comes_back_by_a_push_without_its_old_tags(repository, material):
    document = material.image(repository)
    digest = repository.push(document, "old")
    assert repository.manifest("DELETE", digest).status_code == 202
    assert repository.put(digest, document).status_code == 201
    assert repository.manifest("GET", digest).content == as_json(document)
    assert repository.tags() == []


def test_blob_that_a_manifest_needs_is_405_and_stays(repository, material):
    document = material.image(repository)
    repository.push(document)
    for entry in (document["config"], *document["layers"]):
        message = refused(repository.blob("DELETE", entry["digest"]), 405, "UNSUPPORTED")
        assert "manifest" in message
        assert repository.blob("GET", entry["digest"]).status_code == 200


def test_blob_that_two_manifests_need_can_go_after_both(repository, material):
    config = as_json({"shared": material.seed})
    repository.push_blob(config)
    digests = [
        repository.push(image(descriptor(config, OCI_CONFIG), [], annotations={"n": str(number)})) for number in (1, 2)
    ]
    for digest in digests:
        assert repository.blob("DELETE", digest_of(config)).status_code == 405
        assert repository.manifest("DELETE", digest).status_code == 202
    assert repository.blob("DELETE", digest_of(config)).status_code == 202


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("size", [0, 2, 500])
def test_blob_that_no_manifest_ever_needed_can_go(repository, material, algorithm, size):
    digest = repository.push_blob(material.bytes("lonely", size), algorithm)
    assert repository.blob("DELETE", digest).status_code == 202
    assert repository.blob("HEAD", digest).status_code == 404


def test_blob_needed_elsewhere_can_go_here(repository, other_repository, material):
    document = material.image(other_repository)
    other_repository.push(document, "v1")
    layer = document["layers"][0]["digest"]
    assert repository.start(mount=layer, **{"from": other_repository.name}).status_code == 201
    assert repository.blob("DELETE", layer).status_code == 202
    assert repository.blob("HEAD", layer).status_code == 404
    assert other_repository.blob("GET", layer).status_code == 200


def test_child_blob_of_an_index_is_needed(repository, material):
    content = material.bytes("cache")
    repository.push_blob(content)
    digest = repository.push(index(descriptor(content, OCI_LAYER)))
    assert repository.blob("DELETE", digest_of(content)).status_code == 405
    assert repository.manifest("DELETE", digest).status_code == 202
    assert repository.blob("DELETE", digest_of(content)).status_code == 202


def test_foreign_layer_that_was_pushed_all_the_same_is_needed(repository, material):
    document = material.image(repository)
    content = material.bytes("foreign")
    repository.push_blob(content)
    document["layers"].append(descriptor(content, FOREIGN_LAYER))
    repository.push(document)
    assert repository.blob("DELETE", digest_of(content)).status_code == 405


def test_emptied_repository_stays_with_no_tags(repository, material):
    digest = repository.push(material.image(repository), "v1")
    assert repository.manifest("DELETE", digest).status_code == 202
    response = repository.request("GET", "tags/list")
    assert response.status_code == 200
    assert response.json() == {"name": repository.name, "tags": []}


@pytest.mark.parametrize("reference", ["missing", digest_of(b"missing"), digest_of(b"missing", "sha512")])
def test_deleting_what_is_not_there_is_404(repository, material, reference):
    repository.push(material.image(repository), "v1")
    refused(repository.manifest("DELETE", reference), 404, "MANIFEST_UNKNOWN")
    if ":" in reference:
        refused(repository.blob("DELETE", reference), 404, "BLOB_UNKNOWN")
    assert repository.tags() == ["v1"]


def test_deleting_in_a_repository_that_does_not_exist_is_404(registry):
    nowhere = registry.repository("deletion/nowhere")
    for response in (nowhere.manifest("DELETE", "v1"), nowhere.blob("DELETE", digest_of(b"missing"))):
        assert response.status_code == 404


def test_deleting_a_manifest_by_the_blob_path_leaves_it_alone(repository, material):
    digest = repository.push(material.image(repository), "v1")
    assert repository.blob("DELETE", digest).status_code in {404, 405}
    assert repository.manifest("GET", "v1").status_code == 200


def test_deleting_an_index_keeps_its_children(repository, material):
    child = material.image(repository)
    repository.push(child)
    digest = repository.push(index(manifest_descriptor(child)), "v1")
    assert repository.manifest("DELETE", digest).status_code == 202
    assert repository.manifest("GET", digest_of(as_json(child))).status_code == 200


@pytest.fixture
def kept(keeping_registry, material):
    """Return a repository of the registry that deletes nothing, and the digests of its manifest and a lonely blob."""
    repository = keeping_registry.repository("deletion/off")
    document = material.image(repository)
    return repository, repository.push(document, "v1"), repository.push_blob(material.bytes("lonely"))


def test_deletion_is_405_while_it_is_off_and_changes_nothing(kept):
    repository, manifest, blob = kept
    for call, reference in ((repository.manifest, "v1"), (repository.manifest, manifest), (repository.blob, blob)):
        message = refused(call("DELETE", reference), 405, "UNSUPPORTED")
        assert "storage.delete.enabled" in message
        assert call("GET", reference).status_code == 200
    assert repository.tags() == ["v1"]


def test_deletion_of_what_is_not_there_is_405_too_while_it_is_off(kept):
    repository, _, _ = kept
    refused(repository.manifest("DELETE", "missing"), 405, "UNSUPPORTED")
    refused(repository.manifest("DELETE", digest_of(b"missing")), 405, "UNSUPPORTED")
    refused(repository.blob("DELETE", digest_of(b"missing")), 405, "UNSUPPORTED")


def test_pushing_and_moving_tags_works_while_deletion_is_off(keeping_registry, material):
    repository = keeping_registry.repository("deletion/off-but-moving")
    for label in ("one", "two"):
        document = material.image(repository, label)
        repository.push(document, "latest")
        assert repository.manifest("GET", "latest").content == as_json(document)
