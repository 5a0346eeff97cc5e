# SPDX-License-Identifier: Apache-2.0
"""The read load: closed loops, in which each connection asks again as soon as it has its answer.

wrk does GET. It cannot do HEAD, because it waits for the body; and it hangs up on what is under way when the time is
over, which distorts everything that takes long. So HEAD and lists have loops of their own.
"""

import re
import select
import socket
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, cycle
from pathlib import Path

from bench.machine import program
from bench.measure import percentile
from bench.wire import Address, Connection, expect

_SCRIPT = Path(__file__).with_name("wrk.lua")
ACCEPT = (
    "application/vnd.docker.distribution.manifest.v2+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, */*"
)
"""As clients send it: without it, docker-registry looks for an older format."""


class LoadFailed(Exception):
    """Answers were missing or were no successes, so the numbers would mean nothing."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a load saw: answers, bytes (of wrk alone), and the latency of the middle and of the slowest hundredth."""

    requests: int
    seconds: float
    bytes: int
    p50: float
    p99: float


def get(
    address: Address, path: str, *, connections: int, seconds: float, core: int, authorization: str | None = None
) -> Outcome:
    """Ask for one path with wrk."""
    shown = () if authorization is None else ("--header", f"Authorization: {authorization}")
    command = [
        *(program("taskset"), "--cpu-list", str(core), program("wrk"), "--threads", "1"),
        *("--connections", str(connections), "--duration", f"{max(1, round(seconds))}s", "--timeout", "60s"),
        *("--header", f"Accept: {ACCEPT}", *shown, "--script", str(_SCRIPT), "http://{}:{}{}".format(*address, path)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + 120)
    return parse(done.stdout + done.stderr)


def parse(output: str) -> Outcome:
    """Read the line that the script prints.

    Raises:
        LoadFailed: there is none, or not every request was answered well.
    """
    found = re.search(
        r"^outcome requests=(\d+) microseconds=(\d+) bytes=(\d+) failed=(\d+) p50=(\d+) p99=(\d+)$",
        output,
        re.MULTILINE,
    )
    if found is None:
        message = f"wrk said nothing of use: {output[-500:]}"
        raise LoadFailed(message)
    requests, microseconds, size, failed, p50, p99 = map(int, found.groups())
    if failed:
        message = f"{failed} of {requests} requests failed"
        raise LoadFailed(message)
    return Outcome(requests, microseconds / 1e6, size, p50 / 1e6, p99 / 1e6)


def walk(address: Address, paths: Sequence[str], *, connections: int, seconds: float) -> Outcome:
    """Ask for the paths in turn, and wait for the answer to whatever was asked within the time."""
    turns, begin = cycle(paths), time.perf_counter()

    def client(connection: Connection) -> list[float]:
        latencies, now = [], begin
        while now - begin < seconds:
            path, asked = next(turns), time.perf_counter()
            expect(connection.request("GET", path), 200, path)
            now = time.perf_counter()
            latencies.append(now - asked)
        connection.close()
        return latencies

    with ThreadPoolExecutor(connections) as threads:
        latencies = list(chain(*threads.map(client, [Connection(address) for _ in range(connections)])))
    return _outcome(latencies, time.perf_counter() - begin)


def head(address: Address, path: str, *, connections: int, seconds: float) -> Outcome:
    """Send HEAD over several connections, in this process: it sends as many a second as wrk would."""
    host, port = address
    request = f"HEAD {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAccept: {ACCEPT}\r\n\r\n".encode()
    sockets = [socket.create_connection(address) for _ in range(connections)]
    try:
        latencies, elapsed = _loop(sockets, request, seconds)
    finally:
        for one in sockets:
            one.close()
    return _outcome(latencies, elapsed)


def _outcome(latencies: Sequence[float], seconds: float) -> Outcome:
    return Outcome(len(latencies), seconds, 0, percentile(latencies, 0.5), percentile(latencies, 0.99))


def _loop(sockets: Sequence[socket.socket], request: bytes, seconds: float) -> tuple[list[float], float]:
    clock, poll, buffer = time.perf_counter, select.epoll(), bytearray(1 << 14)
    by_number = {one.fileno(): (one.recv_into, one.send) for one in sockets}
    begin = now = clock()
    latencies, sent_at = [], dict.fromkeys(by_number, begin)
    for number, (_, send) in by_number.items():
        poll.register(number, select.EPOLLIN)
        send(request)
    while now - begin < seconds:
        for number, _ in poll.poll():
            receive, send = by_number[number]
            size = receive(buffer)
            if not (buffer.startswith(b"HTTP/1.1 200") and buffer.endswith(b"\r\n\r\n", 0, size)):
                message = f"HEAD was answered with {bytes(buffer[: min(size, 200)])!r}"
                raise LoadFailed(message)
            now = clock()
            latencies.append(now - sent_at[number])
            sent_at[number] = now
            send(request)
    return latencies, now - begin
