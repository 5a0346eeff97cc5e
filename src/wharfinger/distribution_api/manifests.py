# SPDX-License-Identifier: Apache-2.0
"""Manifests: end-3 pull, end-7a and end-7b push, end-9 delete."""

from typing import Final

from starlette.responses import Response

from wharfinger.distribution_api.headers import HARMLESS, etag, names_digest, parse_if_match, refuse_encoding
from wharfinger.distribution_api.queries import Query
from wharfinger.domain.digests import Digest
from wharfinger.domain.errors import ManifestInvalid
from wharfinger.domain.names import TagName, is_digest, parse_reference, parse_reference_to_write, parse_tag
from wharfinger.domain.pulls import is_observer
from wharfinger.domain.sentences import Sentence
from wharfinger.services.manifests import ManifestPush, StoredManifest
from wharfinger.web.responses import Content, RawHeader
from wharfinger.web.routing import Call

MAX_TAGS: Final = 100
"""How many tags one push may set; clients need ten."""


async def get(call: Call) -> Response:
    """Send the exact bytes that were pushed, with their own type, whatever `Accept` says (ADR 0012)."""
    manifest = await _find(call)
    if names_digest(call.visit.header(b"if-none-match"), manifest.digest):
        _note(call, manifest, fetched=False)
        return Response(status_code=304, headers={"ETag": etag(manifest.digest)})
    _note(call, manifest, fetched=True)
    return Content(await call.services.manifests.content(manifest), _headers(manifest))


async def head(call: Call) -> Response:
    """Answer as `get` does, without the bytes."""
    manifest = await _find(call)
    _note(call, manifest, fetched=False)
    if names_digest(call.visit.header(b"if-none-match"), manifest.digest):
        return Response(status_code=304, headers={"ETag": etag(manifest.digest)})
    # A client that is told of a manifest does not push it: what is damaged must not be told of.
    await call.services.manifests.content(manifest)
    return Content(b"", _headers(manifest))


async def put(call: Call) -> Response:
    """Store a manifest under a tag, or under its digest and any number of `tag=` parameters, all or nothing."""
    reference = parse_reference_to_write(call.parameter)
    tags = [parse_tag(text) for text in Query(call.scope).every("tag")]
    if len(tags) > MAX_TAGS:
        message = Sentence(
            "A push may set %(most)s tags at the most; this one sets %(count)s.", most=MAX_TAGS, count=len(tags)
        )
        raise ManifestInvalid(message)
    refuse_encoding(call.visit.header(b"content-encoding"))
    if_none_match = call.visit.header(b"if-none-match")
    push = ManifestPush(
        content=await call.body.whole(call.services.manifests.max_size),
        content_type=call.visit.header(b"content-type"),
        digest=Digest(reference) if is_digest(reference) else None,
        tags=tags if is_digest(reference) else list(dict.fromkeys([parse_tag(reference), *tags])),
        if_match=parse_if_match(call.visit.header(b"if-match")),
        if_absent=if_none_match is not None and if_none_match.strip() == "*",
    )
    pushed = await call.services.manifests.put(call.registry, call.name, push, call.visit.actor())
    headers = {
        "Location": call.path("manifests", pushed.digest),
        "Docker-Content-Digest": pushed.digest,
    }
    if pushed.subject is not None:
        headers["OCI-Subject"] = pushed.subject
    if tags:
        headers["OCI-Tag"] = ", ".join(push.tags)
    return Response(status_code=201, headers=headers)


def tags_set(reference: str, query: Query) -> tuple[str, ...]:
    """Return every tag that a push sets, in the client's words: what is no tag is refused later, with its own error."""
    named = () if reference.startswith(("sha256:", "sha512:")) else (reference,)
    return (*named, *query.every("tag"))


async def delete(call: Call) -> Response:
    """Delete a tag and nothing else, or a manifest and every tag that names it."""
    reference = parse_reference(call.parameter)
    if is_digest(reference):
        digest = Digest(reference)
        await call.services.manifests.delete(call.registry, call.name, digest, call.visit.actor())
    else:
        await call.services.tags.delete(call.registry, call.name, parse_tag(reference), call.visit.actor())
    return Response(status_code=202)


async def _find(call: Call) -> StoredManifest:
    return await call.services.manifests.find(call.registry, call.name, parse_reference(call.parameter))


def _note(call: Call, manifest: StoredManifest, *, fetched: bool) -> None:
    """Have the pull counted, unless it is a program that only looks."""
    visit, reference = call.visit, call.parameter
    if not is_observer(visit.headers.get(b"user-agent", b"")):
        tag = None if ":" in reference else TagName(reference)
        call.services.pulls.note((visit.client, visit.principal.account_id), manifest.id, tag, fetched=fetched)


def _headers(manifest: StoredManifest) -> list[RawHeader]:
    digest = manifest.digest.encode()
    return [
        (b"content-type", manifest.media_type.encode()),
        (b"content-length", b"%d" % manifest.size),
        (b"docker-content-digest", digest),
        (b"etag", b'"%s"' % digest),
        HARMLESS,
    ]
