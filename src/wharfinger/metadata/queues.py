# SPDX-License-Identifier: Apache-2.0
"""What waits for a background job: reviews of what may have lost its last reference, and bytes to be removed.

Putting something into a review queue never asks whether it is needed: only the collector judges, in one place. Putting
it in again *postpones* it and raises its version, so that a review that is being finished at that moment is not lost.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ClauseElement, Connection, Table, delete, select, update

from wharfinger.clock import Instant
from wharfinger.metadata.database import InsertInto, Statement
from wharfinger.metadata.schema import blob_reviews, manifest_reviews, tombstones


def _review(queue: Table, key: str) -> Statement:
    def build(insert: InsertInto) -> ClauseElement:
        statement = insert(queue)
        upsert: ClauseElement = statement.on_conflict_do_update(
            index_elements=[key],
            set_={
                "due_at": statement.excluded.due_at,
                "reason": statement.excluded.reason,
                "version": queue.c.version + 1,
            },
        )
        return upsert

    return Statement(build, columns=(key, "due_at", "reason", "attempts", "version"))


_REVIEW_MANIFEST: Final = _review(manifest_reviews, "manifest_id")
_REVIEW_BLOB: Final = _review(blob_reviews, "blob_id")
_BURY: Final = Statement(
    lambda insert: insert(tombstones).on_conflict_do_nothing(),
    columns=("registry_id", "store_key", "not_before", "attempts", "created_at"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """Bytes to be removed from a registry's store."""

    id: int
    registry_id: int
    store_key: str
    attempts: int


def review_manifest(connection: Connection, manifest_id: int, due_at: Instant, reason: str) -> None:
    """Have somebody look later whether the manifest is still needed."""
    _REVIEW_MANIFEST.count(connection, manifest_id=manifest_id, due_at=due_at, reason=reason, attempts=0, version=0)


def review_blobs(connection: Connection, blob_ids: Iterable[int], due_at: Instant, reason: str) -> None:
    """Have somebody look later whether the blobs are still needed."""
    for blob_id in sorted(set(blob_ids)):
        _REVIEW_BLOB.count(connection, blob_id=blob_id, due_at=due_at, reason=reason, attempts=0, version=0)


def bury(connection: Connection, registry_id: int, store_key: str, not_before: Instant, now: Instant) -> None:
    """Note bytes that no row needs any more; they are removed after `not_before`."""
    _BURY.count(
        connection,
        registry_id=registry_id,
        store_key=store_key,
        not_before=not_before,
        attempts=0,
        created_at=now,
    )


def due_tombstones(connection: Connection, now: Instant, limit: int) -> Sequence[Tombstone]:
    """Return tombstones whose time has come, the oldest first."""
    statement = (
        select(tombstones.c.id, tombstones.c.registry_id, tombstones.c.store_key, tombstones.c.attempts)
        .where(tombstones.c.not_before <= now)
        .order_by(tombstones.c.not_before)
        .limit(limit)
    )
    return [
        Tombstone(id=row.id, registry_id=row.registry_id, store_key=row.store_key, attempts=row.attempts)
        for row in connection.execute(statement)
    ]


def finish_tombstones(connection: Connection, ids: Sequence[int]) -> None:
    """Forget tombstones whose bytes are gone."""
    connection.execute(delete(tombstones).where(tombstones.c.id.in_(ids)))


def postpone_tombstone(connection: Connection, tombstone_id: int, not_before: Instant) -> None:
    """Try this one again later; it never stops the others."""
    connection.execute(
        update(tombstones)
        .where(tombstones.c.id == tombstone_id)
        .values(not_before=not_before, attempts=tombstones.c.attempts + 1)
    )
