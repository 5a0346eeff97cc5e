# SPDX-License-Identifier: Apache-2.0
"""Two real nodes over one PostgreSQL and one folder collect, keep rules and verify, and one of them dies."""

import asyncio
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.crash.clients import CONFIG, Client
from tests.crash.ledger import Ledger
from tests.crash.leftovers import leftovers
from tests.crash.nodes import CLAIM, GRACE, Nodes, collected, metric
from tests.crash.wanderers import Play
from tests.support.commands import run, wait_until
from tests.support.server import COMMAND, Server
from wharfinger.failpoints import VARIABLE

SECONDS = 24
CLIENTS = 3
LEASE = GRACE / 2 - 0.5
"""`HEAD` renews a lease of which less than half is left."""
NAME = "acme/app"
ENDED = "a process ended by itself"
LAYERS = 60
LAYER_BYTES = 100_000
RATE = 250_000
VERIFIED = "wharfinger_verified_bytes_total"


def test_two_nodes_collect_under_load_and_the_death_of_one_leaves_its_work_to_the_other(tmp_path):
    with Nodes(tmp_path) as nodes:
        nodes.start()
        plays = [Play(number, "test", nodes.living, LEASE) for number in range(CLIENTS)]
        for play in plays:
            play.start()
        removed = [Counter(), Counter()]
        end, victim = time.monotonic() + SECONDS, 0
        while time.monotonic() < end:
            time.sleep(SECONDS / 4)
            removed[victim] += collected(nodes.servers[victim])
            nodes.servers[victim].kill()
            time.sleep(CLAIM + 1)
            nodes.servers[victim].start()
            victim = 1 - victim
        for play in plays:
            play.end()
        found = [play.audit() for play in plays]
        nodes.wait_until_all_is_collected()
        removed = [before + collected(server) for before, server in zip(removed, nodes.servers, strict=True)]
        after = [play.audit() for play in plays]
        for play in plays:
            play.client.close()
        assert [complaint for _, complaints in found + after for complaint in complaints] == []
        assert [here for here, _ in after] == [here for here, _ in found]
        assert nodes.complaints() == []
        for count in removed:
            assert count["manifest"] > 0
            assert count["blob"] > 0
        for server in nodes.servers:
            assert "Traceback" not in server.log
            server.stop()
        assert asyncio.run(leftovers(nodes.data, nodes.url)) == []


@pytest.mark.parametrize("point", ["review.claimed", "review.committing", "bury.found", "bury.removed"])
def test_what_a_node_had_claimed_when_it_died_is_collected_by_the_other(tmp_path, point):
    with Nodes(tmp_path, 1) as nodes:
        dying = nodes.node("dying", **{VARIABLE: point})
        nodes.servers.insert(0, dying)
        dying.start()
        nodes.watch()
        client = Client(dying.url, Ledger())
        kept = client.push_image(NAME, "kept", [b"kept"])
        for number in range(5):
            client.delete_manifest(NAME, client.push_image(NAME, f"v{number}", [b"%d" % number]))
        client.close()
        wait_until(lambda: ENDED in dying.log, within=60, why="it never came by the point")
        nodes.servers[1].start()
        nodes.wait_until_all_is_collected()
        assert nodes.complaints() == []
        assert nodes.ask("SELECT digest FROM manifests") == [(kept,)]
        assert len(nodes.objects()) == 2, "the layer and the config of the image that is kept"
        alive = nodes.servers[1]
        if point.startswith("bury"):
            assert metric(alive, "wharfinger_collection_freed_bytes_total") > 0
        else:
            assert collected(alive)["manifest"] > 0


def test_a_rule_is_kept_once_by_two_nodes_and_by_the_other_when_one_dies_in_the_middle(tmp_path):
    with Nodes(tmp_path, 2, settings={"REGISTRY_RETENTION_INTERVAL": "1s"}) as nodes:
        dying = nodes.node("dying", **{VARIABLE: "retention.committing"})
        nodes.servers.insert(0, dying)
        dying.start()
        client = Client(dying.url, Ledger())
        for number in range(12):
            client.push_image(NAME, f"v{number}", [b"%d" % number])
        policy = {"rules": [{"name": "newest", "tags": "*", "newest": 3}]}
        path = f"/api/v1/repositories/{NAME}/-/retention"
        assert httpx.put(dying.url + path, json=policy, trust_env=False, timeout=60).status_code == 204
        wait_until(lambda: ENDED in dying.log, within=60, why="it never ran the policy")
        assert _tags(nodes) == {f"v{number}" for number in range(12)}
        for server in nodes.servers[1:]:
            server.start()
        wait_until(lambda: _tags(nodes) == {"v9", "v10", "v11"}, within=30, why=lambda: f"there are {_tags(nodes)}")
        for number in range(12, 30):  # both are at it every second
            client.push_image(NAME, f"v{number}", [b"%d" % number])
        client.close()
        wait_until(lambda: _tags(nodes) == {"v27", "v28", "v29"}, within=30, why=lambda: f"there are {_tags(nodes)}")
        gone = nodes.ask("SELECT name, count(*) FROM tag_history WHERE to_digest IS NULL GROUP BY 1")
        assert dict(gone) == dict.fromkeys([f"v{number}" for number in range(27)], 1)
        for server in nodes.servers[1:]:
            server.stop()


def test_one_node_verifies_at_a_time_and_the_other_goes_on_where_it_died(tmp_path):
    settings = {"REGISTRY_VERIFICATION_ENABLED": "true", "REGISTRY_VERIFICATION_RATE": f"{RATE}"}
    with ThreadPoolExecutor() as pool, Nodes(tmp_path, settings=settings, claim=6) as nodes:
        quiet = nodes.node("quiet", REGISTRY_VERIFICATION_ENABLED="false").start()
        client = Client(quiet.url, Ledger())
        client.push_image(NAME, "v1", [random.Random(number).randbytes(LAYER_BYTES) for number in range(LAYERS)])
        client.close()
        quiet.stop()
        list(pool.map(Server.start, nodes.servers))  # at once; they live as long as the threads that started them
        wait_until(lambda: _position(nodes) > 0, within=90, why="it does not begin")
        working = [server for server in nodes.servers if metric(server, VERIFIED) > 0]
        assert len(working) == 1, "both are at it"
        (other,) = set(nodes.servers) - set(working)
        working[0].kill()
        at = _position(nodes)
        wait_until(lambda: _claims(nodes) == 0, within=20, why="its claim does not end")
        said = run(COMMAND[0], "job", "run", "verify", environment=other.environment).stdout
        assert f"runs on {other.environment['NODE']} " in said
        wait_until(lambda: _finished(nodes), within=90, why=lambda: f"it stands at {_position(nodes)}")
        counts = nodes.ask("SELECT blobs, bytes, (SELECT count(*) FROM findings) FROM verifications")
        assert counts == [(LAYERS + 1, LAYERS * LAYER_BYTES + len(CONFIG), 0)]
        assert 0 < metric(other, VERIFIED) <= (LAYERS - at + 1) * LAYER_BYTES, "what was done is not done again"
        other.stop()


def _tags(nodes):
    return {name for (name,) in nodes.ask("SELECT name FROM tags")}


def _position(nodes):
    return nodes.ask("SELECT coalesce(max(position), 0) FROM verifications")[0][0]


def _claims(nodes):
    now = "extract(epoch FROM clock_timestamp()) * 1000000"
    return nodes.ask(f"SELECT count(*) FROM verifications WHERE claimed_until > {now}")[0][0]


def _finished(nodes):
    return nodes.ask("SELECT count(*) FROM verifications WHERE finished_at IS NOT NULL")[0][0]
