# SPDX-License-Identifier: Apache-2.0
"""Every kind of content through a whole life: push, list, read, ask for referrers, delete.

Of the official conformance suite this covers its data sets: image, uncompressed image, index, nested index, empty
index, artifact, index of artifacts, artifact without layers, artifacts and indexes with a subject, missing subject,
`data` fields, non-distributable layers, unknown fields, no layers, sparse image and index, sha512; for each the push by
digest and by tag, the tag list, HEAD and GET of everything, and deletion of tags, manifests and blobs with an
immediate 404 after each.
"""

import base64

import pytest

from tests.protocol.content import FOREIGN_LAYER, SBOM, descriptor, image, index, manifest_descriptor, platform
from tests.support.images import (
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    EMPTY,
    OCI_CONFIG,
    OCI_LAYER,
    as_json,
    digest_of,
)

ABSENT = descriptor(b"never pushed", "application/vnd.oci.image.manifest.v1+json")


def an_image(repository, material):
    return [material.image(repository, layers=2)]


def an_uncompressed_image(repository, material):
    document = material.image(repository)
    document["layers"][0]["mediaType"] = "application/vnd.oci.image.layer.v1.tar"
    return [document]


def a_docker_image(repository, material, label="docker"):
    config, layer = as_json({"rootfs": label}), material.bytes(label)
    repository.push_blob(config)
    repository.push_blob(layer)
    return [
        image(descriptor(config, DOCKER_CONFIG), [descriptor(layer, DOCKER_LAYER)]) | {"mediaType": DOCKER_MANIFEST}
    ]


def a_docker_list(repository, material):
    children = [a_docker_image(repository, material, label)[0] for label in ("amd64", "arm64")]
    entries = [manifest_descriptor(child, platform=platform()) for child in children]
    return [*children, {"schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": entries}]


def an_index(repository, material, label="index", **more):
    children = [material.image(repository, f"{label}/{number}") for number in range(2)]
    entries = [
        manifest_descriptor(child, platform=platform(architecture=architecture))
        for child, architecture in zip(children, ("amd64", "arm64"), strict=True)
    ]
    return [*children, index(*entries, **more)]


def a_nested_index(repository, material):
    first, second = an_index(repository, material, "first"), an_index(repository, material, "second")
    return [*first, *second, index(manifest_descriptor(first[-1]), manifest_descriptor(second[-1]))]


def an_empty_index(_, material):
    return [index(annotations={"org.example.unique": material.seed})]


def a_sparse_index(repository, material):
    present = material.image(repository)
    return [present, index(manifest_descriptor(present, platform=platform()), ABSENT | {"platform": platform("aix")})]


def an_index_without_platforms(repository, material):
    child = material.image(repository)
    return [child, index(manifest_descriptor(child))]


def an_index_of_attestations(repository, material):
    child = material.image(repository)
    note = {"vnd.docker.reference.type": "attestation-manifest"}
    attestation = material.artifact(repository, "attestation", annotations=note)
    entry = manifest_descriptor(attestation, platform=platform("unknown", "unknown"), annotations=note)
    return [child, attestation, index(manifest_descriptor(child, platform=platform()), entry)]


def a_build_cache(repository, material):
    """BuildKit writes its cache as an index whose children are layers and a configuration, which are blobs."""
    contents = [material.bytes(label) for label in ("one", "two", "cacheconfig")]
    kinds = (OCI_LAYER, OCI_LAYER, "application/vnd.buildkit.cacheconfig.v0")
    for content in contents:
        repository.push_blob(content)
    return [index(*(descriptor(content, kind) for content, kind in zip(contents, kinds, strict=True)))]


def an_artifact(repository, material):
    return [material.artifact(repository)]


def an_index_of_artifacts(repository, material):
    children = [material.artifact(repository, label) for label in ("one", "two")]
    return [*children, index(*map(manifest_descriptor, children), artifactType=SBOM)]


def an_artifact_without_layers(repository, material):
    repository.push_blob(b"{}")
    empty = descriptor(b"{}", EMPTY)
    return [image(empty, [empty], artifactType=SBOM, annotations={"org.example.unique": material.seed})]


def an_image_without_layers(repository, material):
    return [material.image(repository, layers=0)]


def an_image_with_data(repository, material):
    document = material.image(repository)
    content = as_json({"architecture": "amd64", "os": "linux", "comment": f"{material.seed}/image"})
    document["config"]["data"] = base64.b64encode(content).decode()
    return [document]


def an_image_with_foreign_layers(repository, material):
    document = material.image(repository)
    foreign = descriptor(b"only at the vendor", FOREIGN_LAYER, urls=["https://store.example.com/blobs/1"])
    document["layers"].insert(0, foreign)
    return [document]


def an_index_with_unknown_fields(repository, material):
    child = material.image(repository, **{"org.example.unknown": {"deep": [1, None, True, 10**40]}})
    child["layers"][0]["org.example.inner"] = "x"
    return [child, index(manifest_descriptor(child, **{"org.example.more": 1.5}), **{"org.example.unknown": [{}]})]


def artifacts_with_a_subject(repository, material):
    subject = material.image(repository)
    link = {"subject": manifest_descriptor(subject)}
    listed = [material.artifact(repository, label, **link) for label in ("one", "two")]
    return [subject, *listed, index(artifactType=SBOM, annotations={"org.example.unique": material.seed}, **link)]


def an_artifact_with_a_missing_subject(repository, material):
    return [material.artifact(repository, subject=ABSENT)]


def an_index_nested_33_levels_deep(repository, material):
    documents = [material.image(repository)]
    for level in range(33):
        documents.append(index(manifest_descriptor(documents[-1]), annotations={"org.example.level": str(level)}))
    return documents


KINDS = [
    an_image,
    an_uncompressed_image,
    a_docker_image,
    a_docker_list,
    an_index,
    a_nested_index,
    an_empty_index,
    a_sparse_index,
    an_index_without_platforms,
    an_index_of_attestations,
    a_build_cache,
    an_artifact,
    an_index_of_artifacts,
    an_artifact_without_layers,
    an_image_without_layers,
    an_image_with_data,
    an_image_with_foreign_layers,
    an_index_with_unknown_fields,
    artifacts_with_a_subject,
    an_artifact_with_a_missing_subject,
    an_index_nested_33_levels_deep,
]


def blobs_of(documents):
    """Return the digests of configurations and layers that were pushed."""
    entries = [entry for document in documents for entry in [document.get("config"), *document.get("layers", [])]]
    return {entry["digest"] for entry in entries if entry and not entry["mediaType"].startswith(FOREIGN_LAYER[:48])}


def check_readable(repository, reference, document, digest):
    for method, body in (("GET", as_json(document)), ("HEAD", b"")):
        response = repository.manifest(method, reference)
        assert response.status_code == 200, reference
        assert response.content == body
        assert response.headers["Content-Type"] == document["mediaType"]
        assert response.headers["Content-Length"] == str(len(as_json(document)))
        assert response.headers["Docker-Content-Digest"] == digest


def check_gone(call, reference):
    assert call("DELETE", reference).status_code == 202, reference
    assert call("HEAD", reference).status_code == 404
    assert call("GET", reference).status_code == 404
    assert call("DELETE", reference).status_code == 404


def check_life(repository, documents, algorithm="sha256"):
    digests = [digest_of(as_json(document), algorithm) for document in documents]
    for document, digest in zip(documents, digests, strict=True):
        response = repository.put(digest, document)
        assert response.status_code == 201, response.text
        subject = document.get("subject", {}).get("digest")
        assert response.headers.get("OCI-Subject") == subject
        if subject:
            assert digest in [entry["digest"] for entry in repository.referrers(subject)]
    tags = [f"v{number}" for number in range(len(documents))]
    for tag, document, digest in zip(tags, documents, digests, strict=True):
        response = repository.put(digest, document, params={"tag": tag})
        assert response.status_code == 201, response.text
    assert repository.tags() == sorted(tags)
    for tag, document, digest in zip(tags, documents, digests, strict=True):
        check_readable(repository, tag, document, digest)
        check_readable(repository, digest, document, digest)
    for blob in blobs_of(documents):
        assert repository.blob("HEAD", blob).status_code == repository.blob("GET", blob).status_code == 200
    for tag in tags:
        check_gone(repository.manifest, tag)
    for digest in reversed(digests):
        check_gone(repository.manifest, digest)
    for blob in blobs_of(documents):
        check_gone(repository.blob, blob)
    assert repository.tags() == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_life_of(kind, repository, material):
    check_life(repository, kind(repository, material))


def test_life_of_an_image_in_sha512_throughout(repository, material):
    document = material.image(repository, layers=2, algorithm="sha512")
    entry = manifest_descriptor(document, "sha512", platform=platform())
    check_life(repository, [document, index(entry)], "sha512")


def test_image_without_all_its_layers_lives_where_the_operator_allows_it(lenient_registry, material):
    repository = lenient_registry.repository("kinds/sparse-image")
    document = material.image(repository, layers=2)
    absent = document["layers"].pop()
    assert repository.blob("DELETE", absent["digest"]).status_code == 202
    document["layers"].append(absent)
    digest = repository.push(document, "v1")
    check_readable(repository, "v1", document, digest)
    assert repository.blob("GET", absent["digest"]).status_code == 404
    assert repository.push_blob(material.bytes("image/layer1")) == absent["digest"]
    assert repository.blob("DELETE", absent["digest"]).status_code == 405
    check_gone(repository.manifest, digest)
    check_gone(repository.blob, absent["digest"])


def test_child_pushed_after_its_index_belongs_to_it_like_one_pushed_before(repository, material):
    child = material.image(repository)
    repository.push(index(manifest_descriptor(child)), "v1")
    digest = repository.push(child)
    assert repository.manifest("GET", digest).content == as_json(child)
    blob = child["layers"][0]["digest"]
    assert repository.blob("DELETE", blob).status_code == 405
    assert repository.blob("GET", blob).status_code == 200


def test_blob_pushed_after_the_index_that_names_it_is_needed_by_it(repository, material):
    repository.push_blob(material.bytes("anything"))
    content = material.bytes("late")
    repository.push(index(descriptor(content, OCI_LAYER)), "cache")
    assert repository.push_blob(content) == digest_of(content)
    assert repository.blob("DELETE", digest_of(content)).status_code == 405


def test_config_of_any_media_type_is_accepted(repository, material):
    content = as_json({"any": material.seed})
    repository.push_blob(content)
    for kind in (OCI_CONFIG, "application/vnd.cncf.helm.config.v1+json", "text/plain"):
        assert repository.put("v1", image(descriptor(content, kind), [])).status_code == 201
