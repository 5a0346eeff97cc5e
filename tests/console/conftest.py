# SPDX-License-Identifier: Apache-2.0
"""The registry of a test, with nothing in it; and the browser of a module."""

from functools import partial

import pytest
from playwright.sync_api import sync_playwright

from tests.console.registry import Site
from tests.support.pages import ARGUMENTS, CHROMIUM
from wharfinger.console.pages import users
from wharfinger.security.passwords import Passwords
from wharfinger.services import passwords as account_passwords


@pytest.fixture(autouse=True)
def _cheap(monkeypatch):
    """Compare passwords with little memory: the process would keep 19 MiB for each thread that ever did."""
    for module in (account_passwords, users):
        monkeypatch.setattr(module, "Passwords", partial(Passwords, memory=64))


@pytest.fixture
async def site(tmp_path):
    async with Site(tmp_path) as one:
        yield one


@pytest.fixture(scope="module")
def chromium():
    """A browser for one module alone: while it is there, no test can have an event loop of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()
