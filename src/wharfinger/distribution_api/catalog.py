# SPDX-License-Identifier: Apache-2.0
"""end-1 `GET /v2/`, the version check; `GET /v2/_catalog`; and the list of extensions."""

import orjson
from starlette.responses import Response

from wharfinger.distribution_api.headers import link_to_next
from wharfinger.distribution_api.queries import Query
from wharfinger.domain.errors import NameInvalid, QueryInvalid
from wharfinger.domain.names import parse_repository_name
from wharfinger.domain.sentences import Sentence
from wharfinger.web.routing import Call

DEFAULT_PAGE = 100


async def version(call: Call) -> Response:  # noqa: ARG001 - reaching it is the answer
    """Say that this is a registry, and that the caller may speak to it."""
    return _json(b"{}")


async def repositories(call: Call) -> Response:
    """List the repositories that the caller may pull from, sorted by bytes."""
    query = Query(call.scope)
    maximum = call.limits.catalog_page
    limit = query.limit(default=min(DEFAULT_PAGE, maximum), maximum=maximum)
    sight = await call.services.authorization.sight(call.visit.principal, to_list=True)
    page = await call.services.repositories.catalog(call.registry, _position(query), limit, sight)
    answer = _json(orjson.dumps({"repositories": page.items}))
    if page.more:
        answer.headers["Link"] = link_to_next(
            f"{call.scope['root_path']}/v2/_catalog", {"n": str(limit), "last": page.items[-1]}
        )
    return answer


async def extensions(call: Call) -> Response:  # noqa: ARG001 - the same for every repository
    """List the extensions of the protocol that this registry has: none so far."""
    return _json(b'{"extensions":[]}')


def _position(query: Query) -> str | None:
    text = query.one("last")
    if not text:
        return None
    try:
        return parse_repository_name(text)
    except NameInvalid:
        message = Sentence("`last` must be a repository name, the last one of the page before.")
        raise QueryInvalid(message) from None


def _json(content: bytes) -> Response:
    return Response(content, media_type="application/json")
