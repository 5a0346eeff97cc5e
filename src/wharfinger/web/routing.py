# SPDX-License-Identifier: Apache-2.0
"""Routing for paths that contain names with slashes, and the place where access is enforced.

A repository name may contain `manifests`, `blobs` or `tags` as a part of its own, so a path is read from its right
end: the last parts say which endpoint it is, and all that is before them is the name. A route without a declared
action cannot be made; the handler runs only after the action was allowed.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from starlette.responses import Response
from starlette.types import Scope

from wharfinger.domain.access import Action
from wharfinger.domain.errors import EndpointUnknown, MethodUnsupported
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.sentences import Sentence
from wharfinger.services import Services
from wharfinger.services.cache import ContentCache
from wharfinger.services.registries import Registry
from wharfinger.web.bodies import Body
from wharfinger.web.requests import Visit

NAME = "{name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the operator allows one request.

    Args:
        body_deadline: seconds in which a request body must make progress.
        catalog_page: repositories on one page of the catalog.
        tags_page: tags on one page.
    """

    body_deadline: float
    catalog_page: int
    tags_page: int


@dataclass(slots=True, kw_only=True)
class Call:
    """A request on its way into a handler: matched, recognised, and allowed."""

    scope: Scope
    body: Body
    visit: Visit
    services: Services
    registry: Registry
    name: RepositoryName
    """Empty for an endpoint of the registry itself."""
    parameter: str
    """The last part of the path, decoded; empty where the path has none."""
    limits: Limits
    answers: ContentCache
    """Whole answers that are costly to make, under names that change with what they show."""

    def path(self, *parts: str) -> str:
        """Return the path of something in this repository, without host, so that it holds behind every proxy."""
        return "/".join((f"{self.scope['root_path']}/v2/{self.name}", *parts))


Handler = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """One row of a door's table.

    Args:
        method: the HTTP method; `HEAD` is a row of its own.
        path: after the door's prefix; `{name}` is a repository name, any other `{…}` is one part.
        action: what the caller must be allowed to do to the repository, or, without a name, to the registry.
        handler: the function that answers.
    """

    method: str
    path: str
    action: Action
    handler: Handler
    takes_digest: bool = field(init=False)
    """Whether the last part must be a digest: one that is none is refused before anybody is asked who they are."""
    sets_tags: bool = field(init=False)
    """Whether it pushes under a tag, so that what is allowed may depend on which."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "takes_digest", self.path.endswith("{digest}"))
        object.__setattr__(self, "sets_tags", self.action is Action.PUSH and self.path.endswith("{reference}"))


class Match(NamedTuple):
    """A route, and the texts that stand for its parameters; a tuple, because every request makes one."""

    route: Route
    name: str | None
    parameter: str


@dataclass(slots=True)
class _Endpoint:
    path: str
    tail: tuple[str, ...]
    routes: dict[str, Route] = field(default_factory=dict)

    def literals(self) -> int:
        return sum(not part.startswith("{") for part in self.tail)


class Router:
    """Finds the route of a path; at most one endpoint matches any path."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._fixed: dict[str, _Endpoint] = {}
        self._tails: dict[str, list[_Endpoint]] = {}
        for route in routes:
            self._add(route)
        for endpoints in self._tails.values():
            endpoints.sort(key=_Endpoint.literals, reverse=True)

    def match(self, method: str, path: str) -> Match:
        """Return the route for a path without the door's prefix.

        Raises:
            EndpointUnknown: the path is no endpoint.
            MethodUnsupported: it is one, but not for this method.
        """
        endpoint = self._fixed.get(path)
        if endpoint is not None:
            return Match(_choose(endpoint, method), None, "")
        rest, _, last = path.rpartition("/")
        name, _, second = rest.rpartition("/")
        for endpoint in self._tails.get(second, ()):
            found = _read(endpoint.tail, name, last)
            if found is not None:
                return Match(_choose(endpoint, method), *found)
        message = Sentence("The path is no endpoint of the distribution protocol.")
        raise EndpointUnknown(message)

    def _add(self, route: Route) -> None:
        if not route.path.startswith(NAME):
            self._fixed.setdefault(route.path, _Endpoint(route.path, ())).routes[route.method] = route
            return
        tail = tuple(route.path.split("/")[1:])
        endpoints = self._tails.setdefault(tail[-2], [])
        endpoint = next((one for one in endpoints if one.path == route.path), None)
        if endpoint is None:
            endpoint = _Endpoint(route.path, tail)
            endpoints.append(endpoint)
        endpoint.routes[route.method] = route


def _read(tail: Sequence[str], name: str, last: str) -> tuple[str, str] | None:
    """Return name and parameter if the end of the path is this tail, whose last but one part fits already."""
    if not tail[-1].startswith("{") and tail[-1] != last:
        return None
    if len(tail) > 2:  # noqa: PLR2004 - a third part from the right
        name, _, third = name.rpartition("/")
        if third != tail[-3]:
            return None
    return (name, last) if name else None


def _choose(endpoint: _Endpoint, method: str) -> Route:
    route = endpoint.routes.get(method)
    if route is None:
        allowed = sorted(endpoint.routes)
        message = Sentence(
            "%(method)s does not exist here; this path takes %(allowed)s.",
            method=method[:20],
            allowed=", ".join(allowed),
        )
        raise MethodUnsupported(message, allowed)
    return route


def inventory(routes: Sequence[Route]) -> Mapping[tuple[str, str], Action]:
    """Return the action of every method and path, for the tests and pages that list them."""
    return {(route.method, route.path): route.action for route in routes}
