# SPDX-License-Identifier: Apache-2.0
"""Where the time of a scenario goes: perf says in which program parts, py-spy in which Python functions.

perf sees the machine code of all parts (kernel, HTTP server, interpreter, SQLite), but not Python's functions; py-spy
sees those and nothing else. Either may be missing: py-spy is installed into a folder of the run, never beside the
product, and perf only exists where the machine has it. A start is imports for the most part, which Python times itself.
"""

import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench.machine import Unprepared, program
from bench.peers import Wharfinger

_SAMPLES_A_SECOND = 250
_TOP = 8
_STOP_SECONDS = 60.0
_WAITING = re.compile(r"|(\S+\.)?(_worker|_write_loop|_spawn_\w+|watch|wait|select) \(\S+\)")
"""Where threads and the event loop wait for work; py-spy cannot always tell waiting from working."""

Share = tuple[float, str]


@dataclass(frozen=True, slots=True)
class Profile:
    """Shares of a process's time, the largest first; what could not be looked at is empty.

    Attributes:
        parts: of CPU time, by program part.
        symbols: of CPU time, by function of machine code.
        own: of Python's time, by function, without what it called.
        within: of Python's time, by function of Wharfinger, with what it called.
        imports: of the time that importing takes, by package.
    """

    parts: Sequence[Share] = ()
    symbols: Sequence[Share] = ()
    own: Sequence[Share] = ()
    within: Sequence[Share] = ()
    imports: Sequence[Share] = ()


def take(pid: int, work: Callable[[], object], folder: Path) -> Profile:
    """Profile a process while the work runs: once for each tool, as each slows it down in its own way."""
    parts: Sequence[Share] = ()
    symbols, own, within = parts, parts, parts
    if perf := _perf():
        record = folder / "perf.data"
        _record([perf, "record", "-q", "-F", "999", "-e", "cpu-clock", "-p", str(pid), "-o", str(record)], work)
        parts = _perf_shares(perf, record, "dso")
        symbols = _perf_shares(perf, record, "symbol,dso")
    if spy := _py_spy(folder):
        record = folder / "py-spy.raw"
        rate = ["--rate", str(_SAMPLES_A_SECOND)]
        _record([spy, "record", "-p", str(pid), *rate, "--format", "raw", "--output", str(record)], work)
        own, within = parse_stacks(record.read_text(encoding="utf-8"))
    return Profile(parts, symbols, own, within)


def of_start(folder: Path, core: int) -> Profile:
    """Start a server whose processes write how long each import takes."""
    peer = _TimedImports(folder, core)
    peer.start()
    peer.stop()
    return Profile(imports=parse_imports((folder / "log").read_text(encoding="utf-8", errors="replace")))


class _TimedImports(Wharfinger):
    def environment(self) -> Mapping[str, str]:
        return {**super().environment(), "PYTHONPROFILEIMPORTTIME": "1"}


def parse_stacks(text: str) -> tuple[Sequence[Share], Sequence[Share]]:
    """Return shares by own time, and by time within Wharfinger's functions, of lines `frame;frame;frame count`."""
    own: Counter[str] = Counter()
    within: Counter[str] = Counter()
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = [_frame(frame) for frame in stack.split(";")]
        if _WAITING.fullmatch(frames[-1]):
            continue
        own[frames[-1]] += int(count)
        for frame in {frame for frame in frames if "wharfinger/" in frame}:
            within[frame] += int(count)
    total = own.total()
    return _shares(own, total), _shares(within, total)


def parse_imports(log: str) -> Sequence[Share]:
    """Return shares by package of the lines that `python -X importtime` writes, of all processes of a start."""
    own: Counter[str] = Counter()
    for microseconds, package in re.findall(r"^import time:\s+(\d+) \|\s+\d+ \|\s+(\w+)", log, re.MULTILINE):
        own["the standard library" if package in sys.stdlib_module_names else package] += int(microseconds)
    return _shares(own, own.total())


def parse_perf(text: str) -> Sequence[Share]:
    """Return the shares of a report of perf: lines `12.34%  what`."""
    found = re.findall(r"^\s*(\d+\.\d+)%\s+(.*?)\s*$", text, re.MULTILINE)
    return [(float(share) / 100, _part(what)) for share, what in found][:_TOP]


def _frame(frame: str) -> str:
    """Return `function (package/file.py)`: without the line, so that a function is counted as one."""
    return re.sub(r"\(.*?((?:[^/()]+/){0,2}[^/():]+)(:\d+)?\)$", r"(\1)", frame)


def _part(what: str) -> str:
    """Return `function part` without perf's marks and the parts' versions."""
    words = re.sub(r"\[[.k]\]", "", what.replace("[kernel.kallsyms]", "kernel")).split()
    return " in ".join(re.sub(r"\.(cpython-\S+|so\S*)$", "", word) for word in words)


def _shares(counts: Counter[str], total: int) -> Sequence[Share]:
    return [(count / total, name) for name, count in counts.most_common(_TOP)]


def _record(command: Sequence[str], work: Callable[[], object]) -> None:
    """Run a recorder while the work runs; it writes what it has when it is interrupted."""
    recorder = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        threading.Event().wait(0.5)
        work()
    finally:
        recorder.send_signal(signal.SIGINT)
        recorder.communicate(timeout=_STOP_SECONDS)


def _perf_shares(perf: str, record: Path, order: str) -> Sequence[Share]:
    command = [perf, "report", "-q", "--stdio", "-i", str(record), "--fields", f"overhead,{order}"]
    return parse_perf(subprocess.run(command, capture_output=True, text=True, check=False).stdout)


def _perf() -> str | None:
    try:
        return program("perf")
    except Unprepared:
        return None


@cache
def _py_spy(folder: Path) -> str | None:
    """Install py-spy for this run; None where that cannot be."""
    home = folder / "py-spy"
    installed = subprocess.run([sys.executable, "-m", "venv", str(home)], capture_output=True, check=False)
    if installed.returncode == 0:
        pip = [str(home / "bin/python"), "-m", "pip", "install", "--quiet", "py-spy>=0.4"]
        installed = subprocess.run(pip, capture_output=True, check=False)
    return str(home / "bin/py-spy") if installed.returncode == 0 else None
