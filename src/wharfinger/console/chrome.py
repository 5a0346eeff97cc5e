# SPDX-License-Identifier: Apache-2.0
"""What every page shows around its own content: where one is, where one can go, who is signed in, and what to know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from wharfinger.console.addresses import Address, came_through_proxy
from wharfinger.console.languages import mark
from wharfinger.console.routes import TABLE
from wharfinger.console.session import Guest
from wharfinger.domain.access import Mode
from wharfinger.domain.management import Matter, Target, Task
from wharfinger.services import Services
from wharfinger.services.registries import Registry
from wharfinger.web.requests import Visit, is_loopback

THEMES: Final[Mapping[str, str]] = {"system": mark("System"), "light": mark("Light"), "dark": mark("Dark")}
THEME: Final = "theme"
"""The parameter that chooses a theme, and the cookie that keeps it."""


@dataclass(frozen=True, slots=True)
class Link:
    """A link of the navigation.

    Args:
        to: a path below the site's prefix.
        label: to be translated.
        is_here: whether the page lies below it.
    """

    to: str
    label: str
    is_here: bool = False


@dataclass(slots=True, kw_only=True)
class Scene:
    """Where a page is shown: what is known of a request as soon as somebody looks, also if it ends in trouble."""

    visit: Visit
    method: str
    mode: Mode
    guest: Guest
    registry: Registry
    address: Address
    here: str = ""
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_signed_in(self) -> bool:
        """Whether who looks has a session."""
        return self.guest.session is not None


async def links(services: Services, scene: Scene) -> Sequence[Link]:
    """Return the links of the top that this visitor may follow; only pages that there are."""
    found = [(f"{scene.here}/", mark("Repositories"), "/")]
    if await _manages(services, scene, Target.REGISTRY, scene.registry.name):
        found.append(("/registries", mark("Registries"), "/registries"))
    if scene.mode is not Mode.ACCOUNTS or scene.is_signed_in:
        found.append((f"{scene.here}/trash", mark("Trash"), "/trash"))
    if await _manages(services, scene, Target.DEPLOYMENT, ""):
        found.append(("/administration", mark("Administration"), "/administration"))
    return [Link(to, label, _is_below(scene.visit.path, to)) for to, label, path in found if TABLE.has(path)]


def personal_links(scene: Scene) -> Sequence[Link]:
    """Return the links of the menu of who is signed in."""
    if scene.guest.session is None:
        return ()
    found = [
        ("/profile", mark("Profile"), "/profile"),
        (f"/accounts/{scene.guest.session.name}", mark("My repositories"), "/accounts/{owner}"),
        ("/profile/stars", mark("My stars"), "/profile/stars"),
        ("/profile/tokens", mark("Tokens"), "/profile/tokens"),
        (f"{scene.here}/access", mark("Who may do what"), "/access"),
    ]
    return [Link(to, label, scene.visit.path == to) for to, label, path in found if TABLE.has(path)]


def notice(scene: Scene) -> str | None:
    """Say why a visitor must know that the registry is open, if there is a reason."""
    if scene.mode is not Mode.OPEN:
        return None
    if came_through_proxy(scene.visit):
        return "proxy"
    return None if is_loopback(scene.visit.client) else "network"


async def _manages(services: Services, scene: Scene, target: Target, name: str) -> bool:
    if not scene.is_signed_in:
        return False
    matter = Matter(Task.READ, target, name)
    return (await services.management.decide(scene.visit.principal, scene.registry, matter)).allowed


def _is_below(path: str, to: str) -> bool:
    """Say whether a path belongs to a link; repositories belong to the list that is the first page."""
    return path == to or path.startswith(to.rstrip("/") + ("/repositories/" if to.endswith("/") else "/"))
