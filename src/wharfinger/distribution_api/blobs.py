# SPDX-License-Identifier: Apache-2.0
"""Blobs: end-2 pull, end-10 delete. A digest of a manifest of the repository is answered too: some clients ask so."""

from collections.abc import AsyncIterator
from typing import Final

from starlette.responses import Response, StreamingResponse

from wharfinger.distribution_api.headers import HARMLESS, content_range, etag, names_digest, parse_range
from wharfinger.domain.access import Access, Action
from wharfinger.domain.digests import Digest, parse_digest
from wharfinger.domain.errors import BlobUnknown, Unknown
from wharfinger.services.blobs import BlobContent, BlobStat
from wharfinger.web.responses import Content, RawHeader, WholeFile
from wharfinger.web.routing import Call

_EVERY_BLOB: Final = (
    (b"content-type", b"application/octet-stream"),
    (b"accept-ranges", b"bytes"),
    (b"cache-control", b"private, max-age=31536000, immutable"),
    (b"content-disposition", b"attachment"),
    HARMLESS,
)


async def get(call: Call) -> Response:
    """Send a blob, or one range of it."""
    digest = parse_digest(call.parameter)
    try:
        blob = await call.services.blobs.stat(call.registry, call.name, digest)
    except BlobUnknown as unknown:
        return await _manifest_as_blob(call, digest, unknown)
    if names_digest(call.visit.header(b"if-none-match"), digest):
        return Response(status_code=304, headers={"ETag": etag(digest)})
    wanted = _range(call, blob)
    if wanted is None:
        return _whole(blob, await call.services.blobs.read(call.registry, blob))
    start, stop = wanted
    content = await call.services.blobs.read(call.registry, blob, start, stop)
    return _part(blob, content, start, stop)


async def head(call: Call) -> Response:
    """Say that the blob is here; to somebody who may push, also when only another repository has it (ADR 0011)."""
    digest = parse_digest(call.parameter)
    blobs = call.services.blobs
    authorization, principal = call.services.authorization, call.visit.principal
    try:
        if await authorization.allows(principal, call.registry, Access(Action.PUSH, call.name)):
            sight = await authorization.sight(principal)
            blob = await blobs.stat_to_push(call.registry, call.name, digest, sight)
        else:
            blob = await blobs.stat(call.registry, call.name, digest)
    except BlobUnknown as unknown:
        answer = await _manifest_as_blob(call, digest, unknown)
        answer.body = b""
        return answer
    return Content(b"", _headers(digest, blob.size))


async def delete(call: Call) -> Response:
    """Take a blob out of the repository."""
    await call.services.blobs.delete(call.registry, call.name, parse_digest(call.parameter))
    return Response(status_code=202)


def _range(call: Call, blob: BlobStat) -> tuple[int, int] | None:
    text = call.visit.header(b"range")
    if text is None:
        return None
    condition = call.visit.header(b"if-range")
    if condition is not None and not names_digest(condition, blob.digest):
        return None
    return parse_range(text, blob.size)


def _whole(blob: BlobStat, content: BlobContent) -> Response:
    headers = _headers(blob.digest, blob.size)
    if content.path is not None:
        return WholeFile(content.path, blob.size, headers)
    if content.pieces is not None:
        return _streamed(content.pieces, headers, 200)
    return Content(content.content or b"", headers)


def _part(blob: BlobStat, content: BlobContent, start: int, stop: int) -> Response:
    headers = _headers(blob.digest, stop - start)
    headers.append((b"content-range", content_range(start, stop, blob.size).encode()))
    if content.pieces is not None:
        return _streamed(content.pieces, headers, 206)
    return Content(content.content or b"", headers, 206)


def _streamed(pieces: AsyncIterator[bytes], headers: list[RawHeader], status_code: int) -> Response:
    answer = StreamingResponse(pieces, status_code=status_code)
    answer.raw_headers = headers
    return answer


async def _manifest_as_blob(call: Call, digest: Digest, unknown: BlobUnknown) -> Response:
    """Answer for a manifest under the blobs' path, which containerd falls back to."""
    try:
        manifest = await call.services.manifests.find(call.registry, call.name, digest)
        content = await call.services.manifests.content(manifest)
    except Unknown:
        raise unknown from None
    return Content(content, _headers(digest, manifest.size))


def _headers(digest: Digest, length: int) -> list[RawHeader]:
    encoded = digest.encode()
    return [
        *_EVERY_BLOB,
        (b"content-length", b"%d" % length),
        (b"docker-content-digest", encoded),
        (b"etag", b'"%s"' % encoded),
    ]
