# SPDX-License-Identifier: Apache-2.0
"""Manifests of a repository, as far as they are managed: pushed and pulled they are under `/v2/`."""

from datetime import datetime
from typing import Final

from wharfinger.domain.access import Action
from wharfinger.domain.digests import Digest
from wharfinger.domain.names import RepositoryName
from wharfinger.management_api.calls import OnRepository
from wharfinger.management_api.fields import AfterNumber, DigestPath, RepositoryPath, Shown, Size, time_of
from wharfinger.management_api.paging import PAGE, Page, page
from wharfinger.management_api.routing import Calling, Route
from wharfinger.metadata.manifests import ManifestSummary


class Manifest(Shown):
    """A manifest."""

    digest: str
    media_type: str
    artifact_type: str | None
    size: int
    """Bytes of the manifest itself."""
    subject: str | None
    """The digest of the manifest that it is attached to."""
    pushed_at: datetime


class RestoredManifest(Shown):
    """A manifest that was restored."""

    digest: str
    tags: list[str]
    """Tags that were deleted with it, and are back too."""
    others: list[str]
    """Digests of manifests that it leads to, and that came back with it."""


async def list_manifests(
    call: Calling, name: RepositoryPath, size: Size = PAGE, last: AfterNumber = None
) -> Page[Manifest]:
    """List the manifests of a repository, the newest first."""
    found = await call.services.manifests.list(call.registry, RepositoryName(name), last, size)
    return page(call, found, key=lambda one: one.id, show=_show)


async def delete_manifest(call: Calling, name: RepositoryPath, digest: DigestPath) -> None:
    """Delete a manifest and every tag that names it; the trash keeps both for a while."""
    await call.services.manifests.delete(call.registry, RepositoryName(name), Digest(digest), call.by)


async def restore_manifest(call: Calling, name: RepositoryPath, digest: DigestPath) -> RestoredManifest:
    """Bring a deleted manifest back with all that it leads to, and with the tags that were deleted with it."""
    found = await call.services.manifests.restore(call.registry, RepositoryName(name), Digest(digest), call.by)
    return RestoredManifest(digest=found.digest, tags=list(found.tags), others=list(found.others))


def _show(one: ManifestSummary) -> Manifest:
    return Manifest(
        digest=one.digest,
        media_type=one.media_type,
        artifact_type=one.artifact_type,
        size=one.size,
        subject=one.subject,
        pushed_at=time_of(one.pushed_at),
    )


_DELETE: Final = OnRepository(Action.DELETE)
_MANIFESTS: Final = "/repositories/{name:path}/-/manifests"
_ONE: Final = _MANIFESTS + "/{digest}"
ROUTES: Final = (
    Route("GET", _MANIFESTS, OnRepository(Action.PULL), list_manifests),
    Route("DELETE", _ONE, _DELETE, delete_manifest, status=204, conflicts=True),
    Route("POST", _ONE + "/restore", _DELETE, restore_manifest, conflicts=True),
)
