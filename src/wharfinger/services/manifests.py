# SPDX-License-Identifier: Apache-2.0
"""Manifests of a repository: pulling, pushing and deleting them, and who refers to one.

Pulling by tag looks the tag up every time; the bytes, which a digest names, come from memory when they are there.
Pushing is one transaction: the manifest, its edges, its tags, their history and the events all appear, or nothing.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import orjson

from wharfinger.clock import Clock, Instant
from wharfinger.domain.content import ALL_TAKEN
from wharfinger.domain.digests import Algorithm, Digest, algorithm_of, digest_of
from wharfinger.domain.errors import (
    DigestMismatch,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestUnknown,
    PreconditionFailed,
    StillReferenced,
)
from wharfinger.domain.events import Event, EventAction
from wharfinger.domain.identity import Actor
from wharfinger.domain.manifests import (
    Edge,
    EdgeKind,
    Manifest,
    ManifestRules,
    parse_manifest,
    referrer_descriptor,
)
from wharfinger.domain.names import Reference, RepositoryName, TagName, is_digest
from wharfinger.domain.pages import Page, page_of
from wharfinger.domain.repositories import source_of
from wharfinger.domain.sentences import Sentence
from wharfinger.domain.switches import Switches
from wharfinger.failpoints import failpoint
from wharfinger.metadata import blobs as blob_rows
from wharfinger.metadata import events, tag_history
from wharfinger.metadata import manifests as rows
from wharfinger.metadata import repositories as repository_rows
from wharfinger.metadata import tags as tag_rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.manifests import Arrival, Destination, ManifestSummary, NewManifest
from wharfinger.metadata.tags import Target
from wharfinger.services.cache import ContentCache
from wharfinger.services.content import require_taken
from wharfinger.services.registries import Registry
from wharfinger.services.repositories import ensure_locked, link_source, name_unknown, require_locked, tag_change
from wharfinger.services.restoring import RestoredManifest, find_deleted_manifest, restore_manifest
from wharfinger.telemetry import logger

_log = logger("manifests")

_PARSE_IN_THREAD: Final = 64 * 1024
"""Bytes from which parsing would hold up the loop for longer than a thread costs."""
_REFERRERS_BATCH: Final = 500
_REFERRERS_BYTES: Final = 4 * 1024 * 1024 - 1024
"""How much of descriptors one page holds: the whole answer is a manifest, and stays within 4 MiB."""


class StoredManifest(NamedTuple):
    """A manifest as it is stored; a tuple, because the hot path makes one for every pull."""

    id: int
    digest: Digest
    media_type: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestPush:
    """What a client asks to be stored."""

    content: bytes
    content_type: str | None
    digest: Digest | None
    """The digest that it was pushed under, if it was pushed by digest."""
    tags: Sequence[TagName]
    if_match: Digest | None = None
    """Every tag must name this manifest now."""
    if_absent: bool = False
    """No tag may exist now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedManifest:
    """What was stored."""

    digest: Digest
    subject: Digest | None


class Manifests:
    """Manifests of every registry."""

    def __init__(
        self, *, database: Database, clock: Clock, switches: Switches, rules: ManifestRules, cache: ContentCache
    ) -> None:
        self._database = database
        self._clock = clock
        self._switches = switches
        self._rules = rules
        self._cache = cache

    @property
    def max_size(self) -> int:
        """How many bytes a manifest may have."""
        return self._rules.max_size

    async def find(self, registry: Registry, repository: RepositoryName, reference: Reference) -> StoredManifest:
        """Return the manifest that a tag or digest names.

        Raises:
            NameUnknown: there is no such repository.
            ManifestUnknown: it has no such tag or manifest.
        """
        lookup = rows.BY_DIGEST if ":" in reference else rows.BY_TAG
        row = await self._database.find(lookup, registry_id=registry.id, repository=repository, reference=reference)
        if row is None:
            raise await self._unknown(registry, repository, reference)
        return StoredManifest(*row)

    async def list(
        self, registry: Registry, repository: RepositoryName, before: int | None, limit: int
    ) -> Page[ManifestSummary]:
        """Return manifests with lower numbers than `before`, the newest first.

        Raises:
            NameUnknown: there is no such repository.
        """

        def work(connection: Connection) -> Page[ManifestSummary]:
            repository_id = repository_rows.find(connection, registry.id, repository)
            if repository_id is None:
                raise name_unknown(repository)
            return page_of(rows.list_manifests(connection, repository_id, before, limit + 1), limit)

        return await self._database.read(work)

    async def content(self, manifest: StoredManifest) -> bytes:
        """Return the exact bytes that were pushed; they are verified when they enter the memory.

        Raises:
            ManifestUnknown: it was collected since it was found, or the stored bytes are not what the digest names.
                The next push of the same manifest stores them anew.
        """
        content = self._cache.get(manifest.digest)
        if content is None:
            row = await self._database.read(lambda c: rows.CONTENT.first(c, manifest_id=manifest.id))
            if row is None:
                raise manifest_unknown(manifest.digest)
            content = bytes(row[0])
            if digest_of(content, algorithm_of(manifest.digest)) != manifest.digest:
                _log.error("a stored manifest is damaged; pushing it again repairs it", digest=manifest.digest)
                message = Sentence("The stored manifest %(digest)s is damaged; push it again.", digest=manifest.digest)
                raise ManifestUnknown(message, detail={"digest": manifest.digest})
            self._cache.put(manifest.digest, content)
        return content

    async def put(
        self, registry: Registry, repository: RepositoryName, push: ManifestPush, by: Actor
    ) -> PushedManifest:
        """Store a manifest under its digest and its tags: all of it, or nothing.

        Raises:
            ManifestInvalid, ManifestTooLarge: what `parse_manifest` finds, or a size that is not the content's.
            DigestMismatch: the content is not what it was pushed under.
            ManifestBlobUnknown: content that must be there is not.
            PreconditionFailed: a tag is not where the caller said.
            TagImmutable: a tag names something else, and the rules of the repository keep it there.
            KindSwitchedOff: content of its kind is not taken there.
        """
        self._switches.require_writable()
        if len(push.content) > _PARSE_IN_THREAD:
            manifest = await asyncio.to_thread(parse_manifest, push.content, push.content_type, self._rules)
        else:
            manifest = parse_manifest(push.content, push.content_type, self._rules)
        digest = _digest(push)
        work = _Push(registry, repository, push, manifest, digest, by, self._clock.now(), self._rules)
        await self._database.write(work)
        failpoint("manifest.push.committed")
        self._cache.put(digest, push.content)
        return PushedManifest(digest=digest, subject=None if manifest.subject is None else manifest.subject.digest)

    async def delete(self, registry: Registry, repository: RepositoryName, digest: Digest, by: Actor) -> None:
        """Delete a manifest and every tag that names it. Its blobs stay until nothing needs them.

        Raises:
            NameUnknown, ManifestUnknown: it is not here.
            StillReferenced: an index of the repository lists it.
            TagImmutable: a tag names it that the rules of the repository keep.
        """
        self._switches.require_deletion()
        now = self._clock.now()

        def work(connection: Connection) -> None:
            held = require_locked(connection, registry, repository)
            manifest_id = rows.find(connection, held.id, digest)
            if manifest_id is None:
                raise manifest_unknown(digest)
            _require_no_parents(connection, held.id, manifest_id)
            event = Event(
                action=EventAction.MANIFEST_DELETED, repository_id=held.id, repository=repository, digest=digest
            )
            # Before the events of its tags, which tells those that go with it from those that went before.
            deletion_id = events.record(connection, registry.id, event, by, now)
            change = tag_change(registry, held, repository, by, now)
            for name in tag_rows.naming(connection, held.id, manifest_id):
                tag_rows.remove(connection, change, name)
            rows.delete(connection, manifest_id, now, change.review_at, deletion_id)
            repository_rows.touch(connection, held.id, now)
            failpoint("manifest.delete.committing")

        await self._database.write(work)
        failpoint("manifest.delete.committed")

    async def restore(
        self, registry: Registry, repository: RepositoryName, digest: Digest, by: Actor
    ) -> RestoredManifest:
        """Bring a deleted manifest back with all that it leads to, and with the tags that were deleted with it.

        A tag that was made anew meanwhile stays where it is.

        Raises:
            NameUnknown, ManifestUnknown: there is no such repository, or the manifest is not in its trash.
            ContentGone: it cannot come back whole.
        """
        self._switches.require_writable()
        now = self._clock.now()

        def work(connection: Connection) -> RestoredManifest:
            held = require_locked(connection, registry, repository)
            found = find_deleted_manifest(connection, held.id, digest)
            change = tag_change(registry, held, repository, by, now, "restored")
            others = restore_manifest(connection, change, digest, found)
            tags = tag_history.deleted_with(connection, held.id, digest, found.deletion_id or 0)
            for name in tags:
                tag_rows.move(connection, change, name, Target(manifest_id=found.id, digest=digest))
            repository_rows.touch(connection, held.id, now)
            failpoint("manifest.restore.committing")
            return RestoredManifest(digest=digest, tags=tags, others=others)

        restored = await self._database.write(work)
        failpoint("manifest.restore.committed")
        return restored

    async def referrers(
        self,
        registry: Registry,
        repository: RepositoryName,
        subject: Digest,
        artifact_types: Sequence[str],
        last: str | None,
    ) -> Page[tuple[Digest, str]]:
        """Return digest and ready-made descriptor of manifests that name the subject, as many as fit on a page.

        An unknown repository or subject has no referrers; that is an answer, not an error.
        """

        def work(connection: Connection) -> Page[tuple[Digest, str]]:
            repository_id = repository_rows.find(connection, registry.id, repository)
            if repository_id is None:
                return Page((), more=False)
            return _fill_page(connection, repository_id, subject, artifact_types, last)

        return await self._database.read(work)

    async def _unknown(self, registry: Registry, repository: RepositoryName, reference: Reference) -> Exception:
        row = await self._database.find(repository_rows.REPOSITORY, registry_id=registry.id, repository=repository)
        return name_unknown(repository) if row is None else manifest_unknown(reference)


class _Push:
    """The transaction of a push: called with a connection, perhaps more than once."""

    def __init__(  # noqa: PLR0917 - one call
        self,
        registry: Registry,
        repository: RepositoryName,
        push: ManifestPush,
        manifest: Manifest,
        digest: Digest,
        by: Actor,
        now: Instant,
        rules: ManifestRules,
    ) -> None:
        self._registry = registry
        self._repository = repository
        self._push = push
        self._manifest = manifest
        self._digest = digest
        self._by = by
        self._now = now
        self._rules = rules

    def __call__(self, connection: Connection) -> None:
        held = ensure_locked(connection, self._registry, self._repository, self._by, self._now)
        repository_id = held.id
        if held.kinds_off is not ALL_TAKEN:
            tags = tuple(self._push.tags)
            require_taken(connection, repository_id, self._repository, self._manifest, tags, held.kinds_off)
        self._check_conditions(connection, repository_id)
        destinations = self._destinations(connection, repository_id)
        manifest_id, arrival = rows.put(connection, self._new(repository_id), self._by, self._now)
        if arrival is Arrival.NEW:
            rows.put_edges(connection, repository_id, manifest_id, destinations)
        if arrival is not Arrival.PRESENT:
            rows.close_edges(connection, repository_id, self._digest, manifest_id)
            self._tell(connection, repository_id)
            self._link_source(connection)
        change = tag_change(self._registry, held, self._repository, self._by, self._now)
        for name in self._push.tags:
            tag_rows.move(connection, change, name, Target(manifest_id=manifest_id, digest=self._digest))
        if not self._push.tags:
            rows.push_untagged(connection, manifest_id, self._now, change.review_at)
        repository_rows.touch(connection, repository_id, self._now)
        failpoint("manifest.push.committing")

    def _link_source(self, connection: Connection) -> None:
        """Take the source from what is pushed; what is attached to other content may come from elsewhere."""
        source = None if self._manifest.subject is not None else source_of(self._manifest.annotations)
        if source is not None:
            link_source(connection, self._registry, self._repository, source, by=self._by, now=self._now)

    def _check_conditions(self, connection: Connection, repository_id: int) -> None:
        if self._push.if_match is None and not self._push.if_absent:
            return
        for name in self._push.tags:
            target = tag_rows.find(connection, repository_id, name)
            current = None if target is None else target.digest
            if self._push.if_absent and current is not None:
                message = Sentence("The tag %(name)r exists already.", name=name)
                raise PreconditionFailed(message, detail={"tag": name, "digest": current})
            if (wanted := self._push.if_match) is not None and current != wanted:
                message = Sentence("The tag %(name)r does not name %(digest)s now.", name=name, digest=wanted)
                raise PreconditionFailed(message, detail={"tag": name, "digest": current})

    def _destinations(self, connection: Connection, repository_id: int) -> list[tuple[Edge, Destination]]:
        """Find what each edge leads to, and refuse the manifest if something that must be there is not."""
        edges = self._manifest.edges
        blobs = blob_rows.members(connection, repository_id, (edge.descriptor.digest for edge in edges))
        children = rows.members(
            connection, repository_id, (e.descriptor.digest for e in edges if e.kind is EdgeKind.CHILD)
        )
        missing = [
            edge.descriptor.digest
            for edge in edges
            if edge.descriptor.digest not in blobs
            and edge.descriptor.digest not in children
            and self._rules.requires(edge)
        ]
        if missing:
            raise ManifestBlobUnknown(list(dict.fromkeys(missing)))
        return [(edge, _destination(edge, blobs, children)) for edge in edges]

    def _new(self, repository_id: int) -> NewManifest:
        subject = self._manifest.subject
        descriptor = referrer_descriptor(self._manifest, self._digest, len(self._push.content))
        return NewManifest(
            repository_id=repository_id,
            digest=self._digest,
            media_type=self._manifest.media_type,
            artifact_type=self._manifest.artifact_type,
            content=self._push.content,
            subject=None if subject is None else subject.digest,
            referrer=None if subject is None else orjson.dumps(descriptor).decode(),
        )

    def _tell(self, connection: Connection, repository_id: int) -> None:
        event = Event(
            action=EventAction.MANIFEST_PUSHED,
            repository_id=repository_id,
            repository=self._repository,
            digest=self._digest,
            media_type=self._manifest.media_type,
            size=len(self._push.content),
        )
        events.record(connection, self._registry.id, event, self._by, self._now)


def manifest_unknown(reference: Reference) -> ManifestUnknown:
    """Return the error for a tag or manifest that the repository does not have."""
    if is_digest(reference):
        message = Sentence("The manifest %(digest)s is not in this repository.", digest=reference)
        return ManifestUnknown(message, detail={"digest": reference})
    message = Sentence("There is no tag %(name)r in this repository.", name=reference)
    return ManifestUnknown(message, detail={"tag": reference})


def _digest(push: ManifestPush) -> Digest:
    """Hash the content as it was pushed: under the digest given, or under sha256.

    Raises:
        DigestMismatch: the content hashes to something else.
    """
    algorithm = Algorithm.SHA256 if push.digest is None else algorithm_of(push.digest)
    digest = digest_of(push.content, algorithm)
    if push.digest is not None and digest != push.digest:
        message = Sentence(
            "The manifest was pushed as %(digest)s, but its bytes hash to %(found)s.", digest=push.digest, found=digest
        )
        raise DigestMismatch(message)
    return digest


def _destination(
    edge: Edge, blobs: Mapping[str, tuple[int, int]], children: Mapping[str, tuple[int, int]]
) -> Destination:
    digest = edge.descriptor.digest
    found = children.get(digest) if edge.kind is EdgeKind.CHILD else None
    destination = Destination(child_id=found[0]) if found else Destination()
    if found is None and (found := blobs.get(digest)):
        destination = Destination(blob_id=found[0])
    if found is not None and found[1] != edge.descriptor.size:
        said: dict[str, str | int] = {"digest": digest, "size": edge.descriptor.size, "found": found[1]}
        message = Sentence("The manifest gives %(digest)s a size of %(size)s bytes; it has %(found)s.", **said)
        raise ManifestInvalid(message, detail={"digest": digest, "size": found[1]})
    return destination


def _require_no_parents(connection: Connection, repository_id: int, manifest_id: int) -> None:
    parents = rows.parents(connection, repository_id, manifest_id, limit=10)
    if parents:
        first = parents[0]
        message = Sentence("The index %(index)s of this repository lists the manifest; delete it first.", index=first)
        raise StillReferenced(message, detail={"indexes": list(parents)})


def _fill_page(
    connection: Connection, repository_id: int, subject: Digest, artifact_types: Sequence[str], last: str | None
) -> Page[tuple[Digest, str]]:
    """Collect descriptors until the page is full; at least one, however large it is."""
    items: list[tuple[Digest, str]] = []
    room = _REFERRERS_BYTES
    while True:
        batch = rows.referrers(connection, repository_id, subject, artifact_types, last, _REFERRERS_BATCH)
        for digest, descriptor in batch:
            room -= len(descriptor.encode()) + 1
            if room < 0 and items:
                return Page(items, more=True)
            items.append((digest, descriptor))
        if len(batch) < _REFERRERS_BATCH:
            return Page(items, more=False)
        last = batch[-1][0]
