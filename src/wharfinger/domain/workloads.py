# SPDX-License-Identifier: Apache-2.0
"""Workloads: what trust rules give a CI job or a program in a cluster, which has no account, at one name.

```text
identity token ── claims ──> rules that match (domain.trust) ──> Workload ── at a name ──> Trust ──> Right
```
"""

import enum
from collections.abc import Iterator
from typing import NamedTuple

from wharfinger.domain.patterns import fits
from wharfinger.domain.roles import WORDS, Right, Role
from wharfinger.domain.sentences import Sentence


class Reach(enum.Enum):
    """How a trust rule reaches a name."""

    NOWHERE = enum.auto()
    REGISTRY = enum.auto()
    NAMESPACE = enum.auto()
    REPOSITORY = enum.auto()
    MADE = enum.auto()
    """A workload that came in by this rule made the repository."""
    LINKED = enum.auto()
    """The repository is linked to the workload's own source."""
    OWN_NAME = enum.auto()
    """The name begins as the path of the workload's own source does."""


class Trust(NamedTuple):
    """What one trust rule gives a workload at one name.

    Args:
        rule: how the rule is called.
        role: what it gives.
        reach: where.
        tags: patterns of the only tags that it lets push; nothing for every tag.
    """

    rule: str
    role: Role
    reach: Reach
    tags: tuple[str, ...] = ()


def given(trust: Trust, pushed: tuple[str, ...] | None, *, exists: bool, inherits: bool) -> Iterator[Right]:
    """Yield what a trust rule gives; where it binds tags, it gives pushing these and reading, and nothing else.

    Args:
        trust: the rule.
        pushed: the tags that a push sets, maybe none; nothing if something else is to be done.
        exists: whether there is a repository of the name.
        inherits: whether roles on its namespace reach it.
    """
    is_bound = trust.tags and (pushed is None or not _lets_push(trust.tags, pushed))
    role = min(trust.role, Role.READ) if is_bound else trust.role
    by = {"role": WORDS[trust.role], "rule": trust.rule}
    match trust.reach:
        case Reach.REGISTRY:
            yield Right(role, Sentence("%(role)s by %(rule)s on the registry", **by))
        case Reach.NAMESPACE if not exists and trust.role >= Role.WRITE:
            yield Right(role, Sentence("%(role)s by %(rule)s on the namespace, where the name is free", **by))
        case Reach.NAMESPACE if exists and inherits:
            yield Right(role, Sentence("%(role)s by %(rule)s on the namespace, which the repository inherits", **by))
        case Reach.OWN_NAME if not exists and trust.role >= Role.WRITE:
            yield Right(role, Sentence("%(role)s by %(rule)s on names that begin as the workload's source does", **by))
        case Reach.REPOSITORY if exists:
            yield Right(role, Sentence("%(role)s by %(rule)s on the repository", **by))
        case Reach.MADE if exists:
            yield Right(role, Sentence("%(role)s by %(rule)s, by which the repository was made", **by))
        case Reach.LINKED if exists:
            yield Right(
                role, Sentence("%(role)s by %(rule)s on repositories that are linked to the workload's source", **by)
            )


def _lets_push(patterns: tuple[str, ...], tags: tuple[str, ...]) -> bool:
    return all(any(fits(pattern, tag) for pattern in patterns) for tag in tags)
