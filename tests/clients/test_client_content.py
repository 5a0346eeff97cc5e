# SPDX-License-Identifier: Apache-2.0
"""Kinds of content that are switched off: what clients push then, what they are told, and what they still pull."""

import oras.oci
import pytest

from tests.clients.programs import Repository, oras_client
from tests.support import images
from tests.support.accounts import Office
from tests.support.commands import run
from tests.support.server import COMMAND, Servers

OWNER = "ann"
OCI = {"Content-Type": images.OCI_MANIFEST}
HELM_CONFIG = "application/vnd.cncf.helm.config.v1+json"
HELM_CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
SIGNATURE = "application/vnd.example.signature.v1"
WHY = (
    "Pushing container images is switched off in the namespace 'clients', where its owner or a manager of the registry"
)


@pytest.fixture(scope="module")
def accounts(tmp_path_factory):
    """A registry with accounts."""
    servers = Servers(tmp_path_factory.mktemp("content"))
    yield servers(deletion=None)
    servers.stop()


@pytest.fixture(scope="module")
def token(accounts):
    with Office(accounts.environment) as office:
        office.user(OWNER)
        office.organization("clients", OWNER)
        return office.token(OWNER).secret


@pytest.fixture
def switch(accounts):
    """Switch kinds of content in the namespace of all tests, as an operator does."""

    def switch(state, *kinds):
        words = (COMMAND[0], "content", state, *kinds, "--namespace", "clients")
        run(*words, environment=accounts.environment)

    yield switch
    switch("on", "image", "chart", "artifact")


@pytest.fixture
def place(accounts, token, name):
    assert token
    return f"{accounts.host}/{name}"


@pytest.fixture
def repository(accounts, token, name):
    repository = Repository(accounts.url, name)
    repository.http.auth = (OWNER, token)
    yield repository
    repository.close()


@pytest.fixture
def client(place, token, oras_version, tmp_path, monkeypatch):
    assert oras_version
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with oras_client(place, "token") as client:
        client.auth.set_token_auth(token)
        yield client


@pytest.fixture
def copy(skopeo, token, place, tmp_path):
    """Push an image by skopeo, and return how that ended."""

    def copy(image):
        layout = images.write_layout(tmp_path / "layout", {"v1": image})
        words = ("copy", "--dest-tls-verify=false", "--dest-creds", f"{OWNER}:{token}", f"oci:{layout}:v1")
        return skopeo(*words, f"docker://{place}:v1", check=False)

    return copy


@pytest.fixture
def signed_in(docker, place, token):
    """Return docker, which has signed in."""
    host = place.partition("/")[0]
    docker("login", "--username", OWNER, "--password-stdin", host, feed=token)
    yield docker
    docker("logout", host)


def push_chart(client, place, folder):
    """Push as `helm push` does: the chart's own page as config, the archive as the one layer."""
    config = folder / "config.json"
    config.write_text('{"apiVersion":"v2","name":"shop","version":"0.1.0"}')
    chart = folder / "shop-0.1.0.tgz"
    chart.write_bytes(images.archive({"shop/Chart.yaml": b"name: shop"}))
    return client.push(
        f"{place}:0.1.0",
        files=[f"{chart}:{HELM_CHART}"],
        manifest_config=f"{config}:{HELM_CONFIG}",
        disable_path_validation=True,
    )


def test_where_images_are_off_a_chart_is_pushed_and_an_image_is_refused_with_the_reason(
    copy, client, switch, place, repository, tmp_path
):
    switch("off", "image")

    push_chart(client, place, tmp_path)
    refused = copy(images.busybox(place, says="no"))

    assert refused.status != 0
    assert WHY in refused.output
    assert client.get_tags(place) == ["0.1.0"]
    (pulled,) = client.pull(f"{place}:0.1.0", outdir=str(tmp_path / "back"))
    assert pulled.endswith("shop-0.1.0.tgz")
    assert repository.get("manifests/0.1.0").json()["config"]["mediaType"] == HELM_CONFIG


def test_docker_says_why_its_image_is_refused_and_pulls_what_was_there(signed_in, switch, place, tmp_path):
    docker, built = signed_in, images.busybox(place, says="was here")
    docker("load", "--input", images.write_docker_archive(tmp_path / "a.tar", {f"{place}:v1": built}))
    docker("push", f"{place}:v1")
    switch("off", "image", "chart", "artifact")
    docker("tag", f"{place}:v1", f"{place}:v2")

    refused = docker("push", f"{place}:v2", check=False)
    docker("rmi", f"{place}:v1", f"{place}:v2")
    docker("pull", f"{place}:v1")

    assert refused.status != 0
    assert "switched off in the namespace 'clients'" in refused.output
    assert docker("run", "--rm", f"{place}:v1").stdout == "was here\n"


def test_where_artifacts_are_off_a_signature_of_an_image_is_attached_and_another_artifact_is_refused(
    copy, client, switch, place, repository, tmp_path
):
    switch("off", "artifact")
    image = images.busybox(place, says="signed")
    assert copy(image).status == 0
    subject = oras.oci.Subject(image.manifest.media_type, image.digest, len(image.manifest.content))
    path = tmp_path / "signature.json"
    path.write_text(place)
    files = [f"{path}:{SIGNATURE}"]

    client.push(f"{place}:signature", files=files, subject=subject, disable_path_validation=True)

    assert len(repository.get(f"referrers/{image.digest}").json()["manifests"]) == 1
    # oras for Python tries again for minutes what is refused, so the refusal is asked for by plain requests.
    alone = repository.manifest(repository.digest("signature"))
    del alone["subject"]
    answer = repository.http.put(f"/v2/{repository.name}/manifests/alone", content=images.as_json(alone), headers=OCI)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (403, "DENIED")
    assert client.get_tags(place) == ["signature", "v1"]
