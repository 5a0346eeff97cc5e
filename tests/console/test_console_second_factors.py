# SPDX-License-Identifier: Apache-2.0
"""Second factors in the console: two steps, passkeys, recovery codes, and what somebody with half of it sees."""

import re
from html import unescape

import pytest

from tests.console.people import HORSE, Browser, form_of, services_of, user
from tests.console.registry import Site
from tests.support.authenticator import Authenticator
from wharfinger.clock import SECOND, Clock
from wharfinger.domain.accounts import AccountName
from wharfinger.domain.audit import WHOLE_LOG, AuditFilter
from wharfinger.domain.identity import SYSTEM_ACTOR
from wharfinger.security import totp

ORIGIN = "http://localhost:5000"
PATH = "/profile/second-factor"


@pytest.fixture
async def town(site):
    await user(site, "ann")
    return site


@pytest.fixture
def browser(town):
    return Browser(town)


def code_now(secret, away=0):
    return totp.code_at(secret, Clock().now() // SECOND // 30 + away)


def options_of(page):
    return unescape(re.search(r'data-options="([^"]*)"', page.text)[1])


def secret_of(page):
    return re.search(r'data-copy="([A-Z2-7]{32})"', page.text)[1]


def codes_of(page):
    return re.findall(r"<li><code>([a-z2-7-]{19})</code>", page.text)


async def add_app(browser):
    """Set up an app; return its secret and the recovery codes. The code of the step before is used."""
    form = await browser.get(f"{PATH}/app")
    secret = secret_of(form)
    fields = {**form_of(form.text, f"{PATH}/app"), "name": "Phone", "code": code_now(secret, -1)}
    return secret, codes_of(await browser.post(f"{PATH}/app", fields))


async def add_passkey(browser, device):
    form = await browser.get(f"{PATH}/passkey")
    fields = {**form_of(form.text, f"{PATH}/passkey"), "name": "Stick", "answer": device.make(options_of(form))}
    return await browser.post(f"{PATH}/passkey", fields)


async def first_step(browser, to="/profile"):
    answer = await browser.sign_in(to=to)
    assert answer.headers["Location"] == f"/sign-in/second-step?to={to.replace('/', '%2F')}"
    assert not [name for name in browser.cookies if "session" in name], "nobody is signed in yet"
    return await browser.get(answer.headers["Location"])


async def second_step(browser, page, code):
    fields = {**form_of(page.text, "/sign-in/second-step"), "code": code}
    return await browser.post("/sign-in/second-step", fields)


async def test_an_app_is_set_up_and_asked_for_at_the_next_sign_in(town, browser):
    await browser.sign_in()
    secret, codes = await add_app(browser)
    assert len(set(codes)) == 10
    page = await browser.get(PATH)
    assert "Phone" in page.text
    assert "10 codes are left." in page.text
    assert secret not in page.text
    other = Browser(town)
    asked = await first_step(other)
    assert "The password of ann was right." in asked.text
    wrong = await second_step(other, asked, "000000")
    assert wrong.status_code == 403
    assert 'role="alert"' in wrong.text
    answer = await second_step(other, wrong, code_now(secret))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/profile")
    assert "with a password and a second factor" in (await other.get("/profile")).text


async def test_a_wrong_first_code_shows_the_same_picture_again(browser):
    await browser.sign_in()
    form = await browser.get(f"{PATH}/app")
    fields = form_of(form.text, f"{PATH}/app")
    again = await browser.post(f"{PATH}/app", {**fields, "name": "My phone", "code": "000000"})
    assert again.status_code == 400
    assert secret_of(again) == secret_of(form)
    assert 'value="My phone"' in again.text
    late = await browser.post(f"{PATH}/app", {**fields, "sealed": "nonsense", "name": "x", "code": "000000"})
    assert late.headers["Location"] == f"{PATH}/app"
    assert "was not added" in (await browser.get(f"{PATH}/app")).text


async def test_a_recovery_code_signs_in_once(town, browser):
    await browser.sign_in()
    _, codes = await add_app(browser)
    for expected in (303, 403):
        other = Browser(town)
        assert (await second_step(other, await first_step(other), codes[0])).status_code == expected
    renewed = codes_of(await browser.fill(f"{PATH}/codes", f"{PATH}/codes"))
    other = Browser(town)
    asked = await first_step(other)
    assert (await second_step(other, asked, codes[1])).status_code == 403
    assert (await second_step(other, asked, renewed[1])).status_code == 303


async def test_a_passkey_is_made_and_signs_in_at_the_second_step_and_alone(town, browser):
    device = Authenticator(ORIGIN)
    await browser.sign_in()
    assert len(codes_of(await add_passkey(browser, device))) == 10
    assert (await add_passkey(browser, Authenticator(ORIGIN))).headers["Location"] == PATH
    other = Browser(town)
    asked = await first_step(other, "/profile/tokens")
    fields = {**form_of(asked.text, "/sign-in/second-step/passkey"), "answer": device.show(options_of(asked))}
    answer = await other.post("/sign-in/second-step/passkey", fields)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/profile/tokens")
    alone = Browser(town)
    page = await alone.get("/sign-in/passkey?to=/profile")
    fields = {**form_of(page.text, "/sign-in/passkey"), "answer": device.show(options_of(page))}
    answer = await alone.post("/sign-in/passkey", fields)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/profile")
    assert "with a passkey" in (await alone.get("/profile")).text
    assert (await alone.post("/sign-in/passkey", {**fields, "answer": "{}"})).status_code == 403


@pytest.mark.parametrize("answer", ["", "{}", "[]", "x" * 50_000])
async def test_answers_that_prove_nothing_are_refused_with_a_page(town, browser, answer):
    await browser.sign_in()
    device = Authenticator(ORIGIN)
    form = await browser.get(f"{PATH}/passkey")
    fields = {**form_of(form.text, f"{PATH}/passkey"), "name": "Stick", "answer": answer}
    assert (await browser.post(f"{PATH}/passkey", fields)).status_code == 400
    await add_passkey(browser, device)
    other = Browser(town)
    asked = await first_step(other)
    fields = {**form_of(asked.text, "/sign-in/second-step/passkey"), "answer": answer}
    assert (await other.post("/sign-in/second-step/passkey", fields)).status_code == 403
    page = await other.get("/sign-in/passkey")
    fields = {**form_of(page.text, "/sign-in/passkey"), "answer": answer}
    assert (await other.post("/sign-in/passkey", fields)).status_code == 403


async def test_without_the_first_step_there_is_no_second(town, browser):
    await browser.sign_in()
    _, codes = await add_app(browser)
    other = Browser(town)
    answer = await other.get("/sign-in/second-step?to=/profile")
    assert answer.headers["Location"] == "/sign-in?to=%2Fprofile"
    fields = form_of((await other.get("/sign-in")).text, "/sign-in")
    answer = await other.post("/sign-in/second-step", {**fields, "code": codes[0]})
    assert answer.headers["Location"] == "/sign-in"
    assert "Too much time went by" in (await other.get("/sign-in")).text
    assert (await second_step(other, await first_step(other), codes[0])).status_code == 303, "and no code is lost"


async def test_removing_one_asks_for_the_password_or_a_code(town, browser):
    await browser.sign_in()
    _, codes = await add_app(browser)
    where = f"{PATH}/1/remove"
    assert (await browser.fill(where, where, proof="a wrong password")).status_code == 403
    assert (await browser.fill(where, where, proof="000000")).status_code == 403
    await add_passkey(browser, Authenticator(ORIGIN))
    assert (await browser.fill(where, where, proof=codes[0])).headers["Location"] == PATH
    assert "Phone was removed." in unescape((await browser.get(PATH)).text)
    assert (await browser.fill(f"{PATH}/2/remove", f"{PATH}/2/remove", proof=HORSE)).status_code == 303
    assert (await Browser(town).sign_in(to="/profile")).headers["Location"] == "/profile"
    assert (await browser.get(f"{PATH}/7/remove")).status_code == 404


async def test_nobody_sees_or_removes_the_factor_of_somebody_else(town, browser):
    await user(town, "bob")
    await browser.sign_in()
    await add_app(browser)
    other = Browser(town)
    await other.sign_in("bob")
    assert "Phone" not in (await other.get(PATH)).text
    assert (await other.get(f"{PATH}/1/remove")).status_code == 404
    form = form_of((await other.get(PATH)).text, "/sign-out")
    assert (await other.post(f"{PATH}/1/remove", {**form, "proof": HORSE})).status_code == 404


@pytest.mark.parametrize("path", [f"{PATH}/app", f"{PATH}/passkey", f"{PATH}/codes", "/profile/tokens/new"])
async def test_what_outlives_a_session_asks_for_a_sign_in_a_moment_ago(town, browser, path):
    await browser.sign_in()
    await services_of(town).people.sessions._database.write(
        lambda c: c.exec_driver_sql(f"UPDATE sessions SET signed_in_at = signed_in_at - {16 * 60 * SECOND}")
    )
    answer = await browser.get(path)
    assert answer.headers["Location"] == f"/sign-in?to={path.replace('/', '%2F')}&again=1"
    page = await browser.get(answer.headers["Location"])
    assert "show once more that it is you" in page.text
    fields = {**form_of(page.text, "/sign-in"), "name": "ann", "password": HORSE}
    old = dict(browser.cookies)
    assert (await browser.post("/sign-in", fields)).headers["Location"] == path
    assert browser.cookies != old, "the session has a new secret"
    assert (await browser.get(path)).status_code == 200


async def test_an_address_has_no_passkeys_and_says_why(town, browser):
    await browser.sign_in()
    page = await town.ask(PATH, host="192.0.2.7:5000", headers=cookies_of(browser))
    assert "Browsers have passkeys for sites with a host name over HTTPS only" in page.text
    assert "/profile/second-factor/passkey" not in page.text
    assert "/sign-in/passkey" not in (await town.ask("/sign-in", host="192.0.2.7:5000")).text
    refused = await town.ask(f"{PATH}/passkey", host="192.0.2.7:5000", headers=cookies_of(browser))
    assert refused.status_code == 400
    assert "http.host" in refused.text


def cookies_of(browser):
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}


async def test_where_everybody_needs_one_nothing_else_is_shown_until_there_is(tmp_path):
    async with Site(tmp_path, ACCOUNTS_SECONDFACTOR="required") as site:
        await user(site, "ann")
        browser = Browser(site)
        await browser.sign_in()
        for path in ("/", "/profile", "/profile/tokens", "/repositories/app"):
            assert (await browser.get(path)).headers["Location"] == PATH
        page = await browser.get(PATH)
        assert "Everybody needs a second factor here. Set one up to go on." in page.text
        fields = form_of(page.text, "/sign-out")
        assert (await browser.post("/profile/tokens", {**fields, "name": "x"})).headers["Location"] == PATH
        refused = await site.ask("/v2/", auth=("ann", HORSE))
        assert refused.status_code == 401
        assert "accounts.secondfactor" in refused.text
        await add_app(browser)
        assert (await browser.get("/profile/tokens")).status_code == 200
        where = f"{PATH}/1/remove"
        assert (await browser.fill(where, where, proof=HORSE)).headers["Location"] == PATH
        assert "Add another one before you remove the last." in (await browser.get(PATH)).text


async def test_a_reset_lets_the_password_alone_in_again(town, browser):
    await browser.sign_in()
    await add_app(browser)
    await services_of(town).people.second_factors.reset(AccountName("ann"), SYSTEM_ACTOR)
    assert (await browser.get("/profile")).status_code == 303, "who was signed in is not any more"
    assert (await Browser(town).sign_in(to="/profile")).headers["Location"] == "/profile"
    told = (await services_of(town).audit.list(AuditFilter(), WHOLE_LOG, limit=50)).items
    assert {"second-factor.added", "second-factor.removed"} <= {one.action.value for one in told}
