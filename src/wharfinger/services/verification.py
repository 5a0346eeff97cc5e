# SPDX-License-Identifier: Apache-2.0
"""Verification: every byte against its digest, every row against its bytes, every object against its row.

```text
database ─▶ blobs ─▶ manifests ─▶ tags ─▶ store ─▶ done        one phase after another, in batches by id
```

How far it is stands in a row, so that a second start goes on where the first one ended, however that was. One process
at a time works on a verification: it holds a claim, which ends by itself if the process dies. The list of the store is
compared with the rows in batches and kept nowhere, so memory does not grow with what is stored.
"""

import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from wharfinger.clock import Clock, Instant, after
from wharfinger.domain.errors import AccountUnknown, UpkeepBusy, UpkeepDisabled
from wharfinger.domain.events import Event, EventAction
from wharfinger.domain.identity import SYSTEM_ACTOR, Actor
from wharfinger.domain.pages import Page, page_of
from wharfinger.domain.sentences import Sentence
from wharfinger.domain.verification import Finding, Phase, Scope
from wharfinger.metadata import events
from wharfinger.metadata import verification as rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.verification import Run
from wharfinger.services.examination import Examiner
from wharfinger.services.pace import Pace, Stop
from wharfinger.services.registries import Registry
from wharfinger.services.verification_steps import CLAIM, Progress, Steps, StopOrder

__all__ = ["CLAIM", "IN_BACKGROUND", "Progress", "Report", "Verification"]

_FINDINGS: Final = 500
_MOST: Final = 1_000
IN_BACKGROUND: Final = "background"
"""What comes before the scope of the job's own verification: one that somebody starts by hand begins at the top."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Where a verification stands."""

    run: Run
    findings: int
    is_working: bool = False
    """Whether a process is at it now."""

    @property
    def is_complete(self) -> bool:
        """Whether everything of the scope was looked at."""
        return self.run.phase is Phase.DONE

    @property
    def is_stopped(self) -> bool:
        """Whether somebody had it stopped, and nobody has let it go on since."""
        return self.run.stopped_at is not None and not self.is_complete


class Verification:
    """Verification in every registry.

    Args:
        database: where rows are.
        clock: the time.
        in_background: whether some process verifies again and again, as the settings say.
    """

    def __init__(self, database: Database, clock: Clock, *, in_background: bool = True) -> None:
        self._database = database
        self._clock = clock
        self._in_background = in_background

    async def run(
        self,
        registry: Registry,
        scope: Scope,
        by: Actor,
        *,
        rate: int | None = None,
        restart: bool = False,
        bury_orphans: bool = False,
        stop: Stop = lambda: False,
        progress: Progress = lambda _: None,
    ) -> Report:
        """Verify to the end, or until told to stop; goes on with what was begun with the same scope.

        Args:
            registry: whose content.
            scope: what of it.
            by: who asked; the events of what is found name it.
            rate: bytes a second to read at the most; nothing for no limit.
            restart: begin at the top, whatever was begun before.
            bury_orphans: also have objects that no row names removed, in seven days.
            stop: asked often; when it says so, the work ends within a second, and the next start goes on.
            progress: told about every batch.

        Raises:
            UpkeepBusy: another process is at work on it.
            StoreUnavailable, DatabaseUnavailable: it cannot go on now; what was done is kept.
        """
        return await self._claimed(
            registry,
            scope,
            by,
            name=str(scope),
            rate=rate,
            restart=restart,
            bury=bury_orphans,
            stop=stop,
            tell=progress,
        )

    async def work(self, registry: Registry, *, interval: int, rate: int | None, stop: Stop) -> int:
        """Go on with the verification in the background, if one is due; returns how much was found.

        One that somebody stopped goes on when it is ordered again, and after an interval by itself: what was forgotten
        must not stay unverified for ever.

        Args:
            registry: whose content.
            interval: microseconds from the start of one verification of everything to that of the next.
            rate: as in `run`.
            stop: as in `run`.
        """
        name, now = f"{IN_BACKGROUND} {Scope()}", self._clock.now()

        def is_due(connection: Connection) -> bool:
            last, begun = rows.find_last(connection, registry.id, name), rows.find_open(connection, registry.id, name)
            if begun is not None and begun.stopped_at is not None:
                return begun.stopped_at <= now - interval
            return begun is not None or last is None or last.started_at <= now - interval

        if not await self._database.read(is_due):
            return 0
        try:
            report = await self._claimed(
                registry, Scope(), SYSTEM_ACTOR, name=name, rate=rate, restart=False, bury=False, stop=stop
            )
        except UpkeepBusy:
            return 0  # another node is at it
        return report.findings if report.is_complete else 0

    async def order(self, registry: Registry, by: Actor) -> Report:
        """Have everything verified in the background from now on; one that goes on already is the one.

        The job takes it on within a minute, at the rate of the settings.

        Raises:
            UpkeepDisabled: nothing is verified in the background here.
        """
        if not self._in_background:
            message = Sentence(
                "Nothing is verified in the background here (verification.enabled); run `wharfinger verify`."
            )
            raise UpkeepDisabled(message)
        name, now = f"{IN_BACKGROUND} {Scope()}", self._clock.now()

        def work(connection: Connection) -> int:
            begun = rows.find_open(connection, registry.id, name)
            if begun is not None and begun.stopped_at is None:
                return begun.id
            event = Event(action=EventAction.VERIFICATION_ORDERED, target=registry.name)
            events.record(connection, registry.id, event, by, now)
            if begun is None:
                return rows.begin(connection, registry.id, name, Scope().phases[0], now).id
            rows.resume(connection, begun.id)
            return begun.id

        return await self.get(registry, await self._database.write(work))

    async def stop(self, registry: Registry, number: int, by: Actor) -> Report:
        """Have whoever is at work on a verification leave it, in whichever process, within some seconds.

        What was done is kept, and the next start goes on there. One that has ended stays as it is.

        Raises:
            AccountUnknown: there is none of that number.
        """
        await self.get(registry, number)
        now = self._clock.now()

        def work(connection: Connection) -> None:
            if rows.stop(connection, number, now):
                event = Event(action=EventAction.VERIFICATION_STOPPED, target=registry.name, detail=f"number {number}")
                events.record(connection, registry.id, event, by, now)

        await self._database.write(work)
        return await self.get(registry, number)

    async def list(self, registry: Registry, before: int | None, limit: int) -> Page[Report]:
        """Return the verifications that are remembered, the newest first.

        Args:
            registry: whose content.
            before: the id of the last one of the page before.
            limit: how many.
        """
        found = await self._database.read(lambda c: rows.list_runs(c, registry.id, before, limit + 1))
        return page_of([self._report(*one) for one in found], limit)

    async def get(self, registry: Registry, number: int) -> Report:
        """Return where a verification stands.

        Raises:
            AccountUnknown: there is none of that number.
        """
        found = await self._database.read(lambda c: rows.list_runs(c, registry.id, None, 1, number))
        if not found:
            message = Sentence("There is no verification %(number)s in this registry.", number=number)
            raise AccountUnknown(message)
        return self._report(*found[0])

    async def unfinished(self, registry: Registry) -> Sequence[Report]:
        """Return the verifications that have not ended, the newest first: one of each scope at the most."""
        found = await self._database.read(lambda c: rows.list_runs(c, registry.id, None, _MOST, unfinished=True))
        return [self._report(*one) for one in found]

    async def page_of_findings(
        self, registry: Registry, number: int, last: int | None, limit: int
    ) -> Page[tuple[int, Finding]]:
        """Return what a verification found with its ids, in the order in which it was found, after an id.

        Raises:
            AccountUnknown: there is none of that number.
        """
        await self.get(registry, number)
        found = await self._database.read(lambda c: rows.list_findings(c, number, last or 0, limit + 1))
        return page_of(found, limit)

    def _report(self, run: Run, found: int, claimed_until: Instant | None) -> Report:
        is_working = claimed_until is not None and claimed_until > self._clock.now()
        return Report(run=run, findings=found, is_working=is_working)

    async def findings(self, run: Run) -> AsyncIterator[Finding]:
        """Yield what a verification found, in the order in which it was found."""
        last = 0
        while page := await self._database.read(
            partial(rows.list_findings, run_id=run.id, after=last, limit=_FINDINGS)
        ):
            for _, finding in page:
                yield finding
            last = page[-1][0]

    async def _claimed(
        self,
        registry: Registry,
        scope: Scope,
        by: Actor,
        *,
        name: str,
        rate: int | None,
        restart: bool,
        bury: bool,
        stop: Stop,
        tell: Progress = lambda _: None,
    ) -> Report:
        token = uuid.uuid4().hex
        run = await self._database.write(lambda c: self._take(c, registry, scope, name, token, restart=restart))
        order = StopOrder(self._database, self._clock, run.id, stop)
        work = Steps(
            database=self._database,
            clock=self._clock,
            registry=registry,
            scope=scope,
            examiner=Examiner(database=self._database, clock=self._clock, registry=registry, run_id=run.id, by=by),
            token=token,
            pace=Pace(rate, self._clock),
            bury=bury,
            stop=order,
            tell=tell,
        )
        try:
            run = await work.go_on(run)
        finally:
            await self._database.write(lambda c: rows.release(c, run.id, token))
        stopped_at = self._clock.now() if order.is_given and run.phase is not Phase.DONE else None
        findings = await self._database.read(lambda c: rows.count_findings(c, run.id))
        return Report(run=replace(run, stopped_at=stopped_at), findings=findings)

    def _take(
        self, connection: Connection, registry: Registry, scope: Scope, name: str, token: str, *, restart: bool
    ) -> Run:
        now = self._clock.now()
        run = rows.find_open(connection, registry.id, name)
        if run is not None and not rows.claim(connection, run.id, token, now, after(now, CLAIM)):
            message = Sentence("Another process is verifying %(scope)s now; it goes on by itself.", scope=scope.words)
            raise UpkeepBusy(message)
        if run is not None and not restart:
            rows.resume(connection, run.id)
            return run
        if run is not None:
            rows.drop(connection, run.id)
        run = rows.begin(connection, registry.id, name, scope.phases[0], now)
        rows.claim(connection, run.id, token, now, after(now, CLAIM))
        return run
