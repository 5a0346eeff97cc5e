# SPDX-License-Identifier: Apache-2.0
"""Rows of pulls: counts of each day, for a repository, its tags and its manifests."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

from sqlalchemy import ClauseElement, Connection, bindparam, case, delete, func, select, update

from wharfinger.clock import Instant
from wharfinger.domain.digests import Digest
from wharfinger.metadata.database import InsertInto, Statement
from wharfinger.metadata.retention_tables import pulls
from wharfinger.metadata.schema import manifest_references, manifests, repositories
from wharfinger.metadata.tables import INTEGER, TEXT

T = TypeVar("T")
WHOLE: Final = ""
"""What the pulls of a repository itself are counted under."""
_IN_LIMIT: Final = 500


class Key(NamedTuple):
    """What is counted: something of a repository, on one day."""

    repository_id: int
    what: str
    day: int


@dataclass(frozen=True, slots=True)
class Count:
    """How often something was pulled, and when last."""

    pulls: int
    last_at: Instant


def _add(insert: InsertInto) -> ClauseElement:
    # A repository that was collected meanwhile has no row to select from, and nothing is counted.
    rows = select(
        repositories.c.id,
        bindparam("what", type_=TEXT),
        *(bindparam(name, type_=INTEGER) for name in ("day", "count", "last_at")),
    ).where(repositories.c.id == bindparam("repository"))
    statement = insert(pulls).from_select(["repository_id", "what", "day", "count", "last_at"], rows)
    upsert: ClauseElement = statement.on_conflict_do_update(
        index_elements=["repository_id", "what", "day"],
        set_={
            "count": pulls.c.count + statement.excluded.count,
            "last_at": case(
                (statement.excluded.last_at > pulls.c.last_at, statement.excluded.last_at), else_=pulls.c.last_at
            ),
        },
    )
    return upsert


_ADD: Final = Statement(_add)
_TOUCH: Final = Statement(
    update(manifests)
    .where(
        manifests.c.id == bindparam("manifest"),
        func.coalesce(manifests.c.pulled_at, 0) < bindparam("at"),
    )
    .values(pulled_at=bindparam("at"))
)


def facts(connection: Connection, manifest_ids: Collection[int]) -> Mapping[int, tuple[int, Digest]]:
    """Return repository and digest of manifests that are still here."""
    found: dict[int, tuple[int, Digest]] = {}
    for some in _batches(manifest_ids):
        statement = select(manifests.c.id, manifests.c.repository_id, manifests.c.digest).where(
            manifests.c.id.in_(some)
        )
        found.update({row.id: (row.repository_id, Digest(row.digest)) for row in connection.execute(statement)})
    return found


def parents(connection: Connection, children: Collection[int], among: Collection[int]) -> Mapping[int, Collection[int]]:
    """Return which of some manifests list which of others."""
    found: dict[int, set[int]] = {}
    edges = manifest_references
    for some in _batches(among):
        statement = select(edges.c.child_id, edges.c.manifest_id).where(
            edges.c.manifest_id.in_(some), edges.c.child_id.is_not(None)
        )
        for row in connection.execute(statement):
            if row.child_id in children:
                found.setdefault(row.child_id, set()).add(row.manifest_id)
    return found


def add(connection: Connection, counts: Mapping[Key, Count], pulled: Mapping[int, Instant]) -> None:
    """Add to the counts, and note when manifests were last pulled."""
    for key in sorted(counts):  # in one order, so that two nodes wait for each other in turn
        one = counts[key]
        _ADD.count(
            connection, repository=key.repository_id, what=key.what, day=key.day, count=one.pulls, last_at=one.last_at
        )
    for manifest_id in sorted(pulled):
        _TOUCH.count(connection, manifest=manifest_id, at=pulled[manifest_id])


def totals(connection: Connection, repository_id: int, what: Collection[str] | None = None) -> Mapping[str, Count]:
    """Return how often each thing of a repository was pulled: those that are named, or all that ever were."""
    statement = (
        select(pulls.c.what, func.sum(pulls.c.count), func.max(pulls.c.last_at))
        .where(pulls.c.repository_id == repository_id)
        .group_by(pulls.c.what)
    )
    if what is None:
        return {name: Count(int(count), Instant(last)) for name, count, last in connection.execute(statement)}
    found: dict[str, Count] = {}
    for some in _batches(what):
        rows = connection.execute(statement.where(pulls.c.what.in_(some)))
        found.update({name: Count(int(count), Instant(last)) for name, count, last in rows})
    return found


def by_day(connection: Connection, repository_id: int, what: str, since: int) -> Sequence[tuple[int, int]]:
    """Return days from `since` on, and how often the thing was pulled on each; days without a pull are left out."""
    statement = (
        select(pulls.c.day, pulls.c.count)
        .where(pulls.c.repository_id == repository_id, pulls.c.what == what, pulls.c.day >= max(since, 1))
        .order_by(pulls.c.day)
    )
    return [(day, count) for day, count in connection.execute(statement)]


def fold(connection: Connection, before: int, limit: int) -> int:
    """Put the oldest of the days before one into day 0; return how many rows that were."""
    statement = (
        select(pulls).where(pulls.c.day > 0, pulls.c.day < before).order_by(pulls.c.day).limit(limit).with_for_update()
    )
    old = connection.execute(statement).all()
    for row in old:
        _ADD.count(connection, repository=row.repository_id, what=row.what, day=0, count=row.count, last_at=row.last_at)
        connection.execute(
            delete(pulls).where(
                pulls.c.repository_id == row.repository_id, pulls.c.what == row.what, pulls.c.day == row.day
            )
        )
    return len(old)


def _batches(ids: Collection[T]) -> Sequence[Sequence[T]]:
    wanted = list(ids)
    return [wanted[start : start + _IN_LIMIT] for start in range(0, len(wanted), _IN_LIMIT)]
