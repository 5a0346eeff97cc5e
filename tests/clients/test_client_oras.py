# SPDX-License-Identifier: Apache-2.0
"""oras as a Python library: artifacts, and what is attached to them."""

import oras.client
import oras.oci
import pytest

from tests.support import images

SBOM = "application/vnd.example.sbom.v1+json"
SIGNATURE = "application/vnd.example.signature.v1"


@pytest.fixture
def client(server, oras_version, tmp_path, monkeypatch):
    """A client that finds nobody's credentials and nobody's proxy."""
    assert oras_version
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    client = oras.client.OrasClient(hostname=server.host, insecure=True)
    client.session.trust_env = False
    yield client
    client.session.close()


def write(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def push(client, target, path, **more):
    return client.push(target, files=[f"{path}:{SBOM}"], disable_path_validation=True, **more)


def test_artifact_pushed_is_pulled_back_with_its_name(client, place, name, tmp_path):
    path = write(tmp_path, "packages.json", f'{{"of": "{name}"}}')
    push(client, f"{place}:v1", path, manifest_annotations={"who": "oras"})

    (pulled,) = client.pull(f"{place}:v1", outdir=str(tmp_path / "back"))

    assert pulled == str(tmp_path / "back" / "packages.json")
    assert (tmp_path / "back" / "packages.json").read_text() == path.read_text()
    assert client.get_manifest(f"{place}:v1")["annotations"] == {"who": "oras"}


def test_folder_pushed_is_pulled_back_with_its_files(client, place, name, tmp_path):
    write(tmp_path, "chart/values.yaml", f"name: {name}\n")
    client.push(f"{place}:v1", files=[str(tmp_path / "chart")], disable_path_validation=True)

    client.pull(f"{place}:v1", outdir=str(tmp_path / "back"))

    assert (tmp_path / "back" / "chart" / "values.yaml").read_text() == f"name: {name}\n"


def test_artifact_is_pushed_in_chunks(client, place, name, tmp_path):
    path = write(tmp_path, "big", images.noise(name, 3_000_000).hex())
    push(client, f"{place}:v1", path, do_chunked=True, chunk_size=1_000_000)

    client.pull(f"{place}:v1", outdir=str(tmp_path / "back"))

    assert (tmp_path / "back" / "big").read_text() == path.read_text()


def test_attached_artifacts_are_listed_as_referrers(client, place, name, repository, tmp_path):
    image = images.image(name)
    repository.push(image, "v1")
    subject = oras.oci.Subject(image.manifest.media_type, image.digest, len(image.manifest.content))

    answer = push(client, f"{place}:sbom", write(tmp_path, "sbom.json", name), subject=subject)
    signature = images.artifact(name.encode(), kind=SIGNATURE, subject=image)
    repository.push(signature, signature.digest)

    assert answer.headers["OCI-Subject"] == image.digest
    listed = repository.get(f"referrers/{image.digest}").json()["manifests"]
    assert {one["digest"] for one in listed} == {repository.digest("sbom"), signature.digest}
    filtered = repository.get(f"referrers/{image.digest}", params={"artifactType": SIGNATURE})
    assert [one["digest"] for one in filtered.json()["manifests"]] == [signature.digest]
    assert filtered.headers["OCI-Filters-Applied"] == "artifactType"


def test_tags_are_listed_and_deleted(client, place, name, repository):
    for tag in ("v1", "v2"):
        repository.push(images.image(f"{name}-{tag}"), tag)

    assert client.get_tags(place) == ["v1", "v2"]
    assert client.delete_tags(place, ["v1"]) == ["v1"]
    assert client.get_tags(place) == ["v2"]
