# SPDX-License-Identifier: Apache-2.0
"""Sessions: who is signed in at which browser, from the sign-in to the end.

The secret of a session is random and is kept only as a hash. It is a new one after every sign-in, so a secret that
somebody put into a browser before is worth nothing. A session ends after some hours without use, after some days in
any case, and at once when its account's password changes, or the account is suspended or deleted.
"""

import contextlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from wharfinger.clock import DAY, HOUR, SECOND, Clock, Instant, after
from wharfinger.domain.accounts import AccessType, AccountName
from wharfinger.domain.errors import AccountUnknown, CredentialInvalid, DatabaseUnavailable
from wharfinger.domain.events import EventAction
from wharfinger.domain.identity import Actor, Principal, Proof
from wharfinger.domain.second_factors import SignInFactor
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata import accounts, second_factors
from wharfinger.metadata import sessions as rows
from wharfinger.metadata.accounts import Account, Password
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.sessions import Session
from wharfinger.security.tokens import fingerprint
from wharfinger.services.accounts import tell
from wharfinger.services.passwords import WRONG

__all__ = ["NewSession", "Session", "Sessions", "begin", "principal_of"]

IDLE: Final = 12 * HOUR
LONGEST: Final = 7 * DAY
FRESH: Final = 15 * 60 * SECOND
"""For how long after a sign-in somebody may do what asks for a fresh one."""
_NOTED: Final = 5 * 60 * SECOND
"""How exactly it is known when a session was last used: most requests write nothing."""
_SECRET_BYTES: Final = 32
"""256 bits, so a plain hash is enough at rest."""
_HOW: Final = {
    None: "with a password",
    SignInFactor.APP: "with a password and a code",
    SignInFactor.RECOVERY: "with a password and a recovery code",
    SignInFactor.PASSKEY: "with a password and a passkey",
    SignInFactor.PASSKEY_ALONE: "with a passkey",
}
_LONGEST_SECRET: Final = 100
_LONGEST_AGENT: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    """A session at the only moment when its secret is known here."""

    secret: str = field(repr=False)
    name: AccountName
    account_id: int


class Sessions:
    """The sessions of every account."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def begin(self, shown: Password, by: Actor, *, instead_of: str | None = None) -> NewSession:
        """Begin a session for somebody who showed a password, and has no second factor.

        Args:
            shown: what it was compared with.
            by: where the request came from.
            instead_of: the secret that the browser had before; that session ends.

        Raises:
            CredentialInvalid: meanwhile the password changed, the account got a second factor, or was suspended or
                deleted.
        """
        now = self._clock.now()

        def work(connection: Connection) -> NewSession:
            account = accounts.lock_by_id(connection, shown.account_id)
            is_same = accounts.has_password_of(connection, shown.account_id, shown.changed_at)
            has_more = second_factors.count(connection, shown.account_id) > 0
            if account is None or account.suspended_at is not None or not is_same or has_more:
                raise CredentialInvalid(WRONG)
            return begin(connection, account, None, by, now, instead_of=instead_of)

        return await self._database.write(work)

    async def find(self, secret: str) -> Session | None:
        """Return the session of a secret, if it is one that lives; its use is noted."""
        if not 0 < len(secret) <= _LONGEST_SECRET:
            return None
        row = await self._database.find(rows.SESSION, fingerprint=fingerprint(secret))
        found, now = None if row is None else rows.session_of(row), self._clock.now()
        if found is None or not _lives(found, now):
            return None
        if now - found.seen_at >= _NOTED:
            with contextlib.suppress(DatabaseUnavailable):  # a full disk keeps nobody from looking
                await self._database.write(lambda c: rows.see(c, found.id, now), durable=False)
        return found

    async def list(self, account_id: int) -> Sequence[Session]:
        """Return the living sessions of an account, the newest first."""
        now = self._clock.now()
        found = await self._database.read(lambda c: rows.list_sessions(c, account_id))
        return [one for one in found if _lives(one, now)]

    async def end(self, secret: str, by: Actor) -> None:
        """End the session of a secret: somebody signs out."""
        now = self._clock.now()

        def work(connection: Connection) -> None:
            if rows.end(connection, fingerprint(secret)) is not None:
                tell(connection, EventAction.SESSION_ENDED, by.principal.name, by, now)

        await self._database.write(work)

    async def end_one(self, session: Session, number: int, by: Actor) -> None:
        """End another session of the account.

        Raises:
            AccountUnknown: the account has no such session, or it has ended already.
        """
        now = self._clock.now()

        def work(connection: Connection) -> None:
            if not rows.end_one(connection, session.account_id, number):
                message = Sentence("There is no such session any more.")
                raise AccountUnknown(message)
            tell(connection, EventAction.SESSION_ENDED, session.name, by, now)

        await self._database.write(work)

    async def end_others(self, session: Session, by: Actor) -> int:
        """End every other session of the account; return how many there were."""
        now = self._clock.now()

        def work(connection: Connection) -> int:
            ended = rows.end_all(connection, session.account_id, but=session.id)
            if ended:
                tell(connection, EventAction.SESSION_ENDED, session.name, by, now, detail=f"{ended} sessions")
            return ended

        return await self._database.write(work)

    async def remove_ended(self, limit: int) -> int:
        """Remove sessions that ended by themselves; return how many; for a background job."""
        now = self._clock.now()

        def work(connection: Connection) -> int:
            return rows.end_old(
                connection, seen_before=after(now, -IDLE), begun_before=after(now, -LONGEST), limit=limit
            )

        return await self._database.write(work, durable=False)

    def is_fresh(self, session: Session) -> bool:
        """Say whether somebody signed in so recently that they may do what outlives the session."""
        return self._clock.now() - session.signed_in_at < FRESH


def begin(
    connection: Connection,
    account: Account,
    provider: str | None,
    by: Actor,
    now: Instant,
    *,
    instead_of: str | None,
    factor: SignInFactor | None = None,
) -> NewSession:
    """Begin a session of an account, which is locked, in the transaction of whatever led to it."""
    if instead_of is not None:
        rows.end(connection, fingerprint(instead_of))
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    rows.create(
        connection,
        account.id,
        fingerprint(secret),
        provider,
        now,
        factor=factor,
        client_address=by.client_address,
        user_agent=None if by.user_agent is None else by.user_agent[:_LONGEST_AGENT],
    )
    detail = _HOW[factor] if provider is None else f"through {provider}"
    tell(connection, EventAction.SESSION_BEGUN, account.name, by, now, detail=detail)
    return NewSession(secret=secret, name=account.name, account_id=account.id)


def principal_of(session: Session) -> Principal:
    """Return who acts in a session."""
    return Principal(name=session.name, account_id=session.account_id, proof=Proof(provider=session.provider))


def _lives(session: Session, now: Instant) -> bool:
    return (
        not session.suspended
        and session.access_type is not AccessType.KEYS
        and now - session.signed_in_at < LONGEST
        and now - session.seen_at < IDLE
    )
