# SPDX-License-Identifier: Apache-2.0
"""Rows of sessions: who is signed in at which browser. A session that ended has no row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, bindparam, delete, exists, insert, or_, select, update

from wharfinger.clock import Instant
from wharfinger.domain.accounts import AccessType, AccountName
from wharfinger.domain.second_factors import SignInFactor
from wharfinger.metadata.account_tables import accounts, passwords
from wharfinger.metadata.database import Row, Statement
from wharfinger.metadata.sign_in_tables import sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session, and whose it is.

    Args:
        id: of its row.
        account_id: whose.
        name: of that account.
        access_type: where the account may sign in now.
        suspended: whether the account is.
        language: of pages, as the account chose it.
        provider: through which the session came; nothing for a password.
        factor: what was shown besides the password, or instead of one.
        signed_in_at: when somebody last showed who they are; a session lives from there on.
        seen_at: when it was used, give or take some minutes.
        client_address: from where it was begun.
        user_agent: what began it, in its own words.
        has_one_time_password: whether the account has a password that is good for choosing another one only.
    """

    id: int
    account_id: int
    name: AccountName
    access_type: AccessType
    suspended: bool
    language: str | None
    provider: str | None
    factor: SignInFactor | None
    signed_in_at: Instant
    seen_at: Instant
    client_address: str | None
    user_agent: str | None
    has_one_time_password: bool


_COLUMNS: Final = (
    sessions.c.id,
    sessions.c.account_id,
    accounts.c.name,
    accounts.c.access_type,
    accounts.c.suspended_at,
    accounts.c.language,
    sessions.c.provider,
    sessions.c.factor,
    sessions.c.signed_in_at,
    sessions.c.seen_at,
    sessions.c.client_address,
    sessions.c.user_agent,
    exists().where(passwords.c.account_id == accounts.c.id, passwords.c.one_time == 1).correlate(accounts),
)
_FIND: Final = (
    select(*_COLUMNS).join(accounts, accounts.c.id == sessions.c.account_id).where(accounts.c.deleted_at.is_(None))
)
SESSION: Final = Statement(_FIND.where(sessions.c.fingerprint == bindparam("fingerprint")))
"""Parameter `fingerprint`; `session_of` reads the columns."""


def session_of(row: Row) -> Session:
    """Return what a row of `SESSION` says."""
    number, account_id, name, access_type, suspended_at, language, *rest = row
    provider, factor, signed_in_at, seen_at, address, agent, one_time = rest
    return Session(
        id=number,
        account_id=account_id,
        name=AccountName(name),
        access_type=AccessType(access_type),
        suspended=suspended_at is not None,
        language=language,
        provider=provider,
        factor=None if factor is None else SignInFactor(factor),
        signed_in_at=Instant(signed_in_at),
        seen_at=Instant(seen_at),
        client_address=address,
        user_agent=agent,
        has_one_time_password=bool(one_time),
    )


def create(
    connection: Connection,
    account_id: int,
    fingerprint: str,
    provider: str | None,
    now: Instant,
    *,
    factor: SignInFactor | None,
    client_address: str | None,
    user_agent: str | None,
) -> int:
    """Begin a session and return its id."""
    statement = insert(sessions).values(
        account_id=account_id,
        fingerprint=fingerprint,
        provider=provider,
        factor=None if factor is None else factor.value,
        signed_in_at=now,
        seen_at=now,
        client_address=client_address,
        user_agent=user_agent,
    )
    return int(connection.execute(statement.returning(sessions.c.id)).scalar_one())


def list_sessions(connection: Connection, account_id: int) -> Sequence[Session]:
    """Return the sessions of an account, the newest first."""
    statement = _FIND.where(sessions.c.account_id == account_id).order_by(sessions.c.id.desc())
    return [session_of(row) for row in connection.execute(statement)]


def see(connection: Connection, session_id: int, now: Instant) -> None:
    """Note that a session was used."""
    connection.execute(update(sessions).where(sessions.c.id == session_id).values(seen_at=now))


def add_factor(connection: Connection, session_id: int, factor: SignInFactor) -> None:
    """Note what was shown in a session that began without."""
    connection.execute(update(sessions).where(sessions.c.id == session_id).values(factor=factor.value))


def end_one(connection: Connection, account_id: int, session_id: int) -> bool:
    """End a session of an account; say whether there was such a one."""
    mine = (sessions.c.id == session_id) & (sessions.c.account_id == account_id)
    return connection.execute(delete(sessions).where(mine)).rowcount == 1


def end(connection: Connection, fingerprint: str) -> int | None:
    """End a session; return whose it was, or nothing if there is none."""
    statement = delete(sessions).where(sessions.c.fingerprint == fingerprint).returning(sessions.c.account_id)
    found: int | None = connection.execute(statement).scalar()
    return found


def end_all(connection: Connection, account_id: int, *, but: int | None = None) -> int:
    """End every session of an account, or every other one; return how many there were."""
    statement = delete(sessions).where(sessions.c.account_id == account_id)
    if but is not None:
        statement = statement.where(sessions.c.id != but)
    return connection.execute(statement).rowcount


def end_old(connection: Connection, *, seen_before: Instant, begun_before: Instant, limit: int) -> int:
    """Remove sessions that ended by themselves; return how many."""
    old = (
        select(sessions.c.id)
        .where(or_(sessions.c.signed_in_at < begun_before, sessions.c.seen_at < seen_before))
        .order_by(sessions.c.id)
        .limit(limit)
    )
    ids = [number for (number,) in connection.execute(old)]
    connection.execute(delete(sessions).where(sessions.c.id.in_(ids)))
    return len(ids)
