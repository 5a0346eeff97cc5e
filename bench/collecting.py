# SPDX-License-Identifier: Apache-2.0
"""Collection of many blobs that nothing needs: what pulls and pushes notice of it, and how long it takes.

The blobs are written as the rows and files that pushes would leave, because pushing them takes minutes. Each server is
one of its own: the others hold what other scenarios ask for.
"""

import os
import sqlite3
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench import content, measure
from bench.machine import program
from bench.peers import Distribution, Peer, Wharfinger
from bench.push import Push, push_image
from bench.samples import Metric, Sample
from bench.wire import Connection, expect
from wharfinger.services.ingest import BURY_DELAY

_PLACE = "bench/collected"
_NEVER = 1 << 60
_SIZE = 100
_END_SECONDS = 1_800.0
_START_SECONDS = 8.0
"""After this, what a start costs is over."""
_QUIET_SECONDS = 10.0
"""So long at least is watched without collection: the slowest hundredth of few pushes is an accident."""


class Collecting(Wharfinger):
    """A registry that looks every second for what it may collect."""

    def environment(self) -> Mapping[str, str]:
        return {**super().environment(), "REGISTRY_COLLECTION_INTERVAL": "1s"}


def wharfinger(folder: Path, core: int, blobs: int, seconds: float) -> Sample:
    """Load the server without collection and with it; return how much slower the slowest hundredth became."""
    peer = Collecting(folder, core)
    peer.start()
    try:
        push_image(Connection(peer.address), Push(_PLACE, "pulled", content.image("collected", 4096)))
        path = peer.data / "wharfinger" / "wharfinger.db"
        _fill(path, peer.data / "wharfinger" / "blobs", blobs)
        os.sync()  # what was filled in is still on its way to the disk
        quiet = _load(peer, "quiet", lambda elapsed: elapsed < max(seconds, _QUIET_SECONDS))
        measure.forget_peak_memory(peer.pid)
        before, begin = measure.peak_memory(peer.pid), time.perf_counter()
        _change(path, "UPDATE blob_reviews SET due_at = 0 WHERE reason = 'filled'")
        with measure.Watch(peer.pid, core) as watch:
            busy = _load(peer, "busy", lambda elapsed: elapsed < _END_SECONDS and _waiting(path))
        took = time.perf_counter() - begin
        return {
            Metric.BLOBS: blobs,
            Metric.RATE: blobs / took,
            Metric.PULLS: busy[0] / quiet[0],
            Metric.PUSHES: busy[1] / quiet[1],
            Metric.STOPPED: 0.0,
            Metric.BEFORE: before,
            Metric.MEMORY: measure.peak_memory(peer.pid),
            Metric.OTHERS: watch.others,
        }
    finally:
        peer.stop()


def distribution(folder: Path, core: int, blobs: int, _seconds: float) -> Sample:
    """Stop docker-registry, as its guide asks for, and have it collect the same blobs."""
    peer = Distribution(folder, core)
    peer.start()
    push_image(Connection(peer.address), Push(_PLACE, "pulled", content.image("collected", 4096)))
    peer.stop()
    root = peer.data / "docker" / "registry" / "v2" / "blobs" / "sha256"
    for number in range(blobs):
        blob = content.small_blob(f"garbage/{number}", _SIZE)
        place = root / blob.digest[7:9] / blob.digest[7:]
        place.mkdir(parents=True)
        place.joinpath("data").write_bytes(blob.parts[0])
    begin = time.perf_counter()
    command = [program("docker-registry"), "garbage-collect", str(folder / "config.yml")]
    with (folder / "garbage").open("wb") as log:
        subprocess.run(
            [program("taskset"), "--cpu-list", str(core), *command], check=True, stdout=log, stderr=log, cwd=folder
        )
    took = time.perf_counter() - begin
    return {Metric.BLOBS: blobs, Metric.RATE: blobs / took, Metric.STOPPED: took}


def cost(folder: Path, core: int, rows: int, collected: int) -> float:
    """Return the CPU seconds for one blob that is collected out of so many that stay."""
    peer = Collecting(folder, core)
    peer.start()
    try:
        push_image(Connection(peer.address), Push(_PLACE, "pulled", content.image("collected", 4096)))
        path = peer.data / "wharfinger" / "wharfinger.db"
        _fill(path, None, rows)
        _change(path, "UPDATE blob_reviews SET reason = 'stays' WHERE reason = 'filled'")
        _fill(path, peer.data / "wharfinger" / "blobs", collected)
        time.sleep(_START_SECONDS)
        _change(path, "UPDATE blob_reviews SET due_at = 0 WHERE reason = 'filled'")
        with measure.Watch(peer.pid, core) as watch:
            while _waiting(path):
                time.sleep(0.5)
        return watch.cpu / collected
    finally:
        peer.stop()


def _fill(path: Path, folder: Path | None, count: int) -> None:
    """Leave blobs that nothing refers to, and whose lease is over; with a folder, their bytes too."""
    with sqlite3.connect(path, timeout=60) as connection:
        connection.execute("PRAGMA foreign_keys = 1")
        (repository,) = connection.execute("SELECT id FROM repositories WHERE name = ?", (_PLACE,)).fetchone()
        (first,) = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM blobs").fetchone()
        for number in range(first, first + count):
            blob, key = content.small_blob(f"garbage/{number}", _SIZE), str(uuid.uuid4())
            connection.execute(
                "INSERT INTO blobs (id, registry_id, digest, size, store_key, state, created_at) "
                "VALUES (?, 1, ?, ?, ?, 'live', 0)",
                (number, blob.digest, blob.size, f"{key[:2]}/{key}"),
            )
            connection.execute(
                "INSERT INTO repository_blobs (repository_id, blob_id, created_at, lease_until) VALUES (?, ?, 0, 0)",
                (repository, number),
            )
            connection.execute(
                "INSERT INTO blob_reviews (repository_id, blob_id, due_at, reason, attempts, version) "
                "VALUES (?, ?, ?, 'filled', 0, 0)",
                (repository, number, _NEVER),
            )
            if folder is not None:
                place = folder / key[:2]
                place.mkdir(parents=True, exist_ok=True)
                place.joinpath(key).write_bytes(blob.parts[0])


def _change(path: Path, sql: str) -> None:
    with sqlite3.connect(path, timeout=60) as connection:
        connection.execute(sql)


def _waiting(path: Path) -> bool:
    """Say whether there is more to judge or to bury; what was judged is buried now, and not an hour later."""
    with sqlite3.connect(path, timeout=60) as connection:
        connection.execute(
            "UPDATE tombstones SET not_before = created_at WHERE attempts = 0 AND not_before - created_at = ?",
            (BURY_DELAY,),
        )
        left = "SELECT 1 FROM blob_reviews WHERE reason = 'filled' UNION ALL SELECT 1 FROM tombstones LIMIT 1"
        return connection.execute(left).fetchone() is not None


def _load(peer: Peer, name: str, more: Callable[[float], bool]) -> Sequence[float]:
    """Pull by one client and push by another for as long as it is to go on; return the slowest hundredth of each."""
    stop, times = threading.Event(), ([], [])
    image = f"/v2/{_PLACE}/manifests/pulled"

    def pull(connection: Connection, _number: int) -> None:
        expect(connection.request("GET", image), 200, image)

    def push(connection: Connection, number: int) -> None:
        push_image(connection, Push("bench/load", f"{name}-{number}", content.image(f"{name}/{number}", 1024)))

    def client(work: Callable[[Connection, int], None], kept: list[float]) -> None:
        connection = Connection(peer.address)
        while not stop.is_set():
            begin = time.perf_counter()
            work(connection, len(kept))
            kept.append(time.perf_counter() - begin)
        connection.close()

    threads = [threading.Thread(target=client, args=pair) for pair in zip((pull, push), times, strict=True)]
    for thread in threads:
        thread.start()
    begin = time.perf_counter()
    while more(time.perf_counter() - begin):
        time.sleep(0.5)
    stop.set()
    for thread in threads:
        thread.join()
    return [measure.percentile(one, 0.99) for one in times]
