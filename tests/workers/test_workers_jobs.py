# SPDX-License-Identifier: Apache-2.0
from datetime import timedelta
from types import SimpleNamespace

import pytest

from wharfinger.blobstore.memory import MemoryBlobStore
from wharfinger.domain.names import DEFAULT_REGISTRY
from wharfinger.services.collection import BATCH as BURIALS
from wharfinger.services.registries import Registries, Registry
from wharfinger.workers.jobs import BATCH, jobs

DAY = timedelta(days=1)


class Recorder:
    """Takes every call of one service and writes it down."""

    def __init__(self, name, calls, **done):
        self._name, self._calls, self._done = name, calls, done

    def __getattr__(self, method):
        async def record(*arguments, **more):
            self._calls.append((f"{self._name}.{method}", *arguments, *more.values()))
            return self._done[method]

        return record


@pytest.fixture
def registry():
    return Registry(id=7, name=DEFAULT_REGISTRY, store=MemoryBlobStore())


@pytest.fixture
def calls():
    return []


@pytest.fixture
def services(registry, calls):
    people = SimpleNamespace(
        sessions=Recorder("sessions", calls, remove_ended=3),
        passwords=Recorder("passwords", calls, forget_places=4),
    )
    return SimpleNamespace(
        collection=Recorder("collection", calls, bury=1),
        credentials=Recorder("credentials", calls, remove_ended=5),
        people=people,
        registries=Registries(registry),
        search=SimpleNamespace(labels=Recorder("labels", calls, index=7)),
        figures=Recorder("figures", calls, take=1),
        lifecycle=Recorder("lifecycle", calls, settle=6),
        tokens=Recorder("tokens", calls, rotate=0),
        uploads=Recorder("uploads", calls, expire=2),
    )


HALF_A_MINUTE = timedelta(seconds=30)
STANDING = {
    "bury": timedelta(seconds=30),
    "remove ended sessions": timedelta(minutes=10),
    "remove ended credentials": timedelta(hours=1),
    "forget places of sign-in": timedelta(hours=1),
    "open and close registries": timedelta(seconds=10),
    "rotate signing keys": timedelta(hours=1),
    "read labels": timedelta(seconds=10),
    "take figures": timedelta(hours=1),
}


def test_each_job_has_its_interval(services):
    table = jobs(services, bury=HALF_A_MINUTE, purge_uploads=DAY, dry_run=False)
    assert {job.name: job.interval for job in table} == STANDING | {"expire uploads": DAY}


def test_where_purging_is_off_uploads_are_left(services):
    assert {
        job.name for job in jobs(services, bury=HALF_A_MINUTE, purge_uploads=None, dry_run=False)
    } == STANDING.keys()


@pytest.mark.parametrize("dry_run", [False, True])
async def test_each_job_takes_on_one_batch(services, registry, calls, dry_run):
    table = jobs(services, bury=HALF_A_MINUTE, purge_uploads=DAY, dry_run=dry_run)
    assert {job.name: await job.run() for job in table} == {
        "bury": 1,
        "remove ended sessions": 3,
        "remove ended credentials": 5,
        "forget places of sign-in": 4,
        "open and close registries": 6,
        "rotate signing keys": 0,
        "read labels": 7,
        "take figures": 1,
        "expire uploads": 2,
    }
    assert sorted(calls, key=str) == [
        ("collection.bury", BURIALS),
        ("credentials.remove_ended", BATCH),
        ("figures.take",),
        ("labels.index", BATCH),
        ("lifecycle.settle",),
        ("passwords.forget_places", BATCH),
        ("sessions.remove_ended", BATCH),
        ("tokens.rotate",),
        ("uploads.expire", registry, BATCH, dry_run),
    ]
