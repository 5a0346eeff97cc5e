# SPDX-License-Identifier: Apache-2.0
"""Who is there: from what a client shows to a principal. One class for each mode that asks.

Nobody is `ANONYMOUS` by mistake: only who shows nothing is. A credential that is wrong, expired or of a kind that the
mode does not take is an error, also where everybody could have come in without one.
"""

import asyncio
import hmac
import secrets
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from wharfinger.clock import SECOND, Clock, Instant, after
from wharfinger.domain.errors import CredentialInvalid, TooManyAttempts
from wharfinger.domain.identity import ANONYMOUS, Principal
from wharfinger.security.htpasswd import Users
from wharfinger.security.watched import WatchedFile

_REMEMBERED: Final = 60 * SECOND
_MOST_REMEMBERED: Final = 1_000
_AT_ONCE: Final = 2
_WAITING: Final = 32


class Password(NamedTuple):
    """A user name and a password, as `Basic` carries them."""

    name: str
    secret: str


class Bearer(NamedTuple):
    """A token."""

    token: str


Shown = Password | Bearer
"""What a client shows of itself."""


class Identity(Protocol):
    """Recognises callers by the rules of one mode."""

    async def recognise(self, shown: Shown | None) -> Principal:
        """Return who it is; `ANONYMOUS` for who shows nothing.

        Raises:
            CredentialInvalid: what was shown is wrong, or not of a kind that is taken here.
            TooManyAttempts: too many passwords are being checked already.
        """
        ...


class PasswordChecks:
    """Runs slow checks of passwords in threads: a few at a time, a few more that wait, and no more."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    async def run(self, check: Callable[[], bool]) -> bool:
        """Return what the check says.

        Raises:
            TooManyAttempts: too many wait already.
        """
        if self._waiting >= _WAITING:
            message = "Too many clients are signing in at this moment; try again."
            raise TooManyAttempts(message)
        self._waiting += 1
        try:
            async with self._slots:
                return await asyncio.to_thread(check)
        finally:
            self._waiting -= 1


class Remembered:
    """Pairs of name and password that were right a moment ago: clients send theirs with every request.

    They are kept under a keyed hash whose key never leaves the process, and for a minute at the most.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._until: dict[bytes, Instant] = {}

    def has(self, shown: Password) -> bool:
        """Say whether the pair was right a moment ago."""
        return self._until.get(self._name_of(shown), Instant(0)) > self._clock.now()

    def add(self, shown: Password) -> None:
        """Remember a pair that is right."""
        if len(self._until) >= _MOST_REMEMBERED:
            self._until.clear()
        self._until[self._name_of(shown)] = after(self._clock.now(), _REMEMBERED)

    def clear(self) -> None:
        """Forget all of them: what they were checked against has changed."""
        self._until.clear()

    def _name_of(self, shown: Password) -> bytes:
        text = f"{len(shown.name)}:{shown.name}{shown.secret}"
        return hmac.digest(self._key, text.encode("utf-8", "surrogatepass"), "sha256")


class HtpasswdIdentity:
    """Users of an htpasswd file, which is read again when it changes.

    Args:
        file: the htpasswd file.
        clock: the time.
    """

    def __init__(self, file: WatchedFile[Users], clock: Clock) -> None:
        self._file = file
        self._checks = PasswordChecks()
        self._remembered = Remembered(clock)
        self._users: Users | None = None

    async def recognise(self, shown: Shown | None) -> Principal:
        """See `Identity.recognise`."""
        match shown:
            case None:
                return ANONYMOUS
            case Bearer():
                message = "This registry asks for a user name and a password (Basic), not for a token."
                raise CredentialInvalid(message)
            case Password():
                await self._check(shown)
                return Principal(name=shown.name)

    async def _check(self, shown: Password) -> None:
        users = await self._file.current()
        if users is not self._users:
            self._remembered.clear()
            self._users = users
        if self._remembered.has(shown):
            return
        if await self._checks.run(lambda: users.verify(shown.name, shown.secret)):
            self._remembered.add(shown)
            return
        message = "The user name or the password is wrong."
        raise CredentialInvalid(message)
