# SPDX-License-Identifier: Apache-2.0
"""A repository's pages as people use them: in Chromium, on a phone and a desk, with hostile words on them."""

import pytest

from tests.console.registry import push
from tests.support.accounts import Office
from tests.support.images import artifact, image, platforms
from tests.support.pages import DESK, PHONE, page_in, require_open
from tests.support.server import Server
from wharfinger.domain.identity import SYSTEM_ACTOR
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.policies.retention import make_policy, make_rule
from wharfinger.services.repositories import RepositoryChange

pytestmark = pytest.mark.slow
HORSE = "correct horse battery"
HOSTILE = '"><img src=x onerror="document.title=1"><script>document.title=2</script>'
TEXT = f"""# Shop {HOSTILE}

A [link](https://example.com/) and [another](javascript:document.title=3), ![a picture](https://example.com/x.png)

| a | b |
| - | - |
| {"long" * 60} | `code` |

```
{"word " * 60}
```
"""
APP = "/repositories/acme/app"
TABS = ("", "/-/description", "/-/description/edit", "/-/activity", "/-/people", "/-/settings", "/-/settings/retention")


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """A repository with everything that its pages can show, and ann, who manages the deployment."""
    with Server(tmp_path_factory.mktemp("town") / "registry") as server:
        furnish(server)
        yield server


def furnish(server):
    for number in range(4):
        push(server.url, "acme/app", image(f"v1.{number}"), f"v1.{number}")
    push(server.url, "acme/app", platforms("app"), "v2", "latest")
    push(server.url, "acme/app", artifact(b"x", kind=HOSTILE), "odd")
    with Office(server.environment) as office:
        name, services = RepositoryName("acme/app"), office.services
        for who in ("ann", "bob"):
            office.user(who, HORSE)
        office.give("ann", "admin")
        office.give("bob", "write", repository="acme/app")
        registry = office._run(services.registries.on_host(""))
        change = RepositoryChange(description=HOSTILE, immutable_tags="v2")
        policy = make_policy([make_rule("reviews", "v1*", newest=9)])
        office._run(services.repositories.change(registry, name, change, SYSTEM_ACTOR))
        office._run(services.descriptions.change(registry, name, TEXT, SYSTEM_ACTOR))
        office._run(services.retention.set_for_repository(registry, name, policy, SYSTEM_ACTOR))
        office._run(pull(services, registry, name))


async def pull(services, registry, name):
    found = await services.manifests.find(registry, name, "v2")
    services.pulls.note(("192.0.2.1", None), found.id, "v2", fetched=True)
    await services.pulls.flush()


def local(town, path=""):
    return f"http://localhost:{town.port}{path}"


@pytest.fixture(scope="module")
def cookies(town, chromium):
    with page_in(chromium) as page:
        page.goto(local(town, "/sign-in"))
        page.get_by_label("Name").fill("ann")
        page.get_by_label("Password").fill(HORSE)
        page.get_by_role("main").get_by_role("button", name="Sign in").click()
        page.wait_for_url(local(town, "/"))
        return page.context.cookies()


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize(("scheme", "locale"), [("light", "en-GB"), ("dark", "ko-KR")])
def test_every_tab_is_open_to_everybody_and_runs_nothing_that_somebody_wrote(
    town, chromium, cookies, size, scheme, locale
):
    with page_in(chromium, size, cookies=cookies, color_scheme=scheme, locale=locale) as page:
        for tab in TABS:
            page.goto(local(town, APP + tab))
            require_open(page)
            assert page.title() == "acme/app · Wharfinger"
            assert page.locator("img[src=x], img[src*=example]").count() == 0
            assert page.locator("h1").count() == 1


def test_a_person_describes_it_marks_it_and_deletes_what_it_chose(town, chromium, cookies):
    with page_in(chromium, cookies=cookies, expected=()) as page:
        page.goto(local(town, APP))
        page.get_by_role("button", name="Star").click()
        page.get_by_role("button", name="Star", pressed=True).wait_for()
        page.get_by_role("link", name="Description").click()
        page.get_by_role("link", name="Edit").click()
        page.get_by_label("Description").fill("# Anew\n\nby **ann**")
        page.get_by_role("button", name="Preview").click()
        page.get_by_role("article").get_by_role("heading", name="Anew").wait_for()
        page.get_by_role("button", name="Save").click()
        page.get_by_role("status").get_by_text("The description was saved.").wait_for()
        page.get_by_role("link", name="Tags").click()
        page.get_by_label("Choose v1.0").check()
        page.get_by_label("Choose v1.1").check()
        page.get_by_role("button", name="Delete the chosen tags").click()
        page.get_by_role("heading", name="Delete 2 tags of acme/app?").wait_for()
        page.get_by_role("button", name="Delete").click()
        page.get_by_role("status").get_by_text("Deleted v1.1, v1.0.").wait_for()
        page.get_by_role("link", name="Activity").click()
        page.get_by_role("button", name="Restore v1.1").click()
        page.get_by_text("The tag v1.1 is back").wait_for()
        page.get_by_role("link", name="Tags").click()
        assert page.get_by_label("Choose v1.1").is_visible()
        assert page.get_by_label("Choose v1.0").count() == 0


def test_without_scripts_a_repository_is_deleted_by_its_name(town, chromium, cookies):
    push_to_end(town)
    with page_in(chromium, cookies=cookies, java_script_enabled=False) as page:
        page.goto(local(town, "/repositories/ann/end/-/settings"))
        page.get_by_role("link", name="Delete…").click()
        page.get_by_label("To confirm, type ann/end").fill("ann/end")
        page.get_by_role("button", name="Delete the repository").click()
        page.wait_for_url(local(town, "/"))
        page.get_by_role("link", name="Bring it back from the trash").click()
        assert page.get_by_text("ann/end").first.is_visible()


def push_to_end(town):
    push(town.url, "ann/end", image("end"), "v1", auth=("ann", HORSE))
