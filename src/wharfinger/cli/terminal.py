# SPDX-License-Identifier: Apache-2.0
"""What every command does alike: reads the settings, prints, and ends with a sentence when something failed."""

import os
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from wharfinger.settings import Loaded, SettingsError, environment, load, path_from

STDOUT: Final = 1
STDERR: Final = 2
_ENDLESS: Final = 100_000


def _width(descriptor: int) -> int | None:
    """Return how wide lines may become: as wide as the terminal, and off a terminal as long as they are."""
    return None if os.isatty(descriptor) else _ENDLESS


out: Final = Console(highlight=False, width=_width(STDOUT))
err: Final = Console(stderr=True, highlight=False, width=_width(STDERR))

ConfigFile = Annotated[
    Path | None,
    typer.Argument(help="A config.yml; without one, the defaults and REGISTRY_* variables.", metavar="[CONFIG]"),
]


def read_settings(config: Path | None) -> Loaded:
    """Return the settings, or print everything that is wrong with them and end with status 1."""
    try:
        variables = environment()
        return load(config or path_from(variables), variables)
    except SettingsError as error:
        for problem in error.problems:
            complain(str(problem))
    except OSError as error:
        complain(str(error))
    raise typer.Exit(1)


def complain(message: str) -> None:
    """Print what is wrong."""
    err.print(f"[red]✗[/] {escape(message)}")


def note(message: str, *, warning: bool) -> None:
    """Print what is good to know, or what the operator should act on."""
    sign = "[yellow]![/]" if warning else "[dim]·[/]"
    err.print(f"{sign} {escape(message)}")


def fail(message: str) -> NoReturn:
    """Print why the command cannot go on, and end with status 1."""
    complain(message)
    raise typer.Exit(1)
