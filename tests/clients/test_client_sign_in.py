# SPDX-License-Identifier: Apache-2.0
"""Signing in with an htpasswd file: what each client does with a name and a password, and what it says without."""

import oras.client
import pytest

from tests.clients.programs import Repository
from tests.support import images
from tests.support.passwords import sign_in_by, write_users
from tests.support.server import Servers

ANN = ("ann", "correct horse")
PLAIN = "--tls-verify=false"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A registry with a password file."""
    folder = tmp_path_factory.mktemp("guarded")
    servers = Servers(folder)
    yield servers(environment=sign_in_by(write_users(folder / "users", **dict([ANN]))))
    servers.stop()


@pytest.fixture
def place(guarded, name):
    return f"{guarded.host}/{name}"


@pytest.fixture
def repository(guarded, name):
    """The test's own repository, asked by plain requests with the right password."""
    repository = Repository(guarded.url, name)
    repository.http.auth = ANN
    yield repository
    repository.close()


@pytest.fixture
def layout(tmp_path, name):
    return images.write_layout(tmp_path / "layout", {"v1": images.busybox(name, says="signed in")})


def login(client, place, secret=ANN[1], *words, **options):
    return client("login", *words, "--username", ANN[0], "--password-stdin", place, feed=secret, **options)


def test_docker_signs_in_pushes_pulls_and_signs_out(docker, guarded, place, name, repository, tmp_path):
    reference = f"{place}:v1"
    archive = images.write_docker_archive(tmp_path / "a.tar", {reference: images.busybox(name, says="signed in")})
    docker("load", "--input", archive)

    before = docker("push", reference, check=False)
    said = login(docker, guarded.host)
    docker("push", reference)
    docker("rmi", reference)
    docker("pull", reference)
    ran = docker("run", "--rm", "--network", "none", reference).stdout
    docker("rmi", reference)
    docker("logout", guarded.host)
    after = docker("pull", reference, check=False)

    assert before.status != 0
    assert "no basic auth credentials" in before.output
    assert "Login Succeeded" in said.output
    assert ran == "signed in\n"
    assert repository.tags() == ["v1"]
    assert after.status != 0
    assert "no basic auth credentials" in after.output


def test_docker_is_told_that_a_password_is_wrong_and_keeps_none(docker, guarded, place, repository):
    repository.push(images.image(place), "v1")

    refusal = login(docker, guarded.host, "wrong horse", check=False)
    after = docker("pull", f"{place}:v1", check=False)

    assert refusal.status != 0
    assert "failed with status: 401 Unauthorized" in refusal.output
    assert after.status != 0
    assert "no basic auth credentials" in after.output


@pytest.fixture
def own_login(tmp_path):
    """Words that have podman and skopeo keep their passwords in a file of this test."""
    path = tmp_path / "auth.json"
    path.write_text("{}")
    return ("--authfile", path)


def test_podman_signs_in_pushes_pulls_and_signs_out(podman, guarded, place, layout, own_login):
    reference = f"{place}:v1"
    loaded = podman("pull", "--quiet", f"oci:{layout}:v1").stdout.split()[-1]

    before = podman("push", PLAIN, *own_login, loaded, f"docker://{reference}", check=False)
    said = login(podman, guarded.host, ANN[1], PLAIN, *own_login)
    podman("push", PLAIN, *own_login, loaded, f"docker://{reference}")
    podman("rmi", loaded)
    podman("pull", PLAIN, *own_login, reference)
    ran = podman.output_of(reference)
    podman("logout", *own_login, guarded.host)
    after = podman("pull", PLAIN, *own_login, reference, check=False)

    assert before.status != 0
    assert "authentication required" in before.output
    assert "Login Succeeded" in said.output
    assert ran == "signed in\n"
    assert after.status != 0
    assert "no name was given" in after.output


def test_podman_is_told_that_a_password_is_wrong(podman, guarded, own_login):
    refusal = login(podman, guarded.host, "wrong horse", PLAIN, *own_login, check=False)

    assert refusal.status != 0
    assert "invalid username/password" in refusal.output


def test_skopeo_copies_with_a_name_and_a_password_and_not_without(skopeo, place, layout, repository, tmp_path):
    source, target = f"oci:{layout}:v1", f"docker://{place}:v1"
    right, wrong = ":".join(ANN), f"{ANN[0]}:wrong horse"

    refusals = [
        skopeo("copy", "--dest-tls-verify=false", *words, source, target, check=False)
        for words in (("--dest-no-creds",), ("--dest-creds", wrong))
    ]
    skopeo("copy", "--dest-tls-verify=false", "--dest-creds", right, source, target)
    listed = skopeo("list-tags", PLAIN, "--creds", right, f"docker://{place}").stdout
    hidden = skopeo("inspect", PLAIN, "--no-creds", target, check=False)
    skopeo("copy", "--src-tls-verify=false", "--src-creds", right, target, f"dir:{tmp_path / 'back'}")

    for refusal in refusals:
        assert refusal.status != 0
        assert "unauthorized: authentication required" in refusal.output
    assert hidden.status != 0
    assert "no name was given" in hidden.output
    assert '"v1"' in listed
    assert (tmp_path / "back" / "manifest.json").exists()
    assert repository.tags() == ["v1"]


def test_oras_pushes_and_pulls_with_a_password_and_not_without(guarded, place, oras_version, tmp_path, monkeypatch):
    assert oras_version
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    path = tmp_path / "packages.json"
    path.write_text('{"of": "oras"}')
    files = {"files": [f"{path}:application/vnd.example.sbom.v1+json"], "disable_path_validation": True}

    def client():
        client = oras.client.OrasClient(hostname=guarded.host, insecure=True, auth_backend="basic")
        client.session.trust_env = False
        return client

    stranger, ann = client(), client()
    stranger.login("ann", "wrong horse", hostname=guarded.host, config_path=str(tmp_path / "stranger.json"))
    ann.login(*ANN, hostname=guarded.host, config_path=str(tmp_path / "ann.json"))
    with pytest.raises(ValueError, match="The user name or the password is wrong"):
        stranger.push(f"{place}:v1", **files)
    ann.push(f"{place}:v1", **files)
    (pulled,) = ann.pull(f"{place}:v1", outdir=str(tmp_path / "back"))
    stranger.session.close()
    ann.session.close()

    assert (tmp_path / "back" / "packages.json").read_text() == path.read_text()
    assert pulled == str(tmp_path / "back" / "packages.json")


def test_curl_asks_with_a_name_and_a_password(curl, guarded, place, repository):
    repository.push(images.image(place), "v1")
    url = f"{guarded.url}/v2/{repository.name}/tags/list"

    assert '"tags":["v1"]' in curl("--user", ":".join(ANN), url).stdout
    refused = curl("--include", url).stdout
    assert refused.startswith("HTTP/1.1 401 ")
    assert 'www-authenticate: Basic realm="Team registry"' in refused.replace("WWW-Authenticate", "www-authenticate")


def test_containerd_pulls_with_a_name_and_a_password_and_not_without(docker, place, repository):
    repository.push(images.image(place), "v1")
    reference = f"{place}:v1"

    refusal = docker.containerd("images", "pull", "--plain-http", reference, check=False)
    docker.containerd("images", "pull", "--plain-http", "--user", ":".join(ANN), reference)

    assert refusal.status != 0
    assert reference in docker.containerd("images", "list", "--quiet").stdout
