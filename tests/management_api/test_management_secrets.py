# SPDX-License-Identifier: Apache-2.0
"""Credentials and passwords through the API: secrets are shown once, and no credential makes a wider one."""

import pytest

from tests.management_api.conftest import PASSWORD

KEPT = ("events", "credentials", "passwords", "accounts", "grants")


def make(world, who, account, secret=None, **body):
    body = {"name": "of a test", "scopes": ["read:packages"], **body}
    path = f"/accounts/{account}/credentials"
    return world.ask("POST", path, who, json=body) if secret is None else world.bearer("POST", path, secret, json=body)


@pytest.mark.parametrize("kind", ["token", "key"])
def test_a_secret_is_in_the_answer_that_made_it_and_nowhere_else(world, kind):
    name = world.user(f"sec-{kind}")
    answer = make(world, name, name, kind=kind, days=7)
    assert answer.status_code == 201
    made = answer.json()
    assert made["secret"].startswith("whp_" if kind == "token" else "whs_")
    world.secrets.append(made["secret"])
    listed = world.ask("GET", f"/accounts/{name}/credentials", name)
    assert made["secret"] not in listed.text
    (shown,) = [one for one in listed.json()["items"] if one["id"] == made["id"]]
    assert shown["ends_in"] == made["secret"][-4:]
    login = made["public_id"] or name
    got = world.http.get("/token", auth=(login, made["secret"]), params={"offline_token": "true"})
    assert got.status_code == 200
    world.secrets += [got.json()["token"], got.json()["refresh_token"]]
    path = f"/accounts/{name}/credentials/{made['id']}"
    assert [world.ask("DELETE", path, name).status_code for _ in range(2)] == [204, 404]
    assert world.http.get("/token", auth=(login, made["secret"])).status_code == 401


def test_no_secret_is_in_the_log_in_an_event_or_in_a_table(world):
    name = world.user("canary")
    for value in ("canary new password 1", "canary-wrong-password-2", "canary-in-a-field-3"):
        world.secrets.append(value)
    body = {"current_password": PASSWORD, "new_password": "canary new password 1"}
    assert world.ask("PUT", "/me/password", name, json=body).status_code == 204
    body = {"current_password": "canary-wrong-password-2", "new_password": "canary new password 1"}
    assert world.ask("PUT", "/me/password", name, json=body).status_code == 401  # the old one signs in no more
    body = {"name": "x", "password": "canary-in-a-field-3", "unknown": 1}
    answer = world.ask("POST", "/users", "max", json=body)
    assert answer.status_code == 422
    assert "canary-in-a-field-3" not in answer.text
    log = world.server.log
    tables = "\n".join(str(row) for table in KEPT for row in world.office.rows(f"SELECT * FROM {table}"))
    exported = world.ask("GET", "/events/export", "max").text
    for secret in world.secrets:
        assert secret not in log
        assert secret not in tables
        assert secret not in exported


def test_what_a_token_makes_is_no_wider_ends_with_it_and_no_later(world):
    name = world.user("maker")
    parent = make(world, name, name, scopes=["admin:org", "write:packages"], days=10).json()
    for scopes, status in (
        (["read:packages"], 201),
        (["write:packages", "admin:org"], 201),
        (["delete:packages"], 403),
        (["admin:packages"], 403),
        (["admin:registry"], 403),
    ):
        assert make(world, None, name, parent["secret"], scopes=scopes).status_code == status, scopes
    child = make(world, None, name, parent["secret"], scopes=["admin:org", "read:packages"], days=300).json()
    assert child["expires_at"] == parent["expires_at"]
    grandchild = make(world, None, name, child["secret"], scopes=["admin:org"]).json()
    last = make(world, None, name, grandchild["secret"], scopes=["admin:org"]).json()
    assert world.bearer("GET", "/me", last["secret"]).status_code == 200
    path = f"/accounts/{name}/credentials/{parent['id']}"
    assert world.ask("DELETE", path, name).status_code == 204
    for one in (parent, child, grandchild, last):
        assert world.bearer("GET", "/me", one["secret"]).status_code == 401


def test_a_key_of_a_robot_that_an_owner_makes_with_a_token_ends_with_the_token(world):
    world.user("rob")
    world.office.organization("robots-inc", "rob")
    assert world.ask("POST", "/organizations/robots-inc/robots", "rob", json={"name": "ci"}).status_code == 201
    parent = make(world, "rob", "rob", scopes=["admin:org", "write:packages"]).json()
    key = make(world, None, "robots-inc+ci", parent["secret"], kind="key", scopes=["write:packages"]).json()
    lasting = make(world, "rob", "robots-inc+ci", kind="key", scopes=["admin:packages"]).json()
    for one in (key, lasting):
        assert world.http.get("/token", auth=(one["public_id"], one["secret"])).status_code == 200
    assert world.ask("DELETE", f"/accounts/rob/credentials/{parent['id']}", "rob").status_code == 204
    assert world.http.get("/token", auth=(key["public_id"], key["secret"])).status_code == 401
    assert world.http.get("/token", auth=(lasting["public_id"], lasting["secret"])).status_code == 200


def test_a_token_can_be_limited_to_repositories_that_its_maker_may_pull_and_to_no_others(world):
    assert make(world, "rae", "rae", repositories=["acme/app"]).status_code == 201
    for absent in ("acme/app", "acme/nothing"):
        answer = make(world, "sam", "sam", repositories=[absent])
        assert answer.status_code == 404
        assert answer.json()["detail"] == f"There is no repository {absent!r} in this registry."


def test_devices_are_made_by_signing_in_and_not_here(world):
    assert make(world, "sam", "sam", kind="refresh").status_code == 422


def test_a_new_password_takes_the_current_one_and_wrong_ones_count(world):
    name = world.user("pass")
    token = world.office.token(name, "admin:org").secret  # whoever has just signed in is not shut out by guesses
    wrong = {"current_password": "not this one", "new_password": "another good one"}
    for _ in range(6):
        assert world.bearer("PUT", "/me/password", token, json=wrong).status_code in {403, 429}
    right = {"current_password": PASSWORD, "new_password": "another good one"}
    assert world.bearer("PUT", "/me/password", token, json=right).status_code in {403, 429}  # locked for a while
    assert world.ask("PUT", f"/users/{name}/password", "max", json={"new_password": "set by max"}).status_code == 204
    right["current_password"] = "set by max"
    assert world.bearer("PUT", "/me/password", token, json=right).status_code == 204
    assert world.http.get("/token", auth=(name, "another good one")).status_code == 200
    assert world.ask("PUT", "/users/max/password", "max", json={"new_password": "without the old"}).status_code == 409


def test_the_audit_log_is_read_in_pages_filtered_and_exported_whole(world):
    name = world.user("aud")
    assert world.ask("PATCH", f"/users/{name}", "max", json={"description": "=1+1"}).status_code == 200
    listed = world.ask("GET", f"/events?target={name}&n=1", "vic").json()
    assert listed["items"][0]["action"] == "account.changed"
    assert listed["items"][0]["who"] == "max"
    assert listed["next"]
    lines = world.ask("GET", f"/events/export?target={name}", "vic")
    assert lines.headers["Content-Type"] == "application/jsonl"
    assert len(lines.text.splitlines()) == 2
    table = world.ask("GET", f"/events/export?target={name}&format=csv", "vic")
    assert table.headers["Content-Type"].startswith("text/csv")
    assert len(table.text.splitlines()) == 3
    for query in ("action=nothing", "since=yesterday", "result=maybe", "format=xml"):
        answer = world.ask("GET", f"/events/export?{query}", "vic")
        assert answer.status_code == 400, query
        assert answer.json()["type"] == "/api/v1/problems/parameters-invalid"
    assert world.ask("GET", "/organizations/acme/events", "oli").json()["items"]
    assert world.ask("GET", "/repositories/acme/app/-/events", "ada").json()["items"]


def test_a_trust_rule_is_made_listed_and_removed_at_its_own_place_only(world):
    rule = {
        "name": "builds",
        "issuer": "https://token.actions.githubusercontent.com",
        "audience": "https://registry.example.com",
        "conditions": {"repository": ["acme/app"]},
        "role": "write",
        "tags": ["v*"],
    }
    path = "/repositories/acme/app/-/trust-rules"
    answer = world.ask("POST", path, "ada", json=rule)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert {key: made[key] for key in rule} == rule
    assert made in world.ask("GET", path, "ada").json()["items"]
    assert world.ask("DELETE", f"/namespaces/acme/trust-rules/{made['id']}", "oli").status_code == 404
    assert world.ask("POST", path, "ada", json={**rule, "conditions": {}}).status_code in {400, 422}
    assert [world.ask("DELETE", f"{path}/{made['id']}", "ada").status_code for _ in range(2)] == [204, 404]


def test_access_is_explained_to_admins_of_the_place_and_to_everybody_about_themselves(world):
    def explain(who, **query):
        return world.ask("GET", "/access/explain", who, params={"repository": "acme/app", **query})

    assert explain("rae").json()["allowed"] is True
    assert explain("rae", action="push").json() == {
        "account": "rae",
        "action": "push",
        "repository": "acme/app",
        "allowed": False,
        "rule": "you need the role write on the repository, or, to create it, on its namespace",
        "needed": "write",
        "given": [],
        "changes": [
            {
                "change": "ask",
                "role": "write",
                "sentence": "ask who administers acme/app or its namespace for the role write",
            }
        ],
        "refused_kinds": [],
    }
    allowed = explain("ada", account="wes", action="push").json()
    assert (allowed["allowed"], allowed["changes"]) == (True, [])
    place = {"registry": "default", "namespace": None, "repository": "acme/app"}
    assert allowed["given"] == [{"role": "write", "place": place, "through": None, "counts": True}]
    assert explain("ada", account="anonymous").json()["allowed"] is False
    (change,) = explain("ada", account="rae", action="push").json()["changes"]
    assert change == {
        "change": "grant-on-repository",
        "role": "write",
        "sentence": "give rae the role write on the repository acme/app",
    }
    assert explain("rae", account="wes").status_code == 403
    assert explain("sam", account="wes").status_code == 404
    assert explain("max", account="nobody-here").status_code == 404


def test_a_password_for_one_time_lets_nobody_in_here(world):
    new = {"name": "otto", "password": "for one time", "one_time": True}
    assert world.ask("POST", "/users", "max", json=new).status_code == 201
    for path in ("/api/v1/me", "/v2/"):
        answer = world.http.get(path, auth=("otto", "for one time"))
        assert (answer.status_code, "choose a password of your own" in answer.text) == (401, True), path
    body = {"new_password": "no more than a password"}
    auth = ("otto", body["new_password"])
    assert world.ask("PUT", "/users/otto/password", "max", json=body).status_code == 204
    assert world.http.get("/api/v1/me", auth=auth).status_code == 200
    assert world.ask("PUT", "/users/otto/password", "max", json={**body, "one_time": True}).status_code == 204
    assert world.http.get("/api/v1/me", auth=auth).status_code == 401
