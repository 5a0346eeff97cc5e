# SPDX-License-Identifier: Apache-2.0
"""The console as a person meets it: in Chromium, over a socket, at several sizes, in light and dark, by keyboard."""

import re
from contextlib import contextmanager

import pytest
from playwright.sync_api import sync_playwright

from tests.console.registry import push
from tests.support.images import artifact, image, platforms
from tests.support.passwords import sign_in_by, write_users
from tests.support.server import Servers

pytestmark = pytest.mark.slow
CHROMIUM = "/usr/bin/chromium"
ELSEWHERE = "registry.example"
"""A host that the browser finds on this machine, and takes for another one."""
ARGUMENTS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-gpu",
    f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1",
)
UNTRUSTED = "The Cross-Origin-Opener-Policy header has been ignored"
"""Said of every page on plain HTTP from another machine; a proxy may still have spoken TLS, so the header is sent."""
LONG = "a-namespace-of-considerable-length/with-a-repository/whose_name.goes-on-and-on-for-quite-a-while"
HOSTILE = '"><img src=x onerror="document.title=1"><script>document.title=2</script>'
SIZES = [(360, 740), (768, 1024), (1440, 900), (2560, 1300)]
CONTRAST = """
() => {
  const channel = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const colour = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const found = colour(getComputedStyle(element).backgroundColor);
      if (found.length < 4 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const weak = [];
  for (let node = texts.nextNode(); node; node = texts.nextNode()) {
    const element = node.parentElement;
    if (!node.textContent.trim() || !element.checkVisibility()) continue;
    const pair = [light(colour(getComputedStyle(element).color)), light(behind(element))].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (ratio < 4.5) weak.push(`${node.textContent.trim()}: ${ratio.toFixed(2)}`);
  }
  return weak;
}
"""
UNNAMED = """
() => [...document.querySelectorAll("a, button, summary, table, nav, section, main ~ aside, img")]
  .filter((one) => one.localName === "img"
    ? !one.hasAttribute("alt")
    : one.localName === "table"
      ? !one.caption
      : ["nav", "section"].includes(one.localName)
        ? !one.ariaLabel && !one.hasAttribute("aria-labelledby") && !one.querySelector("h1")
        : !(one.ariaLabel || one.textContent.trim()))
  .map((one) => one.outerHTML.slice(0, 120))
"""


@pytest.fixture(scope="module")
def browser():
    """A browser for this module alone: while it is there, no test can have an event loop of its own."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def registry(tmp_path_factory):

    servers = Servers(tmp_path_factory.mktemp("console"))
    server = servers()
    for name in ("acme/app", "hello", LONG):
        push(server.url, name, image(name), "1.0")
    push(server.url, "acme/app", platforms("app"), "1.1", "latest")
    push(server.url, "acme/app", artifact(b"x", kind=HOSTILE), "odd")
    yield server
    servers.stop()


@contextmanager
def page_of(browser, width=1440, height=900, *, refused=False, **options):
    """A page in a context of its own; in the end it must not have complained of anything but a refusal it expects."""
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    page = context.new_page()
    complaints = []
    expected = [UNTRUSTED, *(["status of 401"] if refused else [])]
    page.on("console", lambda said: any(one in said.text for one in expected) or complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(request.url))
    yield page
    context.close()
    assert not complaints


def local(server, path="/"):
    return f"http://localhost:{server.port}{path}"


def test_a_pushed_image_is_seen_and_its_commands_are_found(browser, registry):
    with page_of(browser) as page:
        page.goto(local(registry))
        page.get_by_role("link", name="acme/app").click()
        page.wait_for_url("**/repositories/acme/app")
        page.get_by_role("link", name="1.0", exact=True).click()
        assert page.get_by_role("heading", name="Pull 1.0").is_visible()
        assert page.get_by_text(f"docker pull localhost:{registry.port}/acme/app:1.0").is_visible()
        assert page.locator("tr.chosen").inner_text().startswith("1.0")


def test_what_a_pusher_wrote_executes_nothing(browser, registry):
    with page_of(browser) as page:
        page.goto(local(registry, "/repositories/acme/app?tag=odd"))
        assert HOSTILE in page.locator("tr.chosen").inner_text()
        assert page.title() == "acme/app · Wharfinger"
        assert page.locator("img[src=x]").count() == 0


def test_a_copy_button_copies_the_command(browser, registry):
    with page_of(browser, permissions=["clipboard-read", "clipboard-write"]) as page:
        page.goto(local(registry))
        page.get_by_role("button", name=re.compile("^Copy: docker tag")).click()
        page.get_by_role("status").get_by_text("Copied").wait_for()
        place = f"localhost:{registry.port}/hello"
        assert page.evaluate("navigator.clipboard.readText()") == f"docker tag hello {place} && docker push {place}"


def test_where_the_clipboard_is_refused_the_command_is_selected(browser, registry):
    with page_of(browser) as page:
        page.goto(local(registry))
        page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
        page.get_by_role("button", name=re.compile("^Copy: podman")).click()
        page.get_by_text("Selected: now press Ctrl+C").wait_for(state="attached")
        assert page.evaluate("getSelection().toString()").startswith("podman push")


def test_on_plain_http_from_another_machine_there_are_no_buttons_and_the_way_is_shown(browser, registry):
    with page_of(browser) as page:
        page.goto(f"http://{ELSEWHERE}:{registry.port}/")
        assert page.locator("button").count() == 0
        page.get_by_text("Show how").click()
        assert page.get_by_text(f'{{"insecure-registries": ["{ELSEWHERE}:{registry.port}"]}}').is_visible()
        assert page.get_by_text("forged images").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("host", ["localhost", ELSEWHERE])
def test_every_text_has_contrast_and_everything_a_name(browser, registry, scheme, host):
    with page_of(browser, color_scheme=scheme, extra_http_headers={"X-Forwarded-For": "10.1.2.3"}) as page:
        for path in ("/", "/repositories/acme/app"):
            page.goto(f"http://{host}:{registry.port}{path}")
            for details in page.locator("details").all():
                details.locator("summary").click()
            assert page.evaluate(CONTRAST) == []
            assert page.evaluate(UNNAMED) == []
            assert page.locator("h1").count() == page.locator("main").count() == page.locator("header").count() == 1


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("language", ["en", "ko"])
def test_nothing_sticks_out_at_any_width(browser, registry, width, height, language):
    with page_of(browser, width, height, locale=language, extra_http_headers={"X-Forwarded-For": "10.1.2.3"}) as page:
        for host in ("localhost", ELSEWHERE):
            for path in ("/", "/repositories/acme/app", f"/repositories/{LONG}"):
                page.goto(f"http://{host}:{registry.port}{path}")
                for details in page.locator("details").all():
                    details.locator("summary").click()
                assert page.evaluate("document.documentElement.lang") == language
                assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_dark_is_dark_and_light_is_light(browser, registry):
    grounds = {}
    for scheme in ("light", "dark"):
        with page_of(browser, color_scheme=scheme) as page:
            page.goto(local(registry))
            ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
            grounds[scheme] = max(int(part) for part in re.findall(r"\d+", ground))
    assert grounds["dark"] < 60
    assert grounds["light"] > 240


def test_the_keyboard_reaches_the_content_first_and_shows_where_it_is(browser, registry):
    with page_of(browser) as page:
        page.goto(local(registry))
        page.keyboard.press("Tab")
        skip = page.get_by_role("link", name="Skip to the content")
        assert skip.evaluate("one => one === document.activeElement && one.getBoundingClientRect().top >= 0")
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.textContent.trim()")
        assert focused == LONG
        shown = page.evaluate(
            "(({outlineStyle, outlineWidth}) => [outlineStyle, outlineWidth])(getComputedStyle(document.activeElement))"
        )
        assert shown == ["solid", "2px"]


def test_the_language_is_switched_by_its_link_and_stays(browser, registry):
    with page_of(browser, locale="en-GB") as page:
        page.goto(local(registry, "/repositories/acme/app?tag=1.0"))
        page.get_by_role("link", name="한국어").click()
        page.get_by_role("heading", name="1.0 풀하기").wait_for()
        assert page.url == local(registry, "/repositories/acme/app?tag=1.0")
        page.goto(local(registry))
        assert page.get_by_role("heading", name="저장소", exact=True).is_visible()


def test_without_scripts_everything_is_there(browser, registry):
    with page_of(browser, java_script_enabled=False) as page:
        page.goto(local(registry, "/repositories/acme/app?tag=1.0"))
        assert page.get_by_text(f"docker pull localhost:{registry.port}/acme/app:1.0").is_visible()
        assert page.locator("button").count() == 0


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A registry with a password file."""
    folder = tmp_path_factory.mktemp("guarded")
    servers = Servers(folder)
    server = servers(environment=sign_in_by(write_users(folder / "users", ann="right")))
    push(server.url, "team/app", image("app"), "1.0", auth=("ann", "right"))
    yield server
    servers.stop()


@pytest.mark.parametrize(("locale", "title"), [("en-GB", "Sign in first"), ("ko-KR", "먼저 로그인하세요")])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_who_gives_the_prompt_a_wrong_answer_sees_what_to_do(browser, guarded, locale, title, scheme):
    wrong = {"username": "ann", "password": "wrong"}
    with page_of(browser, locale=locale, color_scheme=scheme, http_credentials=wrong, refused=True) as page:
        page.goto(local(guarded))
        assert page.get_by_role("heading", name=title).is_visible()
        assert page.get_by_text("The user name or the password is wrong.").is_visible()
        assert "team/app" not in page.content()
        assert page.evaluate(CONTRAST) == []
        assert page.evaluate(UNNAMED) == []


def test_who_answers_the_prompt_sees_the_list(browser, guarded):
    with page_of(browser, http_credentials={"username": "ann", "password": "right"}) as page:
        page.goto(local(guarded))
        page.get_by_role("link", name="team/app").click()
        assert page.get_by_text(f"docker pull localhost:{guarded.port}/team/app:1.0").is_visible()
