# SPDX-License-Identifier: Apache-2.0
"""Every endpoint, asked by everybody and with every scope, and held against the table that was written by hand.

Each request carries a parameter that no endpoint has. Whoever may is told so, with 400, after the decision and before
anything is done; so the whole table runs without changing anything.
"""

import pytest

from tests.management_api.access import PEOPLE, SCOPES, table
from wharfinger.management_api.routes import ROUTES

TABLE = table()
PARAMETERS = {
    "{name:path}": "acme/app",
    "{user}": "una",
    "{organization}": "acme",
    "{team}": "builders",
    "{robot}": "acme+ci",
    "{account}": "acme+ci",
    "{namespace}": "acme",
    "{registry}": "default",
    "{subject:path}": "una",
    "{tag}": "v1",
    "{digest}": "sha256:" + "0" * 64,
    "{credential}": "1",
    "{problem}": "denied",
    "{rule}": "1",
    "{provider}": "corp",
    "{number}": "1",
    "{run}": "1",
    "{job}": "bury",
}
INVENTORY = {(route.method, route.path.replace(":path}", "}")): route for route in ROUTES}
LETTERS = {400: "Y", 401: "U", 403: "D", 404: "N"}


def filled(path, world=None, **others):
    numbers = {} if world is None else {"{number}": str(world.deleted)}
    for name, value in {**PARAMETERS, **numbers, **others}.items():
        path = path.replace(name, value)
    return path


def letter(answer):
    """Return what the answer means; 400 must be the one about the unknown parameter."""
    if answer.status_code == 400:
        assert answer.json()["errors"][0]["parameter"] == "probe", answer.text
    return LETTERS[answer.status_code]


def test_every_endpoint_has_its_line_and_every_line_its_endpoint():
    assert set(TABLE) == set(INVENTORY)
    assert len(ROUTES) == len(INVENTORY)


@pytest.mark.parametrize("endpoint", sorted(TABLE), ids=" ".join)
def test_who_may_is_as_the_table_says(world, endpoint):
    method, path = INVENTORY[endpoint].method, filled(INVENTORY[endpoint].path, world)
    found = {who: letter(world.ask(method, f"{path}?probe=1", who)) for who in PEOPLE + SCOPES}
    assert found == TABLE[endpoint]


def test_a_name_that_does_not_exist_is_answered_as_one_that_one_may_not_know(world):
    pairs = [
        ("/users/una", "/users/uno"),
        ("/robots/acme+ci", "/robots/acme+co"),
        ("/accounts/una/credentials", "/accounts/uno/credentials"),
        ("/repositories/acme/app", "/repositories/acme/apq"),
        ("/repositories/acme/app/-/tags/v1", "/repositories/acme/apq/-/tags/v1"),
        ("/namespaces/acme", "/namespaces/acne"),
    ]
    for there, absent in pairs:
        answers = [world.ask("GET", path, "sam") for path in (there, absent)]
        assert [answer.status_code for answer in answers] == [404, 404], there
        texts = [_without_names(answer, path) for answer, path in zip(answers, (there, absent), strict=True)]
        assert texts[0] == texts[1]


def _without_names(answer, path):
    problem = answer.json()
    problem.pop("request_id")
    for part in ("una", "uno", "acme+ci", "acme+co", "acme/app", "acme/apq", "acme", "acne"):
        if part in path:
            return {key: str(value).replace(part, "NAME") for key, value in problem.items()}
    raise AssertionError(path)


def test_people_see_and_change_themselves_and_nobody_else_makes_their_credentials(world):
    world.user("eve")
    for who, issues, reads in (("eve", "Y", "Y"), ("max", "D", "Y"), ("vic", "D", "Y"), ("sam", "N", "N")):
        assert letter(world.ask("POST", "/accounts/eve/credentials?probe=1", who)) == issues, who
        assert letter(world.ask("GET", "/accounts/eve/credentials?probe=1", who)) == reads, who
    assert letter(world.ask("GET", "/users/eve?probe=1", "eve")) == "Y"
    assert letter(world.ask("PATCH", "/users/eve?probe=1", "eve")) == "D"
    assert letter(world.ask("DELETE", "/users/eve/suspension?probe=1", "eve")) == "D"


def test_a_token_that_is_limited_to_repositories_opens_no_account(world):
    (row,) = world.office.rows("SELECT id FROM repositories WHERE name = 'acme/app'")
    limited = world.office.token("max", "admin:org", "admin:registry", "admin:packages", repositories=frozenset(row))
    for path, status in (
        ("/me", 200),
        ("/me/profile", 403),
        ("/users", 403),
        ("/organizations/acme/members", 403),
        ("/repositories/acme/app/-/grants", 200),
        ("/repositories/acme/other/-/grants", 403),
    ):
        assert world.bearer("GET", path, limited.secret).status_code == status, path


def test_a_registry_token_opens_nothing_here(world):
    got = world.http.get("/token", auth=("max", "canary correct horse"), params={"scope": "registry:catalog:*"})
    for path in ("/me", "/users", "/organizations/acme"):
        assert world.bearer("GET", path, got.json()["token"]).status_code == 403, path
    assert world.bearer("POST", "/accounts/max/credentials?probe=1", got.json()["token"]).status_code == 403


def test_a_wrong_credential_is_never_nobody(world):
    for header in ("Bearer whp_nonsense", "Bearer", "Basic bWF4Ondyb25n", "Nonsense x"):
        answer = world.ask("GET", "/repositories", headers={"Authorization": header})
        assert answer.status_code == 401, header
        challenge = answer.headers["WWW-Authenticate"]
        assert challenge.startswith("Bearer realm=")
        assert ", Basic realm=" in challenge


def test_a_cookie_signs_nobody_in(world):
    assert world.ask("GET", "/me", headers={"Cookie": "session=1; __Host-session=1"}).status_code == 401


def test_what_is_taken_away_counts_from_the_next_request_on(world):
    world.user("tia")
    world.office.organization("tours", "tia")
    assert world.ask("GET", "/organizations/tours/members", "tia").status_code == 200
    secret = world.office.token("tia", "admin:org").secret
    assert world.ask("PUT", "/organizations/tours/suspension", "max").status_code == 204
    assert world.ask("GET", "/organizations/tours/members", "tia").status_code == 403
    assert world.ask("DELETE", "/organizations/tours/suspension", "max").status_code == 204
    assert world.bearer("GET", "/organizations/tours/members", secret).status_code == 200
    assert world.ask("PUT", "/users/tia/suspension", "max").status_code == 204
    assert world.bearer("GET", "/organizations/tours/members", secret).status_code == 401
