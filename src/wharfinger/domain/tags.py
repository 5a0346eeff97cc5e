# SPDX-License-Identifier: Apache-2.0
"""Places in lists of tags, as the links of a page carry them."""

from typing import NamedTuple

from wharfinger.clock import Instant
from wharfinger.domain.errors import QueryInvalid, TagInvalid
from wharfinger.domain.names import TagName, parse_tag
from wharfinger.domain.sentences import Sentence

_MOST_FIGURES = 18


class TagPosition(NamedTuple):
    """A place in the list of tags by when they moved: of a tag that is there, or was."""

    moved_at: Instant
    name: TagName

    def __str__(self) -> str:
        return f"{self.moved_at}.{self.name}"


def parse_tag_position(text: str) -> TagPosition:
    """Return the place that a link names.

    Raises:
        QueryInvalid: it is none.
    """
    moved_at, _, name = text.partition(".")
    if moved_at.isascii() and moved_at.isdecimal() and len(moved_at) <= _MOST_FIGURES:
        try:
            return TagPosition(Instant(int(moved_at)), parse_tag(name))
        except TagInvalid:
            pass
    message = Sentence(
        "This is no place in a list of tags: take the link of the page before, or begin at the first page."
    )
    raise QueryInvalid(message)
