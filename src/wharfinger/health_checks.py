# SPDX-License-Identifier: Apache-2.0
"""What makes a node healthy, and what its operator sees of it: put together from the settings, for `bootstrap`."""

import contextlib
from collections.abc import Callable, Sequence
from functools import partial

from wharfinger.blobstore.base import BlobStore
from wharfinger.clock import Clock
from wharfinger.domain.deployment import Facts, Setting
from wharfinger.domain.errors import StoreFull
from wharfinger.metadata.database import Database
from wharfinger.outbound import checks
from wharfinger.services.health import Health
from wharfinger.settings import Settings, reaches_others


def health(settings: Settings, clock: Clock, database: Database, store: Callable[[], BlobStore]) -> Health:
    """Return what tries the database, a store, and what else the operator names.

    Args:
        settings: what counts.
        clock: the time.
        database: the first to be tried.
        store: returns the store of `default`. One that turned out to be another deployment's answers nothing.
    """
    found = Health(clock)
    storage = settings.health.storagedriver
    interval = storage.interval.total_seconds() if storage.enabled else 2.0
    found.add("database", database.check, interval=2.0)
    found.add(
        "storage", partial(_serves, store), interval=interval, threshold=storage.threshold if storage.enabled else 1
    )
    for file in settings.health.file:
        found.add(
            f"file {file.file}",
            partial(checks.absent, file.file),
            interval=file.interval.total_seconds(),
            threshold=file.threshold,
        )
    for tcp in settings.health.tcp:
        host, _, port = tcp.addr.rpartition(":")
        found.add(
            f"tcp {tcp.addr}",
            partial(checks.listens, host.strip("[]"), int(port), tcp.timeout.total_seconds()),
            interval=tcp.interval.total_seconds(),
            threshold=tcp.threshold,
        )
    for url in settings.health.http:
        headers = {name: ", ".join(value.reveal() for value in values) for name, values in url.headers.items()}
        found.add(
            f"http {url.uri}",
            partial(checks.answers, url.uri, headers, url.statuscode, url.timeout.total_seconds()),
            interval=url.interval.total_seconds(),
            threshold=url.threshold,
        )
    return found


def facts(settings: Settings, shown: Sequence[Setting]) -> Facts:
    """Return what pages and programs may know of the settings.

    Args:
        settings: what counts.
        shown: the same for people, each with where it was said.
    """
    host = settings.http.host or ""
    return Facts(
        database="SQLite" if settings.database.url is None else "PostgreSQL",
        encrypted=settings.http.tls.certificate is not None or host.lower().startswith("https:"),
        reaches_others=reaches_others(settings),
        deletion=settings.storage.delete.enabled,
        read_only=settings.storage.maintenance.readonly.enabled,
        collects=settings.collection.enabled,
        verifies=settings.verification.enabled,
        settings=tuple(shown),
    )


async def _serves(store: Callable[[], BlobStore]) -> None:
    """Try the store; one that is full still serves what it has, and the node stays in rotation."""
    with contextlib.suppress(StoreFull):
        await store().check()
