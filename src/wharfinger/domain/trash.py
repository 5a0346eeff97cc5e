# SPDX-License-Identifier: Apache-2.0
"""The trash: what was deleted, and until when it comes back whole.

Nothing is moved when something is deleted. It is marked and hidden, and for as long as its time lasts the collector
leaves it, and all that it needs, alone. After that it may still be there for a while: who restores it then is told if
something is missing.
"""

import enum
from dataclasses import dataclass

from wharfinger.clock import Instant
from wharfinger.domain.digests import Digest, parse_digest
from wharfinger.domain.names import RepositoryName, TagName, parse_repository_name, parse_tag


class TrashKind(enum.StrEnum):
    """What was deleted."""

    REPOSITORY = "repository"
    TAG = "tag"
    MANIFEST = "manifest"
    BLOB = "blob"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrashEntry:
    """One thing in the trash.

    Args:
        kind: what it is.
        number: tells apart two of the same kind and name; the higher one came later.
        repository: where it was, or what it was called.
        tag: of a tag.
        digest: of a manifest or blob; of a tag, the manifest that it named last.
        deleted_at: when.
        by: who; nothing for a blob, whose deletion no event tells of.
        size: bytes of content that it leads to, shared or not; nothing for a tag, which holds none.
    """

    kind: TrashKind
    number: int
    repository: RepositoryName
    tag: TagName | None = None
    digest: Digest | None = None
    deleted_at: Instant
    by: str | None = None
    size: int | None = None

    def __str__(self) -> str:
        match self.kind:
            case TrashKind.REPOSITORY:
                return self.repository
            case TrashKind.TAG:
                return f"{self.repository}:{self.tag}"
            case _:
                return f"{self.repository}@{self.digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trashed:
    """Something that somebody names in order to restore it or to end its time: `NAME`, `NAME:TAG` or `NAME@DIGEST`."""

    repository: RepositoryName
    tag: TagName | None = None
    digest: Digest | None = None


def parse_trashed(text: str) -> Trashed:
    """Return what the text names.

    Raises:
        NameInvalid, DigestInvalid, TagInvalid: it names nothing that could be in the trash.
    """
    if "@" in text:
        name, _, digest = text.partition("@")
        return Trashed(repository=parse_repository_name(name), digest=parse_digest(digest))
    name, colon, tag = text.partition(":")
    return Trashed(repository=parse_repository_name(name), tag=parse_tag(tag) if colon else None)
