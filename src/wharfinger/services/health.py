# SPDX-License-Identifier: Apache-2.0
"""Health: whether this node can do its work, tried for real and remembered for a moment.

Readiness asks the database for a transaction and every store for a write, a read and a deletion. What the operator
adds (`health.file`, `health.tcp`, `health.http`) is asked besides. An answer is kept for `interval`, so that probes,
which anyone may send, cost next to nothing; `threshold` failures in a row make a check count as failed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from wharfinger.clock import Clock

Check = Callable[[], Awaitable[None]]
"""Returns when all is well, and raises with a sentence when not."""
_DEADLINE: Final = 5.0


@dataclass(slots=True)
class _State:
    check: Check
    interval: float
    threshold: int
    tried_at: float = float("-inf")
    failures: int = 0
    problem: str | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Health:
    """The checks of a node.

    Args:
        clock: the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._checks: dict[str, _State] = {}

    def add(self, name: str, check: Check, *, interval: float, threshold: int = 1) -> None:
        """Ask this too, at most once in `interval` seconds."""
        self._checks[name] = _State(check, interval, threshold)

    async def problems(self) -> Mapping[str, str]:
        """Return what is wrong, by the name of the check; empty when the node is ready."""
        async with asyncio.TaskGroup() as group:
            tasks = {name: group.create_task(self._ask(state)) for name, state in self._checks.items()}
        return {name: problem for name, task in tasks.items() if (problem := task.result()) is not None}

    async def _ask(self, state: _State) -> str | None:
        async with state.lock:
            if self._clock.monotonic() - state.tried_at >= state.interval:
                await self._try(state)
                state.tried_at = self._clock.monotonic()
        return state.problem if state.failures >= state.threshold else None

    async def _try(self, state: _State) -> None:
        try:
            async with asyncio.timeout(_DEADLINE):
                await state.check()
        except TimeoutError:
            state.failures, state.problem = state.failures + 1, f"no answer within {_DEADLINE:g} seconds"
        except Exception as error:  # noqa: BLE001 - whatever a check raises is its answer
            state.failures, state.problem = state.failures + 1, str(error) or type(error).__name__
        else:
            state.failures, state.problem = 0, None
