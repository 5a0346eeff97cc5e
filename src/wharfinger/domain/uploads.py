# SPDX-License-Identifier: Apache-2.0
"""An upload as a state machine: where it stands, and which chunk fits there.

```text
          POST               PATCH (in order)                 PUT ?digest=
(nothing) ───▶ offset 0 ───▶ offset n ───▶ … ───▶ offset m ───────────────▶ blob
                  └──────────────┴── DELETE, or expiry ──▶ (nothing)
```

The offset only grows, only durable bytes count, and one request at a time holds the claim to add to it.
"""

import re
from dataclasses import dataclass
from typing import Final

from wharfinger.domain.digests import Algorithm, Digest, algorithm_of
from wharfinger.domain.errors import BlobTooLarge, SizeInvalid, UploadOutOfOrder, UploadUnknown
from wharfinger.domain.sentences import Sentence

_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ContentRange:
    """The place of a chunk: first and last byte, both inclusive, as `Content-Range: first-last` says it."""

    first: int
    last: int

    @property
    def size(self) -> int:
        """How many bytes the range has."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """What a request says about the bytes it carries; both parts are optional (a stream says neither)."""

    content_range: ContentRange | None = None
    content_length: int | None = None

    def __post_init__(self) -> None:
        """Refuse a range that contradicts the length.

        Raises:
            SizeInvalid: `Content-Range` and `Content-Length` differ.
        """
        stated = self.content_length
        if self.content_range is not None and stated is not None and self.content_range.size != stated:
            message = Sentence(
                "Content-Range says %(size)s bytes and Content-Length says %(stated)s; both count the "
                "bytes of this chunk.",
                size=self.content_range.size,
                stated=stated,
            )
            raise SizeInvalid(message)

    def stands_at(self, offset: int) -> bool:
        """Say whether the chunk begins at the offset; one without a range does wherever the upload stands."""
        return self.content_range is None or self.content_range.first == offset


def parse_upload_id(text: str) -> str:
    """Return the text as the id of an upload.

    Raises:
        UploadUnknown: no upload can have this id; not every database can even be asked for it.
    """
    if _ID.fullmatch(text):
        return text
    message = Sentence("There is no such upload, and none can have that id; start a new one.")
    raise UploadUnknown(message, detail={"upload": text[:64]})


def check_place(upload_id: str, offset: int, chunk: Chunk) -> None:
    """Refuse a chunk that does not begin where the upload stands.

    Raises:
        UploadOutOfOrder: with the offset at which to resume.
    """
    if not chunk.stands_at(offset):
        raise UploadOutOfOrder(upload_id, offset)


def check_received(chunk: Chunk, received: int) -> None:
    """Refuse a chunk whose body has another length than it said.

    Raises:
        SizeInvalid: the body is shorter or longer than `Content-Range`.
    """
    if chunk.content_range is not None and chunk.content_range.size != received:
        message = Sentence(
            "Content-Range says %(size)s bytes; the body had %(received)s.",
            size=chunk.content_range.size,
            received=received,
        )
        raise SizeInvalid(message)


def check_size(size: int, limit: int | None) -> None:
    """Refuse a blob over the limit.

    Raises:
        BlobTooLarge: with the limit and the size so far.
    """
    if limit is not None and size > limit:
        message = Sentence(
            "The blob is over the limit of %(limit)s bytes (validation.blobs.maxsize): %(size)s bytes and counting.",
            limit=limit,
            size=size,
        )
        raise BlobTooLarge(message, detail={"limit": limit, "size": size})


def expected_algorithm(digest: Digest | None, asked: Algorithm | None) -> Algorithm:
    """Return the algorithm to hash with while bytes arrive: what was asked for, what the digest needs, or sha256."""
    if digest is not None:
        return algorithm_of(digest)
    return asked or Algorithm.SHA256
