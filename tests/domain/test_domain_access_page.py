# SPDX-License-Identifier: Apache-2.0
"""The page of the guide that shows the decision; that it is the generated one is tested with the other pages."""

import re

import pytest

from tools.generate_docs import GUIDE, PAGES, access_page
from wharfinger.domain.access import Action
from wharfinger.domain.identity import Scope

PAGE = access_page()


def sections():
    """Return {title: {first cell: the other cells}}."""
    title, found = "", {}
    for line in PAGE.splitlines():
        if line.startswith("## "):
            title = line[3:]
        elif line.startswith("| "):
            first, *rest = (cell.strip() for cell in line.strip("|").split("|"))
            found.setdefault(title, {})[first] = rest
    return found


def test_the_page_is_one_of_those_that_are_compared_with_what_is_committed():
    assert PAGES[GUIDE / "access-matrix.md"] is access_page


def test_every_operation_is_explained_and_every_scope_has_its_row():
    found = sections()
    assert {action.value for action in Action} <= found[""].keys()
    assert {f"token with `{scope}`" for scope in Scope} <= found["What a credential is for"].keys()


def test_no_cell_holds_two_answers():
    cells = [cell for title, rows in sections().items() if title for row in rows.values() for cell in row]
    assert not [cell for cell in cells if re.search(r"\bor\b", cell)]


@pytest.mark.parametrize(
    ("title", "who", "cells"),
    [
        ("Private repositories", "an account without a role", "denied denied denied denied denied denied"),
        ("Private repositories", "`write` on the repository", "yes yes yes yes denied denied"),
        ("Internal repositories", "`write` on the namespace", "yes yes denied denied denied denied"),
        ("Public repositories", "nobody signed in", "yes yes sign_in sign_in sign_in sign_in"),
        ("A name that does not exist", "`write` on the namespace", "yes yes yes yes denied denied"),
        ("The registry itself", "`manager` on the registry or the deployment", "yes yes yes"),
        (
            "What a credential is for",
            "token with `delete:packages`",
            "yes yes denied denied yes denied yes yes denied",
        ),
    ],
)
def test_a_row_says_what_was_decided(title, who, cells):
    assert sections()[title][who] == [cell.replace("_", " ") for cell in cells.split()]
