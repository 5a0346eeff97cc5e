# SPDX-License-Identifier: Apache-2.0
"""What commands about accounts do alike: open the services, act as the operator, read passwords, print tables."""

import asyncio
import os
import pwd
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.markup import escape
from rich.table import Table

from wharfinger import bootstrap, storage
from wharfinger.cli.terminal import fail, note, out, read_settings
from wharfinger.clock import Instant, as_datetime
from wharfinger.domain.errors import WharfingerError
from wharfinger.domain.identity import Actor, Principal
from wharfinger.security.passwords import Passwords, PasswordUnfit, check_new_password
from wharfinger.services import Services
from wharfinger.settings import Settings

T = TypeVar("T")
PAGE = 200

Config = Annotated[
    Path | None,
    typer.Option("--config", help="A config.yml; without one, the defaults and REGISTRY_* variables.", metavar="FILE"),
]
OnRepository = Annotated[str | None, typer.Option(help="On this repository.", metavar="NAME")]
OnNamespace = Annotated[str | None, typer.Option(help="On this namespace, the first part of names.", metavar="NAME")]
OnRegistry = Annotated[
    str | None,
    typer.Option(
        help="On this whole registry; beside --repository or --namespace, the one that has it.", metavar="NAME"
    ),
]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input instead of the terminal.")
]
Claim = Annotated[
    bool | None,
    typer.Option("--claim/--leave", help="Where repositories begin with the name already: take them over, or not."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask first.")]
Number = Annotated[
    int | None,
    typer.Option(help="Which one of that name, as `wharfinger trash list` numbers them.", metavar="NUMBER"),
]


def act(config: Path | None, work: Callable[[Services, Actor], Awaitable[T]]) -> T:
    """Run some work with the services, as the operator; what is refused ends the command with its sentence."""
    settings = read_settings(config).settings
    try:
        _tell_of_new_database(settings, storage.migrate(settings, beside=True))
        return asyncio.run(_act(settings, work))
    except (storage.MigrationNeeded, WharfingerError, OSError) as error:
        fail(str(error) or repr(error))


def operator() -> Actor:
    """Return who types: the user of the system, whom no account of ours stands for."""
    number = os.getuid()
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:  # a container may run as a number without a name
        name = str(number)
    return Actor(principal=Principal(name=f"{name} (shell)"), user_agent="wharfinger")


def parsed(parse: Callable[[str], T], text: str) -> T:
    """Return the text as the parser reads it, or end the command with what would be right."""
    try:
        return parse(text)
    except WharfingerError as error:
        fail(error.message)


def confirm(question: str, *, yes: bool) -> None:
    """Ask somebody at a terminal, and end the command unless they agree; a program says --yes."""
    if yes:
        return
    if not sys.stdin.isatty():
        fail("there is no terminal to ask at: say --yes")
    if not typer.confirm(question):
        raise typer.Exit(1)


def read_password(account: str, *, from_stdin: bool) -> str:
    """Return the hash of a new password that somebody types, twice and unseen, or that a program sends."""
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        password = typer.prompt(f"New password of {account}", hide_input=True, confirmation_prompt=True)
    else:
        fail("there is no terminal to read the password from: send it with --password-stdin")
    try:
        check_new_password(password, account)
    except PasswordUnfit as error:
        fail(str(error))
    return Passwords().hash_password(password)


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a plain table; what is not there is a hyphen."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(escape("-" if cell is None else str(cell)) for cell in row))
    out.print(table)


def day_of(instant: Instant | None) -> str | None:
    """Return the day of an instant, in UTC."""
    return None if instant is None else f"{as_datetime(instant):%Y-%m-%d}"


def say(sentence: str) -> None:
    """Print what was done."""
    out.print(escape(sentence))


def _tell_of_new_database(settings: Settings, before: str | None) -> None:
    """Say so when a command found nothing: whoever meant a registry that runs has not given its settings."""
    if before != storage.NOTHING:
        return
    place = "PostgreSQL" if settings.database.url else storage.sqlite_path(settings)
    note(
        f"a new database was made ({place}); for a registry that is there already, give its settings: --config FILE, "
        "or the REGISTRY_* variables that it runs with",
        warning=True,
    )


async def _act(settings: Settings, work: Callable[[Services, Actor], Awaitable[T]]) -> T:
    deployment = bootstrap.build(settings)
    try:
        await deployment.services.registries.all()  # so that commands find them by name
        return await work(deployment.services, operator())
    finally:
        await deployment.aclose()
