# SPDX-License-Identifier: Apache-2.0
"""What every page stands on: addresses, forms that are ours, flashes, pages that ask, registries by path (ADR 0034)."""

import re
from html import unescape

import pytest

from tests.console.people import Browser, form_of, services_of, user
from tests.console.registry import Site
from tests.support.images import image
from tests.support.passwords import write_users
from wharfinger.console import door, flashes, listing
from wharfinger.console.calls import Leave, View
from wharfinger.console.confirmations import Asked, ask, is_confirmed
from wharfinger.console.flashes import Flash
from wharfinger.console.forms import read_form
from wharfinger.console.languages import mark
from wharfinger.console.routes import ROUTES
from wharfinger.console.routing import Route, Table
from wharfinger.domain.access import Action
from wharfinger.domain.errors import EndpointUnknown, MethodUnsupported, QueryInvalid
from wharfinger.domain.identity import SYSTEM_ACTOR
from wharfinger.domain.management import Target, Task
from wharfinger.domain.names import RegistryName
from wharfinger.services.registries import RegistryChange
from wharfinger.web.access import SIGNED_IN, Managing, OnRepository

HOSTILE = '"><script>alert(1)</script>'
PACKED = {"Accept-Encoding": "gzip, br"}
PATH = "/repositories/acme/app/-/note"


async def show(call):
    return ask(
        Asked(
            title=mark("Delete"),
            texts=[mark("To confirm, type %(name)s")],
            values={"name": call.name},
            to=call.repository_path("note"),
            back="/",
            typed=call.name,
        )
    )


async def write(call):
    if not is_confirmed(call.form, call.name):
        return ask(
            Asked(title=mark("Delete"), to=call.repository_path("note"), back="/", typed=call.name, is_wrong=True)
        )
    flash = Flash(text=mark("This is not %(name)s."), values={"name": call.form.text("word")}, said=HOSTILE)
    return Leave(to=call.repository_path("note"), flash=flash)


async def govern(_call):
    return View(template="error.html", values={"trouble": None})


OWN = (
    Route("GET", "/repositories/{name}/-/note", OnRepository(Action.DESCRIBE), show),
    Route("POST", "/repositories/{name}/-/note", OnRepository(Action.DESCRIBE), write, longest_form=2000),
    Route("GET", "/secrets", SIGNED_IN, govern),
    Route("GET", "/reign", Managing(Task.MANAGE, Target.DEPLOYMENT), govern),
)


@pytest.fixture(autouse=True)
def pages(monkeypatch):
    """Two pages with a form, beside those that there are."""
    monkeypatch.setattr(door, "TABLE", Table((*ROUTES, *OWN)))


@pytest.fixture
async def open_site(site):
    await site.push("acme/app", image("app"), "1")
    return site


def test_a_path_leads_to_one_page_and_names_are_read_whole():
    table = Table(
        [
            Route("GET", path, OnRepository(Action.PULL), show)
            for path in (
                "/repositories/{name}",
                "/repositories/{name}/-/tags/{tag}",
                "/accounts/{account}",
                "/accounts/new",
            )
        ]
    )

    def found(path):
        matched = table.match("GET", path)
        return matched.route.path, dict(matched.parameters), matched.here

    assert found("/repositories/a/b/c") == ("/repositories/{name}", {"name": "a/b/c"}, "")
    assert found("/repositories/a/b/-/tags/v1") == (
        "/repositories/{name}/-/tags/{tag}",
        {"name": "a/b", "tag": "v1"},
        "",
    )
    assert found("/accounts/new")[0] == "/accounts/new"
    assert found("/accounts/ann%2Bci")[1] == {"account": "ann+ci"}
    assert found("/registries/team/-/repositories/a/-/tags/v1")[2] == "/registries/team/-"
    for path in (
        "/repositories/",
        "/repositories/a/-/",
        "/repositories/a/-/tags/v1/x",
        "/repositories/a/-/tags/",
        "/x",
    ):
        with pytest.raises(EndpointUnknown):
            table.match("GET", path)
    with pytest.raises(MethodUnsupported) as refused:
        table.match("POST", "/accounts/ann")
    assert refused.value.allowed == ("GET", "HEAD")


def test_what_belongs_to_the_deployment_is_in_no_registry():
    table = Table([Route("GET", "/profile", SIGNED_IN, show), Route("GET", "/trash", OnRepository(Action.LIST), show)])
    assert table.match("GET", "/registries/team/-/trash").registry == "team"
    with pytest.raises(EndpointUnknown):
        table.match("GET", "/registries/team/-/profile")


def test_a_form_is_read_in_one_way():
    form = read_form(b"a=1&b=+x%0D%0Ay+&tag=v1&tag=v2&on=")
    assert (form["a"], form.text("b"), form.chosen("tag"), form.is_checked("on")) == ("1", "x\ny", ("v1", "v2"), True)
    assert (form.text("none"), form.chosen("none"), form.is_checked("none")) == ("", (), False)
    with pytest.raises(QueryInvalid):
        form.get("tag")
    for raw in (b"a=%ff", b"\xff", b"&".join([b"a=1"] * 501)):
        with pytest.raises(QueryInvalid):
            read_form(raw)


def test_a_flash_is_read_by_the_browser_and_the_page_that_it_was_made_for():
    flash = Flash(text="Done with %(name)s.", values={"name": "ü" * 1000, "count": 3}, said="x" * 5000)
    sealed = flashes.seal(flash, "/there", "secret")
    assert len(sealed) < 4096
    found = flashes.unseal(sealed, "/there", "secret")
    assert (found.text, found.values["count"], found.failed) == (flash.text, 3, False)
    assert flashes.unseal(sealed, "/elsewhere", "secret") is None
    assert flashes.unseal(sealed, "/there", "another") is None
    for wrong in ("", "x", sealed[:-8], sealed[4:], "é", "A" * 100):
        assert flashes.unseal(wrong, "/there", "secret") is None


async def test_a_form_leads_to_a_page_that_says_once_what_happened(open_site):
    browser = Browser(open_site)
    sent = await browser.fill(PATH, PATH, typed=" acme/app ", word=HOSTILE)
    assert (sent.status_code, sent.headers["Location"]) == (303, PATH)
    assert "This is not" not in (await browser.get("/")).text, "it is for another page"
    page = await browser.get(PATH)
    assert f"This is not {HOSTILE}." in unescape(page.text)
    assert "<script>alert" not in page.text
    assert "This is not" not in (await browser.get(PATH)).text
    korean = await browser.fill(PATH, PATH, typed="acme/app", word="W")
    assert korean.status_code == 303
    assert "W와\N{WORD JOINER}(과) 다릅니다." in (await browser.get(PATH, headers={"Accept-Language": "ko"})).text


async def test_what_is_typed_wrong_does_nothing_and_asks_again(open_site):
    page = await Browser(open_site).fill(PATH, PATH, typed="acme/ap")
    assert page.status_code == 400
    assert 'aria-invalid="true"' in page.text
    assert "This is not acme/app." in page.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "", "Origin": "null"},
    ],
)
async def test_in_open_mode_too_a_form_of_another_site_does_nothing(open_site, headers):
    browser = Browser(open_site)
    page = await browser.get(PATH)
    refused = await browser.post(PATH, {**form_of(page.text, PATH), "typed": "acme/app"}, headers=headers)
    assert refused.status_code == 403
    assert "Nothing was done" in refused.text


async def test_in_open_mode_too_a_form_needs_the_token_of_its_own_browser(open_site):
    one, other = Browser(open_site), Browser(open_site)
    fields = form_of((await one.get(PATH)).text, PATH)
    await other.get(PATH)
    assert (await other.post(PATH, {**fields, "typed": "acme/app"})).status_code == 403
    assert (await Browser(open_site).post(PATH, {**fields, "typed": "acme/app"})).status_code == 403
    assert (await one.post(PATH, {**fields, "typed": "acme/app"})).status_code == 303


async def test_only_a_page_with_a_form_gives_the_browser_a_secret(open_site):
    browser = Browser(open_site)
    await browser.get("/")
    assert browser.cookies == {}
    await browser.get(PATH)
    assert list(browser.cookies) == ["wharfinger-visitor"]


async def test_a_form_that_is_too_long_is_refused(open_site):
    browser = Browser(open_site)
    fields = form_of((await browser.get(PATH)).text, PATH)
    refused = await browser.post(PATH, {**fields, "word": "x" * 3000})
    assert refused.status_code == 400
    assert "more than 2000 bytes" in refused.text


async def test_with_a_password_file_the_password_alone_sends_no_form(tmp_path):
    users = write_users(tmp_path / "users", ann="secret")
    async with Site(tmp_path / "data", AUTH="htpasswd", AUTH_HTPASSWD_REALM="r", AUTH_HTPASSWD_PATH=str(users)) as site:
        await site.push("acme/app", image("app"), "1", auth=("ann", "secret"))
        browser = Browser(site)
        assert (await browser.get(PATH)).status_code == 401
        page = await browser.get(PATH, auth=("ann", "secret"))
        fields = {**form_of(page.text, PATH), "typed": "acme/app"}
        assert (await browser.post(PATH, fields)).status_code == 401
        assert (await browser.post(PATH, {"typed": "acme/app"}, auth=("ann", "secret"))).status_code == 403
        assert (await browser.post(PATH, fields, auth=("ann", "secret"))).status_code == 303


@pytest.mark.parametrize("path", ["/secrets", "/profile", "/sign-in"])
async def test_without_accounts_there_are_no_pages_about_them(open_site, path):
    assert (await open_site.ask(path)).status_code == 404


async def test_without_accounts_nobody_manages_the_deployment_and_the_page_says_who_could(open_site):
    page = await open_site.ask("/reign")
    assert page.status_code == 403
    assert "wharfinger init" in page.text


@pytest.fixture
async def town(open_site):
    """A site with a public and a private repository, and people of whom only ann owns what there is."""
    await open_site.push("acme/open", image("open"), "1")
    await user(open_site, "ann")
    await user(open_site, "bob")
    services = services_of(open_site)
    database = services.accounts._database
    statements = (
        "UPDATE repositories SET visibility = 'public' WHERE name = 'acme/open'",
        "UPDATE namespaces SET owner_id = (SELECT id FROM accounts WHERE name = 'ann')",
    )
    await database.write(lambda c: [c.exec_driver_sql(one) for one in statements])
    return open_site


async def test_who_has_not_signed_in_is_led_to_do_so_and_back(town):
    browser = Browser(town)
    answer = await browser.get("/secrets")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in?to=%2Fsecrets")
    answer = await browser.get("/repositories/acme/open/-/note")
    assert answer.headers["Location"] == "/sign-in?to=%2Frepositories%2Facme%2Fopen%2F-%2Fnote"
    sent = await browser.post(
        "/repositories/acme/open/-/note", {}, headers={"Referer": "http://localhost:5000/repositories/acme/open"}
    )
    assert sent.headers["Location"] == "/sign-in?to=%2Frepositories%2Facme%2Fopen"


async def test_a_page_of_what_is_private_is_not_there_and_one_that_is_not_allowed_says_so(town):
    anonymous, bob, ann = Browser(town), Browser(town), Browser(town)
    await bob.sign_in("bob")
    await ann.sign_in("ann")
    for path, statuses in ((PATH, (404, 404, 200)), ("/repositories/acme/open/-/note", (303, 403, 200))):
        assert tuple([(await one.get(path)).status_code for one in (anonymous, bob, ann)]) == statuses
    hidden, absent = [await bob.get(f"/repositories/acme/{name}/-/note") for name in ("app", "non")]
    texts = {
        page.text.replace(page.headers["X-Request-Id"], "").replace("acme/app", "N").replace("acme/non", "N")
        for page in (hidden, absent)
    }
    assert len(texts) == 1


async def test_a_change_that_is_refused_is_told_to_the_audit_log(town):
    bob = Browser(town)
    await bob.sign_in("bob")
    answer = await bob.post("/repositories/acme/open/-/note", {"typed": "acme/open"})
    assert answer.status_code == 403
    services = services_of(town)
    await services.refusals.flush()
    rows = await services.accounts._database.read(
        lambda c: c.exec_driver_sql("SELECT target FROM events WHERE action = 'access.denied'").scalars().all()
    )
    assert rows == ["POST /repositories/acme/open/-/note"]


async def test_the_top_shows_who_is_there_and_what_may_be_done(town):
    browser = Browser(town)
    page = await browser.get("/")
    assert 'href="/sign-in"' in page.text
    await browser.sign_in("ann")
    page = await browser.get("/")
    assert "<summary>ann</summary>" in page.text
    assert "Administration" not in page.text
    out = await browser.post("/sign-out", form_of(page.text, "/sign-out"))
    assert (out.status_code, out.headers["Location"]) == (303, "/")


@pytest.mark.parametrize("theme", ["light", "dark", "system"])
async def test_a_theme_is_kept_by_the_browser_and_applied_by_the_server(open_site, theme):
    browser = Browser(open_site)
    answer = await browser.get(f"/repositories/acme/app?tag=1&theme={theme}")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/repositories/acme/app?tag=1")
    found = re.search(r"<html lang=\"en\"(?: data-theme=\"(\w+)\")?>", (await browser.get("/")).text)
    assert found[1] == (None if theme == "system" else theme)
    assert (await browser.get("/?theme=neon")).status_code == 200


async def test_the_pages_of_a_registry_by_its_name_keep_to_it(open_site):
    page = await open_site.ask("/registries/default/-/repositories/acme/app/-/note")
    assert page.status_code == 200
    assert 'action="/registries/default/-/repositories/acme/app/-/note"' in page.text
    listed = await open_site.ask("/registries/default/-/")
    assert 'href="/registries/default/-/repositories/acme/app"' in listed.text
    assert (await open_site.ask("/registries/nowhere/-/")).status_code == 404


async def test_a_full_page_of_the_list_is_light(open_site):
    """With its style and its scripts, which the browser keeps after the first page."""
    services = services_of(open_site)
    for number in range(55):
        await open_site.push(f"acme/a-name-of-some-length-{number}", image("same"), "1")
    statement = "UPDATE repositories SET description = ?"
    await services.accounts._database.write(lambda c: c.exec_driver_sql(statement, ("ten signs " * 10,)))
    page = await open_site.ask("/")
    assert page.text.count("<tr>") > listing.ROWS
    linked = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text))
    kept = [int((await open_site.ask(path, headers=PACKED)).headers["Content-Length"]) for path in linked]
    assert len(page.content) + sum(kept) < 100_000, (len(page.content), kept)


async def test_style_and_scripts_are_packed_for_browsers_that_can_unpack(open_site):
    (style,) = set(re.findall(r'href="(/static/console[^"]+css)"', (await open_site.ask("/")).text))
    plain = await open_site.ask(style, headers={"Accept-Encoding": "gzip;q=0, br"})
    packed = await open_site.ask(style, headers=PACKED)
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert int(packed.headers["Content-Length"]) < len(plain.content) / 2
    assert packed.content == plain.content


DOMAIN = {"REGISTRIES_PUBLICDOMAIN": "registry.test", "STORAGES_0_NAME": "fast"}


async def test_commands_name_a_host_of_the_registry_that_the_path_names(tmp_path):
    async with Site(tmp_path / "data", **DOMAIN, STORAGES_0_ROOTDIRECTORY=str(tmp_path / "fast")) as site:
        services = services_of(site)
        await services.lifecycle.create(RegistryName("team"), "fast", SYSTEM_ACTOR)
        team = await services.registries.named("team")
        page = await site.ask("/registries/team/-/")
        assert "docker push team.registry.test:5000/hello<" in page.text
        assert "insecure-registries" in page.text
        assert "docker push team.registry.test/hello<" in (await site.ask("/", host="team.registry.test")).text
        await services.registry_switches.change(team, RegistryChange(public_endpoint=False), SYSTEM_ACTOR)
        assert "No client reaches this registry." in (await site.ask("/registries/team/-/")).text
