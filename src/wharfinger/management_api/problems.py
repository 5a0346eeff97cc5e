# SPDX-License-Identifier: Apache-2.0
"""From a meaning to a problem: the only table of this door. Every error is `application/problem+json` (RFC 9457)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import orjson
from starlette.responses import Response

from wharfinger.domain import errors
from wharfinger.domain.errors import WharfingerError

MEDIA_TYPE: Final = "application/problem+json"
TYPES: Final = "/api/v1/problems/"
"""A problem's `type` is a link: below this path lies what each means."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field of a body, or with one parameter of the path or the query.

    Args:
        detail: what was wrong, or what would be right; never the value.
        pointer: where in the body, as a JSON pointer (RFC 6901).
        parameter: or the name of the parameter.
    """

    detail: str
    pointer: str | None = None
    parameter: str | None = None


class BadRequest(Exception):
    """A request that this door cannot take as it is.

    Args:
        status: of the answer.
        name: of the problem.
        detail: what was wrong, and what would be right.
        fields: what is wrong with single fields.
    """

    def __init__(self, status: int, name: str, detail: str, fields: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.name = name
        self.detail = detail
        self.fields = tuple(fields)


TABLE: Final[Mapping[type[WharfingerError], int]] = {
    errors.NameUnknown: 404,
    errors.ManifestUnknown: 404,
    errors.BlobUnknown: 404,
    errors.UploadUnknown: 404,
    errors.ManifestBlobUnknown: 404,
    errors.EndpointUnknown: 404,
    errors.AccountUnknown: 404,
    errors.NamespaceUnknown: 404,
    errors.RegistryUnknown: 404,
    errors.HostUnknown: 404,
    errors.NameInvalid: 400,
    errors.DigestInvalid: 400,
    errors.DigestMismatch: 400,
    errors.TagInvalid: 400,
    errors.ManifestInvalid: 400,
    errors.SizeInvalid: 400,
    errors.QueryInvalid: 400,
    errors.HeaderInvalid: 400,
    errors.EncodingUnsupported: 415,
    errors.BlobTooLarge: 413,
    errors.ManifestTooLarge: 413,
    errors.AccountInvalid: 400,
    errors.RegistryInvalid: 400,
    errors.RuleInvalid: 400,
    errors.RepositoryInvalid: 400,
    errors.RangeUnsatisfiable: 416,
    errors.UploadOutOfOrder: 416,
    errors.UploadBusy: 416,
    errors.Unauthenticated: 401,
    errors.CredentialInvalid: 401,
    errors.TokenTooNarrow: 401,
    errors.TooManyAttempts: 429,
    errors.Denied: 403,
    errors.SignOnFailed: 403,
    errors.SignOnDenied: 403,
    errors.FormRefused: 403,
    errors.AccountConflict: 409,
    errors.RegistryConflict: 409,
    errors.TagImmutable: 409,
    errors.KindSwitchedOff: 409,
    errors.NameTaken: 409,
    errors.ContentGone: 409,
    errors.PreconditionFailed: 412,
    errors.MethodUnsupported: 405,
    errors.DeletionDisabled: 409,
    errors.ReadOnly: 409,
    errors.StillReferenced: 409,
    errors.UpkeepDisabled: 409,
    errors.SignInUnready: 503,
    errors.StoreUnavailable: 503,
    errors.DatabaseUnavailable: 503,
    errors.StoreFull: 503,
    errors.UpkeepBusy: 503,
    errors.OutboundRefused: 503,
    errors.OutboundFailed: 503,
}
OWN: Final[Mapping[str, tuple[int, str]]] = {
    "body-unreadable": (400, "The body is no JSON that can be read in only one way."),
    "body-too-large": (413, "The body is larger than this API takes."),
    "body-incomplete": (400, "The body ended before its end."),
    "body-stalled": (408, "The body stopped coming."),
    "media-type-unsupported": (415, "The body is of a type, or with an encoding, that this API does not take."),
    "fields-invalid": (422, "The body was read, and a field of it cannot be taken."),
    "parameters-invalid": (400, "A parameter of the path or the query cannot be taken."),
    "failure": (500, "The registry failed; its log says more under the request id."),
}
"""Problems of the body and the query, which other doors have in other ways: status and meaning, by name."""


def respond(error: WharfingerError, request_id: str | None, headers: Mapping[str, str] | None = None) -> Response:
    """Return the answer for an error, with the headers that go with it."""
    status = status_of(type(error))
    return _answer(status, name_of(type(error)), error.message, request_id, {**_headers(error), **(headers or {})})


def respond_to(problem: BadRequest, request_id: str | None) -> Response:
    """Return the answer for a request that cannot be taken as it is."""
    return _answer(problem.status, problem.name, problem.detail, request_id, {}, problem.fields)


def failure(request_id: str) -> Response:
    """Return the answer when something failed that nobody expected."""
    status, detail = OWN["failure"]
    return _answer(status, "failure", detail, request_id, {})


def name_of(kind: type[WharfingerError]) -> str:
    """Return how a problem is called: the name of its class, in words."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind.__name__).lower()


def status_of(kind: type[WharfingerError]) -> int:
    """Return the status of an error; one of a class that is not in the table has that of the nearest above it."""
    return next((TABLE[one] for one in kind.__mro__ if one in TABLE), 400)


def meanings() -> Mapping[str, tuple[int, str]]:
    """Return status and meaning of every problem, by name."""
    ours = {name_of(kind): (status, (kind.__doc__ or "").partition("\n")[0]) for kind, status in TABLE.items()}
    return dict(sorted((ours | dict(OWN)).items()))


def _answer(
    status: int,
    name: str,
    detail: str,
    request_id: str | None,
    headers: Mapping[str, str],
    fields: Sequence[FieldError] = (),
) -> Response:
    content: dict[str, object] = {
        "type": TYPES + name,
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": _printable(detail),
        "request_id": request_id,
    }
    if fields:
        content["errors"] = [{key: value for key, value in _shown(one).items() if value is not None} for one in fields]
    return Response(orjson.dumps(content), status, {"Cache-Control": "no-store", **headers}, media_type=MEDIA_TYPE)


def _shown(field: FieldError) -> dict[str, str | None]:
    return {"pointer": field.pointer, "parameter": field.parameter, "detail": _printable(field.detail)}


def _printable(text: str) -> str:
    """Return the text without what no JSON can carry: a surrogate that stands alone."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _headers(error: WharfingerError) -> dict[str, str]:
    if isinstance(error, errors.MethodUnsupported):
        return {"Allow": ", ".join(error.allowed)}
    if isinstance(error, errors.Unavailable | errors.TooManyAttempts):
        return {"Retry-After": str(error.retry_after)}
    return {}
