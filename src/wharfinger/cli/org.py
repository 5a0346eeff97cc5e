# SPDX-License-Identifier: Apache-2.0
"""`wharfinger org`: organizations and who belongs to them."""

from collections.abc import Sequence
from typing import Annotated

import typer

from wharfinger.cli.shell import Claim, Config, act, day_of, parsed, print_table, say
from wharfinger.cli.terminal import fail
from wharfinger.cli.user import all_accounts
from wharfinger.domain.accounts import AccountKind, MemberRole, parse_account_name, parse_new_account_name
from wharfinger.domain.identity import Actor
from wharfinger.metadata.accounts import Account
from wharfinger.metadata.organizations import Member
from wharfinger.services import Services
from wharfinger.services.accounts import AccountChange

app = typer.Typer(help="Create organizations, and say who belongs to them.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The name of the organization.", metavar="ORG")]
User = Annotated[str, typer.Argument(help="The name of the user.", metavar="USER")]


@app.command()
def create(
    name: Name,
    *,
    owner: Annotated[str, typer.Option(help="The user who is its first owner.", metavar="USER")],
    display_name: Annotated[str | None, typer.Option(help="What people call the organization.")] = None,
    claim: Claim = None,
    config: Config = None,
) -> None:
    """Create an organization."""
    wanted, first = parsed(parse_new_account_name, name), parsed(parse_account_name, owner)
    profile = AccountChange(display_name=display_name)

    async def work(services: Services, by: Actor) -> None:
        await services.accounts.create_organization(wanted, by, owner=first, profile=profile, claim=claim)

    act(config, work)
    say(f"the organization {wanted} was created; {first} owns it")


@app.command("list")
def show(
    name: Annotated[str | None, typer.Argument(help="An organization, to list its members.", metavar="[ORG]")] = None,
    *,
    config: Config = None,
) -> None:
    """List the organizations, or the members of one."""
    if name is None:
        _list_organizations(config)
        return
    wanted = parsed(parse_account_name, name)

    async def work(services: Services, _by: Actor) -> Sequence[Member]:
        return await services.organizations.members(wanted)

    print_table(("member", "role", "since"), ((one.name, one.role, day_of(one.since)) for one in act(config, work)))


@app.command()
def delete(name: Name, *, config: Config = None) -> None:
    """Delete an organization, with its teams and robots; repositories stay."""
    wanted = parsed(parse_account_name, name)

    async def work(services: Services, by: Actor) -> None:
        await services.accounts.delete(wanted, by, kind=AccountKind.ORGANIZATION)

    act(config, work)
    say(f"the organization {wanted} was deleted")


@app.command()
def add(
    name: Name,
    user: User,
    *,
    owner: Annotated[bool, typer.Option("--owner", help="Make the user an owner, not only a member.")] = False,
    config: Config = None,
) -> None:
    """Make a user a member of an organization, or change a member's role."""
    wanted, who = parsed(parse_account_name, name), parsed(parse_account_name, user)
    role = MemberRole.OWNER if owner else MemberRole.MEMBER
    act(config, lambda services, by: services.organizations.put_member(wanted, who, role, by))
    say(f"{who} is {'an owner' if owner else 'a member'} of {wanted}")


@app.command()
def remove(name: Name, user: User, *, config: Config = None) -> None:
    """Take a member out of an organization and of its teams."""
    wanted, who = parsed(parse_account_name, name), parsed(parse_account_name, user)
    act(config, lambda services, by: services.organizations.remove_member(wanted, who, by))
    say(f"{who} is no member of {wanted} any more")


@app.command()
def sso(
    name: Name,
    provider: Annotated[str | None, typer.Argument(help="A provider of accounts.oidc.", metavar="[PROVIDER]")] = None,
    *,
    off: Annotated[bool, typer.Option("--off", help="Demand it no more.")] = False,
    config: Config = None,
) -> None:
    """Demand that the members of an organization sign in through a provider, or, with --off, demand it no more."""
    wanted = parsed(parse_account_name, name)
    if off is (provider is not None):
        fail("name a provider to demand it, or say --off")
    if provider is None:
        act(config, lambda services, by: services.people.demands.lift(wanted, by))
        say(f"{wanted} demands no single sign-on; the tokens that it took are remembered")
        return
    unable = act(config, lambda services, by: services.people.demands.make(wanted, provider, by))
    say(f"{wanted} demands that its members sign in through {provider}")
    say("their passwords are not taken by clients any more, and their tokens count once they are authorized")
    if unable:
        say(f"{unable} of them did not sign in through {provider} yet; `wharfinger user link` names who they are there")


def _list_organizations(config: Config) -> None:
    async def work(services: Services, _by: Actor) -> list[Account]:
        return await all_accounts(services, AccountKind.ORGANIZATION)

    print_table(
        ("name", "display name", "created", "suspended"),
        ((one.name, one.display_name, day_of(one.created_at), day_of(one.suspended_at)) for one in act(config, work)),
    )
