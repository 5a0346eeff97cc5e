# SPDX-License-Identifier: Apache-2.0
"""What a backup is made of, and the small file that makes it one.

```text
backups/<id>/metadata      every row, as compressed lines
backups/<id>/contents      which blobs belong to it, by digest, as compressed lines
backups/<id>/secret        what sealed secrets are opened with, unless it was left out
backups/<id>/backup        this page: written last, so a backup without it is a half and no backup
blobs/sha256/ab/abcd…      bytes, shared by all backups; a name says what the bytes must hash to
```

An id begins with the time of the backup, so that ids sort by age.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Final

from wharfinger.clock import Instant, as_datetime
from wharfinger.domain.digests import Digest

FORMAT: Final = 1
METADATA: Final = "metadata"
CONTENTS: Final = "contents"
SECRET: Final = "secret"  # noqa: S105 - the name of a piece
_PAGE: Final = "backup"
_ID: Final = re.compile(r"\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{6}", re.ASCII)


class BackupUnfit(Exception):
    """There is no such backup, or it cannot be used; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One file of a backup besides the blobs."""

    size: int
    digest: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A whole backup.

    Args:
        id: its name.
        version: of the program that made it.
        made_at: the moment of which it tells.
        revision: of the database's schema.
        pieces: what it is made of, by name.
        rows: how many of each table.
        blobs: how many contents it names.
        size: how many bytes they are together.
        damaged: how many of them could not be had, because their bytes were wrong or gone already.
    """

    id: str
    version: str
    made_at: Instant
    revision: str
    pieces: Mapping[str, Piece]
    rows: Mapping[str, int]
    blobs: int
    size: int
    damaged: int

    def to_json(self) -> bytes:
        """Return the page that is stored."""
        document = {
            "format": FORMAT,
            "id": self.id,
            "version": self.version,
            "made_at": as_datetime(self.made_at).isoformat(timespec="seconds"),
            "made_at_microseconds": self.made_at,
            "revision": self.revision,
            "pieces": {name: {"size": one.size, "digest": one.digest} for name, one in self.pieces.items()},
            "rows": dict(self.rows),
            "blobs": {"count": self.blobs, "bytes": self.size, "damaged": self.damaged},
        }
        return (json.dumps(document, indent=2) + "\n").encode()


def parse_backup(content: bytes) -> Backup:
    """Return what a stored page says.

    Raises:
        BackupUnfit: it is no such page, or one of a later format.
    """
    try:
        document = json.loads(content)
        if document["format"] != FORMAT:
            message = f"the backup has format {document['format']}; this version reads {FORMAT}: use a newer one"
            raise BackupUnfit(message)
        return Backup(
            id=str(document["id"]),
            version=str(document["version"]),
            made_at=Instant(int(document["made_at_microseconds"])),
            revision=str(document["revision"]),
            pieces={
                str(name): Piece(size=int(one["size"]), digest=Digest(one["digest"]))
                for name, one in document["pieces"].items()
            },
            rows={str(name): int(count) for name, count in document["rows"].items()},
            blobs=int(document["blobs"]["count"]),
            size=int(document["blobs"]["bytes"]),
            damaged=int(document["blobs"]["damaged"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = "the page of the backup cannot be read: it was changed, or is of another program"
        raise BackupUnfit(message) from error


def new_id(now: Instant, token: str) -> str:
    """Return the id of a backup that begins now: sorted as text, the last one is the newest."""
    moment = as_datetime(now).astimezone(UTC)
    return f"{moment:%Y%m%dT%H%M%S}.{moment.microsecond:06}Z-{token[:6]}"


def piece_key(backup_id: str, name: str) -> str:
    """Return where a piece is."""
    return f"backups/{backup_id}/{name}"


def page_key(backup_id: str) -> str:
    """Return where the page is."""
    return piece_key(backup_id, _PAGE)


def id_of(key: str) -> tuple[str, bool] | None:
    """Return which backup a key belongs to, and whether it is its page; nothing for a key of something else."""
    parts = key.split("/")
    if len(parts) != 3 or parts[0] != "backups" or not _ID.fullmatch(parts[1]):  # noqa: PLR2004 - as drawn above
        return None
    return parts[1], parts[2] == _PAGE


def blob_key(digest: str) -> str:
    """Return where the bytes of a digest are."""
    algorithm, _, encoded = digest.partition(":")
    return f"blobs/{algorithm}/{encoded[:2]}/{encoded}"


def digest_at(key: str) -> str:
    """Return the digest that a key of bytes stands for."""
    _, algorithm, _, encoded = key.split("/")
    return f"{algorithm}:{encoded}"


def prefixes() -> tuple[tuple[str, str], ...]:
    """Return the beginnings of all keys of bytes and those of their digests, in the order of digests."""
    return tuple(
        (f"blobs/{algorithm}/{number:02x}/", f"{algorithm}:{number:02x}")
        for algorithm in ("sha256", "sha512")
        for number in range(256)
    )
