# SPDX-License-Identifier: Apache-2.0
"""Accounts made with as few words as possible, and what was recorded about them."""

from sqlalchemy import text

from tests.services.world import ACTOR
from wharfinger.domain.access import Access, Action, Mode
from wharfinger.domain.accounts import CredentialKind, MemberRole, TeamName, parse_robot_name
from wharfinger.domain.identity import Actor, Principal
from wharfinger.domain.names import RepositoryName
from wharfinger.metadata.credentials import NewCredential
from wharfinger.services.authorization import Authorization

BUILDERS = TeamName("acme", "builders")


async def users(node, *names):
    """Create users and return them."""
    return [await node.accounts.create_user(name, ACTOR) for name in names]


async def acme(node, *members):
    """Create the organization `acme` of `ann`, with further members and a team of all of them."""
    await users(node, "ann", *members)
    made = await node.accounts.create_organization("acme", ACTOR, owner="ann")
    await node.organizations.create_team(BUILDERS, ACTOR)
    for name in members:
        await node.organizations.put_member("acme", name, MemberRole.MEMBER, ACTOR)
        await node.organizations.join_team(BUILDERS, name, ACTOR)
    return made


async def robot(node, name="acme+ci"):
    return await node.accounts.create_robot(parse_robot_name(name), ACTOR)


def acting(account):
    """Return the actor that an account is."""
    return Actor(principal=Principal(name=account.name, account_id=account.id))


async def may(node, account, action, name):
    """Say whether an account may do something to a repository."""
    principal = Principal(name=account.name, account_id=account.id)
    access = Access(Action(action), RepositoryName(name))
    return await Authorization(node.database, Mode.ACCOUNTS).allows(principal, node.registry, access)


async def make_repository(node, name, by=ACTOR):
    await node.uploads.start(node.registry, RepositoryName(name), None, by)


def credential(kind=CredentialKind.TOKEN, name="laptop", fingerprint="f-1", **more):
    return NewCredential(kind=kind, name=name, fingerprint=fingerprint, hint="wxyz", **more)


async def facts(node):
    """Return every event about accounts: what happened, to whom, and the details."""
    sql = text("SELECT action, target, detail FROM events WHERE target IS NOT NULL ORDER BY id")
    return await node.database.read(lambda c: [tuple(row) for row in c.execute(sql)])


async def scalar(node, sql, **values):
    return await node.database.read(lambda c: c.execute(text(sql), values).scalar())
