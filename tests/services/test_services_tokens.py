# SPDX-License-Identifier: Apache-2.0
"""The keys that sign registry tokens: made once, sealed, rotated without an interruption, known to every process."""

import asyncio
import base64
import json

import pytest
from sqlalchemy import text

from tests.services.people import users
from tests.services.signing import MATERIAL, tokens_of
from tests.services.world import Paused
from wharfinger.clock import DAY, SECOND
from wharfinger.domain.errors import CredentialInvalid, QueryInvalid, SignInUnready
from wharfinger.domain.identity import ANONYMOUS, Principal
from wharfinger.domain.names import RegistryName
from wharfinger.domain.scopes import Wanted
from wharfinger.metadata import signing_keys as rows
from wharfinger.security.envelope import Envelope
from wharfinger.security.keys import KEEP, LEAD, KeySet, ScheduledKey, SigningKey
from wharfinger.security.signing import RegistryTokens
from wharfinger.services.registries import Registry
from wharfinger.services.tokens import ISSUER, ROTATION, service_of

MINUTE = 60 * SECOND


class Watched:
    """A database that counts what is read, and says when."""

    def __init__(self, inner):
        self._inner = inner
        self.reads = 0
        self.has_read = asyncio.Event()

    async def read(self, work):
        found = await self._inner.read(work)
        self.reads += 1
        self.has_read.set()
        return found

    def __getattr__(self, name):
        return getattr(self._inner, name)


async def keys_of(node):
    return await node.database.read(rows.every)


async def issue(tokens, node, principal=ANONYMOUS, wanted=()):
    return await tokens.issue(principal, node.registry, wanted, "basic")


def signer_of(token):
    """The id of the key that signed a token."""
    header = token.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"]


async def published(tokens):
    return [key["kid"] for key in (await tokens.jwks())["keys"]]


async def test_two_processes_that_begin_at_once_have_one_key(world, node):
    paused, watched = Paused(world.place.open()), Watched(world.place.open())
    one, other = tokens_of(world, paused), tokens_of(world, watched)
    first = asyncio.create_task(published(one))
    await paused.at_the_end()
    second = asyncio.create_task(published(other))
    await watched.has_read.wait()  # it found no key, because the first one's is not committed yet
    paused.let_go.set()
    assert await first == await second
    assert [row.kid for row in await keys_of(node)] == await first
    token = (await issue(one, node)).text
    assert (await other.verify(token, node.registry)).account_id is None


async def test_a_key_is_sealed_at_rest_and_in_its_own_row(world, node):
    await tokens_of(world, node.database).jwks()
    (row,) = await keys_of(node)
    key = SigningKey.unseal(row.kid, row.private_key, Envelope([MATERIAL]))
    raw = key.private.private_bytes_raw()
    assert key.kid == row.kid
    assert raw.hex() not in row.private_key
    assert row.private_key != SigningKey.from_private(key.private).seal(Envelope([MATERIAL]))


@pytest.mark.parametrize("damage", ["another secret", "another row"])
async def test_keys_that_do_not_open_are_an_error_that_tells_clients_nothing(world, node, capsys, damage):
    await tokens_of(world, node.database).jwks()
    material = b"another secret, of 32 bytes or more too" if damage == "another secret" else MATERIAL
    if damage == "another row":
        sql = text("UPDATE signing_keys SET kid = 'moved'")
        await node.database.write(lambda c: c.execute(sql) and None)
    again = tokens_of(world, world.node().database, material)
    for _ in range(2):  # it is not taken for an answer, and not for no keys
        with pytest.raises(SignInUnready) as refused:
            await again.jwks()
        assert refused.value.message == "The registry cannot give tokens now; its log says why."
    assert len(await keys_of(node)) == 1
    assert "a signing key does not open" in "".join(capsys.readouterr())


async def test_a_key_is_followed_by_another_and_no_process_notices(world, node):
    await users(node, "ann")
    one, other = tokens_of(world, node.database), tokens_of(world, world.node().database)
    old = await published(one)
    assert await published(other) == old

    world.clock.move(ROTATION - 1)
    assert await one.rotate() == 0
    assert await published(one) == old
    world.clock.move(1)
    assert await one.rotate() == 0
    assert await one.rotate() == 0
    assert len(await keys_of(node)) == 2
    world.clock.move(MINUTE)
    both = await published(other)
    assert (both[0], len(both)) == (old[0], 2)
    assert await published(one) == both

    world.clock.move(LEAD - MINUTE - 1)
    last = (await issue(other, node)).text
    assert signer_of(last) == both[0]
    world.clock.move(1)
    first = (await issue(other, node)).text
    assert signer_of(first) == both[1]
    for token in (last, first):
        for process in (one, other):
            assert (await process.verify(token, node.registry)).account_id is None

    world.clock.move(KEEP - 1)
    assert await one.rotate() == 0
    world.clock.move(1)
    assert await published(one) == both[1:]
    assert await one.rotate() == 1
    assert [row.kid for row in await keys_of(node)] == both[1:]


async def test_two_rotations_at_once_add_one_key(world, node):
    paused = Paused(world.place.open())
    one, other = tokens_of(world, node.database), tokens_of(world, paused)
    await one.jwks()
    world.clock.move(ROTATION)
    first = asyncio.create_task(other.rotate())
    await paused.at_the_end()
    second = asyncio.create_task(one.rotate())
    paused.let_go.set()
    assert (await first, await second) == (0, 0)
    assert len(await keys_of(node)) == 2


def forged(world, node):
    """A token of somebody who has a key of their own."""
    keys = KeySet([ScheduledKey(key=SigningKey.generate(), signs_from=world.clock.now())])
    return RegistryTokens(keys, issuer=ISSUER, service=service_of(node.registry.name)).issue(world.clock.now())


async def test_a_key_that_is_not_known_is_looked_for_every_few_seconds_at_the_most(world, node):
    watched = Watched(node.database)
    tokens = tokens_of(world, watched)
    await tokens.jwks()
    begun = watched.reads
    for seconds, reads in ((0, 0), (4.9, 0), (0.1, 1), (0, 1), (4, 1), (1, 2)):
        world.clock.move(int(seconds * SECOND))
        for _ in range(3):
            with pytest.raises(CredentialInvalid):
                await tokens.verify(forged(world, node), node.registry)
        assert watched.reads - begun == reads


async def test_a_key_of_another_process_is_found_when_a_token_names_it(world, node):
    tokens = tokens_of(world, node.database)
    await tokens.jwks()
    await node.database.write(lambda c: c.execute(text("DELETE FROM signing_keys")) and None)
    token = (await issue(tokens_of(world, world.node().database), node)).text
    with pytest.raises(CredentialInvalid):
        await tokens.verify(token, node.registry)
    world.clock.move(5 * SECOND)
    assert (await tokens.verify(token, node.registry)).account_id is None


async def test_keys_are_read_again_every_minute_and_not_with_every_token(world, node):
    watched = Watched(node.database)
    tokens = tokens_of(world, watched)
    token = (await issue(tokens, node)).text
    begun = watched.reads
    for seconds, reads in ((0, 0), (59, 0), (1, 1), (0, 1), (60, 2)):
        world.clock.move(seconds * SECOND)
        await tokens.verify(token, node.registry)
        await tokens.jwks()
        assert watched.reads - begun == reads


async def test_a_token_is_for_one_registry_and_for_a_few_minutes(world, node):
    tokens = tokens_of(world, node.database)
    issued = await issue(tokens, node)
    elsewhere = Registry(id=2, name=RegistryName("elsewhere"), store=node.store)
    with pytest.raises(CredentialInvalid):
        await tokens.verify(issued.text, elsewhere)
    world.clock.move((issued.seconds - 1) * SECOND)
    assert (await tokens.verify(issued.text, node.registry)).account_id is None
    world.clock.move(2 * DAY)
    with pytest.raises(CredentialInvalid):
        await tokens.verify(issued.text, node.registry)


async def test_why_a_token_is_refused_is_said_in_the_log_alone(world, node, capsys):
    tokens = tokens_of(world, node.database)
    token = (await issue(tokens, node)).text
    world.clock.move(DAY)
    with pytest.raises(CredentialInvalid) as refused:
        await tokens.verify(token, node.registry)
    assert refused.value.message == "The token is not valid here, or no longer; sign in again."
    said = "".join(capsys.readouterr())
    assert "a token was refused" in said
    assert token not in said


async def test_so_much_that_no_token_holds_it_is_refused(world, node):
    (ann,) = await users(node, "ann")
    principal = Principal(name="ann", account_id=ann.id)
    wanted = [Wanted("repository", f"ann/{number:03}{'x' * 190}", ("pull", "push", "delete")) for number in range(50)]
    tokens = tokens_of(world, node.database)
    with pytest.raises(QueryInvalid, match="ask for fewer repositories"):
        await issue(tokens, node, principal, wanted)
    assert len((await issue(tokens, node, principal, wanted[:10])).granted) == 10
