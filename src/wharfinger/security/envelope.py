# SPDX-License-Identifier: Apache-2.0
"""Secrets at rest: what the registry must be able to read again is sealed before it reaches the database.

```text
v1.<id of the key>.<base64url of nonce, ciphertext and tag>
```

AES-256-GCM with a random nonce. The place of the value, table, row and column, is authenticated with it: a sealed text
that is copied into another row does not open there. A text that does not open is an error, never an empty value.
"""

import base64
import os
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

LEAST_MATERIAL: Final = 32
"""Bytes of secret material that a key is derived from, at least: it is random, not a password."""

_VERSION: Final = "v1"
_NONCE_LENGTH: Final = 12
_SEALED: Final = re.compile(r"v1\.([0-9a-f]{16})\.([A-Za-z0-9_-]+)", re.ASCII)


class Place(NamedTuple):
    """Where a sealed value is kept; it opens nowhere else."""

    table: str
    row: str
    column: str


class EnvelopeBroken(Exception):
    """A sealed text that cannot be opened: the wrong key, the wrong place, or not what was sealed."""


class MaterialTooShort(Exception):
    """The secret material is too short to derive a key from."""


class Envelope:
    """Seals with the first key, opens with each of them.

    To change the secret, put the new material in front, seal again what is stored, and drop the old.

    Args:
        materials: one or more secrets of 32 bytes or more, the current one first.

    Raises:
        MaterialTooShort: one of them is shorter, or there is none.
    """

    __slots__ = ("_ciphers", "key_id")

    def __init__(self, materials: Sequence[bytes]) -> None:
        if not materials or min(map(len, materials)) < LEAST_MATERIAL:
            message = f"The secret that protects stored secrets must have at least {LEAST_MATERIAL} bytes."
            raise MaterialTooShort(message)
        ciphers = [(_derive(material, b"id", 8).hex(), AESGCM(_derive(material, b"key", 32))) for material in materials]
        self.key_id = ciphers[0][0]
        """The key that seals now: a stored text with another id should be sealed again."""
        self._ciphers = dict(ciphers)

    def seal(self, plain: bytes, place: Place) -> str:
        """Return the text to be stored at that place."""
        nonce = os.urandom(_NONCE_LENGTH)
        sealed = nonce + self._ciphers[self.key_id].encrypt(nonce, plain, _bound_to(place))
        return f"{_VERSION}.{self.key_id}.{base64.urlsafe_b64encode(sealed).decode().rstrip('=')}"

    def open(self, text: str, place: Place) -> bytes:
        """Return what was sealed.

        Raises:
            EnvelopeBroken: it does not open; the message names the place and no content.
        """
        found = _SEALED.fullmatch(text)
        if found is None:
            message = f"What is stored in {_shown(place)} is not a sealed secret."
            raise EnvelopeBroken(message)
        cipher = self._ciphers.get(found[1])
        if cipher is None:
            message = f"What is stored in {_shown(place)} was sealed with another secret, key {found[1]}."
            raise EnvelopeBroken(message)
        try:
            sealed = _decode(found[2])
            return cipher.decrypt(sealed[:_NONCE_LENGTH], sealed[_NONCE_LENGTH:], _bound_to(place))
        except (InvalidTag, ValueError) as error:
            message = f"What is stored in {_shown(place)} was changed, or was moved there from another place."
            raise EnvelopeBroken(message) from error


def _derive(material: bytes, purpose: bytes, length: int) -> bytes:
    """Return a key that only this purpose uses, so that showing the id gives nothing away about the key."""
    return HKDF(hashes.SHA256(), length, salt=None, info=b"wharfinger envelope v1 " + purpose).derive(material)


def _bound_to(place: Place) -> bytes:
    """Return the place as bytes; lengths in front keep ("ab", "c") apart from ("a", "bc")."""
    parts = [part.encode() for part in (_VERSION, *place)]
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _decode(text: str) -> bytes:
    decoded = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64.urlsafe_b64encode(decoded).decode().rstrip("=") != text:
        message = "not the one way to write these bytes"
        raise ValueError(message)
    return decoded


def _shown(place: Place) -> str:
    return f"{place.table}.{place.column}, row {place.row},"
