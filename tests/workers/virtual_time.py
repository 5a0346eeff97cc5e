# SPDX-License-Identifier: Apache-2.0
"""An event loop on which waiting costs nothing: when everybody waits, its clock jumps to the next that is due."""

import asyncio
import selectors


class _Selector(selectors.DefaultSelector):
    """Never sleeps: where the loop would, its time moves on."""

    def __init__(self):
        super().__init__()
        self.now = 0.0

    def select(self, timeout=None):
        ready = super().select(0 if timeout is not None else None)
        if not ready and timeout:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop for tests in which only coroutines wait; threads would be waited for without end."""

    def __init__(self):
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self):
        return self._virtual.now


def run(main):
    """Run a coroutine to its end and return its result and how long it took on its own clock."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        result = runner.run(main)
        return result, runner.get_loop().time()
