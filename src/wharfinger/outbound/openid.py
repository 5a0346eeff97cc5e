# SPDX-License-Identifier: Apache-2.0
"""What an OpenID provider is asked for besides its keys: where its endpoints are, and tokens for a code.

Providers are named by the operator, never by a visitor. An `http` one is asked only if the operator listed its host.
"""

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote_plus, urlencode

import orjson

from wharfinger.clock import Clock
from wharfinger.domain.errors import OutboundFailed, OutboundUnavailable
from wharfinger.domain.sentences import Sentence
from wharfinger.outbound.shared import SharedClient

if TYPE_CHECKING:
    from wharfinger.outbound.client import Answer, Limits
    from wharfinger.outbound.targets import PlainHttp

LIFETIME: Final = 3_600.0
"""Seconds for which a provider's description of itself is believed."""
PAUSE: Final = 10.0
"""Seconds after a failure in which a provider is not asked again."""
_DISCOVERY: Final = "/.well-known/openid-configuration"
_REFUSED: Final = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


class GrantRefused(Exception):
    """The provider gives no tokens for this code: it was used before, has ended, or was never its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """What a provider says of itself (OpenID Connect Discovery, section 3)."""

    issuer: str
    authorization: str
    token: str
    userinfo: str | None
    names_itself: bool
    """Whether its answers carry `iss` (RFC 9207), so that one without it is not its own."""
    basic: bool
    """Whether a client shows its secret in a header; in the form otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redemption:
    """A code, and what proves that it was given to this client and to this browser."""

    client_id: str
    client_secret: str | None = field(repr=False)
    code: str = field(repr=False)
    verifier: str = field(repr=False)
    redirect_uri: str


@dataclass(slots=True)
class _Provider:
    flight: asyncio.Lock = field(default_factory=asyncio.Lock)
    endpoints: Endpoints | None = None
    fresh_until: float = 0.0
    ask_from: float = 0.0
    failure: OutboundUnavailable = field(
        default_factory=lambda: OutboundFailed(Sentence("The provider was not asked yet."))
    )


class OpenId:
    """Asks OpenID providers.

    Args:
        client: what asks them.
        clock: what the age of their descriptions is measured with.
    """

    def __init__(self, client: SharedClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._providers: dict[str, _Provider] = {}

    async def endpoints(self, issuer: str) -> Endpoints:
        """Return where a provider is asked for what; remembered for an hour, and while it is down.

        Raises:
            OutboundRefused: the operator's settings do not allow to ask it.
            OutboundFailed: it gives no answer that can be used.
        """
        entry = self._providers.setdefault(issuer, _Provider())
        async with entry.flight:  # held across the request on purpose: who waits wants its result
            now = self._clock.monotonic()
            if now >= entry.fresh_until and now >= entry.ask_from:
                try:
                    entry.endpoints = await self._discover(issuer)
                    entry.fresh_until = now + LIFETIME
                except OutboundUnavailable as error:
                    entry.failure = type(error)(error.message)
                    entry.ask_from = self._clock.monotonic() + PAUSE
        if entry.endpoints is None:
            raise type(entry.failure)(entry.failure.message)
        return entry.endpoints

    async def redeem(self, endpoints: Endpoints, redemption: Redemption) -> tuple[str, str]:
        """Return the ID token and the access token that the provider gives for a code.

        Raises:
            GrantRefused: it gives none.
            OutboundRefused, OutboundFailed: as `endpoints`.
        """
        form = {
            "grant_type": "authorization_code",
            "code": redemption.code,
            "redirect_uri": redemption.redirect_uri,
            "code_verifier": redemption.verifier,
        }
        headers = {"accept": "application/json", "content-type": "application/x-www-form-urlencoded"}
        if redemption.client_secret is None:
            form["client_id"] = redemption.client_id
        elif endpoints.basic:
            headers["authorization"] = _basic(redemption.client_id, redemption.client_secret)
        else:
            form |= {"client_id": redemption.client_id, "client_secret": redemption.client_secret}
        answer = await self._ask(endpoints.issuer, endpoints.token, headers, urlencode(form).encode())
        if answer.status in _REFUSED:
            raise GrantRefused(_error_of(answer.body))
        document = _object(endpoints.issuer, answer.status, answer.body)
        id_token, access_token = document.get("id_token"), document.get("access_token")
        if not isinstance(id_token, str) or not isinstance(access_token, str):
            message = Sentence("The provider %(issuer)s gives no ID token for a code.", issuer=endpoints.issuer)
            raise OutboundFailed(message)
        return id_token, access_token

    async def userinfo(self, endpoints: Endpoints, access_token: str) -> Mapping[str, object]:
        """Return what the provider says of the holder of an access token; nothing if it has no such endpoint.

        Raises:
            OutboundRefused, OutboundFailed: as `endpoints`.
        """
        if endpoints.userinfo is None:
            return {}
        headers = {"accept": "application/json", "authorization": f"Bearer {access_token}"}
        answer = await self._ask(endpoints.issuer, endpoints.userinfo, headers)
        return _object(endpoints.issuer, answer.status, answer.body)

    async def _ask(self, issuer: str, url: str, headers: Mapping[str, str], content: bytes | None = None) -> "Answer":
        client = await self._client.client()
        return await client.request(
            url,
            method="GET" if content is None else "POST",
            headers=headers,
            content=content or b"",
            plain=_plain(issuer),
            limits=_limits(),
        )

    async def _discover(self, issuer: str) -> Endpoints:
        answer = await self._ask(issuer, issuer.rstrip("/") + _DISCOVERY, {"accept": "application/json"})
        document = _object(issuer, answer.status, answer.body)
        if document.get("issuer") != issuer:
            message = Sentence("The provider %(issuer)s calls itself something else.", issuer=issuer)
            raise OutboundFailed(message)
        userinfo = document.get("userinfo_endpoint")
        methods = document.get("token_endpoint_auth_methods_supported")
        return Endpoints(
            issuer=issuer,
            authorization=_url(issuer, document, "authorization_endpoint"),
            token=_url(issuer, document, "token_endpoint"),
            userinfo=userinfo if isinstance(userinfo, str) else None,
            names_itself=document.get("authorization_response_iss_parameter_supported") is True,
            # Without the list it is Basic, says the specification.
            basic=not isinstance(methods, list) or "client_secret_basic" in methods,
        )


def _plain(issuer: str) -> "PlainHttp":
    """Only a provider that speaks http itself may have endpoints that do."""
    return "listed" if issuer.lower().startswith("http:") else "never"


def _limits() -> "Limits":
    from wharfinger.outbound.client import Limits  # noqa: PLC0415 - loaded when somebody signs in, as `shared` says

    return Limits(connect=3, read=5, total=10, body=256 * 1024)


def _basic(client_id: str, secret: str) -> str:
    """Both halves are encoded as in a form first (RFC 6749, section 2.3.1)."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _url(issuer: str, document: Mapping[str, object], name: str) -> str:
    found = document.get(name)
    if not isinstance(found, str) or not found.lower().startswith(("https://", "http://")):
        message = Sentence("The provider %(issuer)s does not say what its %(name)s is.", issuer=issuer, name=name)
        raise OutboundFailed(message)
    return found


def _object(issuer: str, status: int, body: bytes) -> Mapping[str, object]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    if status != HTTPStatus.OK or not isinstance(document, dict):
        message = Sentence(
            "The provider %(issuer)s answers %(status)s, or with something that is no JSON object.",
            issuer=issuer,
            status=status,
        )
        raise OutboundFailed(message)
    return document


def _error_of(body: bytes) -> str:
    """Return the provider's word for why, for the log."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "no reason"
    found = document.get("error") if isinstance(document, dict) else None
    return found[:60] if isinstance(found, str) and found.isascii() and found.isprintable() else "no reason"
