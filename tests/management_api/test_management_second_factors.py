# SPDX-License-Identifier: Apache-2.0
"""Second factors and sessions over the API: what a stolen token alone cannot do, and what an administrator can."""

from tests.management_api.conftest import PASSWORD
from wharfinger.clock import SECOND, Clock
from wharfinger.security import totp


def code_now(secret, away=0):
    return totp.code_at(secret, Clock().now() // SECOND // 30 + away)


def test_a_factor_is_added_listed_and_reset_and_passwords_end_in_between(world):
    name = world.user("factors")
    password = {"proof": PASSWORD}
    assert world.ask("POST", "/me/second-factors/app", name, json={"proof": "a wrong password"}).status_code == 403
    begun = world.ask("POST", "/me/second-factors/app", name, json=password).json()
    new = {"name": "phone", "enrolment": begun["enrolment"], "code": "000000"}
    assert world.ask("POST", "/me/second-factors", name, json=new).status_code == 403
    new["code"] = code_now(begun["secret"], -1)
    added = world.ask("POST", "/me/second-factors", name, json=new)
    assert added.status_code == 201
    assert len(added.json()["recovery_codes"]) == 10
    refused = world.ask("GET", "/me", name)
    assert refused.status_code == 401
    assert "second factor" in refused.text
    found = world.ask("GET", f"/users/{name}/second-factors", "max").json()
    assert [(one["kind"], one["name"]) for one in found["items"]] == [("app", "phone")]
    assert begun["secret"] not in str(found)
    assert world.ask("DELETE", "/users/max/second-factors", "max").status_code == 409
    assert world.ask("DELETE", f"/users/{name}/second-factors", "max").status_code == 204
    assert world.ask("GET", "/me", name).status_code == 200


def test_a_language_and_an_address_are_checked(world):
    assert world.ask("PATCH", "/me/profile", "rae", json={"language": "ko"}).json()["language"] == "ko"
    assert world.ask("PATCH", "/me/profile", "rae", json={"language": None}).json()["language"] is None
    for wrong in ({"language": "tlh"}, {"email": "a@b@c"}, {"email": "no address"}):
        assert world.ask("PATCH", "/me/profile", "rae", json=wrong).status_code == 422


def test_sessions_are_listed_and_ended(world):
    assert world.ask("GET", "/me/sessions", "rae").json() == {"items": []}
    assert world.ask("DELETE", "/me/sessions/7", "rae").status_code == 404
    assert world.ask("DELETE", "/me/sessions", "rae").status_code == 204
