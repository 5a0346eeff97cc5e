# SPDX-License-Identifier: Apache-2.0
"""A private PostgreSQL: its own cluster in a temporary folder, durable enough for a test and no more."""

import contextlib
import itertools
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg

from tests.support.commands import free_port, spawn, tail, wait_until
from tests.support.memory import roomy_memory

INSTALLED = Path("/usr/lib/postgresql")
OWNER = "wharfinger"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
}


class PostgreSQL:
    """One cluster, started at once; `database()` gives the URL of a new, empty database in it.

    Args:
        settings: further ones, such as `{"fsync": "on"}`.
    """

    def __init__(self, settings=None):
        self._settings = SETTINGS | (settings or {})
        self.port = free_port()
        # A new database is a thousand files: on a disk they take longer than the test that wants them.
        durable = self._settings["fsync"] == "on"
        self.folder = Path(tempfile.mkdtemp(prefix="wharfinger-postgresql-", dir=None if durable else roomy_memory()))
        self._log = self.folder / "log"
        self._numbers = itertools.count(1)
        self._process = None
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def url(self, name="postgres"):
        return f"postgresql://{OWNER}@127.0.0.1:{self.port}/{name}"

    def database(self, template="template1"):
        """Make a database, empty or a copy of another one that nobody is connected to, and return its URL."""
        name = f"test_{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template.rpartition('/')[2]}")
        return self.url(name)

    def drop(self, url):
        """Remove a database, whoever is still connected to it."""
        self._execute(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]} WITH (FORCE)")

    def stop(self):
        """End the server and remove all its data."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGQUIT)
                self._process.wait(20)
            self._process = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def pause(self):
        """End the server and keep its data."""
        self._end(signal.SIGINT)

    def crash(self):
        """End the server as `pg_ctl stop -m immediate` does: nothing is finished, and its log is read at the start."""
        self._end(signal.SIGQUIT)

    def recover(self):
        """Start the server again over its data, if it is not running."""
        if self._process is None:
            self._run()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _start(self):
        data = self.folder / "data"
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        make = ["--pgdata", data, "--username", OWNER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8"]
        self._spawn("initdb", *make, "--no-sync").wait(60)
        self._run()

    def _run(self):
        settings = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        words = ("-D", self.folder / "data", "-p", self.port, "-k", self.folder, *settings)
        self._process = self._spawn("postgres", *words)
        wait_until(self._is_ready, within=30, why=lambda: f"PostgreSQL does not start:\n{tail(self._log)}")

    def _end(self, number):
        self._process.send_signal(number)
        self._process.wait(20)
        self._process = None

    def _spawn(self, program, *arguments):
        """Start one of PostgreSQL's programs, as the user that it insists on when we are root."""
        unprivileged = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
        return spawn(find_program(program), *arguments, log=self._log, cwd=self.folder, **unprivileged)

    def _is_ready(self):
        assert self._process.poll() is None, f"PostgreSQL ended:\n{tail(self._log)}"
        with contextlib.suppress(psycopg.OperationalError):
            self._execute("SELECT 1")
            return True
        return False

    def _execute(self, statement):
        with psycopg.connect(self.url(), autocommit=True, connect_timeout=5) as connection:
            connection.execute(statement)


def find_program(name):
    """The newest installed one of PostgreSQL's own programs, which Debian keeps off the path."""
    versions = sorted(INSTALLED.glob(f"*/bin/{name}"), key=lambda path: int(re.sub(r"\D", "", path.parts[4])))
    found = str(versions[-1]) if versions else shutil.which(name)
    assert found, f"{name} is not installed: tools/prepare says how to get it"
    return found
