# SPDX-License-Identifier: Apache-2.0
"""How registries come into being and end (ADR 0035).

```text
create ──▶ row ──▶ mark in the storage ──▶ what its inventory names comes back ──▶ it answers
delete ──▶ it answers no more ──▶ inventory, durable ──▶ mark removed ──▶ the storage is free, rows go by themselves
       or ──▶ it answers no more ──▶ images go, bytes too ──▶ mark removed ──▶ the storage is free
```

Each arrow can be the last one that a process gets to: `settle` looks for registries that are on the way and takes
them further, one process at a time, and doing a step twice changes nothing. As long as an inventory is not durable,
nothing of the registry is collected; once its storage is free, nothing that is in it is touched for this registry any
more. One that cannot be opened comes to nothing, and what is in the storage stays as it was.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from wharfinger.clock import Clock
from wharfinger.domain.errors import (
    RegistryConflict,
    RegistryInvalid,
    StoreUnavailable,
    Unavailable,
    UpkeepBusy,
    WharfingerError,
)
from wharfinger.domain.events import Event, EventAction
from wharfinger.domain.identity import SYSTEM_ACTOR, Actor
from wharfinger.domain.inventories import Inventory, InventoryUnfit
from wharfinger.domain.names import DEFAULT_REGISTRY, RegistryName
from wharfinger.domain.registries import Contents, new_mark, new_private_id
from wharfinger.domain.sentences import Sentence
from wharfinger.domain.switches import Switches
from wharfinger.failpoints import failpoint
from wharfinger.metadata import closing, events
from wharfinger.metadata import registries as rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.registries import RegistryRow
from wharfinger.services.inventories import Inventories
from wharfinger.services.registries import Registry, registry_unknown
from wharfinger.services.storages import (
    Storage,
    Storages,
    claim,
    read_mark,
    remove_mark,
    require_empty,
    require_mark,
    unknown_storage,
)
from wharfinger.services.turns import Turn, Turns, new_token
from wharfinger.telemetry import logger

_log = logger("registries")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageUse:
    """A storage of the settings, and what it is used for.

    Args:
        name, place: as of `Storage`.
        holder: the registry that has it, also one that is being opened or closed; nothing if it is free.
        left_by: of a free one, the deleted registry whose images are in it and come back.
    """

    name: str
    place: str
    holder: RegistryRow | None
    left_by: str | None


class Lifecycle:
    """Creates and deletes registries.

    Args:
        database: where rows are.
        storages: what the operator declared.
        clock: the time.
        switches: the operator's.
    """

    def __init__(self, database: Database, storages: Storages, clock: Clock, switches: Switches) -> None:
        self._database = database
        self._storages = storages
        self._clock = clock
        self._switches = switches
        self._inventories = Inventories(database, clock)
        self._turns = Turns(database, clock)
        self._tidied: set[int] = set()

    @property
    def storages(self) -> Storages:
        """What the operator declared."""
        return self._storages

    async def holders(self) -> dict[str, RegistryRow]:
        """Return which registry has which storage, also one that is being opened or closed."""
        return {row.storage: row for row in await self._database.read(rows.list_held) if row.storage is not None}

    async def contents(self, registry: Registry) -> Contents:
        """Return how much is in a registry."""
        return await self._database.read(lambda c: closing.contents(c, registry.id))

    async def uses(self) -> Sequence[StorageUse]:
        """Return every storage of the settings, in their order, with what it is used for."""
        holders, found = await self.holders(), []
        for one in self._storages.all():
            holder = holders.get(one.name)
            left = None if holder is not None else await self.left_in(one.name)
            left_by = None if left is None else left.registry
            found.append(StorageUse(name=one.name, place=one.place, holder=holder, left_by=left_by))
        return found

    async def left_in(self, storage: str) -> Inventory | None:
        """Return what a deleted registry left in a storage, if one did."""
        found = self._storages.find(storage)
        if found is None:
            return None
        try:
            return await self._inventories.find(found.store)
        except (InventoryUnfit, Unavailable):
            return None

    async def create(self, name: RegistryName, storage: str, by: Actor) -> RegistryRow:
        """Make a registry over a free storage; images that another one left there come back.

        It answers once they are back, which `settle` sees to if this process ends on the way.

        Raises:
            RegistryInvalid: no such storage is declared, or what is in it cannot be taken over.
            RegistryConflict: the name or the storage is taken.
            StoreUnavailable, StoreFull: the storage cannot be used.
            ReadOnly: nothing may be written.
        """
        self._switches.require_writable()
        place = self._storages.find(storage)
        if place is None:
            raise RegistryInvalid(unknown_storage(storage, self._storages))
        now, mark, private_id, token = self._clock.now(), new_mark(), new_private_id(), new_token()
        until = self._turns.until()

        def work(connection: Connection) -> RegistryRow:
            made = rows.create(
                connection,
                name,
                storage=storage,
                mark=mark,
                private_id=private_id,
                now=now,
                claim=token,
                claimed_until=until,
            )
            if made is None:
                raise RegistryConflict(_taken(connection, name, storage))
            failpoint("registry.create.committing")
            return rows.get(connection, made)

        row = await self._database.write(work)
        failpoint("registry.create.committed")
        async with self._turns.of(row.id, token) as turn:
            if turn is None:
                message = Sentence("The registry %(name)s is on the way; it answers in a moment.", name=name)
                raise UpkeepBusy(message)
            return await self._open(place, row, turn, by)

    async def delete(self, registry: Registry, by: Actor, *, images: bool) -> None:
        """Have a registry answer no more; `settle` does the rest.

        Args:
            registry: which one.
            by: who deletes it.
            images: whether its images go too. If not, they stay in the storage, with an inventory, and a new registry
                over that storage has them again. What is in the trash goes in either case.

        Raises:
            RegistryInvalid: it is `default`.
            RegistryUnknown: it was deleted already.
            DeletionDisabled: its images are to go, and deletion is off.
            ReadOnly: nothing may be written.
        """
        self._switches.require_writable()
        if images:
            self._switches.require_deletion()
        if registry.name == DEFAULT_REGISTRY:
            message = Sentence("`default` cannot be deleted: it is the registry that there always is.")
            raise RegistryInvalid(message)
        now = self._clock.now()

        def work(connection: Connection) -> None:
            closing.lock(connection, registry.id)
            row = rows.get(connection, registry.id)
            if row.deleted_at is not None:
                raise registry_unknown(registry.name)
            detail = "with its images" if images else f"its images stay in the storage {row.storage}"
            event = Event(action=EventAction.REGISTRY_DELETED, target=registry.name, detail=detail)
            number = events.record(connection, registry.id, event, by, now)
            for robot in closing.close(connection, registry.id, number, now, leaves_images=not images):
                told = Event(action=EventAction.ACCOUNT_DELETED, target=robot, detail="its registry was deleted")
                events.record(connection, registry.id, told, by, now)
            failpoint("registry.delete.committing")

        await self._database.write(work)
        failpoint("registry.delete.committed")

    async def settle(self) -> int:
        """Take every registry further that is being opened or closed; returns how many came to their end."""
        if self._switches.read_only:
            return 0
        done = 0
        for row in await self._database.read(rows.list_held):
            if row.is_live and row.id in self._tidied:
                continue
            try:
                async with self._turns.of(row.id) as turn:
                    if turn is not None:
                        done += await self._settle(row.id, turn)
            except (WharfingerError, InventoryUnfit) as error:
                _log.error("a registry is on the way, and stays there", registry=row.name, reason=str(error))
        return done

    async def _settle(self, registry_id: int, turn: Turn) -> bool:
        row = await self._database.read(lambda c: rows.get(c, registry_id))
        if row.storage is None:
            return False
        place = self._storages.find(row.storage)
        if place is None:
            message = Sentence("The storage %(storage)s is not among the settings of this node.", storage=row.storage)
            raise StoreUnavailable(message)
        if row.deleted_at is not None:
            return await self._close(place, row, turn)
        if row.opened_at is not None:
            if await read_mark(place.store) == row.mark:
                await self._inventories.remove(place.store, besides=row.mark)  # of who died before it could
            self._tidied.add(row.id)
            return False
        await self._open(place, row, turn, SYSTEM_ACTOR, is_patient=True)
        return True

    async def _open(
        self, place: Storage, row: RegistryRow, turn: Turn, by: Actor, *, is_patient: bool = False
    ) -> RegistryRow:
        """Take a registry to where it answers; one for which that cannot be comes to nothing.

        Args:
            place: its storage.
            row: as it is now.
            turn: of this process.
            by: who wants it.
            is_patient: whether to try again later if the storage does not answer.

        Raises:
            RegistryInvalid, RegistryConflict: what is in the storage cannot be taken over.
            Unavailable: the storage or the database does not answer.
        """
        try:
            inventory = await self._take(place, row)
        except Unavailable as error:
            if not is_patient:
                await self._give_up(place, row, turn, error.message)
            raise
        except (RegistryInvalid, RegistryConflict) as error:
            await self._give_up(place, row, turn, error.message)
            raise
        try:
            return await self._finish(place, row, turn, inventory, by)
        except InventoryUnfit as error:
            message = Sentence(
                "The images in the storage %(name)s cannot be brought back: %(error)s.",
                name=place.name,
                error=str(error),
            )
            await self._give_up(place, row, turn, message)
            raise RegistryInvalid(message) from error

    async def _take(self, place: Storage, row: RegistryRow) -> Inventory | None:
        """Mark a storage for a registry, if all that is in it can be told; returns what another one left there."""
        await claim(place, row.mark)
        failpoint("registry.marked")
        try:
            inventory = await self._inventories.find(place.store)
            if inventory is not None:
                await self._inventories.check(place.store, inventory)
        except InventoryUnfit as error:
            message = Sentence(
                "The images in the storage %(name)s cannot be brought back: %(error)s.",
                name=place.name,
                error=str(error),
            )
            raise RegistryInvalid(message) from error
        if inventory is None:
            await require_empty(place)
        return inventory

    async def _finish(
        self, place: Storage, row: RegistryRow, turn: Turn, inventory: Inventory | None, by: Actor
    ) -> RegistryRow:
        def tell(connection: Connection) -> int:
            turn.guard(connection)
            return self._told(connection, row, place, by)

        event_id = await self._database.write(tell)
        failpoint("registry.told")
        found = None
        if inventory is not None:
            found = await self._inventories.bring_back(place.store, inventory, row, event_id, turn.guard)
        failpoint("registry.returned")
        now = self._clock.now()

        def work(connection: Connection) -> RegistryRow:
            turn.guard(connection)
            closing.lock(connection, row.id)
            closing.set_opened(connection, row.id, now, None if found is None else found.digest)
            if inventory is not None and found is not None:
                detail = f"{found.in_words()} that {inventory.registry} left in the storage {place.name}"
                event = Event(action=EventAction.REGISTRY_RESTORED, target=row.name, detail=detail)
                events.record(connection, row.id, event, by, now)
            failpoint("registry.open.committing")
            return rows.get(connection, row.id)

        opened = await self._database.write(work)
        failpoint("registry.open.committed")
        await self._inventories.remove(place.store, besides=row.mark)
        failpoint("registry.opened")
        return opened

    async def _give_up(self, place: Storage, row: RegistryRow, turn: Turn, reason: str) -> None:
        """Have a registry that cannot be opened come to nothing, and leave its storage as it was.

        What was told of it in the audit log already stays there, and so does its row; `settle` frees the storage then.
        """
        now = self._clock.now()
        try:
            await remove_mark(place.store, row.mark)
            is_unmarked = True
        except Unavailable:
            is_unmarked = False

        def work(connection: Connection) -> None:
            turn.guard(connection)
            closing.lock(connection, row.id)
            if is_unmarked and closing.creation_of(connection, row.id) is None:
                closing.remove(connection, row.id)
                return
            event = Event(action=EventAction.REGISTRY_DELETED, target=row.name, detail=f"not opened: {reason}"[:500])
            number = events.record(connection, row.id, event, SYSTEM_ACTOR, now)
            closing.close(connection, row.id, number, now, leaves_images=True)

        await self._database.write(work)

    def _told(self, connection: Connection, row: RegistryRow, place: Storage, by: Actor) -> int:
        """Return the event that tells of a registry's creation, which is recorded once."""
        known = closing.creation_of(connection, row.id)
        if known is not None:
            return known
        detail = f"over the storage {place.name}"
        event = Event(action=EventAction.REGISTRY_CREATED, target=row.name, detail=detail)
        return events.record(connection, row.id, event, by, self._clock.now())

    async def _close(self, place: Storage, row: RegistryRow, turn: Turn) -> bool:
        """Take a deleted registry to where its storage is free; says whether it is there."""
        now = self._clock.now()
        was_open = row.opened_at is not None
        if row.leaves_images and was_open and row.inventory is None:
            await require_mark(place, row.mark)
            digest = await self._inventories.write(place.store, row)
            failpoint("registry.inventory.written")
            await self._write(turn, lambda c: closing.note_inventory(c, row.id, digest))
            failpoint("registry.inventory.noted")
        if not row.leaves_images and await self._write(turn, lambda c: closing.hurry(c, row.id, now)):
            return False  # collection is at it
        if was_open and await read_mark(place.store) == row.mark:
            if row.leaves_images:
                await self._inventories.remove(place.store, besides=row.mark)
            else:
                await self._inventories.remove_all(place.store)
        await remove_mark(place.store, row.mark)
        failpoint("registry.unmarked")

        def work(connection: Connection) -> bool:
            freed = closing.free(connection, row.id, now)
            failpoint("registry.free.committing")
            return freed

        freed = await self._write(turn, work)
        failpoint("registry.free.committed")
        return freed

    async def _write(self, turn: Turn, work: Callable[[Connection], T]) -> T:
        """Write, if it is still this process's turn."""

        def guarded(connection: Connection) -> T:
            turn.guard(connection)
            return work(connection)

        return await self._database.write(guarded)


def _taken(connection: Connection, name: RegistryName, storage: str) -> Sentence:
    if rows.find(connection, name) is not None:
        return Sentence("There is a registry %(name)r already; choose another name.", name=name)
    holder = next((row for row in rows.list_held(connection) if row.storage == storage), None)
    if holder is None:
        return Sentence("The name or the storage was taken a moment ago; try again.")
    if not holder.is_live:
        return Sentence(
            "The storage %(storage)s serves the registry %(name)r, which is on the way; one storage serves one "
            "registry.",
            storage=storage,
            name=holder.name,
        )
    return Sentence(
        "The storage %(storage)s serves the registry %(name)r; one storage serves one registry.",
        storage=storage,
        name=holder.name,
    )
