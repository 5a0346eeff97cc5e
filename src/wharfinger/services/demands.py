# SPDX-License-Identifier: Apache-2.0
"""Organizations that demand single sign-on of their members, and the tokens and keys that they take (ADR 0026).

What a demand means for a request is decided in `domain.access`, from what `metadata.standing` finds.
"""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from wharfinger.clock import Clock
from wharfinger.domain.accounts import AccountKind, AccountName
from wharfinger.domain.errors import AccountConflict, AccountInvalid, AccountUnknown
from wharfinger.domain.events import EventAction
from wharfinger.domain.identity import Actor
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata import demands as rows
from wharfinger.metadata import organizations
from wharfinger.metadata.accounts import Account
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.demands import Demand
from wharfinger.services.accounts import look_up, require, require_kind, tell

_LONGEST_SAID: Final = 255


class Demanded(NamedTuple):
    """What the organizations of an account demand, and which of its credentials they take."""

    demands: Sequence[Demand]
    authorized: Collection[tuple[int, int]]
    """Pairs: the id of a credential, the id of an organization."""


class Demands:
    """The demands of every organization.

    Args:
        database: where they are.
        clock: the time.
        providers: the names of those that the settings know.
    """

    def __init__(self, database: Database, clock: Clock, providers: Sequence[str] = ()) -> None:
        self._database = database
        self._clock = clock
        self._providers = tuple(providers)

    async def make(self, organization: AccountName, provider: str, by: Actor) -> int:
        """Have an organization demand single sign-on; return how many members cannot do it yet.

        Raises:
            AccountUnknown: there is no such organization.
            AccountInvalid: it is none, or the settings know no such provider.
        """
        require_provider(provider, self._providers)
        now = self._clock.now()

        def work(connection: Connection) -> int:
            owner = require_kind(connection, organization, AccountKind.ORGANIZATION)
            if rows.of(connection, owner.id) != provider:
                rows.put(connection, owner.id, provider)
                tell(connection, EventAction.SIGN_ON_DEMANDED, organization, by, now, detail=f"through {provider}")
            return rows.members_without_identity(connection, owner.id, provider)

        return await self._database.write(work)

    async def lift(self, organization: AccountName, by: Actor) -> None:
        """Have an organization demand it no more. Which tokens it took is kept, should it demand the same again.

        Raises:
            AccountUnknown: there is no such organization.
            AccountInvalid: it is none.
        """
        now = self._clock.now()

        def work(connection: Connection) -> None:
            owner = require_kind(connection, organization, AccountKind.ORGANIZATION)
            if rows.of(connection, owner.id) is not None:
                rows.put(connection, owner.id, None)
                tell(connection, EventAction.SIGN_ON_DEMANDED, organization, by, now, detail="no more")

        await self._database.write(work)

    async def of(self, organization: AccountName) -> tuple[str | None, int]:
        """Return the provider through which members must sign in, if any, and how many of them cannot do it yet.

        Raises:
            AccountUnknown: there is no such organization.
        """

        def work(connection: Connection) -> tuple[str | None, int]:
            owner = look_up(connection, organization, AccountKind.ORGANIZATION)
            provider = rows.of(connection, owner.id)
            return provider, 0 if provider is None else rows.members_without_identity(connection, owner.id, provider)

        return await self._database.read(work)

    async def made_of(self, account_id: int) -> AccountName | None:
        """Return an organization that demands single sign-on of an account, if one does; a look-up by key."""
        row = await self._database.find(rows.FIRST, account_id=account_id)
        return None if row is None else AccountName(row[1])

    async def every(self, account_id: int) -> Demanded:
        """Return all that is demanded of an account."""

        def work(connection: Connection) -> Demanded:
            return Demanded(rows.made_of(connection, account_id), rows.authorized(connection, account_id))

        return await self._database.read(work)

    async def authorize(self, account: AccountName, credential_id: int, organization: AccountName, by: Actor) -> None:
        """Have a token or key of a member count for an organization that demands single sign-on.

        Raises:
            AccountUnknown: there is no such account or organization, or the account has no such credential.
            AccountInvalid: the account is no member of the organization.
            AccountConflict: the organization demands nothing.
        """
        now = self._clock.now()

        def work(connection: Connection) -> None:
            holder, owner = _lock_both(connection, account, organization)
            name = _require_credential(connection, holder, credential_id)
            provider = rows.of(connection, owner.id)
            if provider is None:
                message = Sentence(
                    "%(organization)r demands no single sign-on: every token of its members counts.",
                    organization=organization,
                )
                raise AccountConflict(message)
            rows.authorize(connection, credential_id, owner.id, provider, by.principal.account_id, now)
            target = f"{credential_id} ({name}) of {account}"
            tell(connection, EventAction.CREDENTIAL_AUTHORIZED, target, by, now, detail=f"for {organization}")

        await self._database.write(work)

    async def withdraw(self, account: AccountName, credential_id: int, organization: AccountName, by: Actor) -> None:
        """Have a token or key count no more for an organization that demands single sign-on.

        Raises:
            AccountUnknown: there is no such account or organization, or the credential was not authorized.
        """
        now = self._clock.now()

        def work(connection: Connection) -> None:
            holder, owner = _lock_both(connection, account, organization)
            name = _require_credential(connection, holder, credential_id)
            if not rows.withdraw(connection, credential_id, owner.id):
                message = Sentence(
                    "The credential %(number)s of %(account)r is not authorized for %(organization)r.",
                    number=credential_id,
                    account=account,
                    organization=organization,
                )
                raise AccountUnknown(message)
            target = f"{credential_id} ({name}) of {account}"
            tell(connection, EventAction.CREDENTIAL_AUTHORIZED, target, by, now, detail=f"no more for {organization}")

        await self._database.write(work)


def require_provider(name: str, known: Sequence[str]) -> None:
    """Return if the settings know the provider.

    Raises:
        AccountInvalid: they do not; the message names those that they know.
    """
    if name in known:
        return
    if known:
        message = Sentence(
            "%(name)r is not a provider of accounts.oidc; known are %(known)s.", name=name, known=", ".join(known)
        )
    else:
        message = Sentence("accounts.oidc names no provider yet: set one up first (docs/guide/single-sign-on.md).")
    raise AccountInvalid(message)


def require_said(text: str, what: Sentence, hint: Sentence) -> None:
    """Return if a provider can have said a text: the name of somebody, or of a group, as its ID tokens have it.

    Raises:
        AccountInvalid: it cannot; the message begins with `what` and ends with the hint.
    """
    if not 0 < len(text) <= _LONGEST_SAID or not text.isprintable():
        message = Sentence(
            "%(what)s has 1 to %(most)s characters on one line: %(hint)s.", what=what, most=_LONGEST_SAID, hint=hint
        )
        raise AccountInvalid(message)


def _lock_both(connection: Connection, account: AccountName, organization: AccountName) -> tuple[Account, Account]:
    holder = require(connection, account)
    owner = require_kind(connection, organization, AccountKind.ORGANIZATION)
    if organizations.role_of(connection, owner.id, holder.id) is None:
        message = Sentence(
            "%(account)r is no member of %(organization)r, so nothing is demanded of its tokens.",
            account=account,
            organization=organization,
        )
        raise AccountInvalid(message)
    return holder, owner


def _require_credential(connection: Connection, holder: Account, credential_id: int) -> str:
    name = rows.find_credential(connection, holder.id, credential_id)
    if name is None:
        message = Sentence(
            "%(name)r has no token or key %(number)s that could be authorized.", name=holder.name, number=credential_id
        )
        raise AccountUnknown(message)
    return name
