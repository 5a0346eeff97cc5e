# SPDX-License-Identifier: Apache-2.0
"""Rows of figures: what every registry held on every day, and how large every repository is."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ClauseElement, Connection, and_, bindparam, delete, func, literal, or_, select, update

from wharfinger.clock import Instant
from wharfinger.domain.names import RepositoryName
from wharfinger.metadata.database import InsertInto, Statement
from wharfinger.metadata.figure_tables import figures, repository_figures
from wharfinger.metadata.page_tables import stars
from wharfinger.metadata.pulls import WHOLE
from wharfinger.metadata.retention_tables import pulls
from wharfinger.metadata.schema import blobs, repositories, repository_blobs, tombstones
from wharfinger.metadata.tables import INTEGER


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What a registry held at the end of a day, or holds now.

    Args:
        day: in UTC, counted from 1970.
        bytes: of every blob once, whoever needs it; what the trash keeps is among them.
        blobs: how many.
        repositories: how many that are not deleted.
        pulls: on that day, of all repositories that are still there.
    """

    day: int
    bytes: int
    blobs: int
    repositories: int
    pulls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much a repository held when it was measured.

    Args:
        repository_id: of it.
        name: its name.
        bytes: of every blob that it has, shared with others or not, hidden by a deletion or not.
        blobs: how many.
        measured_at: when.
    """

    repository_id: int
    name: RepositoryName
    bytes: int
    blobs: int
    measured_at: Instant


def _put(insert: InsertInto) -> ClauseElement:
    statement = insert(figures)
    upsert: ClauseElement = statement.on_conflict_do_update(
        index_elements=_DAY, set_={name: statement.excluded[name] for name in _COUNTED}
    )
    return upsert


_DAY: Final = ("registry_id", "day")
_COUNTED: Final = ("bytes", "blobs", "repositories", "pulls", "taken_at")
_PUT: Final = Statement(_put, columns=(*_DAY, *_COUNTED))


def _build_figures(*changed: str) -> Callable[[InsertInto], ClauseElement]:
    """Return what writes the row of a repository, or of a row that is there some columns."""
    # Counted and not added: so a row that was lost, or never was, is right from the first change on. A repository that
    # was collected meanwhile has no row to select from.
    pulled = select(func.coalesce(func.sum(pulls.c.count), 0)).where(
        pulls.c.repository_id == repositories.c.id, pulls.c.what == WHOLE
    )
    starred = select(func.count()).where(stars.c.repository_id == repositories.c.id)
    measured = [bindparam(name, type_=INTEGER) for name in ("bytes", "blobs", "measured_at")]
    rows = select(
        repositories.c.id,
        *(measured if "bytes" in changed else [literal(0, INTEGER)] * len(measured)),
        pulled.scalar_subquery(),
        starred.scalar_subquery(),
    ).where(repositories.c.id == bindparam("repository", type_=INTEGER))
    columns = ("repository_id", "bytes", "blobs", "measured_at", "pulls", "stars")

    def build(insert: InsertInto) -> ClauseElement:
        statement = insert(repository_figures).from_select(columns, rows)
        upsert: ClauseElement = statement.on_conflict_do_update(
            index_elements=["repository_id"], set_={name: statement.excluded[name] for name in changed}
        )
        return upsert

    return build


_PUT_SIZE: Final = Statement(_build_figures("bytes", "blobs", "measured_at"))
_COUNT_PULLS: Final = Statement(_build_figures("pulls"))
_COUNT_STARS: Final = Statement(_build_figures("stars"))


def count_pulls(connection: Connection, repository_ids: Iterable[int]) -> None:
    """Have lists know how often repositories were pulled in all, after the counts of their days changed."""
    for repository_id in sorted(repository_ids):
        _COUNT_PULLS.count(connection, repository=repository_id)


def count_stars(connection: Connection, repository_ids: Iterable[int]) -> None:
    """Have lists know how many accounts marked repositories, after one did or does no more."""
    for repository_id in sorted(repository_ids):
        _COUNT_STARS.count(connection, repository=repository_id)


def count(connection: Connection, registry_id: int, day: int) -> Figure:
    """Count what a registry holds now, and what was pulled from it on a day."""
    held = select(func.count(), func.coalesce(func.sum(blobs.c.size), 0)).where(
        blobs.c.registry_id == registry_id, blobs.c.state != "missing"
    )
    number, size = connection.execute(held).one()
    listed = select(func.count()).where(
        repositories.c.registry_id == registry_id,
        repositories.c.deleted_at.is_(None),
        repositories.c.listed_at.is_not(None),
    )
    return Figure(
        day=day,
        bytes=int(size),
        blobs=int(number),
        repositories=int(connection.execute(listed).scalar_one()),
        pulls=pulls_on(connection, registry_id, day),
    )


def pulls_on(connection: Connection, registry_id: int, day: int) -> int:
    """Return how often anything was pulled on a day from a repository that is still there."""
    statement = (
        select(func.coalesce(func.sum(pulls.c.count), 0))
        .join(repositories, repositories.c.id == pulls.c.repository_id)
        .where(pulls.c.day == day, pulls.c.what == WHOLE, repositories.c.registry_id == registry_id)
    )
    return int(connection.execute(statement).scalar_one())


def set_pulls(connection: Connection, registry_id: int, day: int, number: int) -> None:
    """Put right how much was pulled on a day that has a row."""
    connection.execute(
        update(figures).where(figures.c.registry_id == registry_id, figures.c.day == day).values(pulls=number)
    )


def put(connection: Connection, registry_id: int, figure: Figure, now: Instant) -> None:
    """Write the row of a day, or write it anew."""
    _PUT.count(
        connection,
        registry_id=registry_id,
        day=figure.day,
        bytes=figure.bytes,
        blobs=figure.blobs,
        repositories=figure.repositories,
        pulls=figure.pulls,
        taken_at=now,
    )


def by_day(connection: Connection, registry_id: int, since: int) -> Sequence[Figure]:
    """Return the days from `since` on that were counted, the oldest first."""
    statement = (
        select(figures).where(figures.c.registry_id == registry_id, figures.c.day >= since).order_by(figures.c.day)
    )
    return [
        Figure(day=row.day, bytes=row.bytes, blobs=row.blobs, repositories=row.repositories, pulls=row.pulls)
        for row in connection.execute(statement)
    ]


def forget(connection: Connection, before: int) -> int:
    """Remove the days before one; returns how many rows those were."""
    return connection.execute(delete(figures).where(figures.c.day < before)).rowcount


def doomed(connection: Connection, registry_id: int) -> int:
    """Return how many bytes wait to be removed from the store."""
    statement = select(func.coalesce(func.sum(tombstones.c.size), 0)).where(tombstones.c.registry_id == registry_id)
    return int(connection.execute(statement).scalar_one())


def measure(connection: Connection, after: int, limit: int) -> tuple[Mapping[int, tuple[int, int]], int | None]:
    """Add up some repositories whose size is not what it was, in the order of their ids.

    Args:
        connection: the transaction.
        after: the last id that was measured.
        limit: how many to look at.

    Returns:
        Bytes and blobs by id, and the last id that was looked at; nothing where there are no more.
    """
    ids = connection.scalars(
        select(repositories.c.id).where(repositories.c.id > after).order_by(repositories.c.id).limit(limit)
    ).all()
    if not ids:
        return {}, None
    held = dict.fromkeys(ids, (0, 0))
    sums = (
        select(repository_blobs.c.repository_id, func.sum(blobs.c.size), func.count())
        .join(blobs, blobs.c.id == repository_blobs.c.blob_id)
        .where(repository_blobs.c.repository_id.between(ids[0], ids[-1]))
        .group_by(repository_blobs.c.repository_id)
    )
    held.update({number: (int(size), int(many)) for number, size, many in connection.execute(sums)})
    known = {
        row.repository_id: (row.bytes, row.blobs)
        for row in connection.execute(
            select(repository_figures).where(
                repository_figures.c.repository_id.between(ids[0], ids[-1]), repository_figures.c.measured_at > 0
            )
        )
    }
    return {number: size for number, size in held.items() if known.get(number) != size}, ids[-1]


def put_sizes(connection: Connection, sizes: Mapping[int, tuple[int, int]], now: Instant) -> None:
    """Write how large repositories are; one that was collected meanwhile is passed over."""
    for number, (size, many) in sorted(sizes.items()):
        _PUT_SIZE.count(connection, repository=number, bytes=size, blobs=many, measured_at=now)


def largest(connection: Connection, registry_id: int, after: tuple[int, int] | None, limit: int) -> Sequence[Size]:
    """Return repositories that are not deleted, the largest first.

    Args:
        connection: the transaction.
        registry_id: of which registry.
        after: bytes and id of the last one of the page before.
        limit: how many.
    """
    sizes = repository_figures.c
    statement = (
        select(repository_figures, repositories.c.name)
        .join(repositories, repositories.c.id == sizes.repository_id)
        .where(repositories.c.registry_id == registry_id, repositories.c.deleted_at.is_(None), sizes.measured_at > 0)
        .order_by(sizes.bytes.desc(), sizes.repository_id.desc())
        .limit(limit)
    )
    if after is not None:
        size, number = after
        statement = statement.where(or_(sizes.bytes < size, and_(sizes.bytes == size, sizes.repository_id < number)))
    return [
        Size(
            repository_id=row.repository_id,
            name=RepositoryName(row.name),
            bytes=row.bytes,
            blobs=row.blobs,
            measured_at=Instant(row.measured_at),
        )
        for row in connection.execute(statement)
    ]
