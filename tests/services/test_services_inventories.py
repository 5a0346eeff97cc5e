# SPDX-License-Identifier: Apache-2.0
"""What a deleted registry leaves in its storage, what of it comes back, and to whom."""

import base64
import gzip
import json

import pytest
from sqlalchemy import text

from tests.services.people import BUILDERS, acme, acting, users
from tests.services.port import OTHERS, TEAM, Port, keys
from tests.services.world import ACTOR, NAME, image, push_image, push_manifest, read_blob
from tests.support.invariants import broken_invariants
from wharfinger.blobstore.memory import MemoryBlobStore
from wharfinger.clock import DAY
from wharfinger.domain.access import Role, Visibility
from wharfinger.domain.accounts import AccountName
from wharfinger.domain.content import ContentKind
from wharfinger.domain.digests import digest_of
from wharfinger.domain.errors import RegistryInvalid, RegistryUnknown
from wharfinger.domain.grants import Place
from wharfinger.domain.names import TagName
from wharfinger.domain.policies.retention import make_policy, make_rule
from wharfinger.services.namespaces import NamespaceChange
from wharfinger.services.registries import RegistryChange
from wharfinger.services.repositories import RepositoryChange
from wharfinger.services.storages import MARK

OF_APP = "acme/app"


@pytest.fixture
def stores():
    return {"one": MemoryBlobStore(), "two": MemoryBlobStore()}


@pytest.fixture
def port(world, node, stores):
    return Port(world, node, stores)


async def rows(node, sql, **values):
    return await node.database.read(lambda c: [tuple(row) for row in c.execute(text(sql), values).all()])


async def write_lines(store, lines, key="own/inventory-20260101T000000Z-0123456789ab"):
    """Put an inventory into a store, as whoever has the disk can."""
    if key in await keys(store):
        await store.delete(key)
    writer = await store.begin(key)
    await writer.write([gzip.compress(b"".join(json.dumps(line).encode() + b"\n" for line in lines))])
    await writer.commit()


async def lines_in(store):
    """Return the key of the one inventory in a store, and its lines."""
    (key,) = [key for key in await keys(store) if key.startswith("own/inventory")]
    content = b"".join([piece async for piece in store.open(key, 0, await store.stat(key))])
    return key, [json.loads(line) for line in gzip.decompress(content).splitlines()]


async def close(port, name=TEAM):
    await port.delete(name)
    assert await port.lifecycle.settle() == 1
    port.clock.move(DAY)


async def filled(port, node):
    """Make a registry in which everything was done that can be."""
    await acme(node, "bob")
    await node.accounts.create_user("cyd", ACTOR)
    await port.make()
    await port.switches.change(await port.found(TEAM), RegistryChange(account_namespaces=True), ACTOR)
    team = await port.at()
    await push_image(team, b"one", tags=("v1", "v2"))
    port.clock.move(DAY)
    await push_image(team, b"two", tags=("v1",))
    await team.tags.delete(team.registry, NAME, TagName("v2"), ACTOR)
    ann = acting(await node.accounts.find(AccountName("ann")))
    bob = acting(await node.accounts.find(AccountName("bob")))
    change = RepositoryChange(
        visibility=Visibility.PUBLIC, description="In short", source="https://forge.test/acme/app", inherits=True
    )
    await team.repositories.change(team.registry, NAME, change, ann)
    rules = RepositoryChange(immutable_tags="v1", immutable_deletable=True)
    await team.repositories.change(team.registry, NAME, rules, ann)
    await team.descriptions.change(team.registry, NAME, "# At length", ann)
    policy = make_policy([make_rule(name="new", tags="*", newest=3)], untagged_days=3)
    await team.retention.set_for_repository(team.registry, NAME, policy, ann)
    await team.retention.set_for_namespace(team.registry, "acme", policy, bob)
    await team.namespaces.change(
        team.registry,
        "acme",
        NamespaceChange(default_visibility=Visibility.INTERNAL, owned=True, taken={ContentKind.CHART: False}),
        ann,
    )
    app, space = places(team.registry)
    await team.grants.give(AccountName("bob"), app, Role.WRITE, ann)
    await team.grants.give(AccountName("cyd"), app, Role.ADMIN, ann)
    await team.grants.give(BUILDERS, space, Role.READ, ann)
    await team.grants.give(AccountName("cyd"), Place(registry_id=team.registry.id), Role.ADMIN, ann)
    await team.stars.put(team.registry, NAME, bob)
    return team


OF_REPOSITORY = (
    "SELECT name, description, source, visibility, inherits, created_at, listed_at, changed_at, immutable_tags, "
    "immutable_deletable, created_by FROM repositories WHERE registry_id = :registry AND deleted_at IS NULL"
)


async def facts(node, registry):
    """Return all that people see of the one repository of a registry, besides its images."""
    summaries = await rows(node, OF_REPOSITORY, registry=registry.id)
    history = await node.tags.history(registry, NAME, None, None, 100)
    policy = await node.retention.of_repository(registry, NAME)
    space = await node.namespaces.find(registry, "acme")
    return {
        "repository": summaries,
        "history": [(one.tag, one.before, one.after, one.at, one.by, one.detail) for one in history.items],
        "page": await node.descriptions.find(registry, NAME),
        "rules": (policy.policy, await node.retention.of_namespace(registry, "acme")),
        "namespace": (space.name, space.owner, space.default_visibility, space.kinds_off, space.created_at),
        "stars": await rows(
            node,
            "SELECT s.account_id, s.at FROM stars s JOIN repositories r ON r.id = s.repository_id "
            "WHERE r.registry_id = :registry",
            registry=registry.id,
        ),
    }


def places(registry):
    """Return the places of the one repository of a registry, and of its namespace."""
    return Place(registry_id=registry.id, repository=NAME), Place(registry_id=registry.id, namespace="acme")


async def roles(node, registry):
    """Return who has which role at the repository of a registry, and at its namespace."""
    found = [one for place in places(registry) for one in await node.grants.of_place(place)]
    return [(str(one.subject), one.role, one.created_at) for one in found]


async def test_what_belongs_to_repositories_comes_back(port, node, stores):
    team = await filled(port, node)
    before, held = await facts(node, team.registry), await roles(node, team.registry)
    assert len(held) == 3
    await close(port)
    again = await port.make(OTHERS)
    assert await facts(node, again) == before
    assert await roles(node, again) == held
    assert await node.grants.of_place(Place(registry_id=again.id)) == []
    assert await rows(node, "SELECT inventory FROM registries WHERE inventory IS NOT NULL") == []
    told = await rows(node, "SELECT detail FROM events WHERE action = 'registry.restored'")
    assert told == [("1 repositories, with 3 roles on them, that team left in the storage one",)]
    assert await broken_invariants(node.database, stores["one"], registry_id=again.id) == []


async def test_its_tags_go_on_from_where_they_were(port, node, stores):
    await filled(port, node)
    await close(port)
    await port.make(OTHERS)
    back = await port.at(OTHERS)
    restored = await back.tags.restore(back.registry, NAME, TagName("v2"), ACTOR)
    assert await read_blob(back, digest_of(b"one")) == b"one"
    assert (await back.manifests.find(back.registry, NAME, "v2")).digest == restored
    steps = [(await back.tags.history(back.registry, NAME, None, None, 2))]
    while steps[-1].more:
        steps.append(await back.tags.history(back.registry, NAME, None, steps[-1].items[-1].id, 2))
    found = [(one.tag, one.after is None, one.by) for page in steps for one in page.items]
    assert [tag for tag, *_ in found] == ["v2", "v2", "v1", "v2", "v1"]
    assert {by for *_, by in found} == {"somebody"}
    assert await broken_invariants(node.database, stores["one"], registry_id=back.registry.id) == []


async def test_who_is_not_the_same_account_any_more_has_nothing(port, node):
    await filled(port, node)
    for name in ("bob", "cyd"):
        await node.accounts.delete(AccountName(name), ACTOR)
    port.clock.move(DAY)
    await users(node, "bob", "cyd")
    await close(port)
    again = await port.make(OTHERS)
    assert [one[0] for one in await roles(node, again)] == ["acme/builders"]
    assert (await facts(node, again))["stars"] == []


async def test_an_account_that_goes_while_the_registry_is_away_has_nothing(port, node):
    await filled(port, node)
    await close(port)
    await node.accounts.delete(AccountName("bob"), ACTOR)
    await users(node, "bob")
    again = await port.make(OTHERS)
    assert [one[0] for one in await roles(node, again)] == ["cyd", "acme/builders"]


async def test_roles_do_not_outlive_their_registry(port, node):
    """They wait in the inventory, and nowhere else."""
    await filled(port, node)
    await close(port)
    assert await rows(node, "SELECT id FROM grants") == []
    assert await rows(node, "SELECT owner_id FROM namespaces WHERE owner_id IS NOT NULL") == []


@pytest.mark.parametrize("forged", [True, False], ids=["changed by hand", "of another deployment"])
async def test_who_may_do_what_is_not_for_the_storage_to_say(port, node, stores, forged):
    await filled(port, node)
    await close(port)
    key, lines = await lines_in(stores["one"])
    if forged:
        changed = [["role", "admin", *line[2:]] if list(line)[:2] == ["role", "write"] else line for line in lines]
        assert changed != lines
        await write_lines(stores["one"], changed, key)
    else:
        await node.database.write(lambda c: c.execute(text("UPDATE registries SET inventory = NULL")))
    again = await port.make(OTHERS)
    found = await facts(node, again)
    assert await roles(node, again) == []
    assert found["stars"] == []
    assert found["namespace"][1] is None
    assert found["repository"][0][:2] == (OF_APP, "In short")
    assert len(found["history"]) == 4
    assert found["page"].text == "# At length"
    assert found["page"].changed_by is None


async def test_an_inventory_counts_for_one_registry_alone(port, node, stores):
    """Who has the disk puts it back there: what was taken away since must not come back."""
    await filled(port, node)
    await close(port)
    key, lines = await lines_in(stores["one"])
    content = b"".join([piece async for piece in stores["one"].open(key, 0, await stores["one"].stat(key))])
    await port.make(OTHERS)
    await close(port, OTHERS)
    writer = await stores["one"].begin("own/inventory-29991231T000000Z-0123456789ab")
    await writer.write([content])
    await writer.commit()
    again = await port.make(TEAM)
    assert lines[0]["format"] == 2
    assert await roles(node, again) == []


async def test_the_first_format_is_read(port, node, stores):
    layer, config = b"layer", b"{}"
    content = image(layer)
    for bytes_of in (layer, config):
        writer = await stores["one"].begin(f"ab/{digest_of(bytes_of)[7:20]}")
        await writer.write([bytes_of])
        await writer.commit()
    digest, names = digest_of(content), {"size": len(content), "media_type": json.loads(content)["mediaType"]}
    known = {"name": OF_APP, "description": "In short", "source": None, "visibility": "public", "inherits": 0}
    times = {"created_at": 5, "listed_at": 6, "changed_at": 7, "immutable_tags": "none", "immutable_deletable": 0}
    manifest = {"digest": digest, **names, "pushed_at": 6, "content": base64.b64encode(content).decode()}
    kind = {"layer": "application/octet-stream", "config": "application/vnd.oci.image.config.v1+json"}
    body = [
        *[["blob", digest_of(one), len(one), f"ab/{digest_of(one)[7:20]}", "live", 4, None] for one in (layer, config)],
        ["namespace", "acme", "internal", 3],
        ["repository", known | times],
        *[["member", digest_of(one), 4] for one in (layer, config)],
        ["page", "# At length", 7],
        ["manifest", manifest],
        ["edge", digest, 0, "config", digest_of(config), kind["config"], len(config), "blob"],
        ["edge", digest, 1, "layer", digest_of(layer), kind["layer"], len(layer), "blob"],
        ["tag", "v1", digest, 6],
        ["pulls", "v1", 19_000, 3, 8],
    ]
    head = {"format": 1, "registry": "old", "closed_at": 9}
    await write_lines(stores["one"], [head, *body, {"end": len(body)}])
    assert (await port.lifecycle.left_in("one")).registry == "old"
    await port.make()
    back = await port.at()
    assert (await back.manifests.find(back.registry, NAME, "v1")).digest == digest
    assert await read_blob(back, digest_of(layer)) == layer
    assert [one.after for one in (await back.tags.history(back.registry, NAME, TagName("v1"), None, 9)).items] == [
        digest
    ]
    assert (await back.namespaces.find(back.registry, "acme")).default_visibility is Visibility.INTERNAL
    assert (await back.descriptions.find(back.registry, NAME)).text == "# At length"
    assert await broken_invariants(node.database, stores["one"], registry_id=back.registry.id) == []


REPOSITORY = {
    **dict.fromkeys(("description", "source"), None),
    "name": OF_APP,
    "visibility": "private",
    "inherits": 0,
    "created_at": 1,
    "listed_at": None,
    "changed_at": 1,
    "immutable_tags": "none",
    "immutable_deletable": 0,
}
DIGEST = digest_of(b"x")
UNFIT = {
    "a kind of later": [["repository", REPOSITORY], ["hologram", 1]],
    "a part before its repository": [["tag", "v1", DIGEST, 1, None]],
    "a name that is none": [["repository", {**REPOSITORY, "name": "../etc"}]],
    "a tag that is none": [["repository", REPOSITORY], ["step", "a\nb", None, DIGEST, 1, "ann", None]],
    "a digest that is none": [["blob", "sha256:zz", 1, "ab/abc", "live", 1, None]],
    "a text for a number": [["blob", DIGEST, "many", "ab/abc", "live", 1, None]],
    "a number that no column takes": [["blob", DIGEST, 1 << 70, "ab/abc", "live", 1, None]],
    "a list for a text": [["repository", {**REPOSITORY, "description": ["a"]}]],
    "a list for a text in a step": [["repository", REPOSITORY], ["step", "v1", None, DIGEST, 1, ["ann"], None]],
    "a list for a text of a manifest": [["repository", REPOSITORY], ["manifest", {"digest": DIGEST, "media_type": []}]],
    "a state that is none": [["blob", DIGEST, 1, "ab/abc", "divine", 1, None]],
    "too few parts": [["blob", DIGEST]],
    "no base64": [["repository", REPOSITORY], ["manifest", {"digest": DIGEST, "content": "%%"}]],
    "the storage's mark for a blob": [["blob", DIGEST, 33, str(MARK), "live", 1, None]],
    "bytes outside of the storage": [["object", "../../etc/passwd", 1]],
    "a role of its own making": [["repository", REPOSITORY], ["role", "god", {}, 1]],
    "nothing": [[]],
}


@pytest.mark.parametrize("entries", UNFIT.values(), ids=UNFIT)
async def test_a_registry_over_what_cannot_be_read_comes_to_nothing(port, stores, entries):
    head = {"format": 2, "registry": "evil", "closed_at": 9}
    await write_lines(stores["one"], [head, *entries, {"end": len(entries)}])
    before = await keys(stores["one"])
    with pytest.raises(RegistryInvalid, match="cannot be brought back"):
        await port.make()
    await port.lifecycle.settle()
    assert await keys(stores["one"]) == before
    assert "one" not in await port.lifecycle.holders()
    with pytest.raises(RegistryUnknown):
        await port.found(TEAM)
    for key in before:
        await stores["one"].delete(key)
    await port.make()  # neither the name nor the storage was used up


@pytest.mark.parametrize(
    "lines",
    [
        [{"format": 3, "registry": "later", "closed_at": 9}, {"end": 0}],
        [{"format": True, "registry": "x", "closed_at": 9}, {"end": 0}],
        [{"format": 2, "registry": "half", "closed_at": 9}, ["namespace", {}]],
        [["blob"]],
    ],
    ids=["of a later version", "of no version", "a half", "none"],
)
async def test_an_inventory_of_another_kind_is_left_alone(port, stores, lines):
    await write_lines(stores["one"], lines)
    before = await keys(stores["one"])
    with pytest.raises(RegistryInvalid, match="cannot be brought back"):
        await port.make()
    assert await keys(stores["one"]) == before
    assert "one" not in await port.lifecycle.holders()


async def test_a_line_without_end_is_not_taken_into_memory(port, stores, monkeypatch):
    monkeypatch.setattr("wharfinger.services.archive._LONGEST_LINE", 1_000)
    monkeypatch.setattr("wharfinger.services.archive._AT_ONCE", 100)
    head = {"format": 2, "registry": "bomb", "closed_at": 9}
    await write_lines(stores["one"], [head, ["page", "x" * 100_000, 1, None], {"end": 1}])
    with pytest.raises(RegistryInvalid, match="cannot be brought back"):
        await port.make()


async def test_a_tag_whose_manifest_was_damaged_is_lost_with_it_and_says_so(port, node, stores):
    await port.make()
    team = await port.at()
    await push_image(team, b"one", tags=("v1",))
    await push_manifest(team, image(b"one", annotations={"a": "b"}), "v2")
    await node.database.write(
        lambda c: c.execute(text("UPDATE manifests SET damaged_at = 1 WHERE id = (SELECT max(id) FROM manifests)"))
    )
    await close(port)
    await port.make(OTHERS)
    back = await port.at(OTHERS)
    (newest, *_) = (await back.tags.history(back.registry, NAME, TagName("v2"), None, 9)).items
    assert (newest.after, newest.by, newest.detail) == (None, "system", "its manifest was damaged")
    assert await broken_invariants(node.database, stores["one"], registry_id=back.registry.id) == []
    assert list((await back.tags.list(back.registry, NAME, None, 9)).items) == ["v1"]
