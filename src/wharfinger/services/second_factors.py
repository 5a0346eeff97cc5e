# SPDX-License-Identifier: Apache-2.0
"""Second factors of users: setting one up, removing it, and recovery codes (ADR 0038).

```text
begin_app      a secret, shown once and sealed for the browser ──> add_app      with a code: the app works
begin_passkey  what the browser is asked ──────────────────────> add_passkey  with its answer
```

The first one brings recovery codes, ends what was begun with the password alone, and from then on the password alone
lets nobody in.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from wharfinger import telemetry
from wharfinger.clock import SECOND, Clock, Instant
from wharfinger.domain.accounts import AccessType, AccountKind, AccountName
from wharfinger.domain.errors import AccountConflict, AccountInvalid, AccountUnknown, CredentialInvalid
from wharfinger.domain.events import EventAction
from wharfinger.domain.identity import Actor
from wharfinger.domain.second_factors import (
    MOST_FACTORS,
    RECOVERY_CODES,
    AppCode,
    FactorKind,
    SignInFactor,
    check_factor_name,
    passkey_host,
    read_code,
    steps_at,
)
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata import accounts as account_rows
from wharfinger.metadata import second_factors as rows
from wharfinger.metadata import sessions
from wharfinger.metadata.accounts import Account
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.second_factors import Factor, NewFactor
from wharfinger.security import recovery_codes
from wharfinger.services.accounts import require_kind, tell, unknown
from wharfinger.services.factor_checks import WRONG_CODE, FactorChecks, spend
from wharfinger.services.passwords import AccountPasswords
from wharfinger.services.sealing import Sealing

if TYPE_CHECKING:  # what parses passkeys takes long to load
    from wharfinger.security import passkeys

_log = telemetry.logger("second factors")
PATIENCE: Final = 15 * 60 * SECOND
"""How long somebody may take to set one up."""
_SHOWN: Final = {FactorKind.APP: "the authenticator app", FactorKind.PASSKEY: "the passkey"}
_DOORS: Final = (AccessType.BOTH, AccessType.CONSOLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What an account has: its factors, and how many recovery codes are left."""

    factors: Sequence[Factor]
    codes_left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApp:
    """An authenticator app that is being set up.

    Args:
        secret: to be typed into the app.
        address: the same as a picture shows it.
        sealed: what goes back with the first code.
    """

    secret: str = field(repr=False)
    address: str = field(repr=False)
    sealed: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPasskey:
    """A passkey that is being made: what the browser is asked, as JSON, and what goes back with its answer."""

    options: str
    sealed: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A second factor that was added; with the first one come recovery codes, which are shown this once."""

    id: int
    recovery_codes: Sequence[str] = field(default=(), repr=False)


class SecondFactors:
    """The second factors of every user.

    Args:
        database: where they are.
        clock: the time.
        sealing: what a browser keeps meanwhile.
        checks: checks codes.
        passwords: checks passwords, where one stands for a code.
        required: whether nobody signs in with a password alone (`accounts.secondfactor`).
        title: what apps and browsers call this registry.
    """

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        sealing: Sealing,
        checks: FactorChecks,
        passwords: AccountPasswords,
        required: bool = False,
        title: str = "Wharfinger",
    ) -> None:
        self._database = database
        self._clock = clock
        self._sealing = sealing
        self._checks = checks
        self._passwords = passwords
        self._title = title
        self.required = required

    async def held(self, name: AccountName) -> Held:
        """Return what an account has.

        Raises:
            AccountUnknown: there is no such account.
        """

        def work(connection: Connection) -> Held:
            account = _find(connection, name)
            return Held(
                factors=rows.list_factors(connection, account.id), codes_left=rows.count_codes(connection, account.id)
            )

        return await self._database.read(work)

    async def begin_app(self, name: AccountName, host: str) -> NewApp:
        """Return a new secret for an authenticator app; nothing is stored yet.

        Args:
            name: whose.
            host: under which the registry is known, for the app's list.

        Raises:
            AccountUnknown: there is no such account.
        """
        from wharfinger.security import totp  # noqa: PLC0415 - for the few who set one up

        account = await self._database.read(lambda c: _find(c, name))
        secret = totp.make_secret()
        sealed = self._sealing.seal("new app", PATIENCE, account_id=account.id, secret=secret)
        return NewApp(secret=secret, address=totp.address_of(secret, name, f"{self._title} {host}"), sealed=sealed)

    def reopen_app(self, sealed: str, name: AccountName, host: str) -> NewApp | None:
        """Return the app that is being set up, after a wrong code; nothing if too much time went by."""
        from wharfinger.security import totp  # noqa: PLC0415 - for the few who set one up

        content = self._sealing.open("new app", sealed)
        if content is None:
            return None
        secret = str(content["secret"])
        return NewApp(secret=secret, address=totp.address_of(secret, name, f"{self._title} {host}"), sealed=sealed)

    async def add_app(
        self, name: AccountName, title: str, sealed: str, code: str, by: Actor, *, session_id: int | None = None
    ) -> Added:
        """Add an authenticator app that shows the right code.

        Args:
            name: whose.
            title: what its owner calls it.
            sealed: as `begin_app` gave it.
            code: that the app shows now.
            by: who does it.
            session_id: of the session in which it happens: it goes on.

        Raises:
            CredentialInvalid: the code is wrong, or too much time went by.
            AccountUnknown, AccountInvalid, AccountConflict: as `_add`.
        """
        from wharfinger.security import totp  # noqa: PLC0415 - for the few who set one up

        content = self._sealing.open("new app", sealed)
        if content is None:
            raise _too_late()
        typed, secret = read_code(code), str(content["secret"])
        step = None
        if isinstance(typed, AppCode):
            step = totp.step_of(secret, typed.digits, steps_at(self._clock.now() // SECOND, 0))
        if step is None:
            message = Sentence(
                "This is not the code that the app should show now. Check the clock of the phone, and try the next."
            )
            raise CredentialInvalid(message)
        account_id = int(content["account_id"] or 0)
        new = NewFactor(
            kind=FactorKind.APP,
            name=check_factor_name(title),
            secret=self._checks.seal_secret(account_id, secret),
            counter=step,
        )
        return await self._add(name, account_id, new, by, session_id)

    async def begin_passkey(self, name: AccountName, url: str) -> NewPasskey:
        """Return what a browser is asked to make a passkey.

        Args:
            name: whose.
            url: of the site, as the browser reaches it.

        Raises:
            AccountUnknown: there is no such account.
            AccountInvalid: browsers make none for this site.
        """
        from wharfinger.security import passkeys  # noqa: PLC0415 - what parses passkeys takes long to load

        site = site_for(url, self._title)

        def work(connection: Connection) -> tuple[Account, Sequence[Factor]]:
            account = _find(connection, name)
            return account, rows.list_factors(connection, account.id)

        account, factors = await self._database.read(work)
        known = [passkeys.Known(one.public_id or "", one.public_key or "") for one in factors if one.site == site.host]
        asked = passkeys.ask_to_make(site, account.id, name, account.display_name or "", known)
        sealed = self._sealing.seal(
            "new passkey", PATIENCE, account_id=account.id, challenge=asked.challenge, host=site.host
        )
        return NewPasskey(options=asked.options, sealed=sealed)

    async def add_passkey(
        self, name: AccountName, title: str, sealed: str, answer: str, by: Actor, *, session_id: int | None = None
    ) -> Added:
        """Add the passkey that a browser made.

        Args:
            name: whose.
            title: what its owner calls it.
            sealed: as `begin_passkey` gave it.
            answer: of the browser, as JSON.
            by: who does it.
            session_id: as for an app.

        Raises:
            CredentialInvalid: the answer is none to what was asked.
            AccountUnknown, AccountInvalid, AccountConflict: as `_add`.
        """
        from wharfinger.security import passkeys  # noqa: PLC0415 - what parses passkeys takes long to load

        content = self._sealing.open("new passkey", sealed)
        if content is None:
            raise _too_late()
        site = passkeys.Site(str(content["host"]), self._title)
        try:
            made = passkeys.read_made(site, str(content["challenge"]), answer)
        except passkeys.PasskeyRefused as error:
            _log.info("a new passkey was refused", why=str(error))
            message = Sentence("The browser's answer is no passkey for this site. Try again.")
            raise CredentialInvalid(message) from None
        new = NewFactor(
            kind=FactorKind.PASSKEY,
            name=check_factor_name(title),
            public_id=made.passkey.public_id,
            public_key=made.passkey.public_key,
            site=site.host,
            counter=made.counter,
        )
        return await self._add(name, int(content["account_id"] or 0), new, by, session_id)

    async def remove(self, name: AccountName, factor_id: int, by: Actor) -> None:
        """Remove a second factor; the last one takes the recovery codes along.

        Raises:
            AccountUnknown: the account has no such factor.
            AccountConflict: it is the last one, and everybody needs one here.
        """
        now = self._clock.now()

        def work(connection: Connection) -> None:
            account = require_kind(connection, name, AccountKind.USER)
            found = rows.remove(connection, account.id, factor_id)
            if found is None:
                message = Sentence("%(name)r has no second factor %(factor)s.", name=name, factor=factor_id)
                raise AccountUnknown(message)
            if not rows.count(connection, account.id):
                if self.required:
                    message = Sentence(
                        "Everybody needs a second factor here (accounts.secondfactor): add another one first."
                    )
                    raise AccountConflict(message)
                rows.remove_all(connection, account.id)
            detail = f"{_SHOWN[found[0]]} {found[1]!r}"
            tell(connection, EventAction.SECOND_FACTOR_REMOVED, name, by, now, about=account.id, detail=detail)

        await self._database.write(work)

    async def reset(self, name: AccountName, by: Actor) -> int:
        """Remove everything that a user shows besides a password, for who lost it; return how many factors there were.

        Who is signed in as the user has to sign in again.

        Raises:
            AccountUnknown: there is no such user.
            AccountInvalid: it is no user.
        """
        now = self._clock.now()

        def work(connection: Connection) -> int:
            account = require_kind(connection, name, AccountKind.USER)
            removed = rows.remove_all(connection, account.id)
            if removed:
                sessions.end_all(connection, account.id)
                detail = f"all {removed}, reset"
                tell(connection, EventAction.SECOND_FACTOR_REMOVED, name, by, now, about=account.id, detail=detail)
            return removed

        return await self._database.write(work)

    async def renew_codes(self, name: AccountName, by: Actor) -> Sequence[str]:
        """Return new recovery codes, which are shown this once; those before them count no more.

        Raises:
            AccountUnknown: there is no such user.
            AccountConflict: it has no second factor, so there is nothing to recover.
        """
        now, codes = self._clock.now(), recovery_codes.make(RECOVERY_CODES)

        def work(connection: Connection) -> None:
            account = require_kind(connection, name, AccountKind.USER)
            if not rows.count(connection, account.id):
                message = Sentence("Recovery codes come with a second factor: add one first.")
                raise AccountConflict(message)
            rows.replace_codes(connection, account.id, _fingerprints(codes), now)
            tell(connection, EventAction.RECOVERY_CODES_MADE, name, by, now, about=account.id)

        await self._database.write(work)
        return codes

    async def prove(self, name: AccountName, shown: str, by: Actor) -> None:
        """Return if it is a password or a code of the account: before something that a stolen session must not do.

        Args:
            name: of the account.
            shown: what somebody typed. It counts as a code where it looks like one: no password is so short.
            by: who.

        Raises:
            CredentialInvalid: it is neither.
            TooManyAttempts: too many passwords are being checked already.
        """
        if read_code(shown) is None:
            await self._passwords.check(name, shown, _DOORS, lambda: by)
            return
        account, now = await self._database.read(lambda c: _find(c, name)), self._clock.now()
        proved = await self._checks.code(account.id, name, shown, by)
        if not await self._database.write(lambda c: spend(c, proved, now)):
            await self._checks.note_wrong(account.id, name, by)
            raise CredentialInvalid(WRONG_CODE)

    async def _add(
        self, name: AccountName, account_id: int, new: NewFactor, by: Actor, session_id: int | None
    ) -> Added:
        """Store a second factor.

        Raises:
            AccountUnknown: there is no such user any more.
            AccountInvalid: it is no user.
            AccountConflict: there are too many already, or this passkey is there.
        """
        now, codes = self._clock.now(), recovery_codes.make(RECOVERY_CODES)

        def work(connection: Connection) -> Added:
            account = require_kind(connection, name, AccountKind.USER)
            if account.id != account_id:
                raise _too_late()
            held = rows.count(connection, account_id)
            if held >= MOST_FACTORS:
                message = Sentence(
                    "There are %(most)s second factors already, which is the most; remove one first.", most=MOST_FACTORS
                )
                raise AccountConflict(message)
            made = rows.create(connection, account_id, new, now)
            if made is None:
                message = Sentence("This passkey is there already.")
                raise AccountConflict(message)
            detail = f"{_SHOWN[new.kind]} {new.name!r}"
            tell(connection, EventAction.SECOND_FACTOR_ADDED, name, by, now, about=account_id, detail=detail)
            if session_id is not None:
                sessions.add_factor(connection, session_id, SignInFactor(new.kind.value))
            if held:
                return Added(id=made)
            _begin(connection, account_id, codes, now, session_id)
            return Added(id=made, recovery_codes=codes)

        return await self._database.write(work)


def site_for(url: str, title: str) -> "passkeys.Site":
    """Return the site to which passkeys are bound that are made at a URL.

    Raises:
        AccountInvalid: browsers make none for it.
    """
    from wharfinger.security import passkeys  # noqa: PLC0415 - what parses passkeys takes long to load

    host = passkey_host(url)
    if host is None:
        message = Sentence(
            "Passkeys need HTTPS and a host name, not an address. Set http.host if a proxy in front has both."
        )
        raise AccountInvalid(message)
    return passkeys.Site(host, title)


def _begin(connection: Connection, account_id: int, codes: Sequence[str], now: Instant, session_id: int | None) -> None:
    """Store recovery codes, and end what began with the password alone."""
    rows.replace_codes(connection, account_id, _fingerprints(codes), now)
    account_rows.end_password_sessions(connection, account_id, now)
    sessions.end_all(connection, account_id, but=session_id)


def _fingerprints(codes: Sequence[str]) -> Sequence[str]:
    return [recovery_codes.fingerprint_of(one.replace("-", "")) for one in codes]


def _find(connection: Connection, name: AccountName) -> Account:
    found = account_rows.find(connection, name)
    if found is None:
        raise unknown(name)
    return found


def _too_late() -> CredentialInvalid:
    return CredentialInvalid(Sentence("Too much time went by, or the form is not yours. Begin again."))
