# SPDX-License-Identifier: Apache-2.0
"""Whose turn it is: one process at a time opens or closes a registry.

A turn is a claim in the registry's row. It is renewed for as long as the work takes, and ends by itself soon after its
process did. What a transaction does with rows, it does only while the turn is still its own.
"""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from wharfinger.clock import SECOND, Clock, Instant, after
from wharfinger.domain.errors import Unavailable, UpkeepBusy
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata import closing
from wharfinger.metadata.database import Connection, Database
from wharfinger.telemetry import logger

_log = logger("registries")
LASTS: Final = 30 * SECOND
_RENEWED_AFTER: Final = 10.0
"""Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The right of this process to take a registry further.

    Args:
        registry_id: which one.
        token: of the claim.
    """

    registry_id: int
    token: str

    def guard(self, connection: Connection) -> None:
        """Go on with the transaction if it is still this process's turn.

        Raises:
            UpkeepBusy: another process has taken over, because this one stood still for too long.
        """
        if not closing.is_claimed(connection, self.registry_id, self.token):
            message = Sentence("Another process has taken over this registry; it goes on there.")
            raise UpkeepBusy(message)


class Turns:
    """Gives turns.

    Args:
        database: where claims are.
        clock: the time.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def until(self) -> Instant:
        """Return when a turn that begins or is renewed now ends by itself."""
        return after(self._clock.now(), LASTS)

    @contextlib.asynccontextmanager
    async def of(self, registry_id: int, token: str | None = None) -> AsyncIterator[Turn | None]:
        """Have a turn for as long as the block lasts; nothing if another process has one.

        Args:
            registry_id: of the registry.
            token: of a claim that was made with its row.
        """
        turn = Turn(registry_id=registry_id, token=token or new_token())
        if not await self._claim(turn):
            yield None
            return
        failure: Exception | None = None
        async with asyncio.TaskGroup() as group:
            renewal = group.create_task(self._renew(turn))
            try:
                yield turn
            except Exception as error:  # noqa: BLE001 - raised below: a group would wrap it
                failure = error
            finally:
                renewal.cancel()
        with contextlib.suppress(Unavailable):  # then it ends by itself
            await self._database.write(lambda c: closing.release(c, registry_id, turn.token))
        if failure is not None:
            raise failure

    async def _renew(self, turn: Turn) -> None:
        while True:
            await asyncio.sleep(_RENEWED_AFTER)
            try:
                await self._claim(turn)
            except Unavailable as error:
                _log.warning("a claim on a registry is not renewed", reason=error.message)

    async def _claim(self, turn: Turn) -> bool:
        now, until = self._clock.now(), self.until()
        return await self._database.write(
            lambda c: closing.claim(c, turn.registry_id, turn.token, now, until), durable=False
        )


def new_token() -> str:
    """Return what tells one turn from all others."""
    return uuid.uuid4().hex
