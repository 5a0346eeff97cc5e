# SPDX-License-Identifier: Apache-2.0
"""Uploads: end-4 start, end-5 append, end-6 complete, end-11 mount, end-13 status, end-14 cancel."""

from starlette.responses import Response

from wharfinger.distribution_api.headers import parse_chunk, refuse_encoding, uploaded_range
from wharfinger.distribution_api.queries import Query
from wharfinger.domain.access import Access, Action
from wharfinger.domain.digests import Digest, parse_algorithm, parse_digest
from wharfinger.domain.errors import DigestInvalid, NameInvalid
from wharfinger.domain.names import parse_repository_name
from wharfinger.domain.sentences import Sentence
from wharfinger.domain.uploads import Chunk, parse_upload_id
from wharfinger.services.ingest import UploadStatus
from wharfinger.web.routing import Call


async def start(call: Call) -> Response:
    """Mount a blob, take it whole, or begin an upload, as the query says."""
    query = Query(call.scope)
    mount, source, digest = query.one("mount"), query.one("from"), query.one("digest")
    if mount is not None and await _mount(call, parse_digest(mount), source):
        return _created(call, parse_digest(mount))
    if digest is not None and mount is None:
        return await _push(call, parse_digest(digest))
    name = query.one("digest-algorithm")
    algorithm = None if name is None else parse_algorithm(name)
    status = await call.services.uploads.start(call.registry, call.name, algorithm, call.visit.actor())
    return _standing(call, status, 202)


async def append(call: Call) -> Response:
    """Add a chunk at the upload's offset."""
    chunk = _chunk(call)
    status = await call.services.uploads.append(
        call.registry, call.name, parse_upload_id(call.parameter), chunk, call.body.batches()
    )
    return _standing(call, status, 202)


async def complete(call: Call) -> Response:
    """Add the last chunk, if there is one, and turn the upload into a blob."""
    text = Query(call.scope).one("digest")
    if not text:
        message = Sentence("The upload is completed with ?digest=<digest of the whole blob>; the parameter is missing.")
        raise DigestInvalid(message)
    digest, chunk = parse_digest(text), _chunk(call)
    await call.services.uploads.complete(
        call.registry, call.name, parse_upload_id(call.parameter), digest, chunk, call.body.batches()
    )
    return _created(call, digest)


async def status(call: Call) -> Response:
    """Say where the upload stands."""
    found = await call.services.uploads.status(call.registry, call.name, parse_upload_id(call.parameter))
    return _standing(call, found, 204)


async def cancel(call: Call) -> Response:
    """End the upload and forget its bytes."""
    await call.services.uploads.cancel(call.registry, call.name, parse_upload_id(call.parameter))
    return Response(status_code=204)


async def _mount(call: Call, digest: Digest, source: str | None) -> bool:
    """Try to mount; whatever the reason that it cannot be, the client is to upload, and learns nothing else."""
    try:
        name = None if source is None else parse_repository_name(source)
    except NameInvalid:
        return False
    authorization, principal = call.services.authorization, call.visit.principal
    if name is not None and not await authorization.allows(principal, call.registry, Access(Action.MOUNT, name)):
        return False
    sight = await authorization.sight(principal)
    return await call.services.uploads.mount(call.registry, call.name, digest, name, sight, call.visit.actor())


async def _push(call: Call, digest: Digest) -> Response:
    chunk = _chunk(call)
    await call.services.uploads.push(call.registry, call.name, digest, chunk, call.body.batches(), call.visit.actor())
    return _created(call, digest)


def _chunk(call: Call) -> Chunk:
    refuse_encoding(call.visit.header(b"content-encoding"))
    return parse_chunk(call.visit.header(b"content-range"), call.visit.header(b"content-length"))


def _created(call: Call, digest: Digest) -> Response:
    headers = {"Location": call.path("blobs", digest), "Docker-Content-Digest": digest}
    return Response(status_code=201, headers=headers)


def _standing(call: Call, status: UploadStatus, code: int) -> Response:
    return Response(status_code=code, headers=standing_headers(call, status.id, status.offset))


def standing_headers(call: Call, upload_id: str, offset: int) -> dict[str, str]:
    """Return the headers that tell a client where to go on."""
    return {
        "Location": call.path("blobs", "uploads", upload_id),
        "Range": uploaded_range(offset),
        "Docker-Upload-UUID": upload_id,
    }
