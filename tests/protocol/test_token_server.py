# SPDX-License-Identifier: Apache-2.0
"""Sign-in by another server's tokens (`auth.token`): what is asked for, which tokens count, and how long.

Of the corpus this covers group K as far as it is about tokens of another server: K01 to K07, K11 to K27, K47.
"""

import base64
import hashlib
import json
import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.protocol.client import Client, codes, refused
from tests.protocol.content import Material
from tests.support.commands import wait_until
from tests.support.images import digest_of
from tests.support.token_server import SERVICE, Key, TokenServer, claims_of
from wharfinger.distribution_api.routes import ROUTES

THERE, ABSENT = "team/there", "team/blank"
PASSWORD = "canary-of-a-password"
BELOW_A_NAME = [route for route in ROUTES if route.path.startswith("{name}")]
VISITS = [route for route in ROUTES if route.path in {"", "_oci/ext/discover"}]
RESTRICTED = [route for route in ROUTES if route not in VISITS]
every_route = pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
every_restricted_route = pytest.mark.parametrize("route", RESTRICTED, ids=lambda route: f"{route.method} {route.path}")
every_route_below_a_name = pytest.mark.parametrize(
    "route", BELOW_A_NAME, ids=lambda route: f"{route.method} {route.path}"
)


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    everything = {f"repository:{THERE}": "pull,push,delete", "registry:catalog": "*"}
    with TokenServer(tmp_path_factory.mktemp("tokens"), {"alice": PASSWORD}, {"alice": everything}) as server:
        yield server


@pytest.fixture(scope="module")
def server(start, tokens):
    return start("sqlite", more=tokens.settings)


@pytest.fixture(scope="module")
def ask(server):
    """Send one request with a token, or with nothing."""
    with Client.of(server.url) as client:

        def send(method, path, token=None, **options):
            headers = options.pop("headers", {}) | ({"Authorization": f"Bearer {token}"} if token else {})
            return client.request(method, path, headers=headers, **options)

        yield send


@pytest.fixture(scope="module")
def parts(server, tokens):
    """What the existing repository has, by the name that it has in the paths of routes."""
    with Client.of(server.url) as client:
        client.http.headers["Authorization"] = f"Bearer {tokens.token(f'repository:{THERE}:pull,push')}"
        repository, material = client.repository(THERE), Material("token server")
        manifest = repository.push(material.image(repository), "v1")
        blob = repository.push_blob(material.bytes("blob"))
        upload = repository.location().rpartition("/")[2]
    return {"blob": blob, "manifest": manifest, "upload": upload}


def path_of(route, name, parts):
    digest = parts["manifest" if "referrers" in route.path else "blob"]
    return "/v2/" + route.path.format(name=name, digest=digest, reference="v1", upload=parts["upload"])


def scope_of(route, name):
    """The scope that the token specification has for a request."""
    if route.path == "_catalog":
        return "registry:catalog:*"
    if not route.path.startswith("{name}"):
        return None
    if "uploads" in route.path or route.method in {"POST", "PUT", "PATCH"}:
        return f"repository:{name}:pull,push"
    return f"repository:{name}:{'delete' if route.method == 'DELETE' else 'pull'}"


def assert_challenged(response, tokens, scope=None, error=None):
    """Assert a 401 whose challenge is exactly this; clients read it by simple means."""
    expected = f'Bearer realm="{tokens.realm}",service="{SERVICE}"'
    expected += f',scope="{scope}"' if scope else ""
    expected += f',error="{error}"' if error else ""
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == expected
    assert response.request.method == "HEAD" or codes(response) == ["UNAUTHORIZED"]


@every_route
def test_without_a_token_clients_are_sent_to_the_token_server(ask, tokens, parts, route):
    response = ask(route.method, path_of(route, THERE, parts))
    assert_challenged(response, tokens, scope_of(route, THERE))


@every_restricted_route
def test_token_that_does_not_name_it_is_too_narrow(ask, tokens, parts, route):
    token = tokens.token("repository:team/other:pull,push,delete", f"repository:{THERE}/sub:pull,push,delete")
    response = ask(route.method, path_of(route, THERE, parts), token)
    assert_challenged(response, tokens, scope_of(route, THERE), "insufficient_scope")


@every_restricted_route
def test_token_with_every_other_action_is_too_narrow(ask, tokens, parts, route):
    if route.path == "_catalog":
        access = ["repository:catalog:pull,push,delete", "registry:other:pull", "registry:catalog:pull,push,delete"]
    else:
        needed = scope_of(route, THERE).rpartition(":")[2].rpartition(",")[2]
        others = ",".join(sorted({"pull", "push", "delete"} - {needed}))
        access = [f"repository:{THERE}:{others}", "registry:catalog:*"]
    response = ask(route.method, path_of(route, THERE, parts), tokens.token(*access))
    assert_challenged(response, tokens, scope_of(route, THERE), "insufficient_scope")


@every_route
def test_expired_token_is_invalid_and_never_nobody(ask, tokens, parts, route):
    long_ago = int(time.time()) - 3600
    token = tokens.token(scope_of(route, THERE) or "registry:catalog:*", exp=long_ago, nbf=long_ago - 60)
    response = ask(route.method, path_of(route, THERE, parts), token)
    assert_challenged(response, tokens, scope_of(route, THERE), "invalid_token")


@every_route_below_a_name
def test_existing_and_absent_names_are_answered_alike(ask, tokens, parts, route):
    narrow, expired = tokens.token("repository:team/other:pull,push,delete"), tokens.token(exp=1)

    def seen(name, token):
        response = ask(route.method, path_of(route, name, parts), token)
        headers = [(key, value) for key, value in response.headers.items() if key not in {"x-request-id", "date"}]
        return response.status_code, str(headers).replace(name, "NAME"), response.text.replace(name, "NAME")

    for token in (None, narrow, expired):
        assert seen(THERE, token) == seen(ABSENT, token)


@every_route_below_a_name
@pytest.mark.parametrize("name", ["Team/There", "team//there", "team/there-", "team/%74here", "t" * 300])
def test_malformed_names_are_told_before_anybody_is_asked_who_they_are(ask, parts, route, name):
    for token in (None, "not.a.token"):
        response = ask(route.method, path_of(route, name, parts), token)
        assert response.status_code == 400
        assert "WWW-Authenticate" not in response.headers
        assert route.method == "HEAD" or codes(response) == ["NAME_INVALID"]


@pytest.mark.parametrize("route", VISITS, ids=lambda route: f"{route.method} {route.path}")
def test_every_valid_token_may_visit(ask, tokens, parts, route):
    assert ask(route.method, path_of(route, THERE, parts), tokens.token()).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        f"Basic {base64.b64encode(f'alice:{PASSWORD}'.encode()).decode()}",
        "Basic !!!",
        "Bearer",
        "Bearer two words",
        "Digest username=alice",
        "",
    ],
    ids=["password", "damaged", "no-token", "two-words", "digest", "empty"],
)
def test_what_is_no_token_is_refused_and_never_nobody(ask, tokens, header):
    for path in ("/v2/", f"/v2/{THERE}/tags/list"):
        scope = None if path == "/v2/" else f"repository:{THERE}:pull"
        assert_challenged(ask("GET", path, headers={"Authorization": header}), tokens, scope, "invalid_token")


def test_two_authorization_headers_are_400(server, tokens):
    valid = ("Authorization", f"Bearer {tokens.token(f'repository:{THERE}:pull')}")
    with Client.of(server.url) as client:
        response = client.get(f"/v2/{THERE}/tags/list", headers=[valid, ("Authorization", "Bearer x.y.z")])
    assert response.status_code == 400


@pytest.mark.parametrize("name", ["X-Forwarded-User", "X-WEBAUTH-USER", "X-Remote-User", "Remote-User"])
def test_name_that_a_header_claims_is_nobody(ask, tokens, name):
    response = ask("GET", f"/v2/{THERE}/tags/list", headers={name: "alice"})
    assert_challenged(response, tokens, f"repository:{THERE}:pull")


# --- which tokens count ----------------------------------------------------------------------------------------------

ACCESS = f"repository:{THERE}:pull"


def _resigned(tokens, change):
    """A valid token whose claims were changed afterwards, so that they no longer fit the signature."""
    header, claims, signature = tokens.token(ACCESS).split(".")
    document = json.loads(base64.urlsafe_b64decode(claims + "==")) | change
    changed = base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()
    return f"{header}.{changed}.{signature}"


def _by_secret(tokens):
    """A token signed with our public key as if it were a shared secret."""
    public = base64.urlsafe_b64decode(tokens.key.jwk["x"] + "=")
    return jwt.encode(claims_of(ACCESS), public, "HS256", headers={"kid": tokens.key.kid})


INVALID = {
    "noise": lambda _: "noise",
    "three parts of noise": lambda _: "a.b.c",
    "changed user": lambda tokens: _resigned(tokens, {"sub": "root"}),
    "changed end": lambda tokens: _resigned(tokens, {"exp": int(time.time()) + 9999}),
    "changed audience": lambda tokens: _resigned(tokens, {"aud": [SERVICE, "another"]}),
    "changed id": lambda tokens: _resigned(tokens, {"jti": "another"}),
    "wider": lambda tokens: _resigned(tokens, {"access": claims_of(ACCESS, f"repository:{THERE}:push")["access"]}),
    "signature cut": lambda tokens: tokens.token(ACCESS)[:-4],
    "no signature": lambda tokens: tokens.token(ACCESS).rpartition(".")[0] + ".",
    "none": lambda tokens: jwt.encode(claims_of(ACCESS), None, "none", headers={"kid": tokens.key.kid}),
    "shared secret": _by_secret,
    "another key": lambda tokens: Key(kid=tokens.key.kid).sign(claims_of(ACCESS)),
    "unknown key": lambda _: Key().sign(claims_of(ACCESS)),
    "key in the header": lambda _: (key := Key()).sign(claims_of(ACCESS), jwk=key.jwk),
    "key behind an address": lambda tokens: tokens.key.sign(claims_of(ACCESS), jku=tokens.realm),
    "certificates behind an address": lambda tokens: tokens.key.sign(claims_of(ACCESS), x5u=tokens.realm),
    "made-up certificates": lambda tokens: tokens.key.sign(claims_of(ACCESS), x5c=["AAAA"]),
    "critical extension": lambda tokens: tokens.key.sign(claims_of(ACCESS), crit=["x"], x=1),
    "another issuer": lambda tokens: tokens.token(ACCESS, iss="tokens.elsewhere"),
    "another service": lambda tokens: tokens.token(ACCESS, aud="registry.elsewhere"),
    "no service": lambda tokens: tokens.token(ACCESS, aud=None),
    "expired": lambda tokens: tokens.token(ACCESS, exp=int(time.time()) - 120),
    "endless": lambda tokens: tokens.token(ACCESS, exp=None),
    "end as text": lambda tokens: tokens.token(ACCESS, exp="2099-01-01"),
    "not yet": lambda tokens: tokens.token(ACCESS, nbf=int(time.time()) + 120),
    "half a wildcard": lambda tokens: tokens.token(f"repository:{THERE}:pull*"),
    "access that is no list": lambda tokens: tokens.token(access={"type": "repository", "name": THERE}),
    "too long": lambda tokens: tokens.token(ACCESS, more="x" * 9000),
}


@pytest.mark.parametrize("make", INVALID.values(), ids=INVALID)
@pytest.mark.parametrize("path", ["", f"{THERE}/tags/list"], ids=["visit", "pull"])
def test_token_that_is_not_valid_opens_nothing(ask, tokens, parts, path, make):
    assert parts
    response = ask("GET", f"/v2/{path}", make(tokens))
    assert_challenged(response, tokens, ACCESS if path else None, "invalid_token")
    assert ask("GET", f"/v2/{path}", tokens.token(ACCESS)).status_code == 200


@pytest.mark.parametrize(
    "more",
    [
        {"aud": ["another", SERVICE]},
        {"nbf": None, "iat": None, "jti": None},
        {"sub": ""},
        {"sub": None},
        {"exp": int(time.time()) - 5},
    ],
    ids=["audiences", "no-times", "nobody", "no-subject", "clocks-differ"],
)
def test_tokens_as_servers_in_use_write_them_are_taken(ask, tokens, parts, more):
    assert parts
    more = more | ({"exp": int(time.time()) - 5} if "exp" in more else {})
    assert ask("GET", f"/v2/{THERE}/tags/list", tokens.token(ACCESS, **more)).json()["tags"] == ["v1"]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_scheme_is_read_in_any_case(ask, tokens, scheme):
    headers = {"Authorization": f"{scheme} {tokens.token()}"}
    assert ask("GET", "/v2/", headers=headers).status_code == 200


def test_entries_for_one_name_add_up(ask, tokens, parts):
    assert parts
    token = tokens.token(f"repository:{THERE}:delete", f"repository:{THERE}:pull", "unknown:thing:do")
    assert ask("GET", f"/v2/{THERE}/tags/list", token).status_code == 200
    refused(ask("POST", f"/v2/{THERE}/blobs/uploads/", token), 401, "UNAUTHORIZED")


def test_a_star_stands_for_every_action_on_its_repository_and_for_nothing_else(ask, tokens, parts):
    assert parts
    mine = tokens.token("repository:team/starred:*")
    with_star = Material("star").bytes("layer")
    started = ask("POST", f"/v2/team/starred/blobs/uploads/?digest={digest_of(with_star)}", mine, content=with_star)
    assert started.status_code == 201
    assert ask("GET", f"/v2/team/starred/blobs/{digest_of(with_star)}", mine).content == with_star
    assert ask("DELETE", f"/v2/team/starred/blobs/{digest_of(with_star)}", mine).status_code == 202
    for method, path in (("GET", f"{THERE}/tags/list"), ("POST", f"{THERE}/blobs/uploads/"), ("GET", "_catalog")):
        refused(ask(method, f"/v2/{path}", mine), 401, "UNAUTHORIZED")


# --- the catalog -----------------------------------------------------------------------------------------------------


def test_token_for_the_catalog_lists_every_repository(ask, tokens, parts):
    assert parts
    response = ask("GET", "/v2/_catalog", tokens.token("registry:catalog:*"))
    assert THERE in response.json()["repositories"]


def test_token_for_the_catalog_opens_no_repository_of_that_name(ask, tokens):
    mine, other = tokens.token("repository:catalog:pull,push"), tokens.token("registry:catalog:*")
    assert ask("POST", "/v2/catalog/blobs/uploads/", mine).status_code == 202
    for method, path in (("GET", "tags/list"), ("POST", "blobs/uploads/"), ("DELETE", "manifests/v1")):
        refused(ask(method, f"/v2/catalog/{path}", other), 401, "UNAUTHORIZED")


# --- where tokens come from ------------------------------------------------------------------------------------------


def test_challenge_followed_word_by_word_leads_to_a_push(ask, tokens, server):
    content = Material("challenge").bytes("layer")
    with Client.of(server.url) as client:
        challenge = client.repository(THERE).start().headers["WWW-Authenticate"]
        said = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        query = {"service": said["service"], "scope": said["scope"]}
        given = httpx.get(said["realm"], params=query, auth=("alice", PASSWORD), trust_env=False)
        client.http.headers["Authorization"] = f"Bearer {given.json()['token']}"
        digest = client.repository(THERE).push_blob(content)
    assert ask("GET", f"/v2/{THERE}/blobs/{digest}", tokens.token(ACCESS)).content == content


@pytest.mark.parametrize(
    ("headers", "realm"),
    [
        ({}, "http://{host}/auth/token"),
        ({"Host": "registry.example"}, "http://registry.example/auth/token"),
        (
            {"Host": "registry.example:8443", "X-Forwarded-Proto": "https"},
            "https://registry.example:8443/auth/token",
        ),
    ],
    ids=["direct", "name", "behind-a-proxy"],
)
def test_autoredirect_names_the_token_endpoint_beside_the_registry(redirecting, headers, realm):
    with httpx.Client(base_url=redirecting.url, trust_env=False) as http:
        response = http.get("/v2/team/app/tags/list", headers=headers)
    expected = f'Bearer realm="{realm.format(host=redirecting.host)}",service="{SERVICE}"'
    assert response.headers["WWW-Authenticate"] == f'{expected},scope="repository:team/app:pull"'


@pytest.fixture(scope="module")
def redirecting(start, tokens):
    return start("sqlite", more=tokens.settings | {"REGISTRY_AUTH_TOKEN_AUTOREDIRECT": "true"})


def test_the_path_that_autoredirect_names_is_a_setting(start, tokens):
    more = {"REGISTRY_AUTH_TOKEN_AUTOREDIRECT": "true", "REGISTRY_AUTH_TOKEN_AUTOREDIRECTPATH": "/hub/v1/token"}
    server = start("sqlite", more=tokens.settings | more)
    with httpx.Client(base_url=server.url, trust_env=False) as http:
        challenge = http.get("/v2/").headers["WWW-Authenticate"]
    assert challenge == f'Bearer realm="http://{server.host}/hub/v1/token",service="{SERVICE}"'


# --- keys ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def own_tokens(tmp_path):
    with TokenServer(tmp_path) as server:
        yield server


@pytest.fixture
def status_of(start, own_tokens):
    """Return the status that a token gets from a registry of the test's own."""
    server = start("sqlite", more=own_tokens.settings)
    with httpx.Client(base_url=server.url, trust_env=False) as http:

        def status(token):
            return http.get("/v2/", headers={"Authorization": f"Bearer {token}"}).status_code

        status.server = server
        yield status


def test_replaced_key_ends_old_tokens_and_starts_new_ones_without_a_restart(own_tokens, status_of):
    old = own_tokens.token()
    assert status_of(old) == 200
    own_tokens.replace_key(Key.rsa())
    new = own_tokens.token()
    wait_until(lambda: status_of(new) == 200, why="the new key is not taken")
    assert status_of(old) == 401


def test_damaged_or_missing_key_set_leaves_the_keys_before_it_in_force(own_tokens, status_of):
    token, server = own_tokens.token(), status_of.server
    damages = ["", "{", '{"keys": []}', '{"keys": [{"kty": "oct", "k": "AAAA"}]}', None]
    for count, damage in enumerate(damages, start=1):
        if damage is None:
            own_tokens.jwks.unlink()
        else:
            own_tokens.write_keys(damage)

        def has_been_seen(count=count):
            assert status_of(token) == 200
            return server.log.count("what it said before stays in force") >= count

        wait_until(has_been_seen, why=f"{damage!r} is not told")
    assert status_of(Key().sign(claims_of())) == 401
    own_tokens.replace_key(Key())
    wait_until(lambda: status_of(own_tokens.token()) == 200, why="the repaired file is not read")
    assert status_of(token) == 401


def test_all_keys_of_a_set_count(own_tokens, status_of):
    first, second = own_tokens.key, Key.rsa()
    own_tokens.write_keys(json.dumps({"keys": [first.jwk, second.jwk]}))
    wait_until(lambda: status_of(second.sign(claims_of())) == 200, why="the second key is not taken")
    assert status_of(first.sign(claims_of())) == 200
    assert status_of(replace(second, kid=first.kid).sign(claims_of())) == 401


def test_certificates_say_whose_tokens_count(start, tokens, tmp_path):
    ours, theirs, others = Key.rsa(), Key.rsa(), Key.rsa()
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(_certificate(ours, ours).public_bytes(Encoding.PEM))
    settings = tokens.settings | {"REGISTRY_AUTH_TOKEN_ROOTCERTBUNDLE": str(bundle)}
    del settings["REGISTRY_AUTH_TOKEN_JWKS"]
    server = start("sqlite", more=settings)

    def status(key, **header):
        headers = {"Authorization": f"Bearer {key.sign(claims_of(), **header)}"}
        return httpx.get(f"{server.url}/v2/", headers=headers, trust_env=False).status_code

    def chain(issuer, key):
        return [base64.b64encode(_certificate(issuer, key).public_bytes(Encoding.DER)).decode()]

    assert status(ours, kid=_libtrust_id(ours)) == 200
    assert status(others, kid=_libtrust_id(ours)) == 401
    assert status(theirs, x5c=chain(ours, theirs)) == 200
    assert status(others, x5c=chain(ours, theirs)) == 401
    assert status(others, x5c=chain(others, others)) == 401


def _certificate(issuer, key):
    """A certificate for a key, by another one or by itself."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tokens" if issuer is key else "tokens below")])
    above = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tokens")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(above, name, key.private.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))
    builder = builder.add_extension(x509.BasicConstraints(ca=issuer is key, path_length=None), critical=True)
    return builder.sign(issuer.private, SHA256())


def _libtrust_id(key):
    """What distribution's own tools call a key: the beginning of its digest, in groups of four letters."""
    der = key.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    text = base64.b32encode(hashlib.sha256(der).digest()[:30]).decode()
    return ":".join(text[start : start + 4] for start in range(0, len(text), 4))


# --- what stays open, and what is never written down -----------------------------------------------------------------


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/debug/health"])
def test_probes_stay_open(server, path):
    assert httpx.get(server.url + path, trust_env=False).status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/token", "/auth/token", "/v2/token"])
def test_registry_gives_no_tokens_of_its_own(server, method, path):
    query = {"service": SERVICE, "scope": f"repository:{THERE}:pull", "grant_type": "password"}
    response = httpx.request(method, server.url + path, params=query, auth=("alice", PASSWORD), trust_env=False)
    assert response.status_code in {404, 405}
    assert '"token":' not in response.text


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_token_is_written_down_or_said_back(start, own_tokens, form):
    environment = {"REGISTRY_LOG_LEVEL": "debug", "REGISTRY_LOG_FORMATTER": form}
    server = start("sqlite", more=own_tokens.settings | environment)
    valid = own_tokens.token("repository:team/app:pull,push")
    shown = [
        f"Bearer {valid}",
        f"Bearer {own_tokens.token(exp=1)}",
        f"Bearer {valid[:-6]}canary",
        "Bearer canary-of-a-token",
        f"Basic {base64.b64encode(f'alice:{PASSWORD}'.encode()).decode()}",
        "Canary canary-of-a-scheme",
    ]
    with Client.of(server.url) as client:
        for header in shown:
            for method, path in (("GET", "/v2/"), ("POST", "/v2/team/app/blobs/uploads/"), ("GET", "/v2/_catalog")):
                answer = client.request(method, path, headers={"Authorization": header})
                assert not _secrets_in(f"{answer.headers}{answer.text}", shown)
        client.get("/v2/nowhere-at-all", headers={"Authorization": shown[0]})
    wait_until(lambda: "nowhere-at-all" in server.log, why="the last request is not logged")
    assert "a token was refused" in server.log
    assert not _secrets_in(server.log, shown)


def _secrets_in(text, shown):
    pieces = {PASSWORD, "canary"} | {
        piece for header in shown for piece in re.split(r"[ .]", header) if len(piece) > 20
    }
    return [piece for piece in pieces if piece in text]
