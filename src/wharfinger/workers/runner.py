# SPDX-License-Identifier: Apache-2.0
"""The loop of the background jobs: run, wait, and stop when told; a job that fails is tried again, later and later.

What each job does is written down for people to see, and what they want to run now is looked for every few seconds.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.clock import SECOND, Instant
from wharfinger.domain.errors import Unavailable
from wharfinger.services.jobs import Jobs
from wharfinger.telemetry import JOBS, logger
from wharfinger.workers.jobs import Job

_log = logger("jobs")
_MAX_BACKOFF: Final = 600.0
_FIRST_DELAY: Final = 5.0
_LONG: Final = 2.0
"""Seconds after which a run is told of while it goes on."""
_LOOK: Final = 5.0
"""Seconds between two looks for what somebody wants to run now."""


async def run(jobs: Sequence[Job], stop: asyncio.Event, diary: Jobs | None = None) -> None:
    """Run every job until `stop` is set; a run that is under way is finished first.

    Args:
        jobs: the jobs, each with a name of its own.
        stop: says when to end.
        diary: where to write what they do, and to look for what somebody wants; nothing to do without.
    """
    bells = {job.name: asyncio.Event() for job in jobs}
    if diary is not None:
        await diary.announce({job.name: int(job.interval.total_seconds() * SECOND) for job in jobs})
    async with asyncio.TaskGroup() as group:
        for job in jobs:
            group.create_task(_Repetition(group, job, stop, bells[job.name], diary).go_on(), name=job.name)
        group.create_task(_ring_for_the_end(stop, bells))
        if diary is not None:
            group.create_task(_ring_for_the_wanted(stop, bells, diary))


@dataclass(slots=True)
class _Repetition:
    """One job, again and again."""

    group: asyncio.TaskGroup
    job: Job
    stop: asyncio.Event
    bell: asyncio.Event
    diary: Jobs | None

    async def go_on(self) -> None:
        failures = 0
        pause = _FIRST_DELAY
        while not await self._stopped(pause * random.uniform(0.9, 1.1)):  # noqa: S311 - spreads nodes, keeps no secret
            started_at = None if self.diary is None else self.diary.now()
            async with self._told_if_long(started_at):
                ended = await _once(self.job)
            failures = failures + 1 if ended.done is None else 0
            if ended.done is None:
                pause = min(_MAX_BACKOFF, 2.0**failures)
            else:
                pause = 0.0 if ended.done >= self.job.batch else self.job.interval.total_seconds()
            await self._note(ended, started_at, pause)

    async def _stopped(self, seconds: float) -> bool:
        """Wait so long, or until the bell rings; returns whether it rang for the end."""
        if not self.stop.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.bell.wait()
        self.bell.clear()
        return self.stop.is_set()

    @contextlib.asynccontextmanager
    async def _told_if_long(self, started_at: Instant | None) -> AsyncIterator[None]:
        """Have the diary say that the job is at work, if it is for longer than a moment."""
        if self.diary is None or started_at is None:
            yield
            return
        telling = self.group.create_task(_tell(self.job, started_at, self.diary))
        try:
            yield
        finally:
            telling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await telling

    async def _note(self, ended: "_Ended", started_at: Instant | None, pause: float) -> None:
        """Write down how a run ended; of full batches in a row, the last one."""
        if self.diary is None or started_at is None or not pause:
            return
        await self.diary.end(
            self.job.name,
            started_at=started_at,
            outcome=ended.outcome,
            done=ended.done or 0,
            reason=ended.reason,
            pause=pause,
        )


@dataclass(frozen=True, slots=True)
class _Ended:
    """How a run ended.

    Args:
        outcome: in one word, as the metric has it.
        done: how much it did; nothing if it failed.
        reason: why it failed, for people; the log says more.
    """

    outcome: str
    done: int | None
    reason: str | None = None


async def _once(job: Job) -> _Ended:
    """Run one batch."""
    try:
        done = await job.run()
    except Unavailable as error:
        _log.warning("job postponed", job=job.name, reason=error.message)
        ended = _Ended("unavailable", None, error.message)
    except Exception as error:  # noqa: BLE001 - a job that fails is logged and tried again
        _log.exception("job failed", job=job.name)
        ended = _Ended("failed", None, f"{type(error).__name__}: the log of the server says more")
    else:
        say = _log.info if done else _log.debug
        say("job done", job=job.name, count=done)
        ended = _Ended("ok", done)
    JOBS.labels(job.name, ended.outcome).inc()
    return ended


async def _tell(job: Job, started_at: Instant, diary: Jobs) -> None:
    await asyncio.sleep(_LONG)
    await diary.begin(job.name, started_at)


async def _ring_for_the_end(stop: asyncio.Event, bells: Mapping[str, asyncio.Event]) -> None:
    await stop.wait()
    for bell in bells.values():
        bell.set()


async def _ring_for_the_wanted(stop: asyncio.Event, bells: Mapping[str, asyncio.Event], diary: Jobs) -> None:
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK):
                await stop.wait()
        for name in await diary.wanted():
            if name in bells:
                bells[name].set()
