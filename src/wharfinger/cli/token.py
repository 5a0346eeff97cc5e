# SPDX-License-Identifier: Apache-2.0
"""`wharfinger token`: personal access tokens and access keys; their secret is shown once, when it is made."""

from collections.abc import Sequence
from typing import Annotated, Final

import typer

from wharfinger.cli.shell import Config, act, day_of, parsed, print_table, say
from wharfinger.cli.terminal import out
from wharfinger.clock import DAY, in_words
from wharfinger.domain.accounts import CredentialKind, parse_account_name, parse_any_account_name
from wharfinger.domain.identity import Actor, Scope
from wharfinger.metadata.credentials import Credential
from wharfinger.services import Services
from wharfinger.services.credentials import Issued, Wanted

MOST_DAYS: Final = 36_500
"""What fits into a date; how long is too long, the settings say."""

app = typer.Typer(help="Create and revoke tokens and access keys.", no_args_is_help=True)

Account = Annotated[str, typer.Argument(help="Whose it is: a user or a robot.", metavar="ACCOUNT")]
Number = Annotated[int, typer.Argument(help="The id, as `token list` shows it.", metavar="ID")]


@app.command()
def create(
    account: Account,
    *,
    scope: Annotated[list[Scope], typer.Option(help="What it may be used for; give the option several times.")],
    name: Annotated[str, typer.Option(help="What for, in your own words.")] = "token",
    days: Annotated[
        int | None, typer.Option(help="How long it is valid, if not as long as usual.", min=1, max=MOST_DAYS)
    ] = None,
    key: Annotated[bool, typer.Option("--key", help="Make an access key, which has an id and a secret.")] = False,
    config: Config = None,
) -> None:
    """Create a token, or with --key an access key, and print its secret: it is shown this once."""
    owner = parsed(parse_any_account_name, account)
    kind = CredentialKind.KEY if key else CredentialKind.TOKEN
    lifetime = None if days is None else days * DAY
    wanted = Wanted(kind=kind, name=name, scopes=frozenset(scope), lifetime=lifetime)

    async def work(services: Services, by: Actor) -> tuple[Issued, int]:
        return await services.credentials.issue(owner, wanted, by), services.credentials.usual_lifetime

    made, usual = act(config, work)
    if made.public_id is not None:
        say(f"key id  {made.public_id}")
    out.print(f"{'secret' if key else 'token '}  {made.secret}", soft_wrap=True)
    say(f"it is valid for {in_words(lifetime or usual)}, and is shown only now")
    user = made.public_id or owner
    say(f"use it so: cat FILE-WITH-THE-SECRET | docker login -u {user} --password-stdin HOST:PORT")


@app.command("list")
def show(account: Account, *, config: Config = None) -> None:
    """List the tokens, keys and signed-in devices of an account."""
    owner = parsed(parse_any_account_name, account)

    async def work(services: Services, _by: Actor) -> Sequence[Credential]:
        return await services.credentials.list(owner)

    print_table(
        ("id", "kind", "name", "ends in", "scopes", "expires", "last used", "revoked"),
        (
            (
                one.id,
                one.kind,
                one.name,
                one.public_id or f"…{one.hint}",
                " ".join(sorted(one.scopes or ())) or "all",
                day_of(one.expires_at),
                day_of(one.last_used_at),
                day_of(one.revoked_at),
            )
            for one in act(config, work)
        ),
    )


@app.command()
def authorize(
    account: Account,
    number: Number,
    organization: Annotated[
        str, typer.Argument(help="An organization of the account that demands single sign-on.", metavar="ORG")
    ],
    *,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Have it count there no more.")] = False,
    config: Config = None,
) -> None:
    """Have a token or key count for an organization that demands single sign-on."""
    owner, where = parsed(parse_any_account_name, account), parsed(parse_account_name, organization)

    async def work(services: Services, by: Actor) -> None:
        demands = services.people.demands
        await (demands.withdraw if withdraw else demands.authorize)(owner, number, where, by)

    act(config, work)
    say(
        f"{number} of {owner} {'does not count' if withdraw else 'counts'} for {where}{' any more' if withdraw else ''}"
    )


@app.command()
def revoke(
    account: Account,
    number: Number,
    *,
    config: Config = None,
) -> None:
    """End a token, a key or the sign-in of a device at once."""
    owner = parsed(parse_any_account_name, account)
    act(config, lambda services, by: services.credentials.revoke(owner, number, by))
    say(f"{number} of {owner} is revoked")
