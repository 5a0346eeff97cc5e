# SPDX-License-Identifier: Apache-2.0
"""Is this still needed, and why? The judgement that everything rests on which removes content.

It is a pure function of facts that one transaction reads. The collector acts on it, the trash and `wharfinger gc` show
it: they cannot disagree. What keeps a manifest or a blob, in the order in which it is said:

```text
manifest   a tag names it · an index lists it · it was deleted, and can be restored
           it is attached to a manifest · a tag left it, and can be put back
           the registry keeps what has no tag, for good or for a time after it was last used
blob       a manifest of the repository refers to it · it was deleted here, and can be restored · its lease
```

A manifest that was only ever a part of something, such as an image of an index or a signature, goes with the last thing
that it was a part of.
"""

from dataclasses import dataclass
from typing import Final

from wharfinger.clock import DAY, HOUR, Instant, after, as_datetime
from wharfinger.domain.digests import Digest
from wharfinger.domain.names import RepositoryName, TagName
from wharfinger.domain.sentences import Sentence

MOST_WAIT: Final = 7 * DAY
"""How long something is left alone at the most before it is looked at again: settings may have changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the operator said.

    Args:
        window: how long what was deleted, or left by a tag, can be restored, in microseconds.
    """

    window: int = 30 * DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """When something was put into the trash, and when somebody ended its time there."""

    at: Instant
    purged_at: Instant | None = None

    def ends(self, rules: Rules) -> Instant:
        """Return until when it can be restored."""
        return after(self.at, rules.window) if self.purged_at is None else self.purged_at


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestFacts:
    """What the database knows of a manifest at one moment.

    Args:
        id: of its row.
        repository_id: where it is.
        registry_id: where that is.
        repository: what that is, or was, called.
        digest: its own.
        size: of its own bytes.
        media_type: its own.
        pushed_at: when it was last stored.
        pulled_at: when it was last pulled, if that is known.
        left_at: when a tag last left it.
        orphaned_at: when what it was a part of was given up.
        deleted: when it was deleted itself.
        repository_deleted: when its repository was.
        tag: a tag that names it.
        parent: an index of the repository that lists it, deleted or not.
        subject: the manifest that it is attached to, if that is here, deleted or not.
        untagged_after: how long its registry keeps it without a tag after it was last used; nothing for ever.
    """

    id: int
    repository_id: int
    registry_id: int
    repository: RepositoryName
    digest: Digest
    size: int
    media_type: str
    pushed_at: Instant
    pulled_at: Instant | None = None
    left_at: Instant | None = None
    orphaned_at: Instant | None = None
    deleted: Deletion | None = None
    repository_deleted: Deletion | None = None
    tag: TagName | None = None
    parent: Digest | None = None
    subject: Digest | None = None
    untagged_after: int | None = None

    @property
    def last_used(self) -> Instant:
        """When it was last pushed, left by a tag or pulled."""
        return max(self.pushed_at, self.left_at or self.pushed_at, self.pulled_at or self.pushed_at)

    @property
    def given_up_at(self) -> Instant:
        """When it was deleted or left: what was only a part of it is not needed since."""
        if self.deleted is not None:
            return self.deleted.at if self.deleted.purged_at is None else self.deleted.purged_at
        return self.left_at or self.orphaned_at or self.pushed_at


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobFacts:
    """What the database knows of a blob in one repository at one moment.

    Args:
        id: of its row.
        repository_id: where it is.
        repository: what that is, or was, called.
        digest: its own.
        size: of its bytes.
        lease_until: until when it is kept for a push that may refer to it.
        unlinked: when it was deleted from the repository.
        repository_deleted: when the repository was.
        manifest: one of the repository that refers to it, deleted or not.
    """

    id: int
    repository_id: int
    repository: RepositoryName
    digest: Digest
    size: int
    lease_until: Instant
    unlinked: Deletion | None = None
    repository_deleted: Deletion | None = None
    manifest: Digest | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether something is kept.

    Args:
        kept: whether it is.
        reason: why, as the end of the sentence "it is kept because …" or "it goes because …".
        until: of what is kept for a time, when to look again; nothing for what is kept until something changes, which
            has it looked at again.
    """

    kept: bool
    reason: Sentence
    until: Instant | None = None


def judge_manifest(facts: ManifestFacts, rules: Rules, now: Instant) -> Verdict:
    """Decide about a manifest."""
    if facts.repository_deleted is not None:
        return _with_repository(facts.repository_deleted, rules, now)
    if facts.tag is not None:
        return Verdict(kept=True, reason=Sentence("the tag %(tag)s names it", tag=facts.tag))
    if facts.parent is not None:
        return Verdict(kept=True, reason=Sentence("%(parent)s lists it", parent=facts.parent))
    if facts.deleted is not None:
        return _deleted(facts.deleted, rules, now)
    if facts.subject is not None:
        return Verdict(kept=True, reason=Sentence("it is attached to %(subject)s", subject=facts.subject))
    return _judge_untagged(facts, rules, now)


def judge_blob(facts: BlobFacts, rules: Rules, now: Instant) -> Verdict:
    """Decide about a blob in one repository; its bytes go when no repository has it any more."""
    if facts.manifest is not None:
        return Verdict(kept=True, reason=Sentence("%(manifest)s refers to it", manifest=facts.manifest))
    if facts.repository_deleted is not None:
        return _with_repository(facts.repository_deleted, rules, now)
    if facts.unlinked is not None:  # no push refers to what is hidden: its lease is for nobody
        return _deleted(facts.unlinked, rules, now)
    if now < facts.lease_until:
        return _kept_until(facts.lease_until, now, Sentence("a push may still refer to it"))
    return Verdict(kept=False, reason=Sentence("no manifest of the repository refers to it"))


def _judge_untagged(facts: ManifestFacts, rules: Rules, now: Instant) -> Verdict:
    """Decide about a live manifest that nothing holds."""
    if facts.left_at is not None:
        ends = after(facts.left_at, rules.window)
        if now < ends:
            return _kept_until(
                ends, now, Sentence("a tag left it on %(day)s and can be put back", day=day(facts.left_at))
            )
    elif facts.orphaned_at is not None and facts.pushed_at <= facts.orphaned_at:
        return _judge_orphan(facts, facts.orphaned_at, rules, now)
    if facts.untagged_after is None:
        return Verdict(kept=True, reason=Sentence("this registry keeps manifests without a tag"))
    ends = after(facts.last_used, facts.untagged_after)
    used = Sentence("it has no tag, and was last used on %(day)s", day=day(facts.last_used))
    return _kept_until(ends, now, used) if now < ends else Verdict(kept=False, reason=used)


def _judge_orphan(facts: ManifestFacts, orphaned_at: Instant, rules: Rules, now: Instant) -> Verdict:
    """Decide about what was a part of something that is gone, never had a tag of its own, and was not pushed since.

    Somebody who pulled it since then still uses it; it stays for as long as it would in the trash.
    """
    if facts.pulled_at is not None and facts.pulled_at > orphaned_at:
        ends = after(facts.pulled_at, rules.window)
        if now < ends:
            return _kept_until(
                ends,
                now,
                Sentence("it was pulled on %(day)s, although what it belonged to went", day=day(facts.pulled_at)),
            )
    return Verdict(kept=False, reason=Sentence("what it belonged to is gone"))


def _deleted(deletion: Deletion, rules: Rules, now: Instant) -> Verdict:
    ends = deletion.ends(rules)
    if now < ends:
        return _kept_until(
            ends,
            now,
            Sentence(
                "it was deleted on %(day)s and can be restored until %(until)s", day=day(deletion.at), until=day(ends)
            ),
        )
    if deletion.purged_at is not None:
        return Verdict(kept=False, reason=Sentence("somebody purged it from the trash"))
    return Verdict(
        kept=False,
        reason=Sentence("it was deleted on %(day)s, and its time in the trash is over", day=day(deletion.at)),
    )


def _with_repository(deletion: Deletion, rules: Rules, now: Instant) -> Verdict:
    """Decide about anything in a deleted repository: it comes back or goes with it, and not by itself."""
    ends = deletion.ends(rules)
    if now < ends:
        reason = Sentence(
            "its repository was deleted on %(day)s and can be restored until %(until)s",
            day=day(deletion.at),
            until=day(ends),
        )
        return _kept_until(ends, now, reason)
    return Verdict(kept=True, reason=Sentence("it goes with its repository"), until=after(now, HOUR))


def _kept_until(until: Instant, now: Instant, reason: Sentence) -> Verdict:
    return Verdict(kept=True, reason=reason, until=min(until, after(now, MOST_WAIT)))


def day(instant: Instant) -> str:
    """Return the day of an instant, in UTC."""
    return f"{as_datetime(instant):%Y-%m-%d}"
