# SPDX-License-Identifier: Apache-2.0
"""A server is ended at each named point under a request, started again, and held against what it had acknowledged.

Commands of the operator and PostgreSQL are in a file of their own, so that two processes of tests share the work.
"""

import os
import re
import subprocess
import sys
import timeit

import pytest

from tests.architecture.papers import ROOT
from tests.crash.acts import MEETINGS, MEETINGS_WITH_A_SERVER, OF_A_SERVER, OF_COMMANDS, OF_REQUESTS, end_at, named
from wharfinger import failpoints
from wharfinger.failpoints import POINTS, VARIABLE


@pytest.mark.parametrize(("act", "visit", "point"), OF_REQUESTS, ids=named)
async def test_a_process_that_ends_at_the_point_loses_nothing_and_leaves_nothing(tmp_path, act, visit, point):
    await end_at(tmp_path, None, act, visit, point)


def test_every_point_is_met_by_a_test():
    """Those of registries have a file of their own, which holds the same for them."""
    assert {point for _, _, point in MEETINGS} == {point for point in POINTS if not point.startswith("registry.")}
    assert len(MEETINGS_WITH_A_SERVER) == len(OF_A_SERVER)
    assert len(OF_REQUESTS) + len(OF_COMMANDS) == len(MEETINGS)
    assert len(OF_REQUESTS) > len(OF_COMMANDS) > len(OF_A_SERVER)


def test_every_point_of_the_source_is_listed_once_and_every_listed_one_is_in_the_source():
    source = ROOT / "src" / "wharfinger"
    met = [
        name
        for path in source.rglob("*.py")
        for name in re.findall(r"\bfailpoint\(([^)]+)\)", path.read_text())
        if path.name != "failpoints.py"
    ]
    assert sorted(met) == sorted(f'"{point}"' for point in POINTS)


def test_a_point_that_does_not_exist_is_refused_at_once():
    code = "import wharfinger.failpoints"
    environment = {**os.environ, VARIABLE: "upload.strated"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "there is no such point" in done.stderr
    assert "upload.start.committed" in done.stderr


@pytest.mark.parametrize("text", ["upload.claimed:", "upload.claimed:2", "upload.claimed", ""])
def test_a_point_may_be_given_with_the_number_of_the_visit(text):
    if text.endswith(":") or not text:
        assert failpoints.parse(text.rstrip(":")) == (("upload.claimed", 1) if text else (None, 0))
    else:
        assert failpoints.parse(text) == ("upload.claimed", 2 if text.endswith("2") else 1)


def test_nobody_ends_at_a_point_that_was_not_asked_for():
    """And it costs next to nothing: a push passes about fifteen of them."""
    assert failpoints.armed() is None
    seconds = min(timeit.repeat(lambda: failpoints.failpoint("upload.written"), number=10_000, repeat=5))
    assert seconds / 10_000 < 2e-6
