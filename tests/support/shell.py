# SPDX-License-Identifier: Apache-2.0
"""Runs `wharfinger …` as a process of its own that has everything loaded already.

To load the program takes ten times as long as most commands take. So one process loads it, and is forked for each
command: the command has its own memory, environment, folder and streams, and ends with a status. How the program is
loaded, and how it behaves at a terminal or under a signal, is for tests that start the real one.
"""

import atexit
import contextlib
import functools
import gc
import json
import os
import pkgutil
import signal
import socket
import sys
import tempfile
import threading
import traceback
from importlib import import_module
from pathlib import Path

from tests.support.commands import Finished, clean_environment, spawn, tail, wait_until

_READ = 1 << 20
_LATE = ("wharfinger.application", "wharfinger.bootstrap", "wharfinger.recovery", "alembic.command", "alembic.config")
"""What commands load only when they need it, besides their own modules."""


def run_wharfinger(*words, timeout=60, check=False, feed=None, environment=None, cwd=None):
    """Run a command to its end, with the options of `tests.support.commands.run`; it may fail."""
    words = [str(word) for word in words]
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
        _program().connect() as line,
    ):
        given.write((feed or "").encode())
        given.seek(0)
        order = {"words": words, "environment": clean_environment(environment), "folder": str(cwd or Path.cwd())}
        socket.send_fds(line, [json.dumps(order).encode()], [file.fileno() for file in (given, out, err)])
        number = int(line.recv(_READ))
        line.settimeout(timeout)
        try:
            status = int(line.recv(_READ))
        except TimeoutError:
            os.kill(number, signal.SIGKILL)
            raise
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    finished = Finished(("wharfinger", *words), status, *texts)
    assert finished.status == 0 or not check, str(finished)
    return finished


class _Program:
    """The process that is forked, for as long as this one runs."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="wharfinger-shell-")
        self._place = Path(self._folder.name, "socket")
        self._log = Path(self._folder.name, "log")
        self._process = spawn(sys.executable, "-m", __name__, self._place, log=self._log, cwd=Path.cwd())
        atexit.register(self.close)
        wait_until(self._listens, within=60, why=lambda: f"the program is not loaded:\n{tail(self._log)}")

    @property
    def lives(self):
        return self._process.poll() is None

    def connect(self):
        line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            line.connect(str(self._place))
        except OSError:
            line.close()
            raise
        return line

    def close(self):
        if self.lives:
            self._process.terminate()
            self._process.wait(20)
        self._folder.cleanup()

    def _listens(self):
        assert self.lives, tail(self._log)
        with contextlib.suppress(OSError), self.connect():
            return True
        return False


@functools.cache
def _first():
    return [_Program()]


def _program():
    """Return the process; a new one if the thread has ended that started the last."""
    made = _first()
    if not made[0].lives:
        made[0] = _Program()
    return made[0]


def _serve(place):
    """Load everything, then fork for each who connects."""
    from wharfinger import cli  # noqa: PLC0415 - this half runs in the other process
    from wharfinger.__main__ import main  # noqa: PLC0415 - as above

    for name in (*_LATE, *(f"wharfinger.cli.{one.name}" for one in pkgutil.iter_modules(cli.__path__))):
        import_module(name)

    gc.collect()
    gc.freeze()  # so that forks share what they do not change
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    door.bind(place)
    door.listen(16)
    while True:
        line, _ = door.accept()
        if os.fork() == 0:
            door.close()
            os._exit(_attend(line, main))
        line.close()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _attend(line, main):
    """Have one more fork run the command, and tell its number and then its status."""
    order, files, _, _ = socket.recv_fds(line, _READ, 3)
    if not order:
        return 0
    number = os.fork()
    if number == 0:
        line.close()
        os._exit(_run(main, json.loads(order), files))
    line.send(str(number).encode())
    line.send(str(os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])).encode())
    return 0


def _run(main, order, files):
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for stream, file in enumerate(files):
        os.dup2(file, stream)
        os.close(file)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = ["wharfinger", *order["words"]]
    sys.modules["__main__"].__package__ = ""  # by which the help names the program
    status = 0
    try:
        main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:  # noqa: BLE001 - what the interpreter does in the end
        traceback.print_exc()
        status = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if not stream.closed:
            stream.flush()
    return status


if __name__ == "__main__":
    _serve(sys.argv[1])
