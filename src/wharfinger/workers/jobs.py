# SPDX-License-Identifier: Apache-2.0
"""The table of background jobs: what runs, how often, and how much at once."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

from wharfinger.clock import SECOND
from wharfinger.domain.errors import Unavailable
from wharfinger.services import Services
from wharfinger.services.collection import BATCH as BURIALS
from wharfinger.services.registries import Registry

BATCH: Final = 200
"""What one run takes on: small enough that no transaction is long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job.

    Args:
        name: in the log and the metrics.
        run: does one batch and returns how much it did; a full batch is followed by another at once.
        interval: between runs, give or take a tenth.
        batch: how much a full batch is.
    """

    name: str
    run: Callable[[], Awaitable[int]]
    interval: timedelta
    batch: int = BATCH


def jobs(
    services: Services,
    *,
    bury: timedelta,
    purge_uploads: timedelta | None,
    dry_run: bool,
) -> Sequence[Job]:
    """Return the jobs of a deployment.

    Args:
        services: the use cases.
        bury: how often to look for bytes that are to be removed.
        purge_uploads: how often to look for uploads that have stood still; nothing to leave them.
        dry_run: only log what would be ended.
    """
    table = [
        Job(name="bury", run=partial(services.collection.bury, BURIALS), interval=bury, batch=BURIALS),
        Job(
            name="remove ended sessions",
            run=partial(services.people.sessions.remove_ended, BATCH),
            interval=timedelta(minutes=10),
        ),
        Job(
            name="remove ended credentials",
            run=partial(services.credentials.remove_ended, BATCH),
            interval=timedelta(hours=1),
        ),
        Job(
            name="forget places of sign-in",
            run=partial(services.people.passwords.forget_places, BATCH),
            interval=timedelta(hours=1),
        ),
        Job(name="open and close registries", run=services.lifecycle.settle, interval=timedelta(seconds=10)),
        Job(name="rotate signing keys", run=services.tokens.rotate, interval=timedelta(hours=1)),
        Job(name="read labels", run=partial(services.search.labels.index, BATCH), interval=timedelta(seconds=10)),
        Job(name="take figures", run=services.figures.take, interval=timedelta(hours=1)),
    ]
    if purge_uploads is not None:
        run = partial(_in_each, services, partial(services.uploads.expire, limit=BATCH, dry_run=dry_run))
        table.append(Job(name="expire uploads", run=run, interval=purge_uploads))
    return table


def keeping(services: Services, *, interval: timedelta) -> Sequence[Job]:
    """Return the jobs that let go of what no rule keeps.

    Args:
        services: the use cases.
        interval: how often each policy of retention runs.
    """
    return [
        Job(name="retention", run=partial(services.retention.run_some, BATCH), interval=interval),
        Job(name="fold pulls", run=partial(services.pulls.fold, BATCH), interval=timedelta(hours=6)),
    ]


def verifying(services: Services, *, interval: timedelta, rate: int | None, stop: Callable[[], bool]) -> Sequence[Job]:
    """Return the job that verifies what is stored, one registry after the other.

    Args:
        services: the use cases.
        interval: from the start of one verification of everything to that of the next.
        rate: bytes a second to read at the most; nothing for no limit.
        stop: says whether the process is to end; a verification is left where it stands then.
    """
    microseconds = int(interval.total_seconds() * SECOND)
    verify = partial(services.verification.work, interval=microseconds, rate=rate, stop=stop)
    return [Job(name="verify", run=partial(_in_each, services, verify), interval=timedelta(minutes=1))]


async def _in_each(services: Services, run: Callable[[Registry], Awaitable[int]]) -> int:
    """Run something in every registry that there is now; returns the most that it did in one of them.

    A registry whose storage does not answer stops no other.
    """
    done, failed = [0], None
    for registry in await services.registries.all():
        try:
            done.append(await run(registry))
        except Unavailable as error:
            failed = error
    if failed is not None:
        raise failed
    return max(done)


def collecting(services: Services, *, interval: timedelta, batch: int) -> Sequence[Job]:
    """Return the jobs that look for what nothing needs any more, and remove it.

    Args:
        services: the use cases.
        interval: how often to look.
        batch: how much to take on at once.
    """
    reviews = services.reviews
    steps: Mapping[str, Callable[[], Awaitable[int]]] = {
        "review manifests": partial(reviews.review_manifests, batch),
        "review blobs": partial(reviews.review_blobs, batch),
        "collect repositories": partial(reviews.collect_repositories, batch),
        "apply changed rules": partial(reviews.sweep, batch),
        "count what is due": reviews.observe,
    }
    return [Job(name=name, run=run, interval=interval, batch=batch) for name, run in steps.items()]
