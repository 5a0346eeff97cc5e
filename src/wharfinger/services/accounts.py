# SPDX-License-Identifier: Apache-2.0
"""Accounts: users, organizations and robots, from their creation to their end, and the passwords of users.

Names come parsed. Locks are taken in one order: users and robots before organizations.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.clock import Clock, Instant
from wharfinger.domain.accounts import AccessType, AccountKind, AccountName, MemberRole, RobotName, wrong_kind
from wharfinger.domain.errors import (
    CHANGED_MEANWHILE,
    AccountConflict,
    AccountInvalid,
    AccountUnknown,
    PreconditionFailed,
)
from wharfinger.domain.events import Event, EventAction
from wharfinger.domain.identity import Actor
from wharfinger.domain.pages import Page, page_of
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata import accounts as rows
from wharfinger.metadata import events, organizations, repositories, sessions
from wharfinger.metadata.accounts import Account, Password
from wharfinger.metadata.database import Connection, Database
from wharfinger.services.profiles import told_of

_TEXTS: Final = ("display_name", "email", "language", "description")
PEOPLE: Final = (AccountKind.USER, AccountKind.ORGANIZATION)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChange:
    """What is to change; nothing leaves a field as it is, an empty text removes it."""

    display_name: str | None = None
    email: str | None = None
    language: str | None = None
    description: str | None = None
    access_type: AccessType | None = None
    anonymous_pull: bool | None = None

    def columns(self) -> dict[str, object]:
        """Return the columns to set."""
        texts: dict[str, str | None] = {name: getattr(self, name) for name in _TEXTS}
        found: dict[str, object] = {name: text or None for name, text in texts.items() if text is not None}
        if self.access_type is not None:
            found["access_type"] = self.access_type.value
        if self.anonymous_pull is not None:
            found["anonymous_pull"] = int(self.anonymous_pull)
        return found


class Accounts:
    """Every account of the deployment."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def create_user(
        self,
        name: AccountName,
        by: Actor,
        *,
        profile: AccountChange | None = None,
        password_hash: str | None = None,
        one_time: bool = False,
        claim: bool | None = None,
    ) -> Account:
        """Create a user.

        Args:
            name: parsed as a new one's.
            by: who does it.
            profile: what is known of the user.
            password_hash: of its first password; without one it cannot sign in with a password.
            one_time: whether that password is good for choosing another one, and for nothing else.
            claim: where repositories begin with that name already, whether the user takes them over.

        Raises:
            AccountConflict: the name is taken, or `claim` must be said.
        """
        now = self._clock.now()

        def work(connection: Connection) -> Account:
            user = make_user(connection, name, profile, by, now, claim=claim)
            if password_hash is not None:
                rows.set_password(connection, user.id, password_hash, now, one_time=one_time)
            return user

        return await self._database.write(work)

    async def create_organization(
        self,
        name: AccountName,
        by: Actor,
        *,
        owner: AccountName,
        profile: AccountChange | None = None,
        claim: bool | None = None,
    ) -> Account:
        """Create an organization with its first owner.

        Raises:
            AccountConflict: as `create_user`.
            AccountUnknown: there is no such user.
            AccountInvalid: the owner is not a user.
        """
        now = self._clock.now()

        def work(connection: Connection) -> Account:
            user = require_kind(connection, owner, AccountKind.USER)
            made = _create(connection, AccountKind.ORGANIZATION, name, now, claim=claim)
            organizations.put_member(connection, made, user.id, MemberRole.OWNER, by.principal.account_id, now)
            return _finish(connection, made, AccountKind.ORGANIZATION, profile, by, now)

        return await self._database.write(work)

    async def create_robot(self, name: RobotName, by: Actor, *, profile: AccountChange | None = None) -> Account:
        """Create a robot of an organization or of a registry.

        Raises:
            AccountConflict: the name is taken.
            AccountUnknown: there is no such organization or registry.
        """
        now = self._clock.now()

        def work(connection: Connection) -> Account:
            organization_id, registry_id = _owner_of(connection, name)
            made = rows.create(
                connection,
                AccountKind.ROBOT,
                name.full,
                now,
                organization_id=organization_id,
                registry_id=registry_id,
            )
            if made is None:
                raise _taken(name.full)
            return _finish(connection, made, AccountKind.ROBOT, profile, by, now)

        return await self._database.write(work)

    async def change(
        self, name: AccountName, change: AccountChange, by: Actor, *, seen: Account | None = None
    ) -> Account:
        """Change what is known of an account, or how it may sign in.

        Args:
            name: whose.
            change: what is to change.
            by: who does it.
            seen: as whoever changes it saw it before; one that somebody else changed meanwhile stays as it is.

        Raises:
            AccountUnknown: there is none of that name.
            PreconditionFailed: it is not as it was seen.
        """
        now = self._clock.now()

        def work(connection: Connection) -> Account:
            account = require(connection, name)
            if seen is not None and account != seen:
                raise PreconditionFailed(CHANGED_MEANWHILE)
            rows.change(connection, account.id, change.columns())
            changed = require(connection, name)
            told = told_of(account, changed)
            if told:
                tell(connection, EventAction.ACCOUNT_CHANGED, name, by, now, about=account.id, detail=told)
            return changed

        return await self._database.write(work)

    async def suspend(self, name: AccountName, by: Actor, *, kind: AccountKind | None = None) -> None:
        """Stop an account: neither it nor anything it holds is let in; of an organization, also its robots and teams.

        One that is suspended already stays so, and nothing is told. `kind` and errors are those of `delete`.
        """
        await self._set_suspended(name, by, kind, suspended=True)

    async def resume(self, name: AccountName, by: Actor, *, kind: AccountKind | None = None) -> None:
        """Let a suspended account in again, with all that it held. `kind` and errors are those of `delete`."""
        await self._set_suspended(name, by, kind, suspended=False)

    async def delete(self, name: AccountName, by: Actor, *, kind: AccountKind | None = None) -> None:
        """Delete an account; an organization takes its robots and teams with it. Repositories stay.

        Args:
            name: whose account.
            by: who does it.
            kind: what it must be, where the caller said which kind of account it means.

        Raises:
            AccountUnknown: there is none of that name.
            AccountInvalid: it is of another kind.
            AccountConflict: a user is the last owner of an organization.
        """
        now = self._clock.now()

        def work(connection: Connection) -> None:
            account = require(connection, name) if kind is None else require_kind(connection, name, kind)
            for membership in organizations.organizations_of(connection, account.id):
                require(connection, membership.name)
                require_another_owner(connection, membership.account_id, membership.name, account)
            rows.delete_account(connection, account, now)
            detail = account.kind.value
            tell(connection, EventAction.ACCOUNT_DELETED, name, by, now, about=account.id, detail=detail)

        await self._database.write(work)

    async def find(self, name: AccountName) -> Account:
        """Return the account of that name.

        Raises:
            AccountUnknown: there is none.
        """
        return await self._database.read(lambda c: look_up(c, name))

    async def list(self, kinds: Sequence[AccountKind], last: str | None, limit: int) -> Page[Account]:
        """Return accounts of some kinds after `last`, sorted by the bytes of their names."""
        found = await self._database.read(lambda c: rows.list_accounts(c, kinds, last, limit + 1))
        return page_of(found, limit)

    async def robots(
        self, organization: AccountName, last: str | None = None, limit: int | None = None
    ) -> Sequence[Account]:
        """Return the robots of an organization after `last`, by name."""

        def work(connection: Connection) -> Sequence[Account]:
            owner = look_up(connection, organization, AccountKind.ORGANIZATION)
            return rows.list_robots(connection, organization_id=owner.id, last=last, limit=limit)

        return await self._database.read(work)

    async def robots_of_registry(
        self, registry_id: int, last: str | None = None, limit: int | None = None
    ) -> Sequence[Account]:
        """Return the robots of a registry after `last`, by name."""
        return await self._database.read(lambda c: rows.list_robots(c, registry_id=registry_id, last=last, limit=limit))

    async def set_password(self, name: AccountName, password_hash: str, by: Actor, *, one_time: bool = False) -> None:
        """Set the password of a user; whoever signed in with the old one has to sign in again.

        Args:
            name: whose.
            password_hash: as it is stored.
            by: who does it.
            one_time: whether it is good for choosing another one, and for nothing else.

        Raises:
            AccountUnknown: there is none of that name.
            AccountInvalid: it is not a user.
        """
        now = self._clock.now()

        def work(connection: Connection) -> None:
            account = require_kind(connection, name, AccountKind.USER)
            rows.set_password(connection, account.id, password_hash, now, one_time=one_time)
            rows.end_password_sessions(connection, account.id, now)
            sessions.end_all(connection, account.id)
            detail = "to be changed at the next sign-in" if one_time else None
            tell(connection, EventAction.PASSWORD_CHANGED, name, by, now, about=account.id, detail=detail)

        await self._database.write(work)

    async def password(self, name: str) -> Password | None:
        """Return what the password of an account is compared with; nothing if there is none of that name."""
        row = await self._database.find(rows.PASSWORD, name=name)
        return None if row is None else rows.password_of(row)

    async def name_of(self, account_id: int) -> AccountName | None:
        """Return the name of an account that may use its password under `/v2/` now."""
        row = await self._database.find(rows.GOOD, account_id=account_id)
        return None if row is None else AccountName(row[0])

    async def _set_suspended(self, name: AccountName, by: Actor, kind: AccountKind | None, *, suspended: bool) -> None:
        now = self._clock.now()

        def work(connection: Connection) -> None:
            account = require(connection, name) if kind is None else require_kind(connection, name, kind)
            if (account.suspended_at is not None) is suspended:
                return
            rows.change(connection, account.id, {"suspended_at": now if suspended else None})
            sessions.end_all(connection, account.id)
            action = EventAction.ACCOUNT_SUSPENDED if suspended else EventAction.ACCOUNT_RESUMED
            tell(connection, action, name, by, now, about=account.id)

        await self._database.write(work)


def make_user(
    connection: Connection,
    name: AccountName,
    profile: AccountChange | None,
    by: Actor,
    now: Instant,
    *,
    claim: bool | None = None,
) -> Account:
    """Create a user, as `Accounts.create_user` does, in the transaction of whatever it is made for."""
    made = _create(connection, AccountKind.USER, name, now, claim=claim)
    return _finish(connection, made, AccountKind.USER, profile, by, now)


def look_up(connection: Connection, name: AccountName, kind: AccountKind | None = None) -> Account:
    """Return the account of that name as it is, for whoever only reads; with a kind, only one of it.

    Raises:
        AccountUnknown: there is none.
    """
    account = rows.find(connection, name)
    if account is None or (kind is not None and account.kind is not kind):
        raise unknown(name)
    return account


def require(connection: Connection, name: AccountName) -> Account:
    """Return the account of that name, locked.

    Raises:
        AccountUnknown: there is none.
    """
    account = rows.lock(connection, name)
    if account is None:
        raise unknown(name)
    return account


def require_kind(connection: Connection, name: AccountName, kind: AccountKind) -> Account:
    """Return the account of that name, locked.

    Raises:
        AccountUnknown: there is none.
        AccountInvalid: it is of another kind.
    """
    account = require(connection, name)
    if account.kind is not kind:
        message = wrong_kind(name, kind, account.kind)
        raise AccountInvalid(message)
    return account


def require_another_owner(
    connection: Connection, organization_id: int, organization: AccountName, user: Account
) -> None:
    """Return if the organization, which is locked, has an owner besides the user, or the user is none.

    Raises:
        AccountConflict: the user is its last owner.
    """
    if organizations.role_of(connection, organization_id, user.id) is not MemberRole.OWNER:
        return
    if organizations.count_owners(connection, organization_id) == 1:
        message = Sentence(
            "%(name)r is the last owner of %(organization)r: make somebody else an owner first, or "
            "delete the organization.",
            name=user.name,
            organization=organization,
        )
        raise AccountConflict(message)


def unknown(name: str) -> AccountUnknown:
    """Return the error for an account that is not here."""
    return AccountUnknown(Sentence("There is no account %(name)r.", name=name), detail={"name": name})


def tell(
    connection: Connection,
    action: EventAction,
    target: str,
    by: Actor,
    now: Instant,
    *,
    about: int | None = None,
    detail: str | None = None,
) -> None:
    """Record what happened to an account, in the transaction in which it happens.

    Args:
        connection: the transaction.
        action: what happened.
        target: to whom, as people read it.
        by: who did it.
        now: when.
        about: the id of the account that answers for it; without one, that of whom the target names, or whose team.
        detail: more, in words.
    """
    if about is None:
        about = rows.find_id(connection, target.partition("/")[0])
    events.record(connection, None, Event(action=action, target=target, about_id=about, detail=detail), by, now)


def _create(connection: Connection, kind: AccountKind, name: AccountName, now: Instant, *, claim: bool | None) -> int:
    if claim is None and rows.has_unowned_namespace(connection, name):
        message = Sentence(
            "There are repositories that begin with %(name)s/ already. Say whether the new account "
            "takes them over (claim) or leaves them as they are (leave).",
            name=name,
        )
        raise AccountConflict(message, detail={"name": name})
    made = rows.create(connection, kind, name, now)
    if made is None:
        raise _taken(name)
    if claim:
        rows.claim_namespaces(connection, name, made)
    return made


def _finish(
    connection: Connection,
    account_id: int,
    kind: AccountKind,
    profile: AccountChange | None,
    by: Actor,
    now: Instant,
) -> Account:
    if profile is not None:
        rows.change(connection, account_id, profile.columns())
    account = rows.lock_by_id(connection, account_id)
    if account is None:
        message = f"account {account_id} is not there in the transaction that made it"
        raise RuntimeError(message)
    tell(connection, EventAction.ACCOUNT_CREATED, account.name, by, now, about=account_id, detail=kind.value)
    return account


def _owner_of(connection: Connection, name: RobotName) -> tuple[int | None, int | None]:
    if name.organization is not None:
        return require_kind(connection, name.organization, AccountKind.ORGANIZATION).id, None
    registry_id = repositories.find_registry(connection, name.registry or "")
    if registry_id is None:
        message = Sentence("There is no registry %(name)r.", name=name.registry or "")
        raise AccountUnknown(message)
    return None, registry_id


def _taken(name: str) -> AccountConflict:
    return AccountConflict(
        Sentence("The name %(name)r is taken; choose another one.", name=name), detail={"name": name}
    )
