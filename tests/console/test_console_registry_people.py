# SPDX-License-Identifier: Apache-2.0
"""The page with the people of a registry: who sees it, who gives and takes roles there, and what it leads to."""

from html import unescape

import pytest

from tests.console.people import Browser, form_of, services_of, user
from tests.console.registry import Site
from wharfinger.console.pages import grants as pages
from wharfinger.domain.accounts import AccountName, TeamName, parse_robot_name
from wharfinger.domain.grants import DEPLOYMENT, Place, Role
from wharfinger.domain.identity import SYSTEM_ACTOR

ONE = "/registries/default"
PATH = f"{ONE}/-/people"
REMOVAL = f"{PATH}/removal"
PEOPLE = ("max", "mia", "vic", "eve")
"""A manager of the deployment, a manager and a viewer of the registry, and somebody without a role."""


@pytest.fixture
async def site(tmp_path):
    async with Site(tmp_path) as one:
        for name in PEOPLE:
            await user(one, name)
        services = services_of(one)
        await services.grants.give(AccountName("max"), DEPLOYMENT, Role.ADMIN, SYSTEM_ACTOR)
        for name, role in (("mia", Role.ADMIN), ("vic", Role.READ)):
            await services.grants.give(AccountName(name), await place_of(one), role, SYSTEM_ACTOR)
        await services.accounts.create_organization(AccountName("acme"), SYSTEM_ACTOR, owner=AccountName("eve"))
        await services.organizations.create_team(TeamName(AccountName("acme"), "builders"), SYSTEM_ACTOR)
        await services.accounts.create_robot(parse_robot_name("acme+ci"), SYSTEM_ACTOR)
        yield one


@pytest.fixture
async def visit(site):
    async def sign_in(name):
        browser = Browser(site)
        assert (await browser.sign_in(name)).status_code == 303
        return browser

    return sign_in


async def place_of(site):
    (registry,) = await services_of(site).registries.all()
    return Place(registry_id=registry.id)


async def given(site):
    """Return who has which role on the registry itself."""
    return {str(one.subject): one.role for one in await services_of(site).grants.of_place(await place_of(site))}


async def follow(browser, answer):
    assert answer.status_code == 303, answer.text
    return unescape((await browser.get(answer.headers["Location"])).text)


async def test_a_manager_of_the_registry_gives_roles_to_users_teams_and_robots(site, visit):
    browser = await visit("mia")
    for subject, role in (("eve", "viewer"), ("acme/builders", "write"), ("acme+ci", "manager"), ("eve", "write")):
        page = await follow(browser, await browser.fill(PATH, PATH, subject=subject, role=role))
        assert f"{subject} has a role on default now." in page
    begin = {"mia": Role.ADMIN, "vic": Role.READ}
    assert await given(site) == begin | {"eve": Role.WRITE, "acme/builders": Role.WRITE, "acme+ci": Role.ADMIN}
    for link in ("/accounts/eve", "/accounts/acme/-/teams/builders", "/robots/acme+ci", f"{ONE}/-/trust"):
        assert f'href="{link}"' in page


async def test_a_role_is_taken_away_once_that_is_confirmed(site, visit):
    browser = await visit("max")
    ask = f"{REMOVAL}?subject=vic"
    assert f'href="{ask}"' in (await browser.get(PATH)).text
    page = await browser.get(ask)
    assert "Take the role on default away from vic?" in page.text
    assert "vic" in await given(site)
    page = await follow(browser, await browser.post(REMOVAL, form_of(page.text, REMOVAL)))
    assert "vic has no role on default any more." in page
    assert await given(site) == {"mia": Role.ADMIN}
    page = await follow(browser, await browser.fill(ask, REMOVAL))
    assert "The roles on default stay as they are." in page


async def test_who_takes_its_own_role_is_warned_and_led_to_a_page_that_is_there(site, visit):
    browser = await visit("mia")
    ask = f"{REMOVAL}?subject=mia"
    assert "This is your own role" in (await browser.get(ask)).text
    assert "This is your own role" not in (await browser.get(f"{REMOVAL}?subject=vic")).text
    answer = await browser.fill(ask, REMOVAL)
    assert answer.headers["Location"] == ONE
    assert "mia has no role on default any more." in await follow(browser, answer)
    assert (await browser.get(PATH)).status_code == 404
    assert "mia" not in await given(site)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"subject": "nobody", "role": "viewer"}, "nobody"),
        ({"subject": "acme", "role": "viewer"}, "is an organization"),
        ({"subject": "eve", "role": "king"}, "is not a role on"),
        ({"subject": "No Name", "role": "viewer"}, "stay as they are"),
    ],
)
async def test_what_cannot_be_given_is_refused_with_what_was_wrong(site, visit, fields, said):
    before, browser = await given(site), await visit("max")
    page = await follow(browser, await browser.fill(PATH, PATH, **fields))
    assert "The roles on default stay as they are." in page
    assert said in page
    assert await given(site) == before


async def test_a_viewer_reads_the_page_and_changes_nothing(site, visit):
    before, browser = await given(site), await visit("vic")
    page = (await browser.get(PATH)).text
    assert 'href="/accounts/mia"' in page
    assert f'action="{PATH}"' not in page
    assert REMOVAL not in page
    await refused(browser, 403)
    assert await given(site) == before


async def test_for_somebody_without_a_role_the_page_is_not_there(site, visit):
    before, browser = await given(site), await visit("eve")
    assert (await browser.get(PATH)).status_code == 404
    assert f'href="{PATH}"' not in (await browser.get(ONE)).text
    await refused(browser, 404)
    assert await given(site) == before


async def refused(browser, status):
    """Send both forms with the token of another page, as somebody would who makes them up."""
    assert (await browser.get(f"{REMOVAL}?subject=mia")).status_code == status
    token = form_of((await browser.get("/profile")).text, "/sign-out")
    for path, fields in ((PATH, {"subject": "eve", "role": "manager"}), (REMOVAL, {"subject": "mia"})):
        assert (await browser.post(path, token | fields)).status_code == status


async def test_who_did_not_sign_in_is_led_to_do_so(site):
    for path in (PATH, REMOVAL):
        assert (await Browser(site).get(path)).headers["Location"].startswith("/sign-in")


async def test_in_open_mode_there_is_no_such_page_and_no_tab(tmp_path):
    async with Site(tmp_path) as one:
        for path in (PATH, f"{REMOVAL}?subject=eve"):
            assert (await one.ask(path)).status_code == 404
        page = await one.ask(ONE)
        assert page.status_code == 200
        assert PATH not in page.text


async def test_the_roles_are_listed_in_pages(visit, monkeypatch):
    monkeypatch.setattr(pages, "ROWS", 1)
    browser = await visit("max")
    first = (await browser.get(PATH)).text
    assert 'href="/accounts/mia"' in first
    assert 'href="/accounts/vic"' not in first
    _, _, rest = first.partition('rel="next" href="')
    second = (await browser.get(PATH + rest.partition('"')[0])).text
    assert 'href="/accounts/vic"' in second
    assert 'href="/accounts/mia"' not in second
    assert 'rel="next"' not in second
    assert f'href="{PATH}">First page' in second


async def test_the_tab_is_there_for_who_may_see_the_page(visit):
    for name in ("max", "mia", "vic"):
        assert f'href="{PATH}"' in (await (await visit(name)).get(ONE)).text
