# SPDX-License-Identifier: Apache-2.0
"""The servers that are compared: how each is configured, started on its core, and stopped.

All keep an access log in a file and their data on the same disk; the registries count for Prometheus as well.
"""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench import people
from bench.machine import program
from bench.wire import Address, Connection, WireError, expect

WHARFINGER = "Wharfinger"
ACCOUNTS = "Wharfinger with accounts"
DISTRIBUTION = "docker-registry"
NGINX = "nginx"
_READY_SECONDS = 30.0
_STOP_SECONDS = 15.0
_POLL_SECONDS = 0.002


class NotReady(Exception):
    """A server ended or stayed silent instead of becoming ready."""


class Peer(ABC):
    """A server in a folder of its own.

    Args:
        folder: its configuration, log and data; made by `start`.
        core: the only core that it may use.
    """

    name: str

    def __init__(self, folder: Path, core: int) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.core = core
        self.address: Address = ("127.0.0.1", free_port())
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        if self._process is None:
            message = f"{self.name} is not running"
            raise NotReady(message)
        return self._process.pid

    def start(self) -> float:
        """Start the server and return the seconds until it answered its first request."""
        self.data.mkdir(parents=True, exist_ok=True)
        command = [program("taskset"), "--cpu-list", str(self.core), *self.command()]
        environment = {**os.environ, **self.environment()}
        with (self.folder / "log").open("ab") as log:
            start = time.perf_counter()
            self._process = subprocess.Popen(
                command, env=environment, stdout=log, stderr=log, cwd=self.folder, start_new_session=True
            )
        self._wait_until_ready(self._process)
        return time.perf_counter() - start

    def stop(self) -> None:
        """Ask the server to end; kill its session if it does not."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    @abstractmethod
    def command(self) -> Sequence[str]:
        """Return the command line; write the configuration first if there is one."""

    def environment(self) -> Mapping[str, str]:
        return {}

    def authorization(self, repository: str) -> str | None:  # noqa: ARG002 - for those who ask
        """Return the header that lets a client pull there, or nothing where nobody is asked who they are."""
        return None

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.perf_counter() + _READY_SECONDS
        while time.perf_counter() < deadline:
            if _answers(self.address):
                return
            if process.poll() is not None:
                break
            time.sleep(_POLL_SECONDS)
        self.stop()
        message = f"{self.name} did not become ready; its log ends with:\n{_tail(self.folder / 'log')}"
        raise NotReady(message)


class Wharfinger(Peer):
    """This registry, with SQLite, files, one worker, and metrics on."""

    name = WHARFINGER

    def command(self) -> Sequence[str]:
        return [str(Path(sys.executable).with_name("wharfinger")), "serve"]

    def environment(self) -> Mapping[str, str]:
        return {
            "REGISTRY_HTTP_ADDR": "{}:{}".format(*self.address),
            "REGISTRY_HTTP_WORKERS": "1",
            "REGISTRY_HTTP_DEBUG_ADDR": f"127.0.0.1:{free_port()}",
            "REGISTRY_HTTP_DEBUG_PROMETHEUS_ENABLED": "true",
            "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(self.data),
            "REGISTRY_STORAGE_DELETE_ENABLED": "true",
            "REGISTRY_LOG_LEVEL": "info",
        }


class WharfingerWithAccounts(Wharfinger):
    """The same, and it asks who is there: what is stored is private."""

    name = ACCOUNTS

    def close_to_strangers(self, count: int) -> None:
        """Make that many people, and an administrator, while the server runs; from then on everybody signs in."""
        environment = {**os.environ, **self.environment()}
        subprocess.run([sys.executable, "-m", "bench.people", str(count)], env=environment, check=True)

    def authorization(self, repository: str) -> str:
        """Sign in as Docker does, and return the token it gets."""
        connection = Connection(self.address, authorization=basic(people.ADMINISTRATOR))
        answer = connection.request("GET", f"/token?service=wharfinger/default&scope=repository:{repository}:pull")
        connection.close()
        token: str = json.loads(expect(answer, 200, "a token").body)["token"]
        return f"Bearer {token}"


def basic(name: str) -> str:
    """Return the header that shows a person's password."""
    return f"Basic {base64.b64encode(f'{name}:{people.PASSWORD}'.encode()).decode()}"


class Distribution(Peer):
    """Debian's docker-registry, with files, its cache in memory, and metrics on."""

    name = DISTRIBUTION

    def command(self) -> Sequence[str]:
        config = self.folder / "config.yml"
        config.write_text(self._config(), encoding="utf-8")
        return [program("docker-registry"), "serve", str(config)]

    def _config(self) -> str:
        host, port = self.address
        return f"""\
version: 0.1
log:
  level: info
storage:
  cache:
    blobdescriptor: inmemory
  filesystem:
    rootdirectory: {self.data}
  delete:
    enabled: true
http:
  addr: {host}:{port}
  debug:
    addr: 127.0.0.1:{free_port()}
    prometheus:
      enabled: true
      path: /metrics
"""


class Nginx(Peer):
    """nginx, one worker, sending the same bytes as plain files: what the machine can do at the best."""

    name = NGINX

    def command(self) -> Sequence[str]:
        config = self.folder / "nginx.conf"
        config.write_text(self._config(), encoding="utf-8")
        error_log = str(self.folder / "error.log")
        return [program("nginx"), "-p", str(self.folder), "-c", str(config), "-e", error_log]

    def _config(self) -> str:
        host, port = self.address
        user = "user root;" if os.geteuid() == 0 else ""
        return f"""\
{user} daemon off; worker_processes 1; pid nginx.pid;
events {{ worker_connections 1024; }}
http {{
  access_log access.log; sendfile on; tcp_nopush on;
  default_type application/octet-stream; keepalive_requests 100000000;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {{
    listen {host}:{port} backlog=1024; root {self.data};
    location = /v2/ {{ return 200 "{{}}"; }}
  }}
}}
"""


KINDS: Mapping[str, type[Peer]] = {
    kind.name: kind for kind in (Wharfinger, WharfingerWithAccounts, Distribution, Nginx)
}


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


def _answers(address: Address) -> bool:
    try:
        connection = Connection(address)
    except OSError:
        return False
    try:
        return connection.request("GET", "/v2/").status == 200
    except (OSError, WireError):
        return False
    finally:
        connection.close()


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-2000:]
