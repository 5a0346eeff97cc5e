# SPDX-License-Identifier: Apache-2.0
"""Figures and background jobs through the API, as an operator sees them over a socket."""

from datetime import UTC, datetime

import pytest

from tests.management_api.test_management_undo import get, push, refused, tell
from tests.support.commands import wait_until


def jobs(world):
    return {one["name"]: one for one in get(world, "/jobs", "vic")["items"]}


def test_every_job_says_when_it_ran_and_when_it_runs_again(world):
    wait_until(lambda: jobs(world).get("take figures", {}).get("ended_at"), within=60, why="no job has run")
    found = jobs(world)["take figures"]
    assert (found["outcome"], found["is_working"], found["interval"]) == ("ok", False, 3600)
    assert found["started_at"] <= found["ended_at"] < found["next_at"]
    assert {"bury", "review blobs", "verify", "expire uploads"} <= jobs(world).keys()


def test_a_job_runs_when_somebody_says_so(world):
    wait_until(lambda: jobs(world).get("take figures", {}).get("ended_at"), within=60, why="no job has run")
    push(world, "acme/weighed", "v1")
    before = jobs(world)["take figures"]["ended_at"]
    assert tell(world, "/jobs/take%20figures/run", "max", status=202)["is_wanted"]
    wait_until(lambda: jobs(world)["take figures"]["ended_at"] > before, within=60, why="it does not run")
    assert not jobs(world)["take figures"]["is_wanted"]
    (event,) = get(world, "/events?action=job.ordered", "max")["items"]
    assert (event["target"], event["who"]) == ("take figures", "max")
    assert "no job 'dig'" in refused(world.ask("POST", "/jobs/dig/run", "max"), 404, "account-unknown")
    held = get(world, "/registries/default/storage", "vic")
    assert held["bytes"] > 0
    assert held["space"]["free"] <= held["space"]["total"]
    (today,) = get(world, "/registries/default/figures", "vic")["items"]
    assert today["day"] == datetime.now(UTC).date().isoformat()
    assert today["bytes"] == held["bytes"]
    first = get(world, "/registries/default/storage/repositories?n=1", "vic")
    rest = get(world, first["next"].removeprefix("/api/v1"), "vic")
    assert first["items"][0]["bytes"] >= rest["items"][0]["bytes"]
    names = [one["name"] for one in get(world, "/registries/default/storage/repositories", "vic")["items"]]
    assert "acme/weighed" in names


@pytest.mark.parametrize("query", ["figures?days=0", "figures?days=9999", "storage/repositories?last=1"])
def test_what_cannot_be_asked_for_is_refused(world, query):
    refused(world.ask("GET", f"/registries/default/{query}", "max"), 400, "parameters-invalid")
