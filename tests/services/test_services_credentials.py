# SPDX-License-Identifier: Apache-2.0
import pytest

from tests.services.people import acme, credential, facts, make_repository, robot, scalar, users
from tests.services.world import ACTOR
from wharfinger.clock import DAY, HOUR
from wharfinger.domain.accounts import AccessType, AccountKind, CredentialKind
from wharfinger.domain.errors import AccountInvalid, AccountUnknown
from wharfinger.domain.identity import Scope
from wharfinger.services.accounts import AccountChange
from wharfinger.services.credentials import Credentials, Lifetimes


async def test_a_credential_is_found_by_the_hash_of_its_secret(world, node):
    (ann,) = await users(node, "ann")
    await make_repository(node, "beta/app")
    end = world.clock.now() + DAY
    new = credential(
        CredentialKind.KEY,
        public_id="WHKEY",
        scopes=frozenset({Scope.READ, Scope.DELETE}),
        repositories=frozenset({1}),
        expires_at=end,
    )
    number = await node.credentials.create("ann", new, ACTOR)
    found = await node.credentials.find("f-1")
    assert (found.credential_id, found.account_id, found.name, found.account_kind) == (
        number,
        ann.id,
        "ann",
        AccountKind.USER,
    )
    assert (found.kind, found.public_id, found.access_type) == (CredentialKind.KEY, "WHKEY", AccessType.BOTH)
    assert (found.scopes, found.repositories) == ({Scope.READ, Scope.DELETE}, {1})
    assert found.is_good(end - 1)
    assert not found.is_good(end)
    assert await node.credentials.find("f-2") is None


async def test_no_scopes_and_no_limit_are_another_thing_than_empty_ones(node):
    await users(node, "ann")
    await node.credentials.create("ann", credential(), ACTOR)
    empty = credential(fingerprint="f-2", scopes=frozenset(), repositories=frozenset())
    await node.credentials.create("ann", empty, ACTOR)
    open_one, closed = await node.credentials.find("f-1"), await node.credentials.find("f-2")
    assert (open_one.scopes, open_one.repositories) == (None, None)
    assert (closed.scopes, closed.repositories) == (frozenset(), frozenset())


async def test_a_limit_to_repositories_that_are_gone_is_still_a_limit(node):
    await users(node, "ann")
    await make_repository(node, "beta/app")
    await node.credentials.create("ann", credential(repositories=frozenset({1})), ACTOR)
    for table in ("uploads", "repositories"):
        await node.database.write(lambda c, table=table: c.exec_driver_sql(f"DELETE FROM {table}") and None)
    assert (await node.credentials.find("f-1")).repositories == frozenset()


async def test_a_list_shows_the_newest_first_and_no_hash(node):
    await users(node, "ann", "bob")
    first = await node.credentials.create("ann", credential(name="laptop"), ACTOR)
    second = await node.credentials.create("ann", credential(name="ci", fingerprint="f-2"), ACTOR)
    await node.credentials.create("bob", credential(fingerprint="f-3"), ACTOR)
    found = await node.credentials.list("ann")
    assert [(one.id, one.name, one.hint) for one in found] == [(second, "ci", "wxyz"), (first, "laptop", "wxyz")]
    assert "f-1" not in repr(found)
    with pytest.raises(AccountUnknown):
        await node.credentials.list("zoe")


async def test_a_revoked_credential_takes_along_what_came_from_it(node):
    await users(node, "ann", "bob")
    token = await node.credentials.create("ann", credential(), ACTOR)
    child = credential(CredentialKind.REFRESH, fingerprint="f-2", parent_id=token, device="phone")
    await node.credentials.create("ann", child, ACTOR)
    await node.credentials.create("ann", credential(fingerprint="f-3"), ACTOR)
    await node.credentials.revoke("ann", token, ACTOR)
    assert [(await node.credentials.find(one)).revoked for one in ("f-1", "f-2", "f-3")] == [True, True, False]
    assert (await facts(node))[-1] == ("credential.revoked", f"token {token} (laptop) of ann", None)
    for owner, number in (("ann", token), ("bob", token + 2)):
        with pytest.raises(AccountUnknown, match="no credential"):
            await node.credentials.revoke(owner, number, ACTOR)


async def test_what_came_from_a_credential_ends_no_later_than_it(world, node):
    await users(node, "ann")
    end = world.clock.now() + HOUR
    token = await node.credentials.create("ann", credential(expires_at=end), ACTOR)
    child = credential(CredentialKind.REFRESH, fingerprint="f-2", parent_id=token, expires_at=end + DAY)
    await node.credentials.create("ann", child, ACTOR)
    assert (await node.credentials.find("f-2")).expires_at == end


async def test_all_of_an_account_are_revoked_with_one_event(node):
    await users(node, "ann", "bob")
    for owner, fingerprint in (("ann", "f-1"), ("ann", "f-2"), ("bob", "f-3")):
        await node.credentials.create(owner, credential(fingerprint=fingerprint), ACTOR)
    assert await node.credentials.revoke_all("ann", ACTOR) == 2
    assert [(await node.credentials.find(one)).revoked for one in ("f-1", "f-2", "f-3")] == [True, True, False]
    assert (await facts(node))[-1] == ("credential.revoked", "all of ann", "2 credentials")


async def test_a_suspended_holder_shows_also_through_its_organization(node):
    await acme(node)
    await robot(node)
    await node.credentials.create("acme+ci", credential(), ACTOR)
    await node.accounts.suspend("acme", ACTOR)
    found = await node.credentials.find("f-1")
    assert found.suspended
    assert not found.is_good(0)
    await node.accounts.resume("acme", ACTOR)
    assert not (await node.credentials.find("f-1")).suspended


async def test_who_may_use_the_console_only_gets_no_tokens_and_no_keys(node):
    await users(node, "ann")
    await node.accounts.change("ann", AccountChange(access_type=AccessType.CONSOLE), ACTOR)
    for kind in (CredentialKind.TOKEN, CredentialKind.KEY):
        with pytest.raises(AccountInvalid, match="console only"):
            await node.credentials.create("ann", credential(kind), ACTOR)
    await node.credentials.create("ann", credential(CredentialKind.REFRESH), ACTOR)


async def test_an_organization_holds_no_credentials(node):
    await acme(node)
    with pytest.raises(AccountInvalid, match="only users and robots"):
        await node.credentials.create("acme", credential(), ACTOR)


async def test_the_last_use_is_noted_once_a_day(world, node):
    await users(node, "ann")
    await node.credentials.create("ann", credential(), ACTOR)
    start = world.clock.now()
    seen = []
    for _ in range(4):
        await node.credentials.touch(await node.credentials.find("f-1"))
        seen.append((await node.credentials.find("f-1")).last_used_at)
        world.clock.move(10 * HOUR)
    day = start - start % DAY
    assert seen == [day, day + DAY, day + DAY, day + 2 * DAY]  # the clock starts late in the evening
    assert (await node.credentials.list("ann"))[0].last_used_at == seen[-1]


async def test_events_name_a_credential_and_show_neither_hash_nor_hint(node):
    await users(node, "ann")
    number = await node.credentials.create("ann", credential(), ACTOR)
    assert (await facts(node))[-1] == ("credential.created", f"token {number} (laptop) of ann", None)
    sql = (
        "SELECT count(*) FROM events WHERE action LIKE 'credential%' AND (target LIKE '%f-1%' OR target LIKE '%wxyz%')"
    )
    assert await scalar(node, sql) == 0


@pytest.mark.parametrize("kind", [CredentialKind.TOKEN, CredentialKind.KEY])
async def test_the_operator_says_how_long_a_token_may_be_valid_at_the_most(world, node, kind):
    await users(node, "ann")
    strict = Credentials(node.database, world.clock, Lifetimes(longest=30 * DAY, usual=90 * DAY))
    for end in (None, world.clock.now() + 30 * DAY + HOUR):
        with pytest.raises(AccountInvalid, match=r"30 days at the most here \(accounts.tokens.maxlifetime\)"):
            await strict.create("ann", credential(kind, expires_at=end), ACTOR)
    assert await scalar(node, "SELECT count(*) FROM credentials") == 0
    await strict.create("ann", credential(kind, expires_at=world.clock.now() + strict.usual_lifetime), ACTOR)


async def test_where_nobody_says_how_long_it_is_the_usual_time_and_never_more_than_the_longest(world, node):
    assert Credentials(node.database, world.clock).usual_lifetime == 90 * DAY
    longest = Lifetimes(longest=HOUR, usual=DAY)
    assert Credentials(node.database, world.clock, longest).usual_lifetime == HOUR
    longest = Lifetimes(longest=DAY, usual=HOUR)
    assert Credentials(node.database, world.clock, longest).usual_lifetime == HOUR


async def test_the_sign_in_of_a_device_has_a_time_of_its_own(world, node):
    await users(node, "ann")
    strict = Credentials(node.database, world.clock, Lifetimes(longest=HOUR))
    await strict.create("ann", credential(CredentialKind.REFRESH, expires_at=world.clock.now() + DAY), ACTOR)
