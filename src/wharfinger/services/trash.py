# SPDX-License-Identifier: Apache-2.0
"""The trash: what was deleted and comes back, bringing it back, and ending its time."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.clock import Clock, Instant, after
from wharfinger.domain.digests import Digest
from wharfinger.domain.errors import BlobUnknown, NameUnknown, RuleInvalid
from wharfinger.domain.events import Event, EventAction
from wharfinger.domain.identity import Actor
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.pages import Page, page_of
from wharfinger.domain.sentences import Sentence
from wharfinger.domain.switches import Switches
from wharfinger.domain.trash import Trashed, TrashEntry, TrashKind
from wharfinger.failpoints import failpoint
from wharfinger.metadata import events, queues, trash_lists
from wharfinger.metadata import repositories as repository_rows
from wharfinger.metadata import trash as rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.standing import Sight
from wharfinger.metadata.trash_lists import Position, TrashScope
from wharfinger.services.registries import Registry
from wharfinger.services.repositories import name_unknown, require_locked

_BATCH: Final = 100
_MOST_BATCHES: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Restorable:
    """What somebody may bring back.

    Args:
        items: the newest first.
        last: where the next part of the trash begins; nothing at its end.
    """

    items: Sequence[TrashEntry]
    last: Position | None


class Trash:
    """The trash of every registry.

    Args:
        database: where rows are.
        clock: the time.
        switches: the operator's.
        window: how long what was deleted comes back, in microseconds.
    """

    def __init__(self, database: Database, clock: Clock, switches: Switches, window: int) -> None:
        self._database = database
        self._clock = clock
        self._switches = switches
        self._window = window

    def until(self, entry: TrashEntry) -> Instant:
        """Return until when the entry is sure to come back."""
        return after(entry.deleted_at, self._window)

    async def list(
        self, registry: Registry, repository: RepositoryName | None, last: Position | None, limit: int
    ) -> Page[TrashEntry]:
        """Return what can be restored, the newest first.

        Args:
            registry: of which registry.
            repository: only what was deleted from this one; nothing for everything, deleted repositories too.
            last: where the page before ended (`position_of`).
            limit: how many.

        Raises:
            NameUnknown: there is no such repository.
        """
        since = Instant(self._clock.now() - self._window)

        def work(connection: Connection) -> Page[TrashEntry]:
            repository_id = None
            if repository is not None:
                repository_id = repository_rows.find(connection, registry.id, repository)
                if repository_id is None:
                    raise name_unknown(repository)
            scope = TrashScope(registry_id=registry.id, repository_id=repository_id, since=since)
            return page_of(trash_lists.entries(connection, scope, last, limit + 1), limit)

        return await self._database.read(work)

    async def repositories(
        self,
        registry: Registry,
        last: Position | None,
        limit: int,
        sight: Sight,
        may: Callable[[int], Awaitable[bool]],
    ) -> Page[TrashEntry]:
        """Return deleted repositories that somebody may restore, the newest first.

        Args:
            registry: of which registry.
            last: where the page before ended (`position_of`).
            limit: how many.
            sight: which of them the caller could pull, if they were there: more than these it cannot restore.
            may: says of the number of one whether the caller may restore it.
        """
        since = Instant(self._clock.now() - self._window)
        scope = TrashScope(registry_id=registry.id, repository_id=None, since=since, sight=sight)
        found: list[TrashEntry] = []
        while len(found) <= limit:
            position = last
            batch = await self._database.read(
                lambda c: trash_lists.deleted_repositories(c, scope, position, _BATCH)  # noqa: B023 - read at once
            )
            found += [entry for entry in batch if await may(entry.number)]
            if len(batch) < _BATCH:
                break
            last = trash_lists.position_of(batch[-1])
        return page_of(found[: limit + 1], limit)

    async def restorable(
        self,
        registry: Registry,
        repository: RepositoryName | None,
        last: Position | None,
        limit: int,
        may: Callable[[TrashEntry], Awaitable[bool]],
    ) -> Restorable:
        """Return what somebody may bring back, the newest first, out of the next part of the trash.

        Who may bring back little of much finds a page short, or empty, and goes on from where it ends: no page looks
        through the whole trash of others.

        Args:
            registry: of which registry.
            repository: only what was deleted from the one of this name, and deleted repositories that were called so;
                nothing for everything.
            last: where the page before ended.
            limit: how many.
            may: says whether the caller may bring something back; asked once for each repository.
        """
        since = Instant(self._clock.now() - self._window)
        scope = TrashScope(registry_id=registry.id, repository_id=None, since=since)
        known: dict[tuple[str, int], bool] = {}
        found: list[TrashEntry] = []
        for _ in range(_MOST_BATCHES):
            position = last
            batch = await self._database.read(
                lambda c: trash_lists.entries(c, scope, position, _BATCH)  # noqa: B023 - read at once
            )
            for entry in batch:
                if len(found) == limit:
                    return Restorable(items=found, last=last)
                last = trash_lists.position_of(entry)
                key = entry.repository, entry.number if entry.kind is TrashKind.REPOSITORY else 0
                if repository is not None and entry.repository != repository:
                    continue
                if key not in known:
                    known[key] = await may(entry)
                if known[key]:
                    found.append(entry)
            if len(batch) < _BATCH:
                return Restorable(items=found, last=None)
        return Restorable(items=found, last=last)

    async def repository(self, registry: Registry, number: int) -> TrashEntry:
        """Return a deleted repository that can be restored.

        Raises:
            NameUnknown: there is none of that number in the trash.
        """
        since = Instant(self._clock.now() - self._window)
        found = await self._database.read(lambda c: trash_lists.find_repository(c, registry.id, number, since))
        if found is None:
            raise number_unknown(number)
        return found

    async def purge(self, registry: Registry, what: Trashed, by: Actor, *, number: int | None = None) -> None:
        """End the time of something in the trash: it does not come back, and is collected as soon as nothing needs it.

        Args:
            registry: where it was.
            what: a repository, a manifest or a blob.
            by: who ends it.
            number: which repository, if several of that name were deleted; otherwise the last.

        Raises:
            NameUnknown, BlobUnknown: it is not in the trash.
            RuleInvalid: it is a tag, which holds no content.
            DeletionDisabled: deletion is off.
        """
        self._switches.require_deletion()
        now = self._clock.now()
        if what.tag is not None:
            message = Sentence(
                "The tag %(tag)r holds no content: purge the manifest that it named, NAME@DIGEST.", tag=what.tag
            )
            raise RuleInvalid(message)

        def work(connection: Connection) -> None:
            if what.digest is None:
                repository_id = _purge_repository(connection, registry, what.repository, number, now)
            else:
                repository_id = _purge_content(connection, registry, what.repository, what.digest, now)
            event = Event(
                action=EventAction.TRASH_PURGED,
                repository_id=repository_id,
                repository=what.repository,
                digest=what.digest,
            )
            events.record(connection, registry.id, event, by, now)
            failpoint("trash.purge.committing")

        await self._database.write(work)
        failpoint("trash.purge.committed")


def number_unknown(number: int) -> NameUnknown:
    """Return the error for a repository that is not in the trash."""
    return NameUnknown(
        Sentence("There is no repository %(number)s in the trash.", number=number), detail={"number": number}
    )


def _purge_repository(
    connection: Connection, registry: Registry, name: RepositoryName, number: int | None, now: Instant
) -> int:
    """End the time of a deleted repository; the collector finds it by that. Returns its id."""
    found = rows.find_repository(connection, registry.id, name, number)
    if found is None or found.purged:
        message = Sentence("There is no repository %(name)r in the trash.", name=name)
        raise NameUnknown(message, detail={"name": name})
    rows.begin_purge(connection, found.id, now)
    return found.id


def _purge_content(
    connection: Connection, registry: Registry, repository: RepositoryName, digest: Digest, now: Instant
) -> int:
    """End the time of a deleted manifest or blob, and have it looked at now; returns the id of its repository."""
    held = require_locked(connection, registry, repository)
    manifest = rows.find_manifest(connection, held.id, digest)
    if manifest is not None and not manifest.purged:
        rows.purge_manifest(connection, manifest.id, now)
        queues.review_manifest(connection, manifest.id, now, "purged")
        return held.id
    blob = rows.find_blob(connection, held.id, digest)
    if blob is None or blob.purged:
        message = Sentence(
            "Neither a manifest nor a blob %(digest)s is in the trash of this repository.", digest=digest
        )
        raise BlobUnknown(message, detail={"digest": digest})
    rows.purge_blob(connection, held.id, blob.id, now)
    queues.review_blobs(connection, held.id, [blob.id], now, "purged")
    return held.id
