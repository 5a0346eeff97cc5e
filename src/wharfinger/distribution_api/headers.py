# SPDX-License-Identifier: Apache-2.0
"""The protocol's headers: reading and writing them, without I/O.

Numbers are read as digits and nothing else: Python's `int` takes signs, underscores, spaces and other scripts' digits.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

from wharfinger.domain.digests import Digest, parse_digest
from wharfinger.domain.errors import DigestInvalid, EncodingUnsupported, HeaderInvalid, RangeUnsatisfiable, SizeInvalid
from wharfinger.domain.sentences import Sentence
from wharfinger.domain.uploads import Chunk, ContentRange

_RANGE: Final = re.compile(r"bytes=([0-9]*)-([0-9]*)", re.ASCII)
_CONTENT_RANGE: Final = re.compile(r"(?:bytes )?([0-9]{1,19})-([0-9]{1,19})(?:/(?:[0-9]{1,19}|\*))?", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,19}", re.ASCII)
_MAX_DIGITS: Final = 19

HARMLESS: Final = (b"content-security-policy", b"default-src 'none'; sandbox")
"""With content that anybody may have pushed: a browser that shows it all the same runs nothing of it."""


def parse_range(text: str | None, size: int) -> tuple[int, int] | None:
    """Return start and stop of the one range asked for, or nothing where the whole content is the answer.

    A header in another unit, of several ranges, or that cannot be read is passed over, as RFC 9110 allows.

    Raises:
        RangeUnsatisfiable: the range begins after the end, or ends before it begins.
    """
    found = None if text is None else _RANGE.fullmatch(text.strip().replace(" ", ""))
    if found is None or found.group(0) == "bytes=-":
        return None
    first, last = (_clipped(digits, size) for digits in found.groups())
    if first is None:
        start, stop = max(0, size - (last or 0)), size
    else:
        start, stop = first, size if last is None else min(last + 1, size)
    if start >= stop or (first is not None and last is not None and last < first):
        raise RangeUnsatisfiable(size)
    return start, stop


def parse_chunk(content_range: str | None, content_length: str | None) -> Chunk:
    """Return what a request says about the bytes it carries.

    Raises:
        SizeInvalid: `Content-Range` cannot be read, or contradicts `Content-Length`.
    """
    length = None if content_length is None else parse_number(content_length, "Content-Length")
    if content_range is None:
        return Chunk(content_length=length)
    found = _CONTENT_RANGE.fullmatch(content_range.strip())
    if found is None:
        message = Sentence("Content-Range cannot be read; write the first and last byte of this chunk, as in 0-1023.")
        raise SizeInvalid(message)
    first, last = int(found.group(1)), int(found.group(2))
    if last < first:
        message = Sentence("Content-Range %(first)s-%(last)s ends before it begins.", first=first, last=last)
        raise SizeInvalid(message)
    return Chunk(content_range=ContentRange(first, last), content_length=length)


def parse_number(text: str, what: str) -> int:
    """Return a number that a client wrote.

    Raises:
        HeaderInvalid: it is not one to nineteen digits.
    """
    if not _NUMBER.fullmatch(text):
        message = Sentence("%(what)s must be a number of up to %(most)s digits.", what=what, most=_MAX_DIGITS)
        raise HeaderInvalid(message)
    return int(text)


def uploaded_range(offset: int) -> str:
    """Return the `Range` of an upload: inclusive, and `0-0` for none, as clients expect."""
    return f"0-{max(0, offset - 1)}"


def content_range(start: int, stop: int, size: int) -> str:
    """Return the `Content-Range` of a partial answer."""
    return f"bytes {start}-{stop - 1}/{size}"


def link_to_next(path: str, parameters: Mapping[str, str | Sequence[str]]) -> str:
    """Return a `Link` to the next page; without host, so that it holds behind every proxy."""
    return f'<{path}?{urlencode(parameters, doseq=True)}>; rel="next"'


def etag(digest: Digest) -> str:
    """Return the entity tag of content: its digest."""
    return f'"{digest}"'


def names_digest(header: str | None, digest: Digest) -> bool:
    """Say whether an `If-None-Match` or `If-Range` names the digest; quoted, weak, bare or `*`."""
    if header is None:
        return False
    entries = (entry.strip().removeprefix("W/").strip('"') for entry in header.split(","))
    return any(entry in {digest, "*"} for entry in entries)


def parse_if_match(header: str | None) -> Digest | None:
    """Return the digest that a conditional push names.

    Raises:
        HeaderInvalid: it names something else; a precondition that is not understood must not pass.
    """
    if header is None:
        return None
    try:
        return parse_digest(header.strip().strip('"'))
    except DigestInvalid as error:
        message = Sentence('If-Match must be the digest of one manifest, as in "sha256:…".')
        raise HeaderInvalid(message) from error


def refuse_encoding(header: str | None) -> None:
    """Refuse an encoded body.

    Raises:
        EncodingUnsupported: the bytes that are hashed would not be the bytes that are sent.
    """
    if header is not None and header.strip().lower() != "identity":
        message = Sentence("A body with a Content-Encoding is not accepted; send the bytes that the digest names.")
        raise EncodingUnsupported(message)


def _clipped(digits: str, size: int) -> int | None:
    """Return a position; one with more digits than any file has is simply past the end."""
    if not digits:
        return None
    return int(digits) if len(digits) <= _MAX_DIGITS else size
