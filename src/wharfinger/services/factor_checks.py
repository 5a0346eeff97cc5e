# SPDX-License-Identifier: Apache-2.0
"""Checks what somebody shows as a second factor: a code of an app, a recovery code, or the answer of a passkey.

A check concludes nothing. What it found is *spent* in the transaction of whatever it is good for, and counts once: of
two requests with the same code one comes too late. Wrong codes make the account's next ones wait, as wrong passwords
do (`domain.lockout`); passkeys and recovery codes cannot be guessed and never wait, so a guesser shuts nobody out.
"""

from dataclasses import dataclass
from typing import Final

from wharfinger import telemetry
from wharfinger.clock import SECOND, Clock, Instant
from wharfinger.domain.accounts import AccountName
from wharfinger.domain.errors import CredentialInvalid
from wharfinger.domain.events import Event, EventAction
from wharfinger.domain.identity import Actor
from wharfinger.domain.lockout import locked_until
from wharfinger.domain.second_factors import AppCode, FactorKind, RecoveryCode, SignInFactor, read_code, steps_at
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata import second_factors as rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.second_factors import Factor, Lock
from wharfinger.security import recovery_codes
from wharfinger.security.envelope import EnvelopeBroken, Place
from wharfinger.services.refusals import Refusals
from wharfinger.services.sealing import Sealing

_log = telemetry.logger("second factors")
WRONG_CODE: Final = Sentence(
    "The code is wrong, was used already, or may not be used now. After several wrong codes, wait a "
    "moment before the next."
)
NEVER: Final = Instant(0)
WRONG_PASSKEY: Final = Sentence("The passkey was not accepted. Begin again, or use another way.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proved:
    """What was shown and is right, and has not been spent yet.

    Args:
        account_id: whose.
        factor: what it was.
        factor_id: which one; nothing for a recovery code.
        number: the step of a code, or how often a passkey signed.
        asked_at: when a passkey was asked.
        fingerprint: of a recovery code.
    """

    account_id: int
    factor: SignInFactor
    factor_id: int = 0
    number: int = 0
    asked_at: Instant = NEVER
    fingerprint: str = ""


class FactorChecks:
    """Checks second factors.

    Args:
        database: where they are.
        clock: the time.
        sealing: opens the secrets of apps.
        refusals: is told of wrong ones.
    """

    def __init__(self, database: Database, clock: Clock, sealing: Sealing, refusals: Refusals) -> None:
        self._database = database
        self._clock = clock
        self._sealing = sealing
        self._refusals = refusals

    async def code(self, account_id: int, name: AccountName, text: str, by: Actor) -> Proved:
        """Return what a typed code proves.

        Args:
            account_id: whose code it must be.
            name: of that account.
            text: as somebody typed it.
            by: who.

        Raises:
            CredentialInvalid: it is wrong, or none is taken now.
        """
        code = read_code(text)
        if isinstance(code, RecoveryCode):
            fingerprint = recovery_codes.fingerprint_of(code.letters)
            return Proved(account_id=account_id, factor=SignInFactor.RECOVERY, fingerprint=fingerprint)
        factors, lock = await self._database.read(
            lambda c: (rows.list_factors(c, account_id), rows.lock_of(c, account_id))
        )
        now = self._clock.now()
        if lock.locked_until is not None and now < lock.locked_until:
            await self.refuse(account_id, name, "locked after wrong codes", by)
            raise CredentialInvalid(WRONG_CODE)
        for factor in factors:
            step = self._step_of(factor, code, now)
            if step is not None:
                return Proved(account_id=account_id, factor=SignInFactor.APP, factor_id=factor.id, number=step)
        await self.note_wrong(account_id, name, by)
        raise CredentialInvalid(WRONG_CODE)

    async def note_wrong(self, account_id: int, name: AccountName, by: Actor) -> None:
        """Count a wrong code, and tell of it."""
        now = self._clock.now()

        def work(connection: Connection) -> None:
            failures = rows.count_failure(connection, account_id)
            rows.set_lock(connection, account_id, failures, locked_until(failures, now))

        await self._database.write(work, durable=False)
        await self.refuse(account_id, name, "a wrong code of the second factor", by)

    async def refuse(self, account_id: int, name: AccountName, why: str, by: Actor) -> None:
        """Tell of what was refused."""
        event = Event(action=EventAction.SIGN_IN, target=name, about_id=account_id, detail=why)
        await self._refusals.note(event, by)

    def seal_secret(self, account_id: int, secret: str) -> str:
        """Return the secret of an app as it is stored."""
        return self._sealing.envelope.seal(secret.encode(), _place(account_id))

    def _step_of(self, factor: Factor, code: AppCode | None, now: Instant) -> int | None:
        if code is None or factor.kind is not FactorKind.APP:
            return None
        from wharfinger.security import totp  # noqa: PLC0415 - for the few requests that bring a code

        try:
            secret = self._sealing.envelope.open(factor.secret or "", _place(factor.account_id)).decode()
        except EnvelopeBroken as error:
            _log.error("the secret of an app does not open: it was sealed with another secret", why=str(error))
            return None
        return totp.step_of(secret, code.digits, steps_at(now // SECOND, factor.counter))


def spend(connection: Connection, proved: Proved, now: Instant) -> bool:
    """Have what was shown count no more, in the transaction of what it is good for; say whether it still counted."""
    match proved.factor:
        case SignInFactor.RECOVERY:
            spent = rows.spend_code(connection, proved.account_id, proved.fingerprint)
        case SignInFactor.APP:
            spent = rows.take_step(connection, proved.factor_id, proved.number, now)
        case _:
            return rows.take_signature(connection, proved.factor_id, proved.number, proved.asked_at, now)
    if spent and rows.lock_of(connection, proved.account_id) != Lock():
        rows.set_lock(connection, proved.account_id, 0, None)
    return spent


def _place(account_id: int) -> Place:
    return Place("second_factors", f"account {account_id}", "secret")
