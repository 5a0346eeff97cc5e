# SPDX-License-Identifier: Apache-2.0
"""Signing in to the console in two steps, or with a passkey alone (ADR 0038).

```text
password is right ──> begin: sealed for the browser, no session ──> ask ──> with_code | with_passkey ──> session
                                           ask_alone ──> alone, by a passkey that checked who holds it ──> session
```

Between the two steps nobody is signed in, and nothing is stored. The transaction that begins the session spends what
was shown and looks again whether the password is still the one of the first step.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from wharfinger import telemetry
from wharfinger.clock import SECOND, Clock, Instant
from wharfinger.domain.accounts import AccessType, AccountName
from wharfinger.domain.errors import CredentialInvalid
from wharfinger.domain.identity import Actor
from wharfinger.domain.second_factors import FactorKind, SignInFactor, passkey_host
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata import accounts as account_rows
from wharfinger.metadata import second_factors as rows
from wharfinger.metadata.accounts import Account, Password
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.second_factors import Factor
from wharfinger.services import sessions
from wharfinger.services.factor_checks import WRONG_CODE, WRONG_PASSKEY, FactorChecks, Proved, spend
from wharfinger.services.sealing import Sealing
from wharfinger.services.second_factors import site_for
from wharfinger.services.sessions import NewSession

_log = telemetry.logger("second factors")
PATIENCE: Final = 10 * 60 * SECOND
"""How long somebody may take from one step to the next."""
_SECOND: Final = "second step"
_ASKED: Final = "passkey at the second step"
_ALONE: Final = "passkey alone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What somebody may answer at the second step.

    Args:
        name: who showed a password.
        app: whether there is an authenticator app.
        options: what the browser is asked to show a passkey, as JSON; nothing without one for this site.
        sealed: what goes back with the passkey's answer.
    """

    name: AccountName
    app: bool
    options: str | None = None
    sealed: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pending:
    account_id: int
    name: AccountName
    changed_at: Instant


class SecondSteps:
    """Signs in who has a second factor.

    Args:
        database: where sessions are.
        clock: the time.
        sealing: what a browser keeps between two steps.
        checks: checks what is shown.
        title: what browsers call this registry.
    """

    def __init__(
        self, database: Database, clock: Clock, sealing: Sealing, checks: FactorChecks, *, title: str = "Wharfinger"
    ) -> None:
        self._database = database
        self._clock = clock
        self._sealing = sealing
        self._checks = checks
        self._title = title

    def begin(self, shown: Password) -> str:
        """Return what the browser of somebody who showed a password keeps until the second step."""
        return self._sealing.seal(
            _SECOND, PATIENCE, account_id=shown.account_id, name=shown.name, changed_at=shown.changed_at
        )

    async def ask(self, pending: str | None, url: str) -> Question:
        """Return what the second step asks.

        Args:
            pending: as `begin` gave it.
            url: of the site, as the browser reaches it.

        Raises:
            CredentialInvalid: too much time went by since the first step.
        """
        first = self._open(pending)
        factors = await self._database.read(lambda c: rows.list_factors(c, first.account_id))
        has_app = any(one.kind is FactorKind.APP for one in factors)
        keys = [one for one in factors if one.kind is FactorKind.PASSKEY]
        if not keys:
            return Question(name=first.name, app=has_app)
        from wharfinger.security import passkeys  # noqa: PLC0415 - what parses passkeys takes long to load

        host = passkey_host(url)
        here = [passkeys.Known(one.public_id or "", one.public_key or "") for one in keys if one.site == host]
        if host is None or not here:
            return Question(name=first.name, app=has_app)
        asked = passkeys.ask_to_show(passkeys.Site(host, self._title), here)
        sealed = self._seal_question(_ASKED, host, asked.challenge, first.account_id)
        return Question(name=first.name, app=has_app, options=asked.options, sealed=sealed)

    async def with_code(self, pending: str | None, text: str, by: Actor, *, instead_of: str | None) -> NewSession:
        """Begin a session for who shows a code of an app, or a recovery code.

        Args:
            pending: as `begin` gave it.
            text: as it was typed.
            by: where the request came from.
            instead_of: the secret that the browser had before; that session ends.

        Raises:
            CredentialInvalid: it is wrong, or the first step counts no more.
        """
        first = self._open(pending)
        proved = await self._checks.code(first.account_id, first.name, text, by)
        made = await self._begin(proved, first.changed_at, by, instead_of)
        if made is None:
            await self._checks.note_wrong(first.account_id, first.name, by)
            raise CredentialInvalid(WRONG_CODE)
        return made

    async def with_passkey(
        self, pending: str | None, sealed: str, answer: str, by: Actor, *, instead_of: str | None
    ) -> NewSession:
        """Begin a session for who shows a passkey after the password.

        Args:
            pending: as `begin` gave it.
            sealed: as `ask` gave it.
            answer: of the browser, as JSON.
            by: where the request came from.
            instead_of: as for a code.

        Raises:
            CredentialInvalid: as `with_code`.
        """
        first = self._open(pending)
        factors = await self._database.read(lambda c: rows.list_factors(c, first.account_id))
        proved = self._read(sealed, answer, _ASKED, factors)
        made = None
        if proved is not None and proved.account_id == first.account_id:
            made = await self._begin(proved, first.changed_at, by, instead_of)
        if made is None:
            await self._checks.refuse(first.account_id, first.name, "a passkey that was not accepted", by)
            raise CredentialInvalid(WRONG_PASSKEY)
        return made

    def ask_alone(self, url: str) -> Question:
        """Return what a browser is asked to show a passkey that says whose it is.

        Raises:
            AccountInvalid: browsers have none for this site.
        """
        from wharfinger.security import passkeys  # noqa: PLC0415 - what parses passkeys takes long to load

        site = site_for(url, self._title)
        asked = passkeys.ask_to_show(site, None)
        sealed = self._seal_question(_ALONE, site.host, asked.challenge, None)
        return Question(name=AccountName(""), app=False, options=asked.options, sealed=sealed)

    async def alone(self, sealed: str, answer: str, by: Actor, *, instead_of: str | None) -> NewSession:
        """Begin a session for who shows a passkey and no password.

        Args:
            sealed: as `ask_alone` gave it.
            answer: of the browser, as JSON.
            by: where the request came from.
            instead_of: the secret that the browser had before; that session ends.

        Raises:
            CredentialInvalid: it is not accepted.
        """
        from wharfinger.security import passkeys  # noqa: PLC0415 - what parses passkeys takes long to load

        try:
            public_id = passkeys.id_of(answer)
        except passkeys.PasskeyRefused:
            raise CredentialInvalid(WRONG_PASSKEY) from None
        factor = await self._database.read(lambda c: rows.find_passkey(c, public_id))
        proved = None if factor is None else self._read(sealed, answer, _ALONE, [factor])
        made = None if proved is None else await self._begin(proved, None, by, instead_of)
        if made is None:
            raise CredentialInvalid(WRONG_PASSKEY)
        return made

    def _open(self, pending: str | None) -> _Pending:
        content = None if pending is None else self._sealing.open(_SECOND, pending)
        if content is None:
            message = Sentence("Too much time went by since you gave the password. Sign in again.")
            raise CredentialInvalid(message)
        return _Pending(
            account_id=int(content["account_id"] or 0),
            name=AccountName(str(content["name"])),
            changed_at=Instant(int(content["changed_at"] or 0)),
        )

    def _seal_question(self, purpose: str, host: str, challenge: str, account_id: int | None) -> str:
        now = self._clock.now()
        return self._sealing.seal(
            purpose, PATIENCE, host=host, challenge=challenge, account_id=account_id, asked_at=now
        )

    def _read(self, sealed: str, answer: str, purpose: str, factors: Sequence[Factor]) -> Proved | None:
        """Return what a passkey's answer proves; nothing if it proves nothing."""
        from wharfinger.security import passkeys  # noqa: PLC0415 - what parses passkeys takes long to load

        content = self._sealing.open(purpose, sealed)
        if content is None:
            return None
        site = passkeys.Site(str(content["host"]), self._title)
        keys = {one.public_id: one for one in factors if one.kind is FactorKind.PASSKEY and one.site == site.host}
        known = [passkeys.Known(one.public_id or "", one.public_key or "") for one in keys.values()]
        alone = purpose == _ALONE
        try:
            found = passkeys.read_shown(site, str(content["challenge"]), known, answer, alone=alone)
        except passkeys.PasskeyRefused as error:
            _log.info("a passkey was refused", why=str(error))
            return None
        factor = keys[found.passkey.public_id]
        if found.holder not in {None, factor.account_id} or (alone and found.holder is None):
            return None
        return Proved(
            account_id=factor.account_id,
            factor=SignInFactor.PASSKEY_ALONE if alone else SignInFactor.PASSKEY,
            factor_id=factor.id,
            number=found.counter,
            asked_at=Instant(int(content["asked_at"] or 0)),
        )

    async def _begin(
        self, proved: Proved, changed_at: Instant | None, by: Actor, instead_of: str | None
    ) -> NewSession | None:
        """Begin the session; nothing if what was shown counts no more.

        Raises:
            CredentialInvalid: the account may not sign in any more, or its password is another one by now.
        """
        now = self._clock.now()

        def work(connection: Connection) -> NewSession | None:
            account = account_rows.lock_by_id(connection, proved.account_id)
            if account is None or not _may(account):
                raise CredentialInvalid(WRONG_PASSKEY if changed_at is None else WRONG_CODE)
            if changed_at is not None and not account_rows.has_password_of(connection, account.id, changed_at):
                message = Sentence("The password changed meanwhile. Sign in again.")
                raise CredentialInvalid(message)
            if not spend(connection, proved, now):
                return None
            return sessions.begin(connection, account, None, by, now, instead_of=instead_of, factor=proved.factor)

        return await self._database.write(work)


def _may(account: Account) -> bool:
    return account.suspended_at is None and account.access_type is not AccessType.KEYS
