# SPDX-License-Identifier: Apache-2.0
"""`wharfinger verify`: is everything that is stored what its digest says?"""

import asyncio
import sys
from datetime import UTC, datetime
from typing import Annotated, Final

import orjson
import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from wharfinger import bootstrap, storage
from wharfinger.cli.shell import Config, operator
from wharfinger.cli.terminal import complain, err, note, out, read_settings
from wharfinger.clock import SECOND, Instant, as_datetime
from wharfinger.domain.digests import parse_digest
from wharfinger.domain.errors import UpkeepBusy, WharfingerError
from wharfinger.domain.identity import Actor
from wharfinger.domain.names import DEFAULT_REGISTRY, parse_repository_name
from wharfinger.domain.verification import Finding, Phase, Scope
from wharfinger.metadata.verification import Run
from wharfinger.services import Services
from wharfinger.services.verification import CLAIM, Report
from wharfinger.settings import Settings
from wharfinger.settings.values import Unfit, parse_rate

FOUND: Final = 1
FAILED: Final = 2
_WORDS: Final = {
    Phase.DATABASE: "database",
    Phase.BLOBS: "blobs",
    Phase.MANIFESTS: "manifests",
    Phase.TAGS: "tags",
    Phase.STORE: "store",
    Phase.DONE: "done",
}
_FORMAT: Final = 1


class Options:
    """What was asked for on the command line."""

    def __init__(
        self, scope: Scope, rate: int | None, *, registry: str, restart: bool, bury: bool, as_json: bool
    ) -> None:
        self.scope, self.rate, self.registry = scope, rate, registry
        self.restart, self.bury, self.as_json = restart, bury, as_json


def verify(
    *,
    registry: Annotated[str, typer.Option(help="The registry whose content it is.", metavar="NAME")] = DEFAULT_REGISTRY,
    repository: Annotated[str | None, typer.Option(help="Only what this repository has.", metavar="NAME")] = None,
    digest: Annotated[str | None, typer.Option(help="Only this blob or manifest.", metavar="DIGEST")] = None,
    since: Annotated[
        datetime | None,
        typer.Option(help="Only what was stored since, in UTC.", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"]),
    ] = None,
    rate: Annotated[
        str, typer.Option(help="The most to read in a second, for example 50MiB/s.", metavar="SIZE")
    ] = "none",
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin at the top, not where the last one was interrupted.")
    ] = False,
    bury_orphans: Annotated[
        bool, typer.Option("--bury-orphans", help="Have bytes that nothing names removed after seven days.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")] = False,
    stop: Annotated[
        bool, typer.Option("--stop", help="Have what verifies now stop, in whichever process; the next start goes on.")
    ] = False,
    config: Config = None,
) -> None:
    """Compare every byte with its digest, and rows with bytes, while the registry runs.

    Ends with 0 if all is well, 1 if something is wrong, 2 if it could not go on, or somebody had it stopped.
    """
    try:
        scope = Scope(
            repository=None if repository is None else parse_repository_name(repository),
            digest=None if digest is None else parse_digest(digest),
            since=None if since is None else Instant(int(since.replace(tzinfo=UTC).timestamp()) * SECOND),
        )
        if bury_orphans:
            _require_everything(scope)
        options = Options(
            scope, parse_rate(rate), registry=registry, restart=restart, bury=bury_orphans, as_json=as_json
        )
        settings = read_settings(config).settings
        storage.migrate(settings, beside=True)
        if stop:
            asyncio.run(_stop(settings))
            return
        report = asyncio.run(_verify(settings, options))
    except (storage.MigrationNeeded, WharfingerError, Unfit, OSError) as error:
        complain(str(error) or repr(error))
        raise typer.Exit(FAILED) from error
    except typer.Exit as error:  # the settings are wrong, which was said
        raise typer.Exit(FAILED) from error
    except KeyboardInterrupt:
        note("interrupted; the next start goes on from here", warning=True)
        raise typer.Exit(FAILED) from None
    if report.is_stopped:
        note("somebody had it stopped; the next start goes on from here", warning=True)
        raise typer.Exit(FAILED)
    raise typer.Exit(FOUND if report.findings else 0)


async def _stop(settings: Settings) -> None:
    """Have every verification stopped that has not ended, and say which those are."""
    deployment = bootstrap.build(settings)
    verification = deployment.services.verification
    try:
        stopped = 0
        for registry in await deployment.services.registries.all():
            for one in await verification.unfinished(registry):
                if not one.is_stopped:
                    await verification.stop(registry, one.run.id, operator())
                    out.print(f"verification {one.run.id} of {registry.name} ({escape(one.run.scope)}) stops")
                    stopped += 1
        if not stopped:
            out.print("nothing is being verified")
    finally:
        await deployment.aclose()


def _require_everything(scope: Scope) -> None:
    """Refuse to look for orphans where the store is not compared."""
    if not scope.is_everything:
        message = "--bury-orphans needs the whole store: leave --repository, --digest and --since away"
        raise Unfit(message)


async def _verify(settings: Settings, options: Options) -> Report:
    deployment = bootstrap.build(settings)
    try:
        report = await _patiently(deployment.services, options, operator())
        await (_print_json if options.as_json else _print_words)(deployment.services, options, report)
        return report
    finally:
        await deployment.aclose()


async def _patiently(services: Services, options: Options, by: Actor) -> Report:
    """Run it; where a process that died has the claim still, wait until that ends."""
    registry = await services.registries.named(options.registry)
    attempts = 3
    with _bar() as progress:
        task = progress.add_task("", total=None, count="")

        def tell(run: Run) -> None:
            total = run.ceiling or None
            tally = run.tally
            count = f"{tally.blobs} blobs, {readable(tally.bytes)}, {tally.manifests} manifests, {tally.tags} tags"
            progress.update(task, description=_WORDS[run.phase], total=total, completed=run.position, count=count)

        while True:
            try:
                return await services.verification.run(
                    registry,
                    options.scope,
                    by,
                    rate=options.rate,
                    restart=options.restart,
                    bury_orphans=options.bury,
                    progress=tell,
                )
            except UpkeepBusy:
                attempts -= 1
                if not attempts:
                    raise
                progress.update(task, description="waiting for another verification")
                await asyncio.sleep(CLAIM / SECOND / 2 + 1)


def _bar() -> Progress:
    return Progress(
        TextColumn("[progress.description]{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=not sys.stderr.isatty(),
    )


async def _print_words(services: Services, options: Options, report: Report) -> None:
    async for finding in services.verification.findings(report.run):
        out.print(f"[red]✗[/] [bold]{finding.kind}[/] {escape(finding.what)}")
        out.print(f"    {escape(finding.detail)}")
        out.print(f"    [dim]{escape(finding.remedy)}[/]")
    tally = report.run.tally
    blobs = f"{counted(tally.blobs, 'blob')} ({readable(tally.bytes)})"
    looked = f"{blobs}, {counted(tally.manifests, 'manifest')}, {counted(tally.tags, 'tag')}"
    if options.scope.is_everything:
        looked += f", {counted(tally.objects, 'object')} in the store"
    if tally.healed:
        out.print(f"[green]✓[/] sound again and served again: {tally.healed}")
    if report.is_stopped:
        out.print(f"looked at so far: {looked}; {counted(report.findings, 'finding')}")
    elif report.findings:
        out.print(f"[red]✗[/] {counted(report.findings, 'finding')} in {looked}")
    else:
        out.print(f"[green]✓[/] all sound: {looked}")


async def _print_json(services: Services, options: Options, report: Report) -> None:
    """Print one object, a finding at a time: a whole store that is gone still fits into memory."""
    run = report.run
    head = {
        "format": _FORMAT,
        "scope": str(options.scope),
        "started_at": _stamp(run.started_at),
        "finished_at": None if run.finished_at is None else _stamp(run.finished_at),
        "complete": report.is_complete,
        "checked": run.tally,
        "count": report.findings,
    }
    write = sys.stdout.write
    write(orjson.dumps(head).decode()[:-1] + ',"findings":[')
    comma = ""
    async for finding in services.verification.findings(run):
        write(comma + _as_json(finding))
        comma = ","
    write("]}\n")


def _as_json(finding: Finding) -> str:
    return orjson.dumps(
        {"kind": finding.kind, "what": finding.what, "detail": finding.detail, "remedy": finding.remedy}
    ).decode()


def _stamp(instant: Instant) -> str:
    return as_datetime(instant).isoformat(timespec="seconds").replace("+00:00", "Z")


def counted(number: int, word: str) -> str:
    """Return a number of things."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def readable(size: int) -> str:
    """Return a size rounded to three figures or so."""
    for unit, factor in (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} bytes"
