# SPDX-License-Identifier: Apache-2.0
"""The one client for requests to servers that others name: issuers of tokens, webhooks, upstreams (ADR 0024).

Every request has a connection of its own, so every request is judged where it matters, when it connects. Nothing is
taken from the environment, nothing is decompressed, no cookie is kept, and no redirect is followed unless asked for.
"""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import httpcore
import httpx

from wharfinger.domain.errors import OutboundFailed
from wharfinger.domain.sentences import Sentence
from wharfinger.outbound.addresses import AddressPolicy
from wharfinger.outbound.connections import GuardedNetwork, Meter, Resolve, Resolver
from wharfinger.outbound.targets import PlainHttp, Target, follow, parse_target

MAX_HEAD: Final = 32 * 1024
MAX_REDIRECTS: Final = 5
_REDIRECTS: Final = {301, 302, 303, 307, 308}
_SAFE_METHODS: Final = {"GET", "HEAD"}
_ANYWHERE: Final = {"accept"}
"""Headers of a caller that go along to another origin. All others may hold a secret."""
_BROKEN: Final = (
    OSError,  # of TLS and of sockets
    httpcore.NetworkError,
    httpcore.ProtocolError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much time and memory one request may cost; times are in seconds.

    Args:
        connect: for the name, for TCP, and for TLS, each.
        read: until the next bytes arrive.
        total: for everything, redirects included.
        body: bytes of the answer's body.
    """

    connect: float = 5.0
    read: float = 10.0
    total: float = 30.0
    body: int = 1024 * 1024


DEFAULT_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the other server said, whole."""

    url: str
    """Who answered, after redirects."""
    status: int
    headers: Mapping[str, str]
    """By name in lower case; the values of a header that comes twice are joined by commas."""
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ask:
    target: Target
    method: str
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)
    limits: Limits


def trust(authorities: Path | None = None) -> ssl.SSLContext:
    """Return whose certificates are believed: the public authorities, and those of a PEM file of the operator."""
    context = httpx.create_ssl_context(trust_env=False)
    if authorities is not None:
        context.load_verify_locations(authorities)
    return context


class Client:
    """Sends requests to where the policy allows.

    Args:
        policy: what may be connected to.
        tls: whose certificates are believed.
        resolve: from a name to its addresses; without it, the system's resolver.
        network: makes TCP connections.
    """

    def __init__(
        self,
        policy: AddressPolicy,
        *,
        tls: ssl.SSLContext,
        resolve: Resolve | None = None,
        network: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._policy = policy
        self._tls = tls
        self._resolver = Resolver()
        self._resolve = resolve or self._resolver.addresses
        self._network = network or httpcore.AnyIOBackend()

    def close(self) -> None:
        """Give back the threads of the resolver."""
        self._resolver.close()

    async def request(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
        plain: PlainHttp = "never",
        redirects: int = 0,
        limits: Limits = DEFAULT_LIMITS,
    ) -> Answer:
        """Return the answer to one request, whatever its status.

        A redirect is an answer like any other, unless `redirects` says how many to follow, and the method is GET or
        HEAD. A caller's headers go to the origin of the URL; to another one goes only `Accept`.

        Raises:
            OutboundRefused: the URL, or where it leads to, is not allowed.
            OutboundFailed: there is no answer, or none within the limits.
        """
        target = parse_target(url, self._policy, plain)
        ask = _Ask(target=target, method=method, headers=headers or {}, content=content, limits=limits)
        try:
            async with asyncio.timeout(limits.total):
                return await self._follow(ask, plain, min(redirects, MAX_REDIRECTS))
        except (TimeoutError, httpcore.TimeoutException) as error:
            message = Sentence("%(host)s did not answer in time.", host=target.host)
            raise OutboundFailed(message) from error
        except _BROKEN as error:
            raise OutboundFailed(_reason(target.host, error)) from error

    async def _follow(self, ask: _Ask, plain: PlainHttp, redirects: int) -> Answer:
        answer = await self._exchange(ask)
        followed = 0
        while (
            redirects and ask.method in _SAFE_METHODS and answer.status in _REDIRECTS and "location" in answer.headers
        ):
            followed += 1
            if followed > redirects:
                message = Sentence("%(host)s redirects too often.", host=ask.target.host)
                raise OutboundFailed(message)
            ask = _redirected(ask, follow(ask.target, answer.headers["location"], self._policy, plain))
            answer = await self._exchange(ask)
        return answer

    async def _exchange(self, ask: _Ask) -> Answer:
        meter = Meter(MAX_HEAD)
        connection = httpcore.AsyncHTTPConnection(
            httpcore.Origin(ask.target.scheme.encode(), ask.target.host.encode(), ask.target.port),
            ssl_context=self._tls,
            network_backend=GuardedNetwork(self._policy, self._resolve, meter, self._network),
        )
        async with aclosing(connection):
            response = await connection.handle_async_request(_wire(ask))
            # Beside the body: what frames its chunks, and what may come after them.
            meter.allow(ask.limits.body + ask.limits.body // 8 + MAX_HEAD)
            body = await response.aread()
        answer = Answer(url=ask.target.url, status=response.status, headers=_headers(response.headers), body=body)
        _check(ask, answer)
        return answer


def _wire(ask: _Ask) -> httpcore.Request:
    target, limits = ask.target, ask.limits
    ours = {
        "host": target.authority,
        "user-agent": "wharfinger",
        "accept-encoding": "identity",
        "connection": "close",
        "content-length": str(len(ask.content)),
    }
    if not ask.content and ask.method in _SAFE_METHODS:
        del ours["content-length"]
    theirs = {name.lower(): value for name, value in ask.headers.items()}
    return httpcore.Request(
        ask.method,
        httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path),
        headers=[*({"accept": "*/*"} | theirs | ours).items()],
        content=ask.content,
        extensions={"timeout": {"connect": limits.connect, "read": limits.read, "write": limits.read}},
    )


def _redirected(ask: _Ask, target: Target) -> _Ask:
    if target.origin == ask.target.origin:
        return replace(ask, target=target)
    # What is dropped does not come back if a later hop leads home: that hop was chosen by somebody else.
    kept = {name: value for name, value in ask.headers.items() if name.lower() in _ANYWHERE}
    return replace(ask, target=target, headers=kept, content=b"")


def _check(ask: _Ask, answer: Answer) -> None:
    if len(answer.body) > ask.limits.body:
        message = Sentence("%(host)s sends more than this registry reads.", host=ask.target.host)
        raise OutboundFailed(message)
    # A small body can become a huge one, and a compressed one was not asked for.
    if answer.body and answer.headers.get("content-encoding", "identity").lower() != "identity":
        message = Sentence("%(host)s sends a compressed body, which was not asked for.", host=ask.target.host)
        raise OutboundFailed(message)


def _headers(pairs: Sequence[tuple[bytes, bytes]]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def _reason(host: str, error: BaseException) -> Sentence:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Sentence("The certificate of %(host)s does not hold: %(why)s.", host=host, why=cause.verify_message)
        cause = cause.__cause__
    if isinstance(error, httpcore.ConnectError):
        return Sentence("%(host)s cannot be reached.", host=host)
    return Sentence("The answer of %(host)s broke off, or cannot be read.", host=host)
