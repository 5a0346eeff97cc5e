# SPDX-License-Identifier: Apache-2.0
"""Signing in under `/v2/`: password, token, access key, refresh token, registry token, the identity of a workload.

Every way leads to the same `Principal`, with the credential's limits as its ceiling, so every way gets the same
answers. One message stands for everything that is wrong with a credential: whoever guesses learns nothing.
"""

import contextlib
from dataclasses import replace
from typing import Final, NamedTuple

from wharfinger import telemetry
from wharfinger.clock import DAY, Clock, Instant, after
from wharfinger.domain.access import Access, Action, Mode
from wharfinger.domain.accounts import AccessType, AccountName, CredentialKind
from wharfinger.domain.errors import CredentialInvalid, DatabaseUnavailable
from wharfinger.domain.events import Event, EventAction
from wharfinger.domain.identity import ANONYMOUS, Actor, Ceiling, Entry, Principal, Proof, nobody_yet
from wharfinger.domain.secrecy import without_secrets
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata.credentials import Holder, NewCredential
from wharfinger.metadata.database import Database
from wharfinger.security import jws
from wharfinger.security import tokens as secret_tokens
from wharfinger.security.claims import AccessEntry
from wharfinger.security.signing import TYPE, WORKLOAD_TYPE, RegistryToken
from wharfinger.security.tokens import TokenKind
from wharfinger.services.accounts import Accounts
from wharfinger.services.authorization import Authorization
from wharfinger.services.credentials import Credentials
from wharfinger.services.demands import Demands
from wharfinger.services.identity import Bearer, Origin, Password, Shown
from wharfinger.services.passwords import WRONG, AccountPasswords
from wharfinger.services.refusals import Refusals
from wharfinger.services.registries import Registry
from wharfinger.services.tokens import Tokens
from wharfinger.services.trust import TrustRules, WorkloadRefused

_log = telemetry.logger("sign-in")
_DEVICE_LIFETIME: Final = 90 * DAY
_HERE: Final = (AccessType.BOTH,)
"""Whose passwords are taken under `/v2/`."""

_NO_PASSWORDS: Final = Sentence(
    "Passwords of accounts are not taken here (accounts.passwords, accounts.secondfactor); sign in "
    "with a token or an access key."
)
_SECOND_FACTOR: Final = Sentence(
    "The password is right, but it is not taken here: the account has a second factor, which nobody "
    "can show at this door. Make a personal access token in the console, on the page of your tokens, "
    "and use it as the password."
)
_ONE_TIME: Final = Sentence(
    "The password is right, but somebody else chose it, and it is good for one thing only: sign in to the console with "
    "it, and choose a password of your own. Then use that here, or better a personal access token."
)


class AccountIdentity:
    """Recognises accounts by what they show; see `Identity`.

    Args:
        database: remembers who was recognised.
        accounts: where passwords are.
        credentials: where the hashes of all other secrets are.
        tokens: verifies registry tokens.
        authorization: knows whether there are accounts yet: until then nobody is asked, and nothing is looked at.
        trust: recognises workloads by the identity tokens of their issuers.
        registry: whose tokens are taken where nobody says which registry is asked.
        clock: the time.
        passwords: checks the passwords of accounts.
        demands: knows of whom single sign-on is demanded: their passwords are not taken.
        refusals: is told of credentials that are shown after their end.
        password_login: whether the password of an account is taken under `/v2/` at all, and what was got for one.
    """

    def __init__(
        self,
        *,
        database: Database,
        accounts: Accounts,
        credentials: Credentials,
        tokens: Tokens,
        trust: TrustRules,
        authorization: Authorization,
        registry: Registry,
        clock: Clock,
        passwords: AccountPasswords,
        demands: Demands,
        refusals: Refusals,
        password_login: bool,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._credentials = credentials
        self._tokens = tokens
        self._trust = trust
        self._authorization = authorization
        self._registry = registry
        self._clock = clock
        self._passwords = passwords
        self._demands = demands
        self._refusals = refusals
        self._password_login = password_login

    async def recognise(
        self, shown: Shown | None, origin: Origin = nobody_yet, registry: Registry | None = None
    ) -> Principal:
        """See `Identity.recognise`."""
        if shown is None:
            return ANONYMOUS
        place = self._registry if registry is None else registry
        known = self._known_already(shown, place)
        if known is not None:
            return known
        if await self.is_open():
            return ANONYMOUS
        match shown:
            case Bearer(token):
                if secret_tokens.recognise(token) is TokenKind.PERSONAL:
                    return await self._by_secret(token, CredentialKind.TOKEN, None, origin)
                if jws.type_of(token) not in {None, TYPE}:
                    return await self._by_signed(token, place)
                return await self._by_registry_token(token, place)
            case Password(name, secret):
                return await self._by_pair(name, secret, origin, place)

    async def is_open(self) -> bool:
        """See `Identity.is_open`."""
        return await self._authorization.mode() is Mode.OPEN

    async def recognise_workload(self, token: str, registry: Registry) -> Principal:
        """Return the workload that an identity token of another issuer stands for.

        Args:
            token: what it shows.
            registry: whose trust rules count.

        Raises:
            CredentialInvalid: no trust rule lets it in; the log says why.
            OutboundFailed: a rule might, but the keys of its issuer cannot be had now.
        """
        try:
            return await self._trust.recognise(token, registry)
        except WorkloadRefused as error:
            _log.info("an identity token was refused", reason=str(error))
            raise CredentialInvalid(WRONG) from None

    async def refresh(self, secret: str, origin: Origin = nobody_yet) -> Principal:
        """Return whose refresh token this is.

        Raises:
            CredentialInvalid: it is none, or has ended.
        """
        if secret_tokens.recognise(secret) is not TokenKind.REFRESH:
            raise CredentialInvalid(WRONG)
        return await self._by_secret(secret, CredentialKind.REFRESH, None, origin)

    async def remember_device(self, by: Actor, device: str | None) -> str:
        """Return a new refresh token, which stands for what was shown: with its limits, and ending with it.

        Args:
            by: who signed in; its principal has an account.
            device: where, in the client's words.
        """
        made, principal = secret_tokens.make(TokenKind.REFRESH), by.principal
        device = without_secrets(device or "")
        new = NewCredential(
            kind=CredentialKind.REFRESH,
            name=f"sign-in of {device[:60] or 'a client'}",
            fingerprint=made.fingerprint,
            hint=made.ending,
            scopes=principal.ceiling.scopes,
            repositories=principal.ceiling.repositories,
            expires_at=after(self._clock.now(), _DEVICE_LIFETIME),
            parent_id=principal.credential_id,
            device=device[:200] or None,
            client_address=by.client_address,
        )
        await self._credentials.create(AccountName(principal.name), new, by)
        return made.text

    async def _by_pair(self, name: str, secret: str, origin: Origin, registry: Registry) -> Principal:
        match secret_tokens.recognise(secret):
            case TokenKind.PERSONAL:
                return await self._by_secret(secret, CredentialKind.TOKEN, name, origin)
            case TokenKind.ACCESS_KEY:
                return await self._by_secret(secret, CredentialKind.KEY, name, origin)
            case TokenKind.REFRESH:
                raise CredentialInvalid(WRONG)  # it is exchanged at the token endpoint, and is good for nothing else
            case None if jws.type_of(secret) not in {None, TYPE}:
                return await self._by_signed(secret, registry)  # whatever the name: `docker login` demands one
            case None if secret_tokens.looks_like_one(secret) or jws.type_of(secret) == TYPE:
                # Mistyped, or a registry token, which is no password: no hash is spent on it, no lock-out comes nearer.
                raise CredentialInvalid(WRONG)
            case None if not self._password_login:
                raise CredentialInvalid(_NO_PASSWORDS)  # the same for every name, so nothing is told by it
            case None:
                return await self._by_password(name, secret, origin)

    async def _by_signed(self, token: str, registry: Registry) -> Principal:
        """Return the workload that shows its own identity, or the credential that it got for it."""
        if jws.type_of(token) != WORKLOAD_TYPE:
            return await self.recognise_workload(token, registry)
        principal = await self._tokens.verify_credential(token, registry)
        await self._require_rule(principal, registry)
        return principal

    async def _require_rule(self, principal: Principal, registry: Registry) -> None:
        """Return if a trust rule that let the workload in still is."""
        standing = await self._authorization.standing(principal, registry, Access(Action.VISIT))
        if standing.suspended:
            _log.info("a workload was refused", reason="its trust rules are gone", principal=principal.name)
            raise CredentialInvalid(WRONG)

    async def _by_secret(self, secret: str, kind: CredentialKind, name: str | None, origin: Origin) -> Principal:
        """Return whose secret this is; a name that comes with it must be the right one."""
        holder = await self._credentials.find(secret_tokens.fingerprint(secret))
        if holder is None or holder.kind is not kind:
            raise CredentialInvalid(WRONG)
        expected = holder.public_id if kind is CredentialKind.KEY else holder.name
        why = "with another name" if name is not None and name != expected else self._why_not(holder)
        if why is not None:
            await self._refuse(holder, why, origin)
            raise CredentialInvalid(WRONG)
        if _is_of_password(holder):
            await self._require_free(holder.account_id)
        with contextlib.suppress(DatabaseUnavailable):  # a full disk keeps nobody from pulling
            await self._credentials.touch(holder, origin)
        return _principal_of(holder)

    def _is_good(self, holder: Holder) -> bool:
        return self._why_not(holder) is None

    def _why_not(self, holder: Holder) -> str | None:
        """Return why a credential is not taken, for the audit log; nothing if it is."""
        if holder.revoked:
            return "it was revoked"
        if holder.suspended:
            return "the account is suspended"
        if not holder.is_good(self._clock.now()):
            return "it has expired"
        if holder.access_type is AccessType.CONSOLE:
            return "the account may sign in to the console only"
        return "passwords are not taken" if _is_of_password(holder) and not self._password_login else None

    async def _refuse(self, holder: Holder, why: str, origin: Origin) -> None:
        """Tell of a credential that is shown after its end: somebody still has it."""
        target = f"{holder.kind} {holder.credential_id} of {holder.name}"
        event = Event(action=EventAction.SIGN_IN, target=target, about_id=holder.account_id, detail=why)
        await self._refusals.note(event, replace(origin(), credential_id=holder.credential_id))

    def _known_already(self, shown: Shown, registry: Registry) -> Principal | None:
        """Return whose registry token it is, if that was found out since the last change of anything."""
        memory = self._database.memory() if isinstance(shown, Bearer) else None
        if memory is None:
            return None
        known: _Known | None = memory.get((self, registry.id, secret_tokens.fingerprint(shown[0])))
        return known.principal if known is not None and self._clock.now() < known.ends else None

    async def _by_registry_token(self, token: str, registry: Registry) -> Principal:
        """Return whom a registry token was made for: the same object each time, so that its rights are found again."""
        memory = self._database.memory()
        known = await self._read(await self._tokens.verify(token, registry), registry)
        if memory is not None:
            memory[self, registry.id, secret_tokens.fingerprint(token)] = known
        return known.principal

    async def _read(self, token: RegistryToken, registry: Registry) -> "_Known":
        """Find out whom a token was made for, unless its account or the credential that it was made with has ended."""
        entries = tuple(_entry(one, token.issued_at) for one in token.access)
        if token.workload is not None:
            named = token.workload
            workload = Principal(name=named.name, workload=named.workload, ceiling=Ceiling(entries=entries))
            await self._require_rule(workload, registry)
            return _Known(workload, token.expires_at)
        if token.account_id is None:
            return _Known(replace(ANONYMOUS, ceiling=Ceiling(entries=entries)), token.expires_at)
        ends = token.expires_at
        if token.credential is None or token.credential.id is None:
            name = await self._accounts.name_of(token.account_id) if self._password_login else None
            principal = None if name is None else Principal(name=name, account_id=token.account_id)
            await self._require_free(token.account_id)
        else:
            holder = await self._credentials.find_by_id(token.account_id, token.credential.id)
            if holder is not None and _is_of_password(holder):
                await self._require_free(token.account_id)
            principal = _principal_of(holder) if holder is not None and self._is_good(holder) else None
            ends = min(ends, ends if holder is None or holder.expires_at is None else holder.expires_at)
        if principal is None:
            raise CredentialInvalid(WRONG)
        return _Known(replace(principal, ceiling=replace(principal.ceiling, entries=entries)), ends)

    async def _by_password(self, name: str, secret: str, origin: Origin) -> Principal:
        stored = await self._passwords.check(name, secret, _HERE, origin)
        if stored.has_second_factor:
            raise CredentialInvalid(_SECOND_FACTOR)
        if stored.is_one_time:
            raise CredentialInvalid(_ONE_TIME)
        await self._require_free(stored.account_id)
        return Principal(name=stored.name, account_id=stored.account_id)

    async def _require_free(self, account_id: int) -> None:
        """Return if no organization wants more than a password of the account.

        Raises:
            CredentialInvalid: one does. The password was right, so it may be said.
        """
        organization = await self._demands.made_of(account_id)
        if organization is not None:
            message = Sentence(
                "The password is right, but it is not taken here: the organization %(organization)s "
                "demands single sign-on. Use a personal access token or an access key that is "
                "authorized for it; sign in to the console through its provider to authorize one.",
                organization=organization,
            )
            raise CredentialInvalid(message)


def _is_of_password(holder: Holder) -> bool:
    """Say whether it is a refresh token that somebody got for a password."""
    return holder.kind is CredentialKind.REFRESH and holder.parent_id is None


class _Known(NamedTuple):
    """Whom a token was made for, and until when that is so if nothing else changes."""

    principal: Principal
    ends: Instant


def _principal_of(holder: Holder) -> Principal:
    return Principal(
        name=holder.name,
        account_id=holder.account_id,
        credential_id=holder.credential_id,
        ceiling=Ceiling(scopes=holder.scopes, repositories=holder.repositories),
        # A device has what its token has. A token that was made with another one is authorized for itself.
        proof=Proof(credential_id=holder.parent_id if holder.kind is CredentialKind.REFRESH else holder.credential_id),
    )


def _entry(entry: AccessEntry, issued_at: Instant) -> Entry:
    return Entry(
        entry.name if entry.type == "repository" else None,
        entry.actions,
        repository_id=entry.repository_id,
        created_since=None if entry.repository_id is not None else after(issued_at, 0),
    )
