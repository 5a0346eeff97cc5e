# SPDX-License-Identifier: Apache-2.0
"""How this registry connects to others: the name is looked up once, and the address that was judged is connected to.

A name can lead to a public address when it is judged and to a private one a moment later. Therefore nobody looks it up
a second time: TCP gets the judged address, while TLS and the `Host` header keep the name.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

import httpcore

from wharfinger.domain.errors import OutboundFailed, OutboundRefused
from wharfinger.domain.sentences import Sentence
from wharfinger.outbound.addresses import Address, AddressPolicy
from wharfinger.outbound.targets import literal_address

Resolve = Callable[[str], Awaitable[Sequence[Address]]]
"""From a name to all of its addresses, in the order in which to try them."""

_MAX_TRIED: Final = 4
_RESOLVER_THREADS: Final = 4


class Resolver:
    """Asks the resolver of the system.

    It blocks, and a name server can make it block for half a minute. So it has threads of its own: names that somebody
    chose cannot hold up what else runs in threads.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_RESOLVER_THREADS, thread_name_prefix="resolver")

    async def addresses(self, host: str) -> Sequence[Address]:
        """Return where the name leads to."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _addresses_of, host)

    def close(self) -> None:
        """Wait for nothing: a thread that still asks ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _addresses_of(host: str) -> Sequence[Address]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return tuple(ip_address(place[4][0]) for place in found)


@dataclass(slots=True)
class Meter:
    """How many bytes may still arrive on a connection, whatever they are: headers, body, or what frames it."""

    left: int

    def allow(self, more: int) -> None:
        """Let more bytes arrive."""
        self.left += more


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Opens the connection of one request.

    Args:
        policy: where it may go.
        resolve: from a name to its addresses.
        meter: counts what arrives.
        network: makes the TCP connections.
    """

    def __init__(
        self, policy: AddressPolicy, resolve: Resolve, meter: Meter, network: httpcore.AsyncNetworkBackend
    ) -> None:
        self._policy = policy
        self._resolve = resolve
        self._meter = meter
        self._network = network

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that answers; refuse if a single one of them may not be connected to."""
        addresses = await self._judged(host, timeout)
        # Each address gets its part of the time, so that one that swallows packets does not use up all of it.
        part = None if timeout is None else timeout / len(addresses)
        failures = []
        for address in addresses:
            try:
                stream = await self._network.connect_tcp(str(address), port, part, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failures.append(error)
            else:
                return _MeteredStream(stream, self._meter)
        raise failures[-1]

    async def _judged(self, host: str, seconds: float | None) -> Sequence[Address]:
        literal = literal_address(host)
        addresses = [literal] if literal else await self._looked_up(host, seconds)
        if not all(self._policy.allows_address(host, address) for address in addresses):
            # Which address it was stays unsaid: the answer would map the inner network for whoever chose the name.
            message = Sentence(
                "%(host)s has an address that this registry may not connect to; its operator can allow the host.",
                host=host,
            )
            raise OutboundRefused(message)
        return addresses[:_MAX_TRIED]

    async def _looked_up(self, host: str, seconds: float | None) -> Sequence[Address]:
        message = Sentence("The name %(host)s leads to no address.", host=host)
        try:
            async with asyncio.timeout(seconds):
                addresses = await self._resolve(host)
        except (OSError, ValueError) as error:
            raise OutboundFailed(message) from error
        if not addresses:
            raise OutboundFailed(message)
        return addresses


class _MeteredStream(httpcore.AsyncNetworkStream):
    """Ends a connection on which more arrives than may."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, meter: Meter) -> None:
        self._stream = stream
        self._meter = meter

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return some bytes, and never more than may still arrive."""
        if self._meter.left <= 0:
            message = Sentence("The other server sends more than this registry reads.")
            raise OutboundFailed(message)
        data = await self._stream.read(min(max_bytes, self._meter.left), timeout)
        self._meter.left -= len(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send the bytes."""
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        """Speak TLS from here on; what is counted is what TLS carries."""
        try:
            stream = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:
            # Cancelled in the middle, nobody else holds the connection any more.
            await self._stream.aclose()
            raise
        return _MeteredStream(stream, self._meter)

    def get_extra_info(self, info: str) -> object:
        """Return what the connection knows of itself."""
        return self._stream.get_extra_info(info)
