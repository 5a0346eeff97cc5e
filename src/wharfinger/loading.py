# SPDX-License-Identifier: Apache-2.0
"""Loading modules without the garbage collector.

A process makes hundreds of thousands of objects while it loads, and hardly any of them is garbage. The collector goes
through them again and again nevertheless: that took a sixth of the time. What was loaded stays for as long as the
process, so that no collection needs to go through it later either.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Have nothing collected meanwhile, and what is there at the end left alone for good."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.freeze()
            gc.enable()
