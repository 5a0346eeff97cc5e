# SPDX-License-Identifier: Apache-2.0
"""From a meaning to a status and one of the specification's codes: the only such table.

Codes that make clients try again (`UNKNOWN`, `UNAVAILABLE`, `TOOMANYREQUESTS`, `BLOB_UPLOAD_INVALID`) stand only for
what trying again may mend.
"""

from collections.abc import Mapping
from typing import Final

import orjson
from starlette.responses import Response

from wharfinger.domain import errors
from wharfinger.domain.errors import WharfingerError

TABLE: Final[Mapping[type[WharfingerError], tuple[int, str]]] = {
    errors.NameUnknown: (404, "NAME_UNKNOWN"),
    errors.ManifestUnknown: (404, "MANIFEST_UNKNOWN"),
    errors.BlobUnknown: (404, "BLOB_UNKNOWN"),
    errors.UploadUnknown: (404, "BLOB_UPLOAD_UNKNOWN"),
    errors.ManifestBlobUnknown: (404, "MANIFEST_BLOB_UNKNOWN"),
    errors.EndpointUnknown: (404, "UNSUPPORTED"),
    errors.AccountUnknown: (404, "UNSUPPORTED"),
    errors.NamespaceUnknown: (404, "UNSUPPORTED"),
    errors.RegistryUnknown: (404, "UNSUPPORTED"),
    errors.HostUnknown: (404, "NAME_UNKNOWN"),
    errors.NameInvalid: (400, "NAME_INVALID"),
    errors.DigestInvalid: (400, "DIGEST_INVALID"),
    errors.DigestMismatch: (400, "DIGEST_INVALID"),
    errors.TagInvalid: (400, "MANIFEST_INVALID"),
    errors.ManifestInvalid: (400, "MANIFEST_INVALID"),
    errors.SizeInvalid: (400, "SIZE_INVALID"),
    errors.QueryInvalid: (400, "UNSUPPORTED"),
    errors.HeaderInvalid: (400, "UNSUPPORTED"),
    errors.EncodingUnsupported: (415, "UNSUPPORTED"),
    errors.BlobTooLarge: (413, "SIZE_INVALID"),
    errors.ManifestTooLarge: (413, "MANIFEST_INVALID"),
    errors.AccountInvalid: (400, "UNSUPPORTED"),
    errors.RegistryInvalid: (400, "UNSUPPORTED"),
    errors.RuleInvalid: (400, "UNSUPPORTED"),
    errors.RepositoryInvalid: (400, "UNSUPPORTED"),
    errors.RangeUnsatisfiable: (416, "SIZE_INVALID"),
    errors.UploadOutOfOrder: (416, "BLOB_UPLOAD_INVALID"),
    errors.UploadBusy: (416, "BLOB_UPLOAD_INVALID"),
    errors.Unauthenticated: (401, "UNAUTHORIZED"),
    errors.CredentialInvalid: (401, "UNAUTHORIZED"),
    errors.TokenTooNarrow: (401, "UNAUTHORIZED"),
    errors.SignOnFailed: (403, "DENIED"),
    errors.SignOnDenied: (403, "DENIED"),
    errors.FormRefused: (403, "DENIED"),
    errors.TooManyAttempts: (429, "TOOMANYREQUESTS"),
    errors.Denied: (403, "DENIED"),
    errors.AccountConflict: (403, "DENIED"),
    errors.RegistryConflict: (403, "DENIED"),
    errors.TagImmutable: (403, "DENIED"),
    errors.KindSwitchedOff: (403, "DENIED"),
    errors.NameTaken: (403, "DENIED"),
    errors.ContentGone: (403, "DENIED"),
    errors.PreconditionFailed: (412, "DENIED"),
    errors.MethodUnsupported: (405, "UNSUPPORTED"),
    errors.DeletionDisabled: (405, "UNSUPPORTED"),
    errors.ReadOnly: (405, "UNSUPPORTED"),
    errors.UpkeepDisabled: (405, "UNSUPPORTED"),
    errors.StillReferenced: (405, "UNSUPPORTED"),
    errors.SignInUnready: (503, "UNAVAILABLE"),
    errors.StoreUnavailable: (503, "UNAVAILABLE"),
    errors.DatabaseUnavailable: (503, "UNAVAILABLE"),
    errors.StoreFull: (503, "UNAVAILABLE"),
    errors.UpkeepBusy: (503, "UNAVAILABLE"),
    errors.OutboundRefused: (503, "UNAVAILABLE"),
    errors.OutboundFailed: (503, "UNAVAILABLE"),
}


def respond(error: WharfingerError, headers: Mapping[str, str] | None = None) -> Response:
    """Return the answer for an error: the specification's JSON, its status, and the headers that go with it."""
    status, code = TABLE[type(error)]
    return Response(
        orjson.dumps({"errors": _entries(error, code)}),
        status_code=status,
        headers={**_headers(error), **(headers or {})},
        media_type="application/json",
    )


def failure(request_id: str) -> Response:
    """Return the answer when something failed that nobody expected."""
    message = f"The registry failed; its log says more under the request id {request_id}."
    entry = {"code": "UNKNOWN", "message": message}
    return Response(orjson.dumps({"errors": [entry]}), status_code=500, media_type="application/json")


def stalled() -> Response:
    """Return the answer to a client that stopped sending; it may resume."""
    entry = {"code": "BLOB_UPLOAD_INVALID", "message": "The request's body stopped coming; resume the upload."}
    return Response(orjson.dumps({"errors": [entry]}), status_code=408, media_type="application/json")


def broken_off() -> Response:
    """Return the answer to a request whose body ends before its end; a client that has gone will not read it."""
    message = "The body ended before its end, or its chunks cannot be read; what arrived before that may be resumed."
    entry = {"code": "SIZE_INVALID", "message": message}
    return Response(orjson.dumps({"errors": [entry]}), status_code=400, media_type="application/json")


def _entries(error: WharfingerError, code: str) -> list[dict[str, object]]:
    if isinstance(error, errors.ManifestBlobUnknown):
        return [{"code": code, "message": error.message, "detail": {"digest": digest}} for digest in error.missing]
    entry: dict[str, object] = {"code": code, "message": error.message}
    if error.detail is not None:
        entry["detail"] = dict(error.detail)
    return [entry]


def _headers(error: WharfingerError) -> dict[str, str]:
    if isinstance(error, errors.MethodUnsupported):
        return {"Allow": ", ".join(error.allowed)}
    if isinstance(error, errors.Unavailable | errors.TooManyAttempts):
        return {"Retry-After": str(error.retry_after)}
    if isinstance(error, errors.RangeUnsatisfiable):
        return {"Content-Range": f"bytes */{error.size}"}
    return {}
