# SPDX-License-Identifier: Apache-2.0
"""Rows of registries: what each is called, where it answers, where its bytes are, and its switches."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from wharfinger.clock import Instant
from wharfinger.domain.names import RegistryName
from wharfinger.domain.registries import Endpoints
from wharfinger.metadata.database import Row, Statement
from wharfinger.metadata.schema import blobs, registries, registry_hosts

STATE: Final = Statement(select(func.sum(registries.c.version)))
"""One number that changes with every change of any registry: each row counts its own, and rows only come."""

_CREATE: Final = Statement(
    lambda insert_into: insert_into(registries).on_conflict_do_nothing().returning(registries.c.id),
    columns=("name", "storage", "mark", "private_id", "created_at", "claim", "claimed_until"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryRow:
    """A registry as the database knows it."""

    id: int
    name: RegistryName
    anonymous_pull: bool
    """Whether public repositories are for everybody, or for every account."""
    account_namespaces: bool
    """Whether a new namespace belongs to the account of its name, and can be claimed for it."""
    created_at: Instant
    untagged_after: int | None = None
    """How long a manifest without a tag is kept after it was last used, in microseconds; nothing for good."""
    mark: str = ""
    """What its storage is marked with."""
    storage: str | None = None
    """The name of the storage that it has; nothing once that is free for another registry."""
    private_id: str | None = None
    public_endpoint: bool = True
    private_endpoint: bool = True
    public: bool = False
    """Whether anyone may pull everything, whatever the visibility of a repository is."""
    hosts: tuple[str, ...] = ()
    """Hosts of its own, besides those of the domains."""
    opened_at: Instant | None = None
    """Since when it answers; nothing while what its storage held is still to come back."""
    deleted_at: Instant | None = None
    deletion_id: int | None = None
    """The event that tells of its deletion."""
    leaves_images: bool = False
    """Of one that was deleted: whether its images stay in the storage."""
    inventory: str | None = None
    """Of one that was deleted: the digest of the inventory that it left, as long as nobody took that on."""

    @property
    def is_live(self) -> bool:
        """Whether it answers."""
        return self.opened_at is not None and self.deleted_at is None

    @property
    def endpoints(self) -> Endpoints:
        """Where it answers."""
        return Endpoints(
            name=self.name,
            private_id=self.private_id,
            public_on=self.public_endpoint,
            private_on=self.private_endpoint,
            hosts=self.hosts,
        )


_COLUMNS: Final = (
    registries.c.id,
    registries.c.name,
    registries.c.anonymous_pull,
    registries.c.account_namespaces,
    registries.c.created_at,
    registries.c.untagged_after,
    registries.c.mark,
    registries.c.storage,
    registries.c.private_id,
    registries.c.public_endpoint,
    registries.c.private_endpoint,
    registries.c.public,
    registries.c.opened_at,
    registries.c.deleted_at,
    registries.c.deletion_id,
    registries.c.leaves_images,
    registries.c.inventory,
)
_BOOLEANS: Final = frozenset(
    {"anonymous_pull", "account_namespaces", "public_endpoint", "private_endpoint", "public", "leaves_images"}
)


def get(connection: Connection, registry_id: int, *, lock: bool = False) -> RegistryRow:
    """Return the registry of that id: a row stays when its registry is deleted."""
    statement = select(*_COLUMNS).where(registries.c.id == registry_id)
    if lock:
        statement = statement.with_for_update(key_share=True)
    return _row(connection, connection.execute(statement).one())


def find(connection: Connection, name: str) -> RegistryRow | None:
    """Return the registry of that name, unless it was deleted."""
    statement = select(*_COLUMNS).where(registries.c.name == name, registries.c.deleted_at.is_(None))
    row = connection.execute(statement).first()
    return None if row is None else _row(connection, row)


def list_held(connection: Connection) -> Sequence[RegistryRow]:
    """Return every registry that has a storage, also one that is being opened or closed, the first one first."""
    statement = select(*_COLUMNS).where(registries.c.storage.is_not(None)).order_by(registries.c.id)
    return [_row(connection, row) for row in connection.execute(statement).all()]


def list_held_with_blobs(connection: Connection) -> Sequence[tuple[RegistryRow, bool]]:
    """As `list_held`; each with whether it has a blob whose bytes are in its storage."""
    there = select(blobs.c.id).where(blobs.c.registry_id == bindparam("registry"), blobs.c.state == "live").limit(1)
    return [(row, connection.execute(there, {"registry": row.id}).first() is not None) for row in list_held(connection)]


def create(
    connection: Connection,
    name: RegistryName,
    *,
    storage: str,
    mark: str,
    private_id: str,
    now: Instant,
    claim: str | None = None,
    claimed_until: Instant | None = None,
) -> int | None:
    """Make a registry that is still to be opened, by who has the claim; nothing if its name or storage is taken."""
    made = _CREATE.first(
        connection,
        name=name,
        storage=storage,
        mark=mark,
        private_id=private_id,
        created_at=now,
        claim=claim,
        claimed_until=claimed_until,
    )
    return None if made is None else int(made[0])


def change(connection: Connection, registry_id: int, values: Mapping[str, object]) -> None:
    """Set columns of a registry."""
    if values:
        counted = {**values, "version": registries.c.version + 1}
        connection.execute(update(registries).where(registries.c.id == registry_id).values(**counted))


def set_hosts(connection: Connection, registry_id: int, hosts: Iterable[str]) -> str | None:
    """Give a registry these hosts and no others; returns one that another registry has, and then changes nothing."""
    wanted = tuple(dict.fromkeys(hosts))
    taken = select(registry_hosts.c.host).where(
        registry_hosts.c.host.in_(wanted), registry_hosts.c.registry_id != registry_id
    )
    other: str | None = connection.execute(taken.limit(1)).scalar()
    if other is not None:
        return other
    connection.execute(delete(registry_hosts).where(registry_hosts.c.registry_id == registry_id))
    if wanted:
        connection.execute(insert(registry_hosts), [{"host": host, "registry_id": registry_id} for host in wanted])
    change(connection, registry_id, {"name": registries.c.name})
    return None


def is_live(connection: Connection, registry_id: int) -> bool:
    """Say whether a registry has not been deleted; on PostgreSQL, where its row is held, for the whole transaction."""
    found = select(registries.c.id).where(registries.c.id == registry_id, registries.c.deleted_at.is_(None))
    return connection.execute(found).first() is not None


def _row(connection: Connection, row: Row) -> RegistryRow:
    names = [column.name for column in _COLUMNS]
    values: dict[str, Any] = {
        name: bool(value) if name in _BOOLEANS else value for name, value in zip(names, tuple(row), strict=True)
    }
    hosts = connection.execute(
        select(registry_hosts.c.host).where(registry_hosts.c.registry_id == row[0]).order_by(registry_hosts.c.host)
    ).scalars()
    return RegistryRow(**values, hosts=tuple(hosts))
