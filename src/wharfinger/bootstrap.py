# SPDX-License-Identifier: Apache-2.0
"""Where everything is put together: settings in, a running application out.

`build` makes the services, and is what tests call too; `work` runs the background jobs. What they stand on is opened
in `storage`; what a worker process serves is put together in `application`.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

from sqlalchemy.exc import DBAPIError

from wharfinger import content_rules, health_checks, registry_stores, sign_in, storage, telemetry
from wharfinger.blobstore.base import BlobStore
from wharfinger.clock import Clock
from wharfinger.domain.collection import Rules
from wharfinger.domain.deployment import Setting
from wharfinger.domain.errors import DatabaseUnavailable, Unavailable
from wharfinger.domain.switches import Switches
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
from wharfinger.services.content import Content
from wharfinger.services.credentials import Credentials
from wharfinger.services.descriptions import Descriptions
from wharfinger.services.explanations import Explanations
from wharfinger.services.figures import Figures
from wharfinger.services.grants import Grants
from wharfinger.services.inspection import Inspections
from wharfinger.services.jobs import Jobs
from wharfinger.services.labels import Labels
from wharfinger.services.lifecycle import Lifecycle
from wharfinger.services.management import Management
from wharfinger.services.manifests import Manifests
from wharfinger.services.namespaces import Namespaces
from wharfinger.services.organizations import Organizations
from wharfinger.services.outlook import Outlooks
from wharfinger.services.premises import Premises
from wharfinger.services.pulls import Pulls
from wharfinger.services.reach import Reaches
from wharfinger.services.refusals import Refusals
from wharfinger.services.registries import Registry, RegistrySwitches
from wharfinger.services.repositories import Repositories
from wharfinger.services.retention import Retention
from wharfinger.services.reviews import Reviews
from wharfinger.services.rounds import Rounds
from wharfinger.services.search import Search
from wharfinger.services.sign_in import AccountIdentity
from wharfinger.services.sizes import Sizes
from wharfinger.services.stars import Stars
from wharfinger.services.tags import Tags
from wharfinger.services.tokens import Tokens
from wharfinger.services.trash import Trash
from wharfinger.services.trust import TrustRules
from wharfinger.services.uploads import Uploads
from wharfinger.services.verification import Verification
from wharfinger.settings import Settings
from wharfinger.workers import jobs, runner

_log = telemetry.logger("bootstrap")
MEBIBYTE: Final = 1024 * 1024
_RETRY_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The services, and what must be closed in the end."""

    services: Services
    database: Database
    stores: Sequence[BlobStore]
    outbound: SharedClient

    async def start(self) -> None:
        """Try the stores, which also makes their folders; one that fails is reported, and reads go on.

        One that bears the mark of another registry is not used.
        """
        for store in self.stores:
            try:
                await store.check()
            except Unavailable as error:
                _log.error("a store is not ready", reason=error.message)
        try:
            await self.services.registries.check_marks()
        except Unavailable as error:
            _log.error("the storages of the registries cannot be looked at", reason=error.message)

    async def aclose(self) -> None:
        """Close the stores, the connections to others and the database; what was counted is written before."""
        await self.services.refusals.flush()
        await self.services.pulls.aclose()
        for store in self.stores:
            await store.aclose()
        self.outbound.close()
        await self.database.aclose()


def build(settings: Settings, shown: Sequence[Setting] = ()) -> Deployment:
    """Open database and stores and make every service; the database was migrated. `shown` is what people see."""
    clock = storage.open_clock(settings)
    identity = sign_in.identity(settings, clock)
    registry_id = storage.default_registry(settings)  # first: a database that does not answer leaves nothing open
    database = storage.open_database(settings)
    switches, opened = _switches(settings), registry_stores.open_all(settings, database, clock, registry_id)
    refusals, listing = Refusals(database, clock), Repositories(database, clock, switches)
    authorization = _authorization(settings, database, switches, refusals)
    outbound = SharedClient(settings.outbound.allow, settings.outbound.ports, settings.outbound.authorities, clock)
    known = _known(settings, database, clock, outbound, authorization=authorization, refusals=refusals)
    identity = _identity(settings, database, clock, opened.default, known) if settings.auth.kind is None else identity
    manifests, blobs = _manifests(settings, database, clock, switches), _blobs(settings, database, clock, switches)
    collection, reviews = Collection(database, opened.registries, clock), _reviews(settings, database, clock, switches)
    watch = _watch(settings, shown, database, clock, opened, authorization)
    services = Services(
        accounts=known.accounts,
        audit=Audit(database),
        authorization=authorization,
        beginning=Beginning(database, clock),
        blobs=blobs,
        collection=collection,
        content=Content(database, clock),
        credentials=known.credentials,
        descriptions=Descriptions(database, clock, switches),
        explanations=Explanations(database, authorization),
        grants=Grants(database, clock),
        health=watch.health,
        identity=identity,
        inspections=Inspections(database, manifests, blobs),
        figures=watch.figures,
        jobs=watch.jobs,
        lifecycle=Lifecycle(database, opened.storages, clock, switches),
        management=Management(database, authorization),
        manifests=manifests,
        namespaces=Namespaces(database, clock),
        organizations=Organizations(database, clock),
        outlooks=Outlooks(database, clock, Rules(window=_microseconds(settings.undo.window))),
        people=known.people,
        premises=watch,
        pulls=Pulls(database, listing, clock),
        reaches=Reaches(database),
        refusals=refusals,
        registries=opened.registries,
        registry_switches=RegistrySwitches(database, clock, opened.domains),
        repositories=listing,
        retention=Retention(database, opened.registries, clock, switches),
        reviews=reviews,
        rounds=Rounds(reviews, collection, switches),
        search=Search(database, Labels(database, opened.registries, manifests, blobs)),
        sizes=Sizes(database, listing, clock),
        stars=Stars(database, listing, clock, switches),
        tags=Tags(database, listing, clock, switches),
        tokens=known.tokens,
        trash=Trash(database, clock, switches, window=_microseconds(settings.undo.window)),
        trust=known.trust,
        uploads=_uploads(settings, database, clock, switches),
        verification=watch.verification,
    )
    return Deployment(services=services, database=database, stores=opened.stores, outbound=outbound)


def _watch(
    settings: Settings,
    shown: Sequence[Setting],
    database: Database,
    clock: Clock,
    opened: registry_stores.Opened,
    authorization: Authorization,
) -> Premises:
    """Return what watches the deployment, with the services that it looks through."""
    return Premises(
        facts=health_checks.facts(settings, shown),
        clock=clock,
        authorization=authorization,
        health=health_checks.health(
            settings, clock, database, partial(opened.storages.store_of, registry_stores.DEFAULT_STORAGE)
        ),
        registries=opened.registries,
        figures=Figures(database, opened.registries, clock),
        jobs=Jobs(database, clock, socket.gethostname()),
        verification=Verification(database, clock, in_background=settings.verification.enabled),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """By what an account is recognised."""

    accounts: Accounts
    credentials: Credentials
    tokens: Tokens
    trust: TrustRules
    people: People
    authorization: Authorization
    refusals: Refusals


def _known(
    settings: Settings,
    database: Database,
    clock: Clock,
    outbound: SharedClient,
    *,
    authorization: Authorization,
    refusals: Refusals,
) -> _Known:
    envelope = sign_in.envelope(settings)
    return _Known(
        accounts=Accounts(database, clock),
        credentials=Credentials(database, clock, sign_in.lifetimes(settings)),
        tokens=_tokens(settings, database, clock, authorization, envelope),
        trust=TrustRules(database, clock, outbound.keys),
        people=sign_in.people(settings, database, clock, outbound, envelope, refusals),
        authorization=authorization,
        refusals=refusals,
    )


def _identity(
    settings: Settings, database: Database, clock: Clock, registry: Registry, known: _Known
) -> AccountIdentity:
    return AccountIdentity(
        database=database,
        accounts=known.accounts,
        credentials=known.credentials,
        tokens=known.tokens,
        trust=known.trust,
        authorization=known.authorization,
        registry=registry,
        clock=clock,
        passwords=known.people.passwords,
        demands=known.people.demands,
        refusals=known.refusals,
        password_login=settings.accounts.passwords and settings.accounts.secondfactor != "required",
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


def work(settings: Settings) -> None:
    """Run the background jobs until SIGTERM."""
    configure_log(settings)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_work(settings))


async def check(settings: Settings) -> dict[str, str]:
    """Try the database and every store; returns what is wrong, by name."""
    deployment = build(settings)
    try:
        problems = dict(await deployment.services.health.problems())
        for name, row in (await deployment.services.lifecycle.holders()).items():
            if deployment.services.lifecycle.storages.find(name) is None:
                problems[f"storages.{name}"] = f"the registry {row.name} has it, and the settings do not declare it"
        return problems
    finally:
        await deployment.aclose()


async def storages(settings: Settings) -> Sequence[tuple[str, str, str]]:
    """Return every storage that the settings declare: its name, its place, and which registry has it."""
    deployment = build(settings)
    try:
        lifecycle = deployment.services.lifecycle
        holders = await lifecycle.holders()
        return [
            (one.name, one.place, f"serves {holders[one.name].name}" if one.name in holders else "free")
            for one in lifecycle.storages.all()
        ]
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
        await runner.run(_jobs(settings, deployment.services, stop), stop, deployment.services.jobs)
    finally:
        await deployment.aclose()


def _jobs(settings: Settings, services: Services, stop: asyncio.Event) -> Sequence[jobs.Job]:
    purging = settings.storage.maintenance.uploadpurging
    table = [
        *jobs.jobs(
            services,
            bury=settings.collection.interval,
            purge_uploads=purging.interval if purging.enabled else None,
            dry_run=purging.dryrun,
        )
    ]
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
