# SPDX-License-Identifier: Apache-2.0
"""How each scenario is measured, once, on one server."""

import os
import random
import resource
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bench import collecting, content, load, measure
from bench.fill import SMALL, Holdings, Scale
from bench.machine import program
from bench.peers import DISTRIBUTION, KINDS, WHARFINGER, Peer, basic
from bench.people import PASSWORD
from bench.push import Push, push_blob
from bench.push import push_images as push_by_clients
from bench.samples import Metric, Sample
from bench.wire import Connection, expect
from wharfinger.security.passwords import Passwords

_READERS = 16
_FEW_READERS = 4
_PUSHERS = 8
_SIGN_INS = 20
_GIB = 1 << 30

Work = Callable[[Connection], object]


@dataclass(frozen=True, slots=True)
class Stage:
    """The running servers, what they hold, and whose core is whose."""

    folder: Path
    peers: Mapping[str, Peer]
    holdings: Holdings
    server_core: int
    load_core: int
    people: Iterator[str]
    """Who has not signed in yet, in the registry with accounts: what is known of the others costs no hash."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One server's turn in one round; whatever it is given to store is new in every round."""

    stage: Stage
    name: str
    number: int

    @property
    def peer(self) -> Peer:
        return self.stage.peers[self.name]

    @property
    def holdings(self) -> Holdings:
        return self.stage.holdings

    @property
    def scale(self) -> Scale:
        return self.stage.holdings.scale

    def watch(self) -> measure.Watch:
        return measure.Watch(self.peer.pid, self.stage.server_core)


def manifest_get(turn: Turn) -> Sample:
    return _read(turn, turn.holdings.manifest_path)


def manifest_head(turn: Turn) -> Sample:
    path = turn.holdings.manifest_path
    with turn.watch() as watch:
        outcome = load.head(turn.peer.address, path, connections=_READERS, seconds=turn.scale.seconds)
    return _sample(outcome, outcome.requests, watch)


def blob_small(turn: Turn) -> Sample:
    return _read(turn, turn.holdings.small_path)


def blob_large(turn: Turn) -> Sample:
    """Tell rate and CPU by GiB that arrived, so that blobs which were cut off at the end count as well."""
    outcome, watch = _get(turn, turn.holdings.large_path, _FEW_READERS)
    return _sample(outcome, outcome.bytes / _GIB, watch)


def tags(turn: Turn) -> Sample:
    return _list(turn, [turn.holdings.tags_path])


def tags_moving(turn: Turn) -> Sample:
    """Move a tag before each list, so that none can be answered from what was kept of the one before."""
    connection, latencies = Connection(turn.peer.address), []
    with turn.watch() as watch:
        begin = time.perf_counter()
        while time.perf_counter() - begin < turn.scale.seconds:
            turn.holdings.move_a_tag(connection, len(latencies))
            latencies.append(_timed(lambda path: connection.request("GET", path), turn.holdings.tags_path))
    connection.close()
    return _pushed(latencies, watch)


def tags_page(turn: Turn) -> Sample:
    return _last_page(turn, turn.holdings.tag_pages())


def catalog(turn: Turn) -> Sample:
    """Ask for the pages in an order in which any stretch holds early and late ones alike."""
    pages = list(turn.holdings.catalog_pages())
    random.Random(turn.number).shuffle(pages)
    return _list(turn, pages)


def catalog_page(turn: Turn) -> Sample:
    return _last_page(turn, turn.holdings.catalog_pages())


def push_layer(turn: Turn) -> Sample:
    """Push one layer after the other."""
    blobs = [content.large_blob(f"layer/{turn.number}/{one}", turn.scale.large) for one in range(turn.scale.layers)]
    connection = Connection(turn.peer.address)
    os.sync()
    with turn.watch() as watch:
        seconds = [_timed(lambda one: push_blob(connection, "bench/layers", one), blob) for blob in blobs]
    connection.close()
    return _pushed(seconds, watch)


def sha256sum(turn: Turn) -> Sample:
    """Hash a file of the same size: the least that taking in a layer can cost."""
    file = turn.stage.folder / "layer"
    if not file.exists():
        file.write_bytes(b"".join(turn.holdings.large.parts))
    command = [program("taskset"), "--cpu-list", str(turn.stage.server_core), "sha256sum", str(file)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = _timed(lambda one: subprocess.run(one, check=True, stdout=subprocess.DEVNULL), command)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {Metric.P50: seconds, Metric.CPU: cpu}


def push_images(turn: Turn) -> Sample:
    """Push images that share nothing, each client into a repository of its own."""
    pushes = [
        Push(f"bench/images/{one % _PUSHERS}", f"v{one}", content.image(f"{turn.number}/{one}", 4096, 2048))
        for one in range(turn.scale.images)
    ]
    os.sync()
    with turn.watch() as watch:
        seconds = push_by_clients(turn.peer.address, pushes, _PUSHERS)
    return _pushed(seconds, watch)


def collect(turn: Turn) -> Sample:
    """Collect many blobs while a client pulls and another pushes; the registry that must be stopped is."""
    run = {WHARFINGER: collecting.wharfinger, DISTRIBUTION: collecting.distribution}[turn.name]
    folder = turn.stage.folder / f"collect-{turn.number}-{turn.name}"
    return run(folder, turn.stage.server_core, turn.scale.garbage, 2 * turn.scale.seconds)


def collect_among(turn: Turn) -> Sample:
    """Tell what one collected blob costs among many that stay, over what it costs among a hundredth of them."""
    folder, core, many = turn.stage.folder, turn.stage.server_core, turn.scale.stored
    collected = many // 100
    few = collecting.cost(folder / f"few-{turn.number}", core, many // 100, collected)
    full = collecting.cost(folder / f"many-{turn.number}", core, many, collected)
    return {Metric.BLOBS: many, Metric.CPU: full, Metric.AMONG: full / few}


def startup(turn: Turn) -> Sample:
    """Start another server on an empty folder, and again on what it left there."""
    peer = KINDS[turn.name](turn.stage.folder / f"start-{turn.number}-{turn.name}", turn.stage.server_core)
    fresh = peer.start()
    peer.stop()
    again = peer.start()
    cpu = measure.cpu_seconds(peer.pid)
    peer.stop()
    return {Metric.FRESH: fresh, Metric.AGAIN: again, Metric.CPU: cpu}


def crowd(turn: Turn) -> Sample:
    """Let many pull and push at once, and see how large the processes become."""
    scale, path = turn.scale, turn.holdings.large_path
    blobs = [content.large_blob(f"crowd/{turn.number}/{one}", scale.large) for one in range(scale.pushes)]
    works: list[Work] = [lambda one: one.discard(path)] * scale.pulls
    works += [lambda one, blob=blob: push_blob(one, "bench/crowd", blob) for blob in blobs]
    os.sync()
    measure.forget_peak_memory(turn.peer.pid)
    before = measure.peak_memory(turn.peer.pid)
    with turn.watch() as watch:
        seconds = _all_at_once(turn.peer, works)
    return {**_pushed(seconds, watch), Metric.BEFORE: before, Metric.MEMORY: measure.peak_memory(turn.peer.pid)}


def sign_in(turn: Turn) -> Sample:
    """Have people sign in one after the other, each for the first time."""
    people = [next(turn.stage.people) for _ in range(_SIGN_INS)]
    with turn.watch() as watch:
        seconds = [_timed(lambda one: _get_token(turn.peer, one), person) for person in people]
    return _pushed(seconds, watch)


def pulls_beside_sign_ins(turn: Turn) -> Sample:
    """Ask for a manifest while people sign in, two at any time."""
    done = threading.Event()

    def arrive() -> None:
        while not done.is_set():
            _get_token(turn.peer, next(turn.stage.people))

    with ThreadPoolExecutor(2) as threads:
        arriving = [threads.submit(arrive) for _ in range(2)]
        try:
            return manifest_get(turn)
        finally:
            done.set()
            for one in arriving:
                one.result()


def argon2(turn: Turn) -> Sample:
    """Hash a password as it is stored, alone on the server's core: the least that a sign-in can cost."""
    hash_password, own = Passwords().hash_password, os.sched_getaffinity(0)
    os.sched_setaffinity(0, {turn.stage.server_core})
    try:
        before = time.process_time()
        seconds = [_timed(hash_password, PASSWORD) for _ in range(_SIGN_INS)]
        cpu = time.process_time() - before
    finally:
        os.sched_setaffinity(0, own)
    return {
        Metric.P50: measure.percentile(seconds, 0.5),
        Metric.P99: measure.percentile(seconds, 0.99),
        Metric.CPU: cpu / len(seconds),
    }


def _get_token(peer: Peer, person: str) -> None:
    connection = Connection(peer.address, authorization=basic(person))
    expect(connection.request("GET", "/token?service=wharfinger/default&account=person"), 200, "a sign-in")
    connection.close()


def _all_at_once(peer: Peer, works: Sequence[Work]) -> list[float]:
    """Give every work a connection, let all begin together, and return how long each took."""
    ready = threading.Barrier(len(works))

    def run(work: Work) -> float:
        connection = Connection(peer.address)
        ready.wait()
        seconds = _timed(work, connection)
        connection.close()
        return seconds

    with ThreadPoolExecutor(len(works)) as threads:
        return list(threads.map(run, works))


def _read(turn: Turn, path: str) -> Sample:
    outcome, watch = _get(turn, path, _READERS)
    return _sample(outcome, outcome.requests, watch)


def _list(turn: Turn, paths: Sequence[str]) -> Sample:
    with turn.watch() as watch:
        outcome = load.walk(turn.peer.address, paths, connections=_FEW_READERS, seconds=turn.scale.seconds)
    return _sample(outcome, outcome.requests, watch)


def _get(turn: Turn, path: str, connections: int) -> tuple[load.Outcome, measure.Watch]:
    core, seconds = turn.stage.load_core, turn.scale.seconds
    shown = turn.peer.authorization(SMALL)
    with turn.watch() as watch:
        outcome = load.get(
            turn.peer.address, path, connections=connections, seconds=seconds, core=core, authorization=shown
        )
    return outcome, watch


def _last_page(turn: Turn, pages: Sequence[str]) -> Sample:
    first = _list(turn, pages[:1])
    last = _list(turn, pages[-1:])
    return {**last, Metric.GROWTH: last[Metric.CPU] / first[Metric.CPU]}


def _sample(outcome: load.Outcome, operations: float, watch: measure.Watch) -> Sample:
    return {
        Metric.RATE: operations / outcome.seconds,
        Metric.P50: outcome.p50,
        Metric.P99: outcome.p99,
        Metric.CPU: watch.cpu / operations,
        Metric.IDLE: watch.idle,
        Metric.OTHERS: watch.others,
    }


def _pushed(seconds: Sequence[float], watch: measure.Watch) -> Sample:
    return {
        Metric.RATE: len(seconds) / watch.seconds,
        Metric.P50: measure.percentile(seconds, 0.5),
        Metric.P99: measure.percentile(seconds, 0.99),
        Metric.CPU: watch.cpu / len(seconds),
        Metric.IDLE: watch.idle,
        Metric.OTHERS: watch.others,
    }


def _timed(work: Callable[..., object], argument: object) -> float:
    start = time.perf_counter()
    work(argument)
    return time.perf_counter() - start
