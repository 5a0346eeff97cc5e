# SPDX-License-Identifier: Apache-2.0
"""The keys of OpenID Connect issuers: fetched when needed, remembered for a while, kept while an issuer is down.

Only issuers that somebody trusts may be asked for here, never what a token claims about itself. What a key means, and
whether it may be used, is not decided here: the sets are handed out as they were read.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

import orjson

from wharfinger.clock import Clock
from wharfinger.domain.errors import OutboundFailed, OutboundRefused, OutboundUnavailable
from wharfinger.domain.sentences import Sentence
from wharfinger.outbound.client import Answer, Client, Limits
from wharfinger.outbound.targets import PlainHttp

Jwk = Mapping[str, object]
"""One key as JSON has it (RFC 7517)."""

MAX_ISSUERS: Final = 256
DEFAULT_LIFETIME: Final = 3_600.0
MIN_LIFETIME: Final = 60.0
MAX_LIFETIME: Final = 86_400.0
GRACE: Final = 86_400.0
"""For how long a set that is no longer fresh serves while its issuer is down."""
KID_PAUSE: Final = 60.0
"""An unknown `kid` costs whoever invents it nothing, so it may not cost the issuer a request each time."""
FAILURE_PAUSE: Final = 10.0
"""While an issuer hangs, only one sign-in in this time waits for it."""

_DISCOVERY: Final = "/.well-known/openid-configuration"
_LIMITS: Final = Limits(connect=3, read=3, total=5, body=256 * 1024)
_MAX_AGE: Final = re.compile(r"(?:.*[\s,])?max-age=\"?([0-9]{1,9})(?![0-9]).*", re.ASCII | re.IGNORECASE)
_UNCACHED: Final = re.compile(r"(?:.*[\s,])?no-(?:store|cache)\b.*", re.ASCII | re.IGNORECASE)


@dataclass(slots=True)
class _Issuer:
    """What is remembered of one issuer; times are those of `Clock.monotonic`."""

    flight: asyncio.Lock = field(default_factory=asyncio.Lock)
    keys: Sequence[Jwk] = ()
    fresh_until: float = 0.0
    good_until: float = 0.0
    kid_from: float = 0.0
    """From when on an unknown `kid` is a reason to ask."""
    ask_from: float = 0.0
    """From when on the issuer is asked again after a failure."""
    failure: OutboundUnavailable = field(
        default_factory=lambda: OutboundFailed(Sentence("The issuer was not asked yet."))
    )

    def knows(self, kid: str | None) -> bool:
        return kid is None or any(key.get("kid") == kid for key in self.keys)

    def is_due(self, kid: str | None, now: float) -> bool:
        """Answer whether the issuer is to be asked now."""
        if now < self.ask_from:
            return False
        return not self.keys or now >= self.fresh_until or (not self.knows(kid) and now >= self.kid_from)


class Issuers:
    """The key sets of issuers, in the memory of one process.

    Args:
        client: what asks them.
        clock: what their age is measured with.
        capacity: how many issuers are remembered; the one that was longest not asked for is forgotten.
    """

    def __init__(self, client: Client, clock: Clock, *, capacity: int = MAX_ISSUERS) -> None:
        self._client = client
        self._clock = clock
        self._capacity = capacity
        self._issuers: OrderedDict[str, _Issuer] = OrderedDict()

    async def keys(self, issuer: str, kid: str | None = None) -> Sequence[Jwk]:
        """Return all keys of an issuer, fetched again if none of them has this `kid`, at most once a minute.

        The caller finds the key it needs; if none fits, the token is not from this issuer. `http://` issuers are asked
        only if the operator listed their host.

        Raises:
            OutboundRefused: the issuer's URL is none that may be asked.
            OutboundFailed: there is no key set, and the issuer does not give one.
        """
        entry = self._entry(issuer)
        if entry.is_due(kid, self._clock.monotonic()):
            # One flight for each issuer. The lock is held across the requests on purpose: those who wait for it want
            # their result, and the client bounds how long they take. Whoever comes next asks again whether it is due.
            async with entry.flight:
                if entry.is_due(kid, self._clock.monotonic()):
                    await self._refresh(issuer, entry)
        if entry.keys and self._clock.monotonic() < entry.good_until:
            return entry.keys
        raise type(entry.failure)(entry.failure.message)

    def _entry(self, issuer: str) -> _Issuer:
        entry = self._issuers.setdefault(issuer, _Issuer())
        self._issuers.move_to_end(issuer)
        if len(self._issuers) > self._capacity:
            self._issuers.popitem(last=False)
        return entry

    async def _refresh(self, issuer: str, entry: _Issuer) -> None:
        now = self._clock.monotonic()
        if now < entry.fresh_until:
            # Nothing but an unknown `kid` made it due.
            entry.kid_from = now + KID_PAUSE
        try:
            keys, lifetime = await self._fetched(issuer)
        except OutboundUnavailable as error:
            entry.failure = type(error)(error.message)  # a new one: the old one holds on to all that it went through
            entry.ask_from = self._clock.monotonic() + FAILURE_PAUSE
            return
        now = self._clock.monotonic()
        entry.keys, entry.fresh_until, entry.good_until = keys, now + lifetime, now + lifetime + GRACE

    async def _fetched(self, issuer: str) -> tuple[Sequence[Jwk], float]:
        if "?" in issuer or "#" in issuer:
            message = Sentence("The URL of an issuer has neither `?` nor `#`.")
            raise OutboundRefused(message)
        # Only an issuer that speaks http itself may keep its keys behind http.
        plain: PlainHttp = "listed" if issuer.lower().startswith("http:") else "never"
        document, _ = await self._read(issuer, issuer.rstrip("/") + _DISCOVERY, plain)
        if document.get("issuer") != issuer:
            message = Sentence("The issuer %(issuer)s calls itself something else.", issuer=issuer)
            raise OutboundFailed(message)
        where = document.get("jwks_uri")
        if not isinstance(where, str):
            message = Sentence("The issuer %(issuer)s does not say where its keys are.", issuer=issuer)
            raise OutboundFailed(message)
        found, answer = await self._read(issuer, where, plain)
        return _key_set(issuer, found), _lifetime(answer.headers.get("cache-control", ""))

    async def _read(self, issuer: str, url: str, plain: PlainHttp) -> tuple[Mapping[str, object], Answer]:
        answer = await self._client.request(url, headers={"accept": "application/json"}, plain=plain, limits=_LIMITS)
        if answer.status != HTTPStatus.OK:
            message = Sentence(
                "The issuer %(issuer)s answers %(status)s when asked for its keys.", issuer=issuer, status=answer.status
            )
            raise OutboundFailed(message)
        try:
            document = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            document = None
        if not isinstance(document, dict):
            message = Sentence(
                "The issuer %(issuer)s does not answer with a JSON object when asked for its keys.", issuer=issuer
            )
            raise OutboundFailed(message)
        return document, answer


def _key_set(issuer: str, document: Mapping[str, object]) -> Sequence[Jwk]:
    keys = document.get("keys")
    # An empty set would throw away the last good one.
    if not isinstance(keys, list) or not keys or not all(isinstance(key, dict) for key in keys):
        message = Sentence("What the issuer %(issuer)s answers is not a set of keys.", issuer=issuer)
        raise OutboundFailed(message)
    return tuple(keys)


def _lifetime(cache_control: str) -> float:
    """Return for how many seconds an answer is fresh."""
    if _UNCACHED.fullmatch(cache_control):
        return MIN_LIFETIME
    found = _MAX_AGE.fullmatch(cache_control)
    return min(max(float(found[1]), MIN_LIFETIME), MAX_LIFETIME) if found else DEFAULT_LIFETIME
