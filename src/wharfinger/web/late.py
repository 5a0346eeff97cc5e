# SPDX-License-Identifier: Apache-2.0
"""A door that is loaded with the first request for it.

A worker listens sooner for it, and one that only serves images stays smaller.
"""

import asyncio
from collections.abc import Callable

from starlette.responses import Response
from starlette.types import Receive, Scope

from wharfinger.domain.errors import WharfingerError
from wharfinger.web.edge import Door
from wharfinger.web.requests import Visit


class LateDoor:
    """Stands for a door until somebody comes to it.

    Args:
        load: loads the door and makes it; called once, in a thread, so that pulls go on meanwhile.
    """

    def __init__(self, load: Callable[[], Door]) -> None:
        self._load = load
        self._door: Door | None = None
        self._loading = asyncio.Lock()

    async def answer(self, scope: Scope, receive: Receive, visit: Visit) -> Response:
        """Have the door answer."""
        if self._door is None:
            async with self._loading:
                if self._door is None:
                    self._door = await asyncio.to_thread(self._load)
        return await self._door.answer(scope, receive, visit)

    def refusal(self, error: WharfingerError, visit: Visit | None) -> Response:
        """Have the door refuse; one that nobody came to yet is loaded here, for there is nobody who could wait."""
        return self._at_once().refusal(error, visit)

    def failure(self, request_id: str) -> Response:
        """Have the door answer when something failed that nobody expected."""
        return self._at_once().failure(request_id)

    def _at_once(self) -> Door:
        if self._door is None:
            self._door = self._load()
        return self._door
