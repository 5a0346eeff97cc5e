# SPDX-License-Identifier: Apache-2.0
"""Where the registries of these tests keep their data: in memory, if the machine has room for it.

The tests look at answers. What survives a power cut is tested elsewhere, and waiting for a disk makes these slow.
"""

import itertools
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

_MEMORY = Path("/dev/shm")
_ENOUGH = 2 * 2**30
"""A registry keeps some space free, and takes no uploads below it."""


@contextmanager
def data_in_memory():
    """Yield a function that returns the environment for one more server."""
    roomy = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ENOUGH
    with tempfile.TemporaryDirectory(prefix="wharfinger-", dir=_MEMORY if roomy else None) as folder:
        numbers = itertools.count(1)
        yield lambda: {"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": f"{folder}/{next(numbers)}"}
