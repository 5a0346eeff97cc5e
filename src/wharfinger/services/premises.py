# SPDX-License-Identifier: Apache-2.0
"""The premises: the whole deployment at a glance, for whoever runs it. Reads what others keep, and changes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.clock import HOUR, Clock, Instant, after
from wharfinger.domain.access import Mode
from wharfinger.domain.deployment import Concern, Facts, Observed, Setting, concerns
from wharfinger.domain.errors import Unavailable
from wharfinger.services.authorization import Authorization
from wharfinger.services.figures import Figures, Holdings
from wharfinger.services.health import Health
from wharfinger.services.jobs import JobRow, Jobs
from wharfinger.services.registries import Registries
from wharfinger.services.verification import Verification

_SILENT: Final = 3 * HOUR
"""Every node has a job that runs once an hour."""
_RUNS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What there is to see.

    Args:
        mode: who may sign in.
        database: which kind holds the rows.
        problems: what the checks of health say, by name; empty if all is well.
        holdings: what each registry holds, by its name; one whose store does not answer is left out.
        nodes: the hosts whose background jobs said anything lately, and when last.
        concerns: what the operator should know, the most urgent first.
    """

    mode: Mode
    database: str
    problems: Mapping[str, str]
    holdings: Mapping[str, Holdings]
    nodes: Mapping[str, Instant]
    concerns: Sequence[Concern]


@dataclass(frozen=True, slots=True, kw_only=True)
class Premises:
    """The whole deployment.

    Args:
        facts: what does not change while this process runs.
        clock: the time.
        authorization: knows the mode.
        health: tries the database and the stores.
        registries: all of them.
        figures, jobs, verification: what they found lately.
    """

    facts: Facts
    clock: Clock
    authorization: Authorization
    health: Health
    registries: Registries
    figures: Figures
    jobs: Jobs
    verification: Verification

    @property
    def settings(self) -> Sequence[Setting]:
        """Every setting, with where it was said; secrets are hidden."""
        return self.facts.settings

    async def look(self) -> Glance:
        """Look at everything once."""
        mode, problems = await self.authorization.mode(), await self.health.problems()
        holdings = await self._holdings()
        rows = await self.jobs.list()
        nodes = _nodes(rows, after(self.clock.now(), -_SILENT))
        observed = Observed(
            mode=mode,
            problems=problems,
            space={
                name: (one.space.free, one.space.reserve) for name, one in holdings.items() if one.space is not None
            },
            silent=not nodes,
            failing={
                one.name: one.reason or "" for one in rows if one.outcome not in {None, "ok"} and one.node in nodes
            },
            findings=await self._findings(),
        )
        return Glance(
            mode=mode,
            database=self.facts.database,
            problems=problems,
            holdings=holdings,
            nodes=nodes,
            concerns=concerns(self.facts, observed),
        )

    async def _holdings(self) -> Mapping[str, Holdings]:
        found: dict[str, Holdings] = {}
        for registry in await self.registries.all():
            try:
                found[registry.name] = await self.figures.holdings(registry)
            except Unavailable:  # health says so
                continue
        return found

    async def _findings(self) -> Mapping[str, int]:
        found: dict[str, int] = {}
        for registry in await self.registries.all():
            runs = (await self.verification.list(registry, None, _RUNS)).items
            whole = [one for one in runs if one.run.scope.endswith("everything") and one.is_complete]
            if whole:
                found[registry.name] = whole[0].findings
        return found


def _nodes(rows: Sequence[JobRow], since: Instant) -> Mapping[str, Instant]:
    seen: dict[str, Instant] = {}
    for one in rows:
        if one.seen_at > since:
            seen[one.node] = max(one.seen_at, seen.get(one.node, one.seen_at))
    return seen
