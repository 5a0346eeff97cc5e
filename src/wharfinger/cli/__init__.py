# SPDX-License-Identifier: Apache-2.0
"""The command line: parse, call, print. One module for each noun; this one puts them together.

Exit codes: 0 after a clean end, 1 when something failed, 2 when the command itself was wrong.
"""

from typing import Annotated

import typer

from wharfinger.cli import (
    access,
    audit,
    backup,
    certificate,
    gc,
    grant,
    init,
    namespace,
    org,
    registry,
    repository,
    retention,
    robot,
    serving,
    tag,
    team,
    token,
    trash,
    trust,
    user,
    verify,
)

app = typer.Typer(
    name="wharfinger",
    help="A self-hosted container registry.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    init.init,
    serving.serve,
    serving.check,
    serving.work,
    serving.migrate,
    verify.verify,
    backup.backup,
    backup.restore,
    serving.version,
):
    app.command()(command)
app.add_typer(certificate.app, name="certificate")
for noun in (
    user,
    org,
    team,
    robot,
    grant,
    token,
    trust,
    access,
    repository,
    tag,
    trash,
    namespace,
    registry,
    retention,
    gc,
    audit,
):
    app.add_typer(noun.app, name=noun.__name__.rpartition(".")[2])


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - as typer calls it
    if wanted:
        serving.version()
        raise typer.Exit


@app.callback()
def main(
    *,
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """A self-hosted container registry."""
