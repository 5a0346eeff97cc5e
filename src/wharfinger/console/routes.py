# SPDX-License-Identifier: Apache-2.0
"""Every page: method, path, what the visitor must be allowed, and who makes it.

What belongs to a repository will follow `/-/`, which no name can contain, so that a path reads in one way only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.console.calls import PageFunction
from wharfinger.console.pages import repositories
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


def match(routes: Sequence[Route], method: str, path: str) -> tuple[Route, str | None]:
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


def _read(pattern: str, path: str) -> str | None:
    """Return the name in the path, which is empty if the pattern has none; nothing if the path is another's."""
    before, named, _ = pattern.partition(NAME)
    if not named:
        return "" if path == pattern else None
    return path.removeprefix(before) or None if path.startswith(before) else None
