# SPDX-License-Identifier: Apache-2.0
"""Tags of a repository: listing and deleting them, what each has named, and bringing it back.

A tag is moved by pushing a manifest under it.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.clock import Clock, Instant, as_datetime
from wharfinger.domain.digests import Digest
from wharfinger.domain.errors import ManifestUnknown
from wharfinger.domain.identity import Actor
from wharfinger.domain.names import RepositoryName, TagName
from wharfinger.domain.pages import Page, page_of
from wharfinger.domain.sentences import Sentence
from wharfinger.domain.switches import Switches
from wharfinger.failpoints import failpoint
from wharfinger.metadata import manifests as manifest_rows
from wharfinger.metadata import repositories as repository_rows
from wharfinger.metadata import tag_history, tag_lists, trash
from wharfinger.metadata import tags as rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.tag_history import Movement
from wharfinger.metadata.tag_lists import TagSearch
from wharfinger.metadata.tags import TagSummary, Target
from wharfinger.services.registries import Registry
from wharfinger.services.repositories import Repositories, require_locked, tag_change
from wharfinger.services.restoring import find_or_restore

__all__ = ["TagListing", "TagSearch", "TagThen", "Tags"]

_BATCH: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TagListing:
    """All tags of a repository, read as they are asked for.

    `key` names the repository and the revision that was found before the first name is read: whatever is read is at
    least as new, so an answer that was kept under the key is good while the key is the same
    (ADR 0020).
    """

    key: str
    batches: AsyncIterator[Sequence[TagName]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TagThen:
    """What a tag named at some time.

    Args:
        digest: the manifest.
        since: from when on.
        by: who had set it.
        is_here: whether the manifest can be pulled now, by its digest.
        in_trash: whether it can be restored.
    """

    digest: Digest
    since: Instant
    by: str
    is_here: bool
    in_trash: bool


class Tags:
    """Tags of every registry."""

    def __init__(self, database: Database, repositories: Repositories, clock: Clock, switches: Switches) -> None:
        self._database = database
        self._repositories = repositories
        self._clock = clock
        self._switches = switches

    async def list(self, registry: Registry, repository: RepositoryName, last: str | None, limit: int) -> Page[TagName]:
        """Return names after `last`, sorted by bytes.

        Raises:
            NameUnknown: there is no such repository.
        """
        repository_id, _ = await self._repositories.require(registry, repository)
        if limit == 0:
            return Page((), more=False)
        found = await self._database.read(lambda c: rows.list_names(c, repository_id, last, limit + 1))
        return page_of(found, limit)

    async def list_all(self, registry: Registry, repository: RepositoryName, last: str | None) -> TagListing:
        """Return all names after `last` in batches: memory is bounded however many there are.

        Raises:
            NameUnknown: there is no such repository; raised here, before the first batch.
        """
        repository_id, revision = await self._repositories.require(registry, repository)
        key = f"tags of {repository_id} at {revision} after {last or ''}"
        return TagListing(key=key, batches=self._batches(repository_id, last))

    async def summaries(self, registry: Registry, repository: RepositoryName, limit: int) -> Sequence[TagSummary]:
        """Return what a page shows of the tags that moved last."""
        return (await self.newest(registry, repository, TagSearch(), limit)).items

    async def newest(
        self, registry: Registry, repository: RepositoryName, wanted: TagSearch, limit: int
    ) -> Page[TagSummary]:
        """Return what a page shows of some tags, the one that moved last first.

        `more` says whether there are further ones on the side to which the search looks.

        Raises:
            NameUnknown: there is no such repository.
        """
        repository_id, _ = await self._repositories.require(registry, repository)
        found = await self._database.read(lambda c: tag_lists.newest(c, repository_id, wanted, limit + 1))
        if wanted.before is not None and len(found) > limit:
            return Page(found[-limit:], more=True)
        return page_of(found, limit)

    async def delete(self, registry: Registry, repository: RepositoryName, name: TagName, by: Actor) -> None:
        """Delete the tag; the manifest stays, and the history keeps where the tag was.

        Raises:
            NameUnknown: there is no such repository.
            ManifestUnknown: there is no such tag.
            TagImmutable: the rules of the repository keep it.
        """
        await self.delete_all(registry, repository, [name], by)

    async def delete_all(
        self, registry: Registry, repository: RepositoryName, names: Collection[TagName], by: Actor
    ) -> None:
        """Delete several tags at once: all of them, or, if one is not there or may not go, none.

        Raises:
            NameUnknown: there is no such repository.
            ManifestUnknown: there is no such tag.
            TagImmutable: the rules of the repository keep it.
        """
        self._switches.require_deletion()
        now = self._clock.now()

        def work(connection: Connection) -> None:
            held = require_locked(connection, registry, repository)
            change = tag_change(registry, held, repository, by, now)
            for name in sorted(set(names)):
                if not rows.remove(connection, change, name):
                    message = Sentence("There is no tag %(name)r in this repository.", name=name)
                    raise ManifestUnknown(message, detail={"tag": name})
            repository_rows.touch(connection, held.id, now)
            failpoint("tag.delete.committing")

        await self._database.write(work)
        failpoint("tag.delete.committed")

    async def history(
        self, registry: Registry, repository: RepositoryName, name: TagName | None, before: int | None, limit: int
    ) -> Page[Movement]:
        """Return the movements of a tag, or of every tag, the newest first.

        Args:
            registry: where the repository is.
            repository: the repository.
            name: the tag, there or deleted; nothing for all of them.
            before: the id of the last movement of the page before; nothing for the first page.
            limit: how many.

        Raises:
            NameUnknown: there is no such repository.
        """
        repository_id, _ = await self._repositories.require(registry, repository)
        found = await self._database.read(lambda c: tag_history.movements(c, repository_id, name, before, limit + 1))
        return page_of(found, limit)

    async def at(self, registry: Registry, repository: RepositoryName, name: TagName, time: Instant | None) -> TagThen:
        """Return what the tag named at a time; without one, what it names now.

        Raises:
            NameUnknown: there is no such repository.
            ManifestUnknown: there was no such tag then.
        """
        repository_id, _ = await self._repositories.require(registry, repository)

        def work(connection: Connection) -> TagThen:
            step = tag_history.last(connection, repository_id, name, time)
            if step is None or step.after is None:
                message = Sentence("There is no tag %(name)r in this repository.", name=name)
                if time is not None:
                    message = Sentence(
                        "There was no tag %(name)r in this repository at %(time)s.",
                        name=name,
                        time=f"{as_datetime(time):%Y-%m-%dT%H:%M:%SZ}",
                    )
                raise ManifestUnknown(message, detail={"tag": name})
            hidden = trash.find_manifest(connection, repository_id, step.after, to_change=False)
            return TagThen(
                digest=step.after,
                since=step.at,
                by=step.by,
                is_here=manifest_rows.find(connection, repository_id, step.after) is not None,
                in_trash=hidden is not None and not hidden.purged,
            )

        return await self._database.read(work)

    async def restore(
        self, registry: Registry, repository: RepositoryName, name: TagName, by: Actor, *, to: Digest | None = None
    ) -> Digest:
        """Set the tag to what it named before: undo its deletion, or its last movement, or go back to one of its steps.

        A manifest that is in the trash comes back with it. Restoring a tag that is there moves it, which the rules of
        the repository must allow.

        Args:
            registry: where the repository is.
            repository: the repository.
            name: the tag.
            by: who restores it.
            to: a manifest that the tag has named; nothing for the one before the last step.

        Returns:
            What the tag names now.

        Raises:
            NameUnknown: there is no such repository.
            ManifestUnknown: the tag never named anything else, or not this.
            ContentGone: it did, and the content was collected.
            TagImmutable: the tag is there, and the rules of the repository keep it where it is.
        """
        self._switches.require_writable()
        now = self._clock.now()

        def work(connection: Connection) -> Digest:
            held = require_locked(connection, registry, repository)
            wanted = _earlier(connection, held.id, name) if to is None else to
            if to is not None and not tag_history.has_named(connection, held.id, name, to):
                message = Sentence(
                    "The tag %(name)r never named %(to)s; its history says what it did name.", name=name, to=to
                )
                raise ManifestUnknown(message, detail={"tag": name})
            change = tag_change(registry, held, repository, by, now, "restored")
            manifest_id = find_or_restore(connection, change, name, wanted)
            rows.move(connection, change, name, Target(manifest_id=manifest_id, digest=wanted))
            repository_rows.touch(connection, held.id, now)
            failpoint("tag.restore.committing")
            return wanted

        restored = await self._database.write(work)
        failpoint("tag.restore.committed")
        return restored

    async def _batches(self, repository_id: int, last: str | None) -> AsyncIterator[Sequence[TagName]]:
        while True:
            position = last
            batch = await self._database.read(lambda c: rows.list_names(c, repository_id, position, _BATCH))  # noqa: B023 - read at once
            if batch:
                yield batch
            if len(batch) < _BATCH:
                return
            last = batch[-1]


def _earlier(connection: Connection, repository_id: int, name: TagName) -> Digest:
    """Return what the tag named before its last step: before it was deleted, or before it moved."""
    step = tag_history.last(connection, repository_id, name)
    if step is not None and step.before is not None:
        return step.before
    message = Sentence("The tag %(name)r has named nothing else, so there is nothing to restore.", name=name)
    if step is None:
        message = Sentence("There never was a tag %(name)r in this repository.", name=name)
    raise ManifestUnknown(message, detail={"tag": name})
