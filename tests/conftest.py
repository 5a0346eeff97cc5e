# SPDX-License-Identifier: Apache-2.0
"""What tests of several folders start: servers and a PostgreSQL."""

import os
import signal

import pytest

from tests.support.memory import roomy_memory
from tests.support.postgres import PostgreSQL
from tests.support.server import Servers
from wharfinger.loading import loading

LONG = (
    "tests/clients/",
    "tests/crash/",
    "tests/corpus/",
    "tests/properties/",
    "tests/races/",
    "tests/stories/",
    "tests/protocol/test_workloads.py",
    "tests/management_api/test_management_fuzzing.py",
    "tests/test_cli_recovery.py",
    "tests/test_tls.py",
    "tests/test_server.py",
)
"""Files with minutes of work in few tests, and those who share their servers."""


def pytest_configure():
    """Let a termination end the tests as the keyboard does, and keep what tests write in memory."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if (memory := roomy_memory()) is not None:  # as `--basetemp` does, but each run has a folder of its own
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory))


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Collect the tests without the garbage collector: it would go through all of them again and again, later too."""
    with loading():
        return (yield)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Begin with the files that take long: in the end, no process of the tests is to wait for another one's longest."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


def pytest_addoption(parser):
    parser.addoption("--client-versions", metavar="FILE", help="write the versions of the clients that ran as a table")
    parser.addoption("--pictures", metavar="FOLDER", help="write the pictures of the guide")
    parser.addoption("--fault-table", metavar="FILE", help="write what was answered during each fault as a table")


@pytest.fixture(scope="session")
def postgres():
    """A private PostgreSQL cluster; `postgres.database()` gives the URL of a new database."""
    with PostgreSQL() as cluster:
        yield cluster


@pytest.fixture
def start_server(tmp_path):
    """Start servers with the options of `tests.support.server.Server`; all are stopped in the end, with status 0."""
    servers = Servers(tmp_path)
    yield servers
    servers.stop()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """One open registry over SQLite with deletion switched on, for tests that keep to repositories of their own."""
    servers = Servers(tmp_path_factory.mktemp("shared"))
    yield servers()
    servers.stop()
