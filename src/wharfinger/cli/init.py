# SPDX-License-Identifier: Apache-2.0
"""`wharfinger init`: the first administrator."""

from typing import Annotated

import typer

from wharfinger.cli.shell import Config, PasswordStdin, act, parsed, read_password, say
from wharfinger.domain.access import Visibility
from wharfinger.domain.accounts import parse_new_account_name


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
    count = act(config, lambda services, by: services.beginning.create_administrator(wanted, hashed, existing, by))
    say(f"{wanted} administers this deployment; from now on everybody signs in")
    if count:
        say(f"{count} repositories were there already; they are {existing} now")
    say(f"next: docker login -u {wanted} HOST:PORT")
