# SPDX-License-Identifier: Apache-2.0
"""Passwords of accounts: which are taken, how they are stored, how they are compared.

They are stored as argon2id with 19 MiB of memory, two passes, one lane: the smallest of the equally strong settings
that OWASP's Password Storage Cheat Sheet names, about 25 ms of one core. Every `docker login` and every token that is
asked for with a password costs one hash, so more memory would let a few logins at once push a small machine into
swapping. For the same reason only a few hashes run at a time; the others wait for their turn.

Each of the slow calls here belongs into a thread; argon2 lets other threads run meanwhile.
"""

import secrets
import threading
import unicodedata
from dataclasses import dataclass
from typing import Final

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from wharfinger.security.tokens import looks_like_one

SHORTEST: Final = 8
LONGEST: Final = 128
"""Characters of a new password."""
MOST_BYTES: Final = 1024
"""Anything longer, at sign-in too, is refused before work is done for it."""

_MEMORY: Final = 19 * 1024
_PASSES: Final = 2
_LANES: Final = 1
_AT_ONCE: Final = 4
"""So hashing takes at most 76 MiB, whatever the number of callers."""


class PasswordUnfit(Exception):
    """A new password that is not taken; the message says what would be."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a comparison found.

    Args:
        right: it is the password.
        needs_rehash: the stored hash has other parameters than a new one would; store a new one now, while the
            password is known.
    """

    right: bool
    needs_rehash: bool = False


WRONG: Final = Verdict(right=False)


class Passwords:
    """Hashes and compares; one instance for each process, because it counts what runs at once.

    Args:
        at_once: how many hashes may run at the same time.
        memory: KiB for each hash; less than the default is for tests.
    """

    def __init__(self, *, at_once: int = _AT_ONCE, memory: int = _MEMORY) -> None:
        self._hasher = argon2.PasswordHasher(time_cost=_PASSES, memory_cost=memory, parallelism=_LANES)
        self._turns = threading.BoundedSemaphore(at_once)
        self._nobodys_hash = self._hasher.hash(secrets.token_urlsafe())

    def hash_password(self, password: str) -> str:
        """Return what is to be stored for a password that `check_new_password` took. Slow."""
        with self._turns:
            return self._hasher.hash(_normal(password))

    def verify(self, stored: str, password: str) -> Verdict:
        """Compare a password with the stored hash. Slow.

        A hash that cannot be read belongs to nobody: the answer is "wrong", in the time of any other.
        """
        if not _may_be_hashed(password):
            return WRONG
        try:
            with self._turns:
                self._hasher.verify(stored, _normal(password))
        except InvalidHashError:
            return self.verify_nobody(password)
        except VerificationError:
            return WRONG
        return Verdict(right=True, needs_rehash=self._hasher.check_needs_rehash(stored))

    def verify_nobody(self, password: str) -> Verdict:
        """Work as long as `verify` would, and say no: for names that no account has. Slow.

        Without this, the time of an answer would tell which accounts exist.
        """
        if _may_be_hashed(password):
            try:
                with self._turns:
                    self._hasher.verify(self._nobodys_hash, _normal(password))
            except VerificationError:
                return WRONG
        return WRONG


def check_new_password(password: str, account_name: str) -> None:
    """Accept a new password, by length and by one thing that is guessed first; there are no rules about its signs.

    Raises:
        PasswordUnfit: the password is not taken. The message never repeats it.
    """
    if not _may_be_hashed(password):
        message = f"The password is too long, or is no text: at most {MOST_BYTES} bytes of UTF-8 are possible."
        raise PasswordUnfit(message)
    length = len(_normal(password))
    if length < SHORTEST:
        message = f"The password has {length} characters; use at least {SHORTEST}."
        raise PasswordUnfit(message)
    if length > LONGEST:
        message = f"The password has {length} characters; use at most {LONGEST}."
        raise PasswordUnfit(message)
    if looks_like_one(password):
        message = "The password begins as tokens of this registry do; use another one."
        raise PasswordUnfit(message)
    if _normal(password).casefold() == _normal(account_name).casefold():
        message = "The password is the name of the account; use another one."
        raise PasswordUnfit(message)


def _may_be_hashed(password: str) -> bool:
    # The characters first: a password of a megabyte is not even encoded.
    if len(password) > MOST_BYTES:
        return False
    try:
        return len(password.encode()) <= MOST_BYTES
    except UnicodeEncodeError:
        return False


def _normal(password: str) -> str:
    """Return the one form of a text that two keyboards may write in two ways (NIST SP 800-63B asks for this)."""
    return unicodedata.normalize("NFKC", password)
