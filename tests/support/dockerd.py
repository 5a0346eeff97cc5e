# SPDX-License-Identifier: Apache-2.0
"""A private Docker Engine with a containerd of its own, started by hand: nothing of it touches an installed one.

It has no bridge and writes no firewall rules, so containers run with `--network none`.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from tests.support.commands import run, spawn, tail, wait_until

CONTAINERD_CONFIG = """\
version = 2
root = "{folder}/containerd/root"
state = "{folder}/containerd/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{folder}/containerd.sock"
"""


class DockerEngine:
    """A Docker Engine and its containerd; call it with the words that follow `docker`."""

    def __init__(self):
        assert os.getuid() == 0, "only root can start a Docker Engine: run these tests as root"
        # A short name: the paths of sockets in it must stay below 108 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="wharfinger-docker-"))
        self._log = self.folder / "log"
        self._processes = []
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def __call__(self, *words, **options):
        """Run `docker …` with this engine, and give what it said."""
        return run("docker", *words, environment=self.environment, **options)

    @property
    def environment(self):
        """What a `docker` command needs to find this engine and nobody's credentials."""
        return {
            "DOCKER_HOST": f"unix://{self.folder}/docker.sock",
            "DOCKER_CONFIG": self.folder / "client",
            "DOCKER_BUILDKIT": "0",  # the builder that every engine has
        }

    def containerd(self, *words, **options):
        """Run `ctr …` with the containerd below this engine."""
        return run("ctr", "--address", self.folder / "containerd.sock", "--namespace", "tests", *words, **options)

    def versions(self):
        """What runs: the engine, the command, and containerd."""
        engine, command = self("version", "--format", "{{.Server.Version}} {{.Client.Version}}").stdout.split()
        return {
            "Docker Engine": f"{engine} (command {command})",
            "containerd": self.containerd("version").stdout.rpartition("Version:")[2].split()[0],
        }

    def stop(self):
        """End everything that was started, unmount what it mounted, and remove its data."""
        for process in reversed(self._processes):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(20)
        self._processes.clear()
        for pid in self._left_behind():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self._left_behind(), within=10, why="processes of the engine do not go")
        for place in self._mounted():
            run("umount", "--lazy", place)
        shutil.rmtree(self.folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _start(self):
        (self.folder / "client").mkdir()
        settings = self.folder / "containerd.toml"
        settings.write_text(CONTAINERD_CONFIG.format(folder=self.folder))
        self._spawn("containerd", "--config", settings)
        wait_until(self._containerd_answers, within=30, why=lambda: f"containerd does not start:\n{tail(self._log)}")
        empty = self.folder / "daemon.json"
        empty.write_text("{}")
        self._spawn(
            "dockerd",
            *("--config-file", empty),
            *("--host", f"unix://{self.folder}/docker.sock"),
            *("--containerd", self.folder / "containerd.sock"),
            *("--data-root", self.folder / "data"),
            *("--exec-root", self.folder / "exec"),
            *("--pidfile", self.folder / "docker.pid"),
            *("--bridge", "none", "--iptables=false", "--ip6tables=false"),
        )
        wait_until(self._docker_answers, within=60, why=lambda: f"the engine does not start:\n{tail(self._log)}")

    def _spawn(self, *command):
        self._processes.append(spawn(*command, log=self._log))

    def _containerd_answers(self):
        self._assert_alive()
        return self.containerd("version", check=False).status == 0

    def _docker_answers(self):
        self._assert_alive()
        return self("version", check=False).status == 0

    def _assert_alive(self):
        assert all(process.poll() is None for process in self._processes), f"it ended:\n{tail(self._log)}"

    def _left_behind(self):
        """The processes that carry the name of our folder in their command, such as a container's shim."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if str(self.folder).encode() in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
        return found

    def _mounted(self):
        """What is still mounted below our folder, the innermost first."""
        places = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        return sorted((place for place in places if place.startswith(f"{self.folder}/")), reverse=True)
