# SPDX-License-Identifier: Apache-2.0
"""The registry of a test, with nothing in it; and the browser of a module."""

import pytest
from playwright.sync_api import sync_playwright

from tests.console.registry import Site
from tests.support.pages import ARGUMENTS, CHROMIUM


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
