# SPDX-License-Identifier: Apache-2.0
"""The keys that sign this registry's own tokens, and how one follows another.

```text
key 1   published, signs ───────────────┬ verifies ─┤ gone
key 2              published ── LEAD ── signs ───────────────────
                                        └── KEEP ──┘
```

A new key is published before it signs, so that every process and everybody who reads the key set knows it in time; the
old one verifies for a while after, so that every token it signed can be used up. All of it follows from when each key
begins and from the clock: there is no state to keep in step.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wharfinger.clock import SECOND, Instant, after
from wharfinger.security.envelope import Envelope, Place
from wharfinger.security.jws import VerificationKey
from wharfinger.security.thumbprints import jwk_of, thumbprint

LONGEST_LIFETIME: Final = 300
"""Seconds that a token may be valid: what was taken away from somebody works no longer than this (INV-32)."""
LONGEST_CREDENTIAL: Final = 3_600
"""Seconds that the credential of a workload may be valid. It gives nothing by itself: its rules are looked up."""
LEAD: Final = 2 * LONGEST_LIFETIME * SECOND
KEEP: Final = (LONGEST_CREDENTIAL + 2 * LONGEST_LIFETIME) * SECOND

ALGORITHM: Final = "EdDSA"


class NoSigningKey(Exception):
    """The set is empty."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An Ed25519 key. Its id is the thumbprint of its public part, so an id can never mean another key."""

    private: Ed25519PrivateKey = field(repr=False)
    kid: str

    @classmethod
    def generate(cls) -> Self:
        """Return a new key, from the random numbers of the system."""
        return cls.from_private(Ed25519PrivateKey.generate())

    @classmethod
    def from_private(cls, private: Ed25519PrivateKey) -> Self:
        """Return a key with the id that belongs to it."""
        return cls(private=private, kid=thumbprint(jwk_of(private.public_key())))

    @classmethod
    def unseal(cls, kid: str, text: str, envelope: Envelope) -> Self:
        """Return a key that was stored.

        Raises:
            EnvelopeBroken: it does not open, or is not stored under its own id.
        """
        return cls.from_private(Ed25519PrivateKey.from_private_bytes(envelope.open(text, _place(kid))))

    def seal(self, envelope: Envelope) -> str:
        """Return the private key as it is stored."""
        return envelope.seal(self.private.private_bytes_raw(), _place(self.kid))

    def jwk(self) -> dict[str, str]:
        """Return the public key for everybody to read."""
        return {**jwk_of(self.private.public_key()), "kid": self.kid, "alg": ALGORITHM, "use": "sig"}

    def verification_key(self) -> VerificationKey:
        """Return the half that verifies."""
        return VerificationKey(self.private.public_key(), frozenset({ALGORITHM}))

    def sign(self, content: bytes) -> bytes:
        """Return the signature."""
        return self.private.sign(content)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledKey:
    """A key and when it begins to sign: what one row of the database says. It verifies from the start."""

    key: SigningKey
    signs_from: Instant


class KeySet:
    """The keys of this registry; a value, made anew when a row is added."""

    __slots__ = ("_by_kid", "keys")

    def __init__(self, keys: Iterable[ScheduledKey]) -> None:
        self.keys = tuple(sorted(keys, key=lambda scheduled: (scheduled.signs_from, scheduled.key.kid)))
        # Each key ends when the next one has signed for a while; the last has no end yet.
        ends = [after(later.signs_from, KEEP) for later in self.keys[1:]]
        self._by_kid = {
            scheduled.key.kid: (scheduled.key.verification_key(), end)
            for scheduled, end in zip_longest(self.keys, ends)
        }

    def signing(self, now: Instant) -> SigningKey:
        """Return the key that signs now: of those that have begun, the last.

        If none has, it is the first, because another node's clock, which wrote the row, may be a little ahead.

        Raises:
            NoSigningKey: there is no key at all.
        """
        if not self.keys:
            message = "There is no key that signs registry tokens."
            raise NoSigningKey(message)
        begun = [scheduled.key for scheduled in self.keys if scheduled.signs_from <= now]
        return begun[-1] if begun else self.keys[0].key

    def verifying(self, kid: str, now: Instant) -> VerificationKey | None:
        """Return the key of that id, if what it signed may still be shown."""
        key, end = self._by_kid.get(kid, (None, None))
        return None if end is not None and end <= now else key

    def jwks(self, now: Instant) -> dict[str, list[dict[str, str]]]:
        """Return the JSON Web Key Set to publish: exactly the keys that verify now."""
        return {"keys": [item.key.jwk() for item in self.keys if self.verifying(item.key.kid, now) is not None]}

    def rotated(self, key: SigningKey, now: Instant) -> "KeySet":
        """Return the set with a new key: published now, signing after `LEAD`; the first of all signs at once."""
        signs_from = after(now, LEAD) if self.keys else now
        return KeySet([*self.keys, ScheduledKey(key=key, signs_from=signs_from)])

    def without_retired(self, now: Instant) -> "KeySet":
        """Return the set without the keys that verify nothing any more: their rows can be deleted."""
        return KeySet(item for item in self.keys if self.verifying(item.key.kid, now) is not None)


def _place(kid: str) -> Place:
    return Place(table="signing_keys", row=kid, column="private_key")
