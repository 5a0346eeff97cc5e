# SPDX-License-Identifier: Apache-2.0
"""Uploading blobs in one piece or as a stream, asking where an upload stands, cancelling it.

Of the official conformance suite this covers: POST with the body; POST then PUT; streamed PATCH then PUT; the same
three with a wrong digest; cancel; the digest header and a pullable `Location` after each.
"""

import pytest

from tests.protocol.client import OCTETS, refused, with_digest
from tests.support.images import digest_of

ALGORITHMS = ["sha256", "sha512"]


def pieces_of(content, size=1000):
    """Return the content as an iterator, which httpx sends as `Transfer-Encoding: chunked` without a length."""
    return (content[start : start + size] for start in range(0, len(content), size))


def check_created(response, repository, digest, content):
    assert response.status_code == 201, response.text
    assert response.headers["Location"] == f"{repository.path}/blobs/{digest}"
    assert response.headers["Docker-Content-Digest"] == digest
    assert repository.client.get(response.headers["Location"]).content == content


@pytest.mark.parametrize("path", ["blobs/uploads/", "blobs/uploads"])
def test_upload_starts_with_202_and_says_where_and_how_far(repository, path):
    response = repository.request("POST", path)
    assert response.status_code == 202
    assert response.headers["Location"].startswith(f"{repository.path}/blobs/uploads/")
    assert response.headers["Range"] == "0-0"
    assert response.headers["Docker-Upload-UUID"] in response.headers["Location"]
    assert response.headers["Content-Length"] == "0"
    assert int(response.headers.get("OCI-Chunk-Min-Length", "0")) >= 0


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_post_with_digest_and_body_stores_the_blob_at_once(repository, material, algorithm):
    content = material.bytes("content", 3000)
    digest = digest_of(content, algorithm)
    parameters = {"digest": digest}
    response = repository.request("POST", "blobs/uploads/", params=parameters, content=content, headers=OCTETS)
    check_created(response, repository, digest, content)


def test_post_with_digest_takes_a_body_without_a_length(repository, material):
    content = material.bytes("content", 30_000)
    digest = digest_of(content)
    body = pieces_of(content)
    response = repository.request("POST", "blobs/uploads/", params={"digest": digest}, content=body, headers=OCTETS)
    check_created(response, repository, digest, content)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_post_then_put_with_the_whole_blob(repository, material, algorithm):
    content = material.bytes("content", 3000)
    digest = digest_of(content, algorithm)
    response = repository.finish(repository.location(), digest, content)
    check_created(response, repository, digest, content)


def test_put_takes_a_percent_encoded_digest(repository, material):
    content = material.bytes("content")
    digest = digest_of(content)
    response = repository.finish(repository.location(), digest.replace(":", "%3A"), content)
    check_created(response, repository, digest, content)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("told", [False, True], ids=["untold", "told"])
def test_streamed_patch_then_put(repository, material, algorithm, told):
    content = material.bytes("content", 300_000)
    digest = digest_of(content, algorithm)
    location = repository.location(**({"digest-algorithm": algorithm} if told else {}))
    response = repository.client.request("PATCH", location, content=pieces_of(content, 7001), headers=OCTETS)
    assert response.status_code == 202
    assert response.headers["Range"] == f"0-{len(content) - 1}"
    check_created(repository.finish(response.headers["Location"], digest), repository, digest, content)


def test_algorithm_of_the_final_digest_wins_over_the_one_announced(repository, material):
    content = material.bytes("content")
    digest = digest_of(content, "sha512")
    location = repository.patch(repository.location(**{"digest-algorithm": "sha256"}), content).headers["Location"]
    check_created(repository.finish(location, digest), repository, digest, content)


def test_unknown_digest_algorithm_is_400_at_the_start(repository):
    refused(repository.start(**{"digest-algorithm": "md5"}), 400, "DIGEST_INVALID")


def test_same_bytes_are_kept_under_both_algorithms(repository, material):
    content = material.bytes("content")
    short, long = repository.push_blob(content), repository.push_blob(content, "sha512")
    assert repository.blob("GET", short).content == repository.blob("GET", long).content == content
    assert repository.blob("HEAD", long).headers["Docker-Content-Digest"] == long


def test_zero_byte_blob_can_be_pushed_in_every_way(repository):
    for algorithm in ALGORITHMS:
        digest = digest_of(b"", algorithm)
        for location in (repository.location(), repository.patch(repository.location(), b"").headers["Location"]):
            check_created(repository.finish(location, digest), repository, digest, b"")


def test_pushing_a_blob_again_is_201_again(repository, material):
    content = material.bytes("content")
    assert repository.push_blob(content) == repository.push_blob(content)
    check_created(
        repository.finish(repository.location(), digest_of(content), content), repository, digest_of(content), content
    )


def test_query_that_is_part_of_the_location_may_come_back_in_any_order(repository, material):
    content = material.bytes("content")
    path, _, query = repository.location().partition("?")
    target = f"{path}?digest={digest_of(content)}" + (f"&{query}" if query else "")
    response = repository.client.request("PUT", target, content=content, headers=OCTETS)
    check_created(response, repository, digest_of(content), content)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_wrong_digest_in_the_post_is_400_and_stores_nothing(repository, material, algorithm):
    content, other = material.bytes("content"), digest_of(material.bytes("other"), algorithm)
    parameters = {"digest": other}
    response = repository.request("POST", "blobs/uploads/", params=parameters, content=content, headers=OCTETS)
    message = refused(response, 400, "DIGEST_INVALID")
    assert digest_of(content, algorithm) in message or other in message
    for digest in (other, digest_of(content), digest_of(content, "sha512")):
        assert repository.blob("HEAD", digest).status_code == 404


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("streamed", [False, True], ids=["in-the-put", "in-a-patch"])
def test_wrong_digest_in_the_put_is_400_and_stores_nothing(repository, material, algorithm, streamed):
    content, other = material.bytes("content", 5000), digest_of(material.bytes("other"), algorithm)
    location = repository.location()
    if streamed:
        response = repository.client.request("PATCH", location, content=pieces_of(content), headers=OCTETS)
        location, body = response.headers["Location"], b""
    else:
        body = content
    refused(repository.finish(location, other, body), 400, "DIGEST_INVALID")
    for digest in (other, digest_of(content), digest_of(content, "sha512")):
        assert repository.blob("HEAD", digest).status_code == 404


def test_put_without_digest_is_400_and_keeps_the_upload(repository, material):
    content = material.bytes("content")
    location = repository.patch(repository.location(), content).headers["Location"]
    refused(repository.client.request("PUT", location), 400, "DIGEST_INVALID")
    assert repository.finish(location, digest_of(content)).status_code == 201


@pytest.mark.parametrize("digest", ["sha256:bad", "md5:d41d8cd98f00b204e9800998ecf8427e", "", "latest"])
def test_malformed_digest_is_400(repository, digest):
    location = repository.location()
    refused(repository.finish(location, digest, b"x"), 400, "DIGEST_INVALID")
    refused(repository.request("POST", f"blobs/uploads/?digest={digest}", content=b"x"), 400, "DIGEST_INVALID")


def test_status_of_a_fresh_upload_is_204(repository):
    location = repository.location()
    response = repository.client.get(location)
    assert response.status_code == 204
    assert response.headers["Range"] == "0-0"
    assert response.headers["Location"].startswith(f"{repository.path}/blobs/uploads/")


def test_status_follows_the_bytes(repository, material):
    content = material.bytes("content", 900)
    location = repository.location()
    for end in (100, 500, 900):
        start = int(repository.client.get(location).headers["Range"].removeprefix("0-")) + 1 if end > 100 else 0
        response = repository.patch(location, content[start:end], start)
        location = response.headers["Location"]
        assert response.headers["Range"] == f"0-{end - 1}"
        assert repository.client.get(location).headers["Range"] == f"0-{end - 1}"
    assert repository.finish(location, digest_of(content)).status_code == 201


def test_finished_upload_is_gone(repository, material):
    content = material.bytes("content")
    location = repository.location()
    assert repository.finish(location, digest_of(content), content).status_code == 201
    refused(repository.client.get(location), 404, "BLOB_UPLOAD_UNKNOWN")
    refused(repository.patch(location, b"more"), 404, "BLOB_UPLOAD_UNKNOWN")


def test_cancelled_upload_is_gone_and_left_nothing(repository, material):
    content = material.bytes("content")
    location = repository.patch(repository.location(), content).headers["Location"]
    response = repository.client.request("DELETE", location)
    assert response.status_code == 204
    refused(repository.client.get(location), 404, "BLOB_UPLOAD_UNKNOWN")
    refused(repository.finish(location, digest_of(content)), 404, "BLOB_UPLOAD_UNKNOWN")
    refused(repository.client.request("DELETE", location), 404, "BLOB_UPLOAD_UNKNOWN")
    assert repository.blob("HEAD", digest_of(content)).status_code == 404


def test_cancelling_needs_no_deletion_switch(keeping_registry):
    repository = keeping_registry.repository("uploads/cancelled")
    assert repository.client.request("DELETE", repository.location()).status_code == 204


def test_upload_belongs_to_its_repository(repository, other_repository, material):
    other_repository.push_blob(material.bytes("other"))
    location = repository.location()
    elsewhere = location.replace(repository.path, other_repository.path)
    refused(other_repository.patch(elsewhere, b"x"), 404, "BLOB_UPLOAD_UNKNOWN")
    refused(other_repository.client.get(elsewhere), 404, "BLOB_UPLOAD_UNKNOWN")
    refused(other_repository.client.request("DELETE", elsewhere), 404, "BLOB_UPLOAD_UNKNOWN")
    assert repository.client.get(location).headers["Range"] == "0-0"


@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
@pytest.mark.parametrize("upload", ["00000000-0000-4000-8000-000000000000", "x", "a.b~c"])
def test_upload_that_nobody_started_is_404(repository, material, method, upload):
    repository.push_blob(material.bytes("content"))
    target = with_digest(f"{repository.path}/blobs/uploads/{upload}", digest_of(b"x"))
    refused(repository.client.request(method, target), 404, "BLOB_UPLOAD_UNKNOWN")


def test_body_with_a_content_encoding_is_415_and_keeps_the_upload(repository, material):
    location = repository.location()
    response = repository.client.request(
        "PATCH", location, content=material.bytes("x"), headers=OCTETS | {"Content-Encoding": "gzip"}
    )
    refused(response, 415, "UNSUPPORTED")
    assert repository.client.get(location).headers["Range"] == "0-0"


def test_start_in_a_repository_without_manifests_does_not_list_it(repository):
    repository.location()
    refused(repository.request("GET", "tags/list"), 404, "NAME_UNKNOWN")
    assert repository.name not in repository.client.get("/v2/_catalog?n=1000").json()["repositories"]
