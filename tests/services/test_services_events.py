# SPDX-License-Identifier: Apache-2.0
"""Nothing that changes goes unsaid: every method that takes `by` writes the events that are listed here, in its words.

A new method that changes something fails here until it has its line, and until what it does is told.
"""

import importlib
import inspect
import json
import pkgutil
from dataclasses import dataclass

import pytest

from tests.console import test_console_single_sign_on
from tests.services import factors
from tests.services.damage import damage, flip
from tests.services.people import acme, credential, make_repository, users
from tests.services.signing import trust_of
from tests.services.test_services_trust import rule
from tests.services.world import ACTOR, NAME, image, push_blob, push_image
from tests.support.authenticator import Authenticator
from tests.support.issuer import Key
from wharfinger import services
from wharfinger.blobstore.memory import MemoryBlobStore
from wharfinger.clock import DAY
from wharfinger.domain.access import Role, Visibility
from wharfinger.domain.accounts import CredentialKind, MemberRole, TeamName, parse_robot_name
from wharfinger.domain.audit import WHOLE_LOG, AuditFilter
from wharfinger.domain.content import ContentKind
from wharfinger.domain.digests import Algorithm, digest_of
from wharfinger.domain.grants import DEPLOYMENT
from wharfinger.domain.identity import Scope
from wharfinger.domain.policies.retention import make_policy, make_rule
from wharfinger.domain.switches import Switches
from wharfinger.domain.trash import Trashed
from wharfinger.domain.verification import Scope as Everything
from wharfinger.services.accounts import AccountChange
from wharfinger.services.beginning import Beginning
from wharfinger.services.credentials import Wanted
from wharfinger.services.lifecycle import Lifecycle
from wharfinger.services.manifests import ManifestPush
from wharfinger.services.namespaces import NamespaceChange
from wharfinger.services.registries import Registry, RegistryChange
from wharfinger.services.repositories import RepositoryChange
from wharfinger.services.storages import Storage, Storages

TEAM = TeamName("acme", "web")
NEWEST = make_policy([make_rule("newest", "v*", newest=1)])
SCOPES = frozenset({Scope.READ})
CONTENT = image(b"layer")
LAYER = digest_of(b"layer", Algorithm.SHA256)


async def nothing(_node):
    pass


async def ann(node):
    await node.accounts.create_user("ann", ACTOR, password_hash="hash")


async def suspended(node):
    await ann(node)
    await node.accounts.suspend("ann", ACTOR)


async def with_storage(node):
    declared = [Storage(name=name, place=f"/{name}", store=MemoryBlobStore()) for name in ("default", "one")]
    switches = Switches(deletion=True, read_only=False)
    node.lifecycle = Lifecycle(node.database, Storages(declared), node.clock, switches)


async def with_registry(node):
    await with_storage(node)
    row = await node.lifecycle.create("team", "one", ACTOR)
    return Registry(id=row.id, name=row.name, store=MemoryBlobStore())


async def granted(node):
    await ann(node)
    await node.grants.give("ann", DEPLOYMENT, Role.READ, ACTOR)


async def holder(node):
    await ann(node)
    await node.credentials.create("ann", credential(), ACTOR)


async def linked(node):
    await ann(node)
    await node.external_identities.link("ann", "corp", "s-1", ACTOR)


async def session(node):
    await ann(node)
    return await node.sessions.begin(await node.accounts.password("ann"), ACTOR)


async def two_sessions(node):
    await session(node)
    return await node.sessions.find((await node.sessions.begin(await node.accounts.password("ann"), ACTOR)).secret)


async def organization(node):
    await acme(node)
    await users(node, "bob")


async def member(node):
    await acme(node, "bob")


async def team(node):
    await member(node)
    await node.organizations.create_team(TEAM, ACTOR)


async def in_team(node):
    await team(node)
    await node.organizations.join_team(TEAM, "bob", ACTOR)


async def mapped(node):
    await team(node)
    await node.team_mappings.map(TEAM, "corp", "web", ACTOR)


async def demanded(node):
    await member(node)
    await node.demands.make("acme", "corp", ACTOR)


async def holding_member(node):
    await demanded(node)
    return await node.credentials.create("bob", credential(), ACTOR)


async def authorized(node):
    made = await holding_member(node)
    await node.demands.authorize("bob", made, "acme", ACTOR)
    return made


async def begun(node):
    return (await node.verification.order(node.registry, ACTOR)).run.id


async def announced(node):
    await node.jobs.announce({"bury": 1})


async def blobs(node):
    await make_repository(node, NAME)
    for content in (b"layer", b"{}"):
        await push_blob(node, content)


async def pushed(node):
    return await push_image(node)


async def untagged(node):
    digest = await push_image(node)
    await node.tags.delete(node.registry, NAME, "v1", ACTOR)
    return digest


async def without_manifest(node):
    digest = await push_image(node, tags=())
    await node.manifests.delete(node.registry, NAME, digest, ACTOR)
    return digest


async def without_blob(node):
    await blobs(node)
    await node.blobs.delete(node.registry, NAME, LAYER)


async def without_repository(node):
    await push_image(node)
    await node.repositories.delete(node.registry, NAME, ACTOR)


async def governed(node):
    await push_image(node, b"one", tags=("v1",))
    node.clock.move(DAY)
    await push_image(node, b"two", tags=("v2",))
    await node.retention.set_for_repository(node.registry, NAME, NEWEST, ACTOR)


async def make_backup(node):
    return await node.backups.make(MemoryBlobStore(), ACTOR, secret=None, keep=1)


async def trusting(node):
    return await trust_of(node, node).create(rule(jwks=json.dumps({"keys": [Key().jwk]})), ACTOR)


async def damaged(node):
    await push_image(node, b"layer")
    await damage(node, digest_of(b"layer"), flip)


def held_by(node):
    return factors.factors_of(node.clock, node).held


async def app_begun(node):
    await ann(node)
    return await held_by(node).begin_app("ann", "registry.test")


async def with_app(node):
    await ann(node)
    return (await factors.add_app(node.clock, held_by(node), ACTOR))[0]


async def second_step(node):
    secret = await with_app(node)
    node.clock.move(60_000_000)
    return factors.factors_of(node.clock, node).steps.begin(await node.accounts.password("ann")), secret


async def with_passkey(node):
    await ann(node)
    device = Authenticator()
    await factors.add_passkey(held_by(node), device, ACTOR)
    return device


def code_at_second_step(node, made):
    code = factors.code_of(node.clock, made[1])
    return factors.factors_of(node.clock, node).steps.with_code(made[0], code, ACTOR, instead_of=None)


async def shown_alone(node, device):
    steps = factors.factors_of(node.clock, node).steps
    node.clock.move(1)
    asked = steps.ask_alone(factors.URL)
    return await steps.alone(asked.sealed, device.show(asked.options), ACTOR, instead_of=None)


async def shown_after_password(node, device):
    steps = factors.factors_of(node.clock, node).steps
    pending = steps.begin(await node.accounts.password("ann"))
    node.clock.move(1)
    asked = await steps.ask(pending, factors.URL)
    answer = device.show(asked.options)
    return await steps.with_passkey(pending, asked.sealed, answer, ACTOR, instead_of=None)


@dataclass(frozen=True)
class Line:
    """What is there before, what is done with what that returned, and what is told of it."""

    before: object
    done: object
    told: tuple


def line(before, done, *told):
    return Line(before, done, told)


LINES = {
    "Accounts.create_user": line(nothing, lambda n, _: n.accounts.create_user("ann", ACTOR), "account.created"),
    "Accounts.create_organization": line(
        ann, lambda n, _: n.accounts.create_organization("acme", ACTOR, owner="ann"), "account.created"
    ),
    "Accounts.create_robot": line(
        organization, lambda n, _: n.accounts.create_robot(parse_robot_name("acme+ci"), ACTOR), "account.created"
    ),
    "Accounts.change": line(
        ann, lambda n, _: n.accounts.change("ann", AccountChange(email="a@example.org"), ACTOR), "account.changed"
    ),
    "Accounts.suspend": line(ann, lambda n, _: n.accounts.suspend("ann", ACTOR), "account.suspended"),
    "Accounts.resume": line(suspended, lambda n, _: n.accounts.resume("ann", ACTOR), "account.resumed"),
    "Accounts.delete": line(ann, lambda n, _: n.accounts.delete("ann", ACTOR), "account.deleted"),
    "Accounts.set_password": line(ann, lambda n, _: n.accounts.set_password("ann", "h", ACTOR), "password.changed"),
    "Backups.make": line(nothing, lambda n, _: make_backup(n), "backup.made"),
    "Backups.note_restored": line(
        make_backup, lambda n, made: n.backups.note_restored(made[0], ACTOR), "backup.restored"
    ),
    "Beginning.create_administrator": line(
        nothing,
        lambda n, _: Beginning(n.database, n.clock).create_administrator("ann", "h", None, ACTOR),
        "account.created",
        "grant.given",
    ),
    "Blobs.restore": line(without_blob, lambda n, _: n.blobs.restore(n.registry, NAME, LAYER, ACTOR), "blob.restored"),
    "Content.change": line(
        nothing, lambda n, _: n.content.change({ContentKind.CHART: False}, ACTOR), "deployment.changed"
    ),
    "Credentials.create": line(
        ann, lambda n, _: n.credentials.create("ann", credential(CredentialKind.KEY), ACTOR), "credential.created"
    ),
    "Credentials.issue": line(
        ann,
        lambda n, _: n.credentials.issue("ann", Wanted(kind=CredentialKind.TOKEN, name="laptop", scopes=SCOPES), ACTOR),
        "credential.created",
    ),
    "Credentials.revoke": line(holder, lambda n, _: n.credentials.revoke("ann", 1, ACTOR), "credential.revoked"),
    "Credentials.revoke_all": line(holder, lambda n, _: n.credentials.revoke_all("ann", ACTOR), "credential.revoked"),
    "Demands.make": line(member, lambda n, _: n.demands.make("acme", "corp", ACTOR), "sign-on.demanded"),
    "Demands.lift": line(demanded, lambda n, _: n.demands.lift("acme", ACTOR), "sign-on.demanded"),
    "Demands.authorize": line(
        holding_member, lambda n, made: n.demands.authorize("bob", made, "acme", ACTOR), "credential.authorized"
    ),
    "Demands.withdraw": line(
        authorized, lambda n, made: n.demands.withdraw("bob", made, "acme", ACTOR), "credential.authorized"
    ),
    "ExternalIdentities.link": line(
        ann, lambda n, _: n.external_identities.link("ann", "corp", "s-1", ACTOR), "identity.linked"
    ),
    "ExternalIdentities.unlink": line(
        linked, lambda n, _: n.external_identities.unlink("ann", "corp", ACTOR), "identity.unlinked"
    ),
    "Descriptions.change": line(
        pushed, lambda n, _: n.descriptions.change(n.registry, NAME, "# App", ACTOR), "repository.changed"
    ),
    "Grants.give": line(ann, lambda n, _: n.grants.give("ann", DEPLOYMENT, Role.READ, ACTOR), "grant.given"),
    "Grants.take": line(granted, lambda n, _: n.grants.take("ann", DEPLOYMENT, ACTOR), "grant.taken"),
    "Manifests.put": line(
        blobs,
        lambda n, _: n.manifests.put(
            n.registry, NAME, ManifestPush(content=CONTENT, content_type=None, digest=None, tags=("v1", "v2")), ACTOR
        ),
        "manifest.pushed",
        "tag.moved",
        "tag.moved",
    ),
    "Manifests.delete": line(
        pushed,
        lambda n, digest: n.manifests.delete(n.registry, NAME, digest, ACTOR),
        "manifest.deleted",
        "tag.deleted",
    ),
    "Manifests.restore": line(
        without_manifest,
        lambda n, digest: n.manifests.restore(n.registry, NAME, digest, ACTOR),
        "manifest.restored",
    ),
    "Jobs.order": line(announced, lambda n, _: n.jobs.order("bury", ACTOR), "job.ordered"),
    "Namespaces.change": line(
        nothing,
        lambda n, _: n.namespaces.change(
            n.registry, "acme", NamespaceChange(default_visibility=Visibility.PUBLIC), ACTOR
        ),
        "namespace.changed",
    ),
    "Organizations.put_member": line(
        organization, lambda n, _: n.organizations.put_member("acme", "bob", MemberRole.MEMBER, ACTOR), "member.added"
    ),
    "Organizations.remove_member": line(
        member, lambda n, _: n.organizations.remove_member("acme", "bob", ACTOR), "member.removed"
    ),
    "Organizations.create_team": line(
        organization, lambda n, _: n.organizations.create_team(TEAM, ACTOR), "team.created"
    ),
    "Organizations.describe_team": line(
        team, lambda n, _: n.organizations.describe_team(TEAM, "builds", ACTOR), "team.changed"
    ),
    "Organizations.delete_team": line(team, lambda n, _: n.organizations.delete_team(TEAM, ACTOR), "team.deleted"),
    "Organizations.join_team": line(team, lambda n, _: n.organizations.join_team(TEAM, "bob", ACTOR), "team.joined"),
    "Organizations.leave_team": line(in_team, lambda n, _: n.organizations.leave_team(TEAM, "bob", ACTOR), "team.left"),
    "RegistrySwitches.change": line(
        nothing,
        lambda n, _: n.registry_switches.change(n.registry, RegistryChange(anonymous_pull=False), ACTOR),
        "registry.changed",
    ),
    "Repositories.change": line(
        pushed,
        lambda n, _: n.repositories.change(n.registry, NAME, RepositoryChange(description="x"), ACTOR),
        "repository.changed",
    ),
    "Lifecycle.create": line(with_storage, lambda n, _: n.lifecycle.create("team", "one", ACTOR), "registry.created"),
    "Lifecycle.delete": line(
        with_registry, lambda n, registry: n.lifecycle.delete(registry, ACTOR, images=True), "registry.deleted"
    ),
    "Repositories.delete": line(
        pushed, lambda n, _: n.repositories.delete(n.registry, NAME, ACTOR), "repository.deleted"
    ),
    "Repositories.restore": line(
        without_repository, lambda n, _: n.repositories.restore(n.registry, NAME, ACTOR), "repository.restored"
    ),
    "Retention.run": line(governed, lambda n, _: n.retention.run(n.registry, NAME, ACTOR), "tag.deleted"),
    "Retention.set_for_namespace": line(
        pushed, lambda n, _: n.retention.set_for_namespace(n.registry, "acme", NEWEST, ACTOR), "retention.changed"
    ),
    "Retention.set_for_repository": line(
        pushed, lambda n, _: n.retention.set_for_repository(n.registry, NAME, NEWEST, ACTOR), "retention.changed"
    ),
    "SecondFactors.add_app": line(
        app_begun,
        lambda n, made: held_by(n).add_app("ann", "phone", made.sealed, factors.code_of(n.clock, made.secret), ACTOR),
        "second-factor.added",
    ),
    "SecondFactors.add_passkey": line(
        ann, lambda n, _: factors.add_passkey(held_by(n), Authenticator(), ACTOR), "second-factor.added"
    ),
    "SecondFactors.remove": line(with_app, lambda n, _: held_by(n).remove("ann", 1, ACTOR), "second-factor.removed"),
    "SecondFactors.reset": line(with_app, lambda n, _: held_by(n).reset("ann", ACTOR), "second-factor.removed"),
    "SecondFactors.renew_codes": line(
        with_app, lambda n, _: held_by(n).renew_codes("ann", ACTOR), "recovery-codes.made"
    ),
    "SecondSteps.alone": line(with_passkey, shown_alone, "session.begun"),
    "SecondSteps.with_code": line(second_step, code_at_second_step, "session.begun"),
    "SecondSteps.with_passkey": line(with_passkey, shown_after_password, "session.begun"),
    "Sessions.begin": line(ann, lambda n, _: session_of_ann(n), "session.begun"),
    "Sessions.end": line(session, lambda n, made: n.sessions.end(made.secret, ACTOR), "session.ended"),
    "Sessions.end_one": line(two_sessions, lambda n, kept: n.sessions.end_one(kept, 1, ACTOR), "session.ended"),
    "Sessions.end_others": line(two_sessions, lambda n, kept: n.sessions.end_others(kept, ACTOR), "session.ended"),
    "Tags.delete_all": line(pushed, lambda n, _: n.tags.delete_all(n.registry, NAME, ["v1"], ACTOR), "tag.deleted"),
    "Tags.delete": line(pushed, lambda n, _: n.tags.delete(n.registry, NAME, "v1", ACTOR), "tag.deleted"),
    "Tags.restore": line(untagged, lambda n, _: n.tags.restore(n.registry, NAME, "v1", ACTOR), "tag.moved"),
    "Trash.purge": line(
        without_repository, lambda n, _: n.trash.purge(n.registry, Trashed(repository=NAME), ACTOR), "trash.purged"
    ),
    "TeamMappings.map": line(team, lambda n, _: n.team_mappings.map(TEAM, "corp", "web", ACTOR), "team.mapped"),
    "TeamMappings.unmap": line(mapped, lambda n, _: n.team_mappings.unmap(TEAM, "corp", "web", ACTOR), "team.unmapped"),
    "Verification.order": line(nothing, lambda n, _: n.verification.order(n.registry, ACTOR), "verification.ordered"),
    "Verification.stop": line(
        begun, lambda n, number: n.verification.stop(n.registry, number, ACTOR), "verification.stopped"
    ),
    "TrustRules.create": line(nothing, lambda n, _: trust_of(n, n).create(rule(), ACTOR), "trust.added"),
    "TrustRules.change_keys": line(
        trusting, lambda n, made: trust_of(n, n).change_keys(made.id, None, ACTOR), "trust.changed"
    ),
    "TrustRules.remove": line(trusting, lambda n, made: trust_of(n, n).remove(made.id, ACTOR), "trust.removed"),
    "Verification.run": line(
        damaged, lambda n, _: n.verification.run(n.registry, Everything(), ACTOR), "content.damaged"
    ),
}
ELSEWHERE = {
    "AccountIdentity.remember_device": "it is Credentials.create",
    "FactorChecks.code": "it changes nothing; what is refused: test_services_second_factors",
    "FactorChecks.note_wrong": "as above",
    "FactorChecks.refuse": "as above",
    "Refusals.note": "it writes an event, and changes nothing",
    "SecondFactors.prove": "it changes nothing but a code that counts no more",
    "SingleSignOn.finish": "with a provider: test_console_single_sign_on",
    "Stars.put": "stars are not told of: test_services_stars",
    "Stars.remove": "as above",
    "Uploads.mount": "uploads and blobs are not told of: nobody asks about them",
    "Uploads.push": "as above, and the repository that it makes is: test_services_audit",
    "Uploads.start": "as above",
}


async def session_of_ann(node):
    return await node.sessions.begin(await node.accounts.password("ann"), ACTOR)


def changing():
    """Return every public method of a service that is told who does it."""
    found = set()
    for module in pkgutil.iter_modules(services.__path__):
        inside = importlib.import_module(f"{services.__name__}.{module.name}")
        for name, kind in inspect.getmembers(inside, inspect.isclass):
            if kind.__module__ == inside.__name__:
                found |= {
                    f"{name}.{method}"
                    for method, function in inspect.getmembers(kind, inspect.iscoroutinefunction)
                    if not method.startswith("_") and "by" in inspect.signature(function).parameters
                }
    return found


def test_every_method_that_changes_something_has_its_line():
    assert changing() - LINES.keys() - ELSEWHERE.keys() == set(), "give it a line above, with the events that it writes"
    assert LINES.keys() - changing() == set(), "these are no more"


def test_what_is_told_elsewhere_is_told_there():
    """The one method that needs another server: the test that reads its events is there, and reads them."""
    test = inspect.getsource(test_console_single_sign_on.test_what_a_sign_in_through_a_provider_does_is_told)
    assert "sign_in(browser, corp)" in test
    assert "events_of(site)" in test
    assert [method for method, why in ELSEWHERE.items() if "test_console" in why] == ["SingleSignOn.finish"]


@pytest.mark.parametrize("method", LINES)
async def test_what_changes_is_told_once_and_names_who_did_it(world, node, method):
    node.clock = world.clock
    made = await LINES[method].before(node)
    before = (await node.audit.list(AuditFilter(), WHOLE_LOG, limit=1)).items
    await LINES[method].done(node, made)
    told = (await node.audit.list(AuditFilter(), WHOLE_LOG, limit=20)).items
    told = [one for one in reversed(told) if not before or one.id > before[0].id]
    assert tuple(one.action.value for one in told) == LINES[method].told
    assert {(one.who, one.client_address, one.request_id, one.result) for one in told} == {
        ("somebody", "192.0.2.7", "r-1", "done")
    }
    assert {one.at for one in told} == {world.clock.now()}
