# SPDX-License-Identifier: Apache-2.0
"""The reference page says what the code does."""

import pytest

from tools.generate_docs import PAGES, settings_page
from wharfinger.settings import Settings
from wharfinger.settings.kinds import leaves
from wharfinger.settings.unsupported import FOREIGN


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_page_is_what_is_generated(path):
    assert path.read_text(encoding="utf-8") == PAGES[path](), "run `make docs`"


def test_every_setting_and_its_variable_is_on_the_page():
    page = settings_page()
    for leaf in leaves(Settings()):
        assert f"| `{leaf.key}` | `{leaf.variable}" in page
        assert leaf.help in page


def test_everything_that_is_distributions_is_on_the_page():
    page = settings_page()
    accepted, stops = page.split("## What stops start-up")
    for row in FOREIGN:
        assert f"| `{row.key}` |" in (stops if row.stops.when else accepted)
