# SPDX-License-Identifier: Apache-2.0
"""The door: headers, languages, notices, what a visitor's headers can do to a page, and failures."""

import re
from html import unescape

import pytest

from tests.console.people import Browser, user
from tests.console.registry import Site
from tests.support.images import artifact, image
from wharfinger.console.routes import ROUTES
from wharfinger.console.routing import Route
from wharfinger.domain.access import Action, Decision, Outcome

FORWARDED = {"X-Forwarded-For": "10.1.2.3"}
OPEN = "Anyone who reaches this port may push and pull."
PLAIN = "This address speaks plain HTTP"


@pytest.mark.parametrize("path", ["/", "/repositories/app", "/nothing", "/repositories/no", "/?lang=ko"])
async def test_every_page_is_locked_down(site, path):
    await site.push("app", image("app"), "1")
    headers = (await site.ask(path)).headers
    policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"


async def test_pages_hold_no_inline_script_style_or_foreign_address(site):
    await site.push("app", image("app"), "1")
    for path in ("/", "/repositories/app", "/nothing"):
        html = (await site.ask(path, host="registry.example", headers=FORWARDED)).text
        assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=|javascript:", html)
        assert not re.search(r'(?:src|href)="(?!/|\?|#)', html)


async def test_static_files_are_kept_for_ever_under_the_name_of_their_content(site):
    html = (await site.ask("/")).text
    linked = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', html))
    assert {path.rpartition(".")[2] for path in linked} == {"css", "js", "svg"}
    for path in linked:
        answer = await site.ask(path)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert (await site.ask(re.sub(r"\.[0-9a-f]{12}\.", ".000000000000.", path))).status_code == 404


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("localhost:5000", "localhost:5000"),
        ("Registry.Example.COM", "registry.example.com"),
        ("registry", "registry:80"),
        ("127.0.0.1:5000", "127.0.0.1:5000"),
        ("[::1]:5000", "[::1]:5000"),
        ("h:99999", "localhost:5000"),
        ("h:", "localhost:5000"),
    ],
)
async def test_commands_name_the_host_that_was_asked_for_if_it_is_one(site, host, shown):
    html = (await site.ask("/", host=host)).text
    assert f"docker push {shown}/hello<" in html
    assert "<script>" not in html
    assert "reboot" not in html


@pytest.mark.parametrize(
    "host", ['"><script>alert(1)</script>', "a b", "user@evil.example", "evil.example/x", "h$(reboot)", "-h.example"]
)
async def test_what_is_no_host_is_told_so_and_is_on_no_page(site, host):
    answer = await site.ask("/", host=host)
    assert answer.status_code == 400
    assert host not in answer.text
    assert "The Host header is no host" in answer.text


@pytest.mark.parametrize(
    ("url", "shown", "plain"),
    [
        ("https://registry.example:5443", "registry.example:5443", False),
        ("https://registry", "registry:443", False),
        ("http://registry.example:5000", "registry.example:5000", True),
    ],
)
async def test_the_operators_host_wins(tmp_path, url, shown, plain):
    async with Site(tmp_path, HTTP_HOST=url) as site:
        html = (await site.ask("/", host="localhost:1")).text
    assert f"docker push {shown}/hello<" in html
    assert (PLAIN in html) is plain


async def test_below_a_prefix_every_link_stays_below_it(tmp_path):
    async with Site(tmp_path, HTTP_PREFIX="/images/") as site:
        await site.push("app", image("app"), "1")
        for path in ("/images/", "/images/repositories/app", "/images/nothing"):
            page = await site.ask(path)
            assert not re.search(r'(?:src|href)="/(?!images/)', page.text)
        style = re.search(r'href="(/images/static/[^"]+css)"', page.text)[1]
        assert (await site.ask(style)).status_code == 200
        assert (await site.ask("/images/?lang=ko")).headers["location"] == "/images/"


async def test_what_a_pusher_wrote_is_shown_and_does_nothing(site):
    hostile = '"><img src=x onerror=alert(1)><script>alert(2)</script>'
    await site.push("app", artifact(b"x", kind=hostile), "1")
    html = (await site.ask("/repositories/app")).text
    assert hostile in unescape(html)
    assert "<img src=x" not in html
    assert "<script>" not in html


@pytest.mark.parametrize(
    ("client", "headers", "warned"),
    [
        ("127.0.0.1", {}, False),
        ("::1", {}, False),
        ("192.168.0.7", {}, True),
        ("127.0.0.1", FORWARDED, True),
        ("127.0.0.1", {"Forwarded": "for=10.1.2.3"}, True),
        ("127.0.0.1", {"Via": "1.1 proxy"}, True),
    ],
)
async def test_an_open_registry_says_so_to_whoever_comes_from_elsewhere(site, client, headers, warned):
    assert (OPEN in (await site.ask("/", client=client, headers=headers)).text) is warned


@pytest.mark.parametrize(
    ("host", "options", "shown"),
    [
        ("localhost:5000", {}, False),
        ("127.0.0.1:5000", {}, False),
        ("[::1]:5000", {}, False),
        ("registry.local:5000", {}, True),
        ("10.0.0.5:5000", {}, True),
        ("registry.local", {"scheme": "https"}, False),
        ("registry.local", {"headers": {"X-Forwarded-Proto": "https"}}, False),
    ],
)
async def test_plain_http_to_other_machines_is_explained(site, host, options, shown):
    html = unescape((await site.ask("/", host=host, **options)).text)
    assert (f'{{"insecure-registries": ["{host}"]}}' in html) is shown
    assert (f'location = "{host}"\ninsecure = true' in html) is shown
    assert (f'[host."http://{host}"]' in html) is shown
    assert ("server gave HTTP response to HTTPS client" in html) is shown
    assert ("forged images" in html) is shown


@pytest.mark.parametrize(
    ("headers", "language"),
    [
        ({}, "en"),
        ({"Accept-Language": "ko-KR,ko;q=0.9,en;q=0.5"}, "ko"),
        ({"Accept-Language": "fr,en;q=0.3,ko;q=0.8"}, "ko"),
        ({"Accept-Language": "ko;q=0,de"}, "en"),
        ({"Accept-Language": ";;q=x,,*"}, "en"),
        ({"Accept-Language": "ko", "Cookie": "a=b; lang=en"}, "en"),
        ({"Cookie": "lang=xx"}, "en"),
        ({"Cookie": "lang=ko"}, "ko"),
    ],
)
async def test_the_language_is_the_chosen_or_else_the_preferred(site, headers, language):
    for path in ("/", "/nothing"):
        page = await site.ask(path, headers=headers)
        assert page.headers["content-language"] == language
        assert f'<html lang="{language}">' in page.text


async def test_switching_the_language_sets_a_cookie_and_stays_on_the_page(site):
    await site.push("acme/app", image("app"), "1")
    answer = await site.ask("/repositories/acme/app?tag=1&lang=ko")
    assert (answer.status_code, answer.headers["location"]) == (303, "/repositories/acme/app?tag=1")
    assert answer.headers["set-cookie"] == "lang=ko; HttpOnly; Max-Age=31536000; Path=/; SameSite=lax"
    assert "Secure" in (await site.ask("/?lang=en", scheme="https")).headers["set-cookie"]
    assert (await site.ask("/?lang=xx")).status_code == 200
    assert (await site.ask("//evil.example?lang=ko")).status_code == 404


async def test_head_is_answered_as_get_is(site):
    assert (await site.ask("/", "HEAD")).status_code == 200


async def test_another_method_is_refused_with_those_that_are_right(site):
    page = await site.ask("/", "POST")
    assert page.status_code == 405
    assert page.headers["allow"] == "GET, HEAD"
    assert "Pages take GET" in page.text


def test_a_page_without_a_need_cannot_be_made():
    with pytest.raises(TypeError):
        Route("GET", "/new", page=ROUTES[0].page)


async def test_access_is_enforced_before_the_page(site, monkeypatch):
    await site.push("app", image("app"), "1")
    asked = []

    async def refuse(_principal, _registry, access):
        asked.append((access.action, access.repository))
        return Decision(Outcome.DENIED, "you may not")

    monkeypatch.setattr(site.edge._doors[0][1]._services.authorization, "decide", refuse)
    for path, status in (("/", 403), ("/repositories/app", 404), ("/repositories/none", 404)):
        assert (await site.ask(path)).status_code == status
    assert asked == [
        (Action.LIST, None),
        (Action.PULL, "app"),
        (Action.PULL, "app"),
        (Action.PULL, "none"),
        (Action.PULL, "none"),
    ]


async def test_an_unexpected_failure_is_a_page_that_tells_nothing(site, monkeypatch):
    async def fail(*_):
        message = "secret"
        raise RuntimeError(message)

    monkeypatch.setattr(site.edge._doors[0][1]._services.repositories, "browse", fail)
    page = await site.ask("/")
    assert page.status_code == 500
    assert "Something broke" in page.text
    assert '<p lang="ko">' in page.text
    assert page.headers["x-request-id"] in page.text
    assert "secret" not in page.text


async def test_a_request_that_cannot_be_read_gets_a_page(site):
    page = await site.ask("/", headers={"host": "another.example"})
    assert page.status_code == 400
    assert "Not understood" in page.text
    assert "comes twice" in page.text


@pytest.mark.parametrize("text", ["http://[", "//[::", "http://[::1"])
@pytest.mark.parametrize("header", ["Origin", "Referer"])
async def test_a_form_from_an_address_that_is_none_is_refused(site, header, text):
    await user(site, "ann")
    for path in ("/sign-in", "/profile"):
        answer = await site.ask(path, "POST", headers={header: text}, data={"name": "ann"})
        assert answer.status_code in {303, 403}
        assert answer.headers.get("location", "/sign-in") == "/sign-in"


@pytest.mark.parametrize("host", ["[", "[::1", "[::1]x", 'a"b', "a b"])
async def test_a_host_that_is_none_breaks_no_page(site, host):
    await user(site, "ann")
    ann = Browser(site)
    await ann.sign_in()
    for path in ("/", "/sign-in/passkey", "/profile/second-factor", "/profile/second-factor/passkey"):
        assert (await ann.get(path, host=host)).status_code < 500
