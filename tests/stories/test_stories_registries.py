# SPDX-License-Identifier: Apache-2.0
"""A registry is made in a browser, clients meet it by its host, it is deleted, and its images come back."""

import pytest

from tests.stories.town import PASSWORD
from tests.support.accounts import Office
from tests.support.hosts import HostsFile
from tests.support.images import image, write_layout
from tests.support.pages import DESK, PHONE, page_in, require_open
from tests.support.server import Server
from wharfinger.domain.access import Role
from wharfinger.domain.accounts import AccountName
from wharfinger.domain.grants import DEPLOYMENT
from wharfinger.domain.identity import SYSTEM_ACTOR

pytestmark = pytest.mark.slow
TEAM = "team.registry.test"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("registries")
    environment = {
        "REGISTRY_STORAGES_0_NAME": "disk",
        "REGISTRY_STORAGES_0_ROOTDIRECTORY": str(folder / "disk"),
        "REGISTRY_REGISTRIES_PUBLICDOMAIN": "registry.test",
    }
    with Server(folder / "server", deletion=None, environment=environment) as one:
        with Office(one.environment) as office:
            office.user("max", PASSWORD)
            office._run(office.services.grants.give(AccountName("max"), DEPLOYMENT, Role.ADMIN, SYSTEM_ACTOR))
        yield one


def test_a_registry_is_made_used_deleted_and_made_again_with_its_images(server, chromium, tmp_path):
    hosts = HostsFile(tmp_path, TEAM, "again.registry.test")
    layout = write_layout(tmp_path / "layout", {"v1": image("of the team")})

    def skopeo(*words, host=TEAM, ok=True):
        place = f"docker://{host}:{server.port}/acme/app:v1"
        return hosts.run("skopeo", "--insecure-policy", *(place if word == "PLACE" else word for word in words), ok=ok)

    with page_in(chromium, DESK, locale="en-US", color_scheme="light") as page:
        page.goto(f"{server.url}/sign-in")
        page.get_by_label("Name").fill("max")
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{server.url}/")

        def make(name):
            page.goto(f"{server.url}/registries")
            page.get_by_role("link", name="New registry").click()
            page.get_by_label("Name").fill(name)
            page.get_by_role("radio", name="disk").check()
            page.get_by_role("button", name="Create the registry").click()
            page.wait_for_url(f"{server.url}/registries/{name}")

        make("team")
        assert f"docker login {TEAM}" in page.locator("main").inner_text()
        push = ("copy", "--dest-tls-verify=false", f"--dest-creds=max:{PASSWORD}", f"oci:{layout}:v1", "PLACE")
        skopeo(*push)
        page.get_by_role("link", name="Repositories of this registry").click()
        page.get_by_role("link", name="acme/app").click()
        assert page.get_by_role("link", name="v1", exact=True).first.is_visible()
        for width in (DESK, PHONE):
            page.set_viewport_size({"width": width[0], "height": width[1]})
            for path in ("", "/team", "/team/-/settings", "/new", "/team/-/deletion?images=keep"):
                page.goto(f"{server.url}/registries{path}")
                require_open(page)
        page.set_viewport_size({"width": DESK[0], "height": DESK[1]})

        page.goto(f"{server.url}/registries/team/-/settings")
        page.get_by_role("link", name="Delete", exact=True).click()
        page.get_by_label("To confirm, type team").fill("team")
        page.locator("form button.danger").last.click()
        page.wait_for_load_state()
        skopeo("inspect", "--tls-verify=false", f"--creds=max:{PASSWORD}", "PLACE", ok=False)
        make("again")
    found = skopeo("inspect", "--tls-verify=false", f"--creds=max:{PASSWORD}", "PLACE", host="again.registry.test")
    assert '"v1"' in found
