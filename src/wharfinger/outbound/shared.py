# SPDX-License-Identifier: Apache-2.0
"""The one client of a process, and the keys of issuers that it fetched: made when somebody first asks for something.

Most registries never ask anybody, and loading the client takes a fifth of a second: no start waits for it.
"""

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wharfinger.clock import Clock

if TYPE_CHECKING:
    from wharfinger.outbound.client import Client
    from wharfinger.outbound.issuers import Issuers, Jwk


class SharedClient:
    """What every service of a process sends its requests to others with.

    Args:
        allow: addresses, networks and names of hosts besides the public internet.
        ports: besides 80 and 443, on every host.
        authorities: a PEM file of authorities besides the public ones.
        clock: what the age of keys is measured with.
    """

    def __init__(self, allow: Iterable[str], ports: Iterable[int], authorities: Path | None, clock: Clock) -> None:
        self._allow = tuple(allow)
        self._ports = tuple(ports)
        self._authorities = authorities
        self._clock = clock
        self._making = asyncio.Lock()
        self._made: tuple[Client, Issuers] | None = None

    async def client(self) -> "Client":
        """Return the client.

        Raises:
            OutboundRefused: an entry of the operator's list is none.
            OSError: the file of authorities cannot be read.
        """
        return (await self._both())[0]

    async def keys(self, issuer: str, kid: str | None = None) -> "Sequence[Jwk]":
        """Return the keys of an issuer; see `Issuers.keys`.

        Raises:
            OutboundRefused, OutboundFailed: as `Issuers.keys`; OSError: as `client`.
        """
        return await (await self._both())[1].keys(issuer, kid)

    def close(self) -> None:
        """Give back what the client holds, if there is one."""
        if self._made is not None:
            self._made[0].close()

    async def _both(self) -> "tuple[Client, Issuers]":
        async with self._making:
            if self._made is None:
                self._made = await asyncio.to_thread(self._make)
        return self._made

    def _make(self) -> "tuple[Client, Issuers]":
        from wharfinger.outbound.client import Client, trust  # noqa: PLC0415 - see above
        from wharfinger.outbound.issuers import Issuers  # noqa: PLC0415 - as above
        from wharfinger.outbound.targets import parse_policy  # noqa: PLC0415 - as above

        made = Client(parse_policy(self._allow, self._ports), tls=trust(self._authorities))
        return made, Issuers(made, self._clock)
