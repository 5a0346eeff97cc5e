# SPDX-License-Identifier: Apache-2.0
"""Signing in with an account: what is right, what is wrong, and when something that was right is so no longer."""

import asyncio
import threading

import pytest

from tests.services.people import acme, facts, make_repository, robot, scalar, users
from tests.services.signing import CheapPasswords, identity_of, secret, tokens_of
from tests.services.world import ACTOR, PATIENCE
from wharfinger.clock import DAY, SECOND
from wharfinger.domain.access import Mode
from wharfinger.domain.accounts import AccessType, CredentialKind
from wharfinger.domain.errors import CredentialInvalid, DatabaseUnavailable
from wharfinger.domain.identity import ANONYMOUS, Actor, Scope
from wharfinger.metadata import credentials as credential_rows
from wharfinger.security.passwords import Passwords
from wharfinger.security.tokens import TokenKind
from wharfinger.services import passwords as account_passwords
from wharfinger.services.accounts import AccountChange
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


async def is_refused(identity, shown):
    """Say whether it is refused; the message is the same for everything."""
    try:
        await identity.recognise(shown)
    except CredentialInvalid as error:
        said = error.message
    else:
        return False
    assert said.startswith("The user name, password or token is wrong, has ended, or may not be used here.")
    return True


async def test_a_password_is_an_accounts_with_no_limit(node, identity):
    ann = await user(node)
    found = await identity.recognise(Password("ann", HORSE))
    assert (found.name, found.account_id, found.credential_id) == ("ann", ann.id, None)
    assert (found.ceiling.scopes, found.ceiling.repositories, found.ceiling.entries) == (None, None, None)
    assert not found.is_anonymous
    assert await identity.recognise(None) == ANONYMOUS


@pytest.mark.parametrize("name", ["ann", "zoe", "", "Ann", "ann "])
async def test_a_wrong_name_or_password_costs_one_comparison_and_says_nothing(node, identity, passwords, name):
    await user(node)
    assert await is_refused(identity, Password(name, OTHER_HORSE))
    assert passwords.compared + passwords.with_nobody == 1


async def test_a_right_pair_is_compared_once_a_minute(world, node, identity, passwords):
    await user(node)
    for seconds, compared in ((0, 1), (59, 1), (1, 2)):
        world.clock.move(seconds * SECOND)
        await identity.recognise(Password("ann", HORSE))
        await identity.recognise(Password("ann", HORSE))
        assert passwords.compared == compared
    assert await is_refused(identity, Password("ann", OTHER_HORSE))


async def test_a_new_password_ends_what_is_remembered_of_the_old_one(node, identity):
    await user(node)
    await identity.recognise(Password("ann", HORSE))
    await node.accounts.set_password("ann", CheapPasswords().hash_password(OTHER_HORSE), ACTOR)
    assert await is_refused(identity, Password("ann", HORSE))
    assert (await identity.recognise(Password("ann", OTHER_HORSE))).name == "ann"


async def test_after_a_few_wrong_passwords_nobody_gets_in_for_a_moment(world, node, identity, passwords):
    await user(node)
    for number in range(FREE):
        assert await is_refused(identity, Password("ann", f"wrong {number}"))
    assert not await is_refused(identity, Password("ann", HORSE))  # which forgives them
    identity._passwords._remembered.clear()

    for number in range(FREE + 1):
        assert await is_refused(identity, Password("ann", f"wrong {number}"))
    compared = passwords.compared
    assert await is_refused(identity, Password("ann", HORSE))
    assert await is_refused(identity, Password("ann", "wrong again"))
    assert (passwords.compared, passwords.with_nobody) == (compared, 2)  # it costs the same, and is no comparison
    world.clock.move(2 * SECOND - 1)
    assert await is_refused(identity, Password("ann", HORSE))
    world.clock.move(1)
    assert not await is_refused(identity, Password("ann", HORSE))
    world.clock.move(MINUTE)  # what is remembered for as long is no right password that was given, and forgives nothing
    assert not await is_refused(identity, Password("ann", HORSE))
    assert (await node.accounts.password("ann")).failures == 0


async def test_who_was_just_let_in_is_not_shut_out_by_guesses_of_others(node, identity):
    await user(node)
    assert not await is_refused(identity, Password("ann", HORSE))
    for number in range(FREE + 1):
        assert await is_refused(identity, Password("ann", f"wrong {number}"))
    assert not await is_refused(identity, Password("ann", HORSE))
    identity._passwords._remembered.clear()
    assert await is_refused(identity, Password("ann", HORSE))


async def test_each_further_wrong_password_doubles_the_wait(world, node, identity):
    await user(node)
    for number in range(FREE):
        assert await is_refused(identity, Password("ann", f"wrong {number}"))
    for seconds in (2, 4, 8):
        assert await is_refused(identity, Password("ann", f"wrong for {seconds}"))
        until = (await node.accounts.password("ann")).locked_until
        assert until - world.clock.now() == seconds * SECOND
        world.clock.move(seconds * SECOND)


async def test_a_wrong_password_on_many_connections_at_once_was_tried_once(node, identity, passwords, monkeypatch):
    await user(node)
    arrived, everybody, go_on = [], asyncio.Event(), threading.Event()
    really_verify, really_find = passwords.verify, identity._passwords._find_place

    def verify(self, stored, password):
        assert go_on.wait(PATIENCE)
        return really_verify(self, stored, password)

    async def find_place(account_id, network):
        found = await really_find(account_id, network)
        arrived.append(network)
        if len(arrived) == 10:
            everybody.set()
        await everybody.wait()
        return found

    monkeypatch.setattr(passwords, "verify", verify)
    monkeypatch.setattr(identity._passwords, "_find_place", find_place)
    tries = [asyncio.create_task(is_refused(identity, Password("ann", OTHER_HORSE))) for _ in range(10)]
    await everybody.wait()
    await asyncio.sleep(0)  # after which all of them, woken together, wait for the one comparison
    go_on.set()
    assert await asyncio.gather(*tries) == [True] * 10
    assert passwords.compared == 1
    assert (await node.accounts.password("ann")).failures == 1


async def test_a_lock_is_for_passwords_and_for_every_process_and_not_for_tokens(world, node, identity):
    await user(node)
    made = await secret(world, node, "ann")
    for number in range(FREE + 1):
        assert await is_refused(identity, Password("ann", f"wrong {number}"))
    assert await is_refused(identity_of(world, world.node()), Password("ann", HORSE))
    assert not await is_refused(identity, Password("ann", made.text))


async def test_an_old_hash_is_made_anew_by_the_password_that_fits_it(node, identity):
    old = Passwords(memory=128).hash_password(HORSE)
    await node.accounts.create_user("ann", ACTOR, password_hash=old)
    await identity.recognise(Password("ann", HORSE))
    new = (await node.accounts.password("ann")).hash
    assert new != old
    assert "m=64," in new
    assert not await is_refused(identity, Password("ann", HORSE))


async def test_the_operator_may_take_no_passwords(world, node):
    await user(node)
    made = await secret(world, node, "ann")
    identity = identity_of(world, node, password_login=False)
    compared = CheapPasswords.compared
    for name in ("ann", "nobody-of-that-name"):
        with pytest.raises(CredentialInvalid, match="Passwords of accounts are not taken here"):
            await identity.recognise(Password(name, HORSE))
    assert CheapPasswords.compared == compared, "a password that nobody takes costs no hash"
    assert not await is_refused(identity, Password("ann", made.text))


async def test_what_was_got_for_a_password_ends_where_passwords_are_taken_no_more(world, node, identity):
    await user(node)
    principal = await identity.recognise(Password("ann", HORSE))
    token, device = await registry_token(world, node, principal), await offline(identity, Password("ann", HORSE))
    made = await secret(world, node, "ann")
    holder = await identity.recognise(Password("ann", made.text))
    kept = await registry_token(world, node, holder), await identity.remember_device(Actor(principal=holder), "crane")
    strict = identity_of(world, node, password_login=False)
    assert await is_refused(strict, Bearer(token))
    with pytest.raises(CredentialInvalid):
        await strict.refresh(device)
    assert (await strict.recognise(Bearer(kept[0]))).name == "ann"
    assert (await strict.refresh(kept[1])).name == "ann"


@pytest.mark.parametrize(
    ("access_type", "password", "token"),
    [(AccessType.BOTH, True, True), (AccessType.KEYS, False, True), (AccessType.CONSOLE, False, False)],
)
async def test_the_access_type_says_what_is_taken(world, node, identity, access_type, password, token):
    await user(node)
    made = await secret(world, node, "ann")
    by_password = await registry_token(world, node, await identity.recognise(Password("ann", HORSE)))
    by_token = await registry_token(world, node, await identity.recognise(Password("ann", made.text)))
    await node.accounts.change("ann", AccountChange(access_type=access_type), ACTOR)
    taken = {
        Password("ann", HORSE): password,
        Bearer(by_password): password,
        Password("ann", made.text): token,
        Bearer(made.text): token,
        Bearer(by_token): token,
    }
    for shown, expected in taken.items():
        assert await is_refused(identity, shown) is not expected


async def registry_token(world, node, principal):
    return (await tokens_of(world, node.database).issue(principal, node.registry, (), "basic")).text


async def everything(world, node, identity, name):
    """Return one of each that signs somebody in."""
    token = await secret(world, node, name)
    key = await secret(world, node, name, TokenKind.ACCESS_KEY)
    principal = await identity.recognise(Password(name, token.text))
    shown = [Password(name, token.text), Bearer(token.text), Password(key.public_id, key.text)]
    return [*shown, Bearer(await registry_token(world, node, principal))]


async def test_whoever_is_suspended_is_out_at_once_and_comes_back_with_all_of_it(world, node, identity):
    await user(node)
    shown = [Password("ann", HORSE), *await everything(world, node, identity, "ann")]
    shown.append(Bearer(await registry_token(world, node, await identity.recognise(shown[0]))))
    for change, expected in ((None, False), (node.accounts.suspend, True), (node.accounts.resume, False)):
        if change is not None:
            await change("ann", ACTOR)
        assert [await is_refused(identity, one) for one in shown] == [expected] * len(shown)
    await node.accounts.delete("ann", ACTOR)
    assert [await is_refused(identity, one) for one in shown] == [True] * len(shown)


async def test_a_robot_is_out_while_its_organization_is_suspended(world, node, identity):
    await acme(node)
    await robot(node)
    shown = await everything(world, node, identity, "acme+ci")
    for change, expected in ((None, False), (node.accounts.suspend, True), (node.accounts.resume, False)):
        if change is not None:
            await change("acme", ACTOR)
        assert [await is_refused(identity, one) for one in shown] == [expected] * len(shown)


async def test_a_name_is_not_taken_over_with_what_its_last_holder_had(world, node, identity):
    await user(node)
    shown = await everything(world, node, identity, "ann")
    await node.accounts.delete("ann", ACTOR)
    await user(node)
    assert [await is_refused(identity, one) for one in shown] == [True] * len(shown)


async def test_a_token_ends_when_it_was_to_end_and_when_it_is_revoked(world, node, identity):
    await users(node, "ann")
    short, long = await secret(world, node, "ann", days=1), await secret(world, node, "ann", days=2)
    world.clock.move(DAY - 1)
    assert not await is_refused(identity, Bearer(short.text))
    world.clock.move(1)
    assert await is_refused(identity, Bearer(short.text))
    assert not await is_refused(identity, Bearer(long.text))
    made = await registry_token(world, node, await identity.recognise(Bearer(long.text)))
    await node.credentials.revoke("ann", long.id, ACTOR)
    assert await is_refused(identity, Bearer(long.text))
    assert await is_refused(identity, Bearer(made))


async def test_what_a_token_was_made_with_ends_it_although_nothing_is_written(world, node, identity):
    await users(node, "ann")
    made = await secret(world, node, "ann", days=1)
    world.clock.move(DAY - 60 * SECOND)
    shown = Bearer(await registry_token(world, node, await identity.recognise(Bearer(made.text))))
    first = await identity.recognise(shown)
    assert await identity.recognise(shown) == first
    world.clock.move(60 * SECOND)
    assert await is_refused(identity, shown)


async def test_a_token_has_the_limits_that_it_was_made_with(world, node, identity):
    (ann,) = await users(node, "ann")
    await make_repository(node, "ann/app")
    made = await secret(world, node, "ann", scopes=frozenset({Scope.READ}), repositories=frozenset({1}))
    found = await identity.recognise(Password("ann", made.text))
    assert (found.account_id, found.credential_id) == (ann.id, made.id)
    assert (found.ceiling.scopes, found.ceiling.repositories, found.ceiling.entries) == ({Scope.READ}, {1}, None)
    kept = await identity.recognise(Bearer(await registry_token(world, node, found)))
    assert (kept.account_id, kept.credential_id) == (ann.id, made.id)
    assert (kept.ceiling.scopes, kept.ceiling.repositories, kept.ceiling.entries) == ({Scope.READ}, {1}, ())


async def test_what_does_not_belong_together_is_wrong(world, node, identity):
    """K41 of the corpus."""
    await user(node)
    await users(node, "bob")
    token, key = await secret(world, node, "ann"), await secret(world, node, "ann", TokenKind.ACCESS_KEY)
    other_key = await secret(world, node, "bob", TokenKind.ACCESS_KEY)
    refresh = await secret(world, node, "ann", TokenKind.REFRESH)
    mistyped = token.text[:10] + ("b" if token.text[10] == "a" else "a") + token.text[11:]
    unknown = (await secret(world, world.node(), "bob")).text
    registrys = await registry_token(world, node, await identity.recognise(Password("ann", token.text)))
    wrong = [
        Password("bob", token.text),
        Password("", token.text),
        Password(key.public_id, token.text),
        Password("ann", key.text),
        Password(other_key.public_id, key.text),
        Password("ann", refresh.text),
        Password("ann", mistyped),
        Password("ann", registrys),
        Password("ann", unknown),
    ]
    assert [await is_refused(identity, one) for one in wrong] == [True] * len(wrong)
    assert (
        await node.accounts.password("ann")
    ).failures == 0  # a mistyped token, or one of the registry's, is no guess at the password
    for text in (key.text, refresh.text, mistyped, "", HORSE):
        with pytest.raises(CredentialInvalid):
            await identity.recognise(Bearer(text))
    for text in (token.text, key.text, mistyped, HORSE, ""):
        with pytest.raises(CredentialInvalid):
            await identity.refresh(text)


async def offline(identity, shown, device="a laptop"):
    principal = await identity.recognise(shown)
    return await identity.remember_device(Actor(principal=principal, credential_id=principal.credential_id), device)


async def test_a_refresh_token_has_the_limits_of_its_parent_and_dies_with_it(world, node, identity):
    (ann,) = await users(node, "ann")
    made = await secret(world, node, "ann", days=2, scopes=frozenset({Scope.READ}))
    refresh = await offline(identity, Bearer(made.text))
    found = await identity.refresh(refresh)
    assert (found.account_id, found.ceiling.scopes) == (ann.id, {Scope.READ})
    assert found.credential_id != made.id
    token = await registry_token(world, node, found)
    assert not await is_refused(identity, Bearer(token))
    await node.credentials.revoke("ann", made.id, ACTOR)
    with pytest.raises(CredentialInvalid):
        await identity.refresh(refresh)
    assert await is_refused(identity, Bearer(token))


async def test_a_refresh_token_ends_with_its_parents_time(world, node, identity):
    await users(node, "ann")
    made = await secret(world, node, "ann", days=2)
    refresh = await offline(identity, Bearer(made.text))
    world.clock.move(2 * DAY - 1)
    await identity.refresh(refresh)
    world.clock.move(1)
    with pytest.raises(CredentialInvalid):
        await identity.refresh(refresh)


async def test_a_new_password_ends_the_devices_of_the_old_one_and_no_others(world, node, identity):
    await user(node)
    made = await secret(world, node, "ann")
    by_password, by_token = await offline(identity, Password("ann", HORSE)), await offline(identity, Bearer(made.text))
    await node.accounts.set_password("ann", CheapPasswords().hash_password(OTHER_HORSE), ACTOR)
    with pytest.raises(CredentialInvalid):
        await identity.refresh(by_password)
    assert (await identity.refresh(by_token)).name == "ann"


async def test_a_device_is_remembered_for_ninety_days_under_its_own_name(world, node, identity):
    await user(node)
    refresh = await offline(identity, Password("ann", HORSE), "d" * 500)
    (row,) = await node.credentials.list("ann")
    assert row.device == "d" * 200
    assert row.name == "sign-in of " + "d" * 60
    assert row.hint == refresh[-4:]
    world.clock.move(90 * DAY - 1)
    await identity.refresh(refresh)
    world.clock.move(1)
    with pytest.raises(CredentialInvalid):
        await identity.refresh(refresh)


async def test_the_last_use_is_written_once_a_day(world, node, identity, monkeypatch):
    await users(node, "ann")
    made = await secret(world, node, "ann")
    written, really_touch = [], credential_rows.touch

    def touch(connection, credential_id, address, now):
        written.append(now)
        return really_touch(connection, credential_id, address, now)

    monkeypatch.setattr(credential_rows, "touch", touch)
    today = world.clock.now() - world.clock.now() % DAY
    world.clock.move(today + DAY - 1 - world.clock.now())  # the last moment of the day
    for moved in (0, 1, DAY - 1, 1):
        world.clock.move(moved)
        await identity.recognise(Bearer(made.text))
        await identity.recognise(Bearer(made.text))
    assert written == [today + DAY - 1, today + DAY, today + 2 * DAY]
    used = await scalar(node, "SELECT last_used_at FROM credentials WHERE id = :i", i=made.id)
    assert used == today + 2 * DAY


async def test_a_database_that_takes_nothing_keeps_nobody_from_pulling(world, node, monkeypatch):
    await user(node)
    made = await secret(world, node, "ann")
    identity = identity_of(world, node)

    async def full(_work, *, durable=True):
        message = f"The database is full ({durable})."
        raise DatabaseUnavailable(message)

    monkeypatch.setattr(node.database, "write", full)
    assert (await identity.recognise(Bearer(made.text))).name == "ann"
    assert await is_refused(identity, Password("ann", OTHER_HORSE))
    assert (await identity.recognise(Password("ann", HORSE))).name == "ann"


async def test_an_open_registry_looks_at_nothing_that_is_shown(world, node, passwords):
    identity = identity_of(world, node, mode=Mode.OPEN)
    for shown in (Password("ann", HORSE), Bearer("nonsense"), None):
        assert await identity.recognise(shown) == ANONYMOUS
    assert passwords.compared + passwords.with_nobody == 0


# --- devices ---------------------------------------------------------------------------------------------------------


async def devices(node, name="ann"):
    """Return the living sign-ins of an account, the newest first."""
    found = await node.credentials.list(name)
    return [one.id for one in found if one.kind is CredentialKind.REFRESH and one.revoked_at is None]


def at(principal, address):
    return Actor(principal=principal, client_address=address)


async def test_the_sign_ins_of_one_client_at_one_address_are_bounded_and_the_used_ones_stay(
    world, node, identity, monkeypatch
):
    monkeypatch.setattr(credential_rows, "MOST_ALIKE", 3)
    await user(node)
    principal = await identity.recognise(Password("ann", HORSE))
    kept = await identity.remember_device(at(principal, "192.0.2.1"), "docker")
    await identity.remember_device(at(principal, "192.0.2.2"), "docker")
    await identity.remember_device(at(principal, "192.0.2.1"), "podman")
    for _ in range(4):
        world.clock.move(DAY)
        await identity.remember_device(at(principal, "192.0.2.1"), "docker")
        world.clock.move(DAY)
        await identity.refresh(kept)
    assert await devices(node) == [7, 6, 3, 2, 1]
    assert (await identity.refresh(kept)).name == "ann"
    assert (await facts(node))[-1][2] == "instead of 1 that were not used for longest"


async def test_the_sign_ins_of_an_account_are_bounded_wherever_they_are(world, node, identity, monkeypatch):
    monkeypatch.setattr(credential_rows, "MOST_OF_ACCOUNT", 3)
    await user(node)
    await user(node, "bob")
    other = await identity.remember_device(at(await identity.recognise(Password("bob", HORSE)), "192.0.2.9"), "docker")
    principal = await identity.recognise(Password("ann", HORSE))
    made = await secret(world, node, "ann")
    for number in range(6):
        world.clock.move(SECOND)
        await identity.remember_device(at(principal, f"192.0.2.{number}"), "docker")
    assert len(await devices(node)) == 3
    assert (await identity.refresh(other)).name == "bob"
    assert not await is_refused(identity, Password("ann", made.text))


async def test_ended_credentials_are_removed_when_nobody_asks_for_them_any_more(world, node, identity):
    await user(node)
    made = await secret(world, node, "ann", days=400)
    holder = await identity.recognise(Password("ann", made.text))
    await identity.remember_device(Actor(principal=holder), "crane")
    await identity.remember_device(Actor(principal=await identity.recognise(Password("ann", HORSE))), "docker")
    assert await node.credentials.remove_ended(10) == 0
    await node.credentials.revoke("ann", made.id, ACTOR)
    world.clock.move(30 * DAY)
    assert await node.credentials.remove_ended(10) == 0
    world.clock.move(DAY)
    assert await node.credentials.remove_ended(10) == 1, "what came from the token goes first"
    world.clock.move(365 * DAY)
    assert await node.credentials.remove_ended(1) == 1
    assert await node.credentials.remove_ended(10) == 1
    assert await scalar(node, "SELECT count(*) FROM credentials") == 0
    told = [one for one in await facts(node) if one[0].startswith("credential.")]
    assert len(told) == 4, "the audit log keeps them"


# --- passwords that somebody else chose -------------------------------------------------------------------------------


async def given(node, *, at_first):
    """Make a user whose password is for one time: from the first one on, or since it was reset."""
    hashed = CheapPasswords().hash_password(HORSE)
    if at_first:
        await node.accounts.create_user("ann", ACTOR, password_hash=hashed, one_time=True)
    else:
        await node.accounts.create_user("ann", ACTOR, password_hash=CheapPasswords().hash_password(OTHER_HORSE))
        await node.accounts.set_password("ann", hashed, ACTOR, one_time=True)


@pytest.mark.parametrize("at_first", [True, False])
async def test_a_one_time_password_is_not_taken_and_only_who_knows_it_is_told_so(node, identity, at_first):
    await given(node, at_first=at_first)
    with pytest.raises(CredentialInvalid, match=r"somebody else chose it.*sign in to the console with it"):
        await identity.recognise(Password("ann", HORSE))
    assert await is_refused(identity, Password("ann", "wrong"))


async def test_a_password_of_ones_own_is_taken_after_a_one_time_one(node, identity):
    await given(node, at_first=True)
    await node.accounts.set_password("ann", CheapPasswords().hash_password(OTHER_HORSE), ACTOR)
    assert (await identity.recognise(Password("ann", OTHER_HORSE))).name == "ann"
    assert await is_refused(identity, Password("ann", HORSE))


async def test_what_was_got_for_the_old_password_ends_with_a_one_time_one(node):
    ann = await user(node)
    assert await node.accounts.name_of(ann.id) == "ann"
    await node.accounts.set_password("ann", CheapPasswords().hash_password(OTHER_HORSE), ACTOR, one_time=True)
    assert await node.accounts.name_of(ann.id) is None
    await node.accounts.set_password("ann", CheapPasswords().hash_password(HORSE), ACTOR)
    assert await node.accounts.name_of(ann.id) == "ann"
    told = await scalar(node, "SELECT count(*) FROM events WHERE detail = 'to be changed at the next sign-in'")
    assert told == 1
