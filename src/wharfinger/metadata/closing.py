# SPDX-License-Identifier: Apache-2.0
"""Rows of a registry that is being opened or closed."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table, delete, func, or_, select, update

from wharfinger.clock import Instant
from wharfinger.domain.accounts import AccountKind, AccountName
from wharfinger.domain.events import EventAction
from wharfinger.domain.registries import Contents
from wharfinger.metadata import accounts as account_rows
from wharfinger.metadata import queues
from wharfinger.metadata import registries as rows
from wharfinger.metadata.account_tables import grants, trust_rules
from wharfinger.metadata.schema import (
    blobs,
    events,
    manifests,
    namespaces,
    registries,
    registry_hosts,
    repositories,
    tags,
    tombstones,
    uploads,
)


def lock(connection: Connection, registry_id: int) -> None:
    """Hold a registry's row against everything, also against new repositories in it."""
    connection.execute(select(registries.c.id).where(registries.c.id == registry_id).with_for_update())


def contents(connection: Connection, registry_id: int) -> Contents:
    """Return how much is in a registry: what is listed, what is in the trash, and all bytes."""
    here = repositories.c.registry_id == registry_id
    live = repositories.c.deleted_at.is_(None)
    listed = connection.execute(
        select(func.count()).select_from(repositories).where(here, live, repositories.c.listed_at.is_not(None))
    ).scalar_one()
    trashed = connection.execute(select(func.count()).select_from(repositories).where(here, ~live)).scalar_one()
    tagged = connection.execute(
        select(func.count())
        .select_from(tags)
        .join(repositories, repositories.c.id == tags.c.repository_id)
        .where(here, live)
    ).scalar_one()
    images = connection.execute(
        select(func.count())
        .select_from(manifests)
        .join(repositories, repositories.c.id == manifests.c.repository_id)
        .where(here, live, manifests.c.deleted_at.is_(None))
    ).scalar_one()
    count, size = connection.execute(
        select(func.count(), func.coalesce(func.sum(blobs.c.size), 0)).where(blobs.c.registry_id == registry_id)
    ).one()
    return Contents(
        repositories=listed, trashed=trashed, tags=tagged, manifests=images, blobs=int(count), size=int(size)
    )


def remove(connection: Connection, registry_id: int) -> None:
    """Remove a registry that came to nothing: nothing refers to it."""
    connection.execute(delete(registries).where(registries.c.id == registry_id))


def creation_of(connection: Connection, registry_id: int) -> int | None:
    """Return the event that tells of a registry's creation."""
    told = events.c.action == EventAction.REGISTRY_CREATED.value
    found: int | None = connection.execute(
        select(func.max(events.c.id)).where(events.c.registry_id == registry_id, told)
    ).scalar()
    return found


def set_opened(connection: Connection, registry_id: int, now: Instant) -> None:
    """Have a registry answer from now on."""
    rows.change(connection, registry_id, {"opened_at": now})


def close(
    connection: Connection, registry_id: int, deletion_id: int, now: Instant, *, leaves_images: bool
) -> Sequence[AccountName]:
    """Have a registry answer no more, and hide what is in it; returns the robots that end with it.

    Repositories are marked with the deletion's event: what was in the trash before has another mark. Whoever waits for
    the lock of one finds it gone, as with every deletion. Roles, trust rules and robots do not outlive it.
    """
    rows.change(
        connection,
        registry_id,
        {
            "deleted_at": now,
            "deletion_id": deletion_id,
            "leaves_images": int(leaves_images),
            "account_namespaces": 0,
            "public": 0,
            "sweep_after": None,
        },
    )
    here = repositories.c.registry_id == registry_id
    live = here & repositories.c.deleted_at.is_(None)
    connection.execute(update(repositories).where(live).values(deleted_at=now, deletion_id=deletion_id))
    if not leaves_images:
        connection.execute(
            update(repositories).where(here).values(purged_at=func.coalesce(repositories.c.purged_at, now))
        )
    ended = delete(uploads).where(uploads.c.registry_id == registry_id).returning(uploads.c.store_key)
    for key in connection.execute(ended).scalars().all():
        queues.bury(connection, registry_id, key, now, now)
    places = select(repositories.c.id).where(here)
    spaces = select(namespaces.c.id).where(namespaces.c.registry_id == registry_id)
    connection.execute(
        delete(grants).where(
            or_(
                grants.c.registry_id == registry_id,
                grants.c.repository_id.in_(places),
                grants.c.namespace_id.in_(spaces),
            )
        )
    )
    connection.execute(delete(trust_rules).where(trust_rules.c.registry_id == registry_id))
    connection.execute(update(namespaces).where(namespaces.c.registry_id == registry_id).values(owner_id=None))
    connection.execute(delete(registry_hosts).where(registry_hosts.c.registry_id == registry_id))
    robots = account_rows.list_robots(connection, registry_id=registry_id)
    for robot in robots:
        assert robot.kind is AccountKind.ROBOT  # noqa: S101 - only robots belong to a registry
        account_rows.delete_account(connection, robot, now)
    return [robot.name for robot in robots]


def free(connection: Connection, registry_id: int, now: Instant) -> bool:
    """Give the storage of a closed registry back; from here on nothing of it is touched for this registry.

    Its rows are left to the collector, which finds no bytes to remove any more. Returns whether this call did it.
    """
    row = rows.get(connection, registry_id, lock=True)
    if row.storage is None or row.deleted_at is None:
        return False
    rows.change(connection, registry_id, {"storage": None})
    here = repositories.c.registry_id == registry_id
    connection.execute(update(repositories).where(here).values(purged_at=func.coalesce(repositories.c.purged_at, now)))
    connection.execute(delete(tombstones).where(tombstones.c.registry_id == registry_id))
    return True


def hurry(connection: Connection, registry_id: int, now: Instant) -> bool:
    """Have the bytes of a registry that leaves nothing removed at once; returns whether there are any left."""
    due = tombstones.c.registry_id == registry_id
    connection.execute(update(tombstones).where(due, tombstones.c.not_before > now).values(not_before=now))
    return any(_has(connection, table, registry_id) for table in (repositories, blobs, uploads, tombstones))


def _has(connection: Connection, table: Table, registry_id: int) -> bool:
    column: Any = table.c.registry_id
    return connection.execute(select(column).where(column == registry_id).limit(1)).first() is not None
