# SPDX-License-Identifier: Apache-2.0
"""The audit log: found by what one asks for, seen by who answers for it, exported whole, and nothing missing in it."""

import csv
import io
import json
from dataclasses import replace

import pytest

from tests.services.people import acme, acting, make_repository, robot, users
from tests.services.signing import MATERIAL
from tests.services.world import ACTOR, NAME, OTHER, push_image
from wharfinger.clock import DAY, SECOND
from wharfinger.domain.access import Access, Action, Mode, Role, Visibility
from wharfinger.domain.audit import WHOLE_LOG, AuditFilter, AuditSight, ExportFormat, parse_actions
from wharfinger.domain.errors import AccountInvalid, AccountUnknown, Denied, NameUnknown
from wharfinger.domain.events import EventAction, Result
from wharfinger.domain.grants import Place
from wharfinger.domain.identity import ANONYMOUS, Principal
from wharfinger.domain.scopes import parse_scopes
from wharfinger.security.envelope import Envelope
from wharfinger.services.authorization import Authorization
from wharfinger.services.namespaces import NamespaceChange
from wharfinger.services.refusals import MOST_KNOWN
from wharfinger.services.tokens import Tokens

NOTHING = AuditSight()


async def listed(node, sight=WHOLE_LOG, *, limit=200, before=None, **wanted):
    return (await node.audit.list(AuditFilter(**wanted), sight, limit=limit, before=before)).items


async def exported(node, form, sight=WHOLE_LOG, **wanted):
    return b"".join([piece async for piece in node.audit.export(AuditFilter(**wanted), sight, form)]).decode()


async def test_events_are_found_by_who_what_where_and_when(world, node):
    (ann,) = await users(node, "ann")
    by = replace(acting(ann), credential_id=7, client_address="192.0.2.1", request_id="r-7", user_agent="docker/24")
    world.clock.move(DAY)
    noon = world.clock.now()
    await make_repository(node, NAME, by)
    await push_image(node, name=OTHER)
    (event,) = await listed(node, who="ann")
    assert (event.action, event.result, event.count, event.repository) == ("repository.created", "done", 1, NAME)
    assert (event.at, event.account_id, event.credential_id) == (noon, ann.id, 7)
    assert (event.client_address, event.request_id, event.user_agent) == ("192.0.2.1", "r-7", "docker/24")
    assert await listed(node, credential_id=7) == await listed(node, repository=NAME) == [event]
    assert [one.target for one in await listed(node, target="ann")] == ["ann"]
    assert {one.action for one in await listed(node, actions=parse_actions("manifest"))} == {"manifest.pushed"}
    moved = await listed(node, actions=parse_actions("tag.moved"), repository=OTHER)
    assert [(one.tag, one.digest is not None) for one in moved] == [("v1", True)]
    assert {one.action for one in await listed(node, since=noon)} == {
        "repository.created",
        "manifest.pushed",
        "tag.moved",
    }
    assert [one.action for one in await listed(node, until=noon)] == ["account.created"]
    assert await listed(node, result=Result.REFUSED) == []
    assert await listed(node, who="ann", repository=OTHER) == []


async def test_pages_go_from_the_newest_to_the_oldest(node):
    await users(node, "ann", "bob", "cho", "dan", "eve")
    first = await node.audit.list(AuditFilter(), WHOLE_LOG, limit=2)
    assert ([one.target for one in first.items], first.more) == (["eve", "dan"], True)
    await users(node, "fay")
    second = await node.audit.list(AuditFilter(), WHOLE_LOG, limit=3, before=first.items[-1].id)
    assert ([one.target for one in second.items], second.more) == (["cho", "bob", "ann"], False)


async def test_owners_of_an_organization_see_what_is_the_organizations(node):
    made = await acme(node, "bob")
    await users(node, "eve")
    await node.accounts.create_organization("other", ACTOR, owner="eve")
    await robot(node)
    await make_repository(node, NAME)
    await make_repository(node, "other/app")
    await make_repository(node, "plain")
    await node.namespaces.change(node.registry, "acme", NamespaceChange(default_visibility=Visibility.INTERNAL), ACTOR)
    await node.grants.give("eve", Place(registry_id=1, namespace="acme"), Role.READ, ACTOR)
    await node.grants.give("eve", Place(registry_id=1, repository=NAME), Role.READ, ACTOR)
    await node.grants.give("eve", Place(registry_id=1, namespace="other"), Role.READ, ACTOR)
    sight = await node.audit.of_organization("acme")
    assert sight == AuditSight(account_id=made.id)
    seen = [(one.action.value, one.repository, one.target) for one in reversed(await listed(node, sight))]
    assert seen == [
        ("account.created", None, "acme"),
        ("team.created", None, "acme/builders"),
        ("member.added", None, "acme"),
        ("team.joined", None, "acme/builders"),
        ("account.created", None, "acme+ci"),
        ("repository.created", NAME, None),
        ("namespace.changed", None, "acme"),
        ("grant.given", None, "eve"),
        ("grant.given", NAME, "eve"),
    ]
    with pytest.raises(AccountUnknown):
        await node.audit.of_organization("nobody")
    with pytest.raises(AccountInvalid):
        await node.audit.of_organization("ann")


async def test_admins_of_a_repository_see_its_events_and_not_those_of_another_one_of_its_name(node):
    await push_image(node)
    await push_image(node, name=OTHER)
    old = await node.audit.of_repository(node.registry, NAME)
    await node.repositories.delete(node.registry, NAME, ACTOR)
    with pytest.raises(NameUnknown):
        await node.audit.of_repository(node.registry, NAME)
    await make_repository(node, NAME)
    new = await node.audit.of_repository(node.registry, NAME)
    assert {one.repository for one in await listed(node, old)} == {NAME}
    assert [one.action for one in await listed(node, new)] == ["repository.created"]
    assert await listed(node, new, repository=OTHER) == []


async def test_a_sight_of_nothing_shows_nothing(node):
    await acme(node)
    await push_image(node)
    await make_repository(node, "plain")
    assert await listed(node, NOTHING) == []
    assert await listed(node, AuditSight(account_id=4711, repository_id=4711)) == []


async def test_an_export_has_every_event_once_and_the_oldest_first(node, monkeypatch):
    monkeypatch.setattr("wharfinger.services.audit._AT_ONCE", 3)
    names = [f"user-{number}" for number in range(7)]
    await users(node, *names)
    lines = (await exported(node, ExportFormat.JSON_LINES)).splitlines()
    records = [json.loads(line) for line in lines]
    assert [one["target"] for one in records] == names
    assert records[0]["at"] == "2023-11-14T22:13:20.000000Z"
    assert (records[0]["who"], records[0]["result"], records[0]["repository"]) == ("somebody", "done", None)
    rows = list(csv.DictReader(io.StringIO(await exported(node, ExportFormat.CSV))))
    assert [{name: str("" if value is None else value) for name, value in one.items()} for one in records] == rows
    assert await exported(node, ExportFormat.JSON_LINES, target="nobody") == ""
    assert len((await exported(node, ExportFormat.CSV, target="nobody")).splitlines()) == 1


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "|"])
async def test_no_cell_of_an_export_is_a_formula(node, begin):
    text = f'{begin}cmd|"/c calc"!A1,\n"x"'
    await node.accounts.create_user("ann", replace(ACTOR, user_agent=text, principal=Principal(name=text)))
    (row,) = csv.DictReader(io.StringIO(await exported(node, ExportFormat.CSV), newline=""))
    assert row["user_agent"] == row["who"] == f"'{text}"
    (line,) = (await exported(node, ExportFormat.JSON_LINES)).splitlines()
    assert json.loads(line)["user_agent"] == text


# --- what is denied --------------------------------------------------------------------------------------------------


async def denied(authorization, node, principal, action, name=NAME):
    def origin():
        return replace(ACTOR, principal=principal)

    with pytest.raises(Denied):
        await authorization.require(principal, node.registry, Access(Action(action), name), origin)


@pytest.fixture
def authorization(node):
    return Authorization(node.database, Mode.ACCOUNTS, refusals=node.refusals)


async def test_a_change_that_is_denied_is_told_of(node, authorization):
    (ann,) = await users(node, "ann")
    await make_repository(node, NAME)
    principal = replace(acting(ann).principal, credential_id=7)
    for action in ("push", "delete", "describe", "administer"):
        await denied(authorization, node, principal, action)
    told = await listed(node, actions=(EventAction.ACCESS_DENIED,))
    assert [one.target for one in told] == ["administer", "describe", "delete", "push"]
    assert {(one.result, one.who, one.account_id, one.credential_id, one.repository) for one in told} == {
        ("refused", "ann", ann.id, 7, NAME)
    }
    assert told[0].detail == "you need the role admin on the repository"
    assert [one.target for one in await listed(node, await node.audit.of_repository(node.registry, NAME))][:4] == [
        "administer",
        "describe",
        "delete",
        "push",
    ]


async def test_looking_for_what_is_private_is_not_told_of(node, authorization):
    (ann,) = await users(node, "ann")
    await make_repository(node, NAME)
    await denied(authorization, node, acting(ann).principal, "pull")
    assert not await authorization.allows(ANONYMOUS, node.registry, Access(Action.PUSH, NAME))
    assert await listed(node, result=Result.REFUSED) == []


async def ask_for_token(world, node, authorization, principal, *wanted):
    """Ask for a token as the token endpoint does; return what it opens."""
    tokens = Tokens(node.database, world.clock, authorization, lambda: Envelope([MATERIAL]))
    origin = replace(ACTOR, principal=principal)
    issued = await tokens.issue(principal, node.registry, parse_scopes(wanted), "basic", lambda: origin)
    return [str(one) for one in issued.granted]


async def test_a_push_that_is_denied_is_told_of_when_its_token_is_asked_for(world, node, authorization):
    """Clients that look with HEAD before they push, and see that they may not, send nothing that could be denied."""
    (ann,) = await users(node, "ann")
    await make_repository(node, NAME)
    await node.grants.give("ann", Place(registry_id=node.registry.id, repository=NAME), Role.READ, ACTOR)
    granted = await ask_for_token(world, node, authorization, acting(ann).principal, f"repository:{NAME}:pull,push")
    assert granted == [f"repository:{NAME}:pull"]
    (told,) = await listed(node, actions=(EventAction.ACCESS_DENIED,))
    assert (told.target, told.repository, told.who, told.result) == ("push", NAME, "ann", Result.REFUSED)
    await denied(authorization, node, acting(ann).principal, "push")  # the push itself is the same refusal
    await node.refusals.flush()
    assert [one.count for one in await listed(node, result=Result.REFUSED)] == [1, 1]
    assert {one.target for one in await listed(node, result=Result.REFUSED)} == {"push"}


async def test_a_token_for_what_one_may_or_to_pull_is_not_told_of(world, node, authorization):
    (ann, bob) = await users(node, "ann", "bob")
    await make_repository(node, NAME)
    await node.grants.give("ann", Place(registry_id=node.registry.id, repository=NAME), Role.WRITE, ACTOR)
    for principal, wanted in (
        (acting(ann).principal, f"repository:{NAME}:pull,push"),
        (acting(ann).principal, f"repository:{NAME}:*"),  # only the right to delete is missing
        (acting(bob).principal, f"repository:{NAME}:pull"),
        (ANONYMOUS, f"repository:{NAME}:pull,push"),
    ):
        await ask_for_token(world, node, authorization, principal, wanted)
    await node.refusals.flush()
    assert await listed(node, result=Result.REFUSED) == []


async def test_a_client_that_never_stops_trying_is_counted(world, node, authorization):
    (ann,) = await users(node, "ann")
    for _ in range(50):
        await denied(authorization, node, acting(ann).principal, "push")
    world.clock.move(60 * SECOND)
    await denied(authorization, node, acting(ann).principal, "push")
    assert [one.count for one in await listed(node, result=Result.REFUSED)] == [1, 49, 1]


async def test_a_client_that_tries_every_name_fills_no_database(node, authorization):
    (ann,) = await users(node, "ann")
    for number in range(MOST_KNOWN + 40):
        await denied(authorization, node, acting(ann).principal, "push", f"acme/app-{number}")
    await node.refusals.flush()
    told = await listed(node, result=Result.REFUSED)
    assert len(told) == MOST_KNOWN + 2
    assert sum(one.count for one in told) == MOST_KNOWN + 40
