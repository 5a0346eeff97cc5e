# SPDX-License-Identifier: Apache-2.0
"""Files of Apache's `htpasswd -B`: who may sign in, and what is wrong with the rest of the file.

Read as CNCF distribution reads them: lines of `name:hash`, bcrypt alone, `#` begins a comment, and the last of several
lines for one name wins. Where distribution refuses to start or fails at sign-in, this reports the line and lets
everybody else in.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import bcrypt

from wharfinger.security.passwords import MOST_BYTES

_HASH: Final = re.compile(r"\$2[aby]\$(0[4-9]|1[0-7])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}", re.ASCII)
"""Cost 17 takes many seconds and is the most that `htpasswd` makes. A salt of 16 bytes ends in one of four signs."""
_BCRYPT_BYTES: Final = 72
"""All that bcrypt looks at. `htpasswd` cuts silently; the library raises, so it is cut here: existing users sign in."""
_SALT: Final = b"." * 22
"""Of a hash that nobody keeps."""
_LEAST_COST: Final = 5


@dataclass(frozen=True, slots=True)
class Problem:
    """A line that lets nobody in, or that another line makes useless."""

    line: int
    """Counted from one."""
    message: str
    """What is wrong and what would be right; it never shows a hash."""


class Users:
    """The users of one file; made anew when the file changes."""

    __slots__ = ("_dearest", "_hashes", "problems")

    def __init__(self, hashes: dict[str, bytes], problems: Sequence[Problem]) -> None:
        self._hashes = hashes
        self._dearest = max([_cost(stored) for stored in hashes.values()], default=_LEAST_COST)
        self.problems = tuple(problems)

    @property
    def names(self) -> frozenset[str]:
        """Return everybody who can sign in."""
        return frozenset(self._hashes)

    def verify(self, name: str, password: str) -> bool:
        """Say whether this is the password of that user. Slow.

        The work is the same for every name, known or not: that of the dearest hash of the file.
        """
        given = password.encode("utf-8", "surrogatepass") if len(password) <= MOST_BYTES else b""
        if not 0 < len(given) <= MOST_BYTES:
            # No password in such a file is empty or that long: nothing to learn from the time, nothing to hash.
            return False
        stored = self._hashes.get(name)
        if stored is None:
            _spend(given, self._dearest)
            return False
        right = bcrypt.checkpw(given[:_BCRYPT_BYTES], stored)
        # Costs are powers of two: c + (c, c+1, … d-1) is d exactly.
        for cost in range(_cost(stored), self._dearest):
            _spend(given, cost)
        return right


def parse_htpasswd(content: bytes) -> Users:
    """Return the users of a file, with everything that is wrong with it.

    Raises:
        ValueError: the file is not UTF-8.
    """
    hashes: dict[str, bytes] = {}
    lines: dict[str, int] = {}
    problems: list[Problem] = []
    for number, line in enumerate(content.decode("utf-8").split("\n"), start=1):
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        name, colon, stored = entry.partition(":")
        if not colon or not name:
            problems.append(Problem(number, "This is no entry: write it as name:hash, or begin a comment with #."))
            continue
        if name in lines:
            message = f"The user {name!r} is already in line {lines[name]}; this line, the last one, counts."
            problems.append(Problem(number, message))
            hashes.pop(name, None)
        lines[name] = number
        if _HASH.fullmatch(stored):
            hashes[name] = stored.encode()
        else:
            problems.append(Problem(number, f"The user {name!r} cannot sign in: {_what_is_wrong(stored)}"))
    return Users(hashes, problems)


def _cost(stored: bytes) -> int:
    return int(stored[4:6])


def _spend(given: bytes, cost: int) -> None:
    """Do the work of one comparison for nothing."""
    bcrypt.hashpw(given[:_BCRYPT_BYTES], b"$2b$%02d$" % cost + _SALT)


def _what_is_wrong(stored: str) -> str:
    if stored.startswith(("$2a$", "$2b$", "$2y$")):
        return "the bcrypt hash is damaged, or its cost is not 4 to 17. Make a new one with htpasswd -B."
    return "only bcrypt is possible, as in distribution. Make the entry with htpasswd -B."
