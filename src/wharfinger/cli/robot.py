# SPDX-License-Identifier: Apache-2.0
"""`wharfinger robot`: accounts for machines."""

from collections.abc import Sequence
from typing import Annotated

import typer

from wharfinger.cli.registry import registry_named
from wharfinger.cli.shell import Config, act, day_of, parsed, print_table, say
from wharfinger.domain.accounts import AccountKind, parse_account_name, parse_robot_name
from wharfinger.domain.identity import Actor
from wharfinger.metadata.accounts import Account
from wharfinger.services import Services
from wharfinger.services.accounts import AccountChange

app = typer.Typer(help="Create accounts for machines.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The robot: ORG+NAME, or @REGISTRY+NAME.", metavar="ROBOT")]


@app.command()
def create(
    name: Name,
    *,
    description: Annotated[str | None, typer.Option(help="What the robot does.")] = None,
    config: Config = None,
) -> None:
    """Create a robot of an organization or of a registry."""
    wanted = parsed(parse_robot_name, name)
    profile = AccountChange(description=description)
    act(config, lambda services, by: services.accounts.create_robot(wanted, by, profile=profile))
    say(f"the robot {wanted.full} was created")


@app.command("list")
def show(
    owner: Annotated[str, typer.Argument(help="An organization, or @REGISTRY.", metavar="OWNER")],
    *,
    config: Config = None,
) -> None:
    """List the robots of an organization or of a registry."""

    async def work(services: Services, _by: Actor) -> Sequence[Account]:
        if not owner.startswith("@"):
            return await services.accounts.robots(parse_account_name(owner))
        return await services.accounts.robots_of_registry(registry_named(services, owner[1:]).id)

    print_table(
        ("name", "description", "created", "suspended"),
        ((one.name, one.description, day_of(one.created_at), day_of(one.suspended_at)) for one in act(config, work)),
    )


@app.command()
def delete(name: Name, *, config: Config = None) -> None:
    """Delete a robot, with its keys, tokens and roles."""
    wanted = parsed(parse_robot_name, name).full

    async def work(services: Services, by: Actor) -> None:
        await services.accounts.delete(wanted, by, kind=AccountKind.ROBOT)

    act(config, work)
    say(f"the robot {wanted} was deleted")
