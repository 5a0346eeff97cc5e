# SPDX-License-Identifier: Apache-2.0
"""Kinds of content: switching them off for the deployment, and refusing a push of what is switched off (ADR 0042)."""

from collections.abc import Mapping
from typing import Final

from wharfinger.clock import Clock
from wharfinger.domain.content import (
    ContentKind,
    KindsOff,
    attached_to,
    counts_as,
    in_words,
    kind_of_stored,
    switched_off,
    turned,
)
from wharfinger.domain.events import Event, EventAction, difference
from wharfinger.domain.identity import Actor
from wharfinger.domain.manifests import Manifest
from wharfinger.domain.names import RepositoryName, TagName
from wharfinger.metadata import content as rows
from wharfinger.metadata import events
from wharfinger.metadata.database import Connection, Database

_LONGEST_CHAIN: Final = 8
"""A signature of a bill of materials of an image is two; nothing that people attach comes near."""


class Content:
    """What the deployment takes. What a namespace takes is changed with the namespace."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def off(self) -> frozenset[ContentKind]:
        """Return the kinds that are switched off for the deployment."""
        return await self._database.read(rows.read)

    async def change(self, taken: Mapping[ContentKind, bool], by: Actor) -> frozenset[ContentKind]:
        """Switch kinds on or off for the deployment; where nothing changes, nothing is told.

        Args:
            taken: whether each kind is taken from now on; one that is not named stays as it is.
            by: who does it.

        Returns:
            The kinds that are off now.
        """
        now = self._clock.now()

        def work(connection: Connection) -> frozenset[ContentKind]:
            before = rows.lock(connection)
            after = turned(before, taken)
            told = difference({"kinds switched off": in_words(before)}, {"kinds switched off": in_words(after)})
            if told:
                rows.put(connection, after)
                event = Event(action=EventAction.DEPLOYMENT_CHANGED, detail=told)
                events.record(connection, None, event, by, now)
            return after

        return await self._database.write(work)


def require_taken(
    connection: Connection,
    repository_id: int,
    repository: RepositoryName,
    manifest: Manifest,
    tags: tuple[TagName, ...],
    off: KindsOff,
) -> None:
    """Return if a manifest may come into a repository, in the transaction of its push.

    Args:
        connection: the transaction, which holds the repository's lock.
        repository_id: where it is to be.
        repository: what that is called.
        manifest: what was pushed.
        tags: under which names.
        off: what is switched off there.

    Raises:
        KindSwitchedOff: every kind that it counts as is switched off.
    """
    kinds = counts_as(manifest)
    if off.takes(kinds):
        return
    digest = attached_to(manifest, tags)
    for _ in range(_LONGEST_CHAIN):
        found = None if digest is None else rows.find(connection, repository_id, digest)
        if found is None:
            break
        if off.takes((kind_of_stored(found.media_type, found.artifact_type),)):
            return
        digest = found.subject
    raise switched_off(kinds, off, repository)
