# SPDX-License-Identifier: Apache-2.0
"""What the scenarios push: bytes that no other scenario has, and the documents that describe them.

Unique bytes matter: a registry links a layer that any of its repositories holds, so a blob shared by two tests would
let one test see what another one pushed.
"""

import random
from dataclasses import dataclass

from tests.support.images import EMPTY, OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, as_json, digest_of

OCTET_STREAM = "application/octet-stream"
FOREIGN_LAYER = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
SBOM = "application/vnd.example.sbom.v1"
SIGNATURE = "application/vnd.example.signature.v1"


@dataclass(frozen=True)
class Material:
    """A well of bytes, the same at each run and different for each scenario.

    Args:
        seed: what tells one scenario from another.
    """

    seed: str

    def bytes(self, label, size=200):
        return random.Random(f"{self.seed}/{label}").randbytes(size)

    def image(self, repository, label="image", *, layers=1, algorithm="sha256", **more):
        """Push the blobs of an image, and return its manifest without pushing it."""
        config = as_json({"architecture": "amd64", "os": "linux", "comment": f"{self.seed}/{label}"})
        contents = [self.bytes(f"{label}/layer{number}") for number in range(layers)]
        for content in (config, *contents):
            repository.push_blob(content, algorithm)
        return image(
            descriptor(config, OCI_CONFIG, algorithm),
            [descriptor(one, OCI_LAYER, algorithm) for one in contents],
            **more,
        )

    def artifact(self, repository, label="artifact", *, kind=SBOM, **more):
        """Push the one blob of an artifact and the empty config, and return its manifest without pushing it."""
        content = self.bytes(label)
        repository.push_blob(b"{}")
        repository.push_blob(content)
        return image(descriptor(b"{}", EMPTY), [descriptor(content, kind)], artifactType=kind, **more)


def descriptor(content, media_type=OCI_LAYER, algorithm="sha256", **more):
    return {"mediaType": media_type, "digest": digest_of(content, algorithm), "size": len(content), **more}


def manifest_descriptor(document, algorithm="sha256", **more):
    return descriptor(as_json(document), document["mediaType"], algorithm, **more)


def image(config, layers, **more):
    return {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers, **more}


def index(*manifests, **more):
    return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(manifests), **more}


def platform(system="linux", architecture="amd64"):
    return {"os": system, "architecture": architecture}
