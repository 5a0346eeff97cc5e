# SPDX-License-Identifier: Apache-2.0
"""The console as a person meets it: in Chromium, over a socket, at several sizes, in light and dark, by keyboard."""

import re

import pytest

from tests.console.registry import push
from tests.support.images import artifact, image, platforms
from tests.support.pages import DESK, ELSEWHERE, PHONE, SIZES, page_in, require_open
from tests.support.passwords import sign_in_by, write_users
from tests.support.server import Servers

pytestmark = pytest.mark.slow
LONG = "a-namespace-of-considerable-length/with-a-repository/whose_name.goes-on-and-on-for-quite-a-while"
HOSTILE = '"><img src=x onerror="document.title=1"><script>document.title=2</script>'
PROXIED = {"extra_http_headers": {"X-Forwarded-For": "10.1.2.3"}}
"""An open registry then says that it is open."""


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    servers = Servers(tmp_path_factory.mktemp("console"))
    server = servers()
    for name in ("acme/app", "hello", LONG):
        push(server.url, name, image(name), "1.0")
    push(server.url, "acme/app", platforms("app"), "1.1", "latest")
    push(server.url, "acme/odd", artifact(b"x", kind=HOSTILE), "odd")
    yield server
    servers.stop()


def local(server, path="/"):
    return f"http://localhost:{server.port}{path}"


def test_a_pushed_image_is_seen_and_its_commands_are_found(chromium, registry):
    with page_in(chromium) as page:
        page.goto(local(registry))
        page.get_by_role("link", name="acme/app").click()
        page.wait_for_url("**/repositories/acme/app")
        assert page.get_by_role("heading", name="acme/app").is_visible()
        assert page.get_by_text(f"docker pull localhost:{registry.port}/acme/app:latest").first.is_visible()


def test_what_a_pusher_wrote_executes_nothing(chromium, registry):
    with page_in(chromium) as page:
        page.goto(local(registry, "/repositories/acme/odd"))
        assert HOSTILE in page.locator("main").inner_text()
        assert page.title() == "acme/odd · Wharfinger"
        assert page.locator("img[src=x]").count() == 0


def test_a_copy_button_copies_the_command(chromium, registry):
    with page_in(chromium, permissions=["clipboard-read", "clipboard-write"]) as page:
        page.goto(local(registry))
        page.get_by_role("button", name=re.compile("^Copy: docker tag")).click()
        page.get_by_role("status").get_by_text("Copied").wait_for()
        place = f"localhost:{registry.port}/hello"
        assert page.evaluate("navigator.clipboard.readText()") == f"docker tag hello {place} && docker push {place}"


def test_where_the_clipboard_is_refused_the_command_is_selected(chromium, registry):
    with page_in(chromium) as page:
        page.goto(local(registry))
        page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
        page.get_by_role("button", name=re.compile("^Copy: podman")).click()
        page.get_by_text("Selected: now press Ctrl+C").wait_for(state="attached")
        assert page.evaluate("getSelection().toString()").startswith("podman push")


def test_on_plain_http_from_another_machine_nothing_is_copied_and_the_way_is_shown(chromium, registry):
    with page_in(chromium) as page:
        page.goto(f"http://{ELSEWHERE}:{registry.port}/")
        assert page.locator("button.copy").count() == 0
        page.get_by_text("Show how").click()
        assert page.get_by_text(f'{{"insecure-registries": ["{ELSEWHERE}:{registry.port}"]}}').is_visible()
        assert page.get_by_text("forged images").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_nothing_on_a_page_stands_in_somebodys_way(chromium, registry, scheme, size):
    with page_in(chromium, size, color_scheme=scheme, expected=["status of 404"], **PROXIED) as page:
        for host, path in (("localhost", "/"), (ELSEWHERE, "/?q=acme"), ("localhost", "/accounts/acme"),
                           ("localhost", "/nothing")):  # fmt: skip
            page.goto(f"http://{host}:{registry.port}{path}")
            for details in page.locator("main details, aside details").all():
                details.locator("summary").click()
            require_open(page)
            assert page.locator("h1").count() == page.locator("main").count() == page.locator("header").count() == 1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", ["en", "ko"])
def test_nothing_sticks_out_at_any_width(chromium, registry, size, language):
    with page_in(chromium, size, locale=language, **PROXIED) as page:
        for path in ("/", f"/repositories/{LONG}", "/accounts/a-namespace-of-considerable-length"):
            page.goto(f"http://{ELSEWHERE}:{registry.port}{path}")
            for details in page.locator("main details, aside details").all():
                details.locator("summary").click()
            assert page.evaluate("document.documentElement.lang") == language
            assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def ground(page):
    """How light the page is, from 0 to 255."""
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return max(int(part) for part in re.findall(r"\d+", colour)[:3])


def test_dark_is_dark_and_light_is_light_and_the_visitor_has_the_last_word(chromium, registry):
    for scheme, other in (("light", "Dark"), ("dark", "Light")):
        with page_in(chromium, color_scheme=scheme) as page:
            page.goto(local(registry))
            assert (ground(page) < 60) is (scheme == "dark")
            page.get_by_role("link", name=other, exact=True).click()
            page.get_by_role("link", name="System").wait_for()
            assert (ground(page) < 60) is (other == "Dark")
            page.goto(local(registry, "/repositories/acme/app"))
            assert (ground(page) < 60) is (other == "Dark")


def test_the_keyboard_reaches_the_content_first_and_shows_where_it_is(chromium, registry):
    with page_in(chromium) as page:
        page.goto(local(registry))
        page.keyboard.press("Tab")
        skip = page.get_by_role("link", name="Skip to the content")
        assert skip.evaluate("one => one === document.activeElement && one.getBoundingClientRect().top >= 0")
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('main') !== null")
        shown = page.evaluate(
            "(({outlineStyle, outlineWidth}) => [outlineStyle, outlineWidth])(getComputedStyle(document.activeElement))"
        )
        assert shown == ["solid", "2px"]


def test_a_slash_leads_to_the_search_and_is_a_slash_while_somebody_types(chromium, registry):
    with page_in(chromium) as page:
        page.goto(local(registry))
        page.keyboard.press("/")
        field = page.get_by_role("banner").locator("input[type=search]")
        assert field.evaluate("one => one === document.activeElement")
        page.keyboard.type("a/b")
        assert field.input_value() == "a/b"


def test_the_list_follows_what_is_typed_and_the_address_follows_the_list(chromium, registry):
    with page_in(chromium) as page:
        page.goto(local(registry))
        page.get_by_label("Name or description").fill("hell")
        page.wait_for_url("**/?q=hell")
        assert page.locator("#listing tbody tr").count() == 1
        assert page.get_by_role("status").inner_text() == "1 repository on this page"
        page.reload()
        assert page.locator("#listing tbody tr").count() == 1
        page.get_by_label("Name or description").fill("")
        page.wait_for_url(local(registry))
        assert page.locator("#listing tbody tr").count() == 4


def test_what_cannot_be_taken_back_is_asked_in_a_dialog(chromium, registry):
    push(registry.url, "acme/gone", image("gone"), "1")
    with page_in(chromium, expected=["status of 400"]) as page:
        page.goto(local(registry, "/repositories/acme/gone/-/settings"))
        link = page.locator("a[data-confirm]").last
        link.click()
        dialog = page.get_by_role("dialog")
        dialog.wait_for()
        require_open(page)
        page.keyboard.press("Escape")
        dialog.wait_for(state="detached")
        assert link.evaluate("one => one === document.activeElement")
        link.click()
        dialog.get_by_role("link", name="Cancel").click()
        dialog.wait_for(state="detached")
        link.click()
        dialog.get_by_role("textbox").fill("acme/gone")
        dialog.get_by_role("button").click()
        page.locator("[data-flash]").wait_for()
        assert "acme/gone" in page.locator("[data-flash]").inner_text()
        page.reload()
        assert page.locator("[data-flash]").count() == 0


def test_the_language_is_switched_by_its_link_and_stays(chromium, registry):
    with page_in(chromium, locale="en-GB") as page:
        page.goto(local(registry, "/?q=acme"))
        page.get_by_role("link", name="한국어").click()
        page.get_by_role("heading", name="저장소", exact=True).wait_for()
        assert page.url == local(registry, "/?q=acme")
        page.goto(local(registry))
        assert page.get_by_role("heading", name="저장소", exact=True).is_visible()


def test_without_scripts_everything_is_there(chromium, registry):
    with page_in(chromium, java_script_enabled=False) as page:
        page.goto(local(registry))
        page.get_by_label("Name or description").fill("acme/app")
        page.get_by_role("button", name="Filter").click()
        page.get_by_role("link", name="acme/app").click()
        assert page.get_by_text(f"docker pull localhost:{registry.port}/acme/app:latest").first.is_visible()
        page.goto(local(registry, "/repositories/hello/-/settings"))
        page.locator("a[data-confirm]").last.click()
        assert page.locator("[data-confirmation] h1").is_visible()
        page.get_by_role("link", name="Cancel").click()
        assert page.locator("[data-confirmation]").count() == 0


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A registry with a password file."""
    folder = tmp_path_factory.mktemp("guarded")
    servers = Servers(folder)
    server = servers(environment=sign_in_by(write_users(folder / "users", ann="right")))
    push(server.url, "team/app", image("app"), "1.0", auth=("ann", "right"))
    yield server
    servers.stop()


@pytest.mark.parametrize(
    ("locale", "title", "reason"),
    [
        ("en-GB", "Sign in first", "The user name or the password is wrong."),
        ("ko-KR", "먼저 로그인하세요", "사용자 이름이나 비밀번호가 틀렸습니다."),
    ],
)
def test_who_gives_the_prompt_a_wrong_answer_sees_what_to_do(chromium, guarded, locale, title, reason):
    wrong = {"username": "ann", "password": "wrong"}
    with page_in(chromium, locale=locale, http_credentials=wrong, expected=["status of 401"]) as page:
        page.goto(local(guarded))
        assert page.get_by_role("heading", name=title).is_visible()
        assert page.get_by_text(reason).is_visible()
        assert "team/app" not in page.content()
        require_open(page)


def test_who_answers_the_prompt_sees_the_list(chromium, guarded):
    with page_in(chromium, http_credentials={"username": "ann", "password": "right"}) as page:
        page.goto(local(guarded))
        page.get_by_role("link", name="team/app").click()
        assert page.get_by_text(f"docker pull localhost:{guarded.port}/team/app:1.0").first.is_visible()
