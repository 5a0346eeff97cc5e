# SPDX-License-Identifier: Apache-2.0
"""Rows of a registry that is being opened or closed."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Table, delete, exists, func, or_, select, update

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
    manifest_references,
    manifests,
    namespaces,
    registries,
    registry_hosts,
    repositories,
    repository_blobs,
    tags,
    tombstones,
    uploads,
)

_AT_ONCE: Final = 500
"""How many blobs one transaction takes on when everything came back."""


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


def set_opened(connection: Connection, registry_id: int, now: Instant, inventory: str | None) -> None:
    """Have a registry answer from now on; the inventory of that digest was taken on, and counts for no other."""
    rows.change(connection, registry_id, {"opened_at": now})
    if inventory is not None:
        connection.execute(update(registries).where(registries.c.inventory == inventory).values(inventory=None))


def tidy(connection: Connection, registry_id: int, now: Instant, lease: Instant, after: int) -> int | None:
    """Have some of what nothing needs looked at: blobs of no repository are buried, others are reviewed.

    Args:
        connection: the transaction.
        registry_id: of the registry that is being opened, all of whose entries are rows now.
        now: the time.
        lease: until when everything is kept.
        after: the last blob that was looked at.

    Returns:
        The last blob that was looked at; nothing if there is none after it.
    """
    some = connection.execute(
        select(blobs.c.id, blobs.c.store_key, blobs.c.size)
        .where(blobs.c.registry_id == registry_id, blobs.c.id > after)
        .order_by(blobs.c.id)
        .limit(_AT_ONCE)
    ).all()
    if not some:
        return None
    numbers = [row.id for row in some]
    needed = exists().where(
        manifest_references.c.repository_id == repository_blobs.c.repository_id,
        manifest_references.c.blob_id == repository_blobs.c.blob_id,
    )
    member = repository_blobs.c.blob_id.in_(numbers)
    loose = select(repository_blobs.c.repository_id, repository_blobs.c.blob_id).where(member, ~needed)
    for repository_id, blob_id in connection.execute(loose).all():
        queues.review_blobs(connection, repository_id, [blob_id], lease, "it came back without a manifest")
    used = set(connection.execute(select(repository_blobs.c.blob_id).where(member).distinct()).scalars())
    for row in some:
        if row.id not in used:
            queues.bury(connection, registry_id, row.store_key, lease, now, row.size)
    connection.execute(delete(blobs).where(blobs.c.id.in_(set(numbers) - used)))
    return int(numbers[-1])


def claim(connection: Connection, registry_id: int, token: str, now: Instant, until: Instant) -> bool:
    """Have this process alone open or close a registry for a while; says whether nobody else does."""
    free = or_(registries.c.claim.is_(None), registries.c.claim == token, registries.c.claimed_until <= now)
    return (
        connection.execute(
            update(registries).where(registries.c.id == registry_id, free).values(claim=token, claimed_until=until)
        ).rowcount
        > 0
    )


def release(connection: Connection, registry_id: int, token: str) -> None:
    """Let another process go on with a registry."""
    connection.execute(
        update(registries)
        .where(registries.c.id == registry_id, registries.c.claim == token)
        .values(claim=None, claimed_until=None)
    )


def is_claimed(connection: Connection, registry_id: int, token: str) -> bool:
    """Say whether the registry is still this process's."""
    found = select(registries.c.claim).where(registries.c.id == registry_id).with_for_update(key_share=True)
    return connection.execute(found).scalar() == token


def note_inventory(connection: Connection, registry_id: int, digest: str) -> None:
    """Note that the inventory of a registry is durable, and what it is."""
    rows.change(connection, registry_id, {"inventory": digest})


def wrote(connection: Connection, digest: str) -> bool:
    """Say whether this deployment wrote an inventory, and no registry took it on yet."""
    found = select(registries.c.id).where(registries.c.inventory == digest, registries.c.deleted_at.is_not(None))
    return connection.execute(found).first() is not None


def close(
    connection: Connection, registry_id: int, deletion_id: int, now: Instant, *, leaves_images: bool
) -> Sequence[AccountName]:
    """Have a registry answer no more, and hide what is in it; returns the robots that end with it.

    Repositories are marked with the deletion's event: what was in the trash before has another mark. Whoever waits for
    the lock of one finds it gone, as with every deletion. Trust rules and robots do not outlive it, nor do roles on the
    whole of it. Owners, and roles on what is in it, are still to be written into its inventory, if it leaves one: they
    end with `free`.
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
    connection.execute(delete(grants).where(grants.c.registry_id == registry_id))
    if not leaves_images:
        _end_roles(connection, registry_id)
    connection.execute(delete(trust_rules).where(trust_rules.c.registry_id == registry_id))
    connection.execute(delete(registry_hosts).where(registry_hosts.c.registry_id == registry_id))
    robots = account_rows.list_robots(connection, registry_id=registry_id)
    for robot in robots:
        assert robot.kind is AccountKind.ROBOT  # noqa: S101 - only robots belong to a registry
        account_rows.delete_account(connection, robot, now)
    return [robot.name for robot in robots]


def _end_roles(connection: Connection, registry_id: int) -> None:
    """End owners, and roles on what is in a registry."""
    places = select(repositories.c.id).where(repositories.c.registry_id == registry_id)
    spaces = select(namespaces.c.id).where(namespaces.c.registry_id == registry_id)
    connection.execute(delete(grants).where(or_(grants.c.repository_id.in_(places), grants.c.namespace_id.in_(spaces))))
    connection.execute(update(namespaces).where(namespaces.c.registry_id == registry_id).values(owner_id=None))


def free(connection: Connection, registry_id: int, now: Instant) -> bool:
    """Give the storage of a closed registry back; from here on nothing of it is touched for this registry.

    Its rows are left to the collector, which finds no bytes to remove any more. Returns whether this call did it.
    """
    row = rows.get(connection, registry_id, lock=True)
    if row.storage is None or row.deleted_at is None:
        return False
    rows.change(connection, registry_id, {"storage": None})
    _end_roles(connection, registry_id)
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
