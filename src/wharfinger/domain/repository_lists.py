# SPDX-License-Identifier: Apache-2.0
"""Places in lists of repositories, as the links of a page carry them."""

import enum
from typing import Final, NamedTuple

from wharfinger.domain.errors import NameInvalid, QueryInvalid
from wharfinger.domain.names import RepositoryName, parse_repository_name
from wharfinger.domain.sentences import Sentence

_MOST_FIGURES: Final = 18


class RepositoryOrder(enum.StrEnum):
    """How a list is sorted."""

    CHANGED = "changed"
    """The one that changed last first; of those that changed at once, the last name."""
    NAME = "name"
    """By the bytes of the names."""
    PULLS = "pulls"
    """The one that was pulled most first; of those that are equal, here and below, by name."""
    STARS = "stars"
    """The one with most stars first."""
    SIZE = "size"
    """The one that holds most first, as it was last measured."""


class RepositoryPosition(NamedTuple):
    """A place in a list: of a repository that is there, or was.

    Args:
        figure: what the list is sorted by, such as the number of pulls; of a list by name it means nothing.
        name: of the repository.
    """

    figure: int
    name: RepositoryName

    def __str__(self) -> str:
        return f"{self.figure}.{self.name}"


def parse_repository_position(text: str) -> RepositoryPosition:
    """Return the place that a link names.

    Raises:
        QueryInvalid: it is none.
    """
    figure, _, name = text.partition(".")
    if figure.isascii() and figure.isdecimal() and len(figure) <= _MOST_FIGURES:
        try:
            return RepositoryPosition(int(figure), parse_repository_name(name))
        except NameInvalid:
            pass
    message = Sentence(
        "This is no place in a list of repositories: take the link of the page before, or begin at the first."
    )
    raise QueryInvalid(message)
