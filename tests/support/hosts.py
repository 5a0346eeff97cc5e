# SPDX-License-Identifier: Apache-2.0
"""Commands that see a hosts file of their own, as on a machine whose operator wrote names into it."""

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

SCRIPT = 'mount --bind "$0" /etc/hosts && exec "$@"'


class HostsFile:
    """A hosts file that only some commands see.

    Args:
        folder: where it is written.
        names: what leads to this machine.
    """

    def __init__(self, folder, *names):
        self._path = folder / "hosts"
        self._path.write_text(f"127.0.0.1 localhost {' '.join(names)}\n")

    def run(self, *words, ok=True):
        """Run a command, which has to succeed or has to fail, and return all that it said."""
        outer = ["unshare", "--mount", "sh", "-c", SCRIPT, str(self._path), *map(str, words)]
        done = subprocess.run(outer, capture_output=True, text=True, check=False, timeout=120)
        assert (done.returncode == 0) is ok, done.stdout + done.stderr
        return done.stdout + done.stderr


@contextmanager
def known_here(*names):
    """Have these names lead to this machine, for programs such as the Docker Engine that run already.

    They are names below `.test`, which nobody has, so a line that an ended run left behind harms nothing.
    """
    path = Path("/etc/hosts")
    line = f"127.0.0.1 {' '.join(names)}  # tests of wharfinger {os.getpid()}\n"
    with path.open("a") as file:
        file.write(line)
    try:
        yield
    finally:  # written in place: in a container the file is a mount, and cannot be replaced
        path.write_text(path.read_text().replace(line, ""))
