# SPDX-License-Identifier: Apache-2.0
"""What people come for, from the first page to the last: a browser and a real client at the same registry.

Each story has a repository of its own. With `--pictures`, what it shows on its way becomes the pictures of the guide.
"""

import re
import shutil

import pytest

from tests.console.registry import push
from tests.stories.town import PASSWORD
from tests.support.commands import run
from tests.support.images import image, platforms, write_layout
from tests.support.pages import page_in

pytestmark = pytest.mark.slow
OLI = ("oli", PASSWORD)


@pytest.fixture
def visit(town, chromium):
    """Open a page as somebody, with a clean conscience at the end."""

    def call(who, **options):
        options.setdefault("locale", "en-US")
        return page_in(chromium, cookies=() if who is None else town.cookies_of(who), **options)

    return call


@pytest.fixture
def skopeo(town, tmp_path):
    """Push with skopeo as somebody; returns what it said, whether it succeeded or not."""
    authority = town.url.removeprefix("http://")

    def call(seed, reference, who, secret=PASSWORD):
        layout = write_layout(tmp_path / f"layout-{seed}", {"v": image(seed)})
        creds = ("--dest-creds", f"{who}:{secret}")
        target = f"docker://{authority}/{reference}"
        return run(
            "skopeo",
            "--insecure-policy",
            "copy",
            "--dest-tls-verify=false",
            *creds,
            f"oci:{layout}:v",
            target,
            check=False,
        )

    assert shutil.which("skopeo")
    return call


def make(town, name, *tags, seed=None):
    return push(town.url, name, image(seed or name), *tags, auth=OLI)


def text_of(page):
    return page.locator("main").inner_text()


def test_somebody_signs_in_and_out_with_the_keyboard_alone(town, visit):
    with visit(None) as page:
        page.goto(f"{town.url}/profile")
        page.get_by_label("Name").fill("oli")
        page.get_by_label("Password").fill(PASSWORD)
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert page.url == f"{town.url}/profile"
        menu = page.locator("details.person summary")
        menu.focus()
        page.keyboard.press("Enter")
        out = page.locator("details.person").get_by_role("button", name="Sign out")
        out.focus()
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert page.get_by_role("link", name="Sign in").is_visible()


def test_what_a_client_pushes_appears_and_is_described(town, visit, skopeo):
    with visit("oli", color_scheme="light") as page:
        pushed = skopeo("story-push", "acme/story-push:2.1", "oli")
        assert pushed.status == 0, pushed
        page.goto(town.url)
        page.get_by_role("link", name="acme/story-push").click()
        assert page.get_by_role("link", name="2.1", exact=True).first.is_visible()
        page.get_by_role("link", name="Description", exact=True).click()
        page.get_by_role("link", name="Write a description").click()
        page.get_by_role("textbox", name="Description").fill("## 실행\n\nRun it with **docker**: `docker run app`")
        page.get_by_role("button", name="Preview").click()
        assert page.get_by_role("heading", name="실행").is_visible()
        page.get_by_role("button", name="Save").click()
        assert page.locator("article strong").inner_text() == "docker"
        page.goto(f"{town.url}/search?q=실행")
        assert "acme/story-push" in text_of(page)


def test_a_role_lets_somebody_in_and_taking_it_away_keeps_them_out(town, visit):
    make(town, "acme/story-role", "v1")
    address = f"{town.url}/repositories/acme/story-role"
    assert town.ask("/repositories/acme/story-role", "sam").status_code == 404
    with visit("oli") as page:
        page.goto(f"{address}/-/people")
        page.get_by_label("User, robot or team").fill("sam")
        page.get_by_role("radio", name="read").check()
        page.get_by_role("button", name="Give the role").click()
        assert page.get_by_role("row", name="sam").is_visible()
        assert town.ask("/repositories/acme/story-role", "sam").status_code == 200
        page.get_by_role("button", name="Take the role of sam away").click()
        page.get_by_role("row", name="sam").wait_for(state="detached")
    assert town.ask("/repositories/acme/story-role", "sam").status_code == 404


def test_a_repository_is_deleted_and_comes_back_whole(town, visit):
    make(town, "acme/story-gone", "v1", "v2")
    with visit("oli") as page:
        page.goto(f"{town.url}/repositories/acme/story-gone/-/settings")
        page.get_by_role("link", name="Delete…").click()
        page.get_by_label("To confirm, type acme/story-gone").fill("acme/story-gone")
        page.locator("form button.danger").last.click()
        page.wait_for_load_state()
        assert town.ask("/repositories/acme/story-gone", "oli").status_code == 404
        page.goto(f"{town.url}/trash")
        page.get_by_role("row", name="acme/story-gone").get_by_role("button", name="Restore").click()
        page.wait_for_load_state()
        page.goto(f"{town.url}/repositories/acme/story-gone")
        assert page.get_by_role("link", name="v1", exact=True).first.is_visible()
        assert page.get_by_role("link", name="v2", exact=True).first.is_visible()


def test_an_immutable_tag_refuses_another_image_and_takes_the_same(town, visit, skopeo):
    assert skopeo("first", "acme/story-fixed:1.0", "oli").status == 0
    with visit("oli") as page:
        page.goto(f"{town.url}/repositories/acme/story-fixed/-/settings")
        page.get_by_role("radio", name="All A tag names").check()
        page.locator("form", has=page.locator("[name=immutable]")).get_by_role("button", name="Save").click()
        page.wait_for_load_state()
    refused = skopeo("second", "acme/story-fixed:1.0", "oli")
    assert refused.status != 0
    assert "immutable" in refused.output
    assert skopeo("first", "acme/story-fixed:1.0", "oli").status == 0


def test_two_tags_are_compared_and_an_image_is_looked_into(town, visit):
    push(town.url, "acme/story-inside", platforms("inside"), "1.0", auth=OLI)
    make(town, "acme/story-inside", "1.1", seed="inside 2")
    with visit("oli") as page:
        page.goto(f"{town.url}/repositories/acme/story-inside/-/tags/1.0")
        assert "amd64" in text_of(page)
        assert "layer 0" in text_of(page)
        page.goto(f"{town.url}/repositories/acme/story-inside/-/compare?from=1.0&to=1.1")
        assert page.get_by_role("heading").first.is_visible()


def test_without_a_script_everything_still_works(town, visit):
    make(town, "acme/story-plain", "v1")
    with visit("oli", java_script_enabled=False) as page:
        page.goto(town.url)
        page.get_by_role("searchbox", name="Search").first.fill("story-plain")
        page.keyboard.press("Enter")
        with page.expect_navigation():
            page.get_by_role("link", name="acme/story-plain", exact=True).click()
        page.goto(f"{town.url}/repositories/acme/story-plain/-/delete")
        page.get_by_label("To confirm, type acme/story-plain").fill("acme/story-plain")
        with page.expect_navigation():
            page.locator("form button.danger").last.click()
        assert town.ask("/repositories/acme/story-plain", "oli").status_code == 404


def test_the_language_and_the_theme_that_somebody_chooses_stay(town, visit):
    with visit("oli", color_scheme="light") as page:
        page.goto(town.url)
        page.get_by_role("link", name="한국어").click()
        assert page.locator("html").get_attribute("lang") == "ko"
        page.get_by_role("link", name="어둡게").click()
        page.goto(f"{town.url}/repositories/acme/web")
        assert page.locator("html").get_attribute("lang") == "ko"
        assert page.locator("html").get_attribute("data-theme") == "dark"


def test_a_token_is_made_and_a_client_pushes_with_it(town, visit, skopeo):
    with visit("oli") as page:
        page.goto(f"{town.url}/profile/tokens/new")
        page.get_by_label("Name", exact=True).fill("laptop")
        page.locator("[name=scope][value='write:packages']").check()
        page.get_by_role("button", name="Make it").click()
        secret = re.search(r"wh[a-z]*_[A-Za-z0-9_]{20,}", text_of(page))[0]
    assert skopeo("story-token", "acme/story-token:1", "oli", secret).status == 0
    assert skopeo("story-token", "acme/story-token:2", "oli", f"{secret[:-1]}?").status != 0
