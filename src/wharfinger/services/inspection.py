# SPDX-License-Identifier: Apache-2.0
"""Looking inside: what a tag or digest leads to, what is attached to it, and how two of them differ.

Everything is read from what was pushed: manifests from the database, the config of an image from the store, verified
and of bounded size. What somebody wrote there may hold secrets, so none of it is logged.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from wharfinger.domain.artifacts import Nature, recognise
from wharfinger.domain.comparison import Comparison, Side, compare
from wharfinger.domain.digests import Digest
from wharfinger.domain.errors import BlobUnknown, ManifestUnknown
from wharfinger.domain.image_config import CONFIG_TYPES, ImageConfig, parse_image_config
from wharfinger.domain.inspection import (
    Chart,
    Document,
    Image,
    Inspection,
    Variant,
    base_of,
    choose,
    layers_of,
    platform_of,
    read_chart,
    read_document,
)
from wharfinger.domain.manifests import INDEX_TYPES, MANIFEST_TYPES
from wharfinger.domain.names import Reference, RepositoryName
from wharfinger.domain.platforms import Platform
from wharfinger.domain.referrers import Attached, Referrer
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata import inspection as rows
from wharfinger.metadata import manifests as manifest_rows
from wharfinger.metadata import repositories as repository_rows
from wharfinger.metadata import tags as tag_rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.inspection import StoredSummary
from wharfinger.services.blobs import Blobs
from wharfinger.services.manifests import Manifests, StoredManifest, manifest_unknown
from wharfinger.services.registries import Registry
from wharfinger.services.repositories import name_unknown

MOST_CONFIG: Final = 4 * 1024 * 1024
"""Bytes of a config that is read; a larger one is what nobody would call a configuration."""
MOST_VARIANTS: Final = 1_000
MOST_INDEXES: Final = 20
"""How many indexes inside an index are opened."""
MOST_FLOORS: Final = 4
"""How deep indexes, and what is attached to attachments, are followed."""
MOST_ATTACHED: Final = 200
MOST_TAGS: Final = 50
_MOST_REFERRER: Final = 256 * 1024
"""Bytes of an attached manifest that is opened; of a larger one its type is told."""
_IN_THREAD: Final = 64 * 1024
_COSIGN: Final = (".sig", ".att", ".sbom")
_CHART_CONFIG: Final = "application/vnd.cncf.helm.config.v1+json"
_Read = TypeVar("_Read")


class Inspections:
    """What is inside the manifests of every registry.

    Args:
        database: where rows are.
        manifests: read manifests.
        blobs: read configs.
    """

    def __init__(self, database: Database, manifests: Manifests, blobs: Blobs) -> None:
        self._database = database
        self._manifests = manifests
        self._blobs = blobs

    async def look(
        self,
        registry: Registry,
        repository: RepositoryName,
        reference: Reference,
        *,
        variant: str | None = None,
        like: Platform | None = None,
    ) -> Inspection:
        """Return what a tag or a digest leads to.

        Args:
            registry: where the repository is.
            repository: the repository.
            reference: the tag or digest.
            variant: of an index, the platform or digest to look into; nothing for what most would get.
            like: without one, the platform to take if it is there.

        Raises:
            NameUnknown, ManifestUnknown: it is not here.
            QueryInvalid: there is no such platform.
        """
        manifest = await self._manifests.find(registry, repository, reference)
        document = await self._document(manifest)
        variants, more = await self._variants(registry, repository, manifest, document)
        chosen = choose(variants, variant, like) if manifest.media_type in INDEX_TYPES else None
        artifact = recognise(manifest.media_type, document.artifact_type, document.parts, document.annotations)
        image = None
        if manifest.media_type not in INDEX_TYPES:
            image = await self._image(registry, repository, manifest, document)
        elif chosen is not None and chosen.is_here and chosen.piece.media_type in MANIFEST_TYPES - INDEX_TYPES:
            inner = await self._manifests.find(registry, repository, chosen.piece.digest)
            image = await self._image(registry, repository, inner, await self._document(inner))

        def work(connection: Connection) -> tuple[StoredSummary | None, tuple[str, ...], tuple[Digest, ...]]:
            repository_id = _require(connection, registry, repository)
            return (
                rows.find(connection, repository_id, [manifest.digest]).get(manifest.digest),
                tuple(rows.tags_of(connection, repository_id, manifest.id, MOST_TAGS)),
                tuple(manifest_rows.parents(connection, repository_id, manifest.id, MOST_INDEXES)),
            )

        stored, tags, parents = await self._database.read(work)
        if stored is None:  # somebody deleted it meanwhile
            raise manifest_unknown(reference)
        return Inspection(
            digest=manifest.digest,
            media_type=manifest.media_type,
            size=manifest.size,
            pushed_at=stored.pushed_at,
            document=document,
            artifact=artifact,
            tags=tags,
            variants=variants,
            more_variants=more,
            chosen=chosen,
            image=image,
            parents=parents,
        )

    async def attached(self, registry: Registry, repository: RepositoryName, digest: Digest) -> Attached:
        """Return everything that is attached to a manifest: by `subject`, by cosign's tags, or beside it in an index.

        Raises:
            NameUnknown, ManifestUnknown: the manifest is not here.
        """
        manifest = await self._manifests.find(registry, repository, digest)
        roots = await self._beside(registry, repository, manifest)
        seen, floors = {digest}, list[Mapping[Digest, list[Referrer]]]()
        level, room, more = [digest], MOST_ATTACHED, False
        for _ in range(MOST_FLOORS):
            found = await self._floor(registry, repository, level, room + 1)
            if not floors:
                found = [*((digest, "index", stored) for stored in roots), *found]
            new = [one for one in found if one[2].digest not in seen]
            more = more or len(new) > room
            floors.append(await self._opened(new[:room]))
            room -= len(new[:room])
            level = list(dict.fromkeys(stored.digest for _, _, stored in new[:room]))
            seen.update(level)
            if not level or more:
                break
        return Attached(referrers=_tree(floors, digest), more=more)

    async def compare(self, registry: Registry, before: Side, after: Side, *, variant: str | None = None) -> Comparison:
        """Return how the second differs from the first; of two indexes, on one platform.

        Args:
            registry: where both are.
            before: the one that it is compared with.
            after: the other; the caller may pull both.
            variant: which platform; nothing for one that both have.

        Raises:
            NameUnknown, ManifestUnknown: one of them is not here.
            QueryInvalid: there is no such platform.
        """
        first = await self.look(registry, before.repository, before.reference, variant=variant)
        second = await self.look(registry, after.repository, after.reference, variant=variant, like=_runs(first))
        if variant is None and first.variants and _runs(first) != _runs(second):
            first = await self.look(registry, before.repository, before.reference, like=_runs(second))
        return await asyncio.to_thread(compare, first, second)

    async def _document(self, manifest: StoredManifest) -> Document:
        content = await self._manifests.content(manifest)
        return await _parsed(lambda: read_document(content, manifest.media_type), len(content))

    async def _variants(
        self, registry: Registry, repository: RepositoryName, manifest: StoredManifest, document: Document
    ) -> tuple[tuple[Variant, ...], bool]:
        """Return what an index lists, and indexes in it, the nearest first; and whether there is more."""
        found: list[Variant] = []
        level: list[tuple[StoredManifest, Document, Digest | None]] = [(manifest, document, None)]
        opened, more = {manifest.digest}, False
        for _ in range(MOST_FLOORS):
            below: list[tuple[StoredManifest, Document, Digest | None]] = []
            for one, inside, within in level:
                listed = inside.children[: MOST_VARIANTS - len(found)]
                more = more or len(listed) < len(inside.children)
                stored, sizes, here = await self._listed(registry, repository, one, [piece.digest for piece in listed])
                for piece in listed:
                    inner = stored.get(piece.digest)
                    if inner is not None and inner.media_type in INDEX_TYPES and len(opened) <= MOST_INDEXES:
                        if inner.digest not in opened:
                            opened.add(inner.digest)
                            row = StoredManifest(inner.id, inner.digest, inner.media_type, inner.size)
                            below.append((row, await self._document(row), inner.digest))
                        continue
                    size = None if inner is None else inner.size + sizes.get(inner.id, 0)
                    variant = Variant(
                        piece=piece,
                        platform=piece.platform,
                        is_here=piece.digest in here,
                        size=size,
                        within=within,
                    )
                    found.append(variant)
            level = below
        return tuple(found), more or bool(level)

    async def _listed(
        self, registry: Registry, repository: RepositoryName, manifest: StoredManifest, digests: Sequence[Digest]
    ) -> tuple[Mapping[Digest, StoredSummary], Mapping[int, int], frozenset[Digest]]:
        def work(
            connection: Connection,
        ) -> tuple[Mapping[Digest, StoredSummary], Mapping[int, int], frozenset[Digest]]:
            repository_id = _require(connection, registry, repository)
            found = rows.find(connection, repository_id, digests)
            sizes = tag_rows.content_sizes(connection, {stored.id for stored in found.values()})
            return found, sizes, rows.present(connection, manifest.id)

        return await self._database.read(work) if digests else ({}, {}, frozenset())

    async def _image(
        self, registry: Registry, repository: RepositoryName, manifest: StoredManifest, document: Document
    ) -> Image:
        config, chart, trouble = await self._config(registry, repository, document)
        here = await self._database.read(lambda c: rows.present(c, manifest.id))
        return Image(
            digest=manifest.digest,
            document=document,
            artifact=recognise(manifest.media_type, document.artifact_type, document.parts, document.annotations),
            config=config,
            chart=chart,
            trouble=trouble,
            layers=layers_of(document, config, here),
            base=base_of(document, config),
        )

    async def _config(
        self, registry: Registry, repository: RepositoryName, document: Document
    ) -> tuple[ImageConfig | None, Chart | None, str | None]:
        """Return the config of an image or of a chart; or why it cannot be read."""
        piece = document.config
        if piece is None or piece.media_type not in {*CONFIG_TYPES, _CHART_CONFIG}:
            return None, None, None
        if piece.size > MOST_CONFIG:
            return (
                None,
                None,
                Sentence("It has %(size)s bytes; at most %(most)s are read.", size=piece.size, most=MOST_CONFIG),
            )
        try:
            content = await self._blobs.content(registry, await self._blobs.stat(registry, repository, piece.digest))
        except BlobUnknown:
            return None, None, Sentence("It is not in this repository any more; pushing the image again repairs it.")
        try:
            if piece.media_type == _CHART_CONFIG:
                return None, await _parsed(lambda: read_chart(content), len(content)), None
            return await _parsed(lambda: parse_image_config(content), len(content)), None, None
        except ValueError as error:
            return None, None, error.args[0]  # a sentence, which text of it would not be any more

    async def _beside(
        self, registry: Registry, repository: RepositoryName, manifest: StoredManifest
    ) -> Sequence[StoredSummary]:
        """Return attestations that indexes list beside the manifest and that speak of it."""

        def parents(connection: Connection) -> Mapping[Digest, StoredSummary]:
            repository_id = _require(connection, registry, repository)
            found = manifest_rows.parents(connection, repository_id, manifest.id, MOST_INDEXES)
            return rows.find(connection, repository_id, found)

        speaking: dict[Digest, None] = {}
        for one in (await self._database.read(parents)).values():
            document = await self._document(StoredManifest(one.id, one.digest, one.media_type, one.size))
            speaking |= dict.fromkeys(piece.digest for piece in document.children if piece.attests == manifest.digest)
        if not speaking:
            return ()
        found = await self._database.read(lambda c: rows.find(c, _require(c, registry, repository), speaking))
        return list(found.values())

    async def _floor(
        self, registry: Registry, repository: RepositoryName, subjects: Sequence[Digest], limit: int
    ) -> list[tuple[Digest, str, StoredSummary]]:
        """Return what is attached to one of the subjects: subject, how, and what."""
        named = {_tag_of(subject) + ending: subject for subject in subjects for ending in _COSIGN}

        def work(connection: Connection) -> list[tuple[Digest, str, StoredSummary]]:
            repository_id = _require(connection, registry, repository)
            found = rows.attached(connection, repository_id, subjects, limit)
            tagged = rows.tagged(connection, repository_id, named)
            return [
                *((subject, "subject", stored) for subject, stored in found),
                *((named[name], "tag", stored) for name, stored in tagged.items()),
            ]

        return await self._database.read(work) if subjects else []

    async def _opened(self, found: Iterable[tuple[Digest, str, StoredSummary]]) -> Mapping[Digest, list[Referrer]]:
        """Return referrers by subject, with what their manifests say of themselves."""
        opened: dict[Digest, list[Referrer]] = {}
        for subject, by, stored in found:
            document = None
            if stored.size <= _MOST_REFERRER:
                manifest = StoredManifest(stored.id, stored.digest, stored.media_type, stored.size)
                try:
                    document = await self._document(manifest)
                except ManifestUnknown:  # collected since, or damaged
                    continue
            opened.setdefault(subject, []).append(_referrer(by, stored, document))
        return opened


async def _parsed(parse: Callable[[], _Read], size: int) -> _Read:
    """Parse here, or where it takes long in a thread."""
    return await asyncio.to_thread(parse) if size > _IN_THREAD else parse()


def _referrer(by: str, stored: StoredSummary, document: Document | None) -> Referrer:
    parts = () if document is None else document.parts
    annotations = {} if document is None else document.annotations
    artifact = recognise(stored.media_type, stored.artifact_type, parts, annotations)
    if by == "tag" and artifact.nature is Nature.IMAGE:
        artifact = replace(artifact, nature=Nature.ARTIFACT)
    return Referrer(
        digest=stored.digest,
        media_type=stored.media_type,
        artifact_type=stored.artifact_type,
        size=stored.size if document is None else stored.size + document.size,
        pushed_at=stored.pushed_at,
        artifact=artifact,
        by=by,
        annotations=annotations,
        parts=() if document is None else tuple((layer.media_type, layer.size) for layer in document.layers),
    )


def _tree(floors: Sequence[Mapping[Digest, list[Referrer]]], subject: Digest) -> tuple[Referrer, ...]:
    if not floors:
        return ()
    return tuple(replace(one, referrers=_tree(floors[1:], one.digest)) for one in floors[0].get(subject, ()))


def _runs(inspection: Inspection) -> Platform | None:
    """Return the platform that was looked at."""
    if inspection.chosen is not None:
        return inspection.chosen.platform
    image = inspection.image
    return None if image is None or image.config is None else platform_of(image.config)


def _tag_of(digest: Digest) -> str:
    """Return how cosign writes a digest in a tag."""
    return digest.replace(":", "-", 1)


def _require(connection: Connection, registry: Registry, repository: RepositoryName) -> int:
    repository_id = repository_rows.find(connection, registry.id, repository)
    if repository_id is None:
        raise name_unknown(repository)
    return repository_id
