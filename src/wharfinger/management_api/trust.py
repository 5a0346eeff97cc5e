# SPDX-License-Identifier: Apache-2.0
"""Trust rules: whose identity tokens let CI jobs and clusters in without a stored secret, and where."""

from datetime import datetime
from typing import Annotated, Final

from fastapi import Path
from pydantic import Field

from wharfinger.domain.access import Action
from wharfinger.domain.errors import AccountUnknown
from wharfinger.domain.grants import Place, parse_role, word_of
from wharfinger.domain.management import Target, Task
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.sentences import Sentence
from wharfinger.domain.trust import MAX_CONDITIONS, MAX_TAGS, MAX_TEXT, MAX_VALUES, NewRule, TrustRule
from wharfinger.management_api.calls import LONGEST_ID, Call, Managing, OnRepository
from wharfinger.management_api.fields import (
    Model,
    NamespacePath,
    OneLine,
    RegistryPath,
    RepositoryPath,
    RoleWord,
    Shown,
    moment,
    time_of,
)
from wharfinger.management_api.problems import BadRequest, FieldError
from wharfinger.management_api.routing import Calling, Route

Text = Annotated[OneLine, Field(min_length=1, max_length=MAX_TEXT)]
TestedToken = Annotated[str, Field(min_length=1, max_length=20_000, json_schema_extra={"format": "password"})]
TestedClaims = Annotated[dict[str, object], Field(max_length=100, examples=[{"iss": "https://issuer.example.com"}])]
RulePath = Annotated[
    int, Path(description="The number of a rule, as lists show it.", ge=1, le=LONGEST_ID, examples=[3])
]


class ShownRule(Shown):
    """A trust rule."""

    id: int
    name: str
    issuer: str
    audience: str
    conditions: dict[str, list[str]]
    """By claim, the values of which it must have one."""
    role: str
    source: str | None
    """How the claims tell where the code comes from: the role then holds only on repositories linked to it."""
    tags: list[str]
    """Patterns of the only tags that it lets push; none for every tag."""
    has_keys: bool
    """Whether the issuer's keys were given, so that it is not asked."""
    created_at: datetime


class Rules(Shown):
    """The rules at a place: they are few."""

    items: list[ShownRule]


class NewKeys(Model):
    """The keys of a rule's issuer."""

    jwks: Annotated[str, Field(max_length=100_000)] | None
    """The public keys as a JSON Web Key Set; null to have the issuer asked from now on."""


class TokenTest(Model):
    """An identity token that is to be looked at, or what it would say: one of the two."""

    token: TestedToken | None = None
    """It is not kept, and nobody is let in."""
    claims: TestedClaims | None = None
    """Claims without a token: signature and times are not looked at then."""


class RuleVerdict(Shown):
    """What a rule says of a token."""

    id: int
    name: str
    reasons: list[str]
    """Why it does not let the token in; none if it does."""


class TokenReport(Shown):
    """What the rules at a place say of a token."""

    issuer: str
    subject: str
    audience: list[str]
    expires_at: datetime | None
    """Nothing for claims."""
    problem: str | None
    """Why no rule can let it in, whatever the rules say."""
    lets_in: bool
    """Whether a rule at this place lets it in; never for claims, which nobody has signed."""
    verdicts: list[RuleVerdict]


class NewTrustRule(Model):
    """A trust rule that is to be made."""

    name: Annotated[Text, Field(examples=["builds of acme/app"])]
    issuer: Annotated[Text, Field(examples=["https://token.actions.githubusercontent.com"])]
    """The `iss` of the tokens, byte by byte."""
    audience: Annotated[Text, Field(examples=["https://registry.example.com"])]
    """What their `aud` must name: this deployment, and nobody else's."""
    conditions: Annotated[
        dict[Text, Annotated[list[Text], Field(min_length=1, max_length=MAX_VALUES)]],
        Field(max_length=MAX_CONDITIONS, examples=[{"repository": ["acme/app"], "ref": ["refs/heads/main"]}]),
    ]
    """By claim, the values of which it must have one; `*` stands for any characters."""
    role: RoleWord
    source: Text | None = None
    """How the claims tell where the code comes from: `https://github.com/{repository}`."""
    tags: Annotated[list[Text], Field(max_length=MAX_TAGS)] = Field(default_factory=list)
    """Patterns of the only tags that it lets push; none for every tag."""
    jwks: Annotated[str, Field(max_length=100_000)] | None = None
    """The issuer's public keys as a JSON Web Key Set, for an issuer that cannot be asked."""


async def list_rules_of_repository(call: Calling, name: RepositoryPath) -> Rules:
    """List the trust rules at a repository."""
    return await _list(call, _repository(call, name))


async def create_rule_of_repository(call: Calling, name: RepositoryPath, new: NewTrustRule) -> ShownRule:
    """Make a trust rule at a repository."""
    return await _create(call, _repository(call, name), new)


async def remove_rule_of_repository(call: Calling, name: RepositoryPath, rule: RulePath) -> None:
    """Remove a trust rule of a repository: whom it let in is out with the next request."""
    await _remove(call, _repository(call, name), rule)


async def list_rules_of_namespace(call: Calling, namespace: NamespacePath) -> Rules:
    """List the trust rules at a namespace."""
    return await _list(call, _namespace(call, namespace))


async def create_rule_of_namespace(call: Calling, namespace: NamespacePath, new: NewTrustRule) -> ShownRule:
    """Make a trust rule at a namespace."""
    return await _create(call, _namespace(call, namespace), new)


async def remove_rule_of_namespace(call: Calling, namespace: NamespacePath, rule: RulePath) -> None:
    """Remove a trust rule of a namespace: whom it let in is out with the next request."""
    await _remove(call, _namespace(call, namespace), rule)


async def list_rules_of_registry(
    call: Calling,
    registry: RegistryPath,  # noqa: ARG001 - the call has it
) -> Rules:
    """List the trust rules at a registry."""
    return await _list(call, Place(registry_id=call.registry.id))


async def create_rule_of_registry(
    call: Calling,
    registry: RegistryPath,  # noqa: ARG001 - the call has it
    new: NewTrustRule,
) -> ShownRule:
    """Make a trust rule at a registry."""
    return await _create(call, Place(registry_id=call.registry.id), new)


async def remove_rule_of_registry(
    call: Calling,
    registry: RegistryPath,  # noqa: ARG001 - the call has it
    rule: RulePath,
) -> None:
    """Remove a trust rule of a registry: whom it let in is out with the next request."""
    await _remove(call, Place(registry_id=call.registry.id), rule)


async def change_keys_of_repository(
    call: Calling,
    name: RepositoryPath,
    rule: RulePath,
    keys: NewKeys,
) -> ShownRule:
    """Give a trust rule of a repository the new keys of its issuer, where they were given and not asked for."""
    return await _change_keys(call, _repository(call, name), rule, keys)


async def test_token_on_repository(
    call: Calling,
    name: RepositoryPath,
    tested: TokenTest,
) -> TokenReport:
    """Say of every trust rule at a repository whether it lets an identity token in, and why not. Nobody is let in."""
    return await _test(call, _repository(call, name), tested)


async def change_keys_of_namespace(
    call: Calling,
    namespace: NamespacePath,
    rule: RulePath,
    keys: NewKeys,
) -> ShownRule:
    """Give a trust rule of a namespace the new keys of its issuer, where they were given and not asked for."""
    return await _change_keys(call, _namespace(call, namespace), rule, keys)


async def test_token_on_namespace(
    call: Calling,
    namespace: NamespacePath,
    tested: TokenTest,
) -> TokenReport:
    """Say of every trust rule at a namespace whether it lets an identity token in, and why not. Nobody is let in."""
    return await _test(call, _namespace(call, namespace), tested)


async def change_keys_of_registry(
    call: Calling,
    registry: RegistryPath,  # noqa: ARG001 - the call has it
    rule: RulePath,
    keys: NewKeys,
) -> ShownRule:
    """Give a trust rule of a registry the new keys of its issuer, where they were given and not asked for."""
    return await _change_keys(call, Place(registry_id=call.registry.id), rule, keys)


async def test_token_on_registry(
    call: Calling,
    registry: RegistryPath,  # noqa: ARG001 - the call has it
    tested: TokenTest,
) -> TokenReport:
    """Say of every trust rule at a registry whether it lets an identity token in, and why not. Nobody is let in."""
    return await _test(call, Place(registry_id=call.registry.id), tested)


async def _list(call: Call, place: Place) -> Rules:
    return Rules(items=[_show(one) for one in await call.services.trust.list(place)])


async def _create(call: Call, place: Place, new: NewTrustRule) -> ShownRule:
    rule = NewRule(
        name=new.name,
        issuer=new.issuer,
        audience=new.audience,
        conditions={claim: tuple(values) for claim, values in new.conditions.items()},
        place=place,
        role=parse_role(new.role, place),
        source=new.source,
        tags=tuple(new.tags),
        jwks=new.jwks,
    )
    return _show(await call.services.trust.create(rule, call.by))


async def _change_keys(call: Call, place: Place, number: int, keys: NewKeys) -> ShownRule:
    await _require_here(call, place, number)
    return _show(await call.services.trust.change_keys(number, keys.jwks, call.by))


async def _test(call: Call, place: Place, tested: TokenTest) -> TokenReport:
    """Judge a token by the rules of the place only: of those elsewhere the caller may not know."""
    trust = call.services.trust
    if (tested.token is None) is (tested.claims is None):
        field = FieldError("give either a token or claims", pointer="/token")
        raise BadRequest(422, "fields-invalid", "Fields of the body cannot be taken.", [field])
    if tested.claims is not None:
        found = await trust.test_claims(tested.claims, call.registry, place)
    else:
        found = await trust.test(tested.token or "", call.registry, place)
    return TokenReport(
        issuer=found.issuer,
        subject=found.subject,
        audience=list(found.audience),
        expires_at=moment(found.expires_at),
        problem=found.problem,
        lets_in=found.principal is not None,
        verdicts=[RuleVerdict(id=one.rule.id, name=one.rule.name, reasons=list(one.reasons)) for one in found.verdicts],
    )


async def _remove(call: Call, place: Place, number: int) -> None:
    await _require_here(call, place, number)
    await call.services.trust.remove(number, call.by)


async def _require_here(call: Call, place: Place, number: int) -> None:
    """Return if the rule is at the place that the caller was let in for; a rule of another one is not there."""
    found = await call.services.trust.find(number)
    if found.place != place:
        message = Sentence("There is no trust rule %(number)s.", number=number)
        raise AccountUnknown(message)


def _repository(call: Call, name: str) -> Place:
    return Place(registry_id=call.registry.id, repository=RepositoryName(name))


def _namespace(call: Call, namespace: str) -> Place:
    return Place(registry_id=call.registry.id, namespace=namespace)


def _show(rule: TrustRule) -> ShownRule:
    return ShownRule(
        id=rule.id,
        name=rule.name,
        issuer=rule.issuer,
        audience=rule.audience,
        conditions={claim: list(values) for claim, values in rule.conditions.items()},
        role=word_of(rule.role),
        source=rule.source,
        tags=list(rule.tags),
        has_keys=rule.jwks is not None,
        created_at=time_of(rule.created_at),
    )


_ADMINISTER: Final = OnRepository(Action.ADMINISTER)
_ON_REPOSITORY: Final = "/repositories/{name:path}/-/trust-rules"
_ON_NAMESPACE: Final = "/namespaces/{namespace}/trust-rules"
_ON_REGISTRY: Final = "/registries/{registry}/trust-rules"
_OF_NAMESPACE: Final = Managing(Task.MANAGE, Target.NAMESPACE)
_OF_REGISTRY: Final = Managing(Task.MANAGE, Target.REGISTRY)
ROUTES: Final = (
    Route("GET", _ON_REPOSITORY, _ADMINISTER, list_rules_of_repository),
    Route("POST", _ON_REPOSITORY, _ADMINISTER, create_rule_of_repository, status=201, conflicts=True),
    Route("DELETE", _ON_REPOSITORY + "/{rule}", _ADMINISTER, remove_rule_of_repository, status=204),
    Route("PUT", _ON_REPOSITORY + "/{rule}/keys", _ADMINISTER, change_keys_of_repository),
    Route("POST", _ON_REPOSITORY + "/test", _ADMINISTER, test_token_on_repository),
    Route("GET", _ON_NAMESPACE, _OF_NAMESPACE, list_rules_of_namespace),
    Route("POST", _ON_NAMESPACE, _OF_NAMESPACE, create_rule_of_namespace, status=201, conflicts=True),
    Route("DELETE", _ON_NAMESPACE + "/{rule}", _OF_NAMESPACE, remove_rule_of_namespace, status=204),
    Route("PUT", _ON_NAMESPACE + "/{rule}/keys", _OF_NAMESPACE, change_keys_of_namespace),
    Route("POST", _ON_NAMESPACE + "/test", _OF_NAMESPACE, test_token_on_namespace),
    Route("GET", _ON_REGISTRY, Managing(Task.READ, Target.REGISTRY), list_rules_of_registry),
    Route("POST", _ON_REGISTRY, _OF_REGISTRY, create_rule_of_registry, status=201, conflicts=True),
    Route("DELETE", _ON_REGISTRY + "/{rule}", _OF_REGISTRY, remove_rule_of_registry, status=204),
    Route("PUT", _ON_REGISTRY + "/{rule}/keys", _OF_REGISTRY, change_keys_of_registry),
    Route("POST", _ON_REGISTRY + "/test", _OF_REGISTRY, test_token_on_registry),
)
