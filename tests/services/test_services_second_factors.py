# SPDX-License-Identifier: Apache-2.0
"""Second factors: what they demand, what counts once, who waits, and what an attacker with half of it gets."""

import asyncio
import json

import pytest

from tests.services.factors import URL, add_app, add_passkey, code_of, factors_of
from tests.services.people import facts, scalar
from tests.services.signing import CheapPasswords, identity_of, secret, tokens_of
from tests.services.world import ACTOR
from tests.support.authenticator import Authenticator
from wharfinger.clock import DAY, SECOND
from wharfinger.domain.accounts import AccessType
from wharfinger.domain.audit import WHOLE_LOG, AuditFilter
from wharfinger.domain.errors import AccountConflict, AccountInvalid, AccountUnknown, CredentialInvalid
from wharfinger.domain.second_factors import SignInFactor
from wharfinger.security.tokens import TokenKind
from wharfinger.services import passwords as account_passwords
from wharfinger.services.accounts import AccountChange
from wharfinger.services.identity import Bearer, Password

HORSE = "correct horse battery"
STEP = 30 * SECOND
MINUTE = 60 * SECOND
NOBODY = "aaaa-bbbb-cccc-dddd"
"""A recovery code that nobody has."""


@pytest.fixture(autouse=True)
def cheap(monkeypatch):
    monkeypatch.setattr(account_passwords, "Passwords", CheapPasswords)


@pytest.fixture
async def ann(node):
    return await node.accounts.create_user("ann", ACTOR, password_hash=CheapPasswords().hash_password(HORSE))


@pytest.fixture
def factors(world, node, ann):  # noqa: ARG001 - whose they are
    return factors_of(world.clock, node)


async def first_step(node, factors):
    return factors.steps.begin(await node.accounts.password("ann"))


async def sign_in(node, factors, code):
    return await factors.steps.with_code(await first_step(node, factors), code, ACTOR, instead_of=None)


async def is_refused(work):
    try:
        await work
    except CredentialInvalid:
        return True
    return False


async def show(node, factors, device, **changes):
    pending = await first_step(node, factors)
    asked = await factors.steps.ask(pending, URL)
    answer = device.show(asked.options, **changes)
    return await factors.steps.with_passkey(pending, asked.sealed, answer, ACTOR, instead_of=None)


async def show_alone(factors, device, *, asked=None):
    asked = asked or factors.steps.ask_alone(URL)
    return await factors.steps.alone(asked.sealed, device.show(asked.options), ACTOR, instead_of=None)


# --- setting one up --------------------------------------------------------------------------------------------------


async def test_an_app_is_there_after_a_right_code_only_and_its_secret_is_stored_sealed(world, node, factors):
    new = await factors.held.begin_app("ann", "registry.test")
    assert new.secret not in repr(new)
    assert (await factors.held.held("ann")).factors == []
    for wrong in ("000000", code_of(world.clock, new.secret, 5), NOBODY, ""):
        with pytest.raises(CredentialInvalid, match="not the code"):
            await factors.held.add_app("ann", "phone", new.sealed, wrong, ACTOR)
    added = await factors.held.add_app("ann", "phone", new.sealed, code_of(world.clock, new.secret), ACTOR)
    assert len(set(added.recovery_codes)) == 10
    held = await factors.held.held("ann")
    assert [(one.kind, one.name) for one in held.factors] == [("app", "phone")]
    assert held.codes_left == 10
    stored = await scalar(node, "SELECT secret FROM second_factors")
    assert stored.startswith("v1.")
    assert new.secret not in stored
    assert (await facts(node))[-1] == ("second-factor.added", "ann", "the authenticator app 'phone'")
    hashes = await scalar(node, "SELECT min(fingerprint) FROM recovery_codes")
    assert not any(one[:4] in hashes for one in added.recovery_codes)


async def test_the_sealed_form_is_good_for_its_owner_and_for_a_quarter_of_an_hour(world, node, factors):
    await node.accounts.create_user("bob", ACTOR, password_hash="h")
    new = await factors.held.begin_app("ann", "registry.test")
    with pytest.raises(CredentialInvalid, match="Begin again"):
        await factors.held.add_app("bob", "phone", new.sealed, code_of(world.clock, new.secret), ACTOR)
    passkey = await factors.held.begin_passkey("ann", URL)
    for sealed in ("", "v1.0000000000000000.AAAA", passkey.sealed):
        with pytest.raises(CredentialInvalid, match="Begin again"):
            await factors.held.add_app("ann", "phone", sealed, code_of(world.clock, new.secret), ACTOR)
    with pytest.raises(CredentialInvalid, match="Begin again"):
        await factors.held.add_passkey("ann", "stick", new.sealed, "{}", ACTOR)
    world.clock.move(16 * MINUTE)
    with pytest.raises(CredentialInvalid, match="Begin again"):
        await factors.held.add_app("ann", "phone", new.sealed, code_of(world.clock, new.secret), ACTOR)


async def test_the_first_factor_ends_what_began_with_the_password_alone(world, node, factors, ann):
    shown = await node.accounts.password("ann")
    here, elsewhere = [await node.sessions.begin(shown, ACTOR) for _ in range(2)]
    identity = identity_of(world, node)
    by = await identity.recognise(Password("ann", HORSE))
    device = await secret(world, node, "ann", TokenKind.REFRESH)
    token = await secret(world, node, "ann")
    registry_token = (await tokens_of(world, node.database).issue(by, node.registry, [], "password")).text
    assert (await identity.recognise(Bearer(registry_token))).account_id == ann.id
    session = await node.sessions.find(here.secret)
    _, added = await add_app(world.clock, factors.held, ACTOR, session_id=session.id)
    assert added.recovery_codes
    assert (await node.sessions.find(here.secret)).factor is SignInFactor.APP
    assert await node.sessions.find(elsewhere.secret) is None
    assert await is_refused(identity.refresh(device.text))
    assert await is_refused(identity.recognise(Bearer(registry_token)))
    assert (await identity.recognise(Password("ann", token.text))).account_id == ann.id
    again = await add_passkey(factors.held, Authenticator(), ACTOR, session_id=session.id)
    assert again.recovery_codes == (), "the first ones still count"
    assert (await factors.held.held("ann")).codes_left == 10


async def test_a_password_alone_is_not_taken_at_docker_login_and_the_refusal_says_why(world, node, factors):
    await add_app(world.clock, factors.held, ACTOR)
    identity = identity_of(world, node)
    with pytest.raises(CredentialInvalid, match=r"has a second factor.*personal access token"):
        await identity.recognise(Password("ann", HORSE))
    with pytest.raises(CredentialInvalid) as wrong:
        await identity.recognise(Password("ann", "a wrong password"))
    assert "second factor" not in wrong.value.message, "only who knows the password is told"


async def test_no_session_begins_with_a_password_that_was_right_before_the_factor_came(world, node, factors):
    shown = await node.accounts.password("ann")
    await add_app(world.clock, factors.held, ACTOR)
    with pytest.raises(CredentialInvalid):
        await node.sessions.begin(shown, ACTOR)


async def test_only_users_have_second_factors_and_not_without_end(world, node, factors):
    await node.accounts.create_organization("acme", ACTOR, owner="ann")
    with pytest.raises(AccountInvalid, match="not a user"):
        await add_app(world.clock, factors.held, ACTOR, "acme")
    with pytest.raises(AccountUnknown):
        await factors.held.begin_app("nobody", "registry.test")
    for _ in range(20):
        await add_app(world.clock, factors.held, ACTOR)
    with pytest.raises(AccountConflict, match="the most"):
        await add_app(world.clock, factors.held, ACTOR)
    new = await factors.held.begin_app("ann", "registry.test")
    with pytest.raises(AccountInvalid, match="1 to 60"):
        await factors.held.add_app("ann", " ", new.sealed, code_of(world.clock, new.secret), ACTOR)


# --- codes -----------------------------------------------------------------------------------------------------------


async def test_a_code_counts_once_and_the_one_that_set_the_app_up_counts_no_more(world, node, factors):
    key, _ = await add_app(world.clock, factors.held, ACTOR)
    assert await is_refused(sign_in(node, factors, code_of(world.clock, key)))
    world.clock.move(STEP)
    code = code_of(world.clock, key)
    made = await sign_in(node, factors, code)
    assert (await node.sessions.find(made.secret)).factor is SignInFactor.APP
    assert await is_refused(sign_in(node, factors, code))
    assert ("session.begun", "ann", "with a password and a code") in await facts(node)


async def test_of_two_requests_with_the_same_code_one_gets_in(world, node, factors):
    key, codes = await add_app(world.clock, factors.held, ACTOR)
    other = factors_of(world.clock, world.node())
    for code in (lambda: code_of(world.clock, key), lambda: codes.recovery_codes[0]):
        world.clock.move(2 * STEP)
        pending, shown = await first_step(node, factors), code()
        both = await asyncio.gather(
            *(one.steps.with_code(pending, shown, ACTOR, instead_of=None) for one in (factors, other)),
            return_exceptions=True,
        )
        assert sorted(isinstance(one, CredentialInvalid) for one in both) == [False, True]


async def test_a_recovery_code_counts_once_and_they_can_be_renewed(world, node, factors):
    _, added = await add_app(world.clock, factors.held, ACTOR)
    first, second, *_ = added.recovery_codes
    made = await sign_in(node, factors, f" {first.upper().replace('-', ' ')} ")
    assert (await node.sessions.find(made.secret)).factor is SignInFactor.RECOVERY
    assert (await factors.held.held("ann")).codes_left == 9
    assert await is_refused(sign_in(node, factors, first))
    renewed = await factors.held.renew_codes("ann", ACTOR)
    assert await is_refused(sign_in(node, factors, second))
    await sign_in(node, factors, renewed[0])


async def test_recovery_codes_are_one_accounts(world, node, factors):
    await node.accounts.create_user("bob", ACTOR, password_hash=CheapPasswords().hash_password(HORSE))
    _, added = await add_app(world.clock, factors.held, ACTOR)
    await add_app(world.clock, factors.held, ACTOR, "bob")
    pending = factors.steps.begin(await node.accounts.password("bob"))
    assert await is_refused(factors.steps.with_code(pending, added.recovery_codes[0], ACTOR, instead_of=None))
    await factors.held.reset("ann", ACTOR)
    with pytest.raises(AccountConflict, match="add one first"):
        await factors.held.renew_codes("ann", ACTOR)


async def test_wrong_codes_wait_although_the_password_is_right_each_time(world, node, factors):
    key, added = await add_app(world.clock, factors.held, ACTOR)
    world.clock.move(MINUTE)
    await factors.passwords.check("ann", HORSE, (AccessType.BOTH,))
    for _ in range(5):
        assert await is_refused(sign_in(node, factors, "000000"))
        await factors.passwords.check("ann", HORSE, (AccessType.BOTH,))
    assert await is_refused(sign_in(node, factors, code_of(world.clock, key))), "the right one has to wait now"
    await sign_in(node, factors, added.recovery_codes[0])  # what cannot be guessed never waits, and ends the wait
    await sign_in(node, factors, code_of(world.clock, key))
    refused = (await node.audit.list(AuditFilter(), WHOLE_LOG, limit=50)).items
    assert {one.detail for one in refused if one.result == "refused"} == {
        "a wrong code of the second factor",
        "locked after wrong codes",
    }


async def test_each_wrong_code_doubles_the_wait_up_to_a_quarter_of_an_hour(world, node, factors):
    key, _ = await add_app(world.clock, factors.held, ACTOR)
    for _ in range(30):
        world.clock.move(15 * MINUTE)
        assert await is_refused(sign_in(node, factors, "000000"))
    world.clock.move(15 * MINUTE - SECOND)
    assert await is_refused(sign_in(node, factors, code_of(world.clock, key)))
    world.clock.move(SECOND)
    await sign_in(node, factors, code_of(world.clock, key))
    assert await scalar(node, "SELECT failures FROM factor_locks") == 0


# --- the second step -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["password", "suspended", "deleted", "keys only"])
async def test_the_second_step_looks_again_at_what_the_first_one_saw(world, node, factors, what):
    _, added = await add_app(world.clock, factors.held, ACTOR)
    pending = await first_step(node, factors)
    world.clock.move(1)
    match what:
        case "password":
            await node.accounts.set_password("ann", CheapPasswords().hash_password("another horse"), ACTOR)
        case "suspended":
            await node.accounts.suspend("ann", ACTOR)
        case "deleted":
            await node.accounts.delete("ann", ACTOR)
        case "keys only":
            await node.accounts.change("ann", AccountChange(access_type=AccessType.KEYS), ACTOR)
    assert await is_refused(factors.steps.with_code(pending, added.recovery_codes[0], ACTOR, instead_of=None))
    assert await scalar(node, "SELECT count(*) FROM sessions") == 0


async def test_the_first_step_is_good_for_ten_minutes_and_cannot_be_made_up(world, node, factors):
    _, added = await add_app(world.clock, factors.held, ACTOR)
    pending, code = await first_step(node, factors), added.recovery_codes[0]
    for wrong in (None, "", pending[:-2] + ("AA" if pending[-2:] != "AA" else "BB"), "v1.x.y"):
        assert await is_refused(factors.steps.with_code(wrong, code, ACTOR, instead_of=None))
    foreign = factors_of(world.clock, node, material=b"the secret of another deployment, long enough")
    assert await is_refused(foreign.steps.with_code(pending, code, ACTOR, instead_of=None))
    world.clock.move(10 * MINUTE)
    assert await is_refused(factors.steps.with_code(pending, code, ACTOR, instead_of=None))
    assert (await factors.held.held("ann")).codes_left == 10


async def test_the_session_that_the_browser_had_ends_with_the_new_one(world, node, factors):
    _, added = await add_app(world.clock, factors.held, ACTOR)
    old = await sign_in(node, factors, added.recovery_codes[0])
    pending = await first_step(node, factors)
    await factors.steps.with_code(pending, added.recovery_codes[1], ACTOR, instead_of=old.secret)
    assert await node.sessions.find(old.secret) is None


# --- passkeys --------------------------------------------------------------------------------------------------------


async def test_a_passkey_is_a_second_factor_and_its_answer_counts_once(world, node, factors):
    device = Authenticator()
    await add_passkey(factors.held, device, ACTOR)
    world.clock.move(1)
    made = await show(node, factors, device)
    assert (await node.sessions.find(made.secret)).factor is SignInFactor.PASSKEY
    world.clock.move(1)
    pending = await first_step(node, factors)
    asked = await factors.steps.ask(pending, URL)
    answer = device.show(asked.options)
    world.clock.move(1)
    await factors.steps.with_passkey(pending, asked.sealed, answer, ACTOR, instead_of=None)
    assert await is_refused(factors.steps.with_passkey(pending, asked.sealed, answer, ACTOR, instead_of=None))


async def test_an_answer_of_an_authenticator_that_does_not_count_still_counts_once(world, factors):
    device = Authenticator(counts=False)
    await add_passkey(factors.held, device, ACTOR)
    world.clock.move(1)
    asked = factors.steps.ask_alone(URL)
    answer = device.show(asked.options)
    world.clock.move(1)
    await factors.steps.alone(asked.sealed, answer, ACTOR, instead_of=None)
    world.clock.move(1)
    assert await is_refused(factors.steps.alone(asked.sealed, answer, ACTOR, instead_of=None))
    await show_alone(factors, device)


async def test_a_copy_of_an_authenticator_is_noticed_by_its_count(world, node, factors):
    device = Authenticator()
    await add_passkey(factors.held, device, ACTOR)
    world.clock.move(1)
    await show_alone(factors, device)
    world.clock.move(1)
    device.counter = 0
    assert await is_refused(show_alone(factors, device))
    assert await is_refused(show(node, factors, device))


async def test_alone_a_passkey_signs_in_whom_it_belongs_to(world, node, factors):
    device = Authenticator()
    await add_passkey(factors.held, device, ACTOR)
    world.clock.move(1)
    made = await show_alone(factors, device)
    assert (made.name, (await node.sessions.find(made.secret)).factor) == ("ann", SignInFactor.PASSKEY_ALONE)
    assert ("session.begun", "ann", "with a passkey") in await facts(node)
    world.clock.move(1)
    device.verifies = False
    assert await is_refused(show_alone(factors, device)), "nobody knows who holds it"
    device.verifies = True
    (key_id,) = device.keys
    device.keys[key_id] = device.keys[key_id][0], "AAAAAAAAACo"
    assert await is_refused(show_alone(factors, device)), "it says that it is somebody else's"
    await node.accounts.suspend("ann", ACTOR)
    device.keys[key_id] = device.keys[key_id][0], "AAAAAAAAAAE"
    assert await is_refused(show_alone(factors, device))


async def test_what_was_asked_for_one_purpose_answers_no_other(world, node, factors):
    device = Authenticator()
    await add_passkey(factors.held, device, ACTOR)
    world.clock.move(1)
    pending = await first_step(node, factors)
    asked, alone = await factors.steps.ask(pending, URL), factors.steps.ask_alone(URL)
    assert await is_refused(show_alone(factors, device, asked=asked))
    answer = device.show(alone.options)
    assert await is_refused(factors.steps.with_passkey(pending, alone.sealed, answer, ACTOR, instead_of=None))
    for wrong in ("{}", "", json.dumps({"rawId": "eA"})):
        assert await is_refused(factors.steps.alone(alone.sealed, wrong, ACTOR, instead_of=None))
        assert await is_refused(factors.steps.with_passkey(pending, asked.sealed, wrong, ACTOR, instead_of=None))


async def test_the_passkey_of_somebody_else_is_no_second_factor(world, node, factors):
    await node.accounts.create_user("bob", ACTOR, password_hash="h")
    device, theirs = Authenticator(), Authenticator()
    await add_passkey(factors.held, device, ACTOR)
    await add_passkey(factors.held, theirs, ACTOR, "bob")
    world.clock.move(1)
    (key_id,) = theirs.keys
    pending = await first_step(node, factors)
    asked = await factors.steps.ask(pending, URL)
    answer = theirs.show(asked.options, key_id)
    assert await is_refused(factors.steps.with_passkey(pending, asked.sealed, answer, ACTOR, instead_of=None))


async def test_a_passkey_is_asked_for_at_its_own_site_only(node, factors):
    device = Authenticator()
    await add_passkey(factors.held, device, ACTOR)
    pending = await first_step(node, factors)
    assert (await factors.steps.ask(pending, "https://other.test")).options is None
    assert (await factors.steps.ask(pending, "https://192.0.2.7")).options is None
    question = await factors.steps.ask(pending, f"{URL}:5443")
    assert (question.name, question.app, bool(question.options)) == ("ann", False, True)
    with pytest.raises(AccountInvalid, match=r"HTTPS.*http\.host"):
        await factors.held.begin_passkey("ann", "http://registry.test")
    with pytest.raises(AccountInvalid):
        factors.steps.ask_alone("https://192.0.2.7")


async def test_the_same_passkey_is_there_once(factors):
    new = await factors.held.begin_passkey("ann", URL)
    answer = Authenticator().make(new.options)
    await factors.held.add_passkey("ann", "stick", new.sealed, answer, ACTOR)
    with pytest.raises(AccountConflict, match="already"):
        await factors.held.add_passkey("ann", "again", new.sealed, answer, ACTOR)
    with pytest.raises(CredentialInvalid, match="no passkey"):
        await factors.held.add_passkey("ann", "again", new.sealed, "{}", ACTOR)


# --- removing them ---------------------------------------------------------------------------------------------------


async def test_the_last_factor_takes_the_recovery_codes_along(world, node, factors, ann):
    await add_app(world.clock, factors.held, ACTOR)
    await add_passkey(factors.held, Authenticator(), ACTOR)
    await factors.held.remove("ann", 1, ACTOR)
    assert (await factors.held.held("ann")).codes_left == 10
    await factors.held.remove("ann", 2, ACTOR)
    assert await scalar(node, "SELECT count(*) FROM recovery_codes") == 0
    assert (await identity_of(world, node).recognise(Password("ann", HORSE))).account_id == ann.id
    with pytest.raises(AccountUnknown):
        await factors.held.remove("ann", 2, ACTOR)


async def test_nobody_removes_the_factor_of_somebody_else(world, node, factors):
    await node.accounts.create_user("bob", ACTOR, password_hash="h")
    await add_app(world.clock, factors.held, ACTOR)
    with pytest.raises(AccountUnknown):
        await factors.held.remove("bob", 1, ACTOR)
    assert len((await factors.held.held("ann")).factors) == 1


async def test_where_everybody_needs_one_the_last_one_stays_until_it_is_reset(world, node, ann):  # noqa: ARG001 - whose
    strict = factors_of(world.clock, node, required=True)
    await add_app(world.clock, strict.held, ACTOR)
    with pytest.raises(AccountConflict, match=r"accounts\.secondfactor"):
        await strict.held.remove("ann", 1, ACTOR)
    assert len((await strict.held.held("ann")).factors) == 1
    assert await strict.held.reset("ann", ACTOR) == 1


async def test_a_reset_removes_all_and_ends_every_session(world, node, factors):
    _, added = await add_app(world.clock, factors.held, ACTOR)
    await is_refused(sign_in(node, factors, "000000"))
    made = await sign_in(node, factors, added.recovery_codes[0])
    assert await factors.held.reset("ann", ACTOR) == 1
    assert await node.sessions.find(made.secret) is None
    assert (await factors.held.held("ann")).factors == []
    assert (await facts(node))[-1] == ("second-factor.removed", "ann", "all 1, reset")
    before = len(await facts(node))
    assert await factors.held.reset("ann", ACTOR) == 0
    assert len(await facts(node)) == before, "nothing happened, so nothing is told"


async def test_deleting_an_account_leaves_nothing_of_it(world, node, factors):
    await add_app(world.clock, factors.held, ACTOR)
    await add_passkey(factors.held, Authenticator(), ACTOR)
    await is_refused(sign_in(node, factors, "000000"))
    await node.accounts.delete("ann", ACTOR)
    for table in ("second_factors", "recovery_codes", "factor_locks"):
        assert await scalar(node, f"SELECT count(*) FROM {table}") == 0


async def test_an_app_that_was_sealed_with_another_secret_does_not_open_and_the_recovery_codes_do(world, node, factors):
    key, added = await add_app(world.clock, factors.held, ACTOR)
    world.clock.move(MINUTE)
    restored = factors_of(world.clock, node, material=b"what came with a backup without its secret")
    assert await is_refused(sign_in(node, restored, code_of(world.clock, key)))
    await sign_in(node, restored, added.recovery_codes[0])


# --- proving who one is ----------------------------------------------------------------------------------------------


async def test_a_password_or_a_code_proves_who_it_is(world, factors):
    await factors.held.prove("ann", HORSE, ACTOR)
    assert await is_refused(factors.held.prove("ann", "a wrong password", ACTOR))
    key, added = await add_app(world.clock, factors.held, ACTOR)
    world.clock.move(STEP)
    code = code_of(world.clock, key)
    await factors.held.prove("ann", code, ACTOR)
    assert await is_refused(factors.held.prove("ann", code, ACTOR))
    await factors.held.prove("ann", added.recovery_codes[0], ACTOR)
    assert await is_refused(factors.held.prove("ann", added.recovery_codes[0], ACTOR))
    assert await is_refused(factors.held.prove("ann", NOBODY, ACTOR))


# --- where a token was used ------------------------------------------------------------------------------------------


async def test_a_token_knows_the_day_and_the_address_of_its_use(world, node, ann):  # noqa: ARG001 - whose
    made = await secret(world, node, "ann")
    identity = identity_of(world, node)
    await identity.recognise(Password("ann", made.text), lambda: ACTOR)
    (found,) = await node.credentials.list("ann")
    assert (found.last_used_at, found.last_used_from) == (world.clock.now() // DAY * DAY, ACTOR.client_address)
