# SPDX-License-Identifier: Apache-2.0
"""What a repository says of itself: descriptions of one line, and one text for each source."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfinger.domain.errors import RepositoryInvalid
from wharfinger.domain.repositories import (
    MAX_FULL_DESCRIPTION,
    SOURCE_ANNOTATION,
    parse_description,
    parse_full_description,
    parse_source,
    source_of,
)

GITHUB = "https://github.com/acme/app"


@pytest.mark.parametrize(
    ("text", "description"), [("  An app ", "An app"), ("", ""), ("   ", ""), ("가" * 100, "가" * 100)]
)
def test_a_description_is_one_line_of_up_to_a_hundred_characters(text, description):
    assert parse_description(text) == description


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x" * 101, "101 characters, and at most 100"),
        ("a\nb", "one line"),
        ("a\0b", "printed"),
        ("a\u202eb", "printed"),
    ],
)
def test_a_longer_description_and_a_strange_one_are_refused_with_the_reason(text, why):
    with pytest.raises(RepositoryInvalid, match=why):
        parse_description(text)


@pytest.mark.parametrize(
    ("text", "description"),
    [("# App\r\n\r\nline\rnext\t!\n\n", "# App\n\nline\nnext\t!"), (" \n ", ""), ("가" * 25_000, "가" * 25_000)],
    ids=["lines", "nothing", "the longest"],
)
def test_a_full_description_has_lines_that_end_in_one_way(text, description):
    assert parse_full_description(text) == description


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x" * (MAX_FULL_DESCRIPTION + 1), "25,001 characters, and at most 25,000"),
        ("a\nb\0c", r"Line 2 .* U\+0000"),
        ("\x1b[31m", r"Line 1 .* U\+001B"),
        ("\ud800", r"U\+D800"),
    ],
    ids=["too long", "nul", "escape", "half a character"],
)
def test_a_full_description_that_no_page_can_show_is_refused_with_the_reason(text, why):
    with pytest.raises(RepositoryInvalid, match=why):
        parse_full_description(text)


@pytest.mark.parametrize(
    "text",
    [GITHUB, f" {GITHUB}/ ", f"{GITHUB}.git", "https://GitHub.COM/acme/app", "git@github.com:acme/app.git",
     "git@github.com:/acme/app", "ssh://git@github.com/acme/app.git", "ssh://git@github.com:22/acme/app",
     "git+https://github.com/acme/app", "git+ssh://git@github.com/acme/app.git", "git://github.com/acme/app"],
)  # fmt: skip
def test_one_source_is_one_text_however_it_is_written(text):
    assert parse_source(text) == GITHUB


@pytest.mark.parametrize(
    ("text", "source"),
    [("http://git.local:3000/a/b", "http://git.local:3000/a/b"), ("", ""), ("  ", ""),
     ("https://git.example.com:8443/group/sub/app.git", "https://git.example.com:8443/group/sub/app"),
     ("https://github.com/acme/app/tree/main/server", "https://github.com/acme/app/tree/main/server")],
)  # fmt: skip
def test_other_sources_stay_as_they_are(text, source):
    assert parse_source(text) == source


@pytest.mark.parametrize(
    "text",
    ["acme/app", "github.com/acme/app", "https://", "https://github.com", "https://github.com/", "file:///srv/git",
     "javascript:alert(1)", "https://canary:canary@github.com/a/b", "https://canary@github.com/a/b",
     "ssh://git:canary@github.com/a/b", "https://github.com/a b", "https://github.com/a?x=canary", f"{GITHUB}#canary",
     "https://github.com/a\nb", "https://[::1/a", "https://github.com:x/a", "https://g\u0131thub.com/a", "x" * 300,
     "https://github.com/" + "a" * 255],
)  # fmt: skip
def test_what_is_no_source_is_refused_and_not_repeated(text):
    with pytest.raises(RepositoryInvalid) as caught:
        parse_source(text)
    assert "https://github.com/acme/app" in caught.value.message
    assert "canary" not in caught.value.message


@given(st.text())
def test_whatever_is_written_a_source_is_refused_or_is_its_own_form(text):
    try:
        source = parse_source(text)
    except RepositoryInvalid:
        return
    assert parse_source(source) == source
    assert source.isprintable()


def test_a_manifest_names_its_source_in_an_annotation():
    assert source_of({SOURCE_ANNOTATION: f"{GITHUB}.git", "other": "x"}) == GITHUB
    assert source_of({}) is None
    assert source_of({SOURCE_ANNOTATION: ""}) is None
    assert source_of({SOURCE_ANNOTATION: "my laptop"}) is None
