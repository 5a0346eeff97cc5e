# SPDX-License-Identifier: Apache-2.0
"""The registries of a deployment, put together for `bootstrap`: their storages, opened, and their domains."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from wharfinger import storage
from wharfinger.blobstore.base import BlobStore
from wharfinger.clock import Clock
from wharfinger.domain.names import DEFAULT_REGISTRY
from wharfinger.domain.registries import Domains
from wharfinger.metadata.database import Database
from wharfinger.services.registries import Registries, Registry
from wharfinger.services.storages import Storage, Storages
from wharfinger.settings import Settings

DEFAULT_STORAGE: Final = "default"
"""What the storage of the section `storage` is called; the first migration binds `default` to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What was opened.

    Args:
        default: the registry that there always is.
        store: its store.
        storages: all that the settings declare, that one among them.
        domains: below which registries have their hosts.
        registries: which of them answers where.
    """

    default: Registry
    store: BlobStore
    storages: Storages
    domains: Domains
    registries: Registries

    @property
    def stores(self) -> Sequence[BlobStore]:
        """Every store that is to be closed in the end."""
        return [one.store for one in self.storages.all()]


def open_all(settings: Settings, database: Database, clock: Clock, registry_id: int) -> Opened:
    """Open every storage; `registry_id` is that of `default`."""
    store = storage.open_store(settings)
    storages, domains = open_storages(settings, store), domains_of(settings)
    default = Registry(id=registry_id, name=DEFAULT_REGISTRY, store=store)
    registries = Registries(default, database=database, storages=storages, domains=domains, clock=clock)
    return Opened(default=default, store=store, storages=storages, domains=domains, registries=registries)


def open_storages(settings: Settings, store: BlobStore) -> Storages:
    """Open every storage that the settings declare; `store` is the one of `default`, which is open already."""
    root = settings.storage.filesystem.rootdirectory
    declared = [Storage(name=DEFAULT_STORAGE, place=str(root), store=store)]
    for one in settings.storages:
        folder = one.rootdirectory / "wharfinger" / "blobs"
        opened = storage.open_folder(settings, folder)
        declared.append(Storage(name=one.name, place=str(one.rootdirectory), store=opened))
    return Storages(declared)


def domains_of(settings: Settings) -> Domains:
    """Return below which domains registries have their hosts."""
    host = settings.http.host
    own = None if host is None else urlsplit(host).hostname
    return Domains(
        public=settings.registries.publicdomain,
        private=settings.registries.privatedomain,
        networks=settings.registries.privatenetworks,
        own=frozenset() if own is None else frozenset({own}),
    )
