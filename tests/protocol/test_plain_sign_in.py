# SPDX-License-Identifier: Apache-2.0
"""Accounts on a plain port that other machines reach: nobody shows a secret there, until the operator lets them.

The registry began open, so it is running when its first account is made. A listed proxy speaks for the clients: its
forwarding headers say where they are, and whether they came by TLS.
"""

import httpx
import pytest

from tests.support.accounts import Office
from tests.support.server import Server

PASSWORD = "canary correct horse"
ELSEWHERE = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "http"}
BY_TLS = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https"}
SERVICE = "wharfinger/default"


def listening_everywhere(folder, more=""):
    server = Server(folder, config=f"version: 0.1\n{more}")
    server.environment["REGISTRY_HTTP_ADDR"] = f"0.0.0.0:{server.port}"
    return server


def office_of(server):
    return Office(server.environment | {"REGISTRY_HTTP_ADDR": server.host})


@pytest.fixture(scope="module")
def http(tmp_path_factory):
    with listening_everywhere(tmp_path_factory.mktemp("plain")) as server, httpx.Client(base_url=server.url) as client:
        assert client.get("/v2/", headers=ELSEWHERE).status_code == 200
        with office_of(server) as office:
            office.user("ann", PASSWORD)
            yield client


def is_refused(answer):
    assert answer.status_code == 403, answer.text
    (error,) = answer.json()["errors"]
    assert error["code"] == "DENIED"
    assert "not encrypted: use https" in error["message"]
    assert "WWW-Authenticate" not in answer.headers, "who is not asked does not send a password"
    return True


@pytest.mark.parametrize("path", ["/v2/", "/v2/acme/app/tags/list", f"/token?service={SERVICE}"])
def test_without_tls_nobody_is_asked_for_a_password_and_none_is_taken(http, path):
    assert is_refused(http.get(path, headers=ELSEWHERE))
    assert is_refused(http.get(path, headers=ELSEWHERE, auth=("ann", PASSWORD)))
    assert is_refused(http.get(path, headers=ELSEWHERE, auth=("ann", "wrong")))


def test_without_tls_a_form_with_a_password_is_not_read(http):
    form = {"grant_type": "password", "service": SERVICE, "username": "ann", "password": PASSWORD}
    assert is_refused(http.post("/token", headers=ELSEWHERE, data=form))
    assert http.post("/token", headers=BY_TLS, data=form).status_code == 200


def test_a_token_that_was_got_by_tls_is_not_shown_without(http):
    token = http.get("/token", headers=BY_TLS, auth=("ann", PASSWORD)).json()["token"]
    assert http.get("/v2/", headers=BY_TLS | {"Authorization": f"Bearer {token}"}).status_code == 200
    assert is_refused(http.get("/v2/", headers=ELSEWHERE | {"Authorization": f"Bearer {token}"}))


def test_a_token_for_nobody_is_no_secret(http):
    scope = {"service": SERVICE, "scope": "repository:acme/app:pull"}
    token = http.get("/token", headers=ELSEWHERE, params=scope).json()["token"]
    assert is_refused(http.get("/v2/acme/app/tags/list", headers=ELSEWHERE | {"Authorization": f"Bearer {token}"}))


@pytest.mark.parametrize("headers", [BY_TLS, {}], ids=["by TLS", "from this machine"])
def test_by_tls_and_from_this_machine_people_sign_in(http, headers):
    challenge = http.get("/v2/", headers=headers)
    assert challenge.status_code == 401
    assert challenge.headers["WWW-Authenticate"].startswith("Bearer ")
    assert http.get("/v2/", headers=headers, auth=("ann", PASSWORD)).status_code == 200


def test_the_operator_lets_them(tmp_path):
    with (
        listening_everywhere(tmp_path, "accounts: {allowplain: true}\n") as server,
        httpx.Client(base_url=server.url) as http,
        office_of(server) as office,
    ):
        office.user("ann", PASSWORD)
        assert http.get("/v2/", headers=ELSEWHERE).status_code == 401
        assert http.get("/v2/", headers=ELSEWHERE, auth=("ann", PASSWORD)).status_code == 200
        assert "passwords and tokens travel unencrypted, as accounts.allowplain says" in server.log


@pytest.mark.parametrize(("setting", "status"), [({}, 200), ({"REGISTRY_ACCOUNTS_ANONYMOUSPULL": "false"}, 401)])
def test_the_operator_says_whether_public_means_everybody(tmp_path, setting, status):
    with Server(tmp_path, environment=setting) as server, httpx.Client(base_url=server.url) as http:
        assert http.post("/v2/acme/app/blobs/uploads/").status_code == 202
        with Office(server.environment) as office:
            office.user("ann", PASSWORD)
            office.set_visibility("acme/app", "public")
        assert http.get("/v2/_catalog").status_code == status


def test_the_operator_may_take_no_passwords(tmp_path):
    with (
        Server(tmp_path, environment={"REGISTRY_ACCOUNTS_PASSWORDS": "false"}) as server,
        httpx.Client(base_url=server.url) as http,
        Office(server.environment) as office,
    ):
        office.user("ann", PASSWORD)
        made = office.token("ann")
        refused = http.get("/token", auth=("ann", PASSWORD))
        assert refused.status_code == 401
        assert "accounts.passwords" in refused.json()["errors"][0]["message"]
        assert http.get("/token", auth=("ann", made.secret)).status_code == 200
