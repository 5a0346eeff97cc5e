# SPDX-License-Identifier: Apache-2.0
"""A registry by its host, with the clients that people have, and names that come from a hosts file."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.support import images
from tests.support.commands import clean_environment
from tests.support.hosts import HostsFile, known_here
from tests.support.server import COMMAND, Server

TEAM = "team.registry.test"
DATABASES = ["sqlite", "postgresql"]


@pytest.fixture(params=DATABASES)
def server(request, tmp_path, postgres):
    """A server with two workers and a registry `team`, under hosts that only the tests' own hosts file knows."""
    storages = {"REGISTRY_STORAGES_0_NAME": "team", "REGISTRY_STORAGES_0_ROOTDIRECTORY": str(tmp_path / "team")}
    domain = {"REGISTRY_REGISTRIES_PUBLICDOMAIN": "registry.test"}
    url = postgres.database() if request.param == "postgresql" else None
    secret = {"REGISTRY_HTTP_SECRET": "s" * 40}
    with Server(tmp_path / "server", database=url, workers=2, environment=storages | domain | secret) as one:
        command(one, "registry", "create", "team", "--storage", "team")
        yield one


@pytest.fixture
def at_hosts(tmp_path):
    """Return a function that runs a command as on a machine with this line in its hosts file."""
    return HostsFile(tmp_path, TEAM, "registry.test", "nobody.registry.test").run


def command(server, *words):
    environment = {**clean_environment(), **server.environment}
    done = subprocess.run(
        [COMMAND[0], *words], capture_output=True, text=True, check=False, timeout=120, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_skopeo_and_podman_meet_the_registry_of_the_host_and_no_other(server, at_hosts, tmp_path):
    layout = images.write_layout(tmp_path / "layout", {"v1": images.busybox("of the team", says="team")})
    team, default = f"{TEAM}:{server.port}/acme/app:v1", f"registry.test:{server.port}/acme/app:v1"
    at_hosts("skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false", f"oci:{layout}:v1", f"docker://{team}")
    assert '"v1"' in at_hosts("skopeo", "list-tags", "--tls-verify=false", f"docker://{team.rpartition(':')[0]}")
    refused = at_hosts("skopeo", "inspect", "--tls-verify=false", f"docker://{default}", ok=False)
    assert "name unknown" in refused
    nobody = f"docker://nobody.registry.test:{server.port}/acme/app:v1"
    assert "404" in at_hosts("skopeo", "inspect", "--tls-verify=false", nobody, ok=False)

    folder = Path(tempfile.mkdtemp(prefix="whf-"))  # podman takes no longer path
    place = ("--root", folder / "root", "--runroot", folder / "run", "--storage-driver", "vfs")
    try:
        at_hosts("podman", *place, "pull", "--tls-verify=false", team)
    finally:
        shutil.rmtree(folder)

    assert "its storage is free" in command(server, "registry", "delete", "team", "--yes")
    command(server, "registry", "create", "again", "--storage", "team")
    assert "1 tags" in command(server, "registry", "delete", "again", "--yes")


def test_docker_meets_the_registry_of_the_host_and_no_other(server, docker, tmp_path):
    team, default = f"{TEAM}:{server.port}/acme/docker:v1", f"registry.test:{server.port}/acme/docker:v1"
    archive = images.write_docker_archive(tmp_path / "a.tar", {team: images.busybox("docker by host", says="team")})
    with known_here(TEAM, "registry.test"):
        docker("load", "--input", archive)
        docker("push", team)
        docker("rmi", team)
        docker("pull", team)
        assert docker("run", "--rm", "--network", "none", team).stdout.strip() == "team"
        refused = docker("pull", default, check=False)
    assert refused.status != 0
    assert "not found" in refused.output or "name unknown" in refused.output, str(refused)
