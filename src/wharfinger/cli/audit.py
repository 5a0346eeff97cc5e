# SPDX-License-Identifier: Apache-2.0
"""`wharfinger audit`: who did what, and what was refused."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from wharfinger.cli.shell import Config, act, parsed, print_table, say
from wharfinger.clock import as_datetime
from wharfinger.domain.audit import WHOLE_LOG, AuditEvent, AuditFilter, ExportFormat, parse_actions, parse_moment
from wharfinger.domain.events import Result
from wharfinger.domain.identity import Actor
from wharfinger.domain.names import parse_repository_name
from wharfinger.services import Services

app = typer.Typer(help="Read the audit log.", no_args_is_help=True)

_MOST = 10_000
Who = Annotated[str | None, typer.Option(help="Who did it, by name.", metavar="NAME")]
Credential = Annotated[int | None, typer.Option(help="With which credential, as `token list` says.", metavar="ID")]
Action = Annotated[str | None, typer.Option(help="What: `tag.moved`, or all of a noun, as `tag`.", metavar="ACTION")]
Repository = Annotated[str | None, typer.Option(help="In which repository.", metavar="NAME")]
Target = Annotated[str | None, typer.Option(help="To whom or what, as the list shows it.", metavar="TEXT")]
Outcome = Annotated[Result | None, typer.Option(help="What became of it.")]
Since = Annotated[str | None, typer.Option(help="From this day or time on, UTC.", metavar="TIME")]
Until = Annotated[str | None, typer.Option(help="Before this day or time, UTC.", metavar="TIME")]


@app.command("list")
def show(
    *,
    who: Who = None,
    credential: Credential = None,
    action: Action = None,
    repository: Repository = None,
    target: Target = None,
    result: Outcome = None,
    since: Since = None,
    until: Until = None,
    before: Annotated[int | None, typer.Option(help="Events before this one: the next page.", metavar="ID")] = None,
    limit: Annotated[int, typer.Option("-n", help="How many.", min=1, max=_MOST)] = 50,
    config: Config = None,
) -> None:
    """List events, the newest first."""
    wanted = _filter(who, credential, action, repository, target, result, since, until)

    async def work(services: Services, _by: Actor) -> Sequence[AuditEvent]:
        page = await services.audit.list(wanted, WHOLE_LOG, before=before, limit=limit)
        return page.items

    print_table(
        ("id", "time", "who", "from", "what", "result", "on", "detail"),
        (
            (
                one.id,
                f"{as_datetime(one.at):%Y-%m-%d %H:%M:%S}",
                one.who,
                one.client_address,
                one.action.value,
                one.result.value if one.count == 1 else f"{one.result} x {one.count}",
                _place(one),
                one.detail,
            )
            for one in act(config, work)
        ),
    )


@app.command()
def export(
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A new file; without it, standard output.", metavar="FILE")
    ] = None,
    form: Annotated[ExportFormat, typer.Option("--format", help="JSON Lines, or CSV.")] = ExportFormat.JSON_LINES,
    who: Who = None,
    credential: Credential = None,
    action: Action = None,
    repository: Repository = None,
    target: Target = None,
    result: Outcome = None,
    since: Since = None,
    until: Until = None,
    config: Config = None,
) -> None:
    """Export events, the oldest first; a file that is there already is left alone."""
    wanted = _filter(who, credential, action, repository, target, result, since, until)

    async def work(services: Services, _by: Actor) -> int:
        size = 0
        # Opened here, so that a command that is refused leaves no empty file.
        with sys.stdout.buffer if output is None else output.open("xb") as file:
            async for piece in services.audit.export(wanted, WHOLE_LOG, form):
                size += file.write(piece)
        return size

    size = act(config, work)
    if output is not None:
        say(f"{output}: {size} bytes")


def _filter(  # noqa: PLR0917 - the options of both commands, in their order
    who: str | None,
    credential: int | None,
    action: str | None,
    repository: str | None,
    target: str | None,
    result: Result | None,
    since: str | None,
    until: str | None,
) -> AuditFilter:
    return AuditFilter(
        who=who,
        credential_id=credential,
        actions=() if action is None else parsed(parse_actions, action),
        repository=None if repository is None else parsed(parse_repository_name, repository),
        target=target,
        result=result,
        since=None if since is None else parsed(parse_moment, since),
        until=None if until is None else parsed(parse_moment, until),
    )


def _place(event: AuditEvent) -> str | None:
    """Return what an event is about, in one cell."""
    where = event.repository if event.tag is None else f"{event.repository}:{event.tag}"
    parts = (where, None if event.tag is not None else event.digest, event.target)
    return " ".join(part for part in parts if part) or None
