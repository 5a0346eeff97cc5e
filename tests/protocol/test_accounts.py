# SPDX-License-Identifier: Apache-2.0
"""A registry with accounts, over a socket: who may do what, and the same for every way to sign in."""

import base64
import hmac
import itertools
import json
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import httpx
import pytest

from tests.protocol.client import Client, refused
from tests.protocol.content import Material, image
from tests.support.accounts import SECRET, Office
from tests.support.commands import wait_until
from tests.support.images import OCI_CONFIG, digest_of
from tests.support.server import Server
from wharfinger.distribution_api.routes import ROUTES

SERVICE = "wharfinger/default"
PASSWORD = "canary correct horse"
VISIBILITIES = ("private", "internal", "public")
PRIVATE, ABSENT = "acme/private", "acme/nothing"
"""Of one length, so that answers that repeat the name have one length too."""
ROLES = ("nobody", "stranger", "reader", "writer", "keeper", "ann")
WAYS = ("password", "token", "token as bearer", "access key", "registry token", "from a form", "from a refresh token")
ZERO = "sha256:" + "0" * 64
NOT_SAID = frozenset({"date", "x-request-id", "set-cookie"})


def basic(name, secret):
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


def bearer(token):
    return f"Bearer {token}"


def signed_in(header):
    return {} if header is None else {"Authorization": header}


def claims_of(token):
    """What a registry token says; whether it is signed, the registry itself checks."""
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def access_of(token):
    return {(entry["type"], entry["name"]): entry["actions"] for entry in claims_of(token)["access"]}


@dataclass(frozen=True)
class World:
    """A registry with an organization, a repository of each visibility, and somebody for each role."""

    server: Server
    office: Office
    client: Client
    digests: dict = field(default_factory=dict)
    documents: dict = field(default_factory=dict)
    tokens: dict = field(default_factory=dict)
    keys: dict = field(default_factory=dict)

    def add(self, name):
        """Make a user with a credential of each kind."""
        self.office.user(name, PASSWORD)
        self.tokens[name], self.keys[name] = self.office.token(name), self.office.key(name)

    def person(self, name):
        """Return a client that signs in with a password."""
        return Client.of(self.server.url, auth=(name, PASSWORD))

    def ask(self, *scopes, header=None, **more):
        """Ask the token endpoint by GET, and return the answer."""
        parameters = [("service", SERVICE), *(("scope", scope) for scope in scopes), *more.items()]
        return self.client.get("/token", params=parameters, headers=signed_in(header))

    def post(self, **fields):
        return self.client.request("POST", "/token", data={"service": SERVICE, **fields})

    def show(self, way, name, scope=""):
        """Return the `Authorization` header of somebody who signs in that way, for what the scope names."""
        if name == "nobody":
            return bearer(self.ask(scope).json()["token"]) if way == "registry token" else None
        right = basic(name, PASSWORD)
        match way:
            case "password":
                return right
            case "token":
                return basic(name, self.tokens[name].secret)
            case "token as bearer":
                return bearer(self.tokens[name].secret)
            case "access key":
                return basic(self.keys[name].public_id, self.keys[name].secret)
            case "registry token":
                return bearer(self.ask(scope, header=right).json()["token"])
            case "from a form":
                form = {"grant_type": "password", "username": name, "password": PASSWORD, "scope": scope}
                return bearer(self.post(**form).json()["access_token"])
            case "from a refresh token":
                secret = self.ask(header=right, offline_token="true").json()["refresh_token"]
                form = {"grant_type": "refresh_token", "refresh_token": secret, "scope": scope}
                return bearer(self.post(**form).json()["access_token"])


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def world(request, start):
    more = {"REGISTRY_LOG_LEVEL": "debug", "REGISTRY_HTTP_SECRET": SECRET}
    server = start(request.param, more=more, deletion=None)
    with Office(server.environment) as office, Client.of(server.url) as client:
        made = World(server, office, client)
        for name in ROLES[1:]:
            made.add(name)
        office.organization("acme", "ann")
        with made.person("ann") as ann:
            for visibility in VISIBILITIES:
                repository = ann.repository(f"acme/{visibility}")
                document = Material(f"accounts/{visibility}").image(repository)
                made.digests[visibility] = repository.push(document, "v1")
                made.documents[visibility] = document
                office.set_visibility(repository.name, visibility)
                for name, role in (("reader", "read"), ("writer", "write"), ("keeper", "admin")):
                    office.give(name, role, repository=repository.name)
        yield made


def layer(world, visibility):
    return world.documents[visibility]["layers"][0]["digest"]


# The challenge


def test_whoever_shows_nothing_is_sent_to_the_token_endpoint(world):
    """K01 of the corpus."""
    answer = world.client.get("/v2/")
    assert "docker login" in refused(answer, 401, "UNAUTHORIZED")
    assert answer.headers["WWW-Authenticate"] == f'Bearer realm="{world.server.url}/token",service="{SERVICE}"'


@pytest.mark.parametrize(
    ("method", "below", "scope"),
    [
        ("GET", "manifests/v1", f"repository:{PRIVATE}:pull"),
        ("HEAD", f"blobs/{ZERO}", f"repository:{PRIVATE}:pull"),
        ("GET", "tags/list", f"repository:{PRIVATE}:pull"),
        ("POST", "blobs/uploads/", f"repository:{PRIVATE}:pull,push"),
        ("PUT", "manifests/v1", f"repository:{PRIVATE}:pull,push"),
        ("DELETE", "manifests/v1", f"repository:{PRIVATE}:delete"),
    ],
)
def test_the_challenge_says_what_to_ask_for(world, method, below, scope):
    answer = world.client.repository(PRIVATE).request(method, below)
    assert answer.status_code == 401
    assert f',scope="{scope}"' in answer.headers["WWW-Authenticate"]
    assert "error=" not in answer.headers["WWW-Authenticate"]


def test_the_challenge_for_the_catalog_names_the_catalog(world):
    header = bearer(world.ask(f"repository:{PRIVATE}:pull", header=basic("ann", PASSWORD)).json()["token"])
    answer = world.client.get("/v2/_catalog", headers=signed_in(header))
    assert answer.status_code == 401
    assert 'scope="registry:catalog:*",error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


def test_a_token_for_less_is_told_to_ask_for_more_in_the_words_that_podman_reads(world):
    """K23 of the corpus."""
    header = bearer(world.ask(f"repository:{PRIVATE}:pull", header=basic("ann", PASSWORD)).json()["token"])
    answer = world.client.repository(PRIVATE).request("POST", "blobs/uploads/", headers=signed_in(header))
    refused(answer, 401, "UNAUTHORIZED")
    expected = f'scope="repository:{PRIVATE}:pull,push",error="insufficient_scope"'
    assert answer.headers["WWW-Authenticate"].endswith(expected)
    other = world.client.repository("acme/public").manifest("PUT", "v1", headers=signed_in(header))
    assert 'error="insufficient_scope"' in other.headers["WWW-Authenticate"]


def test_a_wrong_token_is_called_invalid(world):
    answer = world.client.get("/v2/", headers=signed_in(bearer("not.a.token")))
    refused(answer, 401, "UNAUTHORIZED")
    assert answer.headers["WWW-Authenticate"].endswith(',error="invalid_token"')


# The token endpoint


def test_a_token_comes_with_its_end_and_its_beginning(world):
    answer = world.ask(f"repository:{PRIVATE}:pull", header=basic("ann", PASSWORD))
    content = answer.json()
    claims = claims_of(content["token"])
    assert set(content) == {"token", "access_token", "expires_in", "issued_at"}
    assert content["token"] == content["access_token"]
    assert 60 <= content["expires_in"] <= 300
    assert claims["exp"] - claims["iat"] == content["expires_in"]
    assert content["issued_at"].endswith("Z")
    assert len(content["issued_at"]) == len("2026-01-01T00:00:00Z")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("separate", [True, False], ids=["several", "one with a space"])
def test_several_things_are_asked_for_at_once(world, separate):
    scopes = (f"repository:{PRIVATE}:pull,push", "repository(plugin):acme/public:pull", "registry:catalog:*")
    answer = world.ask(*(scopes if separate else [" ".join(scopes)]), header=basic("ann", PASSWORD))
    assert access_of(answer.json()["token"]) == {
        ("repository", PRIVATE): ["pull", "push"],
        ("repository", "acme/public"): ["pull"],
        ("registry", "catalog"): ["*"],
    }


@pytest.mark.parametrize("asked", ["pull,push,delete,admin", "*"])
def test_a_token_is_for_what_one_may_and_asking_for_more_is_no_error(world, asked):
    """K31 of the corpus."""
    expected = {
        "stranger": {},
        "reader": {("repository", PRIVATE): ["pull"]},
        "writer": {("repository", PRIVATE): ["pull", "push"]},
        "keeper": {("repository", PRIVATE): ["delete", "pull", "push"]},
    }
    scope = f"repository:{PRIVATE}:{asked}"
    got = {name: access_of(world.ask(scope, header=basic(name, PASSWORD)).json()["token"]) for name in expected}
    assert got == expected
    for name, entries in expected.items():
        form = world.post(grant_type="password", username=name, password=PASSWORD, scope=scope).json()
        told = {("repository", PRIVATE): sorted(form["scope"].rpartition(":")[2].split(","))} if form["scope"] else {}
        assert told == entries


def test_a_login_without_a_scope_says_whether_the_password_is_right(world):
    """K39 of the corpus, but for the times."""
    assert world.ask(header=basic("ann", PASSWORD)).status_code == 200
    answers = [world.ask(header=header) for header in (basic("ann", "wrong"), basic("zoe", PASSWORD), None)]
    for answer in answers:
        refused(answer, 401, "UNAUTHORIZED")
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize("name", ["wharfinger/other", "registry.example", "wharfinger/default "])
def test_a_token_for_another_service_is_refused(world, name):
    """K35 of the corpus."""
    header = signed_in(basic("ann", PASSWORD))
    refused(world.client.get("/token", params={"service": name}, headers=header), 400, "UNSUPPORTED")
    form = {"service": name, "grant_type": "password", "username": "ann", "password": PASSWORD}
    refused(world.client.request("POST", "/token", data=form), 400, "UNSUPPORTED")


def test_the_service_may_be_left_out(world):
    answer = world.client.get("/token", headers=signed_in(basic("ann", PASSWORD)))
    assert claims_of(answer.json()["token"])["aud"] == SERVICE


@pytest.mark.parametrize("query", ["scope=nonsense", "service=a&service=b", "scope=%ff", "scope=%C3", "a=1&" * 101])
def test_what_cannot_be_read_is_refused(world, query):
    answer = world.client.get(f"/token?{query}", headers=signed_in(basic("ann", PASSWORD)))
    refused(answer, 400, "UNSUPPORTED")


@pytest.mark.parametrize("name", ["service", "grant_type", "username", "password"])
def test_a_field_that_comes_twice_is_refused(world, name):
    form = f"service={SERVICE}&grant_type=password&username=ann&password={PASSWORD.replace(' ', '+')}"
    again = f"{form}&{name}={dict(parse_qsl(form))[name]}"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert world.client.request("POST", "/token", content=form, headers=headers).status_code == 200
    message = refused(world.client.request("POST", "/token", content=again, headers=headers), 400, "UNSUPPORTED")
    assert f"`{name}` comes 2 times" in message


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
def test_another_method_is_refused(world, method):
    answer = world.client.request(method, "/token", headers=signed_in(basic("ann", PASSWORD)))
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, POST"


@pytest.mark.parametrize("path", ["/token/", "/token/more", "/token/..%2f"])
def test_there_is_nothing_below_the_endpoint(world, path):
    answer = world.client.get(path, headers=signed_in(basic("ann", PASSWORD)))
    refused(answer, 404, "UNSUPPORTED")


def test_a_form_may_name_its_charset(world):
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    form = f"grant_type=password&username=ann&password={PASSWORD.replace(' ', '%20')}&scope=repository:{PRIVATE}:pull"
    content = world.client.request("POST", "/token", content=form, headers=headers).json()
    assert set(content) == {"access_token", "expires_in", "issued_at", "scope"}
    assert content["scope"] == f"repository:{PRIVATE}:pull"


def test_a_form_that_is_too_long_is_refused(world):
    answer = world.post(grant_type="password", username="ann", password="x" * 20_000)
    assert "The form has more than" in refused(answer, 400, "UNSUPPORTED")
    assert answer.headers["Connection"] == "close"


@pytest.mark.parametrize("grant", [None, "", "client_credentials", "PASSWORD"])
def test_another_grant_is_refused(world, grant):
    form = {"username": "ann", "password": PASSWORD} | ({} if grant is None else {"grant_type": grant})
    refused(world.post(**form), 400, "UNSUPPORTED")


@pytest.mark.parametrize(
    "form",
    [
        {"grant_type": "password"},
        {"grant_type": "password", "username": "ann", "password": "wrong"},
        {"grant_type": "password", "username": "", "password": PASSWORD},
        {"grant_type": "refresh_token"},
        {"grant_type": "refresh_token", "refresh_token": PASSWORD},
    ],
)
def test_a_wrong_form_gets_no_token(world, form):
    answer = world.post(**form, scope="repository:acme/public:pull")
    refused(answer, 401, "UNAUTHORIZED")


def test_a_refresh_token_stands_for_the_password_until_it_is_revoked(world):
    by_get = world.ask(header=basic("ann", PASSWORD), offline_token="true", client_id="a laptop").json()
    by_post = world.post(grant_type="password", username="ann", password=PASSWORD, access_type="offline").json()
    for secret in (by_get["refresh_token"], by_post["refresh_token"]):
        form = {"grant_type": "refresh_token", "refresh_token": secret, "scope": f"repository:{PRIVATE}:pull,push"}
        content = world.post(**form).json()
        assert access_of(content["access_token"]) == {("repository", PRIVATE): ["pull", "push"]}
        assert content["refresh_token"] == secret
        for header in (bearer(secret), basic("ann", secret)):  # it is for the token endpoint's form and nothing else
            assert world.client.get("/v2/", headers=signed_in(header)).status_code == 401
            assert world.ask(header=header).status_code == 401
    (row,) = world.office.rows("SELECT id FROM credentials WHERE device = :d", d="a laptop")
    world.office.execute("UPDATE credentials SET revoked_at = 1 WHERE id = :i", i=row[0])
    form = {"grant_type": "refresh_token", "refresh_token": by_get["refresh_token"]}
    refused(world.post(**form), 401, "UNAUTHORIZED")
    assert world.post(**form | {"refresh_token": by_post["refresh_token"]}).status_code == 200


def test_nobody_gets_no_refresh_token(world):
    content = world.ask("repository:acme/public:pull", offline_token="true").json()
    assert "refresh_token" not in content


def test_a_registry_token_is_exchanged_for_nothing(world):
    """It ends: neither a later one nor a refresh token, which would open more than it does, comes of it."""
    for header in (None, basic("ann", PASSWORD)):
        token = world.ask("repository:acme/public:pull", header=header).json()["token"]
        for more in ({}, {"offline_token": "true"}):
            answer = world.ask("repository:acme/public:pull,push", header=bearer(token), **more)
            refused(answer, 401, "UNAUTHORIZED")


def test_the_keys_that_verify_are_published(world):
    header = world.ask(header=basic("ann", PASSWORD)).json()["token"].split(".")[0]
    kid = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"]
    keys = httpx.get(f"{world.server.url}/.well-known/jwks.json").json()["keys"]
    assert kid in [key["kid"] for key in keys]
    assert all("d" not in key for key in keys)


# Who may do what, and how it is shown


OPERATIONS = {
    "manifest": ("pull", "GET", "manifests/v1"),
    "blob": ("pull", "GET", "blobs/{layer}"),
    "tags": ("pull", "GET", "tags/list"),
    "referrers": ("pull", "GET", "referrers/{manifest}"),
    "upload": ("push", "POST", "blobs/uploads/"),
    "manifest that cannot be": ("push", "PUT", "manifests/v1"),
    "delete a manifest": ("delete", "DELETE", f"manifests/{ZERO}"),
    "delete a blob": ("delete", "DELETE", f"blobs/{ZERO}"),
}
MAY = {
    "nobody": {"private": "", "internal": "", "public": "pull"},
    "stranger": {"private": "", "internal": "pull", "public": "pull"},
    "reader": dict.fromkeys(VISIBILITIES, "pull"),
    "writer": dict.fromkeys(VISIBILITIES, "pull push"),
    "keeper": dict.fromkeys(VISIBILITIES, "pull push delete"),
    "ann": dict.fromkeys(VISIBILITIES, "pull push delete"),
}
ALLOWED = {"upload": 202, "manifest that cannot be": 400, "delete a manifest": 404, "delete a blob": 404}


@pytest.mark.parametrize("visibility", VISIBILITIES)
@pytest.mark.parametrize("role", ROLES)
def test_every_way_to_sign_in_gives_the_answers_of_the_table(world, role, visibility):
    repository = world.client.repository(f"acme/{visibility}")
    filled = {"layer": layer(world, visibility), "manifest": world.digests[visibility]}
    scope = f"repository:{repository.name}:pull,push,delete"
    seen = {}
    for way in WAYS if role != "nobody" else ("password", "registry token"):
        header = signed_in(world.show(way, role, scope))
        for operation, (needed, method, below) in OPERATIONS.items():
            body = {"content": b"{}"} if method == "PUT" else {}
            answer = repository.request(method, below.format(**filled), headers=header, **body)
            may = needed in MAY[role][visibility].split()
            expected = ALLOWED.get(operation, 200) if may else 401 if role == "nobody" else 403
            assert answer.status_code == expected, f"{way}: {operation}: {answer.text}"
            assert seen.setdefault(operation, answer.content) == answer.content, way


def test_a_scope_of_a_token_takes_away(world):
    reading = world.office.token("keeper", "read:packages")
    pushing = world.office.token("keeper", "write:packages")
    repository = world.client.repository(PRIVATE)
    asked = f"repository:{PRIVATE}:pull,push,delete"
    for made, granted in ((reading, ["pull"]), (pushing, ["pull", "push"])):
        direct = basic("keeper", made.secret)
        token = world.ask(asked, header=direct).json()["token"]
        assert access_of(token) == {("repository", PRIVATE): granted}
        for header in map(signed_in, (direct, bearer(made.secret), bearer(token))):
            assert repository.manifest("GET", "v1", headers=header).status_code == 200
            started = repository.request("POST", "blobs/uploads/", headers=header)
            assert started.status_code == (202 if "push" in granted else 403)
            message = refused(repository.manifest("DELETE", ZERO, headers=header), 403, "DENIED")
            assert "lacks the scope delete:packages" in message


def test_a_token_for_some_repositories_opens_no_other(world):
    ((public_id,),) = world.office.rows("SELECT id FROM repositories WHERE name = :n", n="acme/public")
    made = world.office.token("keeper", repositories=frozenset({public_id}))
    for header in map(signed_in, (basic("keeper", made.secret), bearer(made.secret))):
        assert world.client.repository("acme/public").manifest("GET", "v1", headers=header).status_code == 200
        answers = [world.client.repository(name).manifest("GET", "v1", headers=header) for name in (PRIVATE, ABSENT)]
        assert [answer.status_code for answer in answers] == [403, 403]
        assert answers[0].text == answers[1].text.replace(ABSENT, PRIVATE)


def test_somebody_elses_name_beside_a_right_secret_is_wrong(world):
    """K41 of the corpus."""
    token, key = world.tokens["reader"].secret, world.keys["reader"]
    wrong = [
        basic("writer", token),
        basic("", token),
        basic("reader", key.secret),
        basic(world.keys["writer"].public_id, key.secret),
        basic("reader", token[:-1] + ("A" if token[-1] != "A" else "B")),
        bearer(key.secret),
    ]
    for header in wrong:
        answer = world.client.get("/v2/", headers=signed_in(header))
        refused(answer, 401, "UNAUTHORIZED")
        refused(world.ask(header=header), 401, "UNAUTHORIZED")


def test_headers_of_a_proxy_that_names_a_user_grant_nothing(world):
    """K47 of the corpus."""
    names = ("X-Forwarded-User", "X-WEBAUTH-USER", "X-Remote-User", "Remote-User")
    answer = world.client.repository(PRIVATE).manifest("GET", "v1", headers=dict.fromkeys(names, "ann"))
    assert answer.status_code == 401


def segment(content):
    written = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(written).decode().rstrip("=")


def tampered(token, jwk):
    """Tokens that somebody makes out of a right one and the published key; none of them is signed by the registry."""
    head, body, signature = token.split(".")
    header, claims = json.loads(base64.urlsafe_b64decode(head + "==")), claims_of(token)
    as_hmac = f"{segment(header | {'alg': 'HS256'})}.{body}"
    public = base64.urlsafe_b64decode(jwk["x"] + "==")
    for name, value in {
        "alg": "none",
        "kid": "unknown",
        "typ": "JWT",
        "crit": ["x"],
        "jku": "http://127.0.0.1:9/keys",
        "x5u": "http://127.0.0.1:9/keys",
        "jwk": jwk,
        "x5c": ["AAAA"],
    }.items():
        yield f"{name} in the header", f"{segment(header | {name: value})}.{body}.{signature}"
    yield "no signature", f"{segment(header | {'alg': 'none'})}.{body}."
    yield "HS256 of the public key", f"{as_hmac}.{segment(hmac.digest(public, as_hmac.encode(), 'sha256'))}"
    later = {"exp": claims["exp"] + 3600, "sub": str(int(claims["sub"]) + 1), "aud": [SERVICE], "access": []}
    for name, value in later.items():
        yield f"another {name}", f"{head}.{segment(claims | {name: value})}.{signature}"
    yield "another signature", f"{head}.{body}.{segment(bytes(64))}"
    yield "more behind it", f"{token}.{signature}.{signature}"
    yield "64 KiB", f"{head}.{segment(b'x' * 48_000)}.{signature}"


def test_a_token_with_one_thing_changed_opens_nothing(world):
    """K11 to K27 of the corpus."""
    token = world.ask("repository:acme/public:pull", header=basic("ann", PASSWORD)).json()["token"]
    (jwk,) = httpx.get(f"{world.server.url}/.well-known/jwks.json").json()["keys"]
    repository = world.client.repository("acme/public")
    assert repository.manifest("GET", "v1", headers=signed_in(bearer(token))).status_code == 200
    for what, other in tampered(token, jwk):
        answer = repository.manifest("GET", "v1", headers=signed_in(bearer(other)))
        assert answer.status_code in ({401} if what != "64 KiB" else {401, 431}), what
        assert answer.status_code != 401 or 'error="invalid_token"' in answer.headers["WWW-Authenticate"], what


# What one may not see


def answers_of(world, name, header):
    """Every route with its method and its path, and what it says, with the name and nothing else left out."""
    for route in ROUTES:
        if "{name}" not in route.path:
            continue
        reference = world.digests["private"] if "referrers" in route.path else layer(world, "private")
        path = route.path.format(name=name, digest=reference, upload="0" * 32, reference="v1")
        body = {"content": b"{}"} if route.method in {"PUT", "PATCH"} else {}
        answer = world.client.request(route.method, f"/v2/{path}", headers=signed_in(header), **body)
        told = {key: value.replace(name, "NAME") for key, value in answer.headers.items() if key not in NOT_SAID}
        yield route.method, route.path, answer.status_code, told, answer.text.replace(name, "NAME")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("role", ["nobody", "stranger"])
def test_a_stranger_cannot_tell_what_is_private_from_what_is_not_there(world, role, way):
    private, absent = (
        list(answers_of(world, name, world.show(way, role, f"repository:{name}:pull,push,delete")))
        for name in (PRIVATE, ABSENT)
    )
    assert private == absent
    assert {status for _, _, status, _, _ in private} == {401 if role == "nobody" else 403}


@pytest.mark.parametrize("role", ["nobody", "stranger"])
def test_the_token_endpoint_does_not_tell_either(world, role):
    header = None if role == "nobody" else basic(role, PASSWORD)
    tokens = [world.ask(f"repository:{name}:pull,push", header=header).json()["token"] for name in (PRIVATE, ABSENT)]
    assert [access_of(token) for token in tokens] == [{}, {}]
    assert len(tokens[0]) == len(tokens[1])


def test_a_public_repository_is_pulled_by_everybody_with_and_without_a_token(world):
    repository = world.client.repository("acme/public")
    token = world.ask("repository:acme/public:pull").json()["token"]
    for header in (None, bearer(token)):
        got = repository.manifest("GET", "v1", headers=signed_in(header))
        assert got.headers["Docker-Content-Digest"] == world.digests["public"]
        assert repository.blob("GET", layer(world, "public"), headers=signed_in(header)).status_code == 200
    assert claims_of(token)["sub"] == ""
    assert world.client.get("/v2/", headers=signed_in(bearer(token))).status_code == 401
    wrong = repository.manifest("GET", "v1", headers=signed_in(basic("ann", "wrong")))
    assert wrong.status_code == 401, "whoever meant to sign in is not taken for nobody"


def test_the_catalog_shows_what_one_may_pull(world):
    def seen(header):
        names = world.client.get("/v2/_catalog?n=1000", headers=signed_in(header)).json()["repositories"]
        return {name for name in names if name in {f"acme/{one}" for one in VISIBILITIES}}

    assert seen(None) == {"acme/public"}
    for way in WAYS:
        assert seen(world.show(way, "stranger", "registry:catalog:*")) == {"acme/public", "acme/internal"}, way
        assert seen(world.show(way, "reader", "registry:catalog:*")) == {f"acme/{one}" for one in VISIBILITIES}, way


@pytest.mark.parametrize("way", WAYS)
def test_a_layer_is_mounted_and_linked_only_from_what_the_pusher_may_pull(world, way):
    own = f"stranger/{way.replace(' ', '-')}"
    scopes = " ".join([f"repository:{own}:pull,push", f"repository:{PRIVATE}:pull", "repository:acme/public:pull"])
    header = signed_in(world.show(way, "stranger", scopes))
    repository = world.client.repository(own)
    config = b'{"way": "%s"}' % way.encode()

    def mount(visibility, **source):
        return repository.request(
            "POST", "blobs/uploads/", params={"mount": layer(world, visibility), **source}, headers=header
        )

    assert mount("private", **{"from": PRIVATE}).status_code == 202
    assert mount("private").status_code == 202
    assert repository.blob("HEAD", layer(world, "private"), headers=header).status_code == 404
    for visibility in ("private", "public"):
        assert repository.blob("GET", layer(world, visibility), headers=header).status_code == 404
    digest = repository.request(
        "POST", "blobs/uploads/", params={"digest": digest_of(config)}, content=config, headers=header
    ).headers["Docker-Content-Digest"]
    stolen = image(
        {"mediaType": OCI_CONFIG, "digest": digest, "size": len(config)}, world.documents["private"]["layers"]
    )
    refused(repository.put("v1", stolen, headers=header), 404, "MANIFEST_BLOB_UNKNOWN")
    assert mount("public", **{"from": "acme/public"}).status_code == 201
    assert repository.blob("GET", layer(world, "public"), headers=header).status_code == 200
    allowed = image(
        {"mediaType": OCI_CONFIG, "digest": digest, "size": len(config)}, world.documents["public"]["layers"]
    )
    assert repository.put("v1", allowed, headers=header).status_code == 201


def test_a_head_links_a_layer_that_the_pusher_may_pull(world):
    repository = world.client.repository("stranger/linked")
    header = signed_in(basic("stranger", PASSWORD))
    repository.request("POST", "blobs/uploads/", headers=header)
    assert repository.blob("HEAD", layer(world, "internal"), headers=header).status_code == 200
    assert repository.blob("HEAD", layer(world, "private"), headers=header).status_code == 404
    unlinked = world.client.repository("acme/public")  # she may pull there, and push nothing
    assert unlinked.blob("HEAD", layer(world, "internal"), headers=header).status_code == 404


# What is made, taken away, and made again


@pytest.mark.parametrize("way", WAYS)
def test_a_push_makes_a_repository_in_ones_own_namespace_with_one_token_for_all_of_it(world, way):
    name = f"writer/new-{way.replace(' ', '-')}"
    header = world.show(way, "writer", f"repository:{name}:pull,push")
    with Client.of(world.server.url) as client:
        client.http.headers["Authorization"] = header
        repository = client.repository(name)
        digest = repository.push(Material(f"new/{way}").image(repository), "v1")
        assert repository.manifest("GET", "v1").headers["Docker-Content-Digest"] == digest
        assert repository.tags() == ["v1"]
    answer = world.client.repository(name).manifest("GET", "v1", headers=signed_in(basic("reader", PASSWORD)))
    assert answer.status_code == 403, "new repositories are private"


@pytest.mark.parametrize("name", ["acme/new", "writer/new", "alone", "nobody-has-this/new"])
def test_elsewhere_the_refusal_says_what_is_missing(world, name):
    for way in WAYS:
        header = signed_in(world.show(way, "stranger", f"repository:{name}:pull,push"))
        answer = world.client.repository(name).request("POST", "blobs/uploads/", headers=header)
        message = refused(answer, 403, "DENIED")
        assert f"You may not push {name}" in message
        assert "you need the role write on the repository, or, to create it, on its namespace" in message
    assert world.office.rows("SELECT id FROM repositories WHERE name = :n", n=name) == []


def test_a_token_does_not_open_what_got_the_name_later(world):
    """K21 of the corpus."""
    name = "acme/again"
    with world.person("ann") as ann:
        repository = ann.repository(name)
        repository.push(Material("again/first").image(repository), "v1")
        world.office.give("reader", "read", repository=name)
        scope = f"repository:{name}:pull"
        old = {one: world.ask(scope, header=basic(one, PASSWORD)).json()["token"] for one in ("reader", "ann")}
        there = world.client.repository(name)
        assert all(
            there.manifest("GET", "v1", headers=signed_in(bearer(token))).status_code == 200 for token in old.values()
        )
        world.office.delete_repository(name)
        free = {one: world.ask(scope, header=basic(one, PASSWORD)).json()["token"] for one in ("reader", "ann")}
        assert access_of(free["reader"]) == {}
        repository.push(Material("again/second").image(repository), "v1")
        world.office.give("reader", "read", repository=name)
        for token in (*old.values(), free["reader"]):
            answer = there.manifest("GET", "v1", headers=signed_in(bearer(token)))
            assert answer.status_code == 401, answer.text
            assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
        for header in (bearer(free["ann"]), bearer(world.ask(scope, header=basic("reader", PASSWORD)).json()["token"])):
            assert there.manifest("GET", "v1", headers=signed_in(header)).status_code == 200


def test_a_suspended_account_is_out_at_the_next_request_however_it_signed_in(world):
    """K29 of the corpus."""
    world.add("leaver")
    world.office.give("leaver", "read", repository=PRIVATE)
    headers = [signed_in(world.show(way, "leaver", f"repository:{PRIVATE}:pull")) for way in WAYS]

    def statuses():
        repository = world.client.repository(PRIVATE)
        return {repository.manifest("GET", "v1", headers=header).status_code for header in headers}

    assert statuses() == {200}
    world.office.suspend("leaver")
    assert statuses() == {401}
    refused(world.ask(header=basic("leaver", PASSWORD)), 401, "UNAUTHORIZED")
    world.office.resume("leaver")
    assert statuses() == {200}


def test_a_registry_token_ends_with_what_was_shown_for_it(world):
    made = world.office.token("reader")
    shown = basic("reader", made.secret)
    token = world.ask(f"repository:{PRIVATE}:pull", header=shown).json()["token"]
    offline = world.ask(header=shown, offline_token="true").json()["refresh_token"]
    form = {"grant_type": "refresh_token", "refresh_token": offline, "scope": f"repository:{PRIVATE}:pull"}
    later = world.post(**form).json()["access_token"]
    repository = world.client.repository(PRIVATE)
    for one in (token, later):
        assert repository.manifest("GET", "v1", headers=signed_in(bearer(one))).status_code == 200
    world.office.revoke("reader", made)
    for one in (token, later):
        answer = repository.manifest("GET", "v1", headers=signed_in(bearer(one)))
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    refused(world.post(**form), 401, "UNAUTHORIZED")


def test_a_role_that_is_given_counts_for_tokens_that_are_out_already(world):
    world.add("newcomer")
    header = signed_in(bearer(world.tokens["newcomer"].secret))
    repository = world.client.repository(PRIVATE)
    assert repository.manifest("GET", "v1", headers=header).status_code == 403
    world.office.give("newcomer", "read", repository=PRIVATE)
    assert repository.manifest("GET", "v1", headers=header).status_code == 200


def test_who_may_delete_deletes_without_a_setting(world):
    with world.person("ann") as ann:
        repository = ann.repository("ann/short-lived")
        document = Material("short-lived").image(repository)
        digest = repository.push(document, "v1")
        assert repository.manifest("DELETE", digest).status_code == 202
        assert repository.blob("DELETE", document["layers"][0]["digest"]).status_code == 202
        assert repository.tags() == []


def test_the_first_account_ends_open_mode_in_every_process(start):
    server = start("sqlite", workers=2, deletion=None)
    unkept = httpx.Limits(max_keepalive_connections=0)
    with Client.of(server.url) as client:
        digest = client.repository("early/app").push(Material("early").image(client.repository("early/app")), "v1")
        refused(client.repository("early/app").manifest("DELETE", digest), 405, "UNSUPPORTED")
        refused(client.get("/token"), 404, "UNSUPPORTED")
    with Office(server.environment) as office, httpx.Client(base_url=server.url, limits=unkept) as http:
        office.user("ann", PASSWORD)
        assert {http.get("/v2/early/app/tags/list").status_code for _ in range(20)} == {401}
        assert {http.get("/v2/", auth=("ann", PASSWORD)).status_code for _ in range(20)} == {200}
        office.give("ann", "admin")
        header = {"Authorization": basic("ann", PASSWORD)}
        tokens = [http.get("/token?scope=repository:early/app:pull", headers=header).json()["token"] for _ in range(10)]
        for token in tokens:  # each worker takes what the other one signed
            statuses = {http.get("/v2/early/app/tags/list", headers=signed_in(bearer(token))).status_code for _ in "ab"}
            assert statuses == {200}
        assert http.delete(f"/v2/early/app/manifests/{digest}", headers=header).status_code == 202


@pytest.mark.parametrize(
    ("settings", "headers", "path", "realm"),
    [
        ({"HTTP_HOST": "https://registry.example"}, {}, "/v2/", "https://registry.example/token"),
        ({"HTTP_PREFIX": "/hub/"}, {"Host": "registry.example"}, "/hub/v2/", "http://registry.example/hub/token"),
        (
            {"HTTP_TRUSTEDPROXIES": "[127.0.0.1]"},
            {"Host": "registry.example:8443", "X-Forwarded-Proto": "https"},
            "/v2/",
            "https://registry.example:8443/token",
        ),
        (
            {"HTTP_TRUSTEDPROXIES": "[192.0.2.1]"},
            {"Host": "registry.example", "X-Forwarded-Proto": "https"},
            "/v2/",
            "http://registry.example/token",
        ),
    ],
    ids=["http.host", "http.prefix", "behind a proxy", "a proxy that nobody listed"],
)
def test_the_token_endpoint_is_named_as_the_client_reaches_it(start, settings, headers, path, realm):
    server = start("sqlite", more={f"REGISTRY_{name}": value for name, value in settings.items()})
    with Office(server.environment) as office, httpx.Client(base_url=server.url) as http:
        office.user("ann", PASSWORD)
        challenge = http.get(path, headers=headers).headers["WWW-Authenticate"]
        assert challenge == f'Bearer realm="{realm}",service="{SERVICE}"'
        below = realm.partition("//")[2].partition("/")[2]
        token = http.get(f"/{below}", headers=headers | {"Authorization": basic("ann", PASSWORD)}).json()["token"]
        assert http.get(path, headers=headers | {"Authorization": bearer(token)}).status_code == 200


def test_without_a_secret_for_all_nodes_there_are_no_tokens_and_passwords_still_count(start):
    server = start("postgresql")
    with Office(server.environment) as office, httpx.Client(base_url=server.url) as http:
        office.user("ann", PASSWORD)
        assert http.get("/v2/", auth=("ann", PASSWORD)).status_code == 200
        answer = http.get("/token", auth=("ann", PASSWORD))
        assert answer.status_code == 503
        assert answer.json()["errors"] == [
            {"code": "UNAVAILABLE", "message": "The registry cannot give tokens now; its log says why."}
        ]
    wait_until(lambda: "accounts need http.secret" in server.log, why="the log does not say what to do")


def test_no_secret_is_in_the_log_nor_in_an_answer(world):
    world.add("careful")
    made = [*world.tokens.values(), *world.keys.values()]
    shown = [world.show(way, "careful", "repository:acme/public:pull") for way in WAYS]
    offline = world.ask(header=basic("careful", PASSWORD), offline_token="true").json()["refresh_token"]
    wrong = [basic("careful", "canary-wrong"), bearer("canary-no-token"), basic("zoe", "canary-unknown")]
    secrets = {PASSWORD, SECRET, offline, "canary", *(one.secret for one in made)}
    secrets |= {header.partition(" ")[2] for header in (*shown, *wrong)}
    answers = []
    for header, path in itertools.product([*shown, *wrong], ["/v2/", f"/v2/{PRIVATE}/tags/list", "/"]):
        answers.append(httpx.get(world.server.url + path, headers=signed_in(header)).text)
    answers.extend(world.ask("repository:acme/public:pull", header=header).text for header in wrong)
    answers.append(world.post(grant_type="password", username="careful", password="canary-wrong").text)
    answers.append(httpx.get(f"{world.server.url}/metrics").text)
    answers.append(httpx.get(f"{world.server.url}/livez?the-end").text)
    wait_until(lambda: "/livez" in world.server.log, why="nothing is in the log")
    for text in (world.server.log, *answers):
        assert not [secret for secret in secrets if secret in text]
