# SPDX-License-Identifier: Apache-2.0
"""What a page declares of itself, and how an address finds its page.

A path has placeholders. `{name}` is a repository's name with its slashes; any other is one part of the path. What
belongs to a repository, an account or a registry follows `/-/`, which no name can contain, so that a path reads in one
way only. `/registries/NAME/-` before a path means the pages of that registry instead of the host's own.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import unquote

from wharfinger.console.calls import PageFunction
from wharfinger.domain.errors import EndpointUnknown, MethodUnsupported
from wharfinger.domain.management import Target
from wharfinger.domain.sentences import Sentence
from wharfinger.web.access import Managing, Need

LONGEST_FORM: Final = 16 * 1024
_PLACE: Final = re.compile(r"\{(\w+)\}")
_NAME: Final = r"(?:(?!/-(?:/|$)).)+"
_PART: Final = r"[^/]+"
_OF_A_REGISTRY: Final = ("/repositories", "/accounts", "/search", "/trash", "/access")
"""The first parts of paths that mean something in each registry; the others belong to the deployment."""
_WITHIN: Final = re.compile(r"(?P<here>/registries/(?P<registry>[^/]+)/-)(?P<rest>/.*)")


@dataclass(frozen=True, slots=True)
class Route:
    """One page, or one form that a page sends; it cannot be made without saying what the visitor must be allowed.

    Args:
        method: `GET` for a page, which `HEAD` gets too; `POST` for what its form does.
        path: with placeholders.
        need: what the visitor must be allowed, and on what; the placeholders name it.
        page: the function that says what is shown, or where the browser goes.
        signs_in: whether it takes or gives what proves who somebody is; such a page is only there with accounts, and
            only on a connection that nobody else reads.
        for_accounts: whether it is about roles or accounts, although its need does not say so: the same holds for it.
        longest_form: the most bytes of its form.
    """

    method: str
    path: str
    need: Need
    page: PageFunction
    signs_in: bool = False
    for_accounts: bool = False
    longest_form: int = LONGEST_FORM

    @property
    def is_about_accounts(self) -> bool:
        """Whether it means nothing where there are no accounts."""
        if self.signs_in or self.for_accounts:
            return True
        return isinstance(self.need, Managing) and (
            self.need.own or self.need.target not in {Target.REGISTRY, Target.DEPLOYMENT}
        )

    @property
    def is_of_a_registry(self) -> bool:
        """Whether each registry has it."""
        return self.path == "/" or self.path.startswith(_OF_A_REGISTRY)


class Matched(NamedTuple):
    """Where a path leads.

    Args:
        route: its route.
        parameters: what stands for the placeholders, decoded.
        registry: the name of the registry that the path begins with; nothing for the host's own.
        here: that beginning of the path.
    """

    route: Route
    parameters: Mapping[str, str]
    registry: str | None = None
    here: str = ""


class Table:
    """All pages, by their addresses."""

    def __init__(self, routes: Sequence[Route]) -> None:
        # A path that says a word where another has a placeholder comes first.
        ordered = sorted(routes, key=lambda route: len(_PLACE.findall(route.path)))
        self._rows = [(_pattern(route.path), route) for route in ordered]
        self._paths = frozenset(route.path for route in routes if route.method == "GET")

    def has(self, path: str) -> bool:
        """Say whether there is a page of this path, as its route writes it."""
        return path in self._paths

    def match(self, method: str, path: str) -> Matched:
        """Return where a path leads.

        Args:
            method: of the request.
            path: below the site's prefix, as it was sent.

        Raises:
            EndpointUnknown: there is no page at that path.
            MethodUnsupported: there is one, but not for this method.
        """
        found = self._find(path)
        registry, here = None, ""
        if not found and (within := _WITHIN.fullmatch(path)) is not None:
            registry, here = unquote(within["registry"]), within["here"]
            found = [one for one in self._find(within["rest"]) if one.route.is_of_a_registry]
        if not found:
            message = Sentence("There is no page at this address.")
            raise EndpointUnknown(message)
        wanted = "GET" if method == "HEAD" else method
        for one in found:
            if one.route.method == wanted:
                return one._replace(registry=registry, here=here)
        allowed = sorted({one.route.method for one in found})
        if "GET" in allowed:
            allowed.append("HEAD")
        message = Sentence(
            "This page takes %(allowed)s, not %(method)s.", allowed=" and ".join(allowed), method=method[:20]
        )
        raise MethodUnsupported(message, allowed)

    def _find(self, path: str) -> list[Matched]:
        found = [(route, match) for pattern, route in self._rows if (match := pattern.fullmatch(path)) is not None]
        return [
            Matched(route, {name: unquote(text) for name, text in match.groupdict().items()}) for route, match in found
        ]


def _pattern(path: str) -> re.Pattern[str]:
    """Return what matches a path; `[1::2]` of the split are the names of its placeholders."""
    pieces = _PLACE.split(path)
    return re.compile(
        "".join(
            f"(?P<{piece}>{_NAME if piece == 'name' else _PART})" if index % 2 else re.escape(piece)
            for index, piece in enumerate(pieces)
        )
    )
