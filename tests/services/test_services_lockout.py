# SPDX-License-Identifier: Apache-2.0
"""Wrong passwords: who has to wait for them, and what the audit log says of it."""

import pytest

from tests.services.people import scalar
from tests.services.signing import CheapPasswords, identity_of, secret
from tests.services.world import ACTOR
from wharfinger.clock import DAY, SECOND
from wharfinger.domain.audit import WHOLE_LOG, AuditFilter
from wharfinger.domain.errors import CredentialInvalid, DatabaseUnavailable, TooManyAttempts
from wharfinger.domain.events import EventAction
from wharfinger.domain.identity import ANONYMOUS, Actor
from wharfinger.services import passwords as account_passwords
from wharfinger.services.identity import Bearer, Password

HORSE, OTHER_HORSE = "correct horse", "another horse"
MINUTE = 60 * SECOND
FREE = 4
"""Wrong passwords that cost nothing."""


@pytest.fixture(autouse=True)
def passwords(monkeypatch):
    """Have hashes cost little, and return what counts them."""
    monkeypatch.setattr(account_passwords, "Passwords", CheapPasswords)
    monkeypatch.setattr(CheapPasswords, "compared", 0)
    monkeypatch.setattr(CheapPasswords, "with_nobody", 0)
    return CheapPasswords


@pytest.fixture
def identity(world, node):
    return identity_of(world, node)


async def user(node, name="ann", password=HORSE):
    return await node.accounts.create_user(name, ACTOR, password_hash=CheapPasswords().hash_password(password))


# --- where a password comes from -------------------------------------------------------------------------------------

HOME, OFFICE = "192.0.2.7", "2001:db8::7"
ATTACKERS = [f"198.51.{number}.9" for number in range(200)]


def comes_from(address):
    return lambda: Actor(principal=ANONYMOUS, client_address=address, request_id="r-9")


async def lets_in(identity, address, password, name="ann"):
    """Say whether somebody gets in from an address; nothing if the network has to wait."""
    identity._passwords._remembered.clear()
    try:
        await identity.recognise(Password(name, password), comes_from(address))
    except CredentialInvalid:
        return False
    except TooManyAttempts as error:
        return error.retry_after
    return True


async def guess(identity, addresses, name="ann"):
    for number, address in enumerate(addresses):
        assert await lets_in(identity, address, f"guess {number}", name) is False


async def test_guesses_from_everywhere_lock_an_account_but_not_where_it_signs_in(world, node, identity):
    await user(node)
    assert await lets_in(identity, HOME, HORSE)
    for _ in range(3):
        await guess(identity, ATTACKERS[: FREE + 5])
        world.clock.move(MINUTE)
    await guess(identity, ATTACKERS[: FREE + 5])
    assert not await lets_in(identity, OFFICE, HORSE), (
        "from a place that nobody knows, the right password has to wait too"
    )
    assert await lets_in(identity, HOME, HORSE)
    assert await lets_in(identity_of(world, world.node()), HOME, HORSE), "every process knows the place"
    assert not await lets_in(identity, OFFICE, HORSE), "and what counts elsewhere still does"
    world.clock.move(15 * MINUTE)
    assert await lets_in(identity, OFFICE, HORSE)


async def test_wrong_passwords_at_a_known_place_count_there_alone(world, node, identity):
    await user(node)
    assert await lets_in(identity, HOME, HORSE)
    assert await lets_in(identity, OFFICE, HORSE)
    await guess(identity, [HOME] * (FREE + 1))
    assert not await lets_in(identity, HOME, HORSE)
    assert await lets_in(identity, OFFICE, HORSE)
    assert (await node.accounts.password("ann")).failures == 0
    world.clock.move(2 * SECOND)
    assert await lets_in(identity, HOME, HORSE)


async def test_a_place_is_forgotten_when_nobody_has_signed_in_there_for_a_month(world, node, identity):
    await user(node)
    assert await lets_in(identity, HOME, HORSE)
    world.clock.move(30 * DAY)
    await guess(identity, ATTACKERS[: FREE + 1])
    assert not await lets_in(identity, HOME, HORSE)
    assert await identity._passwords.forget_places(10) == 0
    world.clock.move(1)
    assert await identity._passwords.forget_places(10) == 1
    assert await scalar(node, "SELECT count(*) FROM places") == 0


@pytest.mark.parametrize("known", [True, False], ids=["ann is there", "nobody is there"])
async def test_a_network_that_tries_many_names_has_to_wait_and_is_told_so(world, node, identity, passwords, known):
    """The same answers whether the names are somebody's, and whether the password would be right."""
    if known:
        await user(node)
    for number in range(21):
        assert await lets_in(identity, f"203.0.113.{number}", OTHER_HORSE, f"name-{number}") is False
    compared = passwords.compared
    assert await lets_in(identity, "203.0.113.250", HORSE) == 2
    assert passwords.compared == compared
    assert await lets_in(identity, HOME, HORSE) is known
    world.clock.move(2 * SECOND)
    assert await lets_in(identity, "203.0.113.250", OTHER_HORSE) is False
    assert await lets_in(identity, "203.0.113.250", OTHER_HORSE) == 4


async def test_who_signed_in_from_a_network_does_not_wait_for_others_there(node, identity):
    await user(node)
    assert await lets_in(identity, HOME, HORSE)
    for number in range(21):
        assert await lets_in(identity, HOME, OTHER_HORSE, f"name-{number}") is False
    assert await lets_in(identity, HOME, HORSE) is True
    assert await lets_in(identity, HOME, OTHER_HORSE) == 2, "a wrong one looks like all the others from there"


async def test_a_lock_is_no_oracle(node, identity, passwords):
    await user(node)
    await guess(identity, ATTACKERS[: FREE + 1])
    before = passwords.compared, passwords.with_nobody
    for password in (HORSE, OTHER_HORSE):
        assert await lets_in(identity, OFFICE, password) is False
    assert (passwords.compared, passwords.with_nobody) == (before[0], before[1] + 2)


async def test_tokens_do_not_wait_for_passwords(world, node, identity):
    await user(node)
    made = await secret(world, node, "ann")
    for number in range(30):
        await lets_in(identity, HOME, f"guess {number}")
    assert (await identity.recognise(Password("ann", made.text), comes_from(HOME))).name == "ann"
    assert (await identity.recognise(Bearer(made.text), comes_from(HOME))).name == "ann"


async def test_the_memory_of_networks_is_bounded(identity, monkeypatch):
    monkeypatch.setattr(account_passwords, "_MOST_NETWORKS", 5)
    for address in ATTACKERS[:9]:
        await lets_in(identity, address, OTHER_HORSE)
    assert len(identity._passwords._networks._failures) == 5


# --- what is told of it ----------------------------------------------------------------------------------------------


async def sign_ins(node):
    """Return what the audit log says of signing in, in the order in which it was written."""
    page = await node.audit.list(AuditFilter(actions=(EventAction.SIGN_IN,)), WHOLE_LOG, limit=100)
    return [
        (one.result, one.count, one.who, one.target, one.client_address, one.detail) for one in reversed(page.items)
    ]


async def test_a_sign_in_is_told_of_once_a_day_and_place(world, node, identity):
    await user(node)
    for address, days in ((HOME, 0), (HOME, 0), (OFFICE, 0), (HOME, 1)):
        world.clock.move(days * DAY)
        assert await lets_in(identity, address, HORSE)
    done = [("done", 1, "ann", "ann", address, "with a password") for address in (HOME, OFFICE, HOME)]
    assert await sign_ins(node) == done


async def test_refusals_are_told_of_at_once_and_then_counted_for_a_minute(world, node, identity):
    await user(node)
    for _ in range(3):
        assert await lets_in(identity, HOME, OTHER_HORSE) is False
    first = ("refused", 1, "anonymous", "ann", HOME, "a wrong password")
    assert await sign_ins(node) == [first]
    world.clock.move(MINUTE)
    assert await lets_in(identity, HOME, OTHER_HORSE) is False
    assert await sign_ins(node) == [first, ("refused", 2, *first[2:]), first]


async def test_a_name_that_nobody_has_is_not_repeated(node, identity):
    """People type passwords into the field for names."""
    assert await lets_in(identity, HOME, OTHER_HORSE, "canary my password") is False
    assert await sign_ins(node) == [("refused", 1, "anonymous", "an unknown account", HOME, "no such name")]


async def test_a_storm_of_guesses_fills_neither_the_database_nor_hides_the_others(node, identity):
    await user(node)
    for number, address in enumerate(ATTACKERS):
        await lets_in(identity, address, OTHER_HORSE, f"name-{number}")
    await lets_in(identity, HOME, OTHER_HORSE)
    told = await sign_ins(node)
    assert len(told) == 12
    assert told[-2][3] == "others"
    assert told[-1][3:] == ("ann", HOME, "a wrong password")
    await node.refusals.flush()
    assert sum(count for _, count, *_ in await sign_ins(node)) == len(ATTACKERS) + 1


@pytest.mark.parametrize("why", ["it was revoked", "it has expired", "the account is suspended", "with another name"])
async def test_a_credential_that_is_shown_after_its_end_is_told_of(world, node, identity, why):
    await user(node)
    made = await secret(world, node, "ann")
    name = "ann"
    match why:
        case "it was revoked":
            await node.credentials.revoke("ann", made.id, ACTOR)
        case "it has expired":
            world.clock.move(40 * DAY)
        case "the account is suspended":
            await node.accounts.suspend("ann", ACTOR)
        case _:
            name = "bob"
    assert await lets_in(identity, HOME, made.text, name) is False
    assert await sign_ins(node) == [("refused", 1, "anonymous", f"token {made.id} of ann", HOME, why)]
    page = await node.audit.list(AuditFilter(credential_id=made.id), WHOLE_LOG, limit=5)
    assert [one.result for one in page.items] == ["refused"]


async def test_a_database_that_does_not_answer_changes_no_answer(node, identity, monkeypatch):
    async def write(*_args, **_more):
        message = "full"
        raise DatabaseUnavailable(message)

    await user(node)
    monkeypatch.setattr(node.database, "write", write)
    assert await lets_in(identity, HOME, OTHER_HORSE) is False
    assert await lets_in(identity, HOME, HORSE)
