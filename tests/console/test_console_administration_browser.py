# SPDX-License-Identifier: Apache-2.0
"""Administration and the trash in Chromium: they bar nobody's way, at a desk and on a phone, in light and dark."""

import pytest

from tests.console.registry import push
from tests.support.accounts import SECRET, Office
from tests.support.images import image
from tests.support.pages import DESK, PHONE, page_in, require_open
from tests.support.server import Servers
from wharfinger.domain.access import Role
from wharfinger.domain.accounts import AccountName
from wharfinger.domain.grants import DEPLOYMENT
from wharfinger.domain.identity import SYSTEM_ACTOR
from wharfinger.domain.names import RepositoryName

pytestmark = pytest.mark.slow
PASSWORD = "canary correct horse"
PATHS = (
    *(f"/administration{path}" for path in ("", "/storage", "/collection", "/verification", "/jobs")),
    *(f"/administration{path}" for path in ("/audit", "/users", "/users/ann", "/new-user", "/content")),
    "/administration/sign-in",
    "/administration/settings?all=1",
    "/trash",
    "/trash/repositories/{number}",
    "/trash/repositories/{number}/purge",
)


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """A registry with a manager, and a deleted repository; returns its URL and the number of that.

    It comes before the browser, beside which nothing else can have a loop.
    """
    servers = Servers(tmp_path_factory.mktemp("administration"))
    server = servers(environment={"REGISTRY_HTTP_SECRET": SECRET})
    with Office(server.environment) as office:
        services, run = office.services, office._run
        for name in ("max", "ann"):
            office.user(name, PASSWORD)
        run(services.grants.give(AccountName("max"), DEPLOYMENT, Role.ADMIN, SYSTEM_ACTOR))
        for name in ("one", "two"):
            push(server.url, name, image(name), "v1", auth=("max", PASSWORD))
        default = services.registries.default
        run(services.figures.take())
        run(services.repositories.delete(default, RepositoryName("two"), SYSTEM_ACTOR))
        run(services.verification.order(default, SYSTEM_ACTOR))
        (entry,) = run(services.trash.list(default, None, None, 9)).items
    yield server.url, entry.number
    servers.stop()


def sign_in(page, url):
    page.goto(f"{url}/sign-in")
    page.fill("[name=name]", "max")
    page.fill("[name=password]", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url(f"{url}/")


@pytest.mark.parametrize(("size", "scheme"), [(DESK, "dark"), (PHONE, "light")])
def test_no_page_bars_the_way(registry, chromium, size, scheme):
    url, number = registry
    with page_in(chromium, size, color_scheme=scheme) as page:
        sign_in(page, url)
        for path in PATHS:
            page.goto(url + path.format(number=number))
            require_open(page)


def test_a_chart_can_be_read_as_a_table_by_keyboard(registry, chromium):
    url, _ = registry
    with page_in(chromium) as page:
        sign_in(page, url)
        page.goto(f"{url}/administration/storage")
        page.locator(".chart summary").first.focus()
        page.keyboard.press("Enter")
        assert page.locator(".chart table").first.is_visible()


def test_a_job_that_was_ordered_is_followed_without_loading_the_page_again(registry, chromium):
    url, _ = registry
    with page_in(chromium) as page:
        sign_in(page, url)
        page.goto(f"{url}/administration/jobs")
        row = page.get_by_role("row").filter(has_text="take figures")
        row.get_by_role("button", name="Run now").click()
        row.get_by_text("as soon as it can").wait_for()
        page.evaluate("() => { window.stays = true; document.activeElement.blur(); }")
        row.get_by_role("button", name="Run now").wait_for(timeout=20_000)
        assert page.evaluate("window.stays"), "the page was loaded again"
        assert page.locator("[data-poll]").count() == 0


def test_without_a_script_a_link_shows_how_far_it_is(registry, chromium):
    url, _ = registry
    with page_in(chromium, java_script_enabled=False) as page:
        sign_in(page, url)
        page.goto(f"{url}/administration/verification")
        if page.get_by_role("link", name="Show how far it is").count() == 0:
            page.get_by_role("button", name="Verify everything now").click()
        page.get_by_role("link", name="Show how far it is").click()
        assert "/administration/verification" in page.url
