# SPDX-License-Identifier: Apache-2.0
"""What a deployment keeps, and where: the database and the blob store that the settings name, opened and migrated.

Apart from `bootstrap`, because the main process looks after the database before anything is served, and starts sooner
for not loading what serves.
"""

import contextlib
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from wharfinger import telemetry
from wharfinger.blobstore.base import BlobStore
from wharfinger.blobstore.filesystem import FilesystemBlobStore
from wharfinger.blobstore.guarded import GuardedBlobStore
from wharfinger.clock import Clock
from wharfinger.domain.errors import DatabaseUnavailable, SignInUnready
from wharfinger.domain.names import DEFAULT_REGISTRY
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata import accounts as account_rows
from wharfinger.metadata import migrations, postgresql, repositories, sqlite, uploads
from wharfinger.metadata.database import Database
from wharfinger.settings import Settings, SignIn, where_to_sign_in

STORE_DEADLINE: Final = 60.0
"""Seconds for one step of the blob store; a disk that takes longer is not there."""
NOTHING: Final = "nothing"
"""The revision of a database that was not there before."""


class MigrationNeeded(Exception):
    """The database is not at this version's schema, and `database.migrate` is `manual`."""


def sqlite_path(settings: Settings) -> Path:
    """Return the file of the embedded database."""
    return settings.storage.filesystem.rootdirectory / "wharfinger" / "wharfinger.db"


def blobs_path(settings: Settings) -> Path:
    """Return the folder of the filesystem store."""
    return settings.storage.filesystem.rootdirectory / "wharfinger" / "blobs"


def images_of_distribution(settings: Settings) -> Path | None:
    """Return the folder of CNCF distribution's repositories, if there is one in the root directory."""
    path = settings.storage.filesystem.rootdirectory / "docker" / "registry" / "v2" / "repositories"
    with contextlib.suppress(OSError):  # what may not be read is not served by mistake either
        if path.is_dir():
            return path
    return None


def migrate(settings: Settings, *, by_hand: bool = False, beside: bool = False) -> str | None:
    """Bring the database to this version's schema; returns the revision it had before, if it had to move.

    Args:
        settings: name the database, and say whether a start may migrate it.
        by_hand: the operator asks for it, whatever the settings say.
        beside: a node may be running meanwhile; what it holds is left to it.

    Raises:
        MigrationNeeded: it would have to move, and the operator wants to do that by hand.
        DatabaseUnavailable: it does not answer.
    """
    engine = open_engine(settings)
    try:
        found = migrations.revision(engine)
        if found != migrations.HEAD:
            if settings.database.migrate == "manual" and not by_hand:
                message = f"the database is at {found or NOTHING}, this version needs {migrations.HEAD}"
                raise MigrationNeeded(message)
            migrations.upgrade(engine)
            return found or NOTHING
        if settings.database.url is None and not beside:
            # One node has this database, and it has just started: whoever held an upload is gone.
            with engine.begin() as connection:
                uploads.release_all(connection)
        return None
    finally:
        engine.dispose()


def require_safe(settings: Settings) -> bool:
    """Return whether there are accounts, unless the settings endanger a registry that has them.

    The database has been migrated.

    Raises:
        SignInUnready: they would open it: somebody meant to ask who is there, and a line that was forgotten must not
            undo it. Or they would have people show their passwords to everybody on the way.
    """
    opens = settings.auth.kind == "none"
    bares = settings.auth.kind is None and where_to_sign_in(settings) is SignIn.UNSAFE
    engine = open_engine(settings)
    try:
        with engine.connect() as connection:
            has_accounts = account_rows.ANY.first(connection) is not None
    finally:
        engine.dispose()
    if has_accounts and bares:
        message = Sentence(
            "there are accounts, and passwords and tokens would travel to %(addr)s unencrypted: set "
            "http.tls, or let a proxy speak TLS and set http.host to its https address, or say "
            "accounts.allowplain: true",
            addr=settings.http.addr,
        )
        raise SignInUnready(message)
    if has_accounts and opens:
        message = Sentence(
            "there are accounts, but `auth: none` would let everybody in without one; take it out of "
            "the settings, and everybody signs in"
        )
        raise SignInUnready(message)
    return has_accounts


def open_engine(settings: Settings) -> Engine:
    """Return an engine over the database that the settings name, for work outside a running node."""
    if settings.database.url is not None:
        return postgresql.open_engine(settings.database.url.reveal())
    path = sqlite_path(settings)
    try:
        sqlite.make_place(path)
    except OSError as error:
        message = Sentence(
            "storage.filesystem.rootdirectory: %(parent)s cannot be made: %(why)s",
            parent=str(path.parent),
            why=error.strerror or str(error),
        )
        raise DatabaseUnavailable(message) from error
    return sqlite.open_engine(path, pooled=False)


def open_database(settings: Settings) -> Database:
    """Open the database for the services of one process."""
    url = settings.database.url
    return sqlite.SqliteDatabase(sqlite_path(settings)) if url is None else postgresql.PostgresDatabase(url.reveal())


def open_clock(settings: Settings) -> Clock:
    """Return the time by which this deployment goes."""
    url = settings.database.url
    return Clock() if url is None else postgresql.DatabaseClock(url.reveal())  # nodes of one database go by its time


def default_registry(settings: Settings) -> int:
    """Return the id of the registry `default`, which the first migration makes.

    Raises:
        DatabaseUnavailable: it does not answer, or has no such registry.
    """
    engine = open_engine(settings)
    try:
        with engine.connect() as connection:
            found = repositories.find_registry(connection, DEFAULT_REGISTRY)
    finally:
        engine.dispose()
    if found is None:
        message = Sentence("The database has no registry `default`.")
        raise DatabaseUnavailable(message)
    return found


def open_store(settings: Settings) -> BlobStore:
    """Open the store of the registry `default`."""
    return open_folder(settings, blobs_path(settings))


def open_folder(settings: Settings, folder: Path) -> BlobStore:
    """Open a store in a folder, with the limits that the settings have for all."""
    filesystem = settings.storage.filesystem
    driver = FilesystemBlobStore(folder, reserve=filesystem.reserve, max_threads=filesystem.maxthreads)
    return GuardedBlobStore(driver, timeout=STORE_DEADLINE, observe=_observe_store)


def _observe_store(operation: str, seconds: float, outcome: str) -> None:
    telemetry.STORE_OPERATIONS.labels(operation, outcome).observe(seconds)
