# SPDX-License-Identifier: Apache-2.0
"""Patterns that people write into rules: a text in which `*` stands for any characters, or for none.

A pattern always speaks of the whole text, and nothing else in it has a meaning. No regular expressions: they are
written wrongly too often where they decide who gets in (`acme.*` also lets `acme-evil` in), and some never end.
"""

from typing import Final

WILDCARD: Final = "*"


def fits(pattern: str, text: str) -> bool:
    """Say whether the whole text is what the pattern says."""
    first, *others = pattern.split(WILDCARD)
    if not others:
        return pattern == text
    *inner, last = others
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    place, end = len(first), len(text) - len(last)
    for piece in inner:  # the first fitting place leaves the most room for what follows
        found = text.find(piece, place, end)
        if found < 0:
            return False
        place = found + len(piece)
    return True
