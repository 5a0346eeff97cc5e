# SPDX-License-Identifier: Apache-2.0
"""Blobs and images made from nothing but a seed, so that every server gets the same and every run too."""

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

_CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
_LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"
MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes under their digest, in parts that are sent one after the other."""

    digest: str
    parts: Sequence[bytes]

    @property
    def size(self) -> int:
        return sum(map(len, self.parts))


@dataclass(frozen=True, slots=True)
class Image:
    """A manifest and the blobs that it names."""

    digest: str
    manifest: bytes
    blobs: Sequence[Blob]


def blob(content: bytes) -> Blob:
    return Blob(_digest(hashlib.sha256(content)), (content,))


def small_blob(seed: str, size: int) -> Blob:
    """Return random bytes: nothing on the way can make them smaller."""
    return blob(random.Random(seed).randbytes(size))


def large_blob(seed: str, size: int) -> Blob:
    """Return a large blob that differs from all others in its last bytes only, so that making many costs nothing."""
    start, hashed = _start(size - 32)
    tail = random.Random(seed).randbytes(32)
    whole = hashed.copy()
    whole.update(tail)
    return Blob(_digest(whole), (start, tail))


def image(seed: str, *layer_sizes: int) -> Image:
    """Return an image of Docker's own format: the one that docker-registry is at home with."""
    layers = [small_blob(f"{seed}/{number}", size) for number, size in enumerate(layer_sizes)]
    config = blob(_config(seed, layers))
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": _descriptor(_CONFIG_TYPE, config),
        "layers": [_descriptor(_LAYER_TYPE, layer) for layer in layers],
    }
    content = json.dumps(manifest, indent=3).encode()
    return Image(_digest(hashlib.sha256(content)), content, (*layers, config))


def _config(seed: str, layers: Sequence[Blob]) -> bytes:
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/sh"], "Labels": {"seed": seed}},
        "history": [{"created_by": f"COPY {number} /"} for number in range(len(layers))],
        "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
    }
    return json.dumps(config).encode()


def _descriptor(kind: str, content: Blob) -> dict[str, object]:
    return {"mediaType": kind, "size": content.size, "digest": content.digest}


def _digest(hashed: "hashlib._Hash") -> str:
    return f"sha256:{hashed.hexdigest()}"


@cache
def _start(size: int) -> tuple[bytes, "hashlib._Hash"]:
    content = random.Random("large").randbytes(size)
    return content, hashlib.sha256(content)
