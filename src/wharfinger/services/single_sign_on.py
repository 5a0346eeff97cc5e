# SPDX-License-Identifier: Apache-2.0
"""Single sign-on: somebody signs in at an OpenID provider, and comes back with a session (ADR 0026).

```text
begin   a state, a nonce and a PKCE verifier are made and sealed into a cookie ──> to the provider
finish  the cookie opens, its state is the answer's ──> code for ID token ──> who it is ──> account, teams, session
```

The cookie is the only memory between the two: an answer to a browser that did not begin the sign-in opens nothing, and
no row is left behind by who never comes back.
"""

import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final
from urllib.parse import urlencode

import orjson

from wharfinger import telemetry
from wharfinger.clock import SECOND, Clock, Instant
from wharfinger.domain.accounts import AccessType
from wharfinger.domain.errors import EndpointUnknown, OutboundFailed, SignOnDenied, SignOnFailed
from wharfinger.domain.identity import Actor
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata import accounts as account_rows
from wharfinger.metadata import external_identities
from wharfinger.metadata.accounts import Account
from wharfinger.metadata.database import Connection, Database
from wharfinger.outbound.openid import Endpoints, GrantRefused, OpenId, Redemption
from wharfinger.outbound.shared import SharedClient
from wharfinger.security import id_tokens, pkce
from wharfinger.security.claims import LEEWAY
from wharfinger.security.envelope import Envelope, EnvelopeBroken, Place
from wharfinger.security.id_tokens import IdToken
from wharfinger.security.jws import TokenRefused
from wharfinger.services import newcomers, sessions
from wharfinger.services.newcomers import Newcomer
from wharfinger.services.sessions import NewSession
from wharfinger.services.team_mappings import follow_groups

_log = telemetry.logger("single sign-on")
PATIENCE: Final = 10 * 60 * SECOND
"""How long somebody may take at the provider."""
_TABLE: Final = "single_sign_on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """An OpenID provider, as the settings name it.

    Args:
        name: in addresses, rows and commands; it never changes for one issuer.
        display_name: on its button.
        issuer: its URL, exactly as its tokens say it.
        client_id: of this registry, there.
        client_secret: nothing for a client that has none; PKCE protects the code in any case.
        scopes: what is asked for.
        name_claim: what a new account is called by.
        groups_claim: what lists the groups of somebody.
        creates_accounts: whether somebody unknown gets an account.
        groups: of which somebody must be in one; empty for everybody.
    """

    name: str
    display_name: str
    issuer: str
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    scopes: Sequence[str] = ("openid", "profile", "email")
    name_claim: str = "preferred_username"
    groups_claim: str = "groups"
    creates_accounts: bool = False
    groups: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """Where the browser goes, and what it keeps until it comes back."""

    url: str
    sealed: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Somebody who signed in, and where in the site they wanted to go."""

    session: NewSession
    onward: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Journey:
    """What is sealed while somebody is at the provider."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str
    onward: str
    fresh: bool
    began: int


class SingleSignOn:
    """Signs people in through the providers of the settings.

    Args:
        database: where accounts are.
        clock: the time.
        providers: the operator's.
        openid: asks them for endpoints and tokens.
        issuers: their keys.
        envelope: makes what seals the cookie; it raises `SignInUnready`.
    """

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        providers: Sequence[Provider],
        openid: OpenId,
        issuers: SharedClient,
        envelope: Callable[[], Envelope],
    ) -> None:
        self._database = database
        self._clock = clock
        self._providers = {one.name: one for one in providers}
        self._openid = openid
        self._issuers = issuers
        self._envelope = envelope

    @property
    def providers(self) -> Sequence[Provider]:
        """Return the providers, in the order of the settings."""
        return tuple(self._providers.values())

    def find(self, name: str) -> Provider:
        """Return the provider of that name.

        Raises:
            EndpointUnknown: there is none.
        """
        if name not in self._providers:
            message = Sentence("There is no way to sign in by this name.")
            raise EndpointUnknown(message)
        return self._providers[name]

    async def begin(self, name: str, redirect_uri: str, onward: str, *, fresh: bool = False) -> Departure:
        """Return where to send a browser.

        Args:
            name: of the provider.
            redirect_uri: where it comes back to.
            onward: the page that it wants in the end, a path within the site.
            fresh: whether the person must show the provider again who they are.

        Raises:
            EndpointUnknown: there is no such provider.
            OutboundUnavailable: it does not answer.
            SignInUnready: there is no secret to seal the cookie with.
        """
        provider = self.find(name)
        endpoints = await self._openid.endpoints(provider.issuer)
        journey = _Journey(
            state=secrets.token_urlsafe(32),
            nonce=secrets.token_urlsafe(32),
            verifier=pkce.make_verifier(),
            redirect_uri=redirect_uri,
            onward=onward,
            fresh=fresh,
            began=self._clock.now(),
        )
        query = {
            "response_type": "code",
            "client_id": provider.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(provider.scopes),
            "state": journey.state,
            "nonce": journey.nonce,
            "code_challenge": pkce.challenge_of(journey.verifier),
            "code_challenge_method": pkce.METHOD,
        }
        if fresh:
            query["max_age"] = "0"
        joint = "&" if "?" in endpoints.authorization else "?"
        sealed = self._envelope().seal(orjson.dumps(asdict(journey)), _place(provider))
        return Departure(url=f"{endpoints.authorization}{joint}{urlencode(query)}", sealed=sealed)

    async def finish(
        self, name: str, answer: Mapping[str, str], sealed: str | None, by: Actor, *, instead_of: str | None
    ) -> Arrival:
        """Return the session of somebody who comes back from a provider.

        Args:
            name: of the provider to whose address they come back.
            answer: the parameters of that address.
            sealed: what the browser kept since `begin`.
            by: where the request comes from.
            instead_of: the secret of the session that the browser had; it ends.

        Raises:
            SignOnFailed: the answer is none to this browser, or not the provider's; nobody is signed in.
            SignOnDenied: the provider vouches for somebody who has no account here and gets none.
            OutboundUnavailable: the provider does not answer.
        """
        provider, now = self.find(name), self._clock.now()
        journey = self._open(provider, sealed, answer, now)
        endpoints = await self._openid.endpoints(provider.issuer)
        code = _code_of(provider, endpoints, answer)
        redemption = Redemption(
            client_id=provider.client_id,
            client_secret=provider.client_secret,
            code=code,
            verifier=journey.verifier,
            redirect_uri=journey.redirect_uri,
        )
        try:
            id_token, access_token = await self._openid.redeem(endpoints, redemption)
            token = await self._verify(provider, id_token, journey)
        except (GrantRefused, TokenRefused) as error:
            _log.warning("a sign-in was refused", provider=name, reason=str(error))
            message = Sentence(
                "What %(provider)s answers does not prove who you are. Sign in once more.",
                provider=provider.display_name,
            )
            raise SignOnFailed(message) from error
        claims = await self._claims(provider, endpoints, token, access_token)
        newcomer = newcomers.read(
            name, token.subject, claims, name_claim=provider.name_claim, groups_claim=provider.groups_claim
        )
        session = await self._admit(provider, newcomer, by, instead_of)
        return Arrival(session=session, onward=journey.onward)

    def _open(self, provider: Provider, sealed: str | None, answer: Mapping[str, str], now: Instant) -> _Journey:
        """Return what was sealed at the beginning, if the answer belongs to it.

        Raises:
            SignOnFailed: there is nothing, or not of this browser, or it is old.
        """
        message = Sentence(
            "This sign-in was not begun in this browser, or took more than ten minutes. Sign in once more."
        )
        try:
            content = self._envelope().open(sealed or "", _place(provider))
        except EnvelopeBroken as error:
            raise SignOnFailed(message) from error
        journey = _Journey(**orjson.loads(content))
        if not hmac.compare_digest(journey.state.encode(), answer.get("state", "").encode("utf-8", "replace")):
            raise SignOnFailed(message)
        if not 0 <= now - journey.began < PATIENCE:
            raise SignOnFailed(message)
        return journey

    async def _verify(self, provider: Provider, text: str, journey: _Journey) -> IdToken:
        keys = await self._issuers.keys(provider.issuer, id_tokens.key_id(text))
        token = id_tokens.verify(
            text,
            keys,
            issuer=provider.issuer,
            client_id=provider.client_id,
            nonce=journey.nonce,
            now=self._clock.now(),
        )
        # A provider that does not know `max_age` says nothing; then to have been there again must do.
        if journey.fresh and token.signed_in_at is not None and token.signed_in_at < journey.began - LEEWAY:
            message = Sentence(
                "%(provider)s did not ask you again who you are. Sign out there, and try again.",
                provider=provider.display_name,
            )
            raise SignOnFailed(message)
        return token

    async def _claims(
        self, provider: Provider, endpoints: Endpoints, token: IdToken, access_token: str
    ) -> Mapping[str, object]:
        """Return what is said of the person; some providers keep it out of the ID token, and are asked."""
        if {provider.name_claim, provider.groups_claim} <= token.claims.keys():
            return token.claims
        more = await self._openid.userinfo(endpoints, access_token)
        if more and more.get("sub") != token.subject:
            message = Sentence("The provider %(issuer)s speaks of somebody else.", issuer=provider.issuer)
            raise OutboundFailed(message)
        return {**more, **token.claims}

    async def _admit(self, provider: Provider, newcomer: Newcomer, by: Actor, instead_of: str | None) -> NewSession:
        """Find or make the account, follow the groups, and begin the session: all of it or nothing."""
        if provider.groups and not newcomer.groups & frozenset(provider.groups):
            message = Sentence(
                "%(provider)s says who you are, but only members of certain groups may sign in "
                "here. Ask whoever runs this registry which they are.",
                provider=provider.display_name,
            )
            raise SignOnDenied(message)
        now = self._clock.now()

        def work(connection: Connection) -> NewSession:
            number = external_identities.find(connection, provider.name, newcomer.subject)
            if number is None:
                account = newcomers.settle(connection, newcomer, by, now, may_create=provider.creates_accounts)
            else:
                account = _require_welcome(account_rows.lock_by_id(connection, number))
            follow_groups(connection, account, provider.name, newcomer.groups, by, now)
            return sessions.begin(connection, account, provider.name, by, now, instead_of=instead_of)

        return await self._database.write(work)


def _require_welcome(account: Account | None) -> Account:
    """Return the account if it may sign in to the console.

    Raises:
        SignOnDenied: it may not.
    """
    if account is None or account.suspended_at is not None:
        message = Sentence("Your account is suspended. Ask whoever runs this registry.")
        raise SignOnDenied(message)
    if account.access_type is AccessType.KEYS:
        message = Sentence("Your account signs in with tokens and access keys only, not to the console.")
        raise SignOnDenied(message)
    return account


def _code_of(provider: Provider, endpoints: Endpoints, answer: Mapping[str, str]) -> str:
    """Return the code of the provider's answer.

    Raises:
        SignOnFailed: it has none, or another server gave it (RFC 9207).
    """
    issuer = answer.get("iss")
    if issuer != provider.issuer and (issuer is not None or endpoints.names_itself):
        message = Sentence(
            "This answer does not come from %(provider)s. Nobody was signed in.", provider=provider.display_name
        )
        raise SignOnFailed(message)
    if answer.get("error"):
        word = answer["error"][:60]
        shown = word if word.isascii() and word.isprintable() else "an error"
        message = Sentence(
            "%(provider)s did not sign you in: it says %(shown)r.", provider=provider.display_name, shown=shown
        )
        raise SignOnFailed(message)
    if not answer.get("code"):
        message = Sentence(
            "%(provider)s sent you back without an answer. Sign in once more.", provider=provider.display_name
        )
        raise SignOnFailed(message)
    return answer["code"]


def _place(provider: Provider) -> Place:
    return Place(_TABLE, provider.name, "cookie")
