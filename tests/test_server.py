# SPDX-License-Identifier: Apache-2.0
"""The processes of a node: how they listen, count, log, survive and end."""

import contextlib
import hashlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from tests.support.commands import clean_environment, free_port, run, spawn, tail, wait_until
from tests.support.postgres import PostgreSQL
from tests.support.processes import background, command_line, family, is_running, listeners
from tests.support.server import COMMAND
from wharfinger.server import MAX_FILES, metrics_folder

TRIES = 50


def client(server, **options):
    return httpx.Client(base_url=server.url, trust_env=False, timeout=30, **options)


def push(http, content, name="acme/app"):
    """Upload a blob in one request and return its digest."""
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    answer = http.post(f"/v2/{name}/blobs/uploads/", params={"digest": digest}, content=content)
    assert answer.status_code == 201, answer.text
    return digest


def test_an_idle_server_ends_within_ten_seconds(start_server):
    server = start_server(workers=2)
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 10


def test_a_worker_that_is_killed_is_replaced_and_nothing_acknowledged_is_lost(start_server):
    server = start_server(workers=2)
    with client(server) as http:
        digests = [push(http, f"before {number}".encode()) for number in range(5)]
    workers = wait_until(
        lambda: (found := listeners(server.process.pid, server.port)) and len(found) == 2 and found, why="two workers"
    )
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    wait_until(
        lambda: len(set(listeners(server.process.pid, server.port)) - set(workers)) == 2,
        why=lambda: f"nobody replaces a worker:\n{tail(server.log_path)}",
    )
    with client(server) as http:
        digests.append(push(http, b"after"))
        for digest in digests:
            answer = http.get(f"/v2/acme/app/blobs/{digest}")
            assert f"sha256:{hashlib.sha256(answer.content).hexdigest()}" == digest


def test_background_jobs_that_are_killed_alone_are_started_again_and_end_with_the_server(start_server):
    soon = {"AGE": "1s", "INTERVAL": "1s"}
    purging = {f"REGISTRY_STORAGE_MAINTENANCE_UPLOADPURGING_{name}": value for name, value in soon.items()}
    server = start_server(environment=purging)
    (jobs,) = background(server.process.pid, server.port)
    os.kill(jobs, signal.SIGKILL)
    with client(server) as http:
        location = http.post("/v2/acme/app/blobs/uploads/").headers["location"]
        wait_until(
            lambda: http.get(location).status_code == 404,
            within=30,
            why=lambda: f"nobody ends an upload whose time is over:\n{tail(server.log_path)}",
        )
    assert "a process ended by itself; it is started again" in server.log
    (again,) = background(server.process.pid, server.port)
    assert again != jobs
    server.stop()
    assert not is_running(again)


def test_nothing_is_left_behind_when_the_main_process_is_killed(start_server):
    server = start_server(workers=2)
    below = family(server.process.pid)
    assert len(below) >= 3
    server.process.kill()
    server.process.wait()
    try:
        wait_until(
            lambda: not any(is_running(pid) for pid in below),
            within=20,
            why=lambda: "still running: " + "\n".join(command_line(pid) for pid in below if is_running(pid)),
        )
    finally:
        server.kill()


def test_without_jobs_there_is_one_process_less(tmp_path):
    counts = {}
    for words in ((), ("--no-work",)):
        with serving(tmp_path / f"with{words}", *words) as (process, http):
            assert http.get("/readyz").status_code == 200
            counts[words] = len(family(process.pid))
    assert counts[()] == counts["--no-work",] + 1


@contextlib.contextmanager
def serving(folder, *words, scheme="http", transport=None, verify=True, **environment):
    """Run a server that is not reached as every other one is; stopped in good order in the end."""
    folder.mkdir()
    port = free_port()
    variables = {
        "REGISTRY_HTTP_ADDR": f"127.0.0.1:{port}",
        "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(folder / "data"),
        "REGISTRY_HTTP_WORKERS": "1",
        **environment,
    }
    log = folder / "log"
    socket_path = Path(variables["REGISTRY_HTTP_ADDR"])
    process = spawn(*COMMAND, *words, log=log, environment=variables, cwd=folder)
    url = f"{scheme}://127.0.0.1:{port}" if transport is None else "http://registry.test"
    try:
        with httpx.Client(base_url=url, trust_env=False, transport=transport, verify=verify, timeout=30) as http:
            if transport is not None:
                wait_until(lambda: _is_listening(socket_path), within=60, why=lambda: tail(log))
            wait_until(lambda: process.poll() is not None or _is_ready(http), within=60, why=lambda: tail(log))
            assert process.poll() is None, tail(log)
            yield process, http
        process.terminate()
        assert process.wait(20) == 0, tail(log)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _is_listening(path):
    with socket.socket(socket.AF_UNIX) as attempt, contextlib.suppress(OSError):
        attempt.connect(str(path))
        return True
    return False


def _is_ready(http):
    with contextlib.suppress(httpx.HTTPError):
        return http.get("/readyz").status_code == 200
    return False


def test_a_unix_socket_is_listened_at(tmp_path):
    path = str(tmp_path / "s")
    variables = {"REGISTRY_HTTP_NET": "unix", "REGISTRY_HTTP_ADDR": path}
    with serving(tmp_path / "unix", transport=httpx.HTTPTransport(uds=path), **variables) as (_, http):
        assert http.get("/v2/").status_code == 200
        digest = push(http, b"content")
        assert http.get(f"/v2/acme/app/blobs/{digest}").content == b"content"


def test_a_certificate_makes_it_https(tmp_path):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    words = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=registry"]
    run(
        "openssl", "req", "-x509", *words, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate
    )
    trusted = ssl.create_default_context(cafile=certificate)
    variables = {"REGISTRY_HTTP_TLS_CERTIFICATE": certificate, "REGISTRY_HTTP_TLS_KEY": key}
    with serving(tmp_path / "tls", scheme="https", verify=trusted, **variables) as (_, http):
        assert http.get("/v2/").status_code == 200
        location = http.post("/v2/acme/app/blobs/uploads/").headers["location"]
        assert not location.startswith("http://")
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"http://127.0.0.1:{http.base_url.port}/v2/", trust_env=False)


def sample(text, name, **labels):
    """Return the value of one series in Prometheus' text format."""
    found = 0.0
    for line in text.splitlines():
        if line.startswith(name) and all(f'{label}="{value}"' in line for label, value in labels.items()):
            found += float(line.rpartition(" ")[2])
    return found


def test_metrics_are_summed_over_the_workers(start_server):
    server = start_server(workers=2)
    for _ in range(TRIES):  # a connection each, so that both workers have some
        with client(server) as http:
            assert http.get("/v2/").status_code == 200
    with client(server) as http:
        labels = {"route": "/", "method": "GET", "status": "200"}

        def counted():
            return sample(http.get("/metrics").text, "wharfinger_http_request_duration_seconds_count", **labels)

        # What another worker counted is there a moment later: each hands over its sums now and then.
        wait_until(lambda: counted() == TRIES, why=lambda: f"{counted()} of {TRIES}")


def test_the_debug_listener_serves_metrics_and_health(start_server):
    address = f"127.0.0.1:{free_port()}"
    variables = {"REGISTRY_HTTP_DEBUG_ADDR": address, "REGISTRY_HTTP_DEBUG_PROMETHEUS_ENABLED": "true"}
    server = start_server(environment=variables)
    with client(server) as http:
        push(http, b"content")
    with httpx.Client(base_url=f"http://{address}", trust_env=False, timeout=30) as http:
        wait_until(lambda: _is_ready(http), why=lambda: tail(server.log_path))
        labels = {"method": "POST", "status": "201"}

        def pushed():
            return sample(http.get("/metrics").text, "wharfinger_http_request_duration_seconds_count", **labels)

        wait_until(lambda: pushed() == 1, why=lambda: tail(server.log_path))
        assert http.get("/debug/health").json() == {"ready": True, "problems": {}}
        assert http.get("/v2/").status_code == 404


HOSTILE = (
    b"GET /v2/%0a%0d\xff\xfe%22level=error HTTP/1.1\r\nHost: registry\r\n"
    b'User-Agent: evil "quoted" \\back\tslash \xe9\xff level=error\r\nConnection: close\r\n\r\n'
)


@pytest.mark.parametrize("form", ["text", "json", "logstash"])
def test_a_hostile_request_is_one_line_of_the_log(start_server, form):
    server = start_server(environment={"REGISTRY_LOG_FORMATTER": form})
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        connection.sendall(HOSTILE)
        received = b""
        while piece := connection.recv(65_536):
            received += piece
    with client(server) as http:
        name = http.get("/v2/").headers["x-request-id"]
    wait_until(lambda: name in server.log, why="a line of the request")
    requests = [line for line in server.log_path.read_bytes().split(b"\n") if b"evil" in line]
    assert received.startswith(b"HTTP/1.1 4")
    assert len(requests) == (1 if b"x-request-id" in received.lower() else 0)
    for line in requests:
        assert not any(byte < 0x20 for byte in line)
        if form != "text":
            assert json.loads(line)["level"] == "info"
    if form != "text":
        lines = [line for line in server.log.splitlines() if line.startswith("{")]
        assert all(json.loads(line) for line in lines)


def test_a_database_that_goes_away_makes_it_unavailable_until_it_comes_back(start_server):
    with PostgreSQL() as cluster:
        server = start_server(database=cluster.database())
        with client(server) as http:
            digest = push(http, b"content")
            cluster.pause()
            answer = http.get(f"/v2/acme/app/blobs/{digest}")
            assert answer.status_code == 503, answer.text
            assert answer.json()["errors"][0]["code"] == "UNAVAILABLE"
            assert int(answer.headers["retry-after"]) > 0
            assert http.post("/v2/acme/app/blobs/uploads/").status_code == 503
            wait_until(lambda: http.get("/readyz").status_code == 503, why="readiness notices")
            assert "database" in http.get("/readyz").json()["problems"]
            assert http.get("/livez").status_code == 200
            cluster.recover()
            wait_until(lambda: http.get("/readyz").status_code == 200, why="readiness recovers")
            assert http.get(f"/v2/acme/app/blobs/{digest}").content == b"content"
            push(http, b"more content")
        assert "Traceback" not in server.log
        server.stop()


def test_two_nodes_over_one_database_see_each_other(tmp_path, start_server, postgres):
    database = postgres.database()
    environment = {"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(tmp_path / "shared")}
    first, second = (start_server(database=database, environment=environment) for _ in range(2))
    with client(first) as http:
        digest = push(http, b"content")
    with client(second) as http:
        assert http.get(f"/v2/acme/app/blobs/{digest}").content == b"content"


def test_a_server_that_is_started_again_goes_on_where_it_was(start_server):
    server = start_server()
    with client(server) as http:
        location = http.post("/v2/acme/app/blobs/uploads/").headers["location"]
        answer = http.patch(location, content=b"1234")
        assert answer.status_code == 202
    server.kill()
    server.start()
    digest = f"sha256:{hashlib.sha256(b'12345678').hexdigest()}"
    with client(server) as http:
        answer = http.put(answer.headers["location"], params={"digest": digest}, content=b"5678")
        assert answer.status_code == 201, answer.text
        assert http.get(f"/v2/acme/app/blobs/{digest}").content == b"12345678"


def test_a_start_without_a_network_address_uses_the_default():
    """The command alone, with nothing set: `serve --help` says what it would do."""
    done = subprocess.run(
        [COMMAND[0], "serve", "--help"], capture_output=True, text=True, env=clean_environment(), check=True
    )
    assert "--no-work" in done.stdout


def test_below_a_prefix_only_probes_answer_outside_it(start_server):
    server = start_server(environment={"REGISTRY_HTTP_PREFIX": "/registry/"})
    with client(server) as http:
        assert http.get("/registry/v2/").status_code == 200
        refused = http.get("/v2/")
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (404, "UNSUPPORTED")
        assert http.get("/").status_code == 404
        assert http.get("/registry/").status_code == 200
        for path in ("/livez", "/readyz", "/metrics"):
            assert http.get(path).status_code == http.get(f"/registry{path}").status_code == 200


def test_what_a_killed_node_counted_in_is_swept_by_the_next_one(tmp_path, monkeypatch):
    monkeypatch.setattr(metrics_folder, "_SHARED_MEMORY", tmp_path)
    left = tmp_path / "wharfinger-metrics-left"
    young = tmp_path / "wharfinger-metrics-young"
    for folder in (left, young):
        folder.mkdir()
        (folder / "counter_1.db").write_bytes(b"count")
    os.utime(left, (0, 0))
    with metrics_folder.counting_folder() as first:
        os.utime(first, (0, 0))
        assert not left.exists()
        assert young.exists()
        with metrics_folder.counting_folder() as second:
            assert Path(first).exists(), "it belongs to a node that lives"
    assert not Path(first).exists()
    assert not Path(second).exists()


def test_metrics_are_counted_on_disk_where_shared_memory_has_no_room(tmp_path, monkeypatch):
    monkeypatch.setattr(metrics_folder, "_SHARED_MEMORY", tmp_path / "missing")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with metrics_folder.counting_folder() as folder:
        assert Path(folder).parent == tmp_path


def test_a_server_may_open_more_files_than_a_shell_allows(start_server):
    server = start_server(jobs=False)
    for pid in listeners(server.process.pid, server.port):
        limits = Path(f"/proc/{pid}/limits").read_text()
        soft, hard = re.search(r"^Max open files\s+(\d+)\s+(\d+)", limits, re.MULTILINE).groups()
        assert int(soft) == min(int(hard), MAX_FILES)
