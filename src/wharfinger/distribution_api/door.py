# SPDX-License-Identifier: Apache-2.0
"""The door of the protocol: from a request to the handler of its route, and from an error to the spec's answer."""

from typing import Final
from urllib.parse import unquote

from starlette.responses import Response
from starlette.types import Receive, Scope

from wharfinger.distribution_api import errors
from wharfinger.distribution_api.manifests import tags_set
from wharfinger.distribution_api.queries import Query
from wharfinger.distribution_api.routes import ROUTES
from wharfinger.distribution_api.uploads import standing_headers
from wharfinger.domain.access import Access
from wharfinger.domain.digests import parse_digest
from wharfinger.domain.errors import EndpointUnknown, Unauthenticated, UploadOutOfOrder, WharfingerError
from wharfinger.domain.names import RepositoryName, parse_repository_name
from wharfinger.domain.sentences import Sentence
from wharfinger.services import Services
from wharfinger.services.cache import ContentCache
from wharfinger.services.registries import Registry
from wharfinger.web.authentication import Entrance
from wharfinger.web.bodies import Body, ClientGone, ClientStalled
from wharfinger.web.requests import Visit
from wharfinger.web.routing import Call, Limits, Router

PREFIX: Final = "/v2/"
_ANSWERS: Final = 16 * 1024 * 1024
_ANSWER: Final = 1024 * 1024


class DistributionAPI:
    """The door under `/v2/`.

    Args:
        services: the use cases.
        limits: what one request may take.
        entrance: recognises callers; nothing where nobody is asked who they are.
    """

    def __init__(self, services: Services, limits: Limits, entrance: Entrance | None) -> None:
        self._services = services
        self._router = Router(ROUTES)
        self._limits = limits
        self._entrance = entrance
        self._answers = ContentCache(max_bytes=_ANSWERS, max_item=_ANSWER)

    async def answer(self, scope: Scope, receive: Receive, visit: Visit) -> Response:
        """Answer a request."""
        try:
            return await self._answer(scope, Body(receive, self._limits.body_deadline, visit), visit)
        except WharfingerError as error:
            return errors.respond(error)
        except ClientStalled:
            return errors.stalled()
        except ClientGone:
            return errors.broken_off()

    def refusal(self, error: WharfingerError, visit: Visit | None) -> Response:  # noqa: ARG002 - the door's interface
        """Return the answer to a request that did not get as far as a handler."""
        return errors.respond(error)

    def failure(self, request_id: str) -> Response:
        """Return the answer when something failed that nobody expected."""
        return errors.failure(request_id)

    async def _answer(self, scope: Scope, body: Body, visit: Visit) -> Response:
        """Match, parse, decide, act: in this order, so that a malformed name is refused before any look-up."""
        match = self._router.match(scope["method"], _below(visit.path))
        visit.route = match.route.path or "/"
        name = RepositoryName("") if match.name is None else parse_repository_name(match.name)
        parameter = unquote(match.parameter) if "%" in match.parameter else match.parameter
        if match.route.takes_digest:
            parse_digest(parameter)
        access = Access(match.route.action, name or None)
        if match.route.sets_tags:
            access = access._replace(tags=tags_set(parameter, Query(scope)))
        registry = await self._services.registries.on_host(visit.header(b"host") or "", visit.client)
        try:
            if self._entrance is not None:
                visit.principal = await self._entrance.recognise(visit, registry)
            await self._services.authorization.require(visit.principal, registry, access, visit.actor)
        except Unauthenticated as error:
            return self._challenged(visit, registry, access, error)
        call = Call(
            scope=scope,
            body=body,
            visit=visit,
            services=self._services,
            registry=registry,
            name=name,
            parameter=parameter,
            limits=self._limits,
            answers=self._answers,
        )
        try:
            return await match.route.handler(call)
        except UploadOutOfOrder as error:
            return errors.respond(error, standing_headers(call, error.upload_id, error.offset))

    def _challenged(self, visit: Visit, registry: Registry, access: Access, error: Unauthenticated) -> Response:
        """Ask for a credential, or for a better one."""
        headers = {} if self._entrance is None else self._entrance.challenge(visit, access, error, registry)
        return errors.respond(error, headers)


def _below(path: str) -> str:
    """Return the path below `/v2/`; `/v2` without its slash is the version check too."""
    if path.startswith(PREFIX):
        return path[len(PREFIX) :]
    if path == PREFIX[:-1]:
        return ""
    message = Sentence("The path is no endpoint of the distribution protocol.")
    raise EndpointUnknown(message)
