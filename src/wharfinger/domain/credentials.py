# SPDX-License-Identifier: Apache-2.0
"""Credentials that are made with another one: never wider, and never longer-lived."""

from collections.abc import Set as AbstractSet
from typing import Final

from wharfinger.domain.errors import AccountInvalid, Denied
from wharfinger.domain.identity import Ceiling, Scope
from wharfinger.domain.sentences import Sentence

LONGEST_NAME: Final = 100
_COVERED: Final = {
    Scope.READ: frozenset({Scope.READ, Scope.WRITE, Scope.DELETE, Scope.ADMIN_PACKAGES}),
    Scope.WRITE: frozenset({Scope.WRITE, Scope.ADMIN_PACKAGES}),
    Scope.DELETE: frozenset({Scope.DELETE, Scope.ADMIN_PACKAGES}),
}
"""By which scopes a scope is covered; the others only by themselves."""


def check_name(name: str) -> str:
    """Return what somebody calls a new credential.

    Raises:
        AccountInvalid: it does not fit in a list.
    """
    if name.strip() and len(name) <= LONGEST_NAME and name.isprintable():
        return name
    message = Sentence("The name of a credential has 1 to %(most)s characters, on one line.", most=LONGEST_NAME)
    raise AccountInvalid(message)


def require_within(maker: Ceiling, scopes: AbstractSet[Scope] | None, repositories: AbstractSet[int] | None) -> None:
    """Return if a new credential may be used for nothing that the one that makes it may not.

    Args:
        maker: the ceiling of what was shown; without limits for a password.
        scopes: of the new one; nothing for no limit.
        repositories: ids of the only ones it may touch; nothing for no limit.

    Raises:
        Denied: it would be wider.
    """
    if maker.entries is not None:
        raise _wider(Sentence("a registry token makes none; sign in with a password or a token."))
    if maker.scopes is not None:
        held = maker.scopes
        beyond = None if scopes is None else sorted(one for one in scopes if not held & _COVERED.get(one, {one}))
        if beyond is None or beyond:
            named = Sentence("all scopes") if beyond is None else ", ".join(beyond)
            raise _wider(Sentence("yours does not have %(scopes)s.", scopes=named))
    if maker.repositories is not None and (repositories is None or not repositories <= maker.repositories):
        raise _wider(Sentence("yours is limited to some repositories, and the new one would open others."))


def _wider(why: Sentence) -> Denied:
    return Denied(Sentence("A new credential is never wider than the one that makes it: %(why)s", why=why))
