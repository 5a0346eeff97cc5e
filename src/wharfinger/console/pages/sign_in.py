# SPDX-License-Identifier: Apache-2.0
"""Signing in and out: with a name and a password, or through a provider."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from wharfinger.console.calls import Desk, Leave, View
from wharfinger.console.session import within_site
from wharfinger.domain.accounts import AccessType
from wharfinger.domain.errors import CredentialInvalid

_DOORS: Final = (AccessType.BOTH, AccessType.CONSOLE)
"""Whose passwords are taken here."""
_LONGEST: Final = 200


async def show(desk: Desk) -> View | Leave:
    """Show the form and the providers; who is signed in goes on."""
    onward = within_site(desk.query.get("to"))
    return _form(desk, onward) if desk.guest.session is None else Leave(to=onward)


async def sign_in(desk: Desk) -> View | Leave:
    """Take a name and a password."""
    onward, name = within_site(desk.form.get("to")), desk.form.get("name", "")
    people = desk.services.people
    try:
        shown = await people.passwords.check(name[:_LONGEST], desk.form.get("password", ""), _DOORS, lambda: desk.by)
        made = await people.sessions.begin(shown, desk.by, instead_of=desk.guest.session_secret)
    except CredentialInvalid:
        return _form(desk, onward, name=name[:_LONGEST], wrong=True)
    return Leave(to=onward, session=made.secret)


async def depart(desk: Desk) -> View | Leave:
    """Send the browser to a provider; one that another site sent here sees the form first."""
    onward = within_site(desk.query.get("to"))
    if desk.from_elsewhere:
        return _form(desk, onward)
    departure = await desk.services.people.single_sign_on.begin(
        desk.name, f"{desk.site}/sign-in/from/{desk.name}", onward, fresh=desk.query.get("fresh") == "1"
    )
    return Leave(to=departure.url, journey=departure.sealed)


async def arrive(desk: Desk) -> View | Leave:
    """Take the answer of a provider."""
    arrival = await desk.services.people.single_sign_on.finish(
        desk.name, desk.query, desk.journey, desk.by, instead_of=desk.guest.session_secret
    )
    return Leave(to=arrival.onward, session=arrival.session.secret, arrives=True)


async def sign_out(desk: Desk) -> View | Leave:
    """End the session."""
    if desk.guest.session_secret is not None:
        await desk.services.people.sessions.end(desk.guest.session_secret, desk.by)
    return Leave(to="/", signs_out=True)


def link_to(onward: str) -> str:
    """Return the path of the page to sign in at, which leads on to another one."""
    return "/sign-in" if onward == "/" else f"/sign-in?{urlencode({'to': onward})}"


def _form(desk: Desk, onward: str, *, name: str = "", wrong: bool = False) -> View:
    values: Mapping[str, object] = {
        "onward": onward,
        "name": name,
        "wrong": wrong,
        "providers": desk.services.people.single_sign_on.providers,
        "form_token": desk.guest.form_token,
    }
    return View(template="sign_in.html", values=values, status=403 if wrong else 200)
