# SPDX-License-Identifier: Apache-2.0
"""Rows of repositories, and of the namespaces they bring into being."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, bindparam, delete, exists, func, select, update

from wharfinger.clock import Instant
from wharfinger.domain.access import Role, Visibility
from wharfinger.domain.content import ALL_TAKEN, KindsOff, parse_kinds
from wharfinger.domain.errors import DatabaseUnavailable, RegistryUnknown
from wharfinger.domain.identity import Actor
from wharfinger.domain.names import RepositoryName, namespace_of
from wharfinger.domain.policies.immutability import Immutability, parse_immutability
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata import content, grants, trust
from wharfinger.metadata import namespaces as namespace_rows
from wharfinger.metadata import registries as registry_rows
from wharfinger.metadata.database import Row, Statement
from wharfinger.metadata.grants import PlaceKey, SubjectKey
from wharfinger.metadata.schema import (
    blobs,
    manifest_references,
    manifests,
    namespaces,
    registries,
    repositories,
    repository_blobs,
    tags,
    uploads,
)
from wharfinger.metadata.search import index
from wharfinger.metadata.standing import Sight, visible

REPOSITORY = Statement(
    select(repositories.c.id, repositories.c.listed_at, repositories.c.revision).where(
        repositories.c.registry_id == bindparam("registry_id"),
        repositories.c.name == bindparam("repository"),
        repositories.c.deleted_at.is_(None),
    )
)
"""Parameters `registry_id`, `repository`; columns id, listed_at, revision."""


def _build_list(*conditions: ColumnElement[bool]) -> Select[tuple[str]]:
    return (
        select(repositories.c.name)
        .where(
            repositories.c.registry_id == bindparam("registry"),
            repositories.c.deleted_at.is_(None),
            repositories.c.listed_at.is_not(None),
            repositories.c.name > bindparam("last"),
            *conditions,
        )
        .order_by(repositories.c.name)
        .limit(bindparam("most"))
    )


_LIST: Final = Statement(_build_list())
_LIST_VISIBLE: Final = Statement(_build_list(visible))
_CREATE: Final = Statement(
    lambda insert: insert(repositories).on_conflict_do_nothing().returning(repositories.c.id),
    columns=(
        "registry_id",
        "namespace_id",
        "name",
        "source",
        "visibility",
        "created_at",
        "created_by",
        "made_by_rule",
        "changed_at",
        "revision",
    ),
)
_LOCK: Final = Statement(
    select(
        repositories.c.immutable_tags,
        repositories.c.immutable_deletable,
        repositories.c.deleted_at,
        content.of_deployment(),
        select(namespaces.c.kinds_off).where(namespaces.c.id == repositories.c.namespace_id).scalar_subquery(),
    )
    .where(repositories.c.id == bindparam("repository"))
    .with_for_update()
)
_LIVE: Final = Statement(
    select(repositories.c.id).where(repositories.c.id == bindparam("repository"), repositories.c.deleted_at.is_(None))
)
_TOUCH: Final = Statement(
    update(repositories)
    .where(repositories.c.id == bindparam("repository"))
    .values(
        changed_at=bindparam("now"),
        listed_at=func.coalesce(repositories.c.listed_at, bindparam("now")),
        revision=repositories.c.revision + 1,
    )
)


_ATTEMPTS: Final = 5
"""How often a name is looked up that others make and delete at the same time."""


class Rules(NamedTuple):
    """What the content of a repository must fulfil; a tuple, because every push makes one."""

    tags: Immutability
    kinds_off: KindsOff


_LINK_SOURCE: Final = Statement(
    update(repositories)
    .where(repositories.c.id == bindparam("repository"), repositories.c.source.is_(None))
    .values(source=bindparam("link"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository as its page and its settings show it."""

    id: int
    name: RepositoryName
    description: str | None
    source: str | None
    """Where its images are built from, as `domain.repositories.parse_source` writes it."""
    visibility: Visibility
    inherits: bool
    """Whether roles on its namespace reach it."""
    immutable_tags: str
    immutable_deletable: bool
    created_at: Instant
    changed_at: Instant
    """When its content changed last."""

    @property
    def immutability(self) -> Immutability:
        """Which of its tags never move."""
        return parse_immutability(self.immutable_tags, deletable=self.immutable_deletable)


_LOAD: Final = select(*(repositories.c[name] for name in Repository.__dataclass_fields__)).where(
    repositories.c.deleted_at.is_(None)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositorySummary:
    """What a list of repositories shows."""

    name: RepositoryName
    tags: int
    manifests: int
    size: int
    """Bytes of its live manifests and of the distinct blobs that they need."""
    changed_at: Instant


def find_registry(connection: Connection, name: str) -> int | None:
    """Return the id of the registry of that name, unless it was deleted."""
    named = (registries.c.name == name) & registries.c.deleted_at.is_(None)
    found: int | None = connection.execute(select(registries.c.id).where(named)).scalar()
    return found


def find(connection: Connection, registry_id: int, name: RepositoryName) -> int | None:
    """Return the id of the live repository of that name."""
    row = REPOSITORY.first(connection, registry_id=registry_id, repository=name)
    return None if row is None else int(row[0])


def ensure(connection: Connection, registry_id: int, name: RepositoryName, by: Actor, now: Instant) -> tuple[int, bool]:
    """Return the id of the live repository of that name, and whether this call made it.

    An account that made it gets admin on it. A workload gets no role: which of its rules let it is noted, and where
    that rule is about linked repositories, the new one is linked to the workload's source.
    """
    for _ in range(_ATTEMPTS):
        found = find(connection, registry_id, name)
        if found is not None:
            return found, False
        made = _create(connection, registry_id, name, by, now)
        if made is not None:
            _give_to_maker(connection, made, by, now)
            return made, True
    message = Sentence("The repository %(name)r is being made and deleted all the time; try again.", name=name)
    raise DatabaseUnavailable(message)


def _create(connection: Connection, registry_id: int, name: RepositoryName, by: Actor, now: Instant) -> int | None:
    """Return the id of a new repository, or nothing if somebody made one of that name meanwhile."""
    namespace_id, visibility = place_of(connection, registry_id, name, by, now)
    rule_id, source = trust.maker(connection, registry_id, name, by.principal.workload)
    made = _CREATE.first(
        connection,
        registry_id=registry_id,
        namespace_id=namespace_id,
        name=name,
        source=source,
        visibility=visibility,
        created_at=now,
        created_by=by.principal.account_id,
        made_by_rule=rule_id,
        changed_at=now,
        revision=0,
    )
    if made is not None and not registry_rows.is_live(connection, registry_id):
        # Asked once the row is there: its key holds the registry's row, which a deletion has to wait for.
        message = Sentence("The registry was deleted.")
        raise RegistryUnknown(message)
    return None if made is None else int(made[0])


def place_of(
    connection: Connection, registry_id: int, name: RepositoryName, by: Actor, now: Instant
) -> tuple[int | None, str]:
    """Return the id of the namespace of a name, which is made if it is new, and the visibility that it gives."""
    namespace = namespace_of(name)
    return (
        (None, "private") if namespace is None else namespace_rows.ensure(connection, registry_id, namespace, by, now)
    )


def lock(connection: Connection, repository_id: int) -> Rules | None:
    """Let one transaction at a time change what the repository shows, and return the rules for its content.

    SQLite has one writer anyway. Nothing comes back for a repository in the trash, also if it went there while the lock
    was waited for; it is locked all the same.
    """
    row = _LOCK.first(connection, repository=repository_id)
    if row is None or row[2] is not None:
        return None
    tags = parse_immutability(row[0], deletable=bool(row[1]))
    off = KindsOff(parse_kinds(row[3] or ""), parse_kinds(row[4] or "")) if row[3] or row[4] else ALL_TAKEN
    return Rules(tags, off)


def is_live(connection: Connection, repository_id: int) -> bool:
    """Say whether the repository is there, and not in the trash."""
    return _LIVE.first(connection, repository=repository_id) is not None


def hide(connection: Connection, repository_id: int, now: Instant, deletion_id: int) -> None:
    """Put the repository into the trash with all that is in it, whose rows stay as they are; its name is free.

    Args:
        connection: the transaction, which holds the lock.
        repository_id: the repository.
        now: when.
        deletion_id: the event that tells of it.
    """
    connection.execute(
        update(repositories).where(repositories.c.id == repository_id).values(deleted_at=now, deletion_id=deletion_id)
    )


def load(connection: Connection, registry_id: int, name: RepositoryName, *, lock: bool = False) -> Repository | None:
    """Return the live repository of that name, listed or not; with a lock, for a transaction that changes it."""
    statement = _LOAD.where(repositories.c.registry_id == registry_id, repositories.c.name == name)
    row = connection.execute(statement.with_for_update() if lock else statement).first()
    return None if row is None else _repository(row)


def load_all(connection: Connection, registry_id: int, names: Sequence[RepositoryName]) -> list[Repository]:
    """Return the live repositories of some names, by the bytes of their names."""
    named = (repositories.c.registry_id == registry_id) & repositories.c.name.in_(names)
    return [_repository(row) for row in connection.execute(_LOAD.where(named).order_by(repositories.c.name))]


def change(connection: Connection, repository_id: int, values: Mapping[str, object]) -> None:
    """Set columns of a repository."""
    if values:
        connection.execute(update(repositories).where(repositories.c.id == repository_id).values(**values))
    if "description" in values:
        index(connection, repository_id)


def link_source(connection: Connection, repository_id: int, source: str) -> bool:
    """Have the repository come from a source, if nobody has ever said from which; say whether that was so."""
    return _LINK_SOURCE.count(connection, repository=repository_id, link=source) > 0


def touch(connection: Connection, repository_id: int, now: Instant) -> None:
    """Note a change of what the repository shows, and that it is listed from now on."""
    _TOUCH.count(connection, repository=repository_id, now=now)


def list_names(
    connection: Connection, registry_id: int, last: str | None, limit: int, sight: Sight
) -> Sequence[RepositoryName]:
    """Return the names of listed repositories after `last`, by bytes, as far as somebody sees them."""
    if sight is None:
        rows = _LIST.rows(connection, registry=registry_id, last=last or "", most=limit)
    else:
        rows = _LIST_VISIBLE.rows(connection, registry=registry_id, last=last or "", most=limit, **sight)
    return [RepositoryName(name) for (name,) in rows]


def summarize(connection: Connection, registry_id: int, names: Sequence[RepositoryName]) -> list[RepositorySummary]:
    """Return what a list shows of each of the named repositories, in the order of the names.

    The statements are as many for a whole page as for one repository.
    """
    statement = select(repositories.c.id, repositories.c.name, repositories.c.changed_at).where(
        repositories.c.registry_id == registry_id,
        repositories.c.name.in_(names),
        repositories.c.deleted_at.is_(None),
    )
    rows = {row.name: row for row in connection.execute(statement)}
    ids = [row.id for row in rows.values()]
    tag_counts, manifest_sums = _count_tags(connection, ids), _sum_manifests(connection, ids)
    blob_sizes = _sum_blobs(connection, ids)
    return [
        RepositorySummary(
            name=name,
            tags=tag_counts.get(row.id, 0),
            manifests=manifest_sums.get(row.id, (0, 0))[0],
            size=manifest_sums.get(row.id, (0, 0))[1] + blob_sizes.get(row.id, 0),
            changed_at=Instant(row.changed_at),
        )
        for name in names
        if (row := rows.get(name)) is not None
    ]


def sizes(connection: Connection, ids: Sequence[int]) -> dict[int, int]:
    """Return the bytes of each repository's manifests, except those in the trash, and of the blobs that they need."""
    manifest_sums, blob_sizes = _sum_manifests(connection, ids), _sum_blobs(connection, ids)
    return {one: manifest_sums.get(one, (0, 0))[1] + blob_sizes.get(one, 0) for one in ids}


def delete_unlisted(connection: Connection, registry_id: int, before: Instant, limit: int) -> int:
    """Delete repositories that were begun and never got a manifest, blob or upload; return how many."""
    empty = (
        select(repositories.c.id)
        .where(
            repositories.c.registry_id == registry_id,
            repositories.c.listed_at.is_(None),
            repositories.c.created_at < before,
            ~exists().where(uploads.c.repository_id == repositories.c.id),
            ~exists().where(repository_blobs.c.repository_id == repositories.c.id),
            ~exists().where(manifests.c.repository_id == repositories.c.id),
        )
        .limit(limit)
    )
    return connection.execute(delete(repositories).where(repositories.c.id.in_(empty))).rowcount


def _repository(row: Row) -> Repository:
    values = dict(zip(Repository.__dataclass_fields__, row, strict=True))
    values["source"] = values["source"] or None
    values["visibility"] = Visibility(values["visibility"])
    values["inherits"] = bool(values["inherits"])
    values["immutable_deletable"] = bool(values["immutable_deletable"])
    return Repository(**values)


def _count_tags(connection: Connection, ids: Sequence[int]) -> dict[int, int]:
    statement = (
        select(tags.c.repository_id, func.count()).where(tags.c.repository_id.in_(ids)).group_by(tags.c.repository_id)
    )
    return {repository_id: int(count) for repository_id, count in connection.execute(statement)}


def _sum_manifests(connection: Connection, ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Return how many live manifests each repository has, and their bytes."""
    statement = (
        select(manifests.c.repository_id, func.count(), func.sum(manifests.c.size))
        .where(manifests.c.repository_id.in_(ids), manifests.c.deleted_at.is_(None))
        .group_by(manifests.c.repository_id)
    )
    return {repository_id: (int(count), int(size)) for repository_id, count, size in connection.execute(statement)}


def _sum_blobs(connection: Connection, ids: Sequence[int]) -> dict[int, int]:
    """Return the bytes of each repository's distinct blobs that a live manifest needs.

    It asks once for each blob, not for each reference: most manifests of a repository share most of their layers.
    """
    needed = (
        exists()
        .where(
            manifest_references.c.repository_id == repository_blobs.c.repository_id,
            manifest_references.c.blob_id == repository_blobs.c.blob_id,
        )
        .where(manifests.c.id == manifest_references.c.manifest_id, manifests.c.deleted_at.is_(None))
    )
    statement = (
        select(repository_blobs.c.repository_id, func.sum(blobs.c.size))
        .join(blobs, blobs.c.id == repository_blobs.c.blob_id)
        .where(repository_blobs.c.repository_id.in_(ids), needed)
        .group_by(repository_blobs.c.repository_id)
    )
    return {repository_id: int(size) for repository_id, size in connection.execute(statement)}


def _give_to_maker(connection: Connection, repository_id: int, by: Actor, now: Instant) -> None:
    maker = by.principal.account_id
    if maker is not None:
        place = PlaceKey(repository_id=repository_id)
        grants.give(connection, SubjectKey(account_id=maker), place, Role.ADMIN, maker, now)


def count(connection: Connection) -> int:
    """Return how many live repositories there are, in all registries."""
    statement = select(func.count()).select_from(repositories).where(repositories.c.deleted_at.is_(None))
    return int(connection.execute(statement).scalar_one())


def set_visibility_of_all(connection: Connection, visibility: Visibility) -> None:
    """Give every repository the same visibility."""
    connection.execute(update(repositories).values(visibility=visibility.value))
