# SPDX-License-Identifier: Apache-2.0
"""The power fails after every call to the disk, every commit and every acknowledgement; everything found is sound."""

import shutil
import tempfile
from pathlib import Path

import pytest
import pytest_asyncio

from tests.crash.disks import DiskFiles
from tests.crash.moments import HasBlob, Recorder, Stands, complaints, recover, states
from tests.services.world import ACTOR, ANY, EXPIRY, NAME, OTHER, body, push_blob
from wharfinger.blobstore.filesystem import FilesystemBlobStore
from wharfinger.clock import DAY, SECOND
from wharfinger.domain.digests import digest_of

ONE, TWO = b"a layer of few bytes", b"another layer"
CONTENTS = (ONE, TWO)


class Client:
    """A client that notes what it was told."""

    def __init__(self, recorder, node):
        self.recorder, self.node = recorder, node

    async def start(self):
        return (await self.node.uploads.start(self.node.registry, NAME, None, ACTOR)).id

    async def append(self, upload, content, stop, *, start=0):
        sent = body(content[start : (start + stop) // 2], content[(start + stop) // 2 : stop])
        await self.node.uploads.append(self.node.registry, NAME, upload, ANY, sent)
        self.recorder.acknowledge(Stands(upload, content[:stop]))

    async def complete(self, upload, content, start):
        self._withdraw(upload, content)
        pieces = (content[start:],) if content[start:] else ()
        await self.node.uploads.complete(self.node.registry, NAME, upload, digest_of(content), ANY, body(*pieces))
        self.recorder.acknowledge(HasBlob(content))

    async def push(self, content, name=NAME):
        await push_blob(self.node, content, name)
        self.recorder.acknowledge(HasBlob(content, name))

    async def mount(self, content, name):
        assert await self.node.uploads.mount(self.node.registry, name, digest_of(content), NAME, None, ACTOR)
        self.recorder.acknowledge(HasBlob(content, name))

    async def cancel(self, upload, content):
        self._withdraw(upload, content)
        await self.node.uploads.cancel(self.node.registry, NAME, upload)

    async def delete(self, content):
        self.recorder.withdraw(HasBlob(content))
        await self.node.blobs.delete(self.node.registry, NAME, digest_of(content))

    def _withdraw(self, upload, content):
        """The client asks for the end of the upload: from here on it may be over."""
        for stop in range(len(content) + 1):
            self.recorder.withdraw(Stands(upload, content[:stop]))


async def start(recorder):
    """The first start on an empty disk, and a second one."""
    await recorder.node().store.check()
    await recorder.node().store.check()


async def push_in_one_request(recorder):
    await Client(recorder, recorder.node()).push(ONE)


async def push_in_chunks(recorder):
    client = Client(recorder, recorder.node())
    upload = await client.start()
    await client.append(upload, ONE, 8)
    await client.append(upload, ONE, 12, start=8)
    await client.complete(upload, ONE, 12)


async def push_with_an_empty_last_request(recorder):
    client = Client(recorder, recorder.node())
    upload = await client.start()
    await client.append(upload, ONE, len(ONE))
    await client.complete(upload, ONE, len(ONE))


async def push_that_another_process_goes_on_with(recorder):
    """The running hash is lost, so the bytes are read once more before they are finished."""
    first, second = (Client(recorder, recorder.node()) for _ in range(2))
    upload = await first.start()
    await first.append(upload, ONE, 8)
    await second.append(upload, ONE, 12, start=8)
    await first.complete(upload, ONE, 12)


async def push_that_broke_off_in_the_middle_of_a_chunk(recorder):
    """What had arrived is kept; the client asks where it stands and goes on from there in another process."""
    client = Client(recorder, recorder.node())
    upload = await client.start()
    with pytest.raises(ConnectionError):
        await client.node.uploads.append(
            client.node.registry, NAME, upload, ANY, body(ONE[:8], error=ConnectionError("gone"))
        )
    recorder.acknowledge(Stands(upload, ONE[:8]))
    await Client(recorder, recorder.node()).complete(upload, ONE, 8)


async def mount(recorder):
    client = Client(recorder, recorder.node())
    await client.push(ONE)
    await client.mount(ONE, OTHER)


async def second_copy(recorder):
    """The first copy stays, the second one is buried, and its bytes are removed."""
    client = Client(recorder, recorder.node())
    await client.push(ONE)
    await client.push(ONE, OTHER)
    recorder.clock.move(DAY)
    assert await client.node.collection.bury(10) == 1


async def cancelled_upload(recorder):
    client = Client(recorder, recorder.node())
    upload = await client.start()
    await client.append(upload, ONE, 8)
    await client.cancel(upload, ONE)
    recorder.clock.move(DAY)
    assert await client.node.collection.bury(10) == 1


async def expired_upload(recorder):
    client = Client(recorder, recorder.node())
    upload = await client.start()
    await client.append(upload, ONE, 8)
    client._withdraw(upload, ONE)
    recorder.clock.move(EXPIRY + SECOND)
    assert await client.node.uploads.expire(client.node.registry, 10) == 1
    recorder.clock.move(DAY)
    assert await client.node.collection.bury(10) == 1


async def repair_of_missing_bytes(recorder):
    """The disk lost a blob; pushing it again puts new bytes in its place, and the old key is buried."""
    client = Client(recorder, recorder.node())
    await client.push(ONE)
    recorder.withdraw(HasBlob(ONE))
    blob = await client.node.blobs.stat(client.node.registry, NAME, digest_of(ONE))
    await client.node.blobs._missing(blob)
    await client.push(ONE)
    recorder.clock.move(DAY)
    assert await client.node.collection.bury(10) == 1


async def blob_deleted_and_pushed_again(recorder):
    client = Client(recorder, recorder.node())
    await client.push(ONE)
    await client.push(TWO)
    await client.delete(ONE)
    await client.push(ONE)


async def collected_blob(recorder):
    """Deleted, out of the trash after its time, reviewed, buried; what was pushed meanwhile stays."""
    client = Client(recorder, recorder.node())
    await client.push(ONE)
    await client.delete(ONE)
    recorder.clock.move(40 * DAY)
    await client.push(TWO)
    assert await client.node.reviews.review_blobs(10) == 1
    recorder.clock.move(DAY // 2)
    assert await client.node.collection.bury(10) == 1


SCENARIOS = (
    start,
    push_in_one_request,
    push_in_chunks,
    push_with_an_empty_last_request,
    push_that_another_process_goes_on_with,
    push_that_broke_off_in_the_middle_of_a_chunk,
    mount,
    second_copy,
    cancelled_upload,
    expired_upload,
    repair_of_missing_bytes,
    blob_deleted_and_pushed_again,
    collected_blob,
)


@pytest.fixture
def memory():
    """A folder that no disk is behind: thousands of databases are opened in it."""
    folder = Path(tempfile.mkdtemp(prefix="wharfinger-power-", dir="/dev/shm"))
    yield folder
    shutil.rmtree(folder)


@pytest_asyncio.fixture
async def record(templates, memory):
    """Run a scenario and return what was recorded."""
    recorders = []

    async def run(scenario, files=DiskFiles):
        place = templates.migrated("sqlite", memory)
        recorders.append((Recorder(place, CONTENTS, files), place))
        await scenario(recorders[-1][0])
        return recorders[-1][0]

    yield run
    for recorder, place in recorders:
        await recorder.aclose()
        await place.aclose()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
async def test_what_a_power_failure_leaves_is_sound_and_can_be_gone_on_with(record, memory, scenario):
    recorder = await record(scenario)
    checked = 0
    for moment, state in states(recorder):
        checked += 1
        found = [*complaints(moment, state, CONTENTS)] or await recover(moment, state, CONTENTS, memory)
        assert not found, (moment.what, state.files, found)
    assert checked >= 4, "nothing was recorded"


# ---- and faults in the driver are seen


class ForgetsFolders(DiskFiles):
    """Takes a name for durable that is not."""

    def sync_folder(self, folder):
        self._folder(folder)


class ForgetsData(DiskFiles):
    """Takes bytes for durable that are not."""

    def sync(self, descriptor):
        pass

    def sync_data(self, descriptor):
        pass


class ForgetsTheLastSync(DiskFiles):
    """Syncs only on the way."""

    def sync(self, descriptor):
        pass


async def _first_complaint(recorder, memory):
    for moment, state in states(recorder):
        found = [*complaints(moment, state, CONTENTS)] or await recover(moment, state, CONTENTS, memory)
        if found:
            return found
    return None


@pytest.mark.parametrize(
    ("files", "scenario"),
    [
        (ForgetsFolders, push_in_one_request),
        (ForgetsFolders, push_in_chunks),
        (ForgetsFolders, cancelled_upload),
        (ForgetsData, push_in_one_request),
        (ForgetsData, push_in_chunks),
        (ForgetsTheLastSync, push_in_one_request),
    ],
)
async def test_a_sync_that_is_left_out_is_seen(record, memory, files, scenario):
    assert await _first_complaint(await record(scenario, files), memory)


async def test_a_removal_that_is_not_settled_is_seen(record, memory, monkeypatch):
    """Without it, the bytes come back when no row names them any more."""

    async def settle(_store, _keys):
        pass

    monkeypatch.setattr(FilesystemBlobStore, "settle", settle)
    assert "no row names" in str(await _first_complaint(await record(cancelled_upload), memory))
