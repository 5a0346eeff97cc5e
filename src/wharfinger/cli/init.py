# SPDX-License-Identifier: Apache-2.0
"""`wharfinger init`: the first administrator."""

from typing import Annotated

import typer

from wharfinger.cli.shell import Config, PasswordStdin, act, parsed, read_password, say
from wharfinger.cli.terminal import fail, note, read_settings
from wharfinger.domain.access import Mode, Visibility
from wharfinger.domain.accounts import parse_new_account_name
from wharfinger.domain.identity import Actor
from wharfinger.services import Services
from wharfinger.settings import SignIn, where_to_sign_in


def init(
    name: Annotated[str, typer.Argument(help="The name of the first administrator.", metavar="NAME")],
    *,
    existing: Annotated[
        Visibility | None, typer.Option(help="Who sees the repositories that are there already.")
    ] = None,
    password_stdin: PasswordStdin = False,
    config: Config = None,
) -> None:
    """Create the first administrator: from then on everybody signs in."""
    wanted = parsed(parse_new_account_name, name)
    settings = read_settings(config).settings
    if settings.auth.kind is None and where_to_sign_in(settings) is SignIn.UNSAFE:
        fail(
            f"nobody could sign in safely at {settings.http.addr}: passwords would travel unencrypted; set http.tls, "
            "or let a proxy speak TLS and set http.host to its https address, or say accounts.allowplain: true"
        )
    hashed = read_password(wanted, from_stdin=password_stdin)

    async def work(services: Services, by: Actor) -> tuple[int, Mode]:
        count = await services.beginning.create_administrator(wanted, hashed, existing, by)
        return count, await services.authorization.mode()

    count, mode = act(config, work)
    if count:
        say(f"repositories that were there already: {count}; they are {existing} now")
    if mode is not Mode.ACCOUNTS:
        say(f"{wanted} administers this deployment")
        word = "none" if mode is Mode.OPEN else mode
        note(f"the settings choose auth: {word}; accounts count once that is gone", warning=True)
        return
    say(f"{wanted} administers this deployment; from now on everybody signs in")
    say(f"next: docker login -u {wanted} HOST:PORT")
