# SPDX-License-Identifier: Apache-2.0
"""A passkey in Chromium, with the browser's own virtual authenticator; and a token of the page in a real client."""

import subprocess

import pytest
from playwright.sync_api import sync_playwright

from tests.support.accounts import Office
from tests.support.pages import ARGUMENTS, CHROMIUM
from tests.support.server import Server

pytestmark = pytest.mark.slow
HORSE = "correct horse battery"
DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    one = Server(tmp_path_factory.mktemp("passkeys") / "registry")
    one.start()
    with Office(one.environment) as office:
        office.user("ann", HORSE)
    yield one
    one.stop()


@pytest.fixture
def page(server):  # noqa: ARG001 - the account is made before: afterwards no test can have an event loop
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        one = chromium.new_context().new_page()
        session = one.context.new_cdp_session(one)
        session.send("WebAuthn.enable")
        session.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
        yield one
        chromium.close()


def sign_in(page, url, to):
    page.goto(f"{url}/sign-in?to={to}")
    page.get_by_label("User name").fill("ann")
    page.get_by_label("Password").fill(HORSE)
    page.get_by_role("button", name="Sign in").click()


def test_a_passkey_is_made_and_shown_and_a_token_signs_a_client_in(server, page, tmp_path):
    url = f"http://localhost:{server.port}"
    sign_in(page, url, "/profile/second-factor/passkey")
    page.get_by_role("button", name="Make the passkey").click()
    page.get_by_role("heading", name="Your recovery codes").wait_for()
    page.context.clear_cookies()
    sign_in(page, url, "/profile/tokens")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(f"{url}/profile/tokens")
    page.context.clear_cookies()
    page.goto(f"{url}/sign-in/passkey?to=/profile/tokens/new?for=push")
    page.get_by_role("button", name="Show a passkey").click()
    page.get_by_role("heading", name="Make a token").wait_for()
    page.get_by_role("link", name="Push and pull from my machine").click()
    page.get_by_label("Name", exact=True).fill("laptop")
    page.get_by_role("button", name="Make it").click()
    secret = page.locator(".secret code").inner_text()
    for shown, code in ((secret, 0), (HORSE, 1)):
        command = ["skopeo", "login", "--tls-verify=false", "--authfile", tmp_path / "auth.json", "-u", "ann"]
        done = subprocess.run(
            [*command, "--password-stdin", f"localhost:{server.port}"],
            input=shown,
            text=True,
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == code, done.stderr
