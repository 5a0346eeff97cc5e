# SPDX-License-Identifier: Apache-2.0
"""The pictures of the guide, taken of a small company's registry, in each language that the console speaks.

`pytest tests/stories/test_stories_pictures.py --pictures docs/guide` writes them. Without it, the pages are only
opened; and in both cases the guide must show every picture, in its own language, and none that is not there.
"""

import re
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.stories.shop import WORDS, open_shop
from tests.support.pages import page_in
from tests.support.pictures import reduced

pytestmark = pytest.mark.slow
GUIDE = Path(__file__).parent.parent.parent / "docs" / "guide"
FOLDERS = {"en": Path("images"), "ko": Path("ko", "images")}
LOCALES = {"en": "en-US", "ko": "ko-KR"}
LARGEST = 60_000
WIDTH = 1120
_TIDY = """
(folders) => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    node.data = node.data.replace(/(wh[a-z]_)[A-Za-z0-9_]{20,}/g, (_, start) => start + "•".repeat(24));
    for (const [of_test, usual] of folders) node.data = node.data.replaceAll(of_test, usual);
  }
}
"""


@dataclass(frozen=True)
class Picture:
    """What is on a picture.

    Args:
        path: of the page.
        who: looks at it.
        height: of the window.
        form: that is filled in and sent on the page before.
        section: with which the picture begins.
    """

    path: str
    who: str = "ann"
    height: int = 640
    form: str | None = None
    section: str | None = None


WEB = "/repositories/acme/web"
PICTURES = {
    "repositories": Picture("/"),
    "repository": Picture(WEB, height=800),
    "description": Picture(f"{WEB}/-/description", height=760),
    "people": Picture(f"{WEB}/-/people", height=800),
    "settings": Picture(f"{WEB}/-/settings", height=800),
    "immutable-tags": Picture(f"{WEB}/-/settings", section="#immutability"),
    "activity": Picture(f"{WEB}/-/activity", height=760),
    "repository-deletion": Picture(f"{WEB}/-/delete"),
    "tag": Picture(f"{WEB}/-/tags/2.1.0", height=1000),
    "comparison": Picture(f"{WEB}/-/compare?from=2.0.3&to=edge", height=760),
    "search": Picture("/search?q=web"),
    "trash": Picture("/trash"),
    "registries": Picture("/registries"),
    "new-registry": Picture("/registries/new"),
    "registry": Picture("/registries/team", height=700),
    "registry-settings": Picture("/registries/team/-/settings", height=900),
    "registry-deletion": Picture("/registries/team/-/deletion"),
    "profile": Picture("/profile", height=760),
    "tokens": Picture("/profile/tokens"),
    "new-token": Picture("/profile/tokens/new?for=pull", height=1000),
    "token-made": Picture("/profile/tokens/new?for=pull", height=1000, form="form[action$='/profile/tokens']"),
    "second-factor": Picture("/profile/second-factor"),
    "second-factor-app": Picture("/profile/second-factor/app", height=760),
    "organization": Picture("/accounts/acme"),
    "members": Picture("/accounts/acme/-/members"),
    "team": Picture("/accounts/acme/-/teams/web", height=700),
    "robot": Picture("/robots/acme+ci", height=700),
    "access": Picture("/accounts/acme/-/access", height=800),
    "trust": Picture("/accounts/acme/-/trust", height=700),
    "why": Picture("/access?who=bob&action=push&what=acme/web", height=960),
    "administration": Picture("/administration", height=760),
    "storage": Picture("/administration/storage", height=900),
    "collection": Picture("/administration/collection", height=760),
    "jobs": Picture("/administration/jobs", height=760),
    "audit": Picture("/administration/audit", height=760),
    "content": Picture("/administration/content"),
    "users": Picture("/administration/users"),
    "user": Picture("/administration/users/bob", height=900),
}


@pytest.fixture(scope="module")
def shops(tmp_path_factory):
    """A shop for each language; all are opened before the browser, which leaves nobody an event loop."""
    with ExitStack() as opened:
        yield {one: opened.enter_context(open_shop(tmp_path_factory.mktemp("shop"), one)) for one in FOLDERS}


def usual_folders(environment):
    """Return the folders of the test, each with what a picture shows in its place."""
    names = {environment[f"REGISTRY_STORAGES_{number}_NAME"]: f"REGISTRY_STORAGES_{number}" for number in (0, 1)}
    variables = {"registry": "REGISTRY_STORAGE_FILESYSTEM", **names}
    return [[environment[f"{variable}_ROOTDIRECTORY"], f"/srv/{name}"] for name, variable in variables.items()]


@pytest.mark.parametrize("language", FOLDERS)
@pytest.mark.parametrize("name", PICTURES)
def test_the_page_of_a_picture_is_there_in_each_language(shops, request, language, name):
    shop, one = shops[language], PICTURES[name]
    answer = shop.ask(one.path, one.who, language=language)
    assert answer.status_code == 200
    assert f'<html lang="{language}"' in answer.text
    folder = request.config.getoption("--pictures")
    if folder is not None:
        place = Path(folder) / FOLDERS[language]
        place.mkdir(exist_ok=True)
        (place / f"console-{name}.png").write_bytes(taken(request.getfixturevalue("chromium"), shop, one, language))


def taken(chromium, shop, one, language):
    """Return a picture of a page."""
    options = {"locale": LOCALES[language], "color_scheme": "light", "cookies": shop.cookies_of(one.who)}
    with page_in(chromium, (WIDTH, one.height), **options) as page:
        page.goto(shop.url + one.path)
        if one.form is not None:
            form = page.locator(one.form)
            form.locator("[name=name]").fill(WORDS[language]["laptop"])
            form.locator("button").last.click()
            page.locator("section.secret").wait_for()
        page.evaluate(_TIDY, usual_folders(shop.server.environment))
        if one.section is not None:
            page.locator(one.section).evaluate("element => scrollTo(0, element.getBoundingClientRect().top - 24)")
        page.evaluate("document.activeElement?.blur()")
        png = page.screenshot()
    with page_in(chromium) as page:
        return reduced(page, png)


@pytest.mark.parametrize("language", FOLDERS)
def test_every_picture_is_small_and_on_a_page_of_its_language(language):
    folder = GUIDE / FOLDERS[language]
    taken = {f"console-{name}.png" for name in PICTURES}
    assert {file.name for file in folder.iterdir()} == taken
    assert [file.name for file in folder.iterdir() if file.stat().st_size >= LARGEST] == []
    shown = [
        name
        for page in folder.parent.glob("*.md")
        for name in re.findall(r"!\[[^]]+\]\(images/([^)]+)\)", page.read_text())
    ]
    assert set(shown) == taken
    assert "../images/" not in "".join(page.read_text() for page in (GUIDE / "ko").glob("*.md"))
