# SPDX-License-Identifier: Apache-2.0
"""One's own password: changing it signs out every session at once, this one too."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from wharfinger.console.calls import Call, Leave, View
from wharfinger.console.flashes import Flash
from wharfinger.console.languages import mark
from wharfinger.console.routing import Route
from wharfinger.console.session import must_change_password
from wharfinger.domain.accounts import AccessType
from wharfinger.domain.errors import CredentialInvalid
from wharfinger.security.passwords import PasswordUnfit
from wharfinger.web.access import SIGNED_IN

PATH: Final = "/profile/password"
_DOORS: Final = (AccessType.BOTH, AccessType.CONSOLE)
_WRONG: Final = mark("This is not your password. After several wrong ones, wait a moment before the next.")
_UNFIT: Final = mark("Use 8 to 128 characters, and not your name or a token.")
_DIFFERENT: Final = mark("The two are not the same.")
_THE_SAME: Final = mark("Choose another one than the one that you were given.")
_CHANGED: Final = mark("Your password was changed, and every session was signed out. Sign in with the new one.")


async def show(call: Call) -> View | Leave:
    """Show the form, or what else there is for who has no password."""
    return await _page(call, {})


async def change(call: Call) -> View | Leave:
    """Change the password of who looks."""
    form, name, passwords = call.form, call.session.name, call.services.people.passwords
    new = form.get("new", "")
    if new != form.get("repeated", ""):
        return await _page(call, {"repeated": _DIFFERENT})
    if call.session.has_one_time_password and new == form.get("current", ""):
        return await _page(call, {"new": _THE_SAME})
    try:
        await passwords.check(name, form.get("current", ""), _DOORS, lambda: call.by)
        hashed = await passwords.hash_new(name, new)
    except CredentialInvalid:
        return await _page(call, {"current": _WRONG})
    except PasswordUnfit:
        return await _page(call, {"new": _UNFIT})
    await call.services.accounts.set_password(name, hashed, call.by)
    return Leave(to="/sign-in", flash=Flash(text=_CHANGED), signs_out=True)


async def _page(call: Call, wrong: Mapping[str, str]) -> View:
    has_one = await call.services.accounts.password(call.session.name) is not None
    values = {"wrong": defaultdict(str, wrong), "has_one": has_one, "must_change": must_change_password(call.guest)}
    return View(template="profile/password.html", values=values, status=400 if wrong else 200)


ROUTES: Final = (
    Route("GET", PATH, SIGNED_IN, show),
    Route("POST", PATH, SIGNED_IN, change),
)
