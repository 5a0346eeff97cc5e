# SPDX-License-Identifier: Apache-2.0
"""Robots: accounts for machines, of an organization or of a registry, and the keys and tokens that they hold.

A secret is on one page, the answer to the form that made it, and nowhere else.
"""

from typing import Final

from wharfinger.clock import DAY
from wharfinger.console import logins
from wharfinger.console.accounts import MOST_HELD, ROWS, frame, tried
from wharfinger.console.calls import Call, Leave, View
from wharfinger.console.confirmations import Asked, ask, is_confirmed
from wharfinger.console.flashes import Flash
from wharfinger.console.languages import mark
from wharfinger.console.pages.grants import rows_of_subject
from wharfinger.console.routing import Route
from wharfinger.domain.access import Action
from wharfinger.domain.accounts import AccountKind, AccountName, CredentialKind, RobotName, parse_robot_name
from wharfinger.domain.errors import AccountInvalid, AccountUnknown, Denied, NameInvalid, NameUnknown
from wharfinger.domain.identity import Scope
from wharfinger.domain.management import Target, Task
from wharfinger.domain.names import parse_repository_name
from wharfinger.domain.pages import page_of
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata.credentials import Credential
from wharfinger.services.accounts import AccountChange
from wharfinger.services.credentials import Issued, Wanted
from wharfinger.services.repositories import name_unknown
from wharfinger.web.access import Managing

_ALL: Final = "/accounts/{organization}/-/robots"
_ONE: Final = "/robots/{robot}"
_KEY: Final = "/robots/{robot}/credentials/{number}"
_LONGEST: Final = 100
_MOST_REPOSITORIES: Final = 100
_REFUSED: Final = mark("The robot %(robot)s stays as it is.")
_PURPOSES: Final = {
    "pull": frozenset({Scope.READ}),
    "push": frozenset({Scope.WRITE}),
    "delete": frozenset({Scope.WRITE, Scope.DELETE}),
}
"""The least that each purpose needs."""
_PERIODS: Final = (30, 90, 180, 365)
"""Days that the form offers."""


async def show_all(call: Call) -> View:
    """Show the robots of an organization, by name."""
    organization = AccountName(call.parameters["organization"])
    found = page_of(await call.services.accounts.robots(organization, call.query.get("last") or None, ROWS + 1), ROWS)
    return View(
        template="accounts/robots.html",
        values={
            **await frame(call, organization, "robots"),
            "robots": found.items,
            "next": found.items[-1].name if found.more else None,
            "is_first": "last" not in call.query,
            "manages": await call.can(Task.MANAGE, Target.ORGANIZATION, organization),
        },
    )


async def create(call: Call) -> Leave:
    """Make a robot; its page is where it gets a key."""
    organization, name = call.parameters["organization"], call.form.text("name")
    here = call.within(f"/accounts/{organization}/-/robots")
    about = call.form.text("description")[:_LONGEST]

    async def work() -> None:
        robot = parse_robot_name(f"{organization}+{name}")
        await call.services.accounts.create_robot(robot, call.by, profile=AccountChange(description=about))

    full = f"{organization}+{name}"
    done = Flash(text=mark("There is a robot %(robot)s now. Make a key for it."), values={"robot": full})
    made = await tried(work(), f"/robots/{full}", done, mark("No robot was made."))
    return Leave(to=here, flash=made.flash) if made.flash is not None and made.flash.failed else made


async def show(call: Call) -> View:
    """Show a robot, what it holds, and what it may do."""
    return await _page(call)


async def change(call: Call) -> Leave:
    """Say what a robot is for."""
    about = call.form.text("description")[:_LONGEST]

    async def work() -> None:
        if not about.isprintable():
            message = Sentence("A description takes characters that can be printed, on one line.")
            raise AccountInvalid(message)
        await call.services.accounts.change(_name(call), AccountChange(description=about), call.by)

    return await tried(work(), _path(call), _said(call, mark("The description is changed.")), _REFUSED)


async def suspend(call: Call) -> Leave:
    """Stop a robot, or let it go on."""
    resumes = call.form.text("resume") == "yes"

    async def work() -> None:
        accounts = call.services.accounts
        await (accounts.resume if resumes else accounts.suspend)(_name(call), call.by, kind=AccountKind.ROBOT)

    text = mark("The robot is suspended: it and everything that it holds are let in nowhere.")
    if resumes:
        text = mark("The robot is let in again.")
    return await tried(work(), _path(call), _said(call, text), _REFUSED)


async def ask_to_delete(call: Call) -> View:
    """Ask whether a robot is to go."""
    return _asked(call)


async def delete(call: Call) -> View | Leave:
    """Delete a robot, whose name was typed."""
    if not is_confirmed(call.form, _name(call)):
        return _asked(call, is_wrong=True)

    async def work() -> None:
        await call.services.accounts.delete(_name(call), call.by, kind=AccountKind.ROBOT)

    return await tried(work(), _home(call), _said(call, mark("The robot %(robot)s is deleted.")), _REFUSED)


async def issue(call: Call) -> View:
    """Make a key or a token, and show its secret this once."""
    form = call.form
    kind = CredentialKind.TOKEN if form.text("kind") == CredentialKind.TOKEN else CredentialKind.KEY
    try:
        wanted = Wanted(
            kind=kind,
            name=form.text("name"),
            scopes=_PURPOSES.get(form.text("purpose"), _PURPOSES["pull"]),
            lifetime=_days(form.text("days")) * DAY,
            repositories=await _repositories(call, form.text("repositories")),
        )
        made = await call.services.credentials.issue(_name(call), wanted, call.by)
    except (AccountInvalid, NameInvalid, NameUnknown, Denied) as error:
        return await _page(call, wrong=error.message)
    return await _issued(call, wanted, made)


async def rotate(call: Call) -> View:
    """Make a key or a token like one that there is; the old one counts until it is revoked."""
    old = await _credential(call)
    wanted = Wanted(
        kind=old.kind,
        name=old.name,
        scopes=old.scopes or _PURPOSES["pull"],
        lifetime=None if old.expires_at is None else old.expires_at - old.created_at,
        repositories=old.repositories,
    )
    try:
        made = await call.services.credentials.issue(_name(call), wanted, call.by)
    except (AccountInvalid, Denied) as error:
        return await _page(call, wrong=error.message)
    return await _issued(call, wanted, made, instead_of=old)


async def ask_to_revoke(call: Call) -> View:
    """Ask whether a key or a token is to end."""
    one = await _credential(call)
    return ask(
        Asked(
            title=mark("Revoke %(credential)s of %(robot)s?"),
            texts=(mark("Whatever uses it is refused from the next request on. It does not come back."),),
            values={"credential": one.name, "robot": _name(call)},
            to=f"{_path(call)}/credentials/{one.id}/revocation",
            back=_path(call),
            button=mark("Revoke"),
        )
    )


async def revoke(call: Call) -> Leave:
    """End a key or a token."""
    one = await _credential(call)

    async def work() -> None:
        await call.services.credentials.revoke(_name(call), one.id, call.by)

    done = Flash(text=mark("%(credential)s counts no more."), values={"credential": one.name, "robot": _name(call)})
    return await tried(work(), _path(call), done, _REFUSED)


async def _page(call: Call, *, wrong: str = "") -> View:
    robot = await call.services.accounts.find(_name(call))
    parsed = parse_robot_name(robot.name)
    held = [one for one in await call.services.credentials.list(robot.name, limit=MOST_HELD) if one.revoked_at is None]
    manages = await call.can(Task.MANAGE, Target.ROBOT, robot.name)
    around = {} if parsed.organization is None else await frame(call, parsed.organization, "robots")
    return View(
        template="robots/one.html",
        values={
            "owner": parsed.registry,
            "account": None,
            "account_tabs": (),
            **around,
            "robot": robot,
            "parsed": parsed,
            "credentials": held,
            "grants": await rows_of_subject(call, robot.name),
            "manages": manages,
            "issues": await call.can(Task.ISSUE, Target.ROBOT, robot.name),
            "periods": _PERIODS,
            "usual": min(_PERIODS, key=lambda days: abs(days * DAY - call.services.credentials.usual_lifetime)),
            "wrong": wrong,
            "texts": {name: call.form.text(name) for name in ("name", "purpose", "kind", "days", "repositories")},
        },
        status=400 if wrong else 200,
    )


async def _issued(call: Call, wanted: Wanted, made: Issued, *, instead_of: Credential | None = None) -> View:
    user = made.public_id or _name(call)
    return View(
        template="robots/issued.html",
        values={
            "robot": _name(call),
            "robot_path": _path(call),
            "wanted": wanted,
            "made": made,
            "user": user,
            "variable": logins.VARIABLE,
            "variable_line": logins.variable(),
            "docker": logins.docker(call.address, user),
            "podman": logins.podman(call.address, user),
            "kubernetes": logins.kubernetes(call.address, user),
            "pull_secret": logins.pull_secret(),
            "instead_of": instead_of,
        },
    )


async def _repositories(call: Call, text: str) -> frozenset[int] | None:
    """Return the ids of the repositories that somebody typed, one a line; those that it may not see are not there."""
    names = [parse_repository_name(line) for line in text.split() if line]
    if len(names) > _MOST_REPOSITORIES:
        message = Sentence("A key can be limited to %(most)s repositories at the most.", most=_MOST_REPOSITORIES)
        raise AccountInvalid(message)
    found = set()
    for name in names:
        if not await call.may(Action.PULL, name):
            raise name_unknown(name)
        number, _ = await call.services.repositories.require(call.registry, name)
        found.add(number)
    return frozenset(found) or None


async def _credential(call: Call) -> Credential:
    """Return the key or token of the address.

    Raises:
        AccountUnknown: the robot holds none of that number.
    """
    number = int(call.parameters["number"])
    for one in await call.services.credentials.list(_name(call), number + 1, 1):
        if one.id == number and one.revoked_at is None:
            return one
    message = Sentence("%(name)r has no key %(number)s that counts.", name=_name(call), number=number)
    raise AccountUnknown(message)


def _asked(call: Call, *, is_wrong: bool = False) -> View:
    return ask(
        Asked(
            title=mark("Delete the robot %(robot)s?"),
            texts=(mark("Its keys, tokens and roles go with it. It does not come back."),),
            values={"robot": _name(call)},
            to=f"{_path(call)}/deletion",
            back=_path(call),
            typed=_name(call),
            is_wrong=is_wrong,
        )
    )


def _days(text: str) -> int:
    """Return how many days were chosen.

    Raises:
        AccountInvalid: none of those that the form offers.
    """
    if text in {str(days) for days in _PERIODS}:
        return int(text)
    message = Sentence("Choose one of %(known)s days.", known=", ".join(str(days) for days in _PERIODS))
    raise AccountInvalid(message)


def _name(call: Call) -> AccountName:
    return AccountName(call.parameters["robot"])


def _path(call: Call) -> str:
    return f"/robots/{_name(call)}"


def _home(call: Call) -> str:
    """Return the page that lists the robot."""
    robot: RobotName = parse_robot_name(_name(call))
    if robot.organization is None:
        return f"/registries/{robot.registry}/-/settings"
    return call.within(f"/accounts/{robot.organization}/-/robots")


def _said(call: Call, text: str) -> Flash:
    return Flash(text=text, values={"robot": _name(call)})


_MANAGE: Final = Managing(Task.MANAGE, Target.ROBOT)
_ISSUE: Final = Managing(Task.ISSUE, Target.ROBOT)
ROUTES: Final = (
    Route("GET", _ALL, Managing(Task.INSPECT, Target.ORGANIZATION), show_all),
    Route("POST", _ALL, Managing(Task.MANAGE, Target.ORGANIZATION), create),
    Route("GET", _ONE, Managing(Task.READ, Target.ROBOT), show),
    Route("POST", _ONE, _MANAGE, change),
    Route("POST", _ONE + "/suspension", _MANAGE, suspend),
    Route("GET", _ONE + "/deletion", _MANAGE, ask_to_delete),
    Route("POST", _ONE + "/deletion", _MANAGE, delete),
    Route("POST", _ONE + "/credentials", _ISSUE, issue),
    Route("POST", _KEY + "/rotation", _ISSUE, rotate),
    Route("GET", _KEY + "/revocation", _MANAGE, ask_to_revoke),
    Route("POST", _KEY + "/revocation", _MANAGE, revoke),
)
