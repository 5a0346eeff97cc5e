# SPDX-License-Identifier: Apache-2.0
"""Users as a manager of the deployment sees them: making one, and what nobody does to oneself.

A password that is made here is shown on one page, the answer to the form that made it, and nowhere else.
"""

import asyncio
import functools
import secrets
from collections.abc import Sequence
from typing import Final

from wharfinger.console.calls import Call, Leave, View
from wharfinger.console.confirmations import Asked, ask, is_confirmed
from wharfinger.console.flashes import Flash
from wharfinger.console.languages import mark
from wharfinger.console.pages.administration import MANAGE, PATH, READ, manages
from wharfinger.console.routing import Route
from wharfinger.domain.accounts import AccessType, AccountKind, AccountName, parse_new_account_name
from wharfinger.domain.errors import AccountConflict, AccountInvalid
from wharfinger.domain.grants import DEPLOYMENT, parse_role, word_of
from wharfinger.domain.management import Target, Task
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata.accounts import Account
from wharfinger.security.passwords import Passwords
from wharfinger.services.accounts import AccountChange, unknown
from wharfinger.web.access import Managing

_SIZE: Final = 50
_PATH: Final = f"{PATH}/users"
_CLAIMS: Final = {"claim": True, "leave": False}
ACCESS: Final = {
    AccessType.BOTH: mark("the console, and tokens and keys"),
    AccessType.CONSOLE: mark("the console only"),
    AccessType.KEYS: mark("tokens and keys only"),
}
ROLES: Final = {
    "": mark("none"),
    "read": mark("viewer: sees everything"),
    "write": mark("write: may push everywhere"),
    "admin": mark("manager: may do everything"),
}


async def show_list(call: Call) -> View:
    """Show the users by name, and who manages the deployment."""
    last = call.query.get("last") or None
    found = await call.services.accounts.list([AccountKind.USER], last, _SIZE)
    return View(
        template="administration/users.html",
        values={
            "tab": "users",
            "users": found.items,
            "more": found.more,
            "first": last is None,
            "roles": await _roles(call),
            "labels": ROLES,
            "access": ACCESS,
            "manages": await manages(call),
        },
    )


async def show_organizations(call: Call) -> View:
    """Show the organizations by name, also those that the visitor does not belong to."""
    last = call.query.get("last") or None
    found = await call.services.accounts.list([AccountKind.ORGANIZATION], last, _SIZE)
    return View(
        template="administration/organizations.html",
        values={
            "tab": "organizations",
            "organizations": found.items,
            "more": found.more,
            "first": last is None,
            "manages": await manages(call),
        },
    )


async def show_new(call: Call) -> View:
    """Show the form for a new user."""
    return _new(call)


async def create(call: Call) -> View:
    """Make a user, and show the first password this once."""
    form = call.form
    try:
        name = parse_new_account_name(form.text("name"))
        password, hashed = await _new_password()
        await call.services.accounts.create_user(
            name,
            call.by,
            profile=AccountChange(display_name=form.text("display_name"), email=form.text("email")),
            password_hash=hashed,
            one_time=form.is_checked("one_time"),
            claim=_CLAIMS.get(form.text("claim")),
        )
    except (AccountInvalid, AccountConflict) as error:
        return _new(call, error.message, is_taken=isinstance(error, AccountConflict))
    return _issued(name, password, is_first=True)


async def show_one(call: Call) -> View:
    """Show a user, and what can be done to it."""
    account = await _user(call)
    return View(
        template="administration/user.html",
        values={
            "tab": "users",
            "user": account,
            "role": (await _roles(call)).get(account.name, ""),
            "roles": ROLES,
            "access": ACCESS,
            "factors": await call.services.people.second_factors.held(account.name),
            "credentials": await call.services.credentials.list(account.name),
            "identities": await call.services.people.external_identities.list(account.name),
            "is_oneself": account.name == call.principal.name,
            "may": await call.can(Task.SUPERVISE, Target.USER, account.name),
        },
    )


async def change(call: Call) -> Leave:
    """Change where a user may sign in, and its role on the deployment."""
    account = await _other(call)
    try:
        wanted = AccessType(call.form.text("access_type"))
    except ValueError:
        message = Sentence("`access_type` must be one of %(known)s.", known=", ".join(AccessType))
        raise AccountInvalid(message) from None
    await call.services.accounts.change(account.name, AccountChange(access_type=wanted), call.by)
    text = call.form.text("role")
    had = (await _roles(call)).get(account.name, "")
    if text and text != had:
        await call.services.grants.give(account.name, DEPLOYMENT, parse_role(text, DEPLOYMENT), call.by)
    elif not text and had:
        await call.services.grants.take(account.name, DEPLOYMENT, call.by)
    return _back(account, mark("Saved."))


async def suspend(call: Call) -> Leave:
    """Stop a user at once."""
    account = await _other(call)
    await call.services.accounts.suspend(account.name, call.by, kind=AccountKind.USER)
    return _back(account, mark("%(name)s is suspended: nothing that it holds is taken any more."))


async def resume(call: Call) -> Leave:
    """Let a suspended user in again."""
    account = await _user(call)
    await call.services.accounts.resume(account.name, call.by, kind=AccountKind.USER)
    return _back(account, mark("%(name)s may sign in again, with all that it held."))


async def set_password(call: Call) -> View:
    """Give a user a new password, and show it this once."""
    account = await _other(call)
    password, hashed = await _new_password()
    one_time = call.form.is_checked("one_time")
    await call.services.accounts.set_password(account.name, hashed, call.by, one_time=one_time)
    return _issued(account.name, password)


async def ask_to_reset(call: Call) -> View:
    """Ask whether a user's second factors are to go, and name them."""
    account = await _other(call)
    held = await call.services.people.second_factors.held(account.name)
    return ask(
        Asked(
            title=mark("Reset the second factor of %(name)s?"),
            texts=(
                mark(
                    "%(name)s is signed out everywhere, and signs in with the password alone until a new one is added."
                ),
                mark("Be sure that it is %(name)s who asks: whoever knows the password gets in then."),
            ),
            values={"name": account.name},
            to=f"{_PATH}/{account.name}/second-factor",
            back=f"{_PATH}/{account.name}",
            button=mark("Reset"),
            items=[one.name for one in held.factors],
        )
    )


async def reset_factors(call: Call) -> Leave:
    """Take every second factor from a user who lost them."""
    account = await _other(call)
    await call.services.people.second_factors.reset(account.name, call.by)
    return _back(account, mark("%(name)s signs in without a second factor now, and has to sign in again."))


async def ask_to_delete(call: Call) -> View:
    """Ask whether a user is to be deleted."""
    return ask(_end_of(await _other(call)))


async def delete(call: Call) -> View | Leave:
    """Delete a user."""
    account = await _other(call)
    if not is_confirmed(call.form, account.name):
        return ask(_end_of(account, is_wrong=True))
    await call.services.accounts.delete(account.name, call.by, kind=AccountKind.USER)
    said = Flash(text=mark("%(name)s is deleted."), values={"name": account.name})
    return Leave(to=_PATH, flash=said)


def _new(call: Call, wrong: str | None = None, *, is_taken: bool = False) -> View:
    return View(
        template="administration/new_user.html",
        values={"tab": "users", "form": call.form, "wrong": wrong, "is_taken": is_taken},
        status=200 if wrong is None else 400,
    )


def _issued(name: AccountName, password: str, *, is_first: bool = False) -> View:
    values = {"tab": "users", "name": name, "password": password, "is_first": is_first}
    return View(template="administration/password.html", values=values)


async def _new_password() -> tuple[str, str]:
    """Return a password that nobody guesses, and what is stored of it."""
    password = secrets.token_urlsafe(15)
    return password, await asyncio.to_thread(lambda: _hasher().hash_password(password))


@functools.cache
def _hasher() -> Passwords:
    return Passwords()


async def _user(call: Call) -> Account:
    account = await call.services.accounts.find(AccountName(call.parameters["user"]))
    if account.kind is not AccountKind.USER:
        raise unknown(account.name)
    return account


async def _other(call: Call) -> Account:
    """Return the user, which must not be who acts: nobody shuts out oneself by mistake.

    Raises:
        AccountConflict: it is.
    """
    account = await _user(call)
    if account.name == call.principal.name:
        message = Sentence("You cannot do this to your own account; another manager of the deployment can.")
        raise AccountConflict(message)
    return account


async def _roles(call: Call) -> dict[str, str]:
    """Return who has a role on the deployment itself."""
    return {str(one.subject): word_of(one.role) for one in await call.services.grants.of_place(DEPLOYMENT)}


def _back(account: Account, text: str) -> Leave:
    return Leave(to=f"{_PATH}/{account.name}", flash=Flash(text=text, values={"name": account.name}))


def _end_of(account: Account, *, is_wrong: bool = False) -> Asked:
    return Asked(
        title=mark("Delete the user %(name)s?"),
        texts=(mark("Its tokens, keys and roles go with it, and it is not restored. Repositories stay."),),
        values={"name": account.name},
        to=f"{_PATH}/{account.name}/deletion",
        back=f"{_PATH}/{account.name}",
        typed=account.name,
        is_wrong=is_wrong,
    )


_ONE: Final = f"{_PATH}/{{user}}"
_SUPERVISE: Final = Managing(Task.SUPERVISE, Target.USER)
ROUTES: Final[Sequence[Route]] = (
    Route("GET", _PATH, READ, show_list),
    Route("GET", f"{PATH}/organizations", READ, show_organizations),
    Route("GET", f"{PATH}/new-user", MANAGE, show_new),
    Route("POST", f"{PATH}/new-user", MANAGE, create, signs_in=True),
    Route("GET", _ONE, Managing(Task.READ, Target.USER), show_one),
    Route("POST", _ONE, _SUPERVISE, change),
    Route("POST", f"{_ONE}/suspension", _SUPERVISE, suspend),
    Route("POST", f"{_ONE}/resumption", _SUPERVISE, resume),
    Route("POST", f"{_ONE}/password", _SUPERVISE, set_password, signs_in=True),
    Route("GET", f"{_ONE}/second-factor", _SUPERVISE, ask_to_reset),
    Route("POST", f"{_ONE}/second-factor", _SUPERVISE, reset_factors),
    Route("GET", f"{_ONE}/deletion", _SUPERVISE, ask_to_delete),
    Route("POST", f"{_ONE}/deletion", _SUPERVISE, delete),
)
