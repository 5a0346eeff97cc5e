# SPDX-License-Identifier: Apache-2.0
"""What a registry token says: read strictly, and the same for tokens of this registry and of other token servers.

```json
{"iss": "…", "aud": "…", "sub": "42", "jti": "…", "iat": 0, "nbf": 0, "exp": 0,
 "access": [{"type": "repository", "name": "acme/app", "actions": ["pull"], "repository_id": 7}]}
```
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from wharfinger.clock import SECOND, Instant
from wharfinger.security.jws import Reason, TokenRefused

LEEWAY: Final = 60 * SECOND
"""How far two clocks may differ."""

_ACTION: Final = re.compile(r"[a-z][a-z_-]{0,31}", re.ASCII)
_CATALOG: Final = ("registry", "catalog")
_WILDCARD: Final = "*"
_LATEST: Final = 253_402_300_799
"""The end of the year 9999: later times are mistakes, and would not fit a datetime."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessEntry:
    """What a token may be used for on one name.

    Args:
        type: `repository`, or `registry` for the catalog.
        name: of the repository, or `catalog`.
        actions: `*` of the catalog is the one action's name in the specification; of anything else it stands for all,
            which only another server's token may say.
        repository_id: which repository had the name when the token was made.
        namespace_id: where there was none, the namespace in which one may be created.
    """

    type: str
    name: str
    actions: frozenset[str]
    repository_id: int | None = None
    namespace_id: int | None = None


def read_text(claims: Mapping[str, object], name: str) -> str:
    """Return a claim that must be a text.

    Raises:
        TokenRefused: it is missing, or is none.
    """
    value = claims.get(name)
    if not isinstance(value, str):
        raise TokenRefused(Reason.MALFORMED_CLAIMS)
    return value


def read_id(claims: Mapping[str, object], name: str) -> int | None:
    """Return a claim that is an id, or missing.

    Raises:
        TokenRefused: it is something else.
    """
    value = claims.get(name)
    if value is None:
        return None
    # `type`, because True is an int to isinstance.
    if type(value) is not int or value < 0:
        raise TokenRefused(Reason.MALFORMED_CLAIMS)
    return value


def read_time(claims: Mapping[str, object], name: str) -> Instant | None:
    """Return a claim that is a time in whole seconds, or missing.

    Raises:
        TokenRefused: it is something else.
    """
    if name not in claims:
        return None
    value = claims[name]
    if type(value) is not int or not 0 <= value <= _LATEST:
        raise TokenRefused(Reason.WRONG_TIMES)
    return Instant(value * SECOND)


def check_times(now: Instant, *, begins: Instant, ends: Instant) -> None:
    """Accept a token that is valid now, clocks a minute apart allowed for.

    Raises:
        TokenRefused: it is not valid yet, or no longer.
    """
    if now > ends + LEEWAY:
        raise TokenRefused(Reason.EXPIRED)
    if now < begins - LEEWAY:
        raise TokenRefused(Reason.NOT_YET_VALID)


def read_access(claims: Mapping[str, object], *, wildcards: bool = False) -> tuple[AccessEntry, ...]:
    """Return what the token may be used for; some token servers leave out the list, or write null, for nothing.

    Args:
        claims: what the token says.
        wildcards: whether `*` may stand for every action, as it does for distribution.

    Raises:
        TokenRefused: an entry is malformed, or its action is a wildcard.
    """
    entries = claims.get("access")
    if entries is None:
        return ()
    if not isinstance(entries, list):
        raise TokenRefused(Reason.MALFORMED_CLAIMS)
    return tuple(_read_entry(entry, wildcards=wildcards) for entry in entries)


def _read_entry(entry: object, *, wildcards: bool) -> AccessEntry:
    if not isinstance(entry, dict):
        raise TokenRefused(Reason.MALFORMED_CLAIMS)
    kind, name, actions = read_text(entry, "type"), read_text(entry, "name"), entry.get("actions")
    if not isinstance(actions, list):
        raise TokenRefused(Reason.MALFORMED_CLAIMS)
    return AccessEntry(
        type=kind,
        name=name,
        actions=frozenset(_read_action(action, is_whole=wildcards or (kind, name) == _CATALOG) for action in actions),
        repository_id=read_id(entry, "repository_id"),
        namespace_id=read_id(entry, "namespace_id"),
    )


def _read_action(action: object, *, is_whole: bool) -> str:
    if not isinstance(action, str):
        raise TokenRefused(Reason.MALFORMED_CLAIMS)
    if action == _WILDCARD and is_whole:
        return action
    # In a token of ours it would also open actions that nobody had thought of when the token was made.
    if _WILDCARD in action:
        raise TokenRefused(Reason.WILDCARD)
    if _ACTION.fullmatch(action) is None:
        raise TokenRefused(Reason.MALFORMED_CLAIMS)
    return action
