# SPDX-License-Identifier: Apache-2.0
"""One's own tokens and access keys: the list, the form that begins with nothing, and the page that shows a secret once.

A token outlives the session that made it, so making one asks for a sign-in a moment ago.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.clock import DAY
from wharfinger.console import logins
from wharfinger.console.calls import Call, Leave, View
from wharfinger.console.confirmations import Asked, ask
from wharfinger.console.flashes import Flash
from wharfinger.console.languages import mark
from wharfinger.console.pages.sign_in import again
from wharfinger.console.purposes import PURPOSES, SCOPES
from wharfinger.console.routing import Route
from wharfinger.domain.access import Action
from wharfinger.domain.accounts import AccessType, CredentialKind
from wharfinger.domain.credentials import check_name
from wharfinger.domain.errors import AccountInvalid, AccountUnknown, Denied, WharfingerError
from wharfinger.domain.identity import Scope
from wharfinger.domain.names import parse_repository_name
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata.credentials import Credential
from wharfinger.services.credentials import Wanted
from wharfinger.web.access import SIGNED_IN

PATH: Final = "/profile/tokens"
_NEW: Final = f"{PATH}/new"
_REVOKE: Final = f"{PATH}/{{number}}/revoke"
_DAYS: Final = (1, 7, 30, 60, 90, 180, 366)
_KINDS: Final = {"token": CredentialKind.TOKEN, "key": CredentialKind.KEY}
_MOST_REPOSITORIES: Final = 100
_WORDS: Final = {
    "name": mark("Say what it is for, in at most 100 characters."),
    "scopes": mark("Choose at least one thing that it may be used for."),
    "days": mark("Choose how long it is valid."),
    "kind": mark("Choose a token or an access key."),
    "repositories": mark(
        "You cannot pull one of these repositories, or it does not exist: write one name on each line."
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What the form says.

    Args:
        purpose: what it is for, if that was chosen; a key of `PURPOSES`.
        name: what its owner calls it.
        scopes: what it may be used for.
        days: how long it is valid, as it was chosen.
        kind: a token or a key.
        repositories: the names of the only ones that it may touch, one on each line.
    """

    purpose: str = ""
    name: str = ""
    scopes: Sequence[str] = ()
    days: str = ""
    kind: str = "token"
    repositories: str = ""


async def show(call: Call) -> View | Leave:
    """Show the tokens and keys of who looks; those that ended are below, for as long as they are remembered."""
    account = await call.services.accounts.find(call.session.name)
    held = [one for one in await call.services.credentials.list(account.name) if one.kind is not CredentialKind.REFRESH]
    values = {
        "live": [one for one in held if _is_live(one, call)],
        "ended": [one for one in held if not _is_live(one, call)],
        "limits": await call.services.credentials.limits(account.name),
        "may": account.access_type is not AccessType.CONSOLE,
        "soon": call.now + 7 * DAY,
    }
    return View(template="profile/tokens.html", values=values)


async def show_form(call: Call) -> View | Leave:
    """Show the form: with no scope, or with the least that a stated purpose needs."""
    chosen = call.query.get("for", "")
    if (first := again(call, f"{_NEW}?for={chosen}" if chosen in PURPOSES else _NEW)) is not None:
        return first
    purpose = PURPOSES.get(chosen)
    if purpose is None:
        return _form(call, Filled(days=str(_usual(call, 30))))
    filled = Filled(purpose=chosen, scopes=(purpose.scope,), days=str(_usual(call, purpose.days)))
    return _form(call, filled)


async def make(call: Call) -> View | Leave:
    """Make a token or a key, and show its secret this once."""
    if (first := again(call, _NEW)) is not None:
        return first
    form = call.form
    filled = Filled(
        purpose=form.get("for", ""),
        name=form.text("name"),
        scopes=form.chosen("scope"),
        days=form.get("days", ""),
        kind=form.get("kind", ""),
        repositories=form.text("repositories"),
    )
    wrong = _wrong_of(call, filled)
    repositories = None if "repositories" in wrong else await _repositories(call, filled.repositories)
    if filled.repositories and repositories is None:
        wrong["repositories"] = _WORDS["repositories"]
    if wrong:
        return _form(call, filled, wrong)
    wanted = Wanted(
        kind=_KINDS[filled.kind],
        name=filled.name,
        scopes=frozenset(Scope(one) for one in filled.scopes),
        lifetime=int(filled.days) * DAY,
        repositories=repositories,
    )
    try:
        made = await call.services.credentials.issue(call.session.name, wanted, call.by)
    except (AccountInvalid, Denied) as error:
        return Leave(to=PATH, flash=Flash(text=mark("Nothing was made."), said=error.message, failed=True))
    user = made.public_id or call.session.name
    values = {
        "made": made,
        "wanted": wanted,
        "user": user,
        "variable": logins.VARIABLE,
        "variable_line": logins.variable(),
        "docker": logins.docker(call.address, user),
        "podman": logins.podman(call.address, user),
        "kubernetes": logins.kubernetes(call.address, user),
        "pull_secret": logins.pull_secret(),
    }
    return View(template="profile/token_made.html", values=values)


async def ask_to_revoke(call: Call) -> View | Leave:
    """Ask whether a token is to end."""
    one = await _find(call)
    return ask(
        Asked(
            title=mark("Revoke %(name)s?"),
            texts=(
                mark("Whatever uses it is refused at once. What was made with it ends too."),
                mark("It does not come back: make a new one instead."),
            ),
            values={"name": one.name},
            to=f"{PATH}/{one.id}/revoke",
            back=PATH,
            button=mark("Revoke"),
        )
    )


async def revoke(call: Call) -> View | Leave:
    """End a token or a key."""
    one = await _find(call)
    try:
        await call.services.credentials.revoke(call.session.name, one.id, call.by)
    except AccountUnknown:
        return Leave(to=PATH, flash=Flash(text=mark("It had ended already."), failed=True))
    return Leave(to=PATH, flash=Flash(text=mark("%(name)s was revoked."), values={"name": one.name}))


def _form(call: Call, filled: Filled, wrong: Mapping[str, str] | None = None) -> View:
    values = {
        "purposes": PURPOSES,
        "scopes": SCOPES,
        "days": [days for days in _DAYS if days <= _longest(call)] or [_longest(call)],
        "filled": filled,
        "wrong": defaultdict(str, wrong or {}),
        "longest": _longest(call),
    }
    return View(template="profile/new_token.html", values=values, status=400 if wrong else 200)


def _wrong_of(call: Call, filled: Filled) -> dict[str, str]:
    """Return what is wrong with a form, by its fields; what needs the database is looked at later."""
    wrong = {}
    try:
        check_name(filled.name)
    except AccountInvalid:
        wrong["name"] = _WORDS["name"]
    if not filled.scopes or not set(filled.scopes) <= {one.value for one in Scope}:
        wrong["scopes"] = _WORDS["scopes"]
    days = filled.days
    if not (days.isascii() and days.isdecimal() and len(days) < 5 and 1 <= int(days) <= _longest(call)):  # noqa: PLR2004 - four digits
        wrong["days"] = _WORDS["days"]
    if filled.kind not in _KINDS:
        wrong["kind"] = _WORDS["kind"]
    return wrong


async def _repositories(call: Call, text: str) -> frozenset[int] | None:
    """Return the ids of repositories that who looks may pull: nobody finds out here which others exist."""
    names = text.split()
    if not names or len(names) > _MOST_REPOSITORIES:
        return None
    found = set()
    for name in names:
        try:
            parsed = parse_repository_name(name)
            if not await call.may(Action.PULL, parsed):
                return None
            number, _ = await call.services.repositories.require(call.registry, parsed)
        except WharfingerError:
            return None
        found.add(number)
    return frozenset(found)


async def _find(call: Call) -> Credential:
    """Return the token or key that the address names.

    Raises:
        AccountUnknown: it is not one of who looks.
    """
    for one in await call.services.credentials.list(call.session.name):
        if one.id == int(call.parameters["number"]) and one.kind is not CredentialKind.REFRESH:
            return one
    message = Sentence("There is no such token.")
    raise AccountUnknown(message)


def _is_live(one: Credential, call: Call) -> bool:
    return one.revoked_at is None and (one.expires_at is None or call.now < one.expires_at)


def _longest(call: Call) -> int:
    """Return for how many days one may be valid at the most; at least the day that the form offers."""
    longest = call.services.credentials.longest_lifetime
    return _DAYS[-1] if longest is None else min(max(longest // DAY, 1), _DAYS[-1])


def _usual(call: Call, days: int) -> int:
    """Return the choice for so many days, or the next shorter one that is allowed here."""
    return max((one for one in _DAYS if one <= min(days, _longest(call))), default=1)


ROUTES: Final = (
    Route("GET", PATH, SIGNED_IN, show),
    Route("GET", _NEW, SIGNED_IN, show_form),
    Route("POST", PATH, SIGNED_IN, make),
    Route("GET", _REVOKE, SIGNED_IN, ask_to_revoke),
    Route("POST", _REVOKE, SIGNED_IN, revoke),
)
