# SPDX-License-Identifier: Apache-2.0
"""Pages of lists: by key, so that no page costs more than the first, and none shows an item twice."""

from collections.abc import Callable
from typing import Annotated, Final, Generic, TypeVar
from urllib.parse import parse_qsl, urlencode

from pydantic import Field

from wharfinger.domain.pages import Page as Listing
from wharfinger.management_api.calls import PREFIX, Call
from wharfinger.management_api.fields import Shown

PAGE: Final = 100
Row = TypeVar("Row")
Item = TypeVar("Item")


class Page(Shown, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    next: Annotated[str | None, Field(examples=["/api/v1/users?n=100&last=bob"])]
    """The path of the next page; nothing on the last one. The header `Link` says the same (RFC 8288)."""


def page(call: Call, found: Listing[Row], *, key: Callable[[Row], object], show: Callable[[Row], Item]) -> Page[Item]:
    """Return a page, with the way to the next one.

    Args:
        call: the request, whose path and query the next page has too.
        found: the rows, and whether there are more.
        key: what `last` of the next page is.
        show: makes an item of a row.
    """
    following = next_path(call, key(found.items[-1])) if found.more and found.items else None
    return Page(items=[show(row) for row in found.items], next=following)


def next_path(call: Call, last: object) -> str:
    """Return the path of the next page, and say it in the header too."""
    query = [(name, value) for name, value in parse_qsl(call.query, keep_blank_values=True) if name != "last"]
    path = f"{call.root}{PREFIX}{call.path}?{urlencode([*query, ('last', str(last))])}"
    call.headers["Link"] = f'<{path}>; rel="next"'
    return path
