# SPDX-License-Identifier: Apache-2.0
"""Single sign-on through the certified provider: who gets which account, and answers that are not the provider's."""

import re
from urllib.parse import urlencode

import pytest

from tests.console.people import HORSE, Browser, query_of, services_of, user
from tests.console.registry import Site
from tests.support.images import image
from tests.support.openid_provider import SECRET, OpenIdProvider
from wharfinger.clock import SECOND, Instant
from wharfinger.domain.accounts import AccessType, CredentialKind, MemberRole, TeamName
from wharfinger.domain.identity import SYSTEM_ACTOR, Scope
from wharfinger.services.accounts import AccountChange
from wharfinger.services.credentials import Wanted
from wharfinger.services.sessions import FRESH
from wharfinger.services.single_sign_on import PATIENCE

HERE = "http://localhost:5000"
BACK = f"{HERE}/sign-in/from/corp"
BUILDERS = TeamName("acme", "builders")


@pytest.fixture(scope="module")
def corp(tmp_path_factory):
    """A provider at which a registry at localhost:5000 is known, also under a second name."""
    with OpenIdProvider(tmp_path_factory.mktemp("corp"), BACK, f"{HERE}/sign-in/from/twin") as one:
        yield one


@pytest.fixture
def settings(corp):
    twin = corp.settings("twin", 1, clientid="other", clientsecret="canary-client-secret-of-another")
    return corp.settings() | twin


@pytest.fixture
async def site(tmp_path, corp, settings):
    corp.say(ann={"groups": ["staff"]}, bob={}, eve={})
    async with Site(tmp_path, **settings) as one:
        for name in ("acme/app", "free"):
            await one.push(name, image(name), "v1")
        await user(one, "root")
        yield one


@pytest.fixture
def browser(site):
    return Browser(site)


async def depart(browser, provider="corp", to=None, **query):
    """Begin at the button; return where the browser is sent."""
    answer = await browser.get(f"/sign-in/with/{provider}?{urlencode({'to': to or '/', **query})}")
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


async def sign_in(browser, corp, name="ann", provider="corp", **options):
    """Sign in at the provider, and come back with its answer."""
    back = corp.answer(await depart(browser, provider, **options), name)
    assert back.startswith(HERE)
    return await browser.get(back.removeprefix(HERE))


async def names_of(site):
    def work(connection):
        return [row[0] for row in connection.exec_driver_sql("SELECT name FROM accounts WHERE deleted_at IS NULL")]

    return set(await services_of(site).accounts._database.read(work))


async def events_of(site):
    def work(connection):
        sql = "SELECT action, target, detail FROM events ORDER BY id"
        return [tuple(row) for row in connection.exec_driver_sql(sql)]

    return await services_of(site).accounts._database.read(work)


async def acme(site, *, demands=False):
    """Make the organization of `root` with a team, owning what lies in its namespace."""
    services = services_of(site)
    await services.accounts.create_organization("acme", SYSTEM_ACTOR, owner="root", claim=True)
    await services.organizations.create_team(BUILDERS, SYSTEM_ACTOR)
    if demands:
        await services.people.demands.make("acme", "corp", SYSTEM_ACTOR)
    return services


async def test_the_first_sign_in_makes_an_account_and_the_next_finds_it_by_subject_alone(site, corp, browser):
    answer = await sign_in(browser, corp, to="/repositories/free")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/repositories/free")
    assert "through Corp" in (await browser.get("/profile")).text
    assert await names_of(site) == {"root", "ann"}
    corp.say(ann={"preferred_username": "anna", "email": "root@example.com"}, bob={})
    again = Browser(site)
    await sign_in(again, corp)
    assert "<code>ann</code>" in (await again.get("/profile")).text
    assert await names_of(site) == {"root", "ann"}


async def test_a_name_that_is_taken_is_not_taken_over(site, corp, browser):
    corp.say(eve={"preferred_username": "root", "email": "root@example.com"})
    answer = await sign_in(browser, corp, "eve")
    assert answer.status_code == 403
    assert "wharfinger user link root corp sub-of-eve" in answer.text
    assert not any("session" in name for name in browser.cookies)
    assert await names_of(site) == {"root"}


async def test_an_administrator_links_an_account_and_unlinks_it(site, corp, browser):
    corp.say(eve={"preferred_username": "root"})
    identities = services_of(site).people.external_identities
    await identities.link("root", "corp", "sub-of-eve", SYSTEM_ACTOR)
    assert (await sign_in(browser, corp, "eve")).status_code == 303
    assert "<code>root</code>" in (await browser.get("/profile")).text
    await identities.unlink("root", "corp", SYSTEM_ACTOR)
    assert (await browser.get("/profile")).status_code == 303
    assert (await sign_in(browser, corp, "eve")).status_code == 403


@pytest.mark.parametrize("state", ["suspended", "keys"])
async def test_an_account_that_may_not_sign_in_here_is_not_let_in_by_a_provider(site, corp, browser, state):
    await sign_in(browser, corp)
    accounts = services_of(site).accounts
    if state == "suspended":
        await accounts.suspend("ann", SYSTEM_ACTOR)
    else:
        await accounts.change("ann", AccountChange(access_type=AccessType.KEYS), SYSTEM_ACTOR)
    assert (await sign_in(browser, corp)).status_code == 403
    assert (await browser.get("/profile")).status_code == 303


async def test_a_name_is_made_valid(site, corp, browser):
    corp.say(ann={"preferred_username": "Ánn.Lee@Example.com"})
    assert (await sign_in(browser, corp)).status_code == 303
    assert "ann.lee" in await names_of(site)


async def test_who_cannot_be_named_is_told_what_to_do(corp, browser):
    corp.say(ann={"preferred_username": "이안"})
    answer = await sign_in(browser, corp)
    assert answer.status_code == 403
    assert "wharfinger user link NAME corp sub-of-ann" in answer.text


class TestOtherSettings:
    @pytest.fixture
    def settings(self, corp, request):
        return corp.settings(**request.param)

    @pytest.mark.parametrize("settings", [{"create": False}], indirect=True)
    async def test_nobody_gets_an_account_where_none_are_made(self, site, corp, browser):
        answer = await sign_in(browser, corp)
        assert answer.status_code == 403
        assert "No account here is yours yet" in answer.text
        assert await names_of(site) == {"root"}

    @pytest.mark.parametrize("settings", [{"groups": ["staff", "admins"]}], indirect=True)
    async def test_only_members_of_certain_groups_may_sign_in_each_time(self, corp, browser):
        assert (await sign_in(browser, corp)).status_code == 303
        assert (await sign_in(browser, corp, "bob")).status_code == 403
        corp.say(ann={"groups": ["retired"]})
        assert (await sign_in(browser, corp)).status_code == 403

    @pytest.mark.parametrize("settings", [{"clientid": "public", "clientsecret": None}], indirect=True)
    async def test_a_client_without_a_secret_signs_in_too(self, corp, browser):
        assert (await sign_in(browser, corp)).status_code == 303

    @pytest.mark.parametrize("settings", [{"clientsecret": "wrong-secret-of-a-client"}], indirect=True)
    async def test_a_client_with_a_wrong_secret_does_not(self, corp, browser):
        answer = await sign_in(browser, corp)
        assert answer.status_code == 403
        assert "does not prove who you are" in answer.text

    @pytest.mark.parametrize("settings", [{"issuer": "http://localhost:1"}], indirect=True)
    async def test_a_provider_that_is_down_is_a_page_that_says_so(self, browser):
        answer = await browser.get("/sign-in/with/corp")
        assert answer.status_code == 503
        assert "does not answer" in answer.text
        assert (await browser.sign_in("root")).status_code == 303, "passwords still work"


async def test_names_and_groups_may_be_told_at_the_userinfo_endpoint_alone(tmp_path):
    with OpenIdProvider(tmp_path, BACK, userinfo=True) as corp:
        corp.say(ann={"groups": ["staff"]})
        async with Site(tmp_path / "data", **corp.settings(groups=["staff"])) as site:
            await user(site, "root")
            browser = Browser(site)
            assert (await sign_in(browser, corp)).status_code == 303
            assert "<code>ann</code>" in (await browser.get("/profile")).text


async def test_teams_follow_groups_and_who_was_put_there_by_hand_stays(site, corp, browser):
    services = await acme(site)
    await services.people.team_mappings.map(BUILDERS, "corp", "staff", SYSTEM_ACTOR)
    await sign_in(browser, corp)
    assert list(await services.organizations.members_of_team(BUILDERS)) == ["ann"]
    await sign_in(browser, corp, "bob")
    await services.organizations.put_member("acme", "bob", MemberRole.MEMBER, SYSTEM_ACTOR)
    await services.organizations.join_team(BUILDERS, "bob", SYSTEM_ACTOR)
    corp.say(ann={"groups": []}, bob={})
    for name in ("ann", "bob"):
        await sign_in(browser, corp, name)
    assert list(await services.organizations.members_of_team(BUILDERS)) == ["bob"]
    assert {one.name for one in await services.organizations.members("acme")} == {"root", "bob"}
    told = [event for event in await events_of(site) if event[0].startswith(("team.", "member."))]
    assert [event[0] for event in told if "ann" in (event[2] or "")] == [
        "member.added", "team.joined", "team.left", "member.removed",
    ]  # fmt: skip


async def test_what_a_sign_in_through_a_provider_does_is_told(site, corp, browser):
    before = len(await events_of(site))
    await sign_in(browser, corp)
    told = (await events_of(site))[before:]
    assert [event[:2] for event in told] == [
        ("account.created", "ann"), ("identity.linked", "ann"), ("session.begun", "ann"),
    ]  # fmt: skip
    await sign_in(Browser(site), corp)
    assert [event[:2] for event in (await events_of(site))[before + len(told) :]] == [("session.begun", "ann")]


async def test_a_session_is_a_new_one_after_each_sign_in(site, corp, browser):
    await browser.sign_in("root")
    before = browser.cookies["wharfinger-session"]
    await sign_in(browser, corp)
    assert browser.cookies["wharfinger-session"] != before
    other = Browser(site)
    other.cookies = {"wharfinger-session": before}
    assert (await other.get("/profile")).status_code == 303


async def test_what_is_asked_of_the_provider_is_bound_to_this_sign_in(browser):
    first, second = query_of(await depart(browser)), query_of(await depart(browser))
    assert first["redirect_uri"] == BACK
    assert (first["response_type"], first["code_challenge_method"]) == ("code", "S256")
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) >= 43
        assert first[name] != second[name]
    assert SECRET not in str(first)


async def refused(browser, path):
    before = dict(browser.cookies)
    answer = await browser.get(path)
    assert answer.status_code == 403, answer.text
    assert not any(name.endswith("session") for name in browser.cookies)
    browser.cookies = before
    return answer.text


async def test_an_answer_to_another_browser_signs_nobody_in(site, corp, browser):
    """Login CSRF: an attacker hands over the address that its own sign-in came back to."""
    attacker = Browser(site)
    back = corp.answer(await depart(attacker), "eve").removeprefix(HERE)
    text = await refused(browser, back)
    assert "was not begun in this browser" in text
    await depart(browser)
    await refused(browser, back)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"state": "x" * 43}, "was not begun in this browser"),
        ({"state": None}, "was not begun in this browser"),
        ({"iss": "https://evil.example"}, "does not come from Corp"),
        ({"iss": None}, "does not come from Corp"),
        ({"code": "x" * 43}, "does not prove who you are"),
        ({"code": None}, "without an answer"),
        ({"code": None, "error": "access_denied"}, "access_denied"),
        ({"code": None, "error": "<script>"}, "Corp did not sign you in"),
    ],
)
async def test_an_answer_with_one_thing_changed_signs_nobody_in(corp, browser, change, sentence):
    answer = query_of(corp.answer(await depart(browser), "ann"))
    changed = {name: value for name, value in {**answer, **change}.items() if value is not None}
    text = await refused(browser, f"/sign-in/from/corp?{urlencode(changed)}")
    assert sentence in text
    assert "<script>" not in text.replace('<script type="module"', "")


async def test_an_answer_is_taken_once(corp, browser):
    back = corp.answer(await depart(browser), "ann").removeprefix(HERE)
    kept = dict(browser.cookies)
    assert (await browser.get(back)).status_code == 303
    browser.cookies = kept
    assert "does not prove who you are" in await refused(browser, back)


async def test_an_answer_of_one_provider_is_none_of_another(corp, browser):
    back = corp.answer(await depart(browser, "twin"), "ann").removeprefix(HERE)
    await refused(browser, back.replace("/from/twin", "/from/corp"))


async def test_a_code_of_another_sign_in_is_worth_nothing_here(site, corp, browser):
    """Code injection: PKCE binds the code to the browser that asked for it."""
    stolen = query_of(corp.answer(await depart(Browser(site)), "ann"))
    mine = query_of(corp.answer(await depart(browser), "eve"))
    await refused(browser, f"/sign-in/from/corp?{urlencode({**mine, 'code': stolen['code']})}")


async def test_a_sign_in_that_took_too_long_is_begun_again(site, corp, browser, monkeypatch):
    back = corp.answer(await depart(browser), "ann").removeprefix(HERE)
    clock = services_of(site).people.single_sign_on._clock
    later = Instant(clock.now() + PATIENCE)
    monkeypatch.setattr(clock, "now", lambda: later)
    await refused(browser, back)


@pytest.mark.parametrize("cookie", ["", "x", "v1.0123456789abcdef.AAAA"])
async def test_a_cookie_that_is_not_ours_opens_nothing(corp, browser, cookie):
    back = corp.answer(await depart(browser), "ann").removeprefix(HERE)
    browser.cookies["wharfinger-sign-in"] = cookie
    await refused(browser, back)


async def test_the_cookie_tells_its_bearer_nothing(browser):
    await depart(browser, to="/repositories/free")
    kept = browser.cookies["wharfinger-sign-in"]
    assert re.fullmatch(r"v1\.[0-9a-f]{16}\.[A-Za-z0-9_-]+", kept)


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example/", "/\\evil.example"])
async def test_nobody_is_led_to_another_site_by_way_of_the_provider(corp, browser, to):
    answer = await sign_in(browser, corp, to=to)
    assert answer.headers["Location"] == "/"


async def test_another_site_cannot_begin_a_sign_in(browser):
    answer = await browser.get("/sign-in/with/corp", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200
    assert "wharfinger-sign-in" not in browser.cookies


async def test_there_are_only_the_providers_of_the_settings(browser):
    for path in ("/sign-in/with/evil", "/sign-in/from/evil?code=x&state=y"):
        assert (await browser.get(path)).status_code == 404


async def test_what_an_organization_gives_counts_in_a_session_that_came_through_its_provider(site, corp, browser):
    services = await acme(site, demands=True)
    await services.people.external_identities.link("root", "corp", "sub-of-ann", SYSTEM_ACTOR)
    await browser.sign_in("root")
    for name in ("acme/app", "acme/nothing"):
        answer = await browser.get(f"/repositories/{name}")
        assert answer.status_code == 403
        assert "demands single sign-on" in answer.text
        assert 'href="/profile"' in answer.text
    assert "acme/app" not in (await browser.get("/")).text
    await sign_in(browser, corp)
    assert (await browser.get("/repositories/acme/app")).status_code == 200
    assert (await browser.get("/repositories/acme/nothing")).status_code == 404
    assert "acme/app" in (await browser.get("/")).text


async def test_a_token_is_authorized_right_after_single_sign_on_and_only_then(site, corp, browser, monkeypatch):
    services = await acme(site, demands=True)
    await services.people.external_identities.link("root", "corp", "sub-of-ann", SYSTEM_ACTOR)
    token = await token_of(services, "root")

    async def pulls():
        return (await site.ask("/v2/acme/app/manifests/v1", auth=("root", token))).status_code

    refusal = await site.ask("/v2/acme/app/manifests/v1", auth=("root", token))
    assert refusal.status_code == 403
    assert "the organization acme demands single sign-on" in refusal.text
    await browser.sign_in("root")
    page = await browser.get("/profile")
    assert "/profile/authorize" not in page.text
    await sign_in(browser, corp)
    stale = Instant(services.people.sessions._clock.now() + FRESH + SECOND)
    with monkeypatch.context() as patch:
        patch.setattr(services.people.sessions._clock, "now", lambda: stale)
        assert "/profile/authorize" not in (await browser.get("/profile")).text
    assert (await browser.fill("/profile", "/profile/authorize")).status_code == 303
    assert await pulls() == 200
    assert (await browser.fill("/profile", "/profile/withdraw")).status_code == 303
    assert await pulls() == 403


async def test_a_fresh_sign_in_asks_the_provider_to_ask_again(corp, browser):
    assert query_of(await depart(browser, fresh="1"))["max_age"] == "0"
    assert "max_age" not in query_of(await depart(browser))
    assert (await sign_in(browser, corp, fresh="1")).status_code == 303


async def test_passwords_of_members_are_not_taken_by_clients_and_why_is_said_to_who_knows_them(site):
    await acme(site, demands=True)
    right, wrong = [await site.ask("/v2/", auth=("root", secret)) for secret in (HORSE, "wrong")]
    assert (right.status_code, wrong.status_code) == (401, 401)
    assert "the organization acme demands single sign-on" in right.text
    assert "acme" not in wrong.text
    answer = await site.ask("/token?service=wharfinger/default", auth=("root", HORSE))
    assert answer.status_code == 401


async def test_what_was_got_for_a_password_before_ends_with_the_demand(site):
    services = await acme(site)
    form = {
        "grant_type": "password", "username": "root", "password": HORSE, "access_type": "offline",
        "service": "wharfinger/default", "client_id": "x", "scope": "repository:acme/app:pull",
    }  # fmt: skip
    got = (await site.ask("/token", "POST", data=form)).json()
    bearer = {"headers": {"Authorization": f"Bearer {got['access_token']}"}}
    assert (await site.ask("/v2/acme/app/manifests/v1", **bearer)).status_code == 200
    await services.people.demands.make("acme", "corp", SYSTEM_ACTOR)
    assert (await site.ask("/v2/acme/app/manifests/v1", **bearer)).status_code == 401
    form |= {"grant_type": "refresh_token", "refresh_token": got["refresh_token"]}
    assert (await site.ask("/token", "POST", data=form)).status_code == 401


async def test_registry_and_refresh_tokens_count_as_what_they_were_got_for(site):
    services = await acme(site, demands=True)
    token = await token_of(services, "root")
    form = {
        "grant_type": "password", "username": "root", "password": token, "access_type": "offline",
        "service": "wharfinger/default", "client_id": "x", "scope": "repository:acme/app:pull",
    }  # fmt: skip
    first = (await site.ask("/token", "POST", data=form)).json()
    assert first["scope"] == ""
    (held,) = [one for one in await services.credentials.list("root") if one.kind == "token"]
    await services.people.demands.authorize("root", held.id, "acme", SYSTEM_ACTOR)
    form |= {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    second = (await site.ask("/token", "POST", data=form)).json()
    assert second["scope"] == "repository:acme/app:pull"
    bearer = {"headers": {"Authorization": f"Bearer {second['access_token']}"}}
    assert (await site.ask("/v2/acme/app/manifests/v1", **bearer)).status_code == 200
    await services.people.demands.withdraw("root", held.id, "acme", SYSTEM_ACTOR)
    assert (await site.ask("/v2/acme/app/manifests/v1", **bearer)).status_code in {401, 403}


async def token_of(services, name):
    """Make a token for everything about packages."""
    wanted = Wanted(kind=CredentialKind.TOKEN, name="laptop", scopes=frozenset({Scope.WRITE, Scope.DELETE}))
    return (await services.credentials.issue(name, wanted, SYSTEM_ACTOR)).secret
