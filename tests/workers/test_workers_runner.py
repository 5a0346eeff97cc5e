# SPDX-License-Identifier: Apache-2.0
import asyncio
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from tests.workers.virtual_time import run
from wharfinger.domain.errors import StoreUnavailable
from wharfinger.workers import runner
from wharfinger.workers.jobs import BATCH, Job

MINUTE = timedelta(minutes=1)


class Task:
    """A job that does what it is told, writes down when it ran, and stops the runner in the end.

    Args:
        outcomes: what each run returns or raises; after the last one everything stops.
    """

    def __init__(self, *outcomes, name="task", interval=MINUTE):
        self._outcomes = list(outcomes)
        self.ran = []
        self.stop = asyncio.Event()
        self.job = Job(name=name, run=self._run, interval=interval)

    async def _run(self):
        self.ran.append(asyncio.get_running_loop().time())
        outcome = self._outcomes.pop(0)
        if not self._outcomes:
            self.stop.set()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    @property
    def pauses(self):
        return [later - earlier for earlier, later in zip(self.ran, self.ran[1:], strict=False)]


def outcome(job, kind):
    return REGISTRY.get_sample_value("wharfinger_jobs_total", {"job": job, "outcome": kind}) or 0


def around(seconds):
    return pytest.approx(seconds, rel=0.11)


def test_a_job_runs_soon_after_the_start_and_then_in_its_interval():
    task = Task(1, 0, 5)
    run(runner.run([task.job], task.stop))
    assert task.ran[0] == around(5)
    assert task.pauses == [around(60), around(60)]


def test_nodes_that_start_together_do_not_run_together():
    starts = set()
    for _ in range(5):
        task = Task(0)
        run(runner.run([task.job], task.stop))
        starts.add(task.ran[0])
    assert len(starts) > 1


def test_a_full_batch_is_followed_by_another_at_once():
    task = Task(BATCH, BATCH, 3, 0)
    run(runner.run([task.job], task.stop))
    assert task.pauses == [pytest.approx(0, abs=0.01), pytest.approx(0, abs=0.01), around(60)]


def test_a_job_that_fails_is_tried_later_and_later():
    task = Task(*[StoreUnavailable("no")] * 12, 0)
    run(runner.run([task.job], task.stop))
    assert task.pauses == [around(min(600, 2**n)) for n in range(1, 13)]


def test_a_job_that_succeeds_again_is_back_in_its_interval():
    task = Task(ValueError(), ValueError(), 0, ValueError(), 0)
    run(runner.run([task.job], task.stop))
    assert task.pauses == [around(2), around(4), around(60), around(2)]


@pytest.mark.parametrize(
    ("result", "kind"), [(3, "ok"), (StoreUnavailable("no"), "unavailable"), (ValueError("odd"), "failed")]
)
def test_every_run_is_counted_by_its_outcome(result, kind):
    name = f"counted {kind}"
    task = Task(result, name=name)
    run(runner.run([task.job], task.stop))
    assert {one: outcome(name, one) for one in ("ok", "unavailable", "failed")} == {
        one: float(one == kind) for one in ("ok", "unavailable", "failed")
    }


def test_one_job_that_fails_does_not_stop_another():
    failing, working = Task(*[ValueError()] * 20), Task(0, 0, 0)
    failing.stop = asyncio.Event()
    run(runner.run([failing.job, working.job], working.stop))
    assert len(working.ran) == 3
    assert len(failing.ran) > 1


def test_a_runner_that_waits_stops_at_once():
    task = Task(0, 0)

    async def main():
        async with asyncio.TaskGroup() as group:
            group.create_task(runner.run([task.job], task.stop))
            await asyncio.sleep(20)
            task.stop.set()

    _, took = run(main())
    assert took == pytest.approx(20, abs=0.01)
    assert len(task.ran) == 1


def test_a_run_that_is_under_way_is_finished_first():
    stop, finished = asyncio.Event(), []

    async def long():
        await asyncio.sleep(100)
        finished.append(True)
        return 0

    async def main():
        async with asyncio.TaskGroup() as group:
            group.create_task(runner.run([Job(name="long", run=long, interval=MINUTE)], stop))
            await asyncio.sleep(20)
            stop.set()

    _, took = run(main())
    assert finished == [True]
    assert took == pytest.approx(105, abs=1)


def test_a_runner_that_was_stopped_before_it_began_runs_nothing():
    task = Task(0)
    task.stop.set()
    run(runner.run([task.job], task.stop))
    assert task.ran == []


class Diary:
    """Takes what the runner writes, and wants what it is told to want."""

    def __init__(self, *wanted):
        self.said = []
        self._wanted = list(wanted)

    def now(self):
        return int(asyncio.get_running_loop().time() * 1_000_000)

    async def announce(self, intervals):
        self.said.append(("announce", intervals))

    async def begin(self, name, at):
        self.said.append(("begin", name, at))

    async def end(self, name, **more):
        del more["started_at"]
        self.said.append(("end", name, more))

    async def wanted(self):
        return [self._wanted.pop(0)] if self._wanted else []


def test_what_a_job_does_is_written_down():
    diary, task = Diary(), Task(BATCH, 3, StoreUnavailable("no disk"), 0)
    run(runner.run([task.job], task.stop, diary))
    assert diary.said == [
        ("announce", {"task": 60_000_000}),
        ("end", "task", {"outcome": "ok", "done": 3, "reason": None, "pause": 60.0}),
        ("end", "task", {"outcome": "unavailable", "done": 0, "reason": "no disk", "pause": 2.0}),
        ("end", "task", {"outcome": "ok", "done": 0, "reason": None, "pause": 60.0}),
    ]


def test_only_a_run_that_lasts_is_told_of_before_it_ends():
    stop, diary = asyncio.Event(), Diary()

    async def long():
        await asyncio.sleep(10)
        stop.set()
        return 0

    run(runner.run([Job(name="long", run=long, interval=MINUTE)], stop, diary))
    assert [said[:2] for said in diary.said[1:]] == [("begin", "long"), ("end", "long")]


def test_a_job_that_somebody_wants_does_not_wait_for_its_interval():
    task = Task(0, 0, interval=timedelta(hours=1))
    diary = Diary("another", "another", "task")
    run(runner.run([task.job], task.stop, diary))
    assert task.pauses[0] < 20
