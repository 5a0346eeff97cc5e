# SPDX-License-Identifier: Apache-2.0
"""Bringing manifests and blobs back, within a transaction that holds their repository's lock.

A manifest comes back with everything that it leads to: the manifests that it lists and the blobs that they need,
however deep. It is looked through first and shown last: what cannot be whole is refused, and nothing of it appears.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from wharfinger.clock import after
from wharfinger.domain.digests import Digest
from wharfinger.domain.errors import ContentGone, ManifestUnknown
from wharfinger.domain.events import Event, EventAction
from wharfinger.domain.names import TagName
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata import blobs as blob_rows
from wharfinger.metadata import events, trash
from wharfinger.metadata import manifests as rows
from wharfinger.metadata.database import Connection
from wharfinger.metadata.tags import TagChange
from wharfinger.metadata.trash import Deleted
from wharfinger.services.blobs import LEASE


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredManifest:
    """What came back.

    Args:
        digest: the manifest.
        tags: those that were deleted with it, and are back too.
        others: manifests that it leads to and that were in the trash.
    """

    digest: Digest
    tags: Sequence[TagName]
    others: Sequence[Digest]


@dataclass(frozen=True, slots=True)
class _Found:
    """All that has to appear again."""

    manifests: dict[int, Digest]
    blobs: frozenset[int]


def restore_manifest(connection: Connection, change: TagChange, digest: Digest, found: Deleted) -> Sequence[Digest]:
    """Show a manifest of the trash again, with all that it leads to; return the digests of the other manifests.

    Its edges lead where they led. Open edges of other manifests to what comes back are closed. Referrers are found by
    the digest of their subject, and appear by themselves.

    Raises:
        ContentGone: its time was ended, or bytes that it needs are missing or damaged.
    """
    if found.purged:
        message = Sentence(
            "The manifest %(digest)s does not come back: its time in the trash has ended. Push it again.", digest=digest
        )
        raise ContentGone(message, [digest])
    everything = _look_through(connection, digest, found.id)
    for blob_id in sorted(everything.blobs):
        blob_rows.join(connection, change.repository_id, blob_id, change.now, after(change.now, LEASE))
    trash.show_manifests(connection, everything.manifests)
    for manifest_id, one in everything.manifests.items():
        rows.close_edges(connection, change.repository_id, one, manifest_id)
        event = Event(
            action=EventAction.MANIFEST_RESTORED,
            repository_id=change.repository_id,
            repository=change.repository,
            digest=one,
        )
        events.record(connection, change.registry_id, event, change.by, change.now)
    return [one for one in everything.manifests.values() if one != digest]


def find_or_restore(connection: Connection, change: TagChange, tag: TagName, digest: Digest) -> int:
    """Return the id of a manifest that the tag has named, taking it out of the trash if it is there.

    Raises:
        ContentGone: the manifest was collected, or cannot come back whole.
    """
    manifest_id = rows.find(connection, change.repository_id, digest)
    if manifest_id is not None:
        return manifest_id
    found = trash.find_manifest(connection, change.repository_id, digest)
    if found is None:
        message = Sentence(
            "The tag %(tag)r named %(digest)s, which was collected; push it again.", tag=tag, digest=digest
        )
        raise ContentGone(message, [digest])
    restore_manifest(connection, change, digest, found)
    return found.id


def find_deleted_manifest(connection: Connection, repository_id: int, digest: Digest) -> Deleted:
    """Return a manifest that is in the trash.

    Raises:
        ManifestUnknown: it is not.
    """
    found = trash.find_manifest(connection, repository_id, digest)
    if found is None:
        message = Sentence("The manifest %(digest)s is not in the trash of this repository.", digest=digest)
        raise ManifestUnknown(message, detail={"digest": digest})
    return found


def _look_through(connection: Connection, digest: Digest, manifest_id: int) -> _Found:
    manifests = {manifest_id: digest}
    blobs: set[int] = set()
    level = [manifest_id]
    while level:
        needs = trash.needs(connection, level)
        if needs.broken:
            message = Sentence(
                "The manifest %(digest)s cannot come back whole: bytes that it needs are damaged. Push it again.",
                digest=digest,
            )
            raise ContentGone(message, needs.broken)
        blobs |= needs.blobs
        level = [child for child, _ in needs.children if child not in manifests]
        manifests.update(needs.children)
    return _Found(manifests, frozenset(blobs))
