# SPDX-License-Identifier: Apache-2.0
"""The push client: what Docker sends, in the order in which Docker sends it.

For each blob: HEAD (is it there?), POST (start), PATCH (the bytes, chunked), PUT (the digest). Then the manifest.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

from bench.content import MANIFEST_TYPE, Blob, Image
from bench.wire import Address, Connection, expect

_CHUNK = 32 << 10
"""What Docker copies at a time, and so sends as one chunk."""
_CHUNKS_A_CALL = 8


@dataclass(frozen=True, slots=True)
class Push:
    """An image and where it goes."""

    repository: str
    tag: str
    image: Image


def push_blob(connection: Connection, repository: str, blob: Blob) -> None:
    """Push a blob that is not there yet."""
    base = f"/v2/{repository}/blobs/"
    expect(connection.request("HEAD", base + blob.digest), 404, "HEAD of a new blob")
    started = expect(connection.request("POST", base + "uploads/", b""), 202, "POST of an upload")
    target = _path(started.headers["location"])
    stored = expect(connection.stream("PATCH", target, _batches(blob), "application/octet-stream"), 202, "PATCH")
    target = _path(stored.headers["location"])
    separator = "&" if "?" in target else "?"
    expect(connection.request("PUT", f"{target}{separator}digest={blob.digest}", b""), 201, "PUT of a digest")


def push_manifest(connection: Connection, repository: str, reference: str, manifest: bytes) -> None:
    answer = connection.request("PUT", f"/v2/{repository}/manifests/{reference}", manifest, MANIFEST_TYPE)
    expect(answer, 201, "PUT of a manifest")


def push_image(connection: Connection, push: Push) -> None:
    for blob in push.image.blobs:
        push_blob(connection, push.repository, blob)
    push_manifest(connection, push.repository, push.tag, push.image.manifest)


def push_images(address: Address, pushes: Sequence[Push], clients: int) -> list[float]:
    """Push by several clients at a time, each with its share, and return how long every image took."""
    shares = [pushes[number::clients] for number in range(clients)]
    with ThreadPoolExecutor(clients) as threads:
        return [seconds for share in threads.map(lambda share: _client(address, share), shares) for seconds in share]


def _client(address: Address, pushes: Iterable[Push]) -> list[float]:
    connection = Connection(address)
    seconds = []
    for push in pushes:
        start = time.perf_counter()
        push_image(connection, push)
        seconds.append(time.perf_counter() - start)
    connection.close()
    return seconds


def _path(location: str) -> str:
    """Return what to ask for next: servers answer with a whole URL or only its path."""
    parts = urlsplit(location)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _batches(blob: Blob) -> Iterator[Sequence[bytes | memoryview]]:
    batch: list[bytes | memoryview] = []
    for part in blob.parts:
        view = memoryview(part)
        for start in range(0, len(view), _CHUNK):
            piece = view[start : start + _CHUNK]
            batch += (b"%x\r\n" % len(piece), piece, b"\r\n")
            if len(batch) >= 3 * _CHUNKS_A_CALL:
                yield batch
                batch = []
    yield [*batch, b"0\r\n\r\n"]
