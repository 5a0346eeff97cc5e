# SPDX-License-Identifier: Apache-2.0
"""Request bodies: bounded in memory, and with a deadline, because a client may send slowly or not at all."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from starlette.types import Message, Receive

from wharfinger.domain.errors import ManifestTooLarge

PROGRESS_BYTES: Final = 32 * 1024
"""What must arrive within one deadline: about a kibibyte a second."""


class ClientGone(Exception):
    """The client closed the connection in the middle of its request, or broke the framing of its body."""


class ClientStalled(Exception):
    """The client sends nothing, or so little that it would hold its place for ever."""


class Incoming:
    """The server's `receive` for a request that has a body: it notes whether the end of the body was seen.

    An answer that leaves some of a body unread ends the connection, and must say so: the client would send its next
    request into a connection that is being closed.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.ended = False

    async def __call__(self) -> Message:
        """Return the next message."""
        message = await self._receive()
        self.ended = self.ended or not message.get("more_body", False)
        return message


async def stream(receive: Receive, deadline: float) -> AsyncIterator[bytes]:
    """Yield the body in the pieces in which it arrives.

    Args:
        receive: the server's.
        deadline: seconds in which `PROGRESS_BYTES` must arrive.

    Raises:
        ClientGone, ClientStalled: the body ended before its end.
    """
    loop = asyncio.get_running_loop()
    until, progress = loop.time() + deadline, 0
    while True:
        try:
            async with asyncio.timeout_at(until):
                message = await receive()
        except TimeoutError as error:
            raise ClientStalled from error
        if message["type"] != "http.request":
            raise ClientGone
        piece: bytes = message.get("body", b"")
        if piece:
            yield piece
        if not message.get("more_body", False):
            return
        progress += len(piece)
        if progress >= PROGRESS_BYTES:
            progress = 0
        # Writing the piece is our time, not the client's; and a client that has sent enough starts anew.
        until = loop.time() + deadline if progress == 0 else max(until, loop.time() + 1)


async def whole(receive: Receive, deadline: float, limit: int) -> bytes:
    """Return the whole body of a manifest.

    Raises:
        ManifestTooLarge: more than `limit` bytes; the rest is not read.
        ClientGone, ClientStalled: as `stream`.
    """
    pieces: list[bytes] = []
    size = 0
    async for piece in stream(receive, deadline):
        size += len(piece)
        if size > limit:
            message = f"The manifest has more than {limit} bytes, which is the limit."
            raise ManifestTooLarge(message, detail={"limit": limit})
        pieces.append(piece)
    return b"".join(pieces)
