# SPDX-License-Identifier: Apache-2.0
"""What a server answers while its disk or its database fails, and that it is well again once the fault is over.

Each test asks for the same six things over a socket, and what it sees is a row of `docs/faults.md`.
"""

import asyncio
import errno
import os
import shutil
import threading
import time

import httpx
import psycopg
import pytest

from tests.crash.clients import digest_of
from tests.crash.ledger import Fact
from tests.crash.leftovers import leftovers
from tests.crash.patients import LAYER, REPOSITORY, FaultyDisk, Patient, fill, locked, no_more_files, small_disk
from tests.support.commands import run, wait_until
from tests.support.postgres import PostgreSQL
from tests.support.server import Server

MIB = 1024 * 1024
RESERVE = 4 * MIB


@pytest.fixture
def patient(tmp_path):
    """Make a server with an image in it; `patient(…)` takes the options of `Server`, and `url` of its database."""
    made = []

    def make(**options):
        server = Server(tmp_path / "server", **options)
        made.append(server)
        made.append(Patient(server.start()))
        return made[-1]

    yield make
    server, found = made
    found.close()
    server.kill()


def test_disk_that_is_almost_full(tmp_path, patient, saw):
    """Uploads stop while there is still room to delete, to collect and to move tags."""
    with small_disk(tmp_path / "server", 32) as disk:
        sick = patient(environment={"REGISTRY_STORAGE_FILESYSTEM_RESERVE": str(RESERVE)})
        filler = fill(disk, RESERVE - MIB)
        wait_until(lambda: _is_refused(sick), why="uploads are still taken")
        saw("the disk is full up to the reserve", sick.probe())
        filler.unlink()
        time.sleep(1.1)  # the free space is asked for once a second
        sick.recovers()
        _nothing_is_left(sick)


def test_disk_that_is_full(tmp_path, patient, saw):
    with small_disk(tmp_path / "server", 32) as disk:
        sick = patient(environment={"REGISTRY_STORAGE_FILESYSTEM_RESERVE": "0"})
        filler = fill(disk, 0)
        seen = sick.probe()
        # A small commit may still find room in pages of the log that are there already.
        assert {seen[name] for name in SMALL_COMMITS} <= {"201", "202", "503 `UNAVAILABLE`"}
        saw("the disk is full to the last byte", seen | dict.fromkeys(SMALL_COMMITS, "done or 503 `UNAVAILABLE`"))
        filler.unlink()
        sick.recovers()
        _nothing_is_left(sick)


SMALL_COMMITS = ("push a manifest", "delete a tag")


def test_disk_that_fills_up_under_an_upload(tmp_path, patient):
    """The request ends with 503; what it had written gives way at once, and the rest of the upload stands."""
    with small_disk(tmp_path / "server", 32) as disk:
        sick = patient(environment={"REGISTRY_STORAGE_FILESYSTEM_RESERVE": "0"})
        big = os.urandom(20 * MIB)
        location = sick.client.append(big, sick.client.begin(REPOSITORY), 0, MIB)
        filler = fill(disk, 8 * MIB)
        with httpx.Client(base_url=sick.server.url, trust_env=False, timeout=60) as http:
            answer = http.patch(location, content=big[MIB:], headers={"content-range": f"{MIB}-{len(big) - 1}"})
            assert answer.status_code == 503, answer.text
            assert int(answer.headers["retry-after"]) > 0
            assert "full" in answer.json()["errors"][0]["message"]
            part = max(sick.server.data.rglob("*.part"), key=lambda path: path.stat().st_size)
            assert part.stat().st_size == MIB
            filler.unlink()
            assert http.get(location).headers["range"] == f"0-{MIB - 1}"
        assert sick.client.resume(REPOSITORY, big, location, MIB)
        sick.recovers()
        _nothing_is_left(sick)


def test_store_that_is_mounted_read_only(tmp_path, patient, saw):
    blobs = tmp_path / "server" / "data" / "wharfinger" / "blobs"
    with small_disk(blobs, 32):
        sick = patient(environment={"REGISTRY_STORAGE_FILESYSTEM_RESERVE": str(RESERVE)})
        run("mount", "-o", "remount,ro", blobs)
        saw("the folder of blobs is read-only", sick.probe())
        run("mount", "-o", "remount,rw", blobs)
        sick.recovers()
        _nothing_is_left(sick)


def test_process_that_may_open_no_more_files(patient, saw):
    sick = patient()
    with no_more_files(sick.server):
        seen = sick.probe()
        # The database may have what it needs for a statement open already.
        assert seen["delete a tag"] in {"202", "503 `UNAVAILABLE`"}
        changed = {"delete a tag": "done or 503 `UNAVAILABLE`"}
        saw("the process has too many files open (`EMFILE`)", seen | changed)
    sick.recovers()
    _nothing_is_left(sick)


@pytest.mark.parametrize("call", ["write", "sync", "rename", "sync_folder"])
def test_disk_that_reports_a_fault_while_it_writes(tmp_path, patient, saw, call):
    """Nothing of the file is trusted afterwards, and it is removed."""
    disk = FaultyDisk(tmp_path)
    sick = patient(environment=disk.environment)
    with disk.fails(call, errno=errno.EIO):
        saw(f"the disk reports a fault (`EIO`) at a {CALLS[call]}", sick.probe())
    sick.recovers()
    _nothing_is_left(sick)


CALLS = {"write": "write", "sync": "sync", "rename": "rename", "sync_folder": "sync of a folder"}


def test_disk_that_reports_a_fault_while_it_reads(tmp_path, patient):
    """A range is read by our own code: the connection breaks off, short of its length; no wrong byte is sent."""
    disk = FaultyDisk(tmp_path)
    sick = patient(environment=disk.environment)
    path = f"/v2/{REPOSITORY}/blobs/{digest_of(LAYER)}"
    with httpx.Client(base_url=sick.server.url, trust_env=False, timeout=60) as http:
        with disk.fails("read", errno=errno.EIO):
            try:
                answer = http.get(path, headers={"range": "bytes=1-1000000"})
            except httpx.RemoteProtocolError:
                pass
            else:
                assert answer.status_code == 503, answer.status_code
        assert http.get(path, headers={"range": "bytes=1-1000000"}).content == LAYER[1:1_000_001]
        assert http.get(path).content == LAYER
    sick.recovers()


def test_disk_that_is_slow(tmp_path, patient, saw):
    """A push takes as long as the disk does; nobody else waits for it."""
    disk = FaultyDisk(tmp_path)
    sick = patient(environment=disk.environment)
    with disk.fails("write", "sync", "sync_data", seconds=3):
        slow = threading.Thread(target=sick.client.push_at_once, args=(REPOSITORY, b"slowly"))
        slow.start()
        time.sleep(0.5)
        began = time.monotonic()
        seen = {name: sick._cell(name, sick._ask(name)) for name in ("pull a manifest", "pull a layer")}
        assert time.monotonic() - began < 2.5
        assert slow.is_alive()
        slow.join()
        saw("the disk takes seconds for a write", seen | sick.probe())
    sick.recovers()
    _nothing_is_left(sick)


def test_disk_that_hangs(tmp_path, patient, saw):
    """After the deadline, a minute, the push is answered; here it is two seconds."""
    disk = FaultyDisk(tmp_path, deadline=2)
    sick = patient(environment=disk.environment)
    with disk.fails("write", seconds=4):
        saw("the disk hangs for more than a minute", sick.probe())
    time.sleep(4)  # the threads that hang come back, and give their files back
    sick.recovers()
    _nothing_is_left(sick)


def test_database_that_somebody_holds_locked(patient, saw):
    sick = patient()
    with locked(sick.server):
        began = time.monotonic()
        assert sick._cell("delete a tag", sick._ask("delete a tag")) == "503 `UNAVAILABLE`"
        assert time.monotonic() - began < 15
        saw("SQLite: somebody else holds the write lock", sick.probe())
    sick.recovers()
    _nothing_is_left(sick)


def test_database_that_is_gone(patient, saw):
    with PostgreSQL() as cluster:
        url = cluster.database()
        sick = patient(database=url)
        cluster.pause()
        saw("PostgreSQL is not there", sick.probe())
        cluster.recover()
        sick.recovers()
        sick.server.stop()
        assert asyncio.run(leftovers(sick.server.data, url)) == []


def test_database_that_takes_no_writes(patient, saw):
    """As after a failover to a replica that has not taken over yet."""
    with PostgreSQL() as cluster:
        url = cluster.database()
        sick = patient(database=url)
        _set_read_only(cluster, url, "on")
        saw("PostgreSQL takes no writes (a replica)", sick.probe())
        _set_read_only(cluster, url, "off")
        sick.recovers()
        sick.server.stop()
        assert asyncio.run(leftovers(sick.server.data, url)) == []


def _set_read_only(cluster, url, value):
    name = url.rpartition("/")[2]
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {value}")
        connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")


@pytest.mark.parametrize("damage", ["removed", "cut short"])
def test_blob_that_somebody_damaged_on_the_disk(patient, saw, damage):
    """It counts as missing from then on, and the next push of the same content repairs it."""
    sick = patient()
    (path,) = [path for path in sick.server.data.rglob("*") if path.is_file() and path.stat().st_size == len(LAYER)]
    shutil.copy(path, path.with_suffix(".kept"))
    if damage == "removed":
        path.unlink()
    else:
        os.truncate(path, 1_000)
    seen = sick.probe()
    assert sick.client.ledger.may(Fact("blob", REPOSITORY, digest_of(LAYER))) == {digest_of(LAYER)}
    path.with_suffix(".kept").unlink()
    saw(f"the file of a layer was {damage} behind our back", seen)
    sick.client.push_at_once(REPOSITORY, LAYER)
    sick.recovers()
    _nothing_is_left(sick)


def _is_refused(sick):
    return sick._cell("push a layer", sick._ask("push a layer")) == "503 `UNAVAILABLE`"


def _nothing_is_left(sick):
    sick.server.stop()
    assert asyncio.run(leftovers(sick.server.data)) == []
