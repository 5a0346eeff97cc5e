# SPDX-License-Identifier: Apache-2.0
"""Where everything is put together: settings in, a running application out.

The only module that knows both the settings and the concrete drivers. `build` makes the services, and is what tests
call too; `work` runs the background jobs; what a worker process serves is put together in `application`.
"""

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from wharfinger import content_rules, health_checks, sign_in, telemetry
from wharfinger.blobstore.base import BlobStore
from wharfinger.blobstore.filesystem import FilesystemBlobStore
from wharfinger.blobstore.guarded import GuardedBlobStore
from wharfinger.clock import Clock
from wharfinger.domain.collection import Rules
from wharfinger.domain.errors import DatabaseUnavailable, SignInUnready, Unavailable
from wharfinger.domain.names import DEFAULT_REGISTRY
from wharfinger.domain.switches import Switches
from wharfinger.metadata import accounts as account_rows
from wharfinger.metadata import migrations, postgresql, repositories, sqlite, uploads
from wharfinger.metadata.database import Database
from wharfinger.outbound.shared import SharedClient
from wharfinger.security.envelope import Envelope
from wharfinger.services import People, Services
from wharfinger.services.accounts import Accounts
from wharfinger.services.audit import Audit
from wharfinger.services.authorization import Authorization
from wharfinger.services.beginning import Beginning
from wharfinger.services.blobs import Blobs
from wharfinger.services.cache import ContentCache
from wharfinger.services.collection import Collection
from wharfinger.services.credentials import Credentials
from wharfinger.services.grants import Grants
from wharfinger.services.management import Management
from wharfinger.services.manifests import Manifests
from wharfinger.services.namespaces import Namespaces
from wharfinger.services.organizations import Organizations
from wharfinger.services.outlook import Outlooks
from wharfinger.services.pulls import Pulls
from wharfinger.services.refusals import Refusals
from wharfinger.services.registries import Registries, Registry, RegistrySwitches
from wharfinger.services.repositories import Repositories
from wharfinger.services.retention import Retention
from wharfinger.services.reviews import Reviews
from wharfinger.services.sign_in import AccountIdentity
from wharfinger.services.tags import Tags
from wharfinger.services.tokens import Tokens
from wharfinger.services.trash import Trash
from wharfinger.services.trust import TrustRules
from wharfinger.services.uploads import Uploads
from wharfinger.services.verification import Verification
from wharfinger.settings import Settings, SignIn, where_to_sign_in
from wharfinger.workers import jobs, runner

_log = telemetry.logger("bootstrap")
MEBIBYTE: Final = 1024 * 1024
STORE_DEADLINE: Final = 60.0
"""Seconds for one step of the blob store; a disk that takes longer is not there."""
_RETRY_SECONDS: Final = 2.0


class MigrationNeeded(Exception):
    """The database is not at this version's schema, and `database.migrate` is `manual`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The services, and what must be closed in the end."""

    services: Services
    database: Database
    stores: Sequence[BlobStore]
    outbound: SharedClient

    async def start(self) -> None:
        """Try the stores, which also makes their folders; one that fails is reported, and reads go on."""
        for store in self.stores:
            try:
                await store.check()
            except Unavailable as error:
                _log.error("a store is not ready", reason=error.message)

    async def aclose(self) -> None:
        """Close the stores, the connections to others and the database; what was counted is written before."""
        await self.services.refusals.flush()
        await self.services.pulls.aclose()
        for store in self.stores:
            await store.aclose()
        self.outbound.close()
        await self.database.aclose()


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
                message = f"the database is at {found or 'nothing'}, this version needs {migrations.HEAD}"
                raise MigrationNeeded(message)
            migrations.upgrade(engine)
            return found or "nothing"
        if settings.database.url is None and not beside:
            # One node has this database, and it has just started: whoever held an upload is gone.
            with engine.begin() as connection:
                uploads.release_all(connection)
        return None
    finally:
        engine.dispose()


def require_safe(settings: Settings) -> None:
    """Return unless the settings endanger a registry that has accounts; the database has been migrated.

    Raises:
        SignInUnready: they would open it: somebody meant to ask who is there, and a line that was forgotten must not
            undo it. Or they would have people show their passwords to everybody on the way.
    """
    opens = settings.auth.kind == "none"
    bares = settings.auth.kind is None and where_to_sign_in(settings) is SignIn.UNSAFE
    if not opens and not bares:
        return
    engine = open_engine(settings)
    try:
        with engine.connect() as connection:
            has_accounts = account_rows.ANY.first(connection) is not None
    finally:
        engine.dispose()
    if has_accounts and bares:
        message = (
            f"there are accounts, and passwords and tokens would travel to {settings.http.addr} unencrypted: set "
            "http.tls, or let a proxy speak TLS and set http.host to its https address, or say accounts.allowplain: "
            "true"
        )
        raise SignInUnready(message)
    if has_accounts:
        message = (
            "there are accounts, but `auth: none` would let everybody in without one; take it out of the settings, and "
            "everybody signs in"
        )
        raise SignInUnready(message)


def build(settings: Settings) -> Deployment:
    """Open the database and the stores and make every service; the database has been migrated."""
    clock = _clock(settings)
    identity = sign_in.identity(settings, clock)
    registry_id = _default_registry(settings)  # first: a database that does not answer leaves nothing open
    database = _database(settings)
    store = open_store(settings)
    switches = _switches(settings)
    default = Registry(id=registry_id, name=DEFAULT_REGISTRY, store=store)
    registries = Registries(default)
    accounts, credentials = Accounts(database, clock), Credentials(database, clock, sign_in.lifetimes(settings))
    refusals = Refusals(database, clock)
    authorization = _authorization(settings, database, switches, refusals)
    envelope = sign_in.envelope(settings)
    tokens = _tokens(settings, database, clock, authorization, envelope)
    outbound = SharedClient(settings.outbound.allow, settings.outbound.ports, settings.outbound.authorities, clock)
    trust = TrustRules(database, clock, outbound.keys)
    people = sign_in.people(settings, database, clock, outbound, envelope, refusals)
    if settings.auth.kind is None:
        known = _Known(accounts=accounts, credentials=credentials, tokens=tokens, trust=trust, people=people)
        identity = _identity(settings, database, clock, default, known, authorization=authorization, refusals=refusals)
    listing = Repositories(database, clock, switches)
    services = Services(
        accounts=accounts,
        audit=Audit(database),
        authorization=authorization,
        beginning=Beginning(database, clock),
        blobs=_blobs(settings, database, clock, switches),
        collection=Collection(database, registries, clock),
        credentials=credentials,
        grants=Grants(database, clock),
        health=health_checks.health(settings, clock, database, store),
        identity=identity,
        management=Management(database, authorization),
        manifests=_manifests(settings, database, clock, switches),
        namespaces=Namespaces(database, clock),
        organizations=Organizations(database, clock),
        outlooks=Outlooks(database, clock, Rules(window=_microseconds(settings.undo.window))),
        people=people,
        pulls=Pulls(database, listing, clock),
        refusals=refusals,
        registries=registries,
        registry_switches=RegistrySwitches(database, clock),
        repositories=listing,
        retention=Retention(database, registries, clock, switches),
        reviews=_reviews(settings, database, clock, switches),
        tags=Tags(database, listing, clock, switches),
        tokens=tokens,
        trash=Trash(database, clock, switches, window=_microseconds(settings.undo.window)),
        trust=trust,
        uploads=_uploads(settings, database, clock, switches),
        verification=Verification(database, clock),
    )
    return Deployment(services=services, database=database, stores=(store,), outbound=outbound)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """By what an account is recognised."""

    accounts: Accounts
    credentials: Credentials
    tokens: Tokens
    trust: TrustRules
    people: People


def _identity(
    settings: Settings,
    database: Database,
    clock: Clock,
    registry: Registry,
    known: _Known,
    *,
    authorization: Authorization,
    refusals: Refusals,
) -> AccountIdentity:
    return AccountIdentity(
        database=database,
        accounts=known.accounts,
        credentials=known.credentials,
        tokens=known.tokens,
        trust=known.trust,
        authorization=authorization,
        registry=registry,
        clock=clock,
        passwords=known.people.passwords,
        demands=known.people.demands,
        refusals=refusals,
        password_login=settings.accounts.passwords,
    )


def _switches(settings: Settings) -> Switches:
    return Switches(deletion=settings.storage.delete.enabled, read_only=settings.storage.maintenance.readonly.enabled)


def _authorization(settings: Settings, database: Database, switches: Switches, refusals: Refusals) -> Authorization:
    anonymous_pull = settings.accounts.anonymouspull
    return Authorization(database, sign_in.mode(settings), switches, anonymous_pull=anonymous_pull, refusals=refusals)


def _tokens(
    settings: Settings,
    database: Database,
    clock: Clock,
    authorization: Authorization,
    envelope: Callable[[], Envelope],
) -> Tokens:
    lifetime = int(settings.workloads.lifetime.total_seconds())
    return Tokens(database, clock, authorization, envelope, workload_lifetime=lifetime)


def _manifests(settings: Settings, database: Database, clock: Clock, switches: Switches) -> Manifests:
    cache = ContentCache(max_bytes=32 * MEBIBYTE, max_item=4 * MEBIBYTE)
    rules = content_rules.manifest_rules(settings)
    return Manifests(database=database, clock=clock, switches=switches, rules=rules, cache=cache)


def _uploads(settings: Settings, database: Database, clock: Clock, switches: Switches) -> Uploads:
    return Uploads(
        database=database,
        clock=clock,
        switches=switches,
        max_size=settings.validation.blobs.maxsize,
        expiry=_microseconds(settings.storage.maintenance.uploadpurging.age),
        lease=_microseconds(settings.collection.grace),
    )


def _blobs(settings: Settings, database: Database, clock: Clock, switches: Switches) -> Blobs:
    cache = ContentCache(max_bytes=8 * MEBIBYTE, max_item=64 * 1024)
    return Blobs(database, clock, switches, cache, lease=_microseconds(settings.collection.grace))


def _reviews(settings: Settings, database: Database, clock: Clock, switches: Switches) -> Reviews:
    rules = Rules(window=_microseconds(settings.undo.window))
    return Reviews(database=database, clock=clock, switches=switches, rules=rules)


def end_with(parent: int) -> None:
    """Have this process told to stop once its parent is gone, however it went: it would keep the address for ever."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def work(settings: Settings, parent: int | None = None) -> None:
    """Run the background jobs until SIGTERM, or until the process that started this one is gone."""
    if parent is not None:
        end_with(parent)
    configure_log(settings)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_work(settings))


async def check(settings: Settings) -> dict[str, str]:
    """Try the database and every store; returns what is wrong, by name."""
    deployment = build(settings)
    try:
        return dict(await deployment.services.health.problems())
    finally:
        await deployment.aclose()


async def _work(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    deployment = await _build_in_time(settings, stop)
    if deployment is None:
        return
    try:
        await runner.run(_jobs(settings, deployment.services, stop), stop)
    finally:
        await deployment.aclose()


def _jobs(settings: Settings, services: Services, stop: asyncio.Event) -> Sequence[jobs.Job]:
    purging = settings.storage.maintenance.uploadpurging
    table = [*jobs.jobs(services, purge_uploads=purging.interval if purging.enabled else None, dry_run=purging.dryrun)]
    if settings.collection.enabled:
        table += jobs.collecting(services, interval=settings.collection.interval, batch=settings.collection.batch)
    table += jobs.keeping(services, interval=settings.retention.interval)
    if settings.verification.enabled:
        verifying = settings.verification
        table += jobs.verifying(services, interval=verifying.interval, rate=verifying.rate, stop=stop.is_set)
    return table


async def _build_in_time(settings: Settings, stop: asyncio.Event) -> Deployment | None:
    """Build once the database answers, for a process that nobody starts again; nothing if it is to stop before."""
    while not stop.is_set():
        try:
            return build(settings)
        except (DBAPIError, DatabaseUnavailable):
            _log.warning("the database does not answer; background jobs wait for it")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_RETRY_SECONDS):
                await stop.wait()
    return None


def configure_log(settings: Settings) -> None:
    """Have this process log as the settings say."""
    telemetry.configure_log(settings.log.level, settings.log.formatter, settings.log.fields)


def _microseconds(span: timedelta) -> int:
    return span // timedelta(microseconds=1)


def open_engine(settings: Settings) -> Engine:
    """Return an engine over the database that the settings name, for work outside a running node."""
    if settings.database.url is not None:
        return postgresql.open_engine(settings.database.url.reveal())
    path = sqlite_path(settings)
    try:
        sqlite.make_place(path)
    except OSError as error:
        message = f"storage.filesystem.rootdirectory: {path.parent} cannot be made: {error.strerror}"
        raise DatabaseUnavailable(message) from error
    return sqlite.open_engine(path, pooled=False)


def _clock(settings: Settings) -> Clock:
    url = settings.database.url
    return Clock() if url is None else postgresql.DatabaseClock(url.reveal())  # nodes of one database go by its time


def _database(settings: Settings) -> Database:
    url = settings.database.url
    return sqlite.SqliteDatabase(sqlite_path(settings)) if url is None else postgresql.PostgresDatabase(url.reveal())


def open_store(settings: Settings) -> BlobStore:
    """Open the store of the registry `default`."""
    filesystem = settings.storage.filesystem
    driver = FilesystemBlobStore(blobs_path(settings), reserve=filesystem.reserve, max_threads=filesystem.maxthreads)
    return GuardedBlobStore(driver, timeout=STORE_DEADLINE, observe=_observe_store)


def _observe_store(operation: str, seconds: float, outcome: str) -> None:
    telemetry.STORE_OPERATIONS.labels(operation, outcome).observe(seconds)


def _default_registry(settings: Settings) -> int:
    engine = open_engine(settings)
    try:
        with engine.connect() as connection:
            found = repositories.find_registry(connection, DEFAULT_REGISTRY)
    finally:
        engine.dispose()
    if found is None:
        message = "The database has no registry `default`."
        raise DatabaseUnavailable(message)
    return found
