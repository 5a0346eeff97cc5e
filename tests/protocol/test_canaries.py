# SPDX-License-Identifier: Apache-2.0
"""Secrets in every field that a client can send, over a socket; afterwards nobody finds one of them anywhere.

Not in the log, at its most talkative level and in both forms, not in a metric, not in another answer than the one that
gave it, not in a column of any table, and not in any file below the registry's folder.
"""

import base64
import json
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import select

from tests.console.people import form_of
from tests.outbound.peers import Authority
from tests.protocol.client import Client
from tests.protocol.content import Material
from tests.protocol.test_accounts import SERVICE, basic, bearer
from tests.protocol.test_workloads import EXCHANGE, JWT
from tests.support.accounts import Office
from tests.support.issuer import AUDIENCE, Issuer, Key
from tests.support.openid_provider import SECRET as CLIENT_SECRET
from tests.support.openid_provider import OpenIdProvider
from tests.support.server import Server
from wharfinger.domain.access import Role
from wharfinger.domain.accounts import AccountName
from wharfinger.domain.grants import DEPLOYMENT, Place
from wharfinger.domain.identity import SYSTEM_ACTOR
from wharfinger.domain.trust import NewRule
from wharfinger.metadata.schema import metadata
from wharfinger.security import tokens
from wharfinger.security.tokens import TokenKind

HTTP_SECRET = "canary-http-secret-" + "h" * 32
PASSWORD = "canary right password"
NAME = "acme/app"
SCOPE = f"repository:{NAME}:pull,push"


@dataclass
class World:
    """A registry, whoever speaks to it, and everything that must not be seen again.

    Args:
        secrets: what it is by how it looks; of what is signed, the signature.
        answers: every answer, as one text, with what it was meant to give.
    """

    server: Server
    office: Office
    http: httpx.Client
    issuer: Issuer
    provider: OpenIdProvider
    secrets: dict = field(default_factory=dict)
    answers: list = field(default_factory=list)

    def plant(self, what, secret):
        """Note a secret, and the form it has in a header; return it."""
        self.secrets[secret.rpartition(".")[2] if secret.startswith("eyJ") else secret] = what
        return secret

    def basic(self, what, name, secret):
        header = basic(name, self.plant(what, secret))
        self.plant(f"{what}, in a header", header.partition(" ")[2])
        return header

    def ask(self, method, path, *, header=None, gives=(), browser=None, **options):
        """Send a request; remember the answer, and plant what it gives: fields of its JSON."""
        headers = {**options.pop("headers", {}), **({} if header is None else {"Authorization": header})}
        answer = (browser or self.http).request(method, path, headers=headers, **options)
        assert answer.status_code < 500, answer.text
        meant = {self.plant(f"{one} of {method} {path}", answer.json()[one]) for one in gives}
        for cookie in answer.headers.get_list("set-cookie"):
            value = cookie.partition(";")[0].partition("=")[2]
            if len(value) > 8:
                meant.add(self.plant(f"a cookie of {path}", value))
        self.answers.append(
            (f"{method} {path}", f"{answer.status_code} {answer.headers.multi_items()}\n", answer, meant)
        )
        return answer

    def api(self, method, path, header, **options):
        return self.ask(method, f"/api/v1{path}", header=header, **options)


@pytest.fixture(scope="module", params=[("sqlite", "text"), ("postgresql", "json")], ids="-".join)
def world(request, postgres, tmp_path_factory):
    database, form = request.param
    folder = tmp_path_factory.mktemp("canaries")
    authority = Authority(folder)
    url = postgres.database() if database == "postgresql" else None
    server = Server(folder / "server", database=url, deletion=None)
    with (
        OpenIdProvider(folder, f"http://{server.host}/sign-in/from/corp") as provider,
        Issuer(authority.context("127.0.0.1"), Key("k1", "ES256")) as issuer,
    ):
        provider.say(ann={}, eve={})
        server.environment |= {f"REGISTRY_{name}": value for name, value in provider.settings().items()} | {
            "REGISTRY_LOG_LEVEL": "debug",
            "REGISTRY_LOG_FORMATTER": form,
            "REGISTRY_HTTP_SECRET": HTTP_SECRET,
            "REGISTRY_OUTBOUND_ALLOW_1": "127.0.0.1",
            "REGISTRY_OUTBOUND_AUTHORITIES": str(authority.file),
        }
        with (
            server,
            Office(server.environment) as office,
            httpx.Client(base_url=server.url, timeout=60, trust_env=False) as http,
        ):
            made = World(server, office, http, issuer, provider)
            made.plant("http.secret", HTTP_SECRET)
            made.plant("a client secret", CLIENT_SECRET)
            office.user("root", made.plant("a password", PASSWORD))
            office._run(office.services.grants.give(AccountName("root"), DEPLOYMENT, Role.ADMIN, SYSTEM_ACTOR))
            office.organization("acme", "root")
            place = Place(registry_id=office.registry.id, namespace="acme")
            conditions = {"repository_owner": ("acme",)}
            rule = NewRule(
                name="ci", issuer=issuer.url, audience=AUDIENCE, role=Role.WRITE, conditions=conditions, place=place
            )
            office._run(office.services.trust.create(rule, SYSTEM_ACTOR))
            for plant in (passwords, tokens_and_keys, workloads, management, wrong_fields, console, single_sign_on):
                plant(made)
            yield made


def passwords(world):
    """Right and wrong, at `/v2/` and at `/token`, in headers and in forms."""
    right = world.basic("a password", "root", PASSWORD)
    with Client.of(world.server.url) as client:
        agent = f"script/1 {right} {bearer('canary-agent')}"
        client.http.headers.update({"Authorization": right, "User-Agent": agent})
        repository = client.repository(NAME)
        repository.push(Material("canaries").image(repository), "v1")
    world.plant("a bearer in a user agent", "canary-agent")
    wrong = world.basic("a wrong password", "root", "canary-wrong-password")
    swapped = basic(world.plant("a password as a name", "canary-password-as-name"), "root")
    world.plant("a password as a name, in a header", swapped.partition(" ")[2])
    for header in (right, wrong, swapped):
        world.ask("GET", "/v2/", header=header)
        answer = world.ask("GET", f"/token?scope={SCOPE}&offline_token=true&client_id=docker", header=header)
        if header == right:
            assert answer.status_code == 200
    for password in (PASSWORD, world.plant("a wrong password in a form", "canary-wrong-in-form")):
        form = {"grant_type": "password", "username": "root", "password": password, "service": SERVICE}
        gives = ("access_token", "refresh_token") if password == PASSWORD else ()
        world.ask("POST", "/token", data={**form, "access_type": "offline", "client_id": "laptop"}, gives=gives)
    world.ask("POST", "/token", data={**form, "password": [world.plant("twice", "canary-comes-twice"), "x"]})
    world.ask("POST", "/token", content="grant_type=password&password=" + world.plant("a broken form", "canary-broken"))


def tokens_and_keys(world):
    """Good, revoked, mistyped, in other fields than they belong to."""
    token, ended = world.office.token("root"), world.office.token("root")
    key = world.office.key("root")
    world.office.revoke("root", ended)
    mistyped = tokens.make(TokenKind.PERSONAL).text[:-1] + "_"
    pairs = (("root", token.secret), ("root", ended.secret), (key.public_id, key.secret), ("eve", token.secret))
    for name, secret in (*pairs, ("root", mistyped), ("root", tokens.make(TokenKind.REFRESH).text)):
        header = world.basic("a token", name, secret)
        agent = {"User-Agent": f"deploy.sh token={secret}", "Referer": f"https://ci.example.com/?t={secret}"}
        for one in (header, bearer(secret)):
            world.ask("GET", "/v2/", header=one, headers=agent)
            world.ask("PUT", f"/v2/{NAME}/manifests/v2", header=one, headers=agent, content="{}")
    good = basic("root", token.secret)
    gives = ("token", "refresh_token")
    given = world.ask(
        "GET", f"/token?scope={SCOPE}&offline_token=true&client_id={token.secret}", header=good, gives=gives
    ).json()
    registry_token, refresh = given["token"], given["refresh_token"]
    form = {"grant_type": "refresh_token", "refresh_token": refresh, "service": SERVICE, "scope": SCOPE}
    answer = world.ask("POST", "/token", data=form, gives=("access_token", "refresh_token"))
    assert answer.status_code == 200
    refused = {**form, "refresh_token": world.plant("no refresh token", tokens.make(TokenKind.REFRESH).text)}
    world.ask("POST", "/token", data=refused)
    head, body, signature = registry_token.split(".")
    changed = world.plant("a token that was changed", f"{head}.{body}.{signature[::-1]}")
    for one in (registry_token, changed):
        world.ask("GET", f"/v2/{NAME}/tags/list", header=bearer(one))
        world.ask("DELETE", f"/v2/{NAME}/manifests/sha256:{'0' * 64}", header=bearer(one))
        world.ask("GET", "/v2/_catalog", header=basic("root", one))
        world.ask("GET", f"/token?scope={SCOPE}", header=bearer(one))
    fresh = world.plant("a token in an address", tokens.make(TokenKind.PERSONAL).text)
    for path in (f"/v2/{fresh}/manifests/v1", f"/token?password={fresh}", f"/v2/_catalog?last={fresh}", f"/x/{fresh}"):
        world.ask("GET", path)
    world.ask("GET", "/v2/", headers={"X-Request-Id": fresh, "X-Forwarded-For": fresh, "Cookie": f"session={fresh}"})


def workloads(world):
    """Identity tokens that are believed and that are not, and what they were exchanged for."""
    form = {"grant_type": EXCHANGE, "subject_token_type": JWT}
    right, wrong = world.issuer.tokens.make(), world.issuer.tokens.make(aud="other")
    for token in (world.plant("an identity token", right), world.plant("an identity token", wrong)):
        for header in (bearer(token), world.basic("an identity token", "job", token)):
            world.ask("GET", "/v2/", header=header, headers={"User-Agent": f"job {token}"})
        gives = ("access_token",) if token == right else ()
        for more in ({}, {"scope": SCOPE}):
            answer = world.ask("POST", "/token", data={**form, **more, "subject_token": token}, gives=gives)
            assert answer.status_code == (200 if gives else 400)
    actor = world.plant("an actor's token", "canary-actor-token")
    world.ask("POST", "/token", data={**form, "subject_token": right, "actor_token": actor})


def management(world):
    """Passwords and credentials in JSON bodies: taken, wrong, and in fields that do not exist."""
    root = basic("root", PASSWORD)
    first, second = "canary first password", "canary second password"
    for password in (first, second):
        world.plant("a password in JSON", password)
    assert world.api("POST", "/users", root, json={"name": "bob", "password": first}).status_code == 201
    bob = world.basic("a password", "bob", first)
    wrong = {"current_password": world.plant("a wrong one", "canary-not-current"), "new_password": second}
    world.api("PUT", "/me/password", bob, json=wrong)
    new = {"name": "ci", "scopes": ["read:packages"]}
    for kind in ("token", "key"):
        path = "/accounts/bob/credentials"
        assert world.api("POST", path, bob, json={**new, "kind": kind}, gives=("secret",)).status_code == 201
    right = {"current_password": first, "new_password": second}
    assert world.api("PUT", "/me/password", bob, json=right).status_code == 204
    stray = world.plant("a field that does not exist", "canary-in-a-stray-field")
    for body in ({"name": "eva", "password": stray, "x": 1}, {"name": "eva", "password": [stray]}, [stray]):
        assert 400 <= world.api("POST", "/users", root, json=body).status_code < 500
    world.api("POST", "/users", root, content='{"name": "eva", "password": "' + stray)
    world.api("GET", "/events", bearer(world.plant("no token", "canary-no-token")))
    world.api("GET", "/events/export", root)
    world.api("GET", "/accounts/bob/credentials", root)


def wrong_fields(world):
    """A token where a person's words are expected."""
    root = basic("root", PASSWORD)
    world.api("GET", f"/users?n={world.plant('a parameter', tokens.make(TokenKind.PERSONAL).text)}", root)


def console(world):
    """The form of a browser: a right and a wrong password, the cookies, a form that is not its own."""
    with httpx.Client(base_url=world.server.url, timeout=60, trust_env=False) as browser:
        world.plant("a wrong password in the console", "canary-wrong-in-console")
        own = {"Sec-Fetch-Site": "same-origin", "User-Agent": f"Firefox {tokens.make(TokenKind.PERSONAL).text}"}
        world.plant("a token in a browser's name", own["User-Agent"].partition(" ")[2])
        for password in ("canary-wrong-in-console", PASSWORD):
            page = world.ask("GET", "/sign-in", browser=browser)
            fields = {**form_of(page.text, "/sign-in"), "name": "root", "password": password}
            answer = world.ask("POST", "/sign-in", browser=browser, data=fields, headers=own)
        assert answer.status_code == 303
        for path in ("/profile", "/", f"/repositories/{NAME}"):
            assert world.ask("GET", path, browser=browser).status_code == 200
        world.ask("POST", "/sign-out", browser=browser, data={"form_token": world.plant("no proof", "canary-no-proof")})


def single_sign_on(world):
    """Codes and states of a provider: used, used twice, and made up."""
    with httpx.Client(base_url=world.server.url, timeout=60, trust_env=False) as browser:
        gone = world.ask("GET", "/sign-in/with/corp", browser=browser)
        url = gone.headers["Location"]
        back = urlsplit(world.provider.answer(url, "ann"))
        query = dict(pair.partition("=")[::2] for pair in back.query.split("&"))
        world.plant("a code", query["code"])
        world.answers[-1][3].add(world.plant("a state", query["state"]))
        nonce = dict(pair.partition("=")[::2] for pair in urlsplit(url).query.split("&"))["nonce"]
        world.answers[-1][3].add(world.plant("a nonce", nonce))
        for name in ("code", "state"):
            made_up = world.plant(f"a {name} that was made up", f"canary-{name}-made-up")
            other = {**query, name: made_up}
            world.ask("GET", f"{back.path}?" + "&".join(f"{k}={v}" for k, v in other.items()))
        arrived = world.ask("GET", f"{back.path}?{back.query}", browser=browser)
        assert (arrived.status_code, arrived.headers["Location"]) == (303, "/"), arrived.text
        world.ask("GET", f"{back.path}?{back.query}", browser=browser)
        assert world.ask("GET", "/profile", browser=browser).status_code == 200


def found_in(world, text, *, meant=()):
    return [what for secret, what in world.secrets.items() if secret not in meant and secret in text]


def test_enough_was_planted_and_the_registry_took_part_in_it(world):
    assert len(world.secrets) > 50
    assert {answer.status_code // 100 for _, _, answer, _ in world.answers} == {2, 3, 4}
    actions = {row[0] for row in world.office.rows("SELECT action FROM events")}
    assert {"sign-in", "manifest.pushed", "credential.created", "session.begun", "identity.linked"} <= actions


def test_no_secret_is_in_the_log(world):
    log = world.server.log
    assert len(re.findall("/v2/", log)) > 30
    assert found_in(world, log) == []
    assert "eyJ" not in log


def test_no_secret_is_in_another_answer_than_the_one_that_gives_it(world):
    for what, head, answer, meant in world.answers:
        signatures = {one.rpartition(".")[2] for one in meant}
        assert found_in(world, head + answer.text, meant=meant | signatures | _shown_back(answer, world)) == [], what


def _shown_back(answer, world):
    """What stood in the address may stand in the sentence that says what is wrong with it."""
    return {secret for secret in world.secrets if secret in str(answer.request.url)}


def test_no_secret_is_in_a_metric(world):
    metrics = world.http.get("/metrics").text
    assert "wharfinger_http_request_duration_seconds" in metrics
    assert found_in(world, metrics) == []


def test_no_secret_is_in_any_column_of_any_table(world):
    rows = 0
    for table in metadata.sorted_tables:
        for row in world.office.rows(str(select(table))):
            rows += 1
            for column, value in zip(table.c.keys(), row, strict=True):
                text = bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else str(value)
                assert found_in(world, text) == [], f"{table.name}.{column}"
                assert not re.search(r"wh[psr]_[0-9A-Za-z]{36}", text), f"{table.name}.{column}"
    assert rows > 40


def test_no_secret_is_in_any_file_of_the_registry(world):
    files = [path for path in world.server.folder.rglob("*") if path.is_file()]
    assert len(files) >= 3
    for path in files:
        assert found_in(world, path.read_bytes().decode("latin-1")) == [], path


def test_what_is_looked_for_is_found_where_it_is(world):
    """The search itself: each secret in the forms in which a leak would show it."""
    for secret, what in world.secrets.items():
        assert found_in(world, json.dumps({"x": f"a {secret} b"})), what
    assert base64.b64encode(f"root:{PASSWORD}".encode()).decode() in world.secrets
