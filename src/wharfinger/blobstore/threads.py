# SPDX-License-Identifier: Apache-2.0
"""Blocking calls off the event loop: a bounded pool of threads, and lanes that keep the calls of one file in order.

A thread cannot be interrupted. So a caller that is cancelled leaves its call running, and a lane holds back the next
call of the same file until that one has ended: a descriptor is never closed, or used for something else, beneath a
thread that still works with it. A lane that waits occupies no thread.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from wharfinger.blobstore.failures import translated

T = TypeVar("T")


class Pool:
    """A store's own threads. A store that hangs uses these up, and nobody else's."""

    def __init__(self, max_threads: int, name: str) -> None:
        self._name = name
        self._executor = ThreadPoolExecutor(max_threads, thread_name_prefix=name)

    async def run(self, job: Callable[[], T]) -> T:
        """Run a job that leaves nothing open; if the caller is cancelled before it began, it never does."""
        with translated():
            return await asyncio.get_running_loop().run_in_executor(self._executor, job)

    def lane(self) -> "Lane":
        """Return a new lane."""
        return Lane(self._executor)

    async def aclose(self) -> None:
        """Wait for what runs and end the threads; idempotent."""
        closer = ThreadPoolExecutor(1, thread_name_prefix=f"{self._name}-close")
        try:
            await asyncio.get_running_loop().run_in_executor(closer, self._executor.shutdown)
        finally:
            closer.shutdown(wait=False)


class Lane:
    """One call after another, in the order in which they came, each to its end."""

    def __init__(self, executor: ThreadPoolExecutor) -> None:
        self._executor = executor
        self._lock = threading.Lock()
        self._waiting: deque[Callable[[], None]] = deque()
        self._busy = False

    async def run(self, job: Callable[[], T]) -> T:
        """Run a job after those before it; if the caller is cancelled, it is done all the same."""
        with translated():
            return await asyncio.wrap_future(self.submit(job))

    def submit(self, job: Callable[[], T]) -> Future[T]:
        """Queue a job without waiting for it; it runs whatever happens to the caller."""
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # from here on a cancelled waiter cannot take the job back
        with self._lock:
            self._waiting.append(partial(_settle, future, job))
            if self._busy:
                return future
            self._busy = True
        try:
            self._executor.submit(self._drain)
        except RuntimeError:  # the pool is closed; what comes now gives descriptors back
            self._drain()
        return future

    def _drain(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._busy = False
                    return
                work = self._waiting.popleft()
            work()


def _settle(future: Future[T], job: Callable[[], T]) -> None:
    try:
        result = job()
    except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits
        future.set_exception(error)
    else:
        future.set_result(result)
    finally:
        del future, job  # an exception refers to this frame: without this they would keep each other alive
