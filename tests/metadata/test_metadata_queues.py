# SPDX-License-Identifier: Apache-2.0
import pytest

from tests.metadata.rows import (
    LATER,
    NOW,
    REGISTRY,
    SOMEBODY,
    digest,
    every,
    make_blob,
    make_manifest,
    make_repository,
    only,
)
from wharfinger.clock import DAY, HOUR, SECOND, after
from wharfinger.domain.events import Event, EventAction
from wharfinger.domain.identity import SYSTEM_ACTOR, Actor, Principal
from wharfinger.domain.names import RepositoryName, TagName
from wharfinger.metadata import events as event_rows
from wharfinger.metadata import queues
from wharfinger.metadata.schema import blob_reviews, events, manifest_reviews, manifests, tombstones


@pytest.fixture
def repository(connection):
    return make_repository(connection)


def test_a_second_reason_to_review_postpones_and_raises_the_version(connection, repository):
    manifest_id = make_manifest(connection, repository)
    queues.review_manifest(connection, manifest_id, NOW, "first")
    queues.review_manifest(connection, manifest_id, LATER, "second")
    row = only(connection, manifest_reviews)
    assert (row["due_at"], row["reason"], row["version"], row["attempts"]) == (LATER, "second", 1, 0)


def test_blobs_are_put_into_review_together_and_each_once(connection, repository):
    ids = [make_blob(connection, repository, content) for content in ("a", "b")]
    queues.review_blobs(connection, repository, [ids[1], ids[0], ids[1]], LATER, "asked")
    found = [(row["blob_id"], row["reason"], row["version"]) for row in every(connection, blob_reviews)]
    assert found == [(ids[0], "asked", 1), (ids[1], "asked", 1)]
    queues.review_blobs(connection, repository, [], LATER, "nobody")
    assert len(every(connection, blob_reviews)) == 2


def test_a_review_goes_with_what_it_is_about(connection, repository):
    manifest_id = make_manifest(connection, repository)
    queues.review_manifest(connection, manifest_id, NOW, "first")
    connection.execute(manifests.delete())
    assert every(connection, manifest_reviews) == []


def test_a_key_is_buried_once_and_keeps_its_time(connection):
    queues.bury(connection, REGISTRY, "ab/one", LATER, NOW)
    queues.bury(connection, REGISTRY, "ab/one", NOW, NOW)
    row = only(connection, tombstones)
    assert (row["store_key"], row["not_before"], row["attempts"], row["created_at"]) == ("ab/one", LATER, 0, NOW)


def claim(connection, now=NOW, limit=10, until=None):
    """Claim what is due, and give the keys."""
    return [one.store_key for one in queues.claim_tombstones(connection, now, until or after(now, DAY), limit)]


def test_due_are_those_whose_time_has_come_the_oldest_first(connection):
    for number, not_before in enumerate((LATER, NOW, after(NOW, -DAY), after(NOW, 1))):
        queues.bury(connection, REGISTRY, f"ab/{number}", not_before, NOW)
    assert queues.has_due_tombstone(connection, NOW)
    assert claim(connection, limit=1) == ["ab/2"]
    assert claim(connection) == ["ab/1"]
    assert not queues.has_due_tombstone(connection, NOW)


def test_what_was_claimed_is_given_to_nobody_until_the_claim_ends(connection):
    queues.bury(connection, REGISTRY, "ab/one", NOW, NOW)
    assert claim(connection, until=after(NOW, SECOND)) == ["ab/one"]
    assert claim(connection) == []
    assert claim(connection, after(NOW, SECOND)) == ["ab/one"]


def test_a_postponed_tombstone_waits_and_counts(connection):
    queues.bury(connection, REGISTRY, "ab/one", NOW, NOW)
    (due,) = queues.claim_tombstones(connection, NOW, after(NOW, DAY), 10)
    queues.postpone_tombstone(connection, due.id, after(NOW, SECOND))
    assert claim(connection) == []
    (again,) = queues.claim_tombstones(connection, after(NOW, SECOND), after(NOW, DAY), 10)
    assert (again.id, again.attempts) == (due.id, 1)


def test_finished_tombstones_are_forgotten(connection):
    for number in range(3):
        queues.bury(connection, REGISTRY, f"ab/{number}", NOW, NOW)
    first, second, _ = queues.claim_tombstones(connection, NOW, after(NOW, DAY), 10)
    queues.finish_tombstones(connection, [first.id, second.id])
    assert [row["store_key"] for row in every(connection, tombstones)] == ["ab/2"]


def test_an_event_says_what_where_who_and_when(connection, repository):
    event = Event(
        action=EventAction.TAG_MOVED,
        repository_id=repository,
        repository=RepositoryName("acme/app"),
        tag=TagName("v1"),
        digest=digest("new"),
        previous=digest("old"),
        media_type="text/plain",
        size=7,
    )
    event_id = event_rows.record(connection, REGISTRY, event, SOMEBODY, after(NOW, HOUR))
    assert only(connection, events) == {
        "id": event_id,
        "at": after(NOW, HOUR),
        "action": "tag.moved",
        "registry_id": REGISTRY,
        "repository_id": repository,
        "repository": "acme/app",
        "target": None,
        "tag": "v1",
        "digest": digest("new"),
        "previous_digest": digest("old"),
        "media_type": "text/plain",
        "size": 7,
        "principal": "somebody",
        "account_id": None,
        "about_id": None,
        "result": "done",
        "count": 1,
        "credential_id": None,
        "client_address": "192.0.2.7",
        "request_id": "r-1",
        "user_agent": "client/1.0",
        "detail": None,
    }


def test_an_event_outlives_what_it_tells_of(connection, repository):
    """The repository is named by value: the row may go, and its history stays."""
    event = Event(
        action=EventAction.REPOSITORY_CREATED, repository_id=repository, repository=RepositoryName("acme/app")
    )
    event_rows.record(connection, REGISTRY, event, SYSTEM_ACTOR, NOW)
    connection.exec_driver_sql("DELETE FROM repositories")
    row = only(connection, events)
    assert (row["repository"], row["principal"], row["user_agent"]) == ("acme/app", "system", None)


def test_a_long_user_agent_is_cut(connection, repository):
    by = Actor(principal=Principal(name="x"), user_agent="a" * 1_000)
    event = Event(
        action=EventAction.REPOSITORY_CREATED, repository_id=repository, repository=RepositoryName("acme/app")
    )
    event_rows.record(connection, REGISTRY, event, by, NOW)
    assert only(connection, events)["user_agent"] == "a" * 256


def test_events_are_numbered_in_the_order_of_writing(connection, repository):
    event = Event(
        action=EventAction.REPOSITORY_CREATED, repository_id=repository, repository=RepositoryName("acme/app")
    )
    numbers = [event_rows.record(connection, REGISTRY, event, SOMEBODY, NOW) for _ in range(5)]
    assert numbers == sorted(set(numbers))
