# SPDX-License-Identifier: Apache-2.0
"""What is inside a manifest, for people: platforms, layers with the commands that made them, what is attached.

Whether a manifest may be stored was decided when it was pushed (`domain.manifests`). What is read here was accepted
then; all that a pusher may write freely is still read as if it were wrong.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from wharfinger.clock import Instant
from wharfinger.domain.artifacts import Artifact, Part
from wharfinger.domain.digests import Digest, parse_digest
from wharfinger.domain.errors import DigestInvalid, QueryInvalid
from wharfinger.domain.image_config import ImageConfig, Reader, Step, read_object
from wharfinger.domain.platforms import Platform, parse_platform
from wharfinger.domain.sentences import Sentence

BASE_NAME: Final = "org.opencontainers.image.base.name"
BASE_DIGEST: Final = "org.opencontainers.image.base.digest"
_ATTESTS: Final = "vnd.docker.reference.digest"
_KIND: Final = "vnd.docker.reference.type"
_FIRST_CHOICE: Final = ("linux", "amd64")


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A descriptor, with all that it says."""

    media_type: str
    digest: Digest
    size: int
    artifact_type: str | None = None
    platform: Platform | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def attests(self) -> Digest | None:
        """The manifest beside it in its index that it speaks of: BuildKit lists attestations like platforms."""
        if self.annotations.get(_KIND) != "attestation-manifest":
            return None
        try:
            return parse_digest(self.annotations.get(_ATTESTS, ""))
        except DigestInvalid:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A manifest, with all that it says."""

    media_type: str
    artifact_type: str | None
    """Its own word; of an image manifest without one, its config's media type."""
    annotations: Mapping[str, str]
    subject: Digest | None
    config: Piece | None
    layers: tuple[Piece, ...]
    children: tuple[Piece, ...]

    @property
    def parts(self) -> tuple[Part, ...]:
        """The layers, or what an index lists, as `domain.artifacts` looks at them."""
        pieces = self.layers or self.children
        return tuple(Part(media_type=piece.media_type, annotations=piece.annotations) for piece in pieces)

    @property
    def size(self) -> int:
        """Bytes of the config and of the distinct layers: what somebody downloads who has none of it."""
        pieces = (*self.layers, *(() if self.config is None else (self.config,)))
        return sum({piece.digest: piece.size for piece in pieces}.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer of an image.

    Args:
        piece: its descriptor.
        step: what made it; nothing where the history does not fit the layers.
        content: its digest before it was compressed; nothing where the config does not fit.
        is_here: whether it can be pulled from this repository.
    """

    piece: Piece
    step: Step | None
    content: str | None
    is_here: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """On what an image says that it was built."""

    name: str
    digest: Digest | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What a Helm chart says of itself."""

    name: str
    version: str
    app_version: str
    description: str
    kube_version: str
    home: str
    keywords: tuple[str, ...]
    sources: tuple[str, ...]
    dependencies: tuple[str, ...]
    """Each as `name version`."""
    is_deprecated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """The content of one manifest that is no index.

    Args:
        digest: the manifest.
        document: what it says.
        artifact: what it is.
        config: of an image, where it could be read.
        chart: of a Helm chart, where it could be read.
        trouble: why the config could not be read.
        layers: in order, the lowest first.
        base: on what it says that it was built.
    """

    digest: Digest
    document: Document
    artifact: Artifact
    config: ImageConfig | None = None
    chart: Chart | None = None
    trouble: str | None = None
    layers: tuple[Layer, ...] = ()
    base: Base | None = None

    @property
    def history_fits(self) -> bool:
        """Whether the history makes as many layers as there are, so that each has its command."""
        return self.config is not None and fits(self.config.steps, len(self.layers))


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One entry of an index.

    Args:
        piece: its descriptor.
        platform: what it runs on; nothing where nothing is said.
        is_here: whether its manifest can be pulled from this repository.
        size: bytes of what it leads to; nothing if it is not here.
        within: the index inside this index that lists it; nothing if this one does.
    """

    piece: Piece
    platform: Platform | None
    is_here: bool
    size: int | None = None
    within: Digest | None = None

    @property
    def is_runnable(self) -> bool:
        """Whether it is for a platform, and no attestation."""
        return self.piece.attests is None and (self.platform is None or self.platform.is_known)

    @property
    def name(self) -> str:
        """What it is called in a list, and in an address: its platform, or else its digest."""
        return str(self.platform) if self.platform is not None and self.platform.is_known else self.piece.digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What a manifest is, and what is inside.

    Args:
        digest, media_type, size, pushed_at: the manifest itself.
        document: what it says.
        artifact: what it is.
        tags: which name it, as many as are shown.
        variants: of an index, what it lists, and what indexes in it list.
        more_variants: whether there are more than were looked at.
        chosen: of an index, the entry that was asked for, or the one that most would get; nothing if none is here.
        image: of an index, that of `chosen`; otherwise the manifest's own content.
        parents: indexes of the repository that list it.
    """

    digest: Digest
    media_type: str
    size: int
    pushed_at: Instant
    document: Document
    artifact: Artifact
    tags: tuple[str, ...] = ()
    variants: tuple[Variant, ...] = ()
    more_variants: bool = False
    chosen: Variant | None = None
    image: Image | None = None
    parents: tuple[Digest, ...] = ()


def read_document(content: bytes, media_type: str) -> Document:
    """Read a stored manifest.

    Args:
        content: its bytes, which were found to be a manifest when they were pushed.
        media_type: its type.
    """
    reader = Reader(read_object(content))
    config = _piece(reader.inside("config"))
    subject = _piece(reader.inside("subject"))
    own = reader.text("artifactType")
    return Document(
        media_type=media_type,
        artifact_type=own or (None if config is None else config.media_type),
        annotations=reader.mapping("annotations"),
        subject=None if subject is None else subject.digest,
        config=config,
        layers=_pieces(reader.objects("layers")),
        children=_pieces(reader.objects("manifests")),
    )


def read_chart(content: bytes) -> Chart:
    """Read the config of a Helm chart, which is its `Chart.yaml` as JSON.

    Raises:
        ValueError: it is no JSON object.
    """
    reader = Reader(read_object(content))
    dependencies = (Reader(entry) for entry in reader.objects("dependencies"))
    return Chart(
        name=reader.text("name"),
        version=reader.text("version"),
        app_version=reader.text("appVersion"),
        description=reader.text("description"),
        kube_version=reader.text("kubeVersion"),
        home=reader.text("home"),
        keywords=reader.texts("keywords"),
        sources=reader.texts("sources"),
        dependencies=tuple(f"{one.text('name')} {one.text('version')}".strip() for one in dependencies),
        is_deprecated=reader.yes("deprecated"),
    )


def platform_of(config: ImageConfig) -> Platform | None:
    """Return what an image runs on, by its own word."""
    if not config.system and not config.architecture:
        return None
    return Platform(
        system=config.system,
        architecture=config.architecture,
        variant=config.variant,
        version=config.system_version,
    )


def layers_of(document: Document, config: ImageConfig | None, here: Iterable[Digest]) -> tuple[Layer, ...]:
    """Join layers with the steps that made them.

    A step makes the next layer unless it says that it made none. Where the numbers differ, nobody can say which step
    made which layer, so none is named.
    """
    count, present = len(document.layers), frozenset(here)
    steps: Sequence[Step | None] = [None] * count
    contents: Sequence[str | None] = [None] * count
    if config is not None and fits(config.steps, count):
        steps = [step for step in config.steps if not step.is_empty]
    if config is not None and len(config.layer_contents) == count:
        contents = config.layer_contents
    return tuple(
        Layer(piece=piece, step=step, content=content, is_here=piece.digest in present)
        for piece, step, content in zip(document.layers, steps, contents, strict=True)
    )


def fits(steps: Iterable[Step], layers: int) -> bool:
    """Say whether a history makes that many layers."""
    return sum(not step.is_empty for step in steps) == layers


def base_of(document: Document, config: ImageConfig | None) -> Base | None:
    """Return on what an image says that it was built: an annotation, or else a label of the same name."""
    words: Mapping[str, str] = document.annotations
    if BASE_NAME not in words and BASE_DIGEST not in words and config is not None:
        words = config.labels
    name, digest = words.get(BASE_NAME, ""), words.get(BASE_DIGEST, "")
    try:
        return Base(name=name, digest=parse_digest(digest))
    except DigestInvalid:
        return Base(name=name, digest=None) if name else None


def choose(variants: Sequence[Variant], wanted: str | None, like: Platform | None = None) -> Variant | None:
    """Return the entry of an index that is meant.

    Args:
        variants: the entries.
        wanted: a platform, or the digest of an entry; nothing for what most people would get.
        like: without a wish, the platform to take if it is there.

    Raises:
        QueryInvalid: there is no such entry; the message says which there are.
    """
    if wanted is None:
        runnable = [one for one in variants if one.is_here and one.is_runnable]
        alike = [
            one for one in runnable if like is not None and one.platform is not None and one.platform.answers(like)
        ]
        first = [one for one in runnable if one.platform is not None and _names(one.platform) == _FIRST_CHOICE]
        return next(iter((*alike, *first, *runnable)), None)
    exact = next((one for one in variants if wanted in {one.name, one.piece.digest}), None)
    if exact is not None:
        return exact
    platform = parse_platform(wanted)
    found = next((one for one in variants if one.platform is not None and one.platform.answers(platform)), None)
    if found is None:
        there = ", ".join([one.name for one in variants if one.is_runnable][:20]) or "none"
        message = Sentence(
            "There is no platform %(wanted)r here; there are: %(there)s.", wanted=wanted[:80], there=there
        )
        raise QueryInvalid(message)
    return found


def _names(platform: Platform) -> tuple[str, str]:
    return platform.system, platform.architecture


def _pieces(entries: Iterable[Mapping[str, object]]) -> tuple[Piece, ...]:
    return tuple(piece for entry in entries if (piece := _piece(Reader(entry))) is not None)


def _piece(reader: Reader) -> Piece | None:
    try:
        digest = parse_digest(reader.text("digest"))
    except DigestInvalid:
        return None
    platform = reader.inside("platform")
    found = Platform(
        system=platform.text("os"),
        architecture=platform.text("architecture"),
        variant=platform.text("variant"),
        version=platform.text("os.version"),
    )
    return Piece(
        media_type=reader.text("mediaType"),
        digest=digest,
        size=reader.number("size"),
        artifact_type=reader.text("artifactType") or None,
        platform=found if found.system or found.architecture else None,
        annotations=reader.mapping("annotations"),
    )
