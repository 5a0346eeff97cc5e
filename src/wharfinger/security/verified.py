# SPDX-License-Identifier: Apache-2.0
"""Registry tokens that were verified a moment ago: a client shows the same one with each request of a pull.

Remembering one is safe: its signature cannot become wrong, its key verifies for longer than it lives, and what its
account may do is looked up at every request anyway. The time alone is checked again.
"""

from collections import OrderedDict
from typing import Final

from wharfinger.clock import Instant
from wharfinger.security.claims import check_times
from wharfinger.security.signing import RegistryToken, RegistryTokens
from wharfinger.security.tokens import fingerprint

MOST: Final = 10_000
"""Tokens to remember: some ten megabytes."""


class VerifiedTokens:
    """Verifies with what it remembers first; for one thread, and made anew when the keys change.

    Args:
        tokens: what verifies.
        most: how many tokens to remember; the longest unused is forgotten first.
    """

    __slots__ = ("_most", "_verified", "tokens")

    def __init__(self, tokens: RegistryTokens, *, most: int = MOST) -> None:
        self.tokens = tokens
        self._most = most
        # Under a fingerprint: a token that is still valid is not to be found in the memory of the process.
        self._verified: OrderedDict[str, RegistryToken] = OrderedDict()

    def verify(self, text: str, now: Instant) -> RegistryToken:
        """Return what a token says.

        Raises:
            TokenRefused: as `RegistryTokens.verify`. What is refused is not remembered.
        """
        name = fingerprint(text)
        token = self._verified.get(name)
        if token is None:
            token = self._verified[name] = self.tokens.verify(text, now)
            if len(self._verified) > self._most:
                self._verified.popitem(last=False)
            return token
        check_times(now, begins=token.issued_at, ends=token.expires_at)
        self._verified.move_to_end(name)
        return token
