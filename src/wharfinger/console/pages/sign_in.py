# SPDX-License-Identifier: Apache-2.0
"""Signing in and out: with a name and a password, with a second step after it, with a passkey, through a provider.

Between the two steps the browser keeps what is sealed for it in the same cookie as on a journey to a provider.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from wharfinger.console.calls import Call, Leave, View
from wharfinger.console.flashes import Flash
from wharfinger.console.languages import mark
from wharfinger.console.routing import Route
from wharfinger.console.session import within_site
from wharfinger.domain.accounts import AccessType
from wharfinger.domain.errors import CredentialInvalid
from wharfinger.domain.second_factors import may_have_passkeys
from wharfinger.web.access import EVERYBODY

_DOORS: Final = (AccessType.BOTH, AccessType.CONSOLE)
"""Whose passwords are taken here."""
_LONGEST: Final = 200
SECOND_STEP: Final = "/sign-in/second-step"
LONGEST_ANSWER: Final = 64 * 1024
"""Of a form with the answer of an authenticator."""
_TOO_LATE: Final = mark("Too much time went by since you gave the password. Sign in again.")


async def show(call: Call) -> View | Leave:
    """Show the form and the providers; who is signed in goes on, unless a page wants to know again that it is they."""
    onward = within_site(call.query.get("to"))
    if call.guest.session is None:
        return _form(call, onward)
    return _form(call, onward, name=call.session.name) if call.query.get("again") == "1" else Leave(to=onward)


async def sign_in(call: Call) -> View | Leave:
    """Take a name and a password."""
    onward, name = within_site(call.form.get("to")), call.form.get("name", "")
    people = call.services.people
    try:
        shown = await people.passwords.check(name[:_LONGEST], call.form.get("password", ""), _DOORS, lambda: call.by)
        if shown.has_second_factor:
            return Leave(to=f"{SECOND_STEP}?{urlencode({'to': onward})}", journey=people.second_steps.begin(shown))
        made = await people.sessions.begin(shown, call.by, instead_of=call.guest.session_secret)
    except CredentialInvalid:
        return _form(call, onward, name=name[:_LONGEST], wrong=True)
    return Leave(to=onward, session=made.secret)


async def show_second_step(call: Call) -> View | Leave:
    """Ask who gave a right password for more than that."""
    return await _second_step(call, within_site(call.query.get("to")))


async def take_code(call: Call) -> View | Leave:
    """Take a code of an app, or a recovery code."""
    onward, steps = within_site(call.form.get("to")), call.services.people.second_steps
    try:
        made = await steps.with_code(
            call.journey, call.form.text("code"), call.by, instead_of=call.guest.session_secret
        )
    except CredentialInvalid:
        return await _second_step(call, onward, wrong="code")
    return Leave(to=onward, session=made.secret, arrives=True)


async def take_passkey(call: Call) -> View | Leave:
    """Take the answer of a passkey after a password."""
    onward, steps = within_site(call.form.get("to")), call.services.people.second_steps
    sealed, answer = call.form.get("sealed", ""), call.form.get("answer", "")
    try:
        made = await steps.with_passkey(call.journey, sealed, answer, call.by, instead_of=call.guest.session_secret)
    except CredentialInvalid:
        return await _second_step(call, onward, wrong="passkey")
    return Leave(to=onward, session=made.secret, arrives=True)


async def show_passkey(call: Call) -> View | Leave:
    """Ask for a passkey that says whose it is."""
    return _passkey(call, within_site(call.query.get("to")))


async def take_passkey_alone(call: Call) -> View | Leave:
    """Take the answer of a passkey that stands for a password too."""
    onward, steps = within_site(call.form.get("to")), call.services.people.second_steps
    sealed, answer = call.form.get("sealed", ""), call.form.get("answer", "")
    try:
        made = await steps.alone(sealed, answer, call.by, instead_of=call.guest.session_secret)
    except CredentialInvalid:
        return _passkey(call, onward, wrong=True)
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


def again(call: Call, onward: str) -> Leave | None:
    """Return where to go first, where somebody signed in too long ago for what outlives the session."""
    if call.services.people.sessions.is_fresh(call.session):
        return None
    return Leave(to=f"/sign-in?{urlencode({'to': onward, 'again': '1'})}")


async def _second_step(call: Call, onward: str, *, wrong: str = "") -> View | Leave:
    try:
        question = await call.services.people.second_steps.ask(call.journey, call.site)
    except CredentialInvalid:
        return Leave(to=link_to(onward), flash=Flash(text=_TOO_LATE, failed=True), arrives=True)
    values: Mapping[str, object] = {"onward": onward, "question": question, "wrong": wrong}
    return View(template="sign_in_second.html", values=values, status=403 if wrong else 200)


def _passkey(call: Call, onward: str, *, wrong: bool = False) -> View:
    question = call.services.people.second_steps.ask_alone(call.site)
    values: Mapping[str, object] = {"onward": onward, "question": question, "wrong": wrong}
    return View(template="sign_in_passkey.html", values=values, status=403 if wrong else 200)


def _form(call: Call, onward: str, *, name: str = "", wrong: bool = False) -> View:
    values: Mapping[str, object] = {
        "onward": onward,
        "name": name,
        "wrong": wrong,
        "again": call.guest.session is not None,
        "passkeys": may_have_passkeys(call.site),
        "providers": call.services.people.single_sign_on.providers,
    }
    return View(template="sign_in.html", values=values, status=403 if wrong else 200)


ROUTES: Final = (
    Route("GET", "/sign-in", EVERYBODY, show, signs_in=True),
    Route("POST", "/sign-in", EVERYBODY, sign_in, signs_in=True),
    Route("GET", SECOND_STEP, EVERYBODY, show_second_step, signs_in=True),
    Route("POST", SECOND_STEP, EVERYBODY, take_code, signs_in=True),
    Route("POST", f"{SECOND_STEP}/passkey", EVERYBODY, take_passkey, signs_in=True, longest_form=LONGEST_ANSWER),
    Route("GET", "/sign-in/passkey", EVERYBODY, show_passkey, signs_in=True),
    Route("POST", "/sign-in/passkey", EVERYBODY, take_passkey_alone, signs_in=True, longest_form=LONGEST_ANSWER),
    Route("GET", "/sign-in/with/{provider}", EVERYBODY, depart, signs_in=True),
    Route("GET", "/sign-in/from/{provider}", EVERYBODY, arrive, signs_in=True),
    Route("POST", "/sign-out", EVERYBODY, sign_out, signs_in=True),
)
