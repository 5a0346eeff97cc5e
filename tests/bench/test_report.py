# SPDX-License-Identifier: Apache-2.0
"""What the measurements say, from what the tools print to the page; nothing here measures."""

import io

import pytest
from rich.console import Console

from bench import content, fill, load, peers, profiles, report, samples, scenarios, verdicts

Metric, Bound, Target = samples.Metric, verdicts.Bound, verdicts.Target
WHARFINGER, DISTRIBUTION, NGINX = peers.WHARFINGER, peers.DISTRIBUTION, peers.NGINX
ROUNDS = {
    WHARFINGER: [
        {Metric.RATE: 160.0, Metric.CPU: 0.001, Metric.IDLE: 0.0},
        {Metric.RATE: 90.0, Metric.CPU: 0.002, Metric.IDLE: 0.0},
        {Metric.RATE: 150.0, Metric.CPU: 0.001, Metric.IDLE: 0.0},
    ],
    DISTRIBUTION: [{Metric.RATE: 10.0, Metric.CPU: 0.02, Metric.IDLE: 0.0}] * 3,
    NGINX: [{Metric.RATE: 800.0, Metric.CPU: 0.0001, Metric.IDLE: 0.2}] * 3,
}


def scenario(*targets):
    return scenarios.Scenario("reads", "Reads | many", "request", {}, targets)


def test_wrk_outcome_is_read_from_its_line():
    outcome = load.parse(
        "Running 1s test\noutcome requests=500 microseconds=2000000 bytes=1024 failed=0 p50=150 p99=2500\n"
    )
    assert outcome == load.Outcome(500, 2.0, 1024, 0.00015, 0.0025)


@pytest.mark.parametrize(
    "output", ["unable to connect", "outcome requests=5 microseconds=1 bytes=1 failed=2 p50=1 p99=1\n"]
)
def test_load_without_only_good_answers_is_refused(output):
    with pytest.raises(load.LoadFailed):
        load.parse(output)


def test_ratio_is_the_middle_of_the_rounds():
    verdict = verdicts.judge(Target(Metric.RATE, Bound.AT_LEAST, 15, DISTRIBUTION), ROUNDS)
    assert (verdict.reached, verdict.lowest, verdict.highest) == (15, 9, 16)
    assert verdict.met
    assert verdict.by_cpu == 20


def test_rate_of_nginx_is_raised_to_that_of_a_busy_core():
    verdict = verdicts.judge(Target(Metric.RATE, Bound.AT_LEAST, 0.15, NGINX), ROUNDS)
    assert verdict.reached == pytest.approx(0.15)


def test_upper_bound_and_number_by_itself():
    assert verdicts.judge(Target(Metric.CPU, Bound.AT_MOST, 0.002), ROUNDS).met
    assert not verdicts.judge(Target(Metric.CPU, Bound.AT_MOST, 0.01, DISTRIBUTION), ROUNDS).met


def test_medians_are_those_of_each_metric():
    assert verdicts.middle(ROUNDS[WHARFINGER]) == {Metric.RATE: 150.0, Metric.CPU: 0.001, Metric.IDLE: 0.0}


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0000115, "11.5 µs"), (0.0004, "400 µs"), (0.0184, "18.4 ms"), (2.5, "2.50 s")]
)
def test_durations_have_the_unit_that_suits_them(seconds, text):
    assert samples.write_duration(seconds) == text


def test_rates_show_what_matters():
    assert (samples.write_rate(51_502.3), samples.write_rate(1.567)) == ("51,502/s", "1.57/s")


def test_stacks_are_summed_by_function_and_waiting_is_left_out():
    own, within = profiles.parse_stacks(
        "_run (asyncio/runners.py:1);Edge.call (/x/src/wharfinger/web/edge.py:30);loads (json/__init__.py:9) 6\n"
        "_run (asyncio/runners.py:1);Edge.call (/x/src/wharfinger/web/edge.py:31) 2\n"
        "_worker (concurrent/futures/thread.py:81) 90\n"
        " 50\n"
    )
    assert own == [(0.75, "loads (json/__init__.py)"), (0.25, "Edge.call (wharfinger/web/edge.py)")]
    assert within == [(1.0, "Edge.call (wharfinger/web/edge.py)")]


def test_perf_report_is_read_without_its_marks():
    shares = profiles.parse_perf("  21.20%  [k] copy_page   [kernel.kallsyms]\n   5.00%  libpython3.11.so.1.0\n\n")
    assert shares == [(0.212, "copy_page in kernel"), (0.05, "libpython3.11")]


def test_imports_are_summed_by_package():
    shares = profiles.parse_imports(
        "import time: self [us] | cumulative | imported package\n"
        "import time:       300 |        900 |   sqlalchemy.sql\n"
        "import time:       100 |        100 | asyncio\n"
        "some line of a log\n"
    )
    assert shares == [(0.75, "sqlalchemy"), (0.25, "the standard library")]


def test_page_tells_targets_numbers_and_profiles():
    missed = report.Result(
        scenario(Target(Metric.RATE, Bound.AT_LEAST, 20, DISTRIBUTION)),
        ROUNDS,
        profiles.Profile(own=[(0.5, "loads (json)")]),
    )
    met = report.Result(scenario(Target(Metric.RATE, Bound.AT_LEAST, 15, DISTRIBUTION)), ROUNDS)
    page = report.page([missed, met], {"memory": "8 GiB"})
    assert "1 of 2 targets were met" in page
    assert "| Reads \\| many | rate: at least 20 of docker-registry | 15 (9 to 16) | 20 | **missed** |" in page
    assert "| Wharfinger | 150/s | 1.00 ms | 0% |" in page
    assert "50% `loads (json)`" in page
    assert "| memory | 8 GiB |" in page


def test_terminal_shows_every_server_and_verdict():
    out = io.StringIO()
    result = report.Result(scenario(Target(Metric.CPU, Bound.AT_MOST, 1.0)), ROUNDS)
    report.show(Console(file=out, width=120), [result])
    assert all(word in out.getvalue() for word in (WHARFINGER, DISTRIBUTION, NGINX, "met"))


def test_content_is_the_same_in_every_run_and_different_by_seed():
    assert content.image("one", 64) == content.image("one", 64)
    assert content.image("one", 64).digest != content.image("two", 64).digest
    whole = content.blob(b"".join(content.large_blob("one", 4096).parts))
    assert content.large_blob("one", 4096).digest == whole.digest
    assert whole.size == 4096


def test_pages_cover_all_names():
    pages = fill.Holdings(fill.QUICK).tag_pages()
    assert pages[:2] == ["/v2/bench/tags/tags/list?n=100", "/v2/bench/tags/tags/list?n=100&last=v00099"]
    assert len(pages) == 10


def test_every_target_names_a_server_that_is_measured():
    for one in scenarios.SCENARIOS:
        assert one.ours in one.on
        assert {target.who for target in one.targets} <= {*one.on}
        assert {target.of for target in one.targets} <= {None, *one.on}
