# SPDX-License-Identifier: Apache-2.0
"""The programs of the podman family, each with storage of its own, and the raw requests that look behind them."""

import contextlib
import re
import shutil
import tempfile
from pathlib import Path

import httpx
import oras.client

from tests.support.commands import run
from tests.support.images import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST

ANY_MANIFEST = {"Accept": f"{OCI_INDEX}, {OCI_MANIFEST}, {DOCKER_LIST}, {DOCKER_MANIFEST}"}
OCTETS = {"Content-Type": "application/octet-stream"}


class Program:
    """A command with the words that always come first; calling it runs it with the words that follow.

    Args:
        name: of the program.
        words: what comes before the rest.
    """

    def __init__(self, name, *words):
        self.name = name
        self._words = words

    def __call__(self, *words, **options):
        return run(self.name, *self._words, *words, **options)

    def version(self):
        return re.search(r"\d+\.\d+(\.\d+)?", run(self.name, "--version").output)[0]


class Store(Program):
    """podman or buildah, with images and containers in a temporary folder.

    Args:
        name: of the program.
        words: what comes before the rest.
    """

    def __init__(self, name, *words):
        self.folder = Path(tempfile.mkdtemp(prefix=f"wharfinger-{name}-"))
        places = ("--root", self.folder / "root", "--runroot", self.folder / "run", "--storage-driver", "vfs")
        super().__init__(name, *places, *words)

    def close(self):
        shutil.rmtree(self.folder)


class Podman(Store):
    """podman without a service manager: control groups by hand, events in a file."""

    def __init__(self):
        super().__init__("podman", "--cgroup-manager", "cgroupfs", "--events-backend", "file", "--runtime", "runc")
        self._words += ("--tmpdir", self.folder / "tmp")

    def output_of(self, reference):
        """What a container of this image prints."""
        limits = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")
        return self("run", "--rm", "--pull", "never", "--network", "none", *limits, reference).stdout


class Repository:
    """One repository asked by plain requests, to see what a client left there.

    Args:
        url: of the registry.
        name: of the repository.
        verify: what TLS certificates are held against.
    """

    def __init__(self, url, name, *, verify=True):
        self.name = name
        self.http = httpx.Client(base_url=url, timeout=30, trust_env=False, verify=verify)

    def close(self):
        self.http.close()

    def get(self, path, **options):
        return self.http.get(f"/v2/{self.name}/{path}", **options)

    def head(self, path, **options):
        return self.http.head(f"/v2/{self.name}/{path}", **options)

    def delete(self, path):
        return self.http.delete(f"/v2/{self.name}/{path}")

    def digest(self, tag):
        """The digest to which a tag points."""
        answer = self.head(f"manifests/{tag}", headers=ANY_MANIFEST)
        assert answer.status_code == 200, f"{tag}: {answer.status_code}"
        return answer.headers["Docker-Content-Digest"]

    def manifest(self, reference):
        """A manifest as a document."""
        return self.get(f"manifests/{reference}", headers=ANY_MANIFEST).raise_for_status().json()

    def tags(self):
        return self.get("tags/list").raise_for_status().json()["tags"]

    def has_blob(self, digest):
        return self.head(f"blobs/{digest}").status_code == 200

    def start_upload(self):
        """Begin an upload, and give its address."""
        answer = self.http.post(f"/v2/{self.name}/blobs/uploads/")
        assert answer.status_code == 202, answer.text
        return answer.headers["Location"]

    def append(self, location, content, start):
        """Send a chunk that begins at `start`, and give the upload's next address."""
        span = {"Content-Range": f"{start}-{start + len(content) - 1}", **OCTETS}
        answer = self.http.patch(location, content=content, headers=span)
        assert answer.status_code == 202, answer.text
        return answer.headers["Location"]

    def progress(self, location):
        """How many bytes an upload has, and its next address."""
        answer = self.http.get(location)
        assert answer.status_code == 204, answer.text
        return bytes_in(answer.headers.get("Range")), answer.headers["Location"]

    def finish(self, location, digest, content=b""):
        """Complete an upload, with its last bytes or none."""
        answer = self.http.put(location, params=_with(location, digest), content=content, headers=OCTETS)
        assert answer.status_code == 201, answer.text
        assert answer.headers["Docker-Content-Digest"] == digest
        return answer

    def push_blob(self, blob):
        return self.finish(self.start_upload(), blob.digest, blob.content)

    def push(self, image, tag):
        """Push an image or an index under a tag."""
        for blob in image.blobs:
            self.push_blob(blob)
        for manifest in image.manifests:
            reference = tag if manifest.digest == image.digest else manifest.digest
            self.put_manifest(manifest, reference)
        return image.digest

    def put_manifest(self, manifest, reference):
        headers = {"Content-Type": manifest.media_type}
        answer = self.http.put(f"/v2/{self.name}/manifests/{reference}", content=manifest.content, headers=headers)
        assert answer.status_code == 201, answer.text
        return answer


def bytes_in(span):
    """The number of bytes that a `Range` header of an upload tells: `0-99` are a hundred, `0-0` are none or one."""
    end = int(span.rpartition("-")[2]) if span else 0
    return end + 1 if end else 0


def _with(location, digest):
    return {**dict(httpx.URL(location).params), "digest": digest}


@contextlib.contextmanager
def oras_client(place, backend):
    """Return oras for Python, for the registry of a place, without its environment's proxies."""
    client = oras.client.OrasClient(hostname=place.partition("/")[0], insecure=True, auth_backend=backend)
    client.session.trust_env = False
    yield client
    client.session.close()


def push_and_pull(client, place, folder):
    """Push a file by oras, and see that it comes back."""
    path = folder / "packages.json"
    path.write_text('{"of": "oras"}')
    client.push(f"{place}:v1", files=[f"{path}:application/vnd.example.sbom.v1+json"], disable_path_validation=True)
    (pulled,) = client.pull(f"{place}:v1", outdir=str(folder / "back"))
    assert Path(pulled).read_text() == path.read_text()
    assert pulled == str(folder / "back" / "packages.json")
