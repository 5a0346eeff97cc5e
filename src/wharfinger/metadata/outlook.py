# SPDX-License-Identifier: Apache-2.0
"""What would go if some manifests went, and how much of their bytes nothing else needs.

For people who ask, never for the collector: this follows edges down, and counts. Each step asks for some hundreds of
rows by their keys, so it costs as much as what is asked about is large.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from sqlalchemy import Column, Connection, Table, func, literal, select

from wharfinger.clock import Instant
from wharfinger.domain.collection import Rules
from wharfinger.domain.outlook import Waiting
from wharfinger.metadata.queues import BlobReview, ManifestReview
from wharfinger.metadata.schema import (
    blob_reviews,
    blobs,
    manifest_references,
    manifest_reviews,
    manifests,
    repositories,
    repository_blobs,
    tag_history,
    tags,
    tombstones,
)

_AT_ONCE: Final = 400
MOST: Final = 5_000
"""How many manifests of the trash are weighed."""
Doomed = Mapping[int, Instant]
"""Manifests that would go, and when at the earliest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """What some manifests of a repository need: blobs that only they need, and bytes that others need too."""

    freed: Mapping[int, tuple[int, Instant]]
    """By blob: its size, and when it goes at the earliest."""
    shared: int


def with_parts(connection: Connection, repository_id: int, roots: Doomed) -> dict[int, Instant]:
    """Return the manifests with all that would go along: parts and attachments that nothing else holds."""
    doomed = dict(roots)
    level = dict(roots)
    while level:
        found: dict[int, Instant] = {}
        for part, whole in _below(connection, repository_id, level):
            if part not in doomed:
                found[part] = max(found.get(part, level[whole]), level[whole])
        level = {part: at for part, at in found.items() if _goes_along(connection, repository_id, part, doomed)}
        doomed |= level
    return doomed


def weigh(connection: Connection, repository_id: int, doomed: Doomed) -> Weight:
    """Return what the manifests need, by whether anything else needs it too."""
    edges, own, last = manifest_references, dict[int, int](), dict[int, Instant]()
    for some in _parcels(doomed):
        rows = connection.execute(
            select(edges.c.manifest_id, edges.c.blob_id).where(
                edges.c.manifest_id.in_(some), edges.c.blob_id.is_not(None)
            )
        )
        for manifest_id, blob_id in rows:
            own[blob_id] = own.get(blob_id, 0) + 1
            last[blob_id] = max(last.get(blob_id, doomed[manifest_id]), doomed[manifest_id])
    freed, shared = dict[int, tuple[int, Instant]](), 0
    for blob_id, size in _sizes(connection, own):
        if _is_needed_besides(connection, repository_id, blob_id, own[blob_id]):
            shared += size
        else:
            freed[blob_id] = (size, last[blob_id])
    return Weight(freed=freed, shared=shared)


def weigh_repository(connection: Connection, repository_id: int) -> tuple[int, int, int, int]:
    """Return manifests, blobs that only the repository has, their bytes, and bytes of those that others have too."""
    here = repository_blobs
    elsewhere = repository_blobs.alias("elsewhere")
    other = (
        select(literal(1))
        .where(elsewhere.c.blob_id == here.c.blob_id, elsewhere.c.repository_id != repository_id)
        .exists()
    )
    rows = connection.execute(
        select(other.label("other"), func.count(), func.sum(blobs.c.size))
        .select_from(here)
        .join(blobs, blobs.c.id == here.c.blob_id)
        .where(here.c.repository_id == repository_id)
        .group_by("other")
    )
    sums = {bool(is_shared): (int(count), int(size)) for is_shared, count, size in rows}
    number = connection.execute(
        select(func.count()).select_from(manifests).where(manifests.c.repository_id == repository_id)
    ).scalar_one()
    count, unique = sums.get(False, (0, 0))
    return int(number), count, unique, sums.get(True, (0, 0))[1]


def unique_sizes(connection: Connection, repository_ids: Iterable[int]) -> Mapping[int, int]:
    """Return of each repository the bytes of blobs that only it has; one without any is left out."""
    here, elsewhere = repository_blobs, repository_blobs.alias("elsewhere")
    other = select(literal(1)).where(
        elsewhere.c.blob_id == here.c.blob_id, elsewhere.c.repository_id != here.c.repository_id
    )
    found: dict[int, int] = {}
    for some in _parcels(repository_ids):
        rows = connection.execute(
            select(here.c.repository_id, func.sum(blobs.c.size))
            .join(blobs, blobs.c.id == here.c.blob_id)
            .where(here.c.repository_id.in_(some), ~other.exists())
            .group_by(here.c.repository_id)
        )
        found |= {number: int(size) for number, size in rows}
    return found


def trashed(connection: Connection, rules: Rules) -> tuple[Mapping[int, Doomed], bool]:
    """Return manifests in the trash by repository, the oldest first, and whether there are more than `MOST`."""
    rows = connection.execute(
        select(manifests.c.repository_id, manifests.c.id, manifests.c.deleted_at, manifests.c.purged_at)
        .join(repositories, repositories.c.id == manifests.c.repository_id)
        .where(manifests.c.deleted_at.is_not(None), repositories.c.deleted_at.is_(None))
        .order_by(manifests.c.deleted_at)
        .limit(MOST + 1)
    ).all()
    found: dict[int, dict[int, Instant]] = {}
    for repository_id, manifest_id, deleted_at, purged_at in rows[:MOST]:
        ends = Instant(deleted_at + rules.window if purged_at is None else purged_at)
        found.setdefault(repository_id, {})[manifest_id] = ends
    return found, len(rows) > MOST


def trashed_repositories(connection: Connection, rules: Rules) -> Mapping[int, Instant]:
    """Return the repositories in the trash, and when each goes."""
    rows = connection.execute(
        select(repositories.c.id, repositories.c.deleted_at, repositories.c.purged_at)
        .where(repositories.c.deleted_at.is_not(None))
        .limit(MOST)
    )
    return {row.id: Instant(row.purged_at or row.deleted_at + rules.window) for row in rows}


def left_over(connection: Connection, rules: Rules) -> Iterator[tuple[int, int, Instant]]:
    """Yield id, size and end of blobs that wait for a review, that no manifest needs and no other repository has."""
    edges, other = manifest_references, repository_blobs.alias("other")
    needed = select(literal(1)).where(
        edges.c.repository_id == repository_blobs.c.repository_id, edges.c.blob_id == repository_blobs.c.blob_id
    )
    elsewhere = select(literal(1)).where(
        other.c.blob_id == repository_blobs.c.blob_id, other.c.repository_id != repository_blobs.c.repository_id
    )
    rows = connection.execute(
        select(
            blobs.c.id,
            blobs.c.size,
            repository_blobs.c.lease_until,
            repository_blobs.c.unlinked_at,
            repository_blobs.c.purged_at,
        )
        .select_from(blob_reviews)
        .join(
            repository_blobs,
            (repository_blobs.c.repository_id == blob_reviews.c.repository_id)
            & (repository_blobs.c.blob_id == blob_reviews.c.blob_id),
        )
        .join(blobs, blobs.c.id == repository_blobs.c.blob_id)
        .where(~needed.exists(), ~elsewhere.exists())
        .limit(20 * MOST)
    )
    for blob_id, size, lease_until, unlinked_at, purged_at in rows:
        ends = 0 if unlinked_at is None else purged_at or unlinked_at + rules.window
        yield blob_id, size, Instant(max(lease_until, ends))


def waiting(connection: Connection, now: Instant) -> Sequence[Waiting]:
    """Return how much waits, by kind."""
    return [
        _count(connection, "manifest", manifest_reviews, manifest_reviews.c.due_at, now),
        _count(connection, "blob", blob_reviews, blob_reviews.c.due_at, now),
        _count(connection, "burial", tombstones, tombstones.c.not_before, now),
    ]


def newest_manifests(connection: Connection, limit: int) -> Sequence[ManifestReview]:
    """Return reviews of the manifests that were stored last."""
    rows = connection.execute(select(manifest_reviews).order_by(manifest_reviews.c.manifest_id.desc()).limit(limit))
    return [
        ManifestReview(manifest_id=row.manifest_id, version=row.version, attempts=row.attempts, reason=row.reason)
        for row in rows
    ]


def next_blobs(connection: Connection, limit: int) -> Sequence[BlobReview]:
    """Return reviews of the blobs that are due first."""
    rows = connection.execute(select(blob_reviews).order_by(blob_reviews.c.due_at).limit(limit))
    return [
        BlobReview(
            repository_id=row.repository_id,
            blob_id=row.blob_id,
            version=row.version,
            attempts=row.attempts,
            reason=row.reason,
        )
        for row in rows
    ]


def _parcels(ids: Iterable[int]) -> Iterator[Sequence[int]]:
    """Yield as many at a time as one statement may ask for."""
    rest = iter(ids)
    while some := list(islice(rest, _AT_ONCE)):
        yield some


def _below(connection: Connection, repository_id: int, level: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield each part of some manifests, and each manifest that is attached to one, with what it belongs to."""
    edges, attached = manifest_references, manifests.alias("attached")
    for some in _parcels(level):
        children = select(edges.c.child_id, edges.c.manifest_id).where(
            edges.c.manifest_id.in_(some), edges.c.child_id.is_not(None)
        )
        referrers = (
            select(attached.c.id, manifests.c.id)
            .join(manifests, manifests.c.digest == attached.c.subject_digest)
            .where(
                attached.c.repository_id == repository_id,
                attached.c.subject_digest.is_not(None),
                manifests.c.repository_id == repository_id,
                manifests.c.id.in_(some),
            )
        )
        for statement in (children, referrers):
            yield from ((int(part), int(whole)) for part, whole in connection.execute(statement))


def _goes_along(connection: Connection, repository_id: int, part: int, doomed: Doomed) -> bool:
    """Say whether nothing but what goes holds a part: no tag, now or before, no other index, no subject."""
    edges, subject = manifest_references, manifests.alias("subject")
    row = connection.execute(
        select(manifests.c.digest, subject.c.id)
        .outerjoin(
            subject,
            (subject.c.repository_id == manifests.c.repository_id) & (subject.c.digest == manifests.c.subject_digest),
        )
        .where(manifests.c.id == part)
    ).one()
    if row[1] is not None and row[1] not in doomed:
        return False
    held = connection.execute(
        select(literal(1)).where(tags.c.repository_id == repository_id, tags.c.manifest_id == part).limit(1)
    ).first()
    had = connection.execute(
        select(literal(1))
        .where(
            tag_history.c.repository_id == repository_id,
            tag_history.c.from_digest == row[0],
            tag_history.c.from_digest.is_not(None),
        )
        .limit(1)
    ).first()
    parents = connection.execute(
        select(edges.c.manifest_id)
        .where(edges.c.repository_id == repository_id, edges.c.child_id == part)
        .limit(len(doomed) + 1)
    ).scalars()
    return held is None and had is None and all(parent in doomed for parent in parents)


def _sizes(connection: Connection, ids: Iterable[int]) -> Iterator[tuple[int, int]]:
    for some in _parcels(ids):
        for row in connection.execute(select(blobs.c.id, blobs.c.size).where(blobs.c.id.in_(some))):
            yield int(row.id), int(row.size)


def _is_needed_besides(connection: Connection, repository_id: int, blob_id: int, own: int) -> bool:
    """Say whether more edges lead to a blob than those that go, or another repository has it."""
    edges = manifest_references
    some = (
        select(literal(1).label("one"))
        .where(edges.c.repository_id == repository_id, edges.c.blob_id == blob_id)
        .limit(own + 1)
    )
    if connection.execute(select(func.count()).select_from(some.subquery())).scalar_one() > own:
        return True
    elsewhere = select(literal(1)).where(
        repository_blobs.c.blob_id == blob_id, repository_blobs.c.repository_id != repository_id
    )
    return connection.execute(elsewhere.limit(1)).first() is not None


def _count(connection: Connection, kind: str, queue: Table, due_at: Column[int], now: Instant) -> Waiting:
    size = func.sum(queue.c.size) if "size" in queue.c else literal(0)
    number, total = connection.execute(select(func.count(), size).select_from(queue)).one()
    due = select(func.count()).select_from(queue).where(due_at <= now)
    failing = select(func.count()).select_from(queue).where(queue.c.attempts > 0)
    return Waiting(
        kind=kind,
        waiting=int(number),
        due=int(connection.execute(due).scalar_one()),
        failing=int(connection.execute(failing).scalar_one()),
        size=int(total or 0),
    )
