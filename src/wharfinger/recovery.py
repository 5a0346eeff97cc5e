# SPDX-License-Identifier: Apache-2.0
"""Backup and restoration, put together: what the settings name on the one side, a folder of backups on the other.

A restored database appears at one stroke. With SQLite it is built beside its place and renamed; with PostgreSQL it is
one transaction. What stood in its place is moved aside, never overwritten.
"""

import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from wharfinger import __version__, bootstrap, registry_stores, storage
from wharfinger.blobstore.base import BlobStore
from wharfinger.blobstore.filesystem import FilesystemBlobStore
from wharfinger.blobstore.guarded import GuardedBlobStore
from wharfinger.clock import Clock
from wharfinger.domain.backups import Backup
from wharfinger.domain.errors import DatabaseUnavailable, RegistryConflict
from wharfinger.domain.identity import Actor
from wharfinger.domain.sentences import Sentence
from wharfinger.domain.verification import Scope
from wharfinger.metadata import dump, migrations, sqlite
from wharfinger.metadata.dump import Loader
from wharfinger.services.archive import Archive
from wharfinger.services.backup import Backups, Copied, Progress
from wharfinger.services.restoration import Held, Outcome, Restoration
from wharfinger.services.storages import Storages, claim, replace_mark
from wharfinger.services.verification import Progress as VerificationProgress
from wharfinger.settings import Settings
from wharfinger.storage import STORE_DEADLINE

_THREADS: Final = 4
_DEFAULT_REGISTRY: Final = 1
"""The first migration makes `default` with this id."""


class TargetUnfit(Exception):
    """The registry that is to be restored cannot take it; the message says why, and what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What a restoration did.

    Args:
        backup: which one was restored.
        copied: what became of its bytes.
        aside: where the database is that stood in its place.
        findings: how many the verification at the end had, by the name of the registry; nothing where all is sound.
    """

    backup: Backup
    copied: Copied
    aside: Path | None
    findings: Mapping[str, int]


def open_backups(folder: Path) -> BlobStore:
    """Open a folder of backups; it is made when something is first stored in it."""
    driver = FilesystemBlobStore(folder, reserve=0, max_threads=_THREADS)
    return GuardedBlobStore(driver, timeout=STORE_DEADLINE, observe=None)


def secret_path(settings: Settings) -> Path | None:
    """Return the file of the secret; nothing where the operator sets it."""
    if settings.http.secret is not None or settings.database.url is not None:
        return None
    return settings.storage.filesystem.rootdirectory / "wharfinger" / "secret"


async def back_up(
    settings: Settings,
    folder: Path,
    by: Actor,
    *,
    with_secret: bool,
    keep: int,
    rate: int | None,
    progress: Progress,
) -> tuple[Backup, Copied]:
    """Make a backup of what the settings name; see `Backups.make`."""
    path, secret = secret_path(settings), None
    if with_secret and path is not None:
        with suppress(FileNotFoundError):  # nothing has been sealed yet
            secret = path.read_bytes()
    store, deployment = open_backups(folder), bootstrap.build(settings)
    try:
        backups = Backups(deployment.database, deployment.services.registries, Clock(), __version__)
        return await backups.make(store, by, secret=secret, keep=keep, rate=rate, progress=progress)
    finally:
        await deployment.aclose()
        await store.aclose()


async def list_backups(folder: Path) -> Sequence[Backup]:
    """Return the whole backups of a folder, the oldest first."""
    store = open_backups(folder)
    try:
        archive = Archive(store)
        return [await archive.find(one) for one in (await archive.ids())[0]]
    finally:
        await store.aclose()


async def check_backup(
    folder: Path, backup_id: str | None, *, rate: int | None, progress: Progress
) -> tuple[Backup, Copied]:
    """Read a whole backup and hold it against its digests; nothing is written."""
    store = open_backups(folder)
    try:
        backup = await Archive(store).find(backup_id)
        restoration = Restoration(store, backup, Clock(), rate=rate, progress=progress)
        await restoration.check_pieces()
        return backup, await restoration.check_blobs()
    finally:
        await store.aclose()


async def restore(
    settings: Settings,
    folder: Path,
    backup_id: str | None,
    by: Actor,
    *,
    replace: bool,
    rate: int | None,
    progress: Progress,
    verifying: VerificationProgress,
) -> Restored:
    """Make the registry that the settings name what a backup says, and verify it.

    Args:
        settings: name the database and the root directory.
        folder: where backups are.
        backup_id: which one; nothing for the newest.
        by: who asked for it.
        replace: also where the database is not empty; it is moved aside, or with PostgreSQL replaced.
        rate: bytes a second at the most.
        progress: told about every blob.
        verifying: told about the verification at the end.

    Raises:
        TargetUnfit: there is something already, or a node is running.
        BackupUnfit, DumpUnfit: the backup is not whole.
    """
    source = open_backups(folder)
    try:
        backup = await Archive(source).find(backup_id)
        restoration = Restoration(source, backup, Clock(), rate=rate, progress=progress)
        await restoration.check_pieces()
        _require_fit(settings, backup, replace=replace)
        outcome = await _put_blobs(settings, restoration)
        aside = await _put_rows(settings, backup, restoration, outcome)
        secret = await restoration.secret()
        if secret is not None:
            _put_secret(settings, secret)
        findings = await _verify(settings, backup, by, rate, verifying)
        return Restored(backup=backup, copied=outcome.copied, aside=aside, findings=findings)
    finally:
        await source.aclose()


async def _put_blobs(settings: Settings, restoration: Restoration) -> Outcome:
    """Have the bytes of every registry in its own storage.

    Raises:
        TargetUnfit: the settings do not declare one of the storages, or it is another registry's.
    """
    store = storage.open_store(settings)
    storages = registry_stores.open_storages(settings, store)
    try:
        await store.check()
        stores = {_DEFAULT_REGISTRY: store}
        for held in await restoration.held():
            if held.id == _DEFAULT_REGISTRY:
                await replace_mark(store, held.mark)  # the database that this storage belonged to is replaced
            else:
                stores[held.id] = await _claim(storages, held)
        return await restoration.put_blobs(stores)
    finally:
        for one in storages.all():
            await one.store.aclose()


async def _claim(storages: Storages, held: Held) -> BlobStore:
    found = storages.find(held.storage)
    if found is None:
        message = (
            f"the registry {held.name} of the backup has the storage {held.storage}, and the settings do not declare "
            "it: add it to `storages`"
        )
        raise TargetUnfit(message)
    try:
        await claim(found, held.mark)
    except RegistryConflict as error:
        raise TargetUnfit(error.message) from error
    return found.store


async def _put_rows(settings: Settings, backup: Backup, restoration: Restoration, outcome: Outcome) -> Path | None:
    if settings.database.url is not None:
        engine = storage.open_engine(settings)
        try:
            migrations.upgrade(engine, backup.revision)
            with Loader(engine, backup.revision) as loader:
                await restoration.put_rows(loader, outcome)
            migrations.upgrade(engine)
        finally:
            engine.dispose()
        return None
    path = storage.sqlite_path(settings)
    draft = path.with_name(f"{path.name}.restoring")
    _remove(draft)
    sqlite.make_place(draft)
    engine = sqlite.open_engine(draft, pooled=False)
    try:
        migrations.upgrade(engine, backup.revision)
        with Loader(engine, backup.revision) as loader:
            await restoration.put_rows(loader, outcome)
        migrations.upgrade(engine)
    finally:
        engine.dispose()
    _close_log(draft)
    aside = _move_aside(path, backup)
    _rename(draft, path)
    return aside


async def _verify(
    settings: Settings, backup: Backup, by: Actor, rate: int | None, verifying: VerificationProgress
) -> Mapping[str, int]:
    deployment = bootstrap.build(settings)
    try:
        services = deployment.services
        await Backups(deployment.database, services.registries, Clock(), __version__).note_restored(backup, by)
        findings: dict[str, int] = {}
        for registry in await services.registries.all():
            report = await services.verification.run(registry, Scope(), by, rate=rate, restart=True, progress=verifying)
            if report.findings:
                findings[registry.name] = report.findings
        return findings
    finally:
        await deployment.aclose()


def _require_fit(settings: Settings, backup: Backup, *, replace: bool) -> None:
    """Return if the database may be replaced now.

    Raises:
        TargetUnfit: it is not empty and nobody said so, or a process has it open.
    """
    if settings.database.url is None and not storage.sqlite_path(settings).exists():
        return
    engine = storage.open_engine(settings)
    try:
        revision = migrations.revision(engine)
        if settings.database.url is not None:
            _require_alone(engine)
            if revision not in {None, backup.revision}:
                message = f"the database is at revision {revision}, the backup at {backup.revision}: give an empty one"
                raise TargetUnfit(message)
        if revision is not None and not replace:
            with engine.connect() as connection:
                if not dump.is_empty(connection):
                    message = "there is a registry in this database already; --replace puts the backup in its place"
                    raise TargetUnfit(message)
    except DBAPIError as error:
        message = Sentence("the database cannot be used: %(why)s", why=str(error.orig))
        raise DatabaseUnavailable(message) from error
    finally:
        engine.dispose()
    if settings.database.url is None:
        _close_log(storage.sqlite_path(settings))


def _require_alone(engine: Engine) -> None:
    """Raise if a node is connected to the PostgreSQL database."""
    with engine.connect() as connection:
        others = connection.execute(
            text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND application_name = 'wharfinger' AND pid <> pg_backend_pid()"
            )
        ).scalar_one()
    if others:
        message = "a node is connected to this database; stop every node first"
        raise TargetUnfit(message)


def _close_log(path: Path) -> None:
    """Take the write-ahead log over into the database's file, which only its one user can do, and make it durable.

    Raises:
        TargetUnfit: another process has the database open.
    """
    try:
        with closing(sqlite3.connect(path, timeout=1, isolation_level=None)) as connection:
            (mode,) = connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    except sqlite3.OperationalError as error:
        message = f"{path} is in use ({error}); stop the server first"
        raise TargetUnfit(message) from error
    except sqlite3.DatabaseError:
        return  # it is damaged: it is moved aside as it is
    if mode != "delete":
        message = f"{path} is in use; stop the server first"
        raise TargetUnfit(message)
    _sync(path)


def _move_aside(path: Path, backup: Backup) -> Path | None:
    """Give the database that stands there another name; of one that is gone, only its log may be left."""
    aside = path.with_name(f"{path.name}.before-{backup.id}")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.before-{backup.id}-{number}")
    found = path.exists()
    for suffix in ("", "-wal", "-shm"):  # a log of another database must never meet this one
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(f"{aside}{suffix}")
    return aside if found else None


def _put_secret(settings: Settings, content: bytes) -> None:
    """Put the file of the secret in its place, whole and for its owner only."""
    path = secret_path(settings)
    if path is None:
        return
    draft = path.with_name(f".{path.name}-restoring")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)
    _rename(draft, path)


def _rename(draft: Path, path: Path) -> None:
    _sync(draft)
    draft.rename(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
