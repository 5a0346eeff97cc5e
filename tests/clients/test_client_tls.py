# SPDX-License-Identifier: Apache-2.0
"""Real clients over the registry's own TLS, with a certificate that `wharfinger certificate self-signed` made."""

import shlex
import shutil
import socket
from pathlib import Path

import pytest

from tests.support import images
from tests.support.commands import free_port, run
from tests.support.tls import SecureServer, self_signed

ADDRESS = "198.18.0.1"


@pytest.fixture(scope="module")
def address():
    """An address of this machine that is not loopback: there, Docker would accept any certificate."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as attempt:
        try:
            attempt.connect(("203.0.113.1", 9))  # sends nothing; the kernel only chooses the address to send from
        except OSError:
            found = None
        else:
            found = attempt.getsockname()[0]
    if found is not None:
        yield found
        return
    run("ip", "address", "add", f"{ADDRESS}/32", "dev", "lo")  # a machine without a network
    yield ADDRESS
    run("ip", "address", "del", f"{ADDRESS}/32", "dev", "lo")


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    """A registry with TLS, and a folder with its `ca.crt` as clients want it for one host."""
    with SecureServer(tmp_path_factory.mktemp("secure")) as server:
        server.trusted = server.folder / "trusted"
        server.trusted.mkdir()
        shutil.copy(server.certificates / "registry.crt", server.trusted / "ca.crt")
        yield server


@pytest.fixture
def layout(name, tmp_path):
    image = images.busybox(name, says="through TLS of our own")
    return images.write_layout(tmp_path / "layout", {"v1": image})


def test_docker_trusts_the_certificate_once_the_printed_line_has_run(docker, address, name, tmp_path):
    environment = {"REGISTRY_AUTH": "none", "REGISTRY_HTTP_ADDR": f":{(port := free_port())}"}
    place = f"{address}:{port}"
    reference = f"{place}/{name}:v1"
    folder = Path("/etc/docker/certs.d") / place
    printed = self_signed(tmp_path / "certificates", place, "127.0.0.1")
    archive = images.write_docker_archive(tmp_path / "a.tar", {reference: images.busybox(name, says="through TLS")})
    docker("load", "--input", archive)
    with SecureServer(tmp_path, port=port, environment=environment):
        refused = docker("push", reference, check=False)
        assert (refused.status, "x509" in refused.output) == (1, True), str(refused)
        try:
            run(*shlex.split(next(line for line in printed.splitlines() if str(folder) in line)))
            docker("push", reference)
            docker("rmi", reference)
            docker("pull", reference)
        finally:
            shutil.rmtree(folder)
    assert docker("run", "--rm", "--network", "none", reference).stdout == "through TLS\n"


def test_podman_pushes_and_pulls_with_the_certificate(podman, secure, name, layout):
    reference = f"localhost:{secure.port}/{name}:v1"
    loaded = podman("pull", "--quiet", f"oci:{layout}:v1").stdout.split()[-1]
    refused = podman("push", loaded, f"docker://{reference}", check=False)
    assert refused.status != 0
    assert "x509" in refused.stderr

    podman("push", "--cert-dir", secure.trusted, loaded, f"docker://{reference}")
    podman("rmi", loaded)
    podman("pull", "--cert-dir", secure.trusted, reference)

    assert podman.output_of(reference) == "through TLS of our own\n"


def test_skopeo_copies_by_name_and_by_address(skopeo, secure, name, layout, tmp_path):
    by_name, by_address = (f"docker://{host}:{secure.port}/{name}:v1" for host in ("localhost", "127.0.0.1"))

    skopeo("copy", "--dest-cert-dir", secure.trusted, f"oci:{layout}:v1", by_name)
    skopeo("copy", "--src-cert-dir", secure.trusted, by_address, f"dir:{tmp_path / 'back'}")

    assert (tmp_path / "back" / "manifest.json").exists()
