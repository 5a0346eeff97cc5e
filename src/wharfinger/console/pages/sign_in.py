# SPDX-License-Identifier: Apache-2.0
"""Signing in and out: with a name and a password, or through a provider."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from wharfinger.console.calls import Call, Leave, View
from wharfinger.console.routing import Route
from wharfinger.console.session import within_site
from wharfinger.domain.accounts import AccessType
from wharfinger.domain.errors import CredentialInvalid
from wharfinger.web.access import EVERYBODY

_DOORS: Final = (AccessType.BOTH, AccessType.CONSOLE)
"""Whose passwords are taken here."""
_LONGEST: Final = 200


async def show(call: Call) -> View | Leave:
    """Show the form and the providers; who is signed in goes on."""
    onward = within_site(call.query.get("to"))
    return _form(call, onward) if call.guest.session is None else Leave(to=onward)


async def sign_in(call: Call) -> View | Leave:
    """Take a name and a password."""
    onward, name = within_site(call.form.get("to")), call.form.get("name", "")
    people = call.services.people
    try:
        shown = await people.passwords.check(name[:_LONGEST], call.form.get("password", ""), _DOORS, lambda: call.by)
        made = await people.sessions.begin(shown, call.by, instead_of=call.guest.session_secret)
    except CredentialInvalid:
        return _form(call, onward, name=name[:_LONGEST], wrong=True)
    return Leave(to=onward, session=made.secret)


async def depart(call: Call) -> View | Leave:
    """Send the browser to a provider; one that another site sent here sees the form first."""
    onward = within_site(call.query.get("to"))
    if call.from_elsewhere:
        return _form(call, onward)
    departure = await call.services.people.single_sign_on.begin(
        call.parameters["provider"],
        f"{call.site}/sign-in/from/{call.parameters['provider']}",
        onward,
        fresh=call.query.get("fresh") == "1",
    )
    return Leave(to=departure.url, journey=departure.sealed)


async def arrive(call: Call) -> View | Leave:
    """Take the answer of a provider."""
    arrival = await call.services.people.single_sign_on.finish(
        call.parameters["provider"], call.query, call.journey, call.by, instead_of=call.guest.session_secret
    )
    return Leave(to=arrival.onward, session=arrival.session.secret, arrives=True)


async def sign_out(call: Call) -> View | Leave:
    """End the session."""
    if call.guest.session_secret is not None:
        await call.services.people.sessions.end(call.guest.session_secret, call.by)
    return Leave(to="/", signs_out=True)


def link_to(onward: str) -> str:
    """Return the path of the page to sign in at, which leads on to another one."""
    return "/sign-in" if onward == "/" else f"/sign-in?{urlencode({'to': onward})}"


def _form(call: Call, onward: str, *, name: str = "", wrong: bool = False) -> View:
    values: Mapping[str, object] = {
        "onward": onward,
        "name": name,
        "wrong": wrong,
        "providers": call.services.people.single_sign_on.providers,
    }
    return View(template="sign_in.html", values=values, status=403 if wrong else 200)


ROUTES: Final = (
    Route("GET", "/sign-in", EVERYBODY, show, signs_in=True),
    Route("POST", "/sign-in", EVERYBODY, sign_in, signs_in=True),
    Route("GET", "/sign-in/with/{provider}", EVERYBODY, depart, signs_in=True),
    Route("GET", "/sign-in/from/{provider}", EVERYBODY, arrive, signs_in=True),
    Route("POST", "/sign-out", EVERYBODY, sign_out, signs_in=True),
)
