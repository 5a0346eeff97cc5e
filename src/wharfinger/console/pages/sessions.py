# SPDX-License-Identifier: Apache-2.0
"""Where one is signed in: sessions of browsers, and devices that docker and its kin signed in from."""

from typing import Final

from wharfinger.console.calls import Call, Leave, View
from wharfinger.console.flashes import Flash
from wharfinger.console.languages import mark
from wharfinger.console.routing import Route
from wharfinger.domain.accounts import CredentialKind
from wharfinger.domain.errors import AccountUnknown
from wharfinger.web.access import SIGNED_IN

PATH: Final = "/profile/sessions"
_SHOWN: Final = 200
"""Devices; an account may have a thousand, and nobody reads so far."""


async def show(call: Call) -> View | Leave:
    """Show where one is signed in."""
    session = call.session
    held = await call.services.credentials.list(session.name)
    devices = [
        one
        for one in held
        if one.kind is CredentialKind.REFRESH
        and one.revoked_at is None
        and (one.expires_at is None or call.now < one.expires_at)
    ]
    values = {
        "session": session,
        "sessions": await call.services.people.sessions.list(session.account_id),
        "devices": devices[:_SHOWN],
        "more": max(len(devices) - _SHOWN, 0),
    }
    return View(template="profile/sessions.html", values=values)


async def end_others(call: Call) -> View | Leave:
    """End every other session of who looks."""
    ended = await call.services.people.sessions.end_others(call.session, call.by)
    text = mark("You are signed out everywhere else.") if ended else mark("You were signed in nowhere else.")
    return Leave(to=PATH, flash=Flash(text=text))


async def end_one(call: Call) -> View | Leave:
    """End another session; the own one ends by signing out."""
    try:
        await call.services.people.sessions.end_one(call.session, int(call.parameters["number"]), call.by)
    except AccountUnknown:
        return Leave(to=PATH, flash=Flash(text=_GONE, failed=True))
    return Leave(to=PATH, flash=Flash(text=mark("The session was ended.")))


async def end_device(call: Call) -> View | Leave:
    """End the sign-in of a device."""
    try:
        await call.services.credentials.revoke(call.session.name, int(call.parameters["number"]), call.by)
    except AccountUnknown:
        return Leave(to=PATH, flash=Flash(text=_GONE, failed=True))
    return Leave(to=PATH, flash=Flash(text=mark("The device was signed out.")))


_GONE: Final = mark("It had ended already.")
ROUTES: Final = (
    Route("GET", PATH, SIGNED_IN, show),
    Route("POST", PATH, SIGNED_IN, end_others),
    Route("POST", f"{PATH}/{{number}}/end", SIGNED_IN, end_one),
    Route("POST", "/profile/devices/{number}/end", SIGNED_IN, end_device),
)
