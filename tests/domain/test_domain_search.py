# SPDX-License-Identifier: Apache-2.0
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfinger.domain.search import (
    LONGEST_LABEL,
    MAX_LABEL_TERMS,
    MAX_QUERY,
    MAX_TERMS,
    MAX_WORDS,
    LabelQuery,
    SearchQuery,
    label_terms_of,
    pieces,
    read_query,
    terms_of,
)

SHA = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", SearchQuery()),
        ("  \n", SearchQuery()),
        ("Web", SearchQuery(words=("web",))),
        ("acme/app", SearchQuery(words=("acme/app",))),
        ("web  web server", SearchQuery(words=("web", "server"))),
        ("app:v1", SearchQuery(words=("app",), tag_words=("v1",))),
        (":v1", SearchQuery(tag_words=("v1",))),
        ("app:", SearchQuery(words=("app",))),
        ("abcde", SearchQuery(words=("abcde",))),
        ("decade", SearchQuery(words=("decade",), digests=("sha256:decade", "sha512:decade"))),
        ("ab" * 33, SearchQuery(words=("ab" * 33,), digests=("sha512:" + "ab" * 33,))),
        ("SHA256:ABCDEF", SearchQuery(digests=("sha256:abcdef",))),
        ("sha256:abc", SearchQuery(words=("sha256",), tag_words=("abc",))),
        (SHA, SearchQuery(digests=(SHA,))),
        (f"acme/app@{SHA}", SearchQuery(words=("acme/app",), digests=(SHA,), within=("acme/app",))),
        (f"acme/app:v1@{SHA}", SearchQuery(words=("acme/app",), digests=(SHA,), within=("acme/app",))),
        ("acme/app@", SearchQuery(words=("acme/app",), within=("acme/app",))),
        ("localhost:5000/acme/app:v1", SearchQuery(words=("acme/app",), tag_words=("v1",))),
        ("https://localhost/acme/app", SearchQuery(words=("acme/app",))),
        ("Hub.example.com/acme/app:v1", SearchQuery(words=("acme/app",), tag_words=("v1",))),
        ("other.example.com/acme/app", SearchQuery(words=("other.example.com/acme/app",))),
        ("a\0b\u202ec", SearchQuery(words=("a", "b", "c"))),
        ("label:Team=Shop", SearchQuery(labels=(LabelQuery("=team=shop", is_beginning=False),))),
        ("label:version=1.*", SearchQuery(labels=(LabelQuery("=version=1.", is_beginning=True),))),
        ("label:team web", SearchQuery(words=("web",), labels=(LabelQuery("=team=", is_beginning=True),))),
    ],
)
def test_what_is_typed_or_pasted_is_understood(text, expected):
    assert read_query(text, ["hub.example.com"]) == expected


@given(st.text(max_size=3 * MAX_QUERY))
def test_every_text_is_a_bounded_query(text):
    query = read_query(text)
    words = (*query.words, *query.tag_words, *query.within, *query.digests)
    assert max(len(query.words), len(query.tag_words)) <= MAX_WORDS
    assert all(word.isprintable() and " " not in word for word in words)
    assert query.is_empty == (not words and not query.labels)


def test_a_label_is_found_whole_and_by_the_words_of_its_value():
    assert label_terms_of({"Team": "Shop Front", "org.example.url": "https://shop.example.com", "empty": ""}) == [
        "=team=shop front",
        "=org.example.url=https://shop.example.com",
        "=empty=",
        "shop",
        "front",
    ]
    assert label_terms_of({"built": "2026-11-22T00:00:00Z"}) == ["=built=2026-11-22t00:00:00z"]
    many = label_terms_of({f"name{number}" * 50: "value " * 500 for number in range(500)})
    assert len(many) == MAX_LABEL_TERMS
    assert max(map(len, many)) <= 2 * LONGEST_LABEL + 2


@given(st.text(alphabet=st.characters(exclude_characters="= \t\n*"), min_size=1, max_size=80), st.text(max_size=80))
def test_every_label_without_blanks_is_found_by_itself(name, value):
    text = f"label:{name}={value}"
    if text.split() != [text] or not text.isprintable() or value.endswith("*"):
        return
    (query,) = read_query(text).labels
    assert query.term in label_terms_of({name: value})


def test_a_korean_word_is_the_same_composed_or_not():
    apart = unicodedata.normalize("NFD", "저장소")
    assert apart != "저장소"
    assert read_query(apart) == read_query("저장소")
    assert terms_of([apart]) == terms_of(["저장소"])


def test_a_word_is_found_by_its_beginning_and_korean_by_any_part():
    assert terms_of(["Web-Server, web!"]) == ["web", "server"]
    assert terms_of(["이미지를"]) == ["이미지를", "미지를", "지를", "를"]


def test_terms_are_bounded():
    assert len(terms_of(" ".join(f"w{i}" for i in range(MAX_TERMS)) for _ in range(3))) == MAX_TERMS
    assert max(map(len, terms_of(["가" * 1_000]))) <= 40


def test_what_was_looked_for_is_marked_in_its_own_letters():
    assert pieces("The WebServer of web", ["web"]) == [
        ("The ", False),
        ("Web", True),
        ("Server of ", False),
        ("web", True),
    ]
    assert pieces("a.b axb", ["a.b"]) == [("a.b", True), (" axb", False)]
    assert pieces("apple", ["app", "apple"]) == [("apple", True)]
    assert pieces("text", []) == [("text", False)]


@given(st.text(), st.lists(st.text(max_size=3), max_size=3))
def test_pieces_are_the_whole_text(text, words):
    assert "".join(piece for piece, _ in pieces(text, words)) == text
