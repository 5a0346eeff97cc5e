# SPDX-License-Identifier: Apache-2.0
"""Registry tokens: short-lived, made at the token endpoint, shown with each request under `/v2/` (ADR 0023).

```text
credential ──> principal ──> what it asks for ∩ what it may ──> token (at most 300 s)
token ──> principal with the token's entries as a ceiling ──> what it may is looked up again, at every request
```

The keys are rows, sealed, and the same for all processes. A process reads them every minute, and at most every few
seconds when a token names a key that it does not know yet: so it knows a new one long before that begins to sign.
"""

import asyncio
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from wharfinger import telemetry
from wharfinger.clock import DAY, Clock, Instant
from wharfinger.domain.access import Access, Action, Mode
from wharfinger.domain.errors import CredentialInvalid, QueryInvalid, SignInUnready
from wharfinger.domain.identity import Principal
from wharfinger.domain.names import RegistryName, RepositoryName
from wharfinger.domain.scopes import Wanted
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata import signing_keys as rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.signing_keys import SigningKeyRow
from wharfinger.security.claims import AccessEntry
from wharfinger.security.envelope import Envelope, EnvelopeBroken
from wharfinger.security.jws import Reason, TokenRefused
from wharfinger.security.keys import LONGEST_CREDENTIAL, KeySet, ScheduledKey, SigningKey
from wharfinger.security.signing import Credential, NamedWorkload, RegistryToken, RegistryTokens
from wharfinger.security.verified import VerifiedTokens
from wharfinger.services.authorization import Authorization
from wharfinger.services.identity import Origin
from wharfinger.services.registries import Registry

_log = telemetry.logger("tokens")
T = TypeVar("T")
ISSUER: Final = "wharfinger"
ROTATION: Final = 30 * DAY
_RELOAD_SECONDS: Final = 5.0
_STALE_SECONDS: Final = 60.0
_ACTIONS: Final = {"pull": Action.PULL, "push": Action.PUSH, "delete": Action.DELETE}


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """A token, and what the client is told with it."""

    text: str
    seconds: int
    issued_at: Instant
    granted: Sequence[Wanted]
    """Of what was asked for, what the token opens."""


def named_workload(principal: Principal) -> NamedWorkload | None:
    """Return a workload as tokens carry it."""
    return None if principal.workload is None else NamedWorkload(principal.name, principal.workload)


def service_of(registry: RegistryName) -> str:
    """Return the name of a registry in tokens and challenges; a token for one is refused by the others."""
    return f"{ISSUER}/{registry}"


class Tokens:
    """Issues and verifies the registry tokens of every registry.

    Args:
        database: where the keys are.
        clock: the time.
        authorization: says what a principal may do.
        envelope: makes what opens and seals private keys; asked when the first token is, and raises `SignInUnready`.
        workload_lifetime: seconds for which the credential of a workload is valid.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        authorization: Authorization,
        envelope: Callable[[], Envelope],
        *,
        workload_lifetime: int = LONGEST_CREDENTIAL,
    ) -> None:
        self._database = database
        self._clock = clock
        self._authorization = authorization
        self._make_envelope = envelope
        self._workload_lifetime = workload_lifetime
        self._keys = KeySet(())
        self._rows: Sequence[SigningKeyRow] = ()
        self._loaded: float | None = None
        self._loading = asyncio.Lock()
        self._verifiers: dict[str, VerifiedTokens] = {}

    async def issue(
        self,
        principal: Principal,
        registry: Registry,
        wanted: Sequence[Wanted],
        kind: str,
        origin: Origin | None = None,
    ) -> IssuedToken:
        """Return a token for what the principal may do of what it asks for: less is no error.

        Args:
            principal: who asks.
            registry: which one the token is for.
            wanted: what for.
            kind: what credential was shown, for the log.
            origin: says where the request comes from; then the audit log is told of a push that is denied.

        Raises:
            QueryInvalid: so much was asked for that no token can hold it.
        """
        keys, now = await self._current(), self._clock.now()
        found = [await self._grant(principal, registry, one, origin) for one in wanted]
        granted = [(one, entry) for one, entry in found if entry.actions]
        maker = RegistryTokens(keys, issuer=ISSUER, service=service_of(registry.name))
        shown = None if principal.account_id is None else Credential(kind, principal.credential_id)
        try:
            text = maker.issue(
                now,
                account_id=principal.account_id,
                credential=shown,
                workload=named_workload(principal),
                access=[entry for _, entry in granted],
            )
        except TokenRefused as error:
            message = Sentence("So much was asked for at once that no token can hold it; ask for fewer repositories.")
            raise QueryInvalid(message) from error
        return IssuedToken(text=text, seconds=maker.lifetime, issued_at=now, granted=[one for one, _ in granted])

    async def issue_credential(self, principal: Principal, registry: Registry) -> IssuedToken:
        """Return a credential that a workload shows as a password or a token, for longer than its identity token lives.

        It gives what the workload's rules give, and ends with them; it opens nothing by itself.

        Args:
            principal: a workload.
            registry: which one the credential is for.

        Raises:
            CredentialInvalid: it is no workload.
        """
        named, now = named_workload(principal), self._clock.now()
        if named is None:
            message = Sentence("Only a workload gets such a credential; make a personal access token instead.")
            raise CredentialInvalid(message)
        maker = RegistryTokens(await self._current(), issuer=ISSUER, service=service_of(registry.name))
        text = maker.issue_credential(now, named, self._workload_lifetime)
        return IssuedToken(text=text, seconds=self._workload_lifetime, issued_at=now, granted=())

    async def verify(self, text: str, registry: Registry) -> RegistryToken:
        """Return what a token says.

        Raises:
            CredentialInvalid: it is not valid here, or no longer. The client is not told why; the log is.
        """
        return await self._verified(registry, lambda verifier, now: verifier.verify(text, now))

    async def verify_credential(self, text: str, registry: Registry) -> Principal:
        """Return the workload that a credential was made for.

        Raises:
            CredentialInvalid: as `verify`.
        """
        named = await self._verified(registry, lambda verifier, now: verifier.tokens.verify_credential(text, now))
        return Principal(name=named.name, workload=named.workload)

    async def _verified(self, registry: Registry, verify: Callable[[VerifiedTokens, Instant], T]) -> T:
        try:
            try:
                return verify(self._verifier(await self._current(), registry), self._clock.now())
            except TokenRefused as error:
                if error.reason is not Reason.UNKNOWN_KEY or not await self._reload():
                    raise
                return verify(self._verifier(self._keys, registry), self._clock.now())
        except TokenRefused as error:
            _log.info("a token was refused", reason=str(error))
            message = Sentence("The token is not valid here, or no longer; sign in again.")
            raise CredentialInvalid(message) from None

    async def rotate(self) -> int:
        """Publish a new key when the newest is old, and forget keys that verify nothing any more.

        Returns how many were forgotten; for a background job. Without accounts there are no keys.
        """
        if await self._authorization.mode() is not Mode.ACCOUNTS:
            return 0
        now = self._clock.now()

        def work(connection: Connection) -> int:
            rows.lock(connection)
            keys = self._open(rows.every(connection))
            newest = max((one.signs_from for one in keys.keys), default=None)
            if newest is None or now - newest >= ROTATION:
                keys = self._add(connection, keys, now)
            kept = {one.key.kid for one in keys.without_retired(now).keys}
            gone = [one.key.kid for one in keys.keys if one.key.kid not in kept]
            rows.remove(connection, gone)
            return len(gone)

        return await self._database.write(work)

    async def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return the keys that verify now, for everybody to read."""
        return (await self._current()).jwks(self._clock.now())

    async def _grant(
        self, principal: Principal, registry: Registry, wanted: Wanted, origin: Origin | None
    ) -> tuple[Wanted, AccessEntry]:
        """Return what of one thing the principal may do, bound to the repository that has the name now."""
        if wanted.kind == "registry":
            listed = await self._authorization.allows(principal, registry, Access(Action.LIST))
            entry = AccessEntry(type="registry", name=wanted.name, actions=frozenset("*" if listed else ""))
            return wanted, entry
        name = RepositoryName(wanted.name)
        allowed = []
        for word in wanted.actions:
            action = _ACTIONS[word]
            told = origin if action is Action.PUSH else None
            if await self._authorization.announce(principal, registry, Access(action, name), told):
                allowed.append(word)
        standing = await self._authorization.standing(principal, registry, Access(Action.PULL, name))
        entry = AccessEntry(
            type="repository", name=name, actions=frozenset(allowed), repository_id=standing.repository_id
        )
        return Wanted(wanted.kind, wanted.name, tuple(allowed)), entry

    def _verifier(self, keys: KeySet, registry: Registry) -> VerifiedTokens:
        service = service_of(registry.name)
        verifier = self._verifiers.get(service)
        if verifier is None:
            made = RegistryTokens(keys, issuer=ISSUER, service=service)
            verifier = self._verifiers[service] = VerifiedTokens(made)
        return verifier

    async def _current(self) -> KeySet:
        if self._loaded is None or self._clock.monotonic() - self._loaded >= _STALE_SECONDS:
            await self._reload()
        return self._keys

    async def _reload(self) -> bool:
        """Read the keys again unless that was done a moment ago; say whether it was done now."""
        async with self._loading:
            moment = self._clock.monotonic()
            if self._loaded is not None and moment - self._loaded < _RELOAD_SECONDS:
                return False
            found = await self._database.read(rows.every)
            if not found or found != self._rows:
                self._keys = self._open(found) if found else await self._database.write(self._begin)
                self._rows = found
                self._verifiers.clear()
            self._loaded = moment
            return True

    @functools.cached_property
    def _envelope(self) -> Envelope:
        return self._make_envelope()

    def _begin(self, connection: Connection) -> KeySet:
        """Make the first key, unless another process has just made it."""
        rows.lock(connection)
        keys = self._open(rows.every(connection))
        return keys if keys.keys else self._add(connection, keys, self._clock.now())

    def _add(self, connection: Connection, keys: KeySet, now: Instant) -> KeySet:
        rotated = keys.rotated(SigningKey.generate(), now)
        (new,) = (one for one in rotated.keys if one not in keys.keys)
        row = SigningKeyRow(kid=new.key.kid, private_key=new.key.seal(self._envelope), signs_from=new.signs_from)
        rows.add(connection, row, now)
        return rotated

    def _open(self, found: Sequence[SigningKeyRow]) -> KeySet:
        """Return the keys of rows.

        Raises:
            SignInUnready: they were sealed with another secret.
        """
        try:
            return KeySet(
                ScheduledKey(key=SigningKey.unseal(row.kid, row.private_key, self._envelope), signs_from=row.signs_from)
                for row in found
            )
        except EnvelopeBroken as error:
            _log.error("a signing key does not open: it was sealed with another secret", why=str(error))
            message = Sentence("The registry cannot give tokens now; its log says why.")
            raise SignInUnready(message) from error
