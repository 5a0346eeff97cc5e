# SPDX-License-Identifier: Apache-2.0
"""Manifests by tag and by digest: exact bytes, exact type, what they may refer to, how large they may be.

Of the official conformance suite this covers: manifest PUT by tag and digest with a pullable `Location`; GET and HEAD
by both with type, length, digest and body; missing manifests by tag and digest; a body that does not match its digest;
`sha256:baddigeststring` in PUT and GET; the large manifest; sha512 by digest.
"""

import json
import sqlite3
from contextlib import closing

import pytest

from tests.protocol.client import Client, codes, refused
from tests.protocol.content import descriptor, image
from tests.support.images import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, as_json, digest_of

LIMIT = 4 * 2**20
ALGORITHMS = ["sha256", "sha512"]


def check_pull(repository, reference, content, digest, media_type=OCI_MANIFEST):
    get, head = repository.manifest("GET", reference), repository.manifest("HEAD", reference)
    assert get.status_code == head.status_code == 200, get.text
    assert get.content == content
    assert head.content == b""
    for response in (get, head):
        assert response.headers["Content-Type"] == media_type
        assert response.headers["Content-Length"] == str(len(content))
        assert response.headers["Docker-Content-Digest"] == digest
        assert response.headers["ETag"] == f'"{digest}"'


def test_manifest_put_by_tag_is_read_by_tag_and_by_digest(repository, material):
    document = material.image(repository)
    content, digest = as_json(document), digest_of(as_json(document))
    response = repository.put("v1", document)
    assert response.status_code == 201
    assert response.headers["Docker-Content-Digest"] == digest
    assert repository.client.get(response.headers["Location"]).content == content
    assert "OCI-Subject" not in response.headers
    for reference in ("v1", digest):
        check_pull(repository, reference, content, digest)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_manifest_put_by_digest_has_no_tag(repository, material, algorithm):
    document = material.image(repository, algorithm=algorithm)
    digest = digest_of(as_json(document), algorithm)
    response = repository.put(digest, document)
    assert response.status_code == 201
    assert response.headers["Docker-Content-Digest"] == digest
    assert repository.client.get(response.headers["Location"]).content == as_json(document)
    check_pull(repository, digest, as_json(document), digest)
    assert repository.tags() == []


def test_manifest_pushed_under_both_algorithms_answers_to_both(repository, material):
    document = material.image(repository)
    content = as_json(document)
    for algorithm in ALGORITHMS:
        assert repository.put(digest_of(content, algorithm), document).status_code == 201
    for algorithm in ALGORITHMS:
        check_pull(repository, digest_of(content, algorithm), content, digest_of(content, algorithm))


def test_every_byte_of_a_manifest_is_kept(repository, material):
    document = material.image(repository, annotations={"é": "\u2028 \U0001f6a2", "b": "1", "a": "2"})
    text = json.dumps(document, indent="\t", ensure_ascii=False, separators=(" ,  ", " :\n"))
    content = f" \n{text}\r\n\n".encode()
    assert repository.put("v1", content).status_code == 201
    check_pull(repository, "v1", content, digest_of(content))
    check_pull(repository, digest_of(content), content, digest_of(content))


def test_putting_the_same_manifest_again_is_201(repository, material):
    document = material.image(repository)
    for reference in ("v1", "v1", "v2", digest_of(as_json(document))):
        assert repository.put(reference, document).status_code == 201
    assert repository.tags() == ["v1", "v2"]


def test_tag_moves_to_the_manifest_put_last(repository, material):
    first, second = material.image(repository, "first"), material.image(repository, "second")
    for document in (first, second, first):
        assert repository.put("latest", document).status_code == 201
        assert repository.manifest("GET", "latest").content == as_json(document)
    check_pull(repository, digest_of(as_json(second)), as_json(second), digest_of(as_json(second)))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_body_that_is_not_what_its_digest_says_is_400_and_stores_nothing(repository, material, algorithm):
    document = material.image(repository)
    stated, real = digest_of(as_json(document), algorithm), digest_of(as_json(document) + b"  ", algorithm)
    refused(repository.put(stated, as_json(document) + b"  "), 400, "DIGEST_INVALID")
    for digest in (stated, real):
        assert repository.manifest("HEAD", digest).status_code == 404


@pytest.mark.parametrize("reference", ["sha256:baddigeststring", "sha256:abc", "sha512:" + "0" * 64])
def test_malformed_digest_is_400(repository, material, reference):
    document = material.image(repository)
    refused(repository.put(reference, document), 400, "DIGEST_INVALID")
    repository.push(document, "v1")
    for method in ("GET", "DELETE"):
        refused(repository.manifest(method, reference), 400, "DIGEST_INVALID")
    assert repository.manifest("HEAD", reference).status_code == 400


def test_missing_manifest_is_404(repository, material):
    repository.push(material.image(repository), "v1")
    for reference in ("missing-tag", digest_of(b"missing"), digest_of(b"missing", "sha512")):
        refused(repository.manifest("GET", reference), 404, "MANIFEST_UNKNOWN")
        assert repository.manifest("HEAD", reference).status_code == 404


def test_repository_that_does_not_exist_is_404(registry):
    nowhere = registry.repository("manifests/nowhere")
    for reference in ("latest", digest_of(b"missing")):
        response = nowhere.manifest("GET", reference)
        assert response.status_code == 404
        assert codes(response)[0] in {"NAME_UNKNOWN", "MANIFEST_UNKNOWN"}


def test_manifest_of_another_repository_cannot_be_read_from_here(repository, other_repository, material):
    digest = repository.push(material.image(repository), "v1")
    other_repository.push(material.image(other_repository, "other"), "v1")
    refused(other_repository.manifest("GET", digest), 404, "MANIFEST_UNKNOWN")


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "*/*",
        "text/html",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        "a/b;q=x, */*;q=0.1",
        ",,;;q=",
    ],
)
def test_stored_type_is_answered_whatever_is_accepted(repository, material, accept):
    document = material.image(repository)
    repository.push(document, "v1")
    response = repository.manifest("GET", "v1", headers={} if accept is None else {"Accept": accept})
    assert response.status_code == 200
    assert response.headers["Content-Type"] == OCI_MANIFEST
    assert response.content == as_json(document)


def test_parameters_of_the_content_type_are_dropped(repository, material):
    document = material.image(repository)
    assert repository.put("v1", document, f"{OCI_MANIFEST}; charset=utf-8").status_code == 201
    assert repository.manifest("HEAD", "v1").headers["Content-Type"] == OCI_MANIFEST


def test_media_type_in_the_document_is_enough(repository, material):
    content = as_json(material.image(repository))
    response = repository.manifest("PUT", "v1", content=content)
    assert response.status_code == 201
    check_pull(repository, "v1", content, digest_of(content))


def test_content_type_is_enough(repository, material):
    document = material.image(repository)
    del document["mediaType"]
    assert repository.put("v1", document, OCI_MANIFEST).status_code == 201
    check_pull(repository, "v1", as_json(document), digest_of(as_json(document)))


def test_each_missing_blob_is_an_error_of_its_own(repository, material):
    contents = [material.bytes(label) for label in ("config", "one", "two")]
    repository.push_blob(contents[1])
    config, *layers = (
        descriptor(content, kind) for content, kind in zip(contents, (OCI_CONFIG, OCI_LAYER, OCI_LAYER), strict=True)
    )
    response = repository.put("v1", image(config, layers))
    assert response.status_code == 404
    assert codes(response) == ["MANIFEST_BLOB_UNKNOWN"] * 2
    detail = json.dumps([error["detail"] for error in response.json()["errors"]])
    assert digest_of(contents[0]) in detail
    assert digest_of(contents[2]) in detail
    assert digest_of(contents[1]) not in detail


def test_manifest_that_was_refused_is_nowhere(repository, material):
    repository.push(material.image(repository), "v1")
    document = image(descriptor(material.bytes("missing"), OCI_CONFIG), [])
    assert repository.put("v2", document).status_code == 404
    assert repository.manifest("HEAD", digest_of(as_json(document))).status_code == 404
    assert repository.tags() == ["v1"]


def test_layer_with_another_size_than_stored_is_400(repository, material):
    document = material.image(repository)
    document["layers"][0]["size"] += 1
    refused(repository.put("v1", document), 400, "MANIFEST_INVALID")


def test_manifest_of_almost_four_megabytes_of_annotations_is_kept(repository, material):
    annotations = {f"large-annotation-{number}": "A" * 10_000 for number in range(390)}
    document = material.image(repository, annotations=annotations)
    assert repository.put("large", document).status_code == 201
    check_pull(repository, "large", as_json(document), digest_of(as_json(document)))


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("excess", [0, 1])
def test_limit_of_four_mebibytes_is_exact(repository, material, excess, streamed):
    document = material.image(repository)
    content = as_json(document)
    content += b" " * (LIMIT + excess - len(content))
    body = iter([content[:1000], content[1000:]]) if streamed else content
    response = repository.put("v1", body)
    if excess:
        refused(response, 413, "MANIFEST_INVALID")
        assert repository.manifest("HEAD", "v1").status_code == 404
    else:
        assert response.status_code == 201
        assert digest_of(repository.manifest("GET", "v1").content) == digest_of(content)


def test_body_with_a_content_encoding_is_415(repository, material):
    response = repository.put("v1", material.image(repository), headers={"Content-Encoding": "gzip"})
    refused(response, 415, "UNSUPPORTED")


def test_schema_1_is_refused_with_what_to_do(repository):
    content = b'{"schemaVersion": 1, "name": "x", "tag": "y", "fsLayers": [], "history": [], "signatures": []}'
    response = repository.put("v1", content, "application/vnd.docker.distribution.manifest.v1+prettyjws")
    assert "schema 1" in refused(response, 400, "MANIFEST_INVALID")


@pytest.mark.slow
def test_damaged_manifest_is_404_until_it_is_pushed_again(start_server, material):
    server = start_server()
    with Client.of(server.url) as client:
        repository = client.repository("damaged")
        document = material.image(repository)
        digest = digest_of(as_json(document))
        assert repository.put("v1", document).status_code == 201
        server.stop()
        with closing(sqlite3.connect(server.data / "wharfinger" / "wharfinger.db", isolation_level=None)) as database:
            database.execute("UPDATE manifests SET content = x'7b7d'")
        server.start()
        # A client that is told by HEAD that the manifest is here would not push it.
        for reference in ("v1", digest):
            assert repository.manifest("HEAD", reference).status_code == 404
            assert "push it again" in refused(repository.manifest("GET", reference), 404, "MANIFEST_UNKNOWN")
        refused(repository.blob("GET", digest), 404, "BLOB_UNKNOWN")
        assert repository.put("v1", document).status_code == 201
        server.stop()
        server.start()
        check_pull(repository, "v1", as_json(document), digest)
