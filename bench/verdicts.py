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
    """What a server is to reach: a factor of another server's number, or without one a number by itself."""

    metric: Metric
    bound: Bound
    limit: float
    of: str | None = None
    who: str = WHARFINGER

    def __str__(self) -> str:
        limit = f"{self.limit:g} of {self.of}" if self.of else self.metric.write(self.limit)
        return f"{self.metric.title}: {self.bound.value} {limit}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was reached: the middle, lowest and highest of the rounds.

    Attributes:
        by_cpu: for a ratio of rates, the same ratio told by CPU per operation; None for all else. Both agree on a
            quiet machine. On a busy one this is the one to believe.
    """

    target: Target
    reached: float
    lowest: float
    highest: float
    by_cpu: float | None = None

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
    ours = rounds[target.who]
    if target.of is None:
        reached = [sample[target.metric] for sample in ours]
        return Verdict(target, median(reached), min(reached), max(reached))
    pairs = list(zip(ours, rounds[target.of], strict=True))
    reached = [mine[target.metric] / _at_its_best(target, other) for mine, other in pairs]
    is_rate = target.metric is Metric.RATE
    by_cpu = median(other[Metric.CPU] / mine[Metric.CPU] for mine, other in pairs) if is_rate else None
    return Verdict(target, median(reached), min(reached), max(reached), by_cpu)


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
