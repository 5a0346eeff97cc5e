# SPDX-License-Identifier: Apache-2.0
"""Clients at a registry that takes the tokens of another server (`auth.token`): sign in, push, pull, sign out."""

import contextlib
from pathlib import Path

import httpx
import oras.client
import pytest

from tests.clients.programs import Repository
from tests.support import images
from tests.support.server import Servers
from tests.support.token_server import SERVICE, TokenServer

PLAIN = "--tls-verify=false"
ALICE, BOB = "alice", "bob"
PASSWORDS = {ALICE: "the-password-of-alice", BOB: "the-password-of-bob"}
EVERYTHING = "pull,push,delete"


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    with TokenServer(tmp_path_factory.mktemp("tokens"), PASSWORDS) as server:
        yield server


@pytest.fixture(scope="module")
def server(tmp_path_factory, tokens):
    """A registry that trusts the token server, instead of the shared open one."""
    servers = Servers(tmp_path_factory.mktemp("registry"))
    yield servers(environment=tokens.settings)
    servers.stop()


@pytest.fixture(autouse=True)
def rights(tokens, name):
    """Let Alice do everything in the test's own repository and one beside it, Bob pull, and nobody else anything."""
    names = (name, f"{name}/copy")
    tokens.rights = {
        ALICE: {f"repository:{one}": EVERYTHING for one in names} | {"registry:catalog": "*"},
        BOB: {f"repository:{one}": "pull" for one in names},
    }
    tokens.asked.clear()
    return tokens.rights


@pytest.fixture
def repository(server, tokens, name):
    """The test's own repository, asked with a token that opens it."""
    repository = Repository(server.url, name)
    repository.http.headers["Authorization"] = f"Bearer {tokens.token(f'repository:{name}:{EVERYTHING}')}"
    yield repository
    repository.close()


@pytest.fixture
def signed_in(docker, server):
    """Sign `docker` in as somebody; it is signed out in the end."""
    with contextlib.ExitStack() as stack:

        def sign_in(user):
            said = docker("login", "--username", user, "--password-stdin", server.host, feed=PASSWORDS[user]).stdout
            stack.callback(docker, "logout", server.host)
            return said

        yield sign_in


@pytest.fixture
def authfile(tmp_path):
    """Where podman and skopeo keep the test's own credentials."""
    return f"--authfile={tmp_path / 'auth.json'}"


@pytest.fixture
def load(docker, tmp_path):
    """Bring an image into the engine under a reference, and give the reference."""

    def load(image, reference):
        docker("load", "--input", images.write_docker_archive(tmp_path / "image.tar", {reference: image}))
        return reference

    return load


def test_docker_signs_in_pushes_pulls_and_signs_out(docker, signed_in, load, server, place, repository):
    reference = load(images.busybox(repository.name, says="with a token"), f"{place}:v1")
    assert "Login Succeeded" in signed_in(ALICE)

    docker("push", reference)
    docker("rmi", reference)
    docker("pull", reference)

    assert docker("run", "--rm", "--network", "none", reference).stdout == "with a token\n"
    assert repository.tags() == ["v1"]
    docker("logout", server.host)
    docker("rmi", reference)
    refusal = docker("pull", reference, check=False)
    assert refusal.status == 1
    assert "unauthorized" in refusal.stderr or "denied" in refusal.stderr


def test_docker_is_told_that_the_password_is_wrong(docker, server):
    refusal = docker("login", "--username", ALICE, "--password-stdin", server.host, feed="wrong", check=False)

    assert refusal.status == 1
    assert "incorrect username or password" in refusal.stderr or "401" in refusal.stderr


def test_docker_mounts_a_layer_and_uploads_it_where_it_may_not(docker, signed_in, load, tokens, place, name):
    reference = load(images.image(name), f"{place}:v1")
    signed_in(ALICE)
    docker("push", reference)
    docker("tag", reference, f"{place}/copy:v1")

    assert "Mounted from" in docker("push", f"{place}/copy:v1").stdout

    tokens.rights[ALICE][f"repository:{name}/third"] = EVERYTHING
    del tokens.rights[ALICE][f"repository:{name}"], tokens.rights[ALICE][f"repository:{name}/copy"]
    docker("tag", reference, f"{place}/third:v1")
    assert "Pushed" in docker("push", f"{place}/third:v1").stdout


def test_docker_may_pull_and_not_push_as_its_user_may(docker, signed_in, load, place, repository):
    repository.push(images.image(repository.name), "v1")
    signed_in(BOB)

    docker("pull", f"{place}:v1")
    other = load(images.image(f"{repository.name}-other"), f"{place}:v2")
    refusal = docker("push", other, check=False)

    assert refusal.status == 1
    assert "denied" in refusal.stderr or "unauthorized" in refusal.stderr
    assert repository.tags() == ["v1"]


def test_docker_pulls_what_everybody_may_pull_without_signing_in(docker, tokens, place, name, repository):
    repository.push(images.image(name), "v1")
    tokens.rights[""] = {f"repository:{name}": "pull"}

    docker("pull", f"{place}:v1")

    assert ("GET", "", [f"repository:{name}:pull"]) in tokens.asked


def test_containerd_pushes_and_pulls(docker, tokens, place, name, repository):
    repository.push(images.image(name), "v1")
    user = ("--plain-http", "--user", f"{ALICE}:{PASSWORDS[ALICE]}")

    docker.containerd("images", "pull", *user, f"{place}:v1")
    docker.containerd("images", "tag", f"{place}:v1", f"{place}/copy:v1")
    docker.containerd("images", "push", *user, f"{place}/copy:v1", f"{place}:v1")

    token = tokens.token(f"repository:{name}/copy:pull")
    copy = repository.http.get(f"/v2/{name}/copy/tags/list", headers={"Authorization": f"Bearer {token}"})
    assert copy.json()["tags"] == ["v1"]


def test_podman_signs_in_pushes_pulls_and_signs_out(podman, server, authfile, place, repository, tmp_path):
    layout = images.write_layout(
        tmp_path / "layout", {"v1": images.busybox(repository.name, says="podman with a token")}
    )
    loaded = podman("pull", "--quiet", f"oci:{layout}:v1").stdout.split()[-1]
    podman("login", PLAIN, authfile, "--username", ALICE, "--password-stdin", server.host, feed=PASSWORDS[ALICE])

    podman("push", PLAIN, authfile, loaded, f"docker://{place}:v1")
    podman("rmi", loaded)
    podman("pull", PLAIN, authfile, f"{place}:v1")

    assert podman.output_of(f"{place}:v1") == "podman with a token\n"
    assert repository.tags() == ["v1"]
    podman("logout", authfile, server.host)
    refusal = podman("pull", PLAIN, authfile, f"{place}:v1", check=False)
    assert refusal.status != 0
    assert "unauthorized" in refusal.stderr or "authentication required" in refusal.stderr


def test_skopeo_copies_lists_and_deletes(skopeo, server, authfile, place, repository, tmp_path):
    layout = images.write_layout(tmp_path / "layout", {"v1": images.image(repository.name)})
    skopeo("login", PLAIN, authfile, "--username", ALICE, "--password-stdin", server.host, feed=PASSWORDS[ALICE])

    skopeo("copy", "--dest-tls-verify=false", authfile, f"oci:{layout}:v1", f"docker://{place}:v1")
    skopeo(
        "copy",
        "--src-tls-verify=false",
        "--dest-tls-verify=false",
        authfile,
        f"docker://{place}:v1",
        f"docker://{place}/copy:v1",
    )
    assert '"v1"' in skopeo("list-tags", PLAIN, authfile, f"docker://{place}/copy").stdout
    skopeo("delete", PLAIN, authfile, f"docker://{place}:v1")

    assert repository.tags() == []


@pytest.fixture
def oras_client(server, oras_version, tmp_path, monkeypatch):
    assert oras_version
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    client = oras.client.OrasClient(hostname=server.host, insecure=True, auth_backend="token")
    client.session.trust_env = False
    yield client
    client.session.close()


def test_oras_pulls_with_a_password(oras_client, place, name, repository, tmp_path):
    repository.push(images.artifact(name.encode(), kind="text/plain"), "v1")
    oras_client.auth.set_basic_auth(BOB, PASSWORDS[BOB])

    (pulled,) = oras_client.pull(f"{place}:v1", outdir=str(tmp_path))

    assert Path(pulled).read_text() == name


def test_oras_pushes_with_a_token_that_was_asked_for_before(oras_client, tokens, place, repository, tmp_path):
    """oras for Python stays with its first token, also where another action needs a wider one."""
    query = {"service": SERVICE, "scope": f"repository:{repository.name}:pull,push"}
    given = httpx.get(tokens.realm, params=query, auth=(ALICE, PASSWORDS[ALICE]), trust_env=False).json()
    oras_client.auth.set_token_auth(given["token"])
    (tmp_path / "note").write_text(repository.name)

    oras_client.push(f"{place}:v1", files=[f"{tmp_path / 'note'}:text/plain"], disable_path_validation=True)

    assert repository.tags() == ["v1"]
