# SPDX-License-Identifier: Apache-2.0
"""Credentials: what is stored of tokens, access keys and refresh tokens. Their secrets are made and checked elsewhere.

A secret is never here: a credential is found by the hash of its secret, and its owner knows it by its last characters.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from wharfinger.clock import DAY, HOUR, SECOND, Clock, Instant, after
from wharfinger.domain.accounts import AccessType, AccountKind, AccountName, CredentialKind
from wharfinger.domain.credentials import check_name, require_within
from wharfinger.domain.errors import AccountInvalid, AccountUnknown
from wharfinger.domain.events import EventAction
from wharfinger.domain.identity import Actor, Scope, nobody_yet
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata import accounts as account_rows
from wharfinger.metadata import credentials as rows
from wharfinger.metadata.credentials import Credential, Holder, NewCredential
from wharfinger.metadata.database import Connection, Database
from wharfinger.security import tokens
from wharfinger.security.tokens import TokenKind
from wharfinger.services.accounts import require, tell, unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A token or an access key that somebody asks for.

    Args:
        kind: a token or a key.
        name: what its owner calls it.
        scopes: what it may be used for.
        lifetime: after how many microseconds it ends by itself; nothing for what is usual here.
        repositories: ids of the only repositories it may touch; nothing for no such limit.
    """

    kind: CredentialKind
    name: str
    scopes: frozenset[Scope]
    lifetime: int | None = None
    repositories: frozenset[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A new token or access key, at the only moment when its secret is known here."""

    id: int
    secret: str = field(repr=False)
    public_id: str | None
    expires_at: Instant | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """For how long tokens and access keys are valid, in microseconds.

    Args:
        longest: what nobody may exceed; nothing for no such limit.
        usual: where nobody says how long.
    """

    longest: int | None = None
    usual: int = 90 * DAY


_NO_LIMIT: Final = Lifetimes()
_CLOCKS_APART: Final = 60 * SECOND
"""Whoever asks for exactly the longest reckons by another clock, and a moment earlier."""


class Credentials:
    """Stored credentials of every account.

    Args:
        database: where they are.
        clock: the time.
        lifetimes: what the operator allows.
    """

    def __init__(self, database: Database, clock: Clock, lifetimes: Lifetimes = _NO_LIMIT) -> None:
        self._database = database
        self._clock = clock
        self._lifetimes = lifetimes

    @property
    def longest_lifetime(self) -> int | None:
        """For how long one may be valid at the most, in microseconds; nothing for no such limit."""
        return self._lifetimes.longest

    @property
    def usual_lifetime(self) -> int:
        """How long a token or an access key is valid where nobody says, in microseconds."""
        longest, usual = self._lifetimes.longest, self._lifetimes.usual
        return usual if longest is None else min(longest, usual)

    async def issue(self, account: AccountName, wanted: Wanted, by: Actor) -> Issued:
        """Make a token or an access key. Its secret is returned this once, and is kept nowhere.

        One that is made with another credential is no wider, ends with it, and no later.

        Raises:
            AccountUnknown, AccountInvalid, Denied: as `create`.
        """
        is_key = wanted.kind is CredentialKind.KEY
        made = tokens.make(TokenKind.ACCESS_KEY if is_key else TokenKind.PERSONAL)
        new = NewCredential(
            kind=wanted.kind,
            name=check_name(wanted.name),
            fingerprint=made.fingerprint,
            hint=made.ending,
            public_id=tokens.make_access_key_id() if is_key else None,
            scopes=wanted.scopes,
            repositories=wanted.repositories,
            expires_at=after(self._clock.now(), wanted.lifetime or self.usual_lifetime),
            parent_id=by.principal.credential_id,
        )
        number, ends = await self._store(account, new, by)
        return Issued(id=number, secret=made.text, public_id=new.public_id, expires_at=ends)

    async def create(self, account: AccountName, new: NewCredential, by: Actor) -> int:
        """Store a credential of an account and return its id.

        Raises:
            AccountUnknown: there is no such account.
            AccountInvalid: accounts of its kind or access type hold no such credentials, or not for so long.
            Denied: it would be wider than the one that the actor has shown.
        """
        number, _ = await self._store(account, new, by)
        return number

    async def _store(self, account: AccountName, new: NewCredential, by: Actor) -> tuple[int, Instant | None]:
        now = self._clock.now()
        self._require_end(new, now)
        require_within(by.principal.ceiling, new.scopes, new.repositories)

        def work(connection: Connection) -> tuple[int, Instant | None]:
            owner = require(connection, account)
            if owner.kind is AccountKind.ORGANIZATION:
                message = Sentence(
                    "%(account)r is an organization: only users and robots have credentials.", account=account
                )
                raise AccountInvalid(message)
            if owner.access_type is AccessType.CONSOLE and new.kind is not CredentialKind.REFRESH:
                message = Sentence(
                    "%(account)r may sign in to the console only: it can have neither tokens nor access keys.",
                    account=account,
                )
                raise AccountInvalid(message)
            parent_ends = None if new.parent_id is None else rows.end_of(connection, new.parent_id)
            ends = min((one for one in (new.expires_at, parent_ends) if one is not None), default=None)
            made = rows.create(connection, owner.id, replace(new, expires_at=ends), by.principal.account_id, now)
            surplus = rows.end_surplus(connection, owner.id, new, now) if new.kind is CredentialKind.REFRESH else 0
            target = named(new.kind, made, new.name, account)
            detail = f"instead of {surplus} that were not used for longest" if surplus else None
            tell(connection, EventAction.CREDENTIAL_CREATED, target, by, now, about=owner.id, detail=detail)
            return made, ends

        return await self._database.write(work)

    def _require_end(self, new: NewCredential, now: Instant) -> None:
        longest = self._lifetimes.longest
        if longest is None or new.kind is CredentialKind.REFRESH:
            return
        if new.expires_at is None or new.expires_at > now + longest + _CLOCKS_APART:
            days = longest >= 2 * DAY
            message = Sentence(
                "It may be valid for %(time)s at the most here (accounts.tokens.maxlifetime); ask for less.",
                time=Sentence("%(days)s days", days=longest // DAY)
                if days
                else Sentence("%(hours)s hours", hours=longest // HOUR),
            )
            raise AccountInvalid(message)

    async def find(self, fingerprint: str) -> Holder | None:
        """Return the credential whose secret has this hash, good or not, and whose it is."""
        row = await self._database.find(rows.HOLDER, fingerprint=fingerprint)
        return None if row is None else rows.holder_of(row)

    async def find_by_id(self, account_id: int, credential_id: int) -> Holder | None:
        """Return a credential of an account, good or not: what a registry token was made for."""
        row = await self._database.find(rows.HOLDER_BY_ID, account_id=account_id, credential_id=credential_id)
        return None if row is None else rows.holder_of(row)

    async def list(
        self, account: AccountName, before: int | None = None, limit: int | None = None
    ) -> Sequence[Credential]:
        """Return the credentials of an account with lower numbers than `before`, revoked ones too, the newest first.

        Raises:
            AccountUnknown: there is no such account.
        """

        def work(connection: Connection) -> Sequence[Credential]:
            owner = account_rows.find(connection, account)
            if owner is None:
                raise unknown(account)
            return rows.list_credentials(connection, owner.id, before, limit)

        return await self._database.read(work)

    async def revoke(self, account: AccountName, credential_id: int, by: Actor) -> None:
        """End a credential of the account, and those that came from it.

        Raises:
            AccountUnknown: the account has no such credential, or it has ended already.
        """
        now = self._clock.now()

        def work(connection: Connection) -> None:
            owner = require(connection, account)
            found = rows.revoke(connection, owner.id, credential_id, now)
            if found is None:
                message = Sentence(
                    "%(account)r has no credential %(number)s that could be revoked.",
                    account=account,
                    number=credential_id,
                )
                raise AccountUnknown(message)
            kind, name = found
            target = named(kind, credential_id, name, account)
            tell(connection, EventAction.CREDENTIAL_REVOKED, target, by, now, about=owner.id)

        await self._database.write(work)

    async def revoke_all(self, account: AccountName, by: Actor) -> int:
        """End every credential of the account; return how many there were.

        Raises:
            AccountUnknown: there is no such account.
        """
        now = self._clock.now()

        def work(connection: Connection) -> int:
            owner = require(connection, account)
            ended = rows.revoke_all(connection, owner.id, now)
            action, detail = EventAction.CREDENTIAL_REVOKED, f"{ended} credentials"
            tell(connection, action, f"all of {account}", by, now, about=owner.id, detail=detail)
            return ended

        return await self._database.write(work)

    async def remove_ended(self, limit: int) -> int:
        """Remove credentials that ended long ago; return how many, for a background job.

        Sign-ins of devices are listed for a month after their end, tokens and keys for a year.
        """
        now = self._clock.now()
        found = await self._database.read(lambda c: rows.ended(c, now, limit))
        return await self._database.write(lambda c: rows.remove(c, found), durable=False) if found else 0

    async def limits(self, account: AccountName) -> Mapping[int, Sequence[str]]:
        """Return the names of the repositories to which credentials of an account are limited, by their numbers.

        Raises:
            AccountUnknown: there is no such account.
        """

        def work(connection: Connection) -> Sequence[tuple[int, str]]:
            owner = account_rows.find(connection, account)
            if owner is None:
                raise unknown(account)
            return rows.names_of_limits(connection, owner.id)

        found: dict[int, list[str]] = {}
        for number, name in await self._database.read(work):
            found.setdefault(number, []).append(name)
        return found

    async def touch(self, holder: Holder, origin: Callable[[], Actor] = nobody_yet) -> None:
        """Note that a credential was used, and from where; written once a day for each, which is exact enough."""
        now = self._clock.now()
        if holder.last_used_at is not None and now - holder.last_used_at < DAY:
            return
        address = origin().client_address
        await self._database.write(lambda c: rows.touch(c, holder.credential_id, address, now), durable=False)


def named(kind: CredentialKind, credential_id: int, name: str, account: AccountName) -> str:
    """Return how events name a credential: by its number and its name, never by a part of its secret."""
    return f"{kind} {credential_id} ({name}) of {account}"
