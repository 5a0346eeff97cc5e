# SPDX-License-Identifier: Apache-2.0
"""Pages in a real browser: one that complains of nothing, that bars nobody's way, and whose picture can be taken.

A module that wants a browser has it from the fixture `chromium` of `tests/console/conftest.py`.
"""

from contextlib import contextmanager
from pathlib import Path

CHROMIUM = "/usr/bin/chromium"
ELSEWHERE = "registry.example"
"""A host that the browser finds on this machine, and takes for another one."""
ARGUMENTS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-gpu",
    f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1",
)
PHONE, DESK = (360, 740), (1440, 900)
SIZES = (PHONE, (768, 1024), DESK, (2560, 1300))
UNTRUSTED = "The Cross-Origin-Opener-Policy header has been ignored"
"""Said of every page on plain HTTP from another machine; a proxy may still have spoken TLS, so the header is sent."""
AXE = Path(__file__).parent / "axe" / "node_modules" / "axe-core" / "axe.min.js"
_LOOK = """
async () => {
  const found = await axe.run(document, {resultTypes: ["violations"]});
  return found.violations.flatMap((rule) => rule.nodes.map(
    (node) => `${rule.id}: ${rule.help}\\n    ${node.html.slice(0, 200)}\\n    ${node.any.concat(node.all, node.none)
      .map((one) => one.message).join("; ")}`));
}
"""
_WIDER = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@contextmanager
def page_in(chromium, size=DESK, *, expected=(), cookies=(), **options):
    """A page in a context of its own; in the end it must not have complained of anything but what is expected.

    Args:
        chromium: the browser.
        size: of the window.
        expected: parts of complaints that the test provokes, such as `status of 404`.
        cookies: as the context takes them.
        options: more of the context, such as `color_scheme`, `locale`, `java_script_enabled`.
    """
    width, height = size
    context = chromium.new_context(viewport={"width": width, "height": height}, **options)
    context.set_default_timeout(60_000)
    if cookies:
        context.add_cookies(list(cookies))
    page = context.new_page()
    complaints = []
    allowed = (UNTRUSTED, *expected)
    page.on("console", lambda said: any(one in said.text for one in allowed) or complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "requestfailed", lambda request: _was_left(request) or complaints.append(f"{request.url}: {request.failure}")
    )
    try:
        yield page
    finally:
        context.close()
    assert not complaints, "\n".join(complaints)


def _was_left(request):
    """Say whether the browser gave a request up itself, because the page that it was for was left."""
    return request.failure == "net::ERR_ABORTED"


def barriers(page):
    """Return what axe says stands in somebody's way on a page, each with its place."""
    # As an expression of the debugger, it is not bound by the page's policy for scripts, which lets no other one in.
    page.evaluate(AXE.read_text())
    return page.evaluate(_LOOK)


def require_open(page):
    """Fail if a page stands in somebody's way, or is wider than its window."""
    found = barriers(page)
    assert not found, f"{page.url}\n" + "\n".join(found)
    assert page.evaluate(_WIDER) <= 0, f"{page.url} is wider than its window"
