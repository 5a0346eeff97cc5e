# SPDX-License-Identifier: Apache-2.0
"""Trust rules in the console: made from a form, explained by a token or its claims, and ready to be copied."""

import json
import re
from html import unescape

import pytest
import yaml

from tests.console.people import HORSE, Browser, services_of, user
from tests.console.registry import Site
from tests.support.images import image
from wharfinger.console.workflows import Kind, kind_of, snippet
from wharfinger.domain.accounts import AccountName
from wharfinger.domain.forges import Code, Wish, github, gitlab, kubernetes
from wharfinger.domain.grants import DEPLOYMENT, Place, Role
from wharfinger.domain.identity import SYSTEM_ACTOR
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.trust import GITHUB, NewRule

CLUSTER = "https://kubernetes.default.svc.cluster.local"
PLACES = {
    "/accounts/ann/-/trust": {"ann", "max"},
    "/repositories/ann/app/-/trust": {"ann", "max"},
    "/registries/default/-/trust": {"max"},
}
FORMS = {
    "github": {"path": "acme/app", "role": "write", "refs": "refs/tags/v*", "tags": "v* 1.*"},
    "gitlab": {"path": "acme", "role": "write", "host": "git.example.com"},
    "kubernetes": {"issuer": CLUSTER, "pods": "prod", "service_account": "web", "role": "read"},
    "other": {"issuer": "https://ci.example.com", "conditions": "sub = builder\r\nref=a\r\nref=b\r\n", "role": "admin"},
}


@pytest.fixture
async def site(tmp_path):
    async with Site(tmp_path) as one:
        for name in ("ann", "eve", "max"):
            await user(one, name)
        await services_of(one).grants.give(AccountName("max"), DEPLOYMENT, Role.ADMIN, SYSTEM_ACTOR)
        await one.push("ann/app", image("trust"), "v1", auth=("ann", HORSE))
        yield one


@pytest.fixture
async def visit(site):
    async def sign_in(name):
        browser = Browser(site)
        assert (await browser.sign_in(name)).status_code == 303
        return browser

    return sign_in


async def make(browser, path, kind="github", /, **fields):
    """Send the form for a rule, as a browser does with what the page holds already."""
    page = await browser.get(f"{path}/new?kind={kind}")
    audience = re.search(r'name="audience" type="text" value="([^"]*)"', page.text)[1]
    form = {"kind": kind, "audience": audience, **FORMS[kind], **fields}
    return await browser.fill(f"{path}/new?kind={kind}", f"{path}/new", **form)


@pytest.mark.parametrize("path", PLACES)
async def test_rules_are_seen_and_made_by_who_manages_the_place(visit, path):
    for name in ("ann", "eve", "max"):
        browser = await visit(name)
        for below in ("", "/new"):
            answer = await browser.get(path + below)
            assert (answer.status_code == 200) == (name in PLACES[path]), (name, answer.status_code)
    browser = await visit("max")
    answer = await make(browser, path)
    assert answer.status_code == 303
    one = answer.headers["Location"]
    page = await browser.get(one)
    assert "acme/app" in page.text
    assert "GitHub acme/app" in (await browser.get(path)).text
    answer = await browser.fill(f"{one}/removal", f"{one}/removal")
    assert answer.headers["Location"] == path
    assert "There are no rules here yet." in (await browser.get(path)).text
    assert (await browser.get(one)).status_code == 404


@pytest.mark.parametrize("kind", FORMS)
async def test_a_form_makes_the_rule_that_the_command_makes(site, visit, kind):
    browser = await visit("ann")
    path = "/accounts/ann/-/trust"
    answer = await make(browser, path, kind)
    assert answer.status_code == 303, unescape(answer.text)
    (rule,) = await services_of(site).trust.list()
    place = Place(registry_id=rule.place.registry_id, namespace="ann")
    wish = Wish(audience="localhost", place=place)
    expected = {
        "github": github(
            Code(path="acme/app", refs=["refs/tags/v*"]), Wish(audience="localhost", place=place, tags=("v*", "1.*"))
        ),
        "gitlab": gitlab(Code(path="acme", host="git.example.com"), wish),
        "kubernetes": kubernetes(CLUSTER, "prod", "web", Wish(audience="localhost", place=place, role=Role.READ)),
        "other": NewRule(
            name="ci.example.com",
            issuer="https://ci.example.com",
            audience="localhost",
            conditions={"sub": ("builder",), "ref": ("a", "b")},
            place=place,
            role=Role.ADMIN,
        ),
    }[kind]
    for slot in ("name", "issuer", "audience", "conditions", "role", "source", "tags", "place"):
        assert getattr(rule, slot) == getattr(expected, slot), slot


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        ("github", {"path": "acme/app/deep"}, "is neither OWNER nor OWNER/REPOSITORY"),
        ("github", {"path": "<script>alert(1)</script>"}, "is no path of code"),
        ("github", {"tags": "a b/c"}, "patterns of tags"),
        ("github", {"audience": ""}, "needs an audience"),
        ("kubernetes", {"issuer": "cluster"}, "The issuer is the `iss`"),
        ("other", {"conditions": "sub"}, "is no condition"),
        ("other", {"jwks": "{}"}, "The keys of the issuer cannot be used"),
        ("other", {"issuer": GITHUB}, "Strangers get tokens of"),
        ("other", {"source": "https://git.example.com"}, "The source is the address of a forge"),
    ],
)
async def test_a_rule_that_cannot_be_is_refused_and_what_was_typed_stays(site, visit, kind, fields, said):
    browser = await visit("ann")
    answer = await make(browser, "/accounts/ann/-/trust", kind, **fields)
    assert answer.status_code == 400
    assert said in unescape(answer.text)
    assert "<script>alert" not in answer.text
    for name, value in fields.items():
        assert unescape(answer.text).count(value) >= 1, name
    assert await services_of(site).trust.list() == []


async def test_a_rule_of_another_place_is_not_there(visit):
    browser = await visit("ann")
    number = (await make(browser, "/accounts/ann/-/trust")).headers["Location"].rpartition("/")[2]
    for below in ("", "/removal"):
        assert (await browser.get(f"/repositories/ann/app/-/trust/{number}{below}")).status_code == 404
    assert (await browser.get("/accounts/ann/-/trust/none")).status_code in {400, 404}


async def test_claims_are_held_against_the_rules_of_the_place_and_explained(visit):
    browser = await visit("ann")
    path = "/accounts/ann/-/trust"
    await make(browser, path)
    claims = {
        "iss": GITHUB,
        "aud": "localhost",
        "repository": "acme/app",
        "event_name": "push",
        "ref": "refs/tags/v1",
        "sub": "<b>repo</b>",
    }
    page = await browser.fill(path, f"{path}/test", token=json.dumps(claims))
    assert page.status_code == 200
    assert "A rule here fits." in page.text
    assert "Only the claims were looked at" in page.text
    assert "<b>repo</b>" not in page.text
    page = await browser.fill(path, f"{path}/test", token=json.dumps({**claims, "repository": "Acme/app"}))
    assert "No rule here fits." in page.text
    assert "repository is 'Acme/app', and must be 'acme/app': capitals count" in unescape(page.text)


@pytest.mark.parametrize("text", ["", "abc", "{", "[]", "x" * 30_000, "{" * 30_000, "whp_" + "a" * 36])
async def test_what_is_neither_a_token_nor_claims_is_said_and_not_repeated(visit, text):
    browser = await visit("ann")
    page = await browser.fill("/accounts/ann/-/trust", "/accounts/ann/-/trust/test", token=text)
    assert page.status_code == 400
    assert 'aria-invalid="true"' in page.text
    assert "whp_" not in page.text


async def test_the_keys_of_an_issuer_are_changed(site, visit):
    browser = await visit("ann")
    one = (await make(browser, "/accounts/ann/-/trust", "kubernetes")).headers["Location"]
    answer = await browser.fill(one, f"{one}/keys", jwks="{}")
    page = await browser.get(answer.headers["Location"])
    assert "The trust rules stay as they are." in page.text
    answer = await browser.fill(one, f"{one}/keys", jwks="")
    assert "The keys of the issuer are changed." in (await browser.get(answer.headers["Location"])).text
    assert (await services_of(site).trust.list())[0].jwks is None


def rules():
    place = Place(registry_id=1, namespace="acme")
    wish = Wish(audience='registry.example.com"$(id)', place=place)
    yield Kind.GITHUB, github(Code(path="Acme/app"), wish)
    yield Kind.GITHUB, github(Code(path="acme"), Wish(audience="a", place=Place(registry_id=1)))
    yield Kind.GITLAB, gitlab(Code(path="acme/app"), wish)
    yield Kind.KUBERNETES, kubernetes(CLUSTER, "prod", "*", Wish(audience="a", place=place, role=Role.READ))


@pytest.mark.parametrize(("kind", "rule"), list(rules()), ids=str)
def test_what_is_to_be_copied_fits_the_rule(kind, rule):
    made = snippet(rule, "registry.example.com:5000", "https://registry.example.com:5000")
    assert kind_of(rule) is kind
    match kind:
        case Kind.GITHUB:
            (job,) = yaml.safe_load(made.text)["jobs"].values()
            assert job["env"]["AUDIENCE"] == rule.audience
            assert job["env"]["IMAGE"].startswith("registry.example.com:5000/acme/app")
            assert "https://registry.example.com:5000/token" in job["steps"][1]["run"]
            assert "registry.example.com:5000" not in job["steps"][2]["run"], "by the variable"
        case Kind.GITLAB:
            job = yaml.safe_load(made.text)["image"]
            assert job["id_tokens"]["JOB_IDENTITY"]["aud"] == rule.audience
            assert job["variables"]["IMAGE"] == "registry.example.com:5000/acme/app"
        case Kind.KUBERNETES:
            assert "kubectl -n prod create token default" in made.text


def test_a_rule_of_a_repository_names_it_in_what_is_to_be_copied():
    place = Place(registry_id=1, repository=RepositoryName("shop/web"))
    rule = github(Code(path="acme/app"), Wish(audience="a", place=place))
    assert "IMAGE: localhost:5000/shop/web\n" in snippet(rule, "localhost:5000", "http://localhost:5000").text
