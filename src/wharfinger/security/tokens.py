# SPDX-License-Identifier: Apache-2.0
"""The secrets that people and programs carry: what they look like, and what is stored of them.

```text
whp_  30 random characters  6 of checksum     personal access token
whs_  …                                       secret of an access key, whose id is WHK and 16 characters
whr_  …                                       refresh token of one device
```

The prefix tells a scanner of leaked secrets, and a reader, what has been found; one underscore and no other sign let a
double click select the whole. The checksum refuses typing errors and foreign tokens without a look-up. The random part
has 178 bits, so that nobody can guess it and a plain SHA-256 is enough at rest: a slow hash protects only secrets that
can be guessed.
"""

import enum
import hashlib
import hmac
import re
import secrets
import string
import zlib
from dataclasses import dataclass, field
from typing import Final


class TokenKind(enum.StrEnum):
    """What a token is for; the value is its prefix."""

    PERSONAL = "whp"
    ACCESS_KEY = "whs"
    REFRESH = "whr"


_BASE62: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_BASE32: Final = string.ascii_uppercase + "234567"
_RANDOM_LENGTH: Final = 30
"""62 to the power of 30 is over 2 to the power of 178."""
_CHECKSUM_LENGTH: Final = 6
"""62 to the power of 6 is over 2 to the power of 32."""
_SHOWN_LENGTH: Final = 4
_TOKEN: Final = re.compile(rf"(whp|whs|whr)_[0-9A-Za-z]{{{_RANDOM_LENGTH + _CHECKSUM_LENGTH}}}", re.ASCII)
_ACCESS_KEY_ID: Final = re.compile(r"WHK[A-Z2-7]{16}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token at the only moment when its text is known here."""

    kind: TokenKind
    text: str = field(repr=False)
    """To be shown once, and stored nowhere."""
    fingerprint: str
    """To be stored, and looked up by."""
    ending: str
    """The last characters, by which the owner recognises the token in a list."""


def make(kind: TokenKind) -> NewToken:
    """Return a new token of that kind, from the random numbers of the system."""
    begin = f"{kind.value}_" + "".join(secrets.choice(_BASE62) for _ in range(_RANDOM_LENGTH))
    text = begin + _checksum(begin)
    return NewToken(kind=kind, text=text, fingerprint=fingerprint(text), ending=text[-_SHOWN_LENGTH:])


def recognise(text: str) -> TokenKind | None:
    """Return what kind of token the text is, or nothing if this registry cannot have made it."""
    found = _TOKEN.fullmatch(text)
    if found is None or text[-_CHECKSUM_LENGTH:] != _checksum(text[:-_CHECKSUM_LENGTH]):
        return None
    return TokenKind(found[1])


def looks_like_one(text: str) -> bool:
    """Say whether the text begins as a token does: a mistyped one is not taken for a password, and none begins so."""
    return text.startswith(tuple(f"{kind.value}_" for kind in TokenKind))


def fingerprint(text: str) -> str:
    """Return what is stored of a token: the SHA-256 of the whole text, as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def is_same(one: str, other: str) -> bool:
    """Compare two fingerprints in a time that does not depend on where they differ."""
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))


def make_access_key_id() -> str:
    """Return a new id of an access key. It is a name, not a secret: it may be shown, and is shown always."""
    return "WHK" + "".join(secrets.choice(_BASE32) for _ in range(16))


def is_access_key_id(text: str) -> bool:
    """Say whether a name given at sign-in is the id of an access key; no account can have such a name."""
    return _ACCESS_KEY_ID.fullmatch(text) is not None


def _checksum(begin: str) -> str:
    number, digits = zlib.crc32(begin.encode("ascii")), ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_BASE62))
        digits = _BASE62[digit] + digits
    return digits
