# SPDX-License-Identifier: Apache-2.0
"""The command line: parse, call, print. One module for each noun; this one says where each command is.

A module is loaded when its command is run: one command in twenty needs backups, and `serve` waits for none of them.

Exit codes: 0 after a clean end, 1 when something failed, 2 when the command itself was wrong.
"""

from collections import UserDict
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from wharfinger.loading import loading

if TYPE_CHECKING:
    from typer._click import Command

_VERBS: Final = {
    "init": "init",
    "serve": "serving",
    "check": "serving",
    "work": "serving",
    "migrate": "serving",
    "search": "search",
    "verify": "verify",
    "backup": "backup",
    "restore": "backup",
    "version": "serving",
}
"""Commands that are one function, and the modules that hold it under the command's name."""
_NOUNS: Final = (
    "certificate",
    "user",
    "org",
    "team",
    "robot",
    "grant",
    "token",
    "trust",
    "access",
    "repository",
    "tag",
    "trash",
    "namespace",
    "content",
    "registry",
    "retention",
    "gc",
    "job",
    "audit",
)
"""Modules with an `app` of several commands."""


class _Commands(UserDict[str, "Command"]):
    """All commands by name, in the order of the help; each is made when it is first looked at."""

    def __missing__(self, name: str) -> "Command":
        if name in _VERBS:
            alone = typer.Typer(add_completion=False)
            alone.command(name)(getattr(_module(_VERBS[name]), name))
            made = get_command(alone)
        elif name in _NOUNS:
            made = get_group(_module(name).app)
            made.name = name
        else:
            raise KeyError(name)
        self.data[name] = made
        return made

    def __iter__(self) -> Iterator[str]:
        yield from _VERBS
        yield from _NOUNS

    def __len__(self) -> int:
        return len(_VERBS) + len(_NOUNS)

    def __contains__(self, name: object) -> bool:
        return name in _VERBS or name in _NOUNS


class _Group(TyperGroup):
    """The command `wharfinger`."""

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings)  # type: ignore[arg-type]  # what typer hands over, as it is
        self.commands = _Commands()


def _module(name: str) -> ModuleType:
    with loading():
        return import_module(f"wharfinger.cli.{name}")


app = typer.Typer(
    name="wharfinger",
    cls=_Group,
    help="A self-hosted container registry.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - as typer calls it
    if wanted:
        _module("serving").version()
        raise typer.Exit


@app.callback()
def main(
    *,
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """A self-hosted container registry."""
