# SPDX-License-Identifier: Apache-2.0
"""One row of this door's table. A route declares what it needs; one that does not cannot be made."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from wharfinger.management_api.calls import Call, Need

Handler = Callable[..., Awaitable[object]]
"""An endpoint; its annotations say what body, what query and what answer it has."""


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint.

    Args:
        method: the HTTP method.
        path: below `/api/v1`; `{name:path}` is a repository, and what belongs to it follows `/-/`.
        need: what the caller must be allowed to do.
        handler: the function that answers; its docstring describes the endpoint.
        status: of the answer, if all goes well.
        conflicts: whether the state of things may stand against it: 409.
        conditional: whether `If-Match` is looked at: 412.
        media_types: of an answer that is not JSON.
    """

    method: str
    path: str
    need: Need
    handler: Handler
    status: int = 200
    conflicts: bool = False
    conditional: bool = False
    media_types: tuple[str, ...] = ()


async def _call(request: Request) -> Call:
    call: Call = request.state.call
    return call


Calling = Annotated[Call, Depends(_call)]
"""The request, as every handler takes it first."""
