# SPDX-License-Identifier: Apache-2.0
"""Processes beside the workers: started, started again when they end by themselves, and stopped.

The system may end the process of the background jobs alone, when memory runs out. Uploads would then never expire and
nothing would be removed, while every request is answered: a fault that nobody sees until the disk is full.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Final

from wharfinger import telemetry

_JOIN_SECONDS: Final = 9.0
_NICE: Final = 10
_FIRST_PAUSE: Final = 1.0
_MAX_PAUSE: Final = 60.0
_SETTLED_SECONDS: Final = 30.0
"""A process that has lived for so long had a good start, and the next one need not wait."""
_log = telemetry.logger("server")


class Companion:
    """One process beside the workers, to which it gives way.

    Args:
        name: in the log and among the processes.
        target: what the process runs; it is called in a fresh process each time.
    """

    def __init__(self, name: str, target: Callable[[], None]) -> None:
        self._name = name
        self._target = target
        self._stop = threading.Event()
        self._process = self._start()
        self._keeper = threading.Thread(target=self._keep, name=f"keeper of {name}", daemon=True)
        self._keeper.start()

    def terminate(self) -> None:
        """Tell it to stop, and not to come back; callable from a signal handler, and does not wait."""
        self._stop.set()
        self._process.terminate()

    def close(self) -> None:
        """Stop it and wait for its end; what does not end in time is killed."""
        self.terminate()
        self._keeper.join()
        self._process.join(_JOIN_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _start(self) -> BaseProcess:
        process = multiprocessing.get_context("spawn").Process(target=self._target, name=f"wharfinger-{self._name}")
        process.start()
        os.setpriority(os.PRIO_PROCESS, process.pid or 0, _NICE)
        return process

    def _keep(self) -> None:
        """Start it again whenever it has ended, later and later if it does not last."""
        pause = _FIRST_PAUSE
        while True:
            began = time.monotonic()
            wait([self._process.sentinel])
            if time.monotonic() - began > _SETTLED_SECONDS:
                pause = _FIRST_PAUSE
            # A service manager tells all processes to stop at once, and this one may hear it before the main process.
            if self._stop.wait(pause):
                return
            pause = min(2 * pause, _MAX_PAUSE)
            self._process.join()
            status = self._process.exitcode
            _log.error("a process ended by itself; it is started again", name=self._name, status=status)
            if not self._try_to_start():
                continue
            if self._stop.is_set():  # it was told to stop while it started: the one before heard it
                self._process.terminate()

    def _try_to_start(self) -> bool:
        try:
            self._process = self._start()
        except OSError as error:  # no memory, or too many processes: both may have room again later
            _log.error("a process cannot be started", name=self._name, reason=str(error))
            return False
        return True


@contextmanager
def companion(name: str, target: Callable[[], None]) -> Iterator[Companion]:
    """Run another process beside the workers; it ends when they have ended."""
    started = Companion(name, target)
    try:
        yield started
    finally:
        started.close()


def end_with(parent: int) -> None:
    """Have this process told to stop once its parent is gone, however it went: it would keep the address for ever."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()
