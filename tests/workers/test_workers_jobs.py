# SPDX-License-Identifier: Apache-2.0
from datetime import timedelta
from types import SimpleNamespace

import pytest

from wharfinger.blobstore.memory import MemoryBlobStore
from wharfinger.domain.names import DEFAULT_REGISTRY
from wharfinger.services.registries import Registries, Registry
from wharfinger.workers.jobs import BATCH, jobs

DAY = timedelta(days=1)


class Recorder:
    """Takes every call and writes it down."""

    def __init__(self):
        self.calls = []

    async def bury(self, *arguments):
        self.calls.append(("bury", *arguments))
        return 1

    async def expire(self, *arguments, dry_run):
        self.calls.append(("expire", *arguments, dry_run))
        return 2

    async def rotate(self):
        self.calls.append(("rotate",))
        return 0


@pytest.fixture
def registry():
    return Registry(id=7, name=DEFAULT_REGISTRY, store=MemoryBlobStore())


@pytest.fixture
def services(registry):
    recorder = Recorder()
    return SimpleNamespace(collection=recorder, uploads=recorder, tokens=recorder, registries=Registries(registry))


def test_bytes_are_buried_and_uploads_expire(services):
    table = jobs(services, purge_uploads=DAY, dry_run=False)
    assert [(job.name, job.interval) for job in table] == [
        ("bury", timedelta(seconds=30)),
        ("rotate signing keys", timedelta(hours=1)),
        ("expire uploads of default", DAY),
    ]


def test_where_purging_is_off_uploads_are_left(services):
    assert [job.name for job in jobs(services, purge_uploads=None, dry_run=False)] == [
        "bury",
        "rotate signing keys",
    ]


@pytest.mark.parametrize("dry_run", [False, True])
async def test_each_job_takes_on_one_batch(services, registry, dry_run):
    assert [await job.run() for job in jobs(services, purge_uploads=DAY, dry_run=dry_run)] == [1, 0, 2]
    assert services.uploads.calls == [("bury", BATCH), ("rotate",), ("expire", registry, BATCH, dry_run)]
