# SPDX-License-Identifier: Apache-2.0
"""Manifests: reading the two OCI kinds and their Docker twins, and everything that makes one invalid.

The bytes are stored and served exactly as they came. What is parsed here decides only whether they may be stored,
what they refer to (edges), and what the referrers listing says of them. Parsing is strict where two readers could
disagree about one document (duplicate keys, both `layers` and `manifests`, a `mediaType` that is not the
`Content-Type`): such a document could be one thing to a scanner and another to a runtime.
"""

import base64
import binascii
import enum
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from wharfinger.domain.digests import Digest, algorithm_of, digest_of, parse_digest
from wharfinger.domain.errors import DigestInvalid, ManifestInvalid, ManifestTooLarge
from wharfinger.domain.sentences import Sentence

OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
IMAGE_TYPES: Final = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
INDEX_TYPES: Final = frozenset({OCI_INDEX, DOCKER_LIST})
MANIFEST_TYPES: Final = IMAGE_TYPES | INDEX_TYPES
_DOCKER_TYPES: Final = frozenset({DOCKER_MANIFEST, DOCKER_LIST})
_FOREIGN: Final = (
    "application/vnd.oci.image.layer.nondistributable.",
    "application/vnd.docker.image.rootfs.foreign.",
)
_MEDIA_TYPE: Final = re.compile(r"[!-~][ -~]{0,254}", re.ASCII)
_MAX_SIZE: Final = 2**63 - 1


class EdgeKind(enum.StrEnum):
    """In which role a manifest refers to content."""

    CONFIG = "config"
    LAYER = "layer"
    CHILD = "child"


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """Media type, digest and size of some content."""

    media_type: str
    digest: Digest
    size: int
    urls: tuple[str, ...] = ()
    platform: tuple[str, str] | None = None
    """Operating system and architecture, in an index."""

    @property
    def is_foreign(self) -> bool:
        """Whether the content is a non-distributable layer, which clients do not push."""
        return self.media_type.startswith(_FOREIGN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One reference from a manifest to content, in the manifest's order."""

    position: int
    kind: EdgeKind
    descriptor: Descriptor


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a manifest says, as far as a registry needs to know."""

    media_type: str
    artifact_type: str | None
    """What the referrers listing shows: the manifest's own, else the config's media type of an image manifest."""
    annotations: Mapping[str, str]
    subject: Descriptor | None
    edges: tuple[Edge, ...]

    @property
    def is_index(self) -> bool:
        """Whether this is one of the two index types."""
        return self.media_type in INDEX_TYPES


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestRules:
    """What the operator demands of manifests beyond the specification."""

    max_size: int = 4 * 1024 * 1024
    max_descriptors: int = 10_000
    layers_required: bool = True
    children_required: bool = False
    children_platforms: frozenset[tuple[str, str]] | None = None
    """Where children are required: of these platforms only; nothing means of all."""
    url_allow: tuple[re.Pattern[str], ...] | None = None
    url_deny: tuple[re.Pattern[str], ...] = field(default=())

    def requires(self, edge: Edge) -> bool:
        """Say whether the content must be in the repository before the manifest."""
        if edge.kind is EdgeKind.CHILD:
            chosen = self.children_platforms
            return self.children_required and (chosen is None or edge.descriptor.platform in chosen)
        return self.layers_required and not edge.descriptor.is_foreign


def media_type_of(content_type: str | None) -> str | None:
    """Return a `Content-Type` without its parameters, in lower case; nothing for none."""
    if content_type is None:
        return None
    return content_type.partition(";")[0].strip().lower() or None


def parse_manifest(content: bytes, content_type: str | None, rules: ManifestRules) -> Manifest:
    """Read a manifest.

    Args:
        content: the exact bytes.
        content_type: the request's `Content-Type`; without one, the document's own `mediaType` decides.
        rules: the operator's limits.

    Raises:
        ManifestTooLarge: more bytes than allowed.
        ManifestInvalid: anything else that is wrong; the message names the field.
    """
    if len(content) > rules.max_size:
        message = Sentence(
            "The manifest has %(count)s bytes; at most %(most)s are accepted.", count=len(content), most=rules.max_size
        )
        raise ManifestTooLarge(message, detail={"limit": rules.max_size, "size": len(content)})
    document = _document(content)
    media_type = _media_type(document, media_type_of(content_type))
    _check_shape(document, media_type)
    edges = _index_edges(document) if media_type in INDEX_TYPES else _image_edges(document)
    if len(edges) > rules.max_descriptors:
        message = Sentence(
            "The manifest has %(count)s descriptors; at most %(most)s are accepted.",
            count=len(edges),
            most=rules.max_descriptors,
        )
        raise ManifestInvalid(message)
    _check_urls(edges, rules)
    return Manifest(
        media_type=media_type,
        artifact_type=_artifact_type(document, edges),
        annotations=_annotations(document, "annotations"),
        subject=_subject(document),
        edges=edges,
    )


def referrer_descriptor(manifest: Manifest, digest: Digest, size: int) -> Mapping[str, object]:
    """Return the descriptor by which a referrers listing shows this manifest."""
    shown: dict[str, object] = {"mediaType": manifest.media_type, "digest": digest, "size": size}
    if manifest.artifact_type is not None:
        shown["artifactType"] = manifest.artifact_type
    if manifest.annotations:
        shown["annotations"] = dict(manifest.annotations)
    return shown


def _document(content: bytes) -> Mapping[str, object]:
    try:
        document: object = json.loads(
            content.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant, parse_int=_integer
        )
    except UnicodeDecodeError as error:
        message = Sentence("The manifest is not UTF-8 (byte %(start)s).", start=error.start)
        raise ManifestInvalid(message) from error
    except RecursionError as error:
        message = Sentence("The manifest is nested too deeply.")
        raise ManifestInvalid(message) from error
    except ValueError as error:
        message = Sentence("The manifest is not JSON: %(error)s.", error=str(error)[:200])
        raise ManifestInvalid(message) from error
    if not isinstance(document, dict):
        message = Sentence("The manifest is not a JSON object.")
        raise ManifestInvalid(message)
    return document


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        message = "a key occurs twice in one object"
        raise ValueError(message)
    return found


def _no_constant(name: str) -> object:
    message = f"{name} is not JSON"
    raise ValueError(message)


def _integer(digits: str) -> int | float:
    """Read a number; one beyond every size may stand in a field that is not ours, so its magnitude is enough."""
    return int(digits) if len(digits) <= len(str(_MAX_SIZE)) + 1 else float(digits)


def _media_type(document: Mapping[str, object], stated: str | None) -> str:
    own = document.get("mediaType")
    if own is not None and not isinstance(own, str):
        message = Sentence("`mediaType` must be a string.")
        raise ManifestInvalid(message)
    if document.get("schemaVersion") == 1 or "fsLayers" in document or "signatures" in document:
        message = Sentence(
            "Docker image manifest schema 1 is not supported; push the image with a current client (schema 2 or OCI)."
        )
        raise ManifestInvalid(message)
    media_type = stated or own
    if media_type is None:
        message = Sentence(
            "The request has no Content-Type and the manifest no `mediaType`: one of them must name its type."
        )
        raise ManifestInvalid(message)
    if media_type not in MANIFEST_TYPES:
        message = Sentence(
            "%(media_type)r is not a manifest type; accepted are: %(known)s.",
            media_type=media_type[:100],
            known=", ".join(sorted(MANIFEST_TYPES)),
        )
        raise ManifestInvalid(message)
    if own is not None and own != media_type:
        message = Sentence(
            "`mediaType` is %(own)r and the Content-Type is %(media_type)r; they must be the same.",
            own=own[:100],
            media_type=media_type,
        )
        raise ManifestInvalid(message)
    if own is None and media_type in _DOCKER_TYPES:
        message = Sentence("A Docker manifest must carry `mediaType`: %(media_type)r.", media_type=media_type)
        raise ManifestInvalid(message)
    return media_type


def _check_shape(document: Mapping[str, object], media_type: str) -> None:
    version = document.get("schemaVersion")
    if type(version) is not int or version != 2:  # noqa: PLR2004 - the specification's number
        message = Sentence("`schemaVersion` must be the number 2.")
        raise ManifestInvalid(message)
    is_index = media_type in INDEX_TYPES
    strangers = [name for name in (("config", "layers") if is_index else ("manifests",)) if name in document]
    if strangers:
        kind = "An index" if is_index else "An image manifest"
        message = Sentence(
            "%(kind)s cannot have `%(strangers)s`: the document could be read as two different things.",
            kind=kind,
            strangers=strangers[0],
        )
        raise ManifestInvalid(message)


def _image_edges(document: Mapping[str, object]) -> tuple[Edge, ...]:
    if "config" not in document:
        message = Sentence("An image manifest must have `config`.")
        raise ManifestInvalid(message)
    config = Edge(position=0, kind=EdgeKind.CONFIG, descriptor=_descriptor(document["config"], "config"))
    layers = (
        Edge(position=position, kind=EdgeKind.LAYER, descriptor=_descriptor(entry, f"layers[{position - 1}]"))
        for position, entry in enumerate(_list(document, "layers"), start=1)
    )
    return (config, *layers)


def _index_edges(document: Mapping[str, object]) -> tuple[Edge, ...]:
    return tuple(
        Edge(position=position, kind=EdgeKind.CHILD, descriptor=_descriptor(entry, f"manifests[{position}]"))
        for position, entry in enumerate(_list(document, "manifests"))
    )


def _list(document: Mapping[str, object], name: str) -> Sequence[object]:
    """Return the list of that name; `null` is what some encoders write for an empty one."""
    if name not in document:
        message = Sentence("The manifest must have `%(name)s`, if only an empty list.", name=name)
        raise ManifestInvalid(message)
    entries = document[name]
    if entries is None:
        return ()
    if not isinstance(entries, list):
        message = Sentence("`%(name)s` must be a list.", name=name)
        raise ManifestInvalid(message)
    return entries


def _descriptor(entry: object, where: str) -> Descriptor:
    if not isinstance(entry, dict):
        message = Sentence("`%(where)s` must be a descriptor: an object with mediaType, digest and size.", where=where)
        raise ManifestInvalid(message)
    size = entry.get("size")
    if type(size) is not int or not 0 <= size <= _MAX_SIZE:
        message = Sentence("`%(where)s.size` must be a whole number of bytes.", where=where)
        raise ManifestInvalid(message)
    found = Descriptor(
        media_type=_type_name(entry.get("mediaType"), f"{where}.mediaType"),
        digest=_digest(entry.get("digest"), f"{where}.digest"),
        size=size,
        urls=_urls(entry.get("urls"), where),
        platform=_platform(entry.get("platform"), where),
    )
    _annotations(entry, f"{where}.annotations")
    _check_data(entry.get("data"), found, where)
    return found


def _digest(entry: object, where: str) -> Digest:
    if not isinstance(entry, str):
        message = Sentence("`%(where)s` must be a digest.", where=where)
        raise ManifestInvalid(message)
    try:
        return parse_digest(entry)
    except DigestInvalid as error:
        message = Sentence("`%(where)s`: %(message)s", where=where, message=error.message)
        raise ManifestInvalid(message) from error


def _type_name(entry: object, where: str) -> str:
    if not isinstance(entry, str) or not _MEDIA_TYPE.fullmatch(entry):
        message = Sentence("`%(where)s` must be a media type: printable ASCII, at most 255 characters.", where=where)
        raise ManifestInvalid(message)
    return entry


def _urls(entry: object, where: str) -> tuple[str, ...]:
    if entry is None:
        return ()
    if not isinstance(entry, list) or not all(isinstance(url, str) for url in entry):
        message = Sentence("`%(where)s.urls` must be a list of strings.", where=where)
        raise ManifestInvalid(message)
    return tuple(entry)


def _platform(entry: object, where: str) -> tuple[str, str] | None:
    if entry is None:
        return None
    if not isinstance(entry, dict):
        message = Sentence("`%(where)s.platform` must be an object.", where=where)
        raise ManifestInvalid(message)
    system, architecture = entry.get("os"), entry.get("architecture")
    return (str(system), str(architecture)) if system and architecture else None


def _annotations(document: Mapping[str, object], where: str) -> Mapping[str, str]:
    entries = document.get("annotations")
    if entries is None:
        return {}
    if not isinstance(entries, dict) or not all(isinstance(value, str) for value in entries.values()):
        message = Sentence("`%(where)s` must be an object whose values are strings.", where=where)
        raise ManifestInvalid(message)
    try:
        json.dumps(entries, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        message = Sentence("`%(where)s` has text that is not Unicode (half of a surrogate pair).", where=where)
        raise ManifestInvalid(message) from error
    return entries


def _check_data(entry: object, descriptor: Descriptor, where: str) -> None:
    """Refuse embedded content that is not what the descriptor names: a client would trust it unread."""
    if entry is None:
        return
    try:
        content = base64.b64decode(entry if isinstance(entry, str) else b"?", validate=True)
    except (binascii.Error, ValueError) as error:
        message = Sentence("`%(where)s.data` must be base64.", where=where)
        raise ManifestInvalid(message) from error
    if len(content) != descriptor.size or digest_of(content, algorithm_of(descriptor.digest)) != descriptor.digest:
        message = Sentence(
            "`%(where)s.data` is not the content of %(digest)s with %(size)s bytes.",
            where=where,
            digest=descriptor.digest,
            size=descriptor.size,
        )
        raise ManifestInvalid(message)


def _subject(document: Mapping[str, object]) -> Descriptor | None:
    entry = document.get("subject")
    return None if entry is None else _descriptor(entry, "subject")


def _artifact_type(document: Mapping[str, object], edges: Sequence[Edge]) -> str | None:
    own = document.get("artifactType")
    if own is not None and own != "":
        return _type_name(own, "artifactType")
    if edges and edges[0].kind is EdgeKind.CONFIG:
        return edges[0].descriptor.media_type
    return None


def _check_urls(edges: Sequence[Edge], rules: ManifestRules) -> None:
    for edge in edges:
        for url in edge.descriptor.urls:
            allowed = rules.url_allow is None or any(pattern.search(url) for pattern in rules.url_allow)
            if not allowed or any(pattern.search(url) for pattern in rules.url_deny):
                message = Sentence("The URL %(url)r is not allowed here (validation.manifests.urls).", url=url[:200])
                raise ManifestInvalid(message)
