# SPDX-License-Identifier: Apache-2.0
"""What a browser keeps for us between two steps, sealed: nobody reads it or makes one up, and it ends by itself.

So a step that nobody takes leaves no row behind. What may count only once is made so by the row that it changes.
"""

import functools
from collections.abc import Callable, Mapping

import orjson

from wharfinger.clock import Clock, Instant
from wharfinger.security.envelope import Envelope, EnvelopeBroken, Place


class Sealing:
    """Seals what is on its way.

    Args:
        clock: the time.
        envelope: makes what seals; it raises `SignInUnready`.
    """

    def __init__(self, clock: Clock, envelope: Callable[[], Envelope]) -> None:
        self._clock = clock
        self._make_envelope = envelope

    def seal(self, purpose: str, lifetime: int, **content: str | int | None) -> str:
        """Return a text that opens for the same purpose, for so many microseconds."""
        content["ends"] = self._clock.now() + lifetime
        return self.envelope.seal(orjson.dumps(content), _place(purpose))

    def open(self, purpose: str, text: str) -> Mapping[str, str | int | None] | None:
        """Return what was sealed; nothing if this registry did not seal it, or not for this, or too long ago."""
        try:
            content: dict[str, str | int | None] = orjson.loads(self.envelope.open(text, _place(purpose)))
        except EnvelopeBroken:
            return None
        return content if self._clock.now() < Instant(int(content.pop("ends") or 0)) else None

    @functools.cached_property
    def envelope(self) -> Envelope:
        """What seals what is stored."""
        return self._make_envelope()


def _place(purpose: str) -> Place:
    return Place("browsers", purpose, "sealed")
