# SPDX-License-Identifier: Apache-2.0
"""Verification: what can be wrong with what is stored, how it is judged, and what would repair it.

Nothing that is found bad is deleted. A blob whose bytes are wrong is *quarantined*, one without bytes is *missing*;
both answer as if they were not there, and pushing the same content again puts new bytes in their place. What can be
worked out again from content that was just proved (edges, sizes) is put right at once.
"""

import enum
from dataclasses import dataclass
from datetime import UTC
from typing import Final

from wharfinger.clock import Instant, as_datetime
from wharfinger.domain.digests import Digest
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.sentences import Sentence, joined


class Phase(enum.StrEnum):
    """What a verification looks at, in this order."""

    DATABASE = "database"
    BLOBS = "blobs"
    MANIFESTS = "manifests"
    TAGS = "tags"
    STORE = "store"
    DONE = "done"


class Kind(enum.StrEnum):
    """What can be found."""

    BLOB_MISSING = "blob-missing"
    BLOB_DAMAGED = "blob-damaged"
    BLOB_UNREADABLE = "blob-unreadable"
    BLOB_SIZE = "blob-size"
    BLOB_DOOMED = "blob-doomed"
    MANIFEST_DAMAGED = "manifest-damaged"
    MANIFEST_FACTS = "manifest-facts"
    MANIFEST_UNREADABLE = "manifest-unreadable"
    MANIFEST_INCOMPLETE = "manifest-incomplete"
    TAG_ASTRAY = "tag-astray"
    TAG_HISTORY = "tag-history"
    ORPHAN = "orphan"
    DATABASE_DAMAGED = "database-damaged"


REMEDIES: Final = {
    Kind.BLOB_MISSING: Sentence("push the image again, or put the bytes back from a backup and verify again"),
    Kind.BLOB_DAMAGED: Sentence("push the image again, or put the bytes back from a backup and verify again"),
    Kind.BLOB_UNREADABLE: Sentence("look at the disk; nothing was marked, since the store answers otherwise"),
    Kind.BLOB_SIZE: Sentence("nothing to do: the row was put right from the bytes, which are sound"),
    Kind.BLOB_DOOMED: Sentence("nothing to do: the order to remove the bytes was taken back"),
    Kind.MANIFEST_DAMAGED: Sentence("push the image again"),
    Kind.MANIFEST_FACTS: Sentence("nothing to do: they were made again from the manifest, which is sound"),
    Kind.MANIFEST_UNREADABLE: Sentence(
        "it is served as it was pushed; push it again with a newer client if clients refuse it"
    ),
    Kind.MANIFEST_INCOMPLETE: Sentence("push the image again"),
    Kind.TAG_ASTRAY: Sentence("push the tag again, or delete it"),
    Kind.TAG_HISTORY: Sentence("the tag is served as it stands; its history has a gap"),
    Kind.ORPHAN: Sentence("nothing is lost; --bury-orphans frees the space after seven days"),
    Kind.DATABASE_DAMAGED: Sentence("stop the server and restore the database from a backup"),
}
"""What would repair it, for each kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What to verify; everything, unless something is named.

    Args:
        repository: only what this repository has.
        digest: only this blob or manifest, wherever it is.
        since: only what was stored at this time or later.
    """

    repository: RepositoryName | None = None
    digest: Digest | None = None
    since: Instant | None = None

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return self.repository is None and self.digest is None and self.since is None

    @property
    def phases(self) -> tuple[Phase, ...]:
        """What to look at, in order; the database and the list of the store only where everything is asked for."""
        if self.is_everything:
            return tuple(Phase)
        if self.digest is not None:
            return (Phase.BLOBS, Phase.MANIFESTS, Phase.DONE)
        return (Phase.BLOBS, Phase.MANIFESTS, Phase.TAGS, Phase.DONE)

    def after(self, phase: Phase) -> Phase:
        """Return the phase that follows."""
        return self.phases[self.phases.index(phase) + 1]

    def __str__(self) -> str:
        """Name the scope; two runs with the same name are the same run, and the second goes on with the first."""
        return str(self.words)

    @property
    def words(self) -> Sentence:
        """What is verified, for people."""
        parts: list[Sentence] = []
        if self.repository is not None:
            parts.append(Sentence("repository %(name)s", name=self.repository))
        if self.digest is not None:
            parts.append(Sentence("digest %(digest)s", digest=self.digest))
        if self.since is not None:
            time = as_datetime(self.since).astimezone(UTC).isoformat()
            parts.append(Sentence("since %(time)s", time=time))
        return joined(", ", parts) if parts else Sentence("everything")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The bytes of a blob as the store gives them."""

    size: int
    digest: Digest


class State(enum.StrEnum):
    """What a blob's row says of its bytes; only a live one is served."""

    LIVE = "live"
    QUARANTINED = "quarantined"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What follows for a blob.

    Args:
        state: what its row is to say.
        kind: what to report; nothing where all is well.
        detail: in words.
    """

    state: State
    kind: Kind | None = None
    detail: str = ""


def judge_blob(digest: Digest, size: int, seen: Seen | None) -> Judgement:
    """Hold the bytes of a blob against its row.

    Args:
        digest: what the bytes must hash to.
        size: how many the row says there are.
        seen: what the store has; nothing if it has nothing under the blob's key.
    """
    if seen is None:
        return Judgement(state=State.MISSING, kind=Kind.BLOB_MISSING, detail="there are no bytes under its key")
    if seen.digest != digest:
        what = f"{seen.size} bytes instead of {size}" if seen.size != size else f"its {size} bytes are other bytes"
        return Judgement(state=State.QUARANTINED, kind=Kind.BLOB_DAMAGED, detail=f"{what}; they hash to {seen.digest}")
    if seen.size != size:
        detail = f"the row said {size} bytes; there are {seen.size}, and they hash to the digest"
        return Judgement(state=State.LIVE, kind=Kind.BLOB_SIZE, detail=detail)
    return Judgement(state=State.LIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How much was looked at."""

    blobs: int = 0
    bytes: int = 0
    manifests: int = 0
    tags: int = 0
    objects: int = 0
    """Keys of the store, finished and unfinished."""
    healed: int = 0
    """Blobs and manifests that had been marked, are sound again, and are served again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong.

    Args:
        kind: what is wrong.
        what: with what: a digest, `NAME@DIGEST`, `NAME:TAG`, or a key of the store.
        detail: in words, and what else is touched by it.
    """

    kind: Kind
    what: str
    detail: str

    @property
    def remedy(self) -> Sentence:
        """What would repair it."""
        return REMEDIES[self.kind]
