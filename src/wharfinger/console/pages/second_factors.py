# SPDX-License-Identifier: Apache-2.0
"""One's own second factors: which there are, adding and removing them, and recovery codes.

Setting one up asks for a sign-in a moment ago; removing one asks for the password or a code besides, because a browser
that somebody left open is not a person. What is shown once is in the answer to its form, and in no other.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Protocol

from wharfinger.console.calls import Call, Leave, View
from wharfinger.console.flashes import Flash
from wharfinger.console.languages import mark
from wharfinger.console.pages.sign_in import LONGEST_ANSWER, again
from wharfinger.console.routing import Route
from wharfinger.domain.accounts import AccountName
from wharfinger.domain.errors import AccountConflict, AccountInvalid, AccountUnknown, CredentialInvalid
from wharfinger.domain.identity import Actor
from wharfinger.domain.second_factors import may_have_passkeys
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata.second_factors import Factor
from wharfinger.services.second_factors import Added, NewApp, NewPasskey
from wharfinger.web.access import SIGNED_IN

PATH: Final = "/profile/second-factor"
_APP: Final = f"{PATH}/app"
_PASSKEY: Final = f"{PATH}/passkey"
_CODES: Final = f"{PATH}/codes"
_REMOVE: Final = f"{PATH}/{{number}}/remove"


class _Adding(Protocol):
    """How a service adds a second factor of one kind."""

    def __call__(
        self, name: AccountName, title: str, sealed: str, proof: str, by: Actor, /, *, session_id: int
    ) -> Awaitable[Added]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A QR code: how many squares it has on a side, and the path of an SVG that draws the dark ones."""

    size: int
    path: str


async def show(call: Call) -> View | Leave:
    """Show which second factors there are."""
    people = call.services.people
    values = {
        "held": await people.second_factors.held(call.session.name),
        "required": people.second_factors.required,
        "passkeys": may_have_passkeys(call.site),
    }
    return View(template="profile/second_factor.html", values=values)


async def show_app(call: Call) -> View | Leave:
    """Show the picture that an authenticator app reads."""
    if (first := again(call, _APP)) is not None:
        return first
    new = await call.services.people.second_factors.begin_app(call.session.name, call.address.authority)
    return _app(new)


async def add_app(call: Call) -> View | Leave:
    """Take the first code of an app."""
    factors, form = call.services.people.second_factors, call.form

    async def once_more(name: str) -> View | Leave:
        new = factors.reopen_app(form.get("sealed", ""), call.session.name, call.address.authority)
        if new is None:
            return Leave(to=_APP, flash=Flash(text=_NOT_ADDED, failed=True))
        return _app(new, name=name, wrong=True)

    return await _add(call, _APP, factors.add_app, form.text("code"), once_more)


async def show_passkey(call: Call) -> View | Leave:
    """Ask the browser to make a passkey."""
    if (first := again(call, _PASSKEY)) is not None:
        return first
    return await _passkey(call)


async def add_passkey(call: Call) -> View | Leave:
    """Take the passkey that the browser made."""

    async def once_more(name: str) -> View:
        return await _passkey(call, name=name, wrong=True)

    factors = call.services.people.second_factors
    return await _add(call, _PASSKEY, factors.add_passkey, call.form.get("answer", ""), once_more)


async def ask_to_remove(call: Call) -> View | Leave:
    """Ask whether a second factor is to go, and for the password or a code."""
    return _removal(await _factor(call))


async def remove(call: Call) -> View | Leave:
    """Remove a second factor."""
    factors, factor = call.services.people.second_factors, await _factor(call)
    try:
        await factors.prove(call.session.name, call.form.get("proof", ""), call.by)
    except CredentialInvalid:
        return _removal(factor, wrong=True)
    try:
        await factors.remove(call.session.name, factor.id, call.by)
    except AccountConflict:
        return Leave(to=PATH, flash=Flash(text=_NEEDED, failed=True))
    return Leave(to=PATH, flash=Flash(text=mark("%(name)s was removed."), values={"name": factor.name}))


async def ask_for_codes(call: Call) -> View | Leave:
    """Ask whether there are to be new recovery codes."""
    if (first := again(call, _CODES)) is not None:
        return first
    return View(template="profile/new_codes.html")


async def renew_codes(call: Call) -> View | Leave:
    """Show new recovery codes."""
    if (first := again(call, _CODES)) is not None:
        return first
    try:
        codes = await call.services.people.second_factors.renew_codes(call.session.name, call.by)
    except AccountConflict:
        return Leave(to=PATH)
    return View(template="profile/recovery_codes.html", values={"codes": codes, "first": False})


_MARGIN: Final = 4
"""Squares around a QR code that are empty, as its standard wants."""
_NOT_ADDED: Final = mark("The second factor was not added. Begin again.")
_NEEDED: Final = mark("Everybody needs a second factor here. Add another one before you remove the last.")
_ADDED: Final = mark("The second factor was added. From now on you are asked for one of them when you sign in.")


def _app(new: NewApp, *, name: str = "", wrong: bool = False) -> View:
    values = {"new": new, "picture": _picture(new.address), "name": name, "wrong": wrong}
    return View(template="profile/app.html", values=values, status=400 if wrong else 200)


async def _passkey(call: Call, *, name: str = "", wrong: bool = False) -> View:
    new: NewPasskey = await call.services.people.second_factors.begin_passkey(call.session.name, call.site)
    values = {"new": new, "name": name, "wrong": wrong}
    return View(template="profile/passkey.html", values=values, status=400 if wrong else 200)


async def _add(
    call: Call, path: str, add: _Adding, proof: str, once_more: Callable[[str], Awaitable[View | Leave]]
) -> View | Leave:
    """Add what was set up, if the proof shows that it works.

    Args:
        call: the request, with its form.
        path: of the page that sets it up.
        add: the service that adds one of its kind.
        proof: what the form shows: a code, or the answer of a browser.
        once_more: shows that page again with the name that was typed, where the proof was wrong.
    """
    if (first := again(call, path)) is not None:
        return first
    name, sealed = call.form.text("name"), call.form.get("sealed", "")
    try:
        added = await add(call.session.name, name, sealed, proof, call.by, session_id=call.session.id)
    except (AccountInvalid, AccountConflict) as error:
        return Leave(to=PATH, flash=Flash(text=_NOT_ADDED, said=error.message, failed=True))
    except CredentialInvalid:
        return await once_more(name)
    return _added(added)


def _added(added: Added) -> View | Leave:
    if not added.recovery_codes:
        return Leave(to=PATH, flash=Flash(text=_ADDED))
    return View(template="profile/recovery_codes.html", values={"codes": added.recovery_codes, "first": True})


def _removal(factor: Factor, *, wrong: bool = False) -> View:
    values = {"factor": factor, "wrong": wrong}
    return View(template="profile/remove_factor.html", values=values, status=403 if wrong else 200)


async def _factor(call: Call) -> Factor:
    """Return the factor that the address names.

    Raises:
        AccountUnknown: it is not one of who looks.
    """
    held = await call.services.people.second_factors.held(call.session.name)
    for one in held.factors:
        if one.id == int(call.parameters["number"]):
            return one
    message = Sentence("There is no such second factor.")
    raise AccountUnknown(message)


def _picture(address: str) -> Picture:
    """Return the QR code of a text: each row of dark squares is a stroke."""
    import segno  # noqa: PLC0415 - for the few who set one up

    matrix = segno.make_qr(address, error="m").matrix
    strokes = []
    for y, row in enumerate(matrix):
        for dark, squares in groupby(enumerate(row), key=lambda square: bool(square[1])):
            if dark:
                places = [x for x, _ in squares]
                strokes.append(f"M{places[0] + _MARGIN} {y + _MARGIN}h{len(places)}v1h-{len(places)}z")
    return Picture(size=len(matrix) + 2 * _MARGIN, path="".join(strokes))


ROUTES: Final = (
    Route("GET", PATH, SIGNED_IN, show),
    Route("GET", _APP, SIGNED_IN, show_app),
    Route("POST", _APP, SIGNED_IN, add_app),
    Route("GET", _PASSKEY, SIGNED_IN, show_passkey),
    Route("POST", _PASSKEY, SIGNED_IN, add_passkey, longest_form=LONGEST_ANSWER),
    Route("GET", _CODES, SIGNED_IN, ask_for_codes),
    Route("POST", _CODES, SIGNED_IN, renew_codes),
    Route("GET", _REMOVE, SIGNED_IN, ask_to_remove),
    Route("POST", _REMOVE, SIGNED_IN, remove),
)
