# SPDX-License-Identifier: Apache-2.0
"""Retention: which tags of a repository stay, said before it is done, and done as it was said.

A preview and a run are the same function over the same rows; a run does within its transaction what the preview of that
moment says. What goes, goes into the trash like everything that somebody deletes, and comes back from there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.clock import Clock, Instant
from wharfinger.domain.digests import Algorithm, Digest, digest_of
from wharfinger.domain.errors import DeletionDisabled, NameUnknown, PreconditionFailed, ReadOnly
from wharfinger.domain.events import Event, EventAction
from wharfinger.domain.identity import SYSTEM_ACTOR, Actor
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.policies.retention import (
    Policy,
    UntaggedFacts,
    Verdict,
    judge_tags,
    judge_untagged,
    words_of,
)
from wharfinger.domain.sentences import Sentence
from wharfinger.domain.switches import Switches
from wharfinger.failpoints import failpoint
from wharfinger.metadata import events
from wharfinger.metadata import manifests as manifest_rows
from wharfinger.metadata import namespaces as namespace_rows
from wharfinger.metadata import repositories as repository_rows
from wharfinger.metadata import retention as rows
from wharfinger.metadata import tags as tag_rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.retention import Place
from wharfinger.services.namespaces import namespace_unknown
from wharfinger.services.registries import Registries, Registry
from wharfinger.services.repositories import Held, name_unknown, require_locked, tag_change
from wharfinger.telemetry import logger

_log = logger("retention")
_AT_ONCE: Final = 200
"""How many tags and manifests go in one transaction."""
_MOST_UNTAGGED: Final = 1_000
"""How many manifests without a tag a plan names; the next one names the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Governing:
    """The policy that counts for a repository.

    Args:
        policy: what it says.
        namespace: whose it is, if it is not the repository's own.
    """

    policy: Policy
    namespace: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a policy does to a repository at one moment.

    Args:
        at: the moment.
        verdicts: of every tag, by name, and then of manifests without one that go.
        fingerprint: the same for plans that remove the same.
    """

    at: Instant
    verdicts: Sequence[Verdict]
    fingerprint: str

    @property
    def going(self) -> Sequence[Verdict]:
        """What does not stay."""
        return [one for one in self.verdicts if not one.kept]


class Retention:
    """Retention in every registry."""

    def __init__(self, database: Database, registries: Registries, clock: Clock, switches: Switches) -> None:
        self._database = database
        self._registries = registries
        self._clock = clock
        self._switches = switches
        self._after = 0

    async def of_repository(self, registry: Registry, repository: RepositoryName) -> Governing | None:
        """Return the policy that counts for a repository: its own, or else its namespace's; nothing without one.

        Raises:
            NameUnknown: there is no such repository.
        """

        def work(connection: Connection) -> Governing | None:
            repository_id = repository_rows.find(connection, registry.id, repository)
            if repository_id is None:
                raise name_unknown(repository)
            return _governing(connection, repository_id, repository)

        return await self._database.read(work)

    async def of_namespace(self, registry: Registry, namespace: str) -> Policy | None:
        """Return the policy of a namespace.

        Raises:
            NamespaceUnknown: there is no such namespace.
        """
        return await self._database.read(lambda c: rows.find(c, _namespace(c, registry, namespace)))

    async def set_for_repository(
        self, registry: Registry, repository: RepositoryName, policy: Policy | None, by: Actor
    ) -> None:
        """Give a repository a policy of its own; nothing has it follow its namespace's again.

        Raises:
            NameUnknown: there is no such repository.
        """
        now = self._clock.now()

        def work(connection: Connection) -> None:
            held = require_locked(connection, registry, repository)
            place = Place(repository_id=held.id)
            if rows.find(connection, place) == policy:
                return
            rows.put(connection, place, policy, by, now)
            event = Event(
                action=EventAction.RETENTION_CHANGED,
                repository_id=held.id,
                repository=repository,
                detail=told(policy),
            )
            events.record(connection, registry.id, event, by, now)

        await self._database.write(work)

    async def set_for_namespace(self, registry: Registry, namespace: str, policy: Policy | None, by: Actor) -> None:
        """Give a namespace a policy, for all its repositories that have none of their own; nothing takes it away.

        Raises:
            NamespaceUnknown: there is no such namespace.
        """
        now = self._clock.now()

        def work(connection: Connection) -> None:
            place = _namespace(connection, registry, namespace)
            namespace_rows.lock(connection, place.namespace_id or 0)
            if rows.find(connection, place) == policy:
                return
            rows.put(connection, place, policy, by, now)
            event = Event(action=EventAction.RETENTION_CHANGED, target=namespace, detail=told(policy))
            events.record(connection, registry.id, event, by, now)

        await self._database.write(work)

    async def preview(self, registry: Registry, repository: RepositoryName, policy: Policy | None = None) -> Plan:
        """Return what a run would do now.

        Args:
            registry: where the repository is.
            repository: the repository.
            policy: to try one that is not set; nothing for the one that counts.

        Raises:
            NameUnknown: there is no such repository.
        """
        now = self._clock.now()

        def work(connection: Connection) -> Plan:
            found = repository_rows.load(connection, registry.id, repository)
            if found is None:
                raise name_unknown(repository)
            governing = _governing(connection, found.id, repository)
            counting = Policy() if governing is None else governing.policy
            return _plan(connection, Held(found.id, found.immutability), policy or counting, now)[0]

        return await self._database.read(work)

    async def run(
        self, registry: Registry, repository: RepositoryName, by: Actor, *, expected: str | None = None
    ) -> Plan:
        """Do what the preview of this moment says, and return it.

        Args:
            registry: where the repository is.
            repository: the repository.
            by: who has it done.
            expected: the fingerprint of the preview that somebody agreed to.

        Raises:
            NameUnknown: there is no such repository.
            PreconditionFailed: the plan of now is not the one that was expected; nothing was done.
            DeletionDisabled: the operator has switched deletion off.
        """
        self._switches.require_deletion()
        whole: Plan | None = None
        while True:
            plan, done = await self._run_some(registry, repository, by, expected if whole is None else None)
            whole = plan if whole is None else whole
            if done == len(plan.going):
                return whole

    async def run_some(self, limit: int) -> int:
        """Run the policies of some more repositories; returns how many, for a background job.

        Whoever deletes a repository meanwhile is not an error, and a policy that fails stops no other.
        """
        after = self._after
        found = await self._database.read(lambda c: rows.governed(c, after, limit))
        for one in found:
            self._after = one.id
            try:
                registry = await self._registries.get(one.registry_id)
                if registry is None:
                    continue
                plan = await self.run(registry, one.name, SYSTEM_ACTOR)
            except NameUnknown:
                continue
            except (DeletionDisabled, ReadOnly) as error:
                _log.info("policies of retention do not run", reason=error.message)
                self._after = 0
                return 0
            if plan.going:
                _log.info("retention", repository=one.name, removed=len(plan.going))
        if len(found) < limit:
            self._after = 0
        return len(found)

    async def _run_some(
        self, registry: Registry, repository: RepositoryName, by: Actor, expected: str | None
    ) -> tuple[Plan, int]:
        """Do a part of the plan of now; returns the plan, and how much of it was done."""
        now = self._clock.now()

        def work(connection: Connection) -> tuple[Plan, int]:
            held = require_locked(connection, registry, repository)
            governing = _governing(connection, held.id, repository)
            policy = Policy() if governing is None else governing.policy
            plan, untagged = _plan(connection, held, policy, now)
            if expected is not None and plan.fingerprint != expected:
                message = Sentence("What would go is not what the preview said any more: look at a new one.")
                raise PreconditionFailed(message)
            some = plan.going[:_AT_ONCE]
            ids = {one.digest: one.id for one in untagged}
            for one in some:
                _remove(connection, registry, held, repository, one, ids, by=by, now=now)
            if some:
                repository_rows.touch(connection, held.id, now)
                failpoint("retention.committing")
            return plan, len(some)

        plan, done = await self._database.write(work)
        if done:
            failpoint("retention.committed")
        return plan, done


def told(policy: Policy | None) -> str:
    """Return a policy in words, for an event."""
    if policy is None:
        return "no policy"
    parts = [f"{rule.name} ({rule.tags}): {words_of(rule)}" for rule in policy.rules]
    if policy.untagged_after is not None:
        parts.append(f"without a tag: {policy.untagged_after // (86_400 * 1_000_000)} days")
    return "; ".join(parts) or "keeps everything"


def _governing(connection: Connection, repository_id: int, name: RepositoryName) -> Governing | None:
    own = rows.find(connection, Place(repository_id=repository_id))
    if own is not None:
        return Governing(policy=own)
    namespace_id = rows.namespace_of(connection, repository_id)
    around = None if namespace_id is None else rows.find(connection, Place(namespace_id=namespace_id))
    return None if around is None else Governing(policy=around, namespace=name.partition("/")[0])


def _namespace(connection: Connection, registry: Registry, name: str) -> Place:
    found = namespace_rows.find_id(connection, registry.id, name)
    if found is None:
        raise namespace_unknown(name)
    return Place(namespace_id=found[0])


def _plan(connection: Connection, held: Held, policy: Policy, now: Instant) -> tuple[Plan, Sequence[UntaggedFacts]]:
    """Return the plan of a moment, and the manifests without a tag that it is about."""
    verdicts = list(judge_tags(rows.tag_facts(connection, held.id, held.rules), policy.rules, now))
    untagged: Sequence[UntaggedFacts] = ()
    if policy.untagged_after is not None:
        since = Instant(now - policy.untagged_after)
        untagged = rows.untagged_facts(connection, held.id, since, _MOST_UNTAGGED)
        verdicts += [judge_untagged(one, policy.untagged_after, now) for one in untagged]
    going = "\n".join(f"{one.tag or ''} {one.digest}" for one in verdicts if not one.kept)
    fingerprint = digest_of(going.encode(), Algorithm.SHA256).rpartition(":")[2][:16]
    return Plan(at=now, verdicts=verdicts, fingerprint=fingerprint), untagged


def _remove(
    connection: Connection,
    registry: Registry,
    held: Held,
    repository: RepositoryName,
    verdict: Verdict,
    ids: dict[Digest, int],
    *,
    by: Actor,
    now: Instant,
) -> None:
    why = f"retention: {verdict.reason}"
    change = tag_change(registry, held, repository, by, now, why)
    if verdict.tag is not None:
        tag_rows.remove(connection, change, verdict.tag)
        return
    event = Event(
        action=EventAction.MANIFEST_DELETED,
        repository_id=held.id,
        repository=repository,
        digest=verdict.digest,
        detail=why,
    )
    deletion_id = events.record(connection, registry.id, event, by, now)
    manifest_rows.delete(connection, ids[verdict.digest], now, change.review_at, deletion_id)
