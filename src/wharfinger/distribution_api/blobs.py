# SPDX-License-Identifier: Apache-2.0
"""Blobs: end-2 pull, end-10 delete. A digest of a manifest of the repository is answered too: some clients ask so."""

from starlette.responses import Response, StreamingResponse

from wharfinger.distribution_api.headers import content_range, etag, names_digest, parse_range
from wharfinger.domain.access import Access, Action
from wharfinger.domain.digests import Digest, parse_digest
from wharfinger.domain.errors import BlobUnknown, Unknown
from wharfinger.services.blobs import BlobContent, BlobStat
from wharfinger.web.responses import WholeFile
from wharfinger.web.routing import Call

OCTETS = "application/octet-stream"


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
    pushes = call.services.authorization.allows(call.visit.principal, Access(Action.PUSH, call.name))
    try:
        blob = await (blobs.stat_to_push if pushes else blobs.stat)(call.registry, call.name, digest)
    except BlobUnknown as unknown:
        answer = await _manifest_as_blob(call, digest, unknown)
        answer.body = b""
        return answer
    return Response(headers={**_headers(digest), "Content-Length": str(blob.size)})


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
    headers = _headers(blob.digest)
    if content.path is not None:
        return WholeFile(content.path, blob.size, headers)
    if content.pieces is not None:
        return StreamingResponse(content.pieces, headers={**headers, "Content-Length": str(blob.size)})
    return Response(content.content, headers=headers)


def _part(blob: BlobStat, content: BlobContent, start: int, stop: int) -> Response:
    headers = {
        **_headers(blob.digest),
        "Content-Range": content_range(start, stop, blob.size),
        "Content-Length": str(stop - start),
    }
    if content.pieces is not None:
        return StreamingResponse(content.pieces, status_code=206, headers=headers)
    return Response(content.content, status_code=206, headers=headers)


async def _manifest_as_blob(call: Call, digest: Digest, unknown: BlobUnknown) -> Response:
    """Answer for a manifest under the blobs' path, which containerd falls back to."""
    try:
        manifest = await call.services.manifests.find(call.registry, call.name, digest)
    except Unknown:
        raise unknown from None
    return Response(await call.services.manifests.content(manifest), headers=_headers(digest))


def _headers(digest: Digest) -> dict[str, str]:
    return {
        "Content-Type": OCTETS,
        "Docker-Content-Digest": digest,
        "ETag": etag(digest),
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, max-age=31536000, immutable",
    }
