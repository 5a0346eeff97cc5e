# SPDX-License-Identifier: Apache-2.0
"""Administration in the console: who sees it, what it shows, and what can be done from it."""

import json
import re

import pytest

from tests.console.people import HORSE, Browser, services_of, user
from tests.console.test_console_second_factors import add_app
from tests.support.images import image
from wharfinger.clock import DAY
from wharfinger.console.pages import upkeep
from wharfinger.domain.access import Role
from wharfinger.domain.accounts import AccountName
from wharfinger.domain.grants import DEPLOYMENT
from wharfinger.domain.identity import SYSTEM_ACTOR
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.trash import Trashed

PAGES = (
    *("", "/storage", "/collection", "/verification", "/jobs", "/audit", "/users", "/content"),
    *("/sign-in", "/settings", "/organizations"),
)
APP = RepositoryName("team/app")


@pytest.fixture
async def town(site):
    """A site with an image, a manager, a viewer, and somebody who is neither."""
    await site.push(APP, image("app"), "v1")
    for name in ("max", "vic", "sam"):
        await user(site, name)
    for name, role in (("max", Role.ADMIN), ("vic", Role.READ)):
        await services_of(site).grants.give(AccountName(name), DEPLOYMENT, role, SYSTEM_ACTOR)
    await services_of(site).figures.take()
    await services_of(site).jobs.announce({"bury": 30_000_000})
    return site


async def browser_of(town, name):
    browser = Browser(town)
    await browser.sign_in(name)
    return browser


@pytest.fixture
async def manager(town):
    return await browser_of(town, "max")


def token_in(page):
    return re.search(r'name="form_token" value="([^"]*)"', page.text)[1]


async def said(browser, answer):
    """Return what the page says to which a form led."""
    assert answer.status_code == 303, answer.text
    return re.search(r"data-flash>\s*<p>(.*?)</p>", (await browser.get(answer.headers["location"])).text)[1]


@pytest.mark.parametrize("language", ["en", "ko"])
async def test_every_page_is_there_for_managers_and_viewers(town, manager, language):
    viewer = await browser_of(town, "vic")
    for path in PAGES:
        for browser in (manager, viewer):
            page = await browser.get(f"/administration{path}", headers={"Accept-Language": language})
            assert page.status_code == 200, page.text
            assert len(page.content) < 100_000
            assert page.text.count('aria-current="page"') >= 1


async def test_for_everybody_else_there_is_no_such_page(town):
    stranger, visitor = await browser_of(town, "sam"), Browser(town)
    for path in (*PAGES, "/new-user", "/users/vic", "/audit/export?format=csv"):
        assert (await stranger.get(f"/administration{path}")).status_code in {403, 404}
        assert (await visitor.get(f"/administration{path}")).status_code == 303
    assert "/administration" not in (await stranger.get("/")).text


async def test_in_open_mode_nobody_is_an_administrator(site):
    for path in PAGES:
        assert (await site.ask(f"/administration{path}")).status_code in {403, 404}


async def test_who_only_views_is_shown_no_button_and_refused(town):
    viewer = await browser_of(town, "vic")
    form_token = token_in(await viewer.get("/administration/jobs"))
    for path in ("collection", "verification", "jobs", "new-user", "users/sam/suspension", "users/sam/password"):
        answer = await viewer.post(f"/administration/{path}", {"form_token": form_token, "name": "bury"})
        assert answer.status_code in {403, 404}, path
    for path in ("collection", "verification", "jobs", "users", "users/sam"):
        assert f'action="/administration/{path}' not in (await viewer.get(f"/administration/{path}")).text


async def test_the_overview_says_what_to_know_and_which_line_decides(tmp_path):
    from tests.console.registry import Site  # noqa: PLC0415 - a site with settings of its own

    async with Site(tmp_path, STORAGE_DELETE_ENABLED="false") as site:
        await user(site, "max")
        await services_of(site).grants.give(AccountName("max"), DEPLOYMENT, Role.ADMIN, SYSTEM_ACTOR)
        browser = await browser_of(site, "max")
        page = await browser.get("/administration")
        assert "Deletion is off" in page.text
        assert "<code>REGISTRY_STORAGE_DELETE_ENABLED</code>" in page.text
        assert "No background job runs" in page.text
        assert "<code>REGISTRY_STORAGE_DELETE_ENABLED</code>" in (await browser.get("/administration/settings")).text
        assert "<code>http.addr</code>" in (await browser.get("/administration/settings?all=1")).text


async def test_storage_shows_what_is_held_and_how_it_grew(manager):
    page = await manager.get("/administration/storage")
    assert "/repositories/team/app" in page.text
    assert '<svg viewBox="0 0 720 160" role="img"' in page.text
    assert "are free on this disk" in page.text
    assert (await manager.get("/administration/storage?days=365")).status_code == 200
    assert (await manager.get("/administration/storage?days=7")).status_code == 400
    assert (await manager.get("/administration/storage?registry=none")).status_code == 404


async def test_collection_runs_when_it_is_told_to(town, manager):
    services = services_of(town)
    registry = services.registries.default
    assert "Nothing: all that is stored is needed" in (await manager.get("/administration/collection")).text
    await services.repositories.delete(registry, APP, SYSTEM_ACTOR)
    page = await manager.get("/administration/collection")
    assert "Repositories in the trash: 1" in page.text
    answer = await manager.post("/administration/collection", {"form_token": token_in(page)})
    told = await said(manager, answer)
    assert told == "Nothing was due." or told.startswith(
        "Looked at 0; removed 0 manifests, 0 blobs and 0 repositories. "
    )
    (number,) = (one.number for one in (await services.trash.list(registry, None, None, 9)).items)
    await services.trash.purge(registry, Trashed(repository=APP), SYSTEM_ACTOR, number=number)
    answer = await manager.post("/administration/collection", {"form_token": token_in(page)})
    told = await said(manager, answer)
    assert "and 1 repository." in told
    freed, waiting = re.search(r"Freed: (.+)\. To be freed within an hour: (.+)\.$", told).groups()
    assert (freed, waiting.endswith("B")) == ("0\xa0B", True)
    assert waiting != "0\xa0B", "what was removed is buried an hour later"


async def test_collection_that_is_not_done_goes_on_in_the_background_and_the_page_with_it(town, manager, monkeypatch):
    monkeypatch.setattr(upkeep, "_MOST_ROUNDS", 1)
    path, services = "/administration/collection", services_of(town)
    assert "data-poll" not in (await manager.get(path)).text
    await services.repositories.delete(services.registries.default, APP, SYSTEM_ACTOR)
    (number,) = (one.number for one in (await services.trash.list(services.registries.default, None, None, 9)).items)
    await services.trash.purge(services.registries.default, Trashed(repository=APP), SYSTEM_ACTOR, number=number)
    await manager.fill(path, path)
    assert list(await services.jobs.wanted()) == ["bury"]
    page = (await manager.get(path)).text
    assert 'id="progress" data-poll=' in page
    assert re.search(r'<noscript><p><a class="button" href="[^"]*">Show how far it is</a>', page)
    began = services.jobs.now()
    await services.jobs.end("bury", started_at=began, outcome="ok", done=3, reason=None, pause=30.0)
    assert "data-poll" not in (await manager.get(path)).text


async def test_a_verification_is_ordered_shown_stopped_and_says_what_it_found(town, manager):
    services = services_of(town)
    registry = services.registries.default
    page = await manager.get("/administration/verification")
    assert "Nothing was verified yet" in page.text
    answer = await manager.post("/administration/verification", {"form_token": token_in(page), "registry": "default"})
    one = answer.headers["location"]
    shown = await manager.get(one)
    assert "waits" in shown.text
    assert "data-poll" in shown.text
    answer = await manager.fill(one, f"{one}/stop")
    assert (await said(manager, answer)).startswith("It stops within some seconds")
    assert "stopped" in (await manager.get(one)).text
    assert "data-poll" not in (await manager.get(one)).text
    (layer,) = {blob.digest for blob in image("app").blobs[:1]}
    found = await services.blobs.stat(registry, APP, layer)
    registry.store.path(found.store_key).write_bytes(b"rotten")
    await services.verification.order(registry, SYSTEM_ACTOR)
    await services.verification.work(registry, interval=DAY, rate=None, stop=lambda: False)
    done = await manager.get(one)
    assert "blob-damaged" in done.text
    assert "push the image again" in done.text
    assert "The last verification of default found something" in (await manager.get("/administration")).text
    assert (await manager.get("/administration/verification/default/999")).status_code == 404


async def test_a_job_is_ordered_from_its_row(town, manager):
    page = await manager.get("/administration/jobs")
    answer = await manager.post("/administration/jobs", {"form_token": token_in(page), "name": "bury"})
    assert await said(manager, answer) == "bury runs within some seconds."
    assert list(await services_of(town).jobs.wanted()) == ["bury"]
    shown = (await manager.get("/administration/jobs")).text
    assert "as soon as it can" in shown
    assert 'id="progress" data-poll=' in shown
    assert "Show how far it is" in shown
    answer = await manager.post("/administration/jobs", {"form_token": token_in(page), "name": "dig"})
    assert answer.status_code == 404


async def test_the_audit_log_is_narrowed_followed_and_taken_along(manager, monkeypatch):
    monkeypatch.setattr("wharfinger.console.pages.audit._SIZE", 2)
    first = await manager.get("/administration/audit")
    assert first.text.count('<th scope="row">') == 2
    following = re.search(r'rel="next" href="([^"]*)"', first.text)[1].replace("&amp;", "&")
    assert (await manager.get(f"/administration/audit{following}")).text.count('<th scope="row">') == 2
    narrowed = await manager.get("/administration/audit?action=repository&repository=team/app")
    assert "<code>repository.created</code>" in narrowed.text
    assert "<code>tag.moved</code>" not in narrowed.text
    assert "No event fulfils that" in (await manager.get("/administration/audit?who=nobody")).text
    for query in ("since=yesterday", "repository=UPPER", "action=dance", "result=maybe"):
        assert (await manager.get(f"/administration/audit?{query}")).status_code == 400
    exported = await manager.get("/administration/audit/export?format=jsonl&action=repository")
    assert exported.headers["content-disposition"] == 'attachment; filename="audit.jsonl"'
    assert {json.loads(line)["action"] for line in exported.text.splitlines()} == {"repository.created"}
    assert (await manager.get("/administration/audit/export?format=csv")).text.startswith("id,at,action,")
    assert (await manager.get("/administration/audit/export?format=xml")).status_code == 400


async def test_a_user_is_made_with_a_password_that_is_shown_once(town, manager):
    made = await manager.fill("/administration/new-user", "/administration/new-user", name="new", email="n@example.com")
    assert made.status_code == 200
    password = re.search(r"data-copy><code>([^<]+)</code>", made.text)[1]
    assert password not in (await manager.get("/administration/users/new")).text
    browser = Browser(town)
    assert (await browser.sign_in("new", password)).status_code == 303
    assert '"/administration/users/new"' in (await manager.get("/administration/users")).text
    for name in ("New", "new", ""):
        refused = await manager.fill("/administration/new-user", "/administration/new-user", name=name)
        assert refused.status_code == 400, name
    taken = await manager.fill("/administration/new-user", "/administration/new-user", name="team")
    assert (taken.status_code, "Repositories that begin with this name already" in taken.text) == (400, True)
    claimed = await manager.fill("/administration/new-user", "/administration/new-user", name="team", claim="leave")
    assert claimed.status_code == 200


async def test_a_user_is_suspended_resumed_and_given_a_new_password(town, manager):
    one = "/administration/users/sam"
    answer = await manager.fill(one, f"{one}/suspension")
    assert "sam is suspended" in await said(manager, answer)
    assert (await Browser(town).sign_in("sam")).status_code != 303
    answer = await manager.fill(one, f"{one}/resumption")
    assert "sam may sign in again" in await said(manager, answer)
    issued = await manager.fill(one, f"{one}/password")
    password = re.search(r"data-copy><code>([^<]+)</code>", issued.text)[1]
    assert (await Browser(town).sign_in("sam", HORSE)).status_code != 303
    assert (await Browser(town).sign_in("sam", password)).status_code == 303


async def test_a_one_time_password_leads_to_the_page_for_another_one_before_anything_else(town, manager):
    page = (await manager.get("/administration/new-user")).text
    assert re.search(r'name="one_time"[^>]*checked', page), "it is proposed"
    made = await manager.fill("/administration/new-user", "/administration/new-user", name="new", one_time="on")
    password = re.search(r"data-copy><code>([^<]+)</code>", made.text)[1]
    browser = Browser(town)
    assert (await browser.sign_in("new", password)).headers["location"] == "/"
    for path in ("/", "/profile", "/profile/tokens/new", "/profile/second-factor", "/repositories/team/app"):
        answer = await browser.get(path)
        assert (answer.status_code, answer.headers.get("location")) == (303, "/profile/password"), path
    path = "/profile/password"
    assert "chosen by somebody else" in (await browser.get(path)).text
    form = {"current": password, "new": password, "repeated": password}
    refused = await browser.fill(path, path, **form)
    assert (refused.status_code, "Choose another one than the one" in refused.text) == (400, True)
    form |= {"new": "a password of my own", "repeated": "a password of my own"}
    assert (await browser.fill(path, path, **form)).headers["location"] == "/sign-in"
    assert (await Browser(town).sign_in("new", password)).status_code != 303
    assert (await browser.sign_in("new", "a password of my own")).status_code == 303
    assert (await browser.get("/profile/tokens/new")).status_code == 200
    assert "chosen by somebody else" not in (await browser.get(path)).text


async def test_who_was_given_a_one_time_password_may_sign_out_and_choose_a_language(town, manager):
    one = "/administration/users/sam"
    assert re.search(r'name="one_time"[^>]*checked', (await manager.get(one)).text)
    issued = await manager.fill(one, f"{one}/password", one_time="on")
    sam = Browser(town)
    await sam.sign_in("sam", re.search(r"data-copy><code>([^<]+)</code>", issued.text)[1])
    page = await sam.get("/profile/password", headers={"Accept-Language": "ko"})
    assert "나만의 비밀번호 정하기" in page.text
    assert (await sam.get("/profile/password?lang=ko")).status_code == 303
    assert (await sam.fill("/profile/password", "/sign-out")).status_code == 303
    assert (await sam.get("/profile/password")).headers["location"].startswith("/sign-in")


async def test_a_second_factor_is_reset_after_a_page_that_asks(town, manager):
    sam, one = await browser_of(town, "sam"), "/administration/users/sam"
    path = f"{one}/second-factor"
    assert path not in (await manager.get(one)).text
    await add_app(sam)
    assert f'href="{path}" data-confirm' in (await manager.get(one)).text
    asked = await manager.get(path)
    assert "Reset the second factor of sam?" in asked.text
    assert "<code>Phone</code>" in asked.text
    assert (await Browser(town).sign_in("sam")).headers["Location"].startswith("/sign-in/second-step")
    assert await said(manager, await manager.fill(path, path)) == (
        "sam signs in without a second factor now, and has to sign in again."
    )
    assert (await sam.get("/profile")).status_code == 303, "who was signed in is not any more"
    assert (await Browser(town).sign_in("sam", to="/profile")).headers["Location"] == "/profile"


async def test_roles_and_access_of_a_user_are_changed(town, manager):
    one = "/administration/users/sam"
    answer = await manager.fill(one, one, role="read", access_type="console")
    assert await said(manager, answer) == "Saved."
    assert (await (await browser_of(town, "sam")).get("/administration")).status_code == 200
    page = await manager.get(one)
    assert '<option value="read" selected>' in page.text
    assert '<option value="console" selected>' in page.text
    await manager.fill(one, one, role="write", access_type="both")
    assert '<option value="write" selected>' in (await manager.get(one)).text
    await manager.fill(one, one, role="", access_type="both")
    assert (await (await browser_of(town, "sam")).get("/administration")).status_code in {403, 404}
    wrong = await manager.post(one, {"form_token": token_in(page), "role": "king", "access_type": "both"})
    assert wrong.status_code == 400


async def test_a_user_is_deleted_where_its_name_is_typed(manager):
    path = "/administration/users/sam/deletion"
    assert (await manager.fill(path, path, typed="max")).status_code == 400
    answer = await manager.fill(path, path, typed="sam")
    assert await said(manager, answer) == "sam is deleted."
    assert (await manager.get("/administration/users/sam")).status_code == 404


async def test_nobody_shuts_out_oneself(manager):
    page = await manager.get("/administration/users/max")
    assert "This is your own account" in page.text
    form_token = token_in(page)
    assert (await manager.get("/administration/users/max/second-factor")).status_code == 409
    for path in ("", "/suspension", "/password", "/second-factor", "/deletion"):
        answer = await manager.post(f"/administration/users/max{path}", {"form_token": form_token, "typed": "max"})
        assert answer.status_code in {403, 409}, path
    assert (await manager.get("/administration")).status_code == 200


async def test_a_manager_switches_a_kind_of_content_off_and_a_viewer_sees_it(town, manager):
    viewer = await browser_of(town, "vic")
    form = {"takes-image": "on", "takes-artifact": "on"}
    answer = await manager.fill("/administration/content", "/administration/content", **form)
    assert await said(manager, answer) == "The deployment takes what is chosen. What is there is pulled as before."
    assert await services_of(town).content.off() == {"chart"}
    assert not re.search(r'name="takes-chart"[^>]*checked', (await manager.get("/administration/content")).text)
    page = (await viewer.get("/administration/content")).text
    assert re.findall(r'badge[^"]*">(\w+)<', page) == ["on", "off", "on"]
    assert "takes-chart" not in page
    form = {**form, "takes-chart": "on", "form_token": token_in(await viewer.get("/administration/jobs"))}
    assert (await viewer.post("/administration/content", form)).status_code == 403
    assert await services_of(town).content.off() == {"chart"}


async def test_a_manager_finds_every_organization_and_the_way_to_a_new_one(town, manager):
    assert 'href="/organizations/new"' in (await manager.get("/administration/organizations")).text
    for name in ("acme", "zeta"):
        await services_of(town).accounts.create_organization(AccountName(name), SYSTEM_ACTOR, owner=AccountName("sam"))
    page = await manager.get("/administration/organizations")
    assert re.findall(r'href="/accounts/(acme|zeta)"', page.text) == ["acme", "zeta"]
    rest = await manager.get("/administration/organizations?last=acme")
    assert re.findall(r'href="/accounts/(acme|zeta)"', rest.text) == ["zeta"]
    viewer = await browser_of(town, "vic")
    assert 'href="/organizations/new"' not in (await viewer.get("/administration/organizations")).text


async def test_a_new_user_is_told_how_to_begin_and_nothing_of_an_old_password(manager):
    made = await manager.fill("/administration/new-user", "/administration/new-user", name="new")
    assert "new signs in with it on this site" in made.text
    again = await manager.fill("/administration/users/new", "/administration/users/new/password")
    assert "has to sign in again" in again.text
