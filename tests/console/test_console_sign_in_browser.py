# SPDX-License-Identifier: Apache-2.0
"""Signing in as a person does it: in Chromium, over a socket, by password and through the certified provider."""

import httpx
import pytest
from playwright.sync_api import sync_playwright

from tests.console.registry import push
from tests.support.accounts import Office
from tests.support.images import image
from tests.support.openid_provider import OpenIdProvider
from tests.support.pages import ARGUMENTS, CHROMIUM, page_in, require_open
from tests.support.server import Server
from wharfinger.domain.accounts import AccountName
from wharfinger.domain.identity import SYSTEM_ACTOR

pytestmark = pytest.mark.slow
HORSE = "correct horse battery"


class Town:
    """A registry, its provider, and a member of an organization that demands single sign-on, with a token."""

    def __init__(self, folder):
        self.server = Server(folder / "registry")
        self.url = f"http://localhost:{self.server.port}"
        self.provider = OpenIdProvider(folder, f"{self.url}/sign-in/from/corp")
        self.provider.say(ann={}, new={"preferred_username": "newcomer", "name": "A Newcomer"})
        variables = {f"REGISTRY_{name}": value for name, value in self.provider.settings().items()}
        self.server.environment |= variables
        self.server.start()
        push(self.server.url, "acme/app", image("app"), "v1")
        with Office(self.server.environment) as office:
            office.user("ann", HORSE)
            services = office.services
            for work in (
                services.accounts.create_organization(
                    AccountName("acme"), SYSTEM_ACTOR, owner=AccountName("ann"), claim=True
                ),
                services.people.external_identities.link(AccountName("ann"), "corp", "sub-of-ann", SYSTEM_ACTOR),
                services.people.demands.make(AccountName("acme"), "corp", SYSTEM_ACTOR),
            ):
                office._run(work)
            self.token = office.token("ann").secret

    def pulls(self):
        """Say how a client with the token fares."""
        return httpx.get(
            f"{self.server.url}/v2/acme/app/manifests/v1", auth=("ann", self.token), trust_env=False
        ).status_code

    def stop(self):
        self.provider.stop()
        self.server.stop()


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    one = Town(tmp_path_factory.mktemp("town"))
    yield one
    one.stop()


@pytest.fixture(scope="module")
def chromium(town):  # noqa: ARG001 - the accounts are made before: afterwards no test can have an event loop
    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield one
        one.close()


@pytest.fixture(params=[True, False], ids=["with scripts", "without scripts"])
def page(request, chromium):
    context = chromium.new_context(java_script_enabled=request.param, viewport={"width": 390, "height": 800})
    yield context.new_page()
    context.close()


def test_a_person_signs_in_with_a_password_and_out_again(town, page):
    page.goto(f"{town.url}/")
    page.get_by_role("banner").get_by_role("link", name="Sign in").click()
    page.get_by_label("User name").fill("ann")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    assert page.get_by_role("alert").is_visible()
    assert page.get_by_label("User name").input_value() == "ann"
    page.get_by_label("Password").fill(HORSE)
    page.get_by_role("button", name="Sign in").click()
    page.locator("summary", has_text="ann").click()
    page.get_by_role("link", name="Profile").click()
    assert page.get_by_text("with a password").is_visible()
    (cookie,) = [one for one in page.context.cookies() if "session" in one["name"]]
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Lax", "/")
    page.locator("summary", has_text="ann").click()
    page.get_by_role("banner").get_by_role("button", name="Sign out", exact=True).click()
    assert page.get_by_role("banner").get_by_role("link", name="Sign in").is_visible()


def test_a_newcomer_signs_in_through_the_provider(town, page):
    page.goto(f"{town.url}/sign-in")
    page.get_by_role("link", name="Sign in with Corp").click()
    page.get_by_label("Name").fill("new")
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(f"{town.url}/")
    page.locator("summary", has_text="newcomer").click()
    page.get_by_role("link", name="Profile").click()
    assert page.get_by_role("heading", name="A Newcomer").is_visible()
    assert page.get_by_text("through Corp").is_visible()


def test_a_member_authorizes_a_token_after_single_sign_on_and_takes_it_back(town, page):
    page.goto(f"{town.url}/sign-in?to=/repositories/acme/app")
    page.get_by_label("User name").fill("ann")
    page.get_by_label("Password").fill(HORSE)
    page.get_by_role("button", name="Sign in").click()
    assert page.get_by_text("demands single sign-on").is_visible()
    assert town.pulls() == 403
    page.get_by_role("link", name="To your own page").click()
    page.get_by_role("link", name="Sign in with Corp").click()
    page.get_by_label("Name").fill("ann")
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(f"{town.url}/profile")
    page.get_by_role("button", name="Authorize").click()
    assert town.pulls() == 200
    page.goto(f"{town.url}/repositories/acme/app")
    assert page.get_by_role("heading", name="acme/app").is_visible()
    page.goto(f"{town.url}/profile")
    page.get_by_role("button", name="Withdraw").click()
    page.get_by_role("button", name="Authorize").wait_for()
    assert town.pulls() == 403


def test_the_form_of_another_site_signs_nobody_out(town, page):
    page.goto(f"{town.url}/sign-in")
    page.get_by_label("User name").fill("ann")
    page.get_by_label("Password").fill(HORSE)
    page.get_by_role("button", name="Sign in").click()
    page.locator("summary", has_text="ann").wait_for()
    elsewhere = f"<form method=post action='{town.url}/sign-out'><button>Win</button></form>"
    page.goto(f"data:text/html,{elsewhere}")
    page.get_by_role("button", name="Win").click()
    page.get_by_role("heading", name="Nothing was done").wait_for()
    page.goto(f"{town.url}/profile")
    assert page.get_by_text("with a password").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_the_pages_can_be_read_and_fit(town, chromium, scheme, width):
    with page_in(chromium, (width, 800), color_scheme=scheme) as page:
        page.goto(f"{town.url}/sign-in?to=/profile")
        require_open(page)
        page.get_by_label("User name").fill("ann")
        page.get_by_label("Password").fill(HORSE)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{town.url}/profile")
        require_open(page)
