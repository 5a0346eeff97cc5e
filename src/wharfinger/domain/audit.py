# SPDX-License-Identifier: Apache-2.0
"""The audit log as it is read: which events are asked for, whose they are, and the forms in which they leave."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from wharfinger.clock import SECOND, Instant
from wharfinger.domain.errors import QueryInvalid
from wharfinger.domain.events import EventAction, Result
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.sentences import Sentence

ACTIVITY: Final = (
    EventAction.REPOSITORY_CREATED,
    EventAction.REPOSITORY_RESTORED,
    EventAction.REPOSITORY_CHANGED,
    EventAction.RETENTION_CHANGED,
    EventAction.MANIFEST_PUSHED,
    EventAction.MANIFEST_DELETED,
    EventAction.MANIFEST_RESTORED,
    EventAction.MANIFEST_COLLECTED,
    EventAction.BLOB_RESTORED,
    EventAction.TAG_MOVED,
    EventAction.TAG_DELETED,
)
"""What whoever may pull from a repository may know of it: what happened to its content and to what it says of itself.
Roles and refusals are for its admins."""
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "|")
"""What a spreadsheet takes for the begin of a formula."""


class ExportFormat(enum.StrEnum):
    """How events are exported."""

    JSON_LINES = "jsonl"
    CSV = "csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which events are asked for: all that fulfil everything that is set.

    Args:
        who: the name of who did it, or wanted to.
        credential_id: with which credential.
        actions: what happened, as `parse_actions` reads it; none of them for everything.
        repository: in which repository, by its name; also one that is deleted, or was of that name before.
        target: to whom or what else, as the event names it.
        result: whether it was done or refused.
        since: not before this time.
        until: before this time.
    """

    who: str | None = None
    credential_id: int | None = None
    actions: Sequence[EventAction] = ()
    repository: RepositoryName | None = None
    target: str | None = None
    result: Result | None = None
    since: Instant | None = None
    until: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSight:
    """Whose events somebody may see; a door decides which of these to ask for.

    Args:
        everything: all of them: for managers of the deployment.
        account_id: those about an account and the robots, namespaces and repositories that are its own: for owners of
            an organization.
        repository_id: those of a repository, by its id, because another one had its name before: for its admins.
    """

    everything: bool = False
    account_id: int | None = None
    repository_id: int | None = None


WHOLE_LOG: Final = AuditSight(everything=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One event, as it is read."""

    id: int
    at: Instant
    action: EventAction
    result: Result
    count: int
    who: str
    account_id: int | None
    credential_id: int | None
    repository: str | None
    target: str | None
    tag: str | None
    digest: str | None
    previous_digest: str | None
    media_type: str | None
    size: int | None
    client_address: str | None
    request_id: str | None
    user_agent: str | None
    detail: str | None


def parse_actions(text: str) -> tuple[EventAction, ...]:
    """Return the actions of a word: one of them, or all of a noun, such as `tag` for `tag.moved` and `tag.deleted`.

    Raises:
        QueryInvalid: nothing is called so.
    """
    found = tuple(one for one in EventAction if text in {one.value, one.value.partition(".")[0]})
    if found:
        return found
    nouns = sorted({one.value.partition(".")[0] for one in EventAction})
    message = Sentence(
        "%(text)r is nothing that happens here; one of %(nouns)s, or more exactly, as `tag.moved`.",
        text=text[:40],
        nouns=", ".join(nouns),
    )
    raise QueryInvalid(message)


def parse_moment(text: str) -> Instant:
    """Return a time: a day, which begins at midnight UTC, or RFC 3339; without a zone it is UTC.

    Raises:
        QueryInvalid: it is neither.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (OverflowError, ValueError):  # its zone may lead out of the years that there are
        message = Sentence(
            "%(text)r is not a time; give a day (2026-05-01), or RFC 3339 (2026-05-01T13:00:00Z).", text=text[:40]
        )
        raise QueryInvalid(message) from None
    return Instant(int(aware.timestamp()) * SECOND + aware.microsecond)


def neutral(cell: str) -> str:
    """Return text for a cell of a spreadsheet: what would be a formula is text.

    Clients choose their user agent and the names they ask for, and somebody opens the export in an office program.
    """
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
