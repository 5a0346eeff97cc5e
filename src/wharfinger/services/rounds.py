# SPDX-License-Identifier: Apache-2.0
"""A round of collection by hand: one batch of everything that the background jobs do by themselves."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Final

from wharfinger.domain.sentences import Sentence
from wharfinger.domain.switches import Switches
from wharfinger.services.collection import Collection
from wharfinger.services.reviews import Outcome, Reviews

BATCH: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round, or several, did.

    Args:
        steps: how much was done in all; nothing means that nothing is due.
        looked_at: how many reviews came to an end.
        manifests, blobs, repositories: how many of each were removed.
        failed: how many reviews are tried again later; the log says why.
        freed: bytes of blobs that were removed.
        standing_still: why nothing is collected now, if that is so.
    """

    steps: int = 0
    looked_at: int = 0
    manifests: int = 0
    blobs: int = 0
    repositories: int = 0
    failed: int = 0
    freed: int = 0
    standing_still: Sentence | None = None


class Rounds:
    """Rounds over every registry.

    Args:
        reviews: looks at what may have lost its last reference.
        collection: removes bytes.
        switches: the operator's.
    """

    def __init__(self, reviews: Reviews, collection: Collection, switches: Switches) -> None:
        self._reviews = reviews
        self._collection = collection
        self._switches = switches
        self._one_at_a_time = asyncio.Lock()

    async def run(self) -> Round:
        """Do one batch of everything, and say what was done; there is no more to do when that was nothing.

        Raises:
            ReadOnly: nothing may be written.
        """
        self._switches.require_writable()
        standing_still = self._reviews.standing_still()
        if standing_still is not None:
            return Round(standing_still=standing_still)
        async with self._one_at_a_time:
            before, freed = Counter(self._reviews.tally), self._collection.freed
            steps = [
                await self._reviews.sweep(BATCH),
                await self._reviews.review_manifests(BATCH),
                await self._reviews.collect_repositories(BATCH),
                await self._reviews.review_blobs(BATCH),
                await self._collection.bury(BATCH),
            ]
            tally = self._reviews.tally - before
            return Round(
                steps=sum(steps),
                looked_at=sum(tally.values()),
                manifests=tally["manifest", Outcome.REMOVED],
                blobs=tally["blob", Outcome.REMOVED],
                repositories=tally["repository", Outcome.REMOVED],
                failed=sum(count for (_, outcome), count in tally.items() if outcome is Outcome.FAILED),
                freed=self._collection.freed - freed,
            )


def together(one: Round, other: Round) -> Round:
    """Return what two rounds did."""
    return Round(
        steps=one.steps + other.steps,
        looked_at=one.looked_at + other.looked_at,
        manifests=one.manifests + other.manifests,
        blobs=one.blobs + other.blobs,
        repositories=one.repositories + other.repositories,
        failed=one.failed + other.failed,
        freed=one.freed + other.freed,
        standing_still=other.standing_still,
    )
