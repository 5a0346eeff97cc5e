# SPDX-License-Identifier: Apache-2.0
"""The door of the management API: from a request to a handler that may answer it, and from an error to a problem.

Match, parse, recognise, decide, read, act: in this order, so that no body is read of who may not send it.
"""

import asyncio
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope

from wharfinger.domain.access import Access, Action
from wharfinger.domain.errors import Denied, EndpointUnknown, NameInvalid, Unauthenticated, WharfingerError
from wharfinger.domain.sentences import Sentence
from wharfinger.management_api import bodies, problems
from wharfinger.management_api.calls import PREFIX, Call, Everybody, check_parameters, require
from wharfinger.management_api.problems import BadRequest
from wharfinger.services import Services
from wharfinger.web.access import tell_of_refusal
from wharfinger.web.authentication import Entrance
from wharfinger.web.bodies import Body
from wharfinger.web.requests import Visit
from wharfinger.web.routing import Limits

if TYPE_CHECKING:
    from wharfinger.management_api.site import Site

DOCUMENT: Final = "/openapi.json"


class ManagementAPI:
    """The door under `/api/v1`.

    Args:
        services: the use cases.
        limits: what one request may take.
        entrance: recognises callers; nothing where nobody is asked who they are.
    """

    def __init__(self, services: Services, limits: Limits, entrance: Entrance | None) -> None:
        self._services = services
        self._limits = limits
        self._entrance = entrance
        self._site: Site | None = None
        self._loading = asyncio.Lock()

    async def answer(self, scope: Scope, receive: Receive, visit: Visit) -> Response:
        """Answer a request."""
        try:
            return await self._answer(await self._ready(), scope, receive, visit)
        except BadRequest as problem:
            return problems.respond_to(problem, visit.request_id)
        except Denied as error:
            if scope["method"] not in {"GET", "HEAD"}:
                path = visit.path.partition("?")[0].removeprefix(PREFIX)
                await tell_of_refusal(self._services, visit, f"{scope['method']} {path}", error)
            return self.refusal(error, visit)
        except WharfingerError as error:
            return self.refusal(error, visit)

    def refusal(self, error: WharfingerError, visit: Visit | None) -> Response:
        """Return the answer to a request that did not get as far as a handler."""
        headers: dict[str, str] = {}
        if visit is not None and self._entrance is not None and isinstance(error, Unauthenticated):
            headers = self._entrance.challenge(visit, Access(Action.VISIT), error)
        return problems.respond(error, None if visit is None else visit.request_id, headers)

    def failure(self, request_id: str) -> Response:
        """Return the answer when something failed that nobody expected."""
        return problems.failure(request_id)

    async def _ready(self) -> "Site":
        """Return the endpoints, which are loaded with the first request, in a thread: pulls go on meanwhile."""
        if self._site is None:
            async with self._loading:
                if self._site is None:
                    self._site = await asyncio.to_thread(_load)
        return self._site

    async def _answer(self, site: "Site", scope: Scope, receive: Receive, visit: Visit) -> Response:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        path = _below(visit.path)
        asked = {**scope, "method": method, "path": path, "raw_path": path.encode(), "root_path": ""}
        matched = site.match(asked)
        visit.route = PREFIX + matched.route.path
        check_parameters(matched.parameters)
        registry = await self._services.registries.on_host(visit.header(b"host") or "", visit.client)
        if self._entrance is not None and not isinstance(matched.route.need, Everybody):
            visit.principal = await self._entrance.recognise(visit, registry)
        call = Call(
            visit=visit,
            services=self._services,
            registry=registry,
            parameters=matched.parameters,
            root=scope["root_path"],
            path=visit.path.partition("?")[0].removeprefix(PREFIX),
            query=scope["query_string"].decode("latin-1"),
        )
        if "registry" in matched.parameters and not visit.principal.is_anonymous:
            call.registry = await self._services.registries.named(matched.parameters["registry"])
        await require(matched.route.need, call)
        site.check_query(call.query, matched.queries)
        content = await bodies.read(
            Body(receive, self._limits.body_deadline, visit), visit, method, takes=matched.takes_body
        )
        if path == DOCUMENT:
            return Response(site.openapi(call.root), media_type="application/json")
        answer = await site.run(asked, content, call)
        if call.stream is not None and scope["method"] != "HEAD":
            return StreamingResponse(call.stream, headers={"Cache-Control": "no-store", **call.headers})
        return answer


def _load() -> "Site":
    from wharfinger.management_api.site import Site  # noqa: PLC0415 - see `_ready`

    return Site()


def _below(path: str) -> str:
    """Return the path below the prefix, decoded part by part.

    Raises:
        EndpointUnknown: it is not below the prefix.
        NameInvalid: a part holds a slash, or is not UTF-8.
    """
    sent = path.partition("?")[0]
    if not sent.startswith(f"{PREFIX}/"):
        message = Sentence(
            "The path is no endpoint of the management API; %(prefix)s%(document)s lists them.",
            prefix=PREFIX,
            document=DOCUMENT,
        )
        raise EndpointUnknown(message)
    try:
        parts = [unquote_to_bytes(part).decode("utf-8") for part in sent[len(PREFIX) :].split("/")]
    except UnicodeDecodeError:
        message = Sentence("The path cannot be read: it must be UTF-8.")
        raise NameInvalid(message) from None
    if any("/" in part or not part.isprintable() for part in parts):
        message = Sentence(
            "The path cannot be read: no part of it may hold an encoded slash, or what cannot be printed."
        )
        raise NameInvalid(message)
    return "/".join(parts)
