# SPDX-License-Identifier: Apache-2.0
"""`wharfinger job`: what the background jobs do, and having one run now."""

from collections.abc import Sequence
from typing import Annotated

import typer

from wharfinger.cli.shell import Config, act, print_table, say
from wharfinger.clock import SECOND, Instant, as_datetime
from wharfinger.services.jobs import JobRow

app = typer.Typer(help="Show background jobs, and have one run now.", no_args_is_help=True)


@app.command("list")
def list_(*, config: Config = None) -> None:
    """Show the jobs of every node: how often they run, when they ran, how that ended, and when they run again."""
    found = act(config, lambda services, _by: services.jobs.list())
    if not found:
        say("no job has run yet: they begin some seconds after `wharfinger serve` or `wharfinger work`")
        return
    print_table(("job", "node", "every", "last run", "outcome", "done", "next"), _lines(found))


@app.command()
def run(
    name: Annotated[str, typer.Argument(help="A job, as the list has it.", metavar="NAME")], *, config: Config = None
) -> None:
    """Have a job run now. The process that runs the jobs begins within some seconds."""
    found = act(config, lambda services, by: services.jobs.order(name, by))
    say(f"{found.name} runs on {found.node} within some seconds")


def _lines(found: Sequence[JobRow]) -> Sequence[Sequence[object]]:
    return [
        (
            one.name,
            one.node,
            f"{one.interval / SECOND:g} s",
            _at(one.ended_at),
            "at work" if one.is_working else _outcome(one),
            one.done,
            "as soon as it can" if one.wanted_at is not None else _at(one.next_at),
        )
        for one in found
    ]


def _outcome(one: JobRow) -> str | None:
    return one.outcome if one.reason is None else f"{one.outcome}: {one.reason}"


def _at(instant: Instant | None) -> str | None:
    return None if instant is None else as_datetime(instant).strftime("%Y-%m-%d %H:%M:%S")
