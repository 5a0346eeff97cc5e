# SPDX-License-Identifier: Apache-2.0
"""Nothing that changes goes unsaid: every method that takes `by` writes the events that are listed here, in its words.

A new method that changes something fails here until it has its line, and until what it does is told.
"""

import importlib
import inspect
import pkgutil
from dataclasses import dataclass

import pytest

from tests.services.people import acme, credential, make_repository, users
from tests.services.world import ACTOR, NAME, image, push_blob, push_image
from wharfinger import services
from wharfinger.domain.access import Role, Visibility
from wharfinger.domain.accounts import CredentialKind, MemberRole, TeamName, parse_robot_name
from wharfinger.domain.audit import WHOLE_LOG, AuditFilter
from wharfinger.domain.digests import Algorithm, digest_of
from wharfinger.domain.grants import DEPLOYMENT
from wharfinger.domain.identity import Scope
from wharfinger.domain.trash import Trashed
from wharfinger.services.accounts import AccountChange
from wharfinger.services.beginning import Beginning
from wharfinger.services.credentials import Wanted
from wharfinger.services.manifests import ManifestPush
from wharfinger.services.namespaces import NamespaceChange
from wharfinger.services.registries import RegistryChange
from wharfinger.services.repositories import RepositoryChange

TEAM = TeamName("acme", "web")
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
    "Beginning.create_administrator": line(
        nothing,
        lambda n, _: Beginning(n.database, n.clock).create_administrator("ann", "h", None, ACTOR),
        "account.created",
        "grant.given",
    ),
    "Blobs.restore": line(without_blob, lambda n, _: n.blobs.restore(n.registry, NAME, LAYER, ACTOR), "blob.restored"),
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
    "Repositories.delete": line(
        pushed, lambda n, _: n.repositories.delete(n.registry, NAME, ACTOR), "repository.deleted"
    ),
    "Sessions.begin": line(ann, lambda n, _: session_of_ann(n), "session.begun"),
    "Sessions.end": line(session, lambda n, made: n.sessions.end(made.secret, ACTOR), "session.ended"),
    "Sessions.end_others": line(two_sessions, lambda n, kept: n.sessions.end_others(kept, ACTOR), "session.ended"),
    "Tags.delete": line(pushed, lambda n, _: n.tags.delete(n.registry, NAME, "v1", ACTOR), "tag.deleted"),
    "Trash.purge": line(
        without_repository, lambda n, _: n.trash.purge(n.registry, Trashed(repository=NAME), ACTOR), "trash.purged"
    ),
    "TeamMappings.map": line(team, lambda n, _: n.team_mappings.map(TEAM, "corp", "web", ACTOR), "team.mapped"),
    "TeamMappings.unmap": line(mapped, lambda n, _: n.team_mappings.unmap(TEAM, "corp", "web", ACTOR), "team.unmapped"),
    "Verification.order": line(nothing, lambda n, _: n.verification.order(n.registry, ACTOR), "verification.ordered"),
}
ELSEWHERE = {
    "AccountIdentity.remember_device": "it is Credentials.create",
    "Refusals.note": "it writes an event, and changes nothing",
    "Repositories.restore": "told with what comes back: test_services_restoring",
    "Retention.run": "what it removes is told of: test_services_retention",
    "Retention.set_for_namespace": "as above",
    "Retention.set_for_repository": "as above",
    "SingleSignOn.finish": "with a provider: test_services_single_sign_on",
    "Tags.restore": "a movement of the tag: test_services_restoring",
    "Uploads.mount": "uploads and blobs are not told of: nobody asks about them",
    "Uploads.push": "as above, and the repository that it makes is: test_services_audit",
    "Uploads.start": "as above",
    "Backups.make": "with files: test_services_backup",
    "Backups.note_restored": "as above",
    "TrustRules.change_keys": "with an issuer: test_services_trust",
    "TrustRules.create": "as above",
    "TrustRules.remove": "as above",
    "Verification.run": "what it finds is told of: test_services_verification",
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
