# SPDX-License-Identifier: Apache-2.0
"""`wharfinger team`: groups of an organization's members."""

from collections.abc import Sequence
from typing import Annotated

import typer

from wharfinger.cli.shell import Config, act, parsed, print_table, say
from wharfinger.domain.accounts import AccountName, parse_account_name, parse_team_name
from wharfinger.domain.identity import Actor
from wharfinger.metadata.organizations import Team
from wharfinger.metadata.team_mappings import Mapping
from wharfinger.services import Services

app = typer.Typer(help="Group the members of an organization, to give all of them a role.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The team.", metavar="ORG/TEAM")]
Provider = Annotated[str, typer.Argument(help="A provider of accounts.oidc.", metavar="PROVIDER")]
Group = Annotated[str, typer.Argument(help="The group, as the provider writes it in its claim.", metavar="GROUP")]
User = Annotated[str, typer.Argument(help="A member of the organization.", metavar="USER")]


@app.command()
def create(
    name: Name,
    *,
    description: Annotated[str | None, typer.Option(help="What the team is for.")] = None,
    config: Config = None,
) -> None:
    """Create a team."""
    wanted = parsed(parse_team_name, name)
    act(config, lambda services, by: services.organizations.create_team(wanted, by, description=description))
    say(f"the team {wanted} was created")


@app.command("list")
def show(
    name: Annotated[
        str, typer.Argument(help="An organization, to list its teams; a team, its members.", metavar="ORG[/TEAM]")
    ],
    *,
    config: Config = None,
) -> None:
    """List the teams of an organization, or the members of a team."""
    if "/" in name:
        _list_members(name, config)
        return
    wanted = parsed(parse_account_name, name)

    async def work(services: Services, _by: Actor) -> Sequence[Team]:
        return await services.organizations.teams(wanted)

    rows = ((f"{wanted}/{one.name}", one.members, one.description) for one in act(config, work))
    print_table(("team", "members", "description"), rows)


@app.command()
def delete(name: Name, *, config: Config = None) -> None:
    """Delete a team, and the roles that it was given."""
    wanted = parsed(parse_team_name, name)
    act(config, lambda services, by: services.organizations.delete_team(wanted, by))
    say(f"the team {wanted} was deleted")


@app.command()
def add(name: Name, user: User, *, config: Config = None) -> None:
    """Put a member of the organization into a team."""
    wanted, who = parsed(parse_team_name, name), parsed(parse_account_name, user)
    act(config, lambda services, by: services.organizations.join_team(wanted, who, by))
    say(f"{who} is in {wanted}")


@app.command()
def remove(name: Name, user: User, *, config: Config = None) -> None:
    """Take a user out of a team."""
    wanted, who = parsed(parse_team_name, name), parsed(parse_account_name, user)
    act(config, lambda services, by: services.organizations.leave_team(wanted, who, by))
    say(f"{who} is not in {wanted} any more")


@app.command("map")
def follow(name: Name, provider: Provider, group: Group, *, config: Config = None) -> None:
    """Have the members of a provider's group be in a team, from their next sign-in on."""
    wanted = parsed(parse_team_name, name)
    act(config, lambda services, by: services.people.team_mappings.map(wanted, provider, group, by))
    say(f"{wanted} follows the group {group} of {provider}")


@app.command()
def unmap(name: Name, provider: Provider, group: Group, *, config: Config = None) -> None:
    """Have a team follow a group no more."""
    wanted = parsed(parse_team_name, name)
    act(config, lambda services, by: services.people.team_mappings.unmap(wanted, provider, group, by))
    say(f"{wanted} does not follow the group {group} of {provider} any more")


@app.command()
def mappings(
    organization: Annotated[str, typer.Argument(help="The organization.", metavar="ORG")], *, config: Config = None
) -> None:
    """List the groups that the teams of an organization follow."""
    wanted = parsed(parse_account_name, organization)

    async def work(services: Services, _by: Actor) -> Sequence[Mapping]:
        return await services.people.team_mappings.list(wanted)

    rows = ((str(one.team.name), one.provider, one.group) for one in act(config, work))
    print_table(("team", "provider", "group"), rows)


def _list_members(name: str, config: Config) -> None:
    wanted = parsed(parse_team_name, name)

    async def work(services: Services, _by: Actor) -> Sequence[AccountName]:
        return await services.organizations.members_of_team(wanted)

    print_table(("member",), ((member,) for member in act(config, work)))
