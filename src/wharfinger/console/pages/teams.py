# SPDX-License-Identifier: Apache-2.0
"""Teams of an organization: who is in each, which groups of a provider it follows, and what it was given."""

from typing import Final

from wharfinger.console.accounts import ROWS, frame, known, tried
from wharfinger.console.calls import Call, Leave, View
from wharfinger.console.confirmations import Asked, ask
from wharfinger.console.flashes import Flash
from wharfinger.console.languages import mark
from wharfinger.console.pages.grants import rows_of_subject
from wharfinger.console.routing import Route
from wharfinger.domain.accounts import AccountName, TeamName, parse_account_name, parse_team_name
from wharfinger.domain.management import Target, Task
from wharfinger.domain.pages import page_of
from wharfinger.web.access import Managing

_ALL: Final = "/accounts/{organization}/-/teams"
_ONE: Final = "/accounts/{organization}/-/teams/{team}"
_LONGEST: Final = 100
_REFUSED: Final = mark("The team %(team)s stays as it is.")


async def show_all(call: Call) -> View:
    """Show the teams, by name."""
    organization = _organization(call)
    found = page_of(
        await call.services.organizations.teams(organization, call.query.get("last") or None, ROWS + 1), ROWS
    )
    return View(
        template="accounts/teams.html",
        values={
            **await frame(call, organization, "teams"),
            "teams": found.items,
            "next": found.items[-1].name if found.more else None,
            "is_first": "last" not in call.query,
            "manages": await call.can(Task.MANAGE, Target.ORGANIZATION, organization),
        },
    )


async def create(call: Call) -> Leave:
    """Make a team; its page is where members are put into it."""
    organization, name = _organization(call), call.form.text("name")
    here = _path(call)

    async def work() -> None:
        team = parse_team_name(f"{organization}/{name}")
        about = call.form.text("description")[:_LONGEST]
        await call.services.organizations.create_team(team, call.by, description=about or None)

    values = {"team": name, "organization": organization}
    done = Flash(text=mark("There is a team %(team)s now. Put members into it."), values=values)
    made = await tried(work(), f"{here}/{name}", done, mark("No team was made."))
    return Leave(to=here, flash=made.flash) if made.flash is not None and made.flash.failed else made


async def show(call: Call) -> View:
    """Show a team."""
    name = _team(call)
    services = call.services
    team = await services.organizations.team(name)
    members = page_of(
        await services.organizations.members_of_team(name, call.query.get("last") or None, ROWS + 1), ROWS
    )
    groups = [one for one in await services.people.team_mappings.list(name.organization) if one.team.name == name]
    manages = await call.can(Task.MANAGE, Target.ORGANIZATION, name.organization)
    return View(
        template="accounts/team.html",
        values={
            **await frame(call, name.organization, "teams"),
            "team": team,
            "members": members.items,
            "next": members.items[-1] if members.more else None,
            "groups": groups,
            "providers": services.people.single_sign_on.providers,
            "grants": await rows_of_subject(call, name),
            "manages": manages,
            "known": await known(call, name.organization) if manages else (),
            "here_path": _path(call, name),
        },
    )


async def describe(call: Call) -> Leave:
    """Say what a team is for."""

    async def work() -> None:
        about = call.form.text("description")[:_LONGEST]
        await call.services.organizations.describe_team(_team(call), about or None, call.by)

    return await tried(work(), _path(call, _team(call)), _said(call, mark("The description is changed.")), _REFUSED)


async def join(call: Call) -> Leave:
    """Put a member of the organization into a team."""
    name = call.form.text("name")

    async def work() -> None:
        await call.services.organizations.join_team(_team(call), parse_account_name(name), call.by)

    done = _said(call, mark("%(name)s is in the team now."), name=name)
    return await tried(work(), _path(call, _team(call)), done, _REFUSED)


async def leave(call: Call) -> Leave:
    """Take somebody out of a team; putting it back is one step, so nobody is asked."""
    name = call.parameters["user"]

    async def work() -> None:
        await call.services.organizations.leave_team(_team(call), AccountName(name), call.by)

    done = _said(call, mark("%(name)s is in the team no more."), name=name)
    return await tried(work(), _path(call, _team(call)), done, _REFUSED)


async def follow(call: Call) -> Leave:
    """Have a team follow a group of a provider."""
    provider, group = call.form.text("provider"), call.form.text("group")

    async def work() -> None:
        await call.services.people.team_mappings.map(_team(call), provider, group, call.by)

    text = mark("The team follows the group %(group)s now: its members join with their next sign-in.")
    return await tried(work(), _path(call, _team(call)), _said(call, text, group=group), _REFUSED)


async def unfollow(call: Call) -> Leave:
    """Have a team follow a group no more."""
    provider, group = call.form.text("provider"), call.form.text("group")

    async def work() -> None:
        await call.services.people.team_mappings.unmap(_team(call), provider, group, call.by)

    text = mark("The team follows the group %(group)s no more.")
    return await tried(work(), _path(call, _team(call)), _said(call, text, group=group), _REFUSED)


async def ask_to_delete(call: Call) -> View:
    """Ask whether a team is to go."""
    name, here = _team(call), _path(call, _team(call))
    await call.services.organizations.team(name)
    return ask(
        Asked(
            title=mark("Delete the team %(team)s?"),
            texts=(
                mark("Its members lose at once what only the team was given. They stay in %(organization)s."),
                mark("A team does not come back: it would have to be made anew, with its members and its roles."),
            ),
            values={"team": name.team, "organization": name.organization},
            to=f"{here}/deletion",
            back=here,
        )
    )


async def delete(call: Call) -> Leave:
    """Delete a team."""

    async def work() -> None:
        await call.services.organizations.delete_team(_team(call), call.by)

    return await tried(work(), _path(call), _said(call, mark("The team %(team)s is deleted.")), _REFUSED)


def _organization(call: Call) -> AccountName:
    return AccountName(call.parameters["organization"])


def _team(call: Call) -> TeamName:
    return TeamName(_organization(call), call.parameters["team"])


def _path(call: Call, team: TeamName | None = None) -> str:
    return call.within(f"/accounts/{_organization(call)}/-/teams{'' if team is None else '/' + team.team}")


def _said(call: Call, text: str, **values: str) -> Flash:
    name = _team(call)
    return Flash(text=text, values={"team": name.team, "organization": name.organization, **values})


_READ: Final = Managing(Task.READ, Target.ORGANIZATION)
_MANAGE: Final = Managing(Task.MANAGE, Target.ORGANIZATION)
ROUTES: Final = (
    Route("GET", _ALL, _READ, show_all),
    Route("POST", _ALL, _MANAGE, create),
    Route("GET", _ONE, _READ, show),
    Route("POST", _ONE, _MANAGE, describe),
    Route("POST", _ONE + "/members", _MANAGE, join),
    Route("POST", _ONE + "/members/{user}/removal", _MANAGE, leave),
    Route("POST", _ONE + "/groups", _MANAGE, follow),
    Route("POST", _ONE + "/groups/removal", _MANAGE, unfollow),
    Route("GET", _ONE + "/deletion", _MANAGE, ask_to_delete),
    Route("POST", _ONE + "/deletion", _MANAGE, delete),
)
