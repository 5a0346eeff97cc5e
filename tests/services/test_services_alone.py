# SPDX-License-Identifier: Apache-2.0
"""Services that keep nothing in a database: health, authorization, registries, the cache."""

import asyncio

import pytest

from tests.services.world import FakeClock
from wharfinger.blobstore.memory import MemoryBlobStore
from wharfinger.clock import SECOND
from wharfinger.domain.digests import digest_of
from wharfinger.domain.names import DEFAULT_REGISTRY
from wharfinger.services.cache import ContentCache
from wharfinger.services.health import Health
from wharfinger.services.registries import Registries, Registry


class Probe:
    """A check that says what it is told to, and counts."""

    def __init__(self):
        self.asked = 0
        self.error = None

    async def __call__(self):
        self.asked += 1
        if self.error is not None:
            raise self.error


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def health(clock):
    return Health(clock)


async def test_a_node_without_trouble_is_ready(health):
    health.add("database", Probe(), interval=2)
    assert await health.problems() == {}


async def test_trouble_is_named_and_goes_away(health, clock):
    probe = Probe()
    health.add("database", probe, interval=2)
    health.add("other", Probe(), interval=2)
    probe.error = ValueError("the disk is on fire")
    assert await health.problems() == {"database": "the disk is on fire"}
    probe.error = None
    clock.move(2 * SECOND)
    assert await health.problems() == {}


async def test_an_error_without_words_is_called_by_its_kind(health):
    probe = Probe()
    probe.error = KeyError()
    health.add("database", probe, interval=2)
    assert await health.problems() == {"database": "KeyError"}


async def test_a_check_is_asked_once_in_its_interval(health, clock):
    probe = Probe()
    health.add("database", probe, interval=10)
    await asyncio.gather(*(health.problems() for _ in range(20)))
    assert probe.asked == 1
    clock.move(10 * SECOND - 1)
    await health.problems()
    assert probe.asked == 1
    clock.move(1)
    await health.problems()
    assert probe.asked == 2


async def test_a_check_fails_only_after_as_many_failures_as_it_may_have(health, clock):
    probe = Probe()
    probe.error = ValueError("no")
    health.add("storage", probe, interval=1, threshold=3)
    found = []
    for _ in range(4):
        found.append(await health.problems())
        clock.move(SECOND)
    assert found == [{}, {}, {"storage": "no"}, {"storage": "no"}]
    probe.error = None
    assert await health.problems() == {}
    probe.error = ValueError("no")
    clock.move(SECOND)
    assert await health.problems() == {}


async def test_a_check_that_does_not_answer_is_given_up(health, monkeypatch):
    monkeypatch.setattr("wharfinger.services.health._DEADLINE", 0.01)

    async def never():
        await asyncio.Event().wait()

    health.add("database", never, interval=1)
    assert await health.problems() == {"database": "no answer within 0.01 seconds"}


async def test_a_registry_is_found_by_id_and_by_host():
    registry = Registry(id=7, name=DEFAULT_REGISTRY, store=MemoryBlobStore())
    registries = Registries(registry)
    assert await registries.get(7) is await registries.on_host("anything") is registry
    assert await registries.all() == (registry,)
    assert await registries.get(8) is None


def test_the_cache_forgets_what_was_unused_longest():
    cache = ContentCache(max_bytes=9, max_item=5)
    digests = {content: digest_of(content) for content in (b"aaaa", b"bbbb", b"cccc")}
    for content in (b"aaaa", b"bbbb"):
        cache.put(digests[content], content)
    assert cache.get(digests[b"aaaa"]) == b"aaaa"
    cache.put(digests[b"cccc"], b"cccc")
    assert cache.get(digests[b"bbbb"]) is None
    assert cache.get(digests[b"aaaa"]) == b"aaaa"
    assert cache.get(digests[b"cccc"]) == b"cccc"


def test_the_cache_takes_nothing_too_large_and_nothing_twice():
    cache = ContentCache(max_bytes=9, max_item=5)
    large, small = b"123456", b"12345"
    cache.put(digest_of(large), large)
    assert cache.get(digest_of(large)) is None
    for _ in range(3):
        cache.put(digest_of(small), small)
    assert cache.get(digest_of(small)) == small
    assert cache._size == 5
