# SPDX-License-Identifier: Apache-2.0
"""The command line: parse, call, print.

Exit codes: 0 after a clean end, 1 when something failed, 2 when the command itself was wrong.
"""

import asyncio
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from wharfinger import __version__, bootstrap, server
from wharfinger.domain.errors import WharfingerError
from wharfinger.settings import Loaded, SettingsError, describe, environment, load, path_from

app = typer.Typer(
    name="wharfinger",
    help="A self-hosted container registry.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_out = Console(highlight=False)
_err = Console(stderr=True, highlight=False)

ConfigFile = Annotated[
    Path | None,
    typer.Argument(help="A config.yml; without one, the defaults and REGISTRY_* variables.", metavar="[CONFIG]"),
]


@app.command()
def serve(
    config: ConfigFile = None,
    *,
    no_work: Annotated[bool, typer.Option("--no-work", help="Run no background jobs in this node.")] = False,
) -> None:
    """Run the registry until it is told to stop."""
    loaded = _load(config)
    settings = loaded.settings
    try:
        before = bootstrap.migrate(settings)
        _greet(loaded, before)
        server.serve(settings, with_jobs=not no_work)
    except (bootstrap.MigrationNeeded, server.CannotListen, WharfingerError, OSError) as error:
        _fail(str(error) or repr(error))


@app.command()
def check(config: ConfigFile = None) -> None:
    """Validate the settings, try the database and the stores, and print what is in force and where it came from."""
    loaded = _load(config)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("setting", "value", "from"):
        table.add_column(heading, overflow="fold")
    for row in describe(loaded):
        style = None if row.origin == "default" else "bold"
        table.add_row(escape(row.key), escape(row.value), escape(row.origin), style=style)
    _out.print(table)
    _notes(loaded)
    try:
        bootstrap.migrate(loaded.settings)
        problems = asyncio.run(bootstrap.check(loaded.settings))
    except (bootstrap.MigrationNeeded, WharfingerError, OSError) as error:
        _fail(str(error) or repr(error))
    for name, problem in problems.items():
        _err.print(f"[red]✗[/] {escape(name)}: {escape(problem)}")
    if problems:
        raise typer.Exit(1)
    _out.print("[green]✓[/] the settings are valid; the database and the store answer")


@app.command()
def work(config: ConfigFile = None) -> None:
    """Run only the background jobs, for a node without `serve`."""
    loaded = _load(config)
    try:
        bootstrap.migrate(loaded.settings)
        bootstrap.work(loaded.settings)
    except (bootstrap.MigrationNeeded, WharfingerError, OSError) as error:
        _fail(str(error) or repr(error))


@app.command()
def migrate(config: ConfigFile = None) -> None:
    """Bring the database to the schema of this version."""
    loaded = _load(config)
    try:
        before = bootstrap.migrate(loaded.settings, by_hand=True)
    except (WharfingerError, OSError) as error:
        _fail(str(error) or repr(error))
    _out.print("the database is up to date" if before is None else f"the database was migrated from {before}")


@app.command()
def version() -> None:
    """Print the version."""
    _out.print(__version__)


def _load(config: Path | None) -> Loaded:
    try:
        variables = environment()
        return load(config or path_from(variables), variables)
    except SettingsError as error:
        for problem in error.problems:
            _err.print(f"[red]✗[/] {escape(str(problem))}")
    except OSError as error:
        _err.print(f"[red]✗[/] {escape(str(error))}")
    raise typer.Exit(1)


def _greet(loaded: Loaded, migrated_from: str | None) -> None:
    settings = loaded.settings
    scheme = "https" if settings.http.tls.certificate else "http"
    where = settings.http.addr if settings.http.net == "unix" else f"{scheme}://{_readable(settings.http.addr)}"
    database = "PostgreSQL" if settings.database.url else str(bootstrap.sqlite_path(settings))
    _notes(loaded)
    if migrated_from is not None:
        _err.print(f"[dim]database[/]  its schema was brought up to date ({escape(migrated_from)} before)")
    _err.print(f"[bold]Wharfinger {__version__}[/] at [bold cyan]{escape(where)}[/]")
    _err.print(f"[dim]database[/]  {escape(database)}")
    _err.print(f"[dim]blobs[/]     {escape(str(bootstrap.blobs_path(settings)))}")
    _err.print(f"[dim]workers[/]   {server.worker_count(settings)}")
    _err.print("[dim]stop[/]      Ctrl-C or SIGTERM")


def _readable(address: str) -> str:
    """Return an address that can be clicked: `:5000` is this machine's."""
    return f"localhost{address}" if address.startswith(":") else address


def _notes(loaded: Loaded) -> None:
    for note in loaded.notes:
        sign = "[yellow]![/]" if note in loaded.warnings else "[dim]·[/]"
        _err.print(f"{sign} {escape(note)}")


def _fail(message: str) -> NoReturn:
    _err.print(f"[red]✗[/] {escape(message)}")
    raise typer.Exit(1)
