# SPDX-License-Identifier: Apache-2.0
"""Where an account stands: the facts that `domain.access.decide` judges, and the same rule as SQL for lists.

`STANDING` always finds one row, and runs the same whether the repository, its namespace or the account exists or not:
nobody learns from the time it takes. `visible` is a condition over `repositories`; a property test holds it equal to
`decide` (ADR 0022).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Column,
    ColumnElement,
    FromClause,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    union_all,
)

from wharfinger.clock import Instant
from wharfinger.domain.access import Access, Action, Mode, Role, Standing, Visibility, decide
from wharfinger.domain.identity import Ceiling, Principal
from wharfinger.metadata.account_tables import accounts, grants, memberships, team_members, trust_rules
from wharfinger.metadata.database import Row, Statement
from wharfinger.metadata.schema import namespaces, registries, repositories
from wharfinger.metadata.sign_in_tables import credential_authorizations

NOBODY: Final = 0
"""The account id of who did not sign in; no row has it."""

_account: Final[BindParameter[int]] = bindparam("account_id", type_=BigInteger())
_rank: Final[ColumnElement[int]] = literal_column(
    "CASE grants.role WHEN 'read' THEN 1 WHEN 'write' THEN 2 WHEN 'admin' THEN 3 END"
)
"""The number of a `Role`; written out, because parameters for it would take half of the look-up's time."""


def _is_active(account: FromClause) -> ColumnElement[bool]:
    return account.c.suspended_at.is_(None) & account.c.deleted_at.is_(None)


_caller: Final = accounts.alias("caller")
_employer: Final = accounts.alias("employer")
"""The organization that a robot belongs to: when it is suspended, so are its robots."""
_owner: Final = accounts.alias("owner")
_namesake: Final = accounts.alias("namesake")
_team_owner: Final = accounts.alias("team_owner")
_demanding: Final = accounts.alias("demanding")
_belonging: Final = memberships.alias("belonging")


def is_unproved(organization: FromClause) -> ColumnElement[bool]:
    """Say whether the organization demands single sign-on of its members, and the credential does not prove it."""
    authorized = (
        exists()
        .where(
            credential_authorizations.c.credential_id == bindparam("proof", type_=BigInteger()),
            credential_authorizations.c.organization_id == organization.c.id,
            credential_authorizations.c.provider == organization.c.single_sign_on,
        )
        .correlate(organization)
    )
    return and_(
        organization.c.single_sign_on.is_not(None),
        organization.c.single_sign_on != bindparam("provider", type_=Text()),
        ~authorized,
    )


def _counts(organization: FromClause) -> ColumnElement[bool]:
    """Say whether what its teams give counts."""
    return and_(_is_active(organization), ~is_unproved(organization))


def _own(place: ColumnElement[bool]) -> ColumnElement[int]:
    return (
        select(_rank)
        .where(grants.c.account_id == _account, place)
        .correlate(repositories, namespaces)
        .scalar_subquery()
    )


def _by_team(place: ColumnElement[bool]) -> ColumnElement[int]:
    return (
        select(func.max(_rank))
        .select_from(team_members)
        .join(grants, grants.c.team_id == team_members.c.team_id)
        .join(_team_owner, (_team_owner.c.id == team_members.c.organization_id) & _counts(_team_owner))
        .where(team_members.c.user_id == _account, place)
        .correlate(repositories, namespaces)
        .scalar_subquery()
    )


_EVERYWHERE: Final = and_(
    grants.c.repository_id.is_(None), grants.c.namespace_id.is_(None), grants.c.registry_id.is_(None)
)
_PLACES: Final = (
    _EVERYWHERE,
    grants.c.registry_id == bindparam("registry_id"),
    grants.c.namespace_id == namespaces.c.id,
    grants.c.repository_id == repositories.c.id,
)


_is_in_public_registry: Final = repositories.c.id.is_not(None) & (registries.c.public == 1)
"""A registry that is public is so as a whole; of a name that is free it says nothing."""


def _build_standing(which: ColumnElement[bool]) -> Select[tuple[object, ...]]:
    """Return one row of facts: everything is joined to a row that is always there.

    Args:
        which: the repository of the registry that is meant.
    """
    always = select(literal_column("1").label("one")).subquery("always")
    # A namespace comes into being with its first repository; until then it is as if its namesake owned it already.
    inferred = (
        select(_namesake.c.id)
        .where(_namesake.c.name == bindparam("namespace"), _namesake.c.deleted_at.is_(None))
        .scalar_subquery()
    )
    owner_id = case(
        (namespaces.c.id.is_not(None), namespaces.c.owner_id), (registries.c.account_namespaces == 1, inferred)
    )
    is_member = memberships.c.user_id.is_not(None) & _is_active(_owner)
    is_withheld = memberships.c.user_id.is_not(None) & is_unproved(_owner)
    somebody_demands = (
        select(func.min(_demanding.c.name))
        .select_from(_belonging)
        .join(_demanding, (_demanding.c.id == _belonging.c.organization_id) & _is_active(_demanding))
        .where(_belonging.c.user_id == _account, is_unproved(_demanding))
        .scalar_subquery()
    )
    return (
        select(
            repositories.c.id,
            case((repositories.c.created_by == _account, repositories.c.created_at)),
            case((_is_in_public_registry, "public"), else_=repositories.c.visibility),
            repositories.c.inherits,
            registries.c.anonymous_pull * func.coalesce(_owner.c.anonymous_pull, 1),
            case((_owner.c.id == _account, 1), (is_member & (memberships.c.role == "owner"), 1), else_=0),
            case((is_member, 1), else_=0),
            case((is_withheld, 1), else_=0),
            case((is_withheld, _owner.c.name), else_=somebody_demands),
            case(
                (_account == NOBODY, 0),
                (_caller.c.id.is_(None), 1),
                (_caller.c.organization_id.is_not(None) & _employer.c.id.is_(None), 1),
                else_=0,
            ),
            *(_own(place) for place in _PLACES),
            *(_by_team(place) for place in _PLACES),
        )
        .select_from(always)
        .outerjoin(registries, registries.c.id == bindparam("registry_id"))
        .outerjoin(
            repositories,
            (repositories.c.registry_id == bindparam("registry_id")) & which,
        )
        .outerjoin(
            namespaces,
            (namespaces.c.registry_id == bindparam("registry_id")) & (namespaces.c.name == bindparam("namespace")),
        )
        .outerjoin(_caller, (_caller.c.id == _account) & _is_active(_caller))
        .outerjoin(_employer, (_employer.c.id == _caller.c.organization_id) & _is_active(_employer))
        .outerjoin(_owner, _owner.c.id == owner_id)
        .outerjoin(memberships, (memberships.c.organization_id == _owner.c.id) & (memberships.c.user_id == _account))
    )


STANDING: Final = Statement(
    _build_standing((repositories.c.name == bindparam("repository")) & repositories.c.deleted_at.is_(None))
)
"""Parameters: those of `proof_of`, `registry_id`, `repository`, and `namespace`: the first part of the name, or an
empty text; `standing_of` reads the columns."""
STANDING_AT_DELETED: Final = Statement(
    _build_standing((repositories.c.id == bindparam("number")) & repositories.c.deleted_at.is_not(None))
)
"""The same of a repository in the trash, which no name leads to: `number` is its id, instead of `repository`."""


def proof_of(principal: Principal) -> Mapping[str, object]:
    """Return the parameters that say who asks: `account_id` (`NOBODY` for who did not sign in), `proof`, `provider`."""
    return {
        "account_id": principal.account_id or NOBODY,
        "proof": principal.proof.credential_id or NOBODY,
        "provider": principal.proof.provider or "",
    }


def standing_of(row: Row, *, anonymous_pull: bool = True) -> Standing:
    """Return the facts of a row of `STANDING`.

    Args:
        row: what the statement found.
        anonymous_pull: the deployment's own switch, which is a setting and no row.
    """
    repository_id, created, visibility, inherits, anonymous, owns, member, withheld, demander, suspended, *ranks = row
    highest = [Role(max(own or 0, team or 0)) for own, team in zip(ranks[:4], ranks[4:], strict=True)]
    return Standing(
        repository_id=repository_id,
        created_by_self=None if created is None else Instant(created),
        visibility=None if visibility is None else Visibility(visibility),
        inherits=bool(inherits),
        on_deployment=highest[0],
        on_registry=highest[1],
        on_namespace=highest[2],
        on_repository=highest[3],
        owns_namespace=bool(owns),
        is_member=bool(member),
        is_withheld=bool(withheld),
        demanded_by=demander,
        anonymous_pull=anonymous_pull and bool(anonymous),
        suspended=bool(suspended),
    )


def _granted(place: Column[int]) -> ColumnElement[object]:
    """Return the places of one kind at which the account has any role: every role lets it pull."""
    own = select(place).where(grants.c.account_id == _account, place.is_not(None))
    by_team = (
        select(place)
        .select_from(team_members)
        .join(grants, grants.c.team_id == team_members.c.team_id)
        .join(_team_owner, (_team_owner.c.id == team_members.c.organization_id) & _counts(_team_owner))
        .where(team_members.c.user_id == _account, place.is_not(None))
    )
    return union_all(own, by_team).scalar_subquery()


def _namespaces_of_organizations(*conditions: ColumnElement[bool]) -> Select[tuple[int]]:
    """Return the namespaces of organizations that the account is a member of."""
    return (
        select(namespaces.c.id)
        .select_from(memberships)
        .join(_owner, (_owner.c.id == memberships.c.organization_id) & _is_active(_owner))
        .join(namespaces, namespaces.c.owner_id == _owner.c.id)
        .where(memberships.c.user_id == _account, *conditions)
    )


def _withheld_namespaces() -> Select[tuple[int]]:
    """Return the namespaces at which nothing that the account has counts."""
    return (
        select(namespaces.c.id)
        .select_from(memberships)
        .join(_owner, _owner.c.id == memberships.c.organization_id)
        .join(namespaces, namespaces.c.owner_id == _owner.c.id)
        .where(memberships.c.user_id == _account, is_unproved(_owner))
    )


_rules: Final = bindparam("rules", type_=Text())
_source: Final = bindparam("source", type_=Text())


def _let_in(*conditions: ColumnElement[bool], what: Column[int] = trust_rules.c.id) -> Select[int]:
    """Return something of the trust rules that let a workload in."""
    named = _rules.like(literal("%,") + cast(trust_rules.c.id, Text) + ",%")
    return select(what).where(named, *conditions)


def _build_trusted() -> ColumnElement[bool]:
    """Return the condition that a trust rule lets a workload pull: the same as `metadata.trust` finds for one name."""
    rule, linked = trust_rules.c, trust_rules.c.source.is_not(None)
    everything = rule.namespace_id.is_(None) & rule.repository_id.is_(None)
    made = _let_in(
        rule.id == repositories.c.made_by_rule, rule.namespace_id == repositories.c.namespace_id, ~linked
    ).correlate(repositories)
    return or_(
        repositories.c.registry_id.in_(_let_in(everything, ~linked, what=rule.registry_id)),
        repositories.c.id.in_(_let_in(rule.repository_id.is_not(None), what=rule.repository_id)),
        and_(
            repositories.c.inherits == 1,
            repositories.c.namespace_id.in_(_let_in(rule.namespace_id.is_not(None), ~linked, what=rule.namespace_id)),
        ),
        exists(made),
        and_(
            func.lower(repositories.c.source).in_([_source, _source + "/", _source + ".git"]),
            or_(
                repositories.c.registry_id.in_(_let_in(everything, linked, what=rule.registry_id)),
                repositories.c.namespace_id.in_(
                    _let_in(rule.namespace_id.is_not(None), linked, what=rule.namespace_id)
                ),
            ),
        ),
    )


def _in_public_registry() -> ColumnElement[bool]:
    return repositories.c.registry_id.in_(select(registries.c.id).where(registries.c.public == 1))


def _build_visible() -> ColumnElement[bool]:
    signed_in = _account != NOBODY
    active = exists().where(
        _caller.c.id == _account,
        _is_active(_caller),
        or_(
            _caller.c.organization_id.is_(None),
            exists().where(_employer.c.id == _caller.c.organization_id, _is_active(_employer)),
        ),
    )
    deployment = or_(_own(_EVERYWHERE).is_not(None), _by_team(_EVERYWHERE).is_not(None))
    own_namespaces = select(namespaces.c.id).where(namespaces.c.owner_id == _account)
    closed_namespaces = (
        select(namespaces.c.id).join(_owner, _owner.c.id == namespaces.c.owner_id).where(_owner.c.anonymous_pull == 0)
    )
    open_registries = select(registries.c.id).where(registries.c.anonymous_pull == 1)
    anonymous = and_(
        bindparam("anonymous_pull") == 1,
        repositories.c.registry_id.in_(open_registries),
        or_(repositories.c.namespace_id.is_(None), repositories.c.namespace_id.not_in(closed_namespaces)),
    )
    withheld = _withheld_namespaces()
    at_name = or_(
        repositories.c.id.in_(_granted(grants.c.repository_id)),
        repositories.c.namespace_id.in_(own_namespaces),
        repositories.c.namespace_id.in_(_namespaces_of_organizations(memberships.c.role == "owner")),
        and_(
            repositories.c.inherits == 1,
            or_(
                repositories.c.namespace_id.in_(_granted(grants.c.namespace_id)),
                repositories.c.namespace_id.in_(_namespaces_of_organizations()),
            ),
        ),
    )
    rights = or_(
        and_(or_(repositories.c.visibility == "public", _in_public_registry()), or_(signed_in, anonymous)),
        and_(repositories.c.visibility == "internal", signed_in),
        deployment,
        repositories.c.registry_id.in_(_granted(grants.c.registry_id)),
        and_(at_name, or_(repositories.c.namespace_id.is_(None), repositories.c.namespace_id.not_in(withheld))),
        and_(_rules.is_not(None), _build_trusted()),
    )
    only = bindparam("only", type_=Text())
    return and_(
        or_(only.is_(None), only.like(literal("%,") + cast(repositories.c.id, Text) + ",%")),
        or_(_account == NOBODY, active),
        or_(_rules.is_(None), exists(_let_in(trust_rules.c.registry_id == repositories.c.registry_id))),
        rights,
    )


Sight = Mapping[str, object] | None
"""The parameters of `visible` for somebody; nothing where everything can be seen, and no condition is needed."""
EVERYTHING: Final[Sight] = None

visible: Final = _build_visible()
"""The condition that a row of `repositories` may be pulled; its parameters are those that `sight_of` gives."""


def sight_of(principal: Principal, *, anonymous_pull: bool = True) -> Mapping[str, object]:
    """Return the parameters of `visible` for somebody.

    The entries of a registry token are not among them: they name what a client thought to ask for, and do not limit
    what it may list or link from. The credential's own repositories and scopes are.

    Args:
        principal: who looks.
        anonymous_pull: the deployment's own switch.
    """
    untied = replace(principal, ceiling=replace(principal.ceiling, entries=None))
    may_read = principal.ceiling.scopes is None or decide(Mode.ACCOUNTS, untied, Access(Action.LIST)).allowed
    allowed = principal.ceiling.repositories if may_read else frozenset[int]()
    workload = principal.workload
    return {
        **proof_of(principal),
        # Text, because a list would make another statement for each length of it.
        "only": None if allowed is None else f",{','.join(map(str, sorted(allowed)))},",
        "anonymous_pull": int(anonymous_pull),
        "rules": None if workload is None else f",{','.join(map(str, workload.rules))},",
        "source": None if workload is None else workload.source,
    }


NOTHING: Final = sight_of(Principal(name="nobody", ceiling=Ceiling(repositories=frozenset())))
"""The sight of who sees no repository."""
