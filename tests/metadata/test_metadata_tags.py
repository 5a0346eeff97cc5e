# SPDX-License-Identifier: Apache-2.0
import itertools

import pytest
from sqlalchemy.exc import IntegrityError

from tests.metadata.rows import (
    NAME,
    NOW,
    REGISTRY,
    change,
    digest,
    edge,
    every,
    make_blob,
    make_manifest,
    make_repository,
    make_tag,
    only,
)
from wharfinger.clock import DAY, HOUR, after
from wharfinger.domain.names import TagName
from wharfinger.metadata import tag_lists
from wharfinger.metadata import tags as rows
from wharfinger.metadata.manifests import BY_TAG
from wharfinger.metadata.schema import events, manifest_reviews, manifests, tag_history, tags
from wharfinger.metadata.tag_lists import TagSearch
from wharfinger.metadata.tags import Target

V1 = TagName("v1")


@pytest.fixture
def repository(connection):
    found = make_repository(connection)
    for content in ("one", "two", "three"):
        make_manifest(connection, found, content)
    return found


def history(connection):
    return [(row["name"], row["from_digest"], row["to_digest"]) for row in every(connection, tag_history)]


def told(connection):
    rows = every(connection, events)
    return [(row["action"], row["tag"], row["previous_digest"], row["digest"]) for row in rows]


def test_a_new_tag_is_remembered_and_told(connection, repository):
    make_tag(connection, repository, "v1", "one")
    assert history(connection) == [("v1", None, digest("one"))]
    assert told(connection) == [("tag.moved", "v1", None, digest("one"))]
    assert only(connection, tag_history)["event_id"] == only(connection, events)["id"]


def test_a_movement_remembers_where_the_tag_was(connection, repository):
    make_tag(connection, repository, "v1", "one")
    make_tag(connection, repository, "v1", "two", after(NOW, HOUR))
    assert history(connection)[1] == ("v1", digest("one"), digest("two"))
    assert told(connection)[1] == ("tag.moved", "v1", digest("one"), digest("two"))
    assert only(connection, tags)["moved_at"] == after(NOW, HOUR)


def test_what_the_tag_leaves_is_reviewed_and_what_it_comes_to_is_not(connection, repository):
    make_tag(connection, repository, "v1", "one")
    assert every(connection, manifest_reviews) == []
    make_tag(connection, repository, "v1", "two")
    row = only(connection, manifest_reviews)
    assert (row["due_at"], row["reason"]) == (after(NOW, DAY), "tag moved")
    assert row["manifest_id"] == only(connection, manifests, digest=digest("one"))["id"]


def test_nothing_is_told_when_nothing_changed(connection, repository):
    make_tag(connection, repository, "v1", "one")
    make_tag(connection, repository, "v1", "one", after(NOW, HOUR))
    assert len(history(connection)) == len(told(connection)) == 1
    assert every(connection, manifest_reviews) == []


def test_the_history_of_a_tag_is_a_chain(connection, repository):
    for content in ("one", "two", "one", "one", "three"):
        make_tag(connection, repository, "v1", content)
    rows.remove(connection, change(repository), V1)
    make_tag(connection, repository, "v1", "two")
    steps = [None, digest("one"), digest("two"), digest("one"), digest("three"), None, digest("two")]
    assert [(before, to) for _, before, to in history(connection)] == list(itertools.pairwise(steps))


def test_a_removed_tag_is_remembered_and_told_and_its_manifest_stays(connection, repository):
    make_tag(connection, repository, "v1", "one")
    assert rows.remove(connection, change(repository), V1)
    assert every(connection, tags) == []
    assert history(connection)[1] == ("v1", digest("one"), None)
    assert told(connection)[1] == ("tag.deleted", "v1", None, digest("one"))
    assert only(connection, manifest_reviews)["reason"] == "tag deleted"
    assert only(connection, manifests, digest=digest("one"))["deleted_at"] is None


def test_removing_what_is_not_there_tells_nothing(connection, repository):
    assert not rows.remove(connection, change(repository), V1)
    assert every(connection, events) == every(connection, tag_history) == []


def test_tags_of_two_repositories_do_not_meet(connection, repository):
    other = make_repository(connection, "other")
    make_manifest(connection, other, "one")
    make_tag(connection, repository, "v1", "one")
    assert rows.find(connection, other, V1) is None
    make_tag(connection, other, "v1", "one")
    assert rows.remove(connection, change(other, name="other"), V1)
    assert rows.find(connection, repository, V1) is not None


def test_a_tag_names_a_manifest_of_its_own_repository_only(connection, repository):
    other = make_repository(connection, "other")
    stranger = make_manifest(connection, other, "four")
    with pytest.raises(IntegrityError), connection.begin_nested():
        rows.move(connection, change(repository), V1, Target(manifest_id=stranger, digest=digest("four")))


def test_a_manifest_that_a_tag_names_cannot_be_removed(connection, repository):
    make_tag(connection, repository, "v1", "one")
    with pytest.raises(IntegrityError), connection.begin_nested():
        connection.execute(manifests.delete().where(manifests.c.digest == digest("one")))


def test_the_tags_of_a_manifest_are_listed_in_order(connection, repository):
    for name in ("v2", "V2", "latest"):
        make_tag(connection, repository, name, "one")
    make_tag(connection, repository, "other", "two")
    found = rows.find(connection, repository, TagName("latest"))
    assert rows.naming(connection, repository, found.manifest_id) == ["V2", "latest", "v2"]


def test_names_are_listed_by_bytes_and_from_where_the_last_page_ended(connection, repository):
    names = ["v10", "v2", "V1", "_x", "v1", "v1.0", "v1-rc", "0"]
    for name in names:
        make_tag(connection, repository, name, "one")
    ordered = sorted(names, key=str.encode)
    assert list(rows.list_names(connection, repository, None, 100)) == ordered
    assert list(rows.list_names(connection, repository, None, 3)) == ordered[:3]
    assert list(rows.list_names(connection, repository, ordered[2], 3)) == ordered[3:6]
    assert list(rows.list_names(connection, repository, "v1~", 100)) == ["v2"]


def test_a_summary_counts_what_the_tag_leads_to_once(connection, repository):
    blob_id = make_blob(connection, repository, "layer")
    first = make_manifest(connection, repository, "image a", [edge("layer", blob_id=blob_id)])
    second = make_manifest(connection, repository, "image b", [edge("layer", blob_id=blob_id)])
    children = [edge("image a", child_id=first), edge("image b", 1, child_id=second), edge("not here", 2)]
    make_manifest(connection, repository, "index", children)
    make_tag(connection, repository, "one", "image a")
    make_tag(connection, repository, "all", "index", after(NOW, HOUR))
    summaries = tag_lists.newest(connection, repository, TagSearch(), 10)
    assert [(one.name, one.digest) for one in summaries] == [("all", digest("index")), ("one", digest("image a"))]
    assert summaries[1].size == len("image a") + len("layer")
    assert summaries[0].size == len("index") + len("image a") + len("image b") + len("layer")


async def test_the_look_up_by_tag_follows_the_tag(place):
    database = place.open()
    wanted = {"registry_id": REGISTRY, "repository": NAME, "reference": "v1"}

    def work(connection):
        repository_id = make_repository(connection)
        make_manifest(connection, repository_id, "one")
        make_manifest(connection, repository_id, "two")
        make_tag(connection, repository_id, "v1", "one")
        return repository_id

    repository_id = await database.write(work)
    assert (await database.find(BY_TAG, **wanted))[1] == digest("one")
    await place.open().write(lambda c: make_tag(c, repository_id, "v1", "two"))
    assert (await database.find(BY_TAG, **wanted))[1] == digest("two")
    assert await database.find(BY_TAG, **{**wanted, "reference": "V1"}) is None
