# SPDX-License-Identifier: Apache-2.0
"""`wharfinger verify`, `backup` and `restore` beside a running server: what they print, and what clients get then."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request

import httpx
import pytest

from tests.clients.programs import Repository
from tests.console.registry import requests
from tests.support import images
from tests.support.commands import clean_environment, tail, wait_until
from tests.support.server import COMMAND, Server, Servers
from tests.support.shell import run_wharfinger

NAME = "acme/app"
POSITION = "SELECT blobs FROM verifications WHERE finished_at IS NULL AND scope = 'everything'"
"""How far the one by hand is; the background has one of its own."""
KINDS = pytest.mark.parametrize("kind", ["sqlite", "postgresql"])


def wharfinger(server, *words):
    """Run a command with the settings of a server, to its end."""
    return run_wharfinger(*words, environment=server.environment, cwd=server.folder, timeout=120)


def succeed(server, *words):
    finished = wharfinger(server, *words)
    assert finished.status == 0, str(finished)
    return finished.stdout


def report(server, *words):
    """Return the status and the report of a verification."""
    finished = wharfinger(server, "verify", "--json", *words)
    return finished.status, json.loads(finished.stdout)


def status_of(server, path):
    try:
        with urllib.request.urlopen(f"{server.url}/v2/{NAME}/{path}", timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def push(server, seed, tag, *, layers=1):
    """Push an image of one-time content and return it."""
    trees = [{f"{seed}-{number}": images.noise(f"{seed}{number}", 300_000)} for number in range(layers)]
    image = images.image(seed, layers=trees)
    repository = Repository(server.url, NAME)
    try:
        repository.push(image, tag)
    finally:
        repository.close()
    return image


def assert_served(server, *pushed):
    """Pull everything of the images and compare it byte for byte."""
    for image in pushed:
        for path, content in (
            (f"manifests/{image.digest}", image.manifest.content),
            *((f"blobs/{blob.digest}", blob.content) for blob in image.blobs),
        ):
            request = urllib.request.Request(f"{server.url}/v2/{NAME}/{path}", headers={"Accept": "*/*"})
            with urllib.request.urlopen(request, timeout=10) as answer:
                assert answer.read() == content


def stored(server, content):
    """Return the file in which the store has these bytes."""
    files = (server.data / "wharfinger" / "blobs").rglob("*")
    (found,) = [path for path in files if path.is_file() and path.read_bytes() == content]
    return found


@pytest.fixture
def registry(request, start_server, postgres):
    """A server with two workers over the database that the test is run for."""
    kind = request.node.callspec.params["kind"]
    return start_server(workers=2, database=postgres.database() if kind == "postgresql" else None)


@KINDS
def test_bit_rot_is_found_is_404_in_every_worker_and_is_healed_by_a_push(registry, kind):
    image = push(registry, f"rot-{kind}", "v1")
    layer = image.layers[0]
    for _ in range(20):
        assert status_of(registry, f"blobs/{layer.digest}") == 200
    path = stored(registry, layer.content)
    path.write_bytes(bytes([layer.content[0] ^ 1]) + layer.content[1:])

    status, found = report(registry)

    assert status == 1
    (finding,) = found["findings"]
    assert (finding["kind"], finding["what"]) == ("blob-damaged", layer.digest)
    assert f"{NAME}:v1" in finding["detail"]
    assert {status_of(registry, f"blobs/{layer.digest}") for _ in range(20)} == {404}
    push(registry, f"rot-{kind}", "v1")
    assert_served(registry, image)
    assert path.exists()
    assert report(registry)[0] == 0


@KINDS
def test_the_report_for_people_says_what_is_wrong_and_what_to_do(registry, kind):
    image = push(registry, f"words-{kind}", "v1")
    assert succeed(registry, "verify").startswith("✓ all sound: 2 blobs (")
    stored(registry, image.layers[0].content).unlink()
    finished = wharfinger(registry, "verify")
    assert finished.status == 1
    assert f"✗ blob-missing {image.layers[0].digest}" in finished.stdout
    assert "push the image again" in finished.stdout
    assert "✗ 1 finding in 2 blobs" in finished.stdout


def test_what_cannot_be_verified_ends_with_two(start_server, tmp_path):
    server = start_server()
    bad = tmp_path / "config.yml"
    bad.write_text("version: 0.1\nstorrage: {}\n")
    for words in (
        ("--rate", "0"),
        ("--rate", "fast"),
        ("--digest", "sha256:short"),
        ("--repository", "UPPER"),
        ("--bury-orphans", "--repository", NAME),
        ("--config", str(bad)),
    ):
        finished = wharfinger(server, "verify", *words)
        assert finished.status == 2, str(finished)
        assert "Traceback" not in finished.output
    shutil.move(server.data / "wharfinger" / "blobs", tmp_path / "unmounted")
    push_status = wharfinger(server, "verify")
    assert push_status.status == 2, str(push_status)
    shutil.move(tmp_path / "unmounted", server.data / "wharfinger" / "blobs")
    assert wharfinger(server, "verify").status == 0


def test_an_interrupted_verification_goes_on_where_it_was(start_server):
    server = start_server()
    for number in range(20):  # a minute's work at that rate
        push(server, f"interrupted-{number}", f"v{number}")
    process = subprocess.Popen(
        [COMMAND[0], "verify", "--rate", "100KiB/s", "--json"],
        env=clean_environment(server.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: _position(server) > 0, within=60, why="it does not begin")
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=30)
    assert process.returncode == 2, complaint
    assert "goes on from here" in complaint
    before = _position(server)
    status, found = report(server)
    assert status == 0
    assert found["checked"]["blobs"] == 40
    assert before > 0


def test_a_verification_is_stopped_by_another_command_and_goes_on_where_it_was(start_server):
    server = start_server()
    for number in range(4):
        push(server, f"stopped-{number}", f"v{number}")
    words = [COMMAND[0], "verify", "--rate", "100KiB/s"]
    environment = clean_environment(server.environment)
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: _position(server) > 0, within=60, why="it does not begin")
        assert "(everything) stops" in succeed(server, "verify", "--stop")
        _, complaint = process.communicate(timeout=30)
    assert process.returncode == 2, complaint
    assert "somebody had it stopped" in complaint
    assert _position(server) > 0
    status, found = report(server)
    assert (status, found["checked"]["blobs"]) == (0, 8)
    assert "nothing is being verified" in succeed(server, "verify", "--stop")


def _position(server):
    connection = sqlite3.connect(server.data / "wharfinger" / "wharfinger.db", timeout=30)
    try:
        row = connection.execute(POSITION).fetchone()
    finally:
        connection.close()
    return row[0] if row else 0


@pytest.mark.parametrize(
    ("kind", "target"),
    [("sqlite", "sqlite"), ("sqlite", "postgresql"), ("postgresql", "sqlite"), ("postgresql", "postgresql")],
)
def test_a_backup_of_a_running_registry_serves_the_same_elsewhere(registry, kind, target, tmp_path, postgres):
    first = push(registry, f"backup-{kind}-{target}", "v1", layers=3)
    folder = tmp_path / "backups"
    assert "copied" in succeed(registry, "backup", str(folder))
    second = push(registry, f"later-{kind}-{target}", "v2")
    assert ", 4 were there already" in succeed(registry, "backup", str(folder))
    assert "is whole: 6 blobs" in succeed(registry, "restore", str(folder), "--check")

    servers = Servers(tmp_path / "elsewhere")
    other = servers(database=postgres.database() if target == "postgresql" else None)
    other.stop()
    assert "verified: everything is there" in succeed(other, "restore", str(folder))
    other.start()
    assert_served(other, first, second)
    push(other, f"after-{kind}-{target}", "v3")
    assert wharfinger(other, "verify").status == 0
    servers.stop()


@KINDS
def test_a_registry_that_runs_or_is_not_empty_is_not_restored_over(registry, kind, tmp_path):
    image = push(registry, f"running-{kind}", "v1")
    folder = tmp_path / "backups"
    succeed(registry, "backup", str(folder))
    for words in ((), ("--replace",)):
        finished = wharfinger(registry, "restore", str(folder), *words)
        assert finished.status == 1
        assert "Traceback" not in finished.output
    assert_served(registry, image)
    registry.stop()
    assert "--replace" in wharfinger(registry, "restore", str(folder)).stderr
    succeed(registry, "restore", str(folder), "--replace")
    registry.start()
    assert_served(registry, image)


def test_a_lost_database_comes_back_beside_the_blobs_that_are_still_there(start_server, tmp_path):
    server = start_server()
    image, folder = push(server, "lost-database", "v1"), tmp_path / "backups"
    succeed(server, "backup", str(folder))
    later = push(server, "after-backup", "v2")
    server.stop()
    for path in (server.data / "wharfinger").glob("wharfinger.db*"):
        path.unlink()
    (server.data / "wharfinger" / "wharfinger.db-wal").write_bytes(b"left by a crash")
    finished = wharfinger(server, "restore", str(folder))
    assert finished.status == 1, str(finished)  # what was pushed later is named by no row now
    status, found = report(server)
    assert status == 1
    assert {one["kind"] for one in found["findings"]} == {"orphan"}
    server.start()
    assert_served(server, image)
    push(server, "after-backup", "v2")
    assert_served(server, later)


def test_lost_blobs_come_back_from_the_backup(start_server, tmp_path):
    server = start_server()
    image, folder = push(server, "lost-blobs", "v1", layers=2), tmp_path / "backups"
    succeed(server, "backup", str(folder))
    server.stop()
    shutil.rmtree(server.data / "wharfinger" / "blobs")
    succeed(server, "restore", "--replace", str(folder))
    server.start()
    assert_served(server, image)


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_a_command_that_is_killed_at_any_time_leaves_something_to_go_on_with(start_server, tmp_path, command):
    server = start_server()
    pushed = [push(server, f"{command}-killed-{number}", f"v{number}", layers=3) for number in range(4)]
    folder = tmp_path / "backups"
    if command == "restore":
        succeed(server, "backup", str(folder))
        server.stop()
        shutil.rmtree(server.data)
    words = [command, "--rate", "2MiB/s", str(folder)]
    for delay in (0.2, 0.5, 0.9, 1.4):
        process = subprocess.Popen(
            [COMMAND[0], *words],
            env=clean_environment(server.environment),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(lambda: _has_begun(server, folder, command), within=30, why="it does not begin")
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        if command == "backup":
            _end_hold(server)
            assert not list(folder.glob("backups/*/backup"))
        else:
            assert not (server.data / "wharfinger" / "wharfinger.db").exists()
    succeed(server, command, str(folder))
    if command == "backup":
        server.stop()
        shutil.rmtree(server.data)
        succeed(server, "restore", str(folder))
    server.start()
    assert_served(server, *pushed)
    assert wharfinger(server, "verify").status == 0, tail(server.log_path)


def _has_begun(server, folder, command):
    where = folder / "blobs" if command == "backup" else server.data / "wharfinger" / "blobs"
    return where.exists() and any(path.is_file() for path in where.rglob("*"))


def _end_hold(server):
    """Have ten minutes pass for the hold of a backup that was killed."""
    connection = sqlite3.connect(server.data / "wharfinger" / "wharfinger.db", timeout=30)
    try:
        connection.execute("UPDATE holds SET until = 0")
        connection.commit()
    finally:
        connection.close()


def test_the_secret_goes_along_unless_it_is_left_out(start_server, tmp_path):
    server = start_server(deletion=None)
    secret = server.data / "wharfinger" / "secret"
    secret.write_bytes(os.urandom(32))
    secret.chmod(0o600)
    content = secret.read_bytes()
    without = wharfinger(server, "backup", "--without-secret", str(tmp_path / "without"))
    assert str(secret) in without.stderr
    succeed(server, "backup", str(tmp_path / "with"))
    server.stop()
    for folder, expected in (("without", False), ("with", True)):
        shutil.rmtree(server.data)
        succeed(server, "restore", str(tmp_path / folder))
        assert secret.exists() == expected
    assert secret.read_bytes() == content
    assert secret.stat().st_mode & 0o777 == 0o600
    server.start()


def test_old_backups_go_and_the_list_shows_those_that_stay(start_server, tmp_path):
    server = start_server()
    folder = tmp_path / "backups"
    for number in range(3):
        push(server, f"kept-{number}", "v1")
        succeed(server, "backup", "--keep", "2", str(folder))
        time.sleep(1.1)  # ids tell seconds
    listed = succeed(server, "backup", "--list", str(folder)).splitlines()
    assert len(listed) == 3
    older = listed[1].split()[0]
    finished = wharfinger(server, "restore", "--check", "--backup", older, str(folder))
    assert "is whole: 4 blobs" in finished.stdout
    assert (
        wharfinger(server, "restore", "--check", "--backup", "20010101T000000.000000Z-000000", str(folder)).status == 1
    )


def test_every_registry_gets_its_bytes_back_in_its_own_storage(tmp_path):
    def settings(place):
        return {
            "REGISTRY_STORAGES_0_NAME": "team",
            "REGISTRY_STORAGES_0_ROOTDIRECTORY": str(tmp_path / place / "team"),
            "REGISTRY_REGISTRIES_PUBLICDOMAIN": "registry.test",
        }

    def manifest(server):
        """Ask the other registry for the image's manifest."""
        with httpx.Client(base_url=server.url, headers={"host": "team.registry.test"}, trust_env=False) as http:
            return http.get(f"/v2/{NAME}/manifests/v1", headers={"accept": image.manifest.media_type})

    image = images.image("in a storage of its own", layers=[{"file": b"content"}])
    with Server(tmp_path / "one", environment=settings("one")) as one:
        succeed(one, "registry", "create", "team", "--storage", "team")
        with httpx.Client(base_url=one.url, headers={"host": "team.registry.test"}, trust_env=False) as http:
            for method, path, content, media_type in requests(NAME, image, "v1"):
                answer = http.request(method, path, content=content, headers={"content-type": media_type})
                assert answer.status_code == 201, answer.text
        succeed(one, "backup", str(tmp_path / "backups"))

    undeclared = Server(tmp_path / "two", environment={}).start()
    undeclared.stop()
    refused = wharfinger(undeclared, "restore", str(tmp_path / "backups"))
    assert refused.status == 1
    assert "the registry team of the backup has the storage team" in " ".join(refused.stderr.split())

    with Server(tmp_path / "three", environment=settings("three")) as three:
        pass
    assert "verified: everything is there" in succeed(three, "restore", str(tmp_path / "backups"))
    with three:
        assert manifest(three).content == image.manifest.content
        assert report(three, "--registry", "team")[0] == 0
        bytes_of_team = [path for path in (tmp_path / "three" / "team").rglob("*") if path.is_file()]
        lost = [path for path in bytes_of_team if path.parent.name != "own"]
    assert len(lost) == len(image.blobs)
    for path in lost:
        path.unlink()
    succeed(three, "restore", str(tmp_path / "backups"), "--replace")
    assert all(path.is_file() for path in lost)
