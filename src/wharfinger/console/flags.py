# SPDX-License-Identifier: Apache-2.0
"""Signal flags: a digest as two small flags, so that the eye sees which tags name the same manifest.

They are an ornament that helps. Different digests may fly the same flags; the digest beside them decides.
"""

from dataclasses import dataclass
from typing import Final

from wharfinger.domain.digests import Digest

_SHAPES: Final = (
    "M0 0h9v14H0z",  # halves
    "M0 0h18v4.67H0zM0 9.33h18V14H0z",  # bands
    "M5 4h8v6H5z",  # a square
    "M0 0h3.2L18 11.2V14h-3.2L0 2.8zM18 0v2.8L3.2 14H0v-2.8L14.8 0z",  # a saltire
    "M0 0h18L0 14z",  # a diagonal
    "M0 0h9v7H0zM9 7h9v7H9z",  # quarters
    "M7 0h4v5h7v4h-7v5H7V9H0V5h7z",  # a cross
    "M0 0h6v14H0zM12 0h6v14h-6z",  # pales
)
"""Drawn on a field of 18 by 14."""
_COLOURS: Final = (
    ("blue", "white"),
    ("white", "red"),
    ("yellow", "blue"),
    ("red", "yellow"),
    ("white", "blue"),
    ("yellow", "black"),
    ("red", "white"),
    ("blue", "yellow"),
)


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag: a field, and a shape on it."""

    field: str
    shape: str
    path: str


def hoist(digest: Digest) -> tuple[Flag, Flag]:
    """Return the two flags of a digest."""
    first, second = bytes.fromhex(digest.partition(":")[2][:4])
    return _flag(first), _flag(second)


def _flag(byte: int) -> Flag:
    field, shape = _COLOURS[byte & 7]
    return Flag(field, shape, _SHAPES[byte >> 3 & 7])
