# SPDX-License-Identifier: Apache-2.0
"""The page of a user, an organization or a namespace: who sees it, and what it shows to whom."""

import pytest

from tests.console.people import Browser, services_of, user
from tests.console.test_console_repositories import texts
from tests.support.images import image
from wharfinger.domain.accounts import AccountName
from wharfinger.domain.identity import SYSTEM_ACTOR
from wharfinger.services.accounts import AccountChange

PUBLIC = "UPDATE repositories SET visibility = 'public' WHERE name IN ('acme/open', 'ann/open', 'tools/open')"


@pytest.fixture
async def town(site):
    """An organization of ann's with an open and a closed repository, the same of her own, and a namespace of nobody."""
    await user(site, "ann", profile=AccountChange(display_name="Ann Onymous", email="ann@example.org"))
    await user(site, "bob")
    services = services_of(site)
    profile = AccountChange(display_name="Acme Corporation", description="Makes everything.")
    create = services.accounts.create_organization
    await create(AccountName("acme"), SYSTEM_ACTOR, owner=AccountName("ann"), profile=profile)
    await create(AccountName("empty"), SYSTEM_ACTOR, owner=AccountName("ann"))
    for name in ("acme/open", "acme/closed", "ann/open", "ann/closed", "tools/open", "lone", "dusk/closed"):
        await services_push(services, site, name)
    await services.accounts._database.write(lambda c: c.exec_driver_sql(PUBLIC))
    return site


async def services_push(services, site, name):
    """Have a repository be there, as if somebody had pushed it before there were accounts."""
    authorization = services.authorization
    chosen, authorization._chosen = authorization._chosen, "open"
    try:
        await site.push(name, image(name), "1")
    finally:
        authorization._chosen = chosen


async def as_(town, name=None):
    browser = Browser(town)
    if name is not None:
        await browser.sign_in(name)
    return browser


def names(page):
    return sorted(row[0].split()[0] for row in texts(page.text))


async def test_an_organization_shows_what_the_visitor_may_see(town):
    for who, seen in ((None, ["acme/open"]), ("bob", ["acme/open"]), ("ann", ["acme/closed", "acme/open"])):
        page = await (await as_(town, who)).get("/accounts/acme")
        assert page.status_code == 200
        assert "<h1>Acme Corporation</h1>" in page.text
        assert "Makes everything." in page.text
        assert names(page) == seen


async def test_a_user_shows_a_name_and_no_address(town):
    for who in (None, "bob", "ann"):
        page = await (await as_(town, who)).get("/accounts/ann")
        assert page.status_code == 200
        assert "Ann Onymous" in page.text
        assert "ann@example.org" not in page.text
        assert ("Member of" in page.text) is (who == "ann")


@pytest.mark.parametrize(
    ("path", "statuses"),
    [
        ("/accounts/empty", (404, 200, 200)),
        ("/accounts/bob", (404, 200, 404)),
        ("/accounts/tools", (200, 200, 200)),
        ("/accounts/dusk", (404, 404, 404)),
        ("/accounts/nobody", (404, 404, 404)),
        ("/accounts/nobody?q=x", (404, 404, 404)),
        ("/accounts/dusk?q=closed", (404, 404, 404)),
        ("/accounts/acme?q=nothing", (200, 200, 200)),
        ("/accounts/acme%2Fopen", (404, 404, 404)),
        ("/accounts/Acme", (404, 404, 404)),
        ("/accounts/a%00b", (404, 404, 404)),
    ],
)
async def test_who_may_not_know_of_an_owner_finds_none(town, path, statuses):
    found = [(await (await as_(town, who)).get(path)).status_code for who in (None, "bob", "ann")]
    assert tuple(found) == statuses


async def test_what_is_hidden_looks_like_what_is_not_there(town):
    browser = await as_(town, "bob")
    pages = [(await browser.get(f"/accounts/{name}")) for name in ("dusk", "dawn", "ann2")]
    texts_of = {
        page.text.replace(page.headers["X-Request-Id"], "").replace(name, "NAME")
        for page, name in zip(pages, ("dusk", "dawn", "ann2"), strict=True)
    }
    assert len(texts_of) == 1


async def test_a_namespace_of_the_registry_tells_nothing_of_its_namesake(town):
    services = services_of(town)
    await services.accounts._database.write(
        lambda c: c.exec_driver_sql("UPDATE namespaces SET owner_id = NULL WHERE name = 'ann'")
    )
    page = await (await as_(town, "bob")).get("/accounts/ann")
    assert page.status_code == 200
    assert "Ann Onymous" not in page.text


async def test_an_empty_page_teaches_the_next_command_to_who_may_use_it(town):
    own = await (await as_(town, "ann")).get("/accounts/empty")
    assert "localhost:5000/empty/hello" in own.text
    other = await (await as_(town, "bob")).get("/accounts/empty")
    assert "localhost:5000/empty/hello" not in other.text
    assert "nothing here that you may see" in other.text


async def test_the_menu_leads_to_ones_own_repositories(town):
    page = await (await as_(town, "bob")).get("/")
    assert 'href="/accounts/bob"' in page.text


async def test_in_open_mode_a_namespace_has_a_page_and_nobody_an_account(site):
    await site.push("acme/app", image("app"), "1")
    page = await site.ask("/accounts/acme")
    assert page.status_code == 200
    assert names(page) == ["acme/app"]
    assert (await site.ask("/accounts/other")).status_code == 404
