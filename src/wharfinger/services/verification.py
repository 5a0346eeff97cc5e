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
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from wharfinger.blobstore.base import StoreKey
from wharfinger.clock import SECOND, Clock, Instant, after
from wharfinger.domain.errors import AccountUnknown, UpkeepBusy, UpkeepDisabled
from wharfinger.domain.events import Event, EventAction
from wharfinger.domain.identity import SYSTEM_ACTOR, Actor
from wharfinger.domain.pages import Page, page_of
from wharfinger.domain.verification import Finding, Phase, Scope
from wharfinger.metadata import events, examination, manifest_facts
from wharfinger.metadata import verification as rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.examination import BlobRow
from wharfinger.metadata.verification import Run
from wharfinger.services.examination import Examiner
from wharfinger.services.pace import Pace, Stop
from wharfinger.services.registries import Registry
from wharfinger.telemetry import VERIFIED_AT, VERIFIED_BYTES

CLAIM: Final = 30 * SECOND
"""How long a process that died keeps a verification from others."""
_RENEW_SECONDS: Final = CLAIM / SECOND / 3
_SAVE_SECONDS: Final = 5.0
_BLOBS: Final = 100
_MANIFESTS: Final = 200
_TAGS: Final = 500
_KEYS: Final = 500
_FINDINGS: Final = 500
IN_BACKGROUND: Final = "background"
"""What comes before the scope of the job's own verification: one that somebody starts by hand begins at the top."""

Progress = Callable[[Run], None]
"""Called when a verification has come further."""


class _StopWanted(Exception):
    """Whoever runs the verification wants it to end soon."""


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

        Args:
            registry: whose content.
            interval: microseconds from the start of one verification of everything to that of the next.
            rate: as in `run`.
            stop: as in `run`.
        """
        name, now = f"{IN_BACKGROUND} {Scope()}", self._clock.now()

        def is_due(connection: Connection) -> bool:
            last = rows.find_last(connection, registry.id, name)
            is_open = rows.find_open(connection, registry.id, name) is not None
            return is_open or last is None or last.started_at <= now - interval

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
            message = "Nothing is verified in the background here (verification.enabled); run `wharfinger verify`."
            raise UpkeepDisabled(message)
        name, now = f"{IN_BACKGROUND} {Scope()}", self._clock.now()

        def work(connection: Connection) -> int:
            begun = rows.find_open(connection, registry.id, name)
            if begun is not None:
                return begun.id
            event = Event(action=EventAction.VERIFICATION_ORDERED, target=registry.name)
            events.record(connection, registry.id, event, by, now)
            return rows.begin(connection, registry.id, name, Scope().phases[0], now).id

        return await self.get(registry, await self._database.write(work))

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
            message = f"There is no verification {number} in this registry."
            raise AccountUnknown(message)
        return self._report(*found[0])

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
        work = _Work(
            database=self._database,
            clock=self._clock,
            registry=registry,
            scope=scope,
            examiner=Examiner(database=self._database, clock=self._clock, registry=registry, run_id=run.id, by=by),
            token=token,
            pace=Pace(rate, self._clock),
            bury=bury,
            stop=stop,
            tell=tell,
        )
        try:
            run = await work.go_on(run)
        finally:
            await self._database.write(lambda c: rows.release(c, run.id, token))
        return Report(run=run, findings=await self._database.read(lambda c: rows.count_findings(c, run.id)))

    def _take(
        self, connection: Connection, registry: Registry, scope: Scope, name: str, token: str, *, restart: bool
    ) -> Run:
        now = self._clock.now()
        run = rows.find_open(connection, registry.id, name)
        if run is not None and not rows.claim(connection, run.id, token, now, after(now, CLAIM)):
            message = f"Another process is verifying {scope} now; it goes on by itself."
            raise UpkeepBusy(message)
        if run is not None and not restart:
            return run
        if run is not None:
            rows.drop(connection, run.id)
        run = rows.begin(connection, registry.id, name, scope.phases[0], now)
        rows.claim(connection, run.id, token, now, after(now, CLAIM))
        return run


@dataclass(slots=True, kw_only=True)
class _Work:
    """What one process does of a verification, from where it stands."""

    database: Database
    clock: Clock
    registry: Registry
    scope: Scope
    examiner: Examiner
    token: str
    pace: Pace
    bury: bool
    stop: Stop
    tell: Progress
    _tag: tuple[int, str] | None = None
    _renewed: float = 0.0
    _saved: float = 0.0

    async def go_on(self, run: Run) -> Run:
        """Work to the end, or until told to stop; returns how far it came."""
        self._renewed = self._saved = self.clock.monotonic()
        while run.phase is not Phase.DONE and not self.stop():
            run = await self._step(run)
            self.tell(run)
        return run

    async def _step(self, run: Run) -> Run:
        """Do one batch; returns how far it came."""
        match run.phase:
            case Phase.DATABASE:
                await self.examiner.database()
                return await self._next(run)
            case Phase.BLOBS:
                return await self._blobs(run)
            case Phase.MANIFESTS:
                return await self._manifests(run)
            case Phase.TAGS:
                return await self._tags(run)
            case _:
                return await self._store(run)

    async def _blobs(self, run: Run) -> Run:
        if run.ceiling == 0:
            run = replace(run, ceiling=await self.database.read(lambda c: examination.last_blob(c, self.registry.id)))
        find = self.registry.id, self.scope, run.position, run.ceiling, _BLOBS
        batch = await self.database.read(lambda c: examination.list_blobs(c, *find))
        if not batch:
            return await self._next(run)
        sound: list[BlobRow] = []
        try:
            for row in batch:
                verdict = await self.examiner.blob(row, self._pay)
                if verdict:
                    sound.append(row)
                tally = replace(
                    run.tally,
                    blobs=run.tally.blobs + 1,
                    bytes=run.tally.bytes + row.size,
                    healed=run.tally.healed + (verdict is None),
                )
                run = replace(run, position=row.id, tally=tally)
                VERIFIED_BYTES.inc(row.size)
                self.tell(run)
                if self.clock.monotonic() - self._saved > _SAVE_SECONDS:
                    await self._save(run, sound)
                    sound = []
        except _StopWanted:
            pass
        finally:
            await self._save(run, sound)
        return run

    async def _manifests(self, run: Run) -> Run:
        if run.ceiling == 0:
            run = replace(run, ceiling=await self.database.read(manifest_facts.last_manifest))
        find = self.registry.id, self.scope, run.position, run.ceiling, _MANIFESTS
        batch = await self.database.read(lambda c: manifest_facts.list_manifests(c, *find))
        if not batch:
            return await self._next(run)
        try:
            for row in batch:
                verdict = await self.examiner.manifest(row, self._pay)
                tally = replace(
                    run.tally, manifests=run.tally.manifests + 1, healed=run.tally.healed + (verdict is None)
                )
                run = replace(run, position=row.id, tally=tally)
        except _StopWanted:
            pass
        finally:
            await self._save(run)
        return run

    async def _tags(self, run: Run) -> Run:
        # A repository that was begun is begun again after a stop: the row keeps no name of a tag.
        find = self.registry.id, self.scope, self._tag or (run.position, ""), _TAGS
        batch = await self.database.read(lambda c: examination.list_tags(c, *find))
        if not batch:
            return await self._next(run)
        await self.examiner.tags(batch)
        self._tag = batch[-1].repository_id, batch[-1].name
        tally = replace(run.tally, tags=run.tally.tags + len(batch))
        run = replace(run, position=self._tag[0], tally=tally)
        await self._save(run)
        return run

    async def _store(self, run: Run) -> Run:
        """Compare the whole list: stopped before its end, it is begun again, for no bytes are read."""
        run = replace(run, tally=replace(run.tally, objects=0))
        store = self.registry.store
        try:
            for listing, unfinished in ((store.keys(), False), (store.unfinished(), True)):
                async for keys in _batches(listing):
                    await self._pay(0)
                    await self.examiner.keys(keys, unfinished=unfinished, bury=self.bury)
                    run = replace(run, tally=replace(run.tally, objects=run.tally.objects + len(keys)))
                    self.tell(run)
        except _StopWanted:
            return run
        return await self._next(run)

    async def _next(self, run: Run) -> Run:
        phase = self.scope.after(run.phase)
        ended = self.clock.now() if phase is Phase.DONE else None
        run = replace(run, phase=phase, position=0, ceiling=0, finished_at=ended)
        await self._save(run)
        if ended is not None:
            VERIFIED_AT.set(ended / SECOND)
        return run

    async def _save(self, run: Run, sound: Sequence[BlobRow] = ()) -> None:
        now = self.clock.now()

        def work(connection: Connection) -> bool:
            examination.set_verified(connection, sound, now)
            return rows.save(connection, run, self.token, after(now, CLAIM))

        if not await self.database.write(work):
            raise _taken_over()
        self._saved = self._renewed = self.clock.monotonic()

    async def _pay(self, size: int) -> None:
        """Wait until so many bytes may be read; keep the claim meanwhile, and break off when told to stop."""
        await self.pace.pay(size, self.stop)
        if self.stop():
            raise _StopWanted
        if self.clock.monotonic() - self._renewed > _RENEW_SECONDS:
            now = self.clock.now()
            if not await self.database.write(
                lambda c: rows.claim(c, self.examiner.run_id, self.token, now, after(now, CLAIM)), durable=False
            ):
                raise _taken_over()
            self._renewed = self.clock.monotonic()


async def _batches(listing: AsyncIterator[StoreKey]) -> AsyncIterator[list[StoreKey]]:
    batch: list[StoreKey] = []
    async for key in listing:
        batch.append(key)
        if len(batch) == _KEYS:
            yield batch
            batch = []
    if batch:
        yield batch


def _taken_over() -> UpkeepBusy:
    return UpkeepBusy("Another process has taken the verification over: this one stood still for too long.")
