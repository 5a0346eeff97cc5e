# SPDX-License-Identifier: Apache-2.0
"""What a token is for, and the least that it needs for that."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from wharfinger.console.languages import mark
from wharfinger.domain.identity import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """What somebody wants a token for; texts are marked for translation.

    Args:
        label: what it is.
        hint: what would be better still, or what to know; empty if nothing.
        scope: the one that is enough.
        days: how long it is usually needed.
    """

    label: str
    hint: str
    scope: Scope
    days: int


PURPOSES: Final[Mapping[str, Purpose]] = {
    "pull": Purpose(
        label=mark("Pull on a server or in a cluster"),
        hint=mark("Name the repositories below, and the token opens no other."),
        scope=Scope.READ,
        days=90,
    ),
    "push": Purpose(
        label=mark("Push and pull from my machine"),
        hint=mark("A credential helper keeps it out of files; the next page says how."),
        scope=Scope.WRITE,
        days=30,
    ),
    "ci": Purpose(
        label=mark("Push from CI"),
        hint=mark("Better still: a robot of your organization, or the identity of the job itself, which is no secret."),
        scope=Scope.WRITE,
        days=90,
    ),
    "delete": Purpose(
        label=mark("Delete images by script"),
        hint=mark("Rules of retention delete without any token."),
        scope=Scope.DELETE,
        days=7,
    ),
    "administer": Purpose(
        label=mark("Manage repositories by script"),
        hint=mark("It covers pushing and deleting too."),
        scope=Scope.ADMIN_PACKAGES,
        days=7,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownScope:
    """A scope as the form shows it; texts are marked for translation. A warning is empty for what can do no harm."""

    scope: Scope
    text: str
    warning: str = ""


SCOPES: Final = (
    ShownScope(scope=Scope.READ, text=mark("Pull images, and read what is known of repositories")),
    ShownScope(
        scope=Scope.WRITE,
        text=mark("Push and pull"),
        warning=mark("Who finds it can replace images that others run."),
    ),
    ShownScope(
        scope=Scope.DELETE,
        text=mark("Delete images and repositories, and pull"),
        warning=mark("Who finds it can delete what you can delete."),
    ),
    ShownScope(
        scope=Scope.ADMIN_PACKAGES,
        text=mark("Manage repositories: who sees them, and their rules"),
        warning=mark("Who finds it can make private images public."),
    ),
    ShownScope(
        scope=Scope.ADMIN_ORGANIZATION,
        text=mark("Manage organizations and your own account"),
        warning=mark("Who finds it can let others in, and make more tokens."),
    ),
    ShownScope(
        scope=Scope.ADMIN_REGISTRY,
        text=mark("Manage the registry itself"),
        warning=mark("Who finds it can do everything that you can do here."),
    ),
)
