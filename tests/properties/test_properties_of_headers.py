# SPDX-License-Identifier: Apache-2.0
"""Headers: what we write we can read; what clients write is read as they mean it, or refused, and nothing else."""

import string
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.properties.strategies import digests, hostile_text, refusal, repository_names
from wharfinger.distribution_api.headers import (
    content_range,
    etag,
    link_to_next,
    names_digest,
    parse_chunk,
    parse_if_match,
    parse_number,
    parse_range,
    uploaded_range,
)
from wharfinger.domain.errors import HeaderInvalid, RangeUnsatisfiable, SizeInvalid

sizes = st.integers(0, 2**62)
positions = st.one_of(st.integers(0, 20), st.integers(0, 10**30))
nearly_numbers = st.one_of(
    st.integers().map(str),
    st.sampled_from(["", "+1", "-1", "1_0", "0x1", "1e3", " 1", "1 ", "\u0661", "\uff11", "1\n"]),
)
hostile_ranges = st.one_of(
    hostile_text,
    st.builds("bytes={}-{}".format, nearly_numbers, nearly_numbers),
    st.builds("{}-{}".format, nearly_numbers, nearly_numbers),
    st.lists(st.builds("{}-{}".format, positions, positions), min_size=2).map(lambda parts: "bytes=" + ",".join(parts)),
)


def bytes_asked_for(first, last, size):
    """Read a range by brute force, as RFC 9110 words it: the set of positions that exist, or nothing."""
    if first is None:
        return range(max(0, size - last), size)
    return range(first, min(last + 1, size)) if last is not None else range(first, size)


@given(st.none() | positions, st.none() | positions, st.integers(0, 40))
@example(500, 0, 2048)
@example(None, 0, 10)
@example(0, None, 0)
def test_range_selects_the_positions_that_the_header_names(first, last, size):
    text = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    if first is None and last is None:
        assert parse_range(text, size) is None
        return
    wanted = bytes_asked_for(first, last, size)
    if len(wanted) == 0:
        with pytest.raises(RangeUnsatisfiable) as caught:
            parse_range(text, size)
        assert caught.value.size == size
    else:
        assert parse_range(text, size) == (wanted.start, wanted.stop)


@given(hostile_ranges, sizes)
def test_any_range_is_passed_over_refused_or_inside_the_content(text, size):
    error = refusal(parse_range, text, size)
    assert error is None or type(error) is RangeUnsatisfiable
    found = None if error else parse_range(text, size)
    assert found is None or 0 <= found[0] < found[1] <= size


@given(st.data(), st.integers(1, 2**62))
def test_content_range_of_an_answer_says_what_was_asked(data, size):
    start = data.draw(st.integers(0, size - 1))
    stop = data.draw(st.integers(start + 1, size))
    assert parse_range(f"bytes={start}-{stop - 1}", size) == (start, stop)
    assert content_range(start, stop, size) == f"bytes {start}-{stop - 1}/{size}"


@given(sizes, st.integers(1, 2**20), st.booleans(), st.sampled_from(["{}-{}", "bytes {}-{}/*", " {}-{} "]))
def test_chunk_is_read_back_as_it_was_written(first, size, with_length, form):
    chunk = parse_chunk(form.format(first, first + size - 1), str(size) if with_length else None)
    assert (chunk.content_range.first, chunk.content_range.size) == (first, size)
    assert chunk.content_length == (size if with_length else None)


@given(sizes, st.integers(1, 2**20), st.integers(0, 2**20))
def test_chunk_that_contradicts_its_length_is_refused(first, size, length):
    error = refusal(parse_chunk, f"{first}-{first + size - 1}", str(length))
    assert (error is None) == (size == length)
    assert error is None or type(error) is SizeInvalid


@given(hostile_ranges | st.none(), nearly_numbers | st.none())
def test_any_chunk_header_is_read_or_refused(text, length):
    error = refusal(parse_chunk, text, length)
    assert error is None or type(error) in {SizeInvalid, HeaderInvalid}
    if error is None and text is not None:
        assert parse_chunk(text, length).content_range.size > 0


@given(st.integers(0, 10**19 - 1) | nearly_numbers)
def test_number_is_digits_and_nothing_else(text):
    text = str(text)
    error = refusal(parse_number, text, "n")
    assert (error is None) == (0 < len(text) < 20 and set(text) <= set(string.digits))
    assert error is not None or parse_number(text, "n") == int(text)


@given(sizes)
def test_range_of_an_upload_is_inclusive_and_never_negative(offset):
    first, _, last = uploaded_range(offset).partition("-")
    assert (first, int(last)) == ("0", max(0, offset - 1))


@given(
    repository_names, st.dictionaries(st.sampled_from(["n", "last", "artifactType"]), st.text(max_size=20), min_size=1)
)
def test_link_brings_back_its_parameters_and_stays_on_this_host(name, parameters):
    text = link_to_next(f"/v2/{name}/tags/list", {key: value + "x" for key, value in parameters.items()})
    assert text.isprintable()
    assert text.isascii()
    target, _, relation = text.partition("; ")
    assert relation == 'rel="next"'
    assert (target[0], target[-1]) == ("<", ">")
    parts = urlsplit(target[1:-1])
    assert (parts.scheme, parts.netloc, parts.path) == ("", "", f"/v2/{name}/tags/list")
    assert parse_qs(parts.query, strict_parsing=True) == {key: [value + "x"] for key, value in parameters.items()}


@given(digests, digests)
def test_entity_tag_of_content_is_recognised_in_every_form(digest, other):
    for form in ('"{}"', "{}", 'W/"{}"', '"x", "{}"', '  "{}"  ', "*"):
        assert names_digest(form.format(digest), digest)
    assert names_digest(etag(digest), digest)
    assert not names_digest(None, digest)
    assert names_digest(etag(other), digest) == (other == digest)


@given(digests)
def test_condition_is_read_back_quoted_or_not(digest):
    assert parse_if_match(etag(digest)) == parse_if_match(digest) == digest
    assert parse_if_match(None) is None


@given(hostile_text)
def test_condition_that_is_no_digest_is_refused_never_ignored(text):
    error = refusal(parse_if_match, text)
    if error is None:
        assert parse_if_match(text) == text.strip().strip('"')
    else:
        assert type(error) is HeaderInvalid
    assert names_digest(text, "sha256:" + "0" * 64) in {True, False}


@pytest.mark.parametrize(
    "text", ["bytes=" + "0-1," * 250_000, "bytes=" + "9" * 10**6 + "-", "0-" + "9" * 10**6, "-" * 10**6]
)
def test_hostile_header_of_a_megabyte_is_read_within_half_a_second(text):
    begin = time.perf_counter()
    for parse in (lambda: refusal(parse_range, text, 100), lambda: refusal(parse_chunk, text, None)):
        parse()
    assert time.perf_counter() - begin < 0.5
