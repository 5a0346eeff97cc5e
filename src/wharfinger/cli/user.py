# SPDX-License-Identifier: Apache-2.0
"""`wharfinger user`: people and what they sign in with."""

from collections.abc import Sequence
from typing import Annotated

import typer

from wharfinger.cli.shell import (
    PAGE,
    Claim,
    Config,
    PasswordStdin,
    act,
    day_of,
    parsed,
    print_table,
    read_password,
    say,
)
from wharfinger.cli.terminal import fail
from wharfinger.domain.accounts import AccessType, AccountKind, parse_account_name, parse_new_account_name
from wharfinger.domain.identity import Actor
from wharfinger.metadata.accounts import Account
from wharfinger.metadata.external_identities import ExternalIdentity
from wharfinger.services import Services
from wharfinger.services.accounts import AccountChange

app = typer.Typer(help="Create users, suspend them, and set their passwords.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The name of the user.", metavar="NAME")]
Provider = Annotated[str, typer.Argument(help="A provider of accounts.oidc.", metavar="PROVIDER")]
OneTime = Annotated[
    bool, typer.Option("--one-time", help="The password is only good for choosing another one, in the console.")
]


@app.command()
def create(
    name: Name,
    *,
    display_name: Annotated[str | None, typer.Option(help="What people call the user.")] = None,
    email: Annotated[str | None, typer.Option(help="An address that the user reads.")] = None,
    access: Annotated[AccessType | None, typer.Option(help="Where the user may sign in.")] = None,
    password_stdin: PasswordStdin = False,
    no_password: Annotated[bool, typer.Option("--no-password", help="Set no password yet.")] = False,
    one_time: OneTime = False,
    claim: Claim = None,
    config: Config = None,
) -> None:
    """Create a user, with a password that is typed or sent through standard input."""
    if one_time and no_password:
        fail("--one-time is about a password: leave out --no-password")
    wanted = parsed(parse_new_account_name, name)
    hashed = None if no_password else read_password(wanted, from_stdin=password_stdin)
    profile = AccountChange(display_name=display_name, email=email, access_type=access)

    async def work(services: Services, by: Actor) -> None:
        await services.accounts.create_user(
            wanted, by, profile=profile, password_hash=hashed, one_time=one_time, claim=claim
        )

    act(config, work)
    say(f"the user {wanted} was created")


@app.command("list")
def show(*, config: Config = None) -> None:
    """List the users."""

    async def work(services: Services, _by: Actor) -> list[Account]:
        return await all_accounts(services, AccountKind.USER)

    print_table(
        ("name", "display name", "e-mail", "signs in to", "created", "suspended"),
        (
            (one.name, one.display_name, one.email, one.access_type, day_of(one.created_at), day_of(one.suspended_at))
            for one in act(config, work)
        ),
    )


@app.command()
def suspend(name: Name, *, config: Config = None) -> None:
    """Stop a user, and everything that it holds."""
    wanted = parsed(parse_account_name, name)
    act(config, lambda services, by: services.accounts.suspend(wanted, by))
    say(f"{wanted} is suspended")


@app.command()
def resume(name: Name, *, config: Config = None) -> None:
    """Let a suspended user in again."""
    wanted = parsed(parse_account_name, name)
    act(config, lambda services, by: services.accounts.resume(wanted, by))
    say(f"{wanted} may sign in again")


@app.command()
def delete(name: Name, *, config: Config = None) -> None:
    """Delete a user, with its credentials and roles; repositories stay."""
    wanted = parsed(parse_account_name, name)

    async def work(services: Services, by: Actor) -> None:
        await services.accounts.delete(wanted, by, kind=AccountKind.USER)

    act(config, work)
    say(f"the user {wanted} was deleted")


@app.command()
def passwd(
    name: Name, *, password_stdin: PasswordStdin = False, one_time: OneTime = False, config: Config = None
) -> None:
    """Set the password of a user; whoever signed in with the old one has to sign in again."""
    wanted = parsed(parse_account_name, name)
    hashed = read_password(wanted, from_stdin=password_stdin)
    act(config, lambda services, by: services.accounts.set_password(wanted, hashed, by, one_time=one_time))
    say(f"the password of {wanted} was changed")


@app.command()
def link(
    name: Name,
    provider: Provider,
    subject: Annotated[
        str, typer.Argument(help="Who the user is there: `sub` in its ID tokens, never an e-mail.", metavar="SUBJECT")
    ],
    *,
    config: Config = None,
) -> None:
    """Let a user sign in through a provider as the account that is here already."""
    wanted = parsed(parse_account_name, name)
    act(config, lambda services, by: services.people.external_identities.link(wanted, provider, subject, by))
    say(f"{wanted} is {subject} of {provider}")


@app.command()
def unlink(name: Name, provider: Provider, *, config: Config = None) -> None:
    """Let a user sign in through a provider no more; its sessions end."""
    wanted = parsed(parse_account_name, name)
    act(config, lambda services, by: services.people.external_identities.unlink(wanted, provider, by))
    say(f"{wanted} is nobody of {provider} any more")


@app.command()
def identities(name: Name, *, config: Config = None) -> None:
    """List what providers call a user."""
    wanted = parsed(parse_account_name, name)

    async def work(services: Services, _by: Actor) -> Sequence[ExternalIdentity]:
        return await services.people.external_identities.list(wanted)

    rows = ((one.provider, one.subject, day_of(one.created_at)) for one in act(config, work))
    print_table(("provider", "subject", "since"), rows)


async def all_accounts(services: Services, kind: AccountKind) -> list[Account]:
    """Return every account of a kind, page by page."""
    found: list[Account] = []
    while True:
        page = await services.accounts.list([kind], found[-1].name if found else None, PAGE)
        found.extend(page.items)
        if not page.more:
            return found
