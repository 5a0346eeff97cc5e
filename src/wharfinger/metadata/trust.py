# SPDX-License-Identifier: Apache-2.0
"""Rows of trust rules, and what one of them gives at one name."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, insert, or_, select, update

from wharfinger.clock import Instant
from wharfinger.domain.access import Standing
from wharfinger.domain.grants import Place
from wharfinger.domain.identity import Workload
from wharfinger.domain.names import RepositoryName, namespace_of
from wharfinger.domain.roles import WORDS, Role
from wharfinger.domain.sources import Source
from wharfinger.domain.trust import NewRule, TrustRule, title
from wharfinger.domain.workloads import Reach, Trust, given
from wharfinger.metadata.account_tables import trust_rules
from wharfinger.metadata.database import Row, Statement
from wharfinger.metadata.grants import PlaceKey
from wharfinger.metadata.schema import namespaces, repositories

REACH: Final = Statement(
    select(
        trust_rules.c.id,
        trust_rules.c.name,
        trust_rules.c.role,
        trust_rules.c.tags,
        trust_rules.c.source,
        trust_rules.c.namespace_id,
        trust_rules.c.repository_id,
        namespaces.c.id,
        repositories.c.id,
        repositories.c.source,
        repositories.c.made_by_rule,
        repositories.c.created_at,
    )
    .select_from(trust_rules)
    .outerjoin(
        repositories,
        (repositories.c.registry_id == bindparam("registry_id"))
        & (repositories.c.name == bindparam("repository"))
        & repositories.c.deleted_at.is_(None),
    )
    .outerjoin(
        namespaces,
        (namespaces.c.registry_id == bindparam("registry_id")) & (namespaces.c.name == bindparam("namespace")),
    )
    .where(trust_rules.c.id == bindparam("rule_id"), trust_rules.c.registry_id == bindparam("registry_id"))
)
"""Parameters `rule_id`, `registry_id`, `repository` and `namespace` as those of `standing.STANDING`; `reached` reads
the columns. There is a row as long as there is the rule, whatever the name."""


class Reached(NamedTuple):
    """What a rule gives at a name, and when it let a workload make the repository of that name, if it did."""

    trust: Trust
    made_at: Instant | None


def reached(row: Row, name: RepositoryName | None, source: str | None) -> Reached:
    """Return what a row of `REACH` says for a workload whose code comes from there."""
    rule_id, called, role, tags, *_, made_by, created_at = row
    trust = Trust(
        rule=title(rule_id, called),
        role=Role[role.upper()],
        reach=_reach(row, name, None if source is None else Source(source)),
        tags=tuple(tags.split()) if tags else (),
    )
    return Reached(trust, Instant(created_at) if made_by == rule_id else None)


def with_trusts(standing: Standing, rows: Sequence[Row], name: RepositoryName | None, workload: Workload) -> Standing:
    """Return the standing of a workload at a name.

    Args:
        standing: of somebody without an account there.
        rows: of `REACH`, one for each of its rules that still is.
        name: of the repository; nothing for the registry itself.
        workload: who stands there.
    """
    found = [reached(row, name, workload.source) for row in rows]
    made = [one.made_at for one in found if one.made_at is not None]
    return replace(
        standing,
        trusts=tuple(one.trust for one in found),
        created_by_self=made[0] if made else None,
        suspended=not found,
    )


def _reach(row: Row, name: RepositoryName | None, source: Source | None) -> Reach:
    rule_id, _, _, _, template, on_namespace, on_repository, namespace_id, repository_id, at, made_by, _ = row
    if on_repository is not None:
        return Reach.REPOSITORY if on_repository == repository_id else Reach.NOWHERE
    if on_namespace is not None and on_namespace != namespace_id:
        return Reach.NOWHERE
    if template is None:
        if on_namespace is None:
            return Reach.REGISTRY
        return Reach.MADE if made_by == rule_id else Reach.NAMESPACE
    if name is None or source is None:
        return Reach.NOWHERE
    if repository_id is not None:
        return Reach.LINKED if source.is_at(at) else Reach.NOWHERE
    return Reach.OWN_NAME if source.owns(name, in_namespace=on_namespace is not None) else Reach.NOWHERE


def maker(
    connection: Connection, registry_id: int, name: RepositoryName, workload: Workload | None
) -> tuple[int | None, str | None]:
    """Return the rule by which a workload makes the repository of a free name, and what the repository is linked to."""
    if workload is None:
        return None, None
    others = None
    for rule_id in workload.rules:
        row = REACH.first(
            connection,
            rule_id=rule_id,
            registry_id=registry_id,
            repository=name,
            namespace=namespace_of(name) or "",
        )
        if row is None:
            continue
        trust = reached(row, name, workload.source).trust
        if any(right.role >= Role.WRITE for right in given(trust, (), exists=False, inherits=False)):
            if trust.reach is Reach.OWN_NAME:
                return rule_id, workload.source
            others = others or rule_id
    return others, None


def create(connection: Connection, new: NewRule, where: PlaceKey, by: int | None, now: Instant) -> int:
    """Store a rule and return its id.

    Args:
        connection: of the transaction.
        new: the rule; its place's registry has the rule.
        where: the place's numbers.
        by: the account that made it, if one did.
        now: the time.
    """
    values = {
        "name": new.name,
        "issuer": new.issuer,
        "audience": new.audience,
        "conditions": json.dumps(new.conditions, ensure_ascii=False, separators=(",", ":")),
        "registry_id": new.place.registry_id,
        "namespace_id": where.namespace_id,
        "repository_id": where.repository_id,
        "role": WORDS[new.role],
        "source": new.source,
        "tags": " ".join(new.tags) or None,
        "jwks": new.jwks,
        "created_at": now,
        "created_by": by,
    }
    return int(connection.execute(insert(trust_rules).values(**values).returning(trust_rules.c.id)).scalar_one())


def remove(connection: Connection, rule_id: int) -> None:
    """Remove a rule."""
    connection.execute(delete(trust_rules).where(trust_rules.c.id == rule_id))


def set_keys(connection: Connection, rule_id: int, jwks: str | None) -> None:
    """Give a rule other keys of its issuer, or none, so that the issuer is asked."""
    connection.execute(update(trust_rules).where(trust_rules.c.id == rule_id).values(jwks=jwks))


def count(connection: Connection) -> int:
    """Return how many rules there are."""
    return int(connection.execute(select(func.count()).select_from(trust_rules)).scalar_one())


def find(connection: Connection, rule_id: int) -> TrustRule | None:
    """Return the rule of that id."""
    found = _list(connection, trust_rules.c.id == rule_id)
    return found[0] if found else None


def every(connection: Connection) -> Sequence[TrustRule]:
    """Return every rule, in the order in which they were made."""
    return _list(connection, trust_rules.c.id.is_not(None))


def of_place(connection: Connection, registry_id: int, where: PlaceKey) -> Sequence[TrustRule]:
    """Return the rules at a place itself."""
    return _list(
        connection,
        (trust_rules.c.registry_id == registry_id)
        & trust_rules.c.namespace_id.is_not_distinct_from(where.namespace_id)
        & trust_rules.c.repository_id.is_not_distinct_from(where.repository_id),
    )


def at_repository(connection: Connection, repository_id: int) -> tuple[int | None, Sequence[TrustRule]]:
    """Return the rules on a repository, its namespace and its registry; first, the one by which it was made."""
    here = select(repositories.c.registry_id, repositories.c.namespace_id, repositories.c.made_by_rule).where(
        repositories.c.id == repository_id
    )
    registry_id, namespace_id, maker = connection.execute(here).one()
    rule = trust_rules.c
    above = rule.repository_id.is_(None) & or_(rule.namespace_id.is_(None), rule.namespace_id == namespace_id)
    return maker, _list(connection, (rule.registry_id == registry_id) & or_(rule.repository_id == repository_id, above))


def of_issuer(connection: Connection, registry_id: int, issuer: str) -> Sequence[TrustRule]:
    """Return the rules of a registry that believe an issuer."""
    return _list(connection, (trust_rules.c.registry_id == registry_id) & (trust_rules.c.issuer == issuer))


def _list(connection: Connection, condition: ColumnElement[bool]) -> Sequence[TrustRule]:
    rule = trust_rules.c
    statement = (
        select(
            *(rule.id, rule.name, rule.issuer, rule.audience, rule.conditions, rule.registry_id, rule.role),
            *(rule.source, rule.tags, rule.jwks, rule.created_at, namespaces.c.name, repositories.c.name),
        )
        .select_from(trust_rules)
        .outerjoin(namespaces, namespaces.c.id == rule.namespace_id)
        .outerjoin(repositories, repositories.c.id == rule.repository_id)
        .where(condition, repositories.c.deleted_at.is_(None))
        .order_by(rule.id)
    )
    return [
        TrustRule(
            id=rule_id,
            name=name,
            issuer=issuer,
            audience=audience,
            conditions={claim: tuple(values) for claim, values in json.loads(conditions).items()},
            place=Place(
                registry_id=registry_id,
                namespace=namespace,
                repository=None if repository is None else RepositoryName(repository),
            ),
            role=Role[role.upper()],
            source=source,
            tags=tuple(tags.split()) if tags else (),
            jwks=jwks,
            created_at=Instant(created_at),
        )
        for (
            rule_id,
            name,
            issuer,
            audience,
            conditions,
            registry_id,
            role,
            source,
            tags,
            jwks,
            created_at,
            namespace,
            repository,
        ) in connection.execute(statement)
    ]
