# SPDX-License-Identifier: Apache-2.0
"""Registries in the console, and over the protocol by their hosts: made from the list of storages, changed, deleted."""

import base64
import json
import re
from html import unescape

import pytest

from tests.console.people import HORSE, Browser, services_of, user
from tests.console.registry import Site
from tests.support.images import image
from wharfinger.domain.accounts import AccountName
from wharfinger.domain.grants import DEPLOYMENT, Place, Role
from wharfinger.domain.identity import SYSTEM_ACTOR
from wharfinger.domain.names import RegistryName
from wharfinger.services.registries import RegistryChange

TEAM = "team.registry.test:5000"
DOMAINS = {
    "REGISTRIES_PUBLICDOMAIN": "registry.test",
    "REGISTRIES_PRIVATEDOMAIN": "in.registry.test",
    "REGISTRIES_PRIVATENETWORKS_0": "192.0.2.0/24",
}
MAX = {"Authorization": f"Basic {base64.b64encode(f'max:{HORSE}'.encode()).decode()}"}


@pytest.fixture
async def site(tmp_path):
    storages = {
        "STORAGES_0_NAME": "fast",
        "STORAGES_0_ROOTDIRECTORY": str(tmp_path / "fast"),
        "STORAGES_1_NAME": "slow",
        "STORAGES_1_ROOTDIRECTORY": str(tmp_path / "slow"),
    }
    async with Site(tmp_path / "data", **DOMAINS, **storages) as one:
        yield one


@pytest.fixture
async def people(site):
    """A manager of the deployment, and somebody else."""
    for name in ("max", "eve"):
        await user(site, name)
    await services_of(site).grants.give(AccountName("max"), DEPLOYMENT, Role.ADMIN, SYSTEM_ACTOR)


async def make(site, name="team", storage="fast"):
    services = services_of(site)
    await services.lifecycle.create(RegistryName(name), storage, SYSTEM_ACTOR)
    return await services.registries.named(name)


async def signed_in(site, name="max"):
    browser = Browser(site)
    assert (await browser.sign_in(name)).status_code == 303
    return browser


async def follow(browser, answer):
    assert answer.status_code == 303, answer.text
    return unescape((await browser.get(answer.headers["Location"])).text)


# --- by host ---------------------------------------------------------------------------------------------------------


async def test_each_host_has_its_own_repositories(site):
    await make(site)
    await site.push("acme/app", image("team"), "v1", host=TEAM)
    await site.push("acme/other", image("default"), "v1")
    assert (await site.ask("/v2/_catalog", host=TEAM)).json() == {"repositories": ["acme/app"]}
    assert (await site.ask("/v2/_catalog", host="registry.test")).json() == {"repositories": ["acme/other"]}
    assert (await site.ask("/v2/_catalog", host="docker.registry.test")).json() == {"repositories": ["acme/other"]}
    assert (await site.ask("/v2/_catalog", host="192.0.2.1")).json() == {"repositories": ["acme/other"]}
    answer = await site.ask("/v2/acme/app/manifests/v1")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "NAME_UNKNOWN")


@pytest.mark.parametrize(
    "host", ["nobody.registry.test", "private.registry.test", "a.b.registry.test", "x.in.registry.test"]
)
async def test_a_host_that_names_nothing_is_404_at_every_door_and_never_default(site, host):
    for path in ("/v2/", "/v2/_catalog", "/v2/acme/app/tags/list"):
        answer = await site.ask(path, host=host)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "NAME_UNKNOWN")
    problem = await site.ask("/api/v1/version", host=host)
    assert (problem.status_code, problem.headers["Content-Type"]) == (404, "application/problem+json")
    page = await site.ask("/", host=host)
    assert page.status_code == 404
    assert "No registry answers here" in page.text


@pytest.mark.parametrize(
    "host",
    [
        *(
            "user@nobody.registry.test",
            "user:x@nobody.registry.test",
            "nobody.registry.test/",
            "nobody.registry.test:x",
        ),
        *("http://nobody.registry.test", "nobody.registry.test, registry.test", "[::1"),
    ],
)
async def test_what_is_no_host_is_refused_at_every_door(site, host):
    """Otherwise it would be `default` for us, and another host for whoever stands between."""
    for path in ("/v2/", "/v2/_catalog", "/v2/acme/app/tags/list", "/api/v1/version", "/"):
        answer = await site.ask(path, host=host)
        assert answer.status_code == 400, (path, answer.text)
        assert "no host" in answer.text


async def test_no_header_besides_host_says_which_registry_it_is(site):
    """Not even of a listed proxy: it hands the host on, as the guide shows."""
    await make(site)
    await site.push("acme/app", image("team"), "v1", host=TEAM)
    for name, value in (
        ("X-Forwarded-Host", TEAM),
        ("Forwarded", f'for=192.0.2.7;host="{TEAM}"'),
        ("X-Host", TEAM),
        ("X-Original-Host", TEAM),
    ):
        for client in ("127.0.0.1", "198.51.100.1"):
            answer = await site.ask("/v2/_catalog", headers={name: value}, client=client)
            assert answer.json() == {"repositories": []}
    assert (await site.ask("/v2/", host="nobody.registry.test", headers={"X-Forwarded-Host": TEAM})).status_code == 404


async def test_the_private_endpoint_answers_to_the_listed_networks_alone(site):
    team = await make(site)
    row = await services_of(site).registry_switches.of(team)
    host = f"{row.private_id}.in.registry.test"
    assert (await site.ask("/v2/", host=host)).status_code == 404
    assert (await site.ask("/v2/", host=host, client="192.0.2.7")).status_code == 200
    forwarded = {"X-Forwarded-For": "192.0.2.7"}
    assert (await site.ask("/v2/", host=host, headers=forwarded)).status_code == 200  # a listed proxy says so
    assert (await site.ask("/v2/", host=host, headers=forwarded, client="198.51.100.1")).status_code == 404
    stranger = {"X-Forwarded-For": "192.0.2.7, 198.51.100.1"}
    assert (await site.ask("/v2/", host=host, headers=stranger)).status_code == 404


async def test_an_endpoint_that_is_switched_off_answers_nobody(site):
    team = await make(site)
    change = services_of(site).registry_switches.change
    assert (await site.ask("/v2/", host=TEAM)).status_code == 200
    await change(team, RegistryChange(public_endpoint=False, hosts=["images.example"]), SYSTEM_ACTOR)
    assert (await site.ask("/v2/", host=TEAM)).status_code == 404
    assert (await site.ask("/v2/", host="images.example:5000")).status_code == 200
    await change(team, RegistryChange(hosts=[]), SYSTEM_ACTOR)
    assert (await site.ask("/v2/_catalog", host="images.example:5000")).json() == {"repositories": []}


@pytest.mark.usefixtures("people")
async def test_a_token_for_one_registry_opens_nothing_in_another(site):
    await make(site)
    asked = await site.ask("/v2/", host=TEAM)
    challenge = asked.headers["WWW-Authenticate"]
    assert f'realm="http://{TEAM}/token"' in challenge
    (service,) = re.findall(r'service="([^"]+)"', challenge)
    query = f"/token?service={service}&scope=repository:acme/app:pull,push"
    token = (await site.ask(query, host=TEAM, headers=MAX)).json()["token"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert (await site.ask("/v2/", host=TEAM, headers=bearer)).status_code == 200
    for host in ("localhost:5000", "registry.test"):
        refused = await site.ask("/v2/", host=host, headers=bearer)
        assert refused.status_code == 401
        assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]
    assert (await site.ask(query, headers=MAX)).status_code == 400  # the service is another registry's


@pytest.mark.usefixtures("people")
async def test_roles_on_one_registry_open_that_one_alone(site):
    team = await make(site)
    await services_of(site).grants.give(AccountName("eve"), Place(registry_id=team.id), Role.ADMIN, SYSTEM_ACTOR)
    eve = {"Authorization": f"Basic {base64.b64encode(f'eve:{HORSE}'.encode()).decode()}"}
    assert (await site.ask("/v2/acme/app/blobs/uploads/", "POST", host=TEAM, headers=eve)).status_code == 202
    assert (await site.ask("/v2/acme/app/blobs/uploads/", "POST", headers=eve)).status_code == 403


@pytest.mark.usefixtures("people")
async def test_in_a_public_registry_anyone_pulls_and_nobody_pushes(site):
    team = await make(site)
    await site.push("acme/app", image("team"), "v1", host=TEAM, headers=MAX)
    assert (await site.ask("/v2/acme/app/manifests/v1", host=TEAM)).status_code == 401
    await services_of(site).registry_switches.change(team, RegistryChange(public=True), SYSTEM_ACTOR)
    assert (await site.ask("/v2/acme/app/manifests/v1", host=TEAM)).status_code == 200
    assert (await site.ask("/v2/acme/app/blobs/uploads/", "POST", host=TEAM)).status_code == 401


# --- pages -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("people")
async def test_a_registry_is_made_from_the_list_of_storages(site):
    await make(site, "other", "slow")
    browser = await signed_in(site)
    page = unescape((await browser.get("/registries/new")).text)
    assert "taken: serves other" in page
    assert re.search(r'value="slow"[^>]* disabled', page)
    assert re.search(r'value="fast"[^>]* checked', page)  # there is no other one to choose
    wrong = await browser.fill("/registries/new", "/registries/new", name="Team!", storage="fast")
    assert wrong.status_code == 400
    assert "begins with a letter" in unescape(wrong.text)
    assert "serves the registry" in unescape(
        (await browser.fill("/registries/new", "/registries/new", name="team", storage="slow")).text
    )
    done = await browser.fill("/registries/new", "/registries/new", name="team", storage="fast")
    shown = await follow(browser, done)
    assert "There is a registry team now." in shown
    assert "docker login team.registry.test:5000" in shown
    assert "docker login team.registry.test:5000" in unescape((await browser.get("/registries/team")).text)
    assert "localhost:5000" not in (await browser.get("/registries/team/-/")).text
    assert "team.registry.test:5000" in (await browser.get("/registries")).text


@pytest.mark.usefixtures("people")
async def test_switches_are_turned_in_the_settings(site):
    team = await make(site)
    browser = await signed_in(site)
    path = "/registries/team/-/settings"
    done = await browser.fill(path, path, public="on", hosts="images.example\npictures.example", untagged_days="7")
    assert "The settings are saved." in await follow(browser, done)
    row = await services_of(site).registry_switches.of(team)
    assert (row.public, row.public_endpoint, row.hosts) == (True, False, ("images.example", "pictures.example"))
    wrong = await browser.fill(path, path, hosts="other.registry.test")
    assert wrong.status_code == 400
    assert "follow from names of registries" in unescape(wrong.text)


@pytest.mark.usefixtures("people")
async def test_a_registry_is_deleted_and_its_images_come_back(site):
    await make(site)
    await site.push("acme/app", image("team"), "v1", host=TEAM, headers=MAX)
    browser = await signed_in(site)
    path = "/registries/team/-/deletion"
    page = unescape((await browser.get(f"{path}?images=keep")).text)
    assert "repositories: 1, tags: 1" in page
    assert (await browser.fill(f"{path}?images=keep", path, typed="tame")).status_code == 400
    done = await browser.fill(f"{path}?images=keep", path, typed="team")
    assert "its storage is free" in await follow(browser, done)
    assert (await site.ask("/v2/", host=TEAM)).status_code == 404
    assert "the images of team are in it" in unescape((await browser.get("/registries/new")).text)
    back = await browser.fill("/registries/new", "/registries/new", name="again", storage="fast")
    assert "1 repository came back" in await follow(browser, back)
    answer = await site.ask("/v2/acme/app/manifests/v1", host="again.registry.test", headers=MAX)
    assert answer.status_code == 200
    layer = json.loads(answer.content)["layers"][0]["digest"]
    assert (await site.ask(f"/v2/acme/app/blobs/{layer}", host="again.registry.test", headers=MAX)).status_code == 200


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("path", ["/registries/new", "/registries/team/-/settings", "/registries/team/-/deletion"])
async def test_who_does_not_manage_finds_no_page(site, path):
    await make(site)
    absent = await (await signed_in(site, "eve")).get(path)
    assert absent.status_code == (403 if path == "/registries/new" else 404)


@pytest.mark.usefixtures("people")
async def test_who_manages_a_registry_is_told_that_deleting_it_is_not_theirs(site):
    team = await make(site)
    await services_of(site).grants.give(AccountName("eve"), Place(registry_id=team.id), Role.ADMIN, SYSTEM_ACTOR)
    browser = await signed_in(site, "eve")
    assert (await browser.get("/registries/team/-/settings")).status_code == 200
    assert (await browser.get("/registries/team/-/deletion")).status_code == 403


@pytest.mark.usefixtures("people")
async def test_links_for_programs_lead_to_the_registry_of_the_page(site):
    """Below the API and the protocol the host says which registry it is: a page shown on another host links there."""
    await make(site)
    await site.push("acme/app", image("team"), "v1", host=TEAM, headers=MAX)
    browser = await signed_in(site)
    one = "repositories/acme/app"
    for path in ("", one, f"{one}/-/tags/v1", f"{one}/-/tags/v1/history"):
        page = unescape((await browser.get(f"/registries/team/-/{path}")).text)
        (machine,) = re.findall(r"For programs:(.*?)</p>", page, re.DOTALL)
        assert re.findall(r'href="([^"]*)"', machine)[0].startswith(f"http://{TEAM}/"), path
    await site.push("acme/app", image("default"), "v1", headers=MAX)
    page = unescape((await browser.get("/repositories/acme/app")).text)
    (machine,) = re.findall(r"For programs:(.*?)</p>", page, re.DOTALL)
    assert 'href="/v2/acme/app/tags/list"' in machine


@pytest.mark.usefixtures("people")
async def test_passers_by_are_not_told_which_registries_there_are(site):
    await make(site)
    assert (await Browser(site).get("/registries")).status_code == 303
    assert (await Browser(site).get("/registries/team")).status_code == 404
    assert "team" in (await (await signed_in(site, "eve")).get("/registries")).text


async def test_open_mode_shows_registries_and_changes_none(site):
    await make(site)
    assert TEAM in (await Browser(site).get("/registries")).text
    assert (await Browser(site).get("/registries/new")).status_code in {403, 404}
