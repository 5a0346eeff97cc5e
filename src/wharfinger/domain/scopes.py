# SPDX-License-Identifier: Apache-2.0
"""Scopes of the token protocol: what a client asks a token for, in the words of distribution's specification.

```text
scope    resource *(" " resource)
resource type ["(" class ")"] ":" name ":" action *("," action)
```

A name may hold a colon (a host and its port stand before some), so the type is cut off from the left and the actions
from the right. The class says what kind of content is meant; nothing depends on it.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from wharfinger.domain.errors import QueryInvalid
from wharfinger.domain.names import parse_would_accept
from wharfinger.domain.sentences import Sentence

MAX_RESOURCES: Final = 50
"""In one request; Docker asks for two."""
_ACTIONS: Final = ("pull", "push", "delete")


class Wanted(NamedTuple):
    """One thing that a client asks a token for.

    `repository` with a name and actions of `pull`, `push`, `delete`; or `registry` with the name `catalog` and `*`.
    """

    kind: str
    name: str
    actions: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}:{','.join(self.actions)}"


def parse_scopes(texts: Sequence[str]) -> list[Wanted]:
    """Return what several `scope` parameters ask for, each thing once, in the order in which it was first named.

    What no token could name (an unknown type, an unknown action, a name outside the grammar) is left out: the client
    gets a token without it, as for everything that it may not do.

    Raises:
        QueryInvalid: a scope cannot be read, or there are too many.
    """
    found: dict[tuple[str, str], dict[str, None]] = {}
    resources = [resource for text in texts for resource in text.split(" ") if resource]
    if len(resources) > MAX_RESOURCES:
        message = Sentence(
            "A token can be asked for %(max_resources)s resources at the most; this asks for %(count)s.",
            max_resources=MAX_RESOURCES,
            count=len(resources),
        )
        raise QueryInvalid(message)
    for resource in resources:
        kind, name, actions = _split(resource)
        known = _known(kind, name, actions)
        if known:
            found.setdefault((kind, name), {}).update(dict.fromkeys(known))
    return [Wanted(kind, name, tuple(actions)) for (kind, name), actions in found.items()]


def _split(resource: str) -> tuple[str, str, list[str]]:
    kind, first, rest = resource.partition(":")
    name, second, actions = rest.rpartition(":")
    if not (kind and first and second):
        shown = resource if len(resource) <= 80 else resource[:77] + "..."  # noqa: PLR2004 - a readable length
        message = Sentence(
            "%(shown)r is not a scope: it is written type:name:actions, as repository:acme/app:pull,push.", shown=shown
        )
        raise QueryInvalid(message)
    return kind.partition("(")[0], name, actions.split(",")


def _known(kind: str, name: str, actions: Sequence[str]) -> list[str]:
    """Return the actions that mean something for that resource."""
    if kind == "repository" and parse_would_accept(name):
        return [action for action in _ACTIONS if action in actions or "*" in actions]
    if kind == "registry" and name == "catalog" and "*" in actions:
        return ["*"]
    return []
