# SPDX-License-Identifier: Apache-2.0
"""The rule of access is written twice, for one name and for lists: over random worlds the two say the same."""

import pytest
from sqlalchemy import select

from tests.metadata.conftest import place, templates
from tests.properties.worlds import FREE, NAMES, RandomWorld, nothing_stays
from wharfinger.domain.access import Access, Action, Mode, decide
from wharfinger.domain.names import RepositoryName, namespace_of
from wharfinger.metadata.database import Statement
from wharfinger.metadata.schema import repositories
from wharfinger.metadata.standing import STANDING, proof_of, sight_of, standing_of, visible
from wharfinger.metadata.trust import REACH, with_trusts

__all__ = ["place", "templates"]

SEEN = Statement(
    select(repositories.c.registry_id, repositories.c.name).where(visible, repositories.c.deleted_at.is_(None))
)
SEEDS = range(30)
BATCH = 10


def reach(connection, principal, registry, name):
    """Return what each rule says that let a workload in and still is."""
    at = {"registry_id": registry, "repository": name, "namespace": namespace_of(RepositoryName(name)) or ""}
    rows = [REACH.first(connection, rule_id=rule, **at) for rule in principal.workload.rules]
    return [row for row in rows if row is not None]


def may_pull(connection, world, principal, registry, name):
    row = STANDING.first(
        connection,
        **proof_of(principal),
        registry_id=registry,
        repository=name,
        namespace=namespace_of(RepositoryName(name)) or "",
    )
    standing = standing_of(row, anonymous_pull=world.anonymous_pull)
    if principal.workload is not None:
        standing = with_trusts(standing, reach(connection, principal, registry, name), name, principal.workload)
    decision = decide(Mode.ACCOUNTS, principal, Access(Action.PULL, RepositoryName(name)), standing)
    return standing.repository_id is not None and decision.allowed


@pytest.mark.parametrize("first", SEEDS[::BATCH])
def test_what_a_list_shows_is_what_may_be_pulled_one_by_one(place, first):
    compared, shown = 0, 0
    for seed in range(first, first + BATCH):
        with nothing_stays(place) as connection:
            world = RandomWorld(connection, seed)
            for principal in world.principals():
                sight = sight_of(principal, anonymous_pull=world.anonymous_pull)
                seen = {tuple(row) for row in SEEN.rows(connection, **sight)}
                allowed = {
                    (registry, name)
                    for registry in world.registries
                    for name in (*NAMES, *FREE)
                    if may_pull(connection, world, principal, registry, name)
                }
                assert seen == allowed, (seed, principal)
                compared += len(world.repositories)
                shown += len(seen)
    # The worlds are worth the name: neither everything nor nothing is visible in them.
    assert 0.2 < shown / compared < 0.8


@pytest.mark.parametrize("first", SEEDS[::BATCH])
def test_what_a_list_shows_a_workload_is_what_it_may_pull_one_by_one(place, first):
    compared, shown = 0, 0
    for seed in range(first, first + BATCH):
        with nothing_stays(place) as connection:
            world = RandomWorld(connection, seed)
            for principal in world.workloads():
                sight = sight_of(principal, anonymous_pull=world.anonymous_pull)
                seen = {tuple(row) for row in SEEN.rows(connection, **sight)}
                allowed = {
                    (one, name)
                    for one in world.registries
                    for name in (*NAMES, *FREE)
                    if may_pull(connection, world, principal, one, name)
                }
                assert seen == allowed, (seed, principal)
                compared += len(world.repositories)
                shown += len(seen)
    assert 0.1 < shown / compared < 0.8
