# SPDX-License-Identifier: Apache-2.0
"""What collection has before it, why, and what frees when; and what a deletion would free, before it is done."""

from collections.abc import Sequence
from typing import Final

from wharfinger.clock import DAY, Clock, Instant, after
from wharfinger.domain.collection import ManifestFacts, Rules, judge_blob, judge_manifest
from wharfinger.domain.names import TagName
from wharfinger.domain.outlook import Noted, Outlook, Savings, Upcoming
from wharfinger.domain.trash import Trashed
from wharfinger.metadata import collection as fact_rows
from wharfinger.metadata import manifests as manifest_rows
from wharfinger.metadata import outlook as rows
from wharfinger.metadata import repositories as repository_rows
from wharfinger.metadata import tags as tag_rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.services.manifests import manifest_unknown
from wharfinger.services.registries import Registry
from wharfinger.services.repositories import name_unknown

SHOWN: Final = 10


class Outlooks:
    """What may be known of collection, in every registry.

    Args:
        database: where rows are.
        clock: the time.
        rules: how long what was deleted is kept.
    """

    def __init__(self, database: Database, clock: Clock, rules: Rules) -> None:
        self._database = database
        self._clock = clock
        self._rules = rules

    async def get(self, shown: int = SHOWN) -> Outlook:
        """Return what waits, and what will be freed when.

        Args:
            shown: how many of the things that wait are shown one by one.
        """
        now = self._clock.now()

        def work(connection: Connection) -> Outlook:
            freed, more = self._freed(connection)
            return Outlook(
                waiting=rows.waiting(connection, now),
                repositories=len(rows.trashed_repositories(connection, self._rules)),
                upcoming=_by_day(freed, now),
                more=more,
                newest=self._newest(connection, shown, now),
            )

        return await self._database.read(work)

    async def plan(self, registry: Registry, what: Trashed) -> Savings:
        """Return what deleting a tag, a manifest or a repository would free, and when.

        Raises:
            NameUnknown, ManifestUnknown: it is not here.
        """
        now = self._clock.now()

        def work(connection: Connection) -> Savings:
            repository_id = repository_rows.find(connection, registry.id, what.repository)
            if repository_id is None:
                raise name_unknown(what.repository)
            if what.tag is None and what.digest is None:
                number, count, unique, shared = rows.weigh_repository(connection, repository_id)
                at = after(now, self._rules.window)
                return Savings(manifests=number, blobs=count, unique=unique, shared=shared, at=at)
            return self._plan_manifest(connection, repository_id, what, now)

        return await self._database.read(work)

    def _plan_manifest(self, connection: Connection, repository_id: int, what: Trashed, now: Instant) -> Savings:
        facts = _facts_of(connection, repository_id, what)
        others = [name for name in tag_rows.naming(connection, repository_id, facts.id) if name != what.tag]
        kept, at = self._fate(facts, what, others, now)
        doomed = rows.with_parts(connection, repository_id, {facts.id: at})
        weight = rows.weigh(connection, repository_id, doomed)
        unique = sum(size for size, _ in weight.freed.values())
        return Savings(
            manifests=len(doomed),
            blobs=len(weight.freed),
            unique=unique,
            shared=weight.shared,
            at=None if kept else at,
            kept=kept,
        )

    def _fate(
        self, facts: ManifestFacts, what: Trashed, others: Sequence[str], now: Instant
    ) -> tuple[str | None, Instant]:
        """Say why a manifest would stay after the deletion, and from when on it could go."""
        at = after(now, self._rules.window)
        if facts.parent is not None:
            return f"{facts.parent} lists it", at
        if what.tag is None:
            return None, at
        if others:
            return f"the tag {others[0]} names it too", at
        if facts.subject is not None:
            return f"it is attached to {facts.subject}", at
        if facts.untagged_after is None:
            return "this registry keeps manifests without a tag; delete the manifest by its digest", at
        return None, max(at, after(now, facts.untagged_after))

    def _freed(self, connection: Connection) -> tuple[dict[int, tuple[int, Instant]], bool]:
        """Return blobs that go, with their sizes and times."""
        freed: dict[int, tuple[int, Instant]] = {}
        found, more = rows.trashed(connection, self._rules)
        for repository_id, roots in found.items():
            doomed = rows.with_parts(connection, repository_id, roots)
            freed |= rows.weigh(connection, repository_id, doomed).freed
        freed |= {blob_id: (size, at) for blob_id, size, at in rows.left_over(connection, self._rules)}
        whole = rows.trashed_repositories(connection, self._rules)
        sizes = rows.unique_sizes(connection, whole)
        freed.update({-number: (sizes.get(number, 0), at) for number, at in whole.items()})
        return freed, more

    def _newest(self, connection: Connection, shown: int, now: Instant) -> Sequence[Noted]:
        found = []
        for review in rows.newest_manifests(connection, shown):
            facts = fact_rows.manifest_facts(connection, review.manifest_id)
            if facts is not None:
                verdict = judge_manifest(facts, self._rules, now)
                found.append(Noted(what=f"{facts.repository}@{facts.digest}", noted=review.reason, verdict=verdict))
        for one in rows.next_blobs(connection, shown):
            blob = fact_rows.blob_facts(connection, one.repository_id, one.blob_id)
            if blob is not None:
                verdict = judge_blob(blob, self._rules, now)
                found.append(Noted(what=f"{blob.repository} {blob.digest}", noted=one.reason, verdict=verdict))
        return found


def _facts_of(connection: Connection, repository_id: int, what: Trashed) -> ManifestFacts:
    """Return the facts of the live manifest that a tag or a digest names.

    Raises:
        ManifestUnknown: there is none.
    """
    manifest_id = None
    if what.tag is not None:
        target = tag_rows.find(connection, repository_id, what.tag)
        manifest_id = None if target is None else target.manifest_id
    elif what.digest is not None:
        manifest_id = manifest_rows.find(connection, repository_id, what.digest)
    facts = None if manifest_id is None else fact_rows.manifest_facts(connection, manifest_id)
    if facts is None:
        raise manifest_unknown(what.tag or what.digest or TagName(""))
    return facts


def _by_day(freed: dict[int, tuple[int, Instant]], now: Instant) -> Sequence[Upcoming]:
    days: dict[int, list[int]] = {}
    for size, at in freed.values():
        days.setdefault(max(at, now) // DAY * DAY, []).append(size)
    return [Upcoming(at=Instant(at), blobs=len(sizes), size=sum(sizes)) for at, sizes in sorted(days.items())]
