# SPDX-License-Identifier: Apache-2.0
"""Search in the console: its page, and the list below the field in a browser."""

import re
from html import unescape

import pytest

from tests.console.people import Browser, services_of, user
from tests.console.registry import push
from tests.support.images import image
from tests.support.memory import data_in_memory
from tests.support.pages import PHONE, page_in, require_open
from tests.support.server import Servers
from wharfinger.domain.access import Role
from wharfinger.domain.accounts import AccountName, MemberRole, TeamName
from wharfinger.domain.grants import DEPLOYMENT
from wharfinger.domain.identity import SYSTEM_ACTOR, Principal
from wharfinger.domain.management import Matter, Target, Task
from wharfinger.services.accounts import AccountChange


def finds(html):
    """Every link to what was found: its text, and where it leads."""
    return [
        (" ".join(unescape(re.sub(r"<[^>]*>", "", text)).split()), href)
        for href, text in re.findall(r'<a href="([^"]*)" data-find>(.*?)</a>', html, re.DOTALL)
    ]


async def test_repositories_tags_and_digests_are_found_together(site):
    pushed = await site.push("acme/web", image("web"), "v1.2", "latest")
    await site.push("acme/api", image("api"), "web-1")
    page = await site.ask("/search?q=WEB")
    assert [text for text, _ in finds(page.text)] == ["acme/web", "acme/api:web-1"]
    assert "acme/<mark>web</mark>" in page.text
    digits = pushed.digest[7:20]
    ((text, href),) = finds((await site.ask(f"/search?q={digits}")).text)
    assert text == f"acme/web@{pushed.digest}"
    assert href.startswith("/repositories/acme/web")
    pasted = await site.ask("/search?q=localhost:5000/acme/web:v1.2")
    assert [text for text, _ in finds(pasted.text)] == ["acme/web:v1.2"]


async def test_a_layer_leads_to_the_image_that_needs_it(site):
    pushed = await site.push("acme/web", image("web"), "v1")
    layer = next(blob for blob in pushed.blobs if blob.digest.encode() in pushed.manifest.content)
    assert f"acme/web@{layer.digest}" in [text for text, _ in finds((await site.ask(f"/search?q={layer.digest}")).text)]


async def test_what_cannot_be_found_teaches_what_can(site):
    await site.push("acme/web", image("web"), "v1")
    for path, title in (("/search", "What can be found"), ("/search?q=nothing", "Nothing was found")):
        page = await site.ask(path)
        assert page.status_code == 200
        assert title in page.text
        assert "web:v1.2" in page.text


async def test_many_finds_are_cut_and_one_kind_can_be_seen_alone(site):
    for number in range(12):
        await site.push(f"acme/app{number}", image("same"), "app")
    page = await site.ask("/search?q=app")
    assert len(finds(page.text)) == 20
    assert "/search?q=app&amp;kind=tags" in page.text
    assert len(finds((await site.ask("/search?q=app&kind=tags")).text)) == 12


async def test_every_text_is_a_question_and_none_becomes_markup(site):
    for text in ("%00", "%3Cscript%3Ealert(1)%3C/script%3E", "%25", "'%20OR%201=1", "%F0%9F%92%A9", "a" * 5_000):
        page = await site.ask(f"/search?q={text}")
        assert page.status_code == 200, text
        assert "<script>" not in page.text


async def test_the_page_speaks_korean(site):
    page = await site.ask("/search", headers={"Accept-Language": "ko"})
    assert "이렇게 검색합니다" in page.text


async def test_a_repository_is_found_by_a_label_of_its_image(site):
    await site.push("acme/web", image("web", labels={"team": "Shop"}), "v1")
    await services_of(site).search.labels.index(10)
    for text in ("label:team=shop", "shop"):
        assert [found for found, _ in finds((await site.ask(f"/search?q={text}")).text)] == ["acme/web"]
    assert finds((await site.ask("/search?q=label:team=%3Cscript%3E")).text) == []


async def test_people_organizations_and_teams_are_found_by_whom_may_see_them(site):
    services = services_of(site)
    for name in ("ann", "bob", "eve", "max"):
        await user(site, name)
    await services.grants.give(AccountName("max"), DEPLOYMENT, Role.READ, SYSTEM_ACTOR)
    for name, owner in (("bakers", "ann"), ("bankers", "eve")):
        await services.accounts.create_organization(AccountName(name), SYSTEM_ACTOR, owner=AccountName(owner))
        await services.organizations.create_team(TeamName(AccountName(name), "bees"), SYSTEM_ACTOR)
    await services.organizations.put_member(AccountName("bakers"), AccountName("bob"), MemberRole.MEMBER, SYSTEM_ACTOR)
    targets = {
        **{name: Matter(Task.SEE, Target.USER, name) for name in ("ann", "bob", "eve", "max")},
        **{name: Matter(Task.SEE, Target.ORGANIZATION, name) for name in ("bakers", "bankers")},
        **{f"{name}/bees": Matter(Task.READ, Target.ORGANIZATION, name) for name in ("bakers", "bankers")},
    }
    registry = services.registries.default
    for who in ("ann", "bob", "eve", "max"):
        browser = Browser(site)
        await browser.sign_in(who)
        account = await services.accounts.find(AccountName(who))
        principal = Principal(name=account.name, account_id=account.id)
        seen = {
            name: (await services.management.decide(principal, registry, matter)).allowed
            for name, matter in targets.items()
        }
        found = {
            name: href for letter in "bae" for name, href in finds((await browser.get(f"/search?q={letter}")).text)
        }
        assert found.keys() == {name for name, may in seen.items() if may}, who
        for href in found.values():
            assert (await browser.get(href)).status_code == 200, href
    assert finds((await site.ask("/search?q=b")).text) == []


async def test_somebody_is_found_by_the_name_that_people_read(site):
    profile = AccountChange(display_name="안 Smith")
    await user(site, "ann", profile=profile)
    browser = Browser(site)
    await browser.sign_in("ann")
    for text in ("smith", "%EC%95%88", "ANN"):
        assert finds((await browser.get(f"/search?q={text}")).text) == [("ann", "/accounts/ann")], text


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    with data_in_memory() as environment:
        servers = Servers(tmp_path_factory.mktemp("search"))
        server = servers(environment=environment())
        for name in ("acme/web", "acme/webhook", "other"):
            push(server.url, name, image(name), "v1", "web")
        yield server
        servers.stop()


def test_the_list_below_the_field_is_used_with_the_keyboard_alone(registry, chromium):
    with page_in(chromium) as page:
        page.goto(registry.url)
        page.keyboard.press("Tab")
        field = page.get_by_role("combobox", name="Search")
        field.focus()
        page.keyboard.type("web")
        options = page.get_by_role("option")
        options.first.wait_for()
        assert options.all_inner_texts()[:2] == ["acme/web", "acme/webhook"]
        require_open(page)
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        assert page.locator("[aria-selected=true]").inner_text() == "acme/webhook"
        assert field.get_attribute("aria-activedescendant") == "suggestion-0-1"
        page.keyboard.press("Escape")
        assert not options.first.is_visible()
        page.keyboard.type("h")
        options.first.wait_for()
        page.keyboard.press("ArrowDown")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert page.url == f"{registry.url}/repositories/acme/webhook"


def test_without_a_choice_the_field_leads_to_the_page(registry, chromium):
    for size, theme in ((PHONE, "dark"), ((1440, 900), "light")):
        with page_in(chromium, size, color_scheme=theme) as page:
            page.goto(registry.url)
            page.get_by_role("combobox", name="Search").fill("web:v1")
            with page.expect_navigation():
                page.keyboard.press("Enter")
            assert page.get_by_role("link", name="acme/web:v1").is_visible()
            require_open(page)
