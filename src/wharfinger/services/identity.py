# SPDX-License-Identifier: Apache-2.0
"""Who is there: from what a client shows to a principal. One class for each mode that asks.

Nobody is `ANONYMOUS` by mistake: only who shows nothing is. A credential that is wrong, expired or of a kind that the
mode does not take is an error, also where everybody could have come in without one.
"""

import asyncio
import hmac
import secrets
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from wharfinger import telemetry
from wharfinger.clock import Clock, Instant
from wharfinger.domain.errors import CredentialInvalid, TooManyAttempts
from wharfinger.domain.identity import ANONYMOUS, Actor, Ceiling, Entry, Principal, nobody_yet
from wharfinger.domain.sentences import Sentence
from wharfinger.security.external import ExternalToken, ExternalTokens
from wharfinger.security.htpasswd import Users
from wharfinger.security.jws import TokenRefused
from wharfinger.security.watched import WatchedFile

if TYPE_CHECKING:
    from wharfinger.services.registries import Registry

_log = telemetry.logger("identity")
_REMEMBERED: Final = 60.0
"""Seconds."""
_MOST_REMEMBERED: Final = 1_000
_AT_ONCE: Final = 2
_WAITING: Final = 32
_LONGEST_NAME: Final = 200


class Password(NamedTuple):
    """A user name and a password, as `Basic` carries them."""

    name: str
    secret: str


class Bearer(NamedTuple):
    """A token."""

    token: str


Shown = Password | Bearer
"""What a client shows of itself."""
Origin = Callable[[], Actor]
"""Says where a request comes from, if somebody needs to know; who sent it remains to be seen."""


class Identity(Protocol):
    """Recognises callers by the rules of one mode."""

    async def recognise(
        self, shown: Shown | None, origin: Origin = nobody_yet, registry: "Registry | None" = None
    ) -> Principal:
        """Return who it is; `ANONYMOUS` for who shows nothing.

        Args:
            shown: what a client shows.
            origin: says where it comes from, for what is told of a refusal.
            registry: which one is asked: a token for another one is not taken. Nothing for `default`.

        Raises:
            CredentialInvalid: what was shown is wrong, or not of a kind that is taken here.
            TooManyAttempts: too many passwords are being checked already.
        """
        ...

    async def is_open(self) -> bool:
        """Say whether nobody is asked who they are, so that nothing that is shown is looked at."""
        ...


class PasswordChecks:
    """Runs slow checks of passwords in threads: a few at a time, a few more that wait, and no more.

    A client that opens many connections shows the same password on each; that is one check.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="passwords")
        self._running: dict[Hashable, asyncio.Future[bool]] = {}

    async def run(self, what: Hashable, check: Callable[[], bool]) -> bool:
        """Return what the check says.

        Args:
            what: tells this check from others; who asks for one that is not finished waits for it.
            check: the work.

        Raises:
            TooManyAttempts: too many wait already.
        """
        running = self._running.get(what)
        if running is None:
            if len(self._running) >= _AT_ONCE + _WAITING:
                message = Sentence("Too many clients are signing in at this moment; try again.")
                raise TooManyAttempts(message)
            running = asyncio.get_running_loop().run_in_executor(self._threads, check)
            self._running[what] = running
            running.add_done_callback(lambda _done: self._running.pop(what))
        return await asyncio.shield(running)  # a client that goes away ends its waiting, not that of others

    async def hash(self, work: Callable[[], str]) -> str:
        """Return the hash that `work` makes, in the same threads: each that ever hashed keeps the 19 MiB it took."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


class Remembered:
    """Pairs of name and password that were right a moment ago: clients send theirs with every request.

    They are kept under a keyed hash whose key never leaves the process, and for a minute at the most.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._until: dict[bytes, float] = {}

    def has(self, shown: Password) -> bool:
        """Say whether the pair was right a moment ago."""
        until = self._until.get(self._name_of(shown))
        return until is not None and self._clock.monotonic() < until

    def add(self, shown: Password) -> None:
        """Remember a pair that is right."""
        if len(self._until) >= _MOST_REMEMBERED:
            self._until.clear()
        self._until[self._name_of(shown)] = self._clock.monotonic() + _REMEMBERED

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

    async def recognise(
        self,
        shown: Shown | None,
        origin: Origin = nobody_yet,  # noqa: ARG002 - tells nobody
        registry: "Registry | None" = None,  # noqa: ARG002 - the same users in all of them
    ) -> Principal:
        """See `Identity.recognise`."""
        match shown:
            case None:
                return ANONYMOUS
            case Bearer():
                message = Sentence("This registry asks for a user name and a password (Basic), not for a token.")
                raise CredentialInvalid(message)
            case Password():
                await self._check(shown)
                return Principal(name=shown.name)

    async def is_open(self) -> bool:
        """See `Identity.is_open`."""
        return False

    async def _check(self, shown: Password) -> None:
        if not shown.name:  # as podman says that it has nothing to show
            message = Sentence(
                "Sign in with a user name and a password, for example with `podman login`: no name was given."
            )
            raise CredentialInvalid(message)
        users = await self._file.current()
        if users is not self._users:
            self._remembered.clear()
            self._users = users
        if self._remembered.has(shown):
            return
        if await self._checks.run((users, shown), lambda: users.verify(shown.name, shown.secret)):
            if users is self._users:  # it may have changed meanwhile
                self._remembered.add(shown)
            return
        message = Sentence("The user name or the password is wrong.")
        raise CredentialInvalid(message)


class TokenServerIdentity:
    """Holders of another server's tokens (distribution's `auth.token`): what a token names is all they may do.

    Args:
        certificates: whose keys may sign tokens, as PEM; or nothing.
        jwks: keys that may sign tokens, as a JSON Web Key Set; or nothing.
        verifier: makes what verifies tokens out of the two files.
        clock: the time.
    """

    def __init__(
        self,
        certificates: WatchedFile[bytes] | None,
        jwks: WatchedFile[bytes] | None,
        verifier: Callable[[bytes, bytes], ExternalTokens],
        clock: Clock,
    ) -> None:
        self._certificates = certificates
        self._jwks = jwks
        self._make_verifier = verifier
        self._clock = clock
        self._files: tuple[bytes, bytes] | None = None
        self._verifier: ExternalTokens | None = None
        self._verified: dict[str, tuple[Principal, Instant]] = {}

    async def recognise(
        self,
        shown: Shown | None,
        origin: Origin = nobody_yet,  # noqa: ARG002 - tells nobody
        registry: "Registry | None" = None,  # noqa: ARG002 - the same users in all of them
    ) -> Principal:
        """See `Identity.recognise`. A token that was verified is not verified again until it ends."""
        match shown:
            case None:
                return ANONYMOUS
            case Password():
                message = Sentence(
                    "This registry asks for a token (Bearer), which its token server gives, not for a password."
                )
                raise CredentialInvalid(message)
            case Bearer():
                return await self._read(shown.token)

    async def is_open(self) -> bool:
        """See `Identity.is_open`."""
        return False

    async def _read(self, token: str) -> Principal:
        verifier, now = await self._current_verifier(), self._clock.now()
        principal, until = self._verified.get(token, (None, Instant(0)))
        if principal is not None and now < until:
            return principal
        try:
            found = verifier.verify(token, now)
        except TokenRefused as error:
            _log.info("a token was refused", reason=str(error))
            message = Sentence("The token is not valid here, or no longer; get a new one from the token server.")
            raise CredentialInvalid(message) from None
        principal = Principal(name=_name_of(found), ceiling=Ceiling(entries=_entries(found)))
        if len(self._verified) >= _MOST_REMEMBERED:
            self._verified.clear()
        self._verified[token] = principal, found.expires_at
        return principal

    async def _current_verifier(self) -> ExternalTokens:
        files = (
            b"" if self._certificates is None else await self._certificates.current(),
            b"" if self._jwks is None else await self._jwks.current(),
        )
        if self._verifier is None or files != self._files:
            self._verified.clear()
            self._files, self._verifier = files, self._make_verifier(*files)
        return self._verifier


def _name_of(token: ExternalToken) -> str:
    """Return what to call the holder; a token server may write what no log or database takes."""
    name = token.subject[:_LONGEST_NAME]
    return "".join(character if character.isprintable() else "?" for character in name) or "token holder"


def _entries(token: ExternalToken) -> tuple[Entry, ...]:
    """Return what a token opens here: repositories and the catalog; what else it names is another service's."""
    return tuple(
        Entry(
            None if one.type == "registry" else one.name,
            one.actions,
            everything=one.type == "repository" and "*" in one.actions,
        )
        for one in token.access
        if one.type == "repository" or (one.type, one.name) == ("registry", "catalog")
    )
