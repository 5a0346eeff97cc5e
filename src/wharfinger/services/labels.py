# SPDX-License-Identifier: Apache-2.0
"""Labels: what images say of themselves, read in the background, so that search finds repositories by it.

A push reads no configuration, and waits for nothing here: a background job reads what arrived, some seconds later. What
cannot be read has no labels. The labels are those that the page of a tag shows: annotations of the manifest, and labels
of the image's configuration.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from wharfinger.domain.errors import BlobUnknown, Unavailable, Unknown
from wharfinger.domain.image_config import CONFIG_TYPES, parse_image_config
from wharfinger.domain.inspection import Piece, read_document
from wharfinger.domain.search import label_terms_of
from wharfinger.metadata import labels as rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.labels import Unread
from wharfinger.services.blobs import Blobs
from wharfinger.services.manifests import Manifests, StoredManifest
from wharfinger.services.registries import Registries, Registry

MOST: Final = 1024 * 1024
"""Bytes of a manifest, or of a configuration, that is read for its labels."""


class Labels:
    """Labels of what was pushed to any registry.

    Args:
        database: where rows are.
        registries: which there are.
        manifests: read manifests.
        blobs: read configurations.
    """

    def __init__(self, database: Database, registries: Registries, manifests: Manifests, blobs: Blobs) -> None:
        self._database = database
        self._registries = registries
        self._manifests = manifests
        self._blobs = blobs

    async def index(self, limit: int) -> int:
        """Read what was pushed since; returns how much was read, for a background job."""
        found: dict[int, Sequence[str]] = {}
        for one in await self._database.read(lambda c: rows.unread(c, limit)):
            try:
                found[one.id] = label_terms_of(await self._labels(one))
            except Unavailable:  # its storage does not answer now; those of other registries go on
                continue
            except (Unknown, ValueError):  # it went meanwhile, or nobody can read it
                found[one.id] = ()

        def work(connection: Connection) -> None:
            for number, terms in found.items():
                rows.put(connection, number, terms)

        if found:
            await self._database.write(work, durable=False)
        return len(found)

    async def _labels(self, one: Unread) -> Mapping[str, str]:
        """Return the labels of a manifest; a signature and its like say something of others, and nothing counts."""
        registry = await self._registries.get(one.registry_id)
        if one.is_attached or one.size > MOST or registry is None:
            return {}
        content = await self._manifests.content(StoredManifest(one.id, one.digest, one.media_type, one.size))
        document = await asyncio.to_thread(read_document, content, one.media_type)
        return {**await self._of_config(registry, one, document.config), **document.annotations}

    async def _of_config(self, registry: Registry, one: Unread, config: Piece | None) -> Mapping[str, str]:
        if config is None or config.media_type not in CONFIG_TYPES or config.size > MOST:
            return {}
        try:
            blob = await self._blobs.stat(registry, one.repository, config.digest)
            content = await self._blobs.content(registry, blob)
            return (await asyncio.to_thread(parse_image_config, content)).labels
        except (BlobUnknown, ValueError):
            return {}
