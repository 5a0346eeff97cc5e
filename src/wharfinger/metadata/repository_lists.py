# SPDX-License-Identifier: Apache-2.0
"""Lists of repositories as people read them, in pages that cost the same wherever they are.

A page is found by the names that it shows; what is counted is counted for those alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection, Select, and_, func, literal, or_, select, tuple_

from wharfinger.clock import Instant
from wharfinger.domain.access import Visibility
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.repository_lists import RepositoryOrder, RepositoryPosition
from wharfinger.metadata.figure_tables import repository_figures
from wharfinger.metadata.schema import blobs, manifests, repositories, repository_blobs, tags
from wharfinger.metadata.standing import Sight, visible
from wharfinger.metadata.tables import INTEGER, TEXT

MOST_MEASURED: Final = 5_000
"""Blobs that one page of a list adds up, of repositories that changed since they were measured."""
_Lines = Select[tuple[int, str, str | None, str, int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositorySearch:
    """Which repositories are asked for.

    Args:
        text: what their names or descriptions contain, whatever the case of letters; empty for all of them.
        namespace: only those whose names begin with it and a slash.
        order: how they are sorted.
        after: only those behind this place.
        before: only those in front of it, the nearest of them; not together with `after`.
    """

    text: str = ""
    namespace: str | None = None
    order: RepositoryOrder = RepositoryOrder.CHANGED
    after: RepositoryPosition | None = None
    before: RepositoryPosition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryFigures:
    """What a list counts of a repository.

    Args:
        tags: how many it has.
        pulls: how often it was pulled.
        stars: how many accounts marked it.
        size: bytes of every blob that it has; nothing where that is not known yet.
    """

    tags: int
    pulls: int
    stars: int
    size: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryLine:
    """A repository as a list shows it.

    Args:
        name: its name.
        description: the short one.
        visibility: who may pull without a role.
        changed_at: when its content changed last.
        media_type, artifact_type: of what was pushed last, and is attached to nothing; nothing if nothing is left.
        figures: what is counted of it.
        position: its place in the list.
    """

    name: RepositoryName
    description: str | None
    visibility: Visibility
    changed_at: Instant
    media_type: str | None
    artifact_type: str | None
    figures: RepositoryFigures
    position: RepositoryPosition


_FIGURES: Final[Mapping[RepositoryOrder, ColumnElement[int]]] = {
    RepositoryOrder.CHANGED: repositories.c.changed_at,
    RepositoryOrder.NAME: literal(0, INTEGER),
    RepositoryOrder.PULLS: func.coalesce(repository_figures.c.pulls, 0),
    RepositoryOrder.STARS: func.coalesce(repository_figures.c.stars, 0),
    RepositoryOrder.SIZE: func.coalesce(repository_figures.c.bytes, 0),
}


def browse(
    connection: Connection, registry_id: int, wanted: RepositorySearch, limit: int, sight: Sight
) -> Sequence[RepositoryLine]:
    """Return listed repositories that were asked for, in order, as far as somebody sees them."""
    rows = list(connection.execute(_statement(registry_id, wanted, limit, sight), dict(sight or {})))
    if wanted.before is not None:
        rows.reverse()
    ids = [row.id for row in rows]
    kinds, counted = _kinds(connection, ids), figures_of(connection, ids)
    return [
        RepositoryLine(
            name=RepositoryName(row.name),
            description=row.description,
            visibility=Visibility(row.visibility),
            changed_at=Instant(row.changed_at),
            media_type=kinds.get(row.id, (None, None))[0],
            artifact_type=kinds.get(row.id, (None, None))[1],
            figures=counted[row.id],
            position=RepositoryPosition(row.figure, RepositoryName(row.name)),
        )
        for row in rows
    ]


def figures_of(connection: Connection, ids: Sequence[int]) -> Mapping[int, RepositoryFigures]:
    """Return what lists count of some repositories, with the same few statements however many they are."""
    if not ids:
        return {}
    named = select(tags.c.repository_id, func.count()).where(tags.c.repository_id.in_(ids))
    tagged = {number: int(count) for number, count in connection.execute(named.group_by(tags.c.repository_id))}
    figures = repository_figures.c
    statement = (
        select(
            repositories.c.id,
            repositories.c.changed_at,
            func.coalesce(figures.pulls, 0).label("pulls"),
            func.coalesce(figures.stars, 0).label("stars"),
            figures.bytes,
            func.coalesce(figures.measured_at, 0).label("measured_at"),
        )
        .outerjoin(repository_figures, figures.repository_id == repositories.c.id)
        .where(repositories.c.id.in_(ids))
    )
    rows = connection.execute(statement).all()
    anew = _measure(connection, [row.id for row in rows if row.measured_at < row.changed_at])
    return {
        row.id: RepositoryFigures(
            tags=tagged.get(row.id, 0),
            pulls=int(row.pulls),
            stars=int(row.stars),
            size=anew.get(row.id, int(row.bytes) if row.measured_at else None),
        )
        for row in rows
    }


def _measure(connection: Connection, ids: Sequence[int]) -> Mapping[int, int]:
    """Return how much repositories hold that changed since they were measured, as far as a page has time for that."""
    held = (
        select(repository_blobs.c.repository_id, blobs.c.size)
        .join(blobs, blobs.c.id == repository_blobs.c.blob_id)
        .where(repository_blobs.c.repository_id.in_(ids))
        .order_by(repository_blobs.c.repository_id)
        .limit(MOST_MEASURED)
        .subquery()
    )
    statement = select(held.c.repository_id, func.sum(held.c.size), func.count()).group_by(held.c.repository_id)
    rows = connection.execute(statement).all() if ids else ()
    found = dict.fromkeys(ids, 0) | {number: int(size) for number, size, _ in rows}
    if sum(int(count) for *_, count in rows) < MOST_MEASURED:
        return found
    last = max(number for number, *_ in rows)  # it was cut off, and those behind it were not reached
    return {number: size for number, size in found.items() if number < last}


def _statement(registry_id: int, wanted: RepositorySearch, limit: int, sight: Sight) -> _Lines:
    conditions: list[ColumnElement[bool]] = [] if sight is None else [visible]
    if wanted.text:
        text = wanted.text
        conditions.append(
            or_(
                repositories.c.name.icontains(text, autoescape=True),
                repositories.c.description.icontains(text, autoescape=True),
            )
        )
    if wanted.namespace is not None:  # "0" is the character behind "/", and names compare by bytes
        conditions += [repositories.c.name > f"{wanted.namespace}/", repositories.c.name < f"{wanted.namespace}0"]
    figure = _FIGURES[wanted.order]
    statement = select(
        repositories.c.id,
        repositories.c.name,
        repositories.c.description,
        repositories.c.visibility,
        repositories.c.changed_at,
        figure.label("figure"),
    ).where(
        repositories.c.registry_id == registry_id,
        repositories.c.deleted_at.is_(None),
        repositories.c.listed_at.is_not(None),
        *conditions,
    )
    match wanted.order:
        case RepositoryOrder.NAME:
            statement = _by_name(statement, wanted)
        case RepositoryOrder.CHANGED:
            statement = _by_change(statement, wanted)
        case _:
            # Every repository has a place, also one of which nothing is known yet; so all that somebody sees are
            # sorted, which takes less time than to find those that are missing in an index.
            joined = repository_figures.c.repository_id == repositories.c.id
            statement = _by_figure(statement.outerjoin(repository_figures, joined), wanted, figure)
    return statement.limit(limit)


def _by_name(statement: _Lines, wanted: RepositorySearch) -> _Lines:
    name = repositories.c.name
    if wanted.before is not None:
        return statement.where(name < wanted.before.name).order_by(name.desc())
    if wanted.after is not None:
        statement = statement.where(name > wanted.after.name)
    return statement.order_by(name)


def _by_change(statement: _Lines, wanted: RepositorySearch) -> _Lines:
    changed_at, name = repositories.c.changed_at, repositories.c.name
    place = tuple_(changed_at, name)
    if wanted.before is not None:
        return statement.where(place > _literal(wanted.before)).order_by(changed_at, name)
    if wanted.after is not None:
        statement = statement.where(place < _literal(wanted.after))
    return statement.order_by(changed_at.desc(), name.desc())


def _by_figure(statement: _Lines, wanted: RepositorySearch, figure: ColumnElement[int]) -> _Lines:
    name = repositories.c.name
    if (before := wanted.before) is not None:
        in_front = or_(figure > before.figure, and_(figure == before.figure, name < before.name))
        return statement.where(in_front).order_by(figure, name.desc())
    if (after := wanted.after) is not None:
        statement = statement.where(or_(figure < after.figure, and_(figure == after.figure, name > after.name)))
    return statement.order_by(figure.desc(), name)


def _literal(position: RepositoryPosition) -> object:
    return tuple_(literal(position.figure, INTEGER), literal(position.name, TEXT))


def _kinds(connection: Connection, ids: Sequence[int]) -> Mapping[int, tuple[str, str | None]]:
    """Return the types of what was pushed last to each; ids of manifests grow, so an index leads to it at once."""
    other = manifests.alias("other")
    last = (
        select(other.c.id)
        .where(
            other.c.repository_id == repositories.c.id,
            other.c.deleted_at.is_(None),
            other.c.subject_digest.is_(None),
        )
        .order_by(other.c.id.desc())
        .limit(1)
        .correlate(repositories)
        .scalar_subquery()
    )
    statement = (
        select(repositories.c.id, manifests.c.media_type, manifests.c.artifact_type)
        .select_from(repositories)
        .join(manifests, manifests.c.id == last)
        .where(repositories.c.id.in_(ids))
    )
    return {row.id: (row.media_type, row.artifact_type) for row in connection.execute(statement)}
