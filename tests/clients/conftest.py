# SPDX-License-Identifier: Apache-2.0
"""Every client once per session, each with storage of its own, and the table of the versions that ran."""

import importlib.metadata
import re
from pathlib import Path

import pytest

from tests.clients.programs import Podman, Program, Repository, Store
from tests.support.dockerd import DockerEngine
from tests.support.nginx import Nginx

VERSIONS = pytest.StashKey[dict[str, str]]()

HEAD = (
    "# Clients that the tests run",
    "",
    "Each pushes to and pulls from a running server in the tests. `make clients` wrote this page.",
    "",
    "| client | version |",
    "| --- | --- |",
)


def pytest_configure(config):
    config.stash[VERSIONS] = {}


def pytest_sessionfinish(session):
    """Write down which versions ran, where that was asked for and all went well."""
    path, versions = session.config.getoption("--client-versions"), session.config.stash[VERSIONS]
    if path and versions and not session.testsfailed:
        rows = [
            f"| {client} | {version} |" for client, version in sorted(versions.items(), key=lambda row: row[0].lower())
        ]
        Path(path).write_text("\n".join([*HEAD, *rows, ""]))


@pytest.fixture(scope="session")
def ran(request):
    """Note the version of a client that the tests run."""
    return request.config.stash[VERSIONS].update


@pytest.fixture(scope="session")
def docker(ran):
    """A private Docker Engine; call it with the words that follow `docker`."""
    with DockerEngine() as engine:
        ran(engine.versions())
        yield engine


@pytest.fixture(scope="session")
def podman(ran):
    program = Podman()
    ran({"podman": program.version()})
    yield program
    program.close()


@pytest.fixture(scope="session")
def buildah(ran):
    program = Store("buildah")
    ran({"buildah": program.version()})
    yield program
    program.close()


@pytest.fixture(scope="session")
def skopeo(ran):
    program = Program("skopeo", "--insecure-policy")
    ran({"skopeo": program.version()})
    return program


@pytest.fixture(scope="session")
def umoci(ran):
    program = Program("umoci")
    ran({"umoci": program.version()})
    return program


@pytest.fixture(scope="session")
def curl(ran):
    program = Program("curl", "--silent", "--show-error", "--max-time", "20")
    ran({"curl": program.version()})
    return program


@pytest.fixture(scope="session")
def nginx(ran, server):
    """nginx in front of the shared registry."""
    with Nginx(server.url) as front:
        ran({"nginx, in front": front.version()})
        yield front


@pytest.fixture(scope="session")
def oras_version(ran):
    version = importlib.metadata.version("oras")
    ran({"oras (Python)": version})
    return version


@pytest.fixture
def name(request):
    """A repository name that no other test has, also the seed of its content."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower()).strip("-")
    return f"clients/{words[:80].strip('-')}"


@pytest.fixture
def repository(server, name):
    """The test's own repository in the shared registry, asked by plain requests."""
    repository = Repository(server.url, name)
    yield repository
    repository.close()


@pytest.fixture
def place(server, name):
    """`HOST:PORT/NAME` of the test's own repository, as clients write it."""
    return f"{server.host}/{name}"
