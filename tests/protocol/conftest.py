# SPDX-License-Identifier: Apache-2.0
"""The registries that the scenarios speak to, each started once, and the material of one scenario.

```text
registry           deletion on,  one worker,   run once over SQLite and once over PostgreSQL
keeping_registry   deletion off, one worker,   SQLite
lenient_registry   deletion on,  one worker,   SQLite; manifests need not have their layers
two_workers        deletion on,  two workers,  SQLite and PostgreSQL (its URL, so that each request can connect anew)
```
"""

import hashlib

import pytest

from tests.protocol.client import Client
from tests.protocol.content import Material
from tests.support.memory import data_in_memory
from tests.support.server import Servers

DATABASES = ["sqlite", "postgresql"]


@pytest.fixture(scope="session")
def start(tmp_path_factory, postgres):
    """Return a function that starts a registry over one of the two databases."""
    with data_in_memory() as environment:
        servers = Servers(tmp_path_factory.mktemp("protocol"))

        def start_one(database, *, more=None, **options):
            url = postgres.database() if database == "postgresql" else None
            return servers(database=url, environment=environment() | (more or {}), **options)

        yield start_one
        servers.stop()


@pytest.fixture(scope="session", params=DATABASES)
def registry(request, start):
    with Client.of(start(request.param).url) as client:
        yield client


@pytest.fixture(scope="session")
def keeping_registry(start):
    with Client.of(start("sqlite", deletion=False).url) as client:
        yield client


@pytest.fixture(scope="session")
def lenient_registry(start):
    with Client.of(start("sqlite", more={"REGISTRY_VALIDATION_MANIFESTS_LAYERS": "optional"}).url) as client:
        yield client


@pytest.fixture(scope="session", params=DATABASES)
def two_workers(request, start):
    return start(request.param, workers=2).url


@pytest.fixture
def material(request):
    return Material(request.node.nodeid)


@pytest.fixture
def repository(request, registry):
    """Return the scenario's own repository, which does not exist yet."""
    return registry.repository(f"scenario/{_short(request.node.nodeid)}")


@pytest.fixture
def other_repository(request, registry):
    """Return a second repository of the scenario's own, which does not exist yet."""
    return registry.repository(f"other-scenario/{_short(request.node.nodeid)}")


def _short(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]
