# SPDX-License-Identifier: Apache-2.0
"""Request bodies: bounded in memory, and with a deadline, because a client may send slowly or not at all."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from starlette.types import Receive

from wharfinger.domain.errors import ManifestTooLarge
from wharfinger.domain.sentences import Sentence
from wharfinger.web.requests import Visit

PROGRESS_BYTES: Final = 32 * 1024
"""What must arrive within one deadline: about a kibibyte a second."""
GATHER_BYTES: Final = 512 * 1024
"""How much is gathered before it is handed on. Whoever takes a batch lets go of it before asking for the next one, so
this, the piece that went beyond it and what the server has read ahead are all that a request holds in memory."""


class ClientGone(Exception):
    """The client closed the connection in the middle of its request, or broke the framing of its body."""


class ClientStalled(Exception):
    """The client sends nothing, or so little that it would hold its place for ever."""


class Body:
    """The body of one request, which is read once.

    Args:
        receive: the server's.
        deadline: seconds in which `PROGRESS_BYTES` must arrive; time that passes between two reads does not count.
        visit: the request; it is told when the end was seen.
    """

    __slots__ = ("_deadline", "_receive", "_visit")

    def __init__(self, receive: Receive, deadline: float, visit: Visit) -> None:
        self._receive = receive
        self._deadline = deadline
        self._visit = visit

    async def batches(self) -> AsyncIterator[list[bytes]]:
        """Yield the body in batches of pieces as they arrived, about `GATHER_BYTES` at a time.

        Docker sends pieces of 32 KiB, and whatever is done for each of them is done thousands of times for a layer.
        A batch that the caller has let go of is gone before the next one is gathered.

        Raises:
            ClientGone, ClientStalled: the body ended before its end; what had arrived was yielded before.
        """
        more = True
        while more:
            batch: list[bytes] = []
            problem: Exception | None = None
            try:
                more = await self._gather(batch, GATHER_BYTES)
            except (ClientGone, ClientStalled) as error:
                problem = error
            if batch:
                yield batch
            if problem is not None:
                raise problem

    async def whole(self, limit: int) -> bytes:
        """Return all of it: a manifest.

        Raises:
            ManifestTooLarge: more than `limit` bytes; the rest is not read.
            ClientGone, ClientStalled: the body ended before its end.
        """
        pieces: list[bytes] = []
        await self._gather(pieces, limit + 1)
        content = b"".join(pieces)
        if len(content) > limit:
            message = Sentence("The manifest has more than %(limit)s bytes, which is the limit.", limit=limit)
            raise ManifestTooLarge(message, detail={"limit": limit})
        return content

    async def _gather(self, batch: list[bytes], enough: int) -> bool:
        """Add pieces to the batch until there are enough bytes, and return whether more may come."""
        now = asyncio.get_running_loop().time
        length, counted, since = 0, 0, now()
        try:
            async with asyncio.timeout_at(since + self._deadline) as timer:
                while length < enough:
                    message = await self._receive()
                    if message["type"] != "http.request":
                        raise ClientGone
                    if piece := message.get("body", b""):
                        batch.append(piece)
                        length += len(piece)
                    if not message.get("more_body", False):
                        self._visit.unread = False
                        return False
                    # A timer is moved now and then, not for every piece.
                    if length - counted >= PROGRESS_BYTES and now() - since > self._deadline / 8:
                        counted, since = length, now()
                        timer.reschedule(since + self._deadline)
        except TimeoutError as error:
            raise ClientStalled from error
        return True
