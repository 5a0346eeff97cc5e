# SPDX-License-Identifier: Apache-2.0
"""What a page function is given, and what it gives back: no HTML and no HTTP on either side."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from wharfinger.clock import Instant
from wharfinger.console.addresses import Address
from wharfinger.console.flashes import Flash
from wharfinger.console.forms import Form
from wharfinger.console.session import Guest
from wharfinger.domain.access import Access, Action, Mode
from wharfinger.domain.errors import Unauthenticated
from wharfinger.domain.identity import Actor, Principal
from wharfinger.domain.management import Matter, Target, Task
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.sentences import Sentence
from wharfinger.services import Services
from wharfinger.services.authorization import Sight
from wharfinger.services.registries import Registry
from wharfinger.services.sessions import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request on its way to a page: matched, recognised, and allowed what its route needs."""

    services: Services
    registry: Registry
    """The one that the path names, or else the one that answers on the host."""
    mode: Mode
    guest: Guest
    by: Actor
    """Who looks, or acts."""
    parameters: Mapping[str, str]
    """What stands in the address for its placeholders: each was parsed."""
    query: Mapping[str, str]
    form: Form = field(default_factory=Form)
    """What the form says; empty where none was sent."""
    address: Address
    """Where clients find the registry."""
    site: str
    """The URL under which this browser reaches the site, without a slash at its end."""
    here: str
    """What every path within the registry begins with: nothing, or `/registries/NAME/-`."""
    journey: str | None
    """What the browser keeps of a sign-in that is under way."""
    from_elsewhere: bool
    """Whether another site sent the browser here."""
    now: Instant

    @property
    def principal(self) -> Principal:
        """Who looks."""
        return self.by.principal

    @property
    def session(self) -> Session:
        """The session of who looks, for a page that nobody sees without one.

        Raises:
            Unauthenticated: there is none.
        """
        if self.guest.session is None:
            message = Sentence("Sign in to see this page.")
            raise Unauthenticated(message)
        return self.guest.session

    @property
    def name(self) -> RepositoryName:
        """The repository that the address names; empty if it names none."""
        return RepositoryName(self.parameters.get("name", ""))

    async def sight(self) -> Sight:
        """Return which repositories the visitor sees, for a list of them."""
        return await self.services.authorization.sight(self.principal, to_list=True)

    async def may(self, action: Action, name: RepositoryName | None = None) -> bool:
        """Say whether the visitor may do something to a repository: the one of the address, or another."""
        wanted = Access(action, name or self.name or None)
        return await self.services.authorization.allows(self.principal, self.registry, wanted)

    async def can(self, task: Task, target: Target, name: str = "") -> bool:
        """Say whether the visitor can manage something that is no repository, as `services.management` decides."""
        matter = Matter(task, target, name)
        return (await self.services.management.decide(self.principal, self.registry, matter)).allowed

    def within(self, path: str) -> str:
        """Return a path of the pages of this registry, for `Leave`; it begins with a slash."""
        return self.here + path

    def repository_path(self, below: str = "", name: RepositoryName | None = None) -> str:
        """Return the path of a repository's page, or with `below` of one of its own, such as `tags/1.0`."""
        return self.within(f"/repositories/{name or self.name}{'/-/' if below else ''}{below}")


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is to be shown: a template, and what it needs to know."""

    template: str
    values: Mapping[str, object] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """Where the browser is to go, and what it is to keep.

    Args:
        to: a path of this site, or the URL of a provider.
        flash: what the page there is to say, once.
        session: the secret of a new session.
        journey: what it keeps while it is at a provider.
        signs_out: whether it is to forget its session.
        arrives: whether it is to forget what it kept for a provider.
    """

    to: str
    flash: Flash | None = None
    session: str | None = field(default=None, repr=False)
    journey: str | None = field(default=None, repr=False)
    signs_out: bool = False
    arrives: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file that the browser keeps, made while it is sent.

    Args:
        name: of the file.
        media_type: of its content.
        pieces: its bytes.
    """

    name: str
    media_type: str
    pieces: AsyncIterator[bytes]


PageFunction = Callable[[Call], Awaitable[View | Leave | Download]]
