# SPDX-License-Identifier: Apache-2.0
"""One's own sessions: at which browsers one is signed in."""

from datetime import datetime
from typing import Annotated, Final

from fastapi import Path

from wharfinger.domain.errors import AccountUnknown
from wharfinger.domain.management import Target, Task
from wharfinger.domain.second_factors import SignInFactor
from wharfinger.management_api.calls import Managing
from wharfinger.management_api.fields import Shown, time_of
from wharfinger.management_api.routing import Calling, Route
from wharfinger.services.sessions import Session
from wharfinger.web.access import LONGEST_ID

SessionPath = Annotated[
    int, Path(description="The number of a session, as the list shows it.", ge=1, le=LONGEST_ID, examples=[1])
]


class ShownSession(Shown):
    """A browser that is signed in."""

    id: int
    provider: str | None
    """Through which it signed in; nothing for a password or a passkey."""
    factor: SignInFactor | None
    """What was shown besides the password, or instead of one."""
    signed_in_at: datetime
    seen_at: datetime
    """When it was last used, give or take some minutes."""
    client_address: str | None
    user_agent: str | None


class Sessions(Shown):
    """All of them."""

    items: list[ShownSession]


async def list_my_sessions(call: Calling) -> Sessions:
    """List the browsers at which one is signed in, the newest first."""
    return Sessions(items=[_show(one) for one in await _own(call)])


async def end_my_session(call: Calling, number: SessionPath) -> None:
    """Sign out one browser."""
    for one in await _own(call):
        if one.id == number:
            await call.services.people.sessions.end_one(one, number, call.by)
            return
    message = "There is no such session any more."
    raise AccountUnknown(message)


async def end_my_sessions(call: Calling) -> None:
    """Sign out every browser."""
    for one in await _own(call):
        await call.services.people.sessions.end_one(one, one.id, call.by)


async def _own(call: Calling) -> list[Session]:
    account_id = call.principal.account_id
    return [] if account_id is None else list(await call.services.people.sessions.list(account_id))


def _show(one: Session) -> ShownSession:
    return ShownSession(
        id=one.id,
        provider=one.provider,
        factor=one.factor,
        signed_in_at=time_of(one.signed_in_at),
        seen_at=time_of(one.seen_at),
        client_address=one.client_address,
        user_agent=one.user_agent,
    )


_READ: Final = Managing(Task.READ, Target.USER, own=True)
_MANAGE: Final = Managing(Task.MANAGE, Target.USER, own=True)
ROUTES: Final = (
    Route("GET", "/me/sessions", _READ, list_my_sessions),
    Route("DELETE", "/me/sessions", _MANAGE, end_my_sessions, status=204),
    Route("DELETE", "/me/sessions/{number}", _MANAGE, end_my_session, status=204),
)
