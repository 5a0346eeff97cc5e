# SPDX-License-Identifier: Apache-2.0
"""Background jobs: what runs on which node, when it ran and how that ended; and having one run now."""

import enum
from datetime import datetime
from typing import Annotated, Final

from fastapi import Path

from wharfinger.clock import SECOND
from wharfinger.domain.management import Target, Task
from wharfinger.management_api.calls import Managing
from wharfinger.management_api.fields import OneLine, Shown, moment, time_of
from wharfinger.management_api.routing import Calling, Route
from wharfinger.services.jobs import JobRow

JobPath = Annotated[
    OneLine, Path(max_length=200, description="The name of a job, as the list has it.", examples=["bury"])
]


class JobOutcome(enum.StrEnum):
    """How a run ended."""

    OK = "ok"
    UNAVAILABLE = "unavailable"
    """The database or the store did not answer; it is tried again soon."""
    FAILED = "failed"
    """The log says why."""


class Job(Shown):
    """A background job of one node."""

    name: str
    node: str
    """The host on which it runs."""
    interval: float
    """Seconds between two runs, give or take a tenth."""
    is_working: bool
    """Whether it is at work. A run of less than two seconds is never seen at work."""
    is_wanted: bool
    """Whether somebody asked for a run that has not begun."""
    started_at: datetime | None
    """When it began last."""
    ended_at: datetime | None
    """When the last run ended; nothing if none has."""
    outcome: JobOutcome | None
    done: int
    """How much that run did: of each job something else."""
    reason: str | None
    """Why it did not succeed."""
    next_at: datetime | None
    """When it runs again."""
    seen_at: datetime
    """When its node last said anything. One that has been silent for hours is not there."""


class Jobs(Shown):
    """Every job of every node: they are few."""

    items: list[Job]


async def list_jobs(call: Calling) -> Jobs:
    """List the background jobs of every node, by name."""
    return Jobs(items=[_show(one) for one in await call.services.jobs.list()])


async def run_job(call: Calling, job: JobPath) -> Job:
    """Have a job run now: it begins within some seconds, or as soon as the run ends that goes on.

    Where several nodes have it, the one that said something last runs it.
    """
    return _show(await call.services.jobs.order(job, call.by))


def _show(row: JobRow) -> Job:
    return Job(
        name=row.name,
        node=row.node,
        interval=row.interval / SECOND,
        is_working=row.is_working,
        is_wanted=row.wanted_at is not None,
        started_at=moment(row.started_at),
        ended_at=moment(row.ended_at),
        outcome=None if row.outcome is None else JobOutcome(row.outcome),
        done=row.done,
        reason=row.reason,
        next_at=moment(row.next_at),
        seen_at=time_of(row.seen_at),
    )


ROUTES: Final = (
    Route("GET", "/jobs", Managing(Task.READ, Target.DEPLOYMENT), list_jobs),
    Route("POST", "/jobs/{job}/run", Managing(Task.MANAGE, Target.DEPLOYMENT), run_job, status=202),
)
