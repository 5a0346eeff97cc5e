# SPDX-License-Identifier: Apache-2.0
"""What a manifest is, for people: an image, an index of images, or an artifact of some type."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from wharfinger.console.languages import mark
from wharfinger.domain.manifests import INDEX_TYPES

_IMAGE_CONFIGS: Final = frozenset(
    {"application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"}
)


class Puller(enum.Enum):
    """Which tools understand the content."""

    ENGINE = enum.auto()
    """Docker Engine, podman and their like: it can be run."""
    HELM = enum.auto()
    ORAS = enum.auto()
    """Any other artifact."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a manifest is.

    Args:
        label: a word for it, to be translated.
        puller: who can make use of it.
        artifact_type: the type that its pusher gave it, if it is an artifact; the pusher's own text.
    """

    label: str
    puller: Puller = Puller.ENGINE
    artifact_type: str | None = None


IMAGE: Final = Kind(mark("image"))
INDEX: Final = Kind(mark("image index"))
_KNOWN: Final[Mapping[str, tuple[str, Puller]]] = {
    "application/vnd.cncf.helm.config.v1+json": (mark("Helm chart"), Puller.HELM),
    "application/spdx+json": (mark("SBOM"), Puller.ORAS),
    "application/vnd.cyclonedx+json": (mark("SBOM"), Puller.ORAS),
    "application/vnd.cncf.notary.signature": (mark("signature"), Puller.ORAS),
    "application/vnd.dev.cosign.artifact.sig.v1+json": (mark("signature"), Puller.ORAS),
    "application/vnd.in-toto+json": (mark("attestation"), Puller.ORAS),
}


def kind_of(media_type: str, artifact_type: str | None) -> Kind:
    """Return what a manifest is.

    Args:
        media_type: the manifest's own.
        artifact_type: what it says it is; of an image manifest that says nothing, its config's media type.
    """
    if artifact_type is None or artifact_type in _IMAGE_CONFIGS:
        return INDEX if media_type in INDEX_TYPES else IMAGE
    label, puller = _KNOWN.get(artifact_type, (mark("artifact"), Puller.ORAS))
    return Kind(label, puller, artifact_type)
