# SPDX-License-Identifier: Apache-2.0
"""`wharfinger gc`: what waits to be collected and why, a round now, and what a deletion would free."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Final

import orjson
import typer
from rich.filesize import decimal
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from wharfinger.cli.registry import registry_named
from wharfinger.cli.shell import Config, act, day_of, parsed, print_table, say
from wharfinger.cli.terminal import err, fail
from wharfinger.domain.identity import Actor
from wharfinger.domain.names import DEFAULT_REGISTRY
from wharfinger.domain.outlook import Outlook, Savings
from wharfinger.domain.trash import parse_trashed
from wharfinger.services import Services
from wharfinger.services.rounds import Round, together

app = typer.Typer(help="Show and run the collection of what nothing needs any more.", invoke_without_command=True)

_NOT_SHOWN: Final = {"steps", "standing_still"}
_KINDS: Final = {"manifest": "manifests", "blob": "blobs", "burial": "bytes to remove"}
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")]


@app.callback()
def main(
    context: typer.Context,
    *,
    run: Annotated[bool, typer.Option("--run", help="Collect now, until nothing is due.")] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Show what waits to be looked at and why, and what will be freed when; or collect now.

    Ends with 1 if something could not be collected.
    """
    if context.invoked_subcommand is not None:
        return
    if run:
        _run(config, as_json=as_json)
        return
    outlook = act(config, lambda services, _by: services.outlooks.get())
    if as_json:
        _print_json(asdict(outlook))
    else:
        _show(outlook)


@app.command()
def plan(
    what: Annotated[
        str, typer.Argument(help="A repository, a tag or a manifest: NAME, NAME:TAG or NAME@DIGEST.", metavar="WHAT")
    ],
    *,
    registry: Annotated[str, typer.Option(help="The registry that has it.", metavar="NAME")] = DEFAULT_REGISTRY,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Say how many bytes deleting something would free, and when. Nothing is deleted."""
    target = parsed(parse_trashed, what)

    async def work(services: Services, _by: Actor) -> Savings:
        return await services.outlooks.plan(registry_named(services, registry), target)

    savings = act(config, work)
    if as_json:
        _print_json({"what": what, **asdict(savings)})
        return
    if savings.kept is not None:
        say(f"deleting {what} frees nothing: {savings.kept}")
        say(f"with it would go: {_amount(savings)}")
    else:
        say(f"deleting {what} frees {_amount(savings)}, from {day_of(savings.at)} on")
    say(f"shared, and stays: {decimal(savings.shared)}")


def _amount(savings: Savings) -> str:
    return f"{decimal(savings.unique)} ({_many(savings.blobs, 'blob')} of {_many(savings.manifests, 'manifest')})"


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _run(config: Config, *, as_json: bool) -> None:
    """Collect until nothing is due, and say what became of it."""

    async def work(services: Services, _by: Actor) -> Round:
        with Progress(
            TextColumn("[progress.description]{task.description}"), TimeElapsedColumn(), console=err, transient=True
        ) as progress:
            task, whole = progress.add_task("collecting"), Round()
            while True:
                done = await services.rounds.run()
                whole = together(whole, done)
                if not done.steps:
                    return whole
                progress.update(task, description=_summary(whole))

    result = act(config, work)
    if result.standing_still is not None:
        fail(f"nothing is collected now: {result.standing_still}")
    if as_json:
        _print_json({name: value for name, value in asdict(result).items() if name not in _NOT_SHOWN})
    else:
        say(
            f"looked at {result.looked_at}; removed {result.manifests} manifests, {result.blobs} blobs of "
            f"repositories, {result.repositories} repositories; freed {decimal(result.freed)}"
        )
        if result.blobs or result.repositories:
            say("bytes of blobs that went just now are removed in an hour, for reads that began before")
    if result.failed:
        fail(f"{result.failed} could not be collected; they are tried again later, and the log says why")


def _summary(whole: Round) -> str:
    return f"looked at {whole.looked_at}, removed {whole.blobs} blobs, freed {decimal(whole.freed)}"


def _show(outlook: Outlook) -> None:
    print_table(
        ("waiting", "all", "due now", "failed before", "bytes"),
        (
            (_KINDS[one.kind], one.waiting, one.due, one.failing, decimal(one.size) if one.size else None)
            for one in outlook.waiting
        ),
    )
    if outlook.repositories:
        say(f"repositories in the trash: {outlook.repositories}")
    say("")
    if outlook.upcoming:
        print_table(
            ("will be freed from", "blobs", "bytes"),
            ((day_of(one.at), one.blobs, decimal(one.size)) for one in outlook.upcoming),
        )
        if outlook.more:
            say("there is more in the trash than was weighed here")
    else:
        say("nothing will be freed: all that is stored is needed")
    if outlook.newest:
        say("")
        print_table(("what", "noted because", "now"), _reasons(outlook))


def _reasons(outlook: Outlook) -> Sequence[Sequence[str]]:
    return [
        (one.what, one.noted, f"{'stays' if one.verdict.kept else 'goes'}: {one.verdict.reason}")
        for one in outlook.newest
    ]


def _print_json(document: Mapping[str, object]) -> None:
    sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")
