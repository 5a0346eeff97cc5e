# SPDX-License-Identifier: Apache-2.0
"""`wharfinger gc` beside a running registry, as an operator uses it."""

import json
import sqlite3

import pytest

from tests.protocol.client import Client
from tests.protocol.content import Material
from tests.support.commands import wait_until
from tests.support.server import Server
from tests.support.shell import run_wharfinger

NAME = "acme/app"


@pytest.fixture
def server(tmp_path):
    with Server(tmp_path / "registry") as running:
        yield running


@pytest.fixture
def repository(server):
    with Client.of(server.url) as client:
        yield client.repository(NAME)


@pytest.fixture
def digest(repository, request):
    """Push an image as `v1`; return its digest."""
    return repository.push(Material(request.node.nodeid).image(repository, "one"), "v1")


@pytest.fixture
def call(server, tmp_path):
    """Run a command to its end."""

    def call(*words):
        environment = {**server.environment, "COLUMNS": "250"}
        return run_wharfinger(*words, environment=environment, cwd=tmp_path, timeout=60)

    return call


def test_a_job_is_listed_and_runs_when_it_is_told_to(call):
    wait_until(lambda: "take figures" in call("job", "list").stdout, within=30, why="the jobs are not listed")
    assert call("job", "run", "take figures").stdout.startswith("take figures runs on ")
    unknown = call("job", "run", "dig")
    assert (unknown.status, "no job 'dig'" in unknown.stderr) == (1, True)


def test_a_deletion_is_weighed_done_shown_and_ended(server, repository, digest, call):
    planned = call("gc", "plan", f"{NAME}:v1")
    assert planned.status == 0
    assert planned.stdout.startswith(f"deleting {NAME}:v1 frees nothing: this registry keeps manifests without a tag")
    planned = call("gc", "plan", f"{NAME}@{digest}")
    assert planned.stdout.startswith(f"deleting {NAME}@{digest} frees ")
    assert call("gc").stdout.count("nothing will be freed") == 1
    assert repository.client.request("DELETE", f"{repository.path}/manifests/{digest}").status_code == 202
    shown = call("gc").stdout
    assert "will be freed from" in shown
    assert "stays: it was deleted on" in shown
    assert call("trash", "purge", "--yes", f"{NAME}@{digest}").status == 0
    end_leases(server)
    ran = call("gc", "--run", "--json")
    assert ran.status == 0
    result = json.loads(ran.stdout)
    assert (result["manifests"] >= 0, result["failed"]) == (True, 0)
    assert count(server, "manifests") == count(server, "blobs") == 0
    assert "nothing will be freed" in call("gc").stdout


def end_leases(server):
    """Let a day pass for blobs, as far as the database is concerned."""
    with sqlite3.connect(path_of(server)) as connection:
        connection.execute("UPDATE repository_blobs SET lease_until = 0")
        connection.execute("UPDATE blob_reviews SET due_at = 0")


def count(server, table):
    with sqlite3.connect(path_of(server)) as connection:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def path_of(server):
    (path,) = server.folder.rglob("wharfinger.db")
    return path


def test_a_rule_for_untagged_manifests_is_set_shown_and_taken_back(call):
    assert "untagged manifests      kept" in call("registry", "show").stdout
    assert "collected 30 days after they were last used" in call("registry", "set", "--untagged-after", "30").stdout
    assert "untagged manifests      kept" in call("registry", "set", "--keep-untagged").stdout
    assert call("registry", "set", "--untagged-after", "0").status == 2
    assert call("registry", "set", "--untagged-after", "1", "--keep-untagged").status == 1


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("plan", "nothing"), 1, "There is no repository"),
        (("plan", "Not A Name"), 1, "name"),
        (("plan",), 2, "Missing argument"),
        (("--sideways",), 2, "No such option"),
    ],
)
def test_what_is_wrong_is_said(call, words, status, said):
    finished = call("gc", *words)
    assert (finished.status, said in finished.stdout + finished.stderr) == (status, True), str(finished)


@pytest.mark.usefixtures("digest")
def test_json_is_for_programs(call):
    document = json.loads(call("gc", "--json").stdout)
    assert {one["kind"] for one in document["waiting"]} == {"manifest", "blob", "burial"}
    assert json.loads(call("gc", "plan", NAME, "--json").stdout)["manifests"] == 1
