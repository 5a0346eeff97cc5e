# SPDX-License-Identifier: Apache-2.0
"""Docker Engine: what people do with it by hand, and what it says while it does it."""

import re

import pytest

from tests.support import images
from tests.support.images import OTHER_MACHINE

RUN = ("run", "--rm", "--network", "none")


@pytest.fixture
def load(docker, tmp_path):
    """Bring an image into the engine under a reference, and give the reference."""

    def load(image, reference):
        archive = images.write_docker_archive(tmp_path / "image.tar", {reference: image})
        docker("load", "--input", archive)
        archive.unlink()
        return reference

    return load


def states(output):
    """What a push says at last of each layer, without the layer's name."""
    said = re.findall(r"^[0-9a-f]{12}: (.*)$", output, re.MULTILINE)
    return [state for state in said if state not in {"Preparing", "Waiting"}]


def pushed_digest(output):
    return re.search(r"digest: (sha256:[0-9a-f]{64}) size: \d+", output)[1]


def test_image_pushed_removed_and_pulled_back_runs(docker, load, place, name, repository):
    reference = load(images.busybox(name, says="hello from the registry"), f"{place}:v1")

    pushed = docker("push", reference).stdout
    assert states(pushed) == ["Pushed", "Pushed"]
    docker("rmi", reference)
    pulled = docker("pull", reference).stdout

    assert pulled.count("Pull complete") == 2
    assert f"Digest: {pushed_digest(pushed)}" in pulled
    assert docker(*RUN, reference).stdout == "hello from the registry\n"
    assert repository.digest("v1") == pushed_digest(pushed)


def test_second_tag_of_an_image_uploads_nothing(docker, load, place, name, repository):
    first = load(images.image(name), f"{place}:v1")
    docker("push", first)
    docker("tag", first, f"{place}:v2")

    again = docker("push", f"{place}:v2").stdout

    assert states(again) == ["Layer already exists"]
    assert repository.tags() == ["v1", "v2"]
    assert repository.digest("v1") == repository.digest("v2")


def test_push_of_all_tags_pushes_each(docker, load, place, name, repository):
    for tag in ("one", "three", "two"):
        load(images.image(f"{name}-{tag}"), f"{place}:{tag}")

    docker("push", "--all-tags", place)

    assert repository.tags() == ["one", "three", "two"]
    assert len({repository.digest(tag) for tag in repository.tags()}) == 3


def test_layers_that_another_repository_has_are_not_uploaded(docker, load, place, name):
    first = load(images.image(name), f"{place}:v1")
    docker("push", first)
    docker("tag", first, f"{place}/elsewhere:v1")

    (state,) = states(docker("push", f"{place}/elsewhere:v1").stdout)

    assert re.fullmatch(r"Layer already exists|Mounted from .+", state)
    docker("rmi", first, f"{place}/elsewhere:v1")
    docker("pull", f"{place}/elsewhere:v1")


def test_layers_of_an_engine_that_never_pushed_them_are_not_uploaded(docker, place, name, repository):
    image = images.image(name, docker=True)
    repository.push(image, "by-somebody-else")
    docker("pull", f"{place}:by-somebody-else")
    docker("tag", f"{place}:by-somebody-else", f"{place}:ours")

    assert states(docker("push", f"{place}:ours").stdout) == ["Layer already exists"]


def test_image_is_pulled_by_its_digest(docker, load, place, name):
    reference = load(images.busybox(name, says="by digest"), f"{place}:v1")
    digest = pushed_digest(docker("push", reference).stdout)
    docker("rmi", reference)

    docker("pull", f"{place}@{digest}")

    assert docker(*RUN, f"{place}@{digest}").stdout == "by digest\n"


def test_moved_tag_brings_the_new_image(docker, load, place, name):
    for says in ("old", "new"):
        docker("push", load(images.busybox(f"{name}-{says}", says=says), f"{place}:latest"))
    docker("rmi", f"{place}:latest")

    docker("pull", f"{place}:latest")

    assert docker(*RUN, f"{place}:latest").stdout == "new\n"


def test_layers_stay_when_the_manifest_is_deleted(docker, load, place, name, repository):
    reference = load(images.image(name), f"{place}:v1")
    digest = pushed_digest(docker("push", reference).stdout)
    assert repository.delete(f"manifests/{digest}").status_code == 202
    assert "not found" in docker("pull", reference, check=False).stderr

    again = docker("push", reference).stdout

    assert states(again) == ["Layer already exists"]
    assert repository.digest("v1") == digest


def test_layer_deleted_by_hand_is_uploaded_again(docker, load, place, name, repository):
    reference = load(images.busybox(name, says="twice"), f"{place}:v1")
    digest = pushed_digest(docker("push", reference).stdout)
    layers = [layer["digest"] for layer in repository.manifest(digest)["layers"]]
    assert repository.delete(f"manifests/{digest}").status_code == 202
    assert repository.delete(f"blobs/{layers[1]}").status_code == 202
    assert [repository.has_blob(layer) for layer in layers] == [True, False]

    again = docker("push", reference).stdout

    assert sorted(states(again)) == ["Layer already exists", "Pushed"]
    docker("rmi", reference)
    docker("pull", reference)
    assert docker(*RUN, reference).stdout == "twice\n"


@pytest.mark.parametrize("docker_types", [False, True], ids=["index", "manifest-list"])
def test_image_for_this_machine_is_chosen_from_several(docker, place, name, repository, docker_types):
    index = images.platforms(name, docker=docker_types, says="this machine")
    repository.push(index, "multi")

    pulled = docker("pull", f"{place}:multi").stdout

    assert f"Digest: {index.digest}" in pulled
    assert docker(*RUN, f"{place}:multi").stdout == "this machine\n"


def test_image_whose_layers_are_named_by_sha512_is_pulled(docker, place, name, repository):
    repository.push(images.busybox(name, says="a longer digest", algorithm="sha512"), "v1")

    docker("pull", f"{place}:v1")

    assert docker(*RUN, f"{place}:v1").stdout == "a longer digest\n"


def test_manifest_list_made_with_docker_names_the_pushed_images(docker, load, place, name, repository):
    ours, other = f"{place}:ours", f"{place}:other"
    docker("push", load(images.image(f"{name}-ours"), ours))
    docker("push", load(images.image(f"{name}-other", architecture=OTHER_MACHINE), other))

    docker("manifest", "create", "--insecure", f"{place}:both", ours, other)
    docker("manifest", "push", "--insecure", f"{place}:both")

    digests = {child["digest"] for child in repository.manifest("both")["manifests"]}
    assert digests == {repository.digest("ours"), repository.digest("other")}


def test_image_built_on_a_pushed_one_uploads_only_what_is_new(docker, load, place, name, tmp_path):
    base = load(images.busybox(name, says="base"), f"{place}:base")
    docker("push", base)
    (tmp_path / "Dockerfile").write_text(f"FROM {base}\nCOPY greeting /etc/greeting\n")
    (tmp_path / "greeting").write_text("built\n")

    docker("build", "--tag", f"{place}:built", tmp_path)

    assert sorted(states(docker("push", f"{place}:built").stdout)) == [*["Layer already exists"] * 2, "Pushed"]
    assert docker(*RUN, f"{place}:built").stdout == "built\n"


def test_pull_of_what_does_not_exist_says_so(docker, place):
    refusal = docker("pull", f"{place}:never", check=False)

    assert refusal.status == 1
    assert "not found" in refusal.stderr or "manifest unknown" in refusal.stderr


def test_login_to_an_open_registry_succeeds(docker, server):
    words = ("login", "--username", "anybody", "--password-stdin", server.host)

    assert "Login Succeeded" in docker(*words, feed="whatever\n").stdout


def test_containerd_pushes_and_pulls(docker, place, name, repository):
    index = images.platforms(name, says="never run")
    repository.push(index, "pushed-by-hand")

    docker.containerd("images", "pull", "--plain-http", "--all-platforms", f"{place}:pushed-by-hand")
    docker.containerd("images", "tag", f"{place}:pushed-by-hand", f"{place}/copy:v1")
    docker.containerd("images", "push", "--plain-http", f"{place}/copy:v1", f"{place}:pushed-by-hand")

    assert repository.http.get(f"/v2/{repository.name}/copy/tags/list").json()["tags"] == ["v1"]
    assert repository.manifest(index.digest)["manifests"][0]["digest"] == index.images[0].digest
