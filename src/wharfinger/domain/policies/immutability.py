# SPDX-License-Identifier: Apache-2.0
"""May this tag move, and may it be deleted?

The rules of a repository are written in one line:

```text
none              every tag may move
all               no tag may move
v*, release-?     these may not: `*` stands for any characters, `?` for one
*, !latest        all but `latest`: an exception wins, wherever it stands in the line
```

A second switch says whether an immutable tag may be deleted. Deleting the whole repository takes its immutable tags
along, and restoring it brings them back; nothing else makes one go (ADR 0030).
"""

import functools
from dataclasses import dataclass
from typing import Final

from wharfinger.domain.digests import Digest
from wharfinger.domain.errors import RuleInvalid, TagImmutable
from wharfinger.domain.names import TagName
from wharfinger.domain.policies.patterns import TagPatterns, parse_patterns
from wharfinger.domain.sentences import Sentence

_NONE, _ALL = "none", "all"
_EVERY: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Immutability(TagPatterns):
    """Which tags of a repository never move.

    Args:
        deletable: whether an immutable tag may be deleted.
    """

    deletable: bool = False

    def __str__(self) -> str:
        if not self.patterns:
            return _NONE
        if self.patterns == (_EVERY,) and not self.exceptions:
            return _ALL
        return TagPatterns.__str__(self)


MUTABLE: Final = Immutability()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is judged: one tag that is to name something else, or nothing.

    Args:
        tag: the tag.
        current: the manifest that it names; nothing if there is no such tag.
        wanted: the manifest that it is to name; nothing if it is to be deleted.
        rules: those of its repository.
    """

    tag: TagName
    current: Digest | None
    wanted: Digest | None
    rules: Immutability


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer.

    Args:
        allowed: whether it may be done.
        reason: why, as a sentence for the person who asked.
        rule: the pattern that decided; nothing where none had to be asked.
    """

    allowed: bool
    reason: Sentence
    rule: str | None = None


_NEW: Final = Sentence("The tag is new.")
_SAME: Final = Sentence("The tag names this manifest already.")
_MUTABLE: Final = Sentence("No rule of the repository makes the tag immutable.")
_DELETABLE: Final = Sentence("The tag is immutable, and the repository allows deleting immutable tags.")


def evaluate(facts: Facts) -> Verdict:
    """Judge one movement or deletion of a tag.

    A new tag may be made, and a tag may be set to what it names already: pushing the same content again succeeds.
    """
    if facts.current is None:
        return Verdict(allowed=True, reason=_NEW)
    if facts.current == facts.wanted:
        return Verdict(allowed=True, reason=_SAME)
    rule = facts.rules.find(facts.tag)
    if rule is None:
        return Verdict(allowed=True, reason=_MUTABLE)
    if facts.wanted is not None:
        reason = Sentence(
            "The tag %(tag)r is immutable in this repository (rule %(rule)r) and names %(current)s: "
            "push other content under a new tag.",
            tag=facts.tag,
            rule=rule,
            current=facts.current,
        )
        return Verdict(allowed=False, reason=reason, rule=rule)
    if facts.rules.deletable:
        return Verdict(allowed=True, reason=_DELETABLE, rule=rule)
    reason = Sentence(
        "The tag %(tag)r is immutable in this repository (rule %(rule)r) and may not be deleted: an "
        "admin of the repository can allow deleting immutable tags.",
        tag=facts.tag,
        rule=rule,
    )
    return Verdict(allowed=False, reason=reason, rule=rule)


def require(facts: Facts) -> None:
    """Return if `evaluate` allows it.

    Raises:
        TagImmutable: it does not.
    """
    verdict = evaluate(facts)
    if not verdict.allowed:
        detail = {"tag": facts.tag, "digest": facts.current, "rule": verdict.rule}
        raise TagImmutable(verdict.reason, detail=detail)


@functools.lru_cache(maxsize=1024)
def parse_immutability(text: str, *, deletable: bool = False) -> Immutability:
    """Return the rules that a line says.

    Raises:
        RuleInvalid: it is empty, one of its patterns could match no tag, or there are only exceptions.
    """
    word = text.strip(" ,")
    if word == _NONE:
        return Immutability(deletable=deletable)
    if word == _ALL:
        return Immutability(patterns=(_EVERY,), deletable=deletable)
    if not word:
        message = Sentence(
            "Say which tags are immutable: `none`, `all`, or patterns such as `v*`; exceptions begin with `!`."
        )
        raise RuleInvalid(message)
    found = parse_patterns(text)
    return Immutability(patterns=found.patterns, exceptions=found.exceptions, deletable=deletable)
