# SPDX-License-Identifier: Apache-2.0
"""The processes of a running server: who belongs to it, who listens, who works in the background."""

import contextlib
from pathlib import Path


def family(pid):
    """Return the ids of all processes below one, whichever of its threads started them."""
    found = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                found += [int(child), *family(child)]
    return found


def listeners(pid, port):
    """Return those of the processes below one that hold a socket that listens at the port."""
    inodes = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[1].endswith(f":{port:04X}") and words[3] == "0A":
            inodes.add(f"socket:[{words[9]}]")
    return [child for child in family(pid) if inodes & set(_open_files(child))]


def background(pid, port):
    """Return those of the processes below one that were started to work and answer nobody."""
    answering = listeners(pid, port)
    return [child for child in family(pid) if "spawn_main" in command_line(child) and child not in answering]


def _open_files(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for one in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                yield str(one.readlink())


def is_running(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def command_line(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""
