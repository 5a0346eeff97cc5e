# SPDX-License-Identifier: Apache-2.0
"""Images built from nothing, without a network and the same at each run.

A `seed` makes content unique: a registry knows a layer that any of its repositories holds, so tests that must see an
upload need layers that no other test pushed.
"""

import gzip
import hashlib
import io
import json
import platform
import random
import shutil
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
MACHINE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
"""The architecture of images that run here."""
OTHER_MACHINE = "s390x"
EPOCH = "2024-01-01T00:00:00Z"


def digest_of(content, algorithm="sha256"):
    """`sha256:…` of bytes."""
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def as_json(document):
    """A document as bytes, always the same ones."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Blob:
    """Bytes that have a media type."""

    content: bytes = field(repr=False)
    media_type: str
    algorithm: str = "sha256"

    @property
    def digest(self):
        return digest_of(self.content, self.algorithm)

    def descriptor(self, **more):
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.content), **more}


@dataclass(frozen=True)
class Image:
    """An image or an artifact: the manifest, and the blobs that it names."""

    manifest: Blob
    config: Blob
    layers: tuple[Blob, ...]
    platform: tuple[tuple[str, str], ...] = ()

    @property
    def digest(self):
        return self.manifest.digest

    @property
    def blobs(self):
        return (self.config, *self.layers)

    @property
    def manifests(self):
        """Every manifest, in an order in which a registry takes them."""
        return (self.manifest,)

    def descriptor(self, **more):
        return self.manifest.descriptor(**({"platform": dict(self.platform)} if self.platform else {}), **more)


@dataclass(frozen=True)
class Index:
    """Several images under one digest."""

    manifest: Blob
    images: tuple[Image, ...]

    @property
    def digest(self):
        return self.manifest.digest

    @property
    def blobs(self):
        return tuple(blob for image in self.images for blob in image.blobs)

    @property
    def manifests(self):
        """Every manifest, in an order in which a registry takes them."""
        return (*(manifest for image in self.images for manifest in image.manifests), self.manifest)

    def descriptor(self, **more):
        return self.manifest.descriptor(**more)


def archive(files):
    """A tar archive of `{"path/in/it": content}`; a pair of content and mode where the mode matters."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, file in sorted(files.items()):
            content, mode = file if isinstance(file, tuple) else (file, 0o644)
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(content), mode
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def noise(seed, size):
    """Bytes that do not compress."""
    return random.Random(f"wharfinger/{seed}").randbytes(size)


def layer(files, *, docker=False):
    """A compressed layer that holds these files."""
    packed = gzip.compress(archive(files), compresslevel=1, mtime=0)
    return Blob(packed, DOCKER_LAYER if docker else OCI_LAYER)


def image(
    seed,
    *,
    layers=None,
    docker=False,
    command=(),
    architecture=MACHINE,
    annotations=None,
    subject=None,
    labels=None,
    algorithm="sha256",
):
    """An image of these layers (or of one small one), as Docker or as OCI writes it.

    Args:
        seed: what makes it unlike every other image.
        layers: file dictionaries as `archive` takes them, one for each layer.
        docker: a Docker schema 2 manifest, not an OCI one.
        command: what a container of it runs.
        architecture: for which machine it says it is.
        annotations: of the manifest.
        subject: the image or index to which it is attached.
        labels: of the configuration.
        algorithm: with what its blobs are named.
    """
    trees = [{f"etc/{seed.replace('/', '-')}": noise(seed, 600)}] if layers is None else layers
    packed = tuple(
        Blob(one.content, one.media_type, algorithm) for one in (layer(tree, docker=docker) for tree in trees)
    )
    config = {
        "architecture": architecture,
        "os": "linux",
        "created": EPOCH,
        "config": {"Cmd": list(command), "Env": ["PATH=/bin"], "Labels": {"seed": seed, **(labels or {})}},
        "rootfs": {"type": "layers", "diff_ids": [digest_of(gzip.decompress(one.content)) for one in packed]},
        "history": [{"created": EPOCH, "created_by": f"layer {number}"} for number in range(len(packed))],
    }
    blob = Blob(as_json(config), DOCKER_CONFIG if docker else OCI_CONFIG, algorithm)
    media_type = DOCKER_MANIFEST if docker else OCI_MANIFEST
    manifest = manifest_document(media_type, blob, packed, annotations=annotations, subject=subject)
    return Image(manifest, blob, packed, (("architecture", architecture), ("os", "linux")))


def busybox(seed, *, says, **more):
    """An image that runs: it prints what it `says`. Its layers are busybox, and a small file."""
    binary = Path(shutil.which("busybox")).read_bytes()
    base = {"bin/busybox": (binary, 0o755), "etc/base": f"base of {seed}\n".encode()}
    top = {"etc/greeting": f"{says}\n".encode()}
    return image(seed, layers=[base, top], command=["/bin/busybox", "cat", "/etc/greeting"], **more)


def artifact(content, *, kind, subject=None, annotations=None):
    """Content of any kind as an OCI artifact, attached to a subject or not."""
    config, body = Blob(b"{}", EMPTY), Blob(content, kind)
    more = {"artifactType": kind}
    manifest = manifest_document(OCI_MANIFEST, config, [body], annotations=annotations, subject=subject, **more)
    return Image(manifest, config, (body,))


def index(images, *, docker=False, annotations=None, subject=None):
    """Several images as one: an OCI index, or Docker's manifest list."""
    media_type = DOCKER_LIST if docker else OCI_INDEX
    document = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "manifests": [image.descriptor() for image in images],
        **_optional(annotations, subject),
    }
    return Index(Blob(as_json(document), media_type), tuple(images))


def platforms(seed, architectures=(MACHINE, OTHER_MACHINE), *, docker=False, says=None):
    """An index with one image for each machine; the first one runs and prints what it `says`, if it says anything."""
    first, *others = architectures
    runs = busybox(f"{seed}-{first}", says=says, docker=docker, architecture=first) if says else None
    rest = (first, *others) if runs is None else others
    images = [image(f"{seed}-{machine}", docker=docker, architecture=machine) for machine in rest]
    return index([runs, *images] if runs else images, docker=docker)


def manifest_document(media_type, config, layers, *, annotations=None, subject=None, **more):
    """The manifest that names these blobs."""
    document = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": config.descriptor(),
        "layers": [one.descriptor() for one in layers],
        **_optional(annotations, subject),
        **more,
    }
    return Blob(as_json(document), media_type)


def _optional(annotations, subject):
    named = {"annotations": annotations, "subject": subject and subject.manifest.descriptor()}
    return {key: value for key, value in named.items() if value}


def write_layout(folder, tagged):
    """Write `{tag: image or index}` as an OCI image layout, which skopeo, podman and umoci read."""
    folder = Path(folder)
    for one in tagged.values():
        for blob in (*one.blobs, *one.manifests):
            algorithm, _, name = blob.digest.partition(":")
            path = folder / "blobs" / algorithm / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(blob.content)
    names = [one.descriptor(annotations={"org.opencontainers.image.ref.name": tag}) for tag, one in tagged.items()]
    (folder / "oci-layout").write_bytes(as_json({"imageLayoutVersion": "1.0.0"}))
    (folder / "index.json").write_bytes(as_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": names}))
    return folder


def write_docker_archive(path, tagged):
    """Write `{"name:tag": image}` as the archive that `docker load` reads."""
    files, entries = {}, []
    for name, one in tagged.items():
        config = one.config.digest.partition(":")[2] + ".json"
        unpacked = {digest_of(raw).partition(":")[2] + ".tar": raw for raw in map(_plain, one.layers)}
        files |= {config: one.config.content, **unpacked}
        entries.append({"Config": config, "RepoTags": [name], "Layers": list(unpacked)})
    path = Path(path)
    path.write_bytes(archive({**files, "manifest.json": as_json(entries)}))
    return path


def _plain(blob):
    return gzip.decompress(blob.content)
