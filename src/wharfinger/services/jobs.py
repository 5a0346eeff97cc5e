# SPDX-License-Identifier: Apache-2.0
"""Background jobs as people see them: what runs, when it ran and how that ended; and having one run now.

The jobs themselves are in `workers`, in a process of their own. They write here what they do, and look here for what
somebody wants: a page of the console never runs a job, it asks for one.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from wharfinger.clock import DAY, Clock, Instant, after
from wharfinger.domain.errors import AccountUnknown, DatabaseUnavailable
from wharfinger.domain.events import Event, EventAction
from wharfinger.domain.identity import Actor
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata import events
from wharfinger.metadata import jobs as rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.jobs import JobRow
from wharfinger.telemetry import logger

__all__ = ["JobRow", "Jobs"]

_log = logger("jobs")
_REMEMBERED: Final = 30 * DAY
"""How long the jobs of a node stand in the list that says nothing any more."""


class Jobs:
    """The background jobs of every node.

    Args:
        database: where they write.
        clock: the time.
        node: what this machine is called.
    """

    def __init__(self, database: Database, clock: Clock, node: str) -> None:
        self._database = database
        self._clock = clock
        self._node = node

    async def list(self) -> Sequence[JobRow]:
        """Return the jobs of every node, by name."""
        return await self._database.read(rows.list_jobs)

    async def order(self, name: str, by: Actor) -> JobRow:
        """Have a job run now: its node begins within some seconds, or as soon as the run ends that goes on.

        Of several nodes it is the one that said something last, of whichever job: one that died says nothing more.

        Raises:
            AccountUnknown: no node has such a job.
        """
        now = self._clock.now()

        def work(connection: Connection) -> JobRow:
            every = rows.list_jobs(connection)
            heard = {one.node: one.seen_at for one in sorted(every, key=lambda one: one.seen_at)}
            found = sorted((one for one in every if one.name == name), key=lambda one: heard[one.node], reverse=True)
            if not found:
                message = Sentence("There is no job %(name)r: the list of jobs says which there are.", name=name)
                raise AccountUnknown(message)
            chosen = found[0]
            if chosen.wanted_at is None:
                rows.want(connection, chosen.node, name, now)
                event = Event(action=EventAction.JOB_ORDERED, target=name, detail=f"on {chosen.node}")
                events.record(connection, None, event, by, now)
            return next(one for one in rows.list_jobs(connection) if (one.node, one.name) == (chosen.node, name))

        return await self._database.write(work)

    # --- what the process that runs them says ------------------------------------------------------------------------

    async def announce(self, intervals: Mapping[str, int]) -> None:
        """Say which jobs this node has, with the microseconds between their runs."""
        now = self._clock.now()
        await self._note(lambda c: rows.announce(c, self._node, intervals, now, after(now, -_REMEMBERED)))

    def now(self) -> Instant:
        """Return the time by which jobs are told of."""
        return self._clock.now()

    async def begin(self, name: str, at: Instant) -> None:
        """Say that a job has been at work since some time, and goes on."""
        await self._note(lambda c: rows.begin(c, self._node, name, at, self._clock.now()))

    async def end(
        self, name: str, *, started_at: Instant, outcome: str, done: int, reason: str | None, pause: float
    ) -> None:
        """Say how a run ended, and in how many seconds the next one begins."""
        now = self._clock.now()
        next_at = after(now, int(pause * 1_000_000))
        await self._note(
            lambda c: rows.end(
                c,
                self._node,
                name,
                started_at=started_at,
                ended_at=now,
                outcome=outcome,
                done=done,
                reason=reason,
                next_at=next_at,
            )
        )

    async def wanted(self) -> Collection[str]:
        """Return the jobs of this node that somebody wants to run now."""
        try:
            return await self._database.read(lambda c: rows.wanted(c, self._node))
        except DatabaseUnavailable:
            return ()

    async def _note(self, work: Callable[[Connection], None]) -> None:
        """Write it; a job is not held up where the database does not take it."""
        try:
            await self._database.write(work, durable=False)
        except DatabaseUnavailable as error:
            _log.debug("what a job does was not written down", reason=error.message)
