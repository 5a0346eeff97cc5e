# SPDX-License-Identifier: Apache-2.0
"""Which kinds of content are taken: images, Helm charts, other artifacts; and as which a manifest counts (ADR 0042).

A kind is switched off for the deployment, or for a namespace. It binds pushes alone: what is there is served as before.

```text
index                      by its artifactType; without one an image
config of an image         an image; if every layer is a signature, a statement or a bill of materials, an artifact too
config or type of Helm     a chart
anything else              an artifact
```

What is attached to content of the repository, by `subject` or by a tag such as `sha256-….sig`, also counts as that
content: an image that is taken is taken with its signatures. It is a rule about what is kept where, and no guard
against somebody who gives content a wrong type: whoever may push may always push bytes.
"""

import enum
import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from wharfinger.domain.artifacts import CHART_CONFIG, Nature, Part, is_companion, recognise
from wharfinger.domain.digests import Digest, parse_digest
from wharfinger.domain.errors import DigestInvalid, KindSwitchedOff
from wharfinger.domain.image_config import CONFIG_TYPES
from wharfinger.domain.manifests import DOCKER_MANIFEST, INDEX_TYPES, EdgeKind, Manifest
from wharfinger.domain.names import RepositoryName, TagName, namespace_of
from wharfinger.domain.sentences import Sentence, joined


class ContentKind(enum.StrEnum):
    """A kind of content that can be switched off."""

    IMAGE = "image"
    """What a container runs from, for one platform or for several."""
    CHART = "chart"
    """A Helm chart."""
    ARTIFACT = "artifact"
    """Anything else, unless it is attached to what is taken."""


class KindsOff(NamedTuple):
    """What is switched off where a repository is; a tuple, because every push makes one."""

    deployment: frozenset[ContentKind] = frozenset()
    namespace: frozenset[ContentKind] = frozenset()

    def takes(self, kinds: Iterable[ContentKind]) -> bool:
        """Say whether content is taken that counts as any of the kinds."""
        return any(kind not in self.deployment and kind not in self.namespace for kind in kinds)


ALL_TAKEN: Final = KindsOff()
_NAMED: Final = {
    ContentKind.IMAGE: Sentence("container images"),
    ContentKind.CHART: Sentence("Helm charts"),
    ContentKind.ARTIFACT: Sentence("artifacts other than images and Helm charts"),
}
_AND: Final = Sentence(", and ")
_PLUGIN_CONFIG: Final = "application/vnd.docker.plugin.v1+json"
_ATTACHED: Final = re.compile(r"(sha256|sha512)-([0-9a-f]{64,128})(?:\.(?:sig|att|sbom))?", re.ASCII)


def parse_kinds(text: str) -> frozenset[ContentKind]:
    """Return kinds from the text that a row has."""
    return frozenset(ContentKind(word) for word in text.split(",")) if text else frozenset()


def text_of(kinds: Iterable[ContentKind]) -> str:
    """Return the text of a row, in which kinds always stand in the same order."""
    return ",".join(sorted(kinds))


def in_words(kinds: Iterable[ContentKind]) -> str:
    """Return kinds as an event tells them."""
    return ", ".join(sorted(kinds)) or "none"


def turned(off: frozenset[ContentKind], taken: Mapping[ContentKind, bool]) -> frozenset[ContentKind]:
    """Return what is switched off after some switches were turned; a kind that is not named stays as it is."""
    return frozenset(kind for kind in ContentKind if not taken.get(kind, kind not in off))


def counts_as(manifest: Manifest) -> tuple[ContentKind, ...]:
    """Return as which kinds a manifest counts by itself, the one that names it first."""
    if manifest.media_type in INDEX_TYPES:
        children = (Part(media_type=edge.descriptor.media_type, annotations={}) for edge in manifest.edges)
        return (_of_nature(recognise(manifest.media_type, manifest.artifact_type, children).nature),)
    config = next((edge.descriptor.media_type for edge in manifest.edges if edge.kind is EdgeKind.CONFIG), None)
    layers = [edge.descriptor.media_type for edge in manifest.edges if edge.kind is EdgeKind.LAYER]
    if config in CONFIG_TYPES:
        # What runs is what the config says, whatever `artifactType` calls it. BuildKit's statements and cosign's
        # signatures call themselves images, and travel with one.
        is_said_of_others = bool(layers) and all(is_companion(media_type) for media_type in layers)
        return (ContentKind.IMAGE, ContentKind.ARTIFACT) if is_said_of_others else (ContentKind.IMAGE,)
    if CHART_CONFIG in {config, manifest.artifact_type}:
        return (ContentKind.CHART,)
    if manifest.media_type == DOCKER_MANIFEST and config != _PLUGIN_CONFIG:
        return (ContentKind.IMAGE,)  # Docker's first clients gave the config any type
    return (ContentKind.ARTIFACT,)


def kind_of_stored(media_type: str, artifact_type: str | None) -> ContentKind:
    """Return as which kind a manifest counts that is here, from what its row says."""
    return _of_nature(recognise(media_type, artifact_type).nature)


def attached_to(manifest: Manifest, tags: Iterable[TagName]) -> Digest | None:
    """Return what a manifest is attached to, if it is of a kind that can be.

    An index can, because clients list attached content in one where a registry has no list of referrers.
    """
    if manifest.media_type not in INDEX_TYPES and ContentKind.ARTIFACT not in counts_as(manifest):
        return None
    if manifest.subject is not None:
        return manifest.subject.digest
    return next((digest for tag in tags if (digest := _digest_in(tag)) is not None), None)


def switched_off(kinds: tuple[ContentKind, ...], off: KindsOff, repository: RepositoryName) -> KindSwitchedOff:
    """Return the refusal of a push: what is switched off, where, and who can switch it on."""
    kind = kinds[0]
    where = [name for name, kinds_off in off._asdict().items() if kind in kinds_off]
    return KindSwitchedOff(_why(kind, off, repository), detail={"kind": kind.value, "switched_off_in": where})


def refused(off: KindsOff, repository: RepositoryName) -> Mapping[ContentKind, Sentence]:
    """Return what a push of each kind that is switched off is told, whoever pushes."""
    return {kind: _why(kind, off, repository) for kind in ContentKind if not off.takes([kind])}


def _why(kind: ContentKind, off: KindsOff, repository: RepositoryName) -> Sentence:
    places = []
    if kind in off.deployment:
        places.append(Sentence("in this deployment, where a manager of the deployment can switch them on again"))
    if kind in off.namespace:
        place = namespace_of(repository)
        places.append(
            Sentence(
                "in the namespace %(place)r, where its owner or a manager of the registry can switch them on again",
                place=place or "",
            )
        )
    return Sentence("Pushing %(kind)s is switched off %(places)s.", kind=_NAMED[kind], places=joined(_AND, places))


def _digest_in(tag: TagName) -> Digest | None:
    found = _ATTACHED.fullmatch(tag)
    try:
        return None if found is None else parse_digest(f"{found[1]}:{found[2]}")
    except DigestInvalid:
        return None


def _of_nature(nature: Nature) -> ContentKind:
    match nature:
        case Nature.IMAGE | Nature.INDEX:
            return ContentKind.IMAGE
        case Nature.CHART:
            return ContentKind.CHART
        case _:
            return ContentKind.ARTIFACT
