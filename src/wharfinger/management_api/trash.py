# SPDX-License-Identifier: Apache-2.0
"""The trash: what was deleted and comes back, bringing it back, and ending its time.

What was deleted from a repository that is there is found under that repository. A deleted repository has no name any
more, for somebody else may have taken it: it has a number.
"""

from datetime import datetime
from typing import Annotated, Final

from fastapi import Path, Query
from pydantic import Field

from wharfinger.domain.access import Action
from wharfinger.domain.digests import Digest
from wharfinger.domain.errors import BlobUnknown, ManifestUnknown
from wharfinger.domain.management import Target, Task
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.sentences import Sentence
from wharfinger.domain.trash import Trashed, TrashEntry, TrashKind
from wharfinger.management_api.calls import (
    LONGEST_ID,
    Call,
    Managing,
    OnDeleted,
    OnRepository,
    require_on_repository,
)
from wharfinger.management_api.fields import (
    DigestPath,
    KnownRepository,
    Model,
    RegistryPath,
    RepositoryPath,
    Shown,
    Size,
    checked,
    time_of,
)
from wharfinger.management_api.paging import PAGE, Page, page
from wharfinger.management_api.routing import Calling, Route
from wharfinger.metadata.trash_lists import parse_position, position_of

AfterEntry = Annotated[
    Annotated[str, Field(max_length=60), checked(parse_position)] | None,
    Query(alias="last", description="The last item of the page before: `next` of a page says it."),
]
NumberPath = Annotated[
    int,
    Path(description="The number of a deleted repository, as the list shows it.", ge=1, le=LONGEST_ID, examples=[3]),
]


class Entry(Shown):
    """Something in the trash."""

    kind: TrashKind
    number: int
    """Tells apart two of the same kind and name; the higher one came later."""
    repository: str
    """Where it was, or what it was called."""
    tag: str | None
    digest: str | None
    """Of a manifest or blob; of a tag, what it named last."""
    deleted_at: datetime
    by: str | None
    """Who deleted it; nothing for a blob."""
    restorable_until: datetime
    size: int | None
    """Bytes of content that it leads to, shared or not; nothing for a tag, which holds none."""


class RestoredContent(Shown):
    """A manifest or a blob that was restored."""

    digest: str
    kind: TrashKind
    tags: list[str]
    """Tags that were deleted with the manifest, and are back too."""
    others: list[str]
    """Digests of manifests that it leads to, and that came back with it."""


class RepositoryRestoration(Model):
    """How a repository comes back."""

    name: KnownRepository | None = None
    """What it is to be called, if somebody took its name meanwhile: one that you may create."""


class RestoredRepository(Shown):
    """A repository that was restored."""

    name: str


async def list_trash(call: Calling, name: RepositoryPath, size: Size = PAGE, last: AfterEntry = None) -> Page[Entry]:
    """List what was deleted from a repository and comes back, the newest first."""
    return await _list(call, RepositoryName(name), size, last)


async def list_trash_of_registry(
    call: Calling,
    registry: RegistryPath,  # noqa: ARG001 - the call has it
    size: Size = PAGE,
    last: AfterEntry = None,
) -> Page[Entry]:
    """List everything that was deleted in a registry and comes back, the newest first; whole repositories too."""
    return await _list(call, None, size, last)


async def restore_content(call: Calling, name: RepositoryPath, digest: DigestPath) -> RestoredContent:
    """Bring back the manifest or the blob of that digest, with everything that belongs to it."""
    repository, wanted = RepositoryName(name), Digest(digest)
    try:
        found = await call.services.manifests.restore(call.registry, repository, wanted, call.by)
    except ManifestUnknown:
        try:
            await call.services.blobs.restore(call.registry, repository, wanted, call.by)
        except BlobUnknown:
            message = Sentence(
                "Neither a manifest nor a blob %(wanted)s is in the trash of this repository.", wanted=wanted
            )
            raise BlobUnknown(message) from None
        return RestoredContent(digest=wanted, kind=TrashKind.BLOB, tags=[], others=[])
    return RestoredContent(digest=wanted, kind=TrashKind.MANIFEST, tags=list(found.tags), others=list(found.others))


async def purge_content(call: Calling, name: RepositoryPath, digest: DigestPath) -> None:
    """End the time of a deleted manifest or blob: it does not come back."""
    what = Trashed(repository=RepositoryName(name), digest=Digest(digest))
    await call.services.trash.purge(call.registry, what, call.by)


async def list_deleted_repositories(call: Calling, size: Size = PAGE, last: AfterEntry = None) -> Page[Entry]:
    """List the deleted repositories that the caller may restore, the newest first."""
    authorization = call.services.authorization

    async def may(number: int) -> bool:
        found = await authorization.decide_on_deleted(call.principal, call.registry, number, Action.ADMINISTER)
        return found.allowed

    sight = await authorization.sight(call.principal, to_list=True)
    position = None if last is None else parse_position(last)
    found = await call.services.trash.repositories(call.registry, position, size, sight, may)
    return page(call, found, key=_key, show=lambda one: _show(call, one))


async def read_deleted_repository(call: Calling, number: NumberPath) -> Entry:
    """Show a deleted repository."""
    return _show(call, await call.services.trash.repository(call.registry, number))


async def restore_repository(
    call: Calling, number: NumberPath, restoration: RepositoryRestoration
) -> RestoredRepository:
    """Bring a repository back as it was: its tags, its content, its history, its roles and its settings.

    Whoever has admin on it, owns its namespace, or manages its registry may.
    """
    found = await call.services.trash.repository(call.registry, number)
    wanted = None if restoration.name is None else RepositoryName(restoration.name)
    if wanted is not None and wanted != found.repository:
        await require_on_repository(call, Action.PUSH, wanted)
    name = await call.services.repositories.restore(
        call.registry, found.repository, call.by, new_name=wanted, number=number
    )
    return RestoredRepository(name=name)


async def purge_repository(call: Calling, number: NumberPath) -> None:
    """End the time of a deleted repository: it does not come back."""
    found = await call.services.trash.repository(call.registry, number)
    await call.services.trash.purge(call.registry, Trashed(repository=found.repository), call.by, number=number)


async def _list(call: Call, repository: RepositoryName | None, size: int, last: str | None) -> Page[Entry]:
    position = None if last is None else parse_position(last)
    found = await call.services.trash.list(call.registry, repository, position, size)
    return page(call, found, key=_key, show=lambda one: _show(call, one))


def _key(one: TrashEntry) -> str:
    return "-".join(str(part) for part in position_of(one))


def _show(call: Call, one: TrashEntry) -> Entry:
    return Entry(
        kind=one.kind,
        number=one.number,
        repository=one.repository,
        tag=one.tag,
        digest=one.digest,
        deleted_at=time_of(one.deleted_at),
        by=one.by,
        restorable_until=time_of(call.services.trash.until(one)),
        size=one.size,
    )


_DELETE: Final = OnRepository(Action.DELETE)
_DELETED: Final = OnDeleted(Action.ADMINISTER)
_OF_REPOSITORY: Final = "/repositories/{name:path}/-/trash"
_DELETED_REPOSITORIES: Final = "/trash/repositories"
_ONE: Final = _DELETED_REPOSITORIES + "/{number}"
ROUTES: Final = (
    Route("GET", _OF_REPOSITORY, _DELETE, list_trash),
    Route("POST", _OF_REPOSITORY + "/{digest}/restore", _DELETE, restore_content, conflicts=True),
    Route("DELETE", _OF_REPOSITORY + "/{digest}", _DELETE, purge_content, status=204, conflicts=True),
    Route("GET", "/registries/{registry}/trash", Managing(Task.READ, Target.REGISTRY), list_trash_of_registry),
    Route("GET", _DELETED_REPOSITORIES, OnRepository(Action.LIST), list_deleted_repositories),
    Route("GET", _ONE, _DELETED, read_deleted_repository),
    Route("POST", _ONE + "/restore", _DELETED, restore_repository, conflicts=True),
    Route("DELETE", _ONE, _DELETED, purge_repository, status=204, conflicts=True),
)
