# SPDX-License-Identifier: Apache-2.0
"""What clients say to an immutable tag, and whether they pull what was brought back."""

import pytest

from tests.clients.test_client_docker import load
from tests.support import images
from tests.support.commands import run
from tests.support.server import COMMAND

__all__ = ["load"]

PLAIN = "--tls-verify=false"
RUN = ("run", "--rm", "--network", "none")


@pytest.fixture
def wharfinger(server, tmp_path):
    """Run a command beside the shared registry, as its operator does."""

    def call(*words):
        return run(COMMAND[0], *words, environment=server.environment, cwd=tmp_path, timeout=60).stdout

    return call


def test_docker_says_why_it_may_not_push_over_an_immutable_tag(docker, load, place, name, repository, wharfinger):
    reference = load(images.image(f"{name}-1"), f"{place}:v1")
    docker("push", reference)
    first = repository.digest("v1")
    wharfinger("repository", "set", name, "--immutable", "v*")
    docker("push", reference)
    docker("tag", load(images.image(f"{name}-2"), f"{place}:other"), reference)

    refusal = docker("push", reference, check=False)

    assert refusal.status != 0
    assert "denied: The tag 'v1' is immutable in this repository (rule 'v*')" in refusal.output
    assert "push other content under a new tag" in refusal.output
    assert repository.digest("v1") == first
    docker("push", f"{place}:other")
    assert repository.tags() == ["other", "v1"]


def test_skopeo_says_why_it_may_not_push_over_or_delete_an_immutable_tag(place, name, repository, skopeo, wharfinger):
    digest = repository.push(images.image(f"{name}-1"), "v1")
    repository.push(images.image(f"{name}-2"), "other")
    wharfinger("repository", "set", name, "--immutable", "v*")

    copy = skopeo(
        "copy", "--src-tls-verify=false", "--dest-tls-verify=false", f"docker://{place}:other", f"docker://{place}:v1",
        check=False,
    )  # fmt: skip
    deletion = skopeo("delete", PLAIN, f"docker://{place}:v1", check=False)

    for refusal in (copy, deletion):
        assert refusal.status != 0
        assert "'v1' is immutable" in refusal.output
    assert repository.digest("v1") == digest


def test_image_that_skopeo_deleted_is_restored_and_docker_runs_it(docker, load, place, name, skopeo, wharfinger):
    reference = load(images.busybox(name, says="back again"), f"{place}:v1")
    docker("push", reference)
    docker("rmi", reference)
    skopeo("delete", PLAIN, f"docker://{place}:v1")
    gone = docker("pull", reference, check=False)
    assert gone.status != 0

    said = wharfinger("tag", "restore", f"{name}:v1")

    digest = said.split()[-1]
    assert said == f"{name}:v1 names {digest}\n"
    assert f"Digest: {digest}" in docker("pull", reference).stdout
    assert docker(*RUN, reference).stdout == "back again\n"


def test_repository_is_deleted_and_restored_and_docker_runs_what_was_in_it(
    docker, load, place, name, repository, wharfinger
):
    reference = load(images.busybox(name, says="all of it"), f"{place}:v1")
    docker("push", reference)
    docker("rmi", reference)

    wharfinger("repository", "delete", name, "--yes")
    assert docker("pull", reference, check=False).status != 0
    wharfinger("repository", "restore", name)

    docker("pull", reference)
    assert docker(*RUN, reference).stdout == "all of it\n"
    assert repository.tags() == ["v1"]
