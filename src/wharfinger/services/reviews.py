# SPDX-License-Identifier: Apache-2.0
"""Reviews: what may have lost its last reference is looked at, and goes if nothing holds it (ADR 0029).

```text
a change ──▶ queue ──claim──▶ facts ──judge──▶ kept for good      the review is forgotten
                                               kept for a time    it is put off until then
                                               needed by nobody   the row goes, and what it led to is put into the queue
```

Claims run out by themselves, so a collector that dies holds nothing up, and any number of them may work at once. What
is judged and removed is one transaction; the foreign keys of the schema have the last word in it. Whoever asks for a
review while it is being finished raises its version, and it stays.
"""

import asyncio
import enum
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from wharfinger.clock import SECOND, Clock, Instant, Watch, after
from wharfinger.domain.collection import Rules, Verdict, day, judge_blob, judge_manifest
from wharfinger.domain.errors import DatabaseUnavailable
from wharfinger.domain.events import Event, EventAction
from wharfinger.domain.identity import SYSTEM_ACTOR
from wharfinger.domain.sentences import Sentence
from wharfinger.domain.switches import Switches
from wharfinger.failpoints import failpoint
from wharfinger.metadata import collection as rows
from wharfinger.metadata import events, queues
from wharfinger.metadata import registries as registry_rows
from wharfinger.metadata import repositories as repository_rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.queues import BlobReview, ManifestReview
from wharfinger.services.ingest import BURY_DELAY
from wharfinger.telemetry import COLLECTED, DUE, STANDING_STILL, logger

_log = logger("collection")
R = TypeVar("R", ManifestReview, BlobReview)

CLAIM: Final = 300 * SECOND
"""How long a collector that died keeps reviews from others."""
SLICE: Final = 20
"""How much one transaction takes on: a push waits for it."""
REST: Final = 8.0
"""For how many times as long as it worked a collector lets others work."""
_FIRST_PAUSE: Final = 60 * SECOND
_MAX_DOUBLINGS: Final = 10


class Outcome(enum.StrEnum):
    """What became of one review."""

    KEPT = "kept"
    REMOVED = "removed"
    PARTLY = "partly"
    """There is more to do, or somebody changed it meanwhile: it is looked at again soon."""
    GONE = "gone"
    """It was gone already."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How gently the collector works.

    Args:
        slice: how much one transaction takes on.
        rest: for how many times as long as it worked it lets others work.
    """

    slice: int = SLICE
    rest: float = REST


class Reviews:
    """Reviews in every registry.

    Args:
        database: where rows are.
        clock: the time.
        switches: the operator's: while nothing may be written, nothing is removed either.
        rules: how long what was deleted is kept.
        pace: how gently to work.
    """

    def __init__(
        self, *, database: Database, clock: Clock, switches: Switches, rules: Rules, pace: Pace | None = None
    ) -> None:
        self._database = database
        self._clock = clock
        self._switches = switches
        self._rules = rules
        self._pace = pace or Pace()
        self.tally: Counter[tuple[str, Outcome]] = Counter()
        """What became of what was looked at in this process, by kind."""
        self._watch = Watch(clock, longest=max(rules.window, CLAIM))

    @property
    def rules(self) -> Rules:
        """How long what was deleted is kept."""
        return self._rules

    def standing_still(self) -> Sentence | None:
        """Return why nothing is collected now, or nothing if it is."""
        if self._switches.read_only:
            return Sentence("the registry is read-only")
        found = self._watch.disagreement()
        if found is None:
            return None
        jump, left = found
        return Sentence(
            "the clock jumped by %(jump)s seconds; its word counts again in %(left)s seconds",
            jump=f"{jump:+.0f}",
            left=f"{left:.0f}",
        )

    async def review_manifests(self, limit: int) -> int:
        """Look at manifests that are due, and remove those that nothing holds; returns how many it looked at."""
        return await self._review(queues.claim_manifests, self._settle_manifests, limit)

    async def review_blobs(self, limit: int) -> int:
        """Look at blobs that are due, each in its repository, and remove those that nothing holds.

        Returns how many it looked at. Bytes are buried an hour later.
        """
        return await self._review(queues.claim_blobs, self._settle_blobs, limit)

    async def collect_repositories(self, limit: int) -> int:
        """Remove deleted repositories whose time is over, with everything in them, batch by batch.

        Returns how many steps it took; a full batch of steps says that there is more.
        """
        steps = 0
        if self.standing_still():
            return steps
        now = self._clock.now()
        before = after(now, -self._rules.window)
        ended = await self._database.read(lambda c: rows.ended_repositories(c, before, limit))
        for repository_id in ended:
            more = True
            while more and steps < limit:
                steps += 1
                more = await self._try_to_take_apart(repository_id, before)
        return steps

    async def sweep(self, limit: int) -> int:
        """Apply rules that changed to manifests that were there before; returns how many it went over."""
        if self.standing_still():
            return 0
        now = self._clock.now()
        return await self._database.write(lambda c: rows.sweep(c, now, limit), durable=False)

    async def observe(self) -> int:
        """Tell the metrics how much is due, and whether anything is done about it."""
        now = self._clock.now()
        for kind, count in (await self._database.read(lambda c: queues.count_due(c, now))).items():
            DUE.labels(kind).set(count)
        STANDING_STILL.set(self.standing_still() is not None)
        return 0

    async def _review(
        self,
        claim: Callable[[Connection, Instant, Instant, int], Sequence[R]],
        settle: Callable[[Connection, Sequence[R]], list[Outcome]],
        limit: int,
    ) -> int:
        if self.standing_still():
            return 0
        now = self._clock.now()
        claimed = await self._database.write(lambda c: claim(c, now, after(now, CLAIM), limit), durable=False)
        if claimed:
            failpoint("review.claimed")
        for start in range(0, len(claimed), self._pace.slice):
            begin = self._clock.monotonic()
            some = claimed[start : start + self._pace.slice]
            for review, outcome in zip(some, await self._settle(some, settle), strict=True):
                self._count(review.kind, outcome)
            await self._rest(begin)
        return len(claimed)

    async def _settle(
        self, reviews: Sequence[R], settle: Callable[[Connection, Sequence[R]], list[Outcome]]
    ) -> list[Outcome]:
        """Bring reviews to an end together; if that fails each alone, so that one stops no other."""

        def work(connection: Connection) -> list[Outcome]:
            outcomes = settle(connection, reviews)
            failpoint("review.committing")
            return outcomes

        try:  # what a power failure takes back is judged again: bytes go only after a commit that makes it durable
            outcomes = await self._database.write(work, durable=False)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one is no reason to leave the others
            if len(reviews) > 1:
                return [outcome for one in reviews for outcome in await self._settle([one], settle)]
            (review,) = reviews
            if not isinstance(error, DatabaseUnavailable):
                _log.exception("a review failed", kind=review.kind, **review.key)
            pause = _FIRST_PAUSE * 2 ** min(review.attempts, _MAX_DOUBLINGS)
            later = after(self._clock.now(), pause)
            await self._database.write(lambda c: queues.postpone(c, review, later, failed=True))
            reason = str(error.__cause__ or error)
            _log.warning("a review is put off", kind=review.kind, seconds=pause // SECOND, reason=reason)
            return [Outcome.FAILED]
        failpoint("review.committed")
        return outcomes

    def _settle_manifests(self, connection: Connection, reviews: Sequence[ManifestReview]) -> list[Outcome]:
        """Judge manifests, each with its repository locked: nobody pushes, tags or restores there meanwhile."""
        places = {one.manifest_id: rows.repository_of(connection, one.manifest_id) for one in reviews}
        for repository_id in sorted({place for place in places.values() if place is not None}):
            repository_rows.lock(connection, repository_id)
        return [self._settle_manifest(connection, review) for review in reviews]

    def _settle_manifest(self, connection: Connection, review: ManifestReview) -> Outcome:
        now = self._clock.now()
        facts = rows.manifest_facts(connection, review.manifest_id)
        if facts is None:
            return Outcome.GONE
        verdict = judge_manifest(facts, self._rules, now)
        if verdict.kept:
            return _put_off(connection, review, verdict)
        if not rows.remove_manifest(connection, facts, now):
            queues.postpone(connection, review, now, failed=False)
            return Outcome.PARTLY
        event = Event(
            action=EventAction.MANIFEST_COLLECTED,
            repository_id=facts.repository_id,
            repository=facts.repository,
            digest=facts.digest,
            media_type=facts.media_type,
            size=facts.size,
            detail=verdict.reason,
        )
        events.record(connection, facts.registry_id, event, SYSTEM_ACTOR, now)
        return Outcome.REMOVED

    def _settle_blobs(self, connection: Connection, reviews: Sequence[BlobReview]) -> list[Outcome]:
        """Judge blobs in the order of their ids, which is the order in which locks are taken."""
        ordered = sorted(reviews, key=lambda review: (review.blob_id, review.repository_id))
        found = {review: self._settle_blob(connection, review) for review in ordered}
        return [found[review] for review in reviews]

    def _settle_blob(self, connection: Connection, review: BlobReview) -> Outcome:
        now = self._clock.now()
        rows.lock_blob(connection, review.blob_id)
        facts = rows.blob_facts(connection, review.repository_id, review.blob_id)
        if facts is None:
            return Outcome.GONE
        verdict = judge_blob(facts, self._rules, now)
        if verdict.kept:
            return _put_off(connection, review, verdict)
        if rows.remove_membership(connection, facts, now, after(now, BURY_DELAY)) is None:
            queues.postpone(connection, review, now, failed=False)
            return Outcome.PARTLY
        return Outcome.REMOVED

    async def _try_to_take_apart(self, repository_id: int, before: Instant) -> bool:
        """Take one more batch away, if it can be; what stands in the way of one stops no other."""
        try:
            return await self._take_apart(repository_id, before)
        except DatabaseUnavailable as error:
            self._count("repository", Outcome.FAILED)
            reason = str(error.__cause__ or error)
            _log.warning("a repository cannot be taken apart now", repository_id=repository_id, reason=reason)
            return False

    async def _take_apart(self, repository_id: int, before: Instant) -> bool:
        """Take one more batch of a deleted repository away; returns whether there is more."""
        begin = self._clock.monotonic()

        def work(connection: Connection) -> bool:
            now = self._clock.now()
            ended = rows.end_repository(connection, repository_id, before, now)
            if ended is None:  # it was restored, or another collector was faster
                return False
            if rows.take_apart(connection, repository_id, now, after(now, BURY_DELAY)):
                return True
            rows.remove_repository(connection, repository_id)
            if registry_rows.is_live(connection, ended.registry_id):  # of others, their deletion was told
                event = Event(
                    action=EventAction.REPOSITORY_COLLECTED,
                    repository_id=repository_id,
                    repository=ended.name,
                    detail=f"it was deleted on {day(ended.deleted_at)}",
                )
                events.record(connection, ended.registry_id, event, SYSTEM_ACTOR, now)
            failpoint("repository.collect.committing")
            return False

        more = await self._database.write(work, durable=False)
        failpoint("repository.collect.committed")
        self._count("repository", Outcome.PARTLY if more else Outcome.REMOVED)
        await self._rest(begin)
        return more

    def _count(self, kind: str, outcome: Outcome) -> None:
        self.tally[kind, outcome] += 1
        COLLECTED.labels(kind, outcome.value).inc()

    async def _rest(self, begin: float) -> None:
        """Let others work: without this a collector that has much to do would be first at the database every time."""
        await asyncio.sleep((self._clock.monotonic() - begin) * self._pace.rest)


def _put_off(connection: Connection, review: ManifestReview | BlobReview, verdict: Verdict) -> Outcome:
    if verdict.until is None:
        queues.finish(connection, review)
    else:
        queues.postpone(connection, review, verdict.until, failed=False)
    return Outcome.KEPT
