# SPDX-License-Identifier: Apache-2.0
"""end-12a, end-12b: manifests that name a subject. Never 404, and always exactly the media type of an index."""

from starlette.responses import Response

from wharfinger.distribution_api.headers import link_to_next
from wharfinger.distribution_api.queries import Query
from wharfinger.domain.digests import parse_digest
from wharfinger.domain.errors import DigestInvalid, QueryInvalid
from wharfinger.domain.manifests import OCI_INDEX
from wharfinger.domain.sentences import Sentence
from wharfinger.web.routing import Call

_HEAD = b'{"schemaVersion":2,"mediaType":"%s","manifests":[' % OCI_INDEX.encode()


async def list_referrers(call: Call) -> Response:
    """List the referrers of a subject, of all artifact types or of the ones asked for."""
    subject = parse_digest(call.parameter)
    query = Query(call.scope)
    artifact_types = _artifact_types(query)
    page = await call.services.manifests.referrers(call.registry, call.name, subject, artifact_types, _position(query))
    body = _HEAD + ",".join(descriptor for _, descriptor in page.items).encode() + b"]}"
    answer = Response(body, headers={"Content-Type": OCI_INDEX})
    if artifact_types:
        answer.headers["OCI-Filters-Applied"] = "artifactType"
    if page.more:
        parameters = {"last": page.items[-1][0], "artifactType": artifact_types}
        answer.headers["Link"] = link_to_next(call.path("referrers", subject), parameters)
    return answer


def _artifact_types(query: Query) -> list[str]:
    artifact_types = [one for one in query.every("artifactType") if one]
    if not all(one.isprintable() for one in artifact_types):
        message = Sentence("`artifactType` must be a media type: printable characters only.")
        raise QueryInvalid(message)
    return artifact_types


def _position(query: Query) -> str | None:
    text = query.one("last")
    if not text:
        return None
    try:
        return parse_digest(text)
    except DigestInvalid:
        message = Sentence("`last` must be a digest, the last one of the page before.")
        raise QueryInvalid(message) from None
