# SPDX-License-Identifier: Apache-2.0
"""Trust rules, and the workloads that they let in: CI jobs and pods, by the identity tokens of their own issuers.

Only issuers that a rule names are ever asked for their keys, and only about tokens that a rule would let in. The client
is told nothing of why a token was refused; the log is, and `test` tells whoever keeps the rules.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from wharfinger import telemetry
from wharfinger.clock import Clock, Instant
from wharfinger.domain.errors import AccountConflict, AccountInvalid, AccountUnknown, OutboundFailed, Unavailable
from wharfinger.domain.events import Event, EventAction
from wharfinger.domain.grants import Place
from wharfinger.domain.identity import Actor, Principal, Workload
from wharfinger.domain.roles import WORDS
from wharfinger.domain.sentences import Sentence, joined
from wharfinger.domain.trust import (
    Claims,
    NewRule,
    TrustRule,
    check_rule,
    mismatches,
    names_audience,
    source_of,
    texts_of,
)
from wharfinger.metadata import events
from wharfinger.metadata import namespaces as namespace_rows
from wharfinger.metadata import trust as rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.security import identity_tokens
from wharfinger.security.identity_tokens import IdentityToken
from wharfinger.security.jws import TokenRefused
from wharfinger.security.tokens import fingerprint
from wharfinger.security.trust import KeysUnusable
from wharfinger.services.grants import key_of
from wharfinger.services.registries import Registry

_log = telemetry.logger("trust")
Jwk = Mapping[str, object]
Keys = Callable[[str, str | None], Awaitable[Sequence[Jwk]]]
"""Fetches the keys of an issuer; see `outbound.issuers.Issuers.keys`."""

MAX_RULES: Final = 1_000
"""In a deployment."""
MAX_MATCHING: Final = 20
"""How many rules one workload carries: each costs a look-up at every request. The oldest count."""
_REMEMBERED: Final = 60.0
"""Seconds for which a token that was recognised is not judged again: new rules count for it a minute later."""
_MOST_REMEMBERED: Final = 1_000
_LONGEST_NAME: Final = 200
_LONGEST_SUBJECT: Final = 150
_LONGEST_DETAIL: Final = 1_000


class WorkloadRefused(Exception):
    """An identity token that lets nobody in. The reason is for the log and for `test`, never for the client."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one rule says of a token.

    Args:
        rule: the rule.
        reasons: why it does not let the token in; none if it does.
    """

    rule: TrustRule
    reasons: Sequence[Sentence]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What is to be said of a token, without its text.

    Args:
        issuer: who it says it is from.
        subject: whom it says it is for.
        audience: whom it says it is meant for.
        expires_at: when it ends; nothing for claims without a token.
        problem: why no rule can let it in, whatever the rules say.
        verdicts: what each rule says, in the order in which they were made.
        principal: who comes in with it, if anybody does: nobody with claims, which nobody has signed.
    """

    issuer: str
    subject: str
    audience: Sequence[str]
    expires_at: Instant | None
    problem: Sentence | None
    verdicts: Sequence[Verdict]
    principal: Principal | None


class _Remembered(NamedTuple):
    token: IdentityToken
    principal: Principal
    until: float


class TrustRules:
    """The trust rules of every registry.

    Args:
        database: where the rules are.
        clock: the time.
        keys: fetches the keys of issuers.
    """

    def __init__(self, database: Database, clock: Clock, keys: Keys) -> None:
        self._database = database
        self._clock = clock
        self._keys = keys
        self._remembered: dict[tuple[int, str], _Remembered] = {}

    async def create(self, new: NewRule, by: Actor) -> TrustRule:
        """Make a rule and return it. A namespace is made if there is none: rules can come before the first push.

        Raises:
            AccountInvalid: the rule is none that could count; the message says what would be right.
            AccountConflict: there are too many, or another rule tells the source of the same issuer otherwise.
            NameUnknown: there is no such repository.
        """
        check_rule(new)
        wanted, now = replace(new, jwks=_public(new.jwks)), self._clock.now()

        def work(connection: Connection) -> TrustRule:
            place = wanted.place
            if place.namespace is not None and place.registry_id is not None:
                namespace_rows.ensure(connection, place.registry_id, place.namespace, by, now)
            where = key_of(connection, place)
            _require_room(connection, wanted)
            made = rows.create(connection, wanted, where, by.principal.account_id, now)
            rule = _require(connection, made)
            _tell(connection, EventAction.TRUST_ADDED, rule, by, now)
            return rule

        return await self._database.write(work)

    async def remove(self, rule_id: int, by: Actor) -> TrustRule:
        """Remove a rule and return what it was: whom it let in is out with the next request.

        Raises:
            AccountUnknown: there is no such rule.
        """
        now = self._clock.now()

        def work(connection: Connection) -> TrustRule:
            rule = _require(connection, rule_id)
            rows.remove(connection, rule_id)
            _tell(connection, EventAction.TRUST_REMOVED, rule, by, now)
            return rule

        return await self._database.write(work)

    async def change_keys(self, rule_id: int, jwks: str | None, by: Actor) -> TrustRule:
        """Give a rule the new keys of its issuer; with nothing, the issuer is asked from now on.

        Raises:
            AccountUnknown: there is no such rule.
            AccountInvalid: it is no set of public keys, or without it the issuer could not be asked.
        """
        wanted, now = _public(jwks), self._clock.now()

        def work(connection: Connection) -> TrustRule:
            rule = replace(_require(connection, rule_id), jwks=wanted)
            check_rule(rule)
            rows.set_keys(connection, rule_id, wanted)
            _tell(connection, EventAction.TRUST_CHANGED, rule, by, now)
            return rule

        rule = await self._database.write(work)
        self._remembered.clear()
        return rule

    async def find(self, rule_id: int) -> TrustRule:
        """Return a rule.

        Raises:
            AccountUnknown: there is no such rule.
        """
        return await self._database.read(lambda c: _require(c, rule_id))

    async def list(self, place: Place | None = None) -> Sequence[TrustRule]:
        """Return the rules at a place itself, or without one all rules, in the order in which they were made.

        Raises:
            NameUnknown: there is no such repository.
            AccountUnknown: there is no such namespace.
        """

        def work(connection: Connection) -> Sequence[TrustRule]:
            if place is None or place.registry_id is None:
                return rows.every(connection)
            return rows.of_place(connection, place.registry_id, key_of(connection, place))

        return await self._database.read(work)

    async def recognise(self, text: str, registry: Registry) -> Principal:
        """Return the workload that an identity token stands for.

        Raises:
            WorkloadRefused: no rule of the registry lets it in.
            OutboundFailed: a rule might, but the keys of its issuer cannot be had now.
        """
        now = self._clock.now()
        name = (registry.id, fingerprint(text))
        known = self._remembered.get(name)
        try:
            if known is not None and self._clock.monotonic() < known.until:
                known.token.check(now)
                return known.principal
            token = identity_tokens.read(text)
            token.check(now)
        except TokenRefused as error:
            raise WorkloadRefused(str(error)) from None
        principal = await self._judge(token, registry)
        if len(self._remembered) >= _MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered[name] = _Remembered(token, principal, self._clock.monotonic() + _REMEMBERED)
        return principal

    async def test(self, text: str, registry: Registry, place: Place | None = None) -> Report:
        """Say of every rule whether it lets a token in, and why not. Nothing is changed, and nobody is let in.

        Args:
            text: the token.
            registry: whose rules.
            place: only those at this place itself.

        Raises:
            AccountInvalid: it is no identity token at all.
        """
        try:
            token = identity_tokens.read(text)
        except TokenRefused as error:
            message = Sentence(
                "This is not an identity token that could be taken: %(why)s.", why=Sentence(error.reason)
            )
            raise AccountInvalid(message) from None
        problem = None
        try:
            token.check(self._clock.now())
        except TokenRefused as error:
            problem = Sentence(error.reason)
        rules = await self._rules(registry, place)
        verdicts = [Verdict(rule=rule, reasons=await self._reasons(rule, token)) for rule in rules]
        matching = [one.rule for one in verdicts if not one.reasons]
        return Report(
            issuer=token.issuer,
            subject=_subject(token.claims),
            audience=texts_of(token.claims.get("aud")),
            expires_at=token.expires_at,
            problem=problem,
            verdicts=verdicts,
            principal=_principal(token, matching) if matching and problem is None else None,
        )

    async def test_claims(self, claims: Claims, registry: Registry, place: Place | None = None) -> Report:
        """Say of every rule whether it would let a token with these claims in. Signature and times are not looked at.

        Args:
            claims: as `domain.trust.parse_claims` reads them.
            registry: whose rules.
            place: only those at this place itself.
        """
        issuer = claims.get("iss")
        said = issuer if isinstance(issuer, str) else ""
        verdicts = [
            Verdict(rule=rule, reasons=_differences(rule, said, claims)) for rule in await self._rules(registry, place)
        ]
        return Report(
            issuer=_shown(said),
            subject=_subject(claims),
            audience=texts_of(claims.get("aud")),
            expires_at=None,
            problem=None,
            verdicts=verdicts,
            principal=None,
        )

    async def _rules(self, registry: Registry, place: Place | None) -> Sequence[TrustRule]:
        every = await self._database.read(rows.every)
        here = [rule for rule in every if rule.place.registry_id == registry.id]
        return [rule for rule in here if place is None or rule.place == place]

    async def _judge(self, token: IdentityToken, registry: Registry) -> Principal:
        rules = await self._database.read(lambda c: rows.of_issuer(c, registry.id, token.issuer))
        meant = [rule for rule in rules if names_audience(rule.audience, token.claims)]
        matching = [rule for rule in meant if not mismatches(rule.conditions, token.claims)]
        if not matching:
            why = "no rule names its audience" if rules else "no rule names its issuer"
            raise WorkloadRefused("its claims match no rule" if meant else why)
        problems: dict[str | None, TokenRefused | Unavailable | None] = {}
        for rule in matching:  # most share their keys, which are those of the issuer
            if rule.jwks not in problems:
                problems[rule.jwks] = await self._problem(token, rule.jwks)
        verified = [rule for rule in matching if problems[rule.jwks] is None]
        if verified:
            return _principal(token, verified)
        for problem in problems.values():
            if isinstance(problem, Unavailable):
                _log.warning("an issuer's keys cannot be had", issuer=token.issuer, reason=problem.message)
                message = Sentence("The keys of the token's issuer cannot be had now; try again in a moment.")
                raise OutboundFailed(message)
        raise WorkloadRefused(" and ".join(sorted({str(problem) for problem in problems.values()})))

    async def _reasons(self, rule: TrustRule, token: IdentityToken) -> Sequence[Sentence]:
        reasons = _differences(rule, token.issuer, token.claims)
        if reasons:
            return reasons
        problem = await self._problem(token, rule.jwks)
        if problem is None:
            return []
        return [
            Sentence(
                "signature: %(why)s",
                why=problem.message if isinstance(problem, Unavailable) else Sentence(problem.reason),
            )
        ]

    async def _problem(self, token: IdentityToken, jwks: str | None) -> TokenRefused | Unavailable | None:
        """Return what is wrong with the signature, or why that cannot be known."""
        try:
            found = await self._keys(token.issuer, token.kid) if jwks is None else json.loads(jwks)["keys"]
            identity_tokens.verify(token, found)
        except (TokenRefused, Unavailable) as error:
            return error
        except OSError as error:
            return OutboundFailed(
                Sentence("The file of outbound.authorities cannot be read: %(why)s.", why=error.strerror or str(error))
            )
        return None


def _differences(rule: TrustRule, issuer: str, claims: Claims) -> Sequence[Sentence]:
    """Return why what a token says does not meet a rule; none if it does."""
    if rule.issuer != issuer:
        return [Sentence("iss is %(said)r, and must be %(wanted)r", said=_shown(issuer), wanted=rule.issuer)]
    reasons = [one.words for one in mismatches(rule.conditions, claims)]
    if not names_audience(rule.audience, claims):
        texts = texts_of(claims.get("aud"))
        said = (
            joined(Sentence(" and "), [Sentence("%(value)r", value=one) for one in texts])
            if texts
            else Sentence("missing")
        )
        reasons.insert(0, Sentence("aud is %(said)s, and must be %(wanted)r", said=said, wanted=rule.audience))
    return reasons


def _principal(token: IdentityToken, rules: Sequence[TrustRule]) -> Principal:
    if len(rules) > MAX_MATCHING:
        _log.warning("more rules match a token than count", matching=len(rules), counting=MAX_MATCHING)
    source = source_of(rules, token.claims)
    workload = Workload(
        rules=tuple(rule.id for rule in rules[:MAX_MATCHING]), source=None if source is None else source.address
    )
    host = token.issuer.partition("://")[2].partition("/")[0] or token.issuer
    # No account can have such a name: it has spaces.
    return Principal(name=_shown(f"{_subject(token.claims)} of {host}"), workload=workload)


def _subject(claims: Claims) -> str:
    said = claims.get("sub")
    return _shown(said)[:_LONGEST_SUBJECT] if isinstance(said, str) and said else "somebody"


def _shown(text: str) -> str:
    """Return a text of somebody else as a log and a database take it."""
    return "".join(character if character.isprintable() else "?" for character in text[:_LONGEST_NAME])


def _public(jwks: str | None) -> str | None:
    if jwks is None:
        return None
    try:
        return identity_tokens.public_keys(jwks.encode("utf-8", "surrogatepass"))
    except KeysUnusable as error:
        message = Sentence("The keys of the issuer cannot be used: %(why)s.", why=error.reason)
        raise AccountInvalid(message) from error


def _require(connection: Connection, rule_id: int) -> TrustRule:
    rule = rows.find(connection, rule_id)
    if rule is None:
        message = Sentence("There is no trust rule %(rule)s.", rule=rule_id)
        raise AccountUnknown(message)
    return rule


def _require_room(connection: Connection, new: NewRule) -> None:
    if rows.count(connection) >= MAX_RULES:
        message = Sentence(
            "There are %(most)s trust rules already, which is the limit; remove some that nobody needs.", most=MAX_RULES
        )
        raise AccountConflict(message)
    if new.source is None or new.place.registry_id is None:
        return
    for rule in rows.of_issuer(connection, new.place.registry_id, new.issuer):
        if rule.source not in {None, new.source}:
            message = Sentence(
                "%(rule)s tells the source of this issuer's workloads otherwise: %(source)s; use the same.",
                rule=str(rule),
                source=rule.source,
            )
            raise AccountConflict(message)


def _tell(connection: Connection, action: EventAction, rule: TrustRule, by: Actor, now: Instant) -> None:
    """Record what happened to a rule; who answers for its repository or its namespace finds it by that."""
    where, place = key_of(connection, rule.place), rule.place
    about: int | None = None
    if place.namespace is not None and place.registry_id is not None:
        namespace = namespace_rows.find(connection, place.registry_id, place.namespace)
        about = None if namespace is None else namespace.owner_id
    conditions = ", ".join(f"{claim}={'|'.join(values)}" for claim, values in rule.conditions.items())
    detail = f"{WORDS[rule.role]} on {rule.place} for {rule.issuer}: {conditions or 'everybody'}"
    event = Event(
        action=action,
        repository_id=where.repository_id,
        repository=rule.place.repository,
        target=str(rule),
        about_id=about,
        detail=detail[:_LONGEST_DETAIL],
    )
    events.record(connection, rule.place.registry_id, event, by, now)
