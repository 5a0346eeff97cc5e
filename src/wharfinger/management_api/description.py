# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document: what the toolkit finds out from the handlers, and what holds for all of them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI

from wharfinger.management_api import problems
from wharfinger.management_api.calls import Everybody, OnRepository
from wharfinger.management_api.routing import Route

TITLE: Final = "Wharfinger management API"
VERSION: Final = "1"
TEXT: Final = """\
Accounts, organizations, teams, robots, credentials, roles, repositories and registries of a container registry.

Sign in with `Authorization: Bearer TOKEN`, a personal access token, or with `Basic`: a name and a password, or an
access key's id and secret. Cookies are not looked at. What you may not know answers as what does not exist: 404.

Lists come in pages: `n` says how many items, `next` and the header `Link` lead to the next page. A change may carry
`If-Match` with the `ETag` of what you read: then it is refused with 412 if somebody else was faster. Every error is a
problem (RFC 9457) with a sentence that says what would be right.
"""
_COMMON: Final = (400, 401, 429, 500, 503)
_MEANINGS: Final = {
    400: "The request cannot be read, or a parameter cannot be taken.",
    401: "Nobody is signed in, or what was shown is wrong or has ended; `WWW-Authenticate` says how to sign in.",
    403: "You may not do it; the detail says what is needed.",
    404: "There is no such thing, or you may not know of it.",
    408: "The body stopped coming.",
    409: "Things stand against it as they are; the detail says what.",
    412: "It is not as you saw it.",
    413: "The body is too large.",
    415: "The body is not JSON in UTF-8.",
    422: "Fields of the body cannot be taken; `errors` names each.",
    429: "Too many attempts to sign in; wait for as long as `Retry-After` says.",
    500: "The registry failed; its log says more under the request id.",
    503: "Something that the registry needs does not answer; try again after `Retry-After`.",
}
_PROBLEM: Final = {
    "type": "object",
    "title": "Problem",
    "description": "What was wrong, and what would be right (RFC 9457).",
    "required": ["type", "title", "status", "detail", "request_id"],
    "properties": {
        "type": {
            "type": "string",
            "description": "Which problem: a path that explains it.",
            "examples": [f"{problems.TYPES}account-unknown"],
        },
        "title": {"type": "string", "examples": ["Not Found"]},
        "status": {"type": "integer", "examples": [404]},
        "detail": {"type": "string", "examples": ["There is no account 'bob'."]},
        "request_id": {
            "type": ["string", "null"],
            "description": "Under which the log says more.",
            "examples": ["5f1e0c9a77b2-1a"],
        },
        "errors": {
            "type": "array",
            "description": "What is wrong with single fields or parameters.",
            "items": {
                "type": "object",
                "required": ["detail"],
                "properties": {
                    "detail": {"type": "string"},
                    "pointer": {"type": "string", "description": "A JSON pointer into the body."},
                    "parameter": {"type": "string", "description": "A parameter of the path or the query."},
                },
            },
        },
    },
}
_SCHEMES: Final = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "A personal access token with the scope that the endpoint needs.",
    },
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "A name and a password or token, or the id and the secret of an access key.",
    },
}
_IF_MATCH: Final = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "The `ETag` of what you read: the change is refused if it is not so any more.",
}
Document = dict[str, Any]


def problems_of(route: Route) -> dict[int | str, dict[str, Any]]:
    """Return the errors that an endpoint may answer with, besides those that its body adds."""
    return {status: _answer(status) for status in _statuses(route)}


def document(app: FastAPI, routes: Sequence[Route]) -> Document:
    """Return the description of every endpoint."""
    found = app.openapi()
    components = found.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = _PROBLEM
    components["schemas"] = dict(sorted(schemas.items()))
    components["securitySchemes"] = _SCHEMES
    for route in routes:
        _complete(operation_of(found, route), route)
    found["security"] = [{"token": []}, {"basic": []}]
    return found


def operation_of(found: Mapping[str, Any], route: Route) -> Document:
    """Return the description of one endpoint."""
    operation: Document = found["paths"][route.path.replace(":path}", "}")][route.method.lower()]
    return operation


def queries_of(found: Mapping[str, Any], route: Route) -> Iterator[str]:
    """Return the names of the parameters that the query of an endpoint may have."""
    for parameter in operation_of(found, route).get("parameters", ()):
        if parameter["in"] == "query":
            yield parameter["name"]


def _complete(operation: Document, route: Route) -> None:
    answers: Document = operation["responses"]
    answers.pop("422", None)
    if "requestBody" in operation:
        for status in (408, 413, 415, 422):
            answers[str(status)] = _answer(status)
    operation["responses"] = dict(sorted(answers.items()))
    if route.media_types:
        answers["200"]["content"] = {one: {"schema": {"type": "string"}} for one in route.media_types}
    if route.conditional:
        operation.setdefault("parameters", []).append(_IF_MATCH)
    if isinstance(route.need, Everybody):
        operation["security"] = []
    elif isinstance(route.need, OnRepository) and route.method == "GET":
        operation["security"] = [{"token": []}, {"basic": []}, {}]


def _statuses(route: Route) -> Iterator[int]:
    if isinstance(route.need, Everybody):
        yield from (400, 500)
        if "{" in route.path:
            yield 404
        return
    yield from _COMMON
    yield 403
    if "{" in route.path:
        yield 404
    if route.conflicts:
        yield 409
    if route.conditional:
        yield 412


def _answer(status: int) -> Document:
    reference = {"$ref": "#/components/schemas/Problem"}
    return {"description": _MEANINGS[status], "content": {problems.MEDIA_TYPE: {"schema": reference}}}
