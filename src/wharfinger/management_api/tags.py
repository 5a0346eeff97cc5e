# SPDX-License-Identifier: Apache-2.0
"""Tags of a repository: what each names, what it has named, and bringing it back. Moved they are by pushing."""

from datetime import datetime
from typing import Annotated, Final

from fastapi import Query
from pydantic import Field

from wharfinger.domain.access import Action
from wharfinger.domain.audit import parse_moment
from wharfinger.domain.digests import Digest
from wharfinger.domain.names import RepositoryName, TagName, parse_tag
from wharfinger.domain.tags import TagPosition, parse_tag_position
from wharfinger.management_api.calls import OnRepository
from wharfinger.management_api.fields import (
    After,
    AfterNumber,
    DigestField,
    Model,
    Moment,
    OneLine,
    RepositoryPath,
    Shown,
    Size,
    TagPath,
    checked,
    time_of,
)
from wharfinger.management_api.paging import PAGE, Page, page
from wharfinger.management_api.routing import Calling, Route
from wharfinger.metadata.tag_history import Movement
from wharfinger.metadata.tags import TagSummary as TagSummaryRow
from wharfinger.services.pulls import Count
from wharfinger.services.tags import TagSearch

MOST_DELETED: Final = 200
TagField = Annotated[str, Field(max_length=128, examples=["v1"]), checked(parse_tag)]


class ListedTag(Shown):
    """The name of a tag."""

    name: str


class Tag(Shown):
    """A tag, and the manifest that it names, or named at a time."""

    name: str
    digest: str
    media_type: str | None
    """Nothing if the manifest is not here any more."""
    size: int | None
    """Bytes of the manifest itself."""
    since: datetime
    """From when on the tag named it."""
    by: str
    """Who had set it."""
    is_here: bool
    """Whether the manifest can be pulled now, by its digest."""
    in_trash: bool
    """Whether it was deleted, and can be restored."""


class TagSummary(Shown):
    """A tag, as a list for people shows it."""

    name: str
    digest: str
    media_type: str
    artifact_type: str | None
    size: int
    """Bytes of the manifest and of all that it leads to, each content once."""
    moved_at: datetime
    """When it came to name this manifest."""
    pulls: int


class TagDeletion(Model):
    """Which tags are to go."""

    tags: Annotated[list[TagField], Field(min_length=1, max_length=MOST_DELETED)]


class TagStep(Shown):
    """One step of a tag: made, moved, or deleted."""

    id: int
    tag: str
    before: str | None
    """What it named; nothing if it was made."""
    after: str | None
    """What it names from then on; nothing if it was deleted."""
    at: datetime
    by: str
    detail: str | None


class TagRestoration(Model):
    """To what a tag goes back."""

    to: DigestField | None = None
    """A manifest that it has named; without one, that before its last step: its deletion, or its last movement."""


class RestoredTag(Shown):
    """A tag that was restored."""

    name: str
    digest: str


async def list_tags(call: Calling, name: RepositoryPath, size: Size = PAGE, last: After = None) -> Page[ListedTag]:
    """List the tags of a repository, by name."""
    found = await call.services.tags.list(call.registry, RepositoryName(name), last, size)
    return page(call, found, key=str, show=lambda tag: ListedTag(name=tag))


async def read_tag(
    call: Calling,
    name: RepositoryPath,
    tag: TagPath,
    at: Annotated[Moment | None, Query(description="What it named at this time: a day, or RFC 3339.")] = None,
) -> Tag:
    """Show what a tag names, or what it named at a time."""
    repository, time = RepositoryName(name), None if at is None else parse_moment(at)
    then = await call.services.tags.at(call.registry, repository, TagName(tag), time)
    manifest = await call.services.manifests.find(call.registry, repository, then.digest) if then.is_here else None
    return Tag(
        name=tag,
        digest=then.digest,
        media_type=None if manifest is None else manifest.media_type,
        size=None if manifest is None else manifest.size,
        since=time_of(then.since),
        by=then.by,
        is_here=then.is_here,
        in_trash=then.in_trash,
    )


async def delete_tag(call: Calling, name: RepositoryPath, tag: TagPath) -> None:
    """Delete a tag; the manifest stays, and the history keeps where the tag was."""
    await call.services.tags.delete(call.registry, RepositoryName(name), TagName(tag), call.by)


async def list_newest_tags(
    call: Calling,
    name: RepositoryPath,
    size: Size = PAGE,
    last: Annotated[
        Annotated[OneLine, Field(max_length=200), checked(parse_tag_position)] | None,
        Query(description="The last item of the page before: `next` of a page says it."),
    ] = None,
    search: Annotated[
        Annotated[OneLine, Field(max_length=128)], Query(description="What names contain, whatever the case.")
    ] = "",
) -> Page[TagSummary]:
    """List the tags of a repository with what they name, the one that moved last first."""
    repository = RepositoryName(name)
    wanted = TagSearch(text=search, after=None if last is None else parse_tag_position(last))
    found = await call.services.tags.newest(call.registry, repository, wanted, size)
    pulls = await call.services.pulls.of(call.registry, repository, [one.name for one in found.items])
    return page(
        call,
        found,
        key=lambda one: TagPosition(one.moved_at, one.name),
        show=lambda one: _summarize(one, pulls.get(one.name)),
    )


async def delete_tags(call: Calling, name: RepositoryPath, deletion: TagDeletion) -> None:
    """Delete several tags: all of them, or, if one is not there or may not go, none."""
    names = [TagName(tag) for tag in deletion.tags]
    await call.services.tags.delete_all(call.registry, RepositoryName(name), names, call.by)


async def list_history(
    call: Calling, name: RepositoryPath, size: Size = PAGE, last: AfterNumber = None
) -> Page[TagStep]:
    """List the steps of all tags of a repository, the newest first; those of deleted tags too."""
    found = await call.services.tags.history(call.registry, RepositoryName(name), None, last, size)
    return page(call, found, key=lambda one: one.id, show=_show)


async def list_history_of_tag(
    call: Calling, name: RepositoryPath, tag: TagPath, size: Size = PAGE, last: AfterNumber = None
) -> Page[TagStep]:
    """List the steps of a tag, there or deleted, the newest first."""
    found = await call.services.tags.history(call.registry, RepositoryName(name), TagName(tag), last, size)
    return page(call, found, key=lambda one: one.id, show=_show)


async def restore_tag(call: Calling, name: RepositoryPath, tag: TagPath, restoration: TagRestoration) -> RestoredTag:
    """Set a tag to what it named before, with its manifest if that was deleted.

    Restoring a tag that is there moves it, which the repository's rules for immutable tags must allow.
    """
    to = None if restoration.to is None else Digest(restoration.to)
    digest = await call.services.tags.restore(call.registry, RepositoryName(name), TagName(tag), call.by, to=to)
    return RestoredTag(name=tag, digest=digest)


def _summarize(one: TagSummaryRow, pulls: Count | None) -> TagSummary:
    return TagSummary(
        name=one.name,
        digest=one.digest,
        media_type=one.media_type,
        artifact_type=one.artifact_type,
        size=one.size,
        moved_at=time_of(one.moved_at),
        pulls=0 if pulls is None else pulls.pulls,
    )


def _show(one: Movement) -> TagStep:
    return TagStep(
        id=one.id,
        tag=one.tag,
        before=one.before,
        after=one.after,
        at=time_of(one.at),
        by=one.by,
        detail=one.detail,
    )


_PULL: Final = OnRepository(Action.PULL)
_DELETE: Final = OnRepository(Action.DELETE)
_TAGS: Final = "/repositories/{name:path}/-/tags"
_ONE: Final = _TAGS + "/{tag}"
ROUTES: Final = (
    Route("GET", _TAGS, _PULL, list_tags),
    Route("GET", "/repositories/{name:path}/-/newest-tags", _PULL, list_newest_tags),
    Route("POST", "/repositories/{name:path}/-/delete-tags", _DELETE, delete_tags, status=204, conflicts=True),
    Route("GET", _ONE, _PULL, read_tag),
    Route("DELETE", _ONE, _DELETE, delete_tag, status=204, conflicts=True),
    Route("GET", _ONE + "/history", _PULL, list_history_of_tag),
    Route("POST", _ONE + "/restore", _DELETE, restore_tag, conflicts=True),
    Route("GET", "/repositories/{name:path}/-/history", _PULL, list_history),
)
