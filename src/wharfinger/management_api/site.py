# SPDX-License-Identifier: Apache-2.0
"""The toolkit behind the door: it matches paths, reads bodies and queries into fields, and describes all of it.

Loaded with the first request, because it takes longer to load than the rest of the server takes to start.
"""

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Never
from urllib.parse import parse_qsl

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Match
from starlette.types import Message, Scope

from wharfinger.domain.errors import EndpointUnknown, MethodUnsupported
from wharfinger.domain.secrecy import without_secrets
from wharfinger.domain.sentences import Sentence
from wharfinger.management_api import description
from wharfinger.management_api.calls import PREFIX, Call
from wharfinger.management_api.problems import BadRequest, FieldError
from wharfinger.management_api.routes import ROUTES
from wharfinger.management_api.routing import Route
from wharfinger.web.responses import Content

_MOST_QUERY: Final = 8 * 1024
_LONGEST_STEP: Final = 60
"""Of a name that a client chose and an answer repeats."""
_LONGEST_POINTER: Final = 300


@dataclass(frozen=True, slots=True)
class Matched:
    """The route of a request, and what stands for the parameters of its path."""

    route: Route
    parameters: Mapping[str, str]
    takes_body: bool
    queries: frozenset[str]
    """Names of the parameters that its query may have."""


class Site:
    """Every endpoint, ready to answer."""

    def __init__(self) -> None:
        self._app = _build()
        self.document = description.document(self._app, ROUTES)
        self._written: dict[str, bytes] = {}
        self._matched: list[tuple[APIRoute, Route, bool, frozenset[str]]] = []
        routes = [one for one in self._app.routes if isinstance(one, APIRoute)]
        for ours, theirs in zip(ROUTES, routes, strict=True):
            self._matched.append((theirs, ours, theirs.body_field is not None, _queries(self.document, ours)))

    def match(self, scope: Scope) -> Matched:
        """Return the route of a request.

        Raises:
            EndpointUnknown: the path is no endpoint.
            MethodUnsupported: it is one, but not for this method.
        """
        allowed: set[str] = set()
        for theirs, ours, takes_body, queries in self._matched:
            found, child = theirs.matches(scope)
            if found is Match.FULL:
                parameters = {name: str(value) for name, value in child["path_params"].items()}
                if "/-/" in f"/{parameters.get('name', '')}/":
                    break  # what follows `/-/` was matched before, or is nothing
                return Matched(ours, parameters, takes_body, queries)
            if found is Match.PARTIAL:
                allowed.add(ours.method)
        if allowed:
            allowed |= {"HEAD"} if "GET" in allowed else set()
            message = Sentence(
                "%(scope)s does not exist here; this path takes %(known)s.",
                scope=scope["method"][:20],
                known=", ".join(sorted(allowed)),
            )
            raise MethodUnsupported(message, sorted(allowed))
        message = Sentence(
            "The path is no endpoint of the management API; %(prefix)s/openapi.json lists them.", prefix=PREFIX
        )
        raise EndpointUnknown(message)

    async def run(self, scope: Scope, body: bytes, call: Call) -> Content:
        """Return what the handler of a request that was allowed answers.

        Raises:
            BadRequest: fields of the body or the query cannot be taken.
        """
        sent = [{"type": "http.request", "body": body, "more_body": False}]
        parts: list[bytes] = []
        start: Message = {}

        async def receive() -> Message:
            return sent.pop() if sent else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            start.update(message) if message["type"] == "http.response.start" else parts.append(message["body"])

        await self._app({**scope, "state": {"call": call}}, receive, send)
        headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
        content = b"".join(parts)
        headers += [(name.lower().encode(), value.encode()) for name, value in call.headers.items()]
        headers += [(b"cache-control", b"no-store"), (b"content-length", str(len(content)).encode())]
        return Content(content, headers, int(start["status"]))

    def openapi(self, root: str) -> bytes:
        """Return the description of the API, as it lies under a path."""
        if root not in self._written:
            document = copy.copy(self.document)
            document["servers"] = [{"url": f"{root}{PREFIX}"}]
            self._written[root] = orjson.dumps(document)
        return self._written[root]

    @staticmethod
    def check_query(query: str, known: frozenset[str]) -> None:
        """Return if the query names only parameters that the endpoint has, each once.

        Raises:
            BadRequest: it does not, or cannot be read.
        """
        try:
            pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=50) if query else []
        except ValueError:
            raise BadRequest(400, "parameters-invalid", "The query cannot be read: it must be UTF-8.") from None
        names = [name for name, _ in pairs]
        wrong = [
            FieldError(
                f"there is no such parameter here; known are: {', '.join(sorted(known)) or 'none'}",
                parameter=_step(name),
            )
            for name in dict.fromkeys(names)
            if name not in known
        ]
        wrong += [
            FieldError("it comes more than once", parameter=name)
            for name in dict.fromkeys(names)
            if name in known and names.count(name) > 1
        ]
        if wrong or len(query) > _MOST_QUERY:
            raise BadRequest(400, "parameters-invalid", "The query cannot be taken.", wrong[:10])


def _build() -> FastAPI:
    app = FastAPI(
        title=description.TITLE,
        version=description.VERSION,
        description=description.TEXT,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={
            "auto_configure": False,
            "tracing": False,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
        },
    )
    app.add_exception_handler(RequestValidationError, _refuse_fields)
    app.add_exception_handler(HTTPException, _refuse)
    for route in ROUTES:
        app.add_api_route(
            route.path,
            route.handler,
            methods=[route.method],
            status_code=route.status,
            operation_id=route.handler.__name__,
            tags=[route.handler.__module__.rpartition(".")[2].replace("_", " ")],
            responses=description.problems_of(route),
        )
    return app


async def _refuse(_request: Request, error: Exception) -> Never:
    """Pass on what the toolkit itself refuses: the bytes were read before, so it is the form of the body."""
    detail = error.detail if isinstance(error, HTTPException) else "it cannot be read"
    raise BadRequest(400, "body-unreadable", f"The body cannot be read: {detail}.") from None


async def _refuse_fields(_request: Request, error: Exception) -> Never:
    """Say what is wrong with which field; what was sent is never repeated, it may be a secret."""
    found = error.errors() if isinstance(error, RequestValidationError) else []
    fields = [_field_error(tuple(one["loc"]), str(one["msg"])) for one in found[:20]]
    if any(one.parameter is not None for one in fields):
        raise BadRequest(400, "parameters-invalid", "A parameter of the path or the query cannot be taken.", fields)
    raise BadRequest(422, "fields-invalid", "Fields of the body cannot be taken.", fields)


def _field_error(place: tuple[int | str, ...], message: str) -> FieldError:
    detail = re.sub(r"^Value error, ", "", message)
    where, *rest = place
    if where == "body":
        steps = (_step(str(step)).replace("~", "~0").replace("/", "~1") for step in rest)
        return FieldError(detail, pointer="".join(f"/{step}" for step in steps)[:_LONGEST_POINTER])
    return FieldError(detail, parameter=".".join(_step(str(step)) for step in rest)[:_LONGEST_POINTER])


def _step(text: str) -> str:
    """Return a name that a client chose, as an answer may repeat it: short, printable, and no secret."""
    plain = without_secrets(text)
    shown = "".join(character if character.isprintable() else "?" for character in plain)
    return shown if len(shown) <= _LONGEST_STEP else shown[: _LONGEST_STEP - 3] + "..."


def _queries(document: Mapping[str, object], route: Route) -> frozenset[str]:
    return frozenset(description.queries_of(document, route))
