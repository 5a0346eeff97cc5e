# SPDX-License-Identifier: Apache-2.0
"""A registry by its host, with the clients that people have, and names that come from a hosts file."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.support import images
from tests.support.commands import clean_environment
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
    hosts = tmp_path / "hosts"
    hosts.write_text(f"127.0.0.1 localhost {TEAM} registry.test nobody.registry.test\n")
    script = 'mount --bind "$0" /etc/hosts && exec "$@"'

    def run(*words, ok=True):
        outer = ["unshare", "--mount", "sh", "-c", script, str(hosts), *map(str, words)]
        done = subprocess.run(outer, capture_output=True, text=True, check=False, timeout=120)
        assert (done.returncode == 0) is ok, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


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
