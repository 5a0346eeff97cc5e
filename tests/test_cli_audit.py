# SPDX-License-Identifier: Apache-2.0
"""`wharfinger audit` as an operator runs it: what it prints and writes, and the status it ends with."""

import csv
import io
import json
import re

import pytest

from tests.support.shell import run_wharfinger


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("audit")


@pytest.fixture(scope="module")
def wharfinger(folder):
    """Run a command to its end; whatever happens, it shows no traceback."""
    environment = {"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": folder / "data", "COLUMNS": "250"}

    def call(words):
        finished = run_wharfinger(*words.split(), environment=environment, cwd=folder, timeout=60)
        assert "Traceback" not in finished.output
        return finished

    return call


@pytest.fixture(scope="module")
def done(wharfinger):
    """Run a command that succeeds and return what it prints."""

    def call(words):
        finished = wharfinger(words)
        assert finished.status == 0, str(finished)
        return finished.stdout

    return call


@pytest.fixture(scope="module", autouse=True)
def told(done):
    """Have four events, which no test adds to."""
    assert not done("audit export")
    done("user create ann --no-password")
    done("user create bob --no-password")
    done("org create acme --owner ann")
    done("user suspend bob")


def lines(text):
    return [" ".join(line.split()) for line in text.splitlines()]


def test_the_list_shows_the_newest_first_and_goes_on_with_the_next_page(done):
    header, *rows = lines(done("audit list"))
    assert header.split() == ["id", "time", "who", "from", "what", "result", "on", "detail"]
    assert [row.split()[0] for row in rows] == ["4", "3", "2", "1"]
    assert re.fullmatch(r"4 \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+ \(shell\) - account\.suspended done bob -", rows[0])
    assert [row.split()[0] for row in lines(done("audit list -n 2 --before 4"))[1:]] == ["3", "2"]


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        ("--action account.suspended", [4]),
        ("--action account", [4, 3, 2, 1]),
        ("--target ann", [1]),
        ("--target nobody", []),
        ("--result refused", []),
        ("--since 2001-01-01 --until 2001-01-02", []),
        ("--since 2001-01-01", [4, 3, 2, 1]),
        ("--repository acme/app", []),
    ],
)
def test_what_is_asked_for_is_what_is_listed_and_exported(done, words, ids):
    listed = [line.split()[0] for line in lines(done(f"audit list {words}")) if line[:1].isdigit()]
    assert listed == [str(one) for one in ids]
    exported = [json.loads(line)["id"] for line in done(f"audit export {words}").splitlines()]
    assert exported == sorted(ids)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("--action nothing", "is nothing that happens here"),
        ("--since yesterday", "is not a time"),
        ("--repository UPPER", "lower"),
    ],
)
@pytest.mark.parametrize("command", ["list", "export"])
def test_what_cannot_be_asked_for_is_refused_with_what_would_be_right(wharfinger, command, words, why):
    refused = wharfinger(f"audit {command} {words}")
    assert refused.status != 0
    assert why in refused.stderr
    assert not refused.stdout


def test_an_export_is_a_file_that_did_not_exist(done, wharfinger, folder):
    assert re.fullmatch(r"events\.jsonl: \d+ bytes\n", done("audit export --output events.jsonl"))
    written = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert [(one["id"], one["action"], one["target"]) for one in written] == [
        (1, "account.created", "ann"), (2, "account.created", "bob"), (3, "account.created", "acme"),
        (4, "account.suspended", "bob"),
    ]  # fmt: skip
    assert all(one["at"].endswith("Z") or "+" in one["at"] for one in written)
    again = wharfinger("audit export --output events.jsonl --action account.suspended")
    assert again.status == 1
    assert "events.jsonl" in again.stderr
    assert len((folder / "events.jsonl").read_text().splitlines()) == 4


def test_a_refused_export_leaves_no_file(wharfinger, folder):
    assert wharfinger("audit export --output refused.jsonl --since yesterday").status != 0
    assert not (folder / "refused.jsonl").exists()


def test_a_table_has_a_line_of_headings(done):
    rows = list(csv.DictReader(io.StringIO(done("audit export --format csv"))))
    assert [(row["id"], row["target"]) for row in rows] == [("1", "ann"), ("2", "bob"), ("3", "acme"), ("4", "bob")]
    assert lines(done("audit export --format csv --target nobody")) == [",".join(rows[0])]
