# SPDX-License-Identifier: Apache-2.0
"""Rows of namespaces: first parts of names, which come into being with their first repository or their first grant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Select, func, select, update

from wharfinger.clock import Instant
from wharfinger.domain.access import Visibility
from wharfinger.domain.accounts import AccountName
from wharfinger.domain.content import ContentKind, parse_kinds
from wharfinger.domain.identity import Actor
from wharfinger.metadata import accounts as account_rows
from wharfinger.metadata.account_tables import accounts
from wharfinger.metadata.database import Row, Statement
from wharfinger.metadata.schema import namespaces, registries, repositories

_CREATE: Final = Statement(
    lambda insert: insert(namespaces).on_conflict_do_nothing(),
    columns=("registry_id", "name", "owner_id", "default_visibility", "created_at", "created_by"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """A namespace as the database knows it."""

    id: int
    name: str
    owner_id: int | None
    owner: AccountName | None
    """The user or the organization that it belongs to; nothing if it is the registry's."""
    default_visibility: Visibility
    """Of repositories that are made in it."""
    kinds_off: frozenset[ContentKind]
    """Kinds of content that are not taken in it."""
    repositories: int
    """How many are there."""
    created_at: Instant


def find_id(connection: Connection, registry_id: int, name: str) -> tuple[int, str] | None:
    """Return the id of a namespace, and the visibility that its new repositories take."""
    statement = select(namespaces.c.id, namespaces.c.default_visibility).where(
        namespaces.c.registry_id == registry_id, namespaces.c.name == name
    )
    row = connection.execute(statement).first()
    return None if row is None else (int(row[0]), str(row[1]))


def ensure(connection: Connection, registry_id: int, name: str, by: Actor, now: Instant) -> tuple[int, str]:
    """Return the same as `find_id`, making the namespace if it is new."""
    found = find_id(connection, registry_id, name)
    if found is not None:
        return found
    _CREATE.count(
        connection,
        registry_id=registry_id,
        name=name,
        owner_id=_owner_of_new(connection, registry_id, name),
        default_visibility=Visibility.PRIVATE.value,
        created_at=now,
        created_by=by.principal.account_id,
    )
    found = find_id(connection, registry_id, name)
    if found is None:
        message = f"namespace {name} was made and deleted while it was looked up"
        raise RuntimeError(message)
    return found


def find(connection: Connection, registry_id: int, name: str) -> Namespace | None:
    """Return the namespace of that name."""
    statement = _select(registry_id).where(namespaces.c.name == name)
    row = connection.execute(statement).first()
    return None if row is None else _namespace(row)


def lock(connection: Connection, namespace_id: int) -> None:
    """Let one transaction at a time change the namespace; SQLite has one writer anyway."""
    statement = select(namespaces.c.id).where(namespaces.c.id == namespace_id)
    connection.execute(statement.with_for_update(key_share=True))


def list_namespaces(
    connection: Connection, registry_id: int, last: str | None, limit: int, owner: AccountName | None = None
) -> Sequence[Namespace]:
    """Return namespaces of a registry after `last`, by the bytes of their names; with an owner, only that one's."""
    statement = _select(registry_id).where(namespaces.c.name > (last or "")).order_by(namespaces.c.name).limit(limit)
    if owner is not None:
        statement = statement.where(accounts.c.name == owner)
    return [_namespace(row) for row in connection.execute(statement)]


def change(connection: Connection, namespace_id: int, values: Mapping[str, object]) -> None:
    """Set columns of a namespace."""
    if values:
        connection.execute(update(namespaces).where(namespaces.c.id == namespace_id).values(**values))


def _select(registry_id: int) -> Select[tuple[object, ...]]:
    count = (
        select(func.count())
        .select_from(repositories)
        .where(
            repositories.c.namespace_id == namespaces.c.id,
            repositories.c.deleted_at.is_(None),
            repositories.c.listed_at.is_not(None),
        )
        .correlate(namespaces)
        .scalar_subquery()
    )
    return (
        select(
            namespaces.c.id,
            namespaces.c.name,
            namespaces.c.owner_id,
            accounts.c.name,
            namespaces.c.default_visibility,
            namespaces.c.kinds_off,
            count,
            namespaces.c.created_at,
        )
        .outerjoin(accounts, accounts.c.id == namespaces.c.owner_id)
        .where(namespaces.c.registry_id == registry_id)
    )


def _namespace(row: Row) -> Namespace:
    number, name, owner_id, owner, visibility, kinds_off, count, created_at = row
    return Namespace(
        id=number,
        name=name,
        owner_id=owner_id,
        owner=None if owner is None else AccountName(owner),
        default_visibility=Visibility(visibility),
        kinds_off=parse_kinds(kinds_off),
        repositories=count,
        created_at=Instant(created_at),
    )


def _owner_of_new(connection: Connection, registry_id: int, name: str) -> int | None:
    """Return whose a new namespace is: the account's of that name, in a registry where accounts own namespaces."""
    wanted = select(registries.c.account_namespaces).where(registries.c.id == registry_id)
    if not connection.execute(wanted).scalar():
        return None
    owner = account_rows.lock(connection, AccountName(name))
    return None if owner is None else owner.id
