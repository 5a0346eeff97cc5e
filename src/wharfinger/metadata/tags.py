# SPDX-License-Identifier: Apache-2.0
"""Rows of tags and of their history.

Whatever takes a manifest's tag away has the manifest reviewed, and nothing moves or takes a tag that the rules of its
repository keep: both are done here, so that no caller can forget them.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ClauseElement, Connection, Select, bindparam, delete, func, insert, select

from wharfinger.clock import Instant
from wharfinger.domain.digests import Digest
from wharfinger.domain.events import Event, EventAction
from wharfinger.domain.identity import Actor
from wharfinger.domain.names import RepositoryName, TagName
from wharfinger.domain.policies import immutability
from wharfinger.domain.policies.immutability import Facts, Immutability
from wharfinger.metadata import events, queues
from wharfinger.metadata.database import InsertInto, Statement
from wharfinger.metadata.schema import manifest_references, manifests, tag_history, tags

_IN_LIMIT = 500


def _move(insert: InsertInto) -> ClauseElement:
    statement = insert(tags)
    upsert: ClauseElement = statement.on_conflict_do_update(
        index_elements=["repository_id", "name"],
        set_={
            "manifest_id": statement.excluded.manifest_id,
            "moved_at": statement.excluded.moved_at,
            "moved_by": statement.excluded.moved_by,
        },
    )
    return upsert


_FIND: Final = Statement(
    select(tags.c.manifest_id, manifests.c.digest)
    .join(manifests, manifests.c.id == tags.c.manifest_id)
    .where(tags.c.repository_id == bindparam("repository"), tags.c.name == bindparam("tag"))
)
_LIST: Final = Statement(
    select(tags.c.name)
    .where(tags.c.repository_id == bindparam("repository"), tags.c.name > bindparam("last"))
    .order_by(tags.c.name)
    .limit(bindparam("most"))
)
_MOVE: Final = Statement(_move, columns=("repository_id", "name", "manifest_id", "moved_at", "moved_by"))
_LAST_AT: Final = Statement(
    select(func.max(tag_history.c.at)).where(
        tag_history.c.repository_id == bindparam("repository"), tag_history.c.name == bindparam("tag")
    )
)
_REMEMBER: Final = Statement(
    insert(tag_history), columns=("repository_id", "name", "from_digest", "to_digest", "at", "event_id")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The manifest that a tag names."""

    manifest_id: int
    digest: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class TagSummary:
    """What a list of tags shows."""

    name: TagName
    digest: Digest
    media_type: str
    artifact_type: str | None
    size: int
    """Bytes of the manifest and of the distinct blobs it refers to; of an index, of its children's too."""
    moved_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class TagChange:
    """In which repository, by which rules, by whom and when tags change."""

    registry_id: int
    repository_id: int
    repository: RepositoryName
    rules: Immutability
    by: Actor
    now: Instant
    review_at: Instant
    detail: str | None = None
    """Why, for the event, where that says more than what happened."""


def find(connection: Connection, repository_id: int, name: TagName) -> Target | None:
    """Return what the tag names."""
    row = _FIND.first(connection, repository=repository_id, tag=name)
    return None if row is None else Target(manifest_id=row[0], digest=Digest(row[1]))


def move(connection: Connection, change: TagChange, name: TagName, target: Target) -> None:
    """Make the tag name the manifest; tells nobody if it did already. The repository is locked.

    Raises:
        TagImmutable: the tag names something else, and may not move.
    """
    before = find(connection, change.repository_id, name)
    previous = None if before is None else before.digest
    immutability.require(Facts(tag=name, current=previous, wanted=target.digest, rules=change.rules))
    _MOVE.count(
        connection,
        repository_id=change.repository_id,
        name=name,
        manifest_id=target.manifest_id,
        moved_at=change.now,
        moved_by=change.by.principal.account_id,
    )
    if before == target:
        return
    if before is not None:
        queues.review_manifest(connection, before.manifest_id, change.review_at, "tag moved")
    _remember(connection, change, name, EventAction.TAG_MOVED, previous, target.digest)


def remove(connection: Connection, change: TagChange, name: TagName) -> bool:
    """Delete the tag and nothing else; returns whether it was there. The repository is locked.

    Raises:
        TagImmutable: the tag may not be deleted.
    """
    before = find(connection, change.repository_id, name)
    if before is None:
        return False
    immutability.require(Facts(tag=name, current=before.digest, wanted=None, rules=change.rules))
    connection.execute(delete(tags).where(tags.c.repository_id == change.repository_id, tags.c.name == name))
    queues.review_manifest(connection, before.manifest_id, change.review_at, "tag deleted")
    _remember(connection, change, name, EventAction.TAG_DELETED, before.digest, None)
    return True


def naming(connection: Connection, repository_id: int, manifest_id: int) -> Sequence[TagName]:
    """Return the tags that name the manifest."""
    statement = (
        select(tags.c.name)
        .where(tags.c.repository_id == repository_id, tags.c.manifest_id == manifest_id)
        .order_by(tags.c.name)
    )
    return [TagName(name) for name in connection.execute(statement).scalars()]


def list_names(connection: Connection, repository_id: int, last: str | None, limit: int) -> Sequence[TagName]:
    """Return the names of tags after `last`, by bytes."""
    rows = _LIST.rows(connection, repository=repository_id, last=last or "", most=limit)
    return [TagName(name) for (name,) in rows]


def content_sizes(connection: Connection, manifest_ids: Collection[int]) -> dict[int, int]:
    """Return the bytes of all that each manifest leads to, however deep; content that it leads to twice counts once.

    The manifest's own bytes are not among them. Open edges lead to nothing that is here, and do not count.
    """
    found: dict[int, int] = {}
    wanted = sorted(manifest_ids)
    for start in range(0, len(wanted), _IN_LIMIT):
        for root, size in connection.execute(_sizes_below(wanted[start : start + _IN_LIMIT])):
            found[root] = int(size)
    return found


def _sizes_below(manifest_ids: Sequence[int]) -> Select[int, int]:
    tree = (
        select(manifests.c.id.label("root"), manifests.c.id.label("member"))
        .where(manifests.c.id.in_(manifest_ids))
        .cte("tree", recursive=True)
    )
    edges = manifest_references
    tree = tree.union(
        select(tree.c.root, edges.c.child_id)
        .join(edges, edges.c.manifest_id == tree.c.member)
        .where(edges.c.child_id.is_not(None))
    )
    distinct = (
        select(tree.c.root, func.max(edges.c.size).label("size"))
        .join(edges, edges.c.manifest_id == tree.c.member)
        .where(edges.c.blob_id.is_not(None) | edges.c.child_id.is_not(None))
        .group_by(tree.c.root, edges.c.digest)
        .subquery()
    )
    return select(distinct.c.root, func.sum(distinct.c.size)).group_by(distinct.c.root)


def _remember(
    connection: Connection,
    change: TagChange,
    name: TagName,
    action: EventAction,
    before: Digest | None,
    after: Digest | None,
) -> None:
    event = Event(
        action=action,
        repository_id=change.repository_id,
        repository=change.repository,
        tag=name,
        digest=after or before,
        previous=before if after else None,
        detail=change.detail,
    )
    event_id = events.record(connection, change.registry_id, event, change.by, change.now)
    (last,) = _LAST_AT.first(connection, repository=change.repository_id, tag=name) or (None,)
    _REMEMBER.count(
        connection,
        repository_id=change.repository_id,
        name=name,
        from_digest=before,
        to_digest=after,
        at=change.now if last is None else max(change.now, last + 1),
        event_id=event_id,
    )
