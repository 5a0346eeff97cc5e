# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from tests.console.registry import Site
from tests.services.world import FakeClock
from tests.web.scopes import Answer, nothing, scope
from wharfinger.domain.errors import EndpointUnknown, HeaderInvalid
from wharfinger.services.health import Health
from wharfinger.web.probes import Probes
from wharfinger.web.requests import Visit


@pytest.fixture
def health():
    return Health(FakeClock())


async def get(probes, path, client="203.0.113.9", method="GET"):
    visit = Visit("r-1", path, client, "http", {})
    answer = Answer()
    request = scope(path, method=method)
    await (await probes.answer(request, nothing, visit))(request, nothing, answer.send)
    return answer, visit.route


async def test_a_process_that_answers_is_alive(health):
    async def dead():
        raise ValueError

    health.add("database", dead, interval=1)
    answer, route = await get(Probes(health, open_metrics=False), "/livez")
    assert (answer.status, answer.body, route) == (200, b"alive\n", "/livez")


@pytest.mark.parametrize("path", ["/readyz", "/debug/health"])
async def test_readiness_names_what_is_wrong(health, path):
    probes = Probes(health, open_metrics=False)
    answer, _ = await get(probes, path)
    assert (answer.status, json.loads(answer.body)) == (200, {"ready": True, "problems": {}})

    async def dead():
        message = "no answer"
        raise ValueError(message)

    health.add("database", dead, interval=1)
    answer, _ = await get(probes, path)
    assert (answer.status, json.loads(answer.body)) == (503, {"ready": False, "problems": {"database": "no answer"}})


async def test_node_whose_storage_is_anothers_is_not_ready(tmp_path):
    """A database was lost, and the server began with an empty one: nothing can be pushed or pulled."""
    async with Site(tmp_path):
        (mark,) = tmp_path.rglob("own/registry")
    mark.write_text("somebody else's")
    async with Site(tmp_path) as site:
        answer = await site.ask("/readyz")
    assert answer.status_code == 503
    problem = "The storage default belongs to another registry, or to another deployment."
    assert answer.json() == {"ready": False, "problems": {"storage": problem}}


@pytest.mark.parametrize(
    ("client", "opened", "status"),
    [
        ("127.0.0.1", False, 200),
        ("::1", False, 200),
        ("-", False, 200),
        ("203.0.113.9", False, 404),
        ("somewhere", False, 404),
        ("203.0.113.9", True, 200),
    ],
)
async def test_metrics_are_for_this_machine_unless_they_have_a_listener(health, client, opened, status):
    answer, route = await get(Probes(health, open_metrics=opened), "/metrics", client)
    assert (answer.status, route) == (status, "/metrics")
    assert (b"wharfinger_" in answer.body) == (status == 200)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/debug/health", "/metrics"])
async def test_probes_take_get_and_head_only(health, path):
    probes = Probes(health, open_metrics=True)
    assert (await get(probes, path, method="HEAD"))[0].status == 200
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "MADEUP"):
        answer, route = await get(probes, path, method=method)
        assert (answer.status, answer.headers["allow"], route) == (405, "GET, HEAD", path)
    assert (await get(probes, "/nothing", method="POST"))[0].status == 404


async def test_metrics_may_have_another_path(health):
    probes = Probes(health, open_metrics=True, metrics_path="/stats")
    assert (await get(probes, "/stats"))[0].status == 200
    assert (await get(probes, "/metrics"))[0].status == 404


async def test_other_paths_are_not_found_and_share_one_route(health):
    answer, route = await get(Probes(health, open_metrics=True), "/debug/pprof")
    assert (answer.status, route) == (404, "-")


def test_a_request_that_cannot_be_read_gets_a_sentence(health):
    probes = Probes(health, open_metrics=True)
    refusal = probes.refusal(HeaderInvalid("no host"), None)
    assert (refusal.status_code, refusal.body) == (400, b"no host\n")
    assert probes.refusal(EndpointUnknown("nothing here"), None).status_code == 404
    assert b"r-1" in probes.failure("r-1").body
