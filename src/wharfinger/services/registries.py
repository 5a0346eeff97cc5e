# SPDX-License-Identifier: Apache-2.0
"""Registries: named spaces of repositories, each with its own store; and which of them answers on a host."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.blobstore.base import BlobStore
from wharfinger.clock import DAY, Clock
from wharfinger.domain.errors import (
    CHANGED_MEANWHILE,
    HeaderInvalid,
    HostUnknown,
    PreconditionFailed,
    RegistryConflict,
    RegistryInvalid,
    RegistryUnknown,
    RuleInvalid,
    Unavailable,
)
from wharfinger.domain.events import Event, EventAction, difference
from wharfinger.domain.identity import Actor
from wharfinger.domain.names import DEFAULT_REGISTRY, RegistryName
from wharfinger.domain.registries import MOST_HOSTS, Domains, host_of, new_private_id, parse_host
from wharfinger.domain.sentences import Sentence
from wharfinger.failpoints import failpoint
from wharfinger.metadata import collection, events
from wharfinger.metadata import registries as rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.registries import RegistryRow
from wharfinger.services.storages import Storages
from wharfinger.telemetry import logger

_log = logger("registries")
NO_DOMAINS: Final = Domains()
_STALE_SECONDS: Final = 1.0
"""How old what is known of registries may be on PostgreSQL, where nothing says that somebody committed."""
_MOST_SEEN: Final = 1_000
"""How many `Host` headers are remembered: clients send what they like."""
FOR_GOOD: Final = 0
"""Manifests without a tag are kept for as long as nobody deletes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """A registry as requests meet it."""

    id: int
    name: RegistryName
    store: BlobStore


class _Directory:
    """What is known of every registry for as long as none changes.

    Args:
        registries: those that have a storage, by id.
        live: the ids of those that answer.
        hosts: which of them answers on a host, and whether to the listed networks alone.
    """

    __slots__ = ("hosts", "live", "registries", "seen")

    def __init__(
        self, registries: Mapping[int, Registry], live: frozenset[int], hosts: Mapping[str, tuple[Registry, bool]]
    ) -> None:
        self.registries = registries
        self.live = live
        self.hosts = hosts
        self.seen: dict[str, tuple[Registry | None, bool]] = {}
        """What was found for `Host` headers as they were sent."""


class Registries:
    """The registries of this deployment, and which of them answers on a host.

    Everything is in memory. Whether it is still so, SQLite tells with every look-up (ADR 0021); on PostgreSQL what
    another node changed is seen within a second.

    Args:
        default: the registry that there always is.
        database: where the others are; nothing for a deployment of one registry, which never changes.
        storages: where their bytes are.
        domains: below which they have their hosts.
        clock: the time.
    """

    def __init__(
        self,
        default: Registry,
        *,
        database: Database | None = None,
        storages: Storages | None = None,
        domains: Domains = NO_DOMAINS,
        clock: Clock | None = None,
    ) -> None:
        self.default = default
        self.domains = domains
        self._database = database
        self._storages = Storages([]) if storages is None else storages
        self._clock = clock or Clock()
        self._known = _Directory({default.id: default}, frozenset({default.id}), {})
        self._state: object = None
        self._looked = float("-inf")
        self._loading = asyncio.Lock()

    async def on_host(self, host: str, client: str = "") -> Registry:
        """Return the registry that answers on a host; a host that is nobody's own is `default`.

        Args:
            host: as the `Host` header was sent.
            client: the address of who asks, as the last listed proxy saw it.

        Raises:
            HeaderInvalid: it is no host.
            HostUnknown: the host lies below a domain and names none, or none that answers to this client.
        """
        known = self._known if self._database is None else await self._current(self._database)
        found = known.seen.get(host)
        if found is None:
            found = self._look_up(known, host)
        registry, is_private = found
        if registry is None and host_of(host) is None:
            message = Sentence("The Host header is no host: give a name or an address, and a port if there is one.")
            raise HeaderInvalid(message)
        if registry is None or (is_private and not self.domains.admits(client)):
            raise _host_unknown(host)
        return registry

    async def get(self, registry_id: int) -> Registry | None:
        """Return the registry of that id, for a background job that read it from a row.

        Nothing comes back once its storage is another's or nobody's: then nothing may be done to its bytes.
        """
        known = self._known if self._database is None else await self._current(self._database)
        return known.registries.get(registry_id)

    async def all(self) -> tuple[Registry, ...]:
        """Return every registry that answers, `default` first."""
        known = self._known if self._database is None else await self._current(self._database)
        return tuple(known.registries[number] for number in sorted(known.live))

    async def named(self, name: str) -> Registry:
        """Return the registry of that name.

        Raises:
            RegistryUnknown: there is none.
        """
        await self.all()
        try:
            return self.known(name)
        except RegistryUnknown:
            self._looked = float("-inf")  # it may have been made a moment ago: PostgreSQL is asked once more
            await self.all()
            return self.known(name)

    def name_of(self, registry_id: int) -> RegistryName | None:
        """Return what a registry was called at the last look, which every request begins with."""
        found = self._known.registries.get(registry_id)
        return None if found is None else found.name

    def known(self, name: str) -> Registry:
        """Return the registry of that name as of the last look, for a command, which looks once.

        Raises:
            RegistryUnknown: there was none.
        """
        for number in self._known.live:
            if self._known.registries[number].name == name:
                return self._known.registries[number]
        raise registry_unknown(name)

    async def check_marks(self) -> None:
        """Hold every storage against the registry that has it: one that is another's is not touched."""
        if self._database is None:
            return
        for row, has_blobs in await self._database.read(rows.list_held_with_blobs):
            try:
                right = row.opened_at is None or await self._storages.check_mark(
                    row.storage or "", row.mark, has_blobs=has_blobs
                )
            except Unavailable as error:
                _log.error("a storage does not answer", storage=row.storage, registry=row.name, reason=error.message)
                continue
            if not right:
                reason = self._storages.problem_of(row.storage or "")
                _log.error("a registry cannot use its storage", storage=row.storage, registry=row.name, reason=reason)
        self._state = None

    async def _current(self, database: Database) -> _Directory:
        memory = database.memory()
        if memory is None:
            moment = self._clock.monotonic()
            if moment - self._looked >= _STALE_SECONDS:
                await self._refresh(database)
                self._looked = moment
            return self._known
        known: _Directory | None = memory.get(self)
        if known is None:
            await self._refresh(database)
            memory[self] = known = self._known
        return known

    async def _refresh(self, database: Database) -> None:
        """Read the registries again if one of them changed."""
        async with self._loading:
            row = await database.find(rows.STATE)
            state = None if row is None else row[0]
            if state is not None and state == self._state:
                return
            self._known = self._directory(await database.read(rows.list_held))
            self._state = state

    def _directory(self, held: Sequence[RegistryRow]) -> _Directory:
        before = self._known.registries
        found: dict[int, Registry] = {}
        hosts: dict[str, tuple[Registry, bool]] = {}
        for row in held:
            store = self.default.store if self._is_default(row) else self._storages.store_of(row.storage or "")
            registry = Registry(id=row.id, name=row.name, store=store)
            if before.get(row.id) == registry:
                registry = before[row.id]
            found[row.id] = registry
            if row.is_live:
                hosts.update({host: (registry, private) for host, private in row.endpoints.open(self.domains)})
        return _Directory(found, frozenset(row.id for row in held if row.is_live), hosts)

    def _is_default(self, row: RegistryRow) -> bool:
        return row.id == self.default.id and self._storages.problem_of(row.storage or "") is None

    def _look_up(self, known: _Directory, header: str) -> tuple[Registry | None, bool]:
        host = host_of(header)
        default = None if host is None or self.domains.holds(host) else known.registries.get(self.default.id)
        found: tuple[Registry | None, bool] = known.hosts.get(host or "", (default, False))
        if len(known.seen) >= _MOST_SEEN:
            known.seen.clear()
        known.seen[header] = found
        return found


def registry_unknown(name: str) -> RegistryUnknown:
    """Return the error for a registry that is not here."""
    return RegistryUnknown(Sentence("There is no registry %(name)r.", name=name))


def _host_unknown(host: str) -> HostUnknown:
    shown = host if len(host) <= 100 else host[:97] + "..."  # noqa: PLR2004 - a readable length
    return HostUnknown(Sentence("No registry answers on %(shown)r.", shown=shown), detail={"host": shown})


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryChange:
    """What is to change; nothing leaves it as it is.

    Args:
        anonymous_pull: whether public repositories are for everybody, or for every account.
        account_namespaces: whether new namespaces belong to the accounts of their names.
        untagged_after: how long a manifest without a tag is kept after it was last used, in microseconds, a day at
            least; `FOR_GOOD` for as long as nobody deletes it. Counts for those that are there, too.
        public: whether anyone may pull everything, whatever the visibility of a repository says.
        public_endpoint: whether it answers on the host that follows from its name.
        private_endpoint: whether it answers on its private host, to the networks that the operator lists.
        hosts: hosts of its own besides, all of them.
    """

    anonymous_pull: bool | None = None
    account_namespaces: bool | None = None
    untagged_after: int | None = None
    public: bool | None = None
    public_endpoint: bool | None = None
    private_endpoint: bool | None = None
    hosts: Sequence[str] | None = None


class RegistrySwitches:
    """The switches of every registry, which are rows and count from the next request on.

    Args:
        database: where they are.
        clock: the time.
        domains: below which registries have their hosts.
    """

    def __init__(self, database: Database, clock: Clock, domains: Domains = NO_DOMAINS) -> None:
        self._database = database
        self._clock = clock
        self._domains = domains

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
            RegistryInvalid: a host cannot be one of a registry's own.
            RegistryConflict: a host is another registry's.
            RegistryUnknown: it was deleted meanwhile.
        """
        now = self._clock.now()
        untagged = change.untagged_after
        if untagged is not None and untagged != FOR_GOOD and untagged < DAY:
            message = Sentence("Manifests without a tag are kept for a day at least: a push may be half done.")
            raise RuleInvalid(message)
        wanted = {name: getattr(change, name) for name in _SWITCHES}
        hosts = None if change.hosts is None else self._parsed(change.hosts)

        def work(connection: Connection) -> RegistryRow:
            before = rows.get(connection, registry.id, lock=True)
            if seen is not None and before != seen:
                raise PreconditionFailed(CHANGED_MEANWHILE)
            if not before.is_live:
                raise registry_unknown(registry.name)
            turned = {name: int(on) for name, on in wanted.items() if on not in (None, getattr(before, name))}
            if turned.get("private_endpoint") and before.private_id is None:
                rows.change(connection, registry.id, {"private_id": new_private_id()})
            rows.change(connection, registry.id, turned)
            if hosts is not None and hosts != before.hosts:
                _give_hosts(connection, registry, hosts)
            if untagged is not None and (untagged or None) != before.untagged_after:
                collection.set_untagged(connection, registry.id, untagged or None)
            after = rows.get(connection, registry.id)
            told = difference(_words(before), _words(after))
            if told:
                event = Event(action=EventAction.REGISTRY_CHANGED, target=registry.name, detail=told)
                events.record(connection, registry.id, event, by, now)
            failpoint("registry.change.committing")
            return after

        changed = await self._database.write(work)
        failpoint("registry.change.committed")
        return changed

    def _parsed(self, hosts: Sequence[str]) -> tuple[str, ...]:
        if len(hosts) > MOST_HOSTS:
            message = Sentence(
                "A registry has at most %(most)s hosts of its own, not %(count)s.", most=MOST_HOSTS, count=len(hosts)
            )
            raise RegistryInvalid(message)
        return tuple(sorted({parse_host(host, self._domains) for host in hosts}))


def _give_hosts(connection: Connection, registry: Registry, hosts: Sequence[str]) -> None:
    if registry.name == DEFAULT_REGISTRY and hosts:
        message = Sentence("`default` answers on every host that is no other registry's; it needs none of its own.")
        raise RegistryInvalid(message)
    taken = rows.set_hosts(connection, registry.id, hosts)
    if taken is not None:
        message = Sentence("The host %(taken)s is another registry's.", taken=taken)
        raise RegistryConflict(message, detail={"host": taken})


_SWITCHES: Final = ("anonymous_pull", "account_namespaces", "public", "public_endpoint", "private_endpoint")


def _words(row: RegistryRow) -> dict[str, str]:
    return {
        "anonymous pull": "on" if row.anonymous_pull else "off",
        "namespaces of accounts": "on" if row.account_namespaces else "off",
        "untagged manifests": untagged_in_words(row.untagged_after),
        "public registry": "on" if row.public else "off",
        "public endpoint": "on" if row.public_endpoint else "off",
        "private endpoint": "on" if row.private_endpoint else "off",
        "hosts of its own": " ".join(row.hosts) or "none",
    }


def untagged_in_words(untagged_after: int | None) -> str:
    """Return the rule for manifests without a tag, as people read it."""
    if untagged_after is None:
        return "kept"
    days = untagged_after / DAY
    return f"collected {days:g} {'day' if days == 1 else 'days'} after they were last used"
