# SPDX-License-Identifier: Apache-2.0
"""`wharfinger init`: the first administrator."""

from typing import Annotated

import typer

from wharfinger.cli.shell import Config, PasswordStdin, act, parsed, read_password, say
from wharfinger.cli.terminal import note
from wharfinger.domain.access import Mode, Visibility
from wharfinger.domain.accounts import parse_new_account_name
from wharfinger.domain.identity import Actor
from wharfinger.services import Services


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
