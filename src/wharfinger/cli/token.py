# SPDX-License-Identifier: Apache-2.0
"""`wharfinger token`: personal access tokens and access keys; their secret is shown once, when it is made."""

from collections.abc import Sequence
from typing import Annotated, Final

import typer

from wharfinger.cli.shell import Config, act, day_of, parsed, print_table, say
from wharfinger.cli.terminal import fail, out
from wharfinger.clock import DAY, Clock, after, in_words
from wharfinger.domain.accounts import CredentialKind, parse_any_account_name
from wharfinger.domain.identity import Actor, Scope
from wharfinger.metadata.credentials import Credential, NewCredential
from wharfinger.security import tokens
from wharfinger.security.tokens import TokenKind
from wharfinger.services import Services

MOST_DAYS: Final = 36_500
"""What fits into a date; how long is too long, the settings say."""

app = typer.Typer(help="Create and revoke tokens and access keys.", no_args_is_help=True)

Account = Annotated[str, typer.Argument(help="Whose it is: a user or a robot.", metavar="ACCOUNT")]


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
    if not name.strip() or len(name) > 100 or not name.isprintable():  # noqa: PLR2004 - what fits in a list
        fail("the name has up to 100 characters, on one line")
    kind = CredentialKind.KEY if key else CredentialKind.TOKEN
    made = tokens.make(TokenKind.ACCESS_KEY if key else TokenKind.PERSONAL)
    public_id = tokens.make_access_key_id() if key else None

    async def work(services: Services, by: Actor) -> int:
        lifetime = services.credentials.usual_lifetime if days is None else days * DAY
        new = NewCredential(
            kind=kind,
            name=name,
            fingerprint=made.fingerprint,
            hint=made.ending,
            public_id=public_id,
            scopes=frozenset(scope),
            expires_at=after(Clock().now(), lifetime),
        )
        await services.credentials.create(owner, new, by)
        return lifetime

    lifetime = act(config, work)
    if public_id is not None:
        say(f"key id  {public_id}")
    out.print(f"{'secret' if key else 'token '}  {made.text}", soft_wrap=True)
    say(f"it is valid for {in_words(lifetime)}, and is shown only now")
    user = public_id or owner
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
def revoke(
    account: Account,
    number: Annotated[int, typer.Argument(help="The id, as `token list` shows it.", metavar="ID")],
    *,
    config: Config = None,
) -> None:
    """End a token, a key or the sign-in of a device at once."""
    owner = parsed(parse_any_account_name, account)
    act(config, lambda services, by: services.credentials.revoke(owner, number, by))
    say(f"{number} of {owner} is revoked")
