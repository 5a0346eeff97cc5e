# SPDX-License-Identifier: Apache-2.0
"""The loop of the background jobs: run, wait, and stop when told; a job that fails is tried again, later and later."""

import asyncio
import random
from collections.abc import Sequence
from typing import Final

from wharfinger.domain.errors import Unavailable
from wharfinger.telemetry import JOBS, logger
from wharfinger.workers.jobs import Job

_log = logger("jobs")
_MAX_BACKOFF: Final = 600.0
_FIRST_DELAY: Final = 5.0


async def run(jobs: Sequence[Job], stop: asyncio.Event) -> None:
    """Run every job until `stop` is set; a run that is under way is finished first."""
    async with asyncio.TaskGroup() as group:
        for job in jobs:
            group.create_task(_repeat(job, stop), name=job.name)


async def _repeat(job: Job, stop: asyncio.Event) -> None:
    failures = 0
    pause = _FIRST_DELAY
    while not await _stopped(stop, pause * random.uniform(0.9, 1.1)):  # noqa: S311 - spreads nodes, keeps no secret
        done = await _once(job)
        if done is None:
            failures += 1
            pause = min(_MAX_BACKOFF, 2.0**failures)
        else:
            failures = 0
            pause = 0.0 if done >= job.batch else job.interval.total_seconds()


async def _once(job: Job) -> int | None:
    """Run one batch; returns how much was done, or nothing if it failed."""
    try:
        done = await job.run()
    except Unavailable as error:
        _log.warning("job postponed", job=job.name, reason=error.message)
        JOBS.labels(job.name, "unavailable").inc()
        return None
    except Exception:  # noqa: BLE001 - a job that fails is logged and tried again
        _log.exception("job failed", job=job.name)
        JOBS.labels(job.name, "failed").inc()
        return None
    JOBS.labels(job.name, "ok").inc()
    say = _log.info if done else _log.debug
    say("job done", job=job.name, count=done)
    return done


async def _stopped(stop: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return False
    return True
