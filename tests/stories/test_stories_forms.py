# SPDX-License-Identifier: Apache-2.0
"""Every form of the console: it is taken from our own pages alone, and whatever it holds it never breaks anything.

The registry is these tests' own. Forms that take something away come last.
"""

import re

import pytest

from tests.stories.town import HOSTILE, opened
from wharfinger.console.routes import ROUTES

LAST = ("deletion", "removal", "revocation", "purge", "suspension", "sign-out", "sessions", "delete")
FORMS = sorted({route.path for route in ROUTES if route.method == "POST"}, key=lambda path: (path.endswith(LAST), path))
FIELDS = (
    *("name", "display_name", "description", "text", "source", "visibility", "role", "subject", "kind", "confirm"),
    *("mail", "email", "password", "new", "current", "scope", "scopes", "days", "expires", "immutable_tags", "user"),
    *("namespace", "repository", "registry", "storage", "tag", "tags", "digest", "number", "code", "what", "query"),
)
"""Names that forms have; what one does not know is passed over."""
FROM_HERE = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("forms")) as one:
        yield one


def token_of(town, who):
    """Return the token that a form of a page of somebody has."""
    found = re.search(r'name="form_token" value="([^"]+)"', town.ask("/", who).text)
    return found[1]


@pytest.mark.parametrize("path", FORMS)
def test_a_form_is_taken_from_our_own_pages_alone(town, path):
    address = town.address(path)
    who = {**FROM_HERE, "Cookie": "; ".join(f"{one['name']}={one['value']}" for one in town.cookies_of("max"))}
    without = town.http.post(address, data={"name": "x"}, headers=who)
    other = town.http.post(address, data={"form_token": token_of(town, "rae")}, headers=who)
    elsewhere = {**who, "Sec-Fetch-Site": "cross-site"}
    from_elsewhere = town.http.post(address, data={"form_token": token_of(town, "max")}, headers=elsewhere)
    assert {without.status_code, other.status_code, from_elsewhere.status_code} <= {400, 403}, path


@pytest.mark.parametrize("path", FORMS)
def test_a_form_never_breaks_anything(town, path):
    for words in ("", HOSTILE, "\0\n\r", "1", "x" * 5_000):
        if town.ask("/profile", "max").status_code != 200:  # whoever signs out everywhere signs in again
            town.cookies.pop("max")
        fields = {"form_token": token_of(town, "max"), **dict.fromkeys(FIELDS, words)}
        cookie = "; ".join(f"{one['name']}={one['value']}" for one in town.cookies_of("max"))
        answer = town.http.post(town.address(path), data=fields, headers={**FROM_HERE, "Cookie": cookie})
        assert answer.status_code < 500, answer.text
        assert HOSTILE not in answer.text
        if answer.status_code == 303:
            assert re.match(r"/(?!/)", answer.headers["Location"]), answer.headers["Location"]
