# SPDX-License-Identifier: Apache-2.0
"""Signing in with an account: each client with a password, a personal access token or an access key, and without."""

import pytest

from tests.clients.programs import Repository, oras_client, push_and_pull
from tests.support import images
from tests.support.accounts import Office
from tests.support.server import Servers

ANN, PASSWORD = "ann", "correct horse"
PLAIN = "--tls-verify=false"


@pytest.fixture(scope="module")
def accounts(tmp_path_factory):
    """A registry with accounts."""
    servers = Servers(tmp_path_factory.mktemp("accounts"))
    yield servers(deletion=None)
    servers.stop()


@pytest.fixture(scope="module")
def office(accounts):
    with Office(accounts.environment) as office:
        office.user(ANN, PASSWORD)
        office.organization("clients", ANN)
        yield office


@pytest.fixture
def secrets(request, office):
    """The name and the secret of one way to sign in."""
    if request.param == "password":
        return ANN, PASSWORD
    if request.param == "token":
        return ANN, office.token(ANN).secret
    key = office.key(ANN)
    return key.public_id, key.secret


@pytest.fixture
def place(accounts, office, name):
    assert office
    return f"{accounts.host}/{name}"


@pytest.fixture
def repository(accounts, office, name):
    """The test's own repository, asked by plain requests with a token, which no wrong password locks."""
    repository = Repository(accounts.url, name)
    repository.http.auth = (ANN, office.token(ANN).secret)
    yield repository
    repository.close()


@pytest.fixture
def layout(tmp_path, name):
    return images.write_layout(tmp_path / "layout", {"v1": images.busybox(name, says="signed in")})


@pytest.fixture
def own_login(tmp_path):
    """Words that have podman and skopeo keep their passwords in a file of this test."""
    path = tmp_path / "auth.json"
    path.write_text("{}")
    return ("--authfile", path)


def login(client, host, secrets, *words, **options):
    name, secret = secrets
    return client("login", *words, "--username", name, "--password-stdin", host, feed=secret, **options)


every_way = pytest.mark.parametrize("secrets", ["password", "token", "key"], indirect=True)


@every_way
def test_docker_signs_in_pushes_pulls_and_signs_out(docker, place, name, secrets, repository, tmp_path):
    host = place.partition("/")[0]
    reference = f"{place}:v1"
    archive = images.write_docker_archive(tmp_path / "a.tar", {reference: images.busybox(name, says="signed in")})
    docker("load", "--input", archive)

    before = docker("push", reference, check=False)
    said = login(docker, host, secrets)
    docker("push", reference)
    docker("rmi", reference)
    docker("pull", reference)
    ran = docker("run", "--rm", "--network", "none", reference).stdout
    docker("rmi", reference)
    docker("logout", host)
    after = docker("pull", reference, check=False)

    assert before.status != 0
    assert "Login Succeeded" in said.output
    assert ran == "signed in\n"
    assert repository.tags() == ["v1"]
    assert after.status != 0


@pytest.mark.parametrize("wrong", ["password", "token"])
def test_docker_is_told_that_a_secret_is_wrong(docker, accounts, office, wrong):
    name = f"forgets-the-{wrong}"  # a user of the test's own: wrong passwords bar the account for a while
    office.user(name, PASSWORD)
    secret = PASSWORD if wrong == "password" else office.token(name).secret
    refusal = login(docker, accounts.host, (name, secret + "x"), check=False)
    assert refusal.status != 0
    assert "The user name, password or token is wrong" in refusal.output


def test_docker_pulls_what_is_public_without_signing_in(docker, office, place, name, repository):
    reference = f"{place}:v1"
    repository.push(images.busybox(name, says="public"), "v1")

    private = docker("pull", reference, check=False)
    office.set_visibility(name, "public")
    docker("pull", reference)
    ran = docker("run", "--rm", "--network", "none", reference).stdout
    pushed = docker("push", reference, check=False)
    docker("rmi", reference)
    docker.containerd("images", "pull", "--plain-http", reference)

    assert private.status != 0
    assert ran == "public\n"
    assert pushed.status != 0
    assert reference in docker.containerd("images", "list", "--quiet").stdout


@every_way
def test_podman_signs_in_pushes_pulls_and_signs_out(podman, accounts, place, layout, secrets, own_login):
    reference = f"{place}:v1"
    loaded = podman("pull", "--quiet", f"oci:{layout}:v1").stdout.split()[-1]

    before = podman("push", PLAIN, *own_login, loaded, f"docker://{reference}", check=False)
    said = login(podman, accounts.host, secrets, PLAIN, *own_login)
    podman("push", PLAIN, *own_login, loaded, f"docker://{reference}")
    podman("rmi", loaded)
    podman("pull", PLAIN, *own_login, reference)
    ran = podman.output_of(reference)
    podman("logout", *own_login, accounts.host)
    after = podman("pull", PLAIN, *own_login, reference, check=False)

    assert before.status != 0
    assert "Login Succeeded" in said.output
    assert ran == "signed in\n"
    assert after.status != 0


@every_way
def test_skopeo_copies_and_deletes_with_a_secret_and_not_without(skopeo, place, layout, repository, secrets, tmp_path):
    source, target = f"oci:{layout}:v1", f"docker://{place}:v1"
    right = ":".join(secrets)

    refusals = [
        skopeo("copy", "--dest-tls-verify=false", *words, source, target, check=False)
        for words in (("--dest-no-creds",), ("--dest-creds", f"{right}x"))
    ]
    skopeo("copy", "--dest-tls-verify=false", "--dest-creds", right, source, target)
    listed = skopeo("list-tags", PLAIN, "--creds", right, f"docker://{place}").stdout
    hidden = skopeo("inspect", PLAIN, "--no-creds", target, check=False)
    skopeo("copy", "--src-tls-verify=false", "--src-creds", right, target, f"dir:{tmp_path / 'back'}")
    skopeo("delete", PLAIN, "--creds", right, target)

    assert all(refusal.status != 0 for refusal in refusals)
    assert hidden.status != 0
    assert '"v1"' in listed
    assert (tmp_path / "back" / "manifest.json").exists()
    assert repository.tags() == []


@every_way
def test_oras_signs_in_pushes_and_pulls(place, oras_version, secrets, tmp_path, monkeypatch):
    assert oras_version
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with oras_client(place, "basic") as client:
        client.login(*secrets, hostname=place.partition("/")[0], config_path=str(tmp_path / "ann.json"))
        push_and_pull(client, place, tmp_path)


def test_docker_login_says_that_another_password_is_to_be_chosen_first(docker, accounts, office):
    office.user("once", PASSWORD)
    office.execute("UPDATE passwords SET one_time = 1 WHERE account_id = (SELECT max(account_id) FROM passwords)")
    words = ("login", "--username", "once", "--password-stdin", accounts.host)
    refused = docker(*words, feed=PASSWORD, check=False)
    assert refused.status != 0
    assert "sign in to the console with it, and choose a password of your own" in refused.output
    office.set_password("once", "a password of my own")
    docker(*words, feed="a password of my own")
    docker("logout", accounts.host)


def test_oras_pushes_and_pulls_with_the_token_itself(office, place, oras_version, tmp_path, monkeypatch):
    """oras for Python never asks for a second registry token; so it shows a token that needs none."""
    assert oras_version
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with oras_client(place, "token") as client:
        client.auth.set_token_auth(office.token(ANN).secret)
        push_and_pull(client, place, tmp_path)


@every_way
def test_containerd_pulls_with_a_secret_and_not_without(docker, place, repository, secrets):
    repository.push(images.image(place), "v1")
    reference = f"{place}:v1"

    refusal = docker.containerd("images", "pull", "--plain-http", reference, check=False)
    docker.containerd("images", "pull", "--plain-http", "--user", ":".join(secrets), reference)

    assert refusal.status != 0
    assert reference in docker.containerd("images", "list", "--quiet").stdout


def test_curl_asks_with_a_name_and_a_token(curl, accounts, office, place, repository):
    repository.push(images.image(place), "v1")
    url = f"{accounts.url}/v2/{repository.name}/tags/list"
    secret = office.token(ANN).secret

    assert '"tags":["v1"]' in curl("--user", f"{ANN}:{secret}", url).stdout
    assert '"tags":["v1"]' in curl("--oauth2-bearer", secret, url).stdout
