# SPDX-License-Identifier: Apache-2.0
"""What was refused, as events: wrong passwords, credentials that have ended, and changes that somebody may not make.

A client that is refused tries again, and an attacker never stops; neither may fill the database, or have others wait.
So the same refusal is written when it comes first, and then counted for a minute: what was counted is one more event.
Of refusals that differ, a process writes so many in a minute and counts the rest together. Who asks anonymously for
what is private is not told of at all.
"""

import contextlib
from dataclasses import dataclass, replace
from typing import Final

from wharfinger.clock import SECOND, Clock, Instant
from wharfinger.domain.errors import DatabaseUnavailable
from wharfinger.domain.events import Event, EventAction, Result
from wharfinger.domain.identity import ANONYMOUS, Actor
from wharfinger.metadata import events
from wharfinger.metadata.database import Connection, Database

_MINUTE: Final = 60 * SECOND
MOST_KNOWN: Final = 60
"""Different refusals that concern an account of ours, in a minute and a process."""
MOST_UNKNOWN: Final = 10
"""Those that concern nobody we know: whoever guesses names must not push the others out."""
_REST: Final = Event(action=EventAction.SIGN_IN, target="others", detail="more than are told of one by one")

_Key = tuple[EventAction, str | None, str | None, str | None, int | None, int | None, str | None]


@dataclass(slots=True, kw_only=True)
class _Gathered:
    """Refusals of one kind in one minute, and how many of them are not written yet."""

    event: Event
    by: Actor
    registry_id: int | None
    count: int = 0


class Refusals:
    """Writes what was refused in this process."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._minute = 0
        self._gathered: dict[_Key, _Gathered] = {}
        self._known = 0

    async def note(self, event: Event, by: Actor, registry_id: int | None = None) -> None:
        """Write that something was refused, or count it; a database that does not answer keeps nobody waiting.

        Args:
            event: what it was about; its result and count are filled in here.
            by: who wanted it. Nobody who could not sign in is named as who did it.
            registry_id: where, if it was in a registry.
        """
        now = self._clock.now()
        if now // _MINUTE != self._minute:
            self._minute = now // _MINUTE
            await self.flush()
        event = replace(event, result=Result.REFUSED)
        key = self._key_of(event, by)
        found = self._gathered.get(key)
        if found is None and not self._has_room(event):
            event, by = replace(_REST, result=Result.REFUSED), Actor(principal=ANONYMOUS)
            key = self._key_of(event, by)
            found = self._gathered.get(key)
        if found is not None:
            found.count += 1
            return
        self._gathered[key] = _Gathered(event=event, by=by, registry_id=registry_id)
        self._known += event.about_id is not None
        await self._write([(event, by, registry_id)], now)

    async def flush(self) -> None:
        """Write what was counted, and begin anew."""
        gathered, self._gathered, self._known = self._gathered, {}, 0
        now = self._clock.now()
        counted = [
            (replace(one.event, count=one.count), one.by, one.registry_id) for one in gathered.values() if one.count
        ]
        await self._write(counted, now)

    def _has_room(self, event: Event) -> bool:
        if event.about_id is not None:
            return self._known < MOST_KNOWN
        return len(self._gathered) - self._known < MOST_UNKNOWN

    async def _write(self, told: list[tuple[Event, Actor, int | None]], now: Instant) -> None:
        if not told:
            return

        def work(connection: Connection) -> None:
            for event, by, registry_id in told:
                events.record(connection, registry_id, event, by, now)

        with contextlib.suppress(DatabaseUnavailable):
            await self._database.write(work, durable=False)

    @staticmethod
    def _key_of(event: Event, by: Actor) -> _Key:
        who = by.principal
        place = event.repository, event.target, event.detail
        return event.action, *place, who.account_id, who.credential_id, by.client_address
