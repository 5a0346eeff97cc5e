# SPDX-License-Identifier: Apache-2.0
"""`wharfinger backup` and `wharfinger restore`: out of a running registry, and into an empty one."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from wharfinger import recovery, storage
from wharfinger.cli.shell import Config, operator, print_table, say
from wharfinger.cli.terminal import complain, err, fail, note, read_settings
from wharfinger.cli.verify import counted, readable
from wharfinger.clock import as_datetime
from wharfinger.domain.backups import SECRET, Backup, BackupUnfit
from wharfinger.domain.errors import WharfingerError
from wharfinger.domain.names import DEFAULT_REGISTRY
from wharfinger.metadata.dump import DumpUnfit
from wharfinger.metadata.verification import Run
from wharfinger.services.backup import Copied, HoldEnded
from wharfinger.settings import Settings
from wharfinger.settings.values import Unfit, parse_rate

T = TypeVar("T")
Folder = Annotated[Path, typer.Argument(help="The folder of backups; for this registry alone.", metavar="FOLDER")]
Rate = Annotated[str, typer.Option(help="The most to copy in a second, for example 50MiB/s.", metavar="SIZE")]
_FAILURES = (
    storage.MigrationNeeded,
    recovery.TargetUnfit,
    BackupUnfit,
    DumpUnfit,
    HoldEnded,
    WharfingerError,
    Unfit,
    OSError,
)


def backup(
    folder: Folder,
    *,
    keep: Annotated[int, typer.Option(help="How many backups stay in the folder, this one among them.", min=1)] = 7,
    without_secret: Annotated[
        bool, typer.Option("--without-secret", help="Leave out what opens sealed secrets, such as second factors.")
    ] = False,
    rate: Rate = "none",
    list_only: Annotated[bool, typer.Option("--list", help="Only list the backups of the folder.")] = False,
    config: Config = None,
) -> None:
    """Back up everything while the registry runs; bytes that the folder has already are not copied again."""
    if list_only:
        _list(folder)
        return

    async def work(settings: Settings, bar: "_Bar") -> tuple[Backup, Copied]:
        return await recovery.back_up(
            settings,
            folder,
            operator(),
            with_secret=not without_secret,
            keep=keep,
            rate=parse_rate(rate),
            progress=bar.tell,
        )

    settings = read_settings(config).settings
    made, copied = _run(settings, work, migrate=True)
    say(
        f"backup {made.id}: {counted(made.blobs, 'blob')}, {readable(made.size)}; "
        f"copied {readable(copied.bytes)}, {copied.already} were there already"
    )
    where = recovery.secret_path(settings)
    if SECRET not in made.pieces and (where is None or where.exists()):
        what = "http.secret" if where is None else str(where)
        note(f"what opens sealed secrets is not in the backup: keep {what} elsewhere", warning=True)
    if copied.damaged:
        _name_damaged(copied, "could not be copied: their bytes are wrong or gone; `wharfinger verify` says more")
        raise typer.Exit(1)


def restore(
    folder: Folder,
    *,
    backup_id: Annotated[
        str | None, typer.Option("--backup", help="Which one; without it, the newest.", metavar="ID")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Also where there is a registry already; it is moved aside.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Only read the backup and check it; write nothing.")] = False,
    rate: Rate = "none",
    config: Config = None,
) -> None:
    """Make a registry out of a backup, and verify it. The server must not run.

    Ends with 0 if everything is there, and with 1 otherwise.
    """
    if check:
        _check(folder, backup_id, rate)
        return

    async def work(settings: Settings, bar: "_Bar") -> recovery.Restored:
        return await recovery.restore(
            settings,
            folder,
            backup_id,
            operator(),
            replace=replace,
            rate=parse_rate(rate),
            progress=bar.tell,
            verifying=bar.tell_verified,
        )

    done = _run(read_settings(config).settings, work, migrate=False)
    size = readable(done.copied.bytes)
    say(f"restored {done.backup.id} of {_moment(done.backup)}: {counted(done.copied.done, 'blob')}, {size} copied")
    if done.aside is not None:
        say(f"the database that was there is now {done.aside}")
    if done.copied.damaged:
        _name_damaged(done.copied, "not in the backup; push the images that need them again")
    for registry, count in done.findings.items():
        which = "" if registry == DEFAULT_REGISTRY else f" --registry {registry}"
        complain(f"{counted(count, 'finding')}; `wharfinger verify{which}` shows them")
    if done.copied.damaged or done.findings:
        raise typer.Exit(1)
    say("verified: everything is there")


def _list(folder: Path) -> None:
    try:
        found = asyncio.run(recovery.list_backups(folder))
    except _FAILURES as error:
        fail(str(error) or repr(error))
    print_table(
        ("backup", "blobs", "size", "damaged", "version"),
        ((one.id, one.blobs, readable(one.size), one.damaged, one.version) for one in found),
    )


def _check(folder: Path, backup_id: str | None, rate: str) -> None:
    try:
        with _Bar() as bar:
            found, copied = asyncio.run(
                recovery.check_backup(folder, backup_id, rate=parse_rate(rate), progress=bar.tell)
            )
    except _FAILURES as error:
        fail(str(error) or repr(error))
    if copied.damaged:
        _name_damaged(copied, "missing or damaged in the backup")
        raise typer.Exit(1)
    say(f"backup {found.id} of {_moment(found)} is whole: {counted(copied.done, 'blob')}, {readable(found.size)}")


def _run(settings: Settings, work: Callable[[Settings, "_Bar"], Awaitable[T]], *, migrate: bool) -> T:
    async def main(bar: "_Bar") -> T:
        return await work(settings, bar)

    try:
        if migrate:
            storage.migrate(settings, beside=True)
        with _Bar() as bar:
            return asyncio.run(main(bar))
    except _FAILURES as error:
        fail(str(error) or repr(error))
    except KeyboardInterrupt:
        fail("interrupted; start it again, and it goes on with what is missing")


def _name_damaged(copied: Copied, what: str) -> None:
    for digest in copied.named:
        complain(digest)
    complain(f"{counted(copied.damaged, 'blob')} {what}")


def _moment(found: Backup) -> str:
    return f"{as_datetime(found.made_at):%Y-%m-%d %H:%M} UTC"


class _Bar(Progress):
    """A bar on a terminal, and nothing elsewhere."""

    def __init__(self) -> None:
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[size]}"),
            TimeElapsedColumn(),
            console=err,
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._task = self.add_task("blobs", total=None, size="")

    def tell(self, copied: Copied) -> None:
        """Show how far it is."""
        self.update(self._task, total=copied.total, completed=copied.done, size=readable(copied.bytes))

    def tell_verified(self, run: Run) -> None:
        """Show how far the verification at the end is."""
        self.update(
            self._task,
            description=f"verifying {run.phase}",
            total=run.ceiling or None,
            completed=run.position,
            size=readable(run.tally.bytes),
        )
