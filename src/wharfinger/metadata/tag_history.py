# SPDX-License-Identifier: Apache-2.0
"""Reading the history of tags: what each named when, and who moved it. `tags` writes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Select, case, exists, func, select

from wharfinger.clock import Instant
from wharfinger.domain.digests import Digest
from wharfinger.domain.names import TagName
from wharfinger.metadata.schema import events, manifests, tag_history, tags

_newer: Final = tag_history.alias("newer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One step of a tag: made, moved, or deleted.

    Args:
        id: orders the steps of a repository; a page goes on before it.
        tag: the tag.
        before: what it named; nothing if it was made.
        after: what it names from then on; nothing if it was deleted.
        at: when.
        by: who.
        detail: why, where there is more to say.
    """

    id: int
    tag: TagName
    before: Digest | None
    after: Digest | None
    at: Instant
    by: str
    detail: str | None = None


def _build() -> Select[tuple[int, str, str | None, str | None, int, str, str | None]]:
    return select(
        tag_history.c.id,
        tag_history.c.name,
        tag_history.c.from_digest,
        tag_history.c.to_digest,
        tag_history.c.at,
        func.coalesce(tag_history.c.principal, events.c.principal).label("principal"),
        case((tag_history.c.principal.is_not(None), tag_history.c.detail), else_=events.c.detail).label("detail"),
    ).join(events, events.c.id == tag_history.c.event_id)


def movements(
    connection: Connection, repository_id: int, tag: TagName | None, before: int | None, limit: int
) -> Sequence[Movement]:
    """Return steps of a tag, or of all tags of the repository, the newest first; with `before`, those older than it.

    Steps of one repository are numbered in the order of its transactions, because each of them holds its lock.
    """
    statement = _build().where(tag_history.c.repository_id == repository_id)
    if tag is None:
        if before is not None:
            statement = statement.where(tag_history.c.id < before)
        return _run(connection, statement.order_by(tag_history.c.id.desc()).limit(limit))
    # By time, which is the same order within one tag, and has an index.
    if before is not None:
        since = select(_newer.c.at).where(_newer.c.repository_id == repository_id, _newer.c.id == before)
        statement = statement.where(tag_history.c.at < since.scalar_subquery())
    return _run(connection, statement.where(tag_history.c.name == tag).order_by(tag_history.c.at.desc()).limit(limit))


def last(connection: Connection, repository_id: int, tag: TagName, until: Instant | None = None) -> Movement | None:
    """Return the last step of the tag, or the last one that had been made at a time."""
    statement = _build().where(tag_history.c.repository_id == repository_id, tag_history.c.name == tag)
    if until is not None:
        statement = statement.where(tag_history.c.at <= until)
    found = _run(connection, statement.order_by(tag_history.c.at.desc()).limit(1))
    return found[0] if found else None


def has_named(connection: Connection, repository_id: int, tag: TagName, digest: Digest) -> bool:
    """Say whether the tag ever named the manifest."""
    statement = select(tag_history.c.id).where(
        tag_history.c.repository_id == repository_id, tag_history.c.name == tag, tag_history.c.to_digest == digest
    )
    return connection.execute(statement.limit(1)).first() is not None


def deleted_with(connection: Connection, repository_id: int, digest: Digest, deletion_id: int) -> Sequence[TagName]:
    """Return the tags that were deleted because their manifest was, and that nobody has made again since.

    Args:
        connection: the transaction.
        repository_id: the repository.
        digest: the manifest.
        deletion_id: the event of its deletion, which comes before those of its tags.
    """
    statement = select(tag_history.c.name).where(
        tag_history.c.repository_id == repository_id,
        tag_history.c.from_digest == digest,
        tag_history.c.from_digest.is_not(None),  # says that the partial index will do
        tag_history.c.event_id + 0 > deletion_id,  # and that the index by event will not
        tag_history.c.to_digest.is_(None),
        ~exists().where(
            _newer.c.repository_id == repository_id,
            _newer.c.name == tag_history.c.name,
            _newer.c.at > tag_history.c.at,
        ),
    )
    return sorted(TagName(name) for name in connection.execute(statement).scalars())


def lost(connection: Connection, repository_id: int) -> Sequence[TagName]:
    """Return tags that should be there by their history, and are not, or whose manifest is hidden."""
    there = (
        exists()
        .where(tags.c.repository_id == repository_id, tags.c.name == tag_history.c.name)
        .where(manifests.c.id == tags.c.manifest_id, manifests.c.deleted_at.is_(None))
    )
    statement = (
        select(tag_history.c.name)
        .where(
            tag_history.c.repository_id == repository_id,
            tag_history.c.to_digest.is_not(None),
            ~exists().where(
                _newer.c.repository_id == repository_id,
                _newer.c.name == tag_history.c.name,
                _newer.c.at > tag_history.c.at,
            ),
            ~there,
        )
        .order_by(tag_history.c.name)
        .limit(10)
    )
    return [TagName(name) for name in connection.execute(statement).scalars()]


def _run(
    connection: Connection, statement: Select[tuple[int, str, str | None, str | None, int, str, str | None]]
) -> Sequence[Movement]:
    return [
        Movement(
            id=row.id,
            tag=TagName(row.name),
            before=None if row.from_digest is None else Digest(row.from_digest),
            after=None if row.to_digest is None else Digest(row.to_digest),
            at=Instant(row.at),
            by=row.principal,
            detail=row.detail,
        )
        for row in connection.execute(statement)
    ]
