# SPDX-License-Identifier: Apache-2.0
"""History, trash, restoring and immutable tags as an operator uses them beside a running registry."""

import pytest

from tests.protocol.client import Client, refused
from tests.protocol.content import Material
from tests.support.server import Server
from tests.support.shell import run_wharfinger

NAME = "acme/app"


@pytest.fixture
def server(tmp_path):
    with Server(tmp_path / "registry") as running:
        yield running


@pytest.fixture
def client(server):
    with Client.of(server.url) as found:
        yield found


@pytest.fixture
def repository(client):
    return client.repository(NAME)


@pytest.fixture
def images(repository, request):
    """Push two images under one tag, one after the other; return their manifests' digests."""
    material = Material(request.node.nodeid)
    return [repository.push(material.image(repository, label), "v1") for label in ("one", "two")]


@pytest.fixture
def wharfinger(server, tmp_path):
    """Run a command to its end."""

    def call(*words):
        environment = {**server.environment, "COLUMNS": "250"}
        return run_wharfinger(*words, environment=environment, cwd=tmp_path, timeout=60)

    return call


@pytest.fixture
def done(wharfinger):
    """Run a command that succeeds and return what it prints, as words of lines."""

    def call(*words):
        finished = wharfinger(*words)
        assert finished.status == 0, str(finished)
        return [line.split() for line in finished.stdout.splitlines()]

    return call


@pytest.fixture
def fails(wharfinger):
    """Run a command that is refused and return the sentence that says why."""

    def call(*words):
        finished = wharfinger(*words)
        assert finished.status == 1, str(finished)
        assert "Traceback" not in finished.output
        return finished.stderr

    return call


def test_a_tag_is_looked_back_at_and_brought_back_while_the_registry_runs(repository, images, done, fails):
    one, two = images
    rows = done("tag", "history", f"{NAME}:v1")
    assert [row[1:5] for row in rows[1:]] == [["v1", one, two, "anonymous"], ["v1", "-", one, "anonymous"]]
    moved_at = rows[2][0]
    assert done("tag", "show", f"{NAME}:v1")[0] == ["digest", two]
    assert done("tag", "history", NAME, "--most", "1") == rows[:2]
    assert "was no tag 'v1'" in fails("tag", "show", f"{NAME}:v1", "--at", "2020-01-01T00:00:00Z")
    assert "is not a time" in fails("tag", "show", f"{NAME}:v1", "--at", "yesterday")
    assert "name a tag" in fails("tag", "show", NAME)

    assert done("tag", "restore", f"{NAME}:v1") == [[f"{NAME}:v1", "names", one]]
    assert repository.manifest("HEAD", "v1").headers["Docker-Content-Digest"] == one
    assert done("tag", "restore", f"{NAME}:v1", "--to", two) == [[f"{NAME}:v1", "names", two]]
    assert repository.manifest("DELETE", two).status_code == 202
    assert repository.manifest("GET", "v1").status_code == 404
    assert done("tag", "restore", f"{NAME}:v1") == [[f"{NAME}:v1", "names", two]]
    assert repository.manifest("HEAD", "v1").headers["Docker-Content-Digest"] == two
    assert "(shell)" in " ".join(done("tag", "history", f"{NAME}:v1")[1])
    assert "restored" in done("tag", "history", f"{NAME}:v1")[1]
    assert "never named" in fails("tag", "restore", f"{NAME}:v1", "--to", "sha256:" + "0" * 64)
    assert "not both" in fails("tag", "restore", f"{NAME}:v1", "--to", two, "--at", moved_at)
    assert done("tag", "restore", f"{NAME}:v1", "--at", "2999-01-01T00:00:00") == [[f"{NAME}:v1", "names", two]]


def test_what_was_deleted_is_listed_restored_and_purged(repository, images, done, fails):
    one, two = images
    layer = repository.manifest("GET", one).json()["layers"][0]["digest"]
    assert repository.manifest("DELETE", one).status_code == 202
    assert repository.blob("DELETE", layer).status_code == 202
    assert repository.manifest("DELETE", two).status_code == 202
    assert sorted(row[:2] for row in done("trash", "list")[1:]) == [
        ["blob", f"{NAME}@{layer}"],
        *sorted(["manifest", f"{NAME}@{digest}"] for digest in images),
        ["tag", f"{NAME}:v1"],
    ]
    assert len(done("trash", "list", NAME, "--most", "2")) == 3
    assert done("trash", "restore", f"{NAME}@{two}") == [
        ["the", "manifest", f"{NAME}@{two}", "is", "back", "with", "v1"]
    ]
    assert repository.tags() == ["v1"]
    assert done("trash", "restore", f"{NAME}@{layer}") == [["the", "blob", f"{NAME}@{layer}", "is", "back"]]
    assert repository.blob("HEAD", layer).status_code == 200
    assert "Neither" in fails("trash", "restore", f"{NAME}@{two}")
    assert "no terminal" in fails("trash", "purge", f"{NAME}@{one}")
    done("trash", "purge", f"{NAME}@{one}", "--yes")
    assert "has ended" in fails("trash", "restore", f"{NAME}@{one}")
    assert "never was" in fails("trash", "restore", f"{NAME}:v2")
    assert len(done("trash", "list")) == 1


def test_a_repository_goes_and_comes_back_under_its_name_or_another(client, repository, images, done, fails):
    assert "no terminal" in fails("repository", "delete", NAME)
    done("repository", "delete", NAME, "--yes")
    refused(repository.manifest("GET", "v1"), 404, "NAME_UNKNOWN")
    refused(repository.request("GET", "tags/list"), 404, "NAME_UNKNOWN")
    row = done("trash", "list")[1]
    assert row[:2] == ["repository", NAME]
    assert done("repository", "restore", NAME, "--number", row[-1]) == [["the", "repository", NAME, "is", "back"]]
    assert repository.tags() == ["v1"]
    done("repository", "delete", NAME, "--yes")
    repository.push_blob(b"new")
    assert "under another name" in fails("repository", "restore", NAME)
    done("repository", "restore", NAME, "--as", "acme/old")
    assert client.repository("acme/old").manifest("HEAD", "v1").headers["Docker-Content-Digest"] == images[1]
    assert "no repository" in fails("repository", "restore", NAME)


def test_tags_become_immutable_for_the_running_registry(repository, images, done, fails, request):
    other = Material(request.node.nodeid).image(repository, "three")
    assert ["immutable", "v*,", "!v*-rc*"] in done("repository", "set", NAME, "--immutable", "v*, !v*-rc*")
    answer = repository.put("v1", other)
    assert "'v1' is immutable" in refused(answer, 403, "DENIED")
    assert answer.json()["errors"][0]["detail"] == {"tag": "v1", "digest": images[1], "rule": "v*"}
    refused(repository.put("v2", other, params={"tag": ["v1"]}), 403, "DENIED")
    refused(repository.put("v1", other, headers={"If-Match": f'"{images[0]}"'}), 412, "DENIED")
    refused(repository.put("v1", other, headers={"If-Match": f'"{images[1]}"'}), 403, "DENIED")
    for reference in ("v1", images[1]):
        refused(repository.manifest("DELETE", reference), 403, "DENIED")
    assert repository.tags() == ["v1"]
    assert repository.put("v1-rc1", other).status_code == 201
    assert repository.put("v1", repository.manifest("GET", "v1").json()).status_code == 201
    assert "immutable" in fails("tag", "restore", f"{NAME}:v1")
    assert any("deleted" in line for line in done("repository", "set", NAME, "--immutable-deletable"))
    assert repository.manifest("DELETE", "v1").status_code == 202
    assert "is not a pattern" in fails("repository", "set", NAME, "--immutable", "v[1]")
    done("repository", "set", NAME, "--immutable", "none")
    assert repository.put("v1-rc1", repository.manifest("GET", images[0]).json()).status_code == 201


def test_tags_are_deleted_together_and_come_back_one_by_one(wharfinger, done, repository):
    for tag in ("v1", "v2"):
        repository.push(Material(tag).image(repository), tag)
    refusal = wharfinger("tag", "delete", f"{NAME}:v1", f"{NAME}:v9", "--yes")
    assert refusal.status == 1
    assert "no tag 'v9'" in refusal.stderr
    assert repository.tags() == ["v1", "v2"]
    done("tag", "delete", f"{NAME}:v1", f"{NAME}:v2", "--yes")
    assert repository.tags() == []
    done("tag", "restore", f"{NAME}:v1")
    assert repository.tags() == ["v1"]
    assert "one repository at a time" in wharfinger("tag", "delete", "a:1", "b:1", "--yes").stderr
    assert wharfinger("tag", "delete", f"{NAME}:v1").status == 1
    assert repository.tags() == ["v1"]
