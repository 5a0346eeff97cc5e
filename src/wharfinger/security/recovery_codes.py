# SPDX-License-Identifier: Apache-2.0
"""Recovery codes: 80 random bits each, so that nobody can guess one and a plain hash is enough at rest."""

import secrets
import string
from collections.abc import Sequence
from typing import Final

from wharfinger.security.tokens import fingerprint

_LETTERS: Final = string.ascii_lowercase + "234567"
_LENGTH: Final = 16
_GROUP: Final = 4


def make(count: int) -> Sequence[str]:
    """Return new codes as people write them down: `abcd-efgh-ijkl-mnop`."""
    return [_shown("".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))) for _ in range(count)]


def fingerprint_of(letters: str) -> str:
    """Return what is stored of a code, given without its hyphens."""
    return fingerprint(f"recovery {letters}")


def _shown(letters: str) -> str:
    return "-".join(letters[start : start + _GROUP] for start in range(0, _LENGTH, _GROUP))
