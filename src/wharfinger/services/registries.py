# SPDX-License-Identifier: Apache-2.0
"""Registries: named spaces of repositories, each with its own store; and which of them answers on a host."""

from dataclasses import dataclass
from typing import Final

from wharfinger.blobstore.base import BlobStore
from wharfinger.clock import DAY, Clock
from wharfinger.domain.errors import CHANGED_MEANWHILE, PreconditionFailed, RuleInvalid
from wharfinger.domain.events import Event, EventAction, difference
from wharfinger.domain.identity import Actor
from wharfinger.domain.names import RegistryName
from wharfinger.metadata import collection, events
from wharfinger.metadata import registries as rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.registries import RegistryRow

FOR_GOOD: Final = 0
"""Manifests without a tag are kept for as long as nobody deletes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """A registry as requests meet it."""

    id: int
    name: RegistryName
    store: BlobStore


class Registries:
    """The registries of this deployment."""

    def __init__(self, default: Registry) -> None:
        self._default = default
        self._by_id = {default.id: default}

    def on_host(self, host: str) -> Registry:  # noqa: ARG002 - registries with hosts of their own look at it
        """Return the registry that answers on a host; a host that is nobody's own is `default`."""
        return self._default

    def get(self, registry_id: int) -> Registry:
        """Return the registry of that id, for a background job that read it from a row."""
        return self._by_id[registry_id]

    def all(self) -> tuple[Registry, ...]:
        """Return every registry."""
        return tuple(self._by_id.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryChange:
    """What is to change; nothing leaves it as it is.

    Args:
        anonymous_pull: whether public repositories are for everybody, or for every account.
        account_namespaces: whether new namespaces belong to the accounts of their names.
        untagged_after: how long a manifest without a tag is kept after it was last used, in microseconds, a day at
            least; `FOR_GOOD` for as long as nobody deletes it. Counts for those that are there, too.
    """

    anonymous_pull: bool | None = None
    account_namespaces: bool | None = None
    untagged_after: int | None = None


class RegistrySwitches:
    """The switches of every registry, which are rows and count from the next request on."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def of(self, registry: Registry) -> RegistryRow:
        """Return how the switches of a registry stand."""
        return await self._database.read(lambda c: rows.get(c, registry.id))

    async def change(
        self, registry: Registry, change: RegistryChange, by: Actor, *, seen: RegistryRow | None = None
    ) -> RegistryRow:
        """Turn switches; where nothing changes, nothing is told.

        Args:
            registry: whose.
            change: which.
            by: who does it.
            seen: as whoever turns them saw them before.

        Raises:
            PreconditionFailed: they do not stand as they were seen.
            RuleInvalid: untagged manifests would be kept for less than a day.
        """
        now = self._clock.now()
        untagged = change.untagged_after
        if untagged is not None and untagged != FOR_GOOD and untagged < DAY:
            message = "Manifests without a tag are kept for a day at least: a push may be half done."
            raise RuleInvalid(message)
        wanted = {"anonymous_pull": change.anonymous_pull, "account_namespaces": change.account_namespaces}

        def work(connection: Connection) -> RegistryRow:
            before = rows.get(connection, registry.id, lock=True)
            if seen is not None and before != seen:
                raise PreconditionFailed(CHANGED_MEANWHILE)
            rows.change(connection, registry.id, {name: int(on) for name, on in wanted.items() if on is not None})
            if untagged is not None and (untagged or None) != before.untagged_after:
                collection.set_untagged(connection, registry.id, untagged or None)
            after = rows.get(connection, registry.id)
            told = difference(_words(before), _words(after))
            if told:
                event = Event(action=EventAction.REGISTRY_CHANGED, target=registry.name, detail=told)
                events.record(connection, registry.id, event, by, now)
            return after

        return await self._database.write(work)


def _words(row: RegistryRow) -> dict[str, str]:
    return {
        "anonymous pull": "on" if row.anonymous_pull else "off",
        "namespaces of accounts": "on" if row.account_namespaces else "off",
        "untagged manifests": untagged_in_words(row.untagged_after),
    }


def untagged_in_words(untagged_after: int | None) -> str:
    """Return the rule for manifests without a tag, as people read it."""
    if untagged_after is None:
        return "kept"
    days = untagged_after / DAY
    return f"collected {days:g} {'day' if days == 1 else 'days'} after they were last used"
