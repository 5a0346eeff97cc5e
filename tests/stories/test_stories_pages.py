# SPDX-License-Identifier: Apache-2.0
"""Every page of the console, in a registry that has something of everything: who sees it, in which language, how heavy
it is, and in a browser what stands in whose way. A new page needs a line in `table.py`, and nothing else.
"""

import re
from html import unescape
from html.parser import HTMLParser

import pytest

from tests.stories.table import table
from tests.stories.town import PEOPLE
from tests.support.pages import DESK, PHONE, page_in, require_open
from wharfinger.console.assets import Assets
from wharfinger.console.languages import catalogs
from wharfinger.console.routes import ROUTES

TABLE = table()
SHOWN = sorted(path for path, letters in TABLE.items() if letters[1] == "Y")
"""What the manager of the deployment sees."""
LETTERS = {200: "Y", 400: "B", 403: "D", 404: "N"}
HEAVIEST = 100_000
ASKED = ("after", "before", "digest", "from", "last", "q", "since")
LONG_NUMBER = "9" * 30
"""A number to Python, and none to a database."""
WIDEST = (2560, 1300)
WAYS = ((PHONE, "dark", "ko-KR"), (DESK, "light", "en-US"), (WIDEST, "dark", "en-US"))
OUT_OF_REACH = """
() => [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")]
  .filter((one) => one.checkVisibility({visibilityProperty: true}) && !one.disabled && !one.closest("[role=listbox]"))
  .filter((one) => { one.focus(); return document.activeElement !== one || one.tabIndex < 0; })
  .map((one) => one.outerHTML.slice(0, 200))
"""


def letter(answer):
    if answer.status_code == 303:
        return "S" if answer.headers["Location"].startswith("/sign-in") else "H"
    if "Content-Disposition" in answer.headers:
        return "F"
    return LETTERS.get(answer.status_code, answer.status_code)


def test_every_page_is_in_the_table():
    assert {route.path for route in ROUTES if route.method == "GET"} == set(TABLE)


@pytest.mark.parametrize("path", sorted(TABLE))
def test_a_page_is_there_for_whom_the_table_says(town, path):
    address = town.address(path)
    found = [letter(town.ask(address, who)) for who in (None, *PEOPLE)]
    assert found == list(TABLE[path])


@pytest.fixture(scope="module")
def english():
    """Every English text that has a Korean one, and no place to fill in; long enough not to be a name by chance."""
    from babel.messages.pofile import read_po  # noqa: PLC0415 - a slow module, for this alone

    found = set()
    for file in catalogs("ko"):
        with file.open("rb") as opened:
            found |= {
                text
                for message in read_po(opened)
                for text in (message.id if isinstance(message.id, tuple) else (message.id,))
                if len(text) > 12 and "%" not in text and "<" not in text and message.string != text
            }
    return found


@pytest.mark.parametrize("path", SHOWN)
def test_a_page_in_korean_has_no_english_sentence(town, english, path):
    page = town.ask(town.address(path), "max", language="ko").text
    assert '<html lang="ko"' in page
    page = re.sub(r'<(span|p|td|li)\b[^>]* lang="en"[^>]*>.*?</\1>', "\n", page, flags=re.DOTALL)  # as the log has it
    shown = re.sub(r"<(code|pre)\b.*?</\1>|<(?!/?(?:code|pre)\b)[^>]*>", "\n", page, flags=re.DOTALL)
    lines = {" ".join(unescape(line).split()) for line in shown.splitlines()}
    assert lines & english == set()


@pytest.mark.parametrize("path", SHOWN)
def test_a_page_weighs_little_with_all_that_it_loads(town, path):
    page = town.ask(town.address(path), "max")
    weight = len(page.content) + sum(len(asset.content) for asset in Assets()._by_path.values())
    assert weight < HEAVIEST


@pytest.mark.parametrize("path", SHOWN)
def test_a_page_takes_whatever_stands_after_the_question_mark(town, path):
    address = town.address(path).partition("?")[0]
    for name in ASKED:
        for text in (LONG_NUMBER, "\u0663"):
            answer = town.ask(address, "max", params={name: text})
            assert answer.status_code < 500, (name, text)


class Suspicions(HTMLParser):
    """Reads a page, and notes what would run, load from elsewhere, or send somewhere else."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        address = (given.get("href") or given.get("src") or given.get("action") or "").strip().lower()
        if (
            tag in {"iframe", "object", "embed", "style", "base", "svg:script"}
            or (tag == "script" and not address.startswith("/static/"))
            or any(name.startswith("on") or name in {"style", "srcdoc"} for name in given)
            or re.match(r"(?!https?:)[a-z]+:", address)
            or (tag == "form" and address and not address.startswith("/"))
        ):
            self.found.append(self.get_starttag_text())


@pytest.mark.parametrize("path", SHOWN)
def test_hostile_words_stay_words(town, path):
    suspicions = Suspicions()
    suspicions.feed(town.ask(town.address(path), "max").text)
    assert suspicions.found == []


@pytest.mark.slow
@pytest.mark.parametrize(("size", "theme", "language"), WAYS, ids=["phone", "desk", "wide"])
def test_no_page_stands_in_anybodys_way(town, chromium, size, theme, language):
    """On every page: no complaint, no alarm, no barrier, nothing wider than the window, and all within reach of Tab."""
    with page_in(
        chromium, size, color_scheme=theme, locale=language, cookies=town.cookies_of("max"), expected=()
    ) as page:
        page.on("dialog", lambda dialog: pytest.fail(f"{page.url} opened a dialog: {dialog.message}"))
        for path in SHOWN:
            page.goto(town.url + town.address(path))
            require_open(page)
            assert page.evaluate(OUT_OF_REACH) == [], page.url
