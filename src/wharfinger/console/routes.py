# SPDX-License-Identifier: Apache-2.0
"""Every page: method, path, what the visitor must be allowed, and who makes it.

What belongs to a repository will follow `/-/`, which no name can contain, so that a path reads in one way only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from wharfinger.console.calls import DeskFunction, PageFunction
from wharfinger.console.pages import profile, repositories, sign_in
from wharfinger.domain.access import Action
from wharfinger.domain.errors import EndpointUnknown, MethodUnsupported

NAME: Final = "{name}"


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the table; it cannot be made without an action.

    Args:
        method: the HTTP method; `HEAD` is a row of its own.
        path: `{name}` at its end is a repository name, with its slashes.
        action: what the visitor must be allowed to do to the repository, or, without a name, to the registry.
        page: the function that says what is shown.
    """

    method: str
    path: str
    action: Action
    page: PageFunction


ROUTES: Final = (
    Route("GET", "/", Action.LIST, repositories.show_list),
    Route("HEAD", "/", Action.LIST, repositories.show_list),
    Route("GET", "/repositories/{name}", Action.PULL, repositories.show_one),
    Route("HEAD", "/repositories/{name}", Action.PULL, repositories.show_one),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A page in front of the registry, where there are accounts: it shows nothing of it, so nothing is to be allowed.

    Args:
        method, path: as a route's.
        page: the function that says what is shown, or where the browser goes.
    """

    method: str
    path: str
    page: DeskFunction


ENTRIES: Final = (
    Entry("GET", "/sign-in", sign_in.show),
    Entry("HEAD", "/sign-in", sign_in.show),
    Entry("POST", "/sign-in", sign_in.sign_in),
    Entry("GET", "/sign-in/with/{name}", sign_in.depart),
    Entry("GET", "/sign-in/from/{name}", sign_in.arrive),
    Entry("POST", "/sign-out", sign_in.sign_out),
    Entry("GET", "/profile", profile.show),
    Entry("HEAD", "/profile", profile.show),
    Entry("POST", "/profile/authorize", profile.authorize),
    Entry("POST", "/profile/withdraw", profile.withdraw),
    Entry("POST", "/profile/sessions", profile.end_others),
)
_Row = TypeVar("_Row", Route, Entry)


def match(routes: Sequence[_Row], method: str, path: str) -> tuple[_Row, str | None]:
    """Return the route of a path, and the text that stands for the name.

    Raises:
        EndpointUnknown: there is no page at that path.
        MethodUnsupported: there is one, but not for this method.
    """
    there = [(route, found) for route in routes if (found := _read(route.path, path)) is not None]
    if not there:
        message = "There is no page at this address."
        raise EndpointUnknown(message)
    for route, name in there:
        if route.method == method:
            return route, name or None
    allowed = sorted(route.method for route, _ in there)
    message = f"This page takes {' and '.join(allowed)}, not {method[:20]}."
    raise MethodUnsupported(message, allowed)


def is_entry(path: str) -> bool:
    """Say whether the path is one in front of the registry."""
    return any(_read(entry.path, path) is not None for entry in ENTRIES)


def _read(pattern: str, path: str) -> str | None:
    """Return the name in the path, which is empty if the pattern has none; nothing if the path is another's."""
    before, named, _ = pattern.partition(NAME)
    if not named:
        return "" if path == pattern else None
    return path.removeprefix(before) or None if path.startswith(before) else None
