# SPDX-License-Identifier: Apache-2.0
"""Passwords of accounts as somebody shows them: at `docker login` and in the console, with one count of wrong ones.

Whoever guesses at one door finds the other locked too, and the slow checks of both wait in one line. How long somebody
waits, `domain.lockout` says. Every answer but the right one takes one comparison, whoever there is or is not, and
whether or not it is locked: while it is, a right password looks like a wrong one.
"""

import contextlib
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Final

from wharfinger.clock import DAY, SECOND, Clock, Instant, after
from wharfinger.domain.accounts import AccessType
from wharfinger.domain.errors import CredentialInvalid, DatabaseUnavailable, TooManyAttempts
from wharfinger.domain.events import Event, EventAction
from wharfinger.domain.identity import Actor, Principal, nobody_yet
from wharfinger.domain.lockout import (
    FREE_FAILURES_OF_NETWORK,
    LONGEST_LOCK,
    NOWHERE,
    REMEMBERED,
    locked_until,
    network_of,
)
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata import accounts as account_rows
from wharfinger.metadata import events
from wharfinger.metadata import places as place_rows
from wharfinger.metadata.accounts import Password as StoredPassword
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.places import Place
from wharfinger.security.passwords import Passwords, check_new_password
from wharfinger.services.accounts import Accounts
from wharfinger.services.identity import Password, PasswordChecks, Remembered
from wharfinger.services.refusals import Refusals

WRONG: Final = Sentence(
    "The user name, password or token is wrong, has ended, or may not be used here. After several "
    "wrong passwords, wait a moment before the next."
)
UNKNOWN: Final = "an unknown account"
"""As events call whoever signs in with a name that nobody has: the name may be a password, in the wrong field."""
_MOST_NETWORKS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """A password that somebody shows, with all that decides whether it is compared."""

    stored: StoredPassword
    place: Place | None
    """If the account signed in from there lately."""
    network: str
    by: Actor


class AccountPasswords:
    """Checks the passwords of accounts.

    Args:
        database: where places are.
        accounts: where passwords are.
        clock: the time.
        refusals: is told of wrong ones.
    """

    def __init__(self, database: Database, accounts: Accounts, clock: Clock, refusals: Refusals) -> None:
        self._database = database
        self._accounts = accounts
        self._clock = clock
        self._refusals = refusals
        self._passwords: Passwords | None = None
        self._checks = PasswordChecks()
        self._remembered = Remembered(clock)
        self._networks = _Networks(clock)

    async def check(
        self, name: str, secret: str, doors: Collection[AccessType], origin: Callable[[], Actor] = nobody_yet
    ) -> StoredPassword:
        """Return whose password it is.

        Args:
            name: of the account.
            secret: what is shown as its password.
            doors: accounts of these access types may sign in here; the others get the answer of a wrong password.
            origin: says where it comes from.

        Raises:
            CredentialInvalid: it is wrong, or may not be used here or now; which of them, nobody is told.
            TooManyAttempts: too many passwords are being checked already, or too many from there were wrong.
        """
        stored = await self._accounts.password(name)
        pair = None if stored is None else Password(f"{name}:{stored.hash}", secret)
        if stored is not None and pair is not None and self._remembered.has(pair) and _may(stored, doors):
            return stored  # another hash is another pair: a new password ends the old at once
        by = origin()
        network = network_of(by.client_address)
        wait = self._networks.wait(network)
        place = await self._find_place(0 if stored is None else stored.account_id, network)
        why = self._why_not(stored, place, doors, wait)
        if stored is None or pair is None or why is not None:
            await self._compare_with_nobody(secret, network)
            await self._refuse(stored, why or "no such name", by)
        elif not await self._compare(_Attempt(stored=stored, place=place, network=network, by=by), secret):
            await self._refuse(stored, "a wrong password", by)
        else:
            self._remembered.add(pair)
            return stored
        if wait:
            message = Sentence("Too many wrong passwords came from where you are; wait, or sign in with a token.")
            raise TooManyAttempts(message, retry_after=wait)
        raise CredentialInvalid(WRONG)

    async def hash_new(self, name: str, password: str) -> str:
        """Return what is to be stored for a new password of an account.

        Raises:
            PasswordUnfit: it is not taken; the message says what would be.
        """
        check_new_password(password, name)
        return await self._checks.hash(lambda: self._hasher().hash_password(password))

    async def forget_places(self, limit: int) -> int:
        """Forget from where nobody has signed in for long; return how many, for a background job."""
        before = after(self._clock.now(), -REMEMBERED)
        return await self._database.write(lambda c: place_rows.forget(c, before, limit), durable=False)

    async def _find_place(self, account_id: int, network: str) -> Place | None:
        row = await self._database.find(place_rows.PLACE, account_id=account_id, network=network)
        found = None if row is None else place_rows.place_of(row)
        lately = found is not None and self._clock.now() < found.succeeded_at + REMEMBERED
        return found if lately and network != NOWHERE else None

    def _why_not(
        self, stored: StoredPassword | None, place: Place | None, doors: Collection[AccessType], wait: int
    ) -> str | None:
        """Return why the password is not even compared, for the audit log; nothing if it is."""
        now = self._clock.now()
        if stored is None:
            return None
        if not _may(stored, doors):
            return "the account is suspended" if stored.suspended else "its access type"
        if place is None and wait:
            return "too many wrong passwords from there"
        until = stored.locked_until if place is None else place.locked_until
        return "locked after wrong passwords" if until is not None and now < until else None

    async def _compare_with_nobody(self, secret: str, network: str) -> None:
        """Take as long as for a password that is compared."""

        def check() -> bool:
            self._networks.count_failure(network)
            return self._hasher().verify_nobody(secret).right

        await self._checks.run(("nobody", network, secret), check)

    async def _compare(self, attempt: _Attempt, secret: str) -> bool:
        rehashed: str | None = None
        compared = False
        stored = attempt.stored

        def check() -> bool:
            nonlocal rehashed, compared
            compared = True
            verdict = self._hasher().verify(stored.hash, secret)
            if not verdict.right:
                self._networks.count_failure(attempt.network)
            if verdict.needs_rehash:
                rehashed = self._hasher().hash_password(secret)
            return verdict.right

        right = await self._checks.run((stored.account_id, stored.hash, secret), check)
        with contextlib.suppress(DatabaseUnavailable):
            if right:
                await self._note_success(attempt, rehashed)
            elif compared:  # a wrong password that comes on many connections at once was tried once
                await self._note_failure(attempt)
        return right

    async def _note_failure(self, attempt: _Attempt) -> None:
        """Count a wrong password: where the place is known, there alone."""
        now, account_id = self._clock.now(), attempt.stored.account_id

        def work(connection: Connection) -> None:
            if attempt.place is None:
                failures = account_rows.count_failure(connection, account_id)
                account_rows.set_lock(connection, account_id, failures, locked_until(failures, now))
            else:
                failures = place_rows.count_failure(connection, account_id, attempt.network)
                place_rows.set_lock(connection, account_id, attempt.network, locked_until(failures, now))

        await self._database.write(work, durable=False)

    async def _note_success(self, attempt: _Attempt, rehashed: str | None) -> None:
        """Forget the wrong passwords that counted here, know the place, and tell of it once a day; mostly nothing."""
        now, stored, place = self._clock.now(), attempt.stored, attempt.place
        is_new = attempt.network != NOWHERE and (place is None or now - place.succeeded_at >= DAY)
        by = replace(attempt.by, principal=Principal(name=stored.name, account_id=stored.account_id))

        def work(connection: Connection) -> None:
            if place is None and stored.failures:
                account_rows.set_lock(connection, stored.account_id, 0, None)
            if rehashed is not None:
                account_rows.rehash_password(connection, stored.account_id, stored.hash, rehashed)
            if is_new or (place is not None and place.failures):
                place_rows.succeed(connection, stored.account_id, attempt.network, now)
            if is_new:
                event = Event(action=EventAction.SIGN_IN, target=stored.name, about_id=stored.account_id)
                events.record(connection, None, replace(event, detail="with a password"), by, now)

        if is_new or rehashed is not None or (stored.failures if place is None else place.failures):
            await self._database.write(work, durable=False)

    async def _refuse(self, stored: StoredPassword | None, why: str, by: Actor) -> None:
        target = UNKNOWN if stored is None else stored.name
        about = None if stored is None else stored.account_id
        await self._refusals.note(Event(action=EventAction.SIGN_IN, target=target, about_id=about, detail=why), by)

    def _hasher(self) -> Passwords:
        """Return what hashes; made in the thread that first needs it, because making it costs a hash."""
        if self._passwords is None:
            self._passwords = Passwords()
        return self._passwords


def _may(stored: StoredPassword, doors: Collection[AccessType]) -> bool:
    return not stored.suspended and stored.access_type in doors


class _Networks:
    """Wrong passwords of each network, in this process; a network that is quiet for the longest wait is forgotten."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: dict[str, tuple[int, Instant]] = {}
        self._lock = threading.Lock()  # passwords are compared in threads

    def wait(self, network: str) -> int:
        """Return for how many seconds the network's passwords are not taken."""
        failures, last = self._failures.get(network, (0, Instant(0)))
        until = locked_until(failures, last, FREE_FAILURES_OF_NETWORK)
        left = 0 if until is None else until - self._clock.now()
        return max(0, -(-left // SECOND))

    def count_failure(self, network: str) -> None:
        """Count one more wrong password, unless the network has to wait already."""
        if network == NOWHERE:
            return
        now = self._clock.now()
        with self._lock:
            failures, last = self._failures.pop(network, (0, now))
            if now - last > LONGEST_LOCK:
                failures = 0
            until = locked_until(failures, last, FREE_FAILURES_OF_NETWORK)
            if until is None or until <= now:
                failures, last = failures + 1, now
            self._failures[network] = failures, last  # the latest at the end
            if len(self._failures) > _MOST_NETWORKS:
                del self._failures[next(iter(self._failures))]
