# SPDX-License-Identifier: Apache-2.0
"""Bodies of requests: bounded, of one type, and JSON that every reader understands alike."""

import json
from typing import Final, Never

from wharfinger.domain.errors import ManifestTooLarge
from wharfinger.management_api.problems import BadRequest
from wharfinger.web.bodies import Body, ClientGone, ClientStalled
from wharfinger.web.requests import Visit

LARGEST: Final = 256 * 1024
DEEPEST: Final = 16
JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"


async def read(body: Body, visit: Visit, method: str, *, takes: bool) -> bytes:
    """Return the body of a request.

    Args:
        body: what comes.
        visit: the request.
        method: only `PATCH` takes merge patches.
        takes: whether the endpoint takes one.

    Raises:
        BadRequest: it takes none, or not this one.
    """
    try:
        content = await body.whole(LARGEST)
    except ManifestTooLarge:
        message = f"The body has more than {LARGEST} bytes, which is the limit of this API."
        raise BadRequest(413, "body-too-large", message) from None
    except ClientStalled:
        raise BadRequest(408, "body-stalled", "The body stopped coming; send the request again.") from None
    except ClientGone:
        raise BadRequest(400, "body-incomplete", "The body ended before its end; send the request again.") from None
    if not takes:
        if content:
            raise BadRequest(400, "body-unreadable", "This endpoint takes no body; send none.")
        return content
    _check_type(visit, method)
    _check_content(content)
    return content


def _check_type(visit: Visit, method: str) -> None:
    encoding = (visit.header(b"content-encoding") or "identity").strip().lower()
    if encoding != "identity":
        message = "The body has a content encoding; send it as it is."
        raise BadRequest(415, "media-type-unsupported", message)
    accepted = (JSON, MERGE_PATCH) if method == "PATCH" else (JSON,)
    stated, _, parameters = (visit.header(b"content-type") or "").partition(";")
    charset = parameters.strip().lower().replace('"', "")
    if stated.strip().lower() not in accepted or charset not in {"", "charset=utf-8"}:
        message = f"The body must be JSON in UTF-8: send it with Content-Type: {' or '.join(accepted)}."
        raise BadRequest(415, "media-type-unsupported", message)


def _check_content(content: bytes) -> None:
    """Refuse what two readers could understand differently, or what only costs."""
    try:
        text = content.decode("utf-8")
        document: object = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
        if not isinstance(document, dict):
            _refuse("it is not a JSON object")
        _check_depth(document)
    except UnicodeDecodeError as error:
        why = f"it is not UTF-8 (byte {error.start})"
    except RecursionError:
        why = "it is nested too deeply"
    except ValueError as error:
        why = str(error)[:200]
    else:
        return
    message = f"The body cannot be read: {why}."
    raise BadRequest(400, "body-unreadable", message)


def _check_depth(document: object) -> None:
    level, depth = [document], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            _refuse(f"it is nested more than {DEEPEST} levels deep")
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        _refuse("a key occurs twice in one object")
    return found


def _no_constant(name: str) -> object:
    _refuse(f"{name} is not JSON")


def _refuse(why: str) -> Never:
    raise ValueError(why)
