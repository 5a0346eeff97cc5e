# SPDX-License-Identifier: Apache-2.0
"""Running a node: serve, check, work, migrate, version."""

import asyncio
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from wharfinger import __version__, server, storage
from wharfinger.cli.terminal import ConfigFile, complain, err, fail, note, out, read_settings
from wharfinger.domain.errors import WharfingerError
from wharfinger.settings import Loaded, Settings, describe, shown


def serve(
    config: ConfigFile = None,
    *,
    no_work: Annotated[bool, typer.Option("--no-work", help="Run no background jobs in this node.")] = False,
) -> None:
    """Run the registry until it is told to stop."""
    loaded = read_settings(config)
    settings = loaded.settings
    try:
        _try_sign_in(settings)
        # First what may be wrong with this start: one that fails leaves the database as it was.
        concern = server.check_certificate(settings)
        server.require_free(settings)
        before = storage.migrate(settings)
        _greet(loaded, before, has_accounts=storage.require_safe(settings))
        if concern:
            note(concern, warning=True)
        server.serve(settings, shown(loaded), with_jobs=not no_work)
    except (storage.MigrationNeeded, server.CannotListen, server.BadCertificate, WharfingerError, OSError) as error:
        fail(str(error) or repr(error))


def check(config: ConfigFile = None) -> None:
    """Validate the settings, try the database and the stores, and print what is in force and where it came from."""
    loaded = read_settings(config)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("setting", no_wrap=True)  # a key that is cut in two can be neither found nor copied
    for heading in ("value", "from"):
        table.add_column(heading, overflow="fold")
    for row in describe(loaded):
        style = None if row.origin == "default" else "bold"
        table.add_row(escape(row.key), escape(row.value), escape(row.origin), style=style)
    out.print(table)
    _notes(loaded)
    usable = _has_usable_certificate(loaded)
    from wharfinger import bootstrap  # noqa: PLC0415 - `serve` would wait for all that it puts together

    try:
        storage.migrate(loaded.settings)
        storage.require_safe(loaded.settings)
        problems = asyncio.run(bootstrap.check(loaded.settings))
        for name, place, use in asyncio.run(bootstrap.storages(loaded.settings)):
            out.print(escape(f"storage {name}: {place}, {use}"))
    except (storage.MigrationNeeded, WharfingerError, OSError) as error:
        fail(str(error) or repr(error))
    for name, problem in problems.items():
        complain(f"{name}: {problem}")
    if problems or not usable:
        raise typer.Exit(1)
    out.print("[green]✓[/] the settings are valid; the database and the store answer")


def work(config: ConfigFile = None) -> None:
    """Run only the background jobs, for a node without `serve`."""
    from wharfinger import bootstrap  # noqa: PLC0415 - as above

    loaded = read_settings(config)
    try:
        storage.migrate(loaded.settings)
        bootstrap.work(loaded.settings)
    except (storage.MigrationNeeded, WharfingerError, OSError) as error:
        fail(str(error) or repr(error))


def migrate(config: ConfigFile = None) -> None:
    """Bring the database to the schema of this version."""
    loaded = read_settings(config)
    try:
        before = storage.migrate(loaded.settings, by_hand=True)
    except (WharfingerError, OSError) as error:
        fail(str(error) or repr(error))
    out.print("the database is up to date" if before is None else f"the database was migrated from {before}")


def version() -> None:
    """Print the version."""
    out.print(__version__)


def _try_sign_in(settings: Settings) -> None:
    """Read what recognises callers, if the settings name anything to read; most name nothing, and load nothing."""
    if settings.auth.kind in {"htpasswd", "token"} or settings.accounts.oidc or settings.outbound.authorities:
        from wharfinger import sign_in  # noqa: PLC0415 - see above

        sign_in.try_sign_in(settings)


def _greet(loaded: Loaded, migrated_from: str | None, *, has_accounts: bool) -> None:
    settings = loaded.settings
    scheme = "https" if settings.http.tls.certificate else "http"
    where = settings.http.addr if settings.http.net == "unix" else f"{scheme}://{_readable(settings.http.addr)}"
    database = "PostgreSQL" if settings.database.url else str(storage.sqlite_path(settings))
    _notes(loaded, has_accounts=has_accounts)
    if migrated_from is not None:
        err.print(f"[dim]database[/]  its schema was brought up to date ({escape(migrated_from)} before)")
    err.print(f"[bold]Wharfinger {__version__}[/], starting at [bold cyan]{escape(where)}[/]")
    err.print(f"[dim]database[/]  {escape(database)}")
    err.print(f"[dim]blobs[/]     {escape(str(storage.blobs_path(settings)))}")
    err.print(f"[dim]workers[/]   {server.worker_count(settings)}")
    if settings.auth.kind is None and not has_accounts:
        err.print("[dim]sign-in[/]   nobody has to; `wharfinger init NAME`, with the same settings, changes that")
    err.print("[dim]stop[/]      Ctrl-C or SIGTERM")


def _readable(address: str) -> str:
    """Return an address that can be clicked: `:5000` is this machine's."""
    return f"localhost{address}" if address.startswith(":") else address


def _has_usable_certificate(loaded: Loaded) -> bool:
    """Print what is wrong with the certificate, or good to know; whether the server would start with it."""
    try:
        concern = server.check_certificate(loaded.settings)
    except server.BadCertificate as error:
        complain(str(error))
        return False
    if concern:
        note(concern, warning=True)
    return True


def _notes(loaded: Loaded, *, has_accounts: bool = False) -> None:
    for sentence in loaded.notes:
        if has_accounts and sentence in loaded.while_open:
            continue
        note(sentence, warning=sentence in loaded.warnings)
    images = storage.images_of_distribution(loaded.settings)
    if images is not None:
        note(
            f"{images} holds images of CNCF distribution: they are not served, and nothing of them is touched; "
            "this version cannot take them over yet",
            warning=True,
        )
