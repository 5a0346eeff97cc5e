# SPDX-License-Identifier: Apache-2.0
"""Rows of registries: what each is called, and its switches."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from wharfinger.clock import Instant
from wharfinger.domain.names import RegistryName
from wharfinger.metadata.schema import registries


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


def get(connection: Connection, registry_id: int, *, lock: bool = False) -> RegistryRow:
    """Return the registry of that id, which is there as long as the deployment is."""
    statement = select(
        registries.c.id,
        registries.c.name,
        registries.c.anonymous_pull,
        registries.c.account_namespaces,
        registries.c.created_at,
        registries.c.untagged_after,
    ).where(registries.c.id == registry_id)
    if lock:
        statement = statement.with_for_update(key_share=True)
    number, name, anonymous_pull, account_namespaces, created_at, untagged_after = connection.execute(statement).one()
    return RegistryRow(
        id=number,
        name=RegistryName(name),
        anonymous_pull=bool(anonymous_pull),
        account_namespaces=bool(account_namespaces),
        created_at=Instant(created_at),
        untagged_after=untagged_after,
    )


def change(connection: Connection, registry_id: int, values: Mapping[str, object]) -> None:
    """Set columns of a registry."""
    if values:
        connection.execute(update(registries).where(registries.c.id == registry_id).values(**values))
