# SPDX-License-Identifier: Apache-2.0
"""Rows of credentials: tokens, access keys and refresh tokens, known by the hash of their secret and by nothing else.

One that came from another (`parent_id`) ends with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Text,
    bindparam,
    case,
    cast,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    true,
    update,
)

from wharfinger.clock import DAY, Instant, after
from wharfinger.domain.accounts import AccessType, AccountKind, AccountName, CredentialKind
from wharfinger.domain.identity import Scope
from wharfinger.metadata.account_tables import accounts, credential_repositories, credentials
from wharfinger.metadata.database import Row, Statement
from wharfinger.metadata.schema import repositories

MOST_ALIKE: Final = 50
"""Living sign-ins of one account with one client at one address: each `docker login` makes one."""
MOST_OF_ACCOUNT: Final = 1_000
KEPT_SIGN_INS: Final = 30 * DAY
"""For how long a sign-in is listed after its end."""
KEPT: Final = 366 * DAY
"""The same of a token or a key. The audit log names them by number and name, and keeps that."""
_AT_ONCE: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCredential:
    """A credential that is to be stored.

    Args:
        kind: what it is.
        name: what its owner calls it.
        fingerprint: the hash of its secret.
        hint: the last characters of the secret, by which its owner recognises it.
        public_id: of an access key, the half that is no secret.
        scopes: what it may be used for; nothing for one that has no scopes.
        repositories: ids of the only repositories it may touch; nothing for no such limit.
        expires_at: when it ends by itself.
        parent_id: the credential that it came from.
        device: where a refresh token is used, in the words of the client.
        client_address: from where it was asked for.
    """

    kind: CredentialKind
    name: str
    fingerprint: str
    hint: str
    public_id: str | None = None
    scopes: frozenset[Scope] | None = None
    repositories: frozenset[int] | None = None
    expires_at: Instant | None = None
    parent_id: int | None = None
    device: str | None = None
    client_address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A credential as its owner sees it."""

    id: int
    kind: CredentialKind
    name: str
    public_id: str | None
    hint: str
    scopes: frozenset[Scope] | None
    repositories: frozenset[int] | None
    expires_at: Instant | None
    created_at: Instant
    last_used_at: Instant | None
    last_used_from: str | None
    """The address of a client that used it that day, or a refresh token's at its sign-in."""
    revoked_at: Instant | None
    parent_id: int | None
    device: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A credential that was shown, and the account that it stands for.

    Args:
        expires_at: the earlier end of its own and its parent's.
        revoked: whether it was, or its parent, or its account was deleted.
        suspended: whether the account is, or the organization that it belongs to.
    """

    credential_id: int
    kind: CredentialKind
    public_id: str | None
    parent_id: int | None
    account_id: int
    name: AccountName
    account_kind: AccountKind
    access_type: AccessType
    scopes: frozenset[Scope] | None
    repositories: frozenset[int] | None
    expires_at: Instant | None
    last_used_at: Instant | None
    revoked: bool
    suspended: bool

    def is_good(self, now: Instant) -> bool:
        """Say whether it may be used now."""
        return not self.revoked and not self.suspended and (self.expires_at is None or now < self.expires_at)


_parent: Final = credentials.alias("parent")
_employer: Final = accounts.alias("employer")
_comma: Final[ColumnElement[str]] = literal_column("','")
_ids: Final = (
    # A column, because a plain text would become a parameter, which only the toolkit itself could fill in.
    select(func.aggregate_strings(cast(credential_repositories.c.repository_id, Text), _comma))  # type: ignore[arg-type]
    .where(credential_repositories.c.credential_id == credentials.c.id)
    .correlate(credentials)
    .scalar_subquery()
)

_HOLDER: Final = (
    select(
        credentials.c.id,
        credentials.c.kind,
        credentials.c.public_id,
        credentials.c.parent_id,
        accounts.c.id,
        accounts.c.name,
        accounts.c.kind,
        accounts.c.access_type,
        credentials.c.scopes,
        credentials.c.limited,
        _ids,
        credentials.c.expires_at,
        _parent.c.expires_at,
        credentials.c.last_used_at,
        func.coalesce(credentials.c.revoked_at, _parent.c.revoked_at, accounts.c.deleted_at),
        func.coalesce(accounts.c.suspended_at, _employer.c.suspended_at),
    )
    .join(accounts, accounts.c.id == credentials.c.account_id)
    .outerjoin(_parent, _parent.c.id == credentials.c.parent_id)
    .outerjoin(_employer, _employer.c.id == accounts.c.organization_id)
)
HOLDER: Final = Statement(_HOLDER.where(credentials.c.fingerprint == bindparam("fingerprint")))
"""Parameter `fingerprint`; `holder_of` reads the columns."""
HOLDER_BY_ID: Final = Statement(
    _HOLDER.where(credentials.c.id == bindparam("credential_id"), credentials.c.account_id == bindparam("account_id"))
)
"""Parameters `credential_id`, `account_id`; `holder_of` reads the columns."""


def holder_of(row: Row) -> Holder:
    """Return what a row of `HOLDER` says."""
    (
        credential_id,
        kind,
        public_id,
        parent_id,
        account_id,
        name,
        account_kind,
        access_type,
        scopes,
        limited,
        ids,
        *ends,
        last_used_at,
        revoked_at,
        suspended_at,
    ) = row
    return Holder(
        credential_id=credential_id,
        kind=CredentialKind(kind),
        public_id=public_id,
        parent_id=parent_id,
        account_id=account_id,
        name=AccountName(name),
        account_kind=AccountKind(account_kind),
        access_type=AccessType(access_type),
        scopes=_read_scopes(scopes),
        repositories=_read_ids(ids) if limited else None,
        expires_at=min((Instant(end) for end in ends if end is not None), default=None),
        last_used_at=None if last_used_at is None else Instant(last_used_at),
        revoked=revoked_at is not None,
        suspended=suspended_at is not None,
    )


def create(connection: Connection, account_id: int, new: NewCredential, by: int | None, now: Instant) -> int:
    """Store a credential and return its id."""
    statement = (
        insert(credentials)
        .values(
            kind=new.kind.value,
            account_id=account_id,
            name=new.name,
            public_id=new.public_id,
            fingerprint=new.fingerprint,
            hint=new.hint,
            scopes=None if new.scopes is None else " ".join(sorted(new.scopes)),
            limited=int(new.repositories is not None),
            expires_at=new.expires_at,
            created_at=now,
            created_by=by,
            parent_id=new.parent_id,
            device=new.device,
            client_address=new.client_address,
        )
        .returning(credentials.c.id)
    )
    made = int(connection.execute(statement).scalar_one())
    if new.repositories:
        rows = [{"credential_id": made, "repository_id": one} for one in sorted(new.repositories)]
        connection.execute(insert(credential_repositories), rows)
    return made


def list_credentials(
    connection: Connection, account_id: int, before: int | None = None, limit: int | None = None
) -> Sequence[Credential]:
    """Return the credentials of an account with lower numbers than `before`, revoked ones too, the newest first."""
    older = () if before is None else (credentials.c.id < before,)
    statement = (
        select(
            credentials.c.id,
            credentials.c.kind,
            credentials.c.name,
            credentials.c.public_id,
            credentials.c.hint,
            credentials.c.scopes,
            credentials.c.limited,
            _ids,
            credentials.c.expires_at,
            credentials.c.created_at,
            credentials.c.last_used_at,
            func.coalesce(credentials.c.last_used_from, credentials.c.client_address),
            credentials.c.revoked_at,
            credentials.c.parent_id,
            credentials.c.device,
        )
        .where(credentials.c.account_id == account_id, *older)
        .order_by(credentials.c.id.desc())
        .limit(limit)
    )
    return [_credential(row) for row in connection.execute(statement)]


def revoke(
    connection: Connection, account_id: int, credential_id: int, now: Instant
) -> tuple[CredentialKind, str] | None:
    """Revoke a credential of the account, and what came from it; return its kind and name, or nothing if it is gone."""
    alive = (credentials.c.account_id == account_id) & credentials.c.revoked_at.is_(None)
    statement = (
        update(credentials)
        .where(alive, credentials.c.id == credential_id)
        .values(revoked_at=now)
        .returning(credentials.c.kind, credentials.c.name)
    )
    row = connection.execute(statement).first()
    if row is None:
        return None
    _revoke_below(connection, [credential_id], now)
    return CredentialKind(row[0]), row[1]


def end_of(connection: Connection, credential_id: int) -> Instant | None:
    """Return when a credential ends by itself."""
    found = connection.execute(select(credentials.c.expires_at).where(credentials.c.id == credential_id)).scalar()
    return None if found is None else Instant(found)


def revoke_all(connection: Connection, account_id: int, now: Instant) -> int:
    """Revoke every credential of an account; return how many there were."""
    alive = (credentials.c.account_id == account_id) & credentials.c.revoked_at.is_(None)
    ended = update(credentials).where(alive).values(revoked_at=now).returning(credentials.c.id)
    ids = [int(row[0]) for row in connection.execute(ended)]
    _revoke_below(connection, ids, now)
    return len(ids)


def end_surplus(connection: Connection, account_id: int, new: NewCredential, now: Instant) -> int:
    """End the sign-ins of an account that are too many, those that were not used for longest; return how many."""
    alike = (credentials.c.device.is_not_distinct_from(new.device)) & (
        credentials.c.client_address.is_not_distinct_from(new.client_address)
    )
    used = case(
        (credentials.c.last_used_at > credentials.c.created_at, credentials.c.last_used_at),
        else_=credentials.c.created_at,
    )
    alive = (
        (credentials.c.account_id == account_id)
        & (credentials.c.kind == CredentialKind.REFRESH.value)
        & credentials.c.revoked_at.is_(None)
    )
    surplus: set[int] = set()
    for condition, most in ((alike, MOST_ALIKE), (true(), MOST_OF_ACCOUNT)):
        statement = select(credentials.c.id).where(alive, condition).order_by(used.desc(), credentials.c.id.desc())
        # A limit, because SQLite takes no offset without one.
        found = connection.execute(statement.limit(_AT_ONCE).offset(most))
        surplus.update(int(row[0]) for row in found)
    if surplus:
        connection.execute(update(credentials).where(credentials.c.id.in_(surplus)).values(revoked_at=now))
        _revoke_below(connection, sorted(surplus), now)
    return len(surplus)


def ended(connection: Connection, now: Instant, limit: int) -> Sequence[int]:
    """Return credentials that ended so long ago that nobody asks for them, and that nothing came from any more."""
    child = credentials.alias("child")
    is_sign_in = credentials.c.kind == CredentialKind.REFRESH.value
    before = case((is_sign_in, after(now, -KEPT_SIGN_INS)), else_=after(now, -KEPT))
    statement = (
        select(credentials.c.id)
        .where(
            or_(credentials.c.revoked_at < before, credentials.c.expires_at < before),
            ~exists().where(child.c.parent_id == credentials.c.id),
        )
        .limit(limit)
    )
    return [int(row[0]) for row in connection.execute(statement)]


def remove(connection: Connection, ids: Sequence[int]) -> int:
    """Delete credentials from which nothing came; return how many."""
    child = credentials.alias("child")
    statement = delete(credentials).where(
        credentials.c.id.in_(ids), ~exists().where(child.c.parent_id == credentials.c.id)
    )
    return connection.execute(statement).rowcount


def touch(connection: Connection, credential_id: int, address: str | None, now: Instant) -> None:
    """Note that a credential was used, and from where; the day is enough, so most uses write nothing."""
    day = now - now % DAY
    stale = or_(credentials.c.last_used_at.is_(None), credentials.c.last_used_at < day)
    used = update(credentials).where(credentials.c.id == credential_id, stale)
    connection.execute(used.values(last_used_at=day, last_used_from=address))


def names_of_limits(connection: Connection, account_id: int) -> Sequence[tuple[int, str]]:
    """Return the repositories that the credentials of an account are limited to: id of the credential and name."""
    statement = (
        select(credential_repositories.c.credential_id, repositories.c.name)
        .join(credentials, credentials.c.id == credential_repositories.c.credential_id)
        .join(repositories, repositories.c.id == credential_repositories.c.repository_id)
        .where(credentials.c.account_id == account_id, repositories.c.deleted_at.is_(None))
        .order_by(repositories.c.name)
    )
    return [(number, name) for number, name in connection.execute(statement)]


def _revoke_below(connection: Connection, parents: Sequence[int], now: Instant) -> None:
    """Revoke what came from credentials, and what came from that; also where it belongs to another account."""
    while parents:
        statement = (
            update(credentials)
            .where(credentials.c.parent_id.in_(parents), credentials.c.revoked_at.is_(None))
            .values(revoked_at=now)
            .returning(credentials.c.id)
        )
        parents = [int(row[0]) for row in connection.execute(statement)]


def _credential(row: Row) -> Credential:
    number, kind, name, public_id, hint, scopes, limited, ids, expires, created, *rest = row
    used, used_from, revoked, parent, device = rest
    return Credential(
        id=number,
        kind=CredentialKind(kind),
        name=name,
        public_id=public_id,
        hint=hint,
        scopes=_read_scopes(scopes),
        repositories=_read_ids(ids) if limited else None,
        expires_at=expires,
        created_at=created,
        last_used_at=used,
        last_used_from=used_from,
        revoked_at=revoked,
        parent_id=parent,
        device=device,
    )


def _read_scopes(text: str | None) -> frozenset[Scope] | None:
    return None if text is None else frozenset(Scope(word) for word in text.split())


def _read_ids(text: str | None) -> frozenset[int]:
    return frozenset(map(int, text.split(","))) if text else frozenset()
