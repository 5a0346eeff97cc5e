# SPDX-License-Identifier: Apache-2.0
"""The console of a registry with accounts: who signs in with a password, what a session is, and what no form can do."""

from dataclasses import replace

import pytest

from tests.console.people import HORSE, PASSWORDS, Browser, form_of, services_of, user
from tests.support.images import image
from wharfinger.clock import DAY, HOUR, Instant
from wharfinger.console.session import within_site
from wharfinger.domain.accounts import AccessType
from wharfinger.domain.identity import SYSTEM_ACTOR
from wharfinger.services.accounts import AccountChange
from wharfinger.services.sessions import FRESH, IDLE, LONGEST

TOKENS_ONLY = AccountChange(access_type=AccessType.KEYS)
CONSOLE_ONLY = AccountChange(access_type=AccessType.CONSOLE)


@pytest.fixture
async def town(site):
    """A site with a public and a private repository, made before there were accounts, and one user."""
    for name in ("team/open", "team/closed"):
        await site.push(name, image(name), "v1")
    await user(site, "ann")
    database = services_of(site).accounts._database

    def publish(connection):
        connection.exec_driver_sql("UPDATE repositories SET visibility = 'public' WHERE name = 'team/open'")

    await database.write(publish)
    return site


@pytest.fixture
def browser(town):
    return Browser(town)


async def test_a_visitor_sees_what_is_public_and_a_way_to_sign_in(browser):
    listed = await browser.get("/")
    assert listed.status_code == 200
    assert "WWW-Authenticate" not in listed.headers
    assert "team/open" in listed.text
    assert "team/closed" not in listed.text
    assert 'href="/sign-in"' in listed.text
    page = await browser.get("/repositories/team/open")
    assert 'href="/sign-in?to=%2Frepositories%2Fteam%2Fopen"' in page.text


async def test_what_is_private_looks_like_what_is_not_there(browser):
    texts = set()
    for name in ("team/closed", "team/nowher"):
        answer = await browser.get(f"/repositories/{name}")
        assert answer.status_code == 404
        assert "WWW-Authenticate" not in answer.headers
        text = answer.text.replace(answer.headers["X-Request-Id"], "ID").replace(name, "NAME")
        texts.add(text.replace(name.replace("/", "%2F"), "NAME"))
    assert len(texts) == 1


async def test_who_signs_in_is_led_back_and_named(browser):
    answer = await browser.sign_in(to="/repositories/team/open")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/repositories/team/open")
    page = await browser.get("/repositories/team/open")
    assert "<summary>ann</summary>" in page.text
    assert 'href="/profile">' in page.text
    profile = await browser.get("/profile")
    assert "with a password" in profile.text
    assert profile.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("language", ["en", "ko"])
async def test_the_pages_come_in_both_languages(browser, language):
    wanted = {"en": ("Sign in", "Sign out"), "ko": ("로그인", "로그아웃")}[language]
    first = await browser.get("/sign-in", headers={"Accept-Language": language})
    await browser.sign_in()
    second = await browser.get("/profile", headers={"Accept-Language": language})
    assert (f'<h1 id="sign-in">{wanted[0]}</h1>' in first.text, wanted[1] in second.text) == (True, True)


@pytest.mark.parametrize(("name", "password"), [("ann", "wrong"), ("bob", HORSE), ("", ""), ("ann\n", HORSE)])
async def test_a_wrong_pair_gets_the_form_again_and_one_sentence(browser, name, password):
    answer = await browser.sign_in(name, password)
    assert answer.status_code == 403
    assert "The name or the password is wrong" in answer.text
    assert not any("session" in cookie for cookie in browser.cookies)
    assert HORSE not in answer.text


async def test_wrong_passwords_here_lock_docker_login_too_and_the_other_way_round(town, browser):
    for _ in range(6):
        await browser.sign_in(password="wrong")
    assert (await town.ask("/v2/", auth=("ann", HORSE))).status_code == 401
    assert (await browser.sign_in()).status_code == 403


@pytest.mark.parametrize(("profile", "enters"), [(TOKENS_ONLY, False), (CONSOLE_ONLY, True)])
async def test_the_access_type_says_who_may_sign_in_here(town, browser, profile, enters):
    await user(town, "bob", profile=profile)
    assert (await browser.sign_in("bob")).status_code == (303 if enters else 403)


async def test_a_session_ends_for_who_may_not_sign_in_here_any_more(town, browser):
    await browser.sign_in()
    await services_of(town).accounts.change("ann", TOKENS_ONLY, SYSTEM_ACTOR)
    assert (await browser.get("/profile")).status_code == 303


@pytest.mark.parametrize("what", ["password", "suspended", "deleted"])
async def test_a_session_ends_with_what_it_rests_on(town, browser, what):
    await browser.sign_in()
    assert (await browser.get("/profile")).status_code == 200
    accounts = services_of(town).accounts
    match what:
        case "password":
            await accounts.set_password("ann", PASSWORDS.hash_password("another horse"), SYSTEM_ACTOR)
        case "suspended":
            await accounts.suspend("ann", SYSTEM_ACTOR)
            await accounts.resume("ann", SYSTEM_ACTOR)
        case "deleted":
            await accounts.delete("ann", SYSTEM_ACTOR)
    answer = await browser.get("/profile")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in?to=%2Fprofile")


@pytest.mark.parametrize(("idle", "steps", "lives"), [(IDLE - HOUR, 2, True), (IDLE, 1, False), (10 * HOUR, 18, False)])
async def test_a_session_ends_unused_after_hours_and_used_after_days(town, browser, monkeypatch, idle, steps, lives):
    sessions = services_of(town).people.sessions
    begun = sessions._clock.now()
    monkeypatch.setattr(sessions._clock, "now", lambda: begun)
    await browser.sign_in()
    for step in range(1, steps + 1):
        now = Instant(begun + step * idle)
        monkeypatch.setattr(sessions._clock, "now", lambda now=now: now)
        answer = await browser.get("/profile")
    assert (answer.status_code == 200) is lives


async def test_ended_sessions_are_removed(town, browser, monkeypatch):
    sessions = services_of(town).people.sessions
    await browser.sign_in()
    assert await sessions.remove_ended(10) == 0
    later = Instant(sessions._clock.now() + LONGEST + DAY)
    monkeypatch.setattr(sessions._clock, "now", lambda: later)
    assert await sessions.remove_ended(10) == 1


async def test_the_cookie_is_bound_to_the_host_on_tls_and_a_plain_name_elsewhere(town):
    plain, encrypted = Browser(town), Browser(town, "https")
    for browser, name in ((plain, "wharfinger-session"), (encrypted, "__Host-session")):
        answer = await browser.sign_in()
        (cookie,) = (text for text in answer.headers.get_list("set-cookie") if text.startswith(f"{name}="))
        assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
        assert ("Secure" in cookie) is (browser is encrypted)
        assert len(browser.cookies[name]) >= 43
        assert "Domain" not in cookie
        assert (await browser.get("/profile")).status_code == 200
    encrypted.cookies = {"wharfinger-session": plain.cookies["wharfinger-session"]}
    assert (await encrypted.get("/profile")).status_code == 303, "a plain name is not read on TLS: any host may set it"


async def test_a_session_that_somebody_put_there_before_is_not_the_one_that_is_signed_in(town):
    attacker, victim = Browser(town), Browser(town)
    await user(town, "eve")
    await attacker.sign_in("eve")
    planted = attacker.cookies["wharfinger-session"]
    victim.cookies["wharfinger-session"] = planted
    await victim.post("/sign-out", form_of((await victim.get("/profile")).text, "/sign-out"))
    victim.cookies["wharfinger-session"] = planted
    await victim.sign_in()
    assert victim.cookies["wharfinger-session"] != planted
    attacker.cookies = {"wharfinger-session": planted}
    assert (await attacker.get("/profile")).status_code == 303


async def test_signing_out_ends_the_session_and_not_only_the_cookie(browser):
    await browser.sign_in()
    kept = dict(browser.cookies)
    answer = await browser.fill("/profile", "/sign-out")
    assert (answer.status_code, browser.cookies) == (303, {})
    browser.cookies = kept
    assert (await browser.get("/profile")).status_code == 303


async def test_one_signs_out_everywhere_else(town, browser):
    other = Browser(town)
    await other.sign_in()
    await browser.sign_in()
    assert (await browser.fill("/profile/sessions", "/profile/sessions")).status_code == 303
    assert (await browser.get("/profile")).status_code == 200
    assert (await other.get("/profile")).status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost:5000"},
    ],
)
@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/profile/sessions", "/profile/authorize"])
async def test_a_form_that_another_site_sends_is_refused_even_with_the_right_proof(browser, path, headers):
    await browser.sign_in()
    fields = form_of((await browser.get("/profile")).text, "/sign-out")
    answer = await browser.post(path, fields, headers=headers)
    assert answer.status_code == 403
    assert "was not sent by a page of this registry" in answer.text
    assert (await browser.get("/profile")).status_code == 200


@pytest.mark.parametrize(
    ("origin", "taken"),
    [
        ("http://localhost:5000", True),
        ("http://localhost:5001", False),
        ("http://evil.example", False),
        ("null", False),
        (None, False),
    ],
)
async def test_an_older_browser_is_known_by_its_origin(town, browser, origin, taken):
    await browser.sign_in()
    fields = form_of((await browser.get("/profile")).text, "/sign-out")
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    headers = {"Cookie": cookie} | ({} if origin is None else {"Origin": origin})
    answer = await town.ask("/sign-out", "POST", data=fields, headers=headers)
    assert answer.status_code == (303 if taken else 403)


@pytest.mark.parametrize("form", [{}, {"form_token": ""}, {"form_token": "0" * 64}, {"form_token": "é"}])
async def test_a_form_without_its_own_proof_is_refused(browser, form):
    await browser.sign_in()
    assert (await browser.post("/sign-out", form)).status_code == 403
    assert (await browser.get("/profile")).status_code == 200


async def test_the_proof_of_another_browser_or_from_before_signing_in_is_none(town, browser):
    other = Browser(town)
    before = form_of((await browser.get("/sign-in")).text, "/sign-in")
    foreign = form_of((await other.get("/sign-in")).text, "/sign-in")
    assert (await browser.post("/sign-in", {**foreign, "name": "ann", "password": HORSE})).status_code == 403
    await browser.sign_in()
    assert (await browser.post("/sign-out", before)).status_code == 403


@pytest.mark.parametrize(
    "to",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "\\evil",
        "/a\nb",
        "/%0d%0a\r\nX: y",
        "",
        "evil",
        "/é",
    ],
)
async def test_nobody_is_led_to_another_site(browser, to):
    page = await browser.get("/sign-in")
    fields = {**form_of(page.text, "/sign-in"), "to": to, "name": "ann", "password": HORSE}
    answer = await browser.post("/sign-in", fields)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


def test_a_path_of_the_site_stays_as_it_is():
    for path in ("/", "/profile", "/repositories/acme/app?tag=v1", "/a//b"):
        assert within_site(path) == path
    assert within_site("/" + "a" * 501) == "/"
    assert within_site(None) == "/"


@pytest.mark.parametrize("path", ["/v2/", "/v2/team/closed/tags/list", "/token?service=wharfinger/default"])
async def test_a_session_opens_nothing_for_clients(browser, path):
    await browser.sign_in()
    assert (await browser.get(path)).status_code == 401


async def test_a_password_that_a_browser_sends_by_itself_signs_nobody_in(town):
    answer = await town.ask("/profile", auth=("ann", HORSE))
    assert answer.status_code == 303
    assert "ann</summary>" not in (await town.ask("/", auth=("ann", HORSE))).text


async def test_where_nobody_has_an_account_nobody_signs_in(site):
    assert (await site.ask("/sign-in")).status_code == 404
    assert "/sign-in" not in (await site.ask("/")).text


async def test_a_form_that_is_too_long_is_refused(browser):
    page = await browser.get("/sign-in")
    fields = {**form_of(page.text, "/sign-in"), "name": "ann", "password": "x" * 20_000}
    assert (await browser.post("/sign-in", fields)).status_code == 400


async def test_a_session_is_fresh_for_a_quarter_of_an_hour(town, browser, monkeypatch):
    await browser.sign_in()
    sessions = services_of(town).people.sessions
    found = await sessions.find(browser.cookies["wharfinger-session"])
    assert sessions.is_fresh(found)
    later = Instant(sessions._clock.now() + FRESH)
    monkeypatch.setattr(sessions._clock, "now", lambda: later)
    assert not sessions.is_fresh(found)


async def test_what_happened_is_told_without_secrets(town, browser):
    await browser.sign_in()
    secret = browser.cookies["wharfinger-session"]
    await browser.fill("/profile", "/sign-out")

    def work(connection):
        return [
            tuple(row) for row in connection.exec_driver_sql("SELECT action, target, principal, detail FROM events")
        ]

    events = await services_of(town).accounts._database.read(work)
    assert ("session.begun", "ann", "anonymous", "with a password") in events
    assert ("session.ended", "ann", "ann", None) in events
    assert secret not in str(events)


async def test_nobody_signs_in_where_others_could_read_it(town, browser):
    await browser.sign_in()
    town.edge._rules = replace(town.edge._rules, tls_to_sign_in=True)
    far = {"client": "192.0.2.7", "host": "registry.example"}
    for path in ("/sign-in", "/profile", "/sign-in/with/corp"):
        answer = await browser.get(path, **far)
        assert answer.status_code == 403
        assert "not encrypted" in answer.text
    page = await browser.get("/", **far)
    assert page.status_code == 200
    assert "ann</summary>" not in page.text, "a session that was begun elsewhere is not taken"
