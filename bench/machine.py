# SPDX-License-Identifier: Apache-2.0
"""The machine: which core is whose, and the facts that a reader of the numbers wants to know."""

import fcntl
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_SYSTEM_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
_LIBRARIES = ("granian", "uvloop", "starlette", "sqlalchemy")


class Unprepared(Exception):
    """The machine lacks something that the measurement needs."""


def cores() -> tuple[int, int]:
    """Return the server's core and the load's.

    Raises:
        Unprepared: there is only one; then the load's cost would be counted as the server's.
    """
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        message = "two cores are needed: one for the server, one for the load"
        raise Unprepared(message)
    return usable[0], usable[1]


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep a second measurement from running beside this one: each would measure the other.

    Raises:
        Unprepared: one is running.
    """
    with (folder / "wharfinger-bench.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            message = "another measurement is running"
            raise Unprepared(message) from error
        yield


def program(name: str) -> str:
    """Return the path of a program.

    Raises:
        Unprepared: it is not installed.
    """
    path = shutil.which(name, path=_SYSTEM_PATH)
    if path is None:
        message = f"{name} is not installed: `tools/prepare --bench` installs it"
        raise Unprepared(message)
    return path


def facts() -> Mapping[str, str]:
    """Return what is worth knowing about the machine and the programs; never its name."""
    own = importlib.metadata.version("wharfinger")
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores: one for the server, one for the load",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {re.split('[-+]', platform.release())[0]}",
        "Wharfinger": f"{own}, Python {platform.python_version()}, {', '.join(_libraries())}",
        "docker-registry": _version("docker-registry", "--version"),
        "nginx": _version("nginx", "-v"),
        "wrk": _version("wrk", "-v"),
    }


def _libraries() -> list[str]:
    return [f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES]


def _processor() -> str:
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return found[1] if found else platform.machine()


def _version(name: str, option: str) -> str:
    done = subprocess.run([program(name), option], capture_output=True, text=True, check=False)
    found = re.search(r"\d+\.\d+[\w.+]*", done.stdout + done.stderr)
    return found[0] if found else "unknown"
