# SPDX-License-Identifier: Apache-2.0
"""What all other tests stand on: images that are the same each time, and programs that are watched."""

import gzip
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import psycopg
import pytest

from tests.support import images
from tests.support.commands import clean_environment, free_port, run, wait_until


def test_image_is_the_same_each_time_and_another_one_for_another_seed():
    assert images.busybox("a", says="x") == images.busybox("a", says="x")
    assert {blob.digest for blob in images.image("a").blobs}.isdisjoint(blob.digest for blob in images.image("b").blobs)


def test_layer_is_a_compressed_archive_of_its_files():
    layer = images.layer({"etc/one": b"1", "bin/two": (b"2", 0o755)})

    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(layer.content))) as tar:
        found = {member.name: (tar.extractfile(member).read(), member.mode) for member in tar}
    assert found == {"bin/two": (b"2", 0o755), "etc/one": (b"1", 0o644)}


def test_config_names_the_layers_unpacked():
    image = images.image("a")

    (named,) = json.loads(image.config.content)["rootfs"]["diff_ids"]
    assert named == images.digest_of(gzip.decompress(image.layers[0].content))


def test_index_describes_each_image_with_its_platform():
    index = images.platforms("a", ("amd64", "arm64"))

    described = json.loads(index.manifest.content)["manifests"]
    assert [one["platform"]["architecture"] for one in described] == ["amd64", "arm64"]
    assert [one["digest"] for one in described] == [manifest.digest for manifest in index.manifests[:-1]]


def test_artifact_names_its_subject():
    subject = images.image("a")

    manifest = json.loads(images.artifact(b"x", kind="text/x", subject=subject).manifest.content)
    assert manifest["subject"]["digest"] == subject.digest
    assert manifest["artifactType"] == "text/x"


@pytest.mark.parametrize("source", ["oci", "docker-archive"])
def test_written_images_are_readable(tmp_path, source):
    image = images.image("a", labels={"who": "reads"})
    if source == "oci":
        place = f"{images.write_layout(tmp_path / 'layout', {'v1': image})}:v1"
    else:
        place = images.write_docker_archive(tmp_path / "archive.tar", {"name:v1": image})

    shown = json.loads(run("skopeo", "--insecure-policy", "inspect", f"{source}:{place}").stdout)
    assert shown["Labels"]["who"] == "reads"


def test_program_that_fails_is_shown_with_what_it_said():
    with pytest.raises(AssertionError, match=r"(?s)\$ sh -c .*what went wrong.*exit status 3"):
        run("sh", "-c", "echo what went wrong; exit 3")


def test_program_that_fails_expectedly_is_returned():
    assert run("false", check=False).status == 1


def test_programs_see_nobodys_registry_settings(monkeypatch):
    monkeypatch.setenv("REGISTRY_HTTP_ADDR", "elsewhere")
    monkeypatch.setenv("HTTPS_PROXY", "elsewhere")

    assert "elsewhere" not in run("env").stdout


def test_program_that_goes_on_ends_with_a_test_run_that_was_killed(tmp_path):
    code = "from tests.support.commands import spawn; print(spawn('sleep', '600', log='log').pid, flush=True); input()"
    environment = clean_environment({"PYTHONPATH": Path(__file__).parents[2]})
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, env=environment, **pipes) as killed:
        words = Path("/proc") / killed.stdout.readline().decode().strip() / "cmdline"
        wait_until(lambda: words.read_bytes() == b"sleep\x00600\x00", why="it does not start")
        killed.kill()

    wait_until(lambda: not words.exists() or not words.read_bytes(), why="it goes on")


def test_condition_that_never_comes_true_is_an_error_with_its_reason():
    with pytest.raises(AssertionError, match="because"):
        wait_until(lambda: False, within=0.1, why="because")


def test_port_is_free_each_time():
    assert 1024 < free_port() < 32768


def test_each_database_is_new(postgres):
    first, second = postgres.database(), postgres.database()
    with psycopg.connect(first, autocommit=True) as connection:
        connection.execute("CREATE TABLE here (id int)")

    with psycopg.connect(second) as connection:
        assert connection.execute("SELECT to_regclass('here')").fetchone() == (None,)
    copy = postgres.database(template=first)
    with psycopg.connect(copy) as connection:
        assert connection.execute("SELECT count(*) FROM here").fetchone() == (0,)
    postgres.drop(copy)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(copy)


def test_server_answers_until_it_is_stopped_and_again_after_a_kill(start_server):
    server = start_server()
    first = server.process

    server.kill()
    assert first.returncode == -9
    server.start()
    server.stop()

    assert server.process is None
    assert "Wharfinger" in server.log


def test_server_that_cannot_start_says_why(start_server):
    with pytest.raises(AssertionError, match="nonsense"):
        start_server(config="version: 0.1\nnonsense: true\n")
