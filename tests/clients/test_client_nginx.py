# SPDX-License-Identifier: Apache-2.0
"""nginx in front of the registry: plain, with TLS, and with passwords of its own."""

import ssl

import pytest

from tests.clients.programs import Repository
from tests.support import images
from tests.support.images import Blob
from tests.support.nginx import Nginx

BIG = 50 * 1024 * 1024


@pytest.fixture(params=["plain", "tls"])
def front(request, nginx, name):
    """The test's repository seen through nginx, by plain requests."""
    if request.param == "plain":
        repository = Repository(f"http://{nginx.plain}", name)
    else:
        repository = Repository(
            f"https://{nginx.tls}", name, verify=ssl.create_default_context(cafile=nginx.certificates / "ca.crt")
        )
    yield repository
    repository.close()


def test_docker_pushes_and_pulls_through_nginx(docker, nginx, name, tmp_path):
    reference = f"{nginx.plain}/{name}:v1"
    archive = images.write_docker_archive(tmp_path / "a.tar", {reference: images.busybox(name, says="through nginx")})
    docker("load", "--input", archive)

    docker("push", reference)
    docker("rmi", reference)
    docker("pull", reference)

    assert docker("run", "--rm", "--network", "none", reference).stdout == "through nginx\n"


def test_podman_pushes_and_pulls_through_nginx_with_tls(podman, nginx, name, tmp_path):
    trust = ("--cert-dir", nginx.certificates)
    reference = f"{nginx.tls}/{name}:v1"
    layout = images.write_layout(tmp_path / "layout", {"v1": images.busybox(name, says="through TLS")})
    loaded = podman("pull", "--quiet", f"oci:{layout}:v1").stdout.split()[-1]

    podman("push", *trust, loaded, f"docker://{reference}")
    podman("rmi", loaded)
    podman("pull", *trust, reference)

    assert podman.output_of(reference) == "through TLS\n"


def test_podman_refuses_a_certificate_that_it_does_not_know(podman, nginx, name):
    refusal = podman("pull", f"{nginx.tls}/{name}:v1", check=False)

    assert refusal.status != 0
    assert "x509" in refusal.stderr


def test_skopeo_copies_a_big_layer_through_nginx_with_tls(skopeo, nginx, name, tmp_path):
    big = images.image(name, layers=[{"big": images.noise(name, BIG)}])
    layout = images.write_layout(tmp_path / "layout", {"v1": big})
    target = f"docker://{nginx.tls}/{name}:v1"

    skopeo("copy", "--dest-cert-dir", nginx.certificates, f"oci:{layout}:v1", target, timeout=120)
    skopeo("copy", "--src-cert-dir", nginx.certificates, target, f"dir:{tmp_path / 'back'}", timeout=120)

    assert (tmp_path / "back" / big.layers[0].digest.partition(":")[2]).read_bytes() == big.layers[0].content


def test_addresses_in_answers_are_paths_and_lead_back_through_nginx(front, name):
    blob = Blob(images.noise(name, 1_000), "application/octet-stream")
    started = front.http.post(f"/v2/{name}/blobs/uploads/")
    continued = front.http.patch(started.headers["Location"], content=blob.content)
    finished = front.finish(continued.headers["Location"], blob.digest)

    for answer in (started, continued):
        assert answer.headers["Location"].startswith(f"/v2/{name}/blobs/uploads/")
    assert finished.headers["Location"] == f"/v2/{name}/blobs/{blob.digest}"
    assert front.http.get(finished.headers["Location"]).content == blob.content


def test_link_to_the_next_page_is_a_path_and_leads_on_through_nginx(front, name):
    image = images.image(name)
    front.push(image, "a")
    answer = front.put_manifest(image.manifest, "b")
    assert answer.headers["Location"].startswith(f"/v2/{name}/manifests/")
    assert front.http.get(answer.headers["Location"]).content == image.manifest.content

    first = front.get("tags/list", params={"n": 1})
    following = front.http.get(first.links["next"]["url"])

    assert first.links["next"]["url"].startswith(f"/v2/{name}/tags/list?")
    assert [first.json()["tags"], following.json()["tags"]] == [["a"], ["b"]]


@pytest.fixture(scope="module")
def checking(server):
    """nginx that asks for passwords, in front of the shared registry, which is open."""
    with Nginx(server.url, ann="correct horse") as front:
        yield front


def test_docker_signs_in_at_nginx_before_an_open_registry(docker, checking, name, tmp_path):
    """Docker takes any certificate of `localhost`, and tries it without TLS when it was refused."""
    reference = f"{checking.tls}/{name}:v1"
    archive = images.write_docker_archive(tmp_path / "a.tar", {reference: images.busybox(name, says="let through")})
    docker("load", "--input", archive)
    words = ("login", "--username", "ann", "--password-stdin", checking.tls)

    before = docker("push", reference, check=False)
    wrong = docker(*words, feed="wrong horse", check=False)
    right = docker(*words, feed="correct horse")
    docker("push", reference)
    docker("rmi", reference)
    docker("pull", reference)
    ran = docker("run", "--rm", "--network", "none", reference).stdout
    docker("logout", checking.tls)
    after = docker("pull", reference, check=False)

    # Only signing in made the difference; what docker says last is about its attempt without TLS.
    assert [before.status != 0, wrong.status != 0, after.status != 0] == [True, True, True]
    assert "login attempt" in wrong.output
    assert "Login Succeeded" in right.output
    assert ran == "let through\n"


def test_podman_signs_in_at_nginx_before_an_open_registry(podman, checking, name, tmp_path):
    trust = ("--cert-dir", checking.certificates)
    target = f"docker://{checking.tls}/{name}:v1"
    layout = images.write_layout(tmp_path / "layout", {"v1": images.busybox(name, says="let through")})
    loaded = podman("pull", "--quiet", f"oci:{layout}:v1").stdout.split()[-1]

    wrong = podman("push", *trust, "--creds", "ann:wrong horse", loaded, target, check=False)
    podman("push", *trust, "--creds", "ann:correct horse", loaded, target)

    assert wrong.status != 0
    assert "authentication required" in wrong.output


def test_open_registry_does_not_look_at_the_password_that_nginx_hands_on(checking, repository, name):
    """What nginx lets through has its `Authorization` header still."""
    trust = ssl.create_default_context(cafile=checking.certificates / "ca.crt")
    front = Repository(f"https://{checking.tls}", name, verify=trust)
    front.http.auth = ("ann", "correct horse")
    image = images.image(name)
    front.push(image, "v1")

    assert front.tags() == repository.tags() == ["v1"]
    front.http.auth = ("ann", "wrong horse")
    assert front.get("tags/list").status_code == 401
    repository.http.auth = ("ann", "wrong horse")
    assert repository.tags() == ["v1"]
    front.close()
