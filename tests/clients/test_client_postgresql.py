# SPDX-License-Identifier: Apache-2.0
"""A smoke run over PostgreSQL with two workers: what one of them took, the other one gives."""

import json

import pytest

from tests.clients.programs import Repository
from tests.support import images
from tests.support.images import Blob
from tests.support.server import Servers

PLAIN = "--tls-verify=false"


@pytest.fixture(scope="module")
def server(postgres, tmp_path_factory):
    """A registry over PostgreSQL with two workers."""
    servers = Servers(tmp_path_factory.mktemp("postgresql"))
    yield servers(database=postgres.database(), workers=2)
    servers.stop()


def test_docker_pushes_pulls_and_runs(docker, place, name, tmp_path):
    archive = images.write_docker_archive(tmp_path / "a.tar", {f"{place}:v1": images.busybox(name, says="two workers")})
    docker("load", "--input", archive)
    docker("push", f"{place}:v1")
    docker("tag", f"{place}:v1", f"{place}/copy:v1")

    again = docker("push", f"{place}/copy:v1").stdout
    docker("rmi", f"{place}:v1", f"{place}/copy:v1")
    docker("pull", f"{place}/copy:v1")

    assert "Pushed" not in again
    assert docker("run", "--rm", "--network", "none", f"{place}/copy:v1").stdout == "two workers\n"


def test_skopeo_copies_lists_and_deletes(skopeo, place, name, repository):
    index = images.platforms(name)
    repository.push(index, "multi")

    skopeo("copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false", *_from_to(place))
    skopeo("delete", PLAIN, f"docker://{place}:multi")

    assert json.loads(skopeo("list-tags", PLAIN, f"docker://{place}/copy").stdout)["Tags"] == ["multi"]
    assert skopeo("inspect", "--raw", PLAIN, f"docker://{place}/copy:multi").stdout.encode() == index.manifest.content
    assert repository.tags() == []


def test_podman_pulls_what_was_pushed_by_hand(podman, place, name, repository):
    repository.push(images.busybox(name, says="by hand"), "v1")

    podman("pull", PLAIN, f"{place}:v1")

    assert podman.output_of(f"{place}:v1") == "by hand\n"


def test_upload_in_many_chunks_on_many_connections_is_one_blob(server, repository, name):
    blob = Blob(images.noise(name, 2_000_000), "application/octet-stream")
    location = repository.start_upload()

    for start in range(0, len(blob.content), 100_000):
        chunk = Repository(server.url, name)
        location = chunk.append(location, blob.content[start : start + 100_000], start)
        chunk.close()
    repository.finish(location, blob.digest)

    assert repository.get(f"blobs/{blob.digest}").content == blob.content


def _from_to(place):
    return f"docker://{place}:multi", f"docker://{place}/copy:multi"
