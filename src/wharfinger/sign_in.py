# SPDX-License-Identifier: Apache-2.0
"""How callers are recognised: put together from the settings, for `bootstrap`.

What stands in the way of signing in stops the start: a registry that cannot ask who is there does not come up open.
"""

import ssl
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from wharfinger import telemetry
from wharfinger.clock import Clock
from wharfinger.domain.access import Mode
from wharfinger.domain.errors import SignInUnready
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata.database import Database
from wharfinger.outbound.openid import OpenId
from wharfinger.outbound.shared import SharedClient
from wharfinger.security import material
from wharfinger.security.envelope import Envelope
from wharfinger.security.external import ExternalTokens
from wharfinger.security.htpasswd import Users, parse_htpasswd
from wharfinger.security.jws import ALGORITHMS
from wharfinger.security.material import MaterialUnusable
from wharfinger.security.trust import TrustedKeys
from wharfinger.security.watched import WatchedFile
from wharfinger.services import People
from wharfinger.services.accounts import Accounts
from wharfinger.services.credentials import Lifetimes
from wharfinger.services.demands import Demands
from wharfinger.services.external_identities import ExternalIdentities
from wharfinger.services.factor_checks import FactorChecks
from wharfinger.services.identity import HtpasswdIdentity, Identity, TokenServerIdentity
from wharfinger.services.passwords import AccountPasswords
from wharfinger.services.refusals import Refusals
from wharfinger.services.sealing import Sealing
from wharfinger.services.second_factors import SecondFactors
from wharfinger.services.second_steps import SecondSteps
from wharfinger.services.sessions import Sessions
from wharfinger.services.single_sign_on import Provider, SingleSignOn
from wharfinger.services.team_mappings import TeamMappings
from wharfinger.settings import Settings, TokenServer

_log = telemetry.logger("sign-in")


def try_sign_in(settings: Settings) -> None:
    """Read what recognises callers once, before processes are started that would all fail without it.

    Raises:
        SignInUnready: a file that it needs cannot be read.
    """
    providers(settings)
    identity(settings, Clock(), users=parse_htpasswd)  # what is wrong with single users, the workers say
    _try_authorities(settings.outbound.authorities)


def _try_authorities(path: Path | None) -> None:
    """Read the file with authorities, which is otherwise loaded only when somebody signs in through another server."""
    if path is None:
        return
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:  # also what is no PEM
        why = f"{error.filename}: {error.strerror}" if error.filename else f"{path} holds no certificates in PEM"
        message = Sentence("outbound.authorities: %(why)s", why=why)
        raise SignInUnready(message) from error


def envelope(settings: Settings) -> Callable[[], Envelope]:
    """Return what makes the envelope of sealed secrets, when one is first needed; it raises `SignInUnready`.

    With SQLite the secret is a file beside the database. With PostgreSQL there are several nodes, which must have the
    same one, so the operator sets it.
    """

    def make() -> Envelope:
        try:
            return Envelope([_material(settings)])
        except MaterialUnusable as error:
            _log.error("no token can be signed or verified", why=str(error))
            message = Sentence("The registry cannot give tokens now; its log says why.")
            raise SignInUnready(message) from error

    return make


def _material(settings: Settings) -> bytes:
    if settings.http.secret is not None:
        return material.from_text(settings.http.secret.reveal(), "http.secret")
    if settings.database.url is None:
        return material.from_file(settings.storage.filesystem.rootdirectory / "wharfinger" / "secret")
    message = "with PostgreSQL, accounts need http.secret: 32 random characters or more, the same on every node"
    raise MaterialUnusable(message)


def lifetimes(settings: Settings) -> Lifetimes:
    """Return for how long tokens and access keys may be valid."""
    tokens = settings.accounts.tokens
    return Lifetimes(
        longest=tokens.maxlifetime // timedelta(microseconds=1),
        usual=tokens.defaultlifetime // timedelta(microseconds=1),
    )


def mode(settings: Settings) -> Mode | None:
    """Return the mode that the settings choose; nothing for open until there are accounts."""
    match settings.auth.kind:
        case None:
            return None
        case "none":
            return Mode.OPEN
        case "htpasswd":
            return Mode.HTPASSWD
        case "token":
            return Mode.TOKEN


def providers(settings: Settings) -> Sequence[Provider]:
    """Return the OpenID providers at which people sign in to the console.

    Raises:
        SignInUnready: two have the same name, or one is not asked for an ID token.
    """
    found = [
        Provider(
            name=one.name,
            display_name=one.displayname or one.name,
            issuer=one.issuer,
            client_id=one.clientid,
            client_secret=None if one.clientsecret is None else one.clientsecret.reveal(),
            scopes=one.scopes,
            name_claim=one.nameclaim,
            groups_claim=one.groupsclaim,
            creates_accounts=one.create,
            groups=one.groups,
        )
        for one in settings.accounts.oidc
    ]
    if len({one.name for one in found}) != len(found):
        message = Sentence("accounts.oidc: two providers have the same name; each needs one of its own")
        raise SignInUnready(message)
    for one in found:
        if "openid" not in one.scopes:
            message = Sentence(
                "accounts.oidc: %(name)s: `openid` is not among the scopes, so it would not say who signs in",
                name=one.name,
            )
            raise SignInUnready(message)
    return found


def people(
    settings: Settings,
    database: Database,
    clock: Clock,
    outbound: SharedClient,
    seal: Callable[[], Envelope],
    refusals: Refusals,
) -> People:
    """Return the services by which people sign in.

    Raises:
        SignInUnready: as `providers`.
    """
    found = providers(settings)
    names = [one.name for one in found]
    passwords = AccountPasswords(database, Accounts(database, clock), clock, refusals)
    sealing = Sealing(clock, seal)
    checks = FactorChecks(database, clock, sealing, refusals)
    return People(
        demands=Demands(database, clock, names),
        external_identities=ExternalIdentities(database, clock, names),
        passwords=passwords,
        second_factors=SecondFactors(
            database=database,
            clock=clock,
            sealing=sealing,
            checks=checks,
            passwords=passwords,
            required=settings.accounts.secondfactor == "required",
        ),
        second_steps=SecondSteps(database, clock, sealing, checks),
        sessions=Sessions(database, clock),
        single_sign_on=SingleSignOn(
            database=database,
            clock=clock,
            providers=found,
            openid=OpenId(outbound, clock),
            issuers=outbound,
            envelope=seal,
        ),
        team_mappings=TeamMappings(database, clock, names),
    )


def _users(content: bytes) -> Users:
    users = parse_htpasswd(content)
    for problem in users.problems:
        _log.warning("htpasswd", line=problem.line, problem=problem.message)
    return users


def identity(settings: Settings, clock: Clock, users: Callable[[bytes], Users] = _users) -> Identity | None:
    """Return what recognises callers; a file that it needs and that cannot be read stops the start."""
    auth = settings.auth
    try:
        if auth.htpasswd.path is not None:
            return HtpasswdIdentity(WatchedFile(auth.htpasswd.path, users, clock), clock)
        if auth.token.realm is not None:
            return _token_server(auth.token, clock)
    except (OSError, ValueError) as error:
        why = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
        message = Sentence(
            "auth.%(kind)s: %(why)s; nobody could sign in without this file, so the registry does not start",
            kind=auth.kind or "",
            why=why,
        )
        raise SignInUnready(message) from error
    return None


def _token_server(token: TokenServer, clock: Clock) -> Identity:
    def watched(path: Path | None, check: Callable[[bytes], TrustedKeys]) -> WatchedFile[bytes] | None:
        def parse(content: bytes) -> bytes:
            check(content)  # a file that holds no keys is refused while the one before it still counts
            return content

        return None if path is None else WatchedFile(path, parse, clock)

    def verifier(certificates: bytes, jwks: bytes) -> ExternalTokens:
        keys = TrustedKeys(certificates=certificates, jwks=jwks)
        algorithms = token.signingalgorithms or ALGORITHMS
        return ExternalTokens(keys, issuer=token.issuer, service=token.service, algorithms=algorithms)

    return TokenServerIdentity(
        watched(token.rootcertbundle, lambda content: TrustedKeys(certificates=content)),
        watched(token.jwks, lambda content: TrustedKeys(jwks=content)),
        verifier,
        clock,
    )
