# SPDX-License-Identifier: Apache-2.0
"""Looking inside a manifest, at what is attached to it, and at how two of them differ."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final

from fastapi import Query
from pydantic import Field

from wharfinger.domain import comparison as comparing
from wharfinger.domain import inspection as inside
from wharfinger.domain.access import Action
from wharfinger.domain.digests import Digest
from wharfinger.domain.image_config import ImageConfig
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.referrers import Referrer
from wharfinger.management_api.calls import OnRepository, require_on_repository
from wharfinger.management_api.fields import DigestPath, OneLine, RepositoryPath, Shown, moment, time_of
from wharfinger.management_api.routing import Calling, Route

_LONGEST: Final = 600
_Platform = Annotated[
    Annotated[OneLine, Field(min_length=1, max_length=_LONGEST, examples=["linux/arm64"])] | None,
    Query(description="Of an index, the platform or the digest to look into; without it, what most would get."),
]
_Side = Annotated[OneLine, Field(min_length=1, max_length=_LONGEST, examples=["v1", "acme/other:v2"])]


class PlatformEntry(Shown):
    """What an index lists."""

    name: str
    """The platform, as `platform=` takes it; the digest where there is none."""
    os: str | None
    architecture: str | None
    variant: str | None
    os_version: str | None
    digest: str
    media_type: str
    size: int | None
    """Bytes of all that it leads to; nothing if it is not here."""
    is_here: bool
    """Whether it can be pulled from this repository."""
    attests: str | None
    """Of an attestation, the digest that it speaks of."""
    within: str | None
    """The index inside this one that lists it."""


class LayerEntry(Shown):
    """A layer."""

    digest: str
    media_type: str
    size: int
    command: str | None
    """What made it, as it stood in the build file; nothing where the history does not fit the layers."""
    created_by: str | None
    """The same as the builder wrote it."""
    created_at: datetime | None
    diff_id: str | None
    """Its digest before it was compressed."""
    is_here: bool
    annotations: dict[str, str]


class BuildStep(Shown):
    """A step of the build."""

    command: str
    created_by: str
    created_at: datetime | None
    comment: str
    is_empty: bool
    """Whether it made no layer."""


class Configuration(Shown):
    """What an image runs, and how it was built."""

    os: str
    architecture: str
    variant: str
    os_version: str
    created_at: datetime | None
    author: str
    user: str
    env: list[str]
    entrypoint: list[str]
    cmd: list[str]
    working_dir: str
    ports: list[str]
    volumes: list[str]
    labels: dict[str, str]
    stop_signal: str
    shell: list[str]
    health_check: list[str]
    history: list[BuildStep]
    passed_over: list[str]
    """Fields that are of a wrong type, and were not read."""


class ChartEntry(Shown):
    """What a Helm chart says of itself."""

    name: str
    version: str
    app_version: str
    description: str
    kube_version: str
    home: str
    keywords: list[str]
    sources: list[str]
    dependencies: list[str]
    is_deprecated: bool


class BaseImage(Shown):
    """On what an image says that it was built."""

    name: str
    digest: str | None


class Content(Shown):
    """The content of a manifest that is no index."""

    digest: str
    nature: str
    """`image`, `chart`, `signature`, `sbom`, `attestation`, `report`, `cache`, `module`, `plugin` or `artifact`."""
    forms: list[str]
    """In which formats, or by which tools."""
    size: int
    """Bytes of the config and the distinct layers: what somebody downloads who has none of it."""
    annotations: dict[str, str]
    layers: list[LayerEntry]
    config: Configuration | None
    config_trouble: str | None
    """Why the config cannot be read."""
    chart: ChartEntry | None
    base: BaseImage | None


class ManifestContents(Shown):
    """A manifest, and what is inside."""

    digest: str
    media_type: str
    artifact_type: str | None
    nature: str
    """As of its content, or `index`."""
    forms: list[str]
    size: int
    """Bytes of the manifest itself."""
    pushed_at: datetime
    subject: str | None
    annotations: dict[str, str]
    tags: list[str]
    """Tags that name it, the first fifty."""
    parents: list[str]
    """Indexes of the repository that list it."""
    platforms: list[PlatformEntry]
    """What an index lists, and what indexes inside it list."""
    more_platforms: bool
    """Whether there are more than are looked at."""
    chosen: str | None
    """Of an index, the digest whose content is shown."""
    content: Content | None


class Part(Shown):
    """A layer of something that is attached."""

    media_type: str
    size: int


class AttachedManifest(Shown):
    """Something that is attached to a manifest."""

    digest: str
    media_type: str
    artifact_type: str | None
    nature: str
    forms: list[str]
    size: int
    pushed_at: datetime
    attached_by: str
    """`subject`, `tag` (as cosign names them), or `index` (listed beside it)."""
    annotations: dict[str, str]
    parts: list[Part]
    referrers: list["AttachedManifest"]
    """What is attached to it in turn."""


class AttachedManifests(Shown):
    """Everything that is attached to a manifest."""

    referrers: list[AttachedManifest]
    more: bool
    """Whether there are more than are looked at."""


class Difference(Shown):
    """One thing that differs."""

    name: str
    before: str | None
    """Nothing if it was added."""
    after: str | None
    """Nothing if it was taken away."""


class RepackedLayer(Shown):
    """A layer with the same content in both, packed in different ways."""

    before: LayerEntry
    after: LayerEntry


class Layers(Shown):
    """How the layers differ."""

    common: list[LayerEntry]
    repacked: list[RepackedLayer]
    removed: list[LayerEntry]
    added: list[LayerEntry]


class ComparedManifests(Shown):
    """How the second of two manifests differs from the first."""

    before: str
    """The digest of the first."""
    after: str
    before_content: str | None
    """The digest of the image that was looked at, where the first is an index."""
    after_content: str | None
    is_same: bool
    download: int
    """Bytes that somebody fetches who has the first and pulls the second."""
    layers: Layers
    platforms: list[Difference]
    config: list[Difference]
    environment: list[Difference]
    labels: list[Difference]
    annotations: list[Difference]


async def read_manifest(
    call: Calling, name: RepositoryPath, digest: DigestPath, platform: _Platform = None
) -> ManifestContents:
    """Show what is inside a manifest: platforms, layers with the commands that made them, configuration."""
    found = await call.services.inspections.look(call.registry, RepositoryName(name), Digest(digest), variant=platform)
    return ManifestContents(
        digest=found.digest,
        media_type=found.media_type,
        artifact_type=found.document.artifact_type,
        nature=found.artifact.nature,
        forms=list(found.artifact.forms),
        size=found.size,
        pushed_at=time_of(found.pushed_at),
        subject=found.document.subject,
        annotations=_words(found.document.annotations),
        tags=list(found.tags),
        parents=list(found.parents),
        platforms=[_platform(one) for one in found.variants],
        more_platforms=found.more_variants,
        chosen=None if found.chosen is None else found.chosen.piece.digest,
        content=None if found.image is None else _content(found.image),
    )


async def list_attached(call: Calling, name: RepositoryPath, digest: DigestPath) -> AttachedManifests:
    """Show what is attached to a manifest, as a tree: signatures, bills of materials, attestations and others."""
    found = await call.services.inspections.attached(call.registry, RepositoryName(name), Digest(digest))
    return AttachedManifests(referrers=[_attached(one) for one in found.referrers], more=found.more)


async def compare_manifests(
    call: Calling,
    name: RepositoryPath,
    before: Annotated[_Side, Query(alias="from", description="TAG, DIGEST, NAME:TAG or NAME@DIGEST.")],
    after: Annotated[_Side, Query(alias="to", description="As `from`.")],
    platform: _Platform = None,
) -> ComparedManifests:
    """Show how two manifests differ, of this repository or of another one that the caller may pull."""
    sides = [comparing.parse_side(text, RepositoryName(name)) for text in (before, after)]
    for side in sides:
        if side.repository != name:
            await require_on_repository(call, Action.PULL, side.repository)
    found = await call.services.inspections.compare(call.registry, *sides, variant=platform)
    kinds = {section.kind: [_difference(one) for one in section.changes] for section in found.sections}
    return ComparedManifests(
        before=found.before.digest,
        after=found.after.digest,
        before_content=None if found.before.image is None else found.before.image.digest,
        after_content=None if found.after.image is None else found.after.image.digest,
        is_same=found.is_same,
        download=found.download,
        layers=Layers(
            common=[_layer(one) for one in found.common],
            repacked=[RepackedLayer(before=_layer(one.before), after=_layer(one.after)) for one in found.repacked],
            removed=[_layer(one) for one in found.removed],
            added=[_layer(one) for one in found.added],
        ),
        platforms=kinds.get("platforms", []),
        config=kinds.get("config", []),
        environment=kinds.get("environment", []),
        labels=kinds.get("labels", []),
        annotations=kinds.get("annotations", []),
    )


def _platform(one: inside.Variant) -> PlatformEntry:
    platform = one.platform
    return PlatformEntry(
        name=one.name,
        os=None if platform is None else platform.system,
        architecture=None if platform is None else platform.architecture,
        variant=None if platform is None else platform.variant or None,
        os_version=None if platform is None else platform.version or None,
        digest=one.piece.digest,
        media_type=one.piece.media_type,
        size=one.size,
        is_here=one.is_here,
        attests=one.piece.attests,
        within=one.within,
    )


def _content(image: inside.Image) -> Content:
    base = image.base
    return Content(
        digest=image.digest,
        nature=image.artifact.nature,
        forms=list(image.artifact.forms),
        size=image.document.size,
        annotations=_words(image.document.annotations),
        layers=[_layer(one) for one in image.layers],
        config=None if image.config is None else _configuration(image.config),
        config_trouble=image.trouble,
        chart=None if image.chart is None else _chart(image.chart),
        base=None if base is None else BaseImage(name=base.name, digest=base.digest),
    )


def _layer(one: inside.Layer) -> LayerEntry:
    step = one.step
    return LayerEntry(
        digest=one.piece.digest,
        media_type=one.piece.media_type,
        size=one.piece.size,
        command=None if step is None else step.instruction,
        created_by=None if step is None else step.created_by,
        created_at=None if step is None else moment(step.created_at),
        diff_id=one.content,
        is_here=one.is_here,
        annotations=_words(one.piece.annotations),
    )


def _configuration(config: ImageConfig) -> Configuration:
    steps = [
        BuildStep(
            command=step.instruction,
            created_by=step.created_by,
            created_at=moment(step.created_at),
            comment=step.comment,
            is_empty=step.is_empty,
        )
        for step in config.steps
    ]
    return Configuration(
        os=config.system,
        architecture=config.architecture,
        variant=config.variant,
        os_version=config.system_version,
        created_at=moment(config.created_at),
        author=config.author,
        user=config.user,
        env=[f"{name}={value}" for name, value in config.environment],
        entrypoint=list(config.entrypoint),
        cmd=list(config.command),
        working_dir=config.working_directory,
        ports=list(config.ports),
        volumes=list(config.volumes),
        labels=_words(config.labels),
        stop_signal=config.stop_signal,
        shell=list(config.shell),
        health_check=list(config.health_check),
        history=steps,
        passed_over=list(config.passed_over),
    )


def _chart(chart: inside.Chart) -> ChartEntry:
    return ChartEntry(
        name=chart.name,
        version=chart.version,
        app_version=chart.app_version,
        description=chart.description,
        kube_version=chart.kube_version,
        home=chart.home,
        keywords=list(chart.keywords),
        sources=list(chart.sources),
        dependencies=list(chart.dependencies),
        is_deprecated=chart.is_deprecated,
    )


def _attached(one: Referrer) -> AttachedManifest:
    return AttachedManifest(
        digest=one.digest,
        media_type=one.media_type,
        artifact_type=one.artifact_type,
        nature=one.artifact.nature,
        forms=list(one.artifact.forms),
        size=one.size,
        pushed_at=time_of(one.pushed_at),
        attached_by=one.by,
        annotations=_words(one.annotations),
        parts=[Part(media_type=media_type, size=size) for media_type, size in one.parts],
        referrers=[_attached(below) for below in one.referrers],
    )


def _difference(one: comparing.Change) -> Difference:
    return Difference(name=one.name, before=one.before, after=one.after)


def _words(words: Mapping[str, str]) -> dict[str, str]:
    return dict(words)


_PULL: Final = OnRepository(Action.PULL)
_REPOSITORY: Final = "/repositories/{name:path}/-"
ROUTES: Final = (
    Route("GET", _REPOSITORY + "/manifests/{digest}", _PULL, read_manifest),
    Route("GET", _REPOSITORY + "/manifests/{digest}/referrers", _PULL, list_attached),
    Route("GET", _REPOSITORY + "/compare", _PULL, compare_manifests),
)
