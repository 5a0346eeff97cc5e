# SPDX-License-Identifier: Apache-2.0
"""Who may do what: one pure function, asked by every door before a handler runs.

A route declares the action and the kind of resource; the door fills in the name; `decide` answers yes or no with the
rule that decided, so that a log line, a refusal and an explanation all say the same.
"""

import enum
from dataclasses import dataclass
from typing import NamedTuple

from wharfinger.domain.identity import Principal
from wharfinger.domain.names import RepositoryName


class Action(enum.StrEnum):
    """What can be done to a repository, or to the registry's list of them."""

    PULL = "pull"
    PUSH = "push"
    DELETE = "delete"
    LIST = "list"
    """See the names of repositories."""
    VISIT = "visit"
    """Ask whether this is a registry, and sign in."""


class Mode(enum.StrEnum):
    """Which rules the deployment lives by (docs/guide/modes.md)."""

    OPEN = "open"
    """Anyone who reaches the port may push and pull."""


class Access(NamedTuple):
    """One action, on one repository or, without a name, on the registry; a tuple, because every request makes one."""

    action: Action
    repository: RepositoryName | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer, and the rule that gave it."""

    allowed: bool
    rule: str


_OPEN = Decision(allowed=True, rule="open mode: anyone who reaches the port may push and pull")


def decide(mode: Mode, principal: Principal, access: Access) -> Decision:  # noqa: ARG001 - accounts look at both
    """Answer whether the principal may have the access.

    Deletion switches and read-only mode are not access: they bind everyone and are answered as `UNSUPPORTED`.
    """
    match mode:
        case Mode.OPEN:
            return _OPEN
