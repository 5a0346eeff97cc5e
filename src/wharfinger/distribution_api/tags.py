# SPDX-License-Identifier: Apache-2.0
"""end-8a, end-8b: the tags of a repository."""

from collections.abc import AsyncIterator, Sequence

import orjson
from starlette.responses import Response, StreamingResponse

from wharfinger.distribution_api.headers import link_to_next
from wharfinger.distribution_api.queries import Query
from wharfinger.domain.errors import QueryInvalid, TagInvalid
from wharfinger.domain.names import RepositoryName, TagName, parse_tag
from wharfinger.domain.sentences import Sentence
from wharfinger.web.routing import Call


async def list_tags(call: Call) -> Response:
    """List tags sorted by bytes: a page with `n`, everything without, because scripts do not follow `Link`."""
    query = Query(call.scope)
    limit = query.limit(maximum=call.limits.tags_page)
    last = _position(query)
    if limit is None:
        return await _everything(call, last)
    page = await call.services.tags.list(call.registry, call.name, last, limit)
    answer = _answer(call.name, page.items)
    if page.more:
        answer.headers["Link"] = link_to_next(call.path("tags", "list"), {"n": str(limit), "last": page.items[-1]})
    return answer


async def _everything(call: Call, last: str | None) -> Response:
    listing = await call.services.tags.list_all(call.registry, call.name, last)
    kept = call.answers.get(listing.key)
    if kept is None:
        stream = _stream(call.name, listing.batches)
        kept = await _up_to(call.answers.max_item, stream)
        if len(kept) > call.answers.max_item:
            return StreamingResponse(_chained(kept, stream), media_type="application/json")
        call.answers.put(listing.key, kept)
    return Response(kept, media_type="application/json")


async def _up_to(size: int, stream: AsyncIterator[bytes]) -> bytes:
    """Return the document if it has at most that size, else its beginning, which is a little longer."""
    pieces: list[bytes] = []
    length = 0
    async for piece in stream:
        pieces.append(piece)
        length += len(piece)
        if length > size:
            break
    return b"".join(pieces)


async def _chained(beginning: bytes, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield beginning
    async for piece in stream:
        yield piece


async def _stream(name: RepositoryName, batches: AsyncIterator[Sequence[TagName]]) -> AsyncIterator[bytes]:
    """Write the document a batch at a time: memory stays bounded however many tags there are."""
    yield b'{"name":%s,"tags":[' % orjson.dumps(name)
    separator = b""
    async for batch in batches:
        yield separator + orjson.dumps(list(batch))[1:-1]
        separator = b","
    yield b"]}"


def _answer(name: RepositoryName, tags: Sequence[TagName]) -> Response:
    return Response(orjson.dumps({"name": name, "tags": list(tags)}), media_type="application/json")


def _position(query: Query) -> str | None:
    text = query.one("last")
    if not text:
        return None
    try:
        return parse_tag(text)
    except TagInvalid:
        message = Sentence("`last` must be a tag, the last one of the page before.")
        raise QueryInvalid(message) from None
