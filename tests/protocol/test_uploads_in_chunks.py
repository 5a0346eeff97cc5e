# SPDX-License-Identifier: Apache-2.0
"""Uploading in chunks: order, resuming after a broken connection, and chunks that meet different workers.

Of the official conformance suite this covers: one chunk; three chunks; the last chunk in the PUT; chunks out of order
(ahead, and back to the start) by PATCH and by PUT, each followed by the status and the right chunk; a wrong digest at
the end of each; everything in both digest algorithms.
"""

import socket

import pytest

from tests.protocol.client import OCTETS, Client, refused
from tests.support.images import digest_of

ALGORITHMS = ["sha256", "sha512"]


def check_out_of_order(response, repository, offset):
    refused(response, 416, "BLOB_UPLOAD_INVALID")
    assert response.headers["Range"] == f"0-{max(offset - 1, 0)}"
    location = response.headers["Location"]
    assert repository.client.get(location).headers["Range"] == f"0-{max(offset - 1, 0)}"
    return location


def send_part_and_vanish(registry, location, content, declared):
    """Send a PATCH whose body breaks off: the connection is reset before all that was declared has come."""
    address = registry.http.base_url
    head = f"PATCH {location} HTTP/1.1\r\nHost: {address.host}:{address.port}\r\n"
    if declared is None:
        head += "Transfer-Encoding: chunked\r\n\r\n"
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (content[:70_000], content[70_000:]))
    else:
        head += f"Content-Length: {declared}\r\n\r\n"
        body = content
    with socket.create_connection((address.host, address.port), timeout=30) as connection:
        connection.sendall(head.encode() + body)


def offset_of(response):
    return int(response.headers["Range"].removeprefix("0-")) + 1


def settled_offset(registry, location, sent):
    """Ask for the status until the server has counted all that arrived before the connection broke."""
    for _ in range(5000):
        response = registry.get(location)
        assert response.status_code == 204
        if offset_of(response) == sent:
            return sent
    return offset_of(response)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("size", [5000, 2500, 2000])
@pytest.mark.parametrize("last_by_put", [False, True], ids=["patch", "put"])
def test_chunks_in_order_make_the_blob(repository, material, algorithm, size, last_by_put):
    content = material.bytes("content", 5000)
    digest = digest_of(content, algorithm)
    location, start = repository.location(), 0
    while start < len(content):
        chunk = content[start : start + size]
        last = start + len(chunk) - 1
        if last_by_put and last == len(content) - 1:
            response = repository.finish(location, digest, chunk, {"Content-Range": f"{start}-{last}"})
        else:
            response = repository.patch(location, chunk, start)
            assert response.status_code == 202
            assert response.headers["Range"] == f"0-{last}"
        location, start = response.headers["Location"], last + 1
    if not last_by_put:
        response = repository.finish(location, digest)
    assert response.status_code == 201
    assert response.headers["Docker-Content-Digest"] == digest
    assert repository.client.get(response.headers["Location"]).content == content


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("by", ["PATCH", "PUT"])
def test_chunk_out_of_order_is_416_at_every_step_and_harms_nothing(repository, material, algorithm, by):
    content = material.bytes("content", 3000)
    digest = digest_of(content, algorithm)
    location = repository.location()
    for start in (0, 1000, 2000):
        wrong = 0 if start == 2000 else start + 1000
        chunk = content[wrong : wrong + 1000]
        if by == "PUT":
            headers = {"Content-Range": f"{wrong}-{wrong + 999}"}
            location = check_out_of_order(repository.finish(location, digest, chunk, headers), repository, start)
        else:
            location = check_out_of_order(repository.patch(location, chunk, wrong), repository, start)
        location = repository.patch(location, content[start : start + 1000], start).headers["Location"]
    response = repository.finish(location, digest)
    assert response.status_code == 201
    assert repository.blob("GET", digest).content == content


def test_first_chunk_that_does_not_begin_at_zero_is_416(repository, material):
    location = repository.location()
    check_out_of_order(repository.patch(location, material.bytes("x", 5), 5), repository, 0)


def test_chunk_sent_again_is_416_with_the_offset_to_resume_at(repository, material):
    content = material.bytes("content", 2000)
    location = repository.patch(repository.location(), content[:1000], 0).headers["Location"]
    location = check_out_of_order(repository.patch(location, content[:1000], 0), repository, 1000)
    location = repository.patch(location, content[1000:], 1000).headers["Location"]
    assert repository.finish(location, digest_of(content)).status_code == 201


def test_stream_may_follow_chunks(repository, material):
    content = material.bytes("content", 3000)
    location = repository.patch(repository.location(), content[:1000], 0).headers["Location"]
    location = repository.patch(location, content[1000:2000]).headers["Location"]
    response = repository.finish(location, digest_of(content), content[2000:])
    assert response.status_code == 201
    assert repository.blob("GET", digest_of(content)).content == content


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("last_by_put", [False, True], ids=["patch", "put"])
def test_chunks_with_a_wrong_digest_are_400_and_store_nothing(repository, material, algorithm, last_by_put):
    content, wrong = material.bytes("content", 3000), digest_of(material.bytes("other"), algorithm)
    location = repository.patch(repository.location(), content[:2000], 0).headers["Location"]
    if last_by_put:
        response = repository.finish(location, wrong, content[2000:], {"Content-Range": "2000-2999"})
    else:
        response = repository.finish(repository.patch(location, content[2000:], 2000).headers["Location"], wrong)
    refused(response, 400, "DIGEST_INVALID")
    for digest in (wrong, digest_of(content, algorithm)):
        assert repository.blob("HEAD", digest).status_code == 404


def test_digest_of_the_last_chunk_alone_is_400(repository, material):
    content = material.bytes("content", 2000)
    location = repository.patch(repository.location(), content[:1000], 0).headers["Location"]
    response = repository.finish(location, digest_of(content[1000:]), content[1000:], {"Content-Range": "1000-1999"})
    refused(response, 400, "DIGEST_INVALID")


@pytest.mark.parametrize(("stated", "length"), [("0-9", 5), ("0-4", 10), ("0-0", 0)])
def test_content_range_that_contradicts_the_length_is_400_and_keeps_the_offset(repository, material, stated, length):
    location = repository.location()
    response = repository.client.request(
        "PATCH", location, content=material.bytes("x", length), headers=OCTETS | {"Content-Range": stated}
    )
    refused(response, 400, "SIZE_INVALID")
    assert repository.client.get(location).headers["Range"] == "0-0"


@pytest.mark.parametrize("declared", [200_000, None], ids=["length", "chunked"])
def test_upload_cut_off_by_a_broken_connection_resumes_where_it_stands(repository, material, declared):
    content = material.bytes("content", 200_000)
    location = repository.location()
    send_part_and_vanish(repository.client, location, content[:130_000], declared)
    offset = settled_offset(repository.client, location, 130_000)
    assert 0 < offset <= 130_000
    response = repository.patch(location, content[offset:], offset)
    assert response.status_code == 202, response.text
    assert repository.finish(response.headers["Location"], digest_of(content)).status_code == 201
    assert repository.blob("GET", digest_of(content)).content == content


def test_body_cut_off_in_the_put_is_never_taken_for_the_whole_blob(repository, material):
    content = material.bytes("content", 150_000)
    location = repository.location()
    address = repository.client.http.base_url
    head = (
        f"PUT {location}{'&' if '?' in location else '?'}digest={digest_of(content[:100_000])} HTTP/1.1\r\n"
        f"Host: {address.host}\r\nContent-Length: 150000\r\n\r\n"
    )
    with socket.create_connection((address.host, address.port), timeout=30) as connection:
        connection.sendall(head.encode() + content[:100_000])
    offset = settled_offset(repository.client, location, 100_000)
    assert repository.blob("HEAD", digest_of(content[:100_000])).status_code == 404
    response = repository.finish(location, digest_of(content), content[offset:])
    assert response.status_code == 201, response.text


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_chunks_may_meet_different_workers(two_workers, material, algorithm):
    """Each request comes over a connection of its own, so that either worker may get it."""
    content = material.bytes("content", 12_000)
    digest = digest_of(content, algorithm)
    name = f"workers/{algorithm}"
    with Client.of(two_workers) as client:
        location = client.repository(name).location(**{"digest-algorithm": algorithm})
    for start in range(0, len(content), 1000):
        with Client.of(two_workers) as client:
            response = client.repository(name).patch(location, content[start : start + 1000], start)
            assert response.status_code == 202, response.text
            location = response.headers["Location"]
    for _ in range(8):
        with Client.of(two_workers) as client:
            assert client.get(location).headers["Range"] == "0-11999"
    with Client.of(two_workers) as client:
        assert client.repository(name).finish(location, digest).status_code == 201
    for _ in range(8):
        with Client.of(two_workers) as client:
            assert client.repository(name).blob("GET", digest).content == content
