# SPDX-License-Identifier: Apache-2.0
"""`wharfinger search`: what it prints, and the status it ends with."""

import asyncio
import json

import pytest

from tests.support.shell import run_wharfinger
from wharfinger import bootstrap, storage
from wharfinger.domain.identity import SYSTEM_ACTOR
from wharfinger.domain.names import RepositoryName
from wharfinger.metadata import repositories
from wharfinger.settings import load


@pytest.fixture
def search(tmp_path):
    """Search in a registry with two repositories."""
    environment = {"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(tmp_path / "data")}
    asyncio.run(fill(load(None, environment).settings))

    def call(*words):
        return run_wharfinger("search", *words, environment=environment, cwd=tmp_path)

    return call


async def fill(settings):
    storage.migrate(settings)
    deployment = bootstrap.build(settings)

    def work(connection):
        for name, description in (("acme/web", "The shop"), ("acme/api", "Behind the web")):
            now = 1_700_000_000_000_000
            number, _ = repositories.ensure(connection, 1, RepositoryName(name), SYSTEM_ACTOR, now)
            repositories.touch(connection, number, now)
            repositories.change(connection, number, {"description": description})

    try:
        await deployment.database.write(work)
    finally:
        await deployment.aclose()


def test_finds_are_listed_with_the_best_first(search):
    found = search("WEB")
    assert found.status == 0
    assert [line.split()[0] for line in found.output.splitlines()] == ["repository", "acme/web", "acme/api"]


def test_a_program_reads_json(search):
    found = json.loads(search("shop", "--json", "--kind", "repositories").output)
    assert [one["name"] for one in found["repositories"]["items"]] == ["acme/web"]
    assert found["tags"] == {"items": [], "more": False}


def test_more_than_is_shown_is_said(search):
    assert "and more" in search("acme", "--most", "1").output


def test_nothing_ends_with_1_and_says_how_to_look(search):
    found = search("nothing")
    assert found.status == 1
    assert "app:v1" in found.output
