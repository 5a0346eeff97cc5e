# SPDX-License-Identifier: Apache-2.0
"""`wharfinger retention` as an operator runs it, beside a running server, and the pulls that it looks at."""

import json
import sqlite3

import pytest

from tests.protocol.client import Client
from tests.protocol.content import Material
from tests.support.commands import wait_until
from tests.support.server import Servers
from tests.support.shell import run_wharfinger

RULE = "releases: v*, !*-rc*: newest 2"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    servers = Servers(tmp_path_factory.mktemp("retention"))
    yield servers(jobs=False)
    servers.stop()


@pytest.fixture
def client(server):
    with Client.of(server.url) as client:
        yield client


@pytest.fixture
def wharfinger(server):
    environment = {**server.environment, "COLUMNS": "200"}

    def call(*words, status=0):
        finished = run_wharfinger("retention", *words, environment=environment)
        assert finished.status == status, str(finished)
        assert "Traceback" not in finished.output
        return [" ".join(line.split()) for line in finished.output.splitlines()]

    return call


def push_versions(repository):
    for tag in ("v1", "v2", "v3", "v4-rc1", "dev"):
        repository.push(Material("retention").image(repository, tag), tag)


def test_a_policy_is_set_looked_at_and_run(client, wharfinger):
    repository = client.repository("solo/app")
    push_versions(repository)
    assert wharfinger("show", "solo/app") == ["there is no policy: everything stays"]
    assert wharfinger("set", "solo/app", "--rule", RULE, "--untagged", "30")[1] == "releases v*, !*-rc* newest 2"
    seen = wharfinger("preview", "solo/app")
    assert seen[1] == "goes v1 releases releases keeps newest 2"
    assert "stays dev - no rule is about it" in seen
    assert seen[-2] == "goes: 1, stays: 4"
    command, mark = seen[-1].rpartition(" ")[::2]
    assert command == "this plan and no other: wharfinger retention run solo/app --expect"
    assert wharfinger("preview", "solo/app", "--rule", RULE)[-1] == "goes: 1, stays: 4", "what is only tried is not run"
    assert "look at a new one" in wharfinger("run", "solo/app", "--expect", "0123456789abcdef", status=1)[0]
    assert wharfinger("run", "solo/app", "--expect", mark) == [
        "removed v1: releases keeps newest 2",
        "removed: 1",
    ]
    assert repository.tags() == ["dev", "v2", "v3", "v4-rc1"]
    assert wharfinger("clear", "solo/app") == ["solo/app has no policy of its own any more"]


def test_a_namespace_has_a_policy_for_all(client, wharfinger):
    repository = client.repository("acme/app")
    push_versions(repository)
    wharfinger("set", "--namespace", "acme", "--rule", "all: *: newest 1")
    assert wharfinger("show", "acme/app")[0] == "the policy of the namespace acme"
    assert len(wharfinger("run", "acme/app")) == 5
    assert repository.tags() == ["dev"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["set", "acme/app"], "say what stays"),
        (["set", "--rule", RULE], "say whose"),
        (["set", "acme/app", "--namespace", "acme", "--rule", RULE], "say whose"),
        (["set", "acme/app", "--rule", "all"], "is no rule"),
        (["set", "acme/app", "--rule", "all: *: oldest 3"], "says not what stays"),
        (["set", "acme/app", "--rule", "all: *: newest -3"], "says not what stays"),
        (["set", "acme/app", "--rule", "all: [: newest 3"], "not a pattern for tags"),
        (["set", "no/such", "--rule", RULE], "no repository"),
        (["preview", "Acme/App"], "lower"),
    ],
)
def test_what_cannot_be_meant_is_said(wharfinger, words, said):
    assert said in " ".join(wharfinger(*words, status=1))


def test_pulls_are_counted_and_looking_is_not(server, client):
    """As clients do it: Docker by tag, containerd by `HEAD` and digest, and a scanner, which is no client."""
    repository = client.repository("pulled/app")
    digest = repository.push(Material("retention").image(repository, "pulled"), "v1")

    def counts():
        connection = sqlite3.connect(server.data / "wharfinger" / "wharfinger.db")
        try:
            return dict(connection.execute("SELECT what, count FROM pulls"))
        finally:
            connection.close()

    repository.manifest("HEAD", "v1")
    repository.manifest("GET", "v1", headers={"User-Agent": "trivy/0.58"})
    etag = {"If-None-Match": json.dumps(str(digest))}
    assert repository.manifest("GET", "v1", headers=etag).status_code == 304
    repository.manifest("GET", digest)
    repository.manifest("GET", "v1")
    wait_until(lambda: counts() == {"": 1, "v1": 1, digest: 1}, within=30, why=lambda: str(counts()))
