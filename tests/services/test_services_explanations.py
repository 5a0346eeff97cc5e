# SPDX-License-Identifier: Apache-2.0
"""Why somebody may or may not: every proposed change turns the no into a yes, and nothing private is given away."""

import pytest

from tests.services.people import BUILDERS, acme, acting, make_repository, users
from tests.services.world import ACTOR
from wharfinger.domain.access import Access, Action, Mode, Role, Visibility
from wharfinger.domain.accounts import AccountName, MemberRole
from wharfinger.domain.content import ContentKind
from wharfinger.domain.errors import AccountUnknown, Denied, NameUnknown
from wharfinger.domain.explanations import Change
from wharfinger.domain.grants import DEPLOYMENT, Place
from wharfinger.domain.identity import ANONYMOUS
from wharfinger.domain.names import RepositoryName
from wharfinger.services.authorization import Authorization
from wharfinger.services.explanations import Explanations
from wharfinger.services.namespaces import NamespaceChange
from wharfinger.services.repositories import RepositoryChange

NAME = RepositoryName("acme/app")
FREE = RepositoryName("acme/new")
NAMESPACE = Place(registry_id=1, namespace="acme")
REPOSITORY = Place(registry_id=1, repository=NAME)


@pytest.fixture
async def known(node):
    """Return the explanations of an organization with a repository, an owner, a member, and somebody outside."""
    await acme(node, "bob")
    await users(node, "eve")
    await make_repository(node, NAME)
    return Explanations(node.database, Authorization(node.database, Mode.ACCOUNTS))


@pytest.fixture
def explain(node, known):
    async def ask(account, action, name=NAME, asker="ann"):
        principal = acting(await node.accounts.find(AccountName(asker))).principal
        return await known.explain(principal, node.registry, Access(Action(action), name), account)

    return ask


async def follow(node, remedy, who, name):
    """Do what a remedy says."""
    match remedy.change:
        case Change.GRANT_ON_REPOSITORY:
            await node.grants.give(who, REPOSITORY, remedy.role, ACTOR)
        case Change.GRANT_ON_NAMESPACE:
            await node.grants.give(who, NAMESPACE, remedy.role, ACTOR)
        case Change.GRANT_ON_REGISTRY:
            await node.grants.give(who, Place(registry_id=1), remedy.role, ACTOR)
        case Change.INHERIT:
            await node.repositories.change(node.registry, name, RepositoryChange(inherits=True), ACTOR)
        case Change.MAKE_INTERNAL:
            change = RepositoryChange(visibility=Visibility.INTERNAL)
            await node.repositories.change(node.registry, name, change, ACTOR)
        case Change.MAKE_PUBLIC:
            change = RepositoryChange(visibility=Visibility.PUBLIC)
            await node.repositories.change(node.registry, name, change, ACTOR)
        case Change.RESUME_ACCOUNT:
            await node.accounts.resume(AccountName(who), ACTOR)
        case other:
            pytest.fail(f"nobody but {who} can {other}")


CASES = [
    ("eve", "pull", NAME, [Change.GRANT_ON_REPOSITORY, Change.MAKE_INTERNAL]),
    ("eve", "push", NAME, [Change.GRANT_ON_REPOSITORY]),
    ("bob", "pull", NAME, [Change.GRANT_ON_REPOSITORY, Change.INHERIT, Change.MAKE_INTERNAL]),
    ("bob", "delete", NAME, [Change.GRANT_ON_REPOSITORY]),
    ("eve", "push", FREE, [Change.GRANT_ON_NAMESPACE]),
    ("eve", "push", RepositoryName("plain"), [Change.GRANT_ON_REGISTRY]),
]


@pytest.mark.parametrize(("who", "action", "name", "expected"), CASES, ids=str)
async def test_each_change_that_is_proposed_turns_the_no_into_a_yes(node, explain, who, action, name, expected):
    await node.grants.give("ann", Place(registry_id=1), Role.ADMIN, ACTOR)
    found = await explain(who, action, name)
    assert not found.decision.allowed
    assert [one.change for one in found.remedies] == expected
    (first, *_) = found.remedies
    await follow(node, first, who, name)
    again = await explain(who, action, name)
    assert again.decision.allowed, again
    assert again.remedies == ()


@pytest.mark.parametrize("number", [1, 2])
async def test_the_wider_changes_help_as_well(node, explain, number):
    remedy = (await explain("bob", "pull")).remedies[number]
    await follow(node, remedy, "bob", NAME)
    assert (await explain("bob", "pull")).decision.allowed


async def test_who_did_not_sign_in_is_told_to_or_the_repository_is_public(node, explain):
    found = await explain(ANONYMOUS.name, "pull")
    assert [one.change for one in found.remedies] == [Change.SIGN_IN, Change.MAKE_PUBLIC]
    await follow(node, found.remedies[1], ANONYMOUS.name, NAME)
    assert (await explain(ANONYMOUS.name, "pull")).decision.allowed


async def test_a_suspended_account_is_resumed_and_nothing_else_helps(node, explain):
    await node.grants.give("eve", REPOSITORY, Role.WRITE, ACTOR)
    await node.accounts.suspend(AccountName("eve"), ACTOR)
    found = await explain("eve", "push")
    assert [one.change for one in found.remedies] == [Change.RESUME_ACCOUNT]
    await follow(node, found.remedies[0], "eve", NAME)
    assert (await explain("eve", "push")).decision.allowed


async def test_what_somebody_has_is_told_with_where_it_comes_from_and_whether_it_counts(node, explain):
    await node.grants.give(BUILDERS, REPOSITORY, Role.READ, ACTOR)
    await node.grants.give("bob", NAMESPACE, Role.ADMIN, ACTOR)
    found = await explain("bob", "push")
    told = {(str(one.place), one.role, one.through): one.counts for one in found.given}
    assert told == {
        ("the repository acme/app", Role.READ, "acme/builders"): True,
        ("the namespace acme", Role.ADMIN, None): False,
        ("the namespace acme", Role.READ, "acme"): False,
    }
    assert Change.INHERIT in {one.change for one in found.remedies}
    owner = await explain("ann", "delete")
    assert [(one.role, one.through, one.counts) for one in owner.given] == [(Role.ADMIN, "acme", True)]


async def test_roles_elsewhere_and_of_others_are_not_told(node, explain):
    await make_repository(node, "beta/app")
    await node.grants.give("eve", Place(registry_id=1, repository="beta/app"), Role.ADMIN, ACTOR)
    await node.grants.give("ann", REPOSITORY, Role.READ, ACTOR)
    assert (await explain("eve", "pull")).given == []


async def test_what_a_team_of_a_suspended_organization_gives_does_not_count(node, known):
    await node.organizations.put_member("acme", "eve", MemberRole.MEMBER, ACTOR)
    await node.organizations.join_team(BUILDERS, "eve", ACTOR)
    await node.grants.give(BUILDERS, DEPLOYMENT, Role.WRITE, ACTOR)
    await node.accounts.suspend(AccountName("acme"), ACTOR)
    eve = acting(await node.accounts.find(AccountName("eve"))).principal
    found = await known.explain_all(eve, node.registry, Access(Action.PUSH, NAME))
    assert [(one.through, one.counts) for one in found.given] == [("acme/builders", False)]


async def test_about_others_only_who_administers_the_repository_is_told(node, explain):
    with pytest.raises(NameUnknown):
        await explain("ann", "pull", asker="eve")
    await node.grants.give("eve", REPOSITORY, Role.WRITE, ACTOR)
    with pytest.raises(Denied):
        await explain("ann", "pull", asker="eve")
    with pytest.raises(AccountUnknown):
        await explain("nobody-here", "pull")


async def test_about_oneself_a_private_name_and_a_free_one_get_the_same_words(node, explain):
    await node.grants.give("eve", NAMESPACE, Role.READ, ACTOR)  # which does not reach a repository that keeps to itself
    private, free = [await explain(None, "pull", name, asker="eve") for name in (NAME, FREE)]
    assert (private.decision, private.given, private.remedies) == (free.decision, free.given, free.remedies)
    assert [one.change for one in private.remedies] == [Change.ASK]
    assert private.remedies[0].sentence(NAME, "eve") == (
        "ask who administers acme/app or its namespace for the role read"
    )


async def test_a_push_is_told_which_kinds_are_switched_off_and_nothing_else_is(node, explain):
    off = {ContentKind.CHART: False}
    await node.namespaces.change(node.registry, "acme", NamespaceChange(taken=off), ACTOR)
    await node.content.change({ContentKind.ARTIFACT: False}, ACTOR)
    for asker, account in (("ann", None), ("ann", "ann")):
        found = await explain(account, "push", asker=asker)
        assert (found.decision.allowed, set(found.refused)) == (True, {ContentKind.CHART, ContentKind.ARTIFACT})
        assert "in the namespace 'acme'" in found.refused[ContentKind.CHART]
        assert "in this deployment" in found.refused[ContentKind.ARTIFACT]
    assert (await explain(None, "pull")).refused == {}
    assert (await explain(None, "push", asker="eve")).refused == {}
    assert set((await explain(None, "push", FREE)).refused) == {ContentKind.CHART, ContentKind.ARTIFACT}
