# SPDX-License-Identifier: Apache-2.0
"""Targets, and whether they are met: the middle of the ratios that were measured round by round.

A ratio within one round is nearly free of what else the machine did; the numbers themselves are not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import median

from bench.peers import NGINX, WHARFINGER
from bench.samples import Metric, Rounds, Sample

_LEAST_BUSY = 0.5
"""A peer's rate is never more than doubled for the idleness of its core."""


class Bound(Enum):
    AT_LEAST = "at least"
    AT_MOST = "at most"


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be reached: a factor of another server's number, or without one a number by itself."""

    metric: Metric
    bound: Bound
    limit: float
    of: str | None = None

    def __str__(self) -> str:
        limit = f"{self.limit:g} of {self.of}" if self.of else self.metric.write(self.limit)
        return f"{self.metric.title}: {self.bound.value} {limit}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was reached: the middle, lowest and highest of the rounds."""

    target: Target
    reached: float
    lowest: float
    highest: float

    @property
    def met(self) -> bool:
        if self.target.bound is Bound.AT_LEAST:
            return self.reached >= self.target.limit
        return self.reached <= self.target.limit

    def __str__(self) -> str:
        if self.target.of is None:
            return self.target.metric.write(self.reached)
        return f"{self.reached:.3g} ({self.lowest:.3g} to {self.highest:.3g})"


def judge(target: Target, rounds: Rounds) -> Verdict:
    """Compare round by round."""
    ours = [sample[target.metric] for sample in rounds[WHARFINGER]]
    if target.of is None:
        reached: Sequence[float] = ours
    else:
        theirs = [_at_its_best(target, sample) for sample in rounds[target.of]]
        reached = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    return Verdict(target, median(reached), min(reached), max(reached))


def middle(samples: Sequence[Sample]) -> Sample:
    """Return the median of every metric."""
    return {metric: median(sample[metric] for sample in samples) for metric in samples[0]}


def _at_its_best(target: Target, sample: Sample) -> float:
    """Return a peer's number; the rate of nginx as if its core had never been idle.

    nginx can be faster than the load that asks it. It is not to look slower than it is, so its rate is raised to what
    a busy core would have given. Wharfinger's own rate is never raised.
    """
    value = sample[target.metric]
    if target.of != NGINX or target.metric is not Metric.RATE:
        return value
    return value / max(1.0 - sample[Metric.IDLE], _LEAST_BUSY)
