# SPDX-License-Identifier: Apache-2.0
"""Grants: the places that a role can be given on, and the words for roles."""

from dataclasses import dataclass
from typing import Final

from wharfinger.domain.access import Role
from wharfinger.domain.errors import AccountInvalid
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.sentences import Sentence

_ROLES: Final = {"read": Role.READ, "write": Role.WRITE, "admin": Role.ADMIN}
_WIDE_ROLES: Final = {"viewer": Role.READ, "manager": Role.ADMIN}
"""What read and admin are called on a registry or on the deployment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a role holds: a repository or a namespace of a registry, a whole registry, or with nothing, everywhere."""

    registry_id: int | None = None
    namespace: str | None = None
    repository: RepositoryName | None = None

    def __str__(self) -> str:
        return self.words

    @property
    def words(self) -> Sentence:
        """Where it is, as a part of a sentence."""
        if self.repository is not None:
            return Sentence("the repository %(name)s", name=self.repository)
        if self.namespace is not None:
            return Sentence("the namespace %(name)s", name=self.namespace)
        return Sentence("the deployment") if self.registry_id is None else Sentence("the registry")


DEPLOYMENT: Final = Place()


def parse_role(text: str, place: Place) -> Role:
    """Return the role of that name; `viewer` and `manager` are for a registry and the deployment.

    Raises:
        AccountInvalid: there is no such role there.
    """
    known = _ROLES if place.repository or place.namespace else {**_ROLES, **_WIDE_ROLES}
    if text in known:
        return known[text]
    message = Sentence(
        "%(text)r is not a role on %(place)s: choose one of %(known)s.",
        text=text[:40],
        place=place.words,
        known=", ".join(known),
    )
    raise AccountInvalid(message)


def word_of(role: Role) -> str:
    """Return how a role is written."""
    return role.name.lower()
