# SPDX-License-Identifier: Apache-2.0
"""Rows of accounts and of their passwords.

Whoever changes what an account has locks its row first (`lock`). The lock leaves foreign keys alone: no push waits
for somebody who edits the account that pushes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection, bindparam, delete, exists, insert, or_, select, update

from wharfinger.clock import Instant
from wharfinger.domain.accounts import AccessType, AccountKind, AccountName, CredentialKind
from wharfinger.metadata import figures, grants
from wharfinger.metadata.account_tables import accounts, credentials, memberships, passwords, places, teams
from wharfinger.metadata.database import Row, Statement
from wharfinger.metadata.page_tables import stars
from wharfinger.metadata.schema import namespaces, registries
from wharfinger.metadata.sign_in_tables import (
    credential_authorizations,
    external_identities,
    factor_locks,
    recovery_codes,
    second_factors,
    sessions,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account as the database knows it."""

    id: int
    kind: AccountKind
    name: AccountName
    display_name: str | None
    email: str | None
    language: str | None
    """Of pages, as the user chose it; nothing for what the browser says."""
    description: str | None
    access_type: AccessType
    anonymous_pull: bool
    """Of an organization: whether public repositories in its namespaces are for everybody."""
    organization_id: int | None
    """Of a robot: the organization that it belongs to; or else"""
    registry_id: int | None
    created_at: Instant
    suspended_at: Instant | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Password:
    """What signing in with a password needs to know."""

    account_id: int
    name: AccountName
    access_type: AccessType
    suspended: bool
    hash: str
    changed_at: Instant
    failures: int
    locked_until: Instant | None
    has_second_factor: bool
    """Whether the password alone lets nobody in."""
    is_one_time: bool
    """Whether it is good for choosing another one, and for nothing else."""


_has_second_factor: Final = exists().where(second_factors.c.account_id == accounts.c.id)
ANY: Final = Statement(select(accounts.c.id).limit(1))
"""Column id: whether there ever was an account. Deleted ones count: deleting the last must not open the registry."""

PASSWORD: Final = Statement(
    select(
        accounts.c.id,
        accounts.c.name,
        accounts.c.access_type,
        accounts.c.suspended_at,
        passwords.c.hash,
        passwords.c.changed_at,
        passwords.c.failures,
        passwords.c.locked_until,
        _has_second_factor,
        passwords.c.one_time,
    )
    .join(passwords, passwords.c.account_id == accounts.c.id)
    .where(accounts.c.name == bindparam("name"), accounts.c.deleted_at.is_(None))
)
"""Parameter `name`; `password_of` reads the columns."""

_employer: Final = accounts.alias("employer")
GOOD: Final = Statement(
    select(accounts.c.name)
    .outerjoin(_employer, _employer.c.id == accounts.c.organization_id)
    .where(
        accounts.c.id == bindparam("account_id"),
        accounts.c.deleted_at.is_(None),
        accounts.c.suspended_at.is_(None),
        _employer.c.suspended_at.is_(None),
        accounts.c.access_type == AccessType.BOTH.value,
        ~_has_second_factor,
        ~exists().where(passwords.c.account_id == accounts.c.id, passwords.c.one_time == 1),
    )
)
"""Parameter `account_id`; column name, if the account is not suspended and may use a password under `/v2/`."""

_COLUMNS: Final = tuple(accounts.c[name] for name in Account.__dataclass_fields__)
_FIND: Final = select(*_COLUMNS).where(accounts.c.deleted_at.is_(None))


def password_of(row: Row) -> Password:
    """Return what a row of `PASSWORD` says."""
    account_id, name, access_type, suspended_at, hashed, changed_at, failures, locked, has_factor, one_time = row
    return Password(
        account_id=account_id,
        name=AccountName(name),
        access_type=AccessType(access_type),
        suspended=suspended_at is not None,
        hash=hashed,
        changed_at=Instant(changed_at),
        failures=failures,
        locked_until=None if locked is None else Instant(locked),
        has_second_factor=bool(has_factor),
        is_one_time=bool(one_time),
    )


def create(
    connection: Connection,
    kind: AccountKind,
    name: AccountName,
    now: Instant,
    *,
    organization_id: int | None = None,
    registry_id: int | None = None,
) -> int | None:
    """Create an account and return its id; nothing if a live account has the name."""
    made = _CREATE.first(
        connection,
        kind=kind.value,
        name=name,
        organization_id=organization_id,
        registry_id=registry_id,
        created_at=now,
    )
    return None if made is None else int(made[0])


_CREATE: Final = Statement(
    lambda insert: insert(accounts).on_conflict_do_nothing().returning(accounts.c.id),
    columns=("kind", "name", "organization_id", "registry_id", "created_at"),
)


def find(connection: Connection, name: AccountName) -> Account | None:
    """Return the live account of that name."""
    row = connection.execute(_FIND.where(accounts.c.name == name)).first()
    return None if row is None else _account(row)


def find_id(connection: Connection, name: str) -> int | None:
    """Return the id of the live account of that name."""
    statement = select(accounts.c.id).where(accounts.c.name == name, accounts.c.deleted_at.is_(None))
    found: int | None = connection.execute(statement).scalar()
    return found


def lock(connection: Connection, name: AccountName) -> Account | None:
    """Return the live account of that name, and keep others from changing what it has; SQLite has one writer anyway."""
    statement = _FIND.where(accounts.c.name == name).with_for_update(key_share=True)
    row = connection.execute(statement).first()
    return None if row is None else _account(row)


def lock_by_id(connection: Connection, account_id: int) -> Account | None:
    """As `lock`, for an account that is known by its id."""
    statement = _FIND.where(accounts.c.id == account_id).with_for_update(key_share=True)
    row = connection.execute(statement).first()
    return None if row is None else _account(row)


def change(connection: Connection, account_id: int, values: Mapping[str, object]) -> None:
    """Set columns of an account."""
    if values:
        connection.execute(update(accounts).where(accounts.c.id == account_id).values(**values))


def list_accounts(
    connection: Connection, kinds: Sequence[AccountKind], last: str | None, limit: int
) -> Sequence[Account]:
    """Return live accounts of some kinds after `last`, by the bytes of their names."""
    condition = accounts.c.kind.in_([kind.value for kind in kinds]) & (accounts.c.name > (last or ""))
    return _list(connection, condition, limit)


def list_robots(
    connection: Connection,
    *,
    organization_id: int | None = None,
    registry_id: int | None = None,
    last: str | None = None,
    limit: int | None = None,
) -> Sequence[Account]:
    """Return the robots of one organization or of one registry."""
    owned = (
        accounts.c.registry_id == registry_id
        if organization_id is None
        else accounts.c.organization_id == organization_id
    )
    return _list(connection, owned & (accounts.c.name > (last or "")), limit)


def delete_account(connection: Connection, account: Account, now: Instant) -> None:
    """Delete an account: what it was given goes, its credentials end, what it owned is the registry's or nobody's."""
    if account.kind is AccountKind.ORGANIZATION:
        for robot in list_robots(connection, organization_id=account.id):
            delete_account(connection, robot, now)
        connection.execute(delete(teams).where(teams.c.organization_id == account.id))
    either = or_(memberships.c.user_id == account.id, memberships.c.organization_id == account.id)
    connection.execute(delete(memberships).where(either))
    connection.execute(update(namespaces).where(namespaces.c.owner_id == account.id).values(owner_id=None))
    connection.execute(delete(passwords).where(passwords.c.account_id == account.id))
    connection.execute(delete(places).where(places.c.account_id == account.id))
    grants.take_all(connection, account.id)
    starred = connection.scalars(select(stars.c.repository_id).where(stars.c.account_id == account.id)).all()
    connection.execute(delete(stars).where(stars.c.account_id == account.id))
    figures.count_stars(connection, starred)
    connection.execute(delete(sessions).where(sessions.c.account_id == account.id))
    for held in (external_identities, second_factors, recovery_codes, factor_locks):
        connection.execute(delete(held).where(held.c.account_id == account.id))
    authorized = credential_authorizations.c.organization_id == account.id
    connection.execute(delete(credential_authorizations).where(authorized))
    ended = update(credentials).where(credentials.c.account_id == account.id, credentials.c.revoked_at.is_(None))
    connection.execute(ended.values(revoked_at=now))
    connection.execute(update(accounts).where(accounts.c.id == account.id).values(deleted_at=now))


def has_unowned_namespace(connection: Connection, name: AccountName) -> bool:
    """Say whether there is a namespace of that name that nobody owns, where accounts own those of their name."""
    statement = select(namespaces.c.id).where(_unowned(name)).limit(1)
    return connection.execute(statement).first() is not None


def claim_namespaces(connection: Connection, name: AccountName, account_id: int) -> None:
    """Have the account own the namespaces of its name that nobody owns."""
    connection.execute(update(namespaces).where(_unowned(name)).values(owner_id=account_id))


def _unowned(name: AccountName) -> ColumnElement[bool]:
    open_registries = select(registries.c.id).where(registries.c.account_namespaces == 1)
    return (namespaces.c.name == name) & namespaces.c.owner_id.is_(None) & namespaces.c.registry_id.in_(open_registries)


def set_password(connection: Connection, account_id: int, hashed: str, now: Instant, *, one_time: bool = False) -> None:
    """Store the hash of a new password; wrong guesses of the old one are forgotten."""
    values = {"hash": hashed, "changed_at": now, "failures": 0, "locked_until": None, "one_time": int(one_time)}
    changed = connection.execute(update(passwords).where(passwords.c.account_id == account_id).values(**values))
    if changed.rowcount == 0:
        connection.execute(insert(passwords).values(account_id=account_id, **values))


def has_password_of(connection: Connection, account_id: int, changed_at: Instant) -> bool:
    """Say whether the account still has the password that was set then."""
    same = (passwords.c.account_id == account_id) & (passwords.c.changed_at == changed_at)
    return connection.execute(select(passwords.c.account_id).where(same)).first() is not None


def rehash_password(connection: Connection, account_id: int, old: str, new: str) -> None:
    """Store another hash of the same password, unless somebody changed it meanwhile."""
    same = (passwords.c.account_id == account_id) & (passwords.c.hash == old)
    connection.execute(update(passwords).where(same).values(hash=new))


def end_password_sessions(connection: Connection, account_id: int, now: Instant) -> None:
    """Revoke the refresh tokens that somebody got for the account's password."""
    condition = (
        (credentials.c.account_id == account_id)
        & (credentials.c.kind == CredentialKind.REFRESH.value)
        & credentials.c.parent_id.is_(None)
        & credentials.c.revoked_at.is_(None)
    )
    connection.execute(update(credentials).where(condition).values(revoked_at=now))


def count_failure(connection: Connection, account_id: int) -> int:
    """Count one more wrong password; return how many there were in a row."""
    statement = (
        update(passwords)
        .where(passwords.c.account_id == account_id)
        .values(failures=passwords.c.failures + 1)
        .returning(passwords.c.failures)
    )
    return int(connection.execute(statement).scalar() or 0)


def set_lock(connection: Connection, account_id: int, failures: int, until: Instant | None) -> None:
    """Set how many wrong passwords there were in a row, and until when none is taken."""
    statement = update(passwords).where(passwords.c.account_id == account_id)
    connection.execute(statement.values(failures=failures, locked_until=until))


def _list(connection: Connection, condition: ColumnElement[bool], limit: int | None) -> Sequence[Account]:
    rows = connection.execute(_FIND.where(condition).order_by(accounts.c.name).limit(limit))
    return [_account(row) for row in rows]


def _account(row: Row) -> Account:
    values = dict(zip(Account.__dataclass_fields__, row, strict=True))
    values["kind"] = AccountKind(values["kind"])
    values["access_type"] = AccessType(values["access_type"])
    values["anonymous_pull"] = bool(values["anonymous_pull"])
    return Account(**values)
