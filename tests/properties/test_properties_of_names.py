# SPDX-License-Identifier: Apache-2.0
"""Names, tags and references: everything in the grammar is accepted as it is, everything else is refused with reason.

The oracle beside each parser is a second, slow reading of the grammar that shares nothing with the first.
"""

import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties.strategies import (
    LOWER,
    TAG_FIRST,
    TAG_REST,
    digests,
    hostile_text,
    refusal,
    repository_names,
    tags,
)
from wharfinger.domain.errors import DigestInvalid, ManifestUnknown, NameInvalid, TagInvalid, WharfingerError
from wharfinger.domain.names import (
    is_digest,
    namespace_of,
    parse_reference,
    parse_reference_to_write,
    parse_repository_name,
    parse_tag,
)

PARSERS = (parse_repository_name, parse_tag, parse_reference, parse_reference_to_write)


def is_component(text):
    """Read one part character by character: words of letters and digits, single separators between them."""
    if not text or text[0] not in LOWER or text[-1] not in LOWER:
        return False
    separators, run = [], ""
    for character in text:
        if character in LOWER:
            if run:
                separators.append(run)
            run = ""
        elif character in "._-":
            run += character
        else:
            return False
    return all(one in {".", "_", "__"} or set(one) == {"-"} for one in separators)


def is_repository_name(text):
    parts = text.split("/")
    return len(text) <= 255 and len(parts) <= 16 and all(is_component(part) for part in parts)


def is_tag(text):
    return 1 <= len(text) <= 128 and text[0] in TAG_FIRST and set(text) <= set(TAG_REST)


@given(repository_names)
def test_name_in_the_grammar_is_accepted_unchanged(name):
    assert parse_repository_name(name) == name


@given(st.one_of(hostile_text, st.text(LOWER + "._-/", max_size=24)))
def test_name_is_accepted_exactly_where_a_second_reading_of_the_grammar_accepts_it(text):
    if is_repository_name(text):
        assert parse_repository_name(text) == text
    else:
        with pytest.raises(NameInvalid) as caught:
            parse_repository_name(text)
        assert len(caught.value.message) < 1500


@given(repository_names.map(str.title).filter(lambda name: name != name.lower()))
def test_name_with_capitals_is_refused_with_the_name_that_would_be_right(name):
    with pytest.raises(NameInvalid) as caught:
        parse_repository_name(name)
    assert name.lower()[:20] in caught.value.message


@given(repository_names)
def test_namespace_is_the_first_of_several_parts(name):
    parts = name.split("/")
    assert namespace_of(parse_repository_name(name)) == (parts[0] if len(parts) > 1 else None)


@given(tags)
def test_tag_in_the_grammar_is_accepted_unchanged_to_read_and_to_write(tag):
    assert parse_tag(tag) == parse_reference(tag) == parse_reference_to_write(tag) == tag
    assert not is_digest(parse_reference(tag))


@given(st.one_of(hostile_text, st.text(string.printable, max_size=6), tags.map(lambda tag: tag * 2)))
def test_tag_is_accepted_exactly_where_a_second_reading_of_the_grammar_accepts_it(text):
    if is_tag(text):
        assert parse_tag(text) == text
    else:
        with pytest.raises(TagInvalid):
            parse_tag(text)


@given(digests)
def test_digest_is_a_reference_and_never_a_tag(digest):
    assert parse_reference(digest) == parse_reference_to_write(digest) == digest
    assert is_digest(parse_reference(digest))
    with pytest.raises(TagInvalid):
        parse_tag(digest)


@given(hostile_text)
def test_reference_to_read_is_a_tag_a_digest_or_one_of_two_refusals(text):
    error = refusal(parse_reference, text)
    if error is None:
        assert parse_reference(text) == text
        assert is_digest(text) != is_tag(text)
    else:
        assert type(error) is (DigestInvalid if ":" in text else ManifestUnknown)


@given(st.sampled_from(PARSERS), hostile_text)
def test_no_parser_of_names_raises_anything_but_our_own_errors(parse, text):
    error = refusal(parse, text)
    assert error is None or error.message.isprintable()


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize("piece", ["a/", "a-", "a_", "a.", "-", "a" * 7 + "__", "sha256:", "A", "é"])
def test_parsing_a_mebibyte_of_near_misses_takes_less_than_a_second(parse, piece):
    text = piece * (2**20 // len(piece)) + "!"
    begin = time.perf_counter()
    with pytest.raises(WharfingerError):
        parse(text)
    assert time.perf_counter() - begin < 1
