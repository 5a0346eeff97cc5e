# SPDX-License-Identifier: Apache-2.0
"""The pages of an organization in Chromium: nothing bars anybody's way, and what they say to do works."""

import json
import re

import httpx
import pytest
from playwright.sync_api import sync_playwright

from tests.console.registry import push
from tests.support.accounts import Office
from tests.support.images import image
from tests.support.pages import ARGUMENTS, CHROMIUM, DESK, PHONE, page_in, require_open
from tests.support.server import Server
from wharfinger.domain.access import Role
from wharfinger.domain.accounts import AccountName
from wharfinger.domain.grants import DEPLOYMENT
from wharfinger.domain.identity import SYSTEM_ACTOR

pytestmark = pytest.mark.slow
HORSE = "correct horse battery"
HOSTILE = '"><img src=x onerror="document.title=1">'
PAGES = (
    "/accounts/acme/-/members",
    "/accounts/acme/-/members/bob/removal",
    "/accounts/acme/-/teams",
    "/accounts/acme/-/teams/builders",
    "/accounts/acme/-/robots",
    "/accounts/acme/-/access",
    "/accounts/acme/-/settings",
    "/accounts/acme/-/trust",
    "/accounts/acme/-/trust/new?kind=github",
    "/accounts/acme/-/trust/new?kind=other",
    "/robots/acme+ci",
    "/organizations/new",
    "/access",
    "/access?who=bob&action=push&what=acme/app",
)


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """A registry of ann, who manages it and owns `acme`."""
    server = Server(tmp_path_factory.mktemp("organizations"))
    server.start()
    with Office(server.environment) as office:
        for name in ("ann", "bob", "eve"):
            office.user(name, HORSE)
        office.organization("acme", "ann")
        office.robot("acme+ci")
        office._run(office.services.grants.give(AccountName("ann"), DEPLOYMENT, Role.ADMIN, SYSTEM_ACTOR))
    push(server.url, "acme/app", image("app"), "v1", auth=("ann", HORSE))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def chromium(registry):  # noqa: ARG001 - the accounts are made before: afterwards no test can have an event loop
    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield one
        one.close()


def url(server, path=""):
    return f"http://localhost:{server.port}{path}"


def sign_in(page, server, name="ann"):
    page.goto(url(server, "/sign-in"))
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(HORSE)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(url(server, "/"))


def test_a_member_a_team_and_a_role_are_made_by_hand(chromium, registry):
    with page_in(chromium) as page:
        sign_in(page, registry)
        page.goto(url(registry, "/accounts/acme/-/members"))
        page.get_by_label("User").fill("bob")
        page.get_by_role("button", name="Add", exact=True).click()
        page.get_by_role("status").get_by_text("bob is a member of acme now.").wait_for()
        page.get_by_role("link", name="Teams").click()
        page.get_by_role("textbox", name="Name", exact=True).fill("builders")
        page.get_by_label("What it is for").fill(HOSTILE)
        page.get_by_role("button", name="Make the team").click()
        page.get_by_role("status").get_by_text("There is a team builders now.").wait_for()
        assert page.get_by_label("What it is for").input_value() == HOSTILE
        assert page.title() == "Team builders of acme · Wharfinger"
        page.get_by_role("link", name="Access").click()
        page.get_by_role("combobox", name="Who").fill("acme/builders")
        page.get_by_role("radio", name=re.compile("^write")).check()
        page.get_by_role("button", name="Give", exact=True).click()
        page.get_by_role("status").get_by_text("acme/builders has a role on acme now.").wait_for()


def test_a_key_is_made_and_signs_in_and_the_page_forgets_it(chromium, registry):
    with page_in(chromium) as page:
        sign_in(page, registry)
        page.goto(url(registry, "/robots/acme+ci"))
        page.get_by_role("textbox", name="Name").fill("build server")
        page.get_by_role("button", name="Make the key").click()
        secret = page.get_by_role("group", name="Secret").locator("code").inner_text()
        user = page.get_by_text(re.compile("docker login")).first.inner_text().partition("-u ")[2].split()[0]
        assert httpx.get(f"{registry.url}/token", auth=(user, secret), trust_env=False).status_code == 200
        require_open(page)
        page.get_by_role("link", name="I have copied it").click()
        assert secret not in page.content()
        assert page.get_by_text(user).is_visible()


def test_a_trust_rule_is_made_and_explains_a_token_by_its_claims(chromium, registry):
    with page_in(chromium) as page:
        sign_in(page, registry)
        page.goto(url(registry, "/accounts/acme/-/trust"))
        page.get_by_role("link", name="GitHub Actions").click()
        page.get_by_label("Owner, or owner/repository").fill("acme/app")
        page.get_by_role("button", name="Make the rule").click()
        page.get_by_role("status").get_by_text("The rule counts from now on.").wait_for()
        assert "id-token: write" in page.locator("pre.snippet").inner_text()
        require_open(page)
        page.get_by_role("link", name="Trust rules").click()
        claims = {"iss": "https://token.actions.githubusercontent.com", "aud": "localhost", "repository": "acme/other"}
        page.get_by_label("An identity token, or its claims as JSON").fill(json.dumps(claims))
        page.get_by_role("button", name="Try", exact=True).click()
        page.get_by_text("No rule here fits.").wait_for()
        assert page.get_by_text("repository is 'acme/other', and must be 'acme/app'").is_visible()
        require_open(page)


@pytest.mark.parametrize("path", PAGES)
def test_nothing_bars_the_way(chromium, registry, path):
    for size, scheme in ((PHONE, "dark"), (DESK, "light")):
        with page_in(chromium, size, color_scheme=scheme) as page:
            cookie = sign_in_by_cookie(registry)
            page.context.add_cookies([cookie])
            answer = page.goto(url(registry, path))
            assert answer.status == 200
            assert len(answer.body()) < 100_000
            require_open(page)


_COOKIES = {}


def sign_in_by_cookie(server):
    """Return a cookie of ann's session: one for the module, because a sign-in costs a hash."""
    if server.port not in _COOKIES:
        with httpx.Client(base_url=url(server), trust_env=False) as http:
            page = http.get("/sign-in")
            token = re.search(r'name="form_token" value="([^"]+)"', page.text)[1]
            form = {"form_token": token, "name": "ann", "password": HORSE}
            http.post("/sign-in", data=form, headers={"Sec-Fetch-Site": "same-origin"})
            (value,) = [one.value for one in http.cookies.jar if one.name.endswith("session")]
            name = next(one.name for one in http.cookies.jar if one.name.endswith("session"))
        _COOKIES[server.port] = {"name": name, "value": value, "url": url(server)}
    return _COOKIES[server.port]
