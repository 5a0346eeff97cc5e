# SPDX-License-Identifier: Apache-2.0
"""A real `wharfinger serve` on a free port, its data in a folder of its own."""

import contextlib
import os
import signal
import sys
import urllib.error
import urllib.request
from pathlib import Path

from tests.support.commands import free_port, spawn, tail, wait_until

COMMAND = (str(Path(sys.executable).with_name("wharfinger")), "serve")
READY_PATH = "/readyz"
START_WITHIN = 60
STOP_WITHIN = 30


class Server:
    """One registry as a process with all its workers; it can be stopped, killed and started again over its data.

    Args:
        folder: where data, log and configuration live; made if it does not exist.
        database: the URL of a PostgreSQL database; without it SQLite within the data folder.
        workers: how many worker processes answer.
        jobs: whether it runs the background jobs as well.
        deletion: whether content may be deleted; nothing to leave that to the registry.
        config: the text of a `config.yml`, given to the command; variables win over it.
        environment: further variables, such as `{"REGISTRY_LOG_LEVEL": "debug"}`.
    """

    def __init__(self, folder, *, database=None, workers=1, jobs=True, deletion=True, config=None, environment=None):
        self.folder = Path(folder)
        self.data = self.folder / "data"
        self.log_path = self.folder / "server.log"
        self.port = free_port()
        self.process = None
        self._temporary = self.folder / "temporary"
        self._words = () if jobs else ("--no-work",)
        self._config = config
        self.environment = {
            "REGISTRY_HTTP_ADDR": f"127.0.0.1:{self.port}",
            "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(self.data),
            **({} if deletion is None else {"REGISTRY_STORAGE_DELETE_ENABLED": "true" if deletion else "false"}),
            "REGISTRY_HTTP_WORKERS": str(workers),
            "TMPDIR": str(self._temporary),
            **({"REGISTRY_DATABASE_URL": database} if database else {}),
            **(environment or {}),
        }

    @property
    def host(self):
        """`127.0.0.1:PORT`, as in the name of an image."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self):
        return f"http://{self.host}"

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    def start(self):
        """Start the processes and return once the registry says that it is ready."""
        self._temporary.mkdir(parents=True, exist_ok=True)
        command = [*COMMAND, *self._words]
        if self._config is not None:
            path = self.folder / "config.yml"
            path.write_text(self._config)
            command.append(str(path))
        self.process = spawn(*command, log=self.log_path, environment=self.environment, cwd=self.folder)
        try:
            wait_until(self.is_ready, within=START_WITHIN, why=lambda: f"not ready:\n{tail(self.log_path)}")
        except BaseException:
            self.kill()
            raise
        return self

    def terminate(self):
        """Ask for an orderly end, as `docker stop` does, and do not wait for it."""
        self.process.send_signal(signal.SIGTERM)

    def wait_for_end(self, within=STOP_WITHIN):
        """Wait for the end that was asked for, and hold it against what is promised: status 0, nobody left behind."""
        try:
            wait_until(self._has_ended, within=within, why=lambda: f"still running:\n{tail(self.log_path)}")
            wait_until(self._is_empty, within=30, why=lambda: f"processes were left behind:\n{tail(self.log_path)}")
        except BaseException:
            self.kill()
            raise
        assert self.process.returncode == 0, f"exit status {self.process.returncode}:\n{tail(self.log_path)}"
        self.process = None

    def stop(self, within=STOP_WITHIN):
        """End in good order, and check that it was one."""
        if self.process is None:
            return
        assert self.process.poll() is None, f"died with status {self.process.poll()}:\n{tail(self.log_path)}"
        self.terminate()
        self.wait_for_end(within)

    def kill(self):
        """End at once, all workers with it, as a power cut would."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)
        wait_until(self._is_empty, within=30, why="killed processes that do not go")
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        else:
            self.kill()

    def is_ready(self):
        """Ask whether the registry is ready, once."""
        assert self.process.poll() is None, f"ended with status {self.process.poll()}:\n{tail(self.log_path)}"
        try:
            with urllib.request.urlopen(self.url + READY_PATH, timeout=10) as answer:
                return answer.status == 200
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def _has_ended(self):
        return self.process.poll() is not None

    def _is_empty(self):
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return True
        return False


class Servers:
    """Starts servers below one folder, and stops all that still run.

    Args:
        folder: each server gets a folder of its own in it.
    """

    def __init__(self, folder):
        self._folder = Path(folder)
        self._started = []

    def __call__(self, **options):
        """Start one more server with the options of `Server`."""
        server = Server(self._folder / f"server-{len(self._started)}", **options)
        self._started.append(server)
        return server.start()

    def stop(self):
        """Stop every server in good order; each is given its chance before the first complaint is raised."""
        complaints = []
        for server in self._started:
            try:
                server.stop()
            except AssertionError as complaint:
                server.kill()
                complaints.append(complaint)
        if complaints:
            raise complaints[0]
