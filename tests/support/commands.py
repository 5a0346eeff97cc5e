# SPDX-License-Identifier: Apache-2.0
"""Runs other programs: with a time limit, without the caller's proxies, and showing what they said when they fail."""

import os
import random
import shlex
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

FIRST_PORT, LAST_PORT = 20_000, 32_000
"""Below the range from which the kernel takes ports for outgoing connections: nobody gets in between by chance."""


@dataclass(frozen=True)
class Finished:
    """What a program left behind."""

    command: tuple[str, ...]
    status: int
    stdout: str
    stderr: str

    @property
    def output(self):
        return self.stdout + self.stderr

    def __str__(self):
        return f"$ {shlex.join(self.command)}\n{self.output}\n(exit status {self.status})"


def run(*command, timeout=60, check=True, feed=None, environment=None, cwd=None):
    """Run a program to its end, and raise with all it said when it fails (unless `check` is off)."""
    command = tuple(str(word) for word in command)
    done = subprocess.run(
        command,
        timeout=timeout,
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
        input=feed,
        stdin=subprocess.DEVNULL if feed is None else None,
        env=clean_environment(environment),
        cwd=cwd,
    )
    finished = Finished(command, done.returncode, done.stdout, done.stderr)
    assert finished.status == 0 or not check, str(finished)
    return finished


def spawn(*command, log, environment=None, cwd=None, **options):
    """Start a program that goes on running, out of reach of the keyboard; what it says is added to a log.

    Should the thread end that started it (a test run that was killed), it is asked to end as well.
    """
    with Path(log).open("ab") as file:
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", *(str(word) for word in command)],
            env=clean_environment(environment),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **options,
        )


def clean_environment(more=None):
    """The environment for programs under test: nobody's proxy, nobody's settings of a registry."""
    kept = {name: value for name, value in os.environ.items() if not _is_meddling(name)}
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    ours = {"PATH": path, "NO_PROXY": "*", "no_proxy": "*", "LC_ALL": "C.UTF-8"}
    return kept | ours | {name: str(value) for name, value in (more or {}).items()}


def _is_meddling(name):
    return name.upper().endswith("_PROXY") or name.startswith(("REGISTRY_", "DOCKER_", "WHARFINGER_", "PG"))


def wait_until(condition, *, within=20, why):
    """Ask `condition` again and again until it says something true, and return that."""
    end = time.monotonic() + within
    while not (answer := condition()):
        assert time.monotonic() < end, f"{why() if callable(why) else why} (after {within} seconds)"
        time.sleep(0.02)
    return answer


def free_port():
    """A TCP port on which nobody listens."""
    while True:
        port = random.SystemRandom().randint(FIRST_PORT, LAST_PORT)
        with socket.socket() as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                attempt.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def tail(path, lines=60):
    """The end of a log, for a message."""
    path = Path(path)
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else "(no log)"
