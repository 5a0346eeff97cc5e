# SPDX-License-Identifier: Apache-2.0
"""Repositories: the catalog, what a page shows of them, where each begins to exist, and how it goes and comes back."""

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from wharfinger.clock import DAY, Clock, Instant, after
from wharfinger.domain.access import Action, Visibility
from wharfinger.domain.content import ALL_TAKEN, KindsOff
from wharfinger.domain.errors import (
    CHANGED_MEANWHILE,
    ContentGone,
    DatabaseUnavailable,
    DeletionDisabled,
    NameTaken,
    NameUnknown,
    PreconditionFailed,
    ReadOnly,
)
from wharfinger.domain.events import Event, EventAction, difference
from wharfinger.domain.identity import Actor
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.pages import Page, page_of
from wharfinger.domain.policies.immutability import Immutability, parse_immutability
from wharfinger.domain.sentences import Sentence
from wharfinger.domain.switches import Switches
from wharfinger.failpoints import failpoint
from wharfinger.metadata import events, repository_lists, tag_history, trash
from wharfinger.metadata import repositories as rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.repositories import Repository, RepositorySummary
from wharfinger.metadata.repository_lists import RepositoryLine, RepositorySearch
from wharfinger.metadata.standing import Sight
from wharfinger.metadata.tags import TagChange
from wharfinger.services.registries import Registry

__all__ = [
    "REVIEW_DELAY",
    "Held",
    "Repositories",
    "RepositoryChange",
    "RepositoryLine",
    "RepositorySearch",
    "ensure",
    "ensure_locked",
    "link_source",
    "name_unknown",
    "require_locked",
    "tag_change",
    "tell_change",
]

REVIEW_DELAY: Final = DAY
_ATTEMPTS: Final = 5


class Held(NamedTuple):
    """A repository that this transaction alone changes until it ends."""

    id: int
    rules: Immutability
    """Which of its tags never move."""
    kinds_off: KindsOff = ALL_TAKEN
    """Which kinds of content are switched off there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryChange:
    """What is to change; nothing leaves it as it is.

    Args:
        description: as `parse_description` returns it; empty to take it away.
        source: as `parse_source` returns it; empty to take it away, and then no manifest fills it in again.
        visibility: who may pull without a role.
        inherits: whether roles on its namespace, and membership of its organization, reach it.
        immutable_tags: which tags never move, as `parse_immutability` reads it.
        immutable_deletable: whether an immutable tag may be deleted.
    """

    description: str | None = None
    source: str | None = None
    visibility: Visibility | None = None
    inherits: bool | None = None
    immutable_tags: str | None = None
    immutable_deletable: bool | None = None

    @property
    def action(self) -> Action:
        """What somebody must be allowed to do to the repository, to change this of it."""
        words = {"description", "source"}
        return Action.DESCRIBE if self.columns().keys() <= words else Action.ADMINISTER

    def columns(self) -> dict[str, object]:
        """Return the columns to set.

        Raises:
            RuleInvalid: the rules for immutable tags cannot be read.
        """
        found: dict[str, object] = {}
        if self.description is not None:
            found["description"] = self.description or None
        if self.source is not None:
            found["source"] = self.source
        if self.visibility is not None:
            found["visibility"] = self.visibility.value
        if self.inherits is not None:
            found["inherits"] = int(self.inherits)
        if self.immutable_tags is not None:
            found["immutable_tags"] = str(parse_immutability(self.immutable_tags))
        if self.immutable_deletable is not None:
            found["immutable_deletable"] = int(self.immutable_deletable)
        return found


class Repositories:
    """Repositories of every registry."""

    def __init__(self, database: Database, clock: Clock, switches: Switches) -> None:
        self._database = database
        self._clock = clock
        self._switches = switches

    async def find(self, registry: Registry, name: RepositoryName) -> Repository:
        """Return a repository with its settings, also one that has had no manifest yet.

        Raises:
            NameUnknown: there is none of that name.
        """
        found = await self._database.read(lambda c: rows.load(c, registry.id, name))
        if found is None:
            raise name_unknown(name)
        return found

    async def list(self, registry: Registry, last: str | None, limit: int, sight: Sight) -> Page[Repository]:
        """Return listed repositories with their settings after `last`, sorted by bytes, as far as the caller sees."""

        def work(connection: Connection) -> Page[Repository]:
            names = page_of(rows.list_names(connection, registry.id, last, limit + 1, sight), limit)
            return Page(rows.load_all(connection, registry.id, names.items), more=names.more)

        return await self._database.read(work)

    async def change(
        self,
        registry: Registry,
        name: RepositoryName,
        change: RepositoryChange,
        by: Actor,
        *,
        seen: Repository | None = None,
    ) -> Repository:
        """Change a repository's settings, all of what is said or nothing; where nothing changes, nothing is told.

        Tags that become immutable are so from the next push on, also for one that waits at this moment.

        Args:
            registry: that has it.
            name: which one.
            change: what is to change.
            by: who does it.
            seen: as whoever changes it saw it before; one that somebody else changed meanwhile stays as it is.

        Raises:
            NameUnknown: there is none of that name.
            PreconditionFailed: its settings are not as they were seen; pushes do not count.
            RuleInvalid: the rules for immutable tags cannot be read.
        """
        self._switches.require_writable()
        columns, now = change.columns(), self._clock.now()

        def work(connection: Connection) -> Repository:
            before = rows.load(connection, registry.id, name, lock=True)
            if before is None:
                raise name_unknown(name)
            if seen is not None and replace(before, changed_at=seen.changed_at) != seen:
                raise PreconditionFailed(CHANGED_MEANWHILE)
            rows.change(connection, before.id, columns)
            after = rows.load(connection, registry.id, name) or before
            told = difference(_words(before), _words(after))
            tell_change(connection, registry, after, told, by=by, now=now)
            return after

        return await self._database.write(work)

    async def catalog(self, registry: Registry, last: str | None, limit: int, sight: Sight) -> Page[RepositoryName]:
        """Return names after `last`, sorted by bytes, as far as the caller sees them (`Authorization.sight`).

        A repository is listed from its first manifest on.
        """
        if limit == 0:
            return Page((), more=False)
        found = await self._database.read(lambda c: rows.list_names(c, registry.id, last, limit + 1, sight))
        return page_of(found, limit)

    async def browse(
        self, registry: Registry, wanted: RepositorySearch, limit: int, sight: Sight
    ) -> Page[RepositoryLine]:
        """Return a page of a list that people read, as far as the caller sees it.

        `more` says whether there are further ones on the side to which the search looks.
        """
        found = await self._database.read(lambda c: repository_lists.browse(c, registry.id, wanted, limit + 1, sight))
        if wanted.before is not None and len(found) > limit:
            return Page(found[-limit:], more=True)
        return page_of(found, limit)

    async def summary(self, registry: Registry, name: RepositoryName) -> RepositorySummary:
        """Return what a page shows of one repository.

        Raises:
            NameUnknown: there is none of that name, or it has not had a manifest yet.
        """
        await self.require(registry, name)
        (found,) = await self._database.read(lambda c: rows.summarize(c, registry.id, [name])) or (None,)
        if found is None:
            raise name_unknown(name)
        return found

    async def require(self, registry: Registry, name: RepositoryName) -> tuple[int, int]:
        """Return the id of a repository that is listed, and the revision of what it shows.

        Raises:
            NameUnknown: there is none of that name, or it has not had a manifest yet.
        """
        row = await self._database.find(rows.REPOSITORY, registry_id=registry.id, repository=name)
        if row is None or row[1] is None:
            raise name_unknown(name)
        return int(row[0]), int(row[2])

    def why_nothing_goes(self) -> Sentence | None:
        """Return why nobody may delete anything here, in the words of the refusal; nothing where roles decide."""
        try:
            self._switches.require_deletion()
        except (DeletionDisabled, ReadOnly) as error:
            return error.message
        return None

    async def delete(self, registry: Registry, name: RepositoryName, by: Actor) -> None:
        """Put the whole repository into the trash, its immutable tags too. Its name is free at once.

        Uploads to it can go on only if it is restored before they expire.

        Raises:
            NameUnknown: there is none of that name.
            DeletionDisabled: deletion is off.
        """
        self._switches.require_deletion()
        now = self._clock.now()

        def work(connection: Connection) -> None:
            held = require_locked(connection, registry, name)
            event = Event(action=EventAction.REPOSITORY_DELETED, repository_id=held.id, repository=name)
            rows.hide(connection, held.id, now, events.record(connection, registry.id, event, by, now))
            failpoint("repository.delete.committing")

        await self._database.write(work)
        failpoint("repository.delete.committed")

    async def restore(
        self,
        registry: Registry,
        name: RepositoryName,
        by: Actor,
        *,
        new_name: RepositoryName | None = None,
        number: int | None = None,
    ) -> RepositoryName:
        """Bring a repository back as it was: its tags, its content, its history, its grants and its settings.

        Args:
            registry: where it was.
            name: what it was called.
            by: who restores it.
            new_name: what it is to be called, if somebody took its name meanwhile.
            number: which one (`TrashEntry.number`), if several of that name were deleted; otherwise the last.

        Returns:
            What it is called now.

        Raises:
            NameUnknown: there is none of that name in the trash.
            NameTaken: there is a repository of the name that it would have.
            ContentGone: its time was ended, or was over, and parts of it were removed.
        """
        self._switches.require_writable()
        now = self._clock.now()
        wanted = new_name or name

        def work(connection: Connection) -> RepositoryName:
            found = trash.find_repository(connection, registry.id, name, number)
            if found is None:
                message = Sentence("There is no repository %(name)r in the trash.", name=name)
                raise NameUnknown(message, detail={"name": name})
            if found.purged:
                message = Sentence(
                    "The repository %(name)r does not come back: its time in the trash has ended.", name=name
                )
                raise ContentGone(message, tag_history.lost(connection, found.id))
            if rows.find(connection, registry.id, wanted) is not None:
                raise _taken(wanted)
            if lost := tag_history.lost(connection, found.id):
                message = Sentence("The repository %(name)r cannot come back whole: tags of it are gone.", name=name)
                raise ContentGone(message, lost)
            namespace_id, _ = rows.place_of(connection, registry.id, wanted, by, now)
            trash.show_repository(connection, found.id, wanted, namespace_id, now)
            detail = None if wanted == name else f"it was called {name}"
            event = Event(
                action=EventAction.REPOSITORY_RESTORED, repository_id=found.id, repository=wanted, detail=detail
            )
            events.record(connection, registry.id, event, by, now)
            failpoint("repository.restore.committing")
            return wanted

        restored = await self._database.write(work)
        failpoint("repository.restore.committed")
        return restored


def name_unknown(name: RepositoryName) -> NameUnknown:
    """Return the error for a repository that is not here."""
    return NameUnknown(Sentence("There is no repository %(name)r in this registry.", name=name), detail={"name": name})


def _taken(name: RepositoryName) -> NameTaken:
    message = Sentence("There is a repository %(name)r now; restore the deleted one under another name.", name=name)
    return NameTaken(message, detail={"name": name})


def ensure(connection: Connection, registry: Registry, name: RepositoryName, by: Actor, now: Instant) -> int:
    """Return the id of the repository, making it, and telling of it, if it is new: pushing creates."""
    repository_id, made = rows.ensure(connection, registry.id, name, by, now)
    if made:
        event = Event(action=EventAction.REPOSITORY_CREATED, repository_id=repository_id, repository=name)
        events.record(connection, registry.id, event, by, now)
    return repository_id


def ensure_locked(connection: Connection, registry: Registry, name: RepositoryName, by: Actor, now: Instant) -> Held:
    """Do the same as `ensure`, and let nobody else change the repository until the transaction ends."""
    for _ in range(_ATTEMPTS):
        repository_id = ensure(connection, registry, name, by, now)
        rules = rows.lock(connection, repository_id)
        if rules is not None:
            return Held(repository_id, *rules)
        # It was deleted while the lock was waited for: the name is free, and pushing creates.
    message = Sentence("The repository %(name)r is being made and deleted all the time; try again.", name=name)
    raise DatabaseUnavailable(message)


def require_locked(connection: Connection, registry: Registry, name: RepositoryName) -> Held:
    """Return the live repository of that name, and let nobody else change it until the transaction ends.

    Raises:
        NameUnknown: there is none.
    """
    repository_id = rows.find(connection, registry.id, name)
    rules = None if repository_id is None else rows.lock(connection, repository_id)
    if repository_id is None or rules is None:
        raise name_unknown(name)
    return Held(repository_id, *rules)


def tag_change(
    registry: Registry, held: Held, name: RepositoryName, by: Actor, now: Instant, detail: str | None = None
) -> TagChange:
    """Return the circumstances in which tags of a repository change."""
    return TagChange(
        registry_id=registry.id,
        repository_id=held.id,
        repository=name,
        rules=held.rules,
        by=by,
        now=now,
        review_at=after(now, REVIEW_DELAY),
        detail=detail,
    )


def link_source(
    connection: Connection, registry: Registry, name: RepositoryName, source: str, *, by: Actor, now: Instant
) -> None:
    """Have a repository come from the source that its content names, if nobody has ever said from which."""
    repository = rows.load(connection, registry.id, name)
    if repository is not None and rows.link_source(connection, repository.id, source):
        told = f"source from nothing to {source}, as what was pushed says"
        tell_change(connection, registry, repository, told, by=by, now=now)


def tell_change(
    connection: Connection, registry: Registry, repository: Repository, told: str, *, by: Actor, now: Instant
) -> None:
    """Record what changed of a repository, in words; an empty text means that nothing did."""
    if told:
        event = Event(
            action=EventAction.REPOSITORY_CHANGED,
            repository_id=repository.id,
            repository=repository.name,
            detail=told,
        )
        events.record(connection, registry.id, event, by, now)


def _words(repository: Repository) -> dict[str, str]:
    return {
        "description": repr(repository.description or ""),
        "source": repository.source or "nothing",
        "visibility": repository.visibility.value,
        "inheritance": "on" if repository.inherits else "off",
        "immutable tags": str(repository.immutability),
        "deleting immutable tags": "allowed" if repository.immutable_deletable else "not allowed",
    }
