# SPDX-License-Identifier: Apache-2.0
"""Clients that go away, a server that dies, and a server that is asked to stop while people work with it."""

import contextlib
import hashlib
import http.client
import socket
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.clients.programs import Repository
from tests.support import images
from tests.support.commands import wait_until
from tests.support.images import Blob
from tests.support.server import Server

MIB = 1024 * 1024
LAYER = Blob(images.noise("interrupted", 16 * MIB), "application/octet-stream")
HALF = 8 * MIB


@pytest.fixture
def server(request, start_server):
    """A registry of one's own, because these tests stop it; a parameter is its environment."""
    return start_server(environment=getattr(request, "param", None))


@pytest.fixture
def repository(server, name):
    repository = Repository(server.url, name)
    yield repository
    repository.close()


@pytest.fixture
def slowly(server):
    """Begin a request to the test's server that goes on piece by piece."""
    with contextlib.ExitStack() as begun:
        yield lambda *words: begun.enter_context(contextlib.closing(SlowRequest(server.port, *words)))


class SlowRequest:
    """A request whose body is sent, and whose answer is read, piece by piece.

    Args:
        port: of the server.
        method: of the request.
        target: an address that the server gave, or a path.
        length: how long the body will be; without it the request has none.
    """

    def __init__(self, port, method, target, length=None):
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._connection.connect()
        self._connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        self._connection.putrequest(method, httpx.URL(target).raw_path.decode())
        if length is not None:
            self._connection.putheader("Content-Type", "application/octet-stream")
            self._connection.putheader("Content-Length", str(length))
        self._connection.endheaders()
        self._answer = None

    def send(self, content):
        self._connection.send(content)

    def answer(self):
        """The beginning of the answer: its body is read by whoever asks."""
        self._answer = self._connection.getresponse()
        return self._answer

    def close(self):
        """Go away, with whatever was not yet sent or read."""
        if self._answer is not None:
            self._answer.close()
        self._connection.close()


def does_not_take_new_work(server):
    """Whether a server that was asked to stop has heard it."""
    try:
        with urllib.request.urlopen(f"{server.url}/readyz", timeout=2) as answer:
            return answer.status != 200
    except OSError:
        return True


def stored_bytes(server):
    total = 0
    for path in server.data.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def finish_from(repository, location, start):
    """Send what is missing of the layer, and check that the registry has all of it."""
    location = repository.append(location, LAYER.content[start:], start)
    repository.finish(location, LAYER.digest)
    assert hashlib.sha256(repository.get(f"blobs/{LAYER.digest}").content).hexdigest() in LAYER.digest


def test_upload_goes_on_after_the_server_was_killed(server, repository):
    location = repository.append(repository.start_upload(), LAYER.content[:HALF], 0)

    server.kill()
    server.start()

    progress, location = repository.progress(location)
    assert progress == HALF
    finish_from(repository, location, progress)


def test_upload_goes_on_after_the_server_was_killed_in_the_middle_of_a_chunk(server, repository, slowly):
    location = repository.append(repository.start_upload(), LAYER.content[:MIB], 0)
    chunk = slowly("PATCH", location, len(LAYER.content) - MIB)
    chunk.send(LAYER.content[MIB:HALF])
    wait_until(lambda: stored_bytes(server) > 2 * MIB, why="nothing of the chunk is stored")

    server.kill()
    chunk.close()
    server.start()

    progress, location = repository.progress(location)
    assert MIB <= progress <= HALF
    finish_from(repository, location, progress)


def test_upload_goes_on_after_the_client_went_away_in_the_middle_of_a_chunk(repository, slowly):
    location = repository.append(repository.start_upload(), LAYER.content[:MIB], 0)
    chunk = slowly("PATCH", location, len(LAYER.content) - MIB)
    chunk.send(LAYER.content[MIB:HALF])
    chunk.close()

    wait_until(lambda: repository.progress(location)[0] > MIB, why="nothing of the chunk was kept")
    progress, location = repository.progress(location)
    assert MIB < progress <= HALF
    finish_from(repository, location, progress)


def test_pull_that_runs_while_the_server_is_asked_to_stop_is_finished(server, repository, slowly):
    repository.push_blob(LAYER)
    pull = slowly("GET", f"/v2/{repository.name}/blobs/{LAYER.digest}")
    answer = pull.answer()
    received = answer.read(MIB)

    server.terminate()
    wait_until(lambda: does_not_take_new_work(server), why="the server goes on as if nobody had asked")
    received += answer.read()

    pull.close()
    assert received == LAYER.content
    server.wait_for_end()


def test_push_that_runs_while_the_server_is_asked_to_stop_is_finished(server, repository, slowly):
    location = repository.start_upload()
    push = slowly("PATCH", location, len(LAYER.content))
    push.send(LAYER.content[:HALF])

    server.terminate()
    wait_until(lambda: does_not_take_new_work(server), why="the server goes on as if nobody had asked")
    push.send(LAYER.content[HALF:])
    answer = push.answer()

    assert answer.status == 202
    location = answer.headers["Location"]
    push.close()
    server.wait_for_end()
    server.start()
    assert repository.progress(location)[0] == len(LAYER.content)
    repository.finish(location, LAYER.digest)


@pytest.mark.parametrize("server", [{"REGISTRY_HTTP_DRAINTIMEOUT": "2s"}], ids=["two-seconds"], indirect=True)
def test_client_that_never_finishes_does_not_keep_the_server_from_stopping(server, repository, slowly):
    location = repository.append(repository.start_upload(), LAYER.content[:MIB], 0)
    chunk = slowly("PATCH", location, len(LAYER.content) - MIB)
    chunk.send(LAYER.content[MIB:HALF])
    wait_until(lambda: stored_bytes(server) > 2 * MIB, why="nothing of the chunk is stored")

    server.terminate()
    server.wait_for_end(within=10)

    chunk.close()
    server.start()
    progress, location = repository.progress(location)
    assert MIB <= progress <= HALF
    finish_from(repository, location, progress)


@pytest.mark.parametrize("end", [Server.stop, Server.kill], ids=["stop", "kill"])
def test_everything_acknowledged_before_the_end_is_there_after_the_start(server, repository, end):
    acknowledged = []

    def push_until_refused():
        for number in range(10_000):
            image = images.image(f"acknowledged-{number}")
            repository.push(image, f"v{number}")
            acknowledged.append((f"v{number}", image))

    with ThreadPoolExecutor() as pool:
        pusher = pool.submit(push_until_refused)
        wait_until(lambda: len(acknowledged) >= 5, why="no push succeeds")
        end(server)
        assert isinstance(pusher.exception(timeout=30), httpx.TransportError)

    server.start()

    for tag, image in acknowledged:
        assert repository.digest(tag) == image.digest
        assert all(repository.has_blob(blob.digest) for blob in image.blobs)


def test_docker_push_outlives_a_restart_of_the_server(server, docker, name, tmp_path):
    reference = f"{server.host}/{name}:v1"
    image = images.image(name, layers=[{f"big-{n}": images.noise(f"{name}-{n}", 24 * MIB)} for n in range(3)])
    docker("load", "--input", images.write_docker_archive(tmp_path / "a.tar", {reference: image}))

    with ThreadPoolExecutor() as pool:
        push = pool.submit(docker, "push", reference, timeout=100)
        wait_until(lambda: stored_bytes(server) > 8 * MIB, why="the push does not begin")
        server.stop()
        assert not push.done()
        server.start()
        assert "digest: sha256:" in push.result(100).stdout

    docker("rmi", reference)
    docker("pull", reference)
