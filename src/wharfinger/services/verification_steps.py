# SPDX-License-Identifier: Apache-2.0
"""The steps of a verification: what one process does of it, a batch at a time, from where it stands."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from wharfinger.blobstore.base import StoreKey
from wharfinger.clock import SECOND, Clock, after
from wharfinger.domain.errors import UpkeepBusy
from wharfinger.domain.sentences import Sentence
from wharfinger.domain.verification import Phase, Scope
from wharfinger.metadata import examination, manifest_facts
from wharfinger.metadata import verification as rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.examination import BlobRow
from wharfinger.metadata.verification import Run
from wharfinger.services.examination import Examiner
from wharfinger.services.pace import Pace, Stop
from wharfinger.services.registries import Registry
from wharfinger.services.storages import is_own
from wharfinger.telemetry import VERIFIED_AT, VERIFIED_BYTES

CLAIM: Final = 30 * SECOND
"""How long a process that died keeps a verification from others."""
_RENEW_SECONDS: Final = CLAIM / SECOND / 3
_SAVE_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 1.0
"""How often to look whether somebody, in whichever process, wants it stopped."""
_BLOBS: Final = 100
_MANIFESTS: Final = 200
_TAGS: Final = 500
_KEYS: Final = 500

Progress = Callable[[Run], None]
"""Called when a verification has come further."""


class _StopWanted(Exception):
    """Whoever runs the verification wants it to end soon."""


class StopOrder:
    """Whether a verification is to end: because this process ends, or because somebody said so in its row.

    Args:
        database: where the row is.
        clock: the time.
        run_id: of the row.
        stop: whether this process is to end.
    """

    def __init__(self, database: Database, clock: Clock, run_id: int, stop: Stop) -> None:
        self._database = database
        self._clock = clock
        self._run_id = run_id
        self._stop = stop
        self._looked = float("-inf")
        self.is_given = False
        """Whether the row says so."""

    def __call__(self) -> bool:
        """Say whether to end."""
        return self.is_given or self._stop()

    async def look(self) -> None:
        """Look at the row, if that was not done within a second."""
        if self._clock.monotonic() - self._looked >= _LOOK_SECONDS:
            self.is_given = await self._database.read(lambda c: rows.is_stopped(c, self._run_id))
            self._looked = self._clock.monotonic()


@dataclass(slots=True, kw_only=True)
class Steps:
    """What one process does of a verification, from where it stands."""

    database: Database
    clock: Clock
    registry: Registry
    scope: Scope
    examiner: Examiner
    token: str
    pace: Pace
    bury: bool
    stop: StopOrder
    tell: Progress
    _tag: tuple[int, str] | None = None
    _renewed: float = 0.0
    _saved: float = 0.0

    async def go_on(self, run: Run) -> Run:
        """Work to the end, or until told to stop; returns how far it came."""
        self._renewed = self._saved = self.clock.monotonic()
        while run.phase is not Phase.DONE:
            await self.stop.look()
            if self.stop():
                break
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
                    ours = [key for key in keys if not is_own(key)]
                    await self.examiner.keys(ours, unfinished=unfinished, bury=self.bury)
                    run = replace(run, tally=replace(run.tally, objects=run.tally.objects + len(ours)))
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
        await self.pace.pay(size, self.stop, self._meanwhile)
        await self._meanwhile()
        if self.stop():
            raise _StopWanted

    async def _meanwhile(self) -> None:
        """Look for an order to stop, and keep the claim."""
        await self.stop.look()
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
    return UpkeepBusy(Sentence("Another process has taken the verification over: this one stood still for too long."))
