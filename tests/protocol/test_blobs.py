# SPDX-License-Identifier: Apache-2.0
"""Reading blobs: whole, in ranges, conditionally, and the digests of manifests.

Of the official conformance suite this covers: blob GET and HEAD with length, digest header and body; GET of a blob
that was never pushed; the six range requests; the zero-byte blob and the two-byte `{}` in both digest algorithms.
"""

import pytest

from tests.protocol.client import refused
from tests.protocol.content import OCTET_STREAM
from tests.support.images import as_json, digest_of

ALGORITHMS = ["sha256", "sha512"]
RANGES = {
    "bytes=500-1499": (500, 1499),
    "bytes=500-": (500, 2047),
    "bytes=-500": (1548, 2047),
    "bytes=2000-5000": (2000, 2047),
    "bytes=0-0": (0, 0),
    "bytes=0-": (0, 2047),
    "bytes=2047-2047": (2047, 2047),
    "bytes=-5000": (0, 2047),
    "bytes=7-99999999999999999999": (7, 2047),
}


@pytest.fixture
def kept(repository, material):
    """Return a blob of 2,048 bytes in the repository, and its digest."""
    content = material.bytes("kept", 2048)
    return content, repository.push_blob(content)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("content", [b"", b"{}", None], ids=["empty", "empty-json", "random"])
def test_blob_is_read_back_byte_for_byte(repository, material, algorithm, content):
    content = material.bytes("content", 5000) if content is None else content
    digest = repository.push_blob(content, algorithm)
    response = repository.blob("GET", digest)
    assert response.status_code == 200
    assert response.content == content
    assert response.headers["Content-Length"] == str(len(content))
    assert response.headers["Docker-Content-Digest"] == digest
    assert response.headers["Content-Type"] == OCTET_STREAM
    assert response.headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("size", [0, 2, 5000])
def test_head_of_a_blob_says_what_get_says(repository, material, algorithm, size):
    digest = repository.push_blob(material.bytes("content", size), algorithm)
    head, get = repository.blob("HEAD", digest), repository.blob("GET", digest)
    assert head.status_code == 200
    for header in ("Content-Length", "Docker-Content-Digest", "Content-Type", "Accept-Ranges", "ETag"):
        assert head.headers.get(header) == get.headers.get(header), header
    assert head.headers["Content-Length"] == str(size)
    assert head.headers["Docker-Content-Digest"] == digest


def test_browser_neither_shows_nor_runs_what_somebody_pushed(repository, material):
    blob = repository.blob("GET", repository.push_blob(b"<script>alert(1)</script>"))
    assert blob.headers["Content-Disposition"] == "attachment"
    repository.put("harmless", material.image(repository))
    for answer in (blob, repository.manifest("GET", "harmless")):
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_blob_of_several_mebibytes_arrives_whole(repository, material):
    content = material.bytes("large", 5 * 2**20 + 3)
    response = repository.blob("GET", repository.push_blob(content))
    assert digest_of(response.content) == digest_of(content)


def test_blob_that_was_never_pushed_is_404(repository, kept):
    assert kept
    unknown = digest_of(b"never pushed anywhere")
    refused(repository.blob("GET", unknown), 404, "BLOB_UNKNOWN")
    assert repository.blob("HEAD", unknown).status_code == 404


def test_blob_of_a_repository_that_does_not_exist_is_404(registry, kept):
    response = registry.repository("nobody/pushed-here").blob("GET", kept[1])
    assert response.status_code == 404
    assert response.json()["errors"][0]["code"] in {"NAME_UNKNOWN", "BLOB_UNKNOWN"}


def test_blob_of_another_repository_cannot_be_read_from_here(repository, other_repository, material, kept):
    other_repository.push_blob(material.bytes("other"))
    refused(other_repository.blob("GET", kept[1]), 404, "BLOB_UNKNOWN")
    assert repository.blob("GET", kept[1]).status_code == 200


@pytest.mark.parametrize("asked", RANGES)
def test_range_answers_206_with_exactly_those_bytes(repository, kept, asked):
    content, digest = kept
    first, last = RANGES[asked]
    response = repository.blob("GET", digest, headers={"Range": asked})
    assert response.status_code == 206
    assert response.content == content[first : last + 1]
    assert response.headers["Content-Range"] == f"bytes {first}-{last}/2048"
    assert response.headers["Content-Length"] == str(last - first + 1)
    assert response.headers["Docker-Content-Digest"] == digest
    assert response.headers["Content-Type"] == OCTET_STREAM


@pytest.mark.parametrize("asked", ["bytes=500-0", "bytes=5000-10000", "bytes=2048-", "bytes=-0"])
def test_range_outside_the_blob_is_416_with_its_size(repository, kept, asked):
    response = repository.blob("GET", kept[1], headers={"Range": asked})
    refused(response, 416, "SIZE_INVALID")
    assert response.headers["Content-Range"] == "bytes */2048"


def test_ranges_of_a_blob_put_together_are_the_blob(repository, kept):
    content, digest = kept
    parts = [
        repository.blob("GET", digest, headers={"Range": f"bytes={first}-{first + 699}"}).content
        for first in range(0, 2048, 700)
    ]
    assert b"".join(parts) == content


@pytest.mark.parametrize("asked", ["items=0-5", "bytes=0-1,4-5"])
def test_range_in_another_unit_or_in_several_parts_answers_the_whole_blob(repository, kept, asked):
    response = repository.blob("GET", kept[1], headers={"Range": asked})
    assert response.status_code == 200
    assert response.content == kept[0]


def test_range_of_a_zero_byte_blob_is_416_or_the_empty_blob(repository):
    response = repository.blob("GET", repository.push_blob(b""), headers={"Range": "bytes=0-"})
    assert response.status_code in {200, 416}


@pytest.mark.parametrize("fresh", [True, False])
def test_if_range_decides_between_the_range_and_the_whole_blob(repository, kept, fresh):
    content, digest = kept
    tag = f'"{digest}"' if fresh else '"sha256:stale"'
    response = repository.blob("GET", digest, headers={"Range": "bytes=10-19", "If-Range": tag})
    assert response.status_code == (206 if fresh else 200)
    assert response.content == (content[10:20] if fresh else content)


def test_blob_is_never_content_encoded(repository, kept):
    response = repository.blob("GET", kept[1], headers={"Accept-Encoding": "zstd, gzip, deflate, br"})
    assert response.content == kept[0]
    assert "Content-Encoding" not in response.headers


def test_digest_of_a_manifest_can_be_read_as_a_blob(repository, material):
    document = material.image(repository)
    digest = repository.push(document, "v1")
    response = repository.blob("GET", digest)
    assert response.status_code == 200
    assert response.content == as_json(document)
    assert response.headers["Docker-Content-Digest"] == digest
    assert repository.blob("HEAD", digest).headers["Content-Length"] == str(len(as_json(document)))


def test_head_and_get_agree_on_what_is_refused(repository):
    for digest in ("sha256:abc", digest_of(b"unknown, too"), "latest"):
        assert repository.blob("HEAD", digest).status_code == repository.blob("GET", digest).status_code
