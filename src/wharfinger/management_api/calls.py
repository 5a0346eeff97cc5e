# SPDX-License-Identifier: Apache-2.0
"""A request on its way into a handler, and what it needs."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from wharfinger.domain.identity import Actor, Principal
from wharfinger.services import Services
from wharfinger.services.registries import Registry
from wharfinger.web.access import (
    EVERYBODY,
    LONGEST_ID,
    SIGNED_IN,
    Everybody,
    Managing,
    Need,
    OnDeleted,
    OnRepository,
    check_parameters,
    parse_number,
    require,
    require_matter,
    require_on_repository,
)
from wharfinger.web.requests import Visit

__all__ = [
    "EVERYBODY",
    "LONGEST_ID",
    "PREFIX",
    "SIGNED_IN",
    "Call",
    "Everybody",
    "Managing",
    "Need",
    "OnDeleted",
    "OnRepository",
    "check_parameters",
    "parse_number",
    "require",
    "require_matter",
    "require_on_repository",
]

PREFIX: Final = "/api/v1"


@dataclass(slots=True, kw_only=True)
class Call:
    """A request: matched, recognised, and allowed."""

    visit: Visit
    services: Services
    registry: Registry
    """The one that the path names, or else the one that answers on the host."""
    parameters: Mapping[str, str]
    root: str
    """The path under which the site lies, for links."""
    path: str
    """As it was sent, below this API's prefix."""
    query: str
    headers: dict[str, str] = field(default_factory=dict)
    """Put on the answer."""
    stream: AsyncIterator[bytes] | None = None
    """The body of the answer, where it is too long to be held in memory."""

    @property
    def principal(self) -> Principal:
        """Who asks."""
        return self.visit.principal

    @property
    def by(self) -> Actor:
        """Who acts, for what will be recorded."""
        return replace(self.visit.actor(), credential_id=self.principal.credential_id)
