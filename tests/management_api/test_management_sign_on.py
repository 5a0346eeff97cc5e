# SPDX-License-Identifier: Apache-2.0
"""Single sign-on from afar: identities, groups that teams follow, demands, and the tokens that count nevertheless."""

import hashlib

import pytest

from tests.management_api.conftest import PASSWORD
from tests.management_api.test_management_shape import problem


@pytest.fixture
def organization(world, request):
    """An organization of the test's own with two owners and a team; return its name."""
    name = "org-" + hashlib.sha256(request.node.name.encode()).hexdigest()[:8]
    world.office.organization(name, world.user(f"{name}-owner"))
    member = world.user(f"{name}-member")
    world.ask("PUT", f"/organizations/{name}/members/{member}", "max", json={"role": "owner"})
    world.ask("POST", f"/organizations/{name}/teams", "max", json={"name": "web"})
    return name


def events(world, action):
    found = world.ask("GET", f"/events?action={action}&n=5", "max").json()["items"]
    return [(one["who"], one["target"], one["detail"]) for one in found]


def test_a_manager_links_a_user_and_unlinks_it(world, organization):
    member = f"{organization}-member"
    path = f"/users/{member}/identities"
    assert world.ask("GET", path, "max").json() == {"items": []}
    made = world.ask("POST", path, "max", json={"provider": "corp", "subject": f"s-{organization}"})
    assert made.status_code == 201
    (shown,) = made.json()["items"]
    assert (shown["provider"], shown["subject"]) == ("corp", f"s-{organization}")
    again = world.ask("POST", path, "max", json={"provider": "corp", "subject": f"s-{organization}"})
    assert again.json() == made.json()
    taken = world.ask("POST", "/users/una/identities", "max", json={"provider": "corp", "subject": f"s-{organization}"})
    problem(taken, 409, "account-conflict")
    assert world.ask("DELETE", f"{path}/corp", "max").status_code == 204
    problem(world.ask("DELETE", f"{path}/corp", "max"), 404, "account-unknown")
    assert [one[0] for one in events(world, "identity.linked")][:1] == ["max"]


def test_nobody_links_an_identity_to_its_own_account_with_a_token(world):
    found = problem(
        world.ask("POST", "/users/max/identities", "admin:org", json={"provider": "corp", "subject": "thief"}),
        409,
        "account-conflict",
    )
    assert "your own account" in found["detail"]
    assert world.ask("GET", "/users/max/identities", "max").json() == {"items": []}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"provider": "nobody", "subject": "s"}, 400),
        ({"provider": "Corp", "subject": "s"}, 422),
        ({"provider": "corp", "subject": ""}, 422),
        ({"provider": "corp", "subject": "s" * 256}, 422),
        ({"provider": "corp", "subject": "a\nb"}, 422),
        ({"provider": "corp"}, 422),
    ],
)
def test_an_identity_that_cannot_be_is_refused(world, body, status):
    assert world.ask("POST", "/users/una/identities", "max", json=body).status_code == status


def test_a_team_follows_groups_of_any_name_until_it_does_not(world, organization):
    path = f"/organizations/{organization}/teams/web/groups"
    for group in ("developers", "/all/who build", "한국"):
        assert world.ask("POST", path, "max", json={"provider": "corp", "group": group}).status_code == 201
    listed = world.ask("GET", path, "max").json()["items"]
    assert {one["group"] for one in listed} == {"developers", "/all/who build", "한국"}
    for group in ("/all/who build", "한국"):
        query = {"provider": "corp", "group": group}
        assert world.ask("DELETE", path, "max", params=query).status_code == 204
        problem(world.ask("DELETE", path, "max", params=query), 404, "account-unknown")
    assert world.ask("GET", path, "max").json() == {"items": [{"provider": "corp", "group": "developers"}]}
    problem(world.ask("DELETE", path, "max"), 400, "parameters-invalid")
    absent = f"/organizations/{organization}/teams/nobody/groups"
    problem(world.ask("GET", absent, "max"), 404, "account-unknown")


def test_what_an_organization_demands_binds_its_members_until_it_is_lifted(world, organization):
    """The whole way of a member: its password, a token that is not authorized, then one that is, then not any more."""
    member, path = f"{organization}-member", f"/organizations/{organization}/single-sign-on"
    token = world.office.token(member, "admin:org")
    assert world.ask("GET", path, member).json() == {"provider": None, "members_without_identity": 0}
    assert world.ask("PUT", path, member, json={"provider": "corp"}).json() == {
        "provider": "corp",
        "members_without_identity": 2,
    }
    # Whoever owned it a moment ago has to prove it now, also to lift the demand.
    assert world.ask("GET", path, member).status_code == 401  # a password is not taken from members any more
    assert world.bearer("DELETE", path, token.secret).status_code == 403
    listed = world.ask("GET", f"/accounts/{member}/single-sign-on", "max").json()["items"]
    assert listed == [{"organization": organization, "provider": "corp", "credentials": []}]

    authorization = f"/accounts/{member}/credentials/{token.id}/authorizations/{organization}"
    assert world.bearer("PUT", authorization, token.secret).status_code == 403  # no token vouches for itself
    assert world.ask("PUT", authorization, "admin:org").status_code == 403
    assert world.ask("PUT", authorization, "max").status_code == 204
    assert world.ask("GET", f"/accounts/{member}/single-sign-on", "max").json()["items"][0]["credentials"] == [token.id]
    assert world.bearer("GET", path, token.secret).status_code == 200
    assert world.ask("DELETE", authorization, "max").status_code == 204
    assert world.bearer("DELETE", path, token.secret).status_code == 403
    assert world.ask("DELETE", path, "max").status_code == 204
    assert world.ask("GET", path, member).json()["provider"] is None
    told = events(world, "credential.authorized")[:2]
    assert [one[2] for one in told] == [f"no more for {organization}", f"for {organization}"]


def test_a_demand_for_a_provider_that_is_not_there_is_refused_with_those_that_are(world, organization):
    answer = world.ask("PUT", f"/organizations/{organization}/single-sign-on", "max", json={"provider": "nobody"})
    assert "known are corp" in problem(answer, 400, "account-invalid")["detail"]
    assert PASSWORD not in answer.text


def test_what_belongs_to_no_member_cannot_be_authorized(world, organization):
    path = f"/organizations/{organization}/single-sign-on"
    made = world.office.token("una")
    assert world.ask("PUT", path, "max", json={"provider": "corp"}).status_code == 200
    answer = world.ask("PUT", f"/accounts/una/credentials/{made.id}/authorizations/{organization}", "max")
    assert "no member" in problem(answer, 400, "account-invalid")["detail"]
    others = f"/accounts/{organization}-owner/credentials/{made.id}/authorizations/{organization}"
    problem(world.ask("PUT", others, "max"), 404, "account-unknown")
    assert world.ask("DELETE", path, "max").status_code == 204
