# SPDX-License-Identifier: Apache-2.0
"""Registries: named spaces of repositories, each with its own store; and which of them answers on a host."""

from dataclasses import dataclass

from wharfinger.blobstore.base import BlobStore
from wharfinger.domain.names import RegistryName


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """A registry as requests meet it."""

    id: int
    name: RegistryName
    store: BlobStore


class Registries:
    """The registries of this deployment."""

    def __init__(self, default: Registry) -> None:
        self._default = default
        self._by_id = {default.id: default}

    def on_host(self, host: str) -> Registry:  # noqa: ARG002 - registries with hosts of their own look at it
        """Return the registry that answers on a host; a host that is nobody's own is `default`."""
        return self._default

    def get(self, registry_id: int) -> Registry:
        """Return the registry of that id, for a background job that read it from a row."""
        return self._by_id[registry_id]

    def all(self) -> tuple[Registry, ...]:
        """Return every registry."""
        return tuple(self._by_id.values())
