# SPDX-License-Identifier: Apache-2.0
"""One page of a list: keyset paging, so that no page costs more than the first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items in order, and whether there are more after the last of them."""

    items: Sequence[Item]
    more: bool


def page_of(found: Sequence[Item], limit: int) -> Page[Item]:
    """Return a page of at most `limit` items from a query that asked for one more than that."""
    return Page(found[:limit], more=len(found) > limit)
