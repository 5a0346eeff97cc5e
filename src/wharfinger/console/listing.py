# SPDX-License-Identifier: Apache-2.0
"""A list of repositories as several pages show it: of the registry, of an account, of a namespace."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.console.calls import Call
from wharfinger.console.kinds import Kind, kind_of
from wharfinger.domain.errors import QueryInvalid
from wharfinger.domain.repository_lists import RepositoryOrder, RepositoryPosition, parse_repository_position
from wharfinger.domain.sentences import Sentence
from wharfinger.services.repositories import RepositoryLine, RepositorySearch

ROWS: Final = 40
LONGEST_TEXT: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A repository in the list, and what kind of thing was pushed to it last; nothing if nothing is left."""

    line: RepositoryLine
    kind: Kind | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One page of a list.

    Args:
        rows: what it shows.
        text: what the visitor looks for; empty for everything.
        order: how it is sorted.
        first: whether nothing comes before it.
        previous, next: the places from which the pages beside it go on; nothing where there is none.
    """

    rows: Sequence[Row]
    text: str
    order: RepositoryOrder
    first: bool
    previous: RepositoryPosition | None
    next: RepositoryPosition | None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing at all, and not only nothing that fits."""
        return not self.rows and not self.text and self.first


async def listing(call: Call, namespace: str | None = None) -> Listing:
    """Return the page of the list that the address asks for: `q`, `order`, and `after` or `before`.

    Args:
        call: the request.
        namespace: only what lies in it.

    Raises:
        QueryInvalid: a parameter cannot be read.
    """
    text = call.query.get("q", "").strip()[:LONGEST_TEXT]
    after, before = _place(call.query.get("after")), _place(call.query.get("before"))
    wanted = RepositorySearch(
        text=text,
        namespace=namespace,
        order=_order(call.query.get("order")),
        after=after,
        before=None if after is not None else before,
    )
    page = await call.services.repositories.browse(call.registry, wanted, ROWS, await call.sight())
    backwards = wanted.before is not None
    lines = page.items
    more_before, more_after = (page.more, True) if backwards else (after is not None, page.more)
    return Listing(
        rows=[
            Row(line=line, kind=None if line.media_type is None else kind_of(line.media_type, line.artifact_type))
            for line in lines
        ],
        text=text,
        order=wanted.order,
        first=after is None and (not backwards or not page.more),
        previous=lines[0].position if lines and more_before else None,
        next=lines[-1].position if lines and more_after else None,
    )


def _order(text: str | None) -> RepositoryOrder:
    try:
        return RepositoryOrder(text or RepositoryOrder.CHANGED)
    except ValueError:
        message = Sentence("`order` is %(known)s.", known=" or ".join(RepositoryOrder))
        raise QueryInvalid(message) from None


def _place(text: str | None) -> RepositoryPosition | None:
    return parse_repository_position(text) if text else None
