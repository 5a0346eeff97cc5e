# SPDX-License-Identifier: Apache-2.0
"""Looking at one thing that is stored: a blob's bytes, a manifest with its edges, a tag, a key of the store.

What is read takes a while, and pushes, deletes and collection go on meanwhile. So nothing is concluded from what was
read: the conclusion is drawn in a transaction that proves that the row still speaks of these bytes. A blob that was
collected or repaired since is no finding.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final

import orjson

from wharfinger.blobstore.base import BlobStore, KeyUnknown, StoreKey, checked_key
from wharfinger.clock import DAY, Clock, after
from wharfinger.domain.digests import Hasher, algorithm_of, digest_of
from wharfinger.domain.errors import ManifestInvalid, StoreFull, StoreUnavailable
from wharfinger.domain.events import Event, EventAction
from wharfinger.domain.identity import Actor
from wharfinger.domain.manifests import EdgeKind, Manifest, ManifestRules, parse_manifest, referrer_descriptor
from wharfinger.domain.verification import Finding, Judgement, Kind, Seen, State, judge_blob
from wharfinger.metadata import events, examination, manifest_facts, queues, verification
from wharfinger.metadata import repositories as repository_rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.examination import BlobRow, TagRow
from wharfinger.metadata.manifest_facts import EdgeRow, Facts, ManifestRow
from wharfinger.services.pace import Pay
from wharfinger.services.registries import Registry
from wharfinger.telemetry import VERIFICATION_FINDINGS

ORPHAN_DELAY: Final = 7 * DAY
"""How long the bytes of an orphan stay after it was decided to bury it: time to find out what they were."""
_ANYTHING: Final = ManifestRules(max_size=2**63, max_descriptors=2**63)
"""What was accepted once is read, whatever the operator's limits are now."""


class _Unreadable(Exception):
    """The store works, and still cannot give these bytes."""


class Examiner:
    """Examines what one registry has, on behalf of one verification.

    Args:
        database: where rows are.
        clock: the time.
        registry: whose content.
        run_id: the verification that findings belong to.
        by: who asked for it.
    """

    def __init__(self, *, database: Database, clock: Clock, registry: Registry, run_id: int, by: Actor) -> None:
        self._database = database
        self._clock = clock
        self._registry = registry
        self.run_id = run_id
        self._by = by

    async def database(self) -> None:
        """Have the database check itself, and take back orders to remove bytes that a blob needs."""
        for line in await self._database.read(examination.damages):
            await self._report(Finding(kind=Kind.DATABASE_DAMAGED, what=line[:200], detail=line))
        for _ in range(await self._database.write(self._spare)):
            VERIFICATION_FINDINGS.labels(Kind.BLOB_DOOMED.value).inc()

    async def blob(self, row: BlobRow, pay: Pay) -> bool | None:
        """Hold a blob's bytes against its digest; returns whether they are sound, or nothing if that was mended now."""
        try:
            seen = await _read_twice(self._registry.store, row, pay)
        except _Unreadable as error:
            await self._report(Finding(kind=Kind.BLOB_UNREADABLE, what=row.digest, detail=str(error)))
            return False
        judged = judge_blob(row.digest, row.size, seen)
        if judged.kind is not None:
            return not await self._note(lambda c: self._mark_blob(c, row, judged, seen))
        if row.state is State.LIVE:
            return True
        return None if await self._database.write(lambda c: self._heal_blob(c, row)) else True

    async def manifest(self, row: ManifestRow, pay: Pay) -> bool | None:
        """Hold a manifest's bytes against its digest, and its rows against its bytes; returns as `blob`."""
        await pay(row.size)
        found = await self._database.read(lambda c: manifest_facts.facts(c, row.id))
        if found is None:
            return True
        if digest_of(found.content, algorithm_of(row.digest)) != row.digest:
            return not await self._note(lambda c: self._mark_manifest(c, row))
        try:
            manifest = await asyncio.to_thread(_parse, found)
        except ManifestInvalid as error:
            await self._report(Finding(kind=Kind.MANIFEST_UNREADABLE, what=row.name, detail=error.message))
            return False
        wrong = _disagreement(row, found, manifest)
        if wrong is not None:
            return not await self._note(lambda c: self._rewrite(c, row, manifest))
        if row.is_marked:
            return None if await self._database.write(lambda c: self._heal_manifest(c, row)) else True
        hidden = [edge.digest for edge in found.edges if edge.is_hidden and edge.kind != EdgeKind.CHILD]
        if hidden and not row.is_deleted:
            detail = f"its repository hides the blob {hidden[0]}, which was deleted there"
            await self._report(Finding(kind=Kind.MANIFEST_INCOMPLETE, what=row.name, detail=detail))
            return False
        return True

    async def tags(self, rows: Sequence[TagRow]) -> None:
        """Report tags that lead to nothing, and histories that end elsewhere than their tag is."""
        for row in rows:
            what = f"{row.repository}:{row.name}"
            if row.is_astray:
                detail = f"it leads to the manifest {row.digest}, which was deleted"
                await self._report(Finding(kind=Kind.TAG_ASTRAY, what=what, detail=detail))
            elif row.has_history and row.remembered != row.digest:
                detail = f"it is at {row.digest}; its history ends at {row.remembered or 'its deletion'}"
                await self._report(Finding(kind=Kind.TAG_HISTORY, what=what, detail=detail))

    async def keys(self, keys: Sequence[StoreKey], *, unfinished: bool, bury: bool) -> None:
        """Report keys of the store that no row names: of finished bytes, or of unfinished ones.

        A row comes before its bytes and leaves after them, so a key without a row whose bytes are still there
        afterwards is an orphan: no request that is under way can be the reason.
        """
        store = self._registry.store
        for key in sorted(await self._database.read(lambda c: examination.unnamed(c, self._registry.id, keys))):
            if not await (
                _is_unfinished(store, checked_key(key)) if unfinished else _is_there(store, checked_key(key))
            ):
                continue
            await self._note(partial(self._orphan, key=key, unfinished=unfinished, bury=bury))

    async def _report(self, finding: Finding) -> None:
        await self._note(lambda c: self._record(c, finding))

    async def _note(self, work: Callable[[Connection], Kind | None]) -> bool:
        """Draw a conclusion in a transaction; returns whether it was a finding."""
        kind = await self._database.write(work)
        if kind is not None:
            VERIFICATION_FINDINGS.labels(kind.value).inc()
        return kind is not None

    def _record(self, connection: Connection, finding: Finding) -> Kind:
        verification.record(connection, self.run_id, finding, self._clock.now())
        return finding.kind

    def _spare(self, connection: Connection) -> int:
        """Take back orders to remove what a blob needs; returns how many."""
        doomed = examination.doomed_blobs(connection, self._registry.id, limit=1_000)
        for tombstone_id, digest, key in doomed:
            examination.spare(connection, tombstone_id)
            self._record(connection, Finding(kind=Kind.BLOB_DOOMED, what=digest, detail=f"{key} was to be removed"))
        return len(doomed)

    def _mark_blob(self, connection: Connection, row: BlobRow, judged: Judgement, seen: Seen | None) -> Kind | None:
        """Have the row say what its bytes are like, if it still speaks of them."""
        size = seen.size if seen is not None and judged.state is State.LIVE else row.size
        now = self._clock.now()
        if not examination.mark_blob(connection, row, judged.state, size, now):
            return None
        if judged.state is not row.state:
            action = EventAction.CONTENT_HEALED if judged.state is State.LIVE else EventAction.CONTENT_DAMAGED
            event = Event(action=action, digest=row.digest, size=size, detail=judged.detail)
            events.record(connection, self._registry.id, event, self._by, now)
        needed = examination.images_that_need(connection, row.id)
        kind = judged.kind or Kind.BLOB_DAMAGED
        return self._record(connection, Finding(kind=kind, what=row.digest, detail=f"{judged.detail}; {needed}"))

    def _heal_blob(self, connection: Connection, row: BlobRow) -> bool:
        """Serve a blob again whose bytes are back; returns whether its row still spoke of them."""
        now = self._clock.now()
        if not examination.mark_blob(connection, row, State.LIVE, row.size, now):
            return False
        event = Event(
            action=EventAction.CONTENT_HEALED, digest=row.digest, size=row.size, detail="its bytes are sound again"
        )
        events.record(connection, self._registry.id, event, self._by, now)
        return True

    def _mark_manifest(self, connection: Connection, row: ManifestRow) -> Kind | None:
        """Stop serving the manifest, if its bytes are still wrong."""
        found, now = manifest_facts.facts(connection, row.id), self._clock.now()
        if found is None or digest_of(found.content, algorithm_of(row.digest)) == row.digest:
            return None
        detail = f"its {len(found.content)} bytes are other bytes than its digest names"
        if not row.is_marked:
            manifest_facts.mark_manifest(connection, row.id, now)
            self._tell(connection, EventAction.CONTENT_DAMAGED, row, detail)
        return self._record(connection, Finding(kind=Kind.MANIFEST_DAMAGED, what=row.name, detail=detail))

    def _heal_manifest(self, connection: Connection, row: ManifestRow) -> bool:
        found = manifest_facts.facts(connection, row.id)
        if found is None or digest_of(found.content, algorithm_of(row.digest)) != row.digest:
            return False
        manifest_facts.mark_manifest(connection, row.id, None)
        self._tell(connection, EventAction.CONTENT_HEALED, row, "its bytes are sound")
        return True

    def _rewrite(self, connection: Connection, row: ManifestRow, manifest: Manifest) -> Kind | None:
        """Make rows from the bytes again, if they still disagree."""
        repository_rows.lock(connection, row.repository_id)
        found = manifest_facts.facts(connection, row.id)
        if found is None or digest_of(found.content, algorithm_of(row.digest)) != row.digest:
            return None
        wrong = _disagreement(row, found, manifest)
        if wrong is None:
            return None
        manifest_facts.rewrite_facts(connection, row, _facts_of(row, found, manifest), manifest.edges)
        self._tell(connection, EventAction.CONTENT_HEALED, row, wrong)
        return self._record(connection, Finding(kind=Kind.MANIFEST_FACTS, what=row.name, detail=wrong))

    def _orphan(self, connection: Connection, *, key: str, unfinished: bool, bury: bool) -> Kind | None:
        if not examination.unnamed(connection, self._registry.id, [key]):
            return None
        now = self._clock.now()
        detail = "no row names these bytes" + (", which were never finished" if unfinished else "")
        if bury:
            queues.bury(connection, self._registry.id, key, after(now, ORPHAN_DELAY), now)
            detail += "; they are removed in seven days"
        return self._record(connection, Finding(kind=Kind.ORPHAN, what=key, detail=detail))

    def _tell(self, connection: Connection, action: EventAction, row: ManifestRow, detail: str) -> None:
        event = Event(
            action=action, repository_id=row.repository_id, repository=row.repository, digest=row.digest, detail=detail
        )
        events.record(connection, self._registry.id, event, self._by, self._clock.now())


async def _read_twice(store: BlobStore, row: BlobRow, pay: Pay) -> Seen | None:
    """Read the blob; where the store fails, but otherwise works, once more.

    Raises:
        StoreUnavailable: the store does not work at all, which says nothing of the blob.
    """
    try:
        return await _read(store, row, pay)
    except StoreUnavailable:
        with suppress(StoreFull):
            await store.check()
    try:
        return await _read(store, row, pay)
    except StoreUnavailable as error:
        raise _Unreadable(error.message) from error


async def _read(store: BlobStore, row: BlobRow, pay: Pay) -> Seen | None:
    key, hasher = checked_key(row.store_key), Hasher(algorithm_of(row.digest))
    try:
        size = await store.stat(key)
        async for piece in store.open(key, 0, size):
            await pay(len(piece))
            await asyncio.to_thread(hasher.update, piece)
    except KeyUnknown:
        return None
    return Seen(size=hasher.size, digest=hasher.digest())


async def _is_there(store: BlobStore, key: StoreKey) -> bool:
    try:
        await store.stat(key)
    except KeyUnknown:
        return False
    return True


async def _is_unfinished(store: BlobStore, key: StoreKey) -> bool:
    async for found in store.unfinished(key):
        if found == key:
            return True
    return False


def _parse(found: Facts) -> Manifest:
    """Read the manifest as it calls itself; one that does not is what it was pushed as."""
    try:
        return parse_manifest(found.content, None, _ANYTHING)
    except ManifestInvalid:
        return parse_manifest(found.content, found.media_type, _ANYTHING)


def _facts_of(row: ManifestRow, found: Facts, manifest: Manifest) -> Facts:
    """Return what the rows should say."""
    subject = manifest.subject
    descriptor = referrer_descriptor(manifest, row.digest, len(found.content))
    return replace(
        found,
        media_type=manifest.media_type,
        artifact_type=manifest.artifact_type,
        size=len(found.content),
        subject=None if subject is None else subject.digest,
        referrer=None if subject is None else orjson.dumps(descriptor).decode(),
    )


def _disagreement(row: ManifestRow, found: Facts, manifest: Manifest) -> str | None:
    """Return in which way the rows say something else than the manifest's bytes."""
    right = _facts_of(row, found, manifest)
    for name in ("size", "media_type", "artifact_type", "subject"):
        if getattr(found, name) != getattr(right, name):
            word = name.replace("_", " ")
            return f"its row said {word} {getattr(found, name)}; its bytes say {getattr(right, name)}"
    if not _same_document(found.referrer, right.referrer):
        return "the descriptor that shows it as a referrer was not its own"
    if [_stated(edge) for edge in found.edges] != [
        (edge.position, edge.kind.value, edge.descriptor.digest, edge.descriptor.media_type, edge.descriptor.size)
        for edge in manifest.edges
    ]:
        return f"it has {len(manifest.edges)} references; its rows were {len(found.edges)}, or led elsewhere"
    for edge in found.edges:
        if edge.leads_to is None and edge.content_is_here:
            return f"its reference to {edge.digest} was open, and the content is here"
        if edge.leads_to not in {None, edge.digest}:
            return f"its reference to {edge.digest} led to {edge.leads_to}"
    return None


def _stated(edge: EdgeRow) -> tuple[int, str, str, str, int]:
    return edge.position, edge.kind, edge.digest, edge.media_type, edge.size


def _same_document(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return one is other
    try:
        return bool(orjson.loads(one) == orjson.loads(other))
    except orjson.JSONDecodeError:
        return False
