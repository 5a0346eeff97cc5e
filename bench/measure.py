# SPDX-License-Identifier: Apache-2.0
"""What a server costs: the CPU and the memory of its whole process tree, read from /proc."""

import os
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")
_RESET_PEAK = "5"
"""Written to `clear_refs`, it makes the kernel forget the largest size so far."""


def tree(pid: int) -> Iterator[int]:
    """Yield a process and all below it: a server may have a master, workers and helpers."""
    yield pid
    for task in _PROC.joinpath(str(pid), "task").iterdir():
        for child in _read(task / "children").split():
            yield from tree(int(child))


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a tree so far; that of children that ended is in their parents' account."""
    return sum(sum(process_ticks(one)) for one in tree(pid)) / _TICKS


def process_ticks(pid: int) -> Sequence[int]:
    """Return a process's own user and system time, then those of its ended children; zeros if it is gone."""
    fields = _read(_PROC / str(pid) / "stat").rpartition(")")[2].split()
    return [int(field) for field in fields[11:15]] or [0]


def network_seconds(core: int) -> float:
    """Return the CPU time so far of the kernel's thread that does a core's network work when there is much of it.

    What is sent over the loopback is received there, on the sender's core and mostly in the sender's account; but the
    more a server sends at once, the more of it ends up in this thread. Leaving it out would flatter the fastest.
    """
    return sum(sum(process_ticks(pid)) for pid in _kernel_threads(f"ksoftirqd/{core}")) / _TICKS


@cache
def _kernel_threads(name: str) -> Sequence[int]:
    numbers = [int(folder.name) for folder in _PROC.iterdir() if folder.name.isdecimal()]
    return [number for number in numbers if _read(_PROC / str(number) / "comm").strip() == name]


def busiest(pid: int) -> int:
    """Return the process of a tree that has used most CPU: the worker that serves."""
    return max(tree(pid), key=lambda one: sum(process_ticks(one)[:2]))


def forget_peak_memory(pid: int) -> None:
    """Let the largest size of every process of a tree start again from what it is now."""
    for one in tree(pid):
        Path(f"/proc/{one}/clear_refs").write_text(_RESET_PEAK, encoding="ascii")


def peak_memory(pid: int) -> int:
    """Return the bytes that the largest process of a tree had resident at its peak."""
    return max(_peak(one) for one in tree(pid))


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of the values lies."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


class Watch:
    """Measures what a process tree uses while a block of code runs.

    Attributes:
        seconds: how long the block took.
        cpu: CPU seconds of the tree, and of the kernel's network thread on the core.
        idle: the share of the time in which the tree's core had nothing to do, or waited for the disk.
        others: the share in which the core worked for other programs: the more, the less the numbers mean.
    """

    def __init__(self, pid: int, core: int) -> None:
        self._pid = pid
        self._core = core
        self.seconds = self.cpu = self.idle = self.others = 0.0

    def __enter__(self) -> Self:
        self._before = self._now()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        moment, cpu, busy, idle = (after - before for after, before in zip(self._now(), self._before, strict=True))
        self.seconds, self.cpu = moment, cpu
        self.idle = min(idle / moment, 1.0)
        self.others = max(busy - cpu, 0.0) / moment

    def _now(self) -> tuple[float, float, float, float]:
        cpu = cpu_seconds(self._pid) + network_seconds(self._core)
        return time.perf_counter(), cpu, *_core_seconds(self._core)


def _core_seconds(core: int) -> tuple[float, float]:
    """Return how long a core has worked for programs, and how long it has had nothing to do or waited for a disk."""
    name = f"cpu{core} "
    line = next(line for line in _read(_PROC / "stat").splitlines() if line.startswith(name))
    user, nice, system, idle, iowait, *_ = (int(field) for field in line.split()[1:])
    return (user + nice + system) / _TICKS, (idle + iowait) / _TICKS


def _peak(pid: int) -> int:
    for line in _read(_PROC / str(pid) / "status").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _read(path: Path) -> str:
    """Return a file of /proc; nothing if its process is gone."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
