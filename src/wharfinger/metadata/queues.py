# SPDX-License-Identifier: Apache-2.0
"""What waits for a background job: reviews of what may have lost its last reference, and bytes to be removed.

Putting something into a review queue never asks whether it is needed: only the collector judges, in one place. Putting
it in again *postpones* it and raises its version, so that a review that is being finished at that moment is not lost.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ClauseElement,
    Column,
    ColumnElement,
    Connection,
    Select,
    Table,
    bindparam,
    delete,
    exists,
    func,
    literal_column,
    select,
    update,
)

from wharfinger.clock import Instant
from wharfinger.domain.digests import Digest
from wharfinger.metadata.database import InsertInto, Statement
from wharfinger.metadata.schema import blob_reviews, manifest_references, manifest_reviews, manifests, tombstones
from wharfinger.metadata.tables import INTEGER, TEXT
from wharfinger.metadata.upkeep_tables import holds

_IN_LIMIT: Final = 500


def _put(queue: Table, *keys: str, chosen: Select[Any] | None = None) -> Statement:
    """Return the statement that puts one, or all that are chosen, into a queue."""
    columns = (*keys, "due_at", "reason", "attempts", "version")

    def build(insert: InsertInto) -> ClauseElement:
        statement = insert(queue)
        if chosen is not None:
            statement = statement.from_select(list(columns), chosen)
        upsert: ClauseElement = statement.on_conflict_do_update(
            index_elements=list(keys),
            set_={
                "due_at": statement.excluded.due_at,
                "reason": statement.excluded.reason,
                "version": queue.c.version + 1,
            },
        )
        return upsert

    return Statement(build, columns=columns if chosen is None else ())


COUNTED: Final = 10_000
"""How far what is due is counted: a queue is not walked through for a number."""
_NEW: Final[tuple[ColumnElement[Any], ...]] = (
    bindparam("due", type_=INTEGER),
    bindparam("why", type_=TEXT),
    literal_column("0"),
    literal_column("0"),
)
_MANIFEST_KEY: Final = (manifest_reviews.c.manifest_id == bindparam("manifest"),)
_BLOB_KEY: Final = (
    blob_reviews.c.repository_id == bindparam("repository"),
    blob_reviews.c.blob_id == bindparam("blob"),
)
_REVIEW_MANIFEST: Final = _put(manifest_reviews, "manifest_id")
_REVIEW_BLOB: Final = _put(blob_reviews, "repository_id", "blob_id")
_REVIEW_CHILDREN: Final = _put(
    manifest_reviews,
    "manifest_id",
    chosen=select(manifest_references.c.child_id, *_NEW)
    .distinct()
    .where(manifest_references.c.manifest_id == bindparam("manifest"), manifest_references.c.child_id.is_not(None)),
)
_REVIEW_REFERRERS: Final = _put(
    manifest_reviews,
    "manifest_id",
    chosen=select(manifests.c.id, *_NEW).where(
        manifests.c.repository_id == bindparam("repository"),
        manifests.c.subject_digest == bindparam("given_up"),
        manifests.c.subject_digest.is_not(None),
    ),
)
_REVIEW_NEEDED: Final = _put(
    blob_reviews,
    "repository_id",
    "blob_id",
    chosen=select(manifest_references.c.repository_id, manifest_references.c.blob_id, *_NEW)
    .distinct()
    .where(manifest_references.c.manifest_id == bindparam("manifest"), manifest_references.c.blob_id.is_not(None))
    .order_by(manifest_references.c.blob_id),
)


def _due(queue: Table, *keys: Column[int]) -> ClauseElement:
    """Choose what is due. Rows that another collector holds at this moment are passed over; SQLite has none."""
    return (
        select(*keys, queue.c.version, queue.c.attempts, queue.c.reason)
        .where(queue.c.due_at <= bindparam("now"))
        .order_by(queue.c.due_at)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True)
    )


def _lease(queue: Table, key: Sequence[ColumnElement[bool]]) -> Statement:
    return Statement(
        update(queue)
        .where(*key)
        .values(due_at=bindparam("until"), version=queue.c.version + 1, attempts=queue.c.attempts + 1)
    )


def _finish(queue: Table, key: Sequence[ColumnElement[bool]]) -> Statement:
    return Statement(delete(queue).where(*key, queue.c.version == bindparam("claimed")))


def _postpone(queue: Table, key: Sequence[ColumnElement[bool]]) -> Statement:
    return Statement(
        update(queue)
        .where(*key, queue.c.version == bindparam("claimed"))
        .values(due_at=bindparam("until"), attempts=bindparam("failed"))
    )


def _count(column: Column[int]) -> Statement:
    due = select(column).where(column <= bindparam("now")).limit(literal_column(str(COUNTED)))
    return Statement(select(func.count()).select_from(due.subquery()))


_COUNT_DUE: Final = {
    "manifest": _count(manifest_reviews.c.due_at),
    "blob": _count(blob_reviews.c.due_at),
    "burial": _count(tombstones.c.not_before),
}
_DUE_MANIFESTS: Final = Statement(_due(manifest_reviews, manifest_reviews.c.manifest_id))
_LEASE_MANIFEST: Final = _lease(manifest_reviews, _MANIFEST_KEY)
_FINISH_MANIFEST: Final = _finish(manifest_reviews, _MANIFEST_KEY)
_POSTPONE_MANIFEST: Final = _postpone(manifest_reviews, _MANIFEST_KEY)
_DUE_BLOBS: Final = Statement(_due(blob_reviews, blob_reviews.c.repository_id, blob_reviews.c.blob_id))
_LEASE_BLOB: Final = _lease(blob_reviews, _BLOB_KEY)
_FINISH_BLOB: Final = _finish(blob_reviews, _BLOB_KEY)
_POSTPONE_BLOB: Final = _postpone(blob_reviews, _BLOB_KEY)
_BURY: Final = Statement(
    lambda insert: insert(tombstones).on_conflict_do_nothing(),
    columns=("registry_id", "store_key", "size", "not_before", "attempts", "created_at"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestReview:
    """A manifest to be looked at, as it was claimed."""

    manifest_id: int
    version: int
    attempts: int
    """How often it was claimed and not brought to an end, this time included."""
    reason: str

    @property
    def kind(self) -> str:
        """What is looked at."""
        return "manifest"

    @property
    def key(self) -> dict[str, int]:
        """What names it in the queue."""
        return {"manifest": self.manifest_id}


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobReview:
    """A blob to be looked at in one repository, as it was claimed."""

    repository_id: int
    blob_id: int
    version: int
    attempts: int
    """As in `ManifestReview`."""
    reason: str

    @property
    def kind(self) -> str:
        """What is looked at."""
        return "blob"

    @property
    def key(self) -> dict[str, int]:
        """What names it in the queue."""
        return {"repository": self.repository_id, "blob": self.blob_id}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """Bytes to be removed from a registry's store."""

    id: int
    registry_id: int
    store_key: str
    size: int | None
    """How many, where that was known."""
    attempts: int


def review_manifest(connection: Connection, manifest_id: int, due_at: Instant, reason: str) -> None:
    """Have somebody look later whether the manifest is still needed."""
    _REVIEW_MANIFEST.count(connection, manifest_id=manifest_id, due_at=due_at, reason=reason, attempts=0, version=0)


def review_blobs(
    connection: Connection, repository_id: int, blob_ids: Iterable[int], due_at: Instant, reason: str
) -> None:
    """Have somebody look later whether the repository still needs the blobs, which it has."""
    for blob_id in sorted(set(blob_ids)):
        _REVIEW_BLOB.count(
            connection,
            repository_id=repository_id,
            blob_id=blob_id,
            due_at=due_at,
            reason=reason,
            attempts=0,
            version=0,
        )


def review_parts_of(
    connection: Connection, manifest_id: int, repository_id: int, digest: Digest, due_at: Instant
) -> None:
    """Have somebody look at every manifest and blob that a manifest leads to, and at what is attached to it."""
    why = "what it belonged to is gone"
    _REVIEW_CHILDREN.count(connection, manifest=manifest_id, due=due_at, why=why)
    _REVIEW_REFERRERS.count(connection, repository=repository_id, given_up=digest, due=due_at, why=why)
    _REVIEW_NEEDED.count(connection, manifest=manifest_id, due=due_at, why="a manifest that referred to it is gone")


def claim_manifests(connection: Connection, now: Instant, until: Instant, limit: int) -> Sequence[ManifestReview]:
    """Take reviews that are due, the oldest first; until a time nobody else gets them.

    Whoever does not come back leaves them to the next one, after that time.
    """
    rows = _DUE_MANIFESTS.rows(connection, now=now, most=limit)
    claimed = [
        ManifestReview(manifest_id=manifest_id, version=version + 1, attempts=attempts + 1, reason=reason)
        for manifest_id, version, attempts, reason in rows
    ]
    _lease_all(connection, _LEASE_MANIFEST, claimed, until)
    return claimed


def claim_blobs(connection: Connection, now: Instant, until: Instant, limit: int) -> Sequence[BlobReview]:
    """Take reviews of blobs; as `claim_manifests`."""
    rows = _DUE_BLOBS.rows(connection, now=now, most=limit)
    claimed = [
        BlobReview(repository_id=repository_id, blob_id=blob_id, version=version + 1, attempts=tries + 1, reason=reason)
        for repository_id, blob_id, version, tries, reason in rows
    ]
    _lease_all(connection, _LEASE_BLOB, claimed, until)
    return claimed


def finish(connection: Connection, review: ManifestReview | BlobReview) -> None:
    """Forget the review, unless it was asked for again since it was claimed."""
    statement = _FINISH_MANIFEST if isinstance(review, ManifestReview) else _FINISH_BLOB
    statement.count(connection, **review.key, claimed=review.version)


def postpone(connection: Connection, review: ManifestReview | BlobReview, until: Instant, *, failed: bool) -> None:
    """Look again at that time, unless it was asked for again since it was claimed.

    Args:
        connection: of the transaction.
        review: the review.
        until: the time.
        failed: whether it could not be brought to an end; the attempts are counted on then.
    """
    statement = _POSTPONE_MANIFEST if isinstance(review, ManifestReview) else _POSTPONE_BLOB
    attempts = review.attempts if failed else 0
    statement.count(connection, **review.key, claimed=review.version, until=until, failed=attempts)


def _lease_all(
    connection: Connection, statement: Statement, claimed: Sequence[ManifestReview | BlobReview], until: Instant
) -> None:
    if claimed:
        statement.many(connection, [{**review.key, "until": until} for review in claimed])


def bury(
    connection: Connection,
    registry_id: int,
    store_key: str,
    not_before: Instant,
    now: Instant,
    size: int | None = None,
) -> None:
    """Note bytes that no row needs any more; they are removed after `not_before`."""
    _BURY.count(
        connection,
        registry_id=registry_id,
        store_key=store_key,
        size=size,
        not_before=not_before,
        attempts=0,
        created_at=now,
    )


def has_due_tombstone(connection: Connection, now: Instant) -> bool:
    """Say whether there is anything for `claim_tombstones`."""
    return connection.execute(_due_tombstones(now).limit(1)).first() is not None


def claim_tombstones(connection: Connection, now: Instant, until: Instant, limit: int) -> Sequence[Tombstone]:
    """Take tombstones whose time has come, the oldest first; none while something holds burials back.

    Nobody else is given them before `until`. A hold that comes a moment later is not broken: what it protects was still
    named by rows when these were written.
    """
    statement = _due_tombstones(now).order_by(tombstones.c.not_before).limit(limit)
    rows = connection.execute(statement.with_for_update(skip_locked=True)).all()
    for start in range(0, len(rows), _IN_LIMIT):
        ids = [row.id for row in rows[start : start + _IN_LIMIT]]
        connection.execute(update(tombstones).where(tombstones.c.id.in_(ids)).values(not_before=until))
    return [
        Tombstone(id=row.id, registry_id=row.registry_id, store_key=row.store_key, size=row.size, attempts=row.attempts)
        for row in rows
    ]


def finish_tombstones(connection: Connection, ids: Sequence[int]) -> None:
    """Forget tombstones whose bytes are gone."""
    for start in range(0, len(ids), _IN_LIMIT):
        connection.execute(delete(tombstones).where(tombstones.c.id.in_(ids[start : start + _IN_LIMIT])))


def postpone_tombstone(connection: Connection, tombstone_id: int, not_before: Instant) -> None:
    """Try this one again later; it never stops the others."""
    connection.execute(
        update(tombstones)
        .where(tombstones.c.id == tombstone_id)
        .values(not_before=not_before, attempts=tombstones.c.attempts + 1)
    )


def count_due(connection: Connection, now: Instant) -> Mapping[str, int]:
    """Return how many reviews and burials are due, by kind; more than `COUNTED` are not told apart."""
    return {kind: int(statement.rows(connection, now=now)[0][0]) for kind, statement in _COUNT_DUE.items()}


def _due_tombstones(now: Instant) -> Select[tuple[Any, ...]]:
    return select(
        tombstones.c.id,
        tombstones.c.registry_id,
        tombstones.c.store_key,
        tombstones.c.size,
        tombstones.c.attempts,
    ).where(tombstones.c.not_before <= now, ~exists().where(holds.c.until > now))
