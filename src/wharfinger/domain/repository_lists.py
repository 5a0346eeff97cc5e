# SPDX-License-Identifier: Apache-2.0
"""Places in lists of repositories, as the links of a page carry them."""

import enum
from typing import Final, NamedTuple

from wharfinger.clock import Instant
from wharfinger.domain.errors import NameInvalid, QueryInvalid
from wharfinger.domain.names import RepositoryName, parse_repository_name

_MOST_FIGURES: Final = 18


class RepositoryOrder(enum.StrEnum):
    """How a list is sorted."""

    CHANGED = "changed"
    """The one that changed last first; of those that changed at once, the last name."""
    NAME = "name"
    """By the bytes of the names."""


class RepositoryPosition(NamedTuple):
    """A place in a list, in either order: of a repository that is there, or was."""

    changed_at: Instant
    name: RepositoryName

    def __str__(self) -> str:
        return f"{self.changed_at}.{self.name}"


def parse_repository_position(text: str) -> RepositoryPosition:
    """Return the place that a link names.

    Raises:
        QueryInvalid: it is none.
    """
    changed_at, _, name = text.partition(".")
    if changed_at.isascii() and changed_at.isdecimal() and len(changed_at) <= _MOST_FIGURES:
        try:
            return RepositoryPosition(Instant(int(changed_at)), parse_repository_name(name))
        except NameInvalid:
            pass
    message = "This is no place in a list of repositories: take the link of the page before, or begin at the first."
    raise QueryInvalid(message)
