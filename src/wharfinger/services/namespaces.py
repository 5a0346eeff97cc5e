# SPDX-License-Identifier: Apache-2.0
"""Namespaces: whose they are, how private what is made in them begins, and which kinds of content they take."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from wharfinger.clock import Clock
from wharfinger.domain.access import Visibility
from wharfinger.domain.accounts import AccountName
from wharfinger.domain.content import ContentKind, in_words, text_of, turned
from wharfinger.domain.errors import CHANGED_MEANWHILE, AccountConflict, NamespaceUnknown, PreconditionFailed
from wharfinger.domain.events import Event, EventAction, difference
from wharfinger.domain.identity import Actor
from wharfinger.domain.pages import Page, page_of
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata import events
from wharfinger.metadata import namespaces as rows
from wharfinger.metadata import registries as registry_rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.namespaces import Namespace
from wharfinger.services.accounts import require
from wharfinger.services.registries import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceChange:
    """What is to change; nothing leaves it as it is.

    Args:
        default_visibility: of repositories that are made from then on; those that are there keep theirs.
        owned: whether the user or the organization of its name owns it; without an owner it is the registry's.
        taken: whether kinds of content are taken there from then on; one that is not named stays as it is.
    """

    default_visibility: Visibility | None = None
    owned: bool | None = None
    taken: Mapping[ContentKind, bool] = field(default_factory=dict)


class Namespaces:
    """Namespaces of every registry."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def list(
        self, registry: Registry, last: str | None, limit: int, *, owner: AccountName | None = None
    ) -> Page[Namespace]:
        """Return namespaces after `last`, sorted by the bytes of their names; with an owner, only that one's."""
        found = await self._database.read(lambda c: rows.list_namespaces(c, registry.id, last, limit + 1, owner))
        return page_of(found, limit)

    async def find(self, registry: Registry, name: str) -> Namespace:
        """Return the namespace of that name.

        Raises:
            NamespaceUnknown: there is none.
        """
        found = await self._database.read(lambda c: rows.find(c, registry.id, name))
        if found is None:
            raise namespace_unknown(name)
        return found

    async def change(
        self, registry: Registry, name: str, change: NamespaceChange, by: Actor, *, seen: Namespace | None = None
    ) -> Namespace:
        """Change a namespace, which is made if there is none; where nothing changes, nothing is told.

        Args:
            registry: that has it.
            name: the first part of names, parsed as that of an account.
            change: what to change.
            by: who does it.
            seen: as whoever changes it saw it before; one that somebody else changed meanwhile stays as it is.

        Raises:
            PreconditionFailed: it is not as it was seen; how many repositories it has does not count.
            AccountUnknown: it is to be owned, and there is no account of its name.
            AccountConflict: accounts own no namespaces in this registry.
        """
        now = self._clock.now()

        def work(connection: Connection) -> Namespace:
            namespace_id, _ = rows.ensure(connection, registry.id, name, by, now)
            rows.lock(connection, namespace_id)
            before = _get(connection, registry, name)
            if seen is not None and replace(before, repositories=seen.repositories) != seen:
                raise PreconditionFailed(CHANGED_MEANWHILE)
            columns: dict[str, object] = {}
            if change.default_visibility is not None:
                columns["default_visibility"] = change.default_visibility.value
            if change.owned is not None and change.owned is not (before.owner is not None):
                columns["owner_id"] = _owner(connection, registry, name) if change.owned else None
            kinds_off = turned(before.kinds_off, change.taken)
            if kinds_off != before.kinds_off:
                columns["kinds_off"] = text_of(kinds_off)
            rows.change(connection, namespace_id, columns)
            after = _get(connection, registry, name)
            told = difference(_words(before), _words(after))
            if told:
                event = Event(
                    action=EventAction.NAMESPACE_CHANGED,
                    target=name,
                    about_id=after.owner_id or before.owner_id,
                    detail=told,
                )
                events.record(connection, registry.id, event, by, now)
            return after

        return await self._database.write(work)


def namespace_unknown(name: str) -> NamespaceUnknown:
    """Return the error for a namespace that is not here."""
    return NamespaceUnknown(
        Sentence("There is no namespace %(name)r in this registry.", name=name), detail={"name": name}
    )


def _get(connection: Connection, registry: Registry, name: str) -> Namespace:
    found = rows.find(connection, registry.id, name)
    if found is None:
        message = f"namespace {name} is gone in the transaction that holds it"
        raise RuntimeError(message)
    return found


def _owner(connection: Connection, registry: Registry, name: str) -> int:
    if not registry_rows.get(connection, registry.id).account_namespaces:
        message = Sentence(
            "Accounts own no namespaces in the registry %(name)r; `wharfinger registry set %(name)s "
            "--account-namespaces` lets them.",
            name=registry.name,
        )
        raise AccountConflict(message)
    return require(connection, AccountName(name)).id


def _words(namespace: Namespace) -> dict[str, str]:
    return {
        "owner": namespace.owner or "the registry",
        "default visibility": namespace.default_visibility.value,
        "kinds switched off": in_words(namespace.kinds_off),
    }
