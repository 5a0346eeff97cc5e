# SPDX-License-Identifier: Apache-2.0
"""Layers that the registry has are not sent again: mounts from a named repository, from any, and HEAD that links.

Of the official conformance suite this covers: mount from a repository; mount without `from`; mount of what is not
there, which must become an upload; all in both digest algorithms; deletion on both sides afterwards.
"""

import pytest

from tests.protocol.client import refused
from tests.protocol.content import descriptor, image
from tests.support.images import OCI_CONFIG, OCI_LAYER, digest_of

ALGORITHMS = ["sha256", "sha512"]


@pytest.fixture
def layer(other_repository, material):
    """Return a blob that only the other repository has."""
    content = material.bytes("layer", 1000)
    other_repository.push_blob(content)
    return content


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("named", [True, False], ids=["from", "anywhere"])
def test_mount_is_201_and_the_blob_is_here(repository, other_repository, material, algorithm, named):
    content = material.bytes("layer", 1000)
    digest = other_repository.push_blob(content, algorithm)
    response = repository.start(mount=digest, **({"from": other_repository.name} if named else {}))
    assert response.status_code == 201, response.text
    assert response.headers["Location"] == f"{repository.path}/blobs/{digest}"
    assert response.headers["Docker-Content-Digest"] == digest
    assert repository.blob("HEAD", digest).status_code == 200
    assert repository.client.get(response.headers["Location"]).content == content


@pytest.mark.parametrize(
    "parameters",
    [
        {"mount": digest_of(b"nobody has this"), "from": "some/where"},
        {"mount": digest_of(b"nobody has this")},
        {"mount": digest_of(b"nobody has this", "sha512")},
        {"from": "some/where"},
    ],
    ids=["unknown-source", "unknown-anywhere", "unknown-sha512", "from-alone"],
)
def test_mount_that_cannot_be_is_the_start_of_an_upload(repository, material, parameters):
    content = material.bytes("content")
    response = repository.start(**parameters)
    assert response.status_code == 202
    assert response.headers["Range"] == "0-0"
    assert repository.finish(response.headers["Location"], digest_of(content), content).status_code == 201


def test_mount_from_a_repository_that_lacks_the_blob_is_never_refused(repository, other_repository, material):
    digest = digest_of(material.bytes("layer"))
    other_repository.push_blob(material.bytes("something else"))
    response = repository.start(mount=digest, **{"from": other_repository.name})
    assert response.status_code == 202
    assert repository.blob("HEAD", digest).status_code == 404
    response = repository.finish(response.headers["Location"], digest, material.bytes("layer"))
    assert response.status_code == 201


def test_mount_of_a_malformed_digest_is_400(repository, other_repository):
    refused(repository.start(mount="sha256:bad", **{"from": other_repository.name}), 400, "DIGEST_INVALID")


def test_mount_of_what_is_already_here_is_201(repository, material):
    digest = repository.push_blob(material.bytes("layer"))
    assert repository.start(mount=digest, **{"from": repository.name}).status_code == 201


def test_mount_survives_the_deletion_of_its_source(repository, other_repository, layer):
    digest = digest_of(layer)
    assert repository.start(mount=digest, **{"from": other_repository.name}).status_code == 201
    assert other_repository.blob("DELETE", digest).status_code == 202
    assert other_repository.blob("HEAD", digest).status_code == 404
    assert repository.blob("GET", digest).content == layer


def test_what_was_deleted_at_the_source_cannot_be_mounted(repository, other_repository, layer):
    digest = digest_of(layer)
    assert other_repository.blob("DELETE", digest).status_code == 202
    assert repository.start(mount=digest, **{"from": other_repository.name}).status_code == 202
    assert repository.start(mount=digest).status_code == 202


def test_mount_brings_back_what_was_deleted_here(repository, other_repository, material):
    content = material.bytes("layer")
    digest = other_repository.push_blob(content)
    assert repository.push_blob(content) == digest
    assert repository.blob("DELETE", digest).status_code == 202
    assert repository.start(mount=digest, **{"from": other_repository.name}).status_code == 201
    assert repository.blob("HEAD", digest).status_code == 200


def test_head_links_a_layer_that_another_repository_has(repository, other_repository, layer, material):
    digest = digest_of(layer)
    config = material.bytes("config")
    repository.push_blob(config)
    refused(repository.blob("GET", digest), 404, "BLOB_UNKNOWN")
    response = repository.blob("HEAD", digest)
    assert response.status_code == 200
    assert response.headers["Content-Length"] == str(len(layer))
    assert response.headers["Docker-Content-Digest"] == digest
    assert repository.blob("GET", digest).content == layer
    document = image(descriptor(config, OCI_CONFIG), [descriptor(layer, OCI_LAYER)])
    assert repository.put("v1", document).status_code == 201
    assert other_repository.blob("DELETE", digest).status_code == 202
    assert repository.blob("GET", digest).content == layer


def test_head_never_makes_a_repository(registry, other_repository, layer):
    assert other_repository
    nowhere = registry.repository("mounts/never-made")
    for _ in range(2):
        assert nowhere.blob("HEAD", digest_of(layer)).status_code == 404
    refused(nowhere.request("GET", "tags/list"), 404, "NAME_UNKNOWN")


def test_head_does_not_link_where_the_blob_was_deleted_by_hand(repository, other_repository, material):
    content = material.bytes("layer")
    digest = other_repository.push_blob(content)
    repository.push_blob(content)
    assert repository.blob("DELETE", digest).status_code == 202
    for _ in range(2):
        assert repository.blob("HEAD", digest).status_code == 404
    assert other_repository.blob("HEAD", digest).status_code == 200
    assert repository.push_blob(content) == digest
    assert repository.blob("HEAD", digest).status_code == 200


def test_head_does_not_link_what_was_deleted_everywhere(repository, other_repository, layer, material):
    digest = digest_of(layer)
    repository.push_blob(material.bytes("anything"))
    assert other_repository.blob("DELETE", digest).status_code == 202
    assert repository.blob("HEAD", digest).status_code == 404


def test_layer_of_another_repository_must_be_linked_before_a_manifest_may_name_it(repository, layer, material):
    config = material.bytes("config")
    repository.push_blob(config)
    document = image(descriptor(config, OCI_CONFIG), [descriptor(layer, OCI_LAYER)])
    message = refused(repository.put("v1", document), 404, "MANIFEST_BLOB_UNKNOWN")
    assert message
    refused(repository.manifest("GET", "v1"), 404, "MANIFEST_UNKNOWN")
