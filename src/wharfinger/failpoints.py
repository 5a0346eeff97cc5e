# SPDX-License-Identifier: Apache-2.0
"""Places at which a test ends the process, as a power cut or the kernel would, to see what is left (ADR 0032).

`WHARFINGER_FAILPOINT=blob.publish.committed` ends a process the first time it comes by, `…:3` the third time. Nothing
is flushed, closed or answered. Unset, a point costs one comparison; no pull passes one.

A point has the name of what was done, or is being done: *committing* is inside of the transaction, after its last
statement; *committed* is after it, before anybody is told.
"""

import os
import signal
from typing import Final

VARIABLE: Final = "WHARFINGER_FAILPOINT"
POINTS: Final = (
    # a push of a blob, in the order in which it passes them
    "upload.start.committing",
    "upload.start.committed",
    "upload.claimed",
    "upload.opened",
    "upload.written",
    "store.checkpoint.synced",
    "upload.checkpointed",
    "upload.advance.committing",
    "upload.advance.committed",
    "upload.hashed",
    "store.commit.synced",
    "store.commit.renamed",
    "store.commit.named",
    "upload.stored",
    "blob.publish.committing",
    "blob.publish.committed",
    # instead of one
    "blob.mount.committing",
    "blob.mount.committed",
    "blob.link.committing",
    "blob.link.committed",
    # a push of a manifest, with its tags
    "manifest.push.committing",
    "manifest.push.committed",
    # deletions
    "tag.delete.committing",
    "tag.delete.committed",
    "manifest.delete.committing",
    "manifest.delete.committed",
    "blob.delete.committing",
    "blob.delete.committed",
    "repository.delete.committing",
    "repository.delete.committed",
    # and bringing back
    "tag.restore.committing",
    "tag.restore.committed",
    "manifest.restore.committing",
    "manifest.restore.committed",
    "repository.restore.committing",
    "repository.restore.committed",
    "blob.restore.committing",
    "blob.restore.committed",
    # what rules do not keep, and the end of the time in the trash
    "retention.committing",
    "retention.committed",
    "trash.purge.committing",
    "trash.purge.committed",
    # collection of what nothing needs
    "review.claimed",
    "review.committing",
    "review.committed",
    "repository.collect.committing",
    "repository.collect.committed",
    # a backup, which is one from the moment its page is written
    "backup.held",
    "backup.listed",
    "backup.copied",
    "backup.noted",
    "backup.pruned",
    # a registry that is made over a storage, with what another one left there
    "registry.create.committing",
    "registry.create.committed",
    "registry.marked",
    "registry.told",
    "registry.batch.committed",
    "registry.returned",
    "registry.open.committing",
    "registry.open.committed",
    "registry.opened",
    # one that is changed, and one that is deleted
    "registry.change.committing",
    "registry.change.committed",
    "registry.delete.committing",
    "registry.delete.committed",
    "registry.inventory.written",
    "registry.inventory.noted",
    "registry.unmarked",
    "registry.free.committing",
    "registry.free.committed",
    # the end of an upload that comes to nothing, and of bytes that nobody needs
    "expiry.found",
    "upload.discard.committing",
    "upload.discard.committed",
    "upload.discard.removed",
    "bury.found",
    "store.delete.unlinked",
    "bury.removed",
    "bury.committing",
    "bury.committed",
)


def failpoint(name: str) -> None:
    """End this process here, if it was started to end here."""
    if name == _armed:
        _end()


def armed() -> str | None:
    """Return the point at which this process ends, for a warning in the log."""
    return _armed


def parse(text: str) -> tuple[str | None, int]:
    """Return the point that the variable names, and at which visit it ends the process.

    Raises:
        ValueError: there is no such point. A test that waits for an end which never comes would show nothing.
    """
    if not text:
        return None, 0
    name, _, visit = text.partition(":")
    if name not in POINTS or not (visit.isdecimal() or visit == ""):
        message = f"{VARIABLE}={text}: there is no such point; there are {', '.join(POINTS)}"
        raise ValueError(message)
    return name, int(visit or 1)


def _end() -> None:
    global _visits_left  # noqa: PLW0603 - one number for the whole process
    _visits_left -= 1
    if _visits_left == 0:
        os.kill(os.getpid(), signal.SIGKILL)


_armed, _visits_left = parse(os.environ.get(VARIABLE, ""))  # noqa: TID251 - for tests alone: no setting, nothing to document
