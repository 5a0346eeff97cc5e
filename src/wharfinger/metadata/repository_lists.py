# SPDX-License-Identifier: Apache-2.0
"""Lists of repositories as people read them, in pages that cost the same wherever they are.

A page is found by the names that it shows; what is counted is counted for those alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Select, Table, func, literal, or_, select, tuple_

from wharfinger.clock import Instant
from wharfinger.domain.access import Visibility
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.repository_lists import RepositoryOrder, RepositoryPosition
from wharfinger.metadata.page_tables import stars
from wharfinger.metadata.pulls import WHOLE
from wharfinger.metadata.retention_tables import pulls
from wharfinger.metadata.schema import manifests, repositories, tags
from wharfinger.metadata.standing import Sight, visible
from wharfinger.metadata.tables import INTEGER, TEXT

_Lines = Select[tuple[int, str, str | None, str, int]]


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
class RepositoryLine:
    """A repository as a list shows it.

    Args:
        name: its name.
        description: the short one.
        visibility: who may pull without a role.
        changed_at: when its content changed last.
        media_type, artifact_type: of what was pushed last, and is attached to nothing; nothing if nothing is left.
        tags: how many it has.
        pulls: how often it was pulled.
        stars: how many accounts marked it.
    """

    name: RepositoryName
    description: str | None
    visibility: Visibility
    changed_at: Instant
    media_type: str | None
    artifact_type: str | None
    tags: int
    pulls: int
    stars: int

    @property
    def position(self) -> RepositoryPosition:
        """Its place in a list."""
        return RepositoryPosition(self.changed_at, self.name)


def browse(
    connection: Connection, registry_id: int, wanted: RepositorySearch, limit: int, sight: Sight
) -> Sequence[RepositoryLine]:
    """Return listed repositories that were asked for, in order, as far as somebody sees them."""
    rows = list(connection.execute(_statement(registry_id, wanted, limit, sight), dict(sight or {})))
    if wanted.before is not None:
        rows.reverse()
    ids = [row.id for row in rows]
    kinds, named, starred = _kinds(connection, ids), _count(connection, tags, ids), _count(connection, stars, ids)
    pulled = _pulls(connection, ids)
    return [
        RepositoryLine(
            name=RepositoryName(row.name),
            description=row.description,
            visibility=Visibility(row.visibility),
            changed_at=Instant(row.changed_at),
            media_type=kinds.get(row.id, (None, None))[0],
            artifact_type=kinds.get(row.id, (None, None))[1],
            tags=named.get(row.id, 0),
            pulls=pulled.get(row.id, 0),
            stars=starred.get(row.id, 0),
        )
        for row in rows
    ]


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
    statement = (
        select(
            repositories.c.id,
            repositories.c.name,
            repositories.c.description,
            repositories.c.visibility,
            repositories.c.changed_at,
        )
        .where(
            repositories.c.registry_id == registry_id,
            repositories.c.deleted_at.is_(None),
            repositories.c.listed_at.is_not(None),
            *conditions,
        )
        .limit(limit)
    )
    return _by_name(statement, wanted) if wanted.order is RepositoryOrder.NAME else _by_change(statement, wanted)


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


def _literal(position: RepositoryPosition) -> object:
    return tuple_(literal(position.changed_at, INTEGER), literal(position.name, TEXT))


def _count(connection: Connection, table: Table, ids: Sequence[int]) -> Mapping[int, int]:
    """Return how many rows of a table each repository has."""
    column = table.c.repository_id
    statement = select(column, func.count()).where(column.in_(ids)).group_by(column)
    return {repository_id: int(count) for repository_id, count in connection.execute(statement)}


def _pulls(connection: Connection, ids: Sequence[int]) -> Mapping[int, int]:
    statement = (
        select(pulls.c.repository_id, func.sum(pulls.c.count))
        .where(pulls.c.repository_id.in_(ids), pulls.c.what == WHOLE)
        .group_by(pulls.c.repository_id)
    )
    return {repository_id: int(count) for repository_id, count in connection.execute(statement)}


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
