# SPDX-License-Identifier: Apache-2.0
"""Listing what is in the trash: four kinds of rows, each from an index of what was deleted, merged by time.

What lies in a deleted repository is not listed by itself: it comes back with the repository.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import merge
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, Select, exists, false, func, or_, select
from sqlalchemy.sql.elements import ColumnElement

from wharfinger.clock import Instant
from wharfinger.domain.digests import Digest
from wharfinger.domain.errors import QueryInvalid
from wharfinger.domain.names import RepositoryName, TagName
from wharfinger.domain.sentences import Sentence
from wharfinger.domain.trash import TrashEntry, TrashKind
from wharfinger.metadata import repositories as repository_rows
from wharfinger.metadata import tags as tag_rows
from wharfinger.metadata.schema import blobs, events, manifests, repositories, repository_blobs, tag_history
from wharfinger.metadata.standing import Sight, visible

_POSITION: Final = re.compile(r"([0-9]{1,19})-(repository|tag|manifest|blob)-([0-9]{1,19})", re.ASCII)
_LARGEST: Final = 2**63 - 1
_newer: Final = tag_history.alias("newer")
_ORDER: Final = tuple(TrashKind)
"""In which order things come that were deleted in the same microsecond."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrashScope:
    """Which part of the trash is listed.

    Args:
        registry_id: of which registry.
        repository_id: what was deleted from one repository only; nothing for everything, repositories too.
        since: only what was deleted at this time or later.
        sight: as far as somebody sees it (`standing.visible`); of repositories only.
    """

    registry_id: int
    repository_id: int | None
    since: Instant
    sight: Sight = None


Position = tuple[Instant, TrashKind, int]
"""Time, kind and number of an entry, after which a page goes on."""


def position_of(entry: TrashEntry) -> Position:
    """Return where the entry stands in the list."""
    return entry.deleted_at, entry.kind, entry.number


def parse_position(text: str) -> Position:
    """Return where a page ended, as its parts are written with hyphens between them.

    Raises:
        QueryInvalid: no page ends so.
    """
    found = _POSITION.fullmatch(text)
    if found is None or max(int(found[1]), int(found[3])) > _LARGEST:
        message = Sentence("No page ends so: follow `next` of the page before.")
        raise QueryInvalid(message)
    return Instant(int(found[1])), TrashKind(found[2]), int(found[3])


def entries(connection: Connection, scope: TrashScope, last: Position | None, limit: int) -> Sequence[TrashEntry]:
    """Return what was deleted last, the newest first, after the last entry of the page before."""
    found = [_LISTS[kind](connection, scope, last, limit) for kind in _ORDER]
    return list(merge(*found, key=_rank, reverse=True))[:limit]


def deleted_repositories(
    connection: Connection, scope: TrashScope, last: Position | None, limit: int
) -> Sequence[TrashEntry]:
    """Return the repositories that were deleted last, and nothing else, as `entries` does."""
    return _repositories(connection, scope, last, limit)


def find_repository(connection: Connection, registry_id: int, number: int, since: Instant) -> TrashEntry | None:
    """Return one deleted repository, if it can be restored."""
    scope = TrashScope(registry_id=registry_id, repository_id=None, since=since)
    found = _repositories(connection, scope, None, 1, repositories.c.id == number)
    return found[0] if found else None


def _rank(entry: TrashEntry) -> tuple[int, int, int]:
    return entry.deleted_at, -_ORDER.index(entry.kind), entry.number


def _repositories(
    connection: Connection,
    scope: TrashScope,
    last: Position | None,
    limit: int,
    *conditions: ColumnElement[bool],
) -> Sequence[TrashEntry]:
    if scope.repository_id is not None:
        return ()
    statement = (
        select(repositories.c.id, repositories.c.name, repositories.c.deleted_at, events.c.principal)
        .outerjoin(events, events.c.id == repositories.c.deletion_id)
        .where(
            repositories.c.registry_id == scope.registry_id,
            repositories.c.purged_at.is_(None),
            *conditions,
            *([] if scope.sight is None else [visible]),
            *_within(scope, last, TrashKind.REPOSITORY, repositories.c.deleted_at, repositories.c.id),
        )
        .order_by(repositories.c.deleted_at.desc(), repositories.c.id.desc())
        .limit(limit)
    )
    rows = connection.execute(statement, scope.sight or {}).all()
    sizes = repository_rows.sizes(connection, [row.id for row in rows])
    return [
        TrashEntry(
            kind=TrashKind.REPOSITORY,
            number=row.id,
            repository=RepositoryName(row.name),
            deleted_at=Instant(row.deleted_at),
            by=row.principal,
            size=sizes.get(row.id, 0),
        )
        for row in rows
    ]


def _tags(connection: Connection, scope: TrashScope, last: Position | None, limit: int) -> Sequence[TrashEntry]:
    newer = exists().where(
        _newer.c.repository_id == tag_history.c.repository_id,
        _newer.c.name == tag_history.c.name,
        _newer.c.at > tag_history.c.at,
    )
    comes_back = exists().where(
        manifests.c.repository_id == tag_history.c.repository_id,
        manifests.c.digest == tag_history.c.from_digest,
        manifests.c.purged_at.is_(None),
    )
    statement = _of_repositories(
        select(
            tag_history.c.id.label("number"),
            repositories.c.name.label("repository"),
            tag_history.c.name,
            tag_history.c.from_digest.label("digest"),
            tag_history.c.at.label("deleted_at"),
            func.coalesce(tag_history.c.principal, events.c.principal).label("principal"),
        )
        .select_from(tag_history)
        .join(repositories, repositories.c.id == tag_history.c.repository_id)
        .join(events, events.c.id == tag_history.c.event_id)
        .where(tag_history.c.to_digest.is_(None), ~newer, comes_back),
        scope,
    )
    statement = (
        statement.where(*_within(scope, last, TrashKind.TAG, tag_history.c.at, tag_history.c.id))
        .order_by(tag_history.c.at.desc(), tag_history.c.id.desc())
        .limit(limit)
    )
    return [
        TrashEntry(
            kind=TrashKind.TAG,
            number=row.number,
            repository=RepositoryName(row.repository),
            tag=TagName(row.name),
            digest=Digest(row.digest),
            deleted_at=Instant(row.deleted_at),
            by=row.principal,
        )
        for row in connection.execute(statement)
    ]


def _manifests(connection: Connection, scope: TrashScope, last: Position | None, limit: int) -> Sequence[TrashEntry]:
    statement = _of_repositories(
        select(
            manifests.c.id.label("number"),
            repositories.c.name.label("repository"),
            manifests.c.digest,
            manifests.c.deleted_at,
            events.c.principal,
            manifests.c.size,
        )
        .select_from(manifests)
        .join(repositories, repositories.c.id == manifests.c.repository_id)
        .outerjoin(events, events.c.id == manifests.c.deletion_id)
        .where(manifests.c.purged_at.is_(None)),
        scope,
    )
    statement = (
        statement.where(*_within(scope, last, TrashKind.MANIFEST, manifests.c.deleted_at, manifests.c.id))
        .order_by(manifests.c.deleted_at.desc(), manifests.c.id.desc())
        .limit(limit)
    )
    found = [_entry(TrashKind.MANIFEST, row) for row in connection.execute(statement).mappings()]
    below = tag_rows.content_sizes(connection, [one.number for one in found])
    return [replace(one, size=(one.size or 0) + below.get(one.number, 0)) for one in found]


def _blobs(connection: Connection, scope: TrashScope, last: Position | None, limit: int) -> Sequence[TrashEntry]:
    unlinked = repository_blobs.c.unlinked_at
    statement = _of_repositories(
        select(
            blobs.c.id.label("number"),
            repositories.c.name.label("repository"),
            blobs.c.digest,
            unlinked.label("deleted_at"),
            blobs.c.size,
        )
        .select_from(repository_blobs)
        .join(blobs, blobs.c.id == repository_blobs.c.blob_id)
        .join(repositories, repositories.c.id == repository_blobs.c.repository_id)
        .where(repository_blobs.c.purged_at.is_(None)),
        scope,
    )
    statement = (
        statement.where(*_within(scope, last, TrashKind.BLOB, unlinked, blobs.c.id))
        .order_by(unlinked.desc(), blobs.c.id.desc())
        .limit(limit)
    )
    return [_entry(TrashKind.BLOB, row) for row in connection.execute(statement).mappings()]


def _entry(kind: TrashKind, row: RowMapping) -> TrashEntry:
    return TrashEntry(
        kind=kind,
        number=row["number"],
        repository=RepositoryName(row["repository"]),
        digest=Digest(row["digest"]),
        deleted_at=Instant(row["deleted_at"]),
        by=row.get("principal"),
        size=row["size"],
    )


def _of_repositories(statement: Select[Any], scope: TrashScope) -> Select[Any]:
    """Take only what was deleted from repositories that are there.

    The sum keeps SQLite from going through every repository for what little of it was deleted: it has no statistics.
    """
    if scope.repository_id is not None:
        return statement.where(repositories.c.id == scope.repository_id)
    return statement.where(repositories.c.registry_id + 0 == scope.registry_id, repositories.c.deleted_at.is_(None))


def _within(
    scope: TrashScope,
    last: Position | None,
    kind: TrashKind,
    deleted_at: ColumnElement[int],
    number: ColumnElement[int],
) -> Sequence[ColumnElement[bool]]:
    """Return the conditions that a row is in time, and comes after the last entry of the page before."""
    wanted = [deleted_at.is_not(None), deleted_at >= scope.since]
    if last is not None:
        time, of_kind, of_number = last
        mine, others = _ORDER.index(kind), _ORDER.index(of_kind)
        same = number < of_number if mine == others else (deleted_at == time if mine > others else false())
        wanted += [deleted_at <= time, or_(deleted_at < time, same)]
    return wanted


_List = Callable[[Connection, TrashScope, Position | None, int], Sequence[TrashEntry]]
_LISTS: Final[Mapping[TrashKind, _List]] = {
    TrashKind.REPOSITORY: _repositories,
    TrashKind.TAG: _tags,
    TrashKind.MANIFEST: _manifests,
    TrashKind.BLOB: _blobs,
}
