# SPDX-License-Identifier: Apache-2.0
"""Every text has a translation, and each language writes numbers, sizes and times in its own way."""

import ast
import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import wharfinger
from wharfinger.clock import DAY, HOUR, SECOND, Instant
from wharfinger.console.languages import CODES, Several, catalogs, load
from wharfinger.domain.access import Action
from wharfinger.domain.management import Matter, Target, Task
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.trust import title
from wharfinger.domain.verification import Scope
from wharfinger.services.authorization import in_words
from wharfinger.web.access import task_in_words

PACKAGE = Path(wharfinger.__file__).parent
SOURCES = PACKAGE / "console"
KEYWORDS = {"_": None, "mark": None, "gettext": None, "ngettext": (1, 2), "Several": (1, 2), "Sentence": None}
OF_NO_PAGE = (
    "distribution_api/", "management_api/", "cli/", "server/", "settings/", "recovery.py", "sign_in.py", "storage.py",
    "domain/manifests.py", "domain/scopes.py", "domain/uploads.py",
    "services/ingest.py", "services/tokens.py", "blobstore/memory.py", "web/bodies.py",
)  # fmt: skip
"""Whose sentences only clients, programs and terminals read: they stay English."""
MADE_ELSEWHERE = {"domain/errors.py", "services/trust.py"}
"""Where a sentence is made of a template that is written as a sentence or a constant beside it."""
NOW = Instant(1_790_000_000 * SECOND)


def written():
    """Every text in templates and code that has words."""
    methods = [("**.html", "jinja2"), ("**.py", "python")]
    found = extract_from_dir(PACKAGE, methods, keywords=KEYWORDS)
    return {message for file, _, message, _, _ in found if not file.startswith(OF_NO_PAGE) and has_words(message)}


def has_words(message):
    """Whether something is left to translate besides the places."""
    text = message if isinstance(message, str) else message[0]
    return re.search(r"[A-Za-z]", re.sub(r"%\(\w+\)[sr]", "", text)) is not None


def translations_of(code):
    """Every message of every file of a language."""
    for path in catalogs(code):
        with path.open("rb") as file:
            yield from (one for one in read_po(file, locale=code, abort_invalid=True) if one.id)


@pytest.mark.parametrize("code", CODES[1:])
def test_every_text_is_translated_and_no_translation_is_left_over(code):
    messages = {message.id: message for message in translations_of(code)}
    assert written() == {one for one in messages if has_words(one)}, "the catalogs and the texts differ"
    for message in messages.values():
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        assert all(strings), f"{message.id!r} has no translation"
        assert not message.fuzzy, f"{message.id!r} is fuzzy"


@pytest.mark.parametrize("code", CODES[1:])
def test_a_text_that_several_areas_use_is_translated_in_one_way(code):
    seen = {}
    for message in translations_of(code):
        assert seen.setdefault(message.id, message.string) == message.string, message.id


@pytest.mark.parametrize("code", CODES[1:])
def test_translations_hold_the_same_places_and_the_same_code(code):
    for message in translations_of(code):
        if isinstance(message.id, str):
            for pattern in (r"%\(\w+\)[sr]", r"<code>.*?</code>", r"<(?!q)/?[a-z][^>]*>"):
                assert sorted(re.findall(pattern, message.id)) == sorted(re.findall(pattern, message.string)), (
                    message.id
                )


def test_a_sentence_is_written_where_it_is_made_so_that_its_template_is_found():
    astray = set()
    for file in PACKAGE.rglob("*.py"):
        calls = [one for one in ast.walk(ast.parse(file.read_text())) if isinstance(one, ast.Call)]
        made = [one for one in calls if isinstance(one.func, ast.Name) and one.func.id == "Sentence"]
        if not all(isinstance(one.args[0], ast.Constant) for one in made):
            astray.add(str(file.relative_to(PACKAGE)))
    assert astray == MADE_ELSEWHERE


def test_no_template_says_something_outside_the_catalog():
    tool_names = {"Wharfinger", "Docker Engine", "podman, buildah, skopeo", "containerd, Kubernetes", "GET", "UTC"}
    for file in SOURCES.glob("templates/**/*.html"):
        text = re.sub(
            r"\{#.*?#\}|\{%-?\s*trans.*?endtrans\s*-?%\}|\{\{.*?\}\}|\{%.*?%\}", "", file.read_text(), flags=re.DOTALL
        )
        text = re.sub(r"<pre.*?</pre>|<code>.*?</code>|<[^>]*>|&[a-z#0-9]+;|\{\{|\}\}", "\n", text, flags=re.DOTALL)
        left = {line.strip(" ·") for line in text.splitlines()} - tool_names - {""}
        assert not {line for line in left if re.search(r"[A-Za-z]{2}", line)}, file.name


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (1234, "1.23 kB"), (56_780, "56.8 kB"), (7_340_032, "7.34 MB"),
     (123_456_789_012, "123 GB"), (10**21, "1,000 EB")],
)  # fmt: skip
def test_sizes_have_three_figures(size, shown):
    assert load()["en"].size(size).replace("\N{NO-BREAK SPACE}", " ") == shown


@pytest.mark.parametrize(
    ("number", "english", "korean"),
    [(0, "0 blobs", "블롭 0개"), (1, "1 blob", "블롭 1개"), (1234, "1,234 blobs", "블롭 1,234개")],
)
def test_each_language_counts_in_its_own_way(number, english, korean):
    languages, counted = load(), Several("%(num)s blob", "%(num)s blobs", number)
    assert (languages["en"].several(counted), languages["ko"].several(counted)) == (english, korean)


@pytest.mark.parametrize(
    ("ago", "english", "korean"),
    [
        (-HOUR, "1 second ago", "1초 전"),
        (90 * SECOND, "2 minutes ago", "2분 전"),
        (3 * HOUR, "3 hours ago", "3시간 전"),
        (31 * DAY, "Aug 21, 2026", "2026. 8. 21."),
    ],
)
def test_times_are_written_as_people_say_them(ago, english, korean):
    languages = load()
    then = Instant(NOW - ago)
    assert languages["en"].when(then, NOW) == english
    assert languages["ko"].when(then, NOW) == korean


def test_an_exact_time_is_written_as_people_write_it():
    languages = load()
    said = {code: languages[code].moment(NOW).replace("\N{NARROW NO-BREAK SPACE}", " ") for code in CODES}
    assert said == {"en": "Sep 21, 2026, 2:13:20 PM UTC", "ko": "2026. 9. 21. 14:13:20 UTC"}


async def test_the_console_speaks_korean(site):
    page = await site.ask("/", headers={"Accept-Language": "ko"})
    assert "아직 아무것도 없습니다" in page.text
    assert "Nothing here yet" not in page.text


@pytest.mark.parametrize(
    ("sentence", "korean"),
    [
        (in_words(Action.PUSH, "acme/app"), "acme/app 푸시"),
        (title(7, "builds"), "신뢰 규칙 7(builds)"),
        (Scope(repository=RepositoryName("acme/app")).words, "저장소 acme/app"),
        (Scope().words, "모두"),
    ],
)
def test_what_stands_inside_a_refusal_is_translated_too(sentence, korean):
    assert sentence.said(load()["ko"].translations.gettext) == korean


def test_both_forms_of_a_particle_stay_on_one_line():
    korean = load()["ko"].translations.gettext
    assert korean("%(name)s is deleted.") == "%(name)s을\N{WORD JOINER}(를) 삭제했습니다."
    assert "s\N{WORD JOINER}(으)\N{WORD JOINER}로" in korean("Sign in with %(name)s")
    loose = re.compile(r"(?<!\N{WORD JOINER})\([가이는은를을과와으]\)")
    assert not [one.id for one in translations_of("ko") if isinstance(one.id, str) and loose.search(korean(one.id))]


@pytest.mark.parametrize("target", Target)
@pytest.mark.parametrize("task", Task)
def test_every_task_on_everything_has_its_korean_words(task, target):
    translate = load()["ko"].translations.gettext
    assert not re.search(r"[A-Za-z]", task_in_words(Matter(task, target)).said(translate))
    assert task_in_words(Matter(task, target, "acme")).said(translate).startswith("acme")
