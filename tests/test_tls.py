# SPDX-License-Identifier: Apache-2.0
"""TLS of our own: the command that makes a certificate, starts that are refused, and new certificates while it runs."""

import hashlib
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import yaml

from tests.support.accounts import Office
from tests.support.commands import clean_environment, free_port, run, tail, wait_until
from tests.support.server import COMMAND
from tests.support.tls import SecureServer, number_of, self_signed
from wharfinger.clock import DAY, Clock, Instant
from wharfinger.security.certificates import Name, make_self_signed, write_self_signed

WHARFINGER = COMMAND[0]
MEBIBYTE = 1024 * 1024
BIG = 48 * MEBIBYTE
"""More than the kernel keeps for a client that does not read."""
WITHIN = 100
"""Seconds to wait. The guide promises a minute; this is for a machine that runs many tests."""


# --- the command -----------------------------------------------------------------------------------------------------


def command(*words, **options):
    return run(WHARFINGER, "certificate", "self-signed", *words, check=False, **options)


def test_the_command_prints_what_to_do_next(tmp_path):
    printed = self_signed(tmp_path, "registry.local:5000", "192.0.2.2", "*.example.org", "[::1]:5000")
    settings = yaml.safe_load(re.search(r"^http:\n(  .*\n)+", printed, re.MULTILINE)[0])
    tls = settings["http"]["tls"]
    assert tls == {"certificate": f"{tmp_path}/registry.crt", "key": f"{tmp_path}/registry.key"}
    copies = [shlex.split(line) for line in printed.splitlines() if line.startswith("install ")]
    hosts = ["registry.local:5000", "192.0.2.2", "registry.example.org", "[::1]:5000"]
    folders = ("/etc/docker/certs.d", "/etc/containers/certs.d")
    assert [words[-1] for words in copies] == [f"{folder}/{host}/ca.crt" for folder in folders for host in hosts]
    assert {words[-2] for words in copies} == {f"{tmp_path}/registry.crt"}


def test_a_line_that_was_printed_does_what_it_says(tmp_path):
    folder = tmp_path / "a folder with 'quotes'"
    printed = self_signed(folder, "registry.local:5000")
    assert yaml.safe_load(re.search(r"^http:\n(  .*\n)+", printed, re.MULTILINE)[0])["http"]["tls"]["key"] == str(
        folder / "registry.key"
    )
    line = next(line for line in printed.splitlines() if "/etc/docker" in line)
    run("sh", "-c", line.replace("/etc/docker", str(tmp_path / "docker")))
    copied = tmp_path / "docker" / "certs.d" / "registry.local:5000" / "ca.crt"
    assert copied.read_bytes() == (folder / "registry.crt").read_bytes()


def test_what_is_there_is_replaced_only_by_force(tmp_path):
    self_signed(tmp_path, "registry.local")
    before = (tmp_path / "registry.crt").read_bytes()
    refused = command("registry.local", "--folder", tmp_path)
    assert (refused.status, "--force" in refused.stderr) == (1, True), str(refused)
    assert (tmp_path / "registry.crt").read_bytes() == before
    self_signed(tmp_path, "registry.local", force=True)
    assert (tmp_path / "registry.crt").read_bytes() != before


@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        (["https://registry.local"], 1, "write only its host"),
        (["registry.local", "a..b"], 1, "no host name"),
        (["registry.local", "--days", "826"], 2, "825"),
        (["registry.local", "--days", "0"], 2, "days"),
        ([], 2, "NAME"),
        (["registry.local", "--folder", "/dev/null/x"], 1, "/dev/null"),
    ],
)
def test_the_command_refuses_what_it_cannot_make(tmp_path, words, status, reason):
    refused = command(*words, cwd=tmp_path, environment={"COLUMNS": "300"})
    assert (refused.status, "Traceback" in refused.output) == (status, False), str(refused)
    assert reason in refused.stderr, str(refused)
    assert list(tmp_path.iterdir()) == []


def test_neither_the_command_line_nor_the_server_waits_for_certificates_that_it_has_not():
    late = {"wharfinger.security.certificates", "wharfinger.security.pairs", "wharfinger.server.tls"}
    program = f"import sys, wharfinger.cli.serving; print(*({late!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=clean_environment()
    )
    assert done.stdout.split() == []


# --- starts ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path):
    """Return a function that writes a pair; it begins that many days from now and lasts for 30."""

    def write(begin=0):
        now = Instant(Clock().now() + begin * DAY)
        return write_self_signed(make_self_signed([Name.parse("r")], days=30, now=now), tmp_path, force=True)

    return write


@pytest.fixture
def start(tmp_path):
    """Run a command that is expected to end, with the pair of the test."""

    def call(word):
        environment = {
            "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": tmp_path / "data",
            "REGISTRY_HTTP_ADDR": f"127.0.0.1:{free_port()}",
            "REGISTRY_HTTP_TLS_CERTIFICATE": tmp_path / "registry.crt",
            "REGISTRY_HTTP_TLS_KEY": tmp_path / "registry.key",
            "COLUMNS": "300",
        }
        return run(WHARFINGER, word, check=False, environment=environment, cwd=tmp_path)

    return call


def _exchange(key, certificate):
    kept = key.read_bytes()
    key.write_bytes(certificate.read_bytes())
    certificate.write_bytes(kept)


SPOILED = {
    "missing": (lambda key, _: key.unlink(), r"registry\.key cannot be read: No such file"),
    "foreign": (lambda key, _: key.write_bytes(make_self_signed([Name.parse("r")], days=1, now=Clock().now()).key), ""),
    "cut off": (lambda _, certificate: os.truncate(certificate, 300), r"registry\.crt is incomplete"),
    "exchanged": (_exchange, r"registry\.crt holds a key"),
}


@pytest.mark.parametrize("word", ["serve", "check"])
@pytest.mark.parametrize("case", SPOILED)
def test_a_pair_that_cannot_be_used_is_said_in_a_sentence(files, start, tmp_path, word, case):
    spoil, reason = SPOILED[case]
    spoil(*files())
    done = start(word)
    assert (done.status, "Traceback" in done.output) == (1, False), str(done)
    assert re.search(reason or r"registry\.key is not the key of the certificate in .*registry\.crt", done.stderr)
    assert "http.tls: " in done.stderr
    if word == "serve":
        assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("word", ["serve", "check"])
def test_a_certificate_that_has_expired_is_refused(files, start, word):
    files(begin=-31)
    done = start(word)
    assert (done.status, "Traceback" in done.output) == (1, False), str(done)
    assert "the certificate has expired on " in done.stderr


@pytest.mark.parametrize(("begin", "words"), [(-20, "expires on "), (2, "not valid before "), (0, None)])
def test_a_certificate_whose_time_is_near_is_a_warning(files, start, begin, words):
    files(begin=begin)
    done = start("check")
    assert done.status == 0, str(done)
    assert (words in done.stderr) if words else (done.stderr == ""), str(done)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["rsa:2048", "rsa:4096", "ec:P-384", "ed25519"])
def test_the_server_speaks_with_every_kind_of_key_that_it_takes(tmp_path, kind):
    folder = tmp_path / "certificates"
    folder.mkdir()
    name, _, curve = kind.partition(":")
    words = [name, "-pkeyopt", f"ec_paramgen_curve:{curve}"] if name == "ec" else [kind]
    files = ("-keyout", folder / "registry.key", "-out", folder / "registry.crt")
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    run("openssl", "req", "-x509", "-newkey", *words, "-nodes", *names, *files)
    with SecureServer(tmp_path) as server, server.connect():
        assert server.shown() == server.number


# --- a new certificate -----------------------------------------------------------------------------------------------


@pytest.fixture
def start_secure(tmp_path):
    """Start servers with TLS; those that still run are stopped in good order."""
    started = []

    def call(**options):
        server = SecureServer(tmp_path / f"server-{len(started)}", **options)
        started.append(server)
        return server.start()

    yield call
    for server in started:
        server.stop()


def workers(server):
    """Return the ids of the processes that hold a socket that listens at the server's port."""
    inodes = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[1].endswith(f":{server.port:04X}") and words[3] == "0A":
            inodes.add(f"socket:[{words[9]}]")
    pid = server.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {int(child) for child in children if inodes & _sockets(child)}


def all_workers(server, count):
    """Return the workers once all of them listen: a server is ready when the first one is."""
    return wait_until(
        lambda: len(found := workers(server)) == count and found, within=WITHIN, why=lambda: tail(server.log_path)
    )


def _sockets(pid):
    try:
        return {str(one.readlink()) for one in Path(f"/proc/{pid}/fd").iterdir()}
    except FileNotFoundError:
        return set()


def is_there(pid):
    return Path(f"/proc/{pid}").exists()


def wait_for(server, number, instead_of):
    """Wait until nobody listens any more but workers that came after these, and see what certificate they show."""
    wait_until(
        lambda: (found := workers(server)) and not found & instead_of,
        within=WITHIN,
        why=lambda: f"the certificate does not come:\n{tail(server.log_path)}",
    )
    assert server.shown() == number


def wait_for_log(server, words):
    wait_until(lambda: words in server.log, within=WITHIN, why=lambda: f"no {words!r}:\n{tail(server.log_path)}")


def push(server, content):
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    with httpx.Client(base_url=server.url, verify=server.trust(), trust_env=False, timeout=30) as client:
        answer = client.post("/v2/acme/app/blobs/uploads/", params={"digest": digest}, content=content)
        assert answer.status_code == 201, answer.text
    return digest


def begin(connection, method, path, length=0):
    """Send the head of a request."""
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\nConnection: close\r\n"
    connection.sendall(f"{head}Content-Type: application/octet-stream\r\n\r\n".encode())


def rest(connection):
    """Receive until the end."""
    pieces = []
    while piece := connection.recv(MEBIBYTE):
        pieces.append(piece)
    return b"".join(pieces)


@pytest.mark.slow
def test_a_new_certificate_is_shown_and_requests_in_flight_go_on(start_secure):
    server = start_secure(workers=2)
    content = os.urandom(BIG)
    digest = push(server, content)
    with httpx.Client(base_url=server.url, verify=server.trust(), trust_env=False, timeout=30) as client:
        location = client.post("/v2/acme/app/blobs/uploads/").headers["location"]
    before, old = all_workers(server, 2), server.shown()
    assert old == server.number
    with server.connect() as download, server.connect() as upload:
        begin(download, "GET", f"/v2/acme/app/blobs/{digest}")
        received = download.recv(1024)
        begin(upload, "PATCH", location, 2 * MEBIBYTE)
        upload.sendall(content[:MEBIBYTE])

        server.renew()
        wait_for(server, server.number, before)

        assert server.number != old
        upload.sendall(content[MEBIBYTE : 2 * MEBIBYTE])
        assert rest(upload).startswith(b"HTTP/1.1 202 ")
        assert any(is_there(worker) for worker in before), "nobody is left to serve the download"
        received += rest(download)
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert f"sha256:{hashlib.sha256(body).hexdigest()}" == digest
    wait_until(lambda: not any(is_there(worker) for worker in before), why="old workers stay for ever")
    assert not all_workers(server, 2) & before


@pytest.mark.slow
def test_a_pair_that_does_not_fit_is_not_taken_and_the_next_one_is(start_secure):
    server = start_secure(workers=1)
    old, before = server.shown(), all_workers(server, 1)
    new = make_self_signed([Name.parse("localhost")], days=30, now=Clock().now())
    (server.certificates / "registry.crt").write_bytes(new.certificate)
    wait_for_log(server, "is not the key of the certificate")
    assert (server.shown(), workers(server)) == (old, before)

    for worker in before:  # the one that is started in its place must not read the files either
        os.kill(worker, signal.SIGKILL)
    wait_until(lambda: workers(server) - before, within=WITHIN, why=lambda: tail(server.log_path))
    assert server.shown() == old

    before = workers(server)
    (server.certificates / "registry.key").write_bytes(new.key)
    wait_for(server, number_of(new.certificate), before)


@pytest.mark.slow
def test_links_that_are_swapped_are_followed(start_secure, tmp_path):
    """As Kubernetes changes a mounted secret: the files are links through a link to a folder, and that one moves."""
    mount = tmp_path / "mount"
    for name in ("first", "second"):
        self_signed(mount / name, "localhost", "127.0.0.1")
    (mount / "..data").symlink_to("first")
    for name in ("registry.crt", "registry.key"):
        (mount / name).symlink_to(f"..data/{name}")
    server = start_secure(place=mount)
    assert server.shown() == number_of((mount / "first" / "registry.crt").read_bytes())
    before = all_workers(server, 1)
    (mount / "..data_tmp").symlink_to("second")
    (mount / "..data_tmp").rename(mount / "..data")
    wait_for(server, number_of((mount / "second" / "registry.crt").read_bytes()), before)


@pytest.mark.slow
def test_sighup_replaces_the_workers_or_says_why_not(start_secure):
    server = start_secure(workers=2)
    before = all_workers(server, 2)
    os.killpg(server.process.pid, signal.SIGHUP)  # everybody, as a service manager does; only the main process acts
    wait_until(lambda: not any(is_there(worker) for worker in before), within=WITHIN, why=lambda: tail(server.log_path))
    assert not all_workers(server, 2) & before
    assert server.shown() == server.number

    (server.certificates / "registry.key").unlink()
    server.process.send_signal(signal.SIGHUP)
    wait_for_log(server, "registry.key cannot be read")
    assert server.shown() == server.number


@pytest.mark.slow
def test_workers_that_do_not_start_leave_the_old_ones(start_secure):
    server = start_secure(workers=2)
    old, before = server.shown(), all_workers(server, 2)
    metrics = counting_folder_of(next(iter(before)))
    away = metrics.with_name(f"{metrics.name}-away")
    metrics.rename(away)  # a process that starts without this folder dies
    server.renew()
    wait_for_log(server, "new workers do not start")
    assert (server.shown(), workers(server)) == (old, before)

    away.rename(metrics)
    server.process.send_signal(signal.SIGHUP)
    wait_for(server, server.number, before)


def counting_folder_of(worker):
    """Where a process counts its metrics, as its environment says."""
    variables = Path(f"/proc/{worker}/environ").read_bytes().decode().split("\0")
    return Path(dict(one.partition("=")[::2] for one in variables)["PROMETHEUS_MULTIPROC_DIR"])


@pytest.mark.slow
def test_an_old_worker_with_a_request_does_not_hold_up_the_end(start_secure):
    server = start_secure(environment={"REGISTRY_HTTP_DRAINTIMEOUT": "1s"})
    digest = push(server, os.urandom(BIG))
    before = all_workers(server, 1)
    with server.connect() as download:
        begin(download, "GET", f"/v2/acme/app/blobs/{digest}")
        assert download.recv(1024).startswith(b"HTTP/1.1 200 ")
        server.renew()
        wait_for(server, server.number, before)
        assert all(is_there(worker) for worker in before)
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 10


def test_the_warning_that_anybody_may_push_ends_with_the_first_account(tmp_path):
    port, warnings = free_port(), []
    for start in ("first", "second"):
        environment = {"REGISTRY_HTTP_ADDR": f":{port}", "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(tmp_path)}
        server = SecureServer(tmp_path / start, port=port, config="version: 0.1\n", environment=environment)
        with server, Office(environment | {"REGISTRY_HTTP_ADDR": "127.0.0.1:5000"}) as office:
            warnings.append("whoever reaches" in " ".join(server.log.split()))
            office.user(f"{start}-user")
    assert warnings == [True, False]
