# SPDX-License-Identifier: Apache-2.0
"""end-8a, end-8b: the tags of a repository."""

from collections.abc import AsyncIterator, Sequence

import orjson
from starlette.responses import Response, StreamingResponse

from wharfinger.distribution_api.headers import link_to_next
from wharfinger.distribution_api.queries import Query
from wharfinger.domain.errors import QueryInvalid, TagInvalid
from wharfinger.domain.names import RepositoryName, TagName, parse_tag
from wharfinger.web.routing import Call

_ONE_ANSWER = 1_000
"""Up to this many tags are one answer with a length; more are streamed."""


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
    batches = await call.services.tags.list_all(call.registry, call.name, last)
    first: Sequence[TagName] = await anext(batches, [])  # CPython 3.11 fails on a tuple as default
    if len(first) < _ONE_ANSWER:
        return _answer(call.name, first)
    return StreamingResponse(_stream(call.name, first, batches), media_type="application/json")


async def _stream(
    name: RepositoryName, first: Sequence[TagName], batches: AsyncIterator[Sequence[TagName]]
) -> AsyncIterator[bytes]:
    """Write the same document as `_answer`, a batch at a time: memory stays bounded however many tags there are."""
    yield b'{"name":%s,"tags":[%s' % (orjson.dumps(name), orjson.dumps(first)[1:-1])
    async for batch in batches:
        yield b"," + orjson.dumps(batch)[1:-1]
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
        message = "`last` must be a tag, the last one of the page before."
        raise QueryInvalid(message) from None
