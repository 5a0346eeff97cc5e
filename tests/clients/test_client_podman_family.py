# SPDX-License-Identifier: Apache-2.0
"""podman, buildah, skopeo and umoci, alone and together with what the others pushed."""

import json

import pytest

from tests.clients.programs import Repository
from tests.support import images
from tests.support.images import OTHER_MACHINE

PLAIN = "--tls-verify=false"


@pytest.fixture
def skopeo_copy(skopeo):
    """Copy with skopeo, without TLS on either side."""

    def copy(source, target, *words, **options):
        return skopeo("copy", "--src-tls-verify=false", "--dest-tls-verify=false", *words, source, target, **options)

    return copy


@pytest.fixture
def layout(tmp_path):
    """Write an image as a layout, and name it as skopeo does."""

    def layout(image, tag="v1"):
        return f"oci:{images.write_layout(tmp_path / 'layout', {tag: image})}:{tag}"

    return layout


def files_of(tree):
    return {path.relative_to(tree): path.read_bytes() for path in tree.rglob("*") if path.is_file()}


def test_podman_pulls_back_and_runs_what_it_pushed(podman, place, name, layout):
    loaded = podman("pull", "--quiet", layout(images.busybox(name, says="podman was here"))).stdout.split()[-1]
    podman("push", PLAIN, loaded, f"docker://{place}:v1")
    podman("rmi", loaded)

    podman("pull", PLAIN, f"{place}:v1")

    assert podman.output_of(f"{place}:v1") == "podman was here\n"


def test_podman_pulls_what_docker_pushed(docker, podman, place, name, tmp_path):
    archive = images.write_docker_archive(tmp_path / "a.tar", {f"{place}:v1": images.busybox(name, says="shipped")})
    docker("load", "--input", archive)
    docker("push", f"{place}:v1")

    podman("pull", PLAIN, f"{place}:v1")

    assert podman.output_of(f"{place}:v1") == "shipped\n"


def test_docker_pulls_what_podman_pushed_in_oci_format(docker, podman, place, name, layout):
    loaded = podman("pull", "--quiet", layout(images.busybox(name, says="the other way"))).stdout.split()[-1]
    podman("push", PLAIN, "--format", "oci", loaded, f"{place}:v1")

    docker("pull", f"{place}:v1")

    assert docker("run", "--rm", "--network", "none", f"{place}:v1").stdout == "the other way\n"


def test_podman_pushes_a_manifest_list_with_all_its_images(podman, place, name, repository):
    ours, other = images.image(f"{name}-ours"), images.image(f"{name}-other", architecture=OTHER_MACHINE)
    for tag, image in {"ours": ours, "other": other}.items():
        repository.push(image, tag)

    podman("manifest", "create", "both")
    for tag in ("ours", "other"):
        podman("manifest", "add", PLAIN, "both", f"docker://{place}:{tag}")
    podman("manifest", "push", PLAIN, "--all", "both", f"docker://{place}:both")

    children = repository.manifest("both")["manifests"]
    assert {child["digest"] for child in children} == {ours.digest, other.digest}
    assert {child["platform"]["architecture"] for child in children} == {images.MACHINE, OTHER_MACHINE}


def test_buildah_builds_upon_a_pulled_image_and_pushes_it(buildah, podman, place, name, repository, tmp_path):
    repository.push(images.busybox(name, says="base"), "base")
    (tmp_path / "greeting").write_text("built by buildah\n")

    container = buildah("from", PLAIN, f"{place}:base").stdout.strip()
    buildah("copy", container, tmp_path / "greeting", "/etc/greeting")
    buildah("commit", "--rm", container, f"{place}:built")
    buildah("push", PLAIN, f"{place}:built")

    podman("pull", PLAIN, f"{place}:built")
    assert podman.output_of(f"{place}:built") == "built by buildah\n"


def test_buildah_uploads_nothing_that_is_there(buildah, nginx, name, layout):
    loaded = buildah("pull", "--quiet", layout(images.busybox(name, says="nothing new"))).stdout.strip()
    buildah("push", PLAIN, loaded, f"docker://{nginx.plain}/{name}:v1")
    assert nginx.methods(name, until=f"/v2/{name}/manifests/v1")["PATCH"] == 3

    buildah("push", PLAIN, loaded, f"docker://{nginx.plain}/{name}:v2")

    assert nginx.methods(name, until=f"/v2/{name}/manifests/v2")["PATCH"] == 3


def test_skopeo_copies_an_image_in_and_out_unchanged(place, name, skopeo_copy, layout, tmp_path):
    image = images.image(name, layers=[{"etc/one": b"1"}, {"etc/two": name.encode()}], annotations={"who": "skopeo"})

    skopeo_copy(layout(image), f"docker://{place}:v1")
    skopeo_copy(f"docker://{place}:v1", f"oci:{tmp_path / 'back'}:v1")

    assert files_of(tmp_path / "back" / "blobs") == files_of(tmp_path / "layout" / "blobs")


@pytest.mark.parametrize("docker_types", [False, True], ids=["index", "manifest-list"])
def test_skopeo_copies_an_index_with_all_its_images(place, name, repository, skopeo, skopeo_copy, docker_types):
    index = images.platforms(name, docker=docker_types)
    repository.push(index, "multi")

    skopeo_copy(f"docker://{place}:multi", f"docker://{place}/copy:multi", "--all")

    raw = skopeo("inspect", "--raw", PLAIN, f"docker://{place}/copy:multi").stdout
    assert raw.encode() == index.manifest.content
    for image in index.images:
        child = skopeo("inspect", "--raw", PLAIN, f"docker://{place}/copy@{image.digest}").stdout
        assert child.encode() == image.manifest.content


def test_skopeo_copy_between_repositories_uploads_nothing(server, nginx, name, repository, skopeo_copy):
    repository.push(images.busybox(name, says="copied"), "v1")
    other = Repository(server.url, f"{name}/copy")
    other.push(images.image(f"{name}-before"), "before")
    other.close()

    skopeo_copy(f"docker://{nginx.plain}/{name}:v1", f"docker://{nginx.plain}/{name}/copy:v1")

    sent = nginx.methods(f"{name}/copy", until=f"/v2/{name}/copy/manifests/v1")
    assert (sent["PATCH"], sent["PUT"]) == (0, 1)


def test_skopeo_lists_inspects_and_deletes(place, name, repository, skopeo):
    first, second = images.image(f"{name}-1", labels={"which": "first"}), images.image(f"{name}-2")
    repository.push(first, "v1")
    repository.push(second, "v2")

    listed = json.loads(skopeo("list-tags", PLAIN, f"docker://{place}").stdout)
    shown = json.loads(skopeo("inspect", PLAIN, f"docker://{place}:v1").stdout)
    skopeo("delete", PLAIN, f"docker://{place}:v1")

    assert listed == {"Repository": place, "Tags": ["v1", "v2"]}
    assert (shown["Digest"], shown["Labels"]["which"]) == (first.digest, "first")
    assert repository.tags() == ["v2"]
    gone = skopeo("inspect", PLAIN, f"docker://{place}:v1", check=False)
    assert gone.status != 0
    assert "manifest unknown" in gone.stderr


def test_skopeo_is_told_that_deletion_is_off(start_server, skopeo):
    server = start_server(deletion=False)
    repository = Repository(server.url, "kept")
    digest = repository.push(images.image("kept"), "v1")

    refusal = skopeo("delete", PLAIN, f"docker://{server.host}/kept:v1", check=False)

    assert refusal.status != 0
    assert "unsupported" in refusal.stderr.lower()
    refused = repository.delete(f"manifests/{digest}")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (405, "UNSUPPORTED")
    assert repository.digest("v1") == digest
    repository.close()


def test_skopeo_reads_a_long_list_of_tags_page_by_page(place, name, repository, skopeo):
    image = images.image(name)
    repository.push(image, "v000")
    for number in range(1, 120):
        repository.put_manifest(image.manifest, f"v{number:03}")

    first = repository.get("tags/list", params={"n": 50})
    listed = json.loads(skopeo("list-tags", PLAIN, f"docker://{place}").stdout)["Tags"]

    assert len(first.json()["tags"]) == 50
    assert first.links["next"]["url"].startswith(f"/v2/{name}/tags/list?")
    assert listed == [f"v{number:03}" for number in range(120)]


def test_layout_made_by_umoci_goes_in_and_comes_out(umoci, place, skopeo_copy, tmp_path):
    (tmp_path / "content").mkdir()
    (tmp_path / "content" / "note").write_text("packed by umoci\n")
    umoci("init", "--layout", tmp_path / "made")
    umoci("new", "--image", f"{tmp_path}/made:v1")
    umoci("insert", "--image", f"{tmp_path}/made:v1", "--rootless", tmp_path / "content", "/data")

    skopeo_copy(f"oci:{tmp_path}/made:v1", f"docker://{place}:v1")
    skopeo_copy(f"docker://{place}:v1", f"oci:{tmp_path}/back:v1")

    umoci("unpack", "--image", f"{tmp_path}/back:v1", "--rootless", tmp_path / "unpacked")
    assert (tmp_path / "unpacked" / "rootfs" / "data" / "note").read_text() == "packed by umoci\n"
