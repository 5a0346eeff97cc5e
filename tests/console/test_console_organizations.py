# SPDX-License-Identifier: Apache-2.0
"""Pages of organizations: members, teams, robots, roles and settings; who sees them, and what their forms do."""

import re
from html import unescape

import pytest

from tests.console.people import Browser, services_of, user
from tests.console.registry import Site
from tests.support.images import image
from wharfinger.domain.accounts import AccountName, MemberRole, TeamName, parse_robot_name
from wharfinger.domain.content import ContentKind
from wharfinger.domain.grants import DEPLOYMENT, Place, Role
from wharfinger.domain.identity import SYSTEM_ACTOR
from wharfinger.services.accounts import AccountChange

PROVIDER = {
    "ACCOUNTS_OIDC_0_NAME": "corp",
    "ACCOUNTS_OIDC_0_DISPLAYNAME": "Example Corp",
    "ACCOUNTS_OIDC_0_ISSUER": "https://login.example.com",
    "ACCOUNTS_OIDC_0_CLIENTID": "registry",
    "ACCOUNTS_OIDC_0_CLIENTSECRET": "not-a-real-secret",
}
PEOPLE = ("ann", "bob", "eve", "max")
"""An owner, a member, somebody outside, and a manager of the deployment."""


@pytest.fixture
async def site(tmp_path):
    """Return a registry with the organization `acme`, a team, a robot, and people."""
    async with Site(tmp_path, **PROVIDER) as one:
        for name in PEOPLE:
            await user(one, name)
        services = services_of(one)
        await services.grants.give(AccountName("max"), DEPLOYMENT, Role.ADMIN, SYSTEM_ACTOR)
        await services.accounts.create_organization(
            AccountName("acme"), SYSTEM_ACTOR, owner=AccountName("ann"), profile=AccountChange(display_name="Acme Corp")
        )
        await services.organizations.put_member(
            AccountName("acme"), AccountName("bob"), MemberRole.MEMBER, SYSTEM_ACTOR
        )
        await services.organizations.create_team(TeamName(AccountName("acme"), "builders"), SYSTEM_ACTOR)
        await services.accounts.create_robot(parse_robot_name("acme+ci"), SYSTEM_ACTOR)
        yield one


@pytest.fixture
async def visit(site):
    """Return a function that signs somebody in at a browser of their own."""

    async def sign_in(name):
        browser = Browser(site)
        assert (await browser.sign_in(name)).status_code == 303
        return browser

    return sign_in


async def follow(browser, answer):
    """Go where a form leads; return what that page says."""
    assert answer.status_code == 303, answer.text
    return (await browser.get(answer.headers["Location"])).text


def secret_of(html):
    """Return the secret on a page that shows one."""
    return unescape(re.search(r'aria-label="Secret"><div[^>]*><code>([^<]+)<', html)[1])


def flash_of(html):
    return unescape(re.search(r"data-flash>\s*<p>(.*?)</p>", html, re.DOTALL)[1])


PAGES = {
    "/accounts/acme/-/members": {"ann", "bob", "max"},
    "/accounts/acme/-/teams": {"ann", "bob", "max"},
    "/accounts/acme/-/teams/builders": {"ann", "bob", "max"},
    "/accounts/acme/-/teams/builders/deletion": {"ann", "max"},
    "/accounts/acme/-/members/bob/removal": {"ann", "max"},
    "/accounts/acme/-/robots": {"ann", "max"},
    "/accounts/acme/-/access": {"ann", "bob", "max"},
    "/accounts/acme/-/settings": {"ann", "max"},
    "/accounts/acme/-/settings/deletion": {"ann", "max"},
    "/robots/acme+ci": {"ann", "max"},
    "/robots/acme+ci/deletion": {"ann", "max"},
    "/organizations/new": {"max"},
}


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_there_for_who_may_see_it_and_for_nobody_else(visit, path):
    for name in PEOPLE:
        answer = await (await visit(name)).get(path)
        assert (answer.status_code == 200) == (name in PAGES[path]), (name, answer.status_code)


async def test_an_organization_that_is_not_there_looks_like_one_whose_members_are_hidden(visit):
    browser = await visit("eve")
    hidden, absent = [await browser.get(f"/robots/{name}+ci") for name in ("acme", "none")]
    assert hidden.status_code == absent.status_code == 404
    texts = [re.sub(r"[0-9a-f]{9,12}-[0-9a-f]+", "", one.text).replace("acme", "none") for one in (hidden, absent)]
    assert texts[0] == texts[1]


@pytest.mark.parametrize("path", [path for path in PAGES if path != "/organizations/new"])
async def test_without_signing_in_one_is_led_to_do_so(site, path):
    answer = await Browser(site).get(path)
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/sign-in")


async def test_in_open_mode_there_are_no_accounts_and_no_pages_of_them(tmp_path):
    async with Site(tmp_path) as one:
        await one.push("acme/app", image("app"), "1")
        roles = ("/repositories/acme/app/-/people", "/registries/default/-/trust")
        trust = ("/accounts/acme/-/trust", "/accounts/acme/-/trust/new", "/repositories/acme/app/-/trust")
        for path in (*PAGES, *roles, *trust):
            assert (await one.ask(path)).status_code == 404, path
        for path in ("/accounts/acme", "/repositories/acme/app"):
            assert not re.findall(r'href="([^"]*/-/(?:access|trust|people))"', (await one.ask(path)).text)


async def test_an_owner_adds_members_gives_them_roles_and_removes_them(visit):
    browser = await visit("ann")
    path = "/accounts/acme/-/members"
    page = await follow(browser, await browser.fill(path, path, name="eve", role="member"))
    assert flash_of(page) == "eve is a member of acme now."
    assert "/accounts/eve" in page
    page = await follow(browser, await browser.fill(path, path, name="eve", role="owner"))
    assert flash_of(page) == "eve is an owner of acme now."
    page = await browser.fill(f"{path}/eve/removal", f"{path}/eve/removal")
    page = await follow(browser, page)
    assert flash_of(page) == "eve is no member of acme any more."
    assert "/accounts/eve" not in page.replace('<option value="eve">', "")


async def test_the_last_owner_stays(visit):
    browser = await visit("ann")
    path = "/accounts/acme/-/members"
    assert "the last owner stays" in (await browser.get(path)).text
    page = await follow(browser, await browser.fill(f"{path}/ann/removal", f"{path}/ann/removal"))
    assert "make somebody else an owner first" in page
    page = await follow(browser, await browser.fill(path, path, name="ann", role="member"))
    assert "make somebody else an owner first" in page
    assert "the last owner stays" in (await browser.get(path)).text


async def test_a_name_that_nobody_has_is_refused_with_what_was_wrong(visit):
    browser = await visit("ann")
    path = "/accounts/acme/-/members"
    for name, said in (("nobody-here", "There is no account"), ("Ann", "is not"), ("<b>x</b>", "is not")):
        page = await follow(browser, await browser.fill(path, path, name=name, role="member"))
        assert said in unescape(page)
        assert "<b>x</b>" not in page


async def test_a_member_sees_who_is_there_and_changes_nothing(visit):
    browser = await visit("bob")
    page = await browser.get("/accounts/acme/-/members")
    assert '<form method="post" action="/accounts' not in page.text
    other = await visit("ann")
    stolen = (await other.get("/accounts/acme/-/members")).text
    assert 'action="/accounts/acme/-/members"' in stolen
    answer = await browser.post("/accounts/acme/-/members", {"name": "eve", "role": "owner"})
    assert answer.status_code in {403, 404}


async def test_a_field_offers_the_names_that_the_visitor_may_know(visit):
    for name, offered in (("ann", {"ann", "bob"}), ("max", {"ann", "bob", "eve", "max"})):
        page = await (await visit(name)).get("/accounts/acme/-/access")
        found = set(re.findall(r'<option value="([^"]+)">', page.text))
        assert found == offered | {"acme/builders", "acme+ci"}


async def test_a_team_is_made_described_filled_and_deleted(visit):
    browser = await visit("ann")
    path = "/accounts/acme/-/teams"
    page = await follow(browser, await browser.fill(path, path, name="testers", description="who tests"))
    assert "There is a team testers now." in page
    one = f"{path}/testers"
    assert "who tests" in page
    page = await follow(browser, await browser.fill(one, one, description="who tests everything"))
    assert "who tests everything" in page
    page = await follow(browser, await browser.fill(one, f"{one}/members", name="bob"))
    assert flash_of(page) == "bob is in the team now."
    page = await follow(browser, await browser.fill(one, f"{one}/members", name="eve"))
    assert "only members can be in its teams" in unescape(page)
    page = await follow(browser, await browser.fill(one, f"{one}/members/bob/removal"))
    assert flash_of(page) == "bob is in the team no more."
    page = await follow(browser, await browser.fill(f"{one}/deletion", f"{one}/deletion"))
    assert flash_of(page) == "The team testers is deleted."
    assert (await browser.get(one)).status_code == 404


async def test_a_team_name_that_is_none_or_taken_is_refused(visit):
    browser = await visit("ann")
    path = "/accounts/acme/-/teams"
    for name in ("builders", "No Name", "a/b", "a" * 40):
        answer = await browser.fill(path, path, name=name)
        assert answer.headers["Location"] == path
        assert flash_of(await follow(browser, answer)) == "No team was made."


async def test_a_team_follows_groups_of_a_provider(visit):
    browser = await visit("ann")
    one = "/accounts/acme/-/teams/builders"
    page = await follow(browser, await browser.fill(one, f"{one}/groups", provider="corp", group="<i>devs</i>"))
    assert "follows the group" in page
    assert "<i>devs</i>" not in page
    assert "&lt;i&gt;devs" in page
    page = await follow(browser, await browser.fill(one, f"{one}/groups/removal"))
    assert "no more" in flash_of(page)


async def test_roles_on_the_namespace_are_given_and_taken(site, visit):
    browser = await visit("ann")
    path = "/accounts/acme/-/access"
    for subject in ("eve", "acme/builders", "acme+ci"):
        page = await follow(browser, await browser.fill(path, path, subject=subject, role="write"))
        assert flash_of(page) == f"{subject} has a role on acme now."
    registry = (await services_of(site).registries.all())[0]
    place = Place(registry_id=registry.id, namespace="acme")
    given = await services_of(site).grants.of_place(place)
    assert [(str(one.subject), one.role) for one in given] == [
        ("eve", Role.WRITE),
        ("acme/builders", Role.WRITE),
        ("acme+ci", Role.WRITE),
    ]
    team = await browser.get("/accounts/acme/-/teams/builders")
    assert "/accounts/acme/-/access" in team.text
    page = await follow(browser, await browser.fill(path, f"{path}/removal", subject="acme/builders"))
    assert flash_of(page) == "acme/builders has no role on acme any more."
    page = await follow(browser, await browser.fill(path, path, subject="eve", role="manager"))
    assert "is not a role on" in unescape(page)


async def test_new_repositories_begin_as_the_namespace_says(visit):
    browser = await visit("ann")
    path = "/accounts/acme/-/access"
    page = await follow(browser, await browser.fill(path, f"{path}/visibility", visibility="internal"))
    assert re.search(r'value="internal" checked', page)
    settings = await browser.get("/accounts/acme/-/settings")
    assert re.search(r'value="internal" checked', settings.text)
    answer = await browser.fill(path, f"{path}/visibility", visibility="everybody")
    assert re.search(r'value="internal" checked', await follow(browser, answer))


async def test_an_owner_says_what_its_namespace_takes_on_both_pages(site, visit):
    browser = await visit("ann")
    path = "/accounts/acme/-/access"
    answer = await browser.fill(path, f"{path}/content", **{"takes-chart": "on", "back": "access"})
    assert answer.headers["location"].endswith("/-/access")
    page = await follow(browser, answer)
    assert flash_of(page) == "acme takes what is chosen. What is there is pulled as before."
    off = (await services_of(site).namespaces.find(services_of(site).registries.default, "acme")).kinds_off
    assert off == {"image", "artifact"}
    settings = "/accounts/acme/-/settings"
    page = (await browser.get(settings)).text
    assert re.search(r'name="takes-chart"[^>]*checked', page)
    assert not re.search(r'name="takes-image"[^>]*checked', page)
    form = {f"takes-{kind}": "on" for kind in ("image", "chart", "artifact")}
    answer = await browser.fill(settings, f"{path}/content", **form, back="settings")
    assert answer.headers["location"].endswith("/-/settings")
    off = (await services_of(site).namespaces.find(services_of(site).registries.default, "acme")).kinds_off
    assert off == frozenset()


async def test_admin_on_a_namespace_and_members_do_not_say_what_it_takes(site, visit):
    place = Place(registry_id=services_of(site).registries.default.id, namespace="acme")
    await services_of(site).grants.give(AccountName("eve"), place, Role.ADMIN, SYSTEM_ACTOR)
    for name in ("eve", "bob"):
        browser = await visit(name)
        page = await browser.get("/accounts/acme/-/access")
        assert (page.status_code, "takes-image" in page.text) == (200, False)
        form = {"takes-chart": "on", "form_token": re.search(r'name="form_token" value="([^"]*)"', page.text)[1]}
        answer = await browser.post("/accounts/acme/-/access/content", form)
        assert answer.status_code in {403, 404}
    off = (await services_of(site).namespaces.find(services_of(site).registries.default, "acme")).kinds_off
    assert off == frozenset()


async def test_what_is_off_everywhere_is_said_on_the_form_of_the_namespace(site, visit):
    browser = await visit("ann")
    await services_of(site).content.change({ContentKind.CHART: False}, SYSTEM_ACTOR)
    page = (await browser.get("/accounts/acme/-/access")).text
    assert page.count("Switched off for the whole deployment now.") == 1


async def test_a_user_decides_about_its_own_namespace(visit):
    browser = await visit("eve")
    path = "/accounts/eve/-/access"
    page = await follow(browser, await browser.fill(path, path, subject="bob", role="read"))
    assert flash_of(page) == "bob has a role on eve now."
    assert (await (await visit("bob")).get("/accounts/eve/-/access")).status_code == 200
    assert (await (await visit("ann")).get("/accounts/eve/-/access")).status_code == 404


async def test_a_robot_gets_a_key_whose_secret_is_shown_once_and_signs_in(site, visit):
    browser = await visit("ann")
    path = "/accounts/acme/-/robots"
    page = await follow(browser, await browser.fill(path, path, name="build", description="builds"))
    assert "There is a robot acme+build now." in page
    assert '<a href="/accounts/acme/-/access">Roles on the namespace</a>' in page
    one = "/robots/acme+build"
    answer = await browser.fill(one, f"{one}/credentials", name="server", purpose="push", days="30", kind="key")
    assert answer.status_code == 200
    secret = secret_of(answer.text)
    assert "read -rs REGISTRY_SECRET" in answer.text
    (public_id,) = set(re.findall(r"docker login localhost:5000 -u (\S+) ", answer.text))
    assert secret not in unescape(answer.text).replace(f"<code>{secret}</code>", "", 1), "once, and in no command"
    assert (await site.ask("/token", auth=(public_id, secret))).status_code == 200
    page = (await browser.get(one)).text
    assert secret not in page
    assert public_id in page
    assert "write:packages" in page


async def test_a_token_of_a_robot_can_be_limited_to_repositories_that_its_maker_may_pull(site, visit):
    browser = await visit("ann")
    one = "/robots/acme+ci"
    await services_of(site).organizations.put_member(
        AccountName("acme"), AccountName("eve"), MemberRole.MEMBER, SYSTEM_ACTOR
    )
    for name in ("acme/none", "Acme", "eve/private"):
        answer = await browser.fill(
            one, f"{one}/credentials", name="x", purpose="pull", days="30", kind="token", repositories=name
        )
        assert answer.status_code == 400
        assert "whp_" not in answer.text
    key = await services_of(site).accounts.find(AccountName("acme+ci"))
    assert key is not None


@pytest.mark.parametrize("wrong", [{"name": ""}, {"name": "x" * 101}, {"days": "31"}, {"days": "-1"}, {"days": ""}])
async def test_a_key_that_cannot_be_made_is_refused_and_what_was_typed_stays(visit, wrong):
    browser = await visit("ann")
    one = "/robots/acme+ci"
    fields = {"name": "server", "purpose": "push", "days": "30", "kind": "key", "repositories": "", **wrong}
    answer = await browser.fill(one, f"{one}/credentials", **fields)
    assert answer.status_code == 400
    assert re.search(r'value="push" checked', answer.text)
    assert "It holds none" in answer.text


async def test_a_key_is_rotated_and_the_old_one_counts_until_it_is_revoked(site, visit):
    browser = await visit("ann")
    one = "/robots/acme+ci"
    form = {"name": "server", "purpose": "delete", "days": "90", "kind": "token"}
    first = secret_of((await browser.fill(one, f"{one}/credentials", **form)).text)
    number = re.search(r"/credentials/(\d+)/rotation", (await browser.get(one)).text)[1]
    answer = await browser.fill(one, f"{one}/credentials/{number}/rotation")
    second = secret_of(answer.text)
    assert f"{one}/credentials/{number}/revocation" in answer.text

    async def statuses():
        return [(await site.ask("/token", auth=("acme+ci", one))).status_code for one in (first, second)]

    assert await statuses() == [200, 200]
    revocation = f"{one}/credentials/{number}/revocation"
    page = await follow(browser, await browser.fill(revocation, revocation))
    assert flash_of(page) == "server counts no more."
    assert await statuses() == [401, 200]
    held = await services_of(site).credentials.list(AccountName("acme+ci"))
    assert len({(one.name, one.scopes, one.kind) for one in held}) == 1, "the new one is like the old one"
    assert (await browser.get(revocation)).status_code == 404


async def test_a_key_of_another_robot_is_not_there(site, visit):
    browser = await visit("ann")
    await services_of(site).accounts.create_robot(parse_robot_name("acme+other"), SYSTEM_ACTOR)
    await browser.fill("/robots/acme+other", "/robots/acme+other/credentials", name="x", days="30", kind="key")
    held = await services_of(site).credentials.list(AccountName("acme+other"))
    assert (await browser.get(f"/robots/acme+ci/credentials/{held[0].id}/revocation")).status_code == 404
    assert (await browser.get(f"/robots/acme+other/credentials/{held[0].id}/revocation")).status_code == 200


async def test_a_robot_is_suspended_resumed_and_deleted_by_its_name(site, visit):
    browser = await visit("ann")
    one = "/robots/acme+ci"
    page = await follow(browser, await browser.fill(one, f"{one}/suspension"))
    assert "The robot is suspended" in flash_of(page)
    assert (await services_of(site).accounts.find(AccountName("acme+ci"))).suspended_at is not None
    page = await follow(browser, await browser.fill(one, f"{one}/suspension"))
    assert flash_of(page) == "The robot is let in again."
    answer = await browser.fill(f"{one}/deletion", f"{one}/deletion", typed="acme+other")
    assert answer.status_code == 400
    page = await follow(browser, await browser.fill(f"{one}/deletion", f"{one}/deletion", typed=" acme+ci "))
    assert flash_of(page) == "The robot acme+ci is deleted."
    assert (await browser.get(one)).status_code == 404


async def test_the_settings_of_an_organization_are_changed(site, visit):
    browser = await visit("ann")
    path = "/accounts/acme/-/settings"
    page = await follow(browser, await browser.fill(path, path, display_name="<b>Acme</b>", description="things"))
    assert "<b>Acme</b>" not in page
    acme = await services_of(site).accounts.find(AccountName("acme"))
    assert (acme.display_name, acme.description, acme.anonymous_pull) == ("<b>Acme</b>", "things", False)
    await browser.fill(path, path, display_name="", description="a\nb", anonymous_pull="on")
    assert (await services_of(site).accounts.find(AccountName("acme"))).description == "things"
    page = await follow(browser, await browser.fill(path, f"{path}/single-sign-on", provider="corp"))
    assert "you would shut yourself out" in flash_of(page), "her session did not come through it"
    assert (await services_of(site).people.demands.of(AccountName("acme")))[0] is None


async def test_a_demand_is_made_and_lifted_by_who_meets_it_or_stands_above_it(site, visit):
    browser = await visit("max")
    path = "/accounts/acme/-/settings"
    page = await follow(browser, await browser.fill(path, f"{path}/single-sign-on", provider="corp"))
    assert flash_of(page) == "acme demands single sign-on now."
    assert "2 members are not known to the provider" in page
    assert (await services_of(site).people.demands.of(AccountName("acme")))[0] == "corp"
    assert (await (await visit("ann")).get(path)).status_code in {403, 404}, "its owner has not signed in through it"
    page = await follow(browser, await browser.fill(path, f"{path}/single-sign-on", provider=""))
    assert flash_of(page) == "acme demands no single sign-on any more."
    page = await follow(browser, await browser.fill(path, f"{path}/single-sign-on", provider="nobody"))
    assert "is not a provider" in unescape(page)


async def test_an_organization_is_suspended_by_managers_and_deleted_by_its_owners(visit):
    path = "/accounts/acme/-/settings"
    owner, manager = await visit("ann"), await visit("max")
    assert f'action="{path}/suspension"' not in (await owner.get(path)).text
    page = await follow(manager, await manager.fill(path, f"{path}/suspension"))
    assert "acme is suspended" in flash_of(page)
    page = await follow(manager, await manager.fill(path, f"{path}/suspension"))
    assert flash_of(page) == "acme goes on as it was."
    assert (await owner.fill(f"{path}/deletion", f"{path}/deletion", typed="acm")).status_code == 400
    page = await follow(owner, await owner.fill(f"{path}/deletion", f"{path}/deletion", typed="acme"))
    assert flash_of(page) == "acme is deleted."
    assert (await owner.get(path)).status_code == 404


async def test_a_manager_makes_an_organization(visit):
    browser = await visit("max")
    path = "/organizations/new"
    page = await follow(browser, await browser.fill(path, path, name="beta", owner="eve", display_name="Beta"))
    assert "There is an organization beta now." in page
    assert (await (await visit("eve")).get("/accounts/beta/-/settings")).status_code == 200


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "acme", "owner": "eve"}, "is taken"),
        ({"name": "Beta", "owner": "eve"}, "is not"),
        ({"name": "admin", "owner": "nobody-here"}, "There is no account"),
        ({"name": "default", "owner": "eve"}, "is a word that the registry uses itself"),
    ],
)
async def test_a_new_organization_that_cannot_be_is_refused_beside_its_field(visit, fields, said):
    browser = await visit("max")
    answer = await browser.fill("/organizations/new", "/organizations/new", **fields)
    assert answer.status_code == 400
    assert said in unescape(answer.text)
    assert 'aria-invalid="true"' in answer.text
    assert f'value="{fields["name"]}"' in answer.text


async def test_repositories_that_begin_with_the_name_are_claimed_or_left(site, visit):
    await site.push("beta/app", image("beta"), "v1", auth=("max", "correct horse battery"))
    browser = await visit("max")
    path = "/organizations/new"
    answer = await browser.fill(path, path, name="beta", owner="eve")
    assert answer.status_code == 400
    assert 'name="claim"' in answer.text
    await follow(browser, await browser.fill(path, path, name="beta", owner="eve", claim="claim"))
    registry = (await services_of(site).registries.all())[0]
    assert (await services_of(site).namespaces.find(registry, "beta")).owner == "beta"
