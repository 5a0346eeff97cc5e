# SPDX-License-Identifier: Apache-2.0
"""Which rules count, and that a door hears the right refusal; the rules themselves are tested in the domain."""

import pytest
from sqlalchemy import insert

from tests.services.world import ACTOR, NAME, push_blob, push_image
from wharfinger.domain.access import Access, Action, Mode, Role
from wharfinger.domain.accounts import AccountName
from wharfinger.domain.errors import Denied, TokenTooNarrow, Unauthenticated
from wharfinger.domain.grants import Place
from wharfinger.domain.identity import ANONYMOUS, Ceiling, Entry, Principal
from wharfinger.metadata.account_tables import accounts
from wharfinger.services.authorization import Authorization

SOMEBODY = Principal(name="somebody", account_id=7)
HOLDER = Principal(name="holder", ceiling=Ceiling(entries=[Entry(str(NAME), frozenset({"pull"}))]))


async def make_account(node):
    statement = insert(accounts).values(kind="user", name="alice", created_at=1).returning(accounts.c.id)
    return await node.database.write(lambda c: c.execute(statement).scalar_one())


@pytest.fixture
def require(node):
    async def ask(mode, principal, action, name=NAME):
        await Authorization(node.database, mode).require(principal, node.registry, Access(action, name))

    return ask


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("principal", [ANONYMOUS, SOMEBODY], ids=["anonymous", "somebody"])
async def test_in_open_mode_anyone_may_do_anything(require, action, principal):
    await require(Mode.OPEN, principal, action)
    await require(None, principal, action)


async def test_the_first_account_ends_open_mode_at_once(node, require):
    assert await Authorization(node.database, None).mode() is Mode.OPEN
    await make_account(node)
    assert await Authorization(node.database, None).mode() is Mode.ACCOUNTS
    with pytest.raises(Unauthenticated, match="docker login"):
        await require(None, ANONYMOUS, Action.PULL)


async def test_a_mode_that_was_chosen_stays(node):
    await make_account(node)
    assert await Authorization(node.database, Mode.HTPASSWD).mode() is Mode.HTPASSWD


async def test_each_refusal_says_what_would_help(node, require):
    alice = Principal(name="alice", account_id=await make_account(node))
    with pytest.raises(Unauthenticated, match="Sign in to use this registry"):
        await require(Mode.HTPASSWD, ANONYMOUS, Action.VISIT, None)
    with pytest.raises(Unauthenticated, match=f"Sign in to pull {NAME}"):
        await require(Mode.HTPASSWD, ANONYMOUS, Action.PULL)
    with pytest.raises(TokenTooNarrow, match="the token does not name it"):
        await require(Mode.TOKEN, HOLDER, Action.PUSH)
    with pytest.raises(Denied):
        await require(Mode.ACCOUNTS, alice, Action.PUSH)
    with pytest.raises(Unauthenticated, match="suspended"):
        await require(Mode.ACCOUNTS, Principal(name="gone", account_id=4711), Action.PUSH)


async def test_a_decision_lasts_until_what_it_rests_on_changes(node):
    alice = Principal(name="alice", account_id=await make_account(node))
    await push_image(node)
    authorization = Authorization(node.database, Mode.ACCOUNTS)
    wanted = Access(Action.PULL, NAME)
    place = Place(registry_id=node.registry.id, repository=NAME)
    assert not await authorization.allows(alice, node.registry, wanted)
    for role in (Role.READ, Role.WRITE):
        await node.grants.give(AccountName("alice"), place, role, ACTOR)
        assert await authorization.allows(alice, node.registry, wanted)
        assert await authorization.allows(alice, node.registry, wanted)
    assert not await authorization.allows(ANONYMOUS, node.registry, wanted)
    await node.grants.take(AccountName("alice"), place, ACTOR)
    assert not await authorization.allows(alice, node.registry, wanted)


async def test_two_that_live_by_different_rules_share_no_decision(node):
    for mode, allowed in ((Mode.OPEN, True), (Mode.HTPASSWD, False), (Mode.OPEN, True)):
        assert await Authorization(node.database, mode).allows(ANONYMOUS, node.registry, Access(Action.PULL, NAME)) is (
            allowed
        )


async def test_where_content_may_be_taken_from_unasked(node):
    await push_image(node)
    digest = await push_blob(node, b"other", "acme/other")

    async def mounted(mode, principal):
        sight = await Authorization(node.database, mode).sight(principal)
        return await node.uploads.mount(node.registry, NAME, digest, None, sight, ACTOR)

    assert not await mounted(Mode.TOKEN, HOLDER)
    assert not await mounted(Mode.ACCOUNTS, SOMEBODY)
    assert await mounted(Mode.HTPASSWD, SOMEBODY)
