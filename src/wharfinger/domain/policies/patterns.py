# SPDX-License-Identifier: Apache-2.0
"""Patterns that rules name tags with.

```text
v*, release-?     `*` stands for any characters, `?` for one
*, !latest        an exception wins, wherever it stands in the line
```
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from wharfinger.domain.errors import RuleInvalid
from wharfinger.domain.names import TagName
from wharfinger.domain.sentences import Sentence

MAX_PATTERNS: Final = 50
_PATTERN: Final = re.compile(r"[a-zA-Z0-9._*?-]{1,128}", re.ASCII)
"""What tags are written with, and the two wildcards: the brackets that `fnmatch` knows besides cannot occur."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagPatterns:
    """Which tags are meant.

    Args:
        patterns: of tags that are.
        exceptions: patterns of tags that are not, although one of `patterns` matches.
    """

    patterns: tuple[str, ...] = ()
    exceptions: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ", ".join((*self.patterns, *(f"!{pattern}" for pattern in self.exceptions)))

    def find(self, tag: TagName) -> str | None:
        """Return the pattern that matches the tag; nothing if it is not meant."""
        if any(fnmatchcase(tag, pattern) for pattern in self.exceptions):
            return None
        return next((pattern for pattern in self.patterns if fnmatchcase(tag, pattern)), None)

    def matches(self, tag: TagName) -> bool:
        """Say whether the tag is meant."""
        return self.find(tag) is not None


def parse_patterns(text: str) -> TagPatterns:
    """Return the patterns of a line.

    Raises:
        RuleInvalid: it is empty, one of its patterns could match no tag, or there are only exceptions.
    """
    words = [word for part in text.split(",") if (word := part.strip())]
    if len(words) > MAX_PATTERNS:
        message = Sentence(
            "A line has %(most)s patterns for tags at the most; this one has %(count)s.",
            most=MAX_PATTERNS,
            count=len(words),
        )
        raise RuleInvalid(message)
    patterns = tuple(dict.fromkeys(_checked(word for word in words if not word.startswith("!"))))
    exceptions = tuple(dict.fromkeys(_checked(word[1:] for word in words if word.startswith("!"))))
    if not patterns:
        message = Sentence("Say which tags are meant: patterns such as `v*`, `*` for all; exceptions begin with `!`.")
        raise RuleInvalid(message)
    return TagPatterns(patterns=patterns, exceptions=exceptions)


def _checked(words: Iterator[str]) -> Iterator[str]:
    for word in words:
        if not _PATTERN.fullmatch(word):
            message = Sentence(
                "%(word)r is not a pattern for tags: it has up to 128 letters, digits, underscores, "
                "dots and hyphens, `*` for any characters and `?` for one.",
                word=word[:60],
            )
            raise RuleInvalid(message)
        yield word
