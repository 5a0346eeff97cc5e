# SPDX-License-Identifier: Apache-2.0
"""Facts: what happened to a registry, in the words that the audit log keeps and that subscribers will receive.

One event for each tag moved or deleted, manifest put or deleted, repository made; none for blobs, uploads and leases,
which no person ever asks about.
"""

import enum
from dataclasses import dataclass

from wharfinger.domain.digests import Digest
from wharfinger.domain.names import RepositoryName, TagName


class EventAction(enum.StrEnum):
    """What happened."""

    REPOSITORY_CREATED = "repository.created"
    MANIFEST_PUSHED = "manifest.pushed"
    MANIFEST_DELETED = "manifest.deleted"
    TAG_MOVED = "tag.moved"
    """Created, or moved from one manifest to another."""
    TAG_DELETED = "tag.deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One fact about one repository; who did it and when is recorded beside it."""

    action: EventAction
    repository_id: int
    repository: RepositoryName
    tag: TagName | None = None
    digest: Digest | None = None
    """The manifest: the new one of a tag that moved, the last one of a tag that was deleted."""
    previous: Digest | None = None
    media_type: str | None = None
    size: int | None = None
