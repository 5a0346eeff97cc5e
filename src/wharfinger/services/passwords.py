# SPDX-License-Identifier: Apache-2.0
"""Passwords of accounts as somebody shows them: at `docker login` and in the console, with one count of wrong ones.

Whoever guesses at one door finds the other locked too, and the slow checks of both wait in one line.
"""

import contextlib
from collections.abc import Collection
from typing import Final

from wharfinger.clock import Clock
from wharfinger.domain.accounts import AccessType
from wharfinger.domain.errors import CredentialInvalid, DatabaseUnavailable
from wharfinger.metadata.accounts import Password as StoredPassword
from wharfinger.security.passwords import Passwords
from wharfinger.services.accounts import Accounts
from wharfinger.services.identity import Password, PasswordChecks, Remembered

WRONG: Final = (
    "The user name, password or token is wrong, has ended, or may not be used here. After several wrong passwords, "
    "wait a moment before the next."
)


class AccountPasswords:
    """Checks the passwords of accounts.

    Args:
        accounts: where they are.
        clock: the time.
    """

    def __init__(self, accounts: Accounts, clock: Clock) -> None:
        self._accounts = accounts
        self._clock = clock
        self._passwords: Passwords | None = None
        self._checks = PasswordChecks()
        self._remembered = Remembered(clock)

    async def check(self, name: str, secret: str, doors: Collection[AccessType]) -> StoredPassword:
        """Return whose password it is.

        Args:
            name: of the account.
            secret: what is shown as its password.
            doors: accounts of these access types may sign in here; the others get the answer of a wrong password.

        Raises:
            CredentialInvalid: it is wrong, or may not be used here or now; which of them, nobody is told.
            TooManyAttempts: too many passwords are being checked already.
        """
        stored = await self._accounts.password(name)
        pair = None if stored is None else Password(f"{name}:{stored.hash}", secret)
        if stored is None or pair is None or not self._may_try(stored, pair, doors):
            await self._checks.run(("nobody", secret), lambda: self._hasher().verify_nobody(secret).right)
            raise CredentialInvalid(WRONG)
        if not self._remembered.has(pair):  # another hash is another pair: a new password ends the old at once
            await self._check(stored, secret)
            self._remembered.add(pair)
        return stored

    def _may_try(self, stored: StoredPassword, pair: Password, doors: Collection[AccessType]) -> bool:
        """Say whether the account may use a password here now; guesses of others bar nobody who was just let in."""
        if stored.suspended or stored.access_type not in doors:
            return False
        is_locked = stored.locked_until is not None and self._clock.now() < stored.locked_until
        return not is_locked or self._remembered.has(pair)

    async def _check(self, stored: StoredPassword, secret: str) -> None:
        rehashed: str | None = None
        compared = False

        def check() -> bool:
            nonlocal rehashed, compared
            compared = True
            verdict = self._hasher().verify(stored.hash, secret)
            if verdict.needs_rehash:
                rehashed = self._hasher().hash_password(secret)
            return verdict.right

        if not await self._checks.run((stored.account_id, stored.hash, secret), check):
            if compared:  # a wrong password that comes on many connections at once was tried once
                with contextlib.suppress(DatabaseUnavailable):
                    await self._accounts.note_failure(stored.account_id)
            raise CredentialInvalid(WRONG)
        with contextlib.suppress(DatabaseUnavailable):
            await self._accounts.note_success(stored, rehashed)

    def _hasher(self) -> Passwords:
        """Return what hashes; made in the thread that first needs it, because making it costs a hash."""
        if self._passwords is None:
            self._passwords = Passwords()
        return self._passwords
