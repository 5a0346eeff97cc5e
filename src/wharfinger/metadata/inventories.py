# SPDX-License-Identifier: Apache-2.0
"""The rows of a closed registry as the entries of its inventory, and back into the rows of a new one.

Putting entries in twice changes nothing: a process that dies on the way is followed by one that begins anew.
"""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ClauseElement, Connection, Select, and_, bindparam, delete, exists, func, literal, select

from wharfinger.clock import Instant
from wharfinger.domain.inventories import InventoryUnfit
from wharfinger.metadata import descriptions, queues, search
from wharfinger.metadata.database import InsertInto, Statement
from wharfinger.metadata.registries import RegistryRow
from wharfinger.metadata.retention_tables import pulls
from wharfinger.metadata.schema import (
    blobs,
    manifest_references,
    manifests,
    namespaces,
    repositories,
    repository_blobs,
    tag_history,
    tags,
    tombstones,
)
from wharfinger.metadata.tables import INTEGER, TEXT

Entry = list[Any]
"""As in `domain.inventories`: whoever puts it in finds out whether its parts are what they should be."""
Sink = Callable[[Entry], None]
"""Takes an entry."""
_ROWS: Final = 500
_LARGE_ROWS: Final = 8
"""How many manifests are in memory at once: each may have 4 MiB."""
_REPOSITORY: Final = (
    *("name", "description", "source", "visibility", "inherits", "created_at", "listed_at", "changed_at"),
    *("immutable_tags", "immutable_deletable"),
)
_MANIFEST: Final = (
    *("digest", "media_type", "artifact_type", "size", "subject_digest", "referrer", "pushed_at", "pulled_at"),
    "orphaned_at",
)


def write(connection: Connection, row: RegistryRow, put: Sink) -> None:
    """Write an entry for everything that was live when the registry was deleted."""
    of_registry = blobs.c.registry_id == row.id
    for blob in _rows(
        connection,
        select(blobs.c.digest, blobs.c.size, blobs.c.store_key, blobs.c.state, blobs.c.created_at, blobs.c.verified_at)
        .where(of_registry)
        .order_by(blobs.c.id),
    ):
        put(["blob", *blob])
    doomed = select(tombstones.c.store_key, tombstones.c.size).where(tombstones.c.registry_id == row.id)
    for one in _rows(connection, doomed):
        put(["object", *one])
    named = select(namespaces.c.name, namespaces.c.default_visibility, namespaces.c.created_at)
    for namespace in _rows(connection, named.where(namespaces.c.registry_id == row.id)):
        put(["namespace", *namespace])
    columns = [repositories.c[name] for name in _REPOSITORY]
    was_live = (repositories.c.registry_id == row.id) & (repositories.c.deletion_id == row.deletion_id)
    for repository_id, *values in _rows(connection, select(repositories.c.id, *columns).where(was_live)):
        put(["repository", dict(zip(_REPOSITORY, values, strict=True))])
        _write_repository(connection, repository_id, put)


def _write_repository(connection: Connection, repository_id: int, put: Sink) -> None:
    here = repository_blobs.c.repository_id == repository_id
    members = (
        select(blobs.c.digest, repository_blobs.c.created_at)
        .join(blobs, blobs.c.id == repository_blobs.c.blob_id)
        .where(here, repository_blobs.c.unlinked_at.is_(None))
    )
    for member in _rows(connection, members):
        put(["member", *member])
    sound = and_(
        manifests.c.repository_id == repository_id, manifests.c.deleted_at.is_(None), manifests.c.damaged_at.is_(None)
    )
    written = descriptions.find(connection, repository_id)
    if written is not None:
        put(["page", written.text, written.changed_at])
    columns = [manifests.c[name] for name in _MANIFEST]
    found = select(manifests.c.content, *columns).where(sound).order_by(manifests.c.id)
    for content, *values in _rows(connection, found, at_once=_LARGE_ROWS):
        encoded = base64.b64encode(bytes(content)).decode()
        put(["manifest", {**dict(zip(_MANIFEST, values, strict=True)), "content": encoded}])
    edge = manifest_references.c
    edges = (
        select(
            manifests.c.digest, edge.position, edge.kind, edge.digest, edge.media_type, edge.size, edge.blob_id,
            edge.child_id,
        )
        .join(manifests, manifests.c.id == edge.manifest_id)
        .where(sound)
        .order_by(manifests.c.id, edge.position)
    )  # fmt: skip
    for *values, blob_id, child_id in _rows(connection, edges):
        put(["edge", *values, "blob" if blob_id is not None else "manifest" if child_id is not None else None])
    pointed = (
        select(tags.c.name, manifests.c.digest, tags.c.moved_at)
        .join(manifests, (manifests.c.repository_id == tags.c.repository_id) & (manifests.c.id == tags.c.manifest_id))
        .where(tags.c.repository_id == repository_id, sound)
    )
    for tag in _rows(connection, pointed):
        put(["tag", *tag])
    counted = select(pulls.c.what, pulls.c.day, pulls.c.count, pulls.c.last_at)
    for one in _rows(connection, counted.where(pulls.c.repository_id == repository_id)):
        put(["pulls", *one])


def _rows(connection: Connection, statement: Select[Any], at_once: int = _ROWS) -> Iterator[Sequence[Any]]:
    for row in connection.execute(statement, execution_options={"yield_per": at_once}):
        yield tuple(row)


# --- back in ---------------------------------------------------------------------------------------------------------


def _once(table: Any, *columns: str) -> Statement:
    """Return the statement that inserts a row, unless it is there."""
    return Statement(lambda insert: insert(table).on_conflict_do_nothing(), columns=columns)


def _chosen(table: Any, columns: Sequence[str], chosen: Select[Any]) -> Statement:
    """Return the statement that inserts what is chosen, unless it is there."""

    def build(insert: InsertInto) -> ClauseElement:
        made: ClauseElement = insert(table).from_select(list(columns), chosen).on_conflict_do_nothing()
        return made

    return Statement(build)


def _number(name: str) -> Any:
    return bindparam(name, type_=INTEGER)


def _text(name: str) -> Any:
    return bindparam(name, type_=TEXT)


_PUT_BLOB: Final = _once(blobs, "registry_id", "digest", "size", "store_key", "state", "created_at", "verified_at")
_PUT_NAMESPACE: Final = _once(namespaces, "registry_id", "name", "default_visibility", "created_at")
_PUT_REPOSITORY: Final = _once(repositories, "registry_id", "namespace_id", *_REPOSITORY)
_PUT_MANIFEST: Final = _once(manifests, "repository_id", "content", *_MANIFEST)
_PUT_PULLS: Final = _once(pulls, "repository_id", "what", "day", "count", "last_at")
_JOIN: Final = _chosen(
    repository_blobs,
    ("repository_id", "blob_id", "created_at", "lease_until"),
    select(_number("place"), blobs.c.id, _number("since"), _number("lease")).where(
        blobs.c.registry_id == _number("registry"), blobs.c.digest == _text("member")
    ),
)
_blob_there: Final = (
    select(repository_blobs.c.blob_id)
    .join(blobs, blobs.c.id == repository_blobs.c.blob_id)
    .where(
        repository_blobs.c.repository_id == _number("place"),
        blobs.c.digest == _text("target"),
        _text("leads") == "blob",
    )
    .scalar_subquery()
)
_children: Final = manifests.alias("children")
_child_there: Final = (
    select(_children.c.id)
    .where(
        _children.c.repository_id == _number("place"),
        _children.c.digest == _text("target"),
        _text("leads") == "manifest",
    )
    .scalar_subquery()
)
_EDGE: Final = _chosen(
    manifest_references,
    tuple(column.name for column in manifest_references.c),
    select(
        manifests.c.id, _number("position"), _text("kind"), _text("target"), _text("media_type"), _number("bytes"),
        manifests.c.repository_id, _blob_there, _child_there,
    ).where(manifests.c.repository_id == _number("place"), manifests.c.digest == _text("of")),
)  # fmt: skip
_TAG: Final = _chosen(
    tags,
    ("repository_id", "name", "manifest_id", "moved_at"),
    select(_number("place"), _text("tag"), manifests.c.id, _number("since")).where(
        manifests.c.repository_id == _number("place"), manifests.c.digest == _text("of")
    ),
)
_REMEMBER: Final = Statement(
    lambda insert: insert(tag_history),
    columns=("repository_id", "name", "from_digest", "to_digest", "at", "event_id"),
)


def size_of(entry: Entry) -> int:
    """Return how much memory an entry takes, roughly."""
    return len(entry[1].get("content", "")) if entry[0] == "manifest" else 0


class Shelves:
    """Puts the entries of an inventory into the rows of a registry that is being opened.

    Args:
        registry_id: which one.
        event_id: the event that tells of it, to which the history of every tag begins.
        now: the time.
        lease: until when a blob that no manifest needs is kept.
    """

    def __init__(self, registry_id: int, event_id: int, now: Instant, lease: Instant) -> None:
        self._registry = registry_id
        self._event = event_id
        self._now = now
        self._lease = lease
        self.place = ""
        """The repository that the next entries belong to."""
        self.repositories = 0

    def put(self, connection: Connection, entries: Sequence[Entry]) -> None:
        """Put some more entries in, in their order.

        Raises:
            InventoryUnfit: one is of a kind that this version does not know, or stands where it cannot.
        """
        place = self._find(connection) if self.place else 0
        for kind, *values in entries:
            match kind:
                case "blob":
                    self._blob(connection, values)
                case "object":
                    queues.bury(connection, self._registry, values[0], self._now, self._now, values[1])
                case "namespace":
                    named = dict(zip(("name", "default_visibility", "created_at"), values, strict=True))
                    _PUT_NAMESPACE.count(connection, registry_id=self._registry, **named)
                case "repository":
                    place = self._begin(connection, values[0])
                case _ if place:
                    self._part(connection, place, kind, values)
                case _:
                    message = f"the inventory has {kind!r} before any repository"
                    raise InventoryUnfit(message)

    def finish(self, connection: Connection) -> None:
        """Have everything looked at that nothing needs: blobs of no repository are buried, others are reviewed."""
        unused = ~exists().where(repository_blobs.c.blob_id == blobs.c.id)
        gone = delete(blobs).where(blobs.c.registry_id == self._registry, unused)
        for key, size in connection.execute(gone.returning(blobs.c.store_key, blobs.c.size)).all():
            queues.bury(connection, self._registry, key, self._lease, self._now, size)
        needed = exists().where(
            manifest_references.c.repository_id == repository_blobs.c.repository_id,
            manifest_references.c.blob_id == repository_blobs.c.blob_id,
        )
        loose = (
            select(repository_blobs.c.repository_id, repository_blobs.c.blob_id)
            .join(repositories, repositories.c.id == repository_blobs.c.repository_id)
            .where(repositories.c.registry_id == self._registry, ~needed)
        )
        for repository_id, blob_id in connection.execute(loose).all():
            queues.review_blobs(connection, repository_id, [blob_id], self._lease, "it came back without a manifest")

    def _blob(self, connection: Connection, values: Sequence[Any]) -> None:
        names = ("digest", "size", "store_key", "state", "created_at", "verified_at")
        _PUT_BLOB.count(connection, registry_id=self._registry, **dict(zip(names, values, strict=True)))

    def _begin(self, connection: Connection, values: Mapping[str, Any]) -> int:
        self.place = str(values["name"])
        first, slash, _ = self.place.partition("/")
        namespace = select(namespaces.c.id).where(
            namespaces.c.registry_id == self._registry, namespaces.c.name == literal(first if slash else "")
        )
        known = {name: values.get(name) for name in _REPOSITORY}
        _PUT_REPOSITORY.count(
            connection, registry_id=self._registry, namespace_id=connection.execute(namespace).scalar(), **known
        )
        self.repositories += 1
        place = self._find(connection)
        search.index(connection, place)
        return place

    def _find(self, connection: Connection) -> int:
        found = select(func.max(repositories.c.id)).where(
            repositories.c.registry_id == self._registry,
            repositories.c.name == self.place,
            repositories.c.deleted_at.is_(None),
        )
        return int(connection.execute(found).scalar_one())

    def _part(self, connection: Connection, place: int, kind: object, values: Sequence[Any]) -> None:
        match kind, values:
            case "member", [digest, since]:
                _JOIN.count(
                    connection, place=place, since=since, lease=self._lease, registry=self._registry, member=digest
                )
            case "manifest", [manifest]:
                known = {name: manifest.get(name) for name in _MANIFEST}
                _PUT_MANIFEST.count(
                    connection, repository_id=place, content=base64.b64decode(manifest["content"]), **known
                )
            case "edge", [of, position, what, target, media_type, size, leads]:
                _EDGE.count(
                    connection, place=place, of=of, position=position, kind=what, target=target, media_type=media_type,
                    bytes=size, leads=leads or "",
                )  # fmt: skip
            case "tag", [name, of, since]:
                if _TAG.count(connection, place=place, tag=name, of=of, since=since):
                    _REMEMBER.count(
                        connection, repository_id=place, name=name, from_digest=None, to_digest=of, at=since,
                        event_id=self._event,
                    )  # fmt: skip
            case "page", [text, since]:
                descriptions.put(connection, place, text, None, since)
            case "pulls", [what, day, count, last]:
                _PUT_PULLS.count(connection, repository_id=place, what=what, day=day, count=count, last_at=last)
            case _:
                message = f"the inventory has {kind!r}, which this version does not know"
                raise InventoryUnfit(message)
