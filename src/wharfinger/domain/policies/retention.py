# SPDX-License-Identifier: Apache-2.0
"""Which tags stay, and by which rule.

A policy is a list of rules. Each rule is about the tags that its patterns match, and keeps some of them:

```text
rule      tags               keeps
releases  v*, !*-rc*         newest 10, pulled within 90 days
reviews   pr-*               moved within 14 days
```

- What no rule is about stays: a policy never removes what nobody thought of.
- What several rules are about stays if one of them keeps it.
- An immutable tag stays, unless the repository allows deleting those.
- A tag that tools write beside an image (`sha256-<hex>`, with or without an ending such as `.sig`) goes and stays with
  that image, and is never counted among the newest.
- What a tag leaves is a manifest without a tag; those go after a time of their own, if the policy names one, and never
  while an index lists them or while they are attached to something.

The newest are those that moved last; of two that moved in the same moment, the first by name.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.clock import DAY, Instant, after
from wharfinger.domain.digests import Digest
from wharfinger.domain.errors import RuleInvalid
from wharfinger.domain.names import TagName
from wharfinger.domain.policies.patterns import TagPatterns, parse_patterns
from wharfinger.domain.sentences import Sentence, joined

MAX_RULES: Final = 50
MAX_NEWEST: Final = 1_000_000
MAX_DAYS: Final = 36_500
_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,59}", re.ASCII)
_BESIDE: Final = re.compile(r"(sha256|sha512)-([0-9a-f]{64}|[0-9a-f]{128})(\.[a-z0-9]+)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule; it keeps what any of its conditions holds for.

    Args:
        name: as people call it; verdicts say it.
        tags: which tags it is about.
        newest: how many of them stay, those that moved last.
        moved_within: how long a tag stays after it moved, in microseconds.
        pulled_within: how long a tag stays after it was last pulled.
    """

    name: str
    tags: TagPatterns
    newest: int | None = None
    moved_within: int | None = None
    pulled_within: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a repository keeps.

    Args:
        rules: in the order in which they are said.
        untagged_after: how long a manifest without a tag stays after it was last used, in microseconds; nothing for as
            long as the registry keeps it.
    """

    rules: tuple[Rule, ...] = ()
    untagged_after: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TagFacts:
    """What is known of a tag.

    Args:
        name: the tag.
        digest: what it names.
        moved_at: when it was last set to that: pushing the same again counts, for somebody still needs it.
        pulled_at: when it was last pulled, if it was.
        immutable: the rule of the repository by which it may not be deleted.
    """

    name: TagName
    digest: Digest
    moved_at: Instant
    pulled_at: Instant | None = None
    immutable: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UntaggedFacts:
    """What is known of a manifest that no tag names, no index lists, and that is attached to nothing.

    Args:
        id: of its row.
        digest: its own.
        last_used: when it was last pushed, left by a tag or pulled.
    """

    id: int
    digest: Digest
    last_used: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether something stays.

    Args:
        tag: the tag; nothing for a manifest without one.
        digest: the manifest.
        kept: whether it stays.
        rule: the name of the rule that decided, if one did.
        reason: why, as the end of the sentence "it stays because …" or "it goes because …".
    """

    tag: TagName | None
    digest: Digest
    kept: bool
    rule: str | None
    reason: Sentence


def judge_tags(tags: Sequence[TagFacts], rules: Sequence[Rule], now: Instant) -> Sequence[Verdict]:
    """Decide about every tag of a repository, in the order in which they are given."""
    beside = {one.name: subject for one in tags if (subject := subject_of(one.name)) is not None}
    alone = [one for one in tags if one.name not in beside]
    keeping = {rule.name: _kept_by(rule, alone, now) for rule in rules}
    verdicts = {one.name: _judge(one, rules, keeping) for one in alone}
    named: dict[Digest, bool] = {}
    for verdict in verdicts.values():
        named[verdict.digest] = named.get(verdict.digest, False) or verdict.kept
    for one in tags:
        if one.name in beside:
            verdicts[one.name] = _judge_beside(one, beside[one.name], named)
    return [verdicts[one.name] for one in tags]


def judge_untagged(facts: UntaggedFacts, untagged_after: int, now: Instant) -> Verdict:
    """Decide about a manifest without a tag."""
    kept = now < after(facts.last_used, untagged_after)
    reason = Sentence("it has no tag, and was last used %(days)s ago", days=_days(now - facts.last_used))
    return Verdict(tag=None, digest=facts.digest, kept=kept, rule="untagged", reason=reason)


def subject_of(name: TagName) -> Digest | None:
    """Return the image that a tag belongs to by its name, as tools write it that know no referrers."""
    found = _BESIDE.fullmatch(name)
    return None if found is None else Digest(f"{found[1]}:{found[2]}")


def make_rule(
    name: str,
    tags: str,
    *,
    newest: int | None = None,
    moved_within: int | None = None,
    pulled_within: int | None = None,
) -> Rule:
    """Return a rule.

    Args:
        name: as people call it.
        tags: patterns, as `parse_patterns` reads them.
        newest: how many stay.
        moved_within: for how many days a tag stays after it moved.
        pulled_within: for how many days it stays after it was pulled.

    Raises:
        RuleInvalid: something of it cannot be so, or it would keep nothing.
    """
    if not _NAME.fullmatch(name):
        message = Sentence(
            "%(name)r is no name for a rule: up to 60 letters, digits, dots, hyphens and underscores.", name=name[:60]
        )
        raise RuleInvalid(message)
    if newest is None and moved_within is None and pulled_within is None:
        message = Sentence(
            "The rule %(name)r would keep nothing: say how many, or for how many days after a move or a pull.",
            name=name,
        )
        raise RuleInvalid(message)
    for what, value, most in (
        (Sentence("the newest"), newest, MAX_NEWEST),
        (Sentence("days after a move"), moved_within, MAX_DAYS),
        (Sentence("days after a pull"), pulled_within, MAX_DAYS),
    ):
        if value is not None and not 1 <= value <= most:
            message = Sentence(
                "The rule %(name)r keeps %(what)s: that is a number from 1 to %(most)s, not %(value)s.",
                name=name,
                what=what,
                most=f"{most:,}",
                value=value,
            )
            raise RuleInvalid(message)
    return Rule(
        name=name,
        tags=parse_patterns(tags),
        newest=newest,
        moved_within=None if moved_within is None else moved_within * DAY,
        pulled_within=None if pulled_within is None else pulled_within * DAY,
    )


def make_policy(rules: Iterable[Rule], untagged_days: int | None = None) -> Policy:
    """Return a policy.

    Raises:
        RuleInvalid: there are too many rules, two have one name, or the days are no such number.
    """
    found = tuple(rules)
    names = [rule.name for rule in found]
    if len(found) > MAX_RULES:
        message = Sentence(
            "A policy has %(most)s rules at the most; this one has %(count)s.", most=MAX_RULES, count=len(found)
        )
        raise RuleInvalid(message)
    if len(set(names)) < len(names):
        message = Sentence("Two rules of a policy cannot have the same name.")
        raise RuleInvalid(message)
    if untagged_days is not None and not 1 <= untagged_days <= MAX_DAYS:
        message = Sentence(
            "Manifests without a tag stay for 1 to %(most)s days, not %(days)s.",
            most=f"{MAX_DAYS:,}",
            days=untagged_days,
        )
        raise RuleInvalid(message)
    return Policy(rules=found, untagged_after=None if untagged_days is None else untagged_days * DAY)


def words_of(rule: Rule) -> Sentence:
    """Return what a rule keeps, as people read it."""
    parts = []
    if rule.newest is not None:
        parts.append(Sentence("newest %(count)s", count=rule.newest))
    if rule.moved_within is not None:
        parts.append(Sentence("moved within %(days)s", days=_days(rule.moved_within)))
    if rule.pulled_within is not None:
        parts.append(Sentence("pulled within %(days)s", days=_days(rule.pulled_within)))
    return joined(", ", parts)


def _kept_by(rule: Rule, tags: Sequence[TagFacts], now: Instant) -> Mapping[TagName, Sentence]:
    """Return the tags that a rule keeps, and why."""
    about = [one for one in tags if rule.tags.matches(one.name)]
    newest = sorted(about, key=lambda one: (-one.moved_at, one.name))[: rule.newest or 0]
    kept = {one.name: Sentence("it is among the newest %(count)s", count=rule.newest or 0) for one in newest}
    for one in about:
        if one.name in kept:
            continue
        if rule.moved_within is not None and now < after(one.moved_at, rule.moved_within):
            kept[one.name] = Sentence("it moved within %(days)s", days=_days(rule.moved_within))
        elif (
            rule.pulled_within is not None
            and one.pulled_at is not None
            and now < after(one.pulled_at, rule.pulled_within)
        ):
            kept[one.name] = Sentence("it was pulled within %(days)s", days=_days(rule.pulled_within))
    return kept


def _judge(one: TagFacts, rules: Sequence[Rule], keeping: Mapping[str, Mapping[TagName, Sentence]]) -> Verdict:
    about = [rule for rule in rules if rule.tags.matches(one.name)]
    for rule in about:
        reason = keeping[rule.name].get(one.name)
        if reason is not None:
            return _verdict(one, reason, rule.name, kept=True)
    if not about:
        return _verdict(one, Sentence("no rule is about it"), None, kept=True)
    if one.immutable is not None:
        return _verdict(one, Sentence("it is immutable (rule %(rule)r)", rule=one.immutable), None, kept=True)
    reason = joined("; ", [Sentence("%(rule)s keeps %(what)s", rule=rule.name, what=words_of(rule)) for rule in about])
    return _verdict(one, reason, about[0].name, kept=False)


def _judge_beside(one: TagFacts, subject: Digest, named: Mapping[Digest, bool]) -> Verdict:
    """Decide about a tag that belongs to an image; what no tag names may be a part of something that stays."""
    if named.get(subject, True):
        return _verdict(one, Sentence("it belongs to %(subject)s", subject=subject), None, kept=True)
    if one.immutable is not None:
        return _verdict(one, Sentence("it is immutable (rule %(rule)r)", rule=one.immutable), None, kept=True)
    return _verdict(one, Sentence("it belongs to %(subject)s, whose last tag goes", subject=subject), None, kept=False)


def _verdict(one: TagFacts, reason: Sentence, rule: str | None, *, kept: bool) -> Verdict:
    return Verdict(tag=one.name, digest=one.digest, kept=kept, rule=rule, reason=reason)


def _days(microseconds: int) -> Sentence:
    days = microseconds // DAY
    return Sentence("1 day") if days == 1 else Sentence("%(days)s days", days=days)
