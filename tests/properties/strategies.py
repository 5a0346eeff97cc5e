# SPDX-License-Identifier: Apache-2.0
"""What the property tests draw from: valid names by construction, and text that is nearly valid or hostile."""

import string

from hypothesis import strategies as st

from wharfinger.domain.errors import WharfingerError

LOWER = string.ascii_lowercase + string.digits
TAG_FIRST = string.ascii_letters + string.digits + "_"
TAG_REST = TAG_FIRST + ".-"

words = st.text(LOWER, min_size=1, max_size=8)
separators = st.one_of(st.sampled_from([".", "_", "__"]), st.integers(1, 6).map(lambda count: "-" * count))


@st.composite
def components(draw):
    """Return one part of a repository name, built by its grammar rather than filtered from noise."""
    text = draw(words)
    for _ in range(draw(st.integers(0, 3))):
        text += draw(separators) + draw(words)
    return text


API_WORDS = ("blobs", "manifests", "tags", "list", "uploads", "referrers", "v2", "catalog")

repository_names = (
    st.lists(st.one_of(components(), st.sampled_from(API_WORDS)), min_size=1, max_size=16)
    .map("/".join)
    .filter(lambda name: len(name) <= 255)
)
tags = st.builds(lambda first, rest: first + rest, st.sampled_from(TAG_FIRST), st.text(TAG_REST, max_size=127))
sha256_digests = st.text("0123456789abcdef", min_size=64, max_size=64).map("sha256:".__add__)
sha512_digests = st.text("0123456789abcdef", min_size=128, max_size=128).map("sha512:".__add__)
digests = st.one_of(sha256_digests, sha512_digests)

hostile_characters = st.sampled_from("\n\r\0\t /.:_-@%AZ09az\u00e9\u202e\ud800\uff10\u0660")
hostile_text = st.one_of(
    st.text(),
    st.text(hostile_characters, max_size=40),
    st.builds("{}{}{}".format, st.one_of(repository_names, tags, digests), hostile_characters, st.text(max_size=3)),
    st.builds("{}{}".format, hostile_characters, st.one_of(repository_names, tags, digests)),
    st.builds(lambda text, times: text * times, st.text(min_size=1, max_size=3), st.integers(1, 3000)),
)
"""Noise, and valid text with one foreign character somewhere: what an anchor forgotten in a pattern lets through."""


def refusal(parse, *arguments):
    """Return the error with which a parser refuses its arguments, or nothing if it accepts them."""
    try:
        parse(*arguments)
    except WharfingerError as error:
        return error
    return None
