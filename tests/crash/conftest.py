# SPDX-License-Identifier: Apache-2.0
"""What happens to a registry and its machine, what is found afterwards, and the page that says so."""

from pathlib import Path

import pytest

from tests.architecture.papers import ROOT, Page
from tests.crash.patients import PROBES
from tests.metadata.conftest import templates

__all__ = ["templates"]

PAGE = ROOT / "docs" / "faults.md"
ROWS = pytest.StashKey[dict[str, dict[str, str]]]()
HEAD = """\
# What Wharfinger answers when something fails

<!-- Made by the tests that ran each fault (tests/crash/test_faults.py). Do not edit by hand: run `make faults`. -->

Each line is a fault that a test made happen to a running server, and what six requests were answered over a socket
while it was there. After the fault the same server, without a restart, took what it had refused, and had everything
that it had acknowledged; nothing was left behind that no row names. Every 503 carries `Retry-After`, and no fault makes
a 500.

"""


def pytest_configure(config):
    config.stash[ROWS] = {}


def pytest_sessionfinish(session):
    """Write the page, where that was asked for; what was not run this time because of `-k` stays as it is."""
    path, rows = session.config.getoption("--fault-table"), session.config.stash[ROWS]
    if path and rows and (session.config.option.keyword or not session.testsfailed):
        kept = _shown(Page(Path(path))) if session.config.option.keyword and Path(path).exists() else {}
        lines = [f"| {' | '.join(('fault', *PROBES))} |", f"|{' --- |' * (1 + len(PROBES))}"]
        found = (kept | rows).items()
        lines += [f"| {' | '.join((fault, *(cells[name] for name in PROBES)))} |" for fault, cells in found]
        Path(path).write_text(HEAD + "\n".join([*lines, ""]))


def _shown(page):
    return {row[0]: dict(zip(PROBES, row[1:], strict=True)) for row in page.rows("fault")}


@pytest.fixture
def saw(request):
    """Note what was seen during a fault; without the option to write the page, that has to be what the page says."""

    def note(fault, cells):
        request.config.stash[ROWS][fault] = cells
        if not request.config.getoption("--fault-table"):
            assert _shown(Page(PAGE)).get(fault) == cells, "make faults writes docs/faults.md anew"

    return note
