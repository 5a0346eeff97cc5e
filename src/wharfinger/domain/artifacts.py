# SPDX-License-Identifier: Apache-2.0
"""What the content of a manifest is: an image, a chart, a signature, a bill of materials, or whatever its type says.

A registry serves all of them alike. Pages show it to people; `domain.content` asks it which kinds are switched off.
"""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from wharfinger.domain.image_config import CONFIG_TYPES
from wharfinger.domain.manifests import INDEX_TYPES


class Nature(enum.StrEnum):
    """The sorts of content that people tell apart."""

    IMAGE = "image"
    INDEX = "index"
    CHART = "chart"
    SIGNATURE = "signature"
    SBOM = "sbom"
    ATTESTATION = "attestation"
    REPORT = "report"
    """What a scanner found."""
    CACHE = "cache"
    """What a builder keeps."""
    MODULE = "module"
    """WebAssembly."""
    PLUGIN = "plugin"
    ARTIFACT = "artifact"
    """Anything else: its type says what."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """What a content is.

    Args:
        nature: the sort.
        forms: in which formats, or by which tools, as people call them.
    """

    nature: Nature
    forms: tuple[str, ...] = ()


CHART_CONFIG: Final = "application/vnd.cncf.helm.config.v1+json"
PREDICATE: Final = "in-toto.io/predicate-type"
"""The annotation by which BuildKit says what a statement is about."""
_BUNDLE: Final = "application/vnd.dev.sigstore.bundle"
_BUNDLE_CONTENT: Final = "dev.sigstore.bundle.content"
_BUNDLE_PREDICATE: Final = "dev.sigstore.bundle.predicateType"
_COSIGN_PREDICATE: Final = "predicateType"
_CACHE: Final = "application/vnd.buildkit.cacheconfig.v0"
_KNOWN: Final[Mapping[str, Artifact]] = {
    CHART_CONFIG: Artifact(Nature.CHART, ("Helm",)),
    "application/vnd.cncf.notary.signature": Artifact(Nature.SIGNATURE, ("Notation",)),
    "application/vnd.dev.cosign.artifact.sig.v1+json": Artifact(Nature.SIGNATURE, ("cosign",)),
    "application/vnd.dev.cosign.simplesigning.v1+json": Artifact(Nature.SIGNATURE, ("cosign",)),
    "application/spdx+json": Artifact(Nature.SBOM, ("SPDX",)),
    "text/spdx": Artifact(Nature.SBOM, ("SPDX",)),
    "text/spdx+json": Artifact(Nature.SBOM, ("SPDX",)),
    "text/spdx+xml": Artifact(Nature.SBOM, ("SPDX",)),
    "application/vnd.cyclonedx": Artifact(Nature.SBOM, ("CycloneDX",)),
    "application/vnd.cyclonedx+json": Artifact(Nature.SBOM, ("CycloneDX",)),
    "application/vnd.cyclonedx+xml": Artifact(Nature.SBOM, ("CycloneDX",)),
    "application/vnd.syft+json": Artifact(Nature.SBOM, ("Syft",)),
    "application/vnd.in-toto+json": Artifact(Nature.ATTESTATION, ("in-toto",)),
    "application/vnd.dsse.envelope.v1+json": Artifact(Nature.ATTESTATION, ("in-toto",)),
    "application/vnd.dev.cosign.artifact.sbom.v1+json": Artifact(Nature.SBOM, ("cosign",)),
    "application/vnd.dev.cosign.artifact.att.v1+json": Artifact(Nature.ATTESTATION, ("cosign",)),
    "application/sarif+json": Artifact(Nature.REPORT, ("SARIF",)),
    "application/vnd.docker.plugin.v1+json": Artifact(Nature.PLUGIN, ("Docker",)),
    _CACHE: Artifact(Nature.CACHE, ("BuildKit",)),
    "application/vnd.wasm.config.v0+json": Artifact(Nature.MODULE, ("WebAssembly",)),
    "application/vnd.wasm.config.v1+json": Artifact(Nature.MODULE, ("WebAssembly",)),
    "application/vnd.cncf.flux.config.v1+json": Artifact(Nature.ARTIFACT, ("Flux",)),
    "application/vnd.cncf.openpolicyagent.config.v1+json": Artifact(Nature.ARTIFACT, ("Open Policy Agent",)),
    "application/vnd.sylabs.sif.config.v1+json": Artifact(Nature.ARTIFACT, ("Singularity",)),
}
_PREDICATES: Final = (
    ("https://slsa.dev/provenance/", "SLSA provenance"),
    ("https://spdx.dev/Document", "SPDX"),
    ("https://cyclonedx.org/bom", "CycloneDX"),
    ("https://cosign.sigstore.dev/attestation/vuln/", "vulnerabilities"),
    ("https://in-toto.io/attestation/vulns", "vulnerabilities"),
    ("https://in-toto.io/attestation/test-result", "test results"),
    ("https://slsa.dev/verification_summary/", "SLSA summary"),
)
_COMPANIONS: Final = frozenset({Nature.SIGNATURE, Nature.SBOM, Nature.ATTESTATION, Nature.REPORT})
_GENERIC: Final = frozenset({"application/vnd.oci.empty.v1+json", "application/vnd.unknown.config.v1+json"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A layer of something, as far as it tells what the whole is."""

    media_type: str
    annotations: Mapping[str, str]


def recognise(
    media_type: str, artifact_type: str | None, parts: Iterable[Part] = (), annotations: Mapping[str, str] | None = None
) -> Artifact:
    """Return what a manifest is.

    Args:
        media_type: the manifest's own.
        artifact_type: what it says it is; of an image manifest that says nothing, its config's media type.
        parts: its layers, or of an index what it lists. cosign's signatures and BuildKit's attestations call
            themselves images, and only their layers tell.
        annotations: the manifest's own.
    """
    if media_type in INDEX_TYPES and artifact_type is None:
        return next((_KNOWN[part.media_type] for part in parts if part.media_type == _CACHE), Artifact(Nature.INDEX))
    by_type = _KNOWN.get(artifact_type or "")
    if by_type is not None and by_type.nature is not Nature.ATTESTATION:
        return by_type
    if artifact_type is not None and artifact_type.startswith(_BUNDLE):
        return _bundle(annotations or {})
    found = [part for part in parts if part.media_type in _KNOWN]
    if found and (artifact_type is None or artifact_type in CONFIG_TYPES or artifact_type in _GENERIC or by_type):
        nature = _KNOWN[found[0].media_type].nature
        forms = (_form(part) for part in found if _KNOWN[part.media_type].nature is nature)
        return Artifact(nature, tuple(dict.fromkeys(forms)))
    if by_type is not None:
        return by_type
    if artifact_type is None or artifact_type in CONFIG_TYPES:
        return Artifact(Nature.IMAGE)
    return Artifact(Nature.ARTIFACT)


def is_companion(media_type: str) -> bool:
    """Say whether a layer of that type tells something of other content: a signature, a statement, a list of parts."""
    known = _KNOWN.get(media_type)
    return known is not None and known.nature in _COMPANIONS


def predicate_name(predicate_type: str) -> str:
    """Return what a statement is about, as people call it, or the type itself."""
    return next((name for start, name in _PREDICATES if predicate_type.startswith(start)), predicate_type)


def _form(part: Part) -> str:
    predicate = part.annotations.get(PREDICATE) or part.annotations.get(_COSIGN_PREDICATE)
    return predicate_name(predicate) if predicate else _KNOWN[part.media_type].forms[0]


def _bundle(annotations: Mapping[str, str]) -> Artifact:
    if annotations.get(_BUNDLE_CONTENT) == "dsse-envelope":
        predicate = annotations.get(_BUNDLE_PREDICATE)
        # cosign writes a signature as a statement of its own kind too.
        if predicate is not None and "sigstore.dev/cosign/sign" not in predicate:
            return Artifact(Nature.ATTESTATION, (predicate_name(predicate),))
    return Artifact(Nature.SIGNATURE, ("Sigstore",))
