# SPDX-License-Identifier: Apache-2.0
"""What collection has before it, and what a deletion would free: numbers and reasons for people."""

from collections.abc import Sequence
from dataclasses import dataclass

from wharfinger.clock import Instant
from wharfinger.domain.collection import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """How much of one kind waits.

    Args:
        kind: `manifest`, `blob` or `burial`.
        waiting: how many, those that are due among them.
        due: how many could be looked at now.
        failing: how many were tried before and could not be brought to an end.
        size: of burials, the bytes of blobs.
    """

    kind: str
    waiting: int
    due: int
    failing: int
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Upcoming:
    """What will be freed on one day, unless somebody restores or pushes it until then.

    Args:
        at: the day begins here.
        blobs: how many.
        size: their bytes.
    """

    at: Instant
    blobs: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """One of the things that wait, and what would be decided about it now.

    Args:
        what: its name.
        noted: why it waits.
        verdict: the decision.
    """

    what: str
    noted: str
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What collection has before it.

    Args:
        waiting: by kind.
        repositories: how many repositories are in the trash.
        upcoming: what will be freed, by day; of the manifests in the trash at most some thousands are weighed.
        more: whether there are more than were weighed.
        newest: what was noted last.
    """

    waiting: Sequence[Waiting]
    repositories: int
    upcoming: Sequence[Upcoming]
    more: bool
    newest: Sequence[Noted]


@dataclass(frozen=True, slots=True, kw_only=True)
class Savings:
    """What a deletion would free.

    Args:
        manifests: how many would go in the end.
        blobs: how many would.
        unique: the bytes of those blobs, which nothing else needs.
        shared: the bytes of blobs that it needs and that stay, because something else does too.
        at: when they would go at the earliest; nothing if nothing goes.
        kept: why it would not go, although it was deleted; nothing if it goes.
    """

    manifests: int
    blobs: int
    unique: int
    shared: int
    at: Instant | None
    kept: str | None = None
