# SPDX-License-Identifier: Apache-2.0
"""What every endpoint does alike: bad input, problems, pages, conditional changes."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import get_type_hints

import pytest

from tests.management_api.test_management_access import INVENTORY, filled
from wharfinger.management_api.bodies import LARGEST
from wharfinger.management_api.fields import Model
from wharfinger.management_api.problems import MEDIA_TYPE

JSON = {"Content-Type": "application/json"}


def takes_body(handler):
    return any(isinstance(kind, type) and issubclass(kind, Model) for kind in get_type_hints(handler).values())


def problem(answer, status, name):
    """Check that an answer is this problem, complete, and return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == MEDIA_TYPE
    assert answer.headers["Cache-Control"] == "no-store"
    found = answer.json()
    assert found["type"] == f"/api/v1/problems/{name}"
    assert found["status"] == status
    assert found["request_id"] == answer.headers["X-Request-Id"]
    assert found["detail"].endswith(".")
    return found


def test_every_problem_leads_to_its_meaning(world):
    found = problem(world.ask("GET", "/nothing"), 404, "endpoint-unknown")
    meaning = world.http.get(found["type"]).json()
    assert meaning["name"] == "endpoint-unknown"
    assert meaning["status"] == 404
    assert len(world.ask("GET", "/problems").json()["items"]) > 40


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/me/",
        "//me",
        "/repositories/",
        "/repositories/acme/app/",
        "/repositories/acme/app/-",
        "/repositories/acme/app/-/",
        "/repositories/acme/app/-/nothing",
        "/repositories/-/tags",
        "/repositories/acme/-/app/-/tags",
        "/users/..",
        "/organizations/acme/teams/builders/members/",
    ],
)
def test_a_path_that_is_no_endpoint_is_no_failure(world, path):
    assert world.ask("GET", path, "max").status_code in {400, 404}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/users/Una", "account-invalid"),
        ("/users/a%2Fb", "name-invalid"),
        ("/users/%00", "name-invalid"),
        ("/users/%ff", "name-invalid"),
        ("/users/" + "u" * 400, "account-invalid"),
        ("/robots/ci", "account-invalid"),
        ("/repositories/Acme/app", "name-invalid"),
        ("/repositories/acme/app/-/tags/-v1", "tag-invalid"),
        ("/repositories/acme/app/-/grants/a/b/c", "account-invalid"),
    ],
)
def test_a_malformed_name_is_refused_before_anybody_is_asked_who_they_are(world, path, name):
    problem(world.ask("GET" if "grants" not in path else "DELETE", path), 400, name)


@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS", "TRACE", "PATCH", "NONSENSE"])
def test_a_method_that_is_not_there_is_named_with_those_that_are(world, method):
    answer = world.ask(method, "/version", "max")
    problem(answer, 405, "method-unsupported")
    assert answer.headers["Allow"] == "GET, HEAD"
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_head_answers_as_get_without_a_body(world):
    answer = world.ask("HEAD", "/users/una", "max")
    assert answer.status_code == 200
    assert answer.headers["ETag"] == world.ask("GET", "/users/una", "max").headers["ETag"]
    assert not answer.content


WITH_BODY = sorted(key for key, route in INVENTORY.items() if takes_body(route.handler))
DEEP = b'{"a":' * 60 + b"1" + b"}" * 60
UNREADABLE = {
    "nothing": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "a text": b'"role"',
    "null": b"null",
    "a key twice": b'{"name": "a", "name": "b"}',
    "a key twice, deeper": b'{"name": {"a": 1, "a": 2}}',
    "deep": DEEP,
    "very deep": b"[" * 100_000,
    "no number": b'{"days": NaN}',
    "a long number": b'{"days": ' + b"9" * 5_000 + b"}",
    "no UTF-8": b'{"name": "\xff"}',
    "another encoding": '{"name": "a"}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
}


@pytest.mark.parametrize("body", UNREADABLE, ids=str)
def test_a_body_that_could_be_read_in_two_ways_is_refused(world, body):
    for method, path in WITH_BODY:
        answer = world.ask(
            method, filled(INVENTORY[method, path].path, world), "max", content=UNREADABLE[body], headers=JSON
        )
        problem(answer, 400, "body-unreadable")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 415),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
        ({"Content-Type": "application/json; charset=latin-1"}, 415),
        ({"Content-Type": "application/merge-patch+json"}, 415),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, 415),
        ({"Content-Type": 'application/json; charset="UTF-8"'}, 422),
        ({"Content-Type": "Application/JSON"}, 422),
    ],
)
def test_a_body_is_json_in_utf_8_and_says_so(world, headers, status):
    answer = world.ask("POST", "/users", "max", content=b'{"name": 7}', headers=headers)
    assert answer.status_code == status, answer.text


def test_a_change_may_be_sent_as_a_merge_patch(world):
    world.user("pat")
    headers = {"Content-Type": "application/merge-patch+json"}
    answer = world.ask("PATCH", "/me/profile", "pat", content=b'{"display_name": "Pat"}', headers=headers)
    assert answer.json()["display_name"] == "Pat"
    assert world.ask("PATCH", "/me/profile", "pat", json={"email": "p@example.com"}).json()["display_name"] == "Pat"
    assert world.ask("PATCH", "/me/profile", "pat", json={"display_name": None}).json()["display_name"] is None


def test_a_body_over_the_limit_is_refused_and_not_read_to_its_end(world):
    content = b'{"name": "' + b"a" * LARGEST + b'"}'
    problem(world.ask("POST", "/users", "max", content=content, headers=JSON), 413, "body-too-large")


def test_what_takes_no_body_refuses_one(world):
    answer = world.ask("DELETE", "/users/una/suspension", "max", json={})
    problem(answer, 400, "body-unreadable")


WRONG = (None, True, 1, -1, 1.5, 10**30, "", " ", "\0", "a\nb", "\ud800", "x" * 5_000, [], {}, [None], {"a": 1}, "🙂")


@pytest.mark.parametrize("endpoint", WITH_BODY, ids=" ".join)
def test_a_wrong_value_in_any_field_is_named_and_never_a_failure(world, endpoint):
    """Each field of each body gets values of every kind; none of them is repeated in the answer."""
    method, path = endpoint
    document = world.ask("GET", "/openapi.json").json()
    operation = document["paths"][path][method.lower()]
    reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    fields = document["components"]["schemas"][reference.rpartition("/")[2]]["properties"]
    for field in (*fields, "a field that nobody knows"):
        for value in WRONG:
            content = json.dumps({field: value, "zzz": 1})  # the last one makes sure that nothing is done
            answer = world.ask(method, filled(INVENTORY[endpoint].path, world), "max", content=content, headers=JSON)
            found = problem(answer, 422, "fields-invalid")
            assert {"pointer": "/zzz", "detail": "Extra inputs are not permitted"} in found["errors"]


TOKEN = "whp_" + "0aB1" * 10
HIDDEN_NAMES = {
    TOKEN: "[hidden]",
    "Bearer " + TOKEN: "[hidden]",
    "x" * 5_000: "x" * 57 + "...",
    "a\u202eb\nc\u0000": "a?b?c?",
}


@pytest.mark.parametrize("name", HIDDEN_NAMES, ids=lambda name: repr(name[:10]))
def test_a_name_that_nobody_knows_is_repeated_short_printable_and_without_a_secret(world, name):
    """Somebody who mixes up name and value sends a secret as the name of a field or of a parameter."""
    shown = HIDDEN_NAMES[name]
    found = problem(world.ask("POST", "/users", "max", json={"name": "bob", name: 1}), 422, "fields-invalid")
    assert [one["pointer"] for one in found["errors"]] == [f"/{shown}"]
    found = problem(world.ask("GET", "/users", "max", params={name: 1}), 400, "parameters-invalid")
    assert [one["parameter"] for one in found["errors"]] == [shown]


def test_names_within_names_are_repeated_as_one_short_pointer(world):
    content = json.dumps({"name": "bob", "a/b~c": 1})
    found = problem(world.ask("POST", "/users", "max", content=content, headers=JSON), 422, "fields-invalid")
    assert [one["pointer"] for one in found["errors"]] == ["/a~1b~0c"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "Bob"}, "/name"),
        ({"name": "admin account"}, "/name"),
        ({"name": "default"}, "/name"),
        ({"name": "bob", "email": "bob"}, "/email"),
        ({"name": "bob", "display_name": "a\u0000b"}, "/display_name"),
        ({"name": "bob", "display_name": "x" * 101}, "/display_name"),
        ({"name": "bob", "access_type": "everywhere"}, "/access_type"),
        ({"name": "bob", "password": "short"}, "/password"),
        ({"name": "bob", "password": 12345678}, "/password"),
        ({"name": "bob", "claim": "yes"}, "/claim"),
        ({"name": "bob", "is_admin": True}, "/is_admin"),
        ({}, "/name"),
    ],
)
def test_a_field_that_cannot_be_taken_is_named(world, body, pointer):
    found = problem(world.ask("POST", "/users", "max", json=body), 422, "fields-invalid")
    assert [one["pointer"] for one in found["errors"]] == [pointer]


@pytest.mark.parametrize(
    "query",
    [
        "n=0",
        "n=-1",
        "n=1001",
        "n=x",
        "n=" + "9" * 40,
        "n=1&n=2",
        "last=%00",
        "last=%ff",
        "last=" + "a" * 400,
        "size=5",
        "N=5",
        "last=a&" * 60,
        "&".join(f"a{number}=1" for number in range(40)),
    ],
)
@pytest.mark.parametrize("path", ["/users", "/repositories", "/accounts/una/credentials", "/deployment/grants"])
def test_a_query_that_cannot_be_taken_is_refused(world, path, query):
    problem(world.ask("GET", f"{path}?{query}", "max"), 400, "parameters-invalid")


@pytest.mark.parametrize("number", ["0", "-1", "x", "1.5", "9" * 30])
def test_a_number_in_the_path_that_no_credential_has_is_refused(world, number):
    problem(world.ask("DELETE", f"/accounts/una/credentials/{number}", "max"), 400, "parameters-invalid")


def test_pages_lead_from_one_to_the_next_and_hold_everything_once(world):
    names = {world.user(f"page-{number}") for number in range(7)}
    found, path = [], "/users?n=3"
    while path is not None:
        answer = world.ask("GET", path, "max")
        body = answer.json()
        assert len(body["items"]) <= 3
        assert answer.headers.get("Link") == (f'<{body["next"]}>; rel="next"' if body["next"] else None)
        found += [one["name"] for one in body["items"]]
        path = body["next"] and body["next"].removeprefix("/api/v1")
    assert found == sorted(set(found))
    assert names <= set(found)


def test_every_list_has_pages(world):
    world.user("lea")
    world.office.organization("lists", "lea")
    owner = "lea"
    for number in range(3):
        name = world.user(f"list-{number}")
        assert world.ask("PUT", f"/organizations/lists/members/{name}", owner, json={}).status_code == 204
        assert world.ask("POST", "/organizations/lists/teams", owner, json={"name": f"t{number}"}).status_code == 201
        assert world.ask("PUT", f"/organizations/lists/teams/t0/members/{name}", owner).status_code == 204
        assert world.ask("POST", "/organizations/lists/robots", owner, json={"name": f"r{number}"}).status_code == 201
        body = {"name": f"c{number}", "scopes": ["read:packages"]}
        assert world.ask("POST", "/accounts/lists+r0/credentials", owner, json=body).status_code == 201
        path = f"/namespaces/lists/grants/{name}"
        assert world.ask("PUT", path, owner, json={"role": "read"}).status_code == 204
    for path in (
        "/organizations/lists/members",
        "/organizations/lists/teams",
        "/organizations/lists/teams/t0/members",
        "/organizations/lists/robots",
        "/accounts/lists+r0/credentials",
        "/namespaces/lists/grants",
    ):
        whole = world.ask("GET", path, owner).json()
        assert whole["next"] is None
        found, following = [], f"{path}?n=1"
        while following is not None:
            body = world.ask("GET", following, owner).json()
            assert len(body["items"]) == 1
            found += body["items"]
            following = body["next"] and body["next"].removeprefix("/api/v1")
        assert found == whole["items"], path
        assert len(found) >= 3


def test_of_two_who_change_the_same_one_is_told(world):
    world.user("con")
    tag = world.ask("GET", "/users/con", "max").headers["ETag"]
    one = world.ask("PATCH", "/users/con", "max", json={"display_name": "One"}, headers={"If-Match": tag})
    other = world.ask("PATCH", "/users/con", "max", json={"display_name": "Two"}, headers={"If-Match": tag})
    assert one.status_code == 200
    problem(other, 412, "precondition-failed")
    assert world.ask("GET", "/users/con", "max").json()["display_name"] == "One"
    again = world.ask("PATCH", "/users/con", "max", json={"email": "c@d.e"}, headers={"If-Match": one.headers["ETag"]})
    assert again.status_code == 200
    assert world.ask("PATCH", "/users/con", "max", json={}, headers={"If-Match": "*"}).status_code == 200


@pytest.mark.parametrize(
    ("path", "who", "field", "values"),
    [
        ("/organizations/acme", "oli", "description", "abcdefgh"),
        ("/repositories/acme/app", "ada", "description", "abcdefgh"),
        ("/namespaces/acme", "oli", "default_visibility", ["internal", "public"] * 4),
        ("/namespaces/acme", "oli", "kinds_off", [["image"], ["chart"], ["artifact", "image"]]),
        ("/robots/acme+ci", "oli", "description", "abcdefgh"),
    ],
)
def test_of_many_who_change_the_same_at_once_exactly_one_wins(world, path, who, field, values):
    tag = world.ask("GET", path, who).headers["ETag"]

    def change(value):
        return world.ask("PATCH", path, who, json={field: value}, headers={"If-Match": tag}).status_code

    with ThreadPoolExecutor(len(values)) as threads:
        assert sorted(threads.map(change, values)) == [200] + [412] * (len(values) - 1)


def test_what_is_put_twice_is_told_once_and_what_is_deleted_twice_is_gone(world):
    world.user("ida")
    path = "/repositories/acme/app/-/grants/ida"

    def told():
        return len(world.office.rows("SELECT id FROM events WHERE target = 'ida' AND action LIKE 'grant.%'"))

    for _ in range(2):
        assert world.ask("PUT", path, "ada", json={"role": "write"}).status_code == 204
    assert told() == 1
    assert [world.ask("DELETE", path, "ada").status_code for _ in range(2)] == [204, 404]
    assert told() == 2


def test_an_event_names_who_did_it_with_what_and_from_where(world):
    world.user("evi")
    answer = world.bearer("PATCH", "/users/evi", world.tokens["admin:registry"], json={"description": "seen"})
    assert answer.status_code == 200
    (row,) = world.office.rows(
        "SELECT principal, credential_id, client_address, request_id FROM events "
        "WHERE target = 'evi' AND action = 'account.changed'"
    )
    assert row[0] == "max"
    assert row[1] is not None
    assert row[2] == "127.0.0.1"
    assert row[3] == answer.headers["X-Request-Id"]


def test_policies_that_stand_against_it_are_conflicts(world):
    assert world.ask("DELETE", "/organizations/acme/members/oli", "oli").status_code == 409
    assert world.ask("POST", "/users", "max", json={"name": "una"}).status_code == 409
    assert world.ask("DELETE", "/users/max", "max").status_code == 409
    assert world.ask("PUT", "/users/max/suspension", "max").status_code == 409
    assert world.ask("PUT", "/users/acme/suspension", "max").status_code in {400, 404}


def test_a_name_in_a_body_that_is_nobodys_is_named_as_a_field(world):
    body = {"name": "newcomers", "owner": "nobody-here"}
    found = problem(world.ask("POST", "/organizations", "max", json=body), 422, "fields-invalid")
    assert found["errors"][0]["pointer"] == "/owner"


def test_the_log_has_the_pattern_of_the_path_and_the_metrics_do_not_grow_with_names(world):
    world.ask("GET", "/users/metrics-canary", "max")
    text = world.http.get("/metrics").text
    assert 'route="/api/v1/users/{user}"' in text
    assert "metrics-canary" not in text
