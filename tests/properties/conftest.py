# SPDX-License-Identifier: Apache-2.0
"""How much Hypothesis tries, where it remembers what failed (never in the tree), and the registries that it drives."""

import functools
import os
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

from tests.support.memory import data_in_memory
from tests.support.server import Servers

_cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
set_hypothesis_home_dir(_cache / "wharfinger" / "hypothesis")
settings.register_profile("wharfinger", deadline=timedelta(seconds=20), print_blob=True)
settings.load_profile("wharfinger")


@pytest.fixture(scope="session")
def server_over(postgres, tmp_path_factory):
    """Return a function that gives a registry with two workers over one of the two databases."""
    with data_in_memory() as environment:
        servers = Servers(tmp_path_factory.mktemp("properties"))

        @functools.cache
        def start(database):
            url = postgres.database() if database == "postgresql" else None
            settings = {"REGISTRY_COLLECTION_ENABLED": "false"}  # walks say when it happens
            return servers(database=url, workers=2, environment=environment() | settings)

        yield start
        servers.stop()


@pytest.fixture(scope="session")
def url_over(server_over):
    """Return a function that gives the URL of that registry."""
    return lambda database: server_over(database).url
