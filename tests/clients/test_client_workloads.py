# SPDX-License-Identifier: Apache-2.0
"""Workloads with real clients: an identity token, or what was got for it, is all that a job needs."""

import httpx
import pytest

from tests.clients.programs import Repository, oras_client, push_and_pull
from tests.outbound.peers import Authority
from tests.support import images
from tests.support.accounts import Office
from tests.support.commands import run
from tests.support.issuer import AUDIENCE, Issuer, Key
from tests.support.server import COMMAND, Servers

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT = "urn:ietf:params:oauth:token-type:jwt"
PLAIN = "--tls-verify=false"
USER = "job"


@pytest.fixture(scope="module")
def issuer(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("issuer"))
    with Issuer(authority.context("127.0.0.1"), Key()) as made:
        made.authorities = str(authority.file)
        yield made


@pytest.fixture(scope="module")
def registry(tmp_path_factory, issuer):
    """A registry with one account, which believes the workflows of acme."""
    servers = Servers(tmp_path_factory.mktemp("workloads"))
    environment = {"REGISTRY_OUTBOUND_ALLOW": "[127.0.0.1]", "REGISTRY_OUTBOUND_AUTHORITIES": issuer.authorities}
    server = servers(deletion=None, environment=environment)
    with Office(server.environment) as office:
        office.user("ann", "correct horse")
    words = ("add", issuer.url, "--claim", "repository_owner=acme", "--namespace", "clients", "--role", "write")
    said = run(COMMAND[0], "trust", *words, "--audience", AUDIENCE, environment=server.environment)
    assert "gives write on the namespace clients" in said.stdout
    yield server
    servers.stop()


@pytest.fixture
def secret(request, registry, issuer):
    """What a job signs in with: its identity itself, or the credential that it exchanged it for."""
    identity = issuer.tokens.make()
    if request.param == "identity":
        return identity
    form = {"grant_type": EXCHANGE, "subject_token": identity, "subject_token_type": JWT}
    return httpx.post(f"{registry.url}/token", data=form, trust_env=False).raise_for_status().json()["access_token"]


@pytest.fixture
def place(registry, name):
    return f"{registry.host}/{name}"


@pytest.fixture
def repository(registry, issuer, name):
    repository = Repository(registry.url, name)
    repository.http.headers["Authorization"] = f"Bearer {issuer.tokens.make()}"
    yield repository
    repository.close()


@pytest.fixture
def layout(tmp_path, name):
    return images.write_layout(tmp_path / "layout", {"v1": images.busybox(name, says="no secret")})


every_way = pytest.mark.parametrize("secret", ["identity", "credential"], indirect=True)


@every_way
def test_docker_signs_in_pushes_and_pulls(docker, place, name, secret, repository, tmp_path):
    host = place.partition("/")[0]
    reference = f"{place}:v1"
    archive = images.write_docker_archive(tmp_path / "a.tar", {reference: images.busybox(name, says="no secret")})
    docker("load", "--input", archive)

    before = docker("push", reference, check=False)
    said = docker("login", "--username", USER, "--password-stdin", host, feed=secret)
    docker("push", reference)
    docker("rmi", reference)
    docker("pull", reference)
    ran = docker("run", "--rm", "--network", "none", reference).stdout
    docker("rmi", reference)
    docker("logout", host)

    assert before.status != 0
    assert "Login Succeeded" in said.output
    assert ran == "no secret\n"
    assert repository.tags() == ["v1"]


def test_docker_is_refused_with_the_identity_of_a_stranger(docker, registry, issuer):
    stranger = issuer.tokens.make(repository_owner="eve")
    refusal = docker("login", "--username", USER, "--password-stdin", registry.host, feed=stranger, check=False)
    assert refusal.status != 0
    assert stranger not in registry.log


@every_way
def test_podman_signs_in_pushes_and_pulls(podman, registry, place, layout, secret, tmp_path):
    path = tmp_path / "auth.json"
    path.write_text("{}")
    own, reference = ("--authfile", path), f"{place}:v1"
    loaded = podman("pull", "--quiet", f"oci:{layout}:v1").stdout.split()[-1]

    said = podman("login", PLAIN, *own, "--username", USER, "--password-stdin", registry.host, feed=secret)
    podman("push", PLAIN, *own, loaded, f"docker://{reference}")
    podman("rmi", loaded)
    podman("pull", PLAIN, *own, reference)
    ran = podman.output_of(reference)

    assert "Login Succeeded" in said.output
    assert ran == "no secret\n"


@every_way
def test_skopeo_copies_both_ways(skopeo, place, layout, secret, repository, tmp_path):
    target, right = f"docker://{place}:v1", f"{USER}:{secret}"
    skopeo("copy", "--dest-tls-verify=false", "--dest-creds", right, f"oci:{layout}:v1", target)
    skopeo("copy", "--src-tls-verify=false", "--src-creds", right, target, f"dir:{tmp_path / 'back'}")
    token = skopeo("inspect", PLAIN, "--registry-token", secret, target)
    hidden = skopeo("inspect", PLAIN, "--no-creds", target, check=False)

    assert '"v1"' in token.stdout
    assert hidden.status != 0
    assert repository.tags() == ["v1"]
    assert (tmp_path / "back" / "manifest.json").exists()


@every_way
def test_oras_signs_in_pushes_and_pulls(place, oras_version, secret, tmp_path, monkeypatch):
    assert oras_version
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with oras_client(place, "basic") as client:
        client.login(USER, secret, hostname=place.partition("/")[0], config_path=str(tmp_path / "job.json"))
        push_and_pull(client, place, tmp_path)


def test_the_shell_explains_a_token_and_never_shows_it(registry, issuer, tmp_path):
    token, stranger = issuer.tokens.make(), issuer.tokens.make(repository_owner="eve")
    path = tmp_path / "token.jwt"
    path.write_text(token + "\n")

    def wharfinger(*words, feed=None):
        return run(COMMAND[0], *words, environment=registry.environment, feed=feed, check=False)

    right = wharfinger("trust", "test", str(path))
    wrong = wharfinger("trust", "test", "-", feed=stranger)
    may = wharfinger("access", "explain", f"@{path}", "push", "clients/new")
    may_not = wharfinger("access", "explain", f"@{path}", "push", "other/new")
    unknown = wharfinger("access", "explain", "@-", "push", "clients/new", feed=stranger)
    shown = wharfinger("trust", "test", token)

    assert (right.status, "yes  trust rule 1" in right.stdout) == (0, True), right.output
    assert (wrong.status, "repository_owner is 'eve', and must be 'acme'" in wrong.stdout) == (1, True), wrong.output
    assert (may.status, "write by trust rule 1" in may.stdout) == (0, True), may.output
    assert (may_not.status, may_not.stdout[:3]) == (1, "no:")
    assert (unknown.status, "no trust rule lets it in" in unknown.output) == (1, True)
    assert (shown.status, "give a file" in shown.output) == (1, True)
    for said in (right, wrong, may, may_not, unknown, shown):
        assert token[:40] not in said.output
        assert stranger.rpartition(".")[2] not in said.output
