# SPDX-License-Identifier: Apache-2.0
"""What a deployment that was ended at any moment still holds, once everything is over that ends by itself."""

import time
from pathlib import Path

from tests.metadata.databases import Place
from tests.services.world import EXPIRY, World
from tests.support.invariants import broken_invariants, objects
from wharfinger.clock import DAY, SECOND

ROUNDS = 8


async def leftovers(data, url=None):
    """Return what does not hold in the data folder of a server that is not running.

    The invariants hold as it was left. Then the clock goes on by as much as uploads and tombstones need, their jobs
    run, and the store has the bytes of blobs, and nothing else.

    Args:
        data: the root directory.
        url: of the PostgreSQL database; nothing for the SQLite file within the folder.
    """
    folder = Path(data) / "wharfinger"
    place = Place("sqlite", str(folder / "wharfinger.db")) if url is None else Place("postgresql", url)
    world = World(place, folder / "blobs")
    node = world.first
    try:
        found = await broken_invariants(node.database, node.store)
        world.clock.move(int(time.time() * SECOND) - world.clock.now() + EXPIRY + DAY)
        for _ in range(ROUNDS):
            world.clock.move(DAY)
            while await node.uploads.expire(node.registry, 1_000):
                pass
            for look in (node.reviews.review_manifests, node.reviews.review_blobs, node.reviews.collect_repositories):
                while await look(1_000):
                    pass
            while await node.collection.bury(1_000):
                pass
        found += await broken_invariants(node.database, node.store)
        left = objects(node.store) - await _named(node.database)
        return found + [f"{key} is in the store for ever" for key in sorted(left)]
    finally:
        await world.aclose()
        await place.aclose()


async def _named(database):
    def work(connection):
        return {row[0] for row in connection.exec_driver_sql("SELECT store_key FROM blobs")}

    return await database.read(work)
