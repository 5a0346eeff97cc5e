# SPDX-License-Identifier: Apache-2.0
"""The trash in the console: who sees what, what comes back, and what does not."""

from base64 import b64encode

import pytest

from tests.console.people import HORSE, Browser, services_of, user
from tests.support.images import image
from wharfinger.domain.access import Role
from wharfinger.domain.accounts import AccountName
from wharfinger.domain.grants import DEPLOYMENT
from wharfinger.domain.identity import SYSTEM_ACTOR
from wharfinger.domain.names import RepositoryName

MAX = {"Authorization": "Basic " + b64encode(f"max:{HORSE}".encode()).decode()}
APP = RepositoryName("team/app")


def registry_of(site):
    return services_of(site).registries.default


async def delete(site, name=APP):
    await services_of(site).repositories.delete(registry_of(site), name, SYSTEM_ACTOR)


@pytest.fixture
async def town(site):
    """A site with a repository that has two tags; `max` manages everything, and `sam` has nothing to do with it."""
    await site.push(APP, image("app"), "v1", "v2")
    for name in ("max", "sam"):
        await user(site, name)
    await services_of(site).grants.give(AccountName("max"), DEPLOYMENT, Role.ADMIN, SYSTEM_ACTOR)
    return site


@pytest.fixture
async def manager(town):
    browser = Browser(town)
    await browser.sign_in("max")
    return browser


async def test_an_empty_trash_says_what_comes_there(manager):
    page = await manager.get("/trash")
    assert page.status_code == 200
    assert "The trash is empty" in page.text


async def test_a_deleted_repository_comes_back_with_all_that_it_had(town, manager):
    await delete(town)
    listed = await manager.get("/trash")
    assert '<span class="namespace">team/<wbr></span><span class="leaf">app</span>' in listed.text
    number = listed.text.split("/trash/repositories/")[1].split('"')[0]
    page = await manager.get(f"/trash/repositories/{number}")
    assert "It comes back as it was" in page.text
    restore = f"/trash/repositories/{number}/restore"
    answer = await manager.fill(f"/trash/repositories/{number}", restore, name=APP)
    assert (answer.status_code, answer.headers["location"]) == (303, "/repositories/team/app")
    back = await manager.get("/repositories/team/app")
    assert "The repository team/app is back" in back.text
    assert "v2" in back.text


async def test_a_repository_whose_name_was_taken_needs_another_one(town, manager):
    await delete(town)
    await town.push(APP, image("other"), "v9", headers=MAX)
    number = (await manager.get("/trash")).text.split("/trash/repositories/")[1].split('"')[0]
    restore = f"/trash/repositories/{number}/restore"
    refused = await manager.fill(f"/trash/repositories/{number}", restore, name=APP)
    assert refused.status_code == 409
    assert "There is a repository of this name" in refused.text
    answer = await manager.fill(f"/trash/repositories/{number}", restore, name="team/old")
    assert answer.headers["location"] == "/repositories/team/old"


async def test_a_deleted_tag_and_a_deleted_manifest_come_back(town, manager):
    services, registry = services_of(town), registry_of(town)
    await services.tags.delete(registry, APP, "v1", SYSTEM_ACTOR)
    path = "/repositories/team/app/-/trash/restore"
    answer = await manager.fill("/trash", path)
    assert answer.status_code == 303
    assert "The tag team/app:v1 is back" in (await manager.get(answer.headers["location"])).text
    found = await services.manifests.find(registry, APP, "v1")
    await services.manifests.delete(registry, APP, found.digest, SYSTEM_ACTOR)
    page = await manager.get("/trash")
    assert found.digest in page.text
    token = page.text.split('name="form_token" value="')[1].split('"')[0]
    answer = await manager.post(path, {"form_token": token, "digest": found.digest})
    assert "with tags: v1, v2" in (await manager.get(answer.headers["location"])).text


async def test_what_is_deleted_for_good_needs_its_name_and_does_not_come_back(town, manager):
    await delete(town)
    number = (await manager.get("/trash")).text.split("/trash/repositories/")[1].split('"')[0]
    purge = f"/trash/repositories/{number}/purge"
    wrong = await manager.fill(purge, purge, typed="team/other")
    assert wrong.status_code == 400
    assert "This is not team/app" in wrong.text
    answer = await manager.fill(purge, purge, typed=APP)
    assert answer.headers["location"] == "/trash"
    gone = await manager.get("/trash")
    assert "team/app is deleted for good" in gone.text
    assert "/trash/repositories/" not in gone.text


async def test_a_manifest_is_deleted_for_good_where_the_name_of_its_repository_is_typed(town, manager):
    services, registry = services_of(town), registry_of(town)
    found = await services.manifests.find(registry, APP, "v1")
    await services.manifests.delete(registry, APP, found.digest, SYSTEM_ACTOR)
    path = "/repositories/team/app/-/trash/purge"
    asked = await manager.get(f"{path}?digest={found.digest}")
    assert found.digest in asked.text
    wrong = await manager.fill(f"{path}?digest={found.digest}", path, typed="app")
    assert wrong.status_code == 400
    answer = await manager.fill(f"{path}?digest={found.digest}", path, typed=APP)
    assert answer.status_code == 303
    assert "is deleted for good" in (await manager.get("/trash")).text
    assert found.digest not in (await manager.get("/trash")).text


async def test_who_may_not_bring_something_back_does_not_see_it(town):
    stranger = Browser(town)
    await stranger.sign_in("sam")
    services, registry = services_of(town), registry_of(town)
    await services.tags.delete(registry, APP, "v1", SYSTEM_ACTOR)
    await delete(town)
    page = await stranger.get("/trash")
    assert "team/app" not in page.text
    (number,) = (one.number for one in (await services.trash.list(registry, None, None, 10)).items[:1])
    for path in (f"/trash/repositories/{number}", f"/trash/repositories/{number}/purge", "/trash/repositories/999999"):
        assert (await stranger.get(path)).status_code == 404
    visitor = Browser(town)
    assert (await visitor.get("/trash/repositories/1")).status_code in {303, 404}


async def test_a_form_that_names_nothing_or_two_things_is_refused(town, manager):
    await services_of(town).tags.delete(registry_of(town), APP, "v1", SYSTEM_ACTOR)
    path = "/repositories/team/app/-/trash/restore"
    page = await manager.get("/trash")
    token = page.text.split('name="form_token" value="')[1].split('"')[0]
    digest = "sha256:" + "0" * 64
    for fields in ({}, {"tag": "v1", "digest": digest}):
        assert (await manager.post(path, {"form_token": token, **fields})).status_code == 400
    assert (await manager.post(path, {"form_token": token, "digest": digest})).status_code == 404
    assert (await manager.get("/trash?last=nonsense")).status_code == 400


async def test_pages_of_a_long_trash_follow_each_other(town, manager, monkeypatch):
    monkeypatch.setattr("wharfinger.console.pages.trash.PAGE", 2)
    services, registry = services_of(town), registry_of(town)
    for name in ("team/a", "team/b", "team/c"):
        await town.push(name, image(name), "v1", headers=MAX)
        await services.repositories.delete(registry, RepositoryName(name), SYSTEM_ACTOR)
    first = await manager.get("/trash")
    assert first.text.count('<th scope="row">') == 2
    following = first.text.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    second = await manager.get(f"/trash{following}")
    assert second.text.count('<th scope="row">') == 1
    only = await manager.get("/trash?repository=team/b")
    assert only.text.count('<th scope="row">') == 1


async def test_in_open_mode_everybody_brings_back_what_was_deleted(site):
    await site.push(APP, image("app"), "v1")
    await delete(site)
    browser = Browser(site)
    number = (await browser.get("/trash")).text.split("/trash/repositories/")[1].split('"')[0]
    answer = await browser.fill(f"/trash/repositories/{number}", f"/trash/repositories/{number}/restore", name=APP)
    assert answer.headers["location"] == "/repositories/team/app"
