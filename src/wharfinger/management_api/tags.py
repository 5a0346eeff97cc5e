# SPDX-License-Identifier: Apache-2.0
"""Tags and manifests of a repository, as far as they are managed: pushed and pulled they are under `/v2/`."""

from datetime import datetime
from typing import Final

from wharfinger.domain.access import Action
from wharfinger.domain.digests import Digest
from wharfinger.domain.names import RepositoryName, TagName
from wharfinger.management_api.calls import OnRepository
from wharfinger.management_api.fields import (
    After,
    AfterNumber,
    DigestPath,
    RepositoryPath,
    Shown,
    Size,
    TagPath,
    time_of,
)
from wharfinger.management_api.paging import PAGE, Page, page
from wharfinger.management_api.routing import Calling, Route
from wharfinger.metadata.manifests import ManifestSummary


class ListedTag(Shown):
    """The name of a tag."""

    name: str


class Tag(Shown):
    """A tag, and the manifest that it names."""

    name: str
    digest: str
    media_type: str
    size: int
    """Bytes of the manifest itself."""


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


async def list_tags(call: Calling, name: RepositoryPath, size: Size = PAGE, last: After = None) -> Page[ListedTag]:
    """List the tags of a repository, by name."""
    found = await call.services.tags.list(call.registry, RepositoryName(name), last, size)
    return page(call, found, key=str, show=lambda tag: ListedTag(name=tag))


async def read_tag(call: Calling, name: RepositoryPath, tag: TagPath) -> Tag:
    """Show what a tag names."""
    found = await call.services.manifests.find(call.registry, RepositoryName(name), TagName(tag))
    return Tag(name=tag, digest=found.digest, media_type=found.media_type, size=found.size)


async def delete_tag(call: Calling, name: RepositoryPath, tag: TagPath) -> None:
    """Delete a tag; the manifest stays, and the history keeps where the tag was."""
    await call.services.tags.delete(call.registry, RepositoryName(name), TagName(tag), call.by)


async def list_manifests(
    call: Calling, name: RepositoryPath, size: Size = PAGE, last: AfterNumber = None
) -> Page[Manifest]:
    """List the manifests of a repository, the newest first."""
    found = await call.services.manifests.list(call.registry, RepositoryName(name), last, size)
    return page(call, found, key=lambda one: one.id, show=_show)


async def delete_manifest(call: Calling, name: RepositoryPath, digest: DigestPath) -> None:
    """Delete a manifest and every tag that names it."""
    await call.services.manifests.delete(call.registry, RepositoryName(name), Digest(digest), call.by)


def _show(one: ManifestSummary) -> Manifest:
    return Manifest(
        digest=one.digest,
        media_type=one.media_type,
        artifact_type=one.artifact_type,
        size=one.size,
        subject=one.subject,
        pushed_at=time_of(one.pushed_at),
    )


_PULL: Final = OnRepository(Action.PULL)
_DELETE: Final = OnRepository(Action.DELETE)
_TAGS: Final = "/repositories/{name:path}/-/tags"
_MANIFESTS: Final = "/repositories/{name:path}/-/manifests"
ROUTES: Final = (
    Route("GET", _TAGS, _PULL, list_tags),
    Route("GET", _TAGS + "/{tag}", _PULL, read_tag),
    Route("DELETE", _TAGS + "/{tag}", _DELETE, delete_tag, status=204, conflicts=True),
    Route("GET", _MANIFESTS, _PULL, list_manifests),
    Route("DELETE", _MANIFESTS + "/{digest}", _DELETE, delete_manifest, status=204, conflicts=True),
)
