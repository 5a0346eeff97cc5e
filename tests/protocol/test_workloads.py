# SPDX-License-Identifier: Apache-2.0
"""Workloads over a socket: every way to show an identity, the token exchange, and what each gets at once or never."""

import dataclasses

import httpx
import pytest

from tests.outbound.peers import Authority
from tests.protocol.client import Client, refused
from tests.protocol.content import Material
from tests.protocol.test_accounts import SERVICE, access_of, basic, bearer, claims_of
from tests.support.accounts import SECRET, Office
from tests.support.issuer import AUDIENCE, Issuer, Key
from wharfinger.domain.forges import Code, Wish, github
from wharfinger.domain.grants import Place
from wharfinger.domain.identity import SYSTEM_ACTOR
from wharfinger.domain.roles import Role
from wharfinger.domain.trust import NewRule

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT = "urn:ietf:params:oauth:token-type:jwt"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
ZERO = "sha256:" + "0" * 64


@dataclasses.dataclass
class World:
    server: object
    office: Office
    client: Client
    issuer: Issuer

    def rule(self, **more):
        """Make a rule for the workflows of acme in their namespace."""
        made = {"role": Role.WRITE, "conditions": {"repository_owner": ("acme",)}, "place": self.place, **more}
        new = NewRule(name="builds", issuer=self.issuer.url, audience=AUDIENCE, **made)
        return self.office._run(self.office.services.trust.create(new, SYSTEM_ACTOR))

    def ready(self):
        made = github(Code(path="acme"), Wish(audience=AUDIENCE, place=self.place))
        new = dataclasses.replace(made, issuer=self.issuer.url)
        return self.office._run(self.office.services.trust.create(new, SYSTEM_ACTOR))

    def remove(self, rule):
        self.office._run(self.office.services.trust.remove(rule.id, SYSTEM_ACTOR))

    def clear(self):
        for rule in self.office._run(self.office.services.trust.list()):
            self.remove(rule)

    @property
    def place(self):
        return Place(registry_id=self.office.registry.id, namespace="acme")

    def exchange(self, token, **more):
        form = {"grant_type": EXCHANGE, "subject_token": token, "subject_token_type": JWT, **more}
        data = {name: value for name, value in form.items() if value is not None}
        return httpx.post(f"{self.server.url}/token", data=data, timeout=60, trust_env=False)

    def get(self, path, header, method="GET", **more):
        return self.client.request(method, path, headers={"Authorization": header}, **more)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def world(request, start, tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("issuer"))
    more = {
        "REGISTRY_LOG_LEVEL": "debug",
        "REGISTRY_HTTP_SECRET": SECRET,
        "REGISTRY_OUTBOUND_ALLOW": "[127.0.0.1]",
        "REGISTRY_OUTBOUND_AUTHORITIES": str(authority.file),
    }
    server = start(request.param, more=more, deletion=None)
    with (
        Issuer(authority.context("127.0.0.1"), Key("k1", "ES256")) as issuer,
        Office(server.environment) as office,
        Client.of(server.url) as client,
    ):
        office.user("ann", "correct horse")
        office.organization("acme", "ann")
        yield World(server, office, client, issuer)


@pytest.fixture(autouse=True)
def rules(world):
    """Leave no rule behind."""
    yield
    world.clear()
    world.issuer.is_up = True


def ways(world, token, scope):
    """Return the header of each way to show an identity, for what the scope names."""
    credential = world.exchange(token).json()["access_token"]
    from_token = world.client.get(
        "/token", params={"service": SERVICE, "scope": scope}, headers={"Authorization": basic("job", token)}
    )
    form = {"grant_type": "password", "username": "job", "password": token, "scope": scope, "service": SERVICE}
    return {
        "bearer": bearer(token),
        "basic": basic("anything", token),
        "basic without a name": basic("", token),
        "registry token": bearer(from_token.json()["token"]),
        "form": bearer(world.client.request("POST", "/token", data=form).json()["access_token"]),
        "exchanged for a registry token": bearer(world.exchange(token, scope=scope).json()["access_token"]),
        "credential as bearer": bearer(credential),
        "credential as password": basic("job", credential),
    }


def test_every_way_to_show_an_identity_gets_the_same_answers(world):
    world.rule()
    token, name = world.issuer.tokens.make(), "acme/every-way"
    scope = f"repository:{name}:pull,push"
    for way, header in ways(world, token, scope).items():
        assert world.get("/v2/", header).status_code == 200, way
        found = [
            world.get(f"/v2/{name}/manifests/v1", header).status_code,
            world.get(f"/v2/{name}/blobs/{ZERO}", header, "HEAD").status_code,
        ]
        assert found == [404, 404], way
    for way, header in ways(world, token, scope).items():
        assert world.get(f"/v2/{name}/blobs/uploads/", header, "POST").status_code == 202, way
        assert world.get("/v2/beta/app/manifests/v1", header).status_code in {401, 403}, way


def test_a_workflow_pushes_what_is_its_own_with_one_token_from_the_first_request_on(world):
    world.ready()
    token = world.issuer.tokens.make()
    scope = "repository:acme/app/web:pull,push"
    given = world.exchange(token, scope=scope).json()
    with Client.of(world.server.url) as client:
        client.http.headers["Authorization"] = bearer(given["access_token"])
        repository = client.repository("acme/app/web")
        repository.push(Material("workloads").image(repository), "v1")
        assert repository.tags() == ["v1"]
    ((source,),) = world.office.rows("SELECT source FROM repositories WHERE name = 'acme/app/web'")
    assert source == "https://github.com/acme/app"
    assert world.get("/v2/_catalog", bearer(token)).json()["repositories"] == ["acme/app/web"]
    stranger = world.issuer.tokens.make(repository="acme/other")
    assert world.get("/v2/_catalog", bearer(stranger)).json()["repositories"] == []
    refused(world.get("/v2/acme/app/web/manifests/v1", bearer(stranger)), 403, "DENIED")


def test_a_pattern_of_tags_binds_every_way_to_set_one(world):
    world.rule(tags=("v*",))
    header = bearer(world.issuer.tokens.make())
    with Client.of(world.server.url) as client:
        client.http.headers["Authorization"] = header
        repository = client.repository("acme/tagged")
        document = Material("tagged").image(repository)
        assert "not under this tag" in refused(repository.put("latest", document), 403, "DENIED")
        refused(repository.put("v1", document, params={"tag": "latest"}), 403, "DENIED")
        digest = repository.push(document)
        refused(repository.put(digest, document, params={"tag": ["v2", "latest"]}), 403, "DENIED")
        assert repository.put("v1", document, params={"tag": "v1.1"}).status_code == 201
        assert repository.put(digest, document, params={"tag": ["v2", "v2.1"]}).status_code == 201
        assert sorted(repository.tags()) == ["v1", "v1.1", "v2", "v2.1"]


def test_nobody_gets_admin_by_a_rule_that_lets_it_create(world):
    world.rule()
    header = bearer(world.issuer.tokens.make())
    with Client.of(world.server.url) as client:
        client.http.headers["Authorization"] = header
        repository = client.repository("acme/made")
        digest = repository.push(Material("made").image(repository), "v1")
        for reference in ("v1", digest):
            refused(repository.manifest("DELETE", reference), 403, "DENIED")


def test_a_removed_rule_stops_every_way_at_once(world):
    rule = world.rule()
    scope = "repository:acme/removed:pull,push"
    shown = ways(world, world.issuer.tokens.make(), scope)
    assert {world.get("/v2/", header).status_code for header in shown.values()} == {200}
    world.remove(rule)
    for way, header in shown.items():
        answer = world.get("/v2/acme/removed/manifests/v1", header)
        assert answer.status_code == 401, way
        assert answer.headers["WWW-Authenticate"].startswith("Bearer "), way
        assert world.get("/v2/", header).status_code == 401, way


# The exchange


def test_without_scopes_a_credential_is_given_that_signs_in(world):
    world.rule()
    answer = world.exchange(world.issuer.tokens.make(), audience=SERVICE, requested_token_type=ACCESS_TOKEN)
    given = answer.json()
    assert answer.headers["Cache-Control"] == "no-store"
    assert (given["token_type"], given["issued_token_type"], given["expires_in"]) == ("Bearer", ACCESS_TOKEN, 3600)
    assert set(given) == {"access_token", "issued_token_type", "token_type", "expires_in", "issued_at"}
    login = world.client.get(
        "/token",
        params={"service": SERVICE, "offline_token": "true"},
        headers={"Authorization": basic("job", given["access_token"])},
    )
    assert login.status_code == 200
    assert "refresh_token" not in login.json()


def test_with_scopes_a_registry_token_is_given_for_what_the_workload_may(world):
    world.rule()
    given = world.exchange(
        world.issuer.tokens.make(), scope="repository:acme/x:pull,push,delete repository:beta/x:pull"
    ).json()
    assert given["scope"] == "repository:acme/x:pull,push"
    assert given["expires_in"] <= 300
    assert access_of(given["access_token"])["repository", "acme/x"] == ["pull", "push"]
    claims = claims_of(given["access_token"])
    assert claims["sub"] == ""
    assert claims["workload"]["name"] == f"repo:acme/app:ref:refs/heads/main of {world.issuer.url[8:]}"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"subject_token": None}, "invalid_request"),
        ({"subject_token": ""}, "invalid_request"),
        ({"subject_token": "abc"}, "invalid_request"),
        ({"subject_token_type": None}, "invalid_request"),
        ({"subject_token_type": ACCESS_TOKEN}, "invalid_request"),
        ({"requested_token_type": JWT}, "invalid_request"),
        ({"actor_token": "x"}, "invalid_request"),
        ({"audience": "wharfinger/other"}, "invalid_target"),
        ({"service": "other"}, "invalid_target"),
        ({"resource": "https://registry.example.com"}, "invalid_target"),
        ({"scope": "no scope"}, "invalid_scope"),
    ],
)
def test_an_exchange_that_cannot_be_made_says_so_as_oauth_does(world, changed, code):
    world.rule()
    form = {"subject_token": world.issuer.tokens.make(), **changed}
    answer = world.exchange(form.pop("subject_token"), **form)
    assert (answer.status_code, answer.json()["error"]) == (400, code), answer.text
    assert set(answer.json()) == {"error", "error_description"}
    assert len(answer.json()["error_description"]) > 20


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://unknown.example.com"},
        {"aud": "other"},
        {"repository_owner": "eve"},
        {"exp": 1},
        {"header": {"alg": "none"}},
        {"header": {"alg": "HS256"}},
        {"key": Key("k1", "ES256")},
    ],
    ids=lambda claims: "signed by another" if "key" in claims else str(claims),
)
def test_every_refusal_of_an_identity_is_the_same(world, claims):
    world.rule()
    token = world.issuer.tokens.make(**claims)
    right = world.exchange("x.y.z").json()
    assert world.exchange(token).json() == right
    said = refused(world.get("/v2/", bearer(token)), 401, "UNAUTHORIZED")
    assert said == refused(world.get("/v2/", basic("ann", "whp_wrong")), 401, "UNAUTHORIZED")
    assert said == refused(world.get("/token", basic("x", token)), 401, "UNAUTHORIZED")


def test_a_new_key_of_the_issuer_is_fetched_when_a_token_names_it(world):
    world.rule()
    old, new = world.issuer.keys[-1], Key("rotated", "RS256")
    world.issuer.keys.append(new)
    try:
        assert world.get("/v2/", bearer(world.issuer.tokens.make(key=new))).status_code == 200
        assert world.get("/v2/", bearer(world.issuer.tokens.make(key=old))).status_code == 200
    finally:
        world.issuer.keys.remove(new)


def test_while_the_issuer_is_down_its_known_keys_go_on_and_a_new_issuer_is_503(world, tmp_path):
    world.rule()
    assert world.get("/v2/", bearer(world.issuer.tokens.make())).status_code == 200
    world.issuer.is_up = False
    assert world.get("/v2/", bearer(world.issuer.tokens.make(jti="another"))).status_code == 200
    authority = Authority(tmp_path)  # which nobody listed
    with Issuer(authority.context("127.0.0.1"), Key("k1", "ES256")) as other:
        new = NewRule(
            name="other", issuer=other.url, audience=AUDIENCE, conditions={}, place=world.place, role=Role.READ
        )
        world.office._run(world.office.services.trust.create(new, SYSTEM_ACTOR))
        with httpx.Client(base_url=world.server.url, timeout=60) as plain:
            answer = plain.get("/v2/", headers={"Authorization": bearer(other.tokens.make())})
            form = {"grant_type": EXCHANGE, "subject_token": other.tokens.make(), "subject_token_type": JWT}
            exchanged = plain.post("/token", data=form)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (503, "UNAVAILABLE")
    assert (exchanged.status_code, exchanged.json()["error"]) == (503, "temporarily_unavailable")
    assert answer.headers["Retry-After"]
    assert exchanged.headers["Retry-After"]


def test_no_identity_is_ever_written_down(world):
    world.rule()
    token = world.issuer.tokens.make()
    wrong = world.issuer.tokens.make(aud="other")
    credential = world.exchange(token).json()["access_token"]
    for secret in (token, wrong, credential):
        world.get("/v2/", bearer(secret))
        world.get("/v2/", basic("x", secret))
    log = world.server.log
    assert "an identity token was refused" in log
    assert "no rule names its audience" in log
    for secret in (token, wrong, credential):
        signature = secret.rpartition(".")[2]
        assert signature not in log
        assert secret[:60] not in log
    columns = world.office.rows("SELECT principal, detail, target FROM events")
    assert not any("eyJ" in str(value) for row in columns for value in row)
