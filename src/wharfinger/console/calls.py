# SPDX-License-Identifier: Apache-2.0
"""What a page function is given, and what it gives back: no HTML and no HTTP on either side."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

from wharfinger.clock import Instant
from wharfinger.console.addresses import Address
from wharfinger.console.session import Guest
from wharfinger.domain.errors import QueryInvalid
from wharfinger.domain.identity import Actor
from wharfinger.domain.names import RepositoryName
from wharfinger.services import Services
from wharfinger.services.authorization import Sight
from wharfinger.services.registries import Registry

_MAX_FIELDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request on its way to a page: matched, and allowed."""

    services: Services
    registry: Registry
    sight: Sight
    """Which repositories the visitor sees."""
    name: RepositoryName
    """Empty for a page of the registry itself."""
    query: Mapping[str, str]
    address: Address
    now: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is to be shown: a template, and what it needs to know."""

    template: str
    values: Mapping[str, object] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A request to a page in front of the registry: signing in and out, and what is one's own. Nothing was decided."""

    services: Services
    guest: Guest
    by: Actor
    name: str
    """What stands in the address for `{name}`; empty for a page without one."""
    query: Mapping[str, str]
    form: Mapping[str, str]
    """The fields of a form of ours; empty where none was sent."""
    site: str
    """The URL under which this browser reaches the site, without a slash at its end."""
    journey: str | None
    """What the browser keeps of a sign-in that is under way."""
    from_elsewhere: bool
    """Whether another site sent the browser here."""
    now: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """Where the browser is to go, and what it is to keep.

    Args:
        to: a path of this site, or the URL of a provider.
        session: the secret of a new session.
        journey: what it keeps while it is at a provider.
        signs_out: whether it is to forget its session.
        arrives: whether it is to forget what it kept for a provider.
    """

    to: str
    session: str | None = field(default=None, repr=False)
    journey: str | None = field(default=None, repr=False)
    signs_out: bool = False
    arrives: bool = False


PageFunction = Callable[[Call], Awaitable[View]]
DeskFunction = Callable[[Desk], Awaitable[View | Leave]]


def read_query(raw: bytes) -> Mapping[str, str]:
    """Return the parameters of a URL, or the fields of a form, which are written alike.

    Raises:
        QueryInvalid: they cannot be read, or one comes twice.
    """
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError as error:  # also what is not ASCII, or not UTF-8 once decoded
        message = "The part of the address after `?` cannot be read."
        raise QueryInvalid(message) from error
    if len(dict(pairs)) != len(pairs):
        message = "A parameter after `?` comes twice."
        raise QueryInvalid(message)
    return dict(pairs)


def link(query: Mapping[str, str], **changes: str | None) -> str:
    """Return a link to the same page with some parameters changed, or taken away."""
    changed = {**query, **changes}
    return "?" + urlencode({name: value for name, value in changed.items() if value is not None})
