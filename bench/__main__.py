# SPDX-License-Identifier: Apache-2.0
"""`python -m bench`: start the servers, fill them, measure in turns, tell the outcome."""

import argparse
import compileall
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from bench import machine, measure, people, profiles, report
from bench.fill import QUICK, Holdings, Scale
from bench.load import LoadFailed
from bench.peers import KINDS, NotReady
from bench.runs import Stage, Turn
from bench.samples import Sample
from bench.scenarios import SCENARIOS, Scenario
from bench.wire import WireError

_PAGE = Path("docs/performance.md")


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the servers are stopped as well
    console = Console()
    chosen = [one for one in SCENARIOS if one.name in (options.only or options.profile or _names())]
    try:
        with _stage(console, _scale(options), chosen, Path(options.folder)) as stage:
            if options.profile:
                _profile(console, stage, chosen)
            else:
                _measure(console, stage, chosen, options)
    except (machine.Unprepared, NotReady, LoadFailed, WireError) as error:
        console.print(f"[red]✗[/] {error}", highlight=False)
        return 1
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure Wharfinger beside docker-registry and nginx (about 15 GB of disk)."
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=_names(), help=f"of {', '.join(_names())}")
    parser.add_argument("--profile", nargs="+", metavar="NAME", choices=_names(), help="say where the time goes")
    parser.add_argument("--quick", action="store_true", help="one short round with less content: does it run?")
    parser.add_argument("--seconds", type=float, help="of a round's load")
    parser.add_argument("--rounds", type=int, help="how often the servers take turns")
    parser.add_argument("--garbage", type=int, metavar="BLOBS", help="how many are collected (100,000)")
    parser.add_argument("--stored", type=int, metavar="BLOBS", help="among how many that stay (1,000,000)")
    parser.add_argument("--output", type=Path, help=f"the page to write; {_PAGE} if everything was measured")
    parser.add_argument("--no-write", action="store_true", help="write no page")
    parser.add_argument("--folder", default="/var/tmp", help="where the data is for the time of the run")
    return parser.parse_args()


def _names() -> list[str]:
    return [scenario.name for scenario in SCENARIOS]


def _scale(options: argparse.Namespace) -> Scale:
    scale = QUICK if options.quick else Scale()
    return replace(
        scale,
        seconds=options.seconds or scale.seconds,
        rounds=options.rounds or scale.rounds,
        garbage=options.garbage or scale.garbage,
        stored=options.stored or scale.stored,
    )


@contextmanager
def _stage(console: Console, scale: Scale, chosen: Sequence[Scenario], folder: Path) -> Iterator[Stage]:
    """Have the servers that are needed running and filled, and this process on the load's core."""
    server_core, load_core = machine.cores()
    compileall.compile_dir("src", quiet=1)  # as every installation is: a first start is not to be one of the compiler
    with ExitStack() as stack:
        stack.enter_context(machine.alone(folder))
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wharfinger-bench-", dir=folder)))
        home.chmod(0o755)
        os.sched_setaffinity(0, {load_core})
        holdings, peers = Holdings(scale), {}
        for name, kind in KINDS.items():
            if any(name in scenario.on for scenario in chosen):
                peers[name] = kind(home / name, server_core)
                stack.callback(peers[name].stop)
                peers[name].start()
                console.print(f"[dim]filling {name}[/]")
                holdings.fill(peers[name])
        os.sync()  # gigabytes are on their way to the disk: whoever syncs a file next would wait for them
        yield Stage(home, peers, holdings, server_core, load_core, iter(people.names(holdings.scale.people)))


def _measure(console: Console, stage: Stage, chosen: Sequence[Scenario], options: argparse.Namespace) -> None:
    results = [_rounds(console, stage, scenario) for scenario in chosen]
    report.show(console, results)
    everything = not options.only and not options.quick
    output = options.output or (_PAGE if everything else None)
    if output and not options.no_write:
        output.write_text(report.page(results, machine.facts()), encoding="utf-8")
        console.print(f"written: {output}")


def _rounds(console: Console, stage: Stage, scenario: Scenario) -> report.Result:
    """Let the servers take turns, and look closer where a target is missed.

    Every other round goes backwards: what a server leaves behind in the memory and on the disk must not always meet the
    same one next.
    """
    rounds: dict[str, list[Sample]] = {name: [] for name in scenario.on}
    scale = stage.holdings.scale
    for number in range(min(scale.rounds, scenario.rounds or scale.rounds)):
        for name in list(scenario.on)[:: 1 if number % 2 == 0 else -1]:
            sample = scenario.on[name](Turn(stage, name, number))
            rounds[name].append(sample)
            console.print(f"[dim]{scenario.name} {number + 1} {name}: {_line(sample)}[/]", highlight=False)
    result = report.Result(scenario, rounds)
    if all(verdict.met for verdict in result.verdicts):
        return result
    return replace(result, profile=_profile_of(stage, scenario))


def _line(sample: Sample) -> str:
    return ", ".join(f"{metric.title} {metric.write(value)}" for metric, value in sample.items())


def _profile(console: Console, stage: Stage, chosen: Sequence[Scenario]) -> None:
    for scenario in chosen:
        console.print(f"[bold]{scenario.title}[/]")
        report.show_profile(console, _profile_of(stage, scenario))


def _profile_of(stage: Stage, scenario: Scenario) -> profiles.Profile:
    """Profile Wharfinger's worker; the rounds get numbers of their own, because what was pushed is not pushed again."""
    if scenario.name == "startup":
        return profiles.of_start(stage.folder / "profiled-start", stage.server_core)
    numbers, name = iter(range(1_000, 2_000)), scenario.ours
    worker = measure.busiest(stage.peers[name].pid)
    return profiles.take(worker, lambda: scenario.on[name](Turn(stage, name, next(numbers))), stage.folder)


if __name__ == "__main__":
    sys.exit(main())
