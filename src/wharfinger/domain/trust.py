# SPDX-License-Identifier: Apache-2.0
"""Trust rules: whose identity tokens are believed, and what they give. Matching is pure; nothing here fetches a key.

```text
issuer + audience + every condition on a claim  ──>  role at a place, for pushes also a pattern of tags
```

A rule says what it believes word by word: a claim has one of the values named, exactly, or with `*` for any characters.
What a token says beyond its claims (who signed it, until when it is good) was verified before.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from wharfinger.clock import Instant
from wharfinger.domain.errors import AccountInvalid
from wharfinger.domain.grants import Place
from wharfinger.domain.patterns import WILDCARD, fits
from wharfinger.domain.roles import Role
from wharfinger.domain.sentences import Sentence, joined
from wharfinger.domain.sources import Source, parse_template

Claims = Mapping[str, object]
Conditions = Mapping[str, tuple[str, ...]]
"""By claim, the values of which it must have one."""

MAX_CONDITIONS: Final = 16
MAX_VALUES: Final = 32
MAX_TEXT: Final = 512
MAX_TAGS: Final = 16
MAX_CLAIMS: Final = 20_000
"""Characters."""
_MAX_WILDCARDS: Final = 8
_ISSUER: Final = re.compile(r"https?://[^\s/?#@\\]+(?:/[^\s?#@\\]*)?", re.ASCII)
_TAGS: Final = re.compile(r"[a-zA-Z0-9_.*-]{1,128}", re.ASCII)

GITHUB: Final = "https://token.actions.githubusercontent.com"
GITLAB: Final = "https://gitlab.com"
_WHOSE: Final[Mapping[str, Mapping[str, str]]] = {
    GITHUB: {
        "repository_owner": r"[^*]+",
        "repository_owner_id": r"[0-9]+",
        "repository": r"[^*/]+/.*",
        "repository_id": r"[0-9]+",
        "job_workflow_ref": r"[^*/]+/.*",
        "enterprise": r"[^*]+",
        "enterprise_id": r"[0-9]+",
        "sub": r"repo:[^*/]+/.*",
    },
    GITLAB: {
        "namespace_path": r"[^*/]+(?:/.*)?",
        "namespace_id": r"[0-9]+",
        "project_path": r"[^*/]+/.*",
        "project_id": r"[0-9]+",
        "sub": r"project_path:[^*/]+/.*",
    },
    "https://accounts.google.com": {"sub": r"[^*]+", "email": r"[^*]+"},
    "https://agent.buildkite.com": {
        "organization_slug": r"[^*]+",
        "organization_id": r"[^*]+",
        "sub": r"organization:[^*:]+:.*",
    },
}
"""Issuers that everybody gets tokens from, and what a condition must look like to name one of their customers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRule:
    """A trust rule that is to be made.

    Args:
        name: in the words of whoever makes it.
        issuer: the `iss` of the tokens, byte by byte.
        audience: what their `aud` must name: this deployment, and nobody else's.
        conditions: what their claims must say besides.
        place: where the role holds: a repository, a namespace or a registry.
        role: what the rule gives there.
        source: how the claims tell where the workload's code comes from, as `https://github.com/{repository}`. With it,
            the rule gives its role only on repositories that are linked to that source, and on free names that begin
            as its path does.
        tags: patterns of the only tags that it lets push; nothing for every tag.
        jwks: the issuer's keys as a JSON Web Key Set, for an issuer that cannot be asked.
    """

    name: str
    issuer: str
    audience: str
    conditions: Conditions
    place: Place
    role: Role
    source: str | None = None
    tags: tuple[str, ...] = ()
    jwks: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustRule(NewRule):
    """A trust rule that counts."""

    id: int
    created_at: Instant

    def __str__(self) -> str:
        return str(title(self.id, self.name))


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A condition that a token does not meet."""

    claim: str
    found: tuple[str, ...]
    """Its values in the token; none if it is not there, or is nothing that can be compared."""
    wanted: tuple[str, ...]

    def __str__(self) -> str:
        return self.words

    @property
    def words(self) -> Sentence:
        """What the token says, and what it would have to say."""
        wanted = joined(Sentence(" or "), [Sentence("%(value)r", value=value) for value in self.wanted])
        if not self.found:
            return Sentence(
                "%(claim)s must be %(wanted)s, and the token does not say it", claim=self.claim, wanted=wanted
            )
        said = joined(Sentence(" and "), [Sentence("%(value)r", value=value) for value in self.found])
        if {value.lower() for value in self.found} & {value.lower() for value in self.wanted}:
            return Sentence(
                "%(claim)s is %(said)s, and must be %(wanted)s: capitals count",
                claim=self.claim,
                said=said,
                wanted=wanted,
            )
        return Sentence("%(claim)s is %(said)s, and must be %(wanted)s", claim=self.claim, said=said, wanted=wanted)


def title(rule_id: int, name: str) -> Sentence:
    """Return how a rule is called in answers, lists and events."""
    return Sentence("trust rule %(number)s (%(name)s)", number=rule_id, name=name)


def mismatches(conditions: Conditions, claims: Claims) -> Sequence[Mismatch]:
    """Return the conditions that the claims do not meet; where there are none, the rule matches."""
    found = ((claim, texts_of(claim_at(claims, claim)), wanted) for claim, wanted in conditions.items())
    return [
        Mismatch(claim, said, wanted)
        for claim, said, wanted in found
        if not any(fits(pattern, text) for text in said for pattern in wanted)
    ]


def claim_at(claims: Claims, path: str) -> object:
    """Return a claim by its name, or one within others by a JSON pointer (RFC 6901); nothing if it is not there.

    A name may hold dots (`kubernetes.io`), so a path is told by its first slash: `/kubernetes.io/namespace`.
    """
    if not path.startswith("/"):
        return claims.get(path)
    found: object = claims
    for part in path[1:].split("/"):
        if not isinstance(found, Mapping):
            return None
        found = found.get(part.replace("~1", "/").replace("~0", "~"))
    return found


def texts_of(value: object) -> tuple[str, ...]:
    """Return a claim as texts to compare: one, or those of a list, of which one has to fit."""
    match value:
        case bool():
            return (str(value).lower(),)
        case str() | int():
            return (str(value),)
        case list():
            return tuple(text for item in value if isinstance(item, str | int) for text in texts_of(item))
        case _:
            return ()


def names_audience(audience: str, claims: Claims) -> bool:
    """Say whether the token is meant for this audience: the only one, or one of several."""
    said = claims.get("aud")
    return said == audience or (isinstance(said, list) and audience in said)


def parse_claims(text: str) -> Claims:
    """Return the claims that somebody copied out of a token, to see which rules they meet.

    Raises:
        AccountInvalid: it is no JSON object.
    """
    try:
        found: object = json.loads(text[: MAX_CLAIMS + 1])
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or len(text) > MAX_CLAIMS:
        _refuse(
            Sentence(
                'Claims are a JSON object, as {"iss": "https://…", "aud": "registry.example.com"}; or give a token.'
            )
        )
    return cast("Claims", found)


def check_rule(rule: NewRule) -> None:
    """Return if the rule can be made.

    Raises:
        AccountInvalid: it cannot; the message says what would be right.
    """
    _check_texts(rule)
    _check_conditions(rule.conditions)
    _check_whose(rule)
    if rule.place.registry_id is None:
        _refuse(Sentence("A trust rule holds on a repository, a namespace or a registry, not on the whole deployment."))
    if rule.role is Role.NONE:
        _refuse(Sentence("A trust rule gives read, write or admin."))
    if rule.tags and rule.role is not Role.WRITE:
        _refuse(Sentence("Patterns of tags bind what is pushed: they need the role write."))
    if len(rule.tags) > MAX_TAGS or not all(_TAGS.fullmatch(tag) for tag in rule.tags):
        _refuse(
            Sentence(
                "A rule has up to %(most)s patterns of tags, each of the characters of a tag and `*`, as in v1.*",
                most=MAX_TAGS,
            )
        )
    if rule.source is not None:
        _check_source(rule)


def source_of(rules: Sequence[NewRule], claims: Claims) -> Source | None:
    """Return where a workload's code comes from, as the first of its rules that knows tells it."""
    for rule in rules:
        if rule.source is not None:
            forge, claim = parse_template(rule.source)
            said = claim_at(claims, claim)
            if isinstance(said, str) and 0 < len(said) <= MAX_TEXT:
                return Source.parse(forge + said)
    return None


def _check_texts(rule: NewRule) -> None:
    if not rule.name.strip() or len(rule.name) > 100 or not rule.name.isprintable():  # noqa: PLR2004 - fits in a list
        _refuse(Sentence("The name of a rule has up to 100 characters, on one line."))
    if not 0 < len(rule.audience) <= MAX_TEXT or not rule.audience.isprintable():
        _refuse(
            Sentence("A rule needs an audience: the `aud` that tokens for this deployment have, such as its host name.")
        )
    known = rule.jwks is not None  # then nobody is asked, and the issuer is a name like any other
    if len(rule.issuer) > MAX_TEXT or not (rule.issuer.isprintable() if known else _ISSUER.fullmatch(rule.issuer)):
        _refuse(
            Sentence("The issuer is the `iss` of the tokens, an https:// URL without `?` and `#`; give it as they do.")
        )


def _check_conditions(conditions: Conditions) -> None:
    if len(conditions) > MAX_CONDITIONS:
        _refuse(
            Sentence(
                "A rule has up to %(most)s conditions; this one has %(count)s.",
                most=MAX_CONDITIONS,
                count=len(conditions),
            )
        )
    for claim, wanted in conditions.items():
        if not 0 < len(claim) <= MAX_TEXT or not claim.isprintable():
            _refuse(
                Sentence("A condition needs the name of a claim, or a path to one such as /kubernetes.io/namespace.")
            )
        if not 0 < len(wanted) <= MAX_VALUES:
            _refuse(
                Sentence(
                    "The condition on %(claim)s needs one to %(most)s values, of which the claim must have one.",
                    claim=claim,
                    most=MAX_VALUES,
                )
            )
        for value in wanted:
            if not 0 < len(value) <= MAX_TEXT or not value.isprintable() or value.count(WILDCARD) > _MAX_WILDCARDS:
                _refuse(
                    Sentence(
                        "A value of the condition on %(claim)s is empty, longer than %(most)s "
                        "characters, on several lines, or has more than %(stars)s `*`.",
                        claim=claim,
                        most=MAX_TEXT,
                        stars=_MAX_WILDCARDS,
                    )
                )
            if not value.strip(WILDCARD):
                _refuse(
                    Sentence(
                        "The condition on %(claim)s lets every value in; leave it out, or say which values.",
                        claim=claim,
                    )
                )


def _check_whose(rule: NewRule) -> None:
    """Refuse to trust everybody who is a customer of the same issuer."""
    whose = _WHOSE.get(rule.issuer)
    if whose is None:
        return
    for claim, wanted in rule.conditions.items():
        if claim in whose and all(re.fullmatch(whose[claim], value, re.DOTALL) for value in wanted):
            return
    _refuse(
        Sentence(
            "Strangers get tokens of %(issuer)s too, so a rule without a condition on whose they are would "
            "let all of them in: name yours by one of %(whose)s, and before any `*` the whole name of the "
            "owner.",
            issuer=rule.issuer,
            whose=", ".join(whose),
        )
    )


def _check_source(rule: NewRule) -> None:
    parse_template(rule.source or "")
    if rule.place.repository is not None:
        _refuse(Sentence("A rule about linked repositories holds on a namespace or a registry; leave out the source."))
    if rule.role is Role.ADMIN:
        _refuse(Sentence("A rule about linked repositories gives read or write."))


def _refuse(message: Sentence) -> None:
    raise AccountInvalid(message)
