# SPDX-License-Identifier: Apache-2.0
"""Where tests keep their data: in memory, if the machine has room for it.

The tests look at answers. What survives a power cut is tested elsewhere, and waiting for a disk makes these slow.
"""

import itertools
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

_MEMORY = Path("/dev/shm")
_ENOUGH = 2 * 2**30
"""All processes of the tests together take less than half; and a registry takes no uploads where little is free."""


def roomy_memory():
    """Return a folder in memory with room for all the tests, or nothing."""
    return _MEMORY if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ENOUGH else None


@contextmanager
def data_in_memory():
    """Yield a function that returns the environment for one more server."""
    with tempfile.TemporaryDirectory(prefix="wharfinger-", dir=roomy_memory()) as folder:
        numbers = itertools.count(1)
        yield lambda: {"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": f"{folder}/{next(numbers)}"}
