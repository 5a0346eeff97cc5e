# SPDX-License-Identifier: Apache-2.0
"""Digests: what content is called, and the only place where bytes are hashed.

A digest is `algorithm:encoded`. Two algorithms are registered by the OCI image specification and supported here;
the encoded part is lower-case hexadecimal of exactly the algorithm's length, nothing else, so a digest is safe in a
path, a log line and a key.
"""

import enum
import hashlib
import re
from typing import Final, NewType

from wharfinger.domain.errors import DigestInvalid
from wharfinger.domain.sentences import Sentence

Digest = NewType("Digest", str)
"""A digest that `parse_digest` accepted. A `str`, because the hot path compares and looks up nothing else."""


class Algorithm(enum.StrEnum):
    """The supported digest algorithms."""

    SHA256 = "sha256"
    SHA512 = "sha512"


_ENCODED_LENGTH: Final = {Algorithm.SHA256: 64, Algorithm.SHA512: 128}
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}", re.ASCII)


def parse_digest(text: str) -> Digest:
    """Return the text as a digest.

    Raises:
        DigestInvalid: the text is outside the grammar; the message says in which way.
    """
    if _DIGEST.fullmatch(text):
        return Digest(text)
    raise DigestInvalid(_what_is_wrong(text))


def parse_algorithm(text: str) -> Algorithm:
    """Return the algorithm of that name.

    Raises:
        DigestInvalid: it is not supported.
    """
    try:
        return Algorithm(text)
    except ValueError:
        message = Sentence("The digest algorithm %(text)r is not supported; use sha256 or sha512.", text=text[:32])
        raise DigestInvalid(message) from None


def algorithm_of(digest: Digest) -> Algorithm:
    """Return the algorithm that the digest names."""
    return Algorithm(digest.partition(":")[0])


def digest_of(content: bytes, algorithm: Algorithm = Algorithm.SHA256) -> Digest:
    """Return the digest of content that is in memory."""
    hasher = Hasher(algorithm)
    hasher.update(content)
    return hasher.digest()


class Hasher:
    """A running hash of content that comes in pieces.

    It lives in memory only: CPython's hash objects cannot be written down (ADR 0009).
    """

    __slots__ = ("_hash", "algorithm", "size")

    def __init__(self, algorithm: Algorithm) -> None:
        self.algorithm = algorithm
        self.size = 0
        """How many bytes the hash covers."""
        self._hash = hashlib.new(algorithm.value, usedforsecurity=True)

    def update(self, piece: bytes | memoryview) -> None:
        """Add the next piece; releases the GIL for pieces over 2 KiB."""
        self._hash.update(piece)
        self.size += len(piece)

    def digest(self) -> Digest:
        """Return the digest of all that was added so far."""
        return Digest(f"{self.algorithm.value}:{self._hash.hexdigest()}")


def _what_is_wrong(text: str) -> Sentence:
    algorithm, colon, encoded = text.partition(":")
    shown = text if len(text) <= 80 else text[:77] + "..."  # noqa: PLR2004 - a readable length
    if not colon:
        return Sentence("%(shown)r is not a digest: write it as sha256:<64 hexadecimal digits>.", shown=shown)
    try:
        length = _ENCODED_LENGTH[Algorithm(algorithm)]
    except ValueError:
        return Sentence(
            "The digest %(shown)r has an algorithm that is not supported; use sha256 or sha512.", shown=shown
        )
    if len(encoded) != length:
        return Sentence(
            "The digest %(shown)r has %(count)s characters after the colon; %(algorithm)s has %(length)s.",
            shown=shown,
            count=len(encoded),
            algorithm=algorithm,
            length=length,
        )
    return Sentence("The digest %(shown)r has characters that are not lower-case hexadecimal digits.", shown=shown)
