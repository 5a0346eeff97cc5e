# SPDX-License-Identifier: Apache-2.0
"""The outcome, for the terminal and as the page docs/performance.md."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.peers import WHARFINGER
from bench.profiles import Profile, Share
from bench.samples import Metric, Rounds
from bench.scenarios import Scenario
from bench.verdicts import Verdict, judge, middle

_INTRODUCTION = """\
# Performance

<!-- Made by `make bench`. Do not edit by hand. -->

Wharfinger beside Debian's `docker-registry` and a static nginx, measured in one run on one machine. Run it on yours:
`make bench`.

What counts is the ratio. An absolute number belongs to the machine and the minute in which it was taken.
"""

_METHOD = """\
## How it was measured

- The server has one core for all its processes; the load has another. Load and server speak over the loopback.
- Every server holds the same bytes on the same disk. All write an access log to a file; the registries count metrics.
  Wharfinger runs with SQLite and one worker, docker-registry with its cache in memory, nginx with one worker and
  `sendfile`.
- The servers take turns, round by round, every other round backwards. A ratio is taken within a round; the table shows
  the middle one, and in parentheses the lowest and the highest. The numbers of a server are the medians of its rounds.
- GET is done by `wrk`; HEAD, lists and pushes by clients of our own. A push is what Docker does: HEAD, POST, PATCH in
  chunks of 32 KiB, PUT, and for an image the manifest. Both registries sync what they store before they answer.
- *CPU per operation* is user and system time of the server's whole process tree, and of the kernel's network thread on
  its core. *Core idle* is the share of time in which that core had nothing to do: there the load or the disk was the
  limit. Where that was so for nginx, its rate is raised in the ratios to what a busy core would have given. *Core for
  others* is the share that programs outside of the measurement took from that core: the larger, the less the numbers
  mean. *By CPU* is a ratio of rates told by CPU per operation instead: what both would do with a core of their own,
  however busy the machine was.
- *p50* and *p99* are latencies at full load: each connection asks again as soon as it has its answer.
- *Largest process* is the peak of resident memory of the largest process, mapped files included.
"""


@dataclass(frozen=True, slots=True)
class Result:
    """A scenario's samples, and where the time goes if a target was missed."""

    scenario: Scenario
    rounds: Rounds
    profile: Profile | None = None
    verdicts: Sequence[Verdict] = field(init=False)

    def __post_init__(self) -> None:
        verdicts = [judge(target, self.rounds) for target in self.scenario.targets]
        object.__setattr__(self, "verdicts", verdicts)

    @property
    def metrics(self) -> Sequence[Metric]:
        """Return what was measured of any server, in the order of the columns."""
        measured = {metric for samples in self.rounds.values() for metric in samples[0]}
        return [metric for metric in Metric if metric in measured]

    def rows(self) -> Iterator[Sequence[str]]:
        """Yield a server's name and its medians."""
        for name, samples in self.rounds.items():
            values = middle(samples)
            yield name, *(metric.write(values[metric]) if metric in values else "" for metric in self.metrics)


def show(console: Console, results: Sequence[Result]) -> None:
    """Print the numbers, then the targets."""
    for result in results:
        table = Table("server", *(metric.title for metric in result.metrics), title=_heading(result.scenario))
        for row in result.rows():
            table.add_row(*row, style="bold" if row[0] == WHARFINGER else None)
        console.print(table)
    table = Table("scenario", "target", "reached", "by CPU", "", title="Targets")
    for result in results:
        for verdict in result.verdicts:
            mark = "[green]met[/]" if verdict.met else "[red]missed[/]"
            table.add_row(result.scenario.name, str(verdict.target), str(verdict), _by_cpu(verdict), mark)
    console.print(table)


def show_profile(console: Console, profile: Profile) -> None:
    """Print where the time goes."""
    for title, shares in _views(profile):
        table = Table("share", title)
        for share, name in shares:
            table.add_row(f"{share:.1%}", escape(name))
        console.print(table)


def page(results: Sequence[Result], facts: Mapping[str, str]) -> str:
    """Return the Markdown page."""
    sections = [
        _INTRODUCTION,
        _targets(results),
        "## Numbers\n",
        *(_numbers(result) for result in results),
        *_misses(results),
        _METHOD,
        _machine(facts),
    ]
    return "\n".join(sections)


def _targets(results: Sequence[Result]) -> str:
    rows = [
        (result.scenario.title, str(verdict.target), str(verdict), _by_cpu(verdict), _mark(verdict))
        for result in results
        for verdict in result.verdicts
    ]
    missed = sum(not verdict.met for result in results for verdict in result.verdicts)
    count = f"{len(rows) - missed} of {len(rows)} targets were met in this run.\n"
    return "\n".join(["## Targets\n", count, _table(("scenario", "target", "reached", "by CPU", ""), rows)])


def _mark(verdict: Verdict) -> str:
    return "met" if verdict.met else "**missed**"


def _by_cpu(verdict: Verdict) -> str:
    return "" if verdict.by_cpu is None else f"{verdict.by_cpu:.3g}"


def _numbers(result: Result) -> str:
    columns = ("server", *(metric.title for metric in result.metrics))
    return f"### {_heading(result.scenario)}\n\n{_table(columns, list(result.rows()))}"


def _misses(results: Sequence[Result]) -> Iterator[str]:
    profiled = [result for result in results if result.profile is not None]
    if profiled:
        yield "## Where the time goes, where a target was missed\n"
    for result in profiled:
        yield f"### {result.scenario.title}: the profile\n"
        for title, shares in _views(result.profile or Profile()):
            yield f"- {title}: {', '.join(f'{share:.0%} `{name}`' for share, name in shares)}"
        yield ""


def _views(profile: Profile) -> Iterator[tuple[str, Sequence[Share]]]:
    views = {
        "CPU time by program part": profile.parts,
        "CPU time by function of machine code": profile.symbols,
        "Python's time by function, without what it calls": profile.own,
        "Python's time by function of Wharfinger, with what it calls": profile.within,
        "Time of imports by package": profile.imports,
    }
    yield from ((title, shares) for title, shares in views.items() if shares)


def _machine(facts: Mapping[str, str]) -> str:
    return f"## The machine\n\n{_table(('', ''), list(facts.items()))}"


def _heading(scenario: Scenario) -> str:
    return f"{scenario.title} (an operation: one {scenario.operation})"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)
